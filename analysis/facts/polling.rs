//! Loops that ask again and again for what happens outside of the program, and how long they do that.

use asyncfix_knowledge::conduct::{is_unique, method_changes};
use asyncfix_syntax::site::suites_in;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal, walk_expr};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, ExprContext, Number, Stmt};
use rustc_hash::{FxHashMap, FxHashSet};

use super::loops::is_endless;
use crate::limits::{BINDINGS, Limit};

/// What is long, in seconds.
pub const LONG: f64 = 10.0;

/// What a file says of the names in a loop.
pub(crate) struct Around<'f, 'a> {
    /// How an expression is written.
    pub(crate) text: &'f dyn Fn(&Expr) -> String,
    /// The dotted path of a function that is called, where that is known.
    pub(crate) path: &'f dyn Fn(&'a Expr) -> Option<String>,
    /// The one value that a name has, or that it has if the function is not given another one.
    pub(crate) value: &'f dyn Fn(&str) -> Option<&'a Expr>,
}

/// Whether a loop waits for something outside for as long as that takes, or for long: nothing that it counts or uses up
/// ends it, and neither does a time that comes soon.
pub(crate) fn polls<'a>(statement: &'a ast::StmtWhile, around: &Around<'_, 'a>) -> bool {
    let mut turn = Turn {
        around,
        made_of: FxHashMap::default(),
        by_clock: FxHashSet::default(),
    };
    turn.visit_expr(&statement.test);
    turn.visit_body(&statement.body);
    let mut tests = Vec::new();
    if !is_endless(&statement.test) {
        tests.push(&*statement.test);
    }
    leaving(&statement.body, &mut tests);
    !tests.into_iter().any(|test| turn.ends_by(test))
}

/// Adds the tests under which a suite leaves the loop around it.
fn leaving<'a>(suite: &'a [Stmt], tests: &mut Vec<&'a Expr>) {
    for statement in suite {
        if let Stmt::If(branch) = statement {
            if leaves(&branch.body) {
                tests.push(&branch.test);
            }
            for clause in &branch.elif_else_clauses {
                if leaves(&clause.body) {
                    // Without a test of its own, it is the first one that decides.
                    tests.push(clause.test.as_ref().unwrap_or(&branch.test));
                }
            }
        }
        if !matches!(statement, Stmt::FunctionDef(_) | Stmt::ClassDef(_)) {
            for inner in suites_in(statement) {
                leaving(inner, tests);
            }
        }
    }
}

fn leaves(suite: &[Stmt]) -> bool {
    suite
        .iter()
        .any(|last| matches!(last, Stmt::Return(_) | Stmt::Raise(_) | Stmt::Break(_)))
}

/// What happens in one turn of a loop.
struct Turn<'f, 'r, 'a> {
    around: &'r Around<'f, 'a>,
    /// For each name and attribute that is changed: those that its new value is made of.
    made_of: FxHashMap<String, FxHashSet<String>>,
    /// Those that are given what the clock says.
    by_clock: FxHashSet<String>,
}

impl<'a> Turn<'_, '_, 'a> {
    fn text(&self, expr: &Expr) -> String {
        (self.around.text)(expr)
    }

    fn change(&mut self, target: &'a Expr, value: &'a Expr, keeps_itself: bool) {
        match target {
            Expr::Tuple(ast::ExprTuple { elts, .. }) | Expr::List(ast::ExprList { elts, .. }) => {
                for target in elts {
                    self.change(target, value, keeps_itself);
                }
            }
            Expr::Name(_) | Expr::Attribute(_) => {
                let name = self.text(target);
                if self.tells_time(value) {
                    self.by_clock.insert(name.clone());
                }
                let mut parts = self.parts(value);
                if keeps_itself {
                    parts.insert(name.clone());
                }
                self.made_of.entry(name).or_default().extend(parts);
            }
            _ => {}
        }
    }

    /// The names and attributes in an expression.
    fn parts(&self, expr: &'a Expr) -> FxHashSet<String> {
        let mut parts = Parts::default();
        parts.visit_expr(expr);
        parts
            .names
            .into_iter()
            .map(|part| self.text(part))
            .collect()
    }

    fn tells_time(&self, expr: &'a Expr) -> bool {
        let mut parts = Parts::default();
        parts.visit_expr(expr);
        parts.calls.into_iter().any(|call| self.is_clock(call))
    }

    fn is_clock(&self, call: &'a ast::ExprCall) -> bool {
        (self.around.path)(&call.func).is_some_and(|path| {
            is_unique(&path) && (path.starts_with("time.") || path.starts_with("datetime."))
        })
    }

    /// Whether a test fails, or passes, at some time by what the loop itself does, or soon.
    fn ends_by(&self, test: &'a Expr) -> bool {
        let parts = self.parts(test);
        let is_by_clock =
            self.tells_time(test) || parts.iter().any(|part| self.by_clock.contains(part));
        let is_soon = || self.bound(test, BINDINGS).is_some_and(|bound| bound < LONG);
        is_by_clock && is_soon() || parts.iter().any(|part| self.goes_on(part))
    }

