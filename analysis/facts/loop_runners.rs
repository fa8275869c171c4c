//! Plain functions that may run an event loop, by their names.

use crate::limits::LOOP_RUNNERS;
use asyncfix_syntax::queries::{last_name, own_calls};
use ruff_python_ast::Stmt;
use ruff_python_ast::name::Name;
use rustc_hash::FxHashSet;

/// The names of plain functions, of a module or of one of its classes, that call something named like what runs a loop,
/// or another one that does.
pub(crate) fn loop_runners(module: &[Stmt]) -> FxHashSet<Name> {
    let classes = module.iter().filter_map(Stmt::as_class_def_stmt);
    let functions: Vec<_> = module
        .iter()
        .chain(classes.flat_map(|class| &class.body))
        .filter_map(Stmt::as_function_def_stmt)
        .filter(|function| !function.is_async)
        .map(|function| {
            let calls = own_calls(&function.body).into_iter();
            let called: FxHashSet<&str> = calls.filter_map(|call| last_name(&call.func)).collect();
            (&function.name.id, called)
        })
        .collect();
    let mut found: FxHashSet<Name> = FxHashSet::default();
    for _ in LOOP_RUNNERS.rounds() {
        let runs =
            |name: &&str| matches!(*name, "run" | "run_until_complete") || found.contains(*name);
        let more: Vec<Name> = functions
            .iter()
            .filter(|(name, called)| !found.contains(*name) && called.iter().any(runs))
            .map(|(name, _)| (*name).clone())
            .collect();
        if more.is_empty() {
            break;
        }
        found.extend(more);
    }
    found
}
