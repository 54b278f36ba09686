//! Notes on their way to the disk: written by a thread of its own, so that neither a hop nor a screen waits for a disk.
//!
//! Until a note is written it can be read from memory. A disk that refuses is tried again; what waits for it is bounded, and
//! what is beyond that is counted.

use std::{
    collections::{HashMap, VecDeque},
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt,
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
    thread,
    time::{Duration, Instant},
};

use super::note::{ExchangeId, Note};

/// Bytes on disk, at most. What comes after that is shown, but not kept.
const MOST: u64 = 1 << 30;
/// Bytes that may wait for the disk, roughly.
const MOST_WAITING: usize = 64 << 20;
/// Notes of one exchange that can be found again: a stream may say more than anybody looks at.
const FOUND_AGAIN: usize = 200;
/// Notes that are written at once.
const BATCH: usize = 4096;
/// Notes may gather for so long: to wake for each would take time from whoever sends the next.
const GATHER: Duration = Duration::from_millis(5);
/// A disk that refused is tried again after this long.
const RETRY: Duration = Duration::from_secs(1);

/// Where the notes go.
pub(super) trait Disk: Send + Sync {
    fn write(&self, bytes: &[u8], at: u64) -> io::Result<()>;
    fn read(&self, bytes: &mut [u8], at: u64) -> io::Result<usize>;
}

impl Disk for File {
    /// At its place, not at the end: what was written in part when the disk was full is written over.
    fn write(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.write_all_at(bytes, at)
    }

    fn read(&self, bytes: &mut [u8], at: u64) -> io::Result<usize> {
        self.read_at(bytes, at)
    }
}

/// The notes of a run that are on disk, or about to be. Dropped, it writes what is left.
pub(super) struct Writer {
    shared: Arc<Shared>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    disk: Box<dyn Disk>,
    tell: OnceLock<Box<dyn Fn(String) + Send + Sync>>,
}

#[derive(Default)]
struct State {
    /// Not on disk yet, with its weight; those that are being written right now, too.
    pending: VecDeque<(Arc<Note>, usize)>,
    /// Their weights.
    waiting: usize,
    /// Where the notes of an exchange stand.
    places: HashMap<ExchangeId, Vec<(u64, usize)>>,
    /// Where the file ends.
    end: u64,
    /// Notes that are not on disk, and will not be.
    lost: u64,
    /// Those that were lost before the disk began to refuse, while it does.
    trouble: Option<u64>,
    /// The file has all that it may.
    full: bool,
    /// Somebody waits for the end of it.
    hurry: bool,
    over: bool,
}

/// What is known of the file of a run that is over.
#[derive(Default)]
pub(super) struct Found {
    places: HashMap<ExchangeId, Vec<(u64, usize)>>,
    pub(super) end: u64,
}

impl Found {
    /// A note stands at the end of what was read so far, with so many bytes.
    pub(super) fn add(&mut self, note: &Note, length: usize) {
        keep_place(&mut self.places, note, (self.end, length));
    }
}

impl Writer {
    /// Writes to `disk`, which is empty.
    pub(super) fn start(disk: Box<dyn Disk>) -> io::Result<Self> {
        let writer = Self::new(State::default(), disk);
        let shared = Arc::clone(&writer.shared);
        let thread = thread::Builder::new().name("traffic".into()).spawn(move || shared.write_all())?;
        *writer.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        Ok(writer)
    }

    /// Only reads, what has been `found` there.
    pub(super) fn read_only(found: Found, disk: Box<dyn Disk>) -> Self {
        Self::new(State { places: found.places, end: found.end, over: true, ..State::default() }, disk)
    }

    fn new(state: State, disk: Box<dyn Disk>) -> Self {
        let shared = Shared { state: Mutex::new(state), changed: Condvar::new(), disk, tell: OnceLock::new() };
        Self { shared: Arc::new(shared), thread: Mutex::default() }
    }

