//! What libraries give the functions that they call. `data/handlers.toml` says more about each key.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;
use serde::Deserialize;

/// One kind of functions that a library calls. `data/handlers.toml` says more about each key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handler {
    /// Functions that are a decorator of such functions, or make one.
    #[serde(default)]
    pub functions: Vec<String>,
    /// The classes of objects whose methods do.
    #[serde(default)]
    pub objects: Vec<String>,
    /// The last names of the decorators.
    pub methods: Vec<String>,
    /// Whether the methods of a class below one of `objects` are such functions, without a decorator.
    #[serde(default)]
    pub in_class: bool,
    #[serde(default)]
    gives: Vec<String>,
    #[serde(default)]
    by_name: FxHashMap<String, Vec<String>>,
}

impl Handler {
    /// The dotted path of the class that a function of this name is given as its argument number `place`.
    pub fn given(&self, function: &str, place: usize) -> Option<&str> {
        let classes = self.by_name.get(function).unwrap_or(&self.gives);
        classes.get(place).map(String::as_str)
    }
}

#[derive(Deserialize)]
struct Table {
    handler: Vec<Handler>,
}

static TABLE: LazyLock<Vec<Handler>> = LazyLock::new(|| {
    let table: Table = crate::read("handlers.toml", include_str!("data/handlers.toml"));
    table.handler
});

/// What is known of the functions with a decorator of this last name.
pub fn handlers_of(decorator: &str) -> impl Iterator<Item = &'static Handler> {
    let handlers = TABLE.iter();
    handlers.filter(move |handler| handler.methods.iter().any(|name| name == decorator))
}

/// What is known of methods that need no decorator.
pub fn handlers_in_class() -> impl Iterator<Item = &'static Handler> {
    TABLE.iter().filter(|handler| handler.in_class)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_given_what_its_name_or_its_decorator_says() {
        let mut events = handlers_of("event");
        assert_eq!(
            events.next().and_then(|event| event.given("on_message", 0)),
            Some("discord.Message")
        );
        let mut commands = handlers_of("command");
        let command = commands.next().expect("commands are known");
        assert_eq!(
            command.given("ping", 0),
            Some("discord.ext.commands.Context")
        );
        assert_eq!(command.given("ping", 1), None);
        assert!(handlers_in_class().all(|handler| handler.given("close", 0).is_none()));
    }
}
