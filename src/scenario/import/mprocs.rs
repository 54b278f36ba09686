//! `mprocs.yaml`: `procs`, each a shell line or a table.

use std::path::Path;

use serde_json::Value;

use super::{
    draft::{Draft, Process},
    phrase::{Phrase, key, list, phrases, quoted, table},
    yaml::{Mapping, environment, others, text},
};

/// Keys of a process that have their place in a scenario.
const KNOWN: &[&str] = &["shell", "cmd", "cwd", "env", "add_path", "autostart", "autorestart", "stop"];
/// Keys of the file that mean nothing without its own screen.
const OF_ITS_SCREEN: &[&str] = &["hide_keymap_window", "mouse_scroll_speed", "proc_list_width", "proc_list_title", "scrollback"];
/// What it writes for the folder of its file.
const CONFIG_DIR: &str = "<CONFIG_DIR>";

pub(super) fn read(top: &Mapping, procs: &Mapping, draft: &mut Draft) {
    let others = top.keys().filter(|other| *other != "procs" && !OF_ITS_SCREEN.contains(&other.as_str()));
    for other in others.filter(|other| !other.starts_with("keymap")) {
        draft.note(format!("`{}` of the file", key(other)));
    }
    for (name, value) in procs {
        let value = &selected(value.clone());
        let mut process = draft.process(name);
        match value {
            Value::String(line) => process.set("shell", quoted(line)),
            Value::Array(words) => command(words, "", name, &mut process, draft),
            Value::Object(_) => one(value, name, &mut process, draft),
            _ => {
                draft.note(format!("{name} has no command"));
                continue;
            }
        }
        draft.add(process);
    }
}

fn one(value: &Value, name: &str, process: &mut Process, draft: &mut Draft) {
    let cwd = value["cwd"].as_str().filter(|cwd| !cwd.is_empty()).map(|cwd| cwd.replace(CONFIG_DIR, "."));
    if let Some(line) = value["shell"].as_str() {
        process.set("shell", quoted(line));
    } else {
        let words = value["cmd"].as_array().map(Vec::as_slice).unwrap_or_default();
        command(words, cwd.as_deref().unwrap_or_default(), name, process, draft);
    }
    if let Some(cwd) = cwd {
        process.set("cwd", draft.path(Phrase::literal(&cwd)).toml());
    }
    env(value, name, process, draft);
    if value["autostart"] == Value::Bool(false) {
        process.set("autostart", "false".to_owned());
    }
    if value["autorestart"] == Value::Bool(true) {
        process.set("restart", quoted("always"));
    }
    match &value["stop"] {
        Value::Null => {}
        Value::String(how) => match how.as_str() {
            "SIGTERM" => {}
            "SIGINT" => process.set("stop", table([("signal", quoted("INT"))])),
            "SIGKILL" | "hard-kill" => process.set("stop", table([("signal", quoted("KILL"))])),
            other => draft.note(format!("{name}: `stop: {other}`: it gets SIGTERM")),
        },
        Value::Object(how) if how.contains_key("send-keys") => draft.note(format!("{name}: stopping by keys: it gets SIGTERM")),
        _ => draft.note(format!("{name}: `stop` in this form: it gets SIGTERM")),
    }
    others(value, KNOWN, &format!("{name}: "), draft);
}

/// Program and arguments. A program with a slash is a path from the folder that it runs in.
fn command(words: &[Value], cwd: &str, name: &str, process: &mut Process, draft: &mut Draft) {
    let mut words: Vec<String> = words.iter().filter_map(text).map(|word| word.replace(CONFIG_DIR, ".")).collect();
    let Some(program) = words.first_mut().filter(|program| !program.is_empty()) else {
        draft.note(format!("{name} has no command, and does nothing here"));
        return process.set("command", list(["true".to_owned()]));
    };
    let mut first = Phrase::literal(program);
    if program.contains('/') {
        first = draft.path(Phrase::literal(&Path::new(cwd).join(&*program).to_string_lossy()));
    }
    let all = std::iter::once(first).chain(words[1..].iter().map(|word| Phrase::literal(word)));
    process.set("command", phrases(all));
}

fn env(value: &Value, name: &str, process: &mut Process, draft: &mut Draft) {
    let own = environment(value.get("env"), name, draft);
    let unset = value["env"].as_object().into_iter().flatten().filter(|(_, value)| value.is_null()).map(|(name, _)| name);
    for variable in unset {
        draft.note(format!("{name} does not get {variable}: here a variable is inherited, unless `env_clear` takes all of them away"));
    }
    let more: Vec<String> = match &value["add_path"] {
        Value::Array(all) => all.iter().filter_map(text).collect(),
        one => text(one).into_iter().collect(),
    };
    let mut env: indexmap::IndexMap<String, Phrase> = own.into_iter().map(|(name, value)| (name, Phrase::literal(&value))).collect();
    if !more.is_empty() {
        let rest = env.get("PATH").cloned().unwrap_or_else(|| Phrase::name("env.PATH:-"));
        let more = more.iter().fold(Phrase::default(), |path, one| match one.strip_prefix(CONFIG_DIR) {
            Some(below) => path.then(draft.folder()).and(below).and(":"),
            None => path.and(one).and(":"),
        });
        env.insert("PATH".to_owned(), more.then(rest));
    }
    if !env.is_empty() {
        process.set("env", table(env.iter().map(|(name, value)| (name.as_str(), value.toml()))));
    }
}

/// A value with each `$select: os` in it decided for Linux.
fn selected(value: Value) -> Value {
    match value {
        Value::Object(mut fields) => match fields.get("$select").and_then(Value::as_str) {
            Some("os") => fields.remove("linux").or_else(|| fields.remove("$else")).map_or(Value::Null, selected),
            _ => Value::Object(fields.into_iter().map(|(key, value)| (key, selected(value))).collect()),
        },
        Value::Array(all) => Value::Array(all.into_iter().map(selected).collect()),
        other => other,
    }
}
