//! The dashboard without a terminal: stories told as events and output, and what the screen makes of them.

mod demo;
mod gallery;
mod hostile;
mod keys;
mod overlays;
mod panes;
mod past;
mod recorded;
mod rows;
mod screens;
mod steps;
mod stories;
mod theatre;
mod timed;

pub(super) use theatre::{options, text as picture};
