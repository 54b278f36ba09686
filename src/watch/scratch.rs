//! Files that are nobody's source: what editors put beside a file while they save it, and archives of runs.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

/// Whether a file of this name is left out, whatever the globs say.
pub(super) fn is_scratch(name: &OsStr) -> bool {
    let name = name.as_bytes();
    // Vim asks with 4913 whether a folder can be written.
    let known = [&b"4913"[..], b".DS_Store"].contains(&name);
    let emacs = name.starts_with(b".#") || name.starts_with(b"#") && name.ends_with(b"#");
    // What we write ourselves: archives, and files that are renamed into their place.
    let ours = name.ends_with(b".tar.zst") || name.starts_with(b".") && name.ends_with(b".part");
    let endings = [&b"~"[..], b".kate-swp", b"___jb_tmp___", b"___jb_old___"];
    known || emacs || ours || is_vim_swap(name) || endings.iter().any(|ending| name.ends_with(ending))
}

/// `.main.rs.swp`, `.main.rs.swo`, `.main.rs.swx`
fn is_vim_swap(name: &[u8]) -> bool {
    let Some((last, before)) = name.split_last() else { return false };
    name.starts_with(b".") && before.ends_with(b".sw") && last.is_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_editors_leave_is_told_from_what_people_write() {
        for name in [
            "4913",
            "main.rs~",
            ".main.rs.swp",
            ".main.rs.swx",
            ".#main.rs",
            "#main.rs#",
            "a.js___jb_tmp___",
            "run.tar.zst",
            ".a.json.4711-1f.part",
        ] {
            assert!(is_scratch(OsStr::new(name)), "{name}");
        }
        for name in ["main.rs", ".env", "a.swp.rs", "swp", "491", "#hash", "", "a.tar", "a.part"] {
            assert!(!is_scratch(OsStr::new(name)), "{name}");
        }
    }
}
