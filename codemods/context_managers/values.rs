//! What comes from an object: what it needs, whether it is still to be awaited, and what it is given to.

use ruff_python_ast::helpers::any_over_expr;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr};
use ruff_text_size::{Ranged, TextRange};

use super::plain::Need;

/// The object itself.
pub(super) const OPEN: Value = Value {
    need: Need::Open,
    is_pending: false,
};

/// Methods of a task that give nothing which has to be awaited.
pub(super) const OF_TASKS: [&str; 7] = [
    "add_done_callback",
    "cancel",
    "cancelled",
    "done",
    "exception",
    "get_name",
    "result",
];

/// What a value is that came from the object.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Value {
    /// What it needs, or what awaiting it gives where it is still to be awaited.
    pub(super) need: Need,
    /// Whether it is a coroutine or a task, or holds some, that nothing has awaited yet: that needs the object, whatever
    /// it will give.
    pub(super) is_pending: bool,
}

impl Value {
    /// What it needs as it is.
    pub(super) fn now(self) -> Need {
        if self.is_pending {
            Need::Open
        } else {
            self.need
        }
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self {
            need: self.need.max(other.need),
            is_pending: self.is_pending || other.is_pending,
        }
    }
}

/// What a node gives the value to that comes from `child`, a part of it.
pub(super) fn targets(node: AnyNodeRef<'_>, child: TextRange) -> Vec<&Expr> {
    let comes_from = |value: &Expr| value.range().contains_range(child);
    match node {
        AnyNodeRef::StmtAssign(inner) if comes_from(&inner.value) => inner.targets.iter().collect(),
        AnyNodeRef::StmtAnnAssign(inner) => vec![&inner.target],
        AnyNodeRef::StmtAugAssign(inner) if comes_from(&inner.value) => vec![&inner.target],
        AnyNodeRef::StmtFor(inner) if comes_from(&inner.iter) => vec![&inner.target],
        AnyNodeRef::WithItem(item) => item.optional_vars.as_deref().into_iter().collect(),
        AnyNodeRef::Comprehension(clause) if comes_from(&clause.iter) => vec![&clause.target],
        _ => Vec::new(),
    }
}

/// Whether a value goes no further than into a part of a statement or expression.
pub(super) fn ends_value(node: AnyNodeRef<'_>) -> bool {
    matches!(node, AnyNodeRef::WithItem(_) | AnyNodeRef::Comprehension(_))
}

/// Whether the function awaits what a name has, or what it holds.
pub(super) fn is_awaited(function: &ast::StmtFunctionDef, name: &str) -> bool {
    struct Search<'n> {
        name: &'n str,
        found: bool,
    }
    impl<'a> SourceOrderVisitor<'a> for Search<'_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let AnyNodeRef::ExprAwait(awaited) = node {
                self.found |= any_over_expr(
                    &awaited.value,
                    |part| matches!(part, Expr::Name(other) if other.id == self.name),
                );
            }
            TraversalSignal::Traverse
        }
    }
    let mut search = Search { name, found: false };
    search.visit_body(&function.body);
    search.found
}
