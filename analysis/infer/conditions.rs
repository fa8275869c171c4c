//! Which conditions of a function say something of what a name or an attribute stands for.

use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, walk_expr, walk_stmt};
use ruff_python_ast::{self as ast, AnyNodeRef, CmpOp, Expr, Stmt, UnaryOp};
use ty_python_core::place::PlaceExpr;

/// Whether the conditions in a node leave the class of what stands at `place` as it is: they ask about
/// attributes of it, which tells the parts of a union apart, or whether there is anything at all.
pub(super) fn keep_class(
    node: AnyNodeRef<'_>,
    place: PlaceExpr,
    is_builtin: &dyn Fn(&ast::ExprName) -> bool,
) -> bool {
    let mut conditions = Conditions {
        place,
        is_builtin,
        is_inside: false,
        asks_more: false,
    };
    node.visit_source_order(&mut conditions);
    !conditions.asks_more
}

/// Looks for conditions that say more of something than whether it is there.
struct Conditions<'c> {
    place: PlaceExpr,
    is_builtin: &'c dyn Fn(&ast::ExprName) -> bool,
    /// Whether this is a condition.
    is_inside: bool,
    asks_more: bool,
}

impl Conditions<'_> {
    fn is_it(&self, expr: &Expr) -> bool {
        // `(job := find())`
        let expr = match expr {
            Expr::Named(named) => &*named.target,
            other => other,
        };
        PlaceExpr::try_from_expr(expr).is_some_and(|place| place == self.place)
    }

    fn condition(&mut self, test: &Expr) {
        let outer = std::mem::replace(&mut self.is_inside, true);
        self.visit_truth(test);
        self.is_inside = outer;
    }

    /// Looks at something that is only asked whether it is there.
    fn visit_truth(&mut self, expr: &Expr) {
        match expr {
            Expr::Named(named) if self.is_it(expr) => self.visit_expr(&named.value),
            _ if self.is_it(expr) => {}
            _ => self.visit_expr(expr),
        }
    }
}

impl<'a> SourceOrderVisitor<'a> for Conditions<'_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::If(inner) => {
                self.condition(&inner.test);
                self.visit_body(&inner.body);
                for clause in &inner.elif_else_clauses {
                    if let Some(test) = &clause.test {
                        self.condition(test);
                    }
                    self.visit_body(&clause.body);
                }
            }
            Stmt::While(inner) => {
                self.condition(&inner.test);
                self.visit_body(&inner.body);
                self.visit_body(&inner.orelse);
            }
            Stmt::Assert(inner) => self.condition(&inner.test),
            Stmt::Match(inner) => {
                // Patterns ask for classes.
                self.asks_more |= self.is_it(&inner.subject);
                self.condition(&inner.subject);
                for case in &inner.cases {
                    if let Some(guard) = &case.guard {
                        self.condition(guard);
                    }
                    self.visit_body(&case.body);
                }
            }
            _ => walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Attribute(attribute) if self.is_it(&attribute.value) => {
                self.visit_truth(&attribute.value);
            }
            // What stands under a key tells the kinds of a typed dictionary apart.
            Expr::Subscript(subscript) if self.is_it(&subscript.value) => {
                self.visit_truth(&subscript.value);
                self.visit_expr(&subscript.slice);
            }
            Expr::Name(_) | Expr::Attribute(_) if self.is_it(expr) => {
                self.asks_more |= self.is_inside;
            }
            Expr::Compare(comparison)
                if self.is_it(&comparison.left)
                    && matches!(&*comparison.ops, [CmpOp::Is | CmpOp::IsNot])
                    && matches!(&*comparison.comparators, [Expr::NoneLiteral(_)]) =>
            {
                self.visit_truth(&comparison.left);
            }
            // Whether something is in it says nothing of it.
            Expr::Compare(comparison)
                if matches!(&*comparison.ops, [CmpOp::In | CmpOp::NotIn])
                    && matches!(&*comparison.comparators, [container] if self.is_it(container)) =>
            {
                self.visit_expr(&comparison.left);
                comparison
                    .comparators
                    .iter()
                    .for_each(|container| self.visit_truth(container));
            }
            Expr::Call(call)
                if matches!(&*call.func, Expr::Name(name)
                    if matches!(name.id.as_str(), "hasattr" | "getattr" | "len")
                        && (self.is_builtin)(name)) =>
            {
                for argument in &call.arguments.args {
                    self.visit_truth(argument);
                }
            }
            Expr::UnaryOp(operation) if operation.op == UnaryOp::Not => {
                self.condition(&operation.operand);
            }
            Expr::BoolOp(operation) => {
                for value in &operation.values {
                    self.condition(value);
                }
            }
            Expr::If(conditional) => {
                self.condition(&conditional.test);
                self.visit_expr(&conditional.body);
                self.visit_expr(&conditional.orelse);
            }
            other => walk_expr(self, other),
        }
    }

    fn visit_comprehension(&mut self, comprehension: &'a ast::Comprehension) {
        self.visit_expr(&comprehension.iter);
        for test in &comprehension.ifs {
            self.condition(test);
        }
    }
}
