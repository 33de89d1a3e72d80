//! The flow table of one partition: finds a segment's flow, opens, times out and evicts flows.
//!
//! Four lists in order of last use, one a class of flow: flows that have said nothing yet, flows that said something which
//! is not our protocol, flows that speak it, flows that are over. At the limit on flows those give way first that are
//! over, then the silent, then the undecided, the longest unused first: a SYN flood pushes out nothing but itself, and a
//! flood of connections that say anything pushes out no working one.

use super::conversation::{Context, Conversation};
use super::event::Event;
use super::recent::Recent;
use super::{FlowInfo, Handler, Interest, Overlaps, StreamCounters, StreamLimits};
use crate::hash::mix;
use crate::packet::{Direction, FlowKey, Segment, TcpFlags};
use crate::time::Timestamp;
use hashbrown::HashTable;
use std::sync::Arc;
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct FlowLimits {
    /// Flows a partition keeps.
    pub flows: usize,
    /// Idle time of a flow that never spoke our protocol.
    pub undecided_idle: Duration,
    /// Idle time of one that did: servers commonly close keep-alive connections after 60 to 300 s.
    pub ours_idle: Duration,
    /// How long a flow that is over is remembered, so that stray retransmissions do not open it again.
    pub over_idle: Duration,
    pub stream: StreamLimits,
    /// What counts where segments overlap.
    pub overlaps: Arc<Overlaps>,
}

