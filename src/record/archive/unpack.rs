//! Reading an archive that may come from anybody.
//!
//! Entries are read raw: extension headers (long names, PAX) are entries of a kind that no archive of ours has, and are
//! skipped like all such, never read into memory. What is kept has a name of ours and a cap of its own; the whole has
//! caps on its number of entries, on what comes out of it, and on how much more that is than what went in.

use std::{
    cell::{Cell, RefCell},
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    rc::Rc,
};

use tempfile::TempDir;

use crate::model::{ProcessId, one_line};

/// Caps on what may come out of an archive.
#[derive(Debug, Clone, Copy)]
struct Caps {
    /// Bytes kept, of all entries together: a run's default cap on disk, and some.
    kept: u64,
    /// Bytes looked at: logs are there twice, once merged and with times.
    passed: u64,
    /// Bytes of the archive itself.
    packed: u64,
    /// Bytes of the events.
    events: u64,
    /// Bytes of the manifest and of the scenario, each.
    document: u64,
    /// Entries of any kind.
    entries: usize,
    /// How many times the archive's size may come out of it, beyond `free`. The same line over and over packs to a
    /// ten-thousandth.
    ratio: u64,
    /// What may come out of it whatever its size.
    free: u64,
}

const CAPS: Caps = Caps {
    kept: 12 << 30,
    passed: 40 << 30,
    packed: 4 << 30,
    events: 1 << 30,
    document: 16 << 20,
    entries: 10_000,
    ratio: 20_000,
    free: 64 << 20,
};

/// The most that decompression may look back, as a power of two: 128 MiB of memory.
const WINDOW_LOG: u32 = 27;

/// Why an archive cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnpackError {
    /// The file, or the folder it is read into.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The archive.
        path: PathBuf,
        /// What the system or the decoder said.
        #[source]
        source: io::Error,
    },
    /// It has no manifest, so it is no archive of this program.
    #[error("{} is no archive of e2e-tui: it has no manifest.json", .0.display())]
    NoArchive(PathBuf),
    /// It holds more than an archive may.
    #[error("{}: {what}: refused", .path.display())]
    TooMuch {
        /// The archive.
        path: PathBuf,
        /// Which cap.
        what: String,
    },
}

/// An archive's content in a private folder that goes away with this value.
#[derive(Debug)]
pub struct Unpacked {
    folder: TempDir,
    /// Whether the archive broke off: what came before is there.
    pub broken: Option<String>,
}

impl Unpacked {
    /// The folder, laid out as a recording.
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }
}

/// Reads the archive at `path`, a file or a pipe, into a private folder.
pub fn unpack(path: &Path) -> Result<Unpacked, UnpackError> {
    unpack_within(path, &CAPS)
}

fn unpack_within(path: &Path, caps: &Caps) -> Result<Unpacked, UnpackError> {
    let io_error = |source| UnpackError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(io_error)?;
    let folder = tempfile::Builder::new().prefix("e2e-tui-replay-").tempdir().map_err(io_error)?;
    std::fs::DirBuilder::new().mode(0o700).create(folder.path().join("logs")).map_err(io_error)?;
    let gauge = Gauge::new(*caps);
    let mut decoder = zstd::Decoder::new(Packed { file, gauge: gauge.clone() }).map_err(io_error)?;
    decoder.window_log_max(WINDOW_LOG).map_err(io_error)?;
    let mut archive = tar::Archive::new(Passed { decoder, gauge: gauge.clone() });
    let entries = archive.entries().map_err(io_error)?.raw(true);
    let mut broken = None;
    for (count, entry) in entries.enumerate() {
        if count >= caps.entries {
            gauge.exceed(format!("it has more than {} entries", caps.entries));
        }
        if gauge.exceeded().is_some() {
            break;
        }
        if let Err(e) = entry.and_then(|entry| take(entry, folder.path(), &gauge)) {
            broken = Some(one_line(&e.to_string()).into_owned());
            break;
        }
    }
    if let Some(what) = gauge.exceeded() {
        return Err(UnpackError::TooMuch { path: path.to_owned(), what });
    }
    if !folder.path().join("manifest.json").is_file() {
        let why = |why| io_error(io::Error::new(io::ErrorKind::InvalidData, why));
        return Err(broken.map_or_else(|| UnpackError::NoArchive(path.to_owned()), why));
    }
    Ok(Unpacked { folder, broken })
}

