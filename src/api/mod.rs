//! What a transaction means: endpoint, client, principal, attempt at an account, object, sensitive data.
//!
//! A transaction with what `inspect` found in its bodies in, one [`Observation`] out. Everything is decided from the
//! transaction and an immutable [`Snapshot`]; the interpreter's own state only saves work, and chooses what is shown. Nothing
//! secret leaves it: credentials, user names and passwords are keyed hashes from here on.

mod account;
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
use crate::inspect::{self, AccountSaid, BodyReport, Calls, DataClass, Injections, LoginFields, Protocol};
use crate::packet::Peer;
use crate::time::Timestamp;
use object::Named;
use parameters::Stray;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;
use template::TemplateBuf;
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
    /// It may have had credentials that nobody could read (HTTP/2, when what it refers to was not seen), or that name nobody
    /// (the signature of a message).
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
    template: TemplateBuf,
    /// A template with the operation that the request names.
    with_operation: String,
    scratch: Vec<u8>,
}

impl Interpreter {
    pub fn new(key: HashKey) -> Interpreter {
        Interpreter {
            key,
            memory: Default::default(),
            template: TemplateBuf::default(),
            with_operation: String::new(),
            scratch: Vec::new(),
        }
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
        let (path, query) = (parts.path, parts.query);
        let host = host_of(&request.head, &parts, transaction.server, snapshot);
        let status = response.map_or(0, |response| response.head.status());

        let described = settings.catalogue.lookup(&method, &host, path);
        let documented = match &described {
            Some(found) => Some(found.documented),
            None => settings.catalogue.covers_host(&host).then_some(false),
        };
        let operation = described.as_ref().and_then(|found| found.operation);
        let is_deprecated = operation.is_some_and(|operation| operation.deprecated);
        template::template_with(path, &host, &snapshot.inventory.learned, &mut self.template);
        let by_description = described.as_ref().map(|found| found.template);
        let of_path = match &described {
            Some(found) => found.template,
            None => self.template.template(),
        };
        let report = response.and_then(|response| response.report.as_ref());
        let says_no = report.is_some_and(|report| report.outcome == Some(false));
        let is_success = (200..300).contains(&status) && !says_no;
        let mut template = of_path;
        let mut endpoint = join_hash(&self.key, &mut self.scratch, &[&method, &host, of_path]);
        let calls = calls_of(request, path, query, &self.key);
        let mut operation_called = None;
        if let Some(calls) = calls.as_ref().filter(|calls| !calls.operation.is_empty()) {
            template::with_operation(of_path, &calls.operation, &mut self.with_operation);
            let of_operation = join_hash(&self.key, &mut self.scratch, &[&method, &host, &self.with_operation]);
            // Names are the client's to choose: of what no server answered all is its path's.
            let is_answered = || is_success && response.is_some_and(|response| answers(calls.protocol, response));
            if snapshot.inventory.endpoints.contains(&of_operation) || is_answered() {
                (template, endpoint) = (&self.with_operation, of_operation);
                operation_called = Some(&*calls.operation);
            }
        }
        let caller = calls.as_ref().and_then(|calls| calls.caller);
        let may_be_signed = calls.as_ref().is_some_and(|calls| calls.may_be_signed);
        let of_calls = calls.as_ref().filter(|_| operation_called.is_some()).and_then(|calls| calls.object.as_ref());
        // Ids beside those of the call number messages, and parts of them.
        let is_of_call = |report: &&BodyReport| !report.is_rpc && caller.is_none() && !may_be_signed;
        let of_report = || request.report.as_ref().filter(is_of_call)?.object.as_deref();
        let body = of_calls.or_else(of_report);
        let named = Named { template: &self.template, by_description, path, query, body };
        let mut object = named.object(&self.key, &mut self.scratch);
        if let Some(object) = &mut object {
            object.is_in_body &= !operation_called.is_some_and(only_reads); // it is asked for, and not told of
        }
        let path_hash = join_hash(&self.key, &mut self.scratch, &[&host, path]);

        let names = &settings.names;
        let of_head = || identity::credentials_of(&request.head, query, names, &self.key, &mut self.memory);
        let credentials = caller.map(Credentials::of_caller).or_else(of_head);
        let is_waking = credentials
            .is_some_and(|credentials| credentials.is_lasting && self.memory.is_news(&credentials, request.started));
        let opens_session = response.is_some_and(|response| {
            response.report.as_ref().is_some_and(|report| report.has_token)
                || identity::sets_session(&response.head, names, &mut self.memory)
        });
        let of_operation = || operation_called.and_then(|_| names.configured_login(&method, &host, template));
        let configured = names.configured_login(&method, &host, path).or_else(of_operation);
        let sent = match configured {
            Some(false) => None,
            // Configured as a login: an attempt whatever it sends.
            Some(true) => {
                self.fields_of(request, calls.as_deref(), query, credentials, names).or(Some(Sent::default()))
            }
            None => self.fields_of(request, calls.as_deref(), query, credentials, names),
        };
        let habit = snapshot.inventory.logins.get(&endpoint).copied();
        let asked_path = template::as_path(path, template);
        let asked = Asked {
            method: &method,
            path: &asked_path,
            status,
            configured,
            credentials,
            response,
            is_refused_by_fault: status == 500
                && calls.as_ref().is_some_and(|calls| calls.protocol == Protocol::Xml)
                && report.is_some_and(|report| report.refuses_login),
            opens_session,
            habit,
        };
        let logins = calls.as_ref().map_or(&[][..], |calls| &calls.logins);
        let (attempt, further_attempts) = asked.attempts(sent, logins);
        // What logins and the like send is their own affair; who makes an account may ask for rights.
        let is_accepted = is_success && attempt.is_none_or(|attempt| attempt.flow == AccountFlow::Registration);
        let mut strays = match is_accepted && (query.is_some() || request.report.is_some()) {
            true => {
                let members = request.report.iter().flat_map(BodyReport::members);
                parameters::strays(&method, query, members, operation, names)
            }
            false => SmallVec::new(),
        };
        let other_method = request.head.get(Field::MethodOverride).filter(|_| is_accepted);
        strays.extend(other_method.and_then(|asked_for| parameters::overridden(&method, asked_for)));
        // Who is known and may not is refused with 403. Gateways say so of keys that they do not know, too.
        let is_known = |kind| matches!(kind, CredentialKind::Bearer | CredentialKind::Session);
        let accepted = match status {
            // A server that fails may have looked at nothing.
            0 | 401 | 500..=599 => false,
            403 => credentials.is_some_and(|credentials| is_known(credentials.kind)),
            _ => true,
        };
        Some(Observation {
            time: response.map_or(request.ended, |response| response.ended.max(request.ended)),
            started: request.started,
            flow_id: transaction.flow.id,
            index: transaction.index,
            client_peer: transaction.client,
            server_peer: transaction.server,
            client: identity::client_of(transaction.client.address, &request.head, settings),
            is_known: snapshot.inventory.endpoints.contains(&endpoint),
            is_open: snapshot.inventory.open.contains(&endpoint),
            makes_endpoint: is_success
                || matches!(status, 401 | 403 | 405 | 422 | 429 | 500..=599)
                || attempt.is_some()
                || documented == Some(true),
            endpoint,
            path: path_hash,
            documented,
            is_deprecated,
            status,
            principal: credentials.filter(|_| accepted).map(|credentials| credentials.principal),
            may_have_credentials: is_partial || may_be_signed,
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
            depth: calls.as_ref().map_or(0, |calls| calls.depth),
            page_size: page_size_of(request, query, calls.as_deref()),
            protocol: request.head.version(),
            ambiguity: transaction.marks.contains(Marks::AMBIGUOUS_LENGTH).then(|| Ambiguity::reason(&request.head)),
            is_desync: transaction.marks.contains(Marks::DESYNC),
            injections: injections_of(request, credentials, &self.key),
            method,
            host,
            target,
            template,
        })
    }

