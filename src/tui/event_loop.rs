//! The loop of the dashboard: wait, take what came, draw what changed.
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
    sync::{Arc, Mutex, PoisonError, Weak, atomic::AtomicBool},
    time::{Duration, Instant},
};

use crate::{
    model::Phase,
    process::{Screen as ChildScreen, family, stop_until_continued},
};

use super::{
    app::{Leaving, Outcome},
    front::{Ended, Front, News},
    overlay,
    pane::line::child_screen,
    pane::state,
    stage::{Sources, Stage},
    term::{
        Guard, Screen, Waker,
        decode::{Decoder, For},
        is_in_front, size, wait, wait_away,
    },
};

/// Frames that no key asked for come at most this often.
const FRAME: Duration = Duration::from_millis(50);
/// Where nothing moves, uptimes tick this often…
const TICK: Duration = Duration::from_secs(1);
/// …and where samples come every second this much later: their frame is tick enough.
const AFTER_SAMPLES: Duration = Duration::from_millis(30);
/// Times that count down show tenths.
const COUNTDOWN: Duration = Duration::from_millis(100);
/// In the background, how often to look whether a shell has brought us to the front: it does not tell who runs there.
const AWAY: Duration = Duration::from_millis(100);
/// So many bytes at once may have been typed by hand.
const FEW: usize = 64;
/// An escape character without company for so long was the Esc key.
const ESCAPE: Duration = Duration::from_millis(30);

/// The dashboard at work.
pub(crate) struct EventLoop {
    pub(super) front: Front,
    pub(super) stage: Stage,
    pub(super) screen: Screen,
    /// None while the terminal is somebody else's: nothing is read from it or written to it then.
    pub(super) guard: Option<Guard>,
    pub(super) waker: Waker,
    news: News,
    pub(super) decoder: Decoder,
    /// When the terminal was asked about its keyboard, while its answer has not come.
    pub(super) asked: Option<Instant>,
    /// It speaks the kitty keyboard protocol.
    pub(super) enhanced: bool,
    /// For whom its keys are written as they are.
    pub(super) spoken_to: For,
    /// Replies that come later: what was refused, what came of an export.
    pub(super) replies: Arc<Mutex<Vec<(String, bool)>>>,
    /// Whether the archive that is being written is still wanted, while one is.
    pub(super) exporting: Weak<AtomicBool>,
    pub(super) ended: Option<Ended>,
    /// The window's title, as it was set.
    pub(super) titled: String,
    /// How big processes were told that their terminals are.
    child_screen: Option<ChildScreen>,
    pub(super) dirty: bool,
    /// Nothing has happened since the last frame, but it is later now.
    due: bool,
    /// The last frame was drawn for that alone.
    ticked: bool,
    last_frame: Instant,
    last_tick: Instant,
}

impl EventLoop {
    pub(crate) fn new(front: Front, waker: Waker, news: News) -> io::Result<Self> {
        let guard = is_in_front().then(|| Guard::enter(front.options.plain)).transpose()?;
        let (width, height) = size();
        let screen = Screen::new(width, height, front.options.plain)?;
        let sources = Sources {
            journal: front.journal.clone(),
            logs: front.logs.clone(),
            traffic: front.traffic.clone(),
            clock: front.clock,
            family,
        };
        let teller = waker.clone();
        let tell = Arc::new(move || teller.wake());
        let tapper = waker.clone();
        front.traffic.wake(move || tapper.wake());
        let ringer = waker.clone();
        front.logs.ring_when_changed(move || ringer.wake());
        let stage = Stage::new(sources, front.options.clone(), front.abilities(), front.recording, tell);
        let now = Instant::now();
        let mut this = Self {
            stage,
            screen,
            guard,
            waker,
            news,
            decoder: Decoder::default(),
            asked: None,
            enhanced: false,
            spoken_to: For::Dashboard,
            replies: Arc::default(),
            exporting: Weak::new(),
            ended: None,
            titled: String::new(),
            child_screen: None,
            dirty: true,
            due: false,
            ticked: false,
            last_frame: now,
            last_tick: now,
            front,
        };
        this.refresh();
        this.title();
        if !this.front.options.plain {
            this.stage.app.mouse = true;
            this.carry_out(vec![Outcome::Mouse(true)]);
        }
        Ok(this)
    }

