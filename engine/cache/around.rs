//! A number for what lies around the files of a run, without a look at all of it.

use std::hash::{Hash, Hasher};
use std::path::Path;

use ruff_db::system::SystemPathBuf;
use rustc_hash::FxHasher;

use crate::environment::Environments;
use crate::source::text_of;

/// The number of what is installed in `environments`, and of the stubs in `stubs`.
///
/// Installed packages are told by their folders: who installs or removes one changes those. Folders that a package stands
/// in for (`.pth`, PEP 660) and folders with stubs are told by all of their files.
pub(crate) fn around(environments: &Environments, stubs: &[SystemPathBuf]) -> u64 {
    let mut hasher = FxHasher::default();
    environments.number().hash(&mut hasher);
    for folder in environments.site_packages().iter().flatten() {
        let mut entries: Vec<_> = std::fs::read_dir(folder.as_std_path())
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| (entry.file_name(), entry.path()))
            .collect();
        entries.sort();
        for (name, path) in entries {
            if name == "__pycache__" {
                continue;
            }
            name.hash(&mut hasher);
            stamp(&path, &mut hasher);
            if path.extension().is_some_and(|extension| extension == "pth") {
                let text = text_of(&path).unwrap_or_default();
                let lines = text.lines().map(str::trim);
                for line in lines.filter(|line| !line.is_empty() && !line.starts_with("import ")) {
                    files_in(&folder.as_std_path().join(line), &mut hasher);
                }
            }
        }
    }
    for folder in stubs {
        files_in(folder.as_std_path(), &mut hasher);
    }
    hasher.finish()
}

fn stamp(path: &Path, hasher: &mut FxHasher) {
    if let Ok(metadata) = std::fs::metadata(path) {
        metadata.len().hash(hasher);
        metadata.modified().ok().hash(hasher);
    }
}

/// All Python files in a folder, in their order.
fn files_in(folder: &Path, hasher: &mut FxHasher) {
    folder.hash(hasher);
    let walk = ignore::WalkBuilder::new(folder)
        .sort_by_file_path(Path::cmp)
        .build();
    for entry in walk.flatten() {
        let path = entry.path();
        let extension = path.extension();
        if extension.is_some_and(|extension| extension == "py" || extension == "pyi") {
            path.hash(hasher);
            stamp(path, hasher);
        }
    }
}
