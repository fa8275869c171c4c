//! What a project says to its type checker.

use toml::de::{DeTable, DeValue};

use crate::folder_files::FolderFiles;

/// The options of mypy that ask for annotations on every function.
const ASKING: [&str; 3] = [
    "strict",
    "disallow_untyped_defs",
    "disallow_incomplete_defs",
];

/// The one that takes a function with several signatures for all of them at once where it is passed on.
pub(crate) const TY: &str = "ty";

const CHECKERS: [&str; 5] = ["basedpyright", "mypy", "pyrefly", "pyright", TY];

/// Whether the files of a project in `folder` ask its type checker for annotations on every function, for some of its
/// modules at least. `None` where none speaks of a type checker, or of one that is content without any.
pub fn ask_for_annotations(files: &FolderFiles<'_>) -> Option<bool> {
    let read = |name: &str| files.text_of(name);
    if let Some(text) = read("mypy.ini").or_else(|| read(".mypy.ini")) {
        return Some(asks_in_sections(&text).unwrap_or(false));
    }
    if let Some(text) = read("pyproject.toml")
        && let Ok(document) = DeTable::parse(&text)
        && let Some(asks) = asks_in_table(document.get_ref())
    {
        return Some(asks);
    }
    let in_setup = read("setup.cfg").and_then(|text| asks_in_sections(&text));
    in_setup.or_else(|| {
        let text = read("pyrightconfig.json")?;
        // It may hold comments, which JSON may not.
        let is_strict = serde_json::from_str::<serde_json::Value>(&text).is_ok_and(|document| {
            document
                .get("typeCheckingMode")
                .is_some_and(|mode| mode == "strict")
        });
        is_strict.then_some(true)
    })
}

/// The same of the sections about mypy in a text that has them: `[mypy]`, `[mypy-package.*]`.
fn asks_in_sections(text: &str) -> Option<bool> {
    let mut is_about = false;
    let mut asks = None;
    for line in text.lines() {
        if let Some(section) = line.strip_prefix('[') {
            is_about = section.starts_with("mypy");
            if is_about {
                asks.get_or_insert(false);
            }
        } else if is_about
            && let Some((option, value)) = line.split_once(['=', ':'])
            && ASKING.contains(&option.trim())
            && matches!(
                value.trim().to_lowercase().as_str(),
                "true" | "yes" | "on" | "1"
            )
        {
            asks = Some(true);
        }
    }
    asks
}

fn asks_in_table(table: &DeTable<'_>) -> Option<bool> {
    let tools = table.get("tool")?.get_ref().as_table()?;
    let mypy = tools.get("mypy").and_then(|mypy| mypy.get_ref().as_table());
    let pyright = ["pyright", "basedpyright"].into_iter().find_map(|name| {
        let table = tools.get(name)?.get_ref().as_table()?;
        let mode = table.get("typeCheckingMode");
        let is_strict = mode.is_some_and(|mode| mode.get_ref().as_str() == Some("strict"));
        is_strict.then_some(true)
    });
    let Some(mypy) = mypy else {
        return pyright;
    };
    let asks = |table: &DeTable<'_>| {
        ASKING.iter().any(|option| {
            table
                .get(*option)
                .is_some_and(|value| matches!(value.get_ref(), DeValue::Boolean(true)))
        })
    };
    let in_overrides = mypy
        .get("overrides")
        .and_then(|overrides| overrides.get_ref().as_array())
        .is_some_and(|overrides| {
            let mut tables = overrides
                .iter()
                .filter_map(|part| part.get_ref().as_table());
            tables.any(asks)
        });
    Some(asks(mypy) || in_overrides || pyright == Some(true))
}

