//! What a function of the project does with what it is given, where no annotation says what that is.

use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr};
use ruff_text_size::Ranged;

use super::signature::{Argument, Signature};
use super::takes_coroutine::{Position, spawns, takes_coroutine};
use crate::resolve::semantics::Semantics;
use asyncfix_knowledge::stdlib::is_stdlib;

/// Whether the function that `call` calls awaits what it is given for an argument, or has it awaited, looking into
/// `calls` more functions that it gives it to. `None` where it gives it to what is not in sight.
pub fn awaits_parameter(
    semantics: &Semantics<'_>,
    call: &ast::ExprCall,
    argument: Argument<'_>,
    calls: usize,
) -> Option<bool> {
    let calls = calls.checked_sub(1)?;
    let signature = Signature::called(semantics, call)?;
    let function = signature.node(semantics.db())?;
    let parameter = signature.takes(function, argument)?;
    let mut uses = Uses {
        own: &signature.own,
        name: &parameter.name,
        calls,
        ancestors: Vec::new(),
        awaits: false,
        is_unclear: signature.is_wrapped(function),
    };
    uses.visit_body(&function.body);
    match uses {
        Uses { awaits: true, .. } => Some(true),
        Uses {
            is_unclear: true, ..
        } => None,
        _ => Some(false),
    }
}

/// Looks for what becomes of a parameter.
struct Uses<'s, 'db, 'a> {
    own: &'s Semantics<'db>,
    name: &'s str,
    calls: usize,
    ancestors: Vec<AnyNodeRef<'a>>,
    awaits: bool,
    is_unclear: bool,
}

impl<'a> Uses<'_, '_, 'a> {
    fn use_at(&mut self, node: AnyNodeRef<'a>) {
        let mut child = node;
        for around in self.ancestors.iter().rev() {
            match around {
                AnyNodeRef::ExprAwait(_) => self.awaits = true,
                AnyNodeRef::ExprCall(call) if call.func.range() != child.range() => {
                    match self.given_to(call, node) {
                        Some(true) => self.awaits = true,
                        Some(false) => {}
                        None => self.is_unclear = true,
                    }
                    return;
                }
                AnyNodeRef::Arguments(_)
                | AnyNodeRef::Keyword(_)
                | AnyNodeRef::ExprStarred(_)
                | AnyNodeRef::ExprList(_)
                | AnyNodeRef::ExprTuple(_)
                | AnyNodeRef::ExprSet(_) => {}
                // It is kept, or given back: somebody else may await it.
                AnyNodeRef::StmtAssign(assign) => {
                    self.is_unclear |= !assign.targets.iter().all(Expr::is_attribute_expr);
                    return;
                }
                AnyNodeRef::StmtReturn(_) => {
                    self.is_unclear = true;
                    return;
                }
                _ => return,
            }
            child = *around;
        }
    }

    fn given_to(&self, call: &ast::ExprCall, node: AnyNodeRef<'_>) -> Option<bool> {
        let holds = |expr: &Expr| expr.range().contains_range(node.range());
        let place = call.arguments.args.iter().position(holds);
        if let Some(position) = takes_coroutine(self.own, &call.func) {
            return Some(position == Position::Every || place == Some(0));
        }
        if spawns(&call.func) {
            return None;
        }
        let package = self.own.qualified_name(&call.func);
        let package = package.as_deref().and_then(|path| path.split('.').next());
        if package.is_some_and(|package| package == "builtins" || is_stdlib(package)) {
            return Some(false);
        }
        let argument = Argument::of(call, holds)?;
        awaits_parameter(self.own, call, argument, self.calls)
    }
}

impl<'a> SourceOrderVisitor<'a> for Uses<'_, '_, 'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if let AnyNodeRef::ExprName(name) = node
            && name.id == self.name
            && name.ctx.is_load()
        {
            self.use_at(node);
        }
        self.ancestors.push(node);
        TraversalSignal::Traverse
    }

    fn leave_node(&mut self, _node: AnyNodeRef<'a>) {
        self.ancestors.pop();
    }
}
