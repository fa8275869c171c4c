//! The proof that a rewrite did what it says and nothing else, before anything is written.

use std::fmt;

use ruff_diagnostics::Edit;
use ruff_python_ast::comparable::{
    ComparableExpr, ComparableParameters, ComparablePattern, ComparableStmt, ComparableTypeParams,
    ComparableWithItem,
};
use ruff_python_ast::token::TokenKind;
use ruff_python_ast::{ExceptHandler, ModModule, Stmt, StmtTry};
use ruff_python_parser::{Parsed, parse_module};
use ruff_text_size::{Ranged, TextRange, TextSize};
use rustc_hash::FxHashMap;

use crate::edit::compile_errors;
use crate::edit::positions::Positions;
use crate::suppression::{WORDS, is_code, is_for_programs};

/// What is wrong with a rewritten text, so that it is not written. The text of each is for the message: what the parser
/// or compiler says, or a piece of code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// The result does not parse; with the parser's message.
    Syntax(String),
    /// The result parses, but Python would refuse to compile it; with what it would say.
    Compile(String),
    /// A comment of the original is gone or changed.
    Comment(String),
    /// A string of the original is gone or changed.
    String(String),
    /// A statement that no edit touches means something else, or stands somewhere else.
    Statement(String),
    /// A statement appeared that no edit wrote.
    Stray(String),
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(message) => write!(f, "the new code has a syntax error: {message}"),
            Self::Compile(message) => write!(f, "the new code does not compile: {message}"),
            Self::Comment(text) => write!(f, "a comment (`{text}`) would be removed"),
            Self::String(text) => write!(f, "a string ({text}) would change"),
            Self::Statement(text) => write!(f, "unexpected change of `{text}`"),
            Self::Stray(text) => write!(f, "unexpected new `{text}`"),
        }
    }
}

/// Proves that `new`, which is `old` with `edits` applied, differs in meaning only where the edits are. `Err` is the
/// first flaw that is found.
///
/// `edits` are in source order and do not overlap; their ranges, and those of `removed`, are byte offsets in `old`.
/// `removed` are the statements that were removed on purpose. What is proved:
///
/// * `new` parses, and compiles as far as `old` did;
/// * every comment of `old` is in `new` with the same bytes and in the same order, and every string with the same
///   bytes, apart from those in `removed`, and from suppression comments (`# noqa`, `# type: ignore`) that an edit
///   removes or reduces to some of their codes;
/// * every statement of `old` that no edit touches is in `new`, equal, in the same clause of the
///   same statement (new statements may stand around it), and
/// * every other statement of `new` stands in text that an edit wrote or touched.
pub fn prove(
    old: &str,
    old_module: &Parsed<ModModule>,
    new: &str,
    edits: &[Edit],
    removed: &[TextRange],
) -> Result<(), Flaw> {
    let new_module = parse_module(new).map_err(|error| Flaw::Syntax(error.to_string()))?;
    let errors = compile_errors::of(new_module.syntax(), new);
    if !errors.is_empty() {
        let mut known = compile_errors::of(old_module.syntax(), old);
        for error in errors {
            match known.iter().position(|other| *other == error) {
                Some(place) => {
                    known.swap_remove(place);
                }
                None => return Err(Flaw::Compile(error)),
            }
        }
    }
    let gone = |range: TextRange| removed.iter().any(|removed| removed.contains_range(range));
    // A comment that is only for programs (`# noqa: F401`) may be removed, or be reduced to some of its codes, by an
    // edit.
    let went_with_its_code = |range: TextRange| {
        is_for_programs(&old[range])
            && edits.iter().any(|edit| {
                let meets = edit.range().intersect(range);
                // The edit may write nothing but words of the comment, codes, and the words of our own comments.
                let is_list = |text: &str| {
                    let mut words = text.split(", ");
                    words.all(|word| {
                        is_code(word) || old[range].contains(word) || WORDS.contains(&word)
                    })
                };
                meets.is_some_and(|common| !common.is_empty())
                    && edit.content().is_none_or(|text| is_list(text.trim_start()))
            })
    };
    kept_in_order(
        tokens_of(
            old,
            old_module,
            |kind| kind.is_comment(),
            |range| gone(range) || went_with_its_code(range),
        ),
        tokens_of(new, &new_module, |kind| kind.is_comment(), |_| false),
    )
    .map_err(Flaw::Comment)?;
    kept(
        tokens_of(old, old_module, is_string, gone),
        tokens_of(new, &new_module, is_string, |_| false),
    )
    .map_err(Flaw::String)?;
    compare_statements(old, old_module, new, &new_module, edits)
}

