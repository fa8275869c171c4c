//! The text of comments that speak to programs: its parts, words and codes, and taking codes away.

use std::cell::Cell;

use ruff_diagnostics::Edit;
use ruff_source_file::LineRanges;
use ruff_text_size::{TextLen, TextRange, TextSize};

use super::Code;
use crate::file::File;

/// A piece of a comment, and where it starts.
#[derive(Clone, Copy)]
pub(super) struct Part<'t> {
    pub(super) text: &'t str,
    pub(super) start: TextSize,
}

impl<'t> Part<'t> {
    pub(super) fn end(self) -> TextSize {
        self.start + self.text.text_len()
    }

    pub(super) fn range(self) -> TextRange {
        TextRange::new(self.start, self.end())
    }

    pub(super) fn trim(self) -> Self {
        self.from(self.text.trim_start()).until(self.text.trim())
    }

    /// What stands behind `prefix`, if it starts with that.
    pub(super) fn after(self, prefix: &str) -> Option<Self> {
        Some(self.from(self.text.strip_prefix(prefix)?))
    }

    /// Its end, which is `rest`.
    pub(super) fn from(self, rest: &'t str) -> Self {
        Self {
            text: rest,
            start: self.end() - rest.text_len(),
        }
    }

    /// Its start, which is `text`.
    pub(super) fn until(self, text: &'t str) -> Self {
        Self {
            text,
            start: self.start,
        }
    }
}

/// Whether a comment speaks of its line to programs and to nobody else: `# type: ignore[attr-defined]  # noqa: E501`.
pub fn is_for_programs(comment: &str) -> bool {
    let mut parts = comment
        .split('#')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .peekable();
    parts.peek().is_some() && parts.all(is_directive)
}

/// Whether a part of a comment is a directive for one line, with nothing but codes behind it.
fn is_directive(part: &str) -> bool {
    const STARTS: [&str; 9] = [
        "type: ignore",
        "type:ignore",
        "pyright: ignore",
        "pyrefly: ignore",
        "ty: ignore",
        "pylint: disable",
        "pragma: no cover",
        "pragma: no branch",
        "nosec",
    ];
    if let Some(own) = part.strip_prefix("asyncfix:") {
        let own = own.trim();
        let (word, list) = own.split_once('[').unwrap_or((own, "]"));
        return !word.trim().contains(char::is_whitespace) && list.trim_end().ends_with(']');
    }
    let rest = strip_noqa(part).or_else(|| STARTS.iter().find_map(|word| part.strip_prefix(word)));
    rest.is_some_and(|rest| {
        let codes = rest.trim().replace(", ", ",");
        let codes = codes.trim_start_matches([':', '=', ' ']);
        !codes.contains(char::is_whitespace) || words_of(codes).all(is_code)
    })
}

/// The words of a list of codes.
fn words_of(list: &str) -> impl Iterator<Item = &str> {
    let words = list.split([',', ' ', '\t']);
    words.filter(|word| !word.is_empty())
}

/// The edit that takes codes out of the `noqa` on the line of `at`, where nothing but programs reads that: the
/// `noqa` goes with its last code. `None` where it has none of them.
pub fn without_noqa(file: &File<'_, '_>, at: TextSize, gone: &[&str]) -> Option<Edit> {
    let line = file.source.line_range(at);
    let comment = *file.comments.comments_in_range(line).last()?;
    let text = &file.source[comment];
    if !is_for_programs(text) {
        return None;
    }
    let mut end = 0;
    for part in text.split_inclusive('#').skip(1) {
        let start = end;
        end += part.len();
        let directive = part.trim_end_matches('#');
        let Some((head, list)) = directive.split_once(':') else {
            continue;
        };
        let codes: Vec<&str> = words_of(list).collect();
        if strip_noqa(head.trim()).is_none() || !codes.iter().any(|code| gone.contains(code)) {
            continue;
        }
        let kept: Vec<&str> = codes
            .into_iter()
            .filter(|code| !gone.contains(code))
            .collect();
        let list = TextRange::at(
            comment.start() + text.get(..start + 1)?.text_len() + head.text_len() + ":".text_len(),
            list.trim_end().text_len(),
        );
        if !kept.is_empty() {
            return Some(Edit::range_replacement(
                format!(" {}", kept.join(", ")),
                list,
            ));
        }
        let hash = comment.start() + text.get(..start)?.text_len();
        let is_last = list.end() == comment.end();
        return Some(Edit::range_deletion(if is_last {
            let before = file.source[..hash.to_usize()].trim_end_matches([' ', '\t']);
            TextRange::new(before.text_len(), list.end())
        } else {
            TextRange::new(hash, hash + "#".text_len() + directive.text_len())
        }));
    }
    None
}

