//! Names by which logins, sessions and keys are recognised: `api.toml`.

use super::pattern;
use super::source::Check;
use serde::Deserialize;

/// Names and patterns; letter case does not matter in any of them.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiNames {
    pub login: LoginNames,
    pub session: SessionNames,
    pub api_key: ApiKeyNames,
    pub redact: RedactedNames,
    pub parameters: ParameterNames,
    pub injection: InjectionNames,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginNames {
    /// Patterns of endpoints (`METHOD host/path`) that are logins whatever they look like.
    pub endpoints: Vec<String>,
    /// Patterns of endpoints that are none.
    pub excepted_endpoints: Vec<String>,
    /// Request fields that carry a user name, beside those known by themselves.
    pub user_fields: Vec<String>,
    /// Request fields that carry a password, beside those known by themselves.
    pub password_fields: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionNames {
    /// Patterns of cookie names that carry a session.
    pub cookies: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKeyNames {
    /// Header fields that carry a key, beside those known by themselves.
    pub headers: Vec<String>,
    /// Query parameters that carry a key.
    pub parameters: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedactedNames {
    /// Query parameters whose values are never written.
    pub parameters: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParameterNames {
    /// Names that tell of rights or money, beside those known by themselves.
    pub telling: Vec<String>,
    /// Names that every server takes, whether or not a description lists them.
    pub ignored: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InjectionNames {
    /// Patterns of paths whose bodies are what others wrote: logs, documents of a search engine, reports of errors.
    pub collectors: Vec<String>,
}

impl ApiNames {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.table("login", |check| {
            check.names("endpoints", &self.login.endpoints);
            check.names("excepted_endpoints", &self.login.excepted_endpoints);
            check.names("user_fields", &self.login.user_fields);
            check.names("password_fields", &self.login.password_fields);
        });
        check.table("session", |check| check.names("cookies", &self.session.cookies));
        check.table("api_key", |check| {
            check.names("headers", &self.api_key.headers);
            check.names("parameters", &self.api_key.parameters);
        });
        check.table("redact", |check| check.names("parameters", &self.redact.parameters));
        check.table("parameters", |check| {
            check.names("telling", &self.parameters.telling);
            check.names("ignored", &self.parameters.ignored);
        });
        check.table("injection", |check| check.names("collectors", &self.injection.collectors));
    }

    pub fn is_session_cookie(&self, name: &str) -> bool {
        pattern::any_matches(&self.session.cookies, name)
    }

    /// Whether a site names header fields of its own.
    pub fn has_api_key_headers(&self) -> bool {
        !self.api_key.headers.is_empty()
    }

    pub fn is_api_key_header(&self, name: &[u8]) -> bool {
        std::str::from_utf8(name).is_ok_and(|name| pattern::any_matches(&self.api_key.headers, name))
    }

    pub fn is_api_key_parameter(&self, name: &str) -> bool {
        pattern::any_matches(&self.api_key.parameters, name)
    }

    pub fn is_redacted_parameter(&self, name: &str) -> bool {
        pattern::any_matches(&self.redact.parameters, name)
    }

    /// Whether a site calls something so that tells of rights or money.
    pub fn is_telling_parameter(&self, name: &[u8]) -> bool {
        let telling = &self.parameters.telling;
        !telling.is_empty() && std::str::from_utf8(name).is_ok_and(|name| pattern::any_matches(telling, name))
    }

    /// Whether a parameter of this name says nothing, though no description lists it.
    pub fn is_ignored_parameter(&self, name: &[u8]) -> bool {
        let is_ignored = |name| pattern::any_matches(&self.parameters.ignored, name) || self.is_api_key_parameter(name);
        std::str::from_utf8(name).is_ok_and(is_ignored)
    }

    /// Whether the bodies that go to this path quote what others sent.
    pub fn is_collector(&self, path: &str) -> bool {
        pattern::any_matches(&self.injection.collectors, path)
    }

    /// What the operator said about an endpoint (`METHOD host/path`): `Some(true)` is a login, `Some(false)` is none.
    pub fn is_login_endpoint(&self, endpoint: &str) -> Option<bool> {
        let fits_any = |patterns: &[String]| patterns.iter().any(|pattern| pattern::fits_endpoint(pattern, endpoint));
        if fits_any(&self.login.excepted_endpoints) {
            Some(false)
        } else if fits_any(&self.login.endpoints) {
            Some(true)
        } else {
            None
        }
    }

    /// [`ApiNames::is_login_endpoint`] of the parts of a name, without work where nothing is configured.
    pub fn configured_login(&self, method: &str, host: &str, path: &str) -> Option<bool> {
        if self.login.endpoints.is_empty() && self.login.excepted_endpoints.is_empty() {
            return None;
        }
        self.is_login_endpoint(&format!("{method} {host}{path}"))
    }
}
