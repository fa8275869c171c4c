//! What makes a task: functions of asyncio, and the method of a loop.

use asyncfix_knowledge::loops::{SOURCES, is_loop as is_loop_class};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};

use crate::file::ParsedFile;
use crate::infer::types::ClassOf;
use crate::resolve::bindings::Origin;

/// Whether a call schedules a coroutine on a loop and answers with its task.
pub fn makes_task(file: &ParsedFile<'_, '_>, call: &ast::ExprCall) -> bool {
    let Some(argument) = call.arguments.args.first() else {
        return false;
    };
    if file.semantics.means(&call.func, &["asyncio.create_task"]) {
        return true;
    }
    if file.semantics.means(&call.func, &["asyncio.ensure_future"]) {
        // A future that exists already runs without this call.
        return file
            .semantics
            .function_in_sight(callee_of(argument))
            .is_some()
            || !matches!(
                file.semantics.class_of(argument),
                ClassOf::Known(class) if is_future(&class)
            );
    }
    match &*call.func {
        Expr::Attribute(attribute) => {
            attribute.attr.as_str() == "create_task" && is_loop(file, &attribute.value)
        }
        _ => false,
    }
}

fn callee_of(expr: &Expr) -> &Expr {
    match expr {
        Expr::Call(call) => &call.func,
        other => other,
    }
}

fn is_future(class: &str) -> bool {
    let (module, name) = class.rsplit_once('.').unwrap_or_default();
    matches!(name, "Task" | "Future")
        && matches!(module.split('.').next(), Some("asyncio" | "_asyncio"))
}

/// Whether an expression could be what [`is_loop`] says is one.
pub fn may_be_loop(receiver: &Expr) -> bool {
    matches!(receiver, Expr::Call(_) | Expr::Name(_) | Expr::Attribute(_))
}

/// Whether an expression is an event loop: by its annotation, by what asyncio answers with, or,
/// where nothing else is said, by the places where programs keep it (`loop`, `self.loop`,
/// `client.loop`). Any other receiver of `create_task` may keep its tasks.
pub fn is_loop(file: &ParsedFile<'_, '_>, receiver: &Expr) -> bool {
    is_loop_in_sight(file, receiver) || is_loop_by_type(file, receiver)
}

/// Whether an expression is an event loop by its type, wherever that comes from: another module, a function of the
/// project.
fn is_loop_by_type(file: &ParsedFile<'_, '_>, receiver: &Expr) -> bool {
    matches!(file.semantics.class_of(receiver), ClassOf::Known(class) if is_loop_class(&class))
        || matches!(receiver, Expr::Call(call) if gives_loop(file, call))
}

/// Whether a function of the project is called that gives nothing but an event loop.
fn gives_loop(file: &ParsedFile<'_, '_>, call: &ast::ExprCall) -> bool {
    let semantics = &file.semantics;
    let Some(function) = semantics.function_in_sight(&call.func) else {
        return false;
    };
    let own = semantics.of_function(&function);
    let node = function.node(semantics.db()).filter(|node| !node.is_async);
    node.is_some_and(|node| match (&node.returns, node.body.last()) {
        (Some(returns), _) => names_loop(returns),
        (None, Some(Stmt::Return(last))) => matches!(last.value.as_deref(),
            Some(Expr::Call(source)) if own.means(&source.func, &SOURCES)),
        _ => false,
    })
}

fn is_loop_in_sight(file: &ParsedFile<'_, '_>, receiver: &Expr) -> bool {
    match receiver {
        // A project's own `get_running_loop` is a wrapper of asyncio's.
        Expr::Call(call) => match &*call.func {
            Expr::Attribute(attribute) if is_loop_source(&attribute.attr) => true,
            callee => file.semantics.means(callee, &SOURCES),
        },
        Expr::Name(name) => match file.semantics.origins(name).as_slice() {
            [] => is_loop_name(&name.id),
            origins => origins.iter().all(|origin| match origin {
                Origin::Annotation(annotation) => names_loop(annotation),
                Origin::Value(value) => is_loop(file, value),
                Origin::Unknown => is_loop_name(&name.id),
            }),
        },
        Expr::Attribute(attribute) => {
            is_loop_name(&attribute.attr)
                && file
                    .semantics
                    .attribute_values(attribute)
                    .into_iter()
                    // What a constructor makes that is no loop is no loop.
                    .all(|value| !value.is_call_expr() || is_loop(file, value))
        }
        _ => false,
    }
}

/// Whether an expression is an attribute that nothing in sight assigns to.
pub fn is_kept_somewhere(file: &ParsedFile<'_, '_>, receiver: &Expr) -> bool {
    receiver
        .as_attribute_expr()
        .is_some_and(|attribute| file.semantics.attribute_values(attribute).is_empty())
}

/// Whether an annotation speaks of an event loop.
fn names_loop(annotation: &Expr) -> bool {
    struct Search(bool);
    impl<'a> SourceOrderVisitor<'a> for Search {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.0 |= match node {
                AnyNodeRef::ExprName(name) => name.id.ends_with("EventLoop"),
                AnyNodeRef::ExprAttribute(attribute) => attribute.attr.ends_with("EventLoop"),
                AnyNodeRef::StringLiteral(literal) => literal.value.contains("EventLoop"),
                _ => false,
            };
            TraversalSignal::Traverse
        }
    }
    let mut search = Search(false);
    search.visit_expr(annotation);
    search.0
}

fn is_loop_source(name: &str) -> bool {
    SOURCES
        .iter()
        .any(|path| path.rsplit('.').next() == Some(name))
}

fn is_loop_name(name: &str) -> bool {
    matches!(name, "loop" | "_loop" | "event_loop" | "_event_loop")
}
