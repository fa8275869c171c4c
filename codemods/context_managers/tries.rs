//! An object that a `finally` closes.

use std::ops::{Range, RangeInclusive};

use asyncfix_knowledge::resources::{Form, Resource};
use asyncfix_syntax::site::Place;
use ruff_diagnostics::Edit;
use ruff_python_ast::helpers::any_over_body;
use ruff_python_ast::{self as ast, Expr, Stmt};
use ruff_source_file::LineRanges;
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::managed::{Answer, CLOSED_MANUALLY, Managed, SHARED, stays_open, title};
use crate::edit::removal::leave_out;
use crate::finding::Rewrite;

impl Managed<'_, '_, '_> {
    /// Behind the opening: `try: … finally: await x.close()`.
    pub(super) fn closed_in_try(&self, first: usize, closes: usize) -> Answer {
        let suite = self.place.suite;
        let (at, statement) = (first..suite.len()).find_map(|at| match suite.get(at) {
            Some(Stmt::Try(statement)) if self.closes_in(&statement.finalbody) > 0 => {
                Some((at, statement))
            }
            _ => None,
        })?;
        let finalbody = statement.finalbody.as_slice();
        let (close, row) =
            (0..finalbody.len()).find_map(|at| Some((at, self.closing(finalbody.get(at)?)?)))?;
        let (end, waits) = self.end_of_close(finalbody, close, row);
        let between = suite.get(first..at)?;
        if closes != 1
            || end + 1 != finalbody.len()
            || self.closes_otherwise()
            || self
                .uses
                .iter()
                .any(|used| used.range.start() > statement.end())
            // It is closed in every case already: only the same in fewer words is better.
            || between.is_empty()
                && (row.form == Form::None || row.more_than_close().is_some() || waits.is_some())
        {
            return None;
        }
        if between.is_empty() {
            return Some((
                CLOSED_MANUALLY.to_owned(),
                self.instead_of_try(row, statement, at, close..=end),
            ));
        }
        let rewrite = if row.form == Form::None {
            self.behind_opening(row, statement, first..at)
        } else {
            self.around_all(row, statement, first..at, close..=end)
        };
        let rewrite = rewrite.map(|rewrite| {
            rewrite
                .unsafe_if(row.more_than_close())
                .unsafe_if(self.opens_early(self.place.index))
                .unsafe_if(waits)
        });
        Some((stays_open(finalbody.get(close)?), rewrite))
    }

    /// The edits that remove the statements `closing` of the `finally` of a `try`, and that with them where nothing
    /// else stands in it.
    pub(super) fn without_close(
        &self,
        statement: &ast::StmtTry,
        closing: RangeInclusive<usize>,
    ) -> Result<Vec<Edit>, String> {
        let lines = self.file.lines();
        if *closing.start() == 0 {
            return Ok(lines.without_finally(&statement.finalbody)?);
        }
        let mut removals = Vec::new();
        for at in closing {
            removals.push(lines.delete_last(&statement.finalbody, at)?);
        }
        Ok(removals)
    }

    /// The `try` at `at`, right behind the opening, becomes the `async with`, or stands in it.
    fn instead_of_try(
        &self,
        row: &Resource,
        statement: &ast::StmtTry,
        at: usize,
        closing: RangeInclusive<usize>,
    ) -> Result<Rewrite, String> {
        let lines = self.file.lines();
        let Place { suite, index, .. } = self.place;
        if !lines.stands_alone(self.place.statement) {
            return Err(SHARED.to_owned());
        }
        let is_bare = *closing.start() == 0 && is_bare(statement);
        if is_bare && let Some(rewrite) = self.joined_try(row, statement, at)? {
            return Ok(rewrite.unsafe_if(self.opens_early(index)));
        }
        let closes = self.without_close(statement, closing)?;
        // A comment behind the opening speaks of its line, which then becomes the header.
        let keeps_line = lines.has_comment_behind(self.place.statement)
            && lines.start_with_comments(statement.start())
                == self.file.source.line_start(statement.start());
        let mut removals = Vec::new();
        for at in index + usize::from(keeps_line)..at {
            let removal = lines.delete(suite, at)?;
            removals.push(lines.with_blank_lines_behind(removal));
        }
        removals.extend(closes);
        let header = self.header(row, &removals)?;
        let rewrite = if keeps_line {
            removals.extend(lines.blank_lines_behind(self.place.statement));
            let mut edits = Vec::new();
            let mut moves = None;
            if is_bare {
                removals.push(lines.without_try(statement)?);
            } else {
                let block = lines
                    .block(suite, self.place.parent, at..at + 1)
                    .ok_or("the block is empty")?;
                edits = block.indented()?;
                moves = Some(block.range());
            }
            leave_out(&mut edits, &removals);
            edits.extend(removals);
            edits.push(Edit::range_replacement(
                format!("{header}:"),
                self.place.statement.range(),
            ));
            let mut rewrite = Rewrite::safe(title(row), edits);
            rewrite.moves = moves;
            rewrite
        } else if is_bare {
            let keyword = TextRange::at(statement.start(), TextSize::of("try"));
            removals.push(Edit::range_replacement(header, keyword));
            Rewrite::safe(title(row), removals)
        } else {
            let block = lines
                .block(suite, self.place.parent, at..at + 1)
                .ok_or("the block is empty")?;
            let mut edits = block.wrap(&format!("{header}:"), &[])?;
            leave_out(&mut edits, &removals);
            edits.extend(removals);
            let mut rewrite = Rewrite::safe(title(row), edits);
            rewrite.moves = Some(block.range());
            rewrite
        };
        Ok(rewrite.unsafe_if(self.opens_early(index)))
    }

    /// The `try` right behind an opening that begins the suite of an `async with`, which takes the object as well.
    /// `None` where it cannot.
    fn joined_try(
        &self,
        row: &Resource,
        statement: &ast::StmtTry,
        at: usize,
    ) -> Result<Option<Rewrite>, String> {
        let lines = self.file.lines();
        let Place { suite, index, .. } = self.place;
        let (Some(last), Some(Stmt::Try(_))) = (statement.finalbody.last(), suite.get(at)) else {
            return Ok(None);
        };
        let closing = TextRange::new(
            statement.body.last().map_or(statement.start(), Ranged::end),
            last.end(),
        );
        // A comment of the `finally` would stand deeper than what is left.
        if at != index + 1 || at + 1 != suite.len() || self.file.comments.intersects(closing) {
            return Ok(None);
        }
        let removals = lines.without_finally(&statement.finalbody)?;
        let Some(mut edits) = self.joined(row, at, &removals)? else {
            return Ok(None);
        };
        let mut moved = lines.unwrap(suite.get(at).ok_or(SHARED)?, &statement.body)?;
        leave_out(&mut moved, &removals);
        edits.extend(moved);
        edits.extend(removals);
        let mut rewrite = Rewrite::safe(title(row), edits);
        rewrite.moves = Some(statement.range());
        Ok(Some(rewrite))
    }

    /// The statements `between` the opening and the `try`, and that, stand in the `async with`; a `try` that only closes goes.
    fn around_all(
        &self,
        row: &Resource,
        statement: &ast::StmtTry,
        between: Range<usize>,
        closing: RangeInclusive<usize>,
    ) -> Result<Rewrite, String> {
        let lines = self.file.lines();
        let Place { suite, parent, .. } = self.place;
        let opening = self.place.statement;
        if !lines.stands_alone(opening) {
            return Err(SHARED.to_owned());
        }
        let closing_at = statement.finalbody.get(closing.clone());
        let has_comment = closing_at.is_none_or(|closes| {
            let before = statement.body.last().map_or(statement.start(), Ranged::end);
            let end = closes.last().map_or(before, Ranged::end);
            let range = TextRange::new(before, end);
            self.file.comments.intersects(range)
        });
        let is_bare = *closing.start() == 0 && is_bare(statement);
        if between.end + 1 == suite.len() && !has_comment {
            let removals = self.without_close(statement, closing.clone())?;
            if let Some(mut edits) = self.joined(row, between.start, &removals)? {
                if is_bare {
                    let whole = suite.get(between.end).ok_or(SHARED)?;
                    let mut moved = lines.unwrap(whole, &statement.body)?;
                    leave_out(&mut moved, &removals);
                    edits.extend(moved);
                }
                edits.extend(removals);
                let mut rewrite = Rewrite::safe(title(row), edits);
                // What is opened in it joins the same header, once that is written.
                rewrite.moves = self.body(between.start);
                return Ok(rewrite);
            }
        }
        let mut removals = self.without_setup(between.start)?;
        let before = suite.get(between.start - 1).ok_or(SHARED)?;
        removals.extend(lines.blank_lines_behind(before));
        removals.extend(self.without_close(statement, closing)?);
        let moved = if is_bare {
            removals.push(lines.without_try(statement)?);
            between
        } else {
            between.start..between.end + 1
        };
        let block = lines
            .block(suite, parent, moved)
            .ok_or("the block is empty")?;
        let mut edits = block.indented()?;
        leave_out(&mut edits, &removals);
        let header = self.header(row, &removals)?;
        edits.push(Edit::range_replacement(
            format!("{header}:"),
            opening.range(),
        ));
        edits.extend(removals);
        let mut rewrite = Rewrite::safe(title(row), edits);
        rewrite.moves = Some(TextRange::new(opening.start(), statement.end()));
        Ok(rewrite)
    }

    /// The `try` begins with the statements `between` the opening and it.
    fn behind_opening(
        &self,
        row: &Resource,
        statement: &ast::StmtTry,
        between: Range<usize>,
    ) -> Result<Rewrite, String> {
        let lines = self.file.lines();
        let Place { suite, parent, .. } = self.place;
        if !is_bare(statement) {
            return Err(
                "the `except` clauses would also catch errors of the lines before the `try`"
                    .to_owned(),
            );
        }
        if let Some(name) = first_used_unbound(suite.get(between.clone()).ok_or(SHARED)?, statement)
        {
            return Err(format!(
                "`{name}`, which the `finally` uses, would not be bound where a line before the `try` fails"
            ));
        }
        let block = lines
            .block(suite, parent, between)
            .ok_or("the block is empty")?;
        let removal = lines.without_try(statement)?;
        let mut edits = block.wrap("try:", &[])?;
        edits.push(removal);
        let mut rewrite = Rewrite::safe(title(row), edits);
        rewrite.moves = Some(TextRange::new(block.range().start(), statement.end()));
        Ok(rewrite)
    }
}

/// The first name that statements bind and the `finally` of a `try` behind them uses.
fn first_used_unbound(before: &[Stmt], statement: &ast::StmtTry) -> Option<String> {
    let is_bound = |name: &ast::ExprName| {
        any_over_body(
            before,
            |part| matches!(part, Expr::Name(bound) if !bound.ctx.is_load() && bound.id == name.id),
        )
    };
    let mut found = None;
    any_over_body(&statement.finalbody, |part| {
        if let Expr::Name(name) = part
            && name.ctx.is_load()
            && is_bound(name)
        {
            found = Some(name.id.to_string());
        }
        found.is_some()
    });
    found
}

/// Whether a `try` has nothing but its `finally`.
pub(super) fn is_bare(statement: &ast::StmtTry) -> bool {
    statement.handlers.is_empty() && statement.orelse.is_empty()
}
