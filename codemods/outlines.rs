//! The outlines of all files of a project, linked: what a [`Symbol`] gives.
//!
//! The cheap answers before the type engine is asked: which names may give something that can be
//! awaited at all, and which calls plainly give nothing of the kind, or nothing that the type
//! engine knows. Classes and modules go by the ends of their names, and where several share one,
//! all must agree. An answer from here only ever keeps a closer look away; what is found is
//! decided by types.

use std::cell::Cell;
use std::sync::LazyLock;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::outline::{Outline, context_key, instance_key, iteration_key};
use crate::project::is_stdlib_coroutine_function;
use crate::scopes::ClassParts;
use crate::symbol::{Base, ClassName, Dotted, Function, Key, Package, Symbol, name_key};

/// How many steps are taken to find what one symbol gives; what needs more is open.
const STEPS: usize = 400;

/// How deep one symbol may lead to another.
const DEPTH: usize = 40;

/// How many base classes up a member is looked for.
const BASES: usize = 12;

/// What a value is. Several stand for one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Gives {
    /// An instance of a class of the project, or of one of its subclasses.
    Instance(ClassName),
    /// The object whose method runs.
    Own(ClassName),
    /// The class itself.
    Type(ClassName),
    /// A module of the project.
    Module(Key),
    /// A builtin value, or an instance of a class of the standard library, which has no coroutine
    /// functions but those of the same names.
    Plain,
    /// A function whose calls give such values.
    PlainFunction,
    /// No coroutine, but what is reached from it may be one.
    NoCoroutine,
    /// A builtin container of these: its methods are plain.
    Container(Vec<Gives>),
    /// What a type variable stands for, with its default.
    Variable(Vec<Gives>),
    /// An object of `asyncio`: a task, a loop, a lock.
    Asyncio,
    /// Not known to the type engine either, like everything that is reached from it.
    Unknown,
    /// The same, but it may be a coroutine that a function without annotation returns.
    Returned,
    /// Anything.
    Open,
}

/// What stands behind a callee.
enum Callee<'o> {
    Function(&'o Function),
    /// Calling it gives this.
    Giving(Gives),
}

/// What a class has under a name.
enum Member<'o> {
    Method(&'o Function),
    /// With the bases through which it is inherited, from where it stands upwards.
    Attribute(&'o Symbol, Vec<&'o Base>),
    /// What the member is, where no class of the project defines it.
    Value(Gives),
}

/// The outlines of all files of a project, linked.
#[derive(Debug, Default)]
pub struct Outlines {
    classes: FxHashMap<Key, Vec<ClassParts>>,
    /// By the last name of a base: the last names of the classes.
    subclasses: FxHashMap<Key, Vec<Key>>,
    /// By module and name.
    functions: FxHashMap<(Key, Key), Vec<Function>>,
    variables: FxHashMap<(Key, Key), Vec<Symbol>>,
    aliases: FxHashMap<(Key, Key), Vec<Symbol>>,
    /// By the last component of their names.
    modules: FxHashMap<Key, Vec<Key>>,
    known_modules: FxHashSet<Key>,
    /// The names of functions that change nothing when used as decorators, and of those that may.
    identities: FxHashMap<Key, bool>,
    /// Packages that the type engine does not find.
    unresolved: FxHashSet<Key>,
    /// Packages whose files are those of the project.
    own: FxHashSet<Key>,
    awaitable: FxHashSet<Key>,
    stands_for: Vec<(Key, Key)>,
    made_by: Vec<(Key, Key)>,
}

/// How many steps from an asynchronous iterator, or context manager, its other names are followed.
const STEPS_TO_PROTOCOLS: usize = 2;

impl Outlines {
    /// Adds the outline of a file.
    pub fn add(&mut self, outline: Outline) {
        let module = outline.module;
        if self.known_modules.insert(module) {
            self.modules.entry(outline.last).or_default().push(module);
        }
        for class in outline.classes {
            for base in &class.bases {
                if let Some(base) = class_in(&base.class) {
                    self.subclasses
                        .entry(base)
                        .or_default()
                        .push(class.name.name);
                }
            }
            self.classes.entry(class.name.name).or_default().push(class);
        }
        for function in outline.functions {
            *self.identities.entry(function.name).or_insert(true) &= function.is_identity;
            self.functions
                .entry((module, function.name))
                .or_default()
                .push(function);
        }
        for (name, symbol) in outline.variables {
            self.variables
                .entry((module, name))
                .or_default()
                .push(symbol);
        }
        for (name, symbol) in outline.aliases {
            self.aliases.entry((module, name)).or_default().push(symbol);
        }
        self.awaitable.extend(outline.awaitable);
        self.stands_for.extend(outline.stands_for);
        self.made_by.extend(outline.made_by);
    }

