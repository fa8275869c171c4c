//! Whether a thread's lock is held where an `await` would be written.
//!
//! A task that awaits while it holds a lock of `threading` lets another task of the same thread
//! run; if that one wants the lock, it blocks the loop and the first can never release it.

use asyncfix_syntax::queries::{awaits, last_name, own_calls, own_code};
use asyncfix_syntax::site::{Owner, Site};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange, TextSize};

use crate::file::ParsedFile;
use crate::infer::types::ClassOf;
use crate::limits::{BODIES, Limit};
use crate::resolve::definitions::Class;
use crate::resolve::semantics::Semantics;

/// Whether an `await` may be written at `site` as far as locks go.
///
/// `Err` with the reason where a thread's lock is held; `Ok` with a reason to call it unsafe where
/// one may be.
pub fn allow_await<'a>(
    file: &ParsedFile<'a, '_>,
    site: &Site<'_, 'a>,
    owner: Owner<'a>,
) -> Result<Option<String>, String> {
    match held(file, site, owner) {
        Held::ThreadLock(lock) => Err(lock.reason()),
        Held::Unknown(manager) => Ok(Some(format!(
            "`{manager}` may hold a `threading` lock; an `await` while it is held could deadlock the event loop"
        ))),
        Held::No => Ok(None),
    }
}

/// A lock of a thread.
pub struct ThreadLock {
    /// As it is written.
    text: String,
    /// The context manager that holds it, where it is not entered itself.
    by: Option<String>,
    /// Whether the thread that holds it may take it again.
    pub is_reentrant: bool,
}

impl ThreadLock {
    /// Why nothing must be awaited while it is held.
    fn reason(&self) -> String {
        let lock = &self.text;
        let holds = match &self.by {
            Some(manager) => format!("`{manager}` holds the `threading` lock `{lock}` here"),
            None => format!("`{lock}` is a `threading` lock and is held here"),
        };
        if self.is_reentrant {
            format!(
                "{holds}; it doesn't keep out other tasks of the same thread, which would run while this waits"
            )
        } else {
            format!("{holds}; an `await` could deadlock the event loop")
        }
    }
}

/// What is known about locks held at a site.
enum Held<'a> {
    /// No lock of a thread is held.
    No,
    /// This one is.
    ThreadLock(ThreadLock),
    /// This context manager is entered, and may be one.
    Unknown(&'a str),
}

/// Which lock is held at `site`, in the function it belongs to.
fn held<'a>(file: &ParsedFile<'a, '_>, site: &Site<'_, 'a>, owner: Owner<'a>) -> Held<'a> {
    let mut unknown = None;
    for (node, child) in site.enclosing_in_function() {
        let AnyNodeRef::StmtWith(with) = node else {
            continue;
        };
        if !with
            .body
            .iter()
            .any(|s| s.range().contains_range(child.range()))
        {
            continue;
        }
        for item in &with.items {
            for manager in entered_by(item, with, site) {
                match kind(file, manager) {
                    Kind::ThreadLock(lock) => return Held::ThreadLock(lock),
                    // What is held there, is held while something is awaited as it is.
                    Kind::Unknown if awaits_beside(&with.body, child) => {}
                    Kind::Unknown => unknown = Some(file.text(manager)),
                    Kind::Harmless => {}
                }
            }
        }
    }
    if let Owner::Function(function) = owner
        && let Some(lock) = acquired_before(file, function, site.node.start())
    {
        return Held::ThreadLock(lock);
    }
    unknown.map_or(Held::No, Held::Unknown)
}

/// What an item of a `with` enters before `site`: itself, or what is given to the stack that it is.
fn entered_by<'a>(
    item: &'a ast::WithItem,
    with: &'a ast::StmtWith,
    site: &Site<'_, 'a>,
) -> Vec<&'a Expr> {
    let is_stack = matches!(&item.context_expr, Expr::Call(call)
        if matches!(last_name(&call.func), Some("ExitStack" | "AsyncExitStack")));
    let stack = item.optional_vars.as_deref().and_then(Expr::as_name_expr);
    let Some(stack) = stack.filter(|_| is_stack) else {
        return if with.is_async {
            Vec::new()
        } else {
            vec![&item.context_expr]
        };
    };
    let enters = |call: &&ast::ExprCall| {
        call.end() <= site.node.start()
            && matches!(&*call.func, Expr::Attribute(method)
                if &method.attr == "enter_context"
                    && matches!(&*method.value, Expr::Name(name) if name.id == stack.id))
    };
    own_calls(&with.body)
        .into_iter()
        .filter(enters)
        .filter_map(|call| call.arguments.args.first())
        .collect()
}

/// Whether a suite awaits something in other statements than the one that holds `child`.
fn awaits_beside(suite: &[Stmt], child: AnyNodeRef<'_>) -> bool {
    let mut others = suite
        .iter()
        .filter(|statement| !statement.range().contains_range(child.range()));
    others.any(|statement| awaits(std::slice::from_ref(statement)))
}

