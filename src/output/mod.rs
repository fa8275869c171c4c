//! How findings, fixes and counts are shown, to people and to programs.

pub mod diff;
pub mod format;
mod json;
pub mod places;
pub mod report;
mod sarif;
