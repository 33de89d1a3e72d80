//! The attacks by name, and the numbers of their levels, in one table.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Scenario {
    CredentialStuffing,
    BruteForce,
    PasswordSpraying,
    ClientErrorSpike,
    Scanner,
    ShadowEndpoint,
    ExcessiveDataExposure,
    UnauthenticatedDataExposure,
    ObjectEnumeration,
    ProtocolAbuse,
    Evasion,
    RequestSmuggling,
    ServerErrorSpike,
    CredentialLeak,
    DataExfiltration,
    ResponseDrift,
    ZombieEndpoint,
    OtpBruteForce,
    UserEnumeration,
    RegistrationAbuse,
    PasswordResetAbuse,
    SessionAnomaly,
    IdleApiKey,
    UndocumentedParameter,
    ResourceAbuse,
    LatencyAnomaly,
    TrafficDrop,
    PrivilegedFunction,
    Injection,
    ServerSideRequestForgery,
    UnsignedToken,
    CrossAccountAccess,
    BusinessFlowAbuse,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub enum Level {
    Easy,
    #[default]
    Medium,
    Stealthy,
}

/// How large an attack is at one level.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Numbers {
    /// Client addresses that take part (for changes in the server's answers: none of its own, 0).
    pub addresses: u32,
    /// Requests of the attack altogether, where the attacker decides.
    pub requests: u32,
    /// How long it lasts; `None` for all the time that is left.
    pub lasts: Option<Duration>,
    /// A share, by scenario: of logins that succeed, of calls that fail, of calls that expose, of attackers who ask for large
    /// pages, of answers that are slow, of requests that do not come.
    pub share: f64,
    /// Records in each exposing response, or in a page; user names of a spray; days that a key was idle; how many times slower.
    pub records: u32,
}

/// What a scenario is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ScenarioInfo {
    pub scenario: Scenario,
    pub name: &'static str,
    pub what: &'static str,
    /// Detectors that must speak.
    pub detectors: &'static [&'static str],
    /// Detectors that may speak as well.
    pub may: &'static [&'static str],
    /// Easy, medium, stealthy.
    pub levels: [Numbers; 3],
}

const fn minutes(count: u64) -> Option<Duration> {
    Some(Duration::from_secs(count * 60))
}

const fn level(addresses: u32, requests: u32, lasts: Option<Duration>, share: f64, records: u32) -> Numbers {
    Numbers { addresses, requests, lasts, share, records }
}

