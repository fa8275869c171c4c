//! Whether a value is plain data, or may need what it came from.

use asyncfix_analysis::answers::resources::opened;
use asyncfix_analysis::infer::types::ClassOf;
use asyncfix_analysis::limits::{Limit, PARTS};
use asyncfix_analysis::resolve::Definition;
use asyncfix_analysis::resolve::semantics::Semantics;
use asyncfix_knowledge::plain_results::TABLE;
use asyncfix_knowledge::resources::is_same_class;
use ruff_python_ast::{self as ast, Expr, Operator};

use crate::file::File;

/// What a value that came from an object needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Need {
    /// Nothing: it is plain data.
    Nothing,
    /// That is not known.
    Unknown,
    /// It is a part of the object, of which nothing is known: closed with it, most likely.
    Part,
    /// The object, open.
    Open,
}

/// What the value of an expression needs that came from an open object.
pub(super) fn need_of(file: &File<'_, '_>, expr: &Expr) -> Need {
    let (call, is_awaited) = match expr {
        Expr::Await(awaited) => (awaited.value.as_call_expr(), true),
        expr => (expr.as_call_expr(), false),
    };
    if expr.is_literal_expr() {
        return Need::Nothing;
    }
    let by_call = call.map_or(Need::Unknown, |call| need_of_call(file, call, is_awaited));
    if by_call != Need::Unknown {
        return by_call;
    }
    let semantics = &file.semantics;
    if let Some(class) = semantics.instance_class(expr) {
        let is_collection = is_one_of(&TABLE.collections, &semantics.path_of_class(class));
        return match need_of_class(semantics, class) {
            // What stands in it is not said.
            Need::Nothing if is_collection && !is_awaited => Need::Unknown,
            need => need,
        };
    }
    let is_plain = match expr {
        Expr::Attribute(attribute) => is_plain_attribute(semantics, attribute),
        // `"%s" % response`
        Expr::BinOp(operation) => operation.op == Operator::Mod,
        // A text or number that is known.
        expr => semantics.class_of(expr) == ClassOf::Other,
    };
    if is_plain {
        Need::Nothing
    } else {
        Need::Unknown
    }
}

/// The same for what a call gives, or awaiting what it gives.
pub(super) fn need_of_call(file: &File<'_, '_>, call: &ast::ExprCall, is_awaited: bool) -> Need {
    if !opened(file, call, is_awaited).is_empty() {
        return Need::Open;
    }
    match declared(file, call, is_awaited) {
        Some(need) => need,
        None if is_awaited && is_answer(&file.semantics, call) => Need::Nothing,
        None => Need::Unknown,
    }
}

/// What the value of a call needs by the annotation of the function that is called.
fn declared(file: &File<'_, '_>, call: &ast::ExprCall, is_awaited: bool) -> Option<Need> {
    let semantics = &file.semantics;
    let function = semantics.function_in_sight(&call.func)?;
    let node = function.node(semantics.db())?;
    if node.is_async != is_awaited {
        return None;
    }
    let own = semantics.of_function(&function);
    match need_by(&own, node.returns.as_deref()?, PARTS) {
        Need::Unknown => None,
        need => Some(need),
    }
}

/// What a value needs by its annotation, which stands in the file of `own`.
fn need_by(own: &Semantics<'_>, annotation: &Expr, parts: Limit) -> Need {
    let Some(parts) = parts.less() else {
        return Need::Unknown;
    };
    let most = |annotations: &[Expr]| {
        let needs = annotations.iter().map(|part| need_by(own, part, parts));
        needs.max().unwrap_or(Need::Nothing)
    };
    match annotation {
        Expr::NoneLiteral(_) | Expr::EllipsisLiteral(_) => Need::Nothing,
        Expr::BinOp(union) if union.op == Operator::BitOr => {
            need_by(own, &union.left, parts).max(need_by(own, &union.right, parts))
        }
        Expr::Subscript(generic) => {
            let inside = match &*generic.slice {
                Expr::Tuple(several) => most(&several.elts),
                one => need_by(own, one, parts),
            };
            if own.means(
                &generic.value,
                &["typing.Optional", "typing.Union", "typing.Annotated"],
            ) {
                return inside;
            }
            need_by(own, &generic.value, parts).max(inside)
        }
        annotation if own.means(annotation, &["typing.Any", "typing_extensions.Any"]) => {
            Need::Nothing
        }
        annotation => match own.class_named(annotation) {
            Some(class) => need_of_class(own, class),
            None => Need::Unknown,
        },
    }
}

fn need_of_class<'db>(semantics: &Semantics<'db>, class: Definition<'db>) -> Need {
    let path = semantics.path_of_class(class);
    let module = path.rsplit_once('.').map_or("", |(module, _)| module);
    if TABLE.modules.iter().any(|known| known == module)
        || is_one_of(&TABLE.classes, &path)
        || is_one_of(&TABLE.collections, &path)
    {
        Need::Nothing
    } else if semantics.has_asynchronous_methods(class) {
        Need::Open
    } else {
        Need::Unknown
    }
}

fn is_one_of(paths: &[String], path: &str) -> bool {
    paths.iter().any(|known| is_same_class(known, path))
}

/// Whether an attribute is one of those of a class that are plain data.
fn is_plain_attribute(semantics: &Semantics<'_>, attribute: &ast::ExprAttribute) -> bool {
    let mut known = TABLE.attributes.iter().filter_map(|path| {
        path.rsplit_once('.')
            .filter(|(_, name)| *name == attribute.attr.as_str())
    });
    known.any(|(class, _)| is_instance_of(semantics, &attribute.value, class))
}

/// Whether a method is called whose class gives plain answers.
fn is_answer(semantics: &Semantics<'_>, call: &ast::ExprCall) -> bool {
    let Expr::Attribute(method) = &*call.func else {
        return false;
    };
    let mut known = TABLE.answering.iter();
    known.any(|class| is_instance_of(semantics, &method.value, class))
}

fn is_instance_of(semantics: &Semantics<'_>, object: &Expr, class: &str) -> bool {
    matches!(semantics.class_of(object), ClassOf::Known(path) if is_same_class(class, &path))
}
