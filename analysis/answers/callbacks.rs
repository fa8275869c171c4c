//! Who calls a function that is handed over: as an argument, or to a decorator.

use asyncfix_knowledge::callbacks::TABLE;
use asyncfix_syntax::queries::called;
use ruff_python_ast::{self as ast, Expr};
use ty_python_core::definition::DefinitionKind;

use super::runners::packages_of_callee;
use super::takes_coroutine::takes_coroutine;
use crate::limits::CALLS;
use crate::resolve::semantics::Semantics;

/// How a function is called by what takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// What it gives is awaited: it may be a coroutine function.
    Awaits,
    /// Like any function, where no event loop runs.
    Plainly,
}

/// Who calls what a decorator is put on. `None` where that is not known.
pub fn caller_behind(semantics: &Semantics<'_>, decorator: &ast::Decorator) -> Option<Caller> {
    caller_by(semantics, called(decorator))
}

/// Whether a decorator makes a command of a function, which is called like any function whatever it is.
pub fn drops_coroutines(semantics: &Semantics<'_>, decorator: &ast::Decorator) -> bool {
    let packages = packages(semantics, called(decorator));
    packages
        .iter()
        .any(|package| TABLE.dropping.contains(package))
}

/// Who calls a function that `callee` is given. `None` where that is not known.
pub fn caller_of_argument(semantics: &Semantics<'_>, callee: &Expr) -> Option<Caller> {
    let awaiting = TABLE.awaiting_functions.iter().map(String::as_str);
    if semantics.means(callee, &awaiting.collect::<Vec<_>>())
        || takes_coroutine(semantics, callee).is_some()
    {
        return Some(Caller::Awaits);
    }
    caller_by(semantics, callee)
}

fn caller_by(semantics: &Semantics<'_>, callee: &Expr) -> Option<Caller> {
    let packages = packages(semantics, callee);
    let is_of = |known: &rustc_hash::FxHashSet<String>| {
        packages.iter().any(|package| known.contains(package))
    };
    if is_of(&TABLE.awaiting) {
        Some(Caller::Awaits)
    } else if is_of(&TABLE.plain) {
        Some(Caller::Plainly)
    } else {
        None
    }
}

/// The packages that a callee may come from.
fn packages(semantics: &Semantics<'_>, callee: &Expr) -> Vec<String> {
    let found = packages_of_callee(semantics, callee, CALLS);
    if !found.is_empty() {
        return found;
    }
    // `@cli.command()`, where `cli` is a function that a decorator has made something else of.
    let mut root = callee;
    while let Expr::Attribute(attribute) = root {
        root = &attribute.value;
    }
    let (Expr::Name(name), false) = (root, std::ptr::eq(root, callee)) else {
        return Vec::new();
    };
    let definitions = semantics.bindings(name).unwrap_or_default();
    let mut found = Vec::new();
    for definition in definitions {
        if let DefinitionKind::Function(function) = definition.kind(semantics.db())
            && semantics.is_here(definition)
        {
            for decorator in &function.node(semantics.module()).decorator_list {
                found.extend(packages_of_callee(semantics, called(decorator), CALLS));
            }
        }
    }
    found
}
