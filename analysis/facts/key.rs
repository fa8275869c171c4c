//! Numbers that stand for names, in what outlives a file's tree.

use std::hash::{Hash, Hasher};

use rustc_hash::FxHasher;

/// A number for a name. Two names with the same number only bring or spare a closer look.
pub type Key = u32;

/// The [`Key`] of a name.
pub fn name_key(name: &str) -> Key {
    let mut hasher = FxHasher::default();
    name.hash(&mut hasher);
    // All of its bits are mixed at the end.
    #[expect(clippy::cast_possible_truncation)]
    let key = hasher.finish() as Key;
    key
}

/// The [`Key`] of a property's name, apart from that of a function.
pub fn property_key(name: &str) -> Key {
    as_property(name_key(name))
}

/// The [`Key`] of a property, from that of its name.
pub(crate) fn as_property(name: Key) -> Key {
    name ^ 1
}

/// The [`Key`] of what calling an instance of a class gives.
pub(crate) fn instance_key(class: Key) -> Key {
    class ^ 2
}

/// The [`Key`] of what iterating over the value of a name gives.
pub fn iteration_key(name: Key) -> Key {
    name ^ 4
}

/// The [`Key`] of what entering the value of a name gives.
pub fn context_key(name: Key) -> Key {
    name ^ 8
}

/// The [`Key`] of what an annotation with this name speaks of.
pub(crate) fn alias_key(name: Key) -> Key {
    name ^ 16
}

/// The [`Key`] of what calling the value of a name gives that is taken out of a collection, or out of which
/// what is called is taken.
pub(crate) fn taken_key(name: Key) -> Key {
    name ^ 64
}

/// The [`Key`] of the name of a method that opens something.
pub fn opening_key(name: &str) -> Key {
    name_key(name) ^ 32
}

/// The [`Key`]s under which a module is found, from those of the components of its name: by the last one and,
/// behind that, by the last two.
pub(crate) fn module_keys(
    components: impl DoubleEndedIterator<Item = Key>,
) -> impl Iterator<Item = Key> {
    let mut from_end = components.rev();
    let last = from_end.next();
    let both = last.zip(from_end.next());
    let pair = both.map(|(last, before)| before.rotate_left(17) ^ last);
    last.into_iter().chain(pair)
}
