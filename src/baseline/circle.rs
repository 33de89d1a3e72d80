//! Who is served by an endpoint, while that is few: a circle.
//!
//! In go the principals that it served in a window, and which of the new ones are outsiders: they have been about for long, and belong
//! to no other circle of the host. Others are members at once; an outsider is one after an hour, in which detectors may speak of
//! him. Members are remembered for longer, the longer they have come: of sessions, which are new each day, only those of some days count.
//! Once more than [`MOST_MEMBERS`] came, or too many at once, the circle is open for good, and keeps nothing.

use super::novelty::good_turing_novelty;
use super::store::Store;
use super::tiers::DAY_WINDOWS;
use crate::time::Timestamp;
use crate::window::{EndpointWindow, EvidenceSample, MOST_SERVED, Moment, Served, Service};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::time::Duration;

/// Members of a circle.
const MOST_MEMBERS: usize = crate::rule::MOST_CIRCLE_MEMBERS as usize;
/// Outsiders that are remembered with what they did; where more come within an hour, the first are members.
const MOST_OUTSIDERS: usize = 8;
/// Windows after which an outsider is a member, and a visitor of others' objects known: an hour.
pub(super) const PROBATION_WINDOWS: i64 = 360;
/// Windows within which a member's requests are one visit, a minute: a page that polls says no more with each poll.
pub(super) const VISIT_WINDOWS: i64 = 6;
/// Windows after which a member who does not come is forgotten: twice the time from the first visit to the last, within bounds
/// of eight and thirty days.
pub(super) const LEAST_AWAY: i64 = 8 * DAY_WINDOWS;
const MOST_AWAY: i64 = 30 * DAY_WINDOWS;
/// A circle is settled once the chance that the next to come is a new one is this at most.
const MOST_NOVELTY: f64 = 0.2;

/// Who has been about for this part of the time that was watched, within bounds, is no session that has just begun.
const AGE_SHARE: u32 = 4;
const LEAST_AGE: Duration = Duration::from_secs(60);
const MOST_AGE: Duration = Duration::from_secs(3600);
/// Who rested for longer is not about: he may have been a member that is forgotten.
const LATELY: Duration = Duration::from_secs(8 * 86_400);
/// Whoever is a member of a circle belongs there, where so many times as many are none.
const FEW_OF: u64 = 4;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Circle {
    /// Ascending by principal.
    members: Vec<Member>,
    /// In the order in which they came.
    outsiders: Vec<Outsider>,
    is_open: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Member {
    principal: u64,
    visits: u64,
    /// The windows in which the first and the last visit began, unless they were in another capture.
    visited: Option<(i64, i64)>,
    /// He was told of when he came: he is here, and does not belong.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_outsider: bool,
}

/// Somebody who was about, and never here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outsider {
    pub principal: u64,
    since_window: i64,
    last_window: i64,
    /// In which it was served.
    pub windows: u64,
    pub moment: Moment,
    pub evidence: EvidenceSample<3>,
    was_told: bool,
}

impl Member {
    fn new(principal: u64, index: i64) -> Member {
        Member { principal, visits: 1, visited: Some((index, index)), is_outsider: false }
    }

    fn visit(&mut self, index: i64) {
        let (first, last) = self.visited.unwrap_or((index, i64::MIN));
        if index.saturating_sub(last) >= VISIT_WINDOWS {
            (self.visits, self.visited) = (self.visits + 1, Some((first, index)));
        }
    }

    /// Whether he stayed away for too long to be remembered.
    fn is_forgotten(&mut self, index: i64) -> bool {
        let (first, last) = *self.visited.get_or_insert((index, index));
        let remembered = last.saturating_sub(first).saturating_mul(2).clamp(LEAST_AWAY, MOST_AWAY);
        index.saturating_sub(last) > remembered
    }
}

impl Circle {
    /// Takes in whom a window served.
    pub fn absorb(&mut self, index: i64, served: &Served, outsiders: &[u64]) {
        if self.is_open || served.len() >= MOST_SERVED {
            return self.open();
        }
        self.end_probations(index);
        for (principal, service) in served.iter() {
            if outsiders.contains(&principal) || self.was_told_of(principal) {
                self.see_outsider(index, principal, service);
            } else {
                self.outsiders.retain(|outsider| outsider.principal != principal); // meanwhile it is known that he belongs
                self.see_member(index, principal);
            }
        }
        self.members.retain_mut(|member| !member.is_forgotten(index));
        self.open_if_many();
    }

    fn see_member(&mut self, index: i64, principal: u64) {
        match self.place_of(principal) {
            Ok(at) => self.members[at].visit(index), // place_of gives an index within
            Err(at) => self.members.insert(at, Member::new(principal, index)),
        }
    }

