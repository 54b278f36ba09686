//! What each action does. One match, and none of its arms is long.

use crate::{
    logs::Source,
    model::{Command, ProcessId, ProcessSnapshot, ProcessState},
    tui::{
        action::Action,
        ids,
        layout::{self, Pane},
        logview::{
            desk::{Seek, Way},
            query,
        },
    },
};

use super::{
    App, Leaving, Outcome, World,
    log::{Place, Scope},
    overlay::{Overlay, PromptKind, Typing},
};

impl App {
    /// Does `action`.
    pub(crate) fn act(&mut self, action: Action, world: &World<'_>) -> Vec<Outcome> {
        if let Some(row) = action.process_row() {
            return self.choose(row, world);
        }
        match action {
            Action::Down => return self.step(1, world),
            Action::Up => return self.step(-1, world),
            Action::PageDown => return self.pages(2, world),
            Action::PageUp => return self.pages(-2, world),
            Action::HalfPageDown => return self.pages(1, world),
            Action::HalfPageUp => return self.pages(-1, world),
            Action::Top => return self.end(true, world),
            Action::Bottom => return self.end(false, world),
            Action::Left => self.log.sideways = self.log.sideways.saturating_sub(SIDE_STEP),
            Action::Right => self.log.sideways = self.log.sideways.saturating_add(SIDE_STEP),
            Action::FocusNext | Action::FocusPrevious => {
                self.focus = if self.focus == Pane::Processes { Pane::Logs } else { Pane::Processes };
            }
            Action::Open => self.open(world),
            Action::Back => self.back(),
            Action::Start
            | Action::Restart
            | Action::RestartNow
            | Action::Stop
            | Action::StopNow
            | Action::SendSignal
            | Action::SendLine => {
                return self.on_process(action, world);
            }
            Action::Details => self.overlay = Some(Overlay::Details { scroll: 0 }),
            Action::Tick => self.table.tick(&world.snapshot.rows),
            Action::Sort => {
                self.table.sort_next(&world.snapshot.rows);
                self.say(world.now, format!("sorted by {}; rows stay where they are now", self.table.sort.title()));
            }
            Action::Follow => {
                let follows = self.log.follows();
                return vec![Outcome::Seek(if follows { Seek::Row(self.log.cursor()) } else { Seek::Follow })];
            }
            Action::Find => self.prompt(PromptKind::Find),
            Action::FilterIn => self.prompt(PromptKind::FilterIn),
            Action::FilterOut => self.prompt(PromptKind::FilterOut),
            Action::FilterClear => self.log.clear_filters(),
            Action::FindNext | Action::FindPrevious => return self.walk(action, world),
            Action::MoreContext => self.log.context = (self.log.context + 1).min(99),
            Action::LessContext => self.log.context = self.log.context.saturating_sub(1),
            Action::NextAlert | Action::PreviousAlert | Action::NextToken | Action::PreviousToken => return self.walk(action, world),
            Action::FirstFailure => return self.next_fact(world),
            Action::Highlight => self.highlight(world),
            Action::AlertsOnly => self.log.alerts_only = !self.log.alerts_only,
            Action::Mute => self.mute(world),
            Action::ProbeLines => self.log.show_probes = !self.log.show_probes,
            Action::Wrap => (self.log.wrap, self.log.sideways) = (!self.log.wrap, 0),
            Action::TimeForm => self.log.time = self.log.time.next(),
            Action::AsWritten => self.log.as_written = !self.log.as_written,
            Action::Select => self.select(),
            Action::Copy => return self.copy(world),
            Action::Edit => return self.edit(world),
            Action::Clear => return vec![Outcome::Clear],
            Action::MergedOrSingle => return self.next_scope(world),
            Action::SideBySide => self.side_by_side = !self.side_by_side,
            Action::Mark => self.prompt(PromptKind::Mark),
            Action::NextMark | Action::PreviousMark => return self.walk_marks(action == Action::NextMark, world),
            Action::Timeline => self.overlay = Some(Overlay::Timeline { chosen: 0 }),
            Action::RerunTests => return self.run_wide(Command::RerunTests, "running the tests again; services stay", world),
            Action::Export if world.abilities.export => return vec![Outcome::Export],
            Action::Export => self.complain(world.now, "nothing can be exported here"),
            Action::Zoom => self.zoom = !self.zoom,
            Action::Layout => {
                self.layout = (self.layout + 1) % layout::BUILT_IN.len();
                self.say(world.now, format!("layout: {}", layout::BUILT_IN[self.layout].0));
            }
            Action::Palette => self.overlay = Some(Overlay::Palette { typing: Typing::default(), chosen: 0 }),
            Action::OwnLog => self.overlay = Some(Overlay::OwnLog),
            Action::Help => self.overlay = Some(Overlay::Help { typing: None, scroll: 0 }),
            Action::Mouse => {
                self.mouse = !self.mouse;
                let how =
                    if self.mouse { "the mouse is the dashboard's now; F2 gives it back" } else { "the mouse is the terminal's again" };
                self.say(world.now, how);
                return vec![Outcome::Mouse(self.mouse)];
            }
            Action::Redraw => return vec![Outcome::Redraw],
            Action::Suspend => return vec![Outcome::Suspend],
            Action::Quit => return self.quit(world),
            Action::StopAndQuit => return self.leave(world),
            Action::Interrupt if self.log.select_from.take().is_some() => {}
            Action::Interrupt => return self.leave(world),
            // Chosen by its row above.
            Action::Process1
            | Action::Process2
            | Action::Process3
            | Action::Process4
            | Action::Process5
            | Action::Process6
            | Action::Process7
            | Action::Process8
            | Action::Process9 => {}
        }
        Vec::new()
    }

