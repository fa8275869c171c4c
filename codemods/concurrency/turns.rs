//! The loops in which coroutines are made, and the names that mean something else in each turn.

use asyncfix_analysis::resolve::semantics::contains;
use asyncfix_syntax::site::Site;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, ExprContext};
use rustc_hash::FxHashSet;

use crate::concurrency::lists::ListName;
use crate::concurrency::takers::{begins, skips};

/// One loop around the element.
#[derive(Debug, Clone, Copy)]
pub struct Turn<'a> {
    /// What is iterated over.
    pub iter: &'a Expr,
    /// Whether it is iterated over asynchronously.
    pub is_async: bool,
    /// Whether something may be left out.
    pub is_filtered: bool,
}

impl<'a> Turn<'a> {
    pub(super) fn over(iter: &'a Expr) -> Self {
        Self {
            iter,
            is_async: false,
            is_filtered: false,
        }
    }

    pub(super) fn of_comprehension(comprehension: &'a ast::Comprehension) -> Self {
        Self {
            iter: &comprehension.iter,
            is_async: comprehension.is_async,
            is_filtered: !comprehension.ifs.is_empty(),
        }
    }
}

/// The loops around a statement that put more and more in one list.
pub(super) struct Filling<'a> {
    pub(super) turns: Vec<Turn<'a>>,
    pub(super) outermost: Option<AnyNodeRef<'a>>,
}

impl<'a> Filling<'a> {
    /// Those around `site` that do not begin the list anew. `None` where a loop without an end in
    /// sight fills it.
    pub(super) fn of(site: &Site<'_, 'a>, list: ListName<'_>) -> Option<Self> {
        let mut filling = Self {
            turns: Vec::new(),
            outermost: None,
        };
        let mut is_filtered = false;
        for (node, child) in site.enclosing_in_function() {
            match node {
                AnyNodeRef::StmtFor(inner) => {
                    let in_body = inner.body.iter().any(|inner| contains(inner, child));
                    if !in_body || begins(&inner.body, list) {
                        break;
                    }
                    is_filtered |= skips(&inner.body);
                    filling.turns.push(Turn {
                        iter: &inner.iter,
                        is_async: inner.is_async,
                        is_filtered,
                    });
                    filling.outermost = Some(node);
                }
                // A list that is filled and emptied by turns is somebody's own way to limit.
                AnyNodeRef::StmtWhile(inner) => {
                    if !begins(&inner.body, list) {
                        return None;
                    }
                    break;
                }
                AnyNodeRef::StmtIf(_)
                | AnyNodeRef::StmtTry(_)
                | AnyNodeRef::StmtMatch(_)
                | AnyNodeRef::ExceptHandlerExceptHandler(_) => is_filtered = true,
                _ => {}
            }
        }
        Some(filling)
    }
}

/// The names that a comprehension gives to its elements.
pub(super) fn bind_comprehension<'a>(node: AnyNodeRef<'a>, bound: &mut FxHashSet<&'a str>) {
    let (AnyNodeRef::ExprListComp(ast::ExprListComp { generators, .. })
    | AnyNodeRef::ExprSetComp(ast::ExprSetComp { generators, .. })
    | AnyNodeRef::ExprGenerator(ast::ExprGenerator { generators, .. })
    | AnyNodeRef::ExprDictComp(ast::ExprDictComp { generators, .. })) = node
    else {
        return;
    };
    for comprehension in generators {
        bind_all(AnyNodeRef::from(&comprehension.target), bound);
    }
}

/// The names that a node binds, anywhere in it.
pub(super) fn bind_all<'a>(node: AnyNodeRef<'a>, bound: &mut FxHashSet<&'a str>) {
    struct Bound<'b, 'a>(&'b mut FxHashSet<&'a str>);
    impl<'a> SourceOrderVisitor<'a> for Bound<'_, 'a> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            match node {
                AnyNodeRef::ExprName(name) if name.ctx == ExprContext::Store => {
                    self.0.insert(&name.id);
                }
                AnyNodeRef::StmtFunctionDef(function) => {
                    self.0.insert(&function.name);
                }
                AnyNodeRef::Alias(alias) => {
                    let name = alias.asname.as_ref().unwrap_or(&alias.name);
                    self.0.insert(name.split('.').next().unwrap_or_default());
                }
                AnyNodeRef::ExceptHandlerExceptHandler(handler) => {
                    self.0
                        .extend(handler.name.as_ref().map(ast::Identifier::as_str));
                }
                AnyNodeRef::PatternMatchAs(pattern) => {
                    self.0
                        .extend(pattern.name.as_ref().map(ast::Identifier::as_str));
                }
                AnyNodeRef::PatternMatchStar(pattern) => {
                    self.0
                        .extend(pattern.name.as_ref().map(ast::Identifier::as_str));
                }
                _ => {}
            }
            TraversalSignal::Traverse
        }
    }
    let mut search = Bound(bound);
    if let AnyNodeRef::ExprName(name) = node {
        search.0.insert(&name.id);
    }
    node.visit_source_order(&mut search);
}
