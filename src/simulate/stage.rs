//! The stage on which actors play: time, connections, and what is written down of it.
//!
//! An actor is stepped at a time, sends what it wants through [`Stage::perform`], and says when it wants to be
//! stepped next. The stage turns exchanges into frames and keeps the truth.

use super::condition::Conditions;
use super::exchange::{self, Encoder, Exchange, Host};
use super::http2::Session;
use super::link::Link;
use super::queue::FrameQueue;
use super::random::Rng;
use super::truth::{Logged, Matter, Record};
use super::wire::connection::{Connection, Side};
use super::world::World;
use crate::time::Timestamp;
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Somebody who acts. Steps come in order of time; a step sends nothing earlier than `now`.
pub trait Actor {
    /// Acts at `now`; gives the time of the next step, or none when done.
    fn step(&mut self, now: Timestamp, stage: &mut Stage<'_>) -> Option<Timestamp>;
}

struct Waiting {
    at: Timestamp,
    order: u64,
    actor: Box<dyn Actor>,
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Waiting) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}
impl Eq for Waiting {}
impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Waiting) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Waiting {
    /// Reversed: the heap's greatest is the earliest.
    fn cmp(&self, other: &Waiting) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

/// A client with its open connections, one a host.
pub struct Caller {
    pub address: IpAddr,
    pub rtt: Duration,
    /// Header lines that every request of it carries, each ended by CR LF.
    pub lines: String,
    /// How long a connection stays open unused.
    pub keep_alive: Duration,
    pub rng: Rng,
    links: [Option<Link>; 4],
}

impl Caller {
    pub fn new(address: IpAddr, lines: String, mut rng: Rng) -> Caller {
        let rtt = Duration::from_secs_f64(rng.log_normal(0.028, 0.6).clamp(0.002, 0.4));
        Caller { address, rtt, lines, keep_alive: Duration::from_secs(15), rng, links: [const { None }; 4] }
    }

    /// Near the servers.
    pub fn inside(mut self) -> Caller {
        self.rtt = Duration::from_micros(self.rng.between(150, 600));
        self.keep_alive = Duration::from_secs(60);
        self
    }
}

/// How an exchange went.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Outcome {
    pub status: u16,
    /// When the client had all of the answer.
    pub end: Timestamp,
}

/// What is written down of an exchange beside what is in its form.
struct Told {
    status: Option<u16>,
    complete: bool,
    counted_by: Option<usize>,
}

/// What of a request is sent before it, in its place, and where that begins.
pub type Decoy = fn(&[u8]) -> (usize, Vec<u8>);

pub struct Stage<'a> {
    pub world: World,
    pub conditions: Conditions,
    /// The form that actors fill in before [`Stage::perform`].
    pub exchange: Exchange,
    pub records: Vec<Record>,
    /// Which record counts the exchange now in the form.
    pub counted_by: Option<usize>,
    /// What comes before the exchange now in the form.
    pub decoy: Option<Decoy>,
    pub transactions: u64,
    pub connections: u64,
    queue: FrameQueue<'a>,
    truth: &'a mut dyn io::Write,
    log_transactions: bool,
    log: Vec<u8>,
    waiting: BinaryHeap<Waiting>,
    started: u64,
    request: Vec<u8>,
    response: Vec<u8>,
    date: (i64, String),
    encoder: Encoder,
}

