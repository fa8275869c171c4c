//! What a run takes over from earlier runs, by way of the cache, and what it saves for later ones.
//!
//! Two things are kept of a file: its summary, which holds as long as its own text, and the codemods' *verdict*, which
//! depends on other files as well ([`crate::cache`] says on what). A file's *number* is its place among the files of
//! this run; its *place* is where it stands in the cache.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use asyncfix_analysis::facts::interface::{Interface, module_path, words};
use asyncfix_analysis::facts::key::Key;
use asyncfix_analysis::facts::summary::Summary;
use asyncfix_codemods::codemod::Codemod;
use asyncfix_codemods::finding::Finding;
use asyncfix_codemods::traversal::Prospects;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::cache::Cache;
use crate::cache::affected::Changes;
use crate::cache::outside::{Outside, Reads};
use crate::cache::stored::{
    FileEntry, Fresh, Loaded, State, StoredProblem, Verdict, Writer, text_number,
};
use crate::config::Config;
use crate::first_look::{Candidate, FirstLook, Looked};
use crate::index::{Index, system_path};
use crate::problem::{Kind, Problem};
use crate::rounds::{Active, Opened};
use crate::run::Input;
use crate::source;
use crate::stamp::Stamp;
use crate::surroundings::Surroundings;

/// Saving in a run over a part of the project loses the verdicts of the other files. That is worth it only once at
/// least one in this many files is new.
const FEW: usize = 5;

/// What is known of a file before the type engine is asked about it.
pub(crate) enum Look {
    /// The file is as an earlier run has seen it: its place in the cache.
    Known(usize),
    Fresh(Box<Looked>),
}

/// What is kept of the first look at a file, for linking the project and for [`Recall::save`].
pub(crate) struct Seen {
    /// The place in the cache; `None` where the file was read anew.
    known: Option<usize>,
    /// A hash of the text. `None` where the file could not be read.
    text: Option<u128>,
    is_utf8: bool,
    interface: Interface,
    summary: Option<Arc<Summary>>,
    /// Only of a file that was read anew: the cache has that of the others.
    prospects: Option<Prospects>,
    problem: Option<StoredProblem>,
}

/// The cache, with what decides whether it still holds.
pub(crate) struct Recall<'r> {
    cache: Cache,
    /// A hash of what lies around the files: installed packages and extra stubs.
    around: u64,
    surroundings: &'r Surroundings,
}

/// Where the codemods' answers about types came from.
pub(crate) struct Types<'r> {
    pub(crate) index: &'r Index,
    pub(crate) reads: Reads,
}

/// The result of a run in which nothing has changed since an earlier one, from the cache alone.
pub(crate) struct Answers {
    /// The files with findings: number, text and findings.
    pub(crate) found: Vec<(usize, source::Source, Vec<Finding>)>,
    /// The files that cannot be parsed: number and error.
    pub(crate) problems: Vec<(usize, Problem)>,
}

/// The codemods' verdict on one file, to be saved.
pub(crate) struct Said {
    number: usize,
    /// With the other files whose code was looked at. `None` where no codemod has a candidate in the file.
    verdict: Option<(Verdict, Opened)>,
}

impl Said {
    /// That no codemod has a candidate in the file.
    pub(crate) fn nothing(number: usize) -> Self {
        Self {
            number,
            verdict: None,
        }
    }

    /// What the codemods with these codes have found in a file. `None` where that must not be saved: the file was
    /// fixed, had an error, was limited to some lines, or nobody noted what the findings depend on; without
    /// `keeps_findings`, also where it has findings.
    pub(crate) fn of(file: &Active, codes: Vec<String>, keeps_findings: bool) -> Option<Self> {
        let is_as_it_was = file.fixed.is_empty() && file.text == file.source.text;
        let went_well = file.error.is_none() && file.complaints.is_empty();
        let is_kept = keeps_findings || file.findings.is_empty();
        if !(is_as_it_was && went_well && is_kept && file.lines.is_none()) {
            return None;
        }
        let dependencies = file.noted.clone()?;
        let verdict = Verdict {
            codes,
            noted: dependencies.noted,
            opened: Vec::new(),
            findings: file.findings.clone(),
        };
        Some(Self {
            number: file.index,
            verdict: Some((verdict, dependencies.opened)),
        })
    }
}

