//! Names in what outlives a file's tree.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::ops::Deref;

use ruff_python_ast::name as ast;
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};

/// A name, or a piece of code on one line. Short ones are kept without an allocation, as those of the tree are; unlike
/// them, it can be written to disk.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(ast::Name);

impl Name {
    /// The name with this text.
    pub fn new(name: impl AsRef<str>) -> Self {
        Self(ast::Name::new(name))
    }

    /// The name with this text, which is part of the program.
    pub(crate) const fn new_static(name: &'static str) -> Self {
        Self(ast::Name::new_static(name))
    }

    /// One behind the other.
    pub(crate) fn concat(parts: &[&str]) -> Self {
        Self(ast::Name::concat(parts))
    }

    /// One behind the other, with a separator.
    pub(crate) fn join(parts: &[&str], separator: &str) -> Self {
        Self(ast::Name::join(parts, separator))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl From<&str> for Name {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl From<String> for Name {
    fn from(name: String) -> Self {
        Self(ast::Name::from(name))
    }
}

impl From<Cow<'_, str>> for Name {
    fn from(name: Cow<'_, str>) -> Self {
        Self(ast::Name::from(name))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Name, E> {
                Ok(Name::new(text))
            }
        }
        deserializer.deserialize_str(Text)
    }
}
