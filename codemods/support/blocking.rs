//! What is known about calls that keep their thread waiting.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Number, PythonVersion};
use ruff_text_size::Ranged;
use rustc_hash::FxHashMap;
use serde::Deserialize;

use crate::Candidate;
use crate::file::File;
use crate::key::name_key;
use crate::outline::last_name;
use crate::semantics::{ClassOf, Origin};
use crate::site::Site;
use crate::spelling::Hints;
use crate::support::opened::{is_for_process, is_open_already};
use crate::traces::search::Sought;

/// What becomes of a blocking call in a coroutine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A function of the library that drives the loop is awaited instead.
    Replace,
    /// The call runs in a thread, and its result is awaited.
    ToThread,
    /// The future that the method belongs to is wrapped for the loop, and awaited.
    WrapFuture,
    /// The block that uses what the call gives runs in a thread.
    Outline,
    /// Nothing is written.
    Report,
}

/// The names of [`Kind`], as tables and configurations write them.
pub const KINDS: [(&str, Kind); 5] = [
    ("replace", Kind::Replace),
    ("to-thread", Kind::ToThread),
    ("wrap-future", Kind::WrapFuture),
    ("outline", Kind::Outline),
    ("report", Kind::Report),
];

/// What the table says about some calls. `data/blocking.toml` says more about each key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a key of the table that says yes or no"
)]
pub struct Row {
    #[serde(default)]
    functions: Vec<String>,
    #[serde(default)]
    methods: Vec<String>,
    /// The code of the rule that reports the call.
    pub code: String,
    /// What becomes of it.
    #[serde(rename = "rewrite")]
    pub kind: Kind,
    /// With [`Kind::Replace`], the function that is awaited: a member of the library's module.
    #[serde(rename = "with")]
    pub replacement: Option<String>,
    /// Why there is no rewrite, or why it is unsafe. One sentence without a full stop.
    pub reason: Option<String>,
    /// The position of the argument that limits the wait. Only without it the rewrite is unsafe.
    pub timeout: Option<usize>,
    /// How many positional arguments the call takes, and no keywords.
    pub arguments: Option<usize>,
    #[serde(default)]
    harmless: Vec<String>,
    #[serde(default)]
    only: Vec<String>,
    /// Keywords with which what the call gives goes on blocking.
    #[serde(default)]
    pub streams: Vec<String>,
    /// Whether the call gives an iterator that blocks whenever it is asked for more.
    #[serde(default)]
    pub lazy: bool,
    #[serde(default)]
    bounded: bool,
    /// With [`Kind::Outline`], methods which, called at once, leave nothing that goes on blocking.
    #[serde(default)]
    pub reads: Vec<String>,
    #[serde(default)]
    imported: bool,
    unless: Option<String>,
    #[serde(default)]
    guards: Vec<String>,
    #[serde(default)]
    tests: Vec<String>,
    /// Whether a function that makes the object itself, and uses it up, can run in a thread as a whole.
    #[serde(default)]
    pub whole: bool,
    /// Whether only a coroutine that makes the call itself is spoken of.
    #[serde(default)]
    pub direct: bool,
    #[serde(default)]
    shared: bool,
    #[serde(default)]
    memory: bool,
    /// Whether it has several signatures, of which type checkers choose one by the arguments.
    #[serde(default)]
    pub overloaded: bool,
    /// The positions of paths that the call reads. The receiver of a method is at the first one.
    #[serde(default)]
    pub reads_from: Vec<usize>,
    /// The positions of paths that it writes.
    #[serde(default)]
    pub writes_to: Vec<usize>,
    /// The positions of paths that it removes, or makes.
    #[serde(default)]
    pub removes: Vec<usize>,
    /// The positions of paths where it makes something, and fails where something is.
    #[serde(default)]
    pub makes: Vec<usize>,
    /// The positions of paths that it asks about.
    #[serde(default)]
    pub asks_about: Vec<usize>,
    /// The position of the argument that says whether the first path is read or written.
    pub mode: Option<usize>,
    /// What can be awaited instead.
    pub instead: Option<String>,
    since: Option<String>,
    until: Option<String>,
}

