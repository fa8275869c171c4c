//! The call graph of a project.

use std::collections::VecDeque;
use std::sync::Arc;

use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

use super::file_users::FileUsers;
use crate::facts::calls::{
    Blocked, Bond, Callee, Calls, Class, ClassMember, Function, Need, SharedFile, Target, bound,
    find, is_constructor,
};
use crate::facts::key::{Key, module_keys, name_key};
use crate::facts::value_flow::Place;
use crate::index::call_targets::{Found, is_at};
use crate::index::needs::{Needed, Passing};
use crate::limits::{BASES, CHAIN, CONDITIONS, CROWD, LINKED, Limit};

/// A function of the project: its place among all of them.
pub(super) type Id = u32;

/// A class of the project: its file, and its place there.
pub(super) type ClassId = (u32, u32);

/// The functions that call a function, each with how many conditions that depends on.
type Callers = FxHashMap<Id, Vec<(Id, usize)>>;

/// What the functions of one file lead to.
#[derive(Debug, Default)]
struct Links {
    /// The functions that are called, each with its caller, and how many conditions that depends on.
    calls: Vec<(Id, (Id, usize))>,
    blocked: Vec<(Id, Next, usize)>,
    tied: Vec<(Id, Reason)>,
    shared: Vec<(Id, Reason)>,
    unknown: Vec<(Id, Reason)>,
    /// The functions that are given what others may change, each with its caller and the number of the call.
    passing: Vec<(Id, (Id, u32))>,
    /// The functions that write a file that all calls share.
    writers: Vec<(Id, Id)>,
}

/// What a function does sooner or later.
#[derive(Debug, Clone, Copy)]
enum Next {
    /// It calls this one.
    Function(Id),
    /// It has the call itself.
    Call,
}

/// Why a function, or one that it calls, cannot simply run in a thread.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reason {
    /// This function is tied to its thread.
    Tied(Id),
    /// This one shares something.
    Shared(Id),
    /// Of the names that this one borrows, that with this number belongs to another thread.
    Borrowed(Id, u32),
    /// Of the calls of this one, that with this number leads to something unknown.
    Unknown(Id, u32),
    /// Of what this one needs to know of its parameters, that with this number is not known.
    Needs(Id, u32),
    /// Of the collections that this one goes through, others change that with this number.
    GoneThrough(Id, u32),
}

/// What is known of a function that blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The names on the way, from the function to the call that blocks.
    pub names: Vec<String>,
    /// The functions on the way.
    pub functions: Vec<Member>,
    /// Why it cannot simply run in a thread.
    pub bond: Option<Bond>,
    /// Whether a subclass has another function in its place.
    pub is_overridden: bool,
    /// Whether it depends on a condition that the call is reached.
    pub is_conditional: bool,
    /// Whether it changes no file, and a module that one of its functions stands in may do so.
    pub is_beside_writer: bool,
    /// How many calls of it stand in coroutine functions, where these are many; otherwise none are counted.
    pub callers: usize,
    /// The parameters that must be given what nobody else can change.
    pub needs: Vec<Need>,
    /// A file that it, or a function it calls, writes whatever it is given.
    pub writes: Option<SharedFile>,
}

impl Chain {
    /// Why the function cannot simply run in a thread, wherever it is called.
    pub fn limits(&self) -> Option<Bond> {
        if !CHAIN.allows(self.names.len()) {
            return Some(Bond::Tied(format!(
                "the blocking call is {} calls away; asyncfix follows at most {CHAIN}",
                self.names.len() - 1
            )));
        }
        let overridden = self.is_overridden.then(|| {
            let reason = "a subclass overrides this method";
            Bond::Shared(reason.to_owned())
        });
        self.bond.clone().or(overridden)
    }

    /// Why the function cannot run in a thread with what it is given, where `is_plain` says of a need whether it is
    /// given what nobody can change.
    pub fn limit_of_arguments(&self, is_plain: impl Fn(&Need) -> bool) -> Option<Bond> {
        let unknown = self.needs.iter().find(|need| !is_plain(need))?;
        Some(unknown_argument(unknown))
    }

