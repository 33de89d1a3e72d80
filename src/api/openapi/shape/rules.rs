//! Rules between the fields of one object, which a table of fields cannot say.

use super::Check;
use crate::api::openapi::operations::Edition;
use serde_json::{Map, Value};

type Object = Map<String, Value>;

fn text<'a>(object: &'a Object, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Value::as_str)
}

/// 3.1 and later: a document is about something.
pub(super) fn document(root: &Object, check: &mut Check) {
    if check.edition >= Edition::V31 && !["paths", "components", "webhooks"].iter().any(|key| root.contains_key(*key)) {
        check.fault("has none of `paths`, `components` and `webhooks`", "add the paths that are to be described");
    }
}

pub(super) fn swagger(root: &Object, check: &mut Check) {
    if let Some(host) = text(root, "host")
        && (host.contains(['/', ' ', '{', '\\']) || host.is_empty())
    {
        check.fault_at("host", "is no host", "write a name and perhaps a port: `api.example.com:8443`");
    }
    if let Some(path) = text(root, "basePath")
        && !path.is_empty()
        && !path.starts_with('/')
    {
        check.fault_at("basePath", "does not begin with `/`", "put a `/` before it");
    }
}

pub(super) fn server(server: &Object, check: &mut Check) {
    if text(server, "url").is_some_and(|url| url.contains(char::is_whitespace)) {
        check.fault_at("url", "is no URL: it holds white space", "correct it, or percent-encode the space");
    }
}

pub(super) fn server_variable(variable: &Object, check: &mut Check) {
    let Some(values) = variable.get("enum").and_then(Value::as_array).filter(|_| check.edition >= Edition::V31) else {
        return;
    };
    if values.is_empty() {
        return check.fault_at("enum", "is empty", "list the values, or leave it out");
    }
    if variable.get("default").is_some_and(|default| !values.contains(default)) {
        check.fault_at("default", "is none of the values in `enum`", "choose one of them, or add it there");
    }
}

/// Up to 3.0 at least one response is described.
pub(super) fn responses(responses: &Object, check: &mut Check) {
    if check.edition <= Edition::V30 && !responses.keys().any(|key| !key.starts_with("x-")) {
        check.fault("has no response", "describe at least one, for instance `default`");
    }
}

pub(super) fn response(response: &Object, check: &mut Check) {
    if check.edition < Edition::V32 && !response.contains_key("description") {
        check.fault_at("description", "is missing", "a response must have one; it may be short");
    }
}

/// Path parameters are required by nature; a value is described by `schema` or `content`, not both.
pub(super) fn parameter(parameter: &Object, check: &mut Check) {
    path_parameter(parameter, check);
    schema_or_content(parameter, check);
}

pub(super) fn schema_or_content(object: &Object, check: &mut Check) {
    match (object.contains_key("schema"), object.contains_key("content")) {
        (true, true) => check.fault("has both `schema` and `content`", "keep one of them"),
        (false, false) => check.fault("has neither `schema` nor `content`", "add a `schema`"),
        _ => {}
    }
}

fn path_parameter(parameter: &Object, check: &mut Check) {
    let is_required = parameter.get("required").and_then(Value::as_bool) == Some(true);
    if text(parameter, "in") == Some("path") && !is_required {
        check.fault_at("required", "is not true, though the parameter is in the path", "write `required: true`");
    }
}

pub(super) fn swagger_parameter(parameter: &Object, check: &mut Check) {
    path_parameter(parameter, check);
    let needed = if text(parameter, "in") == Some("body") { "schema" } else { "type" };
    if !parameter.contains_key(needed) {
        check.fault_at(needed, "is missing", "say what the parameter is");
    }
}

pub(super) fn security_scheme(scheme: &Object, check: &mut Check) {
    let needed: &[&str] = match text(scheme, "type") {
        Some("apiKey") => &["name", "in"],
        Some("http") => &["scheme"],
        Some("oauth2") => &["flows"],
        Some("openIdConnect") => &["openIdConnectUrl"],
        _ => &[],
    };
    require(scheme, needed, check);
}

pub(super) fn swagger_security_scheme(scheme: &Object, check: &mut Check) {
    let needed: &[&str] = match (text(scheme, "type"), text(scheme, "flow")) {
        (Some("apiKey"), _) => &["name", "in"],
        (Some("oauth2"), Some("implicit")) => &["authorizationUrl", "scopes"],
        (Some("oauth2"), Some("accessCode")) => &["authorizationUrl", "tokenUrl", "scopes"],
        (Some("oauth2"), Some(_)) => &["tokenUrl", "scopes"],
        (Some("oauth2"), None) => &["flow"],
        _ => &[],
    };
    require(scheme, needed, check);
}

pub(super) fn flows(flows: &Object, check: &mut Check) {
    for (name, flow) in flows {
        let needed: &[&str] = match name.as_str() {
            "implicit" => &["authorizationUrl"],
            "authorizationCode" => &["authorizationUrl", "tokenUrl"],
            "password" | "clientCredentials" | "deviceAuthorization" => &["tokenUrl"],
            _ => &[],
        };
        if let Some(flow) = flow.as_object() {
            check.within(name, |check| require(flow, needed, check));
        }
    }
}

fn require(object: &Object, needed: &[&str], check: &mut Check) {
    for key in needed.iter().filter(|key| !object.contains_key(**key)) {
        check.fault_at(key, "is missing", "a security scheme of this type must have it");
    }
}

/// What can be seen of a broken regular expression without compiling it: brackets and groups that do not close.
pub(super) fn pattern_fault(pattern: &str) -> Option<&'static str> {
    let (mut groups, mut is_in_class, mut is_escaped) = (0_usize, false, false);
    for c in pattern.chars() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            ']' => is_in_class = false,
            _ if is_in_class => {}
            '[' => is_in_class = true,
            '(' => groups += 1,
            ')' => match groups.checked_sub(1) {
                Some(open) => groups = open,
                None => return Some("closes a group that was not opened"),
            },
            _ => {}
        }
    }
    match () {
        () if is_in_class => Some("has a `[` that is not closed"),
        () if groups > 0 => Some("has a `(` that is not closed"),
        () if is_escaped => Some("ends in a backslash"),
        () => None,
    }
}
