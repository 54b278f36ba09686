//! The plan of a scenario for programs: `check --format json`. Fields are only ever added.

use serde_json::{Value, json};

use super::{graph, load::Scenario, locate::Origin, names::PortWish};
use crate::{
    model::{
        ExpectationInfo, HealthSpec, OnUnhealthy, Probe, ProcessSpec, RestartMode, RestartPolicy, StdinMode, StepInfo, StepSpec, Text,
    },
    redact::Redactor,
};

/// The plan: what [`render_plan`](super::render_plan) says, with times in milliseconds, null where there is none, and the warnings
/// with their places. Ports that the run will lease stand as `${ports.NAME}`; secrets are masked.
pub fn plan_json(scenario: &Scenario) -> Value {
    let spec = scenario.draft();
    let mut plan = json!({
        "format": 1,
        "name": spec.name,
        "description": spec.description,
        "file": spec.origin,
        "extends": scenario.below,
        "found": match scenario.origin() { Origin::Path => "path", Origin::Folder => "scenarios", Origin::Bundled => "bundled" },
        "timeout_ms": spec.timeout.map(millis),
        "ports": scenario.needed_ports.iter().map(|name| port(scenario, name)).collect::<Vec<_>>(),
        "layers": graph::layers(&spec.processes),
        "processes": spec.processes.values().map(|p| process(p)).collect::<Vec<_>>(),
        "containment": spec.containment,
        "recording_max_disk": spec.recording_max_disk,
        "steps": spec.steps.iter().map(step).collect::<Vec<_>>(),
        "cleanup": spec.cleanup,
        "expectations": spec.expectations.iter().map(ExpectationInfo::of).collect::<Vec<_>>(),
        "warnings": scenario.warnings().to_json(),
    });
    mask(&mut plan, &Redactor::new(scenario.secrets()));
    plan
}