/// The type checkers that the files of a project in `folder` name: as something to install, as a hook of git, or with a
/// configuration.
pub fn named(files: &FolderFiles<'_>) -> Vec<&'static str> {
    let read = |name: &str| files.text_of(name);
    let text = read("pyproject.toml").filter(|text| has_one(text));
    let document = text.as_deref().and_then(|text| DeTable::parse(text).ok());
    let hooks = read(".pre-commit-config.yaml").filter(|text| has_one(text));
    let is_named = |checker: &&&str| {
        let in_project = document
            .as_ref()
            .is_some_and(|document| is_named_in(document.get_ref(), checker, false));
        let in_hooks = hooks.as_deref().is_some_and(|hooks| {
            let mut ids = hooks.lines().filter_map(|line| line.split_once("id:"));
            ids.any(|(_, id)| id.trim() == **checker)
        });
        in_project || in_hooks || **checker == TY && files.has("ty.toml")
    };
    CHECKERS.iter().filter(is_named).copied().collect()
}

fn has_one(text: &str) -> bool {
    CHECKERS.iter().any(|checker| text.contains(checker))
}

/// Whether a table has a section about a type checker, or one of its lists of dependencies names it.
fn is_named_in(table: &DeTable<'_>, checker: &str, are_dependencies: bool) -> bool {
    table.iter().any(|(key, value)| {
        let key = key.get_ref().as_ref();
        let are_dependencies =
            are_dependencies || key.contains("dependencies") || key.contains("dependency");
        match value.get_ref() {
            DeValue::Table(_) if key == checker && !are_dependencies => true,
            // Poetry's: `mypy = "^1"`.
            DeValue::String(_) | DeValue::Table(_) if key == checker => are_dependencies,
            DeValue::Table(inner) => is_named_in(inner, checker, are_dependencies),
            DeValue::Array(items) if are_dependencies => {
                let mut requirements = items.iter().filter_map(|item| item.get_ref().as_str());
                requirements.any(|requirement| {
                    let is_of_name =
                        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
                    requirement.split(|c| !is_of_name(c)).next() == Some(checker)
                })
            }
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_names_what_checks_it() {
        for (name, text, expected) in [
            (
                "pyproject.toml",
                "[tool.poetry.group.dev.dependencies]\nmypy = '1'\n",
                "mypy",
            ),
            (
                "pyproject.toml",
                "[dependency-groups]\ndev = ['ruff', 'ty>=0.0.1']\n",
                "ty",
            ),
            (
                "pyproject.toml",
                "[project.optional-dependencies]\ndev = ['basedpyright']\n",
                "basedpyright",
            ),
            ("pyproject.toml", "[tool.ty.rules]\nx = 'ignore'\n", "ty"),
            ("ty.toml", "", "ty"),
            (
                ".pre-commit-config.yaml",
                "repos:\n- repo: x\n  hooks:\n  - id: mypy\n",
                "mypy",
            ),
        ] {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join(name), text).unwrap();
            assert_eq!(named(&FolderFiles::of(folder.path())), [expected], "{text}");
        }
        for text in [
            "[project]\ndependencies = ['types-mypy', 'mypy-extensions']\n",
            "[tool.codespell]\nignore-words = ['ty']\n",
            "[project]\nname = 'mypy'\n",
        ] {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("pyproject.toml"), text).unwrap();
            assert!(named(&FolderFiles::of(folder.path())).is_empty(), "{text}");
        }
    }

    fn asks(name: &str, text: &str) -> Option<bool> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(name), text).unwrap();
        ask_for_annotations(&FolderFiles::of(folder.path()))
    }

    #[test]
    fn each_file_has_its_place() {
        for (name, text) in [
            ("mypy.ini", "[mypy]\nstrict = True\n"),
            (
                "mypy.ini",
                "[mypy]\n[mypy-app.*]\ndisallow_untyped_defs = true\n",
            ),
            ("setup.cfg", "[mypy]\ndisallow_incomplete_defs: yes\n"),
            ("pyproject.toml", "[tool.mypy]\nstrict = true\n"),
            (
                "pyproject.toml",
                "[tool.mypy]\n[[tool.mypy.overrides]]\nmodule = 'app.*'\ndisallow_untyped_defs = true\n",
            ),
            (
                "pyproject.toml",
                "[tool.pyright]\ntypeCheckingMode = 'strict'\n",
            ),
            ("pyrightconfig.json", "{\"typeCheckingMode\": \"strict\"}"),
        ] {
            assert_eq!(asks(name, text), Some(true), "{text}");
        }
    }

    #[test]
    fn what_asks_for_none() {
        assert_eq!(asks("mypy.ini", "[mypy]\nstrict = False\n"), Some(false));
        assert_eq!(asks("setup.cfg", "[metadata]\nstrict = true\n"), None);
        assert_eq!(asks("pyproject.toml", "[tool.ruff]\n"), None);
        assert_eq!(
            asks("pyproject.toml", "[tool.mypy]\nfiles = 'x'\n"),
            Some(false)
        );
        assert_eq!(asks("pyproject.toml", "[tool\n"), None);
        assert_eq!(asks("pyproject.toml", "[tool.pyright]\n"), None);
        assert_eq!(asks("pyrightconfig.json", "{}"), None);
    }
}
