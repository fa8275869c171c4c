//! A baseline: problems of old code that are known and do not count, by file and rule.
//!
//! Lines move when people work on a file, so the number of problems of a rule in a file is what is kept. Where there are
//! more than that, all of them are shown: nothing tells which one is new.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use asyncfix_engine::run::Outcome;

/// The version of the format.
const VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    /// By file, with `/` between the parts of its path from the folder of the baseline; then by rule.
    problems: BTreeMap<String, BTreeMap<String, usize>>,
}

/// A baseline, and where it is kept.
#[derive(Debug)]
pub struct Baseline {
    path: PathBuf,
    problems: BTreeMap<String, BTreeMap<String, usize>>,
}

impl Baseline {
    /// Reads the baseline at `path`. Where it is to be updated, one that does not exist yet is empty.
    ///
    /// `Err` says what is wrong with the file.
    pub fn read(path: &Path, is_updated: bool) -> Result<Self, String> {
        let shown = path.display();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                if is_updated {
                    return Ok(Self {
                        path: path.to_path_buf(),
                        problems: BTreeMap::new(),
                    });
                }
                return Err(format!(
                    "{shown}: baseline not found; make it with --update-baseline"
                ));
            }
            Err(error) => return Err(format!("{shown}: {error}")),
        };
        let document: Document = serde_json::from_str(&text).map_err(|error| {
            format!(
                "{shown}:{}:{}: not a baseline of asyncfix: {error}",
                error.line(),
                error.column()
            )
        })?;
        if document.version != VERSION {
            return Err(format!(
                "{shown}: this asyncfix reads version {VERSION} of baselines, and this one has version {}",
                document.version
            ));
        }
        Ok(Self {
            path: path.to_path_buf(),
            problems: document.problems,
        })
    }

    fn key_of(&self, path: &Path) -> String {
        let absolute = std::path::absolute(&self.path).unwrap_or_default();
        let folder = absolute.parent().unwrap_or(&absolute);
        let relative = path.strip_prefix(folder).unwrap_or(path);
        relative.to_string_lossy().replace('\\', "/")
    }

    /// Takes out of `outcomes` what the baseline knows. What comes back are lines about entries that are out of date:
    /// `looked_at` has all files of the run, by their absolute paths, and the others are not judged, unless they are gone.
    pub fn apply(&self, outcomes: &mut [Outcome], looked_at: &[PathBuf]) -> Vec<String> {
        let mut left = self.problems.clone();
        for outcome in outcomes {
            let key = self.key_of(&outcome.path);
            let Some(known) = left.get_mut(&key) else {
                continue;
            };
            let counts = counts_of(outcome);
            for (code, count) in &counts {
                if let Some(kept) = known.get_mut(code) {
                    *kept = kept.saturating_sub(*count);
                }
            }
            let known = self.problems.get(&key);
            outcome.findings.retain(|finding| {
                let code = finding.rule.code;
                let known = known.and_then(|known| known.get(code)).copied();
                counts.get(code).copied() > known.or(Some(0))
            });
        }
        let looked_at: BTreeSet<String> = looked_at.iter().map(|path| self.key_of(path)).collect();
        let mut stale = Vec::new();
        for (file, codes) in left {
            let is_gone = !self.path.with_file_name(&file).exists();
            if !is_gone && !looked_at.contains(&file) {
                continue;
            }
            for (code, count) in codes.into_iter().filter(|(_, count)| *count > 0) {
                let why = if is_gone {
                    ", and the file is gone"
                } else {
                    ""
                };
                stale.push(format!(
                    "{file}: {count} × {code} less than in the baseline{why}"
                ));
            }
        }
        stale
    }

    /// Writes what is left in `outcomes` as the baseline. Entries of files that exist and were not looked at stay.
    ///
    /// `Err` where that does not work. What comes back is the number of problems in it.
    pub fn update(mut self, outcomes: &[Outcome], looked_at: &[PathBuf]) -> Result<usize, String> {
        let looked_at: BTreeSet<String> = looked_at.iter().map(|path| self.key_of(path)).collect();
        let path = self.path.clone();
        self.problems
            .retain(|file, _| !looked_at.contains(file) && path.with_file_name(file).exists());
        for outcome in outcomes
            .iter()
            .filter(|outcome| !outcome.findings.is_empty())
        {
            self.problems
                .insert(self.key_of(&outcome.path), counts_of(outcome));
        }
        let total = self.problems.values().flat_map(BTreeMap::values).sum();
        let document = Document {
            version: VERSION,
            problems: self.problems,
        };
        let text = serde_json::to_string_pretty(&document).map_err(|error| error.to_string())?;
        std::fs::write(&path, text + "\n")
            .map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(total)
    }
}

fn counts_of(outcome: &Outcome) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for finding in &outcome.findings {
        *counts.entry(finding.rule.code.to_owned()).or_default() += 1;
    }
    counts
}