    /// Adds names of functions and properties that give something awaitable.
    pub fn add_awaitable(&mut self, names: impl IntoIterator<Item = Key>) {
        self.awaitable.extend(names);
    }

    /// Takes note of a package that the type engine does not find.
    pub fn add_unresolved(&mut self, package: &str) {
        self.unresolved.insert(name_key(package));
    }

    /// Takes note of a package whose files are those of the project.
    pub fn add_own(&mut self, package: &str) {
        self.own.insert(name_key(package));
    }

    /// Follows names to what they stand for. `stdlib` are the coroutine functions that are always
    /// in sight.
    pub fn link(&mut self, stdlib: &FxHashSet<Key>) {
        self.awaitable.extend(stdlib);
        // Few names are of interest, and few steps lead to them: going over all pairs until nothing
        // is new is cheaper than an index of them.
        loop {
            let mut found = Vec::new();
            for (name, other) in &self.stands_for {
                for facet in [|key| key, instance_key] {
                    if self.awaitable.contains(&facet(*other)) {
                        found.push(facet(*name));
                    }
                }
            }
            for (name, other) in &self.made_by {
                if self.awaitable.contains(&instance_key(*other)) {
                    found.extend([*name, instance_key(*name)]);
                }
            }
            let known = self.awaitable.len();
            self.awaitable.extend(found);
            if self.awaitable.len() == known {
                break;
            }
        }
        // What is iterated over or entered is seldom far from where it is made, and every step brings
        // in names that are used for many other things.
        for _ in 0..STEPS_TO_PROTOCOLS {
            let mut found = Vec::new();
            for (name, other) in self.stands_for.iter().chain(&self.made_by) {
                for facet in [iteration_key, context_key] {
                    if self.awaitable.contains(&facet(*other)) {
                        found.push(facet(*name));
                    }
                }
            }
            self.awaitable.extend(found);
        }
        self.stands_for = Vec::new();
        self.made_by = Vec::new();
    }

    /// Adds the names of an outline, and nothing of its classes and functions.
    pub fn add_names(&mut self, outline: Outline) {
        self.awaitable.extend(outline.awaitable);
        self.stands_for.extend(outline.stands_for);
        self.made_by.extend(outline.made_by);
    }

    /// Whether something with this name may give something awaitable.
    pub fn may_be_awaitable(&self, name: Key) -> bool {
        self.awaitable.contains(&name)
    }

    /// Whether the value of an expression is plainly no coroutine, or nothing that the type engine
    /// knows to be one.
    pub fn is_plain(&self, symbol: &Symbol) -> bool {
        let reading = Reading {
            outlines: self,
            left: Cell::new(STEPS),
        };
        let values = reading.values(symbol, DEPTH);
        !values.is_empty() && values.iter().all(|gives| self.is_no_coroutine(gives))
    }

    /// Whether the value of an expression is plainly a builtin one, or nothing that the type engine
    /// knows: it can be neither iterated nor entered asynchronously.
    pub fn has_no_protocols(&self, symbol: &Symbol) -> bool {
        let reading = Reading {
            outlines: self,
            left: Cell::new(STEPS),
        };
        let values = reading.values(symbol, DEPTH);
        !values.is_empty()
            && values.iter().all(|gives| {
                matches!(
                    gives,
                    Gives::Plain
                        | Gives::PlainFunction
                        | Gives::Container(_)
                        | Gives::Module(_)
                        | Gives::Type(_)
                        | Gives::Unknown
                )
            })
    }

    fn is_no_coroutine(&self, gives: &Gives) -> bool {
        match gives {
            Gives::Instance(class) | Gives::Own(class) => {
                self.is_plain_class(*class, &mut FxHashSet::default())
            }
            Gives::Open | Gives::Returned | Gives::Variable(_) => false,
            _ => true,
        }
    }

