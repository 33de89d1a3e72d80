//! Captures that were compressed: gzip (RFC 1952) and zstd (RFC 8878), told by their magic, never by the name.
//!
//! In goes a reader of the file's bytes, out comes a reader of the capture's. Several gzip members or zstd frames one
//! after the other are one capture (`cat a.gz b.gz`, bgzip, pzstd). Decompression is a stream: memory is bounded by
//! the window, 32 KiB for gzip, at most [`ZSTD_WINDOW_LOG_MAX`] for zstd. A file that was compressed twice is refused
//! further on, as not a capture.

use super::error::Argument;
use flate2::bufread::GzDecoder;
use std::fmt;
use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};
use std::path::Path;

/// A reader that may move to another thread.
pub(super) type BoxedReader = Box<dyn Read + Send>;

/// 128 MiB, what `zstd -d` accepts without `--long` being told more. A file made with a larger window names itself.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;
/// Compressed bytes per read: large enough that system calls cost nothing beside inflating them.
const COMPRESSED_CHUNK: usize = 128 * 1024;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// A skippable frame (RFC 8878 §3.1.2) is xx 2a 4d 18 with xx from 50 to 5f; pzstd starts files with one.
const ZSTD_SKIPPABLE_MAGIC: [u8; 3] = [0x2a, 0x4d, 0x18];
const MAGIC_BYTES: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    Gzip,
    Zstd,
}

impl Compression {
    fn of(magic: &[u8]) -> Option<Compression> {
        let skippable = magic.first().is_some_and(|first| first & 0xf0 == 0x50)
            && magic.get(1..MAGIC_BYTES) == Some(&ZSTD_SKIPPABLE_MAGIC);
        if magic.starts_with(&GZIP_MAGIC) {
            Some(Compression::Gzip)
        } else if magic.starts_with(&ZSTD_MAGIC) || skippable {
            Some(Compression::Zstd)
        } else {
            None
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
        }
    }

    /// What to do about data that the decompressor refused with the words `what`.
    pub(super) fn mend(self, file: &Path, what: &str) -> String {
        let file = Argument(file);
        match self {
            Compression::Zstd if what.contains("memory") => {
                format!("Give it through `zstd -d --long=31 -c {file} |` and `-` for the file name")
            }
            _ => "Copy the file again from its origin".to_owned(),
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The bytes of the capture in `file`, and what they were compressed with.
pub(super) fn decompressed(mut file: BoxedReader) -> io::Result<(BoxedReader, Option<Compression>)> {
    let mut magic = [0u8; MAGIC_BYTES];
    let mut had = 0;
    while let Some(rest) = magic.get_mut(had..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(read) => had += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let magic = magic.get(..had).unwrap_or_default().to_vec();
    let compression = Compression::of(&magic);
    let whole = Cursor::new(magic).chain(file);
    let capture: BoxedReader = match compression {
        None => Box::new(whole),
        Some(Compression::Gzip) => Box::new(GzipMembers::new(whole)),
        Some(Compression::Zstd) => {
            let mut decoder =
                zstd::stream::read::Decoder::with_buffer(BufReader::with_capacity(COMPRESSED_CHUNK, whole))?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            Box::new(decoder)
        }
    };
    Ok((capture, compression))
}

/// The file from its first byte: what was read to tell its kind, then the rest.
type Whole = Chain<Cursor<Vec<u8>>, BoxedReader>;

/// All members of a gzip file, one after the other.
struct GzipMembers {
    /// The one being read; nothing behind the last.
    member: Option<GzDecoder<BufReader<Whole>>>,
}

impl GzipMembers {
    fn new(file: Whole) -> GzipMembers {
        GzipMembers { member: Some(GzDecoder::new(BufReader::with_capacity(COMPRESSED_CHUNK, file))) }
    }
}

/// Behind the end of a member: the next one, or the end of the file (which tapes pad with zeros).
fn next_member(mut file: BufReader<Whole>) -> io::Result<Option<GzDecoder<BufReader<Whole>>>> {
    loop {
        let rest = file.fill_buf()?;
        match rest.iter().position(|byte| *byte != 0) {
            None if rest.is_empty() => return Ok(None),
            None => {
                let zeros = rest.len();
                file.consume(zeros);
            }
            Some(0) if rest.first() == GZIP_MAGIC.first() => return Ok(Some(GzDecoder::new(file))),
            Some(_) => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "bytes that are not gzip follow its end"));
            }
        }
    }
}

impl Read for GzipMembers {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let read = member.read(into)?;
            if read > 0 || into.is_empty() {
                return Ok(read);
            }
            if let Some(ended) = self.member.take() {
                self.member = next_member(ended.into_inner())?;
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn read_all(file: Vec<u8>) -> (Vec<u8>, io::Result<()>, Option<Compression>) {
        let (mut reader, compression) = decompressed(Box::new(Cursor::new(file))).unwrap();
        let mut bytes = Vec::new();
        let result = reader.read_to_end(&mut bytes).map(|_| ());
        (bytes, result, compression)
    }

    #[test]
    fn gzip_members_are_one_stream_and_zero_padding_is_no_harm() {
        let file = [gzip(b"one "), gzip(b""), gzip(b"two"), vec![0; 700]].concat();
        let (bytes, result, compression) = read_all(file);
        assert_eq!((bytes.as_slice(), compression), (&b"one two"[..], Some(Compression::Gzip)));
        assert!(result.is_ok());
    }

    #[test]
    fn garbage_behind_gzip_is_an_error_after_its_bytes() {
        let (bytes, result, _) = read_all([gzip(b"one"), b"junk".to_vec()].concat());
        assert_eq!(bytes, b"one");
        assert!(result.unwrap_err().to_string().contains("not gzip"));
    }

    #[test]
    fn gzip_that_ends_early_says_so() {
        let mut file = gzip(&[7; 10_000]);
        file.truncate(file.len() - 9);
        assert_eq!(read_all(file).1.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn zstd_frames_and_skippable_frames_are_one_stream() {
        let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"xyz"].concat();
        let one = zstd::stream::encode_all(&b"one "[..], 1).unwrap();
        let two = zstd::stream::encode_all(&b"two"[..], 1).unwrap();
        let (bytes, result, compression) = read_all([skippable, one, two].concat());
        assert_eq!((bytes.as_slice(), compression), (&b"one two"[..], Some(Compression::Zstd)));
        assert!(result.is_ok());
    }

    #[test]
    fn zstd_that_ends_early_says_so() {
        let mut file = zstd::stream::encode_all(&[7u8; 10_000][..], 1).unwrap();
        file.truncate(file.len() - 3);
        assert_eq!(read_all(file).1.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_zstd_window_beyond_the_limit_is_refused_with_the_way_out() {
        let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(28).unwrap();
        encoder.write_all(b"x").unwrap();
        let error = read_all(encoder.finish().unwrap()).1.unwrap_err();
        let mend = Compression::Zstd.mend(Path::new("a.zst"), &error.to_string());
        assert!(mend.contains("zstd -d --long=31 -c a.zst"), "{error}: {mend}");
    }

    #[test]
    fn plain_bytes_pass_through_even_fewer_than_a_magic() {
        for file in [&b""[..], b"a", b"abc", b"abcdefgh"] {
            let (bytes, result, compression) = read_all(file.to_vec());
            assert_eq!((bytes.as_slice(), compression), (file, None));
            assert!(result.is_ok());
        }
    }
}
