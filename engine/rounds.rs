//! Rewriting files in rounds. One round finds mistakes in a file's text, applies the fixes that do not overlap, and
//! proves the result; the next round starts from the new text. A file is done when a round changes nothing.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use asyncfix_analysis::facts::key::Key;
use asyncfix_analysis::file::ParsedFile;
use asyncfix_analysis::index::asked::{Asked, Noted, Notes};
use asyncfix_analysis::resolve::semantics;
use asyncfix_codemods::codemod::Codemod;
use asyncfix_codemods::edit::proof::Flaw;
use asyncfix_codemods::edit::rewrite::Round;
use asyncfix_codemods::edit::{proof, rewrite};
use asyncfix_codemods::file::{File, Writable};
use asyncfix_codemods::finding::{Finding, Remedy};
use asyncfix_codemods::{CODEMODS, suppression, traversal};
use rayon::prelude::*;
use ruff_db::parsed::{ParsedModuleRef, parsed_module};
use ruff_db::source::source_text;
use ruff_db::system::SystemPathBuf;
use ruff_diagnostics::Applicability;
use rustc_hash::{FxHashSet, FxHasher};
use salsa::{CancellationToken, Database as _};

use crate::across::{across, give_up_together, python_file_of};
use crate::choose::{Change, Choice, Plan, Proposal, check_python};
use crate::config::{Config, Resolver};
use crate::database::Database;
use crate::index::Index;
use crate::lines::Lines;
use crate::panics::last_panic;
use crate::places::Places;
use crate::problem::{Kind, Problem};
use crate::python_version::OLDEST;
use crate::roots::View;
use crate::run::{Fixed, Mode, STACK_SIZE};
use crate::source::Source;

/// How many rounds a file may take, beside [`ROUNDS_OF_A_FINDING`]. Two fixes that undo each other are noticed earlier,
/// because a text comes back; a fix that writes its own mistake again makes a new text each time, and ends only here.
pub(crate) const ROUNDS: usize = 100;

/// How many more rounds a file may take for each of its findings.
const ROUNDS_OF_A_FINDING: usize = 2;

/// How many files a thread takes at a time. Some files take a hundred times as long as others: in larger batches, all
/// threads but one would end up waiting for the last batch.
pub(crate) const AT_A_TIME: usize = 4;

impl Active {
    /// Makes the result of a round the file's text. Where the file has had that text before, or has no rounds left, the
    /// fixes go in circles: then the text of the round before is kept, and the file is settled with a complaint.
    fn take(&mut self, text: Arc<str>, fixed: Vec<Fixed>) {
        self.rounds -= 1;
        if self.rounds == 0 || !self.seen.insert(hash_of(&text)) {
            // `self.text` was proved by earlier rounds, so it may be written.
            self.is_settled = true;
            let message = format!(
                "not everything was fixed: the fixes of {} undo each other (a bug, please report it)",
                distinct(&fixed).join(" and ")
            );
            let problem = Problem::new(&self.shown, Kind::Internal, message);
            self.complaints.push(problem);
            return;
        }
        self.text = text;
        self.fixed.extend(fixed);
        // The new code may hold a mistake that another codemod finds, also one that had no candidate in the old text.
        self.codemods = self.all_codemods();
    }

    /// The codemods that are selected for the file.
    pub(crate) fn all_codemods(&self) -> Vec<&'static dyn Codemod> {
        let codes = self.config.codes_for(self.path.as_std_path());
        let all = CODEMODS.iter().copied();
        all.filter(|codemod| codes.contains(&codemod.rule().code))
            .collect()
    }
}

