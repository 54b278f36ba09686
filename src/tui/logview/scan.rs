//! Asks every line of a log what a pane wants to know of it, on a thread of its own: newest lines first, since those
//! are on the screen, then each new one as it arrives.

use std::{
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use crate::logs::{LogStore, LogView, Selection};

use super::{query::Query, rowset::RowSet};

/// What a scan has found so far.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Rows that are shown.
    pub(crate) shown: RowSet,
    /// Rows around those, for context.
    pub(crate) around: RowSet,
    /// Rows that match what is looked for.
    pub(crate) found: RowSet,
    /// Rows that hold the token.
    pub(crate) tokens: RowSet,
    /// Rows that tell of trouble.
    pub(crate) alerts: RowSet,
    /// Rows not asked yet lie before this one.
    pub(crate) asked_from: u64,
    /// Rows not asked yet begin here.
    pub(crate) asked_to: u64,
    job: u64,
}

impl Findings {
    /// Whether all rows that existed when it began were asked.
    pub(crate) fn is_complete(&self) -> bool {
        self.asked_from == 0
    }
}

struct Job {
    number: u64,
    selection: Selection,
    query: Query,
}

#[derive(Default)]
struct Desk {
    job: Option<Job>,
    /// Lines may have arrived.
    more: bool,
    stop: bool,
}

struct Shared {
    store: Arc<LogStore>,
    desk: Mutex<Desk>,
    wake: Condvar,
    findings: Mutex<Findings>,
    /// The newest job; a scan for an older one stops.
    newest: AtomicU64,
    tell: Box<dyn Fn() + Send + Sync>,
}

/// A thread that scans for one pane.
pub(crate) struct Scanner {
    shared: Arc<Shared>,
    thread: Option<thread::JoinHandle<()>>,
}

/// Rows asked between two looks at whether anybody still wants to know.
const BATCH: u64 = 1024;

impl Scanner {
    /// Starts the thread; `tell` is called when there is something new.
    pub(crate) fn start(store: Arc<LogStore>, tell: impl Fn() + Send + Sync + 'static) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            store,
            desk: Mutex::default(),
            wake: Condvar::new(),
            findings: Mutex::default(),
            newest: AtomicU64::new(0),
            tell: Box::new(tell),
        });
        let theirs = shared.clone();
        let thread = thread::Builder::new().name("log-scan".into()).spawn(move || run(&theirs))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Drops what was found and asks anew.
    pub(crate) fn ask(&self, selection: Selection, query: Query) {
        let number = self.shared.newest.fetch_add(1, Ordering::AcqRel) + 1;
        *lock(&self.shared.findings) = Findings { job: number, asked_from: u64::MAX, ..Findings::default() };
        lock(&self.shared.desk).job = Some(Job { number, selection, query });
        self.shared.wake.notify_one();
    }

    /// Lines may have arrived.
    pub(crate) fn nudge(&self) {
        lock(&self.shared.desk).more = true;
        self.shared.wake.notify_one();
    }

    /// What was found so far. Hold it shortly.
    pub(crate) fn findings(&self) -> MutexGuard<'_, Findings> {
        lock(&self.shared.findings)
    }
}

