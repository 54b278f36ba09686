//! Where the notes of a run go: every one to disk, and into the rows that are shown.

use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Write},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::Path,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::model::At;

use super::{
    note::{ExchangeId, Note},
    traffic::Traffic,
};

/// Bytes on disk, at most. What comes after that is shown, but not kept.
const MOST: u64 = 1 << 30;
/// Bytes of one note, at most: a head and a body are 64 KiB each, and JSON may need six letters for one.
const LARGEST: u64 = 1 << 20;
/// Notes of one exchange that can be found again: a stream may say more than anybody looks at.
const FOUND_AGAIN: usize = 200;

/// The traffic of a run. Shared by whoever writes it and whoever looks at it.
#[derive(Debug, Default)]
pub struct TrafficStore {
    inner: Mutex<Inner>,
    /// Somebody has looked since the last note, and wants to look again.
    looked: AtomicBool,
    waker: OnceLock<Waker>,
}

/// Called from the thread of the taps.
struct Waker(Box<dyn Fn() + Send + Sync>);

impl std::fmt::Debug for Waker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Waker")
    }
}

#[derive(Debug, Default)]
struct Inner {
    traffic: Traffic,
    file: Option<File>,
    end: u64,
    /// Where the notes of an exchange stand.
    places: HashMap<ExchangeId, Vec<(u64, usize)>>,
    /// Notes that are not on disk.
    lost: u64,
}

impl TrafficStore {
    /// Writes to a new file at `path`.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create_new(true).read(true).append(true).mode(0o600).open(path)?;
        Ok(Self::of(Inner { file: Some(file), ..Inner::default() }))
    }

    /// Reads the file of a run that is over, as far as it is whole. It may come from anybody: what is no note, or larger than
    /// any of ours, is left out. A run without taps has none.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error),
        };
        let mut inner = Inner::default();
        let mut reader = BufReader::new(file.try_clone()?);
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = io::Read::take(&mut reader, LARGEST).read_until(b'\n', &mut line)?;
            if read == 0 {
                break;
            }
            let mut length = read as u64;
            if line.last() == Some(&b'\n') {
                if let Ok(note) = serde_json::from_slice::<Note>(&line) {
                    inner.take(&note, read);
                }
            } else if length == LARGEST {
                length += skip_line(&mut reader)?;
            }
            inner.end += length;
        }
        inner.file = Some(file);
        Ok(Self::of(inner))
    }

    fn of(inner: Inner) -> Self {
        Self { inner: Mutex::new(inner), ..Self::default() }
    }

    /// Whom to wake when something went by since [`look`](Self::look) was called last.
    pub fn wake(&self, waker: impl Fn() + Send + Sync + 'static) {
        let _ = self.waker.set(Waker(Box::new(waker)));
    }

    /// Takes a note.
    pub fn note(&self, note: &Note) {
        let mut inner = self.lock();
        let mut line = serde_json::to_vec(note).unwrap_or_default();
        line.push(b'\n');
        let fits = inner.end + line.len() as u64 <= MOST;
        let written = fits && inner.file.as_mut().is_some_and(|file| file.write_all(&line).is_ok());
        inner.take(note, if written { line.len() } else { 0 });
        if written {
            inner.end += line.len() as u64;
        } else {
            inner.lost += 1;
        }
        drop(inner);
        if self.looked.swap(false, Ordering::Relaxed)
            && let Some(Waker(wake)) = self.waker.get()
        {
            wake();
        }
    }

    /// Looks at the rows. Whoever takes notes waits meanwhile.
    pub fn look<T>(&self, look: impl FnOnce(&Traffic) -> T) -> T {
        self.looked.store(true, Ordering::Relaxed);
        look(&self.lock().traffic)
    }

    /// How many notes are shown, but not kept.
    pub fn lost(&self) -> u64 {
        self.lock().lost
    }

    /// Writes what happened from one moment to another, and who was who.
    pub fn write_between(&self, from: At, until: At, out: &mut impl Write) -> io::Result<()> {
        let file = match &self.lock().file {
            Some(file) => file.try_clone()?,
            None => return Ok(()),
        };
        let (mut reader, mut line) = (BufReader::new(Whole { file, at: 0 }), Vec::new());
        while io::Read::take(&mut reader, LARGEST).read_until(b'\n', &mut line)? > 0 {
            let note = serde_json::from_slice::<Note>(&line).ok();
            if note.is_some_and(|note| note.at().is_none_or(|at| from <= at && at <= until)) {
                out.write_all(&line)?;
            }
            line.clear();
        }
        Ok(())
    }

    /// All that is kept of an exchange, in its order.
    pub fn notes_of(&self, exchange: ExchangeId) -> Vec<Note> {
        let inner = self.lock();
        let Some(file) = &inner.file else { return Vec::new() };
        let places = inner.places.get(&exchange).map_or(&[] as &[_], Vec::as_slice);
        let read = |(at, length): &(u64, usize)| {
            let mut line = vec![0; *length];
            file.read_exact_at(&mut line, *at).ok()?;
            serde_json::from_slice(&line).ok()
        };
        places.iter().filter_map(read).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Of a note that stands at the end of the file, with this many bytes; none: it is not in the file.
    fn take(&mut self, note: &Note, length: usize) {
        if let Some(exchange) = note.exchange()
            && length > 0
        {
            let places = self.places.entry(exchange).or_default();
            if places.len() < FOUND_AGAIN || matches!(note, Note::Ended(_)) {
                places.push((self.end, length));
            }
        }
        self.traffic.apply(note);
        if let Some(oldest) = self.traffic.rows().next().map(|row| row.id)
            && self.places.len() > 2 * self.traffic.rows().len()
        {
            self.places.retain(|id, _| *id >= oldest);
        }
    }
}

