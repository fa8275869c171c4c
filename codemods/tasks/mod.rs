//! Pitfall 8: not awaiting tasks.

pub mod dangling;
mod keepers;
