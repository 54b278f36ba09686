//! Where each pane stands. A layout is a file (`layouts/*.toml`): a tree of rows, columns and panes for each
//! range of terminal sizes, solved to rectangles before anything is drawn.

use ratatui::layout::Rect;
use toml::de::{DeTable, DeValue};

use super::asset::{AssetErrors, Reader, Value};

/// What can stand in a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Pane {
    /// The table.
    Processes,
    /// The strip that explains a failure; there only while there is one.
    Happened,
    /// One log, or several side by side.
    Logs,
    /// The newest events.
    Events,
    /// Lines that matched an alert pattern.
    Alerts,
    /// Details of the selected process.
    Details,
    /// How the expectations stand; there only if there are any.
    Expectations,
    /// How far the script is; there only if the scenario has one.
    Steps,
    /// For an audience: who talks to whom, and what comes of it.
    Chain,
    /// For an audience: the author's note, and what was measured.
    Note,
    /// For an audience: traffic as it goes by.
    Traffic,
    /// For an audience: lines that matter.
    Said,
}

const PANES: [(&str, Pane); 12] = [
    ("processes", Pane::Processes),
    ("happened", Pane::Happened),
    ("logs", Pane::Logs),
    ("events", Pane::Events),
    ("alerts", Pane::Alerts),
    ("details", Pane::Details),
    ("expectations", Pane::Expectations),
    ("steps", Pane::Steps),
    ("chain", Pane::Chain),
    ("note", Pane::Note),
    ("traffic", Pane::Traffic),
    ("said", Pane::Said),
];

/// How long a node is along its parent's direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    /// So many rows or columns.
    Cells(u16),
    /// As its content wants, up to a share of the whole screen.
    Fit { percent: u16 },
    /// A share of what is left.
    Fill(u16),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Pane(Pane),
    Rows(Vec<Node>),
    Columns(Vec<Node>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Node {
    size: Size,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Variant {
    min_width: u16,
    min_height: u16,
    root: Node,
}

/// A layout, ready to be solved for any size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    name: String,
    tiled: bool,
    audience: bool,
    variants: Vec<Variant>,
}

/// The layouts that come with the program: name and text.
pub(crate) const BUILT_IN: [(&str, &str); 5] = [
    ("default", include_str!("../../layouts/default.toml")),
    ("logs", include_str!("../../layouts/logs.toml")),
    ("grid", include_str!("../../layouts/grid.toml")),
    ("debug", include_str!("../../layouts/debug.toml")),
    ("demo", include_str!("../../layouts/demo.toml")),
];

/// The rectangles of one frame.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Areas {
    /// The whole screen.
    pub(crate) screen: Rect,
    /// Row 0.
    pub(crate) status: Rect,
    /// The row for notices, where the screen is high enough.
    pub(crate) message: Rect,
    /// The last row.
    pub(crate) hints: Rect,
    /// The panes that have room.
    pub(crate) panes: Vec<(Pane, Rect)>,
    /// All but the table: where an overlay stands.
    pub(crate) stage: Rect,
}

impl Areas {
    /// Where `pane` stands, if it does.
    pub(crate) fn of(&self, pane: Pane) -> Option<Rect> {
        self.panes.iter().find(|(known, _)| *known == pane).map(|(_, area)| *area)
    }

    /// The pane at a place, for the mouse.
    pub(crate) fn at(&self, x: u16, y: u16) -> Option<(Pane, Rect)> {
        self.panes.iter().find(|(_, area)| area.contains((x, y).into())).copied()
    }
}

/// Below this height an overlay takes the table's rows, too.
const LOW: u16 = 16;

/// From this height on, notices have a row of their own; below, they take the hints' row while they stand.
const MESSAGE_ROW_FROM: u16 = 30;

impl Layout {
    /// The names of those that come with the program.
    pub fn built_in_names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// A layout that comes with the program.
    pub fn built_in(name: &str) -> Option<Self> {
        let (name, text) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
        Self::parse(&format!("{name}.toml"), text).ok()
    }

