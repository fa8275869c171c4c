//! Making coroutine functions of plain ones, and of everything that calls them, through all files.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use ruff_db::parsed::parsed_module;
use ruff_db::source::source_text;
use ruff_diagnostics::Edit;
use ruff_python_ast::token::TokenKind;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr};
use ruff_text_size::{Ranged, TextRange, TextSize};
use rustc_hash::{FxHashMap, FxHashSet};
use ty_python_core::definition::Definition;

use crate::concurrency::callee::{self, Position};
use crate::concurrency::signature::Signature;
use crate::file::File;
use crate::finding::Rewrite;
use crate::mixing::is_main_guard;
use crate::outline::{last_name, yields};
use crate::project::Library;
use crate::semantics::{Awaitability, ClassOf};
use crate::site::{Obstacle, Owner, Site};
use crate::support::decorators::{KEEPING, called};
use crate::support::{imports, locks};
use crate::traces::scopes::is_stdlib;

/// The edits of one file.
#[derive(Default)]
pub(super) struct Edits {
    pub(super) own: Vec<Edit>,
    pub(super) shared: Vec<Edit>,
}

/// What has to change so that some functions can be coroutine functions.
pub(super) struct Conversion<'f, 'a, 'db> {
    origin: &'f File<'a, 'db>,
    pub(super) edits: BTreeMap<PathBuf, Edits>,
    /// The functions that become coroutine functions.
    pub(super) functions: FxHashSet<Definition<'db>>,
    /// Why all this is unsafe.
    pub(super) doubt: Option<String>,
    /// Where the program starts: a place that runs a new event loop, which has to be the only one.
    started: FxHashMap<Start<'db>, TextRange>,
}

/// What is known from the findings of a file that were looked at before.
#[derive(Default)]
pub struct Memory<'db> {
    /// The places that name each function that was asked about.
    references: RefCell<References<'db>>,
    /// The functions that become coroutine functions together, with the rewrite.
    rewrites: RefCell<Vec<(FxHashSet<Definition<'db>>, Rewrite)>>,
}

type References<'db> = FxHashMap<Definition<'db>, Rc<Vec<Reference<'db>>>>;

impl<'db> Memory<'db> {
    /// The rewrite that makes a coroutine function of this one, among others.
    pub(super) fn rewrite_of(&self, function: Definition<'db>) -> Option<Rewrite> {
        let rewrites = self.rewrites.borrow();
        let known = rewrites
            .iter()
            .find(|(functions, _)| functions.contains(&function));
        known.map(|(_, rewrite)| rewrite.clone())
    }

    pub(super) fn add(&self, functions: FxHashSet<Definition<'db>>, rewrite: &Rewrite) {
        self.rewrites
            .borrow_mut()
            .push((functions, rewrite.clone()));
    }
}

/// What a function is that was made a coroutine function.
struct Converted {
    is_generator: bool,
    /// Whether a test runner, a framework or Python itself calls it, and awaits it.
    is_called_elsewhere: bool,
    /// The methods that have to be coroutine functions too, each with its file.
    family: Vec<(PathBuf, String)>,
    /// Why it is not certain that it can be a coroutine function.
    doubt: Option<String>,
}

/// Code that starts event loops.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Start<'db> {
    /// The top level of the script.
    Script(PathBuf),
    /// A function that nothing in sight calls.
    Function(Definition<'db>),
}

/// A place that names a function.
#[derive(Clone)]
struct Reference<'db> {
    path: PathBuf,
    kind: Kind<'db>,
}

#[derive(Clone)]
enum Kind<'db> {
    /// It is imported, or listed; with whether a package's `__init__.py` does so.
    Import {
        by_package: bool,
    },
    Call(Call<'db>),
    /// It is passed on; how the place is written.
    Value(String),
    /// A text holds its name; how the place is written.
    Text(String),
}

/// A call of the function.
#[derive(Clone)]
struct Call<'db> {
    range: TextRange,
    around: Around<'db>,
    /// Why no `await` may stand here.
    obstacle: Option<String>,
    /// Why it is not certain that one may.
    doubt: Option<String>,
    /// Whether it stands in a loop or a comprehension.
    repeats: bool,
    /// What becomes of what it gives.
    used: Use,
    /// The edits that await it here.
    awaits: Vec<Edit>,
    /// The edits, and the import, that run it in a new event loop here.
    runs: Result<(Vec<Edit>, Option<Edit>), String>,
}

/// What the code does with what a call gives.
#[derive(Clone)]
enum Use {
    /// It uses it as it is.
    Value,
    /// It loops over it; with the edit that does so asynchronously.
    Loop(Edit),
    /// It loops over it asynchronously already.
    AsyncLoop,
    /// It takes it for a coroutine already: it awaits it, or gives it to a function of asyncio.
    Coroutine,
    /// It gives it on, to something that may take either; how it is written.
    Unclear(String),
}

/// What a call stands in.
#[derive(Clone, PartialEq, Eq)]
enum Around<'db> {
    Coroutine,
    Plain(Definition<'db>, String),
    /// The top level of a script.
    Script,
    /// The top level of a module that others import.
    Module,
    Lambda,
}

impl<'f, 'a, 'db> Conversion<'f, 'a, 'db> {
    pub(super) fn new(origin: &'f File<'a, 'db>) -> Self {
        Self {
            origin,
            edits: BTreeMap::new(),
            functions: FxHashSet::default(),
            doubt: None,
            started: FxHashMap::default(),
        }
    }

