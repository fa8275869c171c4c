//! Positions in a text, as the language server protocol counts them, and the edits between two texts.
//!
//! Lines end with `\n`, `\r\n` or `\r`. Columns are counted in the units that client and server agreed on: bytes of UTF-8,
//! or units of UTF-16.

use std::ops::Range as Span;

use lsp_types::{Position, PositionEncodingKind, Range, TextEdit};
use ruff_source_file::{LineIndex, OneIndexed};
use ruff_text_size::{TextRange, TextSize};
use similar::{Algorithm, DiffOp, capture_diff_slices};

/// The units that columns are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    Utf16,
    Utf32,
}

impl Encoding {
    /// The best one of those that a client offers. Without an offer it is UTF-16.
    pub(super) fn of_offer(offered: Option<&[PositionEncodingKind]>) -> Self {
        let has = |kind: &PositionEncodingKind| offered.is_some_and(|kinds| kinds.contains(kind));
        if has(&PositionEncodingKind::UTF8) {
            Self::Utf8
        } else if has(&PositionEncodingKind::UTF32) {
            // Some editors offer it that count characters whatever is agreed on.
            Self::Utf32
        } else {
            Self::Utf16
        }
    }

    pub(super) fn kind(self) -> PositionEncodingKind {
        match self {
            Self::Utf8 => PositionEncodingKind::UTF8,
            Self::Utf16 => PositionEncodingKind::UTF16,
            Self::Utf32 => PositionEncodingKind::UTF32,
        }
    }

    fn width_of(self, character: char) -> usize {
        match self {
            Self::Utf8 => character.len_utf8(),
            Self::Utf16 => character.len_utf16(),
            Self::Utf32 => 1,
        }
    }
}

/// A text with its lines.
pub(super) struct Positions<'t> {
    text: &'t str,
    index: LineIndex,
    encoding: Encoding,
}

impl<'t> Positions<'t> {
    pub(super) fn new(text: &'t str, encoding: Encoding) -> Self {
        let index = LineIndex::from_source_text(text);
        Self {
            text,
            index,
            encoding,
        }
    }

    /// The position of a byte offset.
    pub(super) fn position(&self, offset: usize) -> Position {
        let offset = offset.min(self.text.len());
        let line = self.index.line_index(size(offset));
        let start = self.index.line_start(line, self.text).to_usize();
        let before = self.text.get(start..offset).unwrap_or_default();
        let column = match self.encoding {
            Encoding::Utf8 => before.len(),
            encoding => before.chars().map(|c| encoding.width_of(c)).sum(),
        };
        Position::new(number(line.to_zero_indexed()), number(column))
    }

    /// The range of a range of bytes.
    pub(super) fn range(&self, range: TextRange) -> Range {
        Range::new(
            self.position(range.start().to_usize()),
            self.position(range.end().to_usize()),
        )
    }

    /// The byte offset of a position. One behind the end of its line is that of the end of the line.
    pub(super) fn offset(&self, position: Position) -> usize {
        let line = position.line as usize;
        if line >= self.index.line_count() {
            return self.text.len();
        }
        let range = self
            .index
            .line_range(OneIndexed::from_zero_indexed(line), self.text);
        let row = self.text.get(range.to_std_range()).unwrap_or_default();
        let row = row.trim_end_matches(['\n', '\r']);
        let mut left = position.character as usize;
        let mut offset = range.start().to_usize();
        for character in row.chars() {
            let width = self.encoding.width_of(character);
            if left < width {
                break;
            }
            left -= width;
            offset += character.len_utf8();
        }
        offset
    }

    /// The bytes of a range.
    pub(super) fn span(&self, range: Range) -> Span<usize> {
        let start = self.offset(range.start);
        start..self.offset(range.end).max(start)
    }

    /// The edits that make `new` of the text: as few and as small as a comparison by lines finds.
    pub(super) fn edits_to(&self, new: &str) -> Vec<TextEdit> {
        changes(self.text, new)
            .into_iter()
            .map(|(span, text)| TextEdit {
                range: Range::new(self.position(span.start), self.position(span.end)),
                new_text: text.to_owned(),
            })
            .collect()
    }
}

/// What has to be replaced in `old`, and by what, so that it becomes `new`.
fn changes<'n>(old: &str, new: &'n str) -> Vec<(Span<usize>, &'n str)> {
    let (old_lines, new_lines) = (lines_of(old), lines_of(new));
    let (old_starts, new_starts) = (starts_of(&old_lines), starts_of(&new_lines));
    let at = |starts: &[usize], line: usize| starts.get(line).copied().unwrap_or_default();
    let ops = capture_diff_slices(Algorithm::Myers, &old_lines, &new_lines);
    let (mut old_line, mut new_line) = (0, 0);
    let mut changes = Vec::new();
    for op in ops {
        // Where an operation stands follows from the ones before it: what it says itself is not always true of insertions.
        let (from, to) = (old_line, new_line);
        old_line += op.old_range().len();
        new_line += op.new_range().len();
        if matches!(op, DiffOp::Equal { .. }) {
            continue;
        }
        let from = at(&old_starts, from)..at(&old_starts, old_line);
        let to = at(&new_starts, to)..at(&new_starts, new_line);
        let (from, to) = before_last_break(old, new, from, to);
        let (from, text) = trimmed(old, new, from, to);
        if !from.is_empty() || !text.is_empty() {
            changes.push((from, text));
        }
    }
    changes
}