    fn is_plain_class(&self, class: ClassName, seen: &mut FxHashSet<Key>) -> bool {
        if !seen.insert(class.name) {
            return true;
        }
        let mut any = false;
        self.classes_of(class).all(|class| {
            any = true;
            !class.is_open
                && class
                    .bases
                    .iter()
                    .all(|base| match self.class_meant(&base.class) {
                        Gives::Type(base) => self.is_plain_class(base, seen),
                        base => matches!(base, Gives::Plain | Gives::Unknown),
                    })
        }) && any
    }

    /// The classes that a name may mean: those of its module, if there are any, else all.
    fn classes_of(&self, class: ClassName) -> impl Iterator<Item = &ClassParts> {
        let classes = self.classes.get(&class.name).map_or(&[][..], Vec::as_slice);
        let in_module = classes
            .iter()
            .any(|other| other.name.module == class.module);
        classes
            .iter()
            .filter(move |other| !in_module || other.name.module == class.module)
    }

    /// What a symbol means as a class: a type, or what an instance of it is.
    fn class_meant(&self, symbol: &Symbol) -> Gives {
        match symbol {
            Symbol::Class(class) => Gives::Type(*class),
            Symbol::Import(path) => match path.package {
                Package::Plain => Gives::Plain,
                Package::Generic | Package::Asyncio => Gives::Open,
                Package::Other if self.unresolved.contains(&path.root) => Gives::Unknown,
                Package::Other if !self.own.contains(&path.root) => Gives::Open,
                Package::Own | Package::Other => {
                    let class = ClassName {
                        name: path.name,
                        module: path.within.as_ref().map_or(0, |within| within.as_module),
                    };
                    if self.classes.contains_key(&class.name) {
                        Gives::Type(class)
                    } else {
                        Gives::Open
                    }
                }
            },
            Symbol::Unknown | Symbol::Call(_) | Symbol::Attribute(..) => {
                // `class Platform(library.make())`
                if self.is_unresolved(symbol) {
                    Gives::Unknown
                } else {
                    Gives::Open
                }
            }
            _ => Gives::Open,
        }
    }

    /// Whether a symbol takes all it is made of from a package that the type engine does not find.
    fn is_unresolved(&self, symbol: &Symbol) -> bool {
        match symbol {
            Symbol::Unknown => true,
            Symbol::Import(path) => {
                path.package == Package::Other && self.unresolved.contains(&path.root)
            }
            Symbol::Call(base) | Symbol::Attribute(base, _) => self.is_unresolved(base),
            _ => false,
        }
    }

    /// Whether a class that may be a subclass of `class` has a plain method of this name: classes
    /// are told apart by their last names alone, so that none is missed.
    pub fn is_overridden_plainly(&self, class: &str, method: &str) -> bool {
        let method = name_key(method);
        self.any_subclass(name_key(class), &mut |class| {
            class
                .methods
                .iter()
                .any(|other| other.name == method && !other.is_async)
        })
    }

    fn any_subclass(&self, class: Key, has: &mut dyn FnMut(&ClassParts) -> bool) -> bool {
        let mut pending = vec![class];
        let mut seen = FxHashSet::default();
        while let Some(class) = pending.pop() {
            for subclass in self.subclasses.get(&class).into_iter().flatten() {
                if !seen.insert(*subclass) {
                    continue;
                }
                if self
                    .classes
                    .get(subclass)
                    .into_iter()
                    .flatten()
                    .any(&mut *has)
                {
                    return true;
                }
                pending.push(*subclass);
            }
        }
        false
    }

    fn is_enum(&self, class: ClassName) -> bool {
        self.classes_of(class).any(|class| {
            class.is_enum
                || class.bases.iter().any(|base| {
                    !matches!(self.class_meant(&base.class), Gives::Plain | Gives::Unknown)
                })
        })
    }

    /// The modules that a path may mean.
    fn modules_at(&self, path: &Dotted) -> &[Key] {
        if let Some(module) = self.known_modules.get(&path.as_module) {
            return std::slice::from_ref(module);
        }
        match path.within {
            None if path.package == Package::Other => {
                self.modules.get(&path.name).map_or(&[], Vec::as_slice)
            }
            _ => &[],
        }
    }
}

/// The last name of the class that a symbol names.
fn class_in(symbol: &Symbol) -> Option<Key> {
    match symbol {
        Symbol::Class(class) => Some(class.name),
        Symbol::Import(path) => Some(path.name),
        Symbol::Attribute(_, name) => Some(*name),
        _ => None,
    }
}

/// One reading of a symbol.
struct Reading<'o> {
    outlines: &'o Outlines,
    left: Cell<usize>,
}

