//! Writing a file whole or not at all: beside its target, then renamed there.
//!
//! ```text
//!   .report.json.4711-1f3a-9c.part   0600, created anew, never through a link
//!     │ write, fsync, rename (not over a file unless asked), fsync of the folder
//!     ▼
//!   report.json
//! ```
//!
//! What is no regular file is never replaced: a device or a pipe is written into as it is, a link or a folder is refused.
//! Whoever dies before the rename leaves a `.part` file; [`sweep`] removes those of the dead.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::{
        fd::AsFd,
        unix::fs::{FileTypeExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::manifest::Lease;

/// Bytes of a target's name that its temporary file repeats: a name has at most 255.
const NAME: usize = 120;

/// A file under way.
#[derive(Debug)]
pub(crate) struct Beside {
    file: File,
    /// Bytes written so far.
    size: u64,
    /// None: what is written goes straight there.
    way: Option<Way>,
}

#[derive(Debug)]
struct Way {
    temporary: PathBuf,
    target: PathBuf,
    replace: bool,
}

impl Beside {
    /// Begins to write `target`; `-` is standard output.
    ///
    /// # Errors
    /// [`AlreadyExists`](io::ErrorKind::AlreadyExists) if there is a file and it may not be replaced; others if something
    /// is there that is never replaced, or the folder cannot be written.
    pub(crate) fn create(target: &Path, replace: bool) -> io::Result<Self> {
        if let Some(file) = existing(target, replace)? {
            return Ok(Self { file, size: 0, way: None });
        }
        let _ = sweep(folder_of(target));
        let temporary = temporary_beside(target);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).custom_flags(nix::libc::O_NOFOLLOW).open(&temporary)?;
        Ok(Self { file, size: 0, way: Some(Way { temporary, target: target.to_owned(), replace }) })
    }

    /// A folder on the same disk, for what is written on the way; that of temporary files where there is none.
    pub(crate) fn folder(&self) -> PathBuf {
        self.way.as_ref().map_or_else(std::env::temp_dir, |way| folder_of(&way.target).to_owned())
    }

    /// Puts the file in its place; with `sync` it survives the machine's death from now on. Returns its size.
    pub(crate) fn finish(mut self, sync: bool) -> io::Result<u64> {
        let size = self.size;
        let Some(way) = &self.way else {
            self.file.flush()?;
            return Ok(size);
        };
        if sync {
            boundary();
            self.file.sync_all()?;
        }
        boundary();
        rename(&way.temporary, &way.target, way.replace)?;
        let target = self.way.take().map(|way| way.target).unwrap_or_default();
        if sync {
            boundary();
            // The rename is only safe once the folder knows of it.
            File::open(folder_of(&target))?.sync_all()?;
        }
        Ok(size)
    }
}

impl Write for Beside {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        boundary();
        let written = self.file.write(piece(bytes))?;
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if let Some(way) = &self.way {
            let _ = fs::remove_file(&way.temporary);
        }
    }
}

/// Whether a target is standard output.
pub(crate) fn is_stdout(target: &Path) -> bool {
    target == Path::new("-") || target == Path::new("/dev/stdout")
}

/// Whether what is there is written into as it is: a device or a pipe, or a link to one.
pub(crate) fn flows(target: &Path, kind: fs::FileType) -> bool {
    let flows = |kind: fs::FileType| kind.is_char_device() || kind.is_fifo();
    flows(kind) || kind.is_symlink() && fs::metadata(target).is_ok_and(|meta| flows(meta.file_type()))
}

/// What is written into as it is. An error if something is there that must stay.
fn existing(target: &Path, replace: bool) -> io::Result<Option<File>> {
    if is_stdout(target) {
        return Ok(Some(File::from(io::stdout().as_fd().try_clone_to_owned()?)));
    }
    let kind = match fs::symlink_metadata(target) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        found => found?.file_type(),
    };
    if flows(target, kind) {
        return OpenOptions::new().write(true).open(target).map(Some);
    }
    if kind.is_file() {
        return if replace { Ok(None) } else { Err(io::ErrorKind::AlreadyExists.into()) };
    }
    let what = if kind.is_symlink() {
        "is a symbolic link: give the path that it leads to"
    } else if kind.is_dir() {
        "is a folder"
    } else {
        "is neither a file nor a device that can be written"
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, what))
}

fn rename(from: &Path, to: &Path, replace: bool) -> io::Result<()> {
    if replace {
        return fs::rename(from, to);
    }
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Some network filesystems cannot; a link is as good.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            fs::hard_link(from, to)?;
            fs::remove_file(from)
        }
        done => Ok(done?),
    }
}

