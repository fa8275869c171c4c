//! What the files of a project say about each other, from one quick look at each.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use asyncfix_knowledge::blocking::Table;
use asyncfix_knowledge::libraries::{Library, signs_of_several};
use asyncfix_knowledge::loops::running_methods;
use asyncfix_knowledge::resources::opening_methods;
use asyncfix_knowledge::stubs::STUBS;
use include_dir::Dir;
use memchr::memmem;
use rayon::prelude::*;
use ruff_python_ast::PySourceType;
use ruff_python_ast::visitor::source_order::SourceOrderVisitor;
use ruff_python_ast::{self as ast};
use ruff_python_parser::parse_unchecked_source;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::facts::awaitable_names::{AwaitableNames, Outline};
use crate::facts::calls::Calls;
use crate::facts::imports::{Import, for_each_import};
use crate::facts::key::{Key, context_key, iteration_key, name_key, opening_key, property_key};
use crate::facts::libraries;
use crate::facts::name::Name;
use crate::facts::scopes::Scopes;
use crate::facts::summary::{
    RunCalls, Summary, TASK_FACTORY_SETTER, asks_for_library, drives_coroutines, holds, import_key,
};
use crate::facts::value_flow::{Node, Place, Traces, Writer};
use crate::index::call_graph::{Chain, Graph, Member};
use crate::index::file_users::{FileCall, FileMet};
use crate::index::hierarchy::{ClassName, Override};
use crate::index::reach::{Linked, Namesakes, Sought, stdlib_names};

/// Links the traces of files, and says for each file under which number it has them.
fn link_traces(traces: Vec<Option<Arc<Traces>>>) -> (Linked, Vec<Option<usize>>) {
    let mut linked = Linked::default();
    let numbers = traces
        .into_iter()
        .map(|traces| traces.map(|traces| linked.add(traces)))
        .collect();
    (linked, numbers)
}

/// The outlines and the traces of the stubs of a package.
fn stubs_of(package: &str) -> impl Iterator<Item = (Outline, Traces)> {
    let mut folders: Vec<&Dir<'_>> = STUBS.get_dir(package).into_iter().collect();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        folders.extend(folder.dirs());
        files.extend(folder.files());
    }
    files.into_iter().map(|file| {
        let text = file.contents_utf8().unwrap_or_default();
        let parsed = parse_unchecked_source(text, PySourceType::Stub);
        let scopes = Scopes::of(parsed.syntax(), text, Place::of(file.path()));
        let traces = Writer::new(&scopes).finish();
        (Outline::of(parsed.syntax()), traces)
    })
}

/// The names of what is defined with `async def` in a text, and of the classes that can be iterated
/// or entered asynchronously, as keys. Read as text: a name too many only brings a closer look.
pub fn asynchronous_names(text: &str) -> Vec<Key> {
    let mut names = Vec::new();
    for at in memmem::find_iter(text.as_bytes(), "async def ") {
        let name = text[at + "async def ".len()..].split('(').next();
        let before = text[..at].trim_end();
        let decorator = before.rsplit('\n').next().unwrap_or_default().trim();
        let name = name.unwrap_or_default();
        let body = text[at + "async def ".len()..].split("def ").next();
        if body.is_some_and(|body| body.contains("yield")) {
            names.push(iteration_key(name_key(name)));
        }
        if !decorator.starts_with('@') {
            names.push(name_key(name));
        } else if decorator.ends_with("property") {
            names.push(property_key(name));
        } else if decorator.ends_with("asynccontextmanager") {
            names.push(context_key(name_key(name)));
        } else {
            names.push(name_key(name));
        }
    }
    for (method, facet) in [
        ("def __aiter__", iteration_key as fn(Key) -> Key),
        ("def __aenter__", context_key),
    ] {
        for at in memmem::find_iter(text.as_bytes(), method) {
            let rest = text[..at].rsplit("\nclass ").next().unwrap_or_default();
            let name = rest.split(['(', ':', '[']).next().unwrap_or_default();
            names.push(facet(name_key(name)));
        }
    }
    names
}

