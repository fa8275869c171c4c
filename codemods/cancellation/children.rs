//! Whose cancellation may come to a place: that of the task that waits there, or of what it waits for.
//!
//! Whether a call cancels is judged by its name, because being wrong only means to hold back.

use asyncfix_analysis::answers::coroutines::elements_put_into;
use asyncfix_analysis::infer::types::Awaitability;
use asyncfix_syntax::queries::{last_name, own_code};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal, walk_expr};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ruff_text_size::{Ranged, TextSize};
use rustc_hash::FxHashSet;

use crate::file::File;

/// Whether a suite may wait for a task or future that exists already, whose own cancellation looks the same as
/// one of the task that waits. `code` is what the suite is part of.
pub fn waits_for_child(file: &File<'_, '_>, code: &[Stmt], suite: &[Stmt]) -> bool {
    let mut children = Children {
        file,
        code,
        found: false,
    };
    children.visit_body(suite);
    children.found
}

struct Children<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    code: &'f [Stmt],
    found: bool,
}

impl Children<'_, '_, '_> {
    /// Whether a call is one of a function that waits for a task of its own making, by its name, as in
    /// `self.run_task(self.work())`: others may know that task.
    fn waits_for_task(name: &str, call: &ast::ExprCall) -> bool {
        name.contains("task")
            && name != "create_task"
            && call.arguments.args.first().is_some_and(Expr::is_call_expr)
    }

    fn is_coroutine(&self, expr: &Expr) -> bool {
        self.file.semantics.awaitability(expr.into()) == Awaitability::Coroutine
    }

    /// Whether all that a name is given in its scope is a list of coroutines, which run for the one that awaits
    /// them.
    fn holds_coroutines(&self, name: &ast::ExprName) -> bool {
        let values = self.file.semantics.values_in_scope(name);
        !values.is_empty()
            && values.into_iter().all(|value| match value {
                Expr::ListComp(list) => self.is_coroutine(&list.elt),
                Expr::List(list) if list.elts.is_empty() => self.is_filled_with_coroutines(name),
                Expr::List(list) => list.elts.iter().all(|elt| self.is_coroutine(elt)),
                _ => false,
            })
    }

    /// Whether something is put into a list, and nothing but coroutines.
    fn is_filled_with_coroutines(&self, name: &ast::ExprName) -> bool {
        elements_put_into(&name.id, self.code).is_some_and(|elements| {
            !elements.is_empty() && elements.iter().all(|element| self.is_coroutine(element))
        })
    }

    /// Whether a name has been given a coroutine that waits for a child: `waiter = wait_for(task, 1)`.
    fn is_made_of_child(&self, name: &ast::ExprName) -> bool {
        let values = self.file.semantics.values_in_scope(name);
        values.into_iter().any(|value| match value {
            Expr::Call(call) => {
                matches!(
                    last_name(&call.func),
                    Some("gather" | "shield" | "wait" | "wait_for")
                ) && call.arguments.args.first().is_some_and(|first| {
                    matches!(
                        first,
                        Expr::Name(_) | Expr::Attribute(_) | Expr::Subscript(_)
                    ) && !self.is_coroutine(first)
                })
            }
            _ => false,
        })
    }

    fn is_child(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Name(name) => !self.is_coroutine(expr) || self.is_made_of_child(name),
            Expr::Attribute(_) | Expr::Subscript(_) => !self.is_coroutine(expr),
            Expr::Starred(starred) => match &*starred.value {
                Expr::Name(name) => !self.holds_coroutines(name),
                other => self.is_child(other),
            },
            Expr::List(list) => list.elts.iter().any(|elt| self.is_child(elt)),
            Expr::Set(set) => set.elts.iter().any(|elt| self.is_child(elt)),
            Expr::Tuple(tuple) => tuple.elts.iter().any(|elt| self.is_child(elt)),
            // Also wrappers of a library's own: being wrong only means to hold back.
            Expr::Call(call) => {
                let name = match &*call.func {
                    Expr::Name(name) => name.id.as_str(),
                    Expr::Attribute(attribute) => attribute.attr.as_str(),
                    _ => "",
                };
                matches!(
                    name,
                    "gather" | "shield" | "wait" | "wait_for" | "wrap_future"
                ) && call
                    .arguments
                    .args
                    .first()
                    .is_some_and(|first| self.is_child(first))
                    || Self::waits_for_task(name, call)
            }
            // `gather(*[worker.wait() for worker in workers])`
            Expr::ListComp(comprehension) => matches!(&*comprehension.elt, Expr::Call(call)
                if matches!(last_name(&call.func), Some("join" | "wait"))),
            _ => false,
        }
    }
}

