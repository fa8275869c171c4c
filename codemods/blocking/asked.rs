//! What a function does because a file is there, or is not.

use asyncfix_syntax::site::suites_in;
use ruff_python_ast::{self as ast, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange};

/// Under which answer some code runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// Only where the file is not there, and the function goes on with it where it is.
    Missing,
    /// Only where the file is not there, whatever the function does where it is.
    Free,
    /// Any of both.
    Any,
}

/// Whether the code at `at` in a function runs because of what one of the calls `asked` has said about a file.
pub(super) fn is_answer(
    function: &ast::StmtFunctionDef,
    asked: &[TextRange],
    at: TextRange,
    answer: Answer,
) -> bool {
    if asked.is_empty() {
        return false;
    }
    let mut tests = Tests {
        asked,
        names: Vec::new(),
        at,
        answer,
    };
    tests.decide(&function.body)
}

struct Tests<'r, 'a> {
    asked: &'r [TextRange],
    /// Names of what was said.
    names: Vec<(&'a str, Says)>,
    at: TextRange,
    answer: Answer,
}

/// What a test that is passed says about a file.
#[derive(Clone, Copy, Default)]
struct Says {
    there: bool,
    missing: bool,
}

impl Says {
    /// What the test says where it fails.
    fn otherwise(self) -> Self {
        Self {
            there: self.missing,
            missing: self.there,
        }
    }

    fn or(self, other: Self) -> Self {
        Self {
            there: self.there || other.there,
            missing: self.missing || other.missing,
        }
    }
}

impl<'a> Tests<'_, 'a> {
    /// Whether a test on the way through the suite decides about the code.
    fn decide(&mut self, suite: &'a [Stmt]) -> bool {
        for statement in suite {
            if statement.start() >= self.at.end() {
                return false;
            }
            match statement {
                Stmt::Assign(assign) => self.assign(assign),
                Stmt::If(branch) if self.is_decided_by(branch) => return true,
                Stmt::While(turns) => {
                    let said = self.says(&turns.test);
                    let is_inside = self.is_in(&turns.body);
                    let is_over = turns.end() <= self.at.start();
                    if is_inside && self.is_it(said)
                        || is_over && (self.is_it(said.otherwise()) || self.is_left(&turns.body))
                    {
                        return true;
                    }
                }
                Stmt::For(turns) if turns.end() <= self.at.start() && self.is_left(&turns.body) => {
                    return true;
                }
                _ => {}
            }
            if statement.range().contains_range(self.at) {
                let suites = suites_in(statement);
                let inside = suites.into_iter().find(|suite| self.is_in(suite));
                return inside.is_some_and(|suite| self.decide(suite));
            }
        }
        false
    }

    /// Notes the names that are given what was said.
    fn assign(&mut self, assign: &'a ast::StmtAssign) {
        let says = self.says(&assign.value);
        if says.there || says.missing {
            let names = assign.targets.iter().filter_map(Expr::as_name_expr);
            self.names
                .extend(names.map(|name| (name.id.as_str(), says)));
        }
    }

    /// Whether a loop with this body is left because of what was said: the name that is free is found.
    fn is_left(&mut self, suite: &'a [Stmt]) -> bool {
        suite.iter().any(|statement| match statement {
            Stmt::Assign(assign) => {
                self.assign(assign);
                false
            }
            Stmt::If(branch) => {
                let breaks = |suite: &[Stmt]| suite.last().is_some_and(Stmt::is_break_stmt);
                let said = self.says(&branch.test);
                let mut others = branch.elif_else_clauses.iter();
                breaks(&branch.body) && self.is_it(said)
                    || others.any(|clause| breaks(&clause.body)) && self.is_it(said.otherwise())
                    || suites_in(statement)
                        .into_iter()
                        .any(|inner| self.is_left(inner))
            }
            Stmt::Try(_) | Stmt::With(_) => suites_in(statement)
                .into_iter()
                .any(|inner| self.is_left(inner)),
            _ => false,
        })
    }

    fn is_in(&self, suite: &[Stmt]) -> bool {
        let mut statements = suite.iter();
        statements.any(|statement| statement.range().contains_range(self.at))
    }

    fn is_decided_by(&self, branch: &'a ast::StmtIf) -> bool {
        let said = self.says(&branch.test);
        if self.is_in(&branch.body) {
            return self.is_it(said);
        }
        let mut before = said.otherwise();
        for clause in &branch.elif_else_clauses {
            let own = clause.test.as_ref().map(|test| self.says(test));
            let own = own.unwrap_or_default();
            if self.is_in(&clause.body) {
                return self.is_it(before.or(own));
            }
            before = before.or(own.otherwise());
        }
        branch.end() <= self.at.start()
            && branch.body.last().is_some_and(|last| match last {
                Stmt::Return(_) | Stmt::Continue(_) | Stmt::Break(_) => true,
                // Then it does not matter what is in the file.
                Stmt::Raise(_) => self.answer != Answer::Missing,
                _ => false,
            })
            && self.is_it(said.otherwise())
    }

    fn is_it(&self, says: Says) -> bool {
        says.missing || self.answer == Answer::Any && says.there
    }

    /// What a test says about the file where it is passed.
    fn says(&self, test: &Expr) -> Says {
        match test {
            Expr::UnaryOp(not) if not.op == ast::UnaryOp::Not => {
                self.says(&not.operand).otherwise()
            }
            Expr::BoolOp(several) => {
                let mut all = several.values.iter().map(|value| self.says(value));
                let first = all.next().unwrap_or_default();
                all.fold(first, Says::or)
            }
            Expr::Named(named) => self.says(&named.value),
            Expr::Name(name) => {
                let mut names = self.names.iter().rev();
                names
                    .find(|(known, _)| *known == name.id.as_str())
                    .map(|(_, says)| *says)
                    .unwrap_or_default()
            }
            other => Says {
                there: self.asks(other),
                missing: false,
            },
        }
    }

    /// Whether an expression is what was said.
    fn asks(&self, expr: &Expr) -> bool {
        let mut asked = self.asked.iter();
        asked.any(|asked| expr.range().contains_range(*asked))
    }
}