    /// Prepares the file at `path` and asks `what` about it.
    fn with_file<T>(
        &self,
        path: &Path,
        what: impl FnOnce(&File<'_, 'db>) -> T,
    ) -> Result<T, String> {
        let semantics = &self.origin.semantics;
        let db = semantics.db();
        let program_file = semantics
            .beside(path)
            .ok_or_else(|| format!("`{}` cannot be read", path.display()))?;
        let python_file = program_file.python_file(db);
        let module = parsed_module(db, python_file).load(db);
        if !module.errors().is_empty() {
            return Err(format!("`{}` has a syntax error", self.shown(path)));
        }
        let text = source_text(db, python_file.file(db));
        if text.read_error().is_some() {
            return Err(format!("`{}` cannot be read", self.shown(path)));
        }
        let project = self.origin.project;
        let file = File::new(
            db,
            program_file,
            &module,
            text.as_str(),
            self.origin.settings,
            project,
            project.number_of(path).unwrap_or(self.origin.number),
        );
        Ok(what(&file))
    }

    /// Every place of the project that names the function.
    fn references(
        &self,
        of: Definition<'db>,
        name: &str,
    ) -> Result<Rc<Vec<Reference<'db>>>, String> {
        let known = &self.origin.conversions.references;
        if let Some(known) = known.borrow().get(&of) {
            return Ok(Rc::clone(known));
        }
        let db = self.origin.semantics.db();
        let mut paths = self.origin.project.mentioning(name, |path| {
            let program_file = self.origin.semantics.beside(path)?;
            Some(source_text(db, program_file.file(db)).as_str().to_owned())
        });
        if let Some(own) = self.origin.semantics.path()
            && !paths.iter().any(|path| path == own)
        {
            paths.push(own.to_path_buf());
        }
        let mut all = Vec::new();
        for path in paths {
            let found = self.with_file(&path, |file| {
                let mut search = Search {
                    file,
                    of,
                    name,
                    path: &path,
                    ancestors: vec![AnyNodeRef::ModModule(file.syntax())],
                    found: Vec::new(),
                    unclear: None,
                };
                search.visit_body(file.body());
                match search.unclear {
                    Some(reason) => Err(reason),
                    None => Ok(search.found),
                }
            })??;
            all.extend(found);
        }
        let all = Rc::new(all);
        known.borrow_mut().insert(of, Rc::clone(&all));
        Ok(all)
    }

    /// Whether the function only runs where a script starts: its callers, and theirs, are plain
    /// functions up to the top level of a script, or up to one that nothing in sight calls.
    pub(super) fn is_plain_program(
        &self,
        function: Definition<'db>,
        name: &str,
    ) -> Result<bool, String> {
        let mut seen = FxHashSet::from_iter([function]);
        let mut pending = vec![(function, name.to_owned())];
        while let Some((function, name)) = pending.pop() {
            // A method is called by who knows whom.
            if self.origin.semantics.is_in_class(function) {
                return Ok(false);
            }
            let references = self.references(function, &name)?;
            let mut calls = 0;
            for reference in &*references {
                let call = match &reference.kind {
                    Kind::Call(call) => call,
                    Kind::Import { by_package: false } => continue,
                    Kind::Import { by_package: true } | Kind::Value(_) | Kind::Text(_) => {
                        return Ok(false);
                    }
                };
                calls += 1;
                // Each time would be another event loop.
                if calls > 1 || call.repeats || !matches!(call.used, Use::Value | Use::Loop(_)) {
                    return Ok(false);
                }
                match &call.around {
                    Around::Script => {
                        if self.runs_loop(&reference.path)? {
                            return Ok(false);
                        }
                    }
                    Around::Plain(caller, name) => {
                        if seen.insert(*caller) {
                            pending.push((*caller, name.clone()));
                        }
                    }
                    Around::Coroutine | Around::Module | Around::Lambda => return Ok(false),
                }
            }
            // Whoever uses a package may do so while a loop is running.
            if calls == 0 && self.is_in_package(function) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether a file runs an event loop somewhere.
    fn runs_loop(&self, path: &Path) -> Result<bool, String> {
        struct Runs<'f, 'a, 'db> {
            file: &'f File<'a, 'db>,
            is_found: bool,
        }
        impl<'a> SourceOrderVisitor<'a> for Runs<'_, 'a, '_> {
            fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
                if let AnyNodeRef::ExprCall(call) = node {
                    self.is_found |= match last_name(&call.func) {
                        Some("run") => self.file.semantics.means(&call.func, &["asyncio.run"]),
                        Some("run_until_complete" | "run_forever") => true,
                        _ => false,
                    };
                }
                TraversalSignal::Traverse
            }
        }
        self.with_file(path, |file| {
            let mut search = Runs {
                file,
                is_found: false,
            };
            search.visit_body(file.body());
            search.is_found
        })
    }

    fn is_in_package(&self, function: Definition<'db>) -> bool {
        let path = self.origin.semantics.file_of(function);
        #[allow(
            clippy::redundant_closure_for_method_calls,
            reason = "the method is not general enough in its lifetimes"
        )]
        let is_in_package = path.map(|path| self.with_file(&path, |file| file.is_in_package()));
        !matches!(is_in_package, Some(Ok(false)))
    }

    /// Makes a coroutine function of this one, and mends everything that calls it.
    pub(super) fn convert(&mut self, function: Definition<'db>, name: &str) -> Result<(), String> {
        self.functions.insert(function);
        let mut pending = VecDeque::from([(function, name.to_owned())]);
        let mut members = FxHashSet::default();
        while let Some((function, name)) = pending.pop_front() {
            let Converted {
                is_generator,
                is_called_elsewhere,
                family,
                doubt,
            } = self.make_async(function, members.contains(&function))?;
            if let Some(doubt) = doubt {
                self.doubt.get_or_insert(doubt);
            }
            // Who calls the one may mean the other.
            let is_alone = family.is_empty();
            for (path, qualified) in family {
                let member = self.method(&path, &qualified)?;
                if self.functions.insert(member) {
                    members.insert(member);
                    pending.push_back((member, name.clone()));
                }
            }
            let references = self.references(function, &name)?;
            let calls = references
                .iter()
                .filter(|reference| matches!(reference.kind, Kind::Call(_)));
            if calls.count() == 0 && is_alone && !is_called_elsewhere {
                self.doubt.get_or_insert(format!(
                    "nothing in sight calls `{name}`: whoever does has to await it"
                ));
            }
            for reference in &*references {
                let caller = self.mend(&name, reference, is_generator)?;
                if let Some((caller, name)) = caller
                    && self.functions.insert(caller)
                {
                    pending.push_back((caller, name));
                }
            }
        }
        Ok(())
    }

    /// Mends one place that names a function which is to be a coroutine function. `Some` where the
    /// function around it has to be one too.
    fn mend(
        &mut self,
        name: &str,
        reference: &Reference<'db>,
        is_generator: bool,
    ) -> Result<Option<(Definition<'db>, String)>, String> {
        let path = &reference.path;
        let call = match &reference.kind {
            Kind::Import { by_package } => {
                if *by_package {
                    self.doubt.get_or_insert(format!(
                        "a package offers `{name}` to others, who have to await it"
                    ));
                }
                return Ok(None);
            }
            Kind::Value(place) => {
                return Err(format!(
                    "`{name}` is passed on in {place}, and whoever gets it would have to await it"
                ));
            }
            Kind::Text(place) => {
                self.doubt.get_or_insert(format!(
                    "a text in {place} names `{name}`, and may lead to a call of it"
                ));
                return Ok(None);
            }
            Kind::Call(call) => call,
        };
        let place = || self.place(path, call.range);
        if !self.origin.project.is_given(path) {
            return Err(format!(
                "{} calls it and is not among the files given: `asyncfix --write .` in the project's \
                 folder changes both",
                place()
            ));
        }
        if let Some(obstacle) = &call.obstacle {
            return Err(format!("{} calls it: {obstacle}", place()));
        }
        if let Some(doubt) = &call.doubt {
            self.doubt.get_or_insert(doubt.clone());
        }
        let place = || self.place(path, call.range);
        let awaits = match (&call.used, is_generator) {
            (Use::AsyncLoop, true) | (Use::Coroutine, false) => return Ok(None),
            (Use::Loop(edit), true) if call.around != Around::Script => vec![edit.clone()],
            (Use::Value | Use::Loop(_) | Use::AsyncLoop, false) => call.awaits.clone(),
            (Use::Unclear(given), _) => {
                return Err(format!(
                    "whether `{given}` in {} is meant to be a coroutine is not known",
                    place()
                ));
            }
            (_, true) => {
                return Err(format!(
                    "{} uses the generator in another way than to loop over it",
                    place()
                ));
            }
        };
        match &call.around {
            Around::Coroutine => {
                self.edits_of(path).own.extend(awaits);
                Ok(None)
            }
            Around::Script => {
                self.start(path, call, Start::Script(path.clone()))?;
                Ok(None)
            }
            Around::Module => Err(format!(
                "{} calls it while the module is imported, and a loop may be running by then",
                place()
            )),
            Around::Lambda => Err(format!("{} calls it in a lambda", place())),
            Around::Plain(caller, caller_name) => {
                let references = self.references(*caller, caller_name)?;
                let mut kinds = references.iter().map(|reference| &reference.kind);
                let is_called = kinds.any(|kind| matches!(kind, Kind::Call(_)));
                let function = self.origin.semantics.function_of(*caller);
                let node = function
                    .as_ref()
                    .and_then(|function| function.node(self.origin.semantics.db()));
                if is_called || node.is_some_and(needs_coroutine) {
                    self.edits_of(path).own.extend(awaits);
                    return Ok(Some((*caller, caller_name.clone())));
                }
                // Nobody would await the caller: it is where the program starts, if nobody else runs it.
                let is_used = references
                    .iter()
                    .any(|reference| !matches!(reference.kind, Kind::Import { by_package: false }));
                if is_generator
                    || is_used
                    || node.is_none_or(|node| !node.decorator_list.is_empty())
                    || self.origin.semantics.is_in_class(*caller)
                    || self.is_in_package(*caller)
                {
                    return Err(format!(
                        "nothing in sight calls `{caller_name}`, which would have to be awaited"
                    ));
                }
                self.start(path, call, Start::Function(*caller))?;
                Ok(None)
            }
        }
    }

    /// Runs a call in an event loop of its own, which has to be the only one there.
    fn start(&mut self, path: &Path, call: &Call<'db>, start: Start<'db>) -> Result<(), String> {
        let other = self.started.insert(start, call.range);
        if call.repeats || other.is_some_and(|other| other != call.range) {
            return Err(format!(
                "{} calls it, and several coroutines want one event loop: put them into one \
                 coroutine function",
                self.place(path, call.range)
            ));
        }
        if self.runs_loop(path)? {
            return Err(format!(
                "{} calls it, and the file runs an event loop already: call it in there",
                self.place(path, call.range)
            ));
        }
        let (edits, import) = call.runs.clone()?;
        let into = self.edits_of(path);
        into.own.extend(edits);
        into.shared.extend(import);
        Ok(())
    }

    pub(super) fn edits_of(&mut self, path: &Path) -> &mut Edits {
        self.edits.entry(path.to_path_buf()).or_default()
    }

    /// A place for a message.
    fn place(&self, path: &Path, range: TextRange) -> String {
        let line = self.with_file(path, |file| line_of(file, range));
        format!("{}:{}", self.shown(path), line.unwrap_or_default())
    }

    /// A path for a message: from the folder on that the files have in common.
    fn shown(&self, path: &Path) -> String {
        let own = self.origin.semantics.path().and_then(Path::parent);
        let shown = own.and_then(|folder| path.strip_prefix(folder).ok());
        let shown = shown.unwrap_or_else(|| path.file_name().map_or(path, Path::new));
        shown.display().to_string()
    }

    /// The method of this name, behind that of its class, in the file at `path`.
    fn method(&self, path: &Path, qualified: &str) -> Result<Definition<'db>, String> {
        self.with_file(path, |file| {
            let mut body = file.body();
            let mut parts = qualified.split('.').peekable();
            while let Some(part) = parts.next() {
                if parts.peek().is_none() {
                    return body.iter().find_map(|statement| match statement {
                        ast::Stmt::FunctionDef(function) if function.name.as_str() == part => {
                            file.semantics.definition_of(function)
                        }
                        _ => None,
                    });
                }
                body = body.iter().find_map(|statement| match statement {
                    ast::Stmt::ClassDef(class) if class.name.as_str() == part => {
                        Some(class.body.as_slice())
                    }
                    _ => None,
                })?;
            }
            None
        })?
        .ok_or_else(|| format!("`{qualified}` would have to change too, and is not found"))
    }

    /// Writes `async` before the `def`. `is_member` where the function only changes because another one
    /// of its name does. `Err` with the reason why the function cannot be a coroutine
    /// function.
    fn make_async(&mut self, of: Definition<'db>, is_member: bool) -> Result<Converted, String> {
        let path = self
            .origin
            .semantics
            .file_of(of)
            .ok_or("a function it would have to change is not on disk")?;
        if !self.origin.project.is_given(&path) {
            return Err(format!(
                "`{}` would have to change and is not among the files given: `asyncfix --write .` in \
                 the project's folder changes both",
                self.shown(&path)
            ));
        }
        let project = self.origin.project;
        let (edit, made) = self.with_file(&path, |file| {
            let found = file.semantics.function_of(of);
            let function = found
                .as_ref()
                .and_then(|found| found.node(file.semantics.db()))
                .ok_or("a function it would have to change is not found")?;
            if file.semantics.has_other_definitions(of) {
                return Err(format!("`{}` is defined more than once", function.name));
            }
            if file.semantics.beside(&path.with_extension("pyi")).is_some() {
                return Err(format!(
                    "a stub describes `{}`, and would have to change too",
                    function.name
                ));
            }
            can_be_async(file, function)?;
            let doubt = match gives_awaitable(file, function) {
                Some(true) => {
                    return Err(format!(
                        "`{}` gives something to await already",
                        function.name
                    ));
                }
                Some(false) => None,
                // What a caller gives is mostly made of what it is given, and that is mended.
                None if !is_member => None,
                None => Some(format!(
                    "whether `{}` gives something to await already is not known",
                    function.name
                )),
            };
            let place = found
                .as_ref()
                .and_then(|found| file.semantics.place_of_function(found));
            let family = match place {
                Some((place, name)) => project.family(&place, &name)?,
                None => Vec::new(),
            };
            let keyword = file
                .tokens()
                .in_range(TextRange::new(function.start(), function.name.start()))
                .iter()
                .rfind(|token| token.kind() == TokenKind::Def)
                .map(Ranged::start)
                .ok_or("its `def` is not found")?;
            Ok::<_, String>((
                Edit::insertion("async ".to_owned(), keyword),
                Converted {
                    is_generator: yields(function),
                    is_called_elsewhere: is_called_elsewhere(file, function),
                    family,
                    doubt,
                },
            ))
        })??;
        self.edits_of(&path).own.push(edit);
        Ok(made)
    }
}

