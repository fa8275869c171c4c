//! Where in a rewritten text that stands which an edit did not touch.

use ruff_diagnostics::Edit;
use ruff_source_file::LineRanges;
use ruff_text_size::{Ranged, TextRange, TextSize};

/// Maps offsets of the old text to the new one.
pub(super) struct Positions<'e> {
    edits: &'e [Edit],
    /// The edits that change more than the indentation of a line.
    telling: Vec<&'e Edit>,
    /// Ranges of the new text that edits wrote, or between which they removed something.
    written: Vec<TextRange>,
}

impl<'e> Positions<'e> {
    pub(super) fn new(old: &str, edits: &'e [Edit]) -> Self {
        let mut written = Vec::with_capacity(edits.len());
        let mut shift: i64 = 0;
        for edit in edits {
            let length = edit.content().map_or(0, str::len);
            let start = offset(i64::from(u32::from(edit.start())) + shift);
            let end = offset(i64::from(u32::from(start)) + i64::try_from(length).unwrap_or(0));
            written.push(TextRange::new(start, end));
            shift += i64::try_from(length).unwrap_or(0) - i64::from(u32::from(edit.range().len()));
        }
        Self {
            edits,
            telling: edits
                .iter()
                .filter(|edit| !is_indentation(old, edit))
                .collect(),
            written,
        }
    }

    /// Whether the character at `old` was removed, with nothing in its place.
    pub(super) fn is_removed(&self, old: TextSize) -> bool {
        let index = self.edits.partition_point(|edit| edit.end() <= old);
        self.edits
            .get(index)
            .is_some_and(|edit| edit.is_deletion() && edit.start() <= old)
    }

    /// Whether an edit changes something in `range`, its first and last byte included.
    pub(super) fn touches(&self, range: TextRange) -> bool {
        let from = self
            .telling
            .partition_point(|edit| edit.end() < range.start());
        self.telling
            .iter()
            .skip(from)
            .take_while(|edit| edit.start() <= range.end())
            .any(|edit| {
                let inside = edit.start() < range.end() && edit.end() > range.start();
                let at_start = edit.end() == range.start()
                    && edit
                        .content()
                        .is_some_and(|content| !is_whole_lines(content));
                let at_end = edit.range().is_empty()
                    && edit.start() == range.end()
                    && !edit
                        .content()
                        .is_some_and(|content| content.starts_with(['\n', '\r']));
                inside || at_start || at_end
            })
    }

    /// Where the character at `old` is now; after anything that was inserted there.
    pub(super) fn new_offset(&self, old: TextSize) -> TextSize {
        let index = self.edits.partition_point(|edit| edit.end() <= old);
        match index
            .checked_sub(1)
            .and_then(|last| Some((self.edits.get(last)?, self.written.get(last)?)))
        {
            Some((edit, written)) => written.end() + (old - edit.end()),
            None => old,
        }
    }

    /// Whether an edit wrote the character at `new`, or changed what stands right before it.
    pub(super) fn was_written(&self, new: TextSize) -> bool {
        self.written
            .iter()
            .any(|range| range.contains_inclusive(new))
    }
}

/// Whether an edit changes nothing but white space before the first token of a line.
pub(super) fn is_indentation(old: &str, edit: &Edit) -> bool {
    let is_white = |text: &str| text.chars().all(|c| matches!(c, ' ' | '\t' | '\x0c'));
    let line_start = old.line_start(edit.start());
    is_white(edit.content().unwrap_or_default())
        && is_white(&old[edit.range()])
        && is_white(&old[TextRange::new(line_start, edit.start())])
}

/// Whether text put before a statement leaves it on a line of its own.
pub(super) fn is_whole_lines(text: &str) -> bool {
    text.rsplit_once(['\n', '\r'])
        .is_some_and(|(_, last)| last.trim().is_empty())
}

pub(super) fn offset(value: i64) -> TextSize {
    TextSize::new(u32::try_from(value.max(0)).unwrap_or(u32::MAX))
}
