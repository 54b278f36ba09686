//! The panes: each draws one part of the screen from a [`Scene`](super::scene::Scene) and changes nothing.

pub(crate) mod alerts;
pub(crate) mod columns;
pub(crate) mod events;
pub(crate) mod expectations;
pub(crate) mod happened;
pub(crate) mod health;
pub(crate) mod lifecycle;
pub(crate) mod line;
pub(crate) mod logs;
pub(crate) mod processes;
pub(crate) mod rule;
pub(crate) mod state;
pub(crate) mod steps;
