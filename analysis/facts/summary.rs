//! Everything that one look at a file writes down for the project.

use asyncfix_knowledge::libraries::{LIBRARIES, Library, signs_of_several};
use memchr::memmem;
use ruff_python_ast::helpers::any_over_body;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr};
use rustc_hash::FxHasher;
use serde::{Deserialize, Serialize};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::facts::awaitable_names::Outline;
use crate::facts::calls::Calls;
use crate::facts::key::Key;
use crate::facts::name::Name;
use crate::facts::shared;
use crate::facts::value_flow::Traces;

/// The method of a loop that says how its tasks are made.
pub const TASK_FACTORY_SETTER: &str = "set_task_factory";

/// What one file says, without knowing the others. Plain data: it outlives the tree.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an answer of its own"
)]
pub struct Summary {
    /// The library the file's imports point to.
    pub library: Option<Library>,
    /// Whether the file defines coroutine functions.
    pub(crate) has_coroutine_functions: bool,
    /// Whether the file seems to start event loops.
    pub(crate) starts_loops: bool,
    /// Whether the file runs coroutines itself, step by step, and imports no library that does.
    pub(crate) drives_coroutines: bool,
    /// Whether the file asks which library runs it.
    pub(crate) asks_for_library: bool,
    /// Whether the file seems to say how a loop makes its tasks.
    pub(crate) sets_task_factory: bool,
    /// What the file says of its names.
    pub(crate) outline: Outline,
    /// What the values of its names are made of. The project keeps it as it is, and so it is shared.
    #[serde(with = "shared")]
    pub(crate) traces: Option<Arc<Traces>>,
    /// What its functions call, shared as well.
    #[serde(with = "shared")]
    pub(crate) calls: Option<Arc<Calls>>,
    /// The top-level packages that the file imports.
    pub(crate) packages: Vec<Name>,
    /// What the file imports from other modules, or reaches through them, as [`import_key`]s.
    pub(crate) imported: Vec<u64>,
    /// The last names of the modules that the file imports something from, and of what may be a
    /// module that it imports as a whole, as keys.
    pub(crate) modules: Vec<Key>,
    pub(crate) whole_modules: Vec<Key>,
    /// Functions whose coroutine the file gives to a new event loop: the last component of the
    /// module they are imported from (`None` for the file's own), and the name.
    pub(crate) run: Vec<(Option<String>, String)>,
}

/// Whether a module steps through coroutines by hand, up to the exception that says that one is done (PEP 342, PEP
/// 492): no event loop of a library runs them then.
pub(crate) fn drives_coroutines(module: &ast::ModModule, source: &str) -> bool {
    struct Steps(bool);
    impl<'a> SourceOrderVisitor<'a> for Steps {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let AnyNodeRef::StmtTry(statement) = node {
                let is_end = |handler: &ast::ExceptHandler| {
                    let ast::ExceptHandler::ExceptHandler(handler) = handler;
                    matches!(handler.type_.as_deref(), Some(Expr::Name(name))
                        if name.id == "StopIteration")
                };
                let is_step = |expr: &Expr| {
                    matches!(expr, Expr::Call(call)
                        if call.arguments.len() == 1
                            && matches!(&*call.func, Expr::Attribute(method) if &*method.attr == "send"))
                };
                self.0 |= statement.handlers.iter().any(is_end)
                    && any_over_body(&statement.body, is_step);
            }
            TraversalSignal::Traverse
        }
    }
    let mut steps = Steps(false);
    if may_drive_coroutines(source) {
        steps.visit_body(&module.body);
    }
    steps.0
}

/// Whether a file may start event loops of a library, judged by its text.
pub fn may_start_loops(source: &str) -> bool {
    holds(source, "run(") && LIBRARIES.iter().any(|library| holds(source, library))
}

/// Whether a file may step through coroutines by hand, judged by its text.
pub fn may_drive_coroutines(source: &str) -> bool {
    holds(source, ".send(")
        && holds(source, "StopIteration")
        && (holds(source, "coroutine") || holds(source, "__await__"))
}

/// Collects `f` of `….run(f(…))` and `….run_until_complete(f(…))`.
///
/// Only used to widen what counts as run somewhere; the codemods resolve the function itself.
pub(crate) struct RunCalls<'a> {
    pub(crate) names: Vec<&'a str>,
}

impl<'a> SourceOrderVisitor<'a> for RunCalls<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if let AnyNodeRef::ExprCall(call) = node
            && is_runner(&call.func)
            && let Some(Expr::Call(argument)) = call.arguments.args.first()
            && let Expr::Name(name) = &*argument.func
        {
            self.names.push(&name.id);
        }
        TraversalSignal::Traverse
    }
}

fn is_runner(callee: &Expr) -> bool {
    match callee {
        Expr::Name(name) => name.id == "run",
        Expr::Attribute(attribute) => {
            matches!(attribute.attr.as_str(), "run" | "run_until_complete")
        }
        _ => false,
    }
}

/// Whether code imports what tells which library runs it, judged by its text.
pub(crate) fn asks_for_library(source: &str) -> bool {
    signs_of_several("imports").any(|package| {
        holds(source, package)
            && ["import", "from"]
                .iter()
                .any(|word| source.contains(&format!("{word} {package}")))
    })
}

/// Whether `word` stands in `text`. Asked of every file, several times: a search that looks at many
/// bytes at once is a good part of a run faster than the standard library's.
pub(crate) fn holds(text: &str, word: &str) -> bool {
    memmem::find(text.as_bytes(), word.as_bytes()).is_some()
}

/// A number for a name imported from a module with this last component. Two imports with the same
/// number only keep an import alive that could have gone.
pub(crate) fn import_key(module: &str, name: &str) -> u64 {
    let mut hasher = FxHasher::default();
    (module, name).hash(&mut hasher);
    hasher.finish()
}
