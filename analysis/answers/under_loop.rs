//! What is different for plain code once an event loop runs it.

use asyncfix_knowledge::runners::TABLE;
use asyncfix_syntax::awaited::needs_coroutine;
use asyncfix_syntax::queries::{called, last_name};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal, walk_expr};
use ruff_python_ast::{self as ast, AnyNodeRef, ExceptHandler, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::FxHashSet;
use ty_python_core::definition::Definition;

use super::runners::{Runner, directly, runs_alone};
use crate::file::ParsedFile;
use crate::index::asked::Asked;
use crate::limits::{CALLS, Limit};
use crate::resolve::definitions::Function;
use crate::resolve::semantics::Semantics;

/// Methods that are called when an object is made or entered.
const MAKING: [&str; 3] = ["__new__", "__init__", "__enter__"];

/// What calls a function in another thread or process, where no loop is running.
const ELSEWHERE: [&str; 5] = [
    "asyncio.to_thread",
    "multiprocessing.Process",
    "multiprocessing.context.Process",
    "threading.Thread",
    "threading.Timer",
];

/// The methods that do.
const METHODS_ELSEWHERE: [&str; 2] = ["run_in_executor", "submit"];

/// Why plain code may break when an event loop runs it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Break {
    /// It fails wherever it gets there.
    Certain(String),
    /// It may.
    Possible(String),
}

impl Break {
    /// The reason of an unsafe fix; `Err` with the reason why there can be none.
    pub fn doubt(self) -> Result<String, String> {
        match self {
            Self::Certain(reason) => Err(reason),
            Self::Possible(reason) => Ok(reason),
        }
    }
}

/// Why plain code may break when it is run by an event loop: what it calls runs one itself, or it waits for Ctrl+C.
/// `awaited` are the functions that it will await.
pub fn breaks<'db>(
    file: &ParsedFile<'_, 'db>,
    body: &[Stmt],
    awaited: impl IntoIterator<Item = Definition<'db>>,
) -> Option<Break> {
    let mut search = Search {
        semantics: &file.semantics,
        project: file.project,
        seen: &mut awaited.into_iter().collect(),
        depth: CALLS,
        helper: None,
        is_of_project: true,
        elsewhere: Vec::new(),
        awaited: Vec::new(),
        found: None,
    };
    search.visit_body(body);
    search.found
}

/// Whether a statement handles Ctrl+C, other than by raising it again.
pub fn handles_interrupt(semantics: &Semantics<'_>, statement: &ast::StmtTry) -> bool {
    statement.handlers.iter().any(|handler| {
        let ExceptHandler::ExceptHandler(handler) = handler;
        let raises_again = matches!(handler.body.as_slice(),
            [Stmt::Raise(raise)] if raise.exc.is_none());
        !raises_again
            && handler
                .type_
                .as_deref()
                .is_some_and(|class| is_interrupt(semantics, class))
    })
}

fn is_interrupt(semantics: &Semantics<'_>, class: &Expr) -> bool {
    match class {
        Expr::Tuple(tuple) => tuple
            .elts
            .iter()
            .any(|class| is_interrupt(semantics, class)),
        class => semantics.means(class, &["builtins.KeyboardInterrupt"]),
    }
}

/// Whether a context manager suppresses Ctrl+C.
pub fn suppresses_interrupt(semantics: &Semantics<'_>, item: &ast::WithItem) -> bool {
    matches!(&item.context_expr, Expr::Call(call)
        if semantics.means(&call.func, &["contextlib.suppress"])
            && call.arguments.args.iter().any(|class| is_interrupt(semantics, class)))
}

fn runs_own_loop(name: &str) -> Break {
    Break::Certain(format!(
        "`{name}` runs its own event loop, which fails inside another one"
    ))
}

/// Looks for the first thing that breaks.
struct Search<'s, 'p, 'db> {
    semantics: &'s Semantics<'db>,
    project: Asked<'p>,
    /// Functions that were looked into, or need not be.
    seen: &'s mut FxHashSet<Definition<'db>>,
    depth: Limit,
    /// The function that the code calls which leads here; `None` for its own.
    helper: Option<&'s str>,
    is_of_project: bool,
    /// Arguments that are called where no loop is running.
    elsewhere: Vec<TextRange>,
    awaited: Vec<TextRange>,
    found: Option<Break>,
}

