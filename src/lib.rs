//! asyncfix: finds the mistakes people make with Python's asyncio and fixes them in place.
//!
//! This crate is the program around the codemods of [`asyncfix_codemods`]: arguments,
//! configuration, discovery of files, the database of the type engine, the run, and its output.
//! It never looks at Python syntax itself.

mod args;
pub mod baseline;
pub mod choose;
pub mod commands;
pub mod config;
pub mod database;
pub mod discovery;
pub mod embedded;
pub mod environment;
mod first_look;
pub mod fixes;
mod formatters;
pub mod git;
pub mod lines;
pub mod output;
pub mod python_version;
mod requirements;
pub mod roots;
mod rounds;
pub mod run;
pub mod selection;
pub mod source;
mod type_checkers;
pub mod words;
pub mod write;
