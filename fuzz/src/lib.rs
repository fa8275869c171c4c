//! What must hold of any input. Each function takes the bytes of one input and panics where it does not hold.
//!
//! The fuzz targets call them with what libFuzzer makes up, and `tests/fuzzing.rs` with a few inputs of its own.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a fault is a panic here"
)]

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use asyncfix_engine::cache::Place;
use asyncfix_engine::choose::Plan;
use asyncfix_engine::config::{Overrides, Resolver};
use asyncfix_engine::discovery::Found;
use asyncfix_engine::problem::Kind;
use asyncfix_engine::run::{self, Input, Knowledge, Mode, Outcome, Outcomes, Request};
use asyncfix_engine::selection::Layer;
use lsp_server::{Connection, Message, Notification, Request as Question, RequestId, Response};
use ruff_python_ast::token::TokenKind;
use ruff_python_parser::parse_module;
use ruff_text_size::Ranged;
use serde_json::{Value, json};

/// How many runs share what they have learned. It keeps what it was told of every text.
const RUNS_OF_ONE: usize = 200;

/// A folder, and what the runs in it have learned of the standard library.
struct Bench {
    folder: tempfile::TempDir,
    learned: Option<Knowledge>,
    runs: usize,
}

thread_local! {
    static BENCH: RefCell<Option<Bench>> = const { RefCell::new(None) };
}

impl Bench {
    fn with<T>(work: impl FnOnce(&mut Self) -> T) -> T {
        BENCH.with_borrow_mut(|bench| {
            let bench = bench.get_or_insert_with(|| {
                let folder = tempfile::tempdir().expect("a temporary folder");
                // Whatever is around the folder has nothing to do with it.
                fs::create_dir(folder.path().join(".git")).expect("a folder");
                Self {
                    folder,
                    learned: None,
                    runs: 0,
                }
            });
            bench.runs += 1;
            if bench.runs.is_multiple_of(RUNS_OF_ONE) {
                bench.learned = None;
            }
            work(bench)
        })
    }

    fn root(&self) -> PathBuf {
        self.folder.path().canonicalize().expect("it is there")
    }

    /// What becomes of a file of this name with these bytes. `None` where the configuration is refused.
    fn fix(
        &mut self,
        name: &str,
        bytes: &[u8],
        config: &str,
        unsafe_fixes: bool,
    ) -> Option<Outcomes> {
        let root = self.root();
        let path = root.join(name);
        fs::write(&path, bytes).expect("a file");
        fs::write(root.join("asyncfix.toml"), config).expect("a file");
        let overrides = Overrides {
            layer: Layer {
                select: config.is_empty().then(|| vec!["ALL".to_owned()]),
                ..Layer::default()
            },
            unsafe_fixes: unsafe_fixes.then_some(true),
            ..Overrides::default()
        };
        let resolver = Resolver::new(overrides, &root).ok()?;
        let found = Found {
            shown: PathBuf::from(name),
            path: path.clone(),
            named: true,
        };
        let request = Request {
            inputs: vec![Input::new(found)],
            earlier: self.learned.take(),
            ..Request::default()
        };
        let mut outcomes = run::run(request, &resolver, Plan::new(Mode::Fix), &|| {}).ok()?;
        self.learned = outcomes.knowledge.take();
        fs::remove_file(&path).expect("it was just written");
        for problem in &outcomes.errors {
            assert!(problem.kind != Kind::Internal, "{}", problem.message);
        }
        Some(outcomes)
    }

    /// The bytes after a file was fixed, and what became of it. A second time changes nothing.
    fn fixed(
        &mut self,
        name: &str,
        bytes: &[u8],
        config: &str,
        unsafe_fixes: bool,
    ) -> Option<(Vec<u8>, Outcome)> {
        let mut outcomes = self.fix(name, bytes, config, unsafe_fixes)?;
        let outcome = outcomes.files.pop()?;
        let Some(text) = &outcome.rewritten else {
            return Some((bytes.to_vec(), outcome));
        };
        let after = outcome
            .source
            .encode(text)
            .expect("it can be encoded as it was");
        let again = self.fix(name, &after, config, unsafe_fixes);
        let again = again.and_then(|mut outcomes| outcomes.files.pop()?.rewritten);
        assert!(again.is_none(), "a second run changes it again");
        Some((after, outcome))
    }
}

