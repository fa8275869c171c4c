//! Pitfall 5: creating too many tasks.

mod arguments;
mod draft;
mod fan_out;
mod filling;
mod growing;
mod holders;
mod lists;
mod size;
mod takers;
mod turns;
pub mod unbounded;
mod wrapper;
