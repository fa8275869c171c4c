//! Plain functions that run an event loop and are called where one is running already: what they call is in sight.

use asyncfix_analysis::answers::locks;
use asyncfix_analysis::answers::runners::{Runner, runner};
use asyncfix_analysis::facts::loops::leaves_before;
use asyncfix_analysis::facts::spelling::Hints;
use asyncfix_analysis::limits::{LOOP_RUNNERS, Limit};
use asyncfix_analysis::resolve::definitions::Function;
use asyncfix_analysis::resolve::semantics::Semantics;
use asyncfix_syntax::lines::one_line;
use asyncfix_syntax::queries::{last_name, own_calls, yields};
use asyncfix_syntax::site::{Owner, Site};
use ruff_diagnostics::Edit;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, PythonVersion, Stmt};
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::memory::Memory;
use super::run_in_loop::inside_loop;
use crate::edit::imports;
use crate::file::File;
use crate::finding::{Finding, Remedy, Rewrite};
use crate::rule::Rule;

/// What asks whether a loop is running, or makes loops run inside others, by the last names.
const ASKING: [&str; 8] = [
    "apply",
    "get_running_loop",
    "_get_running_loop",
    "is_running",
    "iscoroutine",
    "isawaitable",
    "run_coroutine_threadsafe",
    "current_async_library",
];

/// Classes of loops.
const LOOPS: [&str; 2] = ["asyncio.SelectorEventLoop", "asyncio.ProactorEventLoop"];

/// Whether a call may be one of a function of this file that runs a loop, judged by the tree alone.
pub(super) fn may_be_one(hints: &Hints<'_>, site: &Site<'_, '_>, call: &ast::ExprCall) -> bool {
    let (Some(name), Some(AnyNodeRef::ModModule(module))) =
        (last_name(&call.func), site.ancestors.first())
    else {
        return false;
    };
    !matches!(site.parent(), Some(AnyNodeRef::ExprAwait(_))) && hints.may_run_loop(module, name)
}

/// The finding at a call of a plain function that runs an event loop.
pub(super) fn check<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    call: &'a ast::ExprCall,
    rule: &'static Rule,
) -> Option<Finding> {
    let surroundings = inside_loop(file, site)?;
    let chain = chain(&file.conversions, &file.semantics, call, LOOP_RUNNERS)?;
    let owner = match surroundings.owner {
        Owner::Function(function) => Some(function.name.to_string()),
        _ => None,
    };
    let shown: Vec<String> = owner
        .into_iter()
        .chain(chain.names.iter().cloned())
        .map(|name| format!("`{name}`"))
        .collect();
    let remedy = match surroundings.obstacle {
        Some(obstacle) => Remedy::NotFixed(obstacle.reason().to_owned()),
        None if chain.which == Which::OfThread => Remedy::NotFixed(
            "it uses the loop of the main thread; await the coroutine instead".to_owned(),
        ),
        None => match in_thread(file, site, call, surroundings.owner) {
            Ok(rewrite) => Remedy::Rewrite(
                rewrite
                    .unsafe_if((!chain.is_certain).then_some(
                        "it runs an event loop under a condition, which may not hold here",
                    ))
                    .unsafe_if(
                        (chain.which == Which::Other)
                            .then_some("the loop that it runs may be running here already"),
                    ),
            ),
            Err(reason) => Remedy::NotFixed(reason),
        },
    };
    Some(Finding::new(
        rule,
        call.range(),
        format!(
            "`{}` runs an event loop, and one is already running here: {}",
            one_line(file.text(&*call.func)),
            shown.join(" → "),
        ),
        remedy,
    ))
}

/// The functions on the way to what runs a loop.
#[derive(Clone)]
pub(super) struct Chain {
    names: Vec<String>,
    /// Whether it is always reached.
    is_certain: bool,
    which: Which,
}

/// Which loop a function runs. Of several, the last one counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Which {
    /// One that it makes.
    New,
    /// One from somewhere else.
    Other,
    /// The one of the thread: only the main one has it.
    OfThread,
}

