//! The inventory: which endpoints, hosts and logins are known, and which path segments are values though they look
//! like words.
//!
//! A slug is recognised between windows from merged aggregates: enough endpoints of one method that differ in one
//! literal segment only and answer with documents of one look. They become one endpoint, and the workers' next snapshot
//! knows the position as a parameter. Words at that position that have a life of their own stay words.

use super::circle::Circle;
use super::persist::Kind;
use super::state::EndpointState;
use super::store::{Store, Touched};
use crate::api::template::{Known, LearnedParameters, numberless, operation_of, segments, with_number, with_slug};
use crate::api::{Inventory, LoginHabit};
use crate::hash::HashKey;
use crate::window::{Merge, Window};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Siblings that answer alike, from which on their segment is a value. API roots have dozens of resources, but their
/// documents look different from each other.
const SLUG_SIBLINGS: usize = 12;
/// Families of endpoints that are looked for siblings, about a kilobyte each. What answers every path with success makes new ones
/// without end: then all are forgotten, and those that matter are there again soon.
const MOST_FAMILIES: usize = 50_000;
/// Requests from which on a segment that looks different is a word of its own.
const WORD_REQUESTS: u64 = 50;
/// Words that stand where the id of the caller would.
const PRONOUNS: [&str; 5] = ["me", "self", "mine", "own", "current"];
/// Share of a login's successes that carry a session, from which on one without is a failure.
const SESSION_SHARE: f64 = 0.2;
/// Attempts seen before that share is believed.
const SESSION_ATTEMPTS: f64 = 20.0;

/// Makes the next [`Inventory`] from what the windows brought.
pub struct InventoryBuilder {
    key: HashKey,
    learned: LearnedParameters,
    /// (method, host, template with one segment left out) to the segments seen there, by the look of the documents.
    siblings: BTreeMap<(String, String, String), BTreeMap<u64, BTreeSet<String>>>,
    /// (host, template up to a name with its numbers left out) to the names seen there.
    numbered: BTreeMap<(String, String), BTreeSet<String>>,
    current: Arc<Inventory>,
}

impl InventoryBuilder {
    pub fn new(key: HashKey) -> InventoryBuilder {
        InventoryBuilder {
            key,
            learned: LearnedParameters::new(),
            siblings: BTreeMap::new(),
            numbered: BTreeMap::new(),
            current: Arc::default(),
        }
    }

    /// Starts from what an earlier run learned.
    pub fn restore(&mut self, learned: impl IntoIterator<Item = (String, String)>, store: &Store) {
        for (host, prefix) in learned {
            self.learned.learn(&host, &prefix);
        }
        self.rebuild(store);
    }

    pub fn learned(&self) -> &LearnedParameters {
        &self.learned
    }

    pub fn current(&self) -> Arc<Inventory> {
        Arc::clone(&self.current)
    }

    /// The key of an endpoint, as the interpreter makes it.
    pub fn endpoint_key(&self, method: &str, host: &str, template: &str) -> u64 {
        crate::api::endpoint_key(&self.key, method, host, template)
    }

    /// Puts endpoints of a window that were named by an older snapshot where they belong by now.
    pub fn settle(&self, window: &mut Window) {
        if self.learned.is_empty() {
            return;
        }
        for (old, mut endpoint) in window.endpoints.take_unknown(&self.current.endpoints) {
            let mut key = old;
            if let Some(template) = self.rewritten(&endpoint.host, &endpoint.template) {
                key = self.endpoint_key(&endpoint.method, &endpoint.host, &template);
                endpoint.template = Arc::from(template);
            }
            window.endpoints.put(key, endpoint);
        }
    }

    fn rewritten(&self, host: &str, template: &str) -> Option<String> {
        let mut result: Option<String> = None;
        for position in 0..segments(template).count() {
            let current = result.as_deref().unwrap_or(template);
            let Some(segment) = segments(current).nth(position) else { break };
            if segment.is_parameter {
                continue;
            }
            result = match self.learned.of(host, segment.prefix, segment.text) {
                Known::Value => Some(with_slug(current, position)),
                Known::Numbered => Some(with_number(current, position)),
                Known::Word => result,
            };
        }
        result
    }

