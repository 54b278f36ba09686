//! The folders that are watched, and what happens in them.

use std::{
    collections::HashMap,
    io,
    os::fd::{AsFd, BorrowedFd},
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor},
};

/// What counts as a change. Not each write: a file is looked at when whoever wrote it is done with it.
const CHANGES: AddWatchFlags = AddWatchFlags::IN_CLOSE_WRITE
    .union(AddWatchFlags::IN_CREATE)
    .union(AddWatchFlags::IN_DELETE)
    .union(AddWatchFlags::IN_MOVED_FROM)
    .union(AddWatchFlags::IN_MOVED_TO);
/// What happens to the folder itself.
const ITSELF: AddWatchFlags = AddWatchFlags::IN_ONLYDIR.union(AddWatchFlags::IN_MOVE_SELF);

/// On top of what it is watched for already.
const MORE: AddWatchFlags = AddWatchFlags::from_bits_retain(rustix::fs::inotify::WatchFlags::MASK_ADD.bits());
const FLAGS: InitFlags = InitFlags::IN_CLOEXEC.union(InitFlags::IN_NONBLOCK);

/// Watched folders.
#[derive(Debug)]
pub(super) struct Folders {
    inotify: Inotify,
    paths: HashMap<WatchDescriptor, PathBuf>,
    /// With what each is watched for, besides itself.
    watched: HashMap<PathBuf, AddWatchFlags>,
}

/// What happened.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Happened {
    /// A file was written, came or went.
    File(PathBuf),
    /// There is a folder that was not there before.
    NewFolder(PathBuf),
    /// A folder was moved away, with everything in it.
    FolderMoved(PathBuf),
    /// A watched folder itself is gone.
    WatchedGone(PathBuf),
    /// More happened than the system keeps.
    Overflow,
}

impl Folders {
    pub(super) fn new() -> Result<Self, Errno> {
        Ok(Self { inotify: Inotify::init(FLAGS)?, paths: HashMap::new(), watched: HashMap::new() })
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.watched.len()
    }

    /// Watches a folder; false if it was watched before.
    pub(super) fn add(&mut self, folder: &Path) -> Result<bool, Errno> {
        self.add_for(folder, CHANGES)
    }

    /// Watches only whether a folder itself goes; false if it was watched before.
    pub(super) fn add_itself(&mut self, folder: &Path) -> Result<bool, Errno> {
        if self.watched.contains_key(folder) { Ok(false) } else { self.add_for(folder, AddWatchFlags::empty()) }
    }

    fn add_for(&mut self, folder: &Path, what: AddWatchFlags) -> Result<bool, Errno> {
        if self.watched.get(folder) == Some(&what) {
            return Ok(false);
        }
        // What is watched under another name, too, goes on being watched for that.
        let descriptor = self.inotify.add_watch(folder, what | ITSELF | MORE)?;
        // The system knows folders, not paths: one that was moved, or has two names, has one descriptor.
        if let Some(before) = self.paths.insert(descriptor, folder.to_owned())
            && before != folder
        {
            self.watched.remove(&before);
        }
        self.watched.insert(folder.to_owned(), what);
        Ok(true)
    }

    /// Forgets all folders, and what has happened in them until now.
    pub(super) fn clear(&mut self) {
        // Giving up each watch is an event too, and so many might be more than the system keeps.
        match Inotify::init(FLAGS) {
            Ok(new) => {
                self.inotify = new;
                self.paths.clear();
                self.watched.clear();
            }
            Err(_) => self.forget(Path::new("/")),
        }
    }

    /// Takes what has happened. Empty: nothing more.
    pub(super) fn read(&mut self) -> Vec<Happened> {
        match self.inotify.read_events() {
            Ok(events) => events.into_iter().filter_map(|event| self.understand(event)).collect(),
            Err(Errno::EAGAIN | Errno::EINTR) => Vec::new(),
            Err(error) => {
                tracing::warn!("changes of files cannot be read: {error}");
                Vec::new()
            }
        }
    }

    fn understand(&mut self, InotifyEvent { wd, mask, name, .. }: InotifyEvent) -> Option<Happened> {
        if mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
            return Some(Happened::Overflow);
        }
        let folder = self.paths.get(&wd)?.clone();
        if mask.intersects(AddWatchFlags::IN_IGNORED | AddWatchFlags::IN_MOVE_SELF) {
            self.forget(&folder);
            return Some(Happened::WatchedGone(folder));
        }
        let path = folder.join(name?);
        if !mask.contains(AddWatchFlags::IN_ISDIR) {
            return Some(Happened::File(path));
        }
        if mask.contains(AddWatchFlags::IN_MOVED_FROM) {
            self.forget(&path);
            return Some(Happened::FolderMoved(path));
        }
        // What was watched under this name is another folder, or none. The system tells of its end only when nobody holds it any more.
        self.forget(&path);
        // A folder is removed when it is empty: its files have been told of.
        (!mask.contains(AddWatchFlags::IN_DELETE)).then_some(Happened::NewFolder(path))
    }

    /// A folder is not where it was, and what is below it neither.
    pub(super) fn forget(&mut self, folder: &Path) {
        let gone: Vec<_> = self.paths.iter().filter(|(_, path)| path.starts_with(folder)).map(|(wd, _)| *wd).collect();
        for descriptor in gone {
            // One that the system has given up itself is not known any more.
            let _ = self.inotify.rm_watch(descriptor);
            self.paths.remove(&descriptor);
        }
        self.watched.retain(|path, _| !path.starts_with(folder));
    }
}

impl AsFd for Folders {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

/// The files and the folders in a folder; links to folders are files here.
pub(super) fn entries(folder: &Path) -> io::Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let all = std::fs::read_dir(folder)?.flatten();
    let (folders, files): (Vec<_>, Vec<_>) = all.partition(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let paths = |entries: Vec<std::fs::DirEntry>| entries.into_iter().map(|entry| entry.path()).collect();
    Ok((paths(files), paths(folders)))
}