impl<'r> Recall<'r> {
    pub(crate) fn new(cache: Cache, surroundings: &'r Surroundings) -> Self {
        Self {
            cache,
            around: surroundings.number(),
            surroundings,
        }
    }

    fn loaded(&self) -> Option<&Loaded> {
        self.cache.loaded.as_ref()
    }

    fn entry(&self, place: usize) -> Option<&FileEntry> {
        self.loaded()?.header.files.get(place)
    }

    /// The place of a file in the cache, if its text and configuration are still the same. An unchanged time stamp
    /// counts as the same text. `None` as well where the entry says too little: the file was only summarized then, and
    /// is to be checked now.
    pub(crate) fn find(&self, input: &Input, is_target: bool) -> Option<usize> {
        let path = &input.found.path;
        let (place, entry) = self.loaded()?.file(path)?;
        let was_parsed = entry.problem.is_some() || entry.has_summary();
        if self.surroundings.number_in(path.parent()?) != Some(entry.config)
            || is_target && entry.state == State::Beside
            || input.found.named && !was_parsed
        {
            return None;
        }
        let is_same = if let Some(text) = &input.text {
            text_number(text) == entry.text
        } else {
            let stamp = Stamp::to_be_kept(path, self.cache.now);
            stamp.is_some() && stamp == entry.stamp
                || source::read(path).is_ok_and(|source| text_number(&source.text) == entry.text)
        };
        is_same.then_some(place)
    }

    /// Whether the cache holds for the whole run: it knows exactly these files, none has changed, and neither has
    /// anything around or outside the project.
    fn is_unchanged(&self, looks: &[Look]) -> bool {
        let Some(loaded) = self.loaded() else {
            return false;
        };
        loaded.header.around == self.around
            && loaded.header.files.len() == looks.len()
            && looks.iter().all(|look| matches!(look, Look::Known(_)))
            && loaded.has_same_outside()
    }

    /// The result of the run, if nothing at all has changed. `targets` are the files to report on, which come first
    /// among all. `None` where something has changed, where the verdict on a target is not in the cache, or where there
    /// are findings and the caller does not want them from the cache (`with_findings`), because it is about to fix
    /// them.
    pub(crate) fn all(
        &self,
        looks: &[Look],
        targets: &[Input],
        with_findings: bool,
    ) -> Option<Answers> {
        if !self.is_unchanged(looks) {
            return None;
        }
        let loaded = self.loaded()?;
        let mut found = Vec::new();
        let mut problems = Vec::new();
        for (number, (input, look)) in targets.iter().zip(looks).enumerate() {
            let Look::Known(place) = look else {
                return None;
            };
            let entry = loaded.header.files.get(*place)?;
            if let Some(problem) = &entry.problem {
                problems.push((number, problem_of(problem, input)));
                continue;
            }
            match entry.state {
                State::Nothing | State::Clean => {}
                State::Findings if with_findings && input.lines.is_none() => {
                    let source = read(input)?;
                    if text_number(&source.text) != entry.text {
                        return None;
                    }
                    found.push((number, source, loaded.verdict(entry)?.findings));
                }
                State::Beside | State::Open | State::Findings => return None,
            }
        }
        Some(Answers { found, problems })
    }

