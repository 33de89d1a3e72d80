//! The site's time zone: what people there call the hour of the day.
//!
//! In goes an IANA name, read from the system's zone files; out comes how far the clock on the wall is ahead of event time.
//! Everything else is told in UTC.

use super::Timestamp;
use std::path::Path;

/// Where the system has its zones.
pub const FOLDER: &str = "/usr/share/zoneinfo";

#[derive(Clone, Debug, PartialEq)]
pub struct Zone(jiff::tz::TimeZone);

impl Default for Zone {
    fn default() -> Zone {
        Zone(jiff::tz::TimeZone::UTC)
    }
}

impl Zone {
    /// The zone of a name such as `Europe/Vienna`; none where the system has no such zone.
    pub fn named(name: &str) -> Option<Zone> {
        if name == "UTC" {
            return Some(Zone::default());
        }
        let is_relative = name.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
        let bytes = std::fs::read(Path::new(FOLDER).join(name)).ok().filter(|_| is_relative)?;
        jiff::tz::TimeZone::tzif(name, &bytes).ok().map(Zone)
    }

    /// Seconds by which the clock on the wall is ahead of UTC.
    pub fn offset(&self, time: Timestamp) -> i64 {
        let time = jiff::Timestamp::from_second(time.seconds()).unwrap_or_default();
        i64::from(self.0.to_offset(time).seconds())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_change_in_vienna_and_not_in_utc() {
        let at = |text: &str| Timestamp::parse(text).unwrap();
        let (summer, winter) = (at("2025-07-01T12:00:00Z"), at("2025-12-01T12:00:00Z"));
        let offsets = |zone: Zone| [zone.offset(winter), zone.offset(summer), zone.offset(Timestamp::MAX)];
        assert_eq!(offsets(Zone::default()), [0, 0, 0]);
        if let Some(vienna) = Zone::named("Europe/Vienna") {
            assert_eq!(offsets(vienna)[..2], [3600, 7200]);
        } else {
            eprintln!("not run: no Europe/Vienna in {FOLDER} (Debian: tzdata)");
        }
    }

    #[test]
    fn what_is_no_zone_is_refused() {
        for name in ["", "Europe/Atlantis", "../../etc/passwd", "/etc/passwd", "tzdata.zi"] {
            assert_eq!(Zone::named(name), None, "{name}");
        }
    }
}
