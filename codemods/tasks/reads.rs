//! Whether a function still uses the task that a local name holds.

use asyncfix_syntax::depth::Depth;
use asyncfix_syntax::site::Site;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, ExprContext, Stmt};
use ruff_text_size::{Ranged, TextSize};

/// Whether a local name is bound by the statement at `site` alone, once, and never deleted.
pub(super) fn is_bound_once(
    site: &Site<'_, '_>,
    function: &ast::StmtFunctionDef,
    name: &str,
) -> bool {
    struct Bindings<'n> {
        name: &'n str,
        found: usize,
    }
    impl<'a> SourceOrderVisitor<'a> for Bindings<'_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.found += usize::from(matches!(node, AnyNodeRef::ExprName(other)
                if other.ctx != ExprContext::Load && other.id == self.name));
            TraversalSignal::Traverse
        }
    }
    let is_repeated = site
        .enclosing_in_function()
        .any(|(node, _)| node.is_stmt_for() || node.is_stmt_while());
    let mut bindings = Bindings { name, found: 0 };
    bindings.visit_body(&function.body);
    !is_repeated && bindings.found == 1
}

/// Whether a local name is read in a function where it may have what the statement at `site` gives it, or in a scope
/// inside, or is more than a local name: declared `global` or `nonlocal`.
pub(super) fn is_read_after(
    site: &Site<'_, '_>,
    function: &ast::StmtFunctionDef,
    name: &str,
) -> bool {
    is_used_after(site, function, name, false)
}

/// Whether all that a function does with the task in a local name is to add callbacks to it.
pub(super) fn is_only_watched(
    site: &Site<'_, '_>,
    function: &ast::StmtFunctionDef,
    name: &str,
) -> bool {
    !is_used_after(site, function, name, true)
}

/// Whether a function reads a local name, but for adding callbacks where it `may_be_watched`.
fn is_used_after(
    site: &Site<'_, '_>,
    function: &ast::StmtFunctionDef,
    name: &str,
    may_be_watched: bool,
) -> bool {
    let is_repeated = site
        .enclosing_in_function()
        .any(|(node, _)| node.is_stmt_for() || node.is_stmt_while());
    let from = match site.statement() {
        Some(statement) if !is_repeated => statement.node.start(),
        _ => function.start(),
    };
    let mut reads = Reads {
        name,
        from,
        may_be_watched,
        depth: Depth::default(),
        found: false,
    };
    reads.visit_body(&function.body);
    reads.found
}

/// Whether a name is read, or deleted, anywhere in a suite.
pub(super) fn reads(suite: &[Stmt], name: &str) -> bool {
    let mut reads = Reads {
        name,
        from: TextSize::default(),
        may_be_watched: false,
        depth: Depth::default(),
        found: false,
    };
    reads.visit_body(suite);
    reads.found
}

/// The variable of a task that a statement adds a callback to, which keeps no reference to it.
fn only_watched(statement: &ast::StmtExpr) -> Option<(&str, &ast::Arguments)> {
    let call = statement.value.as_call_expr()?;
    let method = call.func.as_attribute_expr()?;
    let name = method.value.as_name_expr()?;
    (&method.attr == "add_done_callback").then_some((name.id.as_str(), &call.arguments))
}

struct Reads<'n> {
    name: &'n str,
    /// What the function's own code reads before is something else.
    from: TextSize,
    /// Whether callbacks that are added to it do not count.
    may_be_watched: bool,
    depth: Depth,
    found: bool,
}

impl<'a> Reads<'_> {
    /// Looks at a comprehension, which may have a variable of this name.
    fn comprehension(&mut self, clauses: &'a [ast::Comprehension]) -> TraversalSignal {
        let is_own = clauses
            .iter()
            .any(|clause| binds(&clause.target, self.name));
        let Some(first) = clauses.first().filter(|_| is_own) else {
            return TraversalSignal::Traverse;
        };
        self.visit_expr(&first.iter);
        TraversalSignal::Skip
    }
}

impl<'a> SourceOrderVisitor<'a> for Reads<'_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if self.found {
            return TraversalSignal::Skip;
        }
        match node {
            AnyNodeRef::StmtExpr(statement)
                if let Some((name, arguments)) = only_watched(statement)
                    && name == self.name
                    && self.may_be_watched
                    && !self.depth.is_inside() =>
            {
                self.visit_arguments(arguments);
                return TraversalSignal::Skip;
            }
            AnyNodeRef::ExprName(other) => {
                self.found |= other.ctx != ExprContext::Store
                    && other.id == self.name
                    && (other.start() >= self.from || self.depth.is_inside());
            }
            AnyNodeRef::StmtGlobal(ast::StmtGlobal { names, .. })
            | AnyNodeRef::StmtNonlocal(ast::StmtNonlocal { names, .. }) => {
                self.found |= names.iter().any(|other| other.as_str() == self.name);
            }
            AnyNodeRef::ExprListComp(ast::ExprListComp { generators, .. })
            | AnyNodeRef::ExprSetComp(ast::ExprSetComp { generators, .. })
            | AnyNodeRef::ExprDictComp(ast::ExprDictComp { generators, .. })
            | AnyNodeRef::ExprGenerator(ast::ExprGenerator { generators, .. }) => {
                return self.comprehension(generators);
            }
            _ => {}
        }
        self.depth.enter(node);
        TraversalSignal::Traverse
    }

    fn leave_node(&mut self, node: AnyNodeRef<'a>) {
        if !self.found {
            self.depth.leave(node);
        }
    }
}

/// Whether a target binds a name.
fn binds(target: &Expr, name: &str) -> bool {
    match target {
        Expr::Name(other) => other.id == name,
        Expr::Starred(starred) => binds(&starred.value, name),
        Expr::Tuple(ast::ExprTuple { elts, .. }) | Expr::List(ast::ExprList { elts, .. }) => {
            elts.iter().any(|target| binds(target, name))
        }
        _ => false,
    }
}
