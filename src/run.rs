//! A run: from files to findings and rewritten texts.
//!
//! Every file is read and parsed once, in parallel, and summarized. Only files that hold a word a
//! codemod looks for go to the type engine, round after round until nothing changes any more, and
//! every round is proved before the next one starts from it.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use asyncfix_codemods::file::File;
use asyncfix_codemods::finding::{Elsewhere, Finding, Remedy};
use asyncfix_codemods::project::{Project, Summary, may_drive_coroutines, may_start_loops};
use asyncfix_codemods::proof::Flaw;
use asyncfix_codemods::rewrite::Round;
use asyncfix_codemods::support::blocking::Table;
use asyncfix_codemods::traces::{Place, Scopes, Writer};
use asyncfix_codemods::traversal::Prospects;
use asyncfix_codemods::{CODEMODS, Codemod, calls, proof, rewrite, semantics, traversal};
use rayon::prelude::*;
use ruff_db::parsed::{ParsedModuleRef, parsed_module};
use ruff_db::source::source_text;
use ruff_db::system::{SystemPath, SystemPathBuf};
use ruff_diagnostics::Applicability;
use ruff_python_ast::PySourceType;
use ruff_python_ast::name::Name;
use ruff_python_parser::parse_unchecked_source;
use ruff_source_file::LineIndex;
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};
use salsa::{CancellationToken, Database as _};

use crate::config::{Config, ConfigError, Resolver};
use crate::database::{ANYTHING, Database};
use crate::discovery::{self, Found};
use crate::environment;
use crate::roots::{self, Roots, View, Whole};
use crate::source::{self, Source};
use crate::words::Words;

/// How many rounds a file may take, and for each finding that it had at first. Two rewrites that undo each other are
/// found by the text that comes back; one that writes its own cause again has no other end.
const ROUNDS: usize = 100;
const ROUNDS_OF_A_FINDING: usize = 2;

/// How often the files of a run are looked at anew because one has changed what another one sees.
const MOST_PASSES: usize = 10;

/// How many files a thread takes at a time. Some take a hundred times as long as others: with many, all
/// threads but one wait for the last.
const AT_A_TIME: usize = 4;

/// Generated code nests deeper than people do, and a tree is walked by recursion. Only what is used
/// of this becomes memory.
pub(crate) const STACK_SIZE: usize = 256 << 20;

/// What a run is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Find, and rewrite nothing.
    Report,
    /// Rewrite until nothing changes.
    Fix,
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
    /// What was fixed: the rule's code for each finding.
    pub fixed: Vec<&'static str>,
    /// What is left, in places of the text as it is now.
    pub findings: Vec<Finding>,
    /// Whether unsafe rewrites were applied.
    pub unsafe_fixes: bool,
    /// Files with the same number were changed together: they are written together, or not at all.
    pub group: Option<usize>,
}

impl Active {
    /// Takes over the text that a round has led to, unless it leads round in circles.
    fn take(&mut self, text: Arc<str>, fixed: Vec<&'static str>) {
        self.rounds -= 1;
        if self.rounds == 0 || !self.seen.insert(hash_of(&text)) {
            // Each round was proved: what they have led to so far is kept.
            self.is_settled = true;
            self.complaints.push(format!(
                "{}: not everything was fixed: the fixes of {} undo each other (a bug, please report it)",
                self.shown.display(),
                distinct(&fixed).join(" and ")
            ));
            return;
        }
        self.text = text;
        self.fixed.extend(fixed);
        // What was written may be another codemod's business.
        self.codemods = self.all_codemods();
    }

    /// The codemods that are selected for the file.
    fn all_codemods(&self) -> Vec<&'static dyn Codemod> {
        let codes = self.config.codes_for(self.path.as_std_path());
        let all = CODEMODS.iter().copied();
        all.filter(|codemod| codes.contains(&codemod.rule().code))
            .collect()
    }
}

impl Outcome {
    /// The text as it is after the run.
    pub fn text(&self) -> &str {
        self.rewritten.as_deref().unwrap_or(&self.source.text)
    }
}

/// The outcome of a run.
#[derive(Debug, Default)]
pub struct Outcomes {
    /// The files with findings, left or fixed, in the order they were given.
    pub files: Vec<Outcome>,
    /// What went wrong, ready to be shown, in the order of the files.
    pub errors: Vec<String>,
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
    _project: Arc<Project>,
    database: Option<Database>,
}

impl std::fmt::Debug for Knowledge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Knowledge").finish_non_exhaustive()
    }
}

