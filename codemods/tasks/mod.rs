//! Pitfall 8: not awaiting tasks.

mod at_end;
pub mod dangling;
mod duration;
pub(crate) mod entry;
mod keepers;
mod kept;
mod leaving;
pub(crate) mod making;
