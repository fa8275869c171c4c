//! Pitfall 8: not awaiting tasks.

mod at_end;
mod available;
pub mod dangling;
mod duration;
mod elements;
mod factory;
mod keepers;
mod kept;
mod leaving;
