//! Plain functions that run an event loop and are called where one is running already: what they call is in sight.

use asyncfix_analysis::answers::locks;
use asyncfix_analysis::answers::runners::{Runner, runner};
use asyncfix_analysis::resolve::semantics::Semantics;
use asyncfix_syntax::lines::one_line;
use asyncfix_syntax::queries::{last_name, yields};
use asyncfix_syntax::site::{Owner, Site};
use ruff_diagnostics::Edit;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, PythonVersion, Stmt};
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::run_in_loop::inside_loop;
use crate::edit::imports;
use crate::file::File;
use crate::finding::{Finding, Remedy, Rewrite};
use crate::rule::Rule;

/// How many functions are followed.
const DEPTH: usize = 3;

/// What asks whether a loop is running, or makes loops run inside others, by the last names.
const ASKING: [&str; 8] = [
    "apply",
    "get_running_loop",
    "_get_running_loop",
    "is_running",
    "iscoroutine",
    "isawaitable",
    "run_coroutine_threadsafe",
    "current_async_library",
];

/// Whether a call may be one of a function of this file that runs a loop, judged by the tree alone.
pub(super) fn may_be_one(site: &Site<'_, '_>, call: &ast::ExprCall) -> bool {
    let (Some(name), Some(AnyNodeRef::ModModule(module))) =
        (last_name(&call.func), site.ancestors.first())
    else {
        return false;
    };
    !matches!(site.parent(), Some(AnyNodeRef::ExprAwait(_)))
        && runs_by_name(&module.body, name, DEPTH)
}

/// Whether a plain function of this name, of a module or of one of its classes, calls something named like what runs a
/// loop, or another one that does.
fn runs_by_name(module: &[Stmt], name: &str, depth: usize) -> bool {
    struct Search<'m> {
        module: &'m [Stmt],
        depth: usize,
        found: bool,
    }
    impl<'a> SourceOrderVisitor<'a> for Search<'_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let AnyNodeRef::ExprCall(call) = node
                && let Some(name) = last_name(&call.func)
                && !self.found
            {
                self.found = matches!(name, "run" | "run_until_complete")
                    || runs_by_name(self.module, name, self.depth);
            }
            if self.found {
                TraversalSignal::Skip
            } else {
                TraversalSignal::Traverse
            }
        }
    }
    let Some(depth) = depth.checked_sub(1) else {
        return false;
    };
    let own = |body: &[Stmt]| {
        body.iter().any(|statement| match statement {
            Stmt::FunctionDef(function) if function.name.as_str() == name && !function.is_async => {
                let mut search = Search {
                    module,
                    depth,
                    found: false,
                };
                search.visit_body(&function.body);
                search.found
            }
            _ => false,
        })
    };
    own(module)
        || module
            .iter()
            .filter_map(Stmt::as_class_def_stmt)
            .any(|class| own(&class.body))
}

/// The finding at a call of a plain function that runs an event loop.
pub(super) fn check<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    call: &'a ast::ExprCall,
    rule: &'static Rule,
) -> Option<Finding> {
    let surroundings = inside_loop(file, site)?;
    let chain = chain(&file.semantics, call, DEPTH)?;
    let owner = match surroundings.owner {
        Owner::Function(function) => Some(function.name.to_string()),
        _ => None,
    };
    let shown: Vec<String> = owner
        .into_iter()
        .chain(chain.names)
        .map(|name| format!("`{name}`"))
        .collect();
    let remedy =
        match surroundings.obstacle {
            Some(obstacle) => Remedy::NotFixed(obstacle.reason().to_owned()),
            None => match in_thread(file, site, call, surroundings.owner) {
                Ok(rewrite) => Remedy::Rewrite(rewrite.unsafe_if((!chain.is_certain).then_some(
                    "it runs an event loop under a condition, which may not hold here",
                ))),
                Err(reason) => Remedy::NotFixed(reason),
            },
        };
    Some(Finding {
        rule,
        range: call.range(),
        message: format!(
            "`{}` runs an event loop, and one is already running here: {}",
            one_line(file.text(&*call.func)),
            shown.join(" → "),
        ),
        remedy,
        related: Vec::new(),
    })
}

/// The functions on the way to what runs a loop.
struct Chain {
    names: Vec<String>,
    /// Whether it is always reached.
    is_certain: bool,
}

