//! Which alerts `apitap tail` shows.

use super::super::args::TailArgs;
use crate::alert::record::{AlertRecord, Severity};
use crate::rule::{Network, pattern};
use crate::time::Timestamp;
use std::time::Duration;

/// A log is in the order of event time, but several writers and restarts disturb it a little: reading backwards for
/// `--since` goes on this far before giving up.
const DISORDER: Duration = Duration::from_secs(3600);

#[derive(Clone, Default, Debug)]
pub struct Filter {
    pub severity: Option<Severity>,
    pub detectors: Vec<String>,
    pub client: Option<Network>,
    pub endpoint: Option<String>,
    pub since: Option<Timestamp>,
}

impl Filter {
    pub fn of(args: &TailArgs, now: Timestamp) -> Filter {
        Filter {
            severity: args.severity,
            detectors: args.detector.clone(),
            client: args.client,
            endpoint: args.endpoint.clone(),
            since: args.since.map(|since| since.before(now)),
        }
    }

    pub fn matches(&self, record: &AlertRecord) -> bool {
        let alert = &record.apitap;
        self.severity.is_none_or(|least| alert.severity >= least)
            && (self.detectors.is_empty() || self.detectors.contains(&alert.detector))
            && self.since.is_none_or(|since| record.timestamp >= since)
            && self.client.as_ref().is_none_or(|wanted| names_client(record, wanted))
            && self.endpoint.as_deref().is_none_or(|glob| {
                let endpoint = alert.endpoint.as_deref().unwrap_or(&alert.subject.value);
                pattern::fits_endpoint(glob, endpoint)
            })
    }

    /// Whether no line before this one can match any more.
    pub fn is_past(&self, record: &AlertRecord) -> bool {
        self.since.is_some_and(|since| record.timestamp < since.saturating_sub(DISORDER))
    }
}

fn names_client(record: &AlertRecord, wanted: &Network) -> bool {
    let alert = &record.apitap;
    let sample = alert.clients.iter().flat_map(|clients| &clients.sample);
    let mut named = alert.client.iter().chain(&record.src_ip).chain(sample).copied();
    named.any(|client| wanted.contains(client))
        || alert.evidence.iter().any(|evidence| wanted.contains(evidence.src_ip))
        || alert
            .network
            .as_deref()
            .and_then(|network| network.parse().ok())
            .is_some_and(|n: Network| n.overlaps(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::record::samples;

    #[test]
    fn each_condition_narrows() {
        let record = samples::alert();
        let fits = |filter: Filter| filter.matches(&record);
        assert!(fits(Filter::default()));
        assert!(fits(Filter { severity: Some(Severity::High), ..Filter::default() }));
        assert!(!fits(Filter { severity: Some(Severity::Critical), ..Filter::default() }));
        assert!(!fits(Filter { detectors: vec!["scanner".to_owned()], ..Filter::default() }));
        assert!(fits(Filter {
            detectors: vec!["scanner".to_owned(), "credential_stuffing".to_owned()],
            ..Filter::default()
        }));
        assert!(fits(Filter { client: "198.51.100.9".parse().ok(), ..Filter::default() }));
        assert!(!fits(Filter { client: "198.51.100.10".parse().ok(), ..Filter::default() }));
        assert!(fits(Filter { client: "198.51.100.0/24".parse().ok(), ..Filter::default() }));
        assert!(!fits(Filter { client: "2001:db8::/32".parse().ok(), ..Filter::default() }));
        assert!(fits(Filter { since: Some(record.timestamp), ..Filter::default() }));
        assert!(!fits(Filter {
            since: Some(record.timestamp.saturating_add(Duration::from_nanos(1))),
            ..Filter::default()
        }));
    }
}
