//! AF403 run-inside-loop: `asyncio.run` and `loop.run_until_complete` raise in code that a loop
//! runs already (Python documentation, Runners and Event Loop).

use asyncfix_analysis::answers::expected::is_expected;
use asyncfix_analysis::answers::locks;
use asyncfix_analysis::candidate::Candidate;
use asyncfix_analysis::facts::key::name_key;
use asyncfix_analysis::facts::spelling::Hints;
use asyncfix_analysis::index::reach::Sought;
use asyncfix_analysis::infer::types::{Awaitability, ClassOf};
use asyncfix_analysis::resolve::bindings::Origin;
use asyncfix_knowledge::libraries::FUNCTION_RUNNERS;
use asyncfix_knowledge::loops::{RUNNING_METHODS, is_loop};
use asyncfix_syntax::site::{Obstacle, Owner, Site, Surroundings};
use ruff_diagnostics::Edit;
use ruff_python_ast::token::{TokenKind, parenthesized_range};
use ruff_python_ast::{self as ast, AnyNodeRef, ExceptHandler, Expr, ExprRef, NodeKind};
use ruff_text_size::{Ranged, TextRange};

use super::loop_variable::LoopVariable;
use super::run_in_helper;
use crate::codemod::Codemod;
use crate::file::File;
use crate::finding::{Finding, Remedy, Rewrite};
use crate::rule::{Rule, Stability};

/// The codemod of AF403.
pub struct RunInsideLoop;

static RULE: Rule = Rule {
    code: "AF403",
    name: "run-inside-loop",
    finds: "`asyncio.run` inside a running event loop",
    pitfall: "mixing sync and async code",
    page: include_str!("AF403.md"),
    default: true,
    stability: Stability::Stable,
    equivalents: &[],
};

/// Functions that run a coroutine.
const RUNNERS: [&str; 1] = ["asyncio.run"];

impl Codemod for RunInsideLoop {
    fn rule(&self) -> &'static Rule {
        &RULE
    }

    fn words(&self) -> &'static [&'static str] {
        &["run"]
    }

    fn asks_for_types(&self) -> bool {
        true
    }

    fn nodes(&self) -> &'static [NodeKind] {
        &[NodeKind::ExprCall]
    }

    fn candidate(&self, hints: &Hints<'_>, site: &Site<'_, '_>) -> Candidate {
        let spellings = hints.spellings;
        let AnyNodeRef::ExprCall(call) = site.node else {
            return Candidate::No;
        };
        let candidate = if spellings.allow(&call.func, &RUNNERS)
            || spellings.allow(&call.func, &FUNCTION_RUNNERS)
        {
            Candidate::Yes
        } else if let Expr::Attribute(attribute) = &*call.func
            && RUNNING_METHODS.contains(&attribute.attr.as_str())
        {
            let method = name_key(&attribute.attr);
            Candidate::If(method, Sought::Receiver(method))
        } else {
            return Candidate::when(
                site.is_asynchronous(spellings.await_at_top())
                    && run_in_helper::may_be_one(hints, site, call),
            );
        };
        candidate.and(|| site.is_asynchronous(spellings.await_at_top()))
    }

    fn check<'a>(&self, file: &File<'a, '_>, site: &Site<'_, 'a>) -> Option<Finding> {
        let AnyNodeRef::ExprCall(call) = site.node else {
            return None;
        };
        let Some(runner) = runner(file, call) else {
            return run_in_helper::check(file, site, call, &RULE);
        };
        let surroundings = inside_loop(file, site)?;
        let awaited = match runner {
            Runner::OfFunction | Runner::OwnSettings => None,
            Runner::OfCoroutine => {
                let argument = coroutine(call)?;
                let awaitability = file.semantics.awaitability(argument.into());
                let may_be = match awaitability {
                    Awaitability::No => false,
                    Awaitability::Unknown => !argument.is_lambda_expr(),
                    _ => true,
                };
                if !may_be {
                    return None;
                }
                Some(argument)
            }
        };
        let remedy = match surroundings.obstacle {
            Some(obstacle) => Remedy::NotFixed(obstacle.reason().to_owned()),
            None => match awaited {
                None if runner == Runner::OwnSettings => Remedy::NotFixed(
                    "this `asyncio.Runner` has its own settings and context".to_owned(),
                ),
                None => Remedy::NotFixed(
                    "it takes a function, not a coroutine; write `await function(…)`".to_owned(),
                ),
                Some(argument) => match rewrite(file, site, call, argument) {
                    Ok(rewrite) => Remedy::Rewrite(rewrite),
                    Err(reason) => Remedy::NotFixed(reason),
                },
            },
        };
        Some(Finding::new(
            &RULE,
            call.range(),
            "an event loop is already running here, so this raises `RuntimeError`".to_owned(),
            remedy,
        ))
    }
}