    /// Takes in what a window touched; gives the inventory that the window after the next one reads.
    pub fn update(&mut self, store: &Store, touched: &Touched) -> Arc<Inventory> {
        let mut is_changed = !touched.new_endpoints.is_empty();
        for key in &touched.new_endpoints {
            let Some(state) = store.endpoints.get(key) else { continue };
            let (method, host, template) = (state.method.clone(), state.host.clone(), state.template.clone());
            let shapes: Vec<u64> = state.shapes.iter().map(|(shape, _)| shape).collect();
            drop(state);
            self.note_numbered(store, &host, &template);
            self.note_siblings(store, &method, &host, &template, &shapes);
        }
        is_changed |= touched.endpoints.iter().any(|key| {
            store.endpoints.get(key).is_some_and(|state| {
                let is_open = is_open(&state) != self.current.open.contains(key);
                is_open || habit_of(&state) != self.current.logins.get(key).copied()
            })
        });
        if is_changed {
            self.rebuild(store);
        }
        self.current()
    }

    fn note_siblings(&mut self, store: &Store, method: &str, host: &str, template: &str, shapes: &[u64]) {
        let [shape] = shapes else { return };
        if operation_of(template).is_some() {
            return; // answers of one look, and none of them a value
        }
        let found: Vec<(usize, String, String)> = segments(template)
            .enumerate()
            .filter(|(_, segment)| !segment.is_parameter)
            .map(|(position, segment)| (position, segment.prefix.to_string(), segment.text.to_string()))
            .collect();
        for (position, parent, text) in found {
            if self.siblings.len() >= MOST_FAMILIES {
                self.siblings.clear();
            }
            let family = (method.to_string(), host.to_string(), with_slug(template, position));
            let siblings = self.siblings.entry(family).or_default().entry(*shape).or_default();
            if siblings.len() < SLUG_SIBLINGS {
                siblings.insert(text);
            }
            if siblings.len() >= SLUG_SIBLINGS && self.learned.learn(host, &parent) {
                for word in words_of_their_own(store, (method, host), (position, &parent), siblings, *shape) {
                    self.learned.keep(host, &parent, &word);
                }
                self.fold_siblings(store, host);
            }
        }
    }

    /// Names that differ in their numbers only are values, whatever is answered: parts of a film, tags of a release. Versions with
    /// something below them are none.
    fn note_numbered(&mut self, store: &Store, host: &str, template: &str) {
        let last = segments(template).count().saturating_sub(1);
        let mut is_learned = false;
        for segment in segments(template).filter(|segment| !segment.is_parameter) {
            let Some(name) = numberless(segment.text, segment.position < last) else { continue };
            if self.numbered.len() >= MOST_FAMILIES {
                self.numbered.clear();
            }
            let siblings = self.numbered.entry((host.to_string(), format!("{}/{name}", segment.prefix))).or_default();
            if siblings.len() < SLUG_SIBLINGS {
                siblings.insert(segment.text.to_owned());
            }
            if siblings.len() >= SLUG_SIBLINGS {
                is_learned |= self.learned.learn_numbered(host, segment.prefix, segment.text);
            }
        }
        if is_learned {
            self.numbered.retain(|(of_host, _), _| of_host != host);
            self.fold_siblings(store, host);
        }
    }

    /// Merges the endpoints that have become one.
    fn fold_siblings(&mut self, store: &Store, host: &str) {
        let mut moved: Vec<(u64, String)> = store
            .endpoints
            .iter()
            .filter(|entry| &*entry.host == host)
            .filter_map(|entry| Some((*entry.key(), self.rewritten(host, &entry.template)?)))
            .collect();
        moved.sort_unstable();
        for (old, template) in moved {
            let Some((_, mut state)) = store.endpoints.remove(&old) else { continue };
            let key = self.endpoint_key(&state.method, host, &template);
            store.changes.note(Kind::Endpoint, [old, key]);
            state.template = Arc::from(template);
            match store.endpoints.get_mut(&key) {
                Some(mut kept) => kept.adopt(state),
                None => {
                    store.endpoints.insert(key, state);
                }
            }
        }
        self.siblings.retain(|(_, family_host, _), _| family_host != host);
    }

    fn rebuild(&mut self, store: &Store) {
        let mut inventory = Inventory { learned: self.learned.clone(), ..Inventory::default() };
        for entry in store.endpoints.iter() {
            inventory.endpoints.insert(*entry.key());
            if is_open(&entry) {
                inventory.open.insert(*entry.key());
            }
            if !inventory.hosts.contains(&*entry.host) {
                inventory.hosts.insert(Box::from(&*entry.host));
            }
            if let Some(habit) = habit_of(&entry) {
                inventory.logins.insert(*entry.key(), habit);
            }
        }
        self.current = Arc::new(inventory);
    }
}