impl<'a> SourceOrderVisitor<'a> for Children<'_, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        self.found |= match node {
            AnyNodeRef::ExprAwait(awaited) => self.is_child(&awaited.value),
            AnyNodeRef::ExprCall(call) => matches!(&*call.func, Expr::Attribute(method)
                if matches!(method.attr.as_str(), "result" | "exception")
                    && call.arguments.is_empty()),
            _ => false,
        };
        own_code(node)
    }
}

/// Whether `code` cancels before `before` what `suite` awaits, or what that belongs to.
pub fn cancels_what_it_awaits(code: &[Stmt], suite: &[Stmt], before: TextSize) -> bool {
    let mut cancels = Cancels {
        before,
        calls: Vec::new(),
        loops: Vec::new(),
    };
    cancels.visit_body(code);
    if cancels.calls.is_empty() {
        return false;
    }
    let mut awaited = Awaited {
        names: FxHashSet::default(),
        of_self: false,
    };
    awaited.visit_body(suite);
    cancels.calls.iter().any(|call| {
        let mut roots = roots_of_arguments(call);
        if let Expr::Attribute(method) = &*call.func {
            roots.extend(root(&method.value));
        }
        // `for task in tasks: task.cancel()`
        for (target, iterable) in &cancels.loops {
            if roots.contains(target) {
                let mut taken = Roots(Vec::new());
                taken.visit_expr(iterable);
                roots.extend(taken.0);
            }
        }
        // `self.runner.cancel()`, and a method of the same object may wait for that.
        let is_of_self =
            matches!(&*call.func, Expr::Attribute(method) if is_of_self(&method.value));
        // A helper that is given nothing cancels what it knows of.
        roots.is_empty()
            || is_of_self && awaited.of_self
            || roots.iter().any(|name| awaited.names.contains(name))
    })
}

/// Whether a suite enters a group of tasks that it keeps in an attribute, and something in the file cancels that:
/// `self.group.cancel_remaining()`. Who waits in the group is then told that it ends, and not that the task does.
pub fn waits_for_cancelled_group(file: &File<'_, '_>, suite: &[Stmt]) -> bool {
    let mut kept = KeptGroups::default();
    kept.visit_body(suite);
    if kept.attributes.is_empty() {
        return false;
    }
    let mut cancels = Cancels {
        before: TextSize::of(file.source),
        calls: Vec::new(),
        loops: Vec::new(),
    };
    cancels.visit_body(file.body());
    cancels.calls.iter().any(|call| {
        matches!(&*call.func, Expr::Attribute(method)
            if matches!(&*method.value, Expr::Attribute(group)
                if kept.attributes.contains(&group.attr.as_str())))
    })
}

/// Collects the attributes that what is entered is kept in.
#[derive(Default)]
struct KeptGroups<'a> {
    entered: Vec<&'a str>,
    attributes: Vec<&'a str>,
}

impl<'a> SourceOrderVisitor<'a> for KeptGroups<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::WithItem(item) => match item.optional_vars.as_deref() {
                Some(Expr::Name(name)) => self.entered.push(&name.id),
                // `async with TaskGroup() as self.group:`
                Some(Expr::Attribute(attribute)) => self.attributes.push(&attribute.attr),
                _ => {}
            },
            AnyNodeRef::StmtAssign(assign) => {
                if let Expr::Name(name) = &*assign.value
                    && self.entered.contains(&name.id.as_str())
                {
                    let targets = assign.targets.iter().filter_map(Expr::as_attribute_expr);
                    self.attributes
                        .extend(targets.map(|target| target.attr.as_str()));
                }
            }
            _ => {}
        }
        own_code(node)
    }
}

