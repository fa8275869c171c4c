//! What keeps the house in order: arrows between the crates only go down, a pitfall imports no other one, and no file
//! grows without end.

#![allow(clippy::expect_used, reason = "a test that cannot go on must stop")]

use std::fs;
use std::path::{Path, PathBuf};

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
        let lines = text.lines().count();
        assert!(
            lines <= LINES,
            "{} has {lines} lines, of which {LINES} are allowed: split it by topic",
            path.display()
        );
    }
}
