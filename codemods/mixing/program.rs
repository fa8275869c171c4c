//! How often a program wants an event loop. One is enough for all of it.

use std::path::Path;

use asyncfix_analysis::answers::callbacks::Caller;
use asyncfix_analysis::answers::runners::{may_run_loop, runner, runs_loop};
use asyncfix_analysis::resolve::Definition;
use asyncfix_analysis::resolve::semantics::Semantics;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Stmt};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::FxHashSet;

use super::conversion::{Conversion, unclear};
use super::given_on::Use;
use super::references::{Around, Kind};

/// How a program comes to a function.
pub(super) enum Program {
    /// Only from where a script starts, through plain functions.
    Plain {
        /// Why that may be wrong.
        doubt: Option<String>,
    },
    /// In another way.
    Other,
}

impl<'db> Conversion<'_, '_, 'db> {
    /// How the program comes to the function. It is a plain one where the function only runs where a script starts, and
    /// wants the only event loop there: its callers, and theirs, are plain functions up to the top level of a script, or
    /// up to one that nothing in sight calls, and none of them will be a coroutine function. `is_command` where a
    /// framework calls the function, outside of every event loop.
    pub(super) fn program_of(
        &self,
        function: Definition<'db>,
        name: &str,
        is_command: bool,
    ) -> Result<Program, String> {
        let mut doubt = None;
        let mut seen = FxHashSet::from_iter([function]);
        let mut pending = vec![(function, name.to_owned())];
        while let Some((function, name)) = pending.pop() {
            // A method is called by who knows whom.
            if self.origin.semantics.is_in_class(function) {
                return Ok(Program::Other);
            }
            // One loop is for all that runs there.
            if self.wanted_by_function(function).len() > 1 {
                return Ok(Program::Other);
            }
            let references = self.references(function, &name)?;
            let mut calls = 0;
            for reference in &*references {
                let call = match &reference.kind {
                    Kind::Call(call) => call,
                    Kind::Import { by_package: false } => continue,
                    // `typer.run(main)`
                    Kind::Value {
                        caller: Some(Caller::Plainly),
                        ..
                    } => {
                        calls += 1;
                        continue;
                    }
                    Kind::Import { by_package: true } | Kind::Value { .. } | Kind::Text(_) => {
                        return Ok(Program::Other);
                    }
                };
                calls += 1;
                // Each time would be another event loop.
                if calls > 1 || call.repeats {
                    return Ok(Program::Other);
                }
                match &call.used {
                    Use::Value | Use::Loop(_) => {}
                    Use::Unclear(given) => {
                        let place = self.place(&reference.path, call.range);
                        doubt.get_or_insert_with(|| unclear(given, &place));
                    }
                    Use::AsyncLoop | Use::Coroutine => return Ok(Program::Other),
                }
                match &call.around {
                    Around::Script => {
                        if self.runs_loop(&reference.path)?
                            || self.may_run_loop(&reference.path)?.is_some()
                            || self.wanted_by_script(&reference.path)?.len() > 1
                        {
                            return Ok(Program::Other);
                        }
                    }
                    Around::Plain(caller, name) => {
                        if seen.insert(*caller) {
                            pending.push((*caller, name.clone()));
                        }
                    }
                    Around::Coroutine | Around::Module | Around::Lambda => {
                        return Ok(Program::Other);
                    }
                }
            }
            // Whoever uses a package may do so while a loop is running.
            if calls == 0 && !is_command && self.is_in_package(function) {
                return Ok(Program::Other);
            }
        }
        Ok(Program::Plain { doubt })
    }

    /// Whether a file runs an event loop somewhere.
    pub(super) fn runs_loop(&self, path: &Path) -> Result<bool, String> {
        self.with_file(path, |file| runs_loop(&file.semantics, file.body()))
    }

    /// Why a file may run an event loop of its own.
    pub(super) fn may_run_loop(&self, path: &Path) -> Result<Option<String>, String> {
        self.with_file(path, |file| may_run_loop(&file.semantics, file.body()))
    }

