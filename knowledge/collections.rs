//! Classes of collections, and what they hold. `data/collections.toml` says more about each key.

use std::sync::LazyLock;

use serde::Deserialize;

/// Classes and functions, by dotted path.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "`data/collections.toml` says what each key is")]
pub struct Table {
    pub sequences: Vec<String>,
    pub iterables: Vec<String>,
    pub generators: Vec<String>,
    pub mappings: Vec<String>,
    pub tuples: Vec<String>,
    pub copies: Vec<String>,
    pub numbering: Vec<String>,
    pub pairing: Vec<String>,
    pub lookups: Vec<String>,
    pub additions: Vec<String>,
}

/// What is known.
pub static TABLE: LazyLock<Table> =
    LazyLock::new(|| crate::read("collections.toml", include_str!("data/collections.toml")));
