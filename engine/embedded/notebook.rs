//! Notebooks: their Python cells, looked at as one file, and put back into the JSON around them.
//!
//! Cells of one notebook share their names, so they are one program. It is written out with a line between each two cells,
//! and with a name in the place of what only `IPython` understands; both are taken out again at the end. In the JSON nothing
//! but the source of changed cells changes.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::ops::Range;
use std::path::Path;

use asyncfix_analysis::file::KERNEL;
use asyncfix_codemods::finding::Finding;
use ruff_python_ast::AnyNodeRef;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_parser::{Mode, ParseOptions, parse_unchecked};
use ruff_source_file::{LineIndex, OneIndexed};
use ruff_text_size::{Ranged, TextRange, TextSize};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::embedded::{Sheet, moved_findings};
use crate::places::Places;
use crate::problem::{Kind, Place, Problem};
use crate::run::Outcome;

/// The line between two cells, without the number of the one above it.
const BOUNDARY: &str = "#--asyncfix-end-of-cell-";
/// The start of a name that stands for something of `IPython`.
const MAGIC: &str = "_asyncfix_magic_";
/// What a cell may begin with that leaves the rest of it Python, in the namespace of the others.
const PYTHON_CELLS: [&str; 2] = ["%%time", "%%capture"];

#[derive(Deserialize)]
struct Json<'a> {
    #[serde(borrow)]
    cells: Option<Vec<&'a RawValue>>,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Deserialize, Default)]
struct Metadata {
    language_info: Option<Language>,
    kernelspec: Option<Kernel>,
}

#[derive(Deserialize)]
struct Language {
    name: Option<String>,
}

#[derive(Deserialize)]
struct Kernel {
    language: Option<String>,
}

#[derive(Deserialize)]
struct RawCell<'a> {
    #[serde(borrow)]
    cell_type: Cow<'a, str>,
    #[serde(borrow)]
    source: Option<&'a RawValue>,
}

/// A Python cell.
#[derive(Debug)]
struct Cell {
    /// Its number among all cells, from 1.
    number: usize,
    /// Where its source stands in the JSON, with the quotes or brackets.
    place: Range<usize>,
    /// A first line that only `IPython` understands and that has to stay the first.
    head: String,
    /// The rest.
    source: String,
}

/// A notebook as it was read.
#[derive(Debug)]
pub(crate) struct Notebook {
    json: String,
    cells: Vec<Cell>,
    /// What stood in the place of each name.
    magics: Vec<String>,
    code: String,
}

impl Notebook {
    /// Reads a notebook, which is shown as `shown`. `None` for one in another language.
    pub(crate) fn read(shown: &Path, json: String) -> Result<Option<Self>, Problem> {
        let unreadable = |message: String| Problem::new(shown, Kind::Unreadable, message);
        let wrong = |error: serde_json::Error| unreadable(format!("not a valid notebook: {error}"));
        let document: Json<'_> = serde_json::from_str(&json).map_err(wrong)?;
        let metadata = &document.metadata;
        let language = metadata
            .language_info
            .as_ref()
            .and_then(|language| language.name.as_deref())
            .or_else(|| metadata.kernelspec.as_ref()?.language.as_deref());
        if language.is_some_and(|language| !matches!(language, "python" | "ipython")) {
            return Ok(None);
        }
        let Some(raw) = document.cells else {
            return Err(unreadable("not a valid notebook: it has no `cells` (a notebook of format 3 can be converted with `jupyter nbconvert --to notebook`)".to_owned()));
        };
        let mut cells = Vec::new();
        for (raw, number) in raw.into_iter().zip(1..) {
            let cell: RawCell<'_> = serde_json::from_str(raw.get()).map_err(wrong)?;
            let Some(value) = cell.source.filter(|_| cell.cell_type == "code") else {
                continue;
            };
            let source = source_of(value).map_err(wrong)?;
            let Some((head, source)) = split_head(source) else {
                continue;
            };
            let start = value.get().as_ptr() as usize - json.as_ptr() as usize;
            cells.push(Cell {
                number,
                place: start..start + value.get().len(),
                head,
                source,
            });
        }
        if cells
            .iter()
            .any(|cell| cell.source.contains(BOUNDARY) || cell.source.contains(MAGIC))
        {
            return Err(unreadable(format!(
                "a cell holds `{BOUNDARY}` or `{MAGIC}`, which asyncfix uses itself"
            )));
        }
        let mut magics = Vec::new();
        let mut code = String::new();
        for cell in &cells {
            let source = without_magics(&cell.source, |magic| {
                magics.push(magic.to_owned());
                Some(magics.len() - 1)
            });
            code.push_str(&source.map_err(|error| {
                let problem = Problem::new(shown, Kind::InvalidSyntax, error.message);
                match error.place {
                    Some((line, column)) => problem.at(Place {
                        cell: Some(cell.number),
                        line,
                        column,
                    }),
                    None => problem,
                }
            })?);
            code.push('\n');
            code.push_str(&boundary(cell.number));
        }
        code.push_str(KERNEL);
        Ok(Some(Self {
            json,
            cells,
            magics,
            code,
        }))
    }

