//! `asyncfix clean`: removes caches.

use std::path::{Path, PathBuf};

use asyncfix_engine::cache::{self, Place};
use asyncfix_engine::discovery;

use super::{CLEAN, Stop, note};
use crate::args::CacheArgs;

pub(super) fn run(paths: &[PathBuf], args: &CacheArgs) -> Result<u8, Stop> {
    let folders = match args.place() {
        Place::Folder(folder) => vec![folder],
        Place::Nowhere | Place::Project => {
            let mut folders = Vec::new();
            for path in paths {
                folders.extend(cache::folder_for(&discovery::absolute(path)?));
            }
            folders.sort();
            folders.dedup();
            folders
        }
    };
    let mut removed = 0;
    for folder in folders {
        if remove(&folder)? {
            note(&format!("Removed {}", folder.display()));
            removed += 1;
        }
    }
    if removed == 0 {
        note("No cache found");
    }
    Ok(CLEAN)
}

fn remove(folder: &Path) -> Result<bool, Stop> {
    cache::remove(folder)
        .map_err(|error| Stop::Error(format!("cannot remove {}: {error}", folder.display())))
}
