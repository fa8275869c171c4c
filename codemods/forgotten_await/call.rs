//! AF101 forgotten-await: a coroutine that nobody awaits never runs, and is not the value that the
//! code around it expects.

use asyncfix_analysis::answers::awaitable::{
    awaitability_of, called_at, is_plain_behind_signatures, is_synchronized, once_plain,
};
use asyncfix_analysis::answers::counter_evidence::{doubt, overridden_plainly};
use asyncfix_analysis::answers::decorators::runs_on_asyncio;
use asyncfix_analysis::answers::expected::is_expected;
use asyncfix_analysis::answers::locks;
use asyncfix_analysis::answers::uses::{
    Use, is_compared_with_awaitable, is_entered, is_forgotten, may_be_forgotten, use_of,
};
use asyncfix_analysis::candidate::Candidate;
use asyncfix_analysis::facts::key::{name_key, property_key};
use asyncfix_analysis::facts::spelling::Hints;
use asyncfix_analysis::index::reach::Sought;
use asyncfix_analysis::infer::types::Awaitability;
use asyncfix_knowledge::libraries::Library;
use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::{Obstacle, Owner, Site};
use ruff_python_ast::comparable::ComparableExpr;
use ruff_python_ast::helpers::{any_over_body, any_over_expr};
use ruff_python_ast::name::Name;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, ExprContext, NodeKind, Stmt};
use ruff_text_size::{Ranged, TextRange};

use super::background::cut_short;
use super::dispatched::{comes_from_unwrapping_call, is_told_to_decorator};
use super::late::Late;
use super::{entered, gathered, held, value};
use crate::codemod::Codemod;
use crate::file::File;
use crate::finding::{Finding, Remedy, Rewrite};
use crate::rule::{Rule, Stability};

/// The codemod of AF101.
pub struct ForgottenAwait;

