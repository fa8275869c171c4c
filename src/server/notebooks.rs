//! Notebooks that are open. To the client each cell is a text of its own; to the session all of them are one program.

use std::path::PathBuf;

use asyncfix_codemods::finding::Remedy;
use asyncfix_engine::embedded::edit_at;
use asyncfix_engine::session::Checked;
use lsp_types::{NotebookCell, NotebookCellArrayChange, NotebookCellKind, Uri};
use ruff_source_file::{LineIndex, OneIndexed};
use ruff_text_size::{Ranged, TextRange, TextSize};
use rustc_hash::FxHashMap;
use serde_json::json;

use super::documents::{Documents, path_of};

/// An open notebook.
#[derive(Debug)]
pub(super) struct Notebook {
    /// Where it is, or would be.
    pub(super) path: PathBuf,
    cells: Vec<NotebookCell>,
}

/// The open notebooks, by their names.
#[derive(Debug, Default)]
pub(super) struct Notebooks(FxHashMap<String, Notebook>);

impl Notebooks {
    pub(super) fn open(&mut self, uri: &Uri, cells: Vec<NotebookCell>) -> Option<&Notebook> {
        let path = path_of(uri)?;
        let name = uri.as_str().to_owned();
        self.0.insert(name.clone(), Notebook { path, cells });
        self.0.get(&name)
    }

    pub(super) fn get(&self, uri: &Uri) -> Option<&Notebook> {
        self.0.get(uri.as_str())
    }

    pub(super) fn close(&mut self, uri: &Uri) -> Option<Notebook> {
        self.0.remove(uri.as_str())
    }

    /// Takes over which cells there are now.
    pub(super) fn change(&mut self, uri: &Uri, change: NotebookCellArrayChange) {
        if let Some(notebook) = self.0.get_mut(uri.as_str()) {
            let start = (change.start as usize).min(notebook.cells.len());
            let end = (start + change.delete_count as usize).min(notebook.cells.len());
            let new = change.cells.unwrap_or_default();
            notebook.cells.splice(start..end, new);
        }
    }

    /// Takes over what cells are.
    pub(super) fn update(&mut self, uri: &Uri, cells: Vec<NotebookCell>) {
        if let Some(notebook) = self.0.get_mut(uri.as_str()) {
            for cell in cells {
                let mut known = notebook.cells.iter_mut();
                if let Some(known) = known.find(|known| known.document == cell.document) {
                    *known = cell;
                }
            }
        }
    }

    /// The notebook that a cell belongs to, and the number of the cell, from 1.
    pub(super) fn of_cell(&self, cell: &Uri) -> Option<(&Notebook, usize)> {
        self.0.values().find_map(|notebook| {
            let mut cells = notebook.cells.iter();
            let place = cells.position(|other| other.document == *cell)?;
            Some((notebook, place + 1))
        })
    }
}

impl Notebook {
    /// The name of a cell.
    pub(super) fn cell(&self, number: usize) -> Option<&Uri> {
        let cell = self.cells.get(number.checked_sub(1)?)?;
        Some(&cell.document)
    }

    /// The notebook as a file would hold it, as far as the code goes.
    pub(super) fn json(&self, documents: &Documents) -> String {
        let cells: Vec<_> = self
            .cells
            .iter()
            .map(|cell| {
                let text = documents.get(&cell.document);
                let source = text.map_or("", |document| &*document.text);
                let kind = match cell.kind {
                    // A cell in another language is not open here.
                    NotebookCellKind::Code if text.is_some() => "code",
                    _ => "markdown",
                };
                json!({"cell_type": kind, "source": source})
            })
            .collect();
        json!({"cells": cells, "nbformat": 4}).to_string()
    }
}

/// What is found in one cell of a notebook, at places in the cell. A fix that changes other cells as well has no edits
/// here.
pub(super) fn in_cell(checked: &Checked, number: usize, text: &str) -> Option<Checked> {
    let cells = checked.cells.as_ref()?;
    let lines = LineIndex::from_source_text(&checked.text);
    let number = OneIndexed::new(number)?;
    let mut rows = (1..=lines.line_count()).filter_map(OneIndexed::new);
    let first = rows.find(|row| cells.cell(*row) == Some(number))?;
    let start = lines.line_start(first, &checked.text);
    let whole = TextRange::at(start, TextSize::try_from(text.len()).ok()?);
    let moved = |range: TextRange| TextRange::new(range.start() - start, range.end() - start);
    let mut own = checked.clone();
    own.text = text.into();
    own.findings
        .retain(|finding| whole.contains_range(finding.range));
    for finding in &mut own.findings {
        finding.range = moved(finding.range);
        let Remedy::Rewrite(rewrite) = &mut finding.remedy else {
            continue;
        };
        let mut edits = rewrite.edits.iter().chain(&rewrite.shared);
        let is_inside = edits.all(|edit| whole.contains_range(edit.range()));
        for edits in [&mut rewrite.edits, &mut rewrite.shared] {
            if !is_inside {
                edits.clear();
            }
            for edit in edits {
                let content = edit.content().unwrap_or_default().to_owned();
                *edit = edit_at(moved(edit.range()), content);
            }
        }
    }
    Some(own)
}