    fn see_outsider(&mut self, index: i64, principal: u64, service: &Service) {
        let known = self.outsiders.iter().position(|outsider| outsider.principal == principal);
        let at = known.unwrap_or_else(|| {
            self.outsiders.push(Outsider {
                principal,
                since_window: index,
                last_window: index,
                windows: 0,
                moment: Moment::default(),
                evidence: EvidenceSample::default(),
                was_told: false,
            });
            self.outsiders.len() - 1
        });
        let outsider = &mut self.outsiders[at]; // it was found, or is the last
        (outsider.last_window, outsider.windows) = (index, outsider.windows + 1);
        outsider.moment.record(service.key.0);
        outsider.evidence.insert(service.key, service.evidence.clone());
    }

    fn place_of(&self, principal: u64) -> Result<usize, usize> {
        self.members.binary_search_by_key(&principal, |member| member.principal)
    }

    /// Makes members of those whose time is over, and of the first where there are too many.
    fn end_probations(&mut self, index: i64) {
        while let Some(first) = self.outsiders.first()
            && (self.outsiders.len() > MOST_OUTSIDERS || index.saturating_sub(first.since_window) >= PROBATION_WINDOWS)
        {
            let Outsider { principal, last_window, was_told, .. } = self.outsiders.remove(0);
            if let Err(at) = self.place_of(principal) {
                let member = Member { is_outsider: was_told, ..Member::new(principal, last_window) };
                self.members.insert(at, member);
            }
        }
    }

    /// An outsider was told of.
    pub fn tell(&mut self, principal: u64) {
        let outsider = self.outsiders.iter_mut().find(|outsider| outsider.principal == principal);
        outsider.into_iter().for_each(|outsider| outsider.was_told = true);
    }

    /// Takes in the circle of an endpoint that turned out to be the same.
    pub fn join(&mut self, other: Circle) {
        self.is_open |= other.is_open;
        for member in other.members {
            match self.place_of(member.principal) {
                Ok(at) => {
                    let mine = &mut self.members[at]; // as above
                    mine.visits += member.visits;
                    let spans = [mine.visited, member.visited].into_iter().flatten();
                    mine.visited = spans.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)));
                }
                Err(at) => self.members.insert(at, member),
            }
        }
        self.open_if_many();
    }

    fn open_if_many(&mut self) {
        if self.is_open || self.members.len() + self.outsiders.len() > MOST_MEMBERS {
            self.open();
        }
    }

    fn open(&mut self) {
        *self = Circle { is_open: true, ..Circle::default() };
    }

    /// Whether there were too many for a circle.
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// Windows are counted anew, from the next on: members were here then.
    pub fn forget_recent(&mut self) {
        self.outsiders.clear();
        self.members.iter_mut().for_each(|member| member.visited = None);
    }

    /// Lets go of what is shown of an address; true where there was any.
    pub fn forget(&mut self, address: IpAddr) -> bool {
        let shown = self.outsiders.iter_mut().map(|outsider| &mut outsider.evidence);
        shown.fold(false, |any, evidence| evidence.retain(|evidence| !evidence.holds(address)) | any)
    }

    pub fn members(&self) -> u64 {
        self.members.len() as u64
    }

    pub fn visits(&self) -> u64 {
        self.members.iter().map(|member| member.visits).sum()
    }

    /// The chance that the next to come is a new one, by how many came once.
    pub fn novelty(&self) -> f64 {
        let once = self.members.iter().filter(|member| member.visits == 1).count();
        good_turing_novelty(once as u64, self.visits())
    }

    /// Whether its members come again and again, and hardly anybody else.
    fn is_settled(&self) -> bool {
        !self.is_open && self.novelty() <= MOST_NOVELTY
    }

    /// Outsiders that a window served.
    pub fn outsiders_in(&self, index: i64) -> impl Iterator<Item = &Outsider> {
        self.outsiders.iter().filter(move |outsider| outsider.last_window == index)
    }

    fn was_told_of(&self, principal: u64) -> bool {
        self.outsiders.iter().any(|outsider| outsider.was_told && outsider.principal == principal)
    }

    /// Whether nothing is left to decide about somebody.
    fn has_judged(&self, principal: u64) -> bool {
        self.place_of(principal).is_ok() || self.was_told_of(principal)
    }

    /// Whether somebody belongs here.
    fn has_member(&self, principal: u64) -> bool {
        self.place_of(principal).is_ok_and(|at| !self.members[at].is_outsider)
    }
}

