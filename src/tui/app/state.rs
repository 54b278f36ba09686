//! The dashboard's state, and how keys get to it.

use std::{sync::Arc, time::Duration};

use crate::explain::Fact;
use crate::model::{At, Command, Event, Phase, ProcessId, ProcessSnapshot, Snapshot};
use crate::tap::TrafficStore;

use crate::tui::{
    action::Action,
    events::Events,
    key::{Code, Key},
    keymap::{Context, Found, Keymap},
    layout::{Areas, Layout, Pane},
    logview::desk::{Seek, Window},
    past::Past,
    selection::Selection,
    term::decode::For,
};

use super::{
    log::{LogState, Scope},
    overlay::Overlay,
    panes::Panes,
    table::Table,
};

/// Something to do outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Ask the supervisor.
    Send(Command),
    /// Go elsewhere in the log.
    Seek(Seek),
    /// Show the run as it stood behind an event; none: as it stands now.
    Travel(Option<u64>),
    /// Put rows of the log on the clipboard.
    Copy {
        from: u64,
        to: u64,
    },
    /// Put a text on the clipboard.
    CopyText {
        text: String,
        /// What it is: `the command`.
        what: String,
    },
    /// Open a place in $EDITOR.
    Edit {
        path: String,
        line: u32,
    },
    /// Hide from the view what has been said so far.
    Clear,
    /// Write an archive.
    Export,
    /// Mouse reports on or off.
    Mouse(bool),
    Redraw,
    Suspend,
    /// Leave now, whatever runs.
    Leave,
}

/// How far leaving has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Leaving {
    #[default]
    No,
    /// The run is being stopped; then the front ends.
    Stopping,
    /// The same without grace.
    Killing,
}

/// A short notice in reply to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Toast {
    pub(crate) text: String,
    pub(crate) bad: bool,
    /// When it goes away by itself.
    pub(crate) until: At,
}

/// Long enough to be read.
const TOAST: Duration = Duration::from_secs(5);

/// A key that was pressed, as an audience sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyCast {
    pub(crate) keys: String,
    pub(crate) what: String,
    pub(crate) bad: bool,
    pub(crate) until: At,
}

/// An audience sees a key for so long.
const CAST: Duration = Duration::from_secs(3);

/// What the next step is: `step 2: traffic`.
fn next_step(world: &World<'_>) -> Option<String> {
    let steps = &world.present.steps;
    let at = steps.iter().position(|step| !step.stage.is_over())?;
    Some(format!("step {}: {}", at + 1, steps[at].info.title()))
}

/// What keys may look at.
pub(crate) struct World<'a> {
    /// The run as it is shown.
    pub(crate) snapshot: &'a Snapshot,
    /// The run as it stands now.
    pub(crate) present: &'a Snapshot,
    /// The instant that is shown; none: it is now.
    pub(crate) past: Option<&'a Past>,
    pub(crate) now: At,
    pub(crate) keymap: &'a Keymap,
    /// The log as it was last drawn.
    pub(crate) window: &'a Window,
    pub(crate) facts: &'a [Fact],
    /// Numbers of the events that are marks.
    pub(crate) marks: &'a [u64],
    /// Numbers of all events shown in the timeline, whenever they happen.
    pub(crate) events: &'a [u64],
    /// Numbers of those that are failures or restarts.
    pub(crate) turns: &'a [u64],
    /// The number of the line under the log's cursor; the highest while it follows.
    pub(crate) here: u64,
    /// Bursts of alert lines, oldest first.
    pub(crate) alerts: &'a [Arc<Event>],
    /// The events with words that had happened by the instant that is shown.
    pub(crate) told: Events<'a>,
    /// Where the panes stand.
    pub(crate) panes: &'a Areas,
    /// How many of the timeline's events came after the instant that is shown, or the line under the log's cursor.
    pub(crate) back: usize,
    /// The layouts to walk through.
    pub(crate) layouts: &'a [Layout],
    /// What the other side can do.
    pub(crate) abilities: Abilities,
    /// What went through taps.
    pub(crate) traffic: &'a TrafficStore,
}

impl World<'_> {
    /// The moment that is shown.
    pub(crate) fn moment(&self) -> At {
        self.past.map_or(self.now, |past| past.snapshot.at)
    }
}

/// What can be done with what is on the screen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Abilities {
    /// It is a live run: processes can be started and stopped.
    pub(crate) live: bool,
    /// An archive can be written.
    pub(crate) export: bool,
}

