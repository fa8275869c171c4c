//! Where the class or function that makes a task keeps it, and what it does with it: cancels it, waits for it.
//!
//! Told by names, because being wrong only means to hold back.

use asyncfix_analysis::answers::cancellation::catches_cancellation;
use asyncfix_syntax::queries::last_name;
use ruff_python_ast::helpers::any_over_expr;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};

use super::handlers;
use crate::file::File;

/// Where a task is kept, and the function in which that is seen: `None` for an attribute, which any may use.
pub(super) type Place<'a> = (&'a Expr, Option<&'a ast::StmtFunctionDef>);

/// Whether a class cancels the task that it keeps, or those in the collection.
pub(super) fn cancels<'a>(
    file: &File<'a, '_>,
    class: &'a ast::StmtClassDef,
    kept: &'a Expr,
) -> bool {
    let mut cancels = Cancels {
        kept: Kept {
            file,
            names: vec![file.text(kept)],
        },
        found: false,
    };
    cancels.visit_body(&class.body);
    cancels.found
}

/// Looks for a task that is cancelled by the class that keeps it.
struct Cancels<'f, 'a, 'db> {
    kept: Kept<'f, 'a, 'db>,
    found: bool,
}

impl<'a> SourceOrderVisitor<'a> for Cancels<'_, 'a, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtFor(statement) => self.kept.take(&statement.target, &statement.iter),
            AnyNodeRef::ExprCall(call) => {
                self.found |= matches!(&*call.func, Expr::Attribute(method)
                    if &method.attr == "cancel" && self.kept.holds(&method.value));
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }
}

/// A task, or the collection that it is kept in, and the names that it is taken under.
struct Kept<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    names: Vec<&'f str>,
}

impl<'f, 'a> Kept<'f, 'a, '_> {
    fn holds(&self, expr: &Expr) -> bool {
        self.names.contains(&self.file.text(expr))
    }

    /// `target` is given what may be the task, or taken from what it is kept in.
    fn take(&mut self, target: &Expr, value: &Expr)
    where
        'a: 'f,
    {
        if target.is_name_expr() && any_over_expr(value, |part| self.holds(part)) {
            self.names.push(self.file.text(target));
        }
    }
}

/// Looks for an `await` of a task where nothing catches a cancellation.
pub(super) struct Waits<'f, 'a, 'db> {
    kept: Kept<'f, 'a, 'db>,
    pub(super) found: bool,
    /// Whether the code around catches one.
    is_caught: bool,
}

impl<'f, 'a, 'db> Waits<'f, 'a, 'db> {
    pub(super) fn of(file: &'f File<'a, 'db>, kept: &'a Expr) -> Self {
        Self {
            kept: Kept {
                file,
                names: vec![file.text(kept)],
            },
            found: false,
            is_caught: false,
        }
    }
}

impl Waits<'_, '_, '_> {
    /// Whether waiting for a value brings the end of the task: the task itself, or a `gather` of those kept with it.
    fn brings_end(&self, awaited: &Expr) -> bool {
        match awaited {
            Expr::Call(call) => match last_name(&call.func) {
                Some("gather") => call.arguments.keywords.is_empty() && self.is_given(call),
                Some("wait_for") => self.is_given(call),
                _ => false,
            },
            other => self.kept.holds(other),
        }
    }

    fn is_given(&self, call: &ast::ExprCall) -> bool {
        call.arguments.args.iter().any(|argument| match argument {
            Expr::Starred(starred) => self.kept.holds(&starred.value),
            argument => self.kept.holds(argument),
        })
    }

    fn visit_caught<'a>(&mut self, body: &'a [Stmt])
    where
        Self: SourceOrderVisitor<'a>,
    {
        let outer = std::mem::replace(&mut self.is_caught, true);
        self.visit_body(body);
        self.is_caught = outer;
    }
}

impl<'a> SourceOrderVisitor<'a> for Waits<'_, 'a, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtTry(statement) => {
                let handlers = statement.handlers.iter().map(|handler| {
                    let ast::ExceptHandler::ExceptHandler(handler) = handler;
                    handler
                });
                if !handlers
                    .clone()
                    .any(|handler| catches_cancellation(self.kept.file, handler))
                {
                    return TraversalSignal::Traverse;
                }
                self.visit_caught(&statement.body);
                for handler in handlers {
                    self.visit_body(&handler.body);
                }
                self.visit_body(&statement.orelse);
                self.visit_body(&statement.finalbody);
                TraversalSignal::Skip
            }
            AnyNodeRef::StmtWith(statement)
                if statement
                    .items
                    .iter()
                    .any(|item| handlers::is_suppress(self.kept.file, &item.context_expr)) =>
            {
                self.visit_caught(&statement.body);
                TraversalSignal::Skip
            }
            AnyNodeRef::ExprAwait(awaited) => {
                self.found |= self.brings_end(&awaited.value) && !self.is_caught;
                TraversalSignal::Traverse
            }
            AnyNodeRef::StmtFor(statement) => {
                self.kept.take(&statement.target, &statement.iter);
                TraversalSignal::Traverse
            }
            AnyNodeRef::StmtAssign(assign) => {
                for target in &assign.targets {
                    self.kept.take(target, &assign.value);
                }
                TraversalSignal::Traverse
            }
            _ => TraversalSignal::Traverse,
        }
    }
}

