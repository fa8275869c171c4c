//! The facts of all files of a project, linked, and asked by name. A name stands for whatever is called so: an answer is
//! `no` or `maybe`, never more.

pub mod asked;
pub mod call_graph;
mod call_targets;
mod changed;
pub mod file_users;
pub mod hierarchy;
mod needs;
pub mod project;
pub mod reach;