impl Row {
    /// A row that a configuration adds.
    pub fn new(code: &str, kind: Kind) -> Self {
        Self {
            functions: Vec::new(),
            methods: Vec::new(),
            code: code.to_owned(),
            kind,
            replacement: None,
            reason: None,
            timeout: None,
            arguments: None,
            harmless: Vec::new(),
            only: Vec::new(),
            streams: Vec::new(),
            lazy: false,
            bounded: false,
            reads: Vec::new(),
            imported: false,
            unless: None,
            guards: Vec::new(),
            tests: Vec::new(),
            whole: false,
            direct: false,
            shared: false,
            memory: false,
            overloaded: false,
            reads_from: Vec::new(),
            writes_to: Vec::new(),
            removes: Vec::new(),
            makes: Vec::new(),
            asks_about: Vec::new(),
            mode: None,
            instead: None,
            since: None,
            until: None,
        }
    }

    /// Whether the rewrite is safe as far as the call itself goes, whatever its arguments.
    pub fn is_safe(&self) -> bool {
        self.kind != Kind::Report && self.reason.is_none()
    }

    /// Why the table calls a rewrite of `call` unsafe.
    pub fn unsafe_because(&self, call: &ast::ExprCall) -> Option<&str> {
        let limited = self.timeout.is_some_and(|position| {
            argument(call, "timeout")
                .or_else(|| argument(call, &position.to_string()))
                .is_some_and(|limit| !limit.is_none_literal_expr())
        });
        self.reason.as_deref().filter(|_| !limited)
    }

    /// Whether the call waits whatever stands around it, judged by the tree alone.
    pub fn always_blocks(&self, call: &ast::ExprCall) -> bool {
        let is_given = |written: &String| {
            written
                .split_once('=')
                .is_some_and(|(which, _)| argument(call, which).is_some())
        };
        let streams = |keyword: &String| argument(call, keyword).is_some();
        self.only.is_empty()
            // What it gives goes on blocking where it is read.
            && !self.streams.iter().any(streams)
            && !self.harmless.iter().any(is_given)
            && !self.bounded
            && !self.shared
            && !self.memory
            && self.unless.is_none()
            && self.guards.is_empty()
            && self.tests.is_empty()
    }

    /// Whether the table says which files the call uses.
    pub fn uses_files(&self) -> bool {
        let positions = [
            &self.reads_from,
            &self.writes_to,
            &self.removes,
            &self.makes,
            &self.asks_about,
        ];
        self.mode.is_some() || positions.iter().any(|positions| !positions.is_empty())
    }

    /// The first Python that has the name, where that is not every one.
    pub fn since(&self) -> Option<PythonVersion> {
        self.since.as_deref().and_then(|text| text.parse().ok())
    }

    /// The last Python that has the name, where that is not the newest one.
    pub fn until(&self) -> Option<PythonVersion> {
        self.until.as_deref().and_then(|text| text.parse().ok())
    }
}

/// How a name of the table is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// By what the callee is called.
    AsFunction,
    /// By the class of the receiver.
    AsMethod,
}

/// One name of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    path: String,
    found: Found,
    row: Arc<Row>,
}

impl Entry {
    /// The top-level package that the name belongs to.
    fn package(&self) -> &str {
        self.path.split('.').next().unwrap_or_default()
    }

    /// Whether an awaited call of `callee` could be meant for this one. `await asyncio.sleep(…)` is
    /// all over the code that is right.
    fn may_be_awaited(&self, callee: &Expr) -> bool {
        let Some((module, _)) = self.path.rsplit_once('.') else {
            return false;
        };
        self.row.kind == Kind::Replace
            && !matches!(callee, Expr::Attribute(attribute)
                if matches!(&*attribute.value, Expr::Name(name) if name.id != module))
    }
}

/// The calls that block, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// By the last part of the name.
    entries: FxHashMap<String, Vec<Entry>>,
}

#[derive(Deserialize)]
pub(super) struct Data {
    consumers: Vec<String>,
    thread_safe: Vec<String>,
    fresh: Vec<String>,
    changing: Vec<String>,
    handing_out: Vec<String>,
    pub(super) unique: Vec<String>,
    pub(super) paths: Vec<String>,
    pub(super) locks: Vec<String>,
    pub(super) readers: Vec<String>,
    pub(super) dumping: Vec<String>,
    pub(super) traversing: Vec<String>,
    pub(super) traversing_methods: Vec<String>,
    pub(super) formatting: Vec<String>,
    pub(super) changing_methods: Vec<String>,
    pub(super) current_exception: CurrentException,
    starter: Vec<Starter>,
    thread_bound: Vec<ThreadBound>,
    call: Vec<Row>,
}