/// Moves a change up by one line break where it ends behind the last one of the file: some clients apply an edit that ends
/// there in the line above.
fn before_last_break(
    old: &str,
    new: &str,
    from: Span<usize>,
    to: Span<usize>,
) -> (Span<usize>, Span<usize>) {
    let line_break = if old.ends_with("\r\n") { "\r\n" } else { "\n" };
    let ends_there = from.end == old.len()
        && to.end == new.len()
        && old.ends_with(line_break)
        && new.ends_with(line_break);
    let is_behind_one = |text: &str, at: usize| {
        text.get(..at)
            .is_some_and(|before| before.ends_with(line_break))
    };
    if ends_there && is_behind_one(old, from.start) && is_behind_one(new, to.start) {
        let up = |at: usize| at - line_break.len();
        return (up(from.start)..up(from.end), up(to.start)..up(to.end));
    }
    (from, to)
}

/// A change without what is the same at its start and at its end.
fn trimmed<'n>(
    old: &str,
    new: &'n str,
    from: Span<usize>,
    to: Span<usize>,
) -> (Span<usize>, &'n str) {
    let (before, after) = (
        old.get(from.clone()).unwrap_or_default(),
        new.get(to).unwrap_or_default(),
    );
    let same = |one: (char, char)| one.0 == one.1;
    let length_of = |pair: (char, char)| pair.0.len_utf8();
    let mut prefix: usize = before
        .chars()
        .zip(after.chars())
        .take_while(|pair| same(*pair))
        .map(length_of)
        .sum();
    // A line break of two characters stays whole.
    if before
        .get(..prefix)
        .is_some_and(|text| text.ends_with('\r'))
    {
        prefix -= 1;
    }
    let (rest_before, rest_after) = (&before[prefix..], &after[prefix..]);
    let mut suffix: usize = rest_before
        .chars()
        .rev()
        .zip(rest_after.chars().rev())
        .take_while(|pair| same(*pair))
        .map(length_of)
        .sum();
    let starts_with_break = |text: &str| text[text.len() - suffix..].starts_with('\n');
    let is_split = |text: &str| text[..text.len() - suffix].ends_with('\r');
    if starts_with_break(rest_before) && (is_split(rest_before) || is_split(rest_after)) {
        suffix -= 1;
    }
    (
        from.start + prefix..from.end - suffix,
        &rest_after[..rest_after.len() - suffix],
    )
}

/// The lines of a text, each with its line break.
fn lines_of(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

/// Where each line starts, and where the last one ends.
fn starts_of(lines: &[&str]) -> Vec<usize> {
    let mut at = 0;
    let starts = lines.iter().map(|line| {
        at += line.len();
        at
    });
    std::iter::once(0).chain(starts).collect()
}

fn size(offset: usize) -> TextSize {
    TextSize::try_from(offset).unwrap_or_default()
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Encoding, Positions, changes};
    use lsp_types::Position;

    /// Applies the changes between two texts to the first, and says where the last one ends.
    fn check(old: &str, new: &str) -> usize {
        let mut text = old.to_owned();
        let mut end = 0;
        for (span, new) in changes(old, new).into_iter().rev() {
            end = end.max(span.end);
            text.replace_range(span, new);
        }
        assert_eq!(text, new);
        end
    }

    #[test]
    fn edits_make_the_new_text_and_end_before_the_last_line_break() {
        for (old, new) in [
            ("a\nb\nc\n", "a\nx\nc\n"),
            ("a\nb\n", "a\nb\nc\n"),
            ("a\nb\nc\n", "a\n"),
            ("a\r\nb\r\n", "a\r\nb\r\nc\r\n"),
            ("a\r\nb\r\n", "new\r\na\r\nb 🐍\r\n"),
            ("é🐍\n", "é🐍🐍\n"),
            ("a\nb\n\n\nc\n", "a\n\nnew\n\n\nc\n"),
        ] {
            let end = check(old, new);
            assert!(end < old.len(), "{old:?} to {new:?} ends at {end}");
        }
        check("", "a\n");
        check("a", "a\nb");
        check("a\n", "");
        check("a\r\nb", "a\nb");
    }

    #[test]
    fn columns_are_counted_in_the_units_agreed_on() {
        let text = "a\ns = '🐍'; x\r\ny";
        let at = text.find("; x").expect("it is there");
        for (encoding, column) in [
            (Encoding::Utf8, 10),
            (Encoding::Utf16, 8),
            (Encoding::Utf32, 7),
        ] {
            let places = Positions::new(text, encoding);
            let position = Position::new(1, column);
            assert_eq!(places.position(at), position);
            assert_eq!(places.offset(position), at);
        }
        let places = Positions::new(text, Encoding::Utf16);
        assert_eq!(
            places.offset(Position::new(1, 99)),
            text.find('\r').expect("one")
        );
        assert_eq!(places.offset(Position::new(9, 0)), text.len());
    }
}
