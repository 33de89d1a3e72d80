//! The operation that a request names within its body, where its path is that of all of them: GraphQL, JSON-RPC, SOAP, XML-RPC.
//!
//! In go the format and the head of a request's body; out come [`Calls`]: what is called, and the login fields of each call, since one
//! request can hold many (OWASP API2:2023 has a batch of logins for an example). Of a GraphQL document the operation is the first
//! field that it asks the server for, not the name that the client gave it; of a batch it is that of the first call; and where one
//! sends a password, it is that one's, whatever stands before it. Whether the server knows such an operation is for others to say.
//!
//! It refuses what is none of these: a search whose field happens to be named `query` holds no document. What is cut off counts as
//! far as it goes. Linear in time, without recursion.

use super::BodyKind;
use super::field::{Hint, hint_of};
use super::json::{string_length, unescape};
use super::object::NamedObject;
use super::paging::rows_in;
use super::report::LoginFields;
use super::sink::ASKING_DEPTH;
use super::verdict::Login;
use crate::hash::HashKey;
use memchr::memmem;

/// Longest name of an operation, in bytes; a longer one names none.
const NAME_BYTES: usize = 64;
/// Calls of one request whose login fields are kept.
const MOST_LOGINS: usize = 128;

/// How an operation is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    #[default]
    GraphQl,
    JsonRpc,
    /// SOAP and XML-RPC.
    Xml,
}

/// A user name and a password that go with each message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Keyed hash of the user name.
    pub user: u64,
    /// Keyed hash of the password; nothing where it was a digest.
    pub password: Option<u64>,
}

/// What a request calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    pub protocol: Protocol,
    /// `query.user`, `mutation.login` of GraphQL, else the method as it is; empty where it was not to be read.
    pub operation: String,
    /// Of each call that has any.
    pub logins: Vec<LoginFields>,
    /// What the arguments of the first call name.
    pub object: Option<NamedObject>,
    /// The largest page that a document asks for in its arguments, in rows.
    pub page_size: Option<u64>,
    /// Levels of fields within fields; those of a fragment are counted by themselves.
    pub depth: u32,
    /// Who calls, by what the envelope of the message says.
    pub caller: Option<Caller>,
    /// The envelope holds a token or a signature that names nobody here.
    pub may_be_signed: bool,
    /// The operation sends a password.
    signs_in: bool,
}

impl Calls {
    /// A call, with what its arguments say.
    fn called(&mut self, protocol: Protocol, kind: &str, name: &[u8], said: &mut Said) {
        if !is_name(name) || kind.len() + name.len() > NAME_BYTES {
            return;
        }
        if self.operation.is_empty() {
            self.object = said.object;
        }
        let signs_in = said.login.fields.has_password;
        if self.operation.is_empty() || signs_in && !self.signs_in {
            (self.protocol, self.signs_in) = (protocol, signs_in);
            self.operation = kind.to_owned() + &String::from_utf8_lossy(name);
        }
        self.keep_login(said);
    }

    fn keep_login(&mut self, said: &mut Said) {
        let fields = std::mem::take(said).login.take();
        if fields != LoginFields::default() && self.logins.len() < MOST_LOGINS {
            self.logins.push(fields);
        }
    }

    fn if_any(self) -> Option<Box<Calls>> {
        (!self.operation.is_empty() || self.caller.is_some() || self.may_be_signed).then(|| Box::new(self))
    }
}

/// What the arguments of a call say of who logs in, and of what is asked for.
#[derive(Default)]
struct Said {
    login: Login,
    object: Option<NamedObject>,
}

impl Said {
    fn argument(&mut self, name: &[u8], value: &[u8], key: &HashKey) {
        let hint = hint_of(name);
        self.login.field(hint, value, key);
        if hint.any(Hint::OBJECT) {
            self.object = NamedObject::with(self.object, value, key);
        }
    }
}

