//! What the program does, one command a file.

mod batch;
mod check;
mod clean;
mod config;
mod explain;
mod generate;
mod interactive;
mod rule;
mod server;
mod stdin;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Command};
use asyncfix_engine::config::ConfigError;
use asyncfix_engine::panics;
use asyncfix_engine::run::STACK_SIZE;

/// Nothing to do, or nothing left to do.
const CLEAN: u8 = 0;
/// Findings are left, or there is a diff (`--diff`).
const FOUND: u8 = 1;
/// Something went wrong, whatever became of the other files.
const ERROR: u8 = 2;

/// Runs the program on the arguments of the process.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    // A bug in one file is caught, reported in the run's own words, and does not stop the others.
    std::panic::set_hook(Box::new(panics::note_panic));
    let result = match cli.command {
        Some(Command::Rule { rule, all }) => rule::show(rule.as_deref(), all || rule.is_none()),
        Some(Command::Explain {
            place,
            options,
            cache,
        }) => with_deep_stack(move || explain::show(&place, &options, &cache)),
        Some(Command::Config { schema: true, .. }) => config::show_schema(),
        Some(Command::Config { path, options, .. }) => config::show(&path, &options),
        Some(Command::Batch { options, jobs }) => {
            with_deep_stack(move || batch::run(&options, jobs))
        }
        Some(Command::Server { options, cache }) => server::run(&options, &cache),
        Some(Command::Clean { paths, cache }) => clean::run(&paths, &cache),
        Some(Command::GenerateShellCompletion { shell }) => generate::completion(shell),
        Some(Command::GenerateManPage) => generate::man_page(),
        None => with_deep_stack(move || check::fix(&cli.fix)),
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

/// Says what is wrong with the arguments. An editor puts what comes out in the place of what went in, and may not look at
/// the exit status: where text was to be rewritten, it comes back.
fn refuse(error: &clap::Error) -> ExitCode {
    let has = |name: &str| std::env::args_os().skip(1).any(|argument| argument == name);
    let is_error = error.use_stderr();
    if is_error && has("-") && (has("--write") || has("--add-ignore")) {
        let _ = stdin::Input::Unread.give_back();
    }
    let _ = error.print();
    ExitCode::from(if is_error { ERROR } else { CLEAN })
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
                panics::last_panic()
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

impl From<ConfigError> for Stop {
    fn from(error: ConfigError) -> Self {
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

fn working_folder() -> Result<PathBuf, Stop> {
    std::env::current_dir()
        .map_err(|error| Stop::Error(format!("cannot use the current directory: {error}")))
}
