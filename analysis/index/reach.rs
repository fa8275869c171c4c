//! Follows the traces of a project from an expression, until something is reached that would make
//! the answer interesting, or nothing is left.

use serde::{Deserialize, Serialize};
use std::sync::{Arc, LazyLock};

use asyncfix_knowledge::stdlib;
use ruff_python_ast::{self as ast, Expr};
use rustc_hash::{FxHashMap, FxHashSet};

use super::hierarchy::Classes;
use crate::facts::key::{Key, as_property, context_key, iteration_key, module_keys, name_key};
use crate::facts::value_flow::{Function, ImportPath, Member, Node, Origin, Step, Traces};
use crate::limits::{ATTRIBUTES, CALLED, Limit, SEARCH};

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Sought {
    /// That the expression itself stands for a coroutine function, whatever its name.
    Called,
    /// That it does, or that what is reached has a coroutine function with the name of this key as a
    /// method.
    Coroutine(Key),
    /// A function of the project that blocks with the name of this key, or a class that has it as a
    /// method.
    Blocking(Key),
    /// A function that blocks and that many call, told from its name alone.
    Helper,
    /// An object of a library that has a method with this key which blocks, opens
    /// something or runs a coroutine.
    Receiver(Key),
    /// A property with the name of this key that gives something awaitable.
    Property(Key),
    /// Something that can be iterated asynchronously.
    Iterable,
    /// Something that can be entered asynchronously.
    Manager,
}

impl Sought {
    /// That a call gives a coroutine.
    pub fn of_call(call: &ast::ExprCall) -> Self {
        match &*call.func {
            Expr::Attribute(method) => Self::Coroutine(name_key(&method.attr)),
            _ => Self::Called,
        }
    }
}

/// The traces of all files, linked.
#[derive(Debug, Default)]
pub struct Linked {
    pub(super) files: Vec<Arc<Traces>>,
    /// By the last components of their names.
    modules: FxHashMap<Key, Vec<u32>>,
    /// The functions that block, methods behind the names of their classes.
    blocking: FxHashSet<(Option<Key>, Key)>,
    /// The packages with classes that have a method which blocks, opens something or runs a coroutine, by
    /// the keys of the methods.
    receivers: FxHashMap<Key, FxHashSet<Key>>,
    /// Packages whose files are those of the project.
    own: FxHashSet<Key>,
    /// Installed packages, which nothing is written down of but the names of their asynchronous
    /// functions.
    installed: FxHashSet<Key>,
    installed_names: FxHashSet<Key>,
    /// By the names that something has in a file, whether all of that are coroutine functions.
    named: FxHashMap<Key, bool>,
    /// The classes of all files.
    pub(super) classes: Classes,
}

/// What has one name, in all files: functions, members of classes, and what stands at the top level of
/// modules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Namesakes {
    /// Coroutine functions without decorators, and nothing else.
    CoroutineFunctions,
    /// Other things, or these as well.
    Others,
    /// Nothing, and nothing is installed.
    None,
}

impl Linked {
    /// Adds the traces of a file, and gives its number.
    pub fn add(&mut self, traces: Arc<Traces>) -> usize {
        let file = self.files.len();
        let number = u32::try_from(file).unwrap_or(u32::MAX);
        for key in module_keys(traces.tail.iter().copied()) {
            self.modules.entry(key).or_default().push(number);
        }
        self.files.push(traces);
        file
    }

    /// Takes note of a package whose files are those of the project.
    pub fn add_own(&mut self, package: &str) {
        self.own.insert(name_key(package));
    }

    /// Takes note of an installed package.
    pub fn add_installed(&mut self, package: &str) {
        self.installed.insert(name_key(package));
    }

    /// Whether a package is installed under this name.
    pub(crate) fn has_installed(&self, package: &str) -> bool {
        self.installed.contains(&name_key(package))
    }

    /// Takes note of what installed packages define asynchronously.
    pub(crate) fn add_installed_names(&mut self, names: &[Key]) {
        self.installed_names.extend(names);
    }

