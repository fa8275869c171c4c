//! What answers rely on that only holds where nobody says otherwise.
//!
//! An attribute without an annotation is told by what its class assigns to it, and a function without one by what
//! it returns: type checkers do not hold a subclass to that. So it is noted which of them an answer came by, and
//! who asks can look whether something in sight says otherwise.

use std::cell::RefCell;

use ty_python_core::definition::Definition;

use crate::semantics::Semantics;

/// Something that an answer relies on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Relied {
    /// No subclass of the class of this name has something else under a name.
    Kept { class: String, name: String },
    /// What a function put under this name into what it returns makes no difference.
    Given(String),
}

thread_local! {
    /// What was noted by the look that is under way.
    static NOTED: RefCell<Option<Vec<Relied>>> = const { RefCell::new(None) };
}

/// What `look` finds, and all that it may rely on. One such look within another one has its own notes, which are
/// those of the other as well.
pub(crate) fn noting<T>(look: impl FnOnce() -> T) -> (T, Vec<Relied>) {
    let around = NOTED.replace(Some(Vec::new()));
    let found = look();
    let noted = NOTED.replace(around).unwrap_or_default();
    noted.iter().cloned().for_each(note);
    (found, noted)
}

fn note(relied: Relied) {
    NOTED.with_borrow_mut(|noted| {
        if let Some(noted) = noted
            && !noted.contains(&relied)
        {
            noted.push(relied);
        }
    });
}

/// Notes what a function gave to what it returns.
pub(super) fn note_given(name: &str) {
    note(Relied::Given(name.to_owned()));
}

impl<'db> Semantics<'db> {
    /// Notes that an answer relies on what the instances of a class have under a name.
    pub(crate) fn note_kept(&self, class: Definition<'db>, name: &str) {
        if NOTED.with_borrow(Option::is_some)
            && let Some(class) = class.name(self.db())
        {
            let name = name.to_owned();
            note(Relied::Kept { class, name });
        }
    }
}