pub(crate) fn folder_of(target: &Path) -> &Path {
    target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A name nobody else uses, in the folder of `target`: a rename within a folder is whole or not at all.
pub(super) fn temporary_beside(target: &Path) -> PathBuf {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let nonce = jiff::Timestamp::now().as_nanosecond() as u64 ^ NEXT.fetch_add(1, Ordering::Relaxed).rotate_left(48);
    target.with_file_name(format!("{}{nonce:x}.part", own_prefix(target)))
}

/// What this program's temporary names for `target` begin with.
fn own_prefix(target: &Path) -> String {
    let name: String = target.file_name().unwrap_or_default().to_string_lossy().chars().take(NAME / 4).collect();
    let own = Lease::own();
    format!(".{name}.{}-{:x}-", own.pid, own.start_ticks)
}

/// Removes what this program has written so far on the way to `target`: whoever writes it there fails at the end.
pub(crate) fn sweep_own(target: &Path) -> io::Result<()> {
    let prefix = own_prefix(target);
    for entry in fs::read_dir(folder_of(target))? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_str().and_then(|name| name.strip_prefix(&prefix)).and_then(|rest| rest.strip_suffix(".part")).is_some() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Removes what writers have left in `folder` that died before they were done. Files of the living are theirs.
pub(crate) fn sweep(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)?.flatten() {
        let name = entry.file_name();
        let writer = name.to_str().and_then(writer_of);
        if writer.is_some_and(|writer| !writer.is_held()) {
            let _ = match entry.file_type() {
                Ok(kind) if kind.is_file() => fs::remove_file(entry.path()),
                // A recording that was being removed.
                Ok(kind) if kind.is_dir() => fs::remove_dir_all(entry.path()),
                _ => Ok(()),
            };
        }
    }
    Ok(())
}

/// Who writes the temporary file of this name.
fn writer_of(name: &str) -> Option<Lease> {
    let (_, writer) = name.strip_prefix('.')?.strip_suffix(".part")?.rsplit_once('.')?;
    let mut parts = writer.split('-');
    let (pid, ticks, nonce) = (parts.next()?, parts.next()?, parts.next()?);
    u64::from_str_radix(nonce, 16).ok().filter(|_| parts.next().is_none())?;
    // The boot is not in the name: another boot's process cannot have the same pid and start but by a rare chance, and
    // then its file only stays.
    Some(Lease { pid: pid.parse().ok()?, start_ticks: u64::from_str_radix(ticks, 16).ok()?, ..Lease::own() })
}

/// Where a crash leaves something half done: tests die here.
#[cfg(not(test))]
fn boundary() {}

/// What is written at once.
#[cfg(not(test))]
fn piece(bytes: &[u8]) -> &[u8] {
    bytes
}

#[cfg(test)]
use super::crash_tests::{boundary, piece};

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn write(target: &Path, replace: bool, text: &str) -> io::Result<u64> {
        let mut beside = Beside::create(target, replace)?;
        beside.write_all(text.as_bytes())?;
        beside.finish(true)
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut all: Vec<_> =
            fs::read_dir(folder).expect("readable").flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        all.sort();
        all
    }

    #[test]
    fn d4_d10_a_file_appears_whole_for_its_owner_alone_and_is_replaced_only_on_request() {
        let dir = tempfile::tempdir().expect("a folder");
        let target = dir.path().join("report.json");
        assert_eq!(write(&target, false, "one").expect("nothing is there"), 3);
        assert_eq!(fs::metadata(&target).expect("it is there").permissions().mode() & 0o777, 0o600);
        assert_eq!(write(&target, false, "two").expect_err("it is there").kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&target).expect("readable"), "one");
        write(&target, true, "three").expect("it may be replaced");
        assert_eq!(fs::read_to_string(&target).expect("readable"), "three");
        drop(Beside::create(&target, true).expect("begun"));
        assert_eq!(names(dir.path()), ["report.json"], "whoever gives up leaves nothing");
    }

    #[test]
    fn d6_links_and_folders_are_refused_devices_are_written_into() {
        let dir = tempfile::tempdir().expect("a folder");
        let (file, link, dangling, fifo) =
            (dir.path().join("file"), dir.path().join("link"), dir.path().join("dangling"), dir.path().join("fifo"));
        fs::write(&file, "kept").expect("a disk");
        std::os::unix::fs::symlink(&file, &link).expect("a link");
        std::os::unix::fs::symlink("nowhere", &dangling).expect("a link");
        for link in [&link, &dangling] {
            for replace in [false, true] {
                let error = write(link, replace, "x").expect_err("a link is never followed");
                assert!(error.to_string().contains("symbolic link"), "{error}");
                assert!(fs::symlink_metadata(link).expect("it is there").is_symlink());
            }
        }
        assert_eq!(fs::read_to_string(&file).expect("readable"), "kept");
        assert!(write(dir.path(), true, "x").expect_err("a folder").to_string().contains("folder"));
        write(Path::new("/dev/null"), false, "x").expect("it takes everything");
        assert!(fs::metadata("/dev/null").expect("it is there").file_type().is_char_device(), "it is still a device");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
        let reader = std::thread::spawn({
            let fifo = fifo.clone();
            move || fs::read_to_string(fifo).expect("readable")
        });
        write(&fifo, false, "through the pipe").expect("somebody reads");
        assert_eq!(reader.join().expect("no panic"), "through the pipe");
        assert!(fs::symlink_metadata(&fifo).expect("it is there").file_type().is_fifo());
    }

    #[test]
    fn d6_a_hard_link_is_left_with_what_it_held() {
        let dir = tempfile::tempdir().expect("a folder");
        let (one, two) = (dir.path().join("one"), dir.path().join("two"));
        fs::write(&one, "shared").expect("a disk");
        fs::hard_link(&one, &two).expect("a link");
        write(&two, true, "new").expect("a file like any other");
        assert_eq!(fs::read_to_string(&one).expect("readable"), "shared");
    }

    #[test]
    fn d8_files_of_dead_writers_are_swept_and_others_are_not() {
        let dir = tempfile::tempdir().expect("a folder");
        let own = Lease::own();
        let dead = format!(".x.tar.zst.{}-{:x}-1f.part", own.pid, own.start_ticks + 1);
        let alive = format!(".x.tar.zst.{}-{:x}-1f.part", own.pid, own.start_ticks);
        let foreign = [".notes.part", ".x.1-2.part", ".x.1-zz-1.part", "x.1-1-1.part", ".x.1-1-1.parts"];
        for name in foreign.iter().copied().chain([dead.as_str(), alive.as_str()]) {
            fs::write(dir.path().join(name), "").expect("a disk");
        }
        sweep(dir.path()).expect("readable");
        let left = names(dir.path());
        assert!(!left.contains(&dead) && left.contains(&alive) && left.len() == foreign.len() + 1, "{left:?}");
    }
}
