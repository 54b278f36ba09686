//! The plan of a scenario: what `check` prints. Made for 80 columns, and for reading from top to bottom.

use std::time::Duration;

use super::{
    graph,
    load::Scenario,
    locate::Origin,
    names::PortWish,
    suggest::visible,
    values::{duration_text, size_text},
};
use crate::{
    model::{
        ExpectationInfo, HealthSpec, LogSpec, OnUnhealthy, Probe, ProcessId, ProcessSpec, ReadySpec, RestartMode, RestartPolicy, Role,
        RunSpec, StdinMode, StepInfo, StepSpec, StopSpec, Text,
    },
    redact::{Redactor, looks_secret},
};

/// The width the plan is made for.
const WIDTH: usize = 80;
/// A space at which no line ends.
const TOGETHER: char = '\u{a0}';
/// Where the text behind a label starts.
const INDENT: usize = 13;

/// The plan as text: where the file came from, ports, the order of the start, and for each process what runs and how it is watched.
/// Nothing is leased for it: ports that the run will lease stand as `${ports.NAME}`. Secrets are masked.
pub fn render_plan(scenario: &Scenario) -> String {
    render(scenario, false)
}

/// The same in the colours of a terminal.
pub fn render_plan_styled(scenario: &Scenario) -> String {
    render(scenario, true)
}

fn render(scenario: &Scenario, styled: bool) -> String {
    let spec = scenario.draft();
    let mut out = Page { text: String::new(), styled };
    header(&mut out, scenario);
    ports(&mut out, scenario);
    order(&mut out, scenario);
    for (number, process) in spec.processes.values().enumerate() {
        self::process(&mut out, number + 1, process);
    }
    expectations(&mut out, spec);
    steps(&mut out, &spec.steps);
    for argv in &spec.cleanup {
        out.blank();
        out.line(&format!("At the end: {}", words(argv.iter().map(String::as_str))));
    }
    // What the file spells out and a secret happens to be equal to is masked as it would be in a log.
    Redactor::new(scenario.secrets()).mask(&out.text).into_owned()
}

/// Lines, wrapped.
struct Page {
    text: String,
    styled: bool,
}

/// How a part of a line looks on a terminal.
#[derive(Clone, Copy)]
enum Style {
    Plain,
    Bold,
    Faint,
}

impl Page {
    fn line(&mut self, text: &str) {
        self.parts(&[(Style::Plain, text)]);
    }

    /// One line in several styles.
    fn parts(&mut self, parts: &[(Style, &str)]) {
        let last = parts.len().saturating_sub(1);
        for (i, (style, text)) in parts.iter().enumerate() {
            let text = if i == last { text.trim_end() } else { text };
            let code = match style {
                Style::Bold if self.styled => "\x1b[1m",
                Style::Faint if self.styled => "\x1b[2m",
                _ => "",
            };
            self.text.push_str(code);
            self.text.push_str(&visible(text).replace(TOGETHER, " "));
            self.text.push_str(if code.is_empty() { "" } else { "\x1b[0m" });
        }
        self.text.push('\n');
    }

    /// A heading over what follows.
    fn heading(&mut self, text: &str) {
        self.blank();
        self.parts(&[(Style::Bold, text)]);
    }

    fn blank(&mut self) {
        self.text.push('\n');
    }

    /// `    label    text`, the text wrapped at spaces under itself.
    fn field(&mut self, label: &str, text: &str) {
        let label = format!("    {label:<9}");
        let mut line = label.clone();
        let mut empty = true;
        let show = |page: &mut Self, line: &str| match line.strip_prefix(&label) {
            Some(text) => page.parts(&[(Style::Faint, &label), (Style::Plain, text)]),
            None => page.line(line),
        };
        for word in text.split(' ').filter(|w| !w.is_empty()) {
            let width = |s: &str| s.chars().count();
            if !empty && width(&line) + 1 + width(word) > WIDTH {
                show(self, &line);
                line = " ".repeat(INDENT + 2);
                empty = true;
            }
            if !empty {
                line.push(' ');
            }
            line.push_str(word);
            empty = false;
        }
        show(self, &line);
    }
}

