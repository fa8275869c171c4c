//! Pitfall 7: ignoring exceptions in `gather()`.

mod argument;
mod results;
pub mod return_exceptions;