impl Drop for Scanner {
    fn drop(&mut self) {
        lock(&self.shared.desk).stop = true;
        self.shared.newest.fetch_add(1, Ordering::AcqRel);
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            // It ends within one batch; a panic of its own has been told already.
            let _ = thread.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn run(shared: &Shared) {
    let mut current: Option<(Job, LogView)> = None;
    loop {
        {
            let desk = lock(&shared.desk);
            let waiting = shared.wake.wait_while(desk, |desk| desk.job.is_none() && !desk.more && !desk.stop);
            let mut desk = waiting.unwrap_or_else(PoisonError::into_inner);
            if desk.stop {
                return;
            }
            desk.more = false;
            if let Some(job) = desk.job.take() {
                let view = LogView::new(job.selection.clone());
                current = Some((job, view));
            }
        }
        if let Some((job, view)) = &mut current {
            scan(shared, job, view);
        }
    }
}

/// Asks all rows that `job` has not asked yet, as long as nobody asks something else.
fn scan(shared: &Shared, job: &Job, view: &mut LogView) {
    view.refresh(&shared.store);
    let (mut from, to) = {
        let mut findings = lock(&shared.findings);
        if findings.job != job.number {
            return;
        }
        if findings.asked_from == u64::MAX {
            (findings.asked_from, findings.asked_to) = (view.len(), view.len());
        }
        (findings.asked_from, findings.asked_to)
    };
    let current = || shared.newest.load(Ordering::Acquire) == job.number;
    // What is new goes first: it is what a follower looks at.
    let mut at = to;
    while at < view.len() && current() {
        let end = (at + BATCH).min(view.len());
        let Some(next) = batch(shared, job, view, at, end) else { break };
        at = next;
        if next < end {
            break;
        }
    }
    while from > 0 && current() {
        let start = from.saturating_sub(BATCH);
        if batch(shared, job, view, start, from).is_none() {
            return;
        }
        from = start;
        (shared.tell)();
    }
    (shared.tell)();
}

/// Asks rows `from..to`; the row up to which answers are final, or none if the log cannot be read.
fn batch(shared: &Shared, job: &Job, view: &LogView, from: u64, to: u64) -> Option<u64> {
    let lines = view.window(&shared.store, from, (to - from) as usize).ok()?;
    let asked: Vec<_> = lines.iter().map(|line| (line.row, line.partial, job.query.ask(line))).collect();
    let mut findings = lock(&shared.findings);
    if findings.job != job.number {
        return None;
    }
    let mut until = to;
    for (row, partial, answer) in asked {
        // A line that may still grow is asked again.
        if partial && row >= findings.asked_to {
            until = until.min(row);
        }
        if answer.shown {
            findings.shown.insert(row);
            let context = u64::from(job.query.context);
            if context > 0 {
                (row.saturating_sub(context)..=row.saturating_add(context)).for_each(|near| findings.around.insert(near));
            }
            if answer.found {
                findings.found.insert(row);
            }
            if answer.token {
                findings.tokens.insert(row);
            }
        }
        if answer.alert {
            findings.alerts.insert(row);
        }
    }
    if from >= findings.asked_to {
        findings.asked_to = until;
    } else {
        findings.asked_from = from;
    }
    Some(until)
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Duration};

    use super::*;
    use crate::{
        model::{At, Narration, ProcessId, RunClock, Tone},
        tui::logview::pattern::Pattern,
    };

    fn note(store: &LogStore, what: &str) {
        let told = Narration {
            tone: Tone::Good,
            process: ProcessId::new("a").ok(),
            what: what.into(),
            in_log: Some(Vec::new()),
            in_events: Vec::new(),
        };
        store.note(At(0), told);
    }

    fn eventually(wakes: &mpsc::Receiver<()>, mut holds: impl FnMut() -> bool) {
        while !holds() {
            wakes.recv_timeout(Duration::from_secs(10)).expect("the scan tells of what it finds");
        }
    }

    #[test]
    fn old_and_new_lines_are_asked_and_a_new_question_starts_over() {
        let id = ProcessId::new("a").expect("a name");
        let store = LogStore::in_memory(&[id], RunClock::start());
        (0..3000).for_each(|i| note(&store, if i % 10 == 0 { "bad" } else { "good" }));
        let (tell, wakes) = mpsc::channel();
        let tell = Mutex::new(tell);
        let scanner = Scanner::start(store.clone(), move || drop(lock(&tell).send(()))).expect("threads can be started");
        let query = Query { within: Pattern::new("bad"), ..Query::default() };
        scanner.ask(Selection::All, query.clone());
        eventually(&wakes, || scanner.findings().is_complete());
        assert_eq!(scanner.findings().shown.len(), 300);
        note(&store, "bad");
        scanner.nudge();
        eventually(&wakes, || scanner.findings().shown.len() == 301);
        scanner.ask(Selection::All, Query { context: 1, ..query });
        eventually(&wakes, || scanner.findings().is_complete() && scanner.findings().around.len() >= 601);
        scanner.ask(Selection::All, Query { find: Pattern::new("good"), ..Query::default() });
        eventually(&wakes, || scanner.findings().is_complete());
        let findings = scanner.findings();
        assert_eq!((findings.shown.len(), findings.found.len()), (3001, 2700));
    }
}
