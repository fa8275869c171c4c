//! The codemods of asyncfix.
//!
//! A codemod looks at one place of a parsed and indexed Python file and says whether a mistake of its kind stands
//! there, and how to rewrite it. This crate says what a mistake is and what is written instead: one folder for each
//! pitfall, and [`edit`] for the ways of writing that several share. What is true of the code is asked of
//! [`asyncfix_analysis`]; reading files, printing and the command line are left to those who run the codemods, and
//! only they depend on this crate. A pitfall's folder imports no other one: what two need is an answer of the
//! analysis, or a way of writing.
//!
//! To add a codemod, write one file with a type that implements [`Codemod`], the rule's page and
//! its cases, and add one line to [`CODEMODS`]; CONTRIBUTING.md has the whole walk.

pub mod blocking;
pub mod cancellation;
pub mod codemod;
pub mod concurrency;
pub mod context_managers;
pub mod edit;
pub mod file;
pub mod finding;
pub mod forgotten_await;
pub mod gather;
pub mod mixing;
pub mod rule;
mod stored;
pub mod suppression;
pub mod tasks;
pub mod traversal;

use crate::codemod::Codemod;
use crate::rule::Rule;

/// All codemods, in the order of their codes.
pub static CODEMODS: &[&dyn Codemod] = &[
    &suppression::unused::UnusedSuppression,
    &forgotten_await::call::ForgottenAwait,
    &forgotten_await::iteration::MissingAsyncFor,
    &forgotten_await::context::MissingAsyncWith,
    &blocking::SLEEP,
    &blocking::HTTP,
    &blocking::SUBPROCESS,
    &blocking::FILE_IO,
    &blocking::INPUT,
    &blocking::helper::BlockingHelper,
    &blocking::WAIT,
    &blocking::PATH_CALL,
    &blocking::DATABASE,
    &cancellation::endless::UnhandledCancellation,
    &cancellation::swallowed::SwallowedCancellation,
    &cancellation::broad::BroadExcept,
    &mixing::plain_await::AwaitInSyncFunction,
    &mixing::never_run::CoroutineNeverRun,
    &mixing::run_in_loop::RunInsideLoop,
    &mixing::called_plainly::CalledPlainly,
    &concurrency::unbounded::UnboundedConcurrency,
    &context_managers::unmanaged_resource::UnmanagedResource,
    &context_managers::manual_lock::ManualLock,
    &gather::return_exceptions::GatherWithoutReturnExceptions,
    &tasks::dangling::DanglingTask,
];

/// The rule that a code or a name means, if there is one. Codes may be in any case.
pub fn rule(code_or_name: &str) -> Option<&'static Rule> {
    let mut rules = CODEMODS.iter().map(|codemod| codemod.rule());
    rules.find(|rule| rule.is_named_by(code_or_name))
}
