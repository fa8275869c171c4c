//! Making coroutine functions of plain ones, and of everything that calls them, through all files.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use asyncfix_analysis::answers::callbacks::Caller;
use asyncfix_analysis::answers::under_loop::breaks;
use asyncfix_analysis::file::ParsedFile;
use asyncfix_analysis::resolve::Definition;
use asyncfix_syntax::awaited::needs_coroutine;
use asyncfix_syntax::queries::yields;
use ruff_db::parsed::parsed_module;
use ruff_db::source::source_text;
use ruff_diagnostics::Edit;
use ruff_python_ast::token::TokenKind;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::{FxHashMap, FxHashSet};

use super::edges::around_calls;
use super::may_be_async::{
    can_be_async, gives_awaitable, is_called_elsewhere, is_handler, is_in_test_case, is_test,
};
use super::references::{Around, Call, Kind, Reference, Use, line_of, references_in};
use super::run_in_helper::Chain;
use crate::edit::rewrite::in_order;
use crate::file::File;
use crate::finding::{Elsewhere, Rewrite};

/// Why it may be wrong to await a call whose value is given on.
pub(super) fn unclear(given: &str, place: &str) -> String {
    format!("`{given}` in {place} may be meant to be a coroutine")
}

/// The edits of one file.
#[derive(Default)]
pub(super) struct Edits {
    pub(super) own: Vec<Edit>,
    pub(super) shared: Vec<Edit>,
}

/// What has to change so that some functions can be coroutine functions.
pub(super) struct Conversion<'f, 'a, 'db> {
    pub(super) origin: &'f File<'a, 'db>,
    pub(super) edits: BTreeMap<PathBuf, Edits>,
    /// The functions that become coroutine functions.
    pub(super) functions: FxHashSet<Definition<'db>>,
    /// Why all this is unsafe.
    pub(super) doubt: Option<String>,
    /// Where the program starts: a place that runs a new event loop, which has to be the only one.
    started: FxHashMap<Start<'db>, TextRange>,
    /// Whether what several calls at the top level of the file want can be one event loop around them.
    pub(super) may_run_together: bool,
    /// Such calls.
    together: Vec<TextRange>,
}

