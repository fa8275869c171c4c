//! The command as people and programs use it.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on must stop"
)]

#[cfg(unix)]
mod files;

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command as Process, Stdio};
use std::time::Duration;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::{contains, ends_with};
use tempfile::TempDir;

const MISTAKE: &str = "import time\n\n\nasync def nap():\n    time.sleep(1)\n";
const FIXED: &str = "import asyncio\n\n\nasync def nap():\n    await asyncio.sleep(1)\n";

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in files {
        write(folder.path(), name, text.as_bytes());
    }
    folder
}

fn write(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a name has a folder")).expect("a folder");
    fs::write(path, bytes).expect("a file");
}

fn read(folder: &TempDir, name: &str) -> String {
    fs::read_to_string(folder.path().join(name)).expect("a text")
}

fn asyncfix(folder: &TempDir) -> Command {
    let mut command = Command::cargo_bin("asyncfix").expect("the binary is built");
    command.current_dir(folder.path());
    // What is installed on the machine that runs the tests plays no part.
    command.env("PATH", "");
    for name in ["VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV"] {
        command.env_remove(name);
    }
    command
}

#[test]
fn reporting_changes_nothing_and_exits_with_1() {
    let folder = folder(&[("a.py", MISTAKE)]);
    asyncfix(&folder)
        .args(["--output-format", "concise"])
        .assert()
        .code(1)
        .stdout("a.py:5:5: AF201 [*] `time.sleep` blocks the event loop\n")
        .stderr("Found 1 problem: 1 fixable with --write\n");
    assert_eq!(read(&folder, "a.py"), MISTAKE);
}

#[test]
fn writing_rewrites_in_place_and_exits_with_0() {
    let folder = folder(&[("a.py", MISTAKE), ("sub/b.py", MISTAKE)]);
    asyncfix(&folder)
        .arg("--write")
        .assert()
        .success()
        .stdout("")
        .stderr("a.py: 1 × AF201\nsub/b.py: 1 × AF201\nFixed 2 problems in 2 files\n");
    assert_eq!(read(&folder, "a.py"), FIXED);
    assert_eq!(read(&folder, "sub/b.py"), FIXED);
    asyncfix(&folder)
        .arg("--write")
        .assert()
        .success()
        .stderr("No problems found\n");
}

#[test]
fn patch_and_git_apply_accept_the_diff() {
    let crlf = MISTAKE.replace('\n', "\r\n");
    let no_newline = MISTAKE.trim_end();
    let files: &[(&str, &str)] = &[
        ("z.py", MISTAKE),
        ("sub/crlf.py", &crlf),
        ("sub/no_newline.py", no_newline),
    ];
    let folder = folder(files);
    let diff = asyncfix(&folder).arg("--diff").assert().code(1);
    let diff = diff.get_output().stdout.clone();
    let text = String::from_utf8_lossy(&diff);
    let order: Vec<usize> = ["./sub/crlf.py", "./sub/no_newline.py", "./z.py"]
        .iter()
        .map(|name| {
            text.find(&format!("--- {name}"))
                .expect("each file has its diff")
        })
        .collect();
    assert!(order.is_sorted(), "in path order");
    asyncfix(&folder).arg("--write").assert().success();
    for tool in [["patch", "-p0"], ["git", "apply"]] {
        let other = self::folder(files);
        // `git apply` outside a repository works on the folder it is in.
        let mut child = Process::new(tool[0])
            .arg(tool[1])
            .args(if tool[0] == "patch" {
                &["--binary"][..]
            } else {
                &[]
            })
            .current_dir(other.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("the tool is installed");
        child
            .stdin
            .take()
            .expect("it is piped")
            .write_all(&diff)
            .expect("it reads");
        assert!(child.wait().expect("it ends").success(), "{tool:?}");
        for (name, _) in files {
            assert_eq!(
                read(&other, name),
                read(&folder, name),
                "{tool:?} on {name}"
            );
        }
    }
}

#[test]
fn standard_input_goes_to_standard_output() {
    let folder = folder(&[]);
    asyncfix(&folder)
        .args(["--write", "-", "--stdin-filename", "pkg/a.py"])
        .write_stdin(MISTAKE)
        .assert()
        .success()
        .stdout(FIXED);
    asyncfix(&folder)
        .args(["--diff", "-", "--stdin-filename", "pkg/a.py"])
        .write_stdin(MISTAKE)
        .assert()
        .code(1)
        .stdout(contains("--- ./pkg/a.py\n+++ ./pkg/a.py\n"));
    asyncfix(&folder)
        .args(["--write", "-"])
        .write_stdin("x = 1\n")
        .assert()
        .success()
        .stdout("x = 1\n");
}

#[test]
fn standard_input_that_cannot_be_fixed_comes_back_as_it_was() {
    let folder = folder(&[]);
    for broken in [&b"async def f(:\n"[..], b"x = '\xff'\n"] {
        asyncfix(&folder)
            .args(["--write", "-", "--stdin-filename", "a.py"])
            .write_stdin(broken)
            .assert()
            .code(2)
            .stdout(broken)
            .stderr(contains("a.py"));
    }
    // A stub is passed through.
    asyncfix(&folder)
        .args(["--write", "-", "--stdin-filename", "a.pyi"])
        .write_stdin(MISTAKE)
        .assert()
        .success()
        .stdout(MISTAKE);
}

#[test]
fn a_syntax_error_is_reported_and_the_other_files_go_on() {
    let folder = folder(&[
        ("a.py", MISTAKE),
        ("broken.py", "async def f():\n    await (\n"),
    ]);
    asyncfix(&folder)
        .arg("--write")
        .assert()
        .code(2)
        .stderr(contains("error: broken.py:3:1: syntax error: "))
        .stderr(contains("Fixed 1 problem in 1 file"));
    assert_eq!(read(&folder, "a.py"), FIXED);
    assert_eq!(read(&folder, "broken.py"), "async def f():\n    await (\n");
}

#[test]
fn stubs_and_ignored_and_excluded_files_are_left_alone() {
    let folder = folder(&[
        ("a.pyi", MISTAKE),
        (".gitignore", "generated/\n"),
        ("generated/a.py", MISTAKE),
        (".venv/lib/a.py", MISTAKE),
        ("vendored/a.py", MISTAKE),
    ]);
    fs::create_dir(folder.path().join(".git")).expect("a folder");
    asyncfix(&folder)
        .args(["--write", "--extend-exclude", "vendored"])
        .assert()
        .success()
        .stderr("warning: no Python files in .\n");
    asyncfix(&folder)
        .args(["--write", "a.pyi"])
        .assert()
        .success()
        .stderr(contains("a.pyi: stub files"));
    assert_eq!(read(&folder, "a.pyi"), MISTAKE);
    // What is named itself is taken.
    asyncfix(&folder)
        .args(["--write", "generated/a.py"])
        .assert()
        .success();
    assert_eq!(read(&folder, "generated/a.py"), FIXED);
}

#[test]
fn wrong_arguments_say_what_is_wrong() {
    let folder = folder(&[("a.py", MISTAKE)]);
    let cases: &[(&[&str], &str)] = &[
        (&["missing.py"], "missing.py: file not found"),
        (&["--select", "AF9"], "unknown rule `AF9`"),
        (
            &["--ignore", "dangling-tasks"],
            "did you mean `dangling-task`?",
        ),
        (&["-", "a.py"], "can't be combined with paths"),
        (
            &["a.py", "--stdin-filename", "b.py"],
            "--stdin-filename needs `-` as the path",
        ),
        (
            &["-", "--stdin-filename", "."],
            "--stdin-filename must be a file name, not a folder",
        ),
        (
            &["--target-version", "2.7"],
            "unsupported Python version `2.7`",
        ),
        (&["--config", "gather.gard = 1"], "did you mean `guard`?"),
        (&["--config", "missing.toml"], "missing.toml"),
        (&["--jobs", "0"], "--jobs must be at least 1"),
        (&["rule", "AF7777"], "unknown rule `AF7777`"),
    ];
    for (arguments, message) in cases {
        asyncfix(&folder)
            .args(*arguments)
            .write_stdin("")
            .assert()
            .code(2)
            .stderr(contains(*message));
    }
    assert_eq!(read(&folder, "a.py"), MISTAKE);
}

#[test]
fn unreadable_and_undecodable_files_are_named() {
    let folder = folder(&[("a.py", MISTAKE)]);
    write(folder.path(), "bytes.py", b"async def f(): x = '\xff'\n");
    write(
        folder.path(),
        "cookie.py",
        b"# coding: klingon\nasync def f(): ...\n",
    );
    asyncfix(&folder)
        .arg("--write")
        .assert()
        .code(2)
        .stderr(contains("bytes.py: not valid UTF-8 (byte 20)"))
        .stderr(contains(
            "cookie.py: asyncfix does not know the encoding `klingon`",
        ));
    assert_eq!(read(&folder, "a.py"), FIXED);
}

#[test]
fn another_encoding_is_kept() {
    let folder = folder(&[]);
    let before =
        b"# coding: latin-1\nimport time\n\n\nasync def nap():\n    time.sleep(1)  # caf\xe9\n";
    let after = b"# coding: latin-1\nimport asyncio\n\n\nasync def nap():\n    await asyncio.sleep(1)  # caf\xe9\n";
    write(folder.path(), "a.py", before);
    let diff = asyncfix(&folder).arg("--diff").assert().code(1);
    assert!(
        diff.get_output()
            .stdout
            .windows(4)
            .any(|bytes| bytes == b"caf\xe9"),
        "the diff has the file's own bytes"
    );
    asyncfix(&folder).arg("--write").assert().success();
    assert_eq!(fs::read(folder.path().join("a.py")).expect("bytes"), after);
}

#[test]
fn byte_order_mark_line_endings_and_tabs_are_kept() {
    let folder = folder(&[]);
    for (before, after) in [
        (
            "\u{feff}import time\r\n\r\n\r\nasync def nap():\r\n\ttime.sleep(1)\r\n".to_owned(),
            "\u{feff}import asyncio\r\n\r\n\r\nasync def nap():\r\n\tawait asyncio.sleep(1)\r\n"
                .to_owned(),
        ),
        (MISTAKE.replace('\n', "\r"), FIXED.replace('\n', "\r")),
        (
            "import asyncio\r\r\rasync def tell(news):\r    asyncio.create_task(news.send())\r".to_owned(),
            "import asyncio\r\rbackground_tasks = set()\r\r\rasync def tell(news):\r    task = asyncio.create_task(news.send())\r    background_tasks.add(task)\r    task.add_done_callback(background_tasks.discard)\r".to_owned(),
        ),
        (
            "\u{feff}# a comment\nasync def nap():\n    import time\n    time.sleep(1)\n\x0c\n".to_string(),
            "\u{feff}# a comment\nimport asyncio\n\n\nasync def nap():\n    await asyncio.sleep(1)\n\x0c\n".to_string(),
        ),
    ] {
        write(folder.path(), "a.py", before.as_bytes());
        asyncfix(&folder)
            .args(["--write", "a.py"])
            .assert()
            .success();
        assert_eq!(read(&folder, "a.py"), after);
    }
}

#[test]
fn a_block_moves_in_the_same_way_with_every_line_ending() {
    let before = "import os\n\n\nasync def read(path, paths):\n    size = os.stat(path)\n    with open(path) as file:\n        text = file.read()\n    for path in paths:\n        print(path)\n        # the rest\n        with open(path) as file:\n            print(file.read())\n    return size, text\n";
    let after = "import asyncio\nimport os\n\n\nasync def read(path, paths):\n    size = os.stat(path)\n\n    def read_file():\n        with open(path) as file:\n            text = file.read()\n        return text\n\n    text = await asyncio.to_thread(read_file)\n    for path in paths:\n        print(path)\n\n        # the rest\n        def read_file_2(path):\n            with open(path) as file:\n                print(file.read())\n\n        await asyncio.to_thread(read_file_2, path)\n    return size, text\n";
    let folder = folder(&[]);
    for ending in ["\n", "\r\n", "\r"] {
        write(
            folder.path(),
            "a.py",
            before.replace('\n', ending).as_bytes(),
        );
        asyncfix(&folder)
            .args(["--write", "a.py"])
            .assert()
            .success();
        assert_eq!(read(&folder, "a.py"), after.replace('\n', ending));
    }
}

#[cfg(unix)]
#[test]
fn permissions_and_symbolic_links_are_kept() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder(&[("real.py", MISTAKE)]);
    let real = folder.path().join("real.py");
    fs::set_permissions(&real, fs::Permissions::from_mode(0o750)).expect("permissions");
    let link = folder.path().join("link.py");
    std::os::unix::fs::symlink(&real, &link).expect("a link");
    asyncfix(&folder)
        .args(["--write", "link.py"])
        .assert()
        .success();
    assert_eq!(read(&folder, "real.py"), FIXED);
    assert!(link.is_symlink());
    let mode = fs::metadata(&real).expect("metadata").permissions().mode();
    assert_eq!(mode & 0o777, 0o750);
}

