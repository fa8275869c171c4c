//! Which versions of packages a project asks for.
//!
//! Read where people write it: `requirements.txt`, `pyproject.toml`, and the files in which uv and Poetry keep what they
//! have chosen. Only packages of which the version matters are looked for.

use std::str::FromStr;

use asyncfix_analysis::settings::Versions;
use asyncfix_knowledge::plain_values::depends_on_version_of;
use pep440_rs::{Operator, VersionSpecifier, VersionSpecifiers};
use rustc_hash::FxHashMap;
use toml::de::{DeTable, DeValue};

use crate::folder_files::FolderFiles;

/// Files that name one version of each package.
const LOCKS: [&str; 2] = ["uv.lock", "poetry.lock"];

/// What the files of a project in `folder` ask for, by the normalized names of distributions.
pub fn of(files: &FolderFiles<'_>) -> FxHashMap<String, Versions> {
    let read = |name: &str| files.text_of(name);
    let mut found = FxHashMap::default();
    for line in read("requirements.txt")
        .as_deref()
        .unwrap_or_default()
        .lines()
    {
        add(&mut found, line);
    }
    let project = read("pyproject.toml");
    if let Some(document) = project
        .as_deref()
        .and_then(|text| DeTable::parse(text).ok())
    {
        of_project(document.get_ref(), &mut found);
    }
    // What was chosen counts before what may be.
    for lock in LOCKS.iter().filter_map(|name| read(name)) {
        of_lock(&lock, &mut found);
    }
    found
}

/// Adds a requirement (PEP 508): `discord.py[voice]>=2.3; python_version > "3.8"`.
fn add(found: &mut FxHashMap<String, Versions>, line: &str) {
    let line = line.split(['#', ';']).next().unwrap_or_default().trim();
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let (name, rest) = line.split_at(line.find(|c| !is_of_name(c)).unwrap_or(line.len()));
    let name = normalized(name);
    if !depends_on_version_of(&name) {
        return;
    }
    let rest = rest.trim_start();
    let specifiers = match rest.strip_prefix('[') {
        Some(extras) => extras.split_once(']').map_or("", |(_, rest)| rest),
        None => rest,
    };
    let specifiers = specifiers
        .trim()
        .trim_start_matches('(')
        .trim_end_matches(')');
    if let Some(versions) = of_specifiers(specifiers) {
        widen(found, name, versions);
    }
}

/// Two places that ask for one package may mean one of both.
fn widen(found: &mut FxHashMap<String, Versions>, name: String, versions: Versions) {
    let known = found.entry(name).or_insert(versions);
    known.oldest = known.oldest.min(versions.oldest);
    known.newest = known.newest.max(versions.newest);
}

/// The name of a distribution as the packaging specifications write it.
fn normalized(name: &str) -> String {
    let parts = name.split(['-', '_', '.']).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("-").to_ascii_lowercase()
}

fn of_project(table: &DeTable<'_>, found: &mut FxHashMap<String, Versions>) {
    let mut lists = vec![at(table, &["project", "dependencies"])];
    for groups in [
        &["project", "optional-dependencies"][..],
        &["dependency-groups"],
    ] {
        let groups = at(table, groups).and_then(DeValue::as_table);
        lists.extend(
            groups
                .into_iter()
                .flat_map(|groups| groups.values().map(|list| Some(list.get_ref()))),
        );
    }
    for list in lists.into_iter().flatten().filter_map(DeValue::as_array) {
        for line in list.iter().filter_map(|line| line.get_ref().as_str()) {
            add(found, line);
        }
    }
    let poetry = at(table, &["tool", "poetry", "dependencies"]).and_then(DeValue::as_table);
    for (name, value) in poetry.into_iter().flatten() {
        let name = normalized(name.get_ref());
        let version = match value.get_ref() {
            DeValue::String(version) => Some(&**version),
            DeValue::Table(table) => table
                .get("version")
                .and_then(|version| version.get_ref().as_str()),
            _ => None,
        };
        if depends_on_version_of(&name)
            && let Some(versions) = version.and_then(of_poetry)
        {
            widen(found, name, versions);
        }
    }
}

fn at<'t>(table: &'t DeTable<'_>, keys: &[&str]) -> Option<&'t DeValue<'t>> {
    let (last, parents) = keys.split_last()?;
    let mut table = table;
    for key in parents {
        table = table.get(*key)?.get_ref().as_table()?;
    }
    Some(table.get(*last)?.get_ref())
}

