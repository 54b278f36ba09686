//! The project under test would be here.