#[test]
fn the_nearest_configuration_wins_and_says_where_it_came_from() {
    let folder = folder(&[
        (
            "pyproject.toml",
            "[project]\nrequires-python = \">=3.9\"\n[tool.asyncfix]\nignore = [\"AF2\"]\n",
        ),
        ("a.py", MISTAKE),
        ("sub/asyncfix.toml", "select = [\"AF201\"]\n"),
        ("sub/a.py", MISTAKE),
    ]);
    asyncfix(&folder).arg("--write").assert().success();
    assert_eq!(read(&folder, "a.py"), MISTAKE);
    assert_eq!(read(&folder, "sub/a.py"), FIXED);
    asyncfix(&folder)
        .args(["config", "sub/a.py"])
        .assert()
        .success()
        .stdout(contains("sub/asyncfix.toml").and(contains("select = [\"AF201\"]")))
        .stdout(contains("target-version = \"3.9\"  # the oldest in"));
    asyncfix(&folder)
        .args(["--isolated", "--diff", "a.py"])
        .assert()
        .code(1);
    asyncfix(&folder)
        .args(["--config", "sub/asyncfix.toml", "--diff", "a.py"])
        .assert()
        .code(1);
}

#[test]
fn a_project_says_which_python_it_is_for_without_a_section_of_this_tool() {
    let project = "[project]\nrequires-python = \">=3.12\"\n";
    let folder = folder(&[
        (
            "old/pyproject.toml",
            "[project]\nrequires-python = \">=3.9\"\n",
        ),
        ("old/a.py", MISTAKE),
        ("set/asyncfix.toml", "target-version = \"3.10\"\n"),
        ("set/sub/pyproject.toml", project),
        ("set/sub/a.py", MISTAKE),
        ("none/a.py", MISTAKE),
    ]);
    for (file, expected) in [
        ("old/a.py", "target-version = \"3.9\"  # the oldest in"),
        (
            "set/sub/a.py",
            "target-version = \"3.10\"  # target-version",
        ),
        ("none/a.py", "target-version = \"3.10\"  # default"),
    ] {
        asyncfix(&folder)
            .args(["config", file])
            .assert()
            .success()
            .stdout(contains(expected));
    }
}

#[test]
fn a_function_without_annotations_is_unsafe_where_the_type_checker_asks_for_them() {
    let text = "import asyncio


async def total(paths):
    count = 0
    for path in paths:
        with open(path) as file:
            text = file.read()
        count += len(text)
    return count


asyncio.run(total([]))
";
    let strict = "[tool.mypy]\nstrict = true\n";
    let folder = folder(&[
        ("strict/pyproject.toml", strict),
        ("strict/sub/a.py", text),
        ("plain/a.py", text),
    ]);
    asyncfix(&folder)
        .args(["--output-format", "concise", "strict"])
        .assert()
        .code(1)
        .stderr(contains("none fixable with --write, 1 more"));
    asyncfix(&folder)
        .args(["--output-format", "concise", "plain"])
        .assert()
        .code(1)
        .stderr(contains("1 fixable with --write"));
}

#[test]
fn types_are_told_by_the_newest_python_where_nobody_says_which_one_is_meant() {
    let text = "from typing import Self


class Query:
    def where(self) -> Self:
        return self

    async def run(self) -> None:
        pass


async def main() -> None:
    Query().where().run()
";
    let folder = folder(&[("a.py", text)]);
    asyncfix(&folder)
        .args(["--output-format", "concise", "--select", "AF101", "a.py"])
        .assert()
        .code(1)
        .stdout(contains("a.py:13:5: AF101"));
}

#[test]
fn the_page_of_examples_shows_each_pitfall_once_and_every_fix_is_safe() {
    let page = include_str!("../examples/pitfalls.py");
    let folder = folder(&[("examples/pitfalls.py", page)]);
    let report = asyncfix(&folder)
        .args(["--output-format", "concise", "examples/"])
        .assert()
        .code(1);
    let report = String::from_utf8_lossy(&report.get_output().stdout).into_owned();
    let families: Vec<&str> = report
        .lines()
        .filter_map(|line| line.split_once(" AF")?.1.get(..1))
        .collect();
    assert_eq!(
        families,
        ["1", "2", "3", "4", "5", "6", "7", "8"],
        "{report}"
    );
    assert!(
        report.lines().all(|line| line.contains(" [*] ")),
        "{report}"
    );
    asyncfix(&folder)
        .args(["--write", "examples/"])
        .assert()
        .success();
    asyncfix(&folder).arg("examples/").assert().success();
}

#[test]
fn a_loop_of_a_package_is_cleaned_up_after_as_the_configuration_says() {
    let beat =
        "import asyncio\n\n\nasync def beat():\n    while True:\n        await asyncio.sleep(1)\n";
    let is_safe = |name: &str, endless: &str| {
        let configuration = format!("cancellation.endless = {endless:?}\n");
        let folder = folder(&[
            ("asyncfix.toml", &configuration),
            ("package/__init__.py", ""),
            ("package/beat.py", beat),
            ("scripts/beat.py", beat),
        ]);
        let report = asyncfix(&folder)
            .args(["--output-format", "concise", name])
            .assert();
        let report = String::from_utf8_lossy(&report.get_output().stdout).into_owned();
        report
            .contains("AF301")
            .then(|| report.contains("AF301 [*]"))
    };
    assert_eq!(is_safe("package/beat.py", "auto"), Some(false));
    assert_eq!(is_safe("package/beat.py", "always"), Some(true));
    assert_eq!(is_safe("package/beat.py", "held"), None);
    assert_eq!(is_safe("scripts/beat.py", "auto"), Some(true));
    assert_eq!(is_safe("scripts/beat.py", "held"), None);
    let folder = folder(&[("asyncfix.toml", "cancellation.endless = 'never'\n")]);
    asyncfix(&folder)
        .assert()
        .code(2)
        .stderr(contains("asyncfix.toml:1:24: expected one of"));
}

#[test]
fn a_fix_that_brings_an_await_lets_cancellations_pass_around_it() {
    let before = "async def fetch(key):\n    return key\n\n\nasync def work(key):\n    try:\n        WORK\n    \
                  CLAUSE\n        return False\n";
    for (work, mended, rule) in [
        ("fetch(key)", "await fetch(key)", "AF101"),
        ("time.sleep(1)", "await asyncio.sleep(1)", "AF201"),
        (
            "shutil.rmtree(key)",
            "await asyncio.to_thread(shutil.rmtree, key)",
            "AF204",
        ),
        ("asyncio.run(fetch(key))", "await fetch(key)", "AF403"),
    ] {
        for (clause, narrowed) in [
            ("except:", "except Exception:"),
            ("except BaseException:", "except Exception:"),
            ("except (BaseException,):", "except Exception:"),
            ("except:  # noqa: ASYNC103", "except:  # noqa: ASYNC103"),
            ("except OSError:", "except OSError:"),
        ] {
            let text = |work: &str, clause: &str| {
                format!("import asyncio\nimport shutil\nimport time\n\nprint(asyncio, shutil, time)\n\n\n{before}")
                    .replace("WORK", work)
                    .replace("CLAUSE", clause)
            };
            let folder = folder(&[("a.py", &text(work, clause))]);
            asyncfix(&folder)
                .args(["--write", "--select", rule, "a.py"])
                .assert()
                .success();
            assert_eq!(
                read(&folder, "a.py"),
                text(mended, narrowed),
                "{work} {clause}"
            );
        }
    }
}

#[test]
fn a_finding_and_a_line_are_explained() {
    let text = "class Store:\n    async def save(self): ...\n\n\nasync def sell(store):\n    \
                store.save()\n\n\nasync def main():\n    await sell(Store())\n";
    let folder = folder(&[("a.py", text)]);
    let object = "`store` is an instance of `a.Store`: the only call of `sell` in this file passes one \
                  (in `main`)";
    let method = "`store.save` is the coroutine function `Store.save` of this file";
    let assumed = "assumed: `sell` is not called from other files";
    asyncfix(&folder)
        .args(["--explain", "--color", "never"])
        .assert()
        .code(1)
        .stdout(contains(format!(
            "info: {object}\ninfo: {assumed}\ninfo: {method}\n"
        )));
    let json = asyncfix(&folder)
        .args(["--output-format", "json"])
        .assert()
        .code(1);
    let json: serde_json::Value =
        serde_json::from_slice(&json.get_output().stdout).expect("it is JSON");
    assert_eq!(json[0]["evidence"][0]["fact"], object);
    assert_eq!(json[0]["evidence"][1]["fact"], method);
    asyncfix(&folder)
        .args(["explain", "a.py:10"])
        .assert()
        .success()
        .stdout(
            "No problems found on this line\n- `sell` is the coroutine function `sell` of this file\n- \
             `Store` is the class `a.Store`\n",
        );
    for (place, complaint) in [
        ("a.py", "`a.py` is no line of a file, such as `app.py:12`"),
        (
            "a.py:0",
            "`a.py:0` is no line of a file, such as `app.py:12`",
        ),
        ("a.py:11", "a.py has 10 lines, and no line 11"),
        ("b.py:1", "b.py: "),
    ] {
        asyncfix(&folder)
            .args(["explain", place])
            .assert()
            .code(2)
            .stderr(contains(complaint));
    }
}

#[test]
fn a_wrong_configuration_is_an_error_with_its_place() {
    let folder = folder(&[
        ("pyproject.toml", "[tool.asyncfix]\nselct = [\"AF2\"]\n"),
        ("a.py", MISTAKE),
    ]);
    asyncfix(&folder)
        .arg("--write")
        .assert()
        .code(2)
        .stderr(contains(
            "pyproject.toml:2:1: unknown key `selct`; did you mean `select`?",
        ));
    assert_eq!(read(&folder, "a.py"), MISTAKE);
}

#[test]
fn suppressed_findings_stay() {
    let suppressed: &[&str] = &[
        "    time.sleep(1)  # noqa\n",
        "    time.sleep(1)  # noqa: AF201\n",
        "    time.sleep(1)  # NOQA:E501,AF201 because\n",
        "    time.sleep(1)  # noqa: ASYNC251\n",
        "    time.sleep(1)  # asyncfix: ignore[AF201]\n",
        "    time.sleep(1)  # asyncfix: ignore[blocking-sleep]\n",
        "    # asyncfix: ignore[AF2]\n    time.sleep(1)\n",
        "    time.sleep(\n        1\n    )  # noqa: AF201\n",
        "    time.sleep(1)\n# asyncfix: ignore-file\n",
        "    time.sleep(1)\n# asyncfix: ignore-file[AF201]\n",
    ];
    let not_suppressed: &[&str] = &[
        "    time.sleep(1)  # noqa: AF701\n",
        "    time.sleep(1)  # noqa: E501 all fine\n",
        "    time.sleep(1)  # noqable\n",
        "    time.sleep(1)  # asyncfix: ignore[AF7]\n",
        "    '# noqa'; x = 1\n    time.sleep(1)\n",
        "    time.sleep(1)\n# asyncfix: ignore-file[AF8]\n",
    ];
    let head = "import time\n\n\nasync def nap():\n";
    for (bodies, code) in [(suppressed, 0), (not_suppressed, 1)] {
        for body in bodies {
            let folder = folder(&[("a.py", &format!("{head}{body}"))]);
            asyncfix(&folder).assert().code(code);
        }
    }
    let folder = folder(&[
        (
            "asyncfix.toml",
            "[per-file-ignores]\n\"tests/**\" = [\"AF2\"]\n",
        ),
        ("tests/deep/a.py", MISTAKE),
    ]);
    asyncfix(&folder).assert().code(0);
}

