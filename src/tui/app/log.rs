//! What a log pane shows and where it stands. Plain state: reading the log is the desk's.

use std::collections::BTreeSet;

use crate::{
    logs::{Pattern, Token},
    model::{At, ProcessId},
    tui::logview::query::Query,
};

/// Whose lines a pane shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Everybody's.
    #[default]
    All,
    /// Those of the ticked processes.
    Ticked,
    /// Those of the selected process.
    One,
}

/// Where the window is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Place {
    /// At the end, and staying there.
    #[default]
    Follow,
    /// Elsewhere. New lines arrive below.
    Parked {
        /// The row under the cursor.
        cursor: u64,
        /// The first row shown.
        top: u64,
    },
}

/// How the time column tells the time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum TimeForm {
    /// Seconds since the run's start.
    #[default]
    SinceStart,
    /// The time of day.
    Wall,
    /// Seconds since the line above.
    Delta,
    /// As the line says it.
    AsWritten,
}

impl TimeForm {
    /// The next one.
    pub(crate) fn next(self) -> Self {
        match self {
            Self::SinceStart => Self::Wall,
            Self::Wall => Self::Delta,
            Self::Delta => Self::AsWritten,
            Self::AsWritten => Self::SinceStart,
        }
    }

    /// In the pane's title.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::SinceStart => "t+s",
            Self::Wall => "clock",
            Self::Delta => "delta",
            Self::AsWritten => "own time",
        }
    }

    /// Cells of its column.
    pub(crate) fn cells(self) -> u16 {
        match self {
            Self::SinceStart | Self::Delta => 9,
            Self::Wall => 12,
            Self::AsWritten => 15,
        }
    }
}

/// The state of a log pane.
#[derive(Debug, Clone, Default)]
pub(crate) struct LogState {
    pub(crate) scope: Scope,
    pub(crate) place: Place,
    pub(crate) time: TimeForm,
    pub(crate) wrap: bool,
    /// Lines as they were written, with their own prefix and whole ids.
    pub(crate) as_written: bool,
    /// Cells scrolled away on the left.
    pub(crate) sideways: u16,
    pub(crate) within: Option<Pattern>,
    pub(crate) without: Option<Pattern>,
    pub(crate) find: Option<Pattern>,
    pub(crate) token: Option<Token>,
    /// When the line was said whose token it is.
    pub(crate) token_at: At,
    /// The moment of a line that holds no token: what is near it in time is all there is to go by.
    pub(crate) near: Option<At>,
    pub(crate) alerts_only: bool,
    /// Lines that only tell of health probes are shown one by one.
    pub(crate) show_probes: bool,
    pub(crate) muted: BTreeSet<ProcessId>,
    pub(crate) context: u16,
    /// Somebody walks from alert to alert, so they must be known.
    pub(crate) walks_alerts: bool,
    /// First rows of the blocks that are unfolded.
    pub(crate) unfolded: BTreeSet<u64>,
    /// What has a lower number has been cleared from the view.
    pub(crate) cleared_before: u64,
    /// What has a higher number has not been said yet at the instant that is shown.
    pub(crate) until: Option<u64>,
    /// Where a selection of lines began.
    pub(crate) select_from: Option<u64>,
    /// The first and last row of the last frame.
    pub(crate) last_seen: (u64, u64),
}

impl LogState {
    /// What each line is asked.
    pub(crate) fn query(&self) -> Query {
        Query {
            within: self.within.clone(),
            without: self.without.clone(),
            alerts_only: self.alerts_only,
            muted: self.muted.clone(),
            context: self.context,
            find: self.find.clone(),
            token: self.token.clone(),
            token_at: self.token_at,
            alerts: self.walks_alerts,
        }
    }

    /// The row under the cursor; while following, the last one shown.
    pub(crate) fn cursor(&self) -> u64 {
        match self.place {
            Place::Follow => self.last_seen.1,
            Place::Parked { cursor, .. } => cursor,
        }
    }

    /// Whether it stays at the end.
    pub(crate) fn follows(&self) -> bool {
        self.place == Place::Follow
    }

    /// Lets go of everything that hides lines.
    pub(crate) fn clear_filters(&mut self) {
        self.cleared_before = 0;
        self.within = None;
        self.without = None;
        self.alerts_only = false;
        self.muted.clear();
        self.context = 0;
    }
}
