//! Where an API is offered: `servers` of 3.x, `host` and `basePath` of 2.0.
//!
//! A server URL with variables gives several [`Server`]s: with the defaults, with each value of an enumeration (up to
//! [`MAX_SERVERS`]), and as a template whose variables match any label or segment.

use super::Server;
use crate::api::url::normalise_host;
use serde_json::Value;

/// Servers made of one list. Regions times stages; more is a mistake or an attack.
pub const MAX_SERVERS: usize = 64;

/// The servers of a `servers` array, sorted; empty where it is absent or empty.
pub fn of_list(list: Option<&Value>) -> Vec<Server> {
    let mut servers = Vec::new();
    for entry in list.and_then(Value::as_array).into_iter().flatten() {
        if let Some(url) = entry.get("url").and_then(Value::as_str) {
            for url in expanded(url, entry.get("variables")) {
                servers.push(of_url(&url));
            }
        }
        if servers.len() >= MAX_SERVERS {
            break;
        }
    }
    servers.truncate(MAX_SERVERS);
    servers.sort();
    servers.dedup();
    servers
}

/// The server of a Swagger 2.0 document.
pub fn of_swagger(root: &Value) -> Server {
    let text = |key| root.get(key).and_then(Value::as_str);
    Server { host: text("host").and_then(host), base_path: base_path(text("basePath").unwrap_or_default()) }
}

/// A URL, or a path relative to where the description lies.
fn of_url(url: &str) -> Server {
    let rest = match url.split_once("://") {
        Some((_, rest)) => rest,
        None => match url.strip_prefix("//") {
            Some(rest) => rest,
            None => return Server { host: None, base_path: base_path(url) },
        },
    };
    let end = outside_braces(rest, |c| matches!(c, '/' | '?' | '#')).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    Server { host: host(authority), base_path: base_path(path) }
}

/// A host without user and port, lower case; templates stay as they are. One that is a template altogether is no host.
fn host(authority: &str) -> Option<String> {
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if !authority.contains('{') {
        return normalise_host(authority).map(|host| host.into_owned());
    }
    let end = outside_braces(authority, |c| c == ':').unwrap_or(authority.len());
    let name = authority.get(..end).unwrap_or_default();
    let is_one_variable = name.starts_with('{') && name.find('}') == Some(name.len() - 1);
    let lower = |(at, part): (usize, &str)| if at == 0 { part.to_ascii_lowercase() } else { lower_behind_brace(part) };
    (!is_one_variable).then(|| name.split('{').enumerate().map(lower).collect::<Vec<_>>().join("{"))
}

/// Variable names keep their case, what follows them is a host.
fn lower_behind_brace(part: &str) -> String {
    let end = part.find('}').unwrap_or(part.len());
    let (name, rest) = part.split_at(end);
    format!("{name}{}", rest.to_ascii_lowercase())
}

fn outside_braces(text: &str, is_wanted: impl Fn(char) -> bool) -> Option<usize> {
    let mut depth = 0_usize;
    text.char_indices().find_map(|(at, c)| {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        (depth == 0 && is_wanted(c)).then_some(at)
    })
}

fn base_path(path: &str) -> String {
    let path = path.split(['?', '#']).next().unwrap_or_default().trim_matches('/');
    // `.` and `./v1` are relative to the description, which is where the API is.
    let path = path.strip_prefix("./").unwrap_or(if path == "." { "" } else { path });
    if path.is_empty() { String::new() } else { format!("/{path}") }
}

/// The URL as a template, with the defaults of its variables, and with each value of their enumerations.
fn expanded(url: &str, variables: Option<&Value>) -> Vec<String> {
    let mut all = vec![url.to_owned()];
    let Some(variables) = variables.and_then(Value::as_object).filter(|_| url.contains('{')) else { return all };
    let mut filled = vec![url.to_owned()];
    for (name, variable) in variables {
        let placeholder = format!("{{{name}}}");
        if !url.contains(&placeholder) {
            continue;
        }
        let listed = variable.get("enum").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let mut values: Vec<&str> = variable.get("default").and_then(Value::as_str).into_iter().chain(listed).collect();
        values.sort_unstable();
        values.dedup();
        if values.is_empty() {
            continue;
        }
        filled = filled
            .iter()
            .flat_map(|url| values.iter().map(|value| url.replace(&placeholder, value)))
            .take(MAX_SERVERS)
            .collect();
    }
    all.extend(filled);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn servers(list: Value) -> Vec<(Option<String>, String)> {
        of_list(Some(&list)).into_iter().map(|server| (server.host, server.base_path)).collect()
    }

    fn server(url: &str) -> (Option<String>, String) {
        servers(json!([{"url": url}])).remove(0)
    }

    #[test]
    fn a_server_has_a_host_without_port_and_a_base_path_without_trailing_slash() {
        let some = |host: &str, path: &str| (Some(host.to_owned()), path.to_owned());
        assert_eq!(server("https://API.example.com:8443/v1/"), some("api.example.com", "/v1"));
        assert_eq!(server("https://example.com"), some("example.com", ""));
        assert_eq!(server("//example.com/a/b?x"), some("example.com", "/a/b"));
        assert_eq!(server("http://[::1]:80/x"), some("[::1]", "/x"));
        assert_eq!(server("{scheme}://Developer.example.gov/ds-api"), some("developer.example.gov", "/ds-api"));
        assert_eq!(server("https://{Region}.Example.com:{port}/{version}"), some("{Region}.example.com", "/{version}"));
        assert_eq!(server("/api"), (None, "/api".to_owned()));
        assert_eq!(server("/"), (None, String::new()));
        assert_eq!(server("./v2/"), (None, "/v2".to_owned()));
        assert_eq!(server("https://{host}/v1"), (None, "/v1".to_owned()));
    }

    #[test]
    fn variables_give_their_values_and_a_template() {
        let list = json!([{"url": "https://{region}.x.test/{base}", "variables": {
            "region": {"default": "eu", "enum": ["eu", "us"]}, "base": {"default": ""}}}]);
        let hosts: Vec<_> = servers(list).into_iter().map(|(host, path)| (host.unwrap_or_default(), path)).collect();
        let expected = [("eu.x.test", ""), ("us.x.test", ""), ("{region}.x.test", "/{base}")];
        assert_eq!(hosts, expected.map(|(host, path)| (host.to_owned(), path.to_owned())));
    }

    #[test]
    fn many_enumerations_do_not_multiply_without_end() {
        let values: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        let variable = json!({"default": "0", "enum": values});
        let list =
            json!([{"url": "https://{a}.{b}.{c}.test", "variables": {"a": variable, "b": variable, "c": variable}}]);
        assert_eq!(servers(list).len(), MAX_SERVERS);
    }
}
