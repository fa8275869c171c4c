//! Which files a run is about.

use std::path::{Component, Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc;

use ignore::{WalkBuilder, WalkState};
use rustc_hash::FxHashSet;

use crate::config::{ConfigError, Resolver};
use crate::embedded::{is_document, is_notebook};

/// A Python file to look at, or a stub file, which says what a module has that is written in another language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The path as people wrote it, or below the folder they named: for messages and diffs.
    pub shown: PathBuf,
    /// The absolute path.
    pub path: PathBuf,
    /// Whether it was named itself, and not found in a folder.
    pub named: bool,
}

/// The outcome of a search.
#[derive(Debug, Default)]
pub struct Discovered {
    /// The files, sorted by the path shown, each once.
    pub files: Vec<Found>,
    /// What could not be read, ready to be shown.
    pub errors: Vec<String>,
    /// Files that were named and are left alone, with the reason.
    pub skipped: Vec<String>,
    /// How many files were named and are excluded.
    pub excluded: usize,
    /// The folders that were walked, as absolute paths.
    pub folders: Vec<PathBuf>,
}

/// Finds the Python files in `paths`, and the stub files there that stand for other code.
///
/// Folders are walked in parallel. Ignored by git and excluded are only files found that way; what
/// is named itself is taken, unless it is a stub, which is never rewritten, or the configuration asks to exclude it all
/// the same.
pub fn discover(paths: &[PathBuf], resolver: &Resolver) -> Result<Discovered, ConfigError> {
    let mut discovered = Discovered::default();
    let mut folders = Vec::new();
    for path in paths {
        let Ok(absolute) = absolute(path) else {
            discovered
                .errors
                .push(format!("{}: not a valid path", path.display()));
            continue;
        };
        match std::fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => folders.push((path.clone(), absolute)),
            Ok(_) if is_stub(path) => discovered.skipped.push(format!(
                "{}: stub files (`.pyi`) are not rewritten",
                path.display()
            )),
            // Others may have no end, or never say anything.
            Ok(metadata) if !metadata.is_file() => discovered
                .errors
                .push(format!("{}: not a regular file", path.display())),
            Ok(_) => {
                let config = resolver.for_folder(absolute.parent().unwrap_or(&absolute))?;
                if config.force_exclude && config.excludes_with_parents(&absolute) {
                    discovered.excluded += 1;
                } else {
                    discovered.files.push(Found {
                        shown: clean(path),
                        path: absolute,
                        named: true,
                    });
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                discovered
                    .errors
                    .push(format!("{}: file not found", path.display()));
            }
            Err(error) => discovered
                .errors
                .push(format!("{}: {error}", path.display())),
        }
    }
    for (shown, absolute) in folders {
        walk(&shown, &absolute, resolver, &mut discovered)?;
        discovered.folders.push(absolute);
    }
    discovered
        .files
        .sort_by_cached_key(|found| in_order(&found.shown));
    discovered
        .files
        .dedup_by(|one, other| one.path == other.path);
    drop_other_names(&mut discovered.files);
    Ok(discovered)
}

/// Of several names of one file keeps one: that which is no link, or the first.
fn drop_other_names(files: &mut Vec<Found>) {
    let is_link = |found: &Found| found.path.is_symlink();
    if !files.iter().any(is_link) {
        return;
    }
    let mut known: FxHashSet<PathBuf> = files
        .iter()
        .filter(|found| !is_link(found))
        .filter_map(|found| found.path.canonicalize().ok())
        .collect();
    files.retain(|found| {
        !is_link(found)
            || found
                .path
                .canonicalize()
                .is_ok_and(|file| known.insert(file))
    });
}

