//! What an `except` clause around awaits does with a cancellation: how control leaves it, and the
//! idioms in which a task may stop one.

use ruff_diagnostics::Edit;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, ExceptHandler, Expr, Stmt};
use ruff_source_file::LineRanges;
use ruff_text_size::{Ranged, TextLen, TextRange, TextSize};

use super::callers::Callers;
use super::outcome::Outcome;
use crate::file::File;
use crate::outline::{last_name, yields};
use crate::project::Library;
use crate::site::{Owner, Site};
use crate::support::coroutines;
use crate::support::decorators::{KEEPING, called};
use crate::support::flow::Exits;

/// The names of the exception. `concurrent.futures.CancelledError` is another class since 3.8.
pub const CANCELLED: &[&str] = &[
    "asyncio.CancelledError",
    "asyncio.exceptions.CancelledError",
];

/// Parts of words in comments that explain why a cancellation ends here. Being wrong about one only
/// means to hold back.
const EXPLANATIONS: &[&str] = &[
    "cancel",
    "clos",
    "deliberate",
    "expected",
    "ignor",
    "intention",
    "normal",
    "purpose",
    "shutdown",
    "shutting",
    "stop",
    "suppress",
    "swallow",
];

/// What a docstring says of a function that keeps everything to itself. Being wrong about one only means
/// to hold back.
const DECLARATIONS: &[&str] = &["baseexception", "cancellederror", "never mask", "swallow"];

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
        let mut children = Children { found: false };
        children.visit_body(&self.statement.body);
        children.found
            || self.cancels_before()
            || calls_one_of(&self.node.body, &["cancelling", "uncancel"])
            || self.keeps_exception()
            || self.is_explained()
            || self.is_suppressed()
            || self.cleans_up()
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

    /// Whether no caller is in sight that would see the function end by a cancellation: somebody
    /// else calls it or iterates over it, a task does nothing else, the program does.
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
            || yields(function)
            || self.is_entry_point(function)
            || callers.await_its_task(self.file)
            // A script shows all of its tasks, and who awaits them where.
            || self.file.is_in_package()
                && (callers.are_tasks() || callers.are_elsewhere() && self.is_around_loop())
    }

    /// Whether the handler does nothing because the statement's `finally` does it all: it awaits what is
    /// to be ended.
    fn ends_in_clean_up(&self) -> bool {
        self.is_idle() && awaits(&self.statement.finalbody)
    }

    /// Whether the statement is what a loop that awaits does, or holds one: so do the tasks that run in
    /// the background.
    fn is_around_loop(&self) -> bool {
        let is_loop = |node: AnyNodeRef<'_>| match node {
            AnyNodeRef::StmtWhile(statement) => awaits(&statement.body),
            AnyNodeRef::StmtFor(statement) => statement.is_async,
            _ => false,
        };
        self.site
            .enclosing_in_function()
            .any(|(node, _)| is_loop(node))
            || self
                .statement
                .body
                .iter()
                .any(|statement| is_loop(statement.into()))
    }

    /// Whether the project gives the function's coroutine to a new event loop.
    fn is_entry_point(&self, function: &ast::StmtFunctionDef) -> bool {
        let module = self.file.semantics.module_name().unwrap_or_default();
        let module = module.rsplit('.').next().unwrap_or_default();
        self.file.project.runs(module, &function.name)
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
        self.site.enclosing_in_function().any(|(node, child)| {
            matches!(node, AnyNodeRef::StmtWhile(inner)
                if coroutines::is_endless(&inner.test)
                    && inner.body.iter().any(|s| s.range().contains_range(child.range()))
                    && !coroutines::leaves_loop(&inner.body))
        })
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
        match self.owner {
            Owner::Function(function) => &function.body,
            Owner::Module | Owner::Lambda(_) => self.file.body(),
        }
    }

    /// Whether the function cancels something before the clause.
    fn cancels_before(&self) -> bool {
        let mut search = Cancels {
            before: self.node.start(),
            found: false,
        };
        search.visit_body(self.code_of_owner());
        search.found
    }

    /// Whether the handler does more with the exception than to log it: stores it, passes it on,
    /// looks at what it is.
    fn keeps_exception(&self) -> bool {
        let mut uses = Uses {
            file: self.file,
            name: self.node.name.as_ref().map(ast::Identifier::as_str),
            found: false,
        };
        uses.visit_body(&self.node.body);
        uses.found
    }

    /// Whether a comment in the handler, or behind the statement that follows, or the text above the
    /// function says that the end is a quiet one.
    fn is_explained(&self) -> bool {
        if let Owner::Function(function) = self.owner
            && let Some(Stmt::Expr(first)) = function.body.first()
            && let Expr::StringLiteral(text) = &*first.value
        {
            let text = text.value.to_str().to_ascii_lowercase();
            if DECLARATIONS.iter().any(|word| text.contains(word)) {
                return true;
            }
        }
        let next = self
            .site
            .place()
            .and_then(|place| place.suite.get(place.index + 1));
        let last = next.map_or(self.node.end(), Ranged::start);
        self.file
            .comments
            .comments_in_range(TextRange::new(
                self.node.start(),
                self.file.source.line_end(last),
            ))
            .iter()
            .any(|comment| {
                let comment = self.file.text(comment).to_ascii_lowercase();
                EXPLANATIONS.iter().any(|word| comment.contains(word))
            })
    }

    /// Whether the statement is part of a clean-up, in a `finally` or a handler that gets cancellations
    /// itself: the exception on its way goes on afterwards, and what follows is to be done before.
    fn cleans_up(&self) -> bool {
        self.site
            .enclosing_in_function()
            .skip(1)
            .any(|(node, child)| match node {
                AnyNodeRef::ExceptHandlerExceptHandler(handler) => {
                    self.catches_cancellation(handler)
                }
                AnyNodeRef::StmtTry(outer) => outer
                    .finalbody
                    .iter()
                    .any(|inner| inner.range().contains_range(child.range())),
                _ => false,
            })
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

/// Whether a handler catches everything, or a cancellation.
pub fn catches_cancellation(
    file: &File<'_, '_>,
    handler: &ast::ExceptHandlerExceptHandler,
) -> bool {
    handler.type_.as_deref().is_none_or(|kind| {
        members(kind).iter().any(|kind| {
            file.semantics.means(kind, CANCELLED)
                || file.semantics.means(kind, &["builtins.BaseException"])
        })
    })
}

/// Whether a suite does nothing but pass, log, and leave.
pub fn is_idle(file: &File<'_, '_>, suite: &[Stmt]) -> bool {
    suite.iter().all(|statement| match statement {
        Stmt::Pass(_) | Stmt::Break(_) | Stmt::Continue(_) | Stmt::Raise(_) => true,
        Stmt::Return(statement) => statement.value.as_deref().is_none_or(is_plain_value),
        Stmt::Expr(statement) => {
            statement.value.is_literal_expr() || is_log_call(file, &statement.value)
        }
        Stmt::If(statement) => {
            is_idle(file, &statement.body)
                && statement
                    .elif_else_clauses
                    .iter()
                    .all(|clause| is_idle(file, &clause.body))
        }
        _ => false,
    })
}

/// Whether a suite awaits nothing but the end of something: calls that close, by their names, and what
/// is shielded. A cancellation there is to cut nothing short.
pub fn only_closes(suite: &[Stmt]) -> bool {
    !suite.is_empty()
        && suite.iter().all(|statement| {
            let value = match statement {
                Stmt::Expr(statement) => &statement.value,
                Stmt::Assign(statement) => &statement.value,
                _ => return false,
            };
            matches!(&**value, Expr::Await(awaited)
                if matches!(&*awaited.value, Expr::Call(call)
                    if last_name(&call.func)
                        .is_some_and(|name| coroutines::cleans_up(name) || name.contains("shield"))))
        })
}

/// Whether something in a suite is shielded from cancellations, by the names of calls.
pub fn is_shielded(suite: &[Stmt]) -> bool {
    struct Search(bool);
    impl<'a> SourceOrderVisitor<'a> for Search {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.0 |= matches!(node, AnyNodeRef::ExprCall(call)
                if last_name(&call.func).is_some_and(|name| name.contains("shield")));
            own_code(node)
        }
    }
    let mut search = Search(false);
    search.visit_body(suite);
    search.0
}

