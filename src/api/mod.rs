//! What a transaction means: endpoint, client, principal, attempt at an account, object, sensitive data.
//!
//! A transaction with what `inspect` found in its bodies in, one [`Observation`] out. Everything is decided from the
//! transaction and an immutable [`Snapshot`]; the interpreter's own state only saves work, and chooses what is shown. Nothing
//! secret leaves it: credentials, user names and passwords are keyed hashes from here on.

mod account;
mod attempt;
mod endpoint;
mod identity;
mod login;
mod object;
pub mod openapi;
pub mod parameters;
pub mod snapshot;
pub mod template;
pub mod url;

pub use account::{AccountFlow, Attempt};
pub use identity::{CredentialKind, Credentials};
pub use login::Outcome;
pub use object::Object;
pub use snapshot::{Inventory, LoginHabit, Settings, Snapshot};

use crate::hash::{HashKey, mix};
use crate::http::{Ambiguity, Field, Head, Marks, Message, Transaction};
use crate::inspect::{self, BodyReport, Calls, DataClass, Injections};
use crate::packet::Peer;
use crate::time::Timestamp;
use attempt::Asked;
use endpoint::{Endpoint, Endpoints, Line, calls_of};
use object::Named;
use parameters::Stray;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;
use url::RequestTarget;

/// What one transaction means. Text borrows from the transaction or the interpreter.
#[derive(Debug)]
pub struct Observation<'a> {
    /// When the transaction was over, or later, where its window is closed: the window it counts in.
    pub time: Timestamp,
    pub started: Timestamp,
    pub flow_id: u64,
    pub index: u32,
    pub client_peer: Peer,
    pub server_peer: Peer,
    pub client: IpAddr,
    pub method: Cow<'a, str>,
    pub host: Cow<'a, str>,
    pub target: Cow<'a, str>,
    pub template: &'a str,
    /// Keyed hash of method, host and template.
    pub endpoint: u64,
    /// Keyed hash of host and path.
    pub path: u64,
    /// Whether the inventory knows this endpoint.
    pub is_known: bool,
    /// Whether it serves many accounts.
    pub is_open: bool,
    /// Whether this transaction makes it one.
    pub makes_endpoint: bool,
    pub documented: Option<bool>,
    /// A description says that it is on its way out.
    pub is_deprecated: bool,
    /// 0 without a response.
    pub status: u16,
    pub credentials: Option<Credentials>,
    /// It may have had credentials that nobody could read (HTTP/2, when what it refers to was not seen), or that name nobody here
    /// (the signature of a message or a link, an earlier request of the connection).
    pub may_have_credentials: bool,
    /// The principal, once the server accepted it.
    pub principal: Option<u64>,
    pub attempt: Option<Attempt>,
    /// Those of the other calls in the same request.
    pub further_attempts: Vec<Attempt>,
    /// Its credentials last, and were not seen lately: worth showing.
    pub is_waking: bool,
    pub object: Option<Object>,
    /// Parameters of an accepted request that its operation does not declare, or that ask for more than users have.
    pub strays: SmallVec<[Stray; 1]>,
    pub latency: Option<Duration>,
    pub request_bytes: u64,
    pub response_bytes: u64,
    pub response: Option<&'a BodyReport>,
    /// The response is a page or text, not data: its look may be that of any path.
    pub is_page: bool,
    /// A success whose body does not say otherwise.
    pub is_success: bool,
    pub user_agent: Option<Cow<'a, str>>,
    /// Levels of the GraphQL document that it sends.
    pub depth: u32,
    /// How many rows it asks for at once.
    pub page_size: Option<u64>,
    /// The protocol and its version, as it is written.
    pub protocol: &'static str,
    /// Bytes of it came twice, and the copies differ.
    pub is_disputed: bool,
    /// Why two parsers may disagree where the request ends.
    pub ambiguity: Option<Ambiguity>,
    /// Client and server did disagree: the answer is to a part of a request.
    pub is_desync: bool,
    /// Code for the server, and addresses for it to go to.
    pub injections: Injections,
}

