//! What is ended or let go of behind a handler: a cancellation that passes the handler skips that.

use asyncfix_analysis::answers::flow::Exits;
use asyncfix_analysis::answers::{coroutines, endings};
use asyncfix_syntax::queries::own_code;
use asyncfix_syntax::site::{Owner, suites_of};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Stmt};
use ruff_text_size::Ranged;

use super::handlers::Handler;
use crate::file::File;

/// The first call behind a handler, in the code that goes on there, that ends or lets go of something.
pub(super) fn of_handler<'a>(
    handler: &Handler<'_, '_, 'a, '_>,
    exits: &Exits<'a>,
) -> Option<&'a ast::ExprCall> {
    let mut suites = suites_behind(handler, exits).into_iter();
    suites.find_map(|suite| in_suite(handler.file, suite))
}

/// The first call there that may bring what somebody else waits for.
pub(super) fn freeing<'a>(
    handler: &Handler<'_, '_, 'a, '_>,
    exits: &Exits<'a>,
) -> Option<&'a ast::ExprCall> {
    let file = handler.file;
    let mut suites = suites_behind(handler, exits).into_iter();
    suites.find_map(|suite| endings::frees(&file.semantics, file.project, suite, |_| true))
}

/// The code that goes on behind a handler.
fn suites_behind<'a>(handler: &Handler<'_, '_, 'a, '_>, exits: &Exits<'a>) -> Vec<&'a [Stmt]> {
    let mut levels: Vec<(AnyNodeRef<'a>, AnyNodeRef<'a>)> =
        handler.site.enclosing_in_function().collect();
    if let Owner::Function(function) = handler.owner {
        let outermost = levels
            .last()
            .map_or(handler.site.node, |(outermost, _)| *outermost);
        levels.push((function.into(), outermost));
    }
    let stays_in_function = exits
        .jumps
        .iter()
        .any(|jump| jump.statement.is_break_stmt() || jump.statement.is_continue_stmt());
    let is_loop = |node: &AnyNodeRef<'_>| node.is_stmt_for() || node.is_stmt_while();
    let start = if exits.falls {
        Some(0)
    } else if stays_in_function {
        let inner = levels.iter().position(|(around, _)| is_loop(around));
        inner.map(|inner| inner + 1)
    } else {
        None
    };
    let levels = start.and_then(|start| levels.get(start..));
    suites_of_levels(levels.unwrap_or_default().iter().copied())
}

/// The first call that ends or lets go of something behind a place: `levels` are the nodes around it, each with the
/// child through which it is reached. What stands in a `finally` is run anyway.
pub(super) fn of_levels<'a>(
    file: &File<'_, '_>,
    levels: impl Iterator<Item = (AnyNodeRef<'a>, AnyNodeRef<'a>)>,
) -> Option<&'a ast::ExprCall> {
    let mut suites = suites_of_levels(levels).into_iter();
    suites.find_map(|suite| in_suite(file, suite))
}

fn suites_of_levels<'a>(
    levels: impl Iterator<Item = (AnyNodeRef<'a>, AnyNodeRef<'a>)>,
) -> Vec<&'a [Stmt]> {
    let mut suites: Vec<&'a [Stmt]> = Vec::new();
    for (around, child) in levels {
        let is_child = |statement: &Stmt| statement.range() == child.range();
        for suite in suites_of(around) {
            if let Some(at) = suite.iter().position(is_child) {
                suites.extend(suite.get(at + 1..));
            }
        }
        if let AnyNodeRef::StmtTry(statement) = around
            && statement.body.iter().any(is_child)
        {
            suites.push(&statement.orelse);
        }
    }
    suites
}

/// The first call in a suite that ends or lets go of something.
pub(super) fn in_suite<'a>(file: &File<'_, '_>, suite: &'a [Stmt]) -> Option<&'a ast::ExprCall> {
    struct Search<'f, 's, 'a, 'db> {
        file: &'f File<'s, 'db>,
        found: Option<&'a ast::ExprCall>,
    }
    impl<'a> SourceOrderVisitor<'a> for Search<'_, '_, 'a, '_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if self.found.is_some() {
                return TraversalSignal::Skip;
            }
            if let AnyNodeRef::ExprCall(call) = node
                && coroutines::lets_go(&self.file.semantics, call)
            {
                self.found = Some(call);
            }
            own_code(node)
        }
    }
    let mut search = Search { file, found: None };
    search.visit_body(suite);
    search.found
}
