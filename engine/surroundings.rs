//! What lies around the files of a run: configurations, environments, stubs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ruff_db::system::SystemPathBuf;
use rustc_hash::FxHashMap;

use crate::cache::around;
use crate::config::{Config, ConfigError, Resolver};
use crate::discovery::STUB_FOLDER;
use crate::environment::Environments;
use crate::index::system_path;
use crate::roots::Whole;

/// What lies around the files of a run.
pub(crate) struct Surroundings {
    /// Each that applies to one of the files, once.
    pub(crate) configs: Vec<Arc<Config>>,
    /// The numbers of those that apply to folders.
    numbers: FxHashMap<PathBuf, u64>,
    pub(crate) environments: Environments,
    /// Folders with stubs, beside those of the environments.
    pub(crate) extra_stubs: Vec<SystemPathBuf>,
}

impl Surroundings {
    /// What lies around `files`, which belong to `wholes`. `Err` where a configuration is wrong, or an environment that
    /// it names is none.
    pub(crate) fn of<'p>(
        files: impl Iterator<Item = &'p PathBuf>,
        wholes: &[Whole],
        resolver: &Resolver,
    ) -> Result<Self, ConfigError> {
        let folders: BTreeSet<&Path> = files.filter_map(|path| path.parent()).collect();
        let mut configs: Vec<(Arc<Config>, u64)> = Vec::new();
        let mut numbers = FxHashMap::default();
        let mut environments = Environments::default();
        for folder in folders {
            let Some(path) = system_path(folder) else {
                continue;
            };
            let config = resolver.for_folder(folder)?;
            environments.add(&path, config.python.as_deref())?;
            let mut known = configs.iter();
            let known = known.find(|(other, _)| Arc::ptr_eq(&config, other));
            let number = if let Some((_, number)) = known {
                *number
            } else {
                let number = config.number();
                configs.push((config, number));
                number
            };
            numbers.insert(folder.to_path_buf(), number);
        }
        let configs: Vec<Arc<Config>> = configs.into_iter().map(|(config, _)| config).collect();
        // What is installed says more than any stub.
        let mut extra_stubs = folders_of(&configs, |config| &config.extra_stubs);
        extra_stubs.extend(
            wholes
                .iter()
                .map(|whole| whole.root.join(STUB_FOLDER))
                .filter(|folder| folder.as_std_path().is_dir()),
        );
        Ok(Self {
            configs,
            numbers,
            environments,
            extra_stubs,
        })
    }

    /// A number for what is installed and for stubs. It is another one where something of it has changed.
    pub(crate) fn number(&self) -> u64 {
        around(&self.environments, &self.extra_stubs)
    }

    /// The number of the configuration that applies to the files of a folder, if it is the folder of one of them.
    pub(crate) fn number_in(&self, folder: &Path) -> Option<u64> {
        self.numbers.get(folder).copied()
    }
}

/// The folders that any of the configurations names.
pub(crate) fn folders_of(
    configs: &[Arc<Config>],
    of: fn(&Config) -> &[PathBuf],
) -> Vec<SystemPathBuf> {
    let mut folders: Vec<SystemPathBuf> = configs
        .iter()
        .flat_map(|config| of(config))
        .filter_map(|path| system_path(path))
        .collect();
    folders.dedup();
    folders
}
