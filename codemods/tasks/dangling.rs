//! AF801 dangling-task: a task that nothing refers to can be collected before it is done.

use asyncfix_analysis::answers::intent;
use asyncfix_analysis::answers::runners::runs_loop;
use asyncfix_analysis::answers::task::{is_kept_somewhere, is_loop, makes_task, may_be_loop};
use asyncfix_analysis::candidate::Candidate;
use asyncfix_analysis::facts::spelling::Hints;
use asyncfix_analysis::infer::types::ClassOf;
use asyncfix_knowledge::libraries::Library;
use asyncfix_syntax::site::{Obstacle, Owner, Site};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, NodeKind};
use ruff_text_size::Ranged;

use super::fate::{Fate, fate};
use super::kept::Dangling;
use super::reads::{is_bound_once, reads};
use crate::codemod::Codemod;
use crate::edit::script_task::ScriptTask;
use crate::file::File;
use crate::finding::{Finding, Remedy};
use crate::rule::{Rule, Stability};

/// The codemod of AF801.
pub struct DanglingTask;

static RULE: Rule = Rule {
    code: "AF801",
    name: "dangling-task",
    finds: "nothing keeps a reference to a task",
    pitfall: "not awaiting tasks",
    page: include_str!("AF801.md"),
    default: true,
    stability: Stability::Stable,
    equivalents: &[
        "RUF006",
        "unused-awaitable",
        "unused-coroutine",
        "asyncio-dangling-task",
    ],
};

