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

/// Whether a class with this path is that of files in memory.
pub fn is_in_memory(path: &str) -> bool {
    is_among(|data| &data.in_memory, path)
}

/// Whether a database with this name is in memory, and belongs to what opens it.
pub fn is_database_in_memory(name: &str) -> bool {
    is_among(|data| &data.databases_in_memory, name)
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

/// Whether a tool changes the files whose names it is given.
pub fn tool_changes_files(tool: &str) -> bool {
    is_among(|data| &data.changing_tools, tool)
}

/// Whether a command of a tool, by the word behind the tool's name, or two of them, only looks at what is there.
pub fn command_only_reads(tool: &str, word: &str) -> bool {
    let known = DATA.reading_commands.get(tool);
    known.is_some_and(|words| words.iter().any(|known| known == word))
}

/// Whether what a function, class or name with this path stands for or gives can be changed by nobody.
pub fn is_unchanging(path: &str) -> bool {
    DATA.unchanging
        .iter()
        .any(|known| match known.strip_suffix('.') {
            Some(package) => path
                .strip_prefix(package)
                .is_some_and(|rest| rest.starts_with('.')),
            None => known == path,
        })
}

/// Whether a method of something that cannot be changed gives a collection, which can.
pub fn gives_collection(method: &str) -> bool {
    is_among(|data| &data.giving_collections, method)
}

/// Whether a function with this path raises in any thread but the main one.
pub fn needs_main_thread(path: &str) -> bool {
    is_among(|data| &data.main_thread, path)
}

/// Whether a decorator with this path makes of a function what an event loop runs over and over.
pub fn runs_on_loop(decorator: &str) -> bool {
    is_among(|data| &data.looping_decorators, decorator)
}

/// Whether a method of that needs the event loop.
pub fn method_needs_loop(name: &str) -> bool {
    is_among(|data| &data.looping_methods, name)
}

/// Whether a method changes the context of the code that calls it. `path` is the dotted path of its class, and its name.
pub fn changes_context(path: &str) -> bool {
    is_among(|data| &data.context_changing, path)
}

/// Whether an attribute or a method of a class gives another object of it.
pub fn gives_its_class(class: &str, name: &str) -> bool {
    DATA.giving_their_class.iter().any(|known| {
        known
            .strip_suffix(name)
            .is_some_and(|known| known.strip_suffix('.') == Some(class))
    })
}

/// Whether what a function with this path gives holds what it is given.
pub fn holds_arguments(path: &str) -> bool {
    DATA.holding.iter().any(|known| path.starts_with(known))
}

/// Whether a method of this name may give back what it is given.
pub fn method_hands_back(name: &str) -> bool {
    is_among(|data| &data.handing_back_methods, name)
}

/// Whether a function with this path calls what it is given before it returns, with parts of what else it is given.
pub fn calls_at_once(path: &str) -> bool {
    is_among(|data| &data.calling_at_once, path)
}

/// Whether a method of a built-in collection reads it in one step, whatever other threads do meanwhile.
pub fn reads_at_once(name: &str) -> bool {
    is_among(|data| &data.reading_at_once, name)
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

/// Whether a function with this path that goes through collections does so in one step, which no other thread comes
/// into. `has_keyword` says whether it is given an argument of this name.
pub fn takes_at_once(path: &str, has_keyword: impl Fn(&str) -> bool) -> bool {
    is_among(|data| &data.dumping_at_once, path)
        && !DATA
            .dumping_in_steps
            .iter()
            .any(|keyword| has_keyword(keyword))
}

/// Whether a method of this name writes one after the other what is in what it is given.
pub fn method_writes_each(name: &str) -> bool {
    is_among(|data| &data.writing_methods, name)
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
