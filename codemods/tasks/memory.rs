//! What is found out once about code that makes tasks, however many it makes.

use std::cell::RefCell;
use std::rc::Rc;

use asyncfix_analysis::answers::coroutines::{self, Ending};
use asyncfix_analysis::answers::entry_point;
use asyncfix_syntax::site::Owner;
use ruff_python_ast::{self as ast, Stmt};
use ruff_text_size::{Ranged, TextRange, TextSize};
use rustc_hash::FxHashMap;

use super::beside::Beside;
use super::leaving::{cancels_all, exits, leaves_early};
use crate::file::File;

/// Where a function begins; `None` for the module's own code.
type Code = Option<TextSize>;

/// Answers about the code of functions, and about suites in them.
#[derive(Default)]
pub(crate) struct Memory {
    entry_points: RefCell<FxHashMap<Code, bool>>,
    whole_loops: RefCell<FxHashMap<Code, bool>>,
    cancelling: RefCell<FxHashMap<Code, bool>>,
    beside: RefCell<FxHashMap<Code, Rc<Beside>>>,
    /// By where a suite begins.
    rests: RefCell<FxHashMap<TextSize, Rest>>,
    /// The statements behind which nothing comes, and those behind which something does.
    left: RefCell<FxHashMap<TextRange, bool>>,
}

/// The part of a suite from a statement on.
#[derive(Clone, Copy)]
struct Rest {
    from: usize,
    /// The last statement in it that the end of the suite may not be reached from.
    last_stop: Option<usize>,
}

fn code_of(owner: Owner<'_>) -> Code {
    match owner {
        Owner::Function(function) => Some(function.start()),
        Owner::Module | Owner::Lambda(_) => None,
    }
}

/// The answer that is kept under a key, or the one that is found now.
fn kept<K: std::hash::Hash + Eq, V: Clone>(
    answers: &RefCell<FxHashMap<K, V>>,
    key: K,
    find: impl FnOnce() -> V,
) -> V {
    if let Some(known) = answers.borrow().get(&key) {
        return known.clone();
    }
    let found = find();
    answers.borrow_mut().insert(key, found.clone());
    found
}

impl Memory {
    /// Whether the code is where a program starts and ends.
    pub(super) fn is_entry_point(&self, file: &File<'_, '_>, owner: Owner<'_>) -> bool {
        kept(&self.entry_points, code_of(owner), || {
            entry_point::is_entry_point(file, owner)
        })
    }

    /// Whether a coroutine function is all that its loop runs.
    pub(super) fn lives_as_long_as_loop(
        &self,
        file: &File<'_, '_>,
        function: &ast::StmtFunctionDef,
    ) -> bool {
        kept(&self.whole_loops, Some(function.start()), || {
            entry_point::lives_as_long_as_loop(file, function)
        })
    }

    /// Whether the code of `owner`, which is `body`, cancels all tasks of the event loop.
    pub(super) fn cancels_all(&self, file: &File<'_, '_>, owner: Owner<'_>, body: &[Stmt]) -> bool {
        kept(&self.cancelling, code_of(owner), || cancels_all(file, body))
    }

    /// The tasks that the code of `owner`, which is `body`, makes.
    pub(super) fn beside(
        &self,
        file: &File<'_, '_>,
        owner: Owner<'_>,
        body: &[Stmt],
    ) -> Rc<Beside> {
        kept(&self.beside, code_of(owner), || {
            Rc::new(Beside::of(file, body))
        })
    }

    /// Whether the end of a suite may not be reached from the statement of this number on.
    pub(super) fn is_cut_off(&self, file: &File<'_, '_>, suite: &[Stmt], from: usize) -> bool {
        let Some(first) = suite.first() else {
            return false;
        };
        let known = self.rests.borrow().get(&first.start()).copied();
        let rest = match known {
            Some(rest) if rest.from <= from => rest,
            _ => {
                let last_stop = last_stop(file, suite, from);
                let rest = Rest { from, last_stop };
                self.rests.borrow_mut().insert(first.start(), rest);
                rest
            }
        };
        rest.last_stop.is_some_and(|last| last >= from)
    }

    /// Whether a statement may leave the function, or is never left.
    pub(super) fn is_end(&self, file: &File<'_, '_>, statement: &Stmt) -> bool {
        kept(&self.left, statement.range(), || {
            let alone = std::slice::from_ref(statement);
            leaves_early(alone) || never_ends(file, alone)
        })
    }
}

fn never_ends(file: &File<'_, '_>, body: &[Stmt]) -> bool {
    coroutines::ending_of_suite(&file.semantics, file.project, body) == Ending::Never
}

/// The last statement, of those from a number on, that ends the program, is never left, or leaves the function before
/// the last one does.
fn last_stop(file: &File<'_, '_>, suite: &[Stmt], from: usize) -> Option<usize> {
    let rest = suite.get(from..)?;
    let is_endless = never_ends(file, rest);
    let stops = |(number, statement): &(usize, &Stmt)| {
        let alone = std::slice::from_ref(*statement);
        number + 1 < suite.len() && leaves_early(alone)
            || exits(file, statement)
            || is_endless && never_ends(file, alone)
    };
    let mut numbered = suite.iter().enumerate().skip(from).rev();
    let found = numbered.find(stops).map(|(number, _)| number);
    found.or_else(|| is_endless.then_some(suite.len()))
}
