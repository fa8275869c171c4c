//! Pitfall: not using context managers.

mod closes;
mod generators;
mod held_lock;
mod in_expression;
mod leaving;
pub mod manual_lock;
mod never_closed;
mod own_try;
mod plain;
mod tries;
pub mod unmanaged_resource;
mod uses;
