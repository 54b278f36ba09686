//! The picture of the chain: a box a process, or one for all of a rank where there is little room.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{
    MARGIN,
    chain::Chain,
    inside::{Line, content, trouble},
    links::links,
};
use crate::{
    tap::Traffic,
    tui::{
        glyph::GlyphSet,
        scene::Scene,
        text::{self, Pen},
        theme::Role,
    },
};

/// From this width on each process has a box of its own…
const WIDE: u16 = 140;
/// …so high, edges included.
const TALL: u16 = 5;
/// Who begins has a little less to say.
pub(super) const BOXES: (u16, u16) = (26, 28);
/// Where it is narrow.
const NARROW_BOX: (u16, u16) = (22, 26);
/// Between two boxes there must be room for an arrow.
const SHORTEST: u16 = 6;

/// Rows that the picture takes, the blank ones around it included.
pub(crate) fn wants(ranks: &[usize], screen: Rect) -> u16 {
    let most = ranks.iter().copied().max().unwrap_or(0) as u16;
    match most {
        0 => 0,
        _ if is_wide(most, screen.width, screen.height) => most * (TALL + 1) + 1,
        _ => most.max(2) + 4,
    }
}

/// Whether there is room for a box a process.
fn is_wide(most: u16, width: u16, height: u16) -> bool {
    width >= WIDE && most * (TALL + 1) < height / 2
}

/// Draws the picture.
pub(crate) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let inner = Rect {
        x: area.x + MARGIN.min(area.width),
        y: area.y + 1.min(area.height),
        width: area.width.saturating_sub(2 * MARGIN),
        height: area.height.saturating_sub(1),
    };
    if inner.is_empty() {
        return;
    }
    scene.look_at_traffic(|traffic| {
        let chain = Chain::of(scene.snapshot, traffic);
        let boxes = boxes(scene, traffic, &chain, inner);
        for one in &boxes {
            frame(scene, one, buf);
        }
        for pair in (0..chain.ranks.len()).zip(1..chain.ranks.len()) {
            links(scene, traffic, &chain, &boxes, pair, buf);
        }
    });
}

/// A box with the processes it stands for.
pub(super) struct Boxed {
    pub(super) rank: usize,
    pub(super) rows: Vec<usize>,
    pub(super) area: Rect,
    lines: Vec<Line>,
    /// How bad it is with the worst of them.
    trouble: Option<Role>,
}

impl Boxed {
    /// Where lines begin and end.
    pub(super) fn middle(&self) -> u16 {
        self.area.y + self.area.height / 2
    }
}

fn boxes(scene: &Scene<'_>, traffic: &Traffic, chain: &Chain, inner: Rect) -> Vec<Boxed> {
    let most = chain.ranks.iter().map(Vec::len).max().unwrap_or(0) as u16;
    let wide = is_wide(most, scene.areas.screen.width, scene.areas.screen.height) && most * (TALL + 1) <= inner.height + 1;
    let tallest = if wide { most * (TALL + 1) - 1 } else { most.max(2) + 2 }.min(inner.height);
    let mut all = Vec::new();
    for (rank, rows) in chain.ranks.iter().enumerate() {
        let groups: Vec<Vec<usize>> = if wide { rows.iter().map(|row| vec![*row]).collect() } else { vec![rows.clone()] };
        let heights = groups.iter().map(|group| if wide { TALL } else { (group.len() as u16).max(2) + 2 }.min(tallest));
        let heights: Vec<u16> = heights.collect();
        let whole = heights.iter().sum::<u16>() + heights.len().saturating_sub(1) as u16;
        let mut y = inner.y + tallest.saturating_sub(whole) / 2;
        for (rows, height) in groups.into_iter().zip(heights) {
            let lines = content(scene, traffic, chain, &rows, wide, usize::from(height.saturating_sub(2)));
            let trouble = rows.iter().filter_map(|row| trouble(&scene.snapshot.rows[*row])).min_by_key(|role| *role != Role::Bad);
            all.push(Boxed { rank, rows, area: Rect { x: 0, y, width: 0, height }, lines, trouble });
            y += height + 1;
        }
    }
    let widths = widths(&all, chain.ranks.len(), wide, inner.width);
    let spare = inner.width.saturating_sub(widths.iter().sum());
    let mut x = inner.x;
    for (rank, width) in widths.iter().enumerate() {
        for one in all.iter_mut().filter(|one| one.rank == rank) {
            one.area = Rect { x, width: *width, ..one.area }.intersection(inner);
        }
        x += width + gap(spare, rank as u16, widths.len().saturating_sub(1) as u16);
    }
    all
}

