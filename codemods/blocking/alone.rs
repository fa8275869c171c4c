//! Whether nothing else could run while a program waits for its user.

use asyncfix_analysis::facts::imports::{Import, for_each_import};
use asyncfix_knowledge::stdlib::is_stdlib;
use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::Owner;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr};

use crate::file::File;

/// What makes a loop do more than one thing, by name: to be wrong about one means to report.
const STARTING: &[&str] = &[
    "TaskGroup",
    "add_reader",
    "as_completed",
    "call_at",
    "call_later",
    "call_soon",
    "call_soon_threadsafe",
    "connect_read_pipe",
    "create_connection",
    "create_server",
    "create_task",
    "ensure_future",
    "gather",
    "open_connection",
    "open_nursery",
    "run_coroutine_threadsafe",
    "run_forever",
    "run_in_executor",
    "start_server",
    "start_soon",
    "start_unix_server",
    "wait",
];

/// Whether the file is a whole program that runs its own loop, imports nothing but the standard
/// library, and starts nothing that would have to wait while a coroutine of it blocks.
pub fn nothing_else_runs(file: &File<'_, '_>, owner: Owner<'_>) -> bool {
    if !matches!(owner, Owner::Function(_)) || file.is_imported() {
        return false;
    }
    let mut is_plain = true;
    let is_known = |module: &str| module.split('.').next().is_some_and(is_stdlib);
    for_each_import(file.body(), &mut |import| {
        is_plain &= match import {
            Import::Module(names) => names.iter().all(|alias| is_known(&alias.name)),
            Import::From(from) => from.level == 0 && from.module.as_deref().is_some_and(is_known),
        };
    });
    let mut search = Search {
        file,
        runs: false,
        starts: false,
    };
    if is_plain {
        search.visit_body(file.body());
    }
    is_plain && search.runs && !search.starts
}

struct Search<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    runs: bool,
    starts: bool,
}

impl<'b> SourceOrderVisitor<'b> for Search<'_, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'b>) -> TraversalSignal {
        match node {
            AnyNodeRef::ExprAttribute(ast::ExprAttribute { attr, .. }) => {
                self.starts |= STARTING.contains(&attr.as_str());
            }
            AnyNodeRef::ExprName(name) => self.starts |= STARTING.contains(&name.id.as_str()),
            AnyNodeRef::ExprCall(call) => {
                self.runs |= last_name(&call.func) == Some("run") && self.means_run(&call.func);
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }
}

impl Search<'_, '_, '_> {
    fn means_run(&self, callee: &Expr) -> bool {
        self.file
            .semantics
            .means(callee, &["asyncio.run", "asyncio.runners.run"])
    }
}
