//! AF103 missing-async-with: what can only be entered asynchronously cannot be entered by a plain
//! `with` (Python language reference, 8.9.3).

use asyncfix_analysis::answers::awaitable::called_at;
use asyncfix_analysis::answers::counter_evidence::{
    may_be_put, overridden_plainly, said_otherwise,
};
use asyncfix_analysis::answers::expected::is_expected;
use asyncfix_analysis::answers::locks;
use asyncfix_analysis::candidate::Candidate;
use asyncfix_analysis::facts::key::{context_key, name_key};
use asyncfix_analysis::facts::spelling::Hints;
use asyncfix_analysis::index::reach::Sought;
use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::{Obstacle, Site};
use ruff_diagnostics::Edit;
use ruff_python_ast::{AnyNodeRef, Expr, NodeKind, WithItem};
use ruff_text_size::{Ranged, TextRange};

use crate::codemod::Codemod;
use crate::file::File;
use crate::finding::{Finding, Remedy, Rewrite};
use crate::rule::{Rule, Stability};

/// The codemod of AF103.
pub struct MissingAsyncWith;

static RULE: Rule = Rule {
    code: "AF103",
    name: "missing-async-with",
    finds: "`with` on an async context manager",
    pitfall: "forgetting await",
    page: include_str!("AF103.md"),
    default: true,
    stability: Stability::Stable,
    equivalents: &[],
};

impl Codemod for MissingAsyncWith {
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
        &[NodeKind::WithItem]
    }

    fn candidate(&self, hints: &Hints<'_>, site: &Site<'_, '_>) -> Candidate {
        let spellings = hints.spellings;
        let (AnyNodeRef::WithItem(item), Some(AnyNodeRef::StmtWith(with))) =
            (site.node, site.parent())
        else {
            return Candidate::No;
        };
        let manager = match &item.context_expr {
            Expr::Await(awaited) => &*awaited.value,
            manager => manager,
        };
        let name = match manager {
            Expr::Call(call) => last_name(&call.func),
            other => last_name(other),
        };
        match name {
            Some(name) if !with.is_async && site.is_asynchronous(spellings.await_at_top()) => {
                Candidate::If(context_key(name_key(name)), Sought::Manager)
            }
            _ => Candidate::No,
        }
    }

    fn check<'a>(&self, file: &File<'a, '_>, site: &Site<'_, 'a>) -> Option<Finding> {
        let AnyNodeRef::WithItem(item) = site.node else {
            return None;
        };
        let statement = site.outer()?;
        let AnyNodeRef::StmtWith(with) = statement.node else {
            return None;
        };
        let surroundings = file.surroundings(&statement);
        if !file.is_async(surroundings.owner)
            || surroundings.obstacle == Some(Obstacle::Signature)
            || is_expected(site)
        {
            return None;
        }
        let is_asynchronous = |manager: &Expr| {
            file.semantics
                .is_only_asynchronous(manager, "__aenter__", "__enter__")
        };
        // One finding for the statement, made at the first of them.
        let mut items = with.items.iter();
        let (first, relied) = file.semantics.noting(|| {
            let first = items.find(|item| is_asynchronous(&item.context_expr));
            if let Some(first) = first {
                file.semantics.note_way(&first.context_expr);
            }
            first
        });
        let first = first?;
        if first.range() != item.range() {
            return None;
        }
        let remedy = if let Some(obstacle) = surroundings.obstacle {
            Remedy::NotFixed(obstacle.reason().replace("await", "async with"))
        } else if !with.items.iter().enumerate().all(|(index, item)| {
            is_asynchronous(&item.context_expr)
                || is_of_earlier(file, with.items.get(..index).unwrap_or_default(), item)
        }) {
            Remedy::NotFixed(
                "this `with` also has non-async context managers; write a separate `with` for them"
                    .to_owned(),
            )
        } else {
            match locks::allow_await(file, &statement, surroundings.owner) {
                Err(held) => Remedy::NotFixed(held),
                Ok(lock) => {
                    let edit = Edit::insertion("async ".to_owned(), with.start());
                    let mut managers = with.items.iter().map(|item| &item.context_expr);
                    let another = managers.find_map(|manager| another_manager(file, manager));
                    Remedy::Rewrite(
                        Rewrite::safe("Use `async with`", vec![edit])
                            .unsafe_if(lock)
                            .unsafe_if(said_otherwise(file, &relied).or(another)),
                    )
                }
            }
        };
        let end = with.items.last().map_or(item.end(), Ranged::end);
        Some(Finding::new(
            &RULE,
            TextRange::new(with.start(), end),
            "this is an async context manager: use `async with`".to_owned(),
            remedy,
        ))
    }
}

/// Why a call may give another context manager: the object may be of a subclass that has a plain method in the place
/// of an asynchronous one, or something else may be put there.
fn another_manager(file: &File<'_, '_>, manager: &Expr) -> Option<String> {
    let semantics = &file.semantics;
    let managers = std::iter::once(manager).chain(semantics.values_behind(manager));
    let mut calls = managers.filter_map(Expr::as_call_expr);
    calls.find_map(|call| {
        let called = called_at(file, call.into());
        let is_asynchronous = called.iter().any(|callee| {
            let function = semantics.function(callee);
            let node = function
                .as_ref()
                .and_then(|function| function.node(semantics.db()));
            node.is_some_and(|node| node.is_async)
        });
        is_asynchronous
            .then(|| overridden_plainly(file, call.into()))
            .flatten()
            .or_else(|| may_be_put(file, call.into()))
    })
}

/// Whether an item is made by a method of what an earlier item of the same statement gives, as in
/// `with ClientSession() as session, session.get(url) as response`.
fn is_of_earlier(file: &File<'_, '_>, earlier: &[WithItem], item: &WithItem) -> bool {
    let Expr::Call(call) = &item.context_expr else {
        return false;
    };
    let Expr::Attribute(method) = &*call.func else {
        return false;
    };
    let Expr::Name(receiver) = &*method.value else {
        return false;
    };
    earlier.iter().rev().any(|item| {
        matches!(item.optional_vars.as_deref(), Some(Expr::Name(target)) if target.id == receiver.id)
            && file
                .semantics
                .gives_only_asynchronous_manager(&item.context_expr, &method.attr)
    })
}
