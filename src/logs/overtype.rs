//! A line whose cursor goes back: what is typed into a terminal and corrected there, as its echo tells it.

/// What the cursor of a line does, within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edit {
    /// Backspace, `CSI n D`: to the left.
    Back,
    /// `CSI n C`: to the right.
    Forward,
    /// `CSI K`: what is right of it goes.
    Erase,
    /// `CSI n P`: so many characters right of it go.
    Delete,
    /// `CSI n @`: so many blanks come right of it.
    Insert,
}

impl Edit {
    /// The edit that a control sequence stands for, without its `ESC`, and how far it goes.
    pub(super) fn of(sequence: &str) -> Option<(Self, usize)> {
        let (params, last) = sequence.strip_prefix('[')?.split_at_checked(sequence.len().checked_sub(2)?)?;
        let edit = match last {
            "C" => Self::Forward,
            "D" => Self::Back,
            "K" if matches!(params, "" | "0") => Self::Erase,
            "P" => Self::Delete,
            "@" => Self::Insert,
            _ => return None,
        };
        let count = if params.is_empty() { 1 } else { params.parse::<usize>().ok()?.clamp(1, MOST) };
        Some((edit, count))
    }
}

/// No terminal is wider, and a line of insertions must not grow beyond what it says.
const MOST: usize = 1000;

/// Characters with a style each, and a cursor among them. A wide character counts as one.
#[derive(Debug, Clone)]
pub(super) struct Overtyped<S> {
    cells: Vec<(char, S)>,
    at: usize,
}

impl<S: Copy> Overtyped<S> {
    /// A line with its cursor at the end.
    pub(super) fn new(cells: impl IntoIterator<Item = (char, S)>) -> Self {
        let cells: Vec<_> = cells.into_iter().collect();
        Self { at: cells.len(), cells }
    }

    /// Writes over what is there.
    pub(super) fn write(&mut self, c: char, style: S) {
        match self.cells.get_mut(self.at) {
            Some(cell) => *cell = (c, style),
            None => self.cells.push((c, style)),
        }
        self.at += 1;
    }

    pub(super) fn edit(&mut self, edit: Edit, count: usize, style: S) {
        let end = self.cells.len();
        match edit {
            Edit::Back => self.at = self.at.saturating_sub(count),
            Edit::Forward => self.at = (self.at + count).min(end),
            Edit::Erase => self.cells.truncate(self.at),
            Edit::Delete => drop(self.cells.drain(self.at..(self.at + count).min(end))),
            // Only what is still to the right moves: at the end of a line there is nothing.
            Edit::Insert if self.at < end => drop(self.cells.splice(self.at..self.at, std::iter::repeat_n((' ', style), count))),
            Edit::Insert => {}
        }
    }

    pub(super) fn cells(self) -> Vec<(char, S)> {
        self.cells
    }
}

#[cfg(test)]
mod tests {
    use super::super::plain;

    #[test]
    fn what_was_typed_and_corrected_reads_as_it_was_meant() {
        for (bytes, text) in [
            (&b"hellp\x08o"[..], "hello"),
            (b"hellp\x08\x1b[K", "hell"),
            (b"lx\x08 \x08s", "ls"),
            (b"abc\x08\x08Xbc\x08\x08", "aXbc"),
            (b"abc\x08\x08\x1b[1@Y", "aYbc"),
            (b"abcd\x1b[3D\x1b[2Pz", "az"),
            (b"ab\x08\x08\x08\x1b[1Cx", "ax"),
            ("é日\u{8}月".as_bytes(), "é月"),
            (b"50%\x08\x08\x08100%\r done", " done"),
            (b"bold: X\x08X", "bold: X"),
        ] {
            assert_eq!(plain(bytes), text, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn o1_insertions_without_end_are_bounded_by_the_line() {
        let line = b"ab\x08".iter().chain(b"\x1b[9999999@".repeat(10).iter()).copied().collect::<Vec<_>>();
        assert!(plain(&line).len() <= 10 * 1000 + 2);
    }
}