enum Kind {
    ThreadLock(ThreadLock),
    Harmless,
    Unknown,
}

fn kind(file: &ParsedFile<'_, '_>, expr: &Expr) -> Kind {
    match file.semantics.class_of(expr) {
        ClassOf::Known(class) if is_lock_class(&class) => Kind::ThreadLock(ThreadLock {
            text: file.text(expr).to_owned(),
            by: None,
            is_reentrant: is_reentrant(&class),
        }),
        ClassOf::Known(class) if runs_own_code(file, &class) => of_own_code(file, expr),
        ClassOf::Known(_) | ClassOf::Other => {
            by_code(file, expr).map_or(Kind::Harmless, Kind::ThreadLock)
        }
        // Calling something makes a new context manager far more often than it hands out a lock,
        // but it may do just that.
        ClassOf::Unknown => of_own_code(file, expr),
    }
}

/// The same of a context manager whose code may be in sight.
fn of_own_code(file: &ParsedFile<'_, '_>, expr: &Expr) -> Kind {
    if let Some(lock) = by_code(file, expr) {
        Kind::ThreadLock(lock)
    } else if takes_no_lock(file, expr) {
        Kind::Harmless
    } else {
        Kind::Unknown
    }
}

/// The lock that a context manager holds by its code.
fn by_code(file: &ParsedFile<'_, '_>, expr: &Expr) -> Option<ThreadLock> {
    let (text, is_reentrant) = held_by(&file.semantics, expr, BODIES)?;
    Some(ThreadLock {
        text,
        by: Some(file.text(expr).to_owned()),
        is_reentrant,
    })
}

/// The lock of a thread that the context manager holds which a call makes, as it is written in its code, and whether it
/// may be taken again.
fn held_by(semantics: &Semantics<'_>, expr: &Expr, steps: Limit) -> Option<(String, bool)> {
    let steps = steps.less()?;
    let Expr::Call(call) = expr else {
        return None;
    };
    let lock = |own: &Semantics<'_>, expr: &Expr| match own.class_of(expr) {
        ClassOf::Known(class) if is_lock_class(&class) => {
            let source = own.text();
            let text = source.as_str().get(expr.range().to_std_range())?;
            Some((text.to_owned(), is_reentrant(&class)))
        }
        _ => held_by(own, expr, steps),
    };
    if let Some(function) = semantics.function_in_sight(&call.func) {
        let own = semantics.of_function(&function);
        let node = function.node(semantics.db())?;
        let mut decorators = node.decorator_list.iter();
        if !decorators
            .any(|decorator| own.means(&decorator.expression, &["contextlib.contextmanager"]))
        {
            return None;
        }
        let mut around = AroundYield::default();
        around.visit_body(&node.body);
        let mut calls = LockCalls::of(&node.body);
        let paused = around.paused?.start();
        calls.acquired.retain(|lock| lock.start() < paused);
        calls.released.retain(|lock| lock.start() > paused);
        let mut held = around.held.into_iter().chain(calls.paired(&own));
        return held.find_map(|held| lock(&own, held));
    }
    let class = Class::of(semantics, semantics.class_named(&call.func)?)?;
    let body_of = |name: &str| {
        let mut methods = class
            .node()
            .body
            .iter()
            .filter_map(Stmt::as_function_def_stmt);
        methods
            .find(|method| method.name.as_str() == name)
            .map(|method| method.body.as_slice())
    };
    let (enter, exit) = (body_of("__enter__")?, body_of("__exit__")?);
    let calls = LockCalls {
        acquired: LockCalls::of(enter).acquired,
        released: LockCalls::of(exit).released,
    };
    calls
        .paired(&class.own)
        .into_iter()
        .find_map(|held| lock(&class.own, held))
}

/// The context managers that are entered around the first `yield` of a function, and where that is.
#[derive(Default)]
struct AroundYield<'a> {
    entered: Vec<&'a ast::StmtWith>,
    held: Vec<&'a Expr>,
    paused: Option<TextRange>,
}

impl<'a> SourceOrderVisitor<'a> for AroundYield<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtWith(with) => self.entered.push(with),
            AnyNodeRef::ExprYield(paused) if self.paused.is_none() => {
                self.paused = Some(paused.range());
                let items = self.entered.iter().flat_map(|with| &with.items);
                self.held = items.map(|item| &item.context_expr).collect();
            }
            _ => {}
        }
        own_code(node)
    }

    fn leave_node(&mut self, node: AnyNodeRef<'a>) {
        if node.is_stmt_with() {
            self.entered.pop();
        }
    }
}

/// What speaks of a lock, in a name.
const LOCKS: [&str; 5] = ["lock", "acquire", "mutex", "semaphore", "condition"];

