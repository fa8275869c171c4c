//! Time limits: what a call or a block is given is one where it is seen to be a number.

use asyncfix_syntax::queries::{argument, last_name};
use ruff_python_ast::{self as ast, Expr};
use ty_python_core::definition::{DefinitionKind, ParameterDefinitionNodeKind};

use super::endless::is_infinite;
use crate::answers::timeouts::is_timeout;
use crate::infer::types::ClassOf;
use crate::limits::{ALIASES, Limit, NAMES};
use crate::resolve::semantics::Semantics;

/// What is no limit, by the name of the argument.
const NO_LIMIT: &str = "shield";

/// Whether a call has a time limit: at this place, or by name.
pub(super) fn has_limit(semantics: &Semantics<'_>, call: &ast::ExprCall, place: &str) -> bool {
    argument(call, place)
        .or_else(|| argument(call, "timeout"))
        .is_some_and(|limit| is_number(semantics, limit, NAMES))
}

/// Whether a context manager limits the time of what is in it.
pub(super) fn limits_time(semantics: &Semantics<'_>, manager: &Expr) -> bool {
    let Expr::Call(call) = manager else {
        return false;
    };
    let by_name = || {
        let mut keywords = call.arguments.keywords.iter();
        let limit = keywords.find(|keyword| keyword.arg.as_deref() != Some(NO_LIMIT));
        limit.map(|keyword| &keyword.value)
    };
    is_timeout(manager)
        && argument(call, "0")
            .or_else(by_name)
            .is_some_and(|limit| is_number(semantics, limit, NAMES))
}

/// Whether a value is seen to be a number, and one that comes to an end.
fn is_number(semantics: &Semantics<'_>, value: &Expr, steps: Limit) -> bool {
    let Some(steps) = steps.less() else {
        return false;
    };
    let is_infinite = |value: &Expr| is_infinite(semantics, value, ALIASES);
    if is_infinite(value) {
        return false;
    }
    let is_seen = match value {
        Expr::NumberLiteral(_) => true,
        Expr::NoneLiteral(_) => return false,
        // Nothing is added to what is no number, or taken from it.
        Expr::BinOp(operation) => {
            return !is_infinite(&operation.left) && !is_infinite(&operation.right);
        }
        Expr::UnaryOp(operation) => is_number(semantics, &operation.operand, steps),
        Expr::If(either) => {
            return is_number(semantics, &either.body, steps)
                && is_number(semantics, &either.orelse, steps);
        }
        // What counts as true is no `None`.
        Expr::BoolOp(either) if either.op == ast::BoolOp::Or => {
            return either
                .values
                .last()
                .is_some_and(|last| is_number(semantics, last, steps));
        }
        Expr::Call(call) => {
            last_name(&call.func) == Some("total_seconds")
                || semantics.means(
                    &call.func,
                    &[
                        "builtins.float",
                        "builtins.int",
                        "builtins.max",
                        "builtins.min",
                    ],
                )
        }
        Expr::Name(name) => {
            is_parameter_for_numbers(semantics, name, steps) || has_numbers(semantics, value, steps)
        }
        Expr::Attribute(_) => has_numbers(semantics, value, steps),
        _ => false,
    };
    is_seen
        || matches!(semantics.class_of(value), ClassOf::Known(class)
                if matches!(class.as_str(), "builtins.int" | "builtins.float"))
}

/// Whether all that a name or an attribute is given are numbers.
fn has_numbers(semantics: &Semantics<'_>, place: &Expr, steps: Limit) -> bool {
    let (mut is_given, mut is_other) = (false, false);
    semantics.for_each_value(place, &mut |own, value| {
        is_given = true;
        is_other |= !value.is_some_and(|value| is_number(own, value, steps));
    });
    is_given && !is_other
}

/// Whether a name is a parameter that says of itself that it is a number, or is one unless the caller says otherwise.
fn is_parameter_for_numbers(semantics: &Semantics<'_>, name: &ast::ExprName, steps: Limit) -> bool {
    let Some(definitions) = semantics.bindings(name) else {
        return false;
    };
    let [definition] = definitions.as_slice() else {
        return false;
    };
    let DefinitionKind::Parameter(ParameterDefinitionNodeKind::Parameter(parameter)) =
        definition.kind(semantics.db())
    else {
        return false;
    };
    let parameter = parameter.node(semantics.module());
    match (parameter.annotation(), parameter.default()) {
        (Some(annotation), _) => semantics.means(annotation, &["builtins.float", "builtins.int"]),
        (None, Some(default)) => is_number(semantics, default, steps),
        (None, None) => false,
    }
}
