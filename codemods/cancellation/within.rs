//! What awaited functions of the project wait for themselves: a task or a future, whose own cancellation comes out of
//! them and is none of the task that awaits them.

use asyncfix_analysis::answers::endings;
use asyncfix_analysis::index::asked::Asked;
use asyncfix_analysis::infer::types::{Awaitability, ClassOf};
use asyncfix_analysis::limits::{BODIES, Limit};
use asyncfix_analysis::resolve::definitions::Function;
use asyncfix_analysis::resolve::semantics::Semantics;
use asyncfix_knowledge::package_of;
use asyncfix_syntax::queries::{last_name, own_code};
use ruff_python_ast::helpers::any_over_expr;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::handled;
use crate::file::File;

/// Whether a cancellation may come out of something that a suite awaits, although nobody cancels the task that awaits
/// it: what is called waits for a task or a future, or is not in sight.
pub fn may_raise(file: &File<'_, '_>, suite: &[Stmt]) -> bool {
    let mut values = awaited_in(suite).into_iter();
    values.any(|value| raises(&file.semantics, file.project, value, BODIES))
}

fn raises(semantics: &Semantics<'_>, project: Asked<'_>, value: &Expr, depth: Limit) -> bool {
    let call = match value {
        Expr::Call(call) => call,
        Expr::Starred(starred) => return raises(semantics, project, &starred.value, depth),
        Expr::ListComp(ast::ExprListComp { elt, .. })
        | Expr::Generator(ast::ExprGenerator { elt, .. }) => {
            return raises(semantics, project, elt, depth);
        }
        other => return semantics.awaitability(other.into()) != Awaitability::Coroutine,
    };
    if endings::ends(semantics, &call.func) {
        return false;
    }
    if endings::ends_with_arguments(semantics, &call.func) {
        let is_one = last_name(&call.func) != Some("gather");
        let given = if is_one { 1 } else { usize::MAX };
        let mut arguments = call.arguments.args.iter().take(given);
        return arguments.any(|argument| raises(semantics, project, argument, depth));
    }
    let functions = semantics.function_or_namesakes(&call.func);
    if functions.is_empty() {
        // A method of a class that is known is one of a library, if the project doesn't have it.
        let is_library = |class: &str| !project.owns(package_of(class));
        return !matches!(&*call.func, Expr::Attribute(method)
            if matches!(semantics.class_of(&method.value), ClassOf::Known(class) if is_library(&class)));
    }
    functions
        .iter()
        .any(|function| raises_in(semantics, project, function, depth))
}

fn raises_in<'db>(
    semantics: &Semantics<'db>,
    project: Asked<'_>,
    function: &Function<'db>,
    depth: Limit,
) -> bool {
    if !is_of_project(semantics, project, function) {
        return false;
    }
    let (Some(node), Some(depth)) = (function.node(semantics.db()), depth.less()) else {
        return true;
    };
    let says_nothing = |statement: &Stmt| match statement {
        Stmt::Pass(_) | Stmt::Raise(_) => true,
        Stmt::Expr(inner) => {
            inner.value.is_string_literal_expr() || inner.value.is_ellipsis_literal_expr()
        }
        _ => false,
    };
    let own = semantics.of_function(function);
    // Something else may stand in the place of a hook.
    let class = semantics.class_around(function.definition());
    let is_replaced = class.is_some_and(|class| {
        let below = project.methods_below(&class, &node.name);
        below.is_none_or(|below| !below.is_empty())
    });
    !node.is_async
        || is_replaced
        || node.body.iter().all(says_nothing)
        || awaited_in(&node.body)
            .into_iter()
            .any(|value| raises(&own, project, value, depth))
}

fn is_of_project<'db>(
    semantics: &Semantics<'db>,
    project: Asked<'_>,
    function: &Function<'db>,
) -> bool {
    semantics
        .file_of(function.definition())
        .is_some_and(|path| project.number_of(&path).is_some())
}

/// Whether a suite awaits a method that waits for a task which its class keeps and cancels: who awaits it is then told
/// that the task ends, and is not to end itself.
pub fn waits_for_cancelled(file: &File<'_, '_>, suite: &[Stmt]) -> bool {
    waits_in(&file.semantics, file.project, suite, BODIES)
}