    /// Does the first look at a file from its entry at `place` in the cache, without reading or parsing the file.
    /// `None` where the entry is damaged, or a text that is needed cannot be read.
    pub(crate) fn see(
        &self,
        place: usize,
        number: usize,
        input: &Input,
        config: &Arc<Config>,
        is_target: bool,
    ) -> Option<(Seen, FirstLook)> {
        let loaded = self.loaded()?;
        let entry = loaded.header.files.get(place)?;
        let seen = Seen {
            known: Some(place),
            text: Some(entry.text),
            is_utf8: entry.is_utf8,
            interface: loaded.interface(entry)?,
            summary: if entry.has_summary() {
                Some(Arc::new(loaded.summary::<Summary>(entry)?))
            } else {
                None
            },
            prospects: None,
            problem: None,
        };
        let first = match &entry.problem {
            _ if !is_target => FirstLook::Nothing,
            Some(problem) => FirstLook::Error(problem_of(problem, input)),
            None if !entry.has_prospects() => FirstLook::Nothing,
            None => FirstLook::Candidate(Box::new(Candidate {
                index: number,
                shown: input.found.shown.clone(),
                path: system_path(&input.found.path)?,
                config: Arc::clone(config),
                prospects: loaded.prospects(entry)?,
                source: match &input.text {
                    Some(_) => Some(read(input)?),
                    None => None,
                },
                lines: input.lines.clone(),
            })),
        };
        Some((seen, first))
    }