fn roots_of_arguments(call: &ast::ExprCall) -> Vec<&str> {
    let mut roots = Roots(Vec::new());
    for argument in call.arguments.iter_source_order() {
        roots.visit_expr(argument.value());
    }
    roots.0
}

/// The name that an expression begins with: `a` of `a.b[0].c`. What belongs to `self` is told apart by its own
/// name.
fn root(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Name(name) => Some(&name.id),
        Expr::Attribute(attribute) => match &*attribute.value {
            Expr::Name(name) if matches!(name.id.as_str(), "self" | "cls") => Some(&attribute.attr),
            inner => root(inner),
        },
        Expr::Subscript(subscript) => root(&subscript.value),
        Expr::Call(call) => root(&call.func),
        _ => None,
    }
}

/// Collects the names that the parts of expressions begin with.
struct Roots<'a>(Vec<&'a str>);

impl<'a> SourceOrderVisitor<'a> for Roots<'a> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Attribute(_) | Expr::Name(_) => self.0.extend(root(expr)),
            _ => walk_expr(self, expr),
        }
    }
}

/// Whether an expression is an attribute of `self`.
fn is_of_self(expr: &Expr) -> bool {
    matches!(expr, Expr::Attribute(attribute)
        if matches!(&*attribute.value, Expr::Name(name)
            if matches!(name.id.as_str(), "self" | "cls")))
}

/// Collects the names in what a suite awaits.
struct Awaited<'a> {
    names: FxHashSet<&'a str>,
    /// Whether a method of `self` is among it.
    of_self: bool,
}

impl<'a> SourceOrderVisitor<'a> for Awaited<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::ExprAwait(awaited) => self.add(&awaited.value),
            AnyNodeRef::StmtFor(statement) if statement.is_async => self.add(&statement.iter),
            AnyNodeRef::StmtWith(statement) if statement.is_async => {
                for item in &statement.items {
                    self.add(&item.context_expr);
                }
            }
            _ => {}
        }
        own_code(node)
    }
}

impl<'a> Awaited<'a> {
    fn add(&mut self, expr: &'a Expr) {
        let mut names = Names(self);
        names.visit_expr(expr);
    }
}

/// Collects all names and attributes of an expression.
struct Names<'s, 'a>(&'s mut Awaited<'a>);

impl<'a> SourceOrderVisitor<'a> for Names<'_, 'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::ExprName(name) => {
                self.0.names.insert(&name.id);
            }
            AnyNodeRef::ExprAttribute(attribute) => {
                self.0.names.insert(&attribute.attr);
            }
            AnyNodeRef::ExprCall(call) => self.0.of_self |= is_of_self(&call.func),
            _ => {}
        }
        TraversalSignal::Traverse
    }
}

/// Collects the calls that cancel something, by their names, and what the variables of loops are taken from.
struct Cancels<'a> {
    before: TextSize,
    calls: Vec<&'a ast::ExprCall>,
    loops: Vec<(&'a str, &'a Expr)>,
}

impl<'a> SourceOrderVisitor<'a> for Cancels<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::ExprCall(call) => {
                let name = last_name(&call.func).unwrap_or_default();
                if call.start() < self.before
                    && name.contains("cancel")
                    && !matches!(name, "cancelled" | "cancelling" | "uncancel")
                {
                    self.calls.push(call);
                }
            }
            AnyNodeRef::StmtFor(statement) => self.taken(&statement.target, &statement.iter),
            AnyNodeRef::Comprehension(clause) => self.taken(&clause.target, &clause.iter),
            _ => {}
        }
        if node.start() >= self.before {
            TraversalSignal::Skip
        } else {
            TraversalSignal::Traverse
        }
    }
}

impl<'a> Cancels<'a> {
    fn taken(&mut self, target: &'a Expr, iterable: &'a Expr) {
        let mut names = Roots(Vec::new());
        names.visit_expr(target);
        self.loops
            .extend(names.0.into_iter().map(|name| (name, iterable)));
    }
}
