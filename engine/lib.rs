//! The engine of asyncfix: from files, texts and configuration to findings and rewritten texts.
//!
//! It finds files and what applies to them, keeps the type engine's database, gives the codemods of
//! [`asyncfix_codemods`] their context, applies what they write, and proves it. It prints nothing and knows of no
//! command line; whoever uses it (the command line, the language server) shows what comes out.

mod across;
pub mod cache;
pub mod choose;
pub mod config;
pub mod database;
pub mod discovery;
pub mod embedded;
pub mod environment;
mod first_look;
pub mod fixes;
mod folder_files;
mod formatters;
mod index;
pub mod lines;
pub mod panics;
pub mod places;
pub mod problem;
pub mod python_version;
mod recall;
mod requirements;
pub mod roots;
mod rounds;
mod ruff_ignores;
pub mod run;
pub mod selection;
pub mod session;
pub mod source;
mod stamp;
mod surroundings;
mod test_runners;
mod type_checkers;
pub mod words;
