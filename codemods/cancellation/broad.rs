//! AF303 broad-except-swallows-cancellation: a handler of everything around an `await`.

use ruff_diagnostics::Edit;
use ruff_python_ast::{self as ast, AnyNodeRef, NodeKind, PythonVersion, Stmt};
use ruff_text_size::{Ranged, TextLen};

use super::handlers::{self, CANCELLED, Handler};
use super::outcome::Outcome;
use crate::file::File;
use crate::finding::{Finding, Remedy, Rewrite};
use crate::rule::Rule;
use crate::site::Site;
use crate::spelling::Hints;
use crate::support::flow::{Exits, Jump};
use crate::support::imports;
use crate::{Candidate, Codemod};

/// The codemod of AF303.
pub struct BroadExcept;

static RULE: Rule = Rule {
    code: "AF303",
    name: "broad-except-swallows-cancellation",
    pitfall: "not handling cancellation",
    page: include_str!("AF303.md"),
    default: true,
    equivalents: &[
        "ASYNC103",
        "ASYNC104",
        "B001",
        "BLE001",
        "E722",
        "S7497",
        "blind-except",
        "bare-except",
    ],
};

impl Codemod for BroadExcept {
    fn rule(&self) -> &'static Rule {
        &RULE
    }

    fn words(&self) -> &'static [&'static str] {
        &["BaseException", "except:", "except :"]
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
            handlers::members(kind)
                .iter()
                .any(|kind| spellings.allow(kind, &["builtins.BaseException"]))
        });
        Candidate::when(broad && handlers::clause_around_await(site).is_some())
    }

    fn check<'a>(&self, file: &File<'a, '_>, site: &Site<'_, 'a>) -> Option<Finding> {
        // Until then a cancellation was an `Exception`.
        if !file.targets(PythonVersion::PY38) {
            return None;
        }
        let handler = Handler::new(file, *site)?;
        if let Some(kind) = handler.node.type_.as_deref() {
            let kinds = handlers::members(kind);
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
            || serves_failure(file, site)
            || handlers::only_closes(&handler.statement.body)
            || handler.callers().is_some_and(|callers| callers.clean_up())
            || is_end_of_a_task(&handler, &exits)
        {
            return None;
        }
        let remedy = match rewrite(&handler, &exits) {
            Ok(rewrite) => Remedy::Rewrite(rewrite),
            Err(reason) => Remedy::NotFixed(reason),
        };
        let what = match handler.node.type_ {
            Some(_) => "`except BaseException`",
            None => "a bare `except`",
        };
        Some(Finding {
            rule: &RULE,
            range: handler.header(),
            message: format!("{what} around an `await` swallows the cancellation of the task"),
            remedy,
        })
    }
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
    let file = handler.file;
    let scope = file
        .semantics
        .scope_of_owner(handler.owner)
        .ok_or("the scope is not known")?;
    let value = exits.jumps.iter().find_map(|jump| match jump.statement {
        Stmt::Return(statement) => statement
            .value
            .as_deref()
            .filter(|value| !value.is_none_literal_expr()),
        _ => None,
    });
    let returns = value.map(|_| "whoever cancels this may count on the value it returns then");
    // To break out of a loop is a way to come to what is to be done in the end.
    let breaks = |jump: &Jump<'_>| jump.statement.is_break_stmt();
    let skips = (exits.jumps.iter().any(breaks)
        && Outcome::of(handler, exits).has_more_to_do(file))
    .then_some("a cancellation would skip what is done after the loop");
    // The others of a tuple go with the one that stands for them all, unless they are no `Exception`.
    let is_alone = handler.node.type_.as_deref().is_none_or(|kind| {
        handlers::members(kind).iter().all(|kind| {
            file.semantics
                .means(kind, &["builtins.BaseException", "builtins.Exception"])
        })
    });
    // What runs beside others keeps `SystemExit` from ending them: only the cancellation passes.
    let in_group = handler
        .callers()
        .is_some_and(|callers| callers.are_of_a_group());
    if handler.is_idle() && is_alone && !in_group {
        if let Some(kind) = handler.node.type_.as_deref()
            && file.comments.intersects(kind.range())
        {
            return Err("a comment stands among the exceptions".to_owned());
        }
        if file
            .semantics
            .lookup("Exception", scope)
            .is_none_or(|definitions| !definitions.is_empty())
        {
            return Err("`Exception` is another name here".to_owned());
        }
        let edit = match handler.node.type_.as_deref() {
            Some(kind) => Edit::range_replacement("Exception".to_owned(), kind.range()),
            None => Edit::insertion(
                " Exception".to_owned(),
                handler.node.start() + "except".text_len(),
            ),
        };
        return Ok(Rewrite::safe("Catch `Exception`", vec![edit])
            .unsafe_if(returns)
            .unsafe_if(skips));
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
    Ok(Rewrite::safe("Let cancellations pass", vec![edit])
        .with_shared(imported.edit)
        .unsafe_if(returns)
        .unsafe_if(skips)
        .unsafe_if(
            (!handler.is_idle() || !is_alone)
                .then_some("what the handler does may be wanted for a cancellation, too"),
        ))
}

/// Whether a clause is for `Exception`: one for everything behind it is meant for what is left.
fn catches_exception(file: &File<'_, '_>, other: &ast::ExceptHandlerExceptHandler) -> bool {
    other.type_.as_deref().is_some_and(|kind| {
        handlers::members(kind)
            .iter()
            .any(|kind| file.semantics.means(kind, &["builtins.Exception"]))
    })
}
