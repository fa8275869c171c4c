//! From names to definitions: what a name is bound to, which function or class it means, where that stands.

pub mod semantics;
