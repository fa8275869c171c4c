//! What is kept while answers about one file are looked for, whatever other files the way leads through.

use std::cell::{Cell, RefCell};

use ruff_db::files::File;
use ruff_text_size::TextRange;
use rustc_hash::{FxHashMap, FxHashSet};
use ty_python_core::definition::Definition;

use crate::facts::key::{Key, name_key};
use crate::index::hierarchy::ClassName;
use crate::limits::Limit;
use crate::resolve::definitions::Class;

/// One look at a file, on one thread. The semantics of all files on its way share it.
#[derive(Default)]
pub(crate) struct Look<'db> {
    /// How many looks are under way, one within the other.
    pub(crate) under_way: Cell<usize>,
    /// What was noted, where somebody asked for notes.
    pub(crate) notes: RefCell<Option<FxHashSet<Relied>>>,
    /// The files into whose functions it has led, each with the definition that it was led to; `None` where the look
    /// went over the whole file.
    pub(crate) opened: RefCell<FxHashSet<(File, Option<Definition<'db>>)>>,
    /// The classes of expressions that were asked for. Many ways lead to one expression: without it, the time of an
    /// answer doubles with each step.
    pub(crate) classes: RefCell<FxHashMap<ClassAsked, ClassFound<'db>>>,
}

/// A question for the class of an expression, and all that the answer depends on but the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ClassAsked {
    pub(crate) file: File,
    pub(crate) range: TextRange,
    /// How many steps are left.
    pub(crate) steps: Limit,
    /// How many looks are under way.
    pub(crate) under_way: usize,
    /// Whether it is noted what the answer relies on.
    pub(crate) is_noted: bool,
}

/// The class of an expression, and what that relies on.
#[derive(Debug, Clone)]
pub(crate) struct ClassFound<'db> {
    pub(crate) class: Option<Definition<'db>>,
    pub(crate) relied: FxHashSet<Relied>,
}

/// Something that an answer relies on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Relied {
    /// No subclass of the class of this name has something else under a name.
    Kept {
        /// The class.
        class: Named,
        /// The name.
        name: String,
    },
    /// What a function put under this name into what it returns makes no difference.
    Given(String),
    /// The decorators of the class of this name give it back.
    Undecorated(String),
    /// The way to what is called leads through attributes of this name.
    Way(String),
    /// A function or class is called like in its own file wherever it is called.
    Called {
        /// What it is called.
        name: String,
        /// The name of the module that it stands in.
        module: Option<String>,
    },
    /// What is assigned to the name of this class or function makes no difference.
    Defined(String),
}

/// The name of a class.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Named {
    pub(crate) name: String,
    /// The components of the name of its module, as keys.
    module: Vec<Key>,
}

impl Named {
    /// The name of a class.
    pub(crate) fn of(class: &Class<'_>) -> Self {
        let module = class.own.module_name().unwrap_or_default();
        Self {
            name: class.node().name.to_string(),
            module: module.split('.').map(name_key).collect(),
        }
    }

    /// The same, for questions about its subclasses.
    pub(crate) fn as_class_name(&self) -> ClassName<'_> {
        ClassName {
            name: &self.name,
            module: &self.module,
        }
    }
}
