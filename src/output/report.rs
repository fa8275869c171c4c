//! Findings for people and for programs, and the summary of a run.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use asyncfix_codemods::finding::{Finding, Remedy, Rewrite};
use ruff_db::diagnostic::{
    Annotation, Diagnostic, DiagnosticFormat, DiagnosticId, DisplayDiagnosticConfig,
    DisplayDiagnostics, FileResolver, Input, LintName, SecondaryCode, Severity, Span,
    SubDiagnostic, SubDiagnosticSeverity, UnifiedFile,
};
use ruff_db::files::File;
use ruff_diagnostics::Applicability;
use ruff_notebook::NotebookIndex;
use ruff_source_file::SourceFileBuilder;
use ruff_text_size::{TextRange, TextSize};
use serde_json::Value;

use super::{json, sarif};
use asyncfix_engine::config::output_format::OutputFormat;
use asyncfix_engine::problem::{Kind, Problem, name_of};
use asyncfix_engine::run::{Outcome, Outcomes};

/// How findings are shown.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// The format.
    pub format: OutputFormat,
    /// Whether there are colours.
    pub color: bool,
    /// Whether unsafe fixes are shown like safe ones.
    pub unsafe_fixes: bool,
    /// Whether the full format says what findings rely on. JSON always does.
    pub explain: bool,
}

/// Renders the findings that are left in `outcomes` and, in the formats for programs, what went wrong in files.
pub fn render(outcomes: &[Outcome], problems: &[Problem], cwd: &Path, style: Style) -> String {
    let Style {
        format,
        color,
        unsafe_fixes,
        explain,
    } = style;
    let Some(format) = format.of_ruff() else {
        return sarif::render(outcomes, problems, cwd);
    };
    let is_for_people = matches!(format, DiagnosticFormat::Full | DiagnosticFormat::Concise);
    // These have a way of their own to write any name.
    let is_for_programs_alone = matches!(
        format,
        DiagnosticFormat::Json | DiagnosticFormat::JsonLines | DiagnosticFormat::Junit
    );
    // People are told on standard error.
    let problems = if is_for_people { &[] } else { problems };
    let mut diagnostics: Vec<Diagnostic> = outcomes
        .iter()
        .flat_map(|outcome| {
            let name = if is_for_programs_alone {
                outcome.shown.to_string_lossy().into_owned()
            } else {
                name_of(&outcome.shown)
            };
            let file = SourceFileBuilder::new(&*name, outcome.text()).finish();
            outcome
                .findings
                .iter()
                .map(move |finding| {
                    let mut diagnostic = diagnostic(finding, Span::from(file.clone()), format);
                    if explain {
                        add_evidence(&mut diagnostic, finding);
                    }
                    diagnostic
                })
                .collect::<Vec<_>>()
        })
        .collect();
    diagnostics.extend(problems.iter().map(diagnostic_of_problem));
    if diagnostics.is_empty() && is_for_people {
        return String::new();
    }
    let least = if unsafe_fixes {
        Applicability::Unsafe
    } else {
        Applicability::Safe
    };
    let config = DisplayDiagnosticConfig::new("asyncfix")
        .format(format)
        .color(color)
        .prefer_rule_codes(true)
        .hide_severity(true)
        .with_show_fix_status(true)
        .with_fix_applicability(least);
    let sheets = outcomes.iter().filter_map(|outcome| {
        let index = outcome.sheet.as_ref()?.index.clone()?;
        let name = if is_for_programs_alone {
            outcome.shown.to_string_lossy().into_owned()
        } else {
            name_of(&outcome.shown)
        };
        Some((name, index))
    });
    let broken = problems.iter().filter_map(|problem| {
        let cell = problem.place?.cell?;
        let starts = serde_json::json!({"cell_starts": [{"start_row": 1, "raw_cell_index": cell}]});
        let index = serde_json::from_value(starts).ok()?;
        Some((problem.shown.to_string_lossy().into_owned(), index))
    });
    let resolver = Plain {
        cwd: cwd.to_path_buf(),
        notebooks: sheets.chain(broken).collect(),
    };
    let text = DisplayDiagnostics::new(&resolver, &config, &diagnostics).to_string();
    match format {
        DiagnosticFormat::Json => completed(&text, outcomes, cwd).unwrap_or(text),
        DiagnosticFormat::JsonLines => {
            let lines = format!("[{}]", text.trim_end().replace('\n', ","));
            completed_lines(&lines, outcomes, cwd).unwrap_or(text)
        }
        _ => text,
    }
}