    /// What a request says of who sends it, where it may be for an account.
    fn fields_of(
        &self,
        request: &Message<BodyReport>,
        calls: Option<&Calls>,
        query: Option<&str>,
        credentials: Option<Credentials>,
        names: &crate::rule::ApiNames,
    ) -> Option<Sent> {
        let of_body = || match calls.filter(|calls| calls.caller.is_some()) {
            // The body as a whole has the caller's, too.
            Some(calls) => calls.logins.first().copied(),
            None => request.report.as_ref().map(|report| report.login).filter(|fields| *fields != Default::default()),
        };
        let of_message = || match login::may_be_login(&request.head) {
            true => {
                let of_query = || self.fields_of_query(query?, names);
                match of_body() {
                    // Which of them the server takes, nobody here knows.
                    Some(body) if body.has_password => {
                        let of_query = of_query().filter(|query| query.has_password);
                        Some(of_query.map_or(body, |query| body.together(&query)))
                    }
                    body => body.or_else(of_query),
                }
            }
            false => None,
        };
        // A password in the body is what is tried: Basic credentials beside it may be an app's, or a decoy.
        let Some(caller) = credentials.and_then(|credentials| credentials.basic) else {
            return Some(Sent { fields: of_message()?, is_basic: false });
        };
        if let Some(fields) = of_message().filter(|fields| fields.has_password) {
            return Some(Sent { fields, is_basic: false });
        }
        let (user, password) = (Some(caller.user), caller.password);
        let fields =
            LoginFields { has_password: true, is_password_certain: true, user, password, ..LoginFields::default() };
        Some(Sent { fields, is_basic: true })
    }

