//! What awaiting the value of a call would mean.

use asyncfix_knowledge::plain_values;
use asyncfix_syntax::queries::last_name;
use ruff_python_ast::{self as ast, AnyNodeRef, Expr};

use crate::answers::counter_evidence::said_otherwise;
use crate::facts::imports::{Import, for_each_import};
use crate::file::ParsedFile;
use crate::infer::callee_awaitability::returned_by;
use crate::infer::types::Awaitability;
use crate::limits::BASES;

/// What is called at a node, or may be under another name.
pub fn called_at<'a>(file: &'a ParsedFile<'_, '_>, node: AnyNodeRef<'a>) -> Vec<&'a Expr> {
    let Some(call) = node.as_expr_call() else {
        return Vec::new();
    };
    let callee = &*call.func;
    let behind = file.semantics.called_behind(callee).unwrap_or_default();
    std::iter::once(callee).chain(behind).collect()
}

/// A package whose older versions have a plain function in the place of a coroutine function.
pub struct OncePlain {
    /// The name that it is imported by.
    pub package: &'static str,
    /// Whether the project asks for such a version.
    pub is_so_here: bool,
}

/// The package whose older versions have a plain function in the place of the coroutine function
/// that is called, where only the stubs of this tool say what is called and the project does not ask for a newer one.
pub fn once_plain(file: &ParsedFile<'_, '_>, callee: &Expr) -> Option<OncePlain> {
    let function = file.semantics.function(callee)?;
    let path = file.semantics.path_in_stubs(&function)?;
    let (package, row) = plain_values::TABLE
        .once_plain
        .get_key_value(path.split('/').next()?)?;
    let name = last_name(callee)?;
    let mut names = row.names.iter();
    let mut distributions = row.distributions.iter();
    let asked = distributions.find_map(|name| file.settings.requirements.get(name));
    (names.any(|known| known == name) && asked.is_none_or(|asked| asked.oldest < row.since))
        .then_some(OncePlain {
            package,
            is_so_here: asked.is_some_and(|asked| asked.newest < row.since),
        })
}

/// What awaiting the value of a call would mean: from what is in sight, else from types, else from
/// what the function that is called returns.
pub fn awaitability_of(file: &ParsedFile<'_, '_>, call: &ast::ExprCall) -> Awaitability {
    match awaitability_said(file, call) {
        Awaitability::Awaitable | Awaitability::Coroutine | Awaitability::Mixed
            if hands_on_to_plain(file, call) =>
        {
            Awaitability::Unknown
        }
        said => said,
    }
}

fn awaitability_said(file: &ParsedFile<'_, '_>, call: &ast::ExprCall) -> Awaitability {
    let semantics = &file.semantics;
    if let Some(known) = semantics.awaitability_in_sight(call) {
        return known;
    }
    match semantics.awaitability(call.into()) {
        Awaitability::Unknown => match semantics.awaitability_of_body(call) {
            Awaitability::Unknown if calls_made_function(file, call) => Awaitability::Coroutine,
            Awaitability::Unknown => semantics
                .awaitability_said(&call.func)
                .unwrap_or(Awaitability::Unknown),
            known => known,
        },
        known => known,
    }
}

