//! What each action does. One match; what an arm needs more than a line for stands with its kind.

use crate::{
    model::Command,
    tui::{
        action::Action,
        layout::{Layout, Pane},
        logview::desk::{Seek, Way},
        past::Stops,
    },
};

use super::{
    log::Scope,
    overlay::{Overlay, PromptKind, Typing},
    state::{App, Leaving, Outcome, World},
};

impl App {
    /// Does `action`.
    pub(crate) fn act(&mut self, action: Action, world: &World<'_>) -> Vec<Outcome> {
        match action {
            Action::Process(number) => self.choose(usize::from(number), world),
            Action::Down => return self.go(Seek::Lines(1), world),
            Action::Up => return self.go(Seek::Lines(-1), world),
            Action::PageDown => return self.go(Seek::HalfPages(2), world),
            Action::PageUp => return self.go(Seek::HalfPages(-2), world),
            Action::HalfPageDown => return self.go(Seek::HalfPages(1), world),
            Action::HalfPageUp => return self.go(Seek::HalfPages(-1), world),
            Action::Top => return self.go(Seek::First, world),
            Action::Bottom => return self.go(Seek::Follow, world),
            Action::Left => self.log.sideways = self.log.sideways.saturating_sub(SIDE_STEP),
            Action::Right => self.log.sideways = self.log.sideways.saturating_add(SIDE_STEP),
            Action::FocusNext => self.focus_next(),
            Action::FocusPrevious => self.focus_previous(world),
            Action::Open => return self.open(world),
            Action::Back => self.back(),
            Action::Start => return self.on_process(action, world, |process| Command::Start { process }),
            Action::Restart => return self.on_process(action, world, |process| Command::Restart { process, now: false }),
            Action::RestartNow => return self.on_process(action, world, |process| Command::Restart { process, now: true }),
            Action::Stop => return self.on_process(action, world, |process| Command::Stop { process, now: false }),
            Action::StopNow => return self.on_process(action, world, |process| Command::Stop { process, now: true }),
            Action::SendSignal => self.about_process(action, world, |process| Overlay::Signals { process, chosen: 0 }),
            Action::SendLine => return self.talk_to(action, world),
            Action::Hold => return self.hold(world),
            Action::NextStep | Action::RepeatStep | Action::HoldSteps => return self.on_script(action, world),
            Action::Details => self.overlay = Some(Overlay::Details { scroll: 0 }),
            Action::Tick => self.tick(world),
            Action::Sort => self.sort(world),
            Action::Follow => return vec![Outcome::Seek(if self.log.follows() { Seek::Row(self.log.cursor()) } else { Seek::Follow })],
            Action::Find => self.prompt(PromptKind::Find),
            Action::FilterIn => self.prompt(PromptKind::FilterIn),
            Action::FilterOut => self.prompt(PromptKind::FilterOut),
            Action::FilterClear => self.log.clear_filters(),
            Action::FindNext | Action::FindPrevious => return self.walk_matches(way(action), world),
            Action::NextAlert | Action::PreviousAlert => return self.walk_alerts(way(action)),
            Action::NextToken | Action::PreviousToken => return self.walk_tokens(way(action), world),
            Action::NextMark | Action::PreviousMark => return self.walk_marks(way(action), world),
            Action::FirstFailure => return self.next_fact(world),
            Action::MoreContext => self.log.context = (self.log.context + 1).min(99),
            Action::LessContext => self.log.context = self.log.context.saturating_sub(1),
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
            Action::MergedOrSingle => self.next_scope(),
            Action::SideBySide => self.side_by_side = !self.side_by_side,
            Action::Mark => self.mark(world),
            Action::PreviousEvent | Action::NextEvent => return self.travel(Stops::Events, way(action), world),
            Action::PreviousFailure | Action::NextFailure => return self.travel(Stops::Failures, way(action), world),
            Action::Now => return self.back_to_now(world),
            Action::Timeline | Action::Traffic | Action::Alerts | Action::Expectations | Action::Steps => self.open_list(action, world),
            Action::Disturb => self.open_faults(world),
            Action::RerunTests => return self.rerun(world),
            Action::Export => return self.export(world),
            Action::Zoom => self.zoom = !self.zoom,
            Action::Layout => self.next_layout(world),
            Action::Palette => self.overlay = Some(Overlay::Palette { typing: Typing::default(), chosen: 0 }),
            Action::OwnLog => self.overlay = Some(Overlay::OwnLog),
            Action::Help => self.overlay = Some(Overlay::Help { typing: None, scroll: 0 }),
            Action::Mouse => return self.toggle_mouse(world),
            Action::Redraw => return vec![Outcome::Redraw],
            Action::Suspend => return vec![Outcome::Suspend],
            Action::Quit => return self.quit(world),
            Action::Interrupt if self.log.select_from.take().is_some() => {}
            Action::Interrupt | Action::StopAndQuit => return self.leave(world),
        }
        Vec::new()
    }

    fn open_list(&mut self, action: Action, world: &World<'_>) {
        self.overlay = Some(match action {
            Action::Timeline => Overlay::Timeline { chosen: world.back },
            Action::Traffic => Overlay::Traffic { chosen: None },
            Action::Alerts => Overlay::Alerts { chosen: 0 },
            Action::Expectations => Overlay::Expectations { chosen: self.panes.expectation },
            _ => Overlay::Steps { chosen: self.panes.step },
        });
    }

    /// Moves in the focused pane.
    pub(super) fn go(&mut self, seek: Seek, world: &World<'_>) -> Vec<Outcome> {
        match self.focus {
            Pane::Processes => {}
            Pane::Logs => return vec![Outcome::Seek(seek)],
            _ => return self.go_in_pane(&seek, world),
        }
        let by = match seek {
            Seek::Lines(lines) => lines,
            Seek::HalfPages(halves) => halves * 5,
            Seek::First => i64::MIN,
            _ => i64::MAX,
        };
        self.table.step(&world.snapshot.rows, by);
        Vec::new()
    }

