//! Statements after which the end of a suite is not reached.

use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{AnyNodeRef, Stmt};

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
