//! The thread that does the work: it takes over what has changed, and answers, one thing after the other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use asyncfix_codemods::finding::Finding;
use asyncfix_engine::config::{ConfigError, FILE_NAMES, Overrides};
use asyncfix_engine::lines::Lines;
use asyncfix_engine::panics;
use asyncfix_engine::session::{Cancellation, Checked, Rewritten, Session, SessionError};
use crossbeam_channel::{Receiver, Sender, TryRecvError};
use lsp_server::{ErrorCode, Message, Notification, Request, RequestId, Response, ResponseError};
use lsp_types::notification::{
    DidChangeConfiguration, DidChangeNotebookDocument, DidChangeTextDocument,
    DidChangeWatchedFiles, DidChangeWorkspaceFolders, DidCloseNotebookDocument,
    DidCloseTextDocument, DidOpenNotebookDocument, DidOpenTextDocument, DidSaveTextDocument,
    LogMessage, Notification as _, Progress, PublishDiagnostics, ShowMessage,
};
use lsp_types::request::{
    ApplyWorkspaceEdit, CodeActionRequest, CodeActionResolveRequest, DocumentDiagnosticRequest,
    ExecuteCommand, Formatting, HoverRequest, RangeFormatting, RegisterCapability, Request as _,
    WorkDoneProgressCreate, WorkspaceConfiguration, WorkspaceDiagnosticRefresh,
    WorkspaceDiagnosticRequest,
};
use lsp_types::{
    ApplyWorkspaceEditParams, CodeAction, ConfigurationItem, ConfigurationParams,
    DiagnosticServerCancellationData, DidChangeConfigurationParams,
    DidChangeNotebookDocumentParams, DidChangeTextDocumentParams, DidChangeWatchedFilesParams,
    DidChangeWatchedFilesRegistrationOptions, DidChangeWorkspaceFoldersParams,
    DidCloseNotebookDocumentParams, DidCloseTextDocumentParams, DidOpenNotebookDocumentParams,
    DidOpenTextDocumentParams, DidSaveTextDocumentParams, DocumentDiagnosticReport,
    FileSystemWatcher, FullDocumentDiagnosticReport, GlobPattern, LogMessageParams, MessageType,
    NumberOrString, ProgressParams, ProgressParamsValue, PublishDiagnosticsParams, Registration,
    RegistrationParams, RelatedFullDocumentDiagnosticReport,
    RelatedUnchangedDocumentDiagnosticReport, ShowMessageParams, TextEdit,
    UnchangedDocumentDiagnosticReport, Uri, WorkDoneProgress, WorkDoneProgressBegin,
    WorkDoneProgressCreateParams, WorkDoneProgressEnd, WorkspaceDiagnosticReport,
    WorkspaceDocumentDiagnosticReport, WorkspaceFullDocumentDiagnosticReport,
    WorkspaceUnchangedDocumentDiagnosticReport,
};
use rustc_hash::FxHashMap;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::actions::{self, Changed, Data, Task};
use super::client::{Client, Settings};
use super::documents::{Document, Documents, path_of, uri_of};
use super::notebooks::{Notebooks, in_cell};
use super::positions::Places;
use super::{APPLY_FIX_ALL, Job, NAME, Shared, diagnostics, hover};

/// What an answer of the client goes by among the notifications.
pub(super) const ANSWER: &str = "$/answer";

/// The question about settings.
const SETTINGS: &str = "asyncfix/settings";

/// Files besides Python's that say something about a project, or about its environment.
const OTHER_FILES: [&str; 12] = [
    "ruff.toml",
    ".ruff.toml",
    "setup.cfg",
    "setup.py",
    "tox.ini",
    "mypy.ini",
    "pyrightconfig.json",
    "Pipfile",
    ".python-version",
    "requirements*.txt",
    "pyvenv.cfg",
    ".editorconfig",
];

/// Why there is no answer.
enum Failure {
    /// The client does not want it any more.
    Cancelled,
    /// It has no place in what the client shows: a file with a syntax error keeps what it has.
    Unreadable,
    Error(ErrorCode, String),
}

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Cancelled => Self::Cancelled,
            SessionError::Unreadable(_) => Self::Unreadable,
            SessionError::Config(text) => Self::Error(ErrorCode::RequestFailed, text),
            SessionError::Internal(text) => Self::Error(ErrorCode::InternalError, text),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        SessionError::from(error).into()
    }
}

type Answer<T> = Result<T, Failure>;

