//! AF101 forgotten-await: a coroutine that nobody awaits never runs, and is not the value that the
//! code around it expects.

use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, ExprContext};
use ruff_text_size::{Ranged, TextRange};

use super::uses::{PLAIN_VALUES, Use, takes_plain_values, use_of};
use crate::file::File;
use crate::finding::{Finding, Remedy, Rewrite};
use crate::outline::last_name;
use crate::project::{Import, for_each_import};
use crate::rule::Rule;
use crate::semantics::Awaitability;
use crate::site::{Obstacle, Owner, Site};
use crate::spelling::Spellings;
use crate::support::locks;
use crate::symbol::{name_key, property_key};
use crate::{Candidate, Codemod};

/// The codemod of AF101.
pub struct ForgottenAwait;

static RULE: Rule = Rule {
    code: "AF101",
    name: "forgotten-await",
    pitfall: "forgetting await",
    page: include_str!("AF101.md"),
    default: true,
    equivalents: &[
        "unused-coroutine",
        "unused-awaitable",
        "reportUnusedCoroutine",
    ],
};

impl Codemod for ForgottenAwait {
    fn rule(&self) -> &'static Rule {
        &RULE
    }

    fn words(&self) -> &'static [&'static str] {
        &["async def"]
    }

    fn asks_for_types(&self) -> bool {
        true
    }

    fn candidate(&self, _spellings: &Spellings, site: &Site<'_, '_>) -> Candidate {
        let key = match site.node {
            AnyNodeRef::ExprCall(call) => {
                let name = match &*call.func {
                    // `functools.partial(work, 1)()`
                    Expr::Call(inner) => inner.arguments.args.first().and_then(last_name),
                    callee => last_name(callee),
                };
                match name {
                    Some(name) => name_key(name),
                    None => return Candidate::No,
                }
            }
            AnyNodeRef::ExprAttribute(attribute) if attribute.ctx == ExprContext::Load => {
                property_key(&attribute.attr)
            }
            _ => return Candidate::No,
        };
        if use_of(site) == Use::Other {
            return Candidate::No;
        }
        let in_async_function = site
            .ancestors
            .iter()
            .rev()
            .find_map(|node| match node {
                AnyNodeRef::StmtFunctionDef(function) => Some(function.is_async),
                AnyNodeRef::ExprLambda(_) => Some(false),
                _ => None,
            })
            .unwrap_or(false);
        if in_async_function {
            Candidate::IfAwaitable(key)
        } else {
            Candidate::No
        }
    }

    fn check<'a>(&self, file: &File<'a, '_>, site: &Site<'_, 'a>) -> Option<Finding> {
        let surroundings = file.surroundings(site);
        let Owner::Function(function) = surroundings.owner else {
            return None;
        };
        if !function.is_async || surroundings.obstacle == Some(Obstacle::Signature) {
            return None;
        }
        let used = use_of(site);
        let forgotten = match used {
            Use::Other => false,
            Use::Dropped | Use::Plain => true,
            Use::Argument(taker) => takes_plain_values(file, taker),
            // `_ = work()` says that it is meant.
            Use::Bound(name) => name.id != "_" && is_used_as_plain_value(file, function, name),
        };
        if !forgotten || is_synchronized(file) || is_expected(site) {
            return None;
        }
        let (awaitability, method) = match site.node {
            AnyNodeRef::ExprCall(call) => {
                (awaitability_of(file, call), call.func.as_attribute_expr())
            }
            AnyNodeRef::ExprAttribute(attribute) => {
                let awaitability = file.semantics.awaitability(attribute.into());
                (awaitability, Some(attribute))
            }
            _ => return None,
        };
        let range = site.node.range();
        // A method that something else was put in the place of is no coroutine function any more.
        let is_found = matches!(
            awaitability,
            Awaitability::Coroutine | Awaitability::Awaitable | Awaitability::Mixed
        );
        if is_found
            && let Some(method) = method
            && file.semantics.is_rebound(&method.value, &method.attr)
        {
            return None;
        }
        let message = match used {
            Use::Dropped => "this coroutine is never awaited, so it never runs",
            _ => "this is a coroutine, not the value that awaiting it gives",
        };
        let reason = match awaitability {
            Awaitability::Coroutine => None,
            // The methods of tasks and futures are there to be called.
            Awaitability::Awaitable
                if !matches!(used, Use::Bound(_))
                    && !matches!(site.parent(), Some(AnyNodeRef::ExprAttribute(_))) =>
            {
                Some("it may be a task or future, which runs by itself")
            }
            Awaitability::Mixed if is_told_apart(file, site.node) => return None,
            Awaitability::Mixed => {
                return Some(Finding {
                    rule: &RULE,
                    range,
                    message: message.to_owned(),
                    remedy: Remedy::NotFixed(
                        "it may also be something that cannot be awaited".to_owned(),
                    ),
                });
            }
            _ => return None,
        };
        let remedy = match surroundings.obstacle {
            _ if method.is_some_and(|method| is_overridden_plainly(file, method)) => {
                Remedy::NotFixed(
                    "a class in sight overrides the method with a plain one".to_owned(),
                )
            }
            Some(obstacle) => Remedy::NotFixed(obstacle.reason().to_owned()),
            None if is_cached(file, site.node) => Remedy::NotFixed(
                "a cache hands out the same coroutine again, which can be awaited only once"
                    .to_owned(),
            ),
            None => match locks::allow_await(file, site, surroundings.owner) {
                Err(held) => Remedy::NotFixed(held),
                Ok(lock) => {
                    let at = TextRange::empty(range.start());
                    Remedy::Rewrite(
                        Rewrite::safe("Await it", file.await_edits(site, at, ""))
                            .unsafe_if(reason)
                            .unsafe_if(lock),
                    )
                }
            },
        };
        Some(Finding {
            rule: &RULE,
            range,
            message: message.to_owned(),
            remedy,
        })
    }
}