impl<'o> Reading<'o> {
    /// Counts a step. `None` where there were too many.
    fn step(&self, depth: usize) -> Option<usize> {
        self.left.set(self.left.get().checked_sub(1)?);
        depth.checked_sub(1)
    }

    /// What the value of a symbol may be. Never empty, but for symbols that lead back to
    /// themselves.
    fn values(&self, symbol: &Symbol, depth: usize) -> Vec<Gives> {
        let Some(depth) = self.step(depth) else {
            return vec![Gives::Open];
        };
        match symbol {
            Symbol::Open | Symbol::Function(_) => vec![Gives::Open],
            Symbol::Unknown => vec![Gives::Unknown],
            Symbol::Plain => vec![Gives::Plain],
            Symbol::Class(class) => vec![Gives::Type(*class)],
            Symbol::Own(class) => vec![Gives::Own(*class)],
            Symbol::Import(path) => self.imported(path, depth),
            Symbol::Instance(class) => self.instance(class, depth),
            Symbol::Variable(default) => vec![Gives::Variable(self.values(default, depth))],
            Symbol::Callable(result) => {
                let plain = self
                    .values(result, depth)
                    .iter()
                    .all(|gives| self.outlines.is_no_coroutine(gives));
                vec![if plain {
                    Gives::PlainFunction
                } else {
                    Gives::Open
                }]
            }
            Symbol::Container(of) => vec![Gives::Container(self.values(of, depth))],
            Symbol::Attribute(base, name) => distinct(
                self.values(base, depth)
                    .iter()
                    .flat_map(|base| self.member(base, *name, depth)),
            ),
            Symbol::Call(callee) => distinct(
                self.callees(callee, depth)
                    .into_iter()
                    .flat_map(|callee| self.called(callee, depth)),
            ),
            Symbol::Part(whole) => {
                distinct(self.values(whole, depth).into_iter().flat_map(part_of))
            }
            Symbol::Entered(of) => distinct(
                self.values(of, depth)
                    .into_iter()
                    .map(|gives| unknown_only(&gives)),
            ),
            Symbol::Await(of) => match &**of {
                Symbol::Call(callee) => distinct(
                    self.callees(callee, depth)
                        .into_iter()
                        .flat_map(|callee| self.awaited(callee, depth)),
                ),
                other => distinct(
                    self.values(other, depth)
                        .into_iter()
                        .map(|gives| unknown_only(&gives)),
                ),
            },
            Symbol::AnyOf(symbols) => {
                distinct(symbols.iter().flat_map(|symbol| self.values(symbol, depth)))
            }
        }
    }