/// Any bytes, as a file of each kind: nothing panics, what parsed parses, and a second run changes nothing.
pub fn bytes(data: &[u8]) {
    let Some((kind, data)) = data.split_first() else {
        return;
    };
    let name = ["main.py", "main.ipynb", "main.md", "main.rst"][usize::from(*kind) % 4];
    Bench::with(|bench| {
        if let Some((after, outcome)) = bench.fixed(name, data, "", *kind >= 128)
            && name == "main.py"
            && outcome.rewritten.is_some()
        {
            let text = outcome
                .source
                .encode(outcome.rewritten.as_deref().unwrap_or_default());
            assert_eq!(text.ok().as_deref(), Some(after.as_slice()));
            parse_module(outcome.rewritten.as_deref().unwrap_or_default()).expect("it parses");
        }
    });
}

/// Reads an input as a row of choices.
struct Choices<'d>(&'d [u8]);

impl Choices<'_> {
    fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    /// One of so many, 0 at the end of the input.
    fn one_of(&mut self, count: usize) -> usize {
        let mut number = 0;
        let mut reach = 1;
        while reach < count {
            let Some((first, rest)) = self.0.split_first() else {
                break;
            };
            self.0 = rest;
            number = number * 256 + usize::from(*first);
            reach *= 256;
        }
        number % count.max(1)
    }
}

/// The Python of the rules' pages and cases, cut into statements of modules.
fn statements() -> &'static [String] {
    static STATEMENTS: OnceLock<Vec<String>> = OnceLock::new();
    STATEMENTS.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = if root.join("codemods").is_dir() {
            root
        } else {
            root.parent().expect("the crate lies in the project")
        };
        let mut pages: Vec<PathBuf> = Vec::new();
        let mut folders = vec![root.join("codemods"), root.join("tests/cases")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder of the project") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|end| end == "md") {
                    pages.push(path);
                }
            }
        }
        pages.sort();
        let mut found = BTreeSet::new();
        for page in pages {
            let text = fs::read_to_string(page).expect("a page");
            for block in text.split("```python\n").skip(1) {
                let block = block.split("```").next().unwrap_or_default();
                let Ok(parsed) = parse_module(block) else {
                    continue;
                };
                for statement in parsed.suite() {
                    found.insert(block[statement.range()].to_owned());
                }
            }
        }
        found.into_iter().collect()
    })
}

/// What is put between statements and behind lines.
const ADDED: [&str; 8] = [
    "\n",
    "    ",
    "\t",
    "await ",
    "async ",
    "return\n",
    "if ready:\n    ",
    "try:\n    ",
];

/// A program that is put together from pieces of real ones, with a comment of its own at some lines.
fn spliced(choices: &mut Choices<'_>) -> String {
    let statements = statements();
    let mut text = String::new();
    let mut comments = 0;
    while !choices.is_over() && text.len() < 8000 {
        let piece = &statements[choices.one_of(statements.len())];
        let mut lines: Vec<String> = piece.lines().map(ToOwned::to_owned).collect();
        match choices.one_of(12) {
            0 => lines.truncate(choices.one_of(lines.len().max(1)) + 1),
            1 => {
                let at = choices.one_of(lines.len().max(1));
                let line = lines.get(at).cloned().unwrap_or_default();
                lines.insert(at, line);
            }
            2 => {
                let at = choices.one_of(lines.len().max(1));
                if let Some(line) = lines.get_mut(at) {
                    comments += 1;
                    let _ = write!(line, "  # note {comments}");
                }
            }
            3 => {
                let at = choices.one_of(lines.len().max(1));
                let indent: String = lines[at].chars().take_while(|c| *c == ' ').collect();
                comments += 1;
                lines.insert(at, format!("{indent}# note {comments}"));
            }
            4 => {
                for line in &mut lines {
                    line.insert_str(0, "    ");
                }
                lines.insert(0, "if __name__ == \"__main__\":".to_owned());
            }
            5 => {
                for line in &mut lines {
                    line.insert_str(0, "    ");
                }
                lines.insert(0, "async def around():".to_owned());
            }
            6 => {
                let at = choices.one_of(lines.len().max(1));
                let added = ADDED[choices.one_of(ADDED.len())];
                let start = lines[at].len() - lines[at].trim_start().len();
                lines[at].insert_str(start, added);
            }
            7 => {
                let at = choices.one_of(lines.len().max(1));
                lines.remove(at);
            }
            _ => {}
        }
        text.push_str(&lines.join("\n"));
        text.push('\n');
    }
    match choices.one_of(8) {
        0 => text.replace('\n', "\r\n"),
        1 => text.trim_end().to_owned(),
        2 => text.replace("    ", "\t"),
        _ => text,
    }
}

