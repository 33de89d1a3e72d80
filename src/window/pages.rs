//! Sizes of pages that requests ask for (`limit=500`), and the largest that an endpoint gave.

use super::aggregate::{Evidence, EvidenceKey, Merge};
use super::histogram::LogHistogram;
use super::sample::Earliest;
use super::shown::Shown;
use crate::api::Observation;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::net::IpAddr;
use std::sync::Arc;

/// Rows of an answer from which on it may be one of the largest pages: with fewer nobody is hurt.
pub const LARGE_PAGE: u64 = crate::rule::LEAST_PAGE_ROWS;
/// Names of the query parameter, as frameworks and APIs call it, without `_`, `-`, `$`, brackets and case.
const NAMES: [&[u8]; 17] = [
    b"limit",
    b"perpage",
    b"pagesize",
    b"size",
    b"count",
    b"top",
    b"first",
    b"last",
    b"maxresults",
    b"max",
    b"rows",
    b"num",
    b"take",
    b"pagelimit",
    b"itemsperpage",
    b"resultsperpage",
    b"batchsize",
];
/// Longer names are none of these.
const LONGEST_NAME: usize = 24;

/// A page that was asked for and given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    pub asked: u64,
    pub rows: u64,
    pub client: IpAddr,
    pub principal: Option<u64>,
    pub evidence: Arc<Evidence>,
}

/// Pages of one endpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pages {
    /// Sizes that answered requests asked for.
    pub asked: LogHistogram,
    /// Those with most rows.
    pub largest: Earliest<(Reverse<u64>, EvidenceKey), Page, 3>,
}

impl Pages {
    pub(super) fn record(&mut self, observation: &Observation<'_>, asked: u64, rows: u64, shown: &mut Shown<'_, '_>) {
        self.asked.record(asked);
        let key = (Reverse(rows), shown.key());
        if rows < LARGE_PAGE || !self.largest.would_keep(&key) {
            return;
        }
        let (client, principal) = (observation.client, observation.principal);
        self.largest.insert(key, Page { asked, rows, client, principal, evidence: shown.evidence() });
    }
}

impl Merge for Pages {
    fn merge(&mut self, other: Self) {
        self.asked.merge(&other.asked);
        self.largest.merge(&other.largest);
    }
}

/// The page size that a request target asks for; the largest, where it names several.
pub fn page_size(target: &str) -> Option<u64> {
    let (_, query) = target.split_once('?')?;
    query.split(['&', ';']).filter_map(size_in).max()
}

fn size_in(parameter: &str) -> Option<u64> {
    let (name, value) = parameter.split_once('=')?;
    let is_number = (1..=18).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || name.len() > LONGEST_NAME {
        return None;
    }
    // JSON:API writes `page[size]`, OData `$top`.
    let mut letters = [0; LONGEST_NAME];
    let mut length = 0;
    for byte in name.bytes().filter(u8::is_ascii_alphabetic) {
        letters[length] = byte.to_ascii_lowercase(); // a name has no more letters than LONGEST_NAME
        length += 1;
    }
    NAMES.contains(&&letters[..length]).then(|| value.parse().ok()).flatten() // at most as long
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_size_of_a_page_is_found_under_its_many_names() {
        for target in
            ["/x?limit=500", "/x?q=a&per_page=500", "/x?pageSize=500&page=9000", "/x?$top=500", "/x?page[size]=500"]
        {
            assert_eq!(page_size(target), Some(500), "{target}");
        }
        for target in
            ["/limit=500", "/x?limit=", "/x?limit=all", "/x?id=500", "/x?limit=-1", "/x?page=500", "/x?limited=5"]
        {
            assert_eq!(page_size(target), None, "{target}");
        }
    }

    proptest! {
        #[test]
        fn any_target_is_read_without_a_panic(target in ".{0,80}") {
            let _ = page_size(&target);
        }
    }
}
