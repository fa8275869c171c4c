//! What is kept from earlier runs never changes what is said: after every change of a project, a run that knows what was
//! found out before says the same as one that knows nothing.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::harness::pages::{Case, Expectation};
use crate::harness::project::Folder;
use asyncfix_engine::cache::Place;
use asyncfix_engine::run::{Mode, Outcomes};

/// Numbers that look random, the same in every run.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(self.0 >> 33).expect("31 bits") % limit
    }
}

/// How many modules of each kind there are.
const OF_EACH: usize = 4;

/// A small project: services with coroutine functions, code that uses them, and helpers that block.
fn project() -> Vec<(String, String)> {
    let mut files = vec![
        (
            "app/__init__.py".to_owned(),
            "from .base import Base\n".to_owned(),
        ),
        ("app/base.py".to_owned(), base("async def")),
    ];
    for number in 0..OF_EACH {
        files.push((
            format!("app/service{number}.py"),
            format!(
                "from {} import Base\n\n\nclass Service{number}(Base):\n    async def load(self, key: str) -> str:\n        return await self.get(key)\n",
                ["app.base", ".base", "app", "."][number]
            ),
        ));
        files.push((
            format!("app/helper{number}.py"),
            "import time\n\n\ndef wait() -> None:\n    time.sleep(1)\n".to_owned(),
        ));
        files.push((
            format!("app/use{number}.py"),
            format!(
                "import asyncio\n\nfrom app.helper{number} import wait\nfrom app.service{number} import Service{number}\n\n\nasync def run(service: Service{number}) -> None:\n    service.load(\"a\")\n    service.get(\"b\")\n    wait()\n    asyncio.create_task(service.load(\"c\"))\n\n\ndef main() -> None:\n    asyncio.run(run(Service{number}()))\n"
            ),
        ));
    }
    files
}

fn base(keyword: &str) -> String {
    format!("class Base:\n    {keyword} get(self, key: str) -> str:\n        return key\n")
}

/// One change of a project.
fn change(files: &mut Vec<(String, String)>, dice: &mut Dice) -> String {
    let number = dice.below(files.len());
    let (name, text) = &mut files[number];
    let name = name.clone();
    match dice.below(12) {
        0 => text.push_str("# A comment.\n"),
        1 => text.insert_str(0, "# A comment.\n"),
        2 => *text = text.replacen("async def load", "def load", 1),
        3 => *text = text.replacen("    def load", "    async def load", 1),
        4 => {
            let keyword = ["def", "async def"][dice.below(2)];
            files[1].1 = base(keyword);
            return format!("app/base.py: {keyword}");
        }
        5 => *text = text.replace("time.sleep(1)", "print(1)"),
        6 => *text = text.replace("print(1)", "time.sleep(1)"),
        7 => text.push_str("\n\nasync def more() -> None:\n    await more()\n    more()\n"),
        8 => *text = text.replace("service.get(\"b\")", "await service.get(\"b\")"),
        9 => *text = text.replace("await service.get(\"b\")", "service.get(\"b\")"),
        10 => {
            let extra = format!("app/extra{}.py", dice.below(3));
            if let Some(place) = files.iter().position(|(name, _)| *name == extra) {
                files.remove(place);
                return format!("{extra}: removed");
            }
            let text = "from app.base import Base\n\n\nclass Other(Base):\n    def get(self, key: str) -> str:\n        return key\n\n\nasync def other(base: Base) -> None:\n    base.get(\"a\")\n";
            files.push((extra.clone(), text.to_owned()));
            return format!("{extra}: made");
        }
        _ => {
            // Something that cannot be parsed, until it is taken out again.
            match text.strip_suffix("def (\n") {
                Some(before) => *text = before.to_owned(),
                None => text.push_str("def (\n"),
            }
        }
    }
    name
}

fn said(outcomes: &Outcomes) -> String {
    let mut said = String::new();
    for error in &outcomes.errors {
        let _ = writeln!(said, "{error}");
    }
    for outcome in &outcomes.files {
        for finding in &outcome.findings {
            let shown = outcome.shown.display();
            let _ = writeln!(said, "{shown} {finding:?}");
        }
        let _ = writeln!(said, "{:?} {:?}", outcome.fixed, outcome.rewritten);
    }
    said
}

/// The files as they are now, and nothing else.
fn write(folder: &mut Folder, files: &[(String, String)]) {
    let case = Case {
        settings: String::new(),
        others: files[1..].to_vec(),
        file: files[0].0.clone(),
        heading: String::new(),
        after: Vec::new(),
        source: String::new(),
        expectation: Expectation::Unchanged,
    };
    folder.fill(&case, &files[0].1);
}

#[test]
fn after_each_change_a_run_says_what_one_without_a_cache_says() {
    let mut folder = Folder::new();
    let cache = Place::Folder(folder.root().with_file_name("cache"));
    let mut dice = Dice(7);
    let mut files = project();
    write(&mut folder, &files);
    let mut changes: Vec<String> = Vec::new();
    for step in 0..120 {
        changes.push(change(&mut files, &mut dice));
        write(&mut folder, &files);
        let mode = match step % 3 {
            0 => Mode::Fix,
            _ => Mode::Report,
        };
        folder.cache = cache.clone();
        let with = said(&folder.run_all(None, mode, false));
        folder.cache = Place::Nowhere;
        let without = said(&folder.run_all(None, mode, false));
        assert_eq!(with, without, "after {changes:#?}");
    }
}

