//! The oldest Python that a project says it runs on.
//!
//! Every tool has its own place for this. What is written for installers counts before what is written for other
//! tools, and what says it outright before what has to be made out.

use std::path::PathBuf;
use std::str::FromStr;

use asyncfix_analysis::settings::python_requires;
use pep440_rs::{Operator, VersionSpecifiers};
use ruff_python_ast::PythonVersion;
use toml::de::{DeTable, DeValue};

use crate::folder_files::FolderFiles;

/// The oldest version that code is written for.
pub const OLDEST: PythonVersion = PythonVersion::PY37;

/// Reads a version out of the text of a file.
type Reader = fn(&str) -> Option<PythonVersion>;

/// The oldest version that the files of a project in `folder` let in, and the file that says so. `None` where none
/// says anything.
pub fn oldest(files: &FolderFiles<'_>) -> Option<(PythonVersion, PathBuf)> {
    let read = |name: &str| Some((files.text_of(name)?, files.folder().join(name)));
    let project = read("pyproject.toml");
    let setup = read("setup.cfg");
    let script = read("setup.py");
    let ruff = read("ruff.toml").or_else(|| read(".ruff.toml"));
    let document = project
        .as_ref()
        .and_then(|(text, _)| DeTable::parse(text).ok());
    let table = document.as_ref().map(toml::Spanned::get_ref);
    let in_project = |version: Option<PythonVersion>| {
        let path = project.as_ref()?.1.clone();
        Some((version?, path))
    };
    let requires = table.and_then(|table| at(table, &["project", "requires-python"])?.as_str());
    if let Some(found) = in_project(requires.and_then(of_specifiers)) {
        return Some(found);
    }
    let poetry =
        table.and_then(|table| at(table, &["tool", "poetry", "dependencies", "python"])?.as_str());
    if let Some(found) = in_project(poetry.and_then(of_poetry)) {
        return Some(found);
    }
    if let Some((text, path)) = &setup
        && let Some(value) = option_of(text, "options", "python_requires")
        && let Some(version) = of_specifiers(&value)
    {
        return Some((version, path.clone()));
    }
    if let Some((text, path)) = &script
        && let Some(version) = python_requires(text).as_deref().and_then(of_specifiers)
    {
        return Some((version, path.clone()));
    }
    if let Some((text, path)) = &ruff
        && let Ok(document) = DeTable::parse(text)
        && let Some(target) = at(document.get_ref(), &["target-version"])
        && let Some(version) = target.as_str().and_then(of_target)
    {
        return Some((version, path.clone()));
    }
    let ruff = table.and_then(|table| at(table, &["tool", "ruff", "target-version"])?.as_str());
    if let Some(found) = in_project(ruff.and_then(of_target)) {
        return Some(found);
    }
    let black = table.and_then(|table| at(table, &["tool", "black", "target-version"])?.as_array());
    let black = black.and_then(|targets| {
        let targets = targets
            .iter()
            .filter_map(|target| target.get_ref().as_str());
        targets.filter_map(of_target).min()
    });
    if let Some(found) = in_project(black) {
        return Some(found);
    }
    let classifiers = table.and_then(|table| {
        at(table, &["project", "classifiers"])
            .or_else(|| at(table, &["tool", "poetry", "classifiers"]))?
            .as_array()
    });
    let classifiers = classifiers.and_then(|classifiers| {
        let lines = classifiers
            .iter()
            .filter_map(|line| line.get_ref().as_str());
        of_classifiers(lines)
    });
    if let Some(found) = in_project(classifiers) {
        return Some(found);
    }
    // In the other two they stand as lines of text.
    let classified = [setup, script]
        .into_iter()
        .flatten()
        .find_map(|(text, path)| {
            let lines = text.lines().map(|line| {
                line.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ','))
            });
            Some((of_classifiers(lines)?, path))
        });
    classified.or_else(|| {
        let places: [(&str, Reader); 5] = [
            ("Dockerfile", of_images),
            ("Containerfile", of_images),
            ("Pipfile", of_pipfile),
            (".python-version", of_release),
            ("runtime.txt", of_release),
        ];
        let found = places.into_iter().filter_map(|(name, of)| {
            let (text, path) = read(name)?;
            Some((of(&text)?, path))
        });
        // It says where the code runs now: that may be newer than what it is written for.
        found
            .filter(|(version, _)| *version < PythonVersion::PY310)
            .min_by_key(|(version, _)| *version)
    })
}

