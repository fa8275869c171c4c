//! What is known about objects that have to be closed.

use asyncfix_knowledge::resources::{
    CALL, Resource, async_generator, callable_classes, is_same_class, rows_of,
};
use asyncfix_knowledge::stdlib::is_stdlib;
use asyncfix_syntax::queries::last_name;
use ruff_python_ast::{self as ast, Expr};

use crate::file::ParsedFile;
use crate::infer::types::ClassOf;

/// The rows for what `call` opens, `awaited` or not. Empty where it opens nothing that is known.
pub fn opened(
    file: &ParsedFile<'_, '_>,
    call: &ast::ExprCall,
    awaited: bool,
) -> Vec<&'static Resource> {
    let by_name = by_last_name(file, call, awaited);
    if !by_name.is_empty() {
        return by_name;
    }
    if !awaited && file.semantics.makes_async_generator(call) {
        return vec![async_generator()];
    }
    // `async_session()`: what is called is an object itself.
    let rows: Vec<&Resource> = rows_of(CALL)
        .filter(|row| row.awaited.allows(awaited))
        .collect();
    let is_mentioned = callable_classes()
        .iter()
        .filter_map(|path| path.split('.').next())
        .any(|package| file.semantics.spellings().import(package));
    if rows.is_empty() || !is_mentioned || is_no_object(file, &call.func) {
        return Vec::new();
    }
    of_method(file, rows, &call.func)
}

/// Whether a callee is plainly a function or a class, or a method of an object of the standard library.
fn is_no_object(file: &ParsedFile<'_, '_>, callee: &Expr) -> bool {
    let is_stdlib = |path: &String| is_stdlib(path.split('.').next().unwrap_or_default());
    let semantics = &file.semantics;
    // A decorator may make a property of it.
    let is_plain_function = semantics.function_in_sight(callee).is_some_and(|function| {
        let node = function.node(semantics.db());
        node.is_some_and(|node| node.decorator_list.is_empty())
    });
    semantics
        .qualified_name(callee)
        .as_ref()
        .is_some_and(is_stdlib)
        || is_plain_function
        || semantics.class_named(callee).is_some()
        || matches!(callee, Expr::Attribute(method)
            if semantics.class_path_in_sight(&method.value).as_ref().is_some_and(is_stdlib))
}

/// The rows for what `call` opens by the name of a function, a class or a method.
fn by_last_name(
    file: &ParsedFile<'_, '_>,
    call: &ast::ExprCall,
    awaited: bool,
) -> Vec<&'static Resource> {
    let rows_of = |name: &str| -> Vec<&'static Resource> {
        rows_of(name)
            .filter(|row| row.awaited.allows(awaited))
            .collect()
    };
    if let Some(path) = file.semantics.qualified_name(&call.func) {
        let mut rows = rows_of(path.rsplit('.').next().unwrap_or_default());
        rows.retain(|row| row.open.contains(&path));
        if !rows.is_empty() {
            return rows;
        }
    }
    let Some(name) = last_name(&call.func) else {
        return Vec::new();
    };
    let rows = rows_of(name);
    let Expr::Attribute(method) = &*call.func else {
        return Vec::new();
    };
    if rows.iter().all(|row| row.method.all().is_empty()) {
        return Vec::new();
    }
    of_method(file, rows, &method.value)
}

/// Those of `rows` whose method is one of the class of `object`.
fn of_method(
    file: &ParsedFile<'_, '_>,
    rows: Vec<&'static Resource>,
    object: &Expr,
) -> Vec<&'static Resource> {
    let ClassOf::Known(class) = file.semantics.class_of(object) else {
        return Vec::new();
    };
    rows.into_iter()
        .filter(|row| {
            row.method.all().iter().any(|path| {
                path.rsplit_once('.')
                    .is_some_and(|(of, _)| is_same_class(of, &class))
            })
        })
        .collect()
}

/// Whether `call` opens it in a way that leaves nothing open between uses.
pub fn is_idle(resource: &Resource, file: &ParsedFile<'_, '_>, call: &ast::ExprCall) -> bool {
    call.arguments.keywords.iter().any(|keyword| {
        keyword
            .arg
            .as_deref()
            .and_then(|name| resource.idle_with.get(name))
            .is_some_and(|values| {
                file.semantics
                    .qualified_name(&keyword.value)
                    .is_some_and(|value| values.contains(&value))
            })
    })
}