/// A file as it is handed to a run.
#[derive(Debug)]
pub struct Input {
    /// Where it is.
    pub found: Found,
    /// Its text, where that is not what is on disk.
    pub text: Option<String>,
}

/// A file on its way through the run.
#[derive(Clone)]
struct Active {
    index: usize,
    shown: PathBuf,
    path: SystemPathBuf,
    config: Arc<Config>,
    view: View,
    codemods: Vec<&'static dyn Codemod>,
    source: Source,
    text: Arc<str>,
    fixed: Vec<&'static str>,
    findings: Vec<Finding>,
    error: Option<String>,
    /// Rewrites that were dropped, ready to be shown.
    complaints: Vec<String>,
    /// The texts that it has had, as hashes.
    seen: FxHashSet<u64>,
    /// How many rounds are left.
    rounds: usize,
    /// Whether it is only looked at from now on.
    is_settled: bool,
    /// The number of those that it was changed together with.
    group: Option<usize>,
}

/// A file that may have something for a codemod. Most turn out to have nothing once the others are known,
/// and so their texts are not kept.
struct Candidate {
    index: usize,
    shown: PathBuf,
    path: SystemPathBuf,
    config: Arc<Config>,
    prospects: Prospects,
    /// The text, where that is not what is on disk, or is sure to be needed.
    source: Option<Source>,
}

impl Candidate {
    /// Makes a file of a run of it, where one of the codemods has something to look at.
    fn settle(self, project: &Project) -> Settled {
        let codemods = self.prospects.settle(project, self.index);
        if codemods.is_empty() {
            return Settled::Nothing;
        }
        let source = match self.source {
            Some(source) => source,
            None => match source::read(self.path.as_std_path()) {
                Ok(source) => source,
                Err(reason) => {
                    let error = format!("{}: {reason}", self.shown.display());
                    return Settled::Error(self.index, error);
                }
            },
        };
        Settled::Active(Active {
            index: self.index,
            shown: self.shown,
            path: self.path,
            view: View::of_version(self.config.version_of_types()),
            config: self.config,
            codemods,
            text: Arc::clone(&source.text),
            source,
            fixed: Vec::new(),
            findings: Vec::new(),
            error: None,
            complaints: Vec::new(),
            seen: FxHashSet::default(),
            rounds: usize::MAX,
            is_settled: false,
            group: None,
        })
    }
}

/// What a file turns out to have, once the others are known.
enum Settled {
    Nothing,
    Active(Active),
    /// It cannot be looked at any more. With its place among the files.
    Error(usize, String),
}

/// What the first look at a file brings.
enum FirstLook {
    /// Nothing for any codemod.
    Nothing(Option<Box<Summary>>),
    /// Something to look at.
    Candidate(Box<Candidate>, Box<Summary>),
    /// It cannot be looked at.
    Error(String),
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
}

/// Runs the codemods over the files of a request.
///
/// `tick` is called once for every file that is done with, or has had its first closer look. `Err` only where a
/// configuration is wrong; what goes wrong in one file is in [`Outcomes::errors`], and the others go on.
pub fn run(
    mut request: Request,
    resolver: &Resolver,
    mode: Mode,
    tick: &(dyn Fn() + Sync),
) -> Result<Outcomes, ConfigError> {
    let founds: Vec<(Found, Option<String>)> = match mode {
        Mode::Report => Vec::new(),
        Mode::Fix => request
            .inputs
            .iter()
            .map(|input| (input.found.clone(), input.text.clone()))
            .collect(),
    };
    let folders = request.folders.clone();
    let mut outcomes = pass(request, resolver, mode, tick)?;
    // What one file calls has become a coroutine function in another one: all that was known of it is out of date.
    let mut is_out_of_date = outcomes.files.iter().any(|file| file.group.is_some());
    for _ in 0..MOST_PASSES {
        if mode == Mode::Report || !is_out_of_date {
            break;
        }
        let texts: FxHashMap<&Path, &str> = outcomes
            .files
            .iter()
            .filter_map(|file| Some((file.path.as_path(), file.rewritten.as_deref()?)))
            .collect();
        let inputs = founds.iter().map(|(found, given)| {
            let rewritten = texts
                .get(found.path.as_path())
                .map(|text| (*text).to_owned());
            Input {
                found: found.clone(),
                text: rewritten.or_else(|| given.clone()),
            }
        });
        request = Request {
            inputs: inputs.collect(),
            folders: folders.clone(),
            earlier: outcomes.knowledge.take(),
        };
        let later = pass(request, resolver, mode, &|| {})?;
        is_out_of_date = later.files.iter().any(|file| file.group.is_some());
        outcomes.follow_up(later);
    }
    Ok(outcomes)
}