/// The comments of a program, in the order of their texts.
fn comments(text: &str) -> Vec<&str> {
    let parsed = parse_module(text).expect("it parses");
    let tokens = parsed.tokens().iter();
    let comments = tokens.filter(|token| token.kind() == TokenKind::Comment);
    let mut found: Vec<&str> = comments.map(|token| &text[token.range()]).collect();
    found.sort_unstable();
    found
}

/// Programs made of pieces of real ones: the result parses, has all comments, and a statement of the module in which
/// nothing was fixed is there as it was.
pub fn splice(data: &[u8]) {
    let mut choices = Choices(data);
    let unsafe_fixes = choices.one_of(2) == 1;
    let text = spliced(&mut choices);
    let Ok(parsed) = parse_module(&text) else {
        return;
    };
    Bench::with(|bench| {
        let Some((_, outcome)) = bench.fixed("main.py", text.as_bytes(), "", unsafe_fixes) else {
            return;
        };
        let Some(after) = &outcome.rewritten else {
            return;
        };
        let kept = comments(after);
        let mut kept = kept.iter().peekable();
        for comment in comments(&text) {
            // Comments for tools go with what they were about.
            if !comment.contains("note ") {
                continue;
            }
            while kept.next_if(|other| **other < comment).is_some() {}
            assert_eq!(kept.next(), Some(&comment), "a comment is lost");
        }
        // These change callers as well.
        if outcome
            .fixed
            .iter()
            .any(|fixed| fixed.code.starts_with("AF4"))
        {
            return;
        }
        let rows: Vec<usize> = outcome
            .fixed
            .iter()
            .filter_map(|fixed| Some(fixed.place?.0))
            .collect();
        let is_first_round = rows.len() == 1;
        for statement in parsed.suite() {
            let range = statement.range();
            let first = text[..range.start().to_usize()].matches('\n').count() + 1;
            let last = text[..range.end().to_usize()].matches('\n').count() + 1;
            let is_named = matches!(statement, ruff_python_ast::Stmt::FunctionDef(_));
            if is_first_round && is_named && !rows.iter().any(|row| (first..=last).contains(row)) {
                assert!(
                    after.contains(&text[range]),
                    "a function in which nothing was fixed is another one: {}",
                    &text[range]
                );
            }
        }
    });
}

/// A configuration, and a program whose lines have comments of any kind: it is refused or followed, and nothing panics.
/// What stands below `# asyncfix: ignore-file` is never changed.
pub fn config(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let settings = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let rest = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let mut notes = rest.split('\n');
    let program = "import asyncio\nimport time\n\n\nasync def main(jobs):\n    time.sleep(1)\n    \
                   await asyncio.gather(*jobs)\n    asyncio.create_task(jobs[0])\n";
    let mut text = String::new();
    for line in program.lines() {
        text.push_str(line);
        if let Some(note) = notes.next()
            && !line.is_empty()
        {
            text.push_str("  # ");
            text.extend(note.chars().filter(|c| !c.is_control()));
        }
        text.push('\n');
    }
    Bench::with(|bench| {
        bench.fixed("main.py", text.as_bytes(), &settings, true);
        let ignored = format!("# asyncfix: ignore-file\n{text}");
        if let Some((after, _)) = bench.fixed("main.py", ignored.as_bytes(), &settings, true) {
            assert_eq!(
                after,
                ignored.as_bytes(),
                "a file that is to be left alone is changed"
            );
        }
    });
}

