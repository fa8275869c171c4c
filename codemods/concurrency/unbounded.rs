//! AF501 unbounded-concurrency: one coroutine for each of many things, and all of them at once.

use asyncfix_analysis::answers::awaitable::awaitability_of;
use asyncfix_analysis::answers::endings::{self, Obstacle, Seen};
use asyncfix_analysis::answers::takes_coroutine;
use asyncfix_analysis::answers::task::makes_task;
use asyncfix_analysis::candidate::Candidate;
use asyncfix_analysis::facts::key::name_key;
use asyncfix_analysis::facts::spelling::Hints;
use asyncfix_analysis::index::reach::Namesakes;
use asyncfix_analysis::infer::types::Awaitability;
use asyncfix_analysis::resolve::semantics::Semantics;
use asyncfix_knowledge::libraries::Library;
use asyncfix_syntax::queries::{first_name, last_name};
use asyncfix_syntax::site::Site;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, ExprContext, NodeKind};
use ruff_text_size::{Ranged, TextRange, TextSize};
use rustc_hash::FxHashSet;

use super::draft;
use super::fan_out::{Element, FanOut, body_around};
use super::filling::is_filled_twice;
use super::size::{self, Size};
use super::wrapper;
use crate::codemod::Codemod;
use crate::file::File;
use crate::finding::{Finding, Remedy, Rewrite};
use crate::rule::{Rule, Stability};

/// The codemod of AF501.
pub struct UnboundedConcurrency;

static RULE: Rule = Rule {
    code: "AF501",
    name: "unbounded-concurrency",
    finds: "no limit on concurrent tasks",
    pitfall: "creating too many tasks",
    page: include_str!("AF501.md"),
    default: true,
    stability: Stability::Stable,
    equivalents: &[],
};

impl Codemod for UnboundedConcurrency {
    fn rule(&self) -> &'static Rule {
        &RULE
    }

    fn words(&self) -> &'static [&'static str] {
        &[
            "gather",
            "as_completed",
            "wait(",
            "create_task",
            "ensure_future",
        ]
    }

    fn asks_for_types(&self) -> bool {
        true
    }

    fn nodes(&self) -> &'static [NodeKind] {
        &[
            NodeKind::ExprListComp,
            NodeKind::ExprSetComp,
            NodeKind::ExprDictComp,
            NodeKind::ExprGenerator,
            NodeKind::ExprCall,
            NodeKind::StmtAssign,
            NodeKind::StmtAugAssign,
        ]
    }

    fn candidate(&self, hints: &Hints<'_>, site: &Site<'_, '_>) -> Candidate {
        let spellings = hints.spellings;
        let allow = |expr: &Expr, paths: &[&str]| spellings.allow(expr, paths);
        Candidate::when(FanOut::at(site, &allow).is_some())
    }

    fn check<'a>(&self, file: &File<'a, '_>, site: &Site<'_, 'a>) -> Option<Finding> {
        if !matches!(file.library(), None | Some(Library::Asyncio)) {
            return None;
        }
        let owner = file.surroundings(site).owner;
        if !file.settings.concurrency_in_tests && file.is_test_code(owner) {
            return None;
        }
        let means = |expr: &Expr, paths: &[&str]| file.semantics.means(expr, paths);
        let fan_out = FanOut::at(site, &means)?;
        let count = size::of(file, &fan_out);
        let limit = u64::from(file.settings.concurrency_limit.get());
        let known = match count {
            Size::Exactly(count) | Size::AtMost(count) if count <= limit => return None,
            Size::Chosen => return None,
            Size::Exactly(count) => Some(count),
            Size::AtMost(_) | Size::Unknown => None,
        };
        let made = Made::of(file, &fan_out)?;
        // Only tasks run before they are awaited.
        if made.task.is_none() && fan_out.takers.calls.is_empty() {
            return None;
        }
        if made.is_worker(&fan_out)
            || made.is_made_elsewhere(file, &fan_out)
            || made.are_few(file, &fan_out)
        {
            return None;
        }
        // The rewrite is unsafe then, whatever else there is.
        let is_enough: fn(&Seen) -> bool = if known.is_some() {
            Seen::waits
        } else {
            Seen::is_doubtful
        };
        let seen = made.look(file, &fan_out, is_enough)?;
        let has_limits = || body_around(site).is_some_and(takes_coroutine::limits_connections);
        if seen.is_limited || seen.never_ends || has_limits() {
            return None;
        }
        let remedy = match rewritten(file, &fan_out, &made, &seen, known.is_some()) {
            Ok(wrapper) => {
                let title = format!("Run at most {limit} at a time with a semaphore");
                let mut rewrite = Rewrite::safe(title, wrapper.edits)
                    .with_shared(wrapper.imports)
                    .unsafe_if(leaves_some(site, &fan_out))
                    .unsafe_if(reason(&seen, known.is_some()))
                    .unsafe_if(wrapper.unsafe_because);
                rewrite.alone_in = body_around(site)
                    .and_then(<[_]>::first)
                    .map(Ranged::start)
                    .or(Some(TextSize::default()));
                Remedy::Rewrite(rewrite)
            }
            Err(reason) => Remedy::NotFixed(reason),
        };
        let message = match known {
            Some(count) => format!("starts all {count} coroutines at once"),
            None => "starts one coroutine per item with no limit".to_owned(),
        };
        Some(Finding::new(&RULE, made.range(), message, remedy))
    }
}

