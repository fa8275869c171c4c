//! Files of documentation that show a mistake, beside one that shows how it is done: `blocking.py` and
//! `nonblocking.py`.

use std::path::Path;

use crate::file::ParsedFile;

/// Folders of such files.
const FOLDERS: &[&str] = &[
    "demo",
    "demos",
    "doc",
    "docs",
    "docs_src",
    "example",
    "examples",
    "samples",
    "snippets",
    "tutorial",
    "tutorials",
];

/// The first or last word of a file's name that says it shows a mistake, and those that say the contrary.
const PAIRS: &[(&str, &[&str])] = &[
    ("antipattern", &["fixed", "good", "pattern"]),
    ("bad", &["better", "fixed", "good", "right"]),
    ("before", &["after"]),
    ("blocking", &["nonblocking", "unblocking"]),
    ("broken", &["fixed", "good", "working"]),
    ("incorrect", &["correct"]),
    ("wrong", &["correct", "fixed", "good", "right"]),
];

/// Why a fix is out of place in a file that is there to show the mistake.
pub fn shows_mistake(file: &ParsedFile<'_, '_>) -> Option<&'static str> {
    let path = file.semantics.path()?;
    let folder = path.parent()?;
    let is_of_documentation = folder
        .iter()
        .any(|part| FOLDERS.iter().any(|name| part == *name));
    let contraries: Vec<&str> = PAIRS
        .iter()
        .filter(|(mistake, _)| is_named(path, mistake))
        .flat_map(|(_, contraries)| contraries.iter().copied())
        .collect();
    if contraries.is_empty() || !is_of_documentation {
        return None;
    }
    let mut beside = file
        .project
        .files()
        .filter(|other| other.parent() == Some(folder) && *other != path);
    let has_contrary = beside.any(|other| contraries.iter().any(|word| is_named(other, word)));
    has_contrary.then_some(
        "by its name, this file shows the mistake on purpose, beside one that does without",
    )
}

/// Whether the name of a file begins or ends with a word, numbers aside.
fn is_named(path: &Path, word: &str) -> bool {
    let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) else {
        return false;
    };
    let stem = stem
        .to_lowercase()
        .replace("non_", "non")
        .replace("non-", "non");
    let mut words = stem
        .split(|c: char| !c.is_alphabetic())
        .filter(|word| !word.is_empty());
    let first = words.next();
    first == Some(word) || words.next_back() == Some(word)
}