/// What the body of a request calls.
pub(super) fn in_body(kind: BodyKind, body: &[u8], key: &HashKey) -> Option<Box<Calls>> {
    match kind {
        BodyKind::Json if has_calls(body) => in_json(body, key),
        BodyKind::Xml => in_xml(body, key),
        _ => None,
    }
}

/// What a GraphQL document calls; nothing where it is none.
pub fn in_document(document: &[u8], key: &HashKey) -> Option<Box<Calls>> {
    if !is_document(document) {
        return None;
    }
    let mut calls = Calls::default();
    read_document(document, b"", key, &mut calls);
    calls.if_any()
}

/// Letters, digits, and what separates the parts of a method's name.
fn is_name(name: &[u8]) -> bool {
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b':');
    !name.is_empty() && name.len() <= NAME_BYTES && name.iter().all(fits)
}

/// Most bodies have none: a look at their bytes tells. Names may be escaped.
fn has_calls(body: &[u8]) -> bool {
    let holds = |text: &[u8]| memmem::find(body, text).is_some();
    !matches!(body.trim_ascii_start().first(), Some(b'{' | b'['))
        || holds(b"\"query\"")
        || holds(b"\"method\"")
        || holds(b"\"operationName\"")
        || holds(b"\\u")
        || is_bare_document(body)
}

/// `application/graphql`: the document itself.
fn is_bare_document(body: &[u8]) -> bool {
    let body = body.trim_ascii_start();
    body.first() == Some(&b'{') && body.get(1..).is_some_and(|rest| rest.trim_ascii_start().first() != Some(&b'"'))
}

/// One call of a JSON body, as far as it was read.
#[derive(Default)]
struct Call {
    method: Vec<u8>,
    document: Vec<u8>,
    name: Vec<u8>,
    has_version: bool,
    /// The document is one that the server keeps.
    is_kept: bool,
    said: Said,
}

impl Call {
    fn end(mut self, key: &HashKey, calls: &mut Calls) {
        if self.has_version && !self.method.is_empty() {
            calls.called(Protocol::JsonRpc, "", &self.method, &mut self.said);
        } else if is_document(&self.document) {
            read_document(&self.document, &self.name, key, calls);
            calls.keep_login(&mut self.said); // by variables
        } else if self.document.is_empty() && self.is_kept {
            calls.called(Protocol::GraphQl, "", &self.name, &mut self.said);
        }
    }

    fn value(&mut self, name: &[u8], depth: usize, value: &[u8], key: &HashKey) {
        match (depth, name) {
            (1, b"query") => self.document = value.to_vec(),
            (1, b"operationName") => self.name = value.to_vec(),
            (1, b"method") => self.method = value.to_vec(),
            (1, b"jsonrpc") => self.has_version = true,
            (1, _) => {}
            _ => self.said.argument(name, value, key),
        }
    }
}

