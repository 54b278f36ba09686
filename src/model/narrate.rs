//! Events in words: the lifecycle lines in the log, the events pane and `run`'s `NAME * text` lines.

use std::time::Duration;

use super::{
    Actor, Event, EventKind, Exit, Failure, Health, Leak, NoticeLevel, ProcessId, Role, Standing, StartCause, StepStage, Then,
    human_duration, make_one_line,
};

/// What a failure means that no policy makes good.
const CANNOT_PASS: &str = "the run cannot pass any more";

/// What an event is to the eye: decides its glyph and colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tone {
    /// Something began.
    Start,
    /// Something is as it should be.
    Good,
    /// Something ended as it should.
    Done,
    /// Something is worse than it should be.
    Warn,
    /// It was tried again.
    Again,
    /// Something failed.
    Bad,
    /// Nobody will try again.
    Final,
    /// Something was put to rest on request.
    Rest,
    /// Somebody left a mark.
    Mark,
}

impl Tone {
    /// Its glyph, one cell wide.
    pub fn glyph(self) -> char {
        match self {
            Self::Start => '▶',
            Self::Good => '●',
            Self::Done => '✓',
            Self::Warn => '▲',
            Self::Again => '↻',
            Self::Bad => '✗',
            Self::Final => '■',
            Self::Rest => '○',
            Self::Mark => '◆',
        }
    }
}

/// An event in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Narration {
    /// Glyph and colour.
    pub tone: Tone,
    /// Whom it is about; none: the run.
    pub process: Option<ProcessId>,
    /// What happened: `exited 101 (panic)`.
    pub what: String,
    /// More about it, as the log's lifecycle line shows it; none: the event has no place in the log.
    pub in_log: Option<Vec<String>>,
    /// More about it, as the events pane shows it.
    pub in_events: Vec<String>,
}

impl Narration {
    fn new(tone: Tone, process: Option<&ProcessId>, what: impl Into<String>) -> Self {
        Self { tone, process: process.cloned(), what: what.into(), in_log: None, in_events: Vec::new() }
    }

    /// The same details in the log and in the events pane.
    fn with(mut self, details: Vec<String>) -> Self {
        self.in_log = Some(details.clone());
        self.in_events = details;
        self
    }

    fn log(mut self, details: Vec<String>) -> Self {
        self.in_log = Some(details);
        self
    }

    fn events(mut self, details: Vec<String>) -> Self {
        self.in_events = details;
        self
    }

    /// The log's wording without glyph and process: `exited 101 (panic)   generation 1, up 853 ms`.
    pub fn log_text(&self) -> Option<String> {
        let details = self.in_log.as_ref()?;
        Some(std::iter::once(&self.what).chain(details).map(String::as_str).collect::<Vec<_>>().join("   "))
    }

    /// The events pane's wording without glyph and process.
    pub fn event_text(&self) -> String {
        std::iter::once(&self.what).chain(&self.in_events).map(String::as_str).collect::<Vec<_>>().join("   ")
    }
}

/// Tells `event` in words; none for events that are only data (samples, probes, states). Whatever the event holds, its
/// words are lines that any terminal may be given.
pub fn narrate(event: &Event) -> Option<Narration> {
    let mut told = in_words(event)?;
    std::iter::once(&mut told.what).chain(told.in_log.iter_mut().flatten()).chain(&mut told.in_events).for_each(make_one_line);
    Some(told)
}

fn of_leaks(event: &Event) -> Option<Narration> {
    let (tone, what, whom): (_, _, Vec<String>) = match &event.kind {
        EventKind::Leaked { leaks, .. } => (Tone::Bad, "leaked", leaks.iter().map(left_over).collect()),
        EventKind::LeaksEnded { pids, killed, .. } => {
            (Tone::Done, if *killed { "leak killed" } else { "leak gone" }, pids.iter().map(|pid| format!("pid {pid}")).collect())
        }
        _ => return None,
    };
    Some(Narration::new(tone, event.kind.process(), what).with(whom))
}

