//! What stands in a piece of code that is to run in a thread: the names it binds and uses, what it calls and
//! changes, and what keeps it from becoming a function.

use asyncfix_analysis::infer::types::ClassOf;
use asyncfix_knowledge::blocking::is_thread_safe;
use asyncfix_syntax::depth::Depth;
use asyncfix_syntax::lines::one_line;
use asyncfix_syntax::queries::last_name;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, ExceptHandler, Expr, ExprContext, Stmt};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::FxHashSet;

use crate::file::File;

/// What stands in a piece of code.
pub(super) struct Block<'a, 'f, 'db> {
    file: &'f File<'a, 'db>,
    /// Names that it binds, in order.
    pub(super) bound: Vec<&'a str>,
    /// Of these, those bound on every way through it.
    pub(super) definite: FxHashSet<&'a str>,
    /// Of these, those bound by its last statement.
    pub(super) last: FxHashSet<&'a str>,
    /// Names of what is made in it, so that nobody else has it.
    own: FxHashSet<&'a str>,
    /// Names of what it enters, which it also closes.
    entered: Vec<&'a str>,
    pub(super) deleted: FxHashSet<&'a str>,
    /// Where it changes a name's value into another one, which it reads for that.
    pub(super) augmented: Vec<&'a ast::ExprName>,
    pub(super) loads: Vec<&'a ast::ExprName>,
    calls: Vec<&'a ast::ExprCall>,
    /// An attribute or item of something that it changes.
    changed: Option<TextRange>,
    /// Why it cannot be moved into a function.
    pub(super) obstacle: Option<&'static str>,
    /// What is left out.
    without: Option<TextRange>,
    depth: Depth,
}

impl<'a, 'f, 'db> Block<'a, 'f, 'db> {
    fn empty(file: &'f File<'a, 'db>) -> Self {
        Self {
            file,
            bound: Vec::new(),
            definite: FxHashSet::default(),
            last: FxHashSet::default(),
            own: FxHashSet::default(),
            entered: Vec::new(),
            deleted: FxHashSet::default(),
            augmented: Vec::new(),
            loads: Vec::new(),
            calls: Vec::new(),
            changed: None,
            obstacle: None,
            without: None,
            depth: Depth::default(),
        }
    }

    /// Of a statement, `without` the expression at this place.
    pub(super) fn of_statement(
        file: &'f File<'a, 'db>,
        statement: &'a Stmt,
        without: Option<TextRange>,
    ) -> Self {
        let mut block = Self::empty(file);
        block.without = without;
        block.visit_stmt(statement);
        bound_for_certain(statement, &mut block.definite);
        let mut last = statement;
        while let Stmt::With(inner) = last
            && let Some(inner) = inner.body.last()
        {
            last = inner;
        }
        bound_for_certain(last, &mut block.last);
        block
    }

    pub(super) fn of_call(file: &'f File<'a, 'db>, call: &'a ast::ExprCall) -> Self {
        let mut block = Self::empty(file);
        block.visit_expr(&call.func);
        block.visit_arguments(&call.arguments);
        block
    }

