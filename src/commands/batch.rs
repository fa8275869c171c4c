//! `asyncfix batch`: sources in JSON lines, for engines that spread work over many machines.
//!
//! Each line of standard input is a record with `path` and `source`, and maybe `project`, a folder that the path is in.
//! For each, one line is written, in order, with what was found, what was fixed, and the fixed source. What is wrong with
//! one record is said in its line, and the others go on. Memory does not grow with the number of records.

use std::io::{self, BufRead, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rayon::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use super::check::start_threads;
use super::{CLEAN, ERROR, Stop, working_folder};
use crate::args::{ConfigArgs, overrides};
use crate::output::report;
use asyncfix_engine::choose::Plan;
use asyncfix_engine::config::Resolver;
use asyncfix_engine::config::output_format::OutputFormat;
use asyncfix_engine::discovery::{self, Found};
use asyncfix_engine::panics;
use asyncfix_engine::run::{self, Input, Knowledge, Mode, Outcome, Request};

/// How many records are worked on before any of them is written.
const AT_ONCE: usize = 64;

/// How many records share what was learned of the standard library. It is kept together with what was learned of each of
/// them, and grows.
const RECORDS_OF_ONE_DATABASE: usize = 200;

#[derive(Deserialize)]
struct Record {
    path: String,
    source: String,
    project: Option<PathBuf>,
}

/// What earlier records have learned, for whichever thread takes it next.
#[derive(Default)]
struct Learned(Mutex<Vec<(Knowledge, usize)>>);

impl Learned {
    fn take(&self) -> (Option<Knowledge>, usize) {
        let found = self.0.lock().ok().and_then(|mut learned| learned.pop());
        match found {
            Some((knowledge, uses)) if uses < RECORDS_OF_ONE_DATABASE => (Some(knowledge), uses),
            _ => (None, 0),
        }
    }

    fn give_back(&self, knowledge: Option<Knowledge>, uses: usize) {
        if let (Some(knowledge), Ok(mut learned)) = (knowledge, self.0.lock()) {
            learned.push((knowledge, uses + 1));
        }
    }
}

struct Batch {
    /// A folder with nothing in it, where records without a project seem to be.
    nowhere: PathBuf,
    /// By what the records are judged that are nowhere.
    alone: Resolver,
    /// By what those in projects are.
    resolver: Resolver,
    learned: Learned,
}

pub(super) fn run(options: &ConfigArgs, jobs: Option<usize>) -> Result<u8, Stop> {
    start_threads(jobs)?;
    let cwd = working_folder()?;
    let folder = tempfile::tempdir()?;
    // Whatever is around the folder has nothing to do with the records.
    std::fs::create_dir(folder.path().join(".git"))?;
    let batch = Batch {
        nowhere: folder.path().canonicalize()?,
        alone: Resolver::new(overrides(options), &cwd)?.fixed_to(&cwd)?,
        resolver: Resolver::new(overrides(options), &cwd)?,
        learned: Learned::default(),
    };
    let mut lines = io::stdin().lock().split(b'\n');
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut failed = false;
    loop {
        let taken: Vec<Vec<u8>> = lines.by_ref().take(AT_ONCE).collect::<Result<_, _>>()?;
        if taken.is_empty() {
            break;
        }
        let answers: Vec<Option<Value>> = taken
            .into_par_iter()
            .map(|line| batch.line(&line))
            .collect();
        for answer in answers.into_iter().flatten() {
            failed |= answer.get("error").is_some_and(|error| !error.is_null());
            writeln!(out, "{answer}")?;
        }
        out.flush()?;
    }
    Ok(if failed { ERROR } else { CLEAN })
}

impl Batch {
    /// The answer to a line; nothing for an empty one.
    fn line(&self, line: &[u8]) -> Option<Value> {
        if line.trim_ascii().is_empty() {
            return None;
        }
        let record: Record = match serde_json::from_slice(line) {
            Ok(record) => record,
            Err(error) => {
                // Who reads the answers has to know which record it was.
                let path = serde_json::from_slice::<Value>(line).ok();
                let path = path.and_then(|record| record.get("path").cloned());
                return Some(failure(&json!(path), &format!("not a record: {error}")));
            }
        };
        let attempt = catch_unwind(AssertUnwindSafe(|| self.record(&record)));
        let answer = attempt.unwrap_or_else(|_| {
            Err(format!(
                "internal error, please report it: {}",
                panics::last_panic()
            ))
        });
        Some(answer.unwrap_or_else(|error| failure(&json!(record.path), &error)))
    }

    fn record(&self, record: &Record) -> Result<Value, String> {
        let path = Path::new(&record.path);
        let (path, resolver) = match &record.project {
            Some(project) => {
                if !project.is_dir() {
                    return Err(format!("project not found: {}", project.display()));
                }
                let path = project.join(path);
                let path = discovery::absolute(&path).map_err(|error| error.to_string())?;
                (path, &self.resolver)
            }
            None => (self.nowhere.join(inside(path)), &self.alone),
        };
        if discovery::is_stub(&path) {
            return Ok(answer(record, None));
        }
        let found = Found {
            shown: PathBuf::from(&record.path),
            path,
            named: true,
        };
        let (earlier, uses) = self.learned.take();
        let request = Request {
            inputs: vec![Input::with_text(found, record.source.clone())],
            earlier,
            ..Request::default()
        };
        let plan = Plan::new(Mode::Fix);
        let mut outcomes =
            run::run(request, resolver, plan, &|| {}).map_err(|error| error.to_string())?;
        self.learned.give_back(outcomes.knowledge.take(), uses);
        if !outcomes.errors.is_empty() {
            let errors = outcomes.errors.iter().map(ToString::to_string);
            return Err(errors.collect::<Vec<_>>().join("\n"));
        }
        Ok(answer(record, outcomes.files.first()))
    }
}

/// The path below a folder: without a root, and without leading out of it.
fn inside(path: &Path) -> PathBuf {
    use std::path::Component;
    let parts = path.components();
    parts
        .filter(|part| matches!(part, Component::Normal(_)))
        .collect()
}

fn answer(record: &Record, outcome: Option<&Outcome>) -> Value {
    let shown = outcome.map(|outcome| {
        report::render(
            std::slice::from_ref(outcome),
            &[],
            Path::new(""),
            report::Style {
                format: OutputFormat::Json,
                color: false,
                unsafe_fixes: outcome.unsafe_fixes,
                explain: false,
            },
        )
    });
    let findings = shown.and_then(|shown| serde_json::from_str::<Value>(&shown).ok());
    let (fixed, left): (Vec<Value>, Vec<Value>) = match findings {
        Some(Value::Array(findings)) => findings
            .into_iter()
            .partition(|finding| finding.get("fixed") == Some(&json!(true))),
        _ => (Vec::new(), Vec::new()),
    };
    let rewritten = outcome.and_then(|outcome| outcome.rewritten.as_deref());
    json!({
        "path": record.path,
        "source": rewritten.unwrap_or(&record.source),
        "changed": rewritten.is_some(),
        "fixed": fixed,
        "findings": left,
        "error": null,
    })
}

fn failure(path: &Value, error: &str) -> Value {
    json!({
        "path": path,
        "source": null,
        "changed": false,
        "fixed": [],
        "findings": [],
        "error": error,
    })
}
