//! Why what is called may be something else than the coroutine function that it seems to be.

use std::collections::HashSet;
use std::hash::BuildHasher;

use asyncfix_syntax::queries::last_name;
use ruff_python_ast::{AnyNodeRef, Expr};

use super::awaitable::called_at;
use crate::answers::replaced;
use crate::file::ParsedFile;
use crate::index::hierarchy::Override;
use crate::infer::mutations::Place;
use crate::resolve::look::Relied;

/// Why what a call calls, or what a property gives, may be something else than it seems to be, in ways that leave a
/// fix to people. `relied` is what the answer relies on.
pub fn doubt(
    file: &ParsedFile<'_, '_>,
    node: AnyNodeRef<'_>,
    relied: &HashSet<Relied, impl BuildHasher>,
) -> Option<String> {
    let here = match node {
        AnyNodeRef::ExprCall(_) => may_be_put(file, node),
        AnyNodeRef::ExprAttribute(property) => {
            replaced::is_given_elsewhere(file, &property.attr).then(|| put_in_place(&property.attr))
        }
        _ => None,
    };
    here.or_else(|| said_otherwise(file, relied))
        .or_else(|| may_be_another(file, node, Override::Coroutine))
}

/// Why what is called, or what a property gives, may be something else than the `expected` where the object is of a
/// subclass.
pub fn may_be_another(
    file: &ParsedFile<'_, '_>,
    node: AnyNodeRef<'_>,
    expected: Override,
) -> Option<String> {
    let overrides = overrides(file, node).into_iter();
    let mut others = overrides.filter(|(_, _, one)| ![expected, Override::Plain].contains(one));
    let (class, name, _) = others.next()?;
    Some(format!(
        "a subclass of `{class}` may define `{name}` differently"
    ))
}

/// Why a class in sight overrides the method that is called, what calling the object runs, or the property, with a
/// method that is no coroutine function: the object may be of that class.
pub fn overridden_plainly(file: &ParsedFile<'_, '_>, node: AnyNodeRef<'_>) -> Option<String> {
    let mut overrides = overrides(file, node).into_iter();
    let (class, name, _) = overrides.find(|(_, _, one)| *one == Override::Plain)?;
    Some(match file.project.plain_override(&class, &name) {
        Some(subclass) => {
            format!("subclass `{subclass}` overrides this method with a non-async one")
        }
        None => format!("`{class}.{name}` is replaced by a non-async function"),
    })
}

/// Whether it is overridden so.
pub fn is_overridden_plainly(file: &ParsedFile<'_, '_>, node: AnyNodeRef<'_>) -> bool {
    overridden_plainly(file, node).is_some()
}

/// What classes in sight have in the place of what is called, behind the names of the class that they come after
/// and of the method.
fn overrides(file: &ParsedFile<'_, '_>, node: AnyNodeRef<'_>) -> Vec<(String, String, Override)> {
    let semantics = &file.semantics;
    let called = called_at(file, node);
    let property = node.as_expr_attribute();
    let members = called
        .iter()
        .filter_map(|callee| callee.as_attribute_expr());
    let mut asked = Vec::new();
    for member in members.chain(property.map(|property| &**property)) {
        let object = &*member.value;
        let objects = std::iter::once(object).chain(semantics.values_behind(object));
        let mut classes: Vec<_> = objects
            .flat_map(|object| semantics.class_names_of(object))
            .collect();
        // `Client.get(client)` is the method of that class.
        if classes.is_empty() && semantics.base_in_sight(object).is_none() {
            let methods = semantics.definitions_named(member.into()).into_iter();
            classes.extend(methods.filter_map(|method| semantics.class_around(method)));
        }
        let name = member.attr.to_string();
        asked.extend(classes.into_iter().map(|class| (class, name.clone())));
    }
    for callee in &called {
        let classes = semantics.class_names_of(callee).into_iter();
        asked.extend(classes.map(|class| (class, "__call__".to_owned())));
    }
    let found = asked.into_iter().flat_map(|(class, name)| {
        let overrides = file.project.overrides(&class, &name);
        let all = overrides
            .iter()
            .map(|one| (class.clone(), name.clone(), *one));
        all.collect::<Vec<_>>()
    });
    found.collect()
}