/// Segments below `parent` that stay words, though others there turned out to be values: what looks different and has been
/// used for long, or has something below it, or another method, that is of no other.
fn words_of_their_own(
    store: &Store,
    (method, host): (&str, &str),
    (position, parent): (usize, &str),
    alike: &BTreeSet<String>,
    shape: u64,
) -> BTreeSet<String> {
    let mut uses: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    let (mut kept, mut values) = (BTreeSet::new(), alike.clone());
    for state in store.endpoints.iter().filter(|state| &*state.host == host) {
        let Some(segment) = segments(&state.template).nth(position) else { continue };
        if segment.is_parameter || segment.prefix != parent {
            continue;
        }
        let behind = state.template.get(parent.len() + 1 + segment.text.len()..).unwrap_or_default();
        let is_like_others = state.shapes.iter().any(|(other, _)| other == shape);
        if behind.is_empty() && &*state.method == method {
            if is_like_others {
                values.insert(segment.text.to_owned());
            } else if state.tally.requests >= WORD_REQUESTS {
                kept.insert(segment.text.to_owned());
            }
            continue;
        }
        uses.entry((state.method.to_string(), behind.to_owned())).or_default().push(segment.text.to_owned());
    }
    for words in uses.into_values() {
        let known = words.iter().filter(|word| values.contains(*word)).count();
        // Where most are values, so are the others, that were not yet asked for by themselves.
        let are_values = 2 * known > words.len();
        let is_word = |word: &String| PRONOUNS.contains(&&**word) || !are_values && !values.contains(word);
        let is_shared = words.len() > 1;
        kept.extend(words.into_iter().filter(|word| !is_shared || is_word(word)));
    }
    kept
}

fn is_open(state: &EndpointState) -> bool {
    state.circle.as_deref().is_some_and(Circle::is_open)
}

fn habit_of(state: &EndpointState) -> Option<LoginHabit> {
    let sessions = &state.login_sessions;
    (sessions.total >= SESSION_ATTEMPTS)
        .then(|| LoginHabit { successes_carry_session: sessions.share() >= SESSION_SHARE })
}