/// A list of findings and problems as JSON, with what only asyncfix says about them, and with what was fixed.
fn complete(text: &str, outcomes: &[Outcome], cwd: &Path) -> Option<Vec<Value>> {
    let mut shown: Vec<Value> = serde_json::from_str(text).ok()?;
    let fixed = outcomes.iter().flat_map(|outcome| {
        let fixed = outcome.fixed.iter();
        fixed.map(|fixed| json::of_fixed(fixed, &outcome.shown))
    });
    let fixed: Vec<Value> = fixed.collect();
    let findings = outcomes.iter().flat_map(|outcome| {
        let findings = outcome.findings.iter();
        findings.map(move |finding| (finding, outcome.text()))
    });
    // Behind the findings come the problems.
    let mut each = shown.iter_mut();
    for (finding, text) in findings {
        json::complete(each.next()?, finding, text, cwd);
    }
    for shown in each {
        json::complete_problem(shown);
    }
    shown.extend(fixed);
    Some(shown)
}

fn completed(text: &str, outcomes: &[Outcome], cwd: &Path) -> Option<String> {
    let text = serde_json::to_string_pretty(&complete(text, outcomes, cwd)?).ok()?;
    Some(text + "\n")
}

fn completed_lines(text: &str, outcomes: &[Outcome], cwd: &Path) -> Option<String> {
    let shown = complete(text, outcomes, cwd)?;
    let lines = shown.iter().map(Value::to_string);
    Some(lines.flat_map(|line| [line, "\n".to_owned()]).collect())
}

fn diagnostic(finding: &Finding, span: Span, format: DiagnosticFormat) -> Diagnostic {
    let reason = reason(finding);
    // The full format has lines of its own for this; the others have the message alone.
    let message = match (&reason, format) {
        (Some(reason), format) if !matches!(format, DiagnosticFormat::Full) => {
            format!("{} ({reason})", finding.message)
        }
        _ => finding.message.clone(),
    };
    let mut diagnostic = Diagnostic::new(
        DiagnosticId::Lint(LintName::of(finding.rule.name)),
        Severity::Warning,
        message,
    );
    diagnostic.set_documentation_url(Some(finding.rule.url()));
    diagnostic.set_secondary_code(SecondaryCode::new(finding.rule.code.to_owned()));
    diagnostic.annotate(Annotation::primary(span.with_range(finding.range)));
    match &finding.remedy {
        Remedy::Rewrite(rewrite) => {
            diagnostic.set_optional_fix(rewrite.fix());
            diagnostic.help(&rewrite.title);
            if !rewrite.elsewhere.is_empty() {
                diagnostic.sub(SubDiagnostic::new(
                    SubDiagnosticSeverity::Info,
                    also(rewrite),
                ));
            }
        }
        Remedy::NotFixed(_) => {}
    }
    if let Some(reason) = reason {
        diagnostic.sub(SubDiagnostic::new(SubDiagnosticSeverity::Info, reason));
    }
    diagnostic
}

/// Says what a finding relies on.
fn add_evidence(diagnostic: &mut Diagnostic, finding: &Finding) {
    for line in evidence(finding) {
        diagnostic.sub(SubDiagnostic::new(SubDiagnosticSeverity::Info, line));
    }
}