/// Whether a plain function that awaits nothing itself gives something to await: as a coroutine
/// function, it would have to be awaited twice. `None` where that is not known.
fn gives_awaitable(file: &File<'_, '_>, function: &ast::StmtFunctionDef) -> Option<bool> {
    struct Returns<'a>(Vec<&'a Expr>);
    impl<'a> SourceOrderVisitor<'a> for Returns<'a> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            match node {
                AnyNodeRef::StmtFunctionDef(_) | AnyNodeRef::StmtClassDef(_) => {
                    return TraversalSignal::Skip;
                }
                AnyNodeRef::StmtReturn(statement) => self.0.extend(statement.value.as_deref()),
                _ => {}
            }
            TraversalSignal::Traverse
        }
    }
    if needs_coroutine(function) || yields(function) {
        return Some(false);
    }
    let mut returns = Returns(Vec::new());
    returns.visit_body(&function.body);
    let mut is_known = true;
    for value in returns.0 {
        match file.semantics.awaitability(value.into()) {
            Awaitability::No => {}
            Awaitability::Unknown => is_known = false,
            _ => return Some(true),
        }
    }
    is_known.then_some(false)
}

/// Methods that Python itself awaits.
const AWAITED_BY_PYTHON: [&str; 3] = ["__aenter__", "__aexit__", "__anext__"];

