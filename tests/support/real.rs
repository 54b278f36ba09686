//! Real programs from npm, `PyPI` and Debian, which a machine may or may not have.
//!
//! Without them a test says so in one line on stderr, past the capture of the test runner, and passes; where
//! `E2E_TUI_REAL_PARTS` is set, as in `.ci/run`, it fails.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::{
    ffi::OsString,
    io::Write as _,
    path::{Path, PathBuf},
};

/// A PATH on which all of these programs are found; none if one is missing.
pub(crate) fn path_with(test: &str, programs: &[&str]) -> Option<OsString> {
    let folders = folders();
    for program in programs {
        if find(&folders, program).is_none() {
            let line = format!("SKIPPED {test}: {program} is not installed (.ci/parts installs it)\n");
            assert!(std::env::var_os("E2E_TUI_REAL_PARTS").is_none(), "{line}");
            let _ = std::io::stderr().write_all(line.as_bytes());
            return None;
        }
    }
    Some(std::env::join_paths(folders).expect("they came from a PATH"))
}

/// Where `.ci/parts` put it, or wherever else it is.
fn folders() -> Vec<PathBuf> {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/parts/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::iter::once(installed).chain(std::env::split_paths(&path)).collect()
}

fn find(folders: &[PathBuf], program: &str) -> Option<PathBuf> {
    folders.iter().map(|folder| folder.join(program)).find(|path| path.is_file())
}
