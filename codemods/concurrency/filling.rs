//! From how many places coroutines get into one list.

use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, Stmt};

use crate::concurrency::lists::ListName;

/// Whether loops or comprehensions in more than one place fill one list of this name: a limit at each of them
/// would let as many run at once as all limits together.
pub fn is_filled_twice(body: &[Stmt], list: ListName<'_>) -> bool {
    let mut search = Places {
        list,
        loops: 0,
        count: 0,
        most: 0,
    };
    search.visit_body(body);
    search.most > 1
}

struct Places<'n> {
    list: ListName<'n>,
    /// How many loops stand around.
    loops: usize,
    /// How many places have filled the list since its beginning.
    count: usize,
    most: usize,
}

impl Places<'_> {
    fn is_it(&self, expr: &Expr) -> bool {
        self.list.is(expr)
    }

    /// Something that is put in the list.
    fn put(&mut self, value: &Expr) {
        let makes_many = value.is_list_comp_expr()
            || value.is_set_comp_expr()
            || value.is_generator_expr()
            || self.loops > 0;
        self.count += usize::from(makes_many);
        self.most = self.most.max(self.count);
    }
}

impl<'a> SourceOrderVisitor<'a> for Places<'_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => return,
            Stmt::For(_) | Stmt::While(_) => {
                self.loops += 1;
                walk_stmt(self, statement);
                self.loops -= 1;
                return;
            }
            Stmt::Assign(assign) if assign.targets.iter().any(|target| self.is_it(target)) => {
                self.count = usize::from(
                    assign.value.is_list_comp_expr() || assign.value.is_set_comp_expr(),
                );
            }
            Stmt::AnnAssign(assign) if self.is_it(&assign.target) => {
                self.count =
                    usize::from(assign.value.as_ref().is_some_and(|value| {
                        value.is_list_comp_expr() || value.is_set_comp_expr()
                    }));
            }
            Stmt::AugAssign(assign) if self.is_it(&assign.target) => self.put(&assign.value),
            _ => {}
        }
        walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        if let Expr::Call(call) = expr
            && let (Expr::Attribute(method), [value]) = (&*call.func, &*call.arguments.args)
            && self.is_it(&method.value)
            && matches!(method.attr.as_str(), "append" | "add" | "extend" | "update")
        {
            self.put(value);
        }
        walk_expr(self, expr);
    }
}
