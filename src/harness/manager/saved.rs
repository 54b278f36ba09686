//! What processes said, as files.

use std::{
    fs,
    io::{self, BufWriter, Write},
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use super::ProcessManager;
use crate::{
    logs::{LogStore, LogView, Selection, Source},
    record::beside::Beside,
};

impl ProcessManager {
    /// Writes what a process has said to `NAME.out` and `NAME.err` in `dir`, as it came but masked, each line with a newline at its
    /// end, and gives the two paths. The folder is made if it is not there; what stood in the files is replaced.
    ///
    /// # Errors
    /// There is no such process, or a file cannot be written: the error names it, and nothing is left half written.
    ///
    /// ```no_run
    /// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
    /// let [out, err] = manager.save_process_logs("api", "target/logs")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn save_process_logs(&self, process: impl AsRef<str>, dir: impl AsRef<Path>) -> io::Result<[PathBuf; 2]> {
        let id = self.find(process.as_ref()).map_err(|error| io::Error::new(io::ErrorKind::NotFound, error.to_string()))?;
        let dir = dir.as_ref();
        fs::create_dir_all(dir).map_err(|error| at(dir, &error))?;
        let paths = ["out", "err"].map(|stream| dir.join(format!("{id}.{stream}")));
        let [mut out, mut err] = [begin(&paths[0])?, begin(&paths[1])?];
        let store = self.inner.engine.run.logs();
        let mut view = LogView::new(Selection::Some(vec![id])).without_lifecycle();
        view.refresh(&store);
        copy(&view, &store, |source, bytes| {
            let (into, path) = if source == &Source::Err { (&mut err, &paths[1]) } else { (&mut out, &paths[0]) };
            into.write_all(bytes).map_err(|error| at(path, &error))
        })?;
        for (file, path) in [(out, &paths[0]), (err, &paths[1])] {
            let whole = file.into_inner().map_err(io::IntoInnerError::into_error).and_then(|file| file.finish(false));
            whole.map_err(|error| at(path, &error))?;
        }
        Ok(paths)
    }
}

/// Hands all lines to `write`, whatever their length, some of them at a time.
fn copy(view: &LogView, store: &LogStore, mut write: impl FnMut(&Source, &[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut row = 0;
    while row < view.len() {
        let lines = view.batch(store, row)?;
        for line in &lines {
            if line.cut {
                view.each_part(store, line, &mut |part| write(&line.source, part).map(ControlFlow::Continue))?;
            } else {
                write(&line.source, &line.bytes)?;
            }
            write(&line.source, b"\n")?;
        }
        row += lines.len().max(1) as u64;
    }
    Ok(())
}

fn begin(path: &Path) -> io::Result<BufWriter<Beside>> {
    Beside::create(path, true).map(BufWriter::new).map_err(|error| at(path, &error))
}

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
