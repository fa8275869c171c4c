//! How findings, fixes and counts are shown, to people and to programs.

pub mod diff;
mod json;
pub mod report;
mod sarif;
