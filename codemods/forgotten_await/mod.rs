//! Pitfall 1: forgetting `await`.

mod background;
pub mod call;
pub mod context;
mod dispatched;
mod held;
pub mod iteration;
mod late;
mod value;