    fn fields_of_query(&self, query: &str, names: &crate::rule::ApiNames) -> Option<LoginFields> {
        let mut fields = LoginFields::default();
        for (name, value) in url::QueryParameters::of(query) {
            let is = |known: &[&str], configured: &[String]| {
                known.iter().any(|known| name.eq_ignore_ascii_case(known))
                    || configured.iter().any(|known| name.eq_ignore_ascii_case(known))
            };
            if is(&["password", "passwd", "pwd"], &names.login.password_fields)
                || crate::inspect::is_password_name(name.as_bytes())
            {
                (fields.has_password, fields.is_password_certain) = (true, true);
                fields.password = Some(self.key.secret("password", value.as_bytes()));
            } else if is(&USER_PARAMETERS, &names.login.user_fields) {
                fields.user = Some(crate::inspect::user_hash(value.as_bytes(), &self.key));
                fields.is_user_certain = true;
            } else if is(&["otp", "code"], &[]) {
                fields.code = crate::inspect::code_of(value.as_bytes(), name.eq_ignore_ascii_case("otp"), &self.key);
            }
        }
        (fields != LoginFields::default()).then_some(fields)
    }
}

/// Fields that servers write into logs, or read as they are; cookies beside them.
const OPEN_FIELDS: [Field; 3] = [Field::UserAgent, Field::Referer, Field::XForwardedFor];

/// The code that a request carries, wherever it is.
fn injections_of(request: &Message<BodyReport>, credentials: Option<Credentials>, key: &HashKey) -> Injections {
    let of_token = credentials.map(|credentials| credentials.code).unwrap_or_default();
    let of_body = request.report.as_ref().map(|report| report.injections).unwrap_or_default();
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

/// What a request calls: in its body, or by a GraphQL document in its query. GraphQL is believed where the path says so: other APIs
/// have a `query`, too, and whoever asks them could name what he likes.
fn calls_of<'a>(
    request: &'a Message<BodyReport>,
    path: &str,
    query: Option<&str>,
    key: &HashKey,
) -> Option<Cow<'a, Calls>> {
    let speaks_graphql = || {
        let word = |segment: &str| segment.to_ascii_lowercase();
        path.split('/').map(word).any(|segment| segment.contains("graphql") || segment == "gql" || segment == "graph")
    };
    let of_body = request.report.as_ref().and_then(|report| report.calls.as_deref());
    if let Some(calls) = of_body {
        return (calls.protocol != Protocol::GraphQl || speaks_graphql()).then_some(Cow::Borrowed(calls));
    }
    let (_, document) = url::QueryParameters::of(query?).find(|(name, _)| *name == "query")?;
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