/// The exceptions that the expression of an `except` clause names.
pub fn members(kind: &Expr) -> &[Expr] {
    match kind {
        Expr::Tuple(tuple) => &tuple.elts,
        other => std::slice::from_ref(other),
    }
}

/// Whether evaluating an expression does nothing and no string is in it.
pub fn is_plain_value(value: &Expr) -> bool {
    match value {
        Expr::NoneLiteral(_)
        | Expr::BooleanLiteral(_)
        | Expr::NumberLiteral(_)
        | Expr::EllipsisLiteral(_)
        | Expr::Name(_) => true,
        Expr::Attribute(attribute) => is_plain_value(&attribute.value),
        Expr::UnaryOp(operation) => is_plain_value(&operation.operand),
        Expr::List(list) => list.elts.iter().all(is_plain_value),
        Expr::Tuple(tuple) => tuple.elts.iter().all(is_plain_value),
        Expr::Dict(dict) => dict.items.is_empty(),
        _ => false,
    }
}

/// Whether an expression tells people what happened, and nothing else.
pub fn is_log_call(file: &File<'_, '_>, expr: &Expr) -> bool {
    let Expr::Call(call) = expr else {
        return false;
    };
    if file.semantics.means(
        &call.func,
        &[
            "builtins.print",
            "traceback.print_exc",
            "traceback.print_exception",
            "warnings.warn",
        ],
    ) {
        return true;
    }
    let Expr::Attribute(method) = &*call.func else {
        return false;
    };
    let is_level = matches!(
        method.attr.as_str(),
        "debug"
            | "info"
            | "warning"
            | "warn"
            | "error"
            | "exception"
            | "critical"
            | "fatal"
            | "log"
            | "trace"
    );
    let receiver = match &*method.value {
        Expr::Name(name) => name.id.as_str(),
        Expr::Attribute(attribute) => attribute.attr.as_str(),
        _ => return false,
    };
    is_level && receiver.to_ascii_lowercase().contains("log")
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

/// Whether code of its own, not of a function inside, awaits in a suite.
pub fn awaits(body: &[Stmt]) -> bool {
    struct Awaits(bool);
    impl<'a> SourceOrderVisitor<'a> for Awaits {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.0 |= match node {
                AnyNodeRef::ExprAwait(_) => true,
                AnyNodeRef::StmtFor(statement) => statement.is_async,
                AnyNodeRef::StmtWith(statement) => statement.is_async,
                AnyNodeRef::Comprehension(comprehension) => comprehension.is_async,
                _ => false,
            };
            if self.0 {
                TraversalSignal::Skip
            } else {
                own_code(node)
            }
        }
    }
    let mut search = Awaits(false);
    search.visit_body(body);
    search.0
}

