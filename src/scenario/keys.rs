//! The key table of the scenario language: every key there is, with its form, its default and a line about it.
//!
//! The walker takes its known keys and its suggestions from here, and so do the schema and the documentation: what is
//! not in this table cannot be written in a scenario.

/// One key of a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    /// As written.
    pub(super) name: &'static str,
    /// What may stand behind it.
    pub(super) form: Form,
    /// What holds where it is missing; empty: nothing.
    pub(super) default: &'static str,
    /// One line for people.
    pub(super) about: &'static str,
}

/// What may stand behind a key. Numbers and booleans may also be strings that interpolate to one.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    /// Text that may interpolate.
    Text,
    /// The same, and never a number without quotes.
    String,
    /// Text as it stands, in quotes.
    Plain,
    /// A name of `[A-Za-z0-9_-]`, 1 to 64.
    Name,
    /// Whole number, not negative.
    Integer,
    /// Number, not negative.
    Number,
    /// `true` or `false`.
    Bool,
    /// `"5s"`
    Duration,
    /// `"500MiB"`
    Size,
    /// A Rust regex.
    Pattern,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of such values.
    List(&'static Form),
    /// A table with these keys.
    Table(&'static [Key]),
    /// A table whose keys are the user's.
    Map(&'static Form),
    /// Any of these.
    Any(&'static [Form]),
}

const fn key(name: &'static str, form: Form, default: &'static str, about: &'static str) -> Key {
    Key { name, form, default, about }
}

const TEXTS: Form = Form::List(&Form::Text);
const ONE_OR_MORE_NAMES: Form = Form::Any(&[Form::Name, Form::List(&Form::Name)]);
/// Each command a table or a bare list; one alone may be the bare list.
const CLEANUPS: Form = Form::Any(&[Form::List(&Form::Any(&[Form::Table(CLEANUP), TEXTS])), Form::List(&Form::String)]);
const STATUSES: Form = Form::Any(&[Form::Integer, Form::List(&Form::Integer)]);

/// The top level of a file.
pub(super) const TOP: &[Key] = &[
    key("name", Form::Name, "", "What the scenario is called; required"),
    key("description", Form::Plain, "", "One line about it"),
    key("extends", Form::Plain, "", "A scenario file this one adds to and overrides, key by key"),
    key("timeout", Form::Duration, "", "Headless: the run ends with exit code 4 after this long; in the dashboard a notice"),
    key("vars", Form::Map(&Form::Text), "", "Plain text by name, for ${vars.NAME}; --set overrides"),
    key("secrets", Form::Map(&Form::Table(SECRET)), "", "Texts that are masked everywhere, for ${secrets.NAME}"),
    key("ports", Form::Map(&Form::Any(&[Form::Choice(&["auto"]), Form::Integer, Form::Table(PORT)])), "", "Ports leased for the run"),
    key("defaults", Form::Table(PROCESS), "", "Keys for every process but command, shell, kind, depends_on and listens"),
    key("process", Form::Map(&Form::Table(PROCESS)), "", "The processes, in the order they are shown"),
    key("expect", Form::List(&Form::Table(EXPECT)), "", "Assertions on logs, part of the verdict"),
    key("step", Form::List(&Form::Table(STEP)), "", "A script for demos and chaos runs"),
    key("cleanup", CLEANUPS, "", "Commands run once at the end, always"),
    key("containment", Form::Choice(CONTAINMENTS), "auto", "How trees of processes are held together"),
    key("recording", Form::Table(RECORDING), "", "What is kept of the run"),
];

/// `containment`
pub(super) const CONTAINMENTS: &[&str] = &["auto", "pidns", "cgroup", "subreaper", "group"];

/// `[secrets] name = { … }`
pub(super) const SECRET: &[Key] = &[
    key("env", Form::Plain, "", "The environment variable that holds it"),
    key("default", Form::Plain, "", "What it is where the variable is not set; not masked, since the file shows it"),
];

/// `[ports] name = { … }`
pub(super) const PORT: &[Key] = &[
    key("from", Form::Integer, "", "The lowest number it may get"),
    key("to", Form::Integer, "", "The highest"),
    key("each", Form::Name, "", "A replicated process, each instance of which gets one of its own"),
];

/// `recording = { … }`
pub(super) const RECORDING: &[Key] = &[key("max_disk", Form::Size, "10GB", "Bytes kept of a run; the oldest output goes first")];

/// `[[cleanup]]`
pub(super) const CLEANUP: &[Key] =
    &[key("command", TEXTS, "", "Program and arguments; it has 10 s"), key("shell", Form::Text, "", "Text for /bin/sh -c")];

/// `[process.NAME]`
pub(super) const PROCESS: &[Key] = &[
    key("command", TEXTS, "", "Program and arguments, passed verbatim, never through a shell"),
    key("shell", Form::Text, "", "Text for /bin/sh -c"),
    key("kind", Form::Choice(KINDS), "", "A ready-made kind of process"),
    key("cwd", Form::Text, "the file's folder", "Working directory, relative to the file"),
    key("env", Form::Map(&Form::Text), "{}", "Variables on top of the inherited environment"),
    key("env_clear", Form::Bool, "false", "Start from an empty environment"),
    key("role", Form::Choice(ROLES), "service", "What it is for, and so what its end means"),
    key("listens", ONE_OR_MORE_NAMES, "", "The ports it owns"),
    key("files", Form::Map(&Form::Table(FILE)), "", "Files rendered into ${process.dir} before each start"),
    key("autostart", Form::Bool, "true", "Whether it starts with the run"),
    key(
        "depends_on",
        Form::Any(&[ONE_OR_MORE_NAMES, Form::Map(&Form::Choice(CONDITIONS))]),
        "",
        "What must hold before it starts; a list means: service ready, task succeeded, test completed",
    ),
    key("ready", Form::Table(READY), "tcp on listens, else running", "When it counts as ready"),
    key("health", Form::Table(HEALTH), "", "How its health is watched"),
    key("restart", Form::Any(&[Form::Choice(RESTARTS), Form::Table(RESTART)]), "never", "What follows an exit nobody asked for"),
    key("stop", Form::Table(STOP), "", "How it is stopped"),
    key("timeout", Form::Duration, "", "Longest life of one start of it"),
    key("limits", Form::Table(LIMITS), "", "Resources of its tree"),
    key("stdin", Form::Choice(STDINS), "null", "What its stdin is"),
    key("tty", Form::Bool, "false", "A terminal of its own"),
    key("log", Form::Table(LOG), "", "How its output is read"),
    key("tap", Form::Bool, "false", "A recording hop in front of what it listens on; without that, a record of its pipes"),
    key("cleanup", CLEANUPS, "", "Commands run once at the end, always"),
    key("replicas", Form::Integer, "1", "How many of it run, as name-1 to name-n"),
    key("watch", Form::Any(&[Form::Text, TEXTS]), "", "Globs of files; a change restarts it"),
    key("skip_if_exists", Form::Text, "", "A task is done where this path exists"),
];

/// Keys that `[defaults]` must not hold.
pub(super) const NOT_IN_DEFAULTS: &[&str] = &["command", "shell", "kind", "depends_on", "listens"];

/// `kind`
pub(super) const KINDS: &[&str] = &["shadowcat", "mcp-validator", "mock-upstream", "test-client"];
/// `role`
pub(super) const ROLES: &[&str] = &["service", "task", "test"];
/// `depends_on`
pub(super) const CONDITIONS: &[&str] = &["started", "ready", "healthy", "completed", "succeeded"];
/// `restart`
pub(super) const RESTARTS: &[&str] = &["never", "on-failure", "always"];
/// `stdin`
pub(super) const STDINS: &[&str] = &["null", "pipe"];

/// `files = { "name" = { … } }`
pub(super) const FILE: &[Key] =
    &[key("template", Form::Text, "", "A file whose ${…} are filled in"), key("text", Form::Text, "", "The content itself")];

/// The five probes, of which `ready` and `health` take one.
pub(super) const PROBES: &[&str] = &["log", "http", "tcp", "exec", "stdio"];

macro_rules! probe_keys {
    ($($more:expr),* $(,)?) => {
        &[
            key("log", Form::Pattern, "", "A line of its output matches; may capture (?<port>…)"),
            key("http", Form::Text, "", "A URL that answers as expected"),
            key("method", Form::Text, "GET", "http: the method"),
            key("headers", Form::Map(&Form::Text), "", "http: headers to send"),
            key("body", Form::Text, "", "http: what to send"),
            key("expect", Form::Any(&[STATUSES, Form::Pattern]), "200", "http: a status or a list; stdio: what the answer matches"),
            key("expect_body", Form::Pattern, "", "http: what the body matches"),
            key("tcp", Form::Any(&[Form::Text, Form::Integer]), "", "A host:port that accepts a connection"),
            key("exec", TEXTS, "", "A command that exits with 0"),
            key("stdio", Form::Any(&[Form::Text, Form::Table(STDIO)]), "", "A line sent to its stdin and the answer (needs stdin = \"pipe\")"),
            $($more),*
        ]
    };
}

/// `stdio = { … }`
pub(super) const STDIO: &[Key] =
    &[key("send", Form::Text, "", "The line to send"), key("expect", Form::Pattern, "", "What the answer matches")];

/// `ready = { … }`
pub(super) const READY: &[Key] = probe_keys![
    key("timeout", Form::Duration, "30s", "How long it may take"),
    key("interval", Form::Duration, "100ms", "The pause between two attempts"),
];

/// `health = { … }`
pub(super) const HEALTH: &[Key] = probe_keys![
    key("interval", Form::Duration, "5s", "The pause between two probes"),
    key("timeout", Form::Duration, "2s", "The whole time of one probe"),
    key("start_period", Form::Duration, "0s", "Failures in this time after the start do not count"),
    key("failures", Form::Integer, "3", "Failures in a row that make it unhealthy"),
    key("successes", Form::Integer, "1", "Successes in a row that make it healthy again"),
    key("degraded_after", Form::Duration, "", "Slower answers are degraded"),
    key("degraded", STATUSES, "", "Statuses that are degraded"),
    key("on_unhealthy", Form::Choice(&["restart", "none"]), "restart", "What being unhealthy leads to"),
    key("lazy", Form::Bool, "false", "Probe only while somebody looks or waits"),
];

/// Keys of a probe that only this probe has.
pub(super) const HTTP_ONLY: &[&str] = &["method", "headers", "body", "expect_body"];

/// `restart = { … }`
pub(super) const RESTART: &[Key] = &[
    key("policy", Form::Choice(RESTARTS), "on-failure", "Which exits lead to a restart"),
    key("max_attempts", Form::Integer, "3", "on-failure: restarts (not starts) before it gives up"),
    key("backoff", Form::Duration, "1s", "on-failure: the first delay; it doubles"),
    key("max_backoff", Form::Duration, "30s", "on-failure: the longest delay"),
    key("jitter", Form::Number, "0", "on-failure: a share of the delay, 0 to 1, drawn at random on top"),
    key("reset_after", Form::Duration, "60s", "on-failure: alive this long, it counts anew"),
    key("delay", Form::Duration, "1s", "always: the delay before each start"),
];

/// `stop = { … }`
pub(super) const STOP: &[Key] = &[
    key("signal", Form::String, "TERM", "What is sent first"),
    key("grace", Form::Duration, "10s", "How long the tree has before KILL"),
    key("command", TEXTS, "", "A command run instead of the signal"),
];

/// `limits = { … }`
pub(super) const LIMITS: &[Key] = &[
    key("memory", Form::Size, "", "Resident memory of the tree"),
    key("open_files", Form::Integer, "", "Open descriptors of each process"),
    key("processes", Form::Integer, "", "Processes of the user"),
    key("cpu_time", Form::Duration, "", "CPU time of each process"),
    key("cpu", Form::Number, "", "Cores, where cgroups allow it"),
    key("address_space", Form::Size, "", "Address space of each process"),
];

/// `log = { … }`
pub(super) const LOG: &[Key] = &[
    key("format", Form::Choice(FORMATS), "auto", "How lines are taken apart"),
    key("alert", Form::Any(&[Form::Pattern, Form::List(&Form::Pattern)]), "", "Lines that matter, besides the built-in ones"),
    key("max_disk", Form::Size, "4GB", "Bytes kept on disk; the oldest go first"),
];

/// `log.format`
pub(super) const FORMATS: &[&str] = &["auto", "plain", "json", "logfmt", "tracing"];

/// `[[expect]]`
pub(super) const EXPECT: &[Key] = &[
    key("process", Form::Name, "", "Whose output; required"),
    key("must_see", Form::Pattern, "", "A line must match"),
    key("must_not_see", Form::Pattern, "", "No line may match"),
    key("within", Form::Duration, "until the verdict", "From that process's first start"),
    key("count", Form::Text, "", "must_see: how many lines, \">= 300\""),
    key("metric", Form::Pattern, "", "A pattern with one number group"),
    key("p50", Form::Text, "", "metric: \"<= 50ms\""),
    key("p95", Form::Text, "", "metric: \"<= 50ms\""),
    key("p99", Form::Text, "", "metric: \"<= 50ms\""),
    key("max", Form::Text, "", "metric: \"<= 50ms\""),
];

/// `[[step]]`
pub(super) const STEP: &[Key] = &[
    key("when", Form::Table(WHEN), "at once", "What it waits for, counted from the end of the step before"),
    key("do", Form::Any(&[Form::Table(DO), Form::List(&Form::Table(DO))]), "", "What it does"),
    key("title", Form::Plain, "what it does", "What to call it"),
    key("note", Form::Plain, "", "For the audience"),
    key("timeout", Form::Duration, "", "A `when` not met by then fails the run"),
];

/// `when = { … }`
pub(super) const WHEN: &[Key] = &[
    key("after", Form::Duration, "", "This long after the step before"),
    key("process", Form::Name, "", "Whose state or health"),
    key("is", Form::Text, "", "The state or health"),
    key("log", Form::Name, "", "Whose output"),
    key("matches", Form::Pattern, "", "What a line of it matches"),
];

/// `do = { … }`
pub(super) const DO: &[Key] = &[
    key("start", Form::Name, "", "Start this process"),
    key("stop", Form::Name, "", "Stop it; it stays down"),
    key("restart", Form::Name, "", "Stop and start it"),
    key("kill", Form::Name, "", "KILL its tree, as if from outside"),
    key("signal", Form::Table(DO_SIGNAL), "", "Send a signal, as if from outside"),
    key("send", Form::Table(DO_SEND), "", "Write a line to its stdin"),
    key("mark", Form::Text, "", "Put a mark on the timeline"),
    key("wait", Form::Duration, "", "Do nothing this long"),
    key("fault", Form::Table(DO_FAULT), "", "Disturb the traffic of a tapped process"),
    key("rerun", Form::Choice(&["tests"]), "", "New attempts of all tests"),
    key("layout", Form::Text, "", "Show this layout"),
    key("focus", Form::Name, "", "Put the focus on this process"),
    key("filter", Form::Pattern, "", "Filter the log"),
    key("export", Form::Text, "", "Export an archive to this path"),
];

/// `signal = { … }` of a step.
pub(super) const DO_SIGNAL: &[Key] =
    &[key("process", Form::Name, "", "To whom; required"), key("name", Form::String, "", "Which signal; required")];
/// `send = { … }` of a step.
pub(super) const DO_SEND: &[Key] =
    &[key("process", Form::Name, "", "To whom; required"), key("text", Form::Text, "", "The line; required")];
/// `fault = { … }` of a step.
pub(super) const DO_FAULT: &[Key] = &[
    key("at", Form::Name, "", "In front of which process; required"),
    key("kind", Form::Choice(FAULTS), "", "What goes wrong; required"),
    key("delay", Form::Duration, "", "delay, jitter, slow-body: how long"),
    key("status", Form::Integer, "", "status: which"),
    key("method", Form::Text, "all", "Only requests with this method"),
    key("count", Form::Integer, "without end", "Only so many"),
];
/// `fault.kind`
pub(super) const FAULTS: &[&str] = &["delay", "jitter", "status", "drop", "reset", "half-close", "slow-body", "truncate", "none"];

/// The words that a step's `is` may name: states, then healths.
pub(super) const STATES: &[&str] = &[
    "pending",
    "starting",
    "running",
    "ready",
    "unhealthy",
    "backoff",
    "stopping",
    "stopped",
    "completed",
    "failed",
    "gave-up",
    "skipped",
];
/// The healths that are no states.
pub(super) const HEALTHS: &[&str] = &["healthy", "degraded"];

/// Own keys of the kinds, which no other process may have.
pub(super) const KIND_KEYS: &[(&str, &[Key])] = &[
    (
        "shadowcat",
        &[
            key("mode", Form::Choice(&["forward", "reverse", "stdio"]), "", "How it proxies; required"),
            key("upstream", Form::Text, "", "The full URL it sends to, or \"stdio\" for a server that it starts itself"),
            key("upstream_token", Form::Text, "", "The bearer token it sends upstream"),
            key("program", Form::Text, "SHADOWCAT_BIN", "Shadowcat itself; without it a stand-in runs"),
            key("argv", TEXTS, "", "stdio: the server's program and arguments"),
        ],
    ),
    (
        "mcp-validator",
        &[
            key("path", Form::Text, "MCP_VALIDATOR_DIR", "A checkout of mcp-validator; without it a stand-in runs"),
            key("token", Form::Text, "", "The bearer token it takes"),
        ],
    ),
    (
        "mock-upstream",
        &[
            key("token", Form::Text, "", "The bearer token it takes"),
            key("response_delay", Form::Duration, "0s", "Before each answer"),
            key("jitter", Form::Duration, "0s", "A random time on top of it"),
            key("start_delay", Form::Duration, "0s", "Before it listens"),
            key("fail_after", Form::Text, "", "Answers with errors after \"3 calls\" or \"2s\""),
            key("crash_after", Form::Text, "", "Panics after \"3 calls\" or \"2s\""),
            key("hang_after", Form::Text, "", "Answers nothing any more after \"3 calls\" or \"2s\""),
            key("bad_frames", Form::Any(&[Form::Bool, Form::Integer]), "false", "n: every n-th answer is no valid message; true: each"),
            key("flap_health", Form::Duration, "", "/health answers 503 in every other span of this length"),
            key("answers", Form::Choice(ANSWERS), "json", "The form of its answers"),
            key("revision", Form::Choice(REVISIONS), "2025-06-18", "The revision of MCP it speaks"),
        ],
    ),
    (
        "test-client",
        &[
            key("target", Form::Text, "", "The full URL it calls, or \"stdio\" for a server that it starts itself; required"),
            key("argv", TEXTS, "", "stdio: the server's program and arguments"),
            key("scenario", Form::Choice(CLIENT_SCENARIOS), "tools", "What it does"),
            key("tool", Form::Text, "echo", "The tool it calls; any result but an error does, of echo its message"),
            key("arguments", Form::Text, "{}", "The tool's arguments, as JSON"),
            key("calls", Form::Integer, "", "How many calls"),
            key("rate", Form::Number, "", "Calls per second"),
            key("duration", Form::Duration, "", "How long it calls"),
            key("concurrency", Form::Integer, "1", "Sessions at once"),
            key("retries", Form::Integer, "0", "Attempts after a failed one"),
            key("token", Form::Text, "", "The bearer token it sends"),
            key("headers", Form::Map(&Form::Text), "", "Headers it sends"),
        ],
    ),
];

/// `revision` of a mock upstream.
pub(super) const REVISIONS: &[&str] = &["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"];
/// `answers` of a mock upstream.
pub(super) const ANSWERS: &[&str] = &["json", "sse"];
/// `scenario` of a test client.
pub(super) const CLIENT_SCENARIOS: &[&str] = &["ping", "tools", "stream", "auth", "session-loss", "concurrency", "soak"];

/// The own keys of `kind`.
pub(super) fn of_kind(kind: &str) -> &'static [Key] {
    KIND_KEYS.iter().find(|(name, _)| *name == kind).map_or(&[], |(_, keys)| keys)
}

/// The kinds that have `key` as one of their own.
pub(super) fn owners(key: &str) -> Vec<&'static str> {
    KIND_KEYS.iter().filter(|(_, keys)| keys.iter().any(|k| k.name == key)).map(|(kind, _)| *kind).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_table_has_a_key_twice_and_no_kind_takes_a_key_of_every_process() {
        for keys in [TOP, PROCESS, READY, HEALTH, RESTART, STOP, LIMITS, LOG, EXPECT, STEP, WHEN, DO] {
            let mut names: Vec<_> = keys.iter().map(|k| k.name).collect();
            names.sort_unstable();
            assert!(names.windows(2).all(|w| w[0] != w[1]), "{names:?}");
        }
        for (kind, keys) in KIND_KEYS {
            assert!(KINDS.contains(kind));
            assert!(keys.iter().all(|k| !PROCESS.iter().any(|p| p.name == k.name)), "{kind}");
        }
    }
}