fn is_string(kind: TokenKind) -> bool {
    matches!(
        kind,
        TokenKind::String | TokenKind::FStringMiddle | TokenKind::TStringMiddle
    )
}

/// The texts of the tokens of some kind, in source order, without those in ranges that are gone.
fn tokens_of<'s>(
    source: &'s str,
    module: &Parsed<ModModule>,
    wanted: impl Fn(TokenKind) -> bool,
    gone: impl Fn(TextRange) -> bool,
) -> Vec<&'s str> {
    module
        .tokens()
        .iter()
        .filter(|token| wanted(token.kind()) && !gone(token.range()))
        .map(|token| &source[token.range()])
        .collect()
}

/// Whether `old` is a subsequence of `new`. `Err` with the first text of `old` that breaks the order or is missing.
fn kept_in_order(old: Vec<&str>, new: Vec<&str>) -> Result<(), String> {
    let mut new = new.into_iter();
    for text in old {
        if !new.any(|other| other == text) {
            return Err(text.to_owned());
        }
    }
    Ok(())
}

/// Whether `new` has each text of `old` at least as often. `Err` with the first that it has not. The order does not
/// count, because an edited statement may be turned round: in `pages["x"] = gather(get("GET"))` the call comes to stand
/// before the assignment.
fn kept(old: Vec<&str>, new: Vec<&str>) -> Result<(), String> {
    let mut counts: FxHashMap<&str, usize> = FxHashMap::default();
    for text in new {
        *counts.entry(text).or_default() += 1;
    }
    for text in old {
        match counts.get_mut(text) {
            Some(count) if *count > 0 => *count -= 1,
            _ => return Err(text.to_owned()),
        }
    }
    Ok(())
}

/// A statement of the flattened tree, with what it stands in.
struct Flat<'a> {
    statement: &'a Stmt,
    /// The index, in the flattened tree, of the compound statement around it, and the clause there. `None` at the top
    /// level.
    parent: Option<(usize, Clause)>,
}

/// All statements of a module in source order, each before those in its suites.
fn flatten(body: &[Stmt]) -> Vec<Flat<'_>> {
    fn walk<'a>(suite: &'a [Stmt], parent: Option<(usize, Clause)>, flat: &mut Vec<Flat<'a>>) {
        for statement in suite {
            let index = flat.len();
            flat.push(Flat { statement, parent });
            for (clause, inner) in clauses(statement) {
                walk(inner, Some((index, clause)), flat);
            }
        }
    }
    let mut flat = Vec::new();
    walk(body, None, &mut flat);
    flat
}

/// Which suite of a compound statement.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Clause {
    /// The suite with this number among all of the statement: of an `if`, 0 is its body, 1 the first `elif` or `else`.
    Number(usize),
    /// The body of the `except` that starts here.
    Handler(TextSize),
    Else,
    Finally,
}

/// Whether a clause of an old statement is this one of the new statement.
fn same_clause(old: Clause, new: Clause, positions: &Positions<'_>) -> bool {
    match (old, new) {
        (Clause::Handler(old), Clause::Handler(new)) => positions.new_offset(old) == new,
        (old, new) => old == new,
    }
}

/// The suites of a statement, each with the clause it is.
fn clauses(statement: &Stmt) -> Vec<(Clause, &[Stmt])> {
    match statement {
        Stmt::Try(inner) => std::iter::once((Clause::Number(0), inner.body.as_slice()))
            .chain(inner.handlers.iter().map(|handler| {
                let ExceptHandler::ExceptHandler(handler) = handler;
                (Clause::Handler(handler.start()), handler.body.as_slice())
            }))
            .chain([
                (Clause::Else, &*inner.orelse),
                (Clause::Finally, &*inner.finalbody),
            ])
            .collect(),
        Stmt::For(inner) => vec![
            (Clause::Number(0), &inner.body),
            (Clause::Else, &inner.orelse),
        ],
        Stmt::While(inner) => vec![
            (Clause::Number(0), &inner.body),
            (Clause::Else, &inner.orelse),
        ],
        _ => asyncfix_syntax::site::suites_in(statement)
            .into_iter()
            .enumerate()
            .map(|(number, suite)| (Clause::Number(number), suite))
            .collect(),
    }
}

