//! Fixes that change several files: each is made in all of them, or in none.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use asyncfix_codemods::codemod::Codemod;
use asyncfix_codemods::edit::{proof, rewrite};
use asyncfix_codemods::finding::{Elsewhere, Finding, Remedy};
use asyncfix_codemods::traversal;
use rayon::prelude::*;
use ruff_db::PythonFile;
use ruff_db::parsed::parsed_module;
use ruff_db::source::source_text;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::choose::Plan;
use crate::config::Config;
use crate::database::Database;
use crate::index::system_path;
use crate::problem::{Kind, Problem};
use crate::run::{Fixed, changes_others};
use crate::source::{self};

use crate::rounds::{Active, Given, ROUNDS, is_called_off, judged, least, wanted, with_context};

/// Makes the rewrites that change several files. Each is made in all of them, or in none.
pub(crate) fn across(
    active: &mut Vec<Active>,
    database: &mut Database,
    given: &Given<'_>,
    plan: Plan<'_>,
) {
    for _ in 0..ROUNDS {
        let wanted: Vec<(usize, Fixed, Across)> = active
            .par_iter()
            .enumerate()
            .filter(|(_, file)| {
                file.error.is_none() && changes_others(file.codemods.iter().copied())
            })
            .map_with(database.clone(), |database, (position, file)| {
                let rewrites = rewrites_across(database, file, given, plan);
                let of_file = move |(fixed, changes)| (position, fixed, changes);
                rewrites.into_iter().map(of_file).collect::<Vec<_>>()
            })
            .flatten()
            .collect();
        let mut touched: FxHashSet<PathBuf> = FxHashSet::default();
        let mut is_changed = false;
        for (position, fixed, changes) in wanted {
            // The others have their turn in the next round.
            let paths = changes.paths();
            if paths.iter().any(|path| touched.contains(path)) {
                continue;
            }
            touched.extend(paths);
            let texts = match changes {
                Across::Edits(changes) => rewritten(database, &changes, given),
                Across::Texts(texts) => Ok(texts),
            };
            match texts.and_then(|texts| put(active, database, texts, given)) {
                Ok(()) => {
                    is_changed = true;
                    if let Some(file) = active.get_mut(position) {
                        file.fixed.push(fixed);
                    }
                }
                Err(reason) => {
                    if let Some(file) = active.get_mut(position) {
                        let message = format!(
                            "not changed: {reason} (bug in {}, please report it)",
                            fixed.code
                        );
                        file.error = Some(Problem::new(&file.shown, Kind::Internal, message));
                    }
                }
            }
        }
        if !is_changed {
            break;
        }
    }
}

/// Takes back what was changed together with a file that has to be left as it was.
pub(crate) fn give_up_together(finished: &mut [Active]) {
    let failed: FxHashMap<usize, String> = finished
        .iter()
        .filter(|file| file.error.is_some())
        .filter_map(|file| Some((file.group?, file.shown.display().to_string())))
        .collect();
    for file in finished {
        let Some(other) = file.group.and_then(|group| failed.get(&group)) else {
            continue;
        };
        file.text = Arc::clone(&file.source.text);
        file.fixed.clear();
        // They are those of the text that is given up.
        file.findings.clear();
        file.complaints.clear();
        let message = format!("not changed, because {other} must change with it and can't");
        file.error
            .get_or_insert_with(|| Problem::new(&file.shown, Kind::Internal, message));
    }
}

/// What a fix changes in several files.
enum Across {
    Edits(Vec<Elsewhere>),
    /// What somebody wrote in the place of it.
    Texts(Vec<(PathBuf, Arc<str>)>),
}

impl Across {
    fn paths(&self) -> Vec<PathBuf> {
        match self {
            Self::Edits(changes) => changes.iter().map(|change| change.path.clone()).collect(),
            Self::Texts(texts) => texts.iter().map(|(path, _)| path.clone()).collect(),
        }
    }
}