/// How wide the boxes of each rank are. Where there is little room, each is as wide as what it says, and if that is too much,
/// those give way first that lose least.
fn widths(all: &[Boxed], ranks: usize, wide: bool, room: u16) -> Vec<u16> {
    let says = |rank: usize| {
        let lines = all.iter().filter(|one| one.rank == rank).flat_map(|one| &one.lines);
        lines.map(|line| line.iter().map(|(text, _)| text::width(text) as u16).sum::<u16>() + 4).max().unwrap_or(0)
    };
    let says: Vec<u16> = (0..ranks).map(says).collect();
    let wanted = |(rank, says): (usize, &u16)| match (wide, rank) {
        (true, 0) => BOXES.0,
        (true, _) => BOXES.1,
        (false, _) => (*says).clamp(NARROW_BOX.0, NARROW_BOX.1),
    };
    let mut widths: Vec<u16> = says.iter().enumerate().map(wanted).collect();
    let room = room.saturating_sub(SHORTEST * ranks.saturating_sub(1) as u16);
    while widths.iter().sum::<u16>() > room {
        let roomiest = widths.iter().zip(&says).enumerate().max_by_key(|(_, (width, says))| (width.saturating_sub(**says), **width));
        let Some((roomiest, _)) = roomiest.filter(|(_, (width, _))| **width > 0) else { break };
        widths[roomiest] -= 1;
    }
    widths
}

/// The room behind a rank. The first of several has one cell more than the last, for the trunk that stands in it.
fn gap(spare: u16, rank: u16, gaps: u16) -> u16 {
    let even = spare / gaps.max(1);
    match (rank, gaps) {
        (0, 2..) => even + spare % gaps + 1,
        (0, _) => spare,
        _ if rank + 1 == gaps => even.saturating_sub(1),
        _ => even,
    }
}

/// The signs that boxes and lines are made of: `─ │ ┌ ┐ └ ┘`.
pub(super) fn signs(set: GlyphSet, heavy: bool) -> [&'static str; 6] {
    match (set, heavy) {
        (GlyphSet::Unicode, false) => ["─", "│", "┌", "┐", "└", "┘"],
        (GlyphSet::Unicode, true) => ["━", "┃", "┏", "┓", "┗", "┛"],
        (GlyphSet::Ascii, false) => ["-", "|", "+", "+", "+", "+"],
        (GlyphSet::Ascii, true) => ["=", "#", "#", "#", "#", "#"],
    }
}

fn frame(scene: &Scene<'_>, one: &Boxed, buf: &mut Buffer) {
    let look = scene.look;
    let area = one.area;
    if area.width < 4 || area.height < 2 {
        return;
    }
    let [flat, upright, top_left, top_right, bottom_left, bottom_right] = signs(look.glyphs, one.trouble.is_some());
    let style = look.style(one.trouble.unwrap_or(Role::Plain));
    for (y, left, right) in [(area.y, top_left, top_right), (area.bottom() - 1, bottom_left, bottom_right)] {
        Pen::new(buf, area.x, y, area.width).text(left, style).fill_to(area.width - 1, flat, style).text(right, style);
    }
    for (y, line) in (area.y + 1..area.bottom() - 1).zip(one.lines.iter().map(Some).chain(std::iter::repeat(None))) {
        Pen::new(buf, area.x, y, area.width).text(upright, style).to(area.width - 1).text(upright, style);
        let mut pen = Pen::new(buf, area.x + 2, y, area.width - 4);
        for (text, style) in line.into_iter().flatten() {
            pen.fitted(text, look.ellipsis(), *style);
        }
    }
}