fn walk(
    shown: &Path,
    absolute: &Path,
    resolver: &Resolver,
    discovered: &mut Discovered,
) -> Result<(), ConfigError> {
    let config = resolver.for_folder(absolute)?;
    let in_documents = config.markdown;
    let failure: Mutex<Option<ConfigError>> = Mutex::new(None);
    let root = absolute
        .canonicalize()
        .unwrap_or_else(|_| absolute.to_path_buf());
    let (sender, receiver) = mpsc::channel();
    let walker = WalkBuilder::new(absolute)
        .hidden(false)
        .git_ignore(config.respect_gitignore)
        .git_exclude(config.respect_gitignore)
        .git_global(config.respect_gitignore)
        .ignore(config.respect_gitignore)
        .parents(config.respect_gitignore)
        .require_git(true)
        .follow_links(false)
        .build_parallel();
    walker.run(|| {
        let sender = sender.clone();
        let failure = &failure;
        let root = &root;
        Box::new(move |entry| {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    let _ = sender.send(Err(error.to_string()));
                    return WalkState::Continue;
                }
            };
            let path = entry.path();
            let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
            let is_code = |path: &Path| {
                path.extension().is_some_and(|extension| extension == "py")
                    || is_notebook(path)
                    || in_documents && is_document(path)
            };
            if !is_folder && !is_code(path) && !stands_alone(path) {
                return WalkState::Continue;
            }
            if entry.depth() > 0 {
                let folder = if is_folder {
                    path
                } else {
                    path.parent().unwrap_or(path)
                };
                match resolver.for_folder(folder) {
                    Ok(config) if config.excludes(path) => return WalkState::Skip,
                    Ok(_) => {}
                    Err(error) => {
                        if let Ok(mut failure) = failure.lock() {
                            failure.get_or_insert(error);
                        }
                        return WalkState::Quit;
                    }
                }
            }
            // A link to a file of the folder is followed. What lies elsewhere was not asked for, and a link to a folder
            // may lead round in circles.
            let is_inside = || path.canonicalize().is_ok_and(|file| file.starts_with(root));
            let is_file = entry.file_type().is_some_and(|kind| kind.is_file())
                || entry.path_is_symlink() && path.is_file() && is_inside();
            if is_file {
                let _ = sender.send(Ok(path.to_path_buf()));
            }
            WalkState::Continue
        })
    });
    drop(sender);
    if let Some(error) = failure.into_inner().ok().flatten() {
        return Err(error);
    }
    for entry in receiver {
        match entry {
            Ok(path) => {
                let below = path.strip_prefix(absolute).unwrap_or(&path);
                discovered.files.push(Found {
                    shown: clean(&shown.join(below)),
                    path,
                    named: false,
                });
            }
            Err(error) => discovered.errors.push(error),
        }
    }
    Ok(())
}

/// The absolute path that `path` means, without `.` and `..`: everything that is asked about a file is asked by this,
/// however its path was written.
///
/// What stands behind a `..` is looked for where the system would find it, through links as well. `Err` where there is
/// no working folder.
pub fn absolute(path: &Path) -> std::io::Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    let is_up = |component: &Component<'_>| matches!(component, Component::ParentDir);
    let components: Vec<Component<'_>> = absolute.components().collect();
    let Some(last) = components.iter().rposition(is_up) else {
        return Ok(clean(&absolute));
    };
    let (before, behind) = components.split_at(last + 1);
    let before: PathBuf = before.iter().collect();
    let mut folder = before.canonicalize().unwrap_or_else(|_| {
        // It is yet to be made, as standard input may go by its name: nothing there is a link.
        let mut folder = PathBuf::new();
        for component in before.components() {
            if is_up(&component) {
                folder.pop();
            } else {
                folder.push(component);
            }
        }
        folder
    });
    folder.extend(behind);
    Ok(clean(&folder))
}

/// Whether `path` is a stub file.
pub fn is_stub(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "pyi")
}

/// Whether `path` is a stub file of a module that has no code beside it in Python: only there it says what the module
/// has.
fn stands_alone(path: &Path) -> bool {
    is_stub(path) && !path.with_extension("py").is_file() && !is_in_stub_folder(path)
}

/// The folder where pyright looks for stubs of other people's packages, unless it is told otherwise.
pub(crate) const STUB_FOLDER: &str = "typings";

/// Whether a file is among the stubs that a project has for other people's packages.
fn is_in_stub_folder(path: &Path) -> bool {
    let mut folders = path.ancestors().skip(1);
    folders.any(|folder| folder.file_name().is_some_and(|name| name == STUB_FOLDER))
}

/// A key by which paths sort as they do by their components, at a fraction of the time.
fn in_order(path: &Path) -> Vec<u8> {
    let is_separator = |byte: u8| std::path::is_separator(char::from(byte));
    let bytes = path.as_os_str().as_encoded_bytes().iter();
    bytes
        .map(|byte| if is_separator(*byte) { 0 } else { *byte })
        .collect()
}

/// The path without `.` in it.
fn clean(path: &Path) -> PathBuf {
    path.components()
        .filter(|component| !matches!(component, Component::CurDir))
        .collect()
}
