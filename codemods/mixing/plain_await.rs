//! AF401 await-in-sync-function: only a coroutine function may await (PEP 492).

use asyncfix_analysis::candidate::Candidate;
use asyncfix_analysis::facts::spelling::Hints;
use asyncfix_analysis::infer::types::Awaitability;
use asyncfix_syntax::awaited::{Awaited, awaited_in, needs_coroutine};
use asyncfix_syntax::queries::yields;
use asyncfix_syntax::site::Site;
use ruff_diagnostics::Edit;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, NodeKind};
use ruff_text_size::{Ranged, TextRange, TextSize};

use crate::codemod::Codemod;
use crate::edit::rewrite::in_order;
use crate::file::File;
use crate::finding::{Elsewhere, Finding, Remedy, Rewrite};
use crate::mixing::conversion::{Conversion, Edits};
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
        &[NodeKind::StmtFunctionDef, NodeKind::ExprLambda]
    }

    fn candidate(&self, _hints: &Hints<'_>, site: &Site<'_, '_>) -> Candidate {
        match site.node {
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
            AnyNodeRef::ExprLambda(lambda) => {
                return Some(Finding {
                    rule: &RULE,
                    range: first_await(&lambda.body)?,
                    message: "SyntaxError: `await` in a lambda".to_owned(),
                    remedy: Remedy::NotFixed(
                        "a lambda can't be async; use an `async def`".to_owned(),
                    ),
                    related: Vec::new(),
                });
            }
            _ => return None,
        };
        let found = awaited_in(function);
        let first = found.awaits.first().map(|expr| {
            // The keyword alone: what is awaited is all right.
            let range = TextRange::at(expr.start(), TextSize::of("await"));
            (range, "await")
        });
        let (range, keyword) = first
            .into_iter()
            .chain(found.other)
            .min_by_key(|(range, _)| range.start())?;
        Some(Finding {
            rule: &RULE,
            range,
            message: format!(
                "SyntaxError: `{keyword}` outside an async function (`{}`)",
                function.name
            ),
            remedy: match rewrite(file, function, &found) {
                Ok(rewrite) => Remedy::Rewrite(rewrite),
                Err(reason) => Remedy::NotFixed(reason),
            },
            related: Vec::new(),
        })
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
        && function.decorator_list.is_empty()
        && conversion.is_plain_program(definition, &function.name)?
    {
        let operand = only.value.start();
        let (edits, import) = run_edits(
            file,
            only.range(),
            operand_start(file, only, operand),
            &only.value,
        )?;
        return Ok(Rewrite::safe("Run the coroutine with `asyncio.run`", edits).with_shared(import));
    }
    if let Some(known) = file.conversions.rewrite_of(definition) {
        return Ok(known);
    }
    conversion.convert(definition, &function.name)?;
    let own = file.semantics.path().map(std::path::Path::to_path_buf);
    let mut rewrite = Rewrite::safe(
        format!("Make `{}` and its callers `async`", function.name),
        Vec::new(),
    )
    .unsafe_if(conversion.doubt.take());
    for (path, edits) in conversion.edits {
        let edits = Edits {
            own: distinct(edits.own),
            shared: distinct(edits.shared),
        };
        if meet(&edits.own) {
            return Err("two chained calls would both need `await`".to_owned());
        }
        if Some(&path) == own.as_ref() {
            rewrite.edits.extend(edits.own);
            rewrite.shared.extend(edits.shared);
        } else {
            rewrite.elsewhere.push(Elsewhere {
                path,
                edits: in_order(edits.shared, edits.own),
            });
        }
    }
    file.conversions.add(conversion.functions, &rewrite);
    Ok(rewrite)
}

fn distinct(edits: impl IntoIterator<Item = Edit>) -> Vec<Edit> {
    let mut all: Vec<Edit> = Vec::new();
    for edit in edits {
        if !all.contains(&edit) {
            all.push(edit);
        }
    }
    all.sort_by_key(|edit| (edit.start(), edit.end()));
    all
}

/// Whether two edits begin at one place: `f().g()` with both to be awaited.
fn meet(edits: &[Edit]) -> bool {
    edits
        .iter()
        .zip(edits.iter().skip(1))
        .any(|(one, other)| one.start() == other.start())
}

/// Where what is awaited begins, its parentheses included.
fn operand_start(file: &File<'_, '_>, expr: &ast::ExprAwait, start: TextSize) -> TextSize {
    let range = ruff_python_ast::token::parenthesized_range(
        (&*expr.value).into(),
        expr.into(),
        file.tokens(),
    );
    range.map_or(start, TextRange::start)
}

/// Whether what is awaited is a coroutine, which a new event loop can run. A future or task belongs to
/// the loop that is there already.
fn is_coroutine(file: &File<'_, '_>, expr: &ast::ExprAwait) -> bool {
    file.semantics.awaitability((&*expr.value).into()) == Awaitability::Coroutine
}
