//! Probes, policies and limits in words, and command lines as a shell would take them.

use std::time::Duration;

use super::{
    super::{
        values::{duration_text, size_text},
        walk::READY_INTERVAL,
    },
    page::TOGETHER,
};
use crate::model::{
    HealthSpec, HttpProbe, LogSpec, OnUnhealthy, Probe, ProcessSpec, ReadySpec, RestartMode, RestartPolicy, StopSpec, Text,
};

pub(super) fn ready(ready: &ReadySpec) -> String {
    match &ready.probe {
        None => "as soon as it runs".into(),
        Some(probe) => {
            let asked = !matches!(probe, Probe::Log { .. }) && ready.interval != READY_INTERVAL;
            let every = if asked { format!(" (asked every {})", duration_text(ready.interval)) } else { String::new() };
            format!("{}{every}, within {}", question(probe), duration_text(ready.timeout))
        }
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
            format!("{} {}{} answers {}{body}", http.method, http.url, sent(http), either(&http.expect))
        }
        Probe::Tcp { addr } => format!("{addr} accepts a connection"),
        Probe::Log { pattern } => format!("a line matches {}", quoted(pattern.as_str())),
        Probe::Exec { argv } => format!("exit 0 of {}", words(texts(argv).iter().map(String::as_str))),
        Probe::Custom(custom) => custom.name().to_owned(),
        Probe::Stdio { send, expect } => format!("{} on stdin is answered by {}", quoted(send), quoted(expect.as_str())),
    }
}

pub(super) fn health(health: &HealthSpec, restarts: RestartMode) -> String {
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

/// ` with Authorization and a body`: what a request has beside its URL. Not what a header says, which is often a token.
fn sent(http: &HttpProbe) -> String {
    let headers = http.headers.iter().map(|(name, _)| name.as_str());
    let all: Vec<_> = headers.chain(http.body.as_ref().map(|_| "a body")).collect();
    match all.as_slice() {
        [] => String::new(),
        [one] => format!(" with {one}"),
        [first @ .., last] => format!(" with {} and {last}", first.join(", ")),
    }
}

/// `200 or 204`
fn either(statuses: &[u16]) -> String {
    statuses.iter().map(u16::to_string).collect::<Vec<_>>().join(" or ")
}

pub(super) fn restart(policy: &RestartPolicy) -> String {
    match policy.mode {
        RestartMode::Never => "never".into(),
        RestartMode::OnFailure if policy.max_attempts == 0 => "never (max_attempts is 0)".into(),
        RestartMode::OnFailure => {
            let delays: Vec<_> = (0..policy.max_attempts.min(5)).map(|n| duration_text(delay(policy, n))).collect();
            let more = if policy.max_attempts > 5 { ", …" } else { "" };
            let times = if policy.max_attempts == 1 { "once".into() } else { format!("{} times", policy.max_attempts) };
            let random =
                if policy.jitter > 0.0 { format!(", and up to {} % more", (policy.jitter * 100.0).round()) } else { String::new() };
            format!(
                "on failure, {times}: after {}{more}{random}; counts anew after {} alive",
                delays.join(", "),
                duration_text(policy.reset_after)
            )
        }
        RestartMode::Always => format!("always, after {}; gives up after 10 exits in a minute", duration_text(policy.delay)),
    }
}

/// The delay before the restart with this number, from 0, without jitter.
fn delay(policy: &RestartPolicy, number: u32) -> Duration {
    policy.backoff.saturating_mul(1_u32.checked_shl(number).unwrap_or(u32::MAX)).min(policy.max_backoff)
}

pub(super) fn stop(stop: &StopSpec) -> String {
    let signal = stop.signal.short();
    let command = stop.command.as_ref().map(|argv| words(texts(argv).iter().map(String::as_str)));
    let first = command.map_or_else(|| signal.clone(), |command| format!("{command}, or {signal} where that fails"));
    if stop.grace.is_zero() { "KILL at once".into() } else { format!("{first}, KILL after {}", duration_text(stop.grace)) }
}

/// How its output is read, where the file says something about it.
pub(super) fn log(log: &LogSpec) -> Option<String> {
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

pub(super) fn limits(process: &ProcessSpec) -> Option<String> {
    let l = &process.limits;
    let all: Vec<_> = [
        l.memory.map(|n| format!("{} of memory", size_text(n))),
        l.open_files.map(|n| format!("{n} open files")),
        l.processes.map(|n| format!("{n} processes")),
        l.cpu_time.map(|t| format!("{} of CPU time", duration_text(t))),
        l.cpu.map(|n| if n <= 1.0 { format!("{n} core") } else { format!("{n} cores") }),
        l.address_space.map(|n| format!("{} of address space", size_text(n))),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!all.is_empty()).then(|| all.join(", "))
}

pub(super) fn texts(argv: &[Text]) -> Vec<String> {
    argv.iter().map(ToString::to_string).collect()
}

/// A command line as a shell would take it. A flag and its value are kept on one line.
pub(super) fn words<'a>(argv: impl Iterator<Item = &'a str>) -> String {
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

/// A word as a shell would take it; `${ports.NAME}`, which the run fills in, and `****` stay legible.
pub(super) fn quoted(word: &str) -> String {
    if !word.is_empty() && is_one_word(word) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// Whether a shell reads it as it stands, but for what the run fills in.
fn is_one_word(word: &str) -> bool {
    let plain = |text: &str| text.replace("****", "").chars().all(|c| c.is_alphanumeric() || "_@%+=:,./-".contains(c));
    let mut rest = word;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, behind)) = after.split_once('}') else { return false };
        let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        if !plain(before) || !is_name {
            return false;
        }
        rest = behind;
    }
    plain(rest)
}
