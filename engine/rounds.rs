//! Rewriting files in rounds: each is proved before the next one starts from it, until nothing changes any more.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

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

/// How many rounds a file may take, and for each finding that it had at first. Two rewrites that undo each other are
/// found by the text that comes back; one that writes its own cause again has no other end.
pub(crate) const ROUNDS: usize = 100;

const ROUNDS_OF_A_FINDING: usize = 2;

/// How many files a thread takes at a time. Some take a hundred times as long as others: with many, all
/// threads but one wait for the last.
pub(crate) const AT_A_TIME: usize = 4;

impl Active {
    /// Takes over the text that a round has led to, unless it leads round in circles.
    fn take(&mut self, text: Arc<str>, fixed: Vec<Fixed>) {
        self.rounds -= 1;
        if self.rounds == 0 || !self.seen.insert(hash_of(&text)) {
            // Each round was proved: what they have led to so far is kept.
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
        // What was written may be another codemod's business.
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

/// A file on its way through the run.
#[derive(Clone)]
pub(crate) struct Active {
    pub(crate) index: usize,
    pub(crate) shown: PathBuf,
    pub(crate) path: SystemPathBuf,
    pub(crate) config: Arc<Config>,
    pub(crate) view: View,
    pub(crate) codemods: Vec<&'static dyn Codemod>,
    pub(crate) source: Source,
    pub(crate) text: Arc<str>,
    pub(crate) fixed: Vec<Fixed>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) error: Option<Problem>,
    /// Rewrites that were dropped.
    pub(crate) complaints: Vec<Problem>,
    /// The lines of the source that are looked at, where these are not all.
    pub(crate) lines: Option<Arc<Lines>>,
    /// The texts that it has had, as hashes.
    pub(crate) seen: FxHashSet<u64>,
    /// How many rounds are left.
    pub(crate) rounds: usize,
    /// Whether it is only looked at from now on.
    pub(crate) is_settled: bool,
    /// The number of those that it was changed together with.
    pub(crate) group: Option<usize>,
    /// What the findings depend on, where that is noted.
    pub(crate) noted: Option<Dependencies>,
}

/// What the findings in a file depend on, beside its text.
#[derive(Clone)]
pub(crate) struct Dependencies {
    /// What the project was asked.
    pub(crate) noted: Noted,
    /// The files into whose functions the look has led.
    pub(crate) opened: Vec<PathBuf>,
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

/// What the files of a run lie among.
pub(crate) struct Given<'a> {
    pub(crate) index: &'a Index,
    /// Which files may be changed.
    pub(crate) writable: Writable,
    /// By the numbers of the files, the paths for messages and diffs.
    pub(crate) shown: &'a [PathBuf],
    pub(crate) resolver: &'a Resolver,
    /// Whether it is noted what findings depend on.
    pub(crate) takes_notes: bool,
}

/// Looks at the candidates, and rewrites them round by round where that is wanted.
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
            // On this database itself, so that whoever has its token can call it off.
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
    finished
}

/// Whether a panic is none: somebody does not want the answer any more.
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
        /// What remains.
        findings: Vec<Finding>,
        /// Rewrites that were dropped.
        complaints: Vec<Problem>,
        /// What the findings depend on, where that is noted.
        noted: Option<Dependencies>,
    },
    /// The file has a new text, proved against the old one.
    Rewritten {
        text: Arc<str>,
        fixed: Vec<Fixed>,
        /// How many findings there were.
        findings: usize,
    },
    /// The file must be left as it was.
    Failed(Problem),
}

/// Where there is one file only, lets another thread ask the type engine what the file will ask it.
///
/// The answers are those that it gives anyway, and a file that changes calls it off, as the end of the run
/// does. It is a thread of its own: the change waits until nobody asks any more, and one of the pool might
/// not have begun by then.
fn ask_ahead(active: &[Active], database: &Database, given: &Given<'_>) -> Option<Ahead> {
    let ([file], true) = (active, rayon::current_num_threads() > 1) else {
        return None;
    };
    let (file, database) = (file.clone(), database.clone());
    let (project, writable) = (Arc::clone(&given.index.project), given.writable);
    let token = database.cancellation_token();
    let ask = move || {
        // What goes wrong here is met again by who waits for the answer.
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
    // Without a thread, it only takes longer.
    let thread = std::thread::Builder::new()
        .stack_size(STACK_SIZE)
        .spawn(ask)
        .ok();
    Some(Ahead { token, thread })
}

/// What is asked ahead is called off when this goes.
struct Ahead {
    token: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.token.cancel();
        // Whoever changes the database next waits until nobody else has it, and may hold what the other one needs for
        // its end.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

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

fn look(database: &Database, file: &Active, given: &Given<'_>, plan: Plan<'_>) -> Step {
    let notes = given.takes_notes.then(Notes::default);
    let asked = Asked::new(&given.index.project, notes.as_ref());
    let looked = with_project(database, file, asked, given.writable, |context, module| {
        let step = look_at(database, context, module, file, given, plan);
        let opened = context.semantics.opened().into_iter();
        let opened: BTreeSet<PathBuf> = opened.map(Path::to_path_buf).collect();
        (step, opened)
    });
    let step = looked.map(|(mut step, mut opened)| {
        if let (Step::Done { noted, .. }, Some(notes)) = (&mut step, notes) {
            let mut noted_now = notes.into_inner();
            opened.append(&mut noted_now.mentioning);
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
    // Once: what a comment does not suppress, a second one does not either.
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

/// What somebody wrote in the place of a fix.
pub(crate) struct Instead {
    pub(crate) fixed: Fixed,
    /// By the paths of the files, that of the finding first.
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

/// The findings without the fixes that nobody wants, where somebody is asked. `Err` where they gave other texts.
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
                // Who takes a fix out again has said no.
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

/// What the fix of a finding alone would change, its own file first. `Err` where one of the files is gone.
pub(crate) fn changes_of(
    database: &Database,
    context: &File<'_, '_>,
    finding: &Finding,
    file: &Active,
    given: &Given<'_>,
) -> Result<Vec<Change>, String> {
    let complete = match finding.remedy.rewrite() {
        // Imports that nothing uses then have their turn in another round.
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

/// Findings on the lines that are looked at, with what the project's oldest Python and the configuration say about
/// their fixes.
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
        lines.is_none_or(|lines| lines.are_at(finding.range, &file.source.text, &file.text))
            && plan.only.is_none_or(|only| only(finding))
    };
    findings
        .into_iter()
        .filter(is_meant)
        .map(|mut finding| {
            if let Remedy::Rewrite(rewrite) = finding.remedy {
                finding.remedy = Remedy::Rewrite(rewrite.unsafe_if(too_old.clone()));
            }
            fixes.apply(finding)
        })
        .collect()
}

/// The least applicability of what is applied to a file.
pub(crate) fn least(file: &Active) -> Applicability {
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
pub(crate) fn with_context<T>(
    database: &Database,
    file: &Active,
    given: &Given<'_>,
    what: impl FnOnce(&File<'_, '_>, &ParsedModuleRef) -> T,
) -> Option<T> {
    let asked = Asked::new(&given.index.project, None);
    with_project(database, file, asked, given.writable, what)
}

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
    Some(what(&context, &module))
}

fn distinct(fixed: &[Fixed]) -> Vec<&'static str> {
    let mut codes: Vec<&str> = fixed.iter().map(|fixed| fixed.code).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}
