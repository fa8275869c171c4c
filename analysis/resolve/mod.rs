//! From names to definitions: what a name is bound to, which function or class it means, where that stands.

pub mod bindings;
pub mod definitions;
pub(crate) mod functions;
mod paths;
mod scopes;
pub mod semantics;
