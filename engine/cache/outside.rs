//! What the types of a run were read from that is neither one of its files nor installed: code that git ignores or the
//! configuration leaves out, stubs beside modules, folders where a module may appear.

use std::path::Path;
use std::time::SystemTime;

use ruff_db::system::SystemPathBuf;
use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};

use super::stored::text_number;
use crate::source;
use crate::stamp::Stamp;

/// What was read, by paths.
#[derive(Debug, Default, Clone)]
pub(crate) struct Reads {
    pub(crate) files: FxHashSet<SystemPathBuf>,
    pub(crate) folders: FxHashSet<SystemPathBuf>,
}

/// Files and folders as they were.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Outside {
    files: Vec<(String, Option<Stamp>, u128)>,
    folders: Vec<(String, u64)>,
}

impl Outside {
    /// How they are now. `is_listed` tells the files of the run itself, `now` is when that began.
    pub(crate) fn of(
        reads: &Reads,
        before: Option<&Self>,
        is_listed: impl Fn(&Path) -> bool,
        now: SystemTime,
    ) -> Self {
        let mut files: Vec<&str> = reads.files.iter().map(|path| path.as_str()).collect();
        let mut folders: Vec<&str> = reads.folders.iter().map(|path| path.as_str()).collect();
        if let Some(before) = before {
            files.extend(before.files.iter().map(|(path, ..)| path.as_str()));
            folders.extend(before.folders.iter().map(|(path, _)| path.as_str()));
        }
        files.retain(|path| !is_listed(Path::new(path)));
        files.sort_unstable();
        files.dedup();
        folders.sort_unstable();
        folders.dedup();
        let files = files.into_iter().map(|path| {
            let stamp = Stamp::to_be_kept(Path::new(path), now);
            (path.to_owned(), stamp, number_of_file(Path::new(path)))
        });
        let folders = folders.into_iter();
        Self {
            files: files.collect(),
            folders: folders
                .map(|path| (path.to_owned(), number_of_folder(Path::new(path))))
                .collect(),
        }
    }

    /// Whether all are as they were.
    pub(crate) fn holds(&self) -> bool {
        self.files.iter().all(|(path, stamp, number)| {
            let path = Path::new(path);
            stamp.is_some() && Stamp::of(path) == *stamp || number_of_file(path) == *number
        }) && self
            .folders
            .iter()
            .all(|(path, number)| number_of_folder(Path::new(path)) == *number)
    }
}

/// A number for the text of a file, another one where there is none.
fn number_of_file(path: &Path) -> u128 {
    source::read(path).map_or(0, |source| text_number(&source.text))
}

/// A number for the names of what may be a module in a folder.
fn number_of_folder(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let extension = Path::new(&name).extension();
            let is_code = extension.is_some_and(|end| end == "py" || end == "pyi");
            // What is named like this is imported by nobody.
            let is_hidden = name.starts_with('.') || name == "__pycache__";
            let is_folder = || entry.path().is_dir();
            (is_code || !is_hidden && extension.is_none() && is_folder()).then_some(name)
        })
        .collect();
    names.sort_unstable();
    xxhash_rust::xxh3::xxh3_64(names.join("/").as_bytes())
}
