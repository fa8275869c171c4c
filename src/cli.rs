//! The command line.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use asyncfix_codemods::CODEMODS;
use clap::builder::Styles;
use clap::builder::styling::AnsiColor;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use ruff_db::system::SystemPath;
use ruff_python_ast::PythonVersion;

use crate::config::{self, Overrides, Resolver};
use crate::discovery::{self, Found};
use crate::environment::Environments;
use crate::format::OutputFormat;
use crate::report::{self, Counts};
use crate::run::{self, Input, Mode, Outcomes, Request, STACK_SIZE};
use crate::selection::{self, Layer};
use crate::{diff, rounds, write};

/// Nothing to do, or nothing left to do.
const CLEAN: u8 = 0;
/// Findings are left, or there is a diff (`--diff`).
const FOUND: u8 = 1;
/// Something went wrong, whatever became of the other files.
const ERROR: u8 = 2;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

#[derive(Parser)]
#[command(
    name = "asyncfix",
    version,
    styles = STYLES,
    about = "Find and fix common asyncio mistakes in Python code",
    after_help = "Exit codes: 0 nothing found, or nothing left after --write · 1 findings, or a diff · 2 error",
    args_conflicts_with_subcommands = true,
    subcommand_precedence_over_arg = true
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    fix: MainArgs,
}

#[derive(Subcommand)]
enum Command {
    /// Show a rule's documentation, or list all rules
    Rule {
        /// The rule's code or name
        #[arg(required_unless_present = "all")]
        rule: Option<String>,
        /// List all rules
        #[arg(long, conflicts_with = "rule")]
        all: bool,
    },
    /// Show the settings used for a path and where they come from
    Config {
        /// A file or folder
        #[arg(default_value = ".")]
        path: PathBuf,
        /// Print the JSON Schema of the configuration instead
        #[arg(long, conflicts_with = "path")]
        schema: bool,
        #[command(flatten)]
        options: ConfigArgs,
    },
}

#[derive(Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
struct MainArgs {
    /// Files or folders; `-` for standard input
    #[arg(default_value = ".")]
    paths: Vec<PathBuf>,
    /// Show the changes as a unified diff without writing them
    #[arg(long, conflicts_with = "write")]
    diff: bool,
    /// Rewrite files in place; standard input goes to standard output
    #[arg(long)]
    write: bool,
    /// File name to use for standard input
    #[arg(long, value_name = "NAME")]
    stdin_filename: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigArgs,
    /// Output format (default: full; after --write: concise)
    #[arg(
        long,
        value_enum,
        env = "ASYNCFIX_OUTPUT_FORMAT",
        hide_env_values = true,
        help_heading = "Output"
    )]
    output_format: Option<OutputFormat>,
    /// List the rules of all fixes, file by file (with --diff or --write)
    #[arg(long, conflicts_with = "quiet", help_heading = "Output")]
    show_fixes: bool,
    /// Show counts per rule only
    #[arg(long, help_heading = "Output")]
    statistics: bool,
    /// When to use colour
    #[arg(long, value_enum, default_value_t = Color::Auto, help_heading = "Output")]
    color: Color,
    /// Print findings only, no summary or progress bar
    #[arg(short, long, help_heading = "Output")]
    quiet: bool,
    /// Also list findings that are not fixed (with --diff)
    #[arg(short, long, conflicts_with = "quiet", help_heading = "Output")]
    verbose: bool,
    /// Exit with 0 even if there are findings
    #[arg(long, help_heading = "Exit status")]
    exit_zero: bool,
    /// Exit with 1 if something was fixed, even if nothing is left
    #[arg(long, help_heading = "Exit status")]
    exit_non_zero_on_fix: bool,
    /// Number of threads (default: number of CPUs)
    #[arg(
        short,
        long,
        value_name = "N",
        env = "ASYNCFIX_JOBS",
        hide_env_values = true
    )]
    jobs: Option<usize>,
}

