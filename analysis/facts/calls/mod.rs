//! Who calls whom, in the project's own code.
//!
//! Each file says, without knowing the others, which functions it has, what they call and what they
//! do to things they share with others ([`Calls`], written by [`writer`]). The [call graph](crate::index::call_graph) links these once
//! and follows them backwards from the calls that block. An edge stands for a call whose target is
//! known from the bindings of the names in it; where they leave a doubt there is no edge, and what is
//! called counts as unknown.

mod asked;
pub mod bound;
mod command_files;
pub(crate) mod file_paths;
mod given;
pub(crate) mod kept;
mod makers;
mod own;
mod shared_file;
mod values;
mod walk;
mod writer;

pub use self::writer::write;

use self::file_paths::{FilePath, Files};
use self::kept::{GoneThrough, Kept};
use crate::facts::key::{Key, name_key};
use crate::facts::name::Name;
use crate::facts::value_flow::Place;
use serde::{Deserialize, Serialize};

/// The methods that run when an object is made, the first of them that a class has.
pub(crate) const CONSTRUCTORS: [&str; 2] = ["__init__", "__post_init__"];

/// Whether a method runs when an object is made.
pub(crate) fn is_constructor(method: &str) -> bool {
    CONSTRUCTORS.contains(&method)
}

/// What a name stands for, as far as its file tells.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Target {
    /// A function of the file.
    Function(u32),
    /// A class of the file.
    Class(u32),
    /// What can be imported by this path.
    Import(Path),
    /// More than one thing, or something else.
    Unknown,
}

/// What an import names. There are very many of them, so they are kept as they are written.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Path {
    /// How many folders up the import starts, as in an `import` statement: none where it starts from
    /// where imports start.
    pub(crate) level: u32,
    /// The dotted name, from there on.
    pub(crate) below: Name,
}

impl Path {
    fn absolute(dotted: Name) -> Self {
        Self {
            level: 0,
            below: dotted,
        }
    }

    /// The path of an attribute of what this one leads to.
    pub(crate) fn attribute(self, name: &str) -> Self {
        Self {
            level: self.level,
            below: Name::join(&[self.below.as_str(), name], "."),
        }
    }

    /// The dotted name by which it can be imported from anywhere.
    fn dotted(&self) -> Option<&str> {
        (self.level == 0).then_some(&*self.below)
    }
}

/// What a call is a call of.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Callee {
    /// A function or a class.
    Plain(Target),
    /// A method, of an instance of a class or of the class.
    Method(Target, Name),
}

/// A call in a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Call {
    pub(crate) callee: Callee,
    /// How the callee is written.
    pub(crate) written: Name,
    /// Whether what it returns is raised.
    pub(crate) is_raised: bool,
    /// How many conditions it depends on.
    pub(crate) conditions: usize,
    /// The arguments that others may change, as far as the function can tell.
    pub(crate) passed: Box<[Passed]>,
}

/// An argument that others may change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Passed {
    pub(crate) slot: Slot,
    /// The parameters of the function around the call that decide about it; `None` where they are not enough.
    pub(crate) by: Option<Box<[Name]>>,
    /// The same for whether it may change while it is gone through.
    pub(crate) changing_by: Option<Box<[Name]>>,
}

/// What stands for the object that a method belongs to among the parameters of a function, and its place there.
pub(crate) const RECEIVER: &str = "";
pub(crate) const RECEIVER_AT: u32 = u32::MAX - 1;

/// Where an argument stands in a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Slot {
    /// The object whose method is called.
    Receiver,
    Position(u32),
    Keyword(Name),
    /// `*values` and `**values`: any parameter may get it.
    Any,
}

/// A parameter whose methods a function calls, or that it goes through: what it is given there must be nothing that
/// others can change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// The name of the parameter.
    pub parameter: Name,
    /// Its position among the arguments of a call.
    pub position: u32,
    /// How the method is written that is called on it, or what is gone through.
    pub(crate) written: Name,
    /// Whether it is gone through: then nobody may change it meanwhile.
    pub is_gone_through: bool,
    /// The collection that is gone through, where that is an attribute of the parameter: it only matters if some code
    /// changes it.
    pub(crate) kept: Option<Kept>,
}

impl Need {
    /// Whether it is the object that a method belongs to.
    pub fn is_of_receiver(&self) -> bool {
        self.position == RECEIVER_AT
    }

    /// Whether the parameter is an object with a collection that some code changes.
    pub fn is_of_object(&self) -> bool {
        self.kept.is_some()
    }
}

/// A name that a function uses, and another file may bind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Borrowed {
    pub(crate) path: Path,
    /// How it is written.
    pub(crate) written: Name,
}

