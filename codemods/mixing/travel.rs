//! Making coroutine functions of plain ones, and of everything that calls them, through all files.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};

use ruff_db::parsed::parsed_module;
use ruff_db::source::source_text;
use ruff_diagnostics::Edit;
use ruff_python_ast::token::TokenKind;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr};
use ruff_text_size::{Ranged, TextRange, TextSize};
use rustc_hash::FxHashMap;
use ty_python_core::definition::Definition;

use crate::concurrency::signature::Signature;
use crate::file::File;
use crate::mixing::is_main_guard;
use crate::outline::{last_name, yields};
use crate::project::Library;
use crate::semantics::{Awaitability, ClassOf};
use crate::site::{Owner, Site};
use crate::support::imports;
use crate::traces::scopes::is_stdlib;

/// The edits of one file.
#[derive(Default)]
pub(super) struct Edits {
    pub(super) own: Vec<Edit>,
    pub(super) shared: Vec<Edit>,
}

/// What has to change so that some functions can be coroutine functions.
pub(super) struct Travel<'f, 'a, 'db> {
    origin: &'f File<'a, 'db>,
    /// The references to each function that was asked about.
    known: FxHashMap<Definition<'db>, Vec<Reference<'db>>>,
    pub(super) edits: BTreeMap<PathBuf, Edits>,
    /// Why all this is unsafe.
    pub(super) doubt: Option<String>,
    /// Where the program starts: a place that runs a new event loop, which has to be the only one.
    started: FxHashMap<Start<'db>, TextRange>,
}

/// What a function is that was made a coroutine function.
struct Made {
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
pub(super) struct Reference<'db> {
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
}

/// A call of the function.
#[derive(Clone)]
struct Call<'db> {
    range: TextRange,
    line: usize,
    around: Around<'db>,
    /// Why no `await` may stand here.
    obstacle: Option<String>,
    /// Whether it stands in a loop or a comprehension.
    repeats: bool,
    /// What becomes of what it gives.
    form: Form,
    /// The edits that await it here.
    awaits: Vec<Edit>,
    /// The edits, and the import, that run it in a new event loop here.
    runs: Result<(Vec<Edit>, Option<Edit>), String>,
}

/// What the code does with what a call gives.
#[derive(Clone)]
enum Form {
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

impl<'f, 'a, 'db> Travel<'f, 'a, 'db> {
    pub(super) fn new(origin: &'f File<'a, 'db>) -> Self {
        Self {
            origin,
            known: FxHashMap::default(),
            edits: BTreeMap::new(),
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
        let text = source_text(db, python_file.file(db));
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
    fn references(&mut self, of: Definition<'db>, name: &str) -> Result<(), String> {
        if self.known.contains_key(&of) {
            return Ok(());
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
                    doubt: None,
                };
                search.visit_body(file.body());
                match search.doubt {
                    Some(reason) => Err(reason),
                    None => Ok(search.found),
                }
            })??;
            all.extend(found);
        }
        self.known.insert(of, all);
        Ok(())
    }

