//! What a field name promises about its value.
//!
//! A name comes in as the wire has it (`dateOfBirth`, `date_of_birth`, `Date-Of-Birth`), is cut into lower-case
//! words, and gives a set of [`Hint`]s. The hints decide which weak shapes count (nine bare digits are a social
//! security number only in a field that says so). Names longer than [`NAME_BYTES`] are read by their head.

use super::object::{ObjectName, promise_of};
use super::paging::is_page_size;
use super::words;

/// The longest part of a name that is read, in bytes: no field name anybody chose is longer.
pub(super) const NAME_BYTES: usize = 64;
/// The most words of a name that are read.
const WORDS: usize = 8;

/// A set of promises; a bit each.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Hint(pub u64);

impl Hint {
    pub const NONE: Hint = Hint(0);
    pub const CARD: Hint = Hint(1);
    pub const PHONE: Hint = Hint(1 << 1);
    pub const IBAN: Hint = Hint(1 << 2);
    pub const SSN: Hint = Hint(1 << 3);
    pub const MEDICARE: Hint = Hint(1 << 4);
    pub const TFN: Hint = Hint(1 << 5);
    pub const PASSPORT: Hint = Hint(1 << 6);
    pub const BIRTH: Hint = Hint(1 << 7);
    pub const HEALTH: Hint = Hint(1 << 8);
    pub const NATIONAL: Hint = Hint(1 << 9);
    /// Holds the hash of a password.
    pub const HASH: Hint = Hint(1 << 10);
    /// Holds an API key.
    pub const API_KEY: Hint = Hint(1 << 11);
    /// Holds a session or access token.
    pub const TOKEN: Hint = Hint(1 << 12);
    pub const PASSWORD: Hint = Hint(1 << 13);
    /// Password-like, but weaker: `pin`, `secret`, `new_password`.
    pub const PASSWORD_MAYBE: Hint = Hint(1 << 14);
    pub const USER: Hint = Hint(1 << 15);
    /// Names a user where nothing better does: `account`, `phone`, `client_id`.
    pub const USER_MAYBE: Hint = Hint(1 << 16);
    /// May hold a one-time code: `code`.
    pub const OTP: Hint = Hint(1 << 17);
    /// A flag that says whether it worked: `success`, `ok`, `authenticated`.
    pub const SUCCESS: Hint = Hint(1 << 18);
    pub const ERROR: Hint = Hint(1 << 19);
    pub const STATUS: Hint = Hint(1 << 20);
    pub const MESSAGE: Hint = Hint(1 << 21);
    // Which country's identity number, where the name says so.
    pub const SE: Hint = Hint(1 << 22);
    pub const PL: Hint = Hint(1 << 23);
    pub const TR: Hint = Hint(1 << 24);
    pub const DE: Hint = Hint(1 << 25);
    pub const BR: Hint = Hint(1 << 26);
    pub const IN: Hint = Hint(1 << 27);
    pub const ZA: Hint = Hint(1 << 28);
    pub const KR: Hint = Hint(1 << 29);
    pub const TH: Hint = Hint(1 << 30);
    pub const CA: Hint = Hint(1 << 31);
    pub const COUNTRY: Hint = Hint(0x3ff << 22);
    /// The password was right, and something more is wanted: `mfa_required`, `challenge`.
    pub const FURTHER: Hint = Hint(1 << 32);
    /// Says which object a request is for: `account_id`.
    pub const OBJECT: Hint = Hint(1 << 33);
    /// Says how many rows are asked for: `limit`.
    pub const PAGE_SIZE: Hint = Hint(1 << 34);

    /// Hints that make a value with few digits worth a look.
    pub const PERSONAL: Hint = Hint((1 << 10) - 1);
    /// Holds a one-time code: `otp`, `verification_code`. The second bit says no more than that.
    pub const OTP_CERTAIN: Hint = Hint(Hint::OTP.0 | Hint::PASSWORD_MAYBE.0);
    pub const LOGIN: Hint =
        Hint(Hint::PASSWORD.0 | Hint::PASSWORD_MAYBE.0 | Hint::USER.0 | Hint::USER_MAYBE.0 | Hint::OTP.0);
    pub const OUTCOME: Hint =
        Hint(Hint::SUCCESS.0 | Hint::ERROR.0 | Hint::STATUS.0 | Hint::MESSAGE.0 | Hint::FURTHER.0);

    #[inline(always)]
    pub const fn any(self, of: Hint) -> bool {
        self.0 & of.0 != 0
    }

    /// All of them.
    #[inline(always)]
    pub const fn has(self, all: Hint) -> bool {
        self.0 & all.0 == all.0
    }