/// What runs the function that it is given in a thread.
#[derive(Deserialize)]
pub struct Starter {
    #[serde(default)]
    functions: Vec<String>,
    #[serde(default)]
    methods: Vec<String>,
    /// Methods of whatever class.
    #[serde(default)]
    names: Vec<String>,
    /// The position of the function among the arguments.
    pub position: usize,
    /// Whether it hands keywords on to the function.
    pub keywords: bool,
}

/// What runs functions in threads, if a call is one of it.
pub fn starter(file: &File<'_, '_>, call: &ast::ExprCall) -> Option<&'static Starter> {
    let last = last_name(&call.func)?;
    let is_last = |path: &String| path.rsplit('.').next() == Some(last);
    let starters = DATA.iter().flat_map(|data| &data.starter);
    let mut starters = starters.filter(|starter| {
        let lists = [&starter.functions, &starter.methods, &starter.names];
        lists.into_iter().flatten().any(is_last)
    });
    let path = || file.semantics.qualified_name(&call.func);
    starters.find(|starter| match &*call.func {
        Expr::Attribute(method)
            if starter.names.iter().any(|name| name == last)
                || !starter.methods.is_empty() && {
                    let classes = file.semantics.classes_up_to(&method.value, last);
                    classes.iter().any(|class| {
                        let path = format!("{class}.{last}");
                        starter.methods.contains(&path)
                    })
                } =>
        {
            true
        }
        _ => path().is_some_and(|path| starter.functions.contains(&path)),
    })
}

/// Objects that belong to the thread that made them.
#[derive(Deserialize)]
pub struct ThreadBound {
    /// What one of them is, as part of a sentence.
    pub what: String,
    made_by: Vec<String>,
    #[serde(default)]
    gives: Vec<String>,
    given: Option<String>,
    unless: Option<String>,
}

impl ThreadBound {
    /// What the class with this path, or what a function with this path gives, belongs to, if it
    /// belongs to a thread.
    pub fn of(path: &str) -> Option<&'static Self> {
        let mut known = DATA.iter().flat_map(|data| &data.thread_bound);
        known.find(|bound| bound.made_by.iter().any(|maker| maker == path))
    }

    /// What a method gives, where that belongs to the thread as well.
    pub fn given_by(&'static self, method: &str) -> Option<&'static Self> {
        self.gives
            .iter()
            .any(|known| known == method)
            .then(|| self.given.as_deref().and_then(Self::of).unwrap_or(self))
    }

    /// Whether a file that has this text may make one.
    pub fn may_be_in(source: &str) -> bool {
        DATA.iter()
            .flat_map(|data| &data.thread_bound)
            .any(|bound| {
                bound
                    .made_by
                    .iter()
                    .filter_map(|path| path.split('.').next())
                    .any(|package| source.contains(package))
            })
    }

    /// Whether an object that this call makes may be used by any thread.
    pub fn is_free(&self, call: &ast::ExprCall) -> bool {
        self.unless.as_ref().is_some_and(|written| {
            written.split_once('=').is_some_and(|(keyword, value)| {
                matches!(argument(call, keyword), Some(Expr::BooleanLiteral(literal))
                    if literal.value == (value == "True"))
            })
        })
    }
}

/// What asks for the exception that is being handled.
#[derive(Deserialize)]
pub(super) struct CurrentException {
    pub(super) functions: Vec<String>,
    pub(super) functions_alone: Vec<String>,
    pub(super) methods: Vec<String>,
    pub(super) methods_alone: Vec<String>,
    pub(super) keywords: Vec<String>,
}

pub(super) static DATA: LazyLock<Option<Data>> =
    LazyLock::new(|| toml::from_str(include_str!("../data/blocking.toml")).ok());

static TABLE: LazyLock<Arc<Table>> = LazyLock::new(|| {
    let mut table = Table::default();
    for row in DATA.iter().flat_map(|data| &data.call) {
        let row = Arc::new(row.clone());
        for path in &row.functions {
            table.add(path, Found::AsFunction, &row);
        }
        for path in &row.methods {
            table.add(path, Found::AsMethod, &row);
        }
    }
    Arc::new(table)
});

