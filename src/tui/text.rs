//! Text on its way to the screen: the one gate through which anything written by others reaches a cell.
//!
//! A cell holds what a terminal shows in one or two columns, whatever the terminal: no control characters, no
//! invisible or direction-changing ones, nothing that two terminals would give different widths (joiners,
//! variation selectors, skin tones), and at most a few combining marks.

use std::borrow::Cow;

use ratatui::{buffer::Buffer, style::Style};
use unicode_width::UnicodeWidthChar;

/// Combining marks kept on one character; more of them only grow the output.
const MAX_MARKS: usize = 3;

/// `text` as it may stand in cells. Controls become visible signs, tabs and line ends blanks.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| (0x20..0x7f).contains(&b)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut marks = MAX_MARKS;
    for c in text.chars() {
        match c {
            '\t' | '\n' | '\r' | '\u{2028}' | '\u{2029}' | '\u{85}' => {
                out.push(' ');
                marks = 0;
            }
            '\0'..='\u{1f}' => {
                out.push(char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'));
                marks = 0;
            }
            '\u{7f}'..='\u{9f}' => {
                out.push('\u{fffd}');
                marks = 0;
            }
            c if is_invisible(c) => {}
            c if c.width() == Some(0) => {
                if marks < MAX_MARKS {
                    out.push(c);
                    marks += 1;
                }
            }
            c => {
                out.push(c);
                marks = 0;
            }
        }
    }
    Cow::Owned(out)
}

/// Characters that show nothing by themselves and make terminals disagree about what follows.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0000}'..='\u{e0fff}')
}

/// The characters of a cleaned text, each with its marks and its width in cells.
fn cells(text: &str) -> impl Iterator<Item = (&str, u16)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let width = first.width().unwrap_or(0) as u16;
        let end = rest.char_indices().skip(1).find(|(_, c)| c.width() != Some(0)).map_or(rest.len(), |(i, _)| i);
        let (cell, after) = rest.split_at(end);
        rest = after;
        Some((cell, width))
    })
}

/// How many cells `text` takes.
pub(crate) fn width(text: &str) -> usize {
    cells(&clean(text)).map(|(_, width)| width as usize).sum()
}

/// `text` in at most `max` cells; what is too long ends in `ellipsis`.
pub(crate) fn fit<'t>(text: &'t str, max: usize, ellipsis: &str) -> Cow<'t, str> {
    let text = clean(text);
    let fits = if text.is_ascii() { text.len() <= max } else { cells(&text).map(|(_, w)| w as usize).sum::<usize>() <= max };
    if fits {
        return text;
    }
    let room = max.saturating_sub(self::cells(ellipsis).map(|(_, w)| w as usize).sum());
    let mut taken = 0;
    let mut cut = String::new();
    for (cell, width) in cells(&text) {
        if taken + width as usize > room {
            break;
        }
        taken += width as usize;
        cut.push_str(cell);
    }
    if max > 0 {
        cut.push_str(ellipsis);
    }
    Cow::Owned(cut)
}

/// Writes cells from left to right in one row, and never beyond its end.
pub(crate) struct Pen<'b> {
    buf: &'b mut Buffer,
    x: u16,
    y: u16,
    start: u16,
    end: u16,
    /// Cells still to leave out before anything is written: sideways scrolling.
    skip: u16,
}

impl<'b> Pen<'b> {
    /// A pen at column `x` of row `y` that may write `width` cells. Outside of the buffer it writes nothing.
    pub(crate) fn new(buf: &'b mut Buffer, x: u16, y: u16, width: u16) -> Self {
        let area = *buf.area();
        let inside = (area.top()..area.bottom()).contains(&y) && x >= area.left();
        let end = if inside { x.saturating_add(width).min(area.right()) } else { x };
        Self { buf, x, y, start: x, end, skip: 0 }
    }

    /// Leaves out the first `cells` of what follows.
    pub(crate) fn skipping(mut self, cells: u16) -> Self {
        self.skip = cells;
        self
    }

    /// Cells left.
    pub(crate) fn room(&self) -> u16 {
        self.end.saturating_sub(self.x)
    }

    /// Cells written, counted from where it began.
    pub(crate) fn column(&self) -> u16 {
        self.x - self.start
    }

