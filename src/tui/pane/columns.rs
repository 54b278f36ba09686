//! The columns of the table, by the width there is.

/// A column of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    Mark,
    Number,
    Process,
    Role,
    Kind,
    State,
    Health,
    Restarts,
    Up,
    Pid,
    Port,
    Cpu,
    Memory,
    LinesPerSecond,
    Alerts,
    Detail,
    Unseen,
}

/// A column in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) column: Column,
    pub(crate) x: u16,
    pub(crate) width: u16,
}

/// The columns for each width from which they are shown. A width of 0 stands for all the room there is.
const NARROW: &[(Column, u16)] = &[(Column::Mark, 1), (Column::Number, 2), (GAP, 1), (Column::Process, 11), (Column::State, 0)];
const AT_80: &[(Column, u16)] = &[
    (Column::Mark, 1),
    (Column::Number, 2),
    (GAP, 1),
    (Column::Process, 11),
    (Column::State, 0),
    (Column::Health, 15),
    (Column::Restarts, 3),
    (Column::Up, 7),
    (Column::Port, 7),
    (Column::Alerts, 4),
    (GAP, 1),
    (Column::Unseen, 1),
];
const AT_120: &[(Column, u16)] = &[
    (Column::Mark, 1),
    (Column::Number, 2),
    (GAP, 1),
    (Column::Process, 11),
    (Column::Role, 9),
    (Column::State, 0),
    (Column::Health, 18),
    (Column::Restarts, 4),
    (Column::Up, 7),
    (Column::Pid, 7),
    (Column::Port, 7),
    (Column::Cpu, 6),
    (Column::Memory, 8),
    (Column::LinesPerSecond, 6),
    (Column::Alerts, 4),
    (GAP, 1),
    (Column::Unseen, 1),
];
const AT_160: &[(Column, u16)] = &[
    (Column::Mark, 1),
    (Column::Number, 2),
    (GAP, 1),
    (Column::Process, 11),
    (Column::Role, 9),
    (Column::Kind, 15),
    (Column::State, 27),
    (Column::Health, 18),
    (Column::Restarts, 4),
    (Column::Up, 7),
    (Column::Pid, 7),
    (Column::Port, 7),
    (Column::Cpu, 6),
    (Column::Memory, 8),
    (Column::LinesPerSecond, 6),
    (Column::Alerts, 4),
    (GAP, 2),
    (Column::Detail, 0),
    (GAP, 1),
    (Column::Unseen, 1),
];

/// Cells that belong to no column: a mark of width 0 never shows anything.
const GAP: Column = Column::Mark;

/// The columns for a table `width` cells wide.
pub(crate) fn columns(width: u16) -> Vec<Placed> {
    let set = match width {
        0..80 => NARROW,
        80..120 => AT_80,
        120..160 => AT_120,
        160.. => AT_160,
    };
    let fixed: u16 = set.iter().map(|(_, width)| width).sum();
    let rest = width.saturating_sub(fixed);
    let mut x = 0;
    let mut placed = Vec::with_capacity(set.len());
    for (column, cells) in set {
        let cells = if *cells == 0 { rest } else { *cells };
        // The first cell is the mark's; later ones of its kind are gaps.
        if *column != GAP || x == 0 {
            placed.push(Placed { column: *column, x, width: cells.min(width.saturating_sub(x)) });
        }
        x = (x + cells).min(width);
    }
    placed.retain(|column| column.width > 0);
    placed
}

impl Column {
    /// Its heading.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Column::Mark | Column::Unseen => "",
            Column::Number => "#",
            Column::Process => "PROCESS",
            Column::Role => "ROLE",
            Column::Kind => "KIND",
            Column::State => "STATE",
            Column::Health => "HEALTH",
            Column::Restarts => "RST",
            Column::Up => "UP",
            Column::Pid => "PID",
            Column::Port => "PORT",
            Column::Cpu => "CPU%",
            Column::Memory => "MEM",
            Column::LinesPerSecond => "LN/S",
            Column::Alerts => "ERR",
            Column::Detail => "DETAILS",
        }
    }

    /// Whether its text ends at its right edge.
    pub(crate) fn is_right(self) -> bool {
        match self {
            Column::Number
            | Column::Restarts
            | Column::Up
            | Column::Pid
            | Column::Port
            | Column::Cpu
            | Column::Memory
            | Column::LinesPerSecond
            | Column::Alerts => true,
            Column::Mark
            | Column::Process
            | Column::Role
            | Column::Kind
            | Column::State
            | Column::Health
            | Column::Detail
            | Column::Unseen => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(width: u16) -> String {
        let text = columns(width).iter().map(|c| format!("{} {}-{}", c.column.title(), c.x, c.x + c.width - 1)).collect::<Vec<_>>();
        text.join(" · ")
    }

    #[test]
    fn columns_stand_where_they_are_drawn() {
        assert_eq!(
            spans(120),
            " 0-0 · # 1-2 · PROCESS 4-14 · ROLE 15-23 · STATE 24-50 · HEALTH 51-68 · RST 69-72 · UP 73-79 · PID 80-86 · PORT 87-93 · \
             CPU% 94-99 · MEM 100-107 · LN/S 108-113 · ERR 114-117 ·  119-119"
        );
        assert_eq!(
            spans(80),
            " 0-0 · # 1-2 · PROCESS 4-14 · STATE 15-41 · HEALTH 42-56 · RST 57-59 · UP 60-66 · PORT 67-73 · ERR 74-77 ·  79-79"
        );
        assert_eq!(spans(40), " 0-0 · # 1-2 · PROCESS 4-14 · STATE 15-39");
    }

    #[test]
    fn more_width_goes_to_the_reason_and_then_to_details() {
        assert!(spans(100).contains("STATE 15-61 · HEALTH 62-76"), "{}", spans(100));
        assert!(spans(160).contains("KIND 24-38 · STATE 39-65"), "{}", spans(160));
        assert!(spans(160).contains("DETAILS 135-157 ·  159-159"), "{}", spans(160));
    }

    #[test]
    fn no_width_is_too_small() {
        for width in 0..300 {
            let mut end = 0;
            for column in columns(width) {
                assert!(column.x >= end && column.x + column.width <= width, "{width}: {column:?}");
                end = column.x + column.width;
            }
        }
    }
}
