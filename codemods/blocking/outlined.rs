//! What opens something that goes on blocking: the block that uses it moves into a function of its
//! own, and that runs in a thread.

use ruff_diagnostics::Edit;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, ExceptHandler, Expr, ExprContext, Stmt};
use ruff_source_file::LineRanges;
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::FxHashSet;
use ty_python_core::scope::FileScopeId;

use crate::blocking::call::Blocking;
use crate::file::File;
use crate::finding::Rewrite;
use crate::outline::last_name;
use crate::semantics::ClassOf;
use crate::site::{Owner, Site};
use crate::support::blocking::{Kind, argument, called, is_thread_safe};
use crate::support::flow::Exits;
use crate::support::names;

/// The rewrite for a call that gives something that goes on blocking, or the reason why there is
/// none.
pub fn rewrite(blocking: &Blocking<'_, '_, '_, '_>) -> Result<Rewrite, String> {
    let site = blocking.site;
    if let Some(read) = read_at_once(blocking) {
        return blocking.in_lambda(&read, "", "");
    }
    if let Some(consumer) = blocking.consumer() {
        let stranger = Block::of_expression(blocking.file, &consumer).stranger();
        return Ok(blocking.in_lambda(&consumer, "", "")?.unsafe_if(stranger));
    }
    let statement = match site.parent() {
        Some(AnyNodeRef::WithItem(_)) => site.outer().and_then(|item| item.outer()),
        Some(AnyNodeRef::StmtFor(inner))
            if inner.iter.range() == site.node.range() && !inner.is_async =>
        {
            site.outer()
        }
        _ => None,
    };
    let Some(statement) = statement else {
        return Err(
            "what it gives goes on blocking: put all that it is used for into one function, and \
             call that with `asyncio.to_thread`"
                .to_owned(),
        );
    };
    let Owner::Function(function) = blocking.owner() else {
        return Err("only in a function the block can become one of its own".to_owned());
    };
    Outlined {
        blocking,
        site: statement,
        function,
        scope: blocking.scope()?,
    }
    .rewrite()
}

/// `open(p).read()`: the call of the method.
fn read_at_once<'s, 'a>(blocking: &Blocking<'_, 's, 'a, '_>) -> Option<Site<'s, 'a>> {
    let attribute = blocking.site.outer()?;
    let AnyNodeRef::ExprAttribute(method) = attribute.node else {
        return None;
    };
    if !blocking
        .called
        .row
        .reads
        .iter()
        .any(|read| *read == method.attr.as_str())
    {
        return None;
    }
    let call = attribute.outer()?;
    matches!(call.node, AnyNodeRef::ExprCall(call) if call.func.range() == method.range())
        .then_some(call)
}

/// A statement that becomes a function.
struct Outlined<'b, 'f, 's, 'a, 'db> {
    blocking: &'b Blocking<'f, 's, 'a, 'db>,
    site: Site<'s, 'a>,
    function: &'a ast::StmtFunctionDef,
    scope: FileScopeId,
}

impl<'a> Outlined<'_, '_, '_, 'a, '_> {
    fn rewrite(&self) -> Result<Rewrite, String> {
        let file = self.blocking.file;
        let place = self.site.place().ok_or("the block is not known")?;
        let range = place.statement.range();
        let block = Block::of_statement(file, place.statement);
        if let Some(reason) = block.obstacle {
            return Err(reason.to_owned());
        }
        let returns = self.returned(place.statement)?;
        let names = self.names(&block, range)?;

        let lines = file.lines();
        let moved = lines
            .block(place.suite, place.parent, place.index..place.index + 1)
            .ok_or("the block is empty")?;
        let runner = self.blocking.runner(false)?;
        let name = names::fresh(file, Owner::Function(self.function), &[self.wish()]);
        let unit = file.indent_unit();
        let mut trailer = Vec::new();
        let list = names.returned.join(", ");
        if !names.returned.is_empty() {
            trailer.push(format!("{unit}return {list}"));
        }
        trailer.push(String::new());
        let awaited = format!("await {}{name})", runner.head());
        trailer.push(if returns {
            format!("return {awaited}")
        } else if list.is_empty() {
            awaited
        } else {
            format!("{list} = {awaited}")
        });
        let mut header = format!("def {name}():");
        if !names.outside.is_empty() {
            let newline = file.newline();
            header = format!(
                "{header}{newline}{}{unit}nonlocal {}",
                moved.indent(),
                names.outside.join(", ")
            );
        }
        let mut edits: Vec<Edit> = Vec::new();
        if place.index > 0 && !self.is_blank_above(moved.range()) {
            edits.push(Edit::insertion(
                file.newline().to_owned(),
                moved.range().start(),
            ));
        }
        edits.extend(moved.wrap(&header, &trailer)?);
        let mut rewrite = runner.rewrite(edits);
        "Move the block into a function, and run that in a thread".clone_into(&mut rewrite.title);
        rewrite.moves = Some(moved.range());
        rewrite.alone_in = Some(self.function.start());
        Ok(rewrite
            .unsafe_if(self.foreign_manager(place.statement))
            .unsafe_if(block.stranger())
            .unsafe_if(names.unsafe_because))
    }

