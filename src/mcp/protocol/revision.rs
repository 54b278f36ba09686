//! Revisions of the specification, by their dates.

use std::{fmt, str::FromStr};

/// A revision, oldest first. All but the last open with a handshake.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Revision {
    /// The first. Its own HTTP transport is not here; over streamable HTTP, as over stdio, only its messages are.
    V2024_11_05,
    /// The first with streamable HTTP; has batches, no version header.
    V2025_03_26,
    /// Drops batches, adds the version header. What Shadowcat's documents describe.
    #[default]
    V2025_06_18,
    /// Adds resumable streams with a priming event.
    V2025_11_25,
    /// Drops the handshake, sessions and GET streams: each request says all there is to know.
    V2026_07_28,
}

/// A text that names no revision the parts speak.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no revision this part speaks: use 2024-11-05, 2025-03-26, 2025-06-18, 2025-11-25 or 2026-07-28")]
pub struct UnknownRevision(pub String);

impl Revision {
    /// All of them, oldest first.
    pub const ALL: [Self; 5] = [Self::V2024_11_05, Self::V2025_03_26, Self::V2025_06_18, Self::V2025_11_25, Self::V2026_07_28];
    /// Those that open with a handshake, oldest first.
    pub const WITH_HANDSHAKE: [Self; 4] = [Self::V2024_11_05, Self::V2025_03_26, Self::V2025_06_18, Self::V2025_11_25];

    /// Its date, as it stands in messages and headers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2024_11_05 => "2024-11-05",
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// What a server that speaks `newest` and all before it answers to a handshake that wants `wanted`: the same
    /// if it can, else the newest it has that opens with a handshake.
    pub fn negotiate(newest: Self, wanted: &str) -> Self {
        let newest = newest.min(Self::V2025_11_25);
        wanted.parse().ok().filter(|wanted| *wanted <= newest).unwrap_or(newest)
    }

    /// Whether it has neither handshake nor sessions.
    pub fn is_stateless(self) -> bool {
        self >= Self::V2026_07_28
    }

    /// Whether a POST may hold an array of messages.
    pub fn has_batches(self) -> bool {
        self == Self::V2025_03_26
    }

    /// Whether a stream opens with an event that has an id and no data, from which it could be resumed.
    pub fn has_priming_events(self) -> bool {
        self == Self::V2025_11_25
    }

    /// Whether requests after the handshake name the revision in a header.
    pub fn has_version_header(self) -> bool {
        self >= Self::V2025_06_18
    }
}

impl FromStr for Revision {
    type Err = UnknownRevision;
    fn from_str(text: &str) -> Result<Self, UnknownRevision> {
        Self::ALL.into_iter().find(|revision| revision.as_str() == text).ok_or_else(|| UnknownRevision(text.chars().take(40).collect()))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_takes_what_the_client_wants_if_it_can() {
        let negotiate = |wanted| Revision::negotiate(Revision::V2025_06_18, wanted).as_str();
        assert_eq!(negotiate("2025-03-26"), "2025-03-26");
        assert_eq!(negotiate("2025-06-18"), "2025-06-18");
        assert_eq!(negotiate("2025-11-25"), "2025-06-18", "newer than the server");
        assert_eq!(negotiate("2024-10-07"), "2025-06-18", "older than it speaks");
        assert_eq!(Revision::negotiate(Revision::V2026_07_28, "2026-07-28").as_str(), "2025-11-25", "the newest with a handshake");
    }
}
