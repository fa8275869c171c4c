//! Which functions of a project use the same files.

use std::fmt::Write as _;

use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

use super::call_graph::{ClassId, Graph, Id, last};
use crate::facts::calls::file_paths::{ANY, FilePath, GIVEN, Piece};
use crate::facts::calls::{Calls, ClassMember, Path, Target, find};
use crate::facts::key::{Key, name_key};
use crate::facts::name::Name;
use crate::facts::value_flow::Place;
use crate::limits::{BASES, FILE_USERS, LINKED, Limit, PATHS_HANDED_ON};

/// A part of a path, the same in every file.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// A parameter of the function.
    Parameter(u32, Name),
}

/// A file that a function uses.
#[derive(Debug, Clone)]
struct Used {
    parts: Vec<Part>,
    /// Its path, as it is written.
    written: Box<str>,
    changes: bool,
    /// The function that is called to do it.
    through: Option<Id>,
    /// The function that does it in the end.
    by: Id,
}

/// A function that uses a file.
#[derive(Debug, Clone, Copy)]
struct User {
    function: Id,
    /// The function that does it in the end.
    by: Id,
    changes: bool,
}

/// The files that the functions of a project use.
#[derive(Debug, Default)]
pub(super) struct FileUsers {
    used: FxHashMap<Id, Vec<Used>>,
    /// By the paths of files: the functions that use them.
    by_path: FxHashMap<String, Vec<User>>,
    /// The same by the folders in which some function uses any file, with the names.
    by_folder: FxHashMap<String, Vec<(String, User)>>,
}

/// The folder and the name of a path.
fn parted(path: &str) -> Option<(&str, &str)> {
    path.rsplit_once('/')
}

/// Whether two names in one folder, one of which stands for any, may be the same.
fn may_be_one(one: &str, other: &str) -> bool {
    // What stands behind all that is not known.
    let ending = |name: &str| {
        let known = name.rsplit(['*', '}', '\u{1}', '\u{2}']).next();
        known.unwrap_or_default().to_owned()
    };
    let (own, its) = (ending(one), ending(other));
    (one.contains(ANY) || other.contains(ANY)) && (own.ends_with(&its) || its.ends_with(&own))
}

/// What a function that is called does to a file that others use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileMet {
    /// It changes a file that it is given.
    Changed(String),
    /// It changes a file that other code uses.
    Shared(String),
    /// It reads a file that other code changes.
    Read(String),
}

/// A call of a function, as far as its files go.
#[derive(Debug, Clone, Copy)]
pub struct FileCall<'c> {
    /// The coroutine function that has the call: its file, and its name behind those of what it stands in.
    pub caller: (&'c Place, &'c str),
    /// The function that is called.
    pub helper: (&'c Place, &'c str),
    /// Whether the caller runs once.
    pub is_once: bool,
    /// Whether the function is a method of an object that the caller has made for itself.
    pub is_of_own_object: bool,
}

impl Used {
    /// What tells whether it is the same file as another one. `None` where that depends on what the function is given
    /// alone.
    fn key(&self) -> Option<String> {
        let Some(Part::Text(_)) = self.parts.first() else {
            return None;
        };
        let mut key = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => key.push_str(text),
                Part::Parameter(_, name) => {
                    let _ = write!(key, "{{{name}}}");
                }
            }
        }
        while key.contains("//") {
            key = key.replace("//", "/");
        }
        let key = key.strip_prefix("./").unwrap_or(&key);
        (!key.is_empty()).then(|| key.to_owned())
    }

    /// The one parameter of the function that the path is made of.
    fn parameter(&self) -> Option<(u32, &Name)> {
        let mut parameters = self.parts.iter().filter_map(|part| match part {
            Part::Parameter(at, name) => Some((*at, name)),
            Part::Text(_) => None,
        });
        let first = parameters.next()?;
        parameters.all(|other| other == first).then_some(first)
    }

    /// Whether the path is that of an object, which another one need not have.
    fn is_of_object(&self) -> bool {
        self.has(OF_OBJECT)
    }

    /// Whether the path is the same whatever the function is given.
    fn is_fixed(&self) -> bool {
        let mut parts = self.parts.iter();
        parts.all(|part| matches!(part, Part::Text(_))) && !self.has(GIVEN) && self.key().is_some()
    }

    fn has(&self, mark: char) -> bool {
        let mut parts = self.parts.iter();
        parts.any(|part| matches!(part, Part::Text(text) if text.contains(mark)))
    }
}

