//! Names for new variables.

use ty_python_core::scope::FileScopeId;

use crate::file::File;

/// A name that nothing visible in `scope`, around it or inside it has: the first of `wishes` that
/// is free, else the first one with a number.
///
/// An empty list of wishes is answered with `value`.
pub fn fresh(file: &File<'_, '_>, scope: FileScopeId, wishes: &[&str]) -> String {
    let free = |name: &str| !file.semantics.is_taken(name, scope);
    if let Some(name) = wishes.iter().find(|name| free(name)) {
        return (*name).to_owned();
    }
    let base = wishes.first().copied().unwrap_or("value");
    (2usize..)
        .map(|number| format!("{base}_{number}"))
        .find(|name| free(name))
        .unwrap_or_else(|| base.to_owned())
}
