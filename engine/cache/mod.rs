//! What earlier runs have found out, kept on disk: a summary of each file, and what codemods said of it.
//!
//! All of it is about texts, by their content. A summary holds as long as the file's own text. What codemods said holds
//! as long as everything that it depends on: the file's text, those of the files into whose functions the look has led,
//! what the files that these import show of themselves, the answers of the project, and what lies around it
//! (configuration, environments, the program itself). Where any of it has changed the file is looked at again, so an
//! answer from here is the one that a fresh look gives.
//!
//! A cache file is written beside its place and put there whole: whoever reads it at the same time has the old one or the
//! new one. One that is damaged, or from another version, counts as none.

pub(crate) mod affected;
mod around;
pub(crate) mod outside;
pub(crate) mod stored;

use std::hash::{Hash, Hasher};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustc_hash::FxHasher;

use crate::config::Resolver;
use crate::index::system_path;
use crate::roots::Whole;

pub(crate) use around::around;
use stored::Loaded;

/// The folder in the root of a project.
pub const FOLDER: &str = ".asyncfix_cache";

/// How many cache files a folder holds: there is one for each set of options.
const MOST_FILES: usize = 8;

/// How old a file that was never put in its place has to be to be removed, in seconds.
const ABANDONED: u64 = 3600;

/// Where what is known is kept.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub enum Place {
    /// Nowhere.
    #[default]
    Nowhere,
    /// In [`FOLDER`] at the root of the project; nowhere for files that belong to none.
    Project,
    /// In this folder.
    Folder(PathBuf),
}

/// The cache file of a run.
pub(crate) struct Cache {
    path: PathBuf,
    program: u64,
    pub(crate) loaded: Option<Loaded>,
    /// When the run began.
    pub(crate) now: SystemTime,
}

impl Cache {
    /// The cache for files that belong to `wholes`. `None` where nothing is kept.
    pub(crate) fn open(place: &Place, wholes: &[Whole], resolver: &Resolver) -> Option<Self> {
        let folder = match place {
            Place::Nowhere => return None,
            Place::Folder(folder) => folder.clone(),
            Place::Project => {
                let mut projects = wholes.iter().filter(|whole| whole.is_project());
                projects.next()?.root.as_std_path().join(FOLDER)
            }
        };
        let versions = folder.join(env!("CARGO_PKG_VERSION"));
        // A repository must not lead to somewhere else.
        if is_link(&folder) || is_link(&versions) {
            return None;
        }
        let mut hasher = FxHasher::default();
        for whole in wholes {
            whole.hash(&mut hasher);
        }
        resolver.options().hash(&mut hasher);
        let name = format!("{:016x}.bin", hasher.finish());
        let path = versions.join(name);
        let program = program();
        let loaded = std::fs::read(&path).ok();
        Some(Self {
            loaded: loaded.and_then(|bytes| Loaded::read(bytes, program)),
            path,
            program,
            now: SystemTime::now(),
        })
    }

    /// Puts a new file in the place of the old one. What goes wrong is of no consequence: the next run takes longer.
    pub(crate) fn save(&self, writer: stored::Writer) {
        let Some(bytes) = writer.finish(self.program) else {
            return;
        };
        let _ = self.write(&bytes);
    }

    fn write(&self, bytes: &[u8]) -> std::io::Result<()> {
        let Some(folder) = self.path.parent() else {
            return Ok(());
        };
        if !folder.is_dir() {
            std::fs::create_dir_all(folder)?;
            mark(folder.parent().unwrap_or(folder))?;
        }
        let mut file = tempfile::Builder::new()
            .prefix("new-")
            .suffix(".tmp")
            .tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.persist(&self.path).map_err(|error| error.error)?;
        tidy(folder, self.now);
        Ok(())
    }
}

/// Tells git and backup programs that nothing in a folder is worth keeping.
fn mark(folder: &Path) -> std::io::Result<()> {
    std::fs::write(folder.join(".gitignore"), "# Made by asyncfix.\n*\n")?;
    // The form that <https://bford.info/cachedir/> asks for.
    let tag = "Signature: 8a477f597d28d172789f06886806bc55\n# This folder was made by asyncfix. It may be removed at any time.\n";
    std::fs::write(folder.join("CACHEDIR.TAG"), tag)
}

/// Removes the oldest files where there are very many, and what a run has left that was ended.
fn tidy(folder: &Path, now: SystemTime) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.path();
        let Ok(modified) = entry.metadata().and_then(|metadata| metadata.modified()) else {
            continue;
        };
        let age = now.duration_since(modified).unwrap_or_default().as_secs();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("tmp") if age > ABANDONED => {
                let _ = std::fs::remove_file(path);
            }
            Some("bin") => files.push((age, path)),
            _ => {}
        }
    }
    files.sort();
    for (_, path) in files.into_iter().skip(MOST_FILES) {
        let _ = std::fs::remove_file(path);
    }
}

fn is_link(path: &Path) -> bool {
    path.symlink_metadata()
        .is_ok_and(|metadata| metadata.is_symlink())
}

/// Where the cache is of the project that a file or folder belongs to. `None` where it belongs to none. `path` is
/// absolute.
pub fn folder_for(path: &Path) -> Option<PathBuf> {
    let folder = if path.is_dir() { path } else { path.parent()? };
    let whole = Whole::around(&system_path(folder)?);
    whole
        .is_project()
        .then(|| whole.root.as_std_path().join(FOLDER))
}

/// Removes what is kept at `folder`, if that is a folder which was made by this program. Says whether it was.
pub fn remove(folder: &Path) -> std::io::Result<bool> {
    if is_link(folder) || !folder.join("CACHEDIR.TAG").is_file() {
        return Ok(false);
    }
    std::fs::remove_dir_all(folder)?;
    Ok(true)
}

/// A number for the program that is running: what another build has found out may be something else.
fn program() -> u64 {
    let mut hasher = FxHasher::default();
    env!("CARGO_PKG_VERSION").hash(&mut hasher);
    let metadata = std::env::current_exe().and_then(std::fs::metadata);
    if let Ok(metadata) = metadata {
        metadata.len().hash(&mut hasher);
        metadata.modified().ok().hash(&mut hasher);
    }
    hasher.finish()
}