    /// Whether the function is reported once, where it is defined: it has many callers, and none of them can be
    /// fixed without a second look.
    pub fn is_crowded(&self) -> bool {
        !CROWD.has_room(self.callers) && self.limits().is_some()
    }
}

/// What may happen to what a function needs to know of.
fn unknown_argument(need: &Need) -> Bond {
    let written = &need.written;
    Bond::Shared(if need.is_gone_through {
        changing_meanwhile(written)
    } else {
        unknown_method(written)
    })
}

fn changing_meanwhile(written: &str) -> String {
    format!("other code may change `{written}` while the thread uses it")
}

fn is_imported(callee: &Callee) -> bool {
    matches!(callee, Callee::Plain(Target::Import(_)))
}

fn unknown_method(written: &str) -> String {
    format!("can't tell whether `{written}` is thread-safe")
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
    pub(super) files: Vec<Arc<Calls>>,
    /// The number of the first function of each file.
    first: Vec<Id>,
    /// The files, by the last component of their modules' names, and by the last two.
    pub(crate) modules: FxHashMap<Key, Vec<u32>>,
    /// For each class of each file: what its bases are, `None` for one that is not known.
    bases: Vec<Vec<Box<[Option<ClassId>]>>>,
    /// For each function that blocks: the next one on the shortest way to the call.
    next: FxHashMap<Id, Next>,
    /// For each function: why it, or one it calls, cannot simply run in a thread.
    bonds: FxHashMap<Id, Reason>,
    /// For each function that writes a file that all calls share: the function that does so in the end.
    writers: FxHashMap<Id, Id>,
    /// For each function: what it needs to know of its parameters.
    pub(super) needs: FxHashMap<Id, Vec<Needed>>,
    /// For each method that subclasses have in another form: theirs, `None` where that is no method.
    overridden: FxHashMap<Id, Vec<Option<Id>>>,
    /// The last names of the functions that block.
    names: FxHashSet<Key>,
    /// Of the functions that block: those of which it depends on a condition.
    conditional: FxHashSet<Id>,
    /// Of the functions that block: those that many coroutine functions call, with the number of these calls.
    crowded: FxHashMap<Id, usize>,
    /// The last names of these.
    crowded_names: FxHashSet<Key>,
    /// Who uses which files.
    pub(super) users: FileUsers,
}

impl Graph {
    /// Follows the calls of all files. Takes a time that grows with the number of calls.
    pub fn link(files: Vec<Arc<Calls>>) -> Self {
        let mut graph = Self {
            files,
            ..Self::default()
        };
        graph.follow();
        graph
    }

    fn follow(&mut self) {
        let mut count = 0;
        for (number, file) in self.files.iter().enumerate() {
            self.first.push(count);
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            let components = file.place.components().iter();
            for key in module_keys(components.map(|component| name_key(component))) {
                self.modules.entry(key).or_default().push(number);
            }
            count += u32::try_from(file.functions.len()).unwrap_or_default();
        }
        self.bases = self.of_all_files(Self::bases_in);
        let overridden = self.of_all_files(Self::overridden_by);
        for (method, own) in overridden.into_iter().flatten() {
            self.overridden.entry(method).or_default().push(own);
        }
        let links = self.of_all_files(Self::links);
        let mut callers = Callers::default();
        let mut blocked = VecDeque::new();
        let mut tied = VecDeque::new();
        let mut shared = VecDeque::new();
        let mut unknown = VecDeque::new();
        let mut writers = VecDeque::new();
        let mut passing = Passing::default();
        for links in links {
            for (called, call) in links.passing {
                passing.entry(called).or_default().push(call);
            }
            for (called, caller) in links.calls {
                callers.entry(called).or_default().push(caller);
            }
            blocked.extend(links.blocked);
            tied.extend(links.tied);
            shared.extend(links.shared);
            unknown.extend(links.unknown);
            writers.extend(links.writers);
        }
        self.follow_blocked(blocked, &callers);
        let changed = self.find_changed();
        let (needs, not_known) = self.follow_needs(&passing, &changed);
        self.needs = needs;
        unknown.extend(not_known);
        unknown.extend(self.going_through(&changed));
        // What belongs to its thread weighs more than what is shared.
        for reasons in [tied, shared, unknown] {
            follow_up(&mut self.bonds, reasons, &callers);
        }
        follow_up(&mut self.writers, writers, &callers);
        self.names = self.last_names(self.next.keys());
        for (id, count) in self.of_all_files(Self::asked_in).into_iter().flatten() {
            *self.crowded.entry(id).or_default() += count as usize;
        }
        self.crowded.retain(|_, count| !CROWD.has_room(*count));
        self.crowded_names = self.last_names(self.crowded.keys());
        self.users = self.find_file_users();
    }

