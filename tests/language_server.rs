//! The language server, spoken to as an editor does.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "a test that cannot go on must stop"
)]

use std::collections::VecDeque;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lsp_server::{Message, Notification, Request, RequestId};
use serde_json::{Value, json};
use tempfile::TempDir;
use url::Url;

const BOT: &str = r#"import asyncio
import time


async def poll(urls):
    """naïve 🐍 text, so that UTF-16 and UTF-8 columns differ"""
    s = "🐍"; time.sleep(1)
    return s


async def fetch(url):
    await asyncio.sleep(0)
    return url


async def on_message(message):
    fetch(message)
    asyncio.create_task(fetch(message))
"#;

/// Longer than anything here takes, on a machine that has much else to do.
const TIME_LIMIT: Duration = Duration::from_mins(2);

/// Ends a server that does not answer, so that a test fails where it would wait for ever.
fn end_after(limit: Duration, server: Arc<Mutex<Child>>) {
    std::thread::spawn(move || {
        std::thread::sleep(limit);
        if let Ok(mut server) = server.lock() {
            let _ = server.kill();
        }
    });
}

/// An editor with one folder open.
struct Editor {
    folder: TempDir,
    server: Arc<Mutex<Child>>,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// What the server said without being asked.
    heard: VecDeque<(String, Value)>,
    requests: i32,
    version: i32,
    capabilities: Value,
}

