//! The judge: once per closed window, merges, lets the detectors look, tells, folds, and makes the next snapshot.

use super::Mark;
use super::lines::{Line, SHED};
use super::partition::{Counters, Harvest};
use crate::alert::record::{AlertRecord, IncidentState};
use crate::alert::{IncidentTally, Incidents};
use crate::api::{Settings, Snapshot};
use crate::baseline::{Cut, Forget, InventoryBuilder, Leave, Singles, Spoiled, Store, StoreLimits, Touched};
use crate::detect::{self, Finding, Odds, Scene};
use crate::hash::HashKey;
use crate::rule::Ruleset;
use crate::time::Timestamp;
use crate::window::{WINDOW, Window, start_of, window_of};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub struct JudgeOptions {
    pub rules: Arc<Ruleset>,
    pub settings: Arc<Settings>,
    pub store: Arc<Store>,
    pub limits: StoreLimits,
    /// Event time that only teaches, from the first frame on; `None` where a baseline is there already.
    pub learn: Option<Duration>,
    /// Judge without learning.
    pub is_frozen: bool,
}

/// What the judge has to tell after a mark.
pub struct Verdict {
    /// In order.
    pub alerts: Vec<AlertRecord>,
    /// Lines of the transactions that ended, in order among themselves.
    pub lines: Vec<Line>,
    /// No line that comes later is of a transaction that began before this.
    pub settled: Timestamp,
    /// The watermark.
    pub now: Timestamp,
}

pub struct Judge {
    options: JudgeOptions,
    inventory: InventoryBuilder,
    incidents: Incidents,
    memory: detect::Memory,
    odds: Odds,
    counters: Counters,
    learn_until: Option<Timestamp>,
    /// A baseline capture: learned from, not judged.
    is_baseline: bool,
    keys_evicted: u64,
    late_windows: u64,
    newest_window: Option<i64>,
    /// End of the newest window that was judged, in this run or before it.
    judged: Option<Timestamp>,
    bounded_at: i64,
    first: Option<Timestamp>,
    /// The newest watermark.
    now: Option<Timestamp>,
    /// Sums of earlier runs, by name.
    counters_before: BTreeMap<String, u64>,
}

/// What was forgotten on request.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Forgotten {
    /// Clients or endpoints.
    pub subjects: u64,
    /// What else held something of them: other keys, and incidents.
    pub others: u64,
}

impl fmt::Display for Forgotten {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.subjects, self.others) {
            (0, 0) => write!(out, "nothing of that name was known")?,
            (subjects, others) => write!(out, "forgotten: {subjects} by name, in {others} other places")?,
        }
        write!(
            out,
            "; older generations and what was put aside are deleted. Logs, excerpts and what waits for sinks stay as they are, \
             `privacy.retention` bounds them"
        )
    }
}

/// Forgets in a store and in the open incidents; the store notes what changed.
pub fn forget(what: &Forget, key: &HashKey, store: &Store, incidents: &mut Incidents) -> Forgotten {
    let (gone, scrubbed) = store.forget(what, key);
    let of_incidents = match what {
        Forget::Client(address) => incidents.forget_client(*address),
        Forget::Endpoint(_) => incidents.forget_endpoints(&gone),
    };
    Forgotten { subjects: gone.len() as u64, others: scrubbed + of_incidents }
}

/// How long bytes wait in a stream for others that are missing (`stream::StreamLimits`): a request can turn up so much
/// later than its frame.
const STREAM_HOLD: Duration = Duration::from_secs(60);
/// Windows between two bounding passes over the store: a minute.
const BOUND_WINDOWS: i64 = 6;

impl Judge {
    /// `learned` and `incidents` are what an earlier run left.
    pub fn new(key: HashKey, options: JudgeOptions, learned: Vec<(String, String)>, incidents: Incidents) -> Judge {
        let mut inventory = InventoryBuilder::new(key);
        inventory.restore(learned, &options.store);
        Judge {
            options,
            inventory,
            incidents,
            memory: detect::Memory::default(),
            odds: Odds::default(),
            counters: Counters::default(),
            learn_until: None,
            is_baseline: false,
            keys_evicted: 0,
            late_windows: 0,
            newest_window: None,
            judged: None,
            bounded_at: i64::MIN,
            first: None,
            now: None,
            counters_before: BTreeMap::new(),
        }
    }

    /// Goes on with the counters of earlier runs, a phase of learning that was not over, how far they judged, and what was
    /// rare then. Odds that cannot be read begin anew.
    pub fn resume(&mut self, singles: Singles) {
        self.odds = serde_json::from_slice(&singles.odds).unwrap_or_default();
        self.counters_before = singles.counters;
        self.learn_until = singles.learn_until;
        (self.now, self.judged) = (singles.newest, singles.judged.or(singles.newest));
    }

