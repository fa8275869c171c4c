//! Calls that keep their thread waiting, and what becomes of them. `data/blocking.toml` says more about each key.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use ruff_python_ast::PythonVersion;
use rustc_hash::FxHashMap;
use serde::Deserialize;

use crate::package_of;

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
    /// Dotted paths of functions and classes, as they are imported.
    #[serde(default)]
    pub functions: Vec<String>,
    /// Dotted paths of methods.
    #[serde(default)]
    pub methods: Vec<String>,
    /// Dotted paths of methods by the attributes of the class that they are reached through.
    #[serde(default)]
    pub members: Vec<String>,
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
    /// Arguments with which the call does not wait: keyword or position, `=`, and a value.
    #[serde(default)]
    pub harmless: Vec<String>,
    /// The same: a call without one of these arguments does not wait.
    #[serde(default)]
    pub only: Vec<String>,
    /// Keywords with which what the call gives goes on blocking.
    #[serde(default)]
    pub streams: Vec<String>,
    /// Whether the call gives an iterator that blocks whenever it is asked for more.
    #[serde(default)]
    pub lazy: bool,
    /// Whether the call waits only where the constructor of its object was given a size.
    #[serde(default)]
    pub bounded: bool,
    /// With [`Kind::Outline`], methods which, called at once, leave nothing that goes on blocking.
    #[serde(default)]
    pub reads: Vec<String>,
    /// Whether only files that import the package are looked at.
    #[serde(default)]
    pub imported: bool,
    /// A word: in a file that holds it the call may well not wait.
    pub unless: Option<String>,
    /// Methods of the same object: a function that calls one of them knows when it need not wait.
    #[serde(default)]
    pub guards: Vec<String>,
    /// The same, where an `if` or `while` around the call asks.
    #[serde(default)]
    pub tests: Vec<String>,
    /// Whether a function that makes the object itself, and uses it up, can run in a thread as a whole.
    #[serde(default)]
    pub whole: bool,
    /// Whether only a coroutine that makes the call itself is spoken of.
    #[serde(default)]
    pub direct: bool,
    /// A call with a shorter time than this as its first argument, in milliseconds, is no wait that the callers of
    /// its function have to do something about.
    #[serde(default)]
    pub short: Option<u32>,
    /// Whether an object that was made in the same function has nothing to wait for.
    #[serde(default)]
    pub shared: bool,
    /// Whether the call works as well on an object in memory, and does not block then.
    #[serde(default)]
    pub memory: bool,
    /// Whether the reason is about the number of a file that it is given: it holds for who has not opened that.
    #[serde(default)]
    pub of_handle: bool,
    /// Whether it has several signatures, of which type checkers choose one by the arguments.
    #[serde(default)]
    pub overloaded: bool,
    /// The positions of arguments for whose types it has signatures of their own.
    #[serde(default)]
    pub apart: Vec<usize>,
    /// The positions of paths that the call reads. The receiver of a method is at the first one.
    #[serde(default)]
    pub reads_from: Vec<usize>,
    /// The positions of paths that it writes.
    #[serde(default)]
    pub writes_to: Vec<usize>,
    /// The positions of paths that it removes, or makes.
    #[serde(default)]
    pub removes: Vec<usize>,
    /// The positions of folders in which it writes files.
    #[serde(default)]
    pub fills: Vec<usize>,
    /// The positions of paths where it makes something, and fails where something is.
    #[serde(default)]
    pub makes: Vec<usize>,
    /// The positions of paths that it asks about.
    #[serde(default)]
    pub asks_about: Vec<usize>,
    /// What a database is opened for where nothing says what for: `r` for reading, something else for writing as well.
    pub database: Option<String>,
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
            members: Vec::new(),
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
            short: None,
            shared: false,
            memory: false,
            of_handle: false,
            overloaded: false,
            apart: Vec::new(),
            reads_from: Vec::new(),
            writes_to: Vec::new(),
            removes: Vec::new(),
            fills: Vec::new(),
            makes: Vec::new(),
            asks_about: Vec::new(),
            database: None,
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

    /// Whether the table says which files the call uses.
    pub fn uses_files(&self) -> bool {
        let positions = [
            &self.reads_from,
            &self.writes_to,
            &self.removes,
            &self.fills,
            &self.makes,
            &self.asks_about,
        ];
        self.mode.is_some()
            || self.database.is_some()
            || positions.iter().any(|positions| !positions.is_empty())
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
pub enum Found {
    /// By what the callee is called.
    AsFunction,
    /// By the class of the receiver.
    AsMethod,
}

/// One name of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its dotted path.
    pub path: String,
    /// How it is found.
    pub found: Found,
    /// What is known about it.
    pub row: Arc<Row>,
}

impl Entry {
    /// The top-level package that the name belongs to.
    pub fn package(&self) -> &str {
        package_of(&self.path)
    }
}