impl Default for FlowLimits {
    /// 16,384 flows in each of 16 partitions: 262,144 at once.
    fn default() -> Self {
        FlowLimits {
            flows: 16_384,
            undecided_idle: Duration::from_secs(60),
            ours_idle: Duration::from_secs(300),
            over_idle: Duration::from_secs(15),
            stream: StreamLimits::default(),
            overlaps: Arc::default(),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableCounters {
    pub flows: u64,
    pub flows_of_ours: u64,
    pub flows_evicted: u64,
    pub flows_evicted_of_ours: u64,
    pub flows_timed_out: u64,
    pub stream: StreamCounters,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Class {
    /// Said something, and is not known to speak our protocol.
    Undecided = 0,
    Ours = 1,
    Over = 2,
    /// Nothing but its opening was seen.
    Silent = 3,
}

/// Who goes first at the limit.
const EVICTION_ORDER: [Class; 4] = [Class::Over, Class::Silent, Class::Undecided, Class::Ours];

enum State<S> {
    Active(Box<(Conversation, S)>),
    /// Of no interest; only remembered so that its segments can be passed over.
    Ignored,
    /// With the initial sequence numbers of both directions, where they were seen.
    Over([Option<u32>; 2]),
}

struct Flow<S> {
    info: FlowInfo,
    hash: u64,
    last_seen: Timestamp,
    /// When it went to the newest end of its list.
    moved: Timestamp,
    class: Class,
    /// It was seen to speak our protocol: what goes on after a reset that nobody believed counts once.
    was_ours: bool,
    state: State<S>,
    older: u32,
    newer: u32,
}

/// The lists are in order of last use to this resolution: moving a flow touches its neighbours, which are seldom in a
/// cache. Time-outs and eviction are a second off at most.
const LIST_RESOLUTION: Duration = Duration::from_secs(1);

/// Copies of a frame, by several mirrors, come within so long. The SYN of a flow that spoke comes again after a longer silence
/// where a capture is played in a loop, and begins it anew.
const COPIES_WITHIN: Duration = Duration::from_secs(5);

const NONE: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct List {
    oldest: u32,
    newest: u32,
}

/// Slots are reused through a free list; lists run through the slots.
pub struct FlowTable<S> {
    limits: FlowLimits,
    index: HashTable<u32>,
    slots: Vec<Option<Flow<S>>>,
    free: Vec<u32>,
    lists: [List; 4],
    held: usize,
    recent: Recent,
    pub counters: TableCounters,
}

impl<S> FlowTable<S> {
    pub fn new(limits: FlowLimits) -> FlowTable<S> {
        FlowTable {
            limits,
            index: HashTable::new(),
            slots: Vec::new(),
            free: Vec::new(),
            lists: [List { oldest: NONE, newest: NONE }; 4],
            held: 0,
            recent: Recent::default(),
            counters: TableCounters::default(),
        }
    }

    pub fn len(&self) -> usize {
        self.index.len()
    }

    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// The handler's states of the flows that are read.
    pub fn states(&self) -> impl Iterator<Item = &S> {
        self.slots.iter().flatten().filter_map(|flow| match &flow.state {
            State::Active(active) => Some(&active.1),
            State::Ignored | State::Over(_) => None,
        })
    }

    /// The flows that are read, with the handler's states of them.
    pub fn active(&mut self) -> impl Iterator<Item = (&FlowInfo, &mut S)> {
        self.slots.iter_mut().flatten().filter_map(|flow| match &mut flow.state {
            State::Active(active) => Some((&flow.info, &mut active.1)),
            State::Ignored | State::Over(_) => None,
        })
    }

    /// Whether the segment belongs to a flow that is in the table.
    pub fn knows(&self, segment: &Segment<'_>) -> bool {
        self.find(segment.hash, &segment.flow).is_some()
    }

    /// Takes in one segment; `handler` gets what it completes.
    pub fn segment<H: Handler<State = S>>(&mut self, segment: &Segment<'_>, handler: &mut H) {
        let opens = segment.flags.has(TcpFlags::SYN) && !segment.flags.has(TcpFlags::RST);
        let found = self.find(segment.hash, &segment.flow);
        let slot = match found {
            Some(slot) if self.is_replaced_by(slot, segment, opens) => {
                self.close(slot, segment.time, handler);
                self.remove(slot);
                self.open(segment, handler)
            }
            Some(slot) => slot,
            // Acknowledgements, resets and ends alone carry nothing to read.
            None if !opens && segment.payload.is_empty() && segment.cut == 0 => return,
            None => self.open(segment, handler),
        };
        self.touch(slot, segment.time);
        let FlowTable { slots, limits, held, recent, counters, .. } = self;
        let Some(flow) = slots[slot as usize].as_mut() else { return };
        if opens && flow.info.opened_by.is_none() {
            let is_reply = segment.flags.has(TcpFlags::ACK);
            flow.info.opened_by = Some(if is_reply { segment.direction.other() } else { segment.direction });
        }
        let State::Active(active) = &mut flow.state else { return };
        let (conversation, state) = &mut **active;
        let mut interest = None;
        let info = &flow.info;
        let mut context = Context {
            limits: &limits.stream,
            counters: &mut counters.stream,
            partition_held: held,
            recent,
            overlaps: &limits.overlaps,
            flow: &info.key,
            deliver: |direction: Direction, event: Event<'_>| {
                if interest != Some(Interest::None) {
                    interest = Some(handler.event(info, state, direction, event));
                }
            },
        };
        conversation.segment(segment, &mut context);
        let over = (conversation.is_over(), conversation.has_ended());
        self.judge(slot, interest, over, segment.time, handler);
    }

    /// Time passed: grace periods end, idle flows are closed.
    pub fn expire<H: Handler<State = S>>(&mut self, now: Timestamp, handler: &mut H) {
        if self.held > 0 {
            for slot in 0..self.slots.len() as u32 {
                self.expire_held(slot, now, handler);
            }
        }
        let FlowLimits { undecided_idle, ours_idle, over_idle, .. } = self.limits;
        let idle = [undecided_idle, ours_idle, over_idle, undecided_idle]; // in the order of `Class`
        for (list, idle) in idle.into_iter().enumerate() {
            while let Some(flow) = self.slot(self.lists[list].oldest) {
                if now.since(flow.last_seen) <= idle {
                    break;
                }
                let slot = self.lists[list].oldest;
                if list != Class::Over as usize {
                    self.counters.flows_timed_out += 1;
                }
                self.close(slot, now, handler);
                self.remove(slot);
            }
        }
    }

    /// The clock was set back: who says nothing from now on is idle, whatever time he was seen last.
    pub fn rewind(&mut self) {
        for flow in self.slots.iter_mut().flatten() {
            (flow.last_seen, flow.moved) = (Timestamp::MIN, Timestamp::MIN);
        }
    }

    /// The capture is over: every flow is closed, oldest first.
    pub fn finish<H: Handler<State = S>>(&mut self, now: Timestamp, handler: &mut H) {
        for list in 0..self.lists.len() {
            while self.lists[list].oldest != NONE {
                let slot = self.lists[list].oldest;
                self.close(slot, now, handler);
                self.remove(slot);
            }
        }
    }

    fn slot(&self, slot: u32) -> Option<&Flow<S>> {
        self.slots.get(slot as usize)?.as_ref()
    }

    fn find(&self, hash: u64, key: &FlowKey) -> Option<u32> {
        let slots = &self.slots;
        self.index.find(hash, |slot| slots[*slot as usize].as_ref().is_some_and(|flow| flow.info.key == *key)).copied()
    }

    fn is_replaced_by(&mut self, slot: u32, segment: &Segment<'_>, opens: bool) -> bool {
        let Some(flow) = self.slots.get_mut(slot as usize).and_then(Option::as_mut) else { return false };
        let is_answer = segment.flags.has(TcpFlags::ACK);
        let is_late = segment.time.since(flow.last_seen) >= COPIES_WITHIN;
        match &mut flow.state {
            State::Active(active) if opens => active.0.is_reopened_by(segment, is_late && flow.class != Class::Silent),
            State::Active(active) => active.0.goes_on_behind_its_end(segment),
            State::Ignored => opens && !is_answer,
            // Another copy of what is over opens nothing; where an answer was seen before, another one does.
            State::Over(initial) => {
                let known = initial[segment.direction as usize];
                let is_copy = known == Some(segment.sequence) && !is_late;
                opens && !is_copy && (known.is_some() || !is_answer)
            }
        }
    }

    fn open<H: Handler<State = S>>(&mut self, segment: &Segment<'_>, handler: &mut H) -> u32 {
        if self.index.len() >= self.limits.flows {
            self.evict(segment.time, handler);
        }
        let id = mix(segment.hash ^ segment.time.0 as u64) >> 11;
        let info = FlowInfo { key: segment.flow, id: id.max(1), first_seen: segment.time, opened_by: None };
        let state = State::Active(Box::new((Conversation::new(), handler.open(&info))));
        let flow = Flow {
            info,
            hash: segment.hash,
            last_seen: segment.time,
            moved: segment.time,
            class: Class::Silent,
            was_ours: false,
            state,
            older: NONE,
            newer: NONE,
        };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = Some(flow);
                slot
            }
            None => {
                self.slots.push(Some(flow));
                (self.slots.len() - 1) as u32
            }
        };
        let slots = &self.slots;
        self.index.insert_unique(segment.hash, slot, |slot| slots[*slot as usize].as_ref().map_or(0, |flow| flow.hash));
        self.link(slot);
        self.counters.flows += 1;
        slot
    }

    fn evict<H: Handler<State = S>>(&mut self, now: Timestamp, handler: &mut H) {
        let Some(class) = EVICTION_ORDER.into_iter().find(|class| self.lists[*class as usize].oldest != NONE) else {
            return;
        };
        let slot = self.lists[class as usize].oldest;
        match class {
            Class::Over => {}
            Class::Silent | Class::Undecided => self.counters.flows_evicted += 1,
            Class::Ours => self.counters.flows_evicted_of_ours += 1,
        }
        self.close(slot, now, handler);
        self.remove(slot);
    }

    /// Acts on what the handler made of the events of one call.
    fn judge<H: Handler<State = S>>(
        &mut self,
        slot: u32,
        interest: Option<Interest>,
        (is_over, has_ended): (bool, bool),
        now: Timestamp,
        handler: &mut H,
    ) {
        let class = self.slot(slot).map(|flow| flow.class);
        if interest == Some(Interest::None) {
            self.close(slot, now, handler);
            if let Some(flow) = self.slots[slot as usize].as_mut() {
                flow.state = State::Ignored;
            }
            self.reclass(slot, Class::Undecided);
        } else if is_over {
            if has_ended {
                self.close(slot, now, handler);
            }
            self.reclass(slot, Class::Over);
        } else if interest == Some(Interest::Ours) && class != Some(Class::Ours) {
            let flow = self.slots[slot as usize].as_mut();
            let is_new = flow.is_some_and(|flow| !std::mem::replace(&mut flow.was_ours, true));
            self.counters.flows_of_ours += u64::from(is_new);
            self.reclass(slot, Class::Ours);
        } else if interest.is_some() && matches!(class, Some(Class::Silent | Class::Over)) {
            self.reclass(slot, Class::Undecided);
        }
    }

    /// Ends a flow's conversation and gives its state back to the handler; the slot stays.
    fn close<H: Handler<State = S>>(&mut self, slot: u32, now: Timestamp, handler: &mut H) {
        let FlowTable { slots, limits, held, recent, counters, .. } = self;
        let Some(flow) = slots[slot as usize].as_mut() else { return };
        let State::Active(mut active) = std::mem::replace(&mut flow.state, State::Over([None; 2])) else { return };
        let (conversation, state) = &mut *active;
        flow.state = State::Over(conversation.initial());
        let mut wanted = true;
        let info = &flow.info;
        let mut context = Context {
            limits: &limits.stream,
            counters: &mut counters.stream,
            partition_held: &mut *held,
            recent,
            overlaps: &limits.overlaps,
            flow: &info.key,
            deliver: |direction: Direction, event: Event<'_>| {
                wanted = wanted && handler.event(info, state, direction, event) != Interest::None;
            },
        };
        conversation.finish(flow.last_seen.min(now), &mut context);
        *held -= conversation.held_cost();
        let (_, state) = *active;
        handler.close(&flow.info, state, now);
    }

