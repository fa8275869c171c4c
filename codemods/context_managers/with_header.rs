//! What is written in the header of an `async with`: of a new one, or of one that is there already and gets one more item.

use asyncfix_knowledge::resources::{Form, Resource};
use asyncfix_syntax::site::Place;
use ruff_diagnostics::Edit;
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, PythonVersion, Stmt};
use ruff_source_file::LineRanges;
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::managed::Managed;
use super::uses::Used;

impl Managed<'_, '_, '_> {
    /// What `async with` enters, and the name it binds, where something reads it once `removals` are gone.
    pub(super) fn header(&self, row: &Resource, removals: &[Edit]) -> Result<String, String> {
        Ok(format!("async with {}", self.item(row, removals)?))
    }

    /// The same, without the keywords.
    fn item(&self, row: &Resource, removals: &[Edit]) -> Result<String, String> {
        let call = self.opening.call;
        if self.file.text(&*call.func).contains(['\n', '\r']) {
            return Err("multi-line calls are not supported here".to_owned());
        }
        let entered = match (row.form, &*call.func) {
            (Form::Receiver, Expr::Attribute(method)) => method.value.range(),
            _ => call.range(),
        };
        let statement = self.place.statement.range();
        let comments = self.file.comments.comments_in_range(statement);
        if comments
            .iter()
            .any(|comment| !entered.contains_range(*comment))
        {
            return Err("the fix would remove a comment".to_owned());
        }
        let manager = match row.form {
            Form::Receiver => match &*call.func {
                Expr::Attribute(method) => self.file.text(&*method.value).to_owned(),
                callee => self.file.text(callee).to_owned(),
            },
            Form::Awaited => format!("await {}", self.file.text(call)),
            Form::Aclosing => {
                let closing = self.aclosing()?.expression;
                format!("{closing}({})", self.file.text(call))
            }
            Form::Call | Form::None => self.file.text(call).to_owned(),
        };
        let is_removed = |used: &Used<'_>| {
            let mut removals = removals.iter();
            removals.any(|removal| removal.range().contains_range(used.range))
        };
        if self.uses.iter().all(is_removed) {
            return Ok(manager);
        }
        Ok(format!("{manager} as {}", self.object.id))
    }

    /// The edits that put the object into the `async with` whose suite it is, where it is opened by the first
    /// statement of that. `None` where it is not.
    pub(super) fn joined(
        &self,
        row: &Resource,
        first: usize,
        removals: &[Edit],
    ) -> Result<Option<Vec<Edit>>, String> {
        let Place {
            suite,
            index,
            statement,
            parent,
        } = self.place;
        let (Some(AnyNodeRef::StmtWith(with)), (0, 1)) = (parent, (index, first)) else {
            return Ok(None);
        };
        let lines = self.file.lines();
        let Some(last) = with.items.last().filter(|_| with.is_async) else {
            return Ok(None);
        };
        let header = self.file.source[last.end().to_usize()..].trim_start_matches([' ', '\t']);
        // One item a line.
        let is_open = header.strip_prefix(',').is_some_and(|rest| {
            let end = rest.trim_start();
            end.starts_with("):") && rest[..rest.len() - end.len()].contains(['\n', '\r'])
        });
        if row.form == Form::None
            || suite.len() < 2
            || !header.starts_with(':') && !is_open
            || !lines.stands_alone(statement)
            // It speaks of this line, and would speak of the header's.
            || lines.has_comment_behind(statement)
            || self.file.indentation_at(with.start()) == self.file.indentation_at(statement.start())
        {
            return Ok(None);
        }
        let removal = lines.delete(suite, index)?;
        let removal = lines.with_blank_lines_behind(removal);
        let item = self.item(row, removals)?;
        // The lines of its arguments would look like those of the body, unless all items are a step deeper than the
        // header, as this one is already.
        let is_long = item.contains(['\n', '\r']);
        let step = format!(
            "{}{}",
            self.file.indentation_at(with.start()),
            self.file.indent_unit()
        );
        if is_long && self.file.indentation_at(statement.start()) != step {
            return Ok(None);
        }
        let edits = if !is_open && !is_long && self.fits_beside(&item, last.end()) {
            vec![Edit::insertion(format!(", {item}"), last.end())]
        } else {
            self.on_lines(with, &item, with.items.len(), is_open)
        };
        Ok((!edits.is_empty()).then(|| edits.into_iter().chain([removal]).collect()))
    }

    /// The edits that put the object into the header of the `async with` that is all it is open for, before its items.
    /// `None` where `held` is something else, or the header can't have it.
    pub(super) fn leading(
        &self,
        row: &Resource,
        held: &[Stmt],
        removals: &[Edit],
    ) -> Result<Option<Vec<Edit>>, String> {
        let Place {
            suite,
            index,
            statement,
            ..
        } = self.place;
        let [Stmt::With(with)] = held else {
            return Ok(None);
        };
        let lines = self.file.lines();
        let (Some(first), Some(last)) = (with.items.first(), with.items.last()) else {
            return Ok(None);
        };
        let is_next = suite
            .get(index + 1)
            .is_some_and(|next| next.range() == with.range());
        let before = self.file.text(TextRange::new(with.start(), first.start()));
        let behind = &self.file.source[last.end().to_usize()..];
        let is_open = before.trim_end().ends_with('(') && before.contains(['\n', '\r']);
        let is_plain = before == "async with " && behind.starts_with(':');
        if row.form == Form::None
            || !with.is_async
            || !is_next
            || !is_open && !is_plain
            || self.file.comments.intersects(TextRange::new(with.start(), first.start()))
            || !lines.stands_alone(statement)
            // It speaks of this line, and would speak of the header's.
            || lines.has_comment_behind(statement)
        {
            return Ok(None);
        }
        let item = self.item(row, removals)?;
        if item.contains(['\n', '\r']) {
            return Ok(None);
        }
        let removal = lines.delete(suite, index)?;
        let removal = lines.with_blank_lines_behind(removal);
        let edits = if is_plain && self.fits_beside(&item, first.start()) {
            vec![Edit::insertion(format!("{item}, "), first.start())]
        } else {
            self.on_lines(with, &item, 0, is_open)
        };
        Ok((!edits.is_empty()).then(|| edits.into_iter().chain([removal]).collect()))
    }

    /// Whether an item, with its comma, can stand on the line at `at`.
    fn fits_beside(&self, item: &str, at: TextSize) -> bool {
        let line = self.file.source.line_str(at);
        let length = ", ".len() + item.chars().count() + line.chars().count();
        length <= usize::from(self.file.settings.line_length)
    }

    /// The edits that put one more item into the header of `with`, which has one a line then: as the first one or, where
    /// `at` is not 0, the last. None where it can't have that.
    fn on_lines(&self, with: &ast::StmtWith, item: &str, at: usize, is_open: bool) -> Vec<Edit> {
        let file = self.file;
        let (Some(first), Some(last)) = (with.items.first(), with.items.last()) else {
            return Vec::new();
        };
        let newline = file.newline();
        let indent = file.indentation_at(with.start());
        let start = format!("{newline}{indent}{}", file.indent_unit());
        if is_open && at == 0 {
            return vec![Edit::insertion(format!("{item},{start}"), first.start())];
        }
        if is_open {
            return vec![Edit::insertion(format!(",{start}{item}"), last.end())];
        }
        let header = TextRange::new(with.start(), last.end());
        if !file.targets(PythonVersion::PY310) || file.text(header).contains(['\n', '\r']) {
            return Vec::new();
        }
        let (leading, trailing) = if at == 0 {
            (format!("{item},{start}"), String::new())
        } else {
            (String::new(), format!("{start}{item},"))
        };
        let open = format!("({start}{leading}");
        let mut edits = vec![Edit::insertion(open, first.start())];
        for pair in with.items.windows(2) {
            if let [one, next] = pair {
                let between = TextRange::new(one.end(), next.start());
                edits.push(Edit::range_replacement(format!(",{start}"), between));
            }
        }
        let end = format!(",{trailing}{newline}{indent})");
        edits.push(Edit::insertion(end, last.end()));
        edits
    }
}
