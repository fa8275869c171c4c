//! AF201 to AF209: a call that keeps its thread waiting, in code that runs on an event loop.

use asyncfix_analysis::answers::blocking::called;
use asyncfix_analysis::answers::intent::{self, Deed};
use asyncfix_analysis::answers::{coroutines, counter_evidence, locks};
use asyncfix_analysis::candidate::Candidate;
use asyncfix_analysis::facts::spelling::Hints;
use asyncfix_analysis::resolve::bindings::Origin;
use asyncfix_knowledge::blocking::Kind;
use asyncfix_knowledge::conduct::is_unique;
use asyncfix_knowledge::libraries::Library;
use asyncfix_syntax::lines::one_line;
use asyncfix_syntax::queries::argument;
use asyncfix_syntax::site::{Obstacle, Owner, Site, Surroundings};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, NodeKind};
use ruff_text_size::Ranged;

use crate::blocking::given::Given;
use crate::blocking::rewrite::Blocking;
use crate::blocking::thread::{self};
use crate::blocking::{alone, awaiting, code_in_ruff, gap};
use crate::codemod::Codemod;
use crate::file::File;
use crate::finding::{Finding, Remedy};
use crate::rule::Rule;

/// The rules about files, which other files of the project may write.
const OF_FILES: [&str; 2] = ["AF204", PATH_CALL];

/// The rule about single calls of the system.
pub(super) const PATH_CALL: &str = "AF208";

/// The rule of requests over the network.
pub(super) const HTTP: &str = "AF202";

/// The codemod of one rule about blocking calls.
pub struct BlockingCall {
    /// The rule. What it reports are the rows of the table with its code.
    pub rule: &'static Rule,
    /// Whether it also reports locks of threads that are held while something is awaited.
    pub held_locks: bool,
    /// Whether it says nothing about tests, unless the settings ask for it.
    pub is_silent_in_tests: bool,
    /// Whether it says nothing about programs in which nothing else could run meanwhile.
    pub may_be_alone: bool,
    /// What its calls may do on purpose.
    pub deed: Deed,
}

impl Codemod for BlockingCall {
    fn rule(&self) -> &'static Rule {
        self.rule
    }

    fn words(&self) -> &'static [&'static str] {
        &["async", "await"]
    }

    fn asks_for_types(&self) -> bool {
        OF_FILES.contains(&self.rule.code)
    }

    fn nodes(&self) -> &'static [NodeKind] {
        &[NodeKind::ExprCall, NodeKind::StmtWith]
    }

    fn candidate(&self, hints: &Hints<'_>, site: &Site<'_, '_>) -> Candidate {
        let spellings = hints.spellings;
        let call = match site.node {
            AnyNodeRef::ExprCall(call) => call,
            AnyNodeRef::StmtWith(with) if self.held_locks && !with.is_async => {
                let imports = |package: &&str| spellings.import(package);
                return Candidate::when(
                    ["threading", "multiprocessing"].iter().any(imports)
                        && site.is_asynchronous(spellings.await_at_top())
                        && with.body.iter().any(coroutines::awaits),
                );
            }
            _ => return Candidate::No,
        };
        hints
            .blocking_call(self.rule.code, &call.func, is_awaited(site))
            .and(|| site.is_asynchronous(spellings.await_at_top()))
    }

    fn check<'a>(&self, file: &File<'a, '_>, site: &Site<'_, 'a>) -> Option<Finding> {
        let call = match site.node {
            AnyNodeRef::ExprCall(call) => call,
            AnyNodeRef::StmtWith(with) => return self.held_lock(file, site, with),
            _ => return None,
        };
        let surroundings = on_loop(file, site)?;
        let called = called(file, site, call, self.rule.code)?;
        let library = file.library_to_write();
        let given = Given::of(file, site);
        let is_moved = matches!(
            called.row.kind,
            Kind::Replace | Kind::ToThread | Kind::WrapFuture
        ) && !called.row.lazy;
        if library == Some(Library::Other)
            || given.is_some() && !is_moved
            || self.is_silent_in_tests && is_silent_test(file, surroundings.owner)
            || is_awaited(site) && called.row.kind != Kind::Replace
            || is_moved && goes_with_another(file, site, self.rule.code)
            || called.row.kind == Kind::WrapFuture && is_done(file, call)
            || called.row.kind == Kind::Outline && awaiting::is_handed_on(file, site)
            || called.row.kind == Kind::Report
                && is_reported_where_made(file, site, call, surroundings.owner, self.rule.code)
            || self.may_be_alone && alone::nothing_else_runs(file, surroundings.owner)
            || intent::is_deliberate(file, site, self.deed)
            || self.deed == Deed::Sleep && spins(file, site, call)
        {
            return None;
        }
        let instead = called.row.instead.as_ref();
        let instead = instead.map_or(String::new(), |name| {
            format!("; `{name}` is the async version")
        });
        let in_test = (!self.is_silent_in_tests && is_silent_test(file, surroundings.owner))
            .then_some("a test may block on purpose");
        let gap = gap::lets_others_in(file, surroundings.owner, call.range());
        let path = file.semantics.qualified_name(&call.func);
        let put = path.and_then(|_| counter_evidence::may_be_put(file, site.node));
        let blocking = Blocking {
            file,
            site,
            call,
            called,
            surroundings,
            library,
            given,
        };
        Some(
            Finding::new(
                self.rule,
                call.range(),
                format!(
                    "`{}` blocks the event loop{instead}",
                    blocking.called.name.trim_start_matches("builtins."),
                ),
                match blocking.rewrite() {
                    Ok(rewrite) => {
                        Remedy::Rewrite(rewrite.unsafe_if(in_test).unsafe_if(gap).unsafe_if(put))
                    }
                    Err(reason) => Remedy::NotFixed(reason),
                },
            )
            .with_code_in_ruff(code_in_ruff(self.rule.code, &blocking.called.name)),
        )
    }
}

