//! Libraries that tell coroutine functions from others, and whose answer is not what the signature says.

use asyncfix_syntax::queries::last_name;
use ruff_python_ast::helpers::any_over_expr;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr};

use crate::file::File;

/// Whether an argument is not for the function itself, but for what a decorator makes of it: `load(name, _sync=True)`.
pub(super) fn is_told_to_decorator(file: &File<'_, '_>, call: &ast::ExprCall) -> bool {
    let semantics = &file.semantics;
    let mut definitions = semantics
        .definitions_named((&*call.func).into())
        .into_iter();
    definitions.any(|definition| {
        let function = semantics.function_of(definition);
        let node = function
            .as_ref()
            .and_then(|function| function.node(semantics.db()));
        node.is_some_and(|node| {
            !node.decorator_list.is_empty()
                && node.parameters.kwarg.is_none()
                && call.arguments.keywords.iter().any(|keyword| {
                    keyword.arg.as_ref().is_some_and(|name| {
                        let mut parameters = node.parameters.iter_non_variadic_params();
                        parameters.all(|parameter| parameter.name().as_str() != name.as_str())
                    })
                })
        })
    })
}

/// Whether the object whose method is called comes from a call that tells coroutine functions from others: one of its
/// signatures is for what gives a `Coroutine`. Then it is the result of that which the object holds, whatever the
/// signature says that type checkers take.
pub(super) fn comes_from_unwrapping_call(file: &File<'_, '_>, node: AnyNodeRef<'_>) -> bool {
    let AnyNodeRef::ExprCall(call) = node else {
        return false;
    };
    let Expr::Attribute(method) = &*call.func else {
        return false;
    };
    let semantics = &file.semantics;
    let object = &*method.value;
    let makers = std::iter::once(object).chain(semantics.values_behind(object));
    makers.filter_map(Expr::as_call_expr).any(|maker| {
        let mut definitions = semantics
            .definitions_named((&*maker.func).into())
            .into_iter();
        definitions.any(|definition| {
            let Some(function) = semantics.function_of(definition) else {
                return false;
            };
            let own = semantics.of_function(&function);
            let mut search = Signatures {
                name: function.node(semantics.db()).map(|node| node.name.as_str()),
                found: false,
            };
            search.visit_body(own.body());
            search.found
        })
    })
}

/// Looks for a signature of a function of this name that is for coroutines.
struct Signatures<'n> {
    name: Option<&'n str>,
    found: bool,
}

impl<'a> SourceOrderVisitor<'a> for Signatures<'_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        let AnyNodeRef::StmtFunctionDef(function) = node else {
            return if node.is_expression() {
                TraversalSignal::Skip
            } else {
                TraversalSignal::Traverse
            };
        };
        let mut decorators = function.decorator_list.iter();
        let is_signature = self.name == Some(function.name.as_str())
            && decorators.any(|decorator| last_name(&decorator.expression) == Some("overload"));
        let speaks = |annotation: &Expr| {
            any_over_expr(annotation, |part| match part {
                Expr::StringLiteral(text) => text.value.to_str().contains("Coroutine["),
                part => last_name(part) == Some("Coroutine"),
            })
        };
        self.found |= is_signature
            && function
                .parameters
                .iter()
                .filter_map(ast::AnyParameterRef::annotation)
                .any(speaks);
        TraversalSignal::Skip
    }
}
