//! YAML events to a tree, under the limits of [`super::document`].
//!
//! The parser (`saphyr-parser`, YAML 1.2) gives events and never unfolds an alias; that is done here and paid for out of
//! the budget, node by node, so a document of nested aliases ("billion laughs") ends at the limit. No recursion: depth
//! is a counter. Scalars are read by the core schema (YAML 1.2.2 §10.3.2), keys as they are written (`200:` is `"200"`).
//! The merge key `<<` of YAML 1.1 is honoured, since descriptions use it. Refused: several documents in one file,
//! keys that are no scalars, keys given twice, aliases to an anchor that encloses them.

use super::OpenApiError;
use super::document::{Budget, FIRST_ENTRY_BYTES, MAX_DEPTH, too_deep};
use saphyr_parser::{Event, Marker, Parser, ScalarStyle};
use serde_json::{Map, Value};
use std::collections::HashMap;

/// A collection that is still open.
enum Open {
    Sequence(Vec<Value>),
    Mapping { entries: Map<String, Value>, key: Option<String>, merged: Vec<Value> },
}

/// What an alias refers to, and what it costs to unfold.
struct Anchored {
    value: Value,
    nodes: usize,
    bytes: usize,
}

#[derive(Default)]
struct Builder {
    open: Vec<(Open, usize)>,
    anchors: HashMap<usize, Anchored>,
    root: Option<Value>,
}

/// What went wrong, before it is known where.
enum Trouble {
    Syntax(String),
    Limit(String),
}

pub fn read(text: &str, name: &str) -> Result<Value, OpenApiError> {
    let (budget, mut builder) = (Budget::new(), Builder::default());
    let mut parser = Parser::new_from_str(text);
    let mut documents = 0;
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| {
            let what = error.info().to_owned();
            refusal(name, *error.marker(), Trouble::Syntax(what))
        })?;
        if let Event::DocumentStart(_) = event {
            documents += 1;
            if documents > 1 {
                let what = "the file holds more than one document".to_owned();
                return Err(refusal(name, span.start, Trouble::Syntax(what)));
            }
        }
        builder.event(event, &budget).map_err(|trouble| refusal(name, span.start, trouble))?;
    }
    Ok(builder.root.unwrap_or(Value::Null))
}

fn refusal(name: &str, mark: Marker, trouble: Trouble) -> OpenApiError {
    let (file, line, column) = (name.to_owned(), mark.line(), mark.col() + 1);
    match trouble {
        Trouble::Syntax(what) => OpenApiError::Syntax { file, line, column, format: "YAML", what },
        Trouble::Limit(what) => OpenApiError::Limit { file, line, column, what },
    }
}

impl Builder {
    fn event(&mut self, event: Event<'_>, budget: &Budget) -> Result<(), Trouble> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                budget.take(1, text.len()).map_err(Trouble::Limit)?;
                let is_text_by_tag = tag.is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str");
                if self.expects_key() {
                    self.pay_for_first_entry(budget)?;
                    return self.key(text.into_owned());
                }
                let is_text = style != ScalarStyle::Plain || is_text_by_tag;
                let value = if is_text { Value::String(text.into_owned()) } else { plain_scalar(&text) };
                self.value(value, anchor, budget)
            }
            Event::SequenceStart(anchor, _) => self.open(Open::Sequence(Vec::new()), anchor, budget),
            Event::MappingStart(anchor, _) => {
                let empty = Open::Mapping { entries: Map::new(), key: None, merged: Vec::new() };
                self.open(empty, anchor, budget)
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some((Open::Sequence(list), anchor)) => self.value(Value::Array(list), anchor, budget),
                Some((Open::Mapping { mut entries, merged, .. }, anchor)) => {
                    merge(&mut entries, merged)?;
                    self.value(Value::Object(entries), anchor, budget)
                }
                None => Ok(()),
            },
            Event::Alias(anchor) => self.alias(anchor, budget),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {
                Ok(())
            }
        }
    }

    fn expects_key(&self) -> bool {
        matches!(self.open.last(), Some((Open::Mapping { key: None, .. }, _)))
    }

    /// An object costs most with its first entry.
    fn pay_for_first_entry(&self, budget: &Budget) -> Result<(), Trouble> {
        match self.open.last() {
            Some((Open::Mapping { entries, .. }, _)) if entries.is_empty() => {
                budget.take(0, FIRST_ENTRY_BYTES).map_err(Trouble::Limit)
            }
            _ => Ok(()),
        }
    }

    fn key(&mut self, text: String) -> Result<(), Trouble> {
        if let Some((Open::Mapping { entries, key, .. }, _)) = self.open.last_mut() {
            if entries.contains_key(&text) {
                return Err(Trouble::Syntax(format!("the key `{}` stands twice in one mapping", text.escape_debug())));
            }
            *key = Some(text);
        }
        Ok(())
    }

    fn open(&mut self, collection: Open, anchor: usize, budget: &Budget) -> Result<(), Trouble> {
        if self.expects_key() {
            return Err(Trouble::Syntax("a key that is a mapping or a sequence".to_owned()));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(Trouble::Limit(too_deep()));
        }
        budget.take(1, 0).map_err(Trouble::Limit)?;
        self.open.push((collection, anchor));
        Ok(())
    }

    fn alias(&mut self, anchor: usize, budget: &Budget) -> Result<(), Trouble> {
        // An anchor is known once its node is complete; one that encloses the alias never is.
        let Some(anchored) = self.anchors.get(&anchor) else {
            return Err(Trouble::Syntax("an alias within the node it refers to".to_owned()));
        };
        budget.take(anchored.nodes, anchored.bytes).map_err(Trouble::Limit)?;
        if self.open.len() + depth(&anchored.value) > MAX_DEPTH {
            return Err(Trouble::Limit(too_deep()));
        }
        let value = anchored.value.clone();
        if self.expects_key() {
            return match value {
                Value::String(text) => self.key(text),
                _ => Err(Trouble::Syntax("a key that is an alias to something other than text".to_owned())),
            };
        }
        self.value(value, 0, budget)
    }

    /// Puts a complete value where it belongs.
    fn value(&mut self, value: Value, anchor: usize, budget: &Budget) -> Result<(), Trouble> {
        if anchor > 0 {
            let (nodes, bytes) = size(&value);
            budget.take(nodes, bytes).map_err(Trouble::Limit)?;
            self.anchors.insert(anchor, Anchored { value: value.clone(), nodes, bytes });
        }
        match self.open.last_mut() {
            Some((Open::Sequence(list), _)) => list.push(value),
            Some((Open::Mapping { entries, key, merged }, _)) => match key.take() {
                Some(key) if key == "<<" => merged.push(value),
                Some(key) => drop(entries.insert(key, value)),
                None => return Err(Trouble::Syntax("a key that is a mapping or a sequence".to_owned())),
            },
            None => self.root = Some(value),
        }
        Ok(())
    }
}

