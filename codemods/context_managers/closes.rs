//! Where and how an object is closed by its function.

use std::ops::RangeInclusive;

use asyncfix_knowledge::resources::{Form, Resource};
use asyncfix_syntax::site::suites_in;
use ruff_python_ast::comparable::ComparableExpr;
use ruff_python_ast::{self as ast, CmpOp, Expr, Stmt, UnaryOp};
use ruff_text_size::{Ranged, TextRange};

use super::managed::Managed;
use super::uses::UseKind;

/// Methods that may close an object, whatever the table says: an object with such a call is closed
/// in a way of its own.
pub(super) const CLOSING: [&str; 16] = [
    "__aenter__",
    "__aexit__",
    "aclose",
    "cleanup",
    "close",
    "closed",
    "detach",
    "disconnect",
    "dispose",
    "end_session",
    "quit",
    "release",
    "reset",
    "shutdown",
    "stop",
    "terminate",
];

const WAITS: &str = "`async with` also waits until it is closed; this code doesn't";

const WAITS_IN_FINALLY: &str = "the fix also waits until it is closed; this code doesn't";

/// A close before the end, and the statement behind it that leaves.
pub(super) struct Early<'a> {
    pub(super) suite: &'a [Stmt],
    pub(super) close: RangeInclusive<usize>,
    pub(super) exit: &'a Stmt,
}

