//! Whether a closer look at a place is worth it.

use crate::facts::key::Key;
use crate::index::reach::Sought;

/// Whether a mistake could stand at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Candidate {
    /// It cannot.
    No,
    /// It can.
    Yes,
    /// It can if something in sight has the name with this key, and if what is sought may be reached
    /// from what the expression there is made of, as far as the traces of the project tell.
    If(Key, Sought),
}

impl Candidate {
    /// [`Candidate::Yes`] where `possible`.
    pub fn when(possible: bool) -> Self {
        if possible { Self::Yes } else { Self::No }
    }

    /// The same, where `is_possible` says so as well. It is only asked where that plays a part.
    #[must_use]
    pub fn and(self, is_possible: impl FnOnce() -> bool) -> Self {
        match self {
            Self::No => Self::No,
            _ if !is_possible() => Self::No,
            candidate => candidate,
        }
    }
}
