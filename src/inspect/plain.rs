//! Text made plain, so that words are found however they are written.
//!
//! In goes text as it was on the wire; out come lower-case letters without their marks (`Contraseña` is `contrasena`, `UNGÜLTIG`
//! is `ungultig`), `_` as a space (`EMAIL_NOT_FOUND`), and other scripts in lower case. Bytes that are not UTF-8 are passed over.

/// Puts plain text behind `out`.
pub(super) fn plain(text: &[u8], out: &mut String) {
    for chunk in text.utf8_chunks() {
        for letter in chunk.valid().chars() {
            if letter.is_ascii() {
                out.push(if letter == '_' { ' ' } else { letter.to_ascii_lowercase() });
            } else {
                // What a letter becomes in lower case may be several: the mark behind a Turkish i.
                out.extend(letter.to_lowercase().map(base).filter(|letter| !is_mark(*letter)));
            }
        }
    }
}

/// A mark that stands behind its letter (Unicode: Combining Diacritical Marks).
fn is_mark(letter: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&letter)
}

/// A letter of Latin-1 or Latin Extended-A without its mark.
fn base(letter: char) -> char {
    match letter {
        'à'..='å' | 'ā' | 'ă' | 'ą' => 'a',
        'ç' | 'ć' | 'č' => 'c',
        'ď' | 'đ' => 'd',
        'è'..='ë' | 'ē' | 'ė' | 'ę' | 'ě' => 'e',
        'ğ' | 'ģ' => 'g',
        'ì'..='ï' | 'ī' | 'į' | 'ı' => 'i',
        'ķ' => 'k',
        'ĺ' | 'ļ' | 'ľ' | 'ł' => 'l',
        'ñ' | 'ń' | 'ņ' | 'ň' => 'n',
        'ò'..='ö' | 'ø' | 'ō' | 'ő' => 'o',
        'ŕ' | 'ř' => 'r',
        'ś' | 'ş' | 'š' | 'ș' | 'ß' => 's',
        'ţ' | 'ť' | 'ț' => 't',
        'ù'..='ü' | 'ū' | 'ů' | 'ű' | 'ų' => 'u',
        'ý' | 'ÿ' => 'y',
        'ź' | 'ż' | 'ž' => 'z',
        '\u{2018}' | '\u{2019}' => '\'',
        _ => letter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_lose_their_marks_and_other_scripts_stay() {
        let of = |text: &[u8]| {
            let mut out = String::new();
            plain(text, &mut out);
            out
        };
        assert_eq!(of("Contraseña INVÁLIDA".as_bytes()), "contrasena invalida");
        assert_eq!(of("Hasło_nieprawidłowe".as_bytes()), "haslo nieprawidlowe");
        assert_eq!(of("ŞİFRE hatalı, n’existe".as_bytes()), "sifre hatali, n'existe");
        assert_eq!(of("Неверный пароль 密码错误".as_bytes()), "неверный пароль 密码错误");
        assert_eq!(of("e\u{301}chec".as_bytes()), "echec");
        assert_eq!(of(b"wrong \xff\xfepassword"), "wrong password");
    }
}
