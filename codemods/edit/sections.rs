//! Sections that an `await` opens.
//!
//! Between a test of something that others share and the change that follows from it, no other task
//! runs as long as nothing is awaited. An `await` that is written in between lets them in: two of
//! them then pass the same test.

use std::cell::RefCell;
use std::rc::Rc;

use asyncfix_analysis::infer::types::ClassOf;
use asyncfix_knowledge::libraries::WITH_LOCKS;
use asyncfix_syntax::site::{Owner, Site, suites_in};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, walk_expr};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, ExprContext, Stmt};
use ruff_text_size::{Ranged, TextRange, TextSize};
use rustc_hash::FxHashMap;

use crate::edit::called::{self, Asked};
use crate::edit::changes::{Behind, Change, Read, Shared};
use crate::file::File;

/// Why an `await` there is unsafe.
const REASON: &str = "other tasks may run between the check and the change";

/// What functions change and where they await, each looked through once.
#[derive(Default)]
pub(crate) struct Memory {
    behind: RefCell<FxHashMap<TextSize, Rc<Behind>>>,
    pub(super) calls: called::Memory,
}

/// Why an `await` at `site` opens a section that was closed, as the reason of an unsafe rewrite: the
/// code stands under a test of something shared that the same function changes behind it, or what
/// was read before is written back.
pub fn opened_by_await<'a>(
    file: &File<'a, '_>,
    site: &Site<'_, 'a>,
    owner: Owner<'a>,
) -> Option<&'static str> {
    let (body, start): (&'a [Stmt], _) = match owner {
        Owner::Function(function) => (&function.body, function.start()),
        Owner::Module => (file.body(), TextSize::default()),
        Owner::Lambda(_) => return None,
    };
    let shared = Shared { file, owner };
    let behind = Rc::clone(
        file.sections
            .behind
            .borrow_mut()
            .entry(start)
            .or_insert_with(|| Rc::new(shared.behind(body))),
    );
    if behind.changes.is_empty() {
        return None;
    }
    let mut before = Before::of(site);
    for test in &mut before.tests {
        shared.follow(&mut test.reads);
        if !matches!(test.turns, Turns::Given(_)) {
            test.asked = shared.asked_by(test.expr);
        }
    }
    let at = site.node.range();
    let is_opened = behind.changes.iter().any(|change| {
        if before.excludes(change) || !change.depends_on(at) {
            return false;
        }
        let is_behind = change.is_behind(at) && change.at <= before.end;
        let by_test = before.tests.iter().any(|test| {
            let end = match test.turns {
                // What is changed before comes after in the next turn.
                Turns::Given(body) if body.contains_inclusive(change.at) => body.end(),
                // Asked anew in each turn, and over where the change is its end.
                Turns::Asked(body) if !body.contains_inclusive(change.at) || change.is_constant => {
                    return false;
                }
                _ if is_behind => change.at,
                _ => return false,
            };
            let is_asked_about = || {
                let reads = &mut test.reads.iter();
                reads.any(|read| is_same(&read.path, &change.path))
                    || test.asked.iter().any(|asked| {
                        asked.path == change.path
                            && asked.object.is_none_or(|object| shared.may_change(object))
                    })
            };
            let is_prepared = |branch: TextRange| {
                behind
                    .changes
                    .iter()
                    .any(|other| branch.contains_range(other.range) && other.path == change.path)
            };
            test.passed.is_none_or(is_prepared)
                && is_asked_about()
                && !behind.is_open(TextRange::new(test.at, end.max(test.at)), change, at)
                && !is_locked(file, site, test.at)
        });
        by_test
            || is_behind
                && change.stale.iter().any(|read| {
                    *read <= at.start()
                        && !behind.is_open(TextRange::new(*read, change.at), change, at)
                        && !is_locked(file, site, *read)
                })
    });
    is_opened.then_some(REASON)
}

/// How often a test is made before code under it runs.
#[derive(Clone, Copy)]
enum Turns {
    Once,
    /// The test of a `while` with this body.
    Asked(TextRange),
    /// What a `for` with this body goes through.
    Given(TextRange),
}

/// Something that is asked before the code in question runs.
struct Test<'a> {
    /// Its end.
    at: TextSize,
    expr: &'a Expr,
    reads: Vec<Read<'a>>,
    /// What the calls in it ask.
    asked: Vec<Asked<'a>>,
    turns: Turns,
    /// The statement, where it is over and the code behind it runs anyway. The test matters only where a branch changes
    /// what was asked about: `if name in loaded: unload(name)`, and what follows counts on it.
    passed: Option<TextRange>,
}

/// What is said before the code in question, on the way to it.
struct Before<'a> {
    tests: Vec<Test<'a>>,
    /// Branches that are not taken where the code runs.
    others: Vec<TextRange>,
    /// Where the function is left behind the code.
    end: TextSize,
}

