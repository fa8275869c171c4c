//! What the tasks of a set give, as far as its annotation says.

use asyncfix_syntax::queries::{last_name, own_code, yields};
use asyncfix_syntax::site::Owner;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};

use crate::file::File;

/// The names of sets in annotations.
const SETS: [&str; 4] = ["set", "Set", "MutableSet", "AbstractSet"];

/// What stands around the type of a set.
const AROUND: [&str; 2] = ["ClassVar", "Final"];

/// What a task is.
const TASKS: [&str; 3] = ["Task", "Future", "Awaitable"];

/// What everything is.
const ANYTHING: [&str; 2] = ["Any", "object"];

/// Whether type checkers let the task that `task` makes into a set with this annotation.
pub(super) fn fits(
    file: &File<'_, '_>,
    annotation: Option<&Expr>,
    task: &ast::ExprCall,
    owner: Owner<'_>,
) -> bool {
    let annotation = match annotation {
        Some(Expr::StringLiteral(literal)) => literal.value.to_str(),
        Some(annotation) => file.text(annotation),
        None => return true,
    };
    match Elements::of_set(annotation) {
        Elements::Any => true,
        Elements::Tasks(_) if is_of_untyped_argument(file, task, owner) => true,
        Elements::Tasks(results) => given_by(file, task)
            .is_some_and(|own| results.split('|').any(|result| last_part(result) == own)),
        Elements::Unknown => false,
    }
}

/// What an annotation says about the elements of a set.
enum Elements<'t> {
    /// They may be tasks of any kind.
    Any,
    /// They are tasks that give this.
    Tasks(&'t str),
    /// Nothing that is understood here.
    Unknown,
}

impl<'t> Elements<'t> {
    fn of_set(annotation: &'t str) -> Self {
        match taken_apart(annotation) {
            (name, None) if SETS.contains(&name) || ANYTHING.contains(&name) => Self::Any,
            (name, Some(inner)) if AROUND.contains(&name) => Self::of_set(inner),
            (name, Some(element)) if SETS.contains(&name) => Self::of_element(element),
            _ => Self::Unknown,
        }
    }

    fn of_element(element: &'t str) -> Self {
        match taken_apart(element) {
            (name, None) if TASKS.contains(&name) || ANYTHING.contains(&name) => Self::Any,
            (name, Some(result)) if TASKS.contains(&name) => {
                if ANYTHING.contains(&last_part(result)) {
                    Self::Any
                } else {
                    Self::Tasks(result)
                }
            }
            _ => Self::Unknown,
        }
    }
}

/// The last name of a type, and what stands in its brackets: `Task` and `None` of `asyncio.Task[None]`.
fn taken_apart(annotation: &str) -> (&str, Option<&str>) {
    let annotation = without_quotes(annotation);
    match annotation
        .strip_suffix(']')
        .and_then(|rest| rest.split_once('['))
    {
        Some((name, inner)) => (last_part(name), Some(inner)),
        None => (last_part(annotation), None),
    }
}

fn without_quotes(annotation: &str) -> &str {
    annotation.trim().trim_matches(['"', '\'']).trim()
}

/// `Any` of `typing.Any`.
fn last_part(name: &str) -> &str {
    let name = without_quotes(name);
    match name.rsplit_once('.') {
        Some((before, last)) if !before.contains('[') => last,
        _ => name,
    }
}

/// What the coroutine of a task gives, where its function says so with a name, or gives nothing.
fn given_by<'t>(file: &File<'_, '_>, task: &'t ast::ExprCall) -> Option<String> {
    let coroutine: &'t ast::ExprCall = task.arguments.args.first()?.as_call_expr()?;
    let semantics = &file.semantics;
    let function = semantics.function_in_sight(&coroutine.func)?;
    let function = function
        .node(semantics.db())
        .filter(|function| function.is_async && !yields(function))?;
    let name = match function.returns.as_deref() {
        None if returns_nothing(&function.body) => "None",
        Some(Expr::NoneLiteral(_)) => "None",
        Some(Expr::StringLiteral(literal)) => last_part(literal.value.to_str()),
        returns => last_name(returns?)?,
    };
    Some(name.to_owned())
}

/// Whether the coroutine of a task comes from an argument of which nothing says what it is: type checkers let it go
/// everywhere.
fn is_of_untyped_argument(file: &File<'_, '_>, task: &ast::ExprCall, owner: Owner<'_>) -> bool {
    let (Some(Expr::Call(coroutine)), Owner::Function(function)) =
        (task.arguments.args.first(), owner)
    else {
        return false;
    };
    let mut root = &*coroutine.func;
    while let Expr::Attribute(attribute) = root {
        root = &attribute.value;
    }
    let Expr::Name(name) = root else {
        return false;
    };
    let mut parameters = function.parameters.iter_non_variadic_params();
    parameters.any(|parameter| parameter.name().id == name.id && parameter.annotation().is_none())
        && file.semantics.class_of_receiver(root).is_none()
}

/// Whether no `return` of a function gives anything.
fn returns_nothing(body: &[Stmt]) -> bool {
    struct Returns(bool);
    impl<'a> SourceOrderVisitor<'a> for Returns {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.0 |=
                matches!(node, AnyNodeRef::StmtReturn(statement) if statement.value.is_some());
            own_code(node)
        }
    }
    let mut search = Returns(false);
    search.visit_body(body);
    !search.0
}
