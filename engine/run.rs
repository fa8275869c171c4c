//! A run: from files to findings and rewritten texts.
//!
//! Every file is read and parsed once, in parallel, and summarized. Only files that hold a word a
//! codemod looks for go to the type engine, round after round until nothing changes any more, and
//! every round is proved before the next one starts from it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use asyncfix_analysis::index::project::Project;
use asyncfix_codemods::codemod::Codemod;
use asyncfix_codemods::file::Writable;
use asyncfix_codemods::finding::Finding;
use rayon::prelude::*;
use ruff_db::system::SystemPathBuf;
use ruff_source_file::LineIndex;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::cache::outside::Reads;
use crate::cache::{self, Cache};
use crate::choose::{Choose, Plan};
use crate::config::{Config, ConfigError, Resolver};
use crate::database::Database;
use crate::discovery::Found;
use crate::embedded::{Embedded, Sheet, is_document, is_notebook};
use crate::first_look::{Aim, FirstLook, Settled, first_look};
use crate::index::{Index, system_path};
use crate::lines::Lines;
use crate::problem::{Kind, Problem};
use crate::recall::{Look, Recall, Said, Seen, Types, codes_of, seen_anew};
use crate::roots::{Marked, Whole};
use crate::rounds::{AT_A_TIME, Given, rounds};
use crate::source::{self, Source};
use crate::surroundings::Surroundings;

/// How often the files of a run are looked at anew because one has changed what another one sees.
const MOST_PASSES: usize = 10;

/// Generated code nests deeper than people do, and a tree is walked by recursion. Only what is used
/// of this becomes memory.
pub const STACK_SIZE: usize = 256 << 20;

/// What a run is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Find, and rewrite nothing.
    Report,
    /// Rewrite until nothing changes.
    Fix,
    /// Rewrite nothing, and write comments that suppress what is found.
    Suppress,
}

/// One finding that was fixed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fixed {
    /// The rule's code.
    pub code: &'static str,
    /// What was wrong.
    pub message: String,
    /// The line and the column, both from 1 and in characters, where it stood in the text as it was then. `None` for code
    /// that is inside of another file.
    pub place: Option<(usize, usize)>,
}

impl Fixed {
    /// What is kept of `finding` in `source`, once it is fixed.
    pub(crate) fn of(finding: &Finding, source: &str) -> Self {
        let place = LineIndex::from_source_text(source).line_column(finding.range.start(), source);
        Self {
            code: finding.rule.code,
            message: finding.message.clone(),
            place: Some((place.line.get(), place.column.get())),
        }
    }
}

/// One file of a run.
#[derive(Debug)]
pub struct Outcome {
    /// The path for messages and diffs.
    pub shown: PathBuf,
    /// The absolute path.
    pub path: PathBuf,
    /// The file as it was read.
    pub source: Source,
    /// The rewritten text, where it differs.
    pub rewritten: Option<String>,
    /// What was fixed.
    pub fixed: Vec<Fixed>,
    /// What is left, in places of the text as it is now.
    pub findings: Vec<Finding>,
    /// Whether unsafe rewrites were applied.
    pub unsafe_fixes: bool,
    /// Files with the same number were changed together: they are written together, or not at all.
    pub group: Option<usize>,
    /// Of a file with code in it: what is shown of it. `source` and `rewritten` are the whole file then.
    pub sheet: Option<Sheet>,
}

impl Outcome {
    /// A file that was left as it was.
    fn as_it_was(found: &Found, source: Source, findings: Vec<Finding>, config: &Config) -> Self {
        Self {
            shown: found.shown.clone(),
            path: found.path.clone(),
            source,
            rewritten: None,
            fixed: Vec::new(),
            findings,
            unsafe_fixes: config.unsafe_fixes,
            group: None,
            sheet: None,
        }
    }

    /// The text as it is after the run; of a notebook, the code of its cells. Findings are at places in it.
    pub fn text(&self) -> &str {
        if let Some(sheet) = &self.sheet {
            return &sheet.text;
        }
        self.rewritten.as_deref().unwrap_or(&self.source.text)
    }
}

/// The outcome of a run.
#[derive(Debug, Default)]
pub struct Outcomes {
    /// The files with findings, left or fixed, in the order they were given.
    pub files: Vec<Outcome>,
    /// What went wrong, in the order of the files.
    pub errors: Vec<Problem>,
    /// What the run knew. A program that ends with the run does well to forget it: to free it piece
    /// by piece takes a part of the whole time.
    pub knowledge: Option<Knowledge>,
}

