//! Pitfall: not using context managers.

pub mod manual_lock;
