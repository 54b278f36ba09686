//! The dashboard without a terminal: its state, what it reads, and how a frame is made of them. The loop gives it keys
//! and news and shows its frames; tests do the same.

use std::{sync::Arc, time::Duration};

use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
};

use crate::{
    explain::Explanation,
    logs::{LogStore, Selection},
    model::{At, Phase, ProcessId, ProcessSnapshot, RunClock, Snapshot},
    process::Relative,
    supervisor::{History, Journal},
    tap::TrafficStore,
};

use super::{
    app::{Abilities, App, Outcome, World, log::LogState, overlay::Overlay},
    demo::{chain::Chain, spoken::Spoken},
    events::EventList,
    fold::Row,
    layout::{Areas, Pane},
    logview::desk::{Desk, Seek, Sought, Window},
    meter::{Meter, Said},
    mouse,
    names::Names,
    options::Options,
    pane::{
        line::{self, Room},
        logs as logs_pane, processes,
    },
    past::{Past, facts_until, until},
    scene::{Drawn, Scene},
    view::{self, There},
};

/// Called from other threads when they have something new.
pub(crate) type Tell = Arc<dyn Fn() + Send + Sync>;

/// What the dashboard reads of a run.
#[derive(Clone)]
pub(crate) struct Sources {
    pub(crate) journal: Arc<Journal>,
    pub(crate) logs: Arc<LogStore>,
    pub(crate) traffic: Arc<TrafficStore>,
    pub(crate) clock: RunClock,
    /// Who a living process has started; a recording has no living ones.
    pub(crate) family: fn(u32) -> Vec<Relative>,
}

/// Who the selected process has started, when somebody last looked.
#[derive(Debug, Default)]
struct Kin {
    of: Option<u32>,
    looked: At,
    found: Vec<Relative>,
}

/// Families are looked at so often while they are shown.
const KIN_EVERY: Duration = Duration::from_secs(1);

/// State, sources and the frame they make.
pub(crate) struct Stage {
    pub(crate) app: App,
    /// The run as it is shown.
    pub(crate) snapshot: Arc<Snapshot>,
    /// The run as it stands now.
    pub(crate) present: Arc<Snapshot>,
    /// The instant that is shown; none: it is now.
    pub(super) past: Option<Past>,
    pub(super) history: History,
    pub(crate) options: Options,
    pub(crate) abilities: Abilities,
    pub(crate) recording: bool,
    pub(crate) areas: Areas,
    pub(crate) window: Window,
    pub(crate) desk: Desk,
    pub(super) sources: Sources,
    tell: Tell,
    /// What those in the middle of the chain say, for an audience.
    spoken: Spoken,
    side: Vec<(ProcessId, Desk, LogState)>,
    side_windows: Vec<(ProcessId, Window)>,
    /// Logs that there is no room for beside those.
    beside: usize,
    pub(super) explanation: Option<Arc<Explanation>>,
    pub(super) events: EventList,
    meter: Meter,
    pub(super) names: Names,
    kin: Kin,
    /// A place that a scan has yet to find.
    pub(super) wanted: Option<Seek>,
    /// Somebody went elsewhere in the log since its rows were read.
    pub(super) went: bool,
}

impl Stage {
    pub(crate) fn new(sources: Sources, options: Options, abilities: Abilities, recording: bool, tell: Tell) -> Self {
        Self {
            app: App::new(),
            snapshot: Arc::default(),
            present: Arc::default(),
            past: None,
            history: History::default(),
            options,
            abilities,
            recording,
            areas: Areas::default(),
            window: Window::default(),
            desk: Desk::new(sources.logs.clone(), tell.clone()),
            sources,
            tell,
            spoken: Spoken::default(),
            side: Vec::new(),
            side_windows: Vec::new(),
            beside: 0,
            explanation: None,
            events: EventList::default(),
            meter: Meter::default(),
            names: Names::default(),
            kin: Kin::default(),
            wanted: None,
            went: false,
        }
    }

    /// How late it is in the run.
    pub(crate) fn now(&self) -> At {
        if self.present.phase == Phase::Ended { self.present.at } else { self.sources.clock.now() }
    }

    /// Takes in how the run stands now.
    pub(crate) fn update(&mut self, snapshot: Arc<Snapshot>, now: At) {
        self.present = snapshot;
        self.show();
        self.events.refresh(&self.sources.journal);
        self.history.refresh(&self.sources.journal);
        self.show_views(now);
        if let Some(seek) = self.wanted.take() {
            self.seek(seek, now);
        }
    }