/// The way from a call to what runs a loop.
fn chain<'db>(
    memory: &Memory<'db>,
    semantics: &Semantics<'db>,
    call: &ast::ExprCall,
    depth: Limit,
) -> Option<Chain> {
    let depth = depth.less()?;
    let function = semantics.function_in_sight(&call.func)?;
    let key = (function.definition(), depth);
    if let Some(known) = memory.chains.borrow().get(&key) {
        return known.clone();
    }
    let found = chain_of(memory, semantics, &function, depth);
    memory.chains.borrow_mut().insert(key, found.clone());
    found
}

fn chain_of<'db>(
    memory: &Memory<'db>,
    semantics: &Semantics<'db>,
    function: &Function<'db>,
    depth: Limit,
) -> Option<Chain> {
    let node = function.node(semantics.db())?;
    if node.is_async || yields(node) || !node.decorator_list.is_empty() || asks(&node.body) {
        return None;
    }
    let own = semantics.of_function(function);
    let mut search = Runs {
        memory,
        own: &own,
        body: &node.body,
        depth,
        branches: 0,
        found: None,
    };
    search.visit_body(&node.body);
    let mut found = search.found?;
    found.names.insert(0, node.name.to_string());
    Some(found)
}

/// Which loop `call` runs, in a function with this body.
fn which_loop(own: &Semantics<'_>, body: &[Stmt], call: &ast::ExprCall) -> Which {
    let Expr::Attribute(method) = &*call.func else {
        return Which::New;
    };
    if method.attr.as_str() != "run_until_complete" {
        return Which::New;
    }
    let receiver = &*method.value;
    let mut values = own.values_behind(receiver);
    match receiver {
        Expr::Attribute(attribute) => values.extend(own.attribute_values(attribute)),
        Expr::Call(_) => values.push(receiver),
        _ => {}
    }
    let is_here = |value: &Expr| {
        let mut statements = body.iter();
        statements.any(|statement| statement.range().contains_range(value.range()))
    };
    // A loop that the function has given to its thread.
    let is_given = |value: &Expr| {
        is_here(value)
            && own_calls(body).iter().any(|call| {
                call.end() <= value.start() && own.means(&call.func, &["asyncio.set_event_loop"])
            })
    };
    let which = values.into_iter().map(|value| {
        if is_of_thread(own, value) {
            if is_given(value) {
                Which::New
            } else {
                Which::OfThread
            }
        } else if is_here(value) && is_new(own, value) {
            Which::New
        } else {
            Which::Other
        }
    });
    which.max().unwrap_or(Which::Other)
}

/// Whether a value is a loop that is made for it.
fn is_new(semantics: &Semantics<'_>, value: &Expr) -> bool {
    matches!(value, Expr::Call(call)
        if last_name(&call.func) == Some("new_event_loop")
            || semantics.means(&call.func, &LOOPS))
}

/// Whether a value is the loop of the thread, also by way of a function that gives it and knows of no other.
fn is_of_thread(semantics: &Semantics<'_>, value: &Expr) -> bool {
    let Expr::Call(call) = value else {
        return false;
    };
    let db = semantics.db();
    let function = semantics
        .function_in_sight(&call.func)
        .filter(|function| !function.definition().file(db).is_stub(db));
    let gives = |call: &ast::ExprCall| last_name(&call.func) == Some("get_event_loop");
    match function.as_ref().and_then(|function| function.node(db)) {
        Some(node) => own_calls(&node.body).into_iter().any(gives) && !asks(&node.body),
        None => gives(call),
    }
}

/// Whether code asks whether a loop is running, or handles that one is.
fn asks(body: &[Stmt]) -> bool {
    struct Search(bool);
    impl<'a> SourceOrderVisitor<'a> for Search {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.0 |= match node {
                AnyNodeRef::ExprCall(call) => {
                    last_name(&call.func).is_some_and(|name| ASKING.contains(&name))
                }
                AnyNodeRef::ExceptHandlerExceptHandler(handler) => {
                    handler.type_.as_deref().is_none_or(|class| {
                        matches!(
                            last_name(class),
                            Some("RuntimeError" | "Exception" | "BaseException")
                        ) || class.is_tuple_expr()
                    })
                }
                _ => false,
            };
            TraversalSignal::Traverse
        }
    }
    let mut search = Search(false);
    search.visit_body(body);
    search.0
}

