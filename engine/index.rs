//! What the files of a project say about each other, and where their imports start: linked from a summary of each.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use asyncfix_analysis::facts::name::Name;
use asyncfix_analysis::facts::summary::Summary;
use asyncfix_analysis::index::project::Project;
use ruff_db::system::{SystemPath, SystemPathBuf};
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};

use crate::config::Config;
use crate::environment::{self, Environments};
use crate::roots::{self, Roots, View, Whole};
use crate::surroundings::{Surroundings, folders_of};

/// The index of a project.
pub(crate) struct Index {
    /// What the files say about each other.
    pub(crate) project: Arc<Project>,
    /// The folders that imports start from.
    pub(crate) roots: Roots,
    /// Where in [`Roots::own`] the files of each folder have what is their own.
    places: FxHashMap<SystemPathBuf, Option<usize>>,
    /// Which of `site_packages` is for which files.
    pub(crate) environments: Environments,
    /// The folders of installed packages, of each environment.
    pub(crate) site_packages: Vec<Vec<SystemPathBuf>>,
    /// Folders with stubs, for files without any environment.
    pub(crate) extra_stubs: Vec<SystemPathBuf>,
    /// Files that the type engine would take very long for, and learn nothing from: it is not shown them.
    pub(crate) tables: Vec<SystemPathBuf>,
}

impl Index {
    /// Links the summaries of `files`, in their order; a file that could not be read has none. `wholes` is what they
    /// belong to.
    pub(crate) fn link(
        files: Vec<PathBuf>,
        summaries: Vec<Option<Arc<Summary>>>,
        wholes: &[Whole],
        surroundings: &Surroundings,
    ) -> Self {
        let Surroundings {
            configs,
            environments,
            extra_stubs,
            ..
        } = surroundings;
        let is_table = |summary: &Arc<Summary>| summary.is_table();
        let tables: Vec<SystemPathBuf> = summaries
            .iter()
            .zip(&files)
            .filter(|(summary, _)| summary.as_ref().is_some_and(is_table))
            .filter_map(|(_, path)| system_path(path))
            .collect();
        // Where files lie, and what they import.
        let mut imports: BTreeMap<SystemPathBuf, FxHashSet<Name>> = BTreeMap::new();
        for (summary, path) in summaries.iter().zip(&files) {
            if let (Some(summary), Some(folder)) = (summary, path.parent().and_then(system_path)) {
                let imports = imports.entry(folder).or_default();
                imports.extend(summary.packages().iter().cloned());
            }
        }
        let named: Vec<(String, Arc<Summary>)> = files
            .iter()
            .map(|path| module_name(path))
            .zip(summaries.into_iter().map(Option::unwrap_or_default))
            .collect();
        let mut project = Project::link(&named);
        let mut site_packages = environments.site_packages();
        for packages in &mut site_packages {
            packages.extend(extra_stubs.iter().cloned());
        }
        environment::add_installed(
            &mut project,
            site_packages.iter().flatten().chain(extra_stubs),
        );
        let roots = {
            let folders: Vec<roots::Folder<'_>> = imports
                .iter()
                .map(|(path, imports)| roots::Folder {
                    path,
                    imports: imports.iter().collect(),
                })
                .collect();
            let given = folders_of(configs, |config| &config.src);
            Roots::of(&folders, wholes, &given, |name| project.has_types_of(name))
        };
        let places = roots.places_of(imports.keys().map(|folder| &**folder));
        let places = imports.keys().cloned().zip(places).collect();
        environment::add_own(&mut project, &roots);
        for config in configs {
            project.add_table(&config.settings.blocking);
        }
        project.settle();
        project.set_files(files);
        Self {
            project: Arc::new(project),
            roots,
            places,
            environments: environments.clone(),
            site_packages,
            extra_stubs: extra_stubs.clone(),
            tables,
        }
    }

    /// A number for where imports start, and for what the type engine is not shown.
    pub(crate) fn roots_number(&self) -> u64 {
        let mut hasher = FxHasher::default();
        format!("{:?}{:?}", self.roots, self.tables).hash(&mut hasher);
        hasher.finish()
    }

    /// How the type engine is to look at a file.
    pub(crate) fn view_of(&self, path: &SystemPath, config: &Config) -> View {
        let folder = path.parent();
        View {
            version: config.version_of_types(),
            own: folder.and_then(|folder| {
                let known = self.places.get(folder).copied();
                known.unwrap_or_else(|| self.roots.place_of(folder))
            }),
            environment: folder.and_then(|folder| self.environments.place_of(folder)),
        }
    }
}

/// A path for the type engine. `None` where it is not valid UTF-8.
pub(crate) fn system_path(path: &Path) -> Option<SystemPathBuf> {
    SystemPath::from_std_path(path).map(SystemPath::to_path_buf)
}

/// The last component of a file's module name.
fn module_name(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    if stem == "__init__" {
        path.parent()
            .and_then(Path::file_name)
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    } else {
        stem.into_owned()
    }
}
