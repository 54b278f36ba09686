//! `mprocs.yaml`: `procs`, each a shell line or a table.

use serde_json::Value;

use super::{
    draft::{Draft, Process, filled_in, key, list, quoted, table},
    yaml::{Mapping, environment, text},
};

/// Keys of a process that have their place in a scenario.
const KNOWN: &[&str] = &["shell", "cmd", "cwd", "env", "add_path", "autostart", "autorestart", "stop"];
/// Keys of the file that mean nothing without its own screen.
const OF_ITS_SCREEN: &[&str] = &["hide_keymap_window", "mouse_scroll_speed", "proc_list_width", "proc_list_title", "scrollback"];

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
            Value::Array(words) => process.set("command", list(words.iter().filter_map(text))),
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
    if let Some(line) = value["shell"].as_str() {
        process.set("shell", quoted(line));
    } else if let Some(words) = value["cmd"].as_array() {
        process.set("command", list(words.iter().filter_map(text)));
    } else {
        draft.note(format!("{name} has no command, and does nothing here"));
        process.set("command", list(["true".to_owned()]));
    }
    if let Some(cwd) = value["cwd"].as_str() {
        process.set("cwd", quoted(&cwd.replace("<CONFIG_DIR>", ".")));
    }
    env(value, name, process, draft);
    if value["autostart"] == Value::Bool(false) {
        process.set("autostart", "false".to_owned());
    }
    if value["autorestart"] == Value::Bool(true) {
        process.set("restart", quoted("always"));
    }
    match value["stop"].as_str() {
        None if value["stop"].is_object() => draft.note(format!("{name}: stopping by keys: it gets SIGTERM")),
        Some("SIGINT") => process.set("stop", table([("signal", quoted("INT"))])),
        Some("SIGKILL" | "hard-kill") => process.set("stop", table([("signal", quoted("KILL"))])),
        _ => {}
    }
    for other in value.as_object().into_iter().flat_map(|object| object.keys()).filter(|other| !KNOWN.contains(&other.as_str())) {
        draft.note(format!("{name}: `{}`", key(other)));
    }
}

fn env(value: &Value, name: &str, process: &mut Process, draft: &mut Draft) {
    let mut env: Vec<_> = environment(value.get("env")).into_iter().map(|(name, value)| (name, quoted(&value))).collect();
    let unset = value["env"].as_object().into_iter().flatten().filter(|(_, value)| value.is_null()).map(|(name, _)| name);
    for variable in unset {
        draft.note(format!("{name} does not get {variable}: here a variable is inherited, unless `env_clear` takes all of them away"));
    }
    let more: Vec<String> = match &value["add_path"] {
        Value::Array(all) => all.iter().filter_map(text).collect(),
        one => text(one).into_iter().collect(),
    };
    if !more.is_empty() {
        let more: Vec<_> = more.iter().map(|path| path.replace("${", "$${").replace("<CONFIG_DIR>", "${scenario.dir}")).collect();
        env.push(("PATH".to_owned(), filled_in(&format!("{}:${{env.PATH}}", more.join(":")))));
    }
    if !env.is_empty() {
        process.set("env", table(env.iter().map(|(name, value)| (name.as_str(), value.clone()))));
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
