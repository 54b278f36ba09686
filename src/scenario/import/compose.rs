//! `process-compose.yaml`.

use serde_json::Value;

use super::{
    draft::{Draft, Process, filled_in, key, list, quoted, table},
    yaml::{Mapping, environment, text},
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

pub(super) fn read(top: &Mapping, processes: &Mapping, draft: &mut Draft) {
    draft.env = environment(top.get("environment")).into_iter().map(|(name, value)| (name, expanded(&value))).collect();
    if top.contains_key("log_location") || processes.values().any(|process| process.get("log_location").is_some()) {
        draft.note("`log_location`: every run is recorded, and `e2e-tui logs` prints what was said");
    }
    for other in top.keys().filter(|other| !KNOWN_AT_TOP.contains(&other.as_str())) {
        draft.note(format!("`{}` of the file", key(other)));
    }
    for (name, value) in processes {
        if !value.is_object() {
            draft.note(format!("`{}` among the processes is none", key(name)));
            continue;
        }
        let mut process = draft.process(name);
        if let Some(description) = value["description"].as_str() {
            process.comment(description);
        }
        command(value, name, &mut process, draft);
        settings(value, &mut process);
        depends_on(value, name, processes, &mut process, draft);
        if is_daemon(value) {
            daemon(value, name, &mut process, draft);
            draft.add(process);
            continue;
        }
        for (theirs, ours) in [("readiness_probe", "ready"), ("liveness_probe", "health")] {
            if let Some(probe) = value.get(theirs).filter(|probe| probe.is_object()) {
                self::probe(probe, ours, name, &mut process, draft);
            }
        }
        if let Some(line) = value["ready_log_line"].as_str()
            && value.get("readiness_probe").is_none()
        {
            process.set("ready", table([("log", quoted(&regex::escape(line)))]));
        }
        availability(&value["availability"], name, &mut process, draft);
        shutdown(&value["shutdown"], name, &mut process, draft);
        for other in value.as_object().into_iter().flat_map(|object| object.keys()).filter(|other| !KNOWN.contains(&other.as_str())) {
            draft.note(format!("{name}: `{}`", key(other)));
        }
        draft.add(process);
    }
}

fn is_daemon(process: &Value) -> bool {
    process["is_daemon"] == Value::Bool(true)
}

/// What puts itself into the background ends at once, which is all that is known of it here: a task, and its end is cleaned up.
fn daemon(value: &Value, name: &str, process: &mut Process, draft: &mut Draft) {
    draft.note(format!(
        "{name} goes to the background: here it is a task that ends, and nothing watches what it left; without its `-d` or the like it is a service"
    ));
    process.set("role", quoted("task"));
    if let Some(line) = value["shutdown"]["command"].as_str() {
        process.set("cleanup", format!("[{{ shell = {} }}]", quoted(line)));
    }
    for probe in ["readiness_probe", "liveness_probe"].into_iter().filter(|probe| value.get(probe).is_some()) {
        draft.note(format!("{name}: `{probe}`: of a task only its end is looked at"));
    }
}

/// `$NAME` and `${NAME}` as it fills them in when it reads the file; `$$` is a dollar.
fn expanded(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let braced = after.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
        rest = match braced {
            _ if after.starts_with('$') => {
                out.push('$');
                &after[1..]
            }
            Some((name, behind)) => {
                let name = name.split(":-").next().unwrap_or(name);
                out.extend(["${env.", name, ":-}"]);
                behind
            }
            None if end > 0 => {
                out.extend(["${env.", &after[..end], ":-}"]);
                &after[end..]
            }
            None => {
                out.push('$');
                after
            }
        };
    }
    out.push_str(rest);
    filled_in(&out)
}

fn command(value: &Value, name: &str, process: &mut Process, draft: &mut Draft) {
    if let Some(words) = value["entrypoint"].as_array() {
        process.set("command", list(words.iter().filter_map(text)));
    } else if let Some(line) = text(&value["command"]) {
        // There, `$$` is a dollar that the file's own expansion leaves alone; here the shell sees the line as it is.
        process.set("shell", quoted(&line.trim_end().replace("$$", "$")));
    } else {
        draft.note(format!("{name} has no command, and does nothing here"));
        process.set("command", list(["true".to_owned()]));
    }
}

fn settings(value: &Value, process: &mut Process) {
    if let Some(cwd) = value["working_dir"].as_str() {
        process.set("cwd", expanded(cwd));
    }
    let mut env: Vec<_> = environment(value.get("environment")).into_iter().map(|(name, value)| (name, expanded(&value))).collect();
    // What it tells each process of itself, for those that ask.
    let line = value["command"].as_str().unwrap_or_default();
    for (variable, known) in [("PC_PROC_NAME", quoted(&process.name)), ("PC_REPLICA_NUM", filled_in("${replica}"))] {
        if line.contains(variable) {
            env.push((variable.to_owned(), known));
        }
    }
    if !env.is_empty() {
        process.set("env", table(env.iter().map(|(name, value)| (name.as_str(), value.clone()))));
    }
    if value["disabled"] == Value::Bool(true) {
        process.set("autostart", "false".to_owned());
    }
    if value["is_tty"] == Value::Bool(true) {
        process.set("tty", "true".to_owned());
    }
    if let Some(replicas) = value["replicas"].as_u64().filter(|replicas| *replicas > 1) {
        process.set("replicas", replicas.to_string());
    }
}