/// What stands around names in paths whose values are not known.
const OF_MODULE: char = '\u{1}';
const OF_OBJECT: char = '\u{2}';

/// Adds a text to the parts of a path.
fn add_text(parts: &mut Vec<Part>, text: &str) {
    if let Some(Part::Text(last)) = parts.last_mut() {
        last.push_str(text);
    } else {
        parts.push(Part::Text(text.to_owned()));
    }
}

fn add_all(parts: &mut Vec<Part>, others: Vec<Part>) {
    for part in others {
        match part {
            Part::Text(text) => add_text(parts, &text),
            parameter @ Part::Parameter(..) => parts.push(parameter),
        }
    }
}

impl Graph {
    /// The files that all functions use. Takes a time that grows with the number of uses, and of paths handed on.
    pub(super) fn find_file_users(&self) -> FileUsers {
        let mut users = FileUsers::default();
        let mut new: FxHashMap<Id, Vec<Used>> = FxHashMap::default();
        for (id, used) in self.in_all_files(|file| self.used_in(file)) {
            new.entry(id).or_default().push(used);
        }
        for _ in 0..=PATHS_HANDED_ON.count() {
            let given = new.iter().filter(|(_, used)| {
                let mut used = used.iter();
                used.any(|used| used.parameter().is_some())
            });
            let names: FxHashSet<Key> = given
                .filter_map(|(id, _)| Some(name_key(last(&self.function(*id)?.name))))
                .collect();
            let derived = if names.is_empty() {
                Vec::new()
            } else {
                self.in_all_files(|file| self.handed_in(file, &names, &new))
            };
            for (id, used) in new.drain() {
                users.used.entry(id).or_default().extend(used);
            }
            for (id, used) in derived {
                new.entry(id).or_default().push(used);
            }
        }
        for (id, all) in &users.used {
            for used in all {
                if let Some(key) = used.key() {
                    let user = User {
                        function: *id,
                        by: used.by,
                        changes: used.changes,
                    };
                    users.by_path.entry(key).or_default().push(user);
                }
            }
        }
        let any = users.by_path.keys().filter_map(|path| parted(path));
        let any = any.filter(|(_, name)| name.contains(ANY));
        let folders: FxHashSet<String> = any.map(|(folder, _)| folder.to_owned()).collect();
        for (path, all) in &users.by_path {
            if let Some((folder, name)) = parted(path)
                && folders.contains(folder)
            {
                let inside = users.by_folder.entry(folder.to_owned()).or_default();
                inside.extend(all.iter().map(|user| (name.to_owned(), *user)));
            }
        }
        users
    }

    pub(super) fn in_all_files<T: Send>(&self, of: impl Fn(u32) -> Vec<T> + Send + Sync) -> Vec<T> {
        let count = u32::try_from(self.files.len()).unwrap_or(u32::MAX);
        (0..count).into_par_iter().flat_map_iter(of).collect()
    }

    /// The files that the functions of one file use themselves.
    fn used_in(&self, number: u32) -> Vec<(Id, Used)> {
        let mut found = Vec::new();
        let functions = self.file(number).map(|file| file.functions.iter());
        for (index, function) in functions.into_iter().flatten().enumerate() {
            let id = self.id(number, index);
            for own in function.files.iter().flat_map(|files| &files.uses) {
                if let Some(parts) = self.parts(number, &own.path, LINKED) {
                    let used = Used {
                        parts,
                        written: own.written.clone(),
                        changes: own.changes,
                        through: None,
                        by: id,
                    };
                    found.push((id, used));
                }
            }
        }
        found
    }

    /// The files that the functions of one file have used by functions with these names, `by` which they are used.
    fn handed_in(
        &self,
        number: u32,
        names: &FxHashSet<Key>,
        by: &FxHashMap<Id, Vec<Used>>,
    ) -> Vec<(Id, Used)> {
        let mut found = Vec::new();
        let functions = self.file(number).map(|file| file.functions.iter());
        for (index, function) in functions.into_iter().flatten().enumerate() {
            for handed in function.files.iter().flat_map(|files| &files.handed) {
                if !names.contains(&name_key(&handed.name)) {
                    continue;
                }
                let Some(callee) = self.called(number, &handed.callee) else {
                    continue;
                };
                for used in by.get(&callee).into_iter().flatten() {
                    let is_for = used
                        .parameter()
                        .is_some_and(|(at, name)| handed.slot.is_for(at, name));
                    if !is_for {
                        continue;
                    }
                    let Some(given) = self.parts(number, &handed.path, LINKED) else {
                        continue;
                    };
                    let mut parts = Vec::new();
                    for part in &used.parts {
                        match part {
                            Part::Text(text) => add_text(&mut parts, text),
                            Part::Parameter(..) => add_all(&mut parts, given.clone()),
                        }
                    }
                    let used = Used {
                        parts,
                        written: handed.written.clone(),
                        changes: used.changes,
                        through: Some(callee),
                        by: used.by,
                    };
                    found.push((self.id(number, index), used));
                }
            }
        }
        found
    }

