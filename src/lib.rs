//! asyncfix: finds the mistakes people make with Python's asyncio and fixes them in place.
//!
//! This crate is the program around [`asyncfix_engine`]: arguments, commands, output, what is written to disk, and the
//! language server. It never looks at Python syntax itself.

mod args;
pub mod baseline;
pub mod commands;
pub mod git;
pub mod output;
pub mod server;
pub mod write;