/// Whatever a client sends, each question is answered once, and the server ends when it is told to.
pub fn server(data: &[u8]) {
    let mut choices = Choices(data);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path().canonicalize().expect("it is there");
    let uri = |name: &str| {
        let path = root.join(name);
        url::Url::from_file_path(path)
            .expect("an absolute path")
            .to_string()
    };
    let (client, own) = Connection::memory();
    let cwd = root.clone();
    let server = std::thread::Builder::new()
        .stack_size(run::STACK_SIZE)
        .spawn(move || asyncfix::server::serve(&own, Overrides::default(), Place::Nowhere, &cwd))
        .expect("a thread");
    let mut asked: BTreeSet<i32> = BTreeSet::new();
    let mut next = 0;
    let send = |message: Message| drop(client.sender.send(message));
    let notify = |method: &str, params: Value| {
        send(Message::Notification(Notification {
            method: method.to_owned(),
            params,
        }));
    };
    let mut ask = |method: &str, params: Value| {
        next += 1;
        asked.insert(next);
        send(Message::Request(Question {
            id: RequestId::from(next),
            method: method.to_owned(),
            params,
        }));
    };
    ask(
        "initialize",
        json!({"capabilities": {}, "rootUri": url::Url::from_file_path(&root).expect("absolute").to_string()}),
    );
    notify("initialized", json!({}));
    let names = ["a.py", "b.py", "c.ipynb", "no such.txt"];
    let mut version = 0;
    while !choices.is_over() {
        version += 1;
        let name = names[choices.one_of(names.len())];
        let document = json!({"uri": uri(name), "version": version});
        let mut position = || json!({"line": choices.one_of(40), "character": choices.one_of(60)});
        let range = json!({"start": position(), "end": position()});
        match choices.one_of(10) {
            0 => {
                let text = spliced(&mut Choices(choices.0.get(..6).unwrap_or_default()));
                let item = json!({"uri": uri(name), "languageId": "python", "version": version, "text": text});
                notify("textDocument/didOpen", json!({"textDocument": item}));
            }
            1 => notify("textDocument/didClose", json!({"textDocument": document})),
            2 | 3 => {
                let statements = statements();
                let text = &statements[choices.one_of(statements.len())];
                let change = match choices.one_of(3) {
                    0 => json!({"text": text}),
                    _ => json!({"range": range, "text": text}),
                };
                let params = json!({"textDocument": document, "contentChanges": [change]});
                notify("textDocument/didChange", params);
            }
            4 => ask("textDocument/diagnostic", json!({"textDocument": document})),
            5 => ask(
                "textDocument/codeAction",
                json!({"textDocument": document, "range": range, "context": {"diagnostics": []}}),
            ),
            6 => {
                let options = json!({"tabSize": 4, "insertSpaces": true});
                ask(
                    "textDocument/formatting",
                    json!({"textDocument": document, "options": options}),
                );
            }
            7 => ask(
                "textDocument/hover",
                json!({"textDocument": document, "position": {"line": 3, "character": choices.one_of(60)}}),
            ),
            8 => notify("$/cancelRequest", json!({"id": choices.one_of(20)})),
            _ => {
                let method = [
                    "workspace/executeCommand",
                    "textDocument/nothing",
                    "shutdown/not",
                ];
                ask(method[choices.one_of(3)], json!({"arguments": [name]}));
            }
        }
    }
    ask("shutdown", Value::Null);
    while !asked.is_empty() {
        match client.receiver.recv() {
            Ok(Message::Response(response)) => {
                let id: i32 = response.id.to_string().parse().expect("one of our numbers");
                assert!(asked.remove(&id), "an answer to no question: {id}");
            }
            // What the server asks is answered as by a client that knows nothing of it.
            Ok(Message::Request(request)) => {
                send(Message::Response(Response::new_ok(request.id, Value::Null)));
            }
            Ok(Message::Notification(_)) => {}
            Err(error) => panic!("the server is gone before it has answered {asked:?}: {error}"),
        }
    }
    notify("exit", Value::Null);
    let status = server.join().expect("the server does not panic");
    assert_eq!(status, Ok(0));
}
