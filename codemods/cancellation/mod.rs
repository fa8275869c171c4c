//! Pitfall: not handling cancellation.

pub mod broad;
pub mod callers;
pub mod endless;
pub mod handlers;
mod needs;
pub mod outcome;
mod raised;
pub mod swallowed;