impl Outcomes {
    /// Takes over what became of the files when they were looked at anew, as they were left here.
    fn follow_up(&mut self, later: Self) {
        let first_group = self.files.len();
        let mut left: BTreeMap<PathBuf, Outcome> = later
            .files
            .into_iter()
            .map(|outcome| (outcome.path.clone(), outcome))
            .collect();
        // What was changed together before and what is changed together now belong together where they meet.
        let mut joined: Vec<(usize, usize)> = Vec::new();
        for outcome in &mut self.files {
            outcome.findings.clear();
            let Some(later) = left.remove(&outcome.path) else {
                continue;
            };
            outcome.findings = later.findings;
            outcome.fixed.extend(later.fixed);
            outcome.rewritten = later.rewritten.or(outcome.rewritten.take());
            if let Some(group) = later.group.map(|group| group + first_group) {
                match outcome.group {
                    Some(own) => joined.push((group, own)),
                    None => outcome.group = Some(group),
                }
            }
        }
        for mut outcome in left.into_values() {
            outcome.group = outcome.group.map(|group| group + first_group);
            self.files.push(outcome);
        }
        for (from, to) in joined {
            for outcome in &mut self.files {
                if outcome.group == Some(from) {
                    outcome.group = Some(to);
                }
            }
        }
        for error in later.errors {
            if !self.errors.contains(&error) {
                self.errors.push(error);
            }
        }
        self.knowledge = later.knowledge;
    }
}

/// What a run knows of the project.
pub struct Knowledge {
    _project: Option<Arc<Project>>,
    database: Option<Database>,
}

impl std::fmt::Debug for Knowledge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Knowledge").finish_non_exhaustive()
    }
}

/// A file as it is handed to a run.
#[derive(Debug, Clone)]
pub struct Input {
    /// Where it is.
    pub found: Found,
    /// Its text, where that is not what is on disk.
    pub text: Option<String>,
    /// The lines that are looked at, where these are not all.
    pub lines: Option<Arc<Lines>>,
}

impl Input {
    /// A file as it is on disk, all of it.
    pub fn new(found: Found) -> Self {
        Self {
            found,
            text: None,
            lines: None,
        }
    }

    /// A file with this text.
    pub fn with_text(found: Found, text: String) -> Self {
        Self {
            text: Some(text),
            ..Self::new(found)
        }
    }
}

/// What a run is about.
#[derive(Debug, Default)]
pub struct Request {
    /// The files to look at. Others that belong to the same projects are read for what they say about these.
    pub inputs: Vec<Input>,
    /// Folders of which all files are among these, as absolute paths.
    pub folders: Vec<PathBuf>,
    /// What an earlier run has learned of the standard library, and of files that are as they were.
    pub earlier: Option<Knowledge>,
    /// Where it is kept what runs find out about files.
    pub cache: cache::Place,
}

/// Runs the codemods over the files of a request.
///
/// `tick` is called once for every file that is done with, or has had its first closer look. `Err` only where a
/// configuration is wrong; what goes wrong in one file is in [`Outcomes::errors`], and the others go on.
pub fn run(
    mut request: Request,
    resolver: &Resolver,
    plan: Plan<'_>,
    tick: &(dyn Fn() + Sync),
) -> Result<Outcomes, ConfigError> {
    let embedded = Embedded::take(&mut request.inputs);
    let asking = plan.choose.map(|choose| embedded.asking(choose));
    let plan = plan.asking(asking.as_ref().map(|asking| asking as &dyn Choose));
    let founds: Vec<(Found, Option<String>, Option<Arc<Lines>>)> = match plan.mode {
        Mode::Report | Mode::Suppress => Vec::new(),
        Mode::Fix => request
            .inputs
            .iter()
            .map(|input| (input.found.clone(), input.text.clone(), input.lines.clone()))
            .collect(),
    };
    let folders = request.folders.clone();
    let mut outcomes = pass(request, resolver, plan, tick)?;
    // What one file calls has become a coroutine function in another one: all that was known of it is out of date.
    let mut is_out_of_date = outcomes.files.iter().any(|file| file.group.is_some());
    for _ in 0..MOST_PASSES {
        if plan.mode != Mode::Fix || !is_out_of_date {
            break;
        }
        let texts: FxHashMap<&Path, (&str, &str)> = outcomes
            .files
            .iter()
            .filter_map(|file| {
                let rewritten = file.rewritten.as_deref()?;
                Some((file.path.as_path(), (&*file.source.text, rewritten)))
            })
            .collect();
        let inputs = founds.iter().map(|(found, given, lines)| {
            let rewritten = texts.get(found.path.as_path()).copied();
            let lines = lines.clone().map(|lines| match rewritten {
                Some((original, text)) => Arc::new(lines.moved(original, text)),
                None => lines,
            });
            Input {
                found: found.clone(),
                lines,
                text: rewritten
                    .map(|(_, text)| text.to_owned())
                    .or_else(|| given.clone()),
            }
        });
        request = Request {
            inputs: inputs.collect(),
            folders: folders.clone(),
            earlier: outcomes.knowledge.take(),
            // What is asked now is about texts that are not on disk yet.
            cache: cache::Place::Nowhere,
        };
        let later = pass(request, resolver, plan, &|| {})?;
        is_out_of_date = later.files.iter().any(|file| file.group.is_some());
        outcomes.follow_up(later);
    }
    embedded.give_back(&mut outcomes);
    Ok(outcomes)
}

