//! The operation that a request names within its body, where its path is that of all of them: GraphQL, JSON-RPC, SOAP, XML-RPC.
//!
//! In go the format and the head of a request's body; out come [`Calls`]: what is called, and the login fields of each call, since one
//! request can hold many (OWASP API2:2023 has a batch of logins for an example). Of a GraphQL document the operation is the first
//! field that it asks the server for, not the name that the client gave it; of a batch it is that of the first call.
//!
//! It refuses what is none of these: a search whose field happens to be named `query` holds no document. What is cut off counts as
//! far as it goes. Linear in time, without recursion.

use super::BodyKind;
use super::field::{Hint, hint_of};
use super::object::NamedObject;
use super::report::LoginFields;
use super::sink::ASKING_DEPTH;
use super::verdict::Login;
use crate::hash::HashKey;
use memchr::memmem;

/// Longest name of an operation, in bytes; a longer one names none.
const NAME_BYTES: usize = 64;
/// Calls of one request whose login fields are kept.
const MOST_LOGINS: usize = 128;

/// What a request calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calls {
    /// `query.user`, `mutation.login` of GraphQL, else the method as it is.
    pub operation: String,
    /// Of each call that has any.
    pub logins: Vec<LoginFields>,
    /// What the arguments of the first call name.
    pub object: Option<NamedObject>,
}

impl Calls {
    fn login(&mut self, login: &mut Login) {
        let fields = login.take();
        if fields != LoginFields::default() && self.logins.len() < MOST_LOGINS {
            self.logins.push(fields);
        }
    }

    fn name(&mut self, kind: &str, name: &[u8]) {
        if self.operation.is_empty() && is_name(name) && kind.len() + name.len() <= NAME_BYTES {
            self.operation = kind.to_owned() + &String::from_utf8_lossy(name);
        }
    }

    fn if_any(self) -> Option<Box<Calls>> {
        (!self.operation.is_empty()).then(|| Box::new(self))
    }
}