fn at<'t>(table: &'t DeTable<'_>, keys: &[&str]) -> Option<&'t DeValue<'t>> {
    let (last, parents) = keys.split_last()?;
    let mut table = table;
    for key in parents {
        table = table.get(*key)?.get_ref().as_table()?;
    }
    Some(table.get(*last)?.get_ref())
}

/// The value of an option in a configuration file of setuptools. It may stand on the lines below its name.
fn option_of(text: &str, section: &str, option: &str) -> Option<String> {
    let mut lines = text
        .lines()
        .skip_while(|line| line.trim() != format!("[{section}]"))
        .skip(1)
        .take_while(|line| !line.starts_with('['));
    let is_name = |line: &&str| {
        line.split_once('=')
            .is_some_and(|(name, _)| name.trim() == option)
    };
    let (_, value) = lines.find(is_name)?.split_once('=')?;
    let value = value.trim();
    if value.is_empty() {
        let more = lines.next().filter(|line| line.starts_with([' ', '\t']));
        return more.map(|line| line.trim().to_owned());
    }
    Some(value.to_owned())
}

/// The version with these numbers. Who writes `3` or `3.0` speaks of no version in particular.
fn version(major: u64, minor: u64) -> Option<PythonVersion> {
    let minor = u8::try_from(minor).ok()?;
    let minor = if minor == 0 { OLDEST.minor } else { minor };
    (major == 3).then_some(PythonVersion { major: 3, minor })
}

/// The oldest version that version specifiers (PEP 440) let in.
fn of_specifiers(text: &str) -> Option<PythonVersion> {
    VersionSpecifiers::from_str(text)
        .ok()?
        .iter()
        .filter(|specifier| {
            matches!(
                specifier.operator(),
                Operator::GreaterThanEqual
                    | Operator::TildeEqual
                    | Operator::Equal
                    | Operator::EqualStar
                    | Operator::GreaterThan
            )
        })
        .filter_map(|specifier| {
            let release = specifier.version().release();
            version(*release.first()?, release.get(1).copied().unwrap_or(0))
        })
        .max()
}

/// The oldest version that a constraint of Poetry lets in: those of PEP 440, `^3.9`, `~3.9`, `3.9`, and several with
/// `||` between them.
fn of_poetry(text: &str) -> Option<PythonVersion> {
    let oldest = |constraint: &str| {
        let parts: Vec<String> = constraint
            .split(',')
            .map(str::trim)
            .map(|part| match part.strip_prefix(['^', '~']) {
                Some(rest) if !rest.starts_with('=') => format!(">={rest}"),
                None if part.starts_with(|c: char| c.is_ascii_digit()) => format!("=={part}"),
                _ => part.to_owned(),
            })
            .collect();
        of_specifiers(&parts.join(","))
    };
    text.split("||").filter_map(oldest).min()
}

/// The version that a target of ruff or Black means: `py39`.
fn of_target(text: &str) -> Option<PythonVersion> {
    let minor = text.strip_prefix("py3")?;
    version(3, minor.parse().ok()?)
}

/// The oldest of the versions that trove classifiers name.
fn of_classifiers<'l>(lines: impl Iterator<Item = &'l str>) -> Option<PythonVersion> {
    lines
        .filter_map(|line| {
            let minor = line.strip_prefix("Programming Language :: Python :: 3.")?;
            version(3, minor.parse().ok()?)
        })
        .min()
}

/// The oldest of the official images of Python that a container file starts from: `FROM python:3.8-slim`.
fn of_images(text: &str) -> Option<PythonVersion> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let is_start = words.next()?.eq_ignore_ascii_case("from");
            let image = words.find(|word| !word.starts_with("--"))?;
            let image = image.rsplit('/').next()?;
            of_release(image.strip_prefix("python:").filter(|_| is_start)?)
        })
        .min()
}

/// The version that a Pipfile requires.
fn of_pipfile(text: &str) -> Option<PythonVersion> {
    let document = DeTable::parse(text).ok()?;
    let table = document.get_ref();
    let wanted = at(table, &["requires", "python_version"])
        .or_else(|| at(table, &["requires", "python_full_version"]));
    of_release(wanted?.as_str()?)
}

