//! The thread that does the work: it takes over what has changed, and answers, one thing after the other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use asyncfix_engine::cache::Place;
use asyncfix_engine::config::{ConfigError, FILE_NAMES, Overrides};
use asyncfix_engine::panics;
use asyncfix_engine::session::{Cancellation, Session, SessionError};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError};
use lsp_server::{ErrorCode, Message, Notification, Request, RequestId, Response};
use lsp_types::notification::{
    DidChangeConfiguration, DidChangeNotebookDocument, DidChangeTextDocument,
    DidChangeWatchedFiles, DidChangeWorkspaceFolders, DidCloseNotebookDocument,
    DidCloseTextDocument, DidOpenNotebookDocument, DidOpenTextDocument, DidSaveTextDocument,
    LogMessage, Notification as _, Progress, PublishDiagnostics, ShowMessage,
};
use lsp_types::request::{
    RegisterCapability, WorkDoneProgressCreate, WorkspaceConfiguration, WorkspaceDiagnosticRefresh,
};
use lsp_types::{
    ConfigurationItem, ConfigurationParams, DidChangeConfigurationParams,
    DidChangeNotebookDocumentParams, DidChangeTextDocumentParams, DidChangeWatchedFilesParams,
    DidChangeWatchedFilesRegistrationOptions, DidChangeWorkspaceFoldersParams,
    DidCloseNotebookDocumentParams, DidCloseTextDocumentParams, DidOpenNotebookDocumentParams,
    DidOpenTextDocumentParams, DidSaveTextDocumentParams, FileSystemWatcher, GlobPattern,
    LogMessageParams, MessageType, NumberOrString, ProgressParams, ProgressParamsValue,
    PublishDiagnosticsParams, Registration, RegistrationParams, ShowMessageParams, Uri,
    WorkDoneProgress, WorkDoneProgressBegin, WorkDoneProgressCreateParams, WorkDoneProgressEnd,
};
use rustc_hash::FxHashMap;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::client::{Client, Settings};
use super::documents::{Document, Documents, path_of};
use super::notebooks::Notebooks;
use super::{Job, NAME, Shared, diagnostics};

/// How long nobody types before what was put off is done.
const PAUSE: Duration = Duration::from_millis(200);

/// How long nobody asks anything before the fixes are made that the next save may want.
const SHORT_PAUSE: Duration = Duration::from_millis(50);

/// The question about settings.
const SETTINGS: &str = "asyncfix/settings";

/// Files besides Python's that say something about a project, or about its environment.
const OTHER_FILES: [&str; 14] = [
    "ruff.toml",
    ".ruff.toml",
    "setup.cfg",
    "setup.py",
    "tox.ini",
    "mypy.ini",
    "pytest.ini",
    ".pytest.ini",
    "pyrightconfig.json",
    "Pipfile",
    ".python-version",
    "requirements*.txt",
    "pyvenv.cfg",
    ".editorconfig",
];

