//! What calls a function that it is given like any function. `data/plain_callers.toml` says more about each key.

use std::sync::LazyLock;

use serde::Deserialize;

/// All that is known.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// One function, class or method each.
    pub row: Vec<Row>,
}

/// A function, class or method.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    missing_docs,
    reason = "`data/plain_callers.toml` says what each key is"
)]
pub struct Row {
    pub path: String,
    pub alias: Option<String>,
    pub place: Option<usize>,
    pub keyword: Option<String>,
    #[serde(default)]
    pub awaited: bool,
    pub instead: String,
}

impl Row {
    /// The last part of its path.
    pub fn name(&self) -> &str {
        self.path.rsplit('.').next().unwrap_or_default()
    }

    /// Whether this is its path.
    pub fn is_at(&self, path: &str) -> bool {
        self.path == path || self.alias.as_deref() == Some(path)
    }
}

/// What is known.
pub static TABLE: LazyLock<Table> = LazyLock::new(|| {
    crate::read(
        "plain_callers.toml",
        include_str!("data/plain_callers.toml"),
    )
});
