//! A session: a project that is looked at again and again while its files change, as an editor does.
//!
//! It keeps a summary of each file, the index that is linked from them, and the type engine's database. A changed file is
//! summarized anew, the index is linked anew only where that summary differs, and the database forgets what depends on
//! the file. What comes out is what a run over the same files would say.

mod evidence;
mod known;

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use asyncfix_codemods::file::Writable;
use asyncfix_codemods::finding::Finding;
use rayon::prelude::*;
use ruff_notebook::NotebookIndex;
use rustc_hash::FxHashMap;
use salsa::{CancellationToken, Database as _};

use self::known::{Known, MANY_FILES};
use crate::cache;
use crate::choose::{Only, Plan};
use crate::config::{Config, ConfigError, Overrides, Resolver};
use crate::discovery::{self, Found};
use crate::embedded::notebook::Notebook;
use crate::embedded::{code_path, is_document, is_notebook};
use crate::first_look::{Aim, FirstLook, Settled, first_look};
use crate::index::{Index, system_path};
use crate::lines::Lines;
use crate::panics::last_panic;
use crate::problem::Problem;
use crate::roots::Whole;
use crate::rounds::{Active, Given, rounds};
use crate::run::{Fixed, Input, Mode, changes_others};
use crate::source;
use crate::stamp::Stamp;

/// Calls off what a session is asked. Clones call off the same.
#[derive(Debug, Clone, Default)]
pub struct Cancellation(Arc<CancellationState>);

#[derive(Debug, Default)]
struct CancellationState {
    is_cancelled: AtomicBool,
    /// That of the type engine, while it is asked.
    token: Mutex<Option<CancellationToken>>,
}

impl Cancellation {
    /// Calls off the question that it was given with. It ends with [`SessionError::Cancelled`], unless it is as good as
    /// answered.
    pub fn cancel(&self) {
        self.0.is_cancelled.store(true, Ordering::SeqCst);
        let token = self.0.token.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = &*token {
            token.cancel();
        }
    }

    /// Whether it was called off.
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled.load(Ordering::SeqCst)
    }

    fn check(&self) -> Result<(), SessionError> {
        if self.is_cancelled() {
            return Err(SessionError::Cancelled);
        }
        Ok(())
    }

    fn watch(&self, token: Option<CancellationToken>) {
        *self.0.token.lock().unwrap_or_else(PoisonError::into_inner) = token;
    }
}

/// Why a session has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionError {
    /// It was called off.
    Cancelled,
    /// The file has a syntax error, or cannot be read: what is wrong, for people.
    Unreadable(String),
    /// A configuration is wrong.
    Config(String),
    /// A bug, for people.
    Internal(String),
}

impl From<ConfigError> for SessionError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error.0)
    }
}

/// What is found in a file.
#[derive(Debug, Clone, Default)]
pub struct Checked {
    /// The text that the findings are at places in.
    pub text: Arc<str>,
    /// The findings, in their order. A rewrite of one has all of its edits.
    pub findings: Vec<Finding>,
    /// What went wrong, ready to be shown.
    pub complaints: Vec<String>,
    /// Whether the configuration wants unsafe fixes to be made.
    pub unsafe_fixes: bool,
    /// Of a notebook, whose text is the code of its Python cells one behind the other: which line is of which cell.
    pub cells: Option<NotebookIndex>,
}

/// What becomes of a file when it is fixed.
#[derive(Debug, Clone, Default)]
pub struct Rewritten {
    /// The new text. `None` where nothing changes.
    pub text: Option<Arc<str>>,
    /// What was fixed.
    pub fixed: Vec<Fixed>,
    /// What went wrong, ready to be shown.
    pub complaints: Vec<String>,
    /// Of a notebook: the cells that changed, each with its number from 1 and its new source.
    pub cells: Vec<(usize, String)>,
}

/// A session. Paths are absolute and normal, as [`discovery::absolute`] makes them.
pub struct Session {
    overrides: Overrides,
    cwd: PathBuf,
    resolver: Resolver,
    /// Texts that stand for what is on disk.
    open: FxHashMap<PathBuf, Arc<str>>,
    /// What files of a folder belong to.
    wholes: FxHashMap<PathBuf, Whole>,
    known: FxHashMap<Whole, Known>,
    /// Where it is kept what is found out about files.
    cache: cache::Place,
}