fn header(out: &mut Page, scenario: &Scenario) {
    let spec = scenario.draft();
    out.parts(&[(Style::Bold, &spec.name), (Style::Plain, &format!("   {}", spec.description))]);
    let how = match scenario.origin() {
        Origin::Path => "",
        Origin::Folder => " (found in scenarios/)",
        Origin::Bundled => " (inside this program)",
    };
    let files: Vec<_> = std::iter::once(&spec.origin).chain(&scenario.below).map(String::as_str).collect();
    out.line(&format!("{}{how}", files.join(" over ")));
    let tests = spec.processes.values().filter(|p| p.role == Role::Test).count();
    let count = |n: usize, one: &str, many: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {many}") };
    let timeout = spec.timeout.map_or_else(|| "no timeout".into(), |t| format!("timeout {}", duration_text(t)));
    let warnings = match scenario.warnings().warnings() {
        0 => String::new(),
        n => format!("   {}", count(n, "warning", "warnings")),
    };
    out.line(&format!("{}, {}   {timeout}{warnings}", count(spec.processes.len(), "process", "processes"), count(tests, "test", "tests")));
}

fn ports(out: &mut Page, scenario: &Scenario) {
    if scenario.needed_ports.is_empty() {
        return;
    }
    let width = column(scenario.needed_ports.iter().map(String::as_str));
    out.heading("Ports");
    for name in &scenario.needed_ports {
        let wish = match scenario.names().wish(name) {
            Some(PortWish::Fixed(port)) => port.to_string(),
            Some(PortWish::Within(range)) => format!("{} to {}", range.start(), range.end()),
            Some(PortWish::Auto) | None => "auto".into(),
        };
        let owner = scenario.draft().processes.values().find(|p| p.listens.iter().any(|l| l.name == *name));
        out.line(&format!("  {name:<width$}  {wish:<14}  {}", owner.map_or("-", |p| p.id.as_str())));
    }
}

fn steps(out: &mut Page, steps: &[StepSpec]) {
    if steps.is_empty() {
        return;
    }
    out.blank();
    out.line("Steps");
    for (number, step) in (1..).zip(steps) {
        let StepInfo { when, what, note } = StepInfo::of(step);
        let timeout = step.timeout.map(|timeout| format!("within {}", duration_text(timeout)));
        let when = [Some(when).filter(|when| !when.is_empty()), timeout].into_iter().flatten().collect::<Vec<_>>().join(", ");
        let parts = [when, what, note].into_iter().filter(|part| !part.is_empty());
        out.field(&format!("{number:>2}"), &parts.collect::<Vec<_>>().join(" \u{2192} "));
    }
}

/// Layer by layer: a number, then who starts and what it waits for.
fn order(out: &mut Page, scenario: &Scenario) {
    let processes = &scenario.draft().processes;
    let width = column(processes.keys().map(ProcessId::as_str));
    out.heading("Start, each as soon as what it waits for holds");
    for (number, layer) in graph::layers(processes).iter().enumerate() {
        for (i, id) in layer.iter().enumerate() {
            let Some(process) = processes.get(id) else { continue };
            let number = if i == 0 { (number + 1).to_string() } else { String::new() };
            let waits = waits(process);
            let waits =
                if process.autostart { waits } else { format!("not with the run{}{waits}", if waits.is_empty() { "" } else { "; " }) };
            out.line(&format!("{number:>3}  {id:<width$}  {waits}"));
        }
    }
}

/// What the logs must and must not say.
fn expectations(out: &mut Page, spec: &RunSpec) {
    if spec.expectations.is_empty() {
        return;
    }
    let width = column(spec.processes.keys().map(ProcessId::as_str));
    out.heading("Expected of the logs, part of the verdict");
    for expectation in &spec.expectations {
        out.line(&format!("  {:<width$}  {}", expectation.process, ExpectationInfo::of(expectation).words()));
    }
}

/// `upstream ready, proxy ready (for its port)`
fn waits(process: &ProcessSpec) -> String {
    let ports = process.needs_ports_of();
    let why = |id: &ProcessId| if ports.contains(id) { " (for its port)" } else { "" };
    process.depends_on.iter().map(|d| format!("{} {}{}", d.on, d.condition.word(), why(&d.on))).collect::<Vec<_>>().join(", ")
}

