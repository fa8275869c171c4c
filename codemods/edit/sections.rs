//! Sections that an `await` opens.
//!
//! Between a test of something that others share and the change that follows from it, no other task
//! runs as long as nothing is awaited. An `await` that is written in between lets them in: two of
//! them then pass the same test.

use std::cell::RefCell;
use std::rc::Rc;

use asyncfix_analysis::infer::callee_awaitability::returned_by;
use asyncfix_analysis::resolve::semantics::{ClassOf, Origin};
use asyncfix_knowledge::blocking::is_fresh;
use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::{Owner, Site, suites_in};
use ruff_python_ast::visitor::source_order::{
    SourceOrderVisitor, TraversalSignal, walk_expr, walk_stmt,
};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, ExprContext, Stmt};
use ruff_text_size::{Ranged, TextRange, TextSize};
use rustc_hash::FxHashMap;
use ty_python_core::definition::{Definition, DefinitionKind};

use crate::file::File;

/// Why an `await` there is unsafe.
const REASON: &str = "other tasks may run between the check and the change";

/// Methods of containers that change them.
const CHANGING: &[&str] = &[
    "add",
    "append",
    "appendleft",
    "clear",
    "discard",
    "extend",
    "insert",
    "pop",
    "popitem",
    "popleft",
    "remove",
    "reverse",
    "setdefault",
    "sort",
    "update",
];

/// What functions change and where they await, each looked through once.
#[derive(Default)]
pub(crate) struct Memory(RefCell<FxHashMap<TextSize, Rc<Behind>>>);

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
            .0
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
    }
    let at = site.node.range();
    let is_opened = behind.changes.iter().any(|change| {
        if before.excludes(change) {
            return false;
        }
        let is_behind = change.at >= at.end() && change.at <= before.end;
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
            test.reads
                .iter()
                .any(|read| is_same(&read.path, &change.path))
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

/// A name or a chain of attributes, up to the first subscript or call.
struct Read<'a> {
    root: &'a ast::ExprName,
    path: Vec<&'a str>,
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
    reads: Vec<Read<'a>>,
    turns: Turns,
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
            reads,
            turns,
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

/// A change of something that others share.
pub(super) struct Change {
    range: TextRange,
    /// When it is done, as a place in the source.
    pub(super) at: TextSize,
    pub(super) path: Vec<Box<str>>,
    /// Whether it gets a plain constant.
    pub(super) is_constant: bool,
    /// Where it was read before for the names that its new value depends on.
    stale: Vec<TextSize>,
}

/// What a function changes of what it shares, and where it awaits already.
pub(super) struct Behind {
    pub(super) changes: Vec<Change>,
    /// Each with the suite that it stands in.
    pub(super) awaits: Vec<(TextSize, TextRange)>,
}

impl Behind {
    /// Whether the way to a change awaits already, besides what is at `site`.
    fn is_open(&self, way: TextRange, change: &Change, site: TextRange) -> bool {
        self.awaits.iter().any(|(at, suite)| {
            way.contains(*at)
                && !site.contains(*at)
                && (suite.contains_range(site) || suite.contains_range(change.range))
        })
    }
}

/// A change of something that has a name.
struct Written<'a> {
    range: TextRange,
    at: TextSize,
    root: &'a ast::ExprName,
    path: Vec<&'a str>,
    /// What a method is called on, where it is a method that changes it.
    receiver: Option<&'a Expr>,
    /// Whether the name itself gets another value.
    is_rebound: bool,
    is_constant: bool,
    /// The names it depends on.
    uses: Vec<&'a ast::ExprName>,
}

/// A call of a method of something that has a name.
struct Called<'a> {
    call: &'a ast::ExprCall,
    object: &'a ast::ExprName,
    /// When what it does before it waits is done, as a place in the source.
    at: TextSize,
}

