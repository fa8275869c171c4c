//! Futures of asyncio that nobody waits for: `asyncio.gather(…)` and `asyncio.shield(…)` as statements, where the
//! program may end before what has started and its errors are lost, and futures and tasks that are taken for their
//! results.

use asyncfix_analysis::answers::awaitable::awaitability_of;
use asyncfix_analysis::answers::duration::takes_long;
use asyncfix_analysis::answers::endings::{Ending, Seen};
use asyncfix_analysis::answers::locks;
use asyncfix_analysis::answers::uses::{Mistaken, Use, future_mistaken, use_of};
use asyncfix_analysis::facts::spelling::Spellings;
use asyncfix_analysis::infer::types::{Awaitability, ClassOf};
use asyncfix_analysis::limits::{ALIASES, Limit};
use asyncfix_analysis::resolve::bindings::Origin;
use asyncfix_knowledge::conduct::is_lock_of_loop;
use asyncfix_syntax::site::{Owner, Site};
use ruff_python_ast::helpers::any_over_body;
use ruff_python_ast::{self as ast, AnyNodeRef, Expr};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::FxHashSet;

use crate::file::File;
use crate::finding::{Finding, Remedy, Rewrite};
use crate::rule::Rule;

/// Functions that make a future of what they are given.
const MAKERS: [&str; 2] = ["asyncio.gather", "asyncio.shield"];

/// What makes a task of a coroutine.
const TASKS: [&str; 2] = ["asyncio.create_task", "asyncio.ensure_future"];

/// Whether a call may make a future that nobody awaits, judged by the tree alone.
pub(super) fn may_be_one(spellings: &Spellings, site: &Site<'_, '_>, call: &ast::ExprCall) -> bool {
    let is_made = |paths: &[&str]| spellings.allow(&call.func, paths);
    match use_of(site) {
        Use::Dropped => is_made(&MAKERS),
        Use::Bound(_) | Use::Plain | Use::Entered | Use::Argument(_) => {
            is_made(&MAKERS) || is_made(&TASKS)
        }
        _ => false,
    }
}

/// The finding at a call that makes a future which nobody awaits. `None` for anything else.
pub(super) fn check<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    call: &'a ast::ExprCall,
    owner: Owner<'a>,
    rule: &'static Rule,
) -> Option<Finding> {
    let makes = |paths: &[&str]| file.semantics.means(&call.func, paths);
    let is_task = makes(&TASKS);
    if call.arguments.args.is_empty() || !is_task && !makes(&MAKERS) {
        return None;
    }
    let is_dropped = match use_of(site) {
        Use::Dropped => true,
        Use::Bound(name) => name.id != "_" && is_never_read(file, owner, name),
        _ => false,
    };
    // Tasks run by themselves: only the code that fails with one is wrong.
    let is_found = if is_dropped {
        !is_task
    } else {
        match future_mistaken(file, site, owner) {
            Mistaken::Not => false,
            Mistaken::Read => !is_task,
            Mistaken::Impossible => true,
        }
    };
    if !is_found {
        return None;
    }
    let ending = call
        .arguments
        .args
        .iter()
        .map(|member| ending_of(file, member, ALIASES))
        .max()
        .unwrap_or(Ending::Unknown);
    let surroundings = file.surroundings(site);
    let remedy = match (surroundings.obstacle, ending) {
        (Some(obstacle), _) => Remedy::NotFixed(obstacle.reason().to_owned()),
        (None, Ending::Never) => Remedy::NotFixed(
            "one of them never ends, and nothing after this line would run; keep the future and \
             await it at the end"
                .to_owned(),
        ),
        (None, ending) => match locks::allow_await(file, site, owner) {
            Err(held) => Remedy::NotFixed(held),
            Ok(lock) => {
                let edits = file.await_edits(site, TextRange::empty(call.start()), "");
                Remedy::Rewrite(
                    Rewrite::safe("Add `await`", edits)
                        .unsafe_if(lock)
                        .unsafe_if(holds_lock_of_loop(file, site))
                        .unsafe_if((is_dropped && ending == Ending::Unknown).then_some(
                            "it can't be seen that each of them ends soon and by itself, and the \
                             code after this line would wait for it",
                        )),
                )
            }
        },
    };
    let message = if is_dropped {
        "nobody waits for this future: the program may end before it, and its errors are lost"
    } else if is_task {
        "missing `await`: this is a task, not its result"
    } else {
        "missing `await`: this is a future, not its result"
    };
    Some(Finding::new(rule, call.range(), message.to_owned(), remedy))
}

