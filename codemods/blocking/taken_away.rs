//! Files that a function takes away when it ends: a thread whose coroutine is cancelled may still write them then.

use asyncfix_analysis::answers::cancellation::catches_cancellation;
use asyncfix_analysis::answers::coroutines;
use asyncfix_syntax::queries::own_code;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, ExceptHandler, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange};

use crate::blocking::paths::Path;
use crate::file::File;

/// Whether the `finally` of a `try` around `range`, or a handler that gets cancellations, takes away what is at `path`.
pub(super) fn is_taken_away(
    file: &File<'_, '_>,
    function: &ast::StmtFunctionDef,
    range: TextRange,
    path: &Path,
) -> bool {
    let mut search = Search {
        file,
        range,
        path,
        found: false,
    };
    search.visit_body(&function.body);
    search.found
}

struct Search<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    range: TextRange,
    path: &'f Path,
    found: bool,
}

impl<'b> SourceOrderVisitor<'b> for Search<'_, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'b>) -> TraversalSignal {
        let AnyNodeRef::StmtTry(statement) = node else {
            return own_code(node);
        };
        let is_inside = |inner: &Stmt| inner.range().contains_range(self.range);
        if statement.body.iter().any(is_inside) {
            let on_cancellation = statement.handlers.iter().filter_map(|handler| {
                let ExceptHandler::ExceptHandler(handler) = handler;
                catches_cancellation(self.file, handler).then_some(&handler.body)
            });
            let suites = on_cancellation.chain([&statement.finalbody]);
            let mut removal = Removal {
                file: self.file,
                path: self.path,
                found: false,
            };
            suites.for_each(|suite| removal.visit_body(suite));
            self.found |= removal.found;
        }
        TraversalSignal::Traverse
    }
}

/// Looks for a call that takes the file away, itself or what it is given (`asyncio.to_thread(path.unlink)`).
struct Removal<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    path: &'f Path,
    found: bool,
}

impl<'b> SourceOrderVisitor<'b> for Removal<'_, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'b>) -> TraversalSignal {
        if let AnyNodeRef::ExprCall(call) = node {
            let mut parts = Parts {
                file: self.file,
                path: self.path,
                names_path: false,
                takes_away: false,
            };
            parts.visit_expr(&Expr::Call(call.clone()));
            self.found |= parts.names_path && parts.takes_away;
        }
        TraversalSignal::Traverse
    }
}

struct Parts<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    path: &'f Path,
    names_path: bool,
    takes_away: bool,
}

impl SourceOrderVisitor<'_> for Parts<'_, '_, '_> {
    fn visit_expr(&mut self, expr: &Expr) {
        let text = self.file.text(expr);
        self.names_path |= text == self.path.text || text == self.path.key.1;
        self.takes_away |= coroutines::takes_away(&self.file.semantics, expr);
        ruff_python_ast::visitor::source_order::walk_expr(self, expr);
    }
}
