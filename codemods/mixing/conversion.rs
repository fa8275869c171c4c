//! Making coroutine functions of plain ones, and of everything that calls them, through all files.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use asyncfix_analysis::answers::callbacks::Caller;
use asyncfix_analysis::answers::under_loop::{Break, breaks};
use asyncfix_analysis::file::ParsedFile;
use asyncfix_analysis::resolve::Definition;
use asyncfix_syntax::awaited::needs_coroutine;
use ruff_db::parsed::parsed_module;
use ruff_db::source::source_text;
use ruff_diagnostics::Edit;
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::{FxHashMap, FxHashSet};

use super::edges::around_calls;
use super::given_on::Use;
use super::made_async::Converted;
use super::references::{Around, Kind, Reference, line_of, references_in};
use super::starts::Start;
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
    pub(super) started: FxHashMap<Start<'db>, TextRange>,
    /// Whether what several calls at the top level of the file want can be one event loop around them.
    pub(super) may_run_together: bool,
    /// Such calls.
    pub(super) together: Vec<TextRange>,
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
        let semantics = &self.origin.semantics;
        let mut paths = self
            .origin
            .project
            .mentioning(name, |path| semantics.text_of(path));
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

    /// All of it as one rewrite.
    pub(super) fn into_rewrite(mut self, title: String) -> Result<Rewrite, String> {
        let file = self.origin;
        let own = file.semantics.path().map(Path::to_path_buf);
        let breaks = self.breaks()?.map(Break::doubt).transpose()?;
        let mut rewrite = Rewrite::safe(title, Vec::new()).unsafe_if(self.doubt.take());
        rewrite = rewrite.unsafe_if(breaks);
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

    /// Why code of the functions may break when an event loop runs it: where one certainly does, that one.
    fn breaks(&self) -> Result<Option<Break>, String> {
        let semantics = &self.origin.semantics;
        let mut found = Vec::new();
        for function in &self.functions {
            let Some(path) = semantics.file_of(*function) else {
                continue;
            };
            found.extend(self.with_file(&path, |file| {
                let function = file.semantics.function_of(*function)?;
                let node = function.node(file.semantics.db())?;
                let found = breaks(file, &node.body, self.functions.iter().copied())?;
                let is_possible = matches!(found, Break::Possible(_));
                Some((is_possible, path.clone(), node.start(), found))
            })?);
        }
        Ok(found.into_iter().min().map(|(.., found)| found))
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
    pub(super) fn shown(&self, path: &Path) -> String {
        let own = self.origin.semantics.path().and_then(Path::parent);
        let shown = own.and_then(|folder| path.strip_prefix(folder).ok());
        let shown = shown.unwrap_or_else(|| path.file_name().map_or(path, Path::new));
        shown.display().to_string()
    }
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
