//! The supervisor: decides and carries out.
pub(crate) mod machine;
