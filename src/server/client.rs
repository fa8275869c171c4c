//! What a client can do, and what its user has set.

use std::path::PathBuf;

use asyncfix_engine::config::{Overrides, parse_version};
use asyncfix_engine::discovery;
use lsp_types::{ClientCapabilities, InitializeParams, MarkupKind};
use serde::Deserialize;
use serde_json::Value;

use super::positions::Encoding;

/// What a client can do.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an ability of its own"
)]
pub(super) struct Client {
    pub(super) encoding: Encoding,
    /// It asks for diagnostics itself.
    pub(super) pulls: bool,
    /// It can be told to ask for all of them again.
    pub(super) refreshes: bool,
    /// It asks for the edits of an action when that is chosen.
    pub(super) resolves: bool,
    /// It takes changes of several files with their versions.
    pub(super) takes_document_changes: bool,
    /// It answers what is set.
    pub(super) has_settings: bool,
    /// It can be told which files to watch.
    pub(super) watches: bool,
    /// It shows places that belong to a diagnostic.
    pub(super) shows_related: bool,
    /// It shows Markdown.
    pub(super) reads_markdown: bool,
    /// It shows how far long work is.
    pub(super) shows_progress: bool,
}

impl Client {
    /// `raw` is what `capabilities` were read from: not all of them are read by the name that the protocol gives them.
    pub(super) fn of(capabilities: &ClientCapabilities, raw: &Value) -> Self {
        let workspace = capabilities.workspace.as_ref();
        let text = capabilities.text_document.as_ref();
        let general = capabilities.general.as_ref();
        let offered = general.and_then(|general| general.position_encodings.as_deref());
        let actions = text.and_then(|text| text.code_action.as_ref());
        let is_set = |pointer: &str| raw.pointer(pointer).and_then(Value::as_bool) == Some(true);
        Self {
            encoding: Encoding::of_offer(offered),
            pulls: text.is_some_and(|text| text.diagnostic.is_some()),
            refreshes: is_set("/workspace/diagnostics/refreshSupport"),
            resolves: actions
                .and_then(|actions| actions.resolve_support.as_ref())
                .is_some_and(|resolve| resolve.properties.iter().any(|name| name == "edit")),
            takes_document_changes: workspace
                .and_then(|workspace| workspace.workspace_edit.as_ref()?.document_changes)
                .unwrap_or(false),
            has_settings: workspace
                .and_then(|workspace| workspace.configuration)
                .unwrap_or(false),
            watches: workspace
                .and_then(|workspace| {
                    workspace
                        .did_change_watched_files
                        .as_ref()?
                        .dynamic_registration
                })
                .unwrap_or(false),
            shows_related: is_set("/textDocument/publishDiagnostics/relatedInformation")
                || is_set("/textDocument/diagnostic/relatedInformation"),
            reads_markdown: text
                .and_then(|text| text.hover.as_ref()?.content_format.as_ref())
                .is_none_or(|formats| formats.contains(&MarkupKind::Markdown)),
            shows_progress: capabilities
                .window
                .as_ref()
                .and_then(|window| window.work_done_progress)
                .unwrap_or(false),
        }
    }
}

/// What is looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum DiagnosticMode {
    /// The files that are open.
    #[default]
    OpenFilesOnly,
    /// All files.
    Workspace,
}

/// What the user has set in the editor. What is not known is left alone, so that an editor may be newer.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Settings {
    /// Whether anything is shown.
    pub(super) enable: Option<bool>,
    select: Option<Vec<String>>,
    extend_select: Option<Vec<String>>,
    ignore: Option<Vec<String>>,
    /// Whether unsafe fixes are offered, one by one.
    pub(super) unsafe_fixes: Option<bool>,
    /// The path of a configuration file, or settings of one in TOML.
    configuration: Option<String>,
    exclude: Option<Vec<String>>,
    target_version: Option<String>,
    python: Option<PathBuf>,
    pub(super) diagnostic_mode: Option<DiagnosticMode>,
}

impl Settings {
    /// Those in what a client sends: alone, or below `settings` or `asyncfix`.
    pub(super) fn of(value: &Value) -> Result<Self, String> {
        let inner = value
            .get("settings")
            .or_else(|| value.get("asyncfix"))
            .unwrap_or(value);
        // Lua sends an empty table as a list.
        if inner.is_null() || inner.is_array() {
            return Ok(Self::default());
        }
        let inner = inner.get("asyncfix").unwrap_or(inner);
        Self::deserialize(inner).map_err(|error| format!("the editor's settings: {error}"))
    }

    /// What was set when the client started the server.
    pub(super) fn at_start(params: &InitializeParams) -> Result<Self, String> {
        let options = params.initialization_options.as_ref();
        options.map_or_else(|| Ok(Self::default()), Self::of)
    }

    /// These, laid over what the command line says.
    pub(super) fn over(&self, mut overrides: Overrides) -> Result<Overrides, String> {
        // An empty list is what an editor sends for one that nobody has set.
        let set = |list: &Option<Vec<String>>| list.clone().filter(|list| !list.is_empty());
        if let Some(select) = set(&self.select) {
            overrides.layer.select = Some(select);
        }
        let layer = &mut overrides.layer;
        layer
            .extend_select
            .extend(set(&self.extend_select).unwrap_or_default());
        layer.ignore.extend(set(&self.ignore).unwrap_or_default());
        if let Some(exclude) = set(&self.exclude) {
            overrides.exclude = Some(exclude);
        }
        if let Some(configuration) = self.configuration.as_ref().filter(|text| !text.is_empty()) {
            if configuration.contains('=') {
                overrides.inline.push(configuration.clone());
            } else {
                overrides.file = Some(PathBuf::from(configuration));
            }
        }
        if let Some(version) = self.target_version.as_ref().filter(|text| !text.is_empty()) {
            overrides.target_version = Some(parse_version(version)?);
        }
        if let Some(python) = self
            .python
            .as_ref()
            .filter(|path| !path.as_os_str().is_empty())
        {
            overrides.python = Some(discovery::absolute(python).unwrap_or_else(|_| python.clone()));
        }
        Ok(overrides)
    }
}
