//! Making one plain function a coroutine function: whether it can be one, and the edit.

use std::path::{Path, PathBuf};

use asyncfix_analysis::resolve::Definition;
use asyncfix_syntax::queries::yields;
use ruff_diagnostics::Edit;
use ruff_python_ast::token::TokenKind;
use ruff_python_ast::{self as ast};
use ruff_text_size::{Ranged, TextRange};

use super::conversion::Conversion;
use super::may_be_async::{
    can_be_async, gives_awaitable, is_called_elsewhere, is_handler, is_in_test_case, is_test,
};
use crate::file::File;

/// What a function is that was made a coroutine function.
pub(super) struct Converted {
    pub(super) is_generator: bool,
    /// Whether a test runner, a framework or Python itself calls it, and awaits it.
    pub(super) is_called_elsewhere: bool,
    /// Whether a framework does, whose object has taken the place of the function.
    pub(super) is_handler: bool,
    /// The methods that have to be coroutine functions too, each with its file.
    pub(super) family: Vec<(PathBuf, String)>,
    /// Why it is not certain that it can be a coroutine function.
    pub(super) doubt: Option<String>,
}

impl<'db> Conversion<'_, '_, 'db> {
    /// Writes `async` before the `def`. `is_member` where the function only changes because another one
    /// of its name does. `Err` with the reason why the function cannot be a coroutine
    /// function.
    pub(super) fn make_async(
        &mut self,
        of: Definition<'db>,
        is_member: bool,
    ) -> Result<Converted, String> {
        let path = self
            .origin
            .semantics
            .file_of(of)
            .ok_or("a function that would have to change is not in a file")?;
        if !self.origin.may_write(&path) {
            return Err(format!(
                "`{}` would have to change but was not passed to asyncfix; run `asyncfix --write .` in \
                 the project root",
                self.shown(&path)
            ));
        }
        let project = self.origin.project;
        let (edit, made) = self.with_file(&path, |file| {
            let found = file.semantics.function_of(of);
            let function = found
                .as_ref()
                .and_then(|found| found.node(file.semantics.db()))
                .ok_or("a function that would have to change can't be found")?;
            if file.semantics.has_other_definitions(of) {
                return Err(format!("`{}` is defined more than once", function.name));
            }
            if file.semantics.beside(&path.with_extension("pyi")).is_some() {
                return Err(format!(
                    "`{}` also has a stub (`.pyi`), which would have to change",
                    function.name
                ));
            }
            can_be_async(file, function)?;
            let doubt = match gives_awaitable(file, function) {
                Some(true) => {
                    return Err(format!("`{}` already returns an awaitable", function.name));
                }
                Some(false) => None,
                // What a caller gives is mostly made of what it is given, and that is mended.
                None if !is_member => None,
                None => Some(format!(
                    "can't tell whether `{}` already returns an awaitable",
                    function.name
                )),
            };
            let place = found
                .as_ref()
                .and_then(|found| file.semantics.place_of_function(found));
            let family = match place {
                // The classes of `unittest` have no tests that one could override.
                Some(_) if is_test(file, function) && is_in_test_case(file, function) => Vec::new(),
                // Nobody but the framework calls it, whatever the class inherits.
                Some(_) if is_handler(file, function) => Vec::new(),
                Some((place, name)) => project.family(&place, &name)?,
                None => Vec::new(),
            };
            Ok::<_, String>((
                made_async(file, function).ok_or("its `def` can't be found")?,
                Converted {
                    is_generator: yields(function),
                    is_called_elsewhere: is_called_elsewhere(file, function),
                    is_handler: is_handler(file, function),
                    family,
                    doubt,
                },
            ))
        })??;
        self.edits_of(&path).own.push(edit);
        Ok(made)
    }

    /// The method of this name, behind that of its class, in the file at `path`.
    pub(super) fn method(&self, path: &Path, qualified: &str) -> Result<Definition<'db>, String> {
        self.with_file(path, |file| {
            let mut body = file.body();
            let mut parts = qualified.split('.').peekable();
            while let Some(part) = parts.next() {
                if parts.peek().is_none() {
                    return body.iter().find_map(|statement| match statement {
                        ast::Stmt::FunctionDef(function) if function.name.as_str() == part => {
                            file.semantics.definition_of(function)
                        }
                        _ => None,
                    });
                }
                body = body.iter().find_map(|statement| match statement {
                    ast::Stmt::ClassDef(class) if class.name.as_str() == part => {
                        Some(class.body.as_slice())
                    }
                    _ => None,
                })?;
            }
            None
        })?
        .ok_or_else(|| format!("`{qualified}` would have to change too, but can't be found"))
    }
}

/// The edit that makes a plain function a coroutine function.
pub(super) fn made_async(file: &File<'_, '_>, function: &ast::StmtFunctionDef) -> Option<Edit> {
    let header = TextRange::new(function.start(), function.name.start());
    let mut tokens = file.tokens().in_range(header).iter();
    let keyword = tokens.rfind(|token| token.kind() == TokenKind::Def)?;
    Some(Edit::insertion("async ".to_owned(), keyword.start()))
}
