//! AF302 swallowed-cancellation: a handler of `CancelledError` that does not raise it again.

use asyncfix_analysis::answers::cancellation::{CANCELLED, members};
use asyncfix_analysis::answers::flow::Exits;
use asyncfix_analysis::candidate::Candidate;
use asyncfix_analysis::facts::spelling::Hints;
use asyncfix_syntax::site::Site;
use ruff_diagnostics::Edit;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, NodeKind, Stmt};
use ruff_source_file::LineRanges;
use ruff_text_size::{Ranged, TextRange};

use super::handlers::{self, Handler};
use super::suites;
use super::{needs, outcome, suppressed};
use crate::codemod::Codemod;
use crate::edit::blocks::COMMENT;
use crate::edit::{removal, rewrite};
use crate::file::File;
use crate::finding::{Finding, Remedy, Rewrite};
use crate::rule::{Rule, Stability};

/// The codemod of AF302.
pub struct SwallowedCancellation;

static RULE: Rule = Rule {
    code: "AF302",
    name: "swallowed-cancellation",
    finds: "`CancelledError` is caught and not re-raised",
    pitfall: "not handling cancellation",
    page: include_str!("AF302.md"),
    default: true,
    stability: Stability::Stable,
    equivalents: &["ASYNC103", "ASYNC104", "S7497"],
};

/// What is wrong with a place where a cancellation ends.
pub const MESSAGE: &str = "`CancelledError` is swallowed; `task.cancel()`, `asyncio.timeout` and `TaskGroup` rely on \
                           it being raised";

/// Why it may be right that one ends there.
pub const QUIET_END: &str =
    "the code that cancels this task may expect it to end without an exception";

/// Exceptions beside which a cancellation is one more end of the same kind: of whatever it may be, of
/// the program, and of what is iterated over.
const ENDS: &[&str] = &[
    "builtins.BaseException",
    "builtins.Exception",
    "builtins.KeyboardInterrupt",
    "builtins.StopAsyncIteration",
    "builtins.StopIteration",
    "builtins.SystemExit",
];

impl Codemod for SwallowedCancellation {
    fn rule(&self) -> &'static Rule {
        &RULE
    }

    fn words(&self) -> &'static [&'static str] {
        &["CancelledError", "suppress", "finally"]
    }

    fn asks_for_types(&self) -> bool {
        true
    }

    fn nodes(&self) -> &'static [NodeKind] {
        &[
            NodeKind::ExceptHandlerExceptHandler,
            NodeKind::StmtTry,
            NodeKind::StmtWith,
        ]
    }

    fn candidate(&self, hints: &Hints<'_>, site: &Site<'_, '_>) -> Candidate {
        let spellings = hints.spellings;
        let handler = match site.node {
            AnyNodeRef::ExceptHandlerExceptHandler(handler) => handler,
            AnyNodeRef::StmtWith(statement) => {
                return Candidate::when(suppressed::may_suppress(spellings, site, statement));
            }
            AnyNodeRef::StmtTry(statement) => {
                return Candidate::when(suppressed::may_overtake(site, statement));
            }
            _ => return Candidate::No,
        };
        let spelled = handler.type_.as_deref().is_some_and(|kind| {
            members(kind)
                .iter()
                .any(|kind| spellings.allow(kind, CANCELLED))
        });
        Candidate::when(
            spelled
                && !raises_plainly(&handler.body)
                && handlers::clause_around_await(site).is_some(),
        )
    }

    fn check<'a>(&self, file: &File<'a, '_>, site: &Site<'_, 'a>) -> Option<Finding> {
        match site.node {
            AnyNodeRef::StmtWith(statement) => {
                return suppressed::suppression(&RULE, file, site, statement);
            }
            AnyNodeRef::StmtTry(statement) => {
                return suppressed::overtaken(&RULE, file, site, statement);
            }
            _ => {}
        }
        let handler = Handler::new(file, *site)?;
        let kind = handler.node.type_.as_deref()?;
        let cancelled: Vec<&Expr> = members(kind)
            .iter()
            .filter(|kind| file.semantics.means(kind, CANCELLED))
            .collect();
        if cancelled.is_empty()
            // A handler before this one gets it.
            || handler.others(true).any(|other| handler.catches_cancellation(other))
        {
            return None;
        }
        let exits = Exits::of(file, &handler.node.body);
        if exits.always_raises()
            || handler.is_meant()
            || returns_answer(&exits)
            || handler.asks_whether_to_end(&exits)
            || suites::only_closes(&handler.statement.body)
            || handler.is_quiet_end(&exits)
            || !handler.goes_on_for_ever() && is_decided(&handler, kind)
            || file.is_test_code(handler.owner)
        {
            return None;
        }
        let swallowed = Swallowed {
            handler,
            kind,
            cancelled,
            exits,
        };
        let remedy = match swallowed.rewrite() {
            Ok(rewrite) => Remedy::Rewrite(rewrite),
            Err(reason) => Remedy::NotFixed(reason.to_owned()),
        };
        Some(Finding::new(
            &RULE,
            swallowed.handler.header(),
            MESSAGE.to_owned(),
            remedy,
        ))
    }
}

