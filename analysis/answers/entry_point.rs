//! Where a program starts and ends.

use asyncfix_syntax::site::Owner;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ruff_text_size::Ranged;
use ty_python_core::definition::Definition;

use crate::answers::runners::given;
use crate::file::ParsedFile;
use crate::limits::{CALLERS, Limit};
use crate::resolve::bindings::Origin;

/// Whether the code is where a program starts and ends: module-level code that awaits, or a coroutine that the project
/// gives to a new event loop.
pub fn is_entry_point(file: &ParsedFile<'_, '_>, owner: Owner<'_>) -> bool {
    match owner {
        // Behind the last cell of a notebook, its event loop goes on.
        Owner::Module => file.awaits_at_top_level() && !file.is_notebook(),
        Owner::Function(function) => {
            function.is_async && (is_run_elsewhere(file, function) || is_run_here(file, function))
        }
        Owner::Lambda(_) => false,
    }
}

/// Whether a coroutine function is all that the loop runs which is made for it, so that its variables live as long as
/// that: the file gives it to `asyncio.run`, and does nothing else with it. Or it is what such a function does last.
pub fn lives_as_long_as_loop(file: &ParsedFile<'_, '_>, function: &ast::StmtFunctionDef) -> bool {
    is_last_of_loop(file, function, CALLERS)
}

fn is_last_of_loop(
    file: &ParsedFile<'_, '_>,
    function: &ast::StmtFunctionDef,
    callers: Limit,
) -> bool {
    let Some(of) = file.semantics.definition_of(function) else {
        return false;
    };
    if !function.is_async || file.is_imported_name(&function.name) {
        return false;
    }
    let mut runs = RunsAlone {
        runs: Runs {
            file,
            of,
            found: false,
        },
        name: &function.name,
        mentions: 0,
        last_of: None,
    };
    runs.visit_body(file.body());
    runs.mentions == 1
        && (runs.runs.found
            || matches!((runs.last_of, callers.less()), (Some(caller), Some(callers))
                if is_last_of_loop(file, caller, callers)))
}

/// Looks for `asyncio.run(f())`, for one function of the file, and counts where its name stands.
struct RunsAlone<'f, 'a, 'db> {
    runs: Runs<'f, 'a, 'db>,
    name: &'f str,
    mentions: usize,
    /// The coroutine function whose last statement awaits it.
    last_of: Option<&'a ast::StmtFunctionDef>,
}

impl<'a> SourceOrderVisitor<'a> for RunsAlone<'_, 'a, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        let file = self.runs.file;
        if let AnyNodeRef::StmtFunctionDef(caller) = node
            && let Some(Stmt::Expr(last)) = caller.body.last()
            && let Expr::Await(awaited) = &*last.value
            && let Expr::Call(call) = &*awaited.value
            && matches!(&*call.func, Expr::Name(name) if name.id == self.name)
        {
            self.last_of = Some(caller);
        }
        if let AnyNodeRef::ExprCall(call) = node
            && file.semantics.means(&call.func, &["asyncio.run"])
            && let Some(Expr::Call(given)) = call.arguments.args.first()
        {
            self.runs.found |= self.runs.names_it(&given.func);
        }
        self.mentions += usize::from(matches!(node, AnyNodeRef::ExprName(name)
            if name.id == self.name));
        TraversalSignal::Traverse
    }
}

/// Whether some file of the project runs the coroutine of a function of this module.
fn is_run_elsewhere(file: &ParsedFile<'_, '_>, function: &ast::StmtFunctionDef) -> bool {
    let at_module_level = file.body().iter().any(|statement| {
        matches!(statement, Stmt::FunctionDef(other) if other.range() == function.range())
    });
    let module = file.last_name_of_module();
    at_module_level && module.is_some_and(|module| file.project.runs(&module, &function.name))
}

/// Whether the file itself runs the coroutine of `function`.
fn is_run_here(file: &ParsedFile<'_, '_>, function: &ast::StmtFunctionDef) -> bool {
    let Some(of) = file.semantics.definition_of(function) else {
        return false;
    };
    let mut runs = Runs {
        file,
        of,
        found: false,
    };
    runs.visit_body(file.body());
    runs.found
}

/// Looks for `asyncio.run(f())`, `loop.run_until_complete(f())` and their like, for one function of the file.
struct Runs<'f, 'a, 'db> {
    file: &'f ParsedFile<'a, 'db>,
    of: Definition<'db>,
    found: bool,
}

impl<'a> SourceOrderVisitor<'a> for Runs<'_, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if let AnyNodeRef::ExprCall(call) = node
            && let Some(given) = given(&self.file.semantics, call)
        {
            self.found |= self.is_made_by_it(given);
        }
        TraversalSignal::Traverse
    }
}

impl Runs<'_, '_, '_> {
    /// Whether an expression is the function.
    fn names_it(&self, callee: &Expr) -> bool {
        let found = self.file.semantics.function_in_sight(callee);
        found.is_some_and(|function| function.definition() == self.of)
    }

    /// Whether a runner that is given `expr` runs the function: it is the function itself, a call of it, or a variable
    /// for one.
    fn is_made_by_it(&self, expr: &Expr) -> bool {
        let semantics = &self.file.semantics;
        match expr {
            Expr::Call(call) => self.names_it(&call.func),
            Expr::Name(name) => {
                self.names_it(expr)
                    || semantics.origins(name).iter().any(|origin| {
                        matches!(origin, Origin::Value(Expr::Call(call)) if self.names_it(&call.func))
                    })
            }
            other => self.names_it(other),
        }
    }
}