/// Why not all of them may have started when what runs them is done with them.
fn leaves_some(site: &Site<'_, '_>, fan_out: &FanOut<'_, '_>) -> Option<&'static str> {
    let body = body_around(site).unwrap_or_default();
    fan_out
        .takers
        .calls
        .iter()
        .find_map(|taker| taker.leaves_some(body))
}

/// The wrapper for a fan-out, or the reason why a limit would break it or is not possible.
fn rewritten<'a>(
    file: &File<'a, '_>,
    fan_out: &FanOut<'_, 'a>,
    made: &Made<'a>,
    seen: &Seen,
    is_size_known: bool,
) -> Result<wrapper::Wrapper, String> {
    let waits_for_all = seen
        .doubt
        .as_ref()
        .is_some_and(|doubt| doubt.obstacle == Obstacle::WaitsForAll);
    if is_size_known && waits_for_all {
        return Err(
            "each of them waits for all the others, and the last ones would never start".to_owned(),
        );
    }
    let body = body_around(&fan_out.statement).unwrap_or_default();
    if fan_out.list.is_some_and(|list| is_filled_twice(body, list)) {
        return Err(
            "the list is filled in several places, and each would get its own limit; create one semaphore for all of them".to_owned(),
        );
    }
    let drops_task = made.drops_task(file, fan_out);
    wrapper::write(file, fan_out, made.task, made.call, drops_task)
}

/// Why it is not plain that a limit does nothing but good.
fn reason(seen: &Seen, is_size_known: bool) -> Option<String> {
    match &seen.doubt {
        Some(doubt) if doubt.obstacle == Obstacle::Streams => Some(format!(
            "if the first ones never end ({}), the last ones never start",
            doubt.reason()
        )),
        Some(doubt) if doubt.waits() => Some(format!(
            "if the first ones need what only later ones bring ({}), none of them would finish",
            doubt.reason()
        )),
        _ if is_size_known => None,
        Some(_) => Some(
            "the number of items is unknown, and asyncfix can't tell whether each one ends"
                .to_owned(),
        ),
        None if !seen.is_scarce => Some(
            "the number of items is unknown, and asyncfix can't tell whether a limit is needed"
                .to_owned(),
        ),
        None => None,
    }
}

/// What makes one of the coroutines.
struct Made<'a> {
    element: Element<'a>,
    /// The call that makes the coroutine, a time limit around it included.
    call: &'a ast::ExprCall,
    /// The call that makes a task of it.
    task: Option<&'a ast::ExprCall>,
}

impl<'a> Made<'a> {
    fn of(file: &File<'a, '_>, fan_out: &FanOut<'_, 'a>) -> Option<Self> {
        let element = fan_out.element;
        let call = match element {
            Element::Call(call) | Element::Mapped(call) => call,
        };
        if matches!(element, Element::Mapped(_)) {
            return Some(Self {
                element,
                call,
                task: None,
            });
        }
        if fan_out.takers.is_group || makes_task(file, call) {
            return match call.arguments.args.first() {
                Some(Expr::Call(inner)) => Some(Self {
                    element,
                    call: inner,
                    task: Some(call),
                }),
                _ => None,
            };
        }
        Some(Self {
            element,
            call,
            task: None,
        })
    }

    fn range(&self) -> TextRange {
        self.call.range()
    }

    /// Whether each of them is the same: workers, which nothing tells apart.
    fn is_worker(&self, fan_out: &FanOut<'_, 'a>) -> bool {
        struct Reads<'b, 'a> {
            bound: &'b FxHashSet<&'a str>,
            found: bool,
        }
        impl<'n> SourceOrderVisitor<'n> for Reads<'_, '_> {
            fn enter_node(&mut self, node: AnyNodeRef<'n>) -> TraversalSignal {
                if let AnyNodeRef::ExprName(name) = node {
                    self.found |=
                        name.ctx != ExprContext::Store && self.bound.contains(name.id.as_str());
                }
                TraversalSignal::Traverse
            }
        }
        if matches!(self.element, Element::Mapped(_)) {
            return false;
        }
        let mut reads = Reads {
            bound: &fan_out.bound,
            found: false,
        };
        AnyNodeRef::from(self.call).visit_source_order(&mut reads);
        !reads.found
    }

