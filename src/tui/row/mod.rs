//! The rows that belong to the screen as a whole: status on top, notices and hints at the bottom.

pub(crate) mod hints;
pub(crate) mod message;
pub(crate) mod prompt;
pub(crate) mod status;
pub(crate) mod typing;
