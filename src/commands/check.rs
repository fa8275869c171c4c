//! The main command, `asyncfix [PATHS]`: checks files, folders or standard input (`-`), and reports findings, prints a
//! diff (`--diff`), or rewrites the files (`--write`, `--interactive`, `--add-ignore`).

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::interactive::Asker;
use super::stdin::{Input, fix_stdin};
use super::{CLEAN, ERROR, FOUND, Stop, complain, note, working_folder};
use crate::args::{MainArgs, overrides};
use crate::baseline::Baseline;
use crate::git;
use crate::output::diff;
use crate::output::report::{self, Counts};
use crate::write;
use asyncfix_engine::choose::{Choose, Plan};
use asyncfix_engine::config::Resolver;
use asyncfix_engine::config::output_format::OutputFormat;
use asyncfix_engine::discovery;
use asyncfix_engine::problem::name_of;
use asyncfix_engine::run::{self, Mode, Outcomes, Request, STACK_SIZE};

/// Runs the command, and returns the exit status: [`CLEAN`], [`FOUND`] or [`ERROR`].
pub(super) fn fix(args: &MainArgs) -> Result<u8, Stop> {
    let from_stdin = args.paths.iter().any(|path| path == Path::new("-"));
    let mut input = Input::Unread;
    let code = fix_what_is_meant(args, from_stdin, &mut input);
    // An editor replaces its buffer by our standard output, even when we fail: it must get its own text back.
    if code.is_err() && from_stdin && (args.write || args.add_ignore) {
        input.give_back()?;
    }
    code
}

/// Rejects combinations of arguments that make no sense, then checks standard input or files.
fn fix_what_is_meant(args: &MainArgs, from_stdin: bool, input: &mut Input) -> Result<u8, Stop> {
    start_threads(args.jobs)?;
    if args.fix {
        let message = "--fix is called --write here; --diff shows what it would change";
        return Err(Stop::Error(message.to_owned()));
    }
    if args.require_clean && !is_writing(args) {
        return Err(Stop::Error("--require-clean is for --write".to_owned()));
    }
    if args.diff
        && !args.verbose
        && args
            .output_format
            .is_some_and(OutputFormat::is_for_programs)
    {
        return Err(Stop::Error(
            "--diff prints a patch; use --output-format without it".to_owned(),
        ));
    }
    let cwd = working_folder()?;
    let resolver = Resolver::new(overrides(&args.config), &cwd)?;
    if from_stdin {
        if args.paths.len() > 1 {
            return Err(Stop::Error(
                "`-` (stdin) can't be combined with paths".to_owned(),
            ));
        }
        if args.interactive || args.since.is_some() || args.baseline.is_some() {
            return Err(Stop::Error(
                "--interactive, --since and --baseline are for files, not for standard input"
                    .to_owned(),
            ));
        }
        let code = fix_stdin(args, &resolver, &cwd, input);
        warn(args, &resolver);
        return code;
    }
    if args.stdin_filename.is_some() {
        return Err(Stop::Error(
            "--stdin-filename needs `-` as the path".to_owned(),
        ));
    }
    let code = fix_files(args, &resolver, &cwd);
    warn(args, &resolver);
    code
}

/// Prints the warnings that reading the configuration gave, unless `--quiet`.
fn warn(args: &MainArgs, resolver: &Resolver) {
    if !args.quiet {
        for warning in resolver.warnings() {
            note(&format!("warning: {warning}"));
        }
    }
}

/// Starts rayon's global thread pool, with `jobs` threads; `None` means one for each core.
pub(super) fn start_threads(jobs: Option<usize>) -> Result<(), Stop> {
    if jobs == Some(0) {
        return Err(Stop::Error("--jobs must be at least 1".to_owned()));
    }
    // With more threads than this a run only gets slower: they wait for each other.
    let most = 4 * std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    rayon::ThreadPoolBuilder::new()
        .num_threads(jobs.map_or(0, |jobs| jobs.min(most)))
        .stack_size(STACK_SIZE)
        .build_global()
        .map_err(|error| Stop::Error(error.to_string()))
}

/// Whether fixes are written to the files.
fn is_writing(args: &MainArgs) -> bool {
    args.write || args.interactive
}