/// Looks at all files once, with what they say about each other at the start, and rewrites them.
fn pass(
    request: Request,
    resolver: &Resolver,
    mode: Mode,
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
    let modules: Vec<String> = paths
        .iter()
        .chain(&beside)
        .map(|path| module_name(path))
        .collect();
    let number_of_targets = inputs.len();
    let read_beside = beside.iter().map(|path| Input {
        found: Found {
            shown: path.clone(),
            path: path.clone(),
            named: false,
        },
        text: None,
    });
    let all: Vec<Input> = inputs.into_iter().chain(read_beside).collect();
    let looks: Vec<Result<FirstLook, ConfigError>> = all
        .into_par_iter()
        .enumerate()
        .with_max_len(AT_A_TIME)
        .map(|(index, input)| {
            let is_target = index < number_of_targets;
            let look = first_look(index, input, resolver, is_target);
            if is_target && !matches!(look, Ok(FirstLook::Candidate(..))) {
                tick();
            }
            look
        })
        .collect();
    let mut candidates = Vec::new();
    let mut errors: Vec<(usize, String)> = Vec::new();
    let mut summaries: Vec<Option<Box<Summary>>> = Vec::with_capacity(looks.len());
    for (index, look) in looks.into_iter().enumerate() {
        summaries.push(match look? {
            FirstLook::Nothing(summary) => summary,
            FirstLook::Candidate(candidate, summary) => {
                candidates.push(*candidate);
                Some(summary)
            }
            FirstLook::Error(error) => {
                errors.push((index, error));
                None
            }
        });
    }
    let mut configs: Vec<Arc<Config>> = Vec::new();
    for config in candidates.iter().map(|file| &file.config) {
        if !configs.iter().any(|other| Arc::ptr_eq(config, other)) {
            configs.push(Arc::clone(config));
        }
    }
    let tables: Vec<SystemPathBuf> = summaries
        .iter()
        .zip(paths.iter().chain(&beside))
        .filter(|(summary, _)| summary.as_ref().is_some_and(|summary| summary.is_table()))
        .filter_map(|(_, path)| system_path(path))
        .collect();
    // Where files lie, and what they import.
    let mut imports: BTreeMap<SystemPathBuf, FxHashSet<Name>> = BTreeMap::new();
    for (summary, path) in summaries.iter().zip(paths.iter().chain(&beside)) {
        if let (Some(summary), Some(folder)) = (summary, path.parent().and_then(system_path)) {
            let imports = imports.entry(folder).or_default();
            imports.extend(summary.packages().iter().cloned());
        }
    }
    let mut project = Project::link(
        modules
            .into_iter()
            .zip(summaries)
            .map(|(module, summary)| (module, summary.unwrap_or_default())),
    );
    let mut site_packages = match paths.first().and_then(|path| path.parent()) {
        Some(folder) => {
            let config = resolver.for_folder(folder)?;
            let named = configs.iter().find_map(|config| config.python.as_deref());
            let python = named.or(config.python.as_deref());
            let folder = system_path(folder).unwrap_or_default();
            environment::site_packages(python, &folder)?
        }
        None => Vec::new(),
    };
    // What is installed says more than any stub.
    site_packages.extend(all_of(&configs, |config| &config.extra_stubs));
    if !site_packages.is_empty() {
        environment::add_installed(&mut project, &site_packages);
    }
    let roots = {
        let folders: Vec<roots::Folder<'_>> = imports
            .iter()
            .map(|(path, imports)| roots::Folder {
                path,
                imports: imports.iter().collect(),
            })
            .collect();
        let given = all_of(&configs, |config| &config.src);
        Roots::of(&folders, &wholes, &given, |name| project.has_types_of(name))
    };
    environment::add_own(&mut project, &roots);
    for config in &configs {
        project.add_table(&config.settings.blocking);
    }
    project.settle();
    // What changes in one file may have to change in others, whichever were given.
    let mut decoded = Vec::new();
    if candidates
        .iter()
        .any(|file| changes_others(file.prospects.certain.iter().copied()))
    {
        project.set_files(paths.clone(), beside);
        // The type engine reads UTF-8 alone.
        decoded = project
            .files()
            .par_bridge()
            .filter_map(|path| {
                let source = source::read(path).ok().filter(|source| !source.is_utf8())?;
                Some((system_path(path)?, source.text))
            })
            .collect();
    }
    let settled: Vec<Settled> = candidates
        .into_par_iter()
        .with_max_len(AT_A_TIME)
        .map(|candidate| candidate.settle(&project))
        .collect();
    let mut active = Vec::new();
    for settled in settled {
        match settled {
            Settled::Active(file) => active.push(file),
            Settled::Nothing => tick(),
            Settled::Error(index, error) => {
                errors.push((index, error));
                tick();
            }
        }
    }
    let project = Arc::new(project);
    let (finished, database) = if active.is_empty() {
        (Vec::new(), earlier)
    } else {
        let places = Places {
            roots: &roots,
            site_packages,
            tables: &tables,
            decoded,
        };
        let given = Given {
            roots: &roots,
            shown: &shown,
            resolver,
        };
        let (finished, database) = rounds(active, &project, places, &given, mode, tick, earlier)
            .map_err(|error| ConfigError(error.to_string()))?;
        (finished, Some(database))
    };
    for file in finished {
        let complaints = file.error.into_iter().chain(file.complaints);
        errors.extend(complaints.map(|error| (file.index, error)));
        let rewritten = (*file.text != *file.source.text).then(|| file.text.to_string());
        if file.findings.is_empty() && file.fixed.is_empty() && rewritten.is_none() {
            continue;
        }
        outcomes.files.push(Outcome {
            shown: file.shown,
            path: file.path.into_std_path_buf(),
            source: file.source,
            rewritten,
            fixed: file.fixed,
            findings: file.findings,
            unsafe_fixes: file.config.unsafe_fixes,
            group: file.group,
        });
    }
    errors.sort();
    outcomes.errors = errors.into_iter().map(|(_, error)| error).collect();
    outcomes.knowledge = Some(Knowledge {
        _project: project,
        database,
    });
    Ok(outcomes)
}