impl Summary {
    /// Adds what the values of the file's names are made of.
    pub fn add_traces(&mut self, traces: Traces) {
        self.traces = Some(Arc::new(traces));
    }

    /// What the values of the file's names are made of.
    pub fn traces(&self) -> Option<&Traces> {
        self.traces.as_deref()
    }

    /// Adds what the functions of the file call.
    pub fn add_calls(&mut self, calls: Calls) {
        self.calls = Some(Arc::new(calls));
    }

    /// The top-level packages and modules that the file imports from where imports start.
    pub fn packages(&self) -> &[Name] {
        &self.packages
    }

    /// Whether the type engine would take very long for the file, and learn nothing from it.
    pub fn is_table(&self) -> bool {
        self.outline.is_table()
    }

    /// Summarizes a file that holds neither `async` nor `await`, and so is never parsed: only what
    /// it imports from other modules counts.
    ///
    /// Lines are read as text; a name too many only keeps an import alive that could have gone.
    pub fn of_plain_code(source: &str) -> Self {
        let mut summary = Self {
            asks_for_library: asks_for_library(source),
            sets_task_factory: holds(source, TASK_FACTORY_SETTER),
            ..Self::default()
        };
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

    /// Summarizes a parsed module. What only questions about types need is collected where they are
    /// asked.
    pub fn of(module: &ast::ModModule, source: &str, for_types: bool) -> Self {
        let mut summary = Self {
            has_coroutine_functions: holds(source, "async def"),
            ..Self::default()
        };
        if for_types {
            summary.outline = Outline::of(module);
        }
        let runs = holds(source, "run(") || holds(source, "run_until_complete(");
        let mut origins: FxHashMap<&str, &str> = FxHashMap::default();
        for_each_import(&module.body, &mut |import| match import {
            Import::Module(names) => {
                for alias in names.iter().filter(|_| for_types) {
                    let last = alias.name.rsplit('.').next().unwrap_or_default();
                    summary.whole_modules.push(name_key(last));
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
                if for_types {
                    summary.modules.push(name_key(source));
                }
                for alias in &statement.names {
                    summary.imported.push(import_key(source, &alias.name));
                    if for_types {
                        summary.whole_modules.push(name_key(&alias.name));
                    }
                    if runs {
                        let bound = alias.asname.as_ref().unwrap_or(&alias.name);
                        origins.insert(bound, source);
                    }
                }
            }
        });
        if for_types {
            summary.add_reached(module, source);
        }
        summary.library = libraries::of_module(module, source);
        summary.starts_loops = runs;
        summary.asks_for_library = asks_for_library(source);
        summary.sets_task_factory = holds(source, TASK_FACTORY_SETTER);
        summary.drives_coroutines = summary.library.is_none() && drives_coroutines(module, source);
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

impl Summary {
    /// Adds what the file reaches through modules that it imports as a whole (`clock.time.time()`). Where it puts
    /// things in the place of others by their dotted names (`mock.patch("app.clock.time")`), every two names with a dot
    /// between them count.
    ///
    /// Read as text: a name too many only keeps an import alive that could have gone.
    fn add_reached(&mut self, module: &ast::ModModule, source: &str) {
        let mut modules: FxHashMap<&str, &str> = FxHashMap::default();
        for_each_import(&module.body, &mut |import| match import {
            Import::Module(names) => {
                for alias in names {
                    let last = alias.name.rsplit('.').next().unwrap_or_default();
                    modules.insert(
                        alias.asname.as_ref().map_or(last, |name| name.as_str()),
                        last,
                    );
                }
            }
            Import::From(statement) => {
                for alias in &statement.names {
                    let bound = alias.asname.as_ref().unwrap_or(&alias.name);
                    modules.insert(bound.as_str(), alias.name.as_str());
                }
            }
        });
        let replaces = holds(source, "patch") || holds(source, "setattr");
        if modules.is_empty() && !replaces {
            return;
        }
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        for at in memchr::memchr_iter(b'.', source.as_bytes()) {
            let before = &source[..at];
            let start = before.rfind(|c| !is_part(c)).map_or(0, |place| {
                place + before[place..].chars().next().map_or(1, char::len_utf8)
            });
            let name = &before[start..];
            let module = match modules.get(name) {
                Some(module) => module,
                None if replaces && !name.is_empty() => name,
                None => continue,
            };
            let behind = &source[at + 1..];
            let member = &behind[..behind.find(|c| !is_part(c)).unwrap_or(behind.len())];
            if !member.is_empty() {
                self.imported.push(import_key(module, member));
            }
        }
    }
}

/// The project as a whole: the summaries of its files, linked.
#[derive(Debug, Default)]
pub struct Project {
    libraries: FxHashMap<Library, usize>,
    /// By the last names of modules, the library of the files that import them, where these agree.
    importers: FxHashMap<Key, Option<Library>>,
    drives_coroutines: bool,
    asks_for_library: bool,
    /// The files that seem to say how a loop makes its tasks, by their numbers.
    task_factories: Vec<usize>,
    imported: FxHashSet<u64>,
    modules: FxHashSet<Key>,
    whole_modules: FxHashSet<Key>,
    packages: FxHashSet<Name>,
    names: AwaitableNames,
    traces: Linked,
    graph: Graph,
    /// The files, by their numbers.
    files: Vec<PathBuf>,
    numbers: FxHashMap<PathBuf, usize>,
    /// By the names that stand in them, the files.
    mentions: OnceLock<FxHashMap<Key, Vec<u32>>>,
    /// By the numbers of the files: those of their traces.
    traced: Vec<Option<usize>>,
    /// By the numbers of traces: those of the files that they are of.
    owners: Vec<usize>,
    run: FxHashSet<(String, String)>,
}

impl Project {
    /// Links summaries. Each comes with the last component of its file's module name, and has the
    /// number of its place among them.
    pub fn link(summaries: &[(String, Arc<Summary>)]) -> Self {
        let of_all = || summaries.iter().map(|(_, summary)| summary);
        let calls = of_all()
            .filter_map(|summary| summary.calls.clone())
            .collect();
        let traces = of_all().map(|summary| summary.traces.clone()).collect();
        // None knows anything of the others, and each takes its time.
        let (graph, (linked, mut project)) = rayon::join(
            || Graph::link(calls),
            || rayon::join(|| link_traces(traces), || Self::of_summaries(summaries)),
        );
        project.graph = graph;
        (project.traces, project.traced) = linked;
        let files = (0..).zip(&project.traced);
        project.owners = files
            .filter(|(_, own)| own.is_some())
            .map(|(file, _)| file)
            .collect();
        let packages: Vec<&Name> = project.packages.iter().collect();
        let stubs: Vec<(Outline, Traces)> = packages
            .into_par_iter()
            .flat_map_iter(|package| stubs_of(package))
            .collect();
        for (outline, traces) in stubs {
            project.names.add(&outline);
            project.traces.add(Arc::new(traces));
        }
        project
    }

    fn of_summaries(summaries: &[(String, Arc<Summary>)]) -> Self {
        let mut project = Self::default();
        for (number, (module, summary)) in summaries.iter().enumerate() {
            if summary.sets_task_factory {
                project.task_factories.push(number);
            }
            if let Some(library) = summary.library
                && (summary.has_coroutine_functions || summary.starts_loops)
            {
                *project.libraries.entry(library).or_default() += 1;
                for module in summary.modules.iter().chain(&summary.whole_modules) {
                    let known = project.importers.entry(*module);
                    known
                        .and_modify(|other| *other = other.filter(|other| *other == library))
                        .or_insert(Some(library));
                }
            }
            project.drives_coroutines |= summary.drives_coroutines;
            project.asks_for_library |= summary.asks_for_library;
            project.imported.extend(&summary.imported);
            project.modules.extend(&summary.modules);
            project.whole_modules.extend(&summary.whole_modules);
            project.names.add(&summary.outline);
            project.packages.extend(summary.packages.iter().cloned());
            for (origin, name) in &summary.run {
                let origin = origin.as_ref().unwrap_or(module);
                project.run.insert((origin.clone(), name.clone()));
            }
        }
        project
    }

    /// The library that drives the coroutines of files that import none themselves: asyncio
    /// unless the project says otherwise, `None` where it uses several in equal parts or runs some itself.
    pub fn library(&self) -> Option<Library> {
        if self.drives_coroutines {
            return None;
        }
        let total: usize = self.libraries.values().sum();
        if total == 0 {
            return Some(Library::Asyncio);
        }
        self.libraries
            .iter()
            .find(|(_, count)| **count * 2 > total)
            .map(|(library, _)| *library)
    }

    /// Whether its coroutines may run under one library as well as under another.
    pub(crate) fn runs_under_several(&self) -> bool {
        self.asks_for_library || signs_of_several("own").any(|package| self.owns(package))
    }

    /// The library of the files that import a module with this last name. `None` where there are none, or they
    /// disagree.
    pub(crate) fn library_of_importers(&self, module: &str) -> Option<Library> {
        self.importers.get(&name_key(module)).copied().flatten()
    }

    /// Whether the project runs coroutines itself, so that not all need be those of a library.
    pub fn drives_coroutines(&self) -> bool {
        self.drives_coroutines
    }

    /// The top-level packages that files of the project import, in no order.
    pub fn packages(&self) -> impl Iterator<Item = &str> {
        self.packages.iter().map(Name::as_str)
    }

    /// The files that seem to say how a loop makes its tasks.
    pub(crate) fn setting_task_factories(&self) -> Vec<&Path> {
        let numbers = self.task_factories.iter();
        let paths = numbers.filter_map(|number| self.files.get(*number));
        paths.map(PathBuf::as_path).collect()
    }

    /// Whether some file imports the top-level package of this name.
    pub fn imports_package(&self, package: &str) -> bool {
        self.packages.contains(package)
    }

    /// Takes note of the files, in the order of their numbers.
    pub fn set_files(&mut self, files: Vec<PathBuf>) {
        self.numbers = files.iter().cloned().zip(0..).collect();
        self.files = files;
    }

    /// All files.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(PathBuf::as_path)
    }

    /// The number of a file.
    pub fn number_of(&self, path: &Path) -> Option<usize> {
        self.numbers.get(path).copied()
    }

    /// The files in which `name` stands. `read` gives the text of a file; every file is read once.
    pub fn mentioning(&self, name: &str, read: impl Fn(&Path) -> Option<String>) -> Vec<PathBuf> {
        let mentions = self.mentions.get_or_init(|| {
            let mut mentions: FxHashMap<Key, Vec<u32>> = FxHashMap::default();
            for (path, number) in self.files.iter().zip(0..) {
                let text = read(path).unwrap_or_default();
                for word in text.split(|c: char| !c.is_alphanumeric() && c != '_') {
                    let files = mentions.entry(name_key(word)).or_default();
                    if files.last() != Some(&number) {
                        files.push(number);
                    }
                }
            }
            mentions
        });
        let files = mentions.get(&name_key(name)).into_iter().flatten();
        let files = files.filter_map(|number| self.files.get(*number as usize));
        let mut files: Vec<PathBuf> = files.cloned().collect();
        // In whatever order the files were given.
        files.sort_unstable();
        files
    }

    /// The other plain methods that have to become coroutine functions together with the one of this
    /// name in the file at `place`, each with its file. `Err` with the reason where one of them is not
    /// known.
    pub fn family(&self, place: &Place, name: &str) -> Result<Vec<(PathBuf, String)>, String> {
        let members = self.graph.family(place, name)?;
        let members = members
            .into_iter()
            .map(|member| match self.file_of(&member) {
                Some(path) => Ok((path.to_path_buf(), member.name)),
                None => Err(format!("the file of `{}` is not found", member.name)),
            });
        let mut members = members.collect::<Result<Vec<_>, _>>()?;
        // In whatever order the files were given.
        members.sort_unstable();
        Ok(members)
    }

    /// The file that a function stands in.
    pub fn file_of(&self, member: &Member) -> Option<&Path> {
        self.files()
            .find(|path| Place::of(path).components() == member.components)
    }

    /// Takes note of installed packages, and of what they define asynchronously, as
    /// [`name_key`]s.
    pub fn add_installed<'p>(&mut self, packages: impl Iterator<Item = &'p str>, names: &[Key]) {
        for package in packages {
            self.traces.add_installed(package);
        }
        self.traces.add_installed_names(names);
        self.names.extend(names.iter().copied());
    }

    /// Whether a package is installed under this top-level name, or brings stubs.
    pub fn has_types_of(&self, package: &str) -> bool {
        STUBS.get_dir(package).is_some() || self.traces.has_installed(package)
    }

    /// Takes note of packages whose files are those of the project.
    pub fn add_own<'p>(&mut self, packages: impl Iterator<Item = &'p str>) {
        for package in packages {
            self.traces.add_own(package);
        }
    }

    /// Whether the files of this top-level package are those of the project.
    pub fn owns(&self, package: &str) -> bool {
        self.traces.owns(package)
    }

    /// Takes note of the classes whose methods block.
    pub fn add_table(&mut self, table: &Table) {
        let methods = table.methods();
        self.traces
            .add_receivers(methods.map(|(package, method)| (package, name_key(method))));
    }

    /// Follows aliases, once every name is there, and takes note of the methods that open something or run
    /// a coroutine.
    pub fn settle(&mut self) {
        let Self { names, traces, .. } = self;
        let follow_aliases = || {
            names.extend(stdlib_names());
            names.link();
        };
        rayon::join(follow_aliases, || traces.settle());
        self.traces.set_blocking(self.graph.blocking_functions());
        let opening = opening_methods().map(|(package, method)| (package, opening_key(method)));
        let running = running_methods().map(|(package, method)| (package, name_key(method)));
        self.traces.add_receivers(opening.chain(running));
    }

    /// Whether something in sight with the name of this key may be what is sought.
    pub fn may_be_meant(&self, name: Key, sought: Sought) -> bool {
        match sought {
            Sought::Blocking(_) => self.graph.may_block(name),
            Sought::Helper => self.graph.may_be_crowded(name),
            Sought::Receiver(_) => true,
            Sought::Called => self.names.contains_called(name),
            Sought::Coroutine(_) if self.names.make_methods() => true,
            _ => self.may_be_awaitable(name),
        }
    }

    /// How the function of this name in the file at `place` blocks, if it does. `name` has the names
    /// of the classes around it.
    pub fn blocking_chain(&self, place: &Place, name: &str) -> Option<Chain> {
        self.graph.chain(place, name)
    }

    /// Whether the file that `written` names in a function of the file at `place` is changed by code of other files,
    /// or used where the function changes it. `function` has the names of what it stands in, and `is_once` is whether
    /// it runs once.
    pub fn is_used_by_others(
        &self,
        place: &Place,
        function: &str,
        written: &str,
        is_once: bool,
    ) -> bool {
        let is_imported = |place: &Place| self.is_imported(place);
        self.graph
            .is_used_by_others(place, function, written, is_once, &is_imported)
    }

    /// Whether some file may import the one at `place`.
    fn is_imported(&self, place: &Place) -> bool {
        let mut components = place.components().iter().rev();
        let Some(module) = components.next() else {
            return false;
        };
        let package = components.next().map_or("", String::as_str);
        let packages = [package, ""];
        let mut packages = packages.iter();
        self.imports_module(module) || packages.any(|package| self.imports_from(package, module))
    }

    /// What a call of a function does to files that other code uses.
    pub fn file_met(&self, call: &FileCall<'_>) -> Option<FileMet> {
        self.graph.file_met(call, &|place| self.is_imported(place))
    }

    /// Whether something in sight with the name of this key may give something awaitable.
    pub fn may_be_awaitable(&self, name: Key) -> bool {
        self.names.contains(name)
    }

    /// What has the name of this key in the project, in stubs and, where it may give something awaitable,
    /// in the standard library.
    pub fn namesakes(&self, name: Key) -> Namesakes {
        match self.traces.namesakes(name) {
            Namesakes::None if self.may_be_awaitable(name) => Namesakes::Others,
            namesakes => namesakes,
        }
    }

    /// Whether what is sought may be reached from `node` of the file with this number, and something
    /// in sight has the name of this key. `own` are the file's traces where its text is not the one
    /// that was summarized.
    pub fn may_hold(
        &self,
        file: usize,
        own: Option<&Traces>,
        node: Option<Node>,
        name: Key,
        sought: Sought,
    ) -> bool {
        if !self.may_be_meant(name, sought) {
            return false;
        }
        if sought == Sought::Helper {
            return true;
        }
        match (self.traced.get(file), node) {
            (Some(Some(file)), Some(node)) => self.traces.may_reach(*file, own, node, sought),
            _ => true,
        }
    }

    /// What classes that may be subclasses of `class` have in the place of its method of this name.
    pub fn overrides(&self, class: &str, method: &str) -> Arc<[Override]> {
        self.traces.overrides(class, method)
    }

    /// The name of a class that may be a subclass of `class` and has a plain method of this name in its place.
    pub(crate) fn plain_override(&self, class: &str, method: &str) -> Option<&str> {
        self.traces.plain_override(class, method)
    }

    /// The classes that may be subclasses of `class` and have a method of this name in its place, with their files.
    /// `None` where one has something else there, or is not one of a file of the project.
    pub fn methods_below(&self, class: &str, method: &str) -> Option<Vec<(&Path, &str)>> {
        let below = self.traces.methods_below(class, method)?.into_iter();
        let mut all = below
            .map(|(number, class)| Some((self.path_of_traces(number)?, class)))
            .collect::<Option<Vec<_>>>()?;
        // In whatever order the files were given.
        all.sort_unstable();
        Some(all)
    }

    /// The classes that have a coroutine function of this name, with their files.
    pub fn methods_named(&self, method: &str) -> Vec<(&Path, &str)> {
        let named = self.traces.methods_named(method).into_iter();
        let mut all: Vec<_> = named
            .filter_map(|(number, class)| Some((self.path_of_traces(number)?, class)))
            .collect();
        // In whatever order the files were given.
        all.sort_unstable();
        all
    }

    /// The file that the traces of this number are of, where it is one of the project.
    fn path_of_traces(&self, number: u32) -> Option<&Path> {
        let file = *self.owners.get(usize::try_from(number).ok()?)?;
        Some(self.files.get(file)?.as_path())
    }

    /// Whether a class that may be a subclass of `class` has something of its own under this name.
    pub(crate) fn is_replaced_below(&self, class: ClassName<'_>, name: &str) -> bool {
        self.traces.is_replaced_below(class, name)
    }

    /// Whether there is a class that may be a subclass of `class`.
    pub(crate) fn has_subclasses(&self, class: ClassName<'_>) -> bool {
        self.traces.has_subclasses(class)
    }

    /// Whether some file imports `name` from a module whose last component is `module`.
    pub fn imports_from(&self, module: &str, name: &str) -> bool {
        self.imported.contains(&import_key(module, name))
    }

    /// Whether some file imports a module with this last name, as a whole.
    pub(crate) fn imports_whole(&self, module: &str) -> bool {
        self.whole_modules.contains(&name_key(module))
    }

    /// Whether some file imports a module with this last name, or something from it.
    pub(crate) fn imports_module(&self, module: &str) -> bool {
        self.imports_whole(module) || self.modules.contains(&name_key(module))
    }

    /// Whether some file gives the coroutine of `name`, defined in a module whose last component
    /// is `module`, to a new event loop.
    pub fn runs(&self, module: &str, name: &str) -> bool {
        self.run.contains(&(module.to_owned(), name.to_owned()))
    }
}
