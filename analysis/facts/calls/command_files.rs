//! Files that a function has a command of another program work on, and uses itself as well, whatever it is given.

use asyncfix_knowledge::blocking::Row;
use asyncfix_knowledge::conduct::names_a_path;
use asyncfix_syntax::lines::one_line;
use ruff_python_ast::{self as ast, Expr};
use ruff_text_size::{Ranged, TextSize};

use super::shared_file::Holder;
use super::walk::Walk;
use super::{SharedFile, Target};
use crate::facts::commands::{Word, operands};
use crate::facts::file_access::paths;
use crate::facts::scopes::Binding;
use crate::limits::{BINDINGS, Limit};

/// The rule about other processes.
const CODE: &str = "AF203";

/// What a function does, itself or by a command, with a file that is the same in all calls of it, or in all of one
/// object.
pub(super) struct Work {
    /// What tells whether it is the same file.
    key: String,
    file: SharedFile,
    at: TextSize,
    is_command: bool,
    reads: bool,
    changes: bool,
}

impl Work {
    /// Whether other calls must not come between a command and this use of its file. What the function reads before,
    /// the command reads as well, as a rule.
    fn is_with(&self, command: &Self) -> bool {
        command.is_command
            && command.at != self.at
            && command.key == self.key
            && (self.changes || command.changes || self.reads && self.at > command.at)
    }
}

impl<'a> Walk<'_, '_, 'a> {
    /// Notes the files that a call of the table uses, or has a command work on.
    pub(super) fn works_on(&mut self, call: &'a ast::ExprCall, row: &Row, is_method: bool) {
        let receiver = match &*call.func {
            Expr::Attribute(method) if is_method => Some(&*method.value),
            _ => None,
        };
        if row.uses_files() {
            for (path, does) in paths(call, row, receiver, true, &self.function.body) {
                if !does.is_about_names() {
                    self.add_work(
                        call,
                        Word::Value(path),
                        false,
                        (does.reads(), does.changes()),
                    );
                }
            }
        } else if row.code == CODE && !is_method {
            let behind = |name: &ast::ExprName| self.value_here(&name.id);
            for operand in operands(call, &behind) {
                self.add_work(call, operand.word, true, (false, operand.changes));
            }
        }
    }

    fn add_work(
        &mut self,
        call: &ast::ExprCall,
        word: Word<'a>,
        is_command: bool,
        (reads, changes): (bool, bool),
    ) {
        let (key, written, is_of_object) = match word {
            Word::Text(text) => (text.to_owned(), text.to_owned(), false),
            Word::Value(expr) => {
                let is_of_object = match self.holder(expr, BINDINGS) {
                    Holder::All => false,
                    Holder::Object => true,
                    Holder::Call => return,
                };
                let written = one_line(self.writer.text(expr));
                (self.key_of(expr, BINDINGS), written, is_of_object)
            }
        };
        self.works.push(Work {
            key,
            file: SharedFile {
                path: written.into_boxed_str(),
                is_of_object,
            },
            at: call.start(),
            is_command,
            reads,
            changes,
        });
    }

    /// Notes the first file that a command works on, and the function as well, as one that it writes.
    pub(super) fn writes_by_commands(&mut self) {
        if self.written.writes.is_some() {
            return;
        }
        let mut all = self.works.iter();
        let found = all.find(|work| self.works.iter().any(|command| work.is_with(command)));
        self.written.writes = found.map(|work| work.file.clone());
    }

    /// The one value that a variable of the function has.
    fn value_here(&self, name: &str) -> Option<&'a Expr> {
        let own = self.writer.scopes.all.get(self.scope)?;
        match own.bindings.get(name)?.as_slice() {
            [Binding::Value(value) | Binding::Annotated(_, Some(value))] => Some(value),
            _ => None,
        }
    }

    /// What tells in the function whether two expressions name one file.
    fn key_of(&self, expr: &'a Expr, steps: Limit) -> String {
        match (expr, steps.less()) {
            (Expr::StringLiteral(text), _) => text.value.to_str().to_owned(),
            (Expr::Name(name), Some(steps)) => match self.value_here(&name.id) {
                Some(value) => self.key_of(value, steps),
                None => name.id.to_string(),
            },
            (Expr::Call(call), Some(steps)) => match &*call.arguments.args {
                [path] if self.gives_same_path(call) => self.key_of(path, steps),
                _ => one_line(self.writer.text(expr)),
            },
            _ => one_line(self.writer.text(expr)),
        }
    }

    fn gives_same_path(&self, call: &'a ast::ExprCall) -> bool {
        matches!(self.writer.target(&call.func, self.scope), Target::Import(path)
            if path.dotted().is_some_and(names_a_path))
    }
}