/// What the files belong to, each once.
fn wholes_of(paths: &[PathBuf]) -> Vec<Whole> {
    let folders: FxHashSet<&Path> = paths.iter().filter_map(|path| path.parent()).collect();
    let mut wholes: Vec<Whole> = folders
        .into_iter()
        .filter_map(system_path)
        .map(|folder| Whole::around(&folder))
        .collect();
    wholes.sort_by(|one, other| one.root.cmp(&other.root));
    wholes.dedup();
    wholes
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
            beside.extend(files.into_iter().filter(|path| !given.contains(path)));
        }
    }
    beside.sort();
    beside.dedup();
    Ok(beside)
}

/// The summary of a file that is read for what it defines alone.
fn defined_in(path: &Path, text: &str, table: &Table) -> Box<Summary> {
    let parsed = parse_unchecked_source(text, PySourceType::from(path));
    let scopes = Scopes::of(parsed.syntax(), text, Place::of(path));
    let mut summary = Box::new(Summary::of(parsed.syntax(), text, true));
    summary.add_traces(Writer::new(&scopes).finish());
    summary.add_calls(calls::write(&scopes, text, table));
    summary
}

/// The folders that any of the configurations names.
fn all_of(configs: &[Arc<Config>], of: fn(&Config) -> &[PathBuf]) -> Vec<SystemPathBuf> {
    let mut folders: Vec<SystemPathBuf> = configs
        .iter()
        .flat_map(|config| of(config))
        .filter_map(|path| system_path(path))
        .collect();
    folders.dedup();
    folders
}