impl EndpointState {
    /// Takes in the state of an endpoint that turned out to be the same.
    fn adopt(&mut self, other: EndpointState) {
        self.documented = self.documented.or(other.documented);
        self.moment.merge(other.moment);
        self.is_learned |= other.is_learned;
        self.tally.merge(other.tally);
        self.successes += other.successes;
        for (mine, theirs) in self.credentials.iter_mut().zip(other.credentials) {
            *mine += theirs;
        }
        self.clients.merge(&other.clients);
        self.principals.merge(&other.principals);
        if let Some(circle) = other.circle {
            self.circle.get_or_insert_default().join(*circle);
        }
        if let Some(owners) = other.owners {
            self.owners.get_or_insert_default().join(*owners);
        }
        for (mine, theirs) in self.data_values.iter_mut().zip(other.data_values) {
            *mine += theirs;
        }
        self.shapes.merge(&other.shapes);
        self.pages += other.pages;
        // Histograms of one precision always take each other in.
        for (mine, theirs) in [
            (&mut self.latency, &other.latency),
            (&mut self.sizes, &other.sizes),
            (&mut self.records, &other.records),
            (&mut self.sensitive_values, &other.sensitive_values),
            (&mut self.reach, &other.reach),
        ] {
            let _ = mine.add(theirs);
        }
        self.pace.join(&other.pace);
        self.page_sizes.merge(other.page_sizes);
        self.uses.merge(other.uses);
        self.exposure.join(&other.exposure);
        self.open_exposure.join(&other.open_exposure);
        self.errors.add_share(&other.errors);
        self.failures.add_share(&other.failures);
        self.login_failures.add_share(&other.login_failures);
        self.login_nonsense.add_share(&other.login_nonsense);
        self.login_sessions.add_share(&other.login_sessions);
        self.account_flow = self.account_flow.max(other.account_flow);
        self.strange_failures.add_share(&other.strange_failures);
        self.strange_calls.add_share(&other.strange_calls);
        if let Some(parameters) = other.parameters {
            self.parameters.get_or_insert_default().join(*parameters);
        }
        self.last_window = self.last_window.max(other.last_window);
        if self.is_learned {
            self.stranger = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::an_endpoint;

    const HOST: &str = "shop.test";

    /// What is left of these endpoints (method, template, look, requests), each seen once.
    fn templates_of(endpoints: &[(&str, String, u64, u64)]) -> Vec<String> {
        let (store, mut builder) = (Store::default(), InventoryBuilder::new(HashKey::new([7; 16])));
        for (index, (method, template, look, requests)) in endpoints.iter().enumerate() {
            let mut window = Window::default();
            let mut endpoint = an_endpoint(method, HOST, template);
            endpoint.is_made = true;
            endpoint.tally.requests = *requests;
            endpoint.shapes.insert(*look, *look);
            window.endpoints.put(builder.endpoint_key(method, HOST, template), endpoint);
            builder.settle(&mut window);
            let touched = store.absorb(1000 + index as i64, window, true);
            builder.update(&store, &touched);
        }
        let mut left: Vec<String> =
            store.endpoints.iter().map(|state| format!("{} {}", state.method, state.template)).collect();
        left.sort_unstable();
        left
    }

    fn pages(count: usize, parent: &str) -> impl Iterator<Item = (&'static str, String, u64, u64)> {
        (0..count).map(move |nth| ("GET", format!("{parent}/page-{}", ["a", "b", "c"][nth % 3].repeat(nth + 1)), 5, 1))
    }

    #[test]
    fn operations_answer_alike_and_stay_apart() {
        let calls: Vec<_> = (0..20).map(|nth| ("POST", format!("/rpc#method{}", "x".repeat(nth)), 5, 1)).collect();
        assert_eq!(templates_of(&calls).len(), 20);
        let with_pages: Vec<_> = calls.into_iter().take(1).chain(pages(14, "")).collect();
        assert_eq!(templates_of(&with_pages), ["GET /{id}", "POST /rpc#method"]);
    }

    #[test]
    fn alike_answers_make_their_segment_a_value_with_what_is_below() {
        let comments = ["page-a", "page-bb"].map(|page| ("GET", format!("/articles/{page}/comments"), 6, 1));
        let endpoints: Vec<_> = comments.into_iter().chain(pages(14, "/articles")).collect();
        assert_eq!(templates_of(&endpoints), ["GET /articles/{id}", "GET /articles/{id}/comments"]);
        assert_eq!(templates_of(&pages(11, "/articles").collect::<Vec<_>>()).len(), 11);
        // A method of some that were not yet asked for by themselves, and more than those by which it is learned.
        let many = (0..20).map(|nth| ("GET", format!("/people/{}", "x".repeat(nth + 3)), 5, 1));
        let changed = (3..15).map(|nth| ("PUT", format!("/people/{}/email", "x".repeat(nth + 3)), 6, 1));
        let own = [("GET", "/people/me/email".to_owned(), 7, 1), ("GET", "/people/xxxxxxx/email".to_owned(), 7, 1)];
        let endpoints: Vec<_> = own.into_iter().chain(changed).chain(many).collect();
        assert_eq!(
            templates_of(&endpoints),
            ["GET /people/me/email", "GET /people/{id}", "GET /people/{id}/email", "PUT /people/{id}/email"]
        );
    }

    #[test]
    fn names_that_count_are_one_whatever_is_answered() {
        let numbered = |count: u64, name: fn(u64) -> String| (0..count).map(move |nth| ("GET", name(nth), nth, 1));
        let parts = numbered(14, |nth| format!("/live/part{}.ts", 990 + nth));
        let list = [("GET", "/live/index.m3u8".to_owned(), 99, 1)];
        assert_eq!(
            templates_of(&list.into_iter().chain(parts).collect::<Vec<_>>()),
            ["GET /live/index.m3u8", "GET /live/{id}.ts"]
        );
        assert_eq!(
            templates_of(&numbered(14, |nth| format!("/tags/v1.{nth}.2")).collect::<Vec<_>>()),
            ["GET /tags/{id}"]
        );
        assert_eq!(templates_of(&numbered(14, |nth| format!("/v{nth}/me")).collect::<Vec<_>>()).len(), 14);
        assert_eq!(templates_of(&numbered(11, |nth| format!("/step{nth}")).collect::<Vec<_>>()).len(), 11);
    }

    #[test]
    fn words_that_have_a_life_of_their_own_stay() {
        let own = [
            ("GET", "/api/profile", 1, 300),
            ("GET", "/api/orders", 2, 300),
            ("POST", "/account/login", 3, 300),
            ("GET", "/v1/users", 4, 20),
            ("GET", "/v2/users", 4, 20),
            ("GET", "/health", 9, 60),
            ("POST", "/search", 8, 10),
        ];
        let own = own.map(|(method, path, look, requests)| (method, path.to_owned(), look, requests));
        let endpoints: Vec<_> = own.iter().cloned().chain(pages(20, "")).collect();
        let mut expected: Vec<String> = own.iter().map(|(method, path, ..)| format!("{method} {path}")).collect();
        expected.push("GET /{id}".into());
        expected.sort_unstable();
        assert_eq!(templates_of(&endpoints), expected);
    }
}
