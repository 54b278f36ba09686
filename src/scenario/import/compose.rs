//! `process-compose.yaml`.

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;
use serde_json::Value;

use super::{
    super::suggest::shown,
    draft::{Draft, Process},
    phrase::{Phrase, key, list, phrases, quoted, table},
    probes,
    yaml::{Mapping, environment, others, seconds, text, times},
};

/// Keys of a process that have their place in a scenario.
const KNOWN: &[&str] = &[
    "command",
    "entrypoint",
    "description",
    "working_dir",
    "environment",
    "depends_on",
    "availability",
    "readiness_probe",
    "liveness_probe",
    "ready_log_line",
    "shutdown",
    "disabled",
    "replicas",
    "is_tty",
    "is_daemon",
    "is_foreground",
    "disable_ansi_colors",
    "log_location",
    "log_configuration",
];
/// Keys of the file that have, or that mean nothing without its own screen.
const KNOWN_AT_TOP: &[&str] = &[
    "version",
    "processes",
    "environment",
    "log_level",
    "log_length",
    "log_location",
    "log_configuration",
    "is_strict",
    "is_tui_disabled",
];
/// More replicas than a scenario may have.
const MOST_REPLICAS: u64 = 1000;

/// Reads it into the draft; an error says what neither tool could run.
pub(super) fn read(top: &Mapping, processes: &Mapping, draft: &mut Draft) -> Result<(), String> {
    draft.env = expanded(environment(top.get("environment"), "environment", draft));
    let logs = ["log_location", "log_configuration"];
    if logs.iter().any(|key| top.contains_key(*key) || processes.values().any(|process| process.get(key).is_some())) {
        draft.note("`log_location`: every run is recorded, and `e2e-tui logs` prints what was said");
    }
    for other in top.keys().filter(|other| !KNOWN_AT_TOP.contains(&other.as_str())) {
        draft.note(format!("`{}` of the file", key(other)));
    }
    if let Some(circle) = circle(processes) {
        return Err(format!("these wait for each other, and none could ever start: {}", circle.join(" -> ")));
    }
    // Names first: whoever has replicas takes theirs, too.
    for (name, value) in processes.iter().filter(|(_, value)| value.is_object()) {
        draft.claim(name, replicas(value).min(MOST_REPLICAS));
    }
    for (name, value) in processes {
        if !value.is_object() {
            draft.note(format!("`{}` among the processes is none", key(name)));
            continue;
        }
        let process = process(value, name, processes, draft);
        draft.add(process);
    }
    Ok(())
}

fn process(value: &Value, name: &str, processes: &Mapping, draft: &mut Draft) -> Process {
    let mut process = draft.process(name);
    if let Some(description) = value["description"].as_str() {
        process.comment(description);
    }
    command(value, name, &mut process, draft);
    settings(value, name, &mut process, draft);
    depends_on(value, name, processes, &mut process, draft);
    others(value, KNOWN, &format!("{name}: "), draft);
    if is_daemon(value) {
        daemon(value, name, &mut process, draft);
        return process;
    }
    if let Some(probe) = value.get("readiness_probe").filter(|probe| probe.is_object()) {
        probes::readiness(probe, name, &mut process, draft);
    }
    if let Some(probe) = value.get("liveness_probe").filter(|probe| probe.is_object()) {
        probes::liveness(probe, name, &mut process, draft);
    }
    if let Some(line) = value["ready_log_line"].as_str() {
        if value.get("readiness_probe").is_some() {
            draft.note(format!("{name}: `ready_log_line` beside a readiness probe, which decides"));
        } else {
            process.set("ready", table([("log", quoted(&regex::escape(line)))]));
        }
    }
    availability(&value["availability"], name, &mut process, draft);
    shutdown(&value["shutdown"], name, &mut process, draft);
    process
}

fn is_daemon(process: &Value) -> bool {
    process["is_daemon"] == Value::Bool(true)
}

fn replicas(process: &Value) -> u64 {
    process["replicas"].as_u64().unwrap_or(1)
}

/// A line for the shell. `$$` is a dollar that the file's own expansion leaves alone; here the shell sees the line as it is.
fn line(text: &str) -> String {
    text.trim_end().replace("$$", "$")
}

/// Variables as they are written in the scenario.
fn expanded(variables: IndexMap<String, String>) -> IndexMap<String, String> {
    variables.into_iter().map(|(name, value)| (name, Phrase::expanded(&value).toml())).collect()
}

