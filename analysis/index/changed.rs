//! Which collections that several functions of a project may have are changed in place, by whatever code.

use rustc_hash::FxHashSet;

use super::call_graph::{ClassId, Graph, Id, Reason};
use super::call_targets::Found;
use crate::facts::calls::kept::Kept;
use crate::facts::calls::{Callee, Path, Target, find};
use crate::facts::name::Name;
use crate::limits::{BASES, LINKED, Limit};

/// The collections that are changed.
#[derive(Debug, Default)]
pub(super) struct Changed {
    all: FxHashSet<Place>,
    /// The classes of whose instances one is changed.
    classes: FxHashSet<ClassId>,
}

/// A collection, the same in every file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Place {
    Member(ClassId, Name),
    Global(u32, Name),
}

impl Changed {
    /// Whether a collection that a file names is changed by some code.
    pub(super) fn has(&self, graph: &Graph, file: u32, kept: &Kept) -> bool {
        if self.all.is_empty() {
            return false;
        }
        if let Kept::Member(target, name) = kept
            && name.is_empty()
        {
            return graph
                .class_of_target(file, target)
                .is_some_and(|class| self.classes.contains(&class));
        }
        graph
            .place_of_kept(file, kept)
            .is_some_and(|place| self.all.contains(&place))
    }
}

impl Graph {
    /// The collections that the functions of all files change.
    pub(super) fn find_changed(&self) -> Changed {
        let changed = self.in_all_files(|file| {
            let functions = self.file(file).map(|file| file.functions.iter());
            let changes = functions
                .into_iter()
                .flatten()
                .flat_map(|function| &function.changes);
            changes
                .filter_map(|kept| self.place_of_kept(file, kept))
                .collect()
        });
        let classes = changed.iter().filter_map(|place| match place {
            Place::Member(class, _) => Some(*class),
            Place::Global(..) => None,
        });
        Changed {
            classes: classes.collect(),
            all: changed.into_iter().collect(),
        }
    }

    /// The functions that go through a collection of these.
    pub(super) fn going_through(&self, changed: &Changed) -> Vec<(Id, Reason)> {
        self.in_all_files(|number| {
            let mut found = Vec::new();
            let functions = self.file(number).map(|file| file.functions.iter());
            for (index, function) in functions.into_iter().flatten().enumerate() {
                let mut gone = function.gone_through.iter().zip(0..);
                let gone = gone.find(|(gone, _)| changed.has(self, number, &gone.kept));
                if let Some((_, at)) = gone {
                    let id = self.id(number, index);
                    found.push((id, Reason::GoneThrough(id, at)));
                }
            }
            found
        })
    }

    /// The class that what a target makes or gives is an instance of.
    fn class_of_target(&self, file: u32, target: &Target) -> Option<ClassId> {
        match self.target(file, target, LINKED)? {
            Found::Class(class) => Some(class),
            Found::Function(id) => {
                let (_, file) = self.place_of(id)?;
                let gives = self.function(id)?.gives.as_ref()?;
                match self.target(file, gives, LINKED)? {
                    Found::Class(class) => Some(class),
                    _ => None,
                }
            }
            Found::Module(_) => None,
        }
    }

    /// The function that a call leads to, also where it is a method of an object that another module has made.
    pub(super) fn called(&self, file: u32, callee: &Callee) -> Option<Id> {
        self.callee(file, callee).or_else(|| match callee {
            Callee::Plain(Target::Import(path)) => self.method_of_instance(file, path, LINKED),
            _ => None,
        })
    }

    fn method_of_instance(&self, from: u32, path: &Path, steps: Limit) -> Option<Id> {
        let steps = steps.less()?;
        let (file, names) = self.in_module(from, path)?;
        let [name, method] = names[..] else {
            return None;
        };
        let calls = self.file(file)?;
        if let Some(Target::Import(inner)) = find(&calls.names, name) {
            return self.method_of_instance(file, &inner.clone().attribute(method), steps);
        }
        let class = self.class_of_target(file, find(&calls.instances, name)?)?;
        self.method(class, method, BASES)
    }

    /// The module of the project that a path leads into, and the names behind it.
    fn in_module<'p>(&'p self, from: u32, path: &'p Path) -> Option<(u32, Vec<&'p str>)> {
        let components = self.components(from, path)?;
        (1..components.len()).rev().find_map(|split| {
            let (module, names) = components.split_at(split);
            let file = self.module(from, module, path.level > 0)?;
            Some((file, names.to_vec()))
        })
    }

    fn place_of_kept(&self, file: u32, kept: &Kept) -> Option<Place> {
        match kept {
            Kept::Member(target, name) => {
                let class = self.class_of_target(file, target)?;
                Some(self.member(class, name))
            }
            Kept::Global(name) => Some(Place::Global(file, name.clone())),
            Kept::Import(path) => self.place_of_path(file, path, LINKED),
        }
    }

    fn member(&self, class: ClassId, name: &Name) -> Place {
        let owner = self.owner_of(class, name, BASES).unwrap_or(class);
        Place::Member(owner, name.clone())
    }

    fn place_of_path(&self, from: u32, path: &Path, steps: Limit) -> Option<Place> {
        let steps = steps.less()?;
        let (file, names) = self.in_module(from, path)?;
        let (name, attributes) = names.split_first()?;
        let calls = self.file(file)?;
        if let Some(Target::Import(inner)) = find(&calls.names, name) {
            let inner = attributes
                .iter()
                .fold(inner.clone(), |path, name| path.attribute(name));
            return self.place_of_path(file, &inner, steps);
        }
        match attributes {
            [] => Some(Place::Global(file, Name::new(name))),
            [attribute, ..] => {
                let class = match find(&calls.names, name) {
                    Some(class @ Target::Class(_)) => class,
                    _ => find(&calls.instances, name)?,
                };
                let class = self.class_of_target(file, class)?;
                Some(self.member(class, &Name::new(attribute)))
            }
        }
    }
}
