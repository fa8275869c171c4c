//! Comments that say: leave this as it is.

mod add;
mod comments;
pub mod unused;

use std::cell::Cell;

use ruff_source_file::LineRanges;
use ruff_text_size::{TextLen, TextRange, TextSize};

pub use add::{Added, add};

use crate::file::File;
use crate::finding::Finding;
use crate::rule::{Rule, nearest};
use comments::{Part, codes_after_colon, strip_noqa, type_ignore, word_and_codes};
pub use comments::{is_code, is_for_programs, without_noqa};

/// The words of our own comments.
pub(crate) const WORDS: [&str; 2] = ["ignore", "ignore-file"];

/// The suppression comments of one file.
pub struct Suppressions {
    directives: Vec<Directive>,
}

/// What one part of a comment suppresses: `# asyncfix: ignore[AF801]`, `# noqa: E501, AF801`.
struct Directive {
    /// The whole comment.
    comment: TextRange,
    /// The part, from its `#` to the next one or the end.
    part: TextRange,
    reach: Reach,
    /// `None` where it suppresses everything.
    codes: Option<Vec<Code>>,
    /// The word, where it is one of our own comments.
    own: Option<Word>,
    /// Whether it has suppressed something.
    is_used: Cell<bool>,
}

/// What a directive speaks for.
#[derive(Clone, Copy)]
enum Reach {
    File,
    Lines(TextRange),
}

/// The word of a comment of our own: where it stands, and the one that was meant.
struct Word {
    range: TextRange,
    /// `None` where no word is like it.
    meant: Option<&'static str>,
}

/// A code, a prefix of codes or a name in a directive.
struct Code {
    text: String,
    range: TextRange,
    is_used: Cell<bool>,
}

impl Code {
    fn covers(&self, rule: &Rule) -> bool {
        let mut others = rule.equivalents.iter();
        rule.is_selected_by(&self.text)
            || others.any(|other| other.eq_ignore_ascii_case(&self.text))
    }
}

impl Directive {
    /// Whether it suppresses a finding of `rule` at `range`; if so, it is of use.
    fn silences(&self, rule: &Rule, range: TextRange) -> bool {
        let is_reached = match self.reach {
            Reach::File => true,
            Reach::Lines(lines) => {
                lines.contains_inclusive(range.start()) || lines.contains_inclusive(range.end())
            }
        };
        if !is_reached {
            return false;
        }
        let is_meant = match &self.codes {
            None => true,
            Some(codes) => codes
                .iter()
                .filter(|code| code.covers(rule))
                .map(|code| code.is_used.set(true))
                .count()
                .gt(&0),
        };
        if is_meant {
            self.is_used.set(true);
        }
        is_meant
    }
}

impl Suppressions {
    /// Reads the comments of `file`.
    pub fn of(file: &File<'_, '_>) -> Self {
        let mut suppressions = Self {
            directives: Vec::new(),
        };
        for comment in file.comments.iter() {
            let text = &file.source[*comment];
            // One comment may hold several: `# type: ignore  # noqa: AF801`.
            let mut end = comment.start();
            for part in text.split_inclusive('#') {
                let start = end;
                end += part.text_len();
                let part = Part {
                    text: part.trim_end_matches('#'),
                    start,
                };
                // What stands before the first `#` is nothing.
                if start > comment.start() {
                    suppressions.read(file, *comment, part);
                }
            }
        }
        suppressions
    }

    fn read(&mut self, file: &File<'_, '_>, comment: TextRange, part: Part<'_>) {
        let whole = TextRange::new(part.start - "#".text_len(), part.end());
        let part = part.trim();
        if let Some(directive) = part.after("asyncfix:") {
            self.read_own(file, comment, whole, directive.trim());
        } else if let Some(directive) = part.after("ruff:").or_else(|| part.after("flake8:")) {
            self.read_linters(file, comment, whole, directive.trim());
        } else if let Some(rest) = strip_noqa(part.text) {
            let line = file.source.line_range(comment.start());
            let codes = codes_after_colon(part.from(rest));
            self.add(comment, whole, Reach::Lines(line), codes);
        } else if let Some(codes) = type_ignore(part) {
            let line = file.source.line_range(comment.start());
            self.add(comment, whole, Reach::Lines(line), Some(codes));
        }
    }

