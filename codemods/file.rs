//! Everything a codemod may know about the file it looks at.

use std::cell::OnceCell;
use std::ops::Deref;
use std::path::Path;

use asyncfix_analysis::file::ParsedFile;
use asyncfix_syntax::site::Site;
use ruff_diagnostics::Edit;
use ruff_python_ast::{self as ast, AnyNodeRef};
use ruff_text_size::{Ranged, TextRange};

use crate::blocking::files::FileUses;
use crate::blocking::series;
use crate::blocking::state::ModuleNames;
use crate::edit::lines::Lines;
use crate::edit::sections;
use crate::mixing::memory::Memory;
use crate::tasks::{factory, memory};

/// Which files of the project a fix may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writable {
    /// Those with a number below this one: they were given, and the others lie beside them.
    Below(usize),
    /// The one with this number.
    Only(usize),
    /// All.
    Every,
}

impl Writable {
    /// Whether the file with this number is one of them.
    pub fn has(self, number: usize) -> bool {
        match self {
            Self::Below(end) => number < end,
            Self::Only(one) => number == one,
            Self::Every => true,
        }
    }
}

/// A file, and what the codemods have found out about the whole of it so far. What is true of its code is asked of the
/// [`ParsedFile`] that it stands for.
pub struct File<'a, 'db> {
    parsed: ParsedFile<'a, 'db>,
    /// Which files of the project may be changed with it.
    pub writable: Writable,
    /// What making coroutine functions of plain ones has come to so far.
    pub(crate) conversions: Memory<'db>,
    /// What its functions change and where they await, as far as that was asked.
    pub(crate) sections: sections::Memory,
    uses_of_files: OnceCell<FileUses>,
    module_names: OnceCell<ModuleNames>,
    /// The commands that its functions run, as far as that was asked.
    pub(crate) series: series::Memory,
    keeps_tasks: OnceCell<bool>,
    /// What was found out about the code that makes tasks, as far as that was asked.
    pub(crate) tasks: memory::Memory,
}

impl<'a, 'db> Deref for File<'a, 'db> {
    type Target = ParsedFile<'a, 'db>;

    fn deref(&self) -> &Self::Target {
        &self.parsed
    }
}

impl<'a, 'db> File<'a, 'db> {
    /// The file as nothing is known yet of the whole of it. `writable` are the files that may be changed with it.
    pub fn new(parsed: ParsedFile<'a, 'db>, writable: Writable) -> Self {
        Self {
            parsed,
            writable,
            conversions: Memory::default(),
            sections: sections::Memory::default(),
            uses_of_files: OnceCell::new(),
            module_names: OnceCell::new(),
            series: series::Memory::default(),
            keeps_tasks: OnceCell::new(),
            tasks: memory::Memory::default(),
        }
    }

    /// Whether a fix may change the file at `path`, which is one of the project.
    pub fn may_write(&self, path: &Path) -> bool {
        let number = self.project.number_of(path);
        number.is_some_and(|number| self.writable.has(number))
    }

    /// The files that the code of this one uses.
    pub(crate) fn file_uses(&self) -> &FileUses {
        self.uses_of_files.get_or_init(|| FileUses::of(self))
    }

    /// What the names at the top level stand for, and which of it is changed.
    pub(crate) fn module_names(&self) -> &ModuleNames {
        self.module_names.get_or_init(|| ModuleNames::of(self))
    }

    /// Whether the project has a factory of tasks that keeps each of them.
    pub(crate) fn keeps_tasks(&self) -> bool {
        *self.keeps_tasks.get_or_init(|| factory::keeps_all(self))
    }

    /// The lines of the file, for blocks of them that move.
    pub fn lines(&self) -> Lines<'_> {
        Lines::new(self.source, self.tokens(), &self.stylist)
    }

    /// The edits that put `await` before the expression at `site` and write `callee` over
    /// `replaced`, with parentheses around the whole where a trailer follows (`(await f()).x`).
    ///
    /// Nothing else of the expression is touched: its arguments keep their bytes.
    pub fn await_edits(&self, site: &Site<'_, 'a>, replaced: TextRange, callee: &str) -> Vec<Edit> {
        let range = site.node.range();
        let trailer = match site.parent() {
            Some(AnyNodeRef::ExprAttribute(parent)) => parent.value.range() == range,
            Some(AnyNodeRef::ExprSubscript(parent)) => parent.value.range() == range,
            Some(AnyNodeRef::ExprCall(parent)) => parent.func.range() == range,
            Some(AnyNodeRef::ExprAwait(_)) => true,
            _ => false,
        };
        let parenthesized =
            site.node
                .as_expr_ref()
                .zip(site.parent())
                .is_some_and(|(expr, parent)| {
                    ast::token::parenthesized_range(expr, parent, self.tokens()).is_some()
                });
        let wrap = trailer && !parenthesized;
        let open = if wrap { "(" } else { "" };
        let mut edits = vec![Edit::range_replacement(
            format!("{open}await {callee}"),
            TextRange::new(range.start(), replaced.end()),
        )];
        if wrap {
            edits.push(Edit::insertion(")".to_owned(), range.end()));
        }
        edits
    }
}