    /// Whether what is sought can be reached from `node` of the file with this number. `own` are
    /// the file's traces as they are now, where they are not those that were added.
    pub(crate) fn may_reach(
        &self,
        file: usize,
        own: Option<&Traces>,
        node: Node,
        sought: Sought,
    ) -> bool {
        let file = u32::try_from(file).unwrap_or(u32::MAX);
        let mut search = Search::new(self, own.map(|traces| (file, traces)), sought, CALLED);
        search.follow(file, node, &[], true);
        search.run()
    }

    /// What has this name.
    pub fn namesakes(&self, name: Key) -> Namesakes {
        match self.named.get(&name) {
            Some(true) => Namesakes::CoroutineFunctions,
            None if self.installed.is_empty() => Namesakes::None,
            Some(false) | None => Namesakes::Others,
        }
    }

    /// Takes note of what has which name, once all files are there.
    pub fn settle(&mut self) {
        let mut named: FxHashMap<Key, bool> = FxHashMap::default();
        let mut note = |name: Key, is_coroutine_function: bool| {
            *named.entry(name).or_insert(true) &= is_coroutine_function;
        };
        for file in &self.files {
            for function in &file.functions {
                let is_coroutine_function = function.is_async
                    && !function.is_generator
                    && !function.is_property
                    && file.steps(function.decorators).is_empty();
                note(function.name, is_coroutine_function);
            }
            for class in &file.classes {
                note(class.name, false);
                for (name, member) in &class.members {
                    if matches!(member, Member::Value(_)) {
                        note(*name, false);
                    }
                }
            }
            for (name, node) in &file.names {
                let mut steps = file.steps(*node).iter();
                if steps.any(|step| !matches!(step, Step::Function(_) | Step::Import(_))) {
                    note(*name, false);
                }
            }
        }
        self.named = named;
        self.classes = Classes::of(&self.files);
    }

    /// Whether the files of this top-level package are those of the project.
    pub fn owns(&self, package: &str) -> bool {
        self.own.contains(&name_key(package))
    }

    /// Takes note of the functions that block, methods with the names of their classes.
    pub(crate) fn set_blocking(&mut self, functions: FxHashSet<(Option<Key>, Key)>) {
        self.blocking = functions;
    }

    /// Takes note of the top-level packages with classes that have a method which blocks, opens
    /// something or runs a coroutine, each with the key of the method.
    pub(crate) fn add_receivers<'p>(&mut self, methods: impl Iterator<Item = (&'p str, Key)>) {
        for (package, method) in methods {
            let packages = self.receivers.entry(method).or_default();
            packages.insert(name_key(package));
        }
    }

    /// Whether a package has a class with a method of this key.
    fn receives(&self, package: Key, method: Key) -> bool {
        self.receivers
            .get(&method)
            .is_some_and(|packages| packages.contains(&package))
    }

    /// Whether an import is found, among the files or among what is installed.
    fn finds(&self, path: &ImportPath) -> bool {
        path.origin != Origin::Other
            || path.components.first().is_none_or(|root| {
                self.own.contains(root)
                    || self.installed.contains(root)
                    || self.modules.contains_key(root)
            })
    }

    /// Whether something awaitable may be among what a node of the file with this number is made of.
    pub(super) fn gives(&self, number: u32, node: Node) -> bool {
        Search::new(self, None, Sought::Called, CALLED).gives(number, node)
    }

    /// The files that a module's name may mean.
    pub(super) fn modules_of(&self, module: &[Key]) -> &[u32] {
        // The folder that imports start from may be any.
        let key = module_keys(module.iter().copied()).last();
        let files = key.and_then(|key| self.modules.get(&key));
        files.map_or(&[], Vec::as_slice)
    }
}

/// What the standard library's objects can be asked for.
struct Stdlib {
    /// By package and name.
    methods: FxHashMap<(Key, Key), Vec<Key>>,
    packages: FxHashSet<Key>,
    /// The modules of the packages.
    modules: FxHashSet<(Key, Key)>,
    asyncio: Key,
    /// Coroutine functions, and what annotations call a coroutine.
    coroutines: FxHashSet<Key>,
    iterables: FxHashSet<Key>,
    managers: FxHashSet<Key>,
    /// Modules that hand out nothing but their own objects, and what they are given.
    closed: FxHashSet<Key>,
    open: Key,
}

