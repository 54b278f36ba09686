//! The texts a scenario is made of, and places in them.
//!
//! A scenario has more than one text as soon as it extends another file, renders a template or is changed by
//! `--set`; so every place carries the text it is in.

use std::{
    fs::File,
    io::{ErrorKind, Read},
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

/// No scenario or template is read past this many bytes; the rest of a file that is longer is never loaded.
pub(super) const MAX_BYTES: u64 = 1024 * 1024;

/// One of the [`Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SourceId(usize);

/// A range of bytes in one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Span {
    /// In which text.
    pub(super) source: SourceId,
    /// Its first byte.
    pub(super) start: usize,
    /// One past its last byte.
    pub(super) end: usize,
}

impl Span {
    /// All of a text.
    pub(super) fn whole(source: SourceId, text: &str) -> Self {
        Self { source, start: 0, end: text.len() }
    }

    /// The range of bytes.
    pub(super) fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

/// A text with its name.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// What a user calls it: the path as given, `bundled forward.toml`, `--set`.
    pub(super) name: String,
    /// Where relative paths in it start, absolute.
    pub(super) dir: PathBuf,
    /// The text, without a byte order mark.
    pub(super) text: Arc<str>,
}

/// All texts of a scenario.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sources(Vec<Source>);

impl Sources {
    /// Adds a text.
    pub(super) fn add(&mut self, name: impl Into<String>, dir: impl Into<PathBuf>, text: impl Into<Arc<str>>) -> SourceId {
        self.0.push(Source { name: name.into(), dir: dir.into(), text: text.into() });
        SourceId(self.0.len() - 1)
    }

    /// The text of that id.
    pub(super) fn get(&self, id: SourceId) -> &Source {
        &self.0[id.0]
    }

    /// The scenario itself, if anything was read.
    pub(super) fn first(&self) -> Option<&Source> {
        self.0.first()
    }

    /// Its first character.
    pub(super) fn first_span(&self) -> Option<Span> {
        let first = self.first()?;
        let end = first.text.chars().next().map_or(0, |c| if c == '\n' || c == '\r' { 0 } else { c.len_utf8() });
        Some(Span { source: SourceId(0), start: 0, end })
    }

    /// What stands at `span`; empty where the span does not fit the text.
    pub(super) fn slice(&self, span: Span) -> &str {
        self.get(span.source).text.get(span.range()).unwrap_or_default()
    }

    /// Line and column of the span's first character, both from 1; columns count characters.
    pub(super) fn position(&self, span: Span) -> (usize, usize) {
        line_and_column(&self.get(span.source).text, span.start)
    }
}

/// Line and column of the byte at `offset`, both from 1.
fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..offset.min(text.len())];
    let line_start = memchr::memrchr(b'\n', before).map_or(0, |i| i + 1);
    let line = memchr::memchr_iter(b'\n', before).count() + 1;
    let column = String::from_utf8_lossy(&before[line_start..]).chars().count() + 1;
    (line, column)
}

