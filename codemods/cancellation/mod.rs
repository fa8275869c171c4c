//! Pitfall: not handling cancellation.

pub mod broad;
pub mod callers;
mod children;
pub mod endless;
mod handled;
pub mod handlers;
mod left_open;
mod needs;
pub mod outcome;
mod raised;
mod suppressed;
pub mod swallowed;