    /// Reads a layout file. One that does not say its name is called like the file.
    pub fn parse(file: &str, text: &str) -> Result<Self, AssetErrors> {
        Reader::read(file, text, |reader, table| {
            let mut layout = Self { name: String::new(), tiled: false, audience: false, variants: Vec::new() };
            for (key, value) in table {
                match key.get_ref().as_ref() {
                    "name" => reader.string(value).unwrap_or_default().clone_into(&mut layout.name),
                    key @ ("tiled" | "audience") => match value.get_ref() {
                        DeValue::Boolean(yes) if key == "tiled" => layout.tiled = *yes,
                        DeValue::Boolean(yes) => layout.audience = *yes,
                        _ => reader.error(value.span(), "true or false is wanted here"),
                    },
                    "variant" => layout.variants = reader.list(value).into_iter().filter_map(|v| variant(reader, v)).collect(),
                    other => reader.unknown(key.span(), "key", other, &["name", "tiled", "audience", "variant"]),
                }
            }
            if layout.name.is_empty() {
                layout.name = super::options::stem(std::path::Path::new(file));
            }
            if layout.variants.is_empty() {
                reader.error(0..0, "a layout needs at least one [[variant]]");
            }
            layout
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the log pane shows every process's log on its own, side by side.
    pub(crate) fn is_tiled(&self) -> bool {
        self.tiled
    }

    /// Whether it is for an audience: title and last row are theirs, and the presenter's keys hold.
    pub(crate) fn is_for_an_audience(&self) -> bool {
        self.audience
    }

    /// The rectangles for a screen. `wants` says how many rows a pane's content has; 0: it has nothing to show.
    /// `alone` is the one pane that takes all (zoom).
    pub(crate) fn solve(&self, screen: Rect, wants: &dyn Fn(Pane) -> u16, alone: Option<Pane>) -> Areas {
        let mut areas = Areas { screen, ..Areas::default() };
        let mut rest = screen;
        areas.status = take_top(&mut rest, 1);
        areas.hints = take_bottom(&mut rest, u16::from(screen.height > 3));
        areas.message = take_bottom(&mut rest, u16::from(screen.height >= MESSAGE_ROW_FROM));
        if let Some(pane) = alone {
            areas.panes.push((pane, rest));
        } else if let Some(variant) =
            self.variants.iter().find(|v| screen.width >= v.min_width && screen.height >= v.min_height).or(self.variants.last())
        {
            place(&variant.root, rest, screen, wants, &mut areas.panes);
        }
        areas.panes.retain(|(_, area)| !area.is_empty());
        let stage = areas.panes.iter().filter(|(pane, _)| *pane != Pane::Processes).map(|(_, area)| *area);
        let logs = areas.of(Pane::Logs);
        // Beside the table only the log gives way; below it, everything does.
        areas.stage = match logs {
            Some(logs) if logs.y == rest.y => logs,
            // On a low screen a list under the table would be three lines.
            _ if screen.height < LOW => rest,
            _ => stage.reduce(Rect::union).unwrap_or(rest),
        };
        areas
    }
}

fn take_top(rest: &mut Rect, rows: u16) -> Rect {
    let rows = rows.min(rest.height);
    let top = Rect { height: rows, ..*rest };
    *rest = Rect { y: rest.y + rows, height: rest.height - rows, ..*rest };
    top
}

fn take_bottom(rest: &mut Rect, rows: u16) -> Rect {
    let rows = rows.min(rest.height);
    *rest = Rect { height: rest.height - rows, ..*rest };
    Rect { y: rest.y + rest.height, height: rows, ..*rest }
}

fn place(node: &Node, area: Rect, screen: Rect, wants: &dyn Fn(Pane) -> u16, out: &mut Vec<(Pane, Rect)>) {
    let (children, along_rows) = match &node.kind {
        Kind::Pane(pane) => return out.push((*pane, area)),
        Kind::Rows(children) => (children, true),
        Kind::Columns(children) => (children, false),
    };
    let length = if along_rows { area.height } else { area.width };
    let mut sizes: Vec<u16> = children.iter().map(|child| fixed(child, along_rows, screen, wants)).collect();
    let mut left = length;
    for size in &mut sizes {
        *size = (*size).min(left);
        left -= *size;
    }
    let fills: Vec<(usize, u16)> = children
        .iter()
        .enumerate()
        .filter_map(|(i, child)| match child.size {
            Size::Fill(weight) if shown(child, wants) => Some((i, weight.max(1))),
            _ => None,
        })
        .collect();
    let mut weights: u32 = fills.iter().map(|(_, weight)| u32::from(*weight)).sum();
    for (i, weight) in fills {
        let share = (u32::from(left) * u32::from(weight)).checked_div(weights).unwrap_or(0) as u16;
        sizes[i] = share;
        left -= share;
        weights -= u32::from(weight);
    }
    let mut offset = 0;
    for (i, (child, size)) in children.iter().zip(sizes).enumerate() {
        let part = if along_rows {
            Rect { y: area.y + offset, height: size, ..area }
        } else {
            // A blank column keeps neighbours apart.
            let gap = u16::from(i + 1 < children.len()).min(size);
            Rect { x: area.x + offset, width: size - gap, ..area }
        };
        offset += size;
        if size > 0 {
            place(child, part, screen, wants, out);
        }
    }
}

fn fixed(node: &Node, along_rows: bool, screen: Rect, wants: &dyn Fn(Pane) -> u16) -> u16 {
    match node.size {
        _ if !shown(node, wants) => 0,
        Size::Cells(cells) => cells,
        Size::Fit { percent } => {
            let whole = u32::from(if along_rows { screen.height } else { screen.width });
            content(node, wants).min((whole * u32::from(percent) / 100) as u16)
        }
        Size::Fill(_) => 0,
    }
}

fn content(node: &Node, wants: &dyn Fn(Pane) -> u16) -> u16 {
    match &node.kind {
        Kind::Pane(pane) => wants(*pane),
        Kind::Rows(children) => children.iter().fold(0, |sum, child| sum.saturating_add(content(child, wants))),
        Kind::Columns(children) => children.iter().map(|child| content(child, wants)).max().unwrap_or(0),
    }
}

fn shown(node: &Node, wants: &dyn Fn(Pane) -> u16) -> bool {
    content(node, wants) > 0
}

fn variant<'t>(reader: &mut Reader<'t>, value: &Value<'t>) -> Option<Variant> {
    let table = reader.table(value)?;
    let mut min = [0; 2];
    for (place, key) in min.iter_mut().zip(["min_width", "min_height"]) {
        if let Some(value) = table.get(key) {
            *place = reader.number(value, 10_000)?;
        }
    }
    let root = node(reader, value.span(), table, &["min_width", "min_height"])?;
    Some(Variant { min_width: min[0], min_height: min[1], root })
}

fn node<'t>(reader: &mut Reader<'t>, span: std::ops::Range<usize>, table: &DeTable<'t>, also: &[&str]) -> Option<Node> {
    let mut size = Size::Fill(1);
    let mut kind = None;
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "cells" => size = Size::Cells(reader.number(value, 1000)?),
            "fill" => size = Size::Fill(reader.number(value, 1000)?),
            "fit" => {
                let percent = reader.string(value)?.strip_suffix('%').and_then(|p| p.parse().ok()).filter(|p| *p <= 100);
                match percent {
                    Some(percent) => size = Size::Fit { percent },
                    None => reader.error(value.span(), "the most it may take is wanted here, like \"40%\""),
                }
            }
            "pane" => {
                let name = reader.string(value)?;
                match PANES.iter().find(|(known, _)| *known == name) {
                    Some((_, pane)) => kind = Some(Kind::Pane(*pane)),
                    None => reader.unknown(value.span(), "pane", name, &PANES.map(|(name, _)| name)),
                }
            }
            "rows" => kind = Some(Kind::Rows(nodes(reader, value))),
            "columns" => kind = Some(Kind::Columns(nodes(reader, value))),
            other if also.contains(&other) => {}
            other => reader.unknown(key.span(), "key", other, &["pane", "rows", "columns", "cells", "fit", "fill"]),
        }
    }
    if kind.is_none() {
        reader.error(span, "one of `pane`, `rows` and `columns` is wanted here");
    }
    Some(Node { size, kind: kind? })
}

