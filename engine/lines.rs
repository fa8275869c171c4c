//! Some lines of a file: those that were changed since a revision.

use std::ops::RangeInclusive;

use ruff_source_file::LineIndex;
use ruff_text_size::TextRange;
use similar::{DiffOp, TextDiff};

/// Lines of a text, counted from 1.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines(Vec<RangeInclusive<usize>>);

impl Lines {
    /// The lines of these ranges.
    pub fn new(ranges: Vec<RangeInclusive<usize>>) -> Self {
        Self(ranges)
    }

    /// Whether none is among them.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them is among the lines from `first` to `last`.
    fn meet(&self, first: usize, last: usize) -> bool {
        let mut ranges = self.0.iter();
        ranges.any(|range| *range.start() <= last && first <= *range.end())
    }

    /// Where these lines of `original` are in `text`, which was made of it by fixes. Lines that a fix has written count
    /// where it has written them in the place of one of these.
    #[must_use]
    pub fn moved(&self, original: &str, text: &str) -> Self {
        if original == text {
            return self.clone();
        }
        let diff = TextDiff::from_lines(original, text);
        let (mut old_line, mut new_line) = (0, 0);
        let moved = diff.ops().iter().flat_map(|op| {
            // What an operation says of its own place is not always true of insertions.
            let (old, new) = (
                old_line..old_line + op.old_range().len(),
                new_line..new_line + op.new_range().len(),
            );
            (old_line, new_line) = (old.end, new.end);
            match op {
                // These lines are as they were.
                DiffOp::Equal { .. } => {
                    let mut ranges = Vec::new();
                    for range in &self.0 {
                        let first = (*range.start()).max(old.start + 1);
                        let last = (*range.end()).min(old.end);
                        if first <= last {
                            let after = |line: usize| line - old.start + new.start;
                            ranges.push(after(first)..=after(last));
                        }
                    }
                    ranges
                }
                _ if !new.is_empty() && self.meet(old.start + 1, old.end.max(old.start + 1)) => {
                    vec![new.start + 1..=new.end]
                }
                _ => Vec::new(),
            }
        });
        Self(moved.collect())
    }

    /// Whether a range of `text` lies on one of the lines, which are those of `original`.
    pub fn are_at(&self, range: TextRange, original: &str, text: &str) -> bool {
        let index = LineIndex::from_source_text(text);
        let first = index.line_index(range.start()).get();
        let last = index.line_index(range.end()).get();
        self.moved(original, text).meet(first, last)
    }
}

#[cfg(test)]
mod tests {
    use ruff_text_size::{TextRange, TextSize};

    use super::Lines;

    fn at(text: &str, word: &str) -> TextRange {
        let start = text.find(word).expect("it is there");
        let start = TextSize::try_from(start).expect("it is short");
        TextRange::at(start, TextSize::of(word))
    }

    #[test]
    fn a_line_is_found_again_below_what_was_written() {
        let original = "one\ntwo\nthree\n";
        let lines = Lines::new(vec![2..=2]);
        assert!(lines.are_at(at(original, "two"), original, original));
        assert!(!lines.are_at(at(original, "three"), original, original));
        let text = "import new\n\none\ntwo\nthree\n";
        assert!(lines.are_at(at(text, "two"), original, text));
        assert!(!lines.are_at(at(text, "one"), original, text));
        let text = "one\ntwo again\nand more\nthree\n";
        assert!(lines.are_at(at(text, "more"), original, text));
    }
}
