//! What packages of asyncfix install beside it: completions for shells, and the manual page.

use std::io::{self, Write};

use clap::CommandFactory;
use clap_complete::Shell;

use super::{CLEAN, Stop};
use crate::args::Cli;

pub(super) fn completion(shell: Shell) -> Result<u8, Stop> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "asyncfix", &mut text);
    io::stdout().lock().write_all(&text)?;
    Ok(CLEAN)
}

pub(super) fn man_page() -> Result<u8, Stop> {
    let mut text = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut text)?;
    io::stdout().lock().write_all(&text)?;
    Ok(CLEAN)
}