/// The dashboard's state.
#[derive(Debug, Clone)]
pub(crate) struct App {
    pub(crate) focus: Pane,
    pub(crate) table: Table,
    pub(crate) log: LogState,
    pub(crate) side_by_side: bool,
    /// The layout shows every log on its own.
    pub(crate) tiled_layout: bool,
    /// The layout is for an audience.
    pub(crate) audience: bool,
    /// The last key that an audience sees, and what it did.
    pub(crate) cast: Option<KeyCast>,
    pub(crate) panes: Panes,
    pub(crate) overlay: Option<Overlay>,
    pub(crate) toast: Option<Toast>,
    /// Keys pressed so far of a sequence.
    pub(crate) pending: Vec<Key>,
    pub(crate) layout: usize,
    pub(crate) zoom: bool,
    pub(crate) mouse: bool,
    /// What is being drawn over with the mouse.
    pub(crate) drawn: Option<Selection>,
    /// That takes whole lines of the log.
    pub(crate) draws_lines: bool,
    pub(crate) leaving: Leaving,
    /// The fact that `F` jumped to last.
    pub(crate) fact: Option<usize>,
    /// How many facts there were when the strip last opened by itself.
    explained: bool,
    /// The last thing looked for, offered again.
    pub(crate) last_typed: String,
    /// The log was opened from the table: `Esc` goes back there.
    pub(super) opened: bool,
}

impl App {
    /// As the dashboard opens: the table has the focus, the log shows everybody's lines and follows.
    pub(crate) fn new() -> Self {
        Self {
            focus: Pane::Processes,
            table: Table::default(),
            log: LogState::default(),
            side_by_side: false,
            tiled_layout: false,
            audience: false,
            cast: None,
            panes: Panes::default(),
            overlay: None,
            toast: None,
            pending: Vec::new(),
            layout: 0,
            zoom: false,
            mouse: false,
            drawn: None,
            draws_lines: false,
            leaving: Leaving::No,
            fact: None,
            explained: false,
            last_typed: String::new(),
            opened: false,
        }
    }

    /// Which bindings hold.
    pub(crate) fn context(&self) -> Context {
        match self.focus {
            _ if self.audience => Context::Audience,
            Pane::Processes => Context::Table,
            Pane::Logs => Context::Log,
            Pane::Happened
            | Pane::Events
            | Pane::Alerts
            | Pane::Details
            | Pane::Expectations
            | Pane::Steps
            | Pane::Chain
            | Pane::Note
            | Pane::Traffic
            | Pane::Said => Context::Everywhere,
        }
    }

    /// Takes a key.
    pub(crate) fn key(&mut self, key: Key, world: &World<'_>) -> Vec<Outcome> {
        self.toast = None;
        if key.alt
            && !self.is_typing()
            && self.keys_are_for() == For::Dashboard
            && world.keymap.find(self.context(), &[key]) == Found::Nothing
        {
            // Terminals write Alt as an escape before the key, so a quick Esc and the next key look the same.
            let mut outcomes = self.key(Key::plain(Code::Esc), world);
            outcomes.extend(self.key(Key { alt: false, ..key }, world));
            return outcomes;
        }
        if self.overlay.is_some() {
            return self.overlay_key(key, world);
        }
        self.pending.push(key);
        match world.keymap.find(self.context(), &self.pending) {
            Found::Action(action) => {
                let keys = std::mem::take(&mut self.pending);
                let next = (action == Action::NextStep).then(|| next_step(world)).flatten();
                let outcomes = self.act(action, world);
                self.show_key(&keys, next, action, world.now);
                outcomes
            }
            Found::Prefix(_) => Vec::new(),
            Found::Nothing => {
                self.pending.clear();
                Vec::new()
            }
        }
    }

    /// Shows an audience which key was pressed, with what it did: as the notice says, else as the help does.
    fn show_key(&mut self, keys: &[Key], what: Option<String>, action: Action, now: At) {
        if !self.audience {
            return;
        }
        let toast = self.toast.take();
        let bad = toast.as_ref().is_some_and(|toast| toast.bad);
        let what = what.filter(|_| !bad).or_else(|| toast.map(|toast| toast.text)).unwrap_or_else(|| action.help().to_owned());
        let keys = keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        self.cast = Some(KeyCast { keys, what, bad, until: now + CAST });
    }

    /// Who gets what is typed at the moment.
    pub(crate) fn keys_are_for(&self) -> For {
        if matches!(self.overlay, Some(Overlay::Type { .. })) { For::Process } else { For::Dashboard }
    }

