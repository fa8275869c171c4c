//! The lines of a file, and which of them belong to a statement.

use asyncfix_syntax::lines::indent_unit;
use ruff_python_ast::token::{Token, TokenKind, Tokens};
use ruff_python_ast::{AnyNodeRef, Stmt};
use ruff_python_codegen::Stylist;
use ruff_source_file::{LineRanges, UniversalNewlineIterator};
use ruff_text_size::{Ranged, TextLen, TextRange, TextSize};
use std::ops::Range;

use crate::edit::blocks::{Block, StringInteriors, column};

/// The lines of a file and the style that new ones follow.
#[derive(Clone, Copy)]
pub struct Lines<'a> {
    pub(crate) source: &'a str,
    pub(super) tokens: &'a Tokens,
    /// One step of indentation.
    pub(crate) unit: &'a str,
    pub(crate) newline: &'static str,
}

impl<'a> Lines<'a> {
    /// The lines of `source`, whose tokens and style are given.
    pub fn new(source: &'a str, tokens: &'a Tokens, stylist: &'a Stylist<'_>) -> Self {
        Self {
            source,
            tokens,
            unit: indent_unit(stylist),
            newline: stylist.line_ending().as_str(),
        }
    }

    /// The statements `range` of a suite as a block. `parent` is the compound statement, or the
    /// clause of one, whose suite it is; `None` for the module. `None` for an empty range.
    pub fn block(
        self,
        suite: &[Stmt],
        parent: Option<AnyNodeRef<'_>>,
        range: Range<usize>,
    ) -> Option<Block<'a>> {
        let opener = suite.first()?;
        let first = suite.get(range.start)?;
        let last = suite.get(range.clone())?.last()?;
        let is_inline = !self.starts_logical_line(opener.start());
        let outer = parent.map_or("", |parent| self.indentation(parent.start()));
        let base = if is_inline && parent.is_some() {
            format!("{outer}{}", self.unit)
        } else {
            self.indentation(opener.start()).to_owned()
        };
        // A file may have several units. What counts is the one of the block's surroundings.
        let unit = self
            .indentation(opener.start())
            .strip_prefix(outer)
            .filter(|unit| !is_inline && !unit.is_empty());
        let lines = Self {
            unit: unit.unwrap_or(self.unit),
            ..self
        };
        let header_gap = is_inline.then(|| self.gap_before(opener.start()));
        let (start, opening, header_break) = if range.start == 0 && is_inline {
            (first.start(), header_gap, None)
        } else if self.starts_logical_line(first.start()) {
            (self.start_with_comments(first.start()), None, None)
        } else {
            let previous = suite.get(range.start.checked_sub(1)?)?;
            let gap = TextRange::new(previous.end(), first.start());
            (first.start(), Some(gap), header_gap)
        };
        let next = suite.get(range.end);
        let closing = next
            .filter(|next| !self.starts_logical_line(next.start()))
            .map(|next| TextRange::new(last.end(), next.start()));
        let end = match closing {
            Some(gap) => gap.start(),
            None => self.end_with_comments(last, &base, next.is_none() && parent.is_some()),
        };
        let end = end.max(start);
        Some(Block {
            lines,
            base,
            range: TextRange::new(start, end),
            opening,
            closing,
            header_break,
        })
    }

    /// One statement of a suite as a block. The comments above it stay out, and so do those below that are no
    /// deeper than the statement itself.
    pub fn statement(
        self,
        suite: &[Stmt],
        parent: Option<AnyNodeRef<'_>>,
        index: usize,
    ) -> Option<Block<'a>> {
        let mut block = self.block(suite, parent, index..index + 1)?;
        let statement = suite.get(index)?;
        if block.stands_alone() {
            block.range = TextRange::new(
                self.source.line_start(statement.start()),
                self.end_with_comments(statement, &block.base, false),
            );
        }
        Some(block)
    }

    /// What stands between two statements of a suite, with all lines between theirs, as a block: without the comments
    /// right above the second one where these are `apart`. `None` where nothing stands between them, or where one of
    /// the two shares its lines.
    pub fn between(
        self,
        suite: &[Stmt],
        parent: Option<AnyNodeRef<'_>>,
        before: usize,
        behind: usize,
        apart: bool,
    ) -> Option<Block<'a>> {
        let one = suite.get(before)?;
        let other = suite.get(behind)?;
        let mut block = self.block(suite, parent, before + 1..behind)?;
        if !self.stands_alone(one) || !self.stands_alone(other) {
            return None;
        }
        let end = if apart {
            self.start_with_comments(other.start())
        } else {
            self.source.line_start(other.start())
        };
        block.range = TextRange::new(self.source.full_line_end(one.end()), end);
        Some(block)
    }

    /// Whether a statement shares its lines with no other one.
    pub fn stands_alone(self, statement: &Stmt) -> bool {
        self.starts_logical_line(statement.start())
            && self
                .tokens_from(statement.end())
                .first()
                .is_none_or(|token| matches!(token.kind(), TokenKind::Newline | TokenKind::Comment))
    }

    /// Whether a comment stands behind a statement, on its last line.
    pub fn has_comment_behind(self, statement: &Stmt) -> bool {
        let line_end = self.source.line_end(statement.end());
        self.source[TextRange::new(statement.end(), line_end)]
            .trim_start()
            .starts_with('#')
    }

    /// The tokens that end behind `offset`.
    pub(crate) fn tokens_from(self, offset: TextSize) -> &'a [Token] {
        let from = self.tokens.partition_point(|token| token.end() <= offset);
        self.tokens.get(from..).unwrap_or_default()
    }

    /// Whether the token at `offset` is the first one of a logical line.
    pub(super) fn starts_logical_line(self, offset: TextSize) -> bool {
        let before = self.tokens.partition_point(|token| token.start() < offset);
        self.tokens
            .get(..before)
            .unwrap_or_default()
            .iter()
            .rev()
            .find(|token| !matches!(token.kind(), TokenKind::Indent | TokenKind::Dedent))
            .is_none_or(|token| {
                matches!(
                    token.kind(),
                    TokenKind::Newline | TokenKind::NonLogicalNewline
                )
            })
    }

    /// The white space that ends at `end`.
    pub(super) fn gap_before(self, end: TextSize) -> TextRange {
        let before = self.source[..end.to_usize()].trim_end_matches([' ', '\t', '\x0c']);
        TextRange::new(before.text_len(), end)
    }

    /// Where the indentation of the line that `offset` is on begins. A form feed does not count as
    /// indentation, and what stands before it neither (Python language reference, 2.1.8).
    pub(super) fn indent_start(self, offset: TextSize) -> TextSize {
        let line_start = self.source.line_start(offset);
        let line = &self.source[TextRange::new(line_start, offset)];
        let white = line.len() - line.trim_start_matches([' ', '\t', '\x0c']).len();
        let feeds = line[..white].rfind('\x0c').map_or(0, |at| at + 1);
        line_start + line[..feeds].text_len()
    }

    /// The indentation of the line that `offset` is on.
    pub(crate) fn indentation(self, offset: TextSize) -> &'a str {
        let start = self.indent_start(offset);
        let line = &self.source[start.to_usize()..];
        &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
    }

    /// Where the lines of the statement or clause at `at` start, with the comments right above it.
    pub fn start_with_comments(self, at: TextSize) -> TextSize {
        let base = self.indentation(at);
        let before = self.tokens.partition_point(|token| token.start() < at);
        let mut start = self.source.line_start(at);
        let mut tokens = self
            .tokens
            .get(..before)
            .unwrap_or_default()
            .iter()
            .rev()
            .filter(|token| !matches!(token.kind(), TokenKind::Indent | TokenKind::Dedent))
            .peekable();
        while tokens
            .next()
            .is_some_and(|token| token.kind() == TokenKind::NonLogicalNewline)
            && let Some(comment) = tokens.next()
            && comment.kind() == TokenKind::Comment
            && tokens.peek().is_none_or(|token| {
                matches!(
                    token.kind(),
                    TokenKind::Newline | TokenKind::NonLogicalNewline
                )
            })
            && column(self.indentation(comment.start())) <= column(base)
        {
            start = self.source.line_start(comment.start());
        }
        start
    }

    /// Where the lines of a statement end, with the comments that belong to it; those as deep as the
    /// statement itself only where it closes its suite.
    fn end_with_comments(self, statement: &Stmt, base: &str, closes_suite: bool) -> TextSize {
        let mut end = self.source.full_line_end(statement.end());
        for token in self.tokens_from(end) {
            match token.kind() {
                TokenKind::Comment => {
                    let depth = column(self.indentation(token.start()));
                    let belongs = depth > column(base) || closes_suite && depth == column(base);
                    if !belongs {
                        break;
                    }
                    end = self.source.full_line_end(token.end());
                }
                TokenKind::Newline
                | TokenKind::NonLogicalNewline
                | TokenKind::Indent
                | TokenKind::Dedent => {}
                _ => break,
            }
        }
        end
    }

    /// The lines in `range` whose indentation can change: where it begins, and what it is.
    pub(crate) fn movable(self, range: TextRange) -> impl Iterator<Item = (TextSize, &'a str)> {
        let mut strings = StringInteriors {
            tokens: self.tokens_from(range.start()).iter(),
            current: None,
        };
        UniversalNewlineIterator::with_offset(&self.source[range], range.start()).filter_map(
            move |line| {
                let text = line.as_str().trim_start_matches([' ', '\t', '\x0c']);
                if text.is_empty() || strings.contain(line.start()) {
                    return None;
                }
                let end = line.start() + (line.as_str().text_len() - text.text_len());
                let start = self.indent_start(end);
                Some((start, &self.source[TextRange::new(start, end)]))
            },
        )
    }
}

impl Lines<'_> {
    /// The lines that a statement has to itself, its comment and line break included. `None` where
    /// it shares them.
    pub fn line_of(self, statement: &Stmt) -> Option<TextRange> {
        self.stands_alone(statement).then(|| {
            TextRange::new(
                self.source.line_start(statement.start()),
                self.source.full_line_end(statement.end()),
            )
        })
    }
}