/// The version at the start of a text: `3.8`, `3.8.19-slim`, `python-3.8.10`.
fn of_release(text: &str) -> Option<PythonVersion> {
    let text = text.trim_start();
    let text = text.strip_prefix("python-").unwrap_or(text);
    let minor = text.strip_prefix("3.")?;
    let end = minor.find(|c: char| !c.is_ascii_digit());
    version(3, minor.get(..end.unwrap_or(minor.len()))?.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oldest_in(files: &[(&str, &str)]) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        oldest(&FolderFiles::of(folder.path())).map(|(version, _)| version.to_string())
    }

    #[test]
    fn each_tool_has_its_place() {
        let cases: &[(&str, &str, &str)] = &[
            (
                "pyproject.toml",
                "[project]\nrequires-python = '>=3.9,<4'\n",
                "3.9",
            ),
            (
                "pyproject.toml",
                "[tool.poetry.dependencies]\npython = '^3.8'\n",
                "3.8",
            ),
            (
                "pyproject.toml",
                "[tool.poetry.dependencies]\npython = '~3.9.2'\n",
                "3.9",
            ),
            (
                "pyproject.toml",
                "[tool.poetry.dependencies]\npython = '3.11.*'\n",
                "3.11",
            ),
            (
                "pyproject.toml",
                "[tool.poetry.dependencies]\npython = '>=3.12 || ~3.8'\n",
                "3.8",
            ),
            (
                "pyproject.toml",
                "[tool.ruff]\ntarget-version = 'py38'\n",
                "3.8",
            ),
            (
                "pyproject.toml",
                "[tool.black]\ntarget-version = ['py311', 'py39']\n",
                "3.9",
            ),
            (
                "pyproject.toml",
                "[project]\nclassifiers = ['Programming Language :: Python :: 3', \
                 'Programming Language :: Python :: 3.12', 'Programming Language :: Python :: 3.9']\n",
                "3.9",
            ),
            ("ruff.toml", "target-version = 'py39'\n", "3.9"),
            (
                "Dockerfile",
                "ARG x\nFROM --platform=linux/amd64 docker.io/library/python:3.8-slim AS base\n",
                "3.8",
            ),
            ("Pipfile", "[requires]\npython_version = '3.9'\n", "3.9"),
            (".python-version", "3.8.19\n", "3.8"),
            ("runtime.txt", "python-3.7.10\n", "3.7"),
            (
                "setup.cfg",
                "[metadata]\nname = x\n[options]\npython_requires = >=3.8\n",
                "3.8",
            ),
            (
                "setup.cfg",
                "[options]\npython_requires =\n    >=3.9\n",
                "3.9",
            ),
            (
                "setup.cfg",
                "[metadata]\nclassifiers =\n  Programming Language :: Python :: 3.8\n",
                "3.8",
            ),
            (
                "setup.py",
                "from setuptools import setup\nsetup(python_requires='>=3.8.1')\n",
                "3.8",
            ),
            (
                "setup.py",
                "OLDEST = '>=3.9'\nsetup(python_requires=OLDEST)\n",
                "3.9",
            ),
            (
                "setup.py",
                "setup(classifiers=[\n    'Programming Language :: Python :: 3.9',\n])\n",
                "3.9",
            ),
            (
                "setup.py",
                "from setuptools import setup\nsetup(python_requires='>=3.5')\n",
                "3.5",
            ),
            ("setup.cfg", "[options]\npython_requires = >=3\n", "3.7"),
        ];
        for (name, text, expected) in cases {
            assert_eq!(
                oldest_in(&[(name, text)]).as_deref(),
                Some(*expected),
                "{text}"
            );
        }
    }

    #[test]
    fn what_says_nothing_of_it_counts_for_nothing() {
        for (name, text) in [
            ("pyproject.toml", "[project]\nname = 'x'\n"),
            (
                "pyproject.toml",
                "[tool.poetry.dependencies]\npython = '*'\n",
            ),
            ("pyproject.toml", "[project\n"),
            ("setup.cfg", "[other]\npython_requires = >=3.8\n"),
            ("setup.py", "setup(python_requires=read('VERSION'))\n"),
            ("setup.py", "setup(\n"),
        ] {
            assert_eq!(oldest_in(&[(name, text)]), None, "{text}");
        }
    }

    #[test]
    fn what_is_written_for_installers_counts_first() {
        let files = [
            ("pyproject.toml", "[tool.ruff]\ntarget-version = 'py312'\n"),
            ("setup.py", "setup(python_requires='>=3.9')\n"),
        ];
        assert_eq!(oldest_in(&files).as_deref(), Some("3.9"));
    }
}