    /// The names it binds, each once.
    pub(super) fn bound_names(&self) -> Vec<&'a str> {
        let mut seen = FxHashSet::default();
        self.bound
            .iter()
            .copied()
            .filter(|name| seen.insert(*name))
            .collect()
    }

    /// Whether a name stands for what the block has entered and closed, and for nothing else.
    pub(super) fn closes(&self, name: &str) -> bool {
        let times = |names: &[&str]| names.iter().filter(|other| **other == name).count();
        let entered = times(&self.entered);
        entered > 0 && entered == times(&self.bound)
    }

    /// What it does that another thread may not do as well, as far as is seen.
    pub(super) fn stranger(&self) -> Option<String> {
        if let Some(changed) = self.changed {
            return Some(format!(
                "`{}` would be modified in another thread",
                one_line(self.file.text(changed))
            ));
        }
        self.calls
            .iter()
            .find(|call| !self.is_harmless(call))
            .map(|call| {
                format!(
                    "`{}` would run in another thread",
                    one_line(self.file.text(&*call.func))
                )
            })
    }

    fn is_harmless(&self, call: &ast::ExprCall) -> bool {
        let semantics = &self.file.semantics;
        if let Some(path) = semantics.qualified_name(&call.func)
            && (is_thread_safe(&path) || self.file.settings.blocking.function(&path).is_some())
        {
            return true;
        }
        let Expr::Attribute(callee) = &*call.func else {
            return false;
        };
        let receiver = &*callee.value;
        match root(receiver) {
            Some(name) if self.own.contains(name.id.as_str()) => true,
            Some(_) => match semantics.class_of(receiver) {
                ClassOf::Known(class) => {
                    is_thread_safe(&class)
                        && (receiver.is_name_expr() || !class.starts_with("builtins."))
                        || matches!(
                            class.as_str(),
                            "builtins.str" | "builtins.bytes" | "builtins.int"
                        )
                }
                ClassOf::Other | ClassOf::Unknown => receiver.is_literal_expr(),
            },
            None => true,
        }
    }
}

/// The name that a chain of attributes and items starts from. `None` for what is made by a call.
fn root(expr: &Expr) -> Option<&ast::ExprName> {
    match expr {
        Expr::Name(name) => Some(name),
        Expr::Attribute(attribute) => root(&attribute.value),
        Expr::Subscript(subscript) => root(&subscript.value),
        _ => None,
    }
}

/// Whether control does not get behind a suite.
fn never_ends(suite: &[Stmt]) -> bool {
    matches!(suite.last(), Some(Stmt::Raise(_) | Stmt::Return(_)))
}

/// Adds the names that a statement has bound whenever it ends without an exception.
fn bound_for_certain<'a>(statement: &'a Stmt, names: &mut FxHashSet<&'a str>) {
    let mut bind = |target: &'a Expr| bind_target(target, names);
    match statement {
        Stmt::Assign(inner) => inner.targets.iter().for_each(bind),
        Stmt::AnnAssign(inner) if inner.value.is_some() => bind(&inner.target),
        Stmt::With(inner) => {
            for item in &inner.items {
                if let Some(target) = &item.optional_vars {
                    bind_target(target, names);
                }
            }
            for inner in &inner.body {
                bound_for_certain(inner, names);
            }
        }
        Stmt::If(inner) => {
            let mut ways: Vec<FxHashSet<&str>> = Vec::new();
            let mut is_exhaustive = false;
            let clauses = inner.elif_else_clauses.iter();
            is_exhaustive |= clauses.clone().any(|clause| clause.test.is_none());
            for suite in std::iter::once(&inner.body).chain(clauses.map(|clause| &clause.body)) {
                if never_ends(suite) {
                    continue;
                }
                let mut way = FxHashSet::default();
                for statement in suite {
                    bound_for_certain(statement, &mut way);
                }
                ways.push(way);
            }
            if is_exhaustive && let Some((first, others)) = ways.split_first() {
                names.extend(
                    first
                        .iter()
                        .filter(|name| others.iter().all(|way| way.contains(*name))),
                );
            }
        }
        Stmt::Try(inner) => {
            // Every handler binds what the body and the `else` bind.
            let way = |suites: [&'a [Stmt]; 2]| {
                let mut way: FxHashSet<&'a str> = FxHashSet::default();
                for statement in suites.into_iter().flatten() {
                    bound_for_certain(statement, &mut way);
                }
                way
            };
            let body = way([&inner.body, &inner.orelse]);
            let handlers: Vec<FxHashSet<&str>> = inner
                .handlers
                .iter()
                .filter(|ExceptHandler::ExceptHandler(handler)| !never_ends(&handler.body))
                .map(|ExceptHandler::ExceptHandler(handler)| way([&handler.body, &[]]))
                .collect();
            names.extend(
                body.iter()
                    .filter(|name| handlers.iter().all(|way| way.contains(*name))),
            );
            names.extend(way([&inner.finalbody, &[]]));
        }
        Stmt::FunctionDef(inner) => {
            names.insert(&inner.name);
        }
        Stmt::ClassDef(inner) => {
            names.insert(&inner.name);
        }
        Stmt::Import(inner) => {
            names.extend(inner.names.iter().map(bound_by_alias));
        }
        Stmt::ImportFrom(inner) => {
            names.extend(inner.names.iter().map(bound_by_alias));
        }
        _ => {}
    }
}

