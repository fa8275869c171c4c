//! How an object is used in the function that opens it.

use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, ExprContext, Stmt};
use ruff_text_size::{Ranged, TextRange};

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
        ancestors: Vec::new(),
        found: Vec::new(),
    };
    uses.visit_body(body);
    uses.found
}

struct Uses<'a, 'n> {
    name: &'n str,
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
        let is_captured = self.ancestors.iter().any(|node| {
            matches!(
                node,
                AnyNodeRef::StmtFunctionDef(_)
                    | AnyNodeRef::StmtClassDef(_)
                    | AnyNodeRef::ExprLambda(_)
                    | AnyNodeRef::ExprGenerator(_)
            )
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
