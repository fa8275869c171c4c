//! The ❌/✅ pairs: every rule's page, and the further cases in `tests/cases/`.
//!
//! Each pair is run by its rule alone, on files in a folder of their own, the way the command line
//! runs them. What is reported is kept in `snapshots/`, one folder a rule.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on must stop"
)]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use asyncfix::config::{Overrides, Resolver};
use asyncfix::discovery;
use asyncfix::report;
use asyncfix::run::{self, Input, Mode, Outcomes};
use asyncfix::selection::Layer;
use asyncfix_codemods::CODEMODS;
use asyncfix_codemods::finding::Remedy;
use ruff_db::diagnostic::DiagnosticFormat;

/// What a case expects.
#[derive(Debug)]
enum Expectation {
    /// This text, with safe fixes alone.
    Fixed(String),
    /// This text with unsafe fixes, and nothing without them.
    FixedUnsafely(String),
    /// No finding.
    Unchanged,
    /// A finding that no fix exists for, with this in its reason.
    NotFixed(String),
}

#[derive(Debug)]
struct Case {
    heading: String,
    file: String,
    settings: String,
    others: Vec<(String, String)>,
    /// What becomes of other files.
    after: Vec<(String, String)>,
    source: String,
    expectation: Expectation,
}

/// Reads the cases of a Markdown page. Blocks without a marker before them are prose.
fn cases(page: &str, path: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut heading = String::new();
    let mut marker = String::new();
    let mut file = "main.py".to_owned();
    let mut other: Option<String> = None;
    let mut settings = String::new();
    let mut others = Vec::new();
    let mut is_after = false;
    let mut after = Vec::new();
    let mut before: Option<String> = None;
    let mut lines = page.lines().enumerate();
    let mut add = |heading: &str,
                   file: &mut String,
                   settings: &mut String,
                   others: &mut Vec<(String, String)>,
                   after: &mut Vec<(String, String)>,
                   source: String,
                   expectation: Expectation| {
        cases.push(Case {
            heading: heading.to_owned(),
            file: std::mem::replace(file, "main.py".to_owned()),
            settings: std::mem::take(settings),
            others: std::mem::take(others),
            after: std::mem::take(after),
            source,
            expectation,
        });
    };
    while let Some((number, line)) = lines.next() {
        if let Some(title) = line.trim_start_matches('#').strip_prefix(' ')
            && line.starts_with('#')
        {
            assert!(
                before.is_none(),
                "{path}:{number}: a ❌ block above this line has no ✅"
            );
            title.trim().clone_into(&mut heading);
            marker.clear();
        } else if line.starts_with('❌') || line.starts_with('✅') {
            line.trim().clone_into(&mut marker);
            if let Some(reason) = marker.strip_prefix("❌ not fixed:")
                && let Some(source) = before.take()
            {
                let expectation = Expectation::NotFixed(reason.trim().to_owned());
                add(
                    &heading,
                    &mut file,
                    &mut settings,
                    &mut others,
                    &mut after,
                    source,
                    expectation,
                );
                marker.clear();
            } else if marker == "✅ unchanged"
                && let Some(source) = before.take()
            {
                add(
                    &heading,
                    &mut file,
                    &mut settings,
                    &mut others,
                    &mut after,
                    source,
                    Expectation::Unchanged,
                );
                marker.clear();
            }
        } else if let Some(name) = line
            .strip_prefix("File `")
            .and_then(|rest| rest.strip_suffix("`:"))
        {
            name.clone_into(&mut file);
        } else if let Some((name, rest)) = line
            .strip_prefix('`')
            .and_then(|rest| rest.split_once('`'))
            .filter(|(_, rest)| [":", " becomes:"].contains(rest))
        {
            other = Some(name.to_owned());
            is_after = rest != ":";
        } else if let Some(language) = line.strip_prefix("```") {
            let mut text = String::new();
            for (_, line) in lines.by_ref() {
                if line == "```" {
                    break;
                }
                text.push_str(line);
                text.push('\n');
            }
            match (language, marker.as_str()) {
                ("toml", _) => settings = text,
                ("python", _) if other.is_some() => {
                    let list = if is_after { &mut after } else { &mut others };
                    list.push((other.take().unwrap_or_default(), text));
                }
                ("python", "❌") => before = Some(text),
                ("python", "✅ unchanged") => {
                    add(
                        &heading,
                        &mut file,
                        &mut settings,
                        &mut others,
                        &mut after,
                        text,
                        Expectation::Unchanged,
                    );
                    marker.clear();
                }
                ("python", "✅" | "✅ unsafe") => {
                    let source = before
                        .take()
                        .unwrap_or_else(|| panic!("{path}:{number}: ✅ without ❌"));
                    let expectation = if marker == "✅" {
                        Expectation::Fixed(text)
                    } else {
                        Expectation::FixedUnsafely(text)
                    };
                    add(
                        &heading,
                        &mut file,
                        &mut settings,
                        &mut others,
                        &mut after,
                        source,
                        expectation,
                    );
                    marker.clear();
                }
                _ => {}
            }
        }
    }
    assert!(before.is_none(), "{path}: the last ❌ block has no ✅");
    cases
}

