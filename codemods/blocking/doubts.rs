//! Why the `await` that a blocking call gets may be unsafe: what others do while it waits, and what a cancellation leaves
//! undone.

use asyncfix_knowledge::libraries::Library;
use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::Owner;
use ruff_python_ast::{AnyNodeRef, Expr};
use ruff_text_size::Ranged;

use crate::blocking::call::{PATH_CALL, is_awaited};
use crate::blocking::locals::Locals;
use crate::blocking::rewrite::Blocking;
use crate::blocking::state::Collections;
use crate::blocking::{checked, files, listings, lost};
use crate::edit::{first_await, sections};

impl Blocking<'_, '_, '_, '_> {
    /// Why code that cleans up cannot count on an `await`: what anyio and trio cancel stays
    /// cancelled, and every `await` in it raises again.
    pub(super) fn cancelled_again(&self) -> Option<&'static str> {
        let cleans_up = self
            .site
            .enclosing_in_function()
            .any(|(node, child)| match node {
                AnyNodeRef::ExceptHandlerExceptHandler(handler) => {
                    handler.type_.as_deref().is_none_or(may_be_cancellation)
                }
                AnyNodeRef::StmtTry(statement) => statement
                    .finalbody
                    .iter()
                    .any(|inner| inner.range().contains_range(child.range())),
                _ => false,
            });
        (cleans_up && matches!(self.library, Some(Library::Anyio | Library::Trio))).then_some(
            "in a cancelled scope every `await` raises at once, so this call would be skipped",
        )
    }

    /// Why what is removed at the end may be left where it is.
    pub(super) fn cut_short(&self) -> Option<&'static str> {
        let row = self.row();
        let is_last = || {
            self.site.enclosing_in_function().any(|(node, child)| {
                matches!(node, AnyNodeRef::StmtTry(statement)
                    if statement.finalbody.iter().any(|last| last.range().contains_range(child.range())))
            })
        };
        (row.code == PATH_CALL && !row.removes.is_empty() && is_last())
            .then_some("a second cancellation here would leave it undone")
    }

    /// Why a file must not be taken out of a folder while others list it.
    pub(super) fn takes_from_listed(&self) -> Option<String> {
        let is_of_files = matches!(self.row().code.as_str(), "AF204" | PATH_CALL);
        is_of_files
            .then(|| listings::takes_from_listed(self.file, self.owner(), self.call.range()))?
    }

    /// Why a loop around does not go well with an `await`.
    pub(super) fn opened_loop(&self) -> Result<Option<String>, String> {
        let is_in_loop = self.site.enclosing_in_function().any(|(node, _)| {
            matches!(
                node,
                AnyNodeRef::StmtFor(_)
                    | AnyNodeRef::ExprListComp(_)
                    | AnyNodeRef::ExprSetComp(_)
                    | AnyNodeRef::ExprDictComp(_)
            )
        });
        let Owner::Function(function) = self.owner() else {
            return Ok(None);
        };
        if !is_in_loop {
            return Ok(None);
        }
        let locals = Locals::of(self.file, function);
        let collections = Collections::new(self.file, &locals, self.scope()?);
        Ok(collections.of_loops_around(self.site))
    }

    /// Why others must not run between what is before and behind the new `await`.
    pub(super) fn opened_section(&self) -> Option<&'static str> {
        if is_awaited(self.site) {
            return None;
        }
        sections::opened_by_await(self.file, self.site, self.owner())
    }

    /// Why others must not run while the function runs, which has not let them before.
    pub(super) fn opened_for_caller(&self) -> Option<String> {
        match self.owner() {
            Owner::Function(function) if !is_awaited(self.site) => {
                first_await::opened_for_caller(self.file, function)
            }
            _ => None,
        }
    }

    /// What other tasks would do in vain while this waits.
    pub(super) fn lost_update(&self) -> Option<String> {
        if is_awaited(self.site) {
            return None;
        }
        lost::update(self.file, self.site, self.owner(), self.call)
    }

    /// Why others must not run behind a test that asks about a file.
    pub(super) fn opened_check(&self) -> Option<&'static str> {
        let is_test = self.site.enclosing_in_function().any(|(node, child)| {
            let test = match node {
                AnyNodeRef::StmtIf(statement) => Some(&*statement.test),
                AnyNodeRef::ElifElseClause(clause) => clause.test.as_ref(),
                AnyNodeRef::StmtWhile(statement) => Some(&*statement.test),
                _ => None,
            };
            test.is_some_and(|test| test.range().contains_range(child.range()))
        });
        let is_asked = || {
            files::is_asked_to_change(self.file, self.owner(), self.call)
                || checked::is_asked_for_command(self.file, self.owner(), self.call)
        };
        (is_test && is_asked()).then_some(files::OPENED_CHECK)
    }
}

/// Whether what an `except` clause names may be what a cancellation raises. No error is.
fn may_be_cancellation(kind: &Expr) -> bool {
    match kind {
        Expr::Tuple(several) => several.elts.iter().any(may_be_cancellation),
        Expr::Name(_) | Expr::Attribute(_) => !last_name(kind).is_some_and(|name| {
            let is_error = name.ends_with("Error") || name.ends_with("Exception");
            is_error && name != "BaseException" && !name.contains("Cancel")
        }),
        _ => true,
    }
}
