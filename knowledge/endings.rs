//! How coroutines of libraries end, and what they use until then. `data/endings.toml` says more about each key.

use std::sync::LazyLock;

use rustc_hash::{FxHashMap, FxHashSet};
use serde::Deserialize;

/// Names, classes and words.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "`data/endings.toml` says what each key is")]
pub struct Table {
    pub ends: Vec<String>,
    pub sleeps: Vec<String>,
    pub as_arguments: Vec<String>,
    pub as_elements: Vec<String>,
    pub never: FxHashSet<String>,
    pub waits: FxHashSet<String>,
    pub cleaning: FxHashSet<String>,
    pub closing: FxHashSet<String>,
    pub undoing: FxHashSet<String>,
    pub letting_go: FxHashSet<String>,
    pub freeing: FxHashSet<String>,
    pub freeing_methods: FxHashSet<String>,
    pub freeing_alone: FxHashSet<String>,
    pub taking_away: Vec<String>,
    pub taking_away_methods: FxHashSet<String>,
    pub limiters: FxHashSet<String>,
    pub locks: FxHashSet<String>,
    pub pooled: Vec<String>,
    pub pooling_methods: FxHashSet<String>,
    pub meeting_of_threads: FxHashSet<String>,
    pub waits_of_threads: FxHashMap<String, usize>,
    pub limited_words: FxHashSet<String>,
    pub limiter_words: FxHashSet<String>,
    pub limiting_words: FxHashSet<String>,
    pub locking_words: FxHashSet<String>,
    pub meeting: FxHashSet<String>,
    pub meeting_methods: FxHashSet<String>,
    pub met_before: FxHashMap<String, FxHashSet<String>>,
    pub met_by: FxHashMap<String, FxHashSet<String>>,
    pub socket_methods: FxHashSet<String>,
    pub entered_together: FxHashSet<String>,
    pub timers: FxHashSet<String>,
    pub streams: Vec<String>,
    pub stream_methods: FxHashSet<String>,
    pub reading_methods: FxHashSet<String>,
    pub finite: FxHashSet<String>,
    pub scarce: Vec<String>,
    pub clients: FxHashSet<String>,
    pub not_clients: Vec<String>,
    pub client_classes: Vec<String>,
    pub waiting_methods: FxHashSet<String>,
    pub calm: Vec<String>,
    pub calm_methods: FxHashSet<String>,
}

/// What is known.
pub static TABLE: LazyLock<Table> =
    LazyLock::new(|| crate::read("endings.toml", include_str!("data/endings.toml")));