    #[inline(always)]
    pub const fn with(self, other: Hint) -> Hint {
        Hint(self.0 | other.0)
    }

    /// Only the promises about personal values.
    pub const fn personal(self) -> Hint {
        Hint(self.0 & Hint::PERSONAL.0)
    }

    pub const fn lacking(self, other: Hint) -> Hint {
        Hint(self.0 & !other.0)
    }
}

/// A name cut into lower-case words: `homePhoneNumber2` gives `home`, `phone`, `number`, `2`.
pub(super) struct Words {
    letters: [u8; NAME_BYTES],
    ends: [u8; WORDS],
    count: usize,
}

impl Words {
    pub(super) fn of(name: &[u8]) -> Words {
        let mut words = Words { letters: [0; NAME_BYTES], ends: [0; WORDS], count: 0 };
        let (mut length, mut word_start) = (0usize, 0usize);
        for (index, &byte) in name.iter().take(NAME_BYTES).enumerate() {
            let previous = if index == 0 { b' ' } else { name[index - 1] }; // index >= 1 here
            let starts = byte.is_ascii_uppercase() && previous.is_ascii_lowercase()
                || byte.is_ascii_uppercase()
                    && previous.is_ascii_uppercase()
                    && name.get(index + 1).is_some_and(u8::is_ascii_lowercase)
                || byte.is_ascii_digit() && previous.is_ascii_alphabetic();
            let separator = !byte.is_ascii_alphanumeric() && byte < 0x80;
            if (starts || separator) && length > word_start && words.count + 1 < WORDS {
                words.ends[words.count] = length as u8; // count < WORDS, tested on the line above
                words.count += 1;
                word_start = length;
            }
            if !separator {
                words.letters[length] = byte.to_ascii_lowercase(); // length <= index < NAME_BYTES
                length += 1;
            }
        }
        if length > word_start {
            words.ends[words.count] = length as u8; // count < WORDS: the loop leaves the last slot free
            words.count += 1;
        }
        words
    }

    /// The words `from..to` run together.
    fn span(&self, from: usize, to: usize) -> &[u8] {
        let start = if from == 0 { 0 } else { usize::from(self.ends[from - 1]) }; // from <= count <= WORDS
        let end = if to == 0 { 0 } else { usize::from(self.ends[to - 1]) }; // to <= count <= WORDS
        self.letters.get(start..end).unwrap_or_default()
    }

    pub(super) fn joined(&self) -> &[u8] {
        self.span(0, self.count)
    }

    fn word(&self, index: usize) -> &[u8] {
        self.span(index, index + 1)
    }
}

/// The hints of a field name.
pub(super) fn hint_of(name: &[u8]) -> Hint {
    let words = Words::of(name);
    if words.count == 0 {
        return Hint::NONE;
    }
    let joined = words.joined();
    let mut hint = role_hint(joined).with(personal_hint(joined));
    for first in 0..words.count {
        for last in first + 1..=words.count.min(first + 3) {
            hint = hint.with(personal_hint(words.span(first, last)));
        }
    }
    // `phone_id`, `card_type`, `passport_verified`: about the thing, not the thing.
    if matches!(
        words.word(words.count - 1), // count >= 1 was tested above
        b"type"
            | b"verified"
            | b"status"
            | b"count"
            | b"model"
            | b"version"
            | b"url"
            | b"enabled"
            | b"name"
            | b"at"
            | b"country"
            | b"expiry"
            | b"expires"
            | b"brand"
            | b"validated"
            | b"required"
            | b"date"
            | b"size"
    ) && !hint.any(Hint::BIRTH)
    {
        hint = hint.lacking(Hint::PERSONAL);
    }
    if words.word(words.count - 1) == b"id" {
        hint = hint.lacking(Hint(Hint::PHONE.0 | Hint::CARD.0));
    }
    if !hint.any(Hint::LOGIN) {
        hint = hint.with(password_hint(&words));
    }
    if is_page_size(joined) {
        hint = hint.with(Hint::PAGE_SIZE);
    }
    match promise_of(joined) {
        ObjectName::Id | ObjectName::Thing => hint.with(Hint::OBJECT),
        _ => hint,
    }
}

