//! The text of a description as a tree, under limits.
//!
//! JSON is read by `serde_json`, everything else as YAML ([`super::yaml`]). Both count what they build in a [`Budget`],
//! so that neither a document of a million brackets nor one whose aliases unfold a billionfold costs more than the
//! limits allow. A key that stands twice in an object is refused: one of two operations would be lost unseen.

use super::{OpenApiError, yaml};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::cell::Cell;

/// Values and keys of a document, aliases unfolded: what bounds the time. Descriptions have a value or key in every
/// twenty bytes when they are indented; a million is one of 20 MiB.
pub const MAX_NODES: usize = 1_000_000;
/// Memory of the tree, estimated: what a document of a million empty objects must not use up.
pub const MAX_TREE_BYTES: usize = 256 << 20;
/// Depth of nesting. Real schemas stay below thirty; `serde_json` itself refuses at 128.
pub const MAX_DEPTH: usize = 100;

/// What an entry takes that is the first of its object: `BTreeMap` makes a leaf for eleven at once.
pub const FIRST_ENTRY_BYTES: usize = 640;
/// What a value or a key takes besides its text: itself and the allocation of its text.
const NODE_BYTES: usize = 64;

/// What may still be built.
#[derive(Debug)]
pub struct Budget {
    nodes: Cell<usize>,
    bytes: Cell<usize>,
}

impl Budget {
    pub fn new() -> Budget {
        Budget { nodes: Cell::new(MAX_NODES), bytes: Cell::new(MAX_TREE_BYTES) }
    }

    /// Takes nodes, and bytes beyond what each node has of itself; says which limit was met.
    pub fn take(&self, nodes: usize, bytes: usize) -> Result<(), String> {
        let left = self.nodes.get().checked_sub(nodes).ok_or_else(|| format!("more than {MAX_NODES} values"))?;
        self.nodes.set(left);
        let bytes = bytes.saturating_add(nodes.saturating_mul(NODE_BYTES));
        let refusal = || format!("more than {} MiB in memory", MAX_TREE_BYTES >> 20);
        self.bytes.set(self.bytes.get().checked_sub(bytes).ok_or_else(refusal)?);
        Ok(())
    }
}

/// A document and the text it was read from.
#[derive(Debug)]
pub struct Document<'a> {
    pub root: Value,
    pub text: &'a str,
    pub is_json: bool,
}

pub fn read<'a>(bytes: &'a [u8], name: &str) -> Result<Document<'a>, OpenApiError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = String::from_utf8_lossy(bytes.get(..error.valid_up_to()).unwrap_or_default());
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        let what = "a byte that is not UTF-8".to_owned();
        OpenApiError::Syntax { file: name.to_owned(), line, column, format: "UTF-8", what }
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(OpenApiError::NotOpenApi { file: name.to_owned(), what: "the file is empty".to_owned() });
    }
    if !text.trim_start().starts_with(['{', '[']) {
        return yaml::read(text, name).map(|root| Document { root, text, is_json: false });
    }
    match read_json(text, name) {
        Ok(root) => Ok(Document { root, text, is_json: true }),
        // YAML may start with a brace as well, but who names a file .json means JSON.
        Err(OpenApiError::Syntax { .. }) if name.ends_with(".yaml") || name.ends_with(".yml") => {
            yaml::read(text, name).map(|root| Document { root, text, is_json: false })
        }
        Err(error) => Err(error),
    }
}

/// Marks messages of our own limits among those of `serde_json`.
const LIMIT: &str = "limit: ";

fn read_json(text: &str, name: &str) -> Result<Value, OpenApiError> {
    let budget = Budget::new();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Node { budget: &budget, depth: 0 }.deserialize(&mut deserializer);
    value.and_then(|value| deserializer.end().map(|()| value)).map_err(|error| {
        let (file, line, column) = (name.to_owned(), error.line(), error.column());
        let message = error.to_string();
        // serde_json puts the place at the end of its own message.
        let what = message.split(" at line ").next().unwrap_or_default().to_owned();
        match what.strip_prefix(LIMIT) {
            Some(what) => OpenApiError::Limit { file, line, column, what: what.to_owned() },
            None if what == "recursion limit exceeded" => OpenApiError::Limit { file, line, column, what: too_deep() },
            None => OpenApiError::Syntax { file, line, column, format: "JSON", what },
        }
    })
}

pub fn too_deep() -> String {
    format!("nested more than {MAX_DEPTH} deep")
}

/// Reads one value and counts it.
struct Node<'a> {
    budget: &'a Budget,
    depth: usize,
}

impl Node<'_> {
    fn counted<E: Error>(&self, value: Value, text: usize) -> Result<Value, E> {
        self.take(1, text)?;
        Ok(value)
    }

    fn take<E: Error>(&self, nodes: usize, text: usize) -> Result<(), E> {
        self.budget.take(nodes, text).map_err(|what| E::custom(format_args!("{LIMIT}{what}")))
    }

    fn child<E: Error>(&self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            return Err(E::custom(format_args!("{LIMIT}{}", too_deep())));
        }
        Ok(Node { budget: self.budget, depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        self.counted(Value::Bool(value), 0)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        self.counted(value.into(), 0)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        self.counted(value.into(), 0)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        self.counted(value.into(), 0)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.counted(value.into(), value.len())
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.counted(Value::Null, 0)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        self.take(1, 0)?;
        let mut list = Vec::new();
        while let Some(element) = elements.next_element_seed(self.child()?)? {
            list.push(element);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        self.take(1, 0)?;
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            self.take(1, key.len() + if map.is_empty() { FIRST_ENTRY_BYTES } else { 0 })?;
            if map.contains_key(&key) {
                return Err(A::Error::custom(format_args!(
                    "the key `{}` stands twice in one object",
                    key.escape_debug()
                )));
            }
            let value = entries.next_value_seed(self.child()?)?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}
