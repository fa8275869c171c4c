//! What swallows cancellations without a clause for them: `contextlib.suppress`, and a `finally` that leaves.

use asyncfix_analysis::answers::cancellation::CANCELLED;
use asyncfix_analysis::answers::flow::Exits;
use asyncfix_analysis::facts::spelling::Spellings;
use asyncfix_knowledge::libraries::Library;
use asyncfix_syntax::queries::awaits;
use asyncfix_syntax::site::{Owner, Site};
use ruff_diagnostics::Edit;
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange};

use super::explained;
use super::outcome::Outcome;
use super::suites;
use super::swallowed::{MESSAGE, QUIET_END};
use super::{children, handlers, within};
use crate::edit::blocks::COMMENT;
use crate::file::File;
use crate::finding::{Finding, Remedy, Rewrite};
use crate::rule::Rule;

const SUPPRESS: &[&str] = &["contextlib.suppress"];

/// Whether a `with` may be one that suppresses cancellations of what it awaits, as far as the tree tells.
pub fn may_suppress(spellings: &Spellings, site: &Site<'_, '_>, statement: &ast::StmtWith) -> bool {
    handlers::may_be_asynchronous(site)
        && awaits(&statement.body)
        && statement.items.iter().any(|item| {
            matches!(&item.context_expr, Expr::Call(call) if spellings.allow(&call.func, SUPPRESS))
        })
}

/// Whether the `finally` of a statement may take the place of a cancellation, as far as the tree tells.
pub fn may_overtake(site: &Site<'_, '_>, statement: &ast::StmtTry) -> bool {
    !statement.finalbody.is_empty()
        && handlers::may_be_asynchronous(site)
        && (awaits(&statement.body) || awaits(&statement.orelse))
}

/// The owner of a statement, where asyncio may cancel what is there and no test plays it.
fn owner<'a>(file: &File<'a, '_>, site: &Site<'_, 'a>) -> Option<Owner<'a>> {
    let owner = file.surroundings(site).owner;
    let of_asyncio = matches!(file.library(), None | Some(Library::Asyncio));
    (of_asyncio && file.is_async(owner) && !file.is_test_code(owner)).then_some(owner)
}

/// What is wrong with a `with suppress(…)` in a loop that goes on when a cancellation has ended there.
pub fn suppression<'a>(
    rule: &'static Rule,
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    statement: &'a ast::StmtWith,
) -> Option<Finding> {
    let owner = owner(file, site)?;
    let (item, call, caught) = statement
        .items
        .iter()
        .enumerate()
        .find_map(|(index, item)| {
            let Expr::Call(call) = &item.context_expr else {
                return None;
            };
            let caught = caught(file, call)?;
            Some((index, call, caught))
        })?;
    let cannot_stop = handlers::goes_on_for_ever(site);
    let first = statement.body.first()?.start();
    let comments = TextRange::new(file.lines().start_with_comments(statement.start()), first);
    if !Outcome::from(file, site, owner, true, &[]).goes_on
        || children::waits_for_child(file, handlers::code_of_owner(file, owner), &statement.body)
        || children::cancels_what_it_awaits(
            handlers::code_of_owner(file, owner),
            &statement.body,
            statement.end(),
        )
        || within::waits_for_cancelled(file, &statement.body)
        || suites::only_closes(&statement.body)
        || explained::says_so(owner)
        || explained::is_explained(file, comments, cannot_stop, true)
        || handlers::cleans_up(file, site)
    {
        return None;
    }
    let remedy = match edits(file, site, statement, item, call, &caught) {
        Ok(edits) => Remedy::Rewrite(
            Rewrite::safe("Do not suppress `CancelledError`", edits)
                .unsafe_if((!cannot_stop).then_some(QUIET_END)),
        ),
        Err(reason) => Remedy::NotFixed(reason),
    };
    Some(Finding::new(rule, call.range(), MESSAGE.to_owned(), remedy))
}

/// What a `suppress(…)` catches a cancellation by.
enum Caught<'a> {
    /// These arguments name it.
    Named(Vec<&'a Expr>),
    /// This one is for everything.
    Everything(&'a Expr),
    /// It is in a tuple that stands elsewhere.
    Elsewhere(&'a Expr),
}

fn caught<'a>(file: &File<'_, '_>, call: &'a ast::ExprCall) -> Option<Caught<'a>> {
    if !file.semantics.means(&call.func, SUPPRESS) {
        return None;
    }
    let is_cancelled = |kind: &Expr| file.semantics.means(kind, CANCELLED);
    let is_everything = |kind: &Expr| file.semantics.means(kind, &["builtins.BaseException"]);
    let arguments = &call.arguments.args;
    if let Some(everything) = arguments.iter().find(|kind| is_everything(kind)) {
        return Some(Caught::Everything(everything));
    }
    let named: Vec<&Expr> = arguments.iter().filter(|kind| is_cancelled(kind)).collect();
    if !named.is_empty() {
        return Some(Caught::Named(named));
    }
    // `suppress(*ERRORS)`
    let elsewhere = arguments.iter().find(|kind| {
        let Expr::Starred(starred) = kind else {
            return false;
        };
        let Expr::Name(name) = &*starred.value else {
            return false;
        };
        let values = file.semantics.values_in_scope(name);
        values.iter().any(|value| {
            let Expr::Tuple(tuple) = value else {
                return false;
            };
            tuple
                .elts
                .iter()
                .any(|kind| is_cancelled(kind) || is_everything(kind))
        })
    })?;
    Some(Caught::Elsewhere(elsewhere))
}