/// What is known from the findings of a file that were looked at before.
#[derive(Default)]
pub struct Memory<'db> {
    /// The places that name each function that was asked about.
    references: RefCell<References<'db>>,
    /// The functions that were asked whether they want an event loop, each with the answer.
    pub(super) wanting: RefCell<FxHashMap<Definition<'db>, bool>>,
    /// The ways from functions to what runs a loop, by how many more functions were followed.
    pub(super) chains: RefCell<FxHashMap<(Definition<'db>, usize), Option<Chain>>>,
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
    /// Whether a framework does, whose object has taken the place of the function.
    is_handler: bool,
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

impl<'f, 'a, 'db> Conversion<'f, 'a, 'db> {
    pub(super) fn new(origin: &'f File<'a, 'db>) -> Self {
        Self {
            origin,
            edits: BTreeMap::new(),
            functions: FxHashSet::default(),
            doubt: None,
            started: FxHashMap::default(),
            may_run_together: false,
            together: Vec::new(),
        }
    }

    /// Prepares the file at `path` and asks `what` about it.
    pub(super) fn with_file<T>(
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
            ParsedFile::new(
                db,
                program_file,
                &module,
                text.as_str(),
                self.origin.settings,
                project,
                project.number_of(path).unwrap_or(self.origin.number),
            ),
            self.origin.writable,
        );
        Ok(what(&file))
    }

    /// Every place of the project that names the function.
    pub(super) fn references(
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
            let found = self.with_file(&path, |file| references_in(file, of, name, &path))??;
            all.extend(found);
        }
        let all = Rc::new(all);
        known.borrow_mut().insert(of, Rc::clone(&all));
        Ok(all)
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
                is_handler,
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
            let mut handed = references.iter();
            let is_handed_on = handed.any(|reference| {
                matches!(
                    reference.kind,
                    Kind::Value {
                        caller: Some(Caller::Awaits),
                        ..
                    }
                )
            });
            if calls.count() == 0 && is_alone && !is_called_elsewhere && !is_handed_on {
                self.doubt.get_or_insert(format!(
                    "no caller of `{name}` found; callers will have to `await` it"
                ));
            }
            for reference in &*references {
                if is_handler && matches!(reference.kind, Kind::Text(_)) {
                    continue;
                }
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
                        "`{name}` is part of the package's public API; its users would have to `await` it"
                    ));
                }
                return Ok(None);
            }
            Kind::Value {
                caller: Some(Caller::Awaits),
                ..
            } => return Ok(None),
            Kind::Value { place, .. } => {
                return Err(format!(
                    "`{name}` is passed as a callback in {place}, and the receiver would have to `await` it"
                ));
            }
            Kind::Text(place) => {
                self.doubt.get_or_insert(format!(
                    "a string in {place} contains the name `{name}` and may be used to call it"
                ));
                return Ok(None);
            }
            Kind::Call(call) => call,
        };
        let place = || self.place(path, call.range);
        if !self.origin.may_write(path) {
            return Err(format!(
                "{} calls it but was not passed to asyncfix; run `asyncfix --write .` in the project \
                 root to change both",
                place()
            ));
        }
        if let Some(obstacle) = &call.obstacle {
            return Err(format!(
                "the call in {} can't be changed: {obstacle}",
                place()
            ));
        }
        if let Some(doubt) = &call.doubt {
            self.doubt.get_or_insert(doubt.clone());
        }
        let place = self.place(path, call.range);
        let awaits = match (&call.used, is_generator) {
            (Use::AsyncLoop, true) | (Use::Coroutine, false) => return Ok(None),
            (Use::Loop(edit), true) if call.around != Around::Script => vec![edit.clone()],
            (Use::Value | Use::Loop(_) | Use::AsyncLoop, false) => call.awaits.clone(),
            (Use::Unclear(given), false) => {
                let doubt = unclear(given, &place);
                self.doubt.get_or_insert(doubt);
                call.awaits.clone()
            }
            (_, true) => {
                return Err(format!(
                    "{place} uses the generator other than in a `for` loop"
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
                "{place} calls it at import time, when an event loop may already be running"
            )),
            Around::Lambda => Err(format!("{place} calls it in a lambda")),
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
                        "no caller of `{caller_name}` found, and it would have to be awaited"
                    ));
                }
                self.start(path, call, Start::Function(*caller))?;
                Ok(None)
            }
        }
    }

    /// Runs a call in an event loop of its own, which has to be the only one there.
    fn start(&mut self, path: &Path, call: &Call<'db>, start: Start<'db>) -> Result<(), String> {
        if self.runs_loop(path)? {
            return Err(format!(
                "the file of {} already runs an event loop; call it from there",
                self.place(path, call.range)
            ));
        }
        if let Some(doubt) = self.may_run_loop(path)? {
            self.doubt.get_or_insert(doubt);
        }
        let wanted = match &start {
            Start::Script(path) => self.wanted_by_script(path)?,
            Start::Function(function) => self.wanted_by_function(*function),
        };
        let are_several = call.repeats || wanted.len() > 1;
        let is_own = matches!(&start, Start::Script(script)
            if self.origin.semantics.path() == Some(script.as_path()));
        if are_several && is_own && self.may_run_together {
            self.together.push(call.range);
            self.edits_of(path).own.extend(call.awaits.clone());
            return Ok(());
        }
        let other = self.started.insert(start, call.range);
        if are_several || other.is_some_and(|other| other != call.range) {
            return Err(self.runs_several(path, call.range));
        }
        let (edits, import) = call.runs.clone()?;
        let into = self.edits_of(path);
        into.own.extend(edits);
        into.shared.extend(import);
        Ok(())
    }

    fn runs_several(&self, path: &Path, range: TextRange) -> String {
        format!(
            "{} runs several coroutines; move them into one `async def` and run that with \
             `asyncio.run`",
            self.place(path, range)
        )
    }

    /// Where several calls at the top level of the file are to run in one event loop: converts the other functions of
    /// the file that await and are called, because all of it runs together.
    pub(super) fn convert_beside(&mut self) -> Result<(), String> {
        let Some(first) = self.together.first().copied() else {
            return Ok(());
        };
        let file = self.origin;
        for function in awaiting_functions(file.body()) {
            let Some(definition) = file.semantics.definition_of(function) else {
                continue;
            };
            let references = self.references(definition, &function.name)?;
            let mut references = references.iter();
            let is_called = references.any(|reference| matches!(reference.kind, Kind::Call(_)));
            if is_called && !self.functions.contains(&definition) {
                self.convert(definition, &function.name)?;
            }
        }
        let path = file.semantics.path().ok_or("the file has no path")?;
        let wanted = self.wanted_by_script(path)?;
        if wanted.iter().any(|range| !self.together.contains(range)) {
            return Err(self.runs_several(path, first));
        }
        Ok(())
    }

    /// All of it as one rewrite.
    pub(super) fn into_rewrite(mut self, title: String) -> Result<Rewrite, String> {
        let file = self.origin;
        let own = file.semantics.path().map(Path::to_path_buf);
        let mut rewrite = Rewrite::safe(title, Vec::new()).unsafe_if(self.doubt.take());
        if rewrite.unsafe_because.is_none() {
            rewrite = rewrite.unsafe_if(self.breaks()?);
        }
        if let (Some(first), Some(path)) = (self.together.first(), &own) {
            let reason = self.runs_several(path, *first);
            let around = around_calls(file, &self.together, reason)?;
            rewrite.edits.extend(around.edits);
            rewrite.shared.extend(around.shared);
            rewrite.moves = around.moves;
            rewrite.alone_in = around.alone_in;
            rewrite = rewrite.unsafe_if(around.unsafe_because);
        }
        for (path, edits) in self.edits {
            let edits = Edits {
                own: distinct(edits.own),
                shared: distinct(edits.shared),
            };
            if meet(&edits.own) {
                return Err("two chained calls would both need `await`".to_owned());
            }
            if Some(&path) == own.as_ref() {
                rewrite.edits.extend(edits.own);
                rewrite.shared.extend(edits.shared);
            } else {
                rewrite.elsewhere.push(Elsewhere {
                    path,
                    edits: in_order(edits.shared, edits.own),
                });
            }
        }
        file.conversions.add(self.functions, &rewrite);
        Ok(rewrite)
    }

    /// Why code of the functions may break when an event loop runs it.
    fn breaks(&self) -> Result<Option<String>, String> {
        let semantics = &self.origin.semantics;
        let mut found = Vec::new();
        for function in &self.functions {
            let Some(path) = semantics.file_of(*function) else {
                continue;
            };
            found.extend(self.with_file(&path, |file| {
                let function = file.semantics.function_of(*function)?;
                let node = function.node(file.semantics.db())?;
                let reason = breaks(file, &node.body, self.functions.iter().copied())?;
                Some((path.clone(), node.start(), reason))
            })?);
        }
        Ok(found.into_iter().min().map(|(_, _, reason)| reason))
    }

    pub(super) fn edits_of(&mut self, path: &Path) -> &mut Edits {
        self.edits.entry(path.to_path_buf()).or_default()
    }

    /// A place for a message.
    pub(super) fn place(&self, path: &Path, range: TextRange) -> String {
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
        .ok_or_else(|| format!("`{qualified}` would have to change too, but can't be found"))
    }

    /// Writes `async` before the `def`. `is_member` where the function only changes because another one
    /// of its name does. `Err` with the reason why the function cannot be a coroutine
    /// function.
    fn make_async(&mut self, of: Definition<'db>, is_member: bool) -> Result<Converted, String> {
        let path = self
            .origin
            .semantics
            .file_of(of)
            .ok_or("a function that would have to change is not in a file")?;
        if !self.origin.may_write(&path) {
            return Err(format!(
                "`{}` would have to change but was not passed to asyncfix; run `asyncfix --write .` in \
                 the project root",
                self.shown(&path)
            ));
        }
        let project = self.origin.project;
        let (edit, made) = self.with_file(&path, |file| {
            let found = file.semantics.function_of(of);
            let function = found
                .as_ref()
                .and_then(|found| found.node(file.semantics.db()))
                .ok_or("a function that would have to change can't be found")?;
            if file.semantics.has_other_definitions(of) {
                return Err(format!("`{}` is defined more than once", function.name));
            }
            if file.semantics.beside(&path.with_extension("pyi")).is_some() {
                return Err(format!(
                    "`{}` also has a stub (`.pyi`), which would have to change",
                    function.name
                ));
            }
            can_be_async(file, function)?;
            let doubt = match gives_awaitable(file, function) {
                Some(true) => {
                    return Err(format!("`{}` already returns an awaitable", function.name));
                }
                Some(false) => None,
                // What a caller gives is mostly made of what it is given, and that is mended.
                None if !is_member => None,
                None => Some(format!(
                    "can't tell whether `{}` already returns an awaitable",
                    function.name
                )),
            };
            let place = found
                .as_ref()
                .and_then(|found| file.semantics.place_of_function(found));
            let family = match place {
                // The classes of `unittest` have no tests that one could override.
                Some(_) if is_test(file, function) && is_in_test_case(file, function) => Vec::new(),
                // Nobody but the framework calls it, whatever the class inherits.
                Some(_) if is_handler(file, function) => Vec::new(),
                Some((place, name)) => project.family(&place, &name)?,
                None => Vec::new(),
            };
            Ok::<_, String>((
                made_async(file, function).ok_or("its `def` can't be found")?,
                Converted {
                    is_generator: yields(function),
                    is_called_elsewhere: is_called_elsewhere(file, function),
                    is_handler: is_handler(file, function),
                    family,
                    doubt,
                },
            ))
        })??;
        self.edits_of(&path).own.push(edit);
        Ok(made)
    }
}

