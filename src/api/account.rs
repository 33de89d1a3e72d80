//! What a request wants of an account: to log in, to be let in by a code, to make one, to have its password reset, to know
//! whether it is there, to be known before the login goes on.
//!
//! In go the method, the path and the login fields of a request. Out comes an [`AccountFlow`], or none. The path's last
//! words that say anything decide, since APIs nest (`/auth/register/verify-otp`); what is sent must bear them out. Refused:
//! a reset that names nobody (the second step, with a token from a mail), a code whose field may hold a coupon's where
//! the path says nothing.

use super::identity::CredentialKind;
use super::login::Outcome;
use crate::inspect::{AccountSaid, LoginFields};
use serde::{Deserialize, Serialize};

/// What is wanted of an account.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountFlow {
    /// In by a password.
    #[default]
    Login,
    /// In, or further, by a one-time code.
    Code,
    /// A new account.
    Registration,
    /// A way to a new password.
    Reset,
    /// Whether there is such an account.
    Lookup,
    /// The first step of a login: who it is, and perhaps a code to be sent to him.
    FirstStep,
}

impl AccountFlow {
    /// Whether it counts with these credentials. Who has a token and makes accounts, resets them or asks for them does it for
    /// others, as staff and calendars do; a key may be that of an app, and a cookie anybody's.
    pub(super) fn counts_with(self, credentials: Option<CredentialKind>) -> bool {
        match self {
            AccountFlow::Login | AccountFlow::Code => true,
            AccountFlow::Registration | AccountFlow::Reset | AccountFlow::Lookup | AccountFlow::FirstStep => {
                credentials != Some(CredentialKind::Bearer)
            }
        }
    }
}

/// One request of an account flow. User, password and code are keyed hashes; the values are never kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attempt {
    pub flow: AccountFlow,
    pub user: Option<u64>,
    /// The password, or the code.
    pub secret: Option<u64>,
    pub outcome: Outcome,
    /// What the answer gives away of the account.
    pub said: Option<AccountSaid>,
    /// The response opened a session: a cookie or a token.
    pub opens_session: bool,
}

/// What a segment of a path says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Login,
    Code,
    Registration,
    Reset,
    Lookup,
    /// A collection of accounts: what is posted there makes one.
    Accounts,
}

/// Longest segment that is read, in bytes.
const SEGMENT_BYTES: usize = 48;

/// What a segment says; it is read without its separators, in lower case.
fn word_of(segment: &str) -> Option<Word> {
    let mut letters = [0u8; SEGMENT_BYTES];
    let mut length = 0;
    for byte in segment.bytes().filter(u8::is_ascii_alphanumeric) {
        *letters.get_mut(length)? = byte.to_ascii_lowercase();
        length += 1;
    }
    let name = std::str::from_utf8(letters.get(..length)?).ok()?;
    let holds = |words: &[&str]| words.iter().any(|word| name.contains(word));
    let is = |words: &[&str]| words.contains(&name);
    // First: "forgotpassword" has an "otp" in it.
    if holds(&RESETS) {
        Some(Word::Reset)
    } else if holds(&CODES)
        || is(&["tan", "smstan", "mtan", "pushtan", "validatecode", "checkcode", "validercode", "validarcodigo"])
    {
        Some(Word::Code)
    } else if holds(&LOOKUPS) {
        Some(Word::Lookup)
    } else if holds(&REGISTRATIONS) && !is(&["registry"])
        || is(&["createaccount", "newaccount", "createuser", "newuser", "adduser", "join"])
    {
        Some(Word::Registration)
    } else if holds(&LOGINS)
        || is(&["auth", "session", "sessions", "token", "giris", "masuk", "entrar", "acceso", "accesso"])
    {
        Some(Word::Login)
    } else if is(&["users", "accounts", "customers", "members", "user", "account", "customer", "member"])
        || is(&[
            "usuarios",
            "clientes",
            "cuentas",
            "utilisateurs",
            "comptes",
            "benutzer",
            "kunden",
            "konten",
            "utenti",
            "contas",
        ])
    {
        Some(Word::Accounts)
    } else {
        None
    }
}

