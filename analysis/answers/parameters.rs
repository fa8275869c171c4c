//! What a function of the project does with what it is given, where no annotation says what that is.

use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ruff_text_size::Ranged;

use super::signature::{Argument, Signature};
use super::takes_coroutine::{Position, spawns, takes_coroutine};
use super::uses::{Use, use_of};
use crate::limits::Limit;
use crate::resolve::semantics::Semantics;
use asyncfix_knowledge::libraries::HANDING_BACK;
use asyncfix_knowledge::stdlib::is_stdlib;
use asyncfix_syntax::site::Site;

/// Whether the function that `call` calls awaits what it is given for an argument, or has it awaited, looking into
/// `calls` more functions that it gives it to. `None` where it gives it to what is not in sight.
pub fn awaits_parameter(
    semantics: &Semantics<'_>,
    call: &ast::ExprCall,
    argument: Argument<'_>,
    calls: Limit,
) -> Option<bool> {
    let calls = calls.less()?;
    let signature = Signature::called(semantics, call)?;
    let function = signature.node(semantics.db())?;
    let parameter = signature.takes(function, argument)?;
    // What stands in its place is not in sight.
    if is_left_open(&function.body) {
        return None;
    }
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

/// Whether a function says nothing of what it does.
fn is_left_open(body: &[Stmt]) -> bool {
    body.iter().all(|statement| match statement {
        Stmt::Expr(statement) => statement.value.is_literal_expr(),
        Stmt::Pass(_) | Stmt::Raise(_) => true,
        _ => false,
    })
}

/// Looks for what becomes of a parameter.
struct Uses<'s, 'db, 'a> {
    own: &'s Semantics<'db>,
    name: &'s str,
    calls: Limit,
    ancestors: Vec<AnyNodeRef<'a>>,
    awaits: bool,
    is_unclear: bool,
}

impl<'a> Uses<'_, '_, 'a> {
    fn use_at(&mut self, node: AnyNodeRef<'a>) {
        let site = Site {
            ancestors: &self.ancestors,
            node,
        };
        let is_matched = matches!(site.parent(), Some(AnyNodeRef::StmtMatch(_)));
        match use_of(&site) {
            Use::Dropped | Use::Plain if !is_matched => return,
            _ => {}
        }
        // Whoever else has it, such as what reads the attribute that it is put into, may await it.
        match self.is_awaited(&site) {
            Some(true) => self.awaits = true,
            Some(false) => {}
            None => self.is_unclear = true,
        }
    }

    /// Whether it is awaited where it stands, or by what it is given to.
    fn is_awaited(&self, site: &Site<'_, 'a>) -> Option<bool> {
        let mut child = site.node;
        let mut is_inside = false;
        for around in site.ancestors.iter().rev() {
            match around {
                AnyNodeRef::ExprAwait(_) => return Some(true),
                AnyNodeRef::ExprCall(call) if call.func.range() != child.range() => {
                    return self.given_to(call, site.node, is_inside);
                }
                // What is called is no coroutine.
                AnyNodeRef::ExprCall(_) if !is_inside => return Some(false),
                AnyNodeRef::Arguments(_)
                | AnyNodeRef::Keyword(_)
                | AnyNodeRef::ExprIf(_)
                | AnyNodeRef::ExprBoolOp(_) => {}
                AnyNodeRef::ExprStarred(_)
                | AnyNodeRef::ExprList(_)
                | AnyNodeRef::ExprTuple(_)
                | AnyNodeRef::ExprSet(_) => is_inside = true,
                _ => return None,
            }
            child = *around;
        }
        None
    }

    /// `is_inside` is whether `call` is given a collection with it.
    fn given_to(
        &self,
        call: &ast::ExprCall,
        node: AnyNodeRef<'_>,
        is_inside: bool,
    ) -> Option<bool> {
        let holds = |expr: &Expr| expr.range().contains_range(node.range());
        if let Some(position) = takes_coroutine(self.own, &call.func) {
            let place = call.arguments.args.iter().position(holds);
            return Some(position == Position::Every || place == Some(0));
        }
        if is_inside || spawns(&call.func) {
            return None;
        }
        match takes_value(self.own, &call.func) {
            Some(takes_value) => takes_value.then_some(false),
            None => awaits_parameter(self.own, call, Argument::of(call, holds)?, self.calls),
        }
    }
}

/// Whether a function of the standard library takes what it is given as a value, and neither keeps it nor hands it back,
/// as some of others do too. `None` for functions of which nothing is known.
pub fn takes_value(semantics: &Semantics<'_>, callee: &Expr) -> Option<bool> {
    const KEEPING: [&str; 3] = ["builtins.dict", "builtins.setattr", "types.SimpleNamespace"];
    let path = semantics.qualified_name(callee)?;
    match path.split('.').next()? {
        "contextlib" | "functools" => Some(false),
        package if HANDING_BACK.contains(&package) => Some(false),
        package if package == "builtins" || is_stdlib(package) => {
            Some(!KEEPING.contains(&path.as_str()))
        }
        _ => None,
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
