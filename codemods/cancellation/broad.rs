//! AF303 broad-except-swallows-cancellation: a handler of everything around an `await`.

use ruff_diagnostics::Edit;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, PythonVersion, Stmt};
use ruff_text_size::{Ranged, TextLen};

use super::handlers::{self, CANCELLED, Handler};
use crate::file::File;
use crate::finding::{Finding, Remedy, Rewrite};
use crate::outline::last_name;
use crate::rule::Rule;
use crate::site::{Owner, Site};
use crate::spelling::Spellings;
use crate::support::flow::Exits;
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
    equivalents: &["ASYNC103", "ASYNC104", "B001", "BLE001", "E722", "S7497"],
};

impl Codemod for BroadExcept {
    fn rule(&self) -> &'static Rule {
        &RULE
    }

    fn words(&self) -> &'static [&'static str] {
        &["BaseException", "except:", "except :"]
    }

    fn candidate(&self, spellings: &Spellings, site: &Site<'_, '_>) -> Candidate {
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

fn rewrite(handler: &Handler<'_, '_, '_, '_>, exits: &Exits<'_>) -> Result<Rewrite, String> {
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
    // The others of a tuple go with the one that stands for them all, unless they are no `Exception`.
    let is_alone = handler.node.type_.as_deref().is_none_or(|kind| {
        handlers::members(kind).iter().all(|kind| {
            file.semantics
                .means(kind, &["builtins.BaseException", "builtins.Exception"])
        })
    });
    if handler.is_idle() && is_alone {
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
        let lets_through = runs_as_task(handler)
            .then_some("it runs as a task, and `SystemExit` would end the others with it");
        return Ok(Rewrite::safe("Catch `Exception`", vec![edit])
            .unsafe_if(returns)
            .unsafe_if(lets_through)
            .unsafe_if(only_closes(&handler.statement.body).then_some(
                "it closes something, and a cancellation would cut short what comes after",
            ))
            .unsafe_if(cleans_up_for_others(handler).then_some(
                "a clean-up calls this, and the exception on its way then would be another one",
            )));
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
        .unsafe_if(Some(
            "what the handler does may be wanted for a cancellation, too",
        )))
}

/// Whether a clause is for `Exception`: one for everything behind it is meant for what is left.
fn catches_exception(file: &File<'_, '_>, other: &ast::ExceptHandlerExceptHandler) -> bool {
    other.type_.as_deref().is_some_and(|kind| {
        handlers::members(kind)
            .iter()
            .any(|kind| file.semantics.means(kind, &["builtins.Exception"]))
    })
}

/// Whether a suite is one call that closes something, by its name: being wrong only means to hold back.
fn only_closes(suite: &[Stmt]) -> bool {
    let [Stmt::Expr(only)] = suite else {
        return false;
    };
    matches!(&*only.value, Expr::Await(awaited)
        if matches!(&*awaited.value, Expr::Call(call)
            if matches!(last_name(&call.func), Some("__aexit__" | "aclose" | "close"))))
}

/// Whether the file calls the function of a handler in a `finally`, or in a handler of everything.
/// Judged by names, because being wrong only means to hold back.
fn cleans_up_for_others(handler: &Handler<'_, '_, '_, '_>) -> bool {
    struct Tries<'a>(Vec<&'a ast::StmtTry>);
    impl<'a> SourceOrderVisitor<'a> for Tries<'a> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.0.extend(node.as_stmt_try());
            TraversalSignal::Traverse
        }
    }
    struct Called<'n>(&'n str, bool);
    impl<'a> SourceOrderVisitor<'a> for Called<'_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let AnyNodeRef::ExprCall(call) = node {
                self.1 |= last_name(&call.func) == Some(self.0);
            }
            TraversalSignal::Traverse
        }
    }
    let Owner::Function(function) = handler.owner else {
        return false;
    };
    let mut tries = Tries(Vec::new());
    tries.visit_body(handler.file.body());
    let mut called = Called(&function.name, false);
    for statement in tries.0 {
        called.visit_body(&statement.finalbody);
        for ast::ExceptHandler::ExceptHandler(clause) in &statement.handlers {
            if handler.catches_cancellation(clause) {
                called.visit_body(&clause.body);
            }
        }
    }
    called.1
}

/// Whether the file gives the function of a handler to something that runs it, as in
/// `group.start_soon(self.work, item)`: the handler may keep one task from ending the others. Judged
/// by names, because being wrong here only means to hold back.
fn runs_as_task(handler: &Handler<'_, '_, '_, '_>) -> bool {
    struct Given<'n>(&'n str, bool);
    impl<'a> SourceOrderVisitor<'a> for Given<'_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let AnyNodeRef::ExprCall(call) = node {
                self.1 |= last_name(&call.func) == Some("start_soon")
                    && call.arguments.args.first().and_then(last_name) == Some(self.0);
            }
            TraversalSignal::Traverse
        }
    }
    let Owner::Function(function) = handler.owner else {
        return false;
    };
    let mut given = Given(&function.name, false);
    given.visit_body(handler.file.body());
    given.1
}
