//! From names to definitions: what a name is bound to, which function or class it means, where that stands.

pub mod bindings;
pub mod definitions;
pub(crate) mod functions;
pub(crate) mod look;
mod paths;
mod scopes;
pub mod semantics;
pub(crate) mod versions;
