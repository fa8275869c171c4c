//! Python inside of other files: the cells of notebooks, the blocks of Markdown and reStructuredText.
//!
//! Before a run the code takes the place of the file, and after it what became of the code is put back.

mod asking;
pub(crate) mod document;
pub(crate) mod notebook;

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use asyncfix_analysis::file::NOTEBOOK_CODE;
use asyncfix_codemods::finding::{Finding, Remedy};
use ruff_diagnostics::Edit;
use ruff_notebook::NotebookIndex;
use ruff_text_size::{Ranged, TextRange, TextSize};

use self::asking::Asking;
use self::document::Document;
use self::notebook::Notebook;
use crate::choose::Choose;
use crate::problem::{Kind, Problem};
use crate::run::{Input, Outcome, Outcomes};
use crate::source::{self, Source};

/// Whether a file is a notebook, by its name.
pub fn is_notebook(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "ipynb")
}

/// Whether a file is a text with blocks of code in it, by its name.
pub(crate) fn is_document(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("md" | "markdown" | "rst"))
}

/// The path of the file that a path of code stands for: that of the file around it, or the path itself.
pub(crate) fn path_on_disk(path: &Path) -> Cow<'_, Path> {
    let around = path.with_extension("");
    if is_notebook(&around) {
        return Cow::Owned(around);
    }
    let document = around.with_extension("");
    if path.extension().is_some_and(|extension| extension == "py") && is_document(&document) {
        return Cow::Owned(document);
    }
    Cow::Borrowed(path)
}

/// What people and other programs are shown of a file with code in it, after a run.
#[derive(Debug)]
pub struct Sheet {
    /// The text that findings are at places in: of a notebook the code of all Python cells, one behind the other; of
    /// others the text of the file.
    pub text: String,
    /// Of a notebook: which line of it belongs to which cell.
    pub index: Option<NotebookIndex>,
    /// Of a notebook, the cells that changed: the number, the old and the new source.
    pub cells: Vec<(usize, String, String)>,
}

/// The files of a run that have code in them, by the paths of the code.
#[derive(Debug, Default)]
pub(crate) struct Embedded {
    notebooks: HashMap<PathBuf, (PathBuf, Notebook)>,
    documents: Vec<(PathBuf, Document)>,
    /// Which document a path of code is from, and the number of the block.
    blocks: HashMap<PathBuf, (usize, usize)>,
    /// What went wrong.
    errors: Vec<Problem>,
}

impl Embedded {
    /// Puts the code in the place of the files that it is in. Files without any, or that cannot be read, are left out.
    pub(crate) fn take(inputs: &mut Vec<Input>) -> Self {
        let mut embedded = Self::default();
        *inputs = std::mem::take(inputs)
            .into_iter()
            .flat_map(|input| embedded.code_of(input))
            .collect();
        embedded
    }

    fn code_of(&mut self, mut input: Input) -> Vec<Input> {
        let path = input.found.path.clone();
        if !is_notebook(&path) && !is_document(&path) {
            return vec![input];
        }
        let text = match input.text.take() {
            Some(text) => Ok(text),
            None => source::read(&path).map(|source| source.text.to_string()),
        };
        let text = match text {
            Ok(text) => text,
            Err(reason) => {
                let problem = Problem::new(&input.found.shown, Kind::Unreadable, reason);
                self.errors.push(problem);
                return Vec::new();
            }
        };
        if is_notebook(&path) {
            let notebook = match Notebook::read(&input.found.shown, text) {
                Ok(Some(notebook)) => notebook,
                Ok(None) => return Vec::new(),
                Err(problem) => {
                    self.errors.push(problem);
                    return Vec::new();
                }
            };
            input.found.path = code_path(&path);
            input.text = Some(notebook.code().to_owned());
            // They are those of the file, and not of its code.
            input.lines = None;
            self.notebooks
                .insert(input.found.path.clone(), (path, notebook));
            return vec![input];
        }
        let document = Document::read(text, &path);
        let number = self.documents.len();
        let inputs = document.blocks().map(|(block, code)| {
            let mut input = Input::with_text(input.found.clone(), code);
            input.found.path = with_end(&path, &format!(".{block}.py"));
            self.blocks
                .insert(input.found.path.clone(), (number, block));
            input
        });
        let inputs = inputs.collect();
        self.documents.push((path, document));
        inputs
    }

    /// Somebody who is shown the code as it stands in the files.
    pub(crate) fn asking<'e>(&'e self, choose: &'e dyn Choose) -> Asking<'e> {
        Asking {
            embedded: self,
            choose,
        }
    }

    /// Makes of what became of the code what becomes of the files.
    pub(crate) fn give_back(mut self, outcomes: &mut Outcomes) {
        let mut files = Vec::new();
        let mut blocks: Vec<Vec<(usize, Outcome)>> = Vec::new();
        blocks.resize_with(self.documents.len(), Vec::new);
        for mut outcome in std::mem::take(&mut outcomes.files) {
            if let Some((number, block)) = self.blocks.get(&outcome.path) {
                if let Some(blocks) = blocks.get_mut(*number) {
                    blocks.push((*block, outcome));
                }
                continue;
            }
            if let Some((path, notebook)) = self.notebooks.remove(&outcome.path) {
                outcome.path = path;
                if notebook.put_back(&mut outcome).is_none() {
                    let message = "not changed: the cells can't be told apart after the fix (a bug, please report it)";
                    let problem = Problem::new(&outcome.shown, Kind::Internal, message);
                    self.errors.push(problem);
                    continue;
                }
                outcome.source = Source::utf8(notebook.into_json());
            }
            files.push(outcome);
        }
        for (blocks, (path, document)) in blocks.into_iter().zip(self.documents) {
            files.extend(document.put_back(path, blocks));
        }
        files.sort_by(|one, other| one.shown.cmp(&other.shown));
        outcomes.files = files;
        outcomes.errors.append(&mut self.errors);
    }
}

/// The path that the code of the notebook at `path` goes by.
pub(crate) fn code_path(path: &Path) -> PathBuf {
    with_end(path, NOTEBOOK_CODE.trim_start_matches(".ipynb"))
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// The edit that puts `content` in the place of a range.
pub fn edit_at(range: TextRange, content: String) -> Edit {
    match (range.is_empty(), content.is_empty()) {
        (true, _) => Edit::insertion(content, range.start()),
        (false, true) => Edit::range_deletion(range),
        (false, false) => Edit::range_replacement(content, range),
    }
}

/// Moves findings and their edits to other places. `None` where one has no place.
fn moved_findings(
    findings: &mut [Finding],
    moved: &dyn Fn(TextSize) -> Option<TextSize>,
    content: &dyn Fn(&str) -> String,
) -> Option<()> {
    for finding in findings {
        let range = finding.range;
        finding.range = TextRange::new(moved(range.start())?, moved(range.end())?);
        let Remedy::Rewrite(rewrite) = &mut finding.remedy else {
            continue;
        };
        for edit in rewrite.edits.iter_mut().chain(&mut rewrite.shared) {
            let (start, end) = (moved(edit.start())?, moved(edit.end())?);
            let content = content(edit.content().unwrap_or_default());
            *edit = edit_at(TextRange::new(start, end), content);
        }
    }
    Some(())
}
