//! The table of objects that have to be closed (AF601), read from `data/resources.toml`. The head of that file explains
//! each key; the fields of [`Resource`] have the same names.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;
use serde::Deserialize;

use crate::package_of;

/// One row of the table: one way to open an object, and how it is closed.
#[derive(Debug, Deserialize)]
pub struct Resource {
    /// The functions or classes that make one when they are called, by every public dotted path.
    #[serde(default)]
    pub open: Vec<String>,
    /// Instead of `open`: the methods of other objects that make one, as `package.Class.method`.
    #[serde(default)]
    pub method: OneOrMore,
    /// Whether the opening call is awaited.
    pub awaited: Often,
    /// What stands in `async with …`.
    pub form: Form,
    /// The methods that close it.
    pub close: Vec<String>,
    /// Whether their calls are awaited.
    pub close_awaited: Often,
    /// Whether `close` names methods of the object that opened it, which take it as their argument:
    /// `pool.release(conn)`.
    #[serde(default)]
    pub owner_closes: bool,
    /// The method that is awaited after closing, such as `wait_closed`; leaving the block awaits it as well.
    pub then: Option<String>,
    /// The method that is awaited after opening; entering the block calls it as well.
    pub setup: Option<String>,
    /// Where entering the block does more than to return the object, such as to connect: the methods that do the same;
    /// `*` for every awaited method.
    pub enters: Option<Vec<String>>,
    /// The methods of which one has to be called before it can be closed, where making it opens nothing.
    pub opened_by: Option<Vec<String>>,
    /// Where `__aenter__` is annotated with a base class: the attributes of that class. Type checkers reject all others
    /// inside of the block.
    pub entered_as: Option<Vec<String>>,
    /// Whether it has an effect for as long as it is open, such as to announce a service: closing it early ends that.
    #[serde(default)]
    pub holds: bool,
    /// `closes`, or `more` where leaving the block does more than `close`.
    exit: String,
    /// `fine` where nobody has to close it; else empty.
    #[serde(default)]
    unclosed: String,
    /// The index of the object in the tuple that the call returns, if it returns one.
    tuple: Option<usize>,
    /// Arguments of the opening call with which the object holds nothing open between uses, each with the dotted
    /// paths of such values.
    #[serde(default)]
    pub idle_with: FxHashMap<String, Vec<String>>,
    /// A sentence for messages.
    pub note: Option<String>,
}

/// One name or several.
#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
pub enum OneOrMore {
    /// One.
    One(String),
    /// Several.
    More(Vec<String>),
    /// None at all.
    #[default]
    None,
}

impl OneOrMore {
    /// All of them.
    pub fn all(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::More(more) => more,
            Self::None => &[],
        }
    }
}

/// Whether a call is awaited: `true`, `false`, or `"either"` in the table.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
pub enum Often {
    /// It is always awaited, or never.
    Always(bool),
    /// Both are legal, and do the same.
    Either(Either),
}

/// The word `"either"`; a type of its own because serde needs one to read it.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Either {
    /// The only word there is.
    Either,
}

impl Often {
    /// Whether a call may be awaited (`yes`), or may be not awaited.
    pub fn allows(self, yes: bool) -> bool {
        match self {
            Self::Always(always) => always == yes,
            Self::Either(_) => true,
        }
    }
}

/// What stands in `async with …`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// The opening call, not awaited.
    Call,
    /// The awaited opening call.
    Awaited,
    /// The object that the opening method is called on: `async_playwright()` of `async_playwright().start()`.
    Receiver,
    /// The opening call, wrapped in `contextlib.aclosing`.
    Aclosing,
    /// Nothing: the object is no context manager.
    None,
}

impl Resource {
    /// The index of the object in the tuple that the call returns. `None` where it returns the object itself.
    pub fn place_in_tuple(&self) -> Option<usize> {
        self.tuple
    }

    /// Whether a method of another object makes it.
    pub fn is_made_by_method(&self) -> bool {
        !self.method.all().is_empty()
    }

    /// The statement that closes `name`, such as `await name.close()`. `None` where a method of its maker closes it.
    pub fn closing(&self, name: &str) -> Option<String> {
        let close = self.close.first().filter(|_| !self.owner_closes)?;
        let keyword = match self.close_awaited {
            Often::Always(true) | Often::Either(_) => "await ",
            Often::Always(false) => "",
        };
        Some(format!("{keyword}{name}.{close}()"))
    }

