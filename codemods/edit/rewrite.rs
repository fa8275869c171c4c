//! Putting the rewrites of one file together: which go into this round, and what comes out.

use std::collections::BTreeMap;

use ruff_diagnostics::{Applicability, Edit};
use ruff_text_size::{Ranged, TextRange, TextSize};

use crate::edit::orphans;
use crate::file::File;
use crate::finding::{Finding, Rewrite};

/// Rules whose rewrites wait for the round after those of another rule: what AF801 writes depends on
/// where the program starts, and that is what AF402 settles.
const WAITS: [(&str, &str); 1] = [("AF801", "AF402")];

/// The outcome of one round over one file.
#[derive(Debug)]
pub struct Round {
    /// The new text.
    pub text: String,
    /// Indices, into the findings given, of those that were rewritten.
    pub applied: Vec<usize>,
    /// The edits that lead from the old text to the new one, in order, without overlaps.
    pub edits: Vec<Edit>,
    /// Ranges of the old text that hold statements which were removed on purpose.
    pub removed: Vec<TextRange>,
}

/// Applies as many rewrites of `findings` as go together, in source order, and removes the imports
/// that nothing uses then.
///
/// Of two rewrites that overlap, or that want to insert at the same place, the earlier goes first;
/// the other has its turn in the next round. Rewrites below `least` are left out, and those whose index `may_apply`
/// does not want. `None` when nothing is to be done.
pub fn round(
    file: &File<'_, '_>,
    findings: &[Finding],
    least: Applicability,
    may_apply: impl Fn(usize) -> bool,
) -> Option<Round> {
    let mut applied = Vec::new();
    let mut edits: Vec<Edit> = Vec::new();
    let mut taken = Taken::default();
    let mut shared: Vec<Edit> = Vec::new();
    let mut scopes: Vec<TextSize> = Vec::new();
    let waits = |code: &str| {
        findings.iter().any(|other| {
            WAITS.contains(&(code, other.rule.code))
                && other
                    .remedy
                    .rewrite()
                    .is_some_and(|rewrite| rewrite.applicability >= least)
        })
    };
    for (index, finding) in findings.iter().enumerate() {
        let Some(rewrite) = finding.remedy.rewrite() else {
            continue;
        };
        if waits(finding.rule.code) || !may_apply(index) {
            continue;
        }
        if rewrite.applicability < least
            || rewrite.edits.is_empty()
            // These have a round of their own, with the other files.
            || !rewrite.elsewhere.is_empty()
            || rewrite
                .alone_in
                .is_some_and(|scope| scopes.contains(&scope))
            || !fits(rewrite, &taken, &shared)
        {
            continue;
        }
        taken.add(rewrite);
        edits.extend(rewrite.edits.iter().cloned());
        for edit in &rewrite.shared {
            if !shared.contains(edit) {
                shared.push(edit.clone());
            }
        }
        scopes.extend(rewrite.alone_in);
        applied.push(index);
    }
    if applied.is_empty() {
        return None;
    }
    let mut edits = in_order(shared, edits);
    let orphans = orphans::orphaned(file, &edits);
    orphans::close_gaps(file, &mut edits, &orphans);
    let removed = orphans.iter().map(Ranged::range).collect();
    edits.extend(orphans);
    // Insertions come before what is replaced or removed at the same place.
    edits.sort_by_key(|edit| (edit.start(), edit.end()));
    Some(Round {
        text: with_end_of(file.source, apply(file.source, &edits)),
        applied,
        edits,
        removed,
    })
}

/// Every edit that applying `finding` alone would make, orphaned imports included; for editors and
/// for the diff shown under a finding. `None` where it has no rewrite.
pub fn edits_of(file: &File<'_, '_>, finding: &Finding) -> Option<Rewrite> {
    let mut rewrite = finding.remedy.rewrite()?.clone();
    let all: Vec<Edit> = rewrite
        .edits
        .iter()
        .chain(&rewrite.shared)
        .cloned()
        .collect();
    let orphans = orphans::orphaned(file, &all);
    orphans::close_gaps(file, &mut rewrite.shared, &orphans);
    rewrite.shared.extend(orphans);
    Some(rewrite)
}

/// The text that the rewrites of a round change.
#[derive(Default)]
struct Taken {
    /// The edits: from where to where.
    edits: BTreeMap<TextSize, TextSize>,
    /// The blocks that move.
    moved: Vec<TextRange>,
}

impl Taken {
    fn add(&mut self, rewrite: &Rewrite) {
        for edit in &rewrite.edits {
            // One rewrite may insert where it also replaces.
            let end = self.edits.entry(edit.start()).or_insert(edit.end());
            *end = edit.end().max(*end);
        }
        self.moved.extend(rewrite.moves);
    }

