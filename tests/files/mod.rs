//! Files as they are on disk: owners, links, pipes, odd names, rare encodings, disks that do not let us. Nothing is lost, and
//! what is said is what was done.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command as Process;
use std::time::Duration;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::{contains, is_empty};
use tempfile::TempDir;

use crate::{FIXED, MISTAKE, asyncfix, folder, read};

/// The command in a folder, without any configuration and with an end in any case.
fn isolated(folder: &TempDir) -> Command {
    let mut command = asyncfix(folder);
    command.timeout(Duration::from_mins(1)).arg("--isolated");
    command
}

/// Whether we may do everything, so that nothing can be forbidden.
fn is_root(folder: &TempDir) -> bool {
    fs::metadata(folder.path()).expect("it is there").uid() == 0
}

#[test]
fn a_file_with_two_names_stays_one() {
    let folder = folder(&[("a.py", MISTAKE)]);
    let (one, other) = (folder.path().join("a.py"), folder.path().join("b.py"));
    fs::hard_link(&one, &other).expect("a link");
    isolated(&folder).arg("--write").assert().code(0);
    let (one, other) = (fs::metadata(one), fs::metadata(other));
    assert_eq!(
        one.expect("it is there").ino(),
        other.expect("it is there").ino()
    );
    assert_eq!(read(&folder, "b.py"), FIXED);
}

#[test]
fn the_owner_stays() {
    let folder = folder(&[("a.py", MISTAKE)]);
    if !is_root(&folder) {
        return;
    }
    let path = folder.path().join("a.py");
    std::os::unix::fs::chown(&path, Some(65_534), Some(100)).expect("we may");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("we may");
    isolated(&folder).arg("--write").assert().code(0);
    let metadata = fs::metadata(&path).expect("it is there");
    assert_eq!((metadata.uid(), metadata.gid()), (65_534, 100));
    assert_eq!(metadata.mode() & 0o777, 0o640);
    assert_eq!(read(&folder, "a.py"), FIXED);
}

#[test]
fn a_link_and_its_file_are_one_and_what_lies_elsewhere_was_not_asked_for() {
    let elsewhere = folder(&[("far.py", MISTAKE)]);
    let folder = folder(&[("a.py", MISTAKE), ("tool", MISTAKE)]);
    let link = |to: &Path, name: &str| symlink(to, folder.path().join(name)).expect("a link");
    link(Path::new("a.py"), "b.py");
    link(Path::new("nowhere.py"), "broken.py");
    link(Path::new("."), "circle");
    link(Path::new("tool"), "tool.py");
    link(Path::new("tool"), "tool2.py");
    link(&elsewhere.path().join("far.py"), "far.py");
    isolated(&folder)
        .arg("--write")
        .assert()
        .code(0)
        .stderr(contains("Fixed 2 problems in 2 files"));
    assert_eq!(read(&folder, "a.py"), FIXED);
    assert_eq!(read(&folder, "tool"), FIXED);
    assert!(folder.path().join("b.py").is_symlink());
    assert_eq!(read(&elsewhere, "far.py"), MISTAKE);
    // One that is named is followed.
    isolated(&folder)
        .args(["--write", "far.py"])
        .assert()
        .code(0);
    assert_eq!(read(&elsewhere, "far.py"), FIXED);
}

#[test]
fn pipes_and_devices_are_no_files() {
    let folder = folder(&[("sub/a.py", MISTAKE)]);
    for name in ["p.py", "sub/pyproject.toml", "sub/setup.cfg"] {
        let made = Process::new("mkfifo")
            .arg(folder.path().join(name))
            .status();
        assert!(made.expect("it runs").success());
    }
    for name in ["p.py", "/dev/zero"] {
        isolated(&folder)
            .arg(name)
            .assert()
            .code(2)
            .stderr(contains(format!("{name}: not a regular file")));
    }
    let mut command = asyncfix(&folder);
    let run = command.args(["--write", "sub/a.py"]);
    run.timeout(Duration::from_mins(1)).assert().code(0);
    assert_eq!(read(&folder, "sub/a.py"), FIXED);
}

#[test]
fn odd_names_are_escaped_and_patch_finds_the_files() {
    let names = [
        "a b.py",
        "q\"t\t.py",
        "e\u{1b}[31mx.py",
        "n\nl.py",
        "b\\c.py",
    ];
    let files: Vec<(&str, &str)> = names.iter().map(|name| (*name, MISTAKE)).collect();
    let folder = folder(&files);
    for format in ["concise", "github", "pylint", "full"] {
        let output = isolated(&folder)
            .args(["--output-format", format])
            .output()
            .expect("it runs");
        assert!(!output.stdout.contains(&0x1b), "{format}");
        if format != "full" {
            let lines = output.stdout.split(|byte| *byte == b'\n');
            let lines = lines.filter(|line| !line.is_empty()).count();
            assert_eq!(lines, names.len(), "{format}");
        }
    }
    let diff = isolated(&folder)
        .args(["--diff", "--quiet"])
        .output()
        .expect("it runs");
    fs::write(folder.path().join("x.diff"), diff.stdout).expect("a file");
    let applied = Process::new("git")
        .args(["apply", "x.diff"])
        .current_dir(folder.path())
        .status();
    assert!(applied.expect("git runs").success());
    for name in names {
        assert_eq!(read(&folder, name), FIXED, "{name:?}");
    }
}

