//! Overrides from the environment: `APITAP_SECTION__KEY` stands for a key, `APITAP_ALERT__SYSLOG__ADDRESS` for one of a
//! table within a table.
//!
//! Variables in, one layer of configuration out. A value is read as the type of the key that it overrides; lists are
//! separated by commas, or written as in TOML where a comma is part of a name. Refused: names that are no key (a double
//! underscore is what makes a variable an override), values of another type.

use super::{ConfigError, DEFAULT_TEXT, leaves};
use crate::rule::{Source, did_you_mean};
use std::collections::BTreeMap;
use std::ffi::OsString;
use toml::{Table, Value};

const PREFIX: &str = "APITAP_";

pub(super) fn overrides(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Source, ConfigError> {
    let embedded: Table = toml::from_str(DEFAULT_TEXT).unwrap_or_default(); // valid, as a test shows
    let known: BTreeMap<String, (String, &Value)> =
        leaves(&embedded).into_iter().map(|(key, value)| (variable_of(&key), (key, value))).collect();
    let mut found = BTreeMap::new();
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
        let refuse = |message: String| ConfigError::Variable { variable: name.to_owned(), message };
        let Some((key, default)) = known.get(name) else {
            let is_meant = name.contains("__") || known.keys().any(|known| known.replace("__", "_") == name);
            if !is_meant {
                continue; // somebody else's
            }
            let hint = did_you_mean(name, known.keys().map(String::as_str));
            return Err(refuse(format!("no key of the configuration has this variable{hint}")));
        };
        let value = value.to_str().ok_or_else(|| refuse("is not UTF-8".to_owned()))?;
        let value = value_like(default, value).map_err(refuse)?;
        found.insert(name.to_owned(), format!("{key} = {value}"));
    }
    Ok(Source::of_environment(found))
}

fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").to_uppercase())
}

/// A value of the same type as the default's.
fn value_like(default: &Value, text: &str) -> Result<Value, String> {
    Ok(match default {
        Value::Integer(_) => Value::Integer(text.trim().parse().map_err(|_| format!("`{text}` is no whole number"))?),
        Value::Boolean(_) => match text.trim() {
            "true" => Value::Boolean(true),
            "false" => Value::Boolean(false),
            _ => return Err(format!("`{text}` is neither `true` nor `false`")),
        },
        Value::Array(_) if text.trim_start().starts_with('[') => {
            let table: Result<Table, _> = toml::from_str(&format!("list = {text}"));
            let list = table.ok().and_then(|mut table| table.remove("list")).filter(Value::is_array);
            list.ok_or_else(|| format!("`{text}` is no list; write a,b or [\"a\", \"b\"]"))?
        }
        Value::Array(default) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            match default.first() {
                Some(number @ Value::Integer(_)) => {
                    Value::Array(items.map(|item| value_like(number, item)).collect::<Result<_, _>>()?)
                }
                _ => Value::Array(items.map(|item| Value::String(item.to_owned())).collect()),
            }
        }
        _ => Value::String(text.to_owned()),
    })
}