/// Names that say which personal value is meant. Matched against every run of up to three words of a name.
fn personal_hint(name: &[u8]) -> Hint {
    match name {
        b"card"
        | b"cardnumber"
        | b"creditcard"
        | b"debitcard"
        | b"ccnumber"
        | b"cc"
        | b"ccnum"
        | b"cardno"
        | b"cardnum"
        | b"primaryaccountnumber" => Hint::CARD,
        b"pan" => Hint::CARD.with(Hint::NATIONAL),
        b"phone" | b"mobile" | b"cell" | b"cellphone" | b"telephone" | b"tel" | b"msisdn" | b"fax" | b"whatsapp"
        | b"phonenumber" | b"mobilenumber" | b"contactnumber" | b"telefon" | b"telefono" | b"handy" | b"gsm"
        | b"cep" | b"phones" | b"mobiles" | b"telephones" | b"landline" => Hint::PHONE,
        b"iban" | b"bankaccount" | b"ibannumber" => Hint::IBAN,
        b"ssn" | b"socialsecurity" | b"socialsecuritynumber" | b"socsec" | b"ssnlast" => Hint::SSN,
        b"medicare" | b"medicarenumber" | b"medicareno" => Hint::MEDICARE.with(Hint::HEALTH),
        b"tfn" | b"taxfile" | b"taxfilenumber" => Hint::TFN,
        b"passport" | b"passports" | b"passportnumber" | b"passportno" | b"pasaporte" | b"reisepass" | b"passeport"
        | b"passaporto" => Hint::PASSPORT,
        b"dob" | b"dateofbirth" | b"birthdate" | b"birthday" | b"birthdt" | b"datebirth" | b"geburtsdatum"
        | b"bornon" | b"fechanacimiento" | b"fechadenacimiento" | b"datenaissance" | b"datadinascita" | b"bday" => {
            Hint::BIRTH
        }
        b"mrn"
        | b"medicalrecord"
        | b"medicalrecordnumber"
        | b"nhs"
        | b"nhsnumber"
        | b"npi"
        | b"mbi"
        | b"healthid"
        | b"healthcard"
        | b"healthnumber"
        | b"healthinsurance"
        | b"patientid"
        | b"patientnumber"
        | b"kvnr"
        | b"egk"
        | b"krankenversichertennummer"
        | b"ihi"
        | b"dea"
        | b"deanumber"
        | b"medicallicense"
        | b"hicn"
        | b"insurancenumber" => Hint::HEALTH,
        b"nationalid" | b"nationalidnumber" | b"idnumber" | b"idno" | b"identitynumber" | b"identitycard"
        | b"idcard" | b"identitycode" | b"personalid" | b"personalidentity" | b"personalnumber" | b"nif" | b"nie"
        | b"dni" | b"codicefiscale" | b"fiscalcode" | b"taxcode" | b"nino" | b"nationalinsurance" | b"nric"
        | b"fin" | b"hetu" | b"henkilotunnus" | b"taxid" | b"taxpayerid" | b"tin" | b"itin" | b"driverlicense"
        | b"driverslicense" | b"driverlicence" | b"drivinglicence" | b"drivinglicense" | b"licencenumber" | b"curp"
        | b"bsn" | b"citizenid" | b"nationalnumber" | b"residentnumber" => Hint::NATIONAL,
        b"personnummer" | b"pnr" => Hint::NATIONAL.with(Hint::SE),
        b"pesel" => Hint::NATIONAL.with(Hint::PL),
        b"tckn" | b"tckimlik" | b"tckimlikno" | b"kimlik" => Hint::NATIONAL.with(Hint::TR),
        b"steuerid" | b"idnr" | b"steueridnr" | b"rvnr" | b"sozialversicherungsnummer" => Hint::NATIONAL.with(Hint::DE),
        b"cpf" => Hint::NATIONAL.with(Hint::BR),
        b"aadhaar" | b"aadhar" => Hint::NATIONAL.with(Hint::IN),
        b"rsaid" | b"saidnumber" | b"permanentresident" | b"refugeeid" => Hint::NATIONAL.with(Hint::ZA),
        b"rrn" | b"frn" => Hint::NATIONAL.with(Hint::KR),
        b"thaiid" | b"thainationalid" => Hint::NATIONAL.with(Hint::TH),
        b"sin" | b"nas" | b"socialinsurance" => Hint::NATIONAL.with(Hint::CA),
        b"passwordhash" | b"hashedpassword" | b"encryptedpassword" | b"passworddigest" | b"pwdhash" | b"passhash"
        | b"pwhash" | b"passwdhash" => Hint::HASH,
        b"apikey" | b"apisecret" | b"secretkey" | b"clientsecret" | b"secretaccesskey" | b"apitoken" => Hint::API_KEY,
        _ => Hint::NONE,
    }
}

