//! What a handler does, as far as a cancellation is concerned: whether one needs it, too.

use asyncfix_analysis::answers::coroutines;
use asyncfix_syntax::queries::{last_name, own_code};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{AnyNodeRef, Expr, Stmt};

use super::suites;
use crate::file::File;

/// Functions whose calls only compute a value.
const COMPUTING: &[&str] = &[
    "builtins.float",
    "builtins.int",
    "builtins.len",
    "builtins.max",
    "builtins.min",
    "builtins.repr",
    "builtins.round",
    "builtins.str",
    "builtins.type",
    "random.random",
    "random.uniform",
    "time.monotonic",
    "time.time",
];

/// The name of a method or function called in a suite that undoes or lets go of something, which a cancellation
/// needs as much as an error does.
pub fn clean_up(suite: &[Stmt]) -> Option<&str> {
    struct Search<'a>(Option<&'a str>);
    impl<'a> SourceOrderVisitor<'a> for Search<'a> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let AnyNodeRef::ExprCall(call) = node
                && let Some(name) = last_name(&call.func)
                && self.0.is_none()
                && coroutines::undoes(name)
            {
                self.0 = Some(name);
            }
            own_code(node)
        }
    }
    let mut search = Search(None);
    search.visit_body(suite);
    search.0
}

/// Whether a suite does nothing that a cancellation could need: it logs, counts, waits for the next try, and
/// leaves.
pub fn only_retries(file: &File<'_, '_>, suite: &[Stmt]) -> bool {
    suite.iter().all(|statement| match statement {
        Stmt::AugAssign(statement) => is_computed(file, &statement.value),
        Stmt::Assign(statement) => {
            statement.targets.iter().all(Expr::is_name_expr) && is_computed(file, &statement.value)
        }
        Stmt::Expr(inner) if is_pause(file, &inner.value) => true,
        Stmt::If(statement) => {
            only_retries(file, &statement.body)
                && statement
                    .elif_else_clauses
                    .iter()
                    .all(|clause| only_retries(file, &clause.body))
        }
        other => suites::is_idle(file, std::slice::from_ref(other)),
    })
}

/// Whether a suite sets something that others look at: `self.connected = False`.
pub fn sets_state(suite: &[Stmt]) -> bool {
    struct Search(bool);
    impl<'a> SourceOrderVisitor<'a> for Search {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let AnyNodeRef::StmtAssign(assign) = node {
                self.0 |= assign.targets.iter().any(Expr::is_attribute_expr)
                    && (assign.value.is_boolean_literal_expr()
                        || assign.value.is_none_literal_expr());
            }
            own_code(node)
        }
    }
    let mut search = Search(false);
    search.visit_body(suite);
    search.0
}

/// Whether an expression waits for a while, and does nothing else.
pub fn is_pause(file: &File<'_, '_>, expr: &Expr) -> bool {
    let call = match expr {
        Expr::Await(awaited) => &awaited.value,
        other => other,
    };
    matches!(call, Expr::Call(call)
        if file.semantics.means(&call.func, &["asyncio.sleep", "time.sleep"]))
}

fn is_computed(file: &File<'_, '_>, value: &Expr) -> bool {
    struct Search<'f, 'a, 'db> {
        file: &'f File<'a, 'db>,
        found: bool,
    }
    impl<'a> SourceOrderVisitor<'a> for Search<'_, '_, '_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.found |= match node {
                AnyNodeRef::ExprCall(call) => !self.file.semantics.means(&call.func, COMPUTING),
                AnyNodeRef::ExprAwait(_) => true,
                _ => false,
            };
            own_code(node)
        }
    }
    let mut search = Search { file, found: false };
    search.visit_expr(value);
    !search.found
}