fn in_words(event: &Event) -> Option<Narration> {
    let about = event.kind.process();
    let tell = |tone, what: &str| Narration::new(tone, about, what);
    Some(match &event.kind {
        EventKind::Spawned { generation, pid, cause, awaits_ready, .. } => spawned(about, *generation, *pid, cause, *awaits_ready),
        EventKind::Ready { generation, pid, after, evidence, waited_for, .. } => {
            let ready = format!("ready after {}", human_duration(*after));
            let why = if waited_for.is_empty() { evidence.clone() } else { format!("waited for {}", waited_for.join(", ")) };
            if *generation > 1 {
                let log = vec![format!("generation {generation}, pid {pid}"), ready.clone()];
                tell(Tone::Again, "restarted").events(vec![ready, evidence.clone()]).log(log)
            } else {
                tell(Tone::Good, &ready).with(vec![why])
            }
        }
        EventKind::HealthChanged { health, detail, .. } => {
            let tone = match health {
                Health::Healthy => Tone::Good,
                Health::None | Health::Unknown => return None,
                Health::Degraded | Health::Unhealthy => Tone::Warn,
            };
            tell(tone, health.word()).with(vec![detail.clone()])
        }
        EventKind::Signalled { signal, by, stop, .. } => {
            let what = if *stop { format!("{} by {by}", signal.short()) } else { format!("{signal} sent by {by}") };
            tell(if *stop { Tone::Rest } else { Tone::Warn }, &if *stop { format!("stopping   {what}") } else { what }).with(Vec::new())
        }
        EventKind::StopCommand { command, by, .. } => tell(Tone::Rest, &format!("stopping   `{command}` by {by}")).with(Vec::new()),
        EventKind::HoldChanged { held, by, .. } => hold(about, *held, by),
        EventKind::Disturbed { fault, by, .. } => disturbance(about, fault, by),
        EventKind::Exited { .. } => exited(event)?,
        EventKind::Failed { reason, fatal, .. } => {
            let verdict = if *fatal { vec![CANNOT_PASS.to_owned()] } else { Vec::new() };
            let what = if matches!(reason, Failure::Dependency { .. }) { "cannot start" } else { "failed" };
            tell(Tone::Bad, &format!("{what}   {reason}")).with(verdict)
        }
        EventKind::GaveUp { reason, times, same_cause, .. } => {
            tell(Tone::Final, &format!("gave up   {} ×{times}", reason.short())).with(cause_of(*same_cause, *times))
        }
        EventKind::FileChanged { file, more, .. } => tell(Tone::Again, &format!("{file} changed")).with(changed_with(*more)),
        EventKind::AlreadyDone { path, .. } => tell(Tone::Done, "already done").with(vec![format!("{path} is there")]),
        EventKind::TreeStopped { escalated_to_kill: true, took, .. } => {
            tell(Tone::Warn, &format!("needed SIGKILL after {}", human_duration(*took))).with(Vec::new())
        }
        EventKind::Expected { standing: Standing::Violated, what, detail, .. } => {
            tell(Tone::Bad, &format!("violated: {what}")).with(if detail.is_empty() { Vec::new() } else { vec![detail.clone()] })
        }
        EventKind::Expected { standing: Standing::Met, what, line: Some(_), .. } => {
            tell(Tone::Good, &format!("met: {what}")).events(Vec::new())
        }
        EventKind::Leaked { .. } | EventKind::LeaksEnded { .. } => return of_leaks(event),
        EventKind::Marked { text, .. } => tell(Tone::Mark, text).with(Vec::new()),
        EventKind::Notice { level, text } => {
            tell(if *level == NoticeLevel::Info { Tone::Start } else { Tone::Warn }, text).with(Vec::new())
        }
        EventKind::Step { .. } | EventKind::StepsHeld { .. } => return of_the_script(event),
        EventKind::StoppingRun { .. }
        | EventKind::Rerun { .. }
        | EventKind::RunTimedOut { .. }
        | EventKind::GuardianLost { .. }
        | EventKind::VerdictReached { .. } => return of_the_run(event),
        EventKind::StateChanged { state: super::ProcessState::Skipped { because }, .. } => {
            tell(Tone::Rest, "skipped").with(vec![because.clone()])
        }
        EventKind::RunStarted(_)
        | EventKind::ProcessAdded { .. }
        | EventKind::NotReady { .. }
        | EventKind::Progress { .. }
        | EventKind::Probed { .. }
        | EventKind::Alerted { .. }
        | EventKind::TreeStopped { .. }
        | EventKind::StateChanged { .. }
        | EventKind::Sampled { .. }
        | EventKind::Expected { .. }
        | EventKind::Checks { .. }
        | EventKind::Viewed { .. }
        | EventKind::RunEnded { .. }
        | EventKind::Unknown => return None,
    })
}