    fn choose(&mut self, row: usize, world: &World<'_>) -> Vec<Outcome> {
        match world.snapshot.rows.get(row) {
            Some(_) => self.table.selected = row,
            None => self.complain(world.now, format!("there is no process {}", row + 1)),
        }
        Vec::new()
    }

    fn step(&mut self, by: i64, world: &World<'_>) -> Vec<Outcome> {
        match self.focus {
            Pane::Logs => return vec![Outcome::Seek(Seek::Lines(by))],
            Pane::Processes | Pane::Happened | Pane::Events | Pane::Details => self.table.step(&world.snapshot.rows, by),
        }
        Vec::new()
    }

    fn pages(&mut self, halves: i64, world: &World<'_>) -> Vec<Outcome> {
        match self.focus {
            Pane::Logs => return vec![Outcome::Seek(Seek::HalfPages(halves))],
            Pane::Processes | Pane::Happened | Pane::Events | Pane::Details => self.table.step(&world.snapshot.rows, halves * 5),
        }
        Vec::new()
    }

    fn end(&mut self, first: bool, world: &World<'_>) -> Vec<Outcome> {
        match self.focus {
            Pane::Logs => return vec![Outcome::Seek(if first { Seek::First } else { Seek::Follow })],
            Pane::Processes | Pane::Happened | Pane::Events | Pane::Details => {
                self.table.step(&world.snapshot.rows, if first { i64::MIN / 2 } else { i64::MAX / 2 });
            }
        }
        Vec::new()
    }

    fn open(&mut self, world: &World<'_>) {
        if self.focus != Pane::Logs {
            self.log.scope = Scope::One;
            self.focus = Pane::Logs;
            self.opened = true;
            return;
        }
        let Some(row) = world.window.cursor.or(world.window.rows.len().checked_sub(1)).and_then(|i| world.window.rows.get(i)) else {
            return;
        };
        let first = row.line.row;
        if row.hidden_probes() {
            self.log.show_probes = true;
        } else if !row.folded.is_empty() {
            self.log.unfolded.insert(first);
        } else if !self.log.unfolded.remove(&first) {
            let text = match &row.line.source {
                Source::Lifecycle(_) => query::text_of(&row.line),
                Source::Out | Source::Err => crate::logs::verbatim(&row.line.bytes),
            };
            self.overlay = Some(Overlay::Line { text, scroll: 0 });
        }
    }

