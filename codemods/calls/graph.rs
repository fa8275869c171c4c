//! The call graph of a project.

use std::collections::VecDeque;

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Blocked, Bond, Call, Callee, Calls, Function, Path, Target};
use crate::key::{Key, name_key};
use crate::traces::Place;
use crate::traces::scopes::is_stdlib;

/// How many names are followed to find out what an import means.
const STEPS: usize = 16;

/// How many base classes up a method is looked for.
const BASES: usize = 8;

/// How many calls a chain may have for the thread it would run in to be thought through.
pub const DEPTH: usize = 16;

/// A function of the project: its place among all of them.
type Id = u32;

/// A class of the project: its file, and its place there.
type ClassId = (u32, u32);

/// How many conditions a chain may depend on: with more of them, nobody can say that the call blocks.
pub(super) const CONDITIONS: usize = 1;

/// The functions that call a function, each with how many conditions that depends on.
type Callers = FxHashMap<Id, Vec<(Id, usize)>>;

/// What a function does sooner or later.
#[derive(Debug, Clone, Copy)]
enum Next {
    /// It calls this one.
    Function(Id),
    /// It has the call itself.
    Call,
}

/// What is known of a function that blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The names on the way, from the function to the call that blocks.
    pub names: Vec<String>,
    /// Why it cannot simply run in a thread.
    pub bond: Option<Bond>,
    /// Whether a subclass has another function in its place.
    pub is_overridden: bool,
}

/// A method of the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The components of its file's path, without the ending.
    pub components: Vec<String>,
    /// Its name, behind those of the classes around it.
    pub name: String,
}

/// The linked functions of a project.
#[derive(Debug, Default)]
pub struct Graph {
    files: Vec<Calls>,
    /// The number of the first function of each file.
    first: Vec<Id>,
    /// The files, by the last component of their modules' names.
    modules: FxHashMap<String, Vec<u32>>,
    /// The functions by the components of their files and their names.
    by_name: FxHashMap<(Vec<String>, String), Id>,
    /// For each function that blocks: the next one on the shortest way to the call.
    next: FxHashMap<Id, Next>,
    /// For each function: why it, or one it calls, cannot simply run in a thread.
    bonds: FxHashMap<Id, Bond>,
    /// For each method that subclasses have in another form: theirs, `None` where that is no method.
    overridden: FxHashMap<Id, Vec<Option<Id>>>,
    /// The last names of the functions that block.
    names: FxHashSet<Key>,
}

impl Graph {
    /// Adds the calls of a file.
    pub fn add(&mut self, calls: Calls) {
        self.files.push(calls);
    }

    /// Follows the calls, once all files are there. Takes a time that grows with the number of calls.
    pub fn link(&mut self) {
        let mut count = 0;
        for (number, file) in self.files.iter().enumerate() {
            self.first.push(count);
            let last = file.components.last().cloned().unwrap_or_default();
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            self.modules.entry(last).or_default().push(number);
            for function in &file.functions {
                let key = (file.components.clone(), function.name.clone());
                self.by_name.insert(key, count);
                count += 1;
            }
        }
        self.find_overridden();
        let mut callers = Callers::default();
        let mut blocked = VecDeque::new();
        let mut tied = VecDeque::new();
        let mut shared = VecDeque::new();
        let mut unknown: FxHashMap<Id, String> = FxHashMap::default();
        for (number, file) in self.files.iter().enumerate() {
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            let mut known: FxHashMap<&Callee, Option<Id>> = FxHashMap::default();
            for (index, function) in file.functions.iter().enumerate() {
                let id = self.id(number, index);
                // A package of the project that has the name of another one is not that.
                let is_own = |call: &Blocked| {
                    let root = call.name.split('.').next().unwrap_or_default();
                    self.module(number, &[root.to_owned()], false).is_some()
                };
                if let Some(call) = function.blocked.as_ref().filter(|call| !is_own(call)) {
                    blocked.push_back((id, Next::Call, call.conditions));
                }
                for bond in &function.bonds {
                    match bond {
                        Bond::Tied(_) => tied.push_back((id, bond.clone())),
                        Bond::Shared(_) => shared.push_back((id, bond.clone())),
                    }
                }
                for call in &function.calls {
                    let target = *known
                        .entry(&call.callee)
                        .or_insert_with(|| self.callee(number, &call.callee));
                    match target {
                        Some(target) => {
                            // Its body is not looked into, or does not run here.
                            let is_open = self
                                .function(target)
                                .is_some_and(|function| function.is_plain || function.is_async);
                            if !is_open {
                                unknown.entry(id).or_insert_with(|| call.written.clone());
                            }
                            let caller = (id, call.conditions);
                            callers.entry(target).or_default().push(caller);
                        }
                        None if self.is_harmless(number, call) => {}
                        None => {
                            unknown.entry(id).or_insert_with(|| call.written.clone());
                        }
                    }
                }
            }
        }
        self.follow_blocked(blocked, &callers);
        for (id, written) in unknown {
            let reason = format!("what `{written}` does in another thread is not known");
            shared.push_back((id, Bond::Shared(reason)));
        }
        // What belongs to its thread weighs more than what is shared.
        for reasons in [tied, shared] {
            self.follow_bonds(reasons, &callers);
        }
        self.names = self
            .next
            .keys()
            .filter_map(|id| self.function(*id))
            .map(|function| name_key(last(&function.name)))
            .collect();
    }

