//! Whether code is there to see what happens when it is wrong.

use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::Site;
use ruff_python_ast::{AnyNodeRef, Expr};

/// Whether `site` stands in a `with` that expects an exception or a warning, or is one of its
/// items. Judged by names, because being wrong here only means to hold back.
pub fn is_expected(site: &Site<'_, '_>) -> bool {
    site.enclosing_in_function().any(|(node, _)| {
        let AnyNodeRef::StmtWith(with) = node else {
            return false;
        };
        with.items.iter().any(|item| {
            let Expr::Call(call) = &item.context_expr else {
                return false;
            };
            last_name(&call.func).is_some_and(|name| {
                matches!(
                    name,
                    "raises"
                        | "warns"
                        | "deprecated_call"
                        | "catch_warnings"
                        | "assertRaises"
                        | "assertRaisesRegex"
                        | "assertWarns"
                        | "assertWarnsRegex"
                )
            })
        })
    })
}
