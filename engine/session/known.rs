//! What a session knows of files that belong together.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use asyncfix_analysis::facts::summary::Summary;
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

use super::{Cancellation, Checked, SessionError};
use crate::cache::{self, Cache};
use crate::config::{ConfigError, Resolver};
use crate::database::Database;
use crate::discovery::Found;
use crate::embedded::{is_document, is_notebook};
use crate::first_look::{Aim, first_look};
use crate::index::{Index, system_path};
use crate::recall::{Recall, Seen, seen_anew};
use crate::roots::Whole;
use crate::rounds::Active;
use crate::run::{Input, decoded};
use crate::stamp::Stamp;
use crate::surroundings::Surroundings;

/// How many files make a project one in which some things are put off.
pub(super) const MANY_FILES: usize = 500;

/// What belongs together, as far as it is known.
#[derive(Default)]
pub(super) struct Known {
    /// The files, in their order; those beside them that were only asked about come behind.
    pub(super) files: Vec<PathBuf>,
    pub(super) numbers: FxHashMap<PathBuf, usize>,
    pub(super) summaries: Vec<Option<Arc<Summary>>>,
    /// What the files were on disk when they were summarized.
    pub(super) stamps: Vec<Option<Stamp>>,
    /// Files that are to be summarized, because they are new or have changed.
    pub(super) pending: FxHashSet<usize>,
    /// Whether files were made or removed since they were listed.
    pub(super) is_listing_old: bool,
    /// `None` where a summary has changed since it was linked.
    pub(super) index: Option<Arc<Index>>,
    /// The one from before the last changes, where the files are still the same.
    pub(super) old_index: Option<Arc<Index>>,
    pub(super) database: Option<Database>,
    /// Texts that the database has to be told about: new ones, or `None` for what is on disk.
    pub(super) changed: FxHashMap<PathBuf, Option<Arc<str>>>,
    /// Whether it knows the files that are not in UTF-8.
    pub(super) is_decoded: bool,
    /// Counts what may change an answer.
    pub(super) revision: u64,
    pub(super) checked: FxHashMap<PathBuf, (u64, Checked)>,
}

impl Known {
    /// Lists the files, where that is to be done, and summarizes those that are new or have changed. `path` becomes one
    /// of them in any case.
    pub(super) fn bring_up_to_date(
        &mut self,
        path: &Path,
        whole: &Whole,
        resolver: &Resolver,
        open: &FxHashMap<PathBuf, Arc<str>>,
        place: &cache::Place,
        cancellation: &Cancellation,
    ) -> Result<(), SessionError> {
        if self.files.is_empty() || self.is_listing_old {
            self.list(whole, resolver, open)?;
        }
        if !self.numbers.contains_key(path) {
            self.add(path.to_path_buf());
        }
        let pending: Vec<usize> = self.pending.iter().copied().collect();
        let is_first = self.index.is_none() && self.old_index.is_none() && self.database.is_none();
        let surroundings = is_first
            .then(|| Surroundings::of(self.files.iter(), std::slice::from_ref(whole), resolver))
            .transpose()?;
        let recall = surroundings.as_ref().and_then(|surroundings| {
            let cache = Cache::open(place, std::slice::from_ref(whole), resolver)?;
            Some(Recall::new(cache, surroundings))
        });
        let seen: Vec<_> = pending
            .into_par_iter()
            .filter_map(|number| {
                if cancellation.is_cancelled() {
                    return None;
                }
                let path = self.files.get(number)?;
                let mut input = Input::new(Found {
                    shown: path.clone(),
                    path: path.clone(),
                    named: false,
                });
                input.text = open.get(path).map(ToString::to_string);
                // Before it is read: what changes from now on is a change.
                let stamp = Stamp::of(path);
                let seen = see(number, &input, resolver, recall.as_ref());
                Some((number, input, stamp, seen))
            })
            .collect();
        let mut kept = Vec::new();
        for (number, input, stamp, seen) in seen {
            let seen = seen?;
            let summary = seen.summary();
            // The type engine reads nothing but UTF-8 itself.
            if !seen.is_utf8()
                && let Some(path) = self.files.get(number)
            {
                let text = || open.get(path).cloned();
                self.changed.entry(path.clone()).or_insert_with(text);
            }
            kept.push((number, input, seen));
            self.pending.remove(&number);
            if let Some(known) = self.stamps.get_mut(number) {
                *known = stamp;
            }
            if let Some(known) = self.summaries.get_mut(number)
                && known.as_deref() != summary.as_deref()
            {
                *known = summary;
                if let Some(index) = self.index.take() {
                    self.old_index = Some(index);
                }
            }
        }
        cancellation.check()?;
        if let Some(recall) = recall {
            kept.sort_by_key(|(number, ..)| *number);
            let (inputs, seen): (Vec<Input>, Vec<Seen>) = kept
                .into_iter()
                .map(|(_, input, seen)| (input, seen))
                .unzip();
            recall.save(&self.files, &inputs, 0, &seen, Vec::new(), None);
        }
        Ok(())
    }

