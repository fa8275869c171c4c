//! Why it may be unsafe to turn a blocking call into an `await`: other tasks run while it waits, and the task may be
//! cancelled there.
//!
//! Each method returns the reason that makes the fix unsafe, as it is shown to the user, or `None`.

use asyncfix_analysis::answers::under_loop::{handles_interrupt, suppresses_interrupt};
use asyncfix_knowledge::libraries::Library;
use asyncfix_syntax::queries::{awaited_in, awaits, last_name};
use asyncfix_syntax::site::Owner;
use ruff_python_ast::{AnyNodeRef, Expr};
use ruff_text_size::Ranged;

use crate::blocking::call::{PATH_CALL, is_awaited};
use crate::blocking::locals::Locals;
use crate::blocking::rewrite::Blocking;
use crate::blocking::state::Collections;
use crate::blocking::{checked, files, listings, lost};
use crate::edit::around::{self, Block, Passed};
use crate::edit::{first_await, sections};

impl Blocking<'_, '_, '_, '_> {
    /// The call stands in clean-up code (`finally`, or a handler that a cancellation may reach) under anyio or trio.
    /// Their cancellation is level-triggered: in a cancelled scope every `await` raises `Cancelled` again, so the call
    /// would be skipped. asyncio raises `CancelledError` once for each `cancel()`.
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

    /// The call removes something from disk in a `finally`, and a second cancellation at the new `await` would leave
    /// the file behind.
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

    /// The call stands in a block that handles Ctrl+C, or in what a coroutine function awaits there, and nothing else is
    /// awaited yet: `asyncio.run` cancels what waits, instead of raising `KeyboardInterrupt` in it.
    pub(super) fn interrupted(&self) -> Option<&'static str> {
        let semantics = &self.file.semantics;
        // To look for callers takes a walk through the file.
        if is_awaited(self.site) || !self.file.source.contains("KeyboardInterrupt") {
            return None;
        }
        let awaits_already = match self.owner() {
            Owner::Function(function) => awaits(&function.body),
            Owner::Module | Owner::Lambda(_) => false,
        };
        let is_around = |passed: Passed<'_>| {
            let (body, handles) = match passed.block {
                Block::Try(statement) => (&statement.body, handles_interrupt(semantics, statement)),
                Block::With(with) => {
                    let mut items = with.items.iter();
                    let handles = items.any(|item| suppresses_interrupt(semantics, item));
                    (&with.body, handles)
                }
                Block::Finally(_) => return false,
            };
            handles
                && passed.function.is_some_and(|function| function.is_async)
                && match passed.call {
                    None => !awaits(body),
                    // What leads here is awaited itself.
                    Some(_) => !awaits_already && awaited_in(body) <= 1,
                }
        };
        around::any(self.file, self.site, false, &mut { is_around }).then_some(
            "Ctrl+C would raise `CancelledError` here, and what handles `KeyboardInterrupt` would not run",
        )
    }

    /// The call takes a file out of a folder that another function lists, and that function counts on the files being
    /// there.
    pub(super) fn takes_from_listed(&self) -> Option<String> {
        let is_of_files = matches!(self.row().code.as_str(), "AF204" | PATH_CALL);
        is_of_files
            .then(|| listings::takes_from_listed(self.file, self.owner(), self.call.range()))?
    }

    /// A loop around the call iterates over a collection that other code may change while the loop waits. `Err` is
    /// the reason why there is no fix, where the scope of the call is not known to the type engine.
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

    /// The new `await` comes between a check of something shared and the change that follows from the check. A call
    /// that is awaited already opens no such gap.
    pub(super) fn opened_section(&self) -> Option<&'static str> {
        if is_awaited(self.site) {
            return None;
        }
        sections::opened_by_await(self.file, self.site, self.owner())
    }

    /// The function has no `await` yet, and a caller in this module counts on that: it awaits the function between two
    /// changes of one thing, and no other task could run in between.
    pub(super) fn opened_for_caller(&self) -> Option<String> {
        match self.owner() {
            Owner::Function(function) if !is_awaited(self.site) => {
                first_await::opened_for_caller(self.file, function)
            }
            _ => None,
        }
    }

    /// A lost update: what is read before the new `await` is written after it, and overwrites what other tasks changed
    /// in between.
    pub(super) fn lost_update(&self) -> Option<String> {
        if is_awaited(self.site) {
            return None;
        }
        lost::update(self.file, self.site, self.owner(), self.call)
    }

    /// The call stands in a condition and asks about a file, and the code behind changes that file or runs a command
    /// with it: another task may get the same answer in between.
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

/// Whether the class that an `except` clause names may be that of a cancellation. Judged by its name: classes that end
/// in `Error` or `Exception` are none, except `BaseException` and names with `Cancel`.
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
