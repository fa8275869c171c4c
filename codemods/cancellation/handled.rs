//! What handles the cancellation of an endless loop: around it, or in it around what it awaits.

use asyncfix_analysis::answers::cancellation::members;
use asyncfix_analysis::answers::timeouts::is_timeout;
use asyncfix_analysis::facts::loops;
use asyncfix_syntax::queries::{awaits, own_code};
use asyncfix_syntax::site::Site;
use ruff_python_ast::visitor::source_order::{
    SourceOrderVisitor, TraversalSignal, walk_expr, walk_stmt,
};
use ruff_python_ast::{self as ast, AnyNodeRef, ExceptHandler, Expr, Stmt};
use ruff_text_size::Ranged;

use super::{handlers, needs};
use crate::file::File;

/// Whether something around an endless loop sees a cancellation, or is where the finding stands.
pub fn is_handled_around(file: &File<'_, '_>, site: &Site<'_, '_>) -> bool {
    site.enclosing_in_function()
        .any(|(node, child)| match node {
            AnyNodeRef::StmtTry(statement) => {
                !statement.finalbody.is_empty() && !is_in(&statement.finalbody, child)
                    || is_in(&statement.body, child)
                        && (sees_cancellation(statement) || waits_for_error(statement))
            }
            AnyNodeRef::StmtWith(statement) => statement
                .items
                .iter()
                .any(|item| handlers::is_suppress(file, &item.context_expr)),
            AnyNodeRef::StmtWhile(outer) => {
                loops::is_endless(&outer.test) && !loops::leaves_loop(&outer.body)
            }
            _ => false,
        })
}

/// Whether a `with` around the loop closes what it opened.
pub fn is_managed(file: &File<'_, '_>, site: &Site<'_, '_>) -> bool {
    site.enclosing_in_function().any(|(node, _)| {
        matches!(node, AnyNodeRef::StmtWith(statement)
            if !statement.items.iter().all(|item| is_plain_suppress(file, &item.context_expr)))
    })
}

/// Whether a loop deals with a cancellation itself: everything that it awaits, a pause before the next turn
/// aside, stands in a block that closes what it holds, or in a `try` that does something on cancellation. A `raise` of
/// its own is a way out.
pub fn is_handled_inside(file: &File<'_, '_>, body: &[Stmt]) -> bool {
    let mut coverage = Coverage {
        file,
        around: 0,
        is_covered: false,
        is_open: false,
    };
    coverage.visit_body(body);
    let mut raises = Raises(false);
    raises.visit_body(body);
    coverage.is_covered && !coverage.is_open || raises.0
}

/// Whether a `try` of a loop catches a cancellation where that is an `Exception`, and does not raise it again.
pub fn is_caught_as_error(file: &File<'_, '_>, body: &[Stmt]) -> bool {
    struct Search<'f, 'a, 'db> {
        file: &'f File<'a, 'db>,
        found: bool,
    }
    impl<'a> SourceOrderVisitor<'a> for Search<'_, '_, '_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let AnyNodeRef::StmtTry(statement) = node
                && awaits(&statement.body)
            {
                let means = |kind: &Expr| self.file.semantics.means(kind, &["builtins.Exception"]);
                self.found |= clauses(statement).any(|handler| {
                    let kind = handler.type_.as_deref();
                    kind.is_some_and(|kind| members(kind).iter().any(means))
                        && !matches!(handler.body.last(), Some(Stmt::Raise(_)))
                });
            }
            own_code(node)
        }
    }
    let mut search = Search { file, found: false };
    search.visit_body(body);
    search.found
}

fn is_in(suite: &[Stmt], node: AnyNodeRef<'_>) -> bool {
    suite
        .iter()
        .any(|statement| statement.range().contains_range(node.range()))
}

fn clauses(statement: &ast::StmtTry) -> impl Iterator<Item = &ast::ExceptHandlerExceptHandler> {
    statement.handlers.iter().map(|handler| {
        let ExceptHandler::ExceptHandler(handler) = handler;
        handler
    })
}

/// Whether a clause of the statement catches cancellations, by its spelling: being wrong means to
/// hold back.
pub(super) fn sees_cancellation(statement: &ast::StmtTry) -> bool {
    clauses(statement).any(|handler| {
        handler.type_.as_deref().is_none_or(|kind| {
            members(kind).iter().any(|kind| {
                let name = match kind {
                    Expr::Name(name) => name.id.as_str(),
                    Expr::Attribute(attribute) => attribute.attr.as_str(),
                    // `get_cancelled_exc_class()`, or a tuple kept elsewhere.
                    _ => return true,
                };
                name.contains("Cancel") || name == "BaseException"
            })
        })
    })
}

/// Whether a clause of the statement is for certain errors: then one of them ends the loop.
fn waits_for_error(statement: &ast::StmtTry) -> bool {
    clauses(statement).any(is_for_certain_errors)
}

fn is_for_certain_errors(handler: &ast::ExceptHandlerExceptHandler) -> bool {
    !matches!(handler.type_.as_deref(), Some(Expr::Name(name)) if name.id == "Exception")
}

/// Whether an expression is `contextlib.suppress(…)` of other exceptions than cancellations.
fn is_plain_suppress(file: &File<'_, '_>, expr: &Expr) -> bool {
    matches!(expr, Expr::Call(call)
        if file.semantics.means(&call.func, &["contextlib.suppress"]))
        && !handlers::is_suppress(file, expr)
}

/// Looks for a `raise` of a loop that is a way out: one of its own, or of a certain error it has
/// caught.
struct Raises(bool);

impl<'a> SourceOrderVisitor<'a> for Raises {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        self.0 |= node.is_stmt_raise();
        match node {
            AnyNodeRef::ExceptHandlerExceptHandler(handler) if !is_for_certain_errors(handler) => {
                TraversalSignal::Skip
            }
            _ => own_code(node),
        }
    }
}

/// Looks for what a loop awaits, and whether that is covered.
struct Coverage<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    /// How many blocks that cover are around.
    around: usize,
    is_covered: bool,
    is_open: bool,
}

impl Coverage<'_, '_, '_> {
    fn waits(&mut self) {
        if self.around > 0 {
            self.is_covered = true;
        } else {
            self.is_open = true;
        }
    }
}

impl<'a> SourceOrderVisitor<'a> for Coverage<'_, '_, '_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        let covers = match statement {
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => return,
            Stmt::Try(inner) => !inner.finalbody.is_empty() || sees_cancellation(inner),
            Stmt::With(inner) => !inner
                .items
                .iter()
                .all(|item| is_timeout(&item.context_expr)),
            _ => false,
        };
        self.around += usize::from(covers);
        let waits = match statement {
            Stmt::With(inner) => inner.is_async,
            Stmt::For(inner) => inner.is_async,
            _ => false,
        };
        if waits {
            self.waits();
        }
        walk_stmt(self, statement);
        self.around -= usize::from(covers);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Lambda(_) => return,
            Expr::Await(_) if self.around == 0 && needs::is_pause(self.file, expr) => {}
            Expr::Await(_) => self.waits(),
            Expr::ListComp(ast::ExprListComp { generators, .. })
            | Expr::SetComp(ast::ExprSetComp { generators, .. })
            | Expr::DictComp(ast::ExprDictComp { generators, .. })
                if generators.iter().any(|clause| clause.is_async) =>
            {
                self.waits();
            }
            _ => {}
        }
        walk_expr(self, expr);
    }
}
