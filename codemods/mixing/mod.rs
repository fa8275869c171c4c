//! Pitfall 4: mixing synchronous and asynchronous code.

use ruff_python_ast::{self as ast, Expr};
use ruff_text_size::Ranged;

mod awaited;
pub(crate) mod conversion;
mod loop_variable;
mod may_be_async;
pub mod never_run;
pub mod plain_await;
mod program;
mod references;
pub mod run_in_loop;
pub(crate) mod runners;
pub(crate) mod script_task;
mod starts;

/// Whether `child` stands in the body of `if __name__ == "__main__":`.
fn is_main_guard(statement: &ast::StmtIf, child: impl Ranged) -> bool {
    let mut body = statement.body.iter();
    body.any(|inner| inner.range().contains_range(child.range())) && tests_for_main(statement)
}

/// Whether a statement is `if __name__ == "__main__":`.
pub(crate) fn tests_for_main(statement: &ast::StmtIf) -> bool {
    let Expr::Compare(compare) = &*statement.test else {
        return false;
    };
    let sides = || std::iter::once(&*compare.left).chain(&compare.comparators);
    matches!(&*compare.ops, [ast::CmpOp::Eq])
        && sides().any(|side| matches!(side, Expr::Name(name) if name.id == "__name__"))
        && sides().any(
            |side| matches!(side, Expr::StringLiteral(text) if text.value.to_str() == "__main__"),
        )
}
