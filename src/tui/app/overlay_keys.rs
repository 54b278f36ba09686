//! Keys while something lies over the panes.

use crate::{
    model::{Command, ProcessId},
    tui::{
        action::Action,
        key::{Code, Key},
        keymap::{Context, Found},
        layout::Pane,
        logview::{desk::Seek, query::pattern},
        overlay::command_of,
        term::decode::LEAVE,
    },
};

use super::{
    log::Scope,
    overlay::{Offer, Overlay, PromptKind, Typing, offers, signals},
    state::{App, Outcome, World},
};

/// How far a list or a text is moved.
enum Move {
    By(i64),
    First,
    Last,
}

impl App {
    pub(super) fn overlay_key(&mut self, key: Key, world: &World<'_>) -> Vec<Outcome> {
        let bound = match world.keymap.find(Context::Everywhere, &[key]) {
            Found::Action(action) => Some(action),
            Found::Prefix(_) | Found::Nothing => None,
        };
        if let Some(Overlay::Type { .. }) = &self.overlay {
            // No other key comes here: they are not the dashboard's.
            if key == LEAVE {
                self.overlay = None;
            }
            return Vec::new();
        }
        // What stops the run elsewhere only closes what is open here.
        if key.code == Code::Esc || bound == Some(Action::Interrupt) {
            self.cancel();
            return Vec::new();
        }
        match self.overlay.take() {
            Some(Overlay::Prompt { kind, typing }) => self.prompt_key(kind, typing, key, world),
            Some(Overlay::Palette { typing, chosen }) => self.palette_key(typing, chosen, key, world),
            Some(Overlay::Help { typing, scroll }) => {
                self.help_key(typing, scroll, key, bound);
                Vec::new()
            }
            None | Some(Overlay::Type { .. }) => Vec::new(),
            Some(Overlay::AskQuit) => self.ask_quit_key(key, bound, world),
            Some(Overlay::Signals { process, chosen }) => self.signals_key(process, chosen, key, bound, world),
            Some(Overlay::Disturb { process, chosen }) => self.faults_key(process, chosen, key, bound, world),
            Some(Overlay::Timeline { chosen }) => self.timeline_key(chosen, key, bound, world),
            Some(Overlay::Traffic { chosen }) => self.traffic_key(chosen, key, bound, world),
            Some(Overlay::Exchange { id, scroll, back }) => self.exchange_key(id, (scroll, back), key, bound, world),
            Some(Overlay::Alerts { chosen }) => self.alerts_key(chosen, key, bound, world),
            Some(Overlay::Expectations { chosen }) => self.expectations_key(chosen, key, bound, world),
            Some(Overlay::Steps { chosen }) => self.steps_key(chosen, key, bound, world),
            Some(Overlay::Details { scroll }) if bound == Some(Action::Copy) => {
                self.overlay = Some(Overlay::Details { scroll });
                let command = self.selected(world.snapshot).map(command_of);
                command.map(|text| Outcome::CopyText { text, what: "the command".into() }).into_iter().collect()
            }
            Some(Overlay::Line { text, scroll }) if bound == Some(Action::Copy) => {
                self.overlay = Some(Overlay::Line { text: text.clone(), scroll });
                vec![Outcome::CopyText { text, what: "the line".into() }]
            }
            Some(Overlay::Details { .. }) if matches!(bound, Some(Action::Process(_) | Action::FocusNext | Action::FocusPrevious)) => {
                self.overlay = Some(Overlay::Details { scroll: 0 });
                match bound {
                    Some(Action::Process(number)) => self.choose(usize::from(number), world),
                    Some(Action::FocusNext) => self.table.step(&world.snapshot.rows, 1),
                    _ => self.table.step(&world.snapshot.rows, -1),
                }
                Vec::new()
            }
            Some(Overlay::Details { scroll }) => {
                self.overlay = scrolled(scroll, bound, &[Action::Details]).map(|scroll| Overlay::Details { scroll });
                Vec::new()
            }
            Some(Overlay::Line { text, scroll }) => {
                self.overlay = scrolled(scroll, bound, &[Action::Open]).map(|scroll| Overlay::Line { text, scroll });
                Vec::new()
            }
            Some(Overlay::OwnLog) => {
                let close = matches!(bound, Some(Action::Quit | Action::OwnLog));
                self.overlay = (!close).then_some(Overlay::OwnLog);
                Vec::new()
            }
        }
    }

    fn cancel(&mut self) {
        match self.overlay.take() {
            Some(Overlay::Exchange { back, .. }) => self.overlay = Some(Overlay::Traffic { chosen: back }),
            Some(Overlay::Help { typing: Some(_), .. }) => self.overlay = Some(Overlay::Help { typing: None, scroll: 0 }),
            // What was tried while typing goes with the prompt.
            Some(Overlay::Prompt { kind: PromptKind::Find, .. }) => self.log.find = None,
            Some(Overlay::Prompt { kind: PromptKind::FilterIn, .. }) => self.log.within = None,
            Some(Overlay::Prompt { kind: PromptKind::FilterOut, .. }) => self.log.without = None,
            _ => {}
        }
    }

