//! Blocks of statements that move: into a new compound statement, out of one, or away.
//!
//! Only white space at the beginning of lines changes. A line that begins inside a string, an
//! f-string with its replacement fields included, keeps its bytes, and so does an empty one. Comments
//! go with the statement they belong to: those right above it, those on its lines, and those that
//! are indented at least as deep behind the last statement of a suite.

use std::fmt::Write as _;

use ruff_diagnostics::Edit;
use ruff_python_ast::token::{Token, TokenKind};
use ruff_text_size::{Ranged, TextLen, TextRange, TextSize};

use crate::edit::lines::Lines;

pub(crate) const MIXED: &str = "the block's indentation is inconsistent";

pub(crate) const COMMENT: &str = "the fix would remove a comment";

pub(crate) const SHARED: &str = "there is another statement on the same line";

/// Consecutive statements of one suite, with the lines that they take.
pub struct Block<'a> {
    pub(crate) lines: Lines<'a>,
    /// The indentation of the statements, once the edits are applied.
    pub(crate) base: String,
    /// The lines, or the statements alone where they share a line with others.
    pub(crate) range: TextRange,
    /// What stands between the block and what is before it on its first line.
    pub(crate) opening: Option<TextRange>,
    /// What stands between the block and what is behind it on its last line.
    pub(crate) closing: Option<TextRange>,
    /// The gap behind the header whose line the suite shares, where the block does not start there.
    pub(crate) header_break: Option<TextRange>,
}

impl Ranged for Block<'_> {
    fn range(&self) -> TextRange {
        self.range
    }
}

impl Block<'_> {
    /// The indentation of the statements, once the edits are applied.
    pub fn indent(&self) -> &str {
        &self.base
    }

    /// One step of indentation, as it is around the block.
    pub fn unit(&self) -> &str {
        self.lines.unit
    }

    /// Whether the block has its lines to itself.
    pub fn stands_alone(&self) -> bool {
        self.opening.is_none() && self.closing.is_none()
    }

    /// The edits that put the block into a compound statement: `header` on a line above it, and the
    /// lines of `trailer`, such as an `except` clause, below. Each line of the trailer is given
    /// with the indentation it has inside the suite.
    ///
    /// `Err` with the reason where the block cannot be moved.
    pub fn wrap(&self, header: &str, trailer: &[String]) -> Result<Vec<Edit>, &'static str> {
        let Lines { unit, newline, .. } = self.lines;
        let base = &self.base;
        let mut edits: Vec<Edit> = self.header_break_edit().into_iter().collect();
        let mut moved = self.moved_lines()?;
        if let Some(gap) = self.opening {
            edits.push(Edit::range_replacement(
                format!("{newline}{base}{header}{newline}{base}{unit}"),
                gap,
            ));
        } else {
            let (at, indent, new) = moved.next().ok_or("the block is empty")?;
            edits.push(Edit::range_replacement(
                format!("{base}{header}{newline}{new}"),
                TextRange::at(at, indent.text_len()),
            ));
        }
        edits.extend(moved.map(insertion));
        edits.extend(self.below(trailer));
        Ok(edits)
    }

    /// The edits that indent the block one step further, for a header that is written elsewhere.
    ///
    /// `Err` with the reason where the block cannot be moved, or does not have its lines to itself.
    pub fn indented(&self) -> Result<Vec<Edit>, &'static str> {
        if !self.stands_alone() {
            return Err(SHARED);
        }
        Ok(self.moved_lines()?.map(insertion).collect())
    }

    /// The edits that put lines below the block, in its suite.
    pub fn append(&self, lines: &[String]) -> Vec<Edit> {
        let mut edits: Vec<Edit> = self.header_break_edit().into_iter().collect();
        if let Some(gap) = self.opening {
            edits.push(self.line_break(gap));
        }
        edits.extend(self.below(lines));
        edits
    }

    fn header_break_edit(&self) -> Option<Edit> {
        self.header_break.map(|gap| self.line_break(gap))
    }

    fn line_break(&self, gap: TextRange) -> Edit {
        Edit::range_replacement(format!("{}{}", self.lines.newline, self.base), gap)
    }

    /// The edit that puts lines below the block.
    fn below(&self, lines: &[String]) -> Option<Edit> {
        let newline = self.lines.newline;
        let base = &self.base;
        let mut content = String::new();
        if let Some(gap) = self.closing {
            for line in lines {
                let base = if line.is_empty() { "" } else { base };
                let _ = write!(content, "{newline}{base}{line}");
            }
            let _ = write!(content, "{newline}{base}");
            return Some(Edit::range_replacement(content, gap));
        }
        let ends_with_newline = self.lines.source[self.range].ends_with(['\n', '\r']);
        for line in lines {
            let base = if line.is_empty() { "" } else { base };
            let _ = if ends_with_newline {
                write!(content, "{base}{line}{newline}")
            } else {
                write!(content, "{newline}{base}{line}")
            };
        }
        (!lines.is_empty()).then(|| Edit::insertion(content, self.range.end()))
    }

    /// The lines that move: where their indentation begins, what it is, and what it becomes.
    fn moved_lines(&self) -> Result<impl Iterator<Item = (TextSize, &str, String)>, &'static str> {
        let unit = self.lines.unit;
        // The first line of a block that shares it with something before has no indentation.
        let skipped = usize::from(self.opening.is_some());
        let lines: Vec<_> = self
            .lines
            .movable(self.range)
            .skip(skipped)
            .map(|(at, indent)| {
                let new = match indent.strip_prefix(self.base.as_str()) {
                    Some(rest) => format!("{}{unit}{rest}", self.base),
                    None => format!("{indent}{unit}"),
                };
                (at, indent, new)
            })
            .collect();
        // White space can be as wide and yet not the same: a tab and eight spaces, eight spaces and
        // a tab. Then there is no place in it for one more step.
        let mut starts = self
            .lines
            .tokens_from(self.range.start())
            .windows(2)
            .take_while(|pair| pair.iter().all(|token| token.start() < self.range.end()))
            .filter_map(|pair| match pair {
                [before, token] if before.kind() == TokenKind::Newline => Some(token),
                _ => None,
            })
            .filter(|token| {
                !matches!(
                    token.kind(),
                    TokenKind::Comment
                        | TokenKind::NonLogicalNewline
                        | TokenKind::Indent
                        | TokenKind::Dedent
                )
            });
        if starts.any(|token| {
            !self
                .lines
                .indentation(token.start())
                .starts_with(&self.base)
        }) {
            return Err(MIXED);
        }
        Ok(lines.into_iter())
    }
}