fn compare_statements(
    old: &str,
    old_module: &Parsed<ModModule>,
    new: &str,
    new_module: &Parsed<ModModule>,
    edits: &[Edit],
) -> Result<(), Flaw> {
    let old_flat = flatten(&old_module.syntax().body);
    let new_flat = flatten(&new_module.syntax().body);
    let positions = Positions::new(old, edits);
    let mut twin_of_new: Vec<Option<usize>> = vec![None; new_flat.len()];
    let mut twin_of_old: Vec<Option<usize>> = vec![None; old_flat.len()];
    let mut candidate = 0;
    for (index, flat) in old_flat.iter().enumerate() {
        let header = header_range(flat.statement);
        let touched = positions.touches(header);
        if touched && positions.is_removed(flat.statement.start()) {
            continue;
        }
        let at = positions.new_offset(flat.statement.start());
        while new_flat
            .get(candidate)
            .is_some_and(|other| other.statement.start() < at)
        {
            candidate += 1;
        }
        let twin = new_flat
            .get(candidate)
            .filter(|other| other.statement.start() == at);
        match twin {
            // A simple statement was rewritten to the header of a new block.
            Some(other) if touched && is_simple(flat.statement) && !is_simple(other.statement) => {}
            Some(other) if touched || same_header(flat.statement, other.statement, &positions) => {
                if let (Some(one), Some(two)) =
                    (twin_of_old.get_mut(index), twin_of_new.get_mut(candidate))
                {
                    *one = Some(candidate);
                    *two = Some(index);
                }
            }
            _ if touched => {}
            _ => return Err(Flaw::Statement(first_line(&old[flat.statement.range()]))),
        }
    }
    // Each kept statement stands in the twin of the statement that it stood in; new statements may be in between.
    for (index, flat) in old_flat.iter().enumerate() {
        let Some(twin) = twin_of_old.get(index).copied().flatten() else {
            continue;
        };
        let mut expected = flat.parent;
        while let Some((parent, _)) = expected
            && twin_of_old.get(parent).copied().flatten().is_none()
        {
            // The statement around it was edited away, so the next one further out counts.
            expected = old_flat.get(parent).and_then(|parent| parent.parent);
        }
        let mut actual = new_flat.get(twin).and_then(|flat| flat.parent);
        while let Some((parent, _)) = actual
            && twin_of_new.get(parent).copied().flatten().is_none()
        {
            actual = new_flat.get(parent).and_then(|parent| parent.parent);
        }
        let same = match (expected, actual) {
            (None, None) => true,
            (Some((old_parent, old_clause)), Some((new_parent, new_clause))) => {
                twin_of_old.get(old_parent).copied().flatten() == Some(new_parent)
                    && same_clause(old_clause, new_clause, &positions)
            }
            _ => false,
        };
        if !same {
            return Err(Flaw::Statement(first_line(&old[flat.statement.range()])));
        }
    }
    for (index, flat) in new_flat.iter().enumerate() {
        let is_new = twin_of_new.get(index).copied().flatten().is_none();
        if is_new && !positions.was_written(flat.statement.start()) {
            return Err(Flaw::Stray(first_line(&new[flat.statement.range()])));
        }
    }
    Ok(())
}

