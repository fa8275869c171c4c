//! AF206: a function of the project that blocks, called in code that runs on an event loop.

use asyncfix_analysis::answers::blocking::Called;
use asyncfix_analysis::answers::intent::{self, Deed};
use asyncfix_analysis::answers::made::is_made_in;
use asyncfix_analysis::candidate::Candidate;
use asyncfix_analysis::facts::blocking_calls;
use asyncfix_analysis::facts::calls::{Bond, Need, bound};
use asyncfix_analysis::facts::key::name_key;
use asyncfix_analysis::facts::spelling::Hints;
use asyncfix_analysis::index::call_graph::Chain;
use asyncfix_analysis::index::reach::Sought;
use asyncfix_analysis::infer::types::ClassOf;
use asyncfix_analysis::resolve::bindings::Origin;
use asyncfix_knowledge::blocking::{Kind, Row, ThreadBound};
use asyncfix_knowledge::conduct::is_unchanging;
use asyncfix_knowledge::libraries::Library;
use asyncfix_syntax::lines::one_line;
use asyncfix_syntax::site::{Owner, Site};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, NodeKind};
use ruff_text_size::Ranged;

use crate::blocking::call::{is_awaited, is_silent_test, on_loop};
use crate::blocking::given::{Given, gives_function};
use crate::blocking::locals::Locals;
use crate::blocking::rewrite::Blocking;
use crate::blocking::state::Collections;
use crate::blocking::{
    PITFALL, checked, code_in_ruff, databases, exchanges, files, gap, helper_files, process_state,
    series,
};
use crate::codemod::Codemod;
use crate::file::File;
use crate::finding::{Finding, Related, Remedy};
use crate::rule::{Rule, Stability};

static RULE: Rule = Rule {
    code: "AF206",
    name: "blocking-helper",
    finds: "a function of the project that blocks is called in async code",
    pitfall: PITFALL,
    page: include_str!("AF206.md"),
    default: true,
    stability: Stability::Stable,
    equivalents: &[],
};

/// How many names of a chain are shown at its start and at its end, where it is long.
const SHOWN: (usize, usize) = (4, 2);

/// The codemod of AF206.
pub struct BlockingHelper;