    pub(super) fn is_in_package(&self, function: Definition<'db>) -> bool {
        let path = self.origin.semantics.file_of(function);
        #[allow(
            clippy::redundant_closure_for_method_calls,
            reason = "the method is not general enough in its lifetimes"
        )]
        let is_in_package = path.map(|path| self.with_file(&path, |file| file.is_in_package()));
        !matches!(is_in_package, Some(Ok(false)))
    }

    /// What in the code of a function wants an event loop.
    pub(super) fn wanted_by_function(&self, function: Definition<'db>) -> Vec<TextRange> {
        let semantics = &self.origin.semantics;
        let Some(function) = semantics.function_of(function) else {
            return Vec::new();
        };
        let own = semantics.of_function(&function);
        let node = function.node(semantics.db());
        node.map(|node| self.wanted(&own, &node.body))
            .unwrap_or_default()
    }

    /// What at the top level of a script wants an event loop.
    pub(super) fn wanted_by_script(&self, path: &Path) -> Result<Vec<TextRange>, String> {
        self.with_file(path, |file| self.wanted(&file.semantics, file.body()))
    }

    fn wanted(&self, semantics: &Semantics<'db>, body: &[Stmt]) -> Vec<TextRange> {
        let mut wanted = Wanted {
            conversion: self,
            semantics,
            taken: Vec::new(),
            found: Vec::new(),
        };
        wanted.visit_body(body);
        wanted.found
    }

    /// Whether a call wants an event loop: it runs one, makes a coroutine, or leads to an `await` in a plain function.
    fn wants_loop(&self, semantics: &Semantics<'db>, call: &ast::ExprCall) -> bool {
        let Some(function) = semantics.function(&call.func) else {
            return false;
        };
        let is_async = function
            .node(semantics.db())
            .is_some_and(|node| node.is_async);
        is_async || self.function_wants_loop(function.definition())
    }

    fn function_wants_loop(&self, function: Definition<'db>) -> bool {
        let known = &self.origin.conversions.wanting;
        if let Some(known) = known.borrow().get(&function) {
            return *known;
        }
        // What calls itself wants no more than it does otherwise.
        known.borrow_mut().insert(function, false);
        let wants = self.origin.semantics.file_of(function).is_some_and(|path| {
            self.origin.project.number_of(&path).is_some()
                && !self.wanted_by_function(function).is_empty()
        });
        known.borrow_mut().insert(function, wants);
        wants
    }
}

/// Finds what wants an event loop in the code of one function, or at the top level of a script.
struct Wanted<'c, 'f, 'a, 'db> {
    conversion: &'c Conversion<'f, 'a, 'db>,
    semantics: &'c Semantics<'db>,
    /// Coroutines that something runs which was found already.
    taken: Vec<TextRange>,
    found: Vec<TextRange>,
}

impl<'n> SourceOrderVisitor<'n> for Wanted<'_, '_, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'n>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtFunctionDef(_)
            | AnyNodeRef::StmtClassDef(_)
            | AnyNodeRef::ExprLambda(_) => return TraversalSignal::Skip,
            AnyNodeRef::ExprAwait(awaited) => {
                self.found.push(awaited.range());
                self.taken.push(awaited.value.range());
            }
            AnyNodeRef::StmtFor(ast::StmtFor { is_async: true, .. })
            | AnyNodeRef::StmtWith(ast::StmtWith { is_async: true, .. })
            | AnyNodeRef::Comprehension(ast::Comprehension { is_async: true, .. }) => {
                self.found.push(node.range());
            }
            AnyNodeRef::ExprCall(call) => {
                if runner(self.semantics, call).is_some() {
                    self.found.push(call.range());
                    let arguments = call.arguments.iter_source_order();
                    self.taken
                        .extend(arguments.map(|argument| argument.value().range()));
                } else if !self.taken.contains(&call.range())
                    && self.conversion.wants_loop(self.semantics, call)
                {
                    self.found.push(call.range());
                }
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }
}
