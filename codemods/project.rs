//! What the files of a project say about each other, from one quick look at each.

use std::hash::{Hash, Hasher};
use std::sync::LazyLock;

use memchr::memmem;
use ruff_python_ast::name::Name;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};

use crate::STUBS;
use crate::outline::Outline;
use crate::outlines::Outlines;
use crate::scopes::Scopes;
use crate::site::suites_in;
use crate::symbol::{Key, Symbol, name_key, property_key};

/// The libraries that drive coroutines. Which one does decides what may be written into a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Library {
    /// The standard library's `asyncio`.
    Asyncio,
    /// `anyio`, which runs on asyncio or on trio.
    Anyio,
    /// `trio`.
    Trio,
    /// Twisted, curio, or another one whose loop nothing of asyncio may run on.
    Other,
}

impl Library {
    fn of_import(module: &str) -> Option<Self> {
        match module.split('.').next()? {
            "asyncio" => Some(Self::Asyncio),
            "anyio" => Some(Self::Anyio),
            "trio" => Some(Self::Trio),
            "twisted" | "curio" => Some(Self::Other),
            _ => None,
        }
    }

    /// The library that the imports of one module point to, wherever in the module they stand.
    ///
    /// A module that imports `asyncio` beside another one is taken for asyncio, unless that other
    /// one is Twisted or curio. `None` where there is no such import.
    pub fn of_module(module: &ast::ModModule, source: &str) -> Option<Self> {
        // Most files that import none of them do not even hold the word.
        if !["asyncio", "anyio", "trio", "twisted", "curio"]
            .iter()
            .any(|word| holds(source, word))
        {
            return None;
        }
        let mut libraries = Libraries::default();
        for_each_import(&module.body, &mut |import| libraries.note(&import));
        libraries.decide()
    }

    /// The name of the module to import, for libraries that have one.
    pub fn module(self) -> Option<&'static str> {
        match self {
            Self::Asyncio => Some("asyncio"),
            Self::Anyio => Some("anyio"),
            Self::Trio => Some("trio"),
            Self::Other => None,
        }
    }
}

/// The libraries that a module imports.
#[derive(Default)]
struct Libraries(Vec<Library>);

impl Libraries {
    fn note(&mut self, import: &Import<'_>) {
        match import {
            Import::Module(names) => {
                let found = names
                    .iter()
                    .filter_map(|alias| Library::of_import(&alias.name));
                self.0.extend(found);
            }
            Import::From(statement) if statement.level == 0 => {
                let found = statement.module.as_deref().and_then(Library::of_import);
                self.0.extend(found);
            }
            Import::From(_) => {}
        }
    }

    /// Twisted and curio beat all others; of the others asyncio beats anyio, and anyio trio.
    fn decide(self) -> Option<Library> {
        if self.0.contains(&Library::Other) {
            Some(Library::Other)
        } else {
            self.0.into_iter().min()
        }
    }
}

