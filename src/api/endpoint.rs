//! The endpoint that a request is for: of its path, or of the operation that it names within.
//!
//! In: the request's line, what its message calls, and the answer that served it; the snapshot. Out: an [`Endpoint`]. Names of
//! operations are the client's to choose, so one counts only where the inventory knows it or a server answers in the
//! protocol's own form; all else is its path's.

use super::openapi::{Match, Operation};
use super::snapshot::Snapshot;
use super::template::{self, TemplateBuf};
use super::{join_hash, url};
use crate::hash::HashKey;
use crate::http::{Field, Message};
use crate::inspect::{self, BodyReport, Calls, Protocol};
use std::borrow::Cow;

/// What the first line of a request and its host say.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    pub method: &'a str,
    pub host: &'a str,
    pub path: &'a str,
    pub query: Option<&'a str>,
}

pub(super) struct Endpoint<'a> {
    /// Keyed hash of method, host and template.
    pub key: u64,
    pub template: &'a str,
    /// What the path is by its looks, whatever a description says.
    pub of_path: &'a TemplateBuf,
    pub described: Option<Match<'a>>,
    /// Whether a description has it; `None` where none is for the host.
    pub documented: Option<bool>,
    is_of_operation: bool,
}

impl<'a> Endpoint<'a> {
    /// The operation that the request calls within its message.
    pub fn called(&self) -> Option<&'a str> {
        template::operation_of(self.template).filter(|_| self.is_of_operation)
    }

    /// The operation that a description has for it.
    pub fn operation(&self) -> Option<&'a Operation> {
        self.described.and_then(|found| found.operation)
    }

    pub fn by_description(&self) -> Option<&'a str> {
        self.described.map(|found| found.template)
    }
}

/// Finds endpoints. Its buffers are reused.
#[derive(Default)]
pub(super) struct Endpoints {
    of_path: TemplateBuf,
    with_operation: String,
}

impl Endpoints {
    /// `served` is the answer, where it is a success.
    pub fn find<'a>(
        &'a mut self,
        line: Line<'_>,
        calls: Option<&Calls>,
        served: Option<&Message<BodyReport>>,
        snapshot: &'a Snapshot,
        key: &HashKey,
        scratch: &mut Vec<u8>,
    ) -> Endpoint<'a> {
        let Line { method, host, path, .. } = line;
        let catalogue = &snapshot.settings.catalogue;
        let inventory = &snapshot.inventory;
        let described = catalogue.lookup(method, host, path);
        template::template_with(path, host, &inventory.learned, &mut self.of_path);
        let template = described.map_or(self.of_path.template(), |found| found.template);
        let mut endpoint = Endpoint {
            key: join_hash(key, scratch, &[method, host, template]),
            template,
            of_path: &self.of_path,
            described,
            documented: match described {
                Some(found) => Some(found.documented),
                None => catalogue.covers_host(host).then_some(false),
            },
            is_of_operation: false,
        };
        let of_message = calls.filter(|calls| !calls.operation.is_empty());
        let in_query = || line.query.and_then(|query| operation_in_query(path, query));
        if let Some(operation) = of_message.map(|calls| &*calls.operation).or_else(in_query) {
            template::with_operation(template, operation, &mut self.with_operation);
            let of_operation = join_hash(key, scratch, &[method, host, &self.with_operation]);
            let is_answered =
                || served.is_some_and(|response| of_message.is_none_or(|calls| answers(calls.protocol, response)));
            if inventory.endpoints.contains(&of_operation) || is_answered() {
                (endpoint.key, endpoint.template) = (of_operation, &self.with_operation);
                endpoint.is_of_operation = true;
            }
        }
        endpoint
    }
}

/// Parameters by which one path serves many operations: `/api?method=otp.verify`, `/wp-admin/admin-ajax.php?action=heartbeat`.
const OPERATION_PARAMETERS: [&str; 7] = ["method", "action", "op", "operation", "cmd", "command", "func"];
/// Last segments of such paths, and the extensions of scripts.
const DISPATCHERS: [&str; 8] = ["api", "rest", "rpc", "ajax", "service", "services", "gateway", "dispatch"];
const SCRIPTS: [&str; 8] = ["php", "ashx", "aspx", "asp", "jsp", "do", "cgi", "cfm"];
/// Longest name of an operation.
const OPERATION_BYTES: usize = 64;

/// The operation that the query of a path names which serves many.
fn operation_in_query<'q>(path: &str, query: &'q str) -> Option<&'q str> {
    let last = path.trim_end_matches('/').rsplit('/').next()?;
    let is_one_of = |known: &[&str], word: &str| known.iter().any(|known| word.eq_ignore_ascii_case(known));
    let is_script = || last.rsplit_once('.').is_some_and(|(_, extension)| is_one_of(&SCRIPTS, extension));
    if !is_one_of(&DISPATCHERS, last) && !is_script() {
        return None;
    }
    let mut parameters = url::QueryParameters::of(query);
    let (_, name) = parameters.find(|(parameter, _)| is_one_of(&OPERATION_PARAMETERS, parameter))?;
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b':');
    let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.len() <= OPERATION_BYTES
        && name.bytes().all(is_part);
    is_name.then_some(name)
}

/// What a request calls: in its body, or by a GraphQL document in its query. GraphQL is believed where the path says so: other APIs
/// have a `query`, too, and whoever asks them could name what he likes.
pub(super) fn calls_of<'a>(request: &'a Message<BodyReport>, line: Line<'_>, key: &HashKey) -> Option<Cow<'a, Calls>> {
    let speaks_graphql = || {
        let word = |segment: &str| segment.to_ascii_lowercase();
        line.path
            .split('/')
            .map(word)
            .any(|segment| segment.contains("graphql") || segment == "gql" || segment == "graph")
    };
    let of_body = request.report.as_ref().and_then(|report| report.calls.as_deref());
    if let Some(calls) = of_body {
        return (calls.protocol != Protocol::GraphQl || speaks_graphql()).then_some(Cow::Borrowed(calls));
    }
    let (_, document) = url::QueryParameters::of(line.query?).find(|(name, _)| *name == "query")?;
    if !speaks_graphql() {
        return None;
    }
    let calls = inspect::in_document(url::percent_decode(document.as_bytes(), true, &mut Vec::new()), key)?;
    Some(Cow::Owned(*calls))
}

/// Whether an answer is of a protocol, by its looks.
fn answers(protocol: Protocol, response: &Message<BodyReport>) -> bool {
    let kind = response.head.get(Field::ContentType).unwrap_or_default();
    let is_of = |name: &[u8]| kind.windows(name.len()).any(|part| part.eq_ignore_ascii_case(name));
    match protocol {
        Protocol::GraphQl => is_of(b"json"),
        Protocol::JsonRpc => response.report.as_ref().is_some_and(|report| report.is_rpc),
        Protocol::Xml => is_of(b"xml"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_serves_many_operations_names_one_in_its_query() {
        for (path, query, operation) in [
            ("/api", "method=otp.verify", Some("otp.verify")),
            ("/v1/rest/", "format=json&Method=flickr.photos.search", Some("flickr.photos.search")),
            ("/wp-admin/admin-ajax.php", "action=heartbeat&x=1", Some("heartbeat")),
            ("/cgi-bin/status.cgi", "cmd=getUser", Some("getUser")),
            ("/api/orders", "action=list", None),
            ("/api", "action=1", None),
            ("/api", "method=a%20b", None),
            ("/api", "page=2", None),
        ] {
            assert_eq!(operation_in_query(path, query), operation, "{path}?{query}");
        }
    }
}
