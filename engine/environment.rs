//! The Python environments whose packages are looked at: where they are, and what they hold.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::hash::{Hash, Hasher};
use std::path::Path;
use std::sync::OnceLock;

use asyncfix_analysis::facts::key::Key;
use asyncfix_analysis::index::project::{Project, asynchronous_names};
use rayon::prelude::*;
use ruff_db::system::{OsSystem, System, SystemPath, SystemPathBuf};
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};
use ty_site_packages::{PythonEnvironment, SysPrefixPathOrigin};

use crate::config::ConfigError;
use crate::roots::Roots;

/// A Python environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Its folder (`sys.prefix`).
    pub root: SystemPathBuf,
    /// Where its packages are, in the order in which they are searched.
    pub site_packages: Vec<SystemPathBuf>,
    /// Why it is this one, for people.
    pub because: &'static str,
}

impl Environment {
    fn of(found: &PythonEnvironment, system: &dyn System) -> Result<Self, ConfigError> {
        let site_packages = found
            .site_packages_paths(system)
            .map_err(|error| ConfigError(error.to_string()))?;
        Ok(Self {
            root: found.sys_prefix().to_path_buf(),
            site_packages: site_packages.into_vec(),
            because: match found.origin() {
                SysPrefixPathOrigin::PythonCliFlag => "named by --python or the configuration",
                SysPrefixPathOrigin::LocalVenv => "the nearest .venv",
                SysPrefixPathOrigin::VirtualEnvVar => "active, by VIRTUAL_ENV",
                SysPrefixPathOrigin::CondaPrefixVar => "active, by CONDA_PREFIX",
                SysPrefixPathOrigin::PythonBinary => "the one of the python3 on PATH",
                _ => "found by ty",
            },
        })
    }
}

/// The folder that a project has its environment in.
const LOCAL: &str = ".venv";

/// The environments of the files of a run, each found from the folder that a file is in, whatever the working folder is.
#[derive(Debug, Default, Clone)]
pub struct Environments {
    /// Each once.
    all: Vec<Environment>,
    /// Where in `all` files of these folders have theirs. Nothing for those without any.
    places: FxHashMap<SystemPathBuf, Option<usize>>,
    /// Whether folders have a [`LOCAL`] one.
    has_local: FxHashMap<SystemPathBuf, bool>,
    /// The active one, or the system's: for all folders that have none around them.
    active: OnceLock<Option<Environment>>,
}

impl Environments {
    /// Finds the environment of `folder`, unless it is known. `chosen` is what `--python` or the configuration names: an
    /// interpreter, or the folder of an environment. Else the nearest `.venv` in the folder or above it counts; else the
    /// active environment (`VIRTUAL_ENV`, conda); else the one that `python3` on the path belongs to. Nothing of Python
    /// is run for that.
    ///
    /// `Err` where an environment is named and is none.
    pub fn add(&mut self, folder: &SystemPath, chosen: Option<&Path>) -> Result<(), ConfigError> {
        if self.places.contains_key(folder) {
            return Ok(());
        }
        let found = match chosen {
            Some(path) => Some(named(path, folder)?),
            None => self.around(folder),
        };
        let place = found.map(|found| {
            let known = self.all.iter().position(|other| *other == found);
            known.unwrap_or_else(|| {
                self.all.push(found);
                self.all.len() - 1
            })
        });
        self.places.insert(folder.to_path_buf(), place);
        Ok(())
    }

    /// What is called `.venv` in a folder or above it, from the nearest on.
    fn local_above(&mut self, folder: &SystemPath, system: &OsSystem) -> Vec<SystemPathBuf> {
        let mut has_one = |above: &SystemPath| {
            let known = self.has_local.get(above).copied();
            known.unwrap_or_else(|| {
                let has_one = system.is_directory(&above.join(LOCAL));
                self.has_local.insert(above.to_path_buf(), has_one);
                has_one
            })
        };
        let above = folder.ancestors().filter(|above| has_one(above));
        above.map(|above| above.join(LOCAL)).collect()
    }

