//! Writes suppression comments: for code that is to be mended later, or is right as it is.

use std::collections::BTreeMap;

use ruff_diagnostics::Edit;
use ruff_python_ast::comparable::ComparableStmt;
use ruff_python_ast::token::TokenKind;
use ruff_python_parser::parse_module;
use ruff_source_file::LineRanges;
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::{Suppressions, unused};
use crate::edit::rewrite;
use crate::file::File;
use crate::finding::Finding;

/// A text with comments that suppress findings.
pub struct Added {
    /// The text.
    pub text: String,
    /// The places of the suppressed ones among the findings.
    pub suppressed: Vec<usize>,
}

/// Adds `# asyncfix: ignore[…]` for `findings`, at the end of the line that each starts on, or ends on where that line is
/// part of a string. `None` where there is no such line for any of them.
pub fn add(file: &File<'_, '_>, findings: &[Finding]) -> Option<Added> {
    let mut codes_at: BTreeMap<TextSize, Vec<&str>> = BTreeMap::new();
    let mut suppressed = Vec::new();
    for (number, finding) in findings.iter().enumerate() {
        // A comment that is of no use is not made better by another one.
        if finding.rule == &unused::RULE {
            continue;
        }
        let ends = [finding.range.start(), finding.range.end()];
        let free = ends
            .into_iter()
            .map(|at| file.source.line_end(at))
            .find(|end| takes_comment(file, *end));
        if let Some(end) = free {
            let codes = codes_at.entry(end).or_default();
            if !codes.contains(&finding.rule.code) {
                codes.push(finding.rule.code);
            }
            suppressed.push(number);
        }
    }
    if suppressed.is_empty() {
        return None;
    }
    let existing = Suppressions::of(file);
    let edits: Vec<Edit> = codes_at
        .into_iter()
        .map(|(end, codes)| {
            let line = file.source.line_range(end);
            match existing.end_of_list(line) {
                Some((at, is_empty)) => {
                    let comma = if is_empty { "" } else { ", " };
                    Edit::insertion(format!("{comma}{}", codes.join(", ")), at)
                }
                None => Edit::insertion(format!("  # asyncfix: ignore[{}]", codes.join(", ")), end),
            }
        })
        .collect();
    let text = rewrite::apply(file.source, &edits);
    let is_same = parse_module(&text).is_ok_and(|module| {
        let new = module.syntax().body.iter().map(ComparableStmt::from);
        new.eq(file.body().iter().map(ComparableStmt::from))
    });
    is_same.then_some(Added { text, suppressed })
}

/// Whether a comment may stand at the end of a line: it is not inside of a string, and no backslash ends it.
fn takes_comment(file: &File<'_, '_>, end: TextSize) -> bool {
    let line = file.source.line_range(end);
    let is_in_string = file.tokens().iter().any(|token| {
        let is_string = matches!(
            token.kind(),
            TokenKind::String
                | TokenKind::FStringMiddle
                | TokenKind::TStringMiddle
                | TokenKind::FStringStart
                | TokenKind::TStringStart
        );
        is_string && token.start() < end && end < token.end()
    });
    let has_comment = file.comments.comments_in_range(line).last().is_some();
    !is_in_string && (has_comment || !file.source[line].trim_end().ends_with('\\'))
}

impl Suppressions {
    /// Where the list of codes ends of the comment of our own that stands on this line, and whether it is empty.
    fn end_of_list(&self, line: TextRange) -> Option<(TextSize, bool)> {
        let mut directives = self.directives.iter();
        let directive = directives.find(|directive| {
            let is_ignore = directive
                .own
                .as_ref()
                .is_some_and(|word| word.meant == Some("ignore"));
            is_ignore && line.contains_range(directive.part)
        })?;
        let codes = directive.codes.as_ref()?;
        match codes.last() {
            Some(last) => Some((last.range.end(), false)),
            None => Some((
                directive.own.as_ref()?.range.end() + TextSize::of('['),
                true,
            )),
        }
    }
}
