//! How a dashboard looks and which keys it takes: what comes with the program, and files of the user's own.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    asset::AssetErrors,
    keymap::Keymap,
    layout::{self, Layout},
    look::Look,
    theme::{self, Theme},
};

/// How a dashboard looks and which keys it takes.
#[derive(Debug, Clone)]
pub struct Options {
    /// Colours and signs.
    pub look: Look,
    /// The live keymap.
    pub keymap: Keymap,
    /// The layouts that `L` walks through; the first is shown first.
    pub layouts: Vec<Layout>,
    /// `TERM=dumb`: nothing but cursor movement is sent.
    pub plain: bool,
}

/// Why a keymap, theme or layout cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OptionError {
    /// The file cannot be read.
    #[error("{what} {}: {source}", .path.display())]
    Unreadable {
        /// What it should be: `keymap`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It has mistakes.
    #[error(transparent)]
    Mistaken(#[from] AssetErrors),
    /// It is neither a file nor a name that the program knows.
    #[error("there is no {what} {name:?}; known are {}, or name a file", .known.join(", "))]
    Unknown {
        /// What it should be: `theme`.
        what: &'static str,
        /// What was asked for.
        name: String,
        /// What comes with the program.
        known: Vec<&'static str>,
    },
}

/// Files of settings are small; what is larger is none.
const MAX_FILE: u64 = 1 << 20;

impl Options {
    /// What comes with the program, as far as this environment can show it.
    pub fn from_env() -> Self {
        let layouts = layout::BUILT_IN.iter().filter_map(|(name, _)| Layout::built_in(name)).collect();
        let plain = std::env::var("TERM").is_ok_and(|term| term == "dumb");
        Self { look: Look::from_env(), keymap: Keymap::built_in(), layouts, plain }
    }

    /// Lays a keymap file over the keymap that is live.
    pub fn use_keymap(&mut self, path: &Path) -> Result<(), OptionError> {
        let text = read("keymap", path)?;
        let keymap = Keymap::parse(&path.display().to_string(), &text)?;
        self.keymap = self.keymap.clone().overridden_by(keymap);
        Ok(())
    }

    /// Takes a theme: one that comes with the program, or a file.
    pub fn use_theme(&mut self, name: &str) -> Result<(), OptionError> {
        let theme = match Theme::built_in(name) {
            Some(theme) => theme,
            None if Path::new(name).is_file() => Theme::parse(name, &read("theme", Path::new(name))?)?,
            None => return Err(unknown("theme", name, &theme::BUILT_IN)),
        };
        self.look = self.look.clone().with_theme(theme);
        Ok(())
    }

    /// Shows a layout first: one that comes with the program, or a file.
    pub fn use_layout(&mut self, name: &str) -> Result<(), OptionError> {
        let layout = match self.layouts.iter().position(|layout| layout.name() == name) {
            Some(place) => self.layouts.remove(place),
            None if Path::new(name).is_file() => Layout::parse(name, &read("layout", Path::new(name))?)?,
            None => return Err(unknown("layout", name, &layout::BUILT_IN)),
        };
        self.layouts.insert(0, layout);
        Ok(())
    }
}

fn read(what: &'static str, path: &Path) -> Result<String, OptionError> {
    let unreadable = |source| OptionError::Unreadable { what, path: path.to_owned(), source };
    let size = fs::metadata(path).map_err(unreadable)?.len();
    if size > MAX_FILE {
        return Err(unreadable(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 1 MiB")));
    }
    fs::read_to_string(path).map_err(unreadable)
}

fn unknown(what: &'static str, name: &str, built_in: &[(&'static str, &str)]) -> OptionError {
    OptionError::Unknown { what, name: name.to_owned(), known: built_in.iter().map(|(known, _)| *known).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_files_and_names_are_taken_and_mistakes_told_with_their_place() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).expect("the folder can be written");
            path
        };
        let mut options = Options::from_env();
        options.use_keymap(&write("keys.toml", "[everywhere]\n\"Z\" = \"quit\"\n")).unwrap_or_else(|e| panic!("{e}"));
        options.use_layout("grid").unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(options.layouts[0].name(), "grid");
        assert_eq!(options.layouts.len(), layout::BUILT_IN.len());
        options.use_theme("light").unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(options.look.theme.name(), "light");
        let wrong = write("wrong.toml", "[everywhere]\n\"q\" = \"quti\"\n");
        let error = options.use_keymap(&wrong).expect_err("a mistake").to_string();
        assert!(error.starts_with(&format!("{}:2:7: unknown action \"quti\"; did you mean \"quit\"?", wrong.display())), "{error}");
        let error = options.use_theme("drak").expect_err("no such theme").to_string();
        assert_eq!(error, "there is no theme \"drak\"; known are dark, light, high-contrast, terminal, or name a file");
        assert!(options.use_keymap(Path::new("/nonexistent")).is_err());
    }
}