/// An object with a call, or an array of them.
fn in_json(body: &[u8], key: &HashKey) -> Option<Box<Calls>> {
    let mut calls = Calls::default();
    let first = body.trim_ascii_start().first().copied();
    if first != Some(b'[') && (first != Some(b'{') || is_bare_document(body)) {
        return in_document(body, key);
    }
    let base = usize::from(first == Some(b'['));
    let mut call = Call::default();
    // What is open, true for an array; and arrays within a call, in which values speak of many.
    let (mut open, mut lists): (Vec<bool>, usize) = (Vec::new(), 0);
    let (mut name, mut text) = (Vec::new(), Vec::new());
    let (mut at, mut is_value) = (0, false);
    while let Some(&byte) = body.get(at) {
        at += 1;
        let depth = open.len();
        let speaks = lists == 0 && depth > base && depth <= base + ASKING_DEPTH as usize;
        match byte {
            b'"' => {
                let length = string_length(body.get(at..).unwrap_or_default());
                let string = body.get(at..at + length).unwrap_or_default();
                at += length + 1;
                if is_value {
                    if speaks {
                        unescape(string, &mut text);
                        call.value(&name, depth - base, &text, key);
                    }
                    is_value = false;
                } else if body.get(at..).unwrap_or_default().trim_ascii_start().first() == Some(&b':') {
                    unescape(string, &mut name);
                    call.is_kept |= depth == base + 1 && name == b"extensions";
                }
            }
            b':' => is_value = true,
            b'{' | b'[' => {
                lists += usize::from(byte == b'[' && depth > base);
                open.push(byte == b'[');
                is_value = false;
            }
            b'}' | b']' => {
                let was_list = open.pop() == Some(true);
                lists -= usize::from(was_list && open.len() > base).min(lists);
                if byte == b'}' && open.len() == base {
                    std::mem::take(&mut call).end(key, &mut calls);
                }
            }
            b',' => is_value = false,
            b'0'..=b'9' if is_value => {
                let start = at - 1;
                at += body.get(at..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
                if speaks {
                    call.value(&name, depth - base, body.get(start..at).unwrap_or_default(), key);
                }
                is_value = false;
            }
            _ => {}
        }
    }
    call.end(key, &mut calls);
    calls.if_any()
}

/// Whether a text is a GraphQL document (specification of October 2021, §2.2), or the beginning of one.
fn is_document(text: &[u8]) -> bool {
    let begins = match (Tokens { rest: text }).next() {
        Some(Token::Mark(first)) => first == b'{',
        Some(Token::Name(first)) => matches!(first, b"query" | b"mutation" | b"subscription" | b"fragment"),
        _ => false,
    };
    begins && memchr::memchr(b'{', text).is_some()
}

/// A token of a document; names and values as they lie there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Token<'d> {
    Name(&'d [u8]),
    /// A string, without its quotes.
    Text(&'d [u8]),
    Number(&'d [u8]),
    Mark(u8),
}

/// The tokens of a document (§2.1): commas and comments are none.
struct Tokens<'d> {
    rest: &'d [u8],
}

impl<'d> Tokens<'d> {
    fn take(&mut self, length: usize) -> &'d [u8] {
        let (taken, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    fn take_while(&mut self, fits: impl Fn(&u8) -> bool) -> &'d [u8] {
        self.take(self.rest.iter().take_while(|byte| fits(byte)).count())
    }

    /// A string from behind its opening quote to what ends it: a quote, or three.
    fn text(&mut self) -> &'d [u8] {
        let quotes: &[u8] = if self.rest.starts_with(b"\"\"") { b"\"\"\"" } else { b"\"" };
        self.take(quotes.len() - 1);
        let mut end = 0;
        while let Some(found) = self.rest.get(end..).and_then(|rest| memmem::find(rest, quotes)) {
            end += found;
            let before = self.rest.get(..end).unwrap_or_default();
            if before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 0 {
                self.take(end + quotes.len());
                return before;
            }
            end += 1;
        }
        self.take(self.rest.len())
    }
}

impl<'d> Iterator for Tokens<'d> {
    type Item = Token<'d>;

    fn next(&mut self) -> Option<Token<'d>> {
        loop {
            self.take_while(|byte| byte.is_ascii_whitespace() || *byte == b',');
            if self.rest.first() != Some(&b'#') {
                break;
            }
            self.take_while(|byte| *byte != b'\n');
        }
        let first = *self.rest.first()?;
        Some(match first {
            b'"' => {
                self.take(1);
                Token::Text(self.text())
            }
            b'A'..=b'Z' | b'a'..=b'z' | b'_' => {
                Token::Name(self.take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_'))
            }
            b'0'..=b'9' | b'-' => Token::Number(
                self.take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.')),
            ),
            _ => {
                self.take(1);
                Token::Mark(first)
            }
        })
    }
}

/// Reads the operation of this name, or the first, and the fragments that it may take in: the fields at the top, and their arguments.
fn read_document(document: &[u8], name: &[u8], key: &HashKey, calls: &mut Calls) {
    let mut tokens = Tokens { rest: document }.peekable();
    let mut is_found = false;
    while let Some(token) = tokens.next() {
        let mut kind = match token {
            Token::Mark(b'{') | Token::Name(b"query") => "query.",
            Token::Name(b"mutation") => "mutation.",
            Token::Name(b"subscription") => "subscription.",
            _ => "",
        };
        let is_operation = !kind.is_empty();
        let is_named = name.is_empty() || tokens.peek() == Some(&Token::Name(name));
        if token != Token::Mark(b'{') {
            // Up to what it selects: its name, type, variables, directives. Default values of variables may have braces.
            let mut parentheses = 0u32;
            for token in tokens.by_ref() {
                match token {
                    Token::Mark(b'(') => parentheses += 1,
                    Token::Mark(b')') => parentheses = parentheses.saturating_sub(1),
                    Token::Mark(b'{') if parentheses == 0 => break,
                    Token::Name(kind_of_fragment) if !is_operation => kind = kind_of(kind_of_fragment),
                    _ => {}
                }
            }
        }
        let is_wanted = if is_operation { is_named && !is_found } else { !kind.is_empty() };
        is_found |= is_operation && is_wanted;
        let mut ignored = Calls::default();
        if !read_fields(&mut tokens, kind, key, if is_wanted { &mut *calls } else { &mut ignored }) {
            *calls = Calls::default();
            return;
        }
        if !is_operation {
            calls.depth = calls.depth.max(ignored.depth);
            calls.page_size = calls.page_size.max(ignored.page_size);
        }
    }
}

/// The kind of operation that a fragment on this type is for: `Query`, `mutation_root`.
fn kind_of(name: &[u8]) -> &'static str {
    let begins = |kind: &[u8]| name.get(..kind.len()).is_some_and(|start| start.eq_ignore_ascii_case(kind));
    match name {
        _ if begins(b"query") => "query.",
        _ if begins(b"mutation") => "mutation.",
        _ if begins(b"subscription") => "subscription.",
        _ => "",
    }
}

