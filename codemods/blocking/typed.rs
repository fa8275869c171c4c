//! What type checkers say of a call that goes to a thread.

use ruff_python_ast::{self as ast, AnyNodeRef, Expr};
use ruff_text_size::Ranged;

use asyncfix_syntax::lines::one_line;
use asyncfix_syntax::site::Site;

use crate::edit::narrowed::shown;
use crate::file::File;

/// Why mypy refuses a thread that makes the call at `site`: behind an operand of another type, as in
/// `path and path.exists()`, it takes that type for the one of the result.
pub(super) fn wrong_operand<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    call: &ast::ExprCall,
) -> Option<String> {
    let Some(AnyNodeRef::ExprBoolOp(operation)) = site.parent() else {
        return None;
    };
    let is_it = |value: &Expr| value.range().contains_range(site.node.range());
    let at = operation.values.iter().position(is_it)?;
    let left = operation.values.get(at.checked_sub(1)?)?;
    let taken = shown(file, left.into())?;
    let given = shown(file, call.into());
    (!takes(&taken, given.as_deref())).then(|| {
        let left = one_line(file.text(left));
        format!("mypy would take the type of `{left}` for that of the result, and report an error")
    })
}

/// Whether a value of the one type is one of the other as well, as both are shown.
fn takes(taken: &str, given: Option<&str>) -> bool {
    let is_open = |part: &str| {
        ["Any", "Unknown", "Todo", "object", "TypeIs", "TypeGuard"]
            .iter()
            .any(|word| part.contains(word))
    };
    let is_bool = |part: &str| {
        part == "bool" || part.starts_with("Literal[True") || part.starts_with("Literal[False")
    };
    let mut parts = taken.split(" | ").map(str::trim);
    parts.any(|part| {
        is_open(part)
            || is_bool(part) && given.is_none_or(is_bool)
            || part == "int" && given.is_none_or(|given| is_bool(given) || given == "int")
            || Some(part) == given
    })
}

/// Whether an argument may be one of several types, for each of which the function has a signature of its own.
pub(super) fn may_be_several(file: &File<'_, '_>, given: &Expr) -> bool {
    shown(file, given.into()).is_some_and(|shown| shown.contains(" | ") || shown.contains('@'))
}
