//! The rules: thresholds, names and suppressions, one TOML file for each family of detectors.
//!
//! In go the files of `rules/` that are embedded in the binary and, laid over them file by file and key by key, those of
//! the folder given by `--rules`. Out comes a [`Ruleset`]: typed, checked, immutable. Refused, with file, line and mend:
//! unknown files and keys, values out of range. Units stand in the names (`window_seconds`, `min_bytes`); shares and
//! probabilities go from 0 to 1.

mod account_abuse;
mod alert;
mod business_flow_abuse;
mod client_errors;
mod credential_leak;
mod cross_account_access;
mod data_exfiltration;
mod enumeration;
mod evasion;
mod exposure;
mod idle_api_key;
mod injection;
mod latency_anomaly;
mod login;
mod names;
mod nearest;
pub mod pattern;
mod privileged_function;
mod protocol_abuse;
mod request_smuggling;
mod resource_abuse;
mod response_drift;
mod sensor;
mod server_errors;
mod session_anomaly;
mod severity;
mod source;
mod suppress;
mod traffic_drop;
mod undocumented_parameter;
mod unsigned_token;
mod zombie_endpoint;

pub use account_abuse::{Calls, CallsOfEndpoint, PasswordResetAbuse, RegistrationAbuse, UserEnumeration};
pub use alert::{AlertText, SIGNATURE_IDS};
pub use business_flow_abuse::BusinessFlowAbuse;
pub use client_errors::{ClientErrorSpike, ErrorShare, Scanner};
pub use credential_leak::CredentialLeak;
pub use cross_account_access::CrossAccountAccess;
pub use data_exfiltration::{DataExfiltration, Peers, Taking, Volume};
pub use enumeration::ObjectEnumeration;
pub use evasion::Evasion;
pub use exposure::{
    BySensitivity, ExcessOfEndpoint, ExcessiveDataExposure, ShadowEndpoint, UnauthenticatedDataExposure,
};
pub use idle_api_key::{IdleApiKey, SHORTEST_SLEEP};
pub use injection::{Injection, RequestForgery};
pub use latency_anomaly::LatencyAnomaly;
pub use login::{
    BruteForce, CredentialStuffing, PasswordSpraying, StuffingFromClient, StuffingFromNetwork, StuffingOfEndpoint,
};
pub use names::{ApiKeyNames, ApiNames, LoginNames, RedactedNames, SessionNames};
pub use nearest::did_you_mean;
pub use privileged_function::{MOST_CIRCLE_MEMBERS, PrivilegedFunction};
pub use protocol_abuse::ProtocolAbuse;
pub use request_smuggling::RequestSmuggling;
pub use resource_abuse::{LEAST_PAGE_ROWS, PageSizes, ResourceAbuse};
pub use response_drift::ResponseDrift;
pub use sensor::SensorRules;
pub use server_errors::ServerErrorSpike;
pub use session_anomaly::SessionAnomaly;
pub use severity::Severity;
#[cfg(test)]
pub(crate) use source::SPANS_SECONDS;
pub(crate) use source::{Check, Source, parse};
pub use source::{FILE_BYTES, RuleError};
pub use suppress::{Network, Suppression};
pub use traffic_drop::{MOST_DROP_WINDOWS, TrafficDrop};
pub use undocumented_parameter::UndocumentedParameter;
pub use unsigned_token::UnsignedToken;
pub use zombie_endpoint::ZombieEndpoint;

use crate::time::Timestamp;
use nearest::nearest;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

