//! The JSON Schema of a scenario, for editors (`#:schema`), made of the very table of keys that the walker knows.
//!
//! It says what may stand where. What it cannot say (names that must exist, circles, ports with two owners) `check` says.

use serde_json::{Map, Value, json};

use super::keys::{self, Form, Key};

/// The schema, draft 2020-12.
pub fn schema() -> Value {
    let mut root = table(keys::TOP);
    if let Value::Object(fields) = &mut root {
        fields.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
        fields.insert("title".into(), json!("A scenario of e2e-tui"));
        // A base file that others extend may leave its name to them, and an editor sees it alone.
        fields.insert("properties".into(), top());
    }
    root
}

/// The top level: the processes also take the keys of their kinds, the defaults only what every process has.
fn top() -> Value {
    let mut properties = properties(keys::TOP.iter());
    let of_kinds = keys::KIND_KEYS.iter().flat_map(|(_, keys)| keys.iter());
    let process = object(&self::properties(keys::PROCESS.iter().chain(of_kinds)));
    let defaults = keys::PROCESS.iter().filter(|k| !keys::NOT_IN_DEFAULTS.contains(&k.name));
    for (name, mut schema) in
        [("process", json!({ "type": "object", "additionalProperties": process })), ("defaults", object(&self::properties(defaults)))]
    {
        if let (Some(old), Value::Object(new)) = (properties.get(name), &mut schema) {
            new.insert("description".into(), old["description"].clone());
        }
        properties.insert(name.into(), schema);
    }
    Value::Object(properties)
}

fn table(keys: &[Key]) -> Value {
    object(&properties(keys.iter()))
}

fn object(properties: &Map<String, Value>) -> Value {
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

fn properties<'k>(keys: impl Iterator<Item = &'k Key>) -> Map<String, Value> {
    let mut all: Map<String, Value> = Map::new();
    for key in keys {
        let mut schema = form(key.form);
        if let Value::Object(fields) = &mut schema {
            let default = if key.default.is_empty() { String::new() } else { format!(" (default: {})", key.default) };
            fields.insert("description".into(), json!(format!("{}{default}", key.about)));
        }
        // Kinds share names of keys: then either form is right.
        let both = match all.remove(key.name) {
            Some(first) => json!({ "anyOf": [first, schema] }),
            None => schema,
        };
        all.insert(key.name.into(), both);
    }
    all
}

/// A string that comes to the value only when its `${…}` are filled in.
fn filled_in() -> Value {
    json!({ "type": "string", "pattern": "\\$\\{" })
}

fn form(form: Form) -> Value {
    match form {
        Form::Text => json!({ "type": ["string", "number", "boolean"] }),
        Form::String | Form::Plain => json!({ "type": "string" }),
        Form::Name => json!({ "type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$" }),
        Form::Integer => json!({ "anyOf": [{ "type": "integer", "minimum": 0 }, { "type": "string", "pattern": "^[0-9_]+$|\\$\\{" }] }),
        Form::Number => json!({ "anyOf": [{ "type": "number", "minimum": 0 }, { "type": "string", "pattern": "^[0-9_.eE+-]+$|\\$\\{" }] }),
        Form::Bool => json!({ "anyOf": [{ "type": "boolean" }, { "enum": ["true", "false"] }, filled_in()] }),
        Form::Duration => json!({ "type": "string", "pattern": "^\\s*(0|([0-9._]+\\s*(ns|us|µs|ms|s|m|min|h|d)\\s*)+)$|\\$\\{" }),
        Form::Size => json!({ "type": "string", "pattern": "^\\s*(0|([0-9._]+\\s*([kKmMgGtT][iI]?)?[bB]\\s*)+)$|\\$\\{" }),
        Form::Pattern => json!({ "type": "string", "format": "regex" }),
        Form::Choice(words) => json!({ "anyOf": [{ "enum": words }, filled_in()] }),
        Form::List(inner) => json!({ "type": "array", "items": self::form(*inner) }),
        Form::Table(keys) => table(keys),
        Form::Map(inner) => json!({ "type": "object", "additionalProperties": self::form(*inner) }),
        Form::Any(forms) => json!({ "anyOf": forms.iter().map(|f| self::form(*f)).collect::<Vec<_>>() }),
    }
}
