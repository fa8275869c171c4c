//! Fixes that somebody is asked about, one by one.

use std::path::Path;

use asyncfix_codemods::finding::Finding;

/// What somebody says about one fix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// It is made.
    Yes,
    /// It is not.
    No,
    /// This text stands for the file from now on.
    Instead(String),
}

/// Somebody who is asked. A file is asked about again after each fix; what was said of a fix is to be remembered.
pub trait Choose: Sync {
    /// What becomes of the fix of `finding` in the file that is shown as `shown`. `source` is its text, and `fixed` that
    /// with the fix alone.
    fn choose(&self, shown: &Path, source: &str, finding: &Finding, fixed: &str) -> Choice;
}

/// How the files of a run are to be changed.
#[derive(Clone, Copy)]
pub struct Plan<'c> {
    /// What is done.
    pub mode: crate::run::Mode,
    /// Who is asked about fixes, if anybody is.
    pub choose: Option<&'c dyn Choose>,
    /// Which findings count, where these are not all.
    pub only: Option<Only<'c>>,
}

/// Says of a finding whether it counts.
pub type Only<'c> = &'c (dyn Fn(&Finding) -> bool + Sync);

impl<'c> Plan<'c> {
    /// All findings count, and nobody is asked.
    pub fn new(mode: crate::run::Mode) -> Self {
        Self {
            mode,
            choose: None,
            only: None,
        }
    }

    /// The same, where somebody is asked.
    #[must_use]
    pub fn asking(self, choose: Option<&'c dyn Choose>) -> Self {
        Self { choose, ..self }
    }
}