    /// What a path in a file is made of.
    fn parts(&self, file: u32, path: &FilePath, steps: Limit) -> Option<Vec<Part>> {
        let steps = steps.less()?;
        let mut parts = Vec::new();
        for piece in &path.0 {
            match piece {
                Piece::Text(text) => add_text(&mut parts, text),
                Piece::Parameter(at, name) => parts.push(Part::Parameter(*at, name.clone())),
                Piece::Global(name) => add_all(&mut parts, self.global_path(file, name, steps)?),
                Piece::Import(path) => add_all(&mut parts, self.imported_path(file, path, steps)?),
                Piece::Member(class, name) => {
                    add_all(&mut parts, self.member_path((file, *class), name, steps)?);
                }
            }
        }
        Some(parts)
    }

    /// What a name of a file stands for, as a path.
    fn global_path(&self, file: u32, name: &str, steps: Limit) -> Option<Vec<Part>> {
        let steps = steps.less()?;
        let calls = self.file(file)?;
        if let Some(path) = find(&calls.paths, name)
            && let Some(parts) = self.parts(file, path, steps)
        {
            return Some(parts);
        }
        match find(&calls.names, name) {
            Some(Target::Import(path)) => return self.imported_path(file, path, steps),
            Some(_) => {}
            None => {
                let brought = calls.stars.iter().find_map(|star| {
                    let module = self.module_of(file, star)?;
                    find(&self.file(module)?.names, name)?;
                    self.global_path(module, name, steps)
                });
                if let Some(parts) = brought {
                    return Some(parts);
                }
            }
        }
        Some(vec![Part::Text(format!(
            "{OF_MODULE}{file}:{name}{OF_MODULE}"
        ))])
    }

    fn module_of(&self, from: u32, path: &Path) -> Option<u32> {
        let components = self.components(from, path)?;
        self.module(from, &components, path.level > 0)
    }

    /// What an import stands for, as a path.
    fn imported_path(&self, from: u32, path: &Path, steps: Limit) -> Option<Vec<Part>> {
        let components = self.components(from, path)?;
        let found = (1..components.len()).rev().find_map(|split| {
            let (module, names) = components.split_at(split);
            Some((self.module(from, module, path.level > 0)?, names))
        });
        match found {
            Some((module, [name, attributes @ ..])) => {
                let mut parts = self.global_path(module, name, steps)?;
                for attribute in attributes {
                    add_text(&mut parts, &format!(".{attribute}"));
                }
                Some(parts)
            }
            _ => Some(vec![Part::Text(format!(
                "{OF_MODULE}{}{OF_MODULE}",
                components.join(".")
            ))]),
        }
    }

    /// What an attribute of the instances of a class stands for, as a path.
    fn member_path(&self, class: ClassId, name: &str, steps: Limit) -> Option<Vec<Part>> {
        let steps = steps.less()?;
        let owner = self.owner_of(class, name, BASES).unwrap_or(class);
        if let Some(path) = find(&self.class(owner)?.paths, name)
            && let Some(parts) = self.parts(owner.0, path, steps)
        {
            return Some(parts);
        }
        let (file, number) = owner;
        Some(vec![Part::Text(format!(
            "{OF_OBJECT}{file}:{number}:{name}{OF_OBJECT}"
        ))])
    }

    /// The class that has an attribute of this name, of a class and its bases.
    pub(super) fn owner_of(&self, class: ClassId, name: &str, depth: Limit) -> Option<ClassId> {
        if let Some(ClassMember::Other) = self.class(class)?.member(name) {
            return Some(class);
        }
        let depth = depth.less()?;
        let mut bases = self.bases_of(class).iter().flatten();
        bases.find_map(|base| self.owner_of(*base, name, depth))
    }

