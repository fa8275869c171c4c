//! What the client asks, and what it is told.

use std::sync::Arc;

use asyncfix_codemods::finding::Finding;
use asyncfix_engine::lines::Lines;
use asyncfix_engine::session::{Cancellation, Checked, Rewritten, SessionError};
use lsp_server::{ErrorCode, Request, RequestId, Response, ResponseError};
use lsp_types::request::{
    ApplyWorkspaceEdit, CodeActionRequest, CodeActionResolveRequest, DocumentDiagnosticRequest,
    ExecuteCommand, Formatting, HoverRequest, RangeFormatting, Request as _,
    WorkspaceDiagnosticRequest,
};
use lsp_types::{
    ApplyWorkspaceEditParams, CodeAction, DiagnosticServerCancellationData,
    DocumentDiagnosticReport, FullDocumentDiagnosticReport, MessageType,
    RelatedFullDocumentDiagnosticReport, RelatedUnchangedDocumentDiagnosticReport, TextEdit,
    UnchangedDocumentDiagnosticReport, Uri, WorkspaceDiagnosticReport,
    WorkspaceDocumentDiagnosticReport, WorkspaceFullDocumentDiagnosticReport,
    WorkspaceUnchangedDocumentDiagnosticReport,
};
use rustc_hash::FxHashMap;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::actions::{self, Changed, Data, Task};
use super::documents::{Document, uri_of};
use super::notebooks::in_cell;
use super::positions::Positions;
use super::{APPLY_FIX_ALL, diagnostics, hover};
use crate::server::worker::{Failure, Worker, read};

/// The response where there is no answer.
pub(super) fn failure(
    id: RequestId,
    failure: &Failure,
    is_outdated: bool,
    is_diagnostic: bool,
) -> Response {
    match failure {
        Failure::Cancelled if is_outdated && is_diagnostic => called_off(id, true),
        Failure::Cancelled if is_outdated => {
            let message = "the file has changed since".to_owned();
            Response::new_err(id, ErrorCode::ContentModified as i32, message)
        }
        Failure::Cancelled => {
            let message = "cancelled by the client".to_owned();
            Response::new_err(id, ErrorCode::RequestCanceled as i32, message)
        }
        // The client keeps what it shows, and moves it along with the text.
        Failure::Unreadable if is_diagnostic => called_off(id, false),
        Failure::Unreadable => Response::new_ok(id, Value::Null),
        Failure::Error(code, message) => Response::new_err(id, *code as i32, message.clone()),
    }
}

pub(super) fn called_off(id: RequestId, retrigger_request: bool) -> Response {
    let message = if retrigger_request {
        "the file has changed since"
    } else {
        "the file has a syntax error"
    };
    Response {
        id,
        response_result: Err(ResponseError {
            code: ErrorCode::ServerCancelled as i32,
            message: message.to_owned(),
            data: Some(json!(DiagnosticServerCancellationData {
                retrigger_request
            })),
        }),
    }
}

pub(super) fn parsed<T: DeserializeOwned>(params: Value) -> Answer<T> {
    read(params).map_err(|error| Failure::Error(ErrorCode::InvalidParams, error))
}

pub(super) fn value(answer: impl Serialize) -> Answer<Value> {
    serde_json::to_value(answer)
        .map_err(|error| Failure::Error(ErrorCode::InternalError, error.to_string()))
}

pub(super) type Answer<T> = Result<T, Failure>;

impl Worker {
    pub(super) fn answer(&mut self, request: Request, cancellation: &Cancellation) {
        let Request { id, method, params } = request;
        let is_diagnostic = method == DocumentDiagnosticRequest::METHOD
            || method == WorkspaceDiagnosticRequest::METHOD;
        let answer = if cancellation.is_cancelled() {
            Err(Failure::Cancelled)
        } else {
            self.guarded(|worker| worker.answer_to(&method, params, cancellation))
                .unwrap_or_else(|error| Err(Failure::Error(ErrorCode::InternalError, error)))
        };
        let is_outdated = self.shared.answered(&id);
        let response = match answer {
            // It is about a text that nobody has any more.
            Ok(_) if is_outdated => failure(id, &Failure::Cancelled, true, is_diagnostic),
            Ok(value) => Response::new_ok(id, value),
            Err(error) => {
                if let Failure::Error(ErrorCode::RequestFailed, error) = &error {
                    self.tell(error.clone());
                }
                failure(id, &error, is_outdated, is_diagnostic)
            }
        };
        self.send(response);
    }

