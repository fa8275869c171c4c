//! Pitfall 5: creating too many tasks.

mod arguments;
mod fan_out;
mod filling;
mod lists;
mod size;
mod takers;
pub mod unbounded;
mod wrapper;
