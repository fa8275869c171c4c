//! Pitfall 5: creating too many tasks.

pub(crate) mod callee;
mod fan_out;
mod filling;
pub(crate) mod signature;
mod size;
pub mod unbounded;
mod wrapper;
