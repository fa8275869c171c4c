//! AF402 coroutine-never-run: plain code that makes a coroutine has to give it to an event loop
//! (Python documentation, Coroutines and Tasks).

use asyncfix_analysis::answers::awaitable::{
    awaitability_of, called_at, is_plain_behind_signatures, is_synchronized, once_plain,
    runs_by_itself,
};
use asyncfix_analysis::answers::counter_evidence::{doubt, is_overridden_plainly};
use asyncfix_analysis::answers::expected::is_expected;
use asyncfix_analysis::answers::starts::{Other, script, starting_function};
use asyncfix_analysis::answers::uses::{Use, is_forgotten, may_be_forgotten, use_of};
use asyncfix_analysis::candidate::Candidate;
use asyncfix_analysis::facts::key::name_key;
use asyncfix_analysis::facts::spelling::Hints;
use asyncfix_analysis::index::reach::Sought;
use asyncfix_analysis::infer::types::Awaitability;
use asyncfix_knowledge::libraries::{Library, OTHERS};
use asyncfix_syntax::queries::{called, last_name};
use asyncfix_syntax::site::{Owner, Place, Site};
use ruff_diagnostics::Edit;
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, NodeKind, Stmt};
use ruff_text_size::Ranged;

use super::may_be_async::is_test;
use super::one_loop::Statements;
use super::{edges, not_called};
use crate::codemod::Codemod;
use crate::edit::imports;
use crate::edit::script_task::{self, ScriptTask};
use crate::file::File;
use crate::finding::{Finding, Remedy, Rewrite};
use crate::rule::{Rule, Stability};
use crate::suppression::Suppressions;

/// The codemod of AF402.
pub struct CoroutineNeverRun;

pub(super) static RULE: Rule = Rule {
    code: "AF402",
    name: "coroutine-never-run",
    finds: "a coroutine is created in sync code and never run",
    pitfall: "mixing sync and async code",
    page: include_str!("AF402.md"),
    default: true,
    stability: Stability::Stable,
    equivalents: &[
        "unused-coroutine",
        "unused-awaitable",
        "reportUnusedCoroutine",
    ],
};

impl Codemod for CoroutineNeverRun {
    fn rule(&self) -> &'static Rule {
        &RULE
    }

    fn words(&self) -> &'static [&'static str] {
        &["("]
    }

    // `from application import main` and `main()` are all it takes.
    fn in_plain_code(&self) -> bool {
        true
    }

    fn asks_for_types(&self) -> bool {
        true
    }

    fn nodes(&self) -> &'static [NodeKind] {
        &[NodeKind::ExprCall, NodeKind::Arguments, NodeKind::ExprAwait]
    }

    fn candidate(&self, hints: &Hints<'_>, site: &Site<'_, '_>) -> Candidate {
        let spellings = hints.spellings;
        let AnyNodeRef::ExprCall(call) = site.node else {
            return not_called::candidate(hints, site);
        };
        let may_schedule = script_task::may_be_one(site, call)
            && spellings
                .last_names(&call.func)
                .any(|name| matches!(name, "create_task" | "ensure_future" | "gather"));
        match last_name(&call.func) {
            _ if may_schedule && !site.is_asynchronous(spellings.await_at_top()) => Candidate::Yes,
            Some(name)
                if !site.is_asynchronous(spellings.await_at_top())
                    && may_be_forgotten(spellings, site) =>
            {
                Candidate::If(name_key(name), Sought::of_call(call))
            }
            _ => Candidate::No,
        }
    }

    fn check<'a>(&self, file: &File<'a, '_>, site: &Site<'_, 'a>) -> Option<Finding> {
        let AnyNodeRef::ExprCall(call) = site.node else {
            return not_called::check(file, site, &RULE);
        };
        let surroundings = file.surroundings(site);
        if let Some(remedy) = scheduled(file, site, call, surroundings.owner) {
            return Some(Finding::new(
                &RULE,
                call.range(),
                NEVER_RUN.to_owned(),
                remedy,
            ));
        }
        if file.is_async(surroundings.owner)
            || matches!(surroundings.owner, Owner::Lambda(_))
            || surroundings.obstacle.is_some()
            || !is_forgotten(file, site, surroundings.owner)
            || is_synchronized(file)
            || is_expected(site)
        {
            return None;
        }
        let called = called_at(file, site.node);
        let (awaitability, relied) = file.semantics.noting(|| {
            let awaitability = awaitability_of(file, call);
            if awaitability == Awaitability::Coroutine {
                for callee in &called {
                    file.semantics.note_way_to_callee(callee);
                }
            }
            awaitability
        });
        if awaitability != Awaitability::Coroutine
            // In plain code, it is more likely the older version.
            || called.iter().any(|callee| {
                once_plain(file, callee).is_some() || is_plain_behind_signatures(file, callee)
            })
            || runs_by_itself(file, call)
            || is_run_otherwise(file, surroundings.owner)
        {
            return None;
        }
        let mut methods = called
            .iter()
            .filter_map(|callee| callee.as_attribute_expr());
        if methods.any(|method| file.semantics.is_rebound(&method.value, &method.attr)) {
            return None;
        }
        let remedy = if is_overridden_plainly(file, site.node) {
            Remedy::NotFixed("a subclass overrides the method with a plain one".to_owned())
        } else {
            match rewrite(file, site, call, surroundings.owner) {
                Ok(rewrite) => Remedy::Rewrite(rewrite.unsafe_if(doubt(file, site.node, &relied))),
                Err(reason) => Remedy::NotFixed(reason),
            }
        };
        Some(Finding::new(
            &RULE,
            call.range(),
            match use_of(site) {
                Use::Dropped => NEVER_RUN,
                _ => "this is a coroutine object; run it with `asyncio.run(…)` to get its result",
            }
            .to_owned(),
            remedy,
        ))
    }
}

