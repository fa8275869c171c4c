//! Searches the traces of a project ([`crate::facts::value_flow`]): may the value of an expression be, or lead to, a
//! coroutine function, an async iterator, a function that blocks …? It decides cheaply, without types, where the type
//! engine need not be asked.
//!
//! The search may say yes without need, but never no where the type engine would find something: what it cannot follow
//! counts as found, unless the type engine cannot follow it either.

use serde::{Deserialize, Serialize};
use std::sync::{Arc, LazyLock};

use asyncfix_knowledge::stdlib;
use ruff_python_ast::{self as ast, Expr};
use rustc_hash::{FxHashMap, FxHashSet};

use super::hierarchy::Classes;
use crate::facts::key::{Key, as_property, context_key, iteration_key, module_keys, name_key};
use crate::facts::value_flow::{Function, ImportPath, Member, Node, Origin, Step, Traces};
use crate::limits::{ATTRIBUTES, CALLED, Limit, SEARCH};

/// What a search looks for. Names are given as [`Key`]s, hashes of the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Sought {
    /// The expression itself is a coroutine function, whatever its name.
    Called,
    /// The same, or something that is reached has a method of this name that is a coroutine function.
    Coroutine(Key),
    /// A function of this name in the project that blocks, or a class with such a method.
    Blocking(Key),
    /// A function that blocks and has many callers (AF206). Decided by its name alone; no search is made.
    Helper,
    /// An object of a library that has a method of this key which the tables know: it blocks, opens a resource or runs
    /// a coroutine.
    Receiver(Key),
    /// A property of this name whose value can be awaited.
    Property(Key),
    /// An async iterable (`__aiter__`).
    Iterable,
    /// An async context manager (`__aenter__`).
    Manager,
}

impl Sought {
    /// What to look for from the callee of `call`, to know whether the call may return a coroutine.
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
    /// The files of a module, by the last one or two components of its name.
    modules: FxHashMap<Key, Vec<u32>>,
    /// The functions of the project that block: the name of the class for methods, and the name.
    blocking: FxHashSet<(Option<Key>, Key)>,
    /// For [`Sought::Receiver`]: by the key of a method, the packages that have a class with it.
    receivers: FxHashMap<Key, FxHashSet<Key>>,
    /// The project's own top-level packages.
    own: FxHashSet<Key>,
    /// Installed packages. They have no traces, only the names in `installed_names`.
    installed: FxHashSet<Key>,
    /// The names that installed packages define as something asynchronous.
    installed_names: FxHashSet<Key>,
    /// By name, whether all that has the name in some file is a coroutine function.
    named: FxHashMap<Key, bool>,
    /// The classes of all files.
    pub(super) classes: Classes,
}

/// What the project's functions, class members and top-level names of one name have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Namesakes {
    /// Coroutine functions without decorators, and nothing else.
    CoroutineFunctions,
    /// Other things, or these as well.
    Others,
    /// Nothing in the project has the name, and no package is installed that might.
    None,
}

impl Linked {
    /// Adds the traces of a file, and returns its number.
    pub fn add(&mut self, traces: Arc<Traces>) -> usize {
        let file = self.files.len();
        let number = u32::try_from(file).unwrap_or(u32::MAX);
        for key in module_keys(traces.tail.iter().copied()) {
            self.modules.entry(key).or_default().push(number);
        }
        self.files.push(traces);
        file
    }

    /// Adds a top-level package of the project itself.
    pub fn add_own(&mut self, package: &str) {
        self.own.insert(name_key(package));
    }

    /// Adds an installed package.
    pub fn add_installed(&mut self, package: &str) {
        self.installed.insert(name_key(package));
    }

    /// Whether a package is installed under this name.
    pub(crate) fn has_installed(&self, package: &str) -> bool {
        self.installed.contains(&name_key(package))
    }

    /// Adds names of what installed packages define as coroutine functions, async iterators and the like.
    pub(crate) fn add_installed_names(&mut self, names: &[Key]) {
        self.installed_names.extend(names);
    }

    /// Whether what is sought may be reached from `node` of the file with this number. `own` are the file's traces
    /// where its text has changed since [`Self::add`]; `node` is a node of these then.
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

    /// What all things of this name in the project are.
    pub fn namesakes(&self, name: Key) -> Namesakes {
        match self.named.get(&name) {
            Some(true) => Namesakes::CoroutineFunctions,
            None if self.installed.is_empty() => Namesakes::None,
            Some(false) | None => Namesakes::Others,
        }
    }

    /// Indexes names and classes. To be called once, when all files are added.
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

    /// Whether this top-level package belongs to the project.
    pub fn owns(&self, package: &str) -> bool {
        self.own.contains(&name_key(package))
    }

    /// Sets the functions that block, each as class name (for methods) and name.
    pub(crate) fn set_blocking(&mut self, functions: FxHashSet<(Option<Key>, Key)>) {
        self.blocking = functions;
    }

