//! Text chosen with the mouse: cells of one pane, from where the button went down to where it is, in reading order. A pane
//! has no borders, so what is chosen is what is written there and nothing else.

use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
    style::Modifier,
};

use super::text;

/// Cells being chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Selection {
    /// Where they may be: one pane.
    area: Rect,
    from: Position,
    to: Position,
}

impl Selection {
    /// Begins at a cell of `area`.
    pub(crate) fn begin(area: Rect, at: Position) -> Self {
        let at = inside(area, at);
        Self { area, from: at, to: at }
    }

    /// Where it may be.
    pub(crate) fn area(&self) -> Rect {
        self.area
    }

    /// Where it began.
    pub(crate) fn from(&self) -> Position {
        self.from
    }

    /// The button has been moved to `at`; beyond the pane the nearest of its cells counts.
    pub(crate) fn extend(&mut self, at: Position) {
        self.to = inside(self.area, at);
    }

    /// Back to where it began: nothing is chosen.
    pub(crate) fn collapse(&mut self) {
        self.to = self.from;
    }

    /// Whether there is anything to take: a click alone chooses nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.from == self.to || self.area.is_empty()
    }

    /// The chosen stretch of each row: its row, first column and the column behind its last.
    fn rows(&self) -> impl Iterator<Item = (u16, u16, u16)> {
        let order = |p: &Position| (p.y, p.x);
        let (first, last) = if order(&self.from) <= order(&self.to) { (self.from, self.to) } else { (self.to, self.from) };
        let (left, right) = (self.area.left(), self.area.right());
        (first.y..=last.y).map(move |y| (y, if y == first.y { first.x } else { left }, if y == last.y { last.x + 1 } else { right }))
    }

    /// Reverses its cells.
    pub(crate) fn draw(&self, buf: &mut Buffer) {
        if self.is_empty() {
            return;
        }
        for (y, from, to) in self.rows() {
            for x in from..to {
                if let Some(cell) = buf.cell_mut((x, y)) {
                    cell.modifier.toggle(Modifier::REVERSED);
                }
            }
        }
    }

    /// What its cells say, a line a row, without the blanks at the ends of rows.
    pub(crate) fn text(&self, shown: &Buffer) -> String {
        let mut lines = Vec::new();
        for (y, from, to) in self.rows() {
            let mut line = String::new();
            let mut x = from;
            while x < to {
                let Some(cell) = shown.cell((x, y)) else { break };
                line.push_str(cell.symbol());
                // The second cell of a wide character says nothing of its own.
                x += (text::width(cell.symbol()) as u16).max(1);
            }
            lines.push(line.trim_end().to_owned());
        }
        lines.join("\n")
    }
}

fn inside(area: Rect, at: Position) -> Position {
    let last = |from: u16, to: u16| to.saturating_sub(1).max(from);
    Position { x: at.x.clamp(area.left(), last(area.left(), area.right())), y: at.y.clamp(area.top(), last(area.top(), area.bottom())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(from: (u16, u16), to: (u16, u16)) -> String {
        let shown = Buffer::with_lines(["table 日本 |", "pane  one |", "pane  two |"]);
        let mut selection = Selection::begin(Rect::new(6, 0, 4, 3), from.into());
        selection.extend(to.into());
        selection.text(&shown)
    }

    #[test]
    fn only_text_of_one_pane_is_taken_whichever_way_it_is_drawn() {
        assert_eq!(chosen((6, 1), (8, 2)), "one\ntwo");
        assert_eq!(chosen((8, 2), (6, 1)), "one\ntwo");
        assert_eq!(chosen((7, 1), (7, 1)), "n");
        assert_eq!(chosen((6, 1), (0, 40)), "one\nt", "beyond the pane its nearest cell counts");
        assert_eq!(chosen((6, 0), (9, 0)), "日本");
    }

    #[test]
    fn a_click_chooses_nothing_and_no_area_breaks_it() {
        assert!(Selection::begin(Rect::new(0, 0, 9, 9), Position::new(3, 3)).is_empty());
        let mut nowhere = Selection::begin(Rect::default(), Position::new(3, 3));
        nowhere.extend(Position::new(900, 900));
        nowhere.draw(&mut Buffer::empty(Rect::default()));
        assert_eq!(nowhere.text(&Buffer::empty(Rect::default())), "");
    }
}
