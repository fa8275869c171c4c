//! Whether code around a call chooses among exceptions.

use asyncfix_analysis::resolve::semantics::Semantics;
use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::Site;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, ExceptHandler, Expr, Stmt};

use crate::edit::around::{self, Block};
use crate::file::File;

/// What everything that is an error comes from.
const ALL: &[&str] = &["builtins.Exception", "builtins.BaseException"];

/// What is not an error of a member.
const OTHERS: &[&str] = &[
    "builtins.KeyboardInterrupt",
    "builtins.SystemExit",
    "builtins.GeneratorExit",
    "asyncio.CancelledError",
    "asyncio.exceptions.CancelledError",
];

/// Whether a handler around `site`, or around a call of the function it is part of, catches some exceptions and
/// others not, or treats them differently.
pub fn choose_by_class<'a>(file: &File<'a, '_>, site: &Site<'_, 'a>) -> bool {
    let semantics = &file.semantics;
    around::any(file, site, true, &mut |passed| match passed.block {
        Block::Try(statement) => chooses(semantics, statement),
        Block::With(with) => expects(semantics, with),
        Block::Finally(_) => false,
    })
}

/// Whether the clauses of a `try` do not catch every error in one way.
fn chooses(semantics: &Semantics<'_>, statement: &ast::StmtTry) -> bool {
    let mut errors = statement
        .handlers
        .iter()
        .map(|handler| {
            let ExceptHandler::ExceptHandler(handler) = handler;
            handler
        })
        .filter(|handler| !is_for_others(semantics, handler.type_.as_deref()));
    let Some(first) = errors.next() else {
        return false;
    };
    let catches_all = first.type_.as_deref().is_none_or(|kind| match kind {
        Expr::Tuple(tuple) => tuple.elts.iter().any(|kind| semantics.means(kind, ALL)),
        kind => semantics.means(kind, ALL),
    });
    !catches_all
        || first
            .name
            .as_ref()
            .is_some_and(|name| tells_apart(&first.body, name))
}

/// Whether a clause is for what is not an error.
fn is_for_others(semantics: &Semantics<'_>, kind: Option<&Expr>) -> bool {
    match kind {
        Some(Expr::Tuple(tuple)) => tuple.elts.iter().all(|kind| semantics.means(kind, OTHERS)),
        Some(kind) => semantics.means(kind, OTHERS),
        None => false,
    }
}

/// Whether the code of a clause asks what kind of exception it has.
fn tells_apart(body: &[Stmt], name: &str) -> bool {
    struct Asks<'n>(&'n str, bool);
    impl<'a> SourceOrderVisitor<'a> for Asks<'_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            let subject = match node {
                AnyNodeRef::ExprCall(call)
                    if matches!(last_name(&call.func), Some("isinstance" | "type")) =>
                {
                    call.arguments.args.first()
                }
                AnyNodeRef::StmtMatch(statement) => Some(&*statement.subject),
                _ => None,
            };
            self.1 |= matches!(subject, Some(Expr::Name(name)) if name.id == self.0);
            TraversalSignal::Traverse
        }
    }
    let mut search = Asks(name, false);
    search.visit_body(body);
    search.1
}

/// Whether a `with` catches some exceptions: `suppress(KeyError)`, `pytest.raises(KeyError)`.
fn expects(semantics: &Semantics<'_>, with: &ast::StmtWith) -> bool {
    with.items.iter().any(|item| {
        let Expr::Call(call) = &item.context_expr else {
            return false;
        };
        matches!(
            last_name(&call.func),
            Some("suppress" | "raises" | "assertRaises" | "assertRaisesRegex")
        ) && !call
            .arguments
            .args
            .iter()
            .any(|class| semantics.means(class, ALL))
    })
}