    /// Runs until there is nothing more to show or nobody to show it to.
    pub(crate) fn run(mut self) -> io::Result<Ended> {
        self.draw(true)?;
        self.ask_keyboard();
        while self.ended.is_none() {
            let stdin = io::stdin();
            let output = self.screen.is_behind().then(|| self.screen.fd());
            let ready = match self.guard {
                Some(_) => wait(stdin.as_fd(), output, &self.waker, Some(self.patience()))?,
                None => wait_away(stdin.as_fd(), &self.waker, AWAY)?,
            };
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
            } else if self.decoder.is_waiting()
                && let Some(input) = self.decoder.flush(self.stage.app.keys_are_for())
            {
                self.take(input, true);
                key = true;
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
                self.decoder.feed(&bytes[..n]);
                let mut some = false;
                while let Some(input) = self.decoder.next(self.stage.app.keys_are_for()) {
                    self.take(input, n <= FEW);
                    some = true;
                }
                Ok(some)
            }
            Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    /// How long there is nothing to do.
    fn patience(&self) -> Duration {
        let since = |then: Instant, every: Duration| every.saturating_sub(then.elapsed());
        let mut patience = since(self.last_tick, self.every());
        if (self.dirty || self.due) && !self.screen.is_behind() {
            patience = patience.min(since(self.last_frame, FRAME));
        }
        if self.decoder.is_waiting() {
            patience = patience.min(ESCAPE);
        }
        patience
    }

    /// How often something changes without anything happening.
    fn every(&self) -> Duration {
        let counts = self.stage.present.rows.iter().any(|row| state::counts_time(&row.state));
        let over = self.stage.present.phase == Phase::Ended && self.stage.app.toast.is_none() && !self.stage.is_settling();
        match (over, counts) {
            (true, _) => Duration::from_hours(1),
            (false, true) => COUNTDOWN,
            (false, false) if self.ticked => TICK,
            (false, false) => TICK + AFTER_SAMPLES,
        }
    }

    fn tick(&mut self, woken: bool) {
        if self.guard.is_none() {
            self.back();
        }
        if woken {
            self.waker.clear();
            self.refresh();
            self.dirty = true;
        }
        if self.last_tick.elapsed() >= self.every() {
            self.last_tick = Instant::now();
            self.due = true;
        }
    }

    /// Takes in what others have left.
    fn refresh(&mut self) {
        let snapshot = self.front.snapshot.borrow().clone();
        let now = self.stage.now();
        self.stage.update(snapshot, now);
        if self.news.resized.has_changed().unwrap_or(false) {
            self.news.resized.borrow_and_update();
            let (width, height) = size();
            self.screen.resize(width, height);
        }
        if self.news.continued.has_changed().unwrap_or(false) {
            self.news.continued.borrow_and_update();
            if self.guard.take().is_some() {
                self.back();
            }
        }
        if self.news.stop_asked.has_changed().unwrap_or(false) {
            self.news.stop_asked.borrow_and_update();
            self.suspend(stop_until_continued);
        }
        if self.news.explanation.has_changed().unwrap_or(false) {
            let explanation = self.news.explanation.borrow_and_update().clone();
            let outcomes = self.stage.explain(explanation, now);
            self.carry_out(outcomes);
        }
        let replies = std::mem::take(&mut *self.replies.lock().unwrap_or_else(PoisonError::into_inner));
        for (text, bad) in replies {
            if bad { self.stage.app.complain(now, text) } else { self.stage.app.say(now, text) }
        }
        if self.stage.present.phase == Phase::Ended && self.stage.abilities.live && self.ended.is_none() {
            self.ended = Some(Ended::Over);
        }
    }

    /// Draws if there is something new and the terminal has room; at once if a key asked for it.
    fn draw(&mut self, at_once: bool) -> io::Result<()> {
        self.dirty |= at_once;
        if self.guard.is_none() || !(self.dirty || self.due) || self.screen.is_behind() || (!at_once && self.last_frame.elapsed() < FRAME) {
            return Ok(());
        }
        let now = self.stage.now();
        let settled = self.stage.app.settle(now);
        self.ticked = !self.dirty && !settled;
        (self.dirty, self.due) = (false, false);
        (self.last_frame, self.last_tick) = (Instant::now(), Instant::now());
        let timed = if self.ticked && self.screen.takes_parts() { self.stage.timed(now) } else { None };
        if let Some(parts) = timed {
            let shown = self.screen.show_parts(parts);
            return self.or_gone(shown);
        }
        overlay::collect_own_log();
        #[cfg(debug_assertions)]
        self.fail_if_a_test_wants_it();
        self.title();
        // What comes after this look wakes the loop again, once.
        self.front.logs.arm();
        let (buffer, drawn) = self.stage.frame(self.screen.area(), now);
        self.tell_child_screen();
        let shown = self.screen.show(buffer, drawn.cursor);
        self.or_gone(shown)
    }

    /// A terminal that is gone is the end, and no error.
    fn or_gone(&mut self, shown: io::Result<usize>) -> io::Result<()> {
        match shown {
            Ok(_) => Ok(()),
            Err(e) if is_gone(&e) => {
                self.ended = Some(Ended::TerminalGone);
                Ok(())
            }
            Err(e) => Err(e),
        }
    }

    /// Terminals of processes are as big as the pane that shows what they say.
    fn tell_child_screen(&mut self) {
        let screen = child_screen(&self.stage.areas).filter(|screen| Some(*screen) != self.child_screen);
        if let (Some(screen), Some(resize)) = (screen, &self.front.resize_terminals) {
            self.child_screen = Some(screen);
            resize(screen);
        }
    }

    /// How a frame that fails ends is only seen where one does.
    #[cfg(debug_assertions)]
    fn fail_if_a_test_wants_it(&self) {
        let wanted = self.stage.present.run.is_some() && std::env::var_os("E2E_TUI_TEST_PANIC").is_some_and(|what| what == "draw");
        assert!(!wanted, "a frame that a test wanted to fail");
    }

    /// Gives the terminal back.
    fn leave(&mut self) {
        self.stage.app.leaving = self.stage.app.leaving.max(Leaving::Stopping);
        if self.guard.is_some() && self.ended != Some(Ended::TerminalGone) {
            self.screen.finish();
            self.hear_out();
        }
        self.guard = None;
    }
}

/// Whether an error says that there is no terminal any more.
pub(super) fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(nix::libc::EIO | nix::libc::ENXIO | nix::libc::EBADF | nix::libc::EPIPE))
}
