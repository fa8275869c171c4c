//! What the JSON formats say beyond those of ruff: the reason why a fix is unsafe or missing, and what a fix changes in
//! other files.

use std::path::Path;

use asyncfix_codemods::finding::{Elsewhere, Finding, Remedy};
use ruff_diagnostics::Applicability;
use ruff_source_file::LineIndex;
use ruff_text_size::{Ranged, TextSize};
use serde_json::{Map, Value, json};

use crate::source;

/// Adds to one finding, as the JSON formats show it, its `reason` (of an unsafe or a missing fix, else `null`) and, where
/// a fix changes several files, a `fix` with `files` instead of `edits`: a program that knows of one file alone must not
/// apply a part of it. Positions are like all others there: lines and columns from 1, in characters. `text` is that of the
/// finding's file.
pub(crate) fn complete(shown: &mut Value, finding: &Finding, text: &str, cwd: &Path) {
    let Some(shown) = shown.as_object_mut() else {
        return;
    };
    let reason = match &finding.remedy {
        Remedy::Rewrite(rewrite) => rewrite.unsafe_because.as_deref(),
        Remedy::NotFixed(reason) => Some(reason.as_str()),
    };
    shown.insert("reason".to_owned(), json!(reason));
    let Some(rewrite) = finding.remedy.rewrite() else {
        return;
    };
    if rewrite.elsewhere.is_empty() {
        return;
    }
    let own = json!({
        "filename": shown.get("filename"),
        "edits": edits(rewrite.edits.iter().chain(&rewrite.shared), text),
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
    let applicability = match rewrite.applicability {
        Applicability::Safe => "safe",
        Applicability::Unsafe => "unsafe",
        Applicability::DisplayOnly => "display",
    };
    let fix = json!({
        "applicability": applicability,
        "files": files,
        "message": rewrite.title,
    });
    shown.insert("fix".to_owned(), fix);
}

fn in_another(elsewhere: &Elsewhere, cwd: &Path) -> Option<Value> {
    let source = source::read(&elsewhere.path).ok()?;
    let name = elsewhere.path.strip_prefix(cwd).unwrap_or(&elsewhere.path);
    Some(json!({
        "filename": name.to_string_lossy(),
        "edits": edits(elsewhere.edits.iter(), &source.text),
    }))
}

fn edits<'e>(edits: impl Iterator<Item = &'e ruff_diagnostics::Edit>, text: &str) -> Vec<Value> {
    let index = LineIndex::from_source_text(text);
    let place = |offset: TextSize| {
        let place = index.line_column(offset, text);
        json!({"row": place.line.get(), "column": place.column.get()})
    };
    let mut edits: Vec<_> = edits.collect();
    edits.sort_by_key(Ranged::start);
    edits
        .into_iter()
        .map(|edit| {
            let mut shown = Map::new();
            shown.insert(
                "content".to_owned(),
                json!(edit.content().unwrap_or_default()),
            );
            shown.insert("location".to_owned(), place(edit.start()));
            shown.insert("end_location".to_owned(), place(edit.end()));
            Value::Object(shown)
        })
        .collect()
}
