//! The tasks that the same code makes beside one that is dropped.

use asyncfix_analysis::answers::task::makes_task;
use asyncfix_syntax::queries::{last_name, own_code};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};

use crate::file::File;

/// What the task of a coroutine gives, as far as it is told from the code.
#[derive(PartialEq, Eq)]
pub(super) enum Given {
    /// Anything: the function has no annotation.
    Any,
    /// What this annotation says.
    Annotated(String),
    /// What this function gives.
    Of(String),
}

/// The tasks that code makes, and what becomes of them.
#[derive(Default)]
pub(super) struct Beside {
    /// How many have a variable.
    pub(super) bound: usize,
    /// What those give that are dropped.
    pub(super) dropped: Vec<Given>,
}

impl Beside {
    /// The tasks that are made in `body`.
    pub(super) fn of(file: &File<'_, '_>, body: &[Stmt]) -> Self {
        let mut search = Search {
            file,
            found: Self::default(),
        };
        search.visit_body(body);
        search.found
    }

    /// Whether one of those that are dropped has a result of another type than the one that `call` makes: a variable has
    /// one type.
    pub(super) fn give_another_type(&self, file: &File<'_, '_>, call: &ast::ExprCall) -> bool {
        let own = result_of(file, call);
        let mut others = self.dropped.iter();
        others.any(|other| own != *other && own != Given::Any && *other != Given::Any)
    }
}

/// Looks for them.
struct Search<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    found: Beside,
}

impl<'a> SourceOrderVisitor<'a> for Search<'_, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        let (target, value) = match node {
            AnyNodeRef::StmtExpr(statement) => (None, &*statement.value),
            AnyNodeRef::StmtAssign(assign) => match assign.targets.as_slice() {
                [Expr::Name(name)] => (Some(name), &*assign.value),
                _ => return TraversalSignal::Traverse,
            },
            _ => return own_code(node),
        };
        if let Expr::Call(call) = value
            && makes_task(self.file, call)
        {
            match target {
                Some(name) if name.id != "_" => self.found.bound += 1,
                _ => {
                    let result = result_of(self.file, call);
                    self.found.dropped.push(result);
                }
            }
        }
        TraversalSignal::Traverse
    }
}

fn result_of(file: &File<'_, '_>, call: &ast::ExprCall) -> Given {
    let Some(Expr::Call(coroutine)) = call.arguments.args.first() else {
        return Given::Any;
    };
    let semantics = &file.semantics;
    let function = semantics.function_in_sight(&coroutine.func);
    let node = function
        .as_ref()
        .and_then(|function| function.node(semantics.db()));
    let of_function = || Given::Of(file.text(&*coroutine.func).to_owned());
    match node.map(|node| node.returns.as_deref()) {
        Some(None) => Given::Any,
        Some(Some(Expr::NoneLiteral(_))) => Given::Annotated("None".to_owned()),
        Some(Some(returns)) => match last_name(returns) {
            Some(name) => Given::Annotated(name.to_owned()),
            None => of_function(),
        },
        None => of_function(),
    }
}
