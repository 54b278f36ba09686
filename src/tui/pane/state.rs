//! The STATE column: sign, word and reason, and how long it will go on.

use ratatui::style::Style;

use crate::{
    model::{At, Exit, Health, Leak, ProbeOutcome, ProcessSnapshot, ProcessState, human_duration},
    tui::{
        glyph::Glyph,
        look::Look,
        theme::Role,
        units::{countdown, uptime},
    },
};

/// A state in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StateText {
    pub(crate) glyph: Glyph,
    /// The word, with the time that belongs to it: `backoff 3.4 s`.
    pub(crate) word: String,
    /// The reason: `exit 101`. May be empty.
    pub(crate) detail: String,
    /// Of sign and word.
    pub(crate) style: Style,
    /// Of the reason.
    pub(crate) detail_style: Style,
}

impl StateText {
    /// As one text: `↻ backoff 3.4 s  exit 101`.
    pub(crate) fn text(&self, look: &Look) -> String {
        let gap = if self.detail.is_empty() { "" } else { "  " };
        format!("{} {}{gap}{}", look.glyph(self.glyph), self.word, self.detail)
    }
}

/// How `row` stands at `now`. `roles` says whether the table has a column that names stand-ins.
pub(crate) fn state_text(row: &ProcessSnapshot, now: At, roles: bool, look: &Look) -> StateText {
    let style = look.theme.state(&row.state);
    let text = |glyph, word: String, detail: String, detail_style| StateText { glyph, word, detail, style, detail_style };
    let calm = |glyph, detail| text(glyph, row.state.word().to_owned(), detail, look.style(Role::Plain));
    let loud = |glyph, word, detail| text(glyph, word, detail, style);
    let word = || row.state.word().to_owned();
    if let Some(leak) = leaked(row, look) {
        return leak;
    }
    match &row.state {
        ProcessState::Pending { waits_for } if waits_for.is_empty() => calm(Glyph::Rest, "about to start".into()),
        ProcessState::Pending { waits_for } => calm(Glyph::Rest, waits_for.join(", ")),
        ProcessState::Starting { since, deadline } => {
            let all = deadline.since(*since);
            let so_far = now.since(*since).min(all);
            let of = if all.as_secs() >= 60 { uptime(so_far, false) } else { uptime(so_far, true).trim_end_matches(" s").to_owned() };
            calm(Glyph::Busy, format!("{of} of {}", human_duration(all)))
        }
        ProcessState::Running => calm(Glyph::Busy, progress(row, roles)),
        ProcessState::Ready if row.health == Health::Degraded => {
            let why = row.probes.iter().rev().find_map(|probe| match &probe.outcome {
                ProbeOutcome::Degraded { why } => Some(why.clone()),
                ProbeOutcome::Ok | ProbeOutcome::Failed { .. } => None,
            });
            let style = look.style(Role::Warn);
            let detail = why.unwrap_or_default();
            StateText { glyph: Glyph::Warn, word: Health::Degraded.word().into(), detail, style, detail_style: style }
        }
        ProcessState::Ready => calm(Glyph::Good, progress(row, roles)),
        ProcessState::Unhealthy { failed, of } => loud(Glyph::Warn, word(), format!("{failed} of {of} failed")),
        ProcessState::Backoff { until, reason } => loud(Glyph::Again, format!("backoff {}", countdown(until.since(now))), reason.short()),
        ProcessState::Stopping { kill_at, .. } if *kill_at <= now => calm(Glyph::Busy, "KILL sent".into()),
        ProcessState::Stopping { kill_at, .. } => calm(Glyph::Busy, format!("{} to KILL", countdown(kill_at.since(now)))),
        ProcessState::Stopped { by, signal } => {
            let sent = signal.map(|signal| format!(", {}", signal.short())).unwrap_or_default();
            calm(Glyph::Rest, format!("by {by}{sent}"))
        }
        ProcessState::Completed => {
            let done = row.already_done.as_ref().map(|path| format!("{path} is there"));
            calm(Glyph::Done, done.unwrap_or_else(|| Exit::Code(0).to_string()))
        }
        ProcessState::Failed { reason } => loud(Glyph::Bad, word(), reason.short()),
        ProcessState::GaveUp { reason, times } => {
            loud(Glyph::Final, word(), format!("{} {}{times}", reason.short(), look.glyph(Glyph::Times)))
        }
        ProcessState::Skipped { because } => calm(Glyph::Rest, because.clone()),
    }
}

/// How far it says it is; else, where no column says so, that it is a stand-in.
fn progress(row: &ProcessSnapshot, roles: bool) -> String {
    match &row.progress {
        Some(text) => text.clone(),
        None if row.info.stand_in && !roles => "stand-in".into(),
        None => String::new(),
    }
}

fn leaked(row: &ProcessSnapshot, look: &Look) -> Option<StateText> {
    let ended = row.ended_leaks.iter().map(|ended| (&ended.leak, Some(ended.word())));
    let all: Vec<(&Leak, Option<&str>)> = row.leaks.iter().map(|leak| (leak, None)).chain(ended).collect();
    let (leak, fate) = *all.first().filter(|_| !matches!(row.state, ProcessState::Stopping { .. }))?;
    let what = match (leak.pid, leak.port) {
        (Some(pid), _) => format!("pid {pid} {}", leak.command),
        (None, Some(port)) => format!("port {port} still bound"),
        (None, None) => leak.command.clone(),
    };
    // First, since the column is narrow: it is what has changed.
    let fate = fate.map(|fate| format!("{fate}, ")).unwrap_or_default();
    let more = if all.len() > 1 { format!(" +{}", all.len() - 1) } else { String::new() };
    let style = look.style(Role::Bad);
    Some(StateText { glyph: Glyph::Bad, word: "leaked".into(), detail: format!("{fate}{what}{more}"), style, detail_style: style })
}

