//! The language server (`asyncfix server`), on standard input and output.
//!
//! One thread reads what the client says, and another one works through it in order: a question is answered for the texts
//! as they were when it was asked. What the client takes back, or has changed since, is called off. The work itself is
//! that of [`asyncfix_engine::session::Session`], as it is for the command line.

mod actions;
mod answers;
mod client;
mod diagnostics;
mod documents;
mod hover;
mod notebooks;
mod positions;
mod worker;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use asyncfix_engine::cache::Place;
use asyncfix_engine::config::Overrides;
use asyncfix_engine::run::STACK_SIZE;
use asyncfix_engine::session::Cancellation;
use crossbeam_channel::{Sender, unbounded};
use lsp_server::{Connection, ErrorCode, Message, Notification, Request, RequestId, Response};
use lsp_types::notification::{Cancel, DidChangeNotebookDocument, DidChangeTextDocument, Exit};
use lsp_types::notification::{DidCloseTextDocument, Notification as _};
use lsp_types::request::{Request as _, Shutdown};
use lsp_types::{
    CodeActionKind, CodeActionOptions, CodeActionProviderCapability, DiagnosticOptions,
    DiagnosticServerCapabilities, ExecuteCommandOptions, HoverProviderCapability, InitializeParams,
    Notebook, NotebookCellSelector, NotebookDocumentSyncOptions, NotebookSelector, OneOf,
    SaveOptions, ServerCapabilities, TextDocumentSyncCapability, TextDocumentSyncKind,
    TextDocumentSyncOptions, TextDocumentSyncSaveOptions, WorkDoneProgressOptions,
    WorkspaceFoldersServerCapabilities, WorkspaceServerCapabilities,
};
use serde_json::{Value, json};

use self::client::{Client, DiagnosticMode, Settings};
use self::worker::Worker;

/// What this program calls itself.
const NAME: &str = "asyncfix";

/// The kind of action that makes all safe fixes of a file.
const FIX_ALL: &str = "source.fixAll.asyncfix";

/// The command that makes all safe fixes of a file. Its argument is the file's name.
const APPLY_FIX_ALL: &str = "asyncfix.applyFixAll";

/// Something for the worker.
enum Job {
    Notification(Notification),
    /// What the client says to a question of the server.
    Answer(Response),
    Request(Request, Cancellation),
    /// Answer this one when everything before it is answered, and stop.
    Stop(RequestId),
}

/// A question that is not answered yet.
struct Pending {
    id: RequestId,
    /// The name of the text that it is about.
    uri: Option<String>,
    cancellation: Cancellation,
    /// Whether the text has changed since.
    is_outdated: bool,
}

/// What both threads know.
#[derive(Default)]
struct Shared {
    pending: Mutex<Vec<Pending>>,
    /// Calls off what the worker does while it has nothing to do.
    idle: Mutex<Cancellation>,
}

impl Shared {
    fn pending(&self) -> MutexGuard<'_, Vec<Pending>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn idle(&self) -> MutexGuard<'_, Cancellation> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note that a question is answered. Says whether its text has changed since it was asked.
    fn answered(&self, id: &RequestId) -> bool {
        let mut pending = self.pending();
        let place = pending.iter().position(|other| other.id == *id);
        place.is_some_and(|place| pending.remove(place).is_outdated)
    }
}

/// Runs the server until the client ends it. `overrides` is what the command line lays over the configuration, relative
/// to `cwd`. The exit status is the protocol's: 0 after an orderly end, else 1. `Err` says what went wrong.
pub(crate) fn run(overrides: Overrides, cache: Place, cwd: &Path) -> Result<u8, String> {
    let (connection, threads) = Connection::stdio();
    let status = serve(&connection, overrides, cache, cwd);
    // The writing thread ends when nobody can send any more.
    drop(connection);
    let status = status?;
    if status == 0 {
        threads
            .join()
            .map_err(|error| format!("the connection to the editor failed: {error}"))?;
    }
    Ok(status)
}

/// The same for any connection. `Err` says what went wrong.
pub fn serve(
    connection: &Connection,
    overrides: Overrides,
    cache: Place,
    cwd: &Path,
) -> Result<u8, String> {
    let failed = |error: lsp_server::ProtocolError| format!("the editor's first message: {error}");
    let (id, params) = connection.initialize_start().map_err(failed)?;
    let raw = params.get("capabilities").cloned().unwrap_or_default();
    let params: InitializeParams =
        serde_json::from_value(params).map_err(|error| format!("`initialize`: {error}"))?;
    let client = Client::of(&params.capabilities, &raw);
    let settings = Settings::at_start(&params);
    let mode = settings
        .as_ref()
        .ok()
        .and_then(|settings| settings.diagnostic_mode)
        .unwrap_or_default();
    let result = json!({
        "capabilities": capabilities(client, mode),
        "serverInfo": {"name": NAME, "version": env!("CARGO_PKG_VERSION")},
    });
    connection.initialize_finish(id, result).map_err(failed)?;
    let folders = folders_of(&params);
    let shared = Arc::new(Shared::default());
    let (queue, jobs) = unbounded();
    let mut worker = Worker::new(
        client,
        connection.sender.clone(),
        Arc::clone(&shared),
        overrides,
        cache,
        folders.first().map_or(cwd, PathBuf::as_path),
        settings,
    )?;
    worker.folders = folders;
    let worker = std::thread::Builder::new()
        .name("worker".to_owned())
        .stack_size(STACK_SIZE)
        .spawn(move || worker.work(&jobs))
        .map_err(|error| error.to_string())?;
    let status = read(connection, &shared, &queue);
    drop(queue);
    if status == 0 {
        // A bug that ends it has told the client.
        let _ = worker.join();
    }
    Ok(status)
}

