//! What the sensor says of itself: `sensor.toml`.

use super::alert::AlertText;
use super::source::Check;
use serde::Deserialize;

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SensorSilent {
    pub enabled: bool,
    /// Seconds without a frame.
    pub min_seconds: u64,
    pub alert: AlertText,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SensorOneSided {
    pub enabled: bool,
    /// Halves of transactions within a window.
    pub min_halves: u64,
    /// Share of transactions that are halves.
    pub min_share: f64,
    pub alert: AlertText,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SensorLoss {
    pub enabled: bool,
    /// Of the bytes of connections that are read.
    pub min_share: f64,
    /// Missing bytes within a window.
    pub min_bytes: u64,
    pub alert: AlertText,
}

/// One that has nothing to set but whether it speaks.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SensorOther {
    pub enabled: bool,
    pub alert: AlertText,
}

impl SensorSilent {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.within("min_seconds", self.min_seconds, 10, 86_400);
        self.alert.check(check);
    }
}

impl SensorOneSided {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.at_least("min_halves", self.min_halves, 1);
        check.share("min_share", self.min_share);
        self.alert.check(check);
    }
}

impl SensorLoss {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.share("min_share", self.min_share);
        check.at_least("min_bytes", self.min_bytes, 1);
        self.alert.check(check);
    }
}

impl SensorOther {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        self.alert.check(check);
    }
}
