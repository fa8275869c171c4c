//! Pitfall 4: mixing synchronous and asynchronous code.

pub(crate) mod conversion;
mod loop_variable;
mod may_be_async;
pub mod never_run;
pub mod plain_await;
mod program;
mod references;
pub mod run_in_loop;