/// Why a file could not be used as text.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The system said no.
    #[error("{}", in_words(.0))]
    Io(#[from] std::io::Error),
    /// Something else than a file stands there.
    #[error("it is {0}, not a file")]
    NotAFile(&'static str),
    /// Longer than [`MAX_BYTES`].
    #[error("it is longer than 1 MiB, which no scenario needs; is it the right file?")]
    TooLong,
    /// Another encoding.
    #[error("it is encoded as {0}; save it as UTF-8")]
    Encoding(&'static str),
    /// A byte that UTF-8 does not have.
    #[error("line {line}, column {column}: the byte {byte:#04x} is not UTF-8{hint}; save the file as UTF-8")]
    NotUtf8 {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// The byte.
        byte: u8,
        /// What the file may be instead.
        hint: &'static str,
    },
}

/// What the system says, said to somebody who does not know its numbers.
fn in_words(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "there is no such file".to_owned(),
        ErrorKind::PermissionDenied => "this user may not read it".to_owned(),
        ErrorKind::NotADirectory => "a part of its path is a file, not a folder".to_owned(),
        ErrorKind::InvalidFilename => "its name is longer than the system takes".to_owned(),
        _ if error.raw_os_error() == Some(nix::libc::ELOOP) => "it is a link that leads back to itself".to_owned(),
        _ => format!("cannot read it: {error}"),
    }
}

/// Reads a file as text: at most 1 MiB of UTF-8, a byte order mark taken off, line ends as they are.
pub(super) fn read_text(path: &Path) -> Result<String, ReadError> {
    // A named pipe would block in `open`, so the kind of file is looked at first.
    let kind = std::fs::metadata(path)?.file_type();
    if kind.is_dir() {
        return Err(ReadError::NotAFile("a folder"));
    }
    if !kind.is_file() {
        return Err(ReadError::NotAFile("a pipe, socket or device"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(ReadError::TooLong);
    }
    decode(bytes)
}

/// Makes text of bytes, or names their encoding.
pub(super) fn decode(bytes: Vec<u8>) -> Result<String, ReadError> {
    match bytes.as_slice() {
        [0xEF, 0xBB, 0xBF, rest @ ..] => decode(rest.to_vec()),
        [0xFF, 0xFE, 0, 0, ..] => Err(ReadError::Encoding("UTF-32 (little endian)")),
        [0, 0, 0xFE, 0xFF, ..] => Err(ReadError::Encoding("UTF-32 (big endian)")),
        [0xFF, 0xFE, ..] => Err(ReadError::Encoding("UTF-16 (little endian)")),
        [0xFE, 0xFF, ..] => Err(ReadError::Encoding("UTF-16 (big endian)")),
        [first, 0, ..] if *first != 0 => Err(ReadError::Encoding("UTF-16 (little endian, without a mark)")),
        [0, second, ..] if *second != 0 => Err(ReadError::Encoding("UTF-16 (big endian, without a mark)")),
        _ => String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let bytes = error.as_bytes();
            let line_start = memchr::memrchr(b'\n', &bytes[..at]).map_or(0, |i| i + 1);
            ReadError::NotUtf8 {
                line: memchr::memchr_iter(b'\n', &bytes[..at]).count() + 1,
                column: String::from_utf8_lossy(&bytes[line_start..at]).chars().count() + 1,
                byte: bytes[at],
                // A lone high byte between ASCII letters is what an accented letter looks like there.
                hint: if bytes.get(at + 1).is_none_or(u8::is_ascii) { " (Latin-1 or Windows-1252?)" } else { "" },
            }
        }),
    }
}

/// `path` made absolute from `dir`, with `.` and `..` taken out by text, so that the result does not depend on where we run.
pub(super) fn absolute(dir: &Path, path: &str) -> PathBuf {
    use std::path::Component;
    let mut all = PathBuf::new();
    for part in dir.join(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(all.components().next_back(), Some(Component::Normal(_))) => {
                all.pop();
            }
            part => all.push(part),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_encodings_are_named_and_marks_taken_off() {
        let error = |bytes: &[u8]| decode(bytes.to_vec()).expect_err("not UTF-8").to_string();
        assert_eq!(decode(b"\xEF\xBB\xBFname = 1".to_vec()).expect("UTF-8 with a mark"), "name = 1");
        assert!(error(b"\xFF\xFEn\0a\0").contains("UTF-16 (little endian)"));
        assert!(error(b"n\0a\0").contains("UTF-16 (little endian, without a mark)"));
        assert_eq!(
            error(b"name = 1\nx = 'caf\xE9'\n"),
            "line 2, column 9: the byte 0xe9 is not UTF-8 (Latin-1 or Windows-1252?); save the file as UTF-8"
        );
    }

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        assert_eq!(line_and_column("ab\ncd", 0), (1, 1));
        assert_eq!(line_and_column("äb\r\ncd", 2), (1, 2));
        assert_eq!(line_and_column("ab\r\ncd", 5), (2, 2));
        assert_eq!(line_and_column("ab", 99), (1, 3));
    }

    #[test]
    fn paths_lose_their_dots() {
        assert_eq!(absolute(Path::new("/a/b"), "../c/./d"), PathBuf::from("/a/c/d"));
        assert_eq!(absolute(Path::new("/a"), "/x"), PathBuf::from("/x"));
        assert_eq!(absolute(Path::new("/"), "../x"), PathBuf::from("/../x"));
    }

    #[test]
    fn folders_pipes_and_long_files_are_refused() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        assert!(matches!(read_text(dir.path()), Err(ReadError::NotAFile("a folder"))));
        assert!(matches!(read_text(Path::new("/dev/zero")), Err(ReadError::NotAFile(_))));
        let long = dir.path().join("long.toml");
        File::create(&long).and_then(|f| f.set_len(1 << 30)).expect("a sparse file of 1 GiB");
        assert!(matches!(read_text(&long), Err(ReadError::TooLong)));
    }
}
