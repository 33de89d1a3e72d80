//! XML and HTML: text between tags, attribute values, records. A tag ends at the first `>`; nothing is validated.

use super::names::Field;
use super::sink::Sink;
use super::text::{Segments, judge};
use super::{Limits, Role};

/// Most levels of elements that are kept.
const DEPTH: usize = 64;
/// Longest tag that is read, in bytes; the rest of a longer one is skipped.
const TAG_BYTES: usize = 512;
/// What begins a comment and character data, behind the angle bracket.
const COMMENT: &[u8] = b"!--";
const CDATA: &[u8] = b"![CDATA[";
/// SOAP puts a fault into the body of its envelope.
const FAULT_DEPTH: usize = 3;
/// Tags of an HTML page that make its shape.
const SHAPE_TAGS: u32 = 64;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Text,
    Tag,
    /// In `<script>` or `<style>`: only an end tag ends it.
    Raw {
        angle: bool,
    },
    /// In `<!-- -->`: so many dashes were just seen.
    Comment {
        dashes: u8,
    },
    /// In `<![CDATA[ ]]>`: so many brackets were just seen.
    Data {
        brackets: u8,
    },
}

pub(super) struct Markup {
    html: bool,
    segments: Segments,
    place: Place,
    tag: Vec<u8>,
    /// Names of the open elements, and of the last closed child of each.
    open: [Level; DEPTH],
    depth: usize,
    max_depth: usize,
    /// Levels open beyond `max_depth`.
    beyond: u64,
    /// The level whose elements are records; 0 if none is open.
    record_depth: usize,
    /// The level within the fault of a SOAP answer; 0 if none is open.
    fault_depth: usize,
    records: u32,
    tags: u32,
    seen: u64,
}

#[derive(Clone, Copy, Default)]
struct Level {
    field: Field,
    last_child: u64,
}

impl Markup {
    pub fn new(limits: &Limits) -> Markup {
        Markup {
            html: false,
            segments: Segments::of_text(limits),
            place: Place::Text,
            tag: Vec::new(),
            open: [Level::default(); DEPTH],
            depth: 0,
            max_depth: limits.max_markup_depth,
            beyond: 0,
            record_depth: 0,
            fault_depth: 0,
            records: 0,
            tags: 0,
            seen: 0,
        }
    }

    pub fn begin(&mut self, html: bool) {
        self.html = html;
        self.place = Place::Text;
        self.tag.clear();
        self.open = [Level::default(); DEPTH];
        (self.depth, self.beyond, self.record_depth, self.fault_depth) = (0, 0, 0, 0);
        (self.records, self.tags, self.seen) = (0, 0, 0);
    }

    pub fn feed(&mut self, bytes: &[u8], carry: &mut Vec<u8>, sink: &mut Sink) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken = match self.place {
                Place::Text => self.in_text(rest, carry, sink),
                Place::Tag => self.in_tag(rest, sink),
                Place::Raw { angle } => self.in_raw(rest, angle, carry, sink),
                Place::Comment { dashes } => self.in_comment(rest, dashes),
                Place::Data { brackets } => self.in_data(rest, brackets, carry, sink),
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
    }

    pub fn gap(&mut self, carry: &mut Vec<u8>) {
        carry.clear();
        self.tag.clear();
        self.place = Place::Text;
    }

    pub fn finish(&mut self, carry: &mut Vec<u8>, sink: &mut Sink) -> u32 {
        self.end_text(carry, sink);
        self.records
    }

    fn in_text(&mut self, rest: &[u8], carry: &mut Vec<u8>, sink: &mut Sink) -> usize {
        let end = memchr::memchr(b'<', rest);
        let text = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        self.text(text, carry, sink);
        if end.is_none() {
            return rest.len();
        }
        self.end_text(carry, sink);
        self.place = Place::Tag;
        text.len() + 1
    }

    fn text(&mut self, text: &[u8], carry: &mut Vec<u8>, sink: &mut Sink) {
        let (field, html, seen) = (self.field(), self.shows_text(), &mut self.seen);
        self.segments.feed(text, carry, |segment| piece(segment, field, html, seen, sink));
    }

