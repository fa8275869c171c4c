//! What is kept while the findings of a file are looked at, one after the other: they ask the same of the project.

use std::cell::RefCell;
use std::rc::Rc;

use asyncfix_analysis::limits::Limit;
use asyncfix_analysis::resolve::Definition;
use rustc_hash::{FxHashMap, FxHashSet};

use super::references::Reference;
use super::run_in_helper::Chain;
use crate::finding::Rewrite;

/// What is known from the findings of a file that were looked at before.
#[derive(Default)]
pub struct Memory<'db> {
    /// The places that name each function that was asked about.
    pub(super) references: RefCell<References<'db>>,
    /// The functions that were asked whether they want an event loop, each with the answer.
    pub(super) wanting: RefCell<FxHashMap<Definition<'db>, bool>>,
    /// The ways from functions to what runs a loop, by how many more functions were followed.
    pub(super) chains: RefCell<FxHashMap<(Definition<'db>, Limit), Option<Chain>>>,
    /// The functions that become coroutine functions together, with the rewrite.
    pub(super) rewrites: RefCell<Vec<(FxHashSet<Definition<'db>>, Rewrite)>>,
}

type References<'db> = FxHashMap<Definition<'db>, Rc<Vec<Reference<'db>>>>;

impl<'db> Memory<'db> {
    /// The rewrite that makes a coroutine function of this one, among others.
    pub(super) fn rewrite_of(&self, function: Definition<'db>) -> Option<Rewrite> {
        let rewrites = self.rewrites.borrow();
        let known = rewrites
            .iter()
            .find(|(functions, _)| functions.contains(&function));
        known.map(|(_, rewrite)| rewrite.clone())
    }

    pub(super) fn add(&self, functions: FxHashSet<Definition<'db>>, rewrite: &Rewrite) {
        self.rewrites
            .borrow_mut()
            .push((functions, rewrite.clone()));
    }
}
