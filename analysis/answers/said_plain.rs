//! Annotations that say that a value is a plain one: of a parameter, of the field of a record, or of what a function
//! gives.

use asyncfix_syntax::queries::called;
use ruff_python_ast::helpers::map_subscript;
use ruff_python_ast::{self as ast, Expr, Operator, Stmt};
use ruff_text_size::{Ranged, TextRange};

use crate::answers::signature::{Argument, Signature};
use crate::file::ParsedFile;
use crate::resolve::definitions::{Class, defines};
use crate::resolve::semantics::Semantics;

/// Types that no coroutine is an instance of. Not `object`, and no protocols.
const PLAIN: [&str; 18] = [
    "builtins.str",
    "builtins.bytes",
    "builtins.int",
    "builtins.float",
    "builtins.complex",
    "builtins.bool",
    "builtins.list",
    "builtins.dict",
    "builtins.set",
    "builtins.frozenset",
    "builtins.tuple",
    "typing.List",
    "typing.Dict",
    "typing.Set",
    "typing.FrozenSet",
    "typing.Tuple",
    "datetime.datetime",
    "pathlib.Path",
];

const DATACLASS: [&str; 1] = ["dataclasses.dataclass"];

/// Whether what is given to `call` at `range` is said to be a plain value: by the function of the project that is
/// called, or by the class that it makes one of. `None` where nothing is said.
pub(super) fn is_said_plain(
    file: &ParsedFile<'_, '_>,
    call: &ast::ExprCall,
    range: TextRange,
) -> Option<bool> {
    let semantics = &file.semantics;
    let db = semantics.db();
    let argument = Argument::of(call, |expr| expr.range() == range)?;
    if let Some(signature) = Signature::called(semantics, call) {
        let node = signature.node(db)?;
        let annotation = signature.annotation(node, argument)?;
        return (!signature.is_wrapped(node)).then(|| is_plain(&signature.own, annotation));
    }
    let class = Class::of(semantics, semantics.class_named(&call.func)?)?;
    let annotation = of_field(&class, argument)?;
    Some(is_plain(&class.own, annotation))
}

/// The annotation of the field of a record that takes an argument when an instance is made.
fn of_field<'n>(class: &'n Class<'_>, argument: Argument<'_>) -> Option<&'n Expr> {
    let node = class.node();
    let makes_itself = |statement| {
        let mut makers = ["__init__", "__new__"].into_iter();
        makers.any(|maker| defines(statement, maker))
    };
    if !is_record(class) || node.body.iter().any(makes_itself) {
        return None;
    }
    let mut fields = node.body.iter().filter_map(Stmt::as_ann_assign_stmt);
    match argument {
        Argument::Named(name) => fields
            .find(|field| {
                let target = field.target.as_name_expr();
                target.is_some_and(|target| target.id == name)
            })
            .map(|field| &*field.annotation),
        // Which place a field has depends on those before it.
        Argument::At(place) => fields
            .map(|field| takes_next(&class.own, field).then_some(&*field.annotation))
            .take(place + 1)
            .collect::<Option<Vec<_>>>()?
            .get(place)
            .copied(),
    }
}

/// Whether a class is a record whose fields are given in their order.
fn is_record(class: &Class<'_>) -> bool {
    const HARMLESS: [&str; 7] = [
        "eq",
        "frozen",
        "match_args",
        "order",
        "repr",
        "slots",
        "unsafe_hash",
    ];
    let node = class.node();
    let [decorator] = node.decorator_list.as_slice() else {
        return false;
    };
    let is_ordered = match &decorator.expression {
        Expr::Call(call) => {
            let mut keywords = call.arguments.keywords.iter();
            let is_harmless = |name: &ast::Identifier| HARMLESS.contains(&name.as_str());
            call.arguments.args.is_empty()
                && keywords.all(|keyword| keyword.arg.as_ref().is_some_and(is_harmless))
        }
        _ => true,
    };
    is_ordered && class.own.means(called(decorator), &DATACLASS) && node.bases().is_empty()
}

/// Whether the next positional argument is the value of a field.
fn takes_next(own: &Semantics<'_>, field: &ast::StmtAnnAssign) -> bool {
    const NO_FIELDS: [&str; 2] = ["typing.ClassVar", "dataclasses.KW_ONLY"];
    let is_quoted = field.annotation.is_string_literal_expr();
    let is_told_otherwise = field.value.as_deref().is_some_and(|value| {
        let Expr::Call(call) = value else {
            return false;
        };
        let mut keywords = call.arguments.keywords.iter();
        keywords.any(|keyword| {
            let name = keyword.arg.as_deref();
            name.is_none_or(|name| matches!(name, "init" | "kw_only"))
        })
    });
    !is_quoted
        && !is_told_otherwise
        && field.target.is_name_expr()
        && !own.means(map_subscript(&field.annotation), &NO_FIELDS)
}

/// Whether an annotation names nothing but types that no coroutine is an instance of.
pub(super) fn is_plain(own: &Semantics<'_>, annotation: &Expr) -> bool {
    match annotation {
        Expr::NoneLiteral(_) => true,
        Expr::BinOp(union) if union.op == Operator::BitOr => {
            is_plain(own, &union.left) && is_plain(own, &union.right)
        }
        Expr::Subscript(optional) if own.means(&optional.value, &["typing.Optional"]) => {
            is_plain(own, &optional.slice)
        }
        annotation => own.means(map_subscript(annotation), &PLAIN),
    }
}
