//! What functions do that matters in a thread: with the collections and files they are given, and with the
//! exception that is being handled. Read from `data/blocking.toml`.

use crate::blocking::{DATA, Data};

fn is_among(list: impl Fn(&Data) -> &Vec<String>, name: &str) -> bool {
    list(&DATA).iter().any(|known| known == name)
}

/// Whether what a function with this path gives is another one each time.
pub fn is_unique(path: &str) -> bool {
    DATA.unique.iter().any(|known| path.starts_with(known))
}

/// Whether a function or class with this path gives the same path that it is given.
pub fn names_a_path(path: &str) -> bool {
    is_among(|data| &data.paths, path)
}

/// Whether a function with this path only reads the file that it is given.
pub fn only_reads(path: &str) -> bool {
    is_among(|data| &data.readers, path)
}

/// Whether a class is a lock that one task after the other holds.
pub fn is_lock_of_loop(class: &str) -> bool {
    is_among(|data| &data.locks, class)
}

/// Whether a tool keeps in the folder it works in, or on the machine, what its next command starts from.
pub fn tool_keeps_state(tool: &str) -> bool {
    is_among(|data| &data.stateful_tools, tool)
}

/// Whether a command of a tool, by the word behind the tool's name, only looks at what is there.
pub fn command_only_reads(tool: &str, word: &str) -> bool {
    let known = DATA.reading_commands.get(tool);
    known.is_some_and(|words| words.iter().any(|known| known == word))
}

/// What a function does with the collections that it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taking {
    /// It goes through them, and through what is in them.
    Deeply,
    /// It goes through them.
    Shallowly,
    /// It makes a text of them.
    AsText,
}

/// What a function with this path does with the collections that it is given.
pub fn takes(path: &str) -> Option<Taking> {
    if is_among(|data| &data.dumping, path) {
        Some(Taking::Deeply)
    } else if is_among(|data| &data.traversing, path) {
        Some(Taking::Shallowly)
    } else if is_among(|data| &data.formatting, path) {
        Some(Taking::AsText)
    } else {
        None
    }
}

/// Whether a method of this name goes through what it is given.
pub fn method_traverses(name: &str) -> bool {
    is_among(|data| &data.traversing_methods, name)
}

/// Whether a method of a collection with this name changes it.
pub fn method_changes(name: &str) -> bool {
    is_among(|data| &data.changing_methods, name)
}

/// Whether a call asks for the exception that is being handled. `path` is the dotted path of what is called, as far
/// as it is known, `method` the name of it where it is an attribute; `is_empty` where there are no arguments.
pub fn asks_for_exception(path: Option<&str>, method: Option<&str>, is_empty: bool) -> bool {
    let known = &DATA.current_exception;
    let names = |list: &[String], name: Option<&str>| {
        name.is_some_and(|name| list.iter().any(|known| known == name))
    };
    names(&known.functions, path)
        || is_empty && (names(&known.functions_alone, path) || names(&known.methods_alone, method))
        || !is_empty && names(&known.methods, method)
}

/// The keywords that ask for it, some behind the last name of the function that has them.
pub fn exception_keywords() -> impl Iterator<Item = (Option<&'static str>, &'static str)> {
    let keywords = DATA.current_exception.keywords.iter();
    keywords.map(|keyword| match keyword.split_once('.') {
        Some((callee, keyword)) => (Some(callee), keyword),
        None => (None, keyword.as_str()),
    })
}
