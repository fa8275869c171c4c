//! A coroutine, task or future that stands alone as a statement, without a call: `future`.

use asyncfix_analysis::answers::expected::is_expected;
use asyncfix_analysis::answers::locks;
use asyncfix_analysis::infer::types::Awaitability;
use asyncfix_syntax::site::{Owner, Site};
use ruff_python_ast::helpers::any_over_body;
use ruff_python_ast::{self as ast, AnyNodeRef, Expr};
use ruff_text_size::{Ranged, TextRange};

use crate::file::File;
use crate::finding::{Finding, Remedy, Rewrite};
use crate::rule::Rule;

/// Whether the value of a statement at `site` may be one that was meant to be awaited, judged by the tree
/// alone.
pub(super) fn is_candidate(site: &Site<'_, '_>, statement: &ast::StmtExpr) -> bool {
    // At the top level of a notebook, what stands alone is shown.
    matches!(
        &*statement.value,
        Expr::Name(_) | Expr::Attribute(_) | Expr::Subscript(_)
    ) && site.is_asynchronous(false)
}

/// Whether a value may stand there to find out whether it is there: `try: self.tasks[key]`.
fn is_tried(file: &File<'_, '_>, site: &Site<'_, '_>, value: &Expr) -> bool {
    let suppresses = |with: &ast::StmtWith| {
        with.items.iter().any(|item| {
            matches!(&item.context_expr, Expr::Call(call)
                if file.semantics.means(&call.func, &["contextlib.suppress"]))
        })
    };
    let mut around = site.enclosing_in_function();
    !value.is_name_expr()
        && (is_expected(site)
            || around.any(|(node, _)| match node {
                AnyNodeRef::StmtTry(_) => true,
                AnyNodeRef::StmtWith(with) => suppresses(with),
                _ => false,
            }))
}

/// The finding at a statement that is a value which could be awaited.
pub(super) fn check<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    statement: &ast::StmtExpr,
    rule: &'static Rule,
) -> Option<Finding> {
    let surroundings = file.surroundings(site);
    let Owner::Function(function) = surroundings.owner else {
        return None;
    };
    if !function.is_async {
        return None;
    }
    let value = &*statement.value;
    if is_tried(file, site, value) {
        return None;
    }
    let awaitability = file.semantics.awaitability(value.into());
    let (what, reason) = match (awaitability, value) {
        // A property that gives a coroutine is another mistake.
        (Awaitability::Running, _) => (
            "task or future",
            "it runs without being awaited; waiting for it may not be intended",
        ),
        (Awaitability::Coroutine, Expr::Name(_) | Expr::Subscript(_)) => {
            ("coroutine", "it may be awaited elsewhere")
        }
        (Awaitability::Awaitable, Expr::Name(_) | Expr::Subscript(_)) => (
            "awaitable",
            "it may be a task, which runs without being awaited",
        ),
        _ => return None,
    };
    let range = value.range();
    let remedy = match surroundings.obstacle {
        Some(obstacle) => Remedy::NotFixed(obstacle.reason().to_owned()),
        None if awaitability != Awaitability::Running && is_used_again(function, value) => {
            Remedy::NotFixed(
                "it is used more than once in this function, and a coroutine can be awaited only once"
                    .to_owned(),
            )
        }
        None => match locks::allow_await(file, site, surroundings.owner) {
            Err(held) => Remedy::NotFixed(held),
            Ok(lock) => {
                let at = TextRange::empty(site.node.start());
                Remedy::Rewrite(
                    Rewrite::safe("Add `await`", file.await_edits(site, at, ""))
                        .unsafe_if(Some(reason))
                        .unsafe_if(lock),
                )
            }
        },
    };
    Some(Finding::new(
        rule,
        range,
        format!("this statement does nothing: the {what} is not awaited"),
        remedy,
    ))
}

/// Whether a variable is read elsewhere in a function.
fn is_used_again(function: &ast::StmtFunctionDef, value: &Expr) -> bool {
    let Expr::Name(name) = value else {
        return false;
    };
    any_over_body(&function.body, |expr| {
        matches!(expr, Expr::Name(other)
            if other.id == name.id && other.ctx.is_load() && other.range() != name.range())
    })
}
