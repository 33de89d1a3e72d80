//! What is normal: shares and sums that fade, and what of them has not settled.

use crate::baseline::lesson::{ExposureLesson, TakenLesson};
use crate::baseline::quarantine::Quarantine;
use crate::baseline::settling::Settling;
use crate::inspect::DataClass;
use serde::{Deserialize, Serialize};

/// Counted successes out of a total, fading by half every `HALF_LIFE_WINDOWS`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Share {
    pub hits: f64,
    pub total: f64,
}

/// Second baselines of errors and of failures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quarantines {
    pub errors: Quarantine<Share>,
    pub failures: Quarantine<Share>,
}

/// A baseline forgets half in a day: what an API does changes within days, not within hours.
const HALF_LIFE_WINDOWS: f64 = 8640.0;
/// Without anything new no more is forgotten than in three days: an eighth is left to who comes once a week, and to all when
/// the clock was wrong.
const MOST_FORGOTTEN_WINDOWS: i64 = 3 * crate::baseline::tiers::DAY_WINDOWS;

/// How much is left of a baseline when it learns again after so many windows.
fn left_after(windows: i64) -> f64 {
    0.5f64.powf(windows.clamp(0, MOST_FORGOTTEN_WINDOWS) as f64 / HALF_LIFE_WINDOWS)
}

impl Share {
    pub fn add(&mut self, hits: u64, total: u64) {
        self.hits += hits as f64;
        self.total += total as f64;
    }

    pub fn fade(&mut self, windows: i64) {
        let factor = left_after(windows);
        self.hits *= factor;
        self.total *= factor;
    }

    pub fn add_share(&mut self, other: &Share) {
        self.hits += other.hits;
        self.total += other.total;
    }

    pub fn share(&self) -> f64 {
        if self.total > 0.0 { self.hits / self.total } else { 0.0 }
    }
}

/// Sensitive data of one class that is normal for a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClassNormal {
    /// Distinct values and responses seen, fading.
    pub values: f64,
    pub responses: f64,
    /// Window in which the first of them settled; none for what was there while learning.
    #[serde(default)]
    pub since: Option<i64>,
}

impl ClassNormal {
    /// Whether there were values before the longest horizon of those who ask began, so many windows ago.
    pub fn is_older_than(&self, windows: i64, now: i64) -> bool {
        self.values > 0.0 && self.since.is_none_or(|since| now.saturating_sub(since) >= windows)
    }
}

/// What is normal in the exposure of a key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExposureNormal {
    #[serde(deserialize_with = "crate::inspect::by_class")]
    classes: [ClassNormal; DataClass::COUNT],
    /// Successful responses seen in all, fading.
    pub responses: f64,
    pub records: f64,
    pub bytes: f64,
    /// Windows in which the key was active, fading: how much time the sums above stand for.
    pub windows: f64,
    fresh: Settling<ExposureLesson>,
}

impl ExposureNormal {
    pub fn class(&self, class: DataClass) -> ClassNormal {
        self.classes[class as usize]
    }

    /// Takes in what a window teaches; it settles later, except while learning.
    pub fn teach(&mut self, window: i64, lesson: ExposureLesson, is_learning: bool) {
        let settled = if is_learning { Some(lesson) } else { self.fresh.add(window, lesson) };
        if let Some(settled) = settled {
            self.add(&settled, (!is_learning).then_some(window));
        }
    }

    /// Takes back what has not settled.
    pub fn retract(&mut self) {
        self.fresh.retract();
    }

    fn add(&mut self, lesson: &ExposureLesson, since: Option<i64>) {
        self.responses += lesson.successes as f64;
        self.windows += lesson.windows as f64;
        self.records += lesson.records as f64;
        self.bytes += lesson.bytes as f64;
        for (class, values, responses) in &lesson.classes {
            let normal = &mut self.classes[*class as usize];
            if normal.values == 0.0 {
                normal.since = since;
            }
            normal.values += *values as f64;
            normal.responses += *responses as f64;
        }
    }

    /// Takes in what was normal for a key that joins this one.
    pub fn join(&mut self, other: &ExposureNormal) {
        for (mine, theirs) in self.classes.iter_mut().zip(&other.classes) {
            mine.since = match (mine.values > 0.0, theirs.values > 0.0) {
                (true, true) => mine.since.min(theirs.since), // none is before all
                (true, false) => mine.since,
                _ => theirs.since,
            };
            mine.values += theirs.values;
            mine.responses += theirs.responses;
        }
        self.responses += other.responses;
        self.records += other.records;
        self.bytes += other.bytes;
        self.windows = self.windows.max(other.windows);
    }

    pub fn fade(&mut self, windows: i64) {
        let factor = left_after(windows);
        for class in &mut self.classes {
            class.values *= factor;
            class.responses *= factor;
        }
        for sum in [&mut self.responses, &mut self.records, &mut self.bytes, &mut self.windows] {
            *sum *= factor;
        }
    }
}

/// How much a client or principal usually takes, whatever it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TakenNormal {
    /// Requests, and rows and bytes of its answers, fading.
    #[serde(default)]
    pub requests: f64,
    pub records: f64,
    pub bytes: f64,
    /// Windows since requests are counted, and windows in which it was active, fading.
    #[serde(default)]
    pub counted: f64,
    pub windows: f64,
    fresh: Settling<TakenLesson>,
}

impl TakenNormal {
    /// Takes in what a window teaches; it settles later, except while learning.
    pub fn teach(&mut self, window: i64, lesson: TakenLesson, is_learning: bool) {
        let settled = if is_learning { Some(lesson) } else { self.fresh.add(window, lesson) };
        if let Some(settled) = settled {
            self.requests += settled.requests as f64;
            self.counted += settled.windows as f64;
            self.records += settled.records as f64;
            self.bytes += settled.bytes as f64;
            self.windows += settled.windows as f64;
        }
    }

    /// Takes back what has not settled.
    pub fn retract(&mut self) {
        self.fresh.retract();
    }

    pub fn fade(&mut self, windows: i64) {
        let factor = left_after(windows);
        let requests = [&mut self.requests, &mut self.counted];
        for sum in [&mut self.records, &mut self.bytes, &mut self.windows].into_iter().chain(requests) {
            *sum *= factor;
        }
    }
}