/// Why something else may stand in the place of what is called.
pub fn may_be_put(file: &ParsedFile<'_, '_>, node: AnyNodeRef<'_>) -> Option<String> {
    let mut called = called_at(file, node).into_iter();
    called.find_map(|callee| uncertain(file, callee))
}

/// Why what is called may be something else where a program does what is not in sight here.
fn uncertain(file: &ParsedFile<'_, '_>, callee: &Expr) -> Option<String> {
    let semantics = &file.semantics;
    let object = callee.as_attribute_expr().map(|method| &method.value);
    if let Some(name) = last_name(callee)
        && (replaced::is_replaced(file, name)
            || object.is_some_and(|object| replaced::is_filled(file, object))
            || replaced::is_module_replaced(file, callee))
    {
        return Some(put_in_place(name));
    }
    if let Some(name) = last_name(callee)
        && replaced::is_replaced_for_tests(file, name)
    {
        return Some(format!(
            "`{name}` is replaced in `conftest.py` (for example by a mock)"
        ));
    }
    if let Expr::Attribute(method) = callee
        && semantics.is_made_when_asked_for(method)
    {
        return Some("this attribute of the object may have been replaced".to_owned());
    }
    let taken = match callee {
        Expr::Attribute(method) => &*method.value,
        callee => callee,
    };
    let may_hold_others = match semantics.collection_made_here(taken) {
        Some(made) => made.is_handed_on || is_reached_from_elsewhere(file, &made.of),
        // What is put into a table of another module may stand anywhere.
        None => callee.is_subscript_expr(),
    };
    (may_hold_others && semantics.awaitability_by_callable(callee).is_none())
        .then(|| "other code may put other values into the collection".to_owned())
}

fn put_in_place(name: &str) -> String {
    format!("`{name}` is replaced in this file (for example by a mock)")
}

/// Whether other files, or subclasses, reach a collection.
fn is_reached_from_elsewhere(file: &ParsedFile<'_, '_>, place: &Place) -> bool {
    match place {
        Place::Function => false,
        Place::Class(class) => file.project.has_subclasses(class.as_class_name()),
        Place::Module(name) => {
            let module = file.semantics.module_name().unwrap_or_default();
            let module = module.rsplit('.').next().unwrap_or_default();
            let is_imported_from = |module: &str| {
                file.project.imports_from(module, name) || file.project.imports_from(module, "*")
            };
            is_imported_from(module)
                // `from . import HANDLERS`
                || file.is_package && is_imported_from("")
                || file.project.imports_whole(module)
        }
    }
}

/// Why what an answer relies on may not hold: something in sight says otherwise.
pub fn said_otherwise(
    file: &ParsedFile<'_, '_>,
    relied: &HashSet<Relied, impl BuildHasher>,
) -> Option<String> {
    let reasons = relied.iter().filter_map(|one| match one {
        Relied::Kept { class, name }
            if file.project.is_replaced_below(class.as_class_name(), name) =>
        {
            Some(format!("a subclass of `{}` overrides `{name}`", class.name))
        }
        Relied::Kept { name, .. } if replaced::is_given_elsewhere(file, name) => {
            Some(format!("code outside the class assigns `{name}`"))
        }
        Relied::Given(name) if relied.contains(&Relied::Way(name.clone())) => Some(format!(
            "the function that creates the object assigns `{name}`"
        )),
        Relied::Undecorated(class) => {
            Some(format!("a decorator of `{class}` may replace the class"))
        }
        Relied::Defined(name) => Some(format!("`{name}` is also assigned another value")),
        Relied::Called { name, module }
            if *module != file.semantics.module_name() || file.is_imported_name(name) =>
        {
            Some(format!("other files may give `{name}` something else"))
        }
        Relied::Called { .. } | Relied::Kept { .. } | Relied::Given(_) | Relied::Way(_) => None,
    });
    reasons.min()
}
