//! Whether a coroutine that ends takes its time: a program should not wait for it at its end.

use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, walk_expr, walk_stmt};
use ruff_python_ast::{self as ast, Expr, Number, Operator, Stmt};

use crate::facts::polling::LONG;
use crate::limits::{CALLS, Limit};
use crate::resolve::bindings::Origin;
use crate::resolve::semantics::Semantics;

/// Functions that wait for as many seconds as they are given.
const SLEEPS: [&str; 1] = ["asyncio.sleep"];

/// Whether the coroutine that `call` makes plainly sleeps for long, at once or in many turns.
pub fn takes_long(semantics: &Semantics<'_>, call: &ast::ExprCall) -> bool {
    seconds(semantics, call, CALLS) >= LONG
}

/// How many seconds a call sleeps, as far as the code says so in numbers.
fn seconds(semantics: &Semantics<'_>, call: &ast::ExprCall, depth: Limit) -> f64 {
    if semantics.means(&call.func, &SLEEPS) {
        let seconds = call.arguments.args.first();
        return seconds
            .and_then(|seconds| number(semantics, seconds, depth))
            .unwrap_or(0.0);
    }
    let db = semantics.db();
    let Some(depth) = depth.less() else {
        return 0.0;
    };
    let Some(function) = semantics.function_in_sight(&call.func) else {
        return 0.0;
    };
    let Some(node) = function.node(db) else {
        return 0.0;
    };
    let own = semantics.of_function(&function);
    let mut sleeps = Sleeps {
        semantics: &own,
        depth,
        turns: 1.0,
        total: 0.0,
    };
    sleeps.visit_body(&node.body);
    sleeps.total
}

/// A number that the code says: as such, as a product or a sum, or by a name.
fn number(semantics: &Semantics<'_>, expr: &Expr, depth: Limit) -> Option<f64> {
    let depth = depth.less()?;
    match expr {
        Expr::NumberLiteral(literal) => match &literal.value {
            // What is larger is long as well.
            Number::Int(value) => Some(value.as_i32().map_or(f64::MAX, f64::from)),
            Number::Float(value) => Some(*value),
            Number::Complex { .. } => None,
        },
        Expr::BinOp(operation) => {
            let left = number(semantics, &operation.left, depth)?;
            let right = number(semantics, &operation.right, depth)?;
            match operation.op {
                Operator::Mult => Some(left * right),
                Operator::Add => Some(left + right),
                _ => None,
            }
        }
        Expr::Name(name) => match semantics.origins(name).as_slice() {
            [Origin::Value(value)] => number(semantics, value, depth),
            _ => None,
        },
        _ => None,
    }
}

/// Adds up what a function body sleeps.
struct Sleeps<'s, 'db> {
    semantics: &'s Semantics<'db>,
    depth: Limit,
    /// How often the code runs, as far as loops over a `range` say so.
    turns: f64,
    total: f64,
}

impl<'a> SourceOrderVisitor<'a> for Sleeps<'_, '_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => {}
            Stmt::For(inner) => {
                let turns = self.turns;
                self.turns *= self.turns_of(&inner.iter).unwrap_or(1.0);
                walk_stmt(self, statement);
                self.turns = turns;
            }
            _ => walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        if let Expr::Await(awaited) = expr
            && let Expr::Call(call) = &*awaited.value
        {
            self.total += self.turns * seconds(self.semantics, call, self.depth);
        }
        if !expr.is_lambda_expr() {
            walk_expr(self, expr);
        }
    }
}

impl Sleeps<'_, '_> {
    /// The turns of a loop over `range(…)` of a number.
    fn turns_of(&self, iterable: &Expr) -> Option<f64> {
        let Expr::Call(call) = iterable else {
            return None;
        };
        let is_range = self.semantics.means(&call.func, &["builtins.range"]);
        match &*call.arguments.args {
            [turns] if is_range => number(self.semantics, turns, CALLS),
            _ => None,
        }
    }
}