impl BlockingCall {
    /// `with lock:` around an `await`.
    fn held_lock<'a>(
        &self,
        file: &File<'a, '_>,
        site: &Site<'_, 'a>,
        with: &ast::StmtWith,
    ) -> Option<Finding> {
        if is_silent_test(file, site.owner()) {
            return None;
        }
        let mut managers = with.items.iter().map(|item| &item.context_expr);
        let (manager, lock) =
            managers.find_map(|manager| Some((manager, locks::thread_lock(file, manager)?)))?;
        let text = one_line(file.text(manager));
        let (message, reason) = if lock.is_reentrant {
            (
                format!(
                    "`{text}` is a reentrant `threading` lock held across an `await`: it doesn't keep \
                     out other tasks, which run in the same thread"
                ),
                "use `asyncio.Lock`, which a task can't take again while it holds it, or release this \
                 lock before the `await`",
            )
        } else {
            (
                format!(
                    "`{text}` is a `threading` lock held across an `await`: another task that tries to \
                     acquire it deadlocks the event loop"
                ),
                "use `asyncio.Lock`, or release this lock before the `await`",
            )
        };
        Some(Finding::new(
            self.rule,
            manager.range(),
            message,
            Remedy::NotFixed(reason.to_owned()),
        ))
    }
}

pub(super) fn is_awaited(site: &Site<'_, '_>) -> bool {
    matches!(site.parent(), Some(AnyNodeRef::ExprAwait(_)))
}

/// What is around a call that runs on an event loop. `None` where it does not.
pub(super) fn on_loop<'a>(file: &File<'a, '_>, site: &Site<'_, 'a>) -> Option<Surroundings<'a>> {
    let surroundings = file.surroundings(site);
    (file.is_async(surroundings.owner)
        && surroundings.obstacle != Some(Obstacle::Signature)
        && file.has_company(surroundings.owner))
    .then_some(surroundings)
}

/// Whether code is that of a test, where nobody else is kept waiting, and the settings do not ask for it.
pub(super) fn is_silent_test(file: &File<'_, '_>, owner: Owner<'_>) -> bool {
    !file.settings.blocking_in_tests && file.is_test_code(owner)
}