/// Masks texts only: a secret that happens to be `null` must not break the form.
fn mask(value: &mut Value, redactor: &Redactor) {
    match value {
        Value::String(text) => {
            if let std::borrow::Cow::Owned(masked) = redactor.mask(text) {
                *text = masked;
            }
        }
        Value::Array(all) => all.iter_mut().for_each(|one| mask(one, redactor)),
        Value::Object(fields) => fields.values_mut().for_each(|one| mask(one, redactor)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn millis(d: std::time::Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX)
}

fn step(step: &StepSpec) -> Value {
    let mut told = json!(StepInfo::of(step));
    told["timeout_ms"] = json!(step.timeout.map(millis));
    told
}

fn port(scenario: &Scenario, name: &str) -> Value {
    let wish = match scenario.names().wish(name) {
        Some(PortWish::Fixed(port)) => json!(port),
        Some(PortWish::Within(range)) => json!({ "from": range.start(), "to": range.end() }),
        Some(PortWish::Auto) | None => json!("auto"),
    };
    let owner = scenario.draft().processes.values().find(|p| p.listens.iter().any(|l| l.name == name));
    json!({ "name": name, "port": wish, "owner": owner.map(|p| &p.id) })
}

fn process(p: &ProcessSpec) -> Value {
    json!({
        "name": p.id,
        "role": p.role,
        "kind": p.kind,
        "stand_in": p.stand_in,
        "argv": texts(&p.argv),
        "cwd": p.cwd,
        "env": p.env.iter().map(|(k, v)| (k.clone(), json!(v.to_string()))).collect::<serde_json::Map<_, _>>(),
        "env_clear": p.env_clear,
        "listens": p.listens.iter().map(|l| &l.name).collect::<Vec<_>>(),
        "autostart": p.autostart,
        "depends_on": p.depends_on.iter().map(|d| json!({ "process": d.on, "condition": d.condition })).collect::<Vec<_>>(),
        "ready": { "probe": p.ready.probe.as_ref().map(probe), "timeout_ms": millis(p.ready.timeout), "interval_ms": millis(p.ready.interval) },
        "health": p.health.as_ref().map(health),
        "restart": restart(&p.restart),
        "stop": { "signal": p.stop.signal, "grace_ms": millis(p.stop.grace), "command": p.stop.command.as_deref().map(texts) },
        "timeout_ms": p.timeout.map(millis),
        "limits": {
            "memory": p.limits.memory, "open_files": p.limits.open_files, "processes": p.limits.processes,
            "cpu_time_ms": p.limits.cpu_time.map(millis), "cpu": p.limits.cpu, "address_space": p.limits.address_space,
        },
        "stdin": match p.stdin { StdinMode::Null => "null", StdinMode::Pipe => "pipe" },
        "tty": p.tty,
        "log": {
            "format": p.log.format, "max_disk": p.log.max_disk,
            "alert": p.log.alert.iter().map(regex::Regex::as_str).collect::<Vec<_>>(),
        },
        "cleanup": p.cleanup,
        "files": p.files.iter().map(|file| &file.path).collect::<Vec<_>>(),
        "tap": p.tap,
        "watch": p.watch.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "skip_if_exists": p.skip_if_exists,
    })
}

fn texts(all: &[Text]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}

fn probe(probe: &Probe) -> Value {
    match probe {
        Probe::Http(http) => json!({
            "http": http.url.to_string(), "method": http.method, "expect": http.expect,
            "headers": http.headers.iter().map(|(k, v)| (k.clone(), json!(v.to_string()))).collect::<serde_json::Map<_, _>>(),
            "body": http.body.as_ref().map(ToString::to_string),
            "expect_body": http.expect_body.as_ref().map(regex::Regex::as_str),
        }),
        Probe::Tcp { addr } => json!({ "tcp": addr.to_string() }),
        Probe::Log { pattern } => json!({ "log": pattern.as_str() }),
        Probe::Exec { argv } => json!({ "exec": texts(argv) }),
        Probe::Custom(custom) => json!({ "custom": custom.name() }),
        Probe::Stdio { send, expect } => json!({ "stdio": { "send": send, "expect": expect.as_str() } }),
    }
}

fn health(h: &HealthSpec) -> Value {
    json!({
        "probe": probe(&h.probe),
        "interval_ms": millis(h.interval), "timeout_ms": millis(h.timeout), "start_period_ms": millis(h.start_period),
        "failures": h.failures, "successes": h.successes,
        "degraded_after_ms": h.degraded_after.map(millis), "degraded": h.degraded,
        "on_unhealthy": match h.on_unhealthy { OnUnhealthy::Restart => "restart", OnUnhealthy::None => "none" },
        "lazy": h.lazy,
    })
}

fn restart(r: &RestartPolicy) -> Value {
    match r.mode {
        RestartMode::Never => json!({ "policy": "never" }),
        RestartMode::OnFailure => json!({
            "policy": "on-failure", "max_attempts": r.max_attempts, "backoff_ms": millis(r.backoff), "max_backoff_ms": millis(r.max_backoff),
            "jitter": r.jitter, "reset_after_ms": millis(r.reset_after),
        }),
        RestartMode::Always => json!({ "policy": "always", "delay_ms": millis(r.delay) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Environment, Located, Overrides, load};

    #[test]
    fn the_plan_for_programs_says_what_the_plan_for_people_says() {
        let text = r#"
            name = "x"
            timeout = "1m30s"
            [secrets]
            t = { env = "T" }
            [ports]
            p = { from = 20000, to = 20010 }
            unused = "auto"
            [process.up]
            command = ["up", "a\"b"]
            env = { T = "${secrets.t}", SAME = "qu\"oted-secret" }
            listens = "p"
            [process.client]
            command = ["client", "${process.up.url}"]
            role = "test"
            depends_on = ["up"]
            restart = "always"
        "#;
        let overrides = Overrides { env: Environment::of([("T", "qu\"oted-secret")]), ..Overrides::default() };
        let plan = plan_json(&load(&Located::text("x.toml", "/work/x", text), &overrides).expect("no mistake"));
        assert_eq!((&plan["timeout_ms"], &plan["layers"]), (&json!(90_000), &json!([["up"], ["client"]])));
        assert_eq!(plan["ports"][0], json!({ "name": "p", "port": { "from": 20_000, "to": 20_010 }, "owner": "up" }));
        let [up, client] = [&plan["processes"][0], &plan["processes"][1]];
        assert_eq!(up["argv"], json!(["up", "a\"b"]));
        assert_eq!(up["env"]["T"], json!("****"));
        assert!(!plan.to_string().contains("oted-secret"), "{plan}");
        assert_eq!(client["argv"][1], json!("http://127.0.0.1:${ports.p}"));
        assert_eq!(client["depends_on"], json!([{ "process": "up", "condition": "ready" }]));
        assert_eq!(client["restart"], json!({ "policy": "always", "delay_ms": 1000 }));
        assert_eq!(plan["warnings"][0]["message"], json!("the port `unused` is never used"));
    }
}
