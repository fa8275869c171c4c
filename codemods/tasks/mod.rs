//! Pitfall 8: not awaiting tasks.

mod at_end;
mod available;
mod beside;
pub mod dangling;
mod elements;
pub(crate) mod factory;
mod fate;
mod keepers;
mod kept;
mod leaving;
pub(crate) mod memory;
mod reads;