/// The plain functions in `body` that await.
fn awaiting_functions(body: &[ast::Stmt]) -> Vec<&ast::StmtFunctionDef> {
    struct Search<'a>(Vec<&'a ast::StmtFunctionDef>);
    impl<'a> SourceOrderVisitor<'a> for Search<'a> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let AnyNodeRef::StmtFunctionDef(function) = node
                && !function.is_async
                && needs_coroutine(function)
            {
                self.0.push(function);
            }
            if node.is_expression() {
                TraversalSignal::Skip
            } else {
                TraversalSignal::Traverse
            }
        }
    }
    let mut search = Search(Vec::new());
    search.visit_body(body);
    search.0
}

fn distinct(edits: impl IntoIterator<Item = Edit>) -> Vec<Edit> {
    let mut all: Vec<Edit> = Vec::new();
    for edit in edits {
        if !all.contains(&edit) {
            all.push(edit);
        }
    }
    all.sort_by_key(|edit| (edit.start(), edit.end()));
    all
}

/// Whether two edits begin at one place: `f().g()` with both to be awaited.
fn meet(edits: &[Edit]) -> bool {
    edits
        .iter()
        .zip(edits.iter().skip(1))
        .any(|(one, other)| one.start() == other.start())
}

/// The edit that makes a plain function a coroutine function.
pub(super) fn made_async(file: &File<'_, '_>, function: &ast::StmtFunctionDef) -> Option<Edit> {
    let header = TextRange::new(function.start(), function.name.start());
    let mut tokens = file.tokens().in_range(header).iter();
    let keyword = tokens.rfind(|token| token.kind() == TokenKind::Def)?;
    Some(Edit::insertion("async ".to_owned(), keyword.start()))
}