    /// Whether something in the project with this last name blocks.
    pub fn may_block(&self, name: Key) -> bool {
        self.names.contains(&name)
    }

    /// The methods that block, each behind the name of its class.
    pub fn blocking_methods(&self) -> FxHashSet<(Key, Key)> {
        let mut methods: FxHashSet<(Key, Key)> = FxHashSet::default();
        for id in self.next.keys() {
            let Some(function) = self.function(*id) else {
                continue;
            };
            let mut names = function.name.rsplit('.');
            if let (Some(method), Some(class)) = (names.next(), names.next()) {
                methods.insert((name_key(class), name_key(method)));
            }
        }
        methods
    }

    /// How the function of this name in the file at `place` blocks, if it does. `name` has the names
    /// of the classes around it.
    pub fn chain(&self, place: &Place, name: &str) -> Option<Chain> {
        let key = (place.components().to_vec(), name.to_owned());
        let first = *self.by_name.get(&key)?;
        let mut names = Vec::new();
        let mut id = first;
        loop {
            let function = self.function(id)?;
            names.push(function.name.clone());
            match self.next.get(&id)? {
                Next::Function(next) => id = *next,
                Next::Call => {
                    names.extend(function.blocked.as_ref().map(|call| call.name.clone()));
                    break;
                }
            }
        }
        Some(Chain {
            names,
            bond: self.bonds.get(&first).cloned(),
            is_overridden: self.overridden.contains_key(&first),
        })
    }

    /// The other plain methods that have to become coroutine functions together with the one of this
    /// name in the file at `place`: those that override it, and those it overrides. `Err` with the
    /// reason where one of them is not known.
    pub fn family(&self, place: &Place, name: &str) -> Result<Vec<Member>, String> {
        let Some((class, method)) = name.rsplit_once('.') else {
            return Ok(Vec::new());
        };
        let key = (place.components().to_vec(), name.to_owned());
        let Some(id) = self.by_name.get(&key) else {
            return Err(format!("what `{name}` overrides is not known"));
        };
        let mut family = vec![*id];
        let mut at = 0;
        while let Some(id) = family.get(at).copied() {
            at += 1;
            let mut related = self.overridden.get(&id).cloned().unwrap_or_default();
            let (file, class) = self
                .class_of_method(id)
                .ok_or_else(|| format!("what `{class}` inherits is not known"))?;
            related.extend(self.overrides((file, class), method, BASES)?.map(Some));
            for member in related {
                let member = member.ok_or_else(|| {
                    format!("a subclass has something else than a method as `{name}`")
                })?;
                if !family.contains(&member) {
                    family.push(member);
                }
            }
        }
        let others = family.iter().filter(|other| *other != id);
        let members = others.filter_map(|other| {
            let (file, _) = self.place_of(*other)?;
            let function = self.function(*other)?;
            (!function.is_async).then(|| Member {
                components: file.components.clone(),
                name: function.name.clone(),
            })
        });
        Ok(members.collect())
    }

    /// The nearest method of this name in the bases of a class. `Err` where a base is not known.
    fn overrides(
        &self,
        class: ClassId,
        method: &str,
        depth: usize,
    ) -> Result<impl Iterator<Item = Id> + use<>, String> {
        let mut found = Vec::new();
        let mut pending = vec![(class, depth)];
        while let Some(((file, index), depth)) = pending.pop() {
            let known = self
                .file(file)
                .and_then(|calls| calls.classes.get(index as usize));
            let Some(known) = known else {
                continue;
            };
            for base in &known.bases {
                let Some(Found::Class(base)) = self.target(file, base, STEPS) else {
                    return Err(format!(
                        "what the class of `{method}` inherits is not known"
                    ));
                };
                let members = self
                    .file(base.0)
                    .and_then(|calls| calls.classes.get(base.1 as usize))
                    .map(|class| class.members.get(method));
                match members.flatten() {
                    Some(Some(method)) => found.push(self.id(base.0, *method as usize)),
                    Some(None) => {
                        return Err(format!("`{method}` is no method of a base class"));
                    }
                    None if depth > 0 => pending.push((base, depth - 1)),
                    None => {
                        return Err(format!(
                            "what the class of `{method}` inherits is not known"
                        ));
                    }
                }
            }
        }
        Ok(found.into_iter())
    }

