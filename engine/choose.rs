//! Fixes that somebody is asked about, one by one.

use std::path::{Path, PathBuf};

use asyncfix_codemods::finding::Finding;
use ruff_python_parser::parse_module;

/// What somebody says about one fix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// It is made.
    Yes,
    /// It is not.
    No,
    /// These texts stand in the place of the new ones from now on, one for each change of the proposal.
    Instead(Vec<String>),
}

/// A fix that somebody is asked about.
pub struct Proposal<'a> {
    /// What it is for.
    pub finding: &'a Finding,
    /// What the code that it is in goes by: no two files have the same, and no two blocks of one.
    pub path: &'a Path,
    /// The text that the finding is at a place in.
    pub source: &'a str,
    /// What the fix alone would change.
    pub changes: Vec<Change>,
    /// `Err` says why these texts cannot stand in the place of the new ones.
    pub check: &'a dyn Fn(&[String]) -> Result<(), String>,
}

/// One text that a fix changes: a file, or a cell of a notebook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The absolute path of the code.
    pub path: PathBuf,
    /// The path for people.
    pub shown: PathBuf,
    /// The text as it is.
    pub old: String,
    /// The text with the fix.
    pub new: String,
}

/// Somebody who is asked. A file is asked about again after each fix; what was said of a fix is to be remembered.
pub trait Choose: Sync {
    /// What becomes of a fix.
    fn choose(&self, proposal: &Proposal<'_>) -> Choice;
}

/// Whether texts that somebody wrote are Python.
pub(crate) fn check_python(texts: &[String]) -> Result<(), String> {
    match texts.iter().find_map(|text| parse_module(text).err()) {
        Some(error) => Err(format!("it is not valid Python: {error}")),
        None => Ok(()),
    }
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
