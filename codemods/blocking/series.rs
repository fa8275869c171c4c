//! Commands of one tool that follow each other: `git add`, `git commit`, `git push`. On the event loop nothing comes
//! between them.

use std::cell::RefCell;
use std::rc::Rc;

use asyncfix_analysis::limits::{LETTING_RUN, LOOPS, Limit};
use asyncfix_analysis::resolve::semantics::Semantics;
use asyncfix_knowledge::conduct::tool_keeps_state;
use asyncfix_syntax::queries::{last_name, own_code};
use asyncfix_syntax::site::{Owner, suites_in};
use ruff_python_ast::visitor::source_order::{
    SourceOrderVisitor, TraversalSignal, walk_expr, walk_stmt,
};
use ruff_python_ast::{self as ast, AnyNodeRef, ExceptHandler, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange, TextSize};
use rustc_hash::FxHashMap;

use crate::blocking::commands::{Folder, run_by_call};
use crate::blocking::files::is_run_once;
use crate::file::File;

/// How many commands of whatever tool make a series.
const SERIES: usize = 3;

/// Why others must not run between the command that a call runs, in the code of `owner`, and its neighbours: there, or
/// where the function is awaited.
pub(super) fn opened(
    file: &File<'_, '_>,
    owner: Owner<'_>,
    call: &ast::ExprCall,
) -> Option<String> {
    let Owner::Function(function) = owner else {
        return None;
    };
    let semantics = &file.semantics;
    let table = &file.settings.blocking;
    // Most calls run one command.
    if run_by_call(semantics, table, call, Some(function)).is_empty() {
        return None;
    }
    let own = in_a_row(file, function);
    if let Some(tool) = own.tool_of(|step| step.range == call.range())
        && !is_run_once(file, function)
    {
        return Some(format!(
            "other tasks may run between these commands, and use `{tool}` as well"
        ));
    }
    if own.is_opened {
        return None;
    }
    let known = file
        .series
        .by_callers
        .borrow()
        .get(&function.start())
        .cloned();
    if let Some(known) = known {
        return known;
    }
    let reason = of_callers(file, function);
    let mut known = file.series.by_callers.borrow_mut();
    known.insert(function.start(), reason.clone());
    reason
}

/// What is known of the commands in a file so far, by the starts of functions.
#[derive(Default)]
pub(crate) struct Memory {
    in_a_row: RefCell<FxHashMap<TextSize, Rc<InARow>>>,
    /// Why others must not run between calls of the function, where it is called.
    by_callers: RefCell<FxHashMap<TextSize, Option<String>>>,
}

/// The commands of a function that nothing else can come between.
struct InARow {
    /// Those that have another one beside them.
    steps: Vec<Step>,
    /// Whether something is awaited that lets others run.
    is_opened: bool,
}

impl InARow {
    /// The tool of a series that one of these commands is part of.
    fn tool_of(&self, is_it: impl Fn(&Step) -> bool) -> Option<&str> {
        let step = self.steps.iter().find(|step| is_it(step))?;
        Some(&step.tool)
    }
}

fn in_a_row(file: &File<'_, '_>, function: &ast::StmtFunctionDef) -> Rc<InARow> {
    let known = file
        .series
        .in_a_row
        .borrow()
        .get(&function.start())
        .cloned();
    known.unwrap_or_else(|| {
        let found = Rc::new(Series::of(file, function).finish());
        let mut known = file.series.in_a_row.borrow_mut();
        known.insert(function.start(), Rc::clone(&found));
        found
    })
}

/// Why others must not run between the commands of a function, where coroutine functions call it.
fn of_callers(file: &File<'_, '_>, function: &ast::StmtFunctionDef) -> Option<String> {
    let mut callers = Callers {
        file,
        name: &function.name,
        found: Vec::new(),
    };
    callers.visit_body(file.body());
    let others = callers.found.into_iter();
    let mut others = others.filter(|other| {
        other.is_async && other.range() != function.range() && !is_run_once(file, other)
    });
    others.find_map(|caller| {
        let series = in_a_row(file, caller);
        let tool = series.tool_of(|step| step.function == Some(function.range()))?;
        Some(format!(
            "`{}` runs several `{tool}` commands in a row, and other tasks may run in between",
            caller.name
        ))
    })
}

/// Looks for the functions in whose code a name is called.
struct Callers<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    name: &'f str,
    found: Vec<&'a ast::StmtFunctionDef>,
}

impl<'a> SourceOrderVisitor<'a> for Callers<'_, 'a, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if let AnyNodeRef::StmtFunctionDef(function) = node
            && self.file.text(function).contains(self.name)
        {
            let mut calls = Calls(self.name, false);
            calls.visit_body(&function.body);
            if calls.1 {
                self.found.push(function);
            }
        }
        if node.is_expression() {
            TraversalSignal::Skip
        } else {
            TraversalSignal::Traverse
        }
    }
}

