//! The loop of the dashboard's thread: wait, take what came, draw what changed.
//!
//! ```text
//!   tty ──Decoder──▶ Key ──App──▶ Outcome ──▶ commands, log, clipboard, terminal
//!   Waker ◀── snapshot, scans, window size          │
//!     └──────────────▶ refresh ──▶ draw ◀───────────┘
//! ```
//!
//! A key is answered in the next frame, at once; everything else is drawn at most twenty times a second, and only
//! if a cell differs. Where nothing moves, uptimes tick once a second and the thread sleeps in between.

use std::{
    io,
    os::fd::AsFd,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use ratatui::buffer::Buffer;

use crate::{
    explain::{Explanation, Fact},
    logs::Selection,
    model::{At, Phase, ProcessId, Snapshot},
};

use super::{
    app::{App, Leaving, World, log::LogState},
    events::EventList,
    front::{Ended, Front, News},
    layout::{Areas, Pane},
    logview::desk::{Desk, Seek, Window},
    meter::Meter,
    pane::{line, logs as logs_pane, processes, state},
    scene::{Drawn, Scene},
    term::{Guard, Screen, Waker, decode::Decoder, size, wait},
    view,
};

/// Frames that no key asked for come at most this often.
const FRAME: Duration = Duration::from_millis(50);
/// Where nothing moves, uptimes tick this often.
const TICK: Duration = Duration::from_secs(1);
/// Times that count down show tenths.
const COUNTDOWN: Duration = Duration::from_millis(100);
/// An escape character without company for so long was the Esc key.
const ESCAPE: Duration = Duration::from_millis(30);
/// How soon lines that nobody announced are seen.
const LOG_LOOK: Duration = Duration::from_millis(50);

/// The dashboard's thread.
pub(crate) struct EventLoop {
    pub(super) front: Front,
    pub(super) app: App,
    pub(super) screen: Screen,
    pub(super) guard: Option<Guard>,
    pub(super) desk: Desk,
    side: Vec<(ProcessId, Desk, LogState)>,
    waker: Waker,
    news: News,
    decoder: Decoder,
    pub(super) snapshot: Arc<Snapshot>,
    explanation: Option<Arc<Explanation>>,
    events: EventList,
    meter: Meter,
    pub(super) window: Window,
    side_windows: Vec<(ProcessId, Window)>,
    areas: Areas,
    /// A place that a scan has yet to find.
    pub(super) wanted: Option<Seek>,
    /// Replies that come later: what was refused, what came of an export.
    pub(super) replies: Arc<Mutex<Vec<(String, bool)>>>,
    pub(super) ended: Option<Ended>,
    logs_changed: u64,
    dirty: bool,
    last_frame: Instant,
    last_tick: Instant,
    last_log_look: Instant,
}

impl EventLoop {
    pub(crate) fn new(front: Front, waker: Waker, news: News) -> io::Result<Self> {
        let guard = Guard::enter(front.options.plain)?;
        let (width, height) = size();
        let screen = Screen::new(width, height, front.options.plain)?;
        let tell = {
            let waker = waker.clone();
            Arc::new(move || waker.wake())
        };
        let desk = Desk::new(front.logs.clone(), tell);
        let now = Instant::now();
        let snapshot = front.snapshot.borrow().clone();
        let mut this = Self {
            app: App::new(),
            screen,
            guard: Some(guard),
            desk,
            side: Vec::new(),
            waker,
            news,
            decoder: Decoder::default(),
            snapshot,
            explanation: None,
            events: EventList::default(),
            meter: Meter::default(),
            window: Window::default(),
            side_windows: Vec::new(),
            areas: Areas::default(),
            wanted: None,
            replies: Arc::default(),
            ended: None,
            logs_changed: u64::MAX,
            dirty: true,
            last_frame: now,
            last_tick: now,
            last_log_look: now,
            front,
        };
        this.title()?;
        Ok(this)
    }

    /// Runs until there is nothing more to show or nobody to show it to.
    pub(crate) fn run(mut self) -> io::Result<Ended> {
        self.refresh();
        self.draw(true)?;
        while self.ended.is_none() {
            let stdin = io::stdin();
            let output = self.screen.is_behind().then(|| self.screen.fd());
            let ready = wait(stdin.as_fd(), output, &self.waker, Some(self.patience()))?;
            if ready.gone {
                self.ended = Some(Ended::TerminalGone);
                break;
            }
            if ready.output && self.screen.send().is_err() {
                self.ended = Some(Ended::TerminalGone);
                break;
            }
            let mut key = false;
            if ready.input {
                key = self.read(&stdin)?;
            } else if self.decoder.is_waiting() {
                let inputs = self.decoder.flush();
                key = self.take(inputs)?;
            }
            self.tick(ready.woken);
            self.draw(key)?;
        }
        self.leave();
        Ok(self.ended.unwrap_or(Ended::Over))
    }

    /// Reads what the terminal has. True if it was worth an answer.
    fn read(&mut self, stdin: &io::Stdin) -> io::Result<bool> {
        let mut bytes = [0; 4096];
        match nix::unistd::read(stdin, &mut bytes) {
            Ok(0) | Err(nix::errno::Errno::EIO | nix::errno::Errno::ENXIO | nix::errno::Errno::EBADF) => {
                self.ended = Some(Ended::TerminalGone);
                Ok(false)
            }
            Ok(n) => {
                let inputs = self.decoder.feed(&bytes[..n]);
                self.take(inputs)
            }
            Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    /// How long there is nothing to do.
    fn patience(&self) -> Duration {
        let since = |then: Instant, every: Duration| every.saturating_sub(then.elapsed());
        let mut patience = since(self.last_tick, self.every());
        if self.dirty && !self.screen.is_behind() {
            patience = patience.min(since(self.last_frame, FRAME));
        }
        if self.decoder.is_waiting() {
            patience = patience.min(ESCAPE);
        }
        if self.snapshot.phase != Phase::Ended {
            patience = patience.min(since(self.last_log_look, LOG_LOOK));
        }
        patience
    }

    /// How often something changes without anything happening.
    fn every(&self) -> Duration {
        let counts = self.snapshot.rows.iter().any(|row| state::counts_time(&row.state));
        let over = self.snapshot.phase == Phase::Ended && self.app.toast.is_none();
        match (over, counts) {
            (true, _) => Duration::from_secs(3600),
            (false, true) => COUNTDOWN,
            (false, false) => TICK,
        }
    }

    fn tick(&mut self, woken: bool) {
        if woken {
            self.refresh();
            self.dirty = true;
        }
        if self.last_tick.elapsed() >= self.every() {
            self.last_tick = Instant::now();
            self.dirty = true;
            self.app.settle(self.now());
        }
        if self.last_log_look.elapsed() >= LOG_LOOK {
            self.last_log_look = Instant::now();
            let changed = self.front.logs.changed();
            self.dirty |= changed != self.logs_changed;
            self.logs_changed = changed;
        }
    }

    /// The moment that is shown.
    pub(super) fn now(&self) -> At {
        if self.snapshot.phase == Phase::Ended { self.snapshot.at } else { self.front.clock.now() }
    }

    /// Takes in what others have left.
    fn refresh(&mut self) {
        self.snapshot = self.front.snapshot.borrow().clone();
        self.events.refresh(&self.front.journal);
        if self.news.resized.has_changed().unwrap_or(false) {
            self.news.resized.borrow_and_update();
            let (width, height) = size();
            self.screen.resize(width, height);
        }
        if self.news.explanation.has_changed().unwrap_or(false) {
            self.explanation = self.news.explanation.borrow_and_update().clone();
            let outcomes = self.with_world(|app, world| app.explain(world));
            self.carry_out(outcomes);
        }
        let replies = std::mem::take(&mut *self.replies.lock().unwrap_or_else(PoisonError::into_inner));
        for (text, bad) in replies {
            let now = self.now();
            if bad { self.app.complain(now, text) } else { self.app.say(now, text) }
        }
        if let Some(seek) = self.wanted.take() {
            self.seek(seek);
        }
        self.app.table.selected = self.app.table.selected.min(self.snapshot.rows.len().saturating_sub(1));
        if self.snapshot.phase == Phase::Ended && self.front.abilities().live && self.ended.is_none() {
            self.ended = Some(Ended::Over);
        }
    }

    /// Lets the app look at the world.
    pub(super) fn with_world<T>(&mut self, look: impl FnOnce(&mut App, &World<'_>) -> T) -> T {
        let world = World {
            snapshot: &self.snapshot,
            now: self.now(),
            keymap: &self.front.options.keymap,
            window: &self.window,
            facts: self.explanation.as_ref().map_or(&[], |explanation| &explanation.facts),
            marks: self.events.marks(),
            events: self.events.seqs(),
            abilities: self.front.abilities(),
        };
        look(&mut self.app, &world)
    }

    pub(super) fn waker(&self) -> Waker {
        self.waker.clone()
    }

    pub(super) fn areas(&self) -> &Areas {
        &self.areas
    }

    pub(super) fn facts(&self) -> &[Fact] {
        self.explanation.as_ref().map_or(&[], |explanation| &explanation.facts)
    }

    /// The process in a row of the table, for the mouse.
    pub(super) fn process_at(&self, area: ratatui::layout::Rect, line: u16) -> Option<usize> {
        processes::process_at(&self.scene(self.now()), area, line)
    }

    /// Draws if there is something new and the terminal has room; at once if a key asked for it.
    fn draw(&mut self, at_once: bool) -> io::Result<()> {
        self.dirty |= at_once;
        if !self.dirty || self.screen.is_behind() || (!at_once && self.last_frame.elapsed() < FRAME) {
            return Ok(());
        }
        self.dirty = false;
        self.last_frame = Instant::now();
        let screen = self.screen.area();
        let layouts = &self.front.options.layouts;
        let Some(layout) = layouts.get(self.app.layout % layouts.len().max(1)) else { return Ok(()) };
        let tiled = layout.is_tiled() || self.app.side_by_side;
        let alone = self.app.zoom.then_some(self.app.focus);
        let facts = self.explanation.as_ref().map_or(0, |explanation| explanation.facts.len());
        self.areas = view::areas(layout, screen, self.snapshot.rows.len(), facts, alone);
        self.look_at_logs(tiled);
        let now = self.now();
        self.meter.update(now, self.snapshot.rows.iter().map(|row| (row.id().clone(), self.front.logs.lines(row.id()))));
        let mut buffer = Buffer::empty(screen);
        let drawn = {
            let scene = self.scene(now);
            let drawn = view::draw(&scene, &mut buffer);
            let seen: Vec<ProcessId> =
                self.snapshot.rows.iter().map(|row| row.id()).filter(|id| scene.log_shows(id) && self.app.log.follows()).cloned().collect();
            (drawn, seen)
        };
        let (Drawn { cursor, scroll_end }, seen) = drawn;
        seen.iter().for_each(|id| self.meter.saw(id));
        if let Some(end) = scroll_end {
            self.app.clamp_scroll(end);
        }
        match self.screen.show(buffer, cursor) {
            Ok(_) => Ok(()),
            Err(e) if is_gone(&e) => {
                self.ended = Some(Ended::TerminalGone);
                Ok(())
            }
            Err(e) => Err(e),
        }
    }

    fn scene(&self, now: At) -> Scene<'_> {
        Scene {
            app: &self.app,
            snapshot: &self.snapshot,
            now,
            clock: self.front.clock,
            areas: &self.areas,
            look: &self.front.options.look,
            keymap: &self.front.options.keymap,
            window: &self.window,
            side: &self.side_windows,
            meter: &self.meter,
            events: &self.events,
            facts: self.explanation.as_ref().map_or(&[], |explanation| &explanation.facts),
            recording: self.front.recording,
            abilities: self.front.abilities(),
        }
    }

    /// Reads the rows that the log pane will show.
    fn look_at_logs(&mut self, tiled: bool) {
        let Some(area) = self.areas.of(Pane::Logs) else { return };
        let selection = self.app.selection(&self.snapshot);
        let look = &self.front.options.look;
        if let Err(error) = self.desk.refresh(&mut self.app.log, &selection) {
            self.window = Window { error: Some(format!("the log cannot be read: {error}")), ..Window::default() };
            return;
        }
        let frozen = self.app.log.clone();
        let tall = |row: &super::fold::Row| line::tall(row, &frozen, area.width, look);
        self.window = self.desk.window(&mut self.app.log, area.height.saturating_sub(1), &tall);
        self.side_windows.clear();
        if tiled {
            self.look_side_by_side(area);
        }
    }

    /// The same for logs side by side: all at the moment that the cursor is on.
    fn look_side_by_side(&mut self, area: ratatui::layout::Rect) {
        let ticked = self.app.ticked(&self.snapshot);
        let all = || self.snapshot.rows.iter().map(|row| row.id().clone()).collect();
        let processes: Vec<ProcessId> = if ticked.is_empty() { all() } else { ticked };
        self.side.retain(|(process, ..)| processes.contains(process));
        for process in &processes {
            if !self.side.iter().any(|(known, ..)| known == process) {
                let waker = self.waker.clone();
                let desk = Desk::new(self.front.logs.clone(), Arc::new(move || waker.wake()));
                self.side.push((process.clone(), desk, LogState::default()));
            }
        }
        let at = self.window.cursor_at.filter(|_| !self.app.log.follows());
        let parts = logs_pane::split(area, processes.len());
        let look = &self.front.options.look;
        for (process, part) in processes.iter().zip(parts) {
            let Some((_, desk, log)) = self.side.iter_mut().find(|(known, ..)| known == process) else { continue };
            *log = LogState { place: log.place, last_seen: log.last_seen, ..self.app.log.clone() };
            let frozen = log.clone();
            let tall = |row: &super::fold::Row| line::tall(row, &frozen, part.width, look);
            let height = part.height.saturating_sub(1);
            let refreshed = desk.refresh(log, &Selection::Some(vec![process.clone()]));
            let seek = at.map_or(Seek::Follow, Seek::Time);
            let error = refreshed.and_then(|()| desk.seek(log, seek, height, &tall).map(drop)).err();
            let mut window = desk.window(log, height, &tall);
            window.error = window.error.or(error.map(|e| format!("the log cannot be read: {e}")));
            self.side_windows.push((process.clone(), window));
        }
    }

    /// Gives the terminal back.
    fn leave(&mut self) {
        self.app.leaving = self.app.leaving.max(Leaving::Stopping);
        if self.ended != Some(Ended::TerminalGone) {
            self.screen.finish();
        }
        self.guard = None;
    }
}

/// Whether an error says that there is no terminal any more.
pub(super) fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(nix::libc::EIO | nix::libc::ENXIO | nix::libc::EBADF | nix::libc::EPIPE))
}
