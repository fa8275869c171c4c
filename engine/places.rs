//! Positions as people and other programs count them.

use ruff_source_file::LineIndex;
use ruff_text_size::TextSize;

/// The lines of a text.
pub struct Places<'t> {
    text: &'t str,
    index: LineIndex,
}

impl<'t> Places<'t> {
    /// Those of `text`.
    pub fn of(text: &'t str) -> Self {
        let index = LineIndex::from_source_text(text);
        Self { text, index }
    }

    /// The line and the column of a byte offset, both from 1, the column in characters.
    pub fn at(&self, offset: TextSize) -> (usize, usize) {
        let place = self.index.line_column(offset, self.text);
        (place.line.get(), place.column.get())
    }
}