    /// Shows what steps want to be seen. Who looks at the past is shown it when they are back.
    pub(super) fn show_views(&mut self, now: At) {
        if self.past.is_some() {
            return;
        }
        let views = self.events.take_views();
        if self.abilities.live && !views.is_empty() {
            self.with_world(now, |app, world| views.iter().for_each(|view| app.show(view, world)));
        }
    }

    /// Takes in what is known about the failure.
    pub(crate) fn explain(&mut self, explanation: Option<Arc<Explanation>>, now: At) -> Vec<Outcome> {
        self.explanation = explanation;
        if self.past.is_some() {
            return Vec::new();
        }
        // The strip takes room from the log that is about to be parked.
        self.lay_out(self.areas.screen);
        self.with_world(now, App::explain)
    }

    /// Lets the app look at the world.
    pub(crate) fn with_world<T>(&mut self, now: At, look: impl FnOnce(&mut App, &World<'_>) -> T) -> T {
        let events = self.events.until(until(self.past.as_ref()));
        let parked = self.window.cursor.filter(|_| !self.app.log.follows()).and_then(|at| self.window.rows.get(at));
        let back = match &self.past {
            Some(past) => self.events.len() - self.events.place_of(past.seq),
            None => parked.map_or(0, |row| self.events.back_to(row.line.at)),
        };
        let world = World {
            snapshot: &self.snapshot,
            present: &self.present,
            past: self.past.as_ref(),
            now,
            keymap: &self.options.keymap,
            window: &self.window,
            facts: facts_until(self.explanation.as_deref(), self.past.as_ref()),
            marks: events.marks(),
            events: self.events.seqs(),
            told: events,
            panes: &self.areas,
            turns: self.events.turns(),
            here: parked.map_or(u64::MAX, |row| row.line.seq),
            alerts: events.alerts(),
            back,
            layouts: &self.options.layouts,
            abilities: self.abilities,
            traffic: &self.sources.traffic,
        };
        look(&mut self.app, &world)
    }

    /// Goes elsewhere in the log, now or when a scan has found it.
    pub(crate) fn seek(&mut self, seek: Seek, now: At) {
        self.went = true;
        // Who goes elsewhere does not want to be fetched to where they meant to go before.
        self.wanted = None;
        self.app.panes.event = seek.event();
        let selection = self.app.selection(&self.snapshot);
        let area = self.areas.of(Pane::Logs).unwrap_or(Rect::new(0, 0, 80, 2));
        let frozen = self.app.log.clone();
        let look = &self.options.look;
        let tall = |row: &Row| line::tall(row, &frozen, Room { width: area.width, alone: false }, look);
        let refreshed = self.desk.refresh(&mut self.app.log, &selection);
        let sought = refreshed.and_then(|()| self.desk.seek(&mut self.app.log, seek.clone(), area.height.saturating_sub(1), &tall));
        match sought {
            Ok(Sought::Done) => {}
            Ok(Sought::Wrapped) => self.app.say(now, "went on from the other end"),
            Ok(Sought::Nothing) => self.app.complain(now, "there is none"),
            Ok(Sought::NotYet) => self.wanted = Some(seek),
            Err(error) => self.app.complain(now, format!("the log cannot be read: {error}")),
        }
    }

    /// Reads the log pane's rows anew, if a key has gone elsewhere since the last frame.
    pub(crate) fn look_again(&mut self) {
        if std::mem::take(&mut self.went) {
            let tiled = self.lay_out(self.areas.screen);
            self.look_at_logs(tiled);
        }
    }

    /// The process in a row of the table, for the mouse.
    pub(crate) fn process_at(&self, area: Rect, line: u16) -> Option<usize> {
        processes::process_at(&self.scene(self.now()), area, line)
    }

    /// The part of the screen at a place in which text can be chosen: a pane without its title, or one of logs side by side.
    pub(crate) fn part_at(&self, at: Position) -> Option<Rect> {
        let (pane, area) = self.areas.at(at.x, at.y)?;
        let side = logs_pane::split(area, self.side_windows.len());
        let beside = side.into_iter().find(|part| pane == Pane::Logs && !self.side_windows.is_empty() && part.contains(at));
        let part = mouse::body(pane, beside.unwrap_or(area));
        Some(part).filter(|part| part.contains(at))
    }

    /// The line of a log at a place of the screen.
    pub(crate) fn log_row_at(&self, at: Position) -> Option<&Row> {
        let (pane, area) = self.areas.at(at.x, at.y)?;
        if pane != Pane::Logs || self.app.overlay.is_some() {
            return None;
        }
        let beside = self.side_windows.iter().zip(logs_pane::split(area, self.side_windows.len()));
        let (window, part, alone) = match beside.into_iter().find(|(_, part)| part.contains(at)) {
            Some(((_, window), part)) => (window, part, true),
            None if !self.side_windows.is_empty() => return None,
            None => (&self.window, area, false),
        };
        let mut below = (at.y - part.y).checked_sub(1)?;
        let room = Room { width: part.width, alone };
        for row in &window.rows {
            let tall = line::tall(row, &self.app.log, room, &self.options.look).max(1);
            match below.checked_sub(tall) {
                Some(rest) => below = rest,
                None => return Some(row),
            }
        }
        None
    }

    /// Where a click there leads the log's cursor; side by side, all of them go to that moment.
    pub(crate) fn log_place_at(&self, at: Position) -> Option<Seek> {
        let row = self.log_row_at(at)?;
        Some(if self.side_windows.is_empty() { Seek::Row(row.line.row) } else { Seek::Seq(row.line.seq) })
    }

    /// What of the last frame changes with time alone, anew; none if more of it may.
    pub(crate) fn timed(&mut self, now: At) -> Option<Vec<Buffer>> {
        self.count(now);
        if self.is_settling() { None } else { view::timed(&self.scene(now)) }
    }

    fn count(&mut self, now: At) {
        let logs = &self.sources.logs;
        self.meter.update(
            now,
            self.present.rows.iter().map(|row| Said { process: row.id().clone(), lines: logs.lines(row.id()), alerts: row.alerts }),
        );
    }

    /// Makes a frame.
    pub(crate) fn frame(&mut self, screen: Rect, now: At) -> (Buffer, Drawn) {
        let mut buffer = Buffer::empty(screen);
        let tiled = self.lay_out(screen);
        self.look_at_logs(tiled);
        self.look_at_the_spoken();
        self.went = false;
        self.count(now);
        self.see();
        self.look_at_kin(now);
        let drawn = view::draw(&self.scene(now), &mut buffer);
        if let Some(end) = drawn.scroll_end {
            self.app.clamp_scroll(end);
        }
        if let Some(end) = drawn.details_end {
            self.app.panes.details = self.app.panes.details.min(end);
        }
        (buffer, drawn)
    }

    /// Looks who the selected process has started, where that is shown; once a second is enough.
    fn look_at_kin(&mut self, now: At) {
        let shown = matches!(self.app.overlay, Some(Overlay::Details { .. })) || self.areas.of(Pane::Details).is_some();
        let pid = self.app.selected(&self.snapshot).and_then(|row| row.pid).filter(|_| shown && self.abilities.live && self.past.is_none());
        if self.kin.of != pid || now.since(self.kin.looked) >= KIN_EVERY {
            self.kin = Kin { of: pid, looked: now, found: pid.map(self.sources.family).unwrap_or_default() };
        }
    }

    /// Finds where everything stands. True if logs stand side by side.
    fn lay_out(&mut self, screen: Rect) -> bool {
        let layouts = &self.options.layouts;
        let Some(layout) = layouts.get(self.app.layout % layouts.len().max(1)) else { return false };
        let alone = self.app.zoom.then_some(self.app.focus);
        self.app.tiled_layout = layout.is_tiled();
        let audience = layout.is_for_an_audience() && !self.app.zoom;
        if audience && !self.app.audience {
            // An audience sees what the layout is.
            self.app.toast = None;
        }
        self.app.audience = audience;
        let there = There {
            processes: self.snapshot.rows.len(),
            facts: self.facts().len(),
            expectations: self.snapshot.expectations.len(),
            steps: self.snapshot.steps.len(),
            ranks: if layout.is_for_an_audience() { self.ranks() } else { Vec::new() },
        };
        self.areas = view::areas(layout, screen, &there, alone);
        let shown: Vec<Pane> = self.areas.panes.iter().map(|(pane, _)| *pane).collect();
        self.app.focus_what_is_shown(&shown);
        self.app.is_tiled()
    }

    /// Notes whose newest lines are on the screen.
    fn see(&mut self) {
        if self.past.is_some() || !self.app.log.follows() || self.areas.of(Pane::Logs).is_none() || self.app.log.query().hides() {
            return;
        }
        let shown = self.app.selection(&self.snapshot);
        for row in &self.snapshot.rows {
            let seen = !self.side_windows.is_empty()
                || match &shown {
                    Selection::All => true,
                    Selection::Some(some) => some.contains(row.id()),
                };
            if seen {
                self.meter.saw(row.id());
            }
        }
    }

    /// Whether a number on the screen changes without anything happening.
    pub(crate) fn is_settling(&self) -> bool {
        self.meter.is_settling()
    }

    fn scene(&self, now: At) -> Scene<'_> {
        let past = self.instant(now);
        Scene {
            app: &self.app,
            snapshot: &self.snapshot,
            present: &self.present,
            past,
            now: past.map_or(now, |past| past.at),
            clock: self.sources.clock,
            areas: &self.areas,
            look: &self.options.look,
            keymap: &self.options.keymap,
            window: &self.window,
            side: &self.side_windows,
            beside: self.beside,
            meter: &self.meter,
            names: &self.names,
            kin: &self.kin.found,
            events: self.events(),
            facts: self.facts(),
            recording: self.recording,
            abilities: self.abilities,
            traffic: &self.sources.traffic,
            spoken: self.spoken.shown(),
        }
    }

