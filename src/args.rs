//! The arguments of the command line.

use std::path::{Path, PathBuf};

use clap::builder::styling::AnsiColor;
use clap::builder::{BoolishValueParser, Styles};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use ruff_python_ast::PythonVersion;

use asyncfix_engine::cache::Place;
use asyncfix_engine::config::output_format::OutputFormat;
use asyncfix_engine::config::{self, Overrides};
use asyncfix_engine::discovery;
use asyncfix_engine::selection::Layer;

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
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) fix: MainArgs,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show a rule's documentation, or list all rules
    Rule {
        /// The rule's code or name
        rule: Option<String>,
        /// List all rules
        #[arg(long, conflicts_with = "rule")]
        all: bool,
    },
    /// Say what is known of the code on a line: what is called, what objects are, and what that relies on
    Explain {
        /// A line of a file: `app.py:12`
        #[arg(value_name = "FILE:LINE")]
        place: String,
        #[command(flatten)]
        options: ConfigArgs,
        #[command(flatten)]
        cache: CacheArgs,
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
    /// Fix sources in JSON lines, one record a line, in order
    Batch {
        #[command(flatten)]
        options: ConfigArgs,
        /// Number of threads (default: number of CPUs)
        #[arg(
            short,
            long,
            value_name = "N",
            env = "ASYNCFIX_JOBS",
            hide_env_values = true
        )]
        jobs: Option<usize>,
    },
    /// Run the language server, on standard input and output
    Server {
        #[command(flatten)]
        options: ConfigArgs,
        #[command(flatten)]
        cache: CacheArgs,
    },
    /// Remove the caches of the projects that these files and folders belong to
    Clean {
        /// Files or folders
        #[arg(default_value = ".")]
        paths: Vec<PathBuf>,
        #[command(flatten)]
        cache: CacheArgs,
    },
    /// Print the completions for a shell
    GenerateShellCompletion {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, as `man` reads it
    GenerateManPage,
}

#[derive(Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(crate) struct MainArgs {
    /// Files or folders; `-` for standard input
    #[arg(default_value = ".")]
    pub(crate) paths: Vec<PathBuf>,
    /// Show the changes as a unified diff without writing them
    #[arg(long, conflicts_with = "write")]
    pub(crate) diff: bool,
    /// Rewrite files in place; standard input goes to standard output
    #[arg(long)]
    pub(crate) write: bool,
    /// Add a suppression comment to each problem, and fix nothing
    #[arg(long, conflicts_with_all = ["diff", "write"])]
    pub(crate) add_ignore: bool,
    /// Ask about each fix: yes, no, all of this rule, quit, or edit it; then write
    #[arg(short, long, conflicts_with_all = ["diff", "add_ignore"])]
    pub(crate) interactive: bool,
    /// With --write: stop if a file to be written has changes that are not committed
    #[arg(long)]
    pub(crate) require_clean: bool,
    /// Only look at what was changed since a git revision: new files, and changed lines of others
    #[arg(long, value_name = "REVISION", help_heading = "Old code")]
    pub(crate) since: Option<String>,
    /// Don't report the problems that this file knows
    #[arg(long, value_name = "FILE", help_heading = "Old code")]
    pub(crate) baseline: Option<PathBuf>,
    /// Write the problems that are left to the baseline
    #[arg(long, requires = "baseline", help_heading = "Old code")]
    pub(crate) update_baseline: bool,
    #[arg(long, hide = true)]
    pub(crate) fix: bool,
    /// File name to use for standard input
    #[arg(long, value_name = "NAME")]
    pub(crate) stdin_filename: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    #[command(flatten)]
    pub(crate) cache: CacheArgs,
    /// Output format (default: full; after --write: concise)
    #[arg(
        long,
        value_enum,
        env = "ASYNCFIX_OUTPUT_FORMAT",
        hide_env_values = true,
        help_heading = "Output"
    )]
    pub(crate) output_format: Option<OutputFormat>,
    /// Say of each problem what it relies on: what values are, how that is known, and what is assumed
    #[arg(
        long,
        conflicts_with_all = ["diff", "write", "add_ignore", "interactive", "statistics"],
        help_heading = "Output"
    )]
    pub(crate) explain: bool,
    /// List the rules of all fixes, file by file (with --diff or --write)
    #[arg(long, conflicts_with = "quiet", help_heading = "Output")]
    pub(crate) show_fixes: bool,
    /// Show counts per rule only
    #[arg(long, help_heading = "Output")]
    pub(crate) statistics: bool,
    /// When to use colour
    #[arg(long, value_enum, default_value_t = Color::Auto, help_heading = "Output")]
    pub(crate) color: Color,
    /// Print findings only, no summary or progress bar
    #[arg(short, long, help_heading = "Output")]
    pub(crate) quiet: bool,
    /// Also list findings that are not fixed (with --diff)
    #[arg(short, long, conflicts_with = "quiet", help_heading = "Output")]
    pub(crate) verbose: bool,
    /// Exit with 0 even if there are findings
    #[arg(long, help_heading = "Exit status")]
    pub(crate) exit_zero: bool,
    /// Exit with 1 if something was fixed, even if nothing is left
    #[arg(long, help_heading = "Exit status")]
    pub(crate) exit_non_zero_on_fix: bool,
    /// Number of threads (default: number of CPUs)
    #[arg(
        short,
        long,
        value_name = "N",
        env = "ASYNCFIX_JOBS",
        hide_env_values = true
    )]
    pub(crate) jobs: Option<usize>,
}

