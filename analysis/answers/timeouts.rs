//! Time limits around code.

use asyncfix_syntax::queries::last_name;
use ruff_python_ast::Expr;

/// Whether a context manager limits the time of what is in it. Judged by its name alone, because
/// being wrong here only means to hold back.
pub fn is_timeout(expr: &Expr) -> bool {
    let Expr::Call(call) = expr else {
        return false;
    };
    last_name(&call.func).is_some_and(|name| {
        name.contains("timeout") || name.contains("fail_after") || name.contains("move_on_after")
    })
}