    fn expire_held<H: Handler<State = S>>(&mut self, slot: u32, now: Timestamp, handler: &mut H) {
        let FlowTable { slots, limits, held, recent, counters, .. } = self;
        let Some(flow) = slots[slot as usize].as_mut() else { return };
        let State::Active(active) = &mut flow.state else { return };
        let (conversation, state) = &mut **active;
        if conversation.held_cost() == 0 {
            return;
        }
        let mut interest = None;
        let info = &flow.info;
        let mut context = Context {
            limits: &limits.stream,
            counters: &mut counters.stream,
            partition_held: held,
            recent,
            overlaps: &limits.overlaps,
            flow: &info.key,
            deliver: |direction: Direction, event: Event<'_>| {
                if interest != Some(Interest::None) {
                    interest = Some(handler.event(info, state, direction, event));
                }
            },
        };
        conversation.expire(now, &mut context);
        let over = (conversation.is_over(), conversation.has_ended());
        self.judge(slot, interest, over, now, handler);
    }

    fn touch(&mut self, slot: u32, time: Timestamp) {
        let Some(flow) = self.slots[slot as usize].as_mut() else { return };
        flow.last_seen = flow.last_seen.max(time);
        if flow.last_seen.since(flow.moved) >= LIST_RESOLUTION {
            flow.moved = flow.last_seen;
            self.unlink(slot);
            self.link(slot);
        }
    }

    fn reclass(&mut self, slot: u32, class: Class) {
        self.unlink(slot);
        if let Some(flow) = self.slots[slot as usize].as_mut() {
            flow.class = class;
        }
        self.link(slot);
    }

    fn remove(&mut self, slot: u32) {
        self.unlink(slot);
        if let Some(flow) = self.slots[slot as usize].take() {
            if let Ok(entry) = self.index.find_entry(flow.hash, |held| *held == slot) {
                entry.remove();
            }
            self.free.push(slot);
        }
    }

    /// Puts a slot at the newest end of its class's list.
    fn link(&mut self, slot: u32) {
        let Some(class) = self.slot(slot).map(|flow| flow.class as usize) else { return };
        let previous = self.lists[class].newest;
        if let Some(flow) = self.slots[slot as usize].as_mut() {
            flow.older = previous;
            flow.newer = NONE;
        }
        match self.slots.get_mut(previous as usize).and_then(Option::as_mut) {
            Some(flow) => flow.newer = slot,
            None => self.lists[class].oldest = slot,
        }
        self.lists[class].newest = slot;
    }

    fn unlink(&mut self, slot: u32) {
        let Some((class, older, newer)) = self.slot(slot).map(|flow| (flow.class as usize, flow.older, flow.newer))
        else {
            return;
        };
        match self.slots.get_mut(older as usize).and_then(Option::as_mut) {
            Some(flow) => flow.newer = newer,
            None => self.lists[class].oldest = newer,
        }
        match self.slots.get_mut(newer as usize).and_then(Option::as_mut) {
            Some(flow) => flow.older = older,
            None => self.lists[class].newest = older,
        }
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
