//! Names for new variables.

use asyncfix_syntax::site::Owner;

use crate::file::File;

/// A name that nothing in `owner`, around it or inside it has: the first of `wishes` that is free, else the first one with a number.
///
/// An empty list of wishes is answered with `value`.
pub fn fresh(file: &File<'_, '_>, owner: Owner<'_>, wishes: &[&str]) -> String {
    first_free(wishes, |name| !file.semantics.is_taken_in(name, owner))
}

/// A name that stands nowhere in the file, for a variable that several scopes will use.
pub fn unmentioned(file: &File<'_, '_>, wishes: &[&str]) -> String {
    first_free(wishes, |name| !file.semantics.is_mentioned(name))
}

fn first_free(wishes: &[&str], free: impl Fn(&str) -> bool) -> String {
    if let Some(name) = wishes.iter().find(|name| free(name)) {
        return (*name).to_owned();
    }
    let base = wishes.first().copied().unwrap_or("value");
    // A file has fewer names than this.
    (2..u32::MAX)
        .map(|number| format!("{base}_{number}"))
        .find(|name| free(name))
        .unwrap_or_else(|| base.to_owned())
}
