//! Which classes are those of exceptions.

use asyncfix_syntax::queries::last_name;
use ruff_python_ast::Expr;
use ty_python_core::definition::Definition;

use crate::limits::{EXCEPTIONS, Limit};
use crate::resolve::definitions::Class;
use crate::resolve::semantics::Semantics;

/// Whether an expression names a class of exceptions: one that comes from `BaseException`, or, where it is not
/// found, one that is called like one.
pub fn is_exception_class(semantics: &Semantics<'_>, class: &Expr) -> bool {
    if !class.is_name_expr() && !class.is_attribute_expr() {
        return false;
    }
    match semantics.definitions_named(class.into()).as_slice() {
        [] => last_name(class)
            .is_some_and(|name| name.ends_with("Error") || name.ends_with("Exception")),
        definitions => definitions
            .iter()
            .all(|definition| is_exception(semantics, *definition, EXCEPTIONS)),
    }
}

fn is_exception<'db>(
    semantics: &Semantics<'db>,
    definition: Definition<'db>,
    depth: Limit,
) -> bool {
    let (Some(depth), Some(class)) = (depth.less(), Class::of(semantics, definition)) else {
        return false;
    };
    class.node().name.as_str() == "BaseException"
        || class
            .base_classes()
            .any(|base| is_exception(semantics, base, depth))
}
