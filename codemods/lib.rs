//! The codemods of asyncfix.
//!
//! A codemod looks at one place of a parsed and indexed Python file and says whether a mistake of
//! its kind stands there, and how to rewrite it. This crate takes source and semantics in and
//! gives findings and edits out: it never reads a file, prints, or knows about a command line.
//!
//! To add a codemod, write one file with a type that implements [`Codemod`], the rule's page and
//! its cases, and add one line to [`CODEMODS`].

pub mod blocking;
pub mod calls;
pub mod cancellation;
mod compile_errors;
pub mod concurrency;
pub mod context_managers;
pub mod file;
pub mod finding;
pub mod forgotten_await;
pub mod gather;
pub mod key;
pub mod mixing;
mod narrowing;
pub mod outline;
pub mod project;
pub mod proof;
pub mod rewrite;
pub mod rule;
pub mod semantics;
pub mod settings;
mod sight;
pub mod site;
pub mod sketch;
pub mod spelling;
pub mod support;
pub mod suppression;
pub mod tasks;
pub mod traces;
pub mod traversal;

use include_dir::{Dir, include_dir};
use ruff_python_ast::NodeKind;

use crate::file::File;
use crate::finding::Finding;
use crate::key::Key;
use crate::rule::Rule;
use crate::site::Site;
use crate::spelling::Hints;
use crate::traces::search::Sought;

/// Whether a mistake could stand at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Candidate {
    /// It cannot.
    No,
    /// It can.
    Yes,
    /// It can if something in sight has the name with this key, and if what is sought may be reached
    /// from what the expression there is made of, as far as the traces of the project tell.
    If(Key, Sought),
}

impl Candidate {
    /// [`Candidate::Yes`] where `possible`.
    pub fn when(possible: bool) -> Self {
        if possible { Self::Yes } else { Self::No }
    }

    /// The same, where `is_possible` says so as well. It is only asked where that plays a part.
    #[must_use]
    pub fn and(self, is_possible: impl FnOnce() -> bool) -> Self {
        match self {
            Self::No => Self::No,
            _ if !is_possible() => Self::No,
            candidate => candidate,
        }
    }
}

/// One rewrite pass.
pub trait Codemod: Sync {
    /// The rule it stands for.
    fn rule(&self) -> &'static Rule;

    /// Words of which at least one stands in every file that this codemod has work in; a file
    /// without them is not looked at.
    fn words(&self) -> &'static [&'static str];

    /// Whether files with one of the words hold its mistake although they hold neither `async` nor
    /// `await`.
    fn in_plain_code(&self) -> bool {
        false
    }

    /// Whether it asks for types, and so needs to know what the other files define.
    fn asks_for_types(&self) -> bool {
        false
    }

    /// Whether it also reports functions for how many coroutine functions call them, in files of whatever kind.
    fn counts_callers(&self) -> bool {
        false
    }

    /// Whether its rewrites change other files as well.
    fn changes_other_files(&self) -> bool {
        false
    }

    /// Whether it looks at comments, when all others have looked at the code.
    fn is_about_comments(&self) -> bool {
        false
    }

    /// The kinds of nodes that the mistake stands at.
    fn nodes(&self) -> &'static [NodeKind];

    /// Whether the mistake could stand at `site`, judged by the tree alone. Asked for every node of the
    /// kinds it names; a file without a candidate is never indexed.
    fn candidate(&self, hints: &Hints<'_>, site: &Site<'_, '_>) -> Candidate;

    /// The mistake at `site`, if there is one. Called for every candidate.
    fn check<'a>(&self, file: &File<'a, '_>, site: &Site<'_, 'a>) -> Option<Finding>;
}

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
    &concurrency::unbounded::UnboundedConcurrency,
    &context_managers::unmanaged_resource::UnmanagedResource,
    &context_managers::manual_lock::ManualLock,
    &gather::return_exceptions::GatherWithoutReturnExceptions,
    &tasks::dangling::DanglingTask,
];

/// Minimal stubs of packages that are often not importable where the tool runs, as a tree of
/// `.pyi` files. Whatever they leave out is unknown to the type engine.
pub static STUBS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/data/stubs");

/// Where the stubs seem to be: a folder that is never on disk.
pub const STUB_ROOT: &str = "/<asyncfix stubs>";

/// The rule that a code or a name means, if there is one. Codes may be in any case.
pub fn rule(code_or_name: &str) -> Option<&'static Rule> {
    CODEMODS
        .iter()
        .map(|codemod| codemod.rule())
        .find(|rule| rule.code.eq_ignore_ascii_case(code_or_name) || rule.name == code_or_name)
}