/// Whether the code of a context manager is in sight that a call makes, by a generator or as a class, and speaks of no
/// lock and enters nothing else.
fn takes_no_lock(file: &ParsedFile<'_, '_>, expr: &Expr) -> bool {
    struct Search(bool);
    impl<'a> SourceOrderVisitor<'a> for Search {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            let name = match node {
                AnyNodeRef::ExprName(name) => Some(name.id.as_str()),
                AnyNodeRef::ExprAttribute(attribute) => Some(attribute.attr.as_str()),
                _ => None,
            };
            let speaks = |name: &str| {
                let name = name.to_lowercase();
                LOCKS.iter().any(|lock| name.contains(lock))
            };
            self.0 |= name.is_some_and(speaks)
                || matches!(node, AnyNodeRef::StmtWith(_) | AnyNodeRef::ExprYieldFrom(_));
            if self.0 {
                TraversalSignal::Skip
            } else {
                TraversalSignal::Traverse
            }
        }
    }
    let Expr::Call(call) = expr else {
        return false;
    };
    let semantics = &file.semantics;
    let mut search = Search(false);
    if let Some(function) = semantics.function_in_sight(&call.func) {
        let own = semantics.of_function(&function);
        let Some(node) = function.node(semantics.db()) else {
            return false;
        };
        let is_manager = matches!(node.decorator_list.as_slice(), [only]
            if own.means(&only.expression, &["contextlib.contextmanager"]));
        search.visit_body(&node.body);
        return is_manager && !search.0;
    }
    let class = semantics
        .class_named(&call.func)
        .and_then(|class| Class::of(semantics, class));
    class.is_some_and(|class| {
        let node = class.node();
        let enters = node.body.iter().any(|statement| {
            matches!(statement, Stmt::FunctionDef(method)
                if method.name.as_str() == "__enter__")
        });
        search.visit_body(&node.body);
        enters && node.bases().is_empty() && !search.0
    })
}

/// Whether a context manager of this class runs code of the project, which may hold a lock meanwhile.
fn runs_own_code(file: &ParsedFile<'_, '_>, class: &str) -> bool {
    class == "contextlib._GeneratorContextManager"
        || file
            .project
            .owns(class.split('.').next().unwrap_or_default())
}

/// The lock of `threading` or `multiprocessing` that the value of `expr` is.
pub fn thread_lock(file: &ParsedFile<'_, '_>, expr: &Expr) -> Option<ThreadLock> {
    match kind(file, expr) {
        Kind::ThreadLock(lock) if lock.by.is_none() => Some(lock),
        _ => None,
    }
}

/// Whether a thread may take a lock of this class again while it holds it. What a condition waits with is such a lock,
/// unless it is given another one.
fn is_reentrant(class: &str) -> bool {
    class.ends_with("RLock") || class.ends_with("Condition")
}

/// The classes behind the names of `threading`, as the standard library's stubs have them.
fn is_lock_class(class: &str) -> bool {
    let Some((module, name)) = class.rsplit_once('.') else {
        return false;
    };
    matches!(
        module,
        "threading" | "_thread" | "multiprocessing.synchronize"
    ) && matches!(
        name,
        "Lock"
            | "lock"
            | "LockType"
            | "RLock"
            | "_RLock"
            | "Condition"
            | "Semaphore"
            | "BoundedSemaphore"
    )
}

/// A thread's lock that the function acquires before `at` and releases after it.
fn acquired_before<'a>(
    file: &ParsedFile<'a, '_>,
    function: &'a ast::StmtFunctionDef,
    at: TextSize,
) -> Option<ThreadLock> {
    let calls = LockCalls::of(&function.body);
    calls
        .acquired
        .iter()
        .filter(|lock| lock.start() < at)
        .find_map(|lock| {
            let text = file.text(*lock);
            let released_after = calls
                .released
                .iter()
                .any(|other| other.start() > at && file.text(*other) == text);
            match kind(file, lock) {
                Kind::ThreadLock(lock) if released_after => Some(lock),
                _ => None,
            }
        })
}

/// Where locks are taken and given back.
struct LockCalls<'a> {
    acquired: Vec<&'a Expr>,
    released: Vec<&'a Expr>,
}

impl<'a> LockCalls<'a> {
    fn of(body: &'a [Stmt]) -> Self {
        let mut calls = Self {
            acquired: Vec::new(),
            released: Vec::new(),
        };
        calls.visit_body(body);
        calls
    }

    /// What is both taken and given back.
    fn paired(&self, own: &Semantics<'_>) -> Vec<&'a Expr> {
        let source = own.text();
        let text = |expr: &Expr| source.as_str().get(expr.range().to_std_range());
        let is_released = |lock: &&&Expr| {
            let mut released = self.released.iter();
            released.any(|other| text(other) == text(lock))
        };
        self.acquired.iter().filter(is_released).copied().collect()
    }
}

impl<'a> SourceOrderVisitor<'a> for LockCalls<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if let AnyNodeRef::ExprCall(call) = node
            && let Expr::Attribute(attribute) = &*call.func
        {
            match attribute.attr.as_str() {
                "acquire" | "__enter__" => self.acquired.push(&attribute.value),
                "release" | "__exit__" => self.released.push(&attribute.value),
                _ => {}
            }
        }
        TraversalSignal::Traverse
    }
}