/// What a task is bound to that is made inside of `ancestors`, and what that is put into.
pub(super) fn kept_around<'a>(ancestors: &[AnyNodeRef<'a>]) -> Vec<Place<'a>> {
    let target = ancestors.iter().rev().find_map(|around| match around {
        // `self.tasks.append(asyncio.create_task(…))`
        AnyNodeRef::ExprCall(call) => match &*call.func {
            Expr::Attribute(method) if matches!(method.attr.as_str(), "append" | "add") => {
                Some(Some(&*method.value))
            }
            _ => None,
        },
        AnyNodeRef::StmtAssign(assign) => Some(assign.targets.first()),
        AnyNodeRef::StmtAnnAssign(assign) => Some(Some(&*assign.target)),
        around => around.is_statement().then_some(None),
    });
    let function = ancestors.iter().rev().find_map(|around| match around {
        AnyNodeRef::StmtFunctionDef(function) => Some(*function),
        _ => None,
    });
    let collection = |target: &'a Expr| match target {
        // `self.tasks[name] = asyncio.create_task(…)`
        Expr::Subscript(item) => &*item.value,
        target => target,
    };
    let mut kept = Vec::new();
    match target.flatten().map(collection) {
        Some(target @ Expr::Name(name)) => {
            kept.push((target, function));
            if let Some(function) = function {
                let mut put = Put {
                    name: &name.id,
                    found: Vec::new(),
                };
                put.visit_body(&function.body);
                kept.extend(put.found.into_iter().map(|place| (collection(place), None)));
            }
        }
        // Another function may await what is kept in an attribute.
        Some(target @ Expr::Attribute(_)) => kept.push((target, None)),
        _ => {}
    }
    kept
}

/// Looks for attributes that what has a name is put into: `self.tasks.add(task)`, `self.task = task`.
struct Put<'n, 'a> {
    name: &'n str,
    found: Vec<&'a Expr>,
}

impl<'a> SourceOrderVisitor<'a> for Put<'_, 'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        let is_it = |expr: &Expr| matches!(expr, Expr::Name(name) if name.id == self.name);
        match node {
            AnyNodeRef::ExprCall(call) => {
                if let Expr::Attribute(method) = &*call.func
                    && matches!(method.attr.as_str(), "append" | "add")
                    && method.value.is_attribute_expr()
                    && call.arguments.args.iter().any(is_it)
                {
                    self.found.push(&method.value);
                }
            }
            AnyNodeRef::StmtAssign(assign) if is_it(&assign.value) => {
                let places = assign
                    .targets
                    .iter()
                    .filter(|target| !target.is_name_expr());
                self.found.extend(places);
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }
}

/// What keeps the tasks that functions of this name make of a coroutine which they are given.
pub(super) fn kept_by_makers<'a>(body: &'a [Stmt], name: &str) -> Vec<Place<'a>> {
    let mut makers = Makers {
        name,
        parameters: Vec::new(),
        ancestors: Vec::new(),
        found: Vec::new(),
    };
    makers.visit_body(body);
    makers.found
}

/// Looks for functions of one name that make a task of a coroutine they are given, and for what keeps it.
struct Makers<'n, 'a> {
    name: &'n str,
    parameters: Vec<&'a str>,
    ancestors: Vec<AnyNodeRef<'a>>,
    found: Vec<Place<'a>>,
}

impl<'a> SourceOrderVisitor<'a> for Makers<'_, 'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtFunctionDef(function) if function.name == *self.name => {
                let parameters = function.parameters.iter();
                self.parameters = parameters
                    .map(|parameter| parameter.name().as_str())
                    .collect();
            }
            AnyNodeRef::ExprCall(call)
                if matches!(last_name(&call.func), Some("create_task" | "ensure_future"))
                    && matches!(call.arguments.args.first(), Some(Expr::Name(given))
                        if self.parameters.contains(&given.id.as_str())) =>
            {
                self.found.extend(kept_around(&self.ancestors));
            }
            _ => {}
        }
        self.ancestors.push(node);
        TraversalSignal::Traverse
    }

    fn leave_node(&mut self, node: AnyNodeRef<'a>) {
        self.ancestors.pop();
        if matches!(node, AnyNodeRef::StmtFunctionDef(function) if function.name == *self.name) {
            self.parameters.clear();
        }
    }
}