impl<'db> Search<'_, '_, 'db> {
    fn look_at(&mut self, call: &ast::ExprCall) {
        let runner = directly(self.semantics, call);
        self.found = match runner {
            // It becomes an `await`.
            Some(Runner::OfCoroutine) if self.helper.is_none() => None,
            Some(Runner::OfCoroutine | Runner::OfItsOwn(_)) => Some(self.runs(&call.func)),
            _ if runs_alone(self.semantics, call) => Some(self.runs(&call.func)),
            Some(Runner::Perhaps(name)) => Some(Break::Possible(format!(
                "`{name}` may run its own event loop, which fails inside another one"
            ))),
            None => None,
        };
    }

    /// That a call of `callee` runs a loop, or the helper that it stands in.
    fn runs(&self, callee: &Expr) -> Break {
        let name = self.helper.or_else(|| match callee {
            Expr::Call(maker) => last_name(&maker.func),
            callee => last_name(callee),
        });
        runs_own_loop(name.unwrap_or("this"))
    }

    /// Looks into what a name stands for, whether it is called here or by somebody who is given it.
    fn look_into(&mut self, expr: &Expr) {
        let db = self.semantics.db();
        if let Some(function) = self.semantics.function_in_sight(expr) {
            if let Some(node) = function.node(db) {
                self.look_into_function(&function, node, node.name.as_str());
            }
        } else if let Some(class) = self.semantics.class_called(expr) {
            let own = class.semantics();
            for method in class
                .node()
                .body
                .iter()
                .filter_map(Stmt::as_function_def_stmt)
            {
                if MAKING.contains(&method.name.as_str())
                    && let Some(definition) = own.definition_of(method)
                    && let Some(function) = own.function_of(definition)
                {
                    self.look_into_function(&function, method, class.node().name.as_str());
                }
            }
        }
    }

    fn look_into_function(
        &mut self,
        function: &Function<'db>,
        node: &ast::StmtFunctionDef,
        name: &str,
    ) {
        let Some(depth) = self.depth.less() else {
            return;
        };
        let own = self.semantics.of_function(function);
        let makers: Vec<&str> = TABLE.alone.makers.iter().map(String::as_str).collect();
        let helper = self.helper.unwrap_or(name);
        if node.is_async {
            let mut decorators = node.decorator_list.iter();
            if decorators.any(|decorator| own.means(called(decorator), &makers)) {
                self.found = Some(runs_own_loop(helper));
            }
            return;
        }
        // What awaits something will be awaited itself.
        if !self.seen.insert(function.definition()) || needs_coroutine(node) {
            return;
        }
        let path = own.file_of(function.definition());
        let mut search = Search {
            semantics: &own,
            project: self.project,
            seen: &mut *self.seen,
            depth,
            helper: Some(helper),
            is_of_project: path.is_some_and(|path| self.project.number_of(&path).is_some()),
            elsewhere: Vec::new(),
            awaited: Vec::new(),
            found: None,
        };
        search.visit_body(&node.body);
        self.found = search.found;
    }
}

impl<'a> SourceOrderVisitor<'a> for Search<'_, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if self.found.is_some() || self.elsewhere.contains(&node.range()) {
            return TraversalSignal::Skip;
        }
        let interrupted = match node {
            AnyNodeRef::StmtFunctionDef(_) | AnyNodeRef::StmtClassDef(_) => {
                return TraversalSignal::Skip;
            }
            AnyNodeRef::StmtTry(statement) => handles_interrupt(self.semantics, statement),
            AnyNodeRef::StmtWith(statement) => {
                let mut items = statement.items.iter();
                items.any(|item| suppresses_interrupt(self.semantics, item))
            }
            _ => false,
        };
        if interrupted && self.is_of_project {
            self.found = Some(Break::Possible(
                "under `asyncio.run`, Ctrl+C doesn't reach what handles `KeyboardInterrupt` here"
                    .to_owned(),
            ));
            return TraversalSignal::Skip;
        }
        match node {
            AnyNodeRef::ExprAwait(awaited) => self.awaited.push(awaited.value.range()),
            AnyNodeRef::ExprCall(call) => {
                let is_elsewhere = self.semantics.means(&call.func, &ELSEWHERE)
                    || matches!(&*call.func, Expr::Attribute(method)
                        if METHODS_ELSEWHERE.contains(&method.attr.as_str()));
                if is_elsewhere {
                    let arguments = call.arguments.iter_source_order();
                    self.elsewhere
                        .extend(arguments.map(|argument| argument.value().range()));
                }
                if !self.awaited.contains(&call.range()) {
                    self.look_at(call);
                }
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        let is_elsewhere = self.elsewhere.contains(&expr.range());
        if self.found.is_none() && !is_elsewhere {
            self.look_into(expr);
        }
        walk_expr(self, expr);
    }
}