/// The way from a call to what runs a loop.
fn chain(semantics: &Semantics<'_>, call: &ast::ExprCall, depth: usize) -> Option<Chain> {
    let depth = depth.checked_sub(1)?;
    let function = semantics.function_in_sight(&call.func)?;
    let node = function.node(semantics.db())?;
    if node.is_async || yields(node) || !node.decorator_list.is_empty() || asks(&node.body) {
        return None;
    }
    let own = semantics.of_function(&function);
    let mut search = Runs {
        own: &own,
        depth,
        branches: 0,
        found: None,
    };
    search.visit_body(&node.body);
    let mut found = search.found?;
    found.names.insert(0, node.name.to_string());
    Some(found)
}

/// Whether code asks whether a loop is running, or handles that one is.
fn asks(body: &[Stmt]) -> bool {
    struct Search(bool);
    impl<'a> SourceOrderVisitor<'a> for Search {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.0 |= match node {
                AnyNodeRef::ExprCall(call) => {
                    last_name(&call.func).is_some_and(|name| ASKING.contains(&name))
                }
                AnyNodeRef::ExceptHandlerExceptHandler(handler) => {
                    handler.type_.as_deref().is_none_or(|class| {
                        matches!(
                            last_name(class),
                            Some("RuntimeError" | "Exception" | "BaseException")
                        ) || class.is_tuple_expr()
                    })
                }
                _ => false,
            };
            TraversalSignal::Traverse
        }
    }
    let mut search = Search(false);
    search.visit_body(body);
    search.0
}

/// Looks for the first call that runs a loop.
struct Runs<'s, 'db> {
    own: &'s Semantics<'db>,
    depth: usize,
    /// How many statements are around that may not run what is in them.
    branches: usize,
    found: Option<Chain>,
}

impl<'a> SourceOrderVisitor<'a> for Runs<'_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtFunctionDef(_)
            | AnyNodeRef::StmtClassDef(_)
            | AnyNodeRef::ExprLambda(_) => return TraversalSignal::Skip,
            AnyNodeRef::ExprCall(call) if self.found.is_none() => {
                let found = match runner(self.own, call) {
                    Some(Runner::OfCoroutine) => Some(Chain {
                        names: vec![called(&call.func)],
                        is_certain: true,
                    }),
                    Some(_) => None,
                    None => chain(self.own, call, self.depth),
                };
                self.found = found.map(|chain| Chain {
                    is_certain: chain.is_certain && self.branches == 0,
                    ..chain
                });
            }
            _ => {}
        }
        self.branches += usize::from(is_branch(node));
        TraversalSignal::Traverse
    }

    fn leave_node(&mut self, node: AnyNodeRef<'a>) {
        self.branches -= usize::from(is_branch(node));
    }
}

fn is_branch(node: AnyNodeRef<'_>) -> bool {
    matches!(
        node,
        AnyNodeRef::StmtIf(_)
            | AnyNodeRef::StmtFor(_)
            | AnyNodeRef::StmtWhile(_)
            | AnyNodeRef::StmtTry(_)
            | AnyNodeRef::StmtMatch(_)
            | AnyNodeRef::ExprIf(_)
            | AnyNodeRef::ExprBoolOp(_)
    )
}

/// How a callee is called in a message.
fn called(callee: &Expr) -> String {
    match callee {
        Expr::Attribute(attribute) => match last_name(&attribute.value) {
            Some(object) => format!("{object}.{}", attribute.attr),
            None => attribute.attr.to_string(),
        },
        other => last_name(other).unwrap_or_default().to_owned(),
    }
}

/// The rewrite that calls a function in a thread, which may have an event loop of its own.
fn in_thread<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    call: &'a ast::ExprCall,
    owner: Owner<'a>,
) -> Result<Rewrite, String> {
    if !file.targets(PythonVersion::PY39) {
        return Err("run it in a thread".to_owned());
    }
    let lock = locks::allow_await(file, site, owner)?;
    let scope = file
        .semantics
        .scope_of_owner(owner)
        .ok_or("the scope of the call can't be found")?;
    let imported = imports::import(file, "asyncio", "to_thread", scope, call.start())?;
    let before = format!("{}(", imported.expression);
    let mut edits = file.await_edits(site, TextRange::empty(call.start()), &before);
    let parenthesis = TextRange::at(call.arguments.start(), TextSize::of('('));
    edits.push(if call.arguments.is_empty() {
        Edit::range_deletion(parenthesis)
    } else {
        Edit::range_replacement(", ".to_owned(), parenthesis)
    });
    edits.sort_by_key(|edit| (edit.start(), edit.end()));
    Ok(Rewrite::safe("Run it in a thread", edits)
        .with_shared(imported.edit)
        .unsafe_if(lock))
}