static STDLIB: LazyLock<Stdlib> = LazyLock::new(|| {
    let packages = &*stdlib::OBJECTS;
    let protocols = &*stdlib::PROTOCOLS;
    let keys = |names: &[String]| names.iter().map(|name| name_key(name)).collect();
    let mut methods: FxHashMap<(Key, Key), Vec<Key>> = FxHashMap::default();
    let mut modules = FxHashSet::default();
    for (package, parts) in packages {
        let package = name_key(package);
        modules.extend(parts.modules.iter().map(|name| (package, name_key(name))));
        for objects in &parts.objects {
            for name in &objects.names {
                let coroutines = objects.coroutines.iter().map(|name| name_key(name));
                let known = methods.entry((package, name_key(name))).or_default();
                known.extend(coroutines);
            }
        }
    }
    Stdlib {
        methods,
        packages: packages.keys().map(|name| name_key(name)).collect(),
        modules,
        asyncio: name_key("asyncio"),
        coroutines: stdlib::coroutines()
            .chain(["Awaitable", "Coroutine", "CoroutineType"])
            .chain(GENERATOR_METHODS)
            .map(name_key)
            .collect(),
        iterables: keys(&protocols.iterables),
        managers: keys(&protocols.managers),
        closed: keys(&protocols.closed),
        open: name_key("open"),
    }
});

/// The names of the standard library's coroutine functions, of its asynchronous iterables and of
/// its asynchronous context managers, as keys.
pub(crate) fn stdlib_names() -> FxHashSet<Key> {
    let stdlib = &*STDLIB;
    let iterables = stdlib.iterables.iter().map(|name| iteration_key(*name));
    let managers = stdlib.managers.iter().map(|name| context_key(*name));
    let coroutines = stdlib.coroutines.iter().copied();
    coroutines.chain(iterables).chain(managers).collect()
}

/// Methods that are called by syntax, and so whatever attributes an expression names.
static IMPLICIT: LazyLock<FxHashSet<Key>> = LazyLock::new(|| {
    [
        "__enter__",
        "__aenter__",
        "__getitem__",
        "__iter__",
        "__next__",
        "__aiter__",
        "__anext__",
        "__await__",
        "__call__",
        "__new__",
        "__get__",
        "__getattr__",
        "__add__",
        "__radd__",
        "__sub__",
        "__or__",
        "__and__",
        "__mul__",
        "__truediv__",
        "__mod__",
        "__matmul__",
        "__rshift__",
        "__lshift__",
    ]
    .map(name_key)
    .into_iter()
    .collect()
});

/// The methods of asynchronous generators that give a coroutine.
const GENERATOR_METHODS: [&str; 4] = ["aclose", "asend", "athrow", "__anext__"];

static GENERATOR: LazyLock<[Key; 4]> = LazyLock::new(|| GENERATOR_METHODS.map(name_key));

/// A node that is to be followed, with the attributes of it that are asked for.
type Followed = (u32, Node, Vec<Key>, bool);

/// What a search has come by.
#[derive(Default)]
struct Seen {
    /// The attributes that are asked for, and whether they are what is called.
    attributes: FxHashMap<Key, bool>,
    classes: Vec<(u32, u32)>,
    known_classes: FxHashSet<(u32, u32, bool)>,
    nodes: FxHashSet<Followed>,
    /// Names that were looked for behind star imports, which may lead in circles.
    names: FxHashSet<(u32, Key, bool)>,
    pending: Vec<Followed>,
}

/// One search.
struct Search<'p> {
    linked: &'p Linked,
    own: Option<(u32, &'p Traces)>,
    sought: Sought,
    depth: Limit,
    /// Whether what is called has no name of its own, so that all it is made of counts.
    is_value: bool,
    seen: Seen,
    left: Limit,
    is_found: bool,
}

impl<'p> Search<'p> {
    fn new(
        linked: &'p Linked,
        own: Option<(u32, &'p Traces)>,
        sought: Sought,
        depth: Limit,
    ) -> Self {
        Self {
            linked,
            own,
            sought,
            depth,
            is_value: false,
            seen: Seen::default(),
            left: SEARCH,
            is_found: false,
        }
    }

    fn file(&self, file: u32) -> Option<&'p Traces> {
        match self.own {
            Some((own, traces)) if own == file => Some(traces),
            _ => self.linked.files.get(file as usize).map(|file| &**file),
        }
    }

