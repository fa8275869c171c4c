//! Putting a rewritten file in the place of the old one, or leaving everything as it is.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A new content for a file that lies beside it, whole, and has yet to take its place.
pub struct Staged {
    file: NamedTempFile,
    target: PathBuf,
}

impl Staged {
    /// Prepares to replace the content of the file at `path`, which held `old` when it was read, by
    /// `new`.
    ///
    /// The new content goes to a temporary file in the same folder, which takes the old one's
    /// permissions and then its name, so that the file is whole at every moment. Symbolic links are
    /// followed. `Err` says what is wrong: the file was written by somebody else since it was read, or
    /// the folder does not let us.
    pub fn new(path: &Path, old: &[u8], new: &[u8]) -> Result<Self, String> {
        let target = fs::canonicalize(path).map_err(|error| error.to_string())?;
        let current = fs::read(&target).map_err(|error| error.to_string())?;
        if current != old {
            return Err("the file changed while asyncfix was running; run it again".to_owned());
        }
        let metadata = fs::metadata(&target).map_err(|error| error.to_string())?;
        if metadata.permissions().readonly() {
            return Err("read-only".to_owned());
        }
        let folder = target.parent().ok_or("has no parent folder")?;
        let mut file = tempfile::Builder::new()
            .prefix(".asyncfix-")
            .tempfile_in(folder)
            .map_err(|error| format!("cannot create a temporary file next to it: {error}"))?;
        file.write_all(new).map_err(|error| error.to_string())?;
        file.as_file()
            .set_permissions(metadata.permissions())
            .map_err(|error| error.to_string())?;
        Ok(Self { file, target })
    }

    /// Puts the new content in the place of the old one. `Err` says why that did not work; then nothing
    /// has changed.
    pub fn persist(self) -> Result<(), String> {
        self.file
            .persist(&self.target)
            .map_err(|error| error.to_string())?;
        Ok(())
    }
}