fn waits_in(semantics: &Semantics<'_>, project: Asked<'_>, suite: &[Stmt], depth: Limit) -> bool {
    let Some(depth) = depth.less() else {
        return false;
    };
    awaited_in(suite).into_iter().any(|value| {
        let Expr::Call(call) = value else {
            return false;
        };
        let functions = match &*call.func {
            callee @ Expr::Attribute(_) => semantics.function_or_namesakes(callee),
            _ => Vec::new(),
        };
        functions.iter().any(|function| {
            is_of_project(semantics, project, function)
                && function.node(semantics.db()).is_some_and(|node| {
                    let own = semantics.of_function(function);
                    waits_for_what_its_class_cancels(&own, node)
                        || waits_in(&own, project, &node.body, depth)
                })
        })
    })
}

fn waits_for_what_its_class_cancels(own: &Semantics<'_>, node: &ast::StmtFunctionDef) -> bool {
    let mut kept = Kept::default();
    for value in awaited_in(&node.body) {
        kept.add(value);
    }
    if kept.awaited.is_empty() && kept.attributes.is_empty() {
        return false;
    }
    kept.visit_body(&node.body);
    if kept.attributes.is_empty() {
        return false;
    }
    let mut around = Around {
        inner: node.range(),
        class: None,
    };
    around.visit_body(own.body());
    let Some(class) = around.class else {
        return false;
    };
    let mut cancels = Cancels::of(&kept.attributes, Some(node.range()));
    cancels.visit_body(&class.body);
    cancels.found || replaces(node)
}

/// Whether a method cancels what it keeps before it awaits that, or what takes its place: somebody else may be waiting.
fn replaces(node: &ast::StmtFunctionDef) -> bool {
    uncaught_in(&node.body).into_iter().any(|value| {
        let mut kept = Kept::default();
        kept.add(value);
        kept.visit_body(&node.body);
        let mut cancels = Cancels::of(&kept.attributes, None);
        cancels.before = Some(value.start());
        cancels.visit_body(&node.body);
        cancels.found
    })
}

/// What is awaited in a suite where no clause catches everything, or a cancellation, by its spelling.
fn uncaught_in(suite: &[Stmt]) -> Vec<&Expr> {
    struct Search<'a>(Vec<&'a Expr>);
    impl<'a> SourceOrderVisitor<'a> for Search<'a> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            match node {
                AnyNodeRef::ExprAwait(awaited) => self.0.push(&awaited.value),
                AnyNodeRef::StmtTry(statement) if handled::sees_cancellation(statement) => {
                    return TraversalSignal::Skip;
                }
                AnyNodeRef::StmtWith(statement) => {
                    let mut items = statement.items.iter();
                    let suppresses = items.any(|item| {
                        matches!(&item.context_expr, Expr::Call(call)
                            if last_name(&call.func) == Some("suppress"))
                    });
                    if suppresses {
                        return TraversalSignal::Skip;
                    }
                }
                _ => {}
            }
            own_code(node)
        }
    }
    let mut search = Search(Vec::new());
    search.visit_body(suite);
    search.0
}

/// What is awaited in a suite.
fn awaited_in(suite: &[Stmt]) -> Vec<&Expr> {
    struct Search<'a>(Vec<&'a Expr>);
    impl<'a> SourceOrderVisitor<'a> for Search<'a> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let AnyNodeRef::ExprAwait(awaited) = node {
                self.0.push(&awaited.value);
            }
            own_code(node)
        }
    }
    let mut search = Search(Vec::new());
    search.visit_body(suite);
    search.0
}

/// Collects the attributes that awaited tasks are kept in.
#[derive(Default)]
struct Kept<'a> {
    /// The names that something awaited has.
    awaited: Vec<&'a str>,
    attributes: Vec<&'a str>,
}

impl<'a> Kept<'a> {
    fn add(&mut self, value: &'a Expr) {
        match value {
            Expr::Name(name) => self.awaited.push(&name.id),
            Expr::Attribute(attribute) => self.attributes.push(&attribute.attr),
            // `await self.tasks[name]`
            Expr::Subscript(item) => self.add(&item.value),
            Expr::Starred(starred) => self.add(&starred.value),
            Expr::Call(call) => {
                let given = match last_name(&call.func) {
                    Some("gather") => usize::MAX,
                    Some("shield" | "wait" | "wait_for") => 1,
                    _ => 0,
                };
                for argument in call.arguments.args.iter().take(given) {
                    self.add(argument);
                }
            }
            _ => {}
        }
    }

    fn holds(&self, expr: &Expr) -> bool {
        matches!(expr, Expr::Name(name) if self.awaited.contains(&name.id.as_str()))
    }

    /// The attribute that `place` is, or is in.
    fn keep(&mut self, place: &'a Expr) {
        match place {
            Expr::Attribute(attribute) => self.attributes.push(&attribute.attr),
            Expr::Subscript(item) => self.keep(&item.value),
            // `self.tasks.get(name)`
            Expr::Call(call) => {
                if let Expr::Attribute(method) = &*call.func
                    && matches!(method.attr.as_str(), "get" | "pop" | "setdefault")
                {
                    self.keep(&method.value);
                }
            }
            _ => {}
        }
    }
}

