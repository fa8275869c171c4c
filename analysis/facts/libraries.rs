//! The libraries that drive coroutines, by what a module imports.

use asyncfix_knowledge::libraries::{LIBRARIES, Library};
use ruff_python_ast::{self as ast};

use crate::facts::imports::{Import, for_each_import_at_top};
use crate::facts::summary::holds;

/// The library that the imports at the top level of a module point to. `None` where there is no such import, or
/// they disagree.
///
/// What a function imports, or only a type checker sees, says nothing of what runs the module. One that imports
/// asyncio beside anyio runs on asyncio.
pub(crate) fn of_module(module: &ast::ModModule, source: &str) -> Option<Library> {
    Libraries::of(module, source)?.decide()
}

/// The library whose functions are written into a module: anyio where the module imports it, since its functions
/// work on asyncio and on trio.
pub(crate) fn to_write(module: &ast::ModModule, source: &str) -> Option<Library> {
    let libraries = Libraries::of(module, source)?;
    let has_anyio = libraries.0.contains(&Library::Anyio) && !libraries.0.contains(&Library::Other);
    has_anyio.then_some(Library::Anyio)
}

/// The libraries that a module imports.
#[derive(Default)]
struct Libraries(Vec<Library>);

impl Libraries {
    /// Those that the module imports at its top level. `None` where it does not even hold the words.
    fn of(module: &ast::ModModule, source: &str) -> Option<Self> {
        // Most files that import none of them do not even hold the word.
        if !LIBRARIES.iter().any(|word| holds(source, word)) {
            return None;
        }
        let mut libraries = Self::default();
        for_each_import_at_top(&module.body, &mut |import| libraries.note(&import));
        Some(libraries)
    }

    fn note(&mut self, import: &Import<'_>) {
        match import {
            Import::Module(names) => {
                let found = names
                    .iter()
                    .filter_map(|alias| Library::of_import(&alias.name));
                self.0.extend(found);
            }
            Import::From(statement) if statement.level == 0 => {
                let found = statement.module.as_deref().and_then(Library::of_import);
                self.0.extend(found);
            }
            Import::From(_) => {}
        }
    }

    /// Twisted and curio beat all others. Anyio runs on what stands beside it.
    fn decide(&self) -> Option<Library> {
        let has = |library| self.0.contains(&library);
        match (has(Library::Asyncio), has(Library::Trio)) {
            _ if has(Library::Other) => Some(Library::Other),
            (true, false) => Some(Library::Asyncio),
            (false, true) => Some(Library::Trio),
            _ => has(Library::Anyio).then_some(Library::Anyio),
        }
    }
}
