//! All descriptions together: the operation of a request, found by host, path and method.
//!
//! A look-up asks the descriptions of that very host first, then those whose server has a template for the host, then
//! those that leave the host open. A server on the developer's own machine (`localhost`, `127.0.0.1`) is taken as open:
//! it says where the description was written, not where the API is met on the wire.

use super::trie::{Endpoint, Pattern, Shape, Trie};
use super::{Description, Operation, Server};
use crate::api::url::PathSegments;
use hashbrown::HashMap;

/// What a description says of a request.
#[derive(Clone, Copy, Debug)]
pub struct Match<'a> {
    /// The template with base path, as the description writes it.
    pub template: &'a str,
    /// The operation; of GET for a HEAD that has none of its own. `None` where the path has no such method.
    pub operation: Option<&'a Operation>,
    /// Whether this method of this path is described. HEAD is with GET (RFC 9110 §9.3.2), OPTIONS always is: CORS
    /// preflights and capability requests are the server framework's, and no description lists them.
    pub documented: bool,
    /// The description that has the path.
    pub description: &'a Description,
}

/// An operation that is described, and that nobody asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Orphan<'a> {
    /// `None` where the description leaves it open.
    pub host: Option<&'a str>,
    /// With base path, as the description writes it.
    pub template: String,
    pub method: &'a str,
}

/// The descriptions of a run.
#[derive(Debug, Default)]
pub struct Catalogue {
    descriptions: Vec<Description>,
    hosts: HashMap<Box<str>, Trie, foldhash::fast::FixedState>,
    templates: Vec<(HostTemplate, Trie)>,
    any_host: Option<Trie>,
}

