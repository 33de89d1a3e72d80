//! How good the detectors are: incidents against the truth about the same traffic.
//!
//! In: a truth (which stretches of traffic were attacks, which were lawful changes), the alerts that were raised, and how
//! long the traffic was. Out: for each attack who found it and how soon; for each detector recall, precision and false
//! alarms a day; and whether the odds that alerts state agree with what happened. Results of many runs are pooled.
//!
//! An incident *fits* an attack or a benign change when it is of one of its detectors (those that should speak or that
//! may), at its time, and about its endpoints or of its clients. An attack is found when a detector that should speak
//! fits. An incident that fits an attack is *true*; one that fits a benign change, at a severity that is allowed there, is
//! *lawful* (also where its detector is one that merely may speak of an attack besides); any other is *false*. Incidents are
//! counted, not records.
//!
//! `docs/EVALUATION.md` is the manual. Files are read line by line, and what a hostile one could say is bounded: the length
//! of a line, of a name, the number of false incidents that are spelled out.

mod incident;
mod interval;
mod lines;
mod measure;
mod plot;
mod report;
mod run;
mod table;
mod traffic;
mod truth;

pub use incident::AlertLog;
pub use interval::Share;
pub use measure::{AttackMeasure, Delays, DetectorMeasure, Evaluation, OddsMeasure, Report, Spread};
pub use report::Bounds;
pub use run::{AttackResult, BenignResult, Delay, FalseIncident, Outcome, Run, Tally};
pub use traffic::Traffic;
pub use truth::{Attack, Benign, Scope, TrafficSummary, Truth};

/// What is wrong with a file, and where.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}")]
pub struct Misfit {
    pub file: String,
    pub line: usize,
    pub column: usize,
    pub message: String,
}

#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    #[error("cannot read {file}: {error}; {mend}")]
    Read { file: String, error: std::io::Error, mend: &'static str },
    #[error(transparent)]
    Misfit(#[from] Misfit),
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
