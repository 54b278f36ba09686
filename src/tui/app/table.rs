//! The table: which row is selected, which are ticked, in which order they stand.

use std::{collections::BTreeSet, sync::Arc};

use crate::model::{ProcessId, ProcessSnapshot, ProcessState};

/// What the rows are sorted by. The order is taken once and stays: rows never move under the hand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Sort {
    #[default]
    File,
    State,
    Cpu,
    Memory,
    Alerts,
}

impl Sort {
    pub(crate) fn next(self) -> Self {
        match self {
            Self::File => Self::State,
            Self::State => Self::Cpu,
            Self::Cpu => Self::Memory,
            Self::Memory => Self::Alerts,
            Self::Alerts => Self::File,
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::File => "the scenario's order",
            Self::State => "state, failures first",
            Self::Cpu => "CPU",
            Self::Memory => "memory",
            Self::Alerts => "alerts",
        }
    }
}

/// The state of the table.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    /// The selected process, as an index of the snapshot's rows.
    pub(crate) selected: usize,
    /// Processes whose logs are wanted together.
    pub(crate) ticked: BTreeSet<ProcessId>,
    pub(crate) sort: Sort,
    order: Vec<usize>,
}

impl Table {
    /// Indexes of the snapshot's rows, as they stand.
    pub(crate) fn order(&self, rows: &[Arc<ProcessSnapshot>]) -> Vec<usize> {
        if self.order.len() == rows.len() { self.order.clone() } else { (0..rows.len()).collect() }
    }

    /// Moves the selection by so many rows, and not beyond the ends.
    pub(crate) fn step(&mut self, rows: &[Arc<ProcessSnapshot>], by: i64) {
        let order = self.order(rows);
        let at = order.iter().position(|index| *index == self.selected).unwrap_or(0);
        let by = isize::try_from(by).unwrap_or(if by < 0 { isize::MIN } else { isize::MAX });
        let to = at.saturating_add_signed(by).min(order.len().saturating_sub(1));
        if let Some(index) = order.get(to) {
            self.selected = *index;
        }
    }

    /// Sorts by the next thing.
    pub(crate) fn sort_next(&mut self, rows: &[Arc<ProcessSnapshot>]) {
        self.sort = self.sort.next();
        self.order = (0..rows.len()).collect();
        let sample = |i: &usize| rows[*i].sample.as_ref();
        match self.sort {
            Sort::File => self.order.clear(),
            Sort::State => self.order.sort_by_key(|i| rank(&rows[*i].state)),
            Sort::Cpu => self.order.sort_by(|a, b| {
                let cpu = |i| sample(i).map_or(0.0, |s| s.cpu_percent);
                cpu(b).total_cmp(&cpu(a))
            }),
            Sort::Memory => self.order.sort_by_key(|i| std::cmp::Reverse(sample(i).map_or(0, |s| s.memory))),
            Sort::Alerts => self.order.sort_by_key(|i| std::cmp::Reverse(rows[*i].alerts)),
        }
    }

    /// Ticks a process, or takes the tick away; how many are ticked then.
    pub(crate) fn tick(&mut self, process: &ProcessId) -> usize {
        if !self.ticked.remove(process) {
            self.ticked.insert(process.clone());
        }
        self.ticked.len()
    }
}

fn rank(state: &ProcessState) -> u8 {
    match state {
        ProcessState::GaveUp { .. } => 0,
        ProcessState::Failed { .. } => 1,
        ProcessState::Unhealthy { .. } => 2,
        ProcessState::Backoff { .. } => 3,
        ProcessState::Pending { .. } => 4,
        ProcessState::Starting { .. } => 5,
        ProcessState::Stopping { .. } => 6,
        ProcessState::Running => 7,
        ProcessState::Ready => 8,
        ProcessState::Stopped { .. } => 9,
        ProcessState::Skipped { .. } => 10,
        ProcessState::Completed => 11,
    }
}
