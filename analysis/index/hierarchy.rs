//! The subclasses of classes, and what they have in the place of what these have. Classes are told apart by names, so
//! that none is missed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustc_hash::{FxHashMap, FxHashSet};

use super::reach::Linked;
use crate::facts::key::{Key, name_key};
use crate::facts::value_flow::{Class, Function, Member, Node, Step, Traces};
use crate::limits::{DECORATORS, Limit, OVERRIDES};

/// What a subclass has in the place of a coroutine function or an asynchronous generator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Override {
    /// An asynchronous generator.
    Generator,
    /// Another coroutine function.
    Coroutine,
    /// A value, a property, or what a method or a decorator gives, which may be anything.
    Other,
    /// A plain method.
    Plain,
}

/// The name of a class whose subclasses are asked about.
#[derive(Debug, Clone, Copy)]
pub struct ClassName<'a> {
    /// Its last name.
    pub name: &'a str,
    /// The components of the name of its module, as keys: a base of it may have the same name,
    /// `class Client(base.Client)`. Without any, it may be in all modules.
    pub module: &'a [Key],
}

/// Where the classes of all files are.
#[derive(Debug, Default)]
pub(super) struct Classes {
    /// By their names, and by those of their bases: their files, and their numbers there.
    by_name: FxHashMap<Key, Vec<(u32, u32)>>,
    children: FxHashMap<Key, Vec<(u32, u32)>>,
    /// By the names of their coroutine functions.
    by_method: FxHashMap<Key, Vec<(u32, u32)>>,
    /// What is put into classes from outside, by their names and those of the members: where it stands.
    replaced: FxHashMap<(Key, Key), Vec<(u32, Node)>>,
    /// What subclasses have in the place of methods, by the names of the classes and of the methods.
    overrides: Mutex<Overrides>,
}

type Overrides = FxHashMap<(Key, Key), Arc<[Override]>>;

impl Classes {
    pub(super) fn of(files: &[Arc<Traces>]) -> Self {
        let mut classes = Self::default();
        for (number, file) in (0..).zip(files) {
            for (place, class) in (0..).zip(&file.classes) {
                let place = (number, place);
                let known = classes.by_name.entry(class.name).or_default();
                known.push(place);
                for base in &class.base_names {
                    classes.children.entry(*base).or_default().push(place);
                }
                for (name, member) in &class.members {
                    let function = match member {
                        Member::Method(id) => file.functions.get(*id as usize),
                        Member::Value(_) => None,
                    };
                    if function.is_some_and(|one| one.is_async && !one.is_generator) {
                        classes.by_method.entry(*name).or_default().push(place);
                    }
                }
            }
            for (class, member, node) in &file.replaced {
                let known = classes.replaced.entry((*class, *member)).or_default();
                known.push((number, *node));
            }
        }
        classes
    }
}

impl Linked {
    /// What classes that may be subclasses of `class` have in the place of its method of this name: classes are told
    /// apart by their last names alone, so that none is missed.
    pub fn overrides(&self, class: &str, method: &str) -> Arc<[Override]> {
        let name = name_key(method);
        let key = (name_key(class), name);
        if let Some(known) = lock(&self.classes.overrides).get(&key) {
            return Arc::clone(known);
        }
        let overrides = self.overrides_of(class, name).into_iter();
        let mut found: Vec<_> = overrides.map(|(_, one)| one).collect();
        found.sort_unstable();
        found.dedup();
        let found: Arc<[Override]> = found.into();
        lock(&self.classes.overrides).insert(key, Arc::clone(&found));
        found
    }

    /// The name of a class that may be a subclass of `class` and has a plain method of this name in its place. Of several,
    /// the first by its name, in whatever order the files were given.
    pub(crate) fn plain_override(&self, class: &str, method: &str) -> Option<&str> {
        let overrides = self.overrides_of(class, name_key(method)).into_iter();
        let plain = overrides.filter(|(_, one)| *one == Override::Plain);
        plain.filter_map(|(class, _)| class).min()
    }

    /// The classes that may be subclasses of `class` and have a method of this name in its place, behind the numbers of
    /// their files. `None` where one has something else there.
    pub(super) fn methods_below(&self, class: &str, method: &str) -> Option<Vec<(u32, &str)>> {
        let class = ClassName {
            name: class,
            module: &[],
        };
        let name = name_key(method);
        let mut found = Vec::new();
        for (number, class) in self.classes_before(class, true) {
            for member in class.members(name) {
                match member {
                    Member::Method(_) => found.push((number, &*class.label)),
                    Member::Value(_) => return None,
                }
            }
        }
        Some(found)
    }

