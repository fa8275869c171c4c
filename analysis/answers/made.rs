//! Whether the code that has an object has made it: then nobody else has it yet.

use asyncfix_syntax::queries::called;
use ruff_python_ast::{self as ast, Expr};
use ruff_text_size::{Ranged, TextRange};
use ty_python_core::definition::Definition;

use crate::infer::callee_awaitability::returned_by;
use crate::limits::{BASES, Limit, MAKERS};
use crate::resolve::bindings::Origin;
use crate::resolve::definitions::Class;
use crate::resolve::semantics::Semantics;

/// Whether what `expr` stands for was made by the code at `around`, or by a function that it calls for just that.
pub fn is_made_in(semantics: &Semantics<'_>, expr: &Expr, around: TextRange) -> bool {
    is_made(semantics, expr, around, MAKERS)
}

fn is_made(semantics: &Semantics<'_>, expr: &Expr, around: TextRange, steps: Limit) -> bool {
    let Some(steps) = steps.less() else {
        return false;
    };
    match expr {
        Expr::Name(name) => {
            let origins = semantics.origins(name);
            !origins.is_empty()
                && origins.iter().all(|origin| {
                    matches!(origin, Origin::Value(value)
                        if around.contains_range(value.range())
                            && is_made(semantics, value, around, steps))
                })
        }
        Expr::Named(named) => is_made(semantics, &named.value, around, steps),
        Expr::Call(call) => match semantics.class_called(&call.func) {
            Some(class) => makes_new(semantics, class.definition, BASES),
            None => gives_new(semantics, call, false, steps),
        },
        Expr::Await(awaited) => match &*awaited.value {
            Expr::Call(call) => gives_new(semantics, call, true, steps),
            _ => false,
        },
        _ => false,
    }
}

/// Whether each call of a class makes another object, as far as its code and that of its bases tells.
fn makes_new<'db>(semantics: &Semantics<'db>, class: Definition<'db>, depth: Limit) -> bool {
    let (Some(class), Some(depth)) = (Class::of(semantics, class), depth.less()) else {
        return true;
    };
    let own = class.semantics();
    let node = class.node();
    let is_kept = node.decorator_list.iter().any(|decorator| {
        let function = own.function(called(decorator));
        function.is_some_and(|function| {
            let db = own.db();
            !function.definition.file(db).is_stub(db)
        })
    });
    let has_metaclass = node.keywords().iter().any(|keyword| {
        keyword.arg.as_deref() == Some("metaclass") && !own.means(&keyword.value, &["abc.ABCMeta"])
    });
    let makes_itself = node.body.iter().any(|statement| {
        statement
            .as_function_def_stmt()
            .is_some_and(|method| method.name.as_str() == "__new__")
    });
    !(is_kept || has_metaclass || makes_itself)
        && class
            .base_classes()
            .all(|base| makes_new(semantics, base, depth))
}

/// Whether a function of the project gives another object each time.
fn gives_new(
    semantics: &Semantics<'_>,
    call: &ast::ExprCall,
    is_awaited: bool,
    steps: Limit,
) -> bool {
    let Some(function) = semantics.function(&call.func) else {
        return false;
    };
    let own = semantics.of_function(&function);
    let Some(node) = function.node(own.db()) else {
        return false;
    };
    let is_of_class =
        |decorator: &ast::Decorator| own.means(&decorator.expression, &["builtins.classmethod"]);
    let is_plain = node.decorator_list.iter().all(|decorator| {
        is_of_class(decorator) || own.means(&decorator.expression, &["builtins.staticmethod"])
    });
    let first = node.parameters.iter_non_variadic_params().next();
    let class = first.filter(|_| node.decorator_list.iter().any(is_of_class));
    let makes_own = |value: &Expr| {
        matches!((value, class), (Expr::Call(made), Some(class))
            if matches!(&*made.func, Expr::Name(name) if name.id == class.name().id))
    };
    let returned = returned_by(&node.body);
    is_plain
        && node.is_async == is_awaited
        && !returned.is_empty()
        && returned.into_iter().all(|value| {
            value.is_some_and(|value| makes_own(value) || is_made(&own, value, node.range(), steps))
        })
}