#[derive(Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
struct ConfigArgs {
    /// Rules to run: codes, prefixes such as AF7, or names
    #[arg(
        long,
        value_name = "RULE",
        value_delimiter = ',',
        help_heading = "Rules"
    )]
    select: Option<Vec<String>>,
    /// Additional rules to run
    #[arg(
        long,
        value_name = "RULE",
        value_delimiter = ',',
        help_heading = "Rules"
    )]
    extend_select: Vec<String>,
    /// Rules to ignore
    #[arg(
        long,
        value_name = "RULE",
        value_delimiter = ',',
        help_heading = "Rules"
    )]
    ignore: Vec<String>,
    /// Also apply unsafe fixes (they may change how the program behaves)
    #[arg(long, overrides_with = "no_unsafe_fixes", help_heading = "Rules")]
    unsafe_fixes: bool,
    #[arg(long, hide = true, overrides_with = "unsafe_fixes")]
    no_unsafe_fixes: bool,
    /// A configuration file, or a setting such as 'gather.guard = "never"'
    #[arg(long, value_name = "FILE|SETTING", action = ArgAction::Append, env = "ASYNCFIX_CONFIG", hide_env_values = true, help_heading = "Configuration")]
    config: Vec<String>,
    /// Ignore all configuration files
    #[arg(long, help_heading = "Configuration")]
    isolated: bool,
    /// Minimum Python version the code must support, such as 3.10
    #[arg(long, value_name = "VERSION", value_parser = config::parse_version, env = "ASYNCFIX_TARGET_VERSION", hide_env_values = true, help_heading = "Configuration")]
    target_version: Option<PythonVersion>,
    /// Python interpreter or virtual environment to read packages from (default: the active one,
    /// or .venv)
    #[arg(
        long,
        value_name = "PATH",
        env = "ASYNCFIX_PYTHON",
        hide_env_values = true,
        help_heading = "Configuration"
    )]
    python: Option<PathBuf>,
    /// Patterns to exclude, replacing the defaults
    #[arg(
        long,
        value_name = "PATTERN",
        value_delimiter = ',',
        help_heading = "Files"
    )]
    exclude: Option<Vec<String>>,
    /// Additional patterns to exclude
    #[arg(
        long,
        value_name = "PATTERN",
        value_delimiter = ',',
        help_heading = "Files"
    )]
    extend_exclude: Vec<String>,
    /// Skip files ignored by git (default)
    #[arg(long, overrides_with = "no_respect_gitignore", help_heading = "Files")]
    respect_gitignore: bool,
    #[arg(long, hide = true, overrides_with = "respect_gitignore")]
    no_respect_gitignore: bool,
    /// Also exclude files that are named on the command line
    #[arg(long, overrides_with = "no_force_exclude", help_heading = "Files")]
    force_exclude: bool,
    #[arg(long, hide = true, overrides_with = "force_exclude")]
    no_force_exclude: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

impl Color {
    fn on(self, terminal: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                let is_set = |name| {
                    std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0")
                };
                let is_dumb = || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
                // no-color.org: whatever its value is.
                let is_off = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
                !is_off
                    && (is_set("FORCE_COLOR") || is_set("CLICOLOR_FORCE") || terminal && !is_dumb())
            }
        }
    }
}

/// Runs the program on the arguments of the process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // A bug in one file is caught, reported in the run's own words, and does not stop the others.
    std::panic::set_hook(Box::new(rounds::note_panic));
    let result = match cli.command {
        Some(Command::Rule { rule, all }) => show_rule(rule.as_deref(), all),
        Some(Command::Config { schema: true, .. }) => show_schema(),
        Some(Command::Config { path, options, .. }) => show_config(&path, &options),
        None => with_deep_stack(move || fix(&cli.fix)),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(Stop::ClosedPipe) => ExitCode::from(CLEAN),
        Err(Stop::Error(message)) => {
            complain(&message);
            ExitCode::from(ERROR)
        }
    }
}

/// Runs `work` on a thread that can walk a deep tree; the workers get the same.
fn with_deep_stack(work: impl FnOnce() -> Result<u8, Stop> + Send + 'static) -> Result<u8, Stop> {
    std::thread::Builder::new()
        .stack_size(STACK_SIZE)
        .spawn(work)?
        .join()
        .unwrap_or_else(|_| {
            Err(Stop::Error(format!(
                "internal error, please report it: {}; nothing else was written",
                rounds::last_panic()
            )))
        })
}

/// Why a command ends before its end.
enum Stop {
    /// Whoever reads the output has seen enough.
    ClosedPipe,
    /// An error for people.
    Error(String),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::ClosedPipe
        } else {
            Self::Error(error.to_string())
        }
    }
}

