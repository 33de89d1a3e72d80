//! Whose the objects of an endpoint are, where each is its owner's alone.
//!
//! In go the contacts of a window: principals that were served an object. Who comes first to an object is its owner; who comes to
//! one of another's is a visitor. Of objects a sample is kept, those with the smallest hashes. An owner that comes back shows that an
//! object is his: of things that everybody may see, the next to come is mostly somebody else. Once more than [`MOST_VISITORS`] came,
//! the objects are everybody's for good, and nothing is kept. A visitor is no news once he has been one for an hour, or was one while the sensor learned.

use super::circle::{LEAST_AWAY, PROBATION_WINDOWS, VISIT_WINDOWS};
use crate::window::{Contacts, Merge, Moment};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Objects of an endpoint that are kept.
const MOST_OBJECTS: usize = 128;
/// Principals that were served objects of others, beyond which objects have no owners.
const MOST_VISITORS: usize = 8;
/// Objects of others that are remembered of a visitor.
const MOST_VISITED: usize = 32;
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Owners {
    /// Ascending by object.
    objects: Vec<Owned>,
    visitors: Vec<Visitor>,
    /// Visits of owners to what was theirs already.
    returns: u64,
    is_open: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Owned {
    object: u64,
    owner: u64,
    /// The window in which the owner's last visit began, unless it was in another capture.
    visited: Option<i64>,
    /// The owner came back.
    is_proven: bool,
}

/// Somebody who was served what belongs to others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Visitor {
    pub principal: u64,
    since_window: i64,
    /// As above.
    last_window: Option<i64>,
    /// Objects that were proven to be another's, each with its owner.
    visited: BTreeSet<(u64, u64)>,
    pub moment: Moment,
    is_known: bool,
}

impl Visitor {
    pub fn objects(&self) -> u64 {
        self.visited.len() as u64
    }

    pub fn owners(&self) -> u64 {
        self.visited.iter().map(|(_, owner)| owner).collect::<BTreeSet<_>>().len() as u64
    }
}

impl Owners {
    /// Takes in whom a window served what.
    pub fn absorb(&mut self, index: i64, contacts: &Contacts, moment: Moment, is_learning: bool) {
        if self.is_open {
            return;
        }
        for visitor in &mut self.visitors {
            visitor.is_known |= index.saturating_sub(visitor.since_window) >= PROBATION_WINDOWS;
        }
        let is_here = |last: &mut Option<i64>| index.saturating_sub(*last.get_or_insert(index)) <= LEAST_AWAY;
        self.visitors.retain_mut(|visitor| is_here(&mut visitor.last_window));
        for (_, (object, principal)) in contacts.iter() {
            match self.objects.binary_search_by_key(object, |owned| owned.object) {
                Ok(at) if self.objects[at].owner == *principal => self.come_back(at, index), // an index within
                Ok(at) => {
                    let owned = self.objects[at]; // as above
                    self.visit(owned, (*principal, index), moment, is_learning);
                }
                Err(at) => {
                    self.own(at, Owned { object: *object, owner: *principal, visited: Some(index), is_proven: false })
                }
            }
        }
        self.open_if_many();
    }

    fn come_back(&mut self, at: usize, index: i64) {
        let owned = &mut self.objects[at]; // the caller found it
        if owned.visited.is_none_or(|last| index.saturating_sub(last) >= VISIT_WINDOWS) {
            self.returns += 1;
            (owned.visited, owned.is_proven) = (Some(index), true);
        }
    }

    fn own(&mut self, at: usize, owned: Owned) {
        if self.objects.len() < MOST_OBJECTS {
            return self.objects.insert(at, owned);
        }
        let before = self.objects.len();
        let now = owned.visited.unwrap_or_default();
        self.objects.retain_mut(|kept| now.saturating_sub(*kept.visited.get_or_insert(now)) <= LEAST_AWAY);
        let has_room = self.objects.len() < before || at < before;
        if has_room {
            let place = self.objects.partition_point(|kept| kept.object < owned.object);
            self.objects.insert(place, owned);
            self.objects.truncate(MOST_OBJECTS);
        }
    }

    fn visit(&mut self, owned: Owned, (principal, index): (u64, i64), moment: Moment, is_learning: bool) {
        let known = self.visitors.iter().position(|visitor| visitor.principal == principal);
        let at = known.unwrap_or_else(|| {
            self.visitors.push(Visitor {
                principal,
                since_window: index,
                last_window: Some(index),
                visited: BTreeSet::new(),
                moment: Moment::default(),
                is_known: is_learning,
            });
            self.visitors.len() - 1
        });
        let visitor = &mut self.visitors[at]; // it was found, or is the last
        visitor.last_window = Some(index);
        visitor.moment.merge(moment);
        if owned.is_proven && visitor.visited.len() < MOST_VISITED {
            visitor.visited.insert((owned.object, owned.owner));
        }
    }

    fn open_if_many(&mut self) {
        if self.is_open || self.visitors.len() > MOST_VISITORS {
            *self = Owners { is_open: true, ..Owners::default() };
        }
    }

    /// Takes in what is known of an endpoint that turned out to be the same.
    pub fn join(&mut self, other: Owners) {
        self.is_open |= other.is_open;
        self.returns += other.returns;
        for owned in other.objects {
            if let Err(at) = self.objects.binary_search_by_key(&owned.object, |kept| kept.object) {
                self.own(at, owned);
            }
        }
        for visitor in other.visitors {
            if self.visitors.iter().all(|mine| mine.principal != visitor.principal) {
                self.visitors.push(visitor);
            }
        }
        self.open_if_many();
    }

