//! Files of other tools as scenarios: a Procfile, process-compose's and mprocs' YAML.
//!
//! ```text
//!   file ──detect──▶ procfile ─┐
//!                    compose  ─┼─▶ Draft ──write──▶ a scenario's text, and what has no equivalent
//!                    mprocs   ─┘
//! ```
//!
//! What comes out is a file that a person goes on with, so it is written as a person would: only what was said, in the order
//! it was said. What the other tool has and a scenario has not is told in words and stands in the file's first lines. And it is
//! a scenario: whatever stands in the other file, `check` accepts what becomes of it.
//!
//! - [`draft`] is the scenario in the making: names that it takes, keys, notes.
//! - [`phrase`] writes texts as TOML, with what is to be filled in in them.
//! - [`probes`] are process-compose's two.
//!
//! The YAML readers are there with the feature `yaml`; their parser bounds aliases, depth and size by itself.

#[cfg(feature = "yaml")]
mod compose;
mod detect;
mod draft;
#[cfg(feature = "yaml")]
mod mprocs;
mod phrase;
#[cfg(feature = "yaml")]
mod probes;
mod procfile;
#[cfg(feature = "yaml")]
mod yaml;

pub(super) use detect::import_shown;
pub use detect::{ImportError, Imported, import, import_for, is_foreign};
