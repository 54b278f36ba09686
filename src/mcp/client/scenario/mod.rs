//! What a test client can do, a file for each shape of test.
//!
//! A scenario gives the words of the test's last line, or why it failed.

mod auth;
mod calls;
mod loss;
mod run;
mod stream;

pub(super) use run::run;
