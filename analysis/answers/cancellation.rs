//! What catches a cancellation.

use ruff_python_ast::{self as ast, Expr};

use crate::file::ParsedFile;

/// The names of the exception. `concurrent.futures.CancelledError` is another class since 3.8.
pub const CANCELLED: &[&str] = &[
    "asyncio.CancelledError",
    "asyncio.exceptions.CancelledError",
];

/// Whether a handler catches everything, or a cancellation.
pub fn catches_cancellation(
    file: &ParsedFile<'_, '_>,
    handler: &ast::ExceptHandlerExceptHandler,
) -> bool {
    handler.type_.as_deref().is_none_or(|kind| {
        members(kind).iter().any(|kind| {
            file.semantics.means(kind, CANCELLED)
                || file.semantics.means(kind, &["builtins.BaseException"])
        })
    })
}

/// The exceptions that the expression of an `except` clause names.
pub fn members(kind: &Expr) -> &[Expr] {
    match kind {
        Expr::Tuple(tuple) => &tuple.elts,
        other => std::slice::from_ref(other),
    }
}