/// An import statement.
pub enum Import<'a> {
    /// `import a, b`
    Module(&'a [ast::Alias]),
    /// `from a import b`
    From(&'a ast::StmtImportFrom),
}

/// Calls `visit` for every import statement in `body`, at any depth.
pub fn for_each_import<'a>(body: &'a [Stmt], visit: &mut impl FnMut(Import<'a>)) {
    for statement in body {
        match statement {
            Stmt::Import(import) => visit(Import::Module(&import.names)),
            Stmt::ImportFrom(import) => visit(Import::From(import)),
            // Every statement of every file passes here: no list of suites is made for most.
            Stmt::FunctionDef(inner) => for_each_import(&inner.body, visit),
            Stmt::ClassDef(inner) => for_each_import(&inner.body, visit),
            Stmt::With(inner) => for_each_import(&inner.body, visit),
            Stmt::If(_) | Stmt::For(_) | Stmt::While(_) | Stmt::Try(_) | Stmt::Match(_) => {
                for suite in suites_in(statement) {
                    for_each_import(suite, visit);
                }
            }
            _ => {}
        }
    }
}

/// What one file says, without knowing the others. Plain data: it outlives the tree.
#[derive(Debug, Default, Clone)]
pub struct Summary {
    /// The library the file's imports point to.
    pub library: Option<Library>,
    /// Whether the file defines coroutine functions.
    has_coroutine_functions: bool,
    /// What the file defines.
    outline: Outline,
    /// The top-level packages that the file imports.
    packages: Vec<Name>,
    /// What the file imports from other modules, as [`import_key`]s.
    imported: Vec<u64>,
    /// Functions whose coroutine the file gives to a new event loop: the last component of the
    /// module they are imported from (`None` for the file's own), and the name.
    run: Vec<(Option<String>, String)>,
}

/// Whether `word` stands in `text`. Asked of every file, several times: a search that looks at many
/// bytes at once is a good part of a run faster than the standard library's.
fn holds(text: &str, word: &str) -> bool {
    memmem::find(text.as_bytes(), word.as_bytes()).is_some()
}

/// A number for a name imported from a module with this last component. Two imports with the same
/// number only keep an import alive that could have gone.
fn import_key(module: &str, name: &str) -> u64 {
    let mut hasher = FxHasher::default();
    (module, name).hash(&mut hasher);
    hasher.finish()
}

/// The names of coroutine functions of the standard library.
static STDLIB: LazyLock<FxHashSet<u64>> = LazyLock::new(|| {
    include_str!("data/stdlib_coroutines.txt")
        .lines()
        .map(name_key)
        .collect()
});

/// The names of coroutine functions of the packages with stubs here, by package.
static PACKAGES: LazyLock<FxHashMap<String, FxHashSet<u64>>> = LazyLock::new(|| {
    let mut packages = FxHashMap::default();
    for package in STUBS.dirs() {
        let mut names = FxHashSet::default();
        let mut folders = vec![package];
        while let Some(folder) = folders.pop() {
            folders.extend(folder.dirs());
            for file in folder.files() {
                let text = file.contents_utf8().unwrap_or_default();
                names.extend(coroutine_function_names(text));
            }
        }
        packages.insert(package.path().to_string_lossy().into_owned(), names);
    }
    packages
});

/// The names of what is defined with `async def` in a text, as keys. Read as text: a name too many
/// only brings a closer look.
pub fn coroutine_function_names(text: &str) -> impl Iterator<Item = Key> {
    memmem::find_iter(text.as_bytes(), "async def ").filter_map(|at| {
        let name = text[at + "async def ".len()..].split('(').next()?;
        let before = text[..at].trim_end();
        let decorator = before.rsplit('\n').next().unwrap_or_default().trim();
        let is_property = decorator.starts_with('@') && decorator.ends_with("property");
        Some(if is_property {
            property_key(name)
        } else {
            name_key(name)
        })
    })
}

/// Whether a coroutine function of the standard library has the name with this key.
pub(crate) fn is_stdlib_coroutine_function(name: Key) -> bool {
    STDLIB.contains(&name)
}

impl Summary {
    /// Summarizes a file that holds neither `async` nor `await`, and so is never parsed: only what
    /// it imports from other modules counts.
    ///
    /// Lines are read as text; a name too many only keeps an import alive that could have gone.
    pub fn of_plain_code(source: &str) -> Self {
        let mut summary = Self::default();
        for at in memmem::find_iter(source.as_bytes(), "from ") {
            let rest = &source[at + "from ".len()..];
            let line = rest.lines().next().unwrap_or_default();
            let Some((module, names)) = line.split_once(" import ") else {
                continue;
            };
            let is_module = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
            if module.is_empty() || !module.chars().all(is_module) {
                continue;
            }
            let list = match names.trim_start().strip_prefix('(') {
                Some(_) => {
                    let open = &rest[module.len()..];
                    &open[..open.find(')').unwrap_or(open.len())]
                }
                None => names,
            };
            let module = module.rsplit('.').next().unwrap_or_default();
            for part in list.split(',') {
                let name = part
                    .trim_start_matches(" import ")
                    .trim_matches(|c: char| !c.is_alphanumeric() && c != '_')
                    .split_whitespace()
                    .next()
                    .unwrap_or_default();
                summary.imported.push(import_key(module, name));
            }
        }
        summary
    }

    /// Summarizes a parsed module. Packages and what `scopes` hold are only collected where they are
    /// given: only questions about types need them.
    pub fn of(module: &ast::ModModule, source: &str, scopes: Option<&Scopes<'_>>) -> Self {
        let mut summary = Self {
            has_coroutine_functions: holds(source, "async def"),
            ..Self::default()
        };
        let for_types = scopes.is_some();
        if let Some(scopes) = scopes {
            summary.outline = Outline::of(module, scopes);
        }
        let runs = holds(source, "run(") || holds(source, "run_until_complete(");
        let mut origins: FxHashMap<&str, &str> = FxHashMap::default();
        let mut libraries = Libraries::default();
        for_each_import(&module.body, &mut |import| {
            libraries.note(&import);
            match import {
                Import::Module(names) => {
                    for alias in names.iter().filter(|_| for_types) {
                        let root = alias.name.split('.').next().unwrap_or_default();
                        summary.packages.push(Name::new(root));
                    }
                }
                Import::From(statement) => {
                    if for_types
                        && statement.level == 0
                        && let Some(root) = statement
                            .module
                            .as_deref()
                            .and_then(|m| m.split('.').next())
                    {
                        summary.packages.push(Name::new(root));
                    }
                    let source = statement
                        .module
                        .as_deref()
                        .and_then(|module| module.rsplit('.').next())
                        .unwrap_or_default();
                    for alias in &statement.names {
                        summary.imported.push(import_key(source, &alias.name));
                        if runs {
                            let bound = alias.asname.as_ref().unwrap_or(&alias.name);
                            origins.insert(bound, source);
                        }
                    }
                }
            }
        });
        summary.library = libraries.decide();
        if runs {
            let mut calls = RunCalls { names: Vec::new() };
            calls.visit_body(&module.body);
            summary.run = calls
                .names
                .into_iter()
                .map(|name| {
                    let origin = origins.get(name).map(|origin| (*origin).to_owned());
                    (origin, name.to_owned())
                })
                .collect();
        }
        summary
    }
}

/// Collects `f` of `….run(f(…))` and `….run_until_complete(f(…))`.
///
/// Only used to widen what counts as run somewhere; the codemods resolve the function itself.
struct RunCalls<'a> {
    names: Vec<&'a str>,
}