fn is_simple(statement: &Stmt) -> bool {
    clauses(statement).is_empty()
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// The range of a statement up to its first suite; all of it where it has none.
fn header_range(statement: &Stmt) -> TextRange {
    let first = clauses(statement)
        .into_iter()
        .find_map(|(_, suite)| suite.first().map(Ranged::start));
    match first {
        Some(first) => TextRange::new(statement.start(), first.max(statement.start())),
        None => statement.range(),
    }
}

/// Whether each handler of `old` is still in `new`, in order and with the same `except` line unless an edit touches it,
/// and each other handler of `new` was written by an edit.
fn same_handlers(old: &StmtTry, new: &StmtTry, positions: &Positions<'_>) -> bool {
    let mut before = old.handlers.iter().peekable();
    for handler in &new.handlers {
        let ExceptHandler::ExceptHandler(two) = handler;
        let twin = before.next_if(|old| positions.new_offset(old.start()) == two.start());
        let is_kept = match twin {
            Some(ExceptHandler::ExceptHandler(one)) => {
                let body = one.body.first().map_or(one.end(), Ranged::start);
                positions.touches(TextRange::new(one.start(), body))
                    || one.type_.as_deref().map(ComparableExpr::from)
                        == two.type_.as_deref().map(ComparableExpr::from)
                        && one.name.as_deref() == two.name.as_deref()
            }
            None => positions.was_written(two.start()),
        };
        if !is_kept {
            return false;
        }
    }
    before.next().is_none()
}

/// Whether two statements are the same apart from the suites they hold.
fn same_header(one: &Stmt, other: &Stmt, positions: &Positions<'_>) -> bool {
    let expr = |one, other| ComparableExpr::from(one) == ComparableExpr::from(other);
    match (one, other) {
        (Stmt::FunctionDef(a), Stmt::FunctionDef(b)) => {
            a.is_async == b.is_async
                && a.name.as_str() == b.name.as_str()
                && a.decorator_list.len() == b.decorator_list.len()
                && a.decorator_list
                    .iter()
                    .zip(&b.decorator_list)
                    .all(|(a, b)| expr(&a.expression, &b.expression))
                && ComparableParameters::from(&*a.parameters)
                    == ComparableParameters::from(&*b.parameters)
                && a.returns.as_deref().map(ComparableExpr::from)
                    == b.returns.as_deref().map(ComparableExpr::from)
                && a.type_params.as_deref().map(ComparableTypeParams::from)
                    == b.type_params.as_deref().map(ComparableTypeParams::from)
        }
        (Stmt::ClassDef(a), Stmt::ClassDef(b)) => {
            a.name.as_str() == b.name.as_str()
                && a.decorator_list.len() == b.decorator_list.len()
                && a.decorator_list
                    .iter()
                    .zip(&b.decorator_list)
                    .all(|(a, b)| expr(&a.expression, &b.expression))
                && a.bases().len() == b.bases().len()
                && a.bases().iter().zip(b.bases()).all(|(a, b)| expr(a, b))
                && a.keywords().len() == b.keywords().len()
                && a.keywords()
                    .iter()
                    .zip(b.keywords())
                    .all(|(a, b)| a.arg.as_deref() == b.arg.as_deref() && expr(&a.value, &b.value))
                && a.type_params.as_deref().map(ComparableTypeParams::from)
                    == b.type_params.as_deref().map(ComparableTypeParams::from)
        }
        (Stmt::For(a), Stmt::For(b)) => {
            a.is_async == b.is_async && expr(&a.target, &b.target) && expr(&a.iter, &b.iter)
        }
        (Stmt::While(a), Stmt::While(b)) => expr(&a.test, &b.test),
        (Stmt::If(a), Stmt::If(b)) => {
            expr(&a.test, &b.test) && a.elif_else_clauses.len() == b.elif_else_clauses.len()
        }
        (Stmt::With(a), Stmt::With(b)) => {
            a.is_async == b.is_async
                && a.items.len() == b.items.len()
                && a.items
                    .iter()
                    .zip(&b.items)
                    .all(|(a, b)| ComparableWithItem::from(a) == ComparableWithItem::from(b))
        }
        (Stmt::Try(a), Stmt::Try(b)) => {
            a.is_star == b.is_star
                && same_handlers(a, b, positions)
                && a.orelse.is_empty() == b.orelse.is_empty()
                && (a.finalbody.is_empty() == b.finalbody.is_empty()
                    || a.finalbody
                        .first()
                        .is_some_and(|first| positions.is_removed(first.start())))
        }
        (Stmt::Match(a), Stmt::Match(b)) => {
            expr(&a.subject, &b.subject)
                && a.cases.len() == b.cases.len()
                && a.cases.iter().zip(&b.cases).all(|(a, b)| {
                    ComparablePattern::from(&a.pattern) == ComparablePattern::from(&b.pattern)
                })
        }
        _ => ComparableStmt::from(one) == ComparableStmt::from(other),
    }
}
