//! What a function takes from others, or counts, before a handler, and gives to its caller behind it: where a cancellation
//! passes the handler, the caller never gets it, and cannot give it back.

use asyncfix_syntax::queries::{first_name, last_name, own_code};
use asyncfix_syntax::site::{Owner, suites_of};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{AnyNodeRef, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange};

use super::handlers::Handler;
use super::outcome::Outcome;
use crate::file::File;

/// Methods that take something out of a collection, or put it there.
const TAKING: [&str; 10] = [
    "add",
    "append",
    "appendleft",
    "get_nowait",
    "pop",
    "popitem",
    "popleft",
    "put_nowait",
    "remove",
    "setdefault",
];

/// Why a cancellation must not pass `handler`, which ends with `outcome`: something that others share is changed before
/// it, and a value is returned behind it.
pub(super) fn is_lost(
    handler: &Handler<'_, '_, '_, '_>,
    outcome: &Outcome<'_>,
) -> Option<&'static str> {
    if !outcome.returns_answer() {
        return None;
    }
    let Owner::Function(function) = handler.owner else {
        return None;
    };
    let mut search = Search {
        file: handler.file,
        function: function.range(),
        found: false,
    };
    let mut look = |suite: &[Stmt], child: AnyNodeRef<'_>| {
        let before = suite
            .iter()
            .position(|statement| statement.range() == child.range());
        for statement in suite.iter().take(before.unwrap_or_default()) {
            search.visit_stmt(statement);
        }
    };
    let mut outermost = handler.site.node;
    for (around, child) in handler.site.enclosing_in_function() {
        for suite in suites_of(around) {
            look(suite, child);
        }
        outermost = around;
    }
    look(&function.body, outermost);
    search
        .found
        .then_some("on cancellation the caller would not get what is returned below, and what was changed before would stay")
}

/// Looks for changes of what others share.
struct Search<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    function: TextRange,
    found: bool,
}

impl Search<'_, '_, '_> {
    /// Whether code of others may know this object: it is not one that the function made of a display.
    fn is_shared(&self, object: &Expr) -> bool {
        let Some(Expr::Name(name)) = first_name(object) else {
            return true;
        };
        let semantics = &self.file.semantics;
        let is_own = |value: &Expr| {
            matches!(
                value,
                Expr::Dict(_)
                    | Expr::List(_)
                    | Expr::Set(_)
                    | Expr::DictComp(_)
                    | Expr::ListComp(_)
                    | Expr::SetComp(_)
            ) || matches!(value, Expr::Call(call)
                if semantics.means(&call.func, &["builtins.dict", "builtins.list", "builtins.set"]))
        };
        semantics.bindings(name).is_none_or(|definitions| {
            definitions.iter().any(|definition| {
                let value = definition.kind(semantics.db()).value(semantics.module());
                value.is_none_or(|value| {
                    !self.function.contains_range(value.range()) || !is_own(value)
                })
            })
        })
    }

    fn changes(&mut self, target: &Expr) {
        self.found |= match target {
            Expr::Attribute(attribute) => self.is_shared(&attribute.value),
            Expr::Subscript(subscript) => self.is_shared(&subscript.value),
            _ => false,
        };
    }
}

impl<'a> SourceOrderVisitor<'a> for Search<'_, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtAssign(assign) => {
                for target in &assign.targets {
                    self.changes(target);
                }
            }
            AnyNodeRef::StmtAugAssign(assign) => self.changes(&assign.target),
            AnyNodeRef::StmtDelete(delete) => {
                for target in &delete.targets {
                    self.changes(target);
                }
            }
            AnyNodeRef::ExprCall(call) => {
                if let Expr::Attribute(method) = &*call.func
                    && last_name(&call.func).is_some_and(|name| TAKING.contains(&name))
                {
                    self.found |= self.is_shared(&method.value);
                }
            }
            _ => {}
        }
        own_code(node)
    }
}
