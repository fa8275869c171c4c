//! Functions and methods that something in the file puts something else in the place of, as tests do.

use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr};

use crate::file::File;
use crate::outline::last_name;

/// Whether something that is no coroutine function may be put in the place of what has this name, anywhere in the
/// file, and on whatever object: being wrong here only means to hold back. What methods assign to attributes of
/// their own object, its class tells.
pub(crate) fn is_replaced(file: &File<'_, '_>, name: &str) -> bool {
    let mut search = Search {
        file,
        name,
        is_found: false,
    };
    search.visit_body(file.body());
    search.is_found
}

struct Search<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    name: &'f str,
    is_found: bool,
}

impl Search<'_, '_, '_> {
    /// Whether a value is a coroutine function, or a mock of one.
    fn is_same(&self, value: &Expr) -> bool {
        let semantics = &self.file.semantics;
        let made = match value {
            Expr::Call(call) => &call.func,
            other => other,
        };
        semantics.means(made, &["unittest.mock.AsyncMock", "mock.AsyncMock"])
            || semantics.is_one_more_coroutine_function(value)
    }

    fn is_target(&self, target: &Expr) -> bool {
        match target {
            Expr::Attribute(target) => {
                target.attr.as_str() == self.name
                    && self
                        .file
                        .semantics
                        .class_of_receiver(&target.value)
                        .is_none()
            }
            Expr::Tuple(targets) => targets.elts.iter().any(|target| self.is_target(target)),
            _ => false,
        }
    }

    /// Whether a string names what is asked about: `"fetch"` or `"clients.Client.fetch"`.
    fn is_name(&self, expr: &Expr) -> bool {
        matches!(expr, Expr::StringLiteral(text)
            if text.value.to_str().rsplit('.').next() == Some(self.name))
    }

    /// Whether a call is one of `setattr(client, "fetch", ...)`, `patch("clients.fetch", ...)`,
    /// `patch.object(client, "fetch", ...)`, whatever has these methods, and gives it something else. Without a
    /// value, a mock knows that it stands for a coroutine function (Python documentation, "unittest.mock").
    fn is_replacement(&self, call: &ast::ExprCall) -> bool {
        let is_mock = match last_name(&call.func) {
            Some("setattr") => false,
            Some("patch" | "object") => true,
            _ => return false,
        };
        let given = &call.arguments.args;
        let Some(at) = given.iter().take(2).position(|given| self.is_name(given)) else {
            return false;
        };
        let by_keyword = ["new", "new_callable", "value"]
            .iter()
            .find_map(|name| call.arguments.find_keyword(name));
        let value = given
            .get(at + 1)
            .or(by_keyword.map(|keyword| &keyword.value));
        match value {
            Some(value) => !self.is_same(value),
            None => !is_mock,
        }
    }
}

impl<'a> SourceOrderVisitor<'a> for Search<'_, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        self.is_found |= match node {
            AnyNodeRef::StmtAssign(assign) => {
                assign.targets.iter().any(|target| self.is_target(target))
                    && !self.is_same(&assign.value)
            }
            AnyNodeRef::ExprCall(call) => self.is_replacement(call),
            _ => false,
        };
        if self.is_found {
            TraversalSignal::Skip
        } else {
            TraversalSignal::Traverse
        }
    }
}