    /// Who is to be told, in words, of a disk that refuses.
    pub(super) fn tell(&self, tell: impl Fn(String) + Send + Sync + 'static) {
        let _ = self.shared.tell.set(Box::new(tell));
    }

    /// Takes a note. `oldest` is the first exchange of which anything will still be asked, `rows` how many there are.
    pub(super) fn write(&self, note: Note, (oldest, rows): (ExchangeId, usize)) {
        let weight = weight(&note);
        let mut state = self.shared.lock();
        if state.over || state.full || state.waiting + weight > MOST_WAITING {
            state.lost += 1;
            return;
        }
        state.pending.push_back((Arc::new(note), weight));
        state.waiting += weight;
        if state.places.len() > 2 * rows.max(1000) {
            state.places.retain(|id, _| *id >= oldest);
        }
        let first = state.pending.len() == 1;
        drop(state);
        if first {
            self.shared.changed.notify_all();
        }
    }

    /// How many notes are not kept.
    pub(super) fn lost(&self) -> u64 {
        self.shared.lock().lost
    }

    /// Something could not even become a note.
    pub(super) fn lose(&self) {
        self.shared.lock().lost += 1;
    }

    /// All that is kept of an exchange, in its order.
    pub(super) fn notes_of(&self, exchange: ExchangeId) -> Vec<Note> {
        let (places, pending) = {
            let state = self.shared.lock();
            let pending = state.pending.iter().map(|(note, _)| note).filter(|note| note.exchange() == Some(exchange));
            (state.places.get(&exchange).cloned().unwrap_or_default(), pending.cloned().collect::<Vec<_>>())
        };
        let read = |(at, length): (u64, usize)| {
            let mut line = vec![0; length];
            Whole { disk: &*self.shared.disk, at, end: at + length as u64 }.read_exact(&mut line).ok()?;
            serde_json::from_slice(&line).ok()
        };
        places.into_iter().filter_map(read).chain(pending.iter().map(|note| Note::clone(note))).collect()
    }

    /// The file as it is, and what is not in it yet.
    pub(super) fn all(&self) -> (impl Read + '_, Vec<Arc<Note>>) {
        let state = self.shared.lock();
        (Whole { disk: &*self.shared.disk, at: 0, end: state.end }, state.pending.iter().map(|(note, _)| note.clone()).collect())
    }

