//! What responses say to people of a login, in the languages that APIs speak to people in.
//!
//! In goes text of a response; out come what it [`Says`]. A phrase is a word and others of which one must stand near it, so that
//! `invalid postcode` refuses no login. Searched in plain text (`plain.rs`), all words in one pass (Aho-Corasick). What is not
//! known: languages without phrases here, and wordings that nobody has met; the status, a flag, a redirect or a missing session
//! then has to tell.

use super::plain::plain;
use aho_corasick::AhoCorasick;
use memchr::memmem;
use std::sync::LazyLock;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Says {
    /// A login, or a code, was refused.
    Refused,
    /// There is no such account.
    Unknown,
    /// There is such an account already.
    Taken,
    /// It is about a password: `unknown user or wrong password` gives nothing away.
    Password,
}

/// What a text says, by its words.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct Told {
    pub refused: bool,
    pub unknown: bool,
    pub taken: bool,
    pub password: bool,
}

/// How near, in bytes.
const NEAR_BYTES: usize = 40;

/// Words of one meaning, each with what must stand near it; nothing where the words are enough.
struct Phrase {
    says: Says,
    words: &'static [&'static str],
    near: &'static [&'static str],
}

const fn phrase(says: Says, words: &'static [&'static str], near: &'static [&'static str]) -> Phrase {
    Phrase { says, words, near }
}

use Says::{Password, Refused, Taken, Unknown};

