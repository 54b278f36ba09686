//! What processes said, as files.

use std::{
    io,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use super::ProcessManager;
use crate::{
    logs::{LogView, Selection, Source},
    record::write_private,
};

impl ProcessManager {
    /// Writes what a process has said to `NAME.out` and `NAME.err` in `dir`, as it came but masked, and gives the two paths.
    ///
    /// ```no_run
    /// # async fn example(manager: &e2e_tui::harness::ProcessManager) -> Result<(), Box<dyn std::error::Error>> {
    /// let [out, err] = manager.save_process_logs("api", "target/logs")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn save_process_logs(&self, process: impl AsRef<str>, dir: impl AsRef<Path>) -> io::Result<[PathBuf; 2]> {
        let id = self.find(process.as_ref()).map_err(|error| io::Error::new(io::ErrorKind::NotFound, error.to_string()))?;
        let store = self.inner.engine.run.logs();
        let mut view = LogView::new(Selection::Some(vec![id.clone()])).without_lifecycle();
        view.refresh(&store);
        let mut said = [Vec::new(), Vec::new()];
        let mut row = 0;
        while row < view.len() {
            let lines = view.batch(&store, row)?;
            for line in &lines {
                let into = &mut said[usize::from(line.source == Source::Err)];
                view.each_part(&store, line, &mut |part| {
                    into.extend_from_slice(part);
                    Ok(ControlFlow::Continue(()))
                })?;
                into.push(b'\n');
            }
            row += lines.len().max(1) as u64;
        }
        std::fs::create_dir_all(&dir)?;
        let paths = ["out", "err"].map(|stream| dir.as_ref().join(format!("{id}.{stream}")));
        for (path, bytes) in paths.iter().zip(&said) {
            write_private(path, bytes)?;
        }
        Ok(paths)
    }
}