/// Hands on what the client says, and calls off what it does not want any more, until it says that it ends.
fn read(connection: &Connection, shared: &Shared, queue: &Sender<Job>) -> u8 {
    let mut is_stopping = false;
    let hand_on = |job: Job| {
        // What comes first is in the queue when the worker is told to look.
        let _ = queue.send(job);
        shared.idle().cancel();
    };
    for message in &connection.receiver {
        match message {
            Message::Request(request) if is_stopping => {
                let message = "the server was told to shut down".to_owned();
                let code = ErrorCode::InvalidRequest as i32;
                let response = Response::new_err(request.id, code, message);
                let _ = connection.sender.send(response.into());
            }
            Message::Request(request) if request.method == Shutdown::METHOD => {
                is_stopping = true;
                for pending in shared.pending().iter() {
                    pending.cancellation.cancel();
                }
                hand_on(Job::Stop(request.id));
            }
            Message::Request(request) => {
                let cancellation = Cancellation::default();
                shared.pending().push(Pending {
                    id: request.id.clone(),
                    uri: uri_in(&request.params),
                    cancellation: cancellation.clone(),
                    is_outdated: false,
                });
                hand_on(Job::Request(request, cancellation));
            }
            Message::Notification(notification) if notification.method == Exit::METHOD => {
                return u8::from(!is_stopping);
            }
            Message::Notification(notification) if notification.method == Cancel::METHOD => {
                let id = notification.params.get("id");
                let id = id.and_then(|id| serde_json::from_value::<RequestId>(id.clone()).ok());
                let pending = shared.pending();
                if let Some(found) = pending.iter().find(|other| Some(&other.id) == id.as_ref()) {
                    found.cancellation.cancel();
                }
            }
            Message::Notification(notification) => {
                let changes = [
                    DidChangeTextDocument::METHOD,
                    DidCloseTextDocument::METHOD,
                    DidChangeNotebookDocument::METHOD,
                ];
                if changes.contains(&notification.method.as_str()) {
                    let uri = uri_in(&notification.params);
                    for pending in shared.pending().iter_mut() {
                        if pending.uri.is_some() && pending.uri == uri {
                            pending.is_outdated = true;
                            pending.cancellation.cancel();
                        }
                    }
                }
                hand_on(Job::Notification(notification));
            }
            Message::Response(response) => hand_on(Job::Answer(response)),
        }
    }
    // The editor is gone without a word.
    1
}

/// The name of the text that a message is about.
fn uri_in(params: &Value) -> Option<String> {
    let document = params
        .get("textDocument")
        .or_else(|| params.get("notebookDocument"))
        .or_else(|| params.get("data"))?;
    document.get("uri")?.as_str().map(str::to_owned)
}

/// The folders that the editor has open.
fn folders_of(params: &InitializeParams) -> Vec<PathBuf> {
    let folders = params.workspace_folders.iter().flatten();
    let mut paths: Vec<PathBuf> = folders
        .filter_map(|folder| documents::path_of(&folder.uri))
        .collect();
    #[expect(deprecated, reason = "older clients say it in this way alone")]
    if paths.is_empty() {
        paths.extend(params.root_uri.as_ref().and_then(documents::path_of));
        if let (true, Some(root)) = (paths.is_empty(), &params.root_path) {
            paths.push(PathBuf::from(root));
        }
    }
    paths
}

fn capabilities(client: Client, mode: DiagnosticMode) -> ServerCapabilities {
    ServerCapabilities {
        position_encoding: Some(client.encoding.kind()),
        text_document_sync: Some(TextDocumentSyncCapability::Options(
            TextDocumentSyncOptions {
                open_close: Some(true),
                change: Some(TextDocumentSyncKind::INCREMENTAL),
                save: Some(TextDocumentSyncSaveOptions::SaveOptions(
                    SaveOptions::default(),
                )),
                ..TextDocumentSyncOptions::default()
            },
        )),
        diagnostic_provider: client.pulls.then(|| {
            DiagnosticServerCapabilities::Options(DiagnosticOptions {
                identifier: Some(NAME.to_owned()),
                inter_file_dependencies: true,
                workspace_diagnostics: mode == DiagnosticMode::Workspace,
                work_done_progress_options: WorkDoneProgressOptions::default(),
            })
        }),
        code_action_provider: Some(CodeActionProviderCapability::Options(CodeActionOptions {
            code_action_kinds: Some(vec![
                CodeActionKind::QUICKFIX,
                CodeActionKind::SOURCE_FIX_ALL,
                CodeActionKind::from(FIX_ALL),
            ]),
            resolve_provider: Some(true),
            work_done_progress_options: WorkDoneProgressOptions::default(),
        })),
        document_formatting_provider: Some(OneOf::Left(true)),
        document_range_formatting_provider: Some(OneOf::Left(true)),
        notebook_document_sync: Some(OneOf::Left(NotebookDocumentSyncOptions {
            notebook_selector: vec![NotebookSelector::ByCells {
                notebook: Some(Notebook::String("jupyter-notebook".to_owned())),
                cells: vec![NotebookCellSelector {
                    language: "python".to_owned(),
                }],
            }],
            save: Some(true),
        })),
        hover_provider: Some(HoverProviderCapability::Simple(true)),
        execute_command_provider: Some(ExecuteCommandOptions {
            commands: vec![APPLY_FIX_ALL.to_owned()],
            work_done_progress_options: WorkDoneProgressOptions::default(),
        }),
        workspace: Some(WorkspaceServerCapabilities {
            workspace_folders: Some(WorkspaceFoldersServerCapabilities {
                supported: Some(true),
                change_notifications: Some(OneOf::Left(true)),
            }),
            ..WorkspaceServerCapabilities::default()
        }),
        ..ServerCapabilities::default()
    }
}
