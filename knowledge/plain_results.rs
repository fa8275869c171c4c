//! What a function may give away of an object that it closes. `data/plain_results.toml` says more about each key.

use std::sync::LazyLock;

use serde::Deserialize;

/// Modules, classes and attributes, by dotted path.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "`data/plain_results.toml` says what each key is"
)]
pub struct Table {
    pub modules: Vec<String>,
    pub classes: Vec<String>,
    pub collections: Vec<String>,
    pub attributes: Vec<String>,
    pub answering: Vec<String>,
}

/// What is known.
pub static TABLE: LazyLock<Table> = LazyLock::new(|| {
    crate::read(
        "plain_results.toml",
        include_str!("data/plain_results.toml"),
    )
});
