//! Files that are opened, and what for.

use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::{Owner, Site};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr};
use ruff_text_size::Ranged;

use crate::file::ParsedFile;

/// Whether what is opened is open already: a file descriptor.
pub(super) fn is_open_already(call: &ast::ExprCall) -> bool {
    match call.arguments.args.first() {
        Some(Expr::Call(asked)) => last_name(&asked.func) == Some("fileno"),
        Some(Expr::NumberLiteral(_)) => true,
        _ => false,
    }
}

/// Whether a file is opened for nothing but a stream of another process, which reads or writes it itself.
pub(super) fn is_for_process(file: &ParsedFile<'_, '_>, site: &Site<'_, '_>) -> bool {
    const STREAMS: [&str; 3] = ["stdin", "stdout", "stderr"];
    struct Uses<'n> {
        name: &'n str,
        given: usize,
        all: usize,
    }
    impl<'a> SourceOrderVisitor<'a> for Uses<'_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            let is_it = |expr: &Expr| matches!(expr, Expr::Name(name) if name.id == self.name && name.ctx.is_load());
            match node {
                AnyNodeRef::Keyword(keyword) if is_it(&keyword.value) => {
                    let is_stream = |name: &ast::Identifier| STREAMS.contains(&name.as_str());
                    self.given += usize::from(keyword.arg.as_ref().is_some_and(is_stream));
                }
                AnyNodeRef::ExprName(name) if name.id == self.name && name.ctx.is_load() => {
                    self.all += 1;
                }
                _ => {}
            }
            TraversalSignal::Traverse
        }
    }
    let opened = site
        .enclosing_in_function()
        .find_map(|(node, _)| match node {
            AnyNodeRef::StmtWith(with) => Some(with),
            _ => None,
        });
    let Some(with) = opened else {
        return false;
    };
    let item = with
        .items
        .iter()
        .find(|item| item.context_expr.range() == site.node.range());
    let Some(Expr::Name(name)) = item.and_then(|item| item.optional_vars.as_deref()) else {
        return false;
    };
    let mut uses = Uses {
        name: &name.id,
        given: 0,
        all: 0,
    };
    match site.owner() {
        Owner::Function(function) => uses.visit_body(&function.body),
        _ => uses.visit_body(file.body()),
    }
    uses.all > 0 && uses.given == uses.all
}
