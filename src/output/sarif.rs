//! Findings as SARIF 2.1.0 (OASIS), for code scanning: each with its fix, in one file or several, and the reason where the
//! fix is unsafe or missing.

use std::path::Path;

use asyncfix_codemods::CODEMODS;
use asyncfix_codemods::finding::Finding;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ruff_diagnostics::Edit;
use ruff_text_size::{Ranged, TextRange};
use serde_json::{Value, json};

use crate::output::json::applicability;
use asyncfix_engine::places::Places;
use asyncfix_engine::problem::Problem;
use asyncfix_engine::run::Outcome;
use asyncfix_engine::source;

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// What need not be escaped in the path of a URI (RFC 3986, section 3.3).
const OUTSIDE_OF_PATHS: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// All findings, and what went wrong in files, as one log with one run. Columns count characters.
pub(crate) fn render(outcomes: &[Outcome], problems: &[Problem], cwd: &Path) -> String {
    let rules: Vec<Value> = CODEMODS
        .iter()
        .map(|codemod| {
            let rule = codemod.rule();
            json!({
                "id": rule.code,
                "name": rule.name,
                "shortDescription": {"text": rule.finds},
                "helpUri": rule.url(),
                "help": {"text": rule.page, "markdown": rule.page},
                "defaultConfiguration": {"enabled": rule.is_on_by_default(), "level": "warning"},
                "properties": {"tags": [rule.pitfall]},
            })
        })
        .collect();
    let results: Vec<Value> = outcomes
        .iter()
        .flat_map(|outcome| {
            let places = Places::of(outcome.text());
            let findings = outcome.findings.iter();
            findings
                .map(|finding| result(finding, &outcome.shown, &places, cwd))
                .collect::<Vec<_>>()
        })
        .chain(problems.iter().map(result_of_problem))
        .collect();
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "asyncfix",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    serde_json::to_string_pretty(&log).unwrap_or_default()
}

fn result_of_problem(problem: &Problem) -> Value {
    let mut location = json!({"artifactLocation": artifact(&problem.shown)});
    // The lines of a cell are none of the file.
    let place = problem.place.filter(|place| place.cell.is_none());
    if let (Some(place), Some(location)) = (place, location.as_object_mut()) {
        let region = json!({"startLine": place.line, "startColumn": place.column});
        location.insert("region".to_owned(), region);
    }
    json!({
        "ruleId": problem.kind.name(),
        "level": "error",
        "message": {"text": problem.message},
        "locations": [{"physicalLocation": location}],
    })
}

fn result(finding: &Finding, shown: &Path, places: &Places<'_>, cwd: &Path) -> Value {
    let reason = finding.reason();
    let text = match reason {
        Some(reason) => format!("{}: {reason}", finding.message),
        None => finding.message.clone(),
    };
    let number = CODEMODS
        .iter()
        .position(|codemod| codemod.rule() == finding.rule);
    let mut result = json!({
        "ruleId": finding.rule.code,
        "ruleIndex": number,
        "level": "warning",
        "message": {"text": text},
        "locations": [{"physicalLocation": {
            "artifactLocation": artifact(shown),
            "region": region(places, finding.range),
        }}],
        "properties": {"reason": reason},
    });
    let Some(rewrite) = finding.remedy.rewrite() else {
        return result;
    };
    let own = change(shown, places, &rewrite.own_edits());
    let others = rewrite.elsewhere.iter().map(|elsewhere| {
        let source = source::read(&elsewhere.path).ok()?;
        let shown = elsewhere.path.strip_prefix(cwd).unwrap_or(&elsewhere.path);
        Some(change(
            shown,
            &Places::of(&source.text),
            &elsewhere.joined_edits(),
        ))
    });
    // A part of a fix would be worse than none.
    let changes: Option<Vec<Value>> = std::iter::once(Some(own)).chain(others).collect();
    if let (Some(changes), Some(result)) = (changes, result.as_object_mut()) {
        let fix = json!({
            "description": {"text": rewrite.title},
            "artifactChanges": changes,
            "properties": {"applicability": applicability(rewrite.applicability)},
        });
        result.insert("fixes".to_owned(), json!([fix]));
    }
    result
}

fn change(shown: &Path, places: &Places<'_>, edits: &[Edit]) -> Value {
    let replacements: Vec<Value> = edits
        .iter()
        .map(|edit| {
            json!({
                "deletedRegion": region(places, edit.range()),
                "insertedContent": {"text": edit.content().unwrap_or_default()},
            })
        })
        .collect();
    json!({"artifactLocation": artifact(shown), "replacements": replacements})
}

fn artifact(path: &Path) -> Value {
    let parts = path.iter().map(|part| part.to_string_lossy());
    let path = parts.collect::<Vec<_>>().join("/");
    // A root is a component of its own.
    let path = path.replacen("//", "/", 1);
    json!({"uri": utf8_percent_encode(&path, OUTSIDE_OF_PATHS).to_string()})
}

fn region(places: &Places<'_>, range: TextRange) -> Value {
    let (start, end) = (places.at(range.start()), places.at(range.end()));
    json!({
        "startLine": start.0,
        "startColumn": start.1,
        "endLine": end.0,
        "endColumn": end.1,
    })
}
