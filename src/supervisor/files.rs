//! Files that processes watch.

use std::{path::Path, sync::Arc};

use super::{
    machine::Input,
    runtime::{News, Runtime},
};
use crate::{
    model::{ProcessId, ProcessSpec},
    watch::{Wanted, WatchNews, Watcher},
};

impl Runtime {
    /// Watches files for those of `specs` that want it.
    pub(super) fn watch_files(&mut self, specs: &[Arc<ProcessSpec>]) {
        let wanted = specs.iter().filter(|spec| !spec.watch.is_empty());
        let wanted: Vec<_> = wanted.map(|spec| Wanted { process: spec.id.clone(), globs: spec.watch.clone() }).collect();
        if wanted.is_empty() {
            return;
        }
        let news = self.news.clone();
        let tell = move |told| {
            // Nobody listens any more once the run is over.
            let _ = news.send(match told {
                WatchNews::Changed { process, file, more } => News::Changed { process, file, more },
                WatchNews::Trouble(text) => News::Notice(text),
            });
        };
        match Watcher::start(wanted, self.parts.ours.clone(), tell) {
            Ok(watcher) => self.watchers.push(watcher),
            Err(e) => self.warn(format!("no files are watched, and changes restart nothing: {e}")),
        }
    }

    pub(super) fn file_changed(&mut self, process: ProcessId, file: &Path, more: usize) {
        let file = self.in_short(file);
        self.feed(Input::Changed { process, file, more: u32::try_from(more).unwrap_or(u32::MAX) });
    }

    /// A path as a person would write it in the scenario.
    pub(super) fn in_short(&self, path: &Path) -> String {
        let short = path.strip_prefix(&self.parts.spec.dir).ok().filter(|short| !short.as_os_str().is_empty());
        short.unwrap_or(path).to_string_lossy().into_owned()
    }
}