static SCENARIOS: [ScenarioInfo; 33] = [
    ScenarioInfo {
        scenario: Scenario::CredentialStuffing,
        name: "credential_stuffing",
        what: "leaked user names with their passwords tried against a login; 1.5 % are right",
        detectors: &["credential_stuffing"],
        may: &["client_error_spike", "password_spraying"],
        levels: [
            level(1, 600, minutes(3), 0.015, 0),
            level(50, 500, minutes(10), 0.015, 0),
            level(1000, 2000, None, 0.015, 0),
        ],
    },
    ScenarioInfo {
        scenario: Scenario::BruteForce,
        name: "brute_force",
        what: "many passwords tried for one user name",
        detectors: &["brute_force"],
        may: &["client_error_spike", "credential_stuffing"],
        levels: [level(1, 500, minutes(2), 0.0, 0), level(1, 150, minutes(15), 0.0, 0), level(6, 80, None, 0.0, 0)],
    },
    ScenarioInfo {
        scenario: Scenario::PasswordSpraying,
        name: "password_spraying",
        what: "a few common passwords tried for many user names",
        detectors: &["password_spraying"],
        may: &["client_error_spike", "credential_stuffing"],
        levels: [
            level(1, 400, minutes(4), 0.01, 200),
            level(20, 300, minutes(15), 0.01, 150),
            level(100, 300, None, 0.01, 300),
        ],
    },
    ScenarioInfo {
        scenario: Scenario::ClientErrorSpike,
        name: "client_error_spike",
        what: "an application release breaks: many clients get 400 or 422 from an endpoint, or from a whole host",
        detectors: &["client_error_spike"],
        may: &[],
        levels: [level(0, 0, minutes(15), 0.7, 0), level(0, 0, minutes(20), 0.3, 0), level(0, 0, None, 0.06, 0)],
    },
    ScenarioInfo {
        scenario: Scenario::Scanner,
        name: "scanner",
        what: "a word list of paths that mostly do not exist, asked one after the other",
        detectors: &["scanner"],
        may: &["client_error_spike", "shadow_endpoint"],
        levels: [level(1, 1500, minutes(1), 0.0, 0), level(1, 300, minutes(10), 0.0, 0), level(1, 120, None, 0.0, 0)],
    },
    ScenarioInfo {
        scenario: Scenario::ShadowEndpoint,
        name: "shadow_endpoint",
        what: "an endpoint that nobody listed answers an outside client with data",
        detectors: &["shadow_endpoint"],
        may: &["unauthenticated_data_exposure", "excessive_data_exposure", "data_exfiltration"],
        levels: [
            level(1, 200, minutes(5), 0.0, 3),
            level(1, 20, minutes(10), 0.0, 1),
            level(1, 3, minutes(30), 0.0, 1),
        ],
    },
    ScenarioInfo {
        scenario: Scenario::ExcessiveDataExposure,
        name: "excessive_data_exposure",
        what: "an endpoint that gave each caller his own record begins to give hundreds, with e-mails, phones and cards",
        detectors: &["excessive_data_exposure"],
        may: &["response_drift"],
        levels: [level(0, 0, minutes(30), 1.0, 400), level(0, 0, minutes(30), 0.3, 100), level(0, 0, None, 0.05, 15)],
    },
    ScenarioInfo {
        scenario: Scenario::UnauthenticatedDataExposure,
        name: "unauthenticated_data_exposure",
        what: "customer records with passports, Medicare numbers and e-mails are given to clients without credentials",
        detectors: &["unauthenticated_data_exposure"],
        may: &[
            "excessive_data_exposure",
            "shadow_endpoint",
            "object_enumeration",
            "response_drift",
            "data_exfiltration",
        ],
        levels: [level(3, 300, minutes(10), 0.0, 50), level(2, 40, minutes(20), 0.0, 10), level(1, 12, None, 0.0, 2)],
    },
    ScenarioInfo {
        scenario: Scenario::ObjectEnumeration,
        name: "object_enumeration",
        what: "one signed-in customer walks through other customers' order ids: in sequence, at random, slowly",
        detectors: &["object_enumeration"],
        may: &["data_exfiltration", "excessive_data_exposure", "client_error_spike"],
        levels: [level(1, 2000, minutes(3), 0.95, 0), level(1, 600, minutes(20), 0.6, 0), level(1, 200, None, 0.6, 0)],
    },
    ScenarioInfo {
        scenario: Scenario::ProtocolAbuse,
        name: "protocol_abuse",
        what: "HTTP/2 used to exhaust a server: streams reset in bulk; slowly, header blocks that do not end or expand",
        detectors: &["protocol_abuse"],
        may: &[],
        levels: [level(1, 20_000, minutes(1), 0.0, 0), level(1, 2000, minutes(10), 0.0, 0), level(1, 12, None, 0.0, 0)],
    },
    ScenarioInfo {
        scenario: Scenario::Evasion,
        name: "evasion",
        what: "logins and calls with a token whose TCP segments come twice and differ, so that sensor and server read different ones",
        detectors: &["evasion"],
        may: &["brute_force", "object_enumeration"],
        levels: [level(1, 60, minutes(5), 0.0, 0), level(1, 12, minutes(20), 0.0, 0), level(1, 2, None, 0.0, 0)],
    },
    ScenarioInfo {
        scenario: Scenario::RequestSmuggling,
        name: "request_smuggling",
        what: "requests whose end two servers place differently, with another request inside; slowly, only asked for",
        detectors: &["request_smuggling"],
        may: &["client_error_spike"],
        levels: [level(1, 200, minutes(2), 0.0, 0), level(1, 20, minutes(10), 0.0, 0), level(1, 3, None, 0.0, 0)],
    },
    ScenarioInfo {
        scenario: Scenario::ServerErrorSpike,
        name: "server_error_spike",
        what: "a dependency fails: an endpoint, or a whole host, answers 500, 502, 503 or 504",
        detectors: &["server_error_spike"],
        may: &[],
        levels: [level(0, 0, minutes(15), 0.6, 0), level(0, 0, minutes(20), 0.15, 0), level(0, 0, None, 0.04, 0)],
    },
    ScenarioInfo {
        scenario: Scenario::CredentialLeak,
        name: "credential_leak",
        what: "answers carry a secret: the caller's password or its hash, a cloud key, a private key",
        detectors: &["credential_leak"],
        may: &[],
        levels: [level(0, 0, minutes(20), 1.0, 0), level(0, 0, minutes(20), 0.2, 0), level(0, 0, None, 0.05, 0)],
    },
    ScenarioInfo {
        scenario: Scenario::DataExfiltration,
        name: "data_exfiltration",
        what: "an employee who looked customers up all day takes all of them, page by page; slowly, in pages as large as ever",
        detectors: &["data_exfiltration"],
        may: &["excessive_data_exposure"],
        levels: [level(1, 300, minutes(5), 0.0, 200), level(1, 60, minutes(15), 0.0, 50), level(1, 90, None, 0.0, 20)],
    },
    ScenarioInfo {
        scenario: Scenario::ResponseDrift,
        name: "response_drift",
        what: "a release adds the owner's e-mail and phone to an endpoint that had no personal data",
        detectors: &["response_drift"],
        may: &[],
        levels: [level(0, 0, minutes(20), 1.0, 0), level(0, 0, minutes(20), 0.5, 0), level(0, 0, None, 0.3, 0)],
    },
    ScenarioInfo {
        scenario: Scenario::ZombieEndpoint,
        name: "zombie_endpoint",
        what: "a stranger finds an old version of the API that nobody switched off",
        detectors: &["zombie_endpoint"],
        may: &["shadow_endpoint"],
        levels: [level(3, 100, minutes(5), 0.0, 20), level(1, 20, minutes(10), 0.0, 10), level(1, 3, None, 0.0, 5)],
    },
    ScenarioInfo {
        scenario: Scenario::OtpBruteForce,
        name: "otp_brute_force",
        what: "one-time codes guessed for one account",
        detectors: &["otp_brute_force"],
        may: &["client_error_spike"],
        levels: [level(1, 600, minutes(5), 0.0, 0), level(1, 120, minutes(15), 0.0, 0), level(4, 60, None, 0.0, 0)],
    },
    ScenarioInfo {
        scenario: Scenario::UserEnumeration,
        name: "user_enumeration",
        what: "names asked for, where a question, a reset or a registration tells which have an account",
        detectors: &["user_enumeration"],
        may: &["client_error_spike"],
        levels: [level(1, 600, minutes(5), 0.0, 0), level(10, 300, minutes(15), 0.0, 0), level(40, 240, None, 0.0, 0)],
    },
    ScenarioInfo {
        scenario: Scenario::RegistrationAbuse,
        name: "registration_abuse",
        what: "accounts made in bulk, with one password for all",
        detectors: &["registration_abuse"],
        may: &[],
        levels: [level(1, 120, minutes(5), 0.0, 0), level(20, 120, minutes(15), 0.0, 0), level(100, 150, None, 0.0, 0)],
    },
    ScenarioInfo {
        scenario: Scenario::PasswordResetAbuse,
        name: "password_reset_abuse",
        what: "password resets asked for in bulk, for one account after the other",
        detectors: &["password_reset_abuse"],
        may: &[],
        levels: [level(1, 200, minutes(5), 0.0, 0), level(10, 200, minutes(15), 0.0, 0), level(60, 180, None, 0.0, 0)],
    },
    ScenarioInfo {
        scenario: Scenario::SessionAnomaly,
        name: "session_anomaly",
        what: "a customer's token that got away is used by others, from many networks",
        detectors: &["session_anomaly"],
        may: &["object_enumeration"],
        levels: [level(30, 300, minutes(5), 0.0, 0), level(8, 80, minutes(15), 0.0, 0), level(4, 24, None, 0.0, 0)],
    },
    ScenarioInfo {
        scenario: Scenario::IdleApiKey,
        name: "idle_api_key",
        what: "a partner's key that nobody used for weeks, while the sensor watched, reads again: from elsewhere; slowly, from its own network",
        detectors: &["idle_api_key"],
        may: &["data_exfiltration"],
        levels: [level(1, 120, minutes(5), 0.0, 60), level(1, 20, minutes(10), 0.0, 45), level(1, 3, None, 0.0, 31)],
    },
    ScenarioInfo {
        scenario: Scenario::UndocumentedParameter,
        name: "undocumented_parameter",
        what: "a customer sends fields that no form has (role, balance, debug), and the server takes them; slowly, one of them, twice",
        detectors: &["undocumented_parameter"],
        may: &[],
        levels: [level(1, 60, minutes(5), 0.0, 0), level(1, 10, minutes(10), 0.0, 0), level(1, 2, None, 0.0, 0)],
    },
    ScenarioInfo {
        scenario: Scenario::ResourceAbuse,
        name: "resource_abuse",
        what: "one client asks as fast as it can; slowly, some requests a second for long, or pages of thousands of rows",
        detectors: &["resource_abuse"],
        may: &["excessive_data_exposure"],
        levels: [
            level(1, 12_000, minutes(1), 0.0, 20),
            level(1, 8000, minutes(8), 0.25, 10_000),
            level(1, 6000, None, 0.25, 2000),
        ],
    },
    ScenarioInfo {
        scenario: Scenario::LatencyAnomaly,
        name: "latency_anomaly",
        what: "a dependency becomes slow: an endpoint, or a whole host, takes many times as long to answer",
        detectors: &["latency_anomaly"],
        may: &[],
        levels: [level(0, 0, minutes(15), 1.0, 10), level(0, 0, minutes(20), 0.6, 6), level(0, 0, None, 0.35, 4)],
    },
    ScenarioInfo {
        scenario: Scenario::TrafficDrop,
        name: "traffic_drop",
        what: "a host cannot be reached any more, by anybody or by most: their requests do not come",
        detectors: &["traffic_drop"],
        may: &[],
        levels: [level(0, 0, minutes(15), 1.0, 0), level(0, 0, minutes(10), 0.9, 0), level(0, 0, minutes(15), 0.8, 0)],
    },
    ScenarioInfo {
        scenario: Scenario::PrivilegedFunction,
        name: "privileged_function",
        what: "a customer who has shopped for a while uses what is for the staff, and is served; slowly, one function, twice",
        detectors: &["privileged_function"],
        may: &["data_exfiltration", "object_enumeration"],
        levels: [level(1, 60, minutes(5), 0.0, 0), level(1, 10, minutes(10), 0.0, 0), level(1, 2, None, 0.0, 0)],
    },
    ScenarioInfo {
        scenario: Scenario::Injection,
        name: "injection",
        what: "code for a database, a shell, a log, a template in what the shop's search is asked; slowly, one request",
        detectors: &["injection"],
        may: &["client_error_spike", "server_error_spike"],
        levels: [level(1, 300, minutes(5), 0.0, 0), level(1, 12, minutes(15), 0.0, 0), level(1, 1, None, 0.0, 0)],
    },
    ScenarioInfo {
        scenario: Scenario::ServerSideRequestForgery,
        name: "server_side_request_forgery",
        what: "a picture's address that only the server reaches: a cloud's metadata, then the network behind; slowly, one request",
        detectors: &["server_side_request_forgery"],
        may: &["undocumented_parameter"],
        levels: [level(1, 60, minutes(5), 0.0, 0), level(1, 12, minutes(15), 0.0, 0), level(1, 1, None, 0.0, 0)],
    },
    ScenarioInfo {
        scenario: Scenario::UnsignedToken,
        name: "unsigned_token",
        what: "tokens that say they need no signature, for one account after the other; slowly, one request",
        detectors: &["unsigned_token"],
        may: &["session_anomaly", "data_exfiltration"],
        levels: [level(1, 60, minutes(5), 0.0, 0), level(1, 10, minutes(15), 0.0, 0), level(1, 1, None, 0.0, 0)],
    },
    ScenarioInfo {
        scenario: Scenario::CrossAccountAccess,
        name: "cross_account_access",
        what: "a customer reads the wish lists of others, of which each was its owner's alone",
        detectors: &["cross_account_access"],
        may: &["object_enumeration"],
        levels: [level(1, 60, minutes(5), 0.0, 0), level(1, 20, minutes(15), 0.0, 0), level(1, 8, None, 0.0, 0)],
    },
    ScenarioInfo {
        scenario: Scenario::BusinessFlowAbuse,
        name: "business_flow_abuse",
        what: "a customer orders again and again what others order once, to sell it on",
        detectors: &["business_flow_abuse"],
        may: &[],
        levels: [level(1, 400, minutes(5), 0.0, 0), level(1, 80, minutes(10), 0.0, 0), level(1, 120, None, 0.0, 0)],
    },
];

