//! Annotations that say that a value is a plain one: of a parameter, of the field of a record, or of what a function
//! gives.

use asyncfix_syntax::queries::called;
use ruff_python_ast::helpers::map_subscript;
use ruff_python_ast::{self as ast, Expr, Operator, Stmt};
use ruff_text_size::{Ranged, TextRange};

use crate::file::ParsedFile;
use crate::resolve::definitions::Class;
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
    let is_it = |expr: &Expr| expr.range() == range;
    let positional = &call.arguments.args;
    let argument = if let Some(place) = positional.iter().position(is_it) {
        let mut before = positional.iter().take(place);
        if before.any(Expr::is_starred_expr) {
            return None;
        }
        Argument::At(place)
    } else {
        let mut keywords = call.arguments.keywords.iter();
        let keyword = keywords.find(|keyword| is_it(&keyword.value))?;
        Argument::Named(keyword.arg.as_ref()?)
    };
    if let Some(class) = semantics.class_named(&call.func) {
        let class = Class::of(semantics, class)?;
        let annotation = of_field(&class, &argument)?;
        return Some(is_plain(&class.own, annotation));
    }
    let function = semantics.function_in_sight(&call.func)?;
    let own = semantics.of_function(&function);
    let node = function.node(semantics.db())?;
    if !node.decorator_list.is_empty() {
        return None;
    }
    let object = usize::from(own.is_method(node) && call.func.is_attribute_expr());
    Some(is_plain(&own, of_parameter(node, object, &argument)?))
}

/// An argument of a call.
enum Argument<'a> {
    /// At this place.
    At(usize),
    /// By this name.
    Named(&'a ast::Identifier),
}

/// The annotation of the parameter that takes an argument, behind some that the call does not name.
fn of_parameter<'n>(
    function: &'n ast::StmtFunctionDef,
    skipped: usize,
    argument: &Argument<'_>,
) -> Option<&'n Expr> {
    let parameters = &function.parameters;
    let parameter = match argument {
        Argument::Named(name) => parameters.find(name)?,
        Argument::At(place) => {
            let positional = parameters.posonlyargs.iter().chain(&parameters.args);
            positional.skip(skipped).nth(*place)?
        }
    };
    parameter.annotation()
}

/// The annotation of what a class takes for an argument when it makes an instance.
fn of_field<'n>(class: &'n Class<'_>, argument: &Argument<'_>) -> Option<&'n Expr> {
    let node = class.node();
    let mut body = node.body.iter();
    let maker = body.find_map(|statement| match statement {
        Stmt::FunctionDef(function) if function.name.as_str() == "__init__" => Some(function),
        _ => None,
    });
    if let Some(maker) = maker {
        return of_parameter(maker, 1, argument);
    }
    let is_record = matches!(node.decorator_list.as_slice(), [decorator]
        if class.own.means(called(decorator), &DATACLASS))
        && node.bases().is_empty();
    let mut fields = node.body.iter().filter_map(|statement| match statement {
        Stmt::AnnAssign(field) if is_record => Some((field.target.as_name_expr()?, field)),
        _ => None,
    });
    let field = match argument {
        Argument::At(place) => fields.nth(*place),
        Argument::Named(name) => fields.find(|(target, _)| target.id == name.id),
    };
    field.map(|(_, field)| &*field.annotation)
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