/// What a call runs a coroutine with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Runner {
    /// `asyncio.run`, or the method of a loop: it takes a coroutine.
    OfCoroutine,
    /// `anyio.run`, `trio.run`: it takes a function and its arguments.
    OfFunction,
    /// `asyncio.Runner`: it has settings.
    OwnSettings,
}

fn runner(file: &File<'_, '_>, call: &ast::ExprCall) -> Option<Runner> {
    let semantics = &file.semantics;
    if semantics.means(&call.func, &RUNNERS) {
        return Some(Runner::OfCoroutine);
    }
    if semantics.means(&call.func, &FUNCTION_RUNNERS) {
        return Some(Runner::OfFunction);
    }
    let Expr::Attribute(method) = &*call.func else {
        return None;
    };
    let ClassOf::Known(class) = semantics.class_of(&method.value) else {
        return None;
    };
    match method.attr.as_str() {
        "run" if class == "asyncio.runners.Runner" => Some(Runner::OwnSettings),
        "run_until_complete" if is_loop(&class) => Some(Runner::OfCoroutine),
        _ => None,
    }
}

/// The coroutine that a call runs.
fn coroutine(call: &ast::ExprCall) -> Option<&Expr> {
    let by_name = || {
        call.arguments.keywords.iter().find_map(|keyword| {
            matches!(keyword.arg.as_deref(), Some("main" | "future")).then_some(&keyword.value)
        })
    };
    let argument = call.arguments.args.first().or_else(by_name)?;
    (!argument.is_starred_expr()).then_some(argument)
}

fn rewrite<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    call: &'a ast::ExprCall,
    argument: &'a Expr,
) -> Result<Rewrite, String> {
    let surroundings = file.surroundings(site);
    let lock = locks::allow_await(file, site, surroundings.owner)?;
    if is_of_other_loop(file, argument) {
        return Err("this task belongs to another event loop, which isn't running".to_owned());
    }
    let outer = parenthesized_range(
        ExprRef::from(argument),
        (&call.arguments).into(),
        file.tokens(),
    )
    .unwrap_or(argument.range());
    let before = TextRange::new(call.start(), outer.start());
    let after = TextRange::new(outer.end(), call.end());
    if !file.comments.comments_in_range(before).is_empty()
        || !file.comments.comments_in_range(after).is_empty()
    {
        return Err("the fix would remove a comment".to_owned());
    }
    let keeps_parentheses = outer == argument.range() && needs_parentheses(file, argument);
    let (open, close) = if keeps_parentheses {
        let inner = TextRange::new(call.arguments.start(), outer.start());
        // The line break after the parenthesis stays with it.
        (file.text(inner), ")")
    } else {
        ("", "")
    };
    let mut edits = if matches!(site.parent(), Some(AnyNodeRef::ExprAwait(_))) {
        vec![replaced(before, open.to_owned())]
    } else {
        file.await_edits(site, before, open)
    };
    let end = if keeps_parentheses {
        // Whatever stands before the closing parenthesis stays, a trailing comma aside.
        let rest = file.text(after);
        rest.trim_start_matches(',').to_owned()
    } else {
        close.to_owned()
    };
    edits.push(replaced(after, end));
    let others = call.arguments.len() > 1;
    let mut rewrite = Rewrite::safe("Replace it with `await`", edits)
        .unsafe_if(lock)
        .unsafe_if(others.then_some("the other arguments (such as `debug=`) are dropped"));
    if let Owner::Function(function) = surroundings.owner
        && let Some(variable) = LoopVariable::of(file, function, call)
    {
        match variable.uses {
            1 => rewrite.edits.push(variable.removal),
            // The last of them takes the variable along.
            _ => rewrite.alone_in = Some(function.start()),
        }
    }
    Ok(rewrite)
}