    /// Whether what is to wait is no coroutine that this call makes: a task of some helper, a future
    /// of an executor, an object that can be awaited and has other uses, a coroutine that somebody
    /// else made.
    fn is_made_elsewhere(&self, file: &File<'a, '_>, fan_out: &FanOut<'_, 'a>) -> bool {
        if matches!(self.element, Element::Mapped(_)) {
            return false;
        }
        let semantics = &file.semantics;
        let call = draft::innermost(semantics, self.call);
        if takes_coroutine::spawns(&call.func)
            || endings::ends_with_arguments(semantics, &call.func)
        {
            return true;
        }
        let is_unclear =
            || self.task.is_none() && fan_out.list.is_some() && fan_out.takers.have_other_uses;
        let is_else = (is_unclear() || !gives_coroutine_if_any(file, call))
            && match awaitability_of(file, call) {
                Awaitability::Coroutine => false,
                Awaitability::Running => true,
                _ if is_plain_function(semantics, &call.func) => true,
                // An object whose class says how it is awaited is more than a coroutine. A name that
                // nothing binds says nothing.
                Awaitability::No if is_bound(semantics, &call.func) => self.task.is_none(),
                Awaitability::No
                | Awaitability::Awaitable
                | Awaitability::Mixed
                | Awaitability::Unknown => is_unclear(),
            };
        is_else
            || takes_coroutine::takes_awaitables(semantics, call)
            || call
                .arguments
                .iter_source_order()
                .any(|argument| gives_awaitable(file, argument.value()))
    }

    /// Whether each turn is over something of which a program has few by nature.
    fn are_few(&self, file: &File<'a, '_>, fan_out: &FanOut<'_, 'a>) -> bool {
        if matches!(self.element, Element::Mapped(_)) {
            return false;
        }
        let call = draft::innermost(&file.semantics, self.call);
        let receiver = call.func.as_attribute_expr().map(|method| &*method.value);
        receiver
            .into_iter()
            .chain(&call.arguments.args)
            .filter_map(first_name)
            .filter(
                |expr| matches!(expr, Expr::Name(name) if fan_out.bound.contains(name.id.as_str())),
            )
            .any(|name| takes_coroutine::is_one_of_few(&file.semantics, name))
    }

    /// What is seen of the coroutine; `None` where it is over soon whatever is done.
    fn look(
        &self,
        file: &File<'_, '_>,
        fan_out: &FanOut<'_, 'a>,
        is_enough: fn(&Seen) -> bool,
    ) -> Option<Seen> {
        let semantics = &file.semantics;
        if let Element::Mapped(map) = self.element {
            let function = map.arguments.args.first()?;
            if endings::ends(semantics, function) || endings::is_closing(function) {
                return None;
            }
            return Some(Seen::of_function(
                semantics,
                file.project,
                function,
                is_enough,
            ));
        }
        let call = draft::innermost(semantics, self.call);
        if endings::ends(semantics, &call.func) || endings::is_closing(&call.func) {
            return None;
        }
        Some(Seen::of_call(
            semantics,
            file.project,
            call,
            &fan_out.bound,
            is_enough,
        ))
    }

    /// Whether the tasks are nothing but what `gather` would make itself.
    fn drops_task(&self, file: &File<'_, '_>, fan_out: &FanOut<'_, 'a>) -> bool {
        let Some(task) = self.task else {
            return false;
        };
        let is_bare = task.arguments.args.len() == 1
            && task.arguments.keywords.is_empty()
            && file.semantics.means(
                &task.func,
                &["asyncio.create_task", "asyncio.ensure_future"],
            );
        is_bare && fan_out.takers.are_gathered() && fan_out.is_run_at_once()
    }
}

/// Whether what a method call gives can only be a coroutine, if it is something to be awaited, by the
/// name of the method alone: whatever has it in the project is a coroutine function, or nothing has it.
fn gives_coroutine_if_any(file: &File<'_, '_>, call: &ast::ExprCall) -> bool {
    call.func.as_attribute_expr().is_some_and(|method| {
        let namesakes = file.project.namesakes(name_key(&method.attr));
        matches!(namesakes, Namesakes::CoroutineFunctions | Namesakes::None)
    })
}

/// Whether an argument is a call that gives something to be awaited.
fn gives_awaitable(file: &File<'_, '_>, argument: &Expr) -> bool {
    let Expr::Call(call) = argument else {
        return false;
    };
    last_name(&call.func).is_none_or(|name| file.project.may_be_awaitable(name_key(name)))
        && matches!(
            awaitability_of(file, call),
            Awaitability::Coroutine | Awaitability::Running | Awaitability::Awaitable
        )
}

/// Whether a name is bound somewhere in the file.
fn is_bound(semantics: &Semantics<'_>, callee: &Expr) -> bool {
    match callee {
        Expr::Name(name) => semantics
            .bindings(name)
            .is_none_or(|definitions| !definitions.is_empty()),
        _ => true,
    }
}

/// Whether what is called is a function in sight that is no coroutine function: what it gives runs
/// already, or is made by somebody else.
fn is_plain_function(semantics: &Semantics<'_>, callee: &Expr) -> bool {
    semantics.function(callee).is_some_and(|function| {
        let db = semantics.db();
        !function.definition.file(db).is_stub(db)
            && function
                .node(db)
                .is_some_and(|node| !node.is_async && node.decorator_list.is_empty())
    })
}