fn process(out: &mut Page, number: usize, process: &ProcessSpec) {
    out.blank();
    let kind = match (&process.kind, process.stand_in) {
        (Some(kind), true) => format!("   {kind} (a built-in stand-in)"),
        (Some(kind), false) => format!("   {kind}"),
        (None, _) => String::new(),
    };
    let name = format!("{number:>3} {}", process.id);
    out.parts(&[(Style::Bold, &name), (Style::Plain, &format!("   {}{kind}", process.role.word()))]);
    out.field("runs", &words(texts(&process.argv).iter().map(String::as_str)));
    out.field("in", &process.cwd.to_string_lossy());
    if let Some(env) = env(process) {
        out.field("env", &env);
    }
    if !process.listens.is_empty() {
        out.field("listens", &process.listens.iter().map(|l| l.name.clone()).collect::<Vec<_>>().join(", "));
    }
    let waits = waits(process);
    if !waits.is_empty() {
        out.field("after", &waits);
    }
    for (label, text) in manner(process) {
        out.field(label, &text);
    }
}

/// How a process is watched, restarted and stopped, in words: a label and a text each.
fn manner(process: &ProcessSpec) -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("ready", ready(&process.ready)),
        ("health", process.health.as_ref().map_or_else(|| "not watched".into(), |h| health(h, process.restart.mode))),
        ("restart", restart(&process.restart)),
        ("stop", stop(&process.stop)),
    ];
    if let Some(timeout) = process.timeout {
        fields.push(("timeout", format!("fails when one start of it lives longer than {}", duration_text(timeout))));
    }
    fields.extend(limits(process).map(|limits| ("limits", limits)));
    fields.extend(log(&process.log).map(|log| ("log", log)));
    let stdin = if process.stdin == StdinMode::Pipe { "stdin is a pipe" } else { "" };
    let terminal = [stdin, if process.tty { "a terminal of its own" } else { "" }];
    let terminal: Vec<_> = terminal.into_iter().filter(|t| !t.is_empty()).collect();
    if !terminal.is_empty() {
        fields.push(("input", terminal.join(", ")));
    }
    fields.extend(process.files.iter().map(|file| ("file", file.path.display().to_string())));
    if !process.watch.is_empty() {
        let globs: Vec<_> = process.watch.iter().map(ToString::to_string).collect();
        fields.push(("watches", format!("{}; a change restarts it", globs.join(" "))));
    }
    fields.extend(process.skip_if_exists.iter().map(|path| ("skipped", format!("where {} is there", path.display()))));
    fields.extend(process.cleanup.iter().map(|argv| ("cleanup", words(argv.iter().map(String::as_str)))));
    fields
}

/// Everything about how a process is set up but its command line: a label and a text each, for who looks at it in a run, and for
/// its record. Nothing is masked here but what stands in variables whose names look secret.
pub(crate) fn settings(process: &ProcessSpec) -> Vec<(String, String)> {
    let shown = |name: &str, value: &str| if looks_secret(name) { "*".repeat(value.chars().count()) } else { quoted(value) };
    let env = env_of(process, shown).map(|env| ("env", env));
    let fields = manner(process).into_iter().chain(env);
    fields.map(|(label, text)| (label.to_owned(), text.replace(TOGETHER, " "))).collect()
}

/// `nothing inherited PORT=20001`
fn env(process: &ProcessSpec) -> Option<String> {
    env_of(process, |_, value| quoted(value))
}

fn env_of(process: &ProcessSpec, shown: impl Fn(&str, &str) -> String) -> Option<String> {
    let env: Vec<_> = process.env.iter().map(|(name, value)| format!("{name}={}", shown(name, &value.to_string()))).collect();
    let inherits = if process.env_clear { "nothing inherited " } else { "" };
    (!env.is_empty() || process.env_clear).then(|| format!("{inherits}{}", env.join(" ")))
}

fn ready(ready: &ReadySpec) -> String {
    match &ready.probe {
        None => "as soon as it runs".into(),
        Some(probe) => format!("{}, within {}", question(probe), duration_text(ready.timeout)),
    }
}

/// What a process must show to be ready, in words: `127.0.0.1:20001 accepts a connection`. Nothing is masked here.
pub(crate) fn awaited(process: &ProcessSpec) -> String {
    let probe = process.ready.probe.as_ref().map(|probe| question(probe).replace(TOGETHER, " "));
    let listens = || process.listens.iter().map(|l| format!("a listener of its own on port {}", l.port)).collect::<Vec<_>>().join(" and ");
    probe.unwrap_or_else(listens)
}