impl<'a> Before<'a> {
    fn of(site: &Site<'_, 'a>) -> Self {
        let mut before = Self {
            tests: Vec::new(),
            others: Vec::new(),
            end: TextSize::from(u32::MAX),
        };
        let mut at = Some(*site);
        while let Some(place) = at.and_then(|at| at.place()) {
            for statement in place.suite.get(..place.index).unwrap_or_default() {
                before.passed(statement);
            }
            let rest = place.suite.get(place.index..).unwrap_or_default();
            let leaves = rest.iter().find(|statement| always_leaves(statement));
            if let Some(leaves) = leaves {
                before.end = before.end.min(leaves.end());
            }
            match place.parent {
                None | Some(AnyNodeRef::StmtFunctionDef(_) | AnyNodeRef::StmtClassDef(_)) => break,
                Some(_) => at = at.and_then(|at| at.statement()?.outer()),
            }
        }
        for (node, child) in site.enclosing_in_function() {
            before.around(node, child.range());
        }
        before
    }

    fn test(&mut self, test: &'a Expr, turns: Turns) {
        let mut reads = Vec::new();
        read_by(test, &mut reads);
        self.tests.push(Test {
            at: test.end(),
            expr: test,
            reads,
            asked: Vec::new(),
            turns,
            passed: None,
        });
    }

    /// A statement that is over where the code runs.
    fn passed(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::If(inner) => {
                let leaves = suites_in(statement).iter().any(|suite| {
                    suite.last().is_some_and(|last| {
                        matches!(
                            last,
                            Stmt::Return(_) | Stmt::Raise(_) | Stmt::Break(_) | Stmt::Continue(_)
                        )
                    })
                });
                if leaves {
                    self.test(&inner.test, Turns::Once);
                    for clause in &inner.elif_else_clauses {
                        if let Some(test) = &clause.test {
                            self.test(test, Turns::Once);
                        }
                    }
                } else {
                    self.test(&inner.test, Turns::Once);
                    if let Some(test) = self.tests.last_mut() {
                        test.passed = Some(statement.range());
                    }
                }
            }
            Stmt::While(inner) => self.test(&inner.test, Turns::Once),
            Stmt::Assert(inner) => self.test(&inner.test, Turns::Once),
            Stmt::Try(inner) => self.tried(inner),
            _ => {}
        }
    }

    /// A `try` that looks something up, and goes on where it is not there.
    fn tried(&mut self, statement: &'a ast::StmtTry) {
        struct LookUps<'a>(Vec<&'a Expr>);
        impl<'a> SourceOrderVisitor<'a> for LookUps<'a> {
            fn visit_expr(&mut self, expr: &'a Expr) {
                match expr {
                    Expr::Subscript(subscript) if subscript.ctx == ExprContext::Load => {
                        self.0.push(&subscript.value);
                    }
                    _ => {}
                }
                walk_expr(self, expr);
            }
        }
        if statement.handlers.is_empty() {
            return;
        }
        let mut look_ups = LookUps(Vec::new());
        look_ups.visit_body(&statement.body);
        for base in look_ups.0 {
            self.test(base, Turns::Once);
        }
    }

    /// What is around the code.
    fn around(&mut self, node: AnyNodeRef<'a>, child: TextRange) {
        let is_in = |suite: &[Stmt]| {
            suite
                .iter()
                .any(|statement| statement.range().contains_range(child))
        };
        match node {
            AnyNodeRef::StmtIf(inner) => {
                if inner.test.range().contains_range(child) {
                    return;
                }
                self.test(&inner.test, Turns::Once);
                if !is_in(&inner.body) {
                    self.others.extend(range_of(&inner.body));
                }
                for clause in &inner.elif_else_clauses {
                    if clause.range().contains_range(child) {
                        continue;
                    }
                    self.others.push(clause.range());
                    if let Some(test) = &clause.test
                        && clause.start() < child.start()
                    {
                        self.test(test, Turns::Once);
                    }
                }
            }
            AnyNodeRef::ElifElseClause(clause) => {
                if let Some(test) = &clause.test
                    && is_in(&clause.body)
                {
                    self.test(test, Turns::Once);
                }
            }
            AnyNodeRef::StmtWhile(inner) => {
                if let Some(body) = range_of(&inner.body)
                    && is_in(&inner.body)
                {
                    self.test(&inner.test, Turns::Asked(body));
                }
            }
            AnyNodeRef::StmtFor(inner) => {
                if let Some(body) = range_of(&inner.body)
                    && is_in(&inner.body)
                {
                    self.test(&inner.iter, Turns::Given(body));
                }
            }
            AnyNodeRef::StmtMatch(inner) => {
                let cases = inner.cases.iter().map(Ranged::range);
                self.others
                    .extend(cases.filter(|case| !case.contains_range(child)));
                self.test(&inner.subject, Turns::Once);
            }
            AnyNodeRef::StmtTry(inner) if !is_in(&inner.body) => self.tried(inner),
            AnyNodeRef::ExprIf(inner) if !inner.test.range().contains_range(child) => {
                self.test(&inner.test, Turns::Once);
            }
            AnyNodeRef::ExprBoolOp(inner) => {
                for value in inner
                    .values
                    .iter()
                    .take_while(|value| value.end() <= child.start())
                {
                    self.test(value, Turns::Once);
                }
            }
            _ => {}
        }
    }

    /// Whether a change stands in a branch that is not taken where the code runs.
    fn excludes(&self, change: &Change) -> bool {
        self.others
            .iter()
            .any(|other| other.contains_range(change.range))
    }
}

