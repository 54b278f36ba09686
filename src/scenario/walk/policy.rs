//! What happens to a process: `restart`, `stop`, `limits`, and how its output is read.

use std::time::Duration;

use super::{
    super::{
        diagnostics::Diagnostic,
        keys,
        suggest::did_you_mean,
        tree::{Node, Table, Value},
    },
    state::{Scope, Walk},
};
use crate::model::{Limits, LogFormat, LogSpec, RestartMode, RestartPolicy, Signal, StdinMode, StopSpec};

const MODES: [RestartMode; 3] = [RestartMode::Never, RestartMode::OnFailure, RestartMode::Always];
const FORMATS: [LogFormat; 5] = [LogFormat::Auto, LogFormat::Plain, LogFormat::Json, LogFormat::Logfmt, LogFormat::Tracing];

impl Walk<'_> {
    /// `restart = "on-failure"` or a table.
    pub(super) fn restart(&mut self, node: &Node, scope: Scope<'_>) -> RestartPolicy {
        let default = RestartPolicy::default();
        let Value::Table(table) = &node.value else {
            let mode = self.choice("restart", node, scope, keys::RESTARTS);
            return RestartPolicy { mode: mode.map_or(default.mode, |m| MODES[m]), ..default };
        };
        self.check_keys(table, keys::RESTART, "`restart`");
        let mode = table.node("policy").and_then(|n| self.choice("policy", n, scope, keys::RESTARTS));
        // A table without a policy that sets attempts or back-offs can only mean this one.
        let mode = mode.map_or(RestartMode::OnFailure, |m| MODES[m]);
        self.restart_keys_fit(table, mode);
        let policy = RestartPolicy {
            mode,
            max_attempts: self.count_or(table, "max_attempts", scope, 0, default.max_attempts),
            backoff: self.duration_or(table, "backoff", scope, default.backoff),
            max_backoff: self.duration_or(table, "max_backoff", scope, default.max_backoff),
            jitter: table.node("jitter").and_then(|n| self.number("jitter", n, scope, 1.0)).unwrap_or(default.jitter),
            reset_after: self.some_time(table, "reset_after", scope, "it would never give up").unwrap_or(default.reset_after),
            delay: self.duration_or(table, "delay", scope, default.delay),
        };
        if policy.backoff > policy.max_backoff
            && let Some(node) = table.node("backoff")
        {
            let mut diagnostic = Diagnostic::error("`backoff` starts above `max_backoff`").at(node.span, "the first delay");
            if let Some(most) = table.node("max_backoff") {
                diagnostic = diagnostic.and(most.span, "the longest");
            }
            self.out.push(diagnostic.help("the longest is 30s unless `max_backoff` says otherwise"));
        }
        policy
    }

    /// Keys of one policy beside another do nothing, which its author should know.
    fn restart_keys_fit(&mut self, table: &Table, mode: RestartMode) {
        let (of, idle): (&str, &[&str]) = match mode {
            RestartMode::Never => ("never", &["max_attempts", "backoff", "max_backoff", "jitter", "reset_after", "delay"]),
            RestartMode::OnFailure => ("on-failure", &["delay"]),
            RestartMode::Always => ("always", &["max_attempts", "backoff", "max_backoff", "jitter", "reset_after"]),
        };
        for key in idle {
            if let Some(entry) = table.get(key) {
                let help = match mode {
                    RestartMode::Always => "`always` waits `delay` and gives up after 10 exits in a minute",
                    RestartMode::OnFailure => "`on-failure` waits `backoff`, doubling up to `max_backoff`",
                    RestartMode::Never => "choose the policy `on-failure` or `always`",
                };
                self.out.push(
                    Diagnostic::warning(format!("`{key}` has no effect with the policy `{of}`")).at(entry.key, "not used").help(help),
                );
            }
        }
    }

    /// `stop = { … }`
    pub(super) fn stop(&mut self, node: &Node, scope: Scope<'_>) -> StopSpec {
        let mut stop = StopSpec::default();
        let Some(table) = self.table("stop", node, "a table like { grace = \"5s\" }") else { return stop };
        self.check_keys(table, keys::STOP, "`stop`");
        if let Some(signal) = table.node("signal").and_then(|n| self.signal("signal", n, scope)) {
            stop.signal = signal;
        }
        if let Some(entry) = table.get("grace") {
            stop.grace = self.duration("grace", &entry.node, scope).unwrap_or(stop.grace);
            if let Some(instance) = scope.instance {
                self.places.grace.insert(instance.id.clone(), entry.node.span);
            }
        }
        stop.command = table.node("command").and_then(|n| self.argv("command", n, scope.ready()));
        stop
    }

    /// A signal by name.
    pub(super) fn signal(&mut self, key: &str, node: &Node, scope: Scope<'_>) -> Option<Signal> {
        if !matches!(node.value, Value::Text(_)) {
            self.mismatch(key, node, "the name of a signal");
            return None;
        }
        let read = self.read(key, node, scope)?;
        if let Ok(signal) = Signal::parse(&read) {
            return Some(signal);
        }
        let short = read.trim().to_ascii_uppercase();
        let short = short.strip_prefix("SIG").unwrap_or(&short);
        let help =
            did_you_mean(short, Signal::names()).unwrap_or_else(|| "signals have names like TERM, INT, HUP, QUIT, USR1 or KILL".into());
        self.out.push(Diagnostic::error(format!("`{}` is no signal", read.shown())).at(node.span, "not known on this system").help(help));
        None
    }

    /// `limits = { … }`
    pub(super) fn limits(&mut self, node: &Node, scope: Scope<'_>) -> Limits {
        let Some(table) = self.table("limits", node, "a table like { memory = \"500MiB\" }") else { return Limits::default() };
        self.check_keys(table, keys::LIMITS, "`limits`");
        let nothing_left = "nothing could run; leave it out for no limit";
        let memory = self.some_size(table, "memory", scope, nothing_left);
        let address_space = self.some_size(table, "address_space", scope, nothing_left);
        let count = |w: &mut Self, key: &str| table.node(key).and_then(|n| w.integer(key, n, scope, 1, u64::MAX));
        if let Some(entry) = table.get("address_space") {
            self.out.push(
                Diagnostic::warning(
                    "`address_space` counts what is reserved, not what is used: node, java and go reserve gigabytes at their start",
                )
                .at(entry.key, "they may not even start")
                .help("use `memory` to limit what is used"),
            );
        }
        Limits {
            memory,
            open_files: count(self, "open_files"),
            processes: count(self, "processes"),
            cpu_time: self.some_time(table, "cpu_time", scope, nothing_left),
            cpu: self.above_zero(table, "cpu", nothing_left, |w, node| w.number("cpu", node, scope, 4096.0)),
            address_space,
        }
    }

    /// `log = { … }`
    pub(super) fn log(&mut self, node: &Node, scope: Scope<'_>) -> LogSpec {
        let default = LogSpec::default();
        let Some(table) = self.table("log", node, "a table like { alert = ['ERROR'] }") else { return default };
        self.check_keys(table, keys::LOG, "`log`");
        let alert = table.node("alert").and_then(|n| self.one_or_more(n, |w, n| w.line_pattern("alert", n, scope)));
        let format = table.node("format").and_then(|n| self.choice("format", n, scope, keys::FORMATS));
        LogSpec {
            format: format.map_or(default.format, |f| FORMATS[f]),
            alert: alert.unwrap_or_default(),
            max_disk: self.some_size(table, "max_disk", scope, "nothing would be kept").unwrap_or(default.max_disk),
        }
    }

    /// `stdin = "pipe"`
    pub(super) fn stdin(&mut self, node: &Node, scope: Scope<'_>) -> StdinMode {
        match self.choice("stdin", node, scope, keys::STDINS) {
            Some(1) => StdinMode::Pipe,
            _ => StdinMode::Null,
        }
    }

    /// `timeout`: no time at all would end it before it began.
    pub(super) fn timeout(&mut self, table: &Table, scope: Scope<'_>, why: &str) -> Option<Duration> {
        self.some_time(table, "timeout", scope, why)
    }
}
