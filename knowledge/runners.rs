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
    pub perhaps: Perhaps,
}

/// What is known.
pub static TABLE: LazyLock<Table> =
    LazyLock::new(|| crate::read("runners.toml", include_str!("data/runners.toml")));

/// Methods that may run an event loop.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Perhaps {
    /// Their names.
    pub methods: FxHashSet<String>,
    /// Packages none of whose objects has to do with one.
    pub other_packages: FxHashSet<String>,
}
