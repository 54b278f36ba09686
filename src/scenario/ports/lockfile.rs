//! The file whose bytes are ports.

use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::{
        fd::AsFd,
        unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use nix::{
    fcntl::{FcntlArg, fcntl},
    libc,
};

use super::LeaseError;

/// From here on the file holds, for each port, the pid of its last holder, for messages only.
const PIDS: u64 = 65_536;

/// An open lock file.
#[derive(Debug)]
struct LockFile {
    file: File,
    path: PathBuf,
    /// The ports that this very file holds: its own locks do not stop it.
    held: Mutex<BTreeSet<u16>>,
}

/// The lock files of this user, all of which a port must be locked in.
///
/// There are two, since either may differ between two runs that still share their ports: a sandbox or a test suite sets
/// another `XDG_RUNTIME_DIR`, a service has a `/tmp` of its own.
#[derive(Debug)]
pub(super) struct LockFiles(Vec<LockFile>);

impl LockFiles {
    /// `$XDG_RUNTIME_DIR/e2e-tui/` (or where it would be) and `/tmp/e2e-tui-UID/`, as far as they can be used; one must.
    pub(super) fn of_user() -> Result<Self, LeaseError> {
        let uid = nix::unistd::geteuid();
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|p| p.is_absolute());
        let runtime = runtime.unwrap_or_else(|| PathBuf::from(format!("/run/user/{uid}")));
        let folders = [runtime.join("e2e-tui"), PathBuf::from(format!("/tmp/e2e-tui-{uid}"))];
        let (opened, mut failed): (Vec<_>, Vec<_>) = folders.iter().map(|dir| LockFile::open_in(dir)).partition(Result::is_ok);
        match failed.pop() {
            Some(Err(error)) if opened.is_empty() => Err(error),
            _ => Ok(Self(opened.into_iter().flatten().collect())),
        }
    }

    /// One in a folder of the caller's choice.
    pub(super) fn in_dir(dir: &Path) -> Result<Self, LeaseError> {
        Ok(Self(vec![LockFile::open_in(dir)?]))
    }

    /// Locks `port` in all of them; false if somebody else has it in one.
    pub(super) fn acquire(&self, port: u16) -> Result<bool, LeaseError> {
        for (i, file) in self.0.iter().enumerate() {
            let locked = file.acquire(port);
            if !matches!(locked, Ok(true)) {
                self.0[..i].iter().for_each(|file| file.release(port));
                return locked;
            }
        }
        Ok(true)
    }

    /// Unlocks `port` in all of them.
    pub(super) fn release(&self, port: u16) {
        self.0.iter().for_each(|file| file.release(port));
    }

    /// The process that leased `port`, if it lives.
    pub(super) fn holder(&self, port: u16) -> Option<u32> {
        self.0.iter().find_map(|file| file.holder(port)).filter(|pid| *pid != std::process::id())
    }
}

impl LockFile {
    /// Opens `ports.lock` in `dir`, which is made if it is not there, and must belong to this user alone.
    fn open_in(dir: &Path) -> Result<Self, LeaseError> {
        let at = |path: &Path, why: String| LeaseError::LockFile { path: path.to_path_buf(), why };
        match DirBuilder::new().mode(0o700).create(dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(at(dir, error.to_string())),
            _ => {}
        }
        // Of the name itself, not of what a link under it points to.
        let found = fs::symlink_metadata(dir).map_err(|e| at(dir, e.to_string()))?;
        if !found.is_dir() {
            return Err(at(dir, "not a folder".into()));
        }
        if found.uid() != nix::unistd::geteuid().as_raw() {
            return Err(at(dir, format!("belongs to the user {}", found.uid())));
        }
        if found.mode() & 0o077 != 0 {
            return Err(at(dir, format!("others may use it (mode {:o})", found.mode() & 0o777)));
        }
        let path = dir.join("ports.lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC);
        let file = options.open(&path).map_err(|e| at(&path, e.to_string()))?;
        Ok(Self { file, path, held: Mutex::default() })
    }

    /// Locks the byte of `port`; false if somebody else has it.
    fn acquire(&self, port: u16) -> Result<bool, LeaseError> {
        // The kernel takes a second lock of the same open file for the first.
        if !self.held().insert(port) {
            return Ok(false);
        }
        let result = self.lock(port, libc::F_WRLCK);
        if let Ok(true) = result {
            // Only for messages; a full disk must not cost the lease.
            let _ = self.file.write_all_at(&std::process::id().to_le_bytes(), PIDS + u64::from(port) * 4);
        } else {
            self.held().remove(&port);
        }
        result.map_err(|error| LeaseError::LockFile { path: self.path.clone(), why: error.to_string() })
    }

    /// Unlocks the byte of `port`.
    fn release(&self, port: u16) {
        // Unlocking what one holds cannot fail but for a closed file, and then nothing is locked.
        let _ = self.lock(port, libc::F_UNLCK);
        self.held().remove(&port);
    }

    /// The process that leased `port`, if it lives.
    fn holder(&self, port: u16) -> Option<u32> {
        let mut pid = [0; 4];
        self.file.read_exact_at(&mut pid, PIDS + u64::from(port) * 4).ok()?;
        Some(u32::from_le_bytes(pid)).filter(|pid| *pid > 0 && Path::new(&format!("/proc/{pid}")).exists())
    }

    fn held(&self) -> MutexGuard<'_, BTreeSet<u16>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self, port: u16, kind: libc::c_int) -> io::Result<bool> {
        let range = libc::flock {
            l_type: libc::c_short::try_from(kind).unwrap_or(libc::c_short::MAX),
            l_whence: libc::c_short::try_from(libc::SEEK_SET).unwrap_or(0),
            l_start: libc::off_t::from(port),
            l_len: 1,
            l_pid: 0,
        };
        match fcntl(self.file.as_fd(), FcntlArg::F_OFD_SETLK(&range)) {
            Ok(_) => Ok(true),
            Err(nix::Error::EAGAIN | nix::Error::EACCES) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
