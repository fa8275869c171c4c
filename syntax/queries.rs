//! Questions about single nodes and names.

use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal, walk_expr};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ruff_text_size::Ranged;

/// Whether calling the function is how its attribute is read.
pub fn is_property(function: &ast::StmtFunctionDef) -> bool {
    function.decorator_list.iter().any(|decorator| {
        last_name(&decorator.expression)
            .is_some_and(|name| name.ends_with("property") || name == "getter")
    })
}

/// Whether a function is a generator function.
pub fn yields(function: &ast::StmtFunctionDef) -> bool {
    struct Yields(bool);
    impl<'a> SourceOrderVisitor<'a> for Yields {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.0 |= node.is_expr_yield() || node.is_expr_yield_from();
            let own_scope = matches!(
                node,
                AnyNodeRef::StmtFunctionDef(_)
                    | AnyNodeRef::StmtClassDef(_)
                    | AnyNodeRef::ExprLambda(_)
            );
            if self.0 || own_scope {
                TraversalSignal::Skip
            } else {
                TraversalSignal::Traverse
            }
        }
    }
    let mut found = Yields(false);
    found.visit_body(&function.body);
    found.0
}

/// Whether a function returns a coroutine function that it defines.
pub fn defines_what_it_returns(function: &ast::StmtFunctionDef) -> bool {
    let returned = function.body.last().and_then(|last| match last {
        Stmt::Return(last) => last.value.as_deref()?.as_name_expr(),
        _ => None,
    });
    returned.is_some_and(|returned| {
        function.body.iter().any(|statement| {
            matches!(statement, Stmt::FunctionDef(inner)
                if inner.is_async && inner.name.id == returned.id)
        })
    })
}

/// The last name of a name or attribute.
pub fn last_name(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Name(name) => Some(&name.id),
        Expr::Attribute(attribute) => Some(&attribute.attr),
        _ => None,
    }
}

/// The name that a chain of attributes starts from.
pub fn root_name(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Name(name) => Some(&name.id),
        Expr::Attribute(attribute) => root_name(&attribute.value),
        _ => None,
    }
}

/// The name that an expression begins with: `p` in `(await p.chromium.launch()).contexts[0]`.
pub fn first_name(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::Name(_) => Some(expr),
        Expr::Attribute(attribute) => first_name(&attribute.value),
        Expr::Call(call) => first_name(&call.func),
        Expr::Await(awaited) => first_name(&awaited.value),
        Expr::Subscript(subscript) => first_name(&subscript.value),
        _ => None,
    }
}

/// Whether an annotation speaks of something that can be awaited.
pub fn names_awaitable(annotation: &Expr) -> bool {
    struct Found(bool);
    impl<'a> SourceOrderVisitor<'a> for Found {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.0 |= match node {
                AnyNodeRef::ExprName(name) => is_awaitable_name(&name.id),
                AnyNodeRef::ExprAttribute(attribute) => is_awaitable_name(&attribute.attr),
                AnyNodeRef::StringLiteral(literal) => {
                    literal.value.contains("Awaitable") || literal.value.contains("Coroutine")
                }
                _ => false,
            };
            TraversalSignal::Traverse
        }
    }
    let mut found = Found(false);
    found.visit_expr(annotation);
    found.0
}

fn is_awaitable_name(name: &str) -> bool {
    matches!(name, "Awaitable" | "Coroutine" | "CoroutineType")
}

/// Whether code of its own, not of a function inside, awaits in a suite.
pub fn awaits(body: &[Stmt]) -> bool {
    awaited_in(body) > 0
}

/// At how many places code of its own, not of a function inside, awaits in a suite.
pub fn awaited_in(body: &[Stmt]) -> usize {
    struct Awaits(usize);
    impl<'a> SourceOrderVisitor<'a> for Awaits {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.0 += usize::from(match node {
                AnyNodeRef::ExprAwait(_) => true,
                AnyNodeRef::StmtFor(statement) => statement.is_async,
                AnyNodeRef::StmtWith(statement) => statement.is_async,
                AnyNodeRef::Comprehension(comprehension) => comprehension.is_async,
                _ => false,
            });
            own_code(node)
        }
    }
    let mut search = Awaits(0);
    search.visit_body(body);
    search.0
}

/// Leaves out what is not run where it stands.
pub fn own_code(node: AnyNodeRef<'_>) -> TraversalSignal {
    match node {
        AnyNodeRef::StmtFunctionDef(_)
        | AnyNodeRef::StmtClassDef(_)
        | AnyNodeRef::ExprLambda(_) => TraversalSignal::Skip,
        _ => TraversalSignal::Traverse,
    }
}

/// The calls in code, in what is run where it stands.
pub fn own_calls(body: &[Stmt]) -> Vec<&ast::ExprCall> {
    struct Calls<'a>(Vec<&'a ast::ExprCall>);
    impl<'a> SourceOrderVisitor<'a> for Calls<'a> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let AnyNodeRef::ExprCall(call) = node {
                self.0.push(call);
            }
            own_code(node)
        }
    }
    let mut calls = Calls(Vec::new());
    calls.visit_body(body);
    calls.0
}

/// Whether `child` stands in the body of `if __name__ == "__main__":`.
pub fn is_main_guard(statement: &ast::StmtIf, child: impl Ranged) -> bool {
    let mut body = statement.body.iter();
    body.any(|inner| inner.range().contains_range(child.range())) && tests_for_main(statement)
}

/// Whether a statement is `if __name__ == "__main__":`.
pub fn tests_for_main(statement: &ast::StmtIf) -> bool {
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

/// The names, attributes and strings in an expression.
pub fn names_in(expr: &Expr) -> impl Iterator<Item = &Expr> {
    struct Names<'a>(Vec<&'a Expr>);
    impl<'a> SourceOrderVisitor<'a> for Names<'a> {
        fn visit_expr(&mut self, expr: &'a Expr) {
            if expr.is_name_expr() || expr.is_attribute_expr() || expr.is_string_literal_expr() {
                self.0.push(expr);
            }
            walk_expr(self, expr);
        }
    }
    let mut names = Names(Vec::new());
    names.visit_expr(expr);
    names.0.into_iter()
}

/// Whether a function, a module or a folder with this name is one of tests, as pytest and unittest find them.
pub fn is_test(name: &str) -> bool {
    matches!(name, "test" | "tests" | "testing" | "conftest")
        || name.starts_with("test_")
        || name.ends_with("_test")
        || name.ends_with("_tests")
}

/// The argument of a call with this keyword, or at this position.
pub fn argument<'a>(call: &'a ast::ExprCall, which: &str) -> Option<&'a Expr> {
    match which.parse::<usize>() {
        Ok(position) => {
            let before = call.arguments.args.get(..=position)?;
            if before.iter().any(Expr::is_starred_expr) {
                return None;
            }
            before.last()
        }
        Err(_) => call
            .arguments
            .find_keyword(which)
            .map(|keyword| &keyword.value),
    }
}

/// What a decorator is, without the arguments it is called with.
pub fn called(decorator: &ast::Decorator) -> &Expr {
    match &decorator.expression {
        Expr::Call(call) => &call.func,
        other => other,
    }
}