/// What the body of a request calls.
pub(super) fn in_body(kind: BodyKind, body: &[u8], key: &HashKey) -> Option<Box<Calls>> {
    match kind {
        BodyKind::Json if has_calls(body) => in_json(body, key),
        BodyKind::Xml => in_xml(body),
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

/// Most bodies have none: a look at their bytes tells.
fn has_calls(body: &[u8]) -> bool {
    let names = |name: &[u8]| memmem::find(body, name).is_some();
    !matches!(body.trim_ascii_start().first(), Some(b'{' | b'['))
        || names(b"\"query\"")
        || names(b"\"method\"")
        || names(b"\"operationName\"")
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
    has_parameters: bool,
    has_id: bool,
    login: Login,
    object: Option<NamedObject>,
}

impl Call {
    fn end(mut self, key: &HashKey, calls: &mut Calls) {
        let is_rpc = self.has_version || self.has_parameters && self.has_id;
        if is_rpc && !self.method.is_empty() {
            calls.name("", &self.method);
        } else if is_document(&self.document) {
            read_document(&self.document, &self.name, key, calls);
        } else if self.document.is_empty() && !self.name.is_empty() {
            calls.name("", &self.name); // a document that the server keeps
        }
        calls.login(&mut self.login);
        calls.object = calls.object.or(self.object);
    }

    fn value(&mut self, name: &[u8], depth: u32, value: &[u8], key: &HashKey) {
        match (depth, name) {
            (1, b"query") => self.document = value.to_vec(),
            (1, b"operationName") => self.name = value.to_vec(),
            (1, b"method") => self.method = value.to_vec(),
            (1, b"jsonrpc") => self.has_version = true,
            (1, b"id") => self.has_id = true,
            (1, _) => {}
            _ => argument(name, value, key, &mut self.login, &mut self.object),
        }
        self.has_parameters |= name == b"params";
    }
}

/// What an argument says of who logs in, and of what is asked for.
fn argument(name: &[u8], value: &[u8], key: &HashKey, login: &mut Login, object: &mut Option<NamedObject>) {
    let hint = hint_of(name);
    login.field(hint, value, key);
    if hint.any(Hint::OBJECT) {
        *object = NamedObject::with(*object, value, key);
    }
}

/// An object with a call, or an array of them.
fn in_json(body: &[u8], key: &HashKey) -> Option<Box<Calls>> {
    let mut calls = Calls::default();
    let first = body.trim_ascii_start().first().copied();
    if first != Some(b'[') && (first != Some(b'{') || is_bare_document(body)) {
        return in_document(body, key);
    }
    let base = u32::from(first == Some(b'['));
    let (mut call, mut depth) = (Call::default(), 0u32);
    let (mut name, mut text) = (Vec::new(), Vec::new());
    let (mut at, mut is_value) = (0, false);
    while let Some(&byte) = body.get(at) {
        at += 1;
        match byte {
            b'"' => {
                at = string(body, at, &mut text);
                let is_key = body.get(at..).unwrap_or_default().trim_ascii_start().first() == Some(&b':');
                if is_key && !is_value {
                    std::mem::swap(&mut name, &mut text);
                    call.has_parameters |= depth == base + 1 && name == b"params";
                } else if is_value && depth <= base + ASKING_DEPTH {
                    call.value(&name, depth - base.min(depth), &text, key);
                    is_value = false;
                }
            }
            b':' => is_value = true,
            b'{' | b'[' => (depth, is_value) = (depth.saturating_add(1), false),
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if byte == b'}' && depth == base {
                    std::mem::take(&mut call).end(key, &mut calls);
                }
            }
            b',' => is_value = false,
            byte if is_value && !byte.is_ascii_whitespace() => {
                let start = at - 1;
                at += body.get(at..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
                call.value(&name, depth - base.min(depth), body.get(start..at).unwrap_or_default(), key);
                is_value = false;
            }
            _ => {}
        }
    }
    call.end(key, &mut calls);
    calls.if_any()
}

/// Reads a string from behind its opening quote into `text`; gives where it ends. Escapes of characters that names and documents
/// hardly have come out as they are.
fn string(body: &[u8], mut at: usize, text: &mut Vec<u8>) -> usize {
    text.clear();
    while let Some(&byte) = body.get(at) {
        at += 1;
        match byte {
            b'"' => break,
            b'\\' => {
                match body.get(at) {
                    Some(b'n' | b'r') => text.push(b'\n'),
                    Some(b't') => text.push(b' '),
                    Some(b'u') => text.extend_from_slice(b"\\u"),
                    Some(&other) => text.push(other),
                    None => {}
                }
                at += 1;
            }
            _ => text.push(byte),
        }
    }
    at
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

/// Reads the operation of this name, or the first: its fields at the top, and their arguments.
fn read_document(document: &[u8], name: &[u8], key: &HashKey, calls: &mut Calls) {
    let mut tokens = Tokens { rest: document }.peekable();
    while let Some(token) = tokens.next() {
        let kind = match token {
            Token::Mark(b'{') => return read_fields(&mut tokens, "query.", key, calls),
            Token::Name(b"query") => "query.",
            Token::Name(b"mutation") => "mutation.",
            Token::Name(b"subscription") => "subscription.",
            _ => "",
        };
        let is_wanted = name.is_empty() || tokens.peek() == Some(&Token::Name(name));
        // Up to what it selects: its name, variables, directives. Default values of variables may have braces.
        let mut parentheses = 0u32;
        for token in tokens.by_ref() {
            match token {
                Token::Mark(b'(') => parentheses += 1,
                Token::Mark(b')') => parentheses = parentheses.saturating_sub(1),
                Token::Mark(b'{') if parentheses == 0 => break,
                _ => {}
            }
        }
        if is_wanted && !kind.is_empty() {
            return read_fields(&mut tokens, kind, key, calls);
        }
        let mut depth = 1u32;
        while depth > 0 {
            match tokens.next() {
                Some(Token::Mark(b'{')) => depth += 1,
                Some(Token::Mark(b'}')) => depth -= 1,
                Some(_) => {}
                None => return,
            }
        }
    }
}

/// From behind the brace that opens what an operation selects: each field is a call, by whatever alias.
fn read_fields<'d>(tokens: &mut std::iter::Peekable<Tokens<'d>>, kind: &str, key: &HashKey, calls: &mut Calls) {
    let (mut depth, mut parentheses) = (1u32, 0u32);
    let mut named: &[u8] = b"";
    let (mut login, mut object) = (Login::default(), None);
    while let Some(token) = tokens.next() {
        let is_named = tokens.peek() == Some(&Token::Mark(b':'));
        match token {
            Token::Mark(b'(') => parentheses += 1,
            Token::Mark(b')') => {
                parentheses = parentheses.saturating_sub(1);
                if parentheses == 0 && depth == 1 {
                    calls.login(&mut login);
                    calls.object = calls.object.or(object.take());
                }
            }
            // Values of arguments have braces of their own.
            Token::Mark(b'{') if parentheses == 0 => depth += 1,
            Token::Mark(b'}') if parentheses == 0 => {
                depth -= 1; // it is above 0: the loop ends there
                if depth == 0 {
                    break;
                }
            }
            // `@include(if: $flag)`, `... on Type`, `...Fragment`, `$variable`
            Token::Mark(b'@' | b'$') => drop(tokens.next()),
            Token::Mark(b'.') => {
                while tokens.next_if_eq(&Token::Mark(b'.')).is_some() {}
                let is_condition = tokens.next_if_eq(&Token::Name(b"on")).is_some();
                if is_condition || matches!(tokens.peek(), Some(Token::Name(_))) {
                    tokens.next();
                }
            }
            Token::Name(name) if parentheses > 0 && is_named => named = name,
            Token::Text(value) | Token::Number(value) if parentheses > 0 && depth == 1 => {
                argument(named, value, key, &mut login, &mut object);
            }
            Token::Name(name) if parentheses == 0 && depth == 1 && !is_named && name != b"__typename" => {
                calls.name(kind, name);
            }
            _ => {}
        }
    }
    calls.login(&mut login);
}

/// The first element of a SOAP envelope's body, or the method of an XML-RPC call.
fn in_xml(body: &[u8]) -> Option<Box<Calls>> {
    let mut calls = Calls::default();
    let (mut rest, mut elements, mut is_in_body) = (body, 0, false);
    while let Some(open) = memchr::memchr(b'<', rest) {
        rest = rest.get(open + 1..).unwrap_or_default();
        if matches!(rest.first(), Some(b'?' | b'!' | b'/')) {
            continue;
        }
        let end = rest.iter().position(|byte| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/'))?;
        let name = rest.get(..end).unwrap_or_default();
        let local = name.rsplit(|byte| *byte == b':').next().unwrap_or(name);
        match (elements, local) {
            (0, b"Envelope" | b"methodCall") | (1.., b"Header") => {}
            (0, _) => return None,
            (1, b"methodName") => {
                let text = rest.get(end + 1..).unwrap_or_default();
                calls.name("", text.split(|byte| *byte == b'<').next().unwrap_or_default().trim_ascii());
                break;
            }
            (_, b"Body") => is_in_body = true,
            _ if is_in_body => {
                calls.name("", local);
                break;
            }
            _ => {}
        }
        elements += 1;
    }
    calls.if_any()
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
                Some("query.users"),
            ),
            (
                r##"{"query":"# {no}\n{ __typename, orders(text: \"{ not }\", long: \"\"\"a \" b\"\"\") }"}"##,
                Some("query.orders"),
            ),
            (r#"{"query":"{ __schema { types { name } } }"}"#, Some("query.__schema")),
            (r#"{"operationName":"Kept","extensions":{"persistedQuery":{"version":1}}}"#, Some("Kept")),
            (r#"[{"query":"mutation { login(user: \"a\") { id } }"},{"query":"{ b }"}]"#, Some("mutation.login")),
            ("{ user(id: 5) { name } }", Some("query.user")),
            ("mutation { pay }", Some("mutation.pay")),
            (r#"{"jsonrpc":"2.0","id":1,"method":"user.get","params":{"id":5}}"#, Some("user.get")),
            (r#"{"method":"getBalance","params":["0x1"],"id":7}"#, Some("getBalance")),
            (r#"[ {"jsonrpc": "2.0", "method": "a.b"}, {"jsonrpc": "2.0", "method": "c"}]"#, Some("a.b")),
            (r#"{"query":"red shoes","page":1}"#, None),
            (r#"{"query":"queryable {x}"}"#, None),
            (r#"{"method":"card","amount":5}"#, None),
            (r#"{"jsonrpc":"2.0","method":"a b\u001b","id":1}"#, None),
            (r#"{"name":"x"}"#, None),
        ];
        for (body, expected) in cases {
            assert_eq!(called(BodyKind::Json, body).as_deref(), expected, "{body}");
        }
        let soap = r#"<?xml version="1.0"?><s:Envelope xmlns:s="x"><s:Header><a/></s:Header><s:Body><m:GetUser id="5"><id>7</id></m:GetUser></s:Body></s:Envelope>"#;
        assert_eq!(called(BodyKind::Xml, soap).as_deref(), Some("GetUser"));
        let rpc =
            "<?xml version='1.0'?>\n<methodCall><methodName> wp.getUsersBlogs </methodName><params/></methodCall>";
        assert_eq!(called(BodyKind::Xml, rpc).as_deref(), Some("wp.getUsersBlogs"));
        assert_eq!(called(BodyKind::Xml, "<order><Body><x/></Body></order>"), None);
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