struct Swallowed<'f, 's, 'a, 'db> {
    handler: Handler<'f, 's, 'a, 'db>,
    /// What the clause catches.
    kind: &'a Expr,
    /// The part of it that is the cancellation.
    cancelled: Vec<&'a Expr>,
    exits: Exits<'a>,
}

impl Swallowed<'_, '_, '_, '_> {
    fn rewrite(&self) -> Result<Rewrite, &'static str> {
        let all = members(self.kind);
        let is_alone = self.cancelled.len() == all.len();
        let edits = if let Some(handler) = self.useless().filter(|_| is_alone) {
            self.unwrapped(handler)?
        } else if is_alone {
            self.raising()?
        } else if let Expr::Tuple(tuple) = self.kind {
            self.split(tuple)?
        } else {
            return Err("can't tell which exceptions this handler catches");
        };
        let leaves = self
            .exits
            .jumps
            .iter()
            .any(|jump| !jump.statement.is_continue_stmt());
        let can_end = leaves || !self.handler.goes_on_for_ever();
        Ok(Rewrite::safe("Re-raise `CancelledError`", edits)
            .unsafe_if(can_end.then_some(QUIET_END)))
    }

    /// The lines of the handler, where nothing would be left of the statement but its body: the handler is the only one,
    /// and would do nothing but raise what it caught.
    fn useless(&self) -> Option<TextRange> {
        let file = self.handler.file;
        let statement = self.handler.statement;
        let is_useless = matches!(self.handler.node.body.as_slice(), [only]
            if is_placeholder(only)
                || only.is_return_stmt()
                || only.is_break_stmt()
                || only.is_continue_stmt());
        let start = file.source.full_line_end(statement.body.last()?.end());
        let lines = TextRange::new(start, file.source.full_line_end(statement.end()).max(start));
        let is_only = statement.handlers.len() == 1
            && statement.orelse.is_empty()
            && statement.finalbody.is_empty();
        // A comment there keeps the handler.
        (is_useless && is_only && !file.comments.intersects(lines)).then_some(lines)
    }

    /// The edits that leave nothing but the body of the statement, whose handler has these lines.
    fn unwrapped(&self, handler: TextRange) -> Result<Vec<Edit>, &'static str> {
        let statement = self.handler.statement;
        let removal = Edit::range_deletion(handler);
        let whole = Stmt::Try(statement.clone());
        let lines = self.handler.file.lines();
        let mut edits = lines.unwrap(&whole, &statement.body)?;
        removal::leave_out(&mut edits, std::slice::from_ref(&removal));
        edits.push(removal);
        Ok(edits)
    }

    /// The edits after which every way out of the handler is the exception.
    fn raising(&self) -> Result<Vec<Edit>, &'static str> {
        let file = self.handler.file;
        let body = self.handler.node.body.as_slice();
        let mut edits = Vec::new();
        for jump in &self.exits.jumps {
            if jump.is_nested {
                return Err("`raise` inside the nested handler would re-raise the wrong exception");
            }
            edits.push(self.replaced(jump.statement)?);
        }
        if self.exits.falls {
            match body.last() {
                Some(last) if is_placeholder(last) => edits.push(self.replaced(last)?),
                _ => {
                    let block = file
                        .lines()
                        .block(body, Some(self.handler.node.into()), 0..body.len())
                        .ok_or("the handler is empty")?;
                    edits.extend(block.append(&["raise".to_owned()]));
                }
            }
        }
        Ok(edits)
    }

    fn replaced(&self, statement: &Stmt) -> Result<Edit, &'static str> {
        if self.handler.file.comments.intersects(statement.range()) {
            return Err(COMMENT);
        }
        Ok(Edit::range_replacement(
            "raise".to_owned(),
            statement.range(),
        ))
    }

    /// The edits that take the cancellation out of a tuple. It gets a clause of its own where the handler does
    /// something that it needs, where a later clause would catch it, and where nothing else ends the task and other
    /// errors may: there the clause shows that the cancellation is thought of.
    fn split(&self, tuple: &ast::ExprTuple) -> Result<Vec<Edit>, &'static str> {
        let handler = &self.handler;
        let file = handler.file;
        if file.comments.intersects(tuple.range()) {
            return Err(COMMENT);
        }
        let mut edits = Vec::new();
        let cancelled = self.cancelled.first().map_or("", |kind| file.text(*kind));
        let body = handler.node.body.as_slice();
        if needs::clean_up(body).is_some() || needs::sets_state(body) {
            let name = match &handler.node.name {
                Some(name) => format!(" as {name}"),
                None => String::new(),
            };
            let copied = self.copied()?;
            edits.push(handler.clause_before(&format!("except {cancelled}{name}"), &copied));
        } else if handler.goes_on_for_ever() && !takes_every_error(file, tuple)
            || handler
                .others(false)
                .any(|other| handler.catches_cancellation(other))
        {
            let indent = file.indentation_at(handler.node.start());
            let raise = format!("{indent}{}raise{}", file.indent_unit(), file.newline());
            edits.push(handler.clause_before(&format!("except {cancelled}"), &raise));
        }
        edits.push(self.shrunk(tuple)?);
        Ok(edits)
    }

    /// The body of the handler as one for the cancellation alone, which waits for no next try and raises in the
    /// end.
    fn copied(&self) -> Result<String, &'static str> {
        let handler = &self.handler;
        let file = handler.file;
        let body = handler.node.body.as_slice();
        let block = file
            .lines()
            .block(body, Some(handler.node.into()), 0..body.len())
            .ok_or("the handler is empty")?;
        if !file.starts_line(body.first().map_or(block.start(), Ranged::start)) {
            return Err("the handler's body is on the same line as `except`");
        }
        let mut edits = self.raising()?;
        for (index, statement) in body.iter().enumerate() {
            if matches!(statement, Stmt::Expr(inner) if needs::is_pause(file, &inner.value)) {
                edits.push(file.lines().delete(body, index)?);
            }
        }
        edits.sort_by_key(|edit| (edit.start(), edit.end()));
        let copied = rewrite::apply(&file.source[..block.end().to_usize()], &edits);
        let mut copied = copied[block.start().to_usize()..].to_owned();
        if !copied.ends_with(['\n', '\r']) {
            copied.push_str(file.newline());
        }
        Ok(copied)
    }

    /// The edit that takes the cancellation out of the tuple.
    fn shrunk(&self, tuple: &ast::ExprTuple) -> Result<Edit, &'static str> {
        let file = self.handler.file;
        let is_cancelled = |kind: &Expr| {
            self.cancelled
                .iter()
                .any(|other| other.range() == kind.range())
        };
        let kept: Vec<&Expr> = tuple
            .elts
            .iter()
            .filter(|kind| !is_cancelled(kind))
            .collect();
        if let [only] = kept.as_slice()
            && !only.is_starred_expr()
        {
            return Ok(Edit::range_replacement(
                file.text(*only).to_owned(),
                tuple.range(),
            ));
        }
        let [cancelled] = self.cancelled.as_slice() else {
            return Err("`CancelledError` is listed more than once");
        };
        let index = tuple
            .elts
            .iter()
            .position(|kind| kind.range() == cancelled.range())
            .ok_or("can't tell which exceptions this handler catches")?;
        let range = match (index.checked_sub(1), tuple.elts.get(index + 1)) {
            (_, Some(next)) => TextRange::new(cancelled.start(), next.start()),
            (Some(before), None) => {
                let before = tuple
                    .elts
                    .get(before)
                    .map_or(cancelled.start(), Ranged::end);
                TextRange::new(before, cancelled.end())
            }
            (None, None) => return Err("can't tell which exceptions this handler catches"),
        };
        Ok(Edit::range_deletion(range))
    }
}