    /// What stands behind a callee.
    fn callees<'s>(&self, symbol: &'s Symbol, depth: usize) -> Vec<Callee<'s>>
    where
        'o: 's,
    {
        let Some(depth) = self.step(depth) else {
            return vec![Callee::Giving(Gives::Open)];
        };
        match symbol {
            Symbol::Function(function) => vec![Callee::Function(function)],
            Symbol::Import(path) => self.imported_callees(path, depth),
            Symbol::Attribute(base, name) => self
                .values(base, depth)
                .iter()
                .flat_map(|base| self.member_callees(base, *name, depth))
                .collect(),
            Symbol::AnyOf(symbols) => symbols
                .iter()
                .flat_map(|symbol| self.callees(symbol, depth))
                .collect(),
            _ => self
                .values(symbol, depth)
                .iter()
                .flat_map(|value| self.value_callees(value, depth))
                .collect(),
        }
    }

    fn value_callees(&self, value: &Gives, depth: usize) -> Vec<Callee<'o>> {
        match value {
            Gives::Type(class) => vec![Callee::Giving(Gives::Instance(*class))],
            Gives::Instance(_) | Gives::Own(_) => {
                self.member_callees(value, name_key("__call__"), depth)
            }
            Gives::PlainFunction => vec![Callee::Giving(Gives::NoCoroutine)],
            Gives::Unknown | Gives::Returned => vec![Callee::Giving(Gives::Unknown)],
            _ => vec![Callee::Giving(Gives::Open)],
        }
    }

    fn called(&self, callee: Callee<'_>, depth: usize) -> Vec<Gives> {
        let function = match callee {
            Callee::Giving(gives) => return vec![gives],
            Callee::Function(function) => function,
        };
        if let Some(changed) = self.decorated(function) {
            return vec![changed];
        }
        if function.is_async {
            vec![Gives::Open]
        } else if function.is_unannotated {
            let outlines = self.outlines;
            let open = function
                .returned
                .iter()
                .any(|call| *call == 0 || outlines.awaitable.contains(call));
            vec![if open {
                Gives::Returned
            } else {
                Gives::Unknown
            }]
        } else {
            self.values(&function.gives, depth)
        }
    }

    fn awaited(&self, callee: Callee<'_>, depth: usize) -> Vec<Gives> {
        match callee {
            Callee::Giving(gives) => vec![unknown_only(&gives)],
            Callee::Function(function) => match self.decorated(function) {
                Some(changed) => vec![unknown_only(&changed)],
                None if function.is_async => self.values(&function.gives, depth),
                None if function.is_unannotated => vec![Gives::Unknown],
                None => vec![Gives::Open],
            },
        }
    }

    /// What decorators make of a function that changes what its calls give.
    fn decorated(&self, function: &Function) -> Option<Gives> {
        function.decorators.iter().rev().find_map(|(name, symbol)| {
            if self.outlines.identities.get(name) == Some(&true) {
                None
            } else if self.outlines.is_unresolved(symbol) {
                Some(Gives::Unknown)
            } else {
                Some(Gives::Open)
            }
        })
    }

    /// The definitions that an import may mean: module, and name in it.
    fn definitions(&self, path: &Dotted) -> impl Iterator<Item = (Key, Key)> {
        let name = path.name;
        path.within
            .iter()
            .flat_map(|within| self.outlines.modules_at(within))
            .map(move |module| (*module, name))
    }

    /// What is known of everything in the package that a path starts from.
    fn of_package(&self, path: &Dotted) -> Option<Gives> {
        match path.package {
            Package::Own => None,
            Package::Plain => Some(Gives::Plain),
            Package::Other if self.outlines.unresolved.contains(&path.root) => Some(Gives::Unknown),
            Package::Other if self.outlines.own.contains(&path.root) => None,
            Package::Asyncio if ASYNCIO_OBJECTS.contains(&path.name) => Some(Gives::Asyncio),
            Package::Asyncio | Package::Generic | Package::Other => Some(Gives::Open),
        }
    }

    /// What the value that an import binds may be.
    fn imported(&self, path: &Dotted, depth: usize) -> Vec<Gives> {
        if let Some(known) = self.of_package(path) {
            return vec![known];
        }
        let modules = self.outlines.modules_at(path);
        let mut found: Vec<Gives> = modules
            .iter()
            .map(|module| Gives::Module(*module))
            .collect();
        for (module, name) in self.definitions(path) {
            found.extend(self.defined(module, name, depth));
        }
        match &path.within {
            Some(within) if found.is_empty() => self.of_object(within, depth, |value, depth| {
                self.member(value, path.name, depth)
            }),
            _ => distinct(found),
        }
    }

    /// What is asked of the values that a path leads to, where that is no module.
    fn of_object<T: From<Gives>>(
        &self,
        path: &Dotted,
        depth: usize,
        ask: impl Fn(&Gives, usize) -> Vec<T>,
    ) -> Vec<T> {
        let Some(depth) = self.step(depth) else {
            return vec![Gives::Open.into()];
        };
        if !self.outlines.modules_at(path).is_empty() {
            return vec![Gives::Open.into()];
        }
        let values = self.imported(path, depth);
        values.iter().flat_map(|value| ask(value, depth)).collect()
    }

    /// The values that a module has under a name.
    fn defined(&self, module: Key, name: Key, depth: usize) -> Vec<Gives> {
        let mut found = Vec::new();
        if self.outlines.functions.contains_key(&(module, name)) {
            found.push(Gives::Open);
        }
        found.extend(self.class_in(module, name));
        for symbol in self
            .outlines
            .variables
            .get(&(module, name))
            .into_iter()
            .flatten()
        {
            found.extend(self.values(symbol, depth));
        }
        found
    }

    fn class_in(&self, module: Key, name: Key) -> Option<Gives> {
        let classes = self.outlines.classes.get(&name)?;
        classes
            .iter()
            .any(|class| class.name.module == module)
            .then_some(Gives::Type(ClassName { name, module }))
    }

    fn imported_callees(&self, path: &Dotted, depth: usize) -> Vec<Callee<'o>> {
        if let Some(known) = self.of_package(path) {
            return vec![Callee::Giving(known)];
        }
        let mut found = Vec::new();
        for (module, name) in self.definitions(path) {
            found.extend(self.defined_callees(module, name, depth));
        }
        match &path.within {
            Some(within) if found.is_empty() => self.of_object(within, depth, |value, depth| {
                self.member_callees(value, path.name, depth)
            }),
            _ if found.is_empty() => vec![Callee::Giving(Gives::Open)],
            _ => found,
        }
    }

    /// What stands behind a call of a name of a module.
    fn defined_callees(&self, module: Key, name: Key, depth: usize) -> Vec<Callee<'o>> {
        let functions = self.outlines.functions.get(&(module, name));
        let mut found: Vec<Callee<'o>> = functions
            .into_iter()
            .flatten()
            .map(Callee::Function)
            .collect();
        if let Some(Gives::Type(class)) = self.class_in(module, name) {
            found.push(Callee::Giving(Gives::Instance(class)));
        }
        for symbol in self
            .outlines
            .variables
            .get(&(module, name))
            .into_iter()
            .flatten()
        {
            found.extend(self.callees(symbol, depth));
        }
        found
    }

    /// What an annotation that names this describes.
    fn instance(&self, class: &Symbol, depth: usize) -> Vec<Gives> {
        let Some(depth) = self.step(depth) else {
            return vec![Gives::Open];
        };
        let Symbol::Import(path) = class else {
            return self
                .values(class, depth)
                .into_iter()
                .map(|value| match value {
                    Gives::Type(class) => Gives::Instance(class),
                    Gives::Unknown => Gives::Unknown,
                    _ => Gives::Open,
                })
                .collect();
        };
        if let Some(known) = self.of_package(path) {
            return vec![known];
        }
        let mut found = Vec::new();
        for (module, name) in self.definitions(path) {
            if let Some(Gives::Type(class)) = self.class_in(module, name) {
                found.push(Gives::Instance(class));
            }
            let aliases = self.outlines.aliases.get(&(module, name));
            for alias in aliases.into_iter().flatten() {
                found.extend(self.values(alias, depth));
            }
            let variables = self.outlines.variables.get(&(module, name));
            for variable in variables.into_iter().flatten() {
                if matches!(variable, Symbol::Import(_)) {
                    found.extend(self.instance(variable, depth));
                } else if aliases.is_none() {
                    found.push(Gives::Open);
                }
            }
        }
        if found.is_empty() {
            found.push(match self.outlines.class_meant(class) {
                Gives::Type(class) => Gives::Instance(class),
                _ => Gives::Open,
            });
        }
        distinct(found)
    }

    /// What the attribute `name` of a value may be.
    fn member(&self, base: &Gives, name: Key, depth: usize) -> Vec<Gives> {
        match base {
            Gives::Module(module) => or_open(self.defined(*module, name, depth)),
            Gives::Instance(class) | Gives::Own(class) | Gives::Type(class) => {
                let is_type = matches!(base, Gives::Type(_));
                let members = if is_type {
                    self.members_of_type(*class, name)
                } else {
                    self.members(*class, name, BASES)
                };
                members
                    .into_iter()
                    .flat_map(|member| match member {
                        Member::Method(method) if method.is_property && !is_type => {
                            self.called(Callee::Function(method), depth)
                        }
                        Member::Method(_) => vec![Gives::Open],
                        Member::Attribute(symbol, bases) => {
                            let mut values = self.values(symbol, depth);
                            for base in bases {
                                values = self.specialized(values, base, depth);
                            }
                            if is_type && self.outlines.is_enum(*class) {
                                values.push(Gives::Instance(*class));
                            }
                            values
                        }
                        Member::Value(gives) => vec![gives],
                    })
                    .collect()
            }
            Gives::Unknown | Gives::Returned => vec![Gives::Unknown],
            _ => vec![Gives::Open],
        }
    }

    /// What stands behind a call of the attribute `name` of a value.
    fn member_callees(&self, base: &Gives, name: Key, depth: usize) -> Vec<Callee<'o>> {
        match base {
            Gives::Module(module) => {
                let found = self.defined_callees(*module, name, depth);
                if found.is_empty() {
                    vec![Callee::Giving(Gives::Open)]
                } else {
                    found
                }
            }
            Gives::Instance(class) | Gives::Own(class) | Gives::Type(class) => {
                // The value may be of a subclass, and the code around may have made sure of that.
                if matches!(base, Gives::Instance(_))
                    && self.is_overridden_otherwise(class.name, name, depth)
                {
                    return vec![Callee::Giving(Gives::Open)];
                }
                let members = if matches!(base, Gives::Type(_)) {
                    self.members_of_type(*class, name)
                } else {
                    self.members(*class, name, BASES)
                };
                members
                    .into_iter()
                    .flat_map(|member| match member {
                        Member::Method(method) if method.is_property => self
                            .called(Callee::Function(method), depth)
                            .iter()
                            .flat_map(|value| self.value_callees(value, depth))
                            .collect(),
                        Member::Method(method) => vec![Callee::Function(method)],
                        Member::Attribute(symbol, _) => self.callees(symbol, depth),
                        Member::Value(gives) => vec![Callee::Giving(gives)],
                    })
                    .collect()
            }
            Gives::Plain => vec![Callee::Giving(Gives::Plain)],
            Gives::Asyncio if ASYNCIO_OBJECTS.contains(&name) => {
                vec![Callee::Giving(Gives::Asyncio)]
            }
            Gives::Asyncio if is_stdlib_coroutine_function(name) => {
                vec![Callee::Giving(Gives::Open)]
            }
            // Its result may be anything, but hardly a coroutine.
            Gives::Asyncio if name != name_key("get_nowait") => {
                vec![Callee::Giving(Gives::NoCoroutine)]
            }
            Gives::Container(elements) => container_method(elements, name)
                .into_iter()
                .map(Callee::Giving)
                .collect(),
            Gives::Unknown | Gives::Returned => vec![Callee::Giving(Gives::Unknown)],
            _ => vec![Callee::Giving(Gives::Open)],
        }
    }

    fn is_overridden_otherwise(&self, class: Key, name: Key, depth: usize) -> bool {
        self.outlines.any_subclass(class, &mut |class| {
            class.methods.iter().any(|method| {
                method.name == name
                    && !self
                        .called(Callee::Function(method), depth)
                        .iter()
                        .all(|gives| self.outlines.is_no_coroutine(gives))
            })
        })
    }

    /// What a class itself has under a name: what it lacks, its metaclass may have.
    fn members_of_type(&self, class: ClassName, name: Key) -> Vec<Member<'o>> {
        self.members(class, name, BASES)
            .into_iter()
            .map(|member| match member {
                Member::Value(_) => Member::Value(Gives::Open),
                member => member,
            })
            .collect()
    }

    /// What the classes of a name have under another. Never empty.
    fn members(&self, class: ClassName, name: Key, left: usize) -> Vec<Member<'o>> {
        let mut found = Vec::new();
        for class in self.outlines.classes_of(class) {
            found.extend(self.members_of(class, name, left));
        }
        if found.is_empty() {
            found.push(Member::Value(Gives::Open));
        }
        found
    }

    fn inherited(
        &self,
        base: &'o Base,
        class: ClassName,
        name: Key,
        left: usize,
    ) -> Vec<Member<'o>> {
        let mut members = self.members(class, name, left);
        for member in &mut members {
            if let Member::Attribute(_, bases) = member {
                bases.push(base);
            }
        }
        members
    }

    /// Puts what a base is specialized with in the place of type variables.
    fn specialized(&self, values: Vec<Gives>, base: &Base, depth: usize) -> Vec<Gives> {
        values
            .into_iter()
            .flat_map(|value| match (value, &base.argument) {
                (Gives::Variable(_), Some(argument)) => self.values(argument, depth),
                (Gives::Variable(default), None) => default,
                (Gives::Container(of), _) => {
                    vec![Gives::Container(self.specialized(of, base, depth))]
                }
                (value, _) => vec![value],
            })
            .collect()
    }

    fn members_of(&self, class: &'o ClassParts, name: Key, left: usize) -> Vec<Member<'o>> {
        let methods = || class.methods.iter().filter(|method| method.name == name);
        // Its setter goes by the same name.
        let has_property = methods().any(|method| method.is_property);
        let mut found: Vec<Member<'o>> = methods()
            .filter(|method| method.is_property || !has_property)
            .map(Member::Method)
            .collect();
        let attributes = class.attributes.iter().filter(|(key, _)| *key == name);
        found.extend(attributes.map(|(_, symbol)| Member::Attribute(symbol, Vec::new())));
        if !found.is_empty() {
            // A base may declare the type of what is assigned here.
            let inherited = class
                .bases
                .iter()
                .filter_map(|base| match self.outlines.class_meant(&base.class) {
                    Gives::Type(class) => {
                        Some(self.inherited(base, class, name, left.checked_sub(1)?))
                    }
                    _ => None,
                })
                .flatten()
                .filter(|member| matches!(member, Member::Attribute(..)));
            found.extend(inherited);
            return found;
        }
        let getattr = name_key("__getattr__");
        if class.is_open || class.methods.iter().any(|method| method.name == getattr) {
            return vec![Member::Value(Gives::Open)];
        }
        let Some(left) = left.checked_sub(1) else {
            return vec![Member::Value(Gives::Open)];
        };
        let mut nowhere = if class.has_bare_base {
            Gives::Plain
        } else {
            Gives::Unknown
        };
        for base in &class.bases {
            match self.outlines.class_meant(&base.class) {
                Gives::Type(class) => {
                    let inherited = self.inherited(base, class, name, left);
                    let missing = inherited.iter().all(|member| {
                        matches!(member, Member::Value(Gives::Unknown | Gives::Plain))
                    });
                    if !missing {
                        found.extend(inherited);
                        return found;
                    }
                    if inherited
                        .iter()
                        .any(|member| matches!(member, Member::Value(Gives::Plain)))
                    {
                        nowhere = Gives::Plain;
                    }
                }
                Gives::Unknown => found.push(Member::Value(Gives::Unknown)),
                Gives::Plain => nowhere = Gives::Plain,
                _ => return vec![Member::Value(Gives::Open)],
            }
        }
        if found.is_empty() {
            found.push(Member::Value(nowhere));
        }
        found
    }
}

