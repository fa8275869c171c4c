//! The ❌/✅ pairs: every rule's page, and the further cases in `tests/cases/`.
//!
//! Each pair is run by its rule alone, and then by all rules together, the way the command line runs them. What is
//! reported is kept in `snapshots/`, one file a rule. `CASE="part of a heading"` runs the cases of that heading alone.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on must stop"
)]

mod analysis;
mod cache;
mod harness;
mod order;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use asyncfix::output::report;
use asyncfix_codemods::CODEMODS;
use asyncfix_codemods::codemod::Codemod;
use asyncfix_codemods::finding::{Finding, Remedy};
use asyncfix_engine::cache::Place;
use asyncfix_engine::config::output_format::OutputFormat;
use asyncfix_engine::run::{Mode, Outcomes};
use asyncfix_engine::session::Session;

use harness::pages::{self, Case, Expectation};
use harness::project::{Asked, Folder, overrides};

/// A test of each rule's cases by the rule alone, one under all rules, and one from wherever the file is looked at.
macro_rules! tests_of_rules {
    ($($rule:ident),+ $(,)?) => {
        /// The rules that have tests.
        const TESTED: &[&str] = &[$(stringify!($rule)),+];
        $(mod $rule {
            #[test]
            fn alone() {
                super::alone(super::codemod(stringify!($rule)));
            }

            #[test]
            fn combined() {
                super::combined(super::codemod(stringify!($rule)));
            }

            #[test]
            fn parity() {
                super::parity(super::codemod(stringify!($rule)));
            }
        })+
    };
}

tests_of_rules!(
    af001, af101, af102, af103, af201, af202, af203, af204, af205, af206, af207, af208, af209,
    af301, af302, af303, af401, af402, af403, af404, af501, af601, af602, af701, af801,
);

fn codemod(name: &str) -> &'static dyn Codemod {
    let code = name.to_uppercase();
    let mut all = CODEMODS.iter().copied();
    all.find(|codemod| codemod.rule().code == code)
        .unwrap_or_else(|| panic!("{code} is not a rule"))
}

