//! What a response says of success, and what a request says of who logs in.

use super::field::Hint;
use super::report::LoginFields;
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
/// Shortest text that refuses anybody: `Unauthorized`.
const REFUSAL_BYTES: usize = 12;

/// Finds refusals; built once, since building a search costs more than using it.
pub(super) struct Refusals {
    words: [(Finder<'static>, &'static [&'static [u8]]); REFUSALS.len()],
    lower: Vec<u8>,
}

impl Refusals {
    pub fn new() -> Refusals {
        Refusals { words: REFUSALS.map(|(word, companions)| (Finder::new(word), companions)), lower: Vec::new() }
    }

    /// Whether text says that a login was refused.
    pub fn hold(&mut self, text: &[u8]) -> bool {
        if text.len() < REFUSAL_BYTES {
            return false;
        }
        self.lower.clear();
        self.lower.extend(text.iter().map(u8::to_ascii_lowercase));
        let lower = &self.lower;
        self.words.iter().any(|(word, companions)| {
            word.find_iter(lower).any(|at| {
                let from = at.saturating_sub(NEAR_BYTES);
                let around = lower.get(from..lower.len().min(at + NEAR_BYTES)).unwrap_or_default();
                companions.iter().any(|companion| memmem::find(around, companion).is_some())
            })
        })
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

    pub fn refused(&mut self) {
        self.refused = true;
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
        if hint.any(Hint::MESSAGE.with(Hint::ERROR)) && refusals.hold(lower) {
            self.refused = true;
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
    user_is_certain: bool,
    password_is_certain: bool,
}

impl Login {
    pub fn field(&mut self, hint: Hint, value: &[u8], key: &HashKey) {
        if value.is_empty() || value.len() > CREDENTIAL_BYTES {
            return;
        }
        if hint.any(Hint::PASSWORD.with(Hint::PASSWORD_MAYBE)) {
            let certain = hint.any(Hint::PASSWORD);
            self.fields.has_password = true;
            if self.fields.password.is_none() || certain && !self.password_is_certain {
                self.fields.password = Some(key.secret("password", value));
                self.password_is_certain = certain;
            }
        }
        if hint.any(Hint::USER.with(Hint::USER_MAYBE)) {
            let certain = hint.any(Hint::USER);
            if self.fields.user.is_none() || certain && !self.user_is_certain {
                self.fields.user = Some(user_hash(value, key));
                self.user_is_certain = certain;
            }
        }
        if hint.any(Hint::OTP) {
            let value = value.trim_ascii();
            self.fields.has_otp |= OTP_BYTES.contains(&value.len())
                && value.iter().all(|byte| byte.is_ascii_alphanumeric())
                && value.iter().any(u8::is_ascii_digit);
        }
    }

    /// User names without a password are a profile, not a login.
    pub fn take(&mut self) -> LoginFields {
        std::mem::take(self).fields
    }
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
