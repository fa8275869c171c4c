//! What is open in the editor: texts, and the names they go by.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use asyncfix_engine::discovery;
use lsp_types::{TextDocumentContentChangeEvent, TextDocumentItem, Uri};
use rustc_hash::FxHashMap;
use url::Url;

use super::positions::{Encoding, Positions};

/// A text that is open.
#[derive(Debug, Clone)]
pub(super) struct Document {
    /// Its name, as the client writes it.
    pub(super) uri: Uri,
    /// Where it is, or would be.
    pub(super) path: PathBuf,
    /// The client's number of this state of it.
    pub(super) version: i32,
    pub(super) text: Arc<str>,
    /// Whether it is a cell of a notebook, which `path` is the path of.
    pub(super) is_cell: bool,
}

/// The open texts.
#[derive(Debug, Default)]
pub(super) struct Documents {
    /// By their names.
    all: FxHashMap<String, Document>,
}

impl Documents {
    pub(super) fn open(&mut self, uri: Uri, version: i32, text: String) -> Option<&Document> {
        let path = path_of(&uri)?;
        let name = uri.as_str().to_owned();
        let document = Document {
            uri,
            path,
            version,
            text: Arc::from(text),
            is_cell: false,
        };
        self.all.insert(name.clone(), document);
        self.all.get(&name)
    }

    /// Takes a cell of the notebook at `path`.
    pub(super) fn open_cell(&mut self, cell: TextDocumentItem, path: &Path) {
        let name = cell.uri.as_str().to_owned();
        let document = Document {
            uri: cell.uri,
            path: path.to_path_buf(),
            version: cell.version,
            text: Arc::from(cell.text),
            is_cell: true,
        };
        self.all.insert(name, document);
    }

    /// Takes over what has changed in a text. `None` where it is not open.
    pub(super) fn change(
        &mut self,
        uri: &Uri,
        version: i32,
        changes: Vec<TextDocumentContentChangeEvent>,
        encoding: Encoding,
    ) -> Option<&Document> {
        let document = self.all.get_mut(uri.as_str())?;
        document.version = version;
        document.text = Arc::from(changed(&document.text, changes, encoding));
        Some(document)
    }

    pub(super) fn close(&mut self, uri: &Uri) -> Option<Document> {
        self.all.remove(uri.as_str())
    }

    pub(super) fn get(&self, uri: &Uri) -> Option<&Document> {
        self.all.get(uri.as_str())
    }

    /// The one that stands for the file at `path`.
    pub(super) fn at(&self, path: &Path) -> Option<&Document> {
        let mut files = self.all.values().filter(|document| !document.is_cell);
        files.find(|document| document.path == path)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Document> {
        self.all.values()
    }
}

/// The text after some changes, each of which is at places in what the one before has made of it.
pub(super) fn changed(
    text: &str,
    changes: Vec<TextDocumentContentChangeEvent>,
    encoding: Encoding,
) -> String {
    let mut text = text.to_owned();
    for change in changes {
        match change.range {
            None => text = change.text,
            Some(range) => {
                let span = Positions::new(&text, encoding).span(range);
                text.replace_range(span, &change.text);
            }
        }
    }
    text
}

/// The file that a name stands for. A text that was never saved has a name of its own; it goes by that in the working
/// folder, where nothing of this name is. `None` for what is not Python's business.
pub(super) fn path_of(uri: &Uri) -> Option<PathBuf> {
    let url = Url::parse(uri.as_str()).ok()?;
    let path = match url.scheme() {
        "file" => url.to_file_path().ok()?,
        "untitled" => PathBuf::from(format!("{}.py", url.path().replace(['/', '\\'], "_"))),
        _ => return None,
    };
    discovery::absolute(&path).ok()
}

/// The name of a file.
pub(super) fn uri_of(path: &Path) -> Option<Uri> {
    let url = Url::from_file_path(path).ok()?;
    Uri::from_str(url.as_str()).ok()
}
