//! Tasks that a script makes before any event loop runs: `asyncio.create_task` raises there, and what a loop is only
//! given never starts.

use asyncfix_analysis::answers::awaitable::awaitability_of;
use asyncfix_analysis::answers::runners::runs_loop;
use asyncfix_analysis::answers::starts::{Other, Start, script, starting_function};
use asyncfix_analysis::infer::types::Awaitability;
use asyncfix_analysis::resolve::bindings::Origin;
use asyncfix_knowledge::libraries::Library;
use asyncfix_knowledge::loops::SOURCES;
use asyncfix_syntax::queries::is_main_guard;
use asyncfix_syntax::site::{Owner, Site};
use ruff_diagnostics::Edit;
use ruff_python_ast::{self as ast, AnyNodeRef, Expr};
use ruff_text_size::Ranged;

use crate::edit::imports;
use crate::file::File;
use crate::finding::Rewrite;

/// What schedules a coroutine on the loop that runs.
const SCHEDULING: [&str; 2] = ["asyncio.create_task", "asyncio.ensure_future"];

/// Modules by which a project imports files that nothing names.
const IMPORTING: [&str; 4] = ["imp", "importlib", "pkgutil", "runpy"];

/// What marks the cells of a notebook, in which a loop may be running.
const CELLS: [&str; 3] = ["# %%", "# In[", "get_ipython"];

/// A coroutine that a script schedules where no event loop runs.
pub(crate) struct ScriptTask<'a> {
    start: Start<'a>,
    call: &'a ast::ExprCall,
    coroutine: &'a ast::ExprCall,
}

/// Whether a call may schedule a coroutine, and its statement drops the task; judged by the tree alone.
pub(crate) fn may_be_one(site: &Site<'_, '_>, call: &ast::ExprCall) -> bool {
    is_dropped(site) && matches!(call.arguments.args.first(), Some(Expr::Call(_)))
}

/// Whether the value of the expression is dropped, or given to `_`.
fn is_dropped(site: &Site<'_, '_>) -> bool {
    match site.parent() {
        Some(AnyNodeRef::StmtExpr(_)) => true,
        Some(AnyNodeRef::StmtAssign(statement)) => matches!(
            statement.targets.as_slice(),
            [Expr::Name(name)] if name.id == "_"
        ),
        _ => false,
    }
}

impl<'a> ScriptTask<'a> {
    /// The coroutine that `call` schedules, where no event loop runs there and none ever runs it.
    pub(crate) fn of(
        file: &File<'a, '_>,
        site: &Site<'_, 'a>,
        call: &'a ast::ExprCall,
    ) -> Option<Self> {
        if !is_dropped(site) || !matches!(file.library(), None | Some(Library::Asyncio)) {
            return None;
        }
        let Some(Expr::Call(coroutine)) = call.arguments.args.first() else {
            return None;
        };
        let start = no_loop_at(file, site)?;
        let raises = file.semantics.means(&call.func, &["asyncio.create_task"]);
        if !raises && !is_never_run(file, site, call) {
            return None;
        }
        (awaitability_of(file, coroutine) == Awaitability::Coroutine).then_some(Self {
            start,
            call,
            coroutine,
        })
    }

    /// Runs the coroutine instead. `Err` with the reason why that cannot be.
    pub(crate) fn rewrite(&self, file: &File<'a, '_>, owner: Owner<'a>) -> Result<Rewrite, String> {
        let other = self.start.other(file, &[self.coroutine]);
        if let Some(reason) = other.as_ref().and_then(Other::reason) {
            return Err(reason);
        }
        let scope = file
            .semantics
            .scope_of_owner(owner)
            .ok_or("the scope of the call can't be found")?;
        let imported = imports::import(file, "asyncio", "run", scope, self.call.start())?;
        let arguments = &self.call.arguments;
        let edits = vec![Edit::range_replacement(
            imported.expression.clone(),
            self.call.func.range(),
        )];
        if arguments.len() > 1 {
            return Err("the other arguments (such as `name=`) would be lost".to_owned());
        }
        Ok(
            Rewrite::safe(format!("Run it with `{}`", imported.expression), edits)
                .with_shared(imported.edit)
                .unsafe_if(other.and_then(|other| other.doubt())),
        )
    }
}

/// Whether a script gathers coroutines where no event loop runs, and drops the future.
pub(crate) fn gathers<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    call: &'a ast::ExprCall,
) -> bool {
    let makes_coroutine = |argument: &Expr| {
        matches!(argument, Expr::Call(call)
            if awaitability_of(file, call) == Awaitability::Coroutine)
    };
    is_dropped(site)
        && file.semantics.means(&call.func, &["asyncio.gather"])
        && no_loop_at(file, site).is_some()
        && call.arguments.args.iter().any(makes_coroutine)
        && !runs_loop(&file.semantics, file.body())
}

/// Where the program starts, if the code at `site` is part of that, so that no event loop runs there.
fn no_loop_at<'a>(file: &File<'a, '_>, site: &Site<'_, 'a>) -> Option<Start<'a>> {
    let surroundings = file.surroundings(site);
    if file.is_async(surroundings.owner) || surroundings.obstacle.is_some() {
        return None;
    }
    if let Owner::Function(function) = surroundings.owner {
        return starting_function(file, site, function).ok();
    }
    let is_guarded = site.enclosing_in_function().any(
        |(node, child)| matches!(node, AnyNodeRef::StmtIf(inner) if is_main_guard(inner, child)),
    );
    // A plugin is imported by its name, while the program runs.
    let may_be_plugin = file.is_in_package()
        || IMPORTING
            .iter()
            .any(|package| file.project.imports_package(package))
        || CELLS.iter().any(|mark| file.source.contains(mark));
    if !is_guarded && may_be_plugin {
        return None;
    }
    match surroundings.owner {
        Owner::Module => script(file, site).ok(),
        _ => None,
    }
}

/// Whether a call gives a coroutine to a loop that nothing ever runs.
fn is_never_run(file: &File<'_, '_>, site: &Site<'_, '_>, call: &ast::ExprCall) -> bool {
    if runs_loop(&file.semantics, file.body()) {
        return false;
    }
    if file.semantics.means(&call.func, &SCHEDULING) {
        return true;
    }
    let Expr::Attribute(method) = &*call.func else {
        return false;
    };
    method.attr.as_str() == "create_task" && is_own_loop(file, &method.value) && is_last(site)
}

/// Whether an expression is a loop that only this file has.
fn is_own_loop(file: &File<'_, '_>, receiver: &Expr) -> bool {
    let is_source = |value: &Expr| matches!(value, Expr::Call(call) if file.semantics.means(&call.func, &SOURCES));
    match receiver {
        Expr::Name(name) => {
            let origins = file.semantics.origins(name);
            !origins.is_empty()
                && origins
                    .iter()
                    .all(|origin| matches!(origin, Origin::Value(value) if is_source(value)))
                && !file.is_imported_name(&name.id)
        }
        other => is_source(other),
    }
}

/// Whether nothing runs after the statement.
fn is_last(site: &Site<'_, '_>) -> bool {
    let mut site = site.statement();
    while let Some(inner) = site {
        match inner.place() {
            Some(place) if place.index + 1 < place.suite.len() => return false,
            _ => site = inner.outer().and_then(|outer| outer.statement()),
        }
    }
    true
}
