//! Asynchronous iterators that are given to what iterates plainly, or awaited: `sorted(bells())`, `await bells()`.

use asyncfix_analysis::answers::expected::is_expected;
use asyncfix_analysis::candidate::Candidate;
use asyncfix_analysis::facts::key::{iteration_key, name_key};
use asyncfix_analysis::facts::spelling::Hints;
use asyncfix_analysis::index::reach::Sought;
use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::{Obstacle, Owner, Site};
use ruff_diagnostics::Edit;
use ruff_python_ast::token::parenthesized_range;
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, PythonVersion};
use ruff_python_stdlib::builtins::is_python_builtin;
use ruff_python_stdlib::keyword::is_keyword;
use ruff_text_size::{Ranged, TextRange};

use super::iteration::{is_asynchronous, remedy};
use crate::edit::blocks::COMMENT;
use crate::edit::fresh_names;
use crate::file::File;
use crate::finding::{Finding, Rewrite};
use crate::rule::Rule;

/// Functions that iterate over what they are given.
const CONSUMERS: [&str; 16] = [
    "builtins.all",
    "builtins.any",
    "builtins.dict",
    "builtins.enumerate",
    "builtins.frozenset",
    "builtins.iter",
    "builtins.list",
    "builtins.max",
    "builtins.min",
    "builtins.next",
    "builtins.reversed",
    "builtins.set",
    "builtins.sorted",
    "builtins.sum",
    "builtins.tuple",
    "builtins.zip",
];

/// Whether an asynchronous iterator may be used plainly at `site`, judged by the tree alone.
pub(super) fn candidate(hints: &Hints<'_>, site: &Site<'_, '_>) -> Candidate {
    if !site.is_asynchronous(hints.spellings.await_at_top()) {
        return Candidate::No;
    }
    let taken = match site.node {
        AnyNodeRef::Arguments(arguments) => {
            let Some(AnyNodeRef::ExprCall(call)) = site.parent() else {
                return Candidate::No;
            };
            let consumes = consumes_by_name(call) || hints.spellings.allow(&call.func, &CONSUMERS);
            let mut names = iterated(arguments, &call.func, consumes).filter_map(name_of);
            let first = names.next();
            if names.next().is_some() {
                return Candidate::Yes;
            }
            first
        }
        AnyNodeRef::ExprAwait(awaited) if awaited.value.is_call_expr() => name_of(&awaited.value),
        _ => None,
    };
    match taken {
        Some(name) => Candidate::If(iteration_key(name_key(name)), Sought::Iterable),
        None => Candidate::No,
    }
}

/// What a call iterates over: what stands behind a star and, where the function consumes it, its first argument; of `zip`
/// each, of `max` and `min` the only one, of `iter` none beside a sentinel.
fn iterated<'a>(
    arguments: &'a ast::Arguments,
    func: &Expr,
    consumes: bool,
) -> impl Iterator<Item = &'a Expr> {
    let count = arguments.args.len();
    let most = match last_name(func) {
        _ if !consumes => 0,
        Some("zip") => count,
        Some("max" | "min" | "iter") if count > 1 => 0,
        _ => 1,
    };
    arguments
        .args
        .iter()
        .enumerate()
        .filter_map(move |(at, argument)| match argument {
            Expr::Starred(starred) => Some(&*starred.value),
            other => (at < most).then_some(other),
        })
}

/// The name by which what an expression gives may be known.
fn name_of(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Call(call) => last_name(&call.func),
        other => last_name(other),
    }
}

/// Whether a text is joined: `", ".join(names())`.
fn consumes_by_name(call: &ast::ExprCall) -> bool {
    matches!(&*call.func, Expr::Attribute(method)
        if method.attr.as_str() == "join" && method.value.is_string_literal_expr())
}

/// The finding at the arguments of a call, or at an `await`.
pub(super) fn check<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    rule: &'static Rule,
) -> Option<Finding> {
    let surroundings = file.surroundings(site);
    if !file.is_async(surroundings.owner)
        || surroundings.obstacle == Some(Obstacle::Signature)
        || is_expected(site)
    {
        return None;
    }
    match site.node {
        AnyNodeRef::Arguments(arguments) => given(file, site, arguments, rule),
        AnyNodeRef::ExprAwait(awaited) => awaited_one(file, site, awaited, rule),
        _ => None,
    }
}