/// A file that codemods look at, with what the rounds have made of it so far.
#[derive(Clone)]
pub(crate) struct Active {
    /// Its number among the files of the project.
    pub(crate) index: usize,
    /// The path for messages and diffs.
    pub(crate) shown: PathBuf,
    /// The absolute path.
    pub(crate) path: SystemPathBuf,
    pub(crate) config: Arc<Config>,
    pub(crate) view: View,
    /// The codemods that look at it in the next round.
    pub(crate) codemods: Vec<&'static dyn Codemod>,
    /// The file as it was read.
    pub(crate) source: Source,
    /// Its text after the rounds so far.
    pub(crate) text: Arc<str>,
    pub(crate) fixed: Vec<Fixed>,
    /// What is left after the last round, at byte offsets in `text`.
    pub(crate) findings: Vec<Finding>,
    /// Why the file must be left as it was.
    pub(crate) error: Option<Problem>,
    /// Fixes that were dropped because they did not pass the proof.
    pub(crate) complaints: Vec<Problem>,
    /// The lines of `source` whose findings count; `None` for all.
    pub(crate) lines: Option<Arc<Lines>>,
    /// Hashes of all texts that it has had, by which fixes that undo each other are noticed.
    pub(crate) seen: FxHashSet<u64>,
    /// How many rounds are left.
    pub(crate) rounds: usize,
    /// Whether it is no longer rewritten: its findings are only reported.
    pub(crate) is_settled: bool,
    /// Shared by the files that one fix has changed: they are written together, or not at all.
    pub(crate) group: Option<usize>,
    /// What the findings depend on. `None` where nobody needs to know ([`Given::takes_notes`]).
    pub(crate) noted: Option<Dependencies>,
}

/// Files whose code was looked at, each with the function or class at its top; `None` for the whole file.
pub(crate) type Opened = Vec<(PathBuf, Option<Key>)>;

/// What the findings in a file depend on, beside its text. The cache keeps it, to know when findings still hold.
#[derive(Clone)]
pub(crate) struct Dependencies {
    /// The questions that the project was asked, with the answers.
    pub(crate) noted: Noted,
    /// The other files whose code was looked at, such as the bodies of functions that are called.
    pub(crate) opened: Opened,
}

impl Active {
    /// A file that no codemod has looked at yet.
    pub(crate) fn new(
        index: usize,
        shown: PathBuf,
        path: SystemPathBuf,
        view: View,
        config: Arc<Config>,
        source: Source,
    ) -> Self {
        Self {
            index,
            shown,
            path,
            view,
            config,
            codemods: Vec::new(),
            text: Arc::clone(&source.text),
            source,
            fixed: Vec::new(),
            findings: Vec::new(),
            error: None,
            complaints: Vec::new(),
            lines: None,
            seen: FxHashSet::default(),
            rounds: usize::MAX,
            is_settled: false,
            group: None,
            noted: None,
        }
    }
}

/// What all files of a run have in common.
pub(crate) struct Given<'a> {
    pub(crate) index: &'a Index,
    /// Which files may be changed.
    pub(crate) writable: Writable,
    /// The paths for messages and diffs, by the numbers of the files.
    pub(crate) shown: &'a [PathBuf],
    pub(crate) resolver: &'a Resolver,
    /// Whether to note what findings depend on, for the cache.
    pub(crate) takes_notes: bool,
}