static RULE: Rule = Rule {
    code: "AF101",
    name: "forgotten-await",
    finds: "a coroutine is not awaited",
    pitfall: "forgetting await",
    page: include_str!("AF101.md"),
    default: true,
    stability: Stability::Stable,
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
        &["async def", "await "]
    }

    fn asks_for_types(&self) -> bool {
        true
    }

    fn nodes(&self) -> &'static [NodeKind] {
        &[
            NodeKind::ExprCall,
            NodeKind::ExprAttribute,
            NodeKind::StmtExpr,
        ]
    }

    fn candidate(&self, hints: &Hints<'_>, site: &Site<'_, '_>) -> Candidate {
        let spellings = hints.spellings;
        let (key, sought) = match site.node {
            AnyNodeRef::ExprCall(call) => {
                let Some(name) = called_name(&call.func) else {
                    return Candidate::No;
                };
                if gathered::may_be_one(spellings, site, call) {
                    let is_asynchronous = site.is_asynchronous(spellings.await_at_top());
                    return Candidate::when(is_asynchronous);
                }
                (name_key(name), Sought::of_call(call))
            }
            AnyNodeRef::ExprAttribute(attribute) if attribute.ctx == ExprContext::Load => {
                let name = &attribute.attr;
                (property_key(name), Sought::Property(name_key(name)))
            }
            AnyNodeRef::StmtExpr(statement) => {
                return Candidate::when(value::is_candidate(site, statement));
            }
            _ => return Candidate::No,
        };
        if may_be_forgotten(spellings, site) && site.is_asynchronous(spellings.await_at_top()) {
            Candidate::If(key, sought)
        } else {
            Candidate::No
        }
    }

    fn check<'a>(&self, file: &File<'a, '_>, site: &Site<'_, 'a>) -> Option<Finding> {
        if let AnyNodeRef::StmtExpr(statement) = site.node {
            return value::check(file, site, statement, &RULE);
        }
        let surroundings = file.surroundings(site);
        if !file.is_async(surroundings.owner) || surroundings.obstacle == Some(Obstacle::Signature)
        {
            return None;
        }
        if is_synchronized(file) || is_expected(site) {
            return None;
        }
        if let AnyNodeRef::ExprCall(call) = site.node
            && let Some(found) = gathered::check(file, site, call, surroundings.owner, &RULE)
        {
            return Some(found);
        }
        let used = use_of(site);
        if !is_forgotten(file, site, surroundings.owner) || is_tried(file, site) {
            return None;
        }
        let called = called_at(file, site.node);
        let members: Vec<&ast::ExprAttribute> = match site.node {
            AnyNodeRef::ExprAttribute(property) => vec![property],
            _ => called
                .iter()
                .filter_map(|callee| callee.as_attribute_expr())
                .collect(),
        };
        let any_member = |holds: &dyn Fn(&ast::ExprAttribute) -> bool| {
            members.iter().any(|member| holds(member))
        };
        let ((awaitability, is_rebound), relied) = file.semantics.noting(|| {
            let awaitability = match site.node {
                AnyNodeRef::ExprCall(call) => awaitability_of(file, call),
                AnyNodeRef::ExprAttribute(attribute) => {
                    file.semantics.awaitability(attribute.into())
                }
                _ => Awaitability::Unknown,
            };
            let is_found = matches!(
                awaitability,
                Awaitability::Coroutine | Awaitability::Awaitable | Awaitability::Mixed
            );
            let is_rebound = is_found
                && any_member(&|method| file.semantics.is_rebound(&method.value, &method.attr));
            if is_found {
                for callee in &called {
                    file.semantics.note_way_to_callee(callee);
                }
                if let AnyNodeRef::ExprAttribute(property) = site.node {
                    file.semantics.note_way_to_member(property);
                }
            }
            (awaitability, is_rebound)
        });
        // What only starts when it is awaited is as good as a coroutine.
        let waits = match (site.node, used, awaitability) {
            (
                AnyNodeRef::ExprCall(call),
                Use::Dropped,
                Awaitability::No | Awaitability::Unknown,
            ) => file.semantics.waits_to_be_awaited(call),
            _ => false,
        };
        let awaitability = if waits {
            Awaitability::Coroutine
        } else {
            awaitability
        };
        let range = site.node.range();
        // A method that something else was put in the place of is no coroutine function any more.
        if is_rebound
            || is_compared_with_awaitable(file, site)
            || site
                .node
                .as_expr_attribute()
                .is_some_and(|attribute| held::is_held(file, site, attribute))
        {
            return None;
        }
        let message = match used {
            Use::Dropped if awaitability == Awaitability::Mixed => {
                "this may be a coroutine, which is never awaited and so never runs"
            }
            Use::Dropped if waits => "this does nothing unless it is awaited",
            Use::Dropped if awaitability == Awaitability::Awaitable => {
                "this is never awaited, and may never run"
            }
            Use::Dropped => "this coroutine is never awaited, so it never runs",
            _ => "missing `await`: this is a coroutine object, not its result",
        };
        let reason = match awaitability {
            Awaitability::Coroutine => None,
            // The methods of tasks and futures are there to be called.
            Awaitability::Awaitable
                if !matches!(used, Use::Bound(_))
                    && !matches!(site.parent(), Some(AnyNodeRef::ExprAttribute(_))) =>
            {
                Some("it may be a task or future, which runs without being awaited")
            }
            // As a value, it may well be the plain one.
            Awaitability::Mixed if used != Use::Dropped || is_told_apart(file, site) => {
                return None;
            }
            Awaitability::Mixed => {
                return Some(Finding::new(
                    &RULE,
                    range,
                    message.to_owned(),
                    Remedy::NotFixed("it may also be a value that is not awaitable".to_owned()),
                ));
            }
            _ => return None,
        };
        let is_entered = is_entered(file, site, surroundings.owner);
        if is_of_another_loop(file, surroundings.owner, &called)
            || is_entered
                && (!entered::is_nothing_else(file, site.node)
                    || doubt(file, site.node, &relied).is_some())
        {
            return None;
        }
        let once_plain = called.iter().find_map(|callee| once_plain(file, callee));
        if once_plain.as_ref().is_some_and(|once| once.is_so_here)
            || comes_from_unwrapping_call(file, site.node)
            || called
                .iter()
                .any(|callee| is_plain_behind_signatures(file, callee))
        {
            return None;
        }
        let once_plain = once_plain.map(|once| {
            format!(
                "this function is not async in older versions of `{}`",
                once.package
            )
        });
        let overridden = overridden_plainly(file, site.node);
        if overridden.is_some() && is_placeholder(file, site.node) {
            return None;
        }
        let late = Late::of(site);
        let outer = late.as_ref().map(|late| late.awaitability(file, site.node));
        let remedy = match surroundings.obstacle {
            _ if let Some(reason) = overridden => Remedy::NotFixed(reason),
            Some(obstacle) => Remedy::NotFixed(obstacle.reason().to_owned()),
            None if let Some(collection) =
                members.iter().find_map(|member| file.semantics.collection_of_others(&member.value)) =>
            {
                Remedy::NotFixed(format!(
                    "`{collection}` may also hold objects of another class"
                ))
            }
            None if let Some(collection) = table_with_others(file, &called) => {
                Remedy::NotFixed(format!(
                    "`{collection}` may also hold non-async functions"
                ))
            }
            None if any_member(&|method| file.semantics.may_have_plain(method)) => {
                Remedy::NotFixed(
                    "for one of the assigned values this method is not async"
                        .to_owned(),
                )
            }
            None if called.iter().any(|callee| file.semantics.may_be_plain(callee)) => Remedy::NotFixed(
                "one of the assigned values is a non-async function".to_owned(),
            ),
            None if let (Some(late), Some(Awaitability::Unknown)) = (&late, outer)
                && !late.fails() =>
            {
                Remedy::NotFixed(late.reason())
            }
            None if is_entered && let Some(reason) = entered::gives_plain(file, site) => {
                Remedy::NotFixed(reason)
            }
            None if called.iter().any(|callee| is_cached(file, callee)) => Remedy::NotFixed(
                "the cache returns the same coroutine again, and a coroutine can be awaited only once"
                    .to_owned(),
            ),
            None => match locks::allow_await(file, site, surroundings.owner) {
                Err(held) => Remedy::NotFixed(held),
                Ok(lock) => {
                    let edits = match &late {
                        Some(late)
                            if outer == Some(Awaitability::No)
                                || outer == Some(Awaitability::Unknown) && late.fails() =>
                        {
                            late.moved(file, site)
                        }
                        _ => file.await_edits(site, TextRange::empty(range.start()), ""),
                    };
                    Remedy::Rewrite(
                        Rewrite::safe("Add `await`", edits)
                            .unsafe_if(reason)
                            .unsafe_if(once_plain)
                            .unsafe_if(lock)
                            .unsafe_if(cut_short(file, surroundings.owner))
                            .unsafe_if(doubt(file, site.node, &relied)),
                    )
                }
            },
        };
        Some(Finding::new(&RULE, range, message.to_owned(), remedy))
    }
}

