//! Race conditions on files: a blocking call holds up the event loop, so that no other task can touch a file between,
//! say, reading and writing it. An `await` in the place of the call opens that gap.

use asyncfix_analysis::answers::flow::Exits;
use asyncfix_syntax::queries::own_code;
use asyncfix_syntax::site::{Owner, suites_in};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Stmt};
use ruff_text_size::{Ranged, TextRange, TextSize};

use crate::blocking::checked;
use crate::blocking::files::{OPENED_CHECK, is_run_once};
use crate::blocking::handles::left_half_written;
use crate::blocking::listings;
use crate::blocking::paths::Agreement;
use crate::blocking::worked_on;
use crate::file::File;

/// Why an `await` in the place of the call at `range`, in the code of `owner`, would let other tasks interfere with a
/// file, as the reason of an unsafe fix. `None` where there is no such reason.
///
/// There are five: the file is open for writing there; it is read before and written afterwards; a command works on it,
/// and the function itself uses it as well; the call stands between a check for it and the change that follows from the
/// check; or its folder is listed before and the listed files are used afterwards.
pub(super) fn lets_others_in(
    file: &File<'_, '_>,
    owner: Owner<'_>,
    range: TextRange,
) -> Option<String> {
    let Owner::Function(function) = owner else {
        return None;
    };
    let around = file.file_uses().within(function.range());
    if around.is_empty() && file.file_uses().commands.is_empty() {
        return None;
    }
    let half = left_half_written(around, function, range).map(|written| {
        let path = &written.path.text;
        format!("other tasks may find `{path}` half-written while this waits")
    });
    let changed = || {
        let read = around.iter().filter(|read| {
            read.does.reads
                && read.range.end() <= range.start()
                && read.path.agreement != Agreement::Never
                && reaches(file, &function.body, read.range, range)
        });
        let mut pairs = read.flat_map(|read| {
            let written = around.iter().filter(|written| {
                written.does.writes
                    && written.range.start() >= range.end()
                    && written.path.is_same(&read.path)
                    && !written.is_kept_apart_from(read)
            });
            written.map(move |written| (read, written))
        });
        // If the function awaits between the two already, the fix opens no new gap.
        let (read, _) = pairs
            .find(|(read, written)| !waits_between(file, function, read.range, written.range))?;
        let path = &read.path.text;
        Some(format!(
            "other tasks may change `{path}` between the reading and the writing"
        ))
    };
    half.or_else(changed)
        .or_else(|| worked_on::opened(file, function, range))
        .filter(|_| !is_run_once(file, function))
        .or_else(|| {
            checked::is_between_check_and_change(file, function, range)
                .then(|| OPENED_CHECK.to_owned())
        })
        .or_else(|| listings::opened(file, owner, range))
}

/// Whether code at `later` may run after code at `earlier` has. It may not where the two stand in different branches of
/// one `if` or `match`, or where the suite around `earlier` never falls through, because it ends with a `return`, say.
pub(super) fn reaches(
    file: &File<'_, '_>,
    body: &[Stmt],
    earlier: TextRange,
    later: TextRange,
) -> bool {
    let Some(statement) = body
        .iter()
        .find(|statement| statement.range().contains_range(earlier))
    else {
        return true;
    };
    let suites = suites_in(statement);
    let Some(suite) = suites.into_iter().find(|suite| is_in(suite, earlier)) else {
        return true;
    };
    let has_later = is_in(suite, later);
    // What a `try` has found missing is what its handlers are for.
    let is_handled = matches!(statement, Stmt::Try(tried) if tried.handlers.iter().any(|handler| {
        handler.range().contains_range(later)
    }));
    if is_handled {
        return true;
    }
    let is_branch = match statement {
        Stmt::If(_) | Stmt::Match(_) => true,
        // Only one of a handler and the `else` runs.
        Stmt::Try(tried) => !is_in(&tried.body, earlier) && !is_in(&tried.finalbody, later),
        _ => false,
    };
    let is_beside = is_branch && !has_later && statement.range().contains_range(later);
    let leaves = !has_later && !Exits::of(file, suite).falls;
    !is_beside && !leaves && reaches(file, suite, earlier, later)
}

fn is_in(suite: &[Stmt], range: TextRange) -> bool {
    suite
        .iter()
        .any(|inner| inner.range().contains_range(range))
}

/// Whether a function lets other tasks run on its way from `earlier` to `later`: there is an `await`, an `async for` or
/// an `async with`.
pub(super) fn waits_between(
    file: &File<'_, '_>,
    function: &ast::StmtFunctionDef,
    earlier: TextRange,
    later: TextRange,
) -> bool {
    let mut awaits = Awaits {
        between: TextRange::new(earlier.end(), later.start().max(earlier.end())),
        found: Vec::new(),
    };
    awaits.visit_body(&function.body);
    let mut found = awaits.found.into_iter();
    found.any(|at| {
        reaches(file, &function.body, earlier, at) && reaches(file, &function.body, at, later)
    })
}

/// Looks for an `await`, `async for` or `async with` that starts in a range.
struct Awaits {
    between: TextRange,
    found: Vec<TextRange>,
}

impl<'a> SourceOrderVisitor<'a> for Awaits {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        let at: Option<TextSize> = match node {
            AnyNodeRef::ExprAwait(awaited) => Some(awaited.start()),
            AnyNodeRef::StmtFor(clause) if clause.is_async => Some(clause.start()),
            AnyNodeRef::StmtWith(with) if with.is_async => Some(with.start()),
            _ => None,
        };
        let at = at.filter(|at| self.between.contains(*at));
        self.found.extend(at.map(TextRange::empty));
        own_code(node)
    }
}