    /// The verdicts of an earlier run, with what is needed to tell which of them still hold. `None` where none does:
    /// other files, search paths or environments.
    pub(crate) fn verdicts<'v>(
        &'v self,
        files: &[PathBuf],
        inputs: &[Input],
        seen: &'v [Seen],
        index: &'v Index,
    ) -> Option<Verdicts<'v>> {
        let loaded = self.loaded()?;
        let header = &loaded.header;
        let are_same_files = header.files.len() == files.len()
            && files.iter().all(|path| loaded.file(path).is_some());
        if header.around != self.around
            || header.roots != index.roots_number()
            || !are_same_files
            || !loaded.has_same_outside()
        {
            return None;
        }
        let text_of = |number: usize| Some(read(inputs.get(number)?)?.text);
        let mut words_of_changed = FxHashSet::default();
        let mut changes = Changes::default();
        for (number, (path, seen)) in files.iter().zip(seen).enumerate() {
            let (_, entry) = loaded.file(path)?;
            if seen.known.is_some() {
                continue;
            }
            words_of_changed.extend(words(&text_of(number)?));
            if entry.interface != seen.interface.digest {
                let before = loaded.interface(entry)?;
                changes.add(number, seen.interface.changed_since(&before));
            }
        }
        let affected = if changes.is_empty() {
            FxHashSet::default()
        } else {
            let modules: Vec<(String, Vec<&str>)> = files
                .iter()
                .zip(seen)
                .map(|(path, seen)| {
                    let imports = seen.interface.imports.iter();
                    (module_path(path), imports.map(|name| &**name).collect())
                })
                .collect();
            changes.affected(&modules, text_of)
        };
        let mut changed_places = FxHashMap::default();
        let mut affected_places = FxHashSet::default();
        for (number, (path, seen)) in files.iter().zip(seen).enumerate() {
            if let Some((place, entry)) = loaded.file(path) {
                if seen.known.is_none() {
                    let parts = &seen.interface.parts;
                    let before = loaded.interface(entry)?.parts;
                    changed_places.insert(place, parts.changed_since(&before));
                }
                if affected.contains(&number) {
                    affected_places.insert(place);
                }
            }
        }
        Some(Verdicts {
            loaded,
            seen,
            index,
            changed: changed_places,
            words_of_changed,
            affected: affected_places,
        })
    }

    /// Writes the cache for later runs, unless that would lose more than it adds. Errors are ignored: the next run only
    /// takes longer. The first `number_of_targets` files are those that codemods have looked at.
    pub(crate) fn save(
        &self,
        files: &[PathBuf],
        inputs: &[Input],
        number_of_targets: usize,
        seen: &[Seen],
        said: Vec<Said>,
        types: Option<&Types<'_>>,
    ) {
        if self.is_not_worth_it(inputs, number_of_targets, seen, &said) {
            return;
        }
        let _ = self.write(files, inputs, number_of_targets, seen, said, types);
    }

    /// Whether there is nothing new to save, or saving would lose more than it adds: this run has not checked whether
    /// the verdicts on files that are no targets still hold, so they would be dropped.
    fn is_not_worth_it(
        &self,
        inputs: &[Input],
        number_of_targets: usize,
        seen: &[Seen],
        said: &[Said],
    ) -> bool {
        let Some(loaded) = self.loaded() else {
            return false;
        };
        let fresh = seen.iter().filter(|seen| seen.known.is_none()).count();
        // A text that an editor holds has no stamp to be kept.
        let may_be_stamped = |(input, seen): (&Input, &Seen)| {
            let entry = seen.known.and_then(|place| self.entry(place));
            input.text.is_none() && entry.is_some_and(|entry| entry.stamp.is_none())
        };
        let has_news = fresh > 0
            || said.iter().any(|said| said.verdict.is_some())
            || inputs.iter().zip(seen).any(may_be_stamped)
            || loaded.header.files.len() != seen.len();
        let beside = seen.get(number_of_targets..).unwrap_or_default();
        let loses = beside.iter().any(|seen| {
            let entry = seen.known.and_then(|place| self.entry(place));
            entry.is_some_and(|entry| matches!(entry.state, State::Clean | State::Findings))
        });
        !has_news || loses && fresh * FEW < seen.len()
    }

    fn write(
        &self,
        files: &[PathBuf],
        inputs: &[Input],
        number_of_targets: usize,
        seen: &[Seen],
        mut said: Vec<Said>,
        types: Option<&Types<'_>>,
    ) -> Option<()> {
        // Without an index the codemods have not run, and there are no verdicts.
        let index = types.map(|types| types.index);
        let roots = index.map(Index::roots_number).unwrap_or_default();
        let outside = types.map(|types| {
            // Verdicts that were taken over still depend on the outside files of the earlier run.
            let before = self.loaded().filter(|loaded| loaded.has_same_outside());
            let before = before.map(|loaded| &loaded.header.outside);
            let is_listed = |path: &Path| types.index.project.number_of(path).is_some();
            Outside::of(&types.reads, before, is_listed, self.cache.now)
        });
        let mut writer = Writer::new(self.around, roots, outside.unwrap_or_default());
        said.sort_by_key(|said| said.number);
        let mut said = said.into_iter().peekable();
        let place_of = |path: &PathBuf| {
            let number = index?.project.number_of(path)?;
            u32::try_from(number).ok()
        };
        for (number, ((path, input), seen)) in files.iter().zip(inputs).zip(seen).enumerate() {
            let is_target = number < number_of_targets;
            let own = said.next_if(|said| said.number == number);
            let state = match &own {
                // `writer.say` below sets the state, if there is a verdict.
                Some(_) => State::Nothing,
                None if is_target => State::Open,
                None => State::Beside,
            };
            let stamp = match &input.text {
                Some(_) => None,
                None => Stamp::to_be_kept(path, self.cache.now),
            };
            if let Some(entry) = seen.known.and_then(|place| self.entry(place)) {
                let state = match entry.state {
                    State::Beside => State::Beside,
                    _ if !is_target => State::Open,
                    _ => state,
                };
                writer.keep(self.loaded()?, entry, stamp, state)?;
            } else {
                let folder = path.parent().unwrap_or(path);
                writer.add(Fresh {
                    path: path.to_str()?,
                    stamp,
                    text: seen.text.unwrap_or_default(),
                    config: self.surroundings.number_in(folder)?,
                    is_utf8: seen.is_utf8,
                    summary: seen.summary.as_deref(),
                    interface: &seen.interface,
                    prospects: seen.prospects.as_ref(),
                    problem: seen.problem.clone(),
                    state,
                })?;
            }
            if let Some((verdict, opened)) = own.and_then(|said| said.verdict) {
                // Files that are not of the project are checked by `Outside` and by the number of what lies around.
                let opened = opened
                    .iter()
                    .filter_map(|(path, part)| Some((place_of(path)?, *part)))
                    .collect();
                writer.say(&Verdict { opened, ..verdict })?;
            }
        }
        self.cache.save(writer);
        Some(())
    }
}

/// The verdicts of an earlier run, and what has changed since.
pub(crate) struct Verdicts<'v> {
    loaded: &'v Loaded,
    seen: &'v [Seen],
    index: &'v Index,
    /// Files whose text has changed, by their places in the cache, each with the names of the functions and classes at
    /// its top that have; `None` where anything may have.
    changed: FxHashMap<usize, Option<FxHashSet<Key>>>,
    /// The words of these texts.
    words_of_changed: FxHashSet<Key>,
    /// Files that import, directly or not, something whose meaning has changed, by their places in the cache.
    affected: FxHashSet<usize>,
}