struct Calls<'n>(&'n str, bool);

impl<'a> SourceOrderVisitor<'a> for Calls<'_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        self.1 |=
            matches!(node, AnyNodeRef::ExprCall(call) if last_name(&call.func) == Some(self.0));
        own_code(node)
    }
}

/// A command that a function runs.
struct Step {
    /// The call that leads to it.
    range: TextRange,
    /// The function of the module that is called.
    function: Option<TextRange>,
    tool: String,
    folder: Folder,
    only_reads: bool,
}

/// The commands that a function runs, and which of them nothing else can come between.
struct Series<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    function: &'a ast::StmtFunctionDef,
    steps: Vec<Step>,
    /// Those since something was awaited that lets others run, by their numbers.
    since: Vec<usize>,
    /// Those that have another one beside them.
    together: Vec<usize>,
    /// Whether something is awaited that lets others run.
    is_opened: bool,
    loops: usize,
}

impl<'f, 'a, 'db> Series<'f, 'a, 'db> {
    fn of(file: &'f File<'a, 'db>, function: &'a ast::StmtFunctionDef) -> Self {
        let mut series = Self {
            file,
            function,
            steps: Vec::new(),
            since: Vec::new(),
            together: Vec::new(),
            is_opened: false,
            loops: 0,
        };
        series.visit_body(&function.body);
        series
    }

    /// What was found, in the order in which it was.
    fn finish(mut self) -> InARow {
        self.together.sort_unstable();
        self.together.dedup();
        let mut steps = self.steps.into_iter().map(Some).collect::<Vec<_>>();
        let together = self.together.into_iter();
        InARow {
            steps: together
                .filter_map(|at| steps.get_mut(at)?.take())
                .collect(),
            is_opened: self.is_opened,
        }
    }

    fn open(&mut self) {
        self.is_opened = true;
        self.since.clear();
    }

    /// A call that runs commands, if it does.
    fn run(&mut self, call: &'a ast::ExprCall) {
        let semantics = &self.file.semantics;
        let table = &self.file.settings.blocking;
        let commands = run_by_call(semantics, table, call, Some(self.function));
        if commands.is_empty() {
            return;
        }
        let called = semantics.function_in_sight(&call.func);
        let function = called
            .filter(|called| semantics.is_here(called.definition()))
            .and_then(|called| Some(called.node(semantics.db())?.range()));
        for command in commands {
            if let Some(tool) = command.tool().filter(|_| !command.is_about_tool()) {
                self.add(Step {
                    range: call.range(),
                    function,
                    tool: tool.to_owned(),
                    only_reads: command.only_reads(),
                    folder: command.folder,
                });
            }
        }
    }

    fn add(&mut self, step: Step) {
        let new = self.steps.len();
        let others = self.since.iter().filter(|at| {
            self.steps
                .get(**at)
                .is_some_and(|other| other.tool == step.tool && other.folder == step.folder)
        });
        let others: Vec<usize> = others.copied().collect();
        let is_other = |at: &&usize| {
            self.steps.get(**at).is_some_and(|other| {
                // In one folder, what one leaves there is what the next one finds.
                let is_bound = match step.folder {
                    Folder::Named(_) => true,
                    Folder::Current => tool_keeps_state(&step.tool),
                    Folder::Own | Folder::Unknown => false,
                };
                is_bound && !(step.only_reads && other.only_reads)
            })
        };
        let mut paired: Vec<usize> = others.iter().filter(is_other).copied().collect();
        let mut places: Vec<TextRange> = others
            .iter()
            .filter_map(|at| self.steps.get(*at))
            .map(|other| other.range)
            .filter(|range| *range != step.range)
            .collect();
        places.dedup();
        let is_one_for_each = matches!(step.folder, Folder::Own | Folder::Unknown);
        if places.len() + 1 >= SERIES && !is_one_for_each && !step.only_reads {
            paired.extend(&others);
        }
        if !paired.is_empty() {
            self.together.extend(paired);
            self.together.push(new);
        }
        self.since.push(new);
        self.steps.push(step);
    }

    /// Goes through suites of which one is run, or none.
    fn branches(&mut self, suites: Vec<&'a [Stmt]>, may_be_none: bool) {
        let before = self.since.clone();
        let mut after = if may_be_none {
            before.clone()
        } else {
            Vec::new()
        };
        for suite in suites {
            self.since.clone_from(&before);
            self.visit_body(suite);
            after.append(&mut self.since);
        }
        after.sort_unstable();
        after.dedup();
        self.since = after;
    }