/// Whether a test that runs on asyncio calls what only trio can await: by an annotation that names the wrong class,
/// because to await it would never have worked.
fn is_of_another_loop(file: &File<'_, '_>, owner: Owner<'_>, called: &[&Expr]) -> bool {
    let Owner::Function(function) = owner else {
        return false;
    };
    let semantics = &file.semantics;
    runs_on_asyncio(function)
        && called.iter().any(|callee| {
            let module = semantics
                .function(callee)
                .and_then(|function| semantics.of_function(&function).module_name());
            module.is_some_and(|module| Library::of_import(&module) == Some(Library::Trio))
        })
}

/// Whether the method that is called does nothing itself, and no decorator or exception says that others
/// have to: what overrides it is what is meant.
fn is_placeholder(file: &File<'_, '_>, node: AnyNodeRef<'_>) -> bool {
    let AnyNodeRef::ExprCall(call) = node else {
        return false;
    };
    let semantics = &file.semantics;
    semantics.function(&call.func).is_some_and(|function| {
        function.node(semantics.db()).is_some_and(|node| {
            node.decorator_list.is_empty()
                && !function
                    .definition
                    .file(semantics.db())
                    .is_stub(semantics.db())
                && node.body.iter().all(|statement| match statement {
                    Stmt::Pass(_) => true,
                    Stmt::Expr(statement) => {
                        statement.value.is_string_literal_expr()
                            || statement.value.is_ellipsis_literal_expr()
                    }
                    _ => false,
                })
        })
    })
}