    /// What the new function would be called.
    fn wish(&self) -> &'static str {
        let call = self.blocking.call;
        let is_file = self.blocking.called.row.code == "AF204";
        let mode = argument(call, "mode").or_else(|| {
            let position = if self.blocking.called.name.starts_with("pathlib.") {
                "0"
            } else {
                "1"
            };
            argument(call, position)
        });
        match (is_file, mode.map_or(Some(false), writes)) {
            (true, Some(true)) => "write_file",
            (true, Some(false)) => "read_file",
            // Which one it is depends.
            (true, None) => "use_file",
            (false, _) => "in_thread",
        }
    }

    fn is_blank_above(&self, range: TextRange) -> bool {
        let source = self.blocking.file.source;
        let Some(before) = range.start().checked_sub(1.into()) else {
            return true;
        };
        let line = &source[source.line_range(before)];
        line.trim().is_empty()
    }

    /// Whether the block ends in `return`, and that is its only way out of the function.
    fn returned(&self, statement: &'a Stmt) -> Result<bool, String> {
        let exits = Exits::of(self.blocking.file, std::slice::from_ref(statement));
        match exits.jumps.as_slice() {
            [] => Ok(false),
            [jump] if !exits.falls && jump.statement.is_return_stmt() && ends_with(statement, jump.statement) => {
                Ok(true)
            }
            _ => Err(
                "the block leaves by `return`, `break` or `continue`: put it into a function of its \
                 own, and call that with `asyncio.to_thread`"
                    .to_owned(),
            ),
        }
    }

    /// A context manager of the same statement that the table does not know.
    fn foreign_manager(&self, statement: &Stmt) -> Option<String> {
        let file = self.blocking.file;
        let Stmt::With(with) = statement else {
            return None;
        };
        with.items.iter().find_map(|item| {
            let known = match &item.context_expr {
                Expr::Call(call) => called(file, &self.site, call, &self.blocking.called.row.code)
                    .is_some_and(|called| called.row.kind == Kind::Outline || called.row.lazy),
                _ => false,
            };
            (!known).then(|| {
                format!(
                    "`{}` would be entered in another thread",
                    file.text(&item.context_expr)
                )
            })
        })
    }

    /// What becomes of the names that the block binds.
    fn names(&self, block: &Block<'a, '_, '_>, range: TextRange) -> Result<Names, String> {
        let file = self.blocking.file;
        let semantics = &file.semantics;
        let mut names = Names::default();
        let mut around = Around {
            inside: range,
            loads: Vec::new(),
            rebound: FxHashSet::default(),
        };
        around.visit_body(&self.function.body);
        let is_caught = self.is_caught();
        let is_in_loop = self
            .site
            .enclosing_in_function()
            .any(|(node, _)| matches!(node, AnyNodeRef::StmtFor(_) | AnyNodeRef::StmtWhile(_)));
        for name in block.bound_names() {
            if semantics.is_declared_outside(name, self.scope) {
                return Err(format!("it binds `{name}`, which is not a local variable"));
            }
            if block.deleted.contains(name) {
                return Err(format!("it deletes `{name}`"));
            }
            let is_own_scope = |load: &ast::ExprName| {
                semantics.scope_of(ast::ExprRef::from(load)) == Some(self.scope)
            };
            let from_inside = |load: &ast::ExprName| {
                semantics.bindings(load).is_none_or(|definitions| {
                    definitions.iter().any(|definition| {
                        semantics
                            .definition_range(*definition)
                            .is_some_and(|at| range.contains_range(at))
                    })
                })
            };
            let is_used = around.rebound.contains(name)
                || around
                    .loads
                    .iter()
                    .any(|load| load.id == name && from_inside(load));
            let is_bound = |elsewhere: &dyn Fn(TextRange) -> bool| {
                semantics
                    .lookup(name, self.scope)
                    .is_none_or(|definitions| {
                        definitions.iter().any(|definition| {
                            semantics
                                .definition_range(*definition)
                                .is_none_or(elsewhere)
                        })
                    })
            };
            let is_bound_outside = is_bound(&|at| !range.contains_range(at));
            let is_bound_before = is_bound(&|at| {
                !range.contains_range(at) && (is_in_loop || at.start() < range.start())
            });
            // What an earlier turn of a loop has left.
            let may_be_unbound = block.loads.iter().any(|load| {
                load.id == name && is_own_scope(load) && semantics.may_be_unbound(load)
            });
            let definite = block.definite.contains(name);
            // What the block finds bound when it starts.
            let comes_in = is_bound_outside
                && (may_be_unbound
                    || block.augmented.contains(name)
                    || block.loads.iter().any(|load| {
                        load.id == name
                            && semantics.bindings(load).is_none_or(|definitions| {
                                definitions.iter().any(|definition| {
                                    semantics
                                        .definition_range(*definition)
                                        .is_none_or(|at| !range.contains_range(at))
                                })
                            })
                    }));
            if !is_bound_outside
                && (may_be_unbound
                    || block.augmented.contains(name)
                        && (!definite || block.augmented_first.contains(name)))
            {
                return Err(format!("it may use `{name}` before it binds it"));
            }
            if !is_used && !comes_in {
                continue;
            }
            let is_last = block.last.contains(name);
            let needs_place = comes_in || !definite || is_caught && !is_last;
            if is_bound_before || is_bound_outside && needs_place {
                names
                    .unsafe_because
                    .get_or_insert_with(|| format!("it binds `{name}` anew"));
                if needs_place {
                    names.outside.push(name.to_owned());
                } else {
                    names.returned.push(name.to_owned());
                }
                continue;
            }
            if !definite {
                return Err(format!(
                    "it does not bind `{name}` on every way through the block"
                ));
            }
            if needs_place {
                names.unsafe_because.get_or_insert_with(|| {
                    format!("`{name}` would be unbound after an error further down in the block")
                });
            }
            names.returned.push(name.to_owned());
        }
        Ok(names)
    }

    /// Whether an exception of the block may be caught in the same function.
    fn is_caught(&self) -> bool {
        self.site
            .enclosing_in_function()
            .any(|(node, child)| match node {
                AnyNodeRef::StmtTry(statement) => statement
                    .body
                    .iter()
                    .any(|inner| inner.range().contains_range(child.range())),
                AnyNodeRef::StmtWith(statement) => statement.items.iter().any(|item| {
                    matches!(&item.context_expr, Expr::Call(call)
                    if self.blocking.file.semantics.means(&call.func, &["contextlib.suppress"]))
                }),
                _ => false,
            })
    }
}

