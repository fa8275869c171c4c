//! AF404 coroutine-function-called-plainly: what calls a coroutine function like any function drops the coroutine that
//! it gets.

use asyncfix_analysis::answers::callbacks::drops_coroutines;
use asyncfix_analysis::answers::expected::is_expected;
use asyncfix_analysis::answers::takes_coroutine::path_of;
use asyncfix_analysis::candidate::Candidate;
use asyncfix_analysis::facts::key::name_key;
use asyncfix_analysis::facts::spelling::Hints;
use asyncfix_analysis::index::reach::Sought;
use asyncfix_knowledge::plain_callers::{Row, TABLE};
use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::Site;
use ruff_diagnostics::Edit;
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, NodeKind};
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::not_called::is_to_be_called;
use crate::codemod::Codemod;
use crate::file::File;
use crate::finding::{Finding, Remedy, Rewrite};
use crate::rule::{Rule, Stability};

/// The codemod of AF404.
pub struct CalledPlainly;

static RULE: Rule = Rule {
    code: "AF404",
    name: "coroutine-function-called-plainly",
    finds: "a coroutine function is given to code that calls it like a plain one",
    pitfall: "mixing sync and async code",
    page: include_str!("AF404.md"),
    default: true,
    stability: Stability::Stable,
    equivalents: &[],
};

impl Codemod for CalledPlainly {
    fn rule(&self) -> &'static Rule {
        &RULE
    }

    fn words(&self) -> &'static [&'static str] {
        &["("]
    }

    // The function may come from another file.
    fn in_plain_code(&self) -> bool {
        true
    }

    fn asks_for_types(&self) -> bool {
        true
    }

    fn nodes(&self) -> &'static [NodeKind] {
        &[NodeKind::Arguments, NodeKind::StmtFunctionDef]
    }

    fn candidate(&self, hints: &Hints<'_>, site: &Site<'_, '_>) -> Candidate {
        match (site.node, site.parent()) {
            (AnyNodeRef::StmtFunctionDef(function), _) => {
                Candidate::when(function.is_async && !function.decorator_list.is_empty())
            }
            (AnyNodeRef::Arguments(arguments), Some(AnyNodeRef::ExprCall(call))) => {
                let mut names = hints.spellings.last_names(&call.func);
                let row = names.find_map(|name| TABLE.row.iter().find(|row| row.name() == name));
                let given = row
                    .and_then(|row| given_to(row, arguments))
                    .and_then(|given| last_name(unwrapped(given)));
                match given {
                    Some(name) => Candidate::If(name_key(name), Sought::Called),
                    None => Candidate::No,
                }
            }
            _ => Candidate::No,
        }
    }

    fn check<'a>(&self, file: &File<'a, '_>, site: &Site<'_, 'a>) -> Option<Finding> {
        if is_expected(site) {
            return None;
        }
        let arguments = match site.node {
            AnyNodeRef::StmtFunctionDef(function) => return command(file, function),
            AnyNodeRef::Arguments(arguments) => arguments,
            _ => return None,
        };
        let outer = site.outer()?;
        let AnyNodeRef::ExprCall(call) = outer.node else {
            return None;
        };
        let row = row_of(file, &call.func)?;
        let given = given_to(row, arguments)?;
        let function = unwrapped(given);
        is_to_be_called(file, function)?;
        let remedy = if row.awaited
            && std::ptr::eq(given, function)
            && matches!(outer.parent(), Some(AnyNodeRef::ExprAwait(_)))
        {
            match awaited(file, &outer, call, given) {
                Ok(rewrite) => Remedy::Rewrite(rewrite),
                Err(reason) => Remedy::NotFixed(reason),
            }
        } else {
            Remedy::NotFixed(row.instead.clone())
        };
        Some(Finding::new(
            &RULE,
            given.range(),
            format!(
                "`{}` is a coroutine function, and `{}` calls it like a plain one: the coroutine never \
                 runs",
                file.first_line(function),
                row.name(),
            ),
            remedy,
        ))
    }
}

/// What is known of a callee.
fn row_of(file: &File<'_, '_>, callee: &Expr) -> Option<&'static Row> {
    let path = path_of(&file.semantics, callee)?;
    TABLE.row.iter().find(|row| row.is_at(&path))
}

/// The function among the arguments.
fn given_to<'a>(row: &Row, arguments: &'a ast::Arguments) -> Option<&'a Expr> {
    let by_name = || {
        let mut keywords = arguments.keywords.iter();
        let keyword = keywords.find(|keyword| keyword.arg.as_deref() == row.keyword.as_deref())?;
        keyword.arg.as_ref().map(|_| &keyword.value)
    };
    let at_place = row.place.and_then(|place| {
        let mut before = arguments.args.iter().take(place);
        let is_plain = !before.any(Expr::is_starred_expr);
        is_plain.then(|| arguments.args.get(place))?
    });
    at_place.or_else(by_name)
}

/// What `functools.partial` gives its arguments to.
fn unwrapped(given: &Expr) -> &Expr {
    match given {
        Expr::Call(call) if last_name(&call.func) == Some("partial") => {
            call.arguments.args.first().unwrap_or(given)
        }
        given => given,
    }
}

/// The rewrite that calls the coroutine function itself, where what runs it in a thread is awaited.
fn awaited<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    call: &'a ast::ExprCall,
    function: &'a Expr,
) -> Result<Rewrite, String> {
    let arguments = &call.arguments;
    let next = arguments
        .args
        .iter()
        .map(Ranged::start)
        .chain(arguments.keywords.iter().map(Ranged::start))
        .filter(|start| *start > function.end())
        .min();
    let closing = call.end() - TextSize::of(')');
    let before = TextRange::new(call.start(), function.start());
    let between = TextRange::new(function.end(), next.unwrap_or(closing));
    if file.comments.intersects(before) || file.comments.intersects(between) {
        return Err("the fix would remove a comment".to_owned());
    }
    let edits = vec![
        Edit::range_deletion(before),
        Edit::range_replacement("(".to_owned(), between),
    ];
    let awaits = site.outer().and_then(|outer| outer.parent());
    let is_dropped = matches!(awaits, Some(AnyNodeRef::StmtExpr(_)));
    Ok(Rewrite::safe("Await it without a thread", edits).unsafe_if(
        (!is_dropped).then_some(
            "the coroutine that the thread gives may be awaited by the code that follows",
        ),
    ))
}

/// The finding at a coroutine function that is a command of a framework which calls it plainly.
fn command(file: &File<'_, '_>, function: &ast::StmtFunctionDef) -> Option<Finding> {
    let mut decorators = function.decorator_list.iter();
    let is_command = decorators.all(|decorator| drops_coroutines(&file.semantics, decorator));
    is_command.then(|| Finding::new(&RULE, function.name.range(), format!(
            "`{}` is a coroutine function, and its decorator calls it like a plain one: the coroutine \
             never runs",
            function.name
        ), Remedy::NotFixed(
            "make it a plain function, and run its code with `asyncio.run`".to_owned(),
        )))
}