impl Observation<'_> {
    pub fn is_client_error(&self) -> bool {
        (400..500).contains(&self.status)
    }

    pub fn is_server_error(&self) -> bool {
        (500..600).contains(&self.status)
    }

    /// Whether it is in a sample of one in so many transactions, which is the same whatever the order.
    pub fn is_one_in(&self, count: u64) -> bool {
        mix(self.flow_id ^ u64::from(self.index)).is_multiple_of(count)
    }

    /// A request without credentials, beyond doubt.
    pub fn is_anonymous(&self) -> bool {
        self.credentials.is_none() && !self.may_have_credentials
    }

    /// Nobody guesses such an object, and there is none: a dead link, or the question before an upload.
    pub fn is_dead_link(&self) -> bool {
        self.is_known && matches!(self.status, 404 | 410) && self.object.is_some_and(|object| object.is_opaque)
    }

    /// What it carries may be read as another number of requests than were sent.
    pub fn is_smuggling(&self) -> bool {
        self.ambiguity.is_some() || self.is_desync
    }

    /// Sensitive data in the response, other than what opens a session.
    pub fn is_sensitive(&self) -> bool {
        self.response.is_some_and(|report| report.classes.iter().any(|class| class.class != DataClass::Jwt))
    }
}

/// Reads the transactions of a partition. Buffers are reused.
pub struct Interpreter {
    key: HashKey,
    memory: identity::Memory,
    endpoints: Endpoints,
    scratch: Vec<u8>,
}

impl Interpreter {
    pub fn new(key: HashKey) -> Interpreter {
        Interpreter { key, memory: Default::default(), endpoints: Endpoints::default(), scratch: Vec::new() }
    }

    /// What a transaction means; `None` for what names no endpoint: a response without a request, and a request of which
    /// method, target or host is unknown.
    pub fn observe<'a>(
        &'a mut self,
        transaction: &'a Transaction<BodyReport>,
        snapshot: &'a Snapshot,
    ) -> Option<Observation<'a>> {
        let request = transaction.request.as_ref()?;
        let response = transaction.response.as_ref();
        let settings = &*snapshot.settings;
        let inventory = &*snapshot.inventory;
        let is_partial = request.head.marks.contains(Marks::PARTIAL);
        if request.head.method().is_empty()
            || request.head.target().is_empty()
            || (is_partial && request.head.get(Field::Host).is_none())
        {
            return None;
        }
        let target = String::from_utf8_lossy(request.head.target());
        let method = String::from_utf8_lossy(request.head.method());
        let parts = RequestTarget::parse(&target);
        let host = host_of(&request.head, &parts, transaction.server, snapshot);
        let line = Line { method: &method, host: &host, path: parts.path, query: parts.query };
        let status = response.map_or(0, |response| response.head.status());
        let report = response.and_then(|response| response.report.as_ref());
        let says_no = report.is_some_and(|report| report.outcome == Some(false));
        let is_success = (200..300).contains(&status) && !says_no;

        let calls = calls_of(request, line, &self.key);
        let calls = calls.as_deref();
        let may_be_signed = calls.is_some_and(|calls| calls.may_be_signed);
        let served = response.filter(|_| is_success);
        let endpoint = self.endpoints.find(line, calls, served, snapshot, &self.key, &mut self.scratch);
        // Parts of a stream are asked for one after the other, by whoever plays it.
        let object = match response.is_some_and(is_sound_or_video) {
            true => None,
            false => object_of(request, line, calls, &endpoint, &self.key, &mut self.scratch),
        };
        let path = join_hash(&self.key, &mut self.scratch, &[line.host, line.path]);

        let names = &settings.names;
        let of_head = || identity::credentials_of(&request.head, line.query, names, &self.key, &mut self.memory);
        let caller = calls.and_then(|calls| calls.caller);
        let credentials = caller.map(Credentials::of_caller).or_else(of_head);
        let is_waking = credentials
            .is_some_and(|credentials| credentials.is_lasting && self.memory.is_news(&credentials, request.started));
        let opens_session = response.is_some_and(|response| {
            response.report.as_ref().is_some_and(|report| report.has_token)
                || identity::sets_session(&response.head, names, &mut self.memory)
        });
        let of_operation = || endpoint.called().and_then(|_| names.configured_login(&method, &host, endpoint.template));
        let asked = Asked {
            line,
            path: &template::as_path(line.path, endpoint.template),
            request,
            calls,
            credentials,
            response,
            opens_session,
            configured: names.configured_login(&method, &host, line.path).or_else(of_operation),
            habit: inventory.logins.get(&endpoint.key).copied(),
            names,
            key: &self.key,
        };
        let (attempt, further_attempts) = asked.attempts();
        // What logins and the like send is their own affair; who makes an account may ask for rights.
        let is_accepted = is_success && attempt.is_none_or(|attempt| attempt.flow == AccountFlow::Registration);
        let strays = match is_accepted {
            true => strays_of(request, line, endpoint.operation(), names),
            false => SmallVec::new(),
        };
        Some(Observation {
            time: response.map_or(request.ended, |response| response.ended.max(request.ended)),
            started: request.started,
            flow_id: transaction.flow.id,
            index: transaction.index,
            client_peer: transaction.client,
            server_peer: transaction.server,
            client: identity::client_of(transaction.client.address, &request.head, settings),
            is_known: inventory.endpoints.contains(&endpoint.key),
            is_open: inventory.open.contains(&endpoint.key),
            makes_endpoint: is_success
                || matches!(status, 401 | 403 | 405 | 422 | 429 | 500..=599)
                || attempt.is_some()
                || endpoint.documented == Some(true),
            endpoint: endpoint.key,
            path,
            documented: endpoint.documented,
            is_deprecated: endpoint.operation().is_some_and(|operation| operation.deprecated),
            status,
            principal: credentials.filter(|found| is_accepted_by(status, found.kind)).map(|found| found.principal),
            may_have_credentials: is_partial
                || may_be_signed
                || transaction.marks.contains(Marks::PROVED_CONNECTION)
                || (credentials.is_none() && line.query.is_some_and(identity::is_signed_link)),
            credentials,
            attempt,
            further_attempts,
            is_waking,
            object,
            strays,
            latency: response.map(|response| response.started.since(request.ended)),
            request_bytes: request.body_length,
            response_bytes: response.map_or(0, |response| response.body_length),
            response: report,
            is_page: response.is_some_and(|response| is_page(&response.head)),
            is_success,
            is_disputed: transaction.marks.contains(Marks::OVERLAP_CONFLICT),
            user_agent: request.head.get(Field::UserAgent).map(String::from_utf8_lossy),
            depth: calls.map_or(0, |calls| calls.depth),
            page_size: page_size_of(request, line.query, calls),
            protocol: request.head.version(),
            ambiguity: transaction.marks.contains(Marks::AMBIGUOUS_LENGTH).then(|| Ambiguity::reason(&request.head)),
            is_desync: transaction.marks.contains(Marks::DESYNC),
            injections: injections_of(request, || names.is_collector(line.path), credentials, &self.key),
            template: endpoint.template,
            method,
            host,
            target,
        })
    }
}

