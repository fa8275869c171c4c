//! Room for new statements beside an existing one.

use asyncfix_syntax::site::Place;
use ruff_diagnostics::Edit;
use ruff_python_ast::AnyNodeRef;
use ruff_python_trivia::{SimpleTokenKind, SimpleTokenizer};
use ruff_source_file::LineRanges;
use ruff_text_size::{Ranged, TextRange, TextSize};

use crate::file::File;

/// A statement that has, or can get, its lines to itself.
pub struct Slot {
    /// The indentation of the statement, once the edits are applied.
    pub indent: String,
    /// Where the statement starts.
    start: TextSize,
    /// The end of the statement's last line, after its line ending if it has one.
    line_end: TextSize,
    /// Whether that line has a line ending.
    ends_with_newline: bool,
    newline: &'static str,
    /// What stands between the statement and what its line starts with: the colon of a header, or another statement.
    before: Option<TextRange>,
    /// What stands between the statement and the next one on its line.
    behind: Option<TextRange>,
}

impl Slot {
    /// The slot of the statement at `place`, or the reason why nothing can be put beside it.
    pub fn of(file: &File<'_, '_>, place: &Place<'_>) -> Result<Self, &'static str> {
        let statement = place.statement;
        let source = file.source;
        let rest = TextRange::new(statement.end(), source.line_end(statement.end()));
        let trailing = SimpleTokenizer::new(source, rest).find(|token| {
            !matches!(
                token.kind(),
                SimpleTokenKind::Whitespace | SimpleTokenKind::Comment
            )
        });
        let next = place.suite.get(place.index + 1);
        let behind = match (trailing, next) {
            (None, _) => None,
            (Some(_), Some(next)) => {
                Some(between(source, statement.end(), next.start()).ok_or(SHARED)?)
            }
            (Some(_), None) => return Err(SHARED),
        };
        let line_end = source.full_line_end(statement.end());
        let mut slot = Self {
            indent: file.indentation_at(statement.start()).to_owned(),
            start: statement.start(),
            line_end,
            ends_with_newline: line_end > source.line_end(statement.end()),
            newline: file.newline(),
            before: None,
            behind,
        };
        if file.starts_line(statement.start()) {
            return Ok(slot);
        }
        let suite_starts_line = place
            .suite
            .first()
            .is_some_and(|first| file.starts_line(first.start()));
        let previous = place.index.checked_sub(1);
        if let Some(previous) = previous.and_then(|previous| place.suite.get(previous))
            && suite_starts_line
        {
            slot.before = Some(between(source, previous.end(), statement.start()).ok_or(SHARED)?);
            return Ok(slot);
        }
        // `if ready: task()`: the suite moves to a line of its own, unless it holds more.
        let header = match (place.suite, place.parent) {
            ([_], Some(parent)) if !continues_line(file, parent) => parent,
            _ => return Err(SHARED),
        };
        let before = &source[..statement.start().to_usize()];
        let gap = before.len() - before.trim_end_matches([' ', '\t']).len();
        if !before.trim_end_matches([' ', '\t']).ends_with(':') {
            return Err(SHARED);
        }
        slot.before = Some(TextRange::new(
            statement.start() - TextSize::try_from(gap).unwrap_or_default(),
            statement.start(),
        ));
        slot.indent = format!(
            "{}{}",
            file.indentation_at(header.start()),
            file.indent_unit()
        );
        Ok(slot)
    }

    /// The edit that puts `text` before the statement, on the same line.
    ///
    /// Applied for every rewrite that uses the slot, with an empty text where nothing is put there;
    /// `None` when there is then nothing to do.
    pub fn prefix(&self, text: &str) -> Option<Edit> {
        match self.before {
            Some(range) => Some(Edit::range_replacement(
                format!("{}{}{text}", self.newline, self.indent),
                range,
            )),
            None if text.is_empty() => None,
            None => Some(Edit::insertion(text.to_owned(), self.start)),
        }
    }

    /// The edit that puts whole lines before the statement, and `text` before it on its own line.
    pub fn before(&self, lines: &[String], text: &str) -> Option<Edit> {
        let mut content = String::new();
        for line in lines {
            content.push_str(line);
            content.push_str(self.newline);
            content.push_str(&self.indent);
        }
        content.push_str(text);
        self.prefix(&content)
    }

    /// The edit that puts whole lines above the statement and the comments that belong to it. An
    /// empty line stays empty.
    pub fn above(&self, file: &File<'_, '_>, lines: &[String]) -> Edit {
        let mut content = String::new();
        for line in lines {
            if !line.is_empty() {
                content.push_str(&self.indent);
                content.push_str(line);
            }
            content.push_str(self.newline);
        }
        match self.before {
            Some(range) => {
                Edit::range_replacement(format!("{}{content}{}", self.newline, self.indent), range)
            }
            None => Edit::insertion(content, file.lines().start_with_comments(self.start)),
        }
    }

    /// The edit that puts lines after the statement's last one. Each is given without indentation
    /// of the block and without line ending.
    pub fn after(&self, lines: &[String]) -> Edit {
        let mut content = String::new();
        if let Some(gap) = self.behind {
            for line in lines {
                content.push_str(self.newline);
                content.push_str(&self.indent);
                content.push_str(line);
            }
            content.push_str(self.newline);
            content.push_str(&self.indent);
            return Edit::range_replacement(content, gap);
        }
        for line in lines {
            if self.ends_with_newline {
                content.push_str(&self.indent);
                content.push_str(line);
                content.push_str(self.newline);
            } else {
                content.push_str(self.newline);
                content.push_str(&self.indent);
                content.push_str(line);
            }
        }
        Edit::insertion(content, self.line_end)
    }
}

/// Why nothing can be put beside a statement.
const SHARED: &str = "the statement shares its line with another one";

/// What stands between two statements of one line, where that is a semicolon.
fn between(source: &str, end: TextSize, start: TextSize) -> Option<TextRange> {
    let gap = TextRange::new(end, start);
    (source[gap].trim_matches([' ', '\t']) == ";").then_some(gap)
}

/// Whether a header shares its line with what stands before it, as in `if a: pass; else: pass`.
fn continues_line(file: &File<'_, '_>, header: AnyNodeRef<'_>) -> bool {
    !file.starts_line(header.start())
}
