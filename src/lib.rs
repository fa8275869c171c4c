//! asyncfix: finds the mistakes people make with Python's asyncio and fixes them in place.
//!
//! This crate is the program around [`asyncfix_engine`]: arguments, commands, output, and what is written to disk. It
//! never looks at Python syntax itself.

mod args;
pub mod baseline;
pub mod commands;
pub mod git;
pub mod output;
mod server;
pub mod write;