    fn back(&mut self) {
        if self.log.select_from.take().is_some() {
            return;
        }
        if self.focus == Pane::Logs && (self.log.find.is_some() || self.log.token.is_some()) {
            (self.log.find, self.log.token) = (None, None);
        } else if self.zoom {
            self.zoom = false;
        } else if self.focus == Pane::Logs {
            self.focus = Pane::Processes;
            if std::mem::take(&mut self.opened) {
                self.log.scope = Scope::All;
            }
        }
    }

    fn on_process(&mut self, action: Action, world: &World<'_>) -> Vec<Outcome> {
        if !world.abilities.live {
            self.complain(world.now, "this is a recording: nothing can be started or stopped in it");
            return Vec::new();
        }
        let Some(row) = self.target(world.snapshot) else {
            let key = world.keymap.key_of(self.context(), action).unwrap_or_default();
            self.complain(world.now, format!("{key} acts on one process: choose it in the table (Tab), or open its log there (Enter)"));
            return Vec::new();
        };
        let process = row.id().clone();
        match refusal(action, row) {
            Some(why) => {
                self.complain(world.now, why);
                Vec::new()
            }
            None => self.process_command(action, process, world),
        }
    }

    fn process_command(&mut self, action: Action, process: ProcessId, world: &World<'_>) -> Vec<Outcome> {
        let (told, command) = match action {
            Action::Start => (format!("starting {process}"), Command::Start { process }),
            Action::Restart => (format!("restarting {process}"), Command::Restart { process, now: false }),
            Action::RestartNow => (format!("killing and restarting {process}"), Command::Restart { process, now: true }),
            Action::Stop => (format!("stopping {process} and all it started; it stays down"), Command::Stop { process, now: false }),
            Action::StopNow => (format!("killing {process} and all it started; it stays down"), Command::Stop { process, now: true }),
            Action::SendSignal => {
                self.overlay = Some(Overlay::Signals { process, chosen: 0 });
                return Vec::new();
            }
            _ => {
                self.prompt(PromptKind::SendLine);
                return Vec::new();
            }
        };
        self.say(world.now, told);
        vec![Outcome::Send(command)]
    }

    fn run_wide(&mut self, command: Command, told: &str, world: &World<'_>) -> Vec<Outcome> {
        if !world.abilities.live {
            self.complain(world.now, "this is a recording: nothing can be run in it");
            return Vec::new();
        }
        self.say(world.now, told);
        vec![Outcome::Send(command)]
    }

    fn prompt(&mut self, kind: PromptKind) {
        let text = match kind {
            PromptKind::Find => self.log.find.as_ref().map(|pattern| pattern.typed()),
            PromptKind::FilterIn => self.log.within.as_ref().map(|pattern| pattern.typed()),
            PromptKind::FilterOut => self.log.without.as_ref().map(|pattern| pattern.typed()),
            PromptKind::SendLine | PromptKind::Mark => None,
        };
        // A new search begins empty; a filter that stands is there to be changed.
        let typing = if kind == PromptKind::Find { Typing::default() } else { Typing::with(text.unwrap_or("")) };
        self.overlay = Some(Overlay::Prompt { kind, typing });
    }

    fn walk(&mut self, action: Action, world: &World<'_>) -> Vec<Outcome> {
        let seek = match action {
            Action::FindNext => Seek::Match(Way::Next),
            Action::FindPrevious => Seek::Match(Way::Previous),
            Action::NextAlert => Seek::Alert(Way::Next),
            Action::PreviousAlert => Seek::Alert(Way::Previous),
            Action::PreviousToken => Seek::Token(Way::Previous),
            _ => Seek::Token(Way::Next),
        };
        match seek {
            Seek::Match(_) if self.log.find.is_none() => {
                self.complain(world.now, "nothing is looked for yet: / finds");
                return Vec::new();
            }
            Seek::Token(_) if self.log.token.is_none() => self.highlight(world),
            Seek::Alert(_) => self.log.walks_alerts = true,
            _ => {}
        }
        if matches!(seek, Seek::Token(_)) && self.log.token.is_none() {
            return Vec::new();
        }
        self.focus = Pane::Logs;
        vec![Outcome::Seek(seek)]
    }