impl<'a> SourceOrderVisitor<'a> for RunCalls<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if let AnyNodeRef::ExprCall(call) = node
            && is_runner(&call.func)
            && let Some(Expr::Call(argument)) = call.arguments.args.first()
            && let Expr::Name(name) = &*argument.func
        {
            self.names.push(&name.id);
        }
        TraversalSignal::Traverse
    }
}

fn is_runner(callee: &Expr) -> bool {
    match callee {
        Expr::Name(name) => name.id == "run",
        Expr::Attribute(attribute) => {
            matches!(attribute.attr.as_str(), "run" | "run_until_complete")
        }
        _ => false,
    }
}

/// The project as a whole: the summaries of its files, linked.
#[derive(Debug, Default)]
pub struct Project {
    libraries: FxHashMap<Library, usize>,
    imported: FxHashSet<u64>,
    packages: FxHashSet<Name>,
    /// What the files define.
    pub outlines: Outlines,
    run: FxHashSet<(String, String)>,
}

impl Project {
    /// Links summaries. Each comes with the last component of its file's module name.
    pub fn link<'s>(summaries: impl IntoIterator<Item = (&'s str, Summary)>) -> Self {
        let mut project = Self::default();
        for (module, summary) in summaries {
            if let Some(library) = summary.library
                && summary.has_coroutine_functions
            {
                *project.libraries.entry(library).or_default() += 1;
            }
            project.imported.extend(summary.imported);
            project.outlines.add(summary.outline);
            for package in summary.packages {
                if let Some(names) = PACKAGES.get(package.as_str()) {
                    project.outlines.add_awaitable(names.iter().copied());
                }
                project.packages.insert(package);
            }
            for (origin, name) in summary.run {
                let origin = origin.unwrap_or_else(|| module.to_owned());
                project.run.insert((origin, name));
            }
        }
        project
    }

    /// The library that drives the coroutines of files that import none themselves: asyncio
    /// unless the project says otherwise, `None` where it uses several in equal parts.
    pub fn library(&self) -> Option<Library> {
        let total: usize = self.libraries.values().sum();
        if total == 0 {
            return Some(Library::Asyncio);
        }
        self.libraries
            .iter()
            .find(|(_, count)| **count * 2 > total)
            .map(|(library, _)| *library)
    }

    /// The top-level packages that files of the project import, in no order.
    pub fn packages(&self) -> impl Iterator<Item = &str> {
        self.packages.iter().map(Name::as_str)
    }

    /// Adds names of coroutine functions of installed packages, as [`name_key`]s.
    pub fn add_coroutine_functions(&mut self, names: impl IntoIterator<Item = Key>) {
        self.outlines.add_awaitable(names);
    }

    /// Follows aliases, once every name is there.
    pub fn settle(&mut self) {
        self.outlines.link(&STDLIB);
    }

    /// Whether something in sight with the name of this key may give something awaitable.
    pub fn may_be_awaitable(&self, name: Key) -> bool {
        self.outlines.may_be_awaitable(name)
    }

    /// Whether a value with the name of this key, and made of this, may be something awaitable, as
    /// far as the outlines tell.
    pub fn may_give_awaitable(&self, name: Key, symbol: &Symbol) -> bool {
        self.may_be_awaitable(name) && !self.outlines.is_plain(symbol)
    }

    /// Whether some file imports `name` from a module whose last component is `module`.
    pub fn imports_from(&self, module: &str, name: &str) -> bool {
        self.imported.contains(&import_key(module, name))
    }

    /// Whether some file gives the coroutine of `name`, defined in a module whose last component
    /// is `module`, to a new event loop.
    pub fn runs(&self, module: &str, name: &str) -> bool {
        self.run.contains(&(module.to_owned(), name.to_owned()))
    }
}