    /// Whether the file that `written` names in a function, at a place in the project, is changed by code of other
    /// files, or used where the function changes it. `is_once` is whether the function runs once.
    pub fn is_used_by_others(
        &self,
        place: &Place,
        function: &str,
        written: &str,
        is_once: bool,
        is_imported: &dyn Fn(&Place) -> bool,
    ) -> bool {
        let Some(id) = self.function_at(place, function) else {
            return false;
        };
        let own = self.file_of(id);
        let mut used = self.users.used.get(&id).into_iter().flatten();
        used.any(|used| {
            // What one call has for itself, another one of the same function has not.
            let is_alone = is_once || used.parameter().is_some();
            *used.written == *written
                && self.has_user(used, |other| {
                    !(is_alone && other.function == id)
                        // Of what the file does by itself, it knows more.
                        && (self.file_of(other.function) != own || self.file_of(other.by) != own)
                        && !self.are_apart(id, other.function, is_imported)
                })
        })
    }

    /// Whether two functions stand in files that are run as programs of their own.
    fn are_apart(&self, one: Id, other: Id, is_imported: &dyn Fn(&Place) -> bool) -> bool {
        let is_program = |file: &Calls| file.is_program && !is_imported(&file.place);
        match (self.place_of(one), self.place_of(other)) {
            (Some((one, number)), Some((other, other_number))) => {
                number != other_number && is_program(one) && is_program(other)
            }
            _ => false,
        }
    }

    /// What a call of a function does to files that other code uses, as far as that takes more than one file of the
    /// project to see.
    pub fn file_met(
        &self,
        call: &FileCall<'_>,
        is_imported: &dyn Fn(&Place) -> bool,
    ) -> Option<FileMet> {
        let helper = self.function_at(call.helper.0, call.helper.1)?;
        let caller = self.function_at(call.caller.0, call.caller.1)?;
        let here = self.file_of(caller);
        let is_own = |id: Id| self.file_of(id) == here;
        let reached = self.reached(helper);
        let is_other = |other: &User| {
            let is_itself = call.is_once && other.function == caller;
            let are_all_own = is_own(helper) && is_own(other.function) && is_own(other.by);
            !(is_itself
                || are_all_own
                || reached.contains(&other.function)
                || self.are_apart(caller, other.function, is_imported))
        };
        let given = self.users.used.get(&caller).into_iter().flatten();
        let given = given.filter(|used| used.through == Some(helper));
        let changed = given.clone().find(|used| {
            used.changes
                && used.parameter().is_none()
                && !is_own(used.by)
                && !call.is_once
                && used.key().is_some()
        });
        if let Some(used) = changed {
            return Some(FileMet::Changed(used.written.to_string()));
        }
        let own = reached
            .iter()
            .filter_map(|id| self.users.used.get(id))
            .flatten()
            .filter(|used| !(call.is_of_own_object && used.is_of_object()));
        // Of what one file does by itself, it knows more.
        let fixed = own.clone().find(|used| {
            used.changes && used.is_fixed() && !call.is_once && !(is_own(helper) && is_own(used.by))
        });
        if let Some(used) = fixed {
            return Some(FileMet::Changed(used.written.to_string()));
        }
        let own = own.filter(|used| !used.changes || used.parameter().is_some());
        let used = given
            .chain(own)
            .find(|used| self.has_user(used, is_other))?;
        let path = used.written.to_string();
        Some(if used.changes {
            FileMet::Shared(path)
        } else {
            FileMet::Read(path)
        })
    }

    /// Whether a function that `is_other` changes the file, or uses it where it is changed.
    fn has_user(&self, used: &Used, is_other: impl Fn(&User) -> bool) -> bool {
        let Some(key) = used.key() else {
            return false;
        };
        let users = self.users.by_path.get(&key).into_iter().flatten();
        let beside = parted(&key).and_then(|(folder, name)| {
            let inside = self.users.by_folder.get(folder)?.iter();
            Some(inside.filter(move |(other, _)| may_be_one(name, other)))
        });
        users
            .chain(beside.into_iter().flatten().map(|(_, user)| user))
            .any(|other| (other.changes || used.changes) && is_other(other))
    }

    /// A function, and those that it calls.
    fn reached(&self, first: Id) -> Vec<Id> {
        let mut reached = vec![first];
        let mut at = 0;
        while let Some(id) = reached.get(at).copied()
            && FILE_USERS.has_room(at)
        {
            at += 1;
            let (Some(function), Some(file)) = (self.function(id), self.file_of(id)) else {
                continue;
            };
            for call in &function.calls {
                if let Some(called) = self.called(file, &call.callee)
                    && !reached.contains(&called)
                {
                    reached.push(called);
                }
            }
        }
        reached
    }

    fn file_of(&self, id: Id) -> Option<u32> {
        self.place_of(id).map(|(_, file)| file)
    }
}
