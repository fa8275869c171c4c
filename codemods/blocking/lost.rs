//! What is read before the new `await` and changed behind it: what other tasks do to it in between would be lost.

use asyncfix_knowledge::conduct::method_changes;
use asyncfix_syntax::lines::one_line;
use asyncfix_syntax::queries::own_code;
use asyncfix_syntax::site::{Owner, Site};
use ruff_python_ast::comparable::ComparableExpr;
use ruff_python_ast::visitor::source_order::{
    SourceOrderVisitor, TraversalSignal, walk_expr, walk_stmt,
};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, ExprContext, Stmt};
use ruff_text_size::{Ranged, TextRange, TextSize};

use crate::blocking::files::is_run_once;
use crate::file::File;

/// Why others must not run while `call` does: what it is given, or what its statement has read before it, is changed by
/// the same function behind it.
pub(super) fn update<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    owner: Owner<'a>,
    call: &'a ast::ExprCall,
) -> Option<String> {
    let statement = site.statement()?.node;
    if let AnyNodeRef::StmtAugAssign(inner) = statement
        && is_shared_target(file, owner, &inner.target)
    {
        return Some(overwritten(file, &inner.target));
    }
    let Owner::Function(function) = owner else {
        return None;
    };
    let mut reads = Reads {
        file,
        function,
        until: call.end(),
        callee: call.func.range(),
        found: Vec::new(),
    };
    statement.visit_source_order(&mut reads);
    if reads.found.is_empty() {
        return None;
    }
    let around = site.enclosing_in_function();
    let loops = around.filter_map(|(node, _)| {
        matches!(node, AnyNodeRef::StmtFor(_) | AnyNodeRef::StmtWhile(_)).then_some(node.range())
    });
    let mut search = Changes {
        file,
        owner,
        read: &reads.found,
        statement: statement.range(),
        behind: call.end(),
        loops: loops.collect(),
        found: None,
    };
    search.visit_body(&function.body);
    let changed = search.found?;
    (!is_run_once(file, function)).then(|| overwritten(file, changed))
}

fn overwritten(file: &File<'_, '_>, target: &Expr) -> String {
    format!(
        "another task may change `{}` while this waits, and that change would be lost",
        one_line(file.text(target))
    )
}

/// Whether others may see a target: only local variables are nobody else's.
fn is_shared_target(file: &File<'_, '_>, owner: Owner<'_>, target: &Expr) -> bool {
    let Expr::Name(name) = target else {
        return true;
    };
    let scope = file.semantics.scope_of_owner(owner);
    scope.is_some_and(|scope| file.semantics.is_shared(&name.id, scope))
}

/// Looks for what others may change, in a statement up to a place in it: attributes and items of what the function was
/// given, and variables that are not its own.
struct Reads<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    function: &'a ast::StmtFunctionDef,
    until: TextSize,
    /// What is called is no value that is kept.
    callee: TextRange,
    found: Vec<&'f Expr>,
}

impl<'f> Reads<'f, '_, '_> {
    fn is_shared(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Name(name) => self.comes_from_outside(&name.id),
            Expr::Attribute(attribute) => self.is_shared(&attribute.value),
            Expr::Subscript(subscript) => self.is_shared(&subscript.value),
            _ => false,
        }
    }

    fn comes_from_outside(&self, name: &str) -> bool {
        let mut parameters = self.function.parameters.iter_non_variadic_params();
        let semantics = &self.file.semantics;
        parameters.any(|parameter| parameter.name().as_str() == name)
            || semantics
                .function_scope(self.function)
                .is_some_and(|scope| semantics.is_shared(name, scope))
    }

    /// Takes note of a value, or of those that a variable was given.
    fn note(&mut self, expr: &'f Expr) {
        if self.is_shared(expr) {
            self.found.push(expr);
        } else if expr.is_name_expr() {
            let values = self.file.semantics.values_behind(expr);
            let shared = values.into_iter().filter(|value| self.is_shared(value));
            let shared: Vec<&Expr> = shared.collect();
            self.found.extend(shared);
        }
    }
}

impl<'f, 'a: 'f> SourceOrderVisitor<'a> for Reads<'f, 'a, '_> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        if expr.start() >= self.until || expr.range() == self.callee || expr.is_lambda_expr() {
            return;
        }
        let is_read = match expr {
            Expr::Name(name) => name.ctx == ExprContext::Load,
            Expr::Attribute(attribute) => attribute.ctx == ExprContext::Load,
            Expr::Subscript(subscript) => subscript.ctx == ExprContext::Load,
            _ => false,
        };
        if is_read {
            self.note(expr);
        }
        walk_expr(self, expr);
    }

    fn visit_stmt(&mut self, statement: &'a Stmt) {
        if statement.start() < self.until {
            walk_stmt(self, statement);
        }
    }
}

/// Looks for a change of what was read.
struct Changes<'r, 'f, 'a, 'db> {
    file: &'r File<'a, 'db>,
    owner: Owner<'a>,
    read: &'r [&'f Expr],
    /// The statement that waits.
    statement: TextRange,
    /// Where the wait ends.
    behind: TextSize,
    /// The loops around it: what stands before it there comes behind it as well.
    loops: Vec<TextRange>,
    found: Option<&'f Expr>,
}

impl<'f> Changes<'_, 'f, '_, '_> {
    fn is_read(&self, expr: &Expr) -> bool {
        let expr = ComparableExpr::from(expr);
        self.read
            .iter()
            .any(|read| ComparableExpr::from(*read) == expr)
    }

    /// Something is assigned to `target`, or it is deleted.
    fn target(&mut self, target: &'f Expr) {
        match target {
            Expr::Tuple(ast::ExprTuple { elts, .. }) | Expr::List(ast::ExprList { elts, .. }) => {
                for inner in elts {
                    self.target(inner);
                }
            }
            Expr::Starred(starred) => self.target(&starred.value),
            Expr::Attribute(_) => self.change(target, target),
            Expr::Subscript(subscript) => {
                self.change(target, &subscript.value);
                self.change(target, target);
            }
            Expr::Name(_) if is_shared_target(self.file, self.owner, target) => {
                self.change(target, target);
            }
            _ => {}
        }
    }

    fn change(&mut self, shown: &'f Expr, changed: &Expr) {
        if self.found.is_none() && self.is_read(changed) {
            self.found = Some(shown);
        }
    }
}

impl<'f, 'a: 'f> SourceOrderVisitor<'a> for Changes<'_, 'f, 'a, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if self.found.is_some() || !own_code(node).is_traverse() {
            return TraversalSignal::Skip;
        }
        let range = node.range();
        let is_behind = range.start() >= self.behind
            || range == self.statement
            || self.loops.iter().any(|around| around.contains_range(range));
        if !is_behind {
            return TraversalSignal::Traverse;
        }
        match node {
            AnyNodeRef::StmtAssign(statement) => {
                statement
                    .targets
                    .iter()
                    .for_each(|target| self.target(target));
            }
            AnyNodeRef::StmtAnnAssign(statement) if statement.value.is_some() => {
                self.target(&statement.target);
            }
            AnyNodeRef::StmtDelete(statement) => {
                statement
                    .targets
                    .iter()
                    .for_each(|target| self.target(target));
            }
            AnyNodeRef::ExprCall(call) if range.start() >= self.behind => {
                if let Expr::Attribute(method) = &*call.func
                    && method_changes(&method.attr)
                {
                    self.change(&method.value, &method.value);
                }
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }
}