/// Whether the code is there to see what happens without an `await`: in a `with` that expects an
/// exception or a warning. Judged by names, because being wrong here only means to hold back.
fn is_expected(site: &Site<'_, '_>) -> bool {
    site.enclosing_in_function().any(|(node, _)| {
        let AnyNodeRef::StmtWith(with) = node else {
            return false;
        };
        with.items.iter().any(|item| {
            let Expr::Call(call) = &item.context_expr else {
                return false;
            };
            let name = match &*call.func {
                Expr::Name(name) => name.id.as_str(),
                Expr::Attribute(attribute) => attribute.attr.as_str(),
                _ => return false,
            };
            matches!(
                name,
                "raises"
                    | "warns"
                    | "deprecated_call"
                    | "catch_warnings"
                    | "assertRaises"
                    | "assertRaisesRegex"
                    | "assertWarns"
                    | "assertWarnsRegex"
            )
        })
    })
}

/// Whether the callee is a method that a class in sight overrides with one that is no coroutine
/// function: the object may be of that class.
fn is_overridden_plainly(file: &File<'_, '_>, method: &ast::ExprAttribute) -> bool {
    file.semantics
        .class_name_of(&method.value)
        .is_some_and(|class| {
            let outlines = &file.project.outlines;
            outlines.is_overridden_plainly(&class, &method.attr)
        })
}

/// Whether the code knows which it is, where a value may be a coroutine or not: the file asks what
/// is a coroutine (function) somewhere, or the method is that of the superclass and no other.
/// Judged by names, because being wrong here only means to hold back.
fn is_told_apart(file: &File<'_, '_>, node: AnyNodeRef<'_>) -> bool {
    let of_superclass = || {
        let AnyNodeRef::ExprCall(call) = node else {
            return false;
        };
        let Expr::Attribute(method) = &*call.func else {
            return false;
        };
        matches!(&*method.value, Expr::Call(inner)
            if last_name(&inner.func) == Some("super"))
    };
    file.source.contains("iscoroutine") || file.source.contains("isawaitable") || of_superclass()
}

/// Whether a cache stands before the function that is called.
fn is_cached(file: &File<'_, '_>, node: AnyNodeRef<'_>) -> bool {
    let AnyNodeRef::ExprCall(call) = node else {
        return false;
    };
    let semantics = &file.semantics;
    let Some(function) = semantics.function(&call.func) else {
        return false;
    };
    let own = semantics.of_function(&function);
    function.node(semantics.db()).is_some_and(|node| {
        node.decorator_list.iter().any(|decorator| {
            let decorator = match &decorator.expression {
                Expr::Call(call) => &*call.func,
                other => other,
            };
            own.means(decorator, &["functools.lru_cache", "functools.cache"])
        })
    })
}

/// What awaiting the value of a call would mean: from what is in sight, else from types, else from
/// what the function that is called returns.
fn awaitability_of(file: &File<'_, '_>, call: &ast::ExprCall) -> Awaitability {
    let semantics = &file.semantics;
    if let Some(known) = semantics.awaitability_in_sight(call) {
        return known;
    }
    match semantics.awaitability(call.into()) {
        Awaitability::Unknown => semantics.awaitability_of_body(call),
        known => known,
    }
}

/// Whether no use of the local `name` could ever await what is bound to it: there is none, or each
/// uses it as a plain value.
fn is_used_as_plain_value(
    file: &File<'_, '_>,
    function: &ast::StmtFunctionDef,
    name: &ast::ExprName,
) -> bool {
    let Some(scope) = file.semantics.function_scope(function) else {
        return false;
    };
    if file.semantics.is_shared(&name.id, scope) {
        return false;
    }
    let mut uses = UsesOfName {
        file,
        name: &name.id,
        binding: name.range(),
        ancestors: Vec::new(),
        all_plain: true,
    };
    uses.visit_body(&function.body);
    uses.all_plain
}

struct UsesOfName<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    name: &'f str,
    binding: TextRange,
    ancestors: Vec<AnyNodeRef<'f>>,
    all_plain: bool,
}

impl<'f> SourceOrderVisitor<'f> for UsesOfName<'f, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'f>) -> TraversalSignal {
        // Code that reaches its names as text, or takes them away, is not looked through.
        if let AnyNodeRef::ExprName(name) = node
            && (matches!(name.id.as_str(), "locals" | "vars" | "exec" | "eval")
                || name.ctx == ExprContext::Del && name.id == self.name)
        {
            self.all_plain = false;
        }
        if let AnyNodeRef::ExprName(name) = node
            && name.ctx == ExprContext::Load
            && name.id == self.name
        {
            let semantics = &self.file.semantics;
            let may_be_it = semantics.bindings(name).is_none_or(|definitions| {
                definitions.iter().any(|definition| {
                    semantics
                        .definition_range(*definition)
                        .is_none_or(|range| range.contains_range(self.binding))
                })
            });
            let site = Site {
                ancestors: &self.ancestors,
                node,
            };
            let plain = match use_of(&site) {
                Use::Plain => true,
                Use::Argument(call) => takes_plain_values(self.file, call),
                _ => false,
            };
            self.all_plain &= plain || !may_be_it;
        }
        self.ancestors.push(node);
        TraversalSignal::Traverse
    }

    fn leave_node(&mut self, _node: AnyNodeRef<'f>) {
        self.ancestors.pop();
    }
}

/// Whether an import makes the coroutine functions of a package plain ones for the whole file.
fn is_synchronized(file: &File<'_, '_>) -> bool {
    let is_one = |path: &str| {
        PLAIN_VALUES
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
