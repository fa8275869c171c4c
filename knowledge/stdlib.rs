//! What the standard library has: modules, asynchronous objects, and what functions give.

use std::sync::LazyLock;

use ruff_python_ast::PythonVersion;
use ruff_python_stdlib::sys::is_known_standard_library;
use rustc_hash::FxHashMap;
use serde::Deserialize;

/// A package of the standard library with asynchronous objects.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// The modules of the package.
    pub modules: Vec<String>,
    /// What they hold.
    pub objects: Vec<Objects>,
}

/// Functions and classes, with the coroutine functions of what they give.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objects {
    /// The functions and classes.
    pub names: Vec<String>,
    /// The coroutine functions.
    pub coroutines: Vec<String>,
}

/// Names that give something asynchronous, and modules that don't. `data/stdlib_protocols.toml` says more.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Protocols {
    /// What gives an asynchronous iterable.
    pub iterables: Vec<String>,
    /// What gives an asynchronous context manager.
    pub managers: Vec<String>,
    /// Modules that hand out nothing but their own objects, and what they are given.
    pub closed: Vec<String>,
}

/// What the results of functions are made of. `data/stdlib_results.toml` says more.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Results {
    /// Functions that give plain values.
    pub plain: Vec<String>,
    /// Modules whose classes hold what they are given.
    pub generic: Vec<String>,
}

/// By package, what its asynchronous objects can be asked for.
pub static OBJECTS: LazyLock<FxHashMap<String, Package>> = LazyLock::new(|| {
    crate::read(
        "stdlib_objects.toml",
        include_str!("data/stdlib_objects.toml"),
    )
});

/// What gives something asynchronous, by name.
pub static PROTOCOLS: LazyLock<Protocols> = LazyLock::new(|| {
    crate::read(
        "stdlib_protocols.toml",
        include_str!("data/stdlib_protocols.toml"),
    )
});

/// What functions give.
pub static RESULTS: LazyLock<Results> = LazyLock::new(|| {
    crate::read(
        "stdlib_results.toml",
        include_str!("data/stdlib_results.toml"),
    )
});

/// The names of the coroutine functions.
pub fn coroutines() -> impl Iterator<Item = &'static str> {
    include_str!("data/stdlib_coroutines.txt").lines()
}

/// Whether a top-level module is part of the standard library, or taken for it.
pub fn is_stdlib(root: &str) -> bool {
    is_known_standard_library(PythonVersion::latest().minor, root) || root == "typing_extensions"
}