    /// Whether keys are text at the moment.
    fn is_typing(&self) -> bool {
        matches!(self.overlay, Some(Overlay::Prompt { .. } | Overlay::Palette { .. } | Overlay::Help { typing: Some(_), .. }))
    }

    /// Takes pasted text: it goes where text is typed, and is no keys anywhere else.
    pub(crate) fn paste(&mut self, text: &str, world: &World<'_>) {
        match &mut self.overlay {
            Some(Overlay::Prompt { typing, .. } | Overlay::Palette { typing, .. } | Overlay::Help { typing: Some(typing), .. }) => {
                typing.paste(text);
            }
            _ => self.say(world.now, "pasted text is ignored here: it would press keys"),
        }
        self.try_out();
    }

    /// Shows a short notice.
    pub(crate) fn say(&mut self, now: At, text: impl Into<String>) {
        self.toast = Some(Toast { text: text.into(), bad: false, until: now + TOAST });
    }

    /// Shows a short notice of something that went wrong.
    pub(crate) fn complain(&mut self, now: At, text: impl Into<String>) {
        self.toast = Some(Toast { text: text.into(), bad: true, until: now + TOAST });
    }

    /// Lets go of a notice whose time has come. True if something changed.
    pub(crate) fn settle(&mut self, now: At) -> bool {
        let over = self.toast.as_ref().is_some_and(|toast| toast.until <= now);
        if over {
            self.toast = None;
        }
        over
    }

    /// Keeps an overlay's scroll position within what there is to scroll.
    pub(crate) fn clamp_scroll(&mut self, end: usize) {
        if let Some(overlay) = &mut self.overlay {
            overlay.clamp(end);
        }
    }

    /// The selected process.
    pub(crate) fn selected<'s>(&self, snapshot: &'s Snapshot) -> Option<&'s ProcessSnapshot> {
        snapshot.rows.get(self.table.selected).map(|row| &**row)
    }

    /// The process that process keys act on, if the focused pane is about one.
    pub(crate) fn target<'s>(&self, snapshot: &'s Snapshot) -> Option<&'s ProcessSnapshot> {
        let one = self.focus == Pane::Processes || (self.focus == Pane::Logs && self.log.scope == Scope::One && !self.is_tiled());
        self.selected(snapshot).filter(|_| one)
    }

    /// The processes whose lines the log shows.
    pub(crate) fn selection(&self, snapshot: &Snapshot) -> crate::logs::Selection {
        match self.log.scope {
            // Side by side they share one cursor, which walks along all that are shown.
            _ if self.is_tiled() && self.table.ticked.is_empty() => crate::logs::Selection::All,
            _ if self.is_tiled() => crate::logs::Selection::Some(self.ticked(snapshot)),
            Scope::All => crate::logs::Selection::All,
            Scope::Ticked => crate::logs::Selection::Some(self.ticked(snapshot)),
            Scope::One => crate::logs::Selection::Some(self.selected(snapshot).map(|row| row.id().clone()).into_iter().collect()),
        }
    }

    /// Whether logs stand side by side.
    pub(crate) fn is_tiled(&self) -> bool {
        self.side_by_side || self.tiled_layout
    }

    /// The ticked processes, in the order of the file.
    pub(crate) fn ticked(&self, snapshot: &Snapshot) -> Vec<ProcessId> {
        snapshot.rows.iter().map(|row| row.id()).filter(|id| self.table.ticked.contains(*id)).cloned().collect()
    }

    /// Opens "What happened" when there is first something to tell: the log is parked there, unless somebody reads
    /// elsewhere. A rerun that takes the facts away lets it happen again.
    pub(crate) fn explain(&mut self, world: &World<'_>) -> Vec<Outcome> {
        let Some(first) = world.facts.first() else {
            self.explained = false;
            self.fact = None;
            return Vec::new();
        };
        if std::mem::replace(&mut self.explained, true) || !self.log.follows() {
            return Vec::new();
        }
        self.fact = Some(0);
        if self.overlay.is_none() {
            self.focus = Pane::Logs;
        }
        self.log.scope = Scope::All;
        vec![Outcome::Seek(Seek::fact(first))]
    }

    /// Whether anything of the run still lives or will.
    pub(crate) fn something_runs(snapshot: &Snapshot) -> bool {
        snapshot.phase != Phase::Ended && snapshot.count(|state| !state.is_settled()) > 0
    }
}