/// A host with variables, label by label.
#[derive(Clone, Debug, PartialEq, Eq)]
struct HostTemplate(Vec<Label>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Label {
    Literal(String),
    Any,
    Pattern(Pattern),
}

impl HostTemplate {
    fn of(host: &str) -> HostTemplate {
        let label = |text| match Pattern::of(text) {
            Shape::Literal(literal) => Label::Literal(literal.to_owned()),
            Shape::Parameter => Label::Any,
            Shape::Pattern(pattern) => Label::Pattern(pattern),
        };
        HostTemplate(host.split('.').map(label).collect())
    }

    fn matches(&self, host: &str) -> bool {
        let mut labels = host.split('.');
        self.0.iter().all(|label| match (label, labels.next()) {
            (Label::Literal(literal), Some(text)) => literal == text,
            (Label::Any, Some(text)) => !text.is_empty(),
            (Label::Pattern(pattern), Some(text)) => pattern.matches(text),
            (_, None) => false,
        }) && labels.next().is_none()
    }
}

impl Catalogue {
    pub fn new(descriptions: Vec<Description>) -> Catalogue {
        let mut catalogue = Catalogue::default();
        for (at, description) in descriptions.iter().enumerate() {
            for server in &description.servers {
                catalogue.trie_of(server).insert_base(&server.base_path);
            }
            for (nth, operation) in description.operations.iter().enumerate() {
                let servers = if operation.servers.is_empty() { &description.servers } else { &operation.servers };
                for server in servers {
                    let template = format!("{}{}", server.base_path, operation.path);
                    // A command line has no four billion descriptions, nor a document of 32 MiB as many operations.
                    catalogue.trie_of(server).insert(&template, &operation.method, (at as u32, nth as u32));
                }
            }
        }
        catalogue.descriptions = descriptions;
        catalogue
    }

    fn trie_of(&mut self, server: &Server) -> &mut Trie {
        match server.host.as_deref().filter(|host| !is_developers_own(host)) {
            None => self.any_host.get_or_insert_default(),
            Some(host) if host.contains('{') => {
                let template = HostTemplate::of(host);
                let at = self.templates.iter().position(|(known, _)| *known == template).unwrap_or_else(|| {
                    self.templates.push((template, Trie::default()));
                    self.templates.len() - 1
                });
                &mut self.templates[at].1 // found or just pushed
            }
            Some(host) => self.hosts.entry_ref(host).or_default(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.descriptions.is_empty()
    }

    pub fn descriptions(&self) -> &[Description] {
        &self.descriptions
    }

    /// The operations that are none of the endpoints seen (method, host and template), each once, under its first server.
    pub fn orphans(&self, seen: impl Iterator<Item = (String, String, String)>) -> Vec<Orphan<'_>> {
        let mut hosts: HashMap<(String, String), Vec<String>> = HashMap::new();
        for (method, host, template) in seen {
            hosts.entry((method, template)).or_default().push(host);
        }
        let mut orphans = Vec::new();
        for description in &self.descriptions {
            for operation in &description.operations {
                let servers = if operation.servers.is_empty() { &description.servers } else { &operation.servers };
                let template = |server: &Server| format!("{}{}", server.base_path, operation.path);
                let is_seen = servers.iter().any(|server| {
                    let asked = hosts.get(&(operation.method.clone(), template(server)));
                    asked.is_some_and(|hosts| hosts.iter().any(|host| is_of(server, host)))
                });
                if let Some(server) = servers.first().filter(|_| !is_seen) {
                    let host = server.host.as_deref().filter(|host| !is_developers_own(host));
                    orphans.push(Orphan { host, template: template(server), method: &operation.method });
                }
            }
        }
        orphans.sort();
        orphans.dedup();
        orphans
    }

    /// The tries that may know a host, most specific first.
    fn tries(&self, host: &str) -> impl Iterator<Item = &Trie> {
        let templates = self.templates.iter().filter(move |(template, _)| template.matches(host)).map(|(_, trie)| trie);
        self.hosts.get(host).into_iter().chain(templates).chain(&self.any_host)
    }

    /// What the descriptions say of a request. `method` as on the wire, `host` normalised
    /// ([`crate::api::url::normalise_host`]), `path` as on the wire without query. `None` where no description has the
    /// path; with `documented: false` where one has it with other methods only.
    pub fn lookup(&self, method: &str, host: &str, path: &str) -> Option<Match<'_>> {
        let segments = PathSegments::of(path);
        if segments.is_cut {
            return None;
        }
        let mut other = None;
        for trie in self.tries(host) {
            let Some(endpoint) = trie.find(&segments.list, method) else { continue };
            let found = self.matched(endpoint, method)?;
            if found.documented {
                return Some(found);
            }
            other = other.or(Some(found));
        }
        other
    }

    fn matched<'a>(&'a self, endpoint: &'a Endpoint, method: &str) -> Option<Match<'a>> {
        let own = endpoint.operation(method);
        let index = own.or_else(|| endpoint.operation("GET").filter(|_| method == "HEAD"));
        // An endpoint has at least one method: it is made with its first.
        let (description, _) = index.or_else(|| endpoint.methods.first().map(|(_, index)| *index))?;
        let description = self.descriptions.get(description as usize)?;
        let operation = index.and_then(|(_, operation)| description.operations.get(operation as usize));
        let documented = operation.is_some() || method == "OPTIONS";
        Some(Match { template: &endpoint.template, operation, documented, description })
    }

    /// Whether a description has this path with any method.
    pub fn path_known(&self, host: &str, path: &str) -> bool {
        self.lookup("", host, path).is_some()
    }

    /// Whether a description is about this host. One that leaves the host open is about every host; ask
    /// [`Catalogue::covers`] to have the path looked at too.
    pub fn covers_host(&self, host: &str) -> bool {
        self.tries(host).next().is_some()
    }

    /// Whether a description is about this host and the path lies below its base path: there, what no description
    /// names is undocumented.
    pub fn covers(&self, host: &str, path: &str) -> bool {
        let segments = PathSegments::of(path);
        self.tries(host).any(|trie| trie.covers(&segments.list))
    }
}

/// Whether a host may be that of a server.
fn is_of(server: &Server, host: &str) -> bool {
    match server.host.as_deref().filter(|named| !is_developers_own(named)) {
        None => true,
        Some(named) if named.contains('{') => HostTemplate::of(named).matches(host),
        Some(named) => named == host,
    }
}

fn is_developers_own(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || host.starts_with("127.")
        || matches!(host, "0.0.0.0" | "[::1]" | "[::]")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogue(servers: &str, paths: &[(&str, &str)]) -> Catalogue {
        Catalogue::new(vec![description(servers, paths)])
    }

    fn description(servers: &str, paths: &[(&str, &str)]) -> Description {
        let item = |methods: &str| methods.split(' ').map(|m| format!("{m}: {{}}")).collect::<Vec<_>>().join(", ");
        let text: String =
            paths.iter().map(|(path, methods)| format!("  \"{path}\": {{{}}}\n", item(methods))).collect();
        let text = format!("openapi: 3.1.0\ninfo: {{title: x, version: '1'}}\nservers: {servers}\npaths:\n{text}");
        let path = std::env::temp_dir().join("nowhere");
        let mut faults = Vec::new();
        let document = super::super::document::read(text.as_bytes(), "x").unwrap_or_else(|error| panic!("{error}"));
        let version = super::super::operations::version_of(&document.root).unwrap();
        let mut description = super::super::operations::describe(&document.root, &version, &mut faults).0;
        description.file = path;
        description
    }

    fn template<'a>(catalogue: &'a Catalogue, method: &str, path: &str) -> Option<(&'a str, bool)> {
        catalogue.lookup(method, "shop.test", path).map(|found| (found.template, found.documented))
    }

    #[test]
    fn concrete_goes_before_templated() {
        let paths = [
            ("/pets/{id}", "get delete"),
            ("/pets/mine", "get"),
            ("/pets/{id}/toys", "get"),
            ("/pets/mine/food", "get"),
            ("/report.{format}", "get"),
            ("/report.{format}.gz", "get"),
            ("/{a}-{b}", "get"),
            ("/{any}", "get"),
            ("/files/{path+}", "get"),
            ("/", "get"),
            ("/users/", "get"),
            ("/jobs/{id}:cancel", "post"),
            ("/caf%C3%A9", "get"),
            ("/a b", "get"),
        ];
        let catalogue = catalogue("[{url: /}]", &paths);
        for (method, path, expected) in [
            ("GET", "/pets/mine", Some(("/pets/mine", true))),
            ("GET", "/pets/7", Some(("/pets/{id}", true))),
            ("GET", "/pets/7/", Some(("/pets/{id}", true))),
            ("GET", "//pets/./7", Some(("/pets/{id}", true))),
            ("DELETE", "/pets/mine", Some(("/pets/{id}", true))),
            ("GET", "/pets/mine/toys", Some(("/pets/{id}/toys", true))),
            ("GET", "/report.pdf", Some(("/report.{format}", true))),
            ("GET", "/report.pdf.gz", Some(("/report.{format}.gz", true))),
            ("GET", "/report.", Some(("/{any}", true))),
            ("GET", "/x-y", Some(("/{a}-{b}", true))),
            ("GET", "/x-", Some(("/{any}", true))),
            ("GET", "/x", Some(("/{any}", true))),
            ("GET", "/files/a/b/c", Some(("/files/{path+}", true))),
            ("GET", "/", Some(("/", true))),
            ("GET", "/users", Some(("/users/", true))),
            ("POST", "/jobs/7:cancel", Some(("/jobs/{id}:cancel", true))),
            ("GET", "/a%20b", Some(("/a b", true))),
            ("PATCH", "/pets/7", Some(("/pets/{id}", false))),
            ("HEAD", "/pets/7", Some(("/pets/{id}", true))),
            ("HEAD", "/jobs/7:cancel", Some(("/jobs/{id}:cancel", false))),
            ("OPTIONS", "/pets/7", Some(("/pets/{id}", true))),
            ("GET", "/pets/7/food", None),
            ("GET", "/no/such/path", None),
            ("get", "/pets/7", Some(("/pets/{id}", false))),
        ] {
            assert_eq!(template(&catalogue, method, path), expected, "{method} {path}");
        }
        assert!(catalogue.path_known("shop.test", "/pets/7") && !catalogue.path_known("shop.test", "/no/such"));
        assert!(catalogue.lookup("OPTIONS", "shop.test", "/pets/7").is_some_and(|found| found.operation.is_none()));
    }

    #[test]
    fn the_host_decides_which_description_speaks() {
        let regional = "[{url: 'https://{region}.shop.test/v1', variables: {region: {default: eu}}}]";
        let all = Catalogue::new(vec![
            description("[{url: 'https://API.shop.test:8443/v1/'}]", &[("/a", "get")]),
            description(regional, &[("/b", "get"), ("/a", "post")]),
            description("[{url: 'http://localhost:8888'}, {url: /open}]", &[("/c", "get")]),
        ]);
        let found = |host: &str, method: &str, path: &str| all.lookup(method, host, path).map(|found| found.template);
        assert_eq!(found("api.shop.test", "GET", "/v1/a"), Some("/v1/a"));
        assert_eq!(found("api.shop.test", "POST", "/v1/a"), Some("/v1/a"), "another description has the method");
        assert_eq!(found("us.shop.test", "GET", "/v1/b"), Some("/v1/b"));
        assert_eq!(found("us.shop.test", "GET", "/v1/a").zip(Some(())), Some(("/v1/a", ())));
        assert_eq!(found("a.us.shop.test", "GET", "/v1/b"), None);
        assert_eq!(found("any.test", "GET", "/c"), Some("/c"), "a developer's own machine stands for any");
        assert_eq!(found("any.test", "GET", "/open/c"), Some("/open/c"));
        assert_eq!(found("any.test", "GET", "/v1/a"), None);
    }

    #[test]
    fn a_description_covers_what_lies_below_its_base_path() {
        let one = catalogue("[{url: 'https://shop.test/v1'}]", &[("/a", "get")]);
        assert!(one.covers_host("shop.test") && !one.covers_host("other.test"));
        assert!(one.covers("shop.test", "/v1/unknown") && !one.covers("shop.test", "/v2/a"));
        let open = catalogue("[{url: /api}]", &[("/a", "get")]);
        assert!(open.covers_host("any.test") && open.covers("any.test", "/api/x") && !open.covers("any.test", "/x"));
        let versions = catalogue("[{url: 'https://shop.test/{v}', variables: {v: {default: v1}}}]", &[("/a", "get")]);
        assert!(versions.covers("shop.test", "/v7/x"));
        assert_eq!(template(&versions, "GET", "/v1/a"), Some(("/v1/a", true)));
        assert_eq!(template(&versions, "GET", "/v7/a"), Some(("/{v}/a", true)));
        let none = Catalogue::new(Vec::new());
        assert!(none.is_empty() && !none.covers_host("shop.test") && none.lookup("GET", "shop.test", "/").is_none());
    }

    #[test]
    fn a_path_that_branches_everywhere_is_searched_in_bounded_steps() {
        let paths: Vec<String> = (0..1 << 12)
            .map(|n: u32| (0..12).map(|bit| if n >> bit & 1 == 0 { "/a" } else { "/{x}" }).collect())
            .collect();
        let paths: Vec<(&str, &str)> = paths.iter().map(|path| (path.as_str(), "get")).collect();
        let catalogue = catalogue("[{url: /}]", &paths);
        let start = std::time::Instant::now();
        for _ in 0..100 {
            assert!(catalogue.lookup("GET", "x", &format!("{}/b/b", "/a".repeat(12))).is_none());
        }
        assert!(start.elapsed() < std::time::Duration::from_secs(2), "{:?}", start.elapsed());
    }
}