impl Verdicts<'_> {
    /// The findings of `codemods` in the file with this number, if a new look would give the same. `None` where that is
    /// not sure: the file, one whose code it uses, what it imports, or an answer of the project has changed.
    pub(crate) fn of(
        &self,
        number: usize,
        codemods: &[&'static dyn Codemod],
    ) -> Option<Vec<Finding>> {
        let place = self.seen.get(number)?.known?;
        let verdict = self.loaded.verdict(self.loaded.header.files.get(place)?)?;
        let is_same = |place: usize, part: Option<Key>| {
            !self.affected.contains(&place)
                && match (self.changed.get(&place), part) {
                    (None, _) => true,
                    (Some(Some(changed)), Some(part)) => !changed.contains(&part),
                    (Some(_), _) => false,
                }
        };
        let opened = verdict.opened.iter();
        let mut opened = opened.map(|(place, part)| (*place as usize, *part));
        let holds = is_same(place, None)
            && opened.all(|(place, part)| is_same(place, part))
            && !verdict.noted.asks_for(&self.words_of_changed)
            && codes_of(codemods) == verdict.codes
            && verdict.noted.holds(&self.index.project, number);
        holds.then_some(verdict.findings)
    }

    /// The verdict on the file with this number, to be saved again.
    pub(crate) fn kept(&self, number: usize) -> Option<Said> {
        let place = self.seen.get(number)?.known?;
        let verdict = self.loaded.verdict(self.loaded.header.files.get(place)?)?;
        let opened = verdict.opened.iter();
        let opened = opened
            .filter_map(|(place, part)| {
                let entry = self.loaded.header.files.get(*place as usize)?;
                Some((PathBuf::from(&entry.path), *part))
            })
            .collect();
        Some(Said {
            number,
            verdict: Some((verdict, opened)),
        })
    }
}

/// The codes of codemods.
pub(crate) fn codes_of(codemods: &[&'static dyn Codemod]) -> Vec<String> {
    let codes = codemods
        .iter()
        .map(|codemod| codemod.rule().code.to_owned());
    codes.collect()
}

/// Splits a first look into what is kept until the cache is saved, and what the run goes on with. `keeps` is whether
/// the cache will be saved; only then are the prospects copied.
pub(crate) fn seen_anew(looked: Looked, keeps: bool) -> (Seen, FirstLook) {
    let prospects = match &looked.first {
        FirstLook::Candidate(candidate) if keeps => Some(candidate.prospects.clone()),
        _ => None,
    };
    let problem = match &looked.first {
        FirstLook::Error(problem) => {
            StoredProblem::of(problem.kind, &problem.message, problem.place)
        }
        _ => None,
    };
    let seen = Seen {
        known: None,
        text: looked.text,
        is_utf8: looked.is_utf8,
        interface: looked.interface,
        summary: looked.summary,
        prospects,
        problem,
    };
    (seen, looked.first)
}

impl Seen {
    /// The file's summary, from which the project is linked. `None` where the file cannot be parsed.
    pub(crate) fn summary(&self) -> Option<Arc<Summary>> {
        self.summary.clone()
    }

    /// Whether the file is in UTF-8.
    pub(crate) fn is_utf8(&self) -> bool {
        self.is_utf8
    }
}

fn problem_of(problem: &StoredProblem, input: &Input) -> Problem {
    let shown = &input.found.shown;
    let new = Problem::new(shown, Kind::InvalidSyntax, problem.message.clone());
    match problem.place {
        Some(place) => new.at(place),
        None => new,
    }
}

/// The text of a file: the one that was handed in, or the one on disk. `None` where it cannot be read.
fn read(input: &Input) -> Option<source::Source> {
    match &input.text {
        Some(text) => Some(source::Source::utf8(text.clone())),
        None => source::read(&input.found.path).ok(),
    }
}
