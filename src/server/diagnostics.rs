//! Findings, as the editor shows them.

use std::hash::{Hash, Hasher};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use asyncfix_codemods::finding::Finding;
use asyncfix_engine::places::definition_of;
use asyncfix_engine::session::Checked;
use asyncfix_engine::source;
use lsp_types::{
    CodeDescription, Diagnostic, DiagnosticRelatedInformation, DiagnosticSeverity, DiagnosticTag,
    Location, NumberOrString, Uri,
};
use ruff_diagnostics::Edit;
use ruff_text_size::Ranged;
use rustc_hash::FxHasher;

use super::NAME;
use super::client::Client;
use super::documents::{Documents, uri_of};
use super::positions::Positions;
use crate::output::report::reason;

/// The rule about comments that suppress nothing.
const UNUSED: &str = "AF001";

/// The diagnostics of a file.
pub(super) fn of(checked: &Checked, documents: &Documents, client: Client) -> Vec<Diagnostic> {
    let places = Positions::new(&checked.text, client.encoding);
    let findings = checked.findings.iter();
    findings
        .map(|finding| Diagnostic {
            related_information: client
                .shows_related
                .then(|| related(finding, documents, client))
                .filter(|related| !related.is_empty()),
            ..diagnostic(finding, &places)
        })
        .collect()
}

/// What plays a part in a finding in other places: functions that do, and what has to change with it.
fn related(
    finding: &Finding,
    documents: &Documents,
    client: Client,
) -> Vec<DiagnosticRelatedInformation> {
    let functions = finding.related.iter().filter_map(|related| {
        let (uri, text) = open_or_on_disk(&related.path, documents)?;
        let range = definition_of(&text, &related.function)?;
        Some(DiagnosticRelatedInformation {
            location: Location::new(uri, Positions::new(&text, client.encoding).range(range)),
            message: related.message.clone(),
        })
    });
    let rewrite = finding.remedy.rewrite();
    let elsewhere = rewrite.iter().flat_map(|rewrite| &rewrite.elsewhere);
    let changed = elsewhere.flat_map(|elsewhere| {
        let found = open_or_on_disk(&elsewhere.path, documents);
        found.into_iter().flat_map(|(uri, text)| {
            let places = Positions::new(&text, client.encoding);
            let at = |edit: &Edit| DiagnosticRelatedInformation {
                location: Location::new(uri.clone(), places.range(edit.range())),
                message: "the fix changes this as well".to_owned(),
            };
            elsewhere.edits.iter().map(at).collect::<Vec<_>>()
        })
    });
    functions.chain(changed).collect()
}

/// The text of a file as it is now, and its name.
pub(super) fn open_or_on_disk(path: &Path, documents: &Documents) -> Option<(Uri, Arc<str>)> {
    if let Some(open) = documents.at(path) {
        return Some((open.uri.clone(), Arc::clone(&open.text)));
    }
    Some((uri_of(path)?, source::read(path).ok()?.text))
}

/// One finding.
pub(super) fn diagnostic(finding: &Finding, places: &Positions<'_>) -> Diagnostic {
    let message = match reason(finding) {
        Some(reason) => format!("{}\n{reason}", finding.message),
        None => finding.message.clone(),
    };
    let is_unnecessary = finding.rule.code == UNUSED;
    Diagnostic {
        range: places.range(finding.range),
        severity: Some(DiagnosticSeverity::WARNING),
        code: Some(NumberOrString::String(finding.rule.code.to_owned())),
        code_description: Uri::from_str(&finding.rule.url())
            .ok()
            .map(|href| CodeDescription { href }),
        source: Some(NAME.to_owned()),
        message,
        related_information: None,
        tags: is_unnecessary.then(|| vec![DiagnosticTag::UNNECESSARY]),
        data: None,
    }
}

/// A name for some diagnostics, which is that of others only where they are the same.
pub(super) fn name_of(diagnostics: &[Diagnostic]) -> String {
    let mut hasher = FxHasher::default();
    serde_json::to_string(diagnostics)
        .unwrap_or_default()
        .hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
