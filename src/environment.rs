//! The Python environment whose packages are looked at: where it is, and what it holds.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use asyncfix_codemods::project::{Project, asynchronous_names};
use rayon::prelude::*;
use ruff_db::system::{OsSystem, System, SystemPath, SystemPathBuf};
use rustc_hash::FxHashSet;
use ty_site_packages::{PythonEnvironment, SysPrefixPathOrigin};

use crate::config::ConfigError;
use crate::roots::Roots;

/// The folders of installed packages, in the order in which they are searched.
///
/// `chosen` is what `--python` or the configuration names: an interpreter, or the folder of an
/// environment. Else the active virtual environment counts (`VIRTUAL_ENV`), else a `.venv` in `folder`, where files
/// are that are looked at, or above it. `Err` where an environment is named and is none.
pub fn site_packages(
    chosen: Option<&Path>,
    folder: &SystemPath,
) -> Result<Vec<SystemPathBuf>, ConfigError> {
    let system = OsSystem::new(folder);
    let environment = if let Some(path) = chosen {
        let path = SystemPathBuf::from_path_buf(path.to_path_buf())
            .map_err(|path| ConfigError(format!("{} is not valid UTF-8", path.display())))?;
        let path = SystemPath::absolute(path, folder);
        Some(
            PythonEnvironment::new(&path, SysPrefixPathOrigin::PythonCliFlag, &system)
                .map_err(|error| ConfigError(error.to_string()))?,
        )
    } else if let Ok(path) = system.env_var("VIRTUAL_ENV") {
        // An environment that was removed since it was activated is no reason to stop.
        PythonEnvironment::new(
            SystemPath::new(&path),
            SysPrefixPathOrigin::VirtualEnvVar,
            &system,
        )
        .ok()
    } else {
        folder
            .ancestors()
            .map(|folder| folder.join(".venv"))
            .filter(|path| system.is_directory(path))
            .find_map(|path| {
                PythonEnvironment::new(&path, SysPrefixPathOrigin::LocalVenv, &system).ok()
            })
    };
    let Some(environment) = environment else {
        return Ok(Vec::new());
    };
    match environment.site_packages_paths(&system) {
        Ok(paths) => Ok(paths.into_vec()),
        Err(error) if chosen.is_some() => Err(ConfigError(error.to_string())),
        Err(_) => Ok(Vec::new()),
    }
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
pub fn add_installed(project: &mut Project, site_packages: &[SystemPathBuf]) {
    let mut places: Vec<(String, SystemPathBuf)> = Vec::new();
    for root in site_packages {
        let there = entries(root);
        for package in project.packages() {
            let named = ["", ".py", ".pyi", "-stubs"].map(|ending| format!("{package}{ending}"));
            let named = named
                .iter()
                .filter(|name| there.contains(OsStr::new(name.as_str())));
            places.extend(named.map(|name| (package.to_owned(), root.join(name))));
        }
    }
    let names: Vec<u64> = places
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
