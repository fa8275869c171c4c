//! AF602 manual-lock: a lock that is taken and released by hand.

use asyncfix_analysis::candidate::Candidate;
use asyncfix_analysis::facts::spelling::Hints;
use asyncfix_analysis::infer::types::ClassOf;
use asyncfix_knowledge::libraries::Library;
use asyncfix_syntax::site::{Owner, Site};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, NodeKind};
use ruff_text_size::Ranged;

use crate::codemod::Codemod;
use crate::context_managers::held_lock::{Held, Manual};
use crate::file::File;
use crate::finding::Finding;
use crate::rule::{Rule, Stability};

/// The codemod of AF602.
pub struct ManualLock;

static RULE: Rule = Rule {
    code: "AF602",
    name: "manual-lock",
    finds: "`acquire`/`release` instead of `async with`",
    pitfall: "not using context managers",
    page: include_str!("AF602.md"),
    default: true,
    stability: Stability::Stable,
    equivalents: &[],
};

/// The classes whose `async with` is `acquire` and `release`.
const LOCKS: &[&str] = &[
    "asyncio.Lock",
    "asyncio.Semaphore",
    "asyncio.BoundedSemaphore",
    "asyncio.Condition",
];

impl Codemod for ManualLock {
    fn rule(&self) -> &'static Rule {
        &RULE
    }

    fn words(&self) -> &'static [&'static str] {
        &[".acquire"]
    }

    fn asks_for_types(&self) -> bool {
        true
    }

    fn nodes(&self) -> &'static [NodeKind] {
        &[NodeKind::ExprAwait, NodeKind::ExprCall]
    }

    fn candidate(&self, _hints: &Hints<'_>, site: &Site<'_, '_>) -> Candidate {
        let is_statement = matches!(site.parent(), Some(AnyNodeRef::StmtExpr(_)));
        let lock = match site.node {
            // It may get its `await` first.
            AnyNodeRef::ExprCall(call) => receiver_of_call(call, "acquire"),
            node => acquired(node),
        };
        Candidate::when(is_statement && lock.is_some_and(is_stable))
    }

    fn check<'a>(&self, file: &File<'a, '_>, site: &Site<'_, 'a>) -> Option<Finding> {
        let lock = acquired(site.node)?;
        let surroundings = file.surroundings(site);
        let Owner::Function(function) = surroundings.owner else {
            return None;
        };
        // An `await` in a plain function is another rule's business, and one in a class body is not Python.
        if !function.is_async
            || surroundings.obstacle.is_some()
            || file.text(lock).contains(['\n', '\r'])
            || !matches!(file.library(), None | Some(Library::Asyncio))
        {
            return None;
        }
        let manual = Manual {
            file,
            lock,
            function,
            place: site.place()?,
        };
        // The shape first: asking for a type is what costs.
        let (held, remedy) = manual.remedy()?;
        if !is_lock(file, lock) {
            return None;
        }
        Some(Finding::new(
            &RULE,
            site.node.range(),
            match held {
                Held::ByHand => format!(
                    "`{}` is locked and released manually; use `async with`",
                    file.text(lock)
                ),
                Held::Unsafely => format!(
                    "`{}` stays locked if an exception or cancellation happens before `release()`",
                    file.text(lock)
                ),
            },
            remedy,
        ))
    }
}

/// The lock that `await lock.acquire()` takes.
fn acquired(node: AnyNodeRef<'_>) -> Option<&Expr> {
    match node {
        AnyNodeRef::ExprAwait(awaited) => receiver_of(&awaited.value, "acquire"),
        _ => None,
    }
}

/// The receiver of a call of `method` without arguments.
pub(super) fn receiver_of<'a>(expr: &'a Expr, method: &str) -> Option<&'a Expr> {
    match expr {
        Expr::Call(call) => receiver_of_call(call, method),
        _ => None,
    }
}

fn receiver_of_call<'a>(call: &'a ast::ExprCall, method: &str) -> Option<&'a Expr> {
    match &*call.func {
        Expr::Attribute(attribute)
            if attribute.attr.as_str() == method && call.arguments.is_empty() =>
        {
            Some(&attribute.value)
        }
        _ => None,
    }
}

/// Whether an expression means the same object each time, unless something is assigned to it.
fn is_stable(expr: &Expr) -> bool {
    match expr {
        Expr::Name(_) => true,
        Expr::Attribute(attribute) => is_stable(&attribute.value),
        Expr::Subscript(subscript) => {
            is_stable(&subscript.value)
                && (is_stable(&subscript.slice) || subscript.slice.is_literal_expr())
        }
        _ => false,
    }
}

/// Whether the value is a lock of asyncio, by its type, or by all that its class assigns to it.
fn is_lock(file: &File<'_, '_>, expr: &Expr) -> bool {
    match file.semantics.class_of(expr) {
        ClassOf::Known(path) => path
            .strip_prefix("asyncio.locks.")
            .is_some_and(|name| LOCKS.iter().any(|lock| lock.ends_with(&format!(".{name}")))),
        ClassOf::Other => false,
        ClassOf::Unknown => {
            let Expr::Attribute(attribute) = expr else {
                return false;
            };
            let values = file.semantics.attribute_values(attribute);
            !values.is_empty()
                && values.into_iter().all(|value| {
                    value.is_none_literal_expr()
                        || matches!(value, Expr::Call(call)
                            if file.semantics.means(&call.func, LOCKS))
                })
        }
    }
}
