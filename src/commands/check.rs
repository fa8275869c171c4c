//! Files and folders: report, show a diff, or rewrite.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::stdin::fix_stdin;
use super::{CLEAN, ERROR, FOUND, Stop, complain, note, working_folder};
use crate::args::{MainArgs, overrides};
use crate::config::Resolver;
use crate::output::diff;
use crate::output::format::OutputFormat;
use crate::output::report::{self, Counts};
use crate::run::{self, Input, Mode, Outcomes, Request, STACK_SIZE};
use crate::{discovery, write};

pub(super) fn fix(args: &MainArgs) -> Result<u8, Stop> {
    if args.jobs == Some(0) {
        return Err(Stop::Error("--jobs must be at least 1".to_owned()));
    }
    rayon::ThreadPoolBuilder::new()
        .num_threads(args.jobs.unwrap_or(0))
        .stack_size(STACK_SIZE)
        .build_global()
        .map_err(|error| Stop::Error(error.to_string()))?;
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
    let from_stdin = args.paths.iter().any(|path| path == Path::new("-"));
    if from_stdin {
        if args.paths.len() > 1 {
            return Err(Stop::Error(
                "`-` (stdin) can't be combined with paths".to_owned(),
            ));
        }
        return fix_stdin(args, &resolver, &cwd);
    }
    if args.stdin_filename.is_some() {
        return Err(Stop::Error(
            "--stdin-filename needs `-` as the path".to_owned(),
        ));
    }
    fix_files(args, &resolver, &cwd)
}

fn fix_files(args: &MainArgs, resolver: &Resolver, cwd: &Path) -> Result<u8, Stop> {
    let discovered = discovery::discover(&args.paths, resolver)?;
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
    let inputs: Vec<Input> = discovered
        .files
        .into_iter()
        .map(|found| Input { found, text: None })
        .collect();
    let bar = progress_bar(inputs.len(), args.quiet);
    let request = Request {
        inputs,
        folders: discovered.folders,
        earlier: None,
    };
    let mut outcomes = run::run(request, resolver, mode(args), &|| bar.inc(1))?;
    // The process ends before it is worth the time to free this.
    std::mem::forget(outcomes.knowledge.take());
    bar.finish_and_clear();
    for error in &outcomes.errors {
        complain(error);
    }
    failed |= !outcomes.errors.is_empty();
    let counts = Counts::of(&outcomes);
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
                        complain(&format!("{}: {reason}", outcome.shown.display()));
                        failed = true;
                    }
                }
                code = FOUND;
            }
        }
    } else if args.write || args.add_ignore {
        for complaint in write_back(&outcomes.files) {
            complain(&complaint);
            failed = true;
        }
    }
    if counts.left > 0 && !args.diff || counts.fixed > 0 && args.exit_non_zero_on_fix {
        code = FOUND;
    }
    if args.exit_zero {
        code = CLEAN;
    }
    if !args.quiet && (args.write || args.add_ignore || args.show_fixes) {
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
    if !args.quiet {
        note(&summary(args, counts));
    }
    Ok(if failed { ERROR } else { code })
}

/// The diff of a file; of a notebook, a diff of each cell.
pub(super) fn diff_of(outcome: &run::Outcome, rewritten: &str, color: bool) -> String {
    let Some(sheet) = outcome.sheet.as_ref().filter(|sheet| sheet.index.is_some()) else {
        return diff::unified(&outcome.shown, &outcome.source.text, rewritten, color);
    };
    let cells = sheet.cells.iter().map(|(number, old, new)| {
        let mut name = outcome.shown.clone().into_os_string();
        name.push(format!(":cell {number}"));
        diff::unified(Path::new(&name), old, new, color)
    });
    cells.collect()
}

/// Writes what was rewritten, and gives the complaints about what could not be. Of files that were
/// changed together, none is written where one cannot be.
fn write_back(outcomes: &[run::Outcome]) -> Vec<String> {
    let rewritten = |outcome: &run::Outcome| outcome.rewritten.is_some();
    let mut complaints = Vec::new();
    let mut groups: BTreeMap<usize, Vec<&run::Outcome>> = BTreeMap::new();
    let mut single = Vec::new();
    for outcome in outcomes.iter().filter(|outcome| rewritten(outcome)) {
        match outcome.group {
            Some(group) => groups.entry(group).or_default().push(outcome),
            None => single.push(vec![outcome]),
        }
    }
    for together in single.into_iter().chain(groups.into_values()) {
        let mut staged = Vec::new();
        for outcome in &together {
            match stage(outcome) {
                Ok(file) => staged.push((outcome, file)),
                Err(reason) => {
                    let shown = outcome.shown.display();
                    complaints.push(format!("{shown}: not written: {reason}"));
                }
            }
        }
        if staged.len() < together.len() {
            let others = staged.iter().map(|(outcome, _)| {
                let shown = outcome.shown.display();
                format!("{shown}: not written, because a file it must change with can't be written")
            });
            complaints.extend(others);
            continue;
        }
        for (outcome, file) in staged {
            if let Err(reason) = file.persist() {
                let shown = outcome.shown.display();
                complaints.push(format!("{shown}: not written: {reason}"));
            }
        }
    }
    complaints
}

fn stage(outcome: &run::Outcome) -> Result<write::Staged, String> {
    let old = outcome.source.encode(&outcome.source.text)?;
    let new = outcome.rewritten.as_deref().unwrap_or(&outcome.source.text);
    let new = outcome.source.encode(new)?;
    write::Staged::new(&outcome.path, &old, &new)
}

pub(super) fn mode(args: &MainArgs) -> Mode {
    if args.add_ignore {
        Mode::Suppress
    } else if args.diff || args.write {
        Mode::Fix
    } else {
        Mode::Report
    }
}

pub(super) fn summary(args: &MainArgs, counts: Counts) -> String {
    if args.add_ignore {
        counts.after_suppressing()
    } else if args.write || args.diff {
        counts.after_fixing(args.diff)
    } else {
        counts.after_reporting(args.config.unsafe_fixes)
    }
}

/// Findings go to standard output, except beside a diff, which is for programs. After `--write`, these are the ones that
/// are left.
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
    let format = format.unwrap_or(if args.write && !args.verbose {
        OutputFormat::Concise
    } else {
        OutputFormat::Full
    });
    let unsafe_fixes = outcomes.files.iter().any(|outcome| outcome.unsafe_fixes);
    let text = report::render(
        &outcomes.files,
        cwd,
        format,
        args.color.on(terminal),
        unsafe_fixes,
    );
    if beside_diff {
        note(text.trim_end());
    } else {
        out.write_all(text.as_bytes())?;
    }
    Ok(())
}

/// A bar that shows itself when a run lasts longer than a second, and only on a terminal.
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