    /// The code of all cells as one file.
    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    /// The sources of the cells out of the code of all of them, with what is of `IPython`. `None` where they cannot be told
    /// apart any more.
    fn sources(&self, code: &str) -> Option<Vec<String>> {
        let mut rest = code.strip_suffix(KERNEL)?;
        let mut sources = Vec::new();
        for cell in &self.cells {
            let end = boundary(cell.number);
            let at = rest.find(&end)?;
            let (source, behind) = rest.split_at(at);
            sources.push(self.with_magics(source.strip_suffix('\n')?));
            rest = behind.get(end.len()..)?;
        }
        rest.is_empty().then_some(sources)
    }

    fn with_magics(&self, source: &str) -> String {
        let mut source = source.to_owned();
        // From the last on: a number may be the start of a longer one.
        for (number, written) in self.magics.iter().enumerate().rev() {
            source = source.replace(&name_of(number), written);
        }
        source
    }

    /// The JSON with the cells of `code`. `None` where they cannot be told apart any more.
    pub(crate) fn rewritten(&self, code: &str) -> Option<String> {
        let mut json = self.json.clone();
        for (cell, source) in self.cells.iter().zip(self.sources(code)?).rev() {
            if source != cell.source {
                let old = self.json.get(cell.place.clone())?;
                let new = in_json(&format!("{}{source}", cell.head), old)?;
                json.replace_range(cell.place.clone(), &new);
            }
        }
        Some(json)
    }

    /// What is shown of the notebook when its code is `code`, and the findings in places of that. `None` where the cells
    /// cannot be told apart any more.
    pub(crate) fn shown(&self, code: &str, findings: &mut [Finding]) -> Option<Sheet> {
        let sources = self.sources(code)?;
        let mut shown = String::new();
        let mut starts = Vec::new();
        let mut line = 1;
        // Of each line of the code, the line that is shown for it.
        let mut lines: Vec<usize> = Vec::new();
        for (cell, source) in self.cells.iter().zip(&sources) {
            starts.push(json!({"start_row": line, "raw_cell_index": cell.number}));
            let text = format!("{}{source}\n", cell.head);
            line += cell.head.matches('\n').count();
            let own = source.matches('\n').count() + 1;
            lines.extend(line..line + own);
            line += own;
            // What stands at the boundary stands behind the cell.
            lines.push(line);
            shown.push_str(&text);
        }
        let index = serde_json::from_value(json!({"cell_starts": starts})).ok()?;
        let from = LineIndex::from_source_text(code);
        let to = LineIndex::from_source_text(&shown);
        let length = TextSize::try_from(shown.len()).ok()?;
        let moved = |offset: TextSize| {
            let line = from.line_index(offset);
            let start = from.line_start(line, code);
            let target = lines.get(line.to_zero_indexed()).copied()?;
            let target = OneIndexed::new(target)?;
            Some((to.line_start(target, &shown) + (offset - start)).min(length))
        };
        moved_findings(findings, &moved, &|content| self.with_magics(content))?;
        Some(Sheet {
            text: shown,
            index: Some(index),
            cells: self.changed_cells(&self.code, code)?,
        })
    }

    /// The cells that differ between two versions of the code: the number, the old and the new source. `None` where they
    /// cannot be told apart any more.
    pub(super) fn changed_cells(
        &self,
        old: &str,
        new: &str,
    ) -> Option<Vec<(usize, String, String)>> {
        let sources = self.sources(old)?.into_iter().zip(self.sources(new)?);
        let cells = self.cells.iter().zip(sources);
        let changed = cells.filter(|(_, (old, new))| old != new);
        let shown = changed.map(|(cell, (old, new))| {
            let with_head = |source: &str| format!("{}{source}\n", cell.head);
            (cell.number, with_head(&old), with_head(&new))
        });
        Some(shown.collect())
    }

