//! Where the format walkers hand in what they find: names, values, records.

use super::Role;
use super::block::Summary;
use super::field::Hint;
use super::names::{Field, FieldCache};
use super::object::NamedObject;
use super::paging::rows_in;
use super::report::Tally;
use super::value;
use super::verdict::{Login, Outcome, said_in};
use crate::hash::{HashKey, mix};

/// JSON keys this deep or less speak for the whole response.
const OUTCOME_DEPTH: u32 = 2;
/// What a request says of who sends it, and of what it is for, lies this deep or less: GraphQL puts it at `variables.input`.
pub(super) const ASKING_DEPTH: u32 = 4;
/// Longest name of a field that is told of, and all of them together, in bytes.
const MEMBER_BYTES: usize = 64;
const MEMBERS_BYTES: usize = 2048;
/// Digits of an unquoted number that is looked at without a promise: a card number has more.
const LONG_NUMBER: usize = 12;
/// Longest unquoted scalar that is looked at, in bytes.
pub(super) const SCALAR_BYTES: usize = 40;

pub(super) struct Sink {
    key: HashKey,
    pub role: Role,
    pub tally: Tally,
    pub login: Login,
    pub outcome: Outcome,
    /// Text made plain.
    scratch: String,
    pub names: FieldCache,
    /// Fingerprint so far.
    pub shape: u64,
    /// Rows so far; also the number of the row that values belong to.
    pub records: u64,
    /// Names of a request's top-level fields, a zero byte behind each.
    pub members: Vec<u8>,
    /// What a request asks for.
    pub object: Option<NamedObject>,
    /// The largest page that a request asks for, in rows.
    pub page_size: Option<u64>,
    /// It says that it is of JSON-RPC.
    pub is_rpc: bool,
    /// Something was passed over at a limit.
    pub is_cut: bool,
    /// Hints that always deserve a look in this role.
    forced: Hint,
}

impl Sink {
    pub fn new(key: HashKey, max_distinct: usize) -> Sink {
        Sink {
            key,
            role: Role::Request,
            tally: Tally::new(key, max_distinct),
            login: Login::default(),
            outcome: Outcome::default(),
            scratch: String::new(),
            names: FieldCache::new(),
            shape: 0,
            records: 0,
            members: Vec::new(),
            object: None,
            page_size: None,
            is_rpc: false,
            is_cut: false,
            forced: Hint::NONE,
        }
    }

    pub fn begin(&mut self, role: Role) {
        self.role = role;
        self.tally.clear();
        self.login = Login::default();
        self.outcome = Outcome::default();
        self.shape = 0;
        self.records = 0;
        self.members.clear();
        (self.object, self.page_size) = (None, None);
        (self.is_rpc, self.is_cut) = (false, false);
        let secrets = Hint::HASH.with(Hint::API_KEY);
        self.forced = match role {
            Role::Request => Hint::LOGIN.with(Hint::OBJECT).with(Hint::PAGE_SIZE).with(secrets),
            Role::Response => Hint::OUTCOME.with(Hint::TOKEN).with(Hint::PASSWORD).with(secrets),
        };
    }

    /// The name of a top-level field.
    #[inline]
    pub fn member(&mut self, name: &[u8]) {
        self.is_rpc |= name == b"jsonrpc";
        let name = name.get(..name.len().min(MEMBER_BYTES)).unwrap_or_default();
        if self.role == Role::Request && self.members.len() + name.len() < MEMBERS_BYTES {
            self.members.extend(name.iter().map(|byte| if *byte == 0 { b' ' } else { *byte }));
            self.members.push(0);
        }
    }

    /// Whether values under this hint are to be handed in whatever they look like.
    #[inline(always)]
    pub fn forces(&self, hint: Hint) -> bool {
        hint.any(self.forced)
    }

    /// Whether unquoted scalars under this hint are to be handed in.
    #[inline(always)]
    pub fn wants_scalar(&self, hint: Hint) -> bool {
        hint.any(self.forced.with(Hint::PERSONAL))
    }