#[derive(Args)]
pub(crate) struct CacheArgs {
    /// Don't read or write a cache
    #[arg(short, long, env = "ASYNCFIX_NO_CACHE", hide_env_values = true, value_parser = BoolishValueParser::new(), help_heading = "Cache")]
    pub(crate) no_cache: bool,
    /// Folder of the cache (default: `.asyncfix_cache` in the project's root)
    #[arg(
        long,
        value_name = "FOLDER",
        env = "ASYNCFIX_CACHE_DIR",
        hide_env_values = true,
        help_heading = "Cache"
    )]
    pub(crate) cache_dir: Option<PathBuf>,
}

impl CacheArgs {
    /// Where what runs find out is kept.
    pub(crate) fn place(&self) -> Place {
        match &self.cache_dir {
            _ if self.no_cache => Place::Nowhere,
            Some(folder) => Place::Folder(folder.clone()),
            None => Place::Project,
        }
    }
}

#[derive(Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(crate) struct ConfigArgs {
    /// Rules to run: codes, prefixes such as AF7, or names
    #[arg(
        long,
        value_name = "RULE",
        value_delimiter = ',',
        help_heading = "Rules"
    )]
    pub(crate) select: Option<Vec<String>>,
    /// Additional rules to run
    #[arg(
        long,
        value_name = "RULE",
        value_delimiter = ',',
        help_heading = "Rules"
    )]
    pub(crate) extend_select: Vec<String>,
    /// Rules to ignore
    #[arg(
        long,
        value_name = "RULE",
        value_delimiter = ',',
        help_heading = "Rules"
    )]
    pub(crate) ignore: Vec<String>,
    /// Also run rules in preview
    #[arg(long, overrides_with = "no_preview", help_heading = "Rules")]
    pub(crate) preview: bool,
    #[arg(long, hide = true, overrides_with = "preview")]
    pub(crate) no_preview: bool,
    /// Also apply unsafe fixes (they may change how the program behaves)
    #[arg(long, overrides_with = "no_unsafe_fixes", help_heading = "Rules")]
    pub(crate) unsafe_fixes: bool,
    #[arg(long, hide = true, overrides_with = "unsafe_fixes")]
    pub(crate) no_unsafe_fixes: bool,
    /// A configuration file, or a setting such as 'gather.guard = "never"'
    #[arg(long, value_name = "FILE|SETTING", action = ArgAction::Append, env = "ASYNCFIX_CONFIG", hide_env_values = true, help_heading = "Configuration")]
    pub(crate) config: Vec<String>,
    /// Ignore all configuration files
    #[arg(long, help_heading = "Configuration")]
    pub(crate) isolated: bool,
    /// Minimum Python version the code must support, such as 3.10
    #[arg(long, value_name = "VERSION", value_parser = config::parse_version, env = "ASYNCFIX_TARGET_VERSION", hide_env_values = true, help_heading = "Configuration")]
    pub(crate) target_version: Option<PythonVersion>,
    /// Python interpreter or virtual environment to read packages from (default: the active one,
    /// or .venv)
    #[arg(
        long,
        value_name = "PATH",
        env = "ASYNCFIX_PYTHON",
        hide_env_values = true,
        help_heading = "Configuration"
    )]
    pub(crate) python: Option<PathBuf>,
    /// Patterns to exclude, replacing the defaults
    #[arg(
        long,
        value_name = "PATTERN",
        value_delimiter = ',',
        help_heading = "Files"
    )]
    pub(crate) exclude: Option<Vec<String>>,
    /// Additional patterns to exclude
    #[arg(
        long,
        value_name = "PATTERN",
        value_delimiter = ',',
        help_heading = "Files"
    )]
    pub(crate) extend_exclude: Vec<String>,
    /// Skip files ignored by git (default)
    #[arg(long, overrides_with = "no_respect_gitignore", help_heading = "Files")]
    pub(crate) respect_gitignore: bool,
    #[arg(long, hide = true, overrides_with = "respect_gitignore")]
    pub(crate) no_respect_gitignore: bool,
    /// Also exclude files that are named on the command line
    #[arg(long, overrides_with = "no_force_exclude", help_heading = "Files")]
    pub(crate) force_exclude: bool,
    #[arg(long, hide = true, overrides_with = "force_exclude")]
    pub(crate) no_force_exclude: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

impl Color {
    /// Whether colour is used where the output goes to a terminal, or does not.
    pub(crate) fn on(self, terminal: bool) -> bool {
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

/// What the arguments lay over the configuration.
pub(crate) fn overrides(args: &ConfigArgs) -> Overrides {
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
        preview: flag(args.preview, args.no_preview),
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