fn question(probe: &Probe) -> String {
    match probe {
        Probe::Http(http) => {
            let body = http.expect_body.as_ref().map_or_else(String::new, |p| format!(" with a body that matches {}", quoted(p.as_str())));
            format!("{} {} answers {}{body}", http.method, http.url, either(&http.expect))
        }
        Probe::Tcp { addr } => format!("{addr} accepts a connection"),
        Probe::Log { pattern } => format!("a line matches {}", quoted(pattern.as_str())),
        Probe::Exec { argv } => format!("exit 0 of {}", words(texts(argv).iter().map(String::as_str))),
        Probe::Custom(custom) => custom.name().to_owned(),
        Probe::Stdio { send, expect } => format!("{} on stdin is answered by {}", quoted(send), quoted(expect.as_str())),
    }
}

fn health(health: &HealthSpec, restarts: RestartMode) -> String {
    let times = |n: u32| if n == 1 { "1 failure".into() } else { format!("{n} failures") };
    let asked =
        format!("{} every {} (at most {} each)", question(&health.probe), duration_text(health.interval), duration_text(health.timeout));
    let then = if health.on_unhealthy == OnUnhealthy::Restart && restarts != RestartMode::Never { ", then restarted" } else { "" };
    let all = [
        Some(asked),
        Some(format!("unhealthy after {}{then}", times(health.failures))),
        (health.successes > 1).then(|| format!("healthy again after {} successes", health.successes)),
        (!health.start_period.is_zero()).then(|| format!("failures in the first {} do not count", duration_text(health.start_period))),
        health.degraded_after.map(|after| format!("degraded when slower than {}", duration_text(after))),
        (!health.degraded.is_empty()).then(|| format!("degraded when it answers {}", either(&health.degraded))),
        health.lazy.then(|| "only while somebody looks".into()),
    ];
    all.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// `200 or 204`
fn either(statuses: &[u16]) -> String {
    statuses.iter().map(u16::to_string).collect::<Vec<_>>().join(" or ")
}

fn restart(policy: &RestartPolicy) -> String {
    match policy.mode {
        RestartMode::Never => "never".into(),
        RestartMode::OnFailure if policy.max_attempts == 0 => "never (max_attempts is 0)".into(),
        RestartMode::OnFailure => {
            let delays: Vec<_> = (0..policy.max_attempts.min(5)).map(|n| duration_text(delay(policy, n))).collect();
            let more = if policy.max_attempts > 5 { ", …" } else { "" };
            let times = if policy.max_attempts == 1 { "once".into() } else { format!("{} times", policy.max_attempts) };
            format!("on failure, {times}: after {}{more}; counts anew after {} alive", delays.join(", "), duration_text(policy.reset_after))
        }
        RestartMode::Always => format!("always, after {}; gives up after 10 exits in a minute", duration_text(policy.delay)),
    }
}

/// The delay before the restart with this number, from 0, without jitter.
fn delay(policy: &RestartPolicy, number: u32) -> Duration {
    policy.backoff.saturating_mul(1_u32.checked_shl(number).unwrap_or(u32::MAX)).min(policy.max_backoff)
}

fn stop(stop: &StopSpec) -> String {
    let first = stop.command.as_ref().map_or_else(|| stop.signal.short(), |argv| words(texts(argv).iter().map(String::as_str)));
    if stop.grace.is_zero() { "KILL at once".into() } else { format!("{first}, KILL after {}", duration_text(stop.grace)) }
}

/// How its output is read, where the file says something about it.
fn log(log: &LogSpec) -> Option<String> {
    let default = LogSpec::default();
    let alerts: Vec<_> = log.alert.iter().map(|pattern| quoted(pattern.as_str())).collect();
    let all = [
        (log.format != default.format).then(|| format!("lines are {}", log.format.word())),
        (!alerts.is_empty()).then(|| format!("alerts at {}", alerts.join(", "))),
        (log.max_disk != default.max_disk).then(|| format!("keeps {}", size_text(log.max_disk))),
    ];
    let all: Vec<_> = all.into_iter().flatten().collect();
    (!all.is_empty()).then(|| all.join("; "))
}

fn limits(process: &ProcessSpec) -> Option<String> {
    let l = &process.limits;
    let all: Vec<_> = [
        l.memory.map(|n| format!("{} of memory", size_text(n))),
        l.open_files.map(|n| format!("{n} open files")),
        l.processes.map(|n| format!("{n} processes")),
        l.cpu_time.map(|t| format!("{} of CPU time", duration_text(t))),
        l.cpu.map(|n| format!("{n} cores")),
        l.address_space.map(|n| format!("{} of address space", size_text(n))),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!all.is_empty()).then(|| all.join(", "))
}

fn texts(argv: &[Text]) -> Vec<String> {
    argv.iter().map(ToString::to_string).collect()
}

/// A command line as a shell would take it. A flag and its value are kept on one line.
fn words<'a>(argv: impl Iterator<Item = &'a str>) -> String {
    let mut line = String::new();
    let mut after_flag = false;
    for word in argv {
        if !line.is_empty() {
            line.push(if after_flag && !word.starts_with('-') { TOGETHER } else { ' ' });
        }
        after_flag = word.starts_with("--") && !word.contains('=');
        line.push_str(&quoted(word));
    }
    line
}

