//! Where the awaitables of an expression go.

use asyncfix_syntax::site::Site;
use ruff_python_ast::{self as ast, AnyNodeRef, Expr};
use ruff_text_size::Ranged;

use crate::concurrency::fan_out::{AS_COMPLETED, GATHER, Means, WAIT};
use crate::concurrency::lists::ListName;

const COLLECTIONS: &[&str] = &["builtins.list", "builtins.set", "builtins.tuple"];

/// Where the awaitables of an expression go.
pub(super) enum Holder<'a> {
    /// To the call that runs them.
    Taker(&'a ast::ExprCall),
    /// To a list of this name that holds nothing else.
    List(ListName<'a>),
    /// To a list of this name that is there already.
    More(ListName<'a>),
}

impl<'a> Holder<'a> {
    pub(super) fn of(site: &Site<'_, 'a>, means: Means<'_>) -> Option<Self> {
        let mut site = *site;
        let mut is_starred = false;
        loop {
            let range = site.node.range();
            let is_it = |expr: &Expr| expr.range() == range;
            match site.parent()? {
                AnyNodeRef::ExprStarred(_) => {
                    is_starred = true;
                    site = site.outer()?;
                }
                AnyNodeRef::Arguments(_) => {
                    site = site.outer()?;
                    let Some(AnyNodeRef::ExprCall(call)) = site.parent() else {
                        return None;
                    };
                    let is_first = call.arguments.args.first().is_some_and(is_it);
                    if is_starred {
                        return means(&call.func, &GATHER).then_some(Self::Taker(call));
                    }
                    if !is_first {
                        return None;
                    }
                    if means(&call.func, WAIT) || means(&call.func, AS_COMPLETED) {
                        return Some(Self::Taker(call));
                    }
                    if let Expr::Attribute(method) = &*call.func
                        && matches!(method.attr.as_str(), "extend" | "update")
                        && let Some(list) = ListName::of(&method.value)
                    {
                        return Some(Self::More(list));
                    }
                    if !means(&call.func, COLLECTIONS) {
                        return None;
                    }
                    site = site.outer()?;
                }
                AnyNodeRef::StmtAssign(assign) if !is_starred => {
                    return match assign.targets.as_slice() {
                        [list] => ListName::of(list).map(Self::List),
                        _ => None,
                    };
                }
                AnyNodeRef::StmtAugAssign(assign) if !is_starred => {
                    return ListName::of(&assign.target).map(Self::More);
                }
                AnyNodeRef::StmtAnnAssign(ast::StmtAnnAssign { target, .. })
                | AnyNodeRef::ExprNamed(ast::ExprNamed { target, .. })
                    if !is_starred =>
                {
                    return ListName::of(target).map(Self::List);
                }
                _ => return None,
            }
        }
    }
}
