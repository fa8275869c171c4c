//! What the turns of a `while` loop change about its test.

use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, walk_expr, walk_stmt};
use ruff_python_ast::{self as ast, Expr, Stmt};
use rustc_hash::FxHashSet;

/// What brings a loop to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drive {
    /// What it counts, empties or looks for.
    Itself,
    /// It empties what it fills itself.
    Growing,
    /// Nothing that it does itself.
    Nothing,
}

/// The names that the test of a loop reads, and what its body does with them.
pub(super) struct LoopNames<'a> {
    test: &'a Expr,
    pub(super) read: FxHashSet<&'a str>,
    /// Those that get something else.
    written: FxHashSet<&'a str>,
    /// Those from which something is taken.
    emptied: FxHashSet<&'a str>,
    /// Those to which something is added.
    filled: FxHashSet<&'a str>,
}

impl<'a> LoopNames<'a> {
    pub(super) fn of(test: &'a Expr, body: &'a [Stmt]) -> Self {
        let mut names = Self {
            test,
            read: FxHashSet::default(),
            written: FxHashSet::default(),
            emptied: FxHashSet::default(),
            filled: FxHashSet::default(),
        };
        names.visit_expr(test);
        let read = std::mem::take(&mut names.read);
        names.visit_body(body);
        names.read = read;
        names
    }

    /// What brings the loop to its end.
    pub(super) fn drive(&self) -> Drive {
        let emptied = || self.read.intersection(&self.emptied);
        if !self.read.is_disjoint(&self.written)
            || emptied().any(|name| !self.filled.contains(name))
        {
            Drive::Itself
        } else if emptied().next().is_some() {
            Drive::Growing
        } else {
            Drive::Nothing
        }
    }

    /// Whether the test is as true as before where a name of it has this value.
    fn stays_true(&self, name: &ast::ExprName, value: &Expr) -> bool {
        let is_it = |expr: &Expr| matches!(expr, Expr::Name(other) if other.id == name.id);
        match self.test {
            Expr::UnaryOp(operation) if operation.op == ast::UnaryOp::Not => {
                is_it(&operation.operand) && is_true(value) == Some(false)
            }
            test => is_it(test) && is_true(value) == Some(true),
        }
    }
}

/// Whether a literal counts as true.
fn is_true(value: &Expr) -> Option<bool> {
    match value {
        Expr::BooleanLiteral(literal) => Some(literal.value),
        Expr::NoneLiteral(_) => Some(false),
        Expr::StringLiteral(literal) => Some(!literal.value.is_empty()),
        Expr::NumberLiteral(literal) => match &literal.value {
            ast::Number::Int(value) => Some(*value != ast::Int::ZERO),
            ast::Number::Float(value) => Some(*value != 0.0),
            ast::Number::Complex { .. } => None,
        },
        _ => None,
    }
}

impl<'a> SourceOrderVisitor<'a> for LoopNames<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        if let Stmt::Assign(assign) = statement
            && let [Expr::Name(name)] = assign.targets.as_slice()
            && self.stays_true(name, &assign.value)
        {
            return;
        }
        walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Name(name) if name.ctx.is_load() => {
                self.read.insert(&name.id);
            }
            Expr::Name(name) => {
                self.written.insert(&name.id);
            }
            Expr::Call(call) => {
                if let Expr::Attribute(method) = &*call.func
                    && let Expr::Name(name) = &*method.value
                {
                    let changed = match method.attr.as_str() {
                        "pop" | "popleft" | "popitem" | "remove" | "discard" | "clear" => {
                            &mut self.emptied
                        }
                        "append" | "appendleft" | "extend" | "insert" | "add" | "update" => {
                            &mut self.filled
                        }
                        _ => return walk_expr(self, expr),
                    };
                    changed.insert(&name.id);
                }
            }
            _ => {}
        }
        walk_expr(self, expr);
    }
}
