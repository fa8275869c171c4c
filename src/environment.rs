//! The Python environment whose packages are looked at: where it is, and what it holds.

use std::path::Path;

use asyncfix_codemods::STUBS;
use asyncfix_codemods::project::{Project, coroutine_function_names};
use rayon::prelude::*;
use ruff_db::system::{OsSystem, System, SystemPath, SystemPathBuf};
use ruff_python_ast::PythonVersion;
use ruff_python_stdlib::sys::is_known_standard_library;
use ty_site_packages::{PythonEnvironment, SysPrefixPathOrigin};

use crate::config::ConfigError;

/// The folders of installed packages, in the order in which they are searched.
///
/// `chosen` is what `--python` or the configuration names: an interpreter, or the folder of an
/// environment. Else the active virtual environment counts (`VIRTUAL_ENV`), else a `.venv` in the
/// working folder or above it. `Err` where an environment is named and is none.
pub fn site_packages(
    chosen: Option<&Path>,
    cwd: &SystemPath,
) -> Result<Vec<SystemPathBuf>, ConfigError> {
    let system = OsSystem::new(cwd);
    let environment = if let Some(path) = chosen {
        let path = SystemPathBuf::from_path_buf(path.to_path_buf())
            .map_err(|path| ConfigError(format!("{} is not valid UTF-8", path.display())))?;
        let path = SystemPath::absolute(path, cwd);
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
        cwd.ancestors()
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

/// Tells `project` which of the packages it imports are its own, below `roots`, the folders that
/// imports start from, and which are found nowhere: neither there nor among the installed packages.
pub fn add_packages(
    project: &mut Project,
    roots: &[SystemPathBuf],
    site_packages: &[SystemPathBuf],
) {
    let is_in = |folders: &[SystemPathBuf], package: &str| {
        folders.iter().any(|folder| {
            let path = folder.join(package);
            ["", ".py", ".pyi", "-stubs"]
                .iter()
                .any(|ending| std::path::Path::new(&format!("{path}{ending}")).exists())
        })
    };
    let packages: Vec<String> = project
        .packages()
        .filter(|package| !is_known(package))
        .map(str::to_owned)
        .collect();
    for package in packages {
        if is_in(roots, &package) {
            project.outlines.add_own(&package);
        } else if !is_in(site_packages, &package) {
            project.outlines.add_unresolved(&package);
        }
    }
}

/// Whether a package is part of the standard library, or has stubs here.
fn is_known(package: &str) -> bool {
    package == "typing_extensions"
        || is_known_standard_library(PythonVersion::latest().minor, package)
        || STUBS.get_dir(package).is_some()
}

/// Tells `project` the names of the coroutine functions in the installed packages it imports.
pub fn add_installed(project: &mut Project, site_packages: &[SystemPathBuf]) {
    let folders: Vec<SystemPathBuf> = site_packages
        .iter()
        .flat_map(|root| project.packages().map(|package| root.join(package)))
        .filter(|folder| folder.as_std_path().is_dir())
        .collect();
    let names: Vec<u64> = folders
        .par_iter()
        .flat_map_iter(|folder| {
            ignore::WalkBuilder::new(folder.as_std_path())
                .standard_filters(false)
                .build()
                .filter_map(Result::ok)
                .filter(|entry| {
                    let extension = entry.path().extension();
                    extension.is_some_and(|extension| extension == "py" || extension == "pyi")
                })
                .filter_map(|entry| std::fs::read_to_string(entry.path()).ok())
                .flat_map(|text| coroutine_function_names(&text).collect::<Vec<_>>())
        })
        .collect();
    project.add_coroutine_functions(names);
}
