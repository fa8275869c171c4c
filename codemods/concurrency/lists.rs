//! The lists that coroutines and tasks are put in.

use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{AnyNodeRef, Expr, Stmt};

use crate::concurrency::fan_out::Means;

/// What makes a task of a coroutine.
const TASKS: &[&str] = &["asyncio.create_task", "asyncio.ensure_future"];

/// How a function names a list: a variable, or an attribute of its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListName<'a> {
    name: &'a str,
    is_attribute: bool,
}

impl<'a> ListName<'a> {
    /// The name that an expression is.
    pub(crate) fn of(expr: &'a Expr) -> Option<Self> {
        match expr {
            Expr::Name(name) => Some(Self {
                name: &name.id,
                is_attribute: false,
            }),
            Expr::Attribute(attribute) if matches!(&*attribute.value, Expr::Name(object) if object.id == "self") => {
                Some(Self {
                    name: &attribute.attr,
                    is_attribute: true,
                })
            }
            _ => None,
        }
    }

    /// Whether an expression is this list.
    pub(crate) fn is(self, expr: &Expr) -> bool {
        ListName::of(expr) == Some(self)
    }

    /// Whether other code of the object may look at it.
    pub(crate) fn is_attribute(self) -> bool {
        self.is_attribute
    }

    /// The code that names it.
    pub(crate) fn text(self) -> String {
        let object = if self.is_attribute { "self." } else { "" };
        format!("{object}{}", self.name)
    }
}

/// The list of tasks that are made of the coroutines in a list: `tasks = [asyncio.create_task(call) for call in calls]`.
pub(crate) fn tasks_of<'a>(
    body: &'a [Stmt],
    calls: ListName<'_>,
    means: Means<'_>,
) -> Option<ListName<'a>> {
    struct Search<'n, 'a> {
        calls: ListName<'n>,
        means: Means<'n>,
        found: Option<ListName<'a>>,
    }
    impl<'a> SourceOrderVisitor<'a> for Search<'_, 'a> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let AnyNodeRef::StmtAssign(assign) = node
                && let ([target], Expr::ListComp(list)) =
                    (assign.targets.as_slice(), &*assign.value)
                && let ([turn], Expr::Call(task)) = (list.generators.as_slice(), &*list.elt)
                && let ([Expr::Name(given)], Expr::Name(call)) =
                    (&*task.arguments.args, &turn.target)
                && given.id == call.id
                && turn.ifs.is_empty()
                && self.calls.is(&turn.iter)
                && (self.means)(&task.func, TASKS)
            {
                self.found = self.found.or(ListName::of(target));
            }
            if node.is_expression() {
                TraversalSignal::Skip
            } else {
                TraversalSignal::Traverse
            }
        }
    }
    let mut search = Search {
        calls,
        means,
        found: None,
    };
    search.visit_body(body);
    search.found
}