/// Whether `Exception` is in a tuple.
fn takes_every_error(file: &File<'_, '_>, tuple: &ast::ExprTuple) -> bool {
    let mut kinds = tuple.elts.iter();
    kinds.any(|kind| file.semantics.means(kind, &["builtins.Exception"]))
}

/// Whether a suite ends with a `raise` that nothing in it goes round.
fn raises_plainly(suite: &[Stmt]) -> bool {
    struct Jumps(bool);
    impl<'a> SourceOrderVisitor<'a> for Jumps {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.0 |= node.is_stmt_return() || node.is_stmt_break() || node.is_stmt_continue();
            if node.is_expression() {
                TraversalSignal::Skip
            } else {
                TraversalSignal::Traverse
            }
        }
    }
    let mut jumps = Jumps(false);
    jumps.visit_body(suite);
    suite.last().is_some_and(Stmt::is_raise_stmt) && !jumps.0
}

/// Whether a handler returns what is made for a cancellation: the answer to it, and no mere end.
fn returns_answer(exits: &Exits<'_>) -> bool {
    exits.jumps.iter().any(|jump| {
        matches!(jump.statement, Stmt::Return(inner)
        if inner.value.as_deref().is_some_and(|value| match value {
            Expr::BooleanLiteral(literal) => literal.value,
            other => !suites::is_plain_value(other),
        }))
    })
}

/// Whether the author has decided what a cancellation comes to here: a value or a cancellation for what
/// follows, or the end that everything else named in the clause comes to.
fn is_decided(handler: &Handler<'_, '_, '_, '_>, kind: &Expr) -> bool {
    members(kind)
        .iter()
        .any(|kind| handler.file.semantics.means(kind, ENDS))
        || outcome::leaves_word(handler)
        || outcome::raises_later(handler)
}

/// `pass`, or `...` in its place.
fn is_placeholder(statement: &Stmt) -> bool {
    match statement {
        Stmt::Pass(_) => true,
        Stmt::Expr(statement) => statement.value.is_ellipsis_literal_expr(),
        _ => false,
    }
}