    pub(super) fn answer_to(
        &mut self,
        method: &str,
        params: Value,
        cancellation: &Cancellation,
    ) -> Answer<Value> {
        match method {
            DocumentDiagnosticRequest::METHOD => {
                let params: lsp_types::DocumentDiagnosticParams = parsed(params)?;
                let uri = params.text_document.uri;
                let before = params.previous_result_id;
                value(self.report(&uri, before.as_deref(), cancellation)?)
            }
            WorkspaceDiagnosticRequest::METHOD => {
                let params: lsp_types::WorkspaceDiagnosticParams = parsed(params)?;
                value(self.report_all(&params, cancellation)?)
            }
            CodeActionRequest::METHOD => {
                let params: lsp_types::CodeActionParams = parsed(params)?;
                value(self.actions(&params, cancellation)?)
            }
            CodeActionResolveRequest::METHOD => {
                let action: CodeAction = parsed(params)?;
                value(self.resolved(action, cancellation)?)
            }
            Formatting::METHOD => {
                let params: lsp_types::DocumentFormattingParams = parsed(params)?;
                value(self.formatted(&params.text_document.uri, None, cancellation)?)
            }
            RangeFormatting::METHOD => {
                let params: lsp_types::DocumentRangeFormattingParams = parsed(params)?;
                let (start, end) = (params.range.start, params.range.end);
                // A range that ends at the start of a line has nothing of it.
                let is_before = end.character == 0 && end.line > start.line;
                let last = end.line as usize + usize::from(!is_before);
                let lines = Lines::new(vec![start.line as usize + 1..=last]);
                value(self.formatted(&params.text_document.uri, Some(lines), cancellation)?)
            }
            HoverRequest::METHOD => {
                let params: lsp_types::HoverParams = parsed(params)?;
                let at = params.text_document_position_params;
                let Some(document) = self.documents.get(&at.text_document.uri).cloned() else {
                    return Ok(Value::Null);
                };
                let checked = match self.checked(&document, cancellation) {
                    Ok(checked) => Some(checked),
                    Err(Failure::Unreadable) => None,
                    Err(failure) => return Err(failure),
                };
                let checked = checked.as_ref();
                value(hover::at(&document.text, checked, at.position, self.client))
            }
            ExecuteCommand::METHOD => {
                let params: lsp_types::ExecuteCommandParams = parsed(params)?;
                self.execute(&params, cancellation)
            }
            _ => Err(Failure::Error(
                ErrorCode::MethodNotFound,
                format!("{method} is not known"),
            )),
        }
    }

    /// The findings in a document; none where it is excluded, or asyncfix is turned off.
    pub(super) fn checked(
        &mut self,
        document: &Document,
        cancellation: &Cancellation,
    ) -> Answer<Checked> {
        if self.settings.enable == Some(false) || self.session.is_excluded(&document.path)? {
            return Ok(Checked {
                text: Arc::clone(&document.text),
                ..Checked::default()
            });
        }
        let is_first = self.session.size_of_project(&document.path).is_none();
        let progress = is_first.then(|| self.begin()).flatten();
        let checked = self.session.check(&document.path, true, cancellation);
        self.end(progress);
        let checked = checked?;
        if is_first && let Some(size) = self.session.size_of_project(&document.path) {
            let shown = document.path.display();
            self.log(
                MessageType::INFO,
                format!("{shown}: a project of {size} files"),
            );
        }
        for complaint in &checked.complaints {
            self.log(MessageType::WARNING, complaint.clone());
        }
        if !document.is_cell {
            return Ok(checked);
        }
        let place = self.notebooks.of_cell(&document.uri);
        let own = place.and_then(|(_, number)| in_cell(&checked, number, &document.text));
        Ok(own.unwrap_or_default())
    }

    pub(super) fn report(
        &mut self,
        uri: &Uri,
        before: Option<&str>,
        cancellation: &Cancellation,
    ) -> Answer<DocumentDiagnosticReport> {
        let items = match self.documents.get(uri).cloned() {
            Some(document) => diagnostics::of(
                &self.checked(&document, cancellation)?,
                &self.documents,
                self.client,
            ),
            None => Vec::new(),
        };
        let name = diagnostics::name_of(&items);
        if before == Some(name.as_str()) {
            return Ok(DocumentDiagnosticReport::Unchanged(
                RelatedUnchangedDocumentDiagnosticReport {
                    related_documents: None,
                    unchanged_document_diagnostic_report: UnchangedDocumentDiagnosticReport {
                        result_id: name,
                    },
                },
            ));
        }
        Ok(DocumentDiagnosticReport::Full(
            RelatedFullDocumentDiagnosticReport {
                related_documents: None,
                full_document_diagnostic_report: FullDocumentDiagnosticReport {
                    result_id: Some(name),
                    items,
                },
            },
        ))
    }

