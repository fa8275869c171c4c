//! What a project says to the runner of its tests.

use asyncfix_knowledge::testing::RUNNER;
use toml::de::{DeTable, DeValue};

use crate::folder_files::FolderFiles;

/// Whether pytest runs tests that are coroutine functions without a mark, by what the files of a project in a folder
/// say. `None` where none of them speaks of pytest.
pub fn await_tests(files: &FolderFiles<'_>) -> Option<bool> {
    let read = |name: &str| files.text_of(name);
    if let Some(text) = read("pytest.ini").or_else(|| read(".pytest.ini")) {
        return Some(of_section(&text, "[pytest]").unwrap_or(false));
    }
    if let Some(text) = read("pyproject.toml")
        && let Ok(document) = DeTable::parse(&text)
        && let Some(says) = of_table(document.get_ref())
    {
        return Some(says);
    }
    let of_file = |name: &str, section: &str| of_section(&read(name)?, section);
    of_file("tox.ini", "[pytest]").or_else(|| of_file("setup.cfg", "[tool:pytest]"))
}

/// What one of the options says that stand in a section of a text.
fn of_section(text: &str, section: &str) -> Option<bool> {
    let mut lines = text.lines().skip_while(|line| line.trim() != section);
    lines.next()?;
    let mut lines = lines.take_while(|line| !line.starts_with('['));
    Some(lines.any(|line| {
        let (option, value) = line.split_once(['=', ':']).unwrap_or_default();
        says(option.trim(), value) || line.starts_with([' ', '\t']) && says("addopts", line)
    }))
}

fn of_table(table: &DeTable<'_>) -> Option<bool> {
    let pytest = table.get("tool")?.get_ref().as_table()?.get(RUNNER)?;
    let pytest = pytest.get_ref().as_table()?;
    let options = match pytest.get("ini_options") {
        Some(options) => options.get_ref().as_table()?,
        None => pytest,
    };
    Some(options.iter().any(|(option, value)| {
        let option = option.get_ref();
        match value.get_ref() {
            DeValue::String(value) => says(option, value),
            DeValue::Array(values) => values
                .iter()
                .filter_map(|value| value.get_ref().as_str())
                .any(|value| says(option, value)),
            _ => false,
        }
    }))
}

/// Whether an option of pytest says that tests may be coroutine functions without a mark.
fn says(option: &str, value: &str) -> bool {
    match option {
        "asyncio_mode" => value.trim() == "auto",
        "addopts" => value
            .split_whitespace()
            .any(|word| word == "--asyncio-mode=auto"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says_of(name: &str, text: &str) -> Option<bool> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(name), text).unwrap();
        await_tests(&FolderFiles::of(folder.path()))
    }

    #[test]
    fn each_file_has_its_place() {
        for (name, text) in [
            ("pytest.ini", "[pytest]\nasyncio_mode = auto\n"),
            (
                "pytest.ini",
                "[pytest]\naddopts =\n    -ra\n    --asyncio-mode=auto\n",
            ),
            (
                "pyproject.toml",
                "[tool.pytest.ini_options]\nasyncio_mode = 'auto'\n",
            ),
            (
                "pyproject.toml",
                "[tool.pytest.ini_options]\naddopts = '-q --asyncio-mode=auto'\n",
            ),
            (
                "pyproject.toml",
                "[tool.pytest]\naddopts = ['-q', '--asyncio-mode=auto']\n",
            ),
            (
                "tox.ini",
                "[tox]\nenvlist = py\n[pytest]\nasyncio_mode=auto\n",
            ),
            ("setup.cfg", "[tool:pytest]\nasyncio_mode = auto\n"),
        ] {
            assert_eq!(says_of(name, text), Some(true), "{text}");
        }
    }

    #[test]
    fn what_says_nothing_of_it() {
        for (name, text, expected) in [
            ("pytest.ini", "", Some(false)),
            (
                "pytest.ini",
                "[pytest]\nasyncio_mode = strict\n",
                Some(false),
            ),
            (
                "pyproject.toml",
                "[tool.pytest.ini_options]\ntestpaths = ['auto']\n",
                Some(false),
            ),
            ("pyproject.toml", "[tool.ruff]\nline-length = 100\n", None),
            ("tox.ini", "[tox]\nasyncio_mode = auto\n", None),
            ("setup.cfg", "[metadata]\nname = auto\n", None),
        ] {
            assert_eq!(says_of(name, text), expected, "{text}");
        }
    }
}
