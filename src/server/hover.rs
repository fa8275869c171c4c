//! What is shown where the pointer rests: what is wrong there and why, or what a code in a comment means.

use asyncfix_codemods::finding::Finding;
use asyncfix_codemods::rule::Rule;
use asyncfix_engine::session::Checked;
use lsp_types::{Hover, HoverContents, MarkupContent, MarkupKind, Position};
use ruff_text_size::{TextRange, TextSize};

use crate::output::report;

use super::client::Client;
use super::positions::Positions;

/// What is to be said about a position in a file. `checked` has its findings, where it could be looked at.
pub(super) fn at(
    text: &str,
    checked: Option<&Checked>,
    position: Position,
    client: Client,
) -> Option<Hover> {
    let places = Positions::new(text, client.encoding);
    let offset = places.offset(position);
    let of_findings = || {
        let at = TextSize::try_from(offset).ok()?;
        let findings = checked?.findings.iter();
        let found: Vec<_> = findings
            .filter(|finding| finding.range.contains_inclusive(at))
            .collect();
        let range = found.first()?.range;
        // The message stands beside this already.
        let parts: Vec<String> = found.iter().map(|finding| explained(finding)).collect();
        Some((parts.join("\n\n---\n\n"), range))
    };
    let (value, range) = code_at(text, offset)
        .map(|(rule, range)| (about(rule), range))
        .or_else(of_findings)?;
    let (kind, value) = if client.reads_markdown {
        (MarkupKind::Markdown, value)
    } else {
        (MarkupKind::PlainText, value.replace("**", ""))
    };
    Some(Hover {
        contents: HoverContents::Markup(MarkupContent { kind, value }),
        range: Some(places.range(range)),
    })
}

/// What a finding relies on, below its rule.
fn explained(finding: &Finding) -> String {
    let mut text = about(finding.rule);
    let known = report::evidence(finding);
    if !known.is_empty() {
        text.push_str("\n\n**What is known here**\n");
        for line in known {
            text.push_str("\n- ");
            text.push_str(&line);
        }
    }
    text
}

/// The code of a rule in a comment that has this byte offset in it.
fn code_at(text: &str, offset: usize) -> Option<(&'static Rule, TextRange)> {
    let line_start = text
        .get(..offset)?
        .rfind(['\n', '\r'])
        .map_or(0, |at| at + 1);
    let line = text.get(line_start..)?.lines().next()?;
    let comment = line.find('#')?;
    let at = offset - line_start;
    if at < comment {
        return None;
    }
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let start = line
        .get(..at)?
        .rfind(|c| !is_part(c))
        .map_or(0, |at| at + 1);
    let length = line.get(start..)?.find(|c| !is_part(c));
    let end = length.map_or(line.len(), |length| start + length);
    let rule = asyncfix_codemods::rule(line.get(start..end)?)?;
    let size = |at: usize| TextSize::try_from(line_start + at).ok();
    Some((rule, TextRange::new(size(start)?, size(end)?)))
}

/// The parts of a rule's page that are shown.
const PARTS: [&str; 2] = ["Why is this bad", "Example"];

/// A rule: its title, why it matters, and an example with its fix.
fn about(rule: &Rule) -> String {
    let mut text = format!("**[{}]({})** {}", rule.code, rule.url(), rule.name);
    for part in rule.page.split("\n## ").skip(1) {
        if let Some((heading, body)) = part.split_once('\n')
            && PARTS.contains(&heading.trim())
        {
            text.push_str("\n\n");
            text.push_str(body.trim());
        }
    }
    text
}
