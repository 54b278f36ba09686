//! How a dashboard looks and which keys it takes: what comes with the program, and files of the user's own.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use etcetera::BaseStrategy;

use crate::scenario::nearest;

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

/// What a user asks for on the command line; it goes before what stands in their config folder.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// A keymap file, laid over the others.
    pub keymap: Option<PathBuf>,
    /// A theme: a file or a name.
    pub theme: Option<String>,
    /// The layout to show first: a file or a name.
    pub layout: Option<String>,
    /// Weights and signs alone.
    pub no_color: bool,
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
    #[error("there is no {what} {name:?}, neither as a file nor by name{}; known are {}", .nearest.as_ref().map_or(String::new(), |n| format!("; did you mean {n:?}?")), .known.join(", "))]
    Unknown {
        /// What it should be: `theme`.
        what: &'static str,
        /// What was asked for.
        name: String,
        /// What was probably meant.
        nearest: Option<String>,
        /// What comes with the program, and what stands in the config folder.
        known: Vec<String>,
    },
}

/// Everything that is wrong with the files asked for, all at once.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct OptionErrors(pub Vec<OptionError>);

/// Files of settings are small; what is larger is none.
const MAX_FILE: u64 = 1 << 20;

/// So many files are read of a folder; more are not made by hand.
const MAX_FILES: usize = 200;

/// Where users keep files of their own: `$XDG_CONFIG_HOME/e2e-tui`, else `~/.config/e2e-tui`. It holds `keymap.toml`,
/// `themes/NAME.toml` and `layouts/NAME.toml`, each optional. A name that comes with the program, too, is the user's.
pub fn config_dir() -> Option<PathBuf> {
    etcetera::base_strategy::Xdg::new().ok().map(|xdg| xdg.config_dir().join("e2e-tui"))
}

impl Options {
    /// What comes with the program, as far as this environment can show it.
    pub fn from_env() -> Self {
        let layouts = layout::BUILT_IN.iter().filter_map(|(name, _)| Layout::built_in(name)).collect();
        let plain = std::env::var("TERM").is_ok_and(|term| term == "dumb");
        Self { look: Look::from_env(), keymap: Keymap::built_in(), layouts, plain }
    }

    /// The same with the user's own files in `config` and with what they ask for. All that is wrong is in the error.
    pub fn with(wishes: &Wishes, config: Option<&Path>) -> Result<Self, OptionErrors> {
        let mut options = Self::from_env();
        let mut errors = Vec::new();
        let mut note = |result: Result<(), OptionError>| errors.extend(result.err());
        let none = Path::new("");
        let config = config.unwrap_or(none);
        if config.join("keymap.toml").is_file() {
            note(options.use_keymap(&config.join("keymap.toml")));
        }
        for path in toml_files(&config.join("layouts")) {
            note(options.add_layout(&path).map(drop));
        }
        let themes = config.join("themes");
        let standing = options.look.theme.name().to_owned();
        match &wishes.theme {
            Some(name) => note(options.use_theme(name, &themes)),
            // A theme of the user's own under the default one's name takes its place.
            None if own(&themes, &standing).is_some() => note(options.use_theme(&standing, &themes)),
            None => {}
        }
        if let Some(path) = &wishes.keymap {
            note(options.use_keymap(path));
        }
        if let Some(name) = &wishes.layout {
            note(options.use_layout(name));
        }
        if wishes.no_color {
            options.look = options.look.without_colours();
        }
        if errors.is_empty() { Ok(options) } else { Err(OptionErrors(errors)) }
    }

    /// Lays a keymap file over the keymap that is live.
    pub fn use_keymap(&mut self, path: &Path) -> Result<(), OptionError> {
        let text = read("keymap", path)?;
        let keymap = Keymap::parse(&path.display().to_string(), &text)?;
        self.keymap = self.keymap.clone().overridden_by(keymap);
        Ok(())
    }

    /// Takes a theme: a name in the folder `own_themes`, one that comes with the program, or a file.
    pub fn use_theme(&mut self, name: &str, own_themes: &Path) -> Result<(), OptionError> {
        let file = own(own_themes, name).or_else(|| {
            let path = PathBuf::from(name);
            (Theme::built_in(name).is_none() && path.is_file()).then_some(path)
        });
        let theme = match (file, Theme::built_in(name)) {
            (Some(path), _) => Theme::parse(&path.display().to_string(), &read("theme", &path)?)?,
            (None, Some(theme)) => theme,
            (None, None) => {
                let own = toml_files(own_themes).iter().map(|path| stem(path)).collect::<Vec<_>>();
                return Err(unknown("theme", name, theme::BUILT_IN.iter().map(|(known, _)| (*known).to_owned()).chain(own)));
            }
        };
        self.look = self.look.clone().with_theme(theme);
        Ok(())
    }

    /// Shows a layout first: one that is known by name, or a file.
    pub fn use_layout(&mut self, name: &str) -> Result<(), OptionError> {
        let place = match self.layouts.iter().position(|layout| layout.name() == name) {
            Some(place) => place,
            None if Path::new(name).is_file() => self.add_layout(Path::new(name))?,
            None => return Err(unknown("layout", name, self.layouts.iter().map(|layout| layout.name().to_owned()))),
        };
        let layout = self.layouts.remove(place);
        self.layouts.insert(0, layout);
        Ok(())
    }

    /// Reads a layout and returns its place; one of the same name gives way to it.
    fn add_layout(&mut self, path: &Path) -> Result<usize, OptionError> {
        let layout = Layout::parse(&path.display().to_string(), &read("layout", path)?)?;
        if let Some(place) = self.layouts.iter().position(|known| known.name() == layout.name()) {
            self.layouts[place] = layout;
            return Ok(place);
        }
        self.layouts.push(layout);
        Ok(self.layouts.len() - 1)
    }
}

