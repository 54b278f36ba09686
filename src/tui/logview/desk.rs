//! One log on the screen: turns a place in it into the rows to draw, and a wish to be elsewhere into a place.
//!
//! Places are rows of the view, which never move. What is shown of them may be a part (filters) and fold (blocks), so
//! every step is taken among the rows that are shown.

use std::{cell::RefCell, io, sync::Arc};

use crate::{
    logs::{LogLine, LogStore, LogView, RowSet, Selection, Shared},
    model::At,
    tui::fold::{Row, fold},
};

pub(crate) use super::seek::{Seek, Sought, Way};
use super::{
    query::{Query, Question},
    scan::Scanner,
};
use crate::tui::app::log::{LogState, Place};

/// Rows to draw, and how they stand to the rest.
#[derive(Debug, Clone, Default)]
pub(crate) struct Window {
    pub(crate) rows: Vec<Row>,
    /// Rows of the whole log.
    pub(crate) total: u64,
    /// Rows that filters leave.
    pub(crate) shown: u64,
    /// Rows below the last one drawn.
    pub(crate) newer: u64,
    /// The row under the cursor, as an index of `rows`; none while following.
    pub(crate) cursor: Option<usize>,
    /// When the line under the cursor was said.
    pub(crate) cursor_at: Option<At>,
    /// Whether filters have been asked of every line yet.
    pub(crate) complete: bool,
    /// Which match the cursor is on or behind, from 1, and how many there are; if something is looked for.
    pub(crate) found: Option<(u64, u64)>,
    /// Who shares the token that is looked for, once that is known.
    pub(crate) shared: Option<Shared>,
    /// Why nothing can be read.
    pub(crate) error: Option<String>,
}

/// One log on the screen.
pub(crate) struct Desk {
    store: Arc<LogStore>,
    view: LogView,
    scanner: Option<Scanner>,
    tell: Arc<dyn Fn() + Send + Sync>,
    asked: Option<(Selection, Query)>,
    /// Rows that filters leave, with their context; made anew when there are more of them.
    widened: RefCell<((u64, u16, u64), RowSet)>,
    changed: u64,
    /// The chunk of the line under the cursor, to find it again in another selection.
    cursor_seq: u64,
    /// Rows before this one are cleared from the view.
    floor: u64,
    /// This row and those after it have not been said yet at the instant that is shown.
    end: u64,
}

/// Lines before a window that may hold the beginning of a block in it.
const MARGIN: u64 = 64;

/// Lines looked through for one screen; a folded block of this length would be a screen's one line.
const MOST: u64 = 16_384;

impl Desk {
    /// A desk for `store`. `tell` is called from another thread when a scan has found something.
    pub(crate) fn new(store: Arc<LogStore>, tell: Arc<dyn Fn() + Send + Sync>) -> Self {
        let view = LogView::new(Selection::All);
        Self {
            store,
            view,
            scanner: None,
            tell,
            asked: None,
            widened: RefCell::default(),
            changed: u64::MAX,
            cursor_seq: 0,
            floor: 0,
            end: 0,
        }
    }

    /// Takes in what has been said since, and what the pane wants to see now.
    pub(crate) fn refresh(&mut self, log: &mut LogState, selection: &Selection) -> io::Result<()> {
        let moved = self.store.changed();
        let other = self.view.selection() != selection;
        if other {
            self.view = LogView::new(selection.clone());
        }
        if other || moved != self.changed {
            self.view.refresh(&self.store);
        }
        self.end = match log.until {
            Some(until) => self.view.row_at_seq(&self.store, until.saturating_add(1))?,
            None => self.view.len(),
        };
        if other {
            log.unfolded.clear();
            log.select_from = None;
            if let Place::Parked { cursor, top } = &mut log.place {
                *cursor = self.view.row_at_seq(&self.store, self.cursor_seq)?.min(self.end.saturating_sub(1));
                *top = cursor.saturating_sub(3);
            }
        }
        self.floor = if log.cleared_before == 0 { 0 } else { self.view.row_at_seq(&self.store, log.cleared_before)? };
        self.ask(log, selection, moved != self.changed);
        self.changed = moved;
        Ok(())
    }

