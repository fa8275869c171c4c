//! Pitfall 1: forgetting `await`.

pub mod call;
pub mod context;
pub(crate) mod doubt;
pub mod iteration;
pub(crate) mod uses;
mod value;