    /// Why leaving the block does more than to close the object, for a message. `None` where it does the same.
    pub fn more_than_close(&self) -> Option<&str> {
        (self.exit != "closes").then(|| {
            self.note
                .as_deref()
                .unwrap_or("`async with` does more than close here")
        })
    }

    /// Whether nobody has to close it.
    pub fn is_fine_unclosed(&self) -> bool {
        self.unclosed == "fine"
    }
}

#[derive(Deserialize)]
struct Table {
    resource: Vec<Resource>,
}

static TABLE: LazyLock<Vec<Resource>> = LazyLock::new(|| {
    let table: Table = crate::read("resources.toml", include_str!("data/resources.toml"));
    table.resource
});

/// The rows by the last component of the paths that open them: `ClientSession`, `connect`.
static BY_NAME: LazyLock<FxHashMap<&'static str, Vec<&'static Resource>>> = LazyLock::new(|| {
    let mut rows: FxHashMap<&str, Vec<&Resource>> = FxHashMap::default();
    for row in TABLE.iter() {
        let mut names: Vec<&str> = row
            .open
            .iter()
            .chain(row.method.all())
            .filter_map(|path| path.rsplit('.').next())
            .collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            rows.entry(name).or_default().push(row);
        }
    }
    rows
});

/// As the method of a row: calling an object of the class opens another one, as in `async_session()`.
pub const CALL: &str = "__call__";

/// The dotted paths of classes whose objects open something when they are called.
pub fn callable_classes() -> &'static [&'static str] {
    static CLASSES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
        let rows = BY_NAME.get(CALL).into_iter().flatten();
        rows.flat_map(|row| row.method.all())
            .filter_map(|path| path.rsplit_once('.'))
            .map(|(class, _)| class)
            .collect()
    });
    &CLASSES
}

/// The method that closes an async generator.
pub const CLOSES_GENERATOR: &str = "aclose";

/// The row for async generators. It is not in the table, because they are made by functions of any program. They need
/// not be closed, but if they are, it should be by `contextlib.aclosing`.
pub fn async_generator() -> &'static Resource {
    static GENERATOR: LazyLock<Resource> = LazyLock::new(|| Resource {
        open: Vec::new(),
        method: OneOrMore::None,
        awaited: Often::Always(false),
        form: Form::Aclosing,
        close: vec![CLOSES_GENERATOR.to_owned()],
        close_awaited: Often::Always(true),
        owner_closes: false,
        then: None,
        setup: None,
        enters: None,
        opened_by: None,
        entered_as: None,
        holds: false,
        exit: "closes".to_owned(),
        unclosed: "fine".to_owned(),
        tuple: None,
        idle_with: FxHashMap::default(),
        note: None,
    });
    &GENERATOR
}

/// The last components of all paths that open an object. A file with none of these words has no candidate.
pub fn opening_names() -> &'static [&'static str] {
    static NAMES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
        let classes = callable_classes().iter();
        let names = BY_NAME.keys().copied().filter(|name| *name != CALL);
        names
            .chain(classes.filter_map(|path| path.rsplit('.').next()))
            .chain([CLOSES_GENERATOR])
            .collect()
    });
    &NAMES
}

/// The dotted paths of functions and classes that open an object and end with this name.
pub fn opening_paths(name: &str) -> impl Iterator<Item = &'static str> {
    BY_NAME
        .get(name)
        .into_iter()
        .flatten()
        .flat_map(|row| &row.open)
        .map(String::as_str)
        .filter(move |path| path.rsplit('.').next() == Some(name))
}

/// The methods that open an object, each as top-level package and name of the method.
pub fn opening_methods() -> impl Iterator<Item = (&'static str, &'static str)> {
    TABLE
        .iter()
        .flat_map(|row| row.method.all())
        .filter_map(|path| Some((package_of(path), path.rsplit('.').next()?)))
}

/// Whether a method of this name of some object opens another one.
pub fn is_opening_method(name: &str) -> bool {
    BY_NAME
        .get(name)
        .into_iter()
        .flatten()
        .any(|row| !row.method.all().is_empty())
}

/// Whether two dotted paths may mean the same class, which packages often export under several: they have the same
/// top-level package and the same last component.
pub fn is_same_class(one: &str, other: &str) -> bool {
    package_of(one) == package_of(other) && one.rsplit('.').next() == other.rsplit('.').next()
}

/// The rows that are opened by a function, class or method of this name.
pub fn rows_of(name: &str) -> impl Iterator<Item = &'static Resource> {
    BY_NAME.get(name).into_iter().flatten().copied()
}
