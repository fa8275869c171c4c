//! Who calls whom, in the project's own code.
//!
//! Each file says, without knowing the others, which functions it has, what they call and what they
//! do to things they share with others ([`Calls`], written by [`writer`]). [`Graph`] links these once
//! and follows them backwards from the calls that block. An edge stands for a call whose target is
//! known from the bindings of the names in it; where they leave a doubt there is no edge, and what is
//! called counts as unknown.

pub mod graph;
mod writer;

use rustc_hash::FxHashMap;

pub use self::graph::Graph;
pub use self::writer::write;

/// What a name stands for, as far as its file tells.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Target {
    /// A function of the file.
    Function(u32),
    /// A class of the file.
    Class(u32),
    /// What can be imported by this path.
    Import(Path),
    /// More than one thing, or something else.
    Unknown,
}

/// A dotted path, split.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Path {
    /// From the file system's root where the import is relative, else from where imports start.
    components: Vec<String>,
    is_relative: bool,
}

impl Path {
    fn dotted(&self) -> Option<String> {
        (!self.is_relative).then(|| self.components.join("."))
    }
}

/// What a call is a call of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Callee {
    /// A function or a class.
    Plain(Target),
    /// A method, of an instance of a class or of the class.
    Method(Target, String),
}

/// A call in a function.
#[derive(Debug, Clone)]
struct Call {
    callee: Callee,
    /// How the callee is written.
    written: String,
    /// How many conditions it depends on.
    conditions: usize,
}

/// A call of the table of blocking calls.
#[derive(Debug, Clone)]
struct Blocked {
    /// What the table calls it.
    name: String,
    /// How many conditions it depends on.
    conditions: usize,
}

/// Why a function cannot simply run in a thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bond {
    /// What it does belongs to the thread it runs in.
    Tied(String),
    /// It shares something with code that may run at the same time.
    Shared(String),
}

/// A function.
#[derive(Debug, Clone)]
struct Function {
    /// Its name, behind those of the classes around it.
    name: String,
    is_async: bool,
    /// Whether calling it runs its body, and a decorator does not make something else of it.
    is_plain: bool,
    calls: Vec<Call>,
    /// The first call of it that blocks, of several the one that depends on the fewest conditions.
    blocked: Option<Blocked>,
    /// What it does itself.
    bonds: Vec<Bond>,
}

/// A class.
#[derive(Debug, Clone)]
struct Class {
    bases: Vec<Target>,
    /// `None` for what is no method, or is defined twice.
    members: FxHashMap<String, Option<u32>>,
}

/// The functions of one file, and what they call. Plain data: it outlives the tree.
#[derive(Debug, Default, Clone)]
pub struct Calls {
    /// The components of the file's path, without the ending.
    components: Vec<String>,
    /// The names at the module's top level.
    names: FxHashMap<String, Target>,
    /// The modules of which everything is imported.
    stars: Vec<Path>,
    classes: Vec<Class>,
    functions: Vec<Function>,
}
