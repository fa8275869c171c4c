//! Pitfall 2: calls that block the event loop.

pub mod sleep;
