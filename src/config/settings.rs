//! What the configuration makes of the stages that read it: settings of interpretation, how URLs are blanked.

use super::{Config, Redact};
use crate::api::openapi::{self, Catalogue, OpenApiError};
use crate::api::{Settings, url};
use crate::inspect::{Role, is_secret_name, scan_text};
use crate::rule::{ApiNames, Ruleset};
use crate::time::zone::Zone;
use std::path::PathBuf;

impl Config {
    /// How transactions are to be understood, with these OpenAPI descriptions besides its own; and what there is to say
    /// about the descriptions.
    pub fn settings(&self, rules: &Ruleset, openapi: &[PathBuf]) -> Result<(Settings, Vec<String>), OpenApiError> {
        let mut notes = Vec::new();
        let mut descriptions = Vec::new();
        for path in self.api.openapi.iter().chain(openapi) {
            let description = openapi::load_tolerant(path)?;
            notes.extend(description.notes.iter().map(|note| format!("{}: {note}", path.display())));
            notes.extend(description.warnings.iter().map(|warning| format!("warning: {warning}")));
            descriptions.push(description);
        }
        let settings = Settings {
            names: rules.names.clone(),
            catalogue: Catalogue::new(descriptions),
            trusted_proxies: self.identity.trusted_proxies.clone(),
            home_networks: self.site.home_networks.clone(),
            zone: Zone::named(&self.site.time_zone).unwrap_or_default(), // which a check has found
            ..Settings::default()
        };
        Ok((settings, notes))
    }
}

impl Redact {
    /// The function that blanks a request target.
    pub fn function(self) -> fn(&str, &ApiNames) -> String {
        match self {
            Redact::Secrets => secrets,
            Redact::None => nothing,
            Redact::All => all,
        }
    }
}

fn secrets(target: &str, names: &ApiNames) -> String {
    let is_secret = |name: Option<&[u8]>, value: &[u8]| {
        let by_name = name.is_some_and(|name| {
            is_secret_name(name) || std::str::from_utf8(name).is_ok_and(|name| names.is_redacted_parameter(name))
        });
        by_name || is_sensitive(name, value)
    };
    url::redact(target, is_secret).into_owned()
}

/// Whether a value is personal or a secret by its looks, under that name.
fn is_sensitive(name: Option<&[u8]>, value: &[u8]) -> bool {
    let name = name.and_then(|name| std::str::from_utf8(name).ok());
    !scan_text(value, name, Role::Request).is_empty()
}

fn nothing(target: &str, _: &ApiNames) -> String {
    target.to_string()
}

fn all(target: &str, _: &ApiNames) -> String {
    url::redact(target, |name, value| name.is_some() || is_sensitive(name, value)).into_owned()
}