#[test]
fn what_ruff_is_told_to_ignore_is_not_reported() {
    let ignoring = "[tool.ruff.lint]\nselect = [\"ASYNC\"]\nignore = [\"ASYNC251\"]\n";
    let in_tests = "[tool.ruff.lint.per-file-ignores]\n\"tests/**\" = [\"ASYNC\"]\n";
    let inner = "[lint]\nselect = [\"ASYNC\"]\n";
    for (config, more, expected) in [
        (ignoring, &[][..], 0),
        (in_tests, &[], 1),
        ("[tool.ruff.lint]\nselect = [\"E\"]\n", &[], 2),
        // Whoever names the rule means it.
        (ignoring, &["--select", "AF201"], 2),
        (ignoring, &["--select", "AF2"], 0),
    ] {
        let folder = folder(&[
            ("pyproject.toml", config),
            ("app.py", MISTAKE),
            ("tests/tool.py", MISTAKE),
        ]);
        let output = asyncfix(&folder)
            .args(["--output-format", "concise", "--quiet"])
            .args(more)
            .assert();
        let text = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
        assert_eq!(text.matches("AF201").count(), expected, "{config}{more:?}");
    }
    // The nearest configuration of ruff counts alone, as for ruff.
    let folder = folder(&[
        ("pyproject.toml", ignoring),
        ("app.py", MISTAKE),
        ("inner/ruff.toml", inner),
        ("inner/app.py", MISTAKE),
    ]);
    asyncfix(&folder)
        .args(["--output-format", "concise"])
        .assert()
        .code(1)
        .stdout(contains("inner/app.py:5:5: AF201"))
        .stderr(contains("Found 1 problem"));
    asyncfix(&folder)
        .args(["config", "app.py"])
        .assert()
        .success()
        .stdout(contains(
            "# off, because ruff's configuration ignores the same: ASYNC251\n",
        ));
}

