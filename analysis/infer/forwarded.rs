//! What calls give that hand on what a function gives which they are given: `loop.run_in_executor(None, read)`,
//! `asyncio.to_thread(read)`. Their annotations say so, with a type variable (PEP 484, "Generics").

use ruff_python_ast::helpers::any_over_expr;
use ruff_python_ast::{self as ast, Expr, ParameterWithDefault};
use ty_python_core::definition::Definition;

use super::annotated::CALLABLES;
use crate::infer::types::Awaitability;
use crate::limits::BASES;
use crate::resolve::definitions::{Class, Function};
use crate::resolve::semantics::Semantics;

impl<'db> Semantics<'db> {
    /// The class of what a call gives, or awaiting it, that hands on what a function gives.
    pub(super) fn class_handed_on(
        &self,
        call: &ast::ExprCall,
        is_awaited: bool,
    ) -> Option<Definition<'db>> {
        let given = self.function_given(call, is_awaited)?;
        if let Some(class) = self.class_named(given) {
            return self.makes_instances(class, BASES).then_some(class);
        }
        let function = self.function_in_sight(given)?;
        let class = given
            .as_attribute_expr()
            .and_then(|method| self.class_of_callee(method));
        self.look_again(|| self.class_by_result(&function, false, class))
    }

    /// The function whose result a call hands on, where that is in sight.
    pub(super) fn function_handed_on(
        &self,
        call: &ast::ExprCall,
        is_awaited: bool,
    ) -> Option<Function<'db>> {
        self.function_in_sight(self.function_given(call, is_awaited)?)
    }

    /// The argument of a call that is the function whose result the call gives, or awaiting it.
    fn function_given<'e>(&self, call: &'e ast::ExprCall, is_awaited: bool) -> Option<&'e Expr> {
        let function = self.function_in_sight(&call.func)?;
        let own = self.of_function(&function);
        let node = function.node(self.db())?;
        if !own.keeps_function(node) {
            return None;
        }
        let result = node.returns.as_deref()?;
        let variable = match result {
            Expr::Subscript(generic) if is_awaited && !node.is_async => {
                let class = own.class_named(&generic.value)?;
                if own.awaitability_of_class(class, BASES) == Awaitability::No {
                    return None;
                }
                // What awaiting a coroutine gives comes last: `Coroutine[Any, Any, T]`.
                match &*generic.slice {
                    Expr::Tuple(parts) => parts.elts.last()?,
                    part => part,
                }
            }
            result if is_awaited == node.is_async => result,
            _ => return None,
        };
        let variable = variable.as_name_expr()?;
        if !own.is_type_variable(variable) {
            return None;
        }
        let gives_it = |parameter: &ParameterWithDefault| {
            let Some(Expr::Subscript(callable)) = parameter.annotation() else {
                return false;
            };
            matches!(&*callable.slice, Expr::Tuple(parts)
                if matches!(parts.elts.as_slice(), [_, Expr::Name(result)] if result.id == variable.id))
                && own.means(&callable.value, &CALLABLES)
        };
        let parameters = &node.parameters;
        // Nothing else may say what it stands for.
        let mentions = |annotation: &Expr| {
            any_over_expr(annotation, |part| match part {
                Expr::Name(name) => name.id == variable.id,
                // `"Callable[[], T]"`
                Expr::StringLiteral(quoted) => quoted.value.to_str().contains(&*variable.id),
                _ => false,
            })
        };
        let annotations = parameters
            .iter()
            .filter_map(ast::AnyParameterRef::annotation);
        if annotations
            .filter(|annotation| mentions(annotation))
            .count()
            != 1
        {
            return None;
        }
        let scope = own.function_scope(node)?;
        let class = own.index().class_definition_of_method(scope);
        if let Some(class) = class.and_then(|class| Class::of(self, class)) {
            let class = class.node();
            let is_of_class = class.bases().iter().any(&mentions)
                || class.type_params.as_ref().is_some_and(|parameters| {
                    parameters
                        .iter()
                        .any(|parameter| parameter.name().id == variable.id)
                });
            if is_of_class {
                return None;
            }
        }
        let positional = parameters.posonlyargs.iter().chain(&parameters.args);
        // The object comes first.
        let is_method = call.func.is_attribute_expr() && own.is_method(node);
        let position = positional.skip(usize::from(is_method)).position(gives_it)?;
        let given = &*call.arguments.args;
        let is_plain = !given.iter().take(position + 1).any(Expr::is_starred_expr);
        let given = given.get(position).filter(|_| is_plain)?;
        // `functools.partial(read, path)`
        match given {
            Expr::Call(partial) if self.means(&partial.func, &["functools.partial"]) => {
                partial.arguments.args.first()
            }
            given => Some(given),
        }
    }
}
