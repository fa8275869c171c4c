//! The project, as the look at one file asks it.
//!
//! An answer about a file holds as long as its text, what the files that it leads to show, and what the project said of it
//! are the same. So every question is noted, where somebody wants to know later whether the answers still are.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Debug, Write as _};
use std::hash::Hasher;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use asyncfix_knowledge::libraries::Library;
use rustc_hash::{FxHashSet, FxHasher};
use serde::{Deserialize, Serialize};

use crate::facts::interface::words;
use crate::facts::key::Key;
use crate::facts::shared;
use crate::facts::value_flow::{Node, Place, Traces};
use crate::index::call_graph::{Chain, Member};
use crate::index::file_users::{FileCall, FileMet};
use crate::index::hierarchy::{ClassName, Override};
use crate::index::project::Project;
use crate::index::reach::{Namesakes, Sought};

/// A question about a project.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Question {
    Library,
    SeveralLibraries,
    LibraryOfImporters(String),
    DrivesCoroutines,
    Family(Place, String),
    Owns(String),
    HasTypesOf(String),
    MayBeMeant(Key, Sought),
    MayHold(Option<Node>, Key, Sought),
    BlockingChain(Place, String),
    IsUsedByOthers(Place, String, String, bool),
    FileMet {
        caller: (Place, String),
        helper: (Place, String),
        is_once: bool,
        is_of_own_object: bool,
    },
    MayBeAwaitable(Key),
    Namesakes(Key),
    Overrides(String, String),
    PlainOverride(String, String),
    MethodsBelow(String, String),
    MethodsNamed(String),
    IsReplacedBelow(String, Vec<Key>, String),
    HasSubclasses(String, Vec<Key>),
    ImportsFrom(String, String),
    ImportsWhole(String),
    ImportsPackage(String),
    ImportsModule(String),
    Runs(String, String),
    SettingTaskFactories,
}

/// What was asked about one file, with a number for each answer.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Noted {
    answers: BTreeMap<Question, u64>,
    /// The words of which it was asked which files they stand in.
    words: BTreeSet<Key>,
    /// These files. What the answers depend on is kept with the other files that were looked into.
    #[serde(skip)]
    pub mentioning: BTreeSet<PathBuf>,
    /// What the values of the file's names are made of, as they were numbered for these questions.
    #[serde(with = "shared")]
    traces: Option<Arc<Traces>>,
}

impl Noted {
    /// Whether it was asked which files one of these words stands in.
    pub fn asks_for(&self, words: &FxHashSet<Key>) -> bool {
        self.words.iter().any(|word| words.contains(word))
    }

    /// Whether `project` gives the same answers about the file of this number.
    pub fn holds(&self, project: &Project, file: usize) -> bool {
        let asked = Asked::new(project, None);
        let traces = self.traces.as_deref();
        let mut answers = self.answers.iter();
        answers.all(|(question, answer)| asked.again(question, file, traces) == *answer)
    }
}

/// Where the questions about one file are noted.
#[derive(Debug, Default)]
pub struct Notes(RefCell<Noted>);

impl Notes {
    /// What was noted.
    pub fn into_inner(self) -> Noted {
        self.0.into_inner()
    }
}

/// The project, for the look at one file.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'p> {
    project: &'p Project,
    notes: Option<&'p Notes>,
}

/// A number for an answer, by its debug form.
fn digest(answer: &impl Debug) -> u64 {
    struct Digest(FxHasher);
    impl fmt::Write for Digest {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.write(text.as_bytes());
            Ok(())
        }
    }
    let mut digest = Digest(FxHasher::default());
    // Writing to it never fails.
    let _ = write!(digest, "{answer:?}");
    digest.0.finish()
}

impl<'p> Asked<'p> {
    /// The project. What is asked is written to `notes`, if there are any.
    pub fn new(project: &'p Project, notes: Option<&'p Notes>) -> Self {
        Self { project, notes }
    }

    fn noted<T: Debug>(self, answer: T, question: impl FnOnce() -> Question) -> T {
        if let Some(notes) = self.notes {
            let mut notes = notes.0.borrow_mut();
            notes
                .answers
                .entry(question())
                .or_insert_with(|| digest(&answer));
        }
        answer
    }

    /// Takes note of how the values of the file's names were numbered for [`Self::may_hold`].
    pub fn note_traces(self, traces: &Traces) {
        if let Some(notes) = self.notes {
            notes.0.borrow_mut().traces = Some(Arc::new(traces.clone()));
        }
    }

