//! What a session remembers of one project (or of files that belong to none) between questions.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use asyncfix_analysis::facts::summary::Summary;
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

use super::{Cancellation, Checked, Rewritten, SessionError};
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

/// From how many files on a session answers from the index before the last change, and links the new one later.
pub(super) const MANY_FILES: usize = 500;

/// The state of one project: from the list of its files, to their summaries, to the linked index and the database.
#[derive(Default)]
pub(super) struct Known {
    /// The files of the project in the order of their listing, then files that do not belong to it but were asked
    /// about. The index of a file here is its number.
    pub(super) files: Vec<PathBuf>,
    pub(super) numbers: FxHashMap<PathBuf, usize>,
    pub(super) summaries: Vec<Option<Arc<Summary>>>,
    /// Size and time of change of the files on disk, from before they were summarized. `None` where there is no such
    /// file.
    pub(super) stamps: Vec<Option<Stamp>>,
    /// Files that are to be summarized, because they are new or have changed.
    pub(super) pending: FxHashSet<usize>,
    /// Whether files were made or removed since they were listed.
    pub(super) is_listing_old: bool,
    /// The index of the project. `None` where a summary has changed since it was linked.
    pub(super) index: Option<Arc<Index>>,
    /// The index from before the last changes, as long as the list of files is the same.
    pub(super) old_index: Option<Arc<Index>>,
    pub(super) database: Option<Database>,
    /// Texts that the database has to be told about: the text in the editor, or `None` for the one on disk.
    pub(super) changed: FxHashMap<PathBuf, Option<Arc<str>>>,
    /// Whether the database was given the texts of files that are not in UTF-8: it cannot read those itself.
    pub(super) is_decoded: bool,
    /// Goes up with every change that may change an answer.
    pub(super) revision: u64,
    /// Findings by file, each with the revision for which they hold.
    pub(super) checked: FxHashMap<PathBuf, (u64, Checked)>,
    /// What becomes of files when all safe fixes are made, each with the revision for which it holds.
    pub(super) fixed: FxHashMap<PathBuf, (u64, Rewritten)>,
}

impl Known {
    /// Lists the files again if some were made or removed, and summarizes those that are new or have changed. `open`
    /// has the texts of files that are open in the editor. `path` becomes one of the files, also where the project does
    /// not list it.
    ///
    /// `Err` where a configuration is wrong, or the question was cancelled; what was summarized by then is kept.
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

    /// Lists the files anew, and takes over what is known of those that were there before.
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
        // No Python file can import a notebook or a Markdown file, so they say nothing about others.
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
        // The database may remember that a new file does not exist, or what a removed one held. One that is made later
        // starts without memory.
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

    /// Adds a file that is yet to be summarized.
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

    /// The index of the project, linked anew if a summary has changed. Drops the database where its search paths
    /// differ.
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
        // Answers that were given from the old index may be different now.
        self.revision += 1;
        Ok(index)
    }

    /// The type engine's database, told about all changed texts. It is made here, if there is none yet. `decodes` is
    /// whether it has to know files that are not in UTF-8 as well, because a fix may change them.
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
        // The file on disk may have changed without the editor telling us.
        database.set_text(&file.path, Arc::clone(&file.text));
        Ok(database)
    }
}

/// The first look at a file that is not to be checked, only to be summarized; from the cache, if it is there.
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
