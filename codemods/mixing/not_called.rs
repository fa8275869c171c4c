//! A coroutine function that is given or awaited as if it were a coroutine: `asyncio.run(main)`.

use asyncfix_analysis::answers::takes_coroutine::{Position, takes_coroutine};
use asyncfix_analysis::candidate::Candidate;
use asyncfix_analysis::facts::key::name_key;
use asyncfix_analysis::facts::spelling::Hints;
use asyncfix_analysis::index::reach::Sought;
use asyncfix_analysis::infer::types::Awaitability;
use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::Site;
use ruff_diagnostics::Edit;
use ruff_python_ast::{self as ast, AnyNodeRef, Expr};
use ruff_text_size::Ranged;

use crate::file::File;
use crate::finding::{Finding, Remedy, Rewrite};
use crate::rule::Rule;

/// What takes coroutines, by the last names.
const TAKERS: [&str; 8] = [
    "create_task",
    "ensure_future",
    "gather",
    "run",
    "run_coroutine_threadsafe",
    "run_until_complete",
    "shield",
    "wait_for",
];

/// Whether a coroutine function may be given at `site`, the arguments of a call or an `await`, judged by the tree alone.
pub(super) fn candidate(hints: &Hints<'_>, site: &Site<'_, '_>) -> Candidate {
    let given = match (site.node, site.parent()) {
        (AnyNodeRef::ExprAwait(awaited), _) => name_of(&awaited.value),
        (AnyNodeRef::Arguments(arguments), Some(AnyNodeRef::ExprCall(call))) => {
            let mut names = hints.spellings.last_names(&call.func);
            if !names.any(|name| TAKERS.contains(&name)) {
                return Candidate::No;
            }
            arguments.args.iter().find_map(name_of)
        }
        _ => None,
    };
    match given {
        Some(name) => Candidate::If(name_key(name), Sought::Called),
        None => Candidate::No,
    }
}

fn name_of(expr: &Expr) -> Option<&str> {
    matches!(expr, Expr::Name(_) | Expr::Attribute(_))
        .then(|| last_name(expr))
        .flatten()
}

/// The finding at the arguments of a call, or at an `await`.
pub(super) fn check<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    rule: &'static Rule,
) -> Option<Finding> {
    let mut given = match (site.node, site.parent()) {
        (AnyNodeRef::ExprAwait(awaited), _) => vec![&*awaited.value],
        (AnyNodeRef::Arguments(arguments), Some(AnyNodeRef::ExprCall(call))) => {
            let count = match takes_coroutine(&file.semantics, &call.func)? {
                Position::Every => arguments.args.len(),
                Position::First => 1,
            };
            arguments.args.iter().take(count).collect()
        }
        _ => return None,
    }
    .into_iter()
    .filter_map(|given| Some((given, is_to_be_called(file, given)?)));
    let (first, takes_more) = given.next()?;
    let others: Vec<_> = given.collect();
    let takes_more = takes_more || others.iter().any(|(_, takes_more)| *takes_more);
    let all = std::iter::once(first).chain(others.iter().map(|(given, _)| *given));
    let remedy = if takes_more {
        Remedy::NotFixed(format!(
            "it needs arguments: write `{}(…)`",
            file.first_line(first)
        ))
    } else {
        let edits = all.map(|given| Edit::insertion("()".to_owned(), given.end()));
        Remedy::Rewrite(Rewrite::safe("Call it", edits.collect()))
    };
    Some(Finding::new(
        rule,
        first.range(),
        format!(
            "`{}` is a coroutine function, not a coroutine: it is not called",
            file.first_line(first)
        ),
        remedy,
    ))
}

/// Whether an expression plainly is a coroutine function, and whether it has to be given something.
pub(super) fn is_to_be_called(file: &File<'_, '_>, expr: &Expr) -> Option<bool> {
    let semantics = &file.semantics;
    name_of(expr)?;
    // What something else was put in the place of may be anything.
    if let Expr::Attribute(method) = expr
        && semantics.is_rebound(&method.value, &method.attr)
    {
        return None;
    }
    let function = semantics.function_in_sight(expr)?;
    let node = function.node(semantics.db())?;
    let own = semantics.of_function(&function);
    if own.awaitability_of_function(node) != Some(Awaitability::Coroutine) || !node.is_async {
        return None;
    }
    let is_static = node
        .decorator_list
        .iter()
        .any(|decorator| own.means(&decorator.expression, &["builtins.staticmethod"]));
    // Asked of a class, it takes the object as well.
    let has_object = own.is_method(node) && !is_static;
    let is_of_class = matches!(expr, Expr::Attribute(method)
        if semantics.class_named(&method.value).is_some());
    let object = usize::from(has_object && !is_of_class);
    let parameters = &node.parameters;
    let positional = parameters.posonlyargs.iter().chain(&parameters.args);
    let mut others = positional.skip(object).chain(&parameters.kwonlyargs);
    Some(others.any(|parameter: &ast::ParameterWithDefault| parameter.default.is_none()))
}