// Parts of words, in the languages of `inspect/words.rs`.

const RESETS: [&str; 20] = [
    "reset",
    "forgot",
    "forget",
    "recover",
    "lostpassword",
    "resendpassword",
    "vergessen",
    "zuruecksetz",
    "zurucksetz",
    "oubli",
    "reinitialis",
    "olvid",
    "recuper",
    "restablec",
    "esquec",
    "redefin",
    "dimentic",
    "vergeten",
    "glemt",
    "przypomn",
];
const CODES: [&str; 12] = [
    "otp",
    "2fa",
    "mfa",
    "twofactor",
    "verif",
    "challenge",
    "onetime",
    "passcode",
    "confirm",
    "activat",
    "bestatig",
    "bestaetig",
];
const LOOKUPS: [&str; 14] = [
    "exists",
    "availab",
    "checkemail",
    "checkuser",
    "emailcheck",
    "usercheck",
    "usernamecheck",
    "isregistered",
    "securityquestion",
    "validateemail",
    "validateusername",
    "disponib",
    "verfugbar",
    "verfuegbar",
];
const REGISTRATIONS: [&str; 11] = [
    "register",
    "registr",
    "registo",
    "signup",
    "enrol",
    "inscri",
    "cadastr",
    "rejestr",
    "crearcuenta",
    "creercompte",
    "kontoanlegen",
];
const LOGINS: [&str; 22] = [
    "login",
    "logon",
    "signin",
    "authenti",
    "autentic",
    "anmeld",
    "einlogg",
    "connexion",
    "seconnecter",
    "identification",
    "iniciarsesion",
    "iniciosesion",
    "accedi",
    "inlogg",
    "aanmeld",
    "logowan",
    "zaloguj",
    "loggain",
    "kirjaudu",
    "prihlas",
    "bejelentkez",
    "oturumac",
];

/// Whether the last segment of a path is what people log in at.
pub(super) fn is_login_page(path: &str) -> bool {
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    word_of(last) == Some(Word::Login)
}

/// Whether a path is about a password or a PIN: to change it, the old one is asked for.
fn is_about_password(path: &str) -> bool {
    const WORDS: [&str; 9] =
        ["passw", "passcode", "kennwort", "contrasen", "clave", "senha", "wachtwoord", "motdepasse", "haslo"];
    path.split('/').any(|segment| {
        let segment = segment.to_ascii_lowercase();
        segment == "pin" || segment.ends_with("-pin") || WORDS.iter().any(|word| segment.contains(word))
    })
}

