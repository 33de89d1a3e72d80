//! What the fields of a login are called in other languages than English.
//!
//! In goes a field's name without separators, in lower case, as [`super::field`] cuts it; out come its hints. German, French,
//! Spanish, Portuguese, Italian, Dutch, the Nordic languages, Polish, Czech, Hungarian, Romanian, Croatian, Turkish, Russian,
//! Indonesian, Chinese and Korean, with their marks or without. Not here: what is ambiguous in English (`log`, `key`), and languages that
//! nobody has asked for yet; those have `login.user_fields` and `login.password_fields` in `rules/api.toml`.

use super::field::Hint;
use super::plain::plain;
use std::borrow::Cow;

/// The part that a name has in a login, or in what came of it.
pub(super) fn role_hint(joined: &[u8]) -> Hint {
    match plain_name(joined).as_ref() {
        name if PASSWORDS.contains(&name) => Hint::PASSWORD,
        // Also a key, or a card's digits.
        "clave" | "claveacceso" | "codigosecreto" | "codesecret" | "geheimzahl" | "codepin" => Hint::PASSWORD_MAYBE,
        // de
        "benutzer" | "benutzername" | "benutzerkennung" | "nutzer" | "nutzername" | "nutzerkennung" | "anmeldename"
        | "kennung" | "loginkennung" | "loginname" | "emailadresse" | "mailadresse"
        // fr
        | "utilisateur" | "nomutilisateur" | "nomdutilisateur" | "identifiant" | "courriel" | "adressemail"
        | "adresseemail" | "pseudo"
        // es, pt
        | "usuario" | "nombreusuario" | "nombredeusuario" | "correo" | "correoelectronico" | "nomeusuario"
        | "nomedeusuario" | "utilizador" | "nomeutilizador" | "nomedeutilizador"
        // it
        | "utente" | "nomeutente" | "codiceutente" | "indirizzoemail"
        // nl
        | "gebruiker" | "gebruikersnaam" | "emailadres" | "mailadres"
        // sv, no, da, fi
        | "anvandare" | "anvandarnamn" | "epost" | "epostadress" | "bruker" | "brukernavn" | "epostadresse" | "bruger"
        | "brugernavn" | "kayttaja" | "kayttajatunnus" | "kayttajanimi" | "sahkoposti"
        // pl, cs, sk, hu, ro, hr, sr, sl
        | "uzytkownik" | "nazwauzytkownika" | "uzivatel" | "uzivatelskejmeno" | "pouzivatel" | "felhasznalo"
        | "felhasznalonev" | "utilizator" | "numeutilizator" | "korisnik" | "korisnickoime" | "uporabnik"
        // tr, ru, id, zh, ko
        | "kullanici" | "kullaniciadi" | "eposta" | "polzovatel" | "логин" | "пользователь" | "почта" | "pengguna"
        | "namapengguna" | "yonghuming" | "用户名" | "账号" | "아이디" => Hint::USER,
        // Numbers and documents that people log in with.
        "kundennummer" | "kundennr" | "kundenr" | "kundennumer" | "vertragsnummer" | "kontonummer" | "numeroclient" | "numclient" | "compte"
        | "cuenta" | "telefono" | "telefone" | "telefon" | "documento" | "numerodocumento" | "dni" | "nif" | "rut" | "cedula"
        | "numerocliente" | "cliente" | "cpf" | "cpfcnpj" | "conta" | "matricula" | "codicecliente" | "codicefiscale"
        | "klantnummer" | "personnummer" | "pesel" | "tckn" => Hint::USER_MAYBE,
        "tan" | "smstan" | "mtan" | "pushtan" | "einmalcode" | "einmalpasswort" | "bestatigungscode" | "bestaetigungscode"
        | "verifizierungscode" | "freigabecode" | "codeverification" | "codedeverification" | "codesms" | "codevalidation"
        | "codedevalidation" | "codeconfirmation" | "codigoverificacion" | "codigodeverificacion" | "codigosms"
        | "codigoconfirmacion" | "codigodeconfirmacion" | "codigootp" | "claveotp" | "codiceverifica" | "codicediverifica"
        | "codicesms" | "codiceotp" | "codigoverificacao" | "codigodeverificacao" | "codigoconfirmacao" | "verificatiecode"
        | "bevestigingscode" | "engangskod" | "engangskode" | "verifieringskod" | "kodsms" | "dogrulamakodu"
        | "onaykodu" | "验证码" => Hint::OTP_CERTAIN,
        "codigo" | "codice" | "kode" | "kod" | "koodi" | "codul" => Hint::OTP,
        "jeton" => Hint::TOKEN,
        "erfolg" | "erfolgreich" | "exito" | "exitoso" | "succes" | "reussi" | "sucesso" | "successo" | "sukces" | "basarili" => {
            Hint::SUCCESS
        }
        "fehler" | "fehlercode" | "erreur" | "erreurs" | "errores" | "errore" | "errori" | "erro" | "erros" | "fout" | "fouten"
        | "blad" | "bledy" | "chyba" | "hata" | "virhe" | "feil" | "fejl" | "fel" => Hint::ERROR,
        "ergebnis" | "estado" | "resultado" | "statut" | "resultat" | "stato" | "esito" | "risultato" | "durum" | "sonuc" => {
            Hint::STATUS
        }
        "meldung" | "fehlermeldung" | "nachricht" | "hinweis" | "mensaje" | "mensagem" | "messaggio" | "melding" | "foutmelding"
        | "bericht" | "meddelande" | "viesti" | "komunikat" | "wiadomosc" | "zprava" | "uzenet" | "mesaj" => Hint::MESSAGE,
        _ => Hint::NONE,
    }
}

