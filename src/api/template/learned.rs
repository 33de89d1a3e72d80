//! Which positions of which paths hold values though their looks do not say so: what the inventory learned.
//!
//! In: (host, prefix of a template) pairs, decided between windows from merged aggregates. Out: whether the segment that
//! follows a prefix is a parameter. An immutable set on the data path; the inventory makes the next one aside.
//! Refused: more than [`MAX_PREFIXES`] prefixes; those that came first stay (a key with history is not evicted).

use hashbrown::{HashMap, HashSet};
use std::collections::BTreeMap;

/// Prefixes that are kept; an API has a handful, ten thousand endpoints some hundreds.
pub const MAX_PREFIXES: usize = 16_384;

/// A fixed seed: the set is filled by our own decisions, and it is bounded.
type Hasher = foldhash::fast::FixedState;
/// Templates whose next segment is a parameter, without a trailing slash: `/v1/articles`, `/users/{id}/pages`; the
/// empty one stands for the first segment. And what is none there all the same: `/v1/articles/{!search}`, which no path can
/// look like. And names below them that are values by their numbers only: `/live/news/{=part0.ts}` for `part7.ts` and `part12.ts`.
pub(super) type Prefixes = HashSet<Box<str>, Hasher>;

/// The learned parameters of all hosts.
#[derive(Clone, Debug, Default)]
pub struct LearnedParameters {
    hosts: HashMap<Box<str>, Prefixes, Hasher>,
    count: usize,
}

impl LearnedParameters {
    pub fn new() -> LearnedParameters {
        LearnedParameters::default()
    }

    /// Learns that below `prefix` (a template without trailing slash) of `host` the next segment is a value. False where
    /// that is known already or the set is full.
    pub fn learn(&mut self, host: &str, prefix: &str) -> bool {
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        if self.count >= MAX_PREFIXES || self.contains(host, prefix) {
            return false;
        }
        self.hosts.entry_ref(host).or_default().insert(prefix.into());
        self.count += 1;
        true
    }

    /// Learns that below `prefix` this segment is a word of its own, whatever is learned of the others there.
    pub fn keep(&mut self, host: &str, prefix: &str, segment: &str) -> bool {
        let mut entry = prefix.to_owned();
        push_kept(&mut entry, segment);
        self.learn(host, &entry)
    }

    /// Learns that what differs below `prefix` from this name in its numbers only is a value.
    pub fn learn_numbered(&mut self, host: &str, prefix: &str, segment: &str) -> bool {
        let mut entry = prefix.to_owned();
        push_numbered(&mut entry, segment);
        self.learn(host, &entry)
    }

    /// What a segment below `prefix` is.
    pub fn of(&self, host: &str, prefix: &str, segment: &str) -> Known {
        self.of_host(host).map_or(Known::Word, |prefixes| known(prefixes, &mut prefix.to_owned(), segment))
    }

    /// Unlearns; true where there was something to.
    pub fn forget(&mut self, host: &str, prefix: &str) -> bool {
        let Some(prefixes) = self.hosts.get_mut(host) else { return false };
        let is_removed = prefixes.remove(prefix.strip_suffix('/').unwrap_or(prefix));
        if prefixes.is_empty() {
            self.hosts.remove(host);
        }
        self.count -= usize::from(is_removed);
        is_removed
    }

    pub fn contains(&self, host: &str, prefix: &str) -> bool {
        self.hosts.get(host).is_some_and(|prefixes| prefixes.contains(prefix))
    }

    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Every (host, prefix), in order: what is written to the state.
    pub fn iter_sorted(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut all: Vec<(&str, &str)> = self
            .hosts
            .iter()
            .flat_map(|(host, prefixes)| prefixes.iter().map(move |prefix| (&**host, &**prefix)))
            .collect();
        all.sort_unstable();
        all.into_iter()
    }

    pub(super) fn of_host(&self, host: &str) -> Option<&Prefixes> {
        if self.hosts.is_empty() { None } else { self.hosts.get(host) }
    }
}

impl<H: AsRef<str>, P: AsRef<str>> FromIterator<(H, P)> for LearnedParameters {
    fn from_iter<I: IntoIterator<Item = (H, P)>>(pairs: I) -> LearnedParameters {
        let mut learned = LearnedParameters::new();
        for (host, prefix) in pairs {
            learned.learn(host.as_ref(), prefix.as_ref());
        }
        learned
    }
}

impl serde::Serialize for LearnedParameters {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut hosts: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (host, prefix) in self.iter_sorted() {
            hosts.entry(host).or_default().push(prefix);
        }
        hosts.serialize(serializer)
    }
}

impl<'de> serde::Deserialize<'de> for LearnedParameters {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<LearnedParameters, D::Error> {
        let hosts = BTreeMap::<String, Vec<String>>::deserialize(deserializer)?;
        Ok(hosts.iter().flat_map(|(host, prefixes)| prefixes.iter().map(move |prefix| (host, prefix))).collect())
    }
}