impl From<config::ConfigError> for Stop {
    fn from(error: config::ConfigError) -> Self {
        Self::Error(error.0)
    }
}

/// Writes a line to standard error; nobody there is no reason to stop.
fn complain(message: &str) {
    let _ = writeln!(io::stderr(), "error: {message}");
}

fn note(message: &str) {
    let _ = writeln!(io::stderr(), "{message}");
}

/// The text with its first letter in upper case.
fn upper_first(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

fn show_rule(rule: Option<&str>, all: bool) -> Result<u8, Stop> {
    let mut out = io::stdout().lock();
    if all {
        let mut pitfall = "";
        for codemod in CODEMODS {
            let rule = codemod.rule();
            if rule.pitfall != pitfall {
                let gap = if pitfall.is_empty() { "" } else { "\n" };
                writeln!(out, "{gap}{}:", upper_first(rule.pitfall))?;
                pitfall = rule.pitfall;
            }
            let off = if rule.default {
                ""
            } else {
                " (off by default)"
            };
            writeln!(out, "  {rule}: {}{off}", rule.finds)?;
        }
        return Ok(CLEAN);
    }
    let wanted = rule.unwrap_or_default();
    let found = asyncfix_codemods::rule(wanted).or_else(|| selection::equivalent(wanted));
    match found {
        Some(rule) => {
            write!(out, "{}", rule.page)?;
            Ok(CLEAN)
        }
        None => match selection::check(wanted) {
            Ok(()) => {
                for codemod in CODEMODS {
                    if codemod.rule().is_selected_by(wanted) {
                        writeln!(out, "{}\n", codemod.rule().page)?;
                    }
                }
                Ok(CLEAN)
            }
            Err(message) => Err(Stop::Error(message)),
        },
    }
}

fn show_config(path: &Path, options: &ConfigArgs) -> Result<u8, Stop> {
    let cwd = working_folder()?;
    let resolver = Resolver::new(overrides(options), &cwd)?;
    let absolute = discovery::absolute(path)?;
    let folder = if absolute.is_dir() {
        absolute.as_path()
    } else {
        absolute.parent().unwrap_or(&absolute)
    };
    let config = resolver.for_folder(folder)?;
    let mut out = io::stdout().lock();
    write!(out, "{}", config.show())?;
    let mut environments = Environments::default();
    if let Some(folder) = SystemPath::from_std_path(folder) {
        environments.add(folder, config.python.as_deref())?;
        match environments.of(folder) {
            Some(found) => writeln!(out, "# packages from {} ({})", found.root, found.because)?,
            None => writeln!(out, "# no Python environment found")?,
        }
    }
    Ok(CLEAN)
}

fn show_schema() -> Result<u8, Stop> {
    writeln!(io::stdout().lock(), "{:#}", config::schema())?;
    Ok(CLEAN)
}

fn working_folder() -> Result<PathBuf, Stop> {
    std::env::current_dir()
        .map_err(|error| Stop::Error(format!("cannot use the current directory: {error}")))
}

fn overrides(args: &ConfigArgs) -> Overrides {
    let (inline, files): (Vec<&String>, Vec<&String>) = args
        .config
        .iter()
        .partition(|text| text.contains('=') && !Path::new(text).exists());
    Overrides {
        isolated: args.isolated,
        file: files.last().map(PathBuf::from),
        inline: inline.into_iter().cloned().collect(),
        layer: Layer {
            select: args.select.clone(),
            extend_select: args.extend_select.clone(),
            ignore: args.ignore.clone(),
        },
        exclude: args.exclude.clone(),
        extend_exclude: args.extend_exclude.clone(),
        target_version: args.target_version,
        // What is written on the command line is relative to the working folder.
        python: args
            .python
            .as_deref()
            .map(|path| discovery::absolute(path).unwrap_or_else(|_| path.to_path_buf())),
        unsafe_fixes: flag(args.unsafe_fixes, args.no_unsafe_fixes),
        respect_gitignore: flag(args.respect_gitignore, args.no_respect_gitignore),
        force_exclude: flag(args.force_exclude, args.no_force_exclude),
    }
}

fn flag(yes: bool, no: bool) -> Option<bool> {
    match (yes, no) {
        (true, _) => Some(true),
        (false, true) => Some(false),
        (false, false) => None,
    }
}

fn fix(args: &MainArgs) -> Result<u8, Stop> {
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
    } else if args.write {
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
    if !args.quiet && (args.write || args.show_fixes) {
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
fn diff_of(outcome: &run::Outcome, rewritten: &str, color: bool) -> String {
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

fn fix_stdin(args: &MainArgs, resolver: &Resolver, cwd: &Path) -> Result<u8, Stop> {
    if args.stdin_filename.as_deref().is_some_and(Path::is_dir) {
        return Err(Stop::Error(
            "--stdin-filename must be a file name, not a folder".to_owned(),
        ));
    }
    let mut bytes = Vec::new();
    io::stdin()
        .lock()
        .read_to_end(&mut bytes)
        .map_err(|error| Stop::Error(format!("cannot read standard input: {error}")))?;
    let shown = args
        .stdin_filename
        .clone()
        .unwrap_or_else(|| PathBuf::from("-"));
    let mut out = io::stdout().lock();
    let pass_through = |out: &mut io::StdoutLock<'_>, bytes: &[u8]| -> io::Result<()> {
        // An editor puts what comes out in the place of what went in: never less than that.
        if args.write {
            out.write_all(bytes)?;
        }
        out.flush()
    };
    let source = match crate::source::Source::decode(bytes.clone()) {
        Ok(source) => source,
        Err(reason) => {
            pass_through(&mut out, &bytes)?;
            return Err(Stop::Error(format!("{}: {reason}", shown.display())));
        }
    };
    let name = args
        .stdin_filename
        .clone()
        .unwrap_or_else(|| PathBuf::from("stdin.py"));
    let path = discovery::absolute(&name)?;
    let folder = path.parent().unwrap_or(&path);
    let config = match resolver.for_folder(folder) {
        Ok(config) => config,
        Err(error) => {
            pass_through(&mut out, &bytes)?;
            return Err(error.into());
        }
    };
    if discovery::is_stub(&path) || config.excludes_with_parents(&path) {
        pass_through(&mut out, &bytes)?;
        return Ok(CLEAN);
    }
    let input = Input {
        found: Found {
            shown,
            path,
            named: true,
        },
        text: Some(source.text.to_string()),
    };
    let request = Request {
        inputs: vec![input],
        ..Request::default()
    };
    let outcomes = match run::run(request, resolver, mode(args), &|| {}) {
        Ok(outcomes) => outcomes,
        Err(error) => {
            pass_through(&mut out, &bytes)?;
            return Err(error.into());
        }
    };
    for error in &outcomes.errors {
        complain(error);
    }
    let failed = !outcomes.errors.is_empty();
    let outcome = outcomes.files.first();
    let rewritten = outcome.and_then(|outcome| outcome.rewritten.as_deref());
    let mut code = CLEAN;
    if args.write {
        match source.encode(rewritten.unwrap_or(&source.text)) {
            Ok(encoded) => out.write_all(&encoded)?,
            Err(reason) => {
                pass_through(&mut out, &bytes)?;
                return Err(Stop::Error(reason));
            }
        }
    } else if args.diff {
        if let (Some(outcome), Some(rewritten)) = (outcome, rewritten) {
            let color = args.color.on(io::stdout().is_terminal());
            let diff = diff_of(outcome, rewritten, color);
            out.write_all(&source.encode(&diff).map_err(Stop::Error)?)?;
            code = FOUND;
        }
    } else if Counts::of(&outcomes).left > 0 {
        code = FOUND;
    }
    if args.exit_zero {
        code = CLEAN;
    }
    if !args.write {
        let format = args.output_format.or(config.output_format);
        show_findings(args, format, &outcomes, cwd, &mut out)?;
    }
    out.flush()?;
    if !args.quiet {
        note(&summary(args, Counts::of(&outcomes)));
    }
    Ok(if failed { ERROR } else { code })
}

fn mode(args: &MainArgs) -> Mode {
    if args.diff || args.write {
        Mode::Fix
    } else {
        Mode::Report
    }
}

fn summary(args: &MainArgs, counts: Counts) -> String {
    if args.write || args.diff {
        counts.after_fixing(args.diff)
    } else {
        counts.after_reporting(args.config.unsafe_fixes)
    }
}

/// Findings go to standard output, except beside a diff, which is for programs. After `--write`, these are the ones that
/// are left.
fn show_findings(
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