fn fix_files(args: &MainArgs, resolver: &Resolver, cwd: &Path) -> Result<u8, Stop> {
    let baseline = match &args.baseline {
        Some(path) => Some(Baseline::read(path, args.update_baseline).map_err(Stop::Error)?),
        None => None,
    };
    let mut discovered = discovery::discover(&args.paths, resolver)?;
    hint_at_commands(args, &mut discovered.errors);
    let mut failed = !discovered.errors.is_empty();
    for error in &discovered.errors {
        complain(error);
    }
    if !args.quiet {
        for skipped in &discovered.skipped {
            note(skipped);
        }
    }
    let mut files = discovered.files.iter();
    let has_code = files.any(|found| !discovery::is_stub(&found.path));
    if !has_code && !failed && discovered.excluded > 0 {
        return Ok(CLEAN);
    }
    if !has_code && !failed && discovered.skipped.is_empty() {
        let names: Vec<String> = args
            .paths
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        note(&format!("warning: no Python files in {}", names.join(", ")));
        return Ok(CLEAN);
    }
    let mut inputs: Vec<run::Input> = discovered.files.into_iter().map(run::Input::new).collect();
    let mut folders = discovered.folders;
    if let Some(revision) = &args.since {
        inputs = changed_since(revision, inputs, cwd)?;
        // Unchanged files are no targets then. The engine still reads them as the rest of the project.
        folders.clear();
    }
    let looked_at: Vec<PathBuf> = inputs
        .iter()
        .map(|input| input.found.path.clone())
        .collect();
    let bar = progress_bar(inputs.len(), args.quiet || args.interactive);
    let request = Request {
        inputs,
        folders,
        earlier: None,
        cache: args.cache.place(),
    };
    let asks = args
        .interactive
        .then(|| Asker::new(args.color.on(io::stderr().is_terminal())));
    let plan = Plan::new(mode(args)).asking(asks.as_ref().map(|asker| asker as &dyn Choose));
    let mut outcomes = run::run(request, resolver, plan, &|| bar.inc(1))?;
    // The process is about to end: freeing the type engine's database would only cost time.
    std::mem::forget(outcomes.knowledge.take());
    bar.finish_and_clear();
    for error in &outcomes.errors {
        complain(&error.to_string());
    }
    failed |= !outcomes.errors.is_empty();
    if let Some(baseline) = baseline {
        if args.update_baseline {
            let total = baseline
                .update(&outcomes.files, &looked_at)
                .map_err(Stop::Error)?;
            note(&format!("Baseline: {total} known {}", problems(total)));
            for outcome in &mut outcomes.files {
                outcome.findings.clear();
            }
        } else {
            for line in baseline.apply(&mut outcomes.files, &looked_at) {
                note(&format!(
                    "warning: baseline: {line}; run with --update-baseline"
                ));
            }
        }
    }
    if args.require_clean {
        check_clean(&outcomes.files)?;
    }
    let mut code = CLEAN;
    let mut out = io::BufWriter::new(io::stdout().lock());
    if args.diff {
        let color = args.color.on(io::stdout().is_terminal());
        for outcome in &outcomes.files {
            if let Some(rewritten) = &outcome.rewritten {
                let diff = diff_of(outcome, rewritten, color);
                match outcome.source.encode(&diff) {
                    Ok(bytes) => out.write_all(&bytes)?,
                    Err(reason) => {
                        complain(&format!("{}: {reason}", name_of(&outcome.shown)));
                        failed = true;
                    }
                }
                code = FOUND;
            }
        }
    } else if is_writing(args) || args.add_ignore {
        for complaint in write_back(&mut outcomes.files) {
            complain(&complaint);
            failed = true;
        }
    }
    let counts = Counts::of(&outcomes);
    if counts.left > 0 && !args.diff || counts.fixed > 0 && args.exit_non_zero_on_fix {
        code = FOUND;
    }
    if args.exit_zero {
        code = CLEAN;
    }
    if !args.quiet && (is_writing(args) || args.add_ignore || args.show_fixes) {
        for line in report::fixes(&outcomes, args.show_fixes) {
            note(&line);
        }
    }
    let format = match args.output_format {
        Some(format) => Some(format),
        None => resolver.for_folder(cwd)?.output_format,
    };
    show_findings(args, format, &outcomes, cwd, &mut out)?;
    out.flush()?;
    // After an error with no result at all, "no problems found" would be misleading.
    let is_nothing_known = failed && counts == Counts::default();
    if !args.quiet && !is_nothing_known {
        note(&summary(args, counts));
    }
    Ok(if failed { ERROR } else { code })
}

