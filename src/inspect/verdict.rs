//! What a response says of success, and what a request says of who logs in.

use super::field::Hint;
use super::report::{AccountSaid, CodeField, LoginFields};
use crate::hash::HashKey;
use memchr::memmem::{self, Finder};

/// A user name or password longer than this many bytes is not one.
const CREDENTIAL_BYTES: usize = 256;
/// Digits and letters of a one-time code.
const OTP_BYTES: std::ops::RangeInclusive<usize> = 4..=10;
/// Shortest token that opens a session, in bytes.
const TOKEN_BYTES: usize = 8;

/// Words of a refused login, in lower case, and what must stand near each.
const REFUSALS: [(&[u8], &[&[u8]]); 7] = [
    (b"invalid", &[b"credential", b"password", b"username", b"login", b"user name", b"email or", b"token"]),
    (b"incorrect", &[b"password", b"username", b"credential", b"login", b"email", b"code"]),
    (b"wrong", &[b"password", b"username", b"credential", b"login", b"email"]),
    (b" fail", &[b"login fail", b"authentication fail", b"logon fail", b"sign-in fail"]),
    (b"denied", &[b"access denied"]),
    (b"unauthori", &[b""]),
    (b"not match", &[b"password", b"credential"]),
];
/// How near, in bytes.
const NEAR_BYTES: usize = 40;
/// Shortest text that says anything: `user exists`.
const SHORTEST_BYTES: usize = 11;
/// Longest text that may speak of an account, in bytes: pages do it in a line of theirs, which is not looked for.
const LONGEST_BYTES: usize = 512;

/// What stands for an account.
const ACCOUNT: &[&[u8]] =
    &[b"user", b"account", b"email", b"e-mail", b"mail address", b"customer", b"member", b"phone"];
/// Words that say there is no such account.
const UNKNOWN: [(&[u8], &[&[u8]]); 9] = [
    (b"not found", ACCOUNT),
    (b"no such", ACCOUNT),
    (b"unknown", ACCOUNT),
    (b"not exist", ACCOUNT),
    (b"n't exist", ACCOUNT),
    (b"t find", ACCOUNT),
    (b"not registered", &[b""]),
    (b"no account", &[b""]),
    (b"no user", &[b""]),
];
/// Words that say there is one already.
const TAKEN: [(&[u8], &[&[u8]]); 4] = [
    (b"already", &[b"exist", b"registered", b"taken", b"in use", b"been used", b"have an account", b"has an account"]),
    (b"taken", ACCOUNT),
    (b"exists", ACCOUNT),
    (b"not available", ACCOUNT),
];

/// Words that are looked for, each with what must stand near it.
struct Phrases(Vec<(Finder<'static>, &'static [&'static [u8]])>);

impl Phrases {
    fn of(phrases: &'static [(&'static [u8], &'static [&'static [u8]])]) -> Phrases {
        Phrases(phrases.iter().map(|(word, companions)| (Finder::new(word), *companions)).collect())
    }

    fn are_in(&self, lower: &[u8]) -> bool {
        self.0.iter().any(|(word, companions)| {
            word.find_iter(lower).any(|at| {
                let from = at.saturating_sub(NEAR_BYTES);
                let around = lower.get(from..lower.len().min(at + NEAR_BYTES)).unwrap_or_default();
                companions.iter().any(|companion| memmem::find(around, companion).is_some())
            })
        })
    }
}

/// What a text says of who logs in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    refused: bool,
    account: Option<AccountSaid>,
}

/// Reads refusals; built once, since building a search costs more than using it.
pub(super) struct Refusals {
    refusals: Phrases,
    unknown: Phrases,
    taken: Phrases,
    lower: Vec<u8>,
}

impl Refusals {
    pub fn new() -> Refusals {
        let (refusals, unknown, taken) = (Phrases::of(&REFUSALS), Phrases::of(&UNKNOWN), Phrases::of(&TAKEN));
        Refusals { refusals, unknown, taken, lower: Vec::new() }
    }

    /// Whether text says that a login was refused, and what of the account. Words may be joined as in `EMAIL_NOT_FOUND`.
    pub fn read(&mut self, text: &[u8]) -> Said {
        if text.len() < SHORTEST_BYTES {
            return Said::default();
        }
        self.lower.clear();
        self.lower.extend(text.iter().map(|byte| if *byte == b'_' { b' ' } else { byte.to_ascii_lowercase() }));
        let lower = &self.lower;
        // "Unknown user or wrong password" gives nothing away.
        let tells = lower.len() <= LONGEST_BYTES && memmem::find(lower, b"password").is_none();
        let account = match tells {
            true if self.unknown.are_in(lower) => Some(AccountSaid::Unknown),
            true if self.taken.are_in(lower) => Some(AccountSaid::Taken),
            _ => None,
        };
        Said { refused: self.refusals.are_in(lower), account }
    }
}

/// Evidence of a response's outcome, strongest first.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outcome {
    flag_false: bool,
    flag_true: bool,
    error: bool,
    refused: bool,
    token: bool,
    account: Option<AccountSaid>,
}

