//! The sets that keep references to running tasks.

use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal, walk_expr};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ruff_text_size::Ranged;

use crate::file::File;
use crate::support::names;

/// The set of tasks that the module has, as an expression: `background_tasks`.
pub fn in_module<'a>(file: &File<'a, '_>) -> Option<&'a str> {
    file.body().iter().find_map(|statement| {
        let (target, value, annotation) = assignment(statement)?;
        let Expr::Name(name) = target else {
            return None;
        };
        (is_set(file, value)
            && (names_tasks(file, annotation) || holds_tasks(file, file.body(), file.text(target))))
        .then_some(name.id.as_str())
    })
}

/// The set of tasks that every instance of `class` has, as an expression: `self.tasks`.
pub fn in_instance(file: &File<'_, '_>, class: &ast::StmtClassDef) -> Option<String> {
    field(file, class).or_else(|| in_init(file, class).map(str::to_owned))
}

/// A dataclass's `tasks: set[asyncio.Task] = field(default_factory=set)`.
fn field(file: &File<'_, '_>, class: &ast::StmtClassDef) -> Option<String> {
    class.body.iter().find_map(|statement| {
        let Stmt::AnnAssign(assign) = statement else {
            return None;
        };
        let (Expr::Name(name), Some(Expr::Call(call))) = (&*assign.target, assign.value.as_deref())
        else {
            return None;
        };
        let factory = call.arguments.find_keyword("default_factory")?;
        (file.semantics.means(&call.func, &["dataclasses.field"])
            && file.semantics.means(&factory.value, &["builtins.set"])
            && names_tasks(file, Some(&assign.annotation)))
        .then(|| format!("self.{}", name.id))
    })
}

fn in_init<'a>(file: &File<'a, '_>, class: &'a ast::StmtClassDef) -> Option<&'a str> {
    class
        .body
        .iter()
        .filter_map(|statement| match statement {
            Stmt::FunctionDef(function) if function.name.as_str() == "__init__" => Some(function),
            _ => None,
        })
        .flat_map(|function| &function.body)
        .find_map(|statement| {
            let (target, value, annotation) = assignment(statement)?;
            let Expr::Attribute(attribute) = target else {
                return None;
            };
            let on_self = matches!(&*attribute.value, Expr::Name(name) if name.id == "self");
            let text = file.text(target);
            (on_self
                && is_set(file, value)
                && (names_tasks(file, annotation) || holds_tasks(file, &class.body, text)))
            .then_some(text)
        })
}

fn assignment(statement: &Stmt) -> Option<(&Expr, &Expr, Option<&Expr>)> {
    match statement {
        Stmt::Assign(assign) => match assign.targets.as_slice() {
            [target] => Some((target, &assign.value, None)),
            _ => None,
        },
        Stmt::AnnAssign(assign) => Some((
            &assign.target,
            assign.value.as_deref()?,
            Some(&assign.annotation),
        )),
        _ => None,
    }
}

/// Whether a value is a new set that tasks can be added to; one of weak references keeps nothing.
fn is_set(file: &File<'_, '_>, value: &Expr) -> bool {
    match value {
        Expr::Call(call) => {
            let callee = match &*call.func {
                Expr::Subscript(subscript) => &*subscript.value,
                other => other,
            };
            file.semantics.means(callee, &["builtins.set"])
        }
        Expr::Set(_) => true,
        _ => false,
    }
}

/// Whether an annotation speaks of tasks: `set[asyncio.Task[None]]`.
fn names_tasks(file: &File<'_, '_>, annotation: Option<&Expr>) -> bool {
    struct Tasks<'f, 'a, 'db>(&'f File<'a, 'db>, bool);
    impl<'a> SourceOrderVisitor<'a> for Tasks<'_, '_, '_> {
        fn visit_expr(&mut self, expr: &'a Expr) {
            self.1 |= match expr {
                Expr::StringLiteral(literal) => literal.value.to_str().contains("asyncio.Task"),
                _ => self.0.semantics.means(expr, &["asyncio.Task"]),
            };
            walk_expr(self, expr);
        }
    }
    let Some(annotation) = annotation else {
        return false;
    };
    let mut search = Tasks(file, false);
    search.visit_expr(annotation);
    search.1
}

/// Whether `body` puts tasks in the set: `….add_done_callback(<set>.discard)`, or
/// `<set>.add(asyncio.create_task(…))`.
fn holds_tasks(file: &File<'_, '_>, body: &[Stmt], set: &str) -> bool {
    struct Callbacks<'f, 'a, 'db> {
        file: &'f File<'a, 'db>,
        set: &'f str,
        found: bool,
    }
    impl<'a> SourceOrderVisitor<'a> for Callbacks<'_, '_, '_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let AnyNodeRef::ExprCall(call) = node
                && let Expr::Attribute(callee) = &*call.func
                && callee.attr.as_str() == "add_done_callback"
                && let Some(Expr::Attribute(callback)) = call.arguments.args.first()
                && matches!(callback.attr.as_str(), "discard" | "remove")
                && self.file.source[callback.value.range()] == *self.set
            {
                self.found = true;
            }
            // `tasks.add(asyncio.create_task(…))`
            if let AnyNodeRef::ExprCall(call) = node
                && let Expr::Attribute(callee) = &*call.func
                && callee.attr.as_str() == "add"
                && self.file.source[callee.value.range()] == *self.set
                && let Some(Expr::Call(added)) = call.arguments.args.first()
                && self.file.semantics.means(
                    &added.func,
                    &["asyncio.create_task", "asyncio.ensure_future"],
                )
            {
                self.found = true;
            }
            TraversalSignal::Traverse
        }
    }
    let mut search = Callbacks {
        file,
        set,
        found: false,
    };
    search.visit_body(body);
    search.found
}

/// Whether the module is written for a type checker, so that a new variable should say what it
/// holds: something in it is annotated.
pub fn is_typed(file: &File<'_, '_>) -> bool {
    struct Annotations(bool);
    impl<'a> SourceOrderVisitor<'a> for Annotations {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.0 |= match node {
                AnyNodeRef::StmtFunctionDef(function) => function.returns.is_some(),
                AnyNodeRef::Parameter(parameter) => parameter.annotation.is_some(),
                AnyNodeRef::StmtAnnAssign(_) => true,
                AnyNodeRef::StmtImportFrom(import) => {
                    import.module.as_deref() == Some("__future__")
                        && import
                            .names
                            .iter()
                            .any(|alias| &alias.name == "annotations")
                }
                _ => false,
            };
            if self.0 || node.is_expression() {
                TraversalSignal::Skip
            } else {
                TraversalSignal::Traverse
            }
        }
    }
    let mut annotations = Annotations(false);
    annotations.visit_body(file.body());
    annotations.0
}

/// A name for a new module-level set that is free in the module and in every scope in it: a
/// parameter of the same name would hide the set from the code that uses it.
pub fn fresh_name(file: &File<'_, '_>) -> String {
    names::unmentioned(
        file,
        &["background_tasks", "_background_tasks", "running_tasks"],
    )
}
