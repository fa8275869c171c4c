//! What is known about how coroutines of libraries end, and what they use.

use asyncfix_knowledge::endings::TABLE;
use asyncfix_knowledge::package_of;
use asyncfix_syntax::queries::last_name;
use ruff_python_ast::{self as ast, Expr};

use crate::infer::types::ClassOf;
use crate::resolve::semantics::Semantics;

/// Whether `callee` is known to end by itself.
pub fn ends(semantics: &Semantics<'_>, callee: &Expr) -> bool {
    means_one_of(semantics, callee, &TABLE.ends)
}

/// Whether `callee` ends when what it is given ends.
pub fn ends_with_arguments(semantics: &Semantics<'_>, callee: &Expr) -> bool {
    means_one_of(semantics, callee, &TABLE.as_arguments)
}

/// Whether calling `callee` ends what it is called on, so that it is over soon.
pub fn is_closing(callee: &Expr) -> bool {
    callee.is_attribute_expr() && last_name(callee).is_some_and(|name| TABLE.closing.contains(name))
}

/// Whether a method of this name ends something, in code that cleans up. Being wrong about one only
/// means to hold back.
pub fn cleans_up(method: &str) -> bool {
    TABLE.cleaning.contains(method)
}

/// Whether a function of this name undoes something or lets go of it, by one of its words.
pub fn undoes(name: &str) -> bool {
    name.split('_').any(|word| TABLE.undoing.contains(word))
}

/// Whether a call ends or lets go of something, by the name of what is called: `session.close()`, `process.kill()`,
/// `os.remove(path)`.
pub fn lets_go(semantics: &Semantics<'_>, call: &ast::ExprCall) -> bool {
    let is_named = last_name(&call.func).is_some_and(|name| {
        TABLE.letting_go.contains(name)
            || call.arguments.is_empty()
                && name.split('_').any(|word| TABLE.letting_go.contains(word))
    });
    is_named || takes_away(semantics, &call.func)
}

/// Whether calling `callee` takes a file or a folder away.
pub fn takes_away(semantics: &Semantics<'_>, callee: &Expr) -> bool {
    let is_method = callee.as_attribute_expr();
    is_method.is_some_and(|method| TABLE.taking_away_methods.contains(method.attr.as_str()))
        || means_one_of(semantics, callee, &TABLE.taking_away)
}

/// Whether calling `callee` raises nothing, where it is given what it is for.
pub fn is_calm(semantics: &Semantics<'_>, callee: &Expr) -> bool {
    means_one_of(semantics, callee, &TABLE.calm)
        || ends(semantics, callee)
        || callee.as_attribute_expr().is_some_and(|method| {
            TABLE.calm_methods.contains(method.attr.as_str())
                && matches!(semantics.class_of(&method.value),
                    ClassOf::Known(class) if package_of(&class) == "builtins")
        })
}

pub(super) fn means_one_of(semantics: &Semantics<'_>, callee: &Expr, paths: &[String]) -> bool {
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    semantics.means(callee, &paths)
}

/// Whether a class is one of `classes`, by its package and its last name.
pub fn is_one_of(class: &str, classes: &[String]) -> bool {
    classes.iter().any(|other| {
        package_of(other) == package_of(class)
            && other.rsplit('.').next() == class.rsplit('.').next()
    })
}