/// What a finding relies on, line by line: functions that play a part in it, what is known of the values in it, and
/// what is assumed.
pub(crate) fn evidence(finding: &Finding) -> Vec<String> {
    let related = finding.related.iter().map(|related| {
        let name = related.path.file_name().unwrap_or_default();
        format!("{}: {}", name.to_string_lossy(), related.message)
    });
    let known = finding.evidence.iter().flat_map(|evidence| {
        let assumptions = evidence.assumptions.iter();
        let assumptions = assumptions.map(|assumption| format!("assumed: {assumption}"));
        std::iter::once(evidence.fact.clone()).chain(assumptions)
    });
    let mut lines: Vec<String> = Vec::new();
    for line in related.chain(known) {
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

fn diagnostic_of_problem(problem: &Problem) -> Diagnostic {
    let id = match problem.kind {
        Kind::InvalidSyntax => DiagnosticId::InvalidSyntax,
        Kind::Unreadable => DiagnosticId::Io,
        Kind::Internal => DiagnosticId::Lint(LintName::of(problem.kind.name())),
    };
    let mut diagnostic = Diagnostic::new(id, Severity::Error, &problem.message);
    // Nothing is known of the text but the place: this one has it.
    let before = problem.place.map(|place| {
        let lines = "\n".repeat(place.line.saturating_sub(1));
        lines + &" ".repeat(place.column.saturating_sub(1))
    });
    let end = before.as_deref().map(TextSize::of);
    let name = problem.shown.to_string_lossy();
    let file = SourceFileBuilder::new(&*name, before.unwrap_or_default()).finish();
    let span = Span::from(file).with_optional_range(end.map(TextRange::empty));
    diagnostic.annotate(Annotation::primary(span));
    diagnostic
}

/// Why a finding has no safe fix, for people.
pub(crate) fn reason(finding: &Finding) -> Option<String> {
    let reason = finding.reason()?;
    let kind = match &finding.remedy {
        Remedy::Rewrite(_) => "unsafe",
        Remedy::NotFixed(_) => "not fixed",
    };
    Some(format!("{kind}: {reason}"))
}

/// Which other files a rewrite changes, for people.
fn also(rewrite: &Rewrite) -> String {
    let names: Vec<_> = rewrite
        .elsewhere
        .iter()
        .filter_map(|elsewhere| elsewhere.path.file_name())
        .map(|name| format!("`{}`", name.to_string_lossy()))
        .collect();
    match names.as_slice() {
        [] | [_] | [_, _] | [_, _, _] => format!("also changes {}", names.join(", ")),
        [first, second, ..] => format!(
            "also changes {first}, {second} and {} other files",
            names.len() - 2
        ),
    }
}

/// Shows files under the names they were given.
struct Plain {
    cwd: PathBuf,
    /// Which lines belong to which cells, by the names of the notebooks.
    notebooks: BTreeMap<String, NotebookIndex>,
}

impl Plain {
    fn index_of(&self, file: &UnifiedFile) -> Option<&NotebookIndex> {
        match file {
            UnifiedFile::Ruff(file) => self.notebooks.get(file.name()),
            UnifiedFile::Ty(_) => None,
        }
    }
}

impl FileResolver for Plain {
    fn path(&self, _file: File) -> &str {
        unreachable!("findings are shown on their own source, not on a file of the database")
    }

    fn input(&self, _file: File) -> Input {
        unreachable!("findings are shown on their own source, not on a file of the database")
    }

    fn notebook_index(&self, file: &UnifiedFile) -> Option<NotebookIndex> {
        self.index_of(file).cloned()
    }

    fn is_notebook(&self, file: &UnifiedFile) -> bool {
        self.index_of(file).is_some()
    }

    fn current_directory(&self) -> &Path {
        &self.cwd
    }
}

/// How many findings a run fixed, and how many it left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Findings fixed.
    pub fixed: usize,
    /// Files with at least one of them.
    pub files: usize,
    /// Findings left.
    pub left: usize,
    /// Those left that a safe fix exists for.
    pub safe: usize,
    /// Those left that only an unsafe fix exists for.
    pub unsafe_: usize,
}

impl Counts {
    /// Counts the outcomes of a run.
    pub fn of(outcomes: &Outcomes) -> Self {
        let mut counts = Self::default();
        for outcome in &outcomes.files {
            counts.fixed += outcome.fixed.len();
            counts.files += usize::from(outcome.rewritten.is_some());
            counts.left += outcome.findings.len();
            for finding in &outcome.findings {
                match finding
                    .remedy
                    .rewrite()
                    .map(|rewrite| rewrite.applicability)
                {
                    Some(Applicability::Safe) => counts.safe += 1,
                    Some(Applicability::Unsafe) => counts.unsafe_ += 1,
                    _ => {}
                }
            }
        }
        counts
    }

    /// The summary of a run that fixes: `Fixed 3 problems in 2 files; 1 remains`. With `would`, nothing was written.
    pub fn after_fixing(self, would: bool) -> String {
        if self.fixed == 0 && self.left == 0 {
            return "No problems found".to_owned();
        }
        let verb = if would { "Would fix" } else { "Fixed" };
        let mut text = if self.fixed == 0 {
            let verb = if self.left == 1 { "remains" } else { "remain" };
            format!("Nothing fixed; {} {verb}", plural(self.left, "problem"))
        } else {
            let problems = plural(self.fixed, "problem");
            format!("{verb} {problems} in {}", plural(self.files, "file"))
        };
        match self.left {
            0 => {}
            _ if self.fixed == 0 => {}
            1 => text.push_str("; 1 remains"),
            left => {
                let _ = write!(text, "; {left} remain");
            }
        }
        if self.unsafe_ > 0 {
            let _ = write!(text, " ({} fixable with --unsafe-fixes)", self.unsafe_);
        }
        text
    }

    /// The summary of a run that adds suppression comments.
    pub fn after_suppressing(self) -> String {
        if self.fixed == 0 && self.left == 0 {
            return "No problems found".to_owned();
        }
        let problems = plural(self.fixed, "problem");
        let mut text = format!("Suppressed {problems} in {}", plural(self.files, "file"));
        if self.left > 0 {
            let _ = write!(text, "; {} can't be suppressed by a comment", self.left);
        }
        text
    }

    /// The summary of a run that reports.
    pub fn after_reporting(self, unsafe_fixes: bool) -> String {
        if self.left == 0 {
            return "No problems found".to_owned();
        }
        let fixable = self.safe + if unsafe_fixes { self.unsafe_ } else { 0 };
        let problems = plural(self.left, "problem");
        let fixable = if fixable == 0 {
            "none".to_owned()
        } else {
            fixable.to_string()
        };
        let mut text = format!("Found {problems}: {fixable} fixable with --write");
        if self.unsafe_ > 0 && !unsafe_fixes {
            let _ = write!(text, ", {} more with --unsafe-fixes", self.unsafe_);
        }
        text
    }
}

/// What was fixed, a line for each file: `src/crawl.py: 2 × AF201, 1 × AF801`. With `names`, each rule has a line of its
/// own below that of the file.
pub fn fixes(outcomes: &Outcomes, names: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for outcome in outcomes
        .files
        .iter()
        .filter(|file| file.rewritten.is_some())
    {
        let mut rules: BTreeMap<&str, usize> = BTreeMap::new();
        for fixed in &outcome.fixed {
            *rules.entry(fixed.code).or_default() += 1;
        }
        let shown = name_of(&outcome.shown);
        if let (true, Some(others)) = (rules.is_empty(), others_of(outcome, outcomes)) {
            lines.push(format!("{shown}: changed with {others}"));
            continue;
        }
        let counts = rules
            .iter()
            .map(|(code, count)| format!("{count} × {code}"));
        if names {
            lines.push(format!("{shown}:"));
            lines.extend(counts.zip(rules.keys()).map(|(count, code)| {
                let name = asyncfix_codemods::rule(code).map_or("", |rule| rule.name);
                format!("    {count} ({name})")
            }));
        } else {
            lines.push(format!(
                "{shown}: {}",
                counts.collect::<Vec<_>>().join(", ")
            ));
        }
    }
    lines
}

/// The files with problems that one without any was changed together with, for people.
fn others_of(outcome: &Outcome, outcomes: &Outcomes) -> Option<String> {
    let group = outcome.group?;
    let others = outcomes.files.iter();
    let others = others.filter(|other| other.group == Some(group) && !other.fixed.is_empty());
    let names: Vec<String> = others.map(|other| name_of(&other.shown)).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

fn plural(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// How often each rule was found, most frequent first: how many of that were fixed or, in a run that reports, how many
/// have a fix.
pub fn statistics(outcomes: &Outcomes, is_written: bool) -> String {
    #[derive(Default)]
    struct Row {
        fixed: usize,
        left: usize,
        safe: usize,
        not_safe: usize,
    }
    let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
    for outcome in &outcomes.files {
        for fixed in &outcome.fixed {
            rows.entry(fixed.code).or_default().fixed += 1;
        }
        for finding in &outcome.findings {
            let row = rows.entry(finding.rule.code).or_default();
            row.left += 1;
            match finding
                .remedy
                .rewrite()
                .map(|rewrite| rewrite.applicability)
            {
                Some(Applicability::Safe) => row.safe += 1,
                Some(Applicability::Unsafe) => row.not_safe += 1,
                _ => {}
            }
        }
    }
    let mut rows: Vec<_> = rows.into_iter().collect();
    rows.sort_by_key(|(code, row)| (std::cmp::Reverse(row.fixed + row.left), *code));
    let mut text = String::new();
    for (code, row) in rows {
        let name = asyncfix_codemods::rule(code).map_or("", |rule| rule.name);
        let count = row.fixed + row.left;
        let _ = if is_written {
            let (fixed, left) = (row.fixed, row.left);
            writeln!(
                text,
                "{count:>6}  {code} {name} ({fixed} fixed, {left} not fixed)"
            )
        } else {
            let more = match row.not_safe {
                0 => String::new(),
                more => format!(", {more} with --unsafe-fixes"),
            };
            let safe = row.safe;
            writeln!(text, "{count:>6}  {code} {name} ({safe} fixable{more})")
        };
    }
    text
}
