//! Pitfall 4: mixing synchronous and asynchronous code.

pub mod never_run;
pub mod run_in_loop;