impl From<Gives> for Callee<'_> {
    fn from(gives: Gives) -> Self {
        Self::Giving(gives)
    }
}

fn distinct(values: impl IntoIterator<Item = Gives>) -> Vec<Gives> {
    let mut found: Vec<Gives> = Vec::new();
    for value in values {
        if !found.contains(&value) {
            found.push(value);
        }
    }
    or_open(found)
}

fn or_open(mut values: Vec<Gives>) -> Vec<Gives> {
    if values.is_empty() {
        values.push(Gives::Open);
    }
    values
}

/// What is inside of a value.
fn part_of(whole: Gives) -> Vec<Gives> {
    match whole {
        Gives::Container(elements) => elements,
        other => vec![unknown_only(&other)],
    }
}

fn unknown_only(gives: &Gives) -> Gives {
    match gives {
        Gives::Unknown | Gives::Returned => Gives::Unknown,
        _ => Gives::Open,
    }
}

/// Functions, methods and classes that give an object of `asyncio`.
static ASYNCIO_OBJECTS: LazyLock<FxHashSet<Key>> = LazyLock::new(|| {
    [
        "create_task",
        "ensure_future",
        "create_future",
        "call_soon",
        "call_soon_threadsafe",
        "call_later",
        "call_at",
        "get_running_loop",
        "get_event_loop",
        "new_event_loop",
        "Task",
        "Future",
        "Event",
        "Lock",
        "Condition",
        "Semaphore",
        "BoundedSemaphore",
        "Queue",
        "PriorityQueue",
        "LifoQueue",
        "TimerHandle",
        "Handle",
        "AbstractEventLoop",
        "StreamWriter",
        "StreamReader",
        "Transport",
        "DatagramTransport",
    ]
    .map(name_key)
    .into_iter()
    .collect()
});

static ELEMENT_METHODS: LazyLock<FxHashSet<Key>> = LazyLock::new(|| {
    [
        "get",
        "pop",
        "popleft",
        "popitem",
        "setdefault",
        "__getitem__",
    ]
    .map(name_key)
    .into_iter()
    .collect()
});

static WHOLE_METHODS: LazyLock<FxHashSet<Key>> = LazyLock::new(|| {
    [
        "values",
        "copy",
        "union",
        "intersection",
        "difference",
        "symmetric_difference",
        "keys",
    ]
    .map(name_key)
    .into_iter()
    .collect()
});

/// What the method `name` of a builtin container gives.
fn container_method(elements: &[Gives], name: Key) -> Vec<Gives> {
    if ELEMENT_METHODS.contains(&name) {
        elements.to_vec()
    } else if WHOLE_METHODS.contains(&name) {
        vec![Gives::Container(elements.to_vec())]
    } else if name == name_key("items") {
        vec![Gives::Container(vec![Gives::Container(elements.to_vec())])]
    } else {
        vec![Gives::Plain]
    }
}
