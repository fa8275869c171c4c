//! Objects that have to be closed. `data/resources.toml` says more about each key.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;
use serde::Deserialize;

use crate::package_of;

/// One way to open an object, and how it is closed. `data/resources.toml` says more about each key.
#[derive(Debug, Deserialize)]
pub struct Resource {
    /// What is called to make one, by every public dotted path.
    #[serde(default)]
    pub open: Vec<String>,
    /// Instead of `open`: the method of another object that makes one, as class path and name.
    #[serde(default)]
    pub method: OneOrMore,
    /// Whether the opening call is awaited.
    pub awaited: Often,
    /// What `async with` takes.
    pub form: Form,
    /// The methods that close it.
    pub close: Vec<String>,
    /// Whether their calls are awaited.
    pub close_awaited: Often,
    /// Whether the methods are those of the object that opened it, and take it as their argument.
    #[serde(default)]
    pub owner_closes: bool,
    /// What is awaited after closing.
    pub then: Option<String>,
    /// What is awaited after opening, and part of entering the block.
    pub setup: Option<String>,
    /// The methods that do what entering the block does beyond giving the object, where it does something;
    /// `*` for every one that is awaited.
    pub enters: Option<Vec<String>>,
    /// The methods of which one has to be called before it can be closed, where making it opens nothing.
    pub opened_by: Option<Vec<String>>,
    /// The attributes of the base class that type checkers know what entering gives as, where that is less than the
    /// object.
    pub entered_as: Option<Vec<String>>,
    /// Whether what it does lasts as long as it is open.
    #[serde(default)]
    pub holds: bool,
    exit: String,
    #[serde(default)]
    unclosed: String,
    tuple: Option<usize>,
    /// Arguments of the opening call with which the object holds nothing open between uses, each with the dotted
    /// paths of such values.
    #[serde(default)]
    pub idle_with: FxHashMap<String, Vec<String>>,
    /// What people are told of it.
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

/// `true`, `false`, or `"either"`.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
pub enum Often {
    /// Always, or never.
    Always(bool),
    /// Either is right.
    Either(Either),
}

/// `"either"`
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Either {
    /// The only word there is.
    Either,
}

impl Often {
    /// Whether it may be so.
    pub fn allows(self, yes: bool) -> bool {
        match self {
            Self::Always(always) => always == yes,
            Self::Either(_) => true,
        }
    }
}

/// What `async with` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// The opening call, not awaited.
    Call,
    /// The awaited opening call.
    Awaited,
    /// What the opening method is called on.
    Receiver,
    /// The opening call, by `contextlib.aclosing`.
    Aclosing,
    /// Nothing: the object is no context manager.
    None,
}

impl Resource {
    /// Where in the tuple that the call gives the object is, if the call gives one.
    pub fn place_in_tuple(&self) -> Option<usize> {
        self.tuple
    }

    /// Whether another object makes it.
    pub fn is_made_by_method(&self) -> bool {
        !self.method.all().is_empty()
    }

    /// The statement that closes `name`, where one does.
    pub fn closing(&self, name: &str) -> Option<String> {
        let close = self.close.first().filter(|_| !self.owner_closes)?;
        let keyword = match self.close_awaited {
            Often::Always(true) | Often::Either(_) => "await ",
            Often::Always(false) => "",
        };
        Some(format!("{keyword}{name}.{close}()"))
    }

    /// Why leaving the block is not the same as closing the object.
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

/// The rows by the last name of what opens them.
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

/// The name under which a class is called like a function.
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

/// An async generator, which any function may make.
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

/// The last names of what opens an object, for a first look at a file.
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

/// The dotted paths of functions and classes with this last name that open an object.
pub fn opening_paths(name: &str) -> impl Iterator<Item = &'static str> {
    BY_NAME
        .get(name)
        .into_iter()
        .flatten()
        .flat_map(|row| &row.open)
        .map(String::as_str)
        .filter(move |path| path.rsplit('.').next() == Some(name))
}

/// The methods that open an object, by the top-level packages and their names.
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

/// Whether two paths mean one class, which a package may offer under several: the same last name in
/// the same package.
pub fn is_same_class(one: &str, other: &str) -> bool {
    package_of(one) == package_of(other) && one.rsplit('.').next() == other.rsplit('.').next()
}

/// The rows for what is called by this last name.
pub fn rows_of(name: &str) -> impl Iterator<Item = &'static Resource> {
    BY_NAME.get(name).into_iter().flatten().copied()
}