/// The word of a directive, and the codes in brackets behind it.
pub(super) fn word_and_codes(directive: Part<'_>) -> (Part<'_>, Option<Vec<Code>>) {
    let Some((word, rest)) = directive.text.split_once('[') else {
        let word = directive.text.split_whitespace().next();
        return (directive.until(word.unwrap_or_default()), None);
    };
    let list = rest.split(']').next().unwrap_or_default();
    let codes = split_codes(directive.from(rest).until(list));
    (directive.until(word.trim_end()), Some(codes))
}

/// What follows `noqa` in a comment that starts with it, in any case, as flake8 and ruff read it.
pub(super) fn strip_noqa(part: &str) -> Option<&str> {
    let head = part.get(..4)?;
    let rest = part.get(4..)?;
    (head.eq_ignore_ascii_case("noqa") && !rest.starts_with(|c: char| c.is_alphanumeric()))
        .then_some(rest)
}

/// The codes behind a colon; `None` where there is none, which means all.
pub(super) fn codes_after_colon(rest: Part<'_>) -> Option<Vec<Code>> {
    let list = rest.from(rest.text.trim_start()).after(":")?;
    // Words after the codes are an explanation, and no codes.
    let codes = split_codes(list).into_iter();
    Some(codes.take_while(|code| is_code(&code.text)).collect())
}

/// Whether `word` is letters followed by digits, as the codes of all linters are.
pub fn is_code(word: &str) -> bool {
    let digits = word.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    digits.len() < word.len() && !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit())
}

/// The codes of `type: ignore[…]`, and of the same of one type checker: only named ones count, a bare one
/// is about types in general.
pub(super) fn type_ignore(part: Part<'_>) -> Option<Vec<Code>> {
    const CHECKERS: [&str; 3] = ["type:", "pyright:", "ty:"];
    let directive = CHECKERS.iter().find_map(|checker| part.after(checker))?;
    match word_and_codes(directive.trim()) {
        (Part { text: "ignore", .. }, codes) => codes,
        _ => None,
    }
}

pub(super) fn split_codes(list: Part<'_>) -> Vec<Code> {
    let mut codes = Vec::new();
    let mut end = list.start;
    for text in list.text.split_inclusive([',', ' ', '\t']) {
        let start = end;
        end += text.text_len();
        let text = text.trim_matches([',', ' ', '\t']);
        if !text.is_empty() {
            codes.push(Code {
                text: text.to_owned(),
                range: TextRange::at(start, text.text_len()),
                is_used: Cell::new(false),
            });
        }
    }
    codes
}

#[cfg(test)]
mod tests {
    use super::is_for_programs;

    #[test]
    fn a_word_of_prose_is_for_people() {
        for comment in [
            "# noqa",
            "# noqa: E501,F401",
            "# noqa: E501 F401",
            "# type: ignore[arg-type, misc]",
            "# type: ignore  # noqa: S113",
            "# pylint: disable=broad-except, invalid-name",
            "# pragma: no cover",
            "# nosec B101",
        ] {
            assert!(is_for_programs(comment), "{comment}");
        }
        for comment in [
            "#",
            "# closes the session",
            "# noqa: E501 too long to break",
            "# type: ignore  # the stubs are wrong",
            "# pragma: no cover since nobody gets here",
        ] {
            assert!(!is_for_programs(comment), "{comment}");
        }
    }
}
