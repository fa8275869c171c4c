//! What is known about Python's standard library and about packages that people install.
//!
//! This crate is for knowledge that is true whatever code one looks at: which functions block, what has to be
//! closed, what ends a coroutine, and stubs of packages that are often not importable where the tool runs. It stands
//! in the files below `data/`, one topic each, and here is what reads them into types. How a name in somebody's code
//! is found to mean one of these is for others to tell: this crate never sees a syntax tree. Everybody may depend on
//! it; it depends on none of the project's other crates.
//!
//! The files are part of the program. One with a mistake never becomes an empty table: reading it panics, and a test
//! reads each.

pub mod base_exceptions;
pub mod blocking;
pub mod callbacks;
pub mod collections;
pub mod concurrency;
pub mod conduct;
pub mod decorators;
pub mod endings;
pub mod handlers;
pub mod left_open;
pub mod libraries;
pub mod loggers;
pub mod loops;
pub mod plain_callers;
pub mod plain_results;
pub mod plain_values;
pub mod process_state;
pub mod resources;
pub mod runners;
pub mod stdlib;
pub mod stubs;
pub mod testing;

use serde::de::DeserializeOwned;

/// The table in the text of the data file with this name.
fn read<T: DeserializeOwned>(file: &str, text: &str) -> T {
    match toml::from_str(text) {
        Ok(table) => table,
        Err(error) => panic!("knowledge/data/{file}: {error}"),
    }
}

/// The top-level package that a dotted path starts with.
pub fn package_of(path: &str) -> &str {
    path.split('.').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    #[test]
    fn every_table_is_read() {
        LazyLock::force(&crate::base_exceptions::TABLE);
        LazyLock::force(&crate::callbacks::TABLE);
        LazyLock::force(&crate::collections::TABLE);
        LazyLock::force(&crate::concurrency::TABLE);
        LazyLock::force(&crate::endings::TABLE);
        LazyLock::force(&crate::left_open::TABLE);
        LazyLock::force(&crate::plain_callers::TABLE);
        LazyLock::force(&crate::plain_results::TABLE);
        LazyLock::force(&crate::plain_values::TABLE);
        LazyLock::force(&crate::process_state::TABLE);
        LazyLock::force(&crate::runners::TABLE);
        LazyLock::force(&crate::stdlib::OBJECTS);
        LazyLock::force(&crate::stdlib::PROTOCOLS);
        LazyLock::force(&crate::stdlib::RESULTS);
        assert!(crate::blocking::Table::builtin().knows("sleep"));
        assert!(crate::resources::opening_methods().next().is_some());
        assert!(crate::stdlib::coroutines().all(|name| !name.is_empty()));
        for way in ["imports", "own"] {
            assert!(crate::libraries::signs_of_several(way).next().is_some());
        }
    }
}
