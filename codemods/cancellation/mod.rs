//! Pitfall: not handling cancellation.

pub mod broad;
pub mod endless;
pub mod handlers;
pub mod swallowed;
