//! What a response says of success, and what a request says of who logs in.

use super::field::Hint;
use super::phrases;
use super::report::{AccountSaid, CodeField, LoginFields, of_both};
use crate::hash::HashKey;
use memchr::memmem;

/// Of a user name or password so many bytes are read.
const CREDENTIAL_BYTES: usize = 256;
/// Parts of a status that together say that the password was right, and something more is wanted: `MFA_REQUIRED`.
const STEPS: [&[u8]; 6] = [b"mfa", b"2fa", b"factor", b"otp", b"challenge", b"password"];
const WANTED: [&[u8]; 6] = [b"require", b"needed", b"pending", b"challenge", b"expired", b"change"];
/// Digits and letters of a one-time code.
const OTP_BYTES: std::ops::RangeInclusive<usize> = 4..=10;
/// Shortest token that opens a session, in bytes.
const TOKEN_BYTES: usize = 8;

/// Shortest text that says anything: `密码错误`, `wrong pin`.
const SHORTEST_BYTES: usize = 9;
/// Longest text that may speak of an account, in bytes: pages do it in a line of theirs, which is not looked for.
const LONGEST_BYTES: usize = 512;

/// What a text says of who logs in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    refused: bool,
    account: Option<AccountSaid>,
}

/// What a text says of who logs in; it is made plain in `scratch`.
pub(super) fn said_in(text: &[u8], scratch: &mut String) -> Said {
    if text.len() < SHORTEST_BYTES {
        return Said::default();
    }
    let told = phrases::read(text, scratch);
    // "Unknown user or wrong password" gives nothing away.
    let tells = text.len() <= LONGEST_BYTES && !told.password;
    let account = match tells {
        true if told.unknown => Some(AccountSaid::Unknown),
        true if told.taken => Some(AccountSaid::Taken),
        _ => None,
    };
    Said { refused: told.refused, account }
}

/// Evidence of a response's outcome, strongest first.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outcome {
    flag_false: bool,
    flag_true: bool,
    error: bool,
    refused: bool,
    token: bool,
    /// The password was right, and something more is wanted.
    further: bool,
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

    pub fn refuses_login(&self) -> bool {
        self.refused
    }

    pub fn wants_more(&self) -> bool {
        self.further
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
    pub fn text(&mut self, hint: Hint, value: &[u8], near_top: bool, scratch: &mut String) {
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
        if hint.any(Hint::FURTHER) {
            let says_no: [&[u8]; 9] = [b"", b"none", b"null", b"false", b"no", b"0", b"done", b"success", b"failed"];
            self.further |= !says_no.contains(&lower);
        }
        if hint.any(Hint::STATUS) {
            let has = |words: &[&[u8]]| words.iter().any(|word| memmem::find(lower, word).is_some());
            self.further |= has(&STEPS) && has(&WANTED);
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
        self.message(hint, value, scratch);
    }

    /// A string under a field for messages, or for errors.
    pub fn message(&mut self, hint: Hint, value: &[u8], scratch: &mut String) {
        if hint.any(Hint::MESSAGE.with(Hint::ERROR)) {
            let value = value.trim_ascii();
            self.said(said_in(value.get(..LONGEST_BYTES).unwrap_or(value), scratch));
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
        self.further |= hint.any(Hint::FURTHER) && !matches!(value, b"null" | b"false" | b"0");
        if hint.any(Hint::ERROR) && !matches!(value, b"null" | b"false" | b"0") {
            self.error = true;
        }
    }
}

/// The credentials of a request. The best-named field wins; of several as good, all.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Login {
    pub fields: LoginFields,
}

impl Login {
    pub fn field(&mut self, hint: Hint, value: &[u8], key: &HashKey) {
        // Of what is longer the head tells: it may be padded.
        let value = value.trim_ascii();
        let value = value.get(..CREDENTIAL_BYTES).unwrap_or(value);
        if value.is_empty() {
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
            let hash = key.secret("password", value);
            take_best(&mut self.fields.password, &mut self.fields.is_password_certain, hash, certain);
        }
        if hint.any(Hint::USER.with(Hint::USER_MAYBE)) {
            let hash = user_hash(value, key);
            take_best(&mut self.fields.user, &mut self.fields.is_user_certain, hash, hint.any(Hint::USER));
        }
    }

    /// User names without a password are a profile, not a login.
    pub fn take(&mut self) -> LoginFields {
        std::mem::take(self).fields
    }
}

/// What is certain counts before what is not, and of those that are not the first. Several that are certain count together,
/// since nobody here knows which of them the server takes.
fn take_best(best: &mut Option<u64>, is_certain: &mut bool, hash: u64, certain: bool) {
    match best {
        Some(known) if *is_certain && certain => *known = of_both(*known, hash),
        Some(_) if *is_certain || !certain => {}
        _ => (*best, *is_certain) = (Some(hash), certain),
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
