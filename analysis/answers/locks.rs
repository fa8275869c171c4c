//! Whether a thread's lock is held where an `await` would be written.
//!
//! A task that awaits while it holds a lock of `threading` lets another task of the same thread
//! run; if that one wants the lock, it blocks the loop and the first can never release it.

use asyncfix_syntax::queries::awaits;
use asyncfix_syntax::site::{Owner, Site};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ruff_text_size::{Ranged, TextSize};

use crate::file::ParsedFile;
use crate::infer::types::ClassOf;
use crate::resolve::definitions::Class;

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
        Held::ThreadLock(lock) => Err(format!(
            "`{lock}` is a `threading` lock and is held here; an `await` could deadlock the event loop"
        )),
        Held::Unknown(manager) => Ok(Some(format!(
            "`{manager}` may hold a `threading` lock; an `await` while it is held could deadlock the event loop"
        ))),
        Held::No => Ok(None),
    }
}

/// What is known about locks held at a site.
#[derive(Debug, PartialEq, Eq)]
enum Held<'a> {
    /// No lock of a thread is held.
    No,
    /// This one is.
    ThreadLock(&'a str),
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
        if with.is_async
            || !with
                .body
                .iter()
                .any(|s| s.range().contains_range(child.range()))
        {
            continue;
        }
        for item in &with.items {
            match kind(file, &item.context_expr) {
                Kind::ThreadLock => return Held::ThreadLock(file.text(&item.context_expr)),
                // What is held there, is held while something is awaited as it is.
                Kind::Unknown if awaits_beside(&with.body, child) => {}
                Kind::Unknown => unknown = Some(file.text(&item.context_expr)),
                Kind::Harmless => {}
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

/// Whether a suite awaits something in other statements than the one that holds `child`.
fn awaits_beside(suite: &[Stmt], child: AnyNodeRef<'_>) -> bool {
    let mut others = suite
        .iter()
        .filter(|statement| !statement.range().contains_range(child.range()));
    others.any(|statement| awaits(std::slice::from_ref(statement)))
}

enum Kind {
    ThreadLock,
    Harmless,
    Unknown,
}

fn kind(file: &ParsedFile<'_, '_>, expr: &Expr) -> Kind {
    match file.semantics.class_of(expr) {
        ClassOf::Known(class) if is_lock_class(&class) => Kind::ThreadLock,
        ClassOf::Known(class) if runs_own_code(file, &class) => {
            if takes_no_lock(file, expr) {
                Kind::Harmless
            } else {
                Kind::Unknown
            }
        }
        ClassOf::Known(_) | ClassOf::Other => Kind::Harmless,
        // Calling something makes a new context manager far more often than it hands out a lock,
        // but it may do just that.
        ClassOf::Unknown if takes_no_lock(file, expr) => Kind::Harmless,
        ClassOf::Unknown => Kind::Unknown,
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

/// Whether the value of `expr` is a lock of `threading` or `multiprocessing`.
pub fn is_thread_lock(file: &ParsedFile<'_, '_>, expr: &Expr) -> bool {
    matches!(kind(file, expr), Kind::ThreadLock)
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
) -> Option<&'a str> {
    let mut calls = LockCalls {
        acquired: Vec::new(),
        released: Vec::new(),
    };
    calls.visit_body(&function.body);
    calls
        .acquired
        .iter()
        .filter(|lock| lock.start() < at)
        .find(|lock| {
            let text = file.text(**lock);
            let released_after = calls
                .released
                .iter()
                .any(|other| other.start() > at && file.text(*other) == text);
            released_after && matches!(kind(file, lock), Kind::ThreadLock)
        })
        .map(|lock| file.text(*lock))
}

struct LockCalls<'a> {
    acquired: Vec<&'a Expr>,
    released: Vec<&'a Expr>,
}

impl<'a> SourceOrderVisitor<'a> for LockCalls<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if let AnyNodeRef::ExprCall(call) = node
            && let Expr::Attribute(attribute) = &*call.func
        {
            match attribute.attr.as_str() {
                "acquire" => self.acquired.push(&attribute.value),
                "release" => self.released.push(&attribute.value),
                _ => {}
            }
        }
        TraversalSignal::Traverse
    }
}
