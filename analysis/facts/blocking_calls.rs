//! What the tree of a call that blocks says of it, by the table.

use asyncfix_knowledge::blocking::{Row, ThreadBound};
use asyncfix_syntax::queries::argument;
use ruff_python_ast::{self as ast, Expr};

/// Why the table calls a rewrite of `call` unsafe.
pub fn unsafe_because<'r>(row: &'r Row, call: &ast::ExprCall) -> Option<&'r str> {
    let limited = row.timeout.is_some_and(|position| {
        argument(call, "timeout")
            .or_else(|| argument(call, &position.to_string()))
            .is_some_and(|limit| !limit.is_none_literal_expr())
    });
    row.reason.as_deref().filter(|_| !limited)
}

/// Whether the call waits whatever stands around it, judged by the tree alone.
pub fn always_blocks(row: &Row, call: &ast::ExprCall) -> bool {
    let is_given = |written: &String| {
        written
            .split_once('=')
            .is_some_and(|(which, _)| argument(call, which).is_some())
    };
    let streams = |keyword: &String| argument(call, keyword).is_some();
    row.only.is_empty()
        // What it gives goes on blocking where it is read.
        && !row.streams.iter().any(streams)
        && !row.harmless.iter().any(is_given)
        && !row.bounded
        && !row.shared
        && !row.memory
        && row.unless.is_none()
        && row.guards.is_empty()
        && row.tests.is_empty()
}

/// Whether an object that this call makes may be used by any thread.
pub fn is_free(bound: &ThreadBound, call: &ast::ExprCall) -> bool {
    bound.unless.as_ref().is_some_and(|written| {
        written.split_once('=').is_some_and(|(keyword, value)| {
            matches!(argument(call, keyword), Some(Expr::BooleanLiteral(literal))
                if literal.value == (value == "True"))
        })
    })
}