/// Runs one rule over a case's files and gives the outcome of its main file.
fn run_case(
    case: &Case,
    code: &str,
    source: &str,
    mode: Mode,
    unsafe_fixes: bool,
) -> (Outcomes, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = fs::canonicalize(folder.path()).expect("it was just made");
    let write = |name: &str, text: &str| {
        let path = root.join(name);
        fs::create_dir_all(path.parent().expect("a name has a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    };
    write("asyncfix.toml", &case.settings);
    write(&case.file, source);
    for (name, text) in &case.others {
        write(name, text);
    }
    let overrides = Overrides {
        layer: Layer {
            select: Some(vec![code.to_owned()]),
            ..Layer::default()
        },
        unsafe_fixes: Some(unsafe_fixes),
        ..Overrides::default()
    };
    let resolver = Resolver::new(overrides, &root).expect("the settings are right");
    let discovered =
        discovery::discover(std::slice::from_ref(&root), &resolver).expect("settings are right");
    let inputs = discovered
        .files
        .into_iter()
        .map(|mut found| {
            found.shown = found
                .path
                .strip_prefix(&root)
                .expect("below it")
                .to_path_buf();
            Input { found, text: None }
        })
        .collect();
    let outcomes = run::run(inputs, &resolver, &root, mode, &|| {}).expect("settings are right");
    (outcomes, root)
}

fn text_after(case: &Case, code: &str, source: &str, unsafe_fixes: bool) -> Result<String, String> {
    let (outcomes, _) = run_case(case, code, source, Mode::Fix, unsafe_fixes);
    if !outcomes.errors.is_empty() {
        return Err(outcomes.errors.join("\n"));
    }
    let mut text = source.to_owned();
    let mut seen = 0;
    for outcome in &outcomes.files {
        match &outcome.rewritten {
            Some(rewritten) if outcome.shown == Path::new(&case.file) => text.clone_from(rewritten),
            Some(rewritten) => {
                let name = outcome.shown.display().to_string();
                let expected = case.after.iter().find(|(other, _)| *other == name);
                match expected {
                    Some((_, expected)) if expected == rewritten => seen += 1,
                    Some((_, expected)) => {
                        let name = Path::new(&name);
                        return Err(asyncfix::diff::unified(name, expected, rewritten, false));
                    }
                    None => return Err(format!("{name} was rewritten")),
                }
            }
            None => {}
        }
    }
    if text != source && seen < case.after.len() {
        return Err("the other files were not rewritten".to_owned());
    }
    Ok(text)
}

/// What is wrong with a case, or nothing.
fn check(case: &Case, code: &str) -> Result<(), String> {
    let safe = text_after(case, code, &case.source, false)?;
    let unsafe_ = text_after(case, code, &case.source, true)?;
    let compare = |what: &str, actual: &str, expected: &str| {
        if actual == expected {
            Ok(())
        } else {
            Err(format!(
                "{what}\n{}",
                asyncfix::diff::unified(Path::new("expected to actual"), expected, actual, false)
            ))
        }
    };
    let (outcomes, _) = run_case(case, code, &case.source, Mode::Report, false);
    let findings: Vec<_> = outcomes
        .files
        .iter()
        .filter(|outcome| outcome.shown == Path::new(&case.file))
        .flat_map(|outcome| &outcome.findings)
        .collect();
    match &case.expectation {
        Expectation::Fixed(expected) => {
            compare("with safe fixes", &safe, expected)?;
            // What a codemod wrote must give it nothing more to do.
            let mut others = case.others.clone();
            for (name, text) in &mut others {
                if let Some((_, after)) = case.after.iter().find(|(other, _)| other == name) {
                    text.clone_from(after);
                }
            }
            let done = Case {
                heading: case.heading.clone(),
                file: case.file.clone(),
                settings: case.settings.clone(),
                others,
                after: Vec::new(),
                source: safe.clone(),
                expectation: Expectation::Unchanged,
            };
            let again = text_after(&done, code, &safe, false)?;
            compare("the second time", &again, expected)?;
        }
        Expectation::FixedUnsafely(expected) => {
            compare("without unsafe fixes", &safe, &case.source)?;
            compare("with unsafe fixes", &unsafe_, expected)?;
        }
        Expectation::Unchanged => {
            compare("unchanged", &unsafe_, &case.source)?;
            if let Some(finding) = findings.first() {
                return Err(format!("a finding where none is: {}", finding.message));
            }
        }
        Expectation::NotFixed(reason) => {
            compare("not fixed", &unsafe_, &case.source)?;
            let reasons: Vec<&String> = findings
                .iter()
                .filter_map(|finding| match &finding.remedy {
                    Remedy::NotFixed(reason) => Some(reason),
                    Remedy::Rewrite(_) => None,
                })
                .collect();
            if !reasons.iter().any(|given| given.contains(reason.as_str())) {
                return Err(format!("no reason with `{reason}`, but {reasons:?}"));
            }
        }
    }
    Ok(())
}

/// What the report says about a case, for the snapshot.
fn reported(case: &Case, code: &str) -> String {
    let (outcomes, root) = run_case(case, code, &case.source, Mode::Report, true);
    let mut text = format!("{}\n", case.heading);
    let rendered = report::render(&outcomes.files, &root, DiagnosticFormat::Full, false, true);
    let _ = write!(text, "\n{}", rendered.trim_end());
    text
}

fn slug(heading: &str) -> String {
    let mut slug: String = heading
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    while slug.contains("--") {
        slug = slug.replace("--", "-");
    }
    slug.trim_matches('-').to_owned()
}

/// What `look` makes of each case. One after the other they take most of the time that all tests take; each
/// has one thread, because a second one would only look ahead for what others need now.
fn side_by_side<T: Send>(cases: &[Case], look: impl Fn(&Case) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let work = || {
        let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        alone.expect("a thread").install(|| {
            let mut done = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(case) = cases.get(number) else {
                    return done;
                };
                done.push((number, look(case)));
            }
        })
    };
    let mut done: Vec<_> = thread::scope(|scope| {
        let workers = thread::available_parallelism().map_or(1, Into::into);
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().expect("a case must not panic"))
            .collect()
    });
    done.sort_unstable_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, made)| made).collect()
}

