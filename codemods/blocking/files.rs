//! Which files the code of a module uses, and which of them other code may use at the same time.
//!
//! On the event loop, code without an `await` runs from its start to its end before anything else
//! does. In a thread it does not: two calls may then write one file at once, or one may read what
//! another has half written.

use asyncfix_analysis::answers::entry_point::is_entry_point;
use asyncfix_analysis::facts::file_access::Does;
use asyncfix_syntax::site::Owner;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::FxHashSet;

use crate::blocking::file_uses::Search;
use crate::blocking::helper_files::{is_given_to_another, is_used_by_others};
use crate::blocking::listings::Listing;
use crate::blocking::paths::{Agreement, Path};
use crate::blocking::through::{self, Defined};
use crate::blocking::{asked, folders, handles, patterns, taken_away};
use crate::file::File;

/// One use of a file.
pub(super) struct Use {
    /// The call.
    pub(super) range: TextRange,
    pub(super) path: Path,
    pub(super) does: Does,
    /// The coroutine function around it, or else the outermost function.
    pub(super) function: Option<TextRange>,
    /// The locks of the event loop that are held, as they are written.
    pub(super) locks: Vec<String>,
    /// The functions of the module that are called to do it, one by the other.
    pub(super) through: Vec<TextRange>,
}

impl Use {
    /// Whether it changes what others may need. What a call has for itself it may remove as well.
    pub(super) fn changes_for_others(&self) -> bool {
        self.does.writes || self.does.removes && self.path.agreement == Agreement::Same
    }

    /// Whether both are what one function of the module does, each time as a whole.
    fn is_step_as(&self, other: &Self) -> bool {
        !self.through.is_empty() && self.through == other.through
    }

    /// Whether the function that is `other`'s takes part in this one.
    fn involves(&self, other: &Self) -> bool {
        let takes_part = |function: &TextRange| {
            self.function == Some(*function) || self.through.contains(function)
        };
        other.function.iter().chain(&other.through).any(takes_part)
    }

    /// Whether a lock keeps the two from running at the same time.
    pub(super) fn is_kept_apart_from(&self, other: &Self) -> bool {
        self.locks.iter().any(|lock| other.locks.contains(lock))
    }
}

/// The uses of files in a module, in source order.
#[derive(Default)]
pub struct FileUses {
    pub(super) uses: Vec<Use>,
    /// The words of commands that may name files, in source order, as uses of these.
    pub(super) commands: Vec<Use>,
    /// Uses of files that functions of the module know by themselves, told of the calls of them, in source order.
    pub(super) by_helpers: Vec<Use>,
    pub(super) listings: Vec<Listing>,
}

impl FileUses {
    /// All uses of files in `file` that the table knows, methods by their names alone.
    pub fn of(file: &File<'_, '_>) -> Self {
        let mut search = Search {
            file,
            knows_folders: folders::are_of_interest(file),
            defined: Defined::of(file.body()),
            constants: patterns::constants(file.body()),
            functions: Vec::new(),
            entered: FxHashSet::default(),
            locks: Vec::new(),
            uses: Vec::new(),
            commands: Vec::new(),
            listings: Vec::new(),
            calls: Vec::new(),
        };
        search.visit_body(file.body());
        let mut uses = search.uses;
        handles::follow_replaced(&mut uses);
        through::follow(&mut uses, &search.calls);
        uses.sort_by_key(|found| found.range.start());
        let mut commands = search.commands;
        let mut by_helpers = Vec::new();
        if !commands.is_empty() {
            through::follow(&mut commands, &search.calls);
            by_helpers = through::known_to_helpers(&uses, &search.calls);
            commands.extend(through::known_to_helpers(&commands, &search.calls));
            commands.sort_by_key(|found| found.range.start());
        }
        Self {
            uses,
            commands,
            by_helpers,
            listings: search.listings,
        }
    }

    pub(super) fn within(&self, range: TextRange) -> &[Use] {
        within(&self.uses, range)
    }
}

/// Those of some uses, in source order, that stand in `range`.
pub(super) fn within(uses: &[Use], range: TextRange) -> &[Use] {
    let start = uses.partition_point(|found| found.range.start() < range.start());
    let end = uses.partition_point(|found| found.range.start() < range.end());
    uses.get(start..end).unwrap_or_default()
}

