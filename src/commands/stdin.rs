//! Standard input: one text, whatever is on disk under its name.

use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use super::check::{diff_of, mode, show_findings, summary};
use super::{CLEAN, ERROR, FOUND, Stop, complain, note};
use crate::args::MainArgs;
use crate::output::report::Counts;
use asyncfix_engine::choose::Plan;
use asyncfix_engine::config::Resolver;
use asyncfix_engine::discovery::{self, Found};
use asyncfix_engine::run::{self, Request};

/// Standard input, as far as it was read.
pub(super) enum Input {
    Unread,
    Read(Vec<u8>),
    /// It was given back, or what became of it was written.
    Answered,
}

impl Input {
    fn read(&mut self) -> Result<Vec<u8>, Stop> {
        let mut bytes = Vec::new();
        io::stdin()
            .lock()
            .read_to_end(&mut bytes)
            .map_err(|error| Stop::Error(format!("cannot read standard input: {error}")))?;
        *self = Self::Read(bytes.clone());
        Ok(bytes)
    }

    /// Writes it to standard output as it came, unless that was answered.
    pub(super) fn give_back(self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        match self {
            Self::Unread => {
                io::copy(&mut io::stdin().lock(), &mut out)?;
            }
            Self::Read(bytes) => out.write_all(&bytes)?,
            Self::Answered => {}
        }
        out.flush()
    }
}

pub(super) fn fix_stdin(
    args: &MainArgs,
    resolver: &Resolver,
    cwd: &Path,
    stdin: &mut Input,
) -> Result<u8, Stop> {
    if args.stdin_filename.as_deref().is_some_and(Path::is_dir) {
        return Err(Stop::Error(
            "--stdin-filename must be a file name, not a folder".to_owned(),
        ));
    }
    let bytes = stdin.read()?;
    let shown = args
        .stdin_filename
        .clone()
        .unwrap_or_else(|| PathBuf::from("-"));
    let mut out = io::stdout().lock();
    let source = asyncfix_engine::source::Source::decode(bytes.clone())
        .map_err(|reason| Stop::Error(format!("{}: {reason}", shown.display())))?;
    let name = args
        .stdin_filename
        .clone()
        .unwrap_or_else(|| PathBuf::from("stdin.py"));
    let path = discovery::absolute(&name)?;
    let folder = path.parent().unwrap_or(&path);
    let config = resolver.for_folder(folder)?;
    if discovery::is_stub(&path) || config.excludes_with_parents(&path) {
        if args.write || args.add_ignore {
            out.write_all(&bytes)?;
        }
        out.flush()?;
        return Ok(CLEAN);
    }
    let found = Found {
        shown,
        path,
        named: true,
    };
    let input = run::Input::with_text(found, source.text.to_string());
    let request = Request {
        inputs: vec![input],
        cache: args.cache.place(),
        ..Request::default()
    };
    let mut outcomes = run::run(request, resolver, Plan::new(mode(args)), &|| {})?;
    // The program ends with this: to free it would take longer than most files.
    std::mem::forget(outcomes.knowledge.take());
    for error in &outcomes.errors {
        complain(&error.to_string());
    }
    let failed = !outcomes.errors.is_empty();
    let outcome = outcomes.files.first();
    let rewritten = outcome.and_then(|outcome| outcome.rewritten.as_deref());
    let mut code = CLEAN;
    if args.write || args.add_ignore {
        let encoded = source
            .encode(rewritten.unwrap_or(&source.text))
            .map_err(Stop::Error)?;
        *stdin = Input::Answered;
        out.write_all(&encoded)?;
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
    if !args.write && !args.add_ignore {
        let format = args.output_format.or(config.output_format);
        show_findings(args, format, &outcomes, cwd, &mut out)?;
    }
    out.flush()?;
    if !args.quiet {
        note(&summary(args, Counts::of(&outcomes)));
    }
    Ok(if failed { ERROR } else { code })
}
