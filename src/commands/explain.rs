//! `asyncfix explain app.py:12`: what is known of a line, and why something is found there, or nothing.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use asyncfix_engine::discovery;
use asyncfix_engine::session::{Cancellation, Session, SessionError};
use asyncfix_engine::source;
use ruff_source_file::{LineIndex, OneIndexed};
use ruff_text_size::TextRange;

use super::{CLEAN, Stop, working_folder};
use crate::args::{CacheArgs, ConfigArgs, overrides};
use crate::output::report;

pub(super) fn show(place: &str, options: &ConfigArgs, cache: &CacheArgs) -> Result<u8, Stop> {
    let wanted = || {
        Stop::Error(format!(
            "`{place}` is no line of a file, such as `app.py:12`"
        ))
    };
    let (name, line) = place.rsplit_once(':').ok_or_else(wanted)?;
    let line: usize = line.parse().map_err(|_| wanted())?;
    let line = OneIndexed::new(line).ok_or_else(wanted)?;
    let cwd = working_folder()?;
    let path = discovery::absolute(Path::new(name))?;
    let mut session = Session::new(overrides(options), &cwd)?.with_cache(cache.place());
    let failed = |error| stop(name, error);
    let checked = session.check(&path, false, &Cancellation::default());
    let checked = checked.map_err(failed)?;
    if let [complaint, ..] = checked.complaints.as_slice() {
        return Err(Stop::Error(complaint.clone()));
    }
    if checked.cells.is_some() {
        return Err(Stop::Error(format!(
            "`{name}` is a notebook: give a line of a Python file"
        )));
    }
    // Nothing is kept of the text of a file in which no rule has anything to do.
    let text = if checked.text.is_empty() {
        source::read(&path)
            .map_err(|error| Stop::Error(format!("{name}: {error}")))?
            .text
    } else {
        Arc::clone(&checked.text)
    };
    let index = LineIndex::from_source_text(&text);
    // A line break ends a line, and begins none.
    let lines = index.line_count() - usize::from(text.ends_with(['\n', '\r']));
    if line.get() > lines {
        return Err(Stop::Error(format!(
            "{name} has {lines} lines, and no line {line}"
        )));
    }
    let range = TextRange::new(index.line_start(line, &text), index.line_end(line, &text));
    let mut out = io::stdout().lock();
    let findings = checked.findings.iter();
    let mut is_silent = true;
    for finding in findings.filter(|finding| index.line_index(finding.range.start()) == line) {
        is_silent = false;
        writeln!(out, "{} {}", finding.rule.code, finding.message)?;
        if let Some(reason) = report::reason(finding) {
            writeln!(out, "  {reason}")?;
        }
    }
    if is_silent {
        writeln!(out, "No problems found on this line")?;
    }
    let known = session.evidence(&path, range, &Cancellation::default());
    for evidence in known.map_err(failed)? {
        writeln!(out, "- {}", evidence.fact)?;
        for assumption in &evidence.assumptions {
            writeln!(out, "  assumed: {assumption}")?;
        }
    }
    Ok(CLEAN)
}

fn stop(name: &str, error: SessionError) -> Stop {
    Stop::Error(match error {
        SessionError::Cancelled => "interrupted".to_owned(),
        SessionError::Unreadable(what) => format!("{name}: {what}"),
        SessionError::Config(what) | SessionError::Internal(what) => what,
    })
}
