//! `asyncfix server`: the language server.

use super::check::start_threads;
use super::{Stop, working_folder};
use crate::args::{CacheArgs, ConfigArgs, overrides};

pub(super) fn run(options: &ConfigArgs, cache: &CacheArgs) -> Result<u8, Stop> {
    start_threads(None)?;
    crate::server::run(overrides(options), cache.place(), &working_folder()?).map_err(Stop::Error)
}
