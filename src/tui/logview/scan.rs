//! Drives a log's filter on a thread of its own, so that a question about a million lines never holds up a key.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use crate::{
    logs::{self, Answers, Filter, LogStore, LogView, Selection},
    model::At,
};

use super::query::{Query, Question};

/// One step of work: so soon a new question is taken up.
const STEP: Duration = Duration::from_millis(3);
/// How often a scan that goes on tells of what it has found.
const TELL: Duration = Duration::from_millis(50);

struct Shared {
    store: Arc<LogStore>,
    /// A question that has yet to be taken up.
    next: Mutex<Option<Asked>>,
    /// What was found so far. Nobody waits for a step of work to read it.
    answers: Mutex<Option<Arc<Answers>>>,
    /// Who shares the token that is looked for, once every line was asked.
    sharers: Mutex<Option<logs::Shared>>,
    desk: Mutex<Desk>,
    wake: Condvar,
    tell: Box<dyn Fn() + Send + Sync>,
}

/// A question, and when the line was said whose token is looked for.
struct Asked {
    filter: Filter,
    token_at: Option<At>,
}

#[derive(Default)]
struct Desk {
    work: bool,
    stop: bool,
}

/// A thread that answers one pane's questions.
pub(crate) struct Scanner {
    shared: Arc<Shared>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Scanner {
    /// Starts the thread; `tell` is called when there is something new.
    pub(crate) fn start(store: Arc<LogStore>, tell: impl Fn() + Send + Sync + 'static) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            store,
            next: Mutex::default(),
            answers: Mutex::default(),
            sharers: Mutex::default(),
            desk: Mutex::default(),
            wake: Condvar::new(),
            tell: Box::new(tell),
        });
        let theirs = shared.clone();
        let thread = thread::Builder::new().name("log-scan".into()).spawn(move || run(&theirs))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Drops what was found and asks anew.
    pub(crate) fn ask(&self, selection: Selection, query: &Query) {
        let filter = Filter::new(LogView::new(selection), query.questions(&self.shared.store.processes()));
        let mut next = lock(&self.shared.next);
        *lock(&self.shared.answers) = Some(Arc::new(filter.answers()));
        *lock(&self.shared.sharers) = None;
        *next = Some(Asked { filter, token_at: query.token.as_ref().map(|_| query.token_at) });
        drop(next);
        self.nudge();
    }

    /// Lines may have arrived.
    pub(crate) fn nudge(&self) {
        lock(&self.shared.desk).work = true;
        self.shared.wake.notify_one();
    }

    /// What was found so far.
    pub(crate) fn answers(&self) -> Option<Arc<Answers>> {
        lock(&self.shared.answers).clone()
    }

    /// Who shares the token that is looked for; none before every line was asked.
    pub(crate) fn sharers(&self) -> Option<logs::Shared> {
        lock(&self.shared.sharers).clone()
    }
}

impl Drop for Scanner {
    fn drop(&mut self) {
        lock(&self.shared.desk).stop = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            // It ends within one step; a panic of its own has been told already.
            let _ = thread.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn run(shared: &Shared) {
    let mut asked: Option<Asked> = None;
    loop {
        {
            let desk = lock(&shared.desk);
            let waiting = shared.wake.wait_while(desk, |desk| !desk.work && !desk.stop);
            let mut desk = waiting.unwrap_or_else(PoisonError::into_inner);
            if desk.stop {
                return;
            }
            desk.work = false;
        }
        let mut told = Instant::now();
        while !lock(&shared.desk).stop {
            if let Some(next) = lock(&shared.next).take() {
                asked = Some(next);
            }
            // A step that fails is not repeated: the next line that arrives asks again.
            let done = asked.as_mut().is_none_or(|asked| asked.filter.advance(&shared.store, STEP).unwrap_or(true));
            if done {
                break;
            }
            if told.elapsed() >= TELL {
                publish(shared, asked.as_ref());
                told = Instant::now();
            }
        }
        publish(shared, asked.as_ref());
    }
}

/// Shows what was found, unless something else is asked by now.
fn publish(shared: &Shared, asked: Option<&Asked>) {
    let found = asked.map(|asked| Arc::new(asked.filter.answers()));
    let sharers = asked.and_then(|asked| asked.sharers(&shared.store));
    {
        let next = lock(&shared.next);
        if next.is_none() {
            *lock(&shared.answers) = found;
            *lock(&shared.sharers) = sharers;
        }
    }
    (shared.tell)();
}

impl Asked {
    fn sharers(&self, store: &LogStore) -> Option<logs::Shared> {
        let at = self.token_at.filter(|_| self.filter.is_complete())?;
        self.filter.view().shared(store, self.filter.rows(Question::Token.number()), at).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::{
        model::{At, Narration, ProcessId, RunClock, Tone},
        tui::logview::query::{Question, pattern},
    };

    fn note(store: &LogStore, what: &str) {
        let told = Narration {
            tone: Tone::Good,
            process: ProcessId::new("a").ok(),
            what: what.into(),
            in_log: Some(Vec::new()),
            in_events: Vec::new(),
        };
        store.note(At(1), told);
    }

    #[test]
    fn old_and_new_lines_are_asked_and_a_new_question_starts_over() {
        let id = ProcessId::new("a").expect("a name");
        let store = LogStore::in_memory(&[id], RunClock::start());
        (0..3000).for_each(|i| note(&store, if i % 10 == 0 { "bad" } else { "good" }));
        let (tell, wakes) = mpsc::channel();
        let tell = Mutex::new(tell);
        let scanner = Scanner::start(store.clone(), move || lock(&tell).send(()).unwrap_or_default()).expect("threads can be started");
        let count = |question: Question| {
            let answers = scanner.answers();
            answers.as_ref().filter(|f| f.is_complete()).map(|f| f.rows(question.number()).len())
        };
        let until = |question, n| {
            while count(question) != Some(n) {
                wakes.recv_timeout(Duration::from_secs(10)).expect("the scan tells of what it finds");
            }
        };
        let query = Query { within: pattern("bad"), ..Query::default() };
        scanner.ask(Selection::All, &query);
        until(Question::Shown, 300);
        note(&store, "bad");
        scanner.nudge();
        until(Question::Shown, 301);
        scanner.ask(Selection::All, &Query { find: pattern("good"), ..Query::default() });
        until(Question::Found, 2700);
        assert_eq!((count(Question::Shown), count(Question::Token)), (Some(3001), Some(0)));
    }
}
