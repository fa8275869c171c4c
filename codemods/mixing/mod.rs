//! Pitfall 4: mixing synchronous and asynchronous code.

pub mod called_plainly;
mod conversion;
mod edges;
mod forgotten;
mod given_on;
mod guarded;
mod looked_up;
mod loop_variable;
mod made_async;
mod may_be_async;
pub(crate) mod memory;
pub mod never_run;
mod not_called;
mod one_loop;
pub mod plain_await;
mod program;
mod references;
mod run_in_helper;
pub mod run_in_loop;
mod starts;