const NEVER_RUN: &str = "this coroutine is never run";

/// What can be done about a call that schedules coroutines where no event loop runs. `None` for anything else.
fn scheduled<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    call: &'a ast::ExprCall,
    owner: Owner<'a>,
) -> Option<Remedy> {
    if is_synchronized(file) || is_expected(site) {
        return None;
    }
    if let Some(task) = ScriptTask::of(file, site, call) {
        return Some(match task.rewrite(file, owner) {
            Ok(rewrite) => Remedy::Rewrite(rewrite),
            Err(reason) => Remedy::NotFixed(reason),
        });
    }
    if !script_task::gathers(file, site, call) {
        return None;
    }
    let together = || {
        let place = site.place()?;
        let statements = Statements {
            suite: place.suite,
            parent: place.parent,
            range: place.index..place.index + 1,
        };
        let awaited = Edit::insertion("await ".to_owned(), call.start());
        Some(statements.in_one_function(file, owner, [awaited]))
    };
    // Whoever names the future wants it.
    let is_statement = matches!(site.parent(), Some(AnyNodeRef::StmtExpr(_)));
    let other = Other::Coroutines.reason()?;
    Some(match is_statement.then(together).flatten() {
        Some(Ok(rewrite)) => Remedy::Rewrite(rewrite),
        Some(Err(reason)) => Remedy::NotFixed(reason),
        None => Remedy::NotFixed(other),
    })
}

/// Decorators that leave it to the caller when a function runs, and how.
const TRANSPARENT: &[&str] = &[
    "builtins.classmethod",
    "builtins.property",
    "builtins.staticmethod",
    "contextlib.contextmanager",
    "functools.cache",
    "functools.cached_property",
    "functools.lru_cache",
    "functools.wraps",
    "typing.no_type_check",
    "typing.override",
];

/// Whether a decorator may run the function in its own way: in a loop, as another language, never.
fn is_run_otherwise(file: &File<'_, '_>, owner: Owner<'_>) -> bool {
    let Owner::Function(function) = owner else {
        return false;
    };
    function.decorator_list.iter().any(|decorator| {
        let callee = called(decorator);
        let is_mark = || {
            file.semantics
                .qualified_name(callee)
                .is_some_and(|path| path.starts_with("pytest.mark."))
        };
        !file.semantics.means(callee, TRANSPARENT) && !is_mark()
    })
}

