//! What is true of Python code.
//!
//! This crate answers questions about a project's code: what a name means, what a value is, whether a call blocks,
//! who calls whom, whether a coroutine comes to an end. What a mistake is, and what is written instead, is for others
//! to say: no finding and no edit stands here. It depends on [`asyncfix_syntax`] and [`asyncfix_knowledge`];
//! the codemods and the engine may depend on it.

pub mod answers;
pub mod candidate;
pub mod facts;
pub mod file;
pub mod index;
pub mod infer;
pub mod resolve;
pub mod settings;