    /// The code with other texts in the place of some cells, as they are shown: by the numbers of the cells. `Err` says
    /// why they cannot stand there.
    pub(super) fn with_cells(
        &self,
        code: &str,
        texts: &HashMap<usize, &str>,
    ) -> Result<String, String> {
        let sources = self.sources(code).ok_or("the cells can't be told apart")?;
        let mut code = String::new();
        for (cell, source) in self.cells.iter().zip(sources) {
            let source = match texts.get(&cell.number) {
                Some(text) => {
                    let source = text
                        .strip_prefix(&cell.head)
                        .ok_or_else(|| format!("`{}` must stay", cell.head.trim()))?;
                    source.strip_suffix('\n').unwrap_or(source).to_owned()
                }
                None => source,
            };
            if source.contains(BOUNDARY) || source.contains(MAGIC) {
                return Err(format!("asyncfix uses `{BOUNDARY}` and `{MAGIC}` itself"));
            }
            // They go by the names that they had before.
            let known = |magic: &str| self.magics.iter().position(|known| known == magic);
            code.push_str(&without_magics(&source, known).map_err(|error| error.to_string())?);
            code.push('\n');
            code.push_str(&boundary(cell.number));
        }
        code.push_str(KERNEL);
        Ok(code)
    }

    /// Makes of what became of the code what becomes of the notebook, but for its old text. `None` where the cells
    /// cannot be told apart any more.
    pub(super) fn put_back(&self, outcome: &mut Outcome) -> Option<()> {
        let code = outcome.rewritten.take();
        let code = code.as_deref().unwrap_or(&self.code);
        let json = self.rewritten(code)?;
        for fixed in &mut outcome.fixed {
            fixed.place = None;
        }
        outcome.sheet = Some(self.shown(code, &mut outcome.findings)?);
        outcome.rewritten = (json != self.json).then_some(json);
        Some(())
    }

    /// The notebook as it was read.
    pub(super) fn into_json(self) -> String {
        self.json
    }
}

fn boundary(number: usize) -> String {
    format!("{BOUNDARY}{number}\n")
}

fn name_of(magic: usize) -> String {
    format!("{MAGIC}{magic}_")
}

/// The source of a cell, which is one text or a list of lines.
fn source_of(value: &RawValue) -> Result<String, serde_json::Error> {
    if value.get().starts_with('[') {
        let lines: Vec<String> = serde_json::from_str(value.get())?;
        return Ok(lines.concat());
    }
    serde_json::from_str(value.get())
}

/// The first line of a cell, where only `IPython` understands it, and the rest. `None` where the rest is not Python of the
/// notebook's own namespace.
fn split_head(source: String) -> Option<(String, String)> {
    let start = source.trim_start();
    if !start.starts_with("%%") {
        return Some((String::new(), source));
    }
    let word = start.split_whitespace().next().unwrap_or_default();
    if !PYTHON_CELLS.contains(&word) {
        return None;
    }
    let before = source.len() - start.len();
    let end = before + start.find('\n').map_or(start.len(), |end| end + 1);
    let (head, rest) = source.split_at(end);
    Some((head.to_owned(), rest.to_owned()))
}

/// What is wrong with the source of a cell.
struct CellError {
    /// The line and the column in it.
    place: Option<(usize, usize)>,
    message: String,
}

impl fmt::Display for CellError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((line, column)) = self.place {
            write!(f, "line {line}, column {column}: ")?;
        }
        f.write_str(&self.message)
    }
}

/// The source with a name in the place of each thing that only `IPython` understands; `number_of` gives it its number.
/// `Err` where one has none, or the source does not parse.
fn without_magics(
    source: &str,
    mut number_of: impl FnMut(&str) -> Option<usize>,
) -> Result<String, CellError> {
    #[derive(Default)]
    struct Search(Vec<TextRange>);
    impl<'a> SourceOrderVisitor<'a> for Search {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let AnyNodeRef::StmtIpyEscapeCommand(_) | AnyNodeRef::ExprIpyEscapeCommand(_) = node
            {
                self.0.push(node.range());
                return TraversalSignal::Skip;
            }
            TraversalSignal::Traverse
        }
    }
    let parsed = parse_unchecked(source, ParseOptions::from(Mode::Ipython));
    if let Some(error) = parsed.errors().first() {
        return Err(CellError {
            place: Some(Places::of(source).at(error.location.start())),
            message: format!("syntax error: {}", error.error),
        });
    }
    let mut search = Search::default();
    if let Some(module) = parsed.syntax().as_module() {
        search.visit_body(&module.body);
    }
    let mut code = String::new();
    let mut copied = TextSize::new(0);
    for range in search.0 {
        code.push_str(&source[TextRange::new(copied, range.start())]);
        let magic = &source[range];
        let number = number_of(magic).ok_or_else(|| CellError {
            place: None,
            message: format!("`{magic}` can't be added here"),
        })?;
        code.push_str(&name_of(number));
        copied = range.end();
    }
    code.push_str(&source[copied.to_usize()..]);
    Ok(code)
}

