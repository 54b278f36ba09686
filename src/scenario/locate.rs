//! Where a scenario is: a path, a file in `scenarios/`, or one of those inside this program.

use std::path::{Path, PathBuf};

use super::{
    bundled::{self, BUNDLED, Bundled},
    diagnostics::Diagnostics,
    import::{ImportError, import_shown, is_foreign},
    source::{self, ReadError},
    suggest::{nearest, shown},
};

/// How a scenario was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The name was a path.
    Path,
    /// In the folder `scenarios/`.
    Folder,
    /// Inside this program.
    Bundled,
}

/// A scenario that was found and read, but not yet understood.
#[derive(Debug, Clone)]
pub struct Located {
    /// What a user calls it: the path, or `bundled forward.toml`.
    pub name: String,
    /// How it was found.
    pub origin: Origin,
    /// Where relative paths in it start, absolute.
    pub dir: PathBuf,
    /// What another tool's file says and a scenario cannot.
    pub notes: Vec<String>,
    /// The text of the file.
    pub(super) text: String,
    /// The text is not the file's, but what became of it.
    pub(super) imported: bool,
}

impl Located {
    /// A scenario that is a text at hand, named `name` in messages; relative paths in it start in `dir`.
    pub fn text(name: impl Into<String>, dir: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        Self { name: name.into(), origin: Origin::Path, dir: dir.into(), notes: Vec::new(), text: text.into(), imported: false }
    }

    /// A scenario that comes with the program, whatever files of its name there are; relative paths start in `dir`.
    pub fn bundled(bundled: &Bundled, dir: &Path) -> Self {
        let name = format!("bundled {}.toml", bundled.name);
        Self { name, origin: Origin::Bundled, dir: dir.to_path_buf(), notes: Vec::new(), text: bundled.text.to_owned(), imported: false }
    }
}

/// Why no scenario was found under a name.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocateError {
    /// Nothing of that name anywhere.
    #[error("there is no scenario `{name}`: looked for {}\n{help}", tried.join(", "))]
    NotFound {
        /// As asked.
        name: String,
        /// The places, in order.
        tried: Vec<String>,
        /// What there is, and what was probably meant.
        help: String,
    },
    /// Another tool's file, which cannot be read as a scenario.
    #[error(transparent)]
    Foreign(ImportError),
    /// Something is there, but it is no text of UTF-8.
    #[error("{path}: {why}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why not.
        why: String,
    },
}

impl LocateError {
    /// The mistakes with their places, where it was found and these are known.
    pub fn diagnostics(&self) -> Option<&Diagnostics> {
        if let Self::Foreign(error) = self { error.diagnostics() } else { None }
    }
}

/// Finds `name`: a path, then in `scenarios/`, then among the bundled ones, each with or without `.toml`.
pub fn locate(name: &str) -> Result<Located, LocateError> {
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    locate_from(name, &here)
}

/// The same, seen from the folder `here`.
pub fn locate_from(name: &str, here: &Path) -> Result<Located, LocateError> {
    let mut tried = Vec::new();
    for (folder, origin) in [("", Origin::Path), ("scenarios", Origin::Folder)] {
        if name.is_empty() || (origin == Origin::Folder && Path::new(name).is_absolute()) {
            continue;
        }
        for ending in ["", ".toml"] {
            if ending == ".toml" && has_toml(name) {
                continue;
            }
            let shown_path = Path::new(folder).join(format!("{name}{ending}"));
            let path = here.join(&shown_path);
            // Without its ending a name is often that of a folder beside the file.
            // A link that leads nowhere does not exist, and yet it is what was meant.
            if path.symlink_metadata().is_ok() && !(path.is_dir() && ending.is_empty()) {
                return read(&path, &shown_path, origin);
            }
            tried.push(shown_path.display().to_string());
        }
    }
    if let Some(found) = bundled::find(name.strip_suffix(".toml").unwrap_or(name)) {
        return Ok(Located::bundled(found, here));
    }
    // Nothing else has that name: then it is the folder that was meant.
    if !name.is_empty() && here.join(name).is_dir() {
        let why = ReadError::NotAFile("a folder");
        return Err(LocateError::Unreadable { path: shown(name), why: why.to_string() });
    }
    Err(not_found(name, tried, here))
}