    /// Follows a node. `is_direct` is whether what it stands for is what is called, and not
    /// something on the way to it.
    fn follow(&mut self, file: u32, node: Node, chain: &[Key], is_direct: bool) {
        let followed = (file, node, chain.to_vec(), is_direct || self.is_value);
        if self.seen.nodes.insert(followed.clone()) {
            self.seen.pending.push(followed);
        }
    }

    fn run(mut self) -> bool {
        while let Some((file, node, chain, is_direct)) = self.seen.pending.pop() {
            let Some(traces) = self.file(file) else {
                return true;
            };
            for step in traces.steps(node) {
                let Some(left) = self.left.less() else {
                    return true;
                };
                self.left = left;
                self.step(file, traces, *step, &chain, is_direct);
                if self.is_found {
                    return true;
                }
            }
        }
        self.is_found
    }

    fn step(&mut self, file: u32, traces: &'p Traces, step: Step, chain: &[Key], is_direct: bool) {
        match step {
            Step::Node(node, own) => {
                let chain = joined(traces.chain(own), chain);
                self.follow(file, node, &chain, is_direct);
            }
            Step::Part(node) => self.follow(file, node, &[], false),
            Step::Given(node, path) => {
                let is_found = traces
                    .paths
                    .get(path as usize)
                    .is_none_or(|path| self.linked.finds(path));
                if is_found {
                    self.follow(file, node, chain, is_direct);
                }
            }
            Step::Name(name, own) => {
                let chain = joined(traces.chain(own), chain);
                self.name(file, traces, name, &chain, is_direct);
            }
            Step::Import(path) => {
                if let Some(path) = traces.paths.get(path as usize) {
                    self.import(path, chain, is_direct);
                }
            }
            Step::Attribute(name) => self.attribute(name, is_direct && chain.is_empty()),
            Step::Class(class) => {
                self.class(file, traces, class, is_direct && chain.is_empty());
            }
            Step::Function(id) => {
                if let Some(function) = traces.functions.get(id as usize) {
                    self.function(file, function, is_direct && chain.is_empty());
                }
            }
        }
    }

    fn name(&mut self, file: u32, traces: &'p Traces, name: Key, chain: &[Key], is_direct: bool) {
        if let Some(node) = traces.names.get(&name) {
            self.follow(file, *node, chain, is_direct);
            return;
        }
        if traces.stars.is_empty() || !self.seen.names.insert((file, name, is_direct)) {
            self.builtin(name, is_direct);
            return;
        }
        for star in &traces.stars {
            if let Some(path) = traces.paths.get(*star as usize) {
                let chain = joined(&[name], chain);
                self.import(path, &chain, is_direct);
            }
        }
        self.builtin(name, is_direct);
    }

    fn builtin(&mut self, name: Key, is_direct: bool) {
        let stdlib = &*STDLIB;
        self.is_found |= match self.sought {
            Sought::Called | Sought::Coroutine(_) => {
                is_direct && [name_key("anext"), name_key("aiter")].contains(&name)
            }
            Sought::Property(_) | Sought::Manager | Sought::Blocking(_) | Sought::Helper => false,
            Sought::Receiver(_) => name == stdlib.open,
            Sought::Iterable => stdlib.iterables.contains(&name),
        };
    }

    /// Follows what an import names, and attributes of it.
    fn import(&mut self, path: &ImportPath, chain: &[Key], is_direct: bool) {
        let names: Vec<Key> = path.components.iter().chain(chain).copied().collect();
        if path.origin == Origin::Stdlib {
            self.stdlib(&names, is_direct);
            return;
        }
        let root = names.first().copied().unwrap_or_default();
        if let Sought::Receiver(method) = self.sought
            && path.origin == Origin::Other
            && self.linked.receives(root, method)
        {
            self.is_found = true;
            return;
        }
        let mut is_seen = false;
        // All but the last of what an import names are modules.
        let first = path.components.len().saturating_sub(1).max(1);
        for split in first..=names.len() {
            let (module, rest) = names.split_at(split);
            let linked = self.linked;
            for file in linked.modules_of(module) {
                let Some(traces) = self.file(*file) else {
                    continue;
                };
                let Some((name, rest)) = rest.split_first() else {
                    is_seen = true;
                    continue;
                };
                if traces.names.contains_key(name) || !traces.stars.is_empty() {
                    is_seen = true;
                    let rest = rest.split_at(rest.len().min(ATTRIBUTES.count())).0;
                    self.name(*file, traces, *name, rest, is_direct);
                }
            }
        }
        let is_own = path.origin == Origin::Own || self.linked.own.contains(&root);
        if is_own && !is_seen {
            // A file that could not be looked at, or that is none of Python's.
            self.is_found = true;
        }
        if path.origin == Origin::Other && self.linked.installed.contains(&root) {
            let names = &self.linked.installed_names;
            self.is_found |= match self.sought {
                Sought::Called => is_direct,
                Sought::Coroutine(name) => names.contains(&name) || is_direct,
                Sought::Property(name) => names.contains(&as_property(name)),
                Sought::Iterable | Sought::Manager | Sought::Receiver(_) => true,
                // What is installed is none of the project's.
                Sought::Blocking(_) | Sought::Helper => false,
            };
        }
    }

