//! What keeps the house in order: arrows between the crates only go down, a pitfall imports no other one, names of
//! packages and the limits of searches stand in one place each, and no file grows without end.

#![allow(clippy::expect_used, reason = "a test that cannot go on must stop")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use asyncfix_knowledge::libraries::LIBRARIES;
use asyncfix_knowledge::stdlib::is_stdlib;

/// The crates, each with those of the project that it may depend on.
const CRATES: [(&str, &[&str]); 5] = [
    ("engine", &["codemods", "analysis", "syntax", "knowledge"]),
    ("codemods", &["analysis", "syntax", "knowledge"]),
    ("analysis", &["syntax", "knowledge"]),
    ("syntax", &[]),
    ("knowledge", &[]),
];

/// The folders of the pitfalls.
const PITFALLS: [&str; 8] = [
    "blocking",
    "cancellation",
    "concurrency",
    "context_managers",
    "forgotten_await",
    "gather",
    "mixing",
    "tasks",
];

/// How many lines of Rust a file may have.
const LINES: usize = 800;

/// The same for a file of a pitfall: one rule, or one part of what it asks and writes.
const LINES_OF_A_PITFALL: usize = 500;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust files below a folder, each with its text.
fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("it can be read");
            found.push((path, text));
        }
    }
    found
}

#[test]
fn arrows_between_crates_go_down() {
    for (name, allowed) in CRATES {
        let manifest = fs::read_to_string(root().join(name).join("Cargo.toml"));
        let manifest = manifest.expect("every crate has a manifest");
        let depends = manifest
            .lines()
            .filter_map(|line| line.strip_prefix("asyncfix_"))
            .filter_map(|rest| rest.split([' ', '.']).next());
        for other in depends {
            assert!(
                allowed.contains(&other),
                "`{name}` must not depend on `{other}`"
            );
        }
    }
}

#[test]
fn pitfalls_do_not_import_each_other() {
    let codemods = root().join("codemods");
    for pitfall in PITFALLS {
        for (path, text) in sources(&codemods.join(pitfall)) {
            for other in PITFALLS.iter().filter(|other| **other != pitfall) {
                assert!(
                    !text.contains(&format!("crate::{other}")),
                    "{} uses `{other}`: what two pitfalls need is an answer of the analysis, or a way of writing",
                    path.display()
                );
            }
        }
    }
    for (path, text) in sources(&codemods.join("edit")) {
        for pitfall in PITFALLS {
            assert!(
                !text.contains(&format!("crate::{pitfall}::")),
                "{} uses `{pitfall}`",
                path.display()
            );
        }
    }
}

#[test]
fn every_folder_of_the_codemods_is_known() {
    let mut folders: Vec<String> = fs::read_dir(root().join("codemods"))
        .expect("the folder is there")
        .filter_map(|entry| {
            let entry = entry.expect("it can be listed");
            let is_folder = entry.path().is_dir();
            is_folder.then(|| entry.file_name().to_string_lossy().into_owned())
        })
        .collect();
    folders.sort();
    let mut known = PITFALLS.to_vec();
    known.extend(["edit", "suppression"]);
    known.sort_unstable();
    assert_eq!(folders, known);
}

#[test]
fn files_are_short() {
    let folders = [
        "analysis",
        "codemods",
        "engine",
        "knowledge",
        "src",
        "syntax",
    ];
    for (path, text) in folders
        .iter()
        .flat_map(|folder| sources(&root().join(folder)))
    {
        assert_short(&path, &text, LINES);
    }
    for pitfall in PITFALLS {
        for (path, text) in sources(&root().join("codemods").join(pitfall)) {
            assert_short(&path, &text, LINES_OF_A_PITFALL);
        }
    }
}

fn assert_short(path: &Path, text: &str, allowed: usize) {
    let lines = text.lines().count();
    assert!(
        lines <= allowed,
        "{} has {lines} lines, of which {allowed} are allowed: split it by topic",
        path.display()
    );
}

/// First parts of dotted words in the tables that are no packages (`session.close`), and packages with the name of something
/// else: of what the standard library has as well, or of the ending of a file.
const NO_PACKAGES: [&str; 4] = ["cached_property", "opt", "session", "toml"];

/// The text of a Rust file without its tests and its comments.
fn code(text: &str) -> impl Iterator<Item = &str> {
    let before_tests = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = before_tests.lines();
    lines.filter(|line| !line.trim_start().starts_with("//"))
}