fn rewrite<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    call: &'a ast::ExprCall,
    owner: Owner<'a>,
) -> Result<Rewrite, String> {
    let place = match owner {
        Owner::Function(function)
            if is_test(file, function)
                || function.name.starts_with("test") && file.is_test_code(owner) =>
        {
            return edges::test(file, function);
        }
        Owner::Function(function) => match starting_function(file, site, function) {
            Ok(place) => place,
            Err(reason) => {
                return edges::task(file, site, call, function).ok_or(reason);
            }
        },
        _ => script(file, site)?,
    };
    let other = place.other(file, &[call]);
    if let Some(reason) = other.as_ref().and_then(Other::reason) {
        if other != Some(Other::Coroutines) {
            return Err(reason);
        }
        if let Some(group) = neighbours(file, site)
            && let other = place.other(file, &group.calls)
            && other.as_ref().and_then(Other::reason).is_none()
        {
            let doubt = other.and_then(|other| other.doubt());
            return Ok(together(file, &group, owner)?.unsafe_if(doubt));
        }
        match owner {
            Owner::Function(function) => return edges::function(file, function),
            // One more loop is what that would be as well.
            _ if edges::is_alone(file, site) => {}
            _ => return edges::script(file, site, reason),
        }
    }
    let doubt = other
        .and_then(|other| other.doubt())
        .or_else(|| place.used_outside(file, call));
    let module = match file.library() {
        Some(Library::Other) => {
            return Err(format!("this file uses {OTHERS}, not asyncio"));
        }
        library => library.and_then(Library::module).unwrap_or("asyncio"),
    };
    let scope = file
        .semantics
        .scope_of_owner(owner)
        .ok_or("the scope of the call can't be found")?;
    if module != "asyncio" && !call.arguments.is_empty() {
        return Err(format!(
            "`{module}.run` takes the function and its arguments, not a coroutine"
        ));
    }
    let imported = imports::import(file, module, "run", scope, call.start())?;
    let edits = if module == "asyncio" {
        vec![
            Edit::insertion(format!("{}(", imported.expression), call.start()),
            Edit::insertion(")".to_owned(), call.end()),
        ]
    } else {
        let arguments = call.arguments.range();
        vec![
            Edit::insertion(format!("{}(", imported.expression), call.start()),
            Edit::range_replacement(")".to_owned(), arguments),
        ]
    };
    Ok(
        Rewrite::safe(format!("Run it with `{}`", imported.expression), edits)
            .with_shared(imported.edit)
            .unsafe_if(doubt),
    )
}

/// Coroutine calls that follow each other, each a statement of its own.
struct Group<'a> {
    /// The place of the first one.
    place: Place<'a>,
    calls: Vec<&'a ast::ExprCall>,
}

/// The coroutine calls around `site` that follow each other. `None` where there is only one.
fn neighbours<'a>(file: &File<'a, '_>, site: &Site<'_, 'a>) -> Option<Group<'a>> {
    let mut place = site.place()?;
    let suppressions = Suppressions::of(file);
    let coroutine = |statement: &'a Stmt| {
        let call = statement.as_expr_stmt()?.value.as_call_expr()?;
        // What the arguments call would run inside of the loop, and once ran before it.
        let is_plain = call
            .arguments
            .args
            .iter()
            .chain(call.arguments.keywords.iter().map(|keyword| &keyword.value))
            .all(|argument| argument.is_name_expr() || argument.is_literal_expr());
        let callee = match &*call.func {
            Expr::Name(_) => true,
            Expr::Attribute(method) => {
                method.value.is_name_expr()
                    && !file.semantics.is_rebound(&method.value, &method.attr)
            }
            _ => false,
        };
        (callee
            && is_plain
            && !is_overridden_plainly(file, call.into())
            && !suppressions.silence(&RULE, call.range())
            && awaitability_of(file, call) == Awaitability::Coroutine
            && once_plain(file, &call.func).is_none())
        .then_some(call)
    };
    let before = place.suite.get(..place.index)?.iter().rev();
    let start = place.index - before.map_while(coroutine).count();
    place.index = start;
    place.statement = place.suite.get(start)?;
    let calls: Vec<_> = place
        .suite
        .get(start..)?
        .iter()
        .map_while(coroutine)
        .collect();
    (calls.len() > 1).then_some(Group { place, calls })
}

/// Puts the calls of a group into one coroutine function.
fn together<'a>(
    file: &File<'a, '_>,
    group: &Group<'a>,
    owner: Owner<'a>,
) -> Result<Rewrite, String> {
    let Group { place, calls } = group;
    let statements = Statements {
        suite: place.suite,
        parent: place.parent,
        range: place.index..place.index + calls.len(),
    };
    let awaits = calls
        .iter()
        .map(|call| Edit::insertion("await ".to_owned(), call.start()));
    statements.in_one_function(file, owner, awaits)
}
