//! How control leaves a suite.

use crate::facts::loops;
use ruff_python_ast::{ExceptHandler, Expr, Stmt};

use crate::file::ParsedFile;

/// Calls that end the program or the thread.
const EXITS: &[&str] = &[
    "sys.exit",
    "os._exit",
    "os.abort",
    "builtins.exit",
    "builtins.quit",
];

/// What a function that always raises is annotated with.
const NEVER: &[&str] = &[
    "typing.NoReturn",
    "typing.Never",
    "typing_extensions.NoReturn",
    "typing_extensions.Never",
];

/// How control leaves a suite other than by an exception.
pub struct Exits<'a> {
    /// Whether it goes on behind the suite.
    pub falls: bool,
    /// What leaves it for somewhere else.
    pub jumps: Vec<Jump<'a>>,
}

/// A `return`, `break` or `continue` that leaves a suite.
#[derive(Clone, Copy)]
pub struct Jump<'a> {
    /// The statement.
    pub statement: &'a Stmt,
    /// Whether it stands in an `except` or `finally` inside the suite, where another exception may
    /// be the current one.
    pub is_nested: bool,
}

impl<'a> Exits<'a> {
    /// How control leaves `suite`.
    pub fn of(file: &ParsedFile<'_, '_>, suite: &'a [Stmt]) -> Self {
        let mut flow = Flow {
            file,
            loops: 0,
            handlers: 0,
            jumps: Vec::new(),
        };
        let falls = flow.suite(suite);
        Self {
            falls,
            jumps: flow.jumps,
        }
    }

    /// Whether every way out of the suite is an exception.
    pub fn always_raises(&self) -> bool {
        !self.falls && self.jumps.is_empty()
    }
}

struct Flow<'f, 'a, 'b, 'db> {
    file: &'f ParsedFile<'b, 'db>,
    loops: usize,
    handlers: usize,
    jumps: Vec<Jump<'a>>,
}

impl<'a> Flow<'_, 'a, '_, '_> {
    /// Whether control gets behind the suite.
    fn suite(&mut self, suite: &'a [Stmt]) -> bool {
        let mut reached = true;
        for statement in suite {
            reached &= self.statement(statement);
        }
        reached
    }

    fn in_loop(&mut self, body: &'a [Stmt]) {
        self.loops += 1;
        self.suite(body);
        self.loops -= 1;
    }

    fn nested(&mut self, suite: &'a [Stmt]) -> bool {
        self.handlers += 1;
        let falls = self.suite(suite);
        self.handlers -= 1;
        falls
    }

    fn statement(&mut self, statement: &'a Stmt) -> bool {
        match statement {
            Stmt::Raise(_) => false,
            Stmt::Return(_) => self.jump(statement),
            Stmt::Break(_) | Stmt::Continue(_) => {
                if self.loops == 0 {
                    self.jump(statement);
                }
                false
            }
            Stmt::Expr(inner) => !self.never_returns(&inner.value),
            Stmt::If(inner) => {
                let mut falls = self.suite(&inner.body);
                let mut is_exhaustive = false;
                for clause in &inner.elif_else_clauses {
                    falls |= self.suite(&clause.body);
                    is_exhaustive |= clause.test.is_none();
                }
                falls || !is_exhaustive
            }
            Stmt::Match(inner) => {
                let mut falls = false;
                let mut is_exhaustive = false;
                for case in &inner.cases {
                    falls |= self.suite(&case.body);
                    is_exhaustive |= case.guard.is_none() && case.pattern.is_irrefutable();
                }
                falls || !is_exhaustive
            }
            Stmt::While(inner) => {
                self.in_loop(&inner.body);
                let endless = loops::is_endless(&inner.test) && !loops::leaves_loop(&inner.body);
                self.suite(&inner.orelse) && !endless
            }
            Stmt::For(inner) => {
                self.in_loop(&inner.body);
                self.suite(&inner.orelse);
                true
            }
            Stmt::With(inner) => {
                let falls = self.suite(&inner.body);
                let may_suppress = inner.items.iter().any(|item| {
                    matches!(&item.context_expr, Expr::Call(call)
                        if self.file.semantics.means(&call.func, &["contextlib.suppress"]))
                });
                falls || may_suppress
            }
            Stmt::Try(inner) => {
                let mut falls = self.suite(&inner.body);
                falls &= self.suite(&inner.orelse);
                for handler in &inner.handlers {
                    let ExceptHandler::ExceptHandler(handler) = handler;
                    falls |= self.nested(&handler.body);
                }
                self.nested(&inner.finalbody) && falls
            }
            _ => true,
        }
    }

    /// Whether an expression is a call that ends the program, or of a function whose annotation
    /// says that it always raises.
    fn never_returns(&self, expr: &Expr) -> bool {
        let call = match expr {
            Expr::Call(call) => call,
            Expr::Await(awaited) => match &*awaited.value {
                Expr::Call(call) => call,
                _ => return false,
            },
            _ => return false,
        };
        let semantics = &self.file.semantics;
        semantics.means(&call.func, EXITS)
            || semantics
                .function_in_sight(&call.func)
                .is_some_and(|function| {
                    let own = semantics.of_function(&function);
                    function
                        .node(semantics.db())
                        .and_then(|node| node.returns.as_deref())
                        .is_some_and(|returns| own.means(returns, NEVER))
                })
    }

    fn jump(&mut self, statement: &'a Stmt) -> bool {
        self.jumps.push(Jump {
            statement,
            is_nested: self.handlers > 0,
        });
        false
    }
}
