//! Pitfall 1: forgetting `await`.

mod background;
pub mod call;
pub mod context;
mod dispatched;
pub(crate) mod doubt;
mod held;
pub mod iteration;
mod late;
pub(crate) mod uses;
mod value;

/// Whether it matters which version of a distribution the project asks for. The name is a normalized one.
pub fn depends_on_version_of(distribution: &str) -> bool {
    let mut packages = uses::PLAIN_VALUES.once_plain.values();
    packages.any(|package| {
        package
            .distributions
            .iter()
            .any(|name| name == distribution)
    })
}
