//! Whether code around a call chooses among exceptions.

use asyncfix_analysis::resolve::semantics::Semantics;
use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::{Owner, Site};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal, walk_stmt};
use ruff_python_ast::{self as ast, AnyNodeRef, ExceptHandler, Expr, Stmt};
use ruff_text_size::Ranged;
use rustc_hash::FxHashSet;

use crate::file::File;

/// How many callers up is looked.
const CALLERS: usize = 3;

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
/// others not, or treats them differently. Callers are those of the same file, by name, because being wrong about
/// one only means to hold back.
pub fn choose_by_class(file: &File<'_, '_>, site: &Site<'_, '_>) -> bool {
    let semantics = &file.semantics;
    let around = site
        .enclosing_in_function()
        .any(|(node, child)| match node {
            AnyNodeRef::StmtTry(statement) => {
                holds(&statement.body, child) && chooses(semantics, statement)
            }
            AnyNodeRef::StmtWith(with) => holds(&with.body, child) && expects(semantics, with),
            _ => false,
        });
    let Owner::Function(function) = site.owner() else {
        return around;
    };
    let mut names: FxHashSet<&str> = [function.name.as_str()].into_iter().collect();
    let mut looked_for = names.clone();
    let mut is_chosen = around;
    for _ in 0..CALLERS {
        if is_chosen || names.is_empty() {
            break;
        }
        let mut search = Callers {
            semantics,
            names: &names,
            function: None,
            choosing: 0,
            called_in: FxHashSet::default(),
            found: false,
        };
        search.visit_body(file.body());
        is_chosen = search.found;
        names = search.called_in;
        names.retain(|name| looked_for.insert(name));
    }
    is_chosen
}

fn holds(body: &[Stmt], child: AnyNodeRef<'_>) -> bool {
    body.iter()
        .any(|inner| inner.range().contains_range(child.range()))
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

/// Looks for calls of functions with some names.
struct Callers<'s, 'a, 'db> {
    semantics: &'s Semantics<'db>,
    names: &'s FxHashSet<&'a str>,
    /// The function around.
    function: Option<&'a str>,
    /// How many handlers around choose.
    choosing: usize,
    called_in: FxHashSet<&'a str>,
    found: bool,
}

impl<'a> SourceOrderVisitor<'a> for Callers<'_, 'a, '_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(function) => {
                let choosing = std::mem::take(&mut self.choosing);
                let around = self.function.replace(&function.name);
                walk_stmt(self, statement);
                self.function = around;
                self.choosing = choosing;
            }
            Stmt::Try(inner) => {
                let chooses = usize::from(chooses(self.semantics, inner));
                self.choosing += chooses;
                self.visit_body(&inner.body);
                self.choosing -= chooses;
                for handler in &inner.handlers {
                    self.visit_except_handler(handler);
                }
                self.visit_body(&inner.orelse);
                self.visit_body(&inner.finalbody);
            }
            Stmt::With(with) => {
                let expects = usize::from(expects(self.semantics, with));
                self.choosing += expects;
                walk_stmt(self, statement);
                self.choosing -= expects;
            }
            _ => walk_stmt(self, statement),
        }
    }

    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if let AnyNodeRef::ExprCall(call) = node
            && last_name(&call.func).is_some_and(|name| self.names.contains(name))
        {
            self.found |= self.choosing > 0;
            self.called_in.extend(self.function);
        }
        TraversalSignal::Traverse
    }
}
