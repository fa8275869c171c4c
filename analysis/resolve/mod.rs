//! From names to definitions: what a name is bound to, which function or class it means, where that stands.

pub mod bindings;
pub mod definitions;
pub(crate) mod functions;
pub(crate) mod look;
mod paths;
mod scopes;
pub mod semantics;
pub(crate) mod versions;

/// What binds a name: a key that others hand back, and never look into.
pub use ty_python_core::definition::Definition;
/// A scope of a file: a key as well.
pub use ty_python_core::scope::FileScopeId;
