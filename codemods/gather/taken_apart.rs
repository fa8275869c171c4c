//! A `gather` whose value a statement takes: the call gives it to a new name, and what takes the value comes behind the
//! guard.

use ruff_diagnostics::Edit;
use ruff_python_ast::{self as ast};
use ruff_source_file::LineRanges;
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::rewrite::{RESULTS, TITLE};
use crate::edit::aligned::realigned;
use crate::edit::fresh_names;
use crate::edit::insertion::Slot;
use crate::finding::Rewrite;
use crate::gather::return_exceptions::Gather;

/// Why there is no fix where the call is part of something that cannot be taken apart.
pub(super) const ASSIGN_FIRST: &str = "assign the result of `gather` to a variable first";

impl Gather<'_, '_, '_, '_> {
    /// `a, b = await …` and `return await …`: the call stays, what takes its value comes after the
    /// guard.
    pub(super) fn bind_first(
        &self,
        argument: Edit,
        reason: Option<&str>,
    ) -> Result<Rewrite, String> {
        let results = fresh_names::fresh(self.file, self.owner, RESULTS);
        let lines = self.guard(&results);
        let rewrite = self.take_apart(argument, &results, lines, Some(&results))?;
        Ok(rewrite.unsafe_if(reason))
    }

    /// The call gives its value to `results`, `lines` follow, and then, where something is `given`, what took the
    /// value takes that.
    pub(super) fn take_apart(
        &self,
        argument: Edit,
        results: &str,
        mut lines: Vec<String>,
        given: Option<&str>,
    ) -> Result<Rewrite, String> {
        let slot = Slot::of(self.file, &self.place)?;
        let outer = self.with_parentheses();
        let taker = &self.file.source[TextRange::new(self.place.statement.start(), outer.start())];
        // Parentheses that only hold the call on its line are not needed any more.
        let tight = TextRange::new(outer.start(), self.awaited.start()).len()
            + TextRange::new(self.awaited.end(), outer.end()).len()
            <= TextSize::from(2);
        let head = TextRange::new(
            self.place.statement.start(),
            if tight {
                self.awaited.start()
            } else {
                outer.start()
            },
        );
        if taker.contains(['\n', '\r']) {
            return Err(
                "multi-line expressions are not supported here; assign the result first".to_owned(),
            );
        }
        self.keeps_order_of_strings(outer.start())?;
        lines.extend(given.map(|given| format!("{taker}{given}")));
        let mut edits = vec![Edit::range_replacement(format!("{results} = "), head)];
        edits.extend(self.with_aligned(argument, head, results));
        edits.push(slot.after(&lines));
        if tight && outer.end() > self.awaited.end() {
            edits.push(Edit::deletion(self.awaited.end(), outer.end()));
        }
        edits.extend(slot.prefix(""));
        Ok(Rewrite::safe(TITLE, edits))
    }

    /// The edit of the new argument, and those that move the lines that are aligned with the call, where `results = `
    /// takes the place of `head` before it.
    pub(super) fn with_aligned(&self, argument: Edit, head: TextRange, results: &str) -> Vec<Edit> {
        let file = self.file;
        if !file.starts_line(self.place.statement.start()) {
            return vec![argument];
        }
        let columns = |text: &str| isize::try_from(text.chars().count()).unwrap_or_default();
        let by = columns(results) + columns(" = ") - columns(&file.source[head]);
        let moved = realigned(file, self.call.range(), by);
        let last = self.call.arguments.iter_source_order().last();
        let last = last.map(|last| file.source.line_start(last.start()));
        // A line of its own is that of the argument before it.
        let is_of_last = |edit: &Edit| Some(edit.start()) == last;
        let argument = match (
            moved.iter().find(|edit| is_of_last(edit)),
            argument.content(),
        ) {
            (Some(by), Some(text)) => {
                let newline = file.newline();
                let columns = by.content().map_or(0, str::len);
                let text = match text.split_once(newline) {
                    Some((before, line)) if by.is_deletion() => {
                        let line = line.get(by.range().len().to_usize()..).unwrap_or(line);
                        format!("{before}{newline}{line}")
                    }
                    Some((before, line)) => {
                        format!("{before}{newline}{}{line}", " ".repeat(columns))
                    }
                    None => text.to_owned(),
                };
                Edit::range_replacement(text, argument.range())
            }
            _ => argument,
        };
        std::iter::once(argument).chain(moved).collect()
    }

    /// What takes the value stands behind the call afterwards: the strings of a file keep their order, so that it can
    /// be proved that none is lost.
    pub(super) fn keeps_order_of_strings(&self, start: TextSize) -> Result<(), String> {
        let before = TextRange::new(self.place.statement.start(), start);
        if self.file.has_string(before) && self.file.has_string(self.awaited.range()) {
            return Err(ASSIGN_FIRST.to_owned());
        }
        Ok(())
    }

    /// The range of the await with the parentheses that only it needs.
    pub(super) fn with_parentheses(&self) -> TextRange {
        self.site
            .parent()
            .and_then(|parent| {
                ast::token::parenthesized_range(self.awaited.into(), parent, self.file.tokens())
            })
            .unwrap_or(self.awaited.range())
    }
}