/// Looks for what a function changes, and where it awaits.
#[derive(Default)]
struct Search<'a> {
    written: Vec<Written<'a>>,
    called: Vec<Called<'a>>,
    /// Each with the suite that it stands in.
    awaits: Vec<(TextSize, TextRange)>,
    suites: Vec<TextRange>,
    /// The names in the tests around.
    tests: Vec<Vec<&'a ast::ExprName>>,
}

impl<'a> SourceOrderVisitor<'a> for Search<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtFunctionDef(_)
            | AnyNodeRef::StmtClassDef(_)
            | AnyNodeRef::ExprLambda(_) => TraversalSignal::Skip,
            _ => TraversalSignal::Traverse,
        }
    }

    fn visit_body(&mut self, body: &'a [Stmt]) {
        self.suites.extend(range_of(body));
        for statement in body {
            self.visit_stmt(statement);
        }
        self.suites.pop();
    }

    fn visit_stmt(&mut self, statement: &'a Stmt) {
        let mut test = None;
        match statement {
            Stmt::Assign(inner) => {
                for target in &inner.targets {
                    self.assigned(target, statement, Some(&inner.value));
                }
            }
            Stmt::AnnAssign(inner) if inner.value.is_some() => {
                self.assigned(&inner.target, statement, inner.value.as_deref());
            }
            Stmt::AugAssign(inner) => self.assigned(&inner.target, statement, None),
            Stmt::Delete(inner) => {
                for target in &inner.targets {
                    self.assigned(target, statement, None);
                }
            }
            Stmt::With(inner) if inner.is_async => self.awaited(statement.start()),
            Stmt::For(inner) if inner.is_async => self.awaited(statement.start()),
            Stmt::If(inner) => test = Some(&*inner.test),
            Stmt::While(inner) => test = Some(&*inner.test),
            _ => {}
        }
        let is_tested = test.is_some();
        self.tests.extend(test.map(names_in));
        walk_stmt(self, statement);
        if is_tested {
            self.tests.pop();
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Await(inner) => {
                self.awaited(expr.start());
                if let Expr::Call(call) = &*inner.value {
                    self.called(call, expr.start());
                }
            }
            Expr::Call(call) => {
                self.called(call, expr.end());
                if let Expr::Attribute(method) = &*call.func
                    && CHANGING.contains(&method.attr.as_str())
                    && let Some((root, path)) = chain(&method.value)
                {
                    let uses = self.uses(expr);
                    self.written.push(Written {
                        range: expr.range(),
                        at: expr.end(),
                        root,
                        path,
                        receiver: Some(&method.value),
                        is_rebound: false,
                        is_constant: false,
                        uses,
                    });
                }
            }
            _ => {}
        }
        walk_expr(self, expr);
    }
}

impl<'a> Search<'a> {
    fn awaited(&mut self, at: TextSize) {
        if let Some(suite) = self.suites.last() {
            self.awaits.push((at, *suite));
        }
    }

    fn called(&mut self, call: &'a ast::ExprCall, at: TextSize) {
        let is_known = self
            .called
            .last()
            .is_some_and(|last| last.call.range() == call.range());
        if let Expr::Attribute(method) = &*call.func
            && let Expr::Name(object) = &*method.value
            && !is_known
        {
            self.called.push(Called { call, object, at });
        }
    }

    fn uses(&self, expr: &'a Expr) -> Vec<&'a ast::ExprName> {
        let tests = self.tests.iter().flatten().copied();
        tests.chain(names_in(expr)).collect()
    }

    fn assigned(&mut self, target: &'a Expr, statement: &'a Stmt, value: Option<&'a Expr>) {
        match target {
            Expr::Starred(starred) => self.assigned(&starred.value, statement, None),
            Expr::Tuple(ast::ExprTuple { elts, .. }) | Expr::List(ast::ExprList { elts, .. }) => {
                for target in elts {
                    self.assigned(target, statement, None);
                }
            }
            _ => {
                let Some((root, path)) = chain(target) else {
                    return;
                };
                let mut uses = self.uses(target);
                uses.extend(value.map(names_in).into_iter().flatten());
                if let Stmt::AugAssign(inner) = statement {
                    uses.extend(names_in(&inner.value));
                }
                self.written.push(Written {
                    range: statement.range(),
                    at: statement.end(),
                    root,
                    path,
                    receiver: None,
                    is_rebound: target.is_name_expr(),
                    is_constant: value.is_some_and(Expr::is_literal_expr),
                    uses,
                });
            }
        }
    }
}

pub(super) struct Shared<'f, 'a, 'db> {
    pub(super) file: &'f File<'a, 'db>,
    pub(super) owner: Owner<'a>,
}