/// A file from its beginning, wherever others read or write it.
struct Whole {
    file: File,
    at: u64,
}

impl io::Read for Whole {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(bytes, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// The rest of a line; says how long it was.
fn skip_line(reader: &mut impl BufRead) -> io::Result<u64> {
    let mut skipped = 0;
    loop {
        let (taken, ended) = {
            let bytes = reader.fill_buf()?;
            let end = memchr::memchr(b'\n', bytes);
            (end.map_or(bytes.len(), |at| at + 1), end.is_some() || bytes.is_empty())
        };
        reader.consume(taken);
        skipped += taken as u64;
        if ended {
            return Ok(skipped);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{At, ProcessId},
        tap::note::{Asked, Body, Ended, Ending},
    };

    fn asked(exchange: ExchangeId, text: &str) -> Note {
        Note::Asked(Asked {
            exchange,
            tap: ProcessId::new("upstream").expect("a name"),
            connection: 1,
            at: At(exchange),
            http: None,
            body: Body { size: text.len() as u64, text: text.into() },
            calls: Vec::new(),
            fault: None,
        })
    }

    #[test]
    fn what_was_noted_is_found_again_live_and_from_disk() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("traffic.jsonl");
        let store = TrafficStore::create(&path).expect("a file");
        let ended = Note::Ended(Ended { exchange: 1, at: At(9), how: Ending::Answered, body: Body::default(), calls: Vec::new() });
        for note in [asked(1, "one"), asked(2, "two"), ended.clone()] {
            store.note(&note);
        }
        // As a kill leaves it, and as nobody of ours writes it.
        let mut file = OpenOptions::new().append(true).open(&path).expect("it is there");
        file.write_all(&vec![b'x'; 3 << 20]).and_then(|()| file.write_all(b"\n")).expect("written");
        store.note(&asked(3, "three"));
        file.write_all(b"{\"note\":\"as").expect("written");
        let read = TrafficStore::open(&path).expect("readable");
        assert_eq!(read.look(|traffic| traffic.rows().map(|row| row.id).collect::<Vec<_>>()), [1, 2, 3]);
        assert_eq!(read.notes_of(1), [asked(1, "one"), ended]);
        assert_eq!(read.notes_of(3), [asked(3, "three")]);
        assert_eq!(store.notes_of(2), [asked(2, "two")]);
        let mut part = Vec::new();
        read.write_between(At(2), At(8), &mut part).expect("memory");
        assert_eq!(String::from_utf8_lossy(&part).lines().count(), 2, "the second and the third");
        assert_eq!(TrafficStore::open(&dir.path().join("none")).expect("no taps").look(Traffic::count), 0);
    }

    #[test]
    fn without_a_file_rows_are_all_there_is() {
        let store = TrafficStore::default();
        store.note(&asked(1, "one"));
        assert_eq!((store.look(Traffic::count), store.lost(), store.notes_of(1)), (1, 1, Vec::new()));
    }
}
