//! The interface that every codemod has.

use asyncfix_analysis::candidate::Candidate;
use asyncfix_analysis::facts::spelling::Hints;
use asyncfix_syntax::site::Site;
use ruff_python_ast::NodeKind;

use crate::file::File;
use crate::finding::Finding;
use crate::rule::Rule;

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

    /// Whether its mistake is none in a branch for coroutine functions, whose other branch is for plain ones.
    fn minds_twins(&self) -> bool {
        true
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
