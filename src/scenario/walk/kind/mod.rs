//! The ready-made kinds: each turns its own keys into a command line, an environment and a readiness.
//!
//! The built-in parts are subcommands of this very program (`part …`); tokens reach them by environment, since a command
//! line can be read by everybody on the machine.

mod client;
mod recipe;
mod shadowcat;
mod upstream;
mod validator;