/// The source as JSON, written as `old` is: one text or a list of lines, with the same spaces, and with escapes where that
/// has them. `None` where `old` is no source.
fn in_json(source: &str, old: &str) -> Option<String> {
    let is_escaped = old.is_ascii() && old.contains("\\u");
    let quoted = |text: &str| {
        let text = serde_json::to_string(text).ok()?;
        Some(if is_escaped { escaped(&text) } else { text })
    };
    if !old.starts_with('[') {
        return quoted(source);
    }
    let known: Vec<&RawValue> = serde_json::from_str(old).ok()?;
    let mut as_written = HashMap::new();
    for raw in &known {
        as_written.insert(serde_json::from_str::<String>(raw.get()).ok()?, raw.get());
    }
    let offset = |raw: &RawValue| raw.get().as_ptr() as usize - old.as_ptr() as usize;
    let (open, close, between) = match known.as_slice() {
        [] => ("[".to_owned(), "]".to_owned(), ", ".to_owned()),
        [first, rest @ ..] => {
            let last = rest.last().unwrap_or(first);
            let open = old.get(..offset(first))?.to_owned();
            let close = old.get(offset(last) + last.get().len()..)?.to_owned();
            let between = match rest.first() {
                Some(second) => old
                    .get(offset(first) + first.get().len()..offset(second))?
                    .to_owned(),
                None => format!(",{}", open.get(1..)?),
            };
            (open, close, between)
        }
    };
    let lines: Option<Vec<String>> = source
        .split_inclusive('\n')
        .map(|line| match as_written.get(line) {
            Some(written) => Some((*written).to_owned()),
            None => quoted(line),
        })
        .collect();
    Some(format!("{open}{}{close}", lines?.join(&between)))
}

/// JSON without characters beyond ASCII, as Python's `json` writes it by default.
fn escaped(text: &str) -> String {
    let mut result = String::new();
    for char in text.chars() {
        if char.is_ascii() {
            result.push(char);
        } else {
            for unit in char.encode_utf16(&mut [0; 2]) {
                let _ = write!(result, "\\u{unit:04x}");
            }
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_may_be_written_anew() {
        let notebook = notebook(&["x = !ls", "%%time\nawait f()", "!pwd\ny = 1"]);
        let code = notebook.code();
        let with = |number, text| notebook.with_cells(code, &HashMap::from([(number, text)]));
        let edited = with(3, "y = 2\n!pwd\n").unwrap();
        assert!(edited.contains("\ny = 2\n_asyncfix_magic_1_\n"), "{edited}");
        assert_eq!(with(1, "x = !ls\n").as_deref(), Ok(code));
        assert!(with(1, "x = !rm\n").is_err());
        assert!(with(1, "x = (\n").is_err());
    }

    fn notebook(sources: &[&str]) -> Notebook {
        let cells: Vec<_> = sources
            .iter()
            .map(|source| json!({"cell_type": "code", "source": source, "outputs": []}))
            .collect();
        let json = serde_json::to_string_pretty(&json!({"cells": cells})).unwrap();
        Notebook::read(Path::new("a.ipynb"), json).unwrap().unwrap()
    }

    #[test]
    fn cells_come_out_as_they_went_in() {
        let sources = [
            "%load x\nimport time",
            "",
            "%%time\nx = !ls\nif x:\n    ?x\n",
            "await f()",
        ];
        let notebook = notebook(&sources);
        assert_eq!(
            notebook.rewritten(notebook.code()).as_deref(),
            Some(notebook.json.as_str())
        );
        let sheet = notebook.shown(notebook.code(), &mut []).unwrap();
        assert_eq!(
            sheet.text,
            sources.map(|source| format!("{source}\n")).concat()
        );
        assert!(sheet.cells.is_empty());
    }
}