/// yaml.org/type/merge.html: what the mapping has itself wins, then the first of the merged.
fn merge(entries: &mut Map<String, Value>, merged: Vec<Value>) -> Result<(), Trouble> {
    for value in merged {
        let sources = match value {
            Value::Array(list) => list,
            single => vec![single],
        };
        for source in sources {
            let Value::Object(source) = source else {
                return Err(Trouble::Syntax("a merge key `<<` whose value is no mapping".to_owned()));
            };
            for (key, value) in source {
                entries.entry(key).or_insert(value);
            }
        }
    }
    Ok(())
}

/// Nodes of a value, and the bytes that it takes beyond what each node has of itself.
fn size(value: &Value) -> (usize, usize) {
    let add = |(nodes, bytes): (usize, usize), (more, larger): (usize, usize)| (nodes + more, bytes + larger);
    match value {
        Value::String(text) => (1, text.len()),
        Value::Array(list) => list.iter().map(size).fold((1, 0), add),
        Value::Object(map) if map.is_empty() => (1, 0),
        Value::Object(map) => {
            map.iter().map(|(key, value)| add((1, key.len()), size(value))).fold((1, FIRST_ENTRY_BYTES), add)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => (1, 0),
    }
}

/// Levels of collections in a value, which the limits keep below [`MAX_DEPTH`].
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// A plain scalar by the core schema.
fn plain_scalar(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_number = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'-' | b'+'));
    if is_number {
        let text = text.strip_prefix('+').unwrap_or(text);
        if let Ok(number) = text.parse::<i64>() {
            return number.into();
        }
        if let Some(number) = text.parse::<f64>().ok().and_then(serde_json::Number::from_f64) {
            return Value::Number(number);
        }
    }
    let unsigned = |prefix| text.strip_prefix(prefix).filter(|digits: &&str| !digits.starts_with('+'));
    let radix = |prefix, radix| unsigned(prefix).and_then(|digits| u64::from_str_radix(digits, radix).ok());
    if let Some(number) = radix("0x", 16).or_else(|| radix("0o", 8)) {
        return number.into();
    }
    Value::String(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tree(text: &str) -> Value {
        read(text, "x").unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn scalars_follow_the_core_schema() {
        let text = "{n: null, e: , t: true, yes: yes, i: 42, s: '42', f: 1.5, v: 1.2.3, d: 2024-01-01, h: 0x1F, o: 0o17, \
            neg: -7, tag: !!str 7, big: 123456789012345678901234567890, e3: 1e3, dash: -x, dot: ., inf: .inf, hp: 0x+1}";
        let expected = json!({"n": null, "e": null, "t": true, "yes": "yes", "i": 42, "s": "42", "f": 1.5, "v": "1.2.3",
            "d": "2024-01-01", "h": 31, "o": 15, "neg": -7, "tag": "7", "big": 1.2345678901234568e29, "e3": 1000.0,
            "dash": "-x", "dot": ".", "inf": ".inf", "hp": "0x+1"});
        assert_eq!(tree(text), expected);
    }

    #[test]
    fn keys_stay_as_they_are_written() {
        assert_eq!(tree("200: a\n'404': b\ntrue: c\n"), json!({"200": "a", "404": "b", "true": "c"}));
    }

    #[test]
    fn aliases_and_merge_keys_are_unfolded() {
        let text = "base: &b {a: 1, b: 2}\nlist: [*b, *b]\nmerged: {<<: *b, b: 3}\nboth: {<<: [{c: 1}, *b], a: 9}\nk: &k x\n*k : 1\n";
        let expected = json!({"base": {"a": 1, "b": 2}, "list": [{"a": 1, "b": 2}, {"a": 1, "b": 2}],
            "merged": {"a": 1, "b": 3}, "both": {"a": 9, "b": 2, "c": 1}, "k": "x", "x": 1});
        assert_eq!(tree(text), expected);
    }

    #[test]
    fn what_is_ambiguous_is_refused() {
        for text in [
            "a: 1\na: 2\n",
            "--- a\n--- b\n",
            "? [a]\n: 1\n",
            "a: &a [*a]\n",
            "a: *b\n",
            "<<: 7\n",
            "a: [\n",
            "\ta: 1\n b",
        ] {
            assert!(read(text, "x").is_err(), "{text:?}");
        }
    }
}