/// Whether a decorator takes coroutine functions: in the same file, it stands before one.
fn takes_coroutines(file: &File<'_, '_>, callee: &Expr) -> bool {
    struct Search<'f, 'a, 'db> {
        file: &'f File<'a, 'db>,
        text: &'f str,
        is_found: bool,
    }
    impl<'a> SourceOrderVisitor<'a> for Search<'_, '_, '_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let AnyNodeRef::StmtFunctionDef(function) = node
                && function.is_async
            {
                self.is_found |= function
                    .decorator_list
                    .iter()
                    .any(|decorator| self.file.text(called(decorator)) == self.text);
            }
            if self.is_found || node.is_expression() {
                TraversalSignal::Skip
            } else {
                TraversalSignal::Traverse
            }
        }
    }
    let mut search = Search {
        file,
        text: file.text(callee),
        is_found: false,
    };
    search.visit_body(file.body());
    search.is_found
}

/// Whether somebody out of sight calls the function and awaits it.
fn is_called_elsewhere(file: &File<'_, '_>, function: &ast::StmtFunctionDef) -> bool {
    is_test(file, function)
        || AWAITED_BY_PYTHON.contains(&function.name.as_str())
        || function
            .decorator_list
            .iter()
            .any(|decorator| !file.semantics.means(called(decorator), &KEEPING))
}

