//! AF303 broad-except-swallows-cancellation: a handler of everything around an `await`.

use asyncfix_analysis::answers::cancellation::{CANCELLED, members};
use asyncfix_analysis::answers::coroutines;
use asyncfix_analysis::answers::flow::{Exits, Jump};
use asyncfix_analysis::candidate::Candidate;
use asyncfix_analysis::facts::spelling::Hints;
use asyncfix_analysis::resolve::FileScopeId;
use asyncfix_syntax::queries::awaits;
use asyncfix_syntax::site::{Owner, Site};
use ruff_diagnostics::{Applicability, Edit};
use ruff_python_ast::{self as ast, AnyNodeRef, ExceptHandler, NodeKind, PythonVersion, Stmt};
use ruff_text_size::{Ranged, TextLen, TextRange};

use super::handlers::{self, Handler};
use super::outcome::{self, Outcome};
use super::suites;
use super::{behind, needs, raised, taken, within};
use crate::codemod::Codemod;
use crate::edit::blocks::COMMENT;
use crate::edit::imports;
use crate::file::File;
use crate::finding::{Finding, Remedy, Rewrite};
use crate::rule::{Rule, Stability};
use crate::suppression::{Suppressions, without_noqa};

/// The codemod of AF303.
pub struct BroadExcept;

static RULE: Rule = Rule {
    code: "AF303",
    name: "broad-except-swallows-cancellation",
    finds: "bare `except:` or `except BaseException` also catches cancellation",
    pitfall: "not handling cancellation",
    page: include_str!("AF303.md"),
    default: true,
    stability: Stability::Stable,
    // Rules about breadth alone (E722, BLE001) say nothing about cancellations.
    equivalents: &["ASYNC103", "ASYNC104", "S7497"],
};

/// The codes of other linters for a bare `except:`.
const BARE: &[&str] = &["E722", "B001"];

impl Codemod for BroadExcept {
    fn rule(&self) -> &'static Rule {
        &RULE
    }

    fn words(&self) -> &'static [&'static str] {
        &["BaseException", "except:", "except :"]
    }

    fn asks_for_types(&self) -> bool {
        true
    }

    fn nodes(&self) -> &'static [NodeKind] {
        &[NodeKind::ExceptHandlerExceptHandler]
    }

    fn candidate(&self, hints: &Hints<'_>, site: &Site<'_, '_>) -> Candidate {
        let spellings = hints.spellings;
        let AnyNodeRef::ExceptHandlerExceptHandler(handler) = site.node else {
            return Candidate::No;
        };
        let broad = handler.type_.as_deref().is_none_or(|kind| {
            members(kind)
                .iter()
                .any(|kind| spellings.allow(kind, &["builtins.BaseException"]))
        });
        Candidate::when(broad && handlers::clause_around_await(site).is_some())
    }

    fn check<'a>(&self, file: &File<'a, '_>, site: &Site<'_, 'a>) -> Option<Finding> {
        finding(&Handler::new(file, *site)?)
    }
}

/// What is wrong with a clause around an `await`, if something is.
fn finding(handler: &Handler<'_, '_, '_, '_>) -> Option<Finding> {
    let file = handler.file;
    // Until then a cancellation was an `Exception`.
    if !file.targets(PythonVersion::PY38) {
        return None;
    }
    if let Some(kind) = handler.node.type_.as_deref() {
        let kinds = members(kind);
        if !kinds.iter().any(|kind| handler.is_base_exception(kind))
            // What names the cancellation itself is AF302's.
            || kinds.iter().any(|kind| file.semantics.means(kind, CANCELLED))
        {
            return None;
        }
    }
    let exits = Exits::of(file, &handler.node.body);
    if exits.always_raises()
        || handler
            .others(true)
            .any(|other| handler.catches_cancellation(other) || catches_exception(file, other))
        || handler.is_meant()
        || serves_failure(file, &handler.site)
        || is_clean_up(handler)
        || is_end_of_a_task(handler, &exits)
    {
        return None;
    }
    let remedy = match rewrite(handler, &exits) {
        Ok(rewrite) => Remedy::Rewrite(rewrite),
        Err(reason) => Remedy::NotFixed(reason),
    };
    let what = match handler.node.type_ {
        Some(_) => "`except BaseException`",
        None => "bare `except:`",
    };
    Some(Finding::new(
        &RULE,
        handler.header(),
        format!("{what} also catches `CancelledError`, so the task can't be cancelled here"),
        remedy,
    ))
}