/// The string literals in a line.
fn literals(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Option<String> = None;
    let mut before = ' ';
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match (letter, &mut open) {
            ('\\', Some(text)) => text.extend(letters.next()),
            ('"', Some(_)) => found.extend(open.take()),
            ('"', None) if before != '\'' => open = Some(String::new()),
            (letter, Some(text)) => text.push(letter),
            _ => {}
        }
        before = letter;
    }
    found
}

/// The parts of a dotted path, or of a single name. `None` for what is something else.
fn dotted(text: &str) -> Option<Vec<&str>> {
    let is_name = |part: &&str| {
        !part.is_empty()
            && !part.starts_with(|letter: char| letter.is_ascii_digit())
            && part
                .chars()
                .all(|letter| letter == '_' || letter.is_ascii_alphanumeric())
    };
    let parts: Vec<&str> = text.split('.').collect();
    parts.iter().all(is_name).then_some(parts)
}

/// The packages beside the standard library that the tables of `knowledge` name.
fn packages() -> BTreeSet<String> {
    let folder = root().join("knowledge");
    let mut texts: Vec<String> = sources(&folder)
        .iter()
        .map(|(_, text)| code(text).collect::<Vec<_>>().join("\n"))
        .collect();
    let mut found: BTreeSet<String> = LIBRARIES.map(str::to_owned).into();
    for entry in fs::read_dir(folder.join("data")).expect("the folder is there") {
        let path = entry.expect("it can be listed").path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            texts.push(fs::read_to_string(&path).expect("it can be read"));
        }
    }
    for entry in fs::read_dir(folder.join("data/stubs")).expect("the folder is there") {
        let path = entry.expect("it can be listed").path();
        let stem = path.file_stem().expect("it has a name");
        found.insert(stem.to_string_lossy().into_owned());
    }
    for literal in texts
        .iter()
        .flat_map(|text| text.lines())
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(literals)
    {
        match dotted(&literal).as_deref() {
            // The data itself.
            Some([_, "toml" | "txt"]) => {}
            Some([package, _, ..]) => {
                found.insert((*package).to_owned());
            }
            _ => {}
        }
    }
    found.retain(|package| !is_stdlib(package) && !NO_PACKAGES.contains(&package.as_str()));
    found
}

#[test]
fn names_of_packages_stand_in_knowledge() {
    let packages = packages();
    assert!(packages.len() > 100, "{packages:?}");
    for (path, text) in ["analysis", "codemods", "engine", "src", "syntax"]
        .iter()
        .flat_map(|folder| sources(&root().join(folder)))
    {
        for literal in code(&text).flat_map(literals) {
            let is_path = match dotted(&literal).as_deref() {
                // The settings of a tool, and not the tool.
                Some([_, "ini" | "toml" | "cfg"]) => false,
                Some([package, ..]) => packages.contains(*package),
                _ => false,
            };
            let mut words = literal.split(|letter: char| !letter.is_ascii_alphanumeric());
            let is_said = words.any(|word| {
                LIBRARIES
                    .iter()
                    .any(|name| *name != "asyncio" && name.eq_ignore_ascii_case(word))
            });
            assert!(
                !is_path && !is_said,
                "{} names a package: \"{literal}\". What is known of packages stands in `knowledge`",
                path.display()
            );
        }
    }
}

#[test]
fn answers_depend_on_their_input() {
    for (path, text) in ["analysis", "codemods", "knowledge", "syntax"]
        .iter()
        .flat_map(|folder| sources(&root().join(folder)))
    {
        assert!(
            !code(&text).any(|line| line.contains("thread_local!")),
            "{} keeps something between two questions: hand it down as a value",
            path.display()
        );
    }
}

/// The folders and files of the analysis, each of which may use those before it.
const FLOORS: [&str; 9] = [
    "limits",
    "settings",
    "facts",
    "index",
    "candidate",
    "resolve",
    "infer",
    "file",
    "answers",
];

/// What goes up in the analysis all the same: a file, and what it uses.
const GOING_UP: [(&str, &str); 1] = [
    // A file keeps what was answered about it.
    ("file.rs", "answers"),
];