/// Why a function cannot be a coroutine function, if it cannot.
fn can_be_async(file: &File<'_, '_>, function: &ast::StmtFunctionDef) -> Result<(), String> {
    let name = &function.name;
    if name.starts_with("__") && name.ends_with("__") && !AWAITED_BY_PYTHON.contains(&name.as_str())
    {
        return Err(format!(
            "Python itself calls `{name}`, and does not await it"
        ));
    }
    for decorator in &function.decorator_list {
        let callee = called(decorator);
        if file.semantics.means(callee, &["builtins.property"])
            || last_name(callee).is_some_and(|name| matches!(name, "setter" | "cached_property"))
        {
            return Err(format!("`{name}` is a property, whose value nobody awaits"));
        }
        if !file.semantics.means(callee, &KEEPING) && !takes_coroutines(file, callee) {
            return Err(format!(
                "the decorator `{}` of `{name}` may not take a coroutine function",
                file.text(callee)
            ));
        }
    }
    if is_test(file, function) && !runs_async_tests(file) {
        return Err(format!(
            "`{name}` is a test, and its runner would skip a coroutine function"
        ));
    }
    if yields(function) && returns_value(function) {
        return Err(format!(
            "`{name}` is a generator that returns a value, and an asynchronous one cannot"
        ));
    }
    Ok(())
}

/// Whether a test runner calls the function.
fn is_test(file: &File<'_, '_>, function: &ast::StmtFunctionDef) -> bool {
    let is_test_file = file
        .semantics
        .path()
        .and_then(Path::file_stem)
        .and_then(|stem| stem.to_str())
        .is_some_and(|stem| stem.starts_with("test_") || stem.ends_with("_test"));
    function.name.starts_with("test_") && is_test_file
        || matches!(function.name.as_str(), "setUp" | "tearDown")
}

/// Whether the file is set up for tests that are coroutine functions.
fn runs_async_tests(file: &File<'_, '_>) -> bool {
    file.source.contains("IsolatedAsyncioTestCase")
        || file.source.lines().any(|line| {
            line.starts_with("pytestmark") && (line.contains("asyncio") || line.contains("anyio"))
        })
}

fn returns_value(function: &ast::StmtFunctionDef) -> bool {
    struct Returns(bool);
    impl<'a> SourceOrderVisitor<'a> for Returns {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            match node {
                AnyNodeRef::StmtFunctionDef(_) | AnyNodeRef::StmtClassDef(_) => {
                    return TraversalSignal::Skip;
                }
                AnyNodeRef::StmtReturn(statement) => self.0 |= statement.value.is_some(),
                AnyNodeRef::ExprYieldFrom(_) => self.0 = true,
                _ => {}
            }
            TraversalSignal::Traverse
        }
    }
    let mut search = Returns(false);
    search.visit_body(&function.body);
    search.0
}

/// The number of the line that something starts on.
fn line_of(file: &File<'_, '_>, at: impl Ranged) -> usize {
    let before = file.source.get(..at.start().to_usize());
    before.unwrap_or_default().matches('\n').count() + 1
}

/// Finds the places of a file that name a function.
struct Search<'s, 'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    of: Definition<'db>,
    name: &'s str,
    path: &'s Path,
    ancestors: Vec<AnyNodeRef<'a>>,
    found: Vec<Reference<'db>>,
    /// Why not every place can be told.
    unclear: Option<String>,
}

