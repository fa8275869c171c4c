//! Pitfall 1: forgetting `await`.

pub mod call;
pub mod context;
pub(crate) mod doubt;
mod held;
pub mod iteration;
mod late;
pub(crate) mod uses;
mod value;
