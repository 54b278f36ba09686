//! The schema and the walker take the same: of each key in each place, values of every type are shown to both.

use serde_json::Value;

use super::{
    BUNDLED, Environment, Located, Overrides,
    keys::{self, Key},
    load, schema,
};

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
            all.iter().all(|(key, value)| match (fields.get("properties").and_then(|p| p.get(key)), fields.get("additionalProperties")) {
                (Some(known), _) => accepts(known, value),
                (None, Some(Value::Bool(more))) => *more,
                (None, Some(more)) => accepts(more, value),
                (None, None) => true,
            })
        }),
        "description" | "$schema" | "title" | "format" => true,
        other => panic!("{other} is not understood"),
    })
}

fn json_of(text: &str) -> Value {
    serde_json::to_value(text.parse::<toml::Table>().unwrap_or_else(|error| panic!("{error}\n{text}"))).expect("plain data")
}

/// What is said of the last line of a scenario: errors alone.
fn said_of(line: usize, text: &str) -> Vec<String> {
    let overrides = Overrides { env: Environment::of([("a", "long enough"), ("x", "long enough")]), ..Overrides::default() };
    let Err(said) = load(&Located::text("x.toml", "/", text), &overrides) else { return Vec::new() };
    let all = said.to_json();
    let here = all.as_array().expect("a list").iter().filter(|one| {
        one["severity"] == "error"
            && one["places"].as_array().is_some_and(|places| places.iter().any(|p| p["primary"] == true && p["line"] == line))
    });
    here.map(|one| one["message"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn the_schema_accepts_what_ships_and_refuses_what_the_walker_refuses() {
    let schema = schema();
    for bundled in BUNDLED {
        assert!(accepts(&schema, &json_of(bundled.text)), "{}", bundled.name);
    }
    let with = |line: &str| accepts(&schema, &json_of(&format!("name = \"x\"\n[process.a]\ncommand = [\"true\"]\n{line}\n")));
    assert!(with("stop = { grace = \"5s\" }") && with("timeout = \"${vars.t}\"") && with("replicas = \"3\"") && with("depends_on = \"a\""));
    assert!(!with("stop = { grace = 5 }") && !with("comand = [\"x\"]") && !with("role = \"tset\"") && !with("limits = { memory = 5 }"));
}

/// A table of the language: what stands before a key in it, and which keys it has.
struct Place {
    before: &'static str,
    keys: Vec<Key>,
    /// What a key needs beside it to mean anything.
    beside: fn(&str) -> &'static str,
}

fn place(before: &'static str, keys: &[Key], beside: fn(&str) -> &'static str) -> Place {
    Place { before, keys: keys.to_vec(), beside }
}

const RUNS: &str = "name = 'x'\n[process.a]\ncommand = ['true']\n";

fn nothing(_: &str) -> &'static str {
    ""
}

fn of_a_probe(key: &str) -> &'static str {
    match key {
        "log" | "http" | "tcp" | "exec" | "stdio" => "",
        "method" | "headers" | "body" | "expect" | "expect_body" | "degraded" => "http = 'http://127.0.0.1/'\n",
        _ => "tcp = 5\n",
    }
}

fn places() -> Vec<Place> {
    let own = |kind: &str| keys::of_kind(kind).to_vec();
    let in_defaults: Vec<Key> = keys::PROCESS.iter().filter(|key| !keys::NOT_IN_DEFAULTS.contains(&key.name)).copied().collect();
    vec![
        place("[secrets.s]\n", keys::SECRET, |key| if key == "env" { "" } else { "env = 'a'\n" }),
        place("[ports.p]\n", keys::PORT, |key| match key {
            "from" => "to = 9\n",
            "to" => "from = 1\n",
            _ => "",
        }),
        place("[recording]\n", keys::RECORDING, nothing),
        place("[[cleanup]]\n", keys::CLEANUP, nothing),
        place("[process.b]\n", keys::PROCESS, |key| if ["command", "shell", "kind"].contains(&key) { "" } else { "command = ['true']\n" }),
        Place { before: "[defaults]\n", keys: in_defaults, beside: nothing },
        place("[process.a.files.f]\n", keys::FILE, nothing),
        place("[process.a.ready]\n", keys::READY, of_a_probe),
        place("[process.a.health]\n", keys::HEALTH, of_a_probe),
        place(
            "stdin = 'pipe'\n[process.a.ready.stdio]\n",
            keys::STDIO,
            |key| if key == "send" { "expect = 'x'\n" } else { "send = 'x'\n" },
        ),
        place("[process.a.restart]\n", keys::RESTART, nothing),
        place("[process.a.stop]\n", keys::STOP, nothing),
        place("[process.a.limits]\n", keys::LIMITS, nothing),
        place("[process.a.log]\n", keys::LOG, nothing),
        place("[[expect]]\n", keys::EXPECT, |key| match key {
            "must_see" | "must_not_see" | "metric" => "process = 'a'\n",
            "p50" | "p95" | "p99" | "max" => "process = 'a'\nmetric = '(x)'\n",
            _ => "must_see = 'x'\n",
        }),
        place("[[step]]\n", keys::STEP, |key| if key == "note" { "" } else { "note = 'x'\n" }),
        place("[[step]]\nnote = 'x'\n[step.when]\n", keys::WHEN, |key| match key {
            "is" => "process = 'a'\n",
            "process" => "is = 'ready'\n",
            "matches" => "log = 'a'\n",
            "log" => "matches = 'x'\n",
            _ => "",
        }),
        place("[[step]]\n[step.do]\n", keys::DO, nothing),
        place("[[step]]\n[step.do.signal]\n", keys::DO_SIGNAL, |key| if key == "name" { "process = 'a'\n" } else { "name = 'HUP'\n" }),
        place("[[step]]\n[step.do.send]\n", keys::DO_SEND, |key| if key == "text" { "process = 'a'\n" } else { "text = 'x'\n" }),
        place("[[step]]\n[step.do.fault]\n", keys::DO_FAULT, |key| if key == "kind" { "at = 'a'\n" } else { "kind = 'none'\n" }),
        Place {
            before: "[process.b]\nkind = 'shadowcat'\n",
            keys: own("shadowcat"),
            beside: |key| if key == "mode" { "" } else { "mode = 'stdio'\n" },
        },
        Place { before: "[process.b]\nkind = 'mcp-validator'\n", keys: own("mcp-validator"), beside: nothing },
        Place { before: "[process.b]\nkind = 'mock-upstream'\n", keys: own("mock-upstream"), beside: nothing },
        Place {
            before: "[process.b]\nkind = 'test-client'\n",
            keys: own("test-client"),
            beside: |key| match key {
                "target" => "",
                "argv" => "target = 'stdio'\n",
                _ => "target = 'http://127.0.0.1/mcp'\n",
            },
        },
    ]
}

/// Values of every type, and texts of every form.
const VALUES: &[&str] = &[
    "'x'",
    "'5'",
    "'0.5'",
    "'true'",
    "'5s'",
    "'5MB'",
    "'TERM'",
    "200",
    "0.5",
    "-1",
    "true",
    "[]",
    "['x']",
    "[5]",
    "[true]",
    "[[]]",
    "[['x']]",
    "[{}]",
    "{}",
    "{ a = 'x' }",
    "{ a = 5 }",
    "{ a = [] }",
    "{ a = {} }",
    "{ a = 'ready' }",
];

/// What the walker says of a value that has the right type and is still not right.
const OF_MEANING: &[&str] = &[
    "must be at ",
    "must be from ",
    "must be more than nothing",
    "must be a comparison",
    "must be an address",
    "must be a URL",
    "must be a number of calls",
    "must be known before",
];

/// Of a value that both refuse or both take there is nothing to say.
fn compare(schema: &Value, text: &str, line: usize) -> Option<String> {
    let said = said_of(line, text);
    let by_form = said.iter().find(|message| {
        let form = ["must be", "is no key of", "cannot be `", "has no unit", "is a table, not", "is plain text"];
        form.iter().any(|form| message.contains(form)) && !OF_MEANING.iter().any(|meaning| message.contains(meaning))
    });
    match (accepts(schema, &json_of(text)), by_form, said.is_empty()) {
        (true, Some(message), _) => Some(format!("the schema takes what the walker refuses:\n{text}{message}\n")),
        (false, _, true) => Some(format!("the walker takes what the schema refuses:\n{text}")),
        _ => None,
    }
}

#[test]
fn every_key_takes_the_same_values_in_the_schema_and_in_the_walker() {
    let schema = schema();
    let mut differ = Vec::new();
    for place in places() {
        let unknown = Key { name: "no-such-key", ..place.keys[0] };
        for key in place.keys.iter().chain([&unknown]) {
            // One key of two probes: a schema cannot tell which of them stands beside it.
            let of_two = key.name == "expect" && place.keys.iter().any(|key| key.name == "stdio");
            for value in VALUES.iter().filter(|value| !(of_two && value.starts_with('\''))) {
                let text = format!("{RUNS}{}{}{} = {value}\n", place.before, (place.beside)(key.name), key.name);
                differ.extend(compare(&schema, &text, text.lines().count()));
            }
        }
    }
    for key in keys::TOP {
        for value in VALUES {
            let rest = match key.name {
                "name" => "[process.a]\ncommand = ['true']\n",
                "process" => "name = 'x'\n",
                _ => RUNS,
            };
            differ.extend(compare(&schema, &format!("{} = {value}\n{rest}", key.name), 1));
        }
    }
    assert!(differ.is_empty(), "{}\n{} differ", differ.iter().take(30).cloned().collect::<String>(), differ.len());
}