    fn walk_marks(&mut self, next: bool, world: &World<'_>) -> Vec<Outcome> {
        let here = world.window.cursor.and_then(|i| world.window.rows.get(i)).map_or(u64::MAX, |row| row.line.seq);
        let found = if next { world.marks.iter().find(|seq| **seq > here) } else { world.marks.iter().rev().find(|seq| **seq < here) };
        match found {
            Some(seq) => {
                self.focus = Pane::Logs;
                return vec![Outcome::Seek(Seek::Seq(*seq))];
            }
            None if world.marks.is_empty() => self.complain(world.now, "there is no mark yet: m sets one"),
            None => self.complain(world.now, if next { "no mark after this line" } else { "no mark before this line" }),
        }
        Vec::new()
    }

    fn next_fact(&mut self, world: &World<'_>) -> Vec<Outcome> {
        if world.facts.is_empty() {
            self.complain(world.now, "nothing has failed");
            return Vec::new();
        }
        let next = match self.fact {
            // Still parked there by itself: the first press goes on.
            Some(at) if self.log.follows() => at,
            Some(at) => (at + 1) % world.facts.len(),
            None => 0,
        };
        self.fact = Some(next);
        self.focus = Pane::Logs;
        self.log.scope = Scope::All;
        vec![Outcome::Seek(Seek::Seq(world.facts[next].seq))]
    }

    fn highlight(&mut self, world: &World<'_>) {
        let row = world.window.cursor.or(world.window.rows.len().checked_sub(1)).and_then(|i| world.window.rows.get(i));
        let text = row.map(|row| query::text_of(&row.line)).unwrap_or_default();
        let tokens = tokens(&text);
        let next = tokens.iter().position(|token| Some(token) == self.log.token.as_ref()).map_or(0, |at| at + 1);
        self.log.token = tokens.get(next).or(tokens.first()).cloned();
        match &self.log.token {
            Some(token) => self.say(world.now, format!("highlighting {token}; o and O walk along it")),
            None => self.complain(world.now, "this line holds no id or value that another line could share"),
        }
    }

    fn mute(&mut self, world: &World<'_>) {
        let row = world.window.cursor.and_then(|i| world.window.rows.get(i));
        let process = match self.focus {
            Pane::Logs => row.and_then(|row| row.line.process.clone()),
            Pane::Processes | Pane::Happened | Pane::Events | Pane::Details => self.selected(world.snapshot).map(|row| row.id().clone()),
        };
        let Some(process) = process else {
            return self.complain(world.now, "no line is chosen: move to one of the process to be muted");
        };
        if self.log.muted.remove(&process) {
            self.say(world.now, format!("{process} is heard again"));
        } else {
            self.say(world.now, format!("{process} is muted; \\ clears all filters"));
            self.log.muted.insert(process);
        }
    }

    fn select(&mut self) {
        self.focus = Pane::Logs;
        self.log.select_from = match self.log.select_from {
            Some(_) => None,
            None => {
                let cursor = self.log.cursor();
                if self.log.follows() {
                    self.log.place = Place::Parked { cursor, top: self.log.last_seen.0 };
                }
                Some(cursor)
            }
        };
    }

    fn copy(&mut self, world: &World<'_>) -> Vec<Outcome> {
        let cursor = self.log.cursor();
        let (from, to) = match self.log.select_from.take() {
            Some(from) => (from.min(cursor), from.max(cursor)),
            None => {
                let row = world.window.rows.iter().rev().find(|row| row.line.row <= cursor);
                (cursor, row.map_or(cursor, |row| row.last().max(cursor)))
            }
        };
        vec![Outcome::Copy { from, to }]
    }

    fn edit(&mut self, world: &World<'_>) -> Vec<Outcome> {
        let row = world.window.cursor.or(world.window.rows.len().checked_sub(1)).and_then(|i| world.window.rows.get(i));
        match row.and_then(|row| source_place(&query::text_of(&row.line))) {
            Some((path, line)) => return vec![Outcome::Edit { path, line }],
            None => self.complain(world.now, "this line names no path:line to open"),
        }
        Vec::new()
    }

    fn next_scope(&mut self, _world: &World<'_>) -> Vec<Outcome> {
        self.opened = false;
        self.log.scope = match self.log.scope {
            Scope::All if !self.table.ticked.is_empty() => Scope::Ticked,
            Scope::All | Scope::Ticked => Scope::One,
            Scope::One => Scope::All,
        };
        Vec::new()
    }

