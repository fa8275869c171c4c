//! Lines of a call that are aligned with a bracket, which move with it.

use ruff_diagnostics::Edit;
use ruff_python_ast::token::TokenKind;
use ruff_source_file::LineRanges;
use ruff_text_size::{Ranged, TextLen, TextRange, TextSize};
use rustc_hash::FxHashMap;

use crate::file::File;

/// An open bracket.
struct Bracket {
    column: usize,
    /// Whether its line moves.
    is_moved: bool,
    /// Whether that is the first one.
    is_first: bool,
    /// Whether nothing follows it on its line.
    is_last_on_line: bool,
}

/// The edits that move the lines of code in `range`, which are aligned with brackets on its first line, where these
/// move to the right by so many columns, or to the left. What is aligned with a bracket on one of the lines that move
/// moves as well.
pub fn realigned(file: &File<'_, '_>, range: TextRange, by: isize) -> Vec<Edit> {
    let source = file.source;
    if by == 0 || !source[range].contains(['\n', '\r']) {
        return Vec::new();
    }
    let indents: FxHashMap<TextSize, (TextSize, &str)> = file
        .lines()
        .movable(range)
        .filter(|(at, _)| *at > range.start())
        .map(|(at, indent)| (at + indent.text_len(), (at, indent)))
        .collect();
    let column = |at: TextSize| {
        let before = TextRange::new(source.line_start(at), at);
        source[before].chars().count()
    };
    let mut edits = Vec::new();
    let mut open: Vec<Bracket> = Vec::new();
    let (mut is_moved, mut is_first) = (true, true);
    let mut tokens = file.tokens().in_range(range).iter().peekable();
    while let Some(token) = tokens.next() {
        let is_closing = matches!(
            token.kind(),
            TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace
        );
        let is_break = token.kind() == TokenKind::NonLogicalNewline;
        if let Some((at, indent)) = indents.get(&token.start()).filter(|_| !is_break) {
            is_first = false;
            is_moved = open.last().is_some_and(|bracket| {
                let is_aligned = indent.len() == bracket.column + 1
                    || is_closing && indent.len() == bracket.column;
                let hangs = bracket.is_last_on_line;
                bracket.is_moved && if hangs { !bracket.is_first } else { is_aligned }
            }) && indent.chars().all(|char| char == ' ');
            if is_moved {
                edits.extend(moved(*at, indent, by));
            }
        }
        match token.kind() {
            TokenKind::Lpar | TokenKind::Lsqb | TokenKind::Lbrace => open.push(Bracket {
                column: column(token.start()),
                is_moved,
                is_first,
                is_last_on_line: tokens.peek().is_some_and(|next| {
                    matches!(
                        next.kind(),
                        TokenKind::NonLogicalNewline | TokenKind::Comment
                    )
                }),
            }),
            _ if is_closing => {
                open.pop();
            }
            _ => {}
        }
    }
    edits
}

/// The edit that moves a line with this indentation.
fn moved(at: TextSize, indent: &str, by: isize) -> Option<Edit> {
    let columns = by.unsigned_abs();
    if by > 0 {
        return Some(Edit::insertion(" ".repeat(columns), at));
    }
    let gone = indent.get(..columns.min(indent.len()))?;
    Some(Edit::range_deletion(TextRange::at(at, gone.text_len())))
}
