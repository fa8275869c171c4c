//! Code actions: fix this, fix all of it, or leave it as it is.

use asyncfix_codemods::finding::{Elsewhere, Finding, Remedy};
use asyncfix_engine::session::Checked;
use lsp_types::{
    CodeAction, CodeActionKind, CodeActionOrCommand, CodeActionParams, DocumentChanges, OneOf,
    OptionalVersionedTextDocumentIdentifier, Range, TextDocumentEdit, TextEdit, Uri, WorkspaceEdit,
};
use ruff_diagnostics::{Applicability, Edit};
use ruff_text_size::Ranged;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::FIX_ALL;
use super::client::Client;
use super::diagnostics::{diagnostic, open_or_on_disk};
use super::documents::{Document, Documents};
use super::positions::Positions;

/// What an action does whose edits are not known before it is chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub(super) enum Task {
    /// All safe fixes of the file.
    FixAll,
    /// All safe fixes of one rule in the file.
    FixRule {
        /// The rule's code.
        code: String,
    },
    /// One safe fix, which changes several cells of a notebook.
    FixInCells {
        /// The rule's code.
        code: String,
        /// What the finding says.
        message: String,
    },
    /// A comment that suppresses one finding.
    Suppress {
        /// The rule's code.
        code: String,
        /// Where the finding starts, as a byte offset.
        start: u32,
    },
}

/// What the client gives back when an action is chosen.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Data {
    pub(super) uri: Uri,
    pub(super) version: i32,
    pub(super) task: Task,
}

/// The actions at a place of a document. Those with a [`Task`] have no edits yet.
pub(super) fn at(
    params: &CodeActionParams,
    document: &Document,
    checked: &Checked,
    documents: &Documents,
    client: Client,
    offers_unsafe: bool,
) -> Vec<CodeAction> {
    let places = Positions::new(&checked.text, client.encoding);
    let wanted = params.context.only.as_deref();
    let mut actions = Vec::new();
    let here: Vec<&Finding> = checked
        .findings
        .iter()
        .filter(|finding| touch(places.range(finding.range), params.range))
        .collect();
    let later = |title: String, kind: CodeActionKind, task: Task| CodeAction {
        title,
        kind: Some(kind),
        data: Some(json!(Data {
            uri: document.uri.clone(),
            version: document.version,
            task,
        })),
        ..CodeAction::default()
    };
    if is_wanted(wanted, CodeActionKind::QUICKFIX.as_str()) {
        for finding in &here {
            let fix = fix_of(finding, document, &places, documents, client, offers_unsafe);
            if let (None, true, Remedy::Rewrite(rewrite)) =
                (&fix, document.is_cell, &finding.remedy)
                && rewrite.applicability == Applicability::Safe
            {
                let task = Task::FixInCells {
                    code: finding.rule.code.to_owned(),
                    message: finding.message.clone(),
                };
                let title = format!("Fix: {}", rewrite.title);
                let mut action = later(title, CodeActionKind::QUICKFIX, task);
                action.diagnostics = Some(vec![diagnostic(finding, &places)]);
                actions.push(action);
            }
            actions.extend(fix);
        }
        let mut codes: Vec<&str> = here.iter().map(|finding| finding.rule.code).collect();
        codes.sort_unstable();
        codes.dedup();
        for code in codes {
            let of_rule = checked.findings.iter().filter(|finding| {
                finding.rule.code == code && applicability(finding) == Some(Applicability::Safe)
            });
            if of_rule.count() > 1 {
                let title = format!("Fix all {code} in this file");
                let code = code.to_owned();
                actions.push(later(
                    title,
                    CodeActionKind::QUICKFIX,
                    Task::FixRule { code },
                ));
            }
        }
        // In a cell, the place is not that of the code.
        for finding in here.into_iter().filter(|_| !document.is_cell) {
            let title = format!("Suppress {} on this line", finding.rule.code);
            let task = Task::Suppress {
                code: finding.rule.code.to_owned(),
                start: finding.range.start().to_u32(),
            };
            let mut action = later(title, CodeActionKind::QUICKFIX, task);
            action.diagnostics = Some(vec![diagnostic(finding, &places)]);
            actions.push(action);
        }
    }
    let mut all = checked.findings.iter().map(applicability);
    if is_wanted(wanted, FIX_ALL) && all.any(|one| one == Some(Applicability::Safe)) {
        let title = "Fix all safe asyncfix problems".to_owned();
        actions.push(later(title, CodeActionKind::from(FIX_ALL), Task::FixAll));
    }
    actions
}

