//! Pitfall 4: mixing synchronous and asynchronous code.

use ruff_python_ast::{self as ast, Expr};

pub mod never_run;
pub mod plain_await;
pub mod run_in_loop;
mod travel;

/// `if __name__ == "__main__":`
fn is_main_guard(statement: &ast::StmtIf) -> bool {
    let Expr::Compare(compare) = &*statement.test else {
        return false;
    };
    let sides = || std::iter::once(&*compare.left).chain(&compare.comparators);
    sides().any(|side| matches!(side, Expr::Name(name) if name.id == "__name__"))
        && sides().any(
            |side| matches!(side, Expr::StringLiteral(text) if text.value.to_str() == "__main__"),
        )
}