pub(super) struct Worker {
    client: Client,
    outbox: Sender<Message>,
    shared: Arc<Shared>,
    session: Session,
    documents: Documents,
    notebooks: Notebooks,
    settings: Settings,
    /// What the command line says.
    base: Overrides,
    /// The folders that the editor has open.
    pub(super) folders: Vec<PathBuf>,
    /// What was pushed for each open file, by its name, and for which version.
    published: FxHashMap<String, (i32, String)>,
    /// Whether something may have changed since.
    is_published: bool,
    /// What is wrong with the configuration, as far as the user was told.
    told: Option<String>,
    requests: i32,
}

impl Worker {
    pub(super) fn new(
        client: Client,
        outbox: Sender<Message>,
        shared: Arc<Shared>,
        base: Overrides,
        cwd: &Path,
        settings: Result<Settings, String>,
    ) -> Result<Self, String> {
        let mut wrong = None;
        let settings = settings.unwrap_or_else(|error| {
            wrong = Some(error);
            Settings::default()
        });
        let overrides = settings.over(base.clone()).unwrap_or_else(|error| {
            wrong = Some(error);
            base.clone()
        });
        let session = Session::new(overrides, cwd).or_else(|error| {
            wrong = Some(error.0);
            // What the editor has set must not keep it from working.
            Session::new(base.clone(), cwd)
        });
        let mut worker = Self {
            client,
            outbox,
            shared,
            session: session.map_err(|error| error.0)?,
            documents: Documents::default(),
            notebooks: Notebooks::default(),
            settings,
            base,
            folders: Vec::new(),
            published: FxHashMap::default(),
            is_published: true,
            told: None,
            requests: 0,
        };
        if let Some(error) = wrong {
            worker.tell(error);
        }
        Ok(worker)
    }

    /// Works until it is told to stop, or nobody is there any more.
    pub(super) fn work(mut self, jobs: &Receiver<Job>) {
        self.watch_files();
        self.ask_for_settings();
        loop {
            let job = match jobs.try_recv() {
                Ok(job) => job,
                Err(TryRecvError::Disconnected) => return,
                Err(TryRecvError::Empty) => {
                    self.publish(jobs);
                    match jobs.recv() {
                        Ok(job) => job,
                        Err(_) => return,
                    }
                }
            };
            match job {
                Job::Stop(id) => {
                    self.send(Response::new_ok(id, Value::Null));
                    return;
                }
                Job::Notification(notification) => {
                    let method = notification.method.clone();
                    let taken = self.guarded(|worker| worker.take(notification));
                    if let Err(error) | Ok(Err(error)) = taken {
                        self.log(MessageType::ERROR, format!("{method}: {error}"));
                    }
                }
                Job::Request(request, cancellation) => self.answer(request, &cancellation),
            }
        }
    }

    /// Does something in which a bug does not end the server.
    fn guarded<T>(&mut self, what: impl FnOnce(&mut Self) -> T) -> Result<T, String> {
        catch_unwind(AssertUnwindSafe(|| what(self))).map_err(|_| {
            let reason = panics::last_panic();
            // Nothing of what it knew can be trusted.
            let _ = self.session.configuration_changed(None);
            format!("internal error, please report it: {reason}")
        })
    }

    fn send(&self, message: impl Into<Message>) {
        // Where nobody listens, the end is near.
        let _ = self.outbox.send(message.into());
    }

    fn notify<N: lsp_types::notification::Notification>(&self, params: N::Params) {
        self.send(Notification::new(N::METHOD.to_owned(), params));
    }

    fn ask<R: lsp_types::request::Request>(&mut self, name: &str, params: R::Params) {
        self.requests += 1;
        let id = RequestId::from(format!("{name}#{}", self.requests));
        self.send(Request::new(id, R::METHOD.to_owned(), params));
    }

    fn log(&self, typ: MessageType, message: String) {
        self.notify::<LogMessage>(LogMessageParams { typ, message });
    }

    /// Tells the user what is wrong, once.
    fn tell(&mut self, error: String) {
        if self.told.as_ref() != Some(&error) {
            self.notify::<ShowMessage>(ShowMessageParams {
                typ: MessageType::ERROR,
                message: format!("asyncfix: {error}"),
            });
            self.told = Some(error);
        }
    }
}