/// Whether a file that is opened in this mode is written, where that can be told.
fn writes(mode: &Expr) -> Option<bool> {
    match mode {
        Expr::StringLiteral(text) => {
            let mode = text.value.to_str();
            let is_new = mode.contains(['w', 'a', 'x']);
            // `r+` is for both.
            (is_new || !mode.contains('+')).then_some(is_new)
        }
        Expr::If(either) => {
            let [one, other] = [writes(&either.body)?, writes(&either.orelse)?];
            (one == other).then_some(one)
        }
        _ => None,
    }
}

/// What becomes of the names that a block binds.
#[derive(Default)]
struct Names {
    /// They are given back.
    returned: Vec<String>,
    /// They stay variables of the function around.
    outside: Vec<String>,
    /// Why that is unsafe.
    unsafe_because: Option<String>,
}

/// Whether the last statement of a block, at its end and not under a condition, is `last`.
fn ends_with(statement: &Stmt, last: &Stmt) -> bool {
    match statement {
        Stmt::With(inner) if !inner.is_async => inner
            .body
            .last()
            .is_some_and(|inner| ends_with(inner, last)),
        other => other.range() == last.range(),
    }
}

/// The uses of names in a function, outside of one block.
struct Around<'a> {
    inside: TextRange,
    loads: Vec<&'a ast::ExprName>,
    /// Names that are changed, or deleted, or bound by an inner function.
    rebound: FxHashSet<&'a str>,
}

impl<'a> SourceOrderVisitor<'a> for Around<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if self.inside == node.range() && node.is_statement() {
            return TraversalSignal::Skip;
        }
        match node {
            AnyNodeRef::ExprName(name) => match name.ctx {
                ExprContext::Load => self.loads.push(name),
                ExprContext::Del => {
                    self.rebound.insert(&name.id);
                }
                _ => {}
            },
            AnyNodeRef::StmtAugAssign(statement) => {
                if let Expr::Name(name) = &*statement.target {
                    self.rebound.insert(&name.id);
                }
            }
            AnyNodeRef::StmtNonlocal(statement) => {
                self.rebound
                    .extend(statement.names.iter().map(ast::Identifier::as_str));
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }
}

