//! What runs an event loop until it is done. `data/runners.toml` says more about each key.

use std::sync::LazyLock;

use std::collections::BTreeMap;

use rustc_hash::FxHashSet;
use serde::Deserialize;

/// Functions and methods.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "`data/runners.toml` says what each key is")]
pub struct Table {
    pub given: Vec<String>,
    pub given_methods: FxHashSet<String>,
    pub functions: Vec<String>,
    pub methods: FxHashSet<String>,
    pub of_packages: BTreeMap<String, FxHashSet<String>>,
    pub alone: Alone,
    pub perhaps: Perhaps,
}

/// What is known.
pub static TABLE: LazyLock<Table> =
    LazyLock::new(|| crate::read("runners.toml", include_str!("data/runners.toml")));

/// What runs an event loop that others have nothing to do with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alone {
    /// Functions, by dotted path.
    pub functions: Vec<String>,
    /// Functions that make such a function, by dotted path.
    pub makers: Vec<String>,
    /// Methods, each with the packages of its objects.
    pub of_packages: BTreeMap<String, FxHashSet<String>>,
}

/// Methods that may run an event loop.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Perhaps {
    /// Their names.
    pub methods: FxHashSet<String>,
    /// Packages none of whose objects has to do with one.
    pub other_packages: FxHashSet<String>,
}
