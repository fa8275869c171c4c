//! What the codemods share. There is one way to do each of these things.

pub mod aligned;
pub mod annotations;
pub mod blocking;
pub mod blocks;
pub mod conduct;
pub mod coroutines;
pub mod decorators;
pub mod depth;
pub mod endings;
pub mod exceptions;
pub mod expected;
pub mod first_await;
pub mod flow;
pub mod imports;
pub mod intent;
pub mod locks;
pub mod loops;
pub mod names;
mod opened;
pub mod replaced;
pub mod resources;
pub mod sections;
pub mod slots;
pub mod submodules;
pub mod timeouts;
pub mod twins;
pub mod words;