impl<'a> SourceOrderVisitor<'a> for Search<'_, '_, 'a, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::ExprName(name) if name.id == self.name && name.ctx.is_load() => {
                self.name_or_attribute(node);
            }
            AnyNodeRef::ExprAttribute(attribute) if attribute.attr.as_str() == self.name => {
                if attribute.ctx.is_load() {
                    self.name_or_attribute(node);
                } else {
                    let place = self.place(node);
                    self.unclear
                        .get_or_insert(format!("`{}` is replaced in {place}", self.name));
                }
            }
            AnyNodeRef::Alias(alias) if alias.name.as_str() == self.name => self.import(alias),
            AnyNodeRef::ExprStringLiteral(text) => self.text(text),
            _ => {}
        }
        self.ancestors.push(node);
        TraversalSignal::Traverse
    }

    fn leave_node(&mut self, _node: AnyNodeRef<'a>) {
        self.ancestors.pop();
    }
}

impl<'a, 'db> Search<'_, '_, 'a, 'db> {
    fn add(&mut self, kind: Kind<'db>) {
        self.found.push(Reference {
            path: self.path.to_path_buf(),
            kind,
        });
    }

    /// A name in a text: in `__all__`, or for `getattr` or a test that replaces it.
    fn text(&mut self, text: &ast::ExprStringLiteral) {
        let value = text.value.to_str();
        let is_path = value
            .strip_suffix(self.name)
            .is_some_and(|before| before.ends_with(['.', ':']));
        if value != self.name && !is_path {
            return;
        }
        let statement = self.ancestors.iter().rev().find(|node| node.is_statement());
        let is_listed = statement.is_some_and(|statement| {
            self.file
                .text(*statement)
                .trim_start()
                .starts_with("__all__")
        });
        let is_given = is_path
            || matches!(
                self.ancestors.last(),
                Some(AnyNodeRef::Arguments(_) | AnyNodeRef::ExprSubscript(_))
            );
        if is_listed {
            self.add(Kind::Import { by_package: true });
        } else if is_given {
            let place = self.place(text);
            self.add(Kind::Text(place));
        }
    }

    fn place(&self, at: impl Ranged) -> String {
        let line = line_of(self.file, at);
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        format!("{name}:{line}")
    }

    fn import(&mut self, alias: &ast::Alias) {
        // Something else may have the name too.
        let own = self.file.semantics.file_of(self.of);
        let is_own = |module: &str| {
            let last = module.rsplit('.').next().unwrap_or_default();
            own.as_ref().is_some_and(|own| {
                own.with_extension("")
                    .iter()
                    .any(|component| component == last)
            })
        };
        match self.ancestors.last() {
            Some(AnyNodeRef::StmtImportFrom(import))
                if import.module.as_deref().is_none_or(is_own) => {}
            _ => return,
        }
        if alias
            .asname
            .as_ref()
            .is_some_and(|other| other.as_str() != self.name)
        {
            let place = self.place(alias);
            self.unclear
                .get_or_insert(format!("it is imported under another name in {place}"));
        }
        self.add(Kind::Import {
            by_package: self.file.is_package,
        });
    }

    fn name_or_attribute(&mut self, node: AnyNodeRef<'a>) {
        let Some(expr) = node.as_expr_ref() else {
            return;
        };
        let site = Site {
            ancestors: &self.ancestors,
            node,
        };
        let meant = self.file.semantics.definitions_named(expr);
        let is_unclear = match meant.as_slice() {
            [one] if *one == self.of => false,
            // One of several, or what anything with such a method may be.
            several if several.contains(&self.of) => true,
            [_, ..] => {
                let is_protocol = |one: &Definition<'db>| self.file.semantics.is_in_protocol(*one);
                if !meant.iter().any(is_protocol) {
                    return;
                }
                true
            }
            [] => match expr {
                ast::ExprRef::Attribute(attribute) if self.may_be_method(attribute) => true,
                // Nothing in the file binds it: it comes from a star import.
                ast::ExprRef::Name(name)
                    if self
                        .file
                        .semantics
                        .bindings(name)
                        .is_none_or(|all| all.is_empty()) =>
                {
                    true
                }
                _ => return,
            },
        };
        if is_unclear {
            let place = self.place(node);
            self.unclear.get_or_insert(format!(
                "whether `{}` in {place} is this function is not known",
                self.file.text(node)
            ));
            return;
        }
        let call = match site.parent() {
            Some(AnyNodeRef::ExprCall(call)) if call.func.range() == node.range() => call,
            _ => {
                let place = self.place(node);
                self.add(Kind::Value(place));
                return;
            }
        };
        let Some(outer) = site.outer() else {
            return;
        };
        let kind = self.call(call, &outer);
        self.add(Kind::Call(kind));
    }

    /// Whether an attribute of which nothing is known may be the method that is asked about.
    fn may_be_method(&self, attribute: &ast::ExprAttribute) -> bool {
        let semantics = &self.file.semantics;
        // What is imported is a module or a class, and no instance of one; nor is a text.
        semantics.is_in_class(self.of)
            && semantics.qualified_name(&attribute.value).is_none()
            && semantics.class_of(&attribute.value) != ClassOf::Other
    }