    /// Writes text; what does not fit is lost.
    pub(crate) fn text(&mut self, text: &str, style: Style) -> &mut Self {
        for (cell, width) in cells(&clean(text)) {
            if width == 0 {
                continue;
            }
            if self.skip > 0 {
                // A wide character half scrolled away leaves a blank, so that columns stay where they are.
                let left = width.saturating_sub(self.skip);
                self.skip = self.skip.saturating_sub(width);
                (0..left).for_each(|_| self.cell(" ", 1, style));
                continue;
            }
            if width > self.room() {
                (0..self.room()).for_each(|_| self.cell(" ", 1, style));
                break;
            }
            self.cell(cell, width, style);
        }
        self
    }

    /// Writes text in all the room there is; what is too long ends in `ellipsis`.
    pub(crate) fn fitted(&mut self, text: &str, ellipsis: &str, style: Style) -> &mut Self {
        let fitted = fit(text, self.room() as usize, ellipsis);
        self.text(&fitted, style)
    }

    /// Leaves `cells` blank.
    pub(crate) fn gap(&mut self, cells: u16) -> &mut Self {
        self.x = self.x.saturating_add(cells).min(self.end);
        self
    }

    /// Goes to a column counted from where it began; never back.
    pub(crate) fn to(&mut self, column: u16) -> &mut Self {
        self.x = self.x.max(self.start.saturating_add(column)).min(self.end);
        self
    }

    /// Fills the room up to `column` with `symbol`.
    pub(crate) fn fill_to(&mut self, column: u16, symbol: &str, style: Style) -> &mut Self {
        while self.x < self.end && self.x < self.start.saturating_add(column) {
            self.cell(symbol, 1, style);
        }
        self
    }

    fn cell(&mut self, symbol: &str, width: u16, style: Style) {
        if let Some(cell) = self.buf.cell_mut((self.x, self.y)) {
            cell.set_symbol(symbol).set_style(style);
        }
        for x in self.x + 1..self.x + width {
            if let Some(cell) = self.buf.cell_mut((x, self.y)) {
                cell.reset();
                cell.set_style(style);
            }
        }
        self.x += width;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ratatui::layout::Rect;

    use super::*;

    #[test]
    fn what_could_move_the_cursor_becomes_visible_or_goes() {
        assert_eq!(clean("a\x1b[31mb\x07"), "a␛[31mb␇");
        assert_eq!(clean("c1 \u{9b}31m \u{85}x"), "c1 \u{fffd}31m  x");
        assert_eq!(clean("right\u{202e}to\u{200d}left\u{fe0f}"), "righttoleft");
        assert_eq!(clean(&format!("e{}", "\u{301}".repeat(1000))).chars().count(), 1 + MAX_MARKS);
        assert_eq!(clean("\u{301}alone"), "alone");
    }

    #[test]
    fn widths_are_those_of_the_cells_written() {
        assert_eq!(width("日本"), 4);
        assert_eq!(fit("upstream-primary", 10, "…"), "upstream-…");
        assert_eq!(fit("日本語", 4, "…"), "日…");
        assert_eq!(fit("short", 10, "…"), "short");
        assert_eq!(fit("any", 0, "…"), "");
    }

    #[test]
    fn a_wide_character_never_straddles_the_edge() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 4, 1));
        Pen::new(&mut buf, 0, 0, 3).text("日本", Style::new());
        assert_eq!(buf, Buffer::with_lines(["日  "]));
        let mut buf = Buffer::empty(Rect::new(0, 0, 4, 1));
        Pen::new(&mut buf, 0, 0, 4).skipping(1).text("日ab", Style::new());
        assert_eq!(buf, Buffer::with_lines([" ab "]));
    }

    proptest! {
        #[test]
        fn no_text_leaves_its_row_or_carries_controls(text in "\\PC*|.*", x in 0u16..12, width in 0u16..20) {
            let mut buf = Buffer::empty(Rect::new(0, 0, 10, 2));
            Pen::new(&mut buf, x, 0, width).text(&text, Style::new());
            let clean_row = buf.content()[10..].iter().all(|cell| cell.symbol() == " ");
            prop_assert!(clean_row);
            let no_controls = buf.content().iter().all(|cell| !cell.symbol().contains(char::is_control));
            prop_assert!(no_controls);
        }

        #[test]
        fn fitting_never_exceeds_its_room(text in ".*", max in 0usize..20) {
            prop_assert!(width(&fit(&text, max, "…")) <= max);
        }
    }
}
