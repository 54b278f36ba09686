//! The harness as test suites use it: real processes, in every kind of test, and nothing left.

#![expect(clippy::print_stdout, reason = "programs that the tests start tell them how far they are")]

#[path = "../support/mod.rs"]
mod support;

mod archives;
mod cancelled;
mod cancelled_rest;
mod client;
mod errors;
mod flow;
mod guards;
mod guide;
mod logs;
mod managed;
mod many;
mod pool;
mod scenarios;
mod words;
mod yard;