/// What stands in a piece of code.
struct Block<'a, 'f, 'db> {
    file: &'f File<'a, 'db>,
    /// Names that it binds, in order.
    bound: Vec<&'a str>,
    /// Of these, those bound on every way through it.
    definite: FxHashSet<&'a str>,
    /// Of these, those bound by its last statement.
    last: FxHashSet<&'a str>,
    /// Names of what is made in it, so that nobody else has it.
    own: FxHashSet<&'a str>,
    deleted: FxHashSet<&'a str>,
    augmented: FxHashSet<&'a str>,
    /// Of these, those that nothing in it binds before.
    augmented_first: FxHashSet<&'a str>,
    loads: Vec<&'a ast::ExprName>,
    calls: Vec<&'a ast::ExprCall>,
    /// An attribute or item of something that it changes.
    changed: Option<TextRange>,
    /// Why it cannot be moved into a function.
    obstacle: Option<&'static str>,
    /// How many functions deep the visitor is.
    depth: usize,
}

impl<'a, 'f, 'db> Block<'a, 'f, 'db> {
    fn empty(file: &'f File<'a, 'db>) -> Self {
        Self {
            file,
            bound: Vec::new(),
            definite: FxHashSet::default(),
            last: FxHashSet::default(),
            own: FxHashSet::default(),
            deleted: FxHashSet::default(),
            augmented: FxHashSet::default(),
            augmented_first: FxHashSet::default(),
            loads: Vec::new(),
            calls: Vec::new(),
            changed: None,
            obstacle: None,
            depth: 0,
        }
    }

    fn of_statement(file: &'f File<'a, 'db>, statement: &'a Stmt) -> Self {
        let mut block = Self::empty(file);
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

    fn of_expression(file: &'f File<'a, 'db>, site: &Site<'_, 'a>) -> Self {
        let mut block = Self::empty(file);
        if let AnyNodeRef::ExprCall(call) = site.node {
            block.visit_expr(&call.func);
            block.visit_arguments(&call.arguments);
        }
        block
    }

    /// The names it binds, each once.
    fn bound_names(&self) -> Vec<&'a str> {
        let mut seen = FxHashSet::default();
        self.bound
            .iter()
            .copied()
            .filter(|name| seen.insert(*name))
            .collect()
    }

    /// What it does that another thread may not do as well, as far as is seen.
    fn stranger(&self) -> Option<String> {
        if let Some(changed) = self.changed {
            return Some(format!(
                "`{}` would be changed by another thread",
                self.file.text(changed)
            ));
        }
        self.calls
            .iter()
            .find(|call| !self.is_harmless(call))
            .map(|call| {
                format!(
                    "`{}` would run in another thread",
                    self.file.text(&*call.func)
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

fn bound_by_alias(alias: &ast::Alias) -> &str {
    match &alias.asname {
        Some(name) => name,
        None => alias.name.split('.').next().unwrap_or_default(),
    }
}

const AWAITS: &str = "the block awaits while it is open: read or write in a function of its own, and \
                      call that with `asyncio.to_thread`";

impl<'a> SourceOrderVisitor<'a> for Block<'a, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        let in_function = self.depth > 0;
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
                obstacle("the block yields while it is open");
            }
            AnyNodeRef::StmtGlobal(_) | AnyNodeRef::StmtNonlocal(_) => {
                obstacle("a name in the block is declared `global` or `nonlocal`");
            }
            _ => {}
        }
        match node {
            AnyNodeRef::StmtFunctionDef(function) => {
                if !in_function {
                    self.bound.push(&function.name);
                }
                self.depth += 1;
            }
            AnyNodeRef::StmtClassDef(class) => {
                if !in_function {
                    self.bound.push(&class.name);
                }
                self.depth += 1;
            }
            AnyNodeRef::ExprLambda(_) => self.depth += 1,
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
                }
            }
            AnyNodeRef::StmtAugAssign(statement) if !in_function => {
                if let Expr::Name(name) = &*statement.target {
                    self.augmented.insert(&name.id);
                    if !self.bound.contains(&name.id.as_str()) {
                        self.augmented_first.insert(&name.id);
                    }
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
                        self.obstacle
                            .get_or_insert("`super()` needs the method around it");
                    }
                    Some("locals" | "vars" | "eval" | "exec" | "dir")
                        if call.func.is_name_expr() =>
                    {
                        self.obstacle
                            .get_or_insert("it asks for the variables of the function around it");
                    }
                    _ => {}
                }
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }

    fn leave_node(&mut self, node: AnyNodeRef<'a>) {
        if matches!(
            node,
            AnyNodeRef::StmtFunctionDef(_)
                | AnyNodeRef::StmtClassDef(_)
                | AnyNodeRef::ExprLambda(_)
        ) {
            self.depth = self.depth.saturating_sub(1);
        }
    }

    fn visit_comprehension(&mut self, comprehension: &'a ast::Comprehension) {
        if comprehension.is_async && self.depth == 0 {
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