impl Codemod for BlockingHelper {
    fn rule(&self) -> &'static Rule {
        &RULE
    }

    fn words(&self) -> &'static [&'static str] {
        &["async", "await"]
    }

    fn asks_for_types(&self) -> bool {
        true
    }

    fn counts_callers(&self) -> bool {
        true
    }

    fn nodes(&self) -> &'static [NodeKind] {
        &[NodeKind::ExprCall, NodeKind::StmtFunctionDef]
    }

    fn candidate(&self, hints: &Hints<'_>, site: &Site<'_, '_>) -> Candidate {
        let spellings = hints.spellings;
        let call = match site.node {
            AnyNodeRef::ExprCall(call) => call,
            AnyNodeRef::StmtFunctionDef(function) if !function.is_async => {
                return Candidate::If(name_key(&function.name), Sought::Helper);
            }
            _ => return Candidate::No,
        };
        if is_awaited(site) || !site.is_asynchronous(spellings.await_at_top()) {
            return Candidate::No;
        }
        // What a name was made to stand for is what the function is called.
        match spellings.last_names(&call.func).take(2).last() {
            Some(name) => {
                let key = name_key(name);
                Candidate::If(key, Sought::Blocking(key))
            }
            None => Candidate::No,
        }
    }

    fn check<'a>(&self, file: &File<'a, '_>, site: &Site<'_, 'a>) -> Option<Finding> {
        let call = match site.node {
            AnyNodeRef::ExprCall(call) => call,
            AnyNodeRef::StmtFunctionDef(function) => return many_callers(file, site, function),
            _ => return None,
        };
        let surroundings = on_loop(file, site)?;
        let library = file.library_to_write();
        if library == Some(Library::Other) || is_silent_test(file, surroundings.owner) {
            return None;
        }
        let semantics = &file.semantics;
        let called = semantics
            .function_in_sight(&call.func)
            .or_else(|| semantics.function(&call.func));
        let makes_object = called.is_none();
        let function = called.or_else(|| semantics.class_called(&call.func)?.constructor())?;
        let node = function.node(semantics.db())?;
        // An earlier round may have made a coroutine function of it.
        if node.is_async {
            return None;
        }
        let (place, name) = semantics.place_of_function(&function)?;
        let mut chain = file.project.blocking_chain(&place, &name)?;
        // What is made is of just this class.
        chain.is_overridden &= !makes_object;
        if chain.is_crowded() {
            return None;
        }
        let mut row = Row::new(RULE.code, Kind::ToThread);
        if intent::is_deliberate(file, site, Deed::Block) {
            return None;
        }
        let bond = bound_argument(file, call)
            .or_else(|| chain.limits())
            .or_else(|| {
                chain
                    .limit_of_arguments(|need| is_given_plain(file, call, need, surroundings.owner))
            });
        match bond {
            Some(Bond::Tied(reason)) => {
                row.kind = Kind::Report;
                row.reason = Some(reason);
            }
            Some(Bond::Shared(reason)) => row.reason = Some(reason),
            None => {
                let is_here = semantics.is_here(function.definition());
                let meets_itself =
                    || helper_files::meets_itself(file, call, &chain, surroundings.owner);
                let meets_others = || {
                    if !is_here {
                        return None;
                    }
                    helper_files::of_helper(file, surroundings.owner, call, node)
                        .or_else(|| files::meets_others(file, surroundings.owner, call.range()))
                };
                // Who else uses a file is told by the code of one module.
                let may_be_written = || {
                    let may_be = !is_here && chain.is_beside_writer && uses_files(file, &chain);
                    may_be.then(|| {
                        "asyncfix can't tell whether other code writes the same file at the same time"
                            .to_owned()
                    })
                };
                let writes = || {
                    helper_files::of_another_module(file, site, surroundings.owner, call, &chain)
                };
                let in_other_files = || {
                    let helper = (&place, name.as_str());
                    helper_files::of_other_files(file, site, surroundings.owner, call, helper)
                };
                let runs_commands = ends_with(file, &chain, "AF203");
                let in_series = || series::opened(file, surroundings.owner, call);
                let behind_check = || {
                    checked::is_command_behind_check(file, surroundings.owner, call)
                        .then(|| files::OPENED_CHECK.to_owned())
                };
                let own = semantics.of_function(&function);
                let changes =
                    || process_state::changed_in_thread(&own, &node.body, &format!("`{name}`"));
                row.reason = meets_itself()
                    .or_else(changes)
                    .or_else(meets_others)
                    .filter(|_| !(is_here && helper_files::is_kept_by_lock(file, site, node)))
                    .or_else(|| databases::opened_between(file, call, &chain, surroundings.owner))
                    .or_else(writes)
                    .or_else(in_other_files)
                    .or_else(may_be_written)
                    .or_else(|| runs_commands.then(|| in_series().or_else(behind_check))?)
                    .or_else(|| exchanges::opened(file, surroundings.owner, call))
                    .or_else(|| gap::lets_others_in(file, surroundings.owner, call.range()));
            }
        }
        let called = Called {
            name: name.clone(),
            row: &row,
        };
        let blocking = Blocking {
            file,
            site,
            call,
            called,
            surroundings,
            library,
            given: Given::of(file, site).filter(|_| !gives_function(node)),
        };
        let owner = match surroundings.owner {
            Owner::Function(function) => Some(function.name.as_str()),
            _ => None,
        };
        Some(
            Finding::new(
                &RULE,
                call.range(),
                format!(
                    "`{}` {} the event loop: {}",
                    one_line(file.text(&*call.func)),
                    blocks(&chain),
                    shown(owner, &chain.names),
                ),
                match blocking.rewrite() {
                    Ok(rewrite) => Remedy::Rewrite(rewrite),
                    Err(reason) => Remedy::NotFixed(reason),
                },
            )
            .with_related(related(file, &chain))
            .with_code_in_ruff(in_ruff(file, &chain)),
        )
    }
}

/// What each function of a chain does, as far as its file is one of the project.
fn related(file: &File<'_, '_>, chain: &Chain) -> Vec<Related> {
    let calls = chain.names.iter().skip(1);
    let functions = chain.functions.iter().zip(calls);
    functions
        .filter_map(|(member, called)| {
            Some(Related {
                path: file.project.file_of(member)?.to_path_buf(),
                function: member.name.clone(),
                message: format!("`{}` calls `{called}`", member.name),
            })
        })
        .collect()
}

/// The finding at a function that blocks and that many coroutine functions call, where no fix of a caller is safe: one
/// reason, instead of the same at each of them.
fn many_callers<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    function: &'a ast::StmtFunctionDef,
) -> Option<Finding> {
    let mut name = function.name.to_string();
    for ancestor in site.ancestors.iter().rev() {
        match ancestor {
            AnyNodeRef::StmtClassDef(class) => name = format!("{}.{name}", class.name),
            AnyNodeRef::StmtFunctionDef(_) => return None,
            _ => {}
        }
    }
    let chain = file.project.blocking_chain(&file.place(), &name)?;
    let reason = match chain.limits()? {
        Bond::Tied(reason) | Bond::Shared(reason) => reason,
    };
    if !chain.is_crowded()
        || file.library_to_write() == Some(Library::Other)
        || is_silent_test(file, Owner::Function(function))
    {
        return None;
    }
    Some(
        Finding::new(
            &RULE,
            function.name.range(),
            format!(
                "`{}` {} the event loop, in {} calls in coroutine functions: {}",
                function.name,
                blocks(&chain),
                chain.callers,
                shown(None, &chain.names),
            ),
            Remedy::NotFixed(reason),
        )
        .with_related(related(file, &chain)),
    )
}

/// What a function does to the event loop.
fn blocks(chain: &Chain) -> &'static str {
    if chain.is_conditional {
        "sometimes blocks"
    } else {
        "blocks"
    }
}