    /// Whether the function only runs where a script starts: its callers, and theirs, are plain
    /// functions up to the top level of a script, or up to one that nothing in sight calls.
    pub(super) fn is_plain_program(
        &mut self,
        function: Definition<'db>,
        name: &str,
    ) -> Result<bool, String> {
        let mut seen = vec![function];
        let mut pending = vec![(function, name.to_owned())];
        while let Some((function, name)) = pending.pop() {
            // A method is called by who knows whom.
            if self.origin.semantics.is_in_class(function) {
                return Ok(false);
            }
            self.references(function, &name)?;
            let references = self.known.get(&function).into_iter().flatten();
            let mut is_called = false;
            for reference in references {
                let call = match &reference.kind {
                    Kind::Call(call) => call,
                    Kind::Import { by_package: false } => continue,
                    Kind::Import { by_package: true } | Kind::Value(_) => return Ok(false),
                };
                is_called = true;
                match &call.around {
                    _ if matches!(call.form, Form::Coroutine | Form::AsyncLoop) => {
                        return Ok(false);
                    }
                    Around::Script => {}
                    Around::Plain(caller, name) => {
                        if !seen.contains(caller) {
                            seen.push(*caller);
                            pending.push((*caller, name.clone()));
                        }
                    }
                    Around::Coroutine | Around::Module | Around::Lambda => return Ok(false),
                }
            }
            // Whoever uses a package may do so while a loop is running.
            if !is_called && self.is_in_package(function) {
                return Ok(false);
            }
        }
        Ok(true)
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
        let mut done = vec![function];
        let mut pending = VecDeque::from([(function, name.to_owned())]);
        let mut members = Vec::new();
        while let Some((function, name)) = pending.pop_front() {
            let Made {
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
                if !done.contains(&member) {
                    done.push(member);
                    members.push(member);
                    pending.push_back((member, name.clone()));
                }
            }
            self.references(function, &name)?;
            let references = self.known.get(&function).cloned().unwrap_or_default();
            let calls = references
                .iter()
                .filter(|reference| matches!(reference.kind, Kind::Call(_)));
            if calls.count() == 0 && is_alone && !is_called_elsewhere {
                self.doubt.get_or_insert(format!(
                    "nothing in sight calls `{name}`: whoever does has to await it"
                ));
            }
            for reference in references {
                let caller = self.mend(&name, &reference, is_generator)?;
                if let Some((caller, name)) = caller
                    && !done.contains(&caller)
                {
                    done.push(caller);
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
            Kind::Call(call) => call.clone(),
        };
        let place = || format!("{}:{}", self.shown(path), call.line);
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
        let awaits = match (&call.form, is_generator) {
            (Form::AsyncLoop, true) | (Form::Coroutine, false) => return Ok(None),
            (Form::Loop(edit), true) if call.around != Around::Script => vec![edit.clone()],
            (Form::Value | Form::Loop(_) | Form::AsyncLoop, false) => call.awaits.clone(),
            (Form::Unclear(given), _) => {
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
                self.start(path, &call, Start::Script(path.clone()))?;
                Ok(None)
            }
            Around::Module => Err(format!(
                "{} calls it while the module is imported, and a loop may be running by then",
                place()
            )),
            Around::Lambda => Err(format!("{} calls it in a lambda", place())),
            Around::Plain(caller, caller_name) => {
                self.references(*caller, caller_name)?;
                let is_called = self
                    .known
                    .get(caller)
                    .is_some_and(|all| all.iter().any(|one| matches!(one.kind, Kind::Call(_))));
                let function = self.origin.semantics.function_of(*caller);
                let awaits_itself = function
                    .as_ref()
                    .and_then(|function| function.node(self.origin.semantics.db()))
                    .is_some_and(needs_coroutine);
                if is_called || awaits_itself {
                    self.edits_of(path).own.extend(awaits);
                    return Ok(Some((*caller, caller_name.clone())));
                }
                // Nobody would await the caller: it is where the program starts.
                if is_generator {
                    return Err(format!(
                        "nothing in sight calls `{caller_name}`, which would have to be awaited"
                    ));
                }
                self.start(path, &call, Start::Function(*caller))?;
                Ok(None)
            }
        }
    }

    /// Runs a call in an event loop of its own, which has to be the only one there.
    fn start(&mut self, path: &Path, call: &Call<'db>, start: Start<'db>) -> Result<(), String> {
        let other = self.started.insert(start, call.range);
        if call.repeats || other.is_some_and(|other| other != call.range) {
            return Err(format!(
                "{}:{} calls it, and several coroutines want one event loop: put them into one \
                 coroutine function",
                self.shown(path),
                call.line
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
    fn make_async(&mut self, of: Definition<'db>, is_member: bool) -> Result<Made, String> {
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
                Made {
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

/// Decorators that leave a function what it is.
const TRANSPARENT: [&str; 4] = [
    "builtins.staticmethod",
    "builtins.classmethod",
    "typing.override",
    "typing.final",
];

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
const AWAITED: [&str; 3] = ["__aenter__", "__aexit__", "__anext__"];

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

/// What a decorator is, without the arguments it is called with.
fn called(decorator: &ast::Decorator) -> &Expr {
    match &decorator.expression {
        Expr::Call(call) => &call.func,
        other => other,
    }
}

/// Whether somebody out of sight calls the function and awaits it.
fn is_called_elsewhere(file: &File<'_, '_>, function: &ast::StmtFunctionDef) -> bool {
    is_test(file, function)
        || AWAITED.contains(&function.name.as_str())
        || function
            .decorator_list
            .iter()
            .any(|decorator| !file.semantics.means(called(decorator), &TRANSPARENT))
}

/// Why a function cannot be a coroutine function, if it cannot.
fn can_be_async(file: &File<'_, '_>, function: &ast::StmtFunctionDef) -> Result<(), String> {
    let name = &function.name;
    if name.starts_with("__") && name.ends_with("__") && !AWAITED.contains(&name.as_str()) {
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
        if !file.semantics.means(callee, &TRANSPARENT) && !takes_coroutines(file, callee) {
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

/// Finds the places of a file that name a function.
struct Search<'s, 'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    of: Definition<'db>,
    name: &'s str,
    path: &'s Path,
    ancestors: Vec<AnyNodeRef<'a>>,
    found: Vec<Reference<'db>>,
    doubt: Option<String>,
}

impl<'a> SourceOrderVisitor<'a> for Search<'_, '_, 'a, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::ExprName(name) if name.id == self.name && name.ctx.is_load() => {
                self.name_or_attribute(node);
            }
            AnyNodeRef::ExprAttribute(attribute)
                if attribute.attr.as_str() == self.name && attribute.ctx.is_load() =>
            {
                self.name_or_attribute(node);
            }
            AnyNodeRef::Alias(alias) if alias.name.as_str() == self.name => self.import(alias),
            AnyNodeRef::ExprStringLiteral(text) if text.value.to_str() == self.name => {
                let in_list = self.ancestors.iter().rev().any(|node| {
                    matches!(node, AnyNodeRef::StmtAssign(statement)
                        if statement.targets.iter().any(|target|
                            matches!(target, Expr::Name(name) if name.id == "__all__")))
                });
                if in_list {
                    self.add(Kind::Import { by_package: true });
                }
            }
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

    fn place(&self, at: impl Ranged) -> String {
        let line = self.line(at);
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        format!("{name}:{line}")
    }

    fn line(&self, at: impl Ranged) -> usize {
        let before = &self.file.source[..at.start().to_usize()];
        before.matches('\n').count() + 1
    }

    fn import(&mut self, alias: &ast::Alias) {
        if alias
            .asname
            .as_ref()
            .is_some_and(|other| other.as_str() != self.name)
        {
            let place = self.place(alias);
            self.doubt
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
        match self.file.semantics.function_named(expr) {
            Some(function) if function.definition() == self.of => {}
            Some(_) => return,
            None => {
                // A method of something unknown may be this one.
                if let ast::ExprRef::Attribute(attribute) = expr
                    && self.may_be_method(attribute)
                {
                    let place = self.place(node);
                    self.doubt.get_or_insert(format!(
                        "whether `{}` in {place} is this method is not known",
                        self.file.text(node)
                    ));
                }
                return;
            }
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

    /// Whether a method that is not told apart may be the one that is asked about: as far as the class
    /// of the receiver is known, it is another class that has it.
    fn may_be_method(&self, attribute: &ast::ExprAttribute) -> bool {
        let semantics = &self.file.semantics;
        let Some(class) = semantics.class_around(self.of) else {
            return false;
        };
        // What is imported is a module or a class, and no instance of one; nor is a text.
        if semantics.qualified_name(&attribute.value).is_some()
            || semantics.class_of(&attribute.value) == ClassOf::Other
        {
            return false;
        }
        let classes = semantics.classes_up_to(&attribute.value, self.name);
        classes
            .last()
            .and_then(|path| path.rsplit('.').next())
            .is_none_or(|owner| owner == class)
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
                let is_guarded = site.enclosing_in_function().any(|(node, _)| {
                    matches!(node, AnyNodeRef::StmtIf(statement) if is_main_guard(statement))
                });
                if is_guarded || !file.is_imported() {
                    Around::Script
                } else {
                    Around::Module
                }
            }
        };
        let looped = match site.parent() {
            Some(AnyNodeRef::StmtFor(statement)) if statement.iter.range() == call.range() => {
                Some((statement.start(), statement.is_async))
            }
            Some(AnyNodeRef::Comprehension(clause)) if clause.iter.range() == call.range() => {
                Some((clause.start(), clause.is_async))
            }
            _ => None,
        };
        let form = match looped {
            Some((_, true)) => Form::AsyncLoop,
            Some((at, false)) => Form::Loop(Edit::insertion("async ".to_owned(), at)),
            None => form_of(file, site, surroundings.owner, VARIABLES),
        };
        Call {
            range: call.range(),
            line: self.line(call),
            around,
            obstacle: surroundings
                .obstacle
                .map(|obstacle| obstacle.reason().to_owned()),
            repeats: repeats(site),
            form,
            awaits: file.await_edits(site, TextRange::empty(call.start()), ""),
            runs: run_edits(file, call.range(), call.start(), &call.func),
        }
    }
}

/// Methods of loops and task groups that take a coroutine.
const TAKERS: [&str; 5] = [
    "create_task",
    "ensure_future",
    "run_coroutine_threadsafe",
    "run_until_complete",
    "start_soon",
];

/// How many variables a value is followed through.
const VARIABLES: usize = 3;

/// What the code makes of the value at `site`, which is given on until it is used.
fn form_of<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    owner: Owner<'a>,
    variables: usize,
) -> Form {
    let unclear = || Form::Unclear(file.text(site.node).to_owned());
    for (node, child) in site.enclosing_in_function() {
        match node {
            AnyNodeRef::ExprAwait(_) => return Form::Coroutine,
            AnyNodeRef::ExprCall(call) if call.func.range() != child.range() => {
                return match taken_by(file, call, site.node.range()) {
                    Some(true) => Form::Coroutine,
                    Some(false) => Form::Value,
                    None => unclear(),
                };
            }
            AnyNodeRef::StmtAssign(statement) => {
                let [Expr::Name(name)] = statement.targets.as_slice() else {
                    return Form::Value;
                };
                return match variables.checked_sub(1) {
                    Some(left) => form_of_variable(file, name, owner, left),
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
            _ => return Form::Value,
        }
    }
    Form::Value
}

/// The same, for all that is made of a variable in the code of `owner`.
fn form_of_variable<'a>(
    file: &File<'a, '_>,
    name: &'a ast::ExprName,
    owner: Owner<'a>,
    variables: usize,
) -> Form {
    struct Uses<'f, 'a, 'db> {
        file: &'f File<'a, 'db>,
        name: &'a str,
        owner: Owner<'a>,
        variables: usize,
        ancestors: Vec<AnyNodeRef<'a>>,
        form: Form,
    }
    impl<'a> SourceOrderVisitor<'a> for Uses<'_, 'a, '_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let AnyNodeRef::ExprName(name) = node
                && name.id == self.name
                && name.ctx.is_load()
            {
                let site = Site {
                    ancestors: &self.ancestors,
                    node,
                };
                match form_of(self.file, &site, self.owner, self.variables) {
                    Form::Coroutine => self.form = Form::Coroutine,
                    unclear @ Form::Unclear(_) if matches!(self.form, Form::Value) => {
                        self.form = unclear;
                    }
                    _ => {}
                }
            }
            self.ancestors.push(node);
            TraversalSignal::Traverse
        }

        fn leave_node(&mut self, _node: AnyNodeRef<'a>) {
            self.ancestors.pop();
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
        owner,
        variables,
        ancestors: vec![around],
        form: Form::Value,
    };
    uses.visit_body(body);
    uses.form
}

/// Whether a call takes the argument at `range` for a coroutine, and not for the value it gives. `None`
/// where that cannot be told.
fn taken_by(file: &File<'_, '_>, call: &ast::ExprCall, range: TextRange) -> Option<bool> {
    let path = file.semantics.qualified_name(&call.func);
    let package = path.as_deref().and_then(|path| path.split('.').next());
    match package {
        Some("asyncio" | "anyio" | "contextlib") => return Some(true),
        Some(package) if package == "builtins" || is_stdlib(package) => return Some(false),
        _ => {}
    }
    let is_method = call.func.is_attribute_expr();
    if is_method && last_name(&call.func).is_some_and(|name| TAKERS.contains(&name)) {
        return Some(true);
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