/// The user's own file `name` in `folder`, if there is one. Names with a slash are paths, and no names.
fn own(folder: &Path, name: &str) -> Option<PathBuf> {
    Some(folder.join(format!("{name}.toml"))).filter(|path| !name.contains('/') && path.is_file())
}

/// The TOML files of a folder by name; a folder that is not there holds none.
fn toml_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().take(MAX_FILES).map(|entry| entry.path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|e| e == "toml") && path.is_file()).collect();
    files.sort();
    files
}

/// A file's name without its ending.
pub(super) fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn read(what: &'static str, path: &Path) -> Result<String, OptionError> {
    let unreadable = |source| OptionError::Unreadable { what, path: path.to_owned(), source };
    let metadata = fs::metadata(path).map_err(unreadable)?;
    // A FIFO would keep the start waiting, and a device never ends.
    if !metadata.is_file() {
        return Err(unreadable(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")));
    }
    if metadata.len() > MAX_FILE {
        return Err(unreadable(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 1 MiB")));
    }
    fs::read_to_string(path).map_err(unreadable)
}

fn unknown(what: &'static str, name: &str, known: impl Iterator<Item = String>) -> OptionError {
    let known: Vec<String> = known.collect();
    let nearest = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
    OptionError::Unknown { what, name: name.to_owned(), nearest, known }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().expect("a temporary folder"))
        }

        fn write(&self, name: &str, text: &str) -> PathBuf {
            let path = self.0.path().join(name);
            fs::create_dir_all(path.parent().expect("it is in a folder")).expect("the folder can be made");
            fs::write(&path, text).expect("the folder can be written");
            path
        }
    }

    const ROWS: &str = "[[variant]]\nrows = [{ pane = \"logs\" }]\n";

    #[test]
    fn files_and_names_on_the_command_line_are_taken() {
        let folder = Folder::new();
        let wishes = Wishes {
            keymap: Some(folder.write("keys.toml", "[everywhere]\n\"Z\" = \"quit\"\n")),
            theme: Some("light".into()),
            layout: Some("grid".into()),
            no_color: false,
        };
        let options = Options::with(&wishes, None).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!((options.layouts[0].name(), options.layouts.len()), ("grid", layout::BUILT_IN.len()));
        assert_eq!(options.look.theme.name(), "light");
        let file = folder.write("mine.toml", ROWS).display().to_string();
        let options = Options::with(&Wishes { layout: Some(file), ..Wishes::default() }, None).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!((options.layouts[0].name(), options.layouts.len()), ("mine", layout::BUILT_IN.len() + 1));
    }

    #[test]
    fn files_in_the_config_folder_are_taken_and_go_before_those_of_the_program() {
        let folder = Folder::new();
        let config = Some(folder.0.path());
        folder.write("keymap.toml", "[everywhere]\n\"Z\" = \"zoom\"\n");
        folder.write("themes/mine.toml", "name = \"mine\"\n");
        folder.write("layouts/default.toml", ROWS);
        folder.write("layouts/two.toml", ROWS);
        folder.write("layouts/notes.txt", "no layout");
        let wishes = Wishes { theme: Some("mine".into()), layout: Some("two".into()), ..Wishes::default() };
        let options = Options::with(&wishes, config).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(options.look.theme.name(), "mine");
        let names: Vec<_> = options.layouts.iter().map(Layout::name).collect();
        assert_eq!(names, ["two", "default", "logs", "grid", "debug", "demo"]);
        assert_eq!(options.keymap.keys_of(crate::tui::action::Action::Zoom), ["z", "F8", "Z"]);
        let standing = Options::from_env().look.theme.name().to_owned();
        folder.write(&format!("themes/{standing}.toml"), "name = \"own\"\n");
        let options = Options::with(&Wishes::default(), config).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(options.look.theme.name(), "own", "a default of the user's own");
        assert!(Options::with(&Wishes::default(), Some(Path::new("/nonexistent"))).is_ok());
    }

    #[test]
    fn all_mistakes_are_told_at_once_with_their_places_and_the_nearest_name() {
        let folder = Folder::new();
        let keys = folder.write("wrong.toml", "[everywhere]\n\"q\" = \"quti\"\n");
        let pane = folder.write("layouts/bad.toml", "[[variant]]\nrows = [{ pane = \"log\" }]\n");
        let wishes = Wishes { keymap: Some(keys.clone()), theme: Some("drak".into()), layout: Some("gird".into()), no_color: false };
        let errors = Options::with(&wishes, Some(folder.0.path())).expect_err("four mistakes");
        let told = errors.to_string();
        for wanted in [
            format!("{}:2:18: unknown pane \"log\"; did you mean \"logs\"?", pane.display()),
            format!("{}:2:7: unknown action \"quti\"; did you mean \"quit\"?", keys.display()),
            "there is no theme \"drak\", neither as a file nor by name; did you mean \"dark\"?; known are dark, light".into(),
            "there is no layout \"gird\", neither as a file nor by name; did you mean \"grid\"?; known are default, logs".into(),
        ] {
            assert!(told.contains(&wanted), "{wanted}\nnot in\n{told}");
        }
        assert_eq!(errors.0.len(), 4);
    }

    #[test]
    fn what_is_no_file_of_settings_is_refused_and_not_waited_for() {
        let mut options = Options::from_env();
        for path in ["/nonexistent", "/dev/zero", "/"] {
            assert!(options.use_keymap(Path::new(path)).is_err(), "{path}");
        }
    }
}
