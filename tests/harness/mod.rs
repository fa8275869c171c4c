//! What the tests of cases share: reading pages, and running the tool over a case's files.

pub mod pages;
pub mod project;
