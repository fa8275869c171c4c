//! What an expression is made of, as plain data that outlives its tree.
//!
//! A [`Symbol`] is written down while a file's tree is there, without knowing the other files. What
//! it means is decided when the project is linked, by [`Outlines`](crate::outlines::Outlines).

use std::hash::{Hash, Hasher};
use std::path::Path;

use ruff_python_ast::PythonVersion;
use ruff_python_stdlib::sys::is_known_standard_library;
use rustc_hash::{FxHashSet, FxHasher};

/// A number for a name. Two names with the same number only bring or spare a closer look.
pub type Key = u64;

/// The [`Key`] of a name.
pub fn name_key(name: &str) -> Key {
    let mut hasher = FxHasher::default();
    name.hash(&mut hasher);
    hasher.finish()
}

/// The [`Key`] of a property's name, apart from that of a function.
pub fn property_key(name: &str) -> Key {
    name_key(name) ^ 1
}

/// The [`Key`] of a module, by the last two components of its dotted path: one is too few to tell
/// the many `const` and `util` of a project apart.
pub fn module_key<S: AsRef<str>>(components: &[S]) -> Key {
    let mut hasher = FxHasher::default();
    for component in components.iter().rev().take(2) {
        component.as_ref().hash(&mut hasher);
    }
    hasher.finish()
}

/// Where a file stands among the modules.
#[derive(Debug, Default, Clone)]
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

    /// The module's key.
    pub fn key(&self) -> Key {
        module_key(&self.components)
    }

    /// The last component of the module's name.
    pub fn last(&self) -> &str {
        self.components.last().map_or("", String::as_str)
    }

    /// The components that a relative import of this `level` starts from.
    fn base(&self, level: u32) -> &[String] {
        let dropped = (level as usize).saturating_sub(usize::from(self.is_package));
        let kept = self.components.len().saturating_sub(dropped);
        self.components.get(..kept).unwrap_or_default()
    }
}

/// What a dotted path of an import means, from the module down.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Dotted {
    /// The first component: the package.
    pub root: Key,
    /// The key the path has if it is that of a module.
    pub as_module: Key,
    /// The last component.
    pub name: Key,
    /// The path without its last component.
    pub within: Option<Box<Dotted>>,
    /// What is known of the package.
    pub package: Package,
}

/// What the name of a package tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Package {
    /// The file's own: the import is relative.
    Own,
    /// The standard library, a part without generic classes and functions.
    Plain,
    /// The standard library, a part that gives back what it is given.
    Generic,
    /// `asyncio`: most of what it gives are its own objects.
    Asyncio,
    /// Any other.
    Other,
}

impl Dotted {
    /// The path that an absolute import names.
    pub fn absolute(path: &str) -> Option<Self> {
        let components: Vec<&str> = path.split('.').collect();
        let root = components.first()?;
        let package = if is_plain_stdlib(root) {
            Package::Plain
        } else if *root == "asyncio" {
            Package::Asyncio
        } else if is_known_standard_library(PythonVersion::latest().minor, root)
            || *root == "typing_extensions"
        {
            Package::Generic
        } else {
            Package::Other
        };
        Self::of(&components, 1, package)
    }

    /// The path `rest`, from what a relative import of this `level` in the file at `place` starts
    /// from.
    pub fn relative(place: &Place, level: u32, rest: &str) -> Option<Self> {
        let base = place.base(level);
        let components: Vec<&str> = base
            .iter()
            .map(String::as_str)
            .chain(rest.split('.').filter(|part| !part.is_empty()))
            .collect();
        Self::of(&components, base.len().max(1), Package::Own)
    }

    /// `first` is how many components the shortest path has that is kept.
    fn of(components: &[&str], first: usize, package: Package) -> Option<Self> {
        let (name, before) = components.split_last()?;
        let within = if components.len() > first {
            Self::of(before, first, package).map(Box::new)
        } else {
            None
        };
        Some(Self {
            root: name_key(components.first()?),
            as_module: module_key(components),
            name: name_key(name),
            within,
            package,
        })
    }
}

