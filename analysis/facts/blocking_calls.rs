//! What the tree of a call that blocks says of it, by the table.

use asyncfix_knowledge::blocking::{Row, ThreadBound};
use asyncfix_syntax::queries::argument;
use ruff_python_ast::{self as ast, Expr, Number};
use ruff_text_size::Ranged;

/// Why the table calls a rewrite of `call` unsafe.
pub fn unsafe_because<'r>(row: &'r Row, call: &ast::ExprCall) -> Option<&'r str> {
    let limited = row.timeout.is_some_and(|position| {
        argument(call, "timeout")
            .or_else(|| argument(call, &position.to_string()))
            .is_some_and(|limit| !limit.is_none_literal_expr())
    });
    row.reason.as_deref().filter(|_| !limited)
}

/// Whether the call waits whatever stands around it, judged by the tree of the call, the text of the function that it
/// stands in, and the text of the file.
pub(crate) fn always_blocks(row: &Row, call: &ast::ExprCall, function: &str, source: &str) -> bool {
    let is_given = |written: &String| {
        written
            .split_once('=')
            .and_then(|(which, value)| Some((argument(call, which)?, value)))
            .is_some_and(|(given, value)| may_be(given, value))
    };
    let streams = |keyword: &String| argument(call, keyword).is_some();
    row.only.is_empty()
        // What it gives goes on blocking where it is read.
        && !row.streams.iter().any(streams)
        && !row.harmless.iter().any(is_given)
        && !row.bounded
        && !is_short(row, call)
        && row.unless.as_ref().is_none_or(|word| !source.contains(word.as_str()))
        && !asks_first(row, call, function, source)
}

/// Whether the call waits for a few milliseconds only: to run its function in a thread costs more than that.
fn is_short(row: &Row, call: &ast::ExprCall) -> bool {
    let (Some(short), Some(Expr::NumberLiteral(literal))) = (row.short, argument(call, "0")) else {
        return false;
    };
    match &literal.value {
        Number::Float(seconds) => *seconds * 1000.0 < f64::from(short),
        Number::Int(seconds) => seconds.as_u64() == Some(0),
        Number::Complex { .. } => false,
    }
}

/// Whether an argument may have the value that is written as in the table.
fn may_be(given: &Expr, written: &str) -> bool {
    match given {
        Expr::BooleanLiteral(literal) => literal.value == (written == "True"),
        Expr::NumberLiteral(literal) => match &literal.value {
            Number::Int(int) => int.to_string() == written,
            Number::Float(float) => *float == 0.0 && written == "0",
            Number::Complex { .. } => false,
        },
        Expr::NoneLiteral(_) => false,
        _ => true,
    }
}

/// Whether a function asks the object that the call belongs to whether it would wait.
fn asks_first(row: &Row, call: &ast::ExprCall, function: &str, source: &str) -> bool {
    let Expr::Attribute(method) = &*call.func else {
        return false;
    };
    let receiver = source.get(method.value.range().to_std_range());
    let receiver = receiver.unwrap_or_default();
    let mut questions = row.guards.iter().chain(&row.tests);
    questions.any(|question| function.contains(&format!("{receiver}.{question}(")))
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