/// The files of a rules folder and what they say where the folder has none.
const EMBEDDED: [(&str, &str); 29] = [
    ("account_abuse.toml", include_str!("../../rules/account_abuse.toml")),
    ("api.toml", include_str!("../../rules/api.toml")),
    ("business_flow_abuse.toml", include_str!("../../rules/business_flow_abuse.toml")),
    ("client_error_spike.toml", include_str!("../../rules/client_error_spike.toml")),
    ("credential_leak.toml", include_str!("../../rules/credential_leak.toml")),
    ("credential_stuffing.toml", include_str!("../../rules/credential_stuffing.toml")),
    ("cross_account_access.toml", include_str!("../../rules/cross_account_access.toml")),
    ("data_exfiltration.toml", include_str!("../../rules/data_exfiltration.toml")),
    ("evasion.toml", include_str!("../../rules/evasion.toml")),
    ("excessive_data_exposure.toml", include_str!("../../rules/excessive_data_exposure.toml")),
    ("idle_api_key.toml", include_str!("../../rules/idle_api_key.toml")),
    ("injection.toml", include_str!("../../rules/injection.toml")),
    ("latency_anomaly.toml", include_str!("../../rules/latency_anomaly.toml")),
    ("object_enumeration.toml", include_str!("../../rules/object_enumeration.toml")),
    ("privileged_function.toml", include_str!("../../rules/privileged_function.toml")),
    ("protocol_abuse.toml", include_str!("../../rules/protocol_abuse.toml")),
    ("request_smuggling.toml", include_str!("../../rules/request_smuggling.toml")),
    ("resource_abuse.toml", include_str!("../../rules/resource_abuse.toml")),
    ("response_drift.toml", include_str!("../../rules/response_drift.toml")),
    ("sensor.toml", include_str!("../../rules/sensor.toml")),
    ("server_error_spike.toml", include_str!("../../rules/server_error_spike.toml")),
    ("session_anomaly.toml", include_str!("../../rules/session_anomaly.toml")),
    ("shadow_endpoint.toml", include_str!("../../rules/shadow_endpoint.toml")),
    ("suppress.toml", include_str!("../../rules/suppress.toml")),
    ("traffic_drop.toml", include_str!("../../rules/traffic_drop.toml")),
    ("unauthenticated_data_exposure.toml", include_str!("../../rules/unauthenticated_data_exposure.toml")),
    ("undocumented_parameter.toml", include_str!("../../rules/undocumented_parameter.toml")),
    ("unsigned_token.toml", include_str!("../../rules/unsigned_token.toml")),
    ("zombie_endpoint.toml", include_str!("../../rules/zombie_endpoint.toml")),
];

/// In the order of their signature ids.
const DETECTORS: [&str; 39] = [
    "credential_stuffing",
    "brute_force",
    "password_spraying",
    "client_error_spike",
    "scanner",
    "shadow_endpoint",
    "excessive_data_exposure",
    "unauthenticated_data_exposure",
    "object_enumeration",
    "sensor_silent",
    "sensor_one_sided",
    "sensor_loss",
    "sensor_overload",
    "sensor_clock",
    "sensor_interface",
    "protocol_abuse",
    "evasion",
    "request_smuggling",
    "server_error_spike",
    "credential_leak",
    "data_exfiltration",
    "response_drift",
    "zombie_endpoint",
    "otp_brute_force",
    "user_enumeration",
    "registration_abuse",
    "password_reset_abuse",
    "session_anomaly",
    "idle_api_key",
    "undocumented_parameter",
    "resource_abuse",
    "latency_anomaly",
    "traffic_drop",
    "privileged_function",
    "injection",
    "server_side_request_forgery",
    "unsigned_token",
    "cross_account_access",
    "business_flow_abuse",
];

