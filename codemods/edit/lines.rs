//! The lines of a file: which belong to a statement, and taking some away.

use asyncfix_syntax::lines::{indent_unit, is_blank, line_before};
use ruff_diagnostics::Edit;
use ruff_python_ast::token::{Token, TokenKind, Tokens};
use ruff_python_ast::{AnyNodeRef, Stmt, StmtTry};
use ruff_python_codegen::Stylist;
use ruff_source_file::{LineRanges, UniversalNewlineIterator};
use ruff_text_size::{Ranged, TextLen, TextRange, TextSize};
use std::ops::{Range, RangeInclusive};

use crate::edit::blocks::{Block, COMMENT, MIXED, SHARED, StringInteriors, column};
use crate::suppression::is_for_programs;

/// The lines of a file and the style that new ones follow.
#[derive(Clone, Copy)]
pub struct Lines<'a> {
    pub(crate) source: &'a str,
    tokens: &'a Tokens,
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

    /// The edits that remove the `finally` clause with the body `body`, which ends its statement, and the blank lines
    /// before it. Comments stay, as lines of the suite before.
    ///
    /// `Err` with the reason where a comment has no place.
    pub fn without_finally(self, body: &[Stmt]) -> Result<Vec<Edit>, &'static str> {
        const NO_CLAUSE: &str = "there is no `finally`";
        let first = body.first().ok_or(NO_CLAUSE)?;
        let last = body.last().ok_or(NO_CLAUSE)?;
        let before = self
            .tokens
            .partition_point(|token| token.start() < first.start());
        let keyword = self
            .tokens
            .get(..before)
            .unwrap_or_default()
            .iter()
            .rev()
            .find(|token| token.kind() == TokenKind::Finally)
            .ok_or(NO_CLAUSE)?;
        let end = self.source.full_line_end(last.end());
        let has_comment = self
            .tokens_from(keyword.start())
            .iter()
            .take_while(|token| token.start() < end)
            .any(|token| self.is_remark(token));
        if !has_comment {
            let removal = self.removal(keyword.start(), &LogicalLine { comment: None, end });
            return Ok(vec![self.with_blank_lines_before(removal)]);
        }
        if !self.starts_logical_line(first.start()) {
            return Err(COMMENT);
        }
        let header = self.logical_line(keyword.start(), keyword.start())?;
        let mut edits = vec![match header.comment {
            Some(comment) => Edit::range_replacement(
                self.unit.to_owned(),
                TextRange::new(keyword.start(), comment),
            ),
            None => self.removal(keyword.start(), &header),
        }];
        for statement in body {
            if !self.stands_alone(statement) {
                return Err(COMMENT);
            }
            let line = self.logical_line(statement.start(), statement.end())?;
            edits.push(self.removal(statement.start(), &line));
        }
        Ok(edits)
    }

    /// The edit that removes the line of the `try` of a statement. Its comment goes into the suite.
    ///
    /// `Err` with the reason where the body begins on that line.
    pub fn without_try(self, statement: &StmtTry) -> Result<Edit, &'static str> {
        let first = statement.body.first().ok_or(MIXED)?;
        if !self.starts_logical_line(first.start()) || !self.starts_logical_line(statement.start())
        {
            return Err(SHARED);
        }
        let header = self.logical_line(statement.start(), statement.start())?;
        Ok(match header.comment {
            Some(comment) => Edit::range_replacement(
                self.unit.to_owned(),
                TextRange::new(statement.start(), comment),
            ),
            None => self.removal(statement.start(), &header),
        })
    }

    /// The edits that put the body of a compound statement in the place of the whole statement.
    /// `body` must be its only suite.
    ///
    /// `Err` with the reason where a comment has no place to go.
    pub fn unwrap(self, statement: &Stmt, body: &[Stmt]) -> Result<Vec<Edit>, &'static str> {
        let block = self
            .block(body, Some(statement.into()), 0..body.len())
            .ok_or("the block is empty")?;
        if block.opening.is_some() {
            let first = body.first().map_or(statement.end(), Ranged::start);
            return Ok(vec![Edit::range_deletion(TextRange::new(
                statement.start(),
                first,
            ))]);
        }
        let outer = self.indentation(statement.start());
        let step = block.base.strip_prefix(outer).ok_or(MIXED)?;
        let header = self.logical_line(statement.start(), statement.start())?;
        let mut edits = vec![self.removal(statement.start(), &header)];
        for (at, indent) in self.movable(TextRange::new(header.end, block.range.end())) {
            let range = if let Some(rest) = indent.strip_prefix(&block.base) {
                let end = at + (indent.text_len() - rest.text_len());
                TextRange::new(end - step.text_len(), end)
            } else if indent.ends_with(step) {
                let end = at + indent.text_len();
                TextRange::new(end - step.text_len(), end)
            } else {
                continue;
            };
            edits.push(Edit::range_deletion(range));
        }
        Ok(edits)
    }

    /// The edit that removes one statement of a suite with its lines. A comment behind it stays, on
    /// a line of its own.
    ///
    /// `Err` with the reason where nothing would be left of the suite, or a comment has no place.
    pub fn delete(self, suite: &[Stmt], index: usize) -> Result<Edit, &'static str> {
        let statement = suite.get(index).ok_or("there is no such statement")?;
        if suite.len() < 2 {
            return Err("nothing would be left of the block");
        }
        let next = suite.get(index + 1);
        if let Some(next) = next.filter(|next| !self.starts_logical_line(next.start())) {
            return Ok(Edit::range_deletion(TextRange::new(
                statement.start(),
                next.start(),
            )));
        }
        if !self.starts_logical_line(statement.start()) {
            let previous = index.checked_sub(1).and_then(|index| suite.get(index));
            let start = previous.map_or(statement.start(), Ranged::end);
            return Ok(Edit::range_deletion(TextRange::new(start, statement.end())));
        }
        let line = self.logical_line(statement.start(), statement.end())?;
        Ok(self.removal(statement.start(), &line))
    }

    /// The same for the last of the statements that belong together. The blank lines above it go, too, where no other
    /// statement stands right below.
    pub fn delete_last(self, suite: &[Stmt], index: usize) -> Result<Edit, &'static str> {
        let removal = self.delete(suite, index)?;
        if index + 1 == suite.len() || self.is_blank_behind(&removal) {
            Ok(self.with_blank_lines_before(removal))
        } else {
            Ok(removal)
        }
    }

    /// The same for statements that stand one behind the other and go together.
    pub fn delete_together(
        self,
        suite: &[Stmt],
        range: RangeInclusive<usize>,
    ) -> Result<Vec<Edit>, &'static str> {
        let last = *range.end();
        let removals: Vec<Edit> = range
            .map(|index| self.delete(suite, index))
            .collect::<Result<_, _>>()?;
        let is_end = last + 1 == suite.len()
            || removals
                .last()
                .is_some_and(|removal| self.is_blank_behind(removal));
        if !is_end {
            return Ok(removals);
        }
        let removals = removals.into_iter();
        Ok(removals
            .map(|removal| self.with_blank_lines_before(removal))
            .collect())
    }

    /// Whether a token is a comment that stays when what it stands behind goes: one for people.
    fn is_remark(self, token: &Token) -> bool {
        token.kind() == TokenKind::Comment && !is_for_programs(&self.source[token.range()])
    }

    /// Whether a comment stands behind a statement, on its last line.
    pub fn has_comment_behind(self, statement: &Stmt) -> bool {
        let line_end = self.source.line_end(statement.end());
        self.source[TextRange::new(statement.end(), line_end)]
            .trim_start()
            .starts_with('#')
    }

    /// The rest of the logical line, from `start` to its first line break behind `end`. What a comment says of the
    /// line to a program goes with the line.
    fn logical_line(self, start: TextSize, end: TextSize) -> Result<LogicalLine, &'static str> {
        let mut comment = None;
        for token in self.tokens_from(start) {
            match token.kind() {
                TokenKind::Newline if token.start() >= end => {
                    return Ok(LogicalLine {
                        comment,
                        end: token.end(),
                    });
                }
                TokenKind::Comment if !self.is_remark(token) => {}
                TokenKind::Comment if comment.is_none() => comment = Some(token.start()),
                TokenKind::Comment | TokenKind::Newline | TokenKind::NonLogicalNewline
                    if comment.is_some() =>
                {
                    return Err(COMMENT);
                }
                _ => {}
            }
        }
        Ok(LogicalLine {
            comment,
            end: self.source.text_len(),
        })
    }

    /// The edit that removes a logical line whose first token is at `start`, except for its comment.
    fn removal(self, start: TextSize, line: &LogicalLine) -> Edit {
        if let Some(comment) = line.comment {
            return Edit::range_deletion(TextRange::new(start, comment));
        }
        let line_start = self.indent_start(start);
        if self.source[TextRange::new(line_start, line.end)].ends_with(['\n', '\r']) {
            return Edit::range_deletion(TextRange::new(line_start, line.end));
        }
        // The last line has no line ending; the one before it will be the last.
        let before = &self.source[..line_start.to_usize()];
        let before = before
            .strip_suffix("\r\n")
            .or_else(|| before.strip_suffix(['\n', '\r']))
            .unwrap_or(before);
        Edit::range_deletion(TextRange::new(before.text_len(), line.end))
    }

    /// The tokens that end behind `offset`.
    pub(crate) fn tokens_from(self, offset: TextSize) -> &'a [Token] {
        let from = self.tokens.partition_point(|token| token.end() <= offset);
        self.tokens.get(from..).unwrap_or_default()
    }

    /// Whether the token at `offset` is the first one of a logical line.
    fn starts_logical_line(self, offset: TextSize) -> bool {
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
    fn gap_before(self, end: TextSize) -> TextRange {
        let before = self.source[..end.to_usize()].trim_end_matches([' ', '\t', '\x0c']);
        TextRange::new(before.text_len(), end)
    }

    /// Where the indentation of the line that `offset` is on begins. A form feed does not count as
    /// indentation, and what stands before it neither (Python language reference, 2.1.8).
    fn indent_start(self, offset: TextSize) -> TextSize {
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

    /// The same removal, with the blank lines before it.
    pub fn with_blank_lines_before(self, removal: Edit) -> Edit {
        let mut start = removal.start();
        if !removal.is_deletion() || start != self.source.line_start(start) {
            return removal;
        }
        while let Some(line) = line_before(self.source, start)
            && is_blank(&self.source[line])
        {
            start = line.start();
        }
        Edit::range_deletion(TextRange::new(start, removal.end()))
    }

    /// The edit that removes the blank lines behind a statement that becomes a header, where there are any: they stay
    /// before a function and a class.
    pub fn blank_lines_behind(self, statement: &Stmt) -> Option<Edit> {
        let end = self.source.full_line_end(statement.end());
        if !self.stands_alone(statement) {
            return None;
        }
        let edit = self.with_blank_lines_behind(Edit::range_deletion(TextRange::empty(end)));
        let next = self.source[edit.end().to_usize()..].trim_start_matches([' ', '\t']);
        let keeps = ["@", "def ", "async def ", "class "]
            .iter()
            .any(|start| next.starts_with(start));
        (!edit.range().is_empty() && !keeps).then_some(edit)
    }

    /// Whether the line behind a removal of whole lines is blank, or there is none.
    fn is_blank_behind(self, removal: &Edit) -> bool {
        is_blank(self.source.full_line_str(removal.end()))
    }

    /// The same removal, with the blank lines behind it.
    pub fn with_blank_lines_behind(self, removal: Edit) -> Edit {
        let mut end = removal.end();
        if !removal.is_deletion() || end != self.source.line_start(end) {
            return removal;
        }
        while end < self.source.text_len() {
            let line = self.source.full_line_range(end);
            if !is_blank(&self.source[line]) {
                break;
            }
            end = line.end();
        }
        Edit::range_deletion(TextRange::new(removal.start(), end))
    }
}

/// One logical line of tokens (Python language reference, 2.1.1).
struct LogicalLine {
    /// Where its comment starts, if it has one: at its end.
    comment: Option<TextSize>,
    /// The end of its line break, or of the file.
    end: TextSize,
}

/// Leaves out of `edits` those that change text that one of `removals` removes.
pub fn leave_out(edits: &mut Vec<Edit>, removals: &[Edit]) {
    edits.retain(|edit| {
        !removals
            .iter()
            .any(|removal| removal.start() < edit.end() && edit.start() < removal.end())
    });
}
