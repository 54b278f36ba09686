//! Keys of the language that are read and checked, but that no part of this version acts on. Using one is an error with its
//! place: a scenario never runs differently from what it says. A key leaves these lists when it is honoured.

/// Of `health`: a line is no answer to a question, and how long one counts is not said.
pub(super) const HEALTH: &[&str] = &["log"];
