//! What is known about decorators.

use ruff_python_ast::{self as ast, Expr};

use crate::outline::last_name;

/// Decorators that leave a function what it is, and calling it what that was. One that remembers
/// results runs the function once at most, and is none of them.
pub const KEEPING: [&str; 9] = [
    "builtins.staticmethod",
    "builtins.classmethod",
    "typing.override",
    "typing_extensions.override",
    "typing.final",
    "typing_extensions.final",
    "warnings.deprecated",
    "typing_extensions.deprecated",
    "abc.abstractmethod",
];

/// What a decorator is, without the arguments it is called with.
pub fn called(decorator: &ast::Decorator) -> &Expr {
    match &decorator.expression {
        Expr::Call(call) => &call.func,
        other => other,
    }
}

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
