//! AF102 missing-async-for: what can only be iterated asynchronously has no values for a plain
//! `for` (Python language reference, 8.9.2; PEP 530 for comprehensions).

use asyncfix_analysis::answers::counter_evidence::{
    may_be_another, may_be_put, overridden_plainly, said_otherwise,
};
use asyncfix_analysis::answers::expected::is_expected;
use asyncfix_analysis::answers::locks;
use asyncfix_analysis::candidate::Candidate;
use asyncfix_analysis::facts::key::{iteration_key, name_key};
use asyncfix_analysis::facts::spelling::Hints;
use asyncfix_analysis::index::hierarchy::Override;
use asyncfix_analysis::index::reach::Sought;
use asyncfix_analysis::infer::assumptions::Relied;
use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::{Obstacle, Site};
use ruff_diagnostics::Edit;
use ruff_python_ast::{AnyNodeRef, Expr, NodeKind};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::FxHashSet;

use super::consumed;
use crate::codemod::Codemod;
use crate::file::File;
use crate::finding::{Finding, Remedy, Rewrite};
use crate::rule::{Rule, Stability};

/// The codemod of AF102.
pub struct MissingAsyncFor;

static RULE: Rule = Rule {
    code: "AF102",
    name: "missing-async-for",
    finds: "`for` over an async iterator",
    pitfall: "forgetting await",
    page: include_str!("AF102.md"),
    default: true,
    stability: Stability::Stable,
    equivalents: &[],
};

impl Codemod for MissingAsyncFor {
    fn rule(&self) -> &'static Rule {
        &RULE
    }

    fn words(&self) -> &'static [&'static str] {
        &["async def", "await "]
    }

    fn asks_for_types(&self) -> bool {
        true
    }

    fn nodes(&self) -> &'static [NodeKind] {
        &[
            NodeKind::StmtFor,
            NodeKind::Comprehension,
            NodeKind::Arguments,
            NodeKind::ExprAwait,
        ]
    }

    fn candidate(&self, hints: &Hints<'_>, site: &Site<'_, '_>) -> Candidate {
        let spellings = hints.spellings;
        let Some(iterable) = plain_iterable(site.node) else {
            return consumed::candidate(hints, site);
        };
        let name = match iterable {
            Expr::Call(call) => last_name(&call.func),
            other => last_name(other),
        };
        match name {
            Some(name) if site.is_asynchronous(spellings.await_at_top()) => {
                Candidate::If(iteration_key(name_key(name)), Sought::Iterable)
            }
            _ => Candidate::No,
        }
    }

    fn check<'a>(&self, file: &File<'a, '_>, site: &Site<'_, 'a>) -> Option<Finding> {
        let Some(iterable) = plain_iterable(site.node) else {
            return consumed::check(file, site, &RULE);
        };
        let surroundings = file.surroundings(site);
        if !file.is_async(surroundings.owner)
            || surroundings.obstacle == Some(Obstacle::Signature)
            || is_expected(site)
        {
            return None;
        }
        let (is_one, relied) = is_asynchronous(file, iterable);
        if !is_one {
            return None;
        }
        let remedy = remedy(file, site, iterable, &relied, || {
            let edit = Edit::insertion("async ".to_owned(), site.node.start());
            Ok(Rewrite::safe("Use `async for`", vec![edit]))
        });
        Some(Finding::new(
            &RULE,
            TextRange::new(site.node.start(), iterable.end()),
            "this is an async iterator: use `async for`".to_owned(),
            remedy,
        ))
    }
}

/// Whether a value can only be iterated asynchronously, and what that relies on.
pub(super) fn is_asynchronous(file: &File<'_, '_>, iterable: &Expr) -> (bool, FxHashSet<Relied>) {
    let semantics = &file.semantics;
    semantics.noting(|| {
        let is_one = semantics.is_only_asynchronous(iterable, "__aiter__", "__iter__")
            || semantics.is_async_generator(iterable);
        if is_one {
            semantics.note_way(iterable);
        }
        is_one
    })
}

/// What can be done at `site` about an asynchronous iterator that is iterated plainly: what `rewrite` gives, where
/// nothing speaks against it.
pub(super) fn remedy<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    iterable: &Expr,
    relied: &FxHashSet<Relied>,
    rewrite: impl FnOnce() -> Result<Rewrite, String>,
) -> Remedy {
    let semantics = &file.semantics;
    let surroundings = file.surroundings(site);
    let behind = semantics.values_behind(iterable);
    let mut sources = std::iter::once(iterable).chain(behind.iter().copied());
    let overridden = sources
        .clone()
        .find_map(|source| overridden_plainly(file, source.into()));
    if let Some(reason) = overridden {
        return Remedy::NotFixed(reason);
    }
    if let Some(obstacle) = surroundings.obstacle {
        return Remedy::NotFixed(obstacle.reason().replace("await", "async for"));
    }
    let lock = match locks::allow_await(file, site, surroundings.owner) {
        Err(held) => return Remedy::NotFixed(held),
        Ok(lock) => lock,
    };
    let another = sources.find_map(|source| {
        let call = AnyNodeRef::from(source.as_call_expr()?);
        may_be_another(file, call, Override::Generator).or_else(|| may_be_put(file, call))
    });
    match rewrite() {
        Err(reason) => Remedy::NotFixed(reason),
        Ok(rewrite) => Remedy::Rewrite(
            rewrite
                .unsafe_if(lock)
                .unsafe_if(said_otherwise(file, relied).or(another)),
        ),
    }
}

/// What a plain loop, or a plain clause of a comprehension, iterates over.
fn plain_iterable(node: AnyNodeRef<'_>) -> Option<&Expr> {
    match node {
        AnyNodeRef::StmtFor(statement) if !statement.is_async => Some(&statement.iter),
        AnyNodeRef::Comprehension(clause) if !clause.is_async => Some(&clause.iter),
        _ => None,
    }
}