fn has_toml(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|e| e.eq_ignore_ascii_case("toml"))
}

fn read(path: &Path, shown_path: &Path, origin: Origin) -> Result<Located, LocateError> {
    let name = shown_path.display().to_string();
    let (text, notes) = if is_foreign(path) {
        let imported = import_shown(path, shown_path).map_err(LocateError::Foreign)?;
        (imported.text, imported.notes)
    } else {
        let unreadable = |why: &ReadError| LocateError::Unreadable { path: shown(&name), why: why.to_string() };
        (source::read_text(path).map_err(|why| unreadable(&why))?, Vec::new())
    };
    // Relative paths start where the file really is, however it was reached.
    let dir = path.canonicalize().ok().and_then(|p| p.parent().map(Path::to_path_buf));
    let dir = dir.or_else(|| path.parent().map(Path::to_path_buf)).unwrap_or_default();
    Ok(Located { name, origin, dir, notes, text, imported: is_foreign(path) })
}

fn not_found(name: &str, mut tried: Vec<String>, here: &Path) -> LocateError {
    tried.push("the bundled ones".into());
    let plain = Path::new(name).file_name().map_or_else(|| name.into(), |n| n.to_string_lossy()).into_owned();
    let plain = plain.strip_suffix(".toml").unwrap_or(&plain);
    let here_too = scenarios_in(&here.join("scenarios")).into_iter().chain(scenarios_in(here)).collect::<Vec<_>>();
    let known = here_too.iter().map(String::as_str).chain(BUNDLED.iter().map(|b| b.name));
    let bundled: Vec<_> = BUNDLED.iter().map(|b| b.name).collect();
    let help = match nearest(plain, known) {
        Some(right) => format!("did you mean `{right}`?"),
        None => format!("bundled are {}", bundled.join(", ")),
    };
    let tried = tried.iter().map(|t| shown(t)).collect();
    LocateError::NotFound { name: shown(name), tried, help }
}

/// The names of the TOML files of a folder, without their ending.
fn scenarios_in(folder: &Path) -> Vec<String> {
    let mut all: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .take(1000)
        .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".toml").map(str::to_owned))
        .collect();
    all.sort();
    all
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_name_is_a_path_then_a_file_in_scenarios_then_bundled() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let here = dir.path();
        let from = |name: &str| locate_from(name, here).map(|l| (l.name, l.origin));
        assert_eq!(from("forward").expect("bundled"), ("bundled forward.toml".into(), Origin::Bundled));
        fs::create_dir_all(here.join("scenarios")).and_then(|()| fs::write(here.join("scenarios/forward.toml"), "")).expect("written");
        assert_eq!(from("forward").expect("in scenarios/"), ("scenarios/forward.toml".into(), Origin::Folder));
        // A folder of that name is no file.
        fs::create_dir(here.join("forward")).and_then(|()| fs::write(here.join("forward.toml"), "")).expect("written");
        assert_eq!(from("forward").expect("here"), ("forward.toml".into(), Origin::Path));
        assert_eq!(from("forward.toml").expect("here"), ("forward.toml".into(), Origin::Path));
    }

    #[test]
    fn what_is_not_found_is_looked_for_among_the_near_names() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let error = locate_from("forwrad.toml", dir.path()).expect_err("no such scenario").to_string();
        assert!(error.contains("did you mean `forward`?") && error.contains("scenarios/forwrad.toml"), "{error}");
        assert!(locate_from("", dir.path()).is_err());
        fs::write(dir.path().join("bad.toml"), b"\xff\xfen\0").expect("written");
        assert!(locate_from("bad", dir.path()).expect_err("not UTF-8").to_string().contains("UTF-16"));
        let error = |name: &str| locate_from(name, dir.path()).expect_err("no file").to_string();
        fs::create_dir(dir.path().join("folder.toml")).expect("made");
        assert_eq!(error("folder.toml"), "folder.toml: it is a folder, not a file");
        std::os::unix::fs::symlink("loop.toml", dir.path().join("loop.toml")).expect("made");
        assert_eq!(error("loop"), "loop.toml: it is a link that leads back to itself");
    }
}