    /// How many stand in each rank of the chain.
    fn ranks(&self) -> Vec<usize> {
        self.sources.traffic.look(|traffic| Chain::of(&self.snapshot, traffic).ranks.iter().map(Vec::len).collect())
    }

    /// Reads what an audience is shown of the log.
    fn look_at_the_spoken(&mut self) {
        let Some(area) = self.areas.of(Pane::Said) else { return };
        let whose = self.sources.traffic.look(|traffic| Chain::of(&self.snapshot, traffic).middle(&self.snapshot));
        let desk = || Desk::new(self.sources.logs.clone(), self.tell.clone());
        self.spoken.look(whose, self.app.log.until, desk, area.height);
    }

    /// Reads the rows that the log pane will show.
    fn look_at_logs(&mut self, tiled: bool) {
        let Some(area) = self.areas.of(Pane::Logs) else { return };
        let selection = self.app.selection(&self.snapshot);
        let look = &self.options.look;
        if let Err(error) = self.desk.refresh(&mut self.app.log, &selection) {
            self.window = Window { error: Some(format!("the log cannot be read: {error}")), ..Window::default() };
            return;
        }
        let frozen = self.app.log.clone();
        let tall = |row: &Row| line::tall(row, &frozen, Room { width: area.width, alone: false }, look);
        self.window = self.desk.window(&mut self.app.log, area.height.saturating_sub(1), &tall);
        self.side_windows.clear();
        if tiled {
            self.look_side_by_side(area);
        }
    }

