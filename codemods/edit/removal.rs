//! Taking lines away: whole statements with what belongs to them, a `finally`, a `try`, the header of a block.

use std::ops::RangeInclusive;

use asyncfix_syntax::lines::{is_blank, line_before};
use ruff_diagnostics::Edit;
use ruff_python_ast::token::{Token, TokenKind};
use ruff_python_ast::{Stmt, StmtTry};
use ruff_source_file::LineRanges;
use ruff_text_size::{Ranged, TextLen, TextRange, TextSize};

use crate::edit::blocks::{COMMENT, MIXED, SHARED};
use crate::edit::lines::Lines;
use crate::suppression::is_for_programs;

impl Lines<'_> {
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