/// By language; plain, without marks.
#[rustfmt::skip]
const PHRASES: &[Phrase] = &[
    // English
    phrase(Refused, &["invalid", "not valid", "incorrect", "wrong", "bad ", "not match", "mismatch", "not recogni"],
        &["credential", "password", "passcode", "username", "user name", "userid", "user id", "login", "email or", "token"]),
    phrase(Refused, &["incorrect", "wrong"], &["email", "code", " pin"]),
    phrase(Refused, &["invalid"], &["otp", "verification code", "one-time", "passcode", "grant"]),
    phrase(Refused, &[" fail"], &["login fail", "authentication fail", "logon fail", "sign-in fail", "failed login"]),
    // Codes and texts of WS-Security 1.1.1 (§12), Apache CXF, WCF.
    phrase(Refused, &["failedauthentication", "invalidsecurity", "security token could not be", "token in the message could not be",
        "verifying security for the message", "when verifying the message"], &[]),
    phrase(Refused, &["access denied", "unauthori", "account locked", "account is locked", "account has been locked"], &[]),
    phrase(Refused, &["too many"], &["login", "attempt"]),
    phrase(Unknown, &["not found", "no such", "unknown", "not exist", "n't exist", "t find", "n't recogni"],
        &["user", "account", "email", "e-mail", "mail address", "customer", "member", "phone"]),
    phrase(Unknown, &["not registered", "no account", "no user"], &[]),
    phrase(Taken, &["already"], &["exist", "registered", "taken", "in use", "been used", "have an account", "has an account"]),
    phrase(Taken, &["taken", "exists", "not available"],
        &["user", "account", "email", "e-mail", "mail address", "customer", "member", "phone"]),
    phrase(Password, &["password"], &[]),
    // German
    phrase(Refused, &["falsch", "ungultig", "ungueltig", "nicht korrekt", "inkorrekt", "stimmt nicht", "stimmen nicht", "nicht gultig"],
        &["passwort", "kennwort", "benutzer", "nutzername", "anmelde", "zugangsdaten", "login", "pin", "tan", "code", "e-mail", "kennung", "kundennummer"]),
    phrase(Refused, &["fehlgeschlagen", "gescheitert", "abgelehnt", "verweigert", "nicht moglich"],
        &["anmeld", "login", "authentifizierung", "zugriff", "zugang"]),
    phrase(Unknown, &["nicht gefunden", "existiert nicht", "unbekannt", "nicht registriert", "nicht bekannt", "kein konto", "kein benutzer"],
        &["benutzer", "konto", "kunde", "mail", "nutzer", "kennung", "adresse"]),
    phrase(Taken, &["bereits", "schon"], &["registriert", "vergeben", "existiert", "vorhanden", "verwendet", "in verwendung"]),
    phrase(Password, &["passwort", "kennwort"], &[]),
    // Spanish
    phrase(Refused, &["incorrect", "invalid", "errone", "no valid", "no es valid", "no son valid", "no coincid"],
        &["contrasen", "clave", "usuario", "credencial", "correo", "codigo", "acceso"]),
    phrase(Refused, &["fallid", "fallo", "denegad"], &["inicio de sesion", "iniciar sesion", "autentica", "acceso"]),
    phrase(Unknown, &["no existe", "no encontrad", "no se encontr", "no se ha encontrado", "no esta registrad", "no registrad", "desconocid"],
        &["usuario", "cuenta", "correo", "cliente", "email", "telefono"]),
    phrase(Taken, &["ya existe", "ya esta registrad", "ya esta en uso", "ya registrad", "ya en uso"], &[]),
    phrase(Password, &["contrasen", "clave"], &[]),
    // French
    phrase(Refused, &["incorrect", "invalide", "errone", "non valide", "pas valide", "ne correspond"],
        &["mot de passe", "identifiant", "adresse", "utilisateur", "courriel", "mail", "code", "connexion"]),
    phrase(Refused, &["echec", "echou", "refus"], &["connexion", "authentification", "acces", "identification"]),
    phrase(Unknown, &["introuvable", "n'existe pas", "inconnu", "non trouve", "aucun compte", "aucun utilisateur"],
        &["utilisateur", "compte", "client", "mail", "adresse", "identifiant"]),
    phrase(Taken, &["deja"], &["existe", "utilis", "inscrit", "enregistr", "pris"]),
    phrase(Password, &["mot de passe"], &[]),
    // Italian
    phrase(Refused, &["errat", "non valid", "non corrett", "non sono corrett", "invalid", "incorrett"],
        &["password", "utente", "credenziali", "email", "e-mail", "accesso", "codice"]),
    phrase(Refused, &["fallit", "negato", "non riuscit"], &["accesso", "autenticazione", "login"]),
    phrase(Unknown, &["non trovat", "non esiste", "inesistente", "sconosciut", "non registrat", "nessun account"],
        &["utente", "account", "mail", "cliente"]),
    phrase(Taken, &["gia registrat", "gia esist", "esiste gia", "gia in uso", "gia utilizzat", "gia present"], &[]),
    // Portuguese
    phrase(Refused, &["incorret", "invalid", "errad", "nao confere", "nao correspond"],
        &["senha", "palavra-passe", "usuario", "utilizador", "credencia", "login", "codigo"]),
    phrase(Refused, &["falh", "negado"], &["login", "autentica", "acesso"]),
    phrase(Unknown, &["nao existe", "nao encontrad", "nao cadastrad", "nao registad", "nao registrad", "inexistente"],
        &["usuario", "utilizador", "conta", "mail", "cliente", "cpf"]),
    phrase(Taken, &["ja existe", "ja cadastrad", "ja esta", "ja registad", "ja registrad", "ja em uso"], &[]),
    phrase(Password, &["senha", "palavra-passe"], &[]),
    // Dutch
    phrase(Refused, &["onjuist", "ongeldig", "verkeerd", "klopt niet", "kloppen niet"],
        &["wachtwoord", "gebruiker", "inlog", "e-mail", "code"]),
    phrase(Refused, &["mislukt", "geweigerd"], &["inloggen", "aanmelden", "login", "toegang"]),
    phrase(Unknown, &["niet gevonden", "bestaat niet", "onbekend", "niet geregistreerd"], &["gebruiker", "account", "mail", "klant"]),
    phrase(Taken, &["bestaat al", "al in gebruik", "al geregistreerd", "reeds in gebruik", "reeds geregistreerd"], &[]),
    phrase(Password, &["wachtwoord"], &[]),
    // Swedish, Norwegian, Danish, Finnish
    phrase(Refused, &["felaktig", "ogiltig", "fel ", "feil", "ugyldig", "forkert", "vaar", "virheelli", "stemmer ikke", "stammer inte"],
        &["losenord", "anvandarnamn", "passord", "brukernavn", "adgangskode", "brugernavn", "inlogg", "innlogg", "e-post", "salasana", "tunnus"]),
    phrase(Refused, &["misslycka", "mislykke", "mislykt", "epaonnistui"], &["inlogg", "innlogg", "login", "log ind", "kirjautu"]),
    phrase(Password, &["losenord", "passord", "adgangskode", "salasana"], &[]),
    // Polish, Czech, Slovak
    phrase(Refused, &["nieprawidlow", "bledn", "niepoprawn", "zly", "zle", "nespravn", "neplatn", "chybn"],
        &["haslo", "hasla", "login", "uzytkownik", "danych logowania", "dane logowania", "kod", "heslo", "jmeno", "prihlas"]),
    phrase(Refused, &["nie powiod", "nieudan"], &["logowan"]),
    phrase(Unknown, &["nie istnieje", "nie znaleziono", "nieznan", "neexistuje", "nenalezen"], &["uzytkownik", "konto", "mail", "adres", "uzivatel", "ucet"]),
    phrase(Taken, &["juz istnieje", "juz zarejestr", "juz zajet", "jest juz", "jiz existuje", "jiz registr"], &[]),
    phrase(Password, &["haslo", "hasla", "heslo"], &[]),
    // Hungarian, Romanian, Croatian, Turkish
    phrase(Refused, &["hibas", "ervenytelen", "helytelen", "gresit", "incorect", "neispravn", "pogresn", "hatali", "yanlis", "gecersiz"],
        &["jelszo", "felhasznalo", "parola", "utilizator", "lozink", "korisni", "sifre", "kullanici", "e-posta", "kod"]),
    phrase(Password, &["jelszo", "parola", "lozink", "sifre"], &[]),
    // Indonesian, Russian, Chinese, Japanese, Korean
    phrase(Refused, &["salah", "tidak valid", "tidak cocok"], &["kata sandi", "password", "pengguna", "kata laluan"]),
    phrase(Refused, &["неверн", "неправильн", "не совпада"], &["парол", "логин", "учетн", "код", "данные"]),
    phrase(Unknown, &["не найден", "не существует", "не зарегистрирован"], &["пользовател", "аккаунт", "почт", "телефон"]),
    phrase(Refused, &["错误", "錯誤", "不正确", "不正確", "有误", "失败", "失敗"], &["密码", "密碼", "用户名", "账号", "帳號", "登录", "登入", "验证码"]),
    phrase(Refused, &["正しくありません", "間違", "違います", "誤り", "一致しません", "失敗"], &["パスワード", "ユーザー", "ログイン", "メールアドレス"]),
    phrase(Refused, &["일치하지", "잘못", "올바르지", "틀렸", "실패"], &["비밀번호", "아이디", "로그인"]),
    phrase(Password, &["пароль", "密码", "密碼", "パスワード", "비밀번호"], &[]),
];