impl Session {
    /// A session. `cwd` is the folder that `overrides` are relative to. `Err` where these are wrong.
    pub fn new(overrides: Overrides, cwd: &Path) -> Result<Self, ConfigError> {
        Ok(Self {
            resolver: Resolver::new(overrides.clone(), cwd)?,
            overrides,
            cwd: cwd.to_path_buf(),
            open: FxHashMap::default(),
            wholes: FxHashMap::default(),
            known: FxHashMap::default(),
            cache: cache::Place::Nowhere,
        })
    }

    /// Keeps what is found out about files for later, at this place.
    #[must_use]
    pub fn with_cache(self, place: cache::Place) -> Self {
        Self {
            cache: place,
            ..self
        }
    }

    /// What applies to the files of a folder.
    pub fn config_of(&self, path: &Path) -> Result<Arc<Config>, ConfigError> {
        self.resolver.for_folder(path.parent().unwrap_or(path))
    }

    /// Lets `text` stand for a file, whatever is on disk.
    pub fn set_text(&mut self, path: &Path, text: &Arc<str>) {
        if self.open.get(path).is_some_and(|known| *known == *text) {
            return;
        }
        self.open.insert(path.to_path_buf(), Arc::clone(text));
        self.note_change(path, Some(text));
    }

    /// Lets a file be as it is on disk again.
    pub fn close(&mut self, path: &Path) {
        if self.open.remove(path).is_some() {
            self.note_change(path, None);
        }
    }

    /// Takes note of a file that has changed on disk, or was made or removed.
    pub fn file_changed(&mut self, path: &Path) {
        for known in self.known.values_mut() {
            known.is_listing_old |= known.numbers.contains_key(path) != path.is_file();
        }
        self.wholes.clear();
        if !self.open.contains_key(path) {
            self.note_change(path, None);
        }
    }

    /// Looks for files that have changed on disk, or were made or removed, where nobody tells.
    pub fn look_at_disk(&mut self) {
        let mut changed = Vec::new();
        for known in self.known.values_mut() {
            known.is_listing_old = true;
            // What was found is found again, where nothing has changed.
            known.revision += 1;
            let stamps = known.files.par_iter().zip(&known.stamps);
            changed.par_extend(
                stamps
                    .filter(|(path, stamp)| **stamp != Stamp::of(path))
                    .map(|(path, _)| path.clone()),
            );
        }
        for path in changed {
            self.file_changed(&path);
        }
    }

    /// Takes note of other options, or of configuration files or environments that have changed. `Err` where the options
    /// are wrong: those that were there stay.
    pub fn configuration_changed(
        &mut self,
        overrides: Option<Overrides>,
    ) -> Result<(), ConfigError> {
        let overrides = overrides.unwrap_or_else(|| self.overrides.clone());
        self.resolver = Resolver::new(overrides.clone(), &self.cwd)?;
        self.overrides = overrides;
        self.wholes.clear();
        self.known.clear();
        Ok(())
    }

    fn note_change(&mut self, path: &Path, text: Option<&Arc<str>>) {
        // A file that is yet to be saved is there for the others already.
        let is_new = text.is_some() && !is_notebook(path);
        let whole = is_new.then(|| self.whole_of(path).ok()).flatten();
        for (root, known) in &mut self.known {
            if Some(root) == whole.as_ref() && !known.numbers.contains_key(path) {
                known.add(path.to_path_buf());
            }
            if let Some(number) = known.numbers.get(path) {
                known.pending.insert(*number);
            }
            known.changed.insert(path.to_path_buf(), text.cloned());
            known.revision += 1;
        }
    }

    /// How many files belong together with this one, if they were looked at.
    pub fn size_of_project(&self, path: &Path) -> Option<usize> {
        let whole = self.wholes.get(path.parent()?)?;
        Some(self.known.get(whole)?.files.len())
    }

