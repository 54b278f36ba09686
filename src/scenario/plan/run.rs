//! The whole plan: where the file came from, ports, the order of the start, each process, what is expected of the logs, steps.

use super::{
    super::{
        graph,
        load::Scenario,
        locate::Origin,
        names::{PortWish, in_front},
        values::{duration_text, size_text},
        walk::RECORDING_MAX_DISK,
    },
    page::{Page, Style, column},
    process::{process, waits},
    words::words,
};
use crate::{
    model::{Containment, ExpectationInfo, ProcessId, Role, RunSpec, StepInfo, StepSpec},
    redact::Redactor,
};

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
    let mut out = Page::new(styled);
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
    Redactor::new(scenario.secrets()).mask(out.text()).into_owned()
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
    let kept =
        (spec.recording_max_disk != RECORDING_MAX_DISK).then(|| format!("   recording up to {}", size_text(spec.recording_max_disk)));
    let held = (spec.containment != Containment::Auto).then(|| format!("   containment {}", spec.containment.word()));
    let settings = [kept, held].into_iter().flatten().collect::<String>();
    let processes = count(spec.processes.len(), "process", "processes");
    out.line(&format!("{processes}, {}   {timeout}{settings}{warnings}", count(tests, "test", "tests")));
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
        let owner = scenario.draft().processes.values().find(|p| p.listens.iter().any(|l| l.name == in_front(name)));
        out.line(&format!("  {name:<width$}  {wish:<14}  {}", owner.map_or("-", |p| p.id.as_str())));
    }
}

fn steps(out: &mut Page, steps: &[StepSpec]) {
    if steps.is_empty() {
        return;
    }
    out.heading("Steps");
    for (number, step) in (1..).zip(steps) {
        let StepInfo { when, what, title, note, idle: _ } = StepInfo::of(step);
        let what = if title.is_empty() || what.is_empty() { format!("{title}{what}") } else { format!("{title}: {what}") };
        let timeout = step.timeout.map(|timeout| format!("within {}", duration_text(timeout)));
        let when = [Some(when).filter(|when| !when.is_empty()), timeout].into_iter().flatten().collect::<Vec<_>>().join(", ");
        let parts = [when, what, note].into_iter().filter(|part| !part.is_empty());
        out.hanging(Style::Plain, &format!("{number:>3}  "), &parts.collect::<Vec<_>>().join(" \u{2192} "));
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
            out.hanging(Style::Plain, &format!("{number:>3}  {id:<width$}  "), &waits);
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
        out.hanging(Style::Plain, &format!("  {:<width$}  ", expectation.process), &ExpectationInfo::of(expectation).words());
    }
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
        insta::assert_snapshot!(plan(super::super::super::bundled::BUNDLED[0].text));
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

    #[test]
    fn the_plan_tells_taps_faults_and_what_is_not_as_usual() {
        let text = r#"
            name = "rest"
            containment = "group"
            recording = { max_disk = "2GB" }
            [ports]
            web = "auto"
            [process.web]
            command = ["./web", "a*b", "http://x/?a=b&c"]
            listens = "web"
            tap = true
            limits = { cpu = 1 }
            restart = { jitter = 0.2 }
            ready = { http = "${process.web.url}/", headers = { A = "b", C = "d" }, body = "x", interval = "1s" }
            [[step]]
            when = { process = "web", is = "ready" }
            do = { fault = { at = "web", kind = "status", status = 503, method = "tools/call", count = 3 } }
            note = "A note that is longer than the line which is left for it, so that it goes on in the next one, and in the one behind that."
        "#;
        insta::assert_snapshot!(plan(text));
    }
}
