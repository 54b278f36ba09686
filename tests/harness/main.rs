//! The harness as test suites use it: real processes, in every kind of test, and nothing left.

#[path = "../support/mod.rs"]
mod support;

mod flow;