/// Names that play a part in a login, or say how it went. Matched against the whole name.
fn role_hint(name: &[u8]) -> Hint {
    match name {
        b"username" | b"user" | b"login" | b"email" | b"emailaddress" | b"useremail" | b"usermail" | b"userid"
        | b"loginid" | b"loginname" | b"userlogin" | b"identifier" | b"uname" | b"usr" | b"jusername" | b"mail"
        | b"accountname" | b"log" | b"signinname" | b"userprincipalname" => Hint::USER,
        b"account" | b"accountid" | b"phone" | b"phonenumber" | b"mobile" | b"msisdn" | b"clientid" | b"uid"
        | b"id" | b"membernumber" | b"customerid" | b"handle" | b"name" | b"customernumber" => Hint::USER_MAYBE,
        b"password" | b"passwd" | b"pwd" | b"pass" | b"passcode" | b"passphrase" | b"userpassword" | b"jpassword"
        | b"userpass" | b"loginpassword" | b"pword" | b"passw" => Hint::PASSWORD,
        b"pin" | b"secret" | b"clientsecret" => Hint::PASSWORD_MAYBE,
        b"otp" | b"totp" | b"mfa" | b"mfacode" | b"verificationcode" | b"2fa" | b"2facode" | b"twofactor"
        | b"twofactorcode" | b"onetimepassword" | b"onetimecode" | b"smscode" | b"otpcode" | b"totpcode"
        | b"authcode" | b"otptoken" | b"passcode2" | b"verifycode" | b"confirmationcode" | b"resetcode"
        | b"recoverycode" | b"backupcode" | b"emailcode" | b"authenticatorcode" => Hint::OTP_CERTAIN,
        b"code" => Hint::OTP,
        // Of a request it may be a code.
        b"token" => Hint::TOKEN.with(Hint::OTP),
        b"accesstoken"
        | b"idtoken"
        | b"jwt"
        | b"authtoken"
        | b"sessiontoken"
        | b"session"
        | b"sessionid"
        | b"refreshtoken"
        | b"bearertoken"
        | b"usertoken"
        | b"logintoken"
        | b"jwttoken"
        | b"authenticationtoken"
        | b"bearer"
        | b"accessjwt"
        | b"sessionkey"
        | b"authorization" => Hint::TOKEN,
        b"success" | b"ok" | b"authenticated" | b"isauthenticated" | b"loggedin" | b"isloggedin" | b"successful"
        | b"issuccess" | b"succeeded" | b"authorized" | b"valid" | b"isvalid" => Hint::SUCCESS,
        b"mfarequired"
        | b"requiresmfa"
        | b"requiremfa"
        | b"needsmfa"
        | b"2farequired"
        | b"requires2fa"
        | b"twofactorrequired"
        | b"requirestwofactor"
        | b"otprequired"
        | b"requiresotp"
        | b"challenge"
        | b"challengeid"
        | b"challengename"
        | b"challengetype"
        | b"mfachallenge"
        | b"nextstep"
        | b"nextaction"
        | b"statetoken"
        | b"passwordexpired"
        | b"mustchangepassword"
        | b"passwordchangerequired"
        | b"changepasswordrequired"
        | b"requirespasswordchange"
        | b"passwordresetrequired"
        | b"forcepasswordchange" => Hint::FURTHER,
        b"mfatoken" => Hint::OTP_CERTAIN.with(Hint::FURTHER),
        b"error" | b"errors" | b"exception" | b"fault" | b"errorcode" | b"failure" => Hint::ERROR,
        b"status" | b"result" | b"outcome" => Hint::STATUS,
        b"message" | b"msg" | b"detail" | b"errormessage" | b"errordescription" | b"reason" => Hint::MESSAGE,
        _ => words::role_hint(name),
    }
}

/// `new_password`, `confirmPassword`, `password_confirmation`: a password among other words.
fn password_hint(words: &Words) -> Hint {
    let other = (0..words.count).any(|index| {
        matches!(
            words.word(index),
            b"hash"
                | b"hashed"
                | b"reset"
                | b"expired"
                | b"expires"
                | b"changed"
                | b"at"
                | b"hint"
                | b"policy"
                | b"digest"
                | b"strength"
                | b"forgot"
                | b"url"
                | b"encrypted"
                | b"type"
                | b"grant"
                | b"length"
        )
    });
    let password = (0..words.count).any(|index| {
        let word = words.word(index);
        matches!(word, b"password" | b"passwd" | b"pwd" | b"pass" | b"passcode" | b"passphrase")
            || words::is_password(word)
    });
    if password && !other { Hint::PASSWORD_MAYBE } else { Hint::NONE }
}