    /// Waits until all that there is by now is on disk, at most so long; not for a disk that refuses.
    pub(super) fn settle(&self, at_most: Duration) {
        let until = Instant::now() + at_most;
        let mut state = self.shared.lock();
        while !state.pending.is_empty() && state.trouble.is_none() {
            state.hurry = true;
            self.shared.changed.notify_all();
            let Some(left) = until.checked_duration_since(Instant::now()) else { break };
            state = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.hurry = false;
    }

    /// Writes what is left, and takes no more.
    pub(super) fn finish(&self) {
        self.shared.lock().over = true;
        self.shared.changed.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A panic of the thread was reported by the panic hook.
        let _ = thread.map(thread::JoinHandle::join);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.finish();
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Writer")
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing is half done in here at a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread.
    fn write_all(&self) {
        let (mut text, mut lengths) = (Vec::new(), Vec::new());
        while let Some((batch, at)) = self.next_batch() {
            text.clear();
            lengths.clear();
            for note in &batch {
                let before = text.len();
                // It has no map whose keys are no texts, which is all that could fail.
                let _ = serde_json::to_writer(&mut text, &**note);
                text.push(b'\n');
                lengths.push(text.len() - before);
            }
            if at + text.len() as u64 > MOST {
                self.is_full();
                continue;
            }
            let told = match self.disk.write(&text, at) {
                Ok(()) => self.written(&batch, &lengths, at),
                Err(error) => self.refused(&error),
            };
            self.say(told);
        }
    }

    fn say(&self, text: Option<String>) {
        if let (Some(text), Some(tell)) = (text, self.tell.get()) {
            tell(text);
        }
    }

    /// Waits for something to write; none if nothing comes any more.
    fn next_batch(&self) -> Option<(Vec<Arc<Note>>, u64)> {
        let mut state = self.lock();
        while state.pending.is_empty() {
            if state.over {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let until = Instant::now() + if state.trouble.is_some() { RETRY } else { GATHER };
        while let Some(left) = until.checked_duration_since(Instant::now())
            && !state.over
            && !(state.hurry && state.trouble.is_none())
            && (state.pending.len() < BATCH || state.trouble.is_some())
        {
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Some((state.pending.iter().take(BATCH).map(|(note, _)| note.clone()).collect(), state.end))
    }

    fn written(&self, batch: &[Arc<Note>], lengths: &[usize], at: u64) -> Option<String> {
        let mut state = self.lock();
        state.end = at;
        for (note, length) in batch.iter().zip(lengths) {
            let place = (state.end, *length);
            keep_place(&mut state.places, note, place);
            state.end += *length as u64;
            let weight = state.pending.pop_front().map_or(0, |(_, weight)| weight);
            state.waiting -= weight;
        }
        let before = state.trouble.take();
        let lost = before.map(|before| state.lost - before);
        drop(state);
        self.changed.notify_all();
        Some(match lost? {
            0 => "the recording's disk takes traffic again; nothing of it is lost".to_owned(),
            lost => format!("the recording's disk takes traffic again; {lost} notes of what went through taps meanwhile are lost"),
        })
    }

    fn refused(&self, error: &io::Error) -> Option<String> {
        let mut state = self.lock();
        let first = state.trouble.is_none();
        let lost = state.lost;
        state.trouble.get_or_insert(lost);
        if state.over {
            // The last attempt: nobody waits for a disk any more.
            state.lost += state.pending.len() as u64;
            (state.pending, state.waiting) = (VecDeque::new(), 0);
        }
        let lost_for_good = if state.over { state.lost } else { 0 };
        drop(state);
        self.changed.notify_all();
        if lost_for_good > 0 {
            return Some(format!(
                "the recording's disk refuses traffic ({error}): {lost_for_good} notes of what went through taps are lost"
            ));
        }
        first.then(|| {
            format!(
                "the recording's disk refuses traffic ({error}): what goes through taps waits for it in memory, up to {} MiB; the run goes on",
                MOST_WAITING >> 20
            )
        })
    }

    /// The file has grown as large as it may.
    fn is_full(&self) {
        let mut state = self.lock();
        state.full = true;
        state.lost += state.pending.len() as u64;
        (state.pending, state.waiting) = (VecDeque::new(), 0);
        drop(state);
        self.changed.notify_all();
        self.say(Some(format!("traffic.jsonl has reached {} GiB: what goes through taps from now on is shown, but not kept", MOST >> 30)));
    }
}

fn keep_place(places: &mut HashMap<ExchangeId, Vec<(u64, usize)>>, note: &Note, place: (u64, usize)) {
    if let Some(exchange) = note.exchange() {
        let places = places.entry(exchange).or_default();
        if places.len() < FOUND_AGAIN || matches!(note, Note::Ended(_)) {
            places.push(place);
        }
    }
}

/// What a note takes in memory, roughly.
fn weight(note: &Note) -> usize {
    let fields = |fields: &[(String, String)]| fields.iter().map(|(name, value)| name.len() + value.len() + 48).sum::<usize>();
    256 + match note {
        Note::Asked(asked) => asked.body.text.len() + asked.http.as_ref().map_or(0, |http| fields(&http.fields) + http.target.len()),
        Note::Answered(answered) => fields(&answered.fields),
        Note::Said(said) => said.body.text.len(),
        Note::Ended(ended) => ended.body.text.len(),
        Note::Client { .. } | Note::Gate { .. } => 0,
    }
}

/// A part of the file, whatever is written behind it.
struct Whole<'d> {
    disk: &'d dyn Disk,
    at: u64,
    end: u64,
}

impl Read for Whole<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let room = usize::try_from(self.end - self.at).unwrap_or(usize::MAX).min(bytes.len());
        let read = self.disk.read(&mut bytes[..room], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
