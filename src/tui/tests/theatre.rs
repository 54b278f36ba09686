//! Plays a story on a stage: events into journal and snapshot, output into a log store, frames onto buffers.

use std::{
    sync::{Arc, mpsc},
    time::Duration,
};

use ratatui::{buffer::Buffer, layout::Rect};

use crate::{
    explain::Explanation,
    logs::{LogStore, Stream},
    model::{At, Event, EventKind, ProcessId, ProcessInfo, Reads, RunClock, Snapshot, narrate},
    supervisor::Journal,
    tap::TrafficStore,
    tui::{
        GlyphSet, Keymap, Layout, Look, Options, Theme,
        app::{Abilities, Outcome},
        key::Key,
        layout,
        scene::Drawn,
        stage::{Sources, Stage},
        theme::Colours,
    },
};

/// Something of a story, at a time.
pub(super) enum Item {
    Event(EventKind),
    /// A process says a line.
    Say(&'static str, String),
}

/// A story: what happens, in time order.
#[derive(Default)]
pub(super) struct Story(pub(super) Vec<(u64, Item)>);

impl Story {
    pub(super) fn event(&mut self, ms: u64, kind: EventKind) -> &mut Self {
        self.0.push((ms, Item::Event(kind)));
        self
    }

    pub(super) fn say(&mut self, ms: u64, process: &'static str, text: impl Into<String>) -> &mut Self {
        self.0.push((ms, Item::Say(process, text.into())));
        self
    }
}

pub(super) fn id(name: &str) -> ProcessId {
    ProcessId::new(name).expect("a name")
}

/// A stage with its story.
pub(super) struct Theatre {
    pub(super) stage: Stage,
    pub(super) now: At,
    pub(super) outcomes: Vec<Outcome>,
    journal: Arc<Journal>,
    store: Arc<LogStore>,
    traffic: Arc<TrafficStore>,
    snapshot: Snapshot,
    woken: mpsc::Receiver<()>,
    size: (u16, u16),
    _folder: tempfile::TempDir,
}

pub(in crate::tui) fn options() -> Options {
    Options {
        look: Look { theme: Theme::default_for(Colours::Many), glyphs: GlyphSet::Unicode, colours: Colours::Many },
        keymap: Keymap::built_in(),
        layouts: layout::BUILT_IN.iter().filter_map(|(name, _)| Layout::built_in(name)).collect(),
        plain: false,
    }
}

impl Theatre {
    /// A stage for these processes, with an empty log.
    pub(super) fn new(processes: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let names: Vec<_> = processes.iter().map(|n| id(n)).collect();
        let clock = RunClock::start();
        let store = LogStore::create(folder.path().join("logs"), &names, clock).expect("the folder can be written");
        let journal = Arc::new(Journal::default());
        let traffic: Arc<TrafficStore> = Arc::default();
        let sources = Sources { journal: journal.clone(), logs: store.clone(), traffic: traffic.clone(), clock, family: |_| Vec::new() };
        let (wake, woken) = mpsc::channel();
        let wake = std::sync::Mutex::new(wake);
        let tell = Arc::new(move || drop(wake.lock().map(|wake| wake.send(()))));
        let abilities = Abilities { live: true, export: true };
        let stage = Stage::new(sources, options(), abilities, true, tell);
        Self {
            stage,
            now: At::START,
            outcomes: Vec::new(),
            journal,
            store,
            traffic,
            snapshot: Snapshot::default(),
            woken,
            size: (120, 40),
            _folder: folder,
        }
    }

    /// On a screen of so many cells.
    pub(super) fn sized(mut self, width: u16, height: u16) -> Self {
        self.size = (width, height);
        self
    }

    pub(super) fn resize(&mut self, width: u16, height: u16) {
        self.size = (width, height);
    }

    /// The screen as text, a row a line, between bars.
    pub(super) fn picture(&mut self) -> String {
        text(&self.frame().0)
    }

    /// Plays a story up to its end; a frame is drawn at every whole second, as it would be.
    pub(super) fn play(&mut self, story: Story) -> &mut Self {
        for (ms, item) in story.0 {
            let at = At(ms * 1000);
            while at.since(self.now) >= Duration::from_secs(1) {
                self.now = self.now + Duration::from_secs(1);
                self.frame();
            }
            match item {
                Item::Event(kind) => self.event(at, kind),
                Item::Say(process, text) => {
                    let generation = self.snapshot.row(process).map_or(1, |row| row.generation);
                    let failed = self.store.append(&id(process), Stream::Out, generation, at, format!("{text}\n").as_bytes());
                    assert!(failed.is_none(), "the disk takes it");
                }
            }
        }
        self.update();
        self
    }

