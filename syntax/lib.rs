//! Trees and text of Python code, without any meaning.
//!
//! This crate is for what one can say about a node, a name or a line without knowing what anything refers to: where
//! a node stands, which function it is part of, the last name of a callee. What names mean is for others to tell.
//! Everybody may depend on it; it depends on none of the project's other crates, and no name of a library stands in
//! it.

pub mod awaited;
pub mod depth;
pub mod lines;
pub mod queries;
pub mod site;
pub mod words;
