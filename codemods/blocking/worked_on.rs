//! Files that a command of another program works on, and that the same function writes, reads or removes. On the event
//! loop no other task comes in between.

use asyncfix_analysis::facts::commands::{Word, operands};
use asyncfix_analysis::facts::file_access::Does;
use ruff_python_ast as ast;
use ruff_text_size::{Ranged, TextRange};

use crate::blocking::file_uses::{Search, innermost};
use crate::blocking::files::{Use, within};
use crate::blocking::gap::{reaches, waits_between};
use crate::blocking::locals::Source;
use crate::blocking::paths::{Agreement, Path};
use crate::file::File;

impl<'a> Search<'_, 'a, '_> {
    /// Notes the words of the command that a call runs.
    pub(super) fn command(&mut self, call: &'a ast::ExprCall) {
        let visible = self.visible();
        let behind = |name: &ast::ExprName| {
            let (_, locals) = innermost(visible, &name.id)?;
            match locals.sources(&name.id)? {
                [Source::Value(value)] if !locals.parameters.contains(name.id.as_str()) => {
                    Some(*value)
                }
                _ => None,
            }
        };
        let found: Vec<Use> = operands(call, &behind)
            .into_iter()
            .map(|operand| Use {
                range: call.range(),
                path: match operand.word {
                    Word::Text(text) => Path::of_text(text),
                    Word::Value(value) => self.path(value),
                },
                does: Does {
                    writes: operand.changes,
                    ..Does::default()
                },
                function: self.function(),
                locks: self.locks(),
                through: Vec::new(),
            })
            .collect();
        self.commands.extend(found);
    }
}

/// Why an `await` in the place of the call at `range` would let other tasks come between a command and another use of
/// the file that it works on, where that is the same file in every call of the function.
pub(super) fn opened(
    file: &File<'_, '_>,
    function: &ast::StmtFunctionDef,
    range: TextRange,
) -> Option<String> {
    let all = file.file_uses();
    let own = function.range();
    let commands = within(&all.commands, own);
    let of_files = within(&all.uses, own).iter();
    let mut others = of_files
        .chain(within(&all.by_helpers, own))
        .chain(commands)
        .filter(|other| other.function == Some(own) && !other.does.is_about_names());
    others
        .any(|other| {
            commands.iter().any(|command| {
                command.function == Some(own)
                    && command.path.agreement == Agreement::Same
                    && is_opened(file, function, range, command, other)
            })
        })
        .then(|| "another task may read or write the same file in between".to_owned())
}

/// Whether an `await` at `range` comes between a command and another use of its file, where nothing is awaited yet.
fn is_opened(
    file: &File<'_, '_>,
    function: &ast::StmtFunctionDef,
    range: TextRange,
    command: &Use,
    other: &Use,
) -> bool {
    let is_behind = other.range.start() > command.range.start();
    let (first, second) = if is_behind {
        (command.range, other.range)
    } else {
        (other.range, command.range)
    };
    // What the function reads before, the command reads as well, as a rule.
    let changes = other.does.changes() || command.does.changes() || other.does.reads && is_behind;
    changes
        && first.end() <= second.start()
        && (first.start() <= range.start() && range.end() <= second.end())
        && command.path.is_same(&other.path)
        && !command.is_kept_apart_from(other)
        && !waits_between(file, function, first, second)
        && reaches(file, &function.body, first, second)
}