    /// Reports on all files of the open folders.
    pub(super) fn report_all(
        &mut self,
        params: &lsp_types::WorkspaceDiagnosticParams,
        cancellation: &Cancellation,
    ) -> Answer<WorkspaceDiagnosticReport> {
        let before: FxHashMap<&str, &str> = params
            .previous_result_ids
            .iter()
            .map(|known| (known.uri.as_str(), known.value.as_str()))
            .collect();
        let folders = self.folders.clone();
        let mut items = Vec::new();
        for path in self.session.files_below(&folders)? {
            let open = self.documents.at(&path).cloned();
            let version = open.as_ref().map(|document| i64::from(document.version));
            let Some(uri) = open.map(|document| document.uri).or_else(|| uri_of(&path)) else {
                continue;
            };
            let checked = match self.session.check(&path, false, cancellation) {
                Ok(checked) if self.settings.enable != Some(false) => checked,
                Ok(_) => Checked::default(),
                Err(SessionError::Unreadable(_)) => continue,
                Err(error) => return Err(error.into()),
            };
            let found = diagnostics::of(&checked, &self.documents, self.client);
            let name = diagnostics::name_of(&found);
            let known = before.get(uri.as_str());
            items.push(if known == Some(&name.as_str()) {
                WorkspaceDocumentDiagnosticReport::Unchanged(
                    WorkspaceUnchangedDocumentDiagnosticReport {
                        uri,
                        version,
                        unchanged_document_diagnostic_report: UnchangedDocumentDiagnosticReport {
                            result_id: name,
                        },
                    },
                )
            } else if found.is_empty() && known.is_none() {
                continue;
            } else {
                WorkspaceDocumentDiagnosticReport::Full(WorkspaceFullDocumentDiagnosticReport {
                    uri,
                    version,
                    full_document_diagnostic_report: FullDocumentDiagnosticReport {
                        result_id: Some(name),
                        items: found,
                    },
                })
            });
        }
        Ok(WorkspaceDiagnosticReport { items })
    }

    pub(super) fn actions(
        &mut self,
        params: &lsp_types::CodeActionParams,
        cancellation: &Cancellation,
    ) -> Answer<Value> {
        let Some(document) = self.documents.get(&params.text_document.uri).cloned() else {
            return Ok(Value::Null);
        };
        let checked = match self.checked(&document, cancellation) {
            Ok(checked) => checked,
            Err(Failure::Unreadable) => return Ok(Value::Null),
            Err(failure) => return Err(failure),
        };
        let mut actions = actions::at(
            params,
            &document,
            &checked,
            &self.documents,
            self.client,
            self.settings.unsafe_fixes != Some(false),
        );
        if !self.client.resolves {
            for action in &mut actions {
                if action.edit.is_none() {
                    *action = self.resolved(action.clone(), cancellation)?;
                }
            }
        }
        value(actions::to_response(actions))
    }

    /// An action with its edits.
    pub(super) fn resolved(
        &mut self,
        mut action: CodeAction,
        cancellation: &Cancellation,
    ) -> Answer<CodeAction> {
        let Some(data) = action.data.clone() else {
            return Ok(action);
        };
        let Data { uri, version, task } = parsed(data)?;
        let Some(document) = self.documents.get(&uri).cloned() else {
            return Ok(action);
        };
        if document.version != version {
            let message = "the file has changed since".to_owned();
            return Err(Failure::Error(ErrorCode::ContentModified, message));
        }
        let edits = self.edits_of(&document, &task, cancellation)?;
        action.edit = Some(actions::workspace_edit(edits, self.client));
        Ok(action)
    }