/// What the request wants, by the login fields of its body, else of its query.
pub fn flow_of(method: &str, path: &str, fields: &LoginFields) -> Option<AccountFlow> {
    let names_user = fields.user.is_some();
    let writes = matches!(method, "POST" | "PUT" | "PATCH");
    let is_first_step = fields.is_user_certain && writes && !fields.has_password && fields.code.is_none();
    // `/accounts/create` is `/accounts`.
    let makes = |segment: &&str| ["create", "new", "add"].iter().any(|verb| segment.eq_ignore_ascii_case(verb));
    let segments = path.rsplit('/').filter(|segment| !segment.is_empty() && !makes(segment));
    for (nth, word) in segments.map(word_of).enumerate() {
        match word {
            Some(Word::Code) if fields.code.is_some() => return Some(AccountFlow::Code),
            // A code is sent to whatever is named: a telephone, too.
            Some(Word::Code) if names_user && writes && !fields.has_password => return Some(AccountFlow::FirstStep),
            Some(Word::Lookup) if names_user && !fields.has_password => return Some(AccountFlow::Lookup),
            // A reset is also guessed at by its code. Its second step, by a token, names nobody.
            Some(Word::Reset) if fields.code.is_some() => return Some(AccountFlow::Code),
            Some(Word::Reset) => return (names_user && writes).then_some(AccountFlow::Reset),
            Some(Word::Registration) if fields.is_user_certain && writes => return Some(AccountFlow::Registration),
            Some(Word::Registration) => return None,
            Some(Word::Accounts) if nth == 0 && method == "POST" && fields.is_user_certain && fields.has_password => {
                return Some(AccountFlow::Registration);
            }
            Some(Word::Login) => break,
            _ => {}
        }
    }
    let is_login = || path.rsplit('/').any(|segment| word_of(segment) == Some(Word::Login));
    if fields.has_password && (fields.is_password_certain || names_user || is_login() || is_about_password(path)) {
        return Some(AccountFlow::Login);
    }
    if is_first_step && is_login() {
        return Some(AccountFlow::FirstStep);
    }
    fields.code.is_some_and(|code| code.is_certain || is_login()).then_some(AccountFlow::Code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::CodeField;

    fn fields(what: &str) -> LoginFields {
        LoginFields {
            has_password: what.contains('p'),
            is_password_certain: what.contains("pp"),
            code: what.contains('c').then_some(CodeField { hash: 1, is_certain: what.contains("cc") }),
            user: what.contains(['u', 'm']).then_some(1),
            is_user_certain: what.contains('u'),
            password: what.contains('p').then_some(2),
        }
    }

    #[test]
    fn who_has_a_token_makes_accounts_for_others() {
        use CredentialKind::*;
        assert!(!AccountFlow::Registration.counts_with(Some(Bearer)) && !AccountFlow::Lookup.counts_with(Some(Bearer)));
        assert!(AccountFlow::Registration.counts_with(None) && AccountFlow::Reset.counts_with(Some(ApiKey)));
        assert!(AccountFlow::Code.counts_with(Some(Bearer)), "the session that waits for it");
    }

    /// `u`: names a user, `m`: maybe, `p`: sends a password, `c`: what may be a code, `cc`: what can be nothing else.
    #[test]
    fn a_flow_is_known_by_its_path_and_by_what_is_sent() {
        use AccountFlow::*;
        let flows = [
            ("POST", "/v1/login", "up", Some(Login)),
            ("POST", "/rest/user/login", "up", Some(Login)),
            ("POST", "/oauth/token", "up", Some(Login)),
            ("POST", "/enter", "up", Some(Login)),
            ("POST", "/api/auth/register", "up", Some(Registration)),
            ("POST", "/identity/api/auth/signup", "up", Some(Registration)),
            ("POST", "/api/Users", "up", Some(Registration)),
            ("POST", "/users/v1/register", "up", Some(Registration)),
            ("POST", "/account/create", "up", Some(Registration)),
            ("GET", "/register", "", None),
            ("POST", "/devices/register", "m", None),
            ("POST", "/users/login", "up", Some(Login)),
            ("POST", "/identity/api/auth/forget-password", "u", Some(Reset)),
            ("POST", "/account/forgot-password", "u", Some(Reset)),
            ("POST", "/v1/password/reset", "u", Some(Reset)),
            ("POST", "/password/reset", "p", None),
            ("POST", "/identity/api/auth/v2/check-otp", "upcc", Some(Code)),
            ("POST", "/password/reset", "upcc", Some(Code)),
            ("POST", "/auth/register/verify-otp", "uc", Some(Code)),
            ("POST", "/login/step2", "c", Some(Code)),
            ("POST", "/step2", "cc", Some(Code)),
            ("POST", "/login", "upcc", Some(Login)),
            ("POST", "/cart/coupons", "c", None),
            ("GET", "/v1/users/exists", "u", Some(Lookup)),
            ("POST", "/check-email", "u", Some(Lookup)),
            ("GET", "/rest/user/security-question", "u", Some(Lookup)),
            ("GET", "/v1/users", "u", None),
            ("POST", "/newsletter", "u", None),
            ("POST", "/login/start", "u", Some(FirstStep)),
            ("POST", "/otp/request", "u", Some(FirstStep)),
            ("POST", "/otp/request", "m", Some(FirstStep)),
            ("POST", "/login/start", "m", None),
            ("GET", "/login", "u", None),
        ];
        for (method, path, sent, expected) in flows {
            assert_eq!(flow_of(method, path, &fields(sent)), expected, "{method} {path} {sent}");
        }
    }
}