    fn ask(&mut self, log: &LogState, selection: &Selection, more: bool) {
        let query = log.query();
        if !query.asks() {
            self.asked = None;
            return;
        }
        if self.scanner.is_none() {
            let tell = self.tell.clone();
            // Without the thread there is no filter; the log itself still shows.
            self.scanner = Scanner::start(self.store.clone(), move || tell()).ok();
        }
        let Some(scanner) = &self.scanner else { return };
        let same =
            self.asked.as_ref().is_some_and(|(asked, of)| asked == selection && *of == Query { context: of.context, ..query.clone() });
        if !same {
            scanner.ask(selection.clone(), &query);
        } else if more {
            scanner.nudge();
        }
        self.asked = Some((selection.clone(), query));
    }

    /// Looks at the rows that filters leave, with the lines around them that are wanted.
    fn with_shown<T>(&self, look: impl FnOnce(&RowSet) -> T) -> Option<T> {
        let (_, query) = self.asked.as_ref().filter(|(_, query)| query.hides())?;
        let answers = self.scanner.as_ref()?.answers()?;
        let rows = answers.rows(Question::Shown.number());
        if query.context == 0 {
            return Some(look(rows));
        }
        let mut widened = self.widened.borrow_mut();
        let key = (rows.len(), query.context, self.view.len());
        if widened.0 != key {
            *widened = (key, rows.widened(u64::from(query.context), self.view.len()));
        }
        Some(look(&widened.1))
    }

    fn hides(&self) -> bool {
        self.asked.as_ref().is_some_and(|(_, query)| query.hides()) && self.scanner.is_some()
    }

    /// Rows shown before row `row`.
    fn position(&self, row: u64) -> u64 {
        let row = row.min(self.end);
        let shown = self.with_shown(|set| set.rank(row).saturating_sub(set.rank(self.floor)));
        shown.unwrap_or_else(|| row.saturating_sub(self.floor))
    }

    fn shown(&self) -> u64 {
        self.position(self.end)
    }

    /// The lines at positions `from..from + count` of those shown.
    fn lines(&self, from: u64, count: u64) -> io::Result<Vec<LogLine>> {
        let count = count.min(self.shown().saturating_sub(from));
        let rows = self.with_shown(|set| {
            let first = set.rank(self.floor) + from;
            set.nth(first).map_or_else(Vec::new, |row| set.iter(row..self.end).take(count as usize).collect::<Vec<_>>())
        });
        match rows {
            Some(rows) => self.view.rows(&self.store, &rows),
            None => self.view.window(&self.store, self.floor + from, count as usize),
        }
    }

    /// Shown rows from position `from` on, folded; filters show every line they leave.
    fn rows(&self, log: &LogState, from: u64, count: u64) -> io::Result<Vec<Row>> {
        let lines = self.lines(from, count)?;
        if self.hides() || log.as_written {
            return Ok(lines.into_iter().map(|line| Row { line, folded: Vec::new() }).collect());
        }
        Ok(fold(lines, &log.unfolded, log.show_probes))
    }

    /// The rows to draw in `height` rows of the screen; `tall` says how many a row takes.
    pub(crate) fn window(&mut self, log: &mut LogState, height: u16, tall: &dyn Fn(&Row) -> u16) -> Window {
        match self.try_window(log, height, tall) {
            Ok(window) => window,
            Err(error) => Window { error: Some(format!("this part of the log cannot be read: {error}")), ..Window::default() },
        }
    }

    fn try_window(&mut self, log: &mut LogState, height: u16, tall: &dyn Fn(&Row) -> u16) -> io::Result<Window> {
        let len = self.shown();
        let mut window = Window { total: self.end, shown: len, ..Window::default() };
        let top = match log.place {
            Place::Follow => None,
            Place::Parked { top, .. } => Some(self.position(top)),
        };
        let mut reach = MARGIN + 2 * u64::from(height);
        loop {
            let from = top.unwrap_or(len).saturating_sub(if top.is_some() { MARGIN } else { reach });
            let rows = self.rows(log, from, reach + MARGIN)?;
            let at_end = from + reach + MARGIN >= len;
            let at_start = from == 0;
            let first = match log.place {
                Place::Follow => last_screen(&rows, height, tall),
                Place::Parked { top, .. } => {
                    let first = rows.iter().rposition(|row| row.line.row <= top).unwrap_or(0);
                    // A short rest of the log fills the screen from below.
                    if at_end { first.min(last_screen(&rows, height, tall)) } else { first }
                }
            };
            let enough = match log.place {
                Place::Follow => first > 0 || at_start,
                Place::Parked { .. } => at_end || fits(&rows[first..], height, tall) < rows.len() - first,
            };
            if enough || reach >= MOST {
                let last = first + fits(&rows[first..], height, tall);
                window.rows = rows.into_iter().take(last).skip(first).collect();
                break;
            }
            reach *= 4;
        }
        self.finish(log, &mut window);
        Ok(window)
    }

