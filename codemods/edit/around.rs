//! The blocks that an error of a call passes on its way out: those around the call, and those around calls of the
//! function that it is part of.

use asyncfix_analysis::limits::CALLERS;
use asyncfix_analysis::resolve::semantics::Semantics;
use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::{Owner, Site};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal, walk_stmt};
use ruff_python_ast::{self as ast, AnyNodeRef, Stmt};
use ruff_text_size::Ranged;

use crate::file::File;

/// A block that an error passes.
#[derive(Clone, Copy)]
pub enum Block<'a> {
    /// The body of a `try`.
    Try(&'a ast::StmtTry),
    /// A handler or the `else` of a `try`, behind which its `finally` runs.
    Finally(&'a ast::StmtTry),
    /// The body of a `with`.
    With(&'a ast::StmtWith),
}

/// Where a block stands.
#[derive(Clone, Copy)]
pub struct Passed<'a> {
    /// The block.
    pub block: Block<'a>,
    /// The function that it is in.
    pub function: Option<&'a ast::StmtFunctionDef>,
    /// The call in it that leads to the one that is asked about. `None` where that stands in the block itself.
    pub call: Option<&'a ast::ExprCall>,
}

/// Whether `is_it` holds for a block that an error at `site` passes, or comes to later by a task where it goes
/// `through_tasks`. Callers are those of the same file, by name where it can't be told, because being wrong about one
/// only means to hold back.
pub fn any<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    through_tasks: bool,
    is_it: &mut dyn FnMut(Passed<'a>) -> bool,
) -> bool {
    let function = match site.owner() {
        Owner::Function(function) => Some(function),
        Owner::Module | Owner::Lambda(_) => None,
    };
    let is_around = site.enclosing_in_function().any(|(node, child)| {
        let holds = |body: &[Stmt]| {
            body.iter()
                .any(|inner| inner.range().contains_range(child.range()))
        };
        let block = match node {
            AnyNodeRef::StmtTry(inner) if holds(&inner.body) => Block::Try(inner),
            AnyNodeRef::StmtTry(inner) if !holds(&inner.finalbody) => Block::Finally(inner),
            AnyNodeRef::StmtWith(with) if holds(&with.body) => Block::With(with),
            _ => return false,
        };
        is_it(Passed {
            block,
            function,
            call: None,
        })
    });
    let Some(function) = function else {
        return is_around;
    };
    if is_around {
        return true;
    }
    let mut called = vec![function];
    let mut looked_for = called.clone();
    for _ in CALLERS.rounds() {
        if called.is_empty() {
            break;
        }
        let mut search = Callers {
            semantics: &file.semantics,
            called: &called,
            through_tasks,
            is_it: &mut *is_it,
            function: None,
            blocks: Vec::new(),
            tasks: 0,
            called_in: Vec::new(),
            found: false,
        };
        search.visit_body(file.body());
        if search.found {
            return true;
        }
        called = search.called_in;
        called.retain(|function| {
            let is_new = !looked_for
                .iter()
                .any(|other| std::ptr::eq(*other, *function));
            if is_new {
                looked_for.push(function);
            }
            is_new
        });
    }
    false
}

/// Looks for calls of some functions.
struct Callers<'s, 'a, 'db> {
    semantics: &'s Semantics<'db>,
    called: &'s [&'a ast::StmtFunctionDef],
    through_tasks: bool,
    is_it: &'s mut dyn FnMut(Passed<'a>) -> bool,
    /// The function around.
    function: Option<&'a ast::StmtFunctionDef>,
    /// The blocks around in it.
    blocks: Vec<Block<'a>>,
    /// How many calls around make a task of what they are given.
    tasks: usize,
    called_in: Vec<&'a ast::StmtFunctionDef>,
    found: bool,
}

impl<'a> Callers<'_, 'a, '_> {
    /// Whether a call is one of the functions, as far as it can be told.
    fn is_one(&self, call: &ast::ExprCall) -> bool {
        let Some(name) = last_name(&call.func) else {
            return false;
        };
        let mut called = self.called.iter().filter(|function| function.name == *name);
        if called.clone().next().is_none() {
            return false;
        }
        let Some(function) = self.semantics.function_in_sight(&call.func) else {
            return true;
        };
        called.any(|own| self.semantics.definition_of(own) == Some(function.definition()))
    }

    fn visit_block(&mut self, block: Block<'a>, body: &'a [Stmt]) {
        self.blocks.push(block);
        self.visit_body(body);
        self.blocks.pop();
    }
}

impl<'a> SourceOrderVisitor<'a> for Callers<'_, 'a, '_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            _ if self.found => {}
            Stmt::FunctionDef(function) => {
                let blocks = std::mem::take(&mut self.blocks);
                let around = self.function.replace(function);
                walk_stmt(self, statement);
                self.function = around;
                self.blocks = blocks;
            }
            Stmt::Try(inner) => {
                self.visit_block(Block::Try(inner), &inner.body);
                self.blocks.push(Block::Finally(inner));
                for handler in &inner.handlers {
                    self.visit_except_handler(handler);
                }
                self.visit_body(&inner.orelse);
                self.blocks.pop();
                self.visit_body(&inner.finalbody);
            }
            Stmt::With(with) => {
                for item in &with.items {
                    self.visit_with_item(item);
                }
                self.visit_block(Block::With(with), &with.body);
            }
            _ => walk_stmt(self, statement),
        }
    }

    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        let AnyNodeRef::ExprCall(call) = node else {
            return TraversalSignal::Traverse;
        };
        if (self.tasks == 0 || self.through_tasks) && self.is_one(call) {
            for block in self.blocks.iter().rev() {
                self.found |= (self.is_it)(Passed {
                    block: *block,
                    function: self.function,
                    call: Some(call),
                });
            }
            self.called_in.extend(self.function);
        }
        self.tasks += usize::from(makes_task(call));
        TraversalSignal::Traverse
    }

    fn leave_node(&mut self, node: AnyNodeRef<'a>) {
        if let AnyNodeRef::ExprCall(call) = node {
            self.tasks -= usize::from(makes_task(call));
        }
    }
}

/// Whether a call gives what it is given to a task, by its name.
fn makes_task(call: &ast::ExprCall) -> bool {
    matches!(
        last_name(&call.func),
        Some("create_task" | "ensure_future" | "start_soon" | "run_coroutine_threadsafe")
    )
}
