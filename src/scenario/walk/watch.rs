//! `watch`: which files restart a process.

use super::{
    super::{diagnostics::Diagnostic, suggest::shown, tree::Node},
    state::{Scope, Stage, Walk},
};
use crate::model::WatchGlob;

impl Walk<'_> {
    /// `watch = ["src/**", "!src/generated/**"]`
    pub(super) fn watch_globs(&mut self, node: &Node, scope: Scope<'_>) -> Vec<WatchGlob> {
        let globs = self.one_or_more(node, |w, n| w.watch_glob(n, scope)).unwrap_or_default();
        if !globs.is_empty() && globs.iter().all(WatchGlob::is_exception) {
            self.out.push(
                Diagnostic::error("`watch` only leaves files out")
                    .at(node.span, "out of which?")
                    .help("name what is to be watched, too: watch = [\"**\", \"!target/**\"]"),
            );
        }
        globs
    }

    fn watch_glob(&mut self, node: &Node, scope: Scope<'_>) -> Option<WatchGlob> {
        // What a path of the run comes to is only known later; a draft keeps it as it is written.
        let written = self.written_path("watch", node, scope)?;
        match WatchGlob::parse(&written, |plain| self.in_its_folder(plain, node.span)) {
            Ok(glob) => {
                if matches!(self.stage, Stage::Draft) && !glob.is_exception() {
                    self.watches_something(&glob, node);
                }
                Some(glob)
            }
            Err(why) => {
                self.out.push(
                    Diagnostic::error(format!("`watch` cannot be `{}`: {why}", shown(&written)))
                        .at(node.span, "a path or a glob goes here")
                        .help("`*` and `?` stay in a folder, `**` is any number of them, `!` in front leaves files out: \"src/**/*.rs\""),
                );
                None
            }
        }
    }

    /// What is not there may still come; but more often it is a slip of the pen.
    fn watches_something(&mut self, glob: &WatchGlob, node: &Node) {
        let root = glob.root();
        if root.starts_with("${run.dir}") || root.exists() {
            return;
        }
        self.out.push(
            Diagnostic::warning(format!("there is no {}", shown(&root.to_string_lossy())))
                .at(node.span, "watched from the moment it is there")
                .help("paths start in the folder of the file"),
        );
    }
}
