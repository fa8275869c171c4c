//! Whether an import has surely run where code runs.

use asyncfix_analysis::answers::flow::Exits;
use asyncfix_syntax::site::suites_in;
use ruff_python_ast::{ExceptHandler, Stmt};
use ruff_text_size::{Ranged, TextRange, TextSize};

use crate::file::File;

/// Looks for imports that have run before some code does.
pub(super) struct Imports<'f, 'a, 'db> {
    pub(super) file: &'f File<'a, 'db>,
    /// Where the imports stand that count.
    pub(super) ranges: Vec<TextRange>,
    /// Where the code stands.
    pub(super) at: TextSize,
    /// Whether it runs when the module has been imported: it is that of a function.
    pub(super) is_deferred: bool,
}

impl Imports<'_, '_, '_> {
    /// Whether one of them has run whenever the code does, as far as the suites say: it stands in a suite around the
    /// code, the module's included, and no condition or loop is around it there.
    pub(super) fn have_run(&self, body: &[Stmt]) -> bool {
        !self.ranges.is_empty() && self.have_run_in(body, self.is_deferred)
    }

    /// The same for a suite around the code. `later` where what stands behind the code in it has run as well.
    fn have_run_in(&self, suite: &[Stmt], later: bool) -> bool {
        suite.iter().any(|statement| {
            if statement.end() <= self.at {
                return self.runs(statement);
            }
            if statement.start() > self.at {
                return later && self.runs(statement);
            }
            suites_in(statement).into_iter().any(|suite| {
                let around = suite.first().zip(suite.last());
                around.is_some_and(|(first, last)| {
                    let range = TextRange::new(first.start(), last.end());
                    range.contains_inclusive(self.at) && self.have_run_in(suite, false)
                })
            })
        })
    }

    /// Whether one of them has run where a statement ends normally.
    fn runs(&self, statement: &Stmt) -> bool {
        let suite = |body: &[Stmt]| body.iter().any(|inner| self.runs(inner));
        let or_leaves = |body: &[Stmt]| suite(body) || !Exits::of(self.file, body).falls;
        match statement {
            Stmt::If(inner) => {
                let clauses = &inner.elif_else_clauses;
                clauses.last().is_some_and(|last| last.test.is_none())
                    && or_leaves(&inner.body)
                    && clauses.iter().all(|clause| or_leaves(&clause.body))
            }
            Stmt::With(inner) => suite(&inner.body),
            Stmt::Try(inner) => {
                let mut handlers = inner.handlers.iter();
                let is_handled = handlers.all(|handler| {
                    let ExceptHandler::ExceptHandler(handler) = handler;
                    or_leaves(&handler.body)
                });
                suite(&inner.finalbody)
                    || is_handled && (suite(&inner.body) || suite(&inner.orelse))
            }
            Stmt::Import(_) | Stmt::ImportFrom(_) => {
                let mut ranges = self.ranges.iter();
                ranges.any(|range| statement.range().contains_range(*range))
            }
            _ => false,
        }
    }
}
