//! What goes wrong in a file, as data: whoever uses the engine shows it.

use std::fmt;
use std::path::{Path, PathBuf};

/// Something that went wrong in one file of a run. The others go on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The path for messages.
    pub shown: PathBuf,
    /// Where it is, if it has a place.
    pub place: Option<Place>,
    /// What kind of a problem it is.
    pub kind: Kind,
    /// What is wrong, without a full stop.
    pub message: String,
}

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Of a notebook, the number of the cell, from 1. Lines are those of the cell then.
    pub cell: Option<usize>,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
}

impl From<(usize, usize)> for Place {
    fn from((line, column): (usize, usize)) -> Self {
        Self {
            cell: None,
            line,
            column,
        }
    }
}

/// What kind of a problem it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The code does not parse.
    InvalidSyntax,
    /// The file cannot be read.
    Unreadable,
    /// asyncfix could not do what it wanted to do.
    Internal,
}

impl Kind {
    /// What it is called in the formats for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidSyntax => "invalid-syntax",
            Self::Unreadable => "io",
            Self::Internal => "internal-error",
        }
    }
}

impl Problem {
    /// A problem of the file that is shown as `shown`.
    pub(crate) fn new(shown: &Path, kind: Kind, message: impl Into<String>) -> Self {
        Self {
            shown: shown.to_path_buf(),
            place: None,
            kind,
            message: message.into(),
        }
    }

    /// The same, at a place.
    #[must_use]
    pub(crate) fn at(self, place: impl Into<Place>) -> Self {
        Self {
            place: Some(place.into()),
            ..self
        }
    }
}

/// A file's name for people, on one line: what would move the cursor of a terminal, or end the line, is written as an
/// escape.
pub fn name_of(path: &Path) -> String {
    let name = path.to_string_lossy();
    if !name.contains(char::is_control) {
        return name.into_owned();
    }
    let escaped = name.chars().map(|c| {
        if c.is_control() {
            c.escape_default().to_string()
        } else {
            c.to_string()
        }
    });
    escaped.collect()
}

/// For people, in one line.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&name_of(&self.shown))?;
        match self.place {
            Some(Place {
                cell: Some(cell),
                line,
                column,
            }) => write!(f, ": cell {cell}: line {line}, column {column}")?,
            Some(Place {
                cell: None,
                line,
                column,
            }) => write!(f, ":{line}:{column}")?,
            None => {}
        }
        write!(f, ": {}", self.message)
    }
}