/// Whether a function takes all that it is given before it returns.
pub fn is_consumer(path: &str) -> bool {
    DATA.as_ref()
        .is_some_and(|data| data.consumers.iter().any(|known| known == path))
}

/// Whether a function, or a method of a class with this path, does in another thread just what it
/// does in this one.
pub fn is_thread_safe(path: &str) -> bool {
    DATA.as_ref()
        .is_some_and(|data| data.thread_safe.iter().any(|known| path.starts_with(known)))
}

/// Whether what a function or class with this path gives is new each time, and nobody else's.
pub fn is_fresh(path: &str) -> bool {
    DATA.as_ref()
        .is_some_and(|data| data.fresh.iter().any(|known| path.starts_with(known)))
}

/// Whether a function with this path may change what it is given, or what all code shares.
pub fn changes(path: &str) -> bool {
    // A method of a built-in class, called with the instance: `dict.update(seen, …)`.
    path.matches('.').count() > 1 && path.starts_with("builtins.")
        || DATA
            .as_ref()
            .is_some_and(|data| data.changing.iter().any(|known| known == path))
}

/// Whether a function with this path gives what somebody else may have too.
pub fn hands_out(path: &str) -> bool {
    DATA.as_ref()
        .is_some_and(|data| data.handing_out.iter().any(|known| known == path))
}

/// The row of a method of paths that reads or writes the file that is there.
pub fn path_method<'f>(file: &'f File<'_, '_>, call: &ast::ExprCall) -> Option<&'f Row> {
    let Expr::Attribute(callee) = &*call.func else {
        return None;
    };
    let table = &*file.settings.blocking;
    let method = callee.attr.as_str();
    // A path may come from another module, whatever this one imports.
    let is_worth_asking = table.named(method).any(|entry| {
        entry.found == Found::AsMethod
            && entry.package() == "pathlib"
            && entry.row.uses_files()
            && entry
                .row
                .arguments
                .is_none_or(|number| number == call.arguments.len())
    });
    if !is_worth_asking || file.semantics.is_module(&callee.value) {
        return None;
    }
    let classes = class_in_sight(file, &callee.value).into_iter();
    let all = || {
        file.semantics
            .classes_up_to(&callee.value, method)
            .into_iter()
    };
    classes
        .chain(all())
        .find_map(|class| table.method(&class, method))
        .map(|(_, row)| row)
        .filter(|row| {
            row.uses_files()
                && row
                    .arguments
                    .is_none_or(|number| number == call.arguments.len())
        })
}

impl Table {
    /// The table that comes with the tool.
    pub fn builtin() -> Arc<Self> {
        Arc::clone(&TABLE)
    }

    /// The table with what a configuration says about some dotted paths: a row, or that the call
    /// does not block.
    #[must_use]
    pub fn with(&self, changes: &BTreeMap<String, Option<Row>>) -> Self {
        let mut table = self.clone();
        for (path, row) in changes {
            let last = path.rsplit('.').next().unwrap_or_default();
            if let Some(entries) = table.entries.get_mut(last) {
                entries.retain(|entry| entry.path != *path);
            }
            if let Some(row) = row {
                let row = Arc::new(row.clone());
                table.add(path, Found::AsFunction, &row);
                table.add(path, Found::AsMethod, &row);
            }
        }
        table
    }

    fn add(&mut self, path: &str, found: Found, row: &Arc<Row>) {
        let last = path.rsplit('.').next().unwrap_or_default();
        self.entries
            .entry(last.to_owned())
            .or_default()
            .push(Entry {
                path: path.to_owned(),
                found,
                row: Arc::clone(row),
            });
    }

    /// The methods, each behind the top-level package of its class.
    pub(crate) fn methods(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().flat_map(|(name, entries)| {
            let methods = entries
                .iter()
                .filter(|entry| entry.found == Found::AsMethod);
            methods.map(|entry| (entry.package(), name.as_str()))
        })
    }

    /// Whether something has this last name.
    pub(crate) fn knows(&self, last: &str) -> bool {
        self.entries.contains_key(last)
    }

    fn named(&self, last: &str) -> impl Iterator<Item = &Entry> {
        self.entries.get(last).into_iter().flatten()
    }