/// Those of `inputs` that have changed since a git revision, each limited to its changed lines. `Err` where git does
/// not answer, as for an unknown revision.
fn changed_since(
    revision: &str,
    inputs: Vec<run::Input>,
    cwd: &Path,
) -> Result<Vec<run::Input>, Stop> {
    let known = git::changes_since(revision, cwd)
        .map_err(|error| Stop::Error(format!("--since {revision}: {error}")))?;
    let changed = inputs.into_iter().filter_map(|mut input| {
        let path = input.found.path.canonicalize().ok()?;
        let lines = known.get(&path)?;
        input.lines = lines.clone().map(Arc::new);
        let is_changed = input.lines.as_ref().is_none_or(|lines| !lines.is_empty());
        is_changed.then_some(input)
    });
    Ok(changed.collect())
}

/// For `--require-clean`: `Err` where a file that would be rewritten has uncommitted changes, which git could not
/// restore.
fn check_clean(outcomes: &[run::Outcome]) -> Result<(), Stop> {
    let written = outcomes
        .iter()
        .filter(|outcome| outcome.rewritten.is_some());
    let paths: Vec<PathBuf> = written.map(|outcome| outcome.path.clone()).collect();
    let dirty = git::not_committed(&paths)
        .map_err(|error| Stop::Error(format!("--require-clean: {error}; nothing was written")))?;
    if dirty.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = dirty
        .iter()
        .map(|path| format!("  {}", path.display()))
        .collect();
    Err(Stop::Error(format!(
        "nothing was written, because these files have changes that are not committed:\n{}",
        names.join("\n")
    )))
}

/// Adds a hint to the error about a missing file, where somebody typed a subcommand of another linter (`asyncfix
/// check`) and it was taken for a path.
fn hint_at_commands(args: &MainArgs, errors: &mut [String]) {
    let first = args.paths.first().and_then(|path| path.to_str());
    let hint = match first {
        Some("check" | "lint") => "files and folders are named alone, as in `asyncfix src`",
        Some("format" | "fix") => "to fix files, use `asyncfix --write`",
        _ => return,
    };
    if let Some(error) = errors.first_mut()
        && error.ends_with("file not found")
    {
        error.push_str("; ");
        error.push_str(hint);
    }
}

/// The unified diff of a file; for a notebook, one diff for each changed cell.
pub(super) fn diff_of(outcome: &run::Outcome, rewritten: &str, color: bool) -> String {
    let Some(sheet) = outcome.sheet.as_ref().filter(|sheet| sheet.index.is_some()) else {
        return diff::unified(&outcome.shown, &outcome.source.text, rewritten, color);
    };
    let cells = sheet
        .cells
        .iter()
        .map(|(number, old, new)| diff::unified_of_cell(&outcome.shown, *number, old, new, color));
    cells.collect()
}

/// Writes the rewritten files to disk, and returns a message for each file, or group, that could not be written.
///
/// Files with the same [`group`](run::Outcome::group) share a fix and are written together or not at all. Outcomes that
/// were not written lose their rewrite, fixes and findings, so that the summary does not count them.
fn write_back(outcomes: &mut [run::Outcome]) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut single = Vec::new();
    for (number, outcome) in outcomes.iter().enumerate() {
        if outcome.rewritten.is_some() {
            match outcome.group {
                Some(group) => groups.entry(group).or_default().push(number),
                None => single.push(vec![number]),
            }
        }
    }
    for together in single.into_iter().chain(groups.into_values()) {
        let files = together.iter().filter_map(|number| outcomes.get(*number));
        if let Err(complaint) = write_together(files) {
            complaints.push(complaint);
            for number in together {
                if let Some(outcome) = outcomes.get_mut(number) {
                    outcome.rewritten = None;
                    outcome.fixed.clear();
                    // Their ranges are offsets into the rewritten text, which was never written.
                    outcome.findings.clear();
                }
            }
        }
    }
    complaints
}

