//! One process of the plan: its command line, and the fields that say how it is watched, restarted and stopped.

use super::{
    super::values::duration_text,
    page::{Page, Style, TOGETHER},
    words::{health, limits, log, quoted, ready, restart, stop, texts, words},
};
use crate::{
    model::{Dependency, ProcessId, ProcessSpec, StdinMode},
    redact::looks_secret,
};

/// `upstream ready, proxy ready (for its port)`
pub(super) fn waits(process: &ProcessSpec) -> String {
    let ports = process.needs_ports_of();
    let why = |id: &ProcessId| if ports.contains(id) { " (for its port)" } else { "" };
    let mut all: Vec<String> = Vec::new();
    let mut rest = process.depends_on.as_slice();
    while let Some(first) = rest.first() {
        let count = replicas(rest);
        let name = if count > 2 { format!("{} to {}", first.on, rest[count - 1].on) } else { first.on.to_string() };
        let count = if count > 2 { count } else { 1 };
        all.push(format!("{name} {}{}", first.condition.word(), why(&first.on)));
        rest = &rest[count..];
    }
    all.join(", ")
}

/// How many of these, from the first on, are one process and those counted behind it, all under one condition.
fn replicas(all: &[Dependency]) -> usize {
    let parts = |dependency: &Dependency| {
        let (base, number) = dependency.on.as_str().rsplit_once('-')?;
        Some((base.to_owned(), number.parse::<usize>().ok()?, dependency.condition))
    };
    let Some((base, number, condition)) = all.first().and_then(parts) else { return 1 };
    (0..).zip(all).take_while(|(i, dependency)| parts(dependency).is_some_and(|p| p == (base.clone(), number + i, condition))).count()
}

pub(super) fn process(out: &mut Page, number: usize, process: &ProcessSpec) {
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
    if process.tap {
        let tap =
            if process.taps_pipes() { "what goes over its pipes is recorded" } else { "a recording hop in front of what it listens on" };
        fields.push(("tap", tap.to_owned()));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Condition, ProcessId};

    #[test]
    fn replicas_in_a_row_are_told_as_one() {
        let on = |name: &str, condition| Dependency { on: ProcessId::new(name).expect("a name"), condition };
        let ready = |name| on(name, Condition::Ready);
        assert_eq!(replicas(&[ready("w-1"), ready("w-2"), ready("w-3"), ready("x-4")]), 3);
        assert_eq!(replicas(&[ready("w-1"), ready("w-3")]), 1, "one of them is left out");
        assert_eq!(replicas(&[ready("w-1"), on("w-2", Condition::Started)]), 1);
        assert_eq!((replicas(&[ready("db")]), replicas(&[])), (1, 1));
    }
}