    /// The Python files below some folders, without those that the configuration leaves out.
    pub fn files_below(&self, folders: &[PathBuf]) -> Result<Vec<PathBuf>, ConfigError> {
        let found = discovery::discover(folders, &self.resolver)?.files;
        let is_code =
            |path: &PathBuf| !discovery::is_stub(path) && !is_notebook(path) && !is_document(path);
        Ok(found
            .into_iter()
            .map(|found| found.path)
            .filter(is_code)
            .collect())
    }

    /// Whether the configuration leaves a file out, or it is one that is never looked at.
    pub fn is_excluded(&self, path: &Path) -> Result<bool, ConfigError> {
        let config = self.config_of(path)?;
        Ok(discovery::is_stub(path) || config.excludes_with_parents(path))
    }

    /// The notebook at `path`, as it is open or on disk, and the path that its code goes by. `None` where it holds another
    /// language.
    fn notebook(&mut self, path: &Path) -> Result<Option<(Notebook, PathBuf)>, SessionError> {
        let json = match self.open.get(path) {
            Some(text) => text.to_string(),
            None => source::read(path)
                .map_err(SessionError::Unreadable)?
                .text
                .to_string(),
        };
        let Some(notebook) = Notebook::read(path, json)
            .map_err(|problem| SessionError::Unreadable(problem.to_string()))?
        else {
            return Ok(None);
        };
        let code = code_path(path);
        self.set_text(&code, &Arc::from(notebook.code()));
        Ok(Some((notebook, code)))
    }

    fn check_notebook(
        &mut self,
        path: &Path,
        is_hasty: bool,
        cancellation: &Cancellation,
    ) -> Result<Checked, SessionError> {
        let Some((notebook, code)) = self.notebook(path)? else {
            return Ok(Checked::default());
        };
        let mut checked = self.check(&code, is_hasty, cancellation)?;
        let apart =
            || SessionError::Internal("the cells of a notebook can't be told apart".to_owned());
        let sheet = notebook.shown(&checked.text, &mut checked.findings);
        let sheet = sheet.ok_or_else(apart)?;
        checked.text = Arc::from(sheet.text);
        checked.cells = sheet.index;
        Ok(checked)
    }

    /// The findings in a file. A fix may change other files of the project as well.
    ///
    /// In a project of very many files, it takes a while to find out what a change means to all of them. In haste that is
    /// put off until [`Self::catch_up`].
    pub fn check(
        &mut self,
        path: &Path,
        is_hasty: bool,
        cancellation: &Cancellation,
    ) -> Result<Checked, SessionError> {
        if is_notebook(path) {
            return self.check_notebook(path, is_hasty, cancellation);
        }
        let whole = self.whole_of(path)?;
        let revision = self.known.get(&whole).map(|known| known.revision);
        if let Some((known_at, checked)) = self
            .known
            .get(&whole)
            .and_then(|known| known.checked.get(path))
            && Some(*known_at) == revision
        {
            return Ok(checked.clone());
        }
        let ask = Ask {
            is_hasty,
            ..Ask::new(Mode::Report)
        };
        let file = self.look(path, &whole, &ask, cancellation)?;
        let checked = Checked {
            text: Arc::clone(&file.text),
            unsafe_fixes: file.config.unsafe_fixes,
            complaints: complaints_of(file.error, file.complaints),
            findings: file.findings,
            cells: None,
        };
        if let Some(known) = self.known.get_mut(&whole) {
            let revision = known.revision;
            known
                .checked
                .insert(path.to_path_buf(), (revision, checked.clone()));
        }
        Ok(checked)
    }

    /// Whether something was put off.
    pub fn is_behind(&self) -> bool {
        self.known.values().any(|known| known.old_index.is_some())
    }

    /// Does what was put off.
    pub fn catch_up(&mut self) -> Result<(), SessionError> {
        for (whole, known) in &mut self.known {
            if known.old_index.is_some() {
                known.link(whole, &self.resolver)?;
            }
        }
        Ok(())
    }

