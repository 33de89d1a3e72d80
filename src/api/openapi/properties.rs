//! The names that an operation takes: query parameters, and top-level properties of its bodies.
//!
//! In: the document's tree. Out: the names that are declared, or nothing where the description leaves them open: a schema that
//! allows additional properties, says nothing about them, or lies elsewhere; a parameter that is an object of any names.
//! References are followed in silence: what is wrong with them is no fault of the operation. Bounds: depth, and names in all.

use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Schemas within schemas: references, `allOf` and its kin.
const MAX_DEPTH: usize = 24;
/// Names and steps of one document; past them everything is open.
const MAX_STEPS: usize = 400_000;

/// Names that a part of a description declares; `None` where it leaves them open.
type Names = Option<BTreeSet<String>>;

pub(super) struct Properties<'a> {
    root: &'a Value,
    steps: usize,
}

impl<'a> Properties<'a> {
    pub fn new(root: &'a Value) -> Properties<'a> {
        Properties { root, steps: MAX_STEPS }
    }

    /// Of the bodies that an operation takes, whatever their media type: of 3.x.
    pub fn of_request_body(&mut self, body: &'a Value) -> Names {
        let content = self.followed(body)?.get("content")?.as_object()?;
        let mut names = BTreeSet::new();
        for media in content.values() {
            let schema = self.followed(media)?.get("schema")?;
            names.append(&mut self.of_schema(schema)?);
        }
        Some(names)
    }

    /// Of one schema, where it declares any.
    pub fn of_schema(&mut self, schema: &'a Value) -> Names {
        let mut names = BTreeSet::new();
        self.gather(schema, 0, &mut names)?;
        (!names.is_empty()).then_some(names)
    }

    /// Adds the names; nothing where they are open.
    fn gather(&mut self, schema: &'a Value, depth: usize, names: &mut BTreeSet<String>) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        let schema = self.followed(schema)?.as_object()?;
        let is_open = |key: &str| schema.get(key).is_some_and(|value| *value != Value::Bool(false));
        let is_conditional = ["patternProperties", "propertyNames", "if", "dependentSchemas", "not"];
        if is_open("additionalProperties")
            || is_open("unevaluatedProperties")
            || is_conditional.iter().any(|key| schema.contains_key(*key))
            || schema.get("type").is_some_and(|kind| !is_object(kind))
        {
            return None;
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        for name in properties.into_iter().flat_map(Map::keys) {
            self.step()?;
            names.insert(name.clone());
        }
        let discriminator = schema.get("discriminator");
        // Text in 2.0, an object later.
        let named = discriminator.and_then(|value| value.as_str().or_else(|| value.get("propertyName")?.as_str()));
        names.extend(named.map(str::to_owned));
        for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            self.gather(part, depth + 1, names)?;
        }
        for key in ["oneOf", "anyOf"] {
            for alternative in schema.get(key).and_then(Value::as_array).into_iter().flatten() {
                let before = names.len();
                self.gather(alternative, depth + 1, names)?;
                // One that declares nothing takes anything, unless it only says what of the others is required.
                if names.len() == before && properties.is_none() {
                    return None;
                }
            }
        }
        Some(())
    }

    /// The value itself, or what it refers to.
    pub fn followed(&mut self, value: &'a Value) -> Option<&'a Value> {
        let mut value = value;
        for _ in 0..MAX_DEPTH {
            self.step()?;
            let Some(reference) = value.get("$ref").and_then(Value::as_str) else { return Some(value) };
            value = self.root.pointer(&super::operations::decoded(reference.strip_prefix('#')?))?;
        }
        None
    }

    fn step(&mut self) -> Option<()> {
        self.steps = self.steps.checked_sub(1)?;
        Some(())
    }
}

fn is_object(kind: &Value) -> bool {
    kind == "object" || kind.as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "object"))
}

/// Whether a query parameter takes names of its own: an object that is written out (3.x `style: form`, which explodes by
/// itself), or the whole query (3.2).
pub(super) fn is_free(parameter: &Value, schema: Option<&Value>) -> bool {
    let text = |key| parameter.get(key).and_then(Value::as_str);
    let is_written_out = parameter.get("explode").and_then(Value::as_bool).unwrap_or(true)
        && text("style").unwrap_or("form") == "form"
        && schema.is_some_and(|schema| {
            schema.get("type").is_some_and(is_object)
                || ["properties", "allOf", "oneOf", "anyOf"].iter().any(|key| schema.get(key).is_some())
        });
    text("in") == Some("querystring") || is_written_out && text("in") == Some("query")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn names(root: &Value, schema: &Value) -> Option<String> {
        let found = Properties::new(root).of_schema(schema)?;
        Some(found.into_iter().collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn what_is_declared_is_put_together_and_what_is_open_is_open() {
        let root = json!({"components": {"schemas": {
            "A": {"type": "object", "properties": {"a": {}, "b": {}}},
            "B": {"allOf": [{"$ref": "#/components/schemas/A"}, {"properties": {"c": {}}}, {"required": ["a"]}]},
            "Free": {"type": "object", "properties": {"a": {}}, "additionalProperties": true},
            "Loop": {"allOf": [{"$ref": "#/components/schemas/Loop"}]},
        }}});
        let of = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
        for (schema, expected) in [
            (of("A"), Some("a b")),
            (of("B"), Some("a b c")),
            (json!({"oneOf": [of("A"), {"properties": {"d": {}}}]}), Some("a b d")),
            (json!({"properties": {"a": {}}, "anyOf": [{"required": ["a"]}]}), Some("a")),
            (json!({"properties": {"a": {}}, "additionalProperties": false}), Some("a")),
            (json!({"oneOf": [of("A"), {"type": "object"}]}), None),
            (of("Free"), None),
            (of("Loop"), None),
            (of("Missing"), None),
            (json!({"$ref": "other.yaml#/A"}), None),
            (json!({"type": "object"}), None),
            (json!({"type": "array", "items": of("A")}), None),
            (json!({"properties": {"a": {}}, "additionalProperties": {"type": "string"}}), None),
            (json!(true), None),
        ] {
            assert_eq!(names(&root, &schema).as_deref(), expected, "{schema}");
        }
    }

    #[test]
    fn an_object_that_is_written_out_takes_any_name() {
        let object = json!({"type": "object"});
        assert!(is_free(&json!({"in": "query", "name": "filter"}), Some(&object)));
        assert!(is_free(&json!({"in": "querystring", "name": "all"}), None));
        assert!(!is_free(&json!({"in": "query", "name": "filter", "style": "deepObject"}), Some(&object)));
        assert!(!is_free(&json!({"in": "query", "name": "page"}), Some(&json!({"type": "integer"}))));
    }
}