/// Whether the clause is part of what ends something: it is not to be cut short.
fn is_clean_up(handler: &Handler<'_, '_, '_, '_>) -> bool {
    let body = &handler.statement.body;
    let in_clean_up = matches!(handler.owner, Owner::Function(function)
        if coroutines::cleans_up(&function.name));
    suites::is_shielded(body)
        || in_clean_up && suites::only_closes(body)
        || handler.callers().is_some_and(|callers| callers.clean_up())
}

/// Whether the handler does more than to log at the end of a task, whose outcome nobody sees: that is
/// what is to be done however it ends.
fn is_end_of_a_task<'a>(handler: &Handler<'_, '_, 'a, '_>, exits: &Exits<'a>) -> bool {
    !handler.is_idle()
        && handler.file.is_in_package()
        && !Outcome::of(handler, exits).goes_on
        && handler.callers().is_some_and(|callers| callers.are_tasks())
}

/// Whether the clause is part of a handler that raises in the end: what goes wrong while another
/// error is dealt with must not take its place.
fn serves_failure<'a>(file: &File<'a, '_>, site: &Site<'_, 'a>) -> bool {
    site.enclosing_in_function()
        .any(|(around, _)| match around {
            AnyNodeRef::ExceptHandlerExceptHandler(outer) => {
                Exits::of(file, &outer.body).always_raises()
            }
            _ => false,
        })
}

fn rewrite<'a>(handler: &Handler<'_, '_, 'a, '_>, exits: &Exits<'a>) -> Result<Rewrite, String> {
    const MEANT: &str = "the handler may be meant to run on cancellation as well";
    let file = handler.file;
    let scope = file
        .semantics
        .scope_of_owner(handler.owner)
        .ok_or("asyncfix can't find the scope of this code")?;
    if let Some(name) = needs::clean_up(&handler.node.body) {
        return Err(format!(
            "the handler calls `{name}`, which a cancellation needs too"
        ));
    }
    let returns = exits.jumps.iter().any(|jump| {
        matches!(jump.statement, Stmt::Return(statement)
            if statement.value.as_deref().is_some_and(|value| !value.is_none_literal_expr()))
    });
    // To break out of a loop is a way to come to what is to be done in the end.
    let breaks = |jump: &Jump<'_>| jump.statement.is_break_stmt();
    let skips = exits.jumps.iter().any(breaks) && Outcome::of(handler, exits).has_more_to_do(file);
    // What cannot be stopped does nothing for the sake of those who stop it.
    let is_meant = !handler.goes_on_for_ever()
        && (!needs::only_retries(file, &handler.node.body) || outcome::leaves_word(handler));
    let skipped = skipped_clean_up(handler, exits);
    let is_caught_further_out = is_caught_further_out(handler);
    let is_lost = taken::is_lost(handler, &Outcome::of(handler, exits));
    let doubts = |rewrite: Rewrite| {
        rewrite
            .unsafe_if(
                returns.then_some("the code that cancels this may use the value returned here"),
            )
            .unsafe_if(skips.then_some("on cancellation the code after the loop would be skipped"))
            .unsafe_if(skipped)
            .unsafe_if(is_lost)
            .unsafe_if(is_caught_further_out.then_some(
                "the `except` around it would catch the cancellation, and do what it does on errors",
            ))
            .unsafe_if(is_meant.then_some(MEANT))
    };
    // The others of a tuple go with the one that stands for them all, unless they are no `Exception`.
    let is_alone = handler.node.type_.as_deref().is_none_or(|kind| {
        members(kind).iter().all(|kind| {
            file.semantics
                .means(kind, &["builtins.BaseException", "builtins.Exception"])
                || raised::is_exception(file, kind)
        })
    });
    // What runs beside others keeps `SystemExit` from ending them: only the cancellation passes.
    let in_group = handler.is_idle()
        && handler
            .callers()
            .is_some_and(|callers| callers.are_of_a_group());
    let body = &handler.statement.body;
    let raised = raised::beyond_exception(file, body).or_else(|| raised::by_packages(file, body));
    if is_alone && !in_group && raised.is_none() {
        let mut changes = vec![narrowed(file, handler.node, scope)?];
        // What names a class is no bare clause any more, and other linters say so of the comment.
        if handler.node.type_.is_none() {
            changes.extend(without_noqa(file, handler.node.start(), BARE));
        }
        return Ok(doubts(Rewrite::safe("Catch `Exception` instead", changes)));
    }
    let imported = imports::import(
        file,
        "asyncio",
        "CancelledError",
        scope,
        handler.node.start(),
    )?;
    let raise = format!(
        "{}{}raise{}",
        file.indentation_at(handler.node.start()),
        file.indent_unit(),
        file.newline()
    );
    let edit = handler.clause_before(&format!("except {}", imported.expression), &raise);
    let rewrite = Rewrite::safe("Re-raise `CancelledError` first", vec![edit])
        .with_shared(imported.edit)
        .unsafe_if((!is_alone).then_some(MEANT))
        .unsafe_if(raised.map(|name| {
            format!("the handler is also there for `{name}`, and may be meant to run on cancellation as well")
        }));
    Ok(doubts(rewrite))
}

