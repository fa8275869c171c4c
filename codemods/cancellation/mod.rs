//! Pitfall: not handling cancellation.

pub mod broad;
pub mod handlers;
pub mod swallowed;
