//! Attributes and properties that hold a coroutine which somebody else awaits.

use asyncfix_analysis::answers::uses::is_impossible;
use asyncfix_analysis::infer::callee_awaitability::returned_by;
use asyncfix_syntax::site::Site;
use ruff_python_ast::{self as ast, Expr, Stmt};

use crate::file::File;

/// Whether an attribute hands out a coroutine that its object holds, and nothing at `site` is impossible with one:
/// only a property that makes a new coroutine each time is like a call that lacks its `await`.
pub(super) fn is_held(
    file: &File<'_, '_>,
    site: &Site<'_, '_>,
    attribute: &ast::ExprAttribute,
) -> bool {
    !is_impossible(site) && !is_made_anew(file, attribute)
}

fn is_made_anew(file: &File<'_, '_>, attribute: &ast::ExprAttribute) -> bool {
    let semantics = &file.semantics;
    let mut definitions = semantics.definitions_named(attribute.into()).into_iter();
    definitions.any(|definition| {
        let Some(function) = semantics.function_of(definition) else {
            return false;
        };
        function.node(semantics.db()).is_some_and(|node| {
            let returned = returned_by(&node.body);
            node.is_async
                || !returned.is_empty()
                    && returned
                        .iter()
                        .all(|value| value.is_some_and(Expr::is_call_expr))
                // A signature says no more.
                || is_signature(&node.body)
        })
    })
}

/// Whether the body of a function does nothing.
pub(super) fn is_signature(body: &[Stmt]) -> bool {
    body.iter().all(|statement| match statement {
        Stmt::Pass(_) | Stmt::Raise(_) => true,
        Stmt::Expr(only) => {
            only.value.is_ellipsis_literal_expr() || only.value.is_string_literal_expr()
        }
        _ => false,
    })
}
