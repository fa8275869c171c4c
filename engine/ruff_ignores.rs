//! Which rules of ruff a project has turned off: what ruff would report there, its owner does not want to hear again.

use std::path::{Path, PathBuf};

use globset::{Glob, GlobMatcher};
use toml::de::{DeTable, DeValue};

use crate::folder_files::FolderFiles;

/// The rules of ruff that some finding is the same as.
const SAME: [&str; 9] = [
    "ASYNC210", "ASYNC220", "ASYNC221", "ASYNC222", "ASYNC230", "ASYNC240", "ASYNC250", "ASYNC251",
    "RUF006",
];

/// What the configuration of ruff turns off, as far as `ignore` and `per-file-ignores` say it.
#[derive(Debug, Clone)]
pub(crate) struct RuffIgnores {
    /// The folder that patterns are relative to.
    root: PathBuf,
    /// Codes and prefixes of codes that are off everywhere.
    everywhere: Vec<String>,
    in_files: Vec<InFiles>,
}

/// What is off in files that match a pattern, or in all others.
#[derive(Debug, Clone)]
struct InFiles {
    pattern: GlobMatcher,
    is_negated: bool,
    codes: Vec<String>,
}

impl RuffIgnores {
    /// What the files in a folder say. `None` where ruff is not configured there: then the folder above counts.
    pub(crate) fn of(files: &FolderFiles<'_>) -> Option<Self> {
        let read = |name: &str| files.text_of(name).unwrap_or_default();
        for name in [".ruff.toml", "ruff.toml"] {
            if files.has(name) {
                let text = read(name);
                let document = DeTable::parse(&text).ok()?;
                return Some(Self::new(files.folder(), document.get_ref()));
            }
        }
        let text = read("pyproject.toml");
        let document = DeTable::parse(&text).ok()?;
        let ruff = table(table(document.get_ref(), "tool")?, "ruff")?;
        Some(Self::new(files.folder(), ruff))
    }

    fn new(root: &Path, ruff: &DeTable<'_>) -> Self {
        // Older configurations have the same options one level up.
        let levels: Vec<&DeTable<'_>> = table(ruff, "lint").into_iter().chain([ruff]).collect();
        let codes = |name| levels.iter().flat_map(move |level| texts(level.get(name)));
        let patterns = |name| {
            levels
                .iter()
                .filter_map(move |level| table(level, name))
                .flat_map(DeTable::iter)
        };
        let in_files = patterns("per-file-ignores").chain(patterns("extend-per-file-ignores"));
        Self {
            root: root.to_path_buf(),
            everywhere: codes("ignore").chain(codes("extend-ignore")).collect(),
            in_files: in_files
                .filter_map(|(pattern, codes)| {
                    let pattern = pattern.get_ref();
                    let (text, is_negated) = match pattern.strip_prefix('!') {
                        Some(rest) => (rest, true),
                        None => (&**pattern, false),
                    };
                    Some(InFiles {
                        pattern: Glob::new(text).ok()?.compile_matcher(),
                        is_negated,
                        codes: texts(Some(codes)).collect(),
                    })
                })
                .collect(),
        }
    }

    /// The rules of ruff that some finding is the same as, and that are off in the file at `path`, which is absolute.
    pub(crate) fn turned_off(&self, path: &Path) -> Vec<&'static str> {
        let off = SAME.iter().filter(|code| self.turn_off(code, path));
        off.copied().collect()
    }

    /// Whether ruff's rule `code` is off in the file at `path`, which is absolute.
    pub(crate) fn turn_off(&self, code: &str, path: &Path) -> bool {
        let relative = path.strip_prefix(&self.root).unwrap_or(path);
        let name = path.file_name().map(Path::new);
        let in_file = self.in_files.iter().filter(|known| {
            let is_match = known.pattern.is_match(relative)
                || name.is_some_and(|name| known.pattern.is_match(name));
            is_match != known.is_negated
        });
        let mut codes = self
            .everywhere
            .iter()
            .chain(in_file.flat_map(|known| &known.codes));
        codes.any(|selector| means(selector, code))
    }
}

/// Whether a selector of ruff stands for a rule: its code, the linter that it comes from, or a prefix of its number.
fn means(selector: &str, code: &str) -> bool {
    let letters = |text: &str| {
        text.find(|c: char| c.is_ascii_digit())
            .unwrap_or(text.len())
    };
    selector == "ALL"
        || code.starts_with(selector)
            && selector.get(..letters(selector)) == code.get(..letters(code))
}

fn table<'t, 'i>(table: &'t DeTable<'i>, name: &str) -> Option<&'t DeTable<'i>> {
    table.get(name)?.get_ref().as_table()
}

/// The texts in a list.
fn texts<'t>(
    value: Option<&'t toml::Spanned<DeValue<'_>>>,
) -> impl Iterator<Item = String> + use<'t> {
    let list = value.and_then(|value| value.get_ref().as_array());
    list.into_iter()
        .flat_map(|list| list.iter())
        .filter_map(|item| Some(item.get_ref().as_str()?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Option<RuffIgnores> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(name), text).unwrap();
        RuffIgnores::of(&FolderFiles::of(folder.path())).map(|ignores| RuffIgnores {
            root: PathBuf::from("/project"),
            ..ignores
        })
    }

    #[test]
    fn codes_and_prefixes_are_off() {
        let text = "[tool.ruff.lint]\nignore = [\"ASYNC24\", \"A\", \"RUF\"]\n";
        let ignores = read("pyproject.toml", text).unwrap();
        let path = Path::new("/project/a.py");
        assert!(ignores.turn_off("ASYNC240", path));
        assert!(ignores.turn_off("RUF006", path));
        assert!(!ignores.turn_off("ASYNC230", path));
    }

    #[test]
    fn patterns_are_relative_to_the_configuration() {
        let text = "[per-file-ignores]\n\"tests/**\" = [\"ASYNC\"]\n\"!src/**.py\" = [\"RUF006\"]\n\
                    [lint.per-file-ignores]\n\"conftest.py\" = [\"ASYNC251\"]\n";
        let ignores = read("ruff.toml", text).unwrap();
        for (code, path, expected) in [
            ("ASYNC251", "/project/tests/unit/a.py", true),
            ("ASYNC251", "/project/src/a.py", false),
            ("ASYNC251", "/project/src/conftest.py", true),
            ("RUF006", "/project/src/a.py", false),
            ("RUF006", "/project/scripts/a.py", true),
        ] {
            assert_eq!(
                ignores.turn_off(code, Path::new(path)),
                expected,
                "{code} {path}"
            );
        }
    }

    #[test]
    fn without_ruff_nothing_is_said() {
        assert!(read("pyproject.toml", "[tool.black]\n").is_none());
        assert!(read("setup.cfg", "").is_none());
    }
}