    fn event(&mut self, at: At, kind: EventKind) {
        let mut event = Event { seq: 0, at, kind };
        event.seq = match narrate(&event) {
            Some(told) => self.store.note(at, told),
            None => self.store.stamp(),
        };
        self.snapshot.fold(&event);
        self.journal.push(event);
    }

    /// From now on what is sent to a process arrives there.
    pub(super) fn reads(&mut self, process: &str, reads: Reads) -> &mut Self {
        let rows = &mut self.snapshot.rows;
        rows.iter_mut().filter(|row| row.id().as_str() == process).for_each(|row| {
            let row = Arc::make_mut(row);
            row.info = ProcessInfo { reads, ..(*row.info).clone() }.into();
        });
        self.update();
        self
    }

    fn update(&mut self) {
        self.stage.update(Arc::new(self.snapshot.clone()), self.now);
    }

    /// It is so late.
    pub(super) fn at(&mut self, ms: u64) -> &mut Self {
        self.now = At(ms * 1000);
        self.update();
        self
    }

    /// The failure has been explained.
    pub(super) fn explain(&mut self, explanation: Explanation) -> &mut Self {
        self.frame();
        let outcomes = self.stage.explain(Some(Arc::new(explanation)), self.now);
        self.carry_out(outcomes);
        self
    }

    /// What has gone through taps.
    pub(super) fn traffic(&self) -> Arc<TrafficStore> {
        self.traffic.clone()
    }

    /// All that happened.
    pub(super) fn events(&self) -> Vec<Arc<Event>> {
        self.journal.from(0)
    }

    /// The number of the first event for which `wanted` holds.
    pub(super) fn seq_of(&self, wanted: impl Fn(&EventKind) -> bool) -> u64 {
        self.journal.from(0).iter().find(|event| wanted(&event.kind)).map_or(0, |event| event.seq)
    }

    pub(super) fn frame(&mut self) -> (Buffer, Drawn) {
        self.update();
        self.stage.frame(Rect::new(0, 0, self.size.0, self.size.1), self.now)
    }

    /// Presses keys, written as in keymap files with blanks between them; a frame follows each.
    pub(super) fn keys(&mut self, keys: &str) -> &mut Self {
        for key in keys.split_whitespace() {
            let key: Key = key.parse().expect("a key");
            let outcomes = self.stage.with_world(self.now, |app, world| app.key(key, world));
            self.carry_out(outcomes);
            self.frame();
        }
        self
    }

    /// Types text into a prompt.
    pub(super) fn type_text(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            let outcomes = self.stage.with_world(self.now, |app, world| app.key(Key::char(c), world));
            self.carry_out(outcomes);
        }
        self
    }

    /// Presses one key.
    pub(super) fn press(&mut self, key: Key) {
        let outcomes = self.stage.with_world(self.now, |app, world| app.key(key, world));
        self.carry_out(outcomes);
    }

    fn carry_out(&mut self, outcomes: Vec<Outcome>) {
        for outcome in outcomes {
            match outcome {
                Outcome::Seek(seek) => self.stage.seek(seek, self.now),
                Outcome::Travel(to) => self.stage.travel(to, self.now),
                other => self.outcomes.push(other),
            }
        }
    }

    /// Draws until the screen says `wanted`, as scans find it.
    pub(super) fn until(&mut self, wanted: &str) -> String {
        loop {
            let screen = self.picture();
            if screen.contains(wanted) {
                return screen;
            }
            assert!(self.woken.recv_timeout(Duration::from_secs(10)).is_ok(), "{wanted:?} never came:\n{screen}");
        }
    }
}

/// A buffer as text between bars.
pub(in crate::tui) fn text(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area().width).max(1);
    let mut out = String::new();
    for row in buffer.content().chunks(width) {
        out.push('|');
        let mut skip = 0;
        for cell in row {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            out.push_str(cell.symbol());
            skip = crate::tui::text::width(cell.symbol()).saturating_sub(1);
        }
        out.push_str("|\n");
    }
    out
}

/// A row of a screen.
pub(super) fn row(screen: &str, n: usize) -> &str {
    screen.lines().nth(n).unwrap_or("")
}
