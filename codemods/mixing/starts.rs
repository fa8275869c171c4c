//! Where the program starts: the call of what has become a coroutine function runs a new event loop there, which has to be
//! the only one.

use std::path::{Path, PathBuf};

use asyncfix_analysis::resolve::Definition;
use asyncfix_syntax::awaited::needs_coroutine;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef};
use ruff_text_size::TextRange;

use super::conversion::Conversion;
use super::references::{Call, Kind};

/// Code that starts event loops.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Start<'db> {
    /// The top level of the script.
    Script(PathBuf),
    /// A function that nothing in sight calls.
    Function(Definition<'db>),
}

impl<'db> Conversion<'_, '_, 'db> {
    /// Runs a call in an event loop of its own, which has to be the only one there.
    pub(super) fn start(
        &mut self,
        path: &Path,
        call: &Call<'db>,
        start: Start<'db>,
    ) -> Result<(), String> {
        if self.runs_loop(path)? {
            return Err(format!(
                "the file of {} already runs an event loop; call it from there",
                self.place(path, call.range)
            ));
        }
        if let Some(doubt) = self.may_run_loop(path)? {
            self.doubt.get_or_insert(doubt);
        }
        let wanted = match &start {
            Start::Script(path) => self.wanted_by_script(path)?,
            Start::Function(function) => self.wanted_by_function(*function),
        };
        let are_several = call.repeats || wanted.len() > 1;
        let is_own = matches!(&start, Start::Script(script)
            if self.origin.semantics.path() == Some(script.as_path()));
        if are_several && is_own && self.may_run_together {
            self.together.push(call.range);
            self.edits_of(path).own.extend(call.awaits.clone());
            return Ok(());
        }
        let other = self.started.insert(start, call.range);
        if are_several || other.is_some_and(|other| other != call.range) {
            return Err(self.runs_several(path, call.range));
        }
        let (edits, import) = call.runs.clone()?;
        let into = self.edits_of(path);
        into.own.extend(edits);
        into.shared.extend(import);
        Ok(())
    }

    pub(super) fn runs_several(&self, path: &Path, range: TextRange) -> String {
        format!(
            "{} runs several coroutines; move them into one `async def` and run that with \
             `asyncio.run`",
            self.place(path, range)
        )
    }

    /// Where several calls at the top level of the file are to run in one event loop: converts the other functions of
    /// the file that await and are called, because all of it runs together.
    pub(super) fn convert_beside(&mut self) -> Result<(), String> {
        let Some(first) = self.together.first().copied() else {
            return Ok(());
        };
        let file = self.origin;
        for function in awaiting_functions(file.body()) {
            let Some(definition) = file.semantics.definition_of(function) else {
                continue;
            };
            let references = self.references(definition, &function.name)?;
            let mut references = references.iter();
            let is_called = references.any(|reference| matches!(reference.kind, Kind::Call(_)));
            if is_called && !self.functions.contains(&definition) {
                self.convert(definition, &function.name)?;
            }
        }
        let path = file.semantics.path().ok_or("the file has no path")?;
        let wanted = self.wanted_by_script(path)?;
        if wanted.iter().any(|range| !self.together.contains(range)) {
            return Err(self.runs_several(path, first));
        }
        Ok(())
    }
}

/// The plain functions in `body` that await.
fn awaiting_functions(body: &[ast::Stmt]) -> Vec<&ast::StmtFunctionDef> {
    struct Search<'a>(Vec<&'a ast::StmtFunctionDef>);
    impl<'a> SourceOrderVisitor<'a> for Search<'a> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let AnyNodeRef::StmtFunctionDef(function) = node
                && !function.is_async
                && needs_coroutine(function)
            {
                self.0.push(function);
            }
            if node.is_expression() {
                TraversalSignal::Skip
            } else {
                TraversalSignal::Traverse
            }
        }
    }
    let mut search = Search(Vec::new());
    search.visit_body(body);
    search.0
}