    pub(super) fn edits_of(
        &mut self,
        document: &Document,
        task: &Task,
        cancellation: &Cancellation,
    ) -> Answer<Vec<Changed>> {
        let path = &document.path;
        let rewritten = match task {
            Task::FixAll => self.session.fix(path, None, None, cancellation),
            Task::FixRule { code } => {
                let only = |finding: &Finding| finding.rule.code == code;
                self.session.fix(path, None, Some(&only), cancellation)
            }
            Task::FixInCells { code, message } => {
                let only =
                    |finding: &Finding| finding.rule.code == code && finding.message == *message;
                self.session.fix(path, None, Some(&only), cancellation)
            }
            Task::Suppress { code, start } => {
                let only = |finding: &Finding| {
                    finding.rule.code == code && finding.range.start().to_u32() == *start
                };
                self.session.suppress(path, &only, cancellation)
            }
        };
        let rewritten = match rewritten {
            Ok(rewritten) => rewritten,
            Err(SessionError::Unreadable(_)) => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        for complaint in &rewritten.complaints {
            self.log(MessageType::WARNING, complaint.clone());
        }
        Ok(self.changes(document, &rewritten))
    }

    /// What becomes of a document, or of the cells of the notebook that it belongs to.
    pub(super) fn changes(&self, document: &Document, rewritten: &Rewritten) -> Vec<Changed> {
        let edits = |document: &Document, new: &str| {
            let places = Positions::new(&document.text, self.client.encoding);
            let edits = places.edits_to(new);
            (document.uri.clone(), Some(document.version), edits)
        };
        if !document.is_cell {
            let new = rewritten.text.iter();
            return new.map(|new| edits(document, new)).collect();
        }
        let Some((notebook, _)) = self.notebooks.of_cell(&document.uri) else {
            return Vec::new();
        };
        let changed = rewritten.cells.iter().filter_map(|(number, new)| {
            let cell = self.documents.get(notebook.cell(*number)?)?;
            // The code of all cells has a line break behind each.
            Some(edits(cell, new.strip_suffix('\n').unwrap_or(new)))
        });
        changed.collect()
    }

    /// The edits that make all safe fixes of a file, or of some lines.
    pub(super) fn formatted(
        &mut self,
        uri: &Uri,
        lines: Option<Lines>,
        cancellation: &Cancellation,
    ) -> Answer<Option<Vec<TextEdit>>> {
        let Some((document, rewritten)) = self.rewritten(uri, lines, cancellation)? else {
            return Ok(None);
        };
        for complaint in &rewritten.complaints {
            self.log(MessageType::WARNING, complaint.clone());
        }
        let changes = self.changes(&document, &rewritten).into_iter();
        let own = changes.filter(|(name, _, _)| name == uri);
        Ok(own.map(|(_, _, edits)| edits).next())
    }

    /// What becomes of an open document when all safe fixes are made, or those on some lines. `None` where nothing may
    /// be changed: it is excluded, asyncfix is turned off, or its text can't be parsed.
    pub(super) fn rewritten(
        &mut self,
        uri: &Uri,
        lines: Option<Lines>,
        cancellation: &Cancellation,
    ) -> Answer<Option<(Document, Rewritten)>> {
        let Some(document) = self.documents.get(uri).cloned() else {
            return Ok(None);
        };
        if self.settings.enable == Some(false) || self.session.is_excluded(&document.path)? {
            return Ok(None);
        }
        match self.session.fix(&document.path, lines, None, cancellation) {
            Ok(rewritten) => Ok(Some((document, rewritten))),
            Err(SessionError::Unreadable(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn execute(
        &mut self,
        params: &lsp_types::ExecuteCommandParams,
        cancellation: &Cancellation,
    ) -> Answer<Value> {
        let wrong = |text: &str| Failure::Error(ErrorCode::InvalidParams, text.to_owned());
        if params.command != APPLY_FIX_ALL {
            return Err(wrong("there is no such command"));
        }
        let first = params.arguments.first().cloned().unwrap_or_default();
        let uri = first.get("uri").cloned().unwrap_or(first);
        let uri: Uri = serde_json::from_value(uri)
            .map_err(|_| wrong("the argument must be the name of an open file"))?;
        let Some(document) = self.documents.get(&uri).cloned() else {
            return Err(wrong("the file is not open"));
        };
        let edits = self.edits_of(&document, &Task::FixAll, cancellation)?;
        if !edits.is_empty() {
            let edit = actions::workspace_edit(edits, self.client);
            let label = Some("Fix all safe asyncfix problems".to_owned());
            self.ask::<ApplyWorkspaceEdit>(
                "asyncfix/apply",
                ApplyWorkspaceEditParams { label, edit },
            );
        }
        Ok(Value::Null)
    }
}