/// Whether what the state says changes with the clock, and not only by events.
pub(crate) fn counts_time(state: &ProcessState) -> bool {
    matches!(state, ProcessState::Starting { .. } | ProcessState::Backoff { .. } | ProcessState::Stopping { .. })
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;
    use crate::{
        model::{Actor, EndedLeak, Failure, ProcessId, ProcessInfo, Role as ProcessRole, Signal},
        tui::{
            glyph::GlyphSet,
            theme::{Colours, Theme},
        },
    };

    fn look() -> Look {
        Look { theme: Theme::default_for(Colours::Many), glyphs: GlyphSet::Unicode, colours: Colours::Many }
    }

    fn row(state: ProcessState) -> ProcessSnapshot {
        let info = ProcessInfo {
            name: ProcessId::new("upstream").expect("a name"),
            role: ProcessRole::Service,
            kind: None,
            stand_in: true,
            listens: Vec::new(),
            has_health: false,
            waits_for: Vec::new(),
            max_restarts: None,
            argv: Vec::new(),
            cwd: String::new(),
            reads: crate::model::Reads::Nothing,
            taps_pipes: false,
            awaits: String::new(),
            settings: Vec::new(),
        };
        ProcessSnapshot { state, ..ProcessSnapshot::new(Arc::new(info)) }
    }

    fn shown(state: ProcessState) -> String {
        state_text(&row(state), At(10_000_000), false, &look()).text(&look())
    }

    fn at(ms: u64) -> At {
        At::START + Duration::from_millis(ms)
    }

    fn exit(code: i32) -> Failure {
        Failure::Exited { exit: Exit::Code(code), by: None }
    }

    #[test]
    fn every_state_tells_its_reason_in_the_words_of_the_design() {
        let killed = Failure::Exited { exit: Exit::Signal(Signal::KILL), by: Some(Actor::You) };
        let taken = Failure::NotStarted { error: String::new(), short: "20001 taken".into() };
        for (state, text) in [
            (ProcessState::Pending { waits_for: vec!["upstream ready".into()] }, "○ pending  upstream ready"),
            (ProcessState::Starting { since: at(9600), deadline: at(19_600) }, "◐ starting  0.4 of 10 s"),
            (ProcessState::Running, "◐ running  stand-in"),
            (ProcessState::Ready, "● ready  stand-in"),
            (ProcessState::Unhealthy { failed: 3, of: 3 }, "▲ unhealthy  3 of 3 failed"),
            (ProcessState::Backoff { until: at(13_400), reason: exit(101) }, "↻ backoff 3.4 s  exit 101"),
            (ProcessState::Stopping { kill_at: at(19_100), by: Actor::You }, "◐ stopping  9.1 s to KILL"),
            (ProcessState::Stopping { kill_at: at(1), by: Actor::You }, "◐ stopping  KILL sent"),
            (ProcessState::Stopped { by: Actor::You, signal: Some(Signal::TERM) }, "○ stopped  by you, TERM"),
            (ProcessState::Completed, "✓ completed  exit 0"),
            (ProcessState::Failed { reason: exit(1) }, "✗ failed  exit 1"),
            (ProcessState::Failed { reason: killed }, "✗ failed  SIGKILL by you"),
            (ProcessState::Failed { reason: taken }, "✗ failed  20001 taken"),
            (ProcessState::GaveUp { reason: exit(101), times: 6 }, "■ gave-up  exit 101 ×6"),
            (ProcessState::Skipped { because: "upstream failed".into() }, "○ skipped  upstream failed"),
        ] {
            assert_eq!(shown(state), text);
        }
    }

    #[test]
    fn its_own_progress_stands_before_the_stand_in() {
        let mut row = row(ProcessState::Running);
        row.progress = Some("18 of 50 calls".into());
        assert_eq!(state_text(&row, At(0), false, &look()).text(&look()), "◐ running  18 of 50 calls");
        row.progress = None;
        assert_eq!(state_text(&row, At(0), true, &look()).text(&look()), "◐ running");
    }

    #[test]
    fn a_leak_is_named_in_red_whatever_the_state() {
        let mut row = row(ProcessState::Completed);
        row.leaks = vec![Leak { pid: Some(4711), command: "sleep 600".into(), port: None }; 2];
        let told = state_text(&row, At(0), true, &look());
        assert_eq!(told.text(&look()), "✗ leaked  pid 4711 sleep 600 +1");
        assert_eq!(told.style, look().style(Role::Bad));
        row.ended_leaks = row.leaks.drain(..).map(|leak| EndedLeak { leak, killed: true }).collect();
        assert_eq!(state_text(&row, At(0), true, &look()).text(&look()), "✗ leaked  killed, pid 4711 sleep 600 +1");
    }

    #[test]
    fn states_have_the_colours_of_the_design() {
        for (state, role) in [
            (ProcessState::Pending { waits_for: Vec::new() }, Role::Rest),
            (ProcessState::Starting { since: at(0), deadline: at(0) }, Role::Busy),
            (ProcessState::Running, Role::Busy),
            (ProcessState::Ready, Role::Good),
            (ProcessState::Completed, Role::Good),
            (ProcessState::Unhealthy { failed: 1, of: 1 }, Role::Warn),
            (ProcessState::Backoff { until: at(0), reason: exit(1) }, Role::Warn),
            (ProcessState::Failed { reason: exit(1) }, Role::Bad),
            (ProcessState::GaveUp { reason: exit(1), times: 1 }, Role::Final),
        ] {
            assert_eq!(state_text(&row(state.clone()), At(0), true, &look()).style, look().style(role), "{state:?}");
        }
    }
}