impl<'a> Stage<'a> {
    pub fn new(world: World, queue: FrameQueue<'a>, truth: &'a mut dyn io::Write, log_transactions: bool) -> Stage<'a> {
        Stage {
            conditions: Conditions::new(world.seed),
            world,
            exchange: Exchange::default(),
            records: Vec::new(),
            counted_by: None,
            decoy: None,
            transactions: 0,
            connections: 0,
            queue,
            truth,
            log_transactions,
            log: Vec::new(),
            waiting: BinaryHeap::new(),
            started: 0,
            request: Vec::new(),
            response: Vec::new(),
            date: (i64::MIN, String::new()),
            encoder: Encoder::default(),
        }
    }

    /// Lets `actor` act from `at` on.
    pub fn start(&mut self, at: Timestamp, actor: Box<dyn Actor>) {
        self.started += 1;
        self.waiting.push(Waiting { at, order: self.started, actor });
    }

    /// A new truth record; what is written with it later counts there.
    pub fn record(&mut self, matter: Matter) -> usize {
        self.records.push(Record::new(matter));
        self.records.len() - 1
    }

    /// Notes a matter that no request shows: that there are none.
    pub fn record_silence(&mut self, matter: Matter, from: Timestamp, until: Timestamp) {
        self.records.push(Record::lasting(matter, from, until));
    }

    /// Plays until nobody acts any more.
    pub fn play(&mut self) -> io::Result<()> {
        while let Some(Waiting { at, order, mut actor }) = self.waiting.pop() {
            self.queue.write_until(at)?;
            if let Some(next) = actor.step(at, self) {
                self.waiting.push(Waiting { at: next.max(Timestamp(at.0.saturating_add(1))), order, actor });
            }
            if self.log.len() >= 1 << 16 {
                self.truth.write_all(&self.log)?;
                self.log.clear();
            }
        }
        Ok(())
    }

    /// Writes all that is left, and what every record came to.
    pub fn finish(&mut self) -> io::Result<()> {
        self.queue.finish()?;
        self.records.sort_by_key(Record::start);
        for line in self.records.iter().filter_map(Record::line) {
            self.log.extend_from_slice(line.as_bytes());
            self.log.push(b'\n');
        }
        self.truth.write_all(&self.log)?;
        self.log.clear();
        Ok(())
    }

    /// Where frames go, for actors that speak no HTTP.
    pub fn wire(&mut self) -> &mut FrameQueue<'a> {
        &mut self.queue
    }

    pub fn queue(&self) -> &FrameQueue<'a> {
        &self.queue
    }

    pub fn write_truth(&mut self, line: &str) -> io::Result<()> {
        self.truth.write_all(line.as_bytes())?;
        self.truth.write_all(b"\n")?;
        self.truth.flush()
    }

    fn link(&mut self, caller: &mut Caller, host: Host, at: Timestamp) -> Link {
        if let Some(open) = caller.links[host as usize].take() {
            return open; // `links` has a place for each host
        }
        // Ports are dealt in turn, so that no address pair meets twice within its time-wait.
        let port = 32_768 + (self.connections * 7919 % 28_232) as u16;
        self.connections += 1;
        let server = self.world.server(host, caller.rng.next_u64());
        let mut connection = Connection::new(SocketAddr::new(caller.address, port), server, caller.rng.next_u64())
            .with_rtt(caller.rtt)
            .with_vlan(self.world.vlan);
        connection.open(at, &mut self.queue);
        Link { connection, http2: self.world.speaks_http2(caller.address).then(Session::default) }
    }

    /// Sends the exchange in the form, over the caller's open connection to that host or a new one.
    pub fn perform(&mut self, caller: &mut Caller, at: Timestamp) -> Outcome {
        let mut exchange = std::mem::take(&mut self.exchange);
        let outcome = self.pipeline(caller, at, std::slice::from_mut(&mut exchange));
        self.exchange = exchange;
        outcome
    }

    /// Sends several requests to one host before the first is answered (RFC 9112 §9.3.2).
    pub fn pipeline(&mut self, caller: &mut Caller, at: Timestamp, exchanges: &mut [Exchange]) -> Outcome {
        let Some(host) = exchanges.first().map(|first| first.host) else { return Outcome { status: 0, end: at } };
        let counted_by = self.counted_by.take();
        if let Some(first) = exchanges.first().filter(|first| first.label == exchange::BENIGN)
            && let Some(record) = self.conditions.vanishes(first, at)
        {
            if let Some(record) = self.records.get_mut(record) {
                record.note(at, caller.address, first.endpoint());
            }
            return Outcome { status: 0, end: at };
        }
        let mut link = self.link(caller, host, at);
        let sent = at.max(link.connection.ready(Side::Client));
        let mut request = std::mem::take(&mut self.request);
        request.clear();
        for exchange in exchanges.iter_mut() {
            let changed = if exchange.label == exchange::BENIGN {
                let slowed = self.conditions.slow_down(exchange, sent);
                self.conditions.apply(exchange, sent).or(slowed)
            } else {
                None
            };
            let told = Told { status: Some(exchange.status), complete: true, counted_by: changed.or(counted_by) };
            self.write_down(exchange, &link.connection, sent, told);
            link.request(exchange, &caller.lines, &mut request);
        }
        if let Some(decoy) = self.decoy.take() {
            let (from, bytes) = decoy(&request);
            link.connection.send_decoy(Side::Client, sent, from, &bytes, &mut self.queue);
        }
        let mut time = link.connection.send(Side::Client, sent, &request, &mut self.queue);
        let mut status = 0;
        let mut closes = false;
        for exchange in exchanges.iter_mut() {
            if exchange.expects_continue {
                let proceed = time.saturating_add(Duration::from_micros(400));
                self.response.clear();
                link.proceed(&mut self.response);
                link.connection.send(Side::Server, proceed, &self.response, &mut self.queue);
                request.clear();
                link.body(exchange, &mut request);
                time = link.connection.send(Side::Client, proceed, &request, &mut self.queue);
            }
            let jitter = caller.rng.log_normal(1.0, 0.35).min(20.0);
            time = time.saturating_add(exchange.service.mul_f64(jitter)).max(link.connection.ready(Side::Server));
            self.refresh_date(time);
            self.response.clear();
            link.response(exchange, &self.date.1, &mut self.encoder, &mut self.response);
            time = link.connection.send(Side::Server, time, &self.response, &mut self.queue);
            status = exchange.status;
            closes |= exchange.framing == exchange::Framing::Close;
        }
        self.request = request;
        let end = link.connection.ready(Side::Client);
        if closes {
            link.connection.close(Side::Server, time, &mut self.queue);
        } else {
            caller.links[host as usize] = Some(link); // `links` has a place for each host
        }
        Outcome { status, end }
    }

    /// Sends the request in the form, waits in vain, and gives up with a reset.
    pub fn give_up(&mut self, caller: &mut Caller, at: Timestamp, patience: Duration) -> Timestamp {
        let status = None;
        let (mut link, last) = self.ask_in_vain(caller, at, status);
        link.connection.flush(&mut self.queue);
        link.connection.reset(Side::Client, last.saturating_add(patience), &mut self.queue)
    }

    /// Sends the request in the form, and goes away with a reset in the middle of the answer.
    pub fn break_off(&mut self, caller: &mut Caller, at: Timestamp) -> Timestamp {
        let status = Some(self.exchange.status);
        let (mut link, last) = self.ask_in_vain(caller, at, status);
        let answered = last.saturating_add(self.exchange.service);
        self.refresh_date(answered);
        self.response.clear();
        link.response(&mut self.exchange, &self.date.1, &mut self.encoder, &mut self.response);
        let heard = &self.response[..self.response.len() * 2 / 3]; // less than all
        let last = link.connection.send(Side::Server, answered, heard, &mut self.queue);
        link.connection.reset(Side::Client, last, &mut self.queue)
    }

    fn ask_in_vain(&mut self, caller: &mut Caller, at: Timestamp, status: Option<u16>) -> (Link, Timestamp) {
        let exchange = std::mem::take(&mut self.exchange);
        let mut link = self.link(caller, exchange.host, at);
        let sent = at.max(link.connection.ready(Side::Client));
        let told = Told { status, complete: false, counted_by: self.counted_by.take() };
        self.write_down(&exchange, &link.connection, sent, told);
        self.request.clear();
        link.request(&exchange, &caller.lines, &mut self.request);
        let last = link.connection.send(Side::Client, sent, &self.request, &mut self.queue);
        self.exchange = exchange;
        (link, last)
    }

    /// Closes what will not be used before `next` within its keep-alive time; the server ends it then.
    pub fn rest(&mut self, caller: &mut Caller, next: Timestamp) {
        for place in &mut caller.links {
            let Some(Link { connection, .. }) = place else { continue };
            let idle_end = connection.ready(Side::Client).saturating_add(caller.keep_alive);
            if idle_end < next {
                connection.close(Side::Server, idle_end, &mut self.queue);
                *place = None;
            }
        }
    }

    /// The client closes all its connections.
    pub fn leave(&mut self, caller: &mut Caller, at: Timestamp) {
        for link in caller.links.iter_mut().filter_map(Option::take) {
            let mut connection = link.connection;
            if caller.rng.chance(0.06) {
                connection.reset(Side::Client, at, &mut self.queue);
            } else {
                connection.close(Side::Client, at, &mut self.queue);
            }
        }
    }

    fn refresh_date(&mut self, at: Timestamp) {
        if self.date.0 != at.seconds() {
            self.date = (at.seconds(), exchange::http_date(at));
        }
    }

    fn write_down(&mut self, exchange: &Exchange, connection: &Connection, at: Timestamp, told: Told) {
        self.transactions += 1;
        let mut label = exchange.label;
        if let Some(record) = told.counted_by.and_then(|index| self.records.get_mut(index)) {
            record.note(at, connection.client().ip(), exchange.endpoint());
            label = match record.matter {
                Matter::Attack(scenario, _) => scenario.info().name,
                Matter::Benign { name, .. } => name,
            };
        }
        if self.log_transactions {
            let (client, server) = (connection.client(), connection.server());
            let (method, host, url) = (exchange.method, exchange.host.name(), exchange.target.as_str());
            let Told { status, complete, .. } = told;
            Logged { at, client, server, method, host, url, status, complete, label }.append(&mut self.log);
        }
    }
}