/// The finding at a call that is given an asynchronous iterator and iterates over it.
fn given<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    arguments: &'a ast::Arguments,
    rule: &'static Rule,
) -> Option<Finding> {
    let outer = site.outer()?;
    let AnyNodeRef::ExprCall(call) = outer.node else {
        return None;
    };
    let consumes = consumes_by_name(call) || file.semantics.means(&call.func, &CONSUMERS);
    let mut iterated = iterated(arguments, &call.func, consumes);
    let (taken, relied) = iterated.find_map(|taken| {
        let (is_one, relied) = is_asynchronous(file, taken);
        is_one.then_some((taken, relied))
    })?;
    let owner = file.surroundings(site).owner;
    let remedy = remedy(file, &outer, taken, &relied, || {
        collected(file, &outer, call, taken, owner)
    });
    Some(Finding::new(
        rule,
        taken.range(),
        "this is an async iterator: it can only be iterated with `async for`".to_owned(),
        remedy,
    ))
}

/// The rewrite that collects an asynchronous iterator for a call.
fn collected<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    call: &'a ast::ExprCall,
    taken: &'a Expr,
    owner: Owner<'a>,
) -> Result<Rewrite, String> {
    let means = |name: &str| file.semantics.means(&call.func, &[name]);
    if means("builtins.next") {
        if !file.targets(PythonVersion::PY310) || !file.semantics.is_async_generator(taken) {
            return Err("take its first value with `async for`".to_owned());
        }
        let edits = file.await_edits(site, call.func.range(), "anext");
        return Ok(Rewrite::safe("Use `await anext(…)`", edits));
    }
    if means("builtins.iter") || means("builtins.reversed") {
        return Err("collect it with `[… async for …]` first".to_owned());
    }
    let name = variable(file, taken, owner);
    let inner = parenthesized_range(taken.into(), (&call.arguments).into(), file.tokens())
        .unwrap_or(taken.range());
    let (open, close) = if means("builtins.set") {
        ('{', '}')
    } else {
        ('[', ']')
    };
    let is_alone = call.arguments.args.len() == 1 && call.arguments.keywords.is_empty();
    let (start, end) = if is_alone
        && !matches!(call.arguments.args.first(), Some(Expr::Starred(_)))
        && (means("builtins.list") || means("builtins.set"))
    {
        (
            TextRange::new(call.start(), inner.start()),
            TextRange::new(inner.end(), call.end()),
        )
    } else {
        (
            TextRange::empty(inner.start()),
            TextRange::empty(inner.end()),
        )
    };
    if file.comments.intersects(start) || file.comments.intersects(end) {
        return Err(COMMENT.to_owned());
    }
    Ok(Rewrite::safe(
        "Collect it with `async for`",
        vec![
            Edit::range_replacement(format!("{open}{name} async for {name} in "), start),
            Edit::range_replacement(close.to_string(), end),
        ],
    ))
}

/// A name for one of the things that an iterator gives: of `bells()`, each is a `bell`.
fn variable(file: &File<'_, '_>, taken: &Expr, owner: Owner<'_>) -> String {
    let one = name_of(taken)
        .and_then(|name| name.trim_start_matches('_').strip_suffix('s'))
        .filter(|name| {
            name.len() > 2
                && !name.ends_with('s')
                && !is_keyword(name)
                && !is_python_builtin(name, PythonVersion::latest().minor, false)
        });
    let wishes: Vec<&str> = one.into_iter().chain(["item", "value"]).collect();
    fresh_names::fresh(file, owner, &wishes)
}

/// The finding at an `await` of an asynchronous generator.
fn awaited_one<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    awaited: &'a ast::ExprAwait,
    rule: &'static Rule,
) -> Option<Finding> {
    if !file.semantics.is_async_generator(&awaited.value) {
        return None;
    }
    let (_, relied) = is_asynchronous(file, &awaited.value);
    let operand = parenthesized_range((&*awaited.value).into(), awaited.into(), file.tokens())
        .unwrap_or(awaited.value.range());
    let without = Edit::range_deletion(TextRange::new(awaited.start(), operand.start()));
    let is_it = |expr: &Expr| expr.range() == awaited.range();
    let edits = match site.parent() {
        Some(AnyNodeRef::StmtFor(statement)) if is_it(&statement.iter) => {
            Some((statement.is_async, statement.start()))
        }
        Some(AnyNodeRef::Comprehension(clause)) if is_it(&clause.iter) => {
            Some((clause.is_async, clause.start()))
        }
        _ => None,
    };
    let edits = edits.map(|(is_async, start)| {
        let keyword = (!is_async).then(|| Edit::insertion("async ".to_owned(), start));
        keyword.into_iter().chain([without]).collect()
    });
    let remedy = remedy(file, site, &awaited.value, &relied, || match edits {
        Some(edits) => Ok(Rewrite::safe("Use `async for` without `await`", edits)),
        None => Err("loop over it with `async for`".to_owned()),
    });
    Some(Finding::new(
        rule,
        awaited.range(),
        "this is an async generator, which can't be awaited".to_owned(),
        remedy,
    ))
}