/// Modules of the standard library whose classes have no coroutine functions but those that are
/// known by name, and whose functions give no value back that they were given.
pub fn is_plain_stdlib(root: &str) -> bool {
    is_known_standard_library(PythonVersion::latest().minor, root)
        && !matches!(
            root,
            "typing"
                | "asyncio"
                | "contextlib"
                | "unittest"
                | "collections"
                | "copy"
                | "weakref"
                | "queue"
                | "heapq"
                | "bisect"
                | "random"
                | "itertools"
                | "functools"
                | "operator"
                | "concurrent"
                | "contextvars"
                | "dataclasses"
                | "types"
                | "enum"
                | "abc"
                | "multiprocessing"
                | "graphlib"
                | "inspect"
                | "importlib"
        )
}

/// A class of the project: its last name, and its module's key where that is known, else 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClassName {
    /// The key of its name.
    pub name: Key,
    /// The key of its module.
    pub module: Key,
}

/// What an expression is made of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Symbol {
    /// Anything.
    Open,
    /// Not known to the type engine either, like everything that is reached from it.
    Unknown,
    /// A value that has no coroutine functions but those whose names are known.
    Plain,
    /// What an import of this path binds.
    Import(Box<Dotted>),
    /// A class of this file.
    Class(ClassName),
    /// The first parameter of a method of this class.
    Own(ClassName),
    /// A function of this file.
    Function(Box<Function>),
    /// What an annotation that names this describes.
    Instance(Box<Symbol>),
    /// What a type variable stands for, with its default.
    Variable(Box<Symbol>),
    /// A function whose calls give this.
    Callable(Box<Symbol>),
    /// A builtin container of these.
    Container(Box<Symbol>),
    /// An attribute.
    Attribute(Box<Symbol>, Key),
    /// What a call of this gives.
    Call(Box<Symbol>),
    /// What is inside of this: by its index, or by iterating.
    Part(Box<Symbol>),
    /// What `with` binds.
    Entered(Box<Symbol>),
    /// What awaiting this gives.
    Await(Box<Symbol>),
    /// One of these.
    AnyOf(Box<[Symbol]>),
}

impl Symbol {
    /// One of several. No symbol is open.
    pub fn any_of(mut symbols: Vec<Self>) -> Self {
        if symbols.contains(&Self::Open) {
            return Self::Open;
        }
        let mut seen = FxHashSet::default();
        symbols.retain(|symbol| seen.insert(symbol.clone()));
        match symbols.len() {
            0 => Self::Open,
            1 => symbols.pop().unwrap_or(Self::Open),
            _ => Self::AnyOf(symbols.into_boxed_slice()),
        }
    }

    /// Wraps a symbol, where there is something to wrap.
    #[must_use]
    pub fn wrap(self, constructor: fn(Box<Self>) -> Self) -> Self {
        match self {
            Self::Open => Self::Open,
            symbol => constructor(Box::new(symbol)),
        }
    }
}

/// A base of a class, with what stands in its brackets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Base {
    /// The class.
    pub class: Symbol,
    /// One of the types that it is specialized with. `None` where there are none.
    pub argument: Option<Symbol>,
}

/// A function or method, by its signature.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Function {
    /// Its name.
    pub name: Key,
    /// Whether it is a coroutine function.
    pub is_async: bool,
    /// Whether it has no annotation of what it gives.
    pub is_unannotated: bool,
    /// What calling it gives, or awaiting that for a coroutine function, by its annotation.
    pub gives: Symbol,
    /// Whether its attribute is read by calling it.
    pub is_property: bool,
    /// The last names of its decorators, those that change nothing left out.
    pub decorators: Vec<(Key, Symbol)>,
    /// Without an annotation: the last names of what it calls and returns.
    pub returned: Vec<Key>,
    /// Whether it returns its only argument's type, so that nothing is changed by using it as a
    /// decorator.
    pub is_identity: bool,
}
