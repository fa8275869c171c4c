//! What is true of Python code.
//!
//! This crate answers questions about a project's code: what a name means, what a value is, whether a call blocks,
//! who calls whom, whether a coroutine comes to an end. What a mistake is, and what is written instead, is for others
//! to say: no finding and no edit stands here. It depends on [`asyncfix_syntax`] and [`asyncfix_knowledge`];
//! the codemods and the engine may depend on it.
//!
//! Text becomes [`facts`] (by file), these an [`index`] (by project); names are led to definitions ([`resolve`]), values
//! told from what is in sight or by the type engine ([`infer`]), and [`answers`] are what rules ask for. Each may use
//! those before it. An answer depends on its input alone: nothing is kept between two of them but what a query of the
//! database remembers.

pub mod answers;
pub mod candidate;
pub mod facts;
pub mod file;
pub mod index;
pub mod infer;
pub mod limits;
pub mod resolve;
pub mod settings;
