//! Comments that say: leave this as it is.

use ruff_diagnostics::Edit;
use ruff_source_file::LineRanges;
use ruff_text_size::{TextLen, TextRange, TextSize};

use crate::file::File;
use crate::finding::Finding;
use crate::rule::Rule;

/// The suppression comments of one file.
pub struct Suppressions {
    whole_file: Vec<Suppressed>,
    /// Each with the lines it speaks for.
    lines: Vec<(TextRange, Suppressed)>,
}

enum Suppressed {
    Everything,
    Codes(Vec<String>),
}

impl Suppressed {
    fn covers(&self, rule: &Rule) -> bool {
        match self {
            Self::Everything => true,
            Self::Codes(codes) => codes.iter().any(|code| {
                rule.is_selected_by(code)
                    || rule
                        .equivalents
                        .iter()
                        .any(|other| other.eq_ignore_ascii_case(code))
            }),
        }
    }
}

impl Suppressions {
    /// Reads the comments of `file`.
    pub fn of(file: &File<'_, '_>) -> Self {
        let mut suppressions = Self {
            whole_file: Vec::new(),
            lines: Vec::new(),
        };
        for range in file.comments.iter() {
            let text = &file.source[*range];
            // One comment may hold several: `# type: ignore  # noqa: AF801`.
            for part in text.split('#').map(str::trim) {
                if let Some(directive) = part.strip_prefix("asyncfix:") {
                    suppressions.read_own(file, *range, directive.trim());
                } else if let Some(directive) = of_linter(part) {
                    suppressions.read_linters(file, *range, directive.trim());
                } else if let Some(rest) = strip_noqa(part) {
                    let line = file.source.line_range(range.start());
                    suppressions.lines.push((line, codes_after_colon(rest)));
                } else if let Some(codes) = type_ignore(part) {
                    let line = file.source.line_range(range.start());
                    suppressions.lines.push((line, Suppressed::Codes(codes)));
                }
            }
        }
        suppressions
    }

    fn read_own(&mut self, file: &File<'_, '_>, comment: TextRange, directive: &str) {
        let (word, codes) = word_and_codes(directive);
        let suppressed = codes.map_or(Suppressed::Everything, Suppressed::Codes);
        match word {
            "ignore-file" => self.whole_file.push(suppressed),
            "ignore" => self
                .lines
                .push((Self::spoken_for(file, comment), suppressed)),
            _ => {}
        }
    }

    /// What ruff reads after its own name (ruff documentation, "Error suppression"), and flake8 after its: one
    /// line, a whole file, or all from one comment to the next.
    fn read_linters(&mut self, file: &File<'_, '_>, comment: TextRange, directive: &str) {
        // Behind code, what is for a file is taken to be meant for the line.
        let is_alone = file.starts_line(comment.start());
        if let Some(rest) = strip_noqa(directive) {
            let suppressed = codes_after_colon(rest);
            if is_alone {
                self.whole_file.push(suppressed);
            } else {
                self.lines
                    .push((Self::spoken_for(file, comment), suppressed));
            }
            return;
        }
        let (word, Some(codes)) = word_and_codes(directive) else {
            return;
        };
        match word {
            "file-ignore" if is_alone => self.whole_file.push(Suppressed::Codes(codes)),
            "ignore" | "file-ignore" => {
                let line = Self::spoken_for(file, comment);
                self.lines.push((line, Suppressed::Codes(codes)));
            }
            "disable" => {
                let rest = TextRange::new(comment.start(), file.source.text_len());
                self.lines.push((rest, Suppressed::Codes(codes)));
            }
            "enable" => {
                let begun = self.lines.iter_mut().rev().find(|(range, suppressed)| {
                    range.end() == file.source.text_len()
                        && matches!(suppressed, Suppressed::Codes(disabled) if *disabled == codes)
                });
                if let Some((range, _)) = begun {
                    *range = TextRange::new(range.start(), comment.start());
                }
            }
            _ => {}
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
        self.whole_file
            .iter()
            .any(|suppressed| suppressed.covers(rule))
            || self.lines.iter().any(|(line, suppressed)| {
                (line.contains_inclusive(range.start()) || line.contains_inclusive(range.end()))
                    && suppressed.covers(rule)
            })
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
    const WORDS: [&str; 9] = [
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
    let rest = strip_noqa(part).or_else(|| WORDS.iter().find_map(|word| part.strip_prefix(word)));
    rest.is_some_and(|rest| {
        let codes = rest.trim().replace(", ", ",");
        let codes = codes.trim_start_matches([':', '=', ' ']);
        !codes.contains(char::is_whitespace) || split_codes(codes).iter().all(|code| is_code(code))
    })
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
        let codes = split_codes(list);
        if strip_noqa(head.trim()).is_none()
            || !codes.iter().any(|code| gone.contains(&code.as_str()))
        {
            continue;
        }
        let kept: Vec<String> = codes
            .into_iter()
            .filter(|code| !gone.contains(&code.as_str()))
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

/// What follows the name of another linter in a comment.
fn of_linter(part: &str) -> Option<&str> {
    part.strip_prefix("ruff:")
        .or_else(|| part.strip_prefix("flake8:"))
}

/// The word of a directive, and the codes in brackets behind it.
fn word_and_codes(directive: &str) -> (&str, Option<Vec<String>>) {
    match directive.split_once('[') {
        Some((word, rest)) => {
            let list = rest.split(']').next().unwrap_or_default();
            (word.trim(), Some(split_codes(list)))
        }
        None => (
            directive.split_whitespace().next().unwrap_or_default(),
            None,
        ),
    }
}

/// What follows `noqa` in a comment that starts with it, in any case, as flake8 and ruff read it.
fn strip_noqa(part: &str) -> Option<&str> {
    let head = part.get(..4)?;
    let rest = part.get(4..)?;
    (head.eq_ignore_ascii_case("noqa") && !rest.starts_with(|c: char| c.is_alphanumeric()))
        .then_some(rest)
}

fn codes_after_colon(rest: &str) -> Suppressed {
    match rest.trim_start().strip_prefix(':') {
        // Words after the codes are an explanation, and no codes.
        Some(list) => Suppressed::Codes(
            split_codes(list)
                .into_iter()
                .take_while(|word| is_code(word))
                .collect(),
        ),
        None => Suppressed::Everything,
    }
}

/// Whether `word` is letters followed by digits, as the codes of all linters are.
pub fn is_code(word: &str) -> bool {
    let digits = word.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    digits.len() < word.len() && !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit())
}

/// The codes of `type: ignore[…]`, and of the same of one type checker: only named ones count, a bare one
/// is about types in general.
fn type_ignore(part: &str) -> Option<Vec<String>> {
    const CHECKERS: [&str; 3] = ["type:", "pyright:", "ty:"];
    let directive = CHECKERS
        .iter()
        .find_map(|checker| part.strip_prefix(checker))?;
    match word_and_codes(directive.trim_start()) {
        ("ignore", codes) => codes,
        _ => None,
    }
}

fn split_codes(list: &str) -> Vec<String> {
    list.split([',', ' ', '\t'])
        .map(str::trim)
        .filter(|code| !code.is_empty())
        .map(str::to_owned)
        .collect()
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