    fn finish(&mut self, log: &mut LogState, window: &mut Window) {
        let end = window.rows.last().map_or(0, |row| row.last() + 1);
        window.newer = window.shown.saturating_sub(self.position(end));
        log.last_seen = (window.rows.first().map_or(0, |row| row.line.row), end.saturating_sub(1));
        match &mut log.place {
            Place::Follow => {
                if let Some(last) = window.rows.last() {
                    self.cursor_seq = last.line.seq;
                }
                window.newer = 0;
            }
            Place::Parked { cursor, top } => {
                let index = window.rows.iter().rposition(|row| row.line.row <= *cursor).unwrap_or(0);
                if let Some(row) = window.rows.get(index) {
                    window.cursor = Some(index);
                    window.cursor_at = Some(row.line.at);
                    self.cursor_seq = row.line.seq;
                    *top = window.rows[0].line.row;
                }
            }
        }
        window.complete = true;
        if let (Some(scanner), Some((_, query))) = (&self.scanner, &self.asked)
            && let Some(filter) = scanner.answers()
        {
            window.complete = filter.is_complete();
            let question = if query.find.is_some() { Some(Question::Found) } else { query.token.as_ref().map(|_| Question::Token) };
            let cursor = window.cursor.and_then(|i| window.rows.get(i)).map_or(u64::MAX, |row| row.line.row);
            let set = question.map(|question| filter.rows(question.number()));
            window.shared = query.token.as_ref().and_then(|_| scanner.sharers());
            window.found = set.map(|set| (set.rank(cursor.saturating_add(1).min(self.end)), set.rank(self.end)));
        }
    }

    /// Goes elsewhere.
    pub(crate) fn seek(&mut self, log: &mut LogState, seek: Seek, height: u16, tall: &dyn Fn(&Row) -> u16) -> io::Result<Sought> {
        let half = i64::from(height / 2).max(1);
        match seek {
            Seek::Follow => log.place = Place::Follow,
            Seek::First => {
                let first = self.lines(0, 1)?.first().map_or(0, |line| line.row);
                log.place = Place::Parked { cursor: first, top: first };
            }
            Seek::Lines(lines) => self.step(log, lines, height, tall)?,
            Seek::HalfPages(pages) => self.step(log, pages * half, height, tall)?,
            Seek::Seq(seq) => {
                let row = self.view.row_at_seq(&self.store, seq)?;
                self.park(log, row, height)?;
            }
            Seek::Line { process, stream, number, seq } => {
                let row = match self.view.row_of(&self.store, &process, stream, number, seq)? {
                    Some(row) => row,
                    None => self.view.row_at_seq(&self.store, seq)?,
                };
                self.park(log, row, height)?;
            }
            Seek::Time(at) => {
                let row = self.view.row_at_time(&self.store, at)?;
                self.park(log, row, height)?;
            }
            Seek::Row(row) => self.park(log, row, height)?,
            Seek::Match(_) | Seek::Nearest | Seek::Alert(_) | Seek::Token(_) => return self.seek_found(log, &seek, height),
        }
        Ok(Sought::Done)
    }

    fn seek_found(&mut self, log: &mut LogState, seek: &Seek, height: u16) -> io::Result<Sought> {
        let cursor = log.cursor();
        let (row, sought) = {
            let Some(scanner) = &self.scanner else { return Ok(Sought::Nothing) };
            let Some(filter) = scanner.answers() else { return Ok(Sought::Nothing) };
            let (question, way) = match *seek {
                Seek::Alert(way) => (Question::Alert, way),
                Seek::Token(way) => (Question::Token, way),
                Seek::Match(way) => (Question::Found, way),
                _ => (Question::Found, Way::Previous),
            };
            let set = filter.rows(question.number());
            let at = if *seek == Seek::Nearest { cursor.saturating_add(1) } else { cursor };
            let next = way.certain(set, &filter.asked(), at.min(self.end)).filter(|row| *row < self.end);
            let around = match way {
                Way::Next => set.nth(0).filter(|row| *row < self.end),
                Way::Previous => set.before(self.end),
            };
            match (next, around) {
                (Some(row), _) => (row, Sought::Done),
                (None, _) if !filter.is_complete() => return Ok(Sought::NotYet),
                (None, Some(row)) => (row, if *seek == Seek::Nearest { Sought::Done } else { Sought::Wrapped }),
                (None, None) => return Ok(Sought::Nothing),
            }
        };
        self.park(log, row, height)?;
        Ok(sought)
    }