/// `name = "discord-py"`, and on the next line `version = "2.6.3"`. Such files are too long to be parsed for two lines.
fn of_lock(text: &str, found: &mut FxHashMap<String, Versions>) {
    let value = |line: &str, key: &str| {
        let rest = line.strip_prefix(key)?.trim_start().strip_prefix('=')?;
        Some(rest.trim().trim_matches('"').to_owned())
    };
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(name) = value(line, "name").map(|name| normalized(&name))
            && depends_on_version_of(&name)
            && let Some(version) = lines.next().and_then(|line| value(line, "version"))
            && let Some(versions) = of_specifiers(&format!("=={version}"))
        {
            found.insert(name, versions);
        }
    }
}

/// The major versions that version specifiers (PEP 440) let in. `None` where they leave all open.
fn of_specifiers(text: &str) -> Option<Versions> {
    let specifiers = VersionSpecifiers::from_str(text).ok()?;
    let mut versions = Versions {
        oldest: 0,
        newest: u64::MAX,
    };
    for specifier in specifiers.iter() {
        let Some(major) = specifier.version().release().first().copied() else {
            continue;
        };
        match specifier.operator() {
            Operator::GreaterThanEqual | Operator::GreaterThan => {
                versions.oldest = versions.oldest.max(major);
            }
            Operator::LessThan => versions.newest = versions.newest.min(below(specifier, major)),
            Operator::LessThanEqual => versions.newest = versions.newest.min(major),
            Operator::NotEqual | Operator::NotEqualStar => {}
            Operator::Equal | Operator::EqualStar | Operator::ExactEqual | Operator::TildeEqual => {
                versions = Versions {
                    oldest: versions.oldest.max(major),
                    newest: versions.newest.min(major),
                };
            }
        }
    }
    (versions.oldest > 0 || versions.newest < u64::MAX).then_some(versions)
}

/// The newest major version below this one: `<2` leaves 1, `<2.1` leaves 2.
fn below(specifier: &VersionSpecifier, major: u64) -> u64 {
    let mut rest = specifier.version().release().iter().skip(1);
    if rest.all(|part| *part == 0) {
        major.saturating_sub(1)
    } else {
        major
    }
}

/// The same for a constraint of Poetry: `^2.3` is `~=2.3`, and `2.3` is `==2.3`.
fn of_poetry(text: &str) -> Option<Versions> {
    let parts = text.split(',').map(str::trim).map(|part| {
        match part
            .strip_prefix('^')
            .or_else(|| part.strip_prefix('~').filter(|rest| !rest.starts_with('=')))
        {
            Some(rest) => {
                let major = rest.split('.').next().unwrap_or_default();
                format!("=={major}.*")
            }
            None if part.starts_with(|c: char| c.is_ascii_digit()) => format!("=={part}"),
            None => part.to_owned(),
        }
    });
    of_specifiers(&parts.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: &str, text: &str) -> Option<(u64, u64)> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(name), text).unwrap();
        let found = of(&FolderFiles::of(folder.path()));
        let versions = found.get("discord-py")?;
        Some((versions.oldest, versions.newest))
    }

    #[test]
    fn each_tool_has_its_place() {
        let cases = [
            (
                "requirements.txt",
                "Flask==3.1.2\ndiscord.py==2.6.3  # bot\n",
                (2, 2),
            ),
            (
                "requirements.txt",
                "discord_py[voice] >=2.3; python_version > '3.8'\n",
                (2, u64::MAX),
            ),
            ("requirements.txt", "discord.py>=1.7,<2\n", (1, 1)),
            ("requirements.txt", "discord.py<2.1\n", (0, 2)),
            (
                "requirements.txt",
                "discord.py~=2.3\ndiscord.py==1.7.3\n",
                (1, 2),
            ),
            (
                "pyproject.toml",
                "[project]\ndependencies = ['discord.py>=2']\n",
                (2, u64::MAX),
            ),
            (
                "pyproject.toml",
                "[dependency-groups]\nbot = ['discord.py==2.*']\n",
                (2, 2),
            ),
            (
                "pyproject.toml",
                "[tool.poetry.dependencies]\n'discord.py' = '^2.3.2'\n",
                (2, 2),
            ),
            (
                "pyproject.toml",
                "[tool.poetry.dependencies]\n'discord.py' = {version = '2.3.2', extras = ['voice']}\n",
                (2, 2),
            ),
            (
                "uv.lock",
                "[[package]]\nname = \"discord-py\"\nversion = \"2.6.3\"\n",
                (2, 2),
            ),
        ];
        for (name, text, expected) in cases {
            assert_eq!(asked(name, text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_leaves_all_open_says_nothing() {
        for text in [
            "discord.py\n",
            "discord.py!=2.0\n",
            "discord-py-slash==3\n",
            "-r other.txt\n",
        ] {
            assert_eq!(asked("requirements.txt", text), None, "{text}");
        }
    }
}