/// The edit that turns an indentation into one that is one step longer.
fn insertion((at, indent, new): (TextSize, &str, String)) -> Edit {
    let common = indent
        .bytes()
        .zip(new.bytes())
        .take_while(|(one, two)| one == two)
        .count();
    let kept = &indent[..common];
    let more = &new[common..new.len() - (indent.len() - common)];
    Edit::insertion(more.to_owned(), at + kept.text_len())
}

/// How far an indentation reaches, with tabs to every eighth column.
pub(crate) fn column(indent: &str) -> usize {
    indent.chars().fold(0, |column, c| match c {
        '\t' => (column / 8 + 1) * 8,
        _ => column + 1,
    })
}

/// Tells for offsets in ascending order whether they lie inside a string.
pub(crate) struct StringInteriors<'a> {
    pub(crate) tokens: std::slice::Iter<'a, Token>,
    pub(crate) current: Option<TextRange>,
}

impl StringInteriors<'_> {
    pub(crate) fn contain(&mut self, offset: TextSize) -> bool {
        while self.current.is_none_or(|range| range.end() <= offset) {
            match self.next_string() {
                Some(range) => self.current = Some(range),
                None => return false,
            }
        }
        self.current.is_some_and(|range| range.start() < offset)
    }

    /// The next string, from its first quote to its last; an f-string counts as one.
    fn next_string(&mut self) -> Option<TextRange> {
        let mut depth = 0usize;
        let mut start = TextSize::default();
        for token in self.tokens.by_ref() {
            match token.kind() {
                TokenKind::String if depth == 0 => return Some(token.range()),
                TokenKind::FStringStart | TokenKind::TStringStart => {
                    if depth == 0 {
                        start = token.start();
                    }
                    depth += 1;
                }
                TokenKind::FStringEnd | TokenKind::TStringEnd => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return Some(TextRange::new(start, token.end()));
                    }
                }
                _ => {}
            }
        }
        None
    }
}