    fn quit(&mut self, world: &World<'_>) -> Vec<Outcome> {
        if self.leaving > Leaving::No {
            return self.leave(world);
        }
        if world.abilities.live && Self::something_runs(world.snapshot) {
            self.overlay = Some(Overlay::AskQuit);
            return Vec::new();
        }
        self.leave(world)
    }

    /// Stops everything and leaves; again: without grace; and again: leaves whatever may be left.
    pub(super) fn leave(&mut self, world: &World<'_>) -> Vec<Outcome> {
        if !world.abilities.live || world.snapshot.phase == crate::model::Phase::Ended {
            return vec![Outcome::Leave];
        }
        match self.leaving {
            Leaving::No => {
                self.leaving = Leaving::Stopping;
                vec![Outcome::Send(Command::Shutdown { now: false })]
            }
            Leaving::Stopping => {
                self.leaving = Leaving::Killing;
                vec![Outcome::Send(Command::Shutdown { now: true })]
            }
            Leaving::Killing => vec![Outcome::Leave],
        }
    }
}

/// Cells that one key scrolls sideways.
const SIDE_STEP: u16 = 8;

/// Why a command would do nothing, in words.
fn refusal(action: Action, row: &ProcessSnapshot) -> Option<String> {
    let id = row.id();
    match action {
        Action::Start if row.state.is_alive() => Some(format!("{id} runs already: r restarts it")),
        Action::Stop | Action::StopNow if row.state.is_settled() && row.leaks.is_empty() => {
            Some(format!("{id} is down already ({})", row.state.word()))
        }
        Action::Stop if matches!(row.state, ProcessState::Stopping { .. }) => Some(format!("{id} is being stopped; X kills it now")),
        Action::SendSignal | Action::SendLine if row.pid.is_none() => Some(format!("{id} does not run")),
        _ => None,
    }
}

/// What other lines could share with this one: long ids first, then values of fields, then numbers of some length.
pub(crate) fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = ids::ids(text).into_iter().map(|range| text[range].to_owned()).collect();
    let words = text.split(|c: char| c.is_whitespace() || "\"'(),;[]{}".contains(c));
    for word in words {
        let value = word.split_once('=').map_or(word, |(_, value)| value).trim_end_matches(['.', ':']);
        let telling = (word.contains('=') && value.len() >= 2) || (value.len() >= 3 && value.bytes().any(|b| b.is_ascii_digit()));
        if telling && value.len() <= 80 && !tokens.iter().any(|token| token == value) {
            tokens.push(value.to_owned());
        }
    }
    tokens
}

/// The first `path:line` in a text.
fn source_place(text: &str) -> Option<(String, u32)> {
    text.split(|c: char| c.is_whitespace() || "\"'(),;[]{}<>".contains(c)).find_map(|word| {
        let (path, rest) = word.split_once(':')?;
        let line = rest.split(':').next()?.parse().ok()?;
        let file = path.rsplit('/').next()?;
        (file.contains('.') && !path.contains("//") && line > 0 && file.parse::<std::net::Ipv4Addr>().is_err())
            .then(|| (path.to_owned(), line))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_what_lines_share() {
        let text = "session=6f1b8a52-9c1d-4f0e-8a77-10de2bf900c2 id=17 tools/call echo took 3 ms";
        assert_eq!(tokens(text), ["6f1b8a52-9c1d-4f0e-8a77-10de2bf900c2", "17"]);
        assert!(tokens("nothing to share here").is_empty());
    }

    #[test]
    fn a_place_in_a_source_is_found_in_many_spellings() {
        let place = |text| source_place(text).map(|(path, line)| format!("{path}:{line}"));
        assert_eq!(place("thread 'main' panicked at src/upstream.rs:42:5:").as_deref(), Some("src/upstream.rs:42"));
        assert_eq!(place("    at main (/app/x.js:10:3)").as_deref(), Some("/app/x.js:10"));
        assert_eq!(place("connect 127.0.0.1:20001 http://a.b:80/").as_deref(), None);
    }
}