impl<'f> Shared<'f, '_, '_> {
    /// Adds what the names that are read were made of.
    fn follow(&self, reads: &mut Vec<Read<'f>>) {
        let mut more = Vec::new();
        for read in reads.iter().filter(|read| read.path.len() == 1) {
            for origin in self.file.semantics.origins(read.root) {
                if let Origin::Value(value) = origin {
                    read_by(value, &mut more);
                }
            }
        }
        reads.extend(more);
    }

    /// Where `path` was read for one of the names.
    fn read_for(&self, names: &[&ast::ExprName], path: &[&str]) -> Vec<TextSize> {
        let origins = names
            .iter()
            .flat_map(|name| self.file.semantics.origins(name));
        origins
            .filter_map(|origin| match origin {
                Origin::Value(value) if reads_path(value, path) => Some(value.end()),
                _ => None,
            })
            .collect()
    }

    /// What the function with this body changes, and where it awaits.
    pub(super) fn behind(&self, body: &[Stmt]) -> Behind {
        let mut search = Search::default();
        search.visit_body(body);
        let shared = search.written.iter();
        let shared = shared.filter(|change| self.is_changed(change));
        let own = shared.map(|change| Change {
            range: change.range,
            at: change.at,
            path: change.path.iter().map(|part| (*part).into()).collect(),
            is_constant: change.is_constant,
            stale: self.read_for(&change.uses, &change.path),
        });
        let by_methods = search
            .called
            .iter()
            .flat_map(|called| self.changed_by(called));
        Behind {
            changes: own.chain(by_methods).collect(),
            awaits: search.awaits,
        }
    }

    /// What a method of a class of the module changes of its object before it waits for anything.
    fn changed_by(&self, called: &Called<'_>) -> Vec<Change> {
        let semantics = &self.file.semantics;
        let function = semantics.function_in_sight(&called.call.func);
        let node = function
            .as_ref()
            .filter(|function| semantics.is_here(function.definition()))
            .and_then(|function| function.node(semantics.db()));
        let Some(node) = node.filter(|node| semantics.is_method(node)) else {
            return Vec::new();
        };
        let Some(object) = node.parameters.iter_non_variadic_params().next() else {
            return Vec::new();
        };
        let mut search = Search::default();
        search.visit_body(&node.body);
        let waits = search.awaits.iter().map(|(at, _)| *at).min();
        let changed = search.written.iter().filter(|change| {
            change.path.len() > 1
                && change.root.id == object.name().as_str()
                && waits.is_none_or(|waits| change.at <= waits)
        });
        let in_words_of_caller = changed.map(|change| Change {
            range: called.call.range(),
            at: called.at,
            path: std::iter::once(called.object.id.as_str())
                .chain(change.path.iter().copied().skip(1))
                .map(Into::into)
                .collect(),
            is_constant: change.is_constant,
            stale: Vec::new(),
        });
        in_words_of_caller.collect()
    }

    fn is_changed(&self, change: &Written<'_>) -> bool {
        if change.is_rebound {
            let scope = self.file.semantics.scope_of_owner(self.owner);
            return scope.is_some_and(|scope| {
                self.file
                    .semantics
                    .is_declared_outside(&change.root.id, scope)
            });
        }
        // `os.remove(path)` is a function of a module, and no method of a container.
        let is_function = || {
            change
                .receiver
                .is_some_and(|receiver| self.file.semantics.is_module(receiver))
        };
        self.is_known_elsewhere(change.root) && !is_function()
    }