/// The rewrites of a file that change others too: what is fixed, and what changes.
fn rewrites_across(
    database: &Database,
    file: &Active,
    given: &Given<'_>,
    plan: Plan<'_>,
) -> Vec<(Fixed, Across)> {
    let codemods: Vec<&'static dyn Codemod> = file
        .codemods
        .iter()
        .copied()
        .filter(|codemod| codemod.changes_other_files())
        .collect();
    let attempt = catch_unwind(AssertUnwindSafe(|| {
        with_context(database, file, given, |context, _| {
            let findings = judged(traversal::check(context, &codemods, &[]), file, plan);
            let is_across = |finding: &Finding| {
                let rewrite = finding.remedy.rewrite();
                rewrite.is_some_and(|rewrite| !rewrite.elsewhere.is_empty())
            };
            let across = findings.into_iter().filter(is_across).collect();
            wanted(database, context, across, file, given, plan)
        })
    }));
    let findings = match attempt {
        Ok(Some(Ok(findings))) => findings,
        Ok(Some(Err(instead))) => return vec![(instead.fixed, Across::Texts(instead.texts))],
        Err(panic) if is_called_off(&*panic) => resume_unwind(panic),
        // It is met again, and reported, when the file has its own rounds.
        Ok(None) | Err(_) => Vec::new(),
    };
    findings
        .into_iter()
        .filter_map(|finding| match &finding.remedy {
            Remedy::Rewrite(rewrite) if rewrite.applicability >= least(file) => {
                let fixed = Fixed::of(&finding, &file.text);
                let rewrite = rewrite.clone();
                let own = Elsewhere {
                    path: file.path.as_std_path().to_path_buf(),
                    edits: rewrite::in_order(rewrite.shared, rewrite.edits),
                };
                let changes = std::iter::once(own).chain(rewrite.elsewhere).collect();
                Some((fixed, Across::Edits(changes)))
            }
            _ => None,
        })
        .collect()
}

/// The new texts that some changes lead to, each proved.
fn rewritten(
    database: &Database,
    changes: &[Elsewhere],
    given: &Given<'_>,
) -> Result<Vec<(PathBuf, Arc<str>)>, String> {
    let mut texts = Vec::new();
    for change in changes {
        let shown = change.path.display();
        let python_file = python_file_of(database, &change.path, given)?;
        let module = parsed_module(database, python_file).load(database);
        let text = source_text(database, python_file.file(database));
        let new = rewrite::apply(text.as_str(), &change.edits);
        proof::prove(text.as_str(), &module, &new, &change.edits, &[])
            .map_err(|flaw| format!("in {shown} {flaw}"))?;
        texts.push((change.path.clone(), Arc::from(new)));
    }
    Ok(texts)
}

/// A file as it is now. `Err` says why there is none.
pub(crate) fn python_file_of<'db>(
    database: &'db Database,
    path: &Path,
    given: &Given<'_>,
) -> Result<PythonFile<'db>, String> {
    let shown = path.display();
    let config = config_of(path, given)?;
    let path = system_path(path).ok_or(format!("{shown} is not valid UTF-8"))?;
    let program_file = database
        .file(&path, given.index.view_of(&path, &config))
        .ok_or(format!("{shown} no longer exists"))?;
    Ok(program_file.python_file(database))
}

fn config_of(path: &Path, given: &Given<'_>) -> Result<Arc<Config>, String> {
    let folder = path.parent().unwrap_or(path);
    given
        .resolver
        .for_folder(folder)
        .map_err(|error| error.0.clone())
}

/// Takes new texts over. Nothing is taken over where one of the files cannot be read.
fn put(
    active: &mut Vec<Active>,
    database: &mut Database,
    texts: Vec<(PathBuf, Arc<str>)>,
    given: &Given<'_>,
) -> Result<(), String> {
    let mut positions: FxHashMap<PathBuf, usize> = active
        .iter()
        .map(|file| file.path.as_std_path().to_path_buf())
        .zip(0..)
        .collect();
    let mut new = Vec::new();
    for (path, _) in &texts {
        if positions.contains_key(path) {
            continue;
        }
        let index = given.index.project.number_of(path);
        let index = index.ok_or(format!("{} was not passed to asyncfix", path.display()))?;
        let source = source::read(path).map_err(|reason| reason.clone())?;
        positions.insert(path.clone(), active.len() + new.len());
        let shown = given.shown.get(index).cloned().unwrap_or_default();
        let config = config_of(path, given)?;
        let path = system_path(path).unwrap_or_default();
        let view = given.index.view_of(&path, &config);
        new.push(Active::new(index, shown, path, view, config, source));
    }
    active.extend(new);
    // What each of them was changed together with before comes along.
    let touched: FxHashSet<usize> = texts
        .iter()
        .filter_map(|(path, _)| positions.get(path).copied())
        .collect();
    let Some(group) = touched.iter().min().copied() else {
        return Ok(());
    };
    let joined: FxHashSet<usize> = touched
        .iter()
        .filter_map(|position| active.get(*position)?.group)
        .collect();
    for (position, file) in active.iter_mut().enumerate() {
        let is_joined = file.group.is_some_and(|group| joined.contains(&group));
        if is_joined || touched.contains(&position) {
            file.group = Some(group);
        }
    }
    for (path, text) in texts {
        let position = positions.get(&path);
        if let Some(file) = position.and_then(|position| active.get_mut(*position)) {
            database.set_text(&file.path, Arc::clone(&text));
            file.text = text;
            // A coroutine function has mistakes that a plain one cannot have.
            file.codemods = file.all_codemods();
        }
    }
    Ok(())
}