fn depends_on(value: &Value, name: &str, processes: &Mapping, process: &mut Process, draft: &mut Draft) {
    let Some(dependencies) = value["depends_on"].as_object().filter(|all| !all.is_empty()) else { return };
    let mut entries: Vec<(String, String)> = Vec::new();
    for (on, how) in dependencies {
        if !processes.contains_key(on) {
            draft.note(format!("{name} depends on {on}, which the file does not have"));
            continue;
        }
        // Its "healthy" is what the readiness probe says.
        let condition = match how["condition"].as_str().unwrap_or("process_started") {
            "process_healthy" | "process_log_ready" if is_daemon(&processes[on]) => "succeeded",
            "process_healthy" | "process_log_ready" => "ready",
            "process_completed" => "completed",
            "process_completed_successfully" => "succeeded",
            "process_started" => "started",
            other => {
                draft.note(format!("{name} waits for {on} to be `{other}`, which is none of its conditions: here, to be started"));
                "started"
            }
        };
        entries.push((draft.name_of(on), quoted(condition)));
    }
    if !entries.is_empty() {
        process.set("depends_on", table(entries.iter().map(|(on, condition)| (on.as_str(), condition.clone()))));
    }
}

fn probe(probe: &Value, ours: &'static str, name: &str, process: &mut Process, draft: &mut Draft) {
    let mut entries: Vec<(&str, String)> = Vec::new();
    if let Some(http) = probe.get("http_get") {
        let part = |key: &str, default: &str| text(&http[key]).unwrap_or_else(|| default.to_owned());
        let path = part("path", "/");
        let slash = if path.starts_with('/') { "" } else { "/" };
        let url = format!("{}://{}:{}{slash}{path}", part("scheme", "http").to_lowercase(), part("host", "127.0.0.1"), part("port", "80"));
        entries.push(("http", expanded(&url)));
        let headers = environment(http.get("headers"));
        if !headers.is_empty() {
            entries.push(("headers", table(headers.iter().map(|(name, value)| (name.as_str(), quoted(value))))));
        }
        entries.extend(http["status_code"].as_u64().map(|status| ("expect", status.to_string())));
    } else if let Some(line) = probe["exec"]["command"].as_str() {
        entries.push(("exec", list(["/bin/sh", "-c", line].map(str::to_owned))));
    } else {
        draft.note(format!("{name}: a probe that neither asks over HTTP nor runs a command"));
        return;
    }
    let seconds = |key: &str| probe[key].as_u64().map(|seconds| quoted(&format!("{seconds}s")));
    // Less than a second there means a second.
    let at_least_one = |key: &str| probe[key].as_u64().map(|seconds| quoted(&format!("{}s", seconds.max(1))));
    entries.extend(at_least_one("period_seconds").map(|period| ("interval", period)));
    if ours == "health" {
        entries.extend(at_least_one("timeout_seconds").map(|timeout| ("timeout", timeout)));
        entries.extend(seconds("initial_delay_seconds").map(|delay| ("start_period", delay)));
        entries.extend(probe["failure_threshold"].as_u64().map(|n| ("failures", n.max(1).to_string())));
        entries.extend(probe["success_threshold"].as_u64().map(|n| ("successes", n.max(1).to_string())));
    }
    process.set(ours, table(entries));
}

fn availability(value: &Value, name: &str, process: &mut Process, draft: &mut Draft) {
    let policy = match value["restart"].as_str() {
        Some("always") => "always",
        Some("on_failure") => "on-failure",
        Some("exit_on_failure") => {
            draft.note(format!(
                "{name}: `exit_on_failure`: a failed service fails the run here too, and the rest stays up in the dashboard"
            ));
            return;
        }
        _ => {
            if value["exit_on_end"] == Value::Bool(true) {
                // The run ends with it, and its exit code is the verdict: that is a test.
                process.set("role", quoted("test"));
            }
            return;
        }
    };
    let mut entries = vec![("policy", quoted(policy))];
    let delay = value["backoff_seconds"].as_u64().map(|seconds| quoted(&format!("{seconds}s")));
    entries.extend(delay.map(|delay| (if policy == "always" { "delay" } else { "backoff" }, delay)));
    if policy == "on-failure" {
        let most = value["max_restarts"].as_u64().filter(|most| *most > 0);
        if most.is_none() {
            draft.note(format!("{name} is restarted without end: here 3 times in a row, unless `max_attempts` says otherwise"));
        }
        entries.extend(most.map(|most| ("max_attempts", most.to_string())));
    }
    process.set("restart", table(entries));
}

fn shutdown(value: &Value, name: &str, process: &mut Process, draft: &mut Draft) {
    let mut entries: Vec<(&str, String)> = Vec::new();
    if let Some(line) = value["command"].as_str() {
        entries.push(("command", list(["/bin/sh", "-c", line].map(str::to_owned))));
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
        Some(number) => draft.note(format!("{name}: it is stopped with TERM, not with signal {number}")),
    }
    entries.extend(value["timeout_seconds"].as_u64().map(|seconds| ("grace", quoted(&format!("{}s", seconds.max(1))))));
    if !entries.is_empty() {
        process.set("stop", table(entries));
    }
}
