//! What a function of the project does with what it is given, where no annotation says what that is.

use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ruff_text_size::Ranged;

use super::takes_coroutine::{Position, spawns, takes_coroutine};
use crate::resolve::definitions::Class;
use crate::resolve::semantics::Semantics;
use asyncfix_knowledge::stdlib::is_stdlib;

/// An argument of a call.
#[derive(Debug, Clone, Copy)]
pub enum Argument<'a> {
    /// At this place.
    At(usize),
    /// By this name.
    Named(&'a str),
}

/// Whether the function that `call` calls awaits what it is given for an argument, or has it awaited, looking into
/// `calls` more functions that it gives it to. `None` where it gives it to what is not in sight.
pub fn awaits_parameter(
    semantics: &Semantics<'_>,
    call: &ast::ExprCall,
    argument: Argument<'_>,
    calls: usize,
) -> Option<bool> {
    let calls = calls.checked_sub(1)?;
    let db = semantics.db();
    if let Some(class) = semantics.class_named(&call.func) {
        let class = Class::of(semantics, class)?;
        let mut body = class.node().body.iter();
        let maker = body.find_map(|statement| match statement {
            Stmt::FunctionDef(function) if function.name.as_str() == "__init__" => Some(function),
            _ => None,
        })?;
        return awaits(&class.own, maker, 1, argument, calls);
    }
    let function = semantics.function_in_sight(&call.func)?;
    let own = semantics.of_function(&function);
    let node = function.node(db)?;
    let object = usize::from(own.is_method(node) && call.func.is_attribute_expr());
    awaits(&own, node, object, argument, calls)
}

fn awaits(
    own: &Semantics<'_>,
    function: &ast::StmtFunctionDef,
    skipped: usize,
    argument: Argument<'_>,
    calls: usize,
) -> Option<bool> {
    let parameters = &function.parameters;
    let parameter = match argument {
        Argument::Named(name) => parameters.find(name)?,
        Argument::At(place) => {
            let positional = parameters.posonlyargs.iter().chain(&parameters.args);
            positional.skip(skipped).nth(place)?
        }
    };
    let mut uses = Uses {
        own,
        name: parameter.name(),
        calls,
        ancestors: Vec::new(),
        awaits: false,
        is_unclear: false,
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
        let mut keywords = call.arguments.keywords.iter();
        let keyword = keywords.find(|keyword| holds(&keyword.value));
        let argument = match (place, keyword) {
            (Some(place), _) => Argument::At(place),
            (None, Some(keyword)) => Argument::Named(keyword.arg.as_deref()?),
            (None, None) => return None,
        };
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
