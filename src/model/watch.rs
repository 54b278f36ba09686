//! Which files a process is restarted for.

use std::{
    fmt,
    path::{Component, Path, PathBuf},
};

use globset::{GlobBuilder, GlobMatcher};

/// What a glob is made of, besides letters.
const WILDCARDS: &[char] = &['*', '?', '[', '{', '\\'];
/// Where version control keeps its own files: `git status` writes there, and nobody means that.
const VERSION_CONTROL: &[&str] = &[".git", ".hg", ".jj", ".svn"];
/// A name that no glob mentions, to ask one whether it takes everything.
const ANY: &str = "\u{1}";

/// One entry of a process's `watch`: files whose change restarts it, or, with `!` before it, files that are left out.
///
/// `*` and `?` stay within a folder, `**` is any number of folders, `[ab]` one of these letters, `{a,b}` either text. A path without
/// any of them is that file, or everything below that folder. Folders of version control are looked into only where the glob
/// names them.
#[derive(Debug, Clone)]
pub struct WatchGlob {
    written: String,
    root: PathBuf,
    except: bool,
    /// Of paths from the root; none: the root itself, and everything below it.
    matcher: Option<GlobMatcher>,
    /// How many folders below the root it reaches; none: any number.
    depth: Option<usize>,
}

/// Why a text is no glob.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidGlob(String);

impl WatchGlob {
    /// Reads `written`; `absolute` makes an absolute path of the part of it that has no wildcards.
    pub fn parse(written: &str, absolute: impl FnOnce(&str) -> PathBuf) -> Result<Self, InvalidGlob> {
        let (except, text) = match written.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, written),
        };
        if text.is_empty() {
            return Err(InvalidGlob("it names no file".into()));
        }
        // The folder that the first wildcard is in.
        let split = text.find(WILDCARDS).map(|first| text[..first].rfind('/').map_or(0, |slash| slash + 1));
        let (plain, glob) = text.split_at(split.unwrap_or(text.len()));
        let plain = if plain.is_empty() { "." } else { plain };
        let (matcher, depth) = match glob {
            "" => (None, None),
            glob => {
                let built = GlobBuilder::new(glob).literal_separator(true).backslash_escape(true).build();
                let built = built.map_err(|error| InvalidGlob(error.kind().to_string()))?;
                (Some(built.compile_matcher()), if glob.contains("**") { None } else { Some(glob.matches('/').count()) })
            }
        };
        Ok(Self { written: written.to_owned(), root: absolute(plain), except, matcher, depth })
    }

    /// The folder, or the file, below which everything is that it can match.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether it leaves files out.
    pub fn is_exception(&self) -> bool {
        self.except
    }

    /// Whether it means the file at this absolute path.
    pub fn matches(&self, path: &Path) -> bool {
        let Ok(below) = path.strip_prefix(&self.root) else { return false };
        self.matcher.as_ref().is_none_or(|matcher| matcher.is_match(below))
    }

    /// Whether a file in this folder, or further below it, can be meant.
    pub fn reaches(&self, folder: &Path) -> bool {
        let Ok(below) = folder.strip_prefix(&self.root) else { return false };
        let is_kept = |part: Component<'_>| VERSION_CONTROL.iter().any(|name| part.as_os_str() == *name);
        !below.components().any(is_kept) && self.depth.is_none_or(|depth| below.components().count() <= depth)
    }

    /// Whether every file in this folder and below it is meant.
    pub fn covers(&self, folder: &Path) -> bool {
        let inside = folder.join(ANY);
        self.matches(&inside) && self.matches(&inside.join(ANY))
    }
}

impl fmt::Display for WatchGlob {
    /// As it was written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glob(text: &str) -> WatchGlob {
        WatchGlob::parse(text, |plain| Path::new("/x").join(plain.trim_end_matches('/').trim_start_matches('.'))).expect("a glob")
    }

    #[test]
    fn a_star_stays_in_its_folder_and_two_go_anywhere() {
        let matches = |text: &str, path: &str| glob(text).matches(Path::new(path));
        assert!(matches("src/**/*.rs", "/x/src/main.rs") && matches("src/**/*.rs", "/x/src/a/b/c.rs"));
        assert!(!matches("src/**/*.rs", "/x/src/main.py") && !matches("src/**/*.rs", "/x/other/main.rs"));
        assert!(matches("*.{toml,json}", "/x/a.json") && !matches("*.toml", "/x/a/b.toml"));
        assert!(matches("conf.d", "/x/conf.d") && matches("conf.d", "/x/conf.d/a/b") && !matches("conf.d", "/x/conf.dd"));
    }

    #[test]
    fn only_folders_that_can_hold_a_match_are_looked_into() {
        let reaches = |text: &str, path: &str| glob(text).reaches(Path::new(path));
        assert!(reaches("*.toml", "/x") && !reaches("*.toml", "/x/src"));
        assert!(reaches("*/*.toml", "/x/src") && !reaches("*/*.toml", "/x/src/a"));
        assert!(reaches("**/*.rs", "/x/a/b") && !reaches("**/*.rs", "/x/.git/objects") && !reaches("src/**", "/x"));
        assert!(reaches(".git", "/x/git"), "whoever names it means it");
    }

    #[test]
    fn an_exception_that_takes_a_whole_folder_is_known_as_such() {
        let covers = |text: &str, path: &str| glob(text).is_exception() && glob(text).covers(Path::new(path));
        assert!(
            covers("!target/**", "/x/target") && covers("!target", "/x/target/debug") && covers("!**/node_modules/**", "/x/a/node_modules")
        );
        assert!(!covers("!target/*.rs", "/x/target") && !covers("!target/*", "/x/target"));
    }

    #[test]
    fn what_is_no_glob_says_why() {
        let why = |text: &str| WatchGlob::parse(text, |plain| PathBuf::from(plain)).expect_err("no glob").to_string();
        assert!(why("src/[a").contains("unclosed"), "{}", why("src/[a"));
        assert_eq!((why(""), why("!")), ("it names no file".into(), "it names no file".into()));
    }
}