/// Leaves out what is not run where it stands.
pub fn own_code(node: AnyNodeRef<'_>) -> TraversalSignal {
    match node {
        AnyNodeRef::StmtFunctionDef(_)
        | AnyNodeRef::StmtClassDef(_)
        | AnyNodeRef::ExprLambda(_) => TraversalSignal::Skip,
        _ => TraversalSignal::Traverse,
    }
}

/// Looks for waits for another task or future, whose own cancellation looks the same.
struct Children {
    found: bool,
}

impl Children {
    /// Whether a call is one of a function that waits for a task of its own making, by its name, as in
    /// `self.run_task(self.work())`: others may know that task.
    fn waits_for_task(name: &str, call: &ast::ExprCall) -> bool {
        name.contains("task")
            && name != "create_task"
            && call.arguments.args.first().is_some_and(Expr::is_call_expr)
    }

    fn is_child(expr: &Expr) -> bool {
        match expr {
            Expr::Name(_) | Expr::Attribute(_) | Expr::Subscript(_) => true,
            Expr::Starred(starred) => Self::is_child(&starred.value),
            Expr::List(list) => list.elts.iter().any(Self::is_child),
            Expr::Set(set) => set.elts.iter().any(Self::is_child),
            Expr::Tuple(tuple) => tuple.elts.iter().any(Self::is_child),
            // Also wrappers of a library's own: being wrong only means to hold back.
            Expr::Call(call) => {
                let name = match &*call.func {
                    Expr::Name(name) => name.id.as_str(),
                    Expr::Attribute(attribute) => attribute.attr.as_str(),
                    _ => "",
                };
                matches!(
                    name,
                    "gather" | "shield" | "wait" | "wait_for" | "wrap_future"
                ) && call.arguments.args.first().is_some_and(Self::is_child)
                    || Self::waits_for_task(name, call)
            }
            // `gather(*[worker.wait() for worker in workers])`
            Expr::ListComp(comprehension) => matches!(&*comprehension.elt, Expr::Call(call)
                if matches!(last_name(&call.func), Some("join" | "wait"))),
            _ => false,
        }
    }
}