    pub(super) fn choose(&mut self, number: usize, world: &World<'_>) {
        if world.snapshot.rows.len() < number {
            return self.complain(world.now, format!("there is no process {number}"));
        }
        self.table.selected = number.saturating_sub(1);
    }

    fn tick(&mut self, world: &World<'_>) {
        let Some(process) = self.selected(world.snapshot).map(|row| row.id().clone()) else { return };
        let key = world.keymap.key_of(self.context(), Action::MergedOrSingle).unwrap_or_default();
        let told = match self.table.tick(&process) {
            0 => format!("{process} is ticked no more"),
            n if self.table.ticked.contains(&process) => format!("ticked {process}; {key} shows the log of the ticked ones ({n})"),
            n => format!("{process} is ticked no more; {n} still are"),
        };
        self.say(world.now, told);
    }

    fn sort(&mut self, world: &World<'_>) {
        self.table.sort_next(&world.snapshot.rows);
        self.say(world.now, format!("sorted by {}; rows stay where they are now", self.table.sort.title()));
    }

    fn next_layout(&mut self, world: &World<'_>) {
        self.layout = (self.layout + 1) % world.layouts.len().max(1);
        let name = world.layouts.get(self.layout).map_or("", Layout::name);
        self.say(world.now, format!("layout: {name}"));
    }

    fn toggle_mouse(&mut self, world: &World<'_>) -> Vec<Outcome> {
        self.mouse = !self.mouse;
        let key = world.keymap.key_of(self.context(), Action::Mouse).unwrap_or_default();
        let told = if self.mouse {
            format!("the mouse is the dashboard's now; {key} gives it back")
        } else {
            "the mouse is the terminal's again".into()
        };
        self.say(world.now, told);
        vec![Outcome::Mouse(self.mouse)]
    }

    fn export(&mut self, world: &World<'_>) -> Vec<Outcome> {
        if world.abilities.export {
            return vec![Outcome::Export];
        }
        self.complain(world.now, "nothing is recorded here that could be exported");
        Vec::new()
    }

    fn back(&mut self) {
        if self.log.select_from.take().is_some() {
            return;
        }
        if self.focus == Pane::Logs && (self.log.find.is_some() || self.log.token.is_some() || self.log.near.is_some()) {
            (self.log.find, self.log.token, self.log.near) = (None, None, None);
        } else if self.zoom {
            self.zoom = false;
        } else if self.focus != Pane::Processes {
            self.focus = Pane::Processes;
            if std::mem::take(&mut self.opened) {
                self.log.scope = Scope::All;
            }
        }
    }

    fn mark(&mut self, world: &World<'_>) {
        if !self.is_in_the_past(world) {
            self.prompt(PromptKind::Mark);
        }
    }

    fn prompt(&mut self, kind: PromptKind) {
        let text = match kind {
            PromptKind::Find => self.log.find.as_ref().map(crate::logs::Pattern::typed),
            PromptKind::FilterIn => self.log.within.as_ref().map(crate::logs::Pattern::typed),
            PromptKind::FilterOut => self.log.without.as_ref().map(crate::logs::Pattern::typed),
            PromptKind::SendLine(_) | PromptKind::Mark => None,
        };
        // A new search begins empty; a filter that stands is there to be changed.
        let typing = if kind == PromptKind::Find { Typing::default() } else { Typing::with(text.unwrap_or("")) };
        self.overlay = Some(Overlay::Prompt { kind, typing });
    }

    fn next_scope(&mut self) {
        self.opened = false;
        self.log.scope = match self.log.scope {
            Scope::All if !self.table.ticked.is_empty() => Scope::Ticked,
            Scope::All | Scope::Ticked => Scope::One,
            Scope::One => Scope::All,
        };
    }

    fn quit(&mut self, world: &World<'_>) -> Vec<Outcome> {
        if self.leaving > Leaving::No {
            let key = world.keymap.key_of(self.context(), Action::Interrupt).unwrap_or_default();
            self.say(world.now, format!("everything is being stopped; {key} kills it now"));
            return Vec::new();
        }
        if world.abilities.live && Self::something_runs(world.present) {
            self.overlay = Some(Overlay::AskQuit);
            return Vec::new();
        }
        self.leave(world)
    }

    /// Stops everything and leaves; again: without grace; and again: leaves whatever may be left.
    pub(super) fn leave(&mut self, world: &World<'_>) -> Vec<Outcome> {
        if !world.abilities.live || world.present.phase == crate::model::Phase::Ended {
            return vec![Outcome::Leave];
        }
        // Whoever stops everything wants to see it stop.
        let mut outcomes: Vec<_> = world.past.map(|_| Outcome::Travel(None)).into_iter().collect();
        outcomes.push(match self.leaving {
            Leaving::No => {
                self.leaving = Leaving::Stopping;
                Outcome::Send(Command::Shutdown { now: false })
            }
            Leaving::Stopping => {
                self.leaving = Leaving::Killing;
                Outcome::Send(Command::Shutdown { now: true })
            }
            Leaving::Killing => Outcome::Leave,
        });
        outcomes
    }
}

/// Which way an action walks, if it does.
fn way(action: Action) -> Way {
    let next = [Action::FindNext, Action::NextAlert, Action::NextToken, Action::NextMark, Action::NextEvent, Action::NextFailure];
    if next.contains(&action) { Way::Next } else { Way::Previous }
}

/// Cells that one key scrolls sideways.
const SIDE_STEP: u16 = 8;