/// What puts itself into the background ends at once, which is all that is known of it here: a task, and its end is cleaned up.
fn daemon(value: &Value, name: &str, process: &mut Process, draft: &mut Draft) {
    draft.note(format!(
        "{name} goes to the background: here it is a task that ends, and nothing watches what it left; without its `-d` or the like it is a service"
    ));
    process.set("role", quoted("task"));
    if let Some(command) = value["shutdown"]["command"].as_str() {
        process.set("cleanup", format!("[{{ shell = {} }}]", quoted(&line(command))));
    }
    for key in ["readiness_probe", "liveness_probe", "ready_log_line"].into_iter().filter(|key| value.get(key).is_some()) {
        draft.note(format!("{name}: `{key}`: of a task only its end is looked at"));
    }
    if value["availability"]["restart"].as_str().is_some_and(|policy| policy != "no") {
        draft.note(format!("{name}: `availability`: nothing restarts what it left"));
    }
}

fn command(value: &Value, name: &str, process: &mut Process, draft: &mut Draft) {
    let words: Vec<String> = value["entrypoint"].as_array().into_iter().flatten().filter_map(text).collect();
    let shell = text(&value["command"]).filter(|line| !line.is_empty());
    if shell.is_some() && !words.is_empty() {
        draft.note(format!("{name}: `entrypoint` beside a `command`, which is what runs"));
    }
    if let Some(command) = shell {
        return process.set("shell", quoted(&line(&command)));
    }
    let mut words = words.iter().map(|word| Phrase::expanded(word));
    let Some(mut program) = words.next().filter(|program| !program.sample().is_empty()) else {
        draft.note(format!("{name} has no command, and does nothing here"));
        return process.set("command", list(["true".to_owned()]));
    };
    // A program with a slash is a path from the folder that it runs in.
    let sample = program.sample();
    if sample.contains('/') && !sample.starts_with('/') {
        if let Some(folder) = value["working_dir"].as_str().filter(|folder| !folder.is_empty()) {
            program = Phrase::expanded(folder).and("/").then(program);
        }
        program = draft.path(program);
    }
    process.set("command", phrases(std::iter::once(program).chain(words)));
}

fn settings(value: &Value, name: &str, process: &mut Process, draft: &mut Draft) {
    if let Some(cwd) = value["working_dir"].as_str().map(Phrase::expanded) {
        if cwd.sample().is_empty() {
            draft.note(format!("{name}: `working_dir` comes to nothing"));
        } else {
            process.set("cwd", draft.path(cwd).toml());
        }
    }
    let mut env = expanded(environment(value.get("environment"), name, draft));
    // What it tells each process of itself, for those that ask.
    let line = value["command"].as_str().unwrap_or_default();
    if line.contains("PC_PROC_NAME") {
        env.insert("PC_PROC_NAME".to_owned(), quoted(&process.name));
    }
    if line.contains("PC_REPLICA_NUM") {
        if replicas(value) > 1 {
            draft.note(format!("{name}: PC_REPLICA_NUM counts from 1 here"));
        }
        env.insert("PC_REPLICA_NUM".to_owned(), Phrase::name("replica").toml());
    }
    if !env.is_empty() {
        process.set("env", table(env.iter().map(|(name, value)| (name.as_str(), value.clone()))));
    }
    let is = |key: &str| value[key] == Value::Bool(true);
    if is("is_foreground") {
        draft.note(format!("{name}: `is_foreground`: it is started by hand and typed into, here with `s` and `>`"));
    }
    if is("disabled") || is("is_foreground") {
        process.set("autostart", "false".to_owned());
    }
    if is("is_tty") || is("is_foreground") {
        process.set("tty", "true".to_owned());
    }
    match replicas(value) {
        0 | 1 => {}
        many => {
            if many > MOST_REPLICAS {
                draft.note(format!("{name}: {many} replicas: here at most {MOST_REPLICAS}"));
            }
            process.set("replicas", many.min(MOST_REPLICAS).to_string());
        }
    }
}

fn depends_on(value: &Value, name: &str, processes: &Mapping, process: &mut Process, draft: &mut Draft) {
    let Some(dependencies) = value["depends_on"].as_object().filter(|all| !all.is_empty()) else { return };
    let mut entries: IndexMap<String, String> = IndexMap::new();
    for (on, how) in dependencies {
        let Some(other) = processes.get(on).filter(|other| other.is_object()) else {
            draft.note(format!("{name} depends on {on}, which the file does not have"));
            continue;
        };
        others(how, &["condition"], &format!("{name}: depends_on: {on}: "), draft);
        let ends = is_daemon(other) || other["availability"]["restart"] != "always";
        // Its "healthy" is what the readiness probe says.
        let condition = match how["condition"].as_str().unwrap_or("process_started") {
            "process_healthy" | "process_log_ready" if is_daemon(other) => "succeeded",
            "process_healthy" | "process_log_ready" => "ready",
            "process_completed" | "process_completed_successfully" if !ends => {
                draft.note(format!("{name} waits for the end of {on}, which is always restarted: here, for its start"));
                "started"
            }
            "process_completed" => "completed",
            "process_completed_successfully" => "succeeded",
            "process_started" => "started",
            unknown => {
                draft.note(format!("{name} waits for {on} to be `{unknown}`, which is none of its conditions: here, to be started"));
                "started"
            }
        };
        entries.insert(draft.name_of(on), quoted(condition));
    }
    if !entries.is_empty() {
        process.set("depends_on", table(entries.iter().map(|(on, condition)| (on.as_str(), condition.clone()))));
    }
}

