//! Commands of one tool that follow each other: `git add`, `git commit`, `git push`. On the event loop nothing comes
//! between them.

use asyncfix_analysis::answers::coroutines;
use asyncfix_syntax::queries::own_code;
use asyncfix_syntax::site::Site;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{AnyNodeRef, Expr, Stmt, StringLike};
use ruff_text_size::Ranged;

use crate::file::File;

/// How many commands make a series.
const SERIES: usize = 3;

/// Why others must not run between the command at `site` and its neighbours.
pub(super) fn opened(file: &File<'_, '_>, site: &Site<'_, '_>) -> Option<String> {
    let place = site.place()?;
    let tool = tool_of(file, place.statement)?;
    // Where something is awaited, others run as it is.
    let is_of_series = |statement: &&Stmt| !coroutines::awaits(statement);
    let is_command = |statement: &&Stmt| tool_of(file, statement) == Some(tool);
    let before = place.suite.get(..place.index)?.iter().rev();
    let behind = place.suite.get(place.index..)?.iter();
    let count = before.take_while(is_of_series).filter(is_command).count()
        + behind.take_while(is_of_series).filter(is_command).count();
    (count >= SERIES)
        .then(|| format!("other tasks may run between these commands, and use `{tool}` as well"))
}

/// The tool that a statement calls: the first word of the first text in it that a call is given.
fn tool_of<'a>(file: &File<'a, '_>, statement: &Stmt) -> Option<&'a str> {
    struct Search(Option<ruff_text_size::TextRange>);
    impl<'a> SourceOrderVisitor<'a> for Search {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if self.0.is_some() {
                return TraversalSignal::Skip;
            }
            if let AnyNodeRef::ExprCall(call) = node {
                let given = match call.arguments.args.first() {
                    Some(Expr::List(list)) => list.elts.first(),
                    other => other,
                };
                let text = given.and_then(|given| StringLike::try_from(given).ok());
                self.0 = text.and_then(|text| Some(text.parts().next()?.range()));
            }
            own_code(node)
        }
    }
    if !matches!(statement, Stmt::Expr(_) | Stmt::Assign(_)) {
        return None;
    }
    let mut search = Search(None);
    search.visit_stmt(statement);
    let text = file.text(search.0?);
    let quote = text.find(['"', '\''])?;
    let text = text.get(quote..)?.trim_start_matches(['"', '\'']);
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '-' && c != '_')?;
    text.get(..end).filter(|word| !word.is_empty())
}