fn changed_with(more: u32) -> Vec<String> {
    let others = (more > 0).then(|| format!("and {more} more"));
    others.into_iter().chain(["it is restarted".to_owned()]).collect()
}

fn left_over(leak: &Leak) -> String {
    match (leak.pid, leak.port) {
        (Some(pid), None) => format!("pid {pid} {}", leak.command),
        (Some(pid), Some(port)) => format!("port {port} still bound by pid {pid} {}", leak.command),
        (None, Some(port)) => format!("port {port} still bound {}", leak.command),
        (None, None) => leak.command.clone(),
    }
}

fn hold(about: Option<&ProcessId>, held: bool, by: &Actor) -> Narration {
    if held {
        let why = "neither probes nor its policy act on it".to_owned();
        return Narration::new(Tone::Warn, about, format!("held by {by}")).with(vec![why]);
    }
    Narration::new(Tone::Start, about, format!("released by {by}")).with(Vec::new())
}

/// What is done to the traffic in front of a process.
fn disturbance(about: Option<&ProcessId>, fault: &str, by: &Actor) -> Narration {
    if fault.is_empty() {
        return Narration::new(Tone::Start, about, format!("undisturbed again, by {by}")).with(Vec::new());
    }
    Narration::new(Tone::Warn, about, format!("disturbed by {by}")).with(vec![fault.to_owned()])
}

/// How far the script is.
fn of_the_script(event: &Event) -> Option<Narration> {
    if let EventKind::StepsHeld { held, by } = &event.kind {
        let what = if *held { format!("the steps are held by {by}") } else { format!("the steps go on, by {by}") };
        return Some(Narration::new(Tone::Mark, None, what).with(Vec::new()));
    }
    let EventKind::Step { step, stage, what, detail, took_us } = &event.kind else { return None };
    let took = took_us.map(|took| format!("after {}", human_duration(Duration::from_micros(took))));
    let (tone, word) = match stage {
        StepStage::Pending => return None,
        StepStage::Waiting => (Tone::Warn, " waits"),
        StepStage::Started => (Tone::Mark, ""),
        StepStage::Done => (Tone::Done, " done"),
        StepStage::Failed => (Tone::Bad, " failed"),
        StepStage::Skipped => (Tone::Rest, " skipped"),
    };
    // A step that only speaks is told by what it says.
    let details = [Some(what), Some(detail).filter(|detail| *detail != what)].into_iter().flatten().filter(|text| !text.is_empty());
    let details: Vec<_> = match stage {
        StepStage::Done => took.into_iter().collect(),
        _ => details.cloned().chain(took).collect(),
    };
    Some(Narration::new(tone, None, format!("step {step}{word}")).with(details))
}

/// What happened to the run as a whole.
fn of_the_run(event: &Event) -> Option<Narration> {
    let about = event.kind.process();
    let tell = |tone, what: &str| Narration::new(tone, about, what);
    Some(match &event.kind {
        EventKind::StoppingRun { by, now } => {
            tell(Tone::Rest, &format!("the run is being {} by {by}", if *now { "killed" } else { "stopped" })).events(Vec::new())
        }
        EventKind::Rerun { by, process: None } => tell(Tone::Again, &format!("tests run again, by {by}")).with(Vec::new()),
        EventKind::Rerun { by, .. } => tell(Tone::Again, &format!("run again, by {by}: the verdict is open")).with(Vec::new()),
        EventKind::RunTimedOut { limit_ms, waited_for } => {
            let limit = human_duration(Duration::from_millis(*limit_ms));
            let waited_for: Vec<_> = waited_for.iter().map(ProcessId::as_str).collect();
            let waited_for = if waited_for.is_empty() { Vec::new() } else { vec![format!("waited for {}", waited_for.join(", "))] };
            tell(Tone::Bad, &format!("the run has taken longer than {limit}")).with(waited_for)
        }
        EventKind::GuardianLost { why } => {
            tell(Tone::Bad, &format!("guardian lost ({why})")).with(vec!["everything it held was killed, the run is over".into()])
        }
        EventKind::VerdictReached { outcome } => {
            tell(if outcome.exit_code == 0 { Tone::Done } else { Tone::Bad }, outcome.verdict.badge()).events(vec![outcome.reason.clone()])
        }
        _ => return None,
    })
}