    fn stdlib(&mut self, names: &[Key], is_direct: bool) {
        let stdlib = &*STDLIB;
        let Some((root, names)) = names.split_first() else {
            return;
        };
        if let Sought::Receiver(method) = self.sought {
            // Some modules hand out objects of others: `tempfile` files, `urllib` connections.
            self.is_found |= self.linked.receives(*root, method) || !stdlib.closed.contains(root);
            return;
        }
        let names = match names {
            [module, names @ ..] if stdlib.modules.contains(&(*root, *module)) => names,
            names => names,
        };
        let Some(object) = names.first() else {
            return;
        };
        let methods = stdlib.methods.get(&(*root, *object)).map(Vec::as_slice);
        let is_of_asyncio = *root == stdlib.asyncio;
        // Some part of asyncio that is not known may give anything.
        let is_unknown = is_of_asyncio && methods.is_none();
        let is_coroutine_function = is_direct
            && names.len() == 1
            && stdlib.packages.contains(root)
            && stdlib.coroutines.contains(object);
        let gives_some = is_unknown || methods.is_some_and(|methods| !methods.is_empty());
        self.is_found |= match self.sought {
            Sought::Called => is_coroutine_function,
            Sought::Coroutine(name) => {
                is_coroutine_function
                    || methods.is_some_and(|methods| methods.contains(&name))
                    || is_unknown && stdlib.coroutines.contains(&name)
            }
            Sought::Property(_) | Sought::Blocking(_) | Sought::Receiver(_) | Sought::Helper => {
                false
            }
            Sought::Iterable => is_of_asyncio && gives_some || stdlib.iterables.contains(object),
            Sought::Manager => is_of_asyncio && gives_some || stdlib.managers.contains(object),
        };
    }

    fn attribute(&mut self, name: Key, is_direct: bool) {
        match self.seen.attributes.get(&name) {
            Some(known) if *known || !is_direct => return,
            _ => self.seen.attributes.insert(name, is_direct),
        };
        for at in 0..self.seen.classes.len() {
            let Some((file, class)) = self.seen.classes.get(at).copied() else {
                break;
            };
            if let Some(traces) = self.file(file)
                && let Some(class) = traces.classes.get(class as usize)
            {
                for member in class.members(name) {
                    self.member(file, traces, member, is_direct);
                }
            }
        }
    }

    fn member(&mut self, file: u32, traces: &'p Traces, member: Member, is_direct: bool) {
        match member {
            Member::Value(node) => self.follow(file, node, &[], is_direct),
            Member::Method(id) => {
                if let Some(function) = traces.functions.get(id as usize) {
                    self.function(file, function, is_direct);
                }
            }
        }
    }