    /// What becomes of a file when it is fixed, other files aside: as `asyncfix --write` does it with this file alone.
    /// `lines` are those that are looked at, where these are not all, and `only` says which findings count. Without
    /// either, the answer is remembered until something changes.
    pub fn fix(
        &mut self,
        path: &Path,
        lines: Option<Lines>,
        only: Option<Only<'_>>,
        cancellation: &Cancellation,
    ) -> Result<Rewritten, SessionError> {
        let ask = Ask {
            lines: lines.map(Arc::new),
            only,
            ..Ask::new(Mode::Fix)
        };
        self.rewrite(path, &ask, cancellation)
    }

    /// What becomes of a file when the findings that `only` says are suppressed by comments.
    pub fn suppress(
        &mut self,
        path: &Path,
        only: Only<'_>,
        cancellation: &Cancellation,
    ) -> Result<Rewritten, SessionError> {
        let ask = Ask {
            only: Some(only),
            ..Ask::new(Mode::Suppress)
        };
        self.rewrite(path, &ask, cancellation)
    }

    fn rewrite(
        &mut self,
        path: &Path,
        ask: &Ask<'_>,
        cancellation: &Cancellation,
    ) -> Result<Rewritten, SessionError> {
        if is_notebook(path) {
            let Some((notebook, code)) = self.notebook(path)? else {
                return Ok(Rewritten::default());
            };
            let mut rewritten = self.rewrite(&code, ask, cancellation)?;
            let text = rewritten.text.take();
            let sheet = text.and_then(|text| notebook.shown(&text, &mut []));
            let cells = sheet.into_iter().flat_map(|sheet| sheet.cells);
            rewritten.cells = cells.map(|(number, _, new)| (number, new)).collect();
            return Ok(rewritten);
        }
        let whole = self.whole_of(path)?;
        let is_whole = ask.is_for_all_fixes();
        if is_whole
            && let Some(known) = self.known.get(&whole)
            && let Some((revision, rewritten)) = known.fixed.get(path)
            && *revision == known.revision
        {
            return Ok(rewritten.clone());
        }
        let file = self.look(path, &whole, ask, cancellation)?;
        let rewritten = Rewritten {
            text: (file.text != file.source.text).then_some(file.text),
            fixed: file.fixed,
            complaints: complaints_of(file.error, file.complaints),
            cells: Vec::new(),
        };
        if is_whole && let Some(known) = self.known.get_mut(&whole) {
            let answer = (known.revision, rewritten.clone());
            known.fixed.insert(path.to_path_buf(), answer);
        }
        Ok(rewritten)
    }

    fn whole_of(&mut self, path: &Path) -> Result<Whole, SessionError> {
        let folder = path.parent().unwrap_or(path);
        if let Some(whole) = self.wholes.get(folder) {
            return Ok(whole.clone());
        }
        let not_utf8 = || SessionError::Unreadable("the path is not valid UTF-8".to_owned());
        let whole = Whole::around(&system_path(folder).ok_or_else(not_utf8)?);
        self.wholes.insert(folder.to_path_buf(), whole.clone());
        Ok(whole)
    }

    fn look(
        &mut self,
        path: &Path,
        whole: &Whole,
        ask: &Ask<'_>,
        cancellation: &Cancellation,
    ) -> Result<Active, SessionError> {
        // What was called off when nothing ran any more strikes the next one.
        for _ in 0..2 {
            let found = self.look_once(path, whole, ask, cancellation);
            cancellation.watch(None);
            if found.as_ref().err() != Some(&SessionError::Cancelled) || cancellation.is_cancelled()
            {
                return found;
            }
        }
        Err(SessionError::Cancelled)
    }