    /// The class that has this method.
    fn class_of_method(&self, id: Id) -> Option<ClassId> {
        let (calls, file) = self.place_of(id)?;
        let index = calls.classes.iter().position(|class| {
            let mut methods = class.members.values().flatten();
            methods.any(|method| self.id(file, *method as usize) == id)
        })?;
        Some((file, u32::try_from(index).ok()?))
    }

    /// The file that a function stands in, and its number.
    fn place_of(&self, id: Id) -> Option<(&Calls, u32)> {
        let file = self.first.partition_point(|first| *first <= id) - 1;
        Some((self.files.get(file)?, u32::try_from(file).ok()?))
    }

    fn follow_blocked(&mut self, mut pending: VecDeque<(Id, Next, usize)>, callers: &Callers) {
        for allowed in 0..=CONDITIONS {
            let mut left = VecDeque::new();
            while let Some((id, next, conditions)) = pending.pop_front() {
                if conditions > allowed {
                    left.push_back((id, next, conditions));
                    continue;
                }
                let Some(function) = self.function(id).filter(|function| function.is_plain) else {
                    continue;
                };
                // What constructors do is often put off, or done once.
                if self.next.contains_key(&id) || last(&function.name) == "__init__" {
                    continue;
                }
                self.next.insert(id, next);
                // Which function runs is not known then.
                if self.overridden.contains_key(&id) {
                    continue;
                }
                for (caller, more) in callers.get(&id).into_iter().flatten() {
                    pending.push_back((*caller, Next::Function(id), conditions + more));
                }
            }
            pending = left;
        }
    }

    fn follow_bonds(&mut self, mut pending: VecDeque<(Id, Bond)>, callers: &Callers) {
        while let Some((id, bond)) = pending.pop_front() {
            if self.bonds.contains_key(&id) {
                continue;
            }
            for (caller, _) in callers.get(&id).into_iter().flatten() {
                pending.push_back((*caller, bond.clone()));
            }
            self.bonds.insert(id, bond);
        }
    }

    fn id(&self, file: u32, index: usize) -> Id {
        let first = self.first.get(file as usize).copied().unwrap_or_default();
        first + u32::try_from(index).unwrap_or_default()
    }

    fn file(&self, number: u32) -> Option<&Calls> {
        self.files.get(number as usize)
    }

    fn function(&self, id: Id) -> Option<&Function> {
        let (calls, file) = self.place_of(id)?;
        let index = id - self.first.get(file as usize)?;
        calls.functions.get(index as usize)
    }

    /// Notes every method that a subclass has in another form.
    fn find_overridden(&mut self) {
        let mut overridden: FxHashMap<Id, Vec<Option<Id>>> = FxHashMap::default();
        for (number, file) in self.files.iter().enumerate() {
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            for class in &file.classes {
                let mut bases: Vec<(ClassId, usize)> = Vec::new();
                self.add_bases(number, &class.bases, BASES, &mut bases);
                while let Some(((of, base), depth)) = bases.pop() {
                    let Some(base) = self
                        .file(of)
                        .and_then(|file| file.classes.get(base as usize))
                    else {
                        continue;
                    };
                    let (few, many) = if class.members.len() < base.members.len() {
                        (&class.members, &base.members)
                    } else {
                        (&base.members, &class.members)
                    };
                    for name in few.keys().filter(|name| many.contains_key(*name)) {
                        if let Some(Some(method)) = base.members.get(name) {
                            let own = class.members.get(name).copied().flatten();
                            let own = own.map(|own| self.id(number, own as usize));
                            let method = self.id(of, *method as usize);
                            overridden.entry(method).or_default().push(own);
                        }
                    }
                    if depth > 0 {
                        self.add_bases(of, &base.bases, depth - 1, &mut bases);
                    }
                }
            }
        }
        self.overridden = overridden;
    }

    fn add_bases(
        &self,
        file: u32,
        bases: &[Target],
        depth: usize,
        found: &mut Vec<(ClassId, usize)>,
    ) {
        for base in bases {
            if let Some(Found::Class(class)) = self.target(file, base, STEPS) {
                found.push((class, depth));
            }
        }
    }

    fn callee(&self, file: u32, callee: &Callee) -> Option<Id> {
        match callee {
            Callee::Plain(target) => match self.target(file, target, STEPS)? {
                Found::Function(id) => Some(id),
                Found::Class(class) => self.method(class, "__init__", BASES),
                Found::Module(_) => None,
            },
            Callee::Method(class, name) => match self.target(file, class, STEPS)? {
                Found::Class(class) => self.method(class, name, BASES),
                _ => None,
            },
        }
    }