/// Lets the codemods look at files that have candidates; with [`Mode::Fix`], rewrites the files round by round. Returns
/// all of them, by their numbers, each with its last text and what is left. `tick` is called once a file, after its
/// first round.
pub(crate) fn rounds(
    mut active: Vec<Active>,
    database: &mut Database,
    given: &Given<'_>,
    plan: Plan<'_>,
    tick: &(dyn Fn() + Sync),
) -> Vec<Active> {
    for file in &mut active {
        file.view = given.index.view_of(&file.path, &file.config);
    }
    if plan.mode == Mode::Fix {
        across(&mut active, database, given, plan);
    }
    let mut finished = Vec::new();
    let _ahead = ask_ahead(&active, database, given);
    for file in &mut active {
        file.seen.insert(hash_of(&file.text));
    }
    let mut is_first = true;
    while !active.is_empty() {
        let look = |database: &Database, file: Active| {
            let step = step(database, &file, given, plan);
            if is_first {
                tick();
            }
            (file, step)
        };
        let looked_at: Vec<(Active, Step)> = if active.len() == 1 {
            // Not on a clone: the session cancels through the token of this very database.
            let files = active.into_iter();
            files.map(|file| look(database, file)).collect()
        } else {
            active
                .into_par_iter()
                .with_max_len(AT_A_TIME)
                .map_with(database.clone(), |database, file| look(database, file))
                .collect()
        };
        is_first = false;
        active = Vec::new();
        for (mut file, step) in looked_at {
            match step {
                Step::Done {
                    findings,
                    complaints,
                    noted,
                } => {
                    file.findings = findings;
                    file.complaints.extend(complaints);
                    file.noted = noted;
                    finished.push(file);
                }
                Step::Failed(error) => {
                    // Whatever went wrong, the file stays as it was read: earlier rounds are not trusted either.
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
    finished
}

/// Whether a panic is salsa's way to cancel a query, and no error: the answer is no longer wanted.
pub(crate) fn is_called_off(panic: &(dyn Any + Send)) -> bool {
    matches!(
        panic.downcast_ref(),
        Some(salsa::Cancelled::Local | salsa::Cancelled::PendingWrite)
    )
}

/// What one round did to one file.
enum Step {
    /// Nothing is left to do.
    Done {
        /// The findings that are left.
        findings: Vec<Finding>,
        /// Fixes that were dropped because they did not pass the proof.
        complaints: Vec<Problem>,
        /// What the findings depend on, if that is to be noted.
        noted: Option<Dependencies>,
    },
    /// The file has a new text, proved against the old one.
    Rewritten {
        text: Arc<str>,
        fixed: Vec<Fixed>,
        /// How many findings the old text had.
        findings: usize,
    },
    /// The file must be left as it was.
    Failed(Problem),
}

/// Where there is only one file, lets a second thread put the same questions to the type engine, from the end of the
/// file, so that two cores work. `None` where there are several files, or one thread.
///
/// This only fills the engine's memory of answers: it changes none of them. It is cancelled when [`Ahead`] is dropped,
/// and by the engine when the file's text changes. It runs on a thread of its own, not one of the pool: a change of
/// text waits for whoever uses the database, and a job that a pool has queued but not started would be waited for as
/// well.
fn ask_ahead(active: &[Active], database: &Database, given: &Given<'_>) -> Option<Ahead> {
    let ([file], true) = (active, rayon::current_num_threads() > 1) else {
        return None;
    };
    let (file, database) = (file.clone(), database.clone());
    let (project, writable) = (Arc::clone(&given.index.project), given.writable);
    let token = database.cancellation_token();
    let ask = move || {
        // A panic is dropped here: the main look asks the same and meets it again.
        let _ = catch_unwind(AssertUnwindSafe(|| {
            with_project(
                &database,
                &file,
                Asked::new(&project, None),
                writable,
                |context, _| {
                    semantics::index_ahead(&context.semantics);
                    traversal::ask_from_the_end(context, &file.codemods);
                },
            )
        }));
    };
    // If no thread can be started, the main look works alone.
    let thread = std::thread::Builder::new()
        .stack_size(STACK_SIZE)
        .spawn(ask)
        .ok();
    Some(Ahead { token, thread })
}

/// The thread of [`ask_ahead`]. Dropping this cancels it and waits for its end.
struct Ahead {
    token: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.token.cancel();
        // A write to the database blocks until all its clones are gone. Joining first avoids a deadlock, where the
        // writer holds something that this thread needs in order to end.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// One round over one file. A panic becomes [`Step::Failed`], unless it only says that the run was cancelled.
fn step(database: &Database, file: &Active, given: &Given<'_>, plan: Plan<'_>) -> Step {
    let attempt = catch_unwind(AssertUnwindSafe(|| look(database, file, given, plan)));
    match attempt {
        Ok(step) => step,
        Err(panic) if is_called_off(&*panic) => resume_unwind(panic),
        Err(_) => {
            let message = format!(
                "not changed: internal error, please report it: {}",
                last_panic()
            );
            Step::Failed(Problem::new(&file.shown, Kind::Internal, message))
        }
    }
}

/// One round over one file, with notes of what its findings depend on where these are wanted.
fn look(database: &Database, file: &Active, given: &Given<'_>, plan: Plan<'_>) -> Step {
    let notes = given.takes_notes.then(Notes::default);
    let asked = Asked::new(&given.index.project, notes.as_ref());
    let looked = with_project(database, file, asked, given.writable, |context, module| {
        let step = look_at(database, context, module, file, given, plan);
        let opened = match notes {
            Some(_) => context.semantics.opened(),
            None => FxHashSet::default(),
        };
        let opened = opened.into_iter();
        let opened: BTreeSet<(PathBuf, Option<Key>)> = opened
            .map(|(path, part)| (path.to_path_buf(), part))
            .collect();
        (step, opened)
    });
    let step = looked.map(|(mut step, mut opened)| {
        if let (Step::Done { noted, .. }, Some(notes)) = (&mut step, notes) {
            let mut noted_now = notes.into_inner();
            let mentioning = std::mem::take(&mut noted_now.mentioning).into_iter();
            opened.extend(mentioning.map(|path| (path, None)));
            *noted = Some(Dependencies {
                noted: noted_now,
                opened: opened.into_iter().collect(),
            });
        }
        step
    });
    step.unwrap_or_else(|| {
        let message = "file no longer exists";
        Step::Failed(Problem::new(&file.shown, Kind::Unreadable, message))
    })
}

/// One round over one file: finds, chooses, fixes and proves, or writes comments that suppress.
fn look_at(
    database: &Database,
    context: &File<'_, '_>,
    module: &ParsedModuleRef,
    file: &Active,
    given: &Given<'_>,
    plan: Plan<'_>,
) -> Step {
    let selected = file.config.codes_for(file.path.as_std_path());
    let mut findings = judged(
        traversal::check(context, &file.codemods, &selected),
        file,
        plan,
    );
    // In the first round only: a finding that its comment did not suppress would get the same comment again and again.
    if plan.mode == Mode::Suppress
        && file.fixed.is_empty()
        && let Some(added) = suppression::add(context, &findings)
    {
        let fixed = |number: &usize| Some(Fixed::of(findings.get(*number)?, context.source));
        return Step::Rewritten {
            text: Arc::from(added.text),
            fixed: added.suppressed.iter().filter_map(fixed).collect(),
            findings: findings.len(),
        };
    }
    let mut complaints = Vec::new();
    if plan.mode == Mode::Fix && !file.is_settled {
        findings = match wanted(database, context, findings, file, given, plan) {
            Ok(findings) => findings,
            Err(instead) => return instead.of_one_file(),
        };
        let mut flaws: BTreeMap<usize, Flaw> = BTreeMap::new();
        let round = proved_round(context, module, &findings, least(file), &mut flaws);
        if let Some(round) = round {
            return Step::Rewritten {
                text: Arc::from(round.text),
                fixed: round
                    .applied
                    .iter()
                    .filter_map(|index| findings.get(*index))
                    .map(|finding| Fixed::of(finding, context.source))
                    .collect(),
                findings: findings.len(),
            };
        }
        let places = Places::of(context.source);
        for (number, flaw) in flaws {
            if let Some(finding) = findings.get_mut(number) {
                let message = format!(
                    "the fix of {} was dropped: {flaw} (a bug, please report it)",
                    finding.rule.code
                );
                let place = places.at(finding.range.start());
                complaints.push(Problem::new(&file.shown, Kind::Internal, message).at(place));
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
        noted: None,
    }
}

/// What the user of `--interactive` wrote in the place of a proposed fix.
pub(crate) struct Instead {
    pub(crate) fixed: Fixed,
    /// The new texts of whole files, with their paths; the file of the finding comes first.
    pub(crate) texts: Vec<(PathBuf, Arc<str>)>,
}

impl Instead {
    fn of_one_file(self) -> Step {
        match self.texts.into_iter().next() {
            Some((_, text)) => Step::Rewritten {
                text,
                fixed: vec![self.fixed],
                findings: 1,
            },
            None => Step::Done {
                findings: Vec::new(),
                complaints: Vec::new(),
                noted: None,
            },
        }
    }
}

/// Asks the user about each fix that could be applied, if anybody is to be asked. Fixes that were declined become
/// [`Remedy::NotFixed`]. `Err` ends the round, with the text that the user wrote in the place of a fix.
pub(crate) fn wanted(
    database: &Database,
    context: &File<'_, '_>,
    findings: Vec<Finding>,
    file: &Active,
    given: &Given<'_>,
    plan: Plan<'_>,
) -> Result<Vec<Finding>, Instead> {
    let Some(choose) = plan.choose else {
        return Ok(findings);
    };
    let mut wanted = Vec::with_capacity(findings.len());
    for mut finding in findings {
        let is_possible = finding
            .remedy
            .rewrite()
            .is_some_and(|rewrite| rewrite.applicability >= least(file));
        if !is_possible {
            wanted.push(finding);
            continue;
        }
        let changes = match changes_of(database, context, &finding, file, given) {
            Ok(changes) => changes,
            Err(reason) => {
                finding.remedy = Remedy::NotFixed(reason);
                wanted.push(finding);
                continue;
            }
        };
        let proposal = Proposal {
            finding: &finding,
            path: file.path.as_std_path(),
            source: context.source,
            changes,
            check: &check_python,
        };
        let is_left = match choose.choose(&proposal) {
            Choice::Yes => false,
            Choice::No => true,
            Choice::Instead(texts) => {
                let changes = &proposal.changes;
                // A user who restores the old text in the editor has declined the fix.
                if changes.iter().map(|change| &change.old).ne(&texts) {
                    let paths = changes.iter().map(|change| change.path.clone());
                    return Err(Instead {
                        fixed: Fixed::of(&finding, context.source),
                        texts: paths.zip(texts.into_iter().map(Arc::from)).collect(),
                    });
                }
                true
            }
        };
        if is_left {
            finding.remedy = Remedy::NotFixed("you chose to leave it".to_owned());
        }
        wanted.push(finding);
    }
    Ok(wanted)
}

/// What the fix of this one finding would change, file by file, its own first. Empty where it has no fix; `Err` with
/// the reason where one of the other files is gone.
pub(crate) fn changes_of(
    database: &Database,
    context: &File<'_, '_>,
    finding: &Finding,
    file: &Active,
    given: &Given<'_>,
) -> Result<Vec<Change>, String> {
    let complete = match finding.remedy.rewrite() {
        // A fix of several files leaves unused imports behind; a later round removes them.
        Some(rewrite) if !rewrite.elsewhere.is_empty() => Some(rewrite.clone()),
        _ => rewrite::edits_of(context, finding),
    };
    let Some(complete) = complete else {
        return Ok(Vec::new());
    };
    let edits = rewrite::in_order(complete.shared, complete.edits);
    let mut changes = vec![Change {
        path: file.path.as_std_path().to_path_buf(),
        shown: file.shown.clone(),
        old: context.source.to_owned(),
        new: rewrite::apply(context.source, &edits),
    }];
    for other in complete.elsewhere {
        let python_file = python_file_of(database, &other.path, given)?;
        let text = source_text(database, python_file.file(database));
        let number = given.index.project.number_of(&other.path);
        let shown = number.and_then(|number| given.shown.get(number));
        changes.push(Change {
            shown: shown.unwrap_or(&other.path).clone(),
            old: text.as_str().to_owned(),
            new: rewrite::apply(text.as_str(), &other.edits),
            path: other.path,
        });
    }
    Ok(changes)
}

/// Applies as many fixes of `findings` as pass the proof together. `None` where no fix can be applied.
///
/// `flaws` gets the fixes that fail even alone, by their index in `findings`.
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
        // Together they fail, so each is tried alone. Mostly one is at fault, and the others are tried again without
        // it; where each passes alone, only the first is applied in this round.
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

/// The findings that count: on the lines of the run, by [`Plan::only`], and not turned off in ruff. Their fixes become unsafe where the project
/// supports a Python older than [`OLDEST`], and safe, unsafe or unfixable where the configuration says so.
pub(crate) fn judged(findings: Vec<Finding>, file: &Active, plan: Plan<'_>) -> Vec<Finding> {
    let fixes = &file.config.fixes;
    let version = file.config.settings.target_version;
    let too_old = (version < OLDEST).then(|| {
        format!(
            "the project supports Python {version}, and asyncfix writes code for {OLDEST} and newer"
        )
    });
    let is_meant = |finding: &Finding| {
        let lines = file.lines.as_deref();
        let path = file.path.as_std_path();
        lines.is_none_or(|lines| lines.are_at(finding.range, &file.source.text, &file.text))
            && !file.config.is_turned_off_in_ruff(finding, path)
            && plan.only.is_none_or(|only| only(finding))
    };
    findings
        .into_iter()
        .filter(is_meant)
        .map(|mut finding| {
            if let Remedy::Rewrite(rewrite) = finding.remedy {
                finding.remedy = Remedy::Rewrite(rewrite.unsafe_if(too_old.clone()));
            }
            // It has done its work.
            finding.in_ruff = None;
            fixes.apply(finding)
        })
        .collect()
}

/// How safe a fix has to be to be applied to a file: `Unsafe` with `--unsafe-fixes`, else `Safe`.
pub(crate) fn least(file: &Active) -> Applicability {
    if file.config.unsafe_fixes {
        Applicability::Unsafe
    } else {
        Applicability::Safe
    }
}

/// Calls `what` with a file prepared for the codemods, and returns what that returned. `None` where the file is gone.
///
/// The database keeps the parsed tree: other files look into it as well, and parsing it again costs more than the
/// memory.
pub(crate) fn with_context<T>(
    database: &Database,
    file: &Active,
    given: &Given<'_>,
    what: impl FnOnce(&File<'_, '_>, &ParsedModuleRef) -> T,
) -> Option<T> {
    let asked = Asked::new(&given.index.project, None);
    with_project(database, file, asked, given.writable, what)
}

/// [`with_context`], with a choice of whether the questions to the project are noted.
fn with_project<T>(
    database: &Database,
    file: &Active,
    project: Asked<'_>,
    writable: Writable,
    what: impl FnOnce(&File<'_, '_>, &ParsedModuleRef) -> T,
) -> Option<T> {
    let program_file = database.file(&file.path, file.view)?;
    let python_file = program_file.python_file(database);
    let module = parsed_module(database, python_file).load(database);
    let text = source_text(database, python_file.file(database));
    let context = File::new(
        ParsedFile::new(
            database,
            program_file,
            &module,
            text.as_str(),
            &file.config.settings,
            project,
            file.index,
        ),
        writable,
    );
    let answer = what(&context, &module);
    // A tree takes more memory than what was found out by means of it. Where another file leads here, it is made again.
    parsed_module(database, python_file).clear();
    Some(answer)
}

/// The codes of the rules that were fixed, sorted, each once.
fn distinct(fixed: &[Fixed]) -> Vec<&'static str> {
    let mut codes: Vec<&str> = fixed.iter().map(|fixed| fixed.code).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}