    fn look_once(
        &mut self,
        path: &Path,
        whole: &Whole,
        ask: &Ask<'_>,
        cancellation: &Cancellation,
    ) -> Result<Active, SessionError> {
        let Self {
            resolver,
            open,
            known,
            cache,
            ..
        } = self;
        let known = known.entry(whole.clone()).or_default();
        known.bring_up_to_date(path, whole, resolver, open, cache, cancellation)?;
        let old = known.old_index.as_ref().filter(|_| ask.is_hasty);
        let index = match old {
            Some(old) if known.index.is_none() && known.files.len() >= MANY_FILES => {
                Arc::clone(old)
            }
            _ => known.link(whole, resolver)?,
        };
        cancellation.check()?;
        let number = known.numbers.get(path).copied().unwrap_or_default();
        let found = Found {
            shown: path.to_path_buf(),
            path: path.to_path_buf(),
            named: true,
        };
        let mut input = Input::new(found);
        input.text = open.get(path).map(ToString::to_string);
        let source = text_of(path, open)?;
        let config = resolver.for_folder(path.parent().unwrap_or(path))?;
        let nothing = |source| unasked(number, path, &index, config, source);
        let aim = Aim {
            is_target: true,
            for_others: false,
        };
        let looked = first_look(number, input, resolver, aim)?;
        let candidate = match looked.first {
            FirstLook::Nothing => return Ok(nothing(source)),
            FirstLook::Error(error) => return Err(SessionError::Unreadable(error.to_string())),
            FirstLook::Candidate(candidate) => *candidate,
        };
        let codemods = candidate.codemods(&index.project, looked.summary.as_deref());
        let mut active = match candidate.settle(codemods) {
            Settled::Nothing => return Ok(nothing(source)),
            Settled::Error(_, error) => return Err(SessionError::Unreadable(error.to_string())),
            Settled::Active(active) => *active,
        };
        active.lines.clone_from(&ask.lines);
        let decodes = changes_others(active.codemods.iter().copied());
        let database = known.database(&index, &active, open, decodes)?;
        cancellation.watch(Some(database.cancellation_token()));
        cancellation.check()?;
        let given = Given {
            index: &index,
            writable: match ask.mode {
                Mode::Report | Mode::Suppress => Writable::Every,
                Mode::Fix => Writable::Only(number),
            },
            // No other file is written.
            shown: &[],
            resolver,
            takes_notes: false,
        };
        let plan = Plan {
            only: ask.only,
            ..Plan::new(ask.mode)
        };
        let before = active.clone();
        let attempt = salsa::Cancelled::catch(AssertUnwindSafe(|| {
            rounds(vec![active], database, &given, plan, &|| {})
        }));
        // What it was rewritten to is nobody's text yet.
        database.set_text(&before.path, Arc::clone(&before.text));
        match attempt {
            Ok(finished) => Ok(finished.into_iter().next().unwrap_or(before)),
            Err(salsa::Cancelled::PropagatedPanic) => Err(SessionError::Internal(last_panic())),
            Err(_) => Err(SessionError::Cancelled),
        }
    }
}

/// What is asked of a file.
struct Ask<'o> {
    mode: Mode,
    /// The lines that are looked at, where these are not all.
    lines: Option<Arc<Lines>>,
    only: Option<Only<'o>>,
    /// Whether an answer at once is better than one that knows what the last changes mean to other files.
    is_hasty: bool,
}

impl Ask<'_> {
    fn new(mode: Mode) -> Self {
        Self {
            mode,
            lines: None,
            only: None,
            is_hasty: false,
        }
    }

    /// Whether all safe fixes of the file are wanted, as on each save.
    fn is_for_all_fixes(&self) -> bool {
        self.mode == Mode::Fix && self.lines.is_none() && self.only.is_none()
    }
}

/// What went wrong in a file, for people.
fn complaints_of(error: Option<Problem>, complaints: Vec<Problem>) -> Vec<String> {
    let problems = error.into_iter().chain(complaints);
    problems.map(|problem| problem.to_string()).collect()
}

/// The text of a file: that of the editor, where it is open there.
fn text_of(
    path: &Path,
    open: &FxHashMap<PathBuf, Arc<str>>,
) -> Result<source::Source, SessionError> {
    match open.get(path) {
        Some(text) => Ok(source::Source::utf8(text.to_string())),
        None => source::read(path).map_err(SessionError::Unreadable),
    }
}

/// A file that no codemod is asked about.
fn unasked(
    number: usize,
    path: &Path,
    index: &Index,
    config: Arc<Config>,
    source: source::Source,
) -> Active {
    let path = system_path(path).unwrap_or_default();
    let view = index.view_of(&path, &config);
    let shown = path.as_std_path().to_path_buf();
    Active::new(number, shown, path, view, config, source)
}