#[test]
fn a_name_that_is_not_utf_8_is_left_alone() {
    let folder = folder(&[("a.py", MISTAKE)]);
    let path = folder.path().join(OsStr::from_bytes(b"caf\xe9.py"));
    if fs::write(&path, MISTAKE).is_err() {
        // Not every file system has such names.
        return;
    }
    isolated(&folder)
        .arg("--write")
        .assert()
        .code(2)
        .stderr(contains("not valid UTF-8"));
    assert_eq!(fs::read_to_string(&path).expect("a text"), MISTAKE);
    assert_eq!(read(&folder, "a.py"), FIXED);
}

#[test]
fn standard_input_comes_back_whatever_is_wrong_with_the_options() {
    let folder = folder(&[]);
    for options in [
        &["--select", "XX"][..],
        &["--config", "nofile.toml"],
        &["--config", "select=3"],
        &["--target-version", "abc"],
        &["-j", "0"],
        &["-j", "many"],
        &["--nonsense"],
        &["--write"],
        &["--stdin-filename", "."],
    ] {
        isolated(&folder)
            .args(["--write", "-"])
            .args(options)
            .write_stdin(MISTAKE)
            .assert()
            .code(2)
            .stdout(MISTAKE)
            .stderr(is_empty().not());
    }
    isolated(&folder)
        .args(["--diff", "-", "--nonsense"])
        .write_stdin(MISTAKE)
        .assert()
        .code(2)
        .stdout("");
}

#[test]
fn what_python_does_not_read_is_refused_and_what_it_reads_is_kept() {
    let folder = folder(&[(
        "nul.py",
        "import time\n# \0\n\nasync def nap():\n    time.sleep(1)\n",
    )]);
    isolated(&folder)
        .args(["--write", "nul.py"])
        .assert()
        .code(2)
        .stderr(contains("NUL"));
    for (encoding, code) in [
        ("latin-1-unix", 0),
        ("cp932", 0),
        ("646", 0),
        ("utf-8-unix", 0),
        ("cp437", 2),
        ("nonsense", 2),
    ] {
        let text = format!("# -*- coding: {encoding} -*-\n{MISTAKE}");
        fs::write(folder.path().join("e.py"), &text).expect("a file");
        isolated(&folder)
            .args(["--write", "--quiet", "e.py"])
            .assert()
            .code(code);
        let is_as_it_was = read(&folder, "e.py") == text;
        assert_eq!(is_as_it_was, code == 2, "{encoding}");
    }
}

#[test]
fn what_was_not_written_is_not_counted() {
    let folder = folder(&[("a.py", MISTAKE), ("kept/b.py", MISTAKE)]);
    if is_root(&folder) {
        return;
    }
    let kept = folder.path().join("kept");
    fs::set_permissions(&kept, fs::Permissions::from_mode(0o555)).expect("we may");
    isolated(&folder)
        .arg("--write")
        .assert()
        .code(2)
        .stderr(contains("kept/b.py: not written").and(contains("Fixed 1 problem in 1 file")));
    fs::set_permissions(&kept, fs::Permissions::from_mode(0o755)).expect("we may");
    assert_eq!(read(&folder, "kept/b.py"), MISTAKE);
}

#[test]
fn a_file_that_may_not_be_written_is_not_replaced() {
    let folder = folder(&[("a.py", MISTAKE)]);
    let path = folder.path().join("a.py");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).expect("we may");
    isolated(&folder)
        .arg("--write")
        .assert()
        .code(2)
        .stderr(contains("a.py: not written: it is read-only").and(contains("Fixed").not()));
    assert_eq!(read(&folder, "a.py"), MISTAKE);
}

#[test]
fn more_files_change_together_than_may_be_open() {
    let folder = folder(&[
        ("pkg/__init__.py", ""),
        (
            "pkg/core.py",
            "import asyncio\n\n\nasync def load():\n    await asyncio.sleep(0)\n    return 1\n\n\ndef get():\n    return await load()\n",
        ),
    ]);
    for number in 0..90 {
        let text =
            format!("from pkg.core import get\n\n\nasync def use{number}():\n    return get()\n");
        fs::write(folder.path().join(format!("pkg/u{number}.py")), text).expect("a file");
    }
    let program = assert_cmd::cargo::cargo_bin("asyncfix");
    let run = Process::new("sh")
        .args([
            "-c",
            "ulimit -n 48 && exec \"$0\" --isolated --write --quiet -j 2 .",
        ])
        .arg(program)
        .current_dir(folder.path())
        .env("VIRTUAL_ENV", "")
        .status();
    assert_eq!(run.expect("it runs").code(), Some(0));
    assert!(read(&folder, "pkg/u89.py").contains("return await get()"));
}

#[test]
fn very_many_threads_are_no_more_than_help() {
    let folder = folder(&[("a.py", MISTAKE)]);
    isolated(&folder)
        .args(["-j", "100000", "--quiet"])
        .timeout(Duration::from_secs(20))
        .assert()
        .code(1);
}