/// Whether a lock of the loop is held around both the code and what is before it at `before`.
fn is_locked(file: &File<'_, '_>, site: &Site<'_, '_>, before: TextSize) -> bool {
    let is_lock = |manager: &Expr| {
        matches!(file.semantics.class_of(manager), ClassOf::Known(class)
        if class.split_once('.').is_some_and(|(package, class)| {
            WITH_LOCKS.contains(&package)
                && matches!(class.rsplit('.').next(), Some("Lock" | "Condition"))
        }))
    };
    site.enclosing_in_function().any(|(node, _)| {
        matches!(node, AnyNodeRef::StmtWith(with)
            if with.is_async
                && with.start() < before
                && with.items.iter().any(|item| is_lock(&item.context_expr)))
    })
}

/// Whether the function is left behind a statement, whatever branch of it is taken.
fn always_leaves(statement: &Stmt) -> bool {
    match statement {
        Stmt::Return(_) | Stmt::Raise(_) => true,
        Stmt::If(branch) => {
            let has_else = branch
                .elif_else_clauses
                .last()
                .is_some_and(|clause| clause.test.is_none());
            let mut suites = suites_in(statement).into_iter();
            has_else && suites.all(|suite| suite.iter().any(always_leaves))
        }
        _ => false,
    }
}

/// The name that an expression begins with, and the attributes behind it up to the first subscript or
/// call.
pub(crate) fn chain(expr: &Expr) -> Option<(&ast::ExprName, Vec<&str>)> {
    match expr {
        Expr::Name(name) => Some((name, vec![name.id.as_str()])),
        Expr::Attribute(attribute) => {
            let (root, mut path) = chain(&attribute.value)?;
            let is_plain = matches!(&*attribute.value, Expr::Name(_) | Expr::Attribute(_));
            if is_plain {
                path.push(&attribute.attr);
            }
            Some((root, path))
        }
        Expr::Subscript(subscript) => chain(&subscript.value),
        Expr::Call(call) => match &*call.func {
            Expr::Attribute(method) => chain(&method.value),
            _ => None,
        },
        _ => None,
    }
}

/// What an expression reads, with all that leads there.
pub(crate) fn read_by<'a>(expr: &'a Expr, reads: &mut Vec<Read<'a>>) {
    struct Search<'r, 'a>(&'r mut Vec<Read<'a>>);
    impl<'a> SourceOrderVisitor<'a> for Search<'_, 'a> {
        fn visit_expr(&mut self, expr: &'a Expr) {
            if matches!(expr, Expr::Name(_) | Expr::Attribute(_))
                && let Some((root, path)) = chain(expr)
            {
                self.0.push(Read { root, path });
            }
            if !expr.is_lambda_expr() {
                walk_expr(self, expr);
            }
        }
    }
    Search(reads).visit_expr(expr);
}

fn is_same(path: &[&str], other: &[Box<str>]) -> bool {
    path.len() == other.len() && path.iter().zip(other).all(|(one, other)| **one == **other)
}

pub(crate) fn reads_path(expr: &Expr, path: &[&str]) -> bool {
    let mut reads = Vec::new();
    read_by(expr, &mut reads);
    reads.iter().any(|read| read.path == path)
}

pub(crate) fn names_in(expr: &Expr) -> Vec<&ast::ExprName> {
    struct Search<'a>(Vec<&'a ast::ExprName>);
    impl<'a> SourceOrderVisitor<'a> for Search<'a> {
        fn visit_expr(&mut self, expr: &'a Expr) {
            if let Expr::Name(name) = expr {
                self.0.push(name);
            }
            walk_expr(self, expr);
        }
    }
    let mut search = Search(Vec::new());
    search.visit_expr(expr);
    search.0
}

/// From the first statement of a suite to the last.
pub(crate) fn range_of(suite: &[Stmt]) -> Option<TextRange> {
    Some(TextRange::new(suite.first()?.start(), suite.last()?.end()))
}