/// What the client says.
impl Worker {
    fn take(&mut self, notification: Notification) -> Result<(), String> {
        let Notification { method, params } = notification;
        match method.as_str() {
            DidOpenTextDocument::METHOD => {
                let params: DidOpenTextDocumentParams = read(params)?;
                let item = params.text_document;
                if let Some(document) = self.documents.open(item.uri, item.version, item.text) {
                    self.session
                        .set_text(&document.path, Arc::clone(&document.text));
                }
            }
            DidChangeTextDocument::METHOD => {
                let params: DidChangeTextDocumentParams = read(params)?;
                let document = self.documents.change(
                    &params.text_document.uri,
                    params.text_document.version,
                    params.content_changes,
                    self.client.encoding,
                );
                if let Some(document) = document {
                    self.session
                        .set_text(&document.path, Arc::clone(&document.text));
                }
            }
            DidCloseTextDocument::METHOD => {
                let params: DidCloseTextDocumentParams = read(params)?;
                if let Some(document) = self.documents.close(&params.text_document.uri) {
                    self.session.close(&document.path);
                    self.published.remove(document.uri.as_str());
                    if !self.client.pulls {
                        self.push(document.uri, Vec::new(), None);
                    }
                }
            }
            DidOpenNotebookDocument::METHOD => {
                let params: DidOpenNotebookDocumentParams = read(params)?;
                let notebook = params.notebook_document;
                if let Some(known) = self.notebooks.open(&notebook.uri, notebook.cells) {
                    for cell in params.cell_text_documents {
                        self.documents.open_cell(cell, &known.path);
                    }
                }
                self.notebook_changed(&notebook.uri);
            }
            DidChangeNotebookDocument::METHOD => {
                let params: DidChangeNotebookDocumentParams = read(params)?;
                self.change_notebook(params);
            }
            DidCloseNotebookDocument::METHOD => {
                let params: DidCloseNotebookDocumentParams = read(params)?;
                for cell in params.cell_text_documents {
                    self.close_cell(&cell.uri);
                }
                if let Some(notebook) = self.notebooks.close(&params.notebook_document.uri) {
                    self.session.close(&notebook.path);
                }
            }
            DidSaveTextDocument::METHOD => {
                let params: DidSaveTextDocumentParams = read(params)?;
                if let Some(path) = path_of(&params.text_document.uri) {
                    self.session.file_changed(&path);
                }
            }
            DidChangeWatchedFiles::METHOD => {
                let params: DidChangeWatchedFilesParams = read(params)?;
                self.files_changed(&params);
            }
            DidChangeConfiguration::METHOD => {
                let params: DidChangeConfigurationParams = read(params)?;
                if self.client.has_settings {
                    self.ask_for_settings();
                } else if !params.settings.is_null() {
                    self.set(&params.settings);
                }
            }
            DidChangeWorkspaceFolders::METHOD => {
                let params: DidChangeWorkspaceFoldersParams = read(params)?;
                let removed: Vec<PathBuf> = params
                    .event
                    .removed
                    .iter()
                    .filter_map(|folder| path_of(&folder.uri))
                    .collect();
                self.folders.retain(|folder| !removed.contains(folder));
                let added = params.event.added.iter();
                self.folders
                    .extend(added.filter_map(|folder| path_of(&folder.uri)));
            }
            ANSWER => {
                let id = params.get("id").and_then(Value::as_str);
                if id.is_some_and(|id| id.starts_with(SETTINGS)) {
                    let set = params.get("result").and_then(|list| list.get(0));
                    if let Some(set) = set.cloned() {
                        self.set(&set);
                    }
                }
                return Ok(());
            }
            _ => return Ok(()),
        }
        self.is_published = false;
        Ok(())
    }

    fn change_notebook(&mut self, params: DidChangeNotebookDocumentParams) {
        let uri = params.notebook_document.uri;
        let Some(cells) = params.change.cells else {
            return;
        };
        if let Some(structure) = cells.structure {
            self.notebooks.change(&uri, structure.array);
            let path = self.notebooks.get(&uri).map(|known| known.path.clone());
            for cell in structure.did_open.into_iter().flatten() {
                if let Some(path) = &path {
                    self.documents.open_cell(cell, path);
                }
            }
            for cell in structure.did_close.into_iter().flatten() {
                self.close_cell(&cell.uri);
            }
        }
        self.notebooks.update(&uri, cells.data.unwrap_or_default());
        for change in cells.text_content.into_iter().flatten() {
            let cell = change.document;
            let encoding = self.client.encoding;
            self.documents
                .change(&cell.uri, cell.version, change.changes, encoding);
        }
        self.notebook_changed(&uri);
    }

    fn notebook_changed(&mut self, uri: &Uri) {
        if let Some(notebook) = self.notebooks.get(uri) {
            let json = notebook.json(&self.documents);
            self.session.set_text(&notebook.path, Arc::from(json));
        }
    }