    /// Shows what the pattern typed so far would find.
    pub(super) fn try_out(&mut self) {
        if let Some(Overlay::Prompt { kind, typing }) = &self.overlay {
            let typed = pattern(typing.text());
            match kind {
                PromptKind::Find => self.log.find = typed,
                PromptKind::FilterIn => self.log.within = typed,
                PromptKind::FilterOut => self.log.without = typed,
                PromptKind::SendLine(_) | PromptKind::Mark => {}
            }
        }
    }

    fn prompt_key(&mut self, kind: PromptKind, mut typing: Typing, key: Key, world: &World<'_>) -> Vec<Outcome> {
        match key.code {
            Code::Enter => return self.prompt_done(kind, typing.text(), world),
            Code::Tab if kind == PromptKind::Find => {
                self.log.find = None;
                self.overlay = Some(Overlay::Prompt { kind: PromptKind::FilterIn, typing });
            }
            Code::Tab if kind == PromptKind::FilterIn => {
                self.log.within = None;
                self.overlay = Some(Overlay::Prompt { kind: PromptKind::Find, typing });
            }
            Code::Up if typing.text().is_empty() => {
                self.overlay = Some(Overlay::Prompt { kind, typing: Typing::with(&self.last_typed) });
            }
            _ => {
                typing.key(key);
                self.overlay = Some(Overlay::Prompt { kind, typing });
            }
        }
        self.try_out();
        Vec::new()
    }

    fn prompt_done(&mut self, kind: PromptKind, text: &str, world: &World<'_>) -> Vec<Outcome> {
        let search = matches!(kind, PromptKind::Find | PromptKind::FilterIn | PromptKind::FilterOut);
        if search && !text.is_empty() {
            text.clone_into(&mut self.last_typed);
            self.focus = Pane::Logs;
            if pattern(text).is_some_and(|pattern| pattern.is_literal()) {
                self.say(world.now, format!("{text:?} is no regular expression: it is looked for as it stands"));
            }
        }
        match kind {
            PromptKind::Find if !text.is_empty() => vec![Outcome::Seek(Seek::Nearest)],
            PromptKind::Find | PromptKind::FilterIn | PromptKind::FilterOut => Vec::new(),
            PromptKind::SendLine(process) => {
                self.say(world.now, format!("sent to {process}: {text}"));
                vec![Outcome::Send(Command::SendLine { process, text: text.to_owned() })]
            }
            PromptKind::Mark => {
                let text = if text.is_empty() { "mark" } else { text };
                self.say(world.now, format!("marked {}: {text}", world.now.seconds()));
                vec![Outcome::Send(Command::Mark { text: text.to_owned() })]
            }
        }
    }

    fn palette_key(&mut self, mut typing: Typing, chosen: usize, key: Key, world: &World<'_>) -> Vec<Outcome> {
        let all = offers(typing.text(), &world.snapshot.rows);
        let down = matches!((key.code, key.ctrl), (Code::Down | Code::Tab, _) | (Code::Char('n'), true));
        let up = matches!((key.code, key.ctrl), (Code::Up, _) | (Code::Char('p'), true));
        let mut chosen = chosen;
        if key.code == Code::Enter {
            return match all.get(chosen) {
                Some(Offer::Action(action)) => self.act(*action, world),
                Some(Offer::Process(row, _)) => {
                    self.table.selected = *row;
                    self.focus = Pane::Processes;
                    Vec::new()
                }
                Some(Offer::Deed(action, row, _)) => {
                    self.table.selected = *row;
                    self.focus = Pane::Processes;
                    self.act(*action, world)
                }
                Some(Offer::Hold { row, .. }) => {
                    self.table.selected = *row;
                    self.focus = Pane::Processes;
                    self.act(Action::Hold, world)
                }
                None => Vec::new(),
            };
        }
        if down {
            chosen = (chosen + 1).min(all.len().saturating_sub(1));
        } else if up {
            chosen = chosen.saturating_sub(1);
        } else if typing.key(key) {
            chosen = 0;
        }
        self.overlay = Some(Overlay::Palette { typing, chosen });
        Vec::new()
    }

    fn help_key(&mut self, typing: Option<Typing>, scroll: usize, key: Key, bound: Option<Action>) {
        if let Some(mut typing) = typing {
            let vertical = matches!(key.code, Code::Up | Code::Down | Code::PageUp | Code::PageDown);
            if !vertical {
                typing.key(key);
                self.overlay = Some(Overlay::Help { typing: Some(typing), scroll: 0 });
                return;
            }
            let scroll = scrolled(scroll, bound, &[]).unwrap_or(scroll);
            self.overlay = Some(Overlay::Help { typing: Some(typing), scroll });
        } else if bound == Some(Action::Find) {
            self.overlay = Some(Overlay::Help { typing: Some(Typing::default()), scroll: 0 });
        } else {
            self.overlay = scrolled(scroll, bound, &[Action::Help]).map(|scroll| Overlay::Help { typing: None, scroll });
        }
    }

