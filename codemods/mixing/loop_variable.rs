//! A variable for the event loop that only runs coroutines on it: it goes with the last of these calls.

use asyncfix_knowledge::loops::SOURCES;
use asyncfix_syntax::site::suites_in;
use ruff_diagnostics::Edit;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ruff_source_file::LineRanges;
use ruff_text_size::{Ranged, TextRange};

use crate::file::File;

/// A local variable that holds an event loop.
pub(super) struct LoopVariable {
    /// How many calls run a coroutine on it.
    pub(super) uses: usize,
    /// The edit that removes its assignment.
    pub(super) removal: Edit,
}

impl LoopVariable {
    /// The variable that `call` runs a coroutine on. `None` where it is used for anything else, or its assignment has a
    /// comment or is all of a block.
    pub(super) fn of(
        file: &File<'_, '_>,
        function: &ast::StmtFunctionDef,
        call: &ast::ExprCall,
    ) -> Option<Self> {
        let Expr::Attribute(method) = &*call.func else {
            return None;
        };
        let name = method.value.as_name_expr()?;
        let mut uses = Uses {
            name: &name.id,
            runs: 0,
            bound: 0,
            is_used_otherwise: false,
            ancestors: Vec::new(),
        };
        uses.visit_body(&function.body);
        if uses.is_used_otherwise || uses.bound != 1 {
            return None;
        }
        let (suite, index) = assignment(file, &function.body, &name.id)?;
        let statement = suite.get(index)?;
        let lines = TextRange::new(
            file.source.line_start(statement.start()),
            file.source.line_end(statement.end()),
        );
        if suite.len() < 2 || file.comments.intersects(lines) {
            return None;
        }
        Some(Self {
            uses: uses.runs,
            removal: file.lines().delete(suite, index).ok()?,
        })
    }
}

/// The suite and the index of the statement that binds the name to an event loop of asyncio.
fn assignment<'n>(
    file: &File<'_, '_>,
    suite: &'n [Stmt],
    name: &str,
) -> Option<(&'n [Stmt], usize)> {
    suite.iter().enumerate().find_map(|(index, statement)| {
        if let Stmt::Assign(assign) = statement
            && let [Expr::Name(target)] = assign.targets.as_slice()
            && target.id == name
        {
            let is_loop = matches!(&*assign.value, Expr::Call(call)
                if call.arguments.is_empty() && file.semantics.means(&call.func, &SOURCES));
            return is_loop.then_some((suite, index));
        }
        let mut inner = match statement {
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => Vec::new(),
            other => suites_in(other),
        }
        .into_iter();
        inner.find_map(|suite| assignment(file, suite, name))
    })
}

/// Counts what is done with a name.
struct Uses<'n, 'a> {
    name: &'n str,
    /// Calls that run a coroutine on it.
    runs: usize,
    bound: usize,
    is_used_otherwise: bool,
    ancestors: Vec<AnyNodeRef<'a>>,
}

impl<'a> SourceOrderVisitor<'a> for Uses<'_, 'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::ExprName(name) if name.id == self.name => {
                let mut around = self.ancestors.iter().rev();
                let is_run = matches!(around.next(), Some(AnyNodeRef::ExprAttribute(method))
                    if method.attr.as_str() == "run_until_complete")
                    && matches!(around.next(), Some(AnyNodeRef::ExprCall(call))
                        if call.func.range().contains_range(name.range()));
                let is_nested = self
                    .ancestors
                    .iter()
                    .any(|node| node.is_stmt_function_def() || node.is_expr_lambda());
                match name.ctx {
                    ast::ExprContext::Store => self.bound += 1,
                    ast::ExprContext::Load if is_run && !is_nested => self.runs += 1,
                    _ => self.is_used_otherwise = true,
                }
            }
            AnyNodeRef::StmtGlobal(ast::StmtGlobal { names, .. })
            | AnyNodeRef::StmtNonlocal(ast::StmtNonlocal { names, .. }) => {
                self.is_used_otherwise |= names.iter().any(|other| other.as_str() == self.name);
            }
            _ => {}
        }
        self.ancestors.push(node);
        TraversalSignal::Traverse
    }

    fn leave_node(&mut self, _node: AnyNodeRef<'a>) {
        self.ancestors.pop();
    }
}
