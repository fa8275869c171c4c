//! Pitfall 7: ignoring exceptions in `gather()`.

mod argument;
mod ended;
mod handlers;
mod in_expression;
mod meant;
mod members;
mod results;
pub mod return_exceptions;
mod rewrite;
mod taken_apart;
pub(crate) mod typed;
