//! Pitfall: not using context managers.

mod closes;
mod held_lock;
mod leaving;
pub mod manual_lock;
mod never_closed;
mod plain;
mod tries;
pub mod unmanaged_resource;
mod uses;