/// Why what the function is given keeps it from running in another thread.
fn bound_argument(file: &File<'_, '_>, call: &ast::ExprCall) -> Option<Bond> {
    let semantics = &file.semantics;
    let is_free = |value: &Expr, bound: &ThreadBound| {
        match value {
        Expr::Name(name) => semantics
            .origins(name)
            .iter()
            .any(|origin| matches!(origin, Origin::Value(Expr::Call(made)) if blocking_calls::is_free(bound, made))),
        _ => false,
    }
    };
    let mut given = call
        .arguments
        .iter_source_order()
        .map(ruff_python_ast::ArgOrKeyword::value);
    given.find_map(|value| {
        let (Expr::Name(_) | Expr::Attribute(_)) = value else {
            return None;
        };
        let ClassOf::Known(class) = semantics.class_of(value) else {
            return None;
        };
        let bound = ThreadBound::of(&class).filter(|bound| !is_free(value, bound))?;
        Some(Bond::Tied(bound::reason(
            &one_line(file.text(value)),
            &bound.what,
        )))
    })
}

/// Whether a call gives a parameter what nobody can change.
fn is_given_plain<'a>(
    file: &File<'a, '_>,
    call: &'a ast::ExprCall,
    need: &Need,
    owner: Owner<'a>,
) -> bool {
    let is_made_here = |object: &Expr| {
        matches!(owner, Owner::Function(function)
            if is_made_in(&file.semantics, object, function.range()))
    };
    if need.is_of_receiver() {
        return match &*call.func {
            Expr::Attribute(method) => is_made_here(&method.value),
            _ => true,
        };
    }
    let arguments = &call.arguments;
    let is_open = arguments.args.iter().any(Expr::is_starred_expr)
        || arguments
            .keywords
            .iter()
            .any(|keyword| keyword.arg.is_none());
    let at = usize::try_from(need.position).unwrap_or(usize::MAX);
    match arguments.find_argument_value(&need.parameter, at) {
        Some(value) if need.is_of_object() => is_made_here(value),
        Some(value) => {
            matches!(file.semantics.class_of(value), ClassOf::Known(class) if is_unchanging(&class))
                || need.is_gone_through && !may_change(file, value, owner)
        }
        // What it is without an argument, it is for all.
        None => !is_open,
    }
}

/// Whether other code may change what the code of `owner` gives to a function which goes through it.
fn may_change<'a>(file: &File<'a, '_>, value: &'a Expr, owner: Owner<'a>) -> bool {
    let (Owner::Function(function), Some(scope)) = (owner, file.semantics.scope_of_owner(owner))
    else {
        return true;
    };
    let locals = Locals::of(file, function);
    // Who gives the coroutine a collection waits for it, as a rule.
    let is_given = value.as_name_expr().is_some_and(|name| {
        let name = name.id.as_str();
        locals.parameters.contains(name)
            && !locals.shared.contains(name)
            && locals.sources(name).is_none()
    });
    !is_given && Collections::new(file, &locals, scope).may_change_meanwhile(value)
}

/// Whether what blocks at the end of a chain is an access to a file.
pub(super) fn uses_files(file: &File<'_, '_>, chain: &Chain) -> bool {
    ends_with(file, chain, "AF204")
}

/// Whether what blocks at the end of a chain belongs to the rule with this code.
pub(super) fn ends_with(file: &File<'_, '_>, chain: &Chain, code: &str) -> bool {
    end_of(file, chain).is_some_and(|row| row.code == code)
}

/// The row of what blocks at the end of a chain.
fn end_of<'f>(file: &'f File<'_, '_>, chain: &Chain) -> Option<&'f Row> {
    let table = &file.settings.blocking;
    let path = chain.names.last()?;
    table
        .get(path)
        .or_else(|| table.get(&format!("builtins.{path}")))
}

/// The rule of ruff that reports what blocks at the end of a chain, where a coroutine function calls it.
fn in_ruff(file: &File<'_, '_>, chain: &Chain) -> Option<&'static str> {
    code_in_ruff(&end_of(file, chain)?.code, chain.names.last()?)
}

/// The chain as it stands in a message, from the coroutine on.
fn shown(owner: Option<&str>, names: &[String]) -> String {
    let names: Vec<&str> = owner
        .into_iter()
        .chain(names.iter().map(String::as_str))
        .collect();
    let (start, end) = SHOWN;
    let quoted = |names: &[&str]| {
        names
            .iter()
            .map(|name| format!("`{name}`"))
            .collect::<Vec<_>>()
    };
    let left = names.len().saturating_sub(start + end);
    // To say that one is left out takes as much room as the one.
    if left < 2 {
        return quoted(&names).join(" → ");
    }
    let (first, rest) = names.split_at(start);
    let (_, last) = rest.split_at(left);
    let mut parts = quoted(first);
    parts.push(format!("… {left} more calls …"));
    parts.extend(quoted(last));
    parts.join(" → ")
}
