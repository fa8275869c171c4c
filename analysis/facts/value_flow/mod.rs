//! Where values may come from, by the names that lead to them.
//!
//! The type engine infers a whole function to answer one question about a call in it. Most calls
//! need no such answer: `options.get("key")` can only be a coroutine if some class with a coroutine
//! function `get` can be reached from the names that `options` is made of. The traces of a file
//! write down, for its names and for the members of its classes, which other names their values are
//! made of; a [search](crate::index::reach) follows them through the project.
//!
//! A trace holds every name that may play a part and says nothing of how: what is not reached
//! through it is not reached by the type engine either. So an answer from here only ever keeps a
//! closer look away; what is found is decided by types.

mod walk;
mod writer;

use serde::{Deserialize, Serialize};
use std::path::Path;

use rustc_hash::FxHashMap;

pub use self::writer::Writer;

use crate::facts::key::{Key, name_key};

/// Where a file stands among the modules.
#[derive(Debug, Default, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The components of its path, without the ending. More than the module's name has, where the
    /// folder that imports start from is not the root.
    components: Vec<String>,
    is_package: bool,
}

impl Place {
    /// The place of the file at `path`.
    pub fn of(path: &Path) -> Self {
        let mut components: Vec<String> = path
            .with_extension("")
            .iter()
            .map(|component| component.to_string_lossy().into_owned())
            .collect();
        let is_package = components.last().is_some_and(|last| last == "__init__");
        if is_package {
            components.pop();
        }
        Self {
            components,
            is_package,
        }
    }

    /// The components of the file's path, without the ending and without `__init__`.
    pub(crate) fn components(&self) -> &[String] {
        &self.components
    }

    /// The last components of the module's name, as keys.
    fn tail(&self) -> Vec<Key> {
        tail(&self.components)
    }

    /// The components that a relative import of this `level` starts from.
    pub(crate) fn base(&self, level: u32) -> &[String] {
        let dropped = (level as usize).saturating_sub(usize::from(self.is_package));
        let kept = self.components.len().saturating_sub(dropped);
        self.components.get(..kept).unwrap_or_default()
    }
}

/// How many components of a module's name tell it apart: one is too few for the many `const` and
/// `util` of a project, and the folder that imports start from is not always known.
const TAIL: usize = 2;

fn tail(components: &[String]) -> Vec<Key> {
    let first = components.len().saturating_sub(TAIL);
    components
        .iter()
        .skip(first)
        .map(|component| name_key(component))
        .collect()
}

/// One of a file's nodes: what a name, a member or an expression is made of.
pub type Node = u32;

/// Names of attributes, one behind the other, as an index into [`Traces::chains`]. The first is
/// none.
type Chain = u32;

/// Some attributes, of something that is no module.
const ANY_CHAIN: Chain = 1;

/// One of the names that a node is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Step {
    /// Another node of the same file, or what attributes of it lead to.
    Node(Node, Chain),
    /// Another node, of something on the way to the value.
    Part(Node),
    /// Another node, of what is given to something that an import binds: it plays no part where that
    /// is not found.
    Given(Node, u32),
    /// A name of the module, or a builtin one, or what attributes of it lead to.
    Name(Key, Chain),
    /// What an import binds, as an index into [`Traces::paths`].
    Import(u32),
    /// An attribute of anything.
    Attribute(Key),
    /// A class of this file, or an instance of it.
    Class(u32),
    /// A function of this file.
    Function(u32),
}

/// What an import names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ImportPath {
    pub(crate) components: Vec<Key>,
    pub(crate) origin: Origin,
}

/// What the first component of an import tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Origin {
    /// The import is relative.
    Own,
    /// The standard library.
    Stdlib,
    /// Any other package.
    Other,
}

/// A function or method.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Function {
    pub(crate) name: Key,
    pub(crate) is_async: bool,
    pub(crate) is_generator: bool,
    pub(crate) is_property: bool,
    /// What its decorators are made of.
    pub(crate) decorators: Node,
    /// What its annotation says that it gives or, where it has none, what it returns.
    pub(crate) gives: Node,
}

/// Something that a class has under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Member {
    /// A method, as an index into [`Traces::functions`].
    Method(u32),
    /// A value.
    Value(Node),
}

/// A class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Class {
    pub(crate) name: Key,
    /// Its name, for messages.
    pub(crate) label: Box<str>,
    /// What its bases, keywords and decorators are made of.
    pub(crate) bases: Node,
    /// The last names of its bases.
    pub(crate) base_names: Vec<Key>,
    /// In the order of their names.
    pub(crate) members: Vec<(Key, Member)>,
    /// Whether its members are reached by other ways than as attributes: the items of a tuple, the
    /// values of a dictionary, the members of an enumeration.
    pub(crate) is_record: bool,
    /// Whether its `__getattr__` makes coroutine functions out of whatever names it is asked for.
    pub(crate) makes_methods: bool,
}

impl Class {
    pub(crate) fn members(&self, name: Key) -> impl Iterator<Item = Member> {
        let first = self.members.partition_point(|(other, _)| *other < name);
        self.members
            .iter()
            .skip(first)
            .take_while(move |(other, _)| *other == name)
            .map(|(_, member)| *member)
    }
}

/// The traces of one file. Plain data: it outlives the tree.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traces {
    /// The last components of the module's name.
    pub(crate) tail: Vec<Key>,
    /// Where in `steps` each node has its own.
    nodes: Vec<(u32, u32)>,
    steps: Vec<Step>,
    chains: Vec<Box<[Key]>>,
    pub(crate) paths: Vec<ImportPath>,
    /// The names at the module's top level.
    pub(crate) names: FxHashMap<Key, Node>,
    /// The modules of which everything is imported.
    pub(crate) stars: Vec<u32>,
    pub(crate) classes: Vec<Class>,
    pub(crate) functions: Vec<Function>,
    /// What is put into classes from outside, by the names of the class and of the member.
    pub(crate) replaced: Vec<(Key, Key, Node)>,
}

impl Traces {
    pub(crate) fn steps(&self, node: Node) -> &[Step] {
        self.nodes
            .get(node as usize)
            .and_then(|(start, end)| self.steps.get(*start as usize..*end as usize))
            .unwrap_or_default()
    }

    pub(crate) fn chain(&self, chain: Chain) -> &[Key] {
        self.chains
            .get(chain as usize)
            .map_or(&[], |chain| &**chain)
    }
}
