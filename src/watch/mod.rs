//! Files that are watched for processes which restart when one of them changes.
//!
//! ```text
//!   inotify ──▶ Folders ──path──▶ who wants it? ──▶ Debounce (500 ms of silence) ──▶ WatchNews
//! ```
//!
//! - [`folders`] are the folders that can hold a match, each watched for what is written, moved or removed in it. They are looked
//!   for again where one appears; links to folders are not followed.
//! - [`debounce`] makes one change of many: a save is several events, a checkout thousands.
//! - [`scratch`] knows the files that editors put beside the ones they save, and ours.
//! - [`watcher`] is the thread that does it all. Where the system allows no more, it says so, and goes on with what it has.
//!
//! It is the system's inotify without a crate in between: those watch whole trees, and the point of globs and exceptions is that
//! `target` and `node_modules` cost nothing.

mod debounce;
mod folders;
mod scratch;
mod watcher;

pub(crate) use watcher::{Wanted, WatchNews, Watcher};
