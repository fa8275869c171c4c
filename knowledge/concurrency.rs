//! What functions that coroutines are given to do with them, and what limits how many run. `data/concurrency.toml` says more about each key.

use std::sync::LazyLock;

use rustc_hash::{FxHashMap, FxHashSet};
use serde::Deserialize;

/// Names and words.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "`data/concurrency.toml` says what each key is")]
pub struct Table {
    pub connection_limits: FxHashMap<String, String>,
    pub spawning_words: FxHashSet<String>,
    pub awaiting_words: FxHashSet<String>,
    pub awaitable_words: FxHashSet<String>,
    pub gathering_words: FxHashSet<String>,
    pub gathers: Vec<String>,
    pub takers: FxHashSet<String>,
    pub takers_of_one: FxHashSet<String>,
    pub few: Vec<String>,
}

/// What is known.
pub static TABLE: LazyLock<Table> =
    LazyLock::new(|| crate::read("concurrency.toml", include_str!("data/concurrency.toml")));