/// Why waiting at `site` may never end: what may be a lock of the event loop is held there. A lock is entered by its
/// name.
fn holds_lock_of_loop(file: &File<'_, '_>, site: &Site<'_, '_>) -> Option<String> {
    let mut around = site.enclosing_in_function();
    around.find_map(|(node, _)| {
        let AnyNodeRef::StmtWith(with) = node else {
            return None;
        };
        let mut managers = with.items.iter().map(|item| &item.context_expr);
        let lock = managers.find(|manager| {
            let may_be = match file.semantics.class_of(manager) {
                ClassOf::Known(class) => is_lock_of_loop(&class),
                ClassOf::Other => false,
                ClassOf::Unknown => !manager.is_call_expr(),
            };
            with.is_async && may_be
        })?;
        let lock = file.text(lock);
        Some(format!(
            "`{lock}` is held here, and what is given to it may want it as well"
        ))
    })
}

/// Whether nothing in the code of `owner` reads a variable, and nothing outside may.
fn is_never_read(file: &File<'_, '_>, owner: Owner<'_>, name: &ast::ExprName) -> bool {
    let Owner::Function(function) = owner else {
        return false;
    };
    let is_shared = file
        .semantics
        .scope_of_owner(owner)
        .is_none_or(|scope| file.semantics.is_shared(&name.id, scope));
    !is_shared
        && !any_over_body(&function.body, |expr| {
            matches!(expr, Expr::Name(other)
                if !other.ctx.is_store() && other.id == name.id
                    || matches!(other.id.as_str(), "locals" | "vars" | "exec" | "eval"))
        })
}

/// Whether what a future waits for is seen to end.
fn ending_of(file: &File<'_, '_>, member: &Expr, names: Limit) -> Ending {
    let all = |members: &[Expr]| {
        let endings = members.iter().map(|member| ending_of(file, member, names));
        endings.max().unwrap_or(Ending::Ends)
    };
    match member {
        Expr::Starred(starred) => ending_of(file, &starred.value, names),
        Expr::ListComp(ast::ExprListComp { elt, .. })
        | Expr::SetComp(ast::ExprSetComp { elt, .. })
        | Expr::Generator(ast::ExprGenerator { elt, .. }) => ending_of(file, elt, names),
        Expr::List(ast::ExprList { elts, .. }) | Expr::Tuple(ast::ExprTuple { elts, .. }) => {
            all(elts)
        }
        Expr::Call(call) if file.semantics.means(&call.func, &TASKS) => {
            let given = call.arguments.args.first();
            given.map_or(Ending::Unknown, |given| ending_of(file, given, names))
        }
        Expr::Call(call) if file.semantics.means(&call.func, &MAKERS) => all(&call.arguments.args),
        Expr::Call(call) if awaitability_of(file, call) == Awaitability::Coroutine => {
            let seen = Seen::of_call(
                &file.semantics,
                file.project,
                call,
                &FxHashSet::default(),
                Seen::is_doubtful,
            );
            // What it waits for may come from the code behind.
            let is_patient = seen.gives_up || takes_long(&file.semantics, call);
            match seen.ending() {
                Ending::Ends if is_patient => Ending::Unknown,
                ending => ending,
            }
        }
        Expr::Name(name) => match (names.less(), file.semantics.origins(name).as_slice()) {
            // A list may have got more since.
            (Some(names), [Origin::Value(value)])
                if value.is_call_expr() || value.is_list_comp_expr() || value.is_tuple_expr() =>
            {
                ending_of(file, value, names)
            }
            _ => Ending::Unknown,
        },
        _ => Ending::Unknown,
    }
}