/// Why a cancellation must not pass where more is ended or let go of behind the handler, or behind a call of the
/// function that does nothing else.
fn skipped_clean_up<'a>(handler: &Handler<'_, '_, 'a, '_>, exits: &Exits<'a>) -> Option<String> {
    let file = handler.file;
    if let Some(call) = behind::of_handler(handler, exits) {
        return Some(format!(
            "on cancellation `{}` below would be skipped",
            file.first_line(call)
        ));
    }
    if let Some(call) = behind::freeing(handler, exits)
        && within::may_raise(file, &handler.statement.body)
    {
        return Some(format!(
            "if what is awaited here is cancelled itself, `{}` below would be skipped",
            file.first_line(call)
        ));
    }
    let ends_something = || behind::in_suite(file, &handler.statement.body).is_some();
    let callers = handler.callers().filter(|_| ends_something())?;
    callers.clean_up_behind().then(|| {
        "on cancellation the code that calls this would skip what it cleans up afterwards"
            .to_owned()
    })
}

/// Whether a cancellation that passes the handler ends in a clause further out, which stays as broad as it is.
fn is_caught_further_out(handler: &Handler<'_, '_, '_, '_>) -> bool {
    let file = handler.file;
    for (depth, around) in handler.site.ancestors.iter().enumerate().rev() {
        let statement = match around {
            AnyNodeRef::StmtFunctionDef(_)
            | AnyNodeRef::StmtClassDef(_)
            | AnyNodeRef::ExprLambda(_) => break,
            AnyNodeRef::StmtTry(statement) => statement,
            _ => continue,
        };
        let is_inside = |inner: &Stmt| inner.range().contains_range(handler.node.range());
        let clauses = statement.handlers.iter().map(|clause| {
            let ExceptHandler::ExceptHandler(clause) = clause;
            clause
        });
        let mut catching = clauses.filter(|clause| handler.catches_cancellation(clause));
        let Some(clause) = catching.next() else {
            continue;
        };
        if !statement.body.iter().any(is_inside) || Exits::of(file, &clause.body).always_raises() {
            continue;
        }
        // It says what is to become of cancellations.
        let is_named = clause.type_.as_deref().is_some_and(|kind| {
            let mut kinds = members(kind).iter();
            kinds.any(|kind| file.semantics.means(kind, CANCELLED))
        });
        if is_named {
            return false;
        }
        let site = Site {
            ancestors: handler.site.ancestors.get(..=depth).unwrap_or_default(),
            node: clause.into(),
        };
        let mend = Handler::at(file, site)
            .and_then(|outer| finding(&outer))
            .filter(|finding| !Suppressions::of(file).cover(finding));
        let lets_pass = mend.is_some_and(|finding| {
            let rewrite = finding.remedy.rewrite();
            rewrite.is_some_and(|rewrite| rewrite.applicability == Applicability::Safe)
        });
        if !lets_pass {
            return true;
        }
    }
    false
}

