//! What an `except` clause around awaits does with a cancellation: how control leaves it, and the
//! idioms in which a task may stop one.

use asyncfix_analysis::answers::cancellation::{CANCELLED, catches_cancellation, members};
use asyncfix_analysis::answers::coroutines;
use asyncfix_analysis::answers::flow::Exits;
use asyncfix_analysis::facts::loops;
use asyncfix_knowledge::decorators::KEEPING;
use asyncfix_knowledge::libraries::Library;
use asyncfix_syntax::queries::{awaits, called, last_name, own_code};
use asyncfix_syntax::site::{Owner, Site};
use ruff_diagnostics::Edit;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, ExceptHandler, Expr, Stmt};
use ruff_source_file::LineRanges;
use ruff_text_size::{Ranged, TextLen, TextRange};

use super::callers::Callers;
use super::outcome::Outcome;
use super::{children, within};
use crate::file::File;

/// Parts of words in comments that speak of cancellations. Being wrong about one only means to hold back.
const ABOUT_CANCELLATION: &[&str] = &["cancel", "shutdown", "shutting down", "shut down"];

/// The same, where the clause itself is for cancellations and the comment says why it does nothing.
const ABOUT_QUIET_END: &[&str] = &[
    "expected",
    "ignor",
    "quiet",
    "silent",
    "suppress",
    "not re-raise",
    "not reraise",
    "not raise",
    "n't re-raise",
    "n't reraise",
    "n't raise",
];

/// Parts of words in comments that say that something is done on purpose.
const PURPOSE: &[&str] = &["deliberate", "intention", "purpose", "swallow"];

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
        let code = self.code_of_owner();
        children::waits_for_child(self.file, &self.statement.body)
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

    /// Whether a comment in the handler, above it or behind the statement that follows, or the text above
    /// the function says that the end is a quiet one. What cannot be stopped has to say that it is meant so.
    fn is_explained(&self) -> bool {
        if says_so(self.owner) {
            return true;
        }
        let next = self
            .site
            .place()
            .and_then(|place| place.suite.get(place.index + 1));
        let last = next.map_or(self.node.end(), Ranged::start);
        let lines = self.file.lines();
        let ranges = [
            TextRange::new(
                lines.start_with_comments(self.node.start()),
                self.file.source.line_end(last),
            ),
            TextRange::new(
                lines.start_with_comments(self.statement.start()),
                self.statement.start(),
            ),
        ];
        let is_named = self.node.type_.as_deref().is_some_and(|kind| {
            let mut kinds = members(kind).iter();
            kinds.any(|kind| self.file.semantics.means(kind, CANCELLED))
        });
        ranges
            .into_iter()
            .any(|range| is_explained(self.file, range, self.goes_on_for_ever(), is_named))
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

/// Whether the text above a function says that it keeps everything to itself.
pub fn says_so(owner: Owner<'_>) -> bool {
    let Owner::Function(function) = owner else {
        return false;
    };
    let Some(Stmt::Expr(first)) = function.body.first() else {
        return false;
    };
    let Expr::StringLiteral(text) = &*first.value else {
        return false;
    };
    let text = text.value.to_str().to_ascii_lowercase();
    DECLARATIONS.iter().any(|word| text.contains(word))
}

/// Whether a comment says why a cancellation ends there. `cannot_stop` where nothing else ends the task,
/// `is_named` where the code is about cancellations by name.
pub fn is_explained(
    file: &File<'_, '_>,
    range: TextRange,
    cannot_stop: bool,
    is_named: bool,
) -> bool {
    let speaks = |comment: &str, words: &[&str]| words.iter().any(|word| comment.contains(word));
    file.comments
        .comments_in_range(range)
        .iter()
        .any(|comment| {
            let comment = file.text(comment).to_ascii_lowercase();
            speaks(&comment, PURPOSE)
                || !cannot_stop
                    && (speaks(&comment, ABOUT_CANCELLATION)
                        || is_named && speaks(&comment, ABOUT_QUIET_END))
        })
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

/// Functions that make text of an exception.
const TEXTS: &[&str] = &[
    "builtins.ascii",
    "builtins.format",
    "builtins.repr",
    "builtins.str",
    "traceback.format_exc",
    "traceback.format_exception",
    "traceback.format_exception_only",
    "traceback.format_tb",
];

/// Looks for uses of an exception that are more than telling people of it.
struct Uses<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    name: Option<&'f str>,
    found: bool,
}

impl Uses<'_, '_, '_> {
    /// Whether a call makes text of its arguments.
    fn is_text(&self, call: &ast::ExprCall) -> bool {
        self.file.semantics.means(&call.func, TEXTS)
            || matches!(&*call.func, Expr::Attribute(method)
                if method.attr == *"format" && method.value.is_string_literal_expr())
    }
}

impl<'a> SourceOrderVisitor<'a> for Uses<'_, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::ExprFString(_) => return TraversalSignal::Skip,
            AnyNodeRef::ExprCall(call) if self.is_text(call) => return TraversalSignal::Skip,
            AnyNodeRef::ExprBinOp(operation)
                if operation.op == ast::Operator::Mod
                    && operation.left.is_string_literal_expr() =>
            {
                return TraversalSignal::Skip;
            }
            // `type(error).__name__`
            AnyNodeRef::ExprAttribute(attribute)
                if matches!(attribute.attr.as_str(), "__name__" | "__qualname__") =>
            {
                return TraversalSignal::Skip;
            }
            AnyNodeRef::StmtExpr(statement) if is_log_call(self.file, &statement.value) => {
                return TraversalSignal::Skip;
            }
            AnyNodeRef::ExprName(name) => {
                self.found |= self.name.is_some_and(|own| own == name.id.as_str());
            }
            AnyNodeRef::ExprCall(call) => {
                self.found |= self
                    .file
                    .semantics
                    .means(&call.func, &["sys.exc_info", "sys.exception"]);
            }
            _ => {}
        }
        TraversalSignal::Traverse
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