#[test]
fn a_damaged_file_counts_as_none() {
    let mut folder = Folder::new();
    let place = folder.root().with_file_name("cache");
    let files = project();
    write(&mut folder, &files);
    let expected = said(&folder.run_all(None, Mode::Report, false));
    folder.cache = Place::Folder(place.clone());
    let _ = folder.run_all(None, Mode::Report, false);
    let versions = fs::read_dir(&place).expect("it was made").flatten();
    let versions: Vec<PathBuf> = versions.map(|entry| entry.path()).collect();
    let version = versions.iter().find(|path| path.is_dir());
    let version = version.expect("a folder for this version");
    let file = fs::read_dir(version).expect("it is there").flatten().next();
    let file = file.expect("one file").path();
    let whole = fs::read(&file).expect("it can be read");
    let mut turned = whole.clone();
    turned[whole.len() / 2] ^= 0x40;
    for damaged in [&whole[..whole.len() / 2], &turned[..], b"", b"asyncfix"] {
        fs::write(&file, damaged).expect("it can be written");
        let actual = said(&folder.run_all(None, Mode::Report, false));
        assert_eq!(actual, expected);
        assert!(fs::read(&file).expect("it was made anew").len() > 100);
    }
}

/// What a run over a folder with a cache prints.
fn printed(folder: &std::path::Path, options: &[&str]) -> String {
    let output = command(folder, options).output().expect("it runs");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn command(folder: &std::path::Path, options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_asyncfix"));
    command
        .args(["--quiet", "--isolated", "--output-format", "concise"])
        .args(options)
        .current_dir(folder)
        .env("PATH", "")
        .env_remove("VIRTUAL_ENV")
        .env_remove("CONDA_PREFIX")
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

#[test]
fn runs_at_the_same_time_and_runs_that_are_ended_leave_a_cache_that_holds() {
    let mut folder = Folder::new();
    let mut dice = Dice(11);
    let mut files = project();
    for round in 0..6_u64 {
        change(&mut files, &mut dice);
        write(&mut folder, &files);
        let root = folder.root().to_path_buf();
        fs::write(root.join("pyproject.toml"), "").expect("it is a project now");
        let mut runs: Vec<_> = (0..4)
            .map(|_| command(&root, &[]).spawn().expect("it starts"))
            .collect();
        // At some moment of their way.
        std::thread::sleep(std::time::Duration::from_millis(25 * round));
        for run in &mut runs[..2] {
            let _ = run.kill();
        }
        for mut run in runs {
            let _ = run.wait();
        }
        let expected = printed(&root, &["--no-cache"]);
        assert!(expected.contains("AF101"), "{expected}");
        for _ in 0..2 {
            assert_eq!(printed(&root, &[]), expected, "round {round}");
        }
        assert!(root.join(".asyncfix_cache/.gitignore").is_file());
    }
}

/// Something beside the files of a run that types are read from.
struct Beside<'t> {
    name: &'t str,
    files: &'t [(&'t str, &'t str)],
    /// What is written then, and its text.
    changed: (&'t str, &'t str),
    options: &'t [&'t str],
}

#[test]
fn what_is_no_file_of_the_run_counts_as_well() {
    let call = "import asyncio\n\nfrom gen import Base\n\n\nclass Own:\n    async def load(self) -> None:\n        await asyncio.sleep(1)\n\n\nasync def main(base: Base) -> None:\n    base.load()\n    await Own().load()\n";
    let class = |keyword: &str| format!("class Base:\n    {keyword} load(self): ...\n");
    let (plain, asynchronous) = (&*class("def"), &*class("async def"));
    let all = [
        Beside {
            name: "ignored by git",
            files: &[(".gitignore", "gen.py\n"), ("gen.py", plain)],
            changed: ("gen.py", asynchronous),
            options: &[],
        },
        Beside {
            name: "a stub beside a module",
            files: &[("gen.py", asynchronous), ("gen.pyi", plain)],
            changed: ("gen.pyi", asynchronous),
            options: &[],
        },
        Beside {
            name: "a stub that appears",
            files: &[("gen.py", asynchronous)],
            changed: ("gen.pyi", plain),
            options: &[],
        },
        Beside {
            name: "excluded",
            files: &[("gen/__init__.py", plain)],
            changed: ("gen/__init__.py", asynchronous),
            options: &["--exclude", "gen"],
        },
        Beside {
            name: "a package that appears",
            files: &[(".gitignore", "gen/\n")],
            changed: ("gen/__init__.py", asynchronous),
            options: &[],
        },
    ];
    for Beside {
        name,
        files,
        changed: (changed, text),
        options,
    } in all
    {
        let folder = Folder::new();
        let root = folder.root();
        let put = |file: &str, text: &str| {
            let path = root.join(file);
            fs::create_dir_all(path.parent().expect("it is in the folder"))
                .expect("it can be made");
            fs::write(path, text).expect("it can be written");
        };
        fs::create_dir_all(root.join(".git")).expect("it can be made");
        put("pyproject.toml", "");
        put("use.py", call);
        for (file, text) in files {
            put(file, text);
        }
        let before = printed(root, options);
        assert_eq!(printed(root, options), before, "{name}");
        put(changed, text);
        let with = printed(root, options);
        let without = printed(root, &[options, &["--no-cache"]].concat());
        assert_eq!(with, without, "{name}");
        assert_ne!(with, before, "{name}");
    }
}