    /// What changed since the last cut; between two windows, so that none is mixed of two. The judge is held up for it.
    pub fn cut(&self, leave: Leave) -> Cut {
        let singles = Singles {
            learned: self.inventory.learned().clone(),
            incidents: self.incidents.to_json().unwrap_or_default(), // strings and numbers always become JSON
            odds: serde_json::to_vec(&self.odds).unwrap_or_default(), // as above
            newest: self.now,
            judged: self.judged,
            learn_until: self.learn_until,
            counters: self.counters_in_all(),
        };
        Cut::of(&self.options.store, &singles, leave)
    }

    /// Memory is short: lets go of a quarter of what there is many of, who is new and who was not seen for longest first.
    /// Returns how many keys that were.
    pub fn relieve(&mut self) -> u64 {
        let store = &self.options.store;
        let gone = store.bound(self.bounded_at, &store.tightened(&self.options.limits));
        self.keys_evicted += gone;
        gone
    }

    /// Counters of this run and those before.
    pub fn counters_in_all(&self) -> BTreeMap<String, u64> {
        let mut sums = self.counters_before.clone();
        let own = [("keys_evicted", self.keys_evicted), ("windows_late", self.late_windows)];
        for (name, count) in self.counters.named().into_iter().chain(own) {
            *sums.entry(name.to_string()).or_default() += count;
        }
        sums
    }

    /// Forgets a client or an endpoint. It is gone from the disk once a cut with [`Leave::Nothing`] is written.
    pub fn forget(&mut self, what: &Forget, key: &HashKey) -> Forgotten {
        let forgotten = forget(what, key, &self.options.store, &mut self.incidents);
        self.inventory.restore([], &self.options.store);
        self.memory = detect::Memory::default(); // it may name the client
        forgotten
    }

