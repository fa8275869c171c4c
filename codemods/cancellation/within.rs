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
use ruff_text_size::{Ranged, TextRange};

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

/// Whether a suite awaits a method that waits for a task which its class keeps and cancels in another method: who
/// awaits it is then told that the task ends, and is not to end itself.
pub fn waits_for_cancelled(file: &File<'_, '_>, suite: &[Stmt]) -> bool {
    let semantics = &file.semantics;
    awaited_in(suite).into_iter().any(|value| {
        let Expr::Call(call) = value else {
            return false;
        };
        let functions = match &*call.func {
            callee @ Expr::Attribute(_) => semantics.function_or_namesakes(callee),
            _ => Vec::new(),
        };
        functions.iter().any(|function| {
            is_of_project(semantics, file.project, function)
                && waits_for_what_its_class_cancels(semantics, function)
        })
    })
}

fn waits_for_what_its_class_cancels<'db>(
    semantics: &Semantics<'db>,
    function: &Function<'db>,
) -> bool {
    let Some(node) = function.node(semantics.db()) else {
        return false;
    };
    let own = semantics.of_function(function);
    let mut kept = Kept {
        awaited: Vec::new(),
        attributes: Vec::new(),
    };
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
    around.visit_body(&own.module().syntax().body);
    let Some(class) = around.class else {
        return false;
    };
    let mut cancels = Cancels {
        attributes: &kept.attributes,
        but: node.range(),
        taken: Vec::new(),
        found: false,
    };
    cancels.visit_body(&class.body);
    cancels.found
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
            Expr::Call(call)
                if matches!(last_name(&call.func), Some("shield" | "wait" | "wait_for")) =>
            {
                if let Some(first) = call.arguments.args.first() {
                    self.add(first);
                }
            }
            _ => {}
        }
    }

    fn holds(&self, expr: &Expr) -> bool {
        matches!(expr, Expr::Name(name) if self.awaited.contains(&name.id.as_str()))
    }
}

impl<'a> SourceOrderVisitor<'a> for Kept<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            // `self.task = task`, `self.tasks[name] = task`, `task = self.task`
            AnyNodeRef::StmtAssign(assign) => {
                for target in &assign.targets {
                    let (name, place) = match (target, &*assign.value) {
                        (Expr::Name(_), value) => (target, value),
                        (target, value) => (value, target),
                    };
                    let place = match place {
                        Expr::Subscript(item) => &*item.value,
                        place => place,
                    };
                    if let Expr::Attribute(attribute) = place
                        && self.holds(name)
                    {
                        self.attributes.push(&attribute.attr);
                    }
                }
            }
            // `for task in self.tasks:`
            AnyNodeRef::StmtFor(inner) if self.holds(&inner.target) => {
                if let Expr::Attribute(attribute) = &*inner.iter {
                    self.attributes.push(&attribute.attr);
                }
            }
            // `self.tasks.append(task)`
            AnyNodeRef::ExprCall(call) => {
                if let Expr::Attribute(method) = &*call.func
                    && let Expr::Attribute(collection) = &*method.value
                    && matches!(method.attr.as_str(), "append" | "add")
                    && call
                        .arguments
                        .args
                        .iter()
                        .any(|argument| self.holds(argument))
                {
                    self.attributes.push(&collection.attr);
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

/// Looks for methods that cancel what is kept in some attributes.
struct Cancels<'s, 'a> {
    attributes: &'s [&'s str],
    /// The function that waits for it.
    but: TextRange,
    /// Names of what is taken from there.
    taken: Vec<&'a str>,
    found: bool,
}

impl Cancels<'_, '_> {
    fn is_kept(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Name(name) => self.taken.contains(&name.id.as_str()),
            Expr::Attribute(attribute) => self.attributes.contains(&attribute.attr.as_str()),
            Expr::Subscript(item) => self.is_kept(&item.value),
            _ => false,
        }
    }
}

impl<'a> SourceOrderVisitor<'a> for Cancels<'_, 'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if node.range() == self.but {
            return TraversalSignal::Skip;
        }
        let (target, value) = match node {
            AnyNodeRef::StmtFor(inner) => (&*inner.target, &*inner.iter),
            AnyNodeRef::StmtAssign(assign) => match assign.targets.as_slice() {
                [target] => (target, &*assign.value),
                _ => return TraversalSignal::Traverse,
            },
            AnyNodeRef::ExprCall(call) => {
                self.found |= matches!(&*call.func, Expr::Attribute(method)
                    if method.attr == *"cancel" && self.is_kept(&method.value));
                return TraversalSignal::Traverse;
            }
            _ => return TraversalSignal::Traverse,
        };
        if let Expr::Name(name) = target
            && any_over_expr(value, |part| self.is_kept(part))
        {
            self.taken.push(&name.id);
        }
        TraversalSignal::Traverse
    }
}