    /// Of the functions that block: those that the coroutine functions of one file call, with the number of calls.
    fn asked_in(&self, number: u32) -> Vec<(Id, u32)> {
        let functions = self.file(number).map(|file| file.functions.iter());
        let asked = functions
            .into_iter()
            .flatten()
            .flat_map(|function| &function.asked);
        asked
            .filter_map(|(callee, count)| Some((self.callee(number, callee)?, *count)))
            .filter(|(id, _)| self.next.contains_key(id))
            .collect()
    }

    /// The keys of the last names of some functions.
    fn last_names<'i>(&self, ids: impl Iterator<Item = &'i Id>) -> FxHashSet<Key> {
        let functions = ids.filter_map(|id| self.function(*id));
        functions
            .flat_map(|function| {
                let (around, own) = function
                    .name
                    .rsplit_once('.')
                    .unwrap_or(("", &function.name));
                // A class is called by its own name.
                let class = is_constructor(own).then(|| name_key(last(around)));
                std::iter::once(name_key(own)).chain(class)
            })
            .collect()
    }

    /// What `of` says of each file, in their order.
    fn of_all_files<T: Send>(&self, of: fn(&Self, u32) -> T) -> Vec<T> {
        (0..self.files.len())
            .into_par_iter()
            .map(|number| of(self, u32::try_from(number).unwrap_or(u32::MAX)))
            .collect()
    }

    /// What the functions of one file lead to.
    fn links(&self, number: u32) -> Links {
        let mut links = Links::default();
        let Some(file) = self.file(number) else {
            return links;
        };
        let mut known: FxHashMap<&Callee, Option<Id>> = FxHashMap::default();
        let mut harmless: FxHashMap<&Callee, bool> = FxHashMap::default();
        for (index, function) in file.functions.iter().enumerate() {
            let id = self.id(number, index);
            // A package of the project that has the name of another one is not that.
            let is_own = |call: &Blocked| {
                let root = call.name.split('.').next().unwrap_or_default();
                self.module(number, &[root], false).is_some()
            };
            if let Some(call) = function.blocked.as_ref().filter(|call| !is_own(call)) {
                links.blocked.push((id, Next::Call, call.conditions));
            }
            if function.tied.is_some() {
                links.tied.push((id, Reason::Tied(id)));
            }
            for (borrowed, at) in function.borrowed.iter().zip(0..) {
                if self.bound(number, &borrowed.path, LINKED).is_some() {
                    links.tied.push((id, Reason::Borrowed(id, at)));
                    break;
                }
            }
            if function.shared.is_some() {
                links.shared.push((id, Reason::Shared(id)));
            }
            if function.writes.is_some() {
                links.writers.push((id, id));
            }
            let mut is_known = true;
            for (call, at) in function.calls.iter().zip(0..) {
                let target = *known
                    .entry(&call.callee)
                    .or_insert_with(|| self.callee(number, &call.callee));
                if let Some(target) = target {
                    links.calls.push((target, (id, call.conditions)));
                    if !call.passed.is_empty() {
                        links.passing.push((target, (id, at)));
                    }
                }
                if !is_known {
                    continue;
                }
                let is_harmless = match target.map(|target| self.function(target)) {
                    // Otherwise its body is not looked into, or does not run here.
                    Some(called) => called.is_some_and(|called| called.is_plain || called.is_async),
                    // A class of exceptions of another package.
                    None if call.is_raised && is_imported(&call.callee) => true,
                    None => *harmless
                        .entry(&call.callee)
                        .or_insert_with(|| self.is_harmless(number, call)),
                };
                if !is_harmless {
                    is_known = false;
                    links.unknown.push((id, Reason::Unknown(id, at)));
                }
            }
        }
        links
    }

    /// Whether something in the project with this last name blocks.
    pub(crate) fn may_block(&self, name: Key) -> bool {
        self.names.contains(&name)
    }

    /// Whether something in the project with this last name blocks, and is called by many coroutine functions.
    pub(crate) fn may_be_crowded(&self, name: Key) -> bool {
        self.crowded_names.contains(&name)
    }

    /// The names of the functions that block, those of methods behind the names of their classes.
    pub(crate) fn blocking_functions(&self) -> FxHashSet<(Option<Key>, Key)> {
        let functions = self.next.keys().filter_map(|id| self.function(*id));
        functions
            .map(|function| match function.name.rsplit_once('.') {
                Some((around, method)) if is_constructor(method) => {
                    let class = name_key(last(around));
                    (Some(class), class)
                }
                Some((around, method)) => (Some(name_key(last(around))), name_key(method)),
                None => (None, name_key(&function.name)),
            })
            .collect()
    }

    /// How the function of this name in the file at `place` blocks, if it does. `name` has the names
    /// of the classes around it.
    pub fn chain(&self, place: &Place, name: &str) -> Option<Chain> {
        let first = self.function_at(place, name)?;
        let mut names = Vec::new();
        let mut functions = Vec::new();
        let mut is_beside_writer = false;
        let mut changes_files = false;
        let mut id = first;
        loop {
            let function = self.function(id)?;
            is_beside_writer |= self.place_of(id).is_some_and(|(calls, _)| calls.may_write);
            changes_files |= function.changes_files;
            names.push(function.name.to_string());
            functions.extend(self.place_of(id).map(|(calls, _)| Member {
                components: calls.place.components().to_vec(),
                name: function.name.to_string(),
            }));
            match self.next.get(&id)? {
                Next::Function(next) => id = *next,
                Next::Call => {
                    names.extend(function.blocked.as_ref().map(|call| call.name.to_string()));
                    break;
                }
            }
        }
        Some(Chain {
            names,
            functions,
            bond: self.bonds.get(&first).map(|reason| self.bond(*reason)),
            is_overridden: self.overridden.contains_key(&first),
            is_conditional: self.conditional.contains(&first),
            is_beside_writer: is_beside_writer && !changes_files,
            callers: self.crowded.get(&first).copied().unwrap_or_default(),
            needs: self.needs_of(first),
            writes: self
                .writers
                .get(&first)
                .and_then(|id| self.function(*id)?.writes.clone()),
        })
    }

    /// The last function of this name in the file at `place`.
    pub(super) fn function_at(&self, place: &Place, name: &str) -> Option<Id> {
        let components: Vec<&str> = place.components().iter().map(String::as_str).collect();
        let named = self.files_named(&components);
        named.iter().rev().find_map(|number| {
            let calls = self.file(*number)?;
            if !is_at(calls, &components) {
                return None;
            }
            let mut functions = calls.functions.iter();
            let index = functions.rposition(|function| *function.name == *name)?;
            Some(self.id(*number, index))
        })
    }

    fn bond(&self, reason: Reason) -> Bond {
        let text = |id: Id, of: fn(&Function) -> Option<&str>| {
            let text = self.function(id).and_then(of);
            text.unwrap_or_default().to_owned()
        };
        match reason {
            Reason::Tied(id) => Bond::Tied(text(id, |function| function.tied.as_deref())),
            Reason::Shared(id) => Bond::Shared(text(id, |function| function.shared.as_deref())),
            Reason::Borrowed(id, at) => {
                let borrowed = self.function(id).map(|function| &function.borrowed);
                let borrowed = borrowed.and_then(|borrowed| borrowed.get(at as usize));
                let what = borrowed
                    .zip(self.place_of(id))
                    .and_then(|(borrowed, (_, file))| {
                        let what = self.bound(file, &borrowed.path, LINKED)?;
                        Some(bound::reason(&borrowed.written, what))
                    });
                Bond::Tied(what.unwrap_or_default())
            }
            Reason::Unknown(id, call) => {
                let calls = self.function(id).map(|function| &function.calls);
                let call = calls.and_then(|calls| calls.get(call as usize));
                let written = call.map_or("", |call| call.written.as_str());
                Bond::Shared(unknown_method(written))
            }
            Reason::GoneThrough(id, at) => {
                let gone = self.function(id).map(|function| &function.gone_through);
                let gone = gone.and_then(|gone| gone.get(at as usize));
                let written = gone.map_or("", |gone| gone.written.as_str());
                Bond::Shared(changing_meanwhile(written))
            }
            Reason::Needs(id, at) => {
                let need = self.need((id, at));
                need.map_or_else(|| Bond::Shared(unknown_method("")), unknown_argument)
            }
        }
    }

    /// The other plain methods that have to become coroutine functions together with the one of this
    /// name in the file at `place`: those that override it, and those it overrides. `Err` with the
    /// reason where one of them is not known.
    pub fn family(&self, place: &Place, name: &str) -> Result<Vec<Member>, String> {
        let Some((class, method)) = name.rsplit_once('.') else {
            return Ok(Vec::new());
        };
        let Some(first) = self.function_at(place, name) else {
            return Err(format!(
                "a base class of `{name}`'s class is unknown, and may require a sync method"
            ));
        };
        let mut family = vec![first];
        let mut at = 0;
        while let Some(id) = family.get(at).copied() {
            at += 1;
            let mut related = self.overridden.get(&id).cloned().unwrap_or_default();
            let (file, class) = self.class_of_method(id).ok_or_else(|| {
                format!("a base class of `{class}` is unknown, and may require a sync method")
            })?;
            related.extend(self.overrides((file, class), method, BASES)?.map(Some));
            for member in related {
                let member =
                    member.ok_or_else(|| format!("in a subclass `{name}` is not a method"))?;
                if !family.contains(&member) {
                    family.push(member);
                }
            }
        }
        let others = family.iter().filter(|other| **other != first);
        let members = others.filter_map(|other| {
            let (file, _) = self.place_of(*other)?;
            let function = self.function(*other)?;
            (!function.is_async).then(|| Member {
                components: file.place.components().to_vec(),
                name: function.name.to_string(),
            })
        });
        Ok(members.collect())
    }

    /// The nearest method of this name in the bases of a class. `Err` where a base is not known.
    fn overrides(
        &self,
        class: ClassId,
        method: &str,
        depth: Limit,
    ) -> Result<impl Iterator<Item = Id> + use<>, String> {
        let mut found = Vec::new();
        let mut pending = vec![(class, depth)];
        while let Some((class, depth)) = pending.pop() {
            for base in self.bases_of(class) {
                let Some(base) = *base else {
                    return Err(format!(
                        "a base class of `{method}`'s class is unknown, and may require a sync method"
                    ));
                };
                match self.class(base).and_then(|class| class.member(method)) {
                    Some(ClassMember::Method(method)) => {
                        found.push(self.id(base.0, method as usize));
                    }
                    Some(ClassMember::Other) => {
                        return Err(format!("no base class has a method `{method}`"));
                    }
                    None if let Some(depth) = depth.less() => pending.push((base, depth)),
                    None => {
                        return Err(format!(
                            "a base class of `{method}`'s class is unknown, and may require a sync method"
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
            let mut methods = class.members.iter().map(|(_, member)| *member);
            methods.any(|member| self.method_id(file, member) == Some(id))
        })?;
        Some((file, u32::try_from(index).ok()?))
    }

    /// The file that a function stands in, and its number.
    pub(super) fn place_of(&self, id: Id) -> Option<(&Calls, u32)> {
        let file = self.first.partition_point(|first| *first <= id) - 1;
        Some((self.files.get(file)?, u32::try_from(file).ok()?))
    }

    fn follow_blocked(&mut self, mut pending: VecDeque<(Id, Next, usize)>, callers: &Callers) {
        for allowed in 0..=CONDITIONS.count() {
            let mut left = VecDeque::new();
            while let Some((id, next, conditions)) = pending.pop_front() {
                if conditions > allowed {
                    left.push_back((id, next, conditions));
                    continue;
                }
                let is_plain = self.function(id).is_some_and(|function| function.is_plain);
                if !is_plain || self.next.contains_key(&id) {
                    continue;
                }
                self.next.insert(id, next);
                if conditions > 0 {
                    self.conditional.insert(id);
                }
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

    pub(super) fn id(&self, file: u32, index: usize) -> Id {
        let first = self.first.get(file as usize).copied().unwrap_or_default();
        first + u32::try_from(index).unwrap_or_default()
    }

    pub(crate) fn method_id(&self, file: u32, member: ClassMember) -> Option<Id> {
        match member {
            ClassMember::Method(index) => Some(self.id(file, index as usize)),
            ClassMember::Other => None,
        }
    }

    pub(super) fn file(&self, number: u32) -> Option<&Calls> {
        self.files.get(number as usize).map(|file| &**file)
    }

    pub(super) fn function(&self, id: Id) -> Option<&Function> {
        let (calls, file) = self.place_of(id)?;
        let index = id - self.first.get(file as usize)?;
        calls.functions.get(index as usize)
    }

    /// What the bases of the classes of one file are.
    fn bases_in(&self, number: u32) -> Vec<Box<[Option<ClassId>]>> {
        let classes = self.file(number).map(|file| file.classes.iter());
        let base = |base: &Target| match self.target(number, base, LINKED) {
            Some(Found::Class(class)) => Some(class),
            _ => None,
        };
        classes
            .into_iter()
            .flatten()
            .map(|class| class.bases.iter().map(base).collect())
            .collect()
    }

    /// What the bases of a class are, `None` for one that is not known.
    pub(super) fn bases_of(&self, (file, index): ClassId) -> &[Option<ClassId>] {
        let classes = self.bases.get(file as usize);
        let bases = classes.and_then(|classes| classes.get(index as usize));
        bases.map_or(&[], |bases| &**bases)
    }

    pub(super) fn class(&self, (file, index): ClassId) -> Option<&Class> {
        self.file(file)?.classes.get(index as usize)
    }

    /// The methods that classes of one file have in another form than a base, each with theirs.
    fn overridden_by(&self, number: u32) -> Vec<(Id, Option<Id>)> {
        let mut overridden = Vec::new();
        let classes = self.file(number).map(|file| file.classes.iter().zip(0..));
        for (class, index) in classes.into_iter().flatten() {
            let mut pending: Vec<(ClassId, Limit)> = Vec::new();
            let bases = |of: ClassId, depth: Limit| {
                let known = self.bases_of(of).iter().flatten();
                known.map(move |base| (*base, depth))
            };
            pending.extend(bases((number, index), BASES));
            while let Some((of, depth)) = pending.pop() {
                let Some(base) = self.class(of) else {
                    continue;
                };
                let (few, many) = if class.members.len() < base.members.len() {
                    (&class.members, &base.members)
                } else {
                    (&base.members, &class.members)
                };
                for (name, _) in few.iter().filter(|(name, _)| find(many, name).is_some()) {
                    let method = base
                        .member(name)
                        .and_then(|method| self.method_id(of.0, method));
                    if let Some(method) = method {
                        let own = class
                            .member(name)
                            .and_then(|own| self.method_id(number, own));
                        overridden.push((method, own));
                    }
                }
                if let Some(depth) = depth.less() {
                    pending.extend(bases(of, depth));
                }
            }
        }
        overridden
    }
}

/// The last component of a dotted name.
pub(super) fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or_default()
}

/// Adds to `known` what is `pending` about functions, and about those that call them.
fn follow_up<T: Copy>(
    known: &mut FxHashMap<Id, T>,
    mut pending: VecDeque<(Id, T)>,
    callers: &Callers,
) {
    while let Some((id, what)) = pending.pop_front() {
        if known.contains_key(&id) {
            continue;
        }
        for (caller, _) in callers.get(&id).into_iter().flatten() {
            pending.push_back((*caller, what));
        }
        known.insert(id, what);
    }
}