    fn list(
        &mut self,
        whole: &Whole,
        resolver: &Resolver,
        open: &FxHashMap<PathBuf, Arc<str>>,
    ) -> Result<(), SessionError> {
        let before = std::mem::take(self);
        let mut summaries = before.summaries;
        let mut stamps = before.stamps;
        let listed = whole.files(resolver)?;
        // Nothing imports notebooks and texts.
        let listed = listed
            .into_iter()
            .filter(|path| !is_notebook(path) && !is_document(path));
        for path in listed {
            self.add(path);
        }
        let beside = before.files.iter().filter(|path| open.contains_key(*path));
        for path in beside {
            if !self.numbers.contains_key(path) {
                self.add(path.clone());
            }
        }
        for (number, path) in self.files.iter().enumerate() {
            if let Some(old) = before.numbers.get(path)
                && let Some(summary) = summaries.get_mut(*old)
                && let Some(stamp) = stamps.get_mut(*old)
                && let Some(place) = self.summaries.get_mut(number)
                && let Some(own) = self.stamps.get_mut(number)
            {
                *place = summary.take();
                *own = stamp.take();
                if !before.pending.contains(old) {
                    self.pending.remove(&number);
                }
            }
        }
        if self.files == before.files {
            self.index = before.index;
            self.old_index = before.old_index;
        }
        self.revision = before.revision + 1;
        self.database = before.database;
        self.changed = before.changed;
        // Whoever asked for a new file before was told that there is none. A new database has not been asked yet.
        if self.database.is_some() {
            let came = self
                .files
                .iter()
                .filter(|path| !before.numbers.contains_key(*path));
            let went = before
                .files
                .iter()
                .filter(|path| !self.numbers.contains_key(*path));
            for path in came.chain(went) {
                let change = || open.get(path).cloned();
                self.changed.entry(path.clone()).or_insert_with(change);
            }
        }
        self.is_decoded = before.is_decoded;
        Ok(())
    }

    pub(super) fn add(&mut self, path: PathBuf) {
        let number = self.files.len();
        self.numbers.insert(path.clone(), number);
        self.files.push(path);
        self.summaries.push(None);
        self.stamps.push(None);
        self.pending.insert(number);
        self.index = None;
        self.old_index = None;
    }

    pub(super) fn link(
        &mut self,
        whole: &Whole,
        resolver: &Resolver,
    ) -> Result<Arc<Index>, SessionError> {
        if let Some(index) = &self.index {
            return Ok(Arc::clone(index));
        }
        let wholes = std::slice::from_ref(whole);
        let surroundings = Surroundings::of(self.files.iter(), wholes, resolver)?;
        let index = Index::link(
            self.files.clone(),
            self.summaries.clone(),
            wholes,
            &surroundings,
        );
        let index = Arc::new(index);
        if let Some(database) = &mut self.database {
            if database.is_of(&index) {
                database.show_tables(&index);
            } else {
                self.database = None;
            }
        }
        self.index = Some(Arc::clone(&index));
        self.old_index = None;
        // What was said in haste may be different now.
        self.revision += 1;
        Ok(index)
    }

    /// The database, which knows all texts as they are now.
    pub(super) fn database(
        &mut self,
        index: &Index,
        file: &Active,
        open: &FxHashMap<PathBuf, Arc<str>>,
        decodes: bool,
    ) -> Result<&mut Database, SessionError> {
        let failed = |error: anyhow::Error| SessionError::Config(error.to_string());
        let view = index.view_of(&file.path, &file.config);
        let is_new = self.database.is_none();
        let database = match self.database.take() {
            Some(mut database) => {
                database.add_view(view).map_err(failed)?;
                database
            }
            None => Database::renewed(None, index, vec![view]).map_err(failed)?,
        };
        let database = self.database.insert(database);
        let open_texts = open
            .iter()
            .filter(|_| is_new)
            .map(|(path, text)| (path.clone(), Some(Arc::clone(text))));
        for (path, text) in self.changed.drain().chain(open_texts) {
            let Some(path) = system_path(&path) else {
                continue;
            };
            match text {
                Some(text) => database.set_text(&path, text),
                None => database.forget_text(&path),
            }
        }
        if decodes && (is_new || !self.is_decoded) {
            self.is_decoded = true;
            for (path, text) in decoded(self.files.iter()) {
                if !open.contains_key(path.as_std_path()) {
                    database.set_text(&path, text);
                }
            }
        }
        // What is on disk may have changed without a word.
        database.set_text(&file.path, Arc::clone(&file.text));
        Ok(database)
    }
}

/// What is seen of a file that is read for what it says about others alone.
fn see(
    number: usize,
    input: &Input,
    resolver: &Resolver,
    recall: Option<&Recall<'_>>,
) -> Result<Seen, ConfigError> {
    let path = &input.found.path;
    let config = resolver.for_folder(path.parent().unwrap_or(path))?;
    let known = recall.and_then(|recall| {
        let place = recall.find(input, false)?;
        recall.see(place, number, input, &config, false)
    });
    if let Some((seen, _)) = known {
        return Ok(seen);
    }
    let aim = Aim {
        is_target: false,
        for_others: recall.is_some(),
    };
    let looked = first_look(number, input.clone(), resolver, aim)?;
    Ok(seen_anew(looked, false).0)
}