/// From behind the brace that opens what an operation selects to the one that closes it: each field is a call, by whatever alias.
/// False where that is no GraphQL.
fn read_fields<'d>(tokens: &mut std::iter::Peekable<Tokens<'d>>, kind: &str, key: &HashKey, calls: &mut Calls) -> bool {
    // What is open, false for an inline fragment, whose fields are those of what it is in.
    let (mut open, mut depth, mut parentheses) = (vec![true], 1u32, 0u32);
    let mut is_fragment = false;
    let (mut field, mut argument): (&[u8], &[u8]) = (b"", b"");
    let mut said = Said::default();
    calls.depth = calls.depth.max(depth);
    while let Some(token) = tokens.next() {
        let is_named = tokens.peek() == Some(&Token::Mark(b':'));
        match token {
            Token::Mark(b'(') => parentheses += 1,
            Token::Mark(b')') => parentheses = parentheses.saturating_sub(1),
            Token::Mark(b'@' | b'$') => drop(tokens.next()),
            Token::Name(name) if parentheses > 0 && is_named => argument = name,
            Token::Text(value) | Token::Number(value) if parentheses > 0 => {
                if depth == 1 {
                    said.argument(argument, value, key);
                }
                if hint_of(argument).any(Hint::PAGE_SIZE) {
                    calls.page_size = calls.page_size.max(rows_in(value));
                }
            }
            _ if parentheses > 0 => {}
            Token::Mark(b'{') => {
                open.push(!is_fragment);
                depth += u32::from(!is_fragment);
                calls.depth = calls.depth.max(depth);
                is_fragment = false;
            }
            Token::Mark(b'}') => {
                depth -= u32::from(open.pop() == Some(true)).min(depth);
                if open.is_empty() {
                    break;
                }
            }
            // `... on Type`, `... @include`, `...Fragment`
            Token::Mark(b'.') => {
                while tokens.next_if_eq(&Token::Mark(b'.')).is_some() {}
                is_fragment = tokens.next_if_eq(&Token::Name(b"on")).is_some();
                let is_spread = matches!(tokens.peek(), Some(Token::Name(_)));
                if is_spread {
                    tokens.next();
                }
                is_fragment |= !is_spread;
            }
            Token::Name(name) if depth == 1 && !is_named && name != b"__typename" => {
                calls.called(Protocol::GraphQl, kind, field, &mut said);
                field = name;
            }
            Token::Name(_) | Token::Mark(b':') => {}
            Token::Text(_) | Token::Number(_) | Token::Mark(_) => return false,
        }
    }
    calls.called(Protocol::GraphQl, kind, field, &mut said);
    true
}

