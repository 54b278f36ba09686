//! Where the notes of a run go: into the rows that are shown, and to disk.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::model::At;

use super::{
    note::{ExchangeId, Note},
    traffic::Traffic,
    writer::{Found, Writer},
};

/// So long an archive waits for what went through taps to be on disk.
pub const SETTLED: Duration = Duration::from_secs(2);
/// Bytes of one note, at most: a head and a body are 64 KiB each, and JSON may need six letters for one.
const LARGEST: u64 = 1 << 20;

/// The traffic of a run. Shared by whoever writes it and whoever looks at it; neither waits for a disk.
#[derive(Debug, Default)]
pub struct TrafficStore {
    rows: Mutex<Traffic>,
    /// None where nothing is kept.
    kept: Option<Writer>,
    /// Notes that went nowhere, for want of it.
    unkept: AtomicU64,
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

impl TrafficStore {
    /// Writes to a new file at `path`, on a thread of its own.
    ///
    /// # Errors
    /// There is such a file, it cannot be made, or there is no thread to be had.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create_new(true).read(true).write(true).mode(0o600).open(path)?;
        Ok(Self::on(Writer::start(Box::new(file))?))
    }

    pub(super) fn on(writer: Writer) -> Self {
        Self { kept: Some(writer), ..Self::default() }
    }

    /// Reads the file of a run that is over, as far as it is whole. It may come from anybody: what is no note, or larger than
    /// any of ours, is left out. A run without taps has none.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error),
        };
        let (mut rows, mut found) = (Traffic::default(), Found::default());
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
                    found.add(&note, read);
                    rows.apply(&note);
                }
            } else if length == LARGEST {
                length += skip_line(&mut reader)?;
            }
            found.end += length;
        }
        Ok(Self { rows: Mutex::new(rows), ..Self::on(Writer::read_only(found, Box::new(file))) })
    }

    /// Whom to wake when something went by since [`look`](Self::look) was called last.
    pub fn wake(&self, waker: impl Fn() + Send + Sync + 'static) {
        let _ = self.waker.set(Waker(Box::new(waker)));
    }

    /// Whom to tell, in words, of a disk that refuses what goes by, and when it takes it again. Called from the thread that
    /// writes.
    pub fn tell(&self, tell: impl Fn(String) + Send + Sync + 'static) {
        if let Some(kept) = &self.kept {
            kept.tell(tell);
        }
    }

    /// Takes a note.
    pub fn note(&self, note: Note) {
        let kept = {
            let mut rows = self.lock();
            rows.apply(&note);
            (rows.rows().next().map_or(0, |row| row.id), rows.rows().len())
        };
        match &self.kept {
            Some(writer) => writer.write(note, kept),
            None => self.lose(),
        }
        if self.looked.swap(false, Ordering::Relaxed)
            && let Some(Waker(wake)) = self.waker.get()
        {
            wake();
        }
    }

    /// Something went by too fast to become a note.
    pub fn lose(&self) {
        match &self.kept {
            Some(writer) => writer.lose(),
            None => drop(self.unkept.fetch_add(1, Ordering::Relaxed)),
        }
    }

    /// Looks at the rows. Whoever takes notes waits meanwhile.
    pub fn look<T>(&self, look: impl FnOnce(&Traffic) -> T) -> T {
        self.looked.store(true, Ordering::Relaxed);
        look(&self.lock())
    }

    /// How many notes are shown, but not kept.
    pub fn lost(&self) -> u64 {
        self.kept.as_ref().map_or_else(|| self.unkept.load(Ordering::Relaxed), Writer::lost)
    }

    /// Writes what happened from one moment to another, and who was who.
    pub fn write_between(&self, from: At, until: At, out: &mut impl Write) -> io::Result<()> {
        let Some(writer) = &self.kept else { return Ok(()) };
        let within = |note: &Note| note.at().is_none_or(|at| from <= at && at <= until);
        let (file, pending) = writer.all();
        let (mut reader, mut line) = (BufReader::new(file), Vec::new());
        while io::Read::take(&mut reader, LARGEST).read_until(b'\n', &mut line)? > 0 {
            if serde_json::from_slice(&line).is_ok_and(|note| within(&note)) {
                out.write_all(&line)?;
            }
            line.clear();
        }
        for note in pending.iter().filter(|note| within(note)) {
            serde_json::to_writer(&mut *out, &**note)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    }

    /// All that is kept of an exchange, in its order.
    pub fn notes_of(&self, exchange: ExchangeId) -> Vec<Note> {
        self.kept.as_ref().map(|writer| writer.notes_of(exchange)).unwrap_or_default()
    }

    /// Waits until all that there is by now is on disk, at most so long; not for a disk that refuses.
    pub fn settle(&self, at_most: Duration) {
        if let Some(writer) = &self.kept {
            writer.settle(at_most);
        }
    }

    /// Has the rest written: the run is over. May wait for the disk.
    pub fn finish(&self) {
        if let Some(writer) = &self.kept {
            writer.finish();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Traffic> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
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
            pipe: None,
        })
    }

    #[test]
    fn what_was_noted_is_found_again_live_and_from_disk() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("traffic.jsonl");
        let store = TrafficStore::create(&path).expect("a file");
        let ended = Note::Ended(Ended { exchange: 1, at: At(9), how: Ending::Answered, body: Body::default(), calls: Vec::new() });
        for note in [asked(1, "one"), asked(2, "two"), ended.clone()] {
            store.note(note);
        }
        assert_eq!(store.notes_of(2), [asked(2, "two")], "on disk or on its way there");
        store.settle(Duration::from_secs(20));
        assert_eq!(store.notes_of(1), [asked(1, "one"), ended.clone()]);
        store.finish();
        store.note(asked(9, "late"));
        assert_eq!((store.lost(), store.notes_of(9)), (1, Vec::new()));
        // As a kill leaves it, and as nobody of ours writes it.
        let mut file = OpenOptions::new().append(true).open(&path).expect("it is there");
        let third = serde_json::to_string(&asked(3, "three")).expect("a note");
        file.write_all(&vec![b'x'; 3 << 20]).and_then(|()| write!(file, "\n{third}\n{{\"note\":\"as")).expect("written");
        let read = TrafficStore::open(&path).expect("readable");
        assert_eq!(read.look(|traffic| traffic.rows().map(|row| row.id).collect::<Vec<_>>()), [1, 2, 3]);
        assert_eq!(read.notes_of(1), [asked(1, "one"), ended]);
        assert_eq!(read.notes_of(3), [asked(3, "three")]);
        let mut part = Vec::new();
        read.write_between(At(2), At(8), &mut part).expect("memory");
        assert_eq!(String::from_utf8_lossy(&part).lines().count(), 2, "the second and the third");
        assert_eq!(TrafficStore::open(&dir.path().join("none")).expect("no taps").look(Traffic::count), 0);
    }

    #[test]
    fn without_a_file_rows_are_all_there_is() {
        let store = TrafficStore::default();
        store.note(asked(1, "one"));
        assert_eq!((store.look(Traffic::count), store.lost(), store.notes_of(1)), (1, 1, Vec::new()));
    }
}