    fn ask_quit_key(&mut self, key: Key, bound: Option<Action>, world: &World<'_>) -> Vec<Outcome> {
        let yes = key.code == Code::Enter || key.typed() == Some('y') || matches!(bound, Some(Action::Quit | Action::StopAndQuit));
        let no = key.typed() == Some('n');
        if yes {
            return self.leave(world);
        }
        self.overlay = (!no).then_some(Overlay::AskQuit);
        Vec::new()
    }

    fn signals_key(&mut self, process: ProcessId, chosen: usize, key: Key, bound: Option<Action>, world: &World<'_>) -> Vec<Outcome> {
        let signals = signals();
        if key.code == Code::Enter {
            let Some(signal) = signals.get(chosen).copied() else { return Vec::new() };
            self.say(world.now, format!("{signal} sent to {process} and all it started; its restart policy reacts"));
            return vec![Outcome::Send(Command::Signal { process, signal })];
        }
        self.overlay = moved(chosen, signals.len(), bound).map(|chosen| Overlay::Signals { process, chosen });
        Vec::new()
    }

    fn timeline_key(&mut self, chosen: usize, key: Key, bound: Option<Action>, world: &World<'_>) -> Vec<Outcome> {
        if key.code == Code::Enter {
            let seq = world.events.iter().rev().nth(chosen).copied();
            if world.past.is_some() {
                return vec![Outcome::Travel(seq)];
            }
            self.focus = Pane::Logs;
            self.log.scope = Scope::All;
            return seq.map(|seq| Outcome::Seek(Seek::Seq(seq))).into_iter().collect();
        }
        let close = bound == Some(Action::Timeline);
        self.overlay = from_newest(chosen, world.events.len(), bound).filter(|_| !close).map(|chosen| Overlay::Timeline { chosen });
        Vec::new()
    }

    fn alerts_key(&mut self, chosen: usize, key: Key, bound: Option<Action>, world: &World<'_>) -> Vec<Outcome> {
        if key.code == Code::Enter {
            let Some(event) = world.alerts.iter().rev().nth(chosen) else { return Vec::new() };
            self.focus = Pane::Logs;
            self.log.scope = Scope::All;
            return Seek::alert(event).map(Outcome::Seek).into_iter().collect();
        }
        let close = bound == Some(Action::Alerts);
        self.overlay = from_newest(chosen, world.alerts.len(), bound).filter(|_| !close).map(|chosen| Overlay::Alerts { chosen });
        Vec::new()
    }

    fn expectations_key(&mut self, chosen: usize, key: Key, bound: Option<Action>, world: &World<'_>) -> Vec<Outcome> {
        if key.code == Code::Enter {
            return self.go_to_expectation(chosen, world);
        }
        let close = bound == Some(Action::Expectations);
        let moved = moved(chosen, world.snapshot.expectations.len(), bound).filter(|_| !close);
        self.panes.expectation = moved.unwrap_or(chosen);
        self.overlay = moved.map(|chosen| Overlay::Expectations { chosen });
        Vec::new()
    }
}

/// How far an action moves in something that has no cursor of its own.
fn movement(bound: Option<Action>) -> Option<Move> {
    Some(match bound? {
        Action::Down => Move::By(1),
        Action::Up => Move::By(-1),
        Action::HalfPageDown => Move::By(10),
        Action::HalfPageUp => Move::By(-10),
        Action::PageDown => Move::By(20),
        Action::PageUp => Move::By(-20),
        Action::Top => Move::First,
        Action::Bottom => Move::Last,
        _ => return None,
    })
}

/// The scroll position after a key; none: the key closes. The view clamps it to its content.
pub(super) fn scrolled(scroll: usize, bound: Option<Action>, closing: &[Action]) -> Option<usize> {
    if bound == Some(Action::Quit) || bound.is_some_and(|action| closing.contains(&action)) {
        return None;
    }
    Some(match movement(bound) {
        Some(Move::By(by)) => scroll.saturating_add_signed(by as isize).min(100_000),
        Some(Move::First) => 0,
        Some(Move::Last) => 100_000,
        None => scroll,
    })
}

/// The same in a list whose newest entry stands last and is counted from, so that down is towards it.
pub(super) fn from_newest(chosen: usize, len: usize, bound: Option<Action>) -> Option<usize> {
    let last = len.saturating_sub(1);
    moved(last.saturating_sub(chosen), len, bound).map(|at| last.saturating_sub(at))
}

/// The choice in a list of `len` after a key; none: the key closes.
pub(super) fn moved(chosen: usize, len: usize, bound: Option<Action>) -> Option<usize> {
    if bound == Some(Action::Quit) {
        return None;
    }
    let last = len.saturating_sub(1);
    Some(match movement(bound) {
        Some(Move::By(by)) => chosen.saturating_add_signed(by as isize).min(last),
        Some(Move::First) => 0,
        Some(Move::Last) => last,
        None => chosen.min(last),
    })
}