/// Whether a word of a name, or a name, is a password's.
pub fn is_password(word: &[u8]) -> bool {
    PASSWORDS.contains(&plain_name(word).as_ref())
}

/// Plain.
#[rustfmt::skip]
const PASSWORDS: [&str; 35] = [
    "passwort", "kennwort", "motdepasse", "motpasse", "mdp", "contrasena", "contrasenia", "contrasenya", "senha", "palavrapasse",
    "parolachiave", "wachtwoord", "losenord", "passord", "adgangskode", "kodeord", "salasana", "haslo", "heslo", "jelszo", "sifre",
    "lozinka", "zaporka", "geslo", "slaptazodis", "parool", "parol", "пароль", "katasandi", "matkhau", "mima", "密码", "密碼", "비밀번호",
    "パスワード",
];

fn plain_name(name: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(name) {
        Ok(name) if name.is_ascii() => Cow::Borrowed(name), // in lower case, as it is cut
        _ => {
            let mut folded = String::with_capacity(name.len());
            plain(name, &mut folded);
            Cow::Owned(folded)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::field::hint_of;

    #[test]
    fn logins_are_known_in_the_languages_of_their_makers() {
        for name in [
            "passwort",
            "Kennwort",
            "contraseña",
            "Contrasena",
            "mot_de_passe",
            "senha",
            "wachtwoord",
            "HASŁO",
            "şifre",
        ] {
            assert!(hint_of(name.as_bytes()).any(Hint::PASSWORD), "{name}");
        }
        for name in ["benutzer", "nombre_usuario", "correoElectronico", "identifiant", "kullanici_adi", "użytkownik"] {
            assert!(hint_of(name.as_bytes()).any(Hint::USER), "{name}");
        }
        assert!(
            hint_of(b"tan").has(Hint::OTP_CERTAIN) && hint_of("Bestätigungscode".as_bytes()).has(Hint::OTP_CERTAIN)
        );
        assert!(hint_of(b"codigo").any(Hint::OTP) && !hint_of(b"codigo").has(Hint::OTP_CERTAIN));
        assert!(hint_of(b"neues_passwort").any(Hint::PASSWORD_MAYBE));
        assert!(hint_of(b"meldung").any(Hint::MESSAGE) && hint_of("éxito".as_bytes()).any(Hint::SUCCESS));
        for name in ["nombre", "ciudad", "betrag", "datum", "titular", "passagier", "clavePostal"] {
            assert!(!hint_of(name.as_bytes()).any(Hint::LOGIN), "{name}");
        }
    }
}
