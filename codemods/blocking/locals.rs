//! What the local variables of a function are made of.

use asyncfix_syntax::queries::last_name;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::file::File;

/// Where a value of a local variable comes from.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    /// It is the value of this expression, or what entering that gives.
    Value(&'a Expr),
    /// It is one of the items of the value of this expression.
    Item(&'a Expr),
    /// Something else.
    Other,
}

/// The local variables of a function.
#[derive(Default)]
pub(super) struct Locals<'a> {
    /// The first parameter of a method.
    pub(super) receiver: Option<&'a str>,
    pub(super) parameters: FxHashSet<&'a str>,
    sources: FxHashMap<&'a str, Vec<Source<'a>>>,
    /// Names of what is stored where others find it, or given to a task or a thread.
    pub(super) shared: FxHashSet<&'a str>,
    /// Whether calls of the function may run at the same time, each on its own.
    pub(super) is_async: bool,
    /// What is waited for where it is started.
    awaited: FxHashSet<TextRange>,
}

/// What starts something that runs beside the code that starts it. Judged by names, because being
/// wrong here only means to hold back.
const STARTING: [&str; 6] = [
    "create_task",
    "ensure_future",
    "start_soon",
    "submit",
    "run_in_executor",
    "Thread",
];

impl<'a> Locals<'a> {
    /// The variables of `function`, those of functions inside it aside.
    pub(super) fn of(file: &File<'a, '_>, function: &'a ast::StmtFunctionDef) -> Self {
        let is_static = function.decorator_list.iter().any(
            |decorator| matches!(&decorator.expression, Expr::Name(name) if name.id == "staticmethod"),
        );
        let names: Vec<&str> = function
            .parameters
            .iter()
            .map(|parameter| parameter.name().as_str())
            .collect();
        let is_method = !is_static && file.semantics.is_method(function);
        let mut locals = Self {
            receiver: names.first().copied().filter(|_| is_method),
            parameters: names.into_iter().collect(),
            is_async: function.is_async,
            ..Self::default()
        };
        locals.visit_body(&function.body);
        locals
    }

    /// What a name is bound to in the function. `None` where it is no variable of it, or only a
    /// parameter.
    pub(super) fn sources(&self, name: &str) -> Option<&[Source<'a>]> {
        self.sources.get(name).map(Vec::as_slice)
    }

    fn bind(&mut self, target: &'a Expr, source: Source<'a>) {
        match target {
            Expr::Name(name) => self.sources.entry(&name.id).or_default().push(source),
            Expr::Starred(starred) => self.bind(&starred.value, source),
            Expr::Tuple(ast::ExprTuple { elts, .. }) | Expr::List(ast::ExprList { elts, .. }) => {
                let values = match source {
                    Source::Value(Expr::Tuple(tuple)) if tuple.elts.len() == elts.len() => {
                        tuple.elts.as_slice()
                    }
                    _ => &[],
                };
                for (index, target) in elts.iter().enumerate() {
                    let part = match (values.get(index), source) {
                        (Some(value), _) => Source::Value(value),
                        (None, Source::Value(value) | Source::Item(value)) => Source::Item(value),
                        (None, Source::Other) => Source::Other,
                    };
                    self.bind(target, part);
                }
            }
            // `self.rows = rows`: others find it there.
            Expr::Attribute(_) | Expr::Subscript(_) => {
                if let Source::Value(Expr::Name(name)) = source {
                    self.shared.insert(&name.id);
                }
            }
            _ => {}
        }
    }
}

impl<'a> SourceOrderVisitor<'a> for Locals<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtFunctionDef(_)
            | AnyNodeRef::StmtClassDef(_)
            | AnyNodeRef::ExprLambda(_) => return TraversalSignal::Skip,
            AnyNodeRef::StmtAssign(statement) => {
                for target in &statement.targets {
                    self.bind(target, Source::Value(&statement.value));
                }
            }
            AnyNodeRef::StmtAnnAssign(statement) => {
                if let Some(value) = &statement.value {
                    self.bind(&statement.target, Source::Value(value));
                }
            }
            AnyNodeRef::StmtAugAssign(statement) => {
                self.bind(&statement.target, Source::Value(&statement.value));
            }
            AnyNodeRef::ExprNamed(named) => self.bind(&named.target, Source::Value(&named.value)),
            AnyNodeRef::StmtFor(statement) => {
                self.bind(&statement.target, Source::Item(&statement.iter));
            }
            AnyNodeRef::Comprehension(clause) => {
                self.bind(&clause.target, Source::Item(&clause.iter));
            }
            AnyNodeRef::WithItem(item) => {
                if let Some(target) = &item.optional_vars {
                    self.bind(target, Source::Value(&item.context_expr));
                }
            }
            AnyNodeRef::ExceptHandlerExceptHandler(handler) => {
                if let Some(name) = &handler.name {
                    self.sources.entry(name).or_default().push(Source::Other);
                }
            }
            AnyNodeRef::ExprAwait(inner) => {
                self.awaited.insert(inner.value.range());
            }
            AnyNodeRef::ExprCall(call)
                if last_name(&call.func).is_some_and(|name| STARTING.contains(&name))
                    && !self.awaited.contains(&call.range()) =>
            {
                let mut given = Given(&mut self.shared);
                given.visit_arguments(&call.arguments);
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }
}

/// The names in what is given away.
struct Given<'n, 'a>(&'n mut FxHashSet<&'a str>);

impl<'a> SourceOrderVisitor<'a> for Given<'_, 'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if let AnyNodeRef::ExprName(name) = node {
            self.0.insert(&name.id);
        }
        TraversalSignal::Traverse
    }
}
