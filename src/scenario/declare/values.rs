//! `[vars]` and `[secrets]`.

use indexmap::IndexMap;

use super::{
    super::{
        diagnostics::{Collector, Diagnostic},
        interpolate, keys,
        names::{Environment, Secret, Var},
        source::{Sources, Span},
        suggest::{did_you_mean, list_of, shown},
        tree::{Entry, Node, Table, Value},
    },
    section::{named, unique_ignoring_case},
};

/// Secrets shorter than this are refused: masking them would mask half of the log.
const SHORTEST_SECRET: usize = 4;

/// `--set NAME=VALUE`, with its place.
#[derive(Debug)]
pub(in crate::scenario) struct SetVar {
    pub(in crate::scenario) name: String,
    pub(in crate::scenario) value: String,
    pub(in crate::scenario) at: Span,
}

pub(super) fn vars(table: Option<&Table>, sources: &Sources, set: &[SetVar], out: &mut Collector) -> IndexMap<String, Var> {
    unique_ignoring_case("variable", table, out);
    let mut all = IndexMap::new();
    for (name, entry) in named("variable", table, out) {
        let value = match &entry.node.value {
            Value::Text(text) => text.clone(),
            // As it is written: 3.10 is no 3.1.
            Value::Integer(_) | Value::Float(_) | Value::Bool(_) => sources.slice(entry.node.span).to_owned(),
            Value::Date | Value::List(_) | Value::Table(_) => {
                out.push(
                    Diagnostic::error(format!("a variable is plain text, not {}", entry.node.what()))
                        .at(entry.node.span, "a text goes here"),
                );
                continue;
            }
        };
        if !interpolate::is_plain(&value) {
            out.push(
                Diagnostic::warning("variables are plain text: what stands in `${…}` here is not filled in")
                    .at(entry.node.span, "taken as it stands")
                    .help("ask for it where the variable is used"),
            );
        }
        all.insert(name.to_owned(), Var { value });
    }
    for SetVar { name, value, at } in set {
        if let Some(var) = all.get_mut(name) {
            var.value.clone_from(value);
            continue;
        }
        let known = all.keys().map(String::as_str);
        let help = did_you_mean(name, known.clone()).unwrap_or_else(|| match all.len() {
            0 => "the scenario has no `[vars]`".into(),
            _ => format!("there are {}", list_of(known).replace(" or ", " and ")),
        });
        let message = format!("`--set` names `{}`, which is no variable of this scenario", shown(name));
        out.push(Diagnostic::error(message).at(*at, "not in `[vars]`").help(help));
    }
    all
}

pub(super) fn secrets(table: Option<&Table>, env: &Environment, out: &mut Collector) -> IndexMap<String, Secret> {
    unique_ignoring_case("secret", table, out);
    named("secret", table, out).into_iter().filter_map(|(name, entry)| Some((name.to_owned(), secret(name, entry, env, out)?))).collect()
}

/// `{ env = "NAME", default = "…" }`
fn secret(name: &str, entry: &Entry, env: &Environment, out: &mut Collector) -> Option<Secret> {
    let at = entry.node.span;
    let Value::Table(fields) = &entry.node.value else {
        out.push(
            Diagnostic::error(format!("a secret is a table, not {}", entry.node.what()))
                .at(at, "a value written here is no secret")
                .help(format!("{name} = {{ env = \"{}\" }}", name.to_uppercase().replace('-', "_"))),
        );
        return None;
    };
    for (key, entry) in fields.iter() {
        if !keys::SECRET.iter().any(|k| k.name == key) {
            let help = did_you_mean(key, keys::SECRET.iter().map(|k| k.name)).unwrap_or_else(|| "there are env and default".into());
            out.push(Diagnostic::error(format!("`{}` is no key of a secret", shown(key))).at(entry.key, "unknown key").help(help));
        }
    }
    let variable = fields.node("env").and_then(|node| variable_name(node, out));
    let default = fields.node("default").and_then(|node| plain_text("default", node, out));
    if let Some(node) = fields.node("default").filter(|_| default.as_ref().is_some_and(|value| value.contains('\0'))) {
        out.push(Diagnostic::error("a secret cannot hold a NUL byte").at(node.span, "no program could be given this"));
    }
    if fields.get("env").is_none() {
        out.push(
            Diagnostic::error(format!("the secret `{name}` has no `env`"))
                .at(at, "where does it come from?")
                .help(format!("{name} = {{ env = \"NAME\" }}; for a value that everybody may see use `[vars]`")),
        );
    }
    let set = variable.as_deref().and_then(|v| env.get(v));
    if set.is_some_and(|v| v.to_str().is_none()) {
        let variable = shown(variable.as_deref().unwrap_or_default());
        out.push(Diagnostic::error(format!("the variable {variable} is not UTF-8")).at(at, "cannot stand in a text"));
    }
    let set = set.and_then(|v| v.to_str()).filter(|v| !v.is_empty()).map(str::to_owned);
    // What the file itself shows is nothing to hide.
    let public = set.is_none() || set == default;
    let value = set.or(default);
    if value.as_ref().is_some_and(|v| v.len() < SHORTEST_SECRET) {
        let from = match variable.as_deref().filter(|_| !public) {
            Some(variable) => format!("the variable {}", shown(variable)),
            None => "its `default`".into(),
        };
        out.push(
            Diagnostic::error(format!("the secret `{name}` is shorter than {SHORTEST_SECRET} bytes"))
                .at(at, format!("its value comes from {from}"))
                .help("so short a text stands everywhere, and masking it would mask half of the log"),
        );
    }
    Some(Secret { env: variable, value, public })
}

/// The name of a variable of the environment.
fn variable_name(node: &Node, out: &mut Collector) -> Option<String> {
    let name = plain_text("env", node, out)?;
    if name.is_empty() || name.contains(['=', '\0']) {
        out.push(Diagnostic::error(format!("`{}` cannot name a variable", shown(&name))).at(node.span, "the name of a variable goes here"));
        return None;
    }
    Some(name)
}

fn plain_text(key: &str, node: &Node, out: &mut Collector) -> Option<String> {
    if let Value::Text(text) = &node.value {
        return Some(text.clone());
    }
    out.push(Diagnostic::error(format!("`{key}` must be a text, not {}", node.what())).at(node.span, "a text goes here"));
    None
}