    fn end_text(&mut self, carry: &mut Vec<u8>, sink: &mut Sink) {
        let (field, html, seen) = (self.field(), self.shows_text(), &mut self.seen);
        self.segments.end(carry, |segment| piece(segment, field, html, seen, sink));
    }

    /// Whether text is told to somebody, and is the value of no field.
    fn shows_text(&self) -> bool {
        self.html || self.fault_depth > 0
    }

    fn field(&self) -> Field {
        self.depth.checked_sub(1).and_then(|top| self.open.get(top)).map_or(Field::default(), |level| level.field)
    }

    fn in_tag(&mut self, rest: &[u8], sink: &mut Sink) -> usize {
        if self.tag.is_empty()
            && rest
                .first()
                .is_some_and(|&byte| !byte.is_ascii_alphabetic() && !matches!(byte, b'/' | b'!' | b'?' | b'_'))
        {
            self.place = Place::Text; // `a < b`
            return 0;
        }
        // Only what begins with an exclamation mark may be something else than a tag.
        if self.tag.first().or(rest.first()) == Some(&b'!') && self.tag.len() < CDATA.len() {
            return self.in_declaration(rest);
        }
        let end = memchr::memchr(b'>', rest);
        let body = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        let room = TAG_BYTES - self.tag.len().min(TAG_BYTES);
        self.tag.extend_from_slice(body.get(..body.len().min(room)).unwrap_or_default());
        let (taken, ended) = (body.len() + usize::from(end.is_some()), end.is_some());
        if ended {
            self.place = Place::Text;
            let tag = std::mem::take(&mut self.tag);
            self.tag_read(&tag, sink);
            self.tag = tag;
            self.tag.clear();
        }
        taken
    }

    /// The first bytes of `<!…`, one at a time.
    fn in_declaration(&mut self, rest: &[u8]) -> usize {
        for (at, &byte) in rest.iter().enumerate() {
            if byte == b'>' {
                self.tag.clear();
                self.place = Place::Text;
                return at + 1;
            }
            self.tag.push(byte);
            let place = match self.tag.as_slice() {
                COMMENT => Place::Comment { dashes: 0 },
                CDATA => Place::Data { brackets: 0 },
                tag if tag.len() >= CDATA.len() => return at + 1,
                _ => continue,
            };
            self.tag.clear();
            self.place = place;
            return at + 1;
        }
        rest.len()
    }

    fn in_raw(&mut self, rest: &[u8], angle: bool, carry: &mut Vec<u8>, sink: &mut Sink) -> usize {
        if angle {
            if rest.first() == Some(&b'/') {
                self.end_text(carry, sink);
                self.place = Place::Tag;
            } else {
                self.text(b"<", carry, sink);
                self.place = Place::Raw { angle: false };
            }
            return 0;
        }
        let end = memchr::memchr(b'<', rest);
        let text = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        self.text(text, carry, sink);
        self.place = Place::Raw { angle: end.is_some() };
        text.len() + usize::from(end.is_some())
    }

    fn in_comment(&mut self, rest: &[u8], dashes: u8) -> usize {
        let mut dashes = dashes;
        for (at, &byte) in rest.iter().enumerate() {
            match byte {
                b'-' => dashes = dashes.saturating_add(1),
                b'>' if dashes >= 2 => {
                    self.place = Place::Text;
                    return at + 1;
                }
                _ => dashes = 0,
            }
        }
        self.place = Place::Comment { dashes };
        rest.len()
    }

    fn in_data(&mut self, rest: &[u8], brackets: u8, carry: &mut Vec<u8>, sink: &mut Sink) -> usize {
        let mut brackets = brackets;
        for (at, &byte) in rest.iter().enumerate() {
            match byte {
                b']' => brackets = brackets.saturating_add(1),
                b'>' if brackets >= 2 => {
                    self.text(rest.get(..at).unwrap_or_default(), carry, sink);
                    self.place = Place::Text;
                    return at + 1;
                }
                _ => brackets = 0,
            }
        }
        self.text(rest, carry, sink);
        self.place = Place::Data { brackets };
        rest.len()
    }

