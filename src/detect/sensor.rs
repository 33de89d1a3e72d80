//! The sensor's own health: what it saw, missed and left out in, findings about itself out.
//!
//! Only a daemon asks: a capture has an end, and its summary says what was lost. Nothing here speaks of the traffic.
//! Each finding is about the sensor as a whole, or an interface of it.

use super::{Finding, Subject};
use crate::rule::{AlertText, Ruleset};
use crate::time::Timestamp;
use crate::window::Moment;
use std::time::Duration;

/// What came over the wire within some time.
#[derive(Clone, Debug, Default)]
pub struct Wire {
    pub transactions: u64,
    pub requests_only: u64,
    pub responses_only: u64,
    /// Bytes of connections that are read: seen, and missing though acknowledged.
    pub bytes: u64,
    pub missing_bytes: u64,
}

impl Wire {
    pub fn since(&self, before: &Wire) -> Wire {
        Wire {
            transactions: self.transactions.saturating_sub(before.transactions),
            requests_only: self.requests_only.saturating_sub(before.requests_only),
            responses_only: self.responses_only.saturating_sub(before.responses_only),
            bytes: self.bytes.saturating_sub(before.bytes),
            missing_bytes: self.missing_bytes.saturating_sub(before.missing_bytes),
        }
    }
}

/// What happened since the last look, about a window ago.
#[derive(Clone, Debug, Default)]
pub struct Health {
    /// The end of that time.
    pub now: Timestamp,
    /// How long no frame has come.
    pub silence: Duration,
    pub window: Wire,
    /// Within minutes: where little comes, a window says nothing.
    pub lately: Wire,
    /// Frames that the kernel gave, and had no room for.
    pub frames: u64,
    pub frames_dropped: u64,
    /// What is left out, in words, where anything is.
    pub left_out: Option<String>,
    /// How far the clock jumped, in seconds; negative: it was set back.
    pub clock_jump: Option<i64>,
    /// Interfaces that are not there.
    pub interfaces_lost: Vec<String>,
}

/// Share of dropped frames from which on the kernel's drops are told as an overload.
const MIN_DROPPED_SHARE: f64 = 0.001;

