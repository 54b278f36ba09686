//! The declarations of a file, read before any process: variables, secrets, ports, and which processes there are.
//!
//! ```text
//!   values     [vars] with --set, [secrets]
//!   processes  [defaults] under each [process.NAME], replicas counted out, what others may ask of them
//!   ports      [ports]
//!   section    what all of them share: tables whose keys are names
//! ```

mod ports;
mod processes;
mod section;
mod values;

pub(super) use section::declare;
pub(super) use values::SetVar;