/// Why what uses files in `range`, a part of the code of `owner`, may meet other code in a thread.
pub(super) fn meets_others(
    file: &File<'_, '_>,
    owner: Owner<'_>,
    range: TextRange,
) -> Option<String> {
    let Owner::Function(function) = owner else {
        return None;
    };
    let all = file.file_uses();
    let own = all.within(range);
    let around = all.within(function.range());
    if let Some(written) = handles::left_half_written(around, function, range)
        && !is_run_once(file, function)
    {
        return Some(format!(
            "other tasks may find `{}` half-written while this waits",
            written.path.text
        ));
    }
    own.iter().find_map(|found| {
        let path = &found.path;
        if found.does.creates && path.agreement != Agreement::Never {
            return Some(format!(
                "on cancellation the thread may still create `{}`, and nobody would know",
                path.text
            ));
        }
        if found.does.writes && taken_away::is_taken_away(file, function, range, path) {
            return Some(format!(
                "on cancellation the thread may still write `{}` after it was removed",
                path.text
            ));
        }
        if path.agreement == Agreement::Never {
            return None;
        }
        if let Some(text) = taken_away::gap_in_between(around, found)
            && !is_run_once(file, function)
        {
            return Some(format!(
                "other code may find `{text}` missing in between, and a cancellation may leave it so"
            ));
        }
        let is_for_all = path.agreement == Agreement::Same;
        let may_clash = |other: &&Use| {
            let (one, other_one) = (found.does, other.does);
            other.path.agreement != Agreement::Never
                && (one.changes() || other_one.changes())
                && !(one.is_about_names() || other_one.is_about_names())
                // What a call has for itself it may remove as well.
                && (is_for_all || !one.removes && !other_one.removes)
                && !other.is_kept_apart_from(found)
        };
        let is_same = |other: &&Use| other.path.is_same(path) && may_clash(other);
        let again = found.does.reads && found.does.writes && found.locks.is_empty()
            || around
                .iter()
                .filter(is_same)
                .any(|other| other.range != found.range && !found.is_step_as(other))
            || found.through.is_empty() && is_given_to_another(file, function, found);
        // What the module does when it is imported is done before.
        let here = all
            .uses
            .iter()
            .filter(is_same)
            .any(|other| other.function.is_some() && !found.involves(other));
        let in_other_files = || {
            found.locks.is_empty()
                && !found.does.is_about_names()
                && is_used_by_others(file, function, &path.text)
        };
        let elsewhere = here || in_other_files();
        // What goes through a folder may come upon the file.
        let of_folder = || {
            let mut others = all.uses.iter();
            others.find_map(|other| {
                let is_other = other.function.is_some() && !found.involves(other);
                let folder = path.common_folder(&other.path).filter(|_| is_other)?;
                may_clash(&other).then_some(folder)
            })
        };
        let folder = if elsewhere { None } else { of_folder() };
        if !elsewhere && folder.is_none() && is_run_once(file, function) {
            return None;
        }
        let text = &path.text;
        if again {
            return Some("another task may read or write the same file in between".to_owned());
        }
        if let Some(folder) = folder {
            return Some(folders::reason(folder, found.does.changes()));
        }
        if elsewhere && !found.does.changes() {
            return Some(format!(
                "other code writes `{text}`, maybe at the same time"
            ));
        }
        if elsewhere && !is_for_all {
            return Some(format!("other code uses `{text}`, maybe at the same time"));
        }
        if is_for_all && found.does.changes() && (elsewhere || found.locks.is_empty()) {
            return Some(if found.does.removes {
                format!("other tasks may use `{text}` at the same time")
            } else {
                format!("two calls may write `{text}` at the same time")
            });
        }
        let is_answer =
            |which| asked::is_answer(function, &asked_about(around, found), found.range, which);
        if (found.does.writes || found.does.fills) && is_answer(asked::Answer::Missing) {
            return Some(format!("another call may find `{text}` half-written"));
        }
        if (found.does.removes || found.does.makes) && is_answer(asked::Answer::Any) {
            return Some(OPENED_CHECK.to_owned());
        }
        // Callers may name a file that other code names in another way.
        let mut others = all.uses.iter();
        let may_meet = others.any(|other| {
            other.function.is_some()
                && !found.involves(other)
                && may_clash(&other)
                && path.pattern.may_meet(&other.path.pattern)
        });
        may_meet.then(|| patterns::reason(&path.text, found.does.changes()))
    })
}

/// Why an `await` between a test of a file and the change that follows is unsafe.
pub(super) const OPENED_CHECK: &str = "other tasks may run between the check and the change";

/// The calls before `changed` that ask about the same file, or about the folder in which it is written.
pub(super) fn asked_about(around: &[Use], changed: &Use) -> Vec<TextRange> {
    let folder = changed.path.folder.as_ref().filter(|_| changed.does.writes);
    let asked = around.iter().filter(|other| {
        other.does.asks
            && other.range.start() < changed.range.start()
            && (other.path.is_same(&changed.path)
                || folder.is_some_and(|folder| folder.path.is_same(&other.path)))
            && !other.is_kept_apart_from(changed)
    });
    asked.map(|asked| asked.range).collect()
}

/// Whether what a call tells about a file is asked for to change the file behind it: two tasks may then be told the
/// same.
pub(super) fn is_asked_to_change(
    file: &File<'_, '_>,
    owner: Owner<'_>,
    call: &ast::ExprCall,
) -> bool {
    let Owner::Function(function) = owner else {
        return false;
    };
    let all = file.file_uses();
    let asked = all.within(call.range());
    let around = all.within(function.range());
    asked.iter().filter(|asked| asked.does.asks).any(|asked| {
        around.iter().any(|other| {
            other.range.start() >= call.end()
                && (other.does.changes() || other.does.makes)
                && other.path.is_same(&asked.path)
                && !other.is_kept_apart_from(asked)
        })
    })
}

/// Whether a coroutine function is where the program starts, and nothing else calls it.
pub(super) fn is_run_once(file: &File<'_, '_>, function: &ast::StmtFunctionDef) -> bool {
    struct Uses<'n> {
        name: &'n str,
        found: usize,
    }
    impl<'a> SourceOrderVisitor<'a> for Uses<'_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let AnyNodeRef::ExprName(name) = node
                && name.id == self.name
            {
                self.found += 1;
            }
            TraversalSignal::Traverse
        }
    }
    if !is_entry_point(file, Owner::Function(function)) {
        return false;
    }
    let mut uses = Uses {
        name: &function.name,
        found: 0,
    };
    uses.visit_body(file.body());
    uses.found < 2
}