    /// The classes that have a coroutine function of this name, behind the numbers of their files.
    pub(super) fn methods_named(&self, method: &str) -> Vec<(u32, &str)> {
        let classes = self.classes_by(&self.classes.by_method, name_key(method));
        classes.map(|(file, class)| (file, &*class.label)).collect()
    }

    /// What they have, looked for: one for each class that has something, with the name of that, and for what is put into
    /// these classes from outside.
    fn overrides_of(&self, class: &str, name: Key) -> Vec<(Option<&str>, Override)> {
        let class = ClassName {
            name: class,
            module: &[],
        };
        let classes = self.classes_before(class, true);
        let replaced = self.replacements(class, &classes, name);
        let members = classes.iter().flat_map(|(number, class)| {
            let members = class.members(name);
            members.map(move |member| (*number, &*class.label, member))
        });
        let mut asked = 0;
        let mut is_open = |number: u32, function: &Function| {
            asked += 1;
            !OVERRIDES.has_room(asked) || self.gives(number, function.gives)
        };
        let overrides = members.filter_map(|(number, class, member)| {
            let Member::Method(id) = member else {
                return Some((Some(class), Override::Other));
            };
            let file = self.files.get(number as usize)?;
            let function = file.functions.get(id as usize)?;
            let one = match function {
                Function {
                    is_async: false, ..
                } => {
                    // `def send(self): return self.emit()`
                    if function.is_property || is_open(number, function) {
                        Override::Other
                    } else {
                        Override::Plain
                    }
                }
                function if self.is_made_plain(number, function) => Override::Other,
                Function {
                    is_generator: true, ..
                } => Override::Generator,
                Function { .. } => Override::Coroutine,
            };
            Some((Some(class), one))
        });
        let overrides: Vec<_> = overrides.collect();
        let replaced = replaced.into_iter().map(|one| (None, one));
        overrides.into_iter().chain(replaced).collect()
    }

    /// What is put from outside into a class, its bases, or `below`, in the place of a method.
    fn replacements(
        &self,
        class: ClassName<'_>,
        below: &[(u32, &Class)],
        method: Key,
    ) -> Vec<Override> {
        let mut names = FxHashSet::from_iter([name_key(class.name)]);
        let mut pending: Vec<Key> = names.iter().copied().collect();
        while let Some(name) = pending.pop() {
            for (_, class) in self.classes_by(&self.classes.by_name, name) {
                let bases = class.base_names.iter().copied();
                pending.extend(bases.filter(|base| names.insert(*base)));
            }
        }
        names.extend(below.iter().map(|(_, class)| class.name));
        let values = names
            .iter()
            .filter_map(|name| self.classes.replaced.get(&(*name, method)))
            .flatten();
        let kinds = values.map(|(number, node)| {
            let functions = self.functions_behind(*number, *node, DECORATORS);
            let all = |is_one: &dyn Fn(&Function) -> bool| {
                !functions.is_empty() && functions.iter().all(|(_, function)| is_one(function))
            };
            if all(&|function| !function.is_async) && !self.gives(*number, *node) {
                Override::Plain
            } else if all(&|function| function.is_async && !function.is_generator) {
                Override::Coroutine
            } else {
                Override::Other
            }
        });
        kinds.collect()
    }

    /// Whether a function has a decorator in sight that gives another function, and nothing asynchronous.
    fn is_made_plain(&self, number: u32, function: &Function) -> bool {
        let decorators = self.functions_behind(number, function.decorators, DECORATORS);
        decorators.into_iter().any(|(number, decorator)| {
            let made = self.functions_behind(number, decorator.gives, DECORATORS);
            !made.is_empty() && !self.gives(number, decorator.gives)
        })
    }

