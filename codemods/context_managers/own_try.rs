//! An object that is opened at the beginning of the `try` whose `finally` closes it, with `name = None` above:
//! the long way to write `async with`.

use asyncfix_knowledge::resources::Form;
use asyncfix_syntax::site::Site;
use ruff_diagnostics::Edit;
use ruff_python_ast::{AnyNodeRef, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::managed::{Answer, CLOSED_MANUALLY, Managed, SHARED, title};
use super::tries::is_bare;
use crate::edit::removal::leave_out;
use crate::finding::Rewrite;

impl<'a> Managed<'_, 'a, '_> {
    /// The opening at `site` is the first statement of a `try`, behind which `finally` closes it.
    pub(super) fn opened_in_try(&self, site: &Site<'_, 'a>) -> Answer {
        let around = self.place.suite;
        let Some(AnyNodeRef::StmtTry(statement)) = self.place.parent else {
            return None;
        };
        let outer = site.outer()?.place()?;
        let finalbody = statement.finalbody.as_slice();
        let (close, row) =
            (0..finalbody.len()).find_map(|at| Some((at, self.closing(finalbody.get(at)?)?)))?;
        let (end, waits) = self.end_of_close(finalbody, close, row);
        let is_blank = |statement: &Stmt| {
            let (target, value) = match statement {
                Stmt::Assign(inner) => (inner.targets.as_slice(), Some(&*inner.value)),
                Stmt::AnnAssign(inner) => {
                    (std::slice::from_ref(&*inner.target), inner.value.as_deref())
                }
                _ => return false,
            };
            matches!(target, [Expr::Name(name)] if name.id == self.object.id)
                && value.is_some_and(Expr::is_none_literal_expr)
        };
        let before = outer.suite.get(..outer.index)?;
        let blank = before.iter().rposition(is_blank)?;
        let body = TextRange::new(statement.start(), statement.body.last()?.end());
        let closing = finalbody.get(close)?.range();
        let is_here =
            |range: TextRange| body.contains_range(range) || closing.contains_range(range);
        if self.place.index != 0
            || !std::ptr::eq(around, &raw const *statement.body)
            || around.len() < 2
            || !statement.orelse.is_empty()
            || row.form == Form::None
            || row.more_than_close().is_some()
            || waits.is_some()
            || self.first_of_body() != Some(1)
            || end + 1 != finalbody.len()
            || self.closes_in(&self.function.body) != 1
            || self.closes_otherwise()
            || !self.uses.iter().all(|used| is_here(used.range))
        {
            return None;
        }
        let rewrite = || -> Result<Rewrite, String> {
            let lines = self.file.lines();
            let opening = self.place.statement;
            if !lines.stands_alone(opening) {
                return Err(SHARED.to_owned());
            }
            if lines.has_comment_behind(opening) {
                return Err("the fix would remove a comment".to_owned());
            }
            let mut removals = vec![lines.delete(outer.suite, blank)?];
            removals.extend(self.without_close(statement, close..=end)?);
            let is_bare = close == 0 && is_bare(statement);
            let mut edits = Vec::new();
            if is_bare {
                let header = self.header(row, &removals)?;
                removals.push(lines.with_blank_lines_behind(lines.delete(around, 0)?));
                let keyword = TextRange::at(statement.start(), TextSize::of("try"));
                edits.push(Edit::range_replacement(header, keyword));
            } else {
                let block = lines
                    .block(around, self.place.parent, 1..around.len())
                    .ok_or("the block is empty")?;
                edits.extend(block.indented()?);
                removals.extend(lines.blank_lines_behind(opening));
                let header = format!("{}:", self.header(row, &removals)?);
                edits.push(Edit::range_replacement(header, opening.range()));
            }
            leave_out(&mut edits, &removals);
            edits.extend(removals);
            let mut rewrite = Rewrite::safe(title(row), edits);
            rewrite.moves = Some(statement.range());
            let is_caught = !is_bare && !statement.handlers.is_empty();
            Ok(rewrite
                .unsafe_if(self.opens_early(self.place.index))
                .unsafe_if(is_caught.then_some(
                    "an error of the close would be caught by the `except` of this `try`",
                )))
        };
        Some((CLOSED_MANUALLY.to_owned(), rewrite()))
    }
}