/// The edit that writes `text`, which may be empty, over `range`.
fn replaced(range: TextRange, text: String) -> Edit {
    if text.is_empty() {
        Edit::range_deletion(range)
    } else {
        Edit::range_replacement(text, range)
    }
}

/// Whether `await` before an expression would take hold of a part of it only, or its lines would
/// come apart without the parentheses of the call.
fn needs_parentheses(file: &File<'_, '_>, argument: &Expr) -> bool {
    let is_primary = matches!(
        argument,
        Expr::Call(_) | Expr::Name(_) | Expr::Attribute(_) | Expr::Subscript(_)
    );
    let mut depth = 0_usize;
    let breaks = file
        .tokens()
        .in_range(argument.range())
        .iter()
        .any(|token| {
            match token.kind() {
                TokenKind::Lpar | TokenKind::Lsqb | TokenKind::Lbrace => depth += 1,
                TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace => {
                    depth = depth.saturating_sub(1);
                }
                _ => {}
            }
            depth == 0 && token.kind() == TokenKind::NonLogicalNewline
        });
    !is_primary || breaks
}

/// Whether a task or future was made by a loop that is made here, and so is not the one that runs.
fn is_of_other_loop(file: &File<'_, '_>, argument: &Expr) -> bool {
    let made_by_new_loop = |value: &Expr| {
        let Expr::Call(call) = value else {
            return false;
        };
        let Expr::Attribute(method) = &*call.func else {
            return false;
        };
        matches!(method.attr.as_str(), "create_task" | "create_future")
            && is_new_loop(file, &method.value)
    };
    made_by_new_loop(argument)
        || matches!(argument, Expr::Name(name)
        if file.semantics.origins(name).iter().any(|origin| {
            matches!(origin, Origin::Value(value) if made_by_new_loop(value))
        }))
}

fn is_new_loop(file: &File<'_, '_>, receiver: &Expr) -> bool {
    let is_made = |value: &Expr| {
        matches!(value, Expr::Call(call)
            if file.semantics.means(&call.func, &["asyncio.new_event_loop"]))
    };
    is_made(receiver)
        || matches!(receiver, Expr::Name(name)
        if file.semantics.origins(name).iter().any(|origin| {
            matches!(origin, Origin::Value(value) if is_made(value))
        }))
}

/// Whether the code asks whether a loop is running: in a `try` that handles the error, or under a
/// condition on `is_running()`.
fn is_probe<'a>(file: &File<'a, '_>, site: &Site<'_, 'a>) -> bool {
    site.enclosing_in_function()
        .any(|(node, child)| match node {
            AnyNodeRef::StmtTry(statement) => {
                statement
                    .body
                    .iter()
                    .any(|inner| inner.range().contains_range(child.range()))
                    && statement.handlers.iter().any(|handler| {
                        let ExceptHandler::ExceptHandler(handler) = handler;
                        handler
                            .type_
                            .as_deref()
                            .is_some_and(|class| handles_runtime_error(file, class))
                    })
            }
            AnyNodeRef::StmtIf(statement) => file.text(&*statement.test).contains("is_running"),
            _ => false,
        })
}

fn handles_runtime_error(file: &File<'_, '_>, class: &Expr) -> bool {
    match class {
        Expr::Tuple(tuple) => tuple
            .elts
            .iter()
            .any(|class| handles_runtime_error(file, class)),
        class => file.semantics.means(class, &["builtins.RuntimeError"]),
    }
}

/// What is around a call that is made while a loop runs. `None` for others, and where it is meant to raise or does not.
pub(super) fn inside_loop<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
) -> Option<Surroundings<'a>> {
    let surroundings = file.surroundings(site);
    let is_meant = file.is_async(surroundings.owner)
        && surroundings.obstacle != Some(Obstacle::Signature)
        && !is_expected(site)
        && !is_probe(file, site)
        && !works_nested(file);
    is_meant.then_some(surroundings)
}

/// Whether the program makes loops run inside others, as `nest_asyncio` does.
fn works_nested(file: &File<'_, '_>) -> bool {
    file.source.contains("nest_asyncio") || file.project.imports_package("nest_asyncio")
}