    /// A whole tag, without its angle brackets.
    fn tag_read(&mut self, tag: &[u8], sink: &mut Sink) {
        if matches!(tag.first(), Some(b'!' | b'?') | None) {
            return;
        }
        let (closing, body) = match tag.strip_prefix(b"/") {
            Some(body) => (true, body),
            None => (false, tag),
        };
        let length = body.iter().take_while(|byte| !byte.is_ascii_whitespace() && **byte != b'/').count();
        let name = body.get(..length).unwrap_or_default();
        let local = name.rsplit(|&byte| byte == b':').next().unwrap_or_default();
        if closing {
            return self.close();
        }
        let field = sink.names.look(local);
        if self.html {
            return self.html_tag(local, field, body.get(length..).unwrap_or_default(), sink);
        }
        self.open_element(field, sink);
        if local == b"Fault" && self.depth <= FAULT_DEPTH {
            self.fault_depth = self.depth;
            sink.fault();
        }
        attributes(body.get(length..).unwrap_or_default(), sink);
        if body.ends_with(b"/") {
            self.close();
        }
    }

    fn html_tag(&mut self, name: &[u8], field: Field, attributes: &[u8], sink: &mut Sink) {
        if self.tags < SHAPE_TAGS {
            self.tags += 1;
            sink.shape_next(field.name);
        }
        if name.eq_ignore_ascii_case(b"tr") {
            self.records = self.records.saturating_add(1);
            sink.records = u64::from(self.records);
        }
        if name.eq_ignore_ascii_case(b"script") || name.eq_ignore_ascii_case(b"style") {
            self.place = Place::Raw { angle: false };
        }
        sink.text(attributes);
    }

    /// Elements with the name of the sibling before them are records, at the outermost level where that happens.
    fn open_element(&mut self, field: Field, sink: &mut Sink) {
        let Some(slot) = self.open.get_mut(self.depth).filter(|_| self.depth < self.max_depth) else {
            self.beyond += 1;
            sink.is_cut = true;
            return;
        };
        *slot = Level { field, last_child: 0 };
        let parent = self.depth.checked_sub(1).and_then(|top| self.open.get_mut(top));
        if let Some(parent) = parent {
            let repeated = parent.last_child == field.name;
            parent.last_child = field.name;
            if repeated && (self.record_depth == 0 || self.record_depth == self.depth) {
                self.records = self.records.saturating_add(if self.record_depth == 0 { 2 } else { 1 });
                self.record_depth = self.depth;
                sink.records = u64::from(self.records);
            }
        }
        self.depth += 1;
        if self.depth <= 2 {
            sink.shape_member(field.name);
        }
    }

    fn close(&mut self) {
        if self.beyond > 0 {
            self.beyond -= 1;
            return;
        }
        self.depth = self.depth.saturating_sub(1);
        if self.record_depth > self.depth {
            self.record_depth = 0;
        }
        if self.fault_depth > self.depth {
            self.fault_depth = 0;
        }
    }
}

/// A piece of text between two tags.
fn piece(segment: &[u8], field: Field, is_shown: bool, seen: &mut u64, sink: &mut Sink) {
    let text = segment.trim_ascii();
    if text.is_empty() {
        return;
    }
    if is_shown || sink.role == Role::Response && field == Field::default() {
        judge(text, seen, sink);
    } else {
        sink.value(field, text, Some(1));
    }
}

/// `name="value"` pairs.
fn attributes(text: &[u8], sink: &mut Sink) {
    let mut rest = text;
    while let Some(equals) = memchr::memchr(b'=', rest) {
        let before = rest.get(..equals).unwrap_or_default().trim_ascii_end();
        let name = before.rsplit(|&byte| byte.is_ascii_whitespace() || byte == b':').next().unwrap_or_default();
        let behind = rest.get(equals + 1..).unwrap_or_default().trim_ascii_start();
        let Some((&quote, value)) = behind.split_first().filter(|(quote, _)| matches!(quote, b'"' | b'\'')) else {
            rest = behind;
            continue;
        };
        let end = memchr::memchr(quote, value).unwrap_or(value.len());
        let field = sink.names.look(name);
        sink.value(field, value.get(..end).unwrap_or_default(), Some(1));
        rest = value.get(end + 1..).unwrap_or_default();
    }
}