#[test]
fn every_rule_is_tested_and_nothing_else_has_a_snapshot() {
    let tested: BTreeSet<String> = TESTED.iter().map(|name| name.to_uppercase()).collect();
    let rules: BTreeSet<String> = CODEMODS
        .iter()
        .map(|codemod| codemod.rule().code.to_owned())
        .collect();
    assert_eq!(tested, rules);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots");
    let kept: BTreeSet<String> = fs::read_dir(folder)
        .expect("the snapshots are there")
        .map(|entry| entry.expect("a readable folder").file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    let expected: BTreeSet<String> = rules.iter().map(|code| format!("{code}.snap")).collect();
    assert_eq!(kept, expected, "what lies in `snapshots/`");
}

/// The main file's text after a run, and how many of the expected other files came out right.
fn text_after(
    folder: &mut Folder,
    case: &Case,
    code: &str,
    source: &str,
    unsafe_fixes: bool,
) -> Result<String, String> {
    folder.fill(case, source);
    let outcomes = folder.run_all(Some(code), Mode::Fix, unsafe_fixes);
    if !outcomes.errors.is_empty() {
        let errors = outcomes.errors.iter().map(ToString::to_string);
        return Err(errors.collect::<Vec<_>>().join("\n"));
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
                        return Err(asyncfix::output::diff::unified(
                            name, expected, rewritten, false,
                        ));
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

fn compare(what: &str, actual: &str, expected: &str) -> Result<(), String> {
    if actual == expected {
        Ok(())
    } else {
        Err(format!(
            "{what}\n{}",
            asyncfix::output::diff::unified(
                Path::new("expected to actual"),
                expected,
                actual,
                false
            )
        ))
    }
}

/// What is wrong with a case, or nothing.
fn check(folder: &mut Folder, case: &Case, code: &str) -> Result<(), String> {
    let safe = text_after(folder, case, code, &case.source, false)?;
    let unsafe_ = text_after(folder, case, code, &case.source, true)?;
    folder.fill(case, &case.source);
    let outcomes = folder.run_all(Some(code), Mode::Report, false);
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
            let mut done = case.clone();
            for (name, text) in &mut done.others {
                if let Some((_, after)) = case.after.iter().find(|(other, _)| other == name) {
                    text.clone_from(after);
                }
            }
            done.after.clear();
            let again = text_after(folder, &done, code, &safe, false)?;
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
fn reported(folder: &mut Folder, case: &Case, code: &str) -> String {
    folder.fill(case, &case.source);
    let outcomes = folder.run_all(Some(code), Mode::Report, true);
    let rendered = report::render(
        &outcomes.files,
        &[],
        folder.root(),
        report::Style {
            format: OutputFormat::Full,
            color: false,
            unsafe_fixes: true,
            explain: false,
        },
    );
    format!("# {}\n\n{}\n", case.heading, rendered.trim_end())
}

fn fail(failures: &[String], passed: usize) {
    assert!(
        failures.is_empty(),
        "{passed} cases passed, {} failed:\n\n{}",
        failures.len(),
        failures.join("\n\n")
    );
}

fn alone(codemod: &dyn Codemod) {
    let code = codemod.rule().code;
    let all = pages::of(codemod);
    let mut folder = Folder::new();
    let mut failures = Vec::new();
    let mut snapshot = String::new();
    for case in &all {
        if let Err(problem) = check(&mut folder, case, code) {
            failures.push(format!("{code} · {}: {problem}", case.heading));
        }
        if !matches!(case.expectation, Expectation::Unchanged) {
            let _ = writeln!(snapshot, "{}", reported(&mut folder, case, code));
        }
    }
    fail(&failures, all.len() - failures.len());
    if pages::chosen().is_some() {
        return;
    }
    let is_trap = |case: &&Case| {
        matches!(
            case.expectation,
            Expectation::Unchanged | Expectation::NotFixed(_)
        )
    };
    let traps = all.iter().filter(is_trap).count();
    assert!(
        traps * 2 >= all.len(),
        "{code} has {traps} traps for {} hits: there must be as many",
        all.len() - traps
    );
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(code, snapshot));
}

/// Every case under all rules: nothing fails, and a second run finds nothing more to do.
fn combined(codemod: &dyn Codemod) {
    let code = codemod.rule().code;
    let all = pages::of(codemod);
    let mut folder = Folder::new();
    let mut failures = Vec::new();
    for case in &all {
        for unsafe_fixes in [false, true] {
            if let Err(problem) = is_stable(&mut folder, case, unsafe_fixes) {
                let with = if unsafe_fixes { "unsafe" } else { "safe" };
                failures.push(format!("{code} · {} ({with}): {problem}", case.heading));
            }
        }
    }
    fail(&failures, 2 * all.len() - failures.len());
}

fn is_stable(folder: &mut Folder, case: &Case, unsafe_fixes: bool) -> Result<(), String> {
    folder.fill(case, &case.source);
    let first = folder.run_all(None, Mode::Fix, unsafe_fixes);
    let changed = changes(first)?;
    if changed.is_empty() {
        return Ok(());
    }
    let mut done = case.clone();
    for (name, text) in changed {
        if name == case.file {
            done.source = text;
        } else if let Some((_, other)) = done.others.iter_mut().find(|(other, _)| *other == name) {
            *other = text;
        }
    }
    folder.fill(&done, &done.source);
    let second = folder.run_all(None, Mode::Fix, unsafe_fixes);
    for (name, text) in changes(second)? {
        let before = if name == done.file {
            &done.source
        } else {
            let mut others = done.others.iter();
            &others
                .find(|(other, _)| *other == name)
                .expect("a file of the case")
                .1
        };
        compare("the second run", &text, before)?;
    }
    Ok(())
}

/// The files that a run has changed, with their texts. What went wrong is the error.
fn changes(outcomes: Outcomes) -> Result<Vec<(String, String)>, String> {
    if !outcomes.errors.is_empty() {
        let errors = outcomes.errors.iter().map(ToString::to_string);
        return Err(errors.collect::<Vec<_>>().join("\n"));
    }
    let changed = outcomes
        .files
        .into_iter()
        .filter_map(|outcome| Some((outcome.shown.display().to_string(), outcome.rewritten?)));
    Ok(changed.collect())
}

/// Every case from wherever it is looked at: the folder above, the file alone, by a path with `..`, over standard
/// input, in an editor. The findings and edits are those of a run over the folder.
fn parity(codemod: &dyn Codemod) {
    let code = codemod.rule().code;
    let all = pages::of(codemod);
    let mut folder = Folder::new();
    let mut failures = Vec::new();
    let mut session =
        Session::new(overrides(Some(code), true), folder.root()).expect("the settings are right");
    for case in &all {
        folder.fill(case, &case.source);
        let expected = said(folder.run_all(Some(code), Mode::Report, true), &case.file);
        // What changes several files is fixed where all of them are given, and what AF401 writes in one of them
        // depends on what it may write in the others.
        let is_of_several = code == "AF401" && !case.others.is_empty();
        let changes_others = |finding: &String| finding.contains("elsewhere: [E");
        if is_of_several || expected.iter().any(changes_others) {
            continue;
        }
        let root = folder.root().to_path_buf();
        let above = root.parent().expect("it lies in a folder").to_path_buf();
        let around = above.join("case/../case").join(&case.file);
        let ways = [
            ("the folder above", above, None),
            ("the file alone", root.join(&case.file), None),
            ("a path with `..`", around, None),
            (
                "standard input",
                root.join(&case.file),
                Some(case.source.clone()),
            ),
        ];
        folder.fill(case, &case.source);
        // A file with an error has no findings there: what was shown before stays.
        if let Ok(checked) = folder.ask(&mut session, &case.file) {
            let actual: Vec<String> = checked.findings.iter().map(shown).collect();
            failures.extend(differs(code, case, "an editor", &actual, &expected));
        }
        failures.extend(of_cache(&mut folder, case, code, &expected));
        for (way, path, text) in ways {
            folder.fill(case, &case.source);
            let outcomes = folder.run(Asked {
                paths: vec![path],
                text,
                code: Some(code),
                mode: Mode::Report,
                unsafe_fixes: true,
                cwd: root.clone(),
            });
            let actual = said(outcomes, &case.file);
            failures.extend(differs(code, case, way, &actual, &expected));
        }
    }
    fail(&failures, 7 * all.len() - failures.len());
}

/// What a run gets wrong that knows what earlier runs have found out: those over the case before, whose files have the same
/// names, and then those over this one.
fn of_cache(folder: &mut Folder, case: &Case, code: &str, expected: &[String]) -> Vec<String> {
    folder.cache = Place::Folder(folder.root().with_file_name("cache"));
    folder.fill(case, &case.source);
    let mut failures = Vec::new();
    for way in ["the cache of the case before", "its own cache"] {
        let actual = said(folder.run_all(Some(code), Mode::Report, true), &case.file);
        failures.extend(differs(code, case, way, &actual, expected));
    }
    folder.cache = Place::Nowhere;
    failures
}

/// What one way of asking says other than it should.
fn differs(
    code: &str,
    case: &Case,
    way: &str,
    actual: &[String],
    expected: &[String],
) -> Option<String> {
    (actual != expected).then(|| {
        format!(
            "{code} · {} · {way}:\n{}\ninstead of\n{}",
            case.heading,
            actual.join("\n"),
            expected.join("\n")
        )
    })
}

/// What a run says about one file.
fn said(outcomes: Outcomes, file: &str) -> Vec<String> {
    let errors = outcomes.errors.iter();
    let mut said: Vec<String> = errors.map(ToString::to_string).collect();
    let files = outcomes.files.into_iter();
    for outcome in files.filter(|outcome| outcome.shown.ends_with(file)) {
        said.extend(outcome.findings.iter().map(shown));
    }
    said
}

fn shown(finding: &Finding) -> String {
    format!(
        "{} {:?} {} {:?}",
        finding.rule.code, finding.range, finding.message, finding.remedy
    )
}
