//! What lies over the panes: lists and texts on the stage, below a rule; their keys stand in the last row.

mod alerts;
mod details;
mod draw;
mod exchange;
mod expectations;
mod help;
mod lists;
mod own_log;
mod shell;
mod steps;
mod timeline;
mod traffic;

pub(crate) use details::{alert_sparks, sparks};
pub(crate) use draw::{details_pane, draw, question};
pub(crate) use exchange::again;
pub(crate) use own_log::{collect as collect_own_log, install as install_own_log};
pub(crate) use shell::command as command_of;