    fn around(&mut self, folder: &SystemPath) -> Option<Environment> {
        let system = OsSystem::new(folder);
        let local = self
            .local_above(folder, &system)
            .into_iter()
            .find_map(|path| {
                let origin = SysPrefixPathOrigin::LocalVenv;
                let found = PythonEnvironment::new(&path, origin, &system).ok()?;
                Environment::of(&found, &system).ok()
            });
        // An environment that was removed since it was activated is no reason to stop.
        local.or_else(|| {
            let active = self.active.get_or_init(|| {
                let found = PythonEnvironment::discover(None, &system).ok().flatten()?;
                Environment::of(&found, &system).ok()
            });
            active.clone()
        })
    }

    /// The environment of files in `folder`, if it was added and has one.
    pub fn of(&self, folder: &SystemPath) -> Option<&Environment> {
        self.all.get(self.place_of(folder)?)
    }

    /// Where in [`Self::site_packages`] the files of `folder` have theirs.
    pub fn place_of(&self, folder: &SystemPath) -> Option<usize> {
        self.places.get(folder).copied().flatten()
    }

    /// A number for which they are, and whose.
    pub(crate) fn number(&self) -> u64 {
        let mut hasher = FxHasher::default();
        for environment in &self.all {
            environment.root.hash(&mut hasher);
            environment.site_packages.hash(&mut hasher);
        }
        let places: BTreeMap<_, _> = self.places.iter().collect();
        places.hash(&mut hasher);
        hasher.finish()
    }

    /// Where the packages of each environment are.
    pub(crate) fn site_packages(&self) -> Vec<Vec<SystemPathBuf>> {
        let all = self.all.iter();
        all.map(|environment| environment.site_packages.clone())
            .collect()
    }
}

/// The environment at `path`, which is relative to `folder`.
fn named(path: &Path, folder: &SystemPath) -> Result<Environment, ConfigError> {
    let system = OsSystem::new(folder);
    let path = SystemPathBuf::from_path_buf(path.to_path_buf())
        .map_err(|path| ConfigError(format!("{} is not valid UTF-8", path.display())))?;
    let path = SystemPath::absolute(path, folder);
    let found = PythonEnvironment::new(&path, SysPrefixPathOrigin::PythonCliFlag, &system)
        .map_err(|error| ConfigError(error.to_string()))?;
    Environment::of(&found, &system)
}

/// What stands in a folder, by name. A project imports many packages: to list a folder once takes a
/// fraction of the time that it takes to ask for each of them.
fn entries(folder: &SystemPath) -> FxHashSet<OsString> {
    std::fs::read_dir(folder.as_std_path())
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.file_name()))
        .collect()
}

/// Tells `project` which of the packages it imports are its own: those that lie where imports start.
pub fn add_own(project: &mut Project, roots: &Roots) {
    let there: FxHashSet<OsString> = roots.all().flat_map(|root| entries(root)).collect();
    let packages: Vec<String> = project
        .packages()
        .filter(|package| {
            ["", ".py", ".pyi"]
                .iter()
                .any(|ending| there.contains(OsStr::new(&format!("{package}{ending}"))))
        })
        .map(str::to_owned)
        .collect();
    project.add_own(packages.iter().map(String::as_str));
}

/// Tells `project` which of the packages it imports are installed, and what they define
/// asynchronously.
pub fn add_installed<'p>(
    project: &mut Project,
    site_packages: impl Iterator<Item = &'p SystemPathBuf>,
) {
    let mut places: Vec<(String, SystemPathBuf)> = Vec::new();
    let mut seen = FxHashSet::default();
    for root in site_packages.filter(|root| seen.insert(*root)) {
        let there = entries(root);
        for package in project.packages() {
            let named = ["", ".py", ".pyi", "-stubs"].map(|ending| format!("{package}{ending}"));
            let named = named
                .iter()
                .filter(|name| there.contains(OsStr::new(name.as_str())));
            places.extend(named.map(|name| (package.to_owned(), root.join(name))));
        }
    }
    let names: Vec<Key> = places
        .par_iter()
        .flat_map_iter(|(_, folder)| {
            ignore::WalkBuilder::new(folder.as_std_path())
                .standard_filters(false)
                .build()
                .filter_map(Result::ok)
                .filter(|entry| {
                    let extension = entry.path().extension();
                    extension.is_some_and(|extension| extension == "py" || extension == "pyi")
                })
                .filter_map(|entry| std::fs::read_to_string(entry.path()).ok())
                .flat_map(|text| asynchronous_names(&text))
        })
        .collect();
    let packages = places.iter().map(|(package, _)| package.as_str());
    project.add_installed(packages, &names);
}