    /// Whether a name may stand for something that is not this call's own.
    fn is_known_elsewhere(&self, name: &ast::ExprName) -> bool {
        let semantics = &self.file.semantics;
        let bindings = semantics.bindings(name).unwrap_or_default();
        let is_own = |definition: &Definition<'_>| {
            let value = match definition.kind(semantics.db()) {
                DefinitionKind::AnnotatedAssignment(assignment) => {
                    assignment.value(semantics.module())
                }
                DefinitionKind::Assignment(assignment) if assignment.unpack().is_none() => {
                    Some(assignment.value(semantics.module()))
                }
                _ => None,
            };
            value.is_some_and(|value| self.is_made(value))
        };
        bindings.is_empty() || !bindings.iter().all(is_own)
    }

    /// Whether a call is one of a class method that makes an instance: `return cls(…)`.
    fn is_made_by_class_method(&self, call: &ast::ExprCall) -> bool {
        let Expr::Attribute(method) = &*call.func else {
            return false;
        };
        let semantics = &self.file.semantics;
        if semantics.class_named(&method.value).is_none() {
            return false;
        }
        let function = semantics.function_in_sight(&call.func);
        let node = function
            .as_ref()
            .and_then(|function| function.node(semantics.db()));
        let Some(node) = node else {
            return false;
        };
        let is_of_class = node
            .decorator_list
            .iter()
            .any(|decorator| last_name(&decorator.expression) == Some("classmethod"));
        let first = node.parameters.iter_non_variadic_params().next();
        let returned = returned_by(&node.body);
        let is_made = |returned: Option<&Expr>| {
            matches!(returned, Some(Expr::Call(made))
                if matches!((&*made.func, first), (Expr::Name(name), Some(first))
                    if name.id == first.name().as_str()))
        };
        is_of_class && !returned.is_empty() && returned.into_iter().all(is_made)
    }

    /// Whether a value is made anew in this function.
    fn is_made(&self, value: &Expr) -> bool {
        let is_here = match self.owner {
            Owner::Function(function) => function.range().contains_range(value.range()),
            _ => false,
        };
        let semantics = &self.file.semantics;
        is_here
            && match value {
                Expr::List(_)
                | Expr::Dict(_)
                | Expr::Set(_)
                | Expr::Tuple(_)
                | Expr::ListComp(_)
                | Expr::SetComp(_)
                | Expr::DictComp(_) => true,
                Expr::Call(call) => {
                    self.is_made_by_class_method(call)
                        || semantics
                            .qualified_name(&call.func)
                            .is_some_and(|path| is_fresh(&path))
                        || semantics
                            .class_path_in_sight(value)
                            .is_some_and(|class| class.rsplit('.').next() == last_name(&call.func))
                }
                other => other.is_literal_expr(),
            }
    }
}

/// Whether a lock of the loop is held around both the code and what is before it at `before`.
fn is_locked(file: &File<'_, '_>, site: &Site<'_, '_>, before: TextSize) -> bool {
    let is_lock = |manager: &Expr| {
        matches!(file.semantics.class_of(manager), ClassOf::Known(class)
        if class.split_once('.').is_some_and(|(package, class)| {
            matches!(package, "asyncio" | "anyio" | "trio")
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
fn chain(expr: &Expr) -> Option<(&ast::ExprName, Vec<&str>)> {
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
fn read_by<'a>(expr: &'a Expr, reads: &mut Vec<Read<'a>>) {
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

fn reads_path(expr: &Expr, path: &[&str]) -> bool {
    let mut reads = Vec::new();
    read_by(expr, &mut reads);
    reads.iter().any(|read| read.path == path)
}

fn names_in(expr: &Expr) -> Vec<&ast::ExprName> {
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
fn range_of(suite: &[Stmt]) -> Option<TextRange> {
    Some(TextRange::new(suite.first()?.start(), suite.last()?.end()))
}