fn edits(
    file: &File<'_, '_>,
    site: &Site<'_, '_>,
    statement: &ast::StmtWith,
    item: usize,
    call: &ast::ExprCall,
    caught: &Caught<'_>,
) -> Result<Vec<Edit>, String> {
    if file.comments.intersects(call.range()) {
        return Err(COMMENT.to_owned());
    }
    let cancelled = match caught {
        Caught::Everything(kind) => {
            let scope = file.semantics.scope_of_owner(site.owner());
            let is_builtin = scope
                .and_then(|scope| file.semantics.lookup("Exception", scope))
                .is_some_and(|definitions| definitions.is_empty());
            return if is_builtin {
                Ok(vec![Edit::range_replacement(
                    "Exception".to_owned(),
                    kind.range(),
                )])
            } else {
                Err("`Exception` is redefined in this scope".to_owned())
            };
        }
        Caught::Elsewhere(kind) => {
            let Expr::Starred(starred) = kind else {
                return Err("can't tell which exceptions it suppresses".to_owned());
            };
            return Err(format!(
                "`CancelledError` is listed in `{}`, which other code may use",
                file.text(&*starred.value)
            ));
        }
        Caught::Named(named) => named,
    };
    let is_cancelled = |kind: &Expr| cancelled.iter().any(|other| other.range() == kind.range());
    let arguments = &call.arguments.args;
    let kept: Vec<&Expr> = arguments
        .iter()
        .filter(|kind| !is_cancelled(kind))
        .collect();
    if let (Some(first), Some(last)) = (arguments.first(), arguments.last())
        && !kept.is_empty()
    {
        let kept: Vec<&str> = kept.into_iter().map(|kind| file.text(kind)).collect();
        return Ok(vec![Edit::range_replacement(
            kept.join(", "),
            TextRange::new(first.start(), last.end()),
        )]);
    }
    // Nothing is left to suppress.
    let items = &statement.items;
    if items.len() == 1 {
        return file
            .lines()
            .unwrap(&Stmt::With(statement.clone()), &statement.body)
            .map_err(str::to_owned);
    }
    let own = items.get(item).map(Ranged::range).unwrap_or_default();
    let range = match (items.get(item + 1), item.checked_sub(1)) {
        (Some(next), _) => TextRange::new(own.start(), next.start()),
        (None, Some(before)) => {
            let before = items.get(before).map_or(own.start(), Ranged::end);
            TextRange::new(before, own.end())
        }
        (None, None) => own,
    };
    if file.comments.intersects(range) {
        return Err(COMMENT.to_owned());
    }
    Ok(vec![Edit::range_deletion(range)])
}

/// What is wrong with a `finally` that leaves by a `return`, `break` or `continue`: the exception on its way is
/// dropped.
pub fn overtaken<'a>(
    rule: &'static Rule,
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    statement: &'a ast::StmtTry,
) -> Option<Finding> {
    let owner = owner(file, site)?;
    let exits = Exits::of(file, &statement.finalbody);
    let jump = exits.jumps.first()?.statement;
    let cannot_stop = handlers::goes_on_for_ever(site);
    let comments = TextRange::new(statement.finalbody.first()?.start(), jump.end());
    if children::waits_for_child(file, handlers::code_of_owner(file, owner), &statement.body)
        || suites::only_closes(&statement.body)
        || explained::says_so(owner)
        || explained::is_explained(file, comments, cannot_stop, false)
        || handlers::cleans_up(file, site)
    {
        return None;
    }
    let word = match AnyNodeRef::from(jump) {
        AnyNodeRef::StmtReturn(_) => "return",
        AnyNodeRef::StmtBreak(_) => "break",
        _ => "continue",
    };
    Some(Finding::new(
        rule,
        jump.range(),
        format!(
            "`{word}` in `finally` swallows every exception, `CancelledError` included, so the task can't be cancelled here"
        ),
        Remedy::NotFixed(format!(
            "without `{word}` in the `finally`, all other exceptions would be raised too; catch those that may be \
             ignored, and move `{word}` behind the `try`"
        )),
    ))
}
