//! Blocks of Python in Markdown and reStructuredText, each a program of its own.

use std::ops::Range;
use std::path::{Path, PathBuf};

use asyncfix_codemods::finding::Finding;
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use ruff_python_ast::PySourceType;
use ruff_python_parser::parse_unchecked_source;
use ruff_source_file::LineIndex;
use ruff_text_size::TextSize;

use crate::embedded::{Sheet, moved_findings};
use crate::run::{Fixed, Outcome};
use crate::source::Source;

/// Directives of reStructuredText (Sphinx's among them) that show code.
const DIRECTIVES: [&str; 4] = ["code-block", "code", "sourcecode", "ipython"];

/// A text with blocks of code.
#[derive(Debug)]
pub(crate) struct Document {
    text: String,
    blocks: Vec<Block>,
}

/// A block of code: whole lines, each with what the text around it puts before it.
#[derive(Debug)]
struct Block {
    /// From the start of its first line to behind its last one.
    range: Range<usize>,
    /// What stands before each line that is not blank.
    prefix: String,
    /// What stands in a blank line.
    blank: String,
    code: String,
}

impl Block {
    /// The block that these lines are, if all of them have the same before the code, or nothing.
    fn of(text: &str, range: Range<usize>, prefix: &str) -> Option<Self> {
        let mut code = String::new();
        let mut blank = None;
        for line in text.get(range.clone())?.split_inclusive('\n') {
            match line.strip_prefix(prefix) {
                Some(rest) if !rest.trim().is_empty() => code.push_str(rest),
                _ => {
                    let start = line.trim_end();
                    // Blank, but for what the text around it puts there.
                    if !prefix.starts_with(start) {
                        return None;
                    }
                    blank.get_or_insert_with(|| start.to_owned());
                    code.push('\n');
                }
            }
        }
        let parsed = parse_unchecked_source(&code, PySourceType::Python);
        // A part of a program, or a session in a terminal.
        if !parsed.errors().is_empty() || code.contains('\r') {
            return None;
        }
        Some(Self {
            range,
            prefix: prefix.to_owned(),
            blank: blank.unwrap_or_else(|| prefix.trim_end().to_owned()),
            code,
        })
    }

    /// The lines of the block with other code, and for each where its code begins.
    fn written(&self, code: &str) -> (String, Vec<usize>) {
        let mut text = String::new();
        let mut starts = Vec::new();
        for line in code.split_inclusive('\n') {
            let is_blank = line.trim().is_empty();
            text.push_str(if is_blank { &self.blank } else { &self.prefix });
            starts.push(text.len());
            text.push_str(line);
        }
        starts.push(text.len());
        (text, starts)
    }
}

impl Document {
    /// Finds the blocks of Python in a text; which form it has is told by the name of its file. What is no whole program,
    /// or does not parse, is left out.
    pub(crate) fn read(text: String, path: &Path) -> Self {
        let is_rst = path.extension().is_some_and(|extension| extension == "rst");
        let blocks = if is_rst {
            in_rst(&text)
        } else {
            in_markdown(&text)
        };
        Self { text, blocks }
    }

    /// The code of the blocks, with their numbers from 1.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = (usize, String)> {
        (1..)
            .zip(&self.blocks)
            .map(|(number, block)| (number, block.code.clone()))
    }

    /// Makes of what became of the blocks what becomes of the document. `None` where nothing was found in it.
    pub(super) fn put_back(
        self,
        path: PathBuf,
        mut outcomes: Vec<(usize, Outcome)>,
    ) -> Option<Outcome> {
        outcomes.sort_by_key(|(number, _)| *number);
        let mut outcomes = outcomes.into_iter().peekable();
        let shown = outcomes.peek()?.1.shown.clone();
        let mut text = String::new();
        let mut copied = 0;
        let mut whole = Outcome {
            shown,
            path,
            source: Source::utf8(self.text.clone()),
            rewritten: None,
            fixed: Vec::new(),
            findings: Vec::new(),
            unsafe_fixes: false,
            group: None,
            sheet: None,
        };
        for (block, number) in self.blocks.iter().zip(1..) {
            let Some((_, mut outcome)) = outcomes.next_if(|(found, _)| *found == number) else {
                continue;
            };
            let code = outcome.rewritten.as_deref().unwrap_or(&block.code);
            let (written, starts) = block.written(code);
            text.push_str(self.text.get(copied..block.range.start)?);
            copied = block.range.end;
            let at = text.len();
            text.push_str(&written);
            let fixed = outcome.fixed.drain(..);
            whole.fixed.extend(fixed.map(|fixed| Fixed {
                place: None,
                ..fixed
            }));
            whole.unsafe_fixes |= outcome.unsafe_fixes;
            placed(&mut outcome.findings, code, at, &starts, &block.prefix)?;
            whole.findings.append(&mut outcome.findings);
        }
        text.push_str(self.text.get(copied..)?);
        whole.rewritten = (text != self.text).then(|| text.clone());
        whole.sheet = Some(Sheet {
            text,
            index: None,
            cells: Vec::new(),
        });
        Some(whole)
    }
}