/// A word as a shell would take it; `${ports.NAME}` stays legible.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_@%+=:,./${}-?&*~^".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The width of a column of names.
fn column<'a>(names: impl Iterator<Item = &'a str>) -> usize {
    names.map(str::len).max().unwrap_or(0).clamp(10, 40)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Environment, Located, Overrides, load};

    fn plan(text: &str) -> String {
        let env = Environment::of([("REAL_TOKEN", "tok-4711-secret")]);
        let overrides = Overrides { env, ..Overrides::default() };
        render_plan(&load(&Located::text("x.toml", "/work/x", text), &overrides).unwrap_or_else(|d| panic!("{d}")))
    }

    #[test]
    fn the_plan_of_forward_reads_from_top_to_bottom() {
        insta::assert_snapshot!(plan(super::super::bundled::BUNDLED[0].text));
    }

    #[test]
    fn the_plan_shows_everything_that_was_set_and_no_secret() {
        let text = r#"
            name = "all"
            [secrets]
            token = { env = "REAL_TOKEN" }
            [ports]
            a = { from = 20000, to = 20100 }
            b = 9464
            [process.up]
            shell = "exec python3 -m http.server \"$PORT\" --bind 127.0.0.1"
            env = { PORT = "${ports.a}", TOKEN = "${secrets.token}", SAME = "tok-4711-secret", MODE = "a b" }
            listens = ["a", "b"]
            limits = { open_files = 64, cpu_time = "30s" }
            restart = { policy = "on-failure", max_attempts = 4, backoff = "500ms", max_backoff = "2s" }
            stop = { signal = "INT", grace = "3s" }
            timeout = "5m"
            stdin = "pipe"
            [process.up.health]
            http = "${process.up.url}/status"
            expect = [200, 204]
            expect_body = '"ok": ?true'
            degraded_after = "200ms"
            start_period = "2s"
            successes = 2
            [process.late]
            command = ["./bin/late", "--port", "${process.up.port}", "it's", ""]
            depends_on = { up = "healthy" }
            autostart = false
            ready = { log = 'listening on .*:(?<port>\d+)' }
            restart = "always"
            [process.end]
            command = ["curl", "${process.late.url}/a/rather/long/path/that/will/not/fit/on/one/line?with=a&query=too", "--fail", "--silent", "--show-error"]
            role = "test"
            cleanup = [["rm", "-f", "/tmp/x"]]
            log = { alert = ['slow query', 'ERROR'], format = "json", max_disk = "1GB" }
            [process.build]
            command = ["make"]
            role = "task"
            skip_if_exists = "out/app"
            [process.page]
            command = ["serve", "${process.dir}/page.html"]
            files = { "page.html" = { text = "hello" } }
            watch = ["src/**/*.js", "!src/generated/**"]
            [[expect]]
            process = "end"
            must_see = "done"
            count = ">= 2"
            within = "5s"
            [[expect]]
            process = "up"
            must_not_see = ' 5\d\d '
        "#;
        let plan = plan(text);
        assert!(!plan.contains("4711"), "{plan}");
        insta::assert_snapshot!(plan);
    }
}