/// Whether a call that sleeps for no time is what a loop does that waits for a time to come: it is meant to keep its
/// thread busy.
fn spins<'a>(file: &File<'a, '_>, site: &Site<'_, 'a>, call: &ast::ExprCall) -> bool {
    let is_nothing = |given: &Expr| {
        matches!(given, Expr::NumberLiteral(literal)
            if matches!(&literal.value, ast::Number::Int(value) if *value == 0))
    };
    let tells_time = |test: &'a Expr| {
        let mut clock = Clock { file, found: false };
        clock.visit_expr(test);
        clock.found
    };
    argument(call, "0").is_some_and(is_nothing)
        && site.enclosing_in_function().any(|(node, _)| {
            matches!(node, AnyNodeRef::StmtWhile(statement) if tells_time(&statement.test))
        })
}

/// Whether an expression asks what time it is.
struct Clock<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    found: bool,
}

impl<'a> SourceOrderVisitor<'a> for Clock<'_, 'a, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if let AnyNodeRef::ExprCall(call) = node
            && let Some(path) = self.file.semantics.qualified_name(&call.func)
        {
            self.found |= path.starts_with("time.") && is_unique(&path);
        }
        TraversalSignal::Traverse
    }
}

/// Whether the future whose result is asked for comes out of `concurrent.futures.wait` or
/// `as_completed`, so that it is there already.
fn is_done(file: &File<'_, '_>, call: &ast::ExprCall) -> bool {
    let Expr::Attribute(callee) = &*call.func else {
        return false;
    };
    let Expr::Name(name) = &*callee.value else {
        return false;
    };
    let origins = file.semantics.origins(name);
    origins
        .iter()
        .any(|origin| matches!(origin, Origin::Unknown))
        && ["as_completed", "futures.wait", " wait("]
            .iter()
            .any(|word| file.source.contains(word))
}

/// Whether the object that a method is called on was made by a call in the same function that is
/// reported itself: one finding is enough to say that a connection blocks.
fn is_reported_where_made<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    call: &ast::ExprCall,
    owner: Owner<'a>,
    code: &str,
) -> bool {
    let Expr::Attribute(callee) = &*call.func else {
        return false;
    };
    let Expr::Name(name) = &*callee.value else {
        return false;
    };
    let is_reported = |value: &Expr| match value {
        Expr::Call(made) => called(file, site, made, code).is_some(),
        _ => false,
    };
    let is_entered = site.enclosing_in_function().any(|(node, _)| {
        matches!(node, AnyNodeRef::StmtWith(with) if with.items.iter().any(|item| {
            matches!(item.optional_vars.as_deref(), Some(Expr::Name(target)) if target.id == name.id)
                && is_reported(&item.context_expr)
        }))
    });
    let Owner::Function(function) = owner else {
        return is_entered;
    };
    is_entered
        || file.semantics.origins(name).iter().any(|origin| {
            matches!(origin, Origin::Value(value)
                if function.range().contains_range(value.range()) && is_reported(value))
        })
}

/// The calls that a call is made of the results of: the object whose method it is, and its arguments.
pub(super) fn parts_of(call: &ast::ExprCall) -> impl Iterator<Item = &ast::ExprCall> {
    let receiver = match &*call.func {
        Expr::Attribute(method) => Some(&*method.value),
        _ => None,
    };
    receiver
        .into_iter()
        .chain(&call.arguments.args)
        .filter_map(Expr::as_call_expr)
}

/// Whether the call at `site` goes to a thread with the one that is made of its result.
fn goes_with_another<'a>(file: &File<'a, '_>, site: &Site<'_, 'a>, code: &str) -> bool {
    let outer = match site.parent() {
        Some(AnyNodeRef::ExprAttribute(_) | AnyNodeRef::Arguments(_)) => {
            site.outer().and_then(|part| part.outer())
        }
        _ => None,
    };
    let Some(outer) = outer else {
        return false;
    };
    let AnyNodeRef::ExprCall(call) = outer.node else {
        return false;
    };
    parts_of(call).any(|part| part.range() == site.node.range())
        && called(file, &outer, call, code)
            .is_some_and(|called| called.row.kind == Kind::ToThread && !called.row.lazy)
        && !is_awaited(&outer)
        && thread::keeps_out_of_lambda(call).is_none()
}
