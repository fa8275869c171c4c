//! What an `except` clause around awaits does with a cancellation: how control leaves it, and the
//! idioms in which a task may stop one.

use asyncfix_analysis::answers::cancellation::{CANCELLED, catches_cancellation};
use asyncfix_analysis::answers::entry_point;
use asyncfix_analysis::answers::flow::Exits;
use asyncfix_analysis::facts::loops;
use asyncfix_knowledge::decorators::KEEPING;
use asyncfix_knowledge::libraries::Library;
use asyncfix_syntax::queries::{awaits, called};
use asyncfix_syntax::site::{Owner, Site};
use ruff_diagnostics::Edit;
use ruff_python_ast::visitor::source_order::SourceOrderVisitor;
use ruff_python_ast::{self as ast, AnyNodeRef, ExceptHandler, Expr, Stmt};
use ruff_text_size::{Ranged, TextLen, TextRange};

use super::callers::Callers;
use super::outcome::Outcome;
use super::suites::{Uses, calls_one_of, is_idle};
use super::{children, within};
use crate::file::File;

/// One handler of a `try` around awaits in asynchronous code.
pub struct Handler<'f, 's, 'a, 'db> {
    /// The file it is in.
    pub file: &'f File<'a, 'db>,
    /// The clause, from the module down.
    pub site: Site<'s, 'a>,
    /// The clause.
    pub node: &'a ast::ExceptHandlerExceptHandler,
    /// The statement it is a clause of.
    pub statement: &'a ast::StmtTry,
    /// The function it is in.
    pub owner: Owner<'a>,
}

/// The clause at `site` and its statement, where its body awaits in code that may be asynchronous:
/// what a cheap look can tell.
pub fn clause_around_await<'a>(
    site: &Site<'_, 'a>,
) -> Option<(&'a ast::ExceptHandlerExceptHandler, &'a ast::StmtTry)> {
    let AnyNodeRef::ExceptHandlerExceptHandler(node) = site.node else {
        return None;
    };
    let Some(AnyNodeRef::StmtTry(statement)) = site.parent() else {
        return None;
    };
    (awaits(&statement.body) && may_be_asynchronous(site) && !statement.is_star)
        .then_some((node, statement))
}

/// Whether code may be asynchronous, as far as the functions around it tell.
pub fn may_be_asynchronous(site: &Site<'_, '_>) -> bool {
    let mut functions = site.ancestors.iter().rev();
    functions
        .find_map(|ancestor| ancestor.as_stmt_function_def())
        .is_none_or(|function| function.is_async)
}

impl<'f, 's, 'a, 'db> Handler<'f, 's, 'a, 'db> {
    /// The handler at `site`, unless asyncio never cancels what is there.
    pub fn new(file: &'f File<'a, 'db>, site: Site<'s, 'a>) -> Option<Self> {
        clause_around_await(&site)?;
        Self::at(file, site)
    }

    /// The same, where an `await` is about to come into the statement's body.
    pub fn at(file: &'f File<'a, 'db>, site: Site<'s, 'a>) -> Option<Self> {
        let AnyNodeRef::ExceptHandlerExceptHandler(node) = site.node else {
            return None;
        };
        let Some(AnyNodeRef::StmtTry(statement)) = site.parent() else {
            return None;
        };
        if statement.is_star {
            return None;
        }
        let owner = file.surroundings(&site).owner;
        let of_asyncio = matches!(file.library(), None | Some(Library::Asyncio));
        (of_asyncio && file.is_async(owner)).then_some(Self {
            file,
            site,
            node,
            statement,
            owner,
        })
    }

    /// Whether the exception is caught on purpose: it may come from a task that somebody else
    /// cancelled, or is counted.
    ///
    /// Whether a call cancels is judged by its name, because being wrong only means to hold back.
    pub fn is_meant(&self) -> bool {
        let code = self.code_of_owner();
        children::waits_for_child(self.file, code, &self.statement.body)
            || children::cancels_what_it_awaits(code, &self.statement.body, self.node.start())
            || children::waits_for_cancelled_group(self.file, &self.statement.body)
            || within::waits_for_cancelled(self.file, &self.statement.body)
            || calls_one_of(&self.node.body, &["cancelling", "uncancel"])
            || self.keeps_exception()
            || self.is_explained()
            || self.is_suppressed()
            || cleans_up(self.file, &self.site)
            // Whatever happens, it ends there.
            || !Exits::of(self.file, &self.statement.finalbody).jumps.is_empty()
    }

