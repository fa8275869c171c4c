//! What the code in which a lock is held does with it: takes it, releases it, or makes its name mean another one.

use asyncfix_syntax::site::suites_in;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{AnyNodeRef, Expr, ExprContext, Stmt};
use ruff_text_size::Ranged;

use super::held_lock::Manual;
use crate::context_managers::manual_lock::receiver_of;
use crate::file::File;

impl<'a> Manual<'_, 'a, '_> {
    pub(super) fn is_release(&self, statement: &Stmt) -> bool {
        matches!(statement, Stmt::Expr(inner)
            if receiver_of(&inner.value, "release").is_some_and(|lock| self.is_same(lock)))
    }

    pub(super) fn is_same(&self, other: &Expr) -> bool {
        self.file.text(other) == self.file.text(self.lock)
    }

    /// Whether nothing in a suite takes or releases the lock, or makes its name mean another one.
    pub(super) fn is_held_through(&self, suite: &[Stmt]) -> bool {
        let calls = self.calls_in(suite);
        calls.acquired == 0 && calls.released == 0 && !self.is_rebound_in(suite)
    }

    pub(super) fn calls_in(&self, suite: &[Stmt]) -> Calls {
        let mut search = LockCalls {
            file: self.file,
            lock: self.file.text(self.lock),
            calls: Calls::default(),
        };
        search.visit_body(suite);
        search.calls
    }

    pub(super) fn is_rebound_in(&self, suite: &[Stmt]) -> bool {
        let mut search = Rebinds {
            file: self.file,
            lock: self.file.text(self.lock),
            found: false,
        };
        search.visit_body(suite);
        search.found
    }

    /// The statements `lock.release()` in `suite` and below with a `return` or `raise` right behind.
    pub(super) fn early_releases(&self, suite: &'a [Stmt], found: &mut Vec<Early<'a>>) {
        for (index, statement) in suite.iter().enumerate() {
            if self.is_release(statement)
                && let Some(exit @ (Stmt::Return(_) | Stmt::Raise(_))) = suite.get(index + 1)
            {
                found.push(Early { suite, index, exit });
            }
            if !matches!(statement, Stmt::FunctionDef(_) | Stmt::ClassDef(_)) {
                for inner in suites_in(statement) {
                    self.early_releases(inner, found);
                }
            }
        }
    }
}

/// A release before the end, and the statement behind it that leaves.
pub(super) struct Early<'a> {
    pub(super) suite: &'a [Stmt],
    pub(super) index: usize,
    pub(super) exit: &'a Stmt,
}

impl Early<'_> {
    pub(super) fn leaves_by(&self, statement: &Stmt) -> bool {
        self.exit.range() == statement.range()
    }
}

/// How often a lock is taken and released.
#[derive(Default)]
pub(super) struct Calls {
    pub(super) acquired: usize,
    pub(super) released: usize,
}

impl Calls {
    pub(super) fn are_pairs(&self) -> bool {
        self.acquired == self.released
    }
}

struct LockCalls<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    lock: &'f str,
    calls: Calls,
}

impl<'a> SourceOrderVisitor<'a> for LockCalls<'_, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        // Also a method that is passed on: `callback(lock.release)`.
        if let AnyNodeRef::ExprAttribute(attribute) = node
            && self.file.text(&*attribute.value) == self.lock
        {
            match attribute.attr.as_str() {
                "acquire" => self.calls.acquired += 1,
                "release" => self.calls.released += 1,
                // A condition lets go of its lock while it waits.
                _ => {}
            }
        }
        TraversalSignal::Traverse
    }
}

/// Looks for assignments to the expression of a lock, or to what it starts from.
struct Rebinds<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    lock: &'f str,
    found: bool,
}

impl<'a> SourceOrderVisitor<'a> for Rebinds<'_, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        let context = match node {
            AnyNodeRef::ExprName(name) => name.ctx,
            AnyNodeRef::ExprAttribute(attribute) => attribute.ctx,
            AnyNodeRef::ExprSubscript(subscript) => subscript.ctx,
            _ => return TraversalSignal::Traverse,
        };
        let text = self.file.text(node);
        let is_part = self
            .lock
            .strip_prefix(text)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
        self.found |= context != ExprContext::Load && is_part;
        TraversalSignal::Traverse
    }
}