#[test]
fn pairs_on_pages_and_in_cases() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut failures = Vec::new();
    let mut passed = 0;
    for codemod in CODEMODS {
        let rule = codemod.rule();
        let further = root.join("tests/cases").join(format!("{}.md", rule.code));
        let mut all = cases(rule.page, rule.code);
        assert!(!all.is_empty(), "the page of {} has no pair", rule.code);
        if let Ok(text) = fs::read_to_string(&further) {
            all.extend(cases(&text, &further.display().to_string()));
        }
        let traps = all
            .iter()
            .filter(|case| {
                matches!(
                    case.expectation,
                    Expectation::Unchanged | Expectation::NotFixed(_)
                )
            })
            .count();
        assert!(
            traps * 2 >= all.len(),
            "{} has {traps} traps for {} hits: there must be as many",
            rule.code,
            all.len() - traps
        );
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(root.join("snapshots").join(rule.code));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| {
            let mut used = std::collections::BTreeMap::new();
            let looked_at = side_by_side(&all, |case| {
                let is_silent = matches!(case.expectation, Expectation::Unchanged);
                let report = (!is_silent).then(|| reported(case, rule.code));
                (check(case, rule.code), report)
            });
            for (case, (checked, report)) in all.iter().zip(looked_at) {
                match checked {
                    Ok(()) => passed += 1,
                    Err(problem) => {
                        failures.push(format!("{} · {}: {problem}", rule.code, case.heading));
                    }
                }
                let Some(report) = report else {
                    continue;
                };
                let name = slug(&case.heading);
                let count = used.entry(name.clone()).or_insert(0);
                *count += 1;
                let name = if *count > 1 {
                    format!("{name}-{count}")
                } else {
                    name
                };
                insta::assert_snapshot!(name, report);
            }
        });
    }
    assert!(
        failures.is_empty(),
        "{} cases passed, {} failed:\n\n{}",
        passed,
        failures.len(),
        failures.join("\n\n")
    );
}
