//! Pitfall 7: ignoring exceptions in `gather()`.

mod argument;
mod around;
mod ended;
mod handlers;
mod meant;
mod members;
mod results;
pub mod return_exceptions;
mod rewrite;
pub(crate) mod typed;