/// Looks at all files once, with what they say about each other at the start, and rewrites them.
fn pass(
    request: Request,
    resolver: &Resolver,
    plan: Plan<'_>,
    tick: &(dyn Fn() + Sync),
) -> Result<Outcomes, ConfigError> {
    let mut outcomes = Outcomes::default();
    let earlier = request.earlier.and_then(|knowledge| knowledge.database);
    let inputs = request.inputs;
    let paths: Vec<PathBuf> = inputs
        .iter()
        .map(|input| input.found.path.clone())
        .collect();
    let shown: Vec<PathBuf> = inputs
        .iter()
        .map(|input| input.found.shown.clone())
        .collect();
    let wholes = wholes_of(&paths);
    let beside = files_beside(&paths, &wholes, &request.folders, resolver)?;
    let number_of_targets = inputs.len();
    let files: Vec<PathBuf> = paths.into_iter().chain(beside.iter().cloned()).collect();
    let read_beside = beside.into_iter().map(|path| {
        Input::new(Found {
            shown: path.clone(),
            path,
            named: false,
        })
    });
    let all: Vec<Input> = inputs.into_iter().chain(read_beside).collect();
    let surroundings = Surroundings::of(files.iter(), &wholes, resolver)?;
    let recall = Cache::open(&request.cache, &wholes, resolver)
        .map(|cache| Recall::new(cache, &surroundings));
    let is_target = |number: usize| number < number_of_targets;
    let look_anew = |number: usize, input: &Input| {
        let aim = Aim {
            is_target: is_target(number),
            for_others: recall.is_some(),
        };
        first_look(number, input.clone(), resolver, aim)
    };
    let looks: Vec<Result<Look, ConfigError>> = all
        .par_iter()
        .enumerate()
        .with_max_len(AT_A_TIME)
        .map(|(number, input)| {
            let known = recall.as_ref();
            let known = known.and_then(|recall| recall.find(input, is_target(number)));
            let look = match known {
                Some(place) => Look::Known(place),
                None => Look::Fresh(Box::new(look_anew(number, input)?)),
            };
            let is_candidate = |look: &Look| match look {
                Look::Known(_) => true,
                Look::Fresh(looked) => matches!(looked.first, FirstLook::Candidate(_)),
            };
            if is_target(number) && !is_candidate(&look) {
                tick();
            }
            Ok(look)
        })
        .collect();
    let looks = looks.into_iter().collect::<Result<Vec<Look>, _>>()?;
    let targets = all.get(..number_of_targets).unwrap_or_default();
    if let Some(recall) = &recall
        && let Some(known) = recall.all(&looks, targets, plan.mode == Mode::Report)
    {
        let problems = known.problems.into_iter();
        outcomes.errors = problems.map(|(_, problem)| problem).collect();
        for (number, source, findings) in known.found {
            if let Some(input) = targets.get(number) {
                let config = config_of(&input.found.path, resolver)?;
                let outcome = Outcome::as_it_was(&input.found, source, findings, &config);
                outcomes.files.push(outcome);
            }
        }
        for _ in targets {
            tick();
        }
        outcomes.knowledge = Some(Knowledge {
            _project: None,
            database: earlier,
        });
        return Ok(outcomes);
    }
    let seen: Vec<Result<(Seen, FirstLook), ConfigError>> = looks
        .into_par_iter()
        .zip(&all)
        .enumerate()
        .with_max_len(AT_A_TIME)
        .map(|(number, (look, input))| {
            let place = match look {
                Look::Fresh(looked) => return Ok(seen_anew(*looked, recall.is_some())),
                Look::Known(place) => place,
            };
            let config = config_of(&input.found.path, resolver)?;
            let known = recall.as_ref();
            let known = known
                .and_then(|recall| recall.see(place, number, input, &config, is_target(number)));
            match known {
                Some(seen) => Ok(seen),
                None => Ok(seen_anew(look_anew(number, input)?, recall.is_some())),
            }
        })
        .collect();
    let mut candidates = Vec::new();
    let mut errors: Vec<(usize, Problem)> = Vec::new();
    let mut said: Vec<Said> = Vec::new();
    let mut all_seen: Vec<Seen> = Vec::with_capacity(seen.len());
    for (number, seen) in seen.into_iter().enumerate() {
        let (seen, first) = seen?;
        match first {
            FirstLook::Nothing if is_target(number) => said.push(Said::nothing(number)),
            FirstLook::Nothing => {}
            FirstLook::Candidate(candidate) => candidates.push(*candidate),
            FirstLook::Error(error) => errors.push((number, error)),
        }
        all_seen.push(seen);
    }
    let summaries = all_seen.iter().map(Seen::summary).collect();
    let index = Index::link(files.clone(), summaries, &wholes, &surroundings);
    let project = &index.project;
    // What changes in one file may have to change in others, whichever were given.
    let mut texts = Vec::new();
    if candidates
        .iter()
        .any(|file| changes_others(file.prospects.certain.iter().copied()))
    {
        let seen = files.iter().zip(&all_seen);
        texts = decoded(
            seen.filter(|(_, seen)| !seen.is_utf8())
                .map(|(path, _)| path),
        );
    }
    let verdicts = recall
        .as_ref()
        .and_then(|recall| recall.verdicts(&files, &all, &all_seen, &index));
    let keeps_findings = plan.mode == Mode::Report;
    let settled: Vec<Decided> = candidates
        .into_par_iter()
        .with_max_len(AT_A_TIME)
        .map(|candidate| {
            let number = candidate.index;
            let codemods = candidate.codemods(project, None);
            let known = verdicts.as_ref();
            let known = known.and_then(|verdicts| verdicts.of(number, &codemods));
            let is_answer = |findings: &Vec<Finding>| {
                findings.is_empty() || keeps_findings && candidate.lines.is_none()
            };
            match known.filter(is_answer) {
                Some(findings) => Decided::Before(number, findings),
                None => Decided::Now(candidate.settle(codemods), number),
            }
        })
        .collect();
    let mut active = Vec::new();
    let mut known = Vec::new();
    for settled in settled {
        match settled {
            Decided::Before(number, findings) => {
                said.extend(verdicts.as_ref().and_then(|verdicts| verdicts.kept(number)));
                if !findings.is_empty() {
                    known.push((number, findings));
                }
                tick();
            }
            Decided::Now(Settled::Active(file), _) => active.push(*file),
            Decided::Now(Settled::Nothing, number) => {
                said.push(Said::nothing(number));
                tick();
            }
            Decided::Now(Settled::Error(index, error), _) => {
                errors.push((index, error));
                tick();
            }
        }
    }
    let (finished, database) = if active.is_empty() {
        (Vec::new(), earlier)
    } else {
        let given = Given {
            index: &index,
            writable: Writable::Below(number_of_targets),
            shown: &shown,
            resolver,
            takes_notes: recall.is_some(),
        };
        let views = active
            .iter()
            .map(|file| index.view_of(&file.path, &file.config));
        let mut database = Database::renewed(earlier, &index, views.collect())
            .map_err(|error| ConfigError(error.to_string()))?;
        for (path, text) in texts {
            database.preload(&path, text);
        }
        for file in &active {
            database.preload(&file.path, Arc::clone(&file.text));
        }
        let finished = rounds(active, &mut database, &given, plan, tick);
        (finished, Some(database))
    };
    if let Some(recall) = &recall {
        for file in &finished {
            said.extend(Said::of(file, codes_of(&file.codemods), keeps_findings));
        }
        recall.save(
            &files,
            &all,
            number_of_targets,
            &all_seen,
            said,
            Some(&Types {
                index: &index,
                reads: reads_of(database.as_ref(), &index),
            }),
        );
    }
    let mut numbered: Vec<(usize, Outcome)> = Vec::new();
    for (number, findings) in known {
        let Some(input) = all.get(number) else {
            continue;
        };
        let config = config_of(&input.found.path, resolver)?;
        match read(input) {
            Ok(source) => {
                let outcome = Outcome::as_it_was(&input.found, source, findings, &config);
                numbered.push((number, outcome));
            }
            Err(reason) => {
                let problem = Problem::new(&input.found.shown, Kind::Unreadable, reason);
                errors.push((number, problem));
            }
        }
    }
    for file in finished {
        let complaints = file.error.into_iter().chain(file.complaints);
        errors.extend(complaints.map(|error| (file.index, error)));
        let rewritten = (*file.text != *file.source.text).then(|| file.text.to_string());
        if file.findings.is_empty() && file.fixed.is_empty() && rewritten.is_none() {
            continue;
        }
        let outcome = Outcome {
            shown: file.shown,
            path: file.path.into_std_path_buf(),
            source: file.source,
            rewritten,
            fixed: file.fixed,
            findings: file.findings,
            unsafe_fixes: file.config.unsafe_fixes,
            group: file.group,
            sheet: None,
        };
        numbered.push((file.index, outcome));
    }
    numbered.sort_by_key(|(number, _)| *number);
    outcomes.files = numbered.into_iter().map(|(_, outcome)| outcome).collect();
    errors.sort();
    outcomes.errors = errors.into_iter().map(|(_, error)| error).collect();
    outcomes.knowledge = Some(Knowledge {
        _project: Some(index.project),
        database,
    });
    Ok(outcomes)
}

