//! Findings, as the editor shows them.

use asyncfix_codemods::finding::Finding;
use asyncfix_engine::session::Checked;
use lsp_types::{
    CodeDescription, Diagnostic, DiagnosticSeverity, DiagnosticTag, NumberOrString, Uri,
};
use rustc_hash::FxHasher;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use super::NAME;
use super::positions::{Encoding, Places};
use crate::output::report::reason;

/// The rule about comments that suppress nothing.
const UNUSED: &str = "AF001";

/// The diagnostics of a file.
pub(super) fn of(checked: &Checked, encoding: Encoding) -> Vec<Diagnostic> {
    let places = Places::new(&checked.text, encoding);
    let findings = checked.findings.iter();
    findings
        .map(|finding| diagnostic(finding, &places))
        .collect()
}

/// One finding.
pub(super) fn diagnostic(finding: &Finding, places: &Places<'_>) -> Diagnostic {
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