/// All scenarios, in the order in which they are listed.
pub fn scenarios() -> &'static [ScenarioInfo] {
    &SCENARIOS
}

impl Scenario {
    pub fn info(self) -> &'static ScenarioInfo {
        &SCENARIOS[self as usize] // the table has the order of the enum, which a test checks
    }
}

impl Level {
    pub const ALL: [Level; 3] = [Level::Easy, Level::Medium, Level::Stealthy];

    pub fn name(self) -> &'static str {
        match self {
            Level::Easy => "easy",
            Level::Medium => "medium",
            Level::Stealthy => "stealthy",
        }
    }
}

impl ScenarioInfo {
    /// How long before everything else it begins, where it needs a past.
    pub fn past(&self, level: Level) -> Option<Duration> {
        const DAY: u32 = 86_400;
        let days = self.numbers(level).records;
        (self.scenario == Scenario::IdleApiKey).then(|| Duration::from_secs(u64::from(days * DAY)))
    }

    pub fn numbers(&self, level: Level) -> &Numbers {
        &self.levels[level as usize] // three levels, three entries
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.info().name)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ScenarioError {
    #[error("there is no scenario `{0}`; there are: {names}", names = scenarios().iter().map(|s| s.name).collect::<Vec<_>>().join(", "))]
    Scenario(String),
    #[error("there is no level `{0}`; write easy, medium or stealthy")]
    Level(String),
}

impl FromStr for Scenario {
    type Err = ScenarioError;

