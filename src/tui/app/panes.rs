//! The panes beside table and log: what moves their cursors, and what Enter opens from them.
//!
//! Events, alerts and "What happened" have no place of their own: they share the log's, so that all panes tell of one
//! moment. Who moves in one of them moves the log.

use crate::{
    model::FaultSpec,
    tui::{layout::Pane, logview::desk::Seek},
};

use super::{
    log::Scope,
    state::{App, Outcome, World},
};

/// Where the cursors of these panes are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Panes {
    /// The event that the log was last sent to, while nobody has gone elsewhere in it.
    pub(crate) event: Option<u64>,
    /// The chosen expectation, in the order of the file.
    pub(crate) expectation: usize,
    /// The chosen step, in the order of the file.
    pub(crate) step: usize,
    /// Lines of the details scrolled away.
    pub(crate) details: usize,
    /// What was last done to the traffic of a tap.
    pub(crate) fault: Option<FaultSpec>,
}

impl App {
    /// Between table and log; from any other pane to the table.
    pub(super) fn focus_next(&mut self) {
        self.focus = if self.focus == Pane::Processes { Pane::Logs } else { Pane::Processes };
    }

    /// Backwards through all panes that are shown: table, the others from the last one up, log.
    pub(super) fn focus_previous(&mut self, world: &World<'_>) {
        let others = world.panes.panes.iter().map(|(pane, _)| *pane).filter(|pane| !matches!(pane, Pane::Processes | Pane::Logs));
        let ring: Vec<Pane> = [Pane::Processes, Pane::Logs].into_iter().chain(others).collect();
        let at = ring.iter().position(|pane| *pane == self.focus).unwrap_or(0);
        self.focus = ring[(at + ring.len() - 1) % ring.len()];
    }

    /// A pane that is no longer shown cannot keep the focus.
    pub(crate) fn focus_what_is_shown(&mut self, panes: &[Pane]) {
        if !matches!(self.focus, Pane::Processes | Pane::Logs) && !panes.is_empty() && !panes.contains(&self.focus) {
            self.focus = Pane::Processes;
        }
    }

    /// The number of what the log's cursor is on; none while it follows.
    pub(crate) fn moment(&self, world: &World<'_>) -> Option<u64> {
        let row = || world.window.cursor.and_then(|i| world.window.rows.get(i)).map(|row| row.line.seq);
        if self.log.follows() { None } else { self.panes.event.or_else(row) }
    }

    /// Moves in the focused pane, if it is one of these.
    pub(super) fn go_in_pane(&mut self, seek: &Seek, world: &World<'_>) -> Vec<Outcome> {
        let here = self.moment(world);
        let behind = |last_before: &dyn Fn(u64) -> usize| here.map(|seq| last_before(seq).cast_signed() - 1);
        let seek = match self.focus {
            Pane::Events => {
                let listed = world.told.listed_seqs();
                let at = behind(&|seq| listed.partition_point(|listed| *listed <= seq));
                entry(seek, at, listed.len()).map(|at| Seek::Seq(listed[at]))
            }
            Pane::Alerts => {
                let alerts = world.told.alerts();
                let at = behind(&|seq| alerts.partition_point(|alert| alert.seq <= seq));
                entry(seek, at, alerts.len()).and_then(|at| Seek::alert(&alerts[at]))
            }
            Pane::Happened => {
                let at = self.fact.filter(|_| here.is_some()).map(usize::cast_signed);
                let to = entry(seek, at, world.facts.len());
                self.fact = to.or(self.fact);
                to.map(|at| Seek::fact(&world.facts[at]))
            }
            Pane::Expectations => {
                let last = world.snapshot.expectations.len().saturating_sub(1);
                self.panes.expectation = step(self.panes.expectation, seek, last);
                None
            }
            Pane::Steps => {
                self.panes.step = step(self.panes.step, seek, world.snapshot.steps.len().saturating_sub(1));
                None
            }
            Pane::Details => {
                // The frame keeps it within what there is to scroll.
                self.panes.details = step(self.panes.details, seek, usize::from(u16::MAX));
                None
            }
            Pane::Processes | Pane::Logs | Pane::Chain | Pane::Note | Pane::Traffic | Pane::Said => None,
        };
        let Some(seek) = seek else { return Vec::new() };
        if !self.is_tiled() {
            self.log.scope = Scope::All;
        }
        vec![Outcome::Seek(seek)]
    }