/// What the files belong to, each once.
fn wholes_of(paths: &[PathBuf]) -> Vec<Whole> {
    let folders: FxHashSet<&Path> = paths.iter().filter_map(|path| path.parent()).collect();
    let mut known = Marked::default();
    let mut wholes: Vec<Whole> = folders
        .into_iter()
        .filter_map(system_path)
        .map(|folder| Whole::around_known(&folder, &mut known))
        .collect();
    wholes.sort_by(|one, other| one.root.cmp(&other.root));
    wholes.dedup();
    wholes
}

/// What was read beside the files of a run: for types, and to find out which packages are the project's own.
fn reads_of(database: Option<&Database>, index: &Index) -> Reads {
    let mut reads = database.map(Database::reads).unwrap_or_default();
    reads.folders.extend(index.roots.all().cloned());
    reads
}

/// The files that belong to the same, and are not among these. What lies in `folders` is.
fn files_beside(
    paths: &[PathBuf],
    wholes: &[Whole],
    folders: &[PathBuf],
    resolver: &Resolver,
) -> Result<Vec<PathBuf>, ConfigError> {
    let given: FxHashSet<&PathBuf> = paths.iter().collect();
    let mut beside = Vec::new();
    for whole in wholes {
        let is_given = |folder: &PathBuf| whole.root.as_std_path().starts_with(folder);
        if !folders.iter().any(is_given) {
            let files = whole.files(resolver)?;
            let files = files.into_iter().filter(|path| !given.contains(path));
            // Nothing imports these.
            beside.extend(files.filter(|path| !is_notebook(path) && !is_document(path)));
        }
    }
    beside.sort();
    beside.dedup();
    Ok(beside)
}

/// What is known about a candidate.
enum Decided {
    /// What was found in it before, with its number.
    Before(usize, Vec<Finding>),
    Now(Settled, usize),
}

/// The options for a file.
fn config_of(path: &Path, resolver: &Resolver) -> Result<Arc<Config>, ConfigError> {
    resolver.for_folder(path.parent().unwrap_or(path))
}

/// The text of a file of a run. `Err` says why it cannot be read.
fn read(input: &Input) -> Result<Source, String> {
    match &input.text {
        Some(text) => Ok(Source::utf8(text.clone())),
        None => source::read(&input.found.path),
    }
}

/// The texts of those of the files that are not in UTF-8: the type engine reads nothing else itself.
pub(crate) fn decoded<'p>(
    files: impl Iterator<Item = &'p PathBuf> + Send,
) -> Vec<(SystemPathBuf, Arc<str>)> {
    files
        .par_bridge()
        .filter_map(|path| {
            let source = source::read(path).ok().filter(|source| !source.is_utf8())?;
            Some((system_path(path)?, source.text))
        })
        .collect()
}

pub(crate) fn changes_others(mut codemods: impl Iterator<Item = &'static dyn Codemod>) -> bool {
    codemods.any(Codemod::changes_other_files)
}
