//! Adding a keyword argument to a call in the style the call is written in.

use ruff_diagnostics::Edit;
use ruff_python_ast::token::TokenKind;
use ruff_python_ast::{self as ast, Expr};
use ruff_text_size::{Ranged, TextRange, TextSize};

use crate::file::File;

/// The edit that adds `argument` after the last argument of `call`.
///
/// In a call with one argument a line it gets a line of its own; after a trailing comma the new
/// last argument has one too. `None` for a call without arguments.
pub fn append(file: &File<'_, '_>, call: &ast::ExprCall, argument: &str) -> Option<Edit> {
    let last = call.arguments.iter_source_order().last()?.range();
    let close = call.arguments.end() - TextSize::from(1);
    // Parentheses around the last argument, a trailing comma and comments may follow it.
    let mut end = last.end();
    let mut comma = None;
    for token in file.tokens().in_range(TextRange::new(last.end(), close)) {
        match token.kind() {
            TokenKind::Rpar => end = token.end(),
            TokenKind::Comma => {
                comma = Some(token.end());
                end = token.end();
            }
            _ => {}
        }
    }
    let own_line = starts_own_line(file, call, last);
    // Formatters write no comma after a lone `*tasks`, and one after anything that follows it.
    let lone_starred = matches!(&*call.arguments.args, [Expr::Starred(_)])
        && call.arguments.keywords.is_empty()
        && file.starts_line(close);
    let text = match (own_line, comma.is_some() || lone_starred) {
        (true, true) => format!(
            "{}{}{argument},",
            file.newline(),
            own_line_indent(file, last)
        ),
        (true, false) => format!(
            "{}{}{argument}",
            file.newline(),
            own_line_indent(file, last)
        ),
        (false, _) if comma.is_some() => format!(" {argument},"),
        (false, _) => format!(", {argument}"),
    };
    if own_line {
        // A comment behind the last argument stays behind it.
        let after_comment = file
            .comments
            .comments_in_range(TextRange::new(end, close))
            .iter()
            .take_while(|comment| !file.starts_line(comment.start()))
            .map(ruff_text_size::Ranged::end)
            .last();
        return Some(match (after_comment, comma) {
            (Some(at), Some(_)) => Edit::insertion(text, at),
            // The comma goes before the comment, the argument after it.
            (Some(at), None) => {
                let kept = &file.source[TextRange::new(end, at)];
                Edit::range_replacement(format!(",{kept}{text}"), TextRange::new(end, at))
            }
            (None, Some(_)) => Edit::insertion(text, end),
            (None, None) => Edit::insertion(format!(",{text}"), end),
        });
    }
    Some(Edit::insertion(text, end))
}

/// Whether the last argument begins a line, so that its arguments stand one a line.
fn starts_own_line(file: &File<'_, '_>, call: &ast::ExprCall, last: TextRange) -> bool {
    let first_of_several = call.arguments.len() == 1
        && !file.source[TextRange::new(call.arguments.start(), last.start())]
            .contains(['\n', '\r']);
    !first_of_several && file.starts_line(last.start())
}

fn own_line_indent<'a>(file: &File<'a, '_>, last: TextRange) -> &'a str {
    file.indentation_at(last.start())
}