impl Codemod for DanglingTask {
    fn rule(&self) -> &'static Rule {
        &RULE
    }

    fn words(&self) -> &'static [&'static str] {
        &["create_task", "ensure_future"]
    }

    fn in_plain_code(&self) -> bool {
        true
    }

    fn asks_for_types(&self) -> bool {
        true
    }

    // Whoever asks what a function is may still drop the task of its coroutine.
    fn minds_twins(&self) -> bool {
        false
    }

    fn nodes(&self) -> &'static [NodeKind] {
        &[NodeKind::ExprCall]
    }

    fn candidate(&self, hints: &Hints<'_>, site: &Site<'_, '_>) -> Candidate {
        let spellings = hints.spellings;
        let AnyNodeRef::ExprCall(call) = site.node else {
            return Candidate::No;
        };
        let method = matches!(&*call.func, Expr::Attribute(attribute)
            if attribute.attr.as_str() == "create_task" && may_be_loop(&attribute.value));
        Candidate::when(
            (method
                || spellings.allow(
                    &call.func,
                    &["asyncio.create_task", "asyncio.ensure_future"],
                ))
                && fate(site, call).is_some(),
        )
    }

    fn check<'a>(&self, file: &File<'a, '_>, site: &Site<'_, 'a>) -> Option<Finding> {
        let AnyNodeRef::ExprCall(call) = site.node else {
            return None;
        };
        let library = file.library();
        if !matches!(library, None | Some(Library::Asyncio)) {
            return None;
        }
        let fate = fate(site, call)?;
        if let Fate::Lambda(lambda) = fate
            && !drops_result(file, site, lambda)
        {
            return None;
        }
        // Where no loop runs, it is the coroutine that is the matter, with a rule of its own.
        if !makes_task(file, call) || ScriptTask::of(file, site, call).is_some() {
            return None;
        }
        // Whoever says so knows about the garbage collector.
        if matches!(fate, Fate::Unread(_) | Fate::Watched(_)) && intent::keeps_reference(file, site)
        {
            return None;
        }
        let surroundings = file.surroundings(site);
        let owner = surroundings.owner;
        // What tests hand around as a loop may be a mock: only what is seen to be one counts.
        if file.is_test_code(owner)
            && matches!(&*call.func, Expr::Attribute(method) if is_kept_somewhere(file, &method.value))
        {
            return None;
        }
        // A finalizer may run when the loop is gone; nothing kept there would help.
        if matches!(owner, Owner::Function(function) if function.name.as_str() == "__del__") {
            return None;
        }
        // `_ = create_task(…)` in a module that reads `_`.
        let is_bound = matches!(site.parent(), Some(AnyNodeRef::StmtAssign(_)));
        if owner == Owner::Module
            && matches!(fate, Fate::Statement)
            && is_bound
            && reads(file.body(), "_")
        {
            return None;
        }
        if file.keeps_tasks() {
            return None;
        }
        let remedy = match fate {
            _ if surroundings.obstacle == Some(Obstacle::ClassBody) => Remedy::NotFixed(
                "in a class body the variable would become a class attribute".to_owned(),
            ),
            Fate::Comprehension => Remedy::NotFixed(
                "the list of tasks is never used; keep it in a variable".to_owned(),
            ),
            Fate::Decorator => Remedy::NotFixed(
                "the task is created in a decorator; there is nowhere to keep it".to_owned(),
            ),
            Fate::Statement => Dangling::new(file, *site, call, owner)?.remedy(None),
            Fate::Chained(callback) => {
                let mut dangling = Dangling::new(file, *site, call, owner)?;
                dangling.callback = Some(callback);
                dangling.remedy(None)
            }
            Fate::Collected(collection) => {
                let dangling = Dangling::new(file, *site, call, owner)?;
                match dangling.awaited_with_others(collection) {
                    Ok(Some(rewrite)) => Remedy::Rewrite(rewrite),
                    // The collection has it as long as the loop runs.
                    _ if let Owner::Function(function) = owner
                        && file.tasks.lives_as_long_as_loop(file, function) =>
                    {
                        return None;
                    }
                    Ok(None) => Remedy::NotFixed(format!(
                        "nothing awaits the tasks in `{}`; await them with `asyncio.gather`, or keep them where they outlive the function",
                        collection.name
                    )),
                    Err(reason) => Remedy::NotFixed(reason),
                }
            }
            Fate::Unread(name) => {
                let dangling = Dangling::new(file, *site, call, owner)?;
                // The variable refers to it as long as the loop runs.
                if let Owner::Function(function) = owner
                    && !dangling.may_await()
                    && file.tasks.lives_as_long_as_loop(file, function)
                    && is_bound_once(site, function, &name.id)
                {
                    return None;
                }
                dangling.remedy(Some(name))
            }
            Fate::Watched(name) => {
                // The variable refers to it as long as the loop runs.
                if let Owner::Function(function) = owner
                    && is_bound_once(site, function, &name.id)
                    && (file.tasks.lives_as_long_as_loop(file, function)
                        || !function.is_async && runs_loop(&file.semantics, &function.body))
                {
                    return None;
                }
                Dangling::new(file, *site, call, owner)?.kept(name)
            }
            Fate::Lambda(_) => {
                Remedy::NotFixed("a lambda can't keep the task; use a function".to_owned())
            }
            Fate::Operand => Remedy::NotFixed("create the task in its own statement".to_owned()),
        };
        Some(
            Finding::new(
                &RULE,
                call.range(),
                "no reference to this task is kept, so it may be garbage-collected before it \
                      finishes"
                    .to_owned(),
                remedy,
            )
            .with_code_in_ruff(Some("RUF006")),
        )
    }
}

/// Whether a lambda is given to a method of a loop or future that calls it and drops its result.
fn drops_result(file: &File<'_, '_>, site: &Site<'_, '_>, lambda: &ast::ExprLambda) -> bool {
    let Some(AnyNodeRef::ExprCall(user)) = site
        .ancestors
        .iter()
        .rev()
        .skip(1)
        .find(|node| !matches!(node, AnyNodeRef::Arguments(_) | AnyNodeRef::Keyword(_)))
    else {
        return false;
    };
    let Expr::Attribute(callee) = &*user.func else {
        return false;
    };
    let given = user
        .arguments
        .iter_source_order()
        .any(|argument| argument.value().range() == lambda.range());
    given
        && match callee.attr.as_str() {
            "call_soon"
            | "call_later"
            | "call_at"
            | "call_soon_threadsafe"
            | "add_signal_handler" => is_loop(file, &callee.value),
            "add_done_callback" => matches!(
                file.semantics.class_of(&callee.value),
                ClassOf::Known(class) if matches!(class.rsplit('.').next(), Some("Task" | "Future"))
            ),
            _ => false,
        }
}
