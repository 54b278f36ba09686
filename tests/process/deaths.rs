//! Deaths of the supervisor and of the guardian, by every means.
