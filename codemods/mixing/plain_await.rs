//! AF401 await-in-sync-function: only a coroutine function may await (PEP 492).

use asyncfix_analysis::answers::callbacks::{Caller, caller_behind};
use asyncfix_analysis::candidate::Candidate;
use asyncfix_analysis::facts::spelling::Hints;
use asyncfix_analysis::infer::types::Awaitability;
use asyncfix_knowledge::decorators::KEEPING;
use asyncfix_syntax::awaited::{Awaited, awaited_in, needs_coroutine};
use asyncfix_syntax::queries::{called, yields};
use asyncfix_syntax::site::Site;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, NodeKind};
use ruff_text_size::{Ranged, TextRange, TextSize};

use crate::codemod::Codemod;
use crate::file::File;
use crate::finding::{Finding, Remedy, Rewrite};
use crate::mixing::conversion::Conversion;
use crate::mixing::guarded;
use crate::mixing::program::Program;
use crate::mixing::references::run_edits;
use crate::rule::{Rule, Stability};

/// The codemod of AF401.
pub struct AwaitInSyncFunction;

static RULE: Rule = Rule {
    code: "AF401",
    name: "await-in-sync-function",
    finds: "`await` outside an async function",
    pitfall: "mixing sync and async code",
    page: include_str!("AF401.md"),
    default: true,
    stability: Stability::Stable,
    equivalents: &[
        "PLE1142",
        "F704",
        "await-outside-async",
        "yield-outside-function",
    ],
};

impl Codemod for AwaitInSyncFunction {
    fn rule(&self) -> &'static Rule {
        &RULE
    }

    fn words(&self) -> &'static [&'static str] {
        &["await", "async"]
    }

    fn asks_for_types(&self) -> bool {
        true
    }

    fn changes_other_files(&self) -> bool {
        true
    }

    fn nodes(&self) -> &'static [NodeKind] {
        &[
            NodeKind::StmtFunctionDef,
            NodeKind::ExprLambda,
            NodeKind::StmtIf,
        ]
    }

    fn candidate(&self, _hints: &Hints<'_>, site: &Site<'_, '_>) -> Candidate {
        match site.node {
            AnyNodeRef::StmtIf(statement) => {
                Candidate::when(guarded::is_candidate(site, statement))
            }
            AnyNodeRef::StmtFunctionDef(function) if !function.is_async => {
                Candidate::when(needs_coroutine(function))
            }
            AnyNodeRef::ExprLambda(lambda) => Candidate::when(first_await(&lambda.body).is_some()),
            _ => Candidate::No,
        }
    }

    fn check<'a>(&self, file: &File<'a, '_>, site: &Site<'_, 'a>) -> Option<Finding> {
        let function = match site.node {
            AnyNodeRef::StmtFunctionDef(function) => function,
            AnyNodeRef::StmtIf(statement) => return guarded::check(file, statement, &RULE),
            AnyNodeRef::ExprLambda(lambda) => {
                return Some(Finding::new(
                    &RULE,
                    first_await(&lambda.body)?,
                    "SyntaxError: `await` in a lambda".to_owned(),
                    Remedy::NotFixed("a lambda can't be async; use an `async def`".to_owned()),
                ));
            }
            _ => return None,
        };
        let found = awaited_in(function);
        let (range, keyword) = found.first()?;
        Some(Finding::new(
            &RULE,
            range,
            format!(
                "SyntaxError: `{keyword}` outside an async function (`{}`)",
                function.name
            ),
            match rewrite(file, function, &found) {
                Ok(rewrite) => Remedy::Rewrite(rewrite),
                Err(reason) => Remedy::NotFixed(reason),
            },
        ))
    }
}

/// The keyword of the first `await` of an expression, where it belongs to the code around it.
fn first_await(expr: &Expr) -> Option<TextRange> {
    struct Search(Option<TextRange>);
    impl<'a> SourceOrderVisitor<'a> for Search {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            match node {
                AnyNodeRef::ExprLambda(_) | AnyNodeRef::ExprGenerator(_) => TraversalSignal::Skip,
                AnyNodeRef::ExprAwait(expr) => {
                    let keyword = TextRange::at(expr.start(), TextSize::of("await"));
                    self.0.get_or_insert(keyword);
                    TraversalSignal::Skip
                }
                _ => TraversalSignal::Traverse,
            }
        }
    }
    let mut search = Search(None);
    search.visit_expr(expr);
    search.0
}

