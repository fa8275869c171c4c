//! What is known about objects that have to be closed.

use std::sync::LazyLock;

use ruff_python_ast::{self as ast, Expr};
use rustc_hash::FxHashMap;
use serde::Deserialize;

use crate::file::File;
use crate::outline::last_name;
use crate::semantics::ClassOf;
use crate::traces::scopes::is_stdlib;

/// One way to open an object, and how it is closed. `data/resources.toml` says more about each key.
#[derive(Debug, Deserialize)]
pub struct Resource {
    #[serde(default)]
    open: Vec<String>,
    #[serde(default)]
    method: OneOrMore,
    awaited: Often,
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
    exit: String,
    #[serde(default)]
    unclosed: String,
    tuple: Option<usize>,
    #[serde(default)]
    idle_with: FxHashMap<String, Vec<String>>,
    note: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
    #[default]
    None,
}

impl OneOrMore {
    fn all(&self) -> &[String] {
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

    /// Whether `call` opens it in a way that leaves nothing open between uses.
    pub fn is_idle(&self, file: &File<'_, '_>, call: &ast::ExprCall) -> bool {
        call.arguments.keywords.iter().any(|keyword| {
            keyword
                .arg
                .as_deref()
                .and_then(|name| self.idle_with.get(name))
                .is_some_and(|values| {
                    file.semantics
                        .qualified_name(&keyword.value)
                        .is_some_and(|value| values.contains(&value))
                })
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
    toml::from_str::<Table>(include_str!("../data/resources.toml"))
        .map(|table| table.resource)
        .unwrap_or_default()
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

/// The last names of what opens an object, for a first look at a file.
pub fn opening_names() -> &'static [&'static str] {
    static NAMES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
        let classes = callable_classes().iter();
        let names = BY_NAME.keys().copied().filter(|name| *name != CALL);
        names
            .chain(classes.filter_map(|path| path.rsplit('.').next()))
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
        .filter_map(|path| Some((path.split('.').next()?, path.rsplit('.').next()?)))
}

/// Whether a method of this name of some object opens another one.
pub fn is_opening_method(name: &str) -> bool {
    BY_NAME
        .get(name)
        .into_iter()
        .flatten()
        .any(|row| !row.method.all().is_empty())
}

/// The rows for what `call` opens, `awaited` or not. Empty where it opens nothing that is known.
pub fn opened(file: &File<'_, '_>, call: &ast::ExprCall, awaited: bool) -> Vec<&'static Resource> {
    let by_name = by_last_name(file, call, awaited);
    if !by_name.is_empty() {
        return by_name;
    }
    // `async_session()`: what is called is an object itself.
    let rows = BY_NAME.get(CALL).into_iter().flatten().copied();
    let rows: Vec<&Resource> = rows.filter(|row| row.awaited.allows(awaited)).collect();
    let is_mentioned = callable_classes()
        .iter()
        .filter_map(|path| path.split('.').next())
        .any(|package| file.semantics.spellings().import(package));
    if rows.is_empty() || !is_mentioned || is_no_object(file, &call.func) {
        return Vec::new();
    }
    of_method(file, rows, &call.func)
}

/// Whether a callee is plainly a function or a class, or a method of an object of the standard library.
fn is_no_object(file: &File<'_, '_>, callee: &Expr) -> bool {
    let is_stdlib = |path: &String| is_stdlib(path.split('.').next().unwrap_or_default());
    let semantics = &file.semantics;
    // A decorator may make a property of it.
    let is_plain_function = semantics.function_in_sight(callee).is_some_and(|function| {
        let node = function.node(semantics.db());
        node.is_some_and(|node| node.decorator_list.is_empty())
    });
    semantics
        .qualified_name(callee)
        .as_ref()
        .is_some_and(is_stdlib)
        || is_plain_function
        || semantics.class_named(callee).is_some()
        || matches!(callee, Expr::Attribute(method)
            if semantics.class_path_in_sight(&method.value).as_ref().is_some_and(is_stdlib))
}

/// The rows for what `call` opens by the name of a function, a class or a method.
fn by_last_name(
    file: &File<'_, '_>,
    call: &ast::ExprCall,
    awaited: bool,
) -> Vec<&'static Resource> {
    let rows_of = |name: &str| -> Vec<&'static Resource> {
        let rows = BY_NAME.get(name).into_iter().flatten().copied();
        rows.filter(|row| row.awaited.allows(awaited)).collect()
    };
    if let Some(path) = file.semantics.qualified_name(&call.func) {
        let mut rows = rows_of(path.rsplit('.').next().unwrap_or_default());
        rows.retain(|row| row.open.contains(&path));
        if !rows.is_empty() {
            return rows;
        }
    }
    let Some(name) = last_name(&call.func) else {
        return Vec::new();
    };
    let rows = rows_of(name);
    let Expr::Attribute(method) = &*call.func else {
        return Vec::new();
    };
    if rows.iter().all(|row| row.method.all().is_empty()) {
        return Vec::new();
    }
    of_method(file, rows, &method.value)
}

/// Those of `rows` whose method is one of the class of `object`.
fn of_method(
    file: &File<'_, '_>,
    rows: Vec<&'static Resource>,
    object: &Expr,
) -> Vec<&'static Resource> {
    let ClassOf::Known(class) = file.semantics.class_of(object) else {
        return Vec::new();
    };
    rows.into_iter()
        .filter(|row| {
            row.method.all().iter().any(|path| {
                path.rsplit_once('.')
                    .is_some_and(|(of, _)| is_same_class(of, &class))
            })
        })
        .collect()
}

/// Whether two paths mean one class, which a package may offer under several: the same last name in
/// the same package.
pub fn is_same_class(one: &str, other: &str) -> bool {
    one.split('.').next() == other.split('.').next()
        && one.rsplit('.').next() == other.rsplit('.').next()
}

#[cfg(test)]
mod tests {
    use super::TABLE;

    #[test]
    fn every_row_is_read() {
        let rows = include_str!("../data/resources.toml").matches("[[resource]]");
        assert_eq!(TABLE.len(), rows.count());
    }
}