    /// The number of the answer as it is now.
    fn again(self, question: &Question, file: usize, own: Option<&Traces>) -> u64 {
        let project = self.project;
        let class = |name, module| ClassName { name, module };
        match question {
            Question::Library => digest(&project.library()),
            Question::SeveralLibraries => digest(&project.runs_under_several()),
            Question::LibraryOfImporters(module) => digest(&project.library_of_importers(module)),
            Question::DrivesCoroutines => digest(&project.drives_coroutines()),
            Question::Family(place, name) => digest(&project.family(place, name)),
            Question::Owns(package) => digest(&project.owns(package)),
            Question::HasTypesOf(package) => digest(&project.has_types_of(package)),
            Question::MayBeMeant(name, sought) => digest(&project.may_be_meant(*name, *sought)),
            Question::MayHold(node, name, sought) => {
                digest(&project.may_hold(file, own, *node, *name, *sought))
            }
            Question::BlockingChain(place, name) => digest(&project.blocking_chain(place, name)),
            Question::IsUsedByOthers(place, function, written, is_once) => {
                digest(&project.is_used_by_others(place, function, written, *is_once))
            }
            Question::FileMet {
                caller,
                helper,
                is_once,
                is_of_own_object,
            } => digest(&project.file_met(&FileCall {
                caller: (&caller.0, &caller.1),
                helper: (&helper.0, &helper.1),
                is_once: *is_once,
                is_of_own_object: *is_of_own_object,
            })),
            Question::MayBeAwaitable(name) => digest(&project.may_be_awaitable(*name)),
            Question::Namesakes(name) => digest(&project.namesakes(*name)),
            Question::Overrides(class, method) => digest(&project.overrides(class, method)),
            Question::PlainOverride(class, method) => {
                digest(&project.plain_override(class, method))
            }
            Question::MethodsBelow(class, method) => digest(&project.methods_below(class, method)),
            Question::MethodsNamed(method) => digest(&project.methods_named(method)),
            Question::IsReplacedBelow(name, module, member) => {
                digest(&project.is_replaced_below(class(name, module), member))
            }
            Question::HasSubclasses(name, module) => {
                digest(&project.has_subclasses(class(name, module)))
            }
            Question::ImportsFrom(module, name) => digest(&project.imports_from(module, name)),
            Question::ImportsWhole(module) => digest(&project.imports_whole(module)),
            Question::ImportsPackage(package) => digest(&project.imports_package(package)),
            Question::ImportsModule(module) => digest(&project.imports_module(module)),
            Question::SettingTaskFactories => digest(&project.setting_task_factories()),
            Question::Runs(module, name) => digest(&project.runs(module, name)),
        }
    }

    /// [`Project::library`]
    pub fn library(self) -> Option<Library> {
        self.noted(self.project.library(), || Question::Library)
    }

    /// [`Project::runs_under_several`]
    pub(crate) fn runs_under_several(self) -> bool {
        self.noted(self.project.runs_under_several(), || {
            Question::SeveralLibraries
        })
    }

    /// [`Project::library_of_importers`]
    pub(crate) fn library_of_importers(self, module: &str) -> Option<Library> {
        self.noted(self.project.library_of_importers(module), || {
            Question::LibraryOfImporters(module.to_owned())
        })
    }

    /// [`Project::drives_coroutines`]
    pub fn drives_coroutines(self) -> bool {
        self.noted(self.project.drives_coroutines(), || {
            Question::DrivesCoroutines
        })
    }

    /// [`Project::number_of`]
    pub fn number_of(self, path: &Path) -> Option<usize> {
        self.project.number_of(path)
    }

