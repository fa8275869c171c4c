//! What a task runs that nobody waits for.

use asyncfix_analysis::answers::entry_point::is_entry_point;
use asyncfix_analysis::answers::task::makes_task;
use asyncfix_syntax::queries::{awaits, last_name};
use asyncfix_syntax::site::Owner;
use ruff_python_ast::helpers::{any_over_body, any_over_expr};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr};

use crate::file::File;

/// Why a first `await` in a function may keep it from coming to its end: so far nothing in it waits, so that a task
/// runs it in one step, and where nobody waits for that task, the end of the loop cancels it.
pub(super) fn cut_short(file: &File<'_, '_>, owner: Owner<'_>) -> Option<&'static str> {
    let Owner::Function(function) = owner else {
        return None;
    };
    if !function.is_async || awaits(&function.body) {
        return None;
    }
    let mut search = Tasks {
        file,
        name: &function.name,
        ancestors: Vec::new(),
        found: false,
    };
    search.visit_body(file.body());
    search.found.then_some(
        "nobody waits for the task that runs this: with an `await` in it, it may be cancelled before its end",
    )
}

/// Looks for a task of a function that nobody waits for.
struct Tasks<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    name: &'f str,
    ancestors: Vec<AnyNodeRef<'f>>,
    found: bool,
}

impl<'f> Tasks<'f, 'f, '_> {
    fn is_task_of_it(&self, call: &ast::ExprCall) -> bool {
        let runs = matches!(call.arguments.args.first(), Some(Expr::Call(coroutine))
            if last_name(&coroutine.func) == Some(self.name));
        runs && makes_task(self.file, call)
    }

    /// Whether what is made at the current place is dropped, or kept where no `await` reaches it.
    fn is_left_alone(&self) -> bool {
        let owner = self
            .ancestors
            .iter()
            .rev()
            .find_map(|node| node.as_stmt_function_def());
        let target = match self.ancestors.last() {
            // Where a program ends, AF801 waits for a task that is dropped.
            Some(AnyNodeRef::StmtExpr(_)) => {
                return !is_entry_point(
                    self.file,
                    owner.map_or(Owner::Module, |function| Owner::Function(function)),
                );
            }
            Some(AnyNodeRef::StmtAssign(assign)) => assign.targets.first(),
            Some(AnyNodeRef::StmtAnnAssign(assign)) => Some(&*assign.target),
            _ => None,
        };
        let Some(target @ (Expr::Name(_) | Expr::Attribute(_))) = target else {
            return false;
        };
        let is_it = |expr: &Expr| self.file.text(expr) == self.file.text(target);
        let functions = self.ancestors.iter().rev();
        let around = functions
            .filter_map(|node| node.as_stmt_function_def())
            .find(|_| target.is_name_expr());
        !any_over_body(
            around.map_or(self.file.body(), |function| &function.body),
            |expr| matches!(expr, Expr::Await(awaited) if any_over_expr(&awaited.value, is_it)),
        )
    }
}

impl<'f> SourceOrderVisitor<'f> for Tasks<'f, 'f, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'f>) -> TraversalSignal {
        if let AnyNodeRef::ExprCall(call) = node
            && self.is_task_of_it(call)
        {
            self.found |= self.is_left_alone();
        }
        self.ancestors.push(node);
        TraversalSignal::Traverse
    }

    fn leave_node(&mut self, _node: AnyNodeRef<'f>) {
        self.ancestors.pop();
    }
}