    /// What is known about a function or class with this dotted path.
    pub fn function(&self, path: &str) -> Option<&Row> {
        self.named(path.rsplit('.').next()?)
            .find(|entry| entry.found == Found::AsFunction && entry.path == path)
            .map(|entry| &*entry.row)
    }

    /// What is known about a method of the class with this dotted path, and the name by which the
    /// table has it. A package may offer a class under several paths.
    pub fn method(&self, class: &str, method: &str) -> Option<(&str, &Row)> {
        self.named(method)
            .find(|entry| {
                entry.found == Found::AsMethod
                    && entry
                        .path
                        .rsplit_once('.')
                        .is_some_and(|(known, _)| is_same_class(known, class))
            })
            .map(|entry| (entry.path.as_str(), &*entry.row))
    }

    /// What is known about the function, class or method with this dotted path, as a configuration
    /// writes it.
    pub fn get(&self, path: &str) -> Option<&Row> {
        self.named(path.rsplit('.').next()?)
            .find(|entry| entry.path == path)
            .map(|entry| &*entry.row)
    }
}

impl Hints<'_> {
    /// Whether a call of `callee` could be one that the rule `code` speaks of, by its spelling: as a
    /// function, or only as a method of what it is called on. An awaited one can only be if it is to be
    /// replaced: `await time.sleep(1)`.
    pub fn blocking_call(&self, code: &str, callee: &Expr, awaited: bool) -> Candidate {
        let Some(last) = last_name(callee).filter(|_| self.may_block(callee)) else {
            return Candidate::No;
        };
        let spellings = self.spellings;
        let possible = |name: &str, found: Found| {
            self.blocking.named(name).any(|entry| {
                if entry.found != found
                    || entry.row.code != code
                    || awaited && !entry.may_be_awaited(callee)
                {
                    return false;
                }
                let package = entry.package();
                match found {
                    Found::AsFunction => {
                        (package == "builtins"
                            || spellings.import(package)
                            || spellings.lacks(package))
                            && spellings.allow(callee, &[entry.path.as_str()])
                    }
                    Found::AsMethod => !entry.row.imported || spellings.import(package),
                }
            })
        };
        let function = |name: &str| possible(name, Found::AsFunction);
        if spellings.last_names(callee).any(function) {
            Candidate::Yes
        } else if callee.is_attribute_expr() && possible(last, Found::AsMethod) {
            let method = name_key(last);
            Candidate::If(method, Sought::Receiver(method))
        } else {
            Candidate::No
        }
    }
}

/// Whether two paths mean one class, which a package may offer under several: the same name, in one
/// module and in a module of it. `redis.Redis` is `redis.client.Redis`, and not that of
/// `redis.asyncio`.
fn is_same_class(one: &str, other: &str) -> bool {
    let (Some((one, name)), Some((other, other_name))) =
        (one.rsplit_once('.'), other.rsplit_once('.'))
    else {
        return false;
    };
    let is_in = |inner: &str, outer: &str| {
        inner
            .strip_prefix(outer)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    name == other_name && (is_in(one, other) || is_in(other, one))
}

/// A call of the table.
pub struct Called<'t> {
    /// What the table calls it.
    pub name: String,
    /// What it says about it.
    pub row: &'t Row,
}

/// The row of the rule `code` for the call at `site`. `None` where there is none, or the
/// call does not block with these arguments, or its function makes sure that it does not.
pub fn called<'f>(
    file: &'f File<'_, '_>,
    site: &Site<'_, '_>,
    call: &ast::ExprCall,
    code: &str,
) -> Option<Called<'f>> {
    let table = &*file.settings.blocking;
    let path = file.semantics.qualified_name(&call.func);
    let called = match path.and_then(|path| Some((table.function(&path)?, path))) {
        Some((row, name)) => Called { name, row },
        None => called_method(file, table, call, code)?,
    };
    let row = called.row;
    (row.code == code
        && !row
            .harmless
            .iter()
            .any(|given| has_argument(file, call, given))
        && (row.only.is_empty() || row.only.iter().any(|given| has_argument(file, call, given)))
        && (!row.bounded || is_bounded(file, call))
        && row
            .unless
            .as_ref()
            .is_none_or(|word| !file.source.contains(word.as_str()))
        && !is_guarded(file, site, call, row)
        && !(row.shared && is_made_here(file, site, call))
        && !(row.memory && is_in_memory(file, call))
        && !(row.kind == Kind::Outline && (is_open_already(call) || is_for_process(file, site))))
    .then_some(called)
}