    fn add(
        &mut self,
        comment: TextRange,
        part: TextRange,
        reach: Reach,
        codes: Option<Vec<Code>>,
    ) -> &mut Directive {
        self.directives.push(Directive {
            comment,
            part,
            reach,
            codes,
            own: None,
            is_used: Cell::new(false),
        });
        let last = self.directives.len() - 1;
        #[expect(clippy::indexing_slicing, reason = "it was just pushed")]
        &mut self.directives[last]
    }

    /// Reads a comment of our own. A misspelled one suppresses what it was meant to: else it would be too late to spell
    /// it right once the code is rewritten.
    fn read_own(
        &mut self,
        file: &File<'_, '_>,
        comment: TextRange,
        whole: TextRange,
        directive: Part<'_>,
    ) {
        let (word, codes) = word_and_codes(directive);
        let meant = WORDS
            .into_iter()
            .find(|known| *known == word.text)
            .or_else(|| nearest(word.text, WORDS));
        let reach = match meant {
            Some("ignore-file") => Reach::File,
            Some(_) => Reach::Lines(Self::spoken_for(file, comment)),
            None => Reach::Lines(TextRange::empty(comment.start())),
        };
        let codes = if meant.is_some() {
            codes
        } else {
            Some(Vec::new())
        };
        self.add(comment, whole, reach, codes).own = Some(Word {
            range: word.range(),
            meant,
        });
    }

    /// What ruff reads after its own name (ruff documentation, "Error suppression"), and flake8 after its: one
    /// line, a whole file, or all from one comment to the next.
    fn read_linters(
        &mut self,
        file: &File<'_, '_>,
        comment: TextRange,
        whole: TextRange,
        directive: Part<'_>,
    ) {
        // Behind code, what is for a file is taken to be meant for the line.
        let is_alone = file.starts_line(comment.start());
        let line = || Reach::Lines(Self::spoken_for(file, comment));
        if let Some(rest) = strip_noqa(directive.text) {
            let codes = codes_after_colon(directive.from(rest));
            let reach = if is_alone { Reach::File } else { line() };
            self.add(comment, whole, reach, codes);
            return;
        }
        let (word, Some(codes)) = word_and_codes(directive) else {
            return;
        };
        let reach = match word.text {
            "file-ignore" if is_alone => Reach::File,
            "ignore" | "file-ignore" => line(),
            "disable" => Reach::Lines(TextRange::new(comment.start(), file.source.text_len())),
            "enable" => {
                self.end_of_disabled(file, comment, &codes);
                return;
            }
            _ => return,
        };
        self.add(comment, whole, reach, Some(codes));
    }

    /// Ends what a comment before has begun with the same codes.
    fn end_of_disabled(&mut self, file: &File<'_, '_>, comment: TextRange, codes: &[Code]) {
        let is_begun = |directive: &&mut Directive| {
            let same = directive.codes.as_ref().is_some_and(|begun| {
                let texts = |codes: &[Code]| -> Vec<String> {
                    codes.iter().map(|code| code.text.clone()).collect()
                };
                texts(begun) == texts(codes)
            });
            let end = file.source.text_len();
            same && matches!(directive.reach, Reach::Lines(lines) if lines.end() == end)
        };
        if let Some(begun) = self.directives.iter_mut().rev().find(is_begun)
            && let Reach::Lines(lines) = begun.reach
        {
            begun.reach = Reach::Lines(TextRange::new(lines.start(), comment.start()));
        }
    }

    /// The line that a comment speaks for: its own, or the next one that is not a comment.
    fn spoken_for(file: &File<'_, '_>, comment: TextRange) -> TextRange {
        if file.starts_line(comment.start()) {
            Self::next_code_line(file, comment.end())
        } else {
            file.source.line_range(comment.start())
        }
    }

    fn next_code_line(file: &File<'_, '_>, from: TextSize) -> TextRange {
        let mut start = file.source.full_line_end(from);
        while start < file.source.text_len() {
            let line = file.source.full_line_range(start);
            let text = file.source[line].trim();
            if !(text.is_empty() || text.starts_with('#')) {
                return line;
            }
            start = line.end();
        }
        TextRange::empty(start)
    }

    /// Whether a comment suppresses `finding`: at the end of the first or last line of the
    /// expression, or of the statement it stands in.
    pub fn cover(&self, finding: &Finding) -> bool {
        self.silence(finding.rule, finding.range)
    }

    /// Whether a comment suppresses a finding of `rule` at `range`.
    pub fn silence(&self, rule: &Rule, range: TextRange) -> bool {
        // Each that does is of use, not the first one alone.
        let directives = self.directives.iter();
        directives
            .filter(|directive| directive.silences(rule, range))
            .count()
            > 0
    }
}