/// The object that a request asks for, changes or sends.
fn object_of(
    request: &Message<BodyReport>,
    line: Line<'_>,
    calls: Option<&Calls>,
    endpoint: &Endpoint<'_>,
    key: &HashKey,
    scratch: &mut Vec<u8>,
) -> Option<Object> {
    let of_calls = calls.filter(|_| endpoint.called().is_some()).and_then(|calls| calls.object.as_ref());
    // Ids beside those of the call number messages, and parts of them.
    let has_envelope = calls.is_some_and(|calls| calls.caller.is_some() || calls.may_be_signed);
    let of_report = || request.report.as_ref().filter(|report| !report.is_rpc && !has_envelope)?.object.as_deref();
    let named = Named {
        template: endpoint.of_path,
        by_description: endpoint.by_description(),
        path: line.path,
        query: line.query,
        body: of_calls.or_else(of_report),
    };
    let mut object = named.object(key, scratch)?;
    object.is_in_body &= !endpoint.called().is_some_and(only_reads); // it is asked for, and not told of
    Some(object)
}

/// Parameters of a request that its operation does not declare, or that ask for more than users have.
fn strays_of(
    request: &Message<BodyReport>,
    line: Line<'_>,
    operation: Option<&openapi::Operation>,
    names: &crate::rule::ApiNames,
) -> SmallVec<[Stray; 1]> {
    let mut strays = SmallVec::new();
    if line.query.is_some() || request.report.is_some() {
        let members = request.report.iter().flat_map(BodyReport::members);
        strays = parameters::strays(line.method, line.query, members, operation, names);
    }
    let other_method = request.head.get(Field::MethodOverride);
    strays.extend(other_method.and_then(|asked_for| parameters::overridden(line.method, asked_for)));
    strays
}

/// Whether an answer says that the server took the credentials.
fn is_accepted_by(status: u16, kind: CredentialKind) -> bool {
    match status {
        // A server that fails may have looked at nothing.
        0 | 401 | 500..=599 => false,
        // Who is known and may not is refused so. Gateways say it of keys that they do not know, too.
        403 => matches!(kind, CredentialKind::Bearer | CredentialKind::Session),
        _ => true,
    }
}

/// Fields that servers write into logs, or read as they are; cookies beside them.
const OPEN_FIELDS: [Field; 3] = [Field::UserAgent, Field::Referer, Field::XForwardedFor];

