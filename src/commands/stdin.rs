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
use asyncfix_engine::run::{self, Input, Request};

pub(super) fn fix_stdin(args: &MainArgs, resolver: &Resolver, cwd: &Path) -> Result<u8, Stop> {
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
        if args.write || args.add_ignore {
            out.write_all(bytes)?;
        }
        out.flush()
    };
    let source = match asyncfix_engine::source::Source::decode(bytes.clone()) {
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
    let found = Found {
        shown,
        path,
        named: true,
    };
    let input = Input::with_text(found, source.text.to_string());
    let request = Request {
        inputs: vec![input],
        cache: args.cache.place(),
        ..Request::default()
    };
    let outcomes = match run::run(request, resolver, Plan::new(mode(args)), &|| {}) {
        Ok(outcomes) => outcomes,
        Err(error) => {
            pass_through(&mut out, &bytes)?;
            return Err(error.into());
        }
    };
    for error in &outcomes.errors {
        complain(&error.to_string());
    }
    let failed = !outcomes.errors.is_empty();
    let outcome = outcomes.files.first();
    let rewritten = outcome.and_then(|outcome| outcome.rewritten.as_deref());
    let mut code = CLEAN;
    if args.write || args.add_ignore {
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
