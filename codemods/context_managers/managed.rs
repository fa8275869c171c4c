//! An object that a statement opens, such as `session = aiohttp.ClientSession()`, and what all fixes of AF601 ask about
//! it. A *row* is an entry of `knowledge/data/resources.toml`: it says how such an object is opened and closed.

use std::ops::RangeInclusive;

use asyncfix_knowledge::resources::{Form, Resource};
use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::Place;
use ruff_diagnostics::Edit;
use ruff_python_ast::helpers::any_over_expr;
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ruff_source_file::LineRanges;
use ruff_text_size::{Ranged, TextRange};

use super::uses::{UseKind, Used};
use crate::file::File;
use crate::finding::Rewrite;

/// Why there is no fix where lines cannot be moved or removed whole.
pub(super) const SHARED: &str = "there is another statement on the same line";

/// A statement that may open something: `name = call(…)` or `one, other = call(…)`, awaited or not.
#[derive(Clone, Copy)]
pub(super) struct Opening<'a> {
    pub(super) targets: &'a [Expr],
    /// Whether the call returns a tuple, which is unpacked into the targets.
    pub(super) is_tuple: bool,
    pub(super) call: &'a ast::ExprCall,
    pub(super) awaited: bool,
}

impl<'a> Opening<'a> {
    /// The opening that an assignment may be. `None` for chained assignments (`a = b = …`), and for targets and values
    /// of another form.
    pub(super) fn of(node: AnyNodeRef<'a>) -> Option<Self> {
        let (target, value) = match node {
            AnyNodeRef::StmtAssign(statement) => match statement.targets.as_slice() {
                [target] => (target, &*statement.value),
                _ => return None,
            },
            AnyNodeRef::StmtAnnAssign(statement) => {
                (&*statement.target, statement.value.as_deref()?)
            }
            _ => return None,
        };
        let (targets, is_tuple) = match target {
            Expr::Name(_) => (std::slice::from_ref(target), false),
            Expr::Tuple(tuple) => (tuple.elts.as_slice(), true),
            _ => return None,
        };
        let (call, awaited) = match value {
            Expr::Call(call) => (call, false),
            Expr::Await(awaited) => match &*awaited.value {
                Expr::Call(call) => (call, true),
                _ => return None,
            },
            _ => return None,
        };
        Some(Self {
            targets,
            is_tuple,
            call,
            awaited,
        })
    }

    /// The target that gets the object, by what `rows` say of its place in a tuple. `None` where that is not a plain
    /// name.
    pub(super) fn object(&self, rows: &[&Resource]) -> Option<&'a ast::ExprName> {
        let index = rows.first()?.place_in_tuple().unwrap_or(0);
        self.targets.get(index)?.as_name_expr()
    }
}

/// The message of a finding, with its fix or the reason why there is none. `None` where there is no finding.
pub(super) type Answer = Option<(String, Result<Rewrite, String>)>;

/// An object that is opened by one statement of a suite.
pub(super) struct Managed<'f, 'a, 'db> {
    pub(super) file: &'f File<'a, 'db>,
    pub(super) function: &'a ast::StmtFunctionDef,
    pub(super) opening: Opening<'a>,
    /// The variable that the object is bound to.
    pub(super) object: &'a ast::ExprName,
    /// Where the opening stands in its suite.
    pub(super) place: Place<'a>,
    /// What is known of the object; one row for each way to close it.
    pub(super) rows: Vec<&'static Resource>,
    /// Its uses in source order, without those that only test whether it is there (`if session:`).
    pub(super) uses: Vec<Used<'a>>,
}