/// Processes that wait for each other, the first of them again at the end.
fn circle(processes: &Mapping) -> Option<Vec<String>> {
    let on = |name: &str| -> Vec<&str> {
        let dependencies = processes.get(name).and_then(|value| value["depends_on"].as_object());
        dependencies.into_iter().flat_map(|all| all.keys().map(String::as_str)).filter(|on| processes.contains_key(*on)).collect()
    };
    let mut done = HashSet::new();
    for start in processes.keys() {
        if done.contains(start.as_str()) {
            continue;
        }
        // By hand: a chain of very many must not exhaust the stack.
        let mut path: Vec<(&str, Vec<&str>)> = vec![(start, on(start))];
        let mut places = HashMap::from([(start.as_str(), 0)]);
        while let Some((name, left)) = path.last_mut() {
            let Some(next) = left.pop() else {
                done.insert(*name);
                places.remove(*name);
                path.pop();
                continue;
            };
            if let Some(&from) = places.get(next) {
                return Some(path[from..].iter().map(|(name, _)| *name).chain([next]).map(shown).take(12).collect());
            }
            if !done.contains(next) {
                places.insert(next, path.len());
                path.push((next, on(next)));
            }
        }
    }
    None
}

fn availability(value: &Value, name: &str, process: &mut Process, draft: &mut Draft) {
    let place = format!("{name}: availability: ");
    others(value, &["restart", "backoff_seconds", "max_restarts", "exit_on_end"], &place, draft);
    let exits = value["exit_on_end"] == Value::Bool(true);
    let policy = match text(&value["restart"]).as_deref() {
        Some("always") => "always",
        Some("on_failure") => "on-failure",
        Some("exit_on_failure") => {
            draft.note(format!(
                "{name}: `exit_on_failure`: a failed service fails the run here too, and the rest stays up in the dashboard"
            ));
            return;
        }
        other => {
            if let Some(other) = other.filter(|other| !["no", "false"].contains(other)) {
                draft.note(format!("{place}`restart: {other}` is none of its policies"));
            }
            if exits {
                // The run ends with it, and its exit code is the verdict: that is a test.
                process.set("role", quoted("test"));
            }
            return;
        }
    };
    if exits {
        draft.note(format!("{place}`exit_on_end` beside a restart policy"));
    }
    let mut entries = vec![("policy", quoted(policy))];
    let delay = seconds(value, "backoff_seconds", 0, &place, draft).map(|seconds| quoted(&format!("{seconds}s")));
    if policy == "always" {
        entries.extend(delay.map(|delay| ("delay", delay)));
    } else {
        // Its delay stays the same, and does not double.
        entries.extend(delay.into_iter().flat_map(|delay| [("backoff", delay.clone()), ("max_backoff", delay)]));
    }
    let most = value["max_restarts"].as_u64().filter(|most| *most > 0);
    match (policy, most) {
        ("always", None) => {}
        ("always", Some(_)) => draft.note(format!("{place}`max_restarts`: here `always` gives up after 10 exits in a minute")),
        (_, None) => {
            draft.note(format!("{name} is restarted without end: here 3 times in a row, unless `max_attempts` says otherwise"));
        }
        (_, Some(_)) => entries.extend(times(value, "max_restarts").map(|most| ("max_attempts", most.to_string()))),
    }
    process.set("restart", table(entries));
}

fn shutdown(value: &Value, name: &str, process: &mut Process, draft: &mut Draft) {
    let place = format!("{name}: shutdown: ");
    others(value, &["command", "signal", "timeout_seconds"], &place, draft);
    let mut entries: Vec<(&str, String)> = Vec::new();
    if let Some(command) = value["command"].as_str() {
        entries.push(("command", list(["/bin/sh".to_owned(), "-c".to_owned(), line(command)])));
    }
    match value["signal"].as_u64() {
        None | Some(15) => {}
        Some(number @ (1 | 2 | 3 | 9 | 10 | 12)) if entries.is_empty() => {
            let signal = match number {
                1 => "HUP",
                2 => "INT",
                3 => "QUIT",
                9 => "KILL",
                10 => "USR1",
                _ => "USR2",
            };
            entries.push(("signal", quoted(signal)));
        }
        Some(number) if entries.is_empty() => draft.note(format!("{name}: it is stopped with TERM, not with signal {number}")),
        Some(number) => draft.note(format!("{place}signal {number} beside a `command`, which is what is run")),
    }
    entries.extend(seconds(value, "timeout_seconds", 1, &place, draft).map(|seconds| ("grace", quoted(&format!("{seconds}s")))));
    if !entries.is_empty() {
        process.set("stop", table(entries));
    }
}
