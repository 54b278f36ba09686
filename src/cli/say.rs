//! What commands print. `println!` panics when its reader is gone; here that ends the output and nothing else, and whatever
//! else keeps it from being written is remembered: a command whose answer nobody got has not succeeded.

use std::{
    fmt,
    io::{self, ErrorKind, Write},
    sync::OnceLock,
};

static REFUSED: OnceLock<String> = OnceLock::new();

/// Writes to stdout.
pub(super) fn out(text: fmt::Arguments<'_>) {
    if let Err(error) = io::stdout().write_fmt(text).and_then(|()| io::stdout().flush())
        && error.kind() != ErrorKind::BrokenPipe
    {
        let _ = REFUSED.set(error.to_string());
    }
}

/// Writes to stderr. Where that is not possible, nobody can be told.
pub(super) fn err(text: fmt::Arguments<'_>) {
    let _ = io::stderr().write_fmt(text);
}

/// Why something could not be written, if that happened.
pub(super) fn refused() -> Option<&'static str> {
    REFUSED.get().map(String::as_str)
}

/// Whether `error` only says that the reader of the output is gone.
pub(super) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

/// A line on stdout.
macro_rules! say {
    ($($text:tt)*) => { $crate::cli::say::out(format_args!("{}\n", format_args!($($text)*))) };
}

/// A line on stderr.
macro_rules! tell {
    ($($text:tt)*) => { $crate::cli::say::err(format_args!("{}\n", format_args!($($text)*))) };
}

pub(super) use {say, tell};
