//! What the functions that coroutines are given to do with them, and whether a client limits itself.

use asyncfix_knowledge::concurrency::TABLE;
use asyncfix_syntax::queries::{last_name, names_awaitable};
use asyncfix_syntax::words::has_word;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};

use crate::answers::endings::is_one_of;
use crate::infer::types::ClassOf;
use crate::resolve::semantics::Semantics;

/// Which arguments of a function are coroutines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// Each of them.
    Every,
    /// The first one.
    First,
}

/// The dotted path of a callee: of a method, by the class that defines it.
pub fn path_of(semantics: &Semantics<'_>, callee: &Expr) -> Option<String> {
    semantics.qualified_name(callee).or_else(|| {
        let method = callee.as_attribute_expr()?;
        let classes = semantics.classes_up_to(&method.value, &method.attr);
        Some(format!("{}.{}", classes.last()?, method.attr))
    })
}

/// Which arguments of `callee` are coroutines, where it is known to take any.
pub fn takes_coroutine(semantics: &Semantics<'_>, callee: &Expr) -> Option<Position> {
    let path = path_of(semantics, callee)?;
    if TABLE.takers.contains(&path) {
        Some(Position::Every)
    } else if TABLE.takers_of_one.contains(&path) {
        Some(Position::First)
    } else {
        None
    }
}

/// Whether a callee takes coroutines, or plain functions, over to run them in its own way. Judged by
/// its name alone, because being wrong here only means to hold back.
pub fn spawns(callee: &Expr) -> bool {
    last_name(callee).is_some_and(|name| has_word(name, &TABLE.spawning_words))
}

/// Whether a call is given something that is awaited there, as far as the names of the function and of
/// its parameters say. They are enough, because being wrong here only means to hold back.
pub fn takes_awaitables(semantics: &Semantics<'_>, call: &ast::ExprCall) -> bool {
    let is_given = |is_one: fn(&Expr) -> bool| {
        let mut arguments = call.arguments.iter_source_order();
        arguments.any(|argument| is_one(argument.value()))
    };
    let is_given_call = is_given(Expr::is_call_expr);
    if is_given_call
        && last_name(&call.func).is_some_and(|name| has_word(name, &TABLE.awaiting_words))
    {
        return true;
    }
    if is_given(|argument| {
        last_name(argument).is_some_and(|name| has_word(name, &TABLE.awaitable_words))
    }) {
        return true;
    }
    let function = if is_given_call {
        semantics.function(&call.func)
    } else {
        semantics.function_in_sight(&call.func)
    };
    function.is_some_and(|function| {
        function.node(semantics.db()).is_some_and(|node| {
            node.parameters.iter_non_variadic_params().any(|parameter| {
                has_word(&parameter.parameter.name, &TABLE.awaitable_words)
                    || parameter.annotation().is_some_and(|annotation| {
                        !matches!(annotation, Expr::Subscript(subscript)
                            if last_name(&subscript.value) == Some("Callable"))
                            && names_awaitable(annotation)
                    })
            })
        })
    })
}

/// Whether a value is an instance of a class of which a program has few.
pub fn is_one_of_few(semantics: &Semantics<'_>, expr: &Expr) -> bool {
    matches!(semantics.class_of(expr), ClassOf::Known(class) if is_one_of(&class, &TABLE.few))
}

/// Whether a client that is made in these statements is told how many connections it may have.
pub fn limits_connections(body: &[Stmt]) -> bool {
    struct Clients(bool);
    impl<'a> SourceOrderVisitor<'a> for Clients {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let AnyNodeRef::ExprCall(call) = node
                && let Some(limit) =
                    last_name(&call.func).and_then(|name| TABLE.connection_limits.get(name))
            {
                // `limit=0` stands for none.
                let given = call.arguments.find_keyword(limit);
                self.0 |= given.is_some_and(|given| !is_no_limit(&given.value));
            }
            TraversalSignal::Traverse
        }
    }
    let mut search = Clients(false);
    search.visit_body(body);
    search.0
}

/// Whether a value says that there is no limit.
fn is_no_limit(value: &Expr) -> bool {
    match value {
        Expr::NoneLiteral(_) => true,
        Expr::NumberLiteral(number) => {
            matches!(&number.value, ast::Number::Int(int) if *int == ast::Int::ZERO)
        }
        _ => false,
    }
}
