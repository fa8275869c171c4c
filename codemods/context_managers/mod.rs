//! Pitfall: not using context managers.

pub mod manual_lock;
pub mod unmanaged_resource;
