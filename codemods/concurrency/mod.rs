//! Pitfall 5: creating too many tasks.

mod arguments;
mod fan_out;
mod filling;
mod size;
mod takers;
pub mod unbounded;
mod wrapper;
