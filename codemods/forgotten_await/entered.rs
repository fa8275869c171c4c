//! Coroutines that are iterated or entered asynchronously: what they give was meant.

use asyncfix_analysis::answers::awaitable::called_at;
use asyncfix_analysis::infer::types::ClassOf;
use asyncfix_syntax::site::Site;
use ruff_python_ast::helpers::map_subscript;
use ruff_python_ast::{AnyNodeRef, Expr};

use super::held::is_signature;
use crate::file::File;

/// Classes whose instances are coroutines and nothing else.
const COROUTINES: [&str; 4] = [
    "types.CoroutineType",
    "typing.Coroutine",
    "collections.abc.Coroutine",
    "_collections_abc.Coroutine",
];

/// What is never an asynchronous iterator or context manager.
const PLAIN: [&str; 6] = [
    "builtins.list",
    "builtins.dict",
    "builtins.set",
    "builtins.tuple",
    "builtins.str",
    "builtins.bytes",
];

/// Whether the value at a node is a coroutine and no more: aiohttp's requests can be awaited and entered.
pub(super) fn is_nothing_else(file: &File<'_, '_>, node: AnyNodeRef<'_>) -> bool {
    let semantics = &file.semantics;
    // What overrides a method without a body may well be an asynchronous generator.
    let is_placeholder = called_at(file, node).into_iter().any(|callee| {
        let function = semantics.function(callee);
        let node = function
            .as_ref()
            .and_then(|function| function.node(semantics.db()));
        node.is_some_and(|node| is_signature(&node.body))
    });
    if is_placeholder {
        return false;
    }
    let mut called = called_at(file, node).into_iter();
    let is_coroutine_function = called.any(|callee| {
        let function = semantics.function(callee);
        let node = function
            .as_ref()
            .and_then(|function| function.node(semantics.db()));
        node.is_some_and(|node| node.is_async && node.decorator_list.is_empty())
    });
    is_coroutine_function
        || matches!(node, AnyNodeRef::ExprCall(call)
            if matches!(semantics.class_of(&Expr::Call(call.clone())), ClassOf::Known(class)
                if COROUTINES.contains(&class.as_str())))
}

/// Why an `await` is not enough: what the coroutine gives is said to be a collection.
pub(super) fn gives_plain(file: &File<'_, '_>, site: &Site<'_, '_>) -> Option<String> {
    let semantics = &file.semantics;
    let mut called = called_at(file, site.node).into_iter();
    called.find_map(|callee| {
        let function = semantics.function(callee)?;
        let own = semantics.of_function(&function);
        let result = function.node(semantics.db())?.returns.as_deref()?;
        own.means(map_subscript(result), &PLAIN).then(|| {
            format!(
                "`{}` gives a plain value when it is awaited; take it with a plain `for`",
                file.first_line(callee)
            )
        })
    })
}