    fn class(&mut self, file: u32, traces: &'p Traces, id: u32, is_direct: bool) {
        let is_direct = is_direct || self.is_value;
        if self.seen.known_classes.contains(&(file, id, true))
            || !self.seen.known_classes.insert((file, id, is_direct))
        {
            return;
        }
        let Some(class) = traces.classes.get(id as usize) else {
            return;
        };
        // A class may be a coroutine by its bases, and what is called may be an instance of it.
        self.follow(file, class.bases, &[], is_direct);
        let is_awaitable = matches!(self.sought, Sought::Called | Sought::Coroutine(_))
            && class.members(name_key("__await__")).next().is_some();
        if is_direct && is_awaitable {
            self.is_found = true;
            return;
        }
        if is_direct && self.has_sought(file, traces, class, name_key("__call__")) {
            self.is_found = true;
            return;
        }
        if is_direct && self.seen.known_classes.contains(&(file, id, false)) {
            return;
        }
        self.seen.classes.push((file, id));
        let sought = match self.sought {
            Sought::Called | Sought::Receiver(_) | Sought::Helper => None,
            Sought::Coroutine(name) | Sought::Property(name) | Sought::Blocking(name) => Some(name),
            Sought::Iterable => Some(name_key("__aiter__")),
            Sought::Manager => Some(name_key("__aenter__")),
        };
        if sought.is_some_and(|name| self.has_sought(file, traces, class, name)) {
            self.is_found = true;
            return;
        }
        for (name, member) in &class.members {
            let asked = self.seen.attributes.get(name).copied();
            if class.is_record || asked.is_some() || IMPLICIT.contains(name) {
                self.member(file, traces, *member, asked == Some(true));
            }
        }
    }

    fn has_sought(
        &self,
        file: u32,
        traces: &'p Traces,
        class: &crate::facts::value_flow::Class,
        name: Key,
    ) -> bool {
        if let Sought::Blocking(method) = self.sought {
            return self.linked.blocking.contains(&(Some(class.name), method));
        }
        class
            .members(name)
            .any(|member| self.is_sought(file, traces, member))
            || class.makes_methods && matches!(self.sought, Sought::Coroutine(_))
    }

    /// Whether a member under the name that is sought is, or may be, what is sought.
    fn is_sought(&self, file: u32, traces: &'p Traces, member: Member) -> bool {
        let function = match member {
            Member::Method(id) => traces.functions.get(id as usize),
            Member::Value(_) => None,
        };
        match (self.sought, function, member) {
            (Sought::Iterable | Sought::Manager, ..)
            | (Sought::Called | Sought::Coroutine(_), None, Member::Method(_)) => true,
            (Sought::Property(_), None, _)
            | (Sought::Blocking(_) | Sought::Receiver(_) | Sought::Helper, ..) => false,
            (Sought::Property(_), Some(function), _) => {
                function.is_property && (function.is_async || self.gives(file, function.gives))
            }
            (Sought::Called | Sought::Coroutine(_), Some(function), _) => {
                function.is_async
                    || self.gives(file, function.gives)
                    || self.gives(file, function.decorators)
            }
            (Sought::Called | Sought::Coroutine(_), None, Member::Value(node)) => {
                self.gives(file, node)
            }
        }
    }

    /// Whether something awaitable may be among what a node is made of.
    fn gives(&self, file: u32, node: Node) -> bool {
        let Some(depth) = self.depth.less() else {
            return true;
        };
        // Only what is reached itself counts, whatever its name.
        let mut search = Search::new(self.linked, self.own, Sought::Called, depth);
        search.is_value = true;
        search.left = self.left;
        search.follow(file, node, &[], true);
        search.run()
    }

    fn function(&mut self, file: u32, function: &Function, is_direct: bool) {
        let is_direct = is_direct || self.is_value;
        self.is_found |= match self.sought {
            Sought::Called => is_direct && function.is_async && !function.is_generator,
            Sought::Coroutine(name) => {
                function.is_async
                    && (is_direct && !function.is_generator
                        || function.is_generator && GENERATOR.contains(&name))
            }
            // What is called is a function of the module; methods are those of their classes.
            Sought::Blocking(name) => {
                is_direct && function.name == name && self.linked.blocking.contains(&(None, name))
            }
            Sought::Property(_) | Sought::Manager | Sought::Receiver(_) | Sought::Helper => false,
            Sought::Iterable => function.is_generator,
        };
        self.follow(file, function.gives, &[], is_direct);
        self.follow(file, function.decorators, &[], is_direct);
    }
}

fn joined(first: &[Key], second: &[Key]) -> Vec<Key> {
    match first {
        // Some attributes, of something that is no module.
        [0, ..] => vec![0],
        _ => first
            .iter()
            .chain(second)
            .take(ATTRIBUTES.count())
            .copied()
            .collect(),
    }
}