fn nodes<'t>(reader: &mut Reader<'t>, value: &Value<'t>) -> Vec<Node> {
    let list = reader.list(value);
    list.into_iter()
        .filter_map(|child| {
            if let DeValue::Table(table) = child.get_ref() {
                return node(reader, child.span(), table, &[]);
            }
            reader.error(child.span(), "a table like { pane = \"logs\" } is wanted here");
            None
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn solve(width: u16, height: u16, processes: u16, facts: u16) -> Areas {
        let wants = move |pane| match pane {
            Pane::Processes => processes + 1,
            Pane::Happened if facts == 0 => 0,
            Pane::Happened => facts + 1,
            Pane::Details | Pane::Expectations | Pane::Steps => 0,
            Pane::Chain | Pane::Note | Pane::Traffic | Pane::Said => 5,
            Pane::Logs | Pane::Events | Pane::Alerts => 7,
        };
        Layout::built_in("default").expect("shipped").solve(Rect::new(0, 0, width, height), &wants, None)
    }

    fn rows(areas: &Areas) -> Vec<(Pane, u16, u16)> {
        areas.panes.iter().map(|(pane, area)| (*pane, area.y, area.height)).collect()
    }

    #[test]
    fn every_layout_that_is_shipped_parses() {
        for (name, text) in BUILT_IN {
            let layout = Layout::parse(name, text).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(layout.name(), name);
        }
    }

    #[test]
    fn the_default_layout_stands_as_drawn_at_120x40_and_80x24() {
        let areas = solve(120, 40, 4, 0);
        assert_eq!(rows(&areas), [(Pane::Processes, 1, 5), (Pane::Logs, 6, 25), (Pane::Events, 31, 7)]);
        assert_eq!((areas.message.y, areas.hints.y), (38, 39));
        let areas = solve(120, 40, 4, 4);
        assert_eq!(rows(&areas)[1], (Pane::Happened, 6, 5));
        let areas = solve(80, 24, 4, 0);
        assert_eq!(rows(&areas), [(Pane::Processes, 1, 5), (Pane::Logs, 6, 17)]);
        assert_eq!((areas.message.height, areas.hints.y), (0, 23));
    }

    #[test]
    fn the_table_never_takes_more_than_two_fifths_of_the_height() {
        assert_eq!(rows(&solve(80, 24, 30, 0))[0], (Pane::Processes, 1, 9));
        assert_eq!(rows(&solve(40, 10, 30, 0))[0], (Pane::Processes, 1, 4));
    }

    #[test]
    fn at_200_the_log_stands_beside_the_table() {
        let areas = solve(200, 60, 4, 0);
        let logs = areas.of(Pane::Logs).expect("there is room");
        assert_eq!((logs.x, logs.y, logs.width), (121, 1, 79));
        assert_eq!(areas.stage, logs);
    }

    #[test]
    fn mistakes_are_told_with_their_places() {
        let text = "[[variant]]\nrows = [{ pane = \"log\" }, { fit = \"lots\", pane = \"events\" }]\n";
        let errors = Layout::parse("mine.toml", text).expect_err("mistakes").0;
        assert_eq!(errors[0].to_string().lines().next(), Some("mine.toml:2:18: unknown pane \"log\"; did you mean \"logs\"?"));
        assert!(errors.iter().any(|e| e.message.contains("40%")));
    }

    proptest! {
        #[test]
        fn no_pane_leaves_the_screen_or_covers_another(w in 0u16..300, h in 0u16..100, n in 0u16..2000, facts in 0u16..9, which in 0usize..5) {
            let wants = move |pane| match pane {
                Pane::Processes => n.saturating_add(1),
                Pane::Happened | Pane::Details | Pane::Expectations | Pane::Steps => facts,
                Pane::Chain | Pane::Note | Pane::Traffic | Pane::Said => 5,
                Pane::Logs | Pane::Events | Pane::Alerts => 7,
            };
            let layout = Layout::built_in(BUILT_IN[which].0).expect("shipped");
            let areas = layout.solve(Rect::new(0, 0, w, h), &wants, None);
            let all: Vec<Rect> = areas.panes.iter().map(|(_, a)| *a).chain([areas.status, areas.hints, areas.message]).filter(|a| !a.is_empty()).collect();
            for (i, a) in all.iter().enumerate() {
                prop_assert!(areas.screen.union(*a) == areas.screen);
                for b in &all[..i] {
                    prop_assert!(!a.intersects(*b), "{a:?} {b:?}");
                }
            }
        }
    }
}