    fn close_cell(&mut self, uri: &Uri) {
        if let Some(document) = self.documents.close(uri) {
            self.published.remove(document.uri.as_str());
            if !self.client.pulls {
                self.push(document.uri, Vec::new(), None);
            }
        }
    }

    fn files_changed(&mut self, params: &DidChangeWatchedFilesParams) {
        let paths: Vec<PathBuf> = params
            .changes
            .iter()
            .filter_map(|change| path_of(&change.uri))
            .collect();
        let is_python = |path: &PathBuf| {
            let extension = path.extension().and_then(|extension| extension.to_str());
            matches!(extension, Some("py" | "pyi" | "ipynb"))
        };
        let (python, others): (Vec<_>, Vec<_>) = paths.into_iter().partition(is_python);
        for path in &python {
            self.session.file_changed(path);
        }
        if !others.is_empty() {
            self.reconfigure();
        }
        self.refresh();
    }

    /// Has the client ask for all diagnostics again.
    fn refresh(&mut self) {
        if self.client.pulls && self.client.refreshes {
            self.ask::<WorkspaceDiagnosticRefresh>("asyncfix/refresh", ());
        }
    }

    fn watch_files(&mut self) {
        if !self.client.watches {
            return;
        }
        let names = FILE_NAMES.iter().chain(&OTHER_FILES).copied();
        let patterns = ["*.py", "*.pyi"].into_iter().chain(names);
        let watchers = patterns
            .map(|pattern| FileSystemWatcher {
                glob_pattern: GlobPattern::String(format!("**/{pattern}")),
                kind: None,
            })
            .collect();
        let options = DidChangeWatchedFilesRegistrationOptions { watchers };
        let registration = Registration {
            id: "asyncfix/files".to_owned(),
            method: DidChangeWatchedFiles::METHOD.to_owned(),
            register_options: serde_json::to_value(options).ok(),
        };
        self.ask::<RegisterCapability>(
            "asyncfix/register",
            RegistrationParams {
                registrations: vec![registration],
            },
        );
    }

    fn ask_for_settings(&mut self) {
        if self.client.has_settings {
            let item = ConfigurationItem {
                scope_uri: None,
                section: Some(NAME.to_owned()),
            };
            self.ask::<WorkspaceConfiguration>(SETTINGS, ConfigurationParams { items: vec![item] });
        }
    }

    fn set(&mut self, settings: &Value) {
        match Settings::of(settings) {
            // An editor without a word about them leaves those that it started with.
            Ok(_) if settings.is_null() => {}
            Ok(settings) => {
                self.settings = settings;
                self.reconfigure();
                self.refresh();
            }
            Err(error) => self.tell(error),
        }
    }

    fn reconfigure(&mut self) {
        self.is_published = false;
        let changed = self.settings.over(self.base.clone()).and_then(|overrides| {
            let changed = self.session.configuration_changed(Some(overrides));
            changed.map_err(|error| error.0)
        });
        match changed {
            Ok(()) => self.told = None,
            Err(error) => self.tell(error),
        }
    }
}