fn called_method<'t>(
    file: &File<'_, '_>,
    table: &'t Table,
    call: &ast::ExprCall,
    code: &str,
) -> Option<Called<'t>> {
    let Expr::Attribute(callee) = &*call.func else {
        return None;
    };
    let method = callee.attr.as_str();
    let spellings = file.semantics.spellings();
    let is_worth_asking = table.named(method).any(|entry| {
        entry.found == Found::AsMethod
            && entry.row.code == code
            && (!entry.row.imported || spellings.import(entry.package()))
    });
    if !is_worth_asking || file.semantics.is_module(&callee.value) {
        return None;
    }
    let known = |class: &str| table.method(class, method);
    // The cheap answer first: types are what costs.
    let found = class_in_sight(file, &callee.value)
        .and_then(|class| known(&class))
        .or_else(|| {
            file.semantics
                .classes_up_to(&callee.value, method)
                .iter()
                .find_map(|class| known(class))
        });
    found.map(|(name, row)| Called {
        name: name.to_owned(),
        row,
    })
}

/// What is called, or named in an annotation, where the value of `receiver` comes from: the path of
/// its class where that is a class.
fn class_in_sight(file: &File<'_, '_>, receiver: &Expr) -> Option<String> {
    let made_by = |value: &Expr| match value {
        Expr::Call(call) => file.semantics.qualified_name(&call.func),
        _ => None,
    };
    match receiver {
        Expr::Call(_) => made_by(receiver),
        Expr::Name(name) => {
            let classes = file
                .semantics
                .origins(name)
                .into_iter()
                .map(|origin| match origin {
                    Origin::Value(value) => made_by(value),
                    Origin::Annotation(annotation) => file.semantics.qualified_name(annotation),
                    Origin::Unknown => None,
                });
            agreed(classes)
        }
        Expr::Attribute(attribute) => agreed(
            file.semantics
                .attribute_values(attribute)
                .into_iter()
                .map(made_by),
        ),
        _ => None,
    }
}

/// The one answer that all give.
fn agreed(answers: impl IntoIterator<Item = Option<String>>) -> Option<String> {
    let mut answers = answers.into_iter();
    let first = answers.next()??;
    answers
        .all(|other| other.as_deref() == Some(first.as_str()))
        .then_some(first)
}

/// The argument of a call with this keyword, or at this position.
pub fn argument<'a>(call: &'a ast::ExprCall, which: &str) -> Option<&'a Expr> {
    match which.parse::<usize>() {
        Ok(position) => {
            let before = call.arguments.args.get(..=position)?;
            if before.iter().any(Expr::is_starred_expr) {
                return None;
            }
            before.last()
        }
        Err(_) => call
            .arguments
            .find_keyword(which)
            .map(|keyword| &keyword.value),
    }
}

/// Whether a call has an argument that is written as in the table: `block=False`.
fn has_argument(file: &File<'_, '_>, call: &ast::ExprCall, written: &str) -> bool {
    let Some((which, value)) = written.split_once('=') else {
        return false;
    };
    argument(call, which).is_some_and(|given| match given {
        Expr::BooleanLiteral(literal) => value == if literal.value { "True" } else { "False" },
        Expr::NumberLiteral(literal) => match &literal.value {
            Number::Int(int) => value == int.to_string(),
            Number::Float(float) => *float == 0.0 && value == "0",
            Number::Complex { .. } => false,
        },
        other => has_flag(file, other, value, FLAGS),
    })
}

/// How many names are followed, one behind the other, to what flags they stand for.
const FLAGS: usize = 4;

/// Whether a flag is among those that an expression joins with `|`, or may be.
fn has_flag(file: &File<'_, '_>, flags: &Expr, flag: &str, steps: usize) -> bool {
    let Some(steps) = steps.checked_sub(1) else {
        return false;
    };
    let has = |flags: &Expr| has_flag(file, flags, flag, steps);
    match flags {
        Expr::BinOp(joined) => has(&joined.left) || has(&joined.right),
        Expr::Name(name) if !file.semantics.means(flags, &[flag]) => {
            let mut values = file.semantics.values_in_scope(name).into_iter();
            values.any(has)
        }
        other => file.semantics.means(other, &[flag]),
    }
}