impl Managed<'_, '_, '_> {
    /// The index in the suite of the first statement that belongs into the block: the one behind the opening or, where
    /// `async with` awaits a set-up method by itself (`setup` of the row), behind the statement that calls that method.
    /// `None` where that call does not follow the opening.
    pub(super) fn first_of_body(&self) -> Option<usize> {
        let next = self.place.index + 1;
        let Some(setup) = self.rows.first().and_then(|row| row.setup.as_deref()) else {
            return Some(next);
        };
        let statement = self.place.suite.get(next)?;
        self.is_awaited_method(statement, setup).then_some(next + 1)
    }

    /// The range from the statement with index `first` to the end of the suite. `None` where there is no such
    /// statement.
    pub(super) fn body(&self, first: usize) -> Option<TextRange> {
        let suite = self.place.suite;
        Some(TextRange::new(
            suite.get(first)?.start(),
            suite.last()?.end(),
        ))
    }

    /// The edits that remove the statements between the opening and the one with index `first`: the set-up call, which
    /// entering the block makes superfluous. `Err` with the reason where a line holds other code as well.
    pub(super) fn without_setup(&self, first: usize) -> Result<Vec<Edit>, String> {
        let lines = self.file.lines();
        let Place { suite, index, .. } = self.place;
        let mut removals = Vec::new();
        for at in index + 1..first {
            removals.extend(lines.blank_lines_behind(suite.get(at - 1).ok_or(SHARED)?));
            removals.push(self.indented(lines.delete(suite, at)?));
        }
        Ok(removals)
    }

    /// Why `async with` would connect too early: entering the block opens a connection, which this code opens only
    /// later, by a method that `enters` of the row names. `opening` is the index of the opening statement. `None` where
    /// such a method is the first use of the object, or where entering opens nothing.
    pub(super) fn opens_early(&self, opening: usize) -> Option<&'static str> {
        let entering = self.rows.first()?.enters.as_deref()?;
        let statement = self.place.suite.get(opening)?;
        let mut uses = self
            .uses
            .iter()
            .filter(|used| used.range.start() >= statement.end());
        let opens = match uses.next() {
            Some(Used {
                kind: UseKind::Receiver(method),
                is_awaited: true,
                ..
            }) => entering.iter().any(|known| known == "*" || known == method),
            _ => false,
        };
        (!opens).then_some("on entry it opens the connection, which this code does later")
    }

    /// Whether the object is sure to be opened before it may be closed: making it opens something, or the first thing
    /// done behind that is the call which does.
    pub(super) fn is_opened(&self) -> bool {
        let Some(methods) = self.rows.first().and_then(|row| row.opened_by.as_ref()) else {
            return true;
        };
        let behind = self.place.suite.get(self.place.index + 1..);
        self.opens_first(methods, behind.unwrap_or_default())
    }

    fn opens_first(&self, methods: &[String], suite: &[Stmt]) -> bool {
        let next = suite.iter().find(|statement| !does_nothing(statement));
        let value = match next {
            Some(Stmt::Try(inner)) => return self.opens_first(methods, &inner.body),
            Some(Stmt::Expr(inner)) => &*inner.value,
            Some(Stmt::Assign(inner)) => &*inner.value,
            _ => return false,
        };
        let Some(Expr::Call(call)) = value.as_await_expr().map(|awaited| &*awaited.value) else {
            return false;
        };
        matches!(&*call.func, Expr::Attribute(method)
            if matches!(&*method.value, Expr::Name(name) if name.id == self.object.id)
                && methods.iter().any(|opening| *opening == *method.attr))
    }

    /// Why it may be wrong to close the object in a `finally` that the call which opens it is part of.
    pub(super) fn may_not_be_open(&self) -> Option<&'static str> {
        let is_used = |close: &String| {
            let mut uses = self.uses.iter();
            uses.any(|used| used.kind == UseKind::Receiver(close.as_str()))
        };
        let mut rows = self.rows.iter().copied();
        let row = rows
            .find(|row| row.close.iter().any(is_used))
            .or(self.rows.first().copied())?;
        let may_raise = row.form == Form::None && row.opened_by.is_some();
        let note = row.note.as_deref();
        may_raise.then(|| note.unwrap_or("closing it raises if it was never opened"))
    }

    /// The lines of a `finally` that holds the statements of `suite` with the indices `closing`, and their comments,
    /// those on lines of their own above included. Indented by one step only: the caller indents the whole.
    pub(super) fn finally(&self, suite: &[Stmt], closing: RangeInclusive<usize>) -> Vec<String> {
        let unit = self.file.indent_unit();
        let lines = self.file.lines();
        let mut written = vec!["finally:".to_owned()];
        for statement in suite.get(closing).unwrap_or_default() {
            let start = self.file.source.line_start(statement.start());
            let above = TextRange::new(lines.start_with_comments(statement.start()), start);
            let above = self.file.text(above).lines().map(str::trim);
            written.extend(above.map(|comment| format!("{unit}{comment}")));
            let line = lines.line_of(statement).unwrap_or(statement.range());
            let text = TextRange::new(statement.start(), line.end());
            written.push(format!("{unit}{}", self.file.text(text).trim_end()));
        }
        written
    }

    /// `removal`, changed so that a comment which stays behind it is indented like the block that it is now in.
    pub(super) fn indented(&self, removal: Edit) -> Edit {
        let keeps_comment = self.file.source[removal.end().to_usize()..].starts_with('#');
        if keeps_comment && removal.is_deletion() {
            Edit::range_replacement(self.file.indent_unit().to_owned(), removal.range())
        } else {
            removal
        }
    }
}

/// Whether a statement calls nothing and leads nowhere.
fn does_nothing(statement: &Stmt) -> bool {
    match statement {
        Stmt::FunctionDef(function) => function.decorator_list.is_empty(),
        Stmt::Pass(_) | Stmt::Import(_) | Stmt::ImportFrom(_) => true,
        Stmt::Expr(inner) => inner.value.is_literal_expr(),
        Stmt::Assign(inner) => !any_over_expr(&inner.value, |part| {
            part.is_call_expr() || part.is_await_expr() || part.is_subscript_expr()
        }),
        _ => false,
    }
}

/// The title of the fix, in the imperative.
pub(super) fn title(row: &Resource) -> &'static str {
    if row.form == Form::None {
        "Close it in `finally`"
    } else {
        "Use `async with`"
    }
}

/// The message for an object that is closed, whatever happens.
pub(super) const CLOSED_MANUALLY: &str = "is closed manually; use `async with`";

/// The message for an object that `closing` closes outside of a `finally`.
pub(super) fn stays_open(closing: &Stmt) -> String {
    let close = method_called(closing).unwrap_or("close");
    format!("stays open if an exception or cancellation happens before `{close}()`")
}

/// The name of the method that a statement calls: `close` of `await x.close()`, also under `if x:`.
fn method_called(statement: &Stmt) -> Option<&str> {
    let value = match statement {
        Stmt::If(guard) => return method_called(guard.body.first()?),
        Stmt::Expr(statement) => &*statement.value,
        _ => return None,
    };
    let call = match value {
        Expr::Await(awaited) => &*awaited.value,
        other => other,
    };
    last_name(&call.as_call_expr()?.func)
}