    /// Leaves out as many as there is no room for: none that is selected or in trouble while others are there.
    fn leave_out(&self, processes: &mut Vec<ProcessId>) {
        let selected = self.app.selected(&self.snapshot).map(ProcessSnapshot::id);
        let calm = |id: &ProcessId| Some(id) != selected && !self.snapshot.row(id.as_str()).is_some_and(processes::in_trouble);
        for _ in 0..self.beside {
            let last = processes.iter().rposition(calm).unwrap_or(processes.len().saturating_sub(1));
            processes.remove(last);
        }
    }

    /// The same for logs side by side: all at the moment that the cursor is on.
    fn look_side_by_side(&mut self, area: Rect) {
        let ticked = self.app.ticked(&self.snapshot);
        let all = || self.snapshot.rows.iter().map(|row| row.id().clone()).collect();
        let mut processes: Vec<ProcessId> = if ticked.is_empty() { all() } else { ticked };
        let parts = logs_pane::split(area, processes.len());
        self.beside = processes.len().saturating_sub(parts.len());
        self.leave_out(&mut processes);
        self.side.retain(|(process, ..)| processes.contains(process));
        for process in &processes {
            if !self.side.iter().any(|(known, ..)| known == process) {
                let desk = Desk::new(self.sources.logs.clone(), self.tell.clone());
                self.side.push((process.clone(), desk, LogState::default()));
            }
        }
        let at = self.window.cursor_at.filter(|_| !self.app.log.follows());
        let look = &self.options.look;
        for (process, part) in processes.iter().zip(parts) {
            let Some((_, desk, log)) = self.side.iter_mut().find(|(known, ..)| known == process) else { continue };
            *log = LogState { place: log.place, last_seen: log.last_seen, ..self.app.log.clone() };
            let frozen = log.clone();
            let tall = |row: &Row| line::tall(row, &frozen, Room { width: part.width, alone: true }, look);
            let height = part.height.saturating_sub(1);
            let refreshed = desk.refresh(log, &Selection::Some(vec![process.clone()]));
            let seek = at.map_or(Seek::Follow, Seek::Time);
            let error = refreshed.and_then(|()| desk.seek(log, seek, height, &tall).map(drop)).err();
            let mut window = desk.window(log, height, &tall);
            window.error = window.error.or(error.map(|e| format!("the log cannot be read: {e}")));
            self.side_windows.push((process.clone(), window));
        }
    }
}