/// Everything that detectors and the stages before them take from the rules.
#[derive(Clone, Debug, PartialEq)]
pub struct Ruleset {
    pub credential_stuffing: CredentialStuffing,
    pub brute_force: BruteForce,
    pub password_spraying: PasswordSpraying,
    pub client_error_spike: ClientErrorSpike,
    pub scanner: Scanner,
    pub shadow_endpoint: ShadowEndpoint,
    pub excessive_data_exposure: ExcessiveDataExposure,
    pub unauthenticated_data_exposure: UnauthenticatedDataExposure,
    pub object_enumeration: ObjectEnumeration,
    pub protocol_abuse: ProtocolAbuse,
    pub evasion: Evasion,
    pub request_smuggling: RequestSmuggling,
    pub server_error_spike: ServerErrorSpike,
    pub credential_leak: CredentialLeak,
    pub data_exfiltration: DataExfiltration,
    pub response_drift: ResponseDrift,
    pub zombie_endpoint: ZombieEndpoint,
    pub otp_brute_force: BruteForce,
    pub user_enumeration: UserEnumeration,
    pub registration_abuse: RegistrationAbuse,
    pub password_reset_abuse: PasswordResetAbuse,
    pub session_anomaly: SessionAnomaly,
    pub idle_api_key: IdleApiKey,
    pub undocumented_parameter: UndocumentedParameter,
    pub resource_abuse: ResourceAbuse,
    pub latency_anomaly: LatencyAnomaly,
    pub traffic_drop: TrafficDrop,
    pub privileged_function: PrivilegedFunction,
    pub injection: Injection,
    pub server_side_request_forgery: RequestForgery,
    pub unsigned_token: UnsignedToken,
    pub cross_account_access: CrossAccountAccess,
    pub business_flow_abuse: BusinessFlowAbuse,
    /// What the sensor says of itself.
    pub sensor: SensorRules,
    pub names: ApiNames,
    /// How often the whole sensor may speak of nothing (`detect.false_alarms_per_day`).
    pub false_alarms_per_day: f64,
    pub suppressions: Vec<Suppression>,
}

impl Default for Ruleset {
    /// The embedded rules.
    fn default() -> Ruleset {
        Ruleset::of(&Files::default()).expect("the embedded files are valid, as a test shows")
    }
}

impl Ruleset {
    /// The rules of a folder over the embedded ones; without a folder, the embedded ones.
    pub fn load(folder: Option<&Path>) -> Result<Ruleset, RuleError> {
        match folder {
            Some(folder) => Ruleset::of(&Files::of_folder(folder)?),
            None => Ok(Ruleset::default()),
        }
    }