    /// A string value, unescaped. `depth` is that of the object it is in, if it speaks of the whole body.
    pub fn value(&mut self, field: Field, value: &[u8], depth: Option<u32>) {
        self.say(field, value, depth);
        if let Some(seen) = value::worth_a_look(value, field.hint) {
            self.look(value, &seen, field.hint);
        }
    }

    /// What a string value says of a login or its outcome.
    #[inline]
    pub fn say(&mut self, field: Field, value: &[u8], depth: Option<u32>) {
        let hint = field.hint;
        if let Some(depth) = depth.filter(|_| self.forces(hint)) {
            match self.role {
                Role::Request if depth <= ASKING_DEPTH => self.asked(hint, value),
                Role::Request => {}
                Role::Response => self.outcome.text(hint, value, depth <= OUTCOME_DEPTH, &mut self.scratch),
            }
        }
    }

    /// A value of a request that says who sends it, or what it is for.
    fn asked(&mut self, hint: Hint, value: &[u8]) {
        self.login.field(hint, value, &self.key);
        if hint.any(Hint::OBJECT) {
            self.object = NamedObject::with(self.object, value, &self.key);
        }
        if hint.any(Hint::PAGE_SIZE) {
            self.page_size = self.page_size.max(rows_in(value.trim_ascii()));
        }
    }

    /// A string value within a list that may tell of errors.
    pub fn listed(&mut self, field: Field, value: &[u8]) {
        if self.role == Role::Response {
            self.outcome.message(field.hint, value, &mut self.scratch);
        }
    }

    /// An unquoted scalar.
    pub fn scalar(&mut self, field: Field, value: &[u8], depth: Option<u32>) {
        if value.len() > SCALAR_BYTES {
            return;
        }
        let hint = field.hint;
        if let Some(depth) = depth.filter(|_| self.forces(hint)) {
            match self.role {
                Role::Request if depth <= ASKING_DEPTH && value.first().is_some_and(u8::is_ascii_digit) => {
                    self.asked(hint, value)
                }
                Role::Request => {}
                Role::Response => self.outcome.literal(hint, value, depth <= OUTCOME_DEPTH),
            }
        }
        let enough = value.len() >= LONG_NUMBER || hint.any(Hint::PERSONAL);
        if enough && value::is_long_number(value) {
            let seen = Summary { digits: value.len() as u32, ..Summary::default() }; // at most SCALAR_BYTES
            self.look(value, &seen, hint);
        }
    }

    /// Text that is shown to a person: it may say that a login was refused.
    pub fn shown(&mut self, text: &[u8]) {
        if self.role == Role::Response {
            self.outcome.said(said_in(text, &mut self.scratch));
        }
    }

    /// A fault in place of what was asked for.
    pub fn fault(&mut self) {
        if self.role == Role::Response {
            self.outcome.error();
        }
    }

    /// Text that is the value of no field.
    pub fn text(&mut self, text: &[u8]) {
        if let Some(seen) = value::worth_a_look(text, Hint::NONE) {
            self.look(text, &seen, Hint::NONE);
        }
    }

    /// Searches text that is worth it.
    #[cold]
    #[inline(never)]
    pub fn look(&mut self, text: &[u8], seen: &Summary, hint: Hint) {
        let (tally, record, response) = (&mut self.tally, self.records, self.role == Role::Response);
        value::scan(text, seen, hint, response, &mut |class, range| tally.add(class, text, range, record));
    }

    /// Mixes a name into the fingerprint; the order does not matter.
    #[inline(always)]
    pub fn shape_member(&mut self, name: u64) {
        self.shape = self.shape.wrapping_add(mix(name));
    }

    /// Mixes something into the fingerprint; the order matters.
    pub fn shape_next(&mut self, what: u64) {
        self.shape = mix(self.shape.rotate_left(7) ^ what);
    }
}
