//! Functions that give what they have made.

use asyncfix_knowledge::blocking::is_fresh;
use asyncfix_knowledge::conduct::{holds_arguments, is_unchanging};
use asyncfix_syntax::queries::{own_code, yields};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr};

use super::Target;
use super::own::TakenIn;
use super::writer::Writer;
use crate::facts::scopes::Binding;
use crate::limits::Limit;

impl<'a> Writer<'_, 'a> {
    /// The parameters, with their places in a call, one of which may be what a function of the file gives; whatever else
    /// it gives, it has made. `None` where it may be something else.
    pub(super) fn gives_new(&self, number: u32, steps: Limit) -> Option<Vec<(&'a str, usize)>> {
        let steps = steps.less()?;
        let (scope, function) = self.function_of(number)?;
        if function.is_async || !function.decorator_list.is_empty() || yields(function) {
            return None;
        }
        let mut returned = Returned(Vec::new());
        returned.visit_body(&function.body);
        let mut given = Vec::new();
        let are_new = returned.0.iter().all(|value| {
            value.is_some_and(|value| self.is_new(value, scope, function, &mut given, steps))
        });
        let parent = self.scopes.all.get(scope)?.parent;
        let mut parameters = function.parameters.iter_non_variadic_params();
        let first = parameters.next().map(|first| first.name().as_str());
        let is_method =
            first.is_some_and(|first| self.scopes.own_class(function, parent, first).is_some());
        let places = given.into_iter().map(|name| {
            let mut all = function.parameters.iter_non_variadic_params();
            let at = all.position(|parameter| parameter.name().as_str() == name)?;
            Some((name, at.checked_sub(usize::from(is_method))?))
        });
        let places: Option<Vec<_>> = places.collect();
        places.filter(|_| are_new && !returned.0.is_empty())
    }

    fn is_parameter_alone(&self, name: &ast::ExprName, scope: usize) -> bool {
        let own = self.scopes.all.get(scope);
        let bindings = own.and_then(|own| own.bindings.get(name.id.as_str()));
        matches!(bindings.map(Vec::as_slice), Some([Binding::Parameter(_)]))
    }

    fn is_new(
        &self,
        expr: &'a Expr,
        scope: usize,
        function: &'a ast::StmtFunctionDef,
        given: &mut Vec<&'a str>,
        steps: Limit,
    ) -> bool {
        let Some(steps) = steps.less() else {
            return false;
        };
        if let Expr::Name(name) = expr
            && self.is_parameter_alone(name, scope)
        {
            given.push(&name.id);
            return true;
        }
        let mut is_new = |expr: &'a Expr| self.is_new(expr, scope, function, given, steps);
        match expr {
            Expr::FString(_) | Expr::Compare(_) => true,
            other if other.is_literal_expr() => true,
            Expr::List(ast::ExprList { elts, .. }) | Expr::Set(ast::ExprSet { elts, .. }) => {
                elts.iter().all(is_new)
            }
            Expr::Dict(dict) => dict.items.iter().all(|item| is_new(&item.value)),
            Expr::If(either) => is_new(&either.body) && is_new(&either.orelse),
            Expr::BoolOp(operation) => operation.values.iter().all(is_new),
            Expr::Name(name) => {
                let own = self.scopes.all.get(scope);
                let bindings = own.and_then(|own| own.bindings.get(name.id.as_str()));
                let mut filled = TakenIn {
                    name: &name.id,
                    values: Vec::new(),
                };
                filled.visit_body(&function.body);
                filled.values.is_empty()
                    && !self.scopes.shared.contains(name.id.as_str())
                    && bindings.is_some_and(|bindings| {
                        bindings.iter().all(|binding| match *binding {
                            Binding::Value(value) | Binding::Annotated(_, Some(value)) => {
                                is_new(value)
                            }
                            _ => false,
                        })
                    })
            }
            Expr::Call(call) => match self.target(&call.func, scope) {
                Target::Import(path) => path.dotted().is_some_and(|path| {
                    is_fresh(path) && !holds_arguments(path) || is_unchanging(path)
                }),
                Target::Function(number) => self
                    .gives_new(number, steps)
                    .is_some_and(|given| given.is_empty()),
                _ => false,
            },
            _ => false,
        }
    }
}

/// Finds what a function returns.
struct Returned<'a>(Vec<Option<&'a Expr>>);

impl<'a> SourceOrderVisitor<'a> for Returned<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if let AnyNodeRef::StmtReturn(statement) = node {
            self.0.push(statement.value.as_deref());
        }
        own_code(node)
    }
}