    /// The names of all detectors, in a fixed order.
    pub fn detectors() -> &'static [&'static str] {
        &DETECTORS
    }

    /// The names of the files that a rules folder may have, and their embedded text.
    pub fn embedded_files() -> &'static [(&'static str, &'static str)] {
        &EMBEDDED
    }

    /// What alerts of a detector say.
    pub fn alert_text(&self, detector: &str) -> Option<&AlertText> {
        Some(match detector {
            "credential_stuffing" => &self.credential_stuffing.alert,
            "brute_force" => &self.brute_force.alert,
            "password_spraying" => &self.password_spraying.alert,
            "client_error_spike" => &self.client_error_spike.alert,
            "scanner" => &self.scanner.alert,
            "shadow_endpoint" => &self.shadow_endpoint.alert,
            "excessive_data_exposure" => &self.excessive_data_exposure.alert,
            "unauthenticated_data_exposure" => &self.unauthenticated_data_exposure.alert,
            "object_enumeration" => &self.object_enumeration.alert,
            "protocol_abuse" => &self.protocol_abuse.alert,
            "evasion" => &self.evasion.alert,
            "request_smuggling" => &self.request_smuggling.alert,
            "server_error_spike" => &self.server_error_spike.alert,
            "credential_leak" => &self.credential_leak.alert,
            "data_exfiltration" => &self.data_exfiltration.alert,
            "response_drift" => &self.response_drift.alert,
            "zombie_endpoint" => &self.zombie_endpoint.alert,
            "otp_brute_force" => &self.otp_brute_force.alert,
            "user_enumeration" => &self.user_enumeration.alert,
            "registration_abuse" => &self.registration_abuse.alert,
            "password_reset_abuse" => &self.password_reset_abuse.alert,
            "session_anomaly" => &self.session_anomaly.alert,
            "idle_api_key" => &self.idle_api_key.alert,
            "undocumented_parameter" => &self.undocumented_parameter.alert,
            "resource_abuse" => &self.resource_abuse.alert,
            "latency_anomaly" => &self.latency_anomaly.alert,
            "traffic_drop" => &self.traffic_drop.alert,
            "privileged_function" => &self.privileged_function.alert,
            "injection" => &self.injection.alert,
            "server_side_request_forgery" => &self.server_side_request_forgery.alert,
            "unsigned_token" => &self.unsigned_token.alert,
            "cross_account_access" => &self.cross_account_access.alert,
            "business_flow_abuse" => &self.business_flow_abuse.alert,
            "sensor_silent" => &self.sensor.sensor_silent.alert,
            "sensor_one_sided" => &self.sensor.sensor_one_sided.alert,
            "sensor_loss" => &self.sensor.sensor_loss.alert,
            "sensor_overload" => &self.sensor.sensor_overload.alert,
            "sensor_clock" => &self.sensor.sensor_clock.alert,
            "sensor_interface" => &self.sensor.sensor_interface.alert,
            _ => return None,
        })
    }

    /// Whether a finding is known and shall not be reported. `endpoint` is `METHOD host/template`; a suppression that
    /// names an endpoint or a client does not hold for a finding without one.
    pub fn suppressed(&self, detector: &str, endpoint: Option<&str>, client: Option<IpAddr>, now: Timestamp) -> bool {
        self.suppression(detector, endpoint, client, now).is_some()
    }

    /// The first suppression that holds, for those who ask for its reason.
    pub fn suppression(
        &self,
        detector: &str,
        endpoint: Option<&str>,
        client: Option<IpAddr>,
        now: Timestamp,
    ) -> Option<&Suppression> {
        self.suppressions.iter().find(|suppression| suppression.holds(detector, endpoint, client, now))
    }

    fn of(files: &Files) -> Result<Ruleset, RuleError> {
        let logins: login::LoginFile = files.read("credential_stuffing.toml", |file: &login::LoginFile, check| {
            check.table("credential_stuffing", |check| file.credential_stuffing.check(check));
            check.table("brute_force", |check| file.brute_force.check(check));
            check.table("password_spraying", |check| file.password_spraying.check(check));
        })?;
        let errors: client_errors::ClientErrorsFile =
            files.read("client_error_spike.toml", |file: &client_errors::ClientErrorsFile, check| {
                check.table("client_error_spike", |check| file.client_error_spike.check(check));
                check.table("scanner", |check| file.scanner.check(check));
            })?;
        let shadow: exposure::ShadowFile =
            files.read("shadow_endpoint.toml", |file: &exposure::ShadowFile, check| {
                check.table("shadow_endpoint", |check| file.shadow_endpoint.check(check));
            })?;
        let excessive: exposure::ExcessiveFile =
            files.read("excessive_data_exposure.toml", |file: &exposure::ExcessiveFile, check| {
                check.table("excessive_data_exposure", |check| file.excessive_data_exposure.check(check));
            })?;
        let unauthenticated: exposure::UnauthenticatedFile =
            files.read("unauthenticated_data_exposure.toml", |file: &exposure::UnauthenticatedFile, check| {
                check.table("unauthenticated_data_exposure", |check| file.unauthenticated_data_exposure.check(check));
            })?;
        let enumeration: enumeration::EnumerationFile =
            files.read("object_enumeration.toml", |file: &enumeration::EnumerationFile, check| {
                check.table("object_enumeration", |check| file.object_enumeration.check(check));
            })?;
        let abuse: protocol_abuse::ProtocolAbuseFile =
            files.read("protocol_abuse.toml", |file: &protocol_abuse::ProtocolAbuseFile, check| {
                check.table("protocol_abuse", |check| file.protocol_abuse.check(check));
            })?;
        let evasion: evasion::EvasionFile = files.read("evasion.toml", |file: &evasion::EvasionFile, check| {
            check.table("evasion", |check| file.evasion.check(check));
        })?;
        let smuggling: request_smuggling::RequestSmugglingFile =
            files.read("request_smuggling.toml", |file: &request_smuggling::RequestSmugglingFile, check| {
                check.table("request_smuggling", |check| file.request_smuggling.check(check));
            })?;
        let failures: server_errors::ServerErrorsFile =
            files.read("server_error_spike.toml", |file: &server_errors::ServerErrorsFile, check| {
                check.table("server_error_spike", |check| file.server_error_spike.check(check));
            })?;
        let leak: credential_leak::CredentialLeakFile =
            files.read("credential_leak.toml", |file: &credential_leak::CredentialLeakFile, check| {
                check.table("credential_leak", |check| file.credential_leak.check(check));
            })?;
        let exfiltration: data_exfiltration::DataExfiltrationFile =
            files.read("data_exfiltration.toml", |file: &data_exfiltration::DataExfiltrationFile, check| {
                check.table("data_exfiltration", |check| file.data_exfiltration.check(check));
            })?;
        let drift: response_drift::ResponseDriftFile =
            files.read("response_drift.toml", |file: &response_drift::ResponseDriftFile, check| {
                check.table("response_drift", |check| file.response_drift.check(check));
            })?;
        let zombie: zombie_endpoint::ZombieEndpointFile =
            files.read("zombie_endpoint.toml", |file: &zombie_endpoint::ZombieEndpointFile, check| {
                check.table("zombie_endpoint", |check| file.zombie_endpoint.check(check));
            })?;
        let accounts: account_abuse::AccountAbuseFile =
            files.read("account_abuse.toml", |file: &account_abuse::AccountAbuseFile, check| file.check(check))?;
        let session: session_anomaly::SessionAnomalyFile =
            files.read("session_anomaly.toml", |file: &session_anomaly::SessionAnomalyFile, check| {
                check.table("session_anomaly", |check| file.session_anomaly.check(check));
            })?;
        let idle: idle_api_key::IdleApiKeyFile =
            files.read("idle_api_key.toml", |file: &idle_api_key::IdleApiKeyFile, check| {
                check.table("idle_api_key", |check| file.idle_api_key.check(check));
            })?;
        let parameter: undocumented_parameter::UndocumentedParameterFile = files.read(
            "undocumented_parameter.toml",
            |file: &undocumented_parameter::UndocumentedParameterFile, check| {
                check.table("undocumented_parameter", |check| file.undocumented_parameter.check(check));
            },
        )?;
        let abuse_of_resources: resource_abuse::ResourceAbuseFile =
            files.read("resource_abuse.toml", |file: &resource_abuse::ResourceAbuseFile, check| {
                check.table("resource_abuse", |check| file.resource_abuse.check(check));
            })?;
        let latency: latency_anomaly::LatencyAnomalyFile =
            files.read("latency_anomaly.toml", |file: &latency_anomaly::LatencyAnomalyFile, check| {
                check.table("latency_anomaly", |check| file.latency_anomaly.check(check));
            })?;
        let dropped: traffic_drop::TrafficDropFile =
            files.read("traffic_drop.toml", |file: &traffic_drop::TrafficDropFile, check| {
                check.table("traffic_drop", |check| file.traffic_drop.check(check));
            })?;
        let privileged: privileged_function::PrivilegedFunctionFile =
            files.read("privileged_function.toml", |file: &privileged_function::PrivilegedFunctionFile, check| {
                check.table("privileged_function", |check| file.privileged_function.check(check));
            })?;
        let injected: injection::InjectionFile =
            files.read("injection.toml", |file: &injection::InjectionFile, check| {
                check.table("injection", |check| file.injection.check(check));
                check.table("server_side_request_forgery", |check| file.server_side_request_forgery.check(check));
            })?;
        let unsigned: unsigned_token::UnsignedTokenFile =
            files.read("unsigned_token.toml", |file: &unsigned_token::UnsignedTokenFile, check| {
                check.table("unsigned_token", |check| file.unsigned_token.check(check));
            })?;
        let crossed: cross_account_access::CrossAccountAccessFile =
            files.read("cross_account_access.toml", |file: &cross_account_access::CrossAccountAccessFile, check| {
                check.table("cross_account_access", |check| file.cross_account_access.check(check));
            })?;
        let flow: business_flow_abuse::BusinessFlowAbuseFile =
            files.read("business_flow_abuse.toml", |file: &business_flow_abuse::BusinessFlowAbuseFile, check| {
                check.table("business_flow_abuse", |check| file.business_flow_abuse.check(check));
            })?;
        let sensor = files.read("sensor.toml", |file: &SensorRules, check| file.check(check))?;
        let names = files.read("api.toml", |file: &ApiNames, check| file.check(check))?;
        let suppress: suppress::SuppressFile = files.read("suppress.toml", |_, _| {})?;
        Ok(Ruleset {
            credential_stuffing: logins.credential_stuffing,
            brute_force: logins.brute_force,
            password_spraying: logins.password_spraying,
            client_error_spike: errors.client_error_spike,
            scanner: errors.scanner,
            shadow_endpoint: shadow.shadow_endpoint,
            excessive_data_exposure: excessive.excessive_data_exposure,
            unauthenticated_data_exposure: unauthenticated.unauthenticated_data_exposure,
            object_enumeration: enumeration.object_enumeration,
            protocol_abuse: abuse.protocol_abuse,
            evasion: evasion.evasion,
            request_smuggling: smuggling.request_smuggling,
            server_error_spike: failures.server_error_spike,
            credential_leak: leak.credential_leak,
            data_exfiltration: exfiltration.data_exfiltration,
            response_drift: drift.response_drift,
            zombie_endpoint: zombie.zombie_endpoint,
            otp_brute_force: accounts.otp_brute_force,
            user_enumeration: accounts.user_enumeration,
            registration_abuse: accounts.registration_abuse,
            password_reset_abuse: accounts.password_reset_abuse,
            session_anomaly: session.session_anomaly,
            idle_api_key: idle.idle_api_key,
            undocumented_parameter: parameter.undocumented_parameter,
            resource_abuse: abuse_of_resources.resource_abuse,
            latency_anomaly: latency.latency_anomaly,
            traffic_drop: dropped.traffic_drop,
            privileged_function: privileged.privileged_function,
            injection: injected.injection,
            server_side_request_forgery: injected.server_side_request_forgery,
            unsigned_token: unsigned.unsigned_token,
            cross_account_access: crossed.cross_account_access,
            business_flow_abuse: flow.business_flow_abuse,
            sensor,
            names,
            false_alarms_per_day: 1.0,
            suppressions: suppress.into_suppressions(files.source("suppress.toml"), &DETECTORS)?,
        })
    }
}

