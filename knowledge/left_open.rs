//! What a coroutine opens before an endless loop, and has to close when it is cancelled, beside [`crate::resources`]. `data/left_open.toml` says more about each key.

use std::sync::LazyLock;

use serde::Deserialize;

/// What is opened.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "`data/left_open.toml` says what each key is")]
pub struct Table {
    pub lent_to: Vec<String>,
    pub opened: Vec<Opened>,
}

/// What is known.
pub static TABLE: LazyLock<Table> =
    LazyLock::new(|| crate::read("left_open.toml", include_str!("data/left_open.toml")));

/// What is opened in one way.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opened {
    /// The dotted paths of what is called, or called and awaited.
    pub by: Vec<String>,
    /// The method of the result that ends it.
    pub close: String,
    /// What has to be true of the result for that, behind its name.
    #[serde(rename = "while")]
    pub condition: Option<String>,
}
