//! What one walk over a file writes down: plain data that outlives its tree. Nothing here knows another file.

pub mod awaitable_names;
pub mod blocking_calls;
pub mod calls;
pub mod commands;
pub mod database_files;
pub mod file_access;
pub mod imports;
pub mod in_thread;
pub mod interface;
pub mod key;
pub mod libraries;
pub mod loop_runners;
pub mod loops;
pub mod name;
pub mod polling;
pub mod scopes;
pub(crate) mod shared;
pub mod spelling;
pub mod summary;
pub mod value_flow;