    /// [`Project::files`]
    pub fn files(self) -> impl Iterator<Item = &'p Path> {
        self.project.files()
    }

    /// [`Project::mentioning`]
    pub fn mentioning(self, name: &str, read: impl Fn(&Path) -> Option<String>) -> Vec<PathBuf> {
        let mentioning = self.project.mentioning(name, read);
        if let Some(notes) = self.notes {
            let mut notes = notes.0.borrow_mut();
            notes.words.extend(words(name));
            notes.mentioning.extend(mentioning.iter().cloned());
        }
        mentioning
    }

    /// [`Project::family`]
    pub fn family(self, place: &Place, name: &str) -> Result<Vec<(PathBuf, String)>, String> {
        self.noted(self.project.family(place, name), || {
            Question::Family(place.clone(), name.to_owned())
        })
    }

    /// [`Project::file_of`]
    pub fn file_of(self, member: &Member) -> Option<&'p Path> {
        self.project.file_of(member)
    }

    /// [`Project::owns`]
    pub fn owns(self, package: &str) -> bool {
        self.noted(self.project.owns(package), || {
            Question::Owns(package.to_owned())
        })
    }

    /// [`Project::has_types_of`]
    pub fn has_types_of(self, package: &str) -> bool {
        self.noted(self.project.has_types_of(package), || {
            Question::HasTypesOf(package.to_owned())
        })
    }

    /// [`Project::may_be_meant`]
    pub fn may_be_meant(self, name: Key, sought: Sought) -> bool {
        self.noted(self.project.may_be_meant(name, sought), || {
            Question::MayBeMeant(name, sought)
        })
    }

    /// [`Project::may_hold`]
    pub fn may_hold(
        self,
        file: usize,
        own: Option<&Traces>,
        node: Option<Node>,
        name: Key,
        sought: Sought,
    ) -> bool {
        self.noted(self.project.may_hold(file, own, node, name, sought), || {
            Question::MayHold(node, name, sought)
        })
    }

    /// [`Project::blocking_chain`]
    pub fn blocking_chain(self, place: &Place, name: &str) -> Option<Chain> {
        self.noted(self.project.blocking_chain(place, name), || {
            Question::BlockingChain(place.clone(), name.to_owned())
        })
    }

    /// [`Project::is_used_by_others`]
    pub fn is_used_by_others(
        self,
        place: &Place,
        function: &str,
        written: &str,
        is_once: bool,
    ) -> bool {
        let answer = self
            .project
            .is_used_by_others(place, function, written, is_once);
        self.noted(answer, || {
            let (function, written) = (function.to_owned(), written.to_owned());
            Question::IsUsedByOthers(place.clone(), function, written, is_once)
        })
    }

    /// [`Project::file_met`]
    pub fn file_met(self, call: &FileCall<'_>) -> Option<FileMet> {
        self.noted(self.project.file_met(call), || Question::FileMet {
            caller: (call.caller.0.clone(), call.caller.1.to_owned()),
            helper: (call.helper.0.clone(), call.helper.1.to_owned()),
            is_once: call.is_once,
            is_of_own_object: call.is_of_own_object,
        })
    }

    /// [`Project::may_be_awaitable`]
    pub fn may_be_awaitable(self, name: Key) -> bool {
        self.noted(self.project.may_be_awaitable(name), || {
            Question::MayBeAwaitable(name)
        })
    }

    /// [`Project::namesakes`]
    pub fn namesakes(self, name: Key) -> Namesakes {
        self.noted(self.project.namesakes(name), || Question::Namesakes(name))
    }

    /// [`Project::overrides`]
    pub fn overrides(self, class: &str, method: &str) -> Arc<[Override]> {
        self.noted(self.project.overrides(class, method), || {
            Question::Overrides(class.to_owned(), method.to_owned())
        })
    }

    /// [`Project::plain_override`]
    pub(crate) fn plain_override(self, class: &str, method: &str) -> Option<&'p str> {
        self.noted(self.project.plain_override(class, method), || {
            Question::PlainOverride(class.to_owned(), method.to_owned())
        })
    }

    /// [`Project::methods_below`]
    pub fn methods_below(self, class: &str, method: &str) -> Option<Vec<(&'p Path, &'p str)>> {
        self.noted(self.project.methods_below(class, method), || {
            Question::MethodsBelow(class.to_owned(), method.to_owned())
        })
    }

    /// [`Project::methods_named`]
    pub fn methods_named(self, method: &str) -> Vec<(&'p Path, &'p str)> {
        self.noted(self.project.methods_named(method), || {
            Question::MethodsNamed(method.to_owned())
        })
    }

    /// [`Project::is_replaced_below`]
    pub(crate) fn is_replaced_below(self, class: ClassName<'_>, name: &str) -> bool {
        self.noted(self.project.is_replaced_below(class, name), || {
            let (class, module) = (class.name.to_owned(), class.module.to_vec());
            Question::IsReplacedBelow(class, module, name.to_owned())
        })
    }

    /// [`Project::has_subclasses`]
    pub(crate) fn has_subclasses(self, class: ClassName<'_>) -> bool {
        self.noted(self.project.has_subclasses(class), || {
            Question::HasSubclasses(class.name.to_owned(), class.module.to_vec())
        })
    }

    /// [`Project::imports_from`]
    pub fn imports_from(self, module: &str, name: &str) -> bool {
        self.noted(self.project.imports_from(module, name), || {
            Question::ImportsFrom(module.to_owned(), name.to_owned())
        })
    }

    /// [`Project::imports_whole`]
    pub(crate) fn imports_whole(self, module: &str) -> bool {
        self.noted(self.project.imports_whole(module), || {
            Question::ImportsWhole(module.to_owned())
        })
    }

    /// [`Project::imports_package`]
    pub fn imports_package(self, package: &str) -> bool {
        self.noted(self.project.imports_package(package), || {
            Question::ImportsPackage(package.to_owned())
        })
    }

    /// [`Project::imports_module`]
    pub(crate) fn imports_module(self, module: &str) -> bool {
        self.noted(self.project.imports_module(module), || {
            Question::ImportsModule(module.to_owned())
        })
    }

    /// [`Project::setting_task_factories`]
    pub fn setting_task_factories(self) -> Vec<&'p Path> {
        self.noted(self.project.setting_task_factories(), || {
            Question::SettingTaskFactories
        })
    }

    /// [`Project::runs`]
    pub fn runs(self, module: &str, name: &str) -> bool {
        self.noted(self.project.runs(module, name), || {
            Question::Runs(module.to_owned(), name.to_owned())
        })
    }
}
