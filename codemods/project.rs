//! What the files of a project say about each other, from one quick look at each.

use std::hash::{Hash, Hasher};
use std::sync::LazyLock;

use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};

use crate::STUBS;
use crate::site::suites_in;

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
            .any(|word| source.contains(word))
        {
            return None;
        }
        let mut found = FxHashSet::default();
        for_each_import(&module.body, &mut |import| match import {
            Import::Module(names) => {
                found.extend(
                    names
                        .iter()
                        .filter_map(|alias| Self::of_import(&alias.name)),
                );
            }
            Import::From(statement) if statement.level == 0 => {
                found.extend(statement.module.as_deref().and_then(Self::of_import));
            }
            Import::From(_) => {}
        });
        if found.contains(&Self::Other) {
            Some(Self::Other)
        } else {
            found.into_iter().min()
        }
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
            _ => {
                for suite in suites_in(statement) {
                    for_each_import(suite, visit);
                }
            }
        }
    }
}

/// What one file says, without knowing the others. Plain data: it outlives the tree.
#[derive(Debug, Default, Clone)]
pub struct Summary {
    /// The library the file's imports point to.
    pub library: Option<Library>,
    /// The names of the file's coroutine functions, as [`name_key`]s.
    coroutine_functions: Vec<u64>,
    /// What the file imports from other modules, as [`import_key`]s.
    imported: Vec<u64>,
    /// Functions whose coroutine the file gives to a new event loop: the last component of the
    /// module they are imported from (`None` for the file's own), and the name.
    run: Vec<(Option<String>, String)>,
}

/// A number for a name imported from a module with this last component. Two imports with the same
/// number only keep an import alive that could have gone.
fn import_key(module: &str, name: &str) -> u64 {
    let mut hasher = FxHasher::default();
    (module, name).hash(&mut hasher);
    hasher.finish()
}

/// A number for a name. Two names with the same number only bring a closer look that finds nothing.
pub fn name_key(name: &str) -> u64 {
    let mut hasher = FxHasher::default();
    name.hash(&mut hasher);
    hasher.finish()
}

/// The names of coroutine functions of the standard library and of the packages with stubs here.
static LIBRARY: LazyLock<FxHashSet<u64>> = LazyLock::new(|| {
    let mut names: FxHashSet<u64> = include_str!("data/stdlib_coroutines.txt")
        .lines()
        .map(name_key)
        .collect();
    let mut folders = vec![&STUBS];
    while let Some(folder) = folders.pop() {
        folders.extend(folder.dirs());
        for file in folder.files() {
            let text = file.contents_utf8().unwrap_or_default();
            names.extend(
                text.split("async def ")
                    .skip(1)
                    .filter_map(|rest| rest.split('(').next())
                    .map(name_key),
            );
        }
    }
    names
});

/// Collects the names of `async def`s, at any depth.
struct CoroutineFunctions<'s>(&'s mut Vec<u64>);

impl<'a> SourceOrderVisitor<'a> for CoroutineFunctions<'_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if let AnyNodeRef::StmtFunctionDef(function) = node
            && function.is_async
        {
            self.0.push(name_key(&function.name));
        }
        if node.is_expression() {
            TraversalSignal::Skip
        } else {
            TraversalSignal::Traverse
        }
    }
}

impl Summary {
    /// Summarizes a file that holds neither `async` nor `await`, and so is never parsed: only what
    /// it imports from other modules counts.
    ///
    /// Lines are read as text; a name too many only keeps an import alive that could have gone.
    pub fn of_plain_code(source: &str) -> Self {
        let mut summary = Self::default();
        let mut rest = source;
        while let Some(at) = rest.find("from ") {
            rest = &rest[at + "from ".len()..];
            let Some((module, names)) = rest.split_once(" import ") else {
                break;
            };
            let is_module = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
            if module.is_empty() || !module.chars().all(is_module) {
                continue;
            }
            let last = module.rsplit('.').next().unwrap_or_default();
            let end = if names.starts_with('(') {
                names.find(')')
            } else {
                names.find('\n')
            };
            let list = &names[..end.unwrap_or(names.len())];
            for part in list.split(',') {
                let name = part
                    .trim_matches(|c: char| !c.is_alphanumeric() && c != '_')
                    .split_whitespace()
                    .next()
                    .unwrap_or_default();
                summary.imported.push(import_key(last, name));
            }
        }
        summary
    }

    /// Summarizes a parsed module.
    pub fn of(module: &ast::ModModule, source: &str) -> Self {
        let mut summary = Self {
            library: Library::of_module(module, source),
            ..Self::default()
        };
        if source.contains("async ") {
            let mut functions = CoroutineFunctions(&mut summary.coroutine_functions);
            functions.visit_body(&module.body);
        }
        let runs = source.contains("run(") || source.contains("run_until_complete(");
        let mut origins: FxHashMap<&str, &str> = FxHashMap::default();
        for_each_import(&module.body, &mut |import| {
            if let Import::From(statement) = import {
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
        });
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
    coroutine_functions: FxHashSet<u64>,
    run: FxHashSet<(String, String)>,
}

impl Project {
    /// Links summaries. Each comes with the last component of its file's module name.
    pub fn link<'s>(summaries: impl IntoIterator<Item = (&'s str, &'s Summary)>) -> Self {
        let mut project = Self::default();
        for (module, summary) in summaries {
            if let Some(library) = summary.library
                && !summary.coroutine_functions.is_empty()
            {
                *project.libraries.entry(library).or_default() += 1;
            }
            project.imported.extend(&summary.imported);
            project
                .coroutine_functions
                .extend(&summary.coroutine_functions);
            for (origin, name) in &summary.run {
                let origin = origin.as_deref().unwrap_or(module).to_owned();
                project.run.insert((origin, name.clone()));
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

    /// Whether a coroutine function in sight has the name with this [`name_key`].
    pub fn has_coroutine_function(&self, name: u64) -> bool {
        self.coroutine_functions.contains(&name) || LIBRARY.contains(&name)
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
