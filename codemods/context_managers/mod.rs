//! Pitfall: not using context managers.

mod closes;
mod generators;
mod held_lock;
mod in_expression;
mod leaving;
mod lock_calls;
mod managed;
pub mod manual_lock;
mod never_closed;
mod own_try;
mod plain;
mod same_suite;
mod tries;
pub mod unmanaged_resource;
mod uses;
mod values;
mod with_header;