    /// Windows are counted anew, from the next on: who visited did so long ago.
    pub fn forget_recent(&mut self) {
        self.objects.iter_mut().for_each(|owned| owned.visited = None);
        self.visitors.iter_mut().for_each(|visitor| (visitor.is_known, visitor.last_window) = (true, None));
    }

    /// Visits of owners to what was theirs already.
    pub fn returns(&self) -> u64 {
        self.returns
    }

    /// Owners that came back.
    pub fn owners(&self) -> u64 {
        let proven = self.objects.iter().filter(|owned| owned.is_proven);
        proven.map(|owned| owned.owner).collect::<BTreeSet<_>>().len() as u64
    }

    /// Visitors of a window that are news.
    pub fn visitors_in(&self, index: i64) -> impl Iterator<Item = &Visitor> {
        self.visitors.iter().filter(move |visitor| visitor.last_window == Some(index) && !visitor.is_known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contacts(pairs: impl IntoIterator<Item = (u64, u64)>) -> Contacts {
        let mut contacts = Contacts::default();
        pairs.into_iter().for_each(|pair| contacts.insert(crate::window::contact_key(pair), pair));
        contacts
    }

    /// Hashes of objects and principals.
    fn object(nth: u64) -> u64 {
        crate::hash::mix(nth)
    }

    fn person(nth: u64) -> u64 {
        crate::hash::mix(1_000_000 + nth)
    }

    /// Twelve people who look at four objects of their own each, again and again, for half an hour.
    fn learned() -> Owners {
        let mut owners = Owners::default();
        for at in 0..180 {
            let own = (0..12).map(|nth| (object(4 * nth + at as u64 % 4), person(nth)));
            owners.absorb(at, &contacts(own), Moment::default(), true);
        }
        owners
    }

    fn visit(owners: &mut Owners, at: i64, who: u64, objects: impl IntoIterator<Item = u64>) -> Option<(u64, u64)> {
        let pairs = objects.into_iter().map(|nth| (object(nth), person(who)));
        owners.absorb(at, &contacts(pairs), Moment::default(), false);
        owners.visitors_in(at).next().map(|visitor| (visitor.objects(), visitor.owners()))
    }

    #[test]
    fn owners_come_back_and_who_comes_to_others_objects_is_a_visitor() {
        let mut owners = learned();
        assert_eq!(owners.owners(), 12);
        assert!(owners.returns() > 200, "{}", owners.returns());
        assert_eq!(visit(&mut owners, 200, 3, 12..16), None, "what is his own");
        assert_eq!(visit(&mut owners, 201, 3, [0, 4, 5, 8]), Some((4, 3)));
        assert_eq!(visit(&mut owners, 202, 3, [20]), Some((5, 4)));
        assert_eq!(visit(&mut owners, 201 + PROBATION_WINDOWS, 3, [24]), None, "he is known");
    }

    #[test]
    fn a_reload_is_no_return() {
        let mut owners = Owners::default();
        (0..6).for_each(|at| owners.absorb(at, &contacts([(object(1), person(1))]), Moment::default(), true));
        assert_eq!((owners.returns(), owners.owners()), (0, 0));
        assert_eq!(visit(&mut owners, 6, 2, [1]), Some((0, 0)), "nobody knows yet whose it is");
    }

    #[test]
    fn what_many_come_to_has_no_owners() {
        let mut owners = learned();
        for nth in 0..9 {
            visit(&mut owners, 300 + nth, 100 + nth as u64, [1]);
        }
        assert_eq!(owners, Owners { is_open: true, ..Owners::default() });
    }

    #[test]
    fn a_sample_is_kept_of_many_and_what_nobody_asks_for_makes_room() {
        let mut owners = Owners::default();
        for at in 0..100 {
            let pairs = (0..20).map(|nth| (object(20 * at + nth), person(nth)));
            owners.absorb(at as i64, &contacts(pairs), Moment::default(), true);
        }
        assert_eq!(owners.objects.len(), MOST_OBJECTS);
        assert!(owners.objects.is_sorted_by_key(|owned| owned.object));
        let highest = owners.objects.last().unwrap().object;
        let late = LEAST_AWAY + 200;
        owners.absorb(late, &contacts([(highest + 1, person(1))]), Moment::default(), true);
        assert_eq!(owners.objects.len(), 1);
    }

    #[test]
    fn who_visited_in_another_capture_is_known_and_owners_still_own() {
        let mut owners = learned();
        visit(&mut owners, 200, 3, [0, 4, 8]);
        owners.forget_recent();
        assert_eq!(visit(&mut owners, 7, 3, [16]), None);
        assert_eq!(visit(&mut owners, 8, 5, [0, 4, 8]), Some((3, 3)));
        assert_eq!(owners.owners(), 12);
    }

    #[test]
    fn what_is_known_of_two_is_put_together() {
        let (mut one, mut other) = (Owners::default(), Owners::default());
        for at in [0, 10] {
            one.absorb(at, &contacts([(object(1), person(1))]), Moment::default(), true);
            other.absorb(at, &contacts([(object(2), person(2))]), Moment::default(), true);
        }
        one.join(other);
        assert_eq!((one.owners(), one.returns()), (2, 2));
    }
}