    /// The functions in sight that a node stands for, behind the numbers of their files.
    fn functions_behind(&self, number: u32, node: Node, links: Limit) -> Vec<(u32, &Function)> {
        let (Some(links), Some(file)) = (links.less(), self.files.get(number as usize)) else {
            return Vec::new();
        };
        let behind = |node: Option<&Node>, number: u32| {
            node.map_or_else(Vec::new, |node| self.functions_behind(number, *node, links))
        };
        let functions = file.steps(node).iter().flat_map(|step| match step {
            Step::Function(id) => {
                let function = file.functions.get(*id as usize);
                function
                    .map(|function| (number, function))
                    .into_iter()
                    .collect()
            }
            Step::Node(node, 0) => behind(Some(node), number),
            Step::Name(name, 0) => behind(file.names.get(name), number),
            // `@tools.retry`
            Step::Name(name, chain) => {
                let steps = file
                    .names
                    .get(name)
                    .map_or(&[][..], |node| file.steps(*node));
                let imports = steps.iter().filter_map(|step| match step {
                    Step::Import(path) => file.paths.get(*path as usize),
                    _ => None,
                });
                let chain = file.chain(*chain);
                let paths = imports.map(|path| [&path.components, chain].concat());
                paths
                    .flat_map(|path| self.functions_at(&path, links))
                    .collect()
            }
            Step::Import(path) => {
                let path = file.paths.get(*path as usize);
                path.map_or_else(Vec::new, |path| self.functions_at(&path.components, links))
            }
            _ => Vec::new(),
        });
        functions.collect()
    }

    /// The functions in sight that a dotted path names.
    fn functions_at(&self, path: &[Key], links: Limit) -> Vec<(u32, &Function)> {
        let Some((name, module)) = path.split_last() else {
            return Vec::new();
        };
        let files = self.modules_of(module).iter().flat_map(|number| {
            let file = self.files.get(*number as usize);
            let node = file.and_then(|file| file.names.get(name));
            node.map_or_else(Vec::new, |node| {
                self.functions_behind(*number, *node, links)
            })
        });
        files.collect()
    }

    /// Whether a class that may be a subclass of `class` has something of its own under this name.
    pub(crate) fn is_replaced_below(&self, class: ClassName<'_>, name: &str) -> bool {
        let name = name_key(name);
        // Methods assign attributes in whatever order their classes come.
        self.classes_before(class, false)
            .into_iter()
            .any(|(_, class)| class.members(name).next().is_some())
    }

    /// Whether there is a class that may be a subclass of `class`.
    pub(crate) fn has_subclasses(&self, class: ClassName<'_>) -> bool {
        !self.classes_before(class, true).is_empty()
    }

    /// The classes that may be subclasses of the one of this name, and those that come before it where a method of
    /// such a subclass is looked for, or all others that it is made of.
    fn classes_before(&self, class: ClassName<'_>, is_in_order: bool) -> Vec<(u32, &Class)> {
        let module = class.module;
        let class = name_key(class.name);
        let is_itself = |file: u32, child: &Class| {
            let tail = self
                .files
                .get(file as usize)
                .map_or(&[][..], |file| &file.tail);
            let mut components = tail.iter().rev().zip(module.iter().rev());
            child.name == class && !module.is_empty() && components.all(|(one, two)| one == two)
        };
        let mut names = FxHashSet::from_iter([class]);
        let mut found = Vec::new();
        let mut pending = vec![class];
        while let Some(name) = pending.pop() {
            for (file, child) in self.classes_by(&self.classes.children, name) {
                if is_itself(file, child) {
                    continue;
                }
                found.push((file, child));
                if names.insert(child.name) {
                    pending.push(child.name);
                }
            }
        }
        // `class Sub(Mixin, Base)`
        let mut before: Vec<Key> = Vec::new();
        for (_, class) in &found {
            let bases = class.base_names.iter();
            let count = bases
                .take_while(|base| !is_in_order || !names.contains(base))
                .count();
            let others = class.base_names.iter().take(count);
            before.extend(others.filter(|base| !names.contains(base)));
        }
        if before.is_empty() {
            return found;
        }
        // What both have above them comes after both.
        let mut above = FxHashSet::default();
        let mut pending = vec![class];
        while let Some(name) = pending.pop() {
            for (_, class) in self.classes_by(&self.classes.by_name, name) {
                let bases = class.base_names.iter().copied();
                pending.extend(bases.filter(|base| above.insert(*base)));
            }
        }
        while let Some(name) = before.pop() {
            if !above.contains(&name) && names.insert(name) {
                for (file, class) in self.classes_by(&self.classes.by_name, name) {
                    found.push((file, class));
                    before.extend(&class.base_names);
                }
            }
        }
        found
    }

    /// Classes by a name, behind the numbers of their files.
    fn classes_by<'s>(
        &'s self,
        index: &'s FxHashMap<Key, Vec<(u32, u32)>>,
        name: Key,
    ) -> impl Iterator<Item = (u32, &'s Class)> {
        let places = index.get(&name).into_iter().flatten();
        places.filter_map(|(file, class)| {
            let known = self.files.get(*file as usize)?;
            Some((*file, known.classes.get(*class as usize)?))
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
