//! Rules of the detector of parameters that are out of place: `undocumented_parameter.toml`.

use super::alert::AlertText;
use super::severity::Severity;
use super::source::Check;
use serde::Deserialize;

/// A parameter that no description lists, or that asks for more than users have.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UndocumentedParameter {
    pub enabled: bool,
    /// Requests to the endpoint before the name first came.
    pub min_requests: u64,
    /// The same before a telling name did.
    pub min_requests_telling: u64,
    /// Clients that send it, from above which on it is a feature.
    pub max_clients: u64,
    /// Severity of a telling name that a description does not declare.
    pub undeclared_severity: Severity,
    /// Severity of a telling name where no description says anything.
    pub new_severity: Severity,
    pub alert: AlertText,
}

impl UndocumentedParameter {
    pub(super) fn check(&self, check: &mut Check<'_>) {
        check.at_least("min_requests_telling", self.min_requests_telling, 1);
        check.at_least("min_requests", self.min_requests, self.min_requests_telling);
        check.at_least("max_clients", self.max_clients, 1);
        check.not_below("new_severity", self.new_severity, self.alert.severity, "`alert.severity`");
        check.not_below("undeclared_severity", self.undeclared_severity, self.new_severity, "`new_severity`");
        self.alert.check(check);
    }
}