/// What the client asks.
impl Worker {
    fn answer(&mut self, request: Request, cancellation: &Cancellation) {
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

    fn answer_to(
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
                let encoding = self.client.encoding;
                let checked = checked.as_ref();
                value(hover::at(&document.text, checked, at.position, encoding))
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
    fn checked(&mut self, document: &Document, cancellation: &Cancellation) -> Answer<Checked> {
        if self.settings.enable == Some(false) || self.session.is_excluded(&document.path)? {
            return Ok(Checked {
                text: Arc::clone(&document.text),
                ..Checked::default()
            });
        }
        let is_first = self.session.size_of_project(&document.path).is_none();
        let progress = is_first.then(|| self.begin()).flatten();
        let checked = self.session.check(&document.path, cancellation);
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

    /// Says that the files of a project are looked at for the first time.
    fn begin(&mut self) -> Option<NumberOrString> {
        if !self.client.shows_progress {
            return None;
        }
        let token = NumberOrString::String("asyncfix/index".to_owned());
        self.ask::<WorkDoneProgressCreate>(
            "asyncfix/progress",
            WorkDoneProgressCreateParams {
                token: token.clone(),
            },
        );
        let begin = WorkDoneProgressBegin {
            title: "asyncfix".to_owned(),
            message: Some("reading the project".to_owned()),
            ..WorkDoneProgressBegin::default()
        };
        self.progress(token.clone(), WorkDoneProgress::Begin(begin));
        Some(token)
    }

    fn end(&self, token: Option<NumberOrString>) {
        if let Some(token) = token {
            self.progress(token, WorkDoneProgress::End(WorkDoneProgressEnd::default()));
        }
    }

    fn progress(&self, token: NumberOrString, value: WorkDoneProgress) {
        self.notify::<Progress>(ProgressParams {
            token,
            value: ProgressParamsValue::WorkDone(value),
        });
    }

    fn report(
        &mut self,
        uri: &Uri,
        before: Option<&str>,
        cancellation: &Cancellation,
    ) -> Answer<DocumentDiagnosticReport> {
        let items = match self.documents.get(uri).cloned() {
            Some(document) => diagnostics::of(
                &self.checked(&document, cancellation)?,
                self.client.encoding,
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
    fn report_all(
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
            let checked = match self.session.check(&path, cancellation) {
                Ok(checked) if self.settings.enable != Some(false) => checked,
                Ok(_) => Checked::default(),
                Err(SessionError::Unreadable(_)) => continue,
                Err(error) => return Err(error.into()),
            };
            let found = diagnostics::of(&checked, self.client.encoding);
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

    fn actions(
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
    fn resolved(
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

    fn edits_of(
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
    fn changes(&self, document: &Document, rewritten: &Rewritten) -> Vec<Changed> {
        let edits = |document: &Document, new: &str| {
            let places = Places::new(&document.text, self.client.encoding);
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
    fn formatted(
        &mut self,
        uri: &Uri,
        lines: Option<Lines>,
        cancellation: &Cancellation,
    ) -> Answer<Option<Vec<TextEdit>>> {
        let Some(document) = self.documents.get(uri).cloned() else {
            return Ok(None);
        };
        if self.settings.enable == Some(false) || self.session.is_excluded(&document.path)? {
            return Ok(None);
        }
        let rewritten = match self.session.fix(&document.path, lines, None, cancellation) {
            Ok(rewritten) => rewritten,
            Err(SessionError::Unreadable(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        for complaint in &rewritten.complaints {
            self.log(MessageType::WARNING, complaint.clone());
        }
        let changes = self.changes(&document, &rewritten).into_iter();
        let own = changes.filter(|(name, _, _)| name == uri);
        Ok(own.map(|(_, _, edits)| edits).next())
    }

    fn execute(
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

/// What the client is told without asking.
impl Worker {
    fn push(&self, uri: Uri, diagnostics: Vec<lsp_types::Diagnostic>, version: Option<i32>) {
        self.notify::<PublishDiagnostics>(PublishDiagnosticsParams {
            uri,
            diagnostics,
            version,
        });
    }

    /// Pushes the diagnostics of all open files, where the client does not ask for them, until there is something else
    /// to do.
    fn publish(&mut self, jobs: &Receiver<Job>) {
        if self.client.pulls || self.is_published {
            return;
        }
        let cancellation = Cancellation::default();
        *self.shared.idle() = cancellation.clone();
        let documents: Vec<Document> = self.documents.iter().cloned().collect();
        for document in documents {
            // What came before it could be called off is there already.
            if !jobs.is_empty() {
                return;
            }
            let checked = self.guarded(|worker| worker.checked(&document, &cancellation));
            let found = match checked {
                Ok(Ok(checked)) => diagnostics::of(&checked, self.client.encoding),
                Ok(Err(Failure::Cancelled)) => return,
                // It keeps those that it has.
                Ok(Err(Failure::Unreadable)) => continue,
                Ok(Err(Failure::Error(_, error))) => {
                    self.tell(error);
                    continue;
                }
                Err(error) => {
                    self.log(MessageType::ERROR, error);
                    continue;
                }
            };
            let state = (document.version, diagnostics::name_of(&found));
            let known = self.published.get(document.uri.as_str());
            if known != Some(&state) {
                self.published
                    .insert(document.uri.as_str().to_owned(), state);
                self.push(document.uri, found, Some(document.version));
            }
        }
        self.is_published = true;
    }
}

fn read<T: DeserializeOwned>(params: Value) -> Result<T, String> {
    serde_json::from_value(params).map_err(|error| error.to_string())
}

fn parsed<T: DeserializeOwned>(params: Value) -> Answer<T> {
    read(params).map_err(|error| Failure::Error(ErrorCode::InvalidParams, error))
}

fn value(answer: impl Serialize) -> Answer<Value> {
    serde_json::to_value(answer)
        .map_err(|error| Failure::Error(ErrorCode::InternalError, error.to_string()))
}

/// The response where there is no answer.
fn failure(id: RequestId, failure: &Failure, is_outdated: bool, is_diagnostic: bool) -> Response {
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

fn called_off(id: RequestId, retrigger_request: bool) -> Response {
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