impl Outcome {
    /// An explicit flag outweighs an error, an error a token. A response that says both yes and no says no.
    pub fn verdict(&self) -> Option<bool> {
        if self.flag_false {
            Some(false)
        } else if self.flag_true {
            Some(true)
        } else if self.error || self.refused {
            Some(false)
        } else {
            self.token.then_some(true)
        }
    }

    pub fn has_token(&self) -> bool {
        self.token
    }

    pub fn account(&self) -> Option<AccountSaid> {
        self.account
    }

    pub fn said(&mut self, said: Said) {
        self.refused |= said.refused;
        self.account = self.account.or(said.account);
    }

    pub fn error(&mut self) {
        self.error = true;
    }

    /// A string under a field with a part in the outcome.
    pub fn text(&mut self, hint: Hint, value: &[u8], near_top: bool, refusals: &mut Refusals) {
        let value = value.trim_ascii();
        if hint.any(Hint::TOKEN) && value.len() >= TOKEN_BYTES && !value.contains(&b' ') {
            self.token = true;
        }
        if !near_top {
            return;
        }
        let mut lower = [0u8; 160];
        let length = value.len().min(lower.len());
        for (slot, byte) in lower.iter_mut().zip(value) {
            *slot = byte.to_ascii_lowercase();
        }
        let lower = lower.get(..length).unwrap_or_default();
        if hint.any(Hint::SUCCESS) {
            self.flag_true |= matches!(lower, b"true" | b"yes" | b"1" | b"ok");
            self.flag_false |= matches!(lower, b"false" | b"no" | b"0");
        }
        if hint.any(Hint::STATUS) {
            self.flag_true |= matches!(lower, b"ok" | b"success" | b"succeeded" | b"successful" | b"authenticated");
            self.flag_false |= matches!(
                lower,
                b"error"
                    | b"fail"
                    | b"failed"
                    | b"failure"
                    | b"unauthorized"
                    | b"denied"
                    | b"invalid"
                    | b"unauthenticated"
            );
        }
        if hint.any(Hint::ERROR) && !matches!(lower, b"" | b"none" | b"null" | b"false" | b"0" | b"ok") {
            self.error = true;
        }
        if hint.any(Hint::MESSAGE.with(Hint::ERROR)) {
            self.said(refusals.read(lower));
        }
    }

    /// A number, `true`, `false` or `null`.
    pub fn literal(&mut self, hint: Hint, value: &[u8], near_top: bool) {
        if !near_top {
            return;
        }
        if hint.any(Hint::SUCCESS) || hint.any(Hint::STATUS) {
            self.flag_true |= value == b"true" || value == b"1" && hint.any(Hint::SUCCESS);
            self.flag_false |= value == b"false" || value == b"0" && hint.any(Hint::SUCCESS);
        }
        if hint.any(Hint::ERROR) && !matches!(value, b"null" | b"false" | b"0") {
            self.error = true;
        }
    }
}

/// The credentials of a request. The best-named field wins, then the first.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Login {
    pub fields: LoginFields,
    password_is_certain: bool,
}

impl Login {
    pub fn field(&mut self, hint: Hint, value: &[u8], key: &HashKey) {
        if value.is_empty() || value.len() > CREDENTIAL_BYTES {
            return;
        }
        if hint.any(Hint::OTP) {
            let code = code_of(value, hint.has(Hint::OTP_CERTAIN), key);
            if self.fields.code.is_none_or(|known| !known.is_certain && code.is_some_and(|code| code.is_certain)) {
                self.fields.code = code;
            }
        } else if hint.any(Hint::PASSWORD.with(Hint::PASSWORD_MAYBE)) {
            let certain = hint.any(Hint::PASSWORD);
            self.fields.has_password = true;
            if self.fields.password.is_none() || certain && !self.password_is_certain {
                self.fields.password = Some(key.secret("password", value));
                self.password_is_certain = certain;
            }
        }
        if hint.any(Hint::USER.with(Hint::USER_MAYBE)) {
            let certain = hint.any(Hint::USER);
            if self.fields.user.is_none() || certain && !self.fields.is_user_certain {
                self.fields.user = Some(user_hash(value, key));
                self.fields.is_user_certain = certain;
            }
        }
    }

    /// User names without a password are a profile, not a login.
    pub fn take(&mut self) -> LoginFields {
        std::mem::take(self).fields
    }
}

/// A one-time code: a few digits, and letters where its name is certain.
pub fn code_of(value: &[u8], is_certain: bool, key: &HashKey) -> Option<CodeField> {
    let value = value.trim_ascii();
    let is_code = OTP_BYTES.contains(&value.len())
        && value.iter().all(|byte| byte.is_ascii_digit() || is_certain && byte.is_ascii_alphanumeric())
        && value.iter().any(u8::is_ascii_digit);
    is_code.then(|| CodeField { hash: key.secret("code", value), is_certain })
}

/// The keyed hash of a user name: trimmed and in lower case (of ASCII; other letters as they are).
pub fn user_hash(value: &[u8], key: &HashKey) -> u64 {
    let mut lower = [0u8; CREDENTIAL_BYTES];
    let value = value.trim_ascii();
    let length = value.len().min(CREDENTIAL_BYTES);
    for (slot, byte) in lower.iter_mut().zip(value) {
        *slot = byte.to_ascii_lowercase();
    }
    key.secret("user", lower.get(..length).unwrap_or_default())
}