    /// Whether the handler ends what the function does, and that is what is counted on: nothing above
    /// can tell a cancellation from another end, or more is to be done that it would skip.
    pub fn is_quiet_end(&self, exits: &Exits<'a>) -> bool {
        let outcome = Outcome::of(self, exits);
        if outcome.goes_on {
            return !self.goes_on_for_ever()
                && self
                    .callers()
                    .is_some_and(|callers| callers.await_its_task(self.file));
        }
        outcome.has_more_to_do(self.file)
            || self.only_waits_for_event()
            || self.ends_in_clean_up()
            || self.ends_what_nobody_calls()
    }

    /// Whether a quiet end is what is counted on: by somebody else who calls it, by the program, or by who
    /// waits for its task.
    fn ends_what_nobody_calls(&self) -> bool {
        let Owner::Function(function) = self.owner else {
            return false;
        };
        let mut decorators = function.decorator_list.iter();
        let is_decorated =
            decorators.any(|decorator| !self.file.semantics.means(called(decorator), &KEEPING));
        let Some(callers) = self.callers() else {
            return false;
        };
        is_decorated
            || self.is_entry_point(function)
            || callers.are_handed_on()
            || callers.await_its_task(self.file)
    }

    /// Whether the handler does nothing because the statement's `finally` does it all: it awaits what is
    /// to be ended.
    fn ends_in_clean_up(&self) -> bool {
        self.is_idle() && awaits(&self.statement.finalbody)
    }

    /// Whether the project gives the function's coroutine to a new event loop.
    fn is_entry_point(&self, function: &ast::StmtFunctionDef) -> bool {
        let module = self.file.last_name_of_module();
        entry_point::is_entry_point(self.file, self.owner)
            || module.is_some_and(|module| self.file.project.runs(&module, &function.name))
    }

    /// Whether the statement only waits to be told to go on, and a cancellation tells it, too.
    fn only_waits_for_event(&self) -> bool {
        let [Stmt::Expr(only)] = self.statement.body.as_slice() else {
            return false;
        };
        let waits = matches!(&*only.value, Expr::Await(awaited)
            if matches!(&*awaited.value, Expr::Call(call)
                if call.arguments.is_empty()
                    && matches!(&*call.func, Expr::Attribute(method) if method.attr == *"wait")));
        waits && self.is_idle()
    }

    /// Whether the task cannot be stopped: the handler stays in an endless loop that nothing leaves.
    pub fn goes_on_for_ever(&self) -> bool {
        goes_on_for_ever(&self.site)
    }

    /// Whether the handler asks an attribute whether the end is meant, leaves the function if so, and goes on if not:
    /// who cancels tells it which.
    pub fn asks_whether_to_end(&self, exits: &Exits<'_>) -> bool {
        let leaves = |suite: &[Stmt]| {
            matches!(
                suite.last(),
                Some(Stmt::Return(_) | Stmt::Break(_) | Stmt::Raise(_))
            )
        };
        let asks = self.node.body.iter().any(|statement| {
            matches!(statement, Stmt::If(choice)
                if choice.elif_else_clauses.is_empty() && leaves(&choice.body) && is_flag(&choice.test))
        });
        asks && exits.falls && Outcome::of(self, exits).goes_on
    }

