//! `--interactive`: each fix is shown, and somebody says what becomes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{self, BufRead, Write};
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use asyncfix_codemods::finding::Finding;
use ruff_python_parser::parse_module;

use crate::output::diff;
use asyncfix_engine::choose::{Choice, Choose};

const HELP: &str = "y  make this fix
n  don't make it
a  make this one and all others of its rule
q  make no more fixes; what you said yes to is written
e  edit the file as it would be with this fix
?  show this";

/// Asks on standard error, and reads the answers from standard input.
pub(super) struct Asker {
    color: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Nobody wants to be asked any more.
    is_over: bool,
    /// Rules of which all fixes are made.
    rules: BTreeSet<&'static str>,
    /// What was said, by what was asked about.
    said: BTreeMap<Question, bool>,
}

/// A fix, as it is known again in the next round, when all places have moved: the file, the rule, the code, and how many
/// of the same stand before it.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Question {
    file: String,
    rule: &'static str,
    code: String,
    number: usize,
}

impl Asker {
    pub(super) fn new(color: bool) -> Self {
        Self {
            color,
            state: Mutex::default(),
        }
    }

    fn ask(&self, shown: &Path, source: &str, finding: &Finding, fixed: &str) -> Answer {
        let (code, name) = (finding.rule.code, finding.rule.name);
        let mut text = diff::unified(shown, source, fixed, self.color);
        let _ = writeln!(text, "{code} {name}: {}", finding.message);
        let elsewhere = finding.remedy.rewrite().map(|rewrite| &rewrite.elsewhere);
        for other in elsewhere.into_iter().flatten() {
            let _ = writeln!(text, "also changes {}", other.path.display());
        }
        if let Some(reason) = finding
            .remedy
            .rewrite()
            .and_then(|rewrite| rewrite.unsafe_because.as_deref())
        {
            let _ = writeln!(text, "unsafe: {reason}");
        }
        let mut error = io::stderr().lock();
        let _ = error.write_all(text.as_bytes());
        loop {
            let _ = write!(error, "Make this fix [y,n,a,q,e,?]? ");
            let _ = error.flush();
            let mut line = String::new();
            match io::stdin().lock().read_line(&mut line) {
                // Nobody is there to answer.
                Ok(0) | Err(_) => {
                    let _ = writeln!(error);
                    return Answer::Quit;
                }
                Ok(_) => {}
            }
            match line.trim().to_lowercase().as_str() {
                "y" | "yes" => return Answer::Yes,
                "n" | "no" => return Answer::No,
                "a" | "all" => return Answer::All,
                "q" | "quit" => return Answer::Quit,
                "e" | "edit" => match edited(shown, fixed) {
                    Ok(text) => return Answer::Instead(text),
                    Err(reason) => {
                        let _ = writeln!(error, "not taken: {reason}");
                    }
                },
                _ => {
                    let _ = writeln!(error, "{HELP}");
                }
            }
        }
    }
}

enum Answer {
    Yes,
    No,
    All,
    Quit,
    Instead(String),
}

impl Choose for Asker {
    fn choose(&self, shown: &Path, source: &str, finding: &Finding, fixed: &str) -> Choice {
        let Ok(mut state) = self.state.lock() else {
            return Choice::No;
        };
        let code = &source[finding.range];
        let before = &source[..finding.range.start().to_usize()];
        let question = Question {
            file: shown.to_string_lossy().into_owned(),
            rule: finding.rule.code,
            code: code.to_owned(),
            number: before.matches(code).count(),
        };
        if let Some(said) = state.said.get(&question) {
            return if *said { Choice::Yes } else { Choice::No };
        }
        if state.is_over {
            return Choice::No;
        }
        if state.rules.contains(finding.rule.code) {
            return Choice::Yes;
        }
        let said = match self.ask(shown, source, finding, fixed) {
            Answer::Yes => true,
            Answer::No => false,
            Answer::All => {
                state.rules.insert(finding.rule.code);
                true
            }
            Answer::Quit => {
                state.is_over = true;
                return Choice::No;
            }
            Answer::Instead(text) => return Choice::Instead(text),
        };
        state.said.insert(question, said);
        if said { Choice::Yes } else { Choice::No }
    }
}

/// Lets the user's editor change `text`. `Err` where there is none, or what comes back is not Python.
fn edited(shown: &Path, text: &str) -> Result<String, String> {
    let editor = ["VISUAL", "EDITOR"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .ok_or("no editor: set VISUAL or EDITOR")?;
    let name = shown.file_name().unwrap_or_default().to_string_lossy();
    let file = tempfile::Builder::new()
        .prefix("asyncfix-")
        .suffix(&format!("-{name}"))
        .tempfile()
        .map_err(|error| error.to_string())?;
    std::fs::write(file.path(), text).map_err(|error| error.to_string())?;
    // An editor with arguments, such as `code --wait`.
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or_default();
    let status = Command::new(program)
        .args(words)
        .arg(file.path())
        .status()
        .map_err(|error| format!("cannot run `{editor}`: {error}"))?;
    if !status.success() {
        return Err(format!("`{editor}` ended with {status}"));
    }
    let text = std::fs::read_to_string(file.path()).map_err(|error| error.to_string())?;
    match parse_module(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(format!("it is not valid Python: {error}")),
    }
}
