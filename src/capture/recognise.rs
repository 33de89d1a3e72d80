//! Says what a file is that is not a capture, so that its owner sees the mistake at once.
//!
//! In go the first bytes, out comes a [`Recognised`]: a phrase and, where there is one, the mend. It is only ever a
//! guess for a message; nothing is decided by it.

use std::fmt;

/// Enough for every signature below (tar's lies deepest, at byte 257).
pub(super) const SIGNATURE_BYTES: usize = 512;

/// What the bytes look like, worded to follow "it".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recognised {
    pub(super) phrase: String,
    pub(super) mend: Option<&'static str>,
}

impl Recognised {
    /// What to do about it, as the end of a sentence; empty where nothing better is known than to give a capture.
    pub(super) fn mend(&self) -> String {
        self.mend.map(|mend| format!(". {mend}")).unwrap_or_default()
    }
}

impl fmt::Display for Recognised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.phrase)
    }
}

const CONVERT: &str = "Convert it with `editcap -F pcapng IN OUT`";
const UNPACK: &str = "Unpack it first";
const COMPRESSED_TWICE: &str = "Decompress it once, so that one layer is left";

/// (bytes at the start, what they are the start of, mend).
const SIGNATURES: [(&[u8], &str, Option<&str>); 22] = [
    (b"\x1f\x8b", "gzip data", Some(COMPRESSED_TWICE)),
    (b"\x28\xb5\x2f\xfd", "zstd data", Some(COMPRESSED_TWICE)),
    (b"BZh", "bzip2 data", Some("Give it through `bzip2 -dc FILE |` and `-` for the file name")),
    (b"\xfd7zXZ\x00", "xz data", Some("Give it through `xz -dc FILE |` and `-` for the file name")),
    (b"\x04\x22\x4d\x18", "lz4 data", Some("Give it through `lz4 -dc FILE |` and `-` for the file name")),
    (b"PK\x03\x04", "a zip archive", Some(UNPACK)),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", Some(UNPACK)),
    (b"Rar!\x1a\x07", "a RAR archive", Some(UNPACK)),
    (b"snoop\x00\x00\x00", "a Solaris snoop capture", Some(CONVERT)),
    (b"GMBU", "a Microsoft Network Monitor capture", Some(CONVERT)),
    (b"RTSS", "a Microsoft Network Monitor 1.x capture", Some(CONVERT)),
    (b"\x0a\x0d\x0d\x0a", "a pcapng file with a broken first block", None),
    (b"\x1c\x00\x01\xac", "an Ixia capture", Some(CONVERT)),
    (b"\xac\x01\x00\x1c", "an Ixia capture", Some(CONVERT)),
    (b"\x7fELF", "an ELF program", None),
    (b"MZ", "a Windows program (PE)", None),
    (b"%PDF-", "a PDF document", None),
    (b"SQLite format 3\x00", "an SQLite database", None),
    (b"version https://git-lfs", "a Git LFS pointer", Some("Fetch the file itself with `git lfs pull`")),
    (b"\x89PNG", "a PNG picture", None),
    (b"\xff\xd8\xff", "a JPEG picture", None),
    (b"regf", "a Windows registry hive", None),
];

/// (first visible characters in lower case, what they are the start of, mend).
const TEXT_SIGNATURES: [(&str, &str, Option<&str>); 6] = [
    ("<!doctype html", "HTML (a web page saved instead of the file?)", Some("Download the file itself")),
    ("<html", "HTML (a web page saved instead of the file?)", Some("Download the file itself")),
    ("<?xml", "XML", None),
    ("{", "JSON", None),
    ("[", "JSON", None),
    ("http/1.", "an HTTP response with its head", Some("Download the file itself")),
];

/// What a file that starts with `head` looks like. `wrapped` names the compression it came out of.
pub(super) fn recognise(head: &[u8], wrapped: Option<&str>) -> Recognised {
    let (what, mend) = what_it_is(head);
    let phrase = match wrapped {
        Some(compression) => format!("is {compression} of what looks like {what}"),
        None => format!("looks like {what}"),
    };
    Recognised { phrase, mend }
}

fn what_it_is(head: &[u8]) -> (String, Option<&'static str>) {
    if let Some((_, what, mend)) = SIGNATURES.iter().find(|(signature, ..)| head.starts_with(signature)) {
        return ((*what).to_owned(), *mend);
    }
    if head.get(257..262) == Some(b"ustar") {
        return ("a tar archive".to_owned(), Some(UNPACK));
    }
    let visible = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let text = String::from_utf8_lossy(visible.get(..16).unwrap_or(visible)).to_ascii_lowercase();
    if let Some((_, what, mend)) = TEXT_SIGNATURES.iter().find(|(start, ..)| text.starts_with(start)) {
        return ((*what).to_owned(), *mend);
    }
    if head.is_empty() {
        return ("nothing at all".to_owned(), None);
    }
    if head.iter().all(|byte| *byte == 0) {
        return ("zeros (a file that was reserved but never written)".to_owned(), None);
    }
    if head.iter().all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e | 0x80..)) {
        return ("plain text".to_owned(), None);
    }
    let shown: Vec<String> = head.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    (format!("data of an unknown kind (first bytes {})", shown.join(" ")), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_mistakes_are_named() {
        for (head, expected) in [
            (&b"MZ\x90\x00"[..], "Windows program"),
            (b"\n <!DOCTYPE html><html>", "HTML"),
            (b"  {\"a\":1}", "JSON"),
            (b"\xfd7zXZ\x00\x00", "xz data"),
            (b"just some words\n", "plain text"),
            (b"\x00\x00\x00\x00\x00", "zeros"),
            (b"\x01\x02\x03", "first bytes 01 02 03"),
            (b"", "nothing at all"),
        ] {
            let phrase = recognise(head, None).phrase;
            assert!(phrase.contains(expected), "{phrase} lacks {expected}");
        }
    }

    #[test]
    fn the_wrapping_is_told() {
        assert_eq!(recognise(b"[1]", Some("gzip")).phrase, "is gzip of what looks like JSON");
    }

    #[test]
    fn a_tar_archive_is_known_by_its_magic() {
        let mut head = vec![b'a'; 300];
        head[257..262].copy_from_slice(b"ustar");
        assert_eq!(what_it_is(&head).0, "a tar archive");
    }
}