    /// Puts the cursor on `row`, with a few lines before it on the screen unless it is on the screen already.
    fn park(&mut self, log: &mut LogState, row: u64, height: u16) -> io::Result<()> {
        let row = row.min(self.end.saturating_sub(1));
        let (first, last) = log.last_seen;
        let before = u64::from(height.saturating_sub(1) / 6);
        let position = self.position(row);
        let top = match log.place {
            Place::Parked { top, .. } if (first..=last).contains(&row) => top,
            Place::Follow | Place::Parked { .. } => self.lines(position.saturating_sub(before), 1)?.first().map_or(row, |line| line.row),
        };
        log.place = Place::Parked { cursor: row, top };
        Ok(())
    }

    /// Moves the cursor by so many of the rows that are shown.
    fn step(&mut self, log: &mut LogState, lines: i64, height: u16, tall: &dyn Fn(&Row) -> u16) -> io::Result<()> {
        if lines >= 0 && log.place == Place::Follow {
            return Ok(());
        }
        let cursor = log.cursor().min(self.end.saturating_sub(1));
        let at = self.position(cursor);
        let mut reach = lines.unsigned_abs() + MARGIN + 2 * u64::from(height);
        loop {
            let from = at.saturating_sub(reach);
            let rows = self.rows(log, from, 2 * reach + 1)?;
            let Some(here) = rows.iter().rposition(|row| row.line.row <= cursor) else { return Ok(()) };
            let by = isize::try_from(lines).unwrap_or(if lines < 0 { isize::MIN } else { isize::MAX });
            let target = here.saturating_add_signed(by).min(rows.len() - 1);
            let cut = (target == 0 && from > 0) || (target + 1 == rows.len() && from + 2 * reach < self.shown());
            if cut && reach < MOST {
                reach *= 4;
                continue;
            }
            let row = rows[target].line.row;
            // The highest top from which the cursor is still on the screen.
            let lowest = last_screen(&rows[..=target], height, tall);
            let top = match log.place {
                Place::Parked { top, .. } => top,
                Place::Follow => log.last_seen.0,
            };
            log.place = Place::Parked { cursor: row, top: top.clamp(rows[lowest].line.row.min(row), row) };
            return Ok(());
        }
    }

    /// The rows `from..=to`, for copying: whole, also where only their beginning is shown.
    pub(crate) fn copy(&self, from: u64, to: u64) -> io::Result<Vec<LogLine>> {
        let first = self.position(from);
        let count = self.position(to.saturating_add(1)).saturating_sub(first);
        self.lines(first, count.min(MOST))?.iter().map(|line| self.view.whole(&self.store, line)).collect()
    }

    /// The number that the next line will come behind: what is cleared from the view comes before it.
    pub(crate) fn newest_seq(&self) -> io::Result<u64> {
        let last = self.view.window(&self.store, self.end.saturating_sub(1), 1)?;
        Ok(last.first().map_or(0, |line| line.seq + 1))
    }
}

/// The first of the last rows that fill `height` rows of the screen.
fn last_screen(rows: &[Row], height: u16, tall: &dyn Fn(&Row) -> u16) -> usize {
    let mut left = height;
    for (i, row) in rows.iter().enumerate().rev() {
        match left.checked_sub(tall(row).max(1)) {
            Some(rest) => left = rest,
            // A line taller than the screen is shown from its beginning.
            None => return (i + 1).min(rows.len() - 1),
        }
    }
    0
}

/// How many of the first rows are seen on `height` rows of the screen, the last perhaps in part.
fn fits(rows: &[Row], height: u16, tall: &dyn Fn(&Row) -> u16) -> usize {
    let mut used = 0u16;
    for (i, row) in rows.iter().enumerate() {
        if used >= height {
            return i;
        }
        used = used.saturating_add(tall(row).max(1));
    }
    rows.len()
}
