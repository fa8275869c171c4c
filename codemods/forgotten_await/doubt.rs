//! Why what is called may be something else than the coroutine function that it seems to be.

use ruff_python_ast::{self as ast, AnyNodeRef, Expr};
use rustc_hash::FxHashSet;

use crate::file::File;
use crate::outline::last_name;
use crate::sight::added::Place;
use crate::sight::relied::Relied;
use crate::support::replaced;
use crate::traces::search::Override;

/// Why what a call calls, or what a property gives, may be something else than it seems to be, in ways that leave a
/// fix to people. `relied` is what the answer relies on.
pub(crate) fn doubt(
    file: &File<'_, '_>,
    node: AnyNodeRef<'_>,
    relied: &FxHashSet<Relied>,
) -> Option<String> {
    let here = match node {
        AnyNodeRef::ExprCall(call) => uncertain(file, call),
        AnyNodeRef::ExprAttribute(property) => {
            replaced::is_given_elsewhere(file, &property.attr).then(|| put_in_place(&property.attr))
        }
        _ => None,
    };
    here.or_else(|| said_otherwise(file, relied))
        .or_else(|| match overridden(file, node)? {
            (class, name, Override::Other) => Some(format!(
                "a subclass of `{class}` in sight may have something else under `{name}`"
            )),
            (_, _, Override::Plain) => None,
        })
}

/// Whether a class in sight overrides the method that is called, what calling the object runs, or the property, with
/// a method that is no coroutine function: the object may be of that class.
pub(crate) fn is_overridden_plainly(file: &File<'_, '_>, node: AnyNodeRef<'_>) -> bool {
    matches!(overridden(file, node), Some((_, _, Override::Plain)))
}

/// What a class in sight has in the place of what is called, behind the names of the class that it comes after and
/// of the method.
fn overridden(file: &File<'_, '_>, node: AnyNodeRef<'_>) -> Option<(String, String, Override)> {
    let semantics = &file.semantics;
    let (member, called) = match node {
        AnyNodeRef::ExprCall(call) => (call.func.as_attribute_expr(), Some(&*call.func)),
        AnyNodeRef::ExprAttribute(property) => (Some(property), None),
        _ => return None,
    };
    let mut asked = Vec::new();
    if let Some(member) = member {
        let mut classes = semantics.class_names_of(&member.value);
        // `Client.get(client)` is the method of that class.
        if classes.is_empty() && semantics.base_in_sight(&member.value).is_none() {
            let methods = semantics.definitions_named(member.into()).into_iter();
            classes.extend(methods.filter_map(|method| semantics.class_around(method)));
        }
        let name = member.attr.to_string();
        asked.extend(classes.into_iter().map(|class| (class, name.clone())));
    }
    if let Some(called) = called {
        let classes = semantics.class_names_of(called).into_iter();
        asked.extend(classes.map(|class| (class, "__call__".to_owned())));
    }
    let found = asked.into_iter().filter_map(|(class, name)| {
        let overridden = file.project.overridden(&class, &name)?;
        Some((class, name, overridden))
    });
    found.max_by_key(|(_, _, overridden)| *overridden)
}

/// Why what is called may be something else where a program does what is not in sight here.
fn uncertain(file: &File<'_, '_>, call: &ast::ExprCall) -> Option<String> {
    let callee = &*call.func;
    let semantics = &file.semantics;
    if let Some(name) = last_name(callee)
        && replaced::is_replaced(file, name)
    {
        return Some(put_in_place(name));
    }
    if let Expr::Attribute(method) = callee
        && semantics.is_made_when_asked_for(method)
    {
        return Some("the object may have been given something else under this name".to_owned());
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
        .then(|| "something else may be put into the collection elsewhere".to_owned())
}

fn put_in_place(name: &str) -> String {
    format!("this file puts something else in the place of `{name}`")
}

/// Whether other files, or subclasses, reach a collection.
fn is_reached_from_elsewhere(file: &File<'_, '_>, place: &Place) -> bool {
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
pub(crate) fn said_otherwise(file: &File<'_, '_>, relied: &FxHashSet<Relied>) -> Option<String> {
    let reasons = relied.iter().filter_map(|one| match one {
        Relied::Kept { class, name }
            if file.project.is_replaced_below(class.as_class_name(), name) =>
        {
            Some(format!(
                "a subclass of `{}` in sight has its own `{name}`",
                class.name
            ))
        }
        Relied::Kept { name, .. } if replaced::is_given_elsewhere(file, name) => Some(format!(
            "something outside of the class gives the object another `{name}`"
        )),
        Relied::Given(name) if relied.contains(&Relied::Way(name.clone())) => Some(format!(
            "the function that makes the object gives it another `{name}`"
        )),
        Relied::Undecorated(class) => Some(format!(
            "a decorator of `{class}` may make something else of the class"
        )),
        Relied::Kept { .. } | Relied::Given(_) | Relied::Way(_) => None,
    });
    reasons.min()
}