fn push_kept(prefix: &mut String, segment: &str) {
    prefix.push_str("/{!");
    prefix.push_str(segment);
    prefix.push('}');
}

fn push_numbered(prefix: &mut String, segment: &str) {
    prefix.push_str("/{=");
    push_numberless(prefix, segment);
    prefix.push('}');
}

/// A nought in place of each number.
fn push_numberless(out: &mut String, segment: &str) {
    let mut was_digit = false;
    for character in segment.chars() {
        let is_digit = character.is_ascii_digit();
        if !is_digit {
            out.push(character);
        } else if !was_digit {
            out.push('0');
        }
        was_digit = is_digit;
    }
}

/// A name without its numbers; `None` where it has none, or is a version of what is below it.
pub fn numberless(segment: &str, has_below: bool) -> Option<String> {
    let is_other = has_below && super::formats::is_version(segment.as_bytes());
    if is_other || !segment.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut name = String::with_capacity(segment.len());
    push_numberless(&mut name, segment);
    Some(name)
}

/// What browsers, phones and crawlers ask of the root of any host, whether it is there or not; and where RFC 8615 puts what
/// programs look for.
const ASKED_OF_EVERY_HOST: [&str; 10] = [
    ".well-known",
    "ads.txt",
    "browserconfig.xml",
    "crossdomain.xml",
    "favicon.ico",
    "humans.txt",
    "manifest.json",
    "robots.txt",
    "site.webmanifest",
    "sitemap.xml",
];

fn is_asked_of_every_host(segment: &str) -> bool {
    ASKED_OF_EVERY_HOST.contains(&segment) || segment.starts_with("apple-touch-icon")
}

/// Whether a segment is named as functions beside objects are: `_search`, `_debug`.
fn is_function(segment: &str) -> bool {
    segment
        .strip_prefix('_')
        .is_some_and(|name| name.len() > 1 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
}

/// What was learned of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    Word,
    Value,
    /// Its numbers are a value; its extension is none.
    Numbered,
}

/// What the segment behind `prefix`, which is left as it was, is.
pub(super) fn known(prefixes: &Prefixes, prefix: &mut String, segment: &str) -> Known {
    if is_function(segment) || (prefix.is_empty() && is_asked_of_every_host(segment)) {
        return Known::Word;
    }
    let length = prefix.len();
    let mut holds = |push: fn(&mut String, &str)| {
        push(prefix, segment);
        let is_held = prefixes.contains(prefix.as_str());
        prefix.truncate(length);
        is_held
    };
    match holds(|_, _| {}) {
        true if !holds(push_kept) => Known::Value,
        false if segment.bytes().any(|byte| byte.is_ascii_digit()) && holds(push_numbered) => Known::Numbered,
        _ => Known::Word,
    }
}

/// A segment of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    pub text: &'a str,
    /// From 0.
    pub position: usize,
    /// Holds a placeholder, whole or in part.
    pub is_parameter: bool,
    /// The template before it, without trailing slash: what [`LearnedParameters::learn`] takes to make it a parameter.
    pub prefix: &'a str,
}

/// The segments of a template, in order; its operation is none.
pub fn segments(template: &str) -> impl Iterator<Item = Segment<'_>> {
    let mut start = 0_usize;
    super::path_of(template)
        .split('/')
        .filter_map(move |text| {
            let (at, prefix) = (start, template.get(..start.saturating_sub(1)).unwrap_or_default());
            start = at + text.len() + 1;
            (!text.is_empty()).then_some((text, prefix))
        })
        .enumerate()
        .map(|(position, (text, prefix))| Segment { text, position, is_parameter: text.contains('{'), prefix })
}

/// The literal segment at `position` with the template above it: the parent whose children are counted and the
/// candidate for a slug. `None` where there is none, or where it is a parameter already.
pub fn parent_and_segment(template: &str, position: usize) -> Option<(&str, &str)> {
    segments(template)
        .nth(position)
        .filter(|segment| !segment.is_parameter)
        .map(|segment| (segment.prefix, segment.text))
}

/// The template with the segment at `position` made a parameter; unchanged where it has no such segment.
pub fn with_slug(template: &str, position: usize) -> String {
    with_value(template, position, |text| text.len())
}

/// The same of a segment that is a value by its numbers: its extension stays.
pub fn with_number(template: &str, position: usize) -> String {
    with_value(template, position, |text| super::identifier::stem(text.as_bytes()))
}

fn with_value(template: &str, position: usize, length: fn(&str) -> usize) -> String {
    let mut out = String::with_capacity(template.len() + 4);
    for segment in segments(template) {
        out.push('/');
        if segment.position == position {
            out.push_str(super::ParamKind::Slug.placeholder());
            out.push_str(segment.text.get(length(segment.text)..).unwrap_or_default());
        } else {
            out.push_str(segment.text);
        }
    }
    if out.is_empty() {
        return template.to_owned();
    }
    out.push_str(template.get(super::path_of(template).len()..).unwrap_or_default());
    out
}
