//! What rules may ask about code.

pub mod awaitable;
pub mod blocking;
pub mod cancellation;
pub mod coroutines;
pub mod counter_evidence;
pub mod decorators;
pub mod duals;
pub mod endings;
pub mod entry_point;
pub mod examples;
pub mod exceptions;
pub mod expected;
pub mod flow;
mod indifference;
pub mod intent;
pub mod locks;
mod opened;
pub mod replaced;
pub mod resources;
pub mod runners;
pub mod signature;
pub mod starts;
pub mod takes_coroutine;
pub mod task;
pub mod timeouts;
pub mod uses;
