//! Statements after which the end of a suite is not reached.

use asyncfix_analysis::limits::{BODIES, Limit};
use asyncfix_analysis::resolve::semantics::Semantics;
use asyncfix_syntax::queries::own_code;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{AnyNodeRef, Expr, Stmt};

use crate::file::File;

/// Whether a statement ends the program: `sys.exit()`.
pub(super) fn exits(file: &File<'_, '_>, statement: &Stmt) -> bool {
    struct Exits<'f, 'a, 'db>(&'f File<'a, 'db>, bool);
    impl<'a> SourceOrderVisitor<'a> for Exits<'_, '_, '_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let AnyNodeRef::ExprCall(call) = node {
                self.1 |= self.0.semantics.means(
                    &call.func,
                    &[
                        "sys.exit",
                        "builtins.exit",
                        "builtins.quit",
                        "os._exit",
                        "os.abort",
                    ],
                );
            }
            TraversalSignal::Traverse
        }
    }
    let mut search = Exits(file, false);
    search.visit_stmt(statement);
    search.1
}

/// Whether statements cancel all tasks of the event loop, or a function that they call does.
pub(super) fn cancels_all(file: &File<'_, '_>, body: &[Stmt]) -> bool {
    /// Looks for what takes all tasks, and for what cancels one.
    struct Search<'s, 'db> {
        semantics: &'s Semantics<'db>,
        depth: Limit,
        takes: bool,
        cancels: bool,
    }
    impl<'a> SourceOrderVisitor<'a> for Search<'_, '_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let AnyNodeRef::ExprCall(call) = node {
                self.takes |= self
                    .semantics
                    .means(&call.func, &["asyncio.all_tasks", "asyncio.Task.all_tasks"]);
                self.cancels |= matches!(&*call.func, Expr::Attribute(method) if method.attr.as_str() == "cancel");
                if let Some(depth) = self.depth.less()
                    && let Some(function) = self.semantics.function_in_sight(&call.func)
                    && let Some(node) = function.node(self.semantics.db())
                {
                    let own = self.semantics.of_function(&function);
                    let mut inner = Search {
                        semantics: &own,
                        depth,
                        takes: false,
                        cancels: false,
                    };
                    inner.visit_body(&node.body);
                    self.takes |= inner.takes;
                    self.cancels |= inner.cancels;
                }
            }
            own_code(node)
        }
    }
    let mut search = Search {
        semantics: &file.semantics,
        depth: BODIES,
        takes: false,
        cancels: false,
    };
    search.visit_body(body);
    search.takes && search.cancels
}

/// Whether a `return` or `raise` in these statements leaves the function.
pub(super) fn leaves_early(body: &[Stmt]) -> bool {
    struct Leaves(bool);
    impl<'a> SourceOrderVisitor<'a> for Leaves {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.0 |= matches!(node, AnyNodeRef::StmtReturn(_) | AnyNodeRef::StmtRaise(_));
            if node.is_expression()
                || matches!(
                    node,
                    AnyNodeRef::StmtFunctionDef(_) | AnyNodeRef::StmtClassDef(_)
                )
            {
                TraversalSignal::Skip
            } else {
                TraversalSignal::Traverse
            }
        }
    }
    let mut search = Leaves(false);
    search.visit_body(body);
    search.0
}