fn rewrite<'a>(
    file: &File<'a, '_>,
    function: &'a ast::StmtFunctionDef,
    found: &Awaited<'a>,
) -> Result<Rewrite, String> {
    let definition = file
        .semantics
        .definition_of(function)
        .ok_or("its scope can't be found")?;
    let mut conversion = Conversion::new(file);
    if let ([only], None) = (found.awaits.as_slice(), found.other)
        && !found.repeats
        && !yields(function)
        && is_coroutine(file, only)
        && (function.decorator_list.is_empty() || stays_plain(file, function))
        && let Program::Plain { doubt } =
            conversion.program_of(definition, &function.name, is_command(file, function))?
    {
        let operand = only.value.start();
        let (edits, import) = run_edits(
            file,
            only.range(),
            operand_start(file, only, operand),
            &only.value,
        )?;
        return Ok(Rewrite::safe("Run the coroutine with `asyncio.run`", edits)
            .with_shared(import)
            .unsafe_if(doubt));
    }
    if let Some(known) = file.conversions.rewrite_of(definition) {
        return Ok(known);
    }
    // The file does not run as it is, wherever its statements stand.
    conversion.may_run_together = true;
    conversion.convert(definition, &function.name)?;
    conversion.convert_beside()?;
    conversion.into_rewrite(format!("Make `{}` and its callers `async`", function.name))
}

/// Whether a framework calls the function, outside of every event loop.
fn is_command(file: &File<'_, '_>, function: &ast::StmtFunctionDef) -> bool {
    let mut decorators = function.decorator_list.iter();
    decorators.any(|decorator| caller_behind(&file.semantics, decorator) == Some(Caller::Plainly))
}

/// Whether each decorator of a function takes a plain function, and calls it like one: a framework's, or one of the
/// project that wraps it in nothing asynchronous.
fn stays_plain(file: &File<'_, '_>, function: &ast::StmtFunctionDef) -> bool {
    struct Asynchronous(bool);
    impl<'a> SourceOrderVisitor<'a> for Asynchronous {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.0 |= matches!(node, AnyNodeRef::StmtFunctionDef(inner) if inner.is_async)
                || node.is_expr_await();
            TraversalSignal::Traverse
        }
    }
    let semantics = &file.semantics;
    let wraps_plainly = |decorator: &ast::Decorator| {
        let maker = semantics
            .function_in_sight(called(decorator))
            .filter(|maker| {
                let path = semantics.file_of(maker.definition());
                path.is_some_and(|path| file.project.number_of(&path).is_some())
            });
        let node = maker.as_ref().and_then(|maker| maker.node(semantics.db()));
        node.is_some_and(|node| {
            let mut search = Asynchronous(node.is_async);
            search.visit_body(&node.body);
            !search.0
        })
    };
    function.decorator_list.iter().all(|decorator| {
        semantics.means(called(decorator), &KEEPING)
            || match caller_behind(semantics, decorator) {
                Some(caller) => caller == Caller::Plainly,
                None => wraps_plainly(decorator),
            }
    })
}

/// Where what is awaited begins, its parentheses included.
pub(super) fn operand_start(
    file: &File<'_, '_>,
    expr: &ast::ExprAwait,
    start: TextSize,
) -> TextSize {
    let range = ruff_python_ast::token::parenthesized_range(
        (&*expr.value).into(),
        expr.into(),
        file.tokens(),
    );
    range.map_or(start, TextRange::start)
}

/// Whether what is awaited is a coroutine, which a new event loop can run. A future or task belongs to
/// the loop that is there already.
pub(super) fn is_coroutine(file: &File<'_, '_>, expr: &ast::ExprAwait) -> bool {
    file.semantics.awaitability((&*expr.value).into()) == Awaitability::Coroutine
}