/// What is to be said of it.
pub fn judge(health: &Health, rules: &Ruleset) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut say =
        |enabled: bool, detector: &'static str, about: &str, text: &AlertText, count: u64, observed: String| {
            if enabled {
                let moment = Moment { first: health.now, last: health.now };
                let mut finding = Finding::new(detector, Subject::Sensor(about.to_owned()), text.severity, moment);
                (finding.count, finding.observed) = (count, observed);
                findings.push(finding);
            }
        };
    let silent = &rules.sensor_silent;
    let seconds = health.silence.as_secs();
    if seconds >= silent.min_seconds {
        say(silent.enabled, "sensor_silent", "sensor", &silent.alert, seconds, format!("no frame for {seconds} s"));
    }
    let spans = [&health.window, &health.lately];
    let one_sided = &rules.sensor_one_sided;
    let halves = |wire: &Wire| wire.requests_only + wire.responses_only;
    let is_half = |wire: &&Wire| {
        let halves = halves(wire);
        halves >= one_sided.min_halves && halves as f64 >= one_sided.min_share * wire.transactions as f64
    };
    if let Some(wire) = spans.into_iter().find(is_half) {
        let observed = format!(
            "{} requests without response and {} responses without request, of {} transactions",
            wire.requests_only, wire.responses_only, wire.transactions
        );
        say(one_sided.enabled, "sensor_one_sided", "sensor", &one_sided.alert, halves(wire), observed);
    }
    let loss = &rules.sensor_loss;
    let share = |wire: &Wire| wire.missing_bytes as f64 / (wire.bytes + wire.missing_bytes).max(1) as f64;
    let is_lossy = |wire: &&Wire| wire.missing_bytes >= loss.min_bytes && share(wire) >= loss.min_share;
    if let Some(wire) = spans.into_iter().find(is_lossy) {
        let (missing, all) = (wire.missing_bytes, wire.bytes + wire.missing_bytes);
        let percent = share(wire) * 100.0;
        let observed = format!("{missing} of {all} bytes never arrived though acknowledged ({percent:.1} %)");
        say(loss.enabled, "sensor_loss", "sensor", &loss.alert, missing, observed);
    }
    let overload = &rules.sensor_overload;
    let dropped = health.frames_dropped as f64 / (health.frames + health.frames_dropped).max(1) as f64;
    let drops = (dropped >= MIN_DROPPED_SHARE).then(|| {
        format!(
            "the kernel had no room for {} of {} frames",
            health.frames_dropped,
            health.frames + health.frames_dropped
        )
    });
    let parts: Vec<String> = health.left_out.iter().cloned().chain(drops).collect();
    if !parts.is_empty() {
        say(
            overload.enabled,
            "sensor_overload",
            "sensor",
            &overload.alert,
            1 + health.frames_dropped,
            parts.join("; "),
        );
    }
    if let Some(jump) = health.clock_jump {
        let clock = &rules.sensor_clock;
        let way = if jump < 0 { "back" } else { "forward" };
        let observed = format!("the frames' time went {way} by {} s", jump.unsigned_abs());
        say(clock.enabled, "sensor_clock", "sensor", &clock.alert, jump.unsigned_abs(), observed);
    }
    let interface = &rules.sensor_interface;
    for name in &health.interfaces_lost {
        say(
            interface.enabled,
            "sensor_interface",
            name,
            &interface.alert,
            1,
            format!("`{name}` cannot be captured from"),
        );
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rule::Ruleset;

    fn said(health: &Health) -> Vec<(&'static str, String)> {
        let rules = Ruleset::default();
        judge(health, &rules).into_iter().map(|finding| (finding.detector, finding.observed)).collect()
    }

    #[test]
    fn a_healthy_sensor_says_nothing() {
        let health = Health {
            silence: Duration::from_secs(20),
            window: Wire {
                transactions: 10_000,
                requests_only: 150,
                bytes: 100_000_000,
                missing_bytes: 900_000,
                ..Wire::default()
            },
            frames: 100_000,
            frames_dropped: 20,
            ..Health::default()
        };
        assert_eq!(said(&health), []);
    }

    #[test]
    fn each_ailment_is_told_by_its_name() {
        let names = |health: &Health| said(health).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names(&Health { silence: Duration::from_secs(300), ..Health::default() }), ["sensor_silent"]);
        let half = Wire { transactions: 100, requests_only: 60, responses_only: 40, ..Wire::default() };
        assert_eq!(names(&Health { window: half.clone(), ..Health::default() }), ["sensor_one_sided"]);
        assert_eq!(names(&Health { lately: half, ..Health::default() }), ["sensor_one_sided"]);
        let lossy = Wire { bytes: 9_000_000, missing_bytes: 100_000, ..Wire::default() };
        let lossy = Health { lately: lossy, ..Health::default() };
        assert_eq!(
            said(&lossy),
            [("sensor_loss", "100000 of 9100000 bytes never arrived though acknowledged (1.1 %)".to_owned())]
        );
        let full = Health { frames: 999, frames_dropped: 1, left_out: Some("bodies".to_owned()), ..Health::default() };
        assert_eq!(
            said(&full),
            [("sensor_overload", "bodies; the kernel had no room for 1 of 1000 frames".to_owned())]
        );
        let back = Health { clock_jump: Some(-3600), ..Health::default() };
        assert_eq!(said(&back), [("sensor_clock", "the frames' time went back by 3600 s".to_owned())]);
        let gone = Health { interfaces_lost: vec!["eth0".to_owned(), "eth1".to_owned()], ..Health::default() };
        assert_eq!(names(&gone), ["sensor_interface", "sensor_interface"]);
    }
}