    fn call(&self, call: &'a ast::ExprCall, site: &Site<'_, 'a>) -> Call<'db> {
        let file = self.file;
        let surroundings = file.surroundings(site);
        let around = match surroundings.owner {
            Owner::Function(function) if function.is_async => Around::Coroutine,
            Owner::Function(function) => match file.semantics.definition_of(function) {
                Some(definition) => Around::Plain(definition, function.name.to_string()),
                None => Around::Lambda,
            },
            Owner::Lambda(_) => Around::Lambda,
            Owner::Module if file.awaits_at_top_level() => Around::Coroutine,
            Owner::Module => {
                let is_guarded = site.enclosing_in_function().any(|(node, child)| {
                    matches!(node, AnyNodeRef::StmtIf(statement) if is_main_guard(statement, child))
                });
                if is_guarded || !file.is_imported() {
                    Around::Script
                } else {
                    Around::Module
                }
            }
        };
        let obstacle = surroundings.obstacle.map(Obstacle::reason);
        let held = locks::allow_await(file, site, surroundings.owner);
        // It runs when somebody asks for more, and then as what it is: no asynchronous one.
        let is_lazy = matches!(
            site.outer().and_then(|site| site.parent()),
            Some(AnyNodeRef::ExprGenerator(_))
        );
        let looped = match site.parent() {
            _ if is_lazy => None,
            Some(AnyNodeRef::StmtFor(statement)) if statement.iter.range() == call.range() => {
                Some((statement.start(), statement.is_async))
            }
            Some(AnyNodeRef::Comprehension(clause)) if clause.iter.range() == call.range() => {
                Some((clause.start(), clause.is_async))
            }
            _ => None,
        };
        let used = match looped {
            Some((_, true)) => Use::AsyncLoop,
            Some((at, false)) => Use::Loop(Edit::insertion("async ".to_owned(), at)),
            None if is_lazy => Use::Value,
            None => use_of(file, site, surroundings.owner, VARIABLES),
        };
        Call {
            range: call.range(),
            obstacle: obstacle.map(str::to_owned).or(held.as_ref().err().cloned()),
            doubt: held.ok().flatten(),
            around,
            repeats: repeats(site),
            used,
            awaits: file.await_edits(site, TextRange::empty(call.start()), ""),
            runs: run_edits(file, call.range(), call.start(), &call.func),
        }
    }
}

/// How many variables a value is followed through.
const VARIABLES: usize = 3;

/// What the code makes of the value at `site`, which is given on until it is used.
fn use_of<'a>(file: &File<'a, '_>, site: &Site<'_, 'a>, owner: Owner<'a>, variables: usize) -> Use {
    let unclear = || Use::Unclear(file.text(site.node).to_owned());
    for (node, child) in site.enclosing_in_function() {
        match node {
            AnyNodeRef::ExprAwait(_) => return Use::Coroutine,
            AnyNodeRef::ExprCall(call) if call.func.range() != child.range() => {
                return match taken_by(file, call, site.node.range()) {
                    Some(true) => Use::Coroutine,
                    Some(false) => Use::Value,
                    None => unclear(),
                };
            }
            AnyNodeRef::StmtAssign(statement) => {
                let [Expr::Name(name)] = statement.targets.as_slice() else {
                    return Use::Value;
                };
                return match variables.checked_sub(1) {
                    Some(left) => use_of_variable(file, name, owner, left),
                    None => unclear(),
                };
            }
            // It is given on as a part of something.
            AnyNodeRef::Arguments(_)
            | AnyNodeRef::Keyword(_)
            | AnyNodeRef::ExprStarred(_)
            | AnyNodeRef::ExprListComp(_)
            | AnyNodeRef::ExprSetComp(_)
            | AnyNodeRef::ExprGenerator(_)
            | AnyNodeRef::ExprList(_)
            | AnyNodeRef::ExprSet(_)
            | AnyNodeRef::ExprTuple(_) => {}
            _ => return Use::Value,
        }
    }
    Use::Value
}

/// The same, for all that is made of a variable in the code of `owner`.
fn use_of_variable<'a>(
    file: &File<'a, '_>,
    name: &'a ast::ExprName,
    owner: Owner<'a>,
    variables: usize,
) -> Use {
    struct Uses<'f, 'a, 'db> {
        file: &'f File<'a, 'db>,
        name: &'a str,
        binding: TextRange,
        owner: Owner<'a>,
        variables: usize,
        ancestors: Vec<AnyNodeRef<'a>>,
        found: Vec<Use>,
    }
    impl<'a> SourceOrderVisitor<'a> for Uses<'_, 'a, '_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let AnyNodeRef::ExprName(name) = node
                && name.id == self.name
                && name.ctx.is_load()
                && self.may_be_it(name)
            {
                let site = Site {
                    ancestors: &self.ancestors,
                    node,
                };
                let used = use_of(self.file, &site, self.owner, self.variables);
                self.found.push(used);
            }
            self.ancestors.push(node);
            TraversalSignal::Traverse
        }

        fn leave_node(&mut self, _node: AnyNodeRef<'a>) {
            self.ancestors.pop();
        }
    }
    impl Uses<'_, '_, '_> {
        /// Whether a use of the name may find what is assigned here.
        fn may_be_it(&self, name: &ast::ExprName) -> bool {
            let semantics = &self.file.semantics;
            semantics.bindings(name).is_none_or(|definitions| {
                definitions.iter().any(|definition| {
                    semantics
                        .definition_range(*definition)
                        .is_none_or(|range| range.contains_range(self.binding))
                })
            })
        }
    }
    let (body, around) = match owner {
        Owner::Function(function) => (
            function.body.as_slice(),
            AnyNodeRef::StmtFunctionDef(function),
        ),
        _ => (file.body(), AnyNodeRef::ModModule(file.syntax())),
    };
    let mut uses = Uses {
        file,
        name: &name.id,
        binding: name.range(),
        owner,
        variables,
        ancestors: vec![around],
        found: Vec::new(),
    };
    uses.visit_body(body);
    let coroutines = uses
        .found
        .iter()
        .filter(|used| matches!(used, Use::Coroutine));
    if uses.found.is_empty() || uses.found.iter().all(|used| matches!(used, Use::Value)) {
        Use::Value
    } else if coroutines.count() == uses.found.len() {
        Use::Coroutine
    } else {
        Use::Unclear(name.id.to_string())
    }
}