/// Whether a method returns what another method of its object returns, and the class of the object has a plain
/// function there: a pipeline that keeps the commands of a client until it is executed.
fn hands_on_to_plain(file: &ParsedFile<'_, '_>, call: &ast::ExprCall) -> bool {
    let semantics = &file.semantics;
    let Expr::Attribute(method) = &*call.func else {
        return false;
    };
    let Some(function) = semantics.functions(&call.func).into_iter().next() else {
        return false;
    };
    let Some(node) = function
        .node(semantics.db())
        .filter(|node| !node.is_async && semantics.is_in_class(function.definition))
    else {
        return false;
    };
    let Some(object) = node.parameters.iter_non_variadic_params().next() else {
        return false;
    };
    // Signatures (`typing.overload`) return nothing; what they are for does.
    let defining = semantics.of_function(&function);
    let bodies = defining.functions_beside(node);
    let mut others = bodies
        .iter()
        .flat_map(|node| returned_by(&node.body))
        .flatten()
        .filter_map(|value| value.as_call_expr()?.func.as_attribute_expr())
        .filter(|other| matches!(&*other.value, Expr::Name(name) if name.id == object.name().id));
    let classes = semantics.classes_of(&method.value);
    let around = semantics.class_around(function.definition);
    others.any(|other| {
        classes.iter().any(|class| {
            let own = semantics.method_of(*class, &other.attr, BASES);
            let Some(own) = own.and_then(|own| semantics.function_of(own)) else {
                return false;
            };
            semantics.class_around(own.definition) != around
                && own.node(semantics.db()).is_some_and(|node| {
                    let file = semantics.of_function(&own);
                    !node.is_async
                        && !matches!(
                            file.awaitability_of_function(node),
                            Some(
                                Awaitability::Coroutine
                                    | Awaitability::Awaitable
                                    | Awaitability::Running
                            )
                        )
                })
        })
    })
}

/// Whether what is called is an attribute that holds a coroutine function which its object has made, and no
/// subclass in sight puts anything in its place.
fn calls_made_function(file: &ParsedFile<'_, '_>, call: &ast::ExprCall) -> bool {
    let Expr::Attribute(attribute) = &*call.func else {
        return false;
    };
    let semantics = &file.semantics;
    if semantics.is_made_when_asked_for(attribute) {
        return true;
    }
    let (is_made, relied) = semantics.noting(|| semantics.is_made_coroutine_function(attribute));
    is_made && said_otherwise(file, &relied).is_none()
}

/// Whether signatures (`typing.overload`) say that what is called is a coroutine function, and the function behind them is
/// a plain one: its decorator may look who calls it.
pub fn is_plain_behind_signatures(file: &ParsedFile<'_, '_>, callee: &Expr) -> bool {
    let semantics = &file.semantics;
    semantics.functions(callee).into_iter().any(|function| {
        let own = semantics.of_function(&function);
        let is_signature = |node: &ast::StmtFunctionDef| {
            let mut decorators = node.decorator_list.iter();
            decorators.any(|decorator| own.is_overload(&decorator.expression))
        };
        let Some(node) = function.node(semantics.db()) else {
            return false;
        };
        let all = own.functions_beside(node);
        let last = all.last();
        all.iter()
            .any(|other| is_signature(other) && other.is_async)
            && last.is_some_and(|last| !last.is_async && !is_signature(last))
    })
}

/// Whether the coroutine function that is called is one of a package that makes them run by themselves where no
/// event loop does.
pub fn runs_by_itself(file: &ParsedFile<'_, '_>, call: &ast::ExprCall) -> bool {
    let semantics = &file.semantics;
    let module = semantics.function(&call.func).and_then(|function| {
        let own = semantics.of_function(&function);
        own.module_name()
    });
    module.is_some_and(|module| {
        let package = module.split('.').next().unwrap_or_default();
        let mut known = plain_values::TABLE.self_running.iter();
        known.any(|other| other == package)
    })
}

/// Whether an import makes the coroutine functions of a package plain ones for the whole file.
pub fn is_synchronized(file: &ParsedFile<'_, '_>) -> bool {
    let is_one = |path: &str| {
        plain_values::TABLE
            .synchronizers
            .iter()
            .any(|module| module == path)
    };
    let mut found = false;
    for_each_import(file.body(), &mut |import| match import {
        Import::Module(names) => found |= names.iter().any(|alias| is_one(&alias.name)),
        Import::From(statement) => {
            let module = statement.module.as_deref().unwrap_or_default();
            found |= is_one(module)
                || statement
                    .names
                    .iter()
                    .any(|alias| is_one(&format!("{module}.{}", alias.name)));
        }
    });
    found
}
