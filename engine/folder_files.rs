//! The files that stand in a folder: it is listed once, whatever is asked for.

use std::cell::OnceCell;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use rustc_hash::FxHashSet;

use crate::source::text_of;

/// The files in one folder, by their names. Most folders have none of those that say something about a project: to ask
/// the system for each of them takes longer than to list the folder.
pub struct FolderFiles<'p> {
    folder: &'p Path,
    /// What is there. Nothing where the folder cannot be listed.
    names: OnceCell<Option<FxHashSet<OsString>>>,
}

impl<'p> FolderFiles<'p> {
    /// The files in `folder`.
    pub fn of(folder: &'p Path) -> Self {
        Self {
            folder,
            names: OnceCell::new(),
        }
    }

    /// The folder.
    pub fn folder(&self) -> &'p Path {
        self.folder
    }

    /// The text of the file with this name. `None` where there is none, or it is not in UTF-8.
    pub fn text_of(&self, name: &str) -> Option<String> {
        self.may_have(name)
            .then(|| text_of(&self.folder.join(name)))?
    }

    /// Whether there is a file with this name.
    pub fn has(&self, name: &str) -> bool {
        self.may_have(name) && self.folder.join(name).is_file()
    }

    /// Whether there is something with this name, a file or a folder.
    pub fn exists(&self, name: &str) -> bool {
        self.may_have(name) && self.folder.join(name).exists()
    }

    fn may_have(&self, name: &str) -> bool {
        let names = self.names.get_or_init(|| {
            let entries = std::fs::read_dir(self.folder).ok()?;
            entries.map(|entry| Some(entry.ok()?.file_name())).collect()
        });
        // Some systems find a file by its name in other letters as well.
        let is_exact = !cfg!(any(windows, target_os = "macos"));
        names.as_ref().is_none_or(|names| {
            names.contains(OsStr::new(name))
                || !is_exact && names.iter().any(|known| known.eq_ignore_ascii_case(name))
        })
    }
}