    /// Whether what a name has in one turn is made of what some name had in the turn before.
    fn goes_on(&self, name: &str) -> bool {
        let reached = self.reached(name);
        let mut all = reached.iter().map(String::as_str).chain([name]);
        all.any(|other| self.reached(other).contains(other))
    }

    /// What a name is made of in a turn, and what that is made of.
    fn reached(&self, name: &str) -> FxHashSet<String> {
        let mut reached = FxHashSet::default();
        let mut next = vec![name.to_owned()];
        while let Some(name) = next.pop() {
            for part in self.made_of.get(&name).into_iter().flatten() {
                if reached.insert(part.clone()) {
                    next.push(part.clone());
                }
            }
        }
        reached
    }

    /// The largest number of seconds that a test of the clock compares with. `None` where that is not known.
    fn bound(&self, expr: &'a Expr, steps: Limit) -> Option<f64> {
        let steps = steps.less()?;
        match expr {
            Expr::NumberLiteral(literal) => match &literal.value {
                Number::Int(value) => Some(value.as_i32().map_or(f64::MAX, f64::from)),
                Number::Float(value) => Some(*value),
                Number::Complex { .. } => None,
            },
            Expr::Compare(compare) => {
                let sides = std::iter::once(&*compare.left).chain(&*compare.comparators);
                self.largest(sides, steps)
            }
            Expr::BinOp(operation) => {
                let left = self.bound(&operation.left, steps)?;
                let right = self.bound(&operation.right, steps)?;
                Some(match operation.op {
                    ast::Operator::Mult => left * right,
                    _ => left.max(right),
                })
            }
            // The rest of the test may end it as well.
            Expr::BoolOp(several) => several
                .values
                .iter()
                .filter(|value| self.is_about_time(value))
                .filter_map(|value| self.bound(value, steps))
                .reduce(f64::min),
            Expr::UnaryOp(operation) => self.bound(&operation.operand, steps),
            Expr::Call(call) if self.is_clock(call) => Some(0.0),
            // `timedelta(seconds=5)`, `min(limit, 5)`
            Expr::Call(call) => {
                let given = call.arguments.iter_source_order();
                self.largest(given.map(ast::ArgOrKeyword::value), steps)
            }
            Expr::Name(name) => self.bound((self.around.value)(&name.id)?, steps),
            // `(now - start).total_seconds`
            Expr::Attribute(attribute) => match &*attribute.value {
                Expr::Name(_) => None,
                inner => self.bound(inner, steps),
            },
            _ => None,
        }
    }

    fn largest(&self, all: impl Iterator<Item = &'a Expr>, steps: Limit) -> Option<f64> {
        let mut largest = 0.0_f64;
        for value in all {
            largest = largest.max(self.bound(value, steps)?);
        }
        Some(largest)
    }

    fn is_about_time(&self, expr: &'a Expr) -> bool {
        self.tells_time(expr)
            || self
                .parts(expr)
                .iter()
                .any(|part| self.by_clock.contains(part))
    }
}

impl<'a> SourceOrderVisitor<'a> for Turn<'_, '_, 'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtFunctionDef(_)
            | AnyNodeRef::StmtClassDef(_)
            | AnyNodeRef::ExprLambda(_) => return TraversalSignal::Skip,
            AnyNodeRef::StmtAssign(assign) => {
                for target in &assign.targets {
                    self.change(target, &assign.value, false);
                }
            }
            AnyNodeRef::StmtAnnAssign(assign) => {
                if let Some(value) = assign.value.as_deref() {
                    self.change(&assign.target, value, false);
                }
            }
            AnyNodeRef::StmtAugAssign(assign) => self.change(&assign.target, &assign.value, true),
            AnyNodeRef::ExprNamed(named) => self.change(&named.target, &named.value, false),
            AnyNodeRef::StmtFor(inner) => self.change(&inner.target, &inner.iter, false),
            AnyNodeRef::WithItem(item) => {
                if let Some(target) = item.optional_vars.as_deref() {
                    self.change(target, &item.context_expr, false);
                }
            }
            // `waiting.pop()`, `del waiting[0]`
            AnyNodeRef::ExprCall(call) => {
                if let Expr::Attribute(method) = &*call.func
                    && method_changes(&method.attr)
                {
                    self.change(&method.value, &method.value, true);
                }
            }
            AnyNodeRef::ExprSubscript(item) if item.ctx != ExprContext::Load => {
                self.change(&item.value, &item.value, true);
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }
}

/// The names, attributes and calls in an expression.
#[derive(Default)]
struct Parts<'a> {
    names: Vec<&'a Expr>,
    calls: Vec<&'a ast::ExprCall>,
}

impl<'a> SourceOrderVisitor<'a> for Parts<'a> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Lambda(_) => return,
            Expr::Name(_) | Expr::Attribute(_) => self.names.push(expr),
            Expr::Call(call) => self.calls.push(call),
            _ => {}
        }
        walk_expr(self, expr);
    }
}
