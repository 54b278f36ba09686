//! The screen for an audience: what a hall can read, and nothing that is private.
//!
//! ```text
//!   title                        what the run is about, how it stands         title
//!   ┌───┐      ┌───┐      ┌───┐
//!   │   │─────▶│   │─────▶│   │  the chain as it is wired, with live counts   chain, picture, inside, links
//!   └───┘      └───┘      └───┘
//!   ━━━━━━━━━━━━━━━━━━━━━━━━━━━
//!     the author's note, and what was measured below it                      note, seen
//!   ━━━━━━━━━━━━━━━━━━━━━━━━━━━
//!   STEPS    TRAFFIC             one row an exchange, both sides on it         steps, feed
//!   WHAT THEY SAY                lines that matter, repeated ones counted      said
//!   PgDn next              [ x ]  the presenter's keys, the last key pressed   keys
//! ```
//!
//! A layout with `audience = true` has these panes and this title. Nothing here is written by hand: the chain is drawn from
//! taps, else from ports, and what is `Seen` from what went through taps since the step began. So it is made from any scenario.

pub(crate) mod chain;
pub(crate) mod feed;
mod inside;
pub(crate) mod keys;
mod links;
pub(crate) mod note;
pub(crate) mod picture;
pub(crate) mod said;
pub(crate) mod seen;
pub(crate) mod spoken;
pub(crate) mod steps;
pub(crate) mod title;

use crate::model::At;

/// Blank cells at both sides of everything.
pub(crate) const MARGIN: u16 = 2;

/// A moment of the run as an audience reads it: minutes and seconds, with so many digits behind the point.
pub(crate) fn clock(at: At, digits: usize) -> String {
    let ms = at.millis();
    let fraction = format!("{:03}", ms % 1000);
    let point = if digits == 0 { "" } else { "." };
    format!("{}:{:02}{point}{}", ms / 60_000, ms / 1000 % 60, &fraction[..digits.min(3)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_minutes_and_seconds() {
        assert_eq!([0, 1, 3].map(|digits| clock(At(62_345_678), digits)), ["1:02", "1:02.3", "1:02.345"]);
    }
}