/// What went in and came out so far, and whether that was too much.
#[derive(Debug, Clone)]
struct Gauge(Rc<GaugeState>);

#[derive(Debug)]
struct GaugeState {
    caps: Caps,
    packed: Cell<u64>,
    passed: Cell<u64>,
    kept: Cell<u64>,
    exceeded: RefCell<Option<String>>,
}

impl Gauge {
    fn new(caps: Caps) -> Self {
        Self(Rc::new(GaugeState {
            caps,
            packed: Cell::default(),
            passed: Cell::default(),
            kept: Cell::default(),
            exceeded: RefCell::default(),
        }))
    }

    fn exceed(&self, what: String) -> io::Error {
        *self.0.exceeded.borrow_mut() = Some(what);
        io::Error::other("more than an archive may hold")
    }

    fn exceeded(&self) -> Option<String> {
        self.0.exceeded.borrow().clone()
    }

    fn packed(&self, more: usize) -> io::Result<usize> {
        self.0.packed.set(self.0.packed.get() + more as u64);
        if self.0.packed.get() > self.0.caps.packed {
            return Err(self.exceed(format!("it is larger than {}", size(self.0.caps.packed))));
        }
        Ok(more)
    }

    fn passed(&self, more: usize) -> io::Result<usize> {
        let passed = self.0.passed.get() + more as u64;
        self.0.passed.set(passed);
        if passed > self.0.caps.passed {
            return Err(self.exceed(format!("it unpacks to more than {}", size(self.0.caps.passed))));
        }
        if passed > self.0.packed.get().saturating_mul(self.0.caps.ratio).saturating_add(self.0.caps.free) {
            return Err(self.exceed(format!("it unpacks to more than {} times its size", self.0.caps.ratio)));
        }
        Ok(more)
    }

    fn keep(&self, more: u64) -> io::Result<()> {
        self.0.kept.set(self.0.kept.get().saturating_add(more));
        if self.0.kept.get() > self.0.caps.kept {
            return Err(self.exceed(format!("its logs are larger than {}", size(self.0.caps.kept))));
        }
        Ok(())
    }
}

/// `12 GiB`.
fn size(bytes: u64) -> String {
    match bytes {
        0..0x10_0000 => format!("{bytes} bytes"),
        0x10_0000..0x4000_0000 => format!("{} MiB", bytes >> 20),
        _ => format!("{} GiB", bytes >> 30),
    }
}

/// The archive as it is read.
struct Packed {
    file: File,
    gauge: Gauge,
}

impl Read for Packed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.gauge.packed(self.file.read(into)?)
    }
}

/// What comes out of it.
struct Passed<R> {
    decoder: R,
    gauge: Gauge,
}

impl<R: Read> Read for Passed<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.gauge.passed(self.decoder.read(into)?)
    }
}

/// Takes one entry if a recording has it; the name on disk is ours, whatever the archive calls it.
fn take(entry: tar::Entry<'_, impl Read>, folder: &Path, gauge: &Gauge) -> io::Result<()> {
    let size = entry.size();
    let name = entry.path_bytes().into_owned();
    let wanted = std::str::from_utf8(&name).ok().and_then(own_name);
    let Some(own) = wanted.filter(|_| entry.header().entry_type() == tar::EntryType::Regular) else { return Ok(()) };
    let cap = match own.as_str() {
        "events.jsonl" => gauge.0.caps.events,
        "manifest.json" | "scenario.toml" => gauge.0.caps.document,
        _ => gauge.0.caps.kept,
    };
    if size > cap {
        return Err(gauge.exceed(format!("its {own} is larger than {}", self::size(cap))));
    }
    // What a header promises counts before a byte of it is written.
    gauge.keep(size)?;
    let named = |e: io::Error| io::Error::new(e.kind(), format!("{own}: {e}"));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.join(&own)).map_err(named)?;
    let written = io::copy(&mut entry.take(size), &mut file).map_err(named)?;
    file.flush()?;
    if written < size { Err(named(io::Error::new(io::ErrorKind::UnexpectedEof, "it ends before its size"))) } else { Ok(()) }
}

