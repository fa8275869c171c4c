//! `asyncfix config`: what applies to a path, and where it came from.

use std::io::{self, Write};
use std::path::Path;

use ruff_db::system::SystemPath;

use super::{CLEAN, Stop, working_folder};
use crate::args::{ConfigArgs, overrides};
use asyncfix_engine::config::{self, Resolver};
use asyncfix_engine::discovery;
use asyncfix_engine::environment::Environments;

pub(super) fn show(path: &Path, options: &ConfigArgs) -> Result<u8, Stop> {
    let cwd = working_folder()?;
    let resolver = Resolver::new(overrides(options), &cwd)?;
    let absolute = discovery::absolute(path)?;
    let (folder, file) = if absolute.is_dir() {
        (absolute.as_path(), None)
    } else {
        let folder = absolute.parent().unwrap_or(&absolute);
        (folder, Some(absolute.as_path()))
    };
    let config = resolver.for_folder(folder)?;
    let mut out = io::stdout().lock();
    write!(out, "{}", config.show(file))?;
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

pub(super) fn show_schema() -> Result<u8, Stop> {
    writeln!(io::stdout().lock(), "{:#}", config::schema())?;
    Ok(CLEAN)
}