/// Whether the code knows which it is, where a value may be a coroutine or not: the file asks what
/// is a coroutine (function) somewhere, another branch awaits the same, or the method is that of the
/// superclass and no other. Judged by names, because being wrong here only means to hold back.
fn is_told_apart(file: &File<'_, '_>, site: &Site<'_, '_>) -> bool {
    let AnyNodeRef::ExprCall(call) = site.node else {
        return false;
    };
    let is_of_superclass = matches!(&*call.func, Expr::Attribute(method)
        if matches!(&*method.value, Expr::Call(inner) if last_name(&inner.func) == Some("super")));
    is_of_superclass
        || is_told_to_decorator(file, call)
        || file.source.contains("iscoroutine")
        || file.source.contains("isawaitable")
        || site.enclosing_in_function().any(|(node, _)| {
            matches!(node, AnyNodeRef::StmtIf(_)) && awaits_callee(node, &call.func)
        })
}

/// Whether there is an `await` of a call of `callee` in a statement.
fn awaits_callee(statement: AnyNodeRef<'_>, callee: &Expr) -> bool {
    struct Search<'c> {
        callee: ComparableExpr<'c>,
        is_found: bool,
    }
    impl<'a> SourceOrderVisitor<'a> for Search<'_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let AnyNodeRef::ExprAwait(awaited) = node
                && let Expr::Call(call) = &*awaited.value
            {
                self.is_found |= ComparableExpr::from(&*call.func) == self.callee;
            }
            TraversalSignal::Traverse
        }
    }
    let mut search = Search {
        callee: ComparableExpr::from(callee),
        is_found: false,
    };
    statement.visit_source_order(&mut search);
    search.is_found
}

/// The collection that something that is called was taken from by a key or an index, where something else may be
/// put into it.
fn table_with_others<'a>(file: &'a File<'_, '_>, called: &[&'a Expr]) -> Option<&'a Name> {
    let mut taken = called
        .iter()
        .filter(|callee| callee.is_subscript_expr() || callee.is_call_expr());
    taken.find_map(|callee| file.semantics.collection_of_others(callee))
}

/// What an `await` of something that cannot be awaited comes to, and what that is.
const FAILED_AWAITS: &[&str] = &[
    "builtins.TypeError",
    "builtins.AttributeError",
    "builtins.RuntimeError",
    "builtins.Exception",
    "builtins.BaseException",
];

/// Whether the code handles that the same expression cannot be awaited: `try: await x.close()`, and `x.close()` in the
/// handler.
fn is_tried<'a>(file: &File<'a, '_>, site: &Site<'_, 'a>) -> bool {
    let text = file.text(site.node);
    let mut around = site.ancestors.iter().rev();
    let Some(AnyNodeRef::ExceptHandlerExceptHandler(handler)) = around.find(|node| {
        matches!(
            node,
            AnyNodeRef::ExceptHandlerExceptHandler(_) | AnyNodeRef::StmtFunctionDef(_)
        )
    }) else {
        return false;
    };
    let Some(AnyNodeRef::StmtTry(statement)) = around.next() else {
        return false;
    };
    let is_same = |expr: &Expr| file.text(expr) == text;
    let kinds = match handler.type_.as_deref() {
        Some(Expr::Tuple(tuple)) => tuple.elts.as_slice(),
        Some(kind) => std::slice::from_ref(kind),
        None => &[],
    };
    // What else goes wrong is no reason to leave the `await` out.
    let sees_failed_await = kinds.is_empty()
        || kinds
            .iter()
            .any(|kind| file.semantics.means(kind, FAILED_AWAITS));
    sees_failed_await
        && any_over_body(
            &statement.body,
            |expr| matches!(expr, Expr::Await(awaited) if any_over_expr(&awaited.value, is_same)),
        )
}

/// Whether a cache stands before the function that is called.
fn is_cached(file: &File<'_, '_>, callee: &Expr) -> bool {
    let semantics = &file.semantics;
    let Some(function) = semantics.function(callee) else {
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

/// The name by which what is called may be known: of a function, of what holds it, or of what gives it.
fn called_name(callee: &Expr) -> Option<&str> {
    match callee {
        // `functools.partial(work, 1)()`
        Expr::Call(inner) if last_name(&inner.func) == Some("partial") => {
            inner.arguments.args.first().and_then(last_name)
        }
        Expr::Call(inner) => last_name(&inner.func),
        Expr::Subscript(held) => called_name(&held.value),
        callee => last_name(callee),
    }
}