/// The rules files by name, and the embedded text that each is laid over.
struct Files(BTreeMap<&'static str, (Source, &'static str)>);

impl Default for Files {
    fn default() -> Files {
        let of_embedded = |&(name, text): &(&'static str, &'static str)| (name, (Source::new(name, text), text));
        Files(EMBEDDED.iter().map(of_embedded).collect())
    }
}

impl Files {
    fn of_folder(folder: &Path) -> Result<Files, RuleError> {
        let unreadable = |error: std::io::Error| RuleError::Unreadable {
            path: folder.to_owned(),
            message: format!(
                "the rules folder cannot be read: {error}; name a folder of rules, or none for the built-in ones"
            ),
        };
        let mut files = Files::default();
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(unreadable)? {
            paths.push(entry.map_err(unreadable)?.path());
        }
        paths.sort();
        for path in paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "toml")) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            match files.0.get_mut(name.as_ref()) {
                Some((source, _)) => *source = Source::read(path)?,
                None => {
                    let known: Vec<&str> = EMBEDDED.iter().map(|(name, _)| *name).collect();
                    let near = nearest(&name, known.iter().copied());
                    let hint = near.map(|near| format!(" (did you mean {near}?)")).unwrap_or_default();
                    return Err(RuleError::UnknownFile { path: path.clone(), hint, known });
                }
            }
        }
        Ok(files)
    }

    fn source(&self, name: &str) -> &Source {
        &self.0[name].0 // only called with names of EMBEDDED, which are all there
    }

    fn read<T: DeserializeOwned>(&self, name: &str, checks: impl FnOnce(&T, &mut Check<'_>)) -> Result<T, RuleError> {
        let (source, default) = &self.0[name]; // only called with names of EMBEDDED, which are all there
        let layers = std::slice::from_ref(source);
        let value = source::parse(default, layers)?;
        let mut check = Check::new(layers);
        checks(&value, &mut check);
        check.finish()?;
        Ok(value)
    }
}

#[cfg(test)]
mod tests;