/// Moves findings from the code of a block to the text around it. `at` is where the block begins there, and `starts` says
/// where the code of each line begins in the block.
fn placed(
    findings: &mut [Finding],
    code: &str,
    at: usize,
    starts: &[usize],
    prefix: &str,
) -> Option<()> {
    let index = LineIndex::from_source_text(code);
    let moved = |offset: TextSize| {
        let line = index.line_index(offset);
        let start = *starts.get(line.to_zero_indexed())?;
        let column = offset - index.line_start(line, code);
        TextSize::try_from(at + start + column.to_usize()).ok()
    };
    // What is put in may have several lines.
    let content = |content: &str| content.replace('\n', &format!("\n{prefix}"));
    moved_findings(findings, &moved, &content)
}

/// Whether the words behind a fence say that the block is Python.
fn is_python(info: &str) -> bool {
    let mut words = info
        .split(|char: char| !(char.is_alphanumeric() || char == '-'))
        .filter(|word| !word.is_empty());
    let is_name = |word: Option<&str>| {
        word.is_some_and(|word| {
            let word = word.to_ascii_lowercase();
            matches!(
                word.as_str(),
                "python" | "python3" | "py" | "py3" | "ipython3"
            )
        })
    };
    match words.next() {
        Some("code-block" | "code-cell" | "code" | "sourcecode") => is_name(words.next()),
        first => is_name(first),
    }
}

fn in_markdown(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines: Option<Range<usize>> = None;
    let mut is_inside = false;
    for (event, range) in Parser::new_ext(text, Options::all()).into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                is_inside = is_python(&info);
                lines = None;
            }
            Event::Text(_) if is_inside => {
                let whole = lines.get_or_insert(range.clone());
                whole.end = range.end;
            }
            Event::End(TagEnd::CodeBlock) => {
                if let Some(range) = lines.take().filter(|_| is_inside)
                    && let Some(start) = text.get(..range.start)
                {
                    let line = start.rfind('\n').map_or(0, |end| end + 1);
                    let prefix = start.get(line..).unwrap_or_default();
                    blocks.extend(Block::of(text, line..range.end, prefix));
                }
                is_inside = false;
            }
            _ => {}
        }
    }
    blocks
}

fn in_rst(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut offset = 0;
    let lines: Vec<Range<usize>> = text
        .split_inclusive('\n')
        .map(|line| {
            offset += line.len();
            offset - line.len()..offset
        })
        .collect();
    let line_at = |at: usize| lines.get(at).and_then(|range| text.get(range.clone()));
    let indent_of = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
    let mut at = 0;
    while let Some(line) = line_at(at) {
        at += 1;
        let is_directive = line
            .trim_start()
            .strip_prefix(".. ")
            .and_then(|rest| rest.split_once("::"))
            .is_some_and(|(name, language)| {
                DIRECTIVES.contains(&name.trim()) && is_python(language)
            });
        if !is_directive {
            continue;
        }
        let around = indent_of(line);
        // Options stand directly below.
        while line_at(at).is_some_and(|line| line.trim_start().starts_with(':')) {
            at += 1;
        }
        while line_at(at).is_some_and(|line| line.trim().is_empty()) {
            at += 1;
        }
        let Some(first) = line_at(at).filter(|line| indent_of(line) > around) else {
            continue;
        };
        let prefix = first.get(..indent_of(first)).unwrap_or_default().to_owned();
        let start = at;
        let mut end = at;
        while let Some(line) = line_at(at) {
            let is_blank = line.trim().is_empty();
            if !is_blank && indent_of(line) <= around {
                break;
            }
            at += 1;
            if !is_blank {
                end = at;
            }
        }
        if let (Some(first), Some(last)) = (lines.get(start), lines.get(end.saturating_sub(1))) {
            blocks.extend(Block::of(text, first.start..last.end, &prefix));
        }
    }
    blocks
}