#[test]
fn machine_formats_can_be_read() {
    let folder = folder(&[("a.py", MISTAKE)]);
    let output = asyncfix(&folder)
        .args(["--output-format", "json", "--quiet"])
        .assert()
        .code(1);
    let text = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
    for part in [
        "\"code\": \"AF201\"",
        "\"applicability\": \"safe\"",
        "\"row\": 5",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let clean = self::folder(&[("a.py", FIXED)]);
    asyncfix(&clean)
        .args(["--output-format", "json", "--quiet"])
        .assert()
        .success()
        .stdout("[]\n");
    asyncfix(&folder)
        .arg("--statistics")
        .assert()
        .code(1)
        .stdout("     1  AF201 blocking-sleep (1 fixable)\n");
}

#[test]
fn what_cannot_be_parsed_has_a_record_for_programs() {
    let cell = notebook(&["x = 1", "async def f(:"]);
    let folder = folder(&[
        ("a.py", MISTAKE),
        ("broken.py", "async def f():\n    await (\n"),
        ("cells.ipynb", &cell),
    ]);
    write(folder.path(), "latin.py", b"async def f():\n    '\xff'\n");
    let shown = |format: &str| {
        let assert = asyncfix(&folder)
            .args(["--output-format", format, "."])
            .assert()
            .code(2)
            .stderr(contains("error: broken.py:3:1: syntax error: "));
        String::from_utf8(assert.get_output().stdout.clone()).expect("UTF-8")
    };
    let json: serde_json::Value = serde_json::from_str(&shown("json")).expect("JSON");
    let of = |name: &str| {
        let all = json.as_array().into_iter().flatten();
        let mut own = all.filter(|one| one["filename"] == name);
        own.next().unwrap_or_else(|| panic!("{name} in {json}"))
    };
    assert_eq!(of("a.py")["code"], "AF201");
    let broken = of("broken.py");
    assert_eq!(broken["name"], "invalid-syntax");
    assert_eq!(broken["severity"], "error");
    assert_eq!(
        broken["location"],
        serde_json::json!({"row": 3, "column": 1})
    );
    assert!(broken["fix"].is_null() && broken["reason"].is_null());
    let message = broken["message"].as_str().unwrap_or_default();
    assert!(message.starts_with("syntax error: "), "{message}");
    assert_eq!(of("cells.ipynb")["cell"], 2);
    assert_eq!(of("cells.ipynb")["location"]["row"], 1);
    assert_eq!(of("latin.py")["name"], "io");
    assert!(of("latin.py")["location"].is_null());
    for format in [
        "json-lines",
        "sarif",
        "github",
        "gitlab",
        "junit",
        "azure",
        "rdjson",
        "pylint",
    ] {
        let text = shown(format);
        assert!(text.contains("syntax error: "), "{format}: {text}");
        assert!(text.contains("invalid-syntax"), "{format}: {text}");
    }
    for format in ["full", "concise"] {
        assert!(!shown(format).contains("syntax error"), "{format}");
    }
}

#[test]
fn the_configuration_of_a_file_is_shown_with_what_is_off_in_it() {
    let folder = folder(&[
        (
            "asyncfix.toml",
            "select = [\"AF2\"]\nexclude = [\"old\"]\n[per-file-ignores]\n\"tests\" = [\"AF201\"]\n",
        ),
        ("tests/test_a.py", MISTAKE),
        ("a.py", MISTAKE),
    ]);
    let shown = |path: &str| {
        let assert = asyncfix(&folder).args(["config", path]).assert().success();
        String::from_utf8(assert.get_output().stdout.clone()).expect("UTF-8")
    };
    let of_test = shown("tests/test_a.py");
    assert!(of_test.contains("# off in this file: AF201\n"), "{of_test}");
    assert!(of_test.contains("select = [\"AF202\""), "{of_test}");
    for path in ["a.py", "tests", "."] {
        let text = shown(path);
        assert!(text.contains("select = [\"AF201\""), "{text}");
        assert!(!text.contains("# off"), "{text}");
    }
    assert!(shown("old/a.py").contains("# this file is excluded"));
}

#[test]
fn a_text_that_is_not_on_disk_is_judged_as_the_file_would_be() {
    let source = "import asyncio\n\n\nasync def main():\n    await asyncio.sleep(1)\n\n\nmain()\n";
    let user = "from started import main\n";
    let of_file = |others: &[(&str, &str)]| {
        let folder = folder(others);
        write(folder.path(), "started.py", source.as_bytes());
        let assert = asyncfix(&folder)
            .args(["--output-format", "concise", "--quiet", "started.py"])
            .assert();
        String::from_utf8(assert.get_output().stdout.clone()).expect("UTF-8")
    };
    let of_text = |others: &[(&str, &str)]| {
        let folder = folder(others);
        let assert = asyncfix(&folder)
            .args(["--output-format", "concise", "--quiet"])
            .args(["--stdin-filename", "started.py", "-"])
            .write_stdin(source)
            .assert();
        String::from_utf8(assert.get_output().stdout.clone()).expect("UTF-8")
    };
    let alone = of_text(&[]);
    assert!(alone.contains("AF402"), "{alone}");
    assert_eq!(alone, of_file(&[]));
    assert!(!alone.contains("another module imports"), "{alone}");
    let imported = of_text(&[("user.py", user)]);
    assert_eq!(imported, of_file(&[("user.py", user)]));
    assert!(imported.contains("another module imports"), "{imported}");
    let folder = folder(&[]);
    let record = serde_json::json!({"path": "started.py", "source": source}).to_string();
    let assert = asyncfix(&folder)
        .arg("batch")
        .write_stdin(record)
        .assert()
        .success();
    let answer = String::from_utf8(assert.get_output().stdout.clone()).expect("UTF-8");
    assert!(!answer.contains("another module imports"), "{answer}");
}

#[test]
fn a_diff_is_coloured_only_when_asked_for_or_on_a_terminal() {
    let folder = folder(&[("a.py", MISTAKE)]);
    asyncfix(&folder)
        .arg("--diff")
        .assert()
        .stdout(contains("\u{1b}[").not());
    asyncfix(&folder)
        .args(["--diff", "--color", "always"])
        .assert()
        .stdout(contains("\u{1b}["));
}

#[test]
fn a_closed_pipe_is_no_error() {
    let many: Vec<(String, &str)> = (0..400).map(|n| (format!("f{n}.py"), MISTAKE)).collect();
    let files: Vec<(&str, &str)> = many
        .iter()
        .map(|(name, text)| (name.as_str(), *text))
        .collect();
    let folder = folder(&files);
    let mut child = Process::new(assert_cmd::cargo::cargo_bin("asyncfix"))
        .arg("--diff")
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("asyncfix runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("panic") && !said.contains("pipe"), "{said}");
    assert_ne!(output.status.code(), Some(101));
}

#[test]
fn rules_have_pages_and_a_list() {
    let folder = folder(&[]);
    asyncfix(&folder)
        .args(["rule", "--all"])
        .assert()
        .success()
        .stdout(contains(
            "Blocking the event loop:\n  AF201 blocking-sleep: `time.sleep` in async code\n",
        ));
    asyncfix(&folder)
        .args(["rule", "gather-without-return-exceptions"])
        .assert()
        .success()
        .stdout(contains("# AF701 gather-without-return-exceptions\n"));
}

#[test]
fn deep_trees_do_not_overflow_the_stack() {
    let sum = vec!["'a'"; 20_000].join(" + ");
    let chain = ".x()".repeat(5_000);
    let source = format!("{MISTAKE}    x = {sum}\n    x{chain}\n");
    let folder = folder(&[("a.py", &source)]);
    asyncfix(&folder)
        .args(["--write", "--select", "AF201"])
        .assert()
        .success()
        .stderr(ends_with("Fixed 1 problem in 1 file\n"));
}

#[test]
fn files_that_are_imported_are_read_and_never_written() {
    let client = "async def fetch(url):\n    import time\n\n    time.sleep(1)\n    return url\n";
    let main = "from app import fetch\n\n\nasync def main():\n    fetch(\"a\")\n";
    let folder = folder(&[
        ("src/app/__init__.py", "from .client import fetch\n"),
        ("src/app/client.py", client),
        ("src/app/main.py", main),
    ]);
    let fixed = main.replace("    fetch", "    await fetch");
    asyncfix(&folder)
        .args(["--write", "-", "--stdin-filename", "src/app/main.py"])
        .write_stdin(main)
        .assert()
        .code(0)
        .stdout(fixed.clone());
    asyncfix(&folder)
        .args(["--write", "src/app/main.py"])
        .assert()
        .code(0);
    assert_eq!(read(&folder, "src/app/main.py"), fixed);
    assert_eq!(read(&folder, "src/app/client.py"), client);
}

#[test]
fn a_fix_of_several_files_is_made_whole_or_not_at_all() {
    let store = "import asyncio\n\n\ndef load(key):\n    await asyncio.sleep(0)\n    await asyncio.sleep(0)\n    return key\n";
    let main = "import asyncio\n\nfrom store import load\n\n\nasync def main():\n    print(load(1))\n\n\nasyncio.run(main())\n";
    let files = [("store.py", store), ("main.py", main)];
    let folder = folder(&files);
    // One file of two: said, and not done.
    for (named, code) in [("store.py", 1), ("main.py", 0)] {
        asyncfix(&folder)
            .args(["--write", named])
            .assert()
            .code(code);
        assert_eq!(read(&folder, "store.py"), store, "{named}");
        assert_eq!(read(&folder, "main.py"), main, "{named}");
    }
    asyncfix(&folder)
        .arg("store.py")
        .assert()
        .code(1)
        .stdout(contains("main.py:7 calls it").and(contains("asyncfix --write .")));
    asyncfix(&folder)
        .args(["--write", "-", "--stdin-filename", "store.py"])
        .write_stdin(store)
        .assert()
        .stdout(store);
    // All of it, by file.
    asyncfix(&folder)
        .args(["--output-format", "json", "."])
        .assert()
        .code(1)
        .stdout(
            contains("\"edits\"")
                .count(2)
                .and(contains("\"files\": [\n        {\n          \"edits\"")),
        );
    asyncfix(&folder)
        .assert()
        .code(1)
        .stdout(contains("also changes `main.py`"));
    // One patch.
    let diff = asyncfix(&folder).arg("--diff").assert().code(1);
    let diff = String::from_utf8_lossy(&diff.get_output().stdout).into_owned();
    assert!(
        diff.contains("--- ./store.py") && diff.contains("--- ./main.py"),
        "{diff}"
    );
    // One of them cannot be written, and so none is.
    let main_path = folder.path().join("main.py");
    let read_only = |yes: bool| {
        let mut permissions = fs::metadata(&main_path).expect("a file").permissions();
        permissions.set_readonly(yes);
        fs::set_permissions(&main_path, permissions).expect("it is ours");
    };
    read_only(true);
    asyncfix(&folder)
        .arg("--write")
        .assert()
        .code(2)
        .stderr(contains(
            "main.py: not written: it is read-only; nor is the file that must change with it",
        ));
    assert_eq!(read(&folder, "store.py"), store);
    read_only(false);
    asyncfix(&folder).arg("--write").assert().code(0);
    assert!(read(&folder, "store.py").contains("async def load(key):"));
    assert!(read(&folder, "main.py").contains("print(await load(1))"));
    asyncfix(&folder).assert().code(0);
}

#[test]
fn the_configuration_names_folders_to_look_in() {
    let main = "import acme\nimport lib\n\n\nasync def main():\n    acme.send(1)\n    lib.load()\n";
    let folder = folder(&[
        (
            "asyncfix.toml",
            "extra-stubs = [\"stubs\"]\nsrc = [\"vendored\"]\n",
        ),
        ("app.py", main),
        (
            "stubs/acme/__init__.pyi",
            "async def send(count: int) -> None: ...\n",
        ),
        ("vendored/lib.py", "async def load():\n    return 1\n"),
    ]);
    asyncfix(&folder)
        .args(["--write", "app.py"])
        .assert()
        .code(0);
    let fixed = main
        .replace("    acme", "    await acme")
        .replace("    lib", "    await lib");
    assert_eq!(read(&folder, "app.py"), fixed);
    for (key, message) in [
        (
            "extra-stubs = [\"stub\"]",
            "asyncfix.toml:1:16: folder not found",
        ),
        (
            "python = \"nowhere\"",
            "asyncfix.toml:1:10: no Python environment",
        ),
        (
            "src = \"vendored\"",
            "asyncfix.toml:1:7: expected a list of folders",
        ),
    ] {
        std::fs::write(folder.path().join("asyncfix.toml"), format!("{key}\n")).unwrap();
        asyncfix(&folder).assert().code(2).stderr(contains(message));
    }
}

#[test]
fn what_is_installed_is_found_in_the_environment_that_is_meant() {
    let main = "import acme\n\n\nasync def main():\n    acme.send(1)\n";
    let fixed = main.replace("    acme", "    await acme");
    let with = |name: &str| {
        let parts = environment(name, "acme", "async def send(count):\n    return count\n");
        let mut files: Vec<(&str, &str)> = parts
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
            .collect();
        files.push(("app.py", main));
        folder(&files)
    };
    let active = |folder: &TempDir, name: &str| {
        let mut command = asyncfix(folder);
        match name {
            "" => command.env_remove("VIRTUAL_ENV"),
            name => command.env("VIRTUAL_ENV", folder.path().join(name)),
        };
        command
    };
    let chosen = with("chosen");
    // Nothing says where it is.
    active(&chosen, "")
        .args(["--write", "app.py"])
        .assert()
        .code(0);
    assert_eq!(read(&chosen, "app.py"), main);
    active(&chosen, "")
        .args(["--write", "--python", "chosen", "app.py"])
        .assert()
        .code(0);
    assert_eq!(read(&chosen, "app.py"), fixed);
    let activated = with("activated");
    active(&activated, "activated")
        .args(["--write", "app.py"])
        .assert()
        .code(0);
    assert_eq!(read(&activated, "app.py"), fixed);
    let beside = with(".venv");
    active(&beside, "")
        .args(["--write", "app.py"])
        .assert()
        .code(0);
    assert_eq!(read(&beside, "app.py"), fixed);
}

/// The files of an environment, which no interpreter has to be in, with a package that has this text.
fn environment(name: &str, package: &str, text: &str) -> [(String, String); 2] {
    let packages = if cfg!(windows) {
        "Lib/site-packages"
    } else {
        "lib/python3.11/site-packages"
    };
    [
        (
            format!("{name}/pyvenv.cfg"),
            "home = .\nversion = 3.11.4\n".to_owned(),
        ),
        (format!("{name}/{packages}/{package}.py"), text.to_owned()),
    ]
}

#[test]
fn each_part_of_a_monorepo_has_the_environment_beside_it() {
    let main = "import acme\n\n\nasync def main():\n    acme.send(1)\n";
    let fixed = main.replace("    acme", "    await acme");
    let folder = folder(&[
        ("pyproject.toml", "[project]\nname = \"all\"\n"),
        ("old/app.py", main),
        ("new/app.py", main),
        ("new/deep/er/app.py", main),
        ("none/app.py", main),
    ]);
    let plain = environment("old/.venv", "acme", "def send(count):\n    return count\n");
    let asynchronous = environment(
        "new/.venv",
        "acme",
        "async def send(count):\n    return count\n",
    );
    for (name, text) in plain.iter().chain(&asynchronous) {
        write(folder.path(), name, text.as_bytes());
    }
    asyncfix(&folder).arg("--write").assert().code(0);
    assert_eq!(read(&folder, "old/app.py"), main);
    assert_eq!(read(&folder, "new/app.py"), fixed);
    assert_eq!(read(&folder, "new/deep/er/app.py"), fixed);
    assert_eq!(read(&folder, "none/app.py"), main);
    let says = |path: &str, what: &str| {
        asyncfix(&folder)
            .args(["config", path])
            .assert()
            .success()
            .stdout(contains(what));
    };
    says("new/deep/er/app.py", "new/.venv (the nearest .venv)\n");
    says("none/app.py", "# no Python environment found\n");
}

#[test]
fn without_an_environment_beside_the_files_the_active_one_counts_and_then_the_one_of_python3() {
    let folder = folder(&[(
        "app.py",
        "import acme\n\n\nasync def main():\n    acme.send(1)\n",
    )]);
    for name in ["system", "conda", "active"] {
        for (name, text) in environment(name, "acme", "async def send(count): ...\n") {
            write(folder.path(), &name, text.as_bytes());
        }
    }
    let path = |name: &str| folder.path().join(name);
    let config = || {
        let mut command = asyncfix(&folder);
        command.arg("config");
        command
    };
    #[cfg(unix)]
    {
        write(folder.path(), "system/bin/python3", b"");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(path("system/bin/python3"), mode).expect("it is executable");
        config()
            .env("PATH", path("system/bin"))
            .assert()
            .stdout(contains("system (the one of the python3 on PATH)"));
    }
    config()
        .env("CONDA_PREFIX", path("conda"))
        .env("CONDA_DEFAULT_ENV", "conda")
        .assert()
        .stdout(contains("conda (active, by CONDA_PREFIX)"));
    config()
        .env("CONDA_PREFIX", path("conda"))
        .env("CONDA_DEFAULT_ENV", "conda")
        .env("VIRTUAL_ENV", path("active"))
        .assert()
        .stdout(contains("active (active, by VIRTUAL_ENV)"));
}

#[test]
fn packages_are_found_below_src_and_without_an_init_file() {
    let main = "from shop.stock.store import load\n\n\nasync def main():\n    load(1)\n";
    let folder = folder(&[
        ("pyproject.toml", "[project]\nname = \"shop\"\n"),
        (
            "src/shop/stock/store.py",
            "async def load(key):\n    return key\n",
        ),
        ("src/shop/main.py", main),
        ("tests/main.py", main),
    ]);
    asyncfix(&folder).arg("--write").assert().code(0);
    let fixed = main.replace("    load", "    await load");
    assert_eq!(read(&folder, "src/shop/main.py"), fixed);
    assert_eq!(read(&folder, "tests/main.py"), fixed);
}

#[test]
fn where_a_program_starts_is_settled_before_its_tasks_are() {
    let source = "import asyncio\n\n\nasync def save():\n    await asyncio.sleep(1)\n\n\nasync def main():\n    asyncio.create_task(save())\n    await asyncio.sleep(0)\n\n\nif __name__ == \"__main__\":\n    main()\n";
    let folder = folder(&[("a.py", source)]);
    asyncfix(&folder).args(["--write", "a.py"]).assert().code(0);
    let fixed = source
        .replace(
            "    asyncio.create_task(",
            "    task = asyncio.create_task(",
        )
        .replace("sleep(0)\n", "sleep(0)\n    await task\n")
        .replace("    main()\n", "    asyncio.run(main())\n");
    assert_eq!(read(&folder, "a.py"), fixed);
}

#[test]
fn a_fan_out_gets_its_limit_and_its_guard() {
    let before = "\
import asyncio

import httpx


async def load(client: httpx.AsyncClient, url):
    response = await client.get(url)
    return response.text


async def load_all(client, urls):
    tasks = []
    for url in urls:
        asyncio.create_task(note(url))
        tasks.append(asyncio.create_task(load(client, url)))
    return await asyncio.gather(*tasks)


async def show(client, urls):
    # One after the other.
    for page in await asyncio.gather(*(load(client, url) for url in urls)):
        print(page)
";
    let after = "\
import asyncio

import httpx

background_tasks: set[asyncio.Task[object]] = set()


async def load(client: httpx.AsyncClient, url):
    response = await client.get(url)
    return response.text


async def load_all(client, urls):
    tasks = []
    semaphore = asyncio.Semaphore(100)

    async def limited_load(client, url):
        async with semaphore:
            return await load(client, url)

    for url in urls:
        task = asyncio.create_task(note(url))
        background_tasks.add(task)
        task.add_done_callback(background_tasks.discard)
        tasks.append(limited_load(client, url))
    results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


async def show(client, urls):
    semaphore = asyncio.Semaphore(100)

    async def limited_load(client, url):
        async with semaphore:
            return await load(client, url)

    # One after the other.
    results = await asyncio.gather(*(limited_load(client, url) for url in urls), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    for page in results:
        print(page)
";
    let folder = folder(&[("a.py", before)]);
    asyncfix(&folder)
        .args(["--write", "--unsafe-fixes"])
        .assert()
        .success();
    assert_eq!(read(&folder, "a.py"), after);
    // No rule has anything to say about what is written, and one at a time comes to the same.
    asyncfix(&folder)
        .assert()
        .success()
        .stderr("No problems found\n");
    for order in [["AF501", "AF701", "AF801"], ["AF701", "AF801", "AF501"]] {
        write(folder.path(), "a.py", before.as_bytes());
        for rule in order {
            asyncfix(&folder)
                .args(["--write", "--unsafe-fixes", "--select", rule])
                .assert()
                .success();
        }
        assert_eq!(read(&folder, "a.py"), after, "{order:?}");
    }
}

#[test]
fn conditions_that_double_the_work_of_the_type_engine_do_not_stop_it() {
    // Each leaves two possibilities for `item`, and the engine makes a type of every combination: it
    // has no end that anybody would wait for.
    let mut text = "class Timer:\n    async def stop(self):\n        pass\n\n\n".to_owned();
    let mut conditions = String::new();
    for number in 0..12 {
        let _ = write!(
            text,
            "class A{number}:\n    pass\n\n\nclass B{number}(A{number}):\n    pass\n\n\n"
        );
        let _ = write!(
            conditions,
            "        {}if isinstance(item, A{number}) and not isinstance(item, B{number}):\n            \
             print(item)\n",
            if number == 0 { "" } else { "el" }
        );
    }
    // What is called on one of two things has no answer but the engine's.
    text += "async def load(timers: list[Timer], items):\n    for item in items:\n";
    text += &conditions;
    text += "        else:\n            print(item)\n    (timers or [items])[0].stop()\n";
    let folder = folder(&[("main.py", &text)]);
    asyncfix(&folder)
        .args(["--isolated", "--select", "AF101"])
        .timeout(Duration::from_mins(1))
        .assert()
        .success();
}

#[test]
fn star_imports_in_a_circle_are_followed_once() {
    // Each module imports everything from all others: there are more ways through them than can be
    // walked, and none leads to `missing`.
    let names: Vec<String> = (0..12).map(|number| format!("part{number}")).collect();
    let main = "import time
from package.part0 import missing


def work():
    missing()
    time.sleep(1)


async def main():
    work()
";
    let folder = folder(&[("package/__init__.py", ""), ("main.py", main)]);
    for name in &names {
        let mut text = String::new();
        for other in names.iter().filter(|other| *other != name) {
            let _ = writeln!(text, "from .{other} import *");
        }
        write(
            folder.path(),
            &format!("package/{name}.py"),
            text.as_bytes(),
        );
    }
    asyncfix(&folder)
        .args(["--output-format", "concise", "--select", "AF206", "."])
        .timeout(Duration::from_mins(1))
        .assert()
        .code(1)
        .stdout(contains("main.py:11:5: AF206"));
}

#[test]
fn a_package_that_looks_for_more_of_itself_does_not_find_its_stub() {
    let init = "__path__ = __import__(\"pkgutil\").extend_path(__path__, __name__)

from .client import Client as NATS
";
    let client = "class Client:
    async def shout(self):
        print(\"here\")
";
    let main = "from nats import NATS


async def main(client: NATS):
    client.shout()
";
    let folder = folder(&[
        ("nats/__init__.py", init),
        ("nats/client.py", client),
        ("main.py", main),
    ]);
    asyncfix(&folder)
        .args(["--output-format", "concise", "--select", "AF101", "."])
        .assert()
        .code(1)
        .stdout(contains("main.py:5:5: AF101 [*]"));
}

#[test]
fn the_classes_of_a_client_package_are_its_own_affair() {
    let store = "import asyncio


class Store:
    async def save(self, key): ...


class Application:
    def __init__(self, store: Store):
        self.store = store

    async def save(self, keys):
        await asyncio.gather(*(self.store.save(key) for key in keys))
";
    let arguments = ["--output-format", "concise", "--select", "AF501", "."];
    let folder = folder(&[
        ("telegram/__init__.py", ""),
        ("telegram/store.py", store),
        ("bot/__init__.py", ""),
        (
            "bot/run.py",
            &store.replace(
                "class Store:\n    async def save(self, key): ...\n",
                "from telegram.store import Store\n",
            ),
        ),
    ]);
    asyncfix(&folder)
        .args(arguments)
        .assert()
        .code(1)
        .stdout(contains("bot/run.py:12:32: AF501 [*]"))
        .stdout(contains("telegram/store.py:13:32: AF501 starts"));
}

#[test]
fn names_that_are_made_of_themselves_are_followed_once() {
    let main = "import asyncio
import event
import time


class Message:
    event: event.Event

    def send(self):
        self.event.send()


def read():
    with lock(1) as lock:
        lock.read()
    for item in item.items:
        item.send()
    path = path / 1
    time.sleep(1)


async def main(handler: handler.Handler):
    handler.run()
    read()
";
    let folder = folder(&[("main.py", main)]);
    asyncfix(&folder)
        .args(["--output-format", "concise", "--select", "AF206", "."])
        .assert()
        .code(1)
        .stdout(contains("main.py:24:5: AF206"));
}

#[test]
fn many_conditions_alone_are_no_reason_not_to_ask() {
    let timer = "class Timer:\n    async def stop(self):\n        pass\n\n\n";
    let end = "    timer.stop()\n";
    let mut names = format!("{timer}async def run(timer: Timer):\n");
    let mut chain = format!(
        "{timer}async def run(timer: Timer, item):\n    if item is None:\n        return\n"
    );
    for number in 0..100 {
        let _ = write!(
            names,
            "    name{number} = input()\n    if name{number} and name{number} != 'a':\n        print(name{number})\n"
        );
    }
    for number in 0..50 {
        let _ = write!(
            chain,
            "    elif item == 'a{number}':\n        print({number} if timer else 0)\n"
        );
    }
    let folder = folder(&[("names.py", &(names + end)), ("chain.py", &(chain + end))]);
    asyncfix(&folder)
        .args([
            "--isolated",
            "--select",
            "AF101",
            "--output-format",
            "concise",
        ])
        .assert()
        .code(1)
        .stdout(contains("names.py").and(contains("chain.py")));
}

/// A program of two files, `stock.py` and `shop.py` beside it, in each of two folders. What `count` is differs.
fn two_shops(markers: &[&str]) -> TempDir {
    let shop = "import asyncio\n\nfrom stock import count\n\n\nasync def main():\n    print(count(\"tea\"))\n\n\nasyncio.run(main())\n";
    let folder = folder(&[
        ("north/stock.py", "async def count(item):\n    return 3\n"),
        ("north/shop.py", shop),
        ("south/stock.py", "def count(item):\n    return 3\n"),
        ("south/shop.py", shop),
    ]);
    for marker in markers {
        write(folder.path(), marker, b"");
    }
    folder
}

#[test]
fn a_module_is_the_one_beside_the_file_that_imports_it() {
    let projects: &[&[&str]] = &[
        &[],
        &["pyproject.toml"],
        &["north/pyproject.toml", "south/pyproject.toml"],
        &["stock.py", "pyproject.toml"],
    ];
    for markers in projects {
        for arguments in [
            &["."][..],
            &["south", "north"],
            &["north/shop.py", "south/shop.py"],
        ] {
            let folder = two_shops(markers);
            asyncfix(&folder)
                .arg("--write")
                .args(arguments)
                .assert()
                .code(0);
            let north = read(&folder, "north/shop.py");
            assert!(
                north.contains("print(await count"),
                "{markers:?} {arguments:?}: {north}"
            );
            let south = read(&folder, "south/shop.py");
            assert!(
                !south.contains("await"),
                "{markers:?} {arguments:?}: {south}"
            );
        }
    }
}

#[test]
fn services_of_one_repository_have_their_own_packages() {
    let main = "from app.store import load\n\n\nasync def main():\n    load(1)\n";
    let files = |prefix: &str, suffix: &str| {
        let sync = "def load(key):\n    return key\n";
        let coroutine = "async def load(key):\n    return key\n";
        [
            (format!("{prefix}/one{suffix}/app/__init__.py"), ""),
            (format!("{prefix}/one{suffix}/app/store.py"), coroutine),
            (format!("{prefix}/one{suffix}/app/main.py"), main),
            (format!("{prefix}/one/tests/use.py"), main),
            (format!("{prefix}/two{suffix}/app/__init__.py"), ""),
            (format!("{prefix}/two{suffix}/app/store.py"), sync),
            (format!("{prefix}/two{suffix}/app/main.py"), main),
            (format!("{prefix}/two/tests/use.py"), main),
        ]
    };
    for suffix in ["", "/src"] {
        let folder = folder(&[("pyproject.toml", "")]);
        for (name, text) in files("services", suffix) {
            write(folder.path(), &name, text.as_bytes());
        }
        asyncfix(&folder)
            .args(["--write", "--unsafe-fixes"])
            .assert()
            .code(0);
        let awaits = |name: &str| read(&folder, name).contains("await load(1)");
        assert!(
            awaits(&format!("services/one{suffix}/app/main.py")),
            "{suffix}"
        );
        assert!(
            !awaits(&format!("services/two{suffix}/app/main.py")),
            "{suffix}"
        );
        assert!(!awaits("services/two/tests/use.py"), "{suffix}");
        if !suffix.is_empty() {
            assert!(awaits("services/one/tests/use.py"), "{suffix}");
        }
    }
}

#[test]
fn where_two_modules_may_be_meant_nothing_is_said() {
    // `app` may be a folder of scripts, or a package without `__init__.py`: `db` is another module in each.
    let files = [
        ("pyproject.toml", ""),
        ("db.py", "async def load():\n    return 1\n"),
        ("app/db.py", "def load():\n    return 1\n"),
        (
            "app/main.py",
            "import db\n\n\nasync def main():\n    db.load()\n",
        ),
    ];
    let folder = folder(&files);
    // Nothing imports it as a package: its own module is meant.
    asyncfix(&folder).assert().code(0);
    write(folder.path(), "start.py", b"import app.main\n");
    asyncfix(&folder).assert().code(0);
    write(
        folder.path(),
        "app/db.py",
        b"async def load():\n    return 1\n",
    );
    write(folder.path(), "db.py", b"def load():\n    return 1\n");
    asyncfix(&folder).assert().code(0);
    fs::remove_file(folder.path().join("start.py")).expect("it was just made");
    asyncfix(&folder)
        .assert()
        .code(1)
        .stdout(contains("app/main.py"));
}

#[test]
fn a_path_may_go_up_and_down() {
    let folder = folder(&[("a/x.py", MISTAKE), ("b/y.py", "")]);
    asyncfix(&folder)
        .current_dir(folder.path().join("b"))
        .args(["--write", "../a/x.py"])
        .assert()
        .code(0)
        .stderr("../a/x.py: 1 × AF201\nFixed 1 problem in 1 file\n");
    assert_eq!(read(&folder, "a/x.py"), FIXED);
    asyncfix(&folder)
        .current_dir(folder.path().join("b"))
        .args(["--write", "--stdin-filename", "../a/../a/new.py", "-"])
        .write_stdin(MISTAKE)
        .assert()
        .code(0)
        .stdout(FIXED);
    asyncfix(&folder)
        .args(["config", "b/../a/x.py"])
        .assert()
        .code(0);
}

#[test]
fn a_single_file_is_judged_with_what_overrides_its_methods() {
    let main = "from a import Sender\n\n\nasync def run(sender: Sender):\n    sender.send(1)\n";
    let folder = folder(&[
        ("pyproject.toml", ""),
        (
            "a.py",
            "class Sender:\n    async def send(self, text):\n        return text\n",
        ),
        (
            "b.py",
            "from a import Sender\n\n\nclass Mail(Sender):\n    pass\n",
        ),
        (
            "c.py",
            "from b import Mail\n\n\nclass Fast(Mail):\n    def send(self, text):\n        return text\n",
        ),
        ("m.py", main),
    ]);
    for arguments in [&["."][..], &["m.py"]] {
        asyncfix(&folder)
            .arg("--write")
            .args(arguments)
            .assert()
            .stderr("Nothing fixed; 1 problem remains\n");
        assert_eq!(read(&folder, "m.py"), main);
    }
}

#[test]
fn an_import_stays_that_other_files_reach() {
    let clock = "import time\n\n\nasync def rest():\n    time.sleep(1)\n";
    let uses = [
        "import clock\n\nprint(clock.time.time())\n",
        "import clock as watch\n\nprint(watch.time.time())\n",
        "from clock import time\n\nprint(time.time())\n",
        "from clock import *\n\nprint(time.time())\n",
        "from unittest import mock\n\n\n@mock.patch(\"clock.time\")\ndef test_it(time):\n    pass\n",
        "def test_it(monkeypatch):\n    monkeypatch.setattr(\"clock.time.sleep\", print)\n",
    ];
    for user in uses {
        for arguments in [&["."][..], &["clock.py"]] {
            let folder = folder(&[
                ("pyproject.toml", ""),
                ("clock.py", clock),
                ("user.py", user),
            ]);
            asyncfix(&folder)
                .arg("--write")
                .args(arguments)
                .assert()
                .code(0);
            let fixed = read(&folder, "clock.py");
            assert!(fixed.contains("import time\n"), "{user}{fixed}");
            assert!(fixed.contains("await asyncio.sleep(1)"), "{user}{fixed}");
        }
    }
    let folder = folder(&[
        ("pyproject.toml", ""),
        ("clock.py", clock),
        ("user.py", "import clock\n\nprint(clock.rest())\n"),
    ]);
    asyncfix(&folder)
        .args(["--write", "--select", "AF201"])
        .assert()
        .code(0);
    assert!(!read(&folder, "clock.py").contains("import time\n"));
}

#[test]
fn the_library_of_a_program_is_the_one_that_starts_it() {
    let chores = "import time\n\n\nasync def wash():\n    time.sleep(1)\n";
    for (starter, expected) in [
        (
            "import trio\nfrom chores import wash\n\ntrio.run(wash)\n",
            "await trio.sleep(1)",
        ),
        (
            "import anyio\nfrom chores import wash\n\nanyio.run(wash)\n",
            "await anyio.sleep(1)",
        ),
        (
            "import asyncio\nfrom chores import wash\n\nasyncio.run(wash())\n",
            "await asyncio.sleep(1)",
        ),
    ] {
        for arguments in [&["."][..], &["chores.py"]] {
            let folder = folder(&[
                ("setup.cfg", ""),
                ("main.py", starter),
                ("chores.py", chores),
            ]);
            asyncfix(&folder)
                .arg("--write")
                .args(arguments)
                .assert()
                .code(0);
            let fixed = read(&folder, "chores.py");
            assert!(fixed.contains(expected), "{expected}: {fixed}");
            assert!(!fixed.starts_with('\n'), "{fixed}");
        }
    }
}

#[test]
fn a_hundred_and_twenty_blocks_are_fixed_in_one_run() {
    let mut text = "async def load():\n".to_owned();
    for number in 0..120 {
        let _ = writeln!(
            text,
            "    with open('{number}') as file{number}:\n        print(file{number}.read())"
        );
    }
    let folder = folder(&[("a.py", &text)]);
    asyncfix(&folder)
        .args(["--write", "--unsafe-fixes", "--select", "AF204"])
        .assert()
        .code(0)
        .stderr(ends_with("Fixed 120 problems in 1 file\n"));
}

#[test]
fn what_programs_read_has_the_reason_as_well() {
    let report = "import sqlite3\n\n\nasync def main():\n    sqlite3.connect('x')\n";
    let folder = folder(&[
        (
            "a.py",
            "import time\n\n\nasync def main(q):\n    f = lambda: q\n    input()\n",
        ),
        ("b.py", report),
    ]);
    for format in [
        "json",
        "json-lines",
        "gitlab",
        "github",
        "azure",
        "junit",
        "rdjson",
        "pylint",
    ] {
        asyncfix(&folder)
            .args(["--output-format", format, "--select", "AF205,AF209"])
            .assert()
            .code(1)
            .stdout(contains("(unsafe: ").and(contains("(not fixed: ")));
    }
}

#[test]
fn a_suppression_may_end_the_file() {
    for end in [
        "# asyncfix: ignore[AF201]",
        "# ruff: ignore[ASYNC251]",
        "# noqa",
    ] {
        let folder = folder(&[("a.py", &format!("{MISTAKE}{end}"))]);
        asyncfix(&folder)
            .timeout(Duration::from_secs(20))
            .assert()
            .code(predicate::in_iter([0, 1]));
    }
}

#[test]
fn an_import_goes_alike_whatever_the_line_ending() {
    let texts = [
        "import asyncio\nimport time\n\nasync def step():\n    time.sleep(1)\n",
        "# A licence.\n# Of two lines.\nimport time\n\n\nasync def step():\n    time.sleep(1)\n",
        "#!/usr/bin/env python3\n# What it is for.\nx = 1\n\n\nasync def step(p):\n    open(p).read()\n",
        "import os\n\nimport time\n\nimport requests\n\n\nasync def step():\n    time.sleep(1)\n",
    ];
    for text in texts {
        let mut results = Vec::new();
        for ending in ["\n", "\r\n", "\r"] {
            let folder = folder(&[("a.py", &text.replace('\n', ending))]);
            asyncfix(&folder)
                .args(["--write", "--unsafe-fixes"])
                .assert()
                .code(0);
            results.push(read(&folder, "a.py").replace(ending, "\n"));
        }
        assert_eq!(results[0], results[1], "CRLF");
        assert_eq!(results[0], results[2], "CR");
    }
}

/// A mistake that is fixed, and one that is not.
const TWO: &str = "import time\n\n\nasync def main(q):\n    time.sleep(1)\n    f = lambda: q\n    return f, input()\n";

#[test]
fn what_is_left_after_writing_is_shown_and_counts() {
    let folder = folder(&[("a.py", TWO)]);
    let run = |options: &[&str]| {
        std::fs::write(folder.path().join("a.py"), TWO).expect("it is writable");
        asyncfix(&folder).arg("--write").args(options).assert()
    };
    run(&[])
        .code(1)
        .stdout(contains("a.py:7:15: AF205 ").and(contains("(unsafe: ")))
        .stderr(contains(
            "a.py: 1 × AF201\nFixed 1 problem in 1 file; 1 remains",
        ));
    run(&["--exit-zero"]).code(0);
    run(&["--show-fixes"]).stderr(contains("a.py:\n    1 × AF201 (blocking-sleep)\n"));
    run(&["--output-format", "json"])
        .code(1)
        .stdout(contains("\"code\": \"AF205\"").and(contains("\"reason\": \"")));
    run(&["--ignore", "AF205"]).code(0);
    run(&["--ignore", "AF205", "--exit-non-zero-on-fix"]).code(1);
    run(&["--ignore", "AF201", "--quiet"]).code(1).stderr("");
    // An editor takes anything but 0 for a failure.
    asyncfix(&folder)
        .args(["--write", "-"])
        .write_stdin(TWO)
        .assert()
        .code(0);
}

#[test]
fn a_patch_is_all_that_a_diff_prints() {
    let folder = folder(&[("a.py", MISTAKE)]);
    asyncfix(&folder)
        .args(["--diff", "--output-format", "json"])
        .assert()
        .code(2)
        .stderr(contains("--diff prints a patch"));
    asyncfix(&folder)
        .args(["--diff", "--exit-zero", "--show-fixes"])
        .assert()
        .code(0)
        .stderr(contains("a.py:\n    1 × AF201 (blocking-sleep)\n"));
}

#[test]
fn files_that_are_named_are_excluded_when_asked_for() {
    let settings = "exclude = [\"vendored\"]\n";
    let folder = folder(&[("asyncfix.toml", settings), ("vendored/a.py", MISTAKE)]);
    let run = |options: &[&str]| {
        asyncfix(&folder)
            .arg("vendored/a.py")
            .args(options)
            .assert()
    };
    run(&[]).code(1);
    // A hook that is given nothing but excluded files has nothing to say.
    run(&["--force-exclude"]).code(0).stdout("").stderr("");
    let forced = format!("force-exclude = true\n{settings}");
    std::fs::write(folder.path().join("asyncfix.toml"), forced).expect("it is writable");
    run(&[]).code(0);
    run(&["--no-force-exclude"]).code(1);
}

#[test]
fn the_configuration_says_which_fixes_are_made_and_which_are_safe() {
    let folder = folder(&[("a.py", TWO)]);
    let run = |settings: &str| {
        write(folder.path(), "asyncfix.toml", settings.as_bytes());
        write(folder.path(), "a.py", TWO.as_bytes());
        asyncfix(&folder).arg("--write").assert()
    };
    run("unfixable = [\"AF201\"]\n").code(1).stdout(contains(
        "(not fixed: the configuration turns fixes of AF201 off)",
    ));
    run("fixable = [\"AF201\"]\n").stdout(contains("fixes of AF205 off"));
    run("extend-safe-fixes = [\"blocking-input\"]\n").code(0);
    run("extend-unsafe-fixes = [\"AF2\"]\nextend-safe-fixes = [\"AF205\"]\n")
        .code(1)
        .stdout(contains("(unsafe: the configuration says so of AF201)"))
        .stderr(contains("a.py: 1 × AF205\n"));
    run("unfixable = [\"AF9\"]\n")
        .code(2)
        .stderr(contains("asyncfix.toml:1:14: unknown rule `AF9`"));
}

#[test]
fn a_configuration_extends_another_one() {
    let folder = folder(&[
        (
            "shared/base.toml",
            "select = [\"AF201\"]\nunsafe-fixes = true\n",
        ),
        (
            "asyncfix.toml",
            "extend = \"shared/base.toml\"\nextend-select = [\"AF205\"]\n",
        ),
        ("a.py", TWO),
    ]);
    asyncfix(&folder)
        .args(["config", "a.py"])
        .assert()
        .stdout(contains("select = [\"AF201\", \"AF205\"]\n").and(contains("unsafe-fixes = true")));
    write(
        folder.path(),
        "shared/base.toml",
        b"extend = \"../asyncfix.toml\"\n",
    );
    asyncfix(&folder)
        .assert()
        .code(2)
        .stderr(contains("base.toml:1:10: ").and(contains("extends itself")));
    write(
        folder.path(),
        "asyncfix.toml",
        b"extend = \"nowhere.toml\"\n",
    );
    asyncfix(&folder)
        .assert()
        .code(2)
        .stderr(contains("asyncfix.toml:1:10: cannot read ").and(contains("nowhere.toml")));
}

#[test]
fn a_configuration_may_ask_for_a_version_of_asyncfix() {
    let own = env!("CARGO_PKG_VERSION");
    let settings = format!("required-version = \"=={own}\"\noutput-format = \"concise\"\n");
    let folder = folder(&[("asyncfix.toml", &settings), ("a.py", MISTAKE)]);
    asyncfix(&folder)
        .assert()
        .code(1)
        .stdout(contains("a.py:5:5: AF201 "));
    write(
        folder.path(),
        "asyncfix.toml",
        b"required-version = \">99\"\n",
    );
    asyncfix(&folder)
        .assert()
        .code(2)
        .stderr(contains("asyncfix.toml:1:20: this is asyncfix ").and(contains(">99")));
}

#[test]
fn the_environment_gives_options_that_the_command_line_does_not() {
    let folder = folder(&[("a.py", MISTAKE)]);
    let concise = contains("a.py:5:5: AF201 ");
    asyncfix(&folder)
        .env("ASYNCFIX_OUTPUT_FORMAT", "concise")
        .assert()
        .stdout(concise.clone());
    asyncfix(&folder)
        .env("ASYNCFIX_OUTPUT_FORMAT", "json")
        .args(["--output-format", "concise"])
        .assert()
        .stdout(concise);
    asyncfix(&folder)
        .env("FORCE_COLOR", "1")
        .arg("--diff")
        .assert()
        .stdout(contains("\u{1b}["));
    asyncfix(&folder)
        .env("FORCE_COLOR", "1")
        .env("NO_COLOR", "1")
        .arg("--diff")
        .assert()
        .stdout(contains("\u{1b}[").not());
}

#[test]
fn codes_of_other_linters_lead_to_ours() {
    let folder = folder(&[("a.py", MISTAKE)]);
    asyncfix(&folder)
        .args(["rule", "RUF006"])
        .assert()
        .success()
        .stdout(contains("# AF801 dangling-task\n"));
    asyncfix(&folder)
        .args(["--select", "RUF006"])
        .assert()
        .code(2)
        .stderr(contains(
            "`RUF006` is a rule of another linter: use `AF801`",
        ));
}

#[test]
fn sarif_has_the_fix_the_reason_and_the_rules() {
    let folder = folder(&[("a b/ä.py", TWO)]);
    let output = asyncfix(&folder)
        .args(["--output-format", "sarif"])
        .assert()
        .code(1);
    let log: serde_json::Value =
        serde_json::from_slice(&output.get_output().stdout).expect("it is JSON");
    let run = &log["runs"][0];
    let [fixed, left] = [&run["results"][0], &run["results"][1]];
    assert_eq!(fixed["ruleId"], "AF201");
    let number = fixed["ruleIndex"].as_u64().expect("a number");
    let rule = &run["tool"]["driver"]["rules"][usize::try_from(number).expect("a small one")];
    assert_eq!(rule["id"], "AF201");
    let place = &fixed["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "a%20b/%C3%A4.py");
    assert_eq!(place["region"]["startLine"], 5);
    assert_eq!(place["region"]["startColumn"], 5);
    let replacements = fixed["fixes"][0]["artifactChanges"][0]["replacements"]
        .as_array()
        .expect("a list");
    assert!(
        replacements
            .iter()
            .any(|one| one["insertedContent"]["text"] == "import asyncio\n"),
        "{fixed}"
    );
    assert_eq!(left["fixes"][0]["properties"]["applicability"], "unsafe");
    assert!(left["properties"]["reason"].is_string(), "{left}");
}

/// A notebook as Jupyter writes it: one space, lines, characters as they are.
fn notebook(cells: &[&str]) -> String {
    let mut text = "{\n \"cells\": [\n".to_owned();
    for (cell, number) in cells.iter().zip(1..) {
        let lines: Vec<String> = cell
            .split_inclusive('\n')
            .map(|line| format!("    {}", serde_json::Value::from(line)))
            .collect();
        let end = if number == cells.len() { "" } else { "," };
        let _ = write!(
            text,
            "  {{\n   \"cell_type\": \"code\",\n   \"execution_count\": {number},\n   \"metadata\": {{}},\n   \
             \"outputs\": [{{\"text\": [\"ä\\u00e4\"]}}],\n   \"source\": [\n{}\n   ]\n  }}{end}\n",
            lines.join(",\n")
        );
    }
    text.push_str(" ],\n \"metadata\": {\"language_info\": {\"name\": \"python\"}},\n \"nbformat\": 4,\n \"nbformat_minor\": 5\n}\n");
    text
}

#[test]
fn a_notebook_without_anything_asynchronous_keeps_nobody_waiting() {
    let plain = notebook(&[
        "import os\nimport time",
        "def nap():\n    time.sleep(1)",
        "time.sleep(1)\nnap()\nos.listdir()",
    ]);
    let with_task = notebook(&[
        "import time",
        "async def nap():\n    time.sleep(1)",
        "time.sleep(1)\nawait nap()",
    ]);
    let folder = folder(&[("plain.ipynb", &plain), ("task.ipynb", &with_task)]);
    let of = |name: &str| {
        let mut command = asyncfix(&folder);
        command.args(["--output-format", "concise", "--select", "AF2", name]);
        command.assert()
    };
    of("plain.ipynb").code(0);
    of("task.ipynb")
        .code(1)
        .stdout(contains("cell 2:2:5: AF201 ").and(contains("cell 3:1:1: AF201 ")));
}

#[test]
fn the_cells_of_a_notebook_are_one_program() {
    let before = [
        "%load_ext autoreload\nimport asyncio\nimport time",
        "%%time\nasync def nap(ä):\n    files = !ls\n    time.sleep(1)\n    return files",
        "%%bash\ntime.sleep(1)",
        "asyncio.run(nap(1))",
    ];
    let after = [
        "%load_ext autoreload\nimport asyncio",
        "%%time\nasync def nap(ä):\n    files = !ls\n    await asyncio.sleep(1)\n    return files",
        "%%bash\ntime.sleep(1)",
        "await nap(1)",
    ];
    let (before, after) = (notebook(&before), notebook(&after));
    let folder = folder(&[("n.ipynb", &before)]);
    asyncfix(&folder)
        .arg("--diff")
        .assert()
        .code(1)
        .stdout(contains(
            "--- ./n.ipynb:cell 2\n+++ ./n.ipynb:cell 2\n@@ -1,5 +1,5 @@\n %%time\n",
        ));
    asyncfix(&folder)
        .args(["--output-format", "concise"])
        .assert()
        .code(1)
        .stdout(contains("n.ipynb:cell 2:4:5: AF201 ").and(contains("n.ipynb:cell 4:1:1: AF403 ")));
    asyncfix(&folder)
        .args(["--write", "-", "--stdin-filename", "n.ipynb"])
        .write_stdin(before.as_str())
        .assert()
        .code(0)
        .stdout(after.clone());
    asyncfix(&folder)
        .arg("--write")
        .assert()
        .code(0)
        .stderr(contains("n.ipynb: 1 × AF201, 1 × AF403\n"));
    // Nothing but the lines that changed.
    assert_eq!(read(&folder, "n.ipynb"), after);
    asyncfix(&folder).arg("--write").assert().code(0);
}

#[test]
fn a_notebook_that_cannot_be_read_is_left_as_it_is() {
    let broken = notebook(&["import time", "async def f(:\n    time.sleep(1)"]);
    let julia = notebook(&["x ="]).replace("python", "julia");
    let old = "{\"worksheets\": [], \"nbformat\": 3}";
    let folder = folder(&[
        ("broken.ipynb", &broken),
        ("julia.ipynb", &julia),
        ("old.ipynb", old),
        ("text.ipynb", "import time\n"),
        (".ipynb_checkpoints/broken.ipynb", &broken),
    ]);
    asyncfix(&folder).arg("--write").assert().code(2).stderr(
        contains("broken.ipynb: cell 2: line 1, column 13: syntax error: ")
            .and(contains(
                "old.ipynb: not a valid notebook: it has no `cells`",
            ))
            .and(contains("text.ipynb: not a valid notebook: "))
            .and(contains("julia").not())
            .and(contains("checkpoints").not()),
    );
    assert_eq!(read(&folder, "broken.ipynb"), broken);
    asyncfix(&folder)
        .args(["--write", "-", "--stdin-filename", "broken.ipynb"])
        .write_stdin(broken.as_str())
        .assert()
        .stdout(broken.clone());
}

#[test]
fn the_blocks_of_a_page_are_programs_of_their_own() {
    let before = include_str!("pages/pitfalls.md");
    let after = include_str!("pages/pitfalls.fixed.md");
    let folder = folder(&[("pitfalls.md", before)]);
    // In a folder, pages are looked at when that is asked for.
    asyncfix(&folder).arg("--write").assert().code(0);
    assert_eq!(read(&folder, "pitfalls.md"), before);
    let concise = ["--output-format", "concise", "--config", "markdown=true"];
    let output = asyncfix(&folder).args(concise).assert().code(1);
    let text = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
    let mut pitfalls: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split_once(" AF")?.1.get(..1))
        .collect();
    pitfalls.sort_unstable();
    assert_eq!(pitfalls, ["1", "2", "3", "4", "5", "6", "7", "8"], "{text}");
    asyncfix(&folder)
        .args(["--write", "pitfalls.md"])
        .assert()
        .code(0);
    assert_eq!(read(&folder, "pitfalls.md"), after);
    asyncfix(&folder)
        .args(["--write", "pitfalls.md"])
        .assert()
        .code(0)
        .stderr("No problems found\n");
}

#[test]
fn a_block_keeps_what_the_page_puts_before_its_lines() {
    let page = "\
* a list

  > ```py
  > import time
  >
  > async def nap():
  >     time.sleep(1)
  > ```

```
import time
```

```python
async def part(
```

```python title=\"x.py\"\r
async def nap():\r
```
";
    let rst = "\
.. code-block:: python
   :linenos:

   import time


   async def nap():
       time.sleep(1)

After::

   time.sleep(1)
";
    let folder = folder(&[("a.md", page), ("a.rst", rst)]);
    let diff = asyncfix(&folder)
        .args(["--diff", "a.md", "a.rst"])
        .assert()
        .code(1);
    let diff = String::from_utf8_lossy(&diff.get_output().stdout).into_owned();
    let changed: Vec<&str> = diff
        .lines()
        .filter(|line| line.starts_with(['-', '+']) && !line.contains(" ./"))
        .collect();
    assert_eq!(
        changed,
        [
            "-  > import time",
            "+  > import asyncio",
            "-  >     time.sleep(1)",
            "+  >     await asyncio.sleep(1)",
            "-   import time",
            "+   import asyncio",
            "-       time.sleep(1)",
            "+       await asyncio.sleep(1)",
        ]
    );
}

#[test]
fn names_that_are_made_of_each_other_are_looked_at_once() {
    let mut source =
        "import os\n\n\nasync def send(first, client):\n    a = b = c = d = first\n".to_owned();
    for number in 0..40 {
        let _ = write!(
            source,
            "    a = await client.ask{number}(a, b, c, d)\n    b, c = a.x(d), b.y(a, c, d)\n    d = f(a, b, c)\n"
        );
    }
    source.push_str("    return os.path.isfile(d.e)\n");
    let folder = folder(&[("a.py", &source)]);
    asyncfix(&folder)
        .args(["--select", "AF208"])
        .timeout(Duration::from_mins(1))
        .assert()
        .code(1);
}

#[test]
fn a_file_without_a_last_line_break_gets_none() {
    let body = "    connection = await asyncpg.connect(dsn)\n    await connection.execute(\"x\")\n    await connection.close()";
    let source = format!("import asyncpg\n\n\nasync def rename(dsn):\n{body}");
    for end in ["", "  # at last"] {
        let folder = folder(&[("a.py", &format!("{source}{end}"))]);
        asyncfix(&folder).arg("--write").assert().code(0);
        let text = read(&folder, "a.py");
        assert!(text.contains("finally:"), "{text}");
        assert!(!text.ends_with('\n'), "{text:?}");
    }
}

/// Runs git in a folder, for tests of what it knows.
fn git(folder: &TempDir, arguments: &[&str]) {
    let status = Process::new("git")
        .current_dir(folder.path())
        .args(["-c", "user.name=Test", "-c", "user.email=test@example.org"])
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("git is there");
    assert!(status.success(), "git {arguments:?}");
}

/// The command, with git on its path.
fn asyncfix_with_git(folder: &TempDir) -> Command {
    let mut command = asyncfix(folder);
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

#[test]
fn only_what_was_changed_since_a_revision_is_looked_at() {
    let old =
        "import time\n\n\nasync def old():\n    time.sleep(1)\n\n\nasync def later():\n    pass\n";
    let folder = folder(&[("a.py", old), ("b.py", MISTAKE), ("sub/c.py", MISTAKE)]);
    git(&folder, &["init", "-b", "main"]);
    git(&folder, &["add", "."]);
    git(&folder, &["commit", "-m", "old"]);
    git(&folder, &["switch", "-c", "work"]);
    let new = old.replace("    pass\n", "    time.sleep(2)\n");
    write(folder.path(), "a.py", new.as_bytes());
    write(folder.path(), "sub/new one.py", MISTAKE.as_bytes());
    asyncfix_with_git(&folder)
        .args(["--since", "main", "--output-format", "concise"])
        .assert()
        .code(1)
        .stdout(
            contains("a.py:9:5: AF201")
                .and(contains("new one.py:5:5: AF201"))
                .and(contains("a.py:5:5").not()),
        );
    asyncfix_with_git(&folder)
        .args(["--since", "main", "--write"])
        .assert()
        .code(0);
    // The import that is still used stays, and the line that was not changed.
    let fixed = new
        .replace("import time\n", "import asyncio\nimport time\n")
        .replace("    time.sleep(2)", "    await asyncio.sleep(2)");
    assert_eq!(read(&folder, "a.py"), fixed);
    assert_eq!(read(&folder, "b.py"), MISTAKE);
    assert_eq!(read(&folder, "sub/new one.py"), FIXED);
    asyncfix_with_git(&folder)
        .args(["--since", "nowhere"])
        .assert()
        .code(2)
        .stderr("error: --since nowhere: git doesn't know the revision `nowhere`\n");
}

#[test]
fn a_file_with_changes_that_are_not_committed_is_not_written_where_that_was_asked() {
    let folder = folder(&[("a.py", MISTAKE), ("b.py", MISTAKE)]);
    asyncfix_with_git(&folder)
        .args(["--write", "--require-clean"])
        .assert()
        .code(2)
        .stderr(contains("nothing was written"));
    git(&folder, &["init", "-b", "main"]);
    git(&folder, &["add", "a.py"]);
    git(&folder, &["commit", "-m", "one"]);
    asyncfix_with_git(&folder)
        .args(["--write", "--require-clean"])
        .assert()
        .code(2)
        .stderr(contains("b.py").and(contains("a.py").not()));
    assert_eq!(read(&folder, "a.py"), MISTAKE);
    git(&folder, &["add", "b.py"]);
    git(&folder, &["commit", "-m", "two"]);
    asyncfix_with_git(&folder)
        .args(["--write", "--require-clean"])
        .assert()
        .code(0);
    assert_eq!(read(&folder, "a.py"), FIXED);
}

#[test]
fn what_a_baseline_knows_does_not_count_and_what_is_gone_is_said() {
    let two = "import time\n\n\nasync def nap():\n    time.sleep(1)\n    time.sleep(2)\n";
    let folder = folder(&[("src/a.py", two), ("b.py", MISTAKE)]);
    let run = |arguments: &[&str]| {
        let mut command = asyncfix(&folder);
        command.args(arguments).args(["--baseline", "known.json"]);
        command.args(["--output-format", "concise"]);
        command.assert()
    };
    run(&[])
        .code(2)
        .stderr("error: known.json: baseline not found; make it with --update-baseline\n");
    run(&["--update-baseline"])
        .code(0)
        .stderr(contains("Baseline: 3 known problems"));
    run(&[]).code(0).stdout("");
    // One more: all of the rule in that file are shown, because nothing tells which one is new.
    write(
        folder.path(),
        "src/a.py",
        format!("{two}    time.sleep(3)\n").as_bytes(),
    );
    run(&[]).code(1).stdout(
        contains("src/a.py:5:5")
            .and(contains("src/a.py:7:5"))
            .and(contains("b.py").not()),
    );
    // Fewer, and a file that is gone.
    write(folder.path(), "src/a.py", MISTAKE.as_bytes());
    fs::remove_file(folder.path().join("b.py")).expect("it is there");
    run(&[]).code(0).stderr(
        contains("src/a.py: 1 × AF201 less than in the baseline; run with --update-baseline").and(
            contains("b.py: 1 × AF201 less than in the baseline, and the file is gone"),
        ),
    );
    run(&["--update-baseline"])
        .code(0)
        .stderr(contains("Baseline: 1 known problem\n"));
    write(folder.path(), "known.json", b"{\n  \"version\": 1,\n");
    run(&[])
        .code(2)
        .stderr(contains("known.json:3:0: not a baseline of asyncfix"));
}

#[test]
fn each_fix_is_made_or_left_as_somebody_says() {
    let source = "import asyncio\nimport time\n\n\nasync def one():\n    time.sleep(1)\n    time.sleep(2)\n    time.sleep(3)\n    asyncio.create_task(one())\n";
    let with = |answers: &str| {
        let folder = folder(&[("a.py", source)]);
        let assert = asyncfix(&folder)
            .args(["--interactive", "a.py"])
            .write_stdin(answers)
            .assert();
        let questions = String::from_utf8_lossy(&assert.get_output().stderr)
            .matches("Make this fix")
            .count();
        (read(&folder, "a.py"), questions)
    };
    let fixed = |seconds: &str| {
        (
            format!("    time.sleep({seconds})"),
            format!("    await asyncio.sleep({seconds})"),
        )
    };
    let replace = |text: &str, seconds: &str| {
        let (old, new) = fixed(seconds);
        text.replace(&old, &new)
    };
    assert_eq!(with(""), (source.to_owned(), 1));
    assert_eq!(with("n\nn\nn\nn\n"), (source.to_owned(), 4));
    assert_eq!(with("n\ny\nq\n"), (replace(source, "2"), 3));
    let all = ["1", "2", "3"]
        .into_iter()
        .fold(source.to_owned(), |text, seconds| replace(&text, seconds));
    assert_eq!(with("?\na\nn\n"), (all.replace("import time\n", ""), 3));
}

#[test]
fn json_says_what_was_written_and_what_is_left() {
    let folder = folder(&[(
        "a.py",
        "import time\n\n\nasync def nap():\n    time.sleep(1)\n    input()\n",
    )]);
    let assert = asyncfix(&folder)
        .args(["--write", "--output-format", "json"])
        .assert()
        .code(1);
    let shown: serde_json::Value =
        serde_json::from_slice(&assert.get_output().stdout).expect("JSON");
    let told: Vec<(&str, bool, i64)> = shown
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| {
            let row = one["location"]["row"].as_i64().expect("a line");
            (
                one["code"].as_str().expect("a code"),
                one["fixed"] == true,
                row,
            )
        })
        .collect();
    assert_eq!(told, [("AF205", false, 6), ("AF201", true, 5)]);
    assert_eq!(shown[0]["filename"], "a.py");
    assert_eq!(shown[1]["filename"], "a.py");
    let url = shown[0]["url"].as_str().expect("an address");
    assert!(url.ends_with("/rules/AF205/"), "{url}");
}

#[test]
fn suppressions_are_added_and_hold() {
    let source = "import time\n\n\nasync def nap():\n    time.sleep(1)  # noqa: E501\n    time.sleep(\n        2\n    )  # asyncfix: ignore[AF801]\n";
    let folder = folder(&[("a.py", source)]);
    asyncfix(&folder)
        .args(["--add-ignore", "--ignore", "AF001"])
        .assert()
        .code(0)
        .stderr(ends_with("Suppressed 2 problems in 1 file\n"));
    let expected = source
        .replace("E501\n", "E501  # asyncfix: ignore[AF201]\n")
        .replace(
            "    time.sleep(\n",
            "    time.sleep(  # asyncfix: ignore[AF201]\n",
        );
    assert_eq!(read(&folder, "a.py"), expected);
    asyncfix(&folder)
        .args(["--ignore", "AF001"])
        .assert()
        .code(0)
        .stdout("");
    asyncfix(&folder)
        .args(["--add-ignore", "--diff"])
        .assert()
        .code(2);
}

#[test]
fn records_are_answered_in_order_and_a_bad_one_stops_nothing() {
    let folder = folder(&[
        ("shop/pyproject.toml", "[project]\nname = \"shop\"\n"),
        ("shop/store.py", "async def load(key):\n    return key\n"),
    ]);
    let call = "from store import load\n\n\nasync def main():\n    load(1)\n";
    let project = folder.path().join("shop");
    let records = [
        serde_json::json!({"path": "a.py", "source": MISTAKE}).to_string(),
        "{\"path\": \"b.py\"".to_owned(),
        serde_json::json!({"path": "c.py"}).to_string(),
        String::new(),
        serde_json::json!({"path": "d.py", "source": "def (:\n"}).to_string(),
        serde_json::json!({"path": "main.py", "source": call}).to_string(),
        serde_json::json!({"path": "main.py", "source": call, "project": project}).to_string(),
        serde_json::json!({"path": "../../x/e.ipynb", "source": "{\"cells\": []}"}).to_string(),
    ];
    let assert = asyncfix(&folder)
        .arg("batch")
        .write_stdin(records.join("\n"))
        .assert()
        .code(2);
    let output = String::from_utf8(assert.get_output().stdout.clone()).expect("UTF-8");
    let answers: Vec<serde_json::Value> = output
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(answers.len(), 7, "{output}");
    assert_eq!(answers[0]["source"], FIXED);
    assert_eq!(answers[0]["fixed"][0]["code"], "AF201");
    assert!(
        answers[1]["error"]
            .as_str()
            .is_some_and(|error| error.contains("not a record"))
    );
    assert_eq!(answers[2]["path"], "c.py");
    assert!(
        answers[2]["error"]
            .as_str()
            .is_some_and(|error| error.contains("missing field `source`"))
    );
    assert!(
        answers[3]["error"]
            .as_str()
            .is_some_and(|error| error.contains("d.py:1:5: syntax error"))
    );
    assert_eq!(answers[4]["source"], call);
    assert_eq!(
        answers[5]["source"],
        call.replace("    load", "    await load")
    );
    assert_eq!(answers[6]["error"], serde_json::Value::Null);
}

#[test]
fn cells_of_a_script_that_awaits_run_in_a_loop() {
    // Elsewhere, what awaits at the top is the program, and its tasks end with it.
    let source = "# %%\nimport asyncio\n\n# %%\nasync def work():\n    await asyncio.sleep(1)\n\n\n# %%\nasyncio.create_task(work())\n\n# %%\nawait work()\n";
    let folder = folder(&[
        ("cells.py", source),
        ("plain.py", &source.replace("# %%\n", "")),
    ]);
    let _ = asyncfix(&folder).arg("--write").assert();
    let cells = read(&folder, "cells.py");
    assert_ne!(
        cells.replace("# %%\n", ""),
        read(&folder, "plain.py"),
        "{cells}"
    );
}

#[test]
fn words_of_other_linters_get_a_hint() {
    let folder = folder(&[("a.py", MISTAKE)]);
    asyncfix(&folder)
        .args(["check", "a.py"])
        .assert()
        .code(2)
        .stderr(contains(
            "check: file not found; files and folders are named alone",
        ));
    asyncfix(&folder)
        .arg("--fix")
        .assert()
        .code(2)
        .stderr("error: --fix is called --write here; --diff shows what it would change\n");
    asyncfix(&folder)
        .arg("gone.py")
        .assert()
        .code(2)
        .stderr("error: gone.py: file not found\n");
}

#[test]
fn stubs_of_a_package_do_not_make_it_the_projects_own() {
    let main = "import requests\n\n\ndef load(url):\n    return requests.get(url).content\n\n\nasync def main():\n    return load(\"a\")\n";
    let folder = folder(&[
        ("pyproject.toml", "[project]\nname = \"app\"\n"),
        (
            "typings/requests/__init__.pyi",
            "def get(url: str) -> Response: ...\nclass Response:\n    content: bytes\n",
        ),
        ("app.py", main),
    ]);
    asyncfix(&folder)
        .args(["--output-format", "concise"])
        .assert()
        .code(1)
        .stdout(contains("app.py:9:12: AF206"));
}

/// The type engine knows nothing of what is only written, and must not be asked.
#[test]
fn attributes_that_are_only_written_are_no_obstacle() {
    let listed = "import asyncio\n\n\nclass Manager:\n    async def update(self, names, paths):\n        self.drives = {name: await new(name) for name in names}\n        await asyncio.gather(*[self.drives[path].update() for path in paths])\n";
    let opened = "import aiohttp\n\n\nasync def main():\n    answer = await aiohttp.ClientSession().ws_connect(\"http://test.org\")\n    answer.note = True\n";
    let folder = folder(&[("listed.py", listed), ("opened.py", opened)]);
    asyncfix(&folder)
        .args(["--diff", "--unsafe-fixes", "."])
        .assert()
        .stderr(contains("internal error").not());
}

#[test]
fn a_project_has_a_cache_and_other_folders_have_none() {
    let project = folder(&[("pyproject.toml", ""), ("a.py", MISTAKE)]);
    let cache = project.path().join(".asyncfix_cache");
    asyncfix(&project).arg("--no-cache").assert().code(1);
    asyncfix(&project)
        .env("ASYNCFIX_NO_CACHE", "1")
        .assert()
        .code(1);
    assert!(!cache.exists());
    asyncfix(&project).assert().code(1);
    assert!(cache.join("CACHEDIR.TAG").is_file());
    // What was found before is shown in the same words.
    for _ in 0..2 {
        asyncfix(&project)
            .args(["--output-format", "concise"])
            .assert()
            .stdout("a.py:5:5: AF201 [*] `time.sleep` blocks the event loop\n");
    }
    asyncfix(&project).arg("--write").assert().code(0);
    assert_eq!(read(&project, "a.py"), FIXED);
    asyncfix(&project).arg("--write").assert().code(0);
    asyncfix(&project)
        .arg("clean")
        .assert()
        .code(0)
        .stderr(contains("Removed"));
    assert!(!cache.exists());
    asyncfix(&project)
        .arg("clean")
        .assert()
        .code(0)
        .stderr("No cache found\n");

    let alone = folder(&[("a.py", MISTAKE)]);
    asyncfix(&alone).assert().code(1);
    assert_eq!(fs::read_dir(alone.path()).expect("a folder").count(), 1);
    asyncfix(&alone)
        .args(["--cache-dir", "kept"])
        .assert()
        .code(1);
    assert!(alone.path().join("kept/.gitignore").is_file());
}

#[test]
#[cfg(unix)]
fn a_link_in_the_place_of_the_cache_is_not_followed() {
    let elsewhere = folder(&[("a.txt", "")]);
    let project = folder(&[("pyproject.toml", ""), ("a.py", MISTAKE)]);
    let link = project.path().join(".asyncfix_cache");
    std::os::unix::fs::symlink(elsewhere.path(), link).expect("a link");
    asyncfix(&project).assert().code(1);
    asyncfix(&project).arg("clean").assert().code(0);
    assert_eq!(fs::read_dir(elsewhere.path()).expect("a folder").count(), 1);
}