impl<'a> SourceOrderVisitor<'a> for Children {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        self.found |= match node {
            AnyNodeRef::ExprAwait(awaited) => Self::is_child(&awaited.value),
            AnyNodeRef::ExprCall(call) => matches!(&*call.func, Expr::Attribute(method)
                if matches!(method.attr.as_str(), "result" | "exception")
                    && call.arguments.is_empty()),
            _ => false,
        };
        own_code(node)
    }
}

/// Looks for uses of an exception that are more than logging it.
struct Uses<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    name: Option<&'f str>,
    found: bool,
}

impl<'a> SourceOrderVisitor<'a> for Uses<'_, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtExpr(statement) if is_log_call(self.file, &statement.value) => {
                return TraversalSignal::Skip;
            }
            AnyNodeRef::ExprName(name) => {
                self.found |= self.name.is_some_and(|own| own == name.id.as_str());
            }
            AnyNodeRef::ExprCall(call) => {
                self.found |= self.file.semantics.means(
                    &call.func,
                    &["sys.exc_info", "sys.exception", "traceback.format_exc"],
                );
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }
}

/// Looks for calls that cancel something, by their names.
struct Cancels {
    before: TextSize,
    found: bool,
}

impl<'a> SourceOrderVisitor<'a> for Cancels {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if let AnyNodeRef::ExprCall(call) = node {
            let name = match &*call.func {
                Expr::Name(name) => name.id.as_str(),
                Expr::Attribute(attribute) => attribute.attr.as_str(),
                _ => "",
            };
            self.found |= call.start() < self.before
                && name.contains("cancel")
                && !matches!(name, "cancelled" | "cancelling" | "uncancel");
        }
        if self.found || node.start() >= self.before {
            TraversalSignal::Skip
        } else {
            TraversalSignal::Traverse
        }
    }
}

/// Whether a method of one of these names is called in a suite.
fn calls_one_of(body: &[Stmt], names: &[&str]) -> bool {
    struct Search<'n> {
        names: &'n [&'n str],
        found: bool,
    }
    impl<'a> SourceOrderVisitor<'a> for Search<'_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.found |= matches!(node, AnyNodeRef::ExprAttribute(attribute)
                if self.names.contains(&attribute.attr.as_str()));
            TraversalSignal::Traverse
        }
    }
    let mut search = Search {
        names,
        found: false,
    };
    search.visit_body(body);
    search.found
}
