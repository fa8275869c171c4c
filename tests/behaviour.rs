//! The pitfalls under a real `CPython`: each program in `tests/behaviour/` is run before and after.
//!
//! A program prints `pitfall` where it shows the mistake's effect and `cured` where it does not.
//! Before the fix it must print the one, after it the other, and then without a complaint: with
//! `-X dev -W error` a slow callback, a forgotten coroutine or an open resource is one.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on must stop"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Whether the program ended well, what it printed, and what it complained about.
fn python(program: &Path) -> (bool, String, String) {
    let output = Command::new("python3")
        .args(["-X", "dev", "-W", "error"])
        .arg(program)
        .output()
        .expect("python3 is on the PATH");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.success(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

/// The same, for a program that is cured. A machine that stands still for a moment makes a callback slow
/// that is not, but hardly twice.
fn cured_python(program: &Path) -> (bool, String, String) {
    let first = python(program);
    let mut complaints = first.2.lines();
    if !first.2.is_empty() && complaints.all(|line| line.starts_with("Executing <")) {
        python(program)
    } else {
        first
    }
}

#[test]
fn every_pitfall_is_there_before_and_gone_after() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/behaviour");
    let mut programs: Vec<PathBuf> = fs::read_dir(&folder)
        .expect("the programs are beside this test")
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "py"))
        .collect();
    programs.sort();
    assert!(!programs.is_empty());
    let work = tempfile::tempdir().expect("a temporary folder");
    for program in programs {
        let name = program.file_name().expect("it is a file");
        let copy = work.path().join(name);
        fs::copy(&program, &copy).expect("a copy");
        let name = name.to_string_lossy().into_owned();
        // The first part of the name is the rule.
        let code = name.split('_').next().unwrap_or_default().to_uppercase();

        let (ok, before, complaint) = python(&copy);
        assert!(ok, "{name} fails before the fix:\n{complaint}");
        assert_eq!(before.trim(), "pitfall", "{name} before the fix");

        let output = Command::new(env!("CARGO_BIN_EXE_asyncfix"))
            .args(["--isolated", "--write", "--exit-zero", "--select", &code])
            .arg(&copy)
            .output()
            .expect("asyncfix runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{name}: {said}");
        let source = fs::read_to_string(&copy).expect("it is still there");
        assert_ne!(
            source,
            fs::read_to_string(&program).expect("it is still there"),
            "{name} was not rewritten: {said}"
        );

        let (ok, after, complaint) = cured_python(&copy);
        assert!(ok, "{name} fails after the fix:\n{complaint}\n{source}");
        assert_eq!(complaint, "", "{name} complains after the fix:\n{source}");
        assert_eq!(after.trim(), "cured", "{name} after the fix:\n{source}");
    }
}

#[test]
fn projects_that_did_not_compile_run_after() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/behaviour");
    let mut projects: Vec<PathBuf> = fs::read_dir(&folder)
        .expect("the programs are beside this test")
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.is_dir())
        .collect();
    projects.sort();
    assert!(!projects.is_empty());
    for project in projects {
        let work = tempfile::tempdir().expect("a temporary folder");
        for entry in fs::read_dir(&project).expect("a readable folder") {
            let path = entry.expect("a readable folder").path();
            if path.is_file() {
                let name = path.file_name().expect("it is a file");
                fs::copy(&path, work.path().join(name)).expect("a copy");
            }
        }
        let name = project.file_name().expect("it is a folder");
        let name = name.to_string_lossy().into_owned();
        let code = name.split('_').next().unwrap_or_default().to_uppercase();
        let main = work.path().join("main.py");

        let (ok, _, complaint) = python(&main);
        assert!(!ok, "{name} runs before the fix");
        assert!(
            complaint.contains("SyntaxError"),
            "{name} before the fix:\n{complaint}"
        );

        let output = Command::new(env!("CARGO_BIN_EXE_asyncfix"))
            .args(["--isolated", "--write", "--exit-zero", "--select", &code])
            .arg(work.path())
            .output()
            .expect("asyncfix runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{name}: {said}");

        let (ok, after, complaint) = cured_python(&main);
        assert!(ok, "{name} fails after the fix:\n{complaint}");
        assert_eq!(complaint, "", "{name} complains after the fix");
        assert_eq!(after.trim(), "cured", "{name} after the fix");
    }
}