/// Whether values under this name (query parameter, header, cookie, field) are secrets that a record must not show.
/// Errs on the side of yes: a redacted `sort_key` costs little.
pub fn is_secret_name(name: &[u8]) -> bool {
    let words = Words::of(name);
    if words.count == 0 {
        return false;
    }
    if matches!(
        words.joined(),
        b"apikey"
            | b"accesskey"
            | b"authkey"
            | b"sessionid"
            | b"sessid"
            | b"phpsessid"
            | b"jsessionid"
            | b"accesstoken"
            | b"idtoken"
            | b"refreshtoken"
            | b"authtoken"
            | b"code"
            | b"ticket"
            | b"assertion"
            | b"samlresponse"
            | b"samlrequest"
            | b"cardnumber"
            | b"ccnumber"
            | b"cvv"
            | b"cvc"
            | b"ssn"
            | b"connectsid"
    ) {
        return true;
    }
    if words::is_password(words.joined()) {
        return true;
    }
    (0..words.count).any(|index| {
        matches!(
            words.word(index),
            b"token"
                | b"tokens"
                | b"secret"
                | b"secrets"
                | b"password"
                | b"passwd"
                | b"pwd"
                | b"pass"
                | b"passcode"
                | b"passphrase"
                | b"apikey"
                | b"signature"
                | b"sig"
                | b"session"
                | b"sid"
                | b"auth"
                | b"authorization"
                | b"authentication"
                | b"credential"
                | b"credentials"
                | b"jwt"
                | b"key"
                | b"pin"
                | b"otp"
                | b"totp"
                | b"cookie"
                | b"hmac"
                | b"bearer"
                | b"authtoken"
                | b"accesstoken"
                | b"csrf"
                | b"xsrf"
                | b"tan"
        ) || words::is_password(words.word(index))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_any_style_give_the_same_hints() {
        for name in
            ["date_of_birth", "dateOfBirth", "DateOfBirth", "date-of-birth", "DATE_OF_BIRTH", "patient.dateOfBirth"]
        {
            assert!(hint_of(name.as_bytes()).any(Hint::BIRTH), "{name}");
        }
        for name in ["phone", "homePhone", "phoneNumber", "customer_phone_number", "mobile2", "billing[phone]"] {
            assert!(hint_of(name.as_bytes()).any(Hint::PHONE), "{name}");
        }
        assert!(hint_of(b"customerSSN").any(Hint::SSN));
        assert!(hint_of(b"card_number").any(Hint::CARD));
    }

    #[test]
    fn names_about_a_thing_are_not_the_thing() {
        for name in ["phone_id", "phoneType", "phone_verified", "mobile_count", "telemetry", "telephony"] {
            assert!(!hint_of(name.as_bytes()).any(Hint::PHONE), "{name}");
        }
        for name in ["id", "order_id", "created_at", "price", "quantity", "number", "sku", "updatedAt"] {
            assert!(!hint_of(name.as_bytes()).any(Hint::PERSONAL), "{name}");
        }
    }

    #[test]
    fn login_fields_are_known_by_name() {
        assert!(hint_of(b"password").any(Hint::PASSWORD));
        assert!(hint_of(b"newPassword").any(Hint::PASSWORD_MAYBE));
        assert!(!hint_of(b"password_reset_at").any(Hint::LOGIN));
        assert!(!hint_of(b"grant_type").any(Hint::LOGIN));
        assert!(hint_of(b"user_name").any(Hint::USER));
        assert!(hint_of(b"otp").has(Hint::OTP_CERTAIN));
        assert!(hint_of(b"code").any(Hint::OTP) && !hint_of(b"code").has(Hint::OTP_CERTAIN));
        assert!(!hint_of(b"securityCode").any(Hint::OTP), "that of a card");
        assert!(hint_of(b"token").any(Hint::OTP) && hint_of(b"token").any(Hint::TOKEN));
    }

    #[test]
    fn secret_names_are_redacted_and_plain_ones_are_not() {
        for name in [
            "token",
            "api_key",
            "apikey",
            "X-Api-Key",
            "access_token",
            "password",
            "client_secret",
            "sig",
            "X-Amz-Signature",
            "session",
            "code",
            "auth",
            "key",
            "jwt",
            "PHPSESSID",
            "kennwort",
            "neues_passwort",
            "mot_de_passe",
            "contraseña",
            "smsTan",
        ] {
            assert!(is_secret_name(name.as_bytes()), "{name}");
        }
        for name in ["page", "q", "limit", "sort", "keyword", "author", "state", "zipcode", "signal", "", "passenger"] {
            assert!(!is_secret_name(name.as_bytes()), "{name}");
        }
    }
}