/// The first element of a SOAP envelope's body, or the method of an XML-RPC call; what is within that, and who calls by a token in
/// the envelope's header (OASIS WS-Security UsernameToken Profile 1.1.1).
fn in_xml(body: &[u8], key: &HashKey) -> Option<Box<Calls>> {
    let mut calls = Calls::default();
    let (mut operation, mut said, mut caller): (&[u8], _, _) = (b"", Said::default(), Login::default());
    let (mut elements, mut is_in_body, mut is_in_security, mut is_in_token) = (0, false, false, false);
    let mut rest = body;
    while let Some(open) = memchr::memchr(b'<', rest) {
        let begun = rest.get(open + 1..).unwrap_or_default();
        let (tag, behind) = begun.split_at(memchr::memchr2(b'<', b'>', begun).unwrap_or(begun.len()));
        rest = behind;
        if let Some(closed) = tag.strip_prefix(b"/") {
            is_in_token &= local_name(closed) != b"UsernameToken";
            is_in_security &= local_name(closed) != b"Security";
            continue;
        }
        if matches!(tag.first(), Some(b'?' | b'!') | None) {
            continue;
        }
        let text = behind.get(1..).unwrap_or_default().split(|byte| *byte == b'<').next().unwrap_or_default();
        match (elements, local_name(tag)) {
            (0, b"Envelope" | b"methodCall") => {}
            (0, _) => return None,
            (1, b"methodName") => {
                operation = text.trim_ascii();
                break;
            }
            (_, b"Body") if !is_in_body => is_in_body = true,
            (_, name) if is_in_body && operation.is_empty() => operation = name,
            (_, name) if is_in_body => said.argument(name, text, key),
            (_, b"Security") => is_in_security = true,
            (_, b"UsernameToken") => is_in_token = is_in_security,
            (_, b"Username") if is_in_token => caller.field(Hint::USER, text, key),
            // Of a digest nobody can tell whether it is of the same password.
            (_, b"Password") if is_in_token && memmem::find(tag, b"#PasswordDigest").is_some() => {
                caller.fields.has_password = true;
            }
            (_, b"Password") if is_in_token => caller.field(Hint::PASSWORD, text, key),
            (_, b"BinarySecurityToken" | b"Assertion" | b"Signature") => calls.may_be_signed |= is_in_security,
            _ => {}
        }
        elements += 1;
    }
    calls.called(Protocol::Xml, "", operation, &mut said);
    let LoginFields { user, password, has_password, .. } = caller.take();
    calls.caller = user.filter(|_| has_password).map(|user| Caller { user, password });
    if calls.caller.is_none() {
        calls.logins.clear(); // the report of the whole body has them
    }
    calls.if_any()
}

