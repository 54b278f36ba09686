//! What the dashboard is given, and how it is run.

use std::{io, sync::Arc};

use ratatui::layout::Rect;
use tokio::{
    runtime::Handle,
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::{
    aside::aside,
    explain::{Explanation, explain},
    logs::LogStore,
    model::{Command, RunClock, RunSpec, Snapshot},
    process::Screen as ChildScreen,
    supervisor::{Journal, Suspended},
    tap::TrafficStore,
};

use super::{
    app::Abilities,
    event_loop::EventLoop,
    options::Options,
    pane::line,
    term,
    view::{self, There},
};

/// Why a command was not carried out, to be shown.
pub type Refused = Box<dyn FnOnce(String) + Send>;

/// Writes an archive: it tells how much is done, from 0 to 1, asks whether to go on, and says in one line what came of it.
pub type Export = Arc<dyn Fn(&dyn Fn(f64) -> bool) -> String + Send + Sync>;

/// Everything a dashboard works with. It sees nothing else of the run.
pub struct Front {
    /// How the run stands, whenever that changes.
    pub snapshot: watch::Receiver<Arc<Snapshot>>,
    /// All events.
    pub journal: Arc<Journal>,
    /// All that was said.
    pub logs: Arc<LogStore>,
    /// What went through taps.
    pub traffic: Arc<TrafficStore>,
    /// The run's clock; of a recording, one that stands at its end.
    pub clock: RunClock,
    /// Carries out commands; what is refused is told through the callback. None: it is a recording.
    pub commands: Option<Box<dyn Fn(Command, Refused) + Send>>,
    /// Told how big the terminals of processes are to be: as big as the log pane is for text. None: there are none.
    pub resize_terminals: Option<Box<dyn Fn(ChildScreen) + Send>>,
    /// Suspends the run; it goes on when what this returns is dropped. None: there is nothing to suspend.
    pub suspend: Option<Box<dyn Fn() -> Suspended + Send>>,
    /// Writes an archive and says in one line what came of it. Called on a thread of its own.
    pub export: Option<Export>,
    /// Whether all this is being recorded.
    pub recording: bool,
    /// Where signals and changes are waited for.
    pub runtime: Handle,
    /// How it looks and which keys it takes.
    pub options: Options,
}

/// How the dashboard ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The run is over, or there was none to end.
    Over,
    /// The user would not wait for the run's end: what is left must be killed.
    Forced,
    /// The terminal is gone: the run must be taken down.
    TerminalGone,
}

/// Whether a dashboard can be shown: stdin and stdout are a terminal.
pub fn is_possible() -> bool {
    term::is_terminal()
}

/// How big terminals of processes are to be when a dashboard opens here on this run.
pub fn child_screen(options: &Options, spec: &RunSpec) -> ChildScreen {
    let there =
        There { processes: spec.processes.len(), expectations: spec.expectations.len(), steps: spec.steps.len(), ..There::default() };
    let (width, height) = term::size();
    let areas = options.layouts.first().map(|layout| view::areas(layout, Rect::new(0, 0, width, height), &there, None));
    areas.as_ref().and_then(line::child_screen).unwrap_or_default()
}

/// Runs the dashboard on this thread, which must be none of the runtime's. It ends when the run is over (or, with a recording,
/// when the user leaves), when the terminal is gone, or when the user will not wait any longer; the terminal is then as it was.
///
/// # Errors
/// Where the terminal cannot be used.
pub fn run(front: Front) -> io::Result<Ended> {
    term::install_panic_hook();
    let waker = term::Waker::new()?;
    let news = News::start(&front, waker.clone())?;
    let ended = EventLoop::new(front, waker, news)?.run();
    term::restore();
    ended
}

/// What others have for the front, left where it finds it when it is woken.
pub(crate) struct News {
    pub(crate) explanation: watch::Receiver<Option<Arc<Explanation>>>,
    pub(crate) resized: watch::Receiver<u64>,
    /// Moves when the program was stopped and goes on: the terminal's modes may be anybody's then.
    pub(crate) continued: watch::Receiver<u64>,
    /// Moves when somebody asks for a suspension by TSTP.
    pub(crate) stop_asked: watch::Receiver<u64>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl News {
    fn start(front: &Front, waker: term::Waker) -> io::Result<Self> {
        let _context = front.runtime.enter();
        let (explained, explanation) = watch::channel(None);
        let (resize, resized) = watch::channel(0u64);
        let (carry_on, continued) = watch::channel(0u64);
        let (ask_stop, stop_asked) = watch::channel(0u64);
        let mut stop = signal(SignalKind::from_raw(nix::libc::SIGTSTP))?;
        let mut winch = signal(SignalKind::window_change())?;
        let mut cont = signal(SignalKind::from_raw(nix::libc::SIGCONT))?;
        let resize_waker = waker.clone();
        let resizes = front.runtime.spawn(async move {
            loop {
                tokio::select! {
                    Some(()) = winch.recv() => resize.send_modify(|n| *n += 1),
                    Some(()) = cont.recv() => carry_on.send_modify(|n| *n += 1),
                    Some(()) = stop.recv() => ask_stop.send_modify(|n| *n += 1),
                    else => return,
                }
                resize_waker.wake();
            }
        });
        let (mut snapshot, journal, logs) = (front.snapshot.clone(), front.journal.clone(), front.logs.clone());
        let changes = front.runtime.spawn(async move {
            let mut explained_at = None;
            loop {
                let now = snapshot.borrow_and_update().clone();
                waker.wake();
                let failed = failure(&now);
                if failed != explained_at {
                    let (journal, logs) = (journal.clone(), logs.clone());
                    // Explaining reads the log: no work for a thread that others wait on.
                    // Without a thread to be had it is tried again at the next change.
                    if let Ok(told) = aside(move || failed.and_then(|_| explain(&journal.from(0), &logs))).await {
                        explained_at = failed;
                        explained.send_replace(told.map(Arc::new));
                        waker.wake();
                    }
                }
                if snapshot.changed().await.is_err() {
                    return;
                }
                // A storm of changes is one wake-up for a screen that is drawn twenty times a second.
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        });
        Ok(Self { explanation, resized, continued, stop_asked, tasks: vec![resizes, changes] })
    }
}

impl Drop for News {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

/// What there is to explain: none while nothing has failed for good.
fn failure(snapshot: &Snapshot) -> Option<(crate::model::At, usize)> {
    use crate::model::{ProcessState, Verdict};
    let failed = snapshot.outcome.as_ref().is_some_and(|outcome| outcome.verdict == Verdict::Failed);
    let gave_up = snapshot.count(|state| matches!(state, ProcessState::GaveUp { .. }));
    // The first failure is explained once; a rerun that clears it lets the next one be explained.
    (failed || gave_up > 0).then_some((crate::model::At::START, 0))
}

impl Front {
    pub(crate) fn abilities(&self) -> Abilities {
        Abilities { live: self.commands.is_some(), export: self.export.is_some() }
    }
}
