//! What a request wants of an account: to log in, to be let in by a code, to make one, to have its password reset, to know
//! whether it is there.
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
}

impl AccountFlow {
    /// Whether it counts with these credentials. Who has a token and makes accounts, resets them or asks for them does it for
    /// others, as staff and calendars do; a key may be that of an app, and a cookie anybody's.
    pub(super) fn counts_with(self, credentials: Option<CredentialKind>) -> bool {
        match self {
            AccountFlow::Login | AccountFlow::Code => true,
            AccountFlow::Registration | AccountFlow::Reset | AccountFlow::Lookup => {
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
    if holds(&["reset", "forgot", "forget", "recover", "lostpassword", "resendpassword"]) {
        Some(Word::Reset)
    } else if holds(&[
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
    ]) {
        Some(Word::Code)
    } else if holds(&["exists", "availab", "checkemail", "checkuser", "emailcheck", "usercheck", "usernamecheck"])
        || holds(&["isregistered", "securityquestion", "validateemail", "validateusername"])
    {
        Some(Word::Lookup)
    } else if holds(&["register", "registration", "signup", "enrol"])
        || is(&["createaccount", "newaccount", "createuser", "newuser", "adduser", "join"])
    {
        Some(Word::Registration)
    } else if holds(&["login", "logon", "signin"]) || is(&["auth", "authenticate", "session", "sessions", "token"]) {
        Some(Word::Login)
    } else if is(&["users", "accounts", "customers", "members", "user", "account", "customer", "member"]) {
        Some(Word::Accounts)
    } else {
        None
    }
}

/// What the request wants, by the login fields of its body, else of its query.
pub fn flow_of(method: &str, path: &str, fields: &LoginFields) -> Option<AccountFlow> {
    let names_user = fields.user.is_some();
    let writes = matches!(method, "POST" | "PUT" | "PATCH");
    for (nth, word) in path.rsplit('/').filter(|segment| !segment.is_empty()).map(word_of).enumerate() {
        match word {
            Some(Word::Code) if fields.code.is_some() => return Some(AccountFlow::Code),
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
    if fields.has_password {
        return Some(AccountFlow::Login);
    }
    let is_login = || path.rsplit('/').any(|segment| word_of(segment) == Some(Word::Login));
    fields.code.is_some_and(|code| code.is_certain || is_login()).then_some(AccountFlow::Code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::CodeField;

    fn fields(what: &str) -> LoginFields {
        LoginFields {
            has_password: what.contains('p'),
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
        ];
        for (method, path, sent, expected) in flows {
            assert_eq!(flow_of(method, path, &fields(sent)), expected, "{method} {path} {sent}");
        }
    }
}
