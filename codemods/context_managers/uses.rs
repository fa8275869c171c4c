//! How an object is used in the function that opens it.

use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, ExprContext, Stmt};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::FxHashSet;

/// A use of an object.
pub(super) struct Used<'a> {
    pub(super) range: TextRange,
    pub(super) kind: UseKind<'a>,
    /// Whether it is a method that is called there, and awaited, entered or iterated over.
    pub(super) is_awaited: bool,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum UseKind<'a> {
    /// `name.attribute`, read or given a value.
    Receiver(&'a str),
    /// An argument of this call.
    Argument(&'a ast::ExprCall),
    /// What a loop iterates over.
    Iterated,
    /// `yield name`
    Yielded,
    /// Anything else: it may outlive the function, or be managed already.
    Kept,
}

/// The uses of `name` in `body`.
pub(super) fn uses_of<'a>(name: &str, body: &'a [Stmt]) -> Vec<Used<'a>> {
    let mut uses = Uses {
        name,
        local: awaited_functions(body),
        ancestors: Vec::new(),
        found: Vec::new(),
    };
    uses.visit_body(body);
    uses.found
}

/// The names of the coroutine functions in `body` that are only called there, and awaited: what they use is used while
/// the function runs.
fn awaited_functions(body: &[Stmt]) -> FxHashSet<&str> {
    struct Search<'a> {
        defined: FxHashSet<&'a str>,
        others: FxHashSet<&'a str>,
        ancestors: Vec<AnyNodeRef<'a>>,
    }
    impl<'a> SourceOrderVisitor<'a> for Search<'a> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            match node {
                AnyNodeRef::StmtFunctionDef(function)
                    if function.is_async
                        && function.decorator_list.is_empty()
                        && !self.defined.insert(&function.name) =>
                {
                    self.others.insert(&function.name);
                }
                AnyNodeRef::ExprName(name) => {
                    let is_called = matches!(self.ancestors.last(), Some(AnyNodeRef::ExprCall(call))
                        if call.func.range() == name.range());
                    let mut around = self.ancestors.iter().rev();
                    let is_awaited = around
                        .by_ref()
                        .take_while(|node| !node.is_statement() && !node.is_expr_lambda())
                        .any(ruff_python_ast::AnyNodeRef::is_expr_await);
                    if !is_called || !is_awaited {
                        self.others.insert(&name.id);
                    }
                }
                _ => {}
            }
            self.ancestors.push(node);
            TraversalSignal::Traverse
        }

        fn leave_node(&mut self, _node: AnyNodeRef<'a>) {
            self.ancestors.pop();
        }
    }
    let mut search = Search {
        defined: FxHashSet::default(),
        others: FxHashSet::default(),
        ancestors: Vec::new(),
    };
    search.visit_body(body);
    let Search {
        mut defined,
        others,
        ..
    } = search;
    defined.retain(|name| !others.contains(name));
    defined
}

struct Uses<'a, 'n> {
    name: &'n str,
    /// The functions inside that run only while this one waits for them.
    local: FxHashSet<&'a str>,
    ancestors: Vec<AnyNodeRef<'a>>,
    found: Vec<Used<'a>>,
}

impl<'a> Uses<'a, '_> {
    fn is_awaited(&self) -> bool {
        let mut around = self.ancestors.iter().rev();
        let is_method = around
            .next()
            .is_some_and(ruff_python_ast::AnyNodeRef::is_expr_attribute)
            && around
                .next()
                .is_some_and(ruff_python_ast::AnyNodeRef::is_expr_call);
        is_method
            && match around.next() {
                Some(AnyNodeRef::ExprAwait(_) | AnyNodeRef::WithItem(_)) => true,
                Some(AnyNodeRef::StmtFor(statement)) => statement.is_async,
                _ => false,
            }
    }

    fn kind(&self) -> UseKind<'a> {
        let is_captured = self.ancestors.iter().any(|node| match node {
            AnyNodeRef::StmtFunctionDef(function) => !self.local.contains(function.name.as_str()),
            node => matches!(
                node,
                AnyNodeRef::StmtClassDef(_)
                    | AnyNodeRef::ExprLambda(_)
                    | AnyNodeRef::ExprGenerator(_)
            ),
        });
        if is_captured {
            return UseKind::Kept;
        }
        let mut around = self.ancestors.iter().rev();
        match around.next() {
            Some(AnyNodeRef::ExprAttribute(attribute)) if attribute.ctx != ExprContext::Del => {
                UseKind::Receiver(&attribute.attr)
            }
            Some(AnyNodeRef::Arguments(_) | AnyNodeRef::Keyword(_)) => {
                match around.find(|node| node.is_expr_call()) {
                    Some(AnyNodeRef::ExprCall(call)) => UseKind::Argument(call),
                    _ => UseKind::Kept,
                }
            }
            Some(AnyNodeRef::StmtFor(_)) => UseKind::Iterated,
            Some(AnyNodeRef::ExprYield(_)) => UseKind::Yielded,
            _ => UseKind::Kept,
        }
    }
}

impl<'a> SourceOrderVisitor<'a> for Uses<'a, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if let AnyNodeRef::ExprName(name) = node
            && name.id == self.name
            && name.ctx != ExprContext::Store
        {
            self.found.push(Used {
                range: name.range(),
                kind: self.kind(),
                is_awaited: self.is_awaited(),
            });
        }
        self.ancestors.push(node);
        TraversalSignal::Traverse
    }

    fn leave_node(&mut self, _node: AnyNodeRef<'a>) {
        self.ancestors.pop();
    }
}

/// Whether `object` is used in a statement behind the only `yield` of a function, where that is one of
/// the function's own suite.
pub(super) fn closes_behind_yield(function: &ast::StmtFunctionDef, object: &ast::ExprName) -> bool {
    let is_yield =
        |statement: &Stmt| matches!(statement, Stmt::Expr(only) if only.value.is_yield_expr());
    let Some(at) = function.body.iter().position(is_yield) else {
        return false;
    };
    let behind = function.body.get(at + 1..).unwrap_or_default();
    !uses_of(&object.id, behind).is_empty()
}
