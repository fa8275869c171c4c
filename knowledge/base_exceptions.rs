//! Packages with exceptions that are no `Exception`. `data/base_exceptions.toml` says more about each key.

use std::sync::LazyLock;

use serde::Deserialize;

/// The packages.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// One for each exception.
    #[serde(rename = "package")]
    pub packages: Vec<Package>,
}

/// A package with such an exception.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// The package, as it is imported.
    pub name: String,
    /// What people call the exception.
    pub exception: String,
    /// The dotted paths of what raises it; without them, anything may in a file that imports the package.
    #[serde(default)]
    pub raised_by: Vec<String>,
}

/// What is known.
pub static TABLE: LazyLock<Table> = LazyLock::new(|| {
    crate::read(
        "base_exceptions.toml",
        include_str!("data/base_exceptions.toml"),
    )
});