/// The name under which an entry is kept; none for what a recording does not have.
fn own_name(name: &str) -> Option<String> {
    if ["manifest.json", "scenario.toml", "events.jsonl"].contains(&name) {
        return Some(name.to_owned());
    }
    let stem = name.strip_prefix("logs/")?;
    let (stem, index) = stem.strip_suffix(".idx").map_or((stem, ""), |stem| (stem, ".idx"));
    let (process, stream) = stem.rsplit_once('.')?;
    let process = ProcessId::new(process).ok()?;
    ["out", "err"].contains(&stream).then(|| format!("logs/{process}.{stream}{index}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r3_only_names_that_a_recording_has_are_kept() {
        for evil in [
            "../manifest.json",
            "/etc/passwd",
            "logs/../../x.out",
            "logs/a/b.out",
            "logs/x.exe",
            "logs/.out",
            "summary.md",
            "logs/a\0.out",
            "MANIFEST.JSON",
        ] {
            assert_eq!(own_name(evil), None, "{evil}");
        }
        assert_eq!(own_name("logs/client-a.err.idx"), Some("logs/client-a.err.idx".into()));
    }

    #[test]
    fn r1_what_is_no_archive_is_a_typed_error() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for content in [&b""[..], b"not zstd at all", &zstd::encode_all(&b"not tar"[..], 1).expect("in memory")] {
            let path = folder.path().join("x.tar.zst");
            std::fs::write(&path, content).expect("it can be written");
            let error = unpack(&path).expect_err("it is no archive");
            assert!(error.to_string().contains("x.tar.zst"), "{error}");
        }
    }

    fn packed(build: impl FnOnce(&mut tar::Builder<zstd::Encoder<'_, File>>)) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("x.tar.zst");
        let file = File::create(&path).expect("it can be written");
        let mut archive = tar::Builder::new(zstd::Encoder::new(file, 19).expect("in memory"));
        build(&mut archive);
        archive.into_inner().and_then(zstd::Encoder::finish).expect("it can be finished");
        (folder, path)
    }

    fn entry(kind: tar::EntryType, size: u64) -> tar::Header {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(0o600);
        header
    }

    /// Adds an entry whose header promises `size` bytes and which holds `content`.
    fn add(archive: &mut tar::Builder<zstd::Encoder<'_, File>>, kind: tar::EntryType, name: &str, size: u64, content: impl Read) {
        let mut header = entry(kind, size);
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        archive.get_mut().write_all(header.as_bytes()).expect("it can be written");
        let written = io::copy(&mut content.take(size), archive.get_mut()).expect("it can be written");
        let padding = (512 - written % 512) % 512;
        archive.get_mut().write_all(&vec![0; padding as usize]).expect("it can be written");
    }

    fn too_much(path: &Path, caps: &Caps) -> String {
        match unpack_within(path, caps).expect_err("it is too much") {
            UnpackError::TooMuch { what, .. } => what,
            other => panic!("{other}"),
        }
    }

    const REGULAR: tar::EntryType = tar::EntryType::Regular;

    #[test]
    fn r2_a_bomb_is_refused_by_what_comes_out_of_it() {
        let (_folder, path) = packed(|archive| add(archive, REGULAR, "ballast", 300 << 20, io::repeat(0)));
        assert_eq!(too_much(&path, &CAPS), "it unpacks to more than 20000 times its size");
        let caps = Caps { passed: 10 << 20, ..CAPS };
        assert_eq!(too_much(&path, &caps), "it unpacks to more than 10 MiB");
    }

    #[test]
    fn r2_extension_headers_are_never_read_into_memory() {
        for kind in [tar::EntryType::GNULongName, tar::EntryType::GNULongLink, tar::EntryType::XHeader, tar::EntryType::XGlobalHeader] {
            let (_folder, path) = packed(|archive| {
                add(archive, kind, "././@LongLink", 40 << 20, io::repeat(b'x'));
                add(archive, REGULAR, "manifest.json", 2, &b"{}"[..]);
            });
            let before = peak_memory();
            let unpacked = unpack(&path).expect("what is of no use is skipped");
            assert!(unpacked.dir().join("manifest.json").is_file());
            assert!(peak_memory() - before < 30 << 20, "{kind:?} went to memory");
        }
    }

    /// The most memory this process ever held, in bytes.
    fn peak_memory() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").expect("/proc is there");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux tells it");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
    }

    #[test]
    fn r2_lying_sizes_crowds_and_large_documents_are_refused_by_their_headers() {
        let (_folder, path) = packed(|archive| add(archive, REGULAR, "logs/a.out", 1 << 40, &b"tiny"[..]));
        assert_eq!(too_much(&path, &CAPS), "its logs/a.out is larger than 12 GiB");
        let (_folder, path) = packed(|archive| {
            (0..3).for_each(|n| add(archive, REGULAR, &format!("logs/{n}.out"), 1000, io::repeat(b'x')));
        });
        assert_eq!(too_much(&path, &Caps { kept: 2999, ..CAPS }), "its logs are larger than 2999 bytes");
        let (_folder, path) = packed(|archive| add(archive, REGULAR, "manifest.json", (16 << 20) + 1, io::repeat(b' ')));
        assert_eq!(too_much(&path, &CAPS), "its manifest.json is larger than 16 MiB");
        let (_folder, path) = packed(|archive| (0..10_001).for_each(|_| add(archive, REGULAR, "x", 0, io::empty())));
        assert_eq!(too_much(&path, &CAPS), "it has more than 10000 entries");
        assert!(too_much(&path, &Caps { packed: 10, ..CAPS }).starts_with("it is larger than 10 bytes"));
    }

    #[test]
    fn r1_a_pipe_is_read_like_a_file() {
        let (folder, path) = packed(|archive| add(archive, REGULAR, "manifest.json", 2, &b"{}"[..]));
        let fifo = folder.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
        let writer = std::thread::spawn({
            let fifo = fifo.clone();
            move || std::fs::write(fifo, std::fs::read(path).expect("readable")).expect("somebody reads")
        });
        assert!(unpack(&fifo).expect("it is an archive").broken.is_none());
        writer.join().expect("no panic");
    }

    #[test]
    fn r1_what_came_before_a_break_is_there() {
        let (_folder, path) = packed(|archive| {
            add(archive, REGULAR, "manifest.json", 2, &b"{}"[..]);
            add(archive, REGULAR, "logs/a.out", 5, &b"hello"[..]);
            add(archive, REGULAR, "logs/b.out", 100_000, &b"cut"[..]);
        });
        let unpacked = unpack(&path).expect("most of it is good");
        assert!(unpacked.broken.as_deref().is_some_and(|why| why.contains("logs/b.out")), "{:?}", unpacked.broken);
        assert_eq!(std::fs::read_to_string(unpacked.dir().join("logs/a.out")).expect("it is whole"), "hello");
        // The same for a file whose end is missing, and for one with a flipped bit.
        let mut bytes = std::fs::read(&path).expect("readable");
        bytes.truncate(bytes.len() - 3);
        std::fs::write(&path, &bytes).expect("a disk");
        assert!(unpack(&path).map_or(true, |unpacked| unpacked.broken.is_some()));
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            std::fs::write(&path, &flipped).expect("a disk");
            // Whatever comes of it, it is an answer.
            let _ = unpack(&path);
        }
    }

    #[test]
    fn r3_links_and_second_entries_of_a_name_write_nothing() {
        let (folder, path) = packed(|archive| {
            let mut link = entry(tar::EntryType::Symlink, 0);
            archive.append_link(&mut link, "logs/a.out", "/etc/passwd").expect("it can be written");
            let mut hard = entry(tar::EntryType::Link, 0);
            archive.append_link(&mut hard, "events.jsonl", "/etc/passwd").expect("it can be written");
            add(archive, REGULAR, "../escaped", 1, &b"x"[..]);
            add(archive, REGULAR, "manifest.json", 2, &b"{}"[..]);
            add(archive, REGULAR, "manifest.json", 2, &b"[]"[..]);
        });
        let unpacked = unpack(&path).expect("there is a manifest");
        assert!(unpacked.broken.is_some(), "a second manifest ends it");
        assert_eq!(std::fs::read_to_string(unpacked.dir().join("manifest.json")).expect("the first"), "{}");
        assert!(!unpacked.dir().join("logs/a.out").exists() && !unpacked.dir().join("events.jsonl").exists());
        assert!(!folder.path().join("escaped").exists() && !unpacked.dir().join("../escaped").exists());
    }
}