/// Looks for the first call that runs a loop.
struct Runs<'s, 'db> {
    memory: &'s Memory<'db>,
    own: &'s Semantics<'db>,
    /// The code of the function.
    body: &'s [Stmt],
    depth: Limit,
    /// How many statements are around that may not run what is in them.
    branches: usize,
    found: Option<Chain>,
}

impl<'a> SourceOrderVisitor<'a> for Runs<'_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtFunctionDef(_)
            | AnyNodeRef::StmtClassDef(_)
            | AnyNodeRef::ExprLambda(_) => return TraversalSignal::Skip,
            AnyNodeRef::ExprCall(call) if self.found.is_none() => {
                let found = match runner(self.own, call) {
                    Some(Runner::OfCoroutine) => Some(Chain {
                        names: vec![spelled(&call.func)],
                        is_certain: true,
                        which: which_loop(self.own, self.body, call),
                    }),
                    Some(_) => None,
                    None => chain(self.memory, self.own, call, self.depth),
                };
                self.found = found.map(|chain| Chain {
                    is_certain: chain.is_certain
                        && self.branches == 0
                        && !leaves_before(self.body, call.start()),
                    ..chain
                });
            }
            _ => {}
        }
        self.branches += usize::from(is_branch(node));
        TraversalSignal::Traverse
    }

    fn leave_node(&mut self, node: AnyNodeRef<'a>) {
        self.branches -= usize::from(is_branch(node));
    }
}

fn is_branch(node: AnyNodeRef<'_>) -> bool {
    matches!(
        node,
        AnyNodeRef::StmtIf(_)
            | AnyNodeRef::StmtFor(_)
            | AnyNodeRef::StmtWhile(_)
            | AnyNodeRef::StmtTry(_)
            | AnyNodeRef::StmtMatch(_)
            | AnyNodeRef::ExprIf(_)
            | AnyNodeRef::ExprBoolOp(_)
            | AnyNodeRef::ExprListComp(_)
            | AnyNodeRef::ExprSetComp(_)
            | AnyNodeRef::ExprDictComp(_)
            | AnyNodeRef::ExprGenerator(_)
    )
}

/// How a callee is called in a message.
fn spelled(callee: &Expr) -> String {
    match callee {
        Expr::Attribute(attribute) => match last_name(&attribute.value) {
            Some(object) => format!("{object}.{}", attribute.attr),
            None => attribute.attr.to_string(),
        },
        other => last_name(other).unwrap_or_default().to_owned(),
    }
}

/// The rewrite that calls a function in a thread, which may have an event loop of its own.
fn in_thread<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    call: &'a ast::ExprCall,
    owner: Owner<'a>,
) -> Result<Rewrite, String> {
    if !file.targets(PythonVersion::PY39) {
        return Err("run it in a thread".to_owned());
    }
    let lock = locks::allow_await(file, site, owner)?;
    let scope = file
        .semantics
        .scope_of_owner(owner)
        .ok_or("the scope of the call can't be found")?;
    let imported = imports::import(file, "asyncio", "to_thread", scope, call.start())?;
    let before = format!("{}(", imported.expression);
    let mut edits = file.await_edits(site, TextRange::empty(call.start()), &before);
    let parenthesis = TextRange::at(call.arguments.start(), TextSize::of('('));
    edits.push(if call.arguments.is_empty() {
        Edit::range_deletion(parenthesis)
    } else {
        Edit::range_replacement(", ".to_owned(), parenthesis)
    });
    edits.sort_by_key(|edit| (edit.start(), edit.end()));
    Ok(Rewrite::safe("Run it in a thread", edits)
        .with_shared(imported.edit)
        .unsafe_if(lock))
}