    /// The uses of the function in the file.
    pub fn callers(&self) -> Option<Callers<'a>> {
        match self.owner {
            Owner::Function(function) => Some(Callers::of(self.file, function, self.site.class())),
            Owner::Lambda(_) | Owner::Module => None,
        }
    }

    /// The statements of the function, or of the module.
    pub fn code_of_owner(&self) -> &'a [Stmt] {
        code_of_owner(self.file, self.owner)
    }

    /// Whether the handler does more with the exception than to tell people of it: stores it, passes it
    /// on, looks at what it is. Its text alone is not the exception.
    fn keeps_exception(&self) -> bool {
        let mut uses = Uses {
            file: self.file,
            name: self.node.name.as_ref().map(ast::Identifier::as_str),
            found: false,
        };
        uses.visit_body(&self.node.body);
        uses.found
    }

    /// Whether a `with suppress(…)` around the statement swallows the exception anyway.
    fn is_suppressed(&self) -> bool {
        self.site.enclosing_in_function().any(|(node, child)| {
            matches!(node, AnyNodeRef::StmtWith(with)
                if with.body.iter().any(|inner| inner.range().contains_range(child.range()))
                    && with.items.iter().any(|item| is_suppress(self.file, &item.context_expr)))
        })
    }

    /// The handlers of the statement before this one, or behind it.
    pub fn others(
        &self,
        before: bool,
    ) -> impl Iterator<Item = &'a ast::ExceptHandlerExceptHandler> {
        let start = self.node.start();
        self.statement.handlers.iter().filter_map(move |handler| {
            let ExceptHandler::ExceptHandler(other) = handler;
            let wanted = if before {
                other.start() < start
            } else {
                other.start() > start
            };
            wanted.then_some(other)
        })
    }

    /// Whether a handler of the statement catches everything, or a cancellation.
    pub fn catches_cancellation(&self, other: &ast::ExceptHandlerExceptHandler) -> bool {
        catches_cancellation(self.file, other)
    }

    /// Whether an expression is `BaseException`.
    pub fn is_base_exception(&self, kind: &Expr) -> bool {
        self.file.semantics.means(kind, &["builtins.BaseException"])
    }

    /// Whether the handler does nothing but pass, log, and leave.
    pub fn is_idle(&self) -> bool {
        is_idle(self.file, &self.node.body)
    }

    /// The `except` line up to what it catches, where a finding stands.
    pub fn header(&self) -> TextRange {
        let end = self
            .node
            .type_
            .as_deref()
            .map_or(self.node.start() + "except".text_len(), Ranged::end);
        TextRange::new(self.node.start(), end)
    }

    /// The edit that puts another clause before this one.
    pub fn clause_before(&self, header: &str, body: &str) -> Edit {
        clause_before(self.file, self.node, header, body)
    }
}

/// Whether a test asks an attribute: `self.stopping`, `not self.running`, `self.stopped.is_set()`.
fn is_flag(test: &Expr) -> bool {
    match test {
        Expr::Attribute(_) => true,
        Expr::UnaryOp(negated) => is_flag(&negated.operand),
        Expr::BoolOp(several) => several.values.iter().any(is_flag),
        Expr::Call(call) => {
            call.arguments.is_empty()
                && matches!(&*call.func, Expr::Attribute(method) if method.value.is_attribute_expr())
        }
        _ => false,
    }
}

/// Whether a task that stands there cannot be stopped: an endless loop is around it that nothing leaves.
pub fn goes_on_for_ever(site: &Site<'_, '_>) -> bool {
    site.enclosing_in_function().any(|(node, child)| {
        matches!(node, AnyNodeRef::StmtWhile(inner)
            if loops::is_endless(&inner.test)
                && inner.body.iter().any(|s| s.range().contains_range(child.range()))
                && !loops::leaves_loop(&inner.body))
    })
}

/// Whether a statement, or a clause of one, is part of a clean-up, in a `finally` or a handler that gets
/// cancellations itself: the exception on its way goes on afterwards, and what follows is to be done before.
pub fn cleans_up(file: &File<'_, '_>, site: &Site<'_, '_>) -> bool {
    site.enclosing_in_function()
        .any(|(node, child)| match node {
            AnyNodeRef::ExceptHandlerExceptHandler(handler) => catches_cancellation(file, handler),
            AnyNodeRef::StmtTry(outer) => outer
                .finalbody
                .iter()
                .any(|inner| inner.range().contains_range(child.range())),
            _ => false,
        })
}

/// The statements of a function, or of the module.
pub fn code_of_owner<'a>(file: &File<'a, '_>, owner: Owner<'a>) -> &'a [Stmt] {
    match owner {
        Owner::Function(function) => &function.body,
        Owner::Module | Owner::Lambda(_) => file.body(),
    }
}

/// The edit that puts another clause before `clause` and the comments above it.
///
/// `body` is given as whole lines, indented as the body of a clause.
pub fn clause_before(
    file: &File<'_, '_>,
    clause: &ast::ExceptHandlerExceptHandler,
    header: &str,
    body: &str,
) -> Edit {
    let newline = file.newline();
    let indent = file.indentation_at(clause.start());
    Edit::insertion(
        format!("{indent}{header}:{newline}{body}"),
        file.lines().start_with_comments(clause.start()),
    )
}

/// Whether `expr` is `contextlib.suppress(…)` of an exception that a cancellation is.
pub fn is_suppress(file: &File<'_, '_>, expr: &Expr) -> bool {
    matches!(expr, Expr::Call(call)
    if file.semantics.means(&call.func, &["contextlib.suppress"])
        && call.arguments.args.iter().any(|kind| {
            file.semantics.means(kind, CANCELLED)
                || file.semantics.means(kind, &["builtins.BaseException"])
        }))
}