/// Whether the code around the call at `site` asks the same object whether it has to wait.
fn is_guarded(file: &File<'_, '_>, site: &Site<'_, '_>, call: &ast::ExprCall, row: &Row) -> bool {
    let Expr::Attribute(callee) = &*call.func else {
        return false;
    };
    let receiver = file.text(&*callee.value);
    let asks = |text: &str, methods: &[String]| {
        methods
            .iter()
            .any(|method| text.contains(&format!("{receiver}.{method}(")))
    };
    let function = site
        .ancestors
        .iter()
        .rev()
        .find(|node| node.is_stmt_function_def());
    function.is_some_and(|function| asks(file.text(function), &row.guards))
        || !row.tests.is_empty()
            && site.enclosing_in_function().any(|(node, _)| match node {
                AnyNodeRef::StmtIf(statement) => asks(file.text(&*statement.test), &row.tests),
                AnyNodeRef::StmtWhile(statement) => asks(file.text(&*statement.test), &row.tests),
                _ => false,
            })
}

/// Whether the object that a method is called on was made in the same function.
fn is_made_here(file: &File<'_, '_>, site: &Site<'_, '_>, call: &ast::ExprCall) -> bool {
    let Expr::Attribute(callee) = &*call.func else {
        return false;
    };
    let Expr::Name(name) = &*callee.value else {
        return false;
    };
    let function = site
        .ancestors
        .iter()
        .rev()
        .find(|node| node.is_stmt_function_def());
    let origins = file.semantics.origins(name);
    !origins.is_empty()
        && origins.iter().all(|origin| {
            matches!(origin, Origin::Value(value) if value.is_call_expr()
                && function.is_some_and(|function| function.range().contains_range(value.range())))
        })
}

/// Whether an argument is a file in memory.
fn is_in_memory(file: &File<'_, '_>, call: &ast::ExprCall) -> bool {
    call.arguments.iter_source_order().any(|argument| {
        matches!(file.semantics.class_of(argument.value()), ClassOf::Known(class)
            if matches!(class.as_str(),
                "io.BytesIO" | "io.StringIO" | "_io.BytesIO" | "_io.StringIO"))
    })
}

/// Whether the object that a method is called on was made with a size, as far as is seen.
fn is_bounded(file: &File<'_, '_>, call: &ast::ExprCall) -> bool {
    let has_size = |value: &Expr| {
        let Expr::Call(made) = value else {
            return false;
        };
        argument(made, "maxsize")
            .or_else(|| argument(made, "0"))
            .is_some_and(|size| {
                !matches!(size, Expr::NumberLiteral(literal)
                if matches!(&literal.value, Number::Int(int) if *int == 0))
            })
    };
    let Expr::Attribute(callee) = &*call.func else {
        return false;
    };
    match &*callee.value {
        Expr::Name(name) => file
            .semantics
            .origins(name)
            .iter()
            .any(|origin| matches!(origin, Origin::Value(value) if has_size(value))),
        Expr::Attribute(attribute) => file
            .semantics
            .attribute_values(attribute)
            .into_iter()
            .any(has_size),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{DATA, Kind, TABLE};

    #[test]
    fn every_row_is_read() {
        let rows = include_str!("../data/blocking.toml").matches("\n[[call]]");
        let read = DATA.as_ref().map_or(0, |data| data.call.len());
        assert_eq!(read, rows.count());
    }

    #[test]
    fn calls_are_found_by_their_paths() {
        let sleep = TABLE.function("time.sleep").map(|row| row.kind);
        assert_eq!(sleep, Some(Kind::Replace));
        let read = TABLE.method("pathlib._local.Path", "read_text");
        assert_eq!(read.map(|(name, _)| name), Some("pathlib.Path.read_text"));
        assert!(
            TABLE
                .function("requests.get")
                .is_some_and(super::Row::is_safe)
        );
        assert!(TABLE.function("requests.Session").is_none());
        assert!(TABLE.method("redis.Redis", "get").is_some());
        assert!(TABLE.method("redis.asyncio.client.Redis", "get").is_none());
    }
}
