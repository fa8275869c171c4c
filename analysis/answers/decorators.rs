//! What is known about decorators.

use asyncfix_syntax::queries::{called, last_name};
use ruff_python_ast::{self as ast, Expr};

/// Whether a function is a fixture of pytest, by its decorator's name.
pub fn is_fixture(function: &ast::StmtFunctionDef) -> bool {
    function
        .decorator_list
        .iter()
        .any(|decorator| last_name(called(decorator)) == Some("fixture"))
}

/// Whether pytest runs a test on asyncio, by its mark: `@pytest.mark.asyncio`.
pub fn runs_on_asyncio(function: &ast::StmtFunctionDef) -> bool {
    function.decorator_list.iter().any(|decorator| {
        matches!(called(decorator), Expr::Attribute(mark)
            if &mark.attr == "asyncio" && last_name(&mark.value) == Some("mark"))
    })
}
