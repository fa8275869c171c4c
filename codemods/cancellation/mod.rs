//! Pitfall: not handling cancellation.

mod behind;
pub mod broad;
pub mod callers;
mod children;
pub mod endless;
mod explained;
mod handled;
pub mod handlers;
mod kept_tasks;
mod left_open;
mod logged;
mod needs;
mod normal_end;
pub mod outcome;
mod raised;
mod suites;
mod suppressed;
pub mod swallowed;
mod taken;
mod within;