    /// Scrolls a pane that the wheel points at; its focus stays where it is.
    pub(crate) fn scroll(&mut self, pane: Pane, way: i64, world: &World<'_>) -> Vec<Outcome> {
        let focus = std::mem::replace(&mut self.focus, pane);
        let outcomes = self.go(Seek::Lines(way), world);
        self.focus = focus;
        outcomes
    }

    /// What Enter does in one of these panes.
    pub(super) fn open_in_pane(&mut self, world: &World<'_>) -> Vec<Outcome> {
        match self.focus {
            Pane::Expectations => return self.go_to_expectation(self.panes.expectation, world),
            Pane::Steps => return self.carry_out_step(self.panes.step, world),
            Pane::Details | Pane::Chain | Pane::Note | Pane::Traffic | Pane::Said => return Vec::new(),
            Pane::Events | Pane::Alerts | Pane::Happened if self.log.follows() => {
                let outcomes = self.go_in_pane(&Seek::Lines(-1), world);
                self.focus = Pane::Logs;
                return outcomes;
            }
            Pane::Events | Pane::Alerts | Pane::Happened | Pane::Processes | Pane::Logs => self.focus = Pane::Logs,
        }
        Vec::new()
    }

    /// To the line that decided an expectation.
    pub(super) fn go_to_expectation(&mut self, at: usize, world: &World<'_>) -> Vec<Outcome> {
        let Some(one) = world.snapshot.expectations.get(at) else { return Vec::new() };
        let decided = u32::try_from(at).ok().and_then(|at| world.told.expected(at)).and_then(Seek::expected);
        let Some(seek) = decided else {
            let process = one.info.process.clone();
            self.complain(world.now, format!("no line has decided it: {process} {}", one.info.words()));
            return Vec::new();
        };
        self.focus = Pane::Logs;
        self.log.scope = Scope::All;
        vec![Outcome::Seek(seek)]
    }
}

/// The entry that `seek` leads to from entry `at`, of `len`; an `at` of none is behind the last. None: stay.
fn entry(seek: &Seek, at: Option<isize>, len: usize) -> Option<usize> {
    let last = len.checked_sub(1)?.cast_signed();
    let by = match seek {
        Seek::Lines(lines) => *lines as isize,
        Seek::HalfPages(halves) => (halves * HALF) as isize,
        Seek::First => return Some(0),
        _ => return Some(len - 1),
    };
    // Who follows is at the end already.
    if at.is_none() && by >= 0 { None } else { Some(at.unwrap_or(last + 1).saturating_add(by).clamp(0, last).cast_unsigned()) }
}

/// Entries of half a page; these panes are low.
const HALF: i64 = 5;

fn step(at: usize, seek: &Seek, last: usize) -> usize {
    let to = match seek {
        Seek::Lines(lines) => at.saturating_add_signed(*lines as isize),
        Seek::HalfPages(halves) => at.saturating_add_signed((halves * HALF) as isize),
        Seek::First => 0,
        _ => last,
    };
    to.min(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_walked_from_the_end_and_between_their_ends() {
        let walk = |seek, at| entry(&seek, at, 5);
        assert_eq!(walk(Seek::Lines(-1), None), Some(4), "who follows comes to the last one first");
        assert_eq!(walk(Seek::Lines(1), None), None);
        assert_eq!((walk(Seek::Lines(-1), Some(4)), walk(Seek::Lines(1), Some(4))), (Some(3), Some(4)));
        assert_eq!((walk(Seek::Lines(1), Some(-1)), walk(Seek::HalfPages(-2), Some(3))), (Some(0), Some(0)));
        assert_eq!((walk(Seek::First, None), walk(Seek::Follow, Some(0)), entry(&Seek::First, None, 0)), (Some(0), Some(4), None));
    }
}
