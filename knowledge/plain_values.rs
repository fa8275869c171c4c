//! What takes plain values, and coroutine functions that are or were plain ones. `data/plain_values.toml` says more about each key.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;
use serde::Deserialize;

/// Functions, modules and packages.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "`data/plain_values.toml` says what each key is"
)]
pub struct Table {
    pub functions: Vec<String>,
    pub synchronizers: Vec<String>,
    pub self_running: Vec<String>,
    pub lazy: Vec<String>,
    pub once_plain: FxHashMap<String, OncePlain>,
}

/// What is known.
pub static TABLE: LazyLock<Table> =
    LazyLock::new(|| crate::read("plain_values.toml", include_str!("data/plain_values.toml")));

/// The coroutine functions of a package that were plain ones.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OncePlain {
    /// What the package is installed by.
    pub distributions: Vec<String>,
    /// The major version that changed it.
    pub since: u64,
    /// Their names.
    pub names: Vec<String>,
}

/// Whether it matters which version of a distribution the project asks for. The name is a normalized one.
pub fn depends_on_version_of(distribution: &str) -> bool {
    let mut packages = TABLE.once_plain.values();
    packages.any(|package| {
        package
            .distributions
            .iter()
            .any(|name| name == distribution)
    })
}
