//! The first `await` in a coroutine function.
//!
//! Whoever awaits a function that awaits nothing itself does not let other tasks run.

use asyncfix_analysis::limits::BODIES;
use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::Owner;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr};
use ruff_text_size::{Ranged, TextRange};

use crate::edit::changes::Shared;
use crate::file::File;

/// Why the first `await` in a coroutine function is unsafe: a function of the module awaits it between two changes of
/// one thing, or asks it about something that the caller changes then, and nothing could run there before.
pub fn opened_for_caller<'a>(
    file: &File<'a, '_>,
    function: &'a ast::StmtFunctionDef,
) -> Option<String> {
    let behind_of = |function: &'a ast::StmtFunctionDef| {
        let owner = Owner::Function(function);
        Shared { file, owner }.behind(&function.body)
    };
    let own = behind_of(function);
    if !own.awaits.is_empty() {
        return None;
    }
    let mut callers = Callers {
        file,
        function,
        around: Vec::new(),
        found: Vec::new(),
    };
    callers.visit_body(file.body());
    callers.found.iter().find_map(|(caller, call, awaited)| {
        let behind = behind_of(caller);
        let is_open = |start, end| {
            let mut awaits = behind.awaits.iter().map(|(at, _)| *at);
            awaits.any(|at| start < at && at < end && !awaited.contains(at))
        };
        let before = behind.changes.iter().filter(|change| {
            // A constant says that somebody is at work here.
            change.at <= awaited.start()
                && !awaited.contains_range(change.range)
                && change.made_of.is_none()
                && !change.is_constant
                && !is_open(change.at, awaited.start())
        });
        let mut opened = before.filter(|before| {
            own.changes.iter().any(|change| change.path == before.path)
                || behind.changes.iter().any(|change| {
                    change.path == before.path
                        && change.at >= awaited.end()
                        && !is_open(awaited.end(), change.at)
                })
        });
        if let Some(change) = opened.next() {
            return Some(format!(
                "`{}` awaits this function between two changes of `{}`, and other tasks would run in between",
                caller.name,
                change.path.join(".")
            ));
        }
        let owner = Owner::Function(caller);
        let read = Shared { file, owner }.read_by(call, BODIES)?;
        let mut asked = behind.changes.iter().filter(|change| {
            change.at >= awaited.end()
                && read.contains(&change.path)
                && !is_open(awaited.end(), change.at)
        });
        asked.next().map(|change| {
            format!(
                "`{}` awaits this function and then changes `{}`, and other tasks would run in between",
                caller.name,
                change.path.join(".")
            )
        })
    })
}

/// Looks for the functions that await a coroutine function of the module, and where they do.
struct Callers<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    function: &'a ast::StmtFunctionDef,
    around: Vec<&'a ast::StmtFunctionDef>,
    /// Each with the call, and the `await` with it.
    found: Vec<(&'a ast::StmtFunctionDef, &'a ast::ExprCall, TextRange)>,
}

impl<'a> SourceOrderVisitor<'a> for Callers<'_, 'a, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        let semantics = &self.file.semantics;
        match node {
            AnyNodeRef::StmtFunctionDef(function) => self.around.push(function),
            AnyNodeRef::ExprAwait(inner) => {
                if let Expr::Call(call) = &*inner.value
                    && last_name(&call.func) == Some(self.function.name.as_str())
                    && let Some(caller) = self.around.last()
                    && let Some(called) = semantics.function_in_sight(&call.func)
                    && semantics.is_here(called.definition())
                    && called
                        .node(semantics.db())
                        .is_some_and(|node| node.range() == self.function.range())
                {
                    self.found.push((caller, call, inner.range()));
                }
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }

    fn leave_node(&mut self, node: AnyNodeRef<'a>) {
        if node.is_stmt_function_def() {
            self.around.pop();
        }
    }
}
