//! Files that a process finds in its own folder: rendered before each start.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use crate::model::{FileSpec, ProcessId, ProcessSpec, UnresolvedPort};

/// Why a file could not be rendered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenderError {
    /// A port in it is not known yet.
    #[error("{}: {port}", path.display())]
    Port {
        /// The file.
        path: PathBuf,
        /// Whose.
        port: UnresolvedPort,
    },
    /// The disk said no.
    #[error("{} cannot be written: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's words.
        error: io::Error,
    },
}

/// Writes the files of a process, readable for this user alone: secrets may be in them. What is there is replaced as a whole, so a
/// process that still reads the old file keeps it. Blocks for as long as the disk does.
pub fn render_files(process: &ProcessSpec, port_of: impl Fn(&ProcessId) -> Option<u16>) -> Result<(), RenderError> {
    for FileSpec { path, content } in &process.files {
        let text = content.resolve(&port_of).map_err(|port| RenderError::Port { path: path.clone(), port })?;
        replace(path, text.as_bytes()).map_err(|error| RenderError::Io { path: path.clone(), error })?;
    }
    Ok(())
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    // A rest of a write that was cut off; never a link that is followed.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(bytes)?;
    fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use super::*;
    use crate::model::{Part, Text};

    #[test]
    fn files_are_rendered_whole_and_for_this_user_alone() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("conf.d/a.conf");
        let id = |name: &str| ProcessId::new(name).expect("a name");
        let content = Text::from_parts([Part::Literal("listen ".into()), Part::PortOf(id("up"))]);
        let process = ProcessSpec { files: vec![FileSpec { path: path.clone(), content }], ..ProcessSpec::new(id("a")) };
        assert!(matches!(render_files(&process, |_| None), Err(RenderError::Port { .. })));
        render_files(&process, |_| Some(1)).expect("the port is known");
        let first = fs::metadata(&path).expect("written");
        assert_eq!(first.permissions().mode() & 0o777, 0o600);
        render_files(&process, |_| Some(2)).expect("again");
        assert_eq!(fs::read_to_string(&path).expect("written"), "listen 2");
        assert_ne!(fs::metadata(&path).expect("written").ino(), first.ino(), "replaced, not overwritten");
        assert_eq!(fs::read_dir(path.parent().expect("a folder")).expect("it is there").count(), 1);
    }
}