/// Reads a file, parses it, and says whether any codemod could have work in it. One that is no target is read for what
/// it says about others alone.
fn first_look(
    index: usize,
    input: Input,
    resolver: &Resolver,
    is_target: bool,
) -> Result<FirstLook, ConfigError> {
    let Found { shown, path, named } = input.found;
    let folder = path.parent().unwrap_or(&path);
    let config = resolver.for_folder(folder)?;
    let is_given = input.text.is_some();
    let source = match input.text {
        Some(text) => Source::utf8(text),
        None => match source::read(&path) {
            Ok(source) => source,
            Err(_) if !is_target => return Ok(FirstLook::Nothing(None)),
            Err(reason) => {
                return Ok(FirstLook::Error(format!("{}: {reason}", shown.display())));
            }
        },
    };
    if discovery::is_stub(&path) {
        let summary = defined_in(&path, &source.text, &config.settings.blocking);
        return Ok(FirstLook::Nothing(Some(summary)));
    }
    let words = Words::of(&source.text);
    let is_plain = !words.are_of_coroutines();
    let codes = config.codes_for(&path);
    let selected: Vec<(usize, &'static dyn Codemod)> = CODEMODS
        .iter()
        .copied()
        .enumerate()
        .filter(|(_, codemod)| codes.contains(&codemod.rule().code))
        .collect();
    // Types are decided across files, and so by code without coroutines as well.
    let for_types = selected.iter().any(|(_, codemod)| codemod.asks_for_types());
    let in_plain_code = selected
        .iter()
        .any(|(place, codemod)| codemod.in_plain_code() && words.are_for(*place));
    let is_asked_for = is_target && (named || in_plain_code);
    let is_of_libraries = may_drive_coroutines(&source.text) || may_start_loops(&source.text);
    if is_plain && !for_types && !is_asked_for && !is_of_libraries {
        let summary = Summary::of_plain_code(&source.text);
        return Ok(FirstLook::Nothing(Some(Box::new(summary))));
    }
    let parsed = parse_unchecked_source(&source.text, PySourceType::Python);
    if let Some(error) = parsed.errors().first() {
        if !is_target || is_plain && !named {
            return Ok(FirstLook::Nothing(None));
        }
        let index = LineIndex::from_source_text(&source.text);
        let place = index.line_column(error.location.start(), &source.text);
        return Ok(FirstLook::Error(format!(
            "{}:{}:{}: syntax error: {}",
            shown.display(),
            place.line,
            place.column,
            error.error
        )));
    }
    let scopes = for_types.then(|| Scopes::of(parsed.syntax(), &source.text, Place::of(&path)));
    let mut writer = scopes.as_ref().map(Writer::new);
    let mut summary = Box::new(Summary::of(parsed.syntax(), &source.text, for_types));
    let codemods = selected
        .into_iter()
        .filter(|_| is_target)
        .filter(|(_, codemod)| !is_plain || codemod.in_plain_code())
        .filter(|(place, _)| words.are_for(*place))
        .map(|(_, codemod)| codemod)
        .collect();
    let prospects = Prospects::of(
        parsed.syntax(),
        &source.text,
        writer.as_mut(),
        codemods,
        &config.settings,
    );
    if let Some(writer) = writer {
        summary.add_traces(writer.finish());
    }
    if let Some(scopes) = &scopes {
        summary.add_calls(calls::write(
            scopes,
            &source.text,
            &config.settings.blocking,
        ));
    }
    let Some(path) = system_path(&path) else {
        return Ok(FirstLook::Error(format!(
            "{}: the path is not valid UTF-8",
            shown.display()
        )));
    };
    if prospects.is_empty() {
        return Ok(FirstLook::Nothing(Some(summary)));
    }
    let is_needed = is_given || !prospects.certain.is_empty();
    Ok(FirstLook::Candidate(
        Box::new(Candidate {
            index,
            shown,
            path,
            config,
            prospects,
            source: is_needed.then_some(source),
        }),
        summary,
    ))
}

/// Where the type engine looks for code.
struct Places<'a> {
    /// The folders that imports start from.
    roots: &'a Roots,
    /// The folders of installed packages.
    site_packages: Vec<SystemPathBuf>,
    /// Files that it is not shown.
    tables: &'a [SystemPathBuf],
    /// The texts of files that are not in UTF-8.
    decoded: Vec<(SystemPathBuf, Arc<str>)>,
}

/// The files of a run, by their numbers.
struct Given<'a> {
    roots: &'a Roots,
    shown: &'a [PathBuf],
    resolver: &'a Resolver,
}

/// Looks at the candidates, and rewrites them round by round where that is wanted.
fn rounds(
    mut active: Vec<Active>,
    project: &Arc<Project>,
    places: Places<'_>,
    given: &Given<'_>,
    mode: Mode,
    tick: &(dyn Fn() + Sync),
    earlier: Option<Database>,
) -> anyhow::Result<(Vec<Active>, Database)> {
    for file in &mut active {
        file.view = view_of(&file.path, &file.config, places.roots);
    }
    let views = active.iter().map(|file| file.view).collect();
    let mut database = Database::renewed(earlier, places.roots, places.site_packages, views)?;
    for table in places.tables {
        database.preload(table, Arc::from(ANYTHING));
    }
    for (path, text) in places.decoded {
        database.preload(&path, text);
    }
    for file in &active {
        database.preload(&file.path, Arc::clone(&file.text));
    }
    if mode == Mode::Fix {
        across(&mut active, &mut database, project, given);
    }
    let mut finished = Vec::new();
    let _ahead = ask_ahead(&active, &database, project);
    for file in &mut active {
        file.seen.insert(hash_of(&file.text));
    }
    let mut is_first = true;
    while !active.is_empty() {
        let looked_at: Vec<(Active, Step)> = active
            .into_par_iter()
            .with_max_len(AT_A_TIME)
            .map_with(database.clone(), |database, file| {
                let step = step(database, &file, project, mode);
                if is_first {
                    tick();
                }
                (file, step)
            })
            .collect();
        is_first = false;
        active = Vec::new();
        for (mut file, step) in looked_at {
            match step {
                Step::Done {
                    findings,
                    complaints,
                } => {
                    file.findings = findings;
                    file.complaints.extend(complaints);
                    finished.push(file);
                }
                Step::Failed(error) => {
                    // Nothing of the file is kept that cannot be vouched for.
                    file.text = Arc::clone(&file.source.text);
                    file.fixed.clear();
                    file.error = Some(error);
                    finished.push(file);
                }
                Step::Rewritten {
                    text,
                    fixed,
                    findings,
                } => {
                    file.rounds = file.rounds.min(ROUNDS + ROUNDS_OF_A_FINDING * findings);
                    file.take(text, fixed);
                    database.set_text(&file.path, Arc::clone(&file.text));
                    active.push(file);
                }
            }
        }
    }
    give_up_together(&mut finished);
    finished.sort_by_key(|file| file.index);
    Ok((finished, database))
}

