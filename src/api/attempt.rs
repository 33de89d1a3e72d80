//! Requests that may be for an account: what they send for it, and what came of it.
//!
//! In: a request with the fields that `inspect` found in it, its credentials, and the answer. Out: the attempts that it makes,
//! one for each of its calls that is one.

use super::account::{self, AccountFlow, Attempt};
use super::endpoint::Line;
use super::identity::Credentials;
use super::login::{self, Outcome};
use super::snapshot::LoginHabit;
use super::url;
use crate::hash::HashKey;
use crate::http::{Field, Message};
use crate::inspect::{self, AccountSaid, BodyReport, Calls, LoginFields, Protocol};
use crate::rule::ApiNames;
use memchr::memmem;

/// Query parameters that name who logs in.
const USER_PARAMETERS: [&str; 11] = [
    "user",
    "username",
    "login",
    "email",
    "usuario",
    "benutzer",
    "benutzername",
    "utilisateur",
    "identifiant",
    "utente",
    "gebruiker",
];

/// A request that may be for an account, and what came of it.
pub(super) struct Asked<'a> {
    pub line: Line<'a>,
    /// The path, behind which the parts of the operation stand that it calls.
    pub path: &'a str,
    pub request: &'a Message<BodyReport>,
    pub calls: Option<&'a Calls>,
    pub credentials: Option<Credentials>,
    pub response: Option<&'a Message<BodyReport>>,
    pub opens_session: bool,
    /// Whether it is configured as a login, or as none.
    pub configured: Option<bool>,
    pub habit: Option<LoginHabit>,
    pub names: &'a ApiNames,
    pub key: &'a HashKey,
}

