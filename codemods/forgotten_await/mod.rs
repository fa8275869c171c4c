//! Pitfall 1: forgetting `await`.

mod background;
pub mod call;
mod consumed;
pub mod context;
mod dispatched;
mod entered;
mod gathered;
mod held;
pub mod iteration;
mod late;
mod value;
