//! What the names in calls mean, from one file to the next.

use asyncfix_knowledge::stdlib::is_stdlib;
use rustc_hash::FxHashSet;

use crate::facts::calls::{CONSTRUCTORS, Call, Callee, Calls, Path, Target, find};
use crate::facts::key::{Key, module_keys, name_key};
use crate::index::call_graph::{ClassId, Graph, Id};
use crate::limits::{BASES, LINKED, Limit};

/// What a path leads to.
#[derive(Clone, Copy)]
pub(crate) enum Found {
    Function(Id),
    Class(ClassId),
    Module(u32),
}

/// Whether a file lies there.
pub(crate) fn is_at(file: &Calls, components: &[&str]) -> bool {
    file.place.components() == components
}

impl Graph {
    pub(super) fn callee(&self, file: u32, callee: &Callee) -> Option<Id> {
        match callee {
            Callee::Plain(target) => match self.target(file, target, LINKED)? {
                Found::Function(id) => Some(id),
                Found::Class(class) => CONSTRUCTORS
                    .iter()
                    .find_map(|name| self.method(class, name, BASES)),
                Found::Module(_) => None,
            },
            Callee::Method(class, name) => match self.target(file, class, LINKED)? {
                Found::Class(class) => self.method(class, name, BASES),
                _ => None,
            },
        }
    }

    /// Whether a call that leads to no function of the project runs none of its code.
    pub(crate) fn is_harmless(&self, file: u32, call: &Call) -> bool {
        // `log.info(…)`, of a logger that another module made.
        if let Callee::Plain(Target::Import(path)) = &call.callee
            && self.is_constant(file, path, LINKED)
        {
            return true;
        }
        // `log.info(…)`, of a logger that a function of another module gives.
        if let Callee::Method(target @ Target::Import(_), _) = &call.callee
            && let Some(Found::Function(maker)) = self.target(file, target, LINKED)
        {
            return self
                .function(maker)
                .is_some_and(|maker| maker.gives_constant && maker.is_plain);
        }
        // A class without a constructor of its own, such as an exception.
        let class = match &call.callee {
            Callee::Plain(target) => self.target(file, target, LINKED),
            Callee::Method(..) => None,
        };
        let Some(Found::Class(class)) = class else {
            return false;
        };
        ["__new__", "__post_init__"]
            .iter()
            .all(|name| self.method(class, name, BASES).is_none())
    }

    /// Whether a path leads to a method of what a module of the project makes for any thread to use.
    fn is_constant(&self, from: u32, path: &Path, steps: Limit) -> bool {
        let Some((steps, components)) = steps.less().zip(self.components(from, path)) else {
            return false;
        };
        // The longest name that is one of a module is that of the module: what stands behind it is in there.
        let found = (1..components.len().saturating_sub(1))
            .rev()
            .find_map(|split| {
                let (module, names) = components.split_at(split);
                let file = self.module(from, module, path.level > 0)?;
                Some((file, names.split_first()?))
            });
        let Some((file, (name, rest))) = found else {
            return false;
        };
        let Some(calls) = self.file(file) else {
            return false;
        };
        let is_one = calls
            .constants
            .binary_search_by(|known| (**known).cmp(name))
            .is_ok();
        match find(&calls.names, name) {
            _ if is_one => true,
            Some(Target::Import(inner)) => {
                let inner = rest
                    .iter()
                    .fold(inner.clone(), |path, name| path.attribute(name));
                self.is_constant(file, &inner, steps)
            }
            _ => false,
        }
    }

    pub(super) fn method(&self, class: ClassId, name: &str, depth: Limit) -> Option<Id> {
        if let Some(member) = self.class(class)?.member(name) {
            return self.method_id(class.0, member);
        }
        let depth = depth.less()?;
        for base in self.bases_of(class) {
            // Behind a base that is not known, anything may come.
            if let Some(method) = self.method((*base)?, name, depth) {
                return Some(method);
            }
        }
        None
    }

    pub(crate) fn target(&self, file: u32, target: &Target, steps: Limit) -> Option<Found> {
        self.target_behind(file, target, steps, &mut FxHashSet::default())
    }

    /// `seen` has the names that were looked for behind star imports: these lead in circles, and many
    /// ways lead to one module.
    fn target_behind(
        &self,
        file: u32,
        target: &Target,
        steps: Limit,
        seen: &mut FxHashSet<(u32, Key)>,
    ) -> Option<Found> {
        match target {
            Target::Function(index) => Some(Found::Function(self.id(file, *index as usize))),
            Target::Class(index) => Some(Found::Class((file, *index))),
            Target::Import(path) => self.import(file, path, steps.less()?, seen),
            Target::Unknown => None,
        }
    }