/// The name of a tag, without its prefix.
fn local_name(tag: &[u8]) -> &[u8] {
    let name = tag.split(|byte| byte.is_ascii_whitespace() || *byte == b'/').next().unwrap_or(tag);
    name.rsplit(|byte| *byte == b':').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: HashKey = HashKey::new([3; 16]);

    fn called(kind: BodyKind, body: &str) -> Option<String> {
        in_body(kind, body.as_bytes(), &KEY).map(|calls| calls.operation)
    }

    #[test]
    fn an_operation_is_what_the_server_is_asked_for() {
        let cases = [
            (r#"{"query":"{ user(id: 5) { name } }"}"#, Some("query.user")),
            (
                r#"{"query":"query Mine($id: ID = {a: 1}) @live { me: user(id: $id) { name } cart { id } }"}"#,
                Some("query.user"),
            ),
            (r#"{"operationName":"B","query":"query A { a } mutation B { b(c: {d: 1}) { e } }"}"#, Some("mutation.b")),
            (
                r#"{"query":"fragment F on User { name }\nquery { ...G ... on Query { x } users { ...F } }"}"#,
                Some("query.x"),
            ),
            (
                r##"{"query":"# {no}\n{ __typename, orders(text: \"{ not }\", long: \"\"\"a \" b\"\"\") }"}"##,
                Some("query.orders"),
            ),
            (r#"{"query":"{ __schema { types { name } } }"}"#, Some("query.__schema")),
            (r#"{"operationName":"Kept","extensions":{"persistedQuery":{"version":1}}}"#, Some("Kept")),
            (r#"{"operationName":"telemetry","duration":5}"#, None),
            (r#"{"query":"{\"active\":true}"}"#, None),
            (r#"{"query":"{app=\"foo\"} |= \"x\""}"#, None),
            (r#"{"method":"getBalance","params":["0x1"],"id":7}"#, None),
            (r#"[{"query":"mutation { login(user: \"a\") { id } }"},{"query":"{ b }"}]"#, Some("mutation.login")),
            ("{ user(id: 5) { name } }", Some("query.user")),
            ("mutation { pay }", Some("mutation.pay")),
            (r#"{"jsonrpc":"2.0","id":1,"method":"user.get","params":{"id":5}}"#, Some("user.get")),
            (r#"{"\u0071uery":"\u006dutation { ... { pay } }"}"#, Some("mutation.pay")),
            (
                r#"{"query":"mutation { ping ... @x(if: true) { login(password: \"p\") { id } } }"}"#,
                Some("mutation.login"),
            ),
            (
                r#"{"query":"fragment F on Mutation { login(password: \"p\") } mutation { ...F }"}"#,
                Some("mutation.login"),
            ),
            (
                r#"[{"jsonrpc":"2.0","method":"z"},{"jsonrpc":"2.0","method":"login","params":{"password":"p"}}]"#,
                Some("login"),
            ),
            (r#"[ {"jsonrpc": "2.0", "method": "a.b"}, {"jsonrpc": "2.0", "method": "c"}]"#, Some("a.b")),
            (r#"{"query":"red shoes","page":1}"#, None),
            (r#"{"query":"queryable {x}"}"#, None),
            (r#"{"method":"card","amount":5}"#, None),
            (r#"{"jsonrpc":"2.0","method":"a b\u001b","id":1}"#, None),
            (r#"{"name":"x"}"#, None),
        ];
        let found: Vec<_> = cases.iter().map(|(body, _)| (*body, called(BodyKind::Json, body))).collect();
        let wrong: Vec<_> =
            found.iter().zip(cases).filter(|((_, found), (_, expected))| found.as_deref() != *expected).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
        let soap = r#"<?xml version="1.0"?><s:Envelope xmlns:s="x"><s:Header><a/></s:Header><s:Body><m:GetUser id="5"><id>7</id></m:GetUser></s:Body></s:Envelope>"#;
        assert_eq!(called(BodyKind::Xml, soap).as_deref(), Some("GetUser"));
        let rpc =
            "<?xml version='1.0'?>\n<methodCall><methodName> wp.getUsersBlogs </methodName><params/></methodCall>";
        assert_eq!(called(BodyKind::Xml, rpc).as_deref(), Some("wp.getUsersBlogs"));
        assert_eq!(called(BodyKind::Xml, "<order><Body><x/></Body></order>"), None);
    }

    /// A message as SOAP clients write them.
    fn envelope(security: &str, call: &str) -> Box<Calls> {
        let body = format!(
            r#"<s:Envelope xmlns:s="x"><s:Header><w:Security wsu:Id="TS-17">{security}</w:Security></s:Header><s:Body wsu:Id="id-18">{call}</s:Body></s:Envelope>"#
        );
        in_body(BodyKind::Xml, body.as_bytes(), &KEY).unwrap()
    }

    #[test]
    fn who_calls_is_said_by_the_envelope() {
        let token = |user: &str, password: &str| {
            format!(
                r#"<w:UsernameToken wsu:Id="UT-1"><w:Username>{user}</w:Username>{password}<w:Nonce>5</w:Nonce></w:UsernameToken>"#
            )
        };
        let plain = r##"<w:Password Type="x#PasswordText">s3cret</w:Password>"##;
        let call = "<p:GetPolicy><policyNo>70000011</policyNo></p:GetPolicy>";
        let calls = envelope(&token("BRK1", plain), call);
        assert_eq!(
            (calls.operation.as_str(), calls.object.map(|object| object.number)),
            ("GetPolicy", Some(70_000_011))
        );
        let (user, password) = (super::super::user_hash(b"brk1", &KEY), KEY.secret("password", b"s3cret"));
        assert_eq!(calls.caller, Some(Caller { user, password: Some(password) }));
        assert!(calls.logins.is_empty() && !calls.may_be_signed);
        let digest = r##"<w:Password Type="x#PasswordDigest">dGhpcw==</w:Password>"##;
        assert_eq!(envelope(&token("BRK1", digest), call).caller, Some(Caller { user, password: None }));
        assert_eq!(envelope(&token("BRK1", ""), call).caller, None, "whoever says so");
        let signed = envelope(r#"<w:BinarySecurityToken>MII</w:BinarySecurityToken>"#, call);
        assert!(signed.may_be_signed && signed.caller.is_none());
        let within = envelope("", &format!("<p:Log>{}</p:Log>", token("a", plain)));
        assert!(within.caller.is_none() && !within.may_be_signed);
        let login = envelope(&token("gate", plain), "<p:Login><user>jane</user><password>p</password></p:Login>");
        assert_eq!(login.logins.len(), 1);
        assert_eq!(login.logins[0].user, Some(super::super::user_hash(b"jane", &KEY)));
    }

    #[test]
    fn each_call_of_a_request_has_its_own_login() {
        let aliases: String = (0..40)
            .map(|n| format!(r#"a{n}: login(input: {{email: \"v@x.io\", password: \"p{n}\"}}) {{ token }} "#))
            .collect();
        let batch: Vec<String> = (0..20)
            .map(|n| {
                format!(r#"{{"query":"mutation L($u: String!) {{ login(u: $u) {{ id }} }}","variables":{{"user":"u{n}","password":"p"}}}}"#)
            })
            .collect();
        for (body, calls, users, passwords) in [
            (format!(r#"{{"query":"mutation {{ {aliases} }}"}}"#), 40, 1, 40),
            (format!("[{}]", batch.join(",")), 20, 20, 1),
        ] {
            let found = in_body(BodyKind::Json, body.as_bytes(), &KEY).unwrap();
            let distinct = |of: fn(&LoginFields) -> Option<u64>| {
                found.logins.iter().map(of).collect::<std::collections::BTreeSet<_>>().len()
            };
            assert_eq!(found.operation, "mutation.login");
            assert_eq!(found.logins.len(), calls);
            assert_eq!((distinct(|login| login.user), distinct(|login| login.password)), (users, passwords));
        }
    }

    #[test]
    fn arguments_of_the_first_call_name_its_object() {
        let numbers = [
            (r#"{"query":"{ user(id: 5) { name } order(id: 9) { id } }"}"#, Some(5)),
            (r#"{"query":"{ order(where: {number: \"INV-0042\"}) { id } }"}"#, Some(42)),
            (r#"{"query":"{ user(session_id: 5) { name } }"}"#, None),
            (r#"{"jsonrpc":"2.0","id":77,"method":"user.get","params":{"userId":6}}"#, Some(6)),
            (r#"{"jsonrpc":"2.0","id":77,"method":"user.get","params":[]}"#, None),
        ];
        for (body, expected) in numbers {
            let calls = in_body(BodyKind::Json, body.as_bytes(), &KEY).unwrap();
            assert_eq!(calls.object.map(|object| object.number), expected, "{body}");
        }
    }

    #[test]
    fn levels_are_those_of_fields_within_fields() {
        let depth = |body: &str| in_body(BodyKind::Json, body.as_bytes(), &KEY).unwrap().depth;
        let nested =
            format!(r#"{{"query":"{{ {} id {} }}"}}"#, "author { books(first: 1) { ".repeat(10), "} } ".repeat(10));
        assert_eq!(depth(&nested), 21);
        assert_eq!(depth(r#"{"query":"{ a { ... on B { c { ... { d } } } } }"}"#), 3);
        assert_eq!(depth(r#"{"query":"{ a(where: {b: {c: {d: 1}}}) }"}"#), 1);
        // What reads a whole schema, as tools send it.
        let kinds = "ofType { kind name ".repeat(7) + &"}".repeat(7);
        let schema = format!(
            r#"{{"query":"query I {{ __schema {{ types {{ ...T }} }} }} fragment T on __Type {{ fields(includeDeprecated: true) {{ args {{ type {{ kind {kinds} }} }} }} }}"}}"#
        );
        assert_eq!(depth(&schema), 11);
    }

    #[test]
    fn arguments_anywhere_may_ask_for_a_large_page() {
        let asked = |body: &str| in_body(BodyKind::Json, body.as_bytes(), &KEY).unwrap().page_size;
        let nested =
            r#"{"query":"{ user(id: 5000) { orders(first: 20) { items(first: 500, after: \"x\") { id } } } }"}"#;
        assert_eq!(asked(nested), Some(500));
        assert_eq!(asked(r#"{"query":"query ($n: Int = 900) { users(first: $n) { id } }"}"#), None);
    }

    #[test]
    fn what_is_no_word_of_a_person_is_no_login() {
        let logins = |body: &str| in_body(BodyKind::Json, body.as_bytes(), &KEY).unwrap().logins;
        assert!(logins(r#"{"jsonrpc":"2.0","method":"user.update","params":{"password":null}}"#).is_empty());
        assert!(
            logins(r#"{"jsonrpc":"2.0","method":"import","params":{"users":[{"user":"a","password":"b"}]}}"#)
                .is_empty()
        );
        assert_eq!(
            logins(r#"{"query":"mutation { login(user: \"a\", password: \"b\") { id } }","password":"x"}"#).len(),
            1
        );
    }

    #[test]
    fn a_body_of_brackets_is_read_once() {
        let body = format!("<Envelope>{}", "<".repeat(4000));
        let started = std::time::Instant::now();
        for _ in 0..200 {
            assert_eq!(in_body(BodyKind::Xml, body.as_bytes(), &KEY), None);
        }
        assert!(started.elapsed() < std::time::Duration::from_secs(2), "{:?}", started.elapsed());
    }

    proptest! {
        #[test]
        fn nothing_breaks_it(
            pieces in proptest::collection::vec(r#"[{}()\[\]:,"@$.#\\ ]|query|mutation|"query":|"|"""|a|5|<s:Body>|<!--|\n"#, 0..60),
            is_xml: bool,
        ) {
            let kind = if is_xml { BodyKind::Xml } else { BodyKind::Json };
            let _ = in_body(kind, pieces.concat().as_bytes(), &KEY);
            let _ = in_document(pieces.concat().as_bytes(), &KEY);
        }
    }
}