    /// Adds what [`Sought::Receiver`] is answered from: top-level packages, each with the key of a method that blocks,
    /// opens a resource or runs a coroutine.
    pub(crate) fn add_receivers<'p>(&mut self, methods: impl Iterator<Item = (&'p str, Key)>) {
        for (package, method) in methods {
            let packages = self.receivers.entry(method).or_default();
            packages.insert(name_key(package));
        }
    }

    /// Whether a package is known to have a class with such a method.
    fn receives(&self, package: Key, method: Key) -> bool {
        self.receivers
            .get(&method)
            .is_some_and(|packages| packages.contains(&package))
    }

    /// Whether an import can be resolved: it is relative, of the standard library, of the project, or installed.
    fn finds(&self, path: &ImportPath) -> bool {
        path.origin != Origin::Other
            || path.components.first().is_none_or(|root| {
                self.own.contains(root)
                    || self.installed.contains(root)
                    || self.modules.contains_key(root)
            })
    }

    /// Whether the value of a node may be awaitable, or a function that returns an awaitable.
    pub(super) fn gives(&self, number: u32, node: Node) -> bool {
        Search::new(self, None, Sought::Called, CALLED).gives(number, node)
    }

    /// The files that a dotted module name may mean.
    pub(super) fn modules_of(&self, module: &[Key]) -> &[u32] {
        // Compared from the end (two components, if there are as many), because the folder that imports start from is
        // not known.
        let key = module_keys(module.iter().copied()).last();
        let files = key.and_then(|key| self.modules.get(&key));
        files.map_or(&[], Vec::as_slice)
    }
}

/// The asynchronous part of the standard library, from `knowledge::stdlib`, as keys.
struct Stdlib {
    /// The coroutine methods of an object, by its package and name.
    methods: FxHashMap<(Key, Key), Vec<Key>>,
    packages: FxHashSet<Key>,
    /// The submodules of the packages.
    modules: FxHashSet<(Key, Key)>,
    asyncio: Key,
    /// Names of coroutine functions and coroutine methods, and of classes such as `Awaitable` in annotations.
    coroutines: FxHashSet<Key>,
    iterables: FxHashSet<Key>,
    managers: FxHashSet<Key>,
    /// Modules whose functions return objects of their own classes only, or their arguments.
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

/// Methods that syntax calls without naming them (`with`, `for`, operators). They are always followed, whichever
/// attributes an expression names.
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

/// The methods of async generators that return an awaitable (PEP 525).
const GENERATOR_METHODS: [&str; 4] = ["aclose", "asend", "athrow", "__anext__"];

static GENERATOR: LazyLock<[Key; 4]> = LazyLock::new(|| GENERATOR_METHODS.map(name_key));

/// A node to be followed: its file, the node, the attributes that are taken from it in turn, and `is_direct` of
/// [`Search::follow`].
type Followed = (u32, Node, Vec<Key>, bool);

/// What a search has met so far, so that it follows nothing twice.
#[derive(Default)]
struct Seen {
    /// The attributes that are taken from anything, and whether their value itself is what is called.
    attributes: FxHashMap<Key, bool>,
    classes: Vec<(u32, u32)>,
    known_classes: FxHashSet<(u32, u32, bool)>,
    nodes: FxHashSet<Followed>,
    /// Names that were looked up through star imports, which may be circular.
    names: FxHashSet<(u32, Key, bool)>,
    pending: Vec<Followed>,
}

/// One search.
struct Search<'p> {
    linked: &'p Linked,
    own: Option<(u32, &'p Traces)>,
    sought: Sought,
    depth: Limit,
    /// Whether everything that is reached counts as direct ([`Self::follow`]): a value is examined, and no call of a
    /// name.
    is_value: bool,
    seen: Seen,
    /// How many steps are left; beyond, the answer is yes.
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

    /// Puts a node on the list of those to be followed. `is_direct` is whether its value itself is what is called (or
    /// iterated, or entered), and not an object on the way, such as `session` in `session.get()`.
    fn follow(&mut self, file: u32, node: Node, chain: &[Key], is_direct: bool) {
        let followed = (file, node, chain.to_vec(), is_direct || self.is_value);
        if self.seen.nodes.insert(followed.clone()) {
            self.seen.pending.push(followed);
        }
    }

    /// Follows all nodes. True as soon as what is sought is found, or when the steps are used up.
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

    /// Follows what an import names, and the attributes in `chain` that are taken from it.
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
        // In `a.b.c`, all but the last are modules for sure; the last may be a module or a name in one.
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
            // The project has it, but not as Python that could be read (broken, or an extension module): it may be
            // anything.
            self.is_found = true;
        }
        if path.origin == Origin::Other && self.linked.installed.contains(&root) {
            let names = &self.linked.installed_names;
            self.is_found |= match self.sought {
                Sought::Called => is_direct,
                Sought::Coroutine(name) => names.contains(&name) || is_direct,
                Sought::Property(name) => names.contains(&as_property(name)),
                Sought::Iterable | Sought::Manager | Sought::Receiver(_) => true,
                // These look for functions of the project.
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
            // Some modules return objects of other modules: `tempfile` files, `urllib` connections.
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
        // An object of asyncio that the table does not have may return anything.
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
        // A class may be awaitable through its bases, and what is called may be an instance of it (`__call__`).
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

    /// Whether a class member that has the sought name is, or may be, what is sought.
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

    /// Whether the value of a node may be awaitable, by a search of its own. True where searches are nested too deep.
    fn gives(&self, file: u32, node: Node) -> bool {
        let Some(depth) = self.depth.less() else {
            return true;
        };
        // Names of methods do not matter here: any awaitable that is reached counts.
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
            // Only functions of a module here; `has_sought` looks at methods.
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

/// Two chains of attributes, one behind the other, cut at [`ATTRIBUTES`].
fn joined(first: &[Key], second: &[Key]) -> Vec<Key> {
    match first {
        // 0 stands for any attributes (`ANY_CHAIN` of the traces), so those behind add nothing.
        [0, ..] => vec![0],
        _ => first
            .iter()
            .chain(second)
            .take(ATTRIBUTES.count())
            .copied()
            .collect(),
    }
}