    /// What the next capture is for. Another capture has another time: what is recent is forgotten, what is normal stays.
    pub fn begin(&mut self, is_baseline: bool) {
        if std::mem::replace(&mut self.is_baseline, is_baseline) {
            self.options.store.forget_recent();
            self.odds.forget_recent();
        }
        self.newest_window = None;
        self.bounded_at = i64::MIN;
    }

    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::new(Snapshot { inventory: self.inventory.current(), settings: Arc::clone(&self.options.settings) })
    }

    pub fn store(&self) -> &Arc<Store> {
        &self.options.store
    }

    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Whether what is read is only learned from.
    pub fn is_baseline(&self) -> bool {
        self.is_baseline
    }

    pub fn keys_evicted(&self) -> u64 {
        self.keys_evicted
    }

    /// Windows that had been judged when more came for them.
    pub fn late_windows(&self) -> u64 {
        self.late_windows
    }

    pub fn tally(&self) -> IncidentTally {
        self.incidents.tally()
    }

    pub fn incidents(&self) -> &Incidents {
        &self.incidents
    }

    /// The same, for what an operator decides about them.
    pub fn incidents_mut(&mut self) -> &mut Incidents {
        &mut self.incidents
    }

    pub fn rules(&self) -> &Arc<Ruleset> {
        &self.options.rules
    }

    pub fn settings(&self) -> &Arc<Settings> {
        &self.options.settings
    }

    /// From the next window on, judge by these rules, and read with these settings.
    pub fn adopt(&mut self, rules: Arc<Ruleset>, settings: Arc<Settings>) {
        self.options.rules = rules;
        self.options.settings = settings;
    }

    /// Another capture follows, of an earlier or a much later time: forgets what is recent, keeps what is normal.
    pub fn forget_recent(&mut self) {
        self.options.store.forget_recent();
        self.odds.forget_recent();
        self.memory = detect::Memory::default();
        (self.newest_window, self.now) = (None, None);
        self.bounded_at = i64::MIN;
    }

    /// Tells what was found outside the traffic: what the sensor has to say of itself.
    pub fn tell(&mut self, now: Timestamp, findings: Vec<Finding>) -> Vec<AlertRecord> {
        let window = window_of(now).max(self.newest_window.unwrap_or(i64::MIN));
        self.incidents.update(window, findings, &self.options.store, &self.options.rules)
    }

    pub fn inventory(&self) -> &InventoryBuilder {
        &self.inventory
    }

    /// Until when the run only learned, where it did.
    pub fn learn_until(&self) -> Option<Timestamp> {
        self.learn_until
    }

    /// Judges what the partitions brought at a mark.
    pub fn judge(&mut self, mark: &Mark, harvest: Harvest) -> Verdict {
        let held_back = mark.now.saturating_sub(STREAM_HOLD);
        let settled = harvest.oldest_open.map_or(held_back, |oldest| oldest.min(held_back));
        let mut verdict = Verdict { alerts: Vec::new(), lines: harvest.lines, settled, now: mark.now };
        verdict.lines.sort_unstable_by_key(|line| line.key); // partitions hand in whenever they are ready
        self.counters.add(&harvest.counters);
        let is_shed = harvest.is_shed;
        let is_frozen = self.options.is_frozen || is_shed;
        self.now = self.now.max(Some(mark.now));
        for (index, window) in harvest.windows {
            // A window that was judged already stays so: what came too late for it counts in the newest.
            let index = index.max(self.newest_window.unwrap_or(index));
            self.window(index, window, is_frozen, &mut verdict.alerts);
        }
        if !self.is_baseline {
            // Silence closes incidents too.
            let passed = self.newest_window.is_some_and(|newest| mark.through > newest);
            if passed {
                verdict.alerts.extend(self.incidents.update(
                    mark.through,
                    Vec::new(),
                    &self.options.store,
                    &self.options.rules,
                ));
            }
        }
        if is_shed {
            mark_shed(&mut verdict.alerts);
        }
        if mark.is_rewind {
            self.forget_recent();
            self.options.learn = self.options.learn.filter(|_| self.learn_until.is_none_or(|until| mark.now < until));
            (self.first, self.learn_until) = (None, None);
        }
        verdict
    }

    /// The capture is over.
    pub fn finish(&mut self, mark: &Mark, harvest: Harvest, close_incidents: bool) -> Verdict {
        let is_shed = harvest.is_shed;
        let mut verdict = self.judge(mark, harvest);
        if !self.is_baseline && close_incidents {
            let end = start_of(self.newest_window.unwrap_or(mark.through).max(mark.through) + 1);
            let mut closed = self.incidents.finish(end, &self.options.store, &self.options.rules);
            if is_shed {
                mark_shed(&mut closed);
            }
            verdict.alerts.extend(closed);
        }
        verdict
    }

    fn window(&mut self, index: i64, mut window: Window, is_frozen: bool, alerts: &mut Vec<AlertRecord>) {
        self.late_windows += u64::from(self.newest_window == Some(index));
        self.newest_window = Some(index);
        self.judged = Some(start_of(index + 1));
        let is_learning = self.is_learning(index);
        self.inventory.settle(&mut window);
        let store = Arc::clone(&self.options.store);
        let ahead = self.options.settings.zone.offset(start_of(index)) / WINDOW.as_secs() as i64;
        let touched = Touched { local: index + ahead, ..store.absorb(index, window, is_learning) };
        let scene = Scene {
            store: &store,
            rules: &self.options.rules,
            touched: &touched,
            window: index,
            is_learning,
            has_descriptions: !self.options.settings.catalogue.is_empty(),
            odds: &self.odds,
            trials: RefCell::default(),
        };
        let findings = if self.is_baseline { Vec::new() } else { detect::judge(&scene, &mut self.memory) };
        let trials = scene.trials.take();
        let (known, others): (Vec<&Finding>, Vec<&Finding>) =
            findings.iter().partition(|finding| self.incidents.is_known(finding));
        let mut spoiled = detect::spoiled_by(others);
        let may_teach = |key: u64| known.iter().any(|finding| finding.endpoint == Some(key));
        spoiled.extend(detect::odd_logins(&trials).filter(|key| !may_teach(*key)).map(Spoiled::OddLogins));
        if !self.is_baseline {
            let told = self.incidents.update(index, findings, &store, &self.options.rules);
            let opened = told.iter().filter(|record| record.apitap.state == IncidentState::Opened).count();
            if !is_frozen && !is_learning {
                self.odds.learn(index, &trials, opened, self.options.rules.false_alarms_per_day);
            }
            alerts.extend(told);
        }
        if !is_frozen {
            store.fold(index, &touched, &spoiled);
        }
        self.inventory.update(&store, &touched);
        if index.saturating_sub(self.bounded_at) >= BOUND_WINDOWS {
            self.bounded_at = index;
            self.keys_evicted += store.bound(index, &self.options.limits);
        }
    }

    fn is_learning(&mut self, index: i64) -> bool {
        if self.is_baseline {
            return true;
        }
        let Some(learn) = self.options.learn else {
            return self.learn_until.is_some_and(|until| index < window_of(until));
        };
        let first = *self.first.get_or_insert(start_of(index));
        let until = *self.learn_until.get_or_insert(first.saturating_add(learn));
        index < window_of(until)
    }
}

/// Alerts of a time in which something was left out say so.
fn mark_shed(alerts: &mut [AlertRecord]) {
    alerts.iter_mut().for_each(|alert| alert.apitap.marks.push(SHED.to_owned()));
}