/// Query parameters that name who logs in.
const USER_PARAMETERS: [&str; 11] = [
    "user",
    "username",
    "login",
    "email",
    "usuario",
    "benutzer",
    "benutzername",
    "utilisateur",
    "identifiant",
    "utente",
    "gebruiker",
];

/// A request that may be for an account, and what came of it.
struct Asked<'a> {
    method: &'a str,
    path: &'a str,
    /// 0 without a response.
    status: u16,
    /// Whether it is configured as a login, or as none.
    configured: Option<bool>,
    credentials: Option<Credentials>,
    response: Option<&'a Message<BodyReport>>,
    /// SOAP says whatever it has to say against a request by a fault, and with 500 (SOAP 1.1 §6.2).
    is_refused_by_fault: bool,
    opens_session: bool,
    habit: Option<LoginHabit>,
}

impl Asked<'_> {
    /// The attempts of a request: what its fields say in all, and what each of its calls says. Which of several the answer lets in is
    /// not to be told, unless all are for one user.
    fn attempts(&self, sent: Option<Sent>, logins: &[LoginFields]) -> (Option<Attempt>, Vec<Attempt>) {
        let in_all = sent.as_ref().map(|sent| sent.fields);
        let is_other = |fields: &&LoginFields| self.configured != Some(false) && in_all != Some(**fields);
        let of_calls = logins.iter().filter(is_other).map(|fields| Sent { fields: *fields, is_basic: false });
        let mut attempts = sent.into_iter().chain(of_calls).filter_map(|sent| self.attempt(sent));
        let Some(mut first) = attempts.next() else { return (None, Vec::new()) };
        let mut further: Vec<Attempt> = attempts.collect();
        if first.outcome == Outcome::Success && !further.is_empty() {
            let is_one_user = further.iter().all(|attempt| attempt.user == first.user);
            let others = if is_one_user { Outcome::Failure } else { Outcome::Unknown };
            further.iter_mut().for_each(|attempt| (attempt.outcome, attempt.opens_session) = (others, false));
            if !is_one_user {
                first.outcome = Outcome::Unknown;
            }
        }
        (Some(first), further)
    }

    fn attempt(&self, Sent { fields, is_basic }: Sent) -> Option<Attempt> {
        let flow = match self.configured {
            Some(true) => AccountFlow::Login,
            _ if is_basic => AccountFlow::Login,
            _ => account::flow_of(self.method, self.path, &fields)?,
        };
        if !flow.counts_with(self.credentials.map(|credentials| credentials.kind)) {
            return None;
        }
        let secret = match flow {
            AccountFlow::Code => fields.code.map(|code| code.hash),
            _ => fields.password,
        };
        let report = self.response.and_then(|response| response.report.as_ref());
        let said = report.and_then(|report| report.account).or(match (flow, self.status) {
            (AccountFlow::Registration, 409) => Some(AccountSaid::Taken),
            (AccountFlow::Login | AccountFlow::Reset | AccountFlow::FirstStep, 404 | 410) => Some(AccountSaid::Unknown),
            _ => None,
        });
        let (outcome, opens_session) = (self.outcome(flow, is_basic), self.opens_session);
        Some(Attempt { flow, user: fields.user, secret, outcome, said, opens_session })
    }

    fn outcome(&self, flow: AccountFlow, is_basic: bool) -> Outcome {
        let habit = self.habit.filter(|_| flow == AccountFlow::Login);
        match login::outcome_of(flow, self.path, self.response, self.opens_session, habit) {
            _ if self.is_refused_by_fault => Outcome::Failure,
            // Basic credentials go with every request: whatever is not refused was accepted.
            Outcome::Unknown if is_basic && (200..400).contains(&self.status) => Outcome::Success,
            Outcome::Failure if is_basic && self.status != 401 => Outcome::Unknown,
            // Who asks for an account has it by what he is told, and no session.
            Outcome::Unknown
                if flow != AccountFlow::Login
                    && (200..300).contains(&self.status)
                    && self.response.is_some_and(login::is_read) =>
            {
                Outcome::Success
            }
            outcome => outcome,
        }
    }
}

/// Login fields of a request, and whether they came as Basic credentials.
#[derive(Default)]
struct Sent {
    fields: LoginFields,
    is_basic: bool,
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
