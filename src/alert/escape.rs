//! Text off the wire made safe for a terminal, and measured for its columns.
//!
//! In: any text. Out: the same text in which every character that could act on a terminal or hide on it is written out:
//! `\n`, `\t`, `\x1b` (C0, DEL, C1: an ANSI sequence loses its introducer) and `\u{202e}` (bidirectional overrides,
//! zero-width and other invisible format characters; "Trojan Source", Boucher and Anderson, 2021). A backslash stays
//! as it is, so the result is for reading, not for turning back.
//!
//! Widths follow UAX #11 for what is common (East Asian wide, emoji, combining marks); a terminal may disagree at the
//! edges, which costs alignment and nothing else.

use std::borrow::Cow;
use std::fmt::Write;

/// Whether a character must not reach a terminal as it is.
pub fn is_unsafe(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    matches!(c,
        '\u{80}'..='\u{9f}' // C1: U+009B alone introduces a control sequence
        | '\u{ad}' // soft hyphen
        | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' // bidi, zero width
        | '\u{2028}' | '\u{2029}' // line and paragraph separator
        | '\u{180e}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' // invisible
        | '\u{e0000}'..='\u{e007f}') // tags
}

/// The text, made safe. Borrows where there is nothing to do, which is nearly always.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        push_escaped(&mut safe, c);
    }
    Cow::Owned(safe)
}

/// Bytes as safe text: what is not UTF-8 becomes `\xNN`.
pub fn escape_bytes(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return escape(text);
    }
    let mut safe = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        chunk.valid().chars().for_each(|c| push_escaped(&mut safe, c));
        for byte in chunk.invalid() {
            let _ = write!(safe, "\\x{byte:02x}"); // writing to a String cannot fail
        }
    }
    Cow::Owned(safe)
}

/// As [`escape`], but line feeds stay: for messages of several lines.
pub fn escape_lines(text: &str) -> String {
    text.split('\n').map(escape).collect::<Vec<_>>().join("\n")
}

fn push_escaped(safe: &mut String, c: char) {
    // Writing to a String cannot fail.
    let _ = match c {
        '\n' => safe.write_str("\\n"),
        '\r' => safe.write_str("\\r"),
        '\t' => safe.write_str("\\t"),
        _ if !is_unsafe(c) => safe.write_char(c),
        _ if u32::from(c) < 0x100 => write!(safe, "\\x{:02x}", u32::from(c)),
        _ => write!(safe, "\\u{{{:x}}}", u32::from(c)),
    };
}

/// Columns that a (safe) text takes on a terminal.
pub fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().map(char_width).sum() }
}

/// The (safe) text cut to at most `columns`, the last of them an ellipsis where something was cut.
pub fn fit(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let room = columns.saturating_sub(1); // the ellipsis
    let mut used = 0;
    let mut kept = String::with_capacity(columns + 4);
    for c in text.chars() {
        used += char_width(c);
        if used > room {
            break;
        }
        kept.push(c);
    }
    if columns > 0 {
        kept.push('…');
    }
    Cow::Owned(kept)
}

/// Appends the (safe) text and blanks up to `columns`.
pub fn push_padded(line: &mut String, text: &str, columns: usize) {
    line.push_str(text);
    line.extend(std::iter::repeat_n(' ', columns.saturating_sub(width(text))));
}

fn char_width(c: char) -> usize {
    match c {
        ' '..='~' => 1,
        // Combining marks, variation selectors.
        '\u{300}'..='\u{36f}'
        | '\u{483}'..='\u{489}'
        | '\u{591}'..='\u{5bd}'
        | '\u{610}'..='\u{61a}'
        | '\u{64b}'..='\u{65f}'
        | '\u{93c}'
        | '\u{941}'..='\u{948}'
        | '\u{94d}'
        | '\u{e31}'
        | '\u{e34}'..='\u{e3a}'
        | '\u{e47}'..='\u{e4e}'
        | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{fe20}'..='\u{fe2f}'
        | '\u{e0100}'..='\u{e01ef}' => 0,
        // East Asian wide and fullwidth, emoji.
        '\u{1100}'..='\u{115f}'
        | '\u{231a}'..='\u{231b}'
        | '\u{2e80}'..='\u{303e}'
        | '\u{3041}'..='\u{33ff}'
        | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{a000}'..='\u{a4cf}'
        | '\u{a960}'..='\u{a97c}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1f64f}'
        | '\u{1f680}'..='\u{1f6ff}'
        | '\u{1f900}'..='\u{1f9ff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_ansi_sequence_loses_its_introducer() {
        assert_eq!(escape("\x1b[2Jcleared"), "\\x1b[2Jcleared");
        assert_eq!(escape("\u{9b}31mred"), "\\x9b31mred");
        assert_eq!(escape("a\r\nb\tc\x7f\0"), "a\\r\\nb\\tc\\x7f\\x00");
    }

    #[test]
    fn text_that_reorders_or_hides_is_made_visible() {
        assert_eq!(escape("user\u{202e}gpj.exe"), "user\\u{202e}gpj.exe");
        assert_eq!(escape("ad\u{200b}min\u{2066}"), "ad\\u{200b}min\\u{2066}");
        assert_eq!(escape("tag\u{e0041}"), "tag\\u{e0041}");
    }

    #[test]
    fn plain_text_in_any_script_is_borrowed() {
        for text in ["/v1/users/{id}?q=a%0a", "Grüße", "日本語", "🙂", ""] {
            assert!(matches!(escape(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_show_as_numbers() {
        assert_eq!(escape_bytes(b"a\xff\xc3b\x1b"), "a\\xff\\xc3b\\x1b");
        assert_eq!(escape_bytes("Grüße".as_bytes()), "Grüße");
    }

    #[test]
    fn lines_stay_lines_in_a_message() {
        assert_eq!(escape_lines("a\x07\nb"), "a\\x07\nb");
    }

    #[test]
    fn a_cut_never_passes_its_columns() {
        assert_eq!(fit("abcdef", 6), "abcdef");
        assert_eq!(fit("abcdefg", 6), "abcde…");
        assert_eq!(fit("日本語日本", 6), "日本…");
        assert_eq!(fit("日本語", 0), "");
        assert_eq!(width("日本a"), 5);
        assert_eq!(width("e\u{301}"), 1);
    }

    proptest! {
        #[test]
        fn nothing_unsafe_survives(text in "\\PC*|.*", bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(!escape(&text).chars().any(|c| is_unsafe(c) || c.is_control()));
            prop_assert!(!escape_bytes(&bytes).chars().any(|c| is_unsafe(c) || c.is_control()));
        }

        #[test]
        fn a_cut_text_fits(text in ".*", columns in 0usize..40) {
            prop_assert!(width(&fit(&text, columns)) <= columns);
        }
    }
}
