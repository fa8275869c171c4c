//! Questions about code that is inside of other files: it is shown as it stands there.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::Embedded;
use super::notebook::Notebook;
use crate::choose::{Change, Choice, Choose, Proposal};

/// Somebody who is shown the code as it stands in the files: of a notebook the cells that change, without what is put
/// between them.
pub(crate) struct Asking<'e> {
    pub(super) embedded: &'e Embedded,
    pub(super) choose: &'e dyn Choose,
}

/// What is shown of one change of code.
struct Shown<'c> {
    change: &'c Change,
    /// The notebook, and the numbers of the cells, where it is one.
    notebook: Option<(&'c Notebook, Vec<usize>)>,
}

impl Choose for Asking<'_> {
    fn choose(&self, proposal: &Proposal<'_>) -> Choice {
        let mut changes = Vec::new();
        let mut shown = Vec::new();
        for change in &proposal.changes {
            let (own, of_change) = self.shown(change);
            changes.extend(of_change);
            shown.push(own);
        }
        let texts_of = |texts: &[String]| -> Result<Vec<String>, String> {
            let mut rest = texts.iter();
            let texts = shown.iter().map(|shown| shown.text(&mut rest));
            let texts = texts.collect::<Result<Vec<_>, _>>()?;
            (proposal.check)(&texts)?;
            Ok(texts)
        };
        let check = |texts: &[String]| texts_of(texts).map(drop);
        let choice = self.choose.choose(&Proposal {
            changes,
            check: &check,
            ..*proposal
        });
        match choice {
            Choice::Instead(texts) => texts_of(&texts).map_or(Choice::No, Choice::Instead),
            choice => choice,
        }
    }
}

impl Asking<'_> {
    fn shown<'c>(&'c self, change: &'c Change) -> (Shown<'c>, Vec<Change>) {
        let whole = |change: &'c Change| Shown {
            change,
            notebook: None,
        };
        if let Some((_, block)) = self.embedded.blocks.get(&change.path) {
            let mut own = change.clone();
            own.shown = part(&change.shown, "block", *block);
            return (whole(change), vec![own]);
        }
        let notebook = self.embedded.notebooks.get(&change.path);
        let cells = notebook.and_then(|(_, notebook)| {
            let cells = notebook.changed_cells(&change.old, &change.new)?;
            Some((notebook, cells))
        });
        let Some((notebook, cells)) = cells else {
            return (whole(change), vec![change.clone()]);
        };
        let numbers = cells.iter().map(|(number, ..)| *number).collect();
        let shown = Shown {
            change,
            notebook: Some((notebook, numbers)),
        };
        let changes = cells.into_iter().map(|(number, old, new)| Change {
            path: change.path.clone(),
            shown: part(&change.shown, "cell", number),
            old,
            new,
        });
        (shown, changes.collect())
    }
}

impl Shown<'_> {
    /// The text of the code, from what somebody wrote in the place of what is shown.
    fn text<'t>(&self, texts: &mut impl Iterator<Item = &'t String>) -> Result<String, String> {
        match &self.notebook {
            Some((notebook, numbers)) => {
                let cells: HashMap<usize, &str> = numbers
                    .iter()
                    .copied()
                    .zip(texts.map(String::as_str))
                    .collect();
                notebook.with_cells(&self.change.new, &cells)
            }
            None => Ok(texts.next().cloned().unwrap_or_default()),
        }
    }
}

/// The name of a part of a file, for people.
fn part(shown: &Path, kind: &str, number: usize) -> PathBuf {
    let mut name = shown.as_os_str().to_owned();
    name.push(format!(":{kind} {number}"));
    PathBuf::from(name)
}
