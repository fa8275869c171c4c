//! Pitfall 1: forgetting `await`.

pub mod call;
mod uses;