/// All words, and of each its phrase.
static SEARCH: LazyLock<Option<(AhoCorasick, Vec<&'static Phrase>)>> = LazyLock::new(|| {
    let words = || PHRASES.iter().flat_map(|phrase| phrase.words.iter().map(move |word| (*word, phrase)));
    // It fails for more patterns than fit into memory only.
    let search = AhoCorasick::new(words().map(|(word, _)| word)).ok()?;
    Some((search, words().map(|(_, phrase)| phrase).collect()))
});

/// What a text says; it is made plain in `scratch`.
pub(super) fn read(text: &[u8], scratch: &mut String) -> Told {
    scratch.clear();
    plain(text, scratch);
    let mut told = Told::default();
    let Some((search, phrases)) = SEARCH.as_ref() else { return told };
    for found in search.find_overlapping_iter(scratch.as_str()) {
        let Some(phrase) = phrases.get(found.pattern().as_usize()) else { continue };
        let around = scratch.as_bytes();
        let (from, to) = (found.start().saturating_sub(NEAR_BYTES), around.len().min(found.end() + NEAR_BYTES));
        let around = around.get(from..to).unwrap_or_default();
        let is_meant = phrase.near.is_empty()
            || phrase.near.iter().any(|companion| memmem::find(around, companion.as_bytes()).is_some());
        match phrase.says {
            Refused => told.refused |= is_meant,
            Unknown => told.unknown |= is_meant,
            Taken => told.taken |= is_meant,
            Password => told.password |= is_meant,
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Told {
        read(text.as_bytes(), &mut String::new())
    }

    #[test]
    fn refusals_are_read_in_many_languages() {
        for text in [
            "Invalid username or password",
            "Bad credentials",
            "Benutzername oder Passwort ungültig",
            "Ihre Anmeldung ist fehlgeschlagen.",
            "Usuario o contraseña incorrectos",
            "La contraseña no es válida",
            "El código introducido no es válido",
            "Identifiant ou mot de passe incorrect",
            "Échec de la connexion",
            "Credenziali non valide",
            "Usuário ou senha inválidos",
            "Onjuist wachtwoord",
            "Fel lösenord",
            "Nieprawidłowy login lub hasło",
            "Kullanıcı adı veya şifre hatalı",
            "Неверный логин или пароль",
            "用户名或密码错误",
            "パスワードが正しくありません",
            "INVALID_PASSWORD",
        ] {
            assert!(told(text).refused, "{text}");
        }
    }

    #[test]
    fn what_is_no_login_is_not_refused() {
        for text in [
            "Invalid postcode",
            "Die Bestellung ist fehlgeschlagen",
            "Adresse enregistrée",
            "El pedido no existe",
            "Bienvenido, su código postal es 28001",
            "Mot de passe oublié ?",
            "Passwort vergessen?",
        ] {
            assert!(!told(text).refused, "{text}");
        }
    }

    #[test]
    fn accounts_are_given_away_in_many_languages() {
        for text in [
            "user not found",
            "Benutzer nicht gefunden",
            "Esta cuenta no existe",
            "Aucun compte avec cette adresse e-mail",
            "Utente inesistente",
            "Usuário não encontrado",
            "Gebruiker onbekend",
        ] {
            assert!(told(text).unknown && !told(text).password, "{text}");
        }
        for text in [
            "email already registered",
            "E-Mail bereits vergeben",
            "El correo ya está registrado",
            "Adresse déjà utilisée",
        ] {
            assert!(told(text).taken, "{text}");
        }
        assert!(told("Unbekannter Benutzer oder falsches Passwort").password);
    }
}
