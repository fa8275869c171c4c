//! The paths that calls are given, and what tells whether two of them are the same.

use ruff_text_size::TextSize;

use crate::blocking::patterns::Pattern;

/// How far calls of one function agree on a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Agreement {
    /// It is the same for every call.
    Same,
    /// It depends on what the call is given.
    PerCall,
    /// It is another one every time.
    Never,
}

/// A path that a call is given.
#[derive(Debug, Clone)]
pub(super) struct Path {
    /// As it is written.
    pub(super) text: String,
    /// What tells in one function whether two of them are equal: the function, where the path is made of what that
    /// has, and the text.
    pub(super) key: (Option<TextSize>, String),
    /// What tells the same in several functions.
    pub(super) shape: Shape,
    /// The files that it may name.
    pub(super) pattern: Pattern,
    pub(super) agreement: Agreement,
    /// The folder that it lies in.
    pub(super) folder: Option<Folder>,
}

/// What is seen of where a path lies.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    pub(super) path: Box<Path>,
    /// Whether it is any one of what is in the folder: `for path in folder.iterdir()`.
    pub(super) is_any: bool,
    /// Whether what lies deeper counts as well.
    pub(super) is_deep: bool,
    /// How the name of the file ends, behind its last dot.
    pub(super) ending: Option<String>,
}

impl Path {
    /// Whether two paths are equal, as far as is seen.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.key == other.key || self.shape.is_telling() && self.shape == other.shape
    }

    /// The one that is written out so.
    pub(super) fn of_text(text: &str) -> Self {
        let text_of_key = format!("\"{text}\"");
        Self {
            text: text.to_owned(),
            shape: Shape::of_text(&text_of_key),
            key: (None, text_of_key),
            pattern: Pattern::of_text(text),
            agreement: Agreement::Same,
            folder: None,
        }
    }

    /// The folder in which one of two paths is any file, where the other one may be that.
    pub(super) fn common_folder<'p>(&'p self, other: &'p Self) -> Option<&'p Folder> {
        let of_any = |one: &'p Self, other: &Self| {
            let folder = one.folder.as_ref().filter(|folder| folder.is_any)?;
            let ending = other.folder.as_ref()?.ending.as_ref();
            let may_end = match (&folder.ending, ending) {
                (Some(one), Some(other)) => one == other,
                _ => true,
            };
            (may_end && other.lies_in(folder)).then_some(folder)
        };
        of_any(self, other).or_else(|| of_any(other, self))
    }

    /// Whatever lies in the folder that this is.
    pub(super) fn below(self) -> Self {
        let folder = Folder {
            path: Box::new(self.clone()),
            is_any: true,
            is_deep: true,
            ending: None,
        };
        Self {
            pattern: Pattern::of_folder(&folder),
            folder: Some(folder),
            ..self
        }
    }

    fn lies_in(&self, folder: &Folder) -> bool {
        self.folder.as_ref().is_some_and(|own| {
            own.path.is_same(&folder.path) || folder.is_deep && own.path.lies_in(folder)
        })
    }
}

/// What a path is made of, with local names replaced by what they stand for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Shape(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// A variable of the function.
    Name(String),
}

impl Shape {
    /// Adds a text, without its white space.
    pub(super) fn add_text(&mut self, text: &str) {
        let chars = text.chars().filter(|char| !char.is_whitespace());
        // Which quotes are used says nothing.
        let chars = chars.map(|char| if char == '\'' { '"' } else { char });
        if let Some(Piece::Text(last)) = self.0.last_mut() {
            last.extend(chars);
            return;
        }
        let text: String = chars.collect();
        if !text.is_empty() {
            self.0.push(Piece::Text(text));
        }
    }

    /// Adds a variable of the function.
    pub(super) fn add_name(&mut self, name: &str) {
        self.0.push(Piece::Name(name.to_owned()));
    }

    pub(super) fn add(&mut self, other: Self) {
        for piece in other.0 {
            match piece {
                Piece::Text(text) => self.add_text(&text),
                Piece::Name(name) => self.add_name(&name),
            }
        }
    }

    /// One that consists of a text.
    pub(super) fn of_text(text: &str) -> Self {
        let mut shape = Self::default();
        shape.add_text(text);
        shape
    }

    /// The one variable that the path is.
    pub(super) fn name(&self) -> Option<&str> {
        match self.0.as_slice() {
            [Piece::Name(name)] => Some(name),
            _ => None,
        }
    }

    /// The variables of the function that it is made of.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Name(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// Whether another function that has the same means the same file: `f"{guild}.json"`, and not `path` or `args.path`.
    fn is_telling(&self) -> bool {
        let is_of_attributes = |text: &str| {
            text.chars()
                .all(|char| char.is_alphanumeric() || matches!(char, '_' | '.'))
        };
        match self.0.as_slice() {
            [Piece::Name(_)] => false,
            [Piece::Name(_), Piece::Text(text)] => !is_of_attributes(text),
            _ => true,
        }
    }

    /// The same with other values in the place of the variables that have one.
    pub(super) fn given<'s>(&self, value: impl Fn(&str) -> Option<&'s Self>) -> Self {
        let mut given = Self::default();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => given.add_text(text),
                Piece::Name(name) => match value(name) {
                    Some(value) => given.add(value.clone()),
                    None => given.add_name(name),
                },
            }
        }
        given
    }

    /// All of it as a text.
    pub(super) fn to_text(&self) -> String {
        let pieces = self.0.iter().map(|piece| match piece {
            Piece::Text(text) | Piece::Name(text) => text.as_str(),
        });
        pieces.collect()
    }
}
