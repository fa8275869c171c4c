//! The ways of writing. There is one for each thing that several rewrites write.

pub mod aligned;
pub mod annotations;
pub mod around;
pub mod blocks;
mod bound;
mod called;
pub mod changes;
mod compile_errors;
pub mod first_await;
pub mod fresh_names;
pub mod imports;
pub mod insertion;
pub mod lines;
pub mod narrowed;
mod orphans;
mod positions;
pub mod proof;
pub mod removal;
pub mod rewrite;
pub mod script_task;
pub mod sections;
pub mod submodules;
