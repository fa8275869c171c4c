//! What git knows of files: which lines were changed since a revision, and whether there is something to be committed.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use asyncfix_engine::lines::Lines;

/// What was changed since a revision, by the absolute paths of the files: the lines, or nothing for a file that git does
/// not know yet, all lines of which are new.
pub type Changes = BTreeMap<PathBuf, Option<Lines>>;

/// Runs git in `folder`. `Err` has what it says is wrong.
fn git<I: AsRef<OsStr>>(
    folder: &Path,
    arguments: impl IntoIterator<Item = I>,
) -> Result<Vec<u8>, String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        // What people set for themselves must not change what is read here.
        .args(["-c", "core.quotePath=false", "-c", "diff.external="])
        .args(arguments)
        .output()
        .map_err(|error| format!("cannot run git: {error}"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let message = String::from_utf8_lossy(&output.stderr);
    let line = message.lines().next().unwrap_or("no reason given");
    Err(format!("git: {}", line.trim_start_matches("fatal: ")))
}

/// The folder at the top of the repository that `folder` is in.
fn top_of(folder: &Path) -> Result<PathBuf, String> {
    let path = git(folder, ["rev-parse", "--show-toplevel"])?;
    Ok(PathBuf::from(String::from_utf8_lossy(&path).trim_end()))
}

fn paths_of(listed: &[u8], top: &Path) -> Vec<PathBuf> {
    listed
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
        .map(|name| top.join(String::from_utf8_lossy(name).as_ref()))
        .collect()
}

/// What is different in the files of the repository around `folder` from where the branch left `revision`: committed,
/// staged or not. `Err` where git doesn't know the revision, or there is no repository.
pub fn changes_since(revision: &str, folder: &Path) -> Result<Changes, String> {
    let top = top_of(folder)?;
    let own = ["rev-parse", "--verify", "--quiet", "--end-of-options"];
    let commit = format!("{revision}^{{commit}}");
    git(&top, own.into_iter().chain([commit.as_str()]))
        .map_err(|_| format!("git doesn't know the revision `{revision}`"))?;
    let base = git(&top, ["merge-base", revision, "HEAD"]);
    let base = base.map_or_else(
        |_| revision.to_owned(),
        |base| String::from_utf8_lossy(&base).trim().to_owned(),
    );
    let names = [
        "diff",
        "--name-only",
        "-z",
        "--no-ext-diff",
        "--diff-filter=d",
    ];
    let listed = git(&top, names.into_iter().chain([base.as_str(), "--"]))?;
    let others = git(&top, ["ls-files", "-z", "--others", "--exclude-standard"])?;
    let mut changes = Changes::new();
    for path in paths_of(&listed, &top) {
        let options = [
            "diff",
            "-U0",
            "--no-color",
            "--no-ext-diff",
            "--no-textconv",
        ];
        let arguments = options.into_iter().chain([base.as_str(), "--"]);
        let arguments = arguments.map(OsStr::new).chain([path.as_os_str()]);
        let diff = git(&top, arguments)?;
        changes.insert(path, Some(lines_of(&String::from_utf8_lossy(&diff))));
    }
    changes.extend(paths_of(&others, &top).into_iter().map(|path| (path, None)));
    Ok(changes)
}

/// The new lines of a diff without context.
fn lines_of(diff: &str) -> Lines {
    let hunks = diff.lines().filter_map(|line| {
        let (_, rest) = line.strip_prefix("@@ -")?.split_once(" +")?;
        let (place, _) = rest.split_once(" @@")?;
        let (start, count) = place.split_once(',').unwrap_or((place, "1"));
        let (start, count): (usize, usize) = (start.parse().ok()?, count.parse().ok()?);
        (count > 0).then(|| start..=start + count - 1)
    });
    Lines::new(hunks.collect())
}

/// Which of `paths`, which are absolute, have changes that are not committed, or are not under version control.
/// `Err` where there is no repository.
pub fn not_committed(paths: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let mut by_folder: BTreeMap<&Path, Vec<&PathBuf>> = BTreeMap::new();
    for path in paths {
        by_folder
            .entry(path.parent().unwrap_or(path))
            .or_default()
            .push(path);
    }
    let mut found = Vec::new();
    for (folder, paths) in by_folder {
        let status = [
            "status",
            "--porcelain",
            "-z",
            "--ignored",
            "--no-renames",
            "--",
        ];
        let top = top_of(folder)?;
        let arguments = status.map(OsStr::new).into_iter();
        let listed = git(
            folder,
            arguments.chain(paths.iter().map(|path| path.as_os_str())),
        )?;
        let entries = listed.split(|byte| *byte == 0);
        // Two letters and a blank stand before the name.
        let names = entries.filter_map(|entry| entry.get(3..));
        found.extend(names.map(|name| top.join(String::from_utf8_lossy(name).as_ref())));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::{Lines, lines_of};

    #[test]
    fn new_lines_are_read_from_the_heads_of_hunks() {
        let diff = "--- a/x.py\n+++ b/x.py\n@@ -3 +3,2 @@ def f():\n-a\n+b\n+c\n@@ -9,2 +10,0 @@\n-d\n-e\n@@ -20 +19 @@\n-f\n+@@ -1 +1 @@\n";
        assert_eq!(lines_of(diff), Lines::new(vec![3..=4, 19..=19]));
    }
}