/// Writes files that share a fix. All are staged as temporary files before the first is put in place, and where one cannot
/// be, those before it get their old text back. `Err` is the message that names that file and the reason.
fn write_together<'o>(outcomes: impl Iterator<Item = &'o run::Outcome>) -> Result<(), String> {
    let mut staged = Vec::new();
    let complain = |outcome: &run::Outcome, reason: String, others: usize| {
        let shown = name_of(&outcome.shown);
        let with = match others {
            0 => String::new(),
            1 => "; nor is the file that must change with it".to_owned(),
            others => format!("; nor are the {others} files that must change with it"),
        };
        format!("{shown}: not written: {reason}{with}")
    };
    let outcomes: Vec<&run::Outcome> = outcomes.collect();
    let others = outcomes.len() - 1;
    for outcome in outcomes {
        match stage(outcome) {
            Ok(file) => staged.push((outcome, file)),
            Err(reason) => return Err(complain(outcome, reason, others)),
        }
    }
    let staged = staged
        .into_iter()
        .filter_map(|(outcome, file)| Some((outcome, file?)));
    let (outcomes, files): (Vec<_>, Vec<_>) = staged.unzip();
    write::persist_all(files).map_err(|failed| {
        let outcome = outcomes.get(failed.number);
        let complaint = outcome.map(|outcome| complain(outcome, failed.reason, others));
        let left = failed.left.into_iter().filter_map(|(number, reason)| {
            let shown = name_of(&outcomes.get(number)?.shown);
            Some(format!(
                "; {shown} was written before, and its old text can't be put back: {reason}"
            ))
        });
        complaint.into_iter().chain(left).collect()
    })
}

/// Writes the new content to a temporary file, in the encoding of the old one. `None` where the file has it already.
fn stage(outcome: &run::Outcome) -> Result<Option<write::Staged>, String> {
    let old = outcome.source.encode(&outcome.source.text)?;
    let new = outcome.rewritten.as_deref().unwrap_or(&outcome.source.text);
    let new = outcome.source.encode(new)?;
    write::Staged::new(&outcome.path, &old, &new)
}

fn problems(count: usize) -> &'static str {
    if count == 1 { "problem" } else { "problems" }
}

pub(super) fn mode(args: &MainArgs) -> Mode {
    if args.add_ignore {
        Mode::Suppress
    } else if args.diff || is_writing(args) {
        Mode::Fix
    } else {
        Mode::Report
    }
}

pub(super) fn summary(args: &MainArgs, counts: Counts) -> String {
    if args.add_ignore {
        counts.after_suppressing()
    } else if is_writing(args) || args.diff {
        counts.after_fixing(args.diff)
    } else {
        counts.after_reporting(args.config.unsafe_fixes)
    }
}

/// Prints the findings, or their numbers with `--statistics`. They go to standard output, except with `--diff`: there
/// the patch has standard output to itself, and findings go to standard error (with `--verbose` only). After `--write`,
/// these are the findings that are left.
pub(super) fn show_findings(
    args: &MainArgs,
    format: Option<OutputFormat>,
    outcomes: &Outcomes,
    cwd: &Path,
    out: &mut dyn Write,
) -> Result<(), Stop> {
    let beside_diff = args.diff;
    if args.statistics {
        let text = report::statistics(outcomes, mode(args) == Mode::Fix);
        if beside_diff {
            note(text.trim_end());
        } else {
            out.write_all(text.as_bytes())?;
        }
        return Ok(());
    }
    if beside_diff && !args.verbose {
        return Ok(());
    }
    let terminal = if beside_diff {
        io::stderr().is_terminal()
    } else {
        io::stdout().is_terminal()
    };
    let format = format.unwrap_or(if is_writing(args) && !args.verbose {
        OutputFormat::Concise
    } else {
        OutputFormat::Full
    });
    let unsafe_fixes = outcomes.files.iter().any(|outcome| outcome.unsafe_fixes);
    let text = report::render(
        &outcomes.files,
        &outcomes.errors,
        cwd,
        report::Style {
            format,
            color: args.color.on(terminal),
            unsafe_fixes,
            explain: args.explain,
        },
    );
    if beside_diff {
        note(text.trim_end());
    } else {
        out.write_all(text.as_bytes())?;
    }
    Ok(())
}

/// A progress bar on standard error. It appears once a run has lasted a second, and only on a terminal.
fn progress_bar(files: usize, quiet: bool) -> ProgressBar {
    if quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(files as u64), ProgressDrawTarget::hidden());
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} files") {
        bar.set_style(style);
    }
    let shown = bar.clone();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(1));
        if !shown.is_finished() {
            shown.set_draw_target(ProgressDrawTarget::stderr());
            shown.tick();
        }
    });
    bar
}