/// Why there is no answer.
pub(super) enum Failure {
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

pub(super) struct Worker {
    pub(super) client: Client,
    outbox: Sender<Message>,
    pub(super) shared: Arc<Shared>,
    pub(super) session: Session,
    pub(super) documents: Documents,
    pub(super) notebooks: Notebooks,
    pub(super) settings: Settings,
    /// What the command line says.
    base: Overrides,
    /// The folders that the editor has open.
    pub(super) folders: Vec<PathBuf>,
    /// What was pushed for each open file, by its name, and for which version.
    published: FxHashMap<String, (i32, String)>,
    /// Whether something may have changed since.
    is_published: bool,
    /// The document that was changed last, as long as nobody knows what a save would make of it.
    changed: Option<Uri>,
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
        cache: Place,
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
            session: session.map_err(|error| error.0)?.with_cache(cache),
            documents: Documents::default(),
            notebooks: Notebooks::default(),
            settings,
            base,
            folders: Vec::new(),
            published: FxHashMap::default(),
            is_published: true,
            changed: None,
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
                    // What called it off may have been taken over before it began.
                    while !self.publish(jobs) && jobs.is_empty() {}
                    match self.next(jobs) {
                        Ok(job) => job,
                        Err(RecvTimeoutError::Disconnected) => return,
                        Err(RecvTimeoutError::Timeout) if self.session.is_behind() => {
                            self.catch_up();
                            self.fix_ahead(jobs);
                            continue;
                        }
                        Err(RecvTimeoutError::Timeout) => {
                            self.fix_ahead(jobs);
                            continue;
                        }
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
                Job::Answer(response) => self.take_answer(&response),
                Job::Request(request, cancellation) => self.answer(request, &cancellation),
            }
        }
    }

    /// Waits for the next job. Where something was put off, or can be done ahead, not for long.
    fn next(&self, jobs: &Receiver<Job>) -> Result<Job, RecvTimeoutError> {
        if self.session.is_behind() {
            return jobs.recv_timeout(PAUSE);
        }
        if self.changed.is_some() {
            return jobs.recv_timeout(SHORT_PAUSE);
        }
        jobs.recv().map_err(|_| RecvTimeoutError::Disconnected)
    }

    /// Makes the fixes of the document that was changed last, so that a save need not wait for them. Whatever the client
    /// says calls it off; what goes wrong is told when somebody asks.
    fn fix_ahead(&mut self, jobs: &Receiver<Job>) {
        let Some(uri) = self.changed.take() else {
            return;
        };
        let cancellation = Cancellation::default();
        *self.shared.idle() = cancellation.clone();
        // What came before it could be called off is there already.
        if !jobs.is_empty() {
            self.changed = Some(uri);
            return;
        }
        let made = self.guarded(|worker| worker.rewritten(&uri, None, &cancellation));
        match made {
            Ok(Err(Failure::Cancelled)) => self.changed = Some(uri),
            Ok(_) => {}
            Err(error) => self.log(MessageType::ERROR, error),
        }
    }

    /// Does what was put off, and has the client look again.
    fn catch_up(&mut self) {
        let caught = self.guarded(|worker| worker.session.catch_up());
        match caught {
            Ok(Ok(())) => {
                self.is_published = false;
                self.refresh();
            }
            Ok(Err(SessionError::Config(error))) => self.tell(error),
            Ok(Err(_)) => {}
            Err(error) => self.log(MessageType::ERROR, error),
        }
    }

    /// Does something in which a bug does not end the server.
    pub(super) fn guarded<T>(&mut self, what: impl FnOnce(&mut Self) -> T) -> Result<T, String> {
        catch_unwind(AssertUnwindSafe(|| what(self))).map_err(|_| {
            let reason = panics::last_panic();
            // Nothing of what it knew can be trusted.
            let _ = self.session.configuration_changed(None);
            format!("internal error, please report it: {reason}")
        })
    }

    pub(super) fn send(&self, message: impl Into<Message>) {
        // Where nobody listens, the end is near.
        let _ = self.outbox.send(message.into());
    }

    fn notify<N: lsp_types::notification::Notification>(&self, params: N::Params) {
        self.send(Notification::new(N::METHOD.to_owned(), params));
    }

    pub(super) fn ask<R: lsp_types::request::Request>(&mut self, name: &str, params: R::Params) {
        self.requests += 1;
        let id = RequestId::from(format!("{name}#{}", self.requests));
        self.send(Request::new(id, R::METHOD.to_owned(), params));
    }

    pub(super) fn log(&self, typ: MessageType, message: String) {
        self.notify::<LogMessage>(LogMessageParams { typ, message });
    }

    /// Tells the user what is wrong, once.
    pub(super) fn tell(&mut self, error: String) {
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
                self.look_at_disk();
                if let Some(document) = self.documents.open(item.uri, item.version, item.text) {
                    self.session.set_text(&document.path, &document.text);
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
                    self.session.set_text(&document.path, &document.text);
                    self.changed = Some(document.uri.clone());
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
                self.look_at_disk();
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
            _ => return Ok(()),
        }
        self.is_published = false;
        Ok(())
    }

    /// Looks for files that have changed, where the client does not say so.
    fn look_at_disk(&mut self) {
        if !self.client.watches {
            self.session.look_at_disk();
        }
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
            self.session.set_text(&notebook.path, &Arc::from(json));
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

    /// Takes over what is set. Nothing else is asked whose answer matters.
    fn take_answer(&mut self, response: &Response) {
        let is_settings = response
            .id
            .to_string()
            .trim_matches('"')
            .starts_with(SETTINGS);
        if let (true, Ok(list)) = (is_settings, &response.response_result)
            && let Some(set) = list.get(0)
        {
            self.set(set);
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
                if let Err(error) = self.apply(&settings) {
                    // What was set before still holds.
                    return self.tell(error);
                }
                self.settings = settings;
                self.is_published = false;
                self.check_configurations();
                self.refresh();
            }
            Err(error) => self.tell(error),
        }
    }

    /// Lets settings hold, and reads all configurations anew. `Err` where the settings are wrong: nothing changes then.
    fn apply(&mut self, settings: &Settings) -> Result<(), String> {
        let overrides = settings.over(self.base.clone())?;
        let changed = self.session.configuration_changed(Some(overrides));
        changed.map_err(|error| error.0)
    }

    fn reconfigure(&mut self) {
        self.is_published = false;
        match self.apply(&self.settings.clone()) {
            Ok(()) => self.check_configurations(),
            Err(error) => self.tell(error),
        }
    }

    /// Tells what is wrong in the configurations of open files. They are read when they are asked for, and perhaps nobody
    /// asks for a while.
    fn check_configurations(&mut self) {
        let wrong = self
            .documents
            .iter()
            .find_map(|document| self.session.config_of(&document.path).err());
        match wrong {
            None => self.told = None,
            Some(error) => self.tell(error.0),
        }
    }
}

/// What the client is told while it waits.
impl Worker {
    /// Says that the files of a project are looked at for the first time.
    pub(super) fn begin(&mut self) -> Option<NumberOrString> {
        if !self.client.shows_progress {
            return None;
        }
        // A token is good for one piece of work.
        let token = NumberOrString::String(format!("asyncfix/index#{}", self.requests));
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

    pub(super) fn end(&self, token: Option<NumberOrString>) {
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

    /// Pushes the diagnostics of all open files, where the client does not ask for them. Whether all is said: it stops
    /// when there is something else to do.
    fn publish(&mut self, jobs: &Receiver<Job>) -> bool {
        if self.client.pulls || self.is_published {
            return true;
        }
        let cancellation = Cancellation::default();
        *self.shared.idle() = cancellation.clone();
        let documents: Vec<Document> = self.documents.iter().cloned().collect();
        for document in documents {
            // What came before it could be called off is there already.
            if !jobs.is_empty() {
                return false;
            }
            let checked = self.guarded(|worker| worker.checked(&document, &cancellation));
            let found = match checked {
                Ok(Ok(checked)) => diagnostics::of(&checked, &self.documents, self.client),
                Ok(Err(Failure::Cancelled)) => return false,
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
        true
    }
}

pub(super) fn read<T: DeserializeOwned>(params: Value) -> Result<T, String> {
    serde_json::from_value(params).map_err(|error| error.to_string())
}