impl<'a> SourceOrderVisitor<'a> for Kept<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            // `self.task = task`, `self.tasks[name] = (task, 1)`, `task = self.tasks[name] = …`, `task = self.task`
            AnyNodeRef::StmtAssign(assign) => {
                let is_held = assign.targets.iter().any(|target| self.holds(target));
                if is_held {
                    self.keep(&assign.value);
                }
                if is_held || any_over_expr(&assign.value, |part| self.holds(part)) {
                    for target in &assign.targets {
                        self.keep(target);
                    }
                }
            }
            // `for task in self.tasks:`
            AnyNodeRef::StmtFor(inner) if self.holds(&inner.target) => self.keep(&inner.iter),
            // `self.tasks.append(task)`
            AnyNodeRef::ExprCall(call) => {
                if let Expr::Attribute(method) = &*call.func
                    && matches!(
                        method.attr.as_str(),
                        "append" | "appendleft" | "add" | "setdefault"
                    )
                    && call
                        .arguments
                        .args
                        .iter()
                        .any(|argument| any_over_expr(argument, |part| self.holds(part)))
                {
                    self.keep(&method.value);
                }
            }
            _ => {}
        }
        own_code(node)
    }
}

/// Looks for the class around something.
struct Around<'a> {
    inner: TextRange,
    class: Option<&'a ast::StmtClassDef>,
}

impl<'a> SourceOrderVisitor<'a> for Around<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if !node.range().contains_range(self.inner) || node.range() == self.inner {
            return TraversalSignal::Skip;
        }
        if let AnyNodeRef::StmtClassDef(class) = node {
            self.class = Some(class);
        }
        TraversalSignal::Traverse
    }
}

/// Looks for what cancels something that is kept in some attributes.
struct Cancels<'s, 'a> {
    attributes: &'s [&'s str],
    /// The function that waits for it.
    but: Option<TextRange>,
    /// Where in a function it has to stand, outside of what happens on an error.
    before: Option<TextSize>,
    /// Names of what is taken from there.
    taken: Vec<&'a str>,
    found: bool,
}

impl<'s, 'a> Cancels<'s, 'a> {
    fn of(attributes: &'s [&'s str], but: Option<TextRange>) -> Self {
        Self {
            attributes,
            but,
            before: None,
            taken: Vec::new(),
            found: false,
        }
    }

    fn is_kept(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Name(name) => self.taken.contains(&name.id.as_str()),
            Expr::Attribute(attribute) => {
                self.attributes.contains(&attribute.attr.as_str()) || self.is_kept(&attribute.value)
            }
            Expr::Subscript(item) => self.is_kept(&item.value),
            // `self.pending.pop(key).cancel()`
            Expr::Call(call) => self.is_kept(&call.func),
            _ => false,
        }
    }

    fn take(&mut self, target: &'a Expr, value: &Expr) {
        if !any_over_expr(value, |part| self.is_kept(part)) {
            return;
        }
        match target {
            Expr::Name(name) => self.taken.push(&name.id),
            // `for key, task in self.tasks.items():`
            Expr::Tuple(tuple) => {
                let names = tuple.elts.iter().filter_map(Expr::as_name_expr);
                self.taken.extend(names.map(|name| name.id.as_str()));
            }
            _ => {}
        }
    }
}

impl<'a> SourceOrderVisitor<'a> for Cancels<'_, 'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if self.but == Some(node.range()) {
            return TraversalSignal::Skip;
        }
        if let Some(before) = self.before
            && (node.start() >= before || node.is_except_handler_except_handler())
        {
            return TraversalSignal::Skip;
        }
        match node {
            AnyNodeRef::StmtFor(inner) => self.take(&inner.target, &inner.iter),
            AnyNodeRef::ExprListComp(ast::ExprListComp { generators, .. })
            | AnyNodeRef::ExprGenerator(ast::ExprGenerator { generators, .. }) => {
                for clause in generators {
                    self.take(&clause.target, &clause.iter);
                }
            }
            AnyNodeRef::StmtAssign(assign) => {
                if let [target] = assign.targets.as_slice() {
                    self.take(target, &assign.value);
                }
            }
            AnyNodeRef::ExprNamed(named) => self.take(&named.target, &named.value),
            AnyNodeRef::ExprCall(call) => {
                self.found |= matches!(&*call.func, Expr::Attribute(method)
                    if method.attr == *"cancel" && self.is_kept(&method.value));
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }
}
