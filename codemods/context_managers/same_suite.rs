//! An object that is closed further down in the suite that opens it: what stands between becomes the body of an
//! `async with`, or of a `try` that closes it in `finally`.

use asyncfix_analysis::answers::resources::opened;
use asyncfix_knowledge::resources::Form;
use asyncfix_syntax::site::Place;
use ruff_diagnostics::Edit;
use ruff_python_ast::{Expr, Stmt};
use ruff_source_file::LineRanges;
use ruff_text_size::{Ranged, TextRange};

use super::closes::CLOSING;
use super::managed::{Answer, Managed, Opening, SHARED, stays_open, title};
use crate::edit::removal;
use crate::finding::Rewrite;

const EMPTY: &str = "the block is empty";

impl Managed<'_, '_, '_> {
    /// Later in the same suite: `await x.close()`.
    pub(super) fn closed_in_suite(&self, first: usize, closes: usize) -> Answer {
        let Place {
            suite,
            index,
            statement,
            parent,
        } = self.place;
        let (behind, row) =
            (first..suite.len()).find_map(|at| Some((at, self.closing(suite.get(at)?)?)))?;
        let held = suite.get(first..behind)?;
        if held.is_empty() {
            return None;
        }
        let mut early = Vec::new();
        self.early_closes(held, &mut early);
        let (end, waits) = self.end_of_close(suite, behind, row);
        let last = suite.get(end)?.end();
        if closes != early.len() + 1
            || self.closes_otherwise()
            || self.uses.iter().any(|used| used.range.start() > last)
        {
            return None;
        }
        let message = stays_open(suite.get(behind)?);
        // What is opened meanwhile is closed before it.
        let inner_end = self.end_of_inner(held, suite, end)?;
        let rewrite = || -> Result<Rewrite, String> {
            let lines = self.file.lines();
            let mut removals = self.without_setup(first)?;
            let is_managed = inner_end <= end && row.form != Form::None;
            if is_managed {
                removals.extend(lines.delete_together(suite, behind..=end)?);
            }
            for at in (behind..=end).filter(|_| !is_managed) {
                let closing = suite.get(at).ok_or(SHARED)?;
                // The comments above it go with it into the `finally`.
                let above = lines.start_with_comments(closing.start());
                let is_told =
                    row.form == Form::None && above < self.file.source.line_start(closing.start());
                removals.push(if inner_end > end && !is_told {
                    lines.delete(suite, at)?
                } else {
                    let line = lines.line_of(closing).ok_or(SHARED)?;
                    let start = if is_told { above } else { line.start() };
                    let removal = Edit::range_deletion(TextRange::new(start, line.end()));
                    if at == behind && inner_end <= end {
                        lines.with_blank_lines_before(removal)
                    } else {
                        removal
                    }
                });
            }
            for early in &early {
                for at in early.close.clone() {
                    removals.push(lines.delete(early.suite, at)?);
                }
            }
            if !lines.stands_alone(statement) {
                return Err(SHARED.to_owned());
            }
            let mut edits;
            let moves;
            let closes_suite = end + 1 == suite.len() && early.is_empty();
            let mut joined = None;
            if closes_suite {
                joined = self.joined(row, first, &removals)?;
            }
            if joined.is_none() && early.is_empty() && inner_end <= end {
                joined = self.leading(row, held, &removals)?;
            }
            if let Some(mut edits) = joined {
                edits.extend(removals);
                let mut rewrite = Rewrite::safe(title(row), edits);
                // What is opened in it joins the same header, once that is written.
                rewrite.moves = self.body(first);
                return Ok(rewrite
                    .unsafe_if(row.more_than_close())
                    .unsafe_if(self.opens_early(index))
                    .unsafe_if(waits)
                    .unsafe_if(self.may_be_running(held)));
            }
            if row.form == Form::None {
                let held = if inner_end > end {
                    first..inner_end + 1
                } else {
                    first..behind
                };
                let block = lines.block(suite, parent, held).ok_or(EMPTY)?;
                edits = block.wrap("try:", &self.finally(suite, behind..=end))?;
                moves = block.range();
            } else {
                let block = if inner_end > end {
                    lines.block(suite, parent, first..inner_end + 1)
                } else {
                    lines.between(suite, parent, first - 1, behind, false)
                };
                let block = block.ok_or(SHARED)?;
                edits = block.indented()?;
                removals.extend(lines.blank_lines_behind(suite.get(first - 1).ok_or(SHARED)?));
                moves = TextRange::new(statement.start(), block.range().end());
            }
            removal::leave_out(&mut edits, &removals);
            let header = self.header(row, &removals)?;
            edits.extend(removals);
            if row.form != Form::None {
                edits.push(Edit::range_replacement(
                    format!("{header}:"),
                    statement.range(),
                ));
            }
            let mut rewrite = Rewrite::safe(title(row), edits);
            rewrite.moves = Some(moves);
            let returned = early
                .iter()
                .any(|close| !is_simple_exit(close.exit))
                .then_some("the return value would now be computed before closing");
            Ok(rewrite
                .unsafe_if(returned)
                .unsafe_if(row.more_than_close())
                .unsafe_if(self.opens_early(index))
                .unsafe_if(waits)
                .unsafe_if(self.may_be_running(held)))
        };
        Some((message, rewrite()))
    }

    /// The index of the last statement right behind the close, which ends at `end`, that closes something
    /// `held` opens, or `end`. `None` where such a close comes later: blocks cannot overlap.
    fn end_of_inner(&self, held: &[Stmt], suite: &[Stmt], end: usize) -> Option<usize> {
        let inner: Vec<&str> = held
            .iter()
            .filter_map(|statement| Opening::of(statement.into()))
            .filter_map(|opening| {
                let rows = opened(self.file, opening.call, opening.awaited);
                opening.object(&rows)
            })
            .map(|object| object.id.as_str())
            .collect();
        let closes_inner = |statement: &Stmt| {
            let Stmt::Expr(statement) = statement else {
                return false;
            };
            let call = match &*statement.value {
                Expr::Await(awaited) => &awaited.value,
                _ => &statement.value,
            };
            matches!(&**call, Expr::Call(call)
                if matches!(&*call.func, Expr::Attribute(method)
                    if CLOSING.contains(&method.attr.as_str())
                        && matches!(&*method.value, Expr::Name(name)
                            if inner.contains(&name.id.as_str()))))
        };
        let rest = suite.get(end + 1..)?;
        let adjacent = rest.iter().take_while(|next| closes_inner(next)).count();
        let later = rest.iter().skip(adjacent).any(closes_inner);
        (!later).then_some(end + adjacent)
    }
}

/// Whether leaving by this statement makes nothing.
fn is_simple_exit(statement: &Stmt) -> bool {
    match statement {
        Stmt::Return(inner) => inner
            .value
            .as_deref()
            .is_none_or(|value| value.is_name_expr() || value.is_literal_expr()),
        Stmt::Raise(_) => true,
        _ => false,
    }
}