fn bind_target<'a>(target: &'a Expr, names: &mut FxHashSet<&'a str>) {
    match target {
        Expr::Name(name) => {
            names.insert(&name.id);
        }
        Expr::Tuple(tuple) => tuple.elts.iter().for_each(|part| bind_target(part, names)),
        Expr::List(list) => list.elts.iter().for_each(|part| bind_target(part, names)),
        Expr::Starred(starred) => bind_target(&starred.value, names),
        _ => {}
    }
}

pub(super) fn bound_by_alias(alias: &ast::Alias) -> &str {
    match &alias.asname {
        Some(name) => name,
        None => alias.name.split('.').next().unwrap_or_default(),
    }
}

pub(super) const AWAITS: &str = "the `with` block contains `await`; move the file access into a sync function and \
                      run that in `asyncio.to_thread`";

impl<'a> SourceOrderVisitor<'a> for Block<'a, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if node.is_expr_await() && self.without == Some(node.range()) {
            return TraversalSignal::Skip;
        }
        let in_function = self.depth.is_inside();
        let mut obstacle = |reason| {
            self.obstacle.get_or_insert(reason);
        };
        match node {
            AnyNodeRef::ExprAwait(_) if !in_function => {
                obstacle(AWAITS);
            }
            AnyNodeRef::StmtFor(statement) if statement.is_async && !in_function => {
                obstacle(AWAITS);
            }
            AnyNodeRef::StmtWith(statement) if statement.is_async && !in_function => {
                obstacle(AWAITS);
            }
            AnyNodeRef::ExprYield(_) | AnyNodeRef::ExprYieldFrom(_) if !in_function => {
                obstacle("the `with` block contains `yield`");
            }
            AnyNodeRef::StmtGlobal(_) | AnyNodeRef::StmtNonlocal(_) => {
                obstacle("the block assigns a `global` or `nonlocal` name");
            }
            _ => {}
        }
        match node {
            AnyNodeRef::StmtFunctionDef(function) if !in_function => {
                self.bound.push(&function.name);
            }
            AnyNodeRef::StmtClassDef(class) if !in_function => self.bound.push(&class.name),
            AnyNodeRef::ExprName(name) => match name.ctx {
                ExprContext::Load => self.loads.push(name),
                ExprContext::Del if !in_function => {
                    self.deleted.insert(&name.id);
                    self.bound.push(&name.id);
                }
                ExprContext::Store if !in_function => self.bound.push(&name.id),
                _ => {}
            },
            AnyNodeRef::Alias(alias) if !in_function => self.bound.push(bound_by_alias(alias)),
            AnyNodeRef::ExceptHandlerExceptHandler(handler) if !in_function => {
                self.bound
                    .extend(handler.name.iter().map(ast::Identifier::as_str));
            }
            AnyNodeRef::PatternMatchAs(pattern) if !in_function => {
                self.bound
                    .extend(pattern.name.iter().map(ast::Identifier::as_str));
            }
            AnyNodeRef::PatternMatchStar(pattern) if !in_function => {
                self.bound
                    .extend(pattern.name.iter().map(ast::Identifier::as_str));
            }
            AnyNodeRef::PatternMatchMapping(pattern) if !in_function => {
                self.bound
                    .extend(pattern.rest.iter().map(ast::Identifier::as_str));
            }
            AnyNodeRef::StmtAssign(statement) if self.is_made(&statement.value) => {
                for target in &statement.targets {
                    bind_target(target, &mut self.own);
                }
            }
            AnyNodeRef::StmtFor(statement) if self.is_made(&statement.iter) => {
                bind_target(&statement.target, &mut self.own);
            }
            AnyNodeRef::ExprNamed(named) if self.is_made(&named.value) => {
                bind_target(&named.target, &mut self.own);
            }
            AnyNodeRef::WithItem(item) => {
                if let Some(target) = &item.optional_vars {
                    bind_target(target, &mut self.own);
                    if let Expr::Name(name) = &**target {
                        self.entered.push(&name.id);
                    }
                }
            }
            AnyNodeRef::StmtAugAssign(statement) if !in_function => {
                if let Expr::Name(name) = &*statement.target {
                    self.augmented.push(name);
                }
            }
            AnyNodeRef::ExprAttribute(attribute)
                if attribute.ctx != ExprContext::Load && !self.is_own(&attribute.value) =>
            {
                self.changed.get_or_insert(attribute.range());
            }
            AnyNodeRef::ExprSubscript(subscript)
                if subscript.ctx != ExprContext::Load && !self.is_own(&subscript.value) =>
            {
                self.changed.get_or_insert(subscript.range());
            }
            AnyNodeRef::ExprCall(call) => {
                self.calls.push(call);
                match last_name(&call.func) {
                    Some("super") if call.arguments.is_empty() => {
                        self.obstacle.get_or_insert(
                            "`super()` without arguments works only inside the method",
                        );
                    }
                    Some("locals" | "vars" | "eval" | "exec" | "dir")
                        if call.func.is_name_expr() =>
                    {
                        self.obstacle
                            .get_or_insert("the block calls `locals()`, `vars()` or similar");
                    }
                    _ => {}
                }
            }
            _ => {}
        }
        self.depth.enter(node);
        TraversalSignal::Traverse
    }

    fn leave_node(&mut self, node: AnyNodeRef<'a>) {
        self.depth.leave(node);
    }

    fn visit_comprehension(&mut self, comprehension: &'a ast::Comprehension) {
        if comprehension.is_async && !self.depth.is_inside() {
            self.obstacle.get_or_insert(AWAITS);
        }
        if self.is_made(&comprehension.iter) {
            bind_target(&comprehension.target, &mut self.own);
        }
        // Its targets are variables of its own.
        let bound = self.bound.len();
        self.visit_expr(&comprehension.target);
        self.bound.truncate(bound);
        self.visit_expr(&comprehension.iter);
        for condition in &comprehension.ifs {
            self.visit_expr(condition);
        }
    }
}

impl Block<'_, '_, '_> {
    /// Whether a changed object was made in the block.
    fn is_own(&self, expr: &Expr) -> bool {
        root(expr).is_some_and(|name| self.own.contains(name.id.as_str()))
    }

    /// Whether a value is made where it stands, or is a part of one that was made in the block.
    fn is_made(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Name(_) | Expr::Attribute(_) | Expr::Subscript(_) => {
                root(expr).is_none() || self.is_own(expr)
            }
            Expr::Named(named) => self.is_made(&named.value),
            Expr::If(choice) => self.is_made(&choice.body) && self.is_made(&choice.orelse),
            Expr::BoolOp(operation) => operation.values.iter().all(|value| self.is_made(value)),
            // A call that takes what is not made here may hand it back.
            Expr::Call(call) => match &*call.func {
                Expr::Name(_) => call
                    .arguments
                    .args
                    .iter()
                    .all(|argument| argument.is_literal_expr() || self.is_made(argument)),
                _ => true,
            },
            _ => true,
        }
    }
}
