//! Putting a rewritten file in the place of the old one, or leaving everything as it is.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::TempPath;

/// A new content for a file that lies beside it, whole, and has yet to take its place.
pub struct Staged {
    /// Closed: a run may have more files to write at once than it may have open.
    file: TempPath,
    /// Whether it takes the name of the old file, which is whole at every moment. If not, the old file is written: it has
    /// other names, or something that a new file cannot have.
    replaces: bool,
    change: Change,
}

/// What one file held, and what it holds then.
struct Change {
    target: PathBuf,
    old: Vec<u8>,
    new: Vec<u8>,
}

/// Why files that belong together were not written.
pub struct NotWritten {
    /// The place in the list of the one that could not be.
    pub number: usize,
    /// What was wrong with it.
    pub reason: String,
    /// Those before it that hold the new content all the same, because the old one could not be put back: their places, and
    /// why.
    pub left: Vec<(usize, String)>,
}

/// Puts the new contents in the places of the old ones: all of them, or none. Where one fails, those before it get their old
/// contents back.
pub fn persist_all(files: Vec<Staged>) -> Result<(), NotWritten> {
    let mut written = Vec::new();
    for (number, file) in files.into_iter().enumerate() {
        match file.persist() {
            Ok(change) => written.push((number, change)),
            Err(reason) => {
                let back = written.into_iter().rev();
                let left = back.filter_map(|(number, change)| Some((number, change.undo().err()?)));
                return Err(NotWritten {
                    number,
                    reason,
                    left: left.collect(),
                });
            }
        }
    }
    Ok(())
}

impl Change {
    /// Puts the old content back, unless somebody else has written the file since.
    fn undo(self) -> Result<(), String> {
        if let Some(staged) = Staged::new(&self.target, &self.new, &self.old)? {
            staged.persist()?;
        }
        Ok(())
    }
}

impl Staged {
    /// Prepares to replace the content of the file at `path`, which held `old` when it was read, by
    /// `new`.
    ///
    /// The new content goes to a temporary file in the same folder, which takes the old one's owner and
    /// permissions and then its name, so that the file is whole at every moment. A file with several names
    /// (hard links), with extended attributes or of an owner that we cannot give it is written itself
    /// instead. Symbolic links are followed. `None` where the new content is there already, because the
    /// file was written by another of its names. `Err` says what is wrong: the file was written by somebody
    /// else since it was read, or it may not be written, or the folder does not let us.
    pub fn new(path: &Path, old: &[u8], new: &[u8]) -> Result<Option<Self>, String> {
        let target = fs::canonicalize(path).map_err(|error| told(&error))?;
        let current = fs::read(&target).map_err(|error| told(&error))?;
        if current == new {
            return Ok(None);
        }
        if current != old {
            return Err("the file changed while asyncfix was running; run it again".to_owned());
        }
        let metadata = fs::metadata(&target).map_err(|error| told(&error))?;
        // Whoever may write the folder, but not the file, does not get to replace it.
        if metadata.permissions().readonly()
            || OpenOptions::new().write(true).open(&target).is_err()
        {
            return Err("it is read-only".to_owned());
        }
        let folder = target.parent().ok_or("has no parent folder")?;
        let mut file = tempfile::Builder::new()
            .prefix(".asyncfix-")
            .tempfile_in(folder)
            .map_err(|error| {
                format!(
                    "cannot create a temporary file next to it: {}",
                    told(&error)
                )
            })?;
        file.write_all(new).map_err(|error| told(&error))?;
        let replaces = owner::is_kept(&target, &metadata, file.as_file());
        file.as_file()
            .set_permissions(metadata.permissions())
            .map_err(|error| told(&error))?;
        Ok(Some(Self {
            file: file.into_temp_path(),
            replaces,
            change: Change {
                target,
                old: current,
                new: new.to_vec(),
            },
        }))
    }

    /// Puts the new content in the place of the old one. `Err` says why that did not work; then nothing
    /// has changed.
    fn persist(self) -> Result<Change, String> {
        let Change { target, old, new } = &self.change;
        if self.replaces {
            self.file
                .persist(target)
                .map_err(|error| told(&error.error))?;
        } else {
            write_within(target, new).map_err(|error| {
                // What was there fits where it was.
                let _ = write_within(target, old);
                told(&error)
            })?;
        }
        Ok(self.change)
    }
}

fn write_within(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.write_all(content)?;
    file.set_len(content.len() as u64)?;
    file.sync_all()
}

/// What went wrong, without the number that the operating system gives it.
fn told(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error ") {
        Some((before, _)) => before.to_owned(),
        None => text,
    }
}

#[cfg(unix)]
mod owner {
    use std::fs::Metadata;
    use std::os::unix::fs::{MetadataExt, fchown};
    use std::path::Path;

    use super::File;

    /// Gives `new` what the file at `path` has beside its content and its permissions. Whether that is all.
    pub(super) fn is_kept(path: &Path, old: &Metadata, new: &File) -> bool {
        if old.nlink() > 1 || has_attributes(path) {
            return false;
        }
        let is_same = |new: &Metadata| new.uid() == old.uid() && new.gid() == old.gid();
        new.metadata().is_ok_and(|new| is_same(&new))
            || fchown(new, Some(old.uid()), Some(old.gid())).is_ok()
    }

    /// Whether a file has extended attributes, access control lists among them, that a new file does not get by itself.
    fn has_attributes(path: &Path) -> bool {
        let mut names = vec![0_u8; 1 << 16];
        // A file system without any has none.
        let Ok(length) = rustix::fs::listxattr(path, names.as_mut_slice()) else {
            return false;
        };
        names.truncate(length);
        let mut names = names
            .split(|byte| *byte == 0)
            .filter(|name| !name.is_empty());
        // Labels of security modules are given to new files by these.
        names.any(|name| !name.starts_with(b"security."))
    }
}

#[cfg(not(unix))]
mod owner {
    use std::fs::Metadata;
    use std::path::Path;

    use super::File;

    /// A new file in a folder belongs to whoever the folder says.
    pub(super) fn is_kept(_path: &Path, _old: &Metadata, _new: &File) -> bool {
        true
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on must stop")]
mod tests {
    use std::fs;

    use super::{Staged, persist_all};

    #[test]
    fn where_one_cannot_be_written_the_others_get_their_content_back() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second, other] = ["a.py", "b.py", "c.py"].map(|name| folder.path().join(name));
        for path in [&first, &second, &other] {
            fs::write(path, "old\n").unwrap();
        }
        // A file with two names is written, not replaced.
        fs::hard_link(&second, folder.path().join("d.py")).unwrap();
        let staged = [&first, &second, &other]
            .map(|path| Staged::new(path, b"old\n", b"new\n").unwrap().unwrap());
        fs::remove_file(&other).unwrap();
        fs::create_dir(&other).unwrap();

        let failed = persist_all(staged.into()).unwrap_err();
        assert_eq!((failed.number, failed.left), (2, Vec::new()));
        for path in [first, second] {
            assert_eq!(fs::read_to_string(path).unwrap(), "old\n");
        }
    }

    #[test]
    fn what_somebody_else_has_written_since_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.py");
        fs::write(&path, "old\n").unwrap();
        let staged = Staged::new(&path, b"old\n", b"new\n").unwrap().unwrap();
        let change = staged.persist().unwrap();
        fs::write(&path, "theirs\n").unwrap();
        assert!(change.undo().is_err());
        assert_eq!(fs::read_to_string(path).unwrap(), "theirs\n");
    }
}