fn changes_others(mut codemods: impl Iterator<Item = &'static dyn Codemod>) -> bool {
    codemods.any(Codemod::changes_other_files)
}

/// Makes the rewrites that change several files. Each is made in all of them, or in none.
fn across(active: &mut Vec<Active>, database: &mut Database, project: &Project, given: &Given<'_>) {
    for _ in 0..ROUNDS {
        let wanted: Vec<(usize, &'static str, Vec<Elsewhere>)> = active
            .par_iter()
            .enumerate()
            .filter(|(_, file)| {
                file.error.is_none() && changes_others(file.codemods.iter().copied())
            })
            .map_with(database.clone(), |database, (position, file)| {
                let rewrites = rewrites_across(database, file, project);
                let of_file = move |(code, changes)| (position, code, changes);
                rewrites.into_iter().map(of_file).collect::<Vec<_>>()
            })
            .flatten()
            .collect();
        let mut touched: FxHashSet<PathBuf> = FxHashSet::default();
        let mut is_changed = false;
        for (position, code, changes) in wanted {
            // The others have their turn in the next round.
            if changes.iter().any(|change| touched.contains(&change.path)) {
                continue;
            }
            touched.extend(changes.iter().map(|change| change.path.clone()));
            match rewritten(database, &changes, given)
                .and_then(|texts| put(active, database, texts, project, given))
            {
                Ok(()) => {
                    is_changed = true;
                    if let Some(file) = active.get_mut(position) {
                        file.fixed.push(code);
                    }
                }
                Err(reason) => {
                    if let Some(file) = active.get_mut(position) {
                        file.error = Some(format!(
                            "{}: not changed: {reason} (bug in {code}, please report it)",
                            file.shown.display()
                        ));
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
fn give_up_together(finished: &mut [Active]) {
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
        file.error.get_or_insert(format!(
            "{}: not changed, because {other} must change with it and can't",
            file.shown.display()
        ));
    }
}

/// The rewrites of a file that change others too: the rule's code, and what changes.
fn rewrites_across(
    database: &Database,
    file: &Active,
    project: &Project,
) -> Vec<(&'static str, Vec<Elsewhere>)> {
    let codemods: Vec<&'static dyn Codemod> = file
        .codemods
        .iter()
        .copied()
        .filter(|codemod| codemod.changes_other_files())
        .collect();
    let attempt = catch_unwind(AssertUnwindSafe(|| {
        with_context(database, file, project, |context, _| {
            traversal::check(context, &codemods)
        })
    }));
    // A panic is met again, and reported, when the file has its own rounds.
    let findings = attempt.ok().flatten().unwrap_or_default();
    findings
        .into_iter()
        .filter_map(|finding| match finding.remedy {
            Remedy::Rewrite(rewrite)
                if !rewrite.elsewhere.is_empty() && rewrite.applicability >= least(file) =>
            {
                let own = Elsewhere {
                    path: file.path.as_std_path().to_path_buf(),
                    edits: rewrite::in_order(rewrite.shared, rewrite.edits),
                };
                let changes = std::iter::once(own).chain(rewrite.elsewhere).collect();
                Some((finding.rule.code, changes))
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
        let config = config_of(&change.path, given)?;
        let path = system_path(&change.path).ok_or(format!("{shown} is not valid UTF-8"))?;
        let program_file = database
            .file(&path, view_of(&path, &config, given.roots))
            .ok_or(format!("{shown} no longer exists"))?;
        let python_file = program_file.python_file(database);
        let module = parsed_module(database, python_file).load(database);
        let text = source_text(database, python_file.file(database));
        let new = rewrite::apply(text.as_str(), &change.edits);
        proof::prove(text.as_str(), &module, &new, &change.edits, &[])
            .map_err(|flaw| format!("in {shown} {flaw}"))?;
        texts.push((change.path.clone(), Arc::from(new)));
    }
    Ok(texts)
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
    project: &Project,
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
        let index = project.number_of(path);
        let index = index.ok_or(format!("{} was not passed to asyncfix", path.display()))?;
        let source = source::read(path).map_err(|reason| reason.clone())?;
        positions.insert(path.clone(), active.len() + new.len());
        new.push(Active {
            index,
            shown: given.shown.get(index).cloned().unwrap_or_default(),
            view: view_of(
                &system_path(path).unwrap_or_default(),
                &*config_of(path, given)?,
                given.roots,
            ),
            path: system_path(path).unwrap_or_default(),
            config: config_of(path, given)?,
            codemods: Vec::new(),
            text: Arc::clone(&source.text),
            source,
            fixed: Vec::new(),
            findings: Vec::new(),
            error: None,
            complaints: Vec::new(),
            seen: FxHashSet::default(),
            rounds: usize::MAX,
            is_settled: false,
            group: None,
        });
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

/// What the last panic said, and where.
static LAST_PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Keeps what a panic says, for [`last_panic`]: whoever catches it is not told where it was.
pub fn note_panic(panic: &PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("unknown cause");
    let place = panic
        .location()
        .map_or_else(String::new, |place| format!(" ({place})"));
    if let Ok(mut last) = LAST_PANIC.lock() {
        *last = Some(format!("{message}{place}"));
    }
}

/// What the last panic said, and where it was.
pub fn last_panic() -> String {
    let last = LAST_PANIC.lock().ok().and_then(|last| last.clone());
    last.unwrap_or_else(|| "unknown cause".to_owned())
}

/// What one round did to one file.
enum Step {
    /// Nothing is left to do.
    Done {
        /// What remains.
        findings: Vec<Finding>,
        /// Rewrites that were dropped.
        complaints: Vec<String>,
    },
    /// The file has a new text, proved against the old one.
    Rewritten {
        text: Arc<str>,
        fixed: Vec<&'static str>,
        /// How many findings there were.
        findings: usize,
    },
    /// The file must be left as it was.
    Failed(String),
}

/// Where there is one file only, lets another thread ask the type engine what the file will ask it.
///
/// The answers are those that it gives anyway, and a file that changes calls it off, as the end of the run
/// does. It is a thread of its own: the change waits until nobody asks any more, and one of the pool might
/// not have begun by then.
fn ask_ahead(active: &[Active], database: &Database, project: &Arc<Project>) -> Option<Ahead> {
    let ([file], true) = (active, rayon::current_num_threads() > 1) else {
        return None;
    };
    let (file, database, project) = (file.clone(), database.clone(), Arc::clone(project));
    let ahead = Ahead(database.cancellation_token());
    let ask = move || {
        // What goes wrong here is met again by who waits for the answer.
        let _ = catch_unwind(AssertUnwindSafe(|| {
            with_context(&database, &file, &project, |context, _| {
                semantics::index_ahead(&context.semantics);
                traversal::ask_from_the_end(context, &file.codemods);
            })
        }));
    };
    // Without a thread, it only takes longer.
    let _ = std::thread::Builder::new()
        .stack_size(STACK_SIZE)
        .spawn(ask);
    Some(ahead)
}

/// What is asked ahead is called off when this goes.
struct Ahead(CancellationToken);

impl Drop for Ahead {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

fn step(database: &Database, file: &Active, project: &Project, mode: Mode) -> Step {
    let attempt = catch_unwind(AssertUnwindSafe(|| look(database, file, project, mode)));
    match attempt {
        Ok(step) => step,
        Err(_) => Step::Failed(format!(
            "{}: not changed: internal error, please report it: {}",
            file.shown.display(),
            last_panic()
        )),
    }
}

fn look(database: &Database, file: &Active, project: &Project, mode: Mode) -> Step {
    with_context(database, file, project, |context, module| {
        look_at(context, module, file, mode)
    })
    .unwrap_or_else(|| Step::Failed(format!("{}: file no longer exists", file.shown.display())))
}

fn look_at(context: &File<'_, '_>, module: &ParsedModuleRef, file: &Active, mode: Mode) -> Step {
    let mut findings = traversal::check(context, &file.codemods);
    let mut complaints = Vec::new();
    if mode == Mode::Fix && !file.is_settled {
        let mut flaws: BTreeMap<usize, Flaw> = BTreeMap::new();
        let round = proved_round(context, module, &findings, least(file), &mut flaws);
        if let Some(round) = round {
            return Step::Rewritten {
                text: Arc::from(round.text),
                fixed: round
                    .applied
                    .iter()
                    .filter_map(|index| findings.get(*index))
                    .map(|finding| finding.rule.code)
                    .collect(),
                findings: findings.len(),
            };
        }
        let index = LineIndex::from_source_text(context.source);
        for (number, flaw) in flaws {
            if let Some(finding) = findings.get_mut(number) {
                let place = index.line_column(finding.range.start(), context.source);
                complaints.push(format!(
                    "{}:{}:{}: the fix of {} was dropped: {flaw} (a bug, please report it)",
                    file.shown.display(),
                    place.line,
                    place.column,
                    finding.rule.code
                ));
                finding.remedy =
                    Remedy::NotFixed(format!("the fix did not pass asyncfix's own check: {flaw}"));
            }
        }
    }
    for finding in &mut findings {
        if let Some(complete) = rewrite::edits_of(context, finding) {
            finding.remedy = Remedy::Rewrite(complete);
        }
    }
    Step::Done {
        findings,
        complaints,
    }
}

/// A round that is proved, of as many rewrites of `findings` as can be vouched for. `flaws` takes those that cannot.
fn proved_round(
    context: &File<'_, '_>,
    module: &ParsedModuleRef,
    findings: &[Finding],
    least: Applicability,
    flaws: &mut BTreeMap<usize, Flaw>,
) -> Option<Round> {
    let prove = |round: &Round| {
        proof::prove(
            context.source,
            module,
            &round.text,
            &round.edits,
            &round.removed,
        )
    };
    loop {
        let round = rewrite::round(context, findings, least, |index| {
            !flaws.contains_key(&index)
        })?;
        if prove(&round).is_ok() {
            return Some(round);
        }
        // Which of them is it? Most often one alone; else the first goes without the others.
        let known = flaws.len();
        let mut first = None;
        for wanted in round.applied {
            let alone = rewrite::round(context, findings, least, |index| index == wanted);
            let Some(alone) = alone else {
                continue;
            };
            match prove(&alone) {
                Ok(()) => {
                    first.get_or_insert(alone);
                }
                Err(flaw) => {
                    flaws.insert(wanted, flaw);
                }
            }
        }
        if flaws.len() == known {
            return first;
        }
    }
}

fn hash_of(text: &str) -> u64 {
    let mut hasher = FxHasher::default();
    text.hash(&mut hasher);
    hasher.finish()
}

/// The least applicability of what is applied to a file.
fn least(file: &Active) -> Applicability {
    if file.config.unsafe_fixes {
        Applicability::Unsafe
    } else {
        Applicability::Safe
    }
}

/// Prepares a file for the codemods and asks `what` about it. `None` where it is gone.
///
/// Its tree is kept: others look into it as well, and to parse it again takes longer than the memory is
/// worth.
fn with_context<T>(
    database: &Database,
    file: &Active,
    project: &Project,
    what: impl FnOnce(&File<'_, '_>, &ParsedModuleRef) -> T,
) -> Option<T> {
    let program_file = database.file(&file.path, file.view)?;
    let python_file = program_file.python_file(database);
    let module = parsed_module(database, python_file).load(database);
    let text = source_text(database, python_file.file(database));
    let context = File::new(
        database,
        program_file,
        &module,
        text.as_str(),
        &file.config.settings,
        project,
        file.index,
    );
    Some(what(&context, &module))
}

fn distinct(codes: &[&'static str]) -> Vec<&'static str> {
    let mut codes = codes.to_vec();
    codes.sort_unstable();
    codes.dedup();
    codes
}

fn system_path(path: &Path) -> Option<SystemPathBuf> {
    SystemPath::from_std_path(path).map(SystemPath::to_path_buf)
}

/// The last component of a file's module name.
fn module_name(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    if stem == "__init__" {
        path.parent()
            .and_then(Path::file_name)
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    } else {
        stem.into_owned()
    }
}

/// How the type engine is to look at a file.
fn view_of(path: &SystemPath, config: &Config, roots: &Roots) -> View {
    View {
        version: config.version_of_types(),
        own: path.parent().and_then(|folder| roots.place_of(folder)),
    }
}