fn spawned(about: Option<&ProcessId>, generation: u32, pid: u32, cause: &StartCause, awaits_ready: bool) -> Narration {
    let place = format!("generation {generation}, pid {pid}");
    match cause {
        StartCause::Policy { attempt, of, after_ms } => {
            let count = of.map_or_else(|| format!("restarted ({attempt})"), |of| format!("restarted ({attempt} of {of})"));
            let after = format!("after {}", human_duration(Duration::from_millis(*after_ms)));
            let told = Narration::new(Tone::Again, about, count).events(vec![after, format!("generation {generation}")]);
            // What becomes ready is told in the log once, when it is.
            if awaits_ready { told } else { told.log(vec![place]) }
        }
        StartCause::Asked { by } => {
            let told = Narration::new(Tone::Again, about, format!("started by {by}")).events(vec![place.clone()]);
            told.log(if awaits_ready { Vec::new() } else { vec![place] })
        }
        StartCause::Rerun => Narration::new(Tone::Again, about, "started again").with(vec![place]),
        StartCause::Run => {
            let told = Narration::new(Tone::Start, about, "started").events(vec![format!("pid {pid}")]);
            // What becomes ready is told once, when it is.
            if awaits_ready { told } else { told.log(vec![format!("pid {pid}")]) }
        }
    }
}

/// Whether a process that gave up did so for the same cause each time.
fn cause_of(same: bool, times: u32) -> Vec<String> {
    match (same, times) {
        (true, _) => vec!["same cause each time".to_owned()],
        (false, 2..) => vec!["not the same cause each time".to_owned()],
        (false, _) => Vec::new(),
    }
}

fn exited(event: &Event) -> Option<Narration> {
    let EventKind::Exited { process, generation, exit, asked, by, up, then, same_cause, progress, role, .. } = &event.kind else {
        return None;
    };
    let ended = match exit {
        Exit::Code(101) => "exited 101 (panic)".to_owned(),
        Exit::Code(code) => format!("exited {code}"),
        Exit::Signal(signal) => format!("killed by {signal}"),
    };
    let out_of_time = if by.is_none() && exit.is_out_of_cpu_time() { " (CPU time limit)" } else { "" };
    let ended = ended + out_of_time;
    let lived = human_duration(*up);
    let about = Some(process);
    let mut log = vec![format!("generation {generation}, up {lived}")];
    let whose = match by {
        _ if *asked => "asked".to_owned(),
        Some(by) => format!("by {by}"),
        None => "by itself".to_owned(),
    };
    let mut events = vec![whose, format!("generation {generation}"), format!("up {lived}")];
    if *same_cause {
        log.push("same cause".into());
        events.push("same cause".into());
    }
    Some(match then {
        Then::Completed => {
            let events = std::iter::once(exit.to_string()).chain(progress.clone()).collect();
            Narration::new(Tone::Done, about, "completed").log(vec![exit.to_string(), format!("after {lived}")]).events(events)
        }
        Then::Failed { fails_run } => {
            let short = Failure::Exited { exit: *exit, by: by.clone() }.short() + out_of_time;
            let (told, seen) = match role {
                _ if !fails_run => (format!("generation {generation}, up {lived}"), format!("up {lived}")),
                Some(Role::Test) | None => (format!("TEST FAILED, {CANNOT_PASS}"), "test: the verdict is failed".to_owned()),
                Some(role) => (CANNOT_PASS.to_owned(), format!("{}: the verdict is failed", role.word())),
            };
            Narration::new(Tone::Bad, about, "failed").log(vec![short.clone(), told]).events(vec![short, seen])
        }
        Then::Stopped => Narration::new(Tone::Rest, about, "stopped").with(vec![exit.to_string(), format!("up {lived}")]),
        Then::RestartAsked => {
            Narration::new(Tone::Rest, about, "stopped for a restart").with(vec![exit.to_string(), format!("up {lived}")])
        }
        Then::Restart { delay_ms } => {
            log.push(format!("back-off {}", human_duration(Duration::from_millis(*delay_ms))));
            events.push(format!("next try in {}", human_duration(Duration::from_millis(*delay_ms))));
            Narration::new(Tone::Bad, about, ended).log(log).events(events)
        }
        Then::GaveUp => Narration::new(Tone::Bad, about, ended).log(log).events(events),
    })
}
