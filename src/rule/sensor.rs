//! What the sensor says of itself: `sensor.toml`.

use super::alert::AlertText;
use super::source::Check;
use serde::Deserialize;

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SensorRules {
    pub sensor_silent: SensorSilent,
    pub sensor_one_sided: SensorOneSided,
    pub sensor_loss: SensorLoss,
    pub sensor_overload: SensorOther,
    pub sensor_clock: SensorOther,
    pub sensor_interface: SensorOther,
}

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

impl SensorRules {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.table("sensor_silent", |check| {
            check.within("min_seconds", self.sensor_silent.min_seconds, 10, 86_400);
            self.sensor_silent.alert.check(check);
        });
        check.table("sensor_one_sided", |check| {
            check.at_least("min_halves", self.sensor_one_sided.min_halves, 1);
            check.share("min_share", self.sensor_one_sided.min_share);
            self.sensor_one_sided.alert.check(check);
        });
        check.table("sensor_loss", |check| {
            check.share("min_share", self.sensor_loss.min_share);
            check.at_least("min_bytes", self.sensor_loss.min_bytes, 1);
            self.sensor_loss.alert.check(check);
        });
        for (name, other) in [
            ("sensor_overload", &self.sensor_overload),
            ("sensor_clock", &self.sensor_clock),
            ("sensor_interface", &self.sensor_interface),
        ] {
            check.table(name, |check| other.alert.check(check));
        }
    }
}