    fn import(
        &self,
        from: u32,
        path: &Path,
        steps: Limit,
        seen: &mut FxHashSet<(u32, Key)>,
    ) -> Option<Found> {
        let is_relative = path.level > 0;
        let components = self.components(from, path)?;
        for split in (1..=components.len()).rev() {
            let (module, names) = components.split_at(split);
            let Some(file) = self.module(from, module, is_relative) else {
                continue;
            };
            return match names {
                [] => Some(Found::Module(file)),
                [name] => self.name(file, name, steps, seen),
                [class, method] => match self.name(file, class, steps, seen)? {
                    Found::Class(class) => self.method(class, method, BASES).map(Found::Function),
                    Found::Module(inner) => self.name(inner, method, steps, seen),
                    Found::Function(_) => None,
                },
                _ => None,
            };
        }
        None
    }

    /// The components of what a path leads to, from where imports start.
    pub(super) fn components<'p>(&'p self, from: u32, path: &'p Path) -> Option<Vec<&'p str>> {
        let base = match path.level {
            0 => &[],
            level => self.file(from)?.place.base(level),
        };
        let below = path.below.split('.').filter(|part| !part.is_empty());
        Some(base.iter().map(String::as_str).chain(below).collect())
    }

    /// What a name of another file stands for, where that belongs to the thread that made it.
    pub(crate) fn bound(&self, from: u32, path: &Path, steps: Limit) -> Option<&str> {
        let steps = steps.less()?;
        let components = self.components(from, path)?;
        let (file, name) = (1..components.len()).rev().find_map(|split| {
            let (module, names) = components.split_at(split);
            let file = self.module(from, module, path.level > 0)?;
            Some((file, *names.first()?))
        })?;
        let calls = self.file(file)?;
        match (find(&calls.bound, name), find(&calls.names, name)) {
            (Some(what), _) => Some(what.as_str()),
            (None, Some(Target::Import(path))) => self.bound(file, path, steps),
            _ => None,
        }
    }

    fn name(
        &self,
        file: u32,
        name: &str,
        steps: Limit,
        seen: &mut FxHashSet<(u32, Key)>,
    ) -> Option<Found> {
        let calls = self.file(file)?;
        if let Some(target) = find(&calls.names, name) {
            return self.target_behind(file, target, steps, seen);
        }
        let steps = steps.less()?;
        if calls.stars.is_empty() || !seen.insert((file, name_key(name))) {
            return None;
        }
        let mut found = calls.stars.iter().filter_map(|star| {
            let Found::Module(module) = self.import(file, star, steps, seen)? else {
                return None;
            };
            self.name(module, name, steps, seen)
        });
        let first = found.next()?;
        // The last one would win, if both have it.
        found.next().is_none().then_some(first)
    }

    /// The files whose modules may have a name with these last components.
    pub(crate) fn files_named(&self, components: &[impl AsRef<str>]) -> &[u32] {
        let keys = components
            .iter()
            .map(|component| name_key(component.as_ref()));
        let key = module_keys(keys).last();
        let files = key.and_then(|key| self.modules.get(&key));
        files.map_or(&[], Vec::as_slice)
    }

    /// Whether there is a module, or a package with `__init__.py`, at this place: imports do not start
    /// inside of it.
    fn is_module(&self, components: &[String]) -> bool {
        self.files_named(components).iter().any(|number| {
            self.file(*number)
                .is_some_and(|file| file.place.components() == components)
        })
    }

    /// The file of the module that code in the file `from` imports by this name.
    pub(super) fn module(&self, from: u32, module: &[&str], is_relative: bool) -> Option<u32> {
        if !is_relative && is_stdlib(module.first()?) {
            return None;
        }
        let named = self.files_named(module);
        let mut fitting = named.iter().copied().filter(|number| {
            self.file(*number).is_some_and(|file| {
                if is_relative {
                    return is_at(file, module);
                }
                let components = file.place.components();
                let Some(root) = components.len().checked_sub(module.len()) else {
                    return false;
                };
                let (root, below) = components.split_at(root);
                below.iter().zip(module).all(|(own, asked)| own == asked) && !self.is_module(root)
            })
        });
        let first = fitting.next()?;
        let mut all: Vec<u32> = std::iter::once(first).chain(fitting).collect();
        if all.len() == 1 {
            return Some(first);
        }
        // Of several with this name, the one nearest to where it is asked for.
        let own = self.file(from)?.place.components();
        let common = |number: u32| {
            self.file(number).map_or(0, |file| {
                let components = file.place.components();
                let root = components.len().saturating_sub(module.len());
                let root = components.get(..root).unwrap_or_default();
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