impl<'a> Managed<'_, 'a, '_> {
    /// The row by which a statement closes the object.
    pub(super) fn closing(&self, statement: &Stmt) -> Option<&'static Resource> {
        if let Some((_, guarded)) = self.guarded(statement) {
            return self.closing(guarded).filter(|row| row.form != Form::None);
        }
        let Stmt::Expr(statement) = statement else {
            return None;
        };
        let (call, awaited) = match &*statement.value {
            Expr::Await(awaited) => (awaited.value.as_call_expr()?, true),
            Expr::Call(call) => (call, false),
            _ => return None,
        };
        let method = call.func.as_attribute_expr()?;
        self.rows.iter().copied().find(|row| {
            row.close_awaited.allows(awaited)
                && if row.owner_closes {
                    let owner = self.opening.call.func.as_attribute_expr();
                    row.close.iter().any(|close| *close == *method.attr)
                        && owner.is_some_and(|owner| {
                            ComparableExpr::from(&*owner.value)
                                == ComparableExpr::from(&*method.value)
                        })
                        && matches!(&*call.arguments.args, [Expr::Name(name)]
                            if name.id == self.object.id)
                        && call.arguments.keywords.is_empty()
                } else {
                    call.arguments.is_empty()
                        && row
                            .close
                            .iter()
                            .any(|close| self.is_member(&call.func, close))
                }
        })
    }

    /// The test and the statement of an `if` that only asks whether the object is there and open:
    /// `if session is not None:`, `if not session.closed:`.
    pub(super) fn guarded<'s>(&self, statement: &'s Stmt) -> Option<(&'s Expr, &'s Stmt)> {
        let Stmt::If(guard) = statement else {
            return None;
        };
        match guard.body.as_slice() {
            [only] if guard.elif_else_clauses.is_empty() && self.is_guard(&guard.test) => {
                Some((&guard.test, only))
            }
            _ => None,
        }
    }

    fn is_guard(&self, test: &Expr) -> bool {
        let is_object = |expr: &Expr| matches!(expr, Expr::Name(name) if name.id == self.object.id);
        match test {
            Expr::BoolOp(both) => {
                both.op == ast::BoolOp::And && both.values.iter().all(|value| self.is_guard(value))
            }
            Expr::Compare(comparison) => {
                is_object(&comparison.left)
                    && matches!(&*comparison.ops, [CmpOp::IsNot])
                    && comparison
                        .comparators
                        .iter()
                        .all(Expr::is_none_literal_expr)
            }
            Expr::UnaryOp(operation) if operation.op == UnaryOp::Not => {
                let asked = match &*operation.operand {
                    Expr::Call(call) if call.arguments.is_empty() => &*call.func,
                    asked => asked,
                };
                self.is_member(asked, "closed") || self.is_member(asked, "is_closed")
            }
            test => is_object(test),
        }
    }

    /// Whether an expression is this member of the object, which may be one of an attribute of it.
    fn is_member(&self, expr: &Expr, path: &str) -> bool {
        let Expr::Attribute(attribute) = expr else {
            return false;
        };
        match path.rsplit_once('.') {
            Some((before, last)) => {
                attribute.attr.as_str() == last && self.is_member(&attribute.value, before)
            }
            None => {
                attribute.attr.as_str() == path
                    && matches!(&*attribute.value, Expr::Name(name) if name.id == self.object.id)
            }
        }
    }

    pub(super) fn is_awaited_method(&self, statement: &Stmt, method: &str) -> bool {
        let Stmt::Expr(statement) = statement else {
            return false;
        };
        let Expr::Await(awaited) = &*statement.value else {
            return false;
        };
        matches!(&*awaited.value, Expr::Call(call)
            if call.arguments.is_empty() && self.is_member(&call.func, method))
    }

    /// The index of the last statement of the close at `at`, and a reason where leaving the block
    /// waits for more than the program did.
    pub(super) fn end_of_close(
        &self,
        suite: &[Stmt],
        at: usize,
        row: &Resource,
    ) -> (usize, Option<&'static str>) {
        let Some(then) = &row.then else {
            return (at, None);
        };
        match suite.get(at + 1) {
            Some(next) if self.is_awaited_method(next, then) => (at + 1, None),
            // A `finally` does what the program did.
            _ => (at, (row.form != Form::None).then_some(WAITS)),
        }
    }

    /// A reason where leaving the block waits, and nothing closes the object.
    pub(super) fn waits_too(row: &Resource) -> Option<&'static str> {
        row.then.as_ref().map(|_| match row.form {
            Form::None => WAITS_IN_FINALLY,
            _ => WAITS,
        })
    }

    pub(super) fn closes_in(&self, suite: &'a [Stmt]) -> usize {
        suite
            .iter()
            .map(|statement| {
                if self.closing(statement).is_some() {
                    return 1;
                }
                suites_in(statement)
                    .into_iter()
                    .map(|suite| self.closes_in(suite))
                    .sum()
            })
            .sum()
    }

    /// The tests of the guards around closes: they are no uses of their own.
    pub(super) fn guards_in(&self, suite: &'a [Stmt], found: &mut Vec<TextRange>) {
        for statement in suite {
            if let Some((test, _)) = self.guarded(statement)
                && self.closing(statement).is_some()
            {
                found.push(test.range());
            }
            for inner in suites_in(statement) {
                self.guards_in(inner, found);
            }
        }
    }

    /// Whether it is closed in a way that is not seen through: by a method with arguments, in an
    /// expression, or by another method.
    pub(super) fn closes_otherwise(&self) -> bool {
        let known = self.closes_in(&self.function.body);
        let setup = self.rows.first().and_then(|row| row.setup.as_deref());
        let then = self.rows.first().and_then(|row| row.then.as_deref());
        let by_method = self
            .uses
            .iter()
            .filter(|used| match used.kind {
                UseKind::Receiver(method) => {
                    self.rows.iter().any(|row| {
                        !row.owner_closes && row.close.iter().any(|close| close == method)
                    }) || CLOSING.contains(&method) && Some(method) != setup && Some(method) != then
                }
                _ => false,
            })
            .count();
        let by_owner = self.rows.iter().any(|row| row.owner_closes);
        if by_owner {
            by_method > 0
        } else {
            by_method != known
        }
    }

    /// The closes in `suite` and below with a `return` or `raise` right behind.
    pub(super) fn early_closes(&self, suite: &'a [Stmt], found: &mut Vec<Early<'a>>) {
        for (index, statement) in suite.iter().enumerate() {
            if let Some(row) = self.closing(statement) {
                let (end, _) = self.end_of_close(suite, index, row);
                if let Some(exit @ (Stmt::Return(_) | Stmt::Raise(_))) = suite.get(end + 1) {
                    found.push(Early {
                        suite,
                        close: index..=end,
                        exit,
                    });
                }
            }
            if !matches!(statement, Stmt::FunctionDef(_) | Stmt::ClassDef(_)) {
                for inner in suites_in(statement) {
                    self.early_closes(inner, found);
                }
            }
        }
    }
}