    /// Whether `edit` touches one of the edits, or stands in a block that moves.
    fn touch(&self, edit: &Edit) -> bool {
        let range = edit.range();
        // They do not overlap, so what is touched is the last one before, or the first one behind.
        let before = self.edits.range(..range.start()).next_back();
        let behind = self.edits.range(range.start()..).next();
        before
            .into_iter()
            .chain(behind)
            .any(|(start, end)| touches(range, TextRange::new(*start, *end)))
            || self.moved.iter().any(|moved| meets(*moved, range))
    }

    /// Whether an edit stands in `block`.
    fn meet(&self, block: TextRange) -> bool {
        self.edits
            .range(..=block.end())
            .next_back()
            .is_some_and(|(start, end)| meets(block, TextRange::new(*start, *end)))
    }
}

fn fits(rewrite: &Rewrite, taken: &Taken, shared: &[Edit]) -> bool {
    let own = rewrite.edits.iter();
    let free_of_edits = own.clone().all(|edit| !taken.touch(edit));
    let free_of_shared = own.clone().all(|edit| {
        !shared
            .iter()
            .any(|other| overlaps(edit.range(), other.range()))
    });
    let shared_fits = rewrite.shared.iter().all(|edit| {
        shared.contains(edit)
            || !taken.touch(edit)
                && !shared
                    .iter()
                    .any(|other| touches(edit.range(), other.range()))
    });
    let block_fits = rewrite.moves.is_none_or(|block| {
        !taken.meet(block) && !shared.iter().any(|edit| meets(block, edit.range()))
    });
    free_of_edits && free_of_shared && shared_fits && block_fits
}

/// Whether `edit` changes something in `block`, its ends included.
fn meets(block: TextRange, edit: TextRange) -> bool {
    block.intersect(edit).is_some()
}

/// Whether two edits change the same text, or insert where it would be left to chance which comes
/// first.
fn touches(one: TextRange, other: TextRange) -> bool {
    overlaps(one, other) || one.start() == other.start() || {
        (one.is_empty() && one.start() == other.end())
            || (other.is_empty() && one.end() == other.start())
    }
}

fn overlaps(one: TextRange, other: TextRange) -> bool {
    one.start() < other.end() && other.start() < one.end()
}

/// Edits in the order of their places: of two that insert at one place, a shared one goes first, since
/// an import stands before what uses it.
pub fn in_order(shared: Vec<Edit>, own: Vec<Edit>) -> Vec<Edit> {
    let mut edits = shared;
    edits.extend(own);
    edits.sort_by_key(|edit| (edit.start(), edit.end()));
    edits
}

/// The same edits, where those that meet at one place are one: an insertion is joined with what follows at its place.
/// Programs that make the edits one by one, from the end of a file, would swap them. `edits` must be in order.
pub fn joined(edits: Vec<Edit>) -> Vec<Edit> {
    let mut joined: Vec<Edit> = Vec::with_capacity(edits.len());
    for edit in edits {
        match joined.last_mut() {
            Some(last) if last.range().is_empty() && last.start() == edit.start() => {
                let content = [last.content(), edit.content()].map(Option::unwrap_or_default);
                *last = Edit::range_replacement(content.concat(), edit.range());
            }
            _ => joined.push(edit),
        }
    }
    joined
}

/// A text that ends with a line break only where the old one did: what was the last line may have gone.
fn with_end_of(old: &str, mut text: String) -> String {
    if !old.is_empty() && !old.ends_with(['\n', '\r']) {
        let length = text.trim_end_matches(['\n', '\r']).len();
        text.truncate(length);
    }
    text
}

/// The text with `edits` made. They must be in order and must not overlap.
pub fn apply(source: &str, edits: &[Edit]) -> String {
    let mut text = String::with_capacity(source.len() + 64 * edits.len());
    let mut at = TextSize::default();
    for edit in edits {
        text.push_str(&source[TextRange::new(at, edit.start().max(at))]);
        text.push_str(edit.content().unwrap_or_default());
        at = edit.end().max(at);
    }
    text.push_str(&source[at.to_usize()..]);
    text
}

#[cfg(test)]
mod tests {
    use ruff_diagnostics::Edit;
    use ruff_text_size::{Ranged, TextRange, TextSize};

    use super::{apply, joined};

    #[test]
    fn edits_that_begin_at_one_place_become_one_of_the_same_meaning() {
        let at = |start: u32, end: u32| TextRange::new(TextSize::new(start), TextSize::new(end));
        let edits = vec![
            Edit::insertion("await ".to_owned(), TextSize::new(0)),
            Edit::insertion(", path".to_owned(), TextSize::new(4)),
            Edit::insertion(")".to_owned(), TextSize::new(4)),
            Edit::range_replacement("[]".to_owned(), at(4, 6)),
        ];
        let expected = "await read, path)[]";
        assert_eq!(apply("read()", &edits), expected);
        let mut backwards = "read()".to_owned();
        let joined = joined(edits);
        for edit in joined.iter().rev() {
            let range = edit.range().to_std_range();
            backwards.replace_range(range, edit.content().unwrap_or_default());
        }
        assert_eq!((joined.len(), backwards.as_str()), (2, expected));
    }
}
