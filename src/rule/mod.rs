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
pub use resource_abuse::{Documents, LEAST_DEPTH, LEAST_PAGE_ROWS, PageSizes, ResourceAbuse};
pub use response_drift::ResponseDrift;
pub use sensor::{SensorLoss, SensorOneSided, SensorOther, SensorSilent};
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
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

/// Declares the rules: by file its tables, one for each detector, in the order of their signature ids. Out of that come the
/// fields of [`Ruleset`], the files that are embedded, the names of the detectors, and what reads them.
macro_rules! rules {
    ($($file:literal { $($detector:ident: $rules:ty),+ })+) => {
        /// Everything that detectors and the stages before them take from the rules.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Ruleset {
            $($(pub $detector: $rules,)+)+
            pub names: ApiNames,
            /// How often the whole sensor may speak of nothing (`detect.false_alarms_per_day`).
            pub false_alarms_per_day: f64,
            pub suppressions: Vec<Suppression>,
        }

        /// The files of a rules folder and what they say where the folder has none.
        const EMBEDDED: &[(&str, &str)] = &[
            $(($file, include_str!(concat!("../../rules/", $file))),)+
            ("api.toml", include_str!("../../rules/api.toml")),
            ("suppress.toml", include_str!("../../rules/suppress.toml")),
        ];

        const DETECTORS: &[&str] = &[$($(stringify!($detector)),+),+];

        impl Ruleset {
            fn of(files: &Files) -> Result<Ruleset, RuleError> {
                $(let ($($detector,)+) = {
                    #[derive(Deserialize)]
                    #[serde(deny_unknown_fields)]
                    struct Tables {
                        $($detector: $rules,)+
                    }
                    let tables: Tables = files.read($file, |tables: &Tables, check| {
                        $(check.table(stringify!($detector), |check| tables.$detector.check(check));)+
                    })?;
                    ($(tables.$detector,)+)
                };)+
                let names = files.read("api.toml", |names: &ApiNames, check| names.check(check))?;
                let suppress: suppress::SuppressFile = files.read("suppress.toml", |_, _| {})?;
                let suppressions = suppress.into_suppressions(files.source("suppress.toml"), DETECTORS)?;
                Ok(Ruleset { $($($detector,)+)+ names, false_alarms_per_day: 1.0, suppressions })
            }

            /// What alerts of a detector say.
            pub fn alert_text(&self, detector: &str) -> Option<&AlertText> {
                match detector {
                    $($(name if name == stringify!($detector) => Some(&self.$detector.alert),)+)+
                    _ => None,
                }
            }
        }
    };
}

rules! {
    "credential_stuffing.toml" {
        credential_stuffing: CredentialStuffing,
        brute_force: BruteForce,
        password_spraying: PasswordSpraying
    }
    "client_error_spike.toml" { client_error_spike: ClientErrorSpike, scanner: Scanner }
    "shadow_endpoint.toml" { shadow_endpoint: ShadowEndpoint }
    "excessive_data_exposure.toml" { excessive_data_exposure: ExcessiveDataExposure }
    "unauthenticated_data_exposure.toml" { unauthenticated_data_exposure: UnauthenticatedDataExposure }
    "object_enumeration.toml" { object_enumeration: ObjectEnumeration }
    "sensor.toml" {
        sensor_silent: SensorSilent,
        sensor_one_sided: SensorOneSided,
        sensor_loss: SensorLoss,
        sensor_overload: SensorOther,
        sensor_clock: SensorOther,
        sensor_interface: SensorOther
    }
    "protocol_abuse.toml" { protocol_abuse: ProtocolAbuse }
    "evasion.toml" { evasion: Evasion }
    "request_smuggling.toml" { request_smuggling: RequestSmuggling }
    "server_error_spike.toml" { server_error_spike: ServerErrorSpike }
    "credential_leak.toml" { credential_leak: CredentialLeak }
    "data_exfiltration.toml" { data_exfiltration: DataExfiltration }
    "response_drift.toml" { response_drift: ResponseDrift }
    "zombie_endpoint.toml" { zombie_endpoint: ZombieEndpoint }
    "account_abuse.toml" {
        otp_brute_force: BruteForce,
        user_enumeration: UserEnumeration,
        registration_abuse: RegistrationAbuse,
        password_reset_abuse: PasswordResetAbuse
    }
    "session_anomaly.toml" { session_anomaly: SessionAnomaly }
    "idle_api_key.toml" { idle_api_key: IdleApiKey }
    "undocumented_parameter.toml" { undocumented_parameter: UndocumentedParameter }
    "resource_abuse.toml" { resource_abuse: ResourceAbuse }
    "latency_anomaly.toml" { latency_anomaly: LatencyAnomaly }
    "traffic_drop.toml" { traffic_drop: TrafficDrop }
    "privileged_function.toml" { privileged_function: PrivilegedFunction }
    "injection.toml" { injection: Injection, server_side_request_forgery: RequestForgery }
    "unsigned_token.toml" { unsigned_token: UnsignedToken }
    "cross_account_access.toml" { cross_account_access: CrossAccountAccess }
    "business_flow_abuse.toml" { business_flow_abuse: BusinessFlowAbuse }
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
        DETECTORS
    }

    /// The names of the files that a rules folder may have, and their embedded text.
    pub fn embedded_files() -> &'static [(&'static str, &'static str)] {
        EMBEDDED
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
                    let known: Vec<&str> = files.0.keys().copied().collect();
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
