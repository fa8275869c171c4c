//! `--interactive`: each fix is shown, and somebody says what becomes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

use tempfile::NamedTempFile;

use crate::output::diff;
use asyncfix_engine::choose::{Change, Choice, Choose, Proposal};

const HELP: &str = "y  make this fix
n  don't make it
a  make this one and all others of its rule
q  make no more fixes; what you said yes to is written
e  edit what it changes, as it would be with this fix
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
    file: PathBuf,
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

    fn ask(&self, proposal: &Proposal<'_>) -> Answer {
        let finding = proposal.finding;
        let (code, name) = (finding.rule.code, finding.rule.name);
        let diffs = proposal.changes.iter();
        let mut text: String = diffs
            .map(|change| diff::unified(&change.shown, &change.old, &change.new, self.color))
            .collect();
        let _ = writeln!(text, "{code} {name}: {}", finding.message);
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
                "e" | "edit" => match edited(proposal) {
                    Ok(texts) => return Answer::Instead(texts),
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
    Instead(Vec<String>),
}

impl Choose for Asker {
    fn choose(&self, proposal: &Proposal<'_>) -> Choice {
        let (finding, source) = (proposal.finding, proposal.source);
        let Ok(mut state) = self.state.lock() else {
            return Choice::No;
        };
        let code = &source[finding.range];
        let before = &source[..finding.range.start().to_usize()];
        let question = Question {
            file: proposal.path.to_path_buf(),
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
        let said = match self.ask(proposal) {
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
            Answer::Instead(texts) => return Choice::Instead(texts),
        };
        state.said.insert(question, said);
        if said { Choice::Yes } else { Choice::No }
    }
}

/// Lets the user's editor change the texts that a fix leads to. `Err` where there is none, or what comes back cannot
/// stand there.
fn edited(proposal: &Proposal<'_>) -> Result<Vec<String>, String> {
    let editor = ["VISUAL", "EDITOR"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .ok_or("no editor: set VISUAL or EDITOR")?;
    let files = proposal.changes.iter().map(file_for);
    let files = files
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| error.to_string())?;
    // An editor with arguments, such as `code --wait`.
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or_default();
    let status = Command::new(program)
        .args(words)
        .args(files.iter().map(NamedTempFile::path))
        .status()
        .map_err(|error| format!("cannot run `{editor}`: {error}"))?;
    if !status.success() {
        return Err(format!("`{editor}` ended with {status}"));
    }
    let texts = files
        .iter()
        .map(|file| std::fs::read_to_string(file.path()));
    let texts = texts
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| error.to_string())?;
    (proposal.check)(&texts)?;
    Ok(texts)
}

/// A file with the new text of a change.
fn file_for(change: &Change) -> io::Result<NamedTempFile> {
    let name = change.shown.file_name().unwrap_or_default();
    let name = name.to_string_lossy().replace([':', ' '], "-");
    // By the end of its name an editor tells what it is.
    let is_python = std::path::Path::new(&name)
        .extension()
        .is_some_and(|end| end == "py");
    let end = if is_python { "" } else { ".py" };
    let file = tempfile::Builder::new()
        .prefix("asyncfix-")
        .suffix(&format!("-{name}{end}"))
        .tempfile()?;
    std::fs::write(file.path(), &change.new)?;
    Ok(file)
}