/// The calls that block, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// By the last part of the name.
    entries: FxHashMap<String, Vec<Entry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Data {
    consumers: Vec<String>,
    thread_safe: Vec<String>,
    fresh: Vec<String>,
    changing: Vec<String>,
    handing_out: Vec<String>,
    pub(crate) unchanging: Vec<String>,
    pub(crate) giving_collections: Vec<String>,
    pub(crate) holding: Vec<String>,
    pub(crate) giving_their_class: Vec<String>,
    pub(crate) main_thread: Vec<String>,
    pub(crate) looping_decorators: Vec<String>,
    pub(crate) looping_methods: Vec<String>,
    pub(crate) context_changing: Vec<String>,
    pub(crate) handing_back_methods: Vec<String>,
    pub(crate) reading_at_once: Vec<String>,
    pub(crate) calling_at_once: Vec<String>,
    pub(crate) unique: Vec<String>,
    pub(crate) in_memory: Vec<String>,
    pub(crate) databases_in_memory: Vec<String>,
    pub(crate) stateful_tools: Vec<String>,
    pub(crate) changing_tools: Vec<String>,
    pub(crate) reading_commands: FxHashMap<String, Vec<String>>,
    pub(crate) paths: Vec<String>,
    pub(crate) locks: Vec<String>,
    pub(crate) readers: Vec<String>,
    pub(crate) dumping: Vec<String>,
    pub(crate) dumping_at_once: Vec<String>,
    pub(crate) dumping_in_steps: Vec<String>,
    pub(crate) traversing: Vec<String>,
    pub(crate) traversing_methods: Vec<String>,
    pub(crate) writing_methods: Vec<String>,
    pub(crate) formatting: Vec<String>,
    pub(crate) changing_methods: Vec<String>,
    pub(crate) current_exception: CurrentException,
    starter: Vec<Starter>,
    thread_bound: Vec<ThreadBound>,
    call: Vec<Row>,
}

/// What runs the function that it is given in a thread.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Starter {
    /// Functions, by dotted path.
    #[serde(default)]
    pub functions: Vec<String>,
    /// Methods of these classes, by dotted path.
    #[serde(default)]
    pub methods: Vec<String>,
    /// Methods of whatever class.
    #[serde(default)]
    pub names: Vec<String>,
    /// The position of the function among the arguments.
    pub position: usize,
    /// Whether it hands keywords on to the function.
    pub keywords: bool,
}

/// Objects that belong to the thread that made them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThreadBound {
    /// What one of them is, as part of a sentence.
    pub what: String,
    made_by: Vec<String>,
    #[serde(default)]
    gives: Vec<String>,
    given: Option<String>,
    /// The argument, `=`, and the value with which any thread may use it.
    pub unless: Option<String>,
}

impl ThreadBound {
    /// What the class with this path, or what a function with this path gives, belongs to, if it
    /// belongs to a thread.
    pub fn of(path: &str) -> Option<&'static Self> {
        let mut known = DATA.thread_bound.iter();
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
        DATA.thread_bound.iter().any(|bound| {
            bound
                .made_by
                .iter()
                .filter_map(|path| path.split('.').next())
                .any(|package| source.contains(package))
        })
    }
}

/// What asks for the exception that is being handled.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CurrentException {
    pub(crate) functions: Vec<String>,
    pub(crate) functions_alone: Vec<String>,
    pub(crate) methods: Vec<String>,
    pub(crate) methods_alone: Vec<String>,
    pub(crate) keywords: Vec<String>,
}

pub(crate) static DATA: LazyLock<Data> =
    LazyLock::new(|| crate::read("blocking.toml", include_str!("data/blocking.toml")));

static TABLE: LazyLock<Arc<Table>> = LazyLock::new(|| {
    let mut table = Table::default();
    for row in &DATA.call {
        let row = Arc::new(row.clone());
        for path in &row.functions {
            table.add(path, Found::AsFunction, &row);
        }
        for path in row.methods.iter().chain(&row.members) {
            table.add(path, Found::AsMethod, &row);
        }
    }
    Arc::new(table)
});

/// Whether a function takes all that it is given before it returns.
pub fn is_consumer(path: &str) -> bool {
    DATA.consumers.iter().any(|known| known == path)
}

/// Whether a function, or a method of a class with this path, does in another thread just what it
/// does in this one.
pub fn is_thread_safe(path: &str) -> bool {
    DATA.thread_safe.iter().any(|known| path.starts_with(known))
}

/// Whether what a function or class with this path gives is new each time, and nobody else's.
pub fn is_fresh(path: &str) -> bool {
    DATA.fresh.iter().any(|known| path.starts_with(known))
}

/// Whether a function with this path may change what it is given, or what all code shares.
pub fn changes(path: &str) -> bool {
    // A method of a built-in class, called with the instance: `dict.update(seen, …)`.
    path.matches('.').count() > 1 && path.starts_with("builtins.")
        || DATA.changing.iter().any(|known| known == path)
}

/// Whether a function with this path gives what somebody else may have too.
pub fn hands_out(path: &str) -> bool {
    DATA.handing_out.iter().any(|known| known == path)
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
    pub fn methods(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().flat_map(|(name, entries)| {
            let methods = entries
                .iter()
                .filter(|entry| entry.found == Found::AsMethod);
            methods.map(|entry| (entry.package(), name.as_str()))
        })
    }

    /// Whether something has this last name.
    pub fn knows(&self, last: &str) -> bool {
        self.entries.contains_key(last)
    }

    /// The names with this last part.
    pub fn named(&self, last: &str) -> impl Iterator<Item = &Entry> {
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

/// What runs functions in threads.
pub fn starters() -> impl Iterator<Item = &'static Starter> {
    DATA.starter.iter()
}

#[cfg(test)]
mod tests {
    use super::{Kind, TABLE};

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