/// The code that a request carries, wherever it is.
fn injections_of(
    request: &Message<BodyReport>,
    is_collected: impl Fn() -> bool,
    credentials: Option<Credentials>,
    key: &HashKey,
) -> Injections {
    let of_token = credentials.map(|credentials| credentials.code).unwrap_or_default();
    let of_body =
        request.report.as_ref().map(|report| report.injections).filter(|found| *found != Injections::default());
    let of_body = of_body.filter(|_| !is_collected()).unwrap_or_default();
    let mut found = of_body.with(inspect::in_target(request.head.target(), key)).with(of_token);
    for field in OPEN_FIELDS {
        for value in request.head.all(field) {
            found = found.with(inspect::in_field(value, key));
        }
    }
    for line in request.head.all(Field::Cookie) {
        found = found.with(inspect::in_cookies(line, key));
    }
    // Scanners write look-ups into every field; few others have braces in any.
    if request.head.holds(b'{') {
        for (_, value) in request.head.lines() {
            found = found.with(inspect::in_other_field(value, key));
        }
    }
    found
}

/// The largest page that a request asks for: in its query, its body, or the arguments of a document in either.
fn page_size_of(request: &Message<BodyReport>, query: Option<&str>, calls: Option<&Calls>) -> Option<u64> {
    let of_body = request.report.as_ref().and_then(|report| report.page_size);
    let of_document = calls.and_then(|calls| calls.page_size);
    query.and_then(inspect::page_size_in_query).max(of_body).max(of_document)
}

/// Whether a request changes nothing: by its method (RFC 9110 §9.2.1), or by the operation that its template names.
pub fn is_safe(method: &str, template: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS") || template::operation_of(template).is_some_and(only_reads)
}

/// Whether an operation only reads: a query of GraphQL, or what is called so (`user.list`, `get_user`, `eth_getBalance`).
fn only_reads(operation: &str) -> bool {
    const VERBS: [&str; 9] = ["get", "list", "find", "search", "query", "count", "read", "fetch", "describe"];
    let begins = |name: &str, goes_on: fn(Option<char>) -> bool| {
        VERBS.iter().any(|verb| {
            name.get(..verb.len()).is_some_and(|start| start.eq_ignore_ascii_case(verb))
                && name.get(verb.len()..).is_some_and(|rest| goes_on(rest.chars().next()))
        })
    };
    let is_word = |next: Option<char>| !next.is_some_and(|next| next.is_ascii_lowercase());
    let is_part = |next: Option<char>| next.is_some_and(|next| next.is_ascii_uppercase());
    match operation.split_once('.') {
        Some(("query" | "subscription", _)) => true,
        Some(("mutation", _)) => false,
        _ => {
            let name = operation.rsplit(['.', ':']).next().unwrap_or(operation);
            begins(name, is_word) || name.rsplit_once('_').is_some_and(|(_, name)| begins(name, is_part))
        }
    }
}

/// The key under which an endpoint is counted.
pub fn endpoint_key(key: &HashKey, method: &str, host: &str, template: &str) -> u64 {
    join_hash(key, &mut Vec::new(), &[method, host, template])
}

/// Hash of parts with a separator between them.
fn join_hash(key: &HashKey, scratch: &mut Vec<u8>, parts: &[&str]) -> u64 {
    scratch.clear();
    for part in parts {
        scratch.extend_from_slice(part.as_bytes());
        scratch.push(0);
    }
    key.hash(scratch)
}

/// The host that is asked: of the target, else of the `Host` field, else the server's address. Names beyond the bound
/// on hosts are not believed.
fn host_of<'a>(head: &'a Head, target: &RequestTarget<'_>, server: Peer, snapshot: &Snapshot) -> Cow<'a, str> {
    let named = match target.host() {
        Some(host) => Some(Cow::Owned(host.into_owned())),
        None => head.get(Field::Host).and_then(|host| std::str::from_utf8(host).ok()).and_then(url::normalise_host),
    };
    let hosts = &snapshot.inventory.hosts;
    match named {
        Some(host) if hosts.len() < snapshot.settings.max_hosts || hosts.contains(&*host) => host,
        _ => Cow::Owned(server.address.to_string()),
    }
}

fn is_sound_or_video(response: &Message<BodyReport>) -> bool {
    let kind = response.head.get(Field::ContentType).unwrap_or_default();
    [&b"video/"[..], b"audio/"]
        .iter()
        .any(|of| kind.get(..of.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(of)))
}

fn is_page(head: &Head) -> bool {
    match head.get(Field::ContentType) {
        None => true,
        Some(kind) => {
            let kind = kind.split(|byte| *byte == b';').next().unwrap_or(&[]).trim_ascii();
            kind.get(..5).is_some_and(|prefix| prefix.eq_ignore_ascii_case(b"text/"))
                || kind.eq_ignore_ascii_case(b"application/xhtml+xml")
        }
    }
}

#[cfg(test)]
mod tests;