/// A call of the table of blocking calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Blocked {
    /// What the table calls it.
    pub(crate) name: Name,
    /// How many conditions it depends on.
    pub(crate) conditions: usize,
}

/// Why a function cannot simply run in a thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Bond {
    /// What it does belongs to the thread it runs in.
    Tied(String),
    /// It shares something with code that may run at the same time.
    Shared(String),
}

/// A file that all calls of a function write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedFile {
    /// Its path, as it is written.
    pub path: Box<str>,
    /// Whether it is that of the object whose method the function is.
    pub is_of_object: bool,
}

/// A function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an answer of its own"
)]
pub(crate) struct Function {
    /// Its name, behind those of the classes around it.
    pub(crate) name: Name,
    pub(crate) is_async: bool,
    /// Whether calling it runs its body, and a decorator does not make something else of it.
    pub(crate) is_plain: bool,
    /// Whether it gives only what nobody can change, or what any thread may use.
    pub(crate) gives_constant: bool,
    pub(crate) calls: Vec<Call>,
    /// What a coroutine function calls without `await`, with the number of these calls.
    pub(crate) asked: Vec<(Callee, u32)>,
    /// The first call of it that blocks, of several the one that depends on the fewest conditions.
    pub(crate) blocked: Option<Blocked>,
    /// The first reason for which what it does itself belongs to the thread it runs in.
    pub(crate) tied: Option<Box<str>>,
    /// The first thing that it does itself with something it shares.
    pub(crate) shared: Option<Box<str>>,
    pub(crate) borrowed: Vec<Borrowed>,
    /// Its parameters but for the object that a method belongs to, where some of them matter.
    pub(crate) parameters: Box<[Name]>,
    /// What it needs to know of its parameters.
    pub(crate) needs: Vec<Need>,
    /// The collections of others that it goes through.
    pub(crate) gone_through: Vec<GoneThrough>,
    /// The collections of others that it changes in place.
    pub(crate) changes: Vec<Kept>,
    /// The class that it says it gives an instance of.
    pub(crate) gives: Option<Target>,
    /// Whether it changes a file itself.
    pub(crate) changes_files: bool,
    /// The first file that it writes whatever it is given.
    pub(crate) writes: Option<SharedFile>,
    /// What it does with files whose paths other functions may mean.
    pub(crate) files: Option<Box<Files>>,
}

/// A class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Class {
    pub(crate) bases: Vec<Target>,
    /// In the order of their names.
    pub(crate) members: Vec<(Name, ClassMember)>,
    /// The attributes that are set once, to what may be a path, in order.
    pub(crate) paths: Box<[(Name, FilePath)]>,
}

/// What a class has under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ClassMember {
    /// This function of the file.
    Method(u32),
    /// No method, or several.
    Other,
}

impl Class {
    pub(crate) fn member(&self, name: &str) -> Option<ClassMember> {
        find(&self.members, name).copied()
    }
}

/// The functions of one file, and what they call. Plain data: it outlives the tree.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calls {
    pub(crate) place: Place,
    /// The names at the module's top level, in order.
    pub(crate) names: Vec<(Name, Target)>,
    /// Those of them that stand for something that belongs to the thread that made it, in order, and
    /// what that is.
    pub(crate) bound: Vec<(Name, Name)>,
    /// Those that are bound once, to what nobody can change or what any thread may use, in order.
    pub(crate) constants: Box<[Name]>,
    /// Those that are bound once, to what may be a path, in order.
    pub(crate) paths: Box<[(Name, FilePath)]>,
    /// Those that stand for an instance of a class that may be one of the project, in order, with what makes it.
    pub(crate) instances: Box<[(Name, Target)]>,
    /// The modules of which everything is imported.
    pub(crate) stars: Vec<Path>,
    pub(crate) classes: Vec<Class>,
    pub(crate) functions: Vec<Function>,
    /// Whether some code in it may write files.
    pub(crate) may_write: bool,
    /// Whether it asks whether it is run as a program.
    pub(crate) is_program: bool,
}

impl Calls {
    /// The keys of the names of the functions that call something when they are called.
    pub fn callers(&self) -> impl Iterator<Item = Key> {
        let functions = self.functions.iter().filter(|function| {
            function.is_plain && !(function.calls.is_empty() && function.blocked.is_none())
        });
        functions.map(|function| {
            let name = function.name.rsplit('.').next().unwrap_or_default();
            name_key(name)
        })
    }
}

/// What stands behind a name, in a list in the order of the names.
pub(crate) fn find<'t, T>(list: &'t [(Name, T)], name: &str) -> Option<&'t T> {
    let at = list.binary_search_by(|(other, _)| (**other).cmp(name));
    list.get(at.ok()?).map(|(_, found)| found)
}