    /// Whether a call that leads to no function of the project runs none of its code.
    fn is_harmless(&self, file: u32, call: &Call) -> bool {
        // A class without a constructor of its own, such as an exception.
        let class = match &call.callee {
            Callee::Plain(target) => self.target(file, target, STEPS),
            Callee::Method(..) => None,
        };
        let Some(Found::Class(class)) = class else {
            return false;
        };
        ["__new__", "__post_init__"]
            .iter()
            .all(|name| self.method(class, name, BASES).is_none())
    }

    fn method(&self, class: ClassId, name: &str, depth: usize) -> Option<Id> {
        let (file, index) = class;
        let known = self.file(file)?.classes.get(index as usize)?;
        if let Some(member) = known.members.get(name) {
            return member.map(|method| self.id(file, method as usize));
        }
        let depth = depth.checked_sub(1)?;
        for base in &known.bases {
            // Behind a base that is not known, anything may come.
            let Found::Class(base) = self.target(file, base, STEPS)? else {
                return None;
            };
            if let Some(method) = self.method(base, name, depth) {
                return Some(method);
            }
        }
        None
    }

    fn target(&self, file: u32, target: &Target, steps: usize) -> Option<Found> {
        match target {
            Target::Function(index) => Some(Found::Function(self.id(file, *index as usize))),
            Target::Class(index) => Some(Found::Class((file, *index))),
            Target::Import(path) => self.import(file, path, steps.checked_sub(1)?),
            Target::Unknown => None,
        }
    }

    fn import(&self, from: u32, path: &Path, steps: usize) -> Option<Found> {
        for split in (1..=path.components.len()).rev() {
            let (module, names) = path.components.split_at(split);
            let Some(file) = self.module(from, module, path.is_relative) else {
                continue;
            };
            return match names {
                [] => Some(Found::Module(file)),
                [name] => self.name(file, name, steps),
                [class, method] => match self.name(file, class, steps)? {
                    Found::Class(class) => self.method(class, method, BASES).map(Found::Function),
                    Found::Module(inner) => self.name(inner, method, steps),
                    Found::Function(_) => None,
                },
                _ => None,
            };
        }
        None
    }

    fn name(&self, file: u32, name: &str, steps: usize) -> Option<Found> {
        let calls = self.file(file)?;
        if let Some(target) = calls.names.get(name) {
            return self.target(file, target, steps);
        }
        let steps = steps.checked_sub(1)?;
        let mut found = calls.stars.iter().filter_map(|star| {
            let Found::Module(module) = self.import(file, star, steps)? else {
                return None;
            };
            self.name(module, name, steps)
        });
        let first = found.next()?;
        // The last one would win, if both have it.
        found.next().is_none().then_some(first)
    }

    /// Whether there is a module, or a package with `__init__.py`, at this place: imports do not start
    /// inside of it.
    fn is_module(&self, components: &[String]) -> bool {
        let named = components.last().and_then(|last| self.modules.get(last));
        named.into_iter().flatten().any(|number| {
            self.file(*number)
                .is_some_and(|file| file.components == components)
        })
    }

    /// The file of the module that code in the file `from` imports by this name.
    fn module(&self, from: u32, module: &[String], is_relative: bool) -> Option<u32> {
        if !is_relative && is_stdlib(module.first()?) {
            return None;
        }
        let named = self.modules.get(module.last()?)?;
        let mut fitting = named.iter().copied().filter(|number| {
            self.file(*number).is_some_and(|file| {
                if is_relative {
                    return file.components == module;
                }
                let root = file.components.strip_suffix(module);
                root.is_some_and(|root| !self.is_module(root))
            })
        });
        let first = fitting.next()?;
        let mut all: Vec<u32> = std::iter::once(first).chain(fitting).collect();
        if all.len() == 1 {
            return Some(first);
        }
        // Of several with this name, the one nearest to where it is asked for.
        let own = &self.file(from)?.components;
        let common = |number: u32| {
            self.file(number).map_or(0, |file| {
                let root = file.components.len() - module.len();
                let root = file.components.get(..root).unwrap_or_default();
                if own.starts_with(root) { root.len() } else { 0 }
            })
        };
        all.sort_by_key(|number| std::cmp::Reverse(common(*number)));
        match all.as_slice() {
            [one, other, ..] if common(*one) > common(*other) => Some(*one),
            _ => None,
        }
    }
}

/// What a path leads to.
#[derive(Clone, Copy)]
enum Found {
    Function(Id),
    Class(ClassId),
    Module(u32),
}

/// The last component of a dotted name.
fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or_default()
}