    /// Goes through what is done again and again.
    fn repeated(&mut self, mut once: impl FnMut(&mut Self)) {
        let before = self.since.clone();
        self.loops += 1;
        once(self);
        if LOOPS.allows(self.loops) {
            once(self);
        }
        self.loops -= 1;
        self.since.extend(before);
        self.since.sort_unstable();
        self.since.dedup();
    }

    /// Whether a function lets others run when it is awaited.
    fn opens(&self, call: &ast::ExprCall) -> bool {
        let semantics = &self.file.semantics;
        let called = semantics.function_in_sight(&call.func);
        let node = called
            .as_ref()
            .and_then(|called| called.node(semantics.db()));
        let (Some(called), Some(node)) = (&called, node) else {
            return true;
        };
        let own = semantics.of_function(called);
        !node.is_async || lets_others_run(&own, node, LETTING_RUN)
    }
}

/// What is awaited in the body of a function.
struct Awaits<'b> {
    calls: Vec<&'b ast::ExprCall>,
    found: bool,
}

impl<'b> SourceOrderVisitor<'b> for Awaits<'b> {
    fn enter_node(&mut self, node: AnyNodeRef<'b>) -> TraversalSignal {
        match node {
            AnyNodeRef::ExprAwait(awaited) => match &*awaited.value {
                Expr::Call(call) => self.calls.push(call),
                _ => self.found = true,
            },
            AnyNodeRef::StmtWith(with) => self.found |= with.is_async,
            AnyNodeRef::StmtFor(statement) => self.found |= statement.is_async,
            AnyNodeRef::Comprehension(clause) => self.found |= clause.is_async,
            _ => {}
        }
        own_code(node)
    }
}

/// Whether a coroutine function may wait for something.
fn lets_others_run(own: &Semantics<'_>, node: &ast::StmtFunctionDef, depth: Limit) -> bool {
    let Some(depth) = depth.less() else {
        return true;
    };
    let mut awaits = Awaits {
        calls: Vec::new(),
        found: false,
    };
    awaits.visit_body(&node.body);
    awaits.found
        || awaits.calls.iter().any(|call| {
            let called = own.function_in_sight(&call.func);
            let node = called.as_ref().and_then(|called| called.node(own.db()));
            match (&called, node) {
                (Some(called), Some(node)) => {
                    !node.is_async || lets_others_run(&own.of_function(called), node, depth)
                }
                _ => true,
            }
        })
}

impl<'a> SourceOrderVisitor<'a> for Series<'_, 'a, '_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => {}
            Stmt::If(inner) => {
                self.visit_expr(&inner.test);
                for clause in &inner.elif_else_clauses {
                    if let Some(test) = &clause.test {
                        self.visit_expr(test);
                    }
                }
                let has_else = inner
                    .elif_else_clauses
                    .last()
                    .is_some_and(|clause| clause.test.is_none());
                self.branches(suites_in(statement), !has_else);
            }
            Stmt::Match(inner) => {
                self.visit_expr(&inner.subject);
                self.branches(suites_in(statement), true);
            }
            Stmt::For(inner) => {
                self.visit_expr(&inner.iter);
                self.repeated(|this| {
                    if inner.is_async {
                        this.open();
                    }
                    this.visit_body(&inner.body);
                });
                self.visit_body(&inner.orelse);
            }
            Stmt::While(inner) => {
                self.repeated(|this| {
                    this.visit_expr(&inner.test);
                    this.visit_body(&inner.body);
                });
                self.visit_body(&inner.orelse);
            }
            Stmt::With(inner) => {
                for item in &inner.items {
                    self.visit_expr(&item.context_expr);
                }
                if inner.is_async {
                    self.open();
                }
                self.visit_body(&inner.body);
                if inner.is_async {
                    self.open();
                }
            }
            Stmt::Try(inner) => {
                self.visit_body(&inner.body);
                let handlers = inner.handlers.iter().map(|handler| {
                    let ExceptHandler::ExceptHandler(handler) = handler;
                    handler.body.as_slice()
                });
                let suites = handlers.chain([inner.orelse.as_slice()]).collect();
                self.branches(suites, false);
                self.visit_body(&inner.finalbody);
            }
            Stmt::Return(_) | Stmt::Raise(_) => {
                walk_stmt(self, statement);
                self.since.clear();
            }
            _ => walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Lambda(_) => {}
            Expr::Await(awaited) => {
                if let Expr::Call(call) = &*awaited.value
                    && !self.opens(call)
                {
                    self.visit_expr(&awaited.value);
                } else {
                    walk_expr(self, expr);
                    self.open();
                }
            }
            Expr::ListComp(_) | Expr::SetComp(_) | Expr::DictComp(_) => {
                self.repeated(|this| walk_expr(this, expr));
            }
            Expr::Call(call) => {
                walk_expr(self, expr);
                self.run(call);
            }
            _ => walk_expr(self, expr),
        }
    }
}
