//! What is known of values, without going through a rule: the pages in `tests/analysis/`.
//!
//! Each heading has the files of one case; the lines of the main one that end with `# ?` are asked about, and the `text`
//! block below says what is known of the calls on them, how, and what that relies on. `CASE="part of a heading"` runs the
//! cases of that heading alone.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use asyncfix_engine::session::{Cancellation, Session};
use rayon::prelude::*;
use ruff_text_size::{TextRange, TextSize};

use crate::harness::pages::{Case, Expectation};
use crate::harness::project::{Folder, overrides};

/// A case of a page: its files, and what is known.
struct Known {
    case: Case,
    expected: String,
}

fn read(page: &str, path: &str) -> Vec<Known> {
    let mut cases: Vec<Known> = Vec::new();
    let mut other: Option<String> = None;
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(heading) = line.strip_prefix("## ") {
            cases.push(Known {
                case: Case {
                    heading: heading.to_owned(),
                    file: "main.py".to_owned(),
                    settings: String::new(),
                    others: Vec::new(),
                    after: Vec::new(),
                    source: String::new(),
                    expectation: Expectation::Unchanged,
                },
                expected: String::new(),
            });
        } else if let Some(name) = line
            .strip_prefix('`')
            .and_then(|rest| rest.strip_suffix("`:"))
        {
            other = Some(name.to_owned());
        } else if let Some(language) = line.strip_prefix("```") {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            let text = block.join("\n") + "\n";
            let known = cases
                .last_mut()
                .unwrap_or_else(|| panic!("{path}: a block above the first heading"));
            match (language, other.take()) {
                ("python", Some(name)) => known.case.others.push((name, text)),
                ("python", None) => known.case.source = text,
                _ => known.expected = text,
            }
        }
    }
    cases
}

/// What is known of the lines that end with `# ?`.
fn told(folder: &mut Folder, case: &Case) -> String {
    let text = case.source.replace("  # ?\n", "\n");
    folder.fill(case, &text);
    let path = folder.root().join(&case.file);
    let mut session =
        Session::new(overrides(None, false), folder.root()).expect("the settings are right");
    session.set_text(&path, &Arc::from(text.as_str()));
    let mut found = String::new();
    let mut start = TextSize::default();
    for (asked, line) in case.source.lines().zip(text.split_inclusive('\n')) {
        let range = TextRange::at(start, TextSize::of(line));
        start = range.end();
        if asked.ends_with("  # ?") {
            let known = session.evidence(&path, range, &Cancellation::default());
            for evidence in known.expect("the file can be read") {
                let _ = writeln!(found, "{}", evidence.fact);
                for assumption in evidence.assumptions {
                    let _ = writeln!(found, "  assumed: {assumption}");
                }
            }
        }
    }
    found
}

#[test]
fn what_is_known() {
    let only = std::env::var("CASE").unwrap_or_default();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/analysis");
    let pages = fs::read_dir(&folder).expect("the folder of the pages");
    let pages: Vec<_> = pages
        .map(|entry| entry.expect("a page").path())
        .filter(|path| path.extension().is_some_and(|end| end == "md"))
        .collect();
    let wrong: Vec<String> = pages
        .par_iter()
        .flat_map_iter(|path| {
            let page = fs::read_to_string(path).expect("a readable page");
            let cases = read(&page, &path.to_string_lossy());
            assert!(!cases.is_empty(), "{}: no cases", path.display());
            let mut folder = Folder::new();
            let mut wrong = Vec::new();
            for known in cases {
                if !known.case.heading.contains(&only) {
                    continue;
                }
                let found = told(&mut folder, &known.case);
                if found.trim_end() != known.expected.trim_end() {
                    wrong.push(format!("## {}\n{found}", known.case.heading));
                }
            }
            wrong
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "{} cases say something else:\n\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