/// As the client takes them.
pub(super) fn to_response(actions: Vec<CodeAction>) -> Vec<CodeActionOrCommand> {
    actions
        .into_iter()
        .map(CodeActionOrCommand::CodeAction)
        .collect()
}

/// Whether the client wants actions of a kind: of itself, or of one that it belongs to.
fn is_wanted(wanted: Option<&[CodeActionKind]>, kind: &str) -> bool {
    wanted.is_none_or(|wanted| {
        wanted.iter().any(|wanted| {
            let rest = kind.strip_prefix(wanted.as_str());
            rest.is_some_and(|rest| {
                wanted.as_str().is_empty() || rest.is_empty() || rest.starts_with('.')
            })
        })
    })
}

fn applicability(finding: &Finding) -> Option<Applicability> {
    finding
        .remedy
        .rewrite()
        .map(|rewrite| rewrite.applicability)
}

/// Whether two ranges have a place in common.
fn touch(one: Range, other: Range) -> bool {
    one.start <= other.end && other.start <= one.end
}

/// The fix of one finding.
fn fix_of(
    finding: &Finding,
    document: &Document,
    places: &Positions<'_>,
    documents: &Documents,
    client: Client,
    offers_unsafe: bool,
) -> Option<CodeAction> {
    let Remedy::Rewrite(rewrite) = &finding.remedy else {
        return None;
    };
    let is_safe = rewrite.applicability == Applicability::Safe;
    if !is_safe && !offers_unsafe {
        return None;
    }
    let own = rewrite.own_edits();
    let own: Vec<TextEdit> = own.iter().map(|edit| text_edit(edit, places)).collect();
    let mut files = vec![(document.uri.clone(), Some(document.version), own)];
    for elsewhere in &rewrite.elsewhere {
        files.push(in_another(elsewhere, documents, client)?);
    }
    if files.iter().all(|(_, _, edits)| edits.is_empty()) {
        return None;
    }
    let title = match &rewrite.unsafe_because {
        Some(reason) => format!("Fix (unsafe): {} — {reason}", rewrite.title),
        None => format!("Fix: {}", rewrite.title),
    };
    Some(CodeAction {
        title,
        kind: Some(CodeActionKind::QUICKFIX),
        diagnostics: Some(vec![diagnostic(finding, places)]),
        edit: Some(workspace_edit(files, client)),
        is_preferred: is_safe.then_some(true),
        ..CodeAction::default()
    })
}

/// What changes in one file: its name, its version where it is open, and the edits.
pub(super) type Changed = (Uri, Option<i32>, Vec<TextEdit>);

fn in_another(elsewhere: &Elsewhere, documents: &Documents, client: Client) -> Option<Changed> {
    let edits_in = |text: &str| {
        let places = Positions::new(text, client.encoding);
        let edits = elsewhere.joined_edits();
        edits.iter().map(|edit| text_edit(edit, &places)).collect()
    };
    let version = documents.at(&elsewhere.path).map(|open| open.version);
    let (uri, text) = open_or_on_disk(&elsewhere.path, documents)?;
    Some((uri, version, edits_in(&text)))
}

fn text_edit(edit: &Edit, places: &Positions<'_>) -> TextEdit {
    TextEdit {
        range: places.range(edit.range()),
        new_text: edit.content().unwrap_or_default().to_owned(),
    }
}

/// Changes in several files as one.
pub(super) fn workspace_edit(files: Vec<Changed>, client: Client) -> WorkspaceEdit {
    if !client.takes_document_changes {
        let changes = files.into_iter().map(|(uri, _, edits)| (uri, edits));
        return WorkspaceEdit::new(changes.collect());
    }
    let edits = files
        .into_iter()
        .map(|(uri, version, edits)| TextDocumentEdit {
            text_document: OptionalVersionedTextDocumentIdentifier { uri, version },
            edits: edits.into_iter().map(OneOf::Left).collect(),
        });
    WorkspaceEdit {
        document_changes: Some(DocumentChanges::Edits(edits.collect())),
        ..WorkspaceEdit::default()
    }
}