    fn from_str(text: &str) -> Result<Scenario, ScenarioError> {
        let found = SCENARIOS.iter().find(|info| info.name == text);
        found.map(|info| info.scenario).ok_or_else(|| ScenarioError::Scenario(text.to_owned()))
    }
}

impl FromStr for Level {
    type Err = ScenarioError;

    fn from_str(text: &str) -> Result<Level, ScenarioError> {
        Level::ALL.into_iter().find(|level| level.name() == text).ok_or_else(|| ScenarioError::Level(text.to_owned()))
    }
}

/// A scenario at a level, read from `name` or `name:level`; without a level it is medium.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Chosen(pub Scenario, pub Level);

impl FromStr for Chosen {
    type Err = ScenarioError;

    fn from_str(text: &str) -> Result<Chosen, ScenarioError> {
        match text.split_once(':') {
            Some((name, level)) => Ok(Chosen(name.trim().parse()?, level.trim().parse()?)),
            None => Ok(Chosen(text.trim().parse()?, Level::default())),
        }
    }
}

impl From<Chosen> for (Scenario, Level) {
    fn from(chosen: Chosen) -> (Scenario, Level) {
        (chosen.0, chosen.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_the_order_of_the_enum() {
        for (index, info) in scenarios().iter().enumerate() {
            assert_eq!(info.scenario as usize, index);
            assert_eq!(info.name.parse(), Ok(info.scenario));
            assert!(info.detectors.contains(&info.name));
        }
    }

    #[test]
    fn a_scenario_is_read_with_and_without_its_level() {
        assert_eq!("scanner".parse(), Ok(Chosen(Scenario::Scanner, Level::Medium)));
        assert_eq!("brute_force:stealthy".parse(), Ok(Chosen(Scenario::BruteForce, Level::Stealthy)));
        let unknown = "phishing".parse::<Chosen>().unwrap_err().to_string();
        assert!(unknown.contains("credential_stuffing"), "{unknown}");
        assert!("scanner:hard".parse::<Chosen>().is_err());
    }
}
