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
        Form::Text | Form::Plain => json!({ "type": ["string", "number", "boolean"] }),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{BUNDLED, Environment, Located, Overrides, load};

    /// What the schema's own words mean, as far as it uses them.
    fn accepts(schema: &Value, value: &Value) -> bool {
        let one_of_types = |types: &Value| {
            let is = |name: &Value| match name.as_str() {
                Some("string") => value.is_string(),
                Some("number") => value.is_number(),
                Some("integer") => value.is_i64() || value.is_u64(),
                Some("boolean") => value.is_boolean(),
                Some("array") => value.is_array(),
                Some("object") => value.is_object(),
                other => panic!("{other:?} is not in the schema"),
            };
            types.as_array().map_or_else(|| is(types), |all| all.iter().any(is))
        };
        let fields = schema.as_object().expect("a schema is an object");
        fields.iter().all(|(word, rule)| match word.as_str() {
            "type" => one_of_types(rule),
            "enum" => rule.as_array().expect("a list").contains(value),
            "anyOf" => rule.as_array().expect("a list").iter().any(|one| accepts(one, value)),
            "pattern" => value.as_str().is_some_and(|t| regex::Regex::new(rule.as_str().expect("a text")).expect("a regex").is_match(t)),
            "minimum" => value.as_f64() >= rule.as_f64(),
            "items" => value.as_array().is_none_or(|all| all.iter().all(|one| accepts(rule, one))),
            "properties" | "additionalProperties" => value.as_object().is_none_or(|all| {
                all.iter().all(|(key, value)| {
                    match (fields.get("properties").and_then(|p| p.get(key)), fields.get("additionalProperties")) {
                        (Some(known), _) => accepts(known, value),
                        (None, Some(Value::Bool(more))) => *more,
                        (None, Some(more)) => accepts(more, value),
                        (None, None) => true,
                    }
                })
            }),
            "description" | "$schema" | "title" | "format" => true,
            other => panic!("{other} is not understood"),
        })
    }

    fn json_of(text: &str) -> Value {
        serde_json::to_value(text.parse::<toml::Table>().expect("TOML")).expect("plain data")
    }

    #[test]
    fn the_schema_accepts_what_ships_and_refuses_what_the_walker_refuses() {
        let schema = schema();
        for bundled in BUNDLED {
            assert!(accepts(&schema, &json_of(bundled.text)), "{}", bundled.name);
        }
        let with = |line: &str| accepts(&schema, &json_of(&format!("name = \"x\"\n[process.a]\ncommand = [\"true\"]\n{line}\n")));
        assert!(
            with("stop = { grace = \"5s\" }") && with("timeout = \"${vars.t}\"") && with("replicas = \"3\"") && with("depends_on = \"a\"")
        );
        assert!(!with("stop = { grace = 5 }") && !with("comand = [\"x\"]") && !with("role = \"tset\"") && !with("limits = { memory = 5 }"));
    }

    /// A value of that form, as TOML.
    fn sample(form: Form) -> String {
        match form {
            Form::Text | Form::Plain => "\"x\"".into(),
            Form::Name => "\"a\"".into(),
            Form::Integer => "200".into(),
            Form::Number => "0.5".into(),
            Form::Bool => "true".into(),
            Form::Duration => "\"5s\"".into(),
            Form::Size => "\"5MB\"".into(),
            Form::Pattern => "'(x)'".into(),
            Form::Choice(words) => format!("\"{}\"", words[0]),
            Form::List(inner) => format!("[{}]", sample(*inner)),
            Form::Map(inner) => format!("{{ a = {} }}", sample(*inner)),
            Form::Table(keys) => {
                let fields: Vec<_> = keys.iter().map(|k| format!("{} = {}", k.name, sample(k.form))).collect();
                format!("{{ {} }}", fields.join(", "))
            }
            Form::Any(forms) => sample(forms[0]),
        }
    }

    #[test]
    fn every_key_of_the_table_is_read_by_the_walker_in_the_form_that_the_table_gives() {
        let check = |text: &str| {
            assert!(accepts(&schema(), &json_of(text)), "the schema refuses {text}");
            let overrides = Overrides { env: Environment::of([("a", "long enough"), ("x", "long enough")]), ..Overrides::default() };
            let Err(said) = load(&Located::text("x.toml", "/", text), &overrides) else { return };
            // Samples need not make sense together; but they must be of the right type, and known.
            let wrong: Vec<_> =
                said.iter().filter(|d| d.message().contains("must be a table") || d.message().contains("is no key of")).collect();
            assert!(wrong.is_empty(), "{text}\n{wrong:?}");
        };
        for key in keys::TOP.iter().filter(|k| !["process", "defaults", "extends"].contains(&k.name)) {
            let name = if key.name == "name" { "" } else { "name = \"x\"\n" };
            check(&format!("{name}{} = {}\n[process.a]\ncommand = [\"true\"]\n", key.name, sample(key.form)));
        }
        for key in keys::PROCESS {
            check(&format!("name = \"x\"\n[process.a]\n{} = {}\n", key.name, sample(key.form)));
        }
        for (kind, own) in keys::KIND_KEYS {
            for key in *own {
                check(&format!("name = \"x\"\n[process.a]\nkind = \"{kind}\"\n{} = {}\n", key.name, sample(key.form)));
            }
        }
    }
}