impl Asked<'_> {
    /// The attempts of a request: what its fields say in all, and what each of its calls says. Which of several the answer lets in is
    /// not to be told, unless all are for one user.
    pub fn attempts(&self) -> (Option<Attempt>, Vec<Attempt>) {
        let sent = match self.configured {
            Some(false) => None,
            // Configured as a login: an attempt whatever it sends.
            Some(true) => self.sent().or(Some(Sent::default())),
            None => self.sent(),
        };
        let logins = self.calls.map_or(&[][..], |calls| &calls.logins);
        let in_all = sent.as_ref().map(|sent| sent.fields);
        let is_other = |fields: &&LoginFields| self.configured != Some(false) && in_all != Some(**fields);
        let of_calls = logins.iter().filter(is_other).map(|fields| Sent { fields: *fields, is_basic: false });
        let mut attempts = sent.into_iter().chain(of_calls).filter_map(|sent| self.attempt(sent));
        let Some(mut first) = attempts.next() else { return (None, Vec::new()) };
        let mut further: Vec<Attempt> = attempts.collect();
        if first.outcome == Outcome::Success && !further.is_empty() {
            let is_one_user = further.iter().all(|attempt| attempt.user == first.user);
            let others = if is_one_user { Outcome::Failure } else { Outcome::Unknown };
            further.iter_mut().for_each(|attempt| (attempt.outcome, attempt.opens_session) = (others, false));
            if !is_one_user {
                first.outcome = Outcome::Unknown;
            }
        }
        (Some(first), further)
    }

    fn attempt(&self, Sent { fields, is_basic }: Sent) -> Option<Attempt> {
        let flow = match self.configured {
            Some(true) => AccountFlow::Login,
            _ if is_basic => AccountFlow::Login,
            _ => account::flow_of(self.line.method, self.path, &fields)?,
        };
        if !flow.counts_with(self.credentials.map(|credentials| credentials.kind)) {
            return None;
        }
        let secret = match flow {
            AccountFlow::Code => fields.code.map(|code| code.hash),
            _ => fields.password,
        };
        let said = self.report().and_then(|report| report.account).or(match (flow, self.status()) {
            (AccountFlow::Registration, 409) => Some(AccountSaid::Taken),
            (AccountFlow::Login | AccountFlow::Reset | AccountFlow::FirstStep, 404 | 410) => Some(AccountSaid::Unknown),
            _ => None,
        });
        let (outcome, opens_session) = (self.outcome(flow, is_basic), self.opens_session);
        Some(Attempt { flow, user: fields.user, secret, outcome, said, opens_session })
    }

    fn outcome(&self, flow: AccountFlow, is_basic: bool) -> Outcome {
        let habit = self.habit.filter(|_| flow == AccountFlow::Login);
        match login::outcome_of(flow, self.path, self.response, self.opens_session, habit) {
            _ if self.is_refused_by_fault() => Outcome::Failure,
            // Right, but for a challenge that is old by now (RFC 7616, §3.3): the next request says what it was worth.
            Outcome::Failure if is_basic && self.is_stale() => Outcome::Unknown,
            // Basic credentials go with every request: whatever is not refused was accepted.
            Outcome::Unknown if is_basic && (200..400).contains(&self.status()) => Outcome::Success,
            Outcome::Failure if is_basic && self.status() != 401 => Outcome::Unknown,
            // Who asks for an account has it by what he is told, and no session.
            Outcome::Unknown
                if flow != AccountFlow::Login
                    && (200..300).contains(&self.status())
                    && self.response.is_some_and(login::is_read) =>
            {
                Outcome::Success
            }
            outcome => outcome,
        }
    }

    /// What a request says of who sends it, where it may be for an account.
    fn sent(&self) -> Option<Sent> {
        let of_body = || match self.calls.filter(|calls| calls.caller.is_some()) {
            // The body as a whole has the caller's, too.
            Some(calls) => calls.logins.first().copied(),
            None => {
                self.request.report.as_ref().map(|report| report.login).filter(|fields| *fields != Default::default())
            }
        };
        let of_message = || match login::may_be_login(&self.request.head) {
            true => {
                let of_query = || self.fields_of_query(self.line.query?);
                match of_body() {
                    // Which of them the server takes, nobody here knows.
                    Some(body) if body.has_password => {
                        let of_query = of_query().filter(|query| query.has_password);
                        Some(of_query.map_or(body, |query| body.together(&query)))
                    }
                    body => body.or_else(of_query),
                }
            }
            false => None,
        };
        // A password in the body is what is tried: Basic credentials beside it may be an app's, or a decoy.
        let Some(caller) = self.credentials.and_then(|credentials| credentials.basic) else {
            return Some(Sent { fields: of_message()?, is_basic: false });
        };
        if let Some(fields) = of_message().filter(|fields| fields.has_password) {
            return Some(Sent { fields, is_basic: false });
        }
        let (user, password) = (Some(caller.user), caller.password);
        let fields =
            LoginFields { has_password: true, is_password_certain: true, user, password, ..LoginFields::default() };
        Some(Sent { fields, is_basic: true })
    }

    fn fields_of_query(&self, query: &str) -> Option<LoginFields> {
        let mut fields = LoginFields::default();
        for (name, value) in url::QueryParameters::of(query) {
            let is = |known: &[&str], configured: &[String]| {
                known.iter().any(|known| name.eq_ignore_ascii_case(known))
                    || configured.iter().any(|known| name.eq_ignore_ascii_case(known))
            };
            if is(&["password", "passwd", "pwd"], &self.names.login.password_fields)
                || inspect::is_password_name(name.as_bytes())
            {
                (fields.has_password, fields.is_password_certain) = (true, true);
                fields.password = Some(self.key.secret("password", value.as_bytes()));
            } else if is(&USER_PARAMETERS, &self.names.login.user_fields) {
                fields.user = Some(inspect::user_hash(value.as_bytes(), self.key));
                fields.is_user_certain = true;
            } else if is(&["otp", "code"], &[]) {
                fields.code = inspect::code_of(value.as_bytes(), name.eq_ignore_ascii_case("otp"), self.key);
            }
        }
        (fields != LoginFields::default()).then_some(fields)
    }

    /// 0 without a response.
    fn status(&self) -> u16 {
        self.response.map_or(0, |response| response.head.status())
    }

    fn report(&self) -> Option<&BodyReport> {
        self.response.and_then(|response| response.report.as_ref())
    }

    fn is_stale(&self) -> bool {
        let challenge = self.response.and_then(|response| response.head.get(Field::WwwAuthenticate));
        challenge.is_some_and(|value| {
            let value = value.to_ascii_lowercase();
            [&b"stale=true"[..], b"stale=\"true\""].iter().any(|stale| memmem::find(&value, stale).is_some())
        })
    }

    /// SOAP says whatever it has to say against a request by a fault, and with 500 (SOAP 1.1 §6.2).
    fn is_refused_by_fault(&self) -> bool {
        self.status() == 500
            && self.calls.is_some_and(|calls| calls.protocol == Protocol::Xml)
            && self.report().is_some_and(|report| report.refuses_login)
    }
}

/// Login fields of a request, and whether they came as Basic credentials.
#[derive(Default)]
struct Sent {
    fields: LoginFields,
    is_basic: bool,
}