/// Whether a call takes the argument at `range` for a coroutine, and not for the value it gives. `None`
/// where that cannot be told.
fn taken_by(file: &File<'_, '_>, call: &ast::ExprCall, range: TextRange) -> Option<bool> {
    if let Some(position) = callee::takes_coroutine(&file.semantics, &call.func) {
        let index = call
            .arguments
            .args
            .iter()
            .position(|argument| argument.range().contains_range(range));
        return Some(match position {
            Position::Every => true,
            Position::First => index == Some(0),
        });
    }
    let path = file.semantics.qualified_name(&call.func);
    let package = path.as_deref().and_then(|path| path.split('.').next());
    match package {
        // Whatever is given to these may be awaited, or handed back.
        Some("anyio" | "trio" | "contextlib" | "functools") => return None,
        Some(package) if package == "builtins" || is_stdlib(package) => return Some(false),
        _ => {}
    }
    let arguments = &call.arguments;
    let holds = |expr: &Expr| expr.range().contains_range(range);
    let signature = Signature::of(&file.semantics, &call.func, arguments.args.len())?;
    let db = file.semantics.db();
    if let Some(index) = arguments.args.iter().position(holds) {
        return signature.takes_awaitable(db, index, None);
    }
    let mut keywords = arguments.keywords.iter();
    let keyword = keywords.find(|keyword| holds(&keyword.value))?;
    signature.takes_awaitable(db, 0, keyword.arg.as_deref())
}

/// Whether code at `site` may run more than once each time the function around it does.
pub(super) fn repeats(site: &Site<'_, '_>) -> bool {
    site.enclosing_in_function()
        .any(|(node, child)| match node {
            AnyNodeRef::StmtFor(statement) => statement.iter.range() != child.range(),
            AnyNodeRef::StmtWhile(_)
            | AnyNodeRef::ExprGenerator(_)
            | AnyNodeRef::ExprListComp(_)
            | AnyNodeRef::ExprSetComp(_)
            | AnyNodeRef::ExprDictComp(_) => true,
            _ => false,
        })
}

/// The edits, and the import, that write `asyncio.run(…)` over `before` and behind `range`. `head` is an
/// expression of the scope.
pub(super) fn run_edits(
    file: &File<'_, '_>,
    range: TextRange,
    before: TextSize,
    head: &Expr,
) -> Result<(Vec<Edit>, Option<Edit>), String> {
    if !matches!(file.library(), Some(Library::Asyncio)) {
        return Err(
            "only asyncio's loop can be started here, and the code uses another library".to_owned(),
        );
    }
    if file
        .comments
        .intersects(TextRange::new(range.start(), before))
    {
        return Err("a comment would be lost".to_owned());
    }
    let scope = file
        .semantics
        .scope_of(head)
        .ok_or("the scope of the call is not known")?;
    let imported = imports::import(file, "asyncio", "run", scope, range.start())?;
    let open = Edit::range_replacement(
        format!("{}(", imported.expression),
        TextRange::new(range.start(), before),
    );
    let close = Edit::insertion(")".to_owned(), range.end());
    Ok((vec![open, close], imported.edit))
}

/// What only a coroutine function may hold, directly in the body of a plain one.
pub(super) struct Awaited<'a> {
    /// The `await`s.
    pub(super) awaits: Vec<&'a ast::ExprAwait>,
    /// `async for` and `async with`, and asynchronous comprehensions: the place of the first.
    pub(super) other: Option<TextRange>,
}

/// Everything in the body of `function` that needs a coroutine function.
pub(super) fn awaited_in(function: &ast::StmtFunctionDef) -> Awaited<'_> {
    struct Collect<'a>(Awaited<'a>);
    impl<'a> SourceOrderVisitor<'a> for Collect<'a> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            let other = match node {
                AnyNodeRef::StmtFunctionDef(_)
                | AnyNodeRef::StmtClassDef(_)
                | AnyNodeRef::ExprLambda(_)
                // It is legal there: the generator is an asynchronous one.
                | AnyNodeRef::ExprGenerator(_) => return TraversalSignal::Skip,
                AnyNodeRef::ExprAwait(expr) => {
                    self.0.awaits.push(expr);
                    None
                }
                AnyNodeRef::StmtFor(statement) if statement.is_async => Some(statement.range()),
                AnyNodeRef::StmtWith(statement) if statement.is_async => Some(statement.range()),
                AnyNodeRef::Comprehension(clause) if clause.is_async => Some(clause.range()),
                _ => None,
            };
            if let Some(range) = other {
                let range = TextRange::at(range.start(), TextSize::of("async"));
                self.0.other.get_or_insert(range);
            }
            TraversalSignal::Traverse
        }
    }
    let mut collect = Collect(Awaited {
        awaits: Vec::new(),
        other: None,
    });
    collect.visit_body(&function.body);
    collect.0
}

/// Whether the function holds something that needs a coroutine function.
pub(super) fn needs_coroutine(function: &ast::StmtFunctionDef) -> bool {
    let found = awaited_in(function);
    !found.awaits.is_empty() || found.other.is_some()
}
