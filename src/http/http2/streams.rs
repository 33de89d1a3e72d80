//! The streams of a connection that are open: the exchange of each as far as it has come.

use super::super::body::Body;
use crate::http::{Marks, Message};
use crate::time::Timestamp;
use std::collections::VecDeque;

/// One stream.
pub(super) struct Stream<S, R> {
    pub id: u32,
    pub started: Timestamp,
    pub request: Option<Message<R>>,
    pub response: Option<Message<R>>,
    pub interim: Option<Box<Message<R>>>,
    /// Bodies that are coming, by side.
    pub bodies: [Option<Box<Body<S>>>; 2],
    /// Which side has sent all of its message.
    pub is_whole: [bool; 2],
    pub marks: Marks,
}

impl<S, R> Stream<S, R> {
    pub fn new(id: u32, started: Timestamp) -> Stream<S, R> {
        Stream {
            id,
            started,
            request: None,
            response: None,
            interim: None,
            bodies: [None, None],
            is_whole: [false, false],
            marks: Marks::none(),
        }
    }

    pub fn is_over(&self) -> bool {
        self.is_whole == [true, true]
    }

    fn bytes(&self) -> usize {
        let of = |message: Option<&Message<R>>| message.map_or(0, |message| message.head.len());
        size_of::<Self>() + of(self.request.as_ref()) + of(self.response.as_ref()) + of(self.interim.as_deref())
    }
}

pub(super) struct Streams<S, R> {
    /// In ascending order of their identifiers, which is nearly the order in which they were opened. Boxed: they are
    /// large, and come and go in the middle.
    open: Vec<Box<Stream<S, R>>>,
    /// Those that were closed last, [`Http2Limits::closed_streams`](super::Http2Limits::closed_streams) at most.
    closed: VecDeque<u32>,
    most_closed: usize,
    /// What they cost in memory, without reports and bodies.
    pub bytes: usize,
}

impl<S, R> Streams<S, R> {
    pub fn new(most_closed: usize) -> Self {
        Streams { open: Vec::new(), closed: VecDeque::new(), most_closed, bytes: 0 }
    }

    pub fn len(&self) -> usize {
        self.open.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Stream<S, R>> {
        self.open.iter().map(Box::as_ref)
    }

    /// Marks all that are open.
    pub fn mark(&mut self, marks: Marks) {
        self.open.iter_mut().for_each(|stream| stream.marks |= marks);
    }

    fn place(&self, id: u32) -> Result<usize, usize> {
        match self.open.last() {
            Some(last) if last.id == id => Ok(self.open.len() - 1),
            Some(last) if last.id < id => Err(self.open.len()),
            _ => self.open.binary_search_by_key(&id, |stream| stream.id),
        }
    }

    pub fn get(&mut self, id: u32) -> Option<&mut Stream<S, R>> {
        let place = self.place(id).ok()?;
        self.open.get_mut(place).map(Box::as_mut)
    }

    pub fn was_closed(&self, id: u32) -> bool {
        self.closed.contains(&id)
    }

    /// The stream of an identifier, opened if it is not.
    pub fn open(&mut self, id: u32, started: Timestamp) -> &mut Stream<S, R> {
        let place = match self.place(id) {
            Ok(place) => place,
            Err(place) => {
                let stream = Stream::new(id, started);
                self.bytes += stream.bytes();
                self.open.insert(place, Box::new(stream));
                place
            }
        };
        &mut self.open[place] // was there, or was put there
    }

    /// Changes a stream's messages, and what they cost with them.
    pub fn change<T>(&mut self, id: u32, change: impl FnOnce(&mut Stream<S, R>) -> T) -> Option<T> {
        let place = self.place(id).ok()?;
        let stream = self.open.get_mut(place)?;
        self.bytes -= stream.bytes(); // was added when it was opened or changed
        let changed = change(stream);
        self.bytes += stream.bytes();
        Some(changed)
    }

    /// Takes a stream out: it is closed.
    pub fn close(&mut self, id: u32) -> Option<Box<Stream<S, R>>> {
        let place = self.place(id).ok()?;
        let stream = self.open.remove(place);
        self.bytes -= stream.bytes(); // as above
        if self.closed.len() >= self.most_closed {
            self.closed.pop_front();
        }
        self.closed.push_back(id);
        Some(stream)
    }

    /// The stream that was opened first, of those that are open.
    pub fn oldest(&self) -> Option<u32> {
        self.open.first().map(|stream| stream.id)
    }

    pub fn ids(&self) -> Vec<u32> {
        self.open.iter().map(|stream| stream.id).collect()
    }
}
