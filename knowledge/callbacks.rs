//! Who calls the functions that a program hands over. `data/callbacks.toml` says more about each key.

use std::sync::LazyLock;

use rustc_hash::FxHashSet;
use serde::Deserialize;

/// Packages and functions.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "`data/callbacks.toml` says what each key is")]
pub struct Table {
    pub awaiting: FxHashSet<String>,
    pub awaiting_functions: Vec<String>,
    pub plain: FxHashSet<String>,
    pub dropping: FxHashSet<String>,
}

/// What is known.
pub static TABLE: LazyLock<Table> =
    LazyLock::new(|| crate::read("callbacks.toml", include_str!("data/callbacks.toml")));