#[test]
fn arrows_in_the_analysis_go_down() {
    let folder = root().join("analysis");
    let mut left = GOING_UP.to_vec();
    for (path, text) in sources(&folder) {
        let path = path.strip_prefix(&folder).expect("it is below");
        let first = path.iter().next().expect("it has a name");
        let own = first.to_string_lossy();
        let own = own.strip_suffix(".rs").unwrap_or(&own);
        let Some(floor) = FLOORS.iter().position(|name| *name == own) else {
            assert_eq!(own, "lib", "{} has no floor", path.display());
            continue;
        };
        for above in &FLOORS[floor + 1..] {
            let used = format!("crate::{above}::");
            if !code(&text).any(|line| line.contains(&used)) {
                continue;
            }
            let place = path.to_string_lossy().replace('\\', "/");
            let known = left
                .iter()
                .position(|(file, name)| *file == place && name == above);
            assert!(
                known.is_some(),
                "analysis/{place} uses `{above}`, which is above it"
            );
            known.map(|known| left.swap_remove(known));
        }
    }
    assert!(left.is_empty(), "{left:?} go down now: drop them");
}

/// Numbers that say nothing of how far something is looked for: the file, what they say instead, and their names.
const NO_LIMITS: [(&str, &str, &[&str]); 10] = [
    (
        "analysis/facts/value_flow/mod.rs",
        "the form of a key",
        &["TAIL"],
    ),
    (
        "analysis/answers/intent.rs",
        "how comments are read",
        &["BEFORE", "FEW", "FIRST", "LINES_ABOVE"],
    ),
    (
        "analysis/answers/indifference.rs",
        "how comments are read",
        &["BEFORE", "REACH", "REACH_BACK"],
    ),
    (
        "codemods/cancellation/normal_end.rs",
        "how comments are read",
        &["REACH"],
    ),
    (
        "codemods/cancellation/endless.rs",
        "how much of the code a fix indents",
        &["MOST_LINES"],
    ),
    (
        "codemods/context_managers/held_lock.rs",
        "how comments are read",
        &["SHORTEST"],
    ),
    (
        "analysis/answers/endings/look.rs",
        "how much of the code a message shows",
        &["SHOWN"],
    ),
    (
        "analysis/answers/evidence.rs",
        "how much of the code a message shows",
        &["QUOTED"],
    ),
    (
        "codemods/blocking/exchanges.rs",
        "how much of the code a message shows",
        &["SHOWN"],
    ),
    (
        "codemods/blocking/series.rs",
        "what a series is",
        &["SERIES"],
    ),
];

/// The name of the constant that a line gives a number to that counts something.
fn counted(line: &str) -> Option<&str> {
    let (head, value) = line.split_once(" = ")?;
    let (name, kind) = head.split_once("const ")?.1.split_once(": ")?;
    let counts = ["u8", "u16", "u32", "u64", "usize", "i32", "i64", "isize"].contains(&kind);
    (counts && value.starts_with(|first: char| first.is_ascii_digit())).then_some(name)
}

#[test]
fn how_far_answers_are_looked_for_stands_in_one_place() {
    let mut left: Vec<(&str, &str)> = NO_LIMITS
        .iter()
        .flat_map(|(file, _, names)| names.iter().map(move |name| (*file, *name)))
        .collect();
    for (path, text) in ["analysis", "codemods"]
        .iter()
        .flat_map(|folder| sources(&root().join(folder)))
    {
        let path = path.strip_prefix(root()).expect("it is below");
        let place = path.to_string_lossy().replace('\\', "/");
        for name in code(&text).filter_map(counted) {
            let known = left.iter().position(|one| *one == (&*place, name));
            assert!(
                known.is_some(),
                "{place} has the number `{name}` of its own: where it says how far something is looked for, it is a \
                 `Limit` in analysis/limits.rs"
            );
            known.map(|known| left.swap_remove(known));
        }
    }
    assert!(left.is_empty(), "{left:?} are gone: drop them");
}

/// What names the type engine outside of the analysis and the engine.
const ASKING_THE_TYPE_ENGINE: [&str; 1] = [
    // How a type is written down, and where its classes come from.
    "edit/annotations.rs",
];

#[test]
fn the_type_engine_is_asked_by_the_analysis() {
    let folder = root().join("codemods");
    let mut asking: Vec<String> = sources(&folder)
        .into_iter()
        .filter(|(_, text)| {
            code(text).any(|line| line.contains("ty_python_") || line.contains("salsa::"))
        })
        .map(|(path, _)| {
            let path = path.strip_prefix(&folder).expect("it is below");
            path.to_string_lossy().replace('\\', "/")
        })
        .collect();
    asking.sort();
    assert_eq!(asking, ASKING_THE_TYPE_ENGINE);
}