/// The edit that makes a clause for everything one for `Exception`, which a cancellation is not: a bare one,
/// or one for `BaseException`, alone or in a tuple. `scope` is that of the code around it.
///
/// `Err` with the reason where one word does not do.
pub fn narrowed(
    file: &File<'_, '_>,
    handler: &ast::ExceptHandlerExceptHandler,
    scope: FileScopeId,
) -> Result<Edit, &'static str> {
    if let Some(kind) = handler.type_.as_deref()
        && file.comments.intersects(kind.range())
    {
        return Err(COMMENT);
    }
    if file
        .semantics
        .lookup("Exception", scope)
        .is_none_or(|definitions| !definitions.is_empty())
    {
        return Err("`Exception` is redefined in this scope");
    }
    Ok(match handler.type_.as_deref() {
        Some(kind) => Edit::range_replacement("Exception".to_owned(), kind.range()),
        None => Edit::insertion(
            " Exception".to_owned(),
            handler.start() + "except".text_len(),
        ),
    })
}

/// Lets cancellations pass where `rewrite`, for something at `site`, brings the first `await` into the body
/// of a `try`: from now on a handler of everything would swallow them there. Before, none came, and so
/// nobody counts on that.
pub(crate) fn let_pass<'a>(file: &File<'a, '_>, site: &Site<'_, 'a>, rewrite: Rewrite) -> Rewrite {
    let mut rewrite = rewrite;
    for (depth, around) in site.ancestors.iter().enumerate().rev() {
        let statement = match around {
            AnyNodeRef::StmtFunctionDef(_)
            | AnyNodeRef::StmtClassDef(_)
            | AnyNodeRef::ExprLambda(_) => break,
            AnyNodeRef::StmtTry(statement) => statement,
            _ => continue,
        };
        let (Some(first), Some(last)) = (statement.body.first(), statement.body.last()) else {
            continue;
        };
        let body = TextRange::new(first.start(), last.end());
        let is_first = body.contains_range(site.node.range())
            && !awaits(&statement.body)
            && rewrite.edits.iter().any(|edit| {
                body.contains_range(edit.range())
                    && edit
                        .content()
                        .is_some_and(|text| AWAITS.iter().any(|word| text.contains(word)))
            });
        if !is_first {
            continue;
        }
        let suppressions = Suppressions::of(file);
        for clause in &statement.handlers {
            let ExceptHandler::ExceptHandler(clause) = clause;
            let site = Site {
                ancestors: site.ancestors.get(..=depth).unwrap_or_default(),
                node: clause.into(),
            };
            let mend = Handler::at(file, site)
                .and_then(|handler| finding(&handler))
                .filter(|finding| !suppressions.cover(finding));
            match mend.map(|finding| finding.remedy) {
                Some(Remedy::Rewrite(mend)) => {
                    for edit in mend.edits.into_iter().chain(mend.shared) {
                        if !rewrite.edits.contains(&edit) && !rewrite.shared.contains(&edit) {
                            rewrite.shared.push(edit);
                        }
                    }
                }
                Some(Remedy::NotFixed(_)) => {
                    rewrite = rewrite.unsafe_if(Some(
                        "the `except` around it would swallow a cancellation that arrives at the new `await`",
                    ));
                }
                None => {}
            }
        }
    }
    rewrite
}

/// What is written where code begins to await.
const AWAITS: &[&str] = &["await ", "async for ", "async with "];

/// Whether a clause is for `Exception`: one for everything behind it is meant for what is left.
fn catches_exception(file: &File<'_, '_>, other: &ast::ExceptHandlerExceptHandler) -> bool {
    other.type_.as_deref().is_some_and(|kind| {
        members(kind)
            .iter()
            .any(|kind| file.semantics.means(kind, &["builtins.Exception"]))
    })
}