impl Editor {
    /// Starts the server in a folder with these files. `pulls` is whether the editor asks for diagnostics itself.
    fn start(files: &[(&str, &str)], encoding: &str, pulls: bool) -> Self {
        let folder = TempDir::new().expect("a folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, text).expect("written");
        }
        let mut server = Command::new(env!("CARGO_BIN_EXE_asyncfix"))
            .arg("server")
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let output = BufReader::new(server.stdout.take().expect("a pipe"));
        let input = server.stdin.take();
        let server = Arc::new(Mutex::new(server));
        end_after(TIME_LIMIT, Arc::clone(&server));
        let mut editor = Self {
            input,
            folder,
            server,
            output,
            heard: VecDeque::new(),
            requests: 0,
            version: 0,
            capabilities: Value::Null,
        };
        let mut text = json!({"publishDiagnostics": {"relatedInformation": true}, "codeAction": {"resolveSupport": {"properties": ["edit"]}}});
        if pulls {
            text["diagnostic"] = json!({});
        }
        let uri = editor.uri("");
        let answer = editor.ask(
            "initialize",
            json!({
                "processId": null,
                "rootUri": uri,
                "workspaceFolders": [{"uri": uri, "name": "project"}],
                "capabilities": {
                    "general": {"positionEncodings": [encoding]},
                    "workspace": {"workspaceEdit": {"documentChanges": true}},
                    "textDocument": text,
                },
            }),
        );
        editor.capabilities = answer["capabilities"].clone();
        editor.tell("initialized", json!({}));
        editor
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn uri(&self, name: &str) -> String {
        Url::from_file_path(self.path(name))
            .expect("absolute")
            .into()
    }

    fn send(&mut self, message: Message) {
        let input = self.input.as_mut().expect("open");
        message.write(input).expect("the server reads");
        input.flush().expect("the server reads");
    }

    fn tell(&mut self, method: &str, params: Value) {
        self.send(Notification::new(method.to_owned(), params).into());
    }

    /// Asks, and waits for the answer: what it holds, or the error.
    fn try_ask(&mut self, method: &str, params: Value) -> Result<Value, (i32, String)> {
        self.requests += 1;
        let id = RequestId::from(self.requests);
        self.send(Request::new(id.clone(), method.to_owned(), params).into());
        self.answer_to(&id)
    }

    fn answer_to(&mut self, id: &RequestId) -> Result<Value, (i32, String)> {
        loop {
            match Message::read(&mut self.output).expect("a message") {
                Some(Message::Response(response)) if response.id == *id => {
                    return response
                        .response_result
                        .map_err(|error| (error.code, error.message));
                }
                Some(Message::Notification(said)) => {
                    self.heard.push_back((said.method, said.params));
                }
                Some(_) => {}
                None => panic!("the server is gone"),
            }
        }
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.try_ask(method, params).expect("an answer")
    }

    /// Waits until the server says this by itself.
    fn hear(&mut self, method: &str) -> Value {
        loop {
            let place = self.heard.iter().position(|(other, _)| other == method);
            if let Some(place) = place {
                return self.heard.remove(place).expect("it is there").1;
            }
            match Message::read(&mut self.output).expect("a message") {
                Some(Message::Notification(said)) => {
                    self.heard.push_back((said.method, said.params));
                }
                Some(_) => {}
                None => panic!("the server is gone"),
            }
        }
    }

    fn open(&mut self, name: &str, text: &str) {
        self.version += 1;
        let document = json!({"uri": self.uri(name), "languageId": "python", "version": self.version, "text": text});
        self.tell("textDocument/didOpen", json!({"textDocument": document}));
    }

    fn change(&mut self, name: &str, text: &str) {
        self.version += 1;
        let params = json!({
            "textDocument": {"uri": self.uri(name), "version": self.version},
            "contentChanges": [{"text": text}],
        });
        self.tell("textDocument/didChange", params);
    }

    fn document(&self, name: &str) -> Value {
        json!({"uri": self.uri(name)})
    }

    fn diagnostics(&mut self, name: &str) -> Vec<Value> {
        let params = json!({"textDocument": self.document(name)});
        let report = self.ask("textDocument/diagnostic", params);
        report["items"].as_array().cloned().expect("items")
    }

    fn codes(&mut self, name: &str) -> Vec<String> {
        let found = self.diagnostics(name);
        let codes = found.iter().filter_map(|found| found["code"].as_str());
        codes.map(str::to_owned).collect()
    }

    fn format(&mut self, name: &str) -> Value {
        let options = json!({"tabSize": 4, "insertSpaces": true});
        let params = json!({"textDocument": self.document(name), "options": options});
        self.ask("textDocument/formatting", params)
    }

    /// The actions at a diagnostic.
    fn actions(&mut self, name: &str, found: &Value) -> Vec<Value> {
        let params = json!({
            "textDocument": self.document(name),
            "range": found["range"],
            "context": {"diagnostics": [found]},
        });
        let actions = self.ask("textDocument/codeAction", params);
        actions.as_array().cloned().expect("actions")
    }

    fn stop(mut self) {
        self.ask("shutdown", Value::Null);
        self.tell("exit", Value::Null);
        self.input = None;
        let mut server = self.server.lock().expect("nobody has failed with it");
        assert!(server.wait().expect("it ends").success());
    }
}

/// The text after some edits, with columns in UTF-16.
fn applied(text: &str, edits: &Value) -> String {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let offset = |position: &Value| {
        let line = usize::try_from(position["line"].as_u64().expect("a line")).expect("short");
        let start: usize = lines.iter().take(line).map(|line| line.len()).sum();
        let mut left = position["character"].as_u64().expect("a column");
        let row = lines.get(line).copied().unwrap_or_default();
        let mut at = start;
        for character in row.chars() {
            if left == 0 {
                break;
            }
            left -= character.len_utf16() as u64;
            at += character.len_utf8();
        }
        at
    };
    let mut edits: Vec<(usize, usize, &str)> = edits
        .as_array()
        .expect("edits")
        .iter()
        .map(|edit| {
            let new = edit["newText"].as_str().expect("a text");
            let range = &edit["range"];
            (offset(&range["start"]), offset(&range["end"]), new)
        })
        .collect();
    edits.sort_by_key(|(start, end, _)| (*start, *end));
    let mut text = text.to_owned();
    for (start, end, new) in edits.into_iter().rev() {
        text.replace_range(start..end, new);
    }
    text
}

/// What `asyncfix --write -` makes of a text.
fn written(folder: &Path, name: &str, text: &str) -> String {
    let output = assert_cmd::Command::new(env!("CARGO_BIN_EXE_asyncfix"))
        .args(["--write", "-", "--stdin-filename", name])
        .current_dir(folder)
        .write_stdin(text)
        .output()
        .expect("it runs");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn finds_and_fixes_what_the_command_line_does() {
    let mut editor = Editor::start(&[("bot.py", BOT)], "utf-16", true);
    assert_eq!(editor.capabilities["positionEncoding"], "utf-16");
    editor.open("bot.py", BOT);
    let found = editor.diagnostics("bot.py");
    let codes: Vec<_> = found.iter().map(|found| &found["code"]).collect();
    assert_eq!(codes, ["AF201", "AF101", "AF801"]);
    // Behind the snake, which counts two.
    assert_eq!(
        found[0]["range"],
        json!({"start": {"line": 6, "character": 14}, "end": {"line": 6, "character": 27}})
    );
    let href = found[0]["codeDescription"]["href"].as_str();
    assert!(href.is_some_and(|href| href.ends_with("/rules/AF201/")));
    let edits = editor.format("bot.py");
    let fixed = applied(BOT, &edits);
    assert_eq!(fixed, written(editor.folder.path(), "bot.py", BOT));
    editor.change("bot.py", &fixed);
    assert_eq!(editor.format("bot.py"), Value::Null);
    assert!(editor.diagnostics("bot.py").is_empty());
    editor.stop();
}

#[test]
fn offers_fixes_and_comments() {
    let mut editor = Editor::start(&[("bot.py", BOT)], "utf-16", true);
    editor.open("bot.py", BOT);
    let found = editor.diagnostics("bot.py");
    let actions = editor.actions("bot.py", &found[2]);
    let titles: Vec<_> = actions
        .iter()
        .map(|action| action["title"].clone())
        .collect();
    assert_eq!(
        titles,
        [
            "Fix: Keep the task in `background_tasks` until it is done",
            "Suppress AF801 on this line",
            "Fix all safe asyncfix problems"
        ]
    );
    assert_eq!(actions[0]["isPreferred"], true);
    let own = &actions[0]["edit"]["documentChanges"][0];
    assert_eq!(own["textDocument"]["version"], 1);
    assert!(applied(BOT, &own["edits"]).contains("background_tasks.add(task)"));
    let suppressed = editor.ask("codeAction/resolve", actions[1].clone());
    let edits = &suppressed["edit"]["documentChanges"][0]["edits"];
    let text = applied(BOT, edits);
    assert!(text.ends_with("asyncio.create_task(fetch(message))  # asyncfix: ignore[AF801]\n"));
    let all = editor.ask("codeAction/resolve", actions[2].clone());
    let edits = &all["edit"]["documentChanges"][0]["edits"];
    assert_eq!(
        applied(BOT, edits),
        written(editor.folder.path(), "bot.py", BOT)
    );
    // An action of a text that is not there any more.
    editor.change("bot.py", "");
    let stale = editor.try_ask("codeAction/resolve", actions[2].clone());
    assert_eq!(stale.expect_err("an error").0, -32801);
    editor.stop();
}

#[test]
fn a_text_that_does_not_parse_is_left_alone() {
    let mut editor = Editor::start(&[("bot.py", BOT)], "utf-8", true);
    editor.open("bot.py", BOT);
    assert_eq!(editor.diagnostics("bot.py").len(), 3);
    editor.change("bot.py", &format!("{BOT}\ndef broken(:\n"));
    let params = json!({"textDocument": editor.document("bot.py")});
    // The client keeps what it shows.
    let error = editor.try_ask("textDocument/diagnostic", params);
    assert_eq!(error.expect_err("an error").0, -32802);
    assert_eq!(editor.format("bot.py"), Value::Null);
    editor.change("bot.py", BOT);
    assert_eq!(editor.diagnostics("bot.py").len(), 3);
    editor.stop();
}

#[test]
fn texts_of_other_files_count_before_they_are_saved() {
    let store = "def load():\n    return 1\n";
    let app = "from store import load\n\n\nasync def main():\n    load()\n";
    let files = [("store.py", store), ("app.py", app), ("pyproject.toml", "")];
    let mut editor = Editor::start(&files, "utf-8", true);
    editor.open("app.py", app);
    assert!(editor.codes("app.py").is_empty());
    editor.open("store.py", store);
    editor.change("store.py", "async def load():\n    return 1\n");
    assert_eq!(editor.codes("app.py"), ["AF101"]);
    editor.change("store.py", store);
    assert!(editor.codes("app.py").is_empty());
    // What was never saved goes with the text.
    editor.change("store.py", "async def load():\n    return 1\n");
    let params = json!({"textDocument": editor.document("store.py")});
    editor.tell("textDocument/didClose", params);
    assert!(editor.codes("app.py").is_empty());
    // And the file may change without the editor.
    std::fs::write(editor.path("store.py"), "async def load():\n    return 1\n").expect("written");
    let uri = editor.uri("store.py");
    let changes = json!({"changes": [{"uri": uri, "type": 2}]});
    editor.tell("workspace/didChangeWatchedFiles", changes);
    assert_eq!(editor.codes("app.py"), ["AF101"]);
    editor.stop();
}

#[test]
fn fixes_that_were_made_ahead_hold_for_that_state_of_the_project_alone() {
    let store = "def load():\n    return 1\n";
    let app = "from store import load\n\n\nasync def main():\n    load()\n";
    let files = [("store.py", store), ("app.py", app), ("pyproject.toml", "")];
    let mut editor = Editor::start(&files, "utf-8", true);
    editor.open("app.py", app);
    editor.open("store.py", store);
    editor.change("app.py", &format!("{app}    print(1)\n"));
    assert!(editor.codes("app.py").is_empty());
    // Time to make them: there are none.
    std::thread::sleep(Duration::from_millis(400));
    editor.change("store.py", "async def load():\n    return 1\n");
    let text = format!("{app}    print(1)\n");
    let fixed = text.replace("    load()", "    await load()");
    assert_eq!(applied(&text, &editor.format("app.py")), fixed);
    // Made ahead, and asked for twice.
    let text = format!("{app}    print(2)\n");
    let fixed = text.replace("    load()", "    await load()");
    editor.change("app.py", &text);
    std::thread::sleep(Duration::from_millis(400));
    for _ in 0..2 {
        assert_eq!(applied(&text, &editor.format("app.py")), fixed);
    }
    assert_eq!(editor.codes("app.py"), ["AF101"]);
    editor.stop();
}

#[test]
fn files_that_are_not_saved_yet_are_there() {
    let app = "from store import load\n\n\nasync def main():\n    load()\n";
    let files = [("app.py", app), ("pyproject.toml", "")];
    let mut editor = Editor::start(&files, "utf-8", true);
    editor.open("app.py", app);
    assert!(editor.codes("app.py").is_empty());
    editor.open("store.py", "async def load():\n    return 1\n");
    assert_eq!(editor.codes("app.py"), ["AF101"]);
    let params = json!({"textDocument": editor.document("store.py")});
    editor.tell("textDocument/didClose", params);
    assert!(editor.codes("app.py").is_empty());
    // This editor does not watch files: they are looked for when something is opened.
    std::fs::write(editor.path("store.py"), "async def load():\n    return 1\n").expect("written");
    let params = json!({"textDocument": editor.document("app.py")});
    editor.tell("textDocument/didSave", params.clone());
    assert_eq!(editor.codes("app.py"), ["AF101"]);
    std::fs::remove_file(editor.path("store.py")).expect("removed");
    editor.tell("textDocument/didSave", params);
    assert!(editor.codes("app.py").is_empty());
    editor.stop();
}

#[test]
fn a_file_that_appears_is_seen_on_saving() {
    let app = "from store import load\n\n\nasync def main():\n    load()\n";
    let files = [("app.py", app), ("pyproject.toml", "")];
    let mut editor = Editor::start(&files, "utf-8", true);
    editor.open("app.py", app);
    assert!(editor.codes("app.py").is_empty());
    std::fs::write(editor.path("store.py"), "async def load():\n    return 1\n").expect("written");
    let params = json!({"textDocument": editor.document("app.py")});
    editor.tell("textDocument/didSave", params);
    assert_eq!(editor.codes("app.py"), ["AF101"]);
    editor.stop();
}

#[test]
fn related_places_are_named() {
    let helper = "import time\n\n\ndef load():\n    time.sleep(1)\n\n\ndef outer():\n    load()\n";
    let app = "from helper import outer\n\n\nasync def main():\n    outer()\n";
    let files = [
        ("helper.py", helper),
        ("app.py", app),
        ("pyproject.toml", ""),
    ];
    let mut editor = Editor::start(&files, "utf-8", true);
    editor.open("app.py", app);
    let found = editor.diagnostics("app.py");
    let related: Vec<_> = found[0]["relatedInformation"]
        .as_array()
        .expect("places")
        .iter()
        .map(|place| {
            (
                place["location"]["range"]["start"]["line"].clone(),
                place["message"].clone(),
            )
        })
        .collect();
    assert_eq!(
        related,
        [
            (json!(7), json!("`outer` calls `load`")),
            (json!(3), json!("`load` calls `time.sleep`")),
        ]
    );
    editor.stop();
}

#[test]
fn a_fix_may_change_several_files() {
    let store = "import asyncio\n\n\nasync def answer():\n    return 1\n\n\ndef upper():\n    return await answer()\n";
    let app = "from store import upper\n\n\nasync def main():\n    print(upper())\n";
    let files = [("store.py", store), ("app.py", app), ("pyproject.toml", "")];
    let mut editor = Editor::start(&files, "utf-8", true);
    editor.open("store.py", store);
    let found = editor.diagnostics("store.py");
    let found = found.iter().find(|found| found["code"] == "AF401");
    let actions = editor.actions("store.py", found.expect("AF401"));
    let changes = &actions[0]["edit"]["documentChanges"];
    let files: Vec<_> = changes
        .as_array()
        .expect("changes")
        .iter()
        .map(|change| change["textDocument"].clone())
        .collect();
    assert_eq!(
        files,
        [
            json!({"uri": editor.uri("store.py"), "version": 1}),
            json!({"uri": editor.uri("app.py"), "version": null}),
        ]
    );
    // On save, this file alone may change, as it does with `asyncfix --write -`.
    assert_eq!(editor.format("store.py"), Value::Null);
    editor.stop();
}

#[test]
fn says_what_is_found_where_nobody_asks() {
    let mut editor = Editor::start(&[("bot.py", BOT)], "utf-16", false);
    assert!(editor.capabilities.get("diagnosticProvider").is_none());
    editor.open("bot.py", BOT);
    let said = editor.hear("textDocument/publishDiagnostics");
    assert_eq!(said["version"], 1);
    assert_eq!(said["diagnostics"].as_array().map(Vec::len), Some(3));
    let params = json!({"textDocument": editor.document("bot.py")});
    editor.tell("textDocument/didClose", params);
    let said = editor.hear("textDocument/publishDiagnostics");
    assert_eq!(said["diagnostics"], json!([]));
    editor.stop();
}

#[test]
fn cells_of_a_notebook_are_one_program() {
    let mut editor = Editor::start(&[], "utf-16", true);
    let uri = editor.uri("a.ipynb");
    let cell = |name: &str| format!("vscode-notebook-cell:{name}");
    let texts = [
        "import asyncio\nimport time",
        "%time x = 1\nasync def f():\n    time.sleep(1)",
        "f()",
    ];
    let names = ["one", "two", "three"];
    let cells: Vec<_> = names
        .iter()
        .map(|name| json!({"kind": 2, "document": cell(name)}))
        .collect();
    let documents: Vec<_> = names
        .iter()
        .zip(texts)
        .map(|(name, text)| json!({"uri": cell(name), "languageId": "python", "version": 1, "text": text}))
        .collect();
    editor.tell(
        "notebookDocument/didOpen",
        json!({
            "notebookDocument": {"uri": uri, "notebookType": "jupyter-notebook", "version": 1, "cells": cells},
            "cellTextDocuments": documents,
        }),
    );
    let mut found = |name: &str| {
        let report = editor.ask(
            "textDocument/diagnostic",
            json!({"textDocument": {"uri": cell(name)}}),
        );
        let items = report["items"].as_array().cloned().expect("items");
        let of_item = |item: &Value| format!("{} {}", item["code"], item["range"]["start"]);
        items.iter().map(of_item).collect::<Vec<_>>()
    };
    assert!(found("one").is_empty());
    assert_eq!(found("two"), [r#""AF201" {"character":4,"line":2}"#]);
    assert_eq!(found("three"), [r#""AF101" {"character":0,"line":0}"#]);
    let options = json!({"tabSize": 4, "insertSpaces": true});
    let document = json!({"uri": cell("three")});
    let edits = editor.ask(
        "textDocument/formatting",
        json!({"textDocument": document, "options": options}),
    );
    assert_eq!(applied("f()", &edits), "await f()");
    editor.stop();
}

#[test]
fn explains_a_code_in_a_comment() {
    let text = "import time\n\n\nasync def f():\n    time.sleep(1)  # asyncfix: ignore[AF201]\n";
    let mut editor = Editor::start(&[("a.py", text)], "utf-16", true);
    editor.open("a.py", text);
    let position = json!({"line": 4, "character": 40});
    let params = json!({"textDocument": editor.document("a.py"), "position": position});
    let hover = editor.ask("textDocument/hover", params);
    let value = hover["contents"]["value"].as_str().expect("a text");
    assert!(value.starts_with("**[AF201]("), "{value}");
    assert!(value.contains("await asyncio.sleep"), "{value}");
    editor.stop();
}

#[test]
fn what_is_wrong_in_the_settings_is_said() {
    let mut editor = Editor::start(&[("bot.py", BOT)], "utf-16", true);
    let settings = json!({"settings": {"asyncfix": {"select": ["AF2"]}}});
    editor.tell("workspace/didChangeConfiguration", settings);
    editor.open("bot.py", BOT);
    assert_eq!(editor.codes("bot.py"), ["AF201"]);
    let settings = json!({"settings": {"asyncfix": {"select": ["AF9"]}}});
    editor.tell("workspace/didChangeConfiguration", settings);
    let said = editor.hear("window/showMessage");
    let message = said["message"].as_str().expect("a text");
    assert!(message.contains("AF9"), "{message}");
    // What was set before still holds.
    assert_eq!(editor.codes("bot.py"), ["AF201"]);
    // A configuration that breaks is told of before anybody asks for problems.
    std::fs::write(editor.path("asyncfix.toml"), "select = [\n").expect("written");
    let uri = editor.uri("asyncfix.toml");
    let changes = json!({"changes": [{"uri": uri, "type": 1}]});
    editor.tell("workspace/didChangeWatchedFiles", changes);
    let said = editor.hear("window/showMessage");
    let message = said["message"].as_str().expect("a text");
    assert!(message.contains("asyncfix.toml"), "{message}");
    editor.stop();
}
