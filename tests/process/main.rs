//! Real children in every shape, under both spawners: each fault of the board by its id, and nobody left after any of them.

mod deaths;
mod starts;
mod support;
mod trees;
