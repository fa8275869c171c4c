//! Pitfall 8: not awaiting tasks.

mod at_end;
pub mod dangling;
mod duration;
mod keepers;
mod kept;
mod leaving;
