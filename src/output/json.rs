//! What the JSON formats say beyond those of ruff: the reason why a fix is unsafe or missing, and what a fix changes in
//! other files.

use std::path::Path;

use asyncfix_codemods::finding::{Elsewhere, Finding};
use asyncfix_codemods::rule::Rule;
use ruff_diagnostics::{Applicability, Edit};
use ruff_text_size::Ranged;
use serde_json::{Value, json};

use asyncfix_engine::places::Places;
use asyncfix_engine::run::Fixed;
use asyncfix_engine::source;

/// Adds to one finding, as the JSON formats show it, its `reason` (of an unsafe or a missing fix, else `null`), its
/// `evidence` (what is known of the values in it, each a `fact` with its `assumptions`) and, where
/// a fix changes several files, a `fix` with `files` instead of `edits`: a program that knows of one file alone must not
/// apply a part of it. Positions are like all others there: lines and columns from 1, in characters. `text` is that of the
/// finding's file.
pub(crate) fn complete(shown: &mut Value, finding: &Finding, text: &str, cwd: &Path) {
    let Some(shown) = shown.as_object_mut() else {
        return;
    };
    shown.insert("reason".to_owned(), json!(finding.reason()));
    shown.insert("evidence".to_owned(), json!(finding.evidence));
    shown.insert("fixed".to_owned(), json!(false));
    // As all other formats say; ruff's knows errors alone.
    shown.insert("severity".to_owned(), json!("warning"));
    let Some(rewrite) = finding.remedy.rewrite() else {
        return;
    };
    if rewrite.elsewhere.is_empty() {
        return;
    }
    let own = json!({
        "filename": shown.get("filename"),
        "edits": edits(&rewrite.own_edits(), text),
    });
    let others = rewrite
        .elsewhere
        .iter()
        .map(|elsewhere| in_another(elsewhere, cwd));
    // A part of it would be worse than nothing.
    let Some(files) = std::iter::once(Some(own))
        .chain(others)
        .collect::<Option<Vec<_>>>()
    else {
        return;
    };
    let fix = json!({
        "applicability": applicability(rewrite.applicability),
        "files": files,
        "message": rewrite.title,
    });
    shown.insert("fix".to_owned(), fix);
}

/// Adds to what went wrong in a file, as the JSON formats show it, what findings have as well.
pub(crate) fn complete_problem(shown: &mut Value) {
    let Some(shown) = shown.as_object_mut() else {
        return;
    };
    shown.insert("reason".to_owned(), Value::Null);
    shown.insert("evidence".to_owned(), json!([]));
    shown.insert("fixed".to_owned(), json!(false));
    shown.insert("severity".to_owned(), json!("error"));
}

/// A finding that was fixed, in the form of those that are left. Its place is the one that it had when it was fixed.
pub(crate) fn of_fixed(fixed: &Fixed, name: &Path) -> Value {
    let place = fixed
        .place
        .map(|(row, column)| json!({"row": row, "column": column}));
    let rule = asyncfix_codemods::rule(fixed.code);
    json!({
        "cell": null,
        "code": fixed.code,
        "evidence": [],
        "name": rule.map(|rule| rule.name),
        "end_location": null,
        "filename": name.to_string_lossy(),
        "fix": null,
        "fixed": true,
        "location": place,
        "message": fixed.message,
        "noqa_row": null,
        "reason": null,
        "severity": "warning",
        "url": rule.map(Rule::url),
    })
}

/// How ruff's formats call an applicability.
pub(crate) fn applicability(applicability: Applicability) -> &'static str {
    match applicability {
        Applicability::Safe => "safe",
        Applicability::Unsafe => "unsafe",
        Applicability::DisplayOnly => "display",
    }
}

fn in_another(elsewhere: &Elsewhere, cwd: &Path) -> Option<Value> {
    let source = source::read(&elsewhere.path).ok()?;
    let name = elsewhere.path.strip_prefix(cwd).unwrap_or(&elsewhere.path);
    Some(json!({
        "filename": name.to_string_lossy(),
        "edits": edits(&elsewhere.joined_edits(), &source.text),
    }))
}

fn edits(edits: &[Edit], text: &str) -> Vec<Value> {
    let places = Places::of(text);
    let shown = |edit: &Edit| {
        let (start, end) = (places.at(edit.start()), places.at(edit.end()));
        json!({
            "content": edit.content().unwrap_or_default(),
            "location": {"row": start.0, "column": start.1},
            "end_location": {"row": end.0, "column": end.1},
        })
    };
    edits.iter().map(shown).collect()
}
