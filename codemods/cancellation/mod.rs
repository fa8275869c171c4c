//! Pitfall: not handling cancellation.

pub mod broad;
pub mod callers;
pub mod endless;
pub mod handlers;
pub mod outcome;
pub mod swallowed;
