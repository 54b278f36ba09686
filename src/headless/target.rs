//! Files that are written when a run is over. That they can be is found out before it starts: nobody wants to learn after ten
//! minutes that the report has no place to go.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::record::beside::{Beside, flows, folder_of, is_stdout};

/// A file that can be written, as far as one can know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    path: PathBuf,
    force: bool,
}

/// Why a file cannot be written. Nothing was started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// It is a folder.
    #[error("{} is a folder: name a file in it", .0.display())]
    Folder(PathBuf),
    /// It is a disk, a socket, or no name of a file.
    #[error("{} is no plain file: choose another name", .0.display())]
    NoFile(PathBuf),
    /// It is a link.
    #[error("{} is a symbolic link, and links are not followed: name the file itself", .0.display())]
    Link(PathBuf),
    /// It is there already.
    #[error("{} exists: choose another name or add --force", .0.display())]
    Exists(PathBuf),
    /// There is no folder that it could stand in.
    #[error("{path} has no folder to stand in: make it with mkdir -p {folder}", path = .path.display(), folder = .folder.display())]
    Nowhere {
        /// The file.
        path: PathBuf,
        /// Its folder.
        folder: PathBuf,
    },
    /// Its folder cannot be written.
    #[error("{path} cannot be written: {source}: choose another place", path = .path.display())]
    Unwritable {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl Target {
    /// Checks that `path` can be written; with `force` also over a file that is there. `-` is standard output; a device or a
    /// pipe is written into as it is.
    pub fn check(path: impl Into<PathBuf>, force: bool) -> Result<Self, TargetError> {
        let path = path.into();
        if is_stdout(&path) {
            return Ok(Self { path: "-".into(), force });
        }
        match fs::symlink_metadata(&path).map(|there| there.file_type()) {
            Ok(kind) if flows(&path, kind) => return Ok(Self { path, force }),
            Ok(kind) if kind.is_symlink() => return Err(TargetError::Link(path)),
            Ok(kind) if kind.is_dir() => return Err(TargetError::Folder(path)),
            Ok(kind) if !kind.is_file() => return Err(TargetError::NoFile(path)),
            Ok(_) if !force => return Err(TargetError::Exists(path)),
            _ if path.file_name().is_none() => return Err(TargetError::NoFile(path)),
            _ => {}
        }
        let folder = folder_of(&path).to_owned();
        if fs::metadata(&folder).is_err_and(|e| e.kind() == io::ErrorKind::NotFound) {
            return Err(TargetError::Nowhere { path, folder });
        }
        match tempfile::Builder::new().prefix(".e2e-tui-").tempfile_in(&folder) {
            Ok(_) => Ok(Self { path, force }),
            Err(e) => Err(TargetError::Unwritable { path, source: plain_error(&e) }),
        }
    }

    /// Makes `folder` if it is missing, and checks that files can be made in it.
    pub fn check_folder(folder: &Path) -> Result<(), TargetError> {
        let made = fs::create_dir_all(folder).and_then(|()| tempfile::Builder::new().prefix(".e2e-tui-").tempfile_in(folder));
        made.map(drop).map_err(|e| TargetError::Unwritable { path: folder.to_owned(), source: plain_error(&e) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is standard output, which then carries nothing else.
    pub fn is_stdout(&self) -> bool {
        is_stdout(&self.path)
    }

    /// Writes `content` there, whole or not at all.
    pub fn write(&self, content: &[u8]) -> Result<(), TargetError> {
        let written = Beside::create(&self.path, self.force).and_then(|mut beside| {
            beside.write_all(content)?;
            beside.finish(false)
        });
        written.map(drop).map_err(|source| {
            let path = self.path.clone();
            if source.kind() == io::ErrorKind::AlreadyExists { TargetError::Exists(path) } else { TargetError::Unwritable { path, source } }
        })
    }
}

/// What the system said, without the name of the file that was only tried.
fn plain_error(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d3_d4_what_cannot_be_written_is_found_before_anything_runs() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let there = dir.path().join("there");
        fs::write(&there, "old").expect("it can be written");
        let said = |path: &Path| Target::check(path, false).expect_err("it cannot be written").to_string();
        assert!(said(&there).ends_with("there exists: choose another name or add --force"), "{}", said(&there));
        assert!(said(dir.path()).ends_with("is a folder: name a file in it"));
        assert!(said(&dir.path().join("none/a")).contains("make it with mkdir -p"));
        assert!(said(Path::new("/proc/a")).starts_with("/proc/a cannot be written: "));
        let socket = dir.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
        assert!(said(&socket).contains("no plain file"));
        fs::remove_file(&socket).expect("it is there");
        assert!(Target::check("/dev/null", false).is_ok_and(|target| !target.is_stdout() && target.write(b"x").is_ok()));
        assert!(["-", "/dev/stdout"].iter().all(|out| Target::check(*out, false).is_ok_and(|target| target.is_stdout())));
        assert!(Target::check(&there, true).is_ok());
        assert_eq!(fs::read_dir(dir.path()).expect("it is there").count(), 1, "the check leaves nothing");
    }

    #[test]
    fn d6_a_link_is_neither_followed_nor_replaced() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (precious, link) = (dir.path().join("precious"), dir.path().join("link"));
        fs::write(&precious, "keep").expect("it can be written");
        std::os::unix::fs::symlink(&precious, &link).expect("links can be made");
        for force in [false, true] {
            assert!(matches!(Target::check(&link, force), Err(TargetError::Link(_))));
        }
        assert_eq!(fs::read_to_string(&precious).expect("it is there"), "keep");
        assert!(fs::symlink_metadata(&link).expect("it is there").is_symlink());
    }

    #[test]
    fn d4_what_came_meanwhile_is_not_written_over() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("report");
        let target = Target::check(&path, false).expect("it is free");
        fs::write(&path, "another's").expect("it can be written");
        assert!(matches!(target.write(b"mine"), Err(TargetError::Exists(_))));
        assert_eq!(fs::read_to_string(&path).expect("it is there"), "another's");
        assert_eq!(fs::read_dir(dir.path()).expect("it is there").count(), 1, "nothing half is left");
    }
}