impl Store {
    /// Those that an endpoint serves though they are no members, have been about for long, and belong to no other circle of the host.
    /// Who is new may be an administrator with another session.
    pub(super) fn outsiders_at(&self, key: u64, endpoint: &EndpointWindow) -> Vec<u64> {
        let new: Vec<(u64, Timestamp)> = {
            let Some(state) = self.endpoints.get(&key) else { return Vec::new() };
            let Some(circle) = state.circle.as_deref().filter(|circle| circle.is_settled()) else { return Vec::new() };
            let served = endpoint.served.iter().filter(|(principal, _)| !circle.has_judged(*principal));
            served.map(|(principal, service)| (principal, service.key.0)).collect()
        };
        let is_old = |(principal, now): &(u64, Timestamp)| {
            let watched = self.watched().between(Timestamp::MIN, *now);
            // Principals take in this window after endpoints: their last time is that of earlier ones.
            self.principals.get(principal).is_some_and(|state| {
                now.since(state.moment.first) >= (watched / AGE_SHARE).clamp(LEAST_AGE, MOST_AGE)
                    && now.since(state.moment.last) <= LATELY
            })
        };
        let old: Vec<u64> = new.into_iter().filter(is_old).map(|(principal, _)| principal).collect();
        if old.is_empty() {
            return old;
        }
        let of_host = self.endpoints.iter().filter(|state| *state.key() != key && state.host == endpoint.host);
        let circles: Vec<Vec<u64>> = of_host
            .filter_map(|state| {
                let circle = state.circle.as_deref().filter(|circle| circle.is_settled() && self.are_few(circle))?;
                Some(old.iter().copied().filter(|principal| circle.has_member(*principal)).collect())
            })
            .collect();
        old.into_iter().filter(|principal| !circles.iter().any(|members| members.contains(principal))).collect()
    }

    /// Whether the members of a circle are few of all.
    fn are_few(&self, circle: &Circle) -> bool {
        circle.members() * FEW_OF <= self.principals.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::{Evidence, start_of};
    use std::sync::Arc;

    fn served(principals: impl IntoIterator<Item = u64>, at: i64) -> Served {
        let mut served = Served::new();
        for principal in principals {
            let time = start_of(at);
            let evidence = Arc::new(Evidence {
                time,
                flow_id: principal,
                source: (IpAddr::from([10, 0, 0, 7]), 40_000),
                destination: (IpAddr::from([10, 0, 0, 1]), 80),
                method: "GET".to_owned(),
                host: "api.example".to_owned(),
                url: "/admin/users".to_owned(),
                status: Some(200),
                length: Some(2),
                user_agent: None,
                protocol: "HTTP/1.1".into(),
            });
            served.insert(principal, Service { key: (time, principal, 0), evidence });
        }
        served
    }

    /// Two who ask each ten seconds, for twenty minutes.
    fn learned() -> Circle {
        let mut circle = Circle::default();
        (0..120).for_each(|at| circle.absorb(at, &served([1, 2], at), &[]));
        circle
    }

    #[test]
    fn who_polls_visits_once_a_minute() {
        let circle = learned();
        assert_eq!((circle.members(), circle.visits(), circle.novelty()), (2, 40, 1.0 / 41.0));
    }

    #[test]
    fn an_outsider_is_one_for_an_hour() {
        let mut circle = learned();
        circle.absorb(120, &served([1, 7, 8], 120), &[7]);
        let new =
            |circle: &Circle, at| circle.outsiders_in(at).map(|one| (one.principal, one.windows)).collect::<Vec<_>>();
        assert_eq!((new(&circle, 120), new(&circle, 121), circle.members()), (vec![(7, 1)], vec![], 3));
        circle.absorb(479, &served([7], 479), &[7]);
        assert_eq!(new(&circle, 479), [(7, 2)]);
        circle.absorb(480, &served([7], 480), &[]);
        assert_eq!((new(&circle, 480), circle.has_judged(7)), (vec![], true));
    }

    #[test]
    fn an_outsider_who_turns_out_to_belong_is_a_member() {
        let mut circle = learned();
        circle.absorb(120, &served([7], 120), &[7]);
        circle.absorb(130, &served([7], 130), &[]);
        assert!(circle.has_member(7) && circle.outsiders_in(130).next().is_none());
    }

    #[test]
    fn who_was_told_of_never_belongs() {
        let mut circle = learned();
        circle.absorb(120, &served([7], 120), &[7]);
        assert!(circle.has_member(1) && !circle.has_member(7) && !circle.has_judged(7));
        circle.tell(7);
        circle.absorb(500, &served([1], 500), &[]);
        assert!(circle.members() == 3 && !circle.has_member(7) && circle.has_judged(7));
    }

    #[test]
    fn who_stays_away_for_a_month_is_forgotten() {
        let mut circle = learned();
        circle.absorb(20 * 8640, &served([1], 20 * 8640), &[]);
        circle.absorb(31 * 8640, &served([1], 31 * 8640), &[]);
        assert_eq!((circle.has_judged(1), circle.has_judged(2)), (true, false));
    }

    #[test]
    fn a_circle_of_many_is_open_for_good() {
        let mut circle = learned();
        (0..70).for_each(|at| circle.absorb(120 + at, &served([100 + at as u64], at), &[]));
        circle.absorb(190, &served([1], 190), &[]);
        assert!(circle.is_open() && circle.members() == 0);
        let mut at_once = learned();
        at_once.absorb(120, &served(0..16, 120), &[]);
        assert!(at_once.is_open());
    }

    #[test]
    fn circles_of_endpoints_that_are_one_join() {
        let mut circle = learned();
        let mut other = Circle::default();
        [0, 6, 12].into_iter().for_each(|at| other.absorb(at, &served([2, 3], at), &[]));
        circle.join(other);
        assert_eq!((circle.members(), circle.visits()), (3, 46));
    }
}
