//! Loops that do not end.

use asyncfix_syntax::queries::{last_name, own_code};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal, walk_stmt};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ruff_text_size::{Ranged, TextSize};

/// Whether a loop's test is true for ever.
pub fn is_endless(test: &Expr) -> bool {
    match test {
        Expr::BooleanLiteral(literal) => literal.value,
        Expr::NumberLiteral(literal) => match &literal.value {
            ast::Number::Int(value) => *value != ast::Int::ZERO,
            _ => false,
        },
        Expr::BoolOp(several) => {
            let mut values = several.values.iter();
            match several.op {
                ast::BoolOp::Or => values.any(is_endless),
                ast::BoolOp::And => values.all(is_endless),
            }
        }
        Expr::UnaryOp(operation) => {
            operation.op == ast::UnaryOp::Not
                && matches!(&*operation.operand, Expr::BooleanLiteral(literal) if !literal.value)
        }
        _ => false,
    }
}

/// Whether a `return` or `raise` before `at`, in the code of a function itself, may keep it from getting there.
pub fn leaves_before(body: &[Stmt], at: TextSize) -> bool {
    struct Leaves {
        at: TextSize,
        found: bool,
    }
    impl<'a> SourceOrderVisitor<'a> for Leaves {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.found |= matches!(node, AnyNodeRef::StmtReturn(_) | AnyNodeRef::StmtRaise(_))
                && node.end() <= self.at;
            if node.is_expression() {
                return TraversalSignal::Skip;
            }
            own_code(node)
        }
    }
    let mut search = Leaves { at, found: false };
    search.visit_body(body);
    search.found
}

/// Whether a `break` of this loop or a `return` leaves a loop with this body.
pub fn leaves_loop(body: &[Stmt]) -> bool {
    let mut search = Exits {
        nested: 0,
        counts_cancellation: true,
        found: false,
    };
    search.visit_body(body);
    search.found
}

/// The same, for a loop that nobody cancels: what stands in a handler for cancellations does not
/// count.
pub(crate) fn leaves_loop_by_itself(body: &[Stmt]) -> bool {
    let mut search = Exits {
        nested: 0,
        counts_cancellation: false,
        found: false,
    };
    search.visit_body(body);
    search.found
}

struct Exits {
    nested: usize,
    /// Whether handlers for cancellations are looked into.
    counts_cancellation: bool,
    found: bool,
}

/// Whether a handler is there for cancellations. Judged by the name alone.
fn catches_cancellation(handler: &ast::ExceptHandlerExceptHandler) -> bool {
    match handler.type_.as_deref() {
        Some(Expr::Tuple(tuple)) => tuple
            .elts
            .iter()
            .any(|elt| last_name(elt) == Some("CancelledError")),
        Some(class) => last_name(class) == Some("CancelledError"),
        None => false,
    }
}

impl<'a> SourceOrderVisitor<'a> for Exits {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Return(_) => self.found = true,
            Stmt::Break(_) => self.found |= self.nested == 0,
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => {}
            Stmt::For(inner) => {
                self.nested += 1;
                self.visit_body(&inner.body);
                self.nested -= 1;
                self.visit_body(&inner.orelse);
            }
            Stmt::While(inner) => {
                self.nested += 1;
                self.visit_body(&inner.body);
                self.nested -= 1;
                self.visit_body(&inner.orelse);
            }
            _ => walk_stmt(self, statement),
        }
    }

    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        let is_left_out = matches!(node, AnyNodeRef::ExceptHandlerExceptHandler(handler)
            if !self.counts_cancellation && catches_cancellation(handler));
        if node.is_expression() || is_left_out {
            TraversalSignal::Skip
        } else {
            TraversalSignal::Traverse
        }
    }
}
