//! When the author has a plan for what happens if one of the members fails.

use asyncfix_analysis::answers::cancellation::{CANCELLED, catches_cancellation};
use asyncfix_analysis::answers::timeouts::is_timeout;
use asyncfix_syntax::site::{Site, suites_of};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, ExceptHandler, Expr, Stmt};
use ruff_text_size::Ranged;

use crate::file::File;

/// `except …: for t in tasks: t.cancel()`, or the same in `finally`, around the call: what is
/// cancelled is a member, or a list of members.
pub fn cancels_the_rest(site: &Site<'_, '_>, call: &ast::ExprCall) -> bool {
    let mut members = MemberNames::default();
    for argument in &*call.arguments.args {
        members.visit_expr(argument);
    }
    site.enclosing_in_function().any(|(node, child)| {
        let AnyNodeRef::StmtTry(statement) = node else {
            return false;
        };
        let in_body = statement
            .body
            .iter()
            .any(|inner| inner.range().contains_range(child.range()));
        let handlers = statement.handlers.iter().flat_map(|handler| {
            let ExceptHandler::ExceptHandler(handler) = handler;
            &handler.body
        });
        in_body
            && handlers
                .chain(&statement.finalbody)
                .any(|statement| members.are_cancelled_by(statement))
    })
}

/// `async with timeout(…):` around the call: when it strikes, the caller would get the timeout
/// in the place of a member's error.
pub fn is_under_timeout(site: &Site<'_, '_>) -> bool {
    site.enclosing_in_function().any(|(node, child)| {
        matches!(node, AnyNodeRef::StmtWith(with)
            if with.body.iter().any(|s| s.range().contains_range(child.range()))
                && with.items.iter().any(|item| is_timeout(&item.context_expr)))
    })
}

/// Members that `asyncio.wait` has waited for already.
pub fn are_done(file: &File<'_, '_>, call: &ast::ExprCall) -> bool {
    let [Expr::Starred(starred)] = &*call.arguments.args else {
        return false;
    };
    let Expr::Name(name) = &*starred.value else {
        return false;
    };
    let semantics = &file.semantics;
    semantics.bindings(name).is_some_and(|definitions| {
        !definitions.is_empty()
            && definitions.iter().all(|definition| {
                let value = definition.kind(semantics.db()).value(semantics.module());
                matches!(value, Some(Expr::Await(awaited))
                    if matches!(&*awaited.value, Expr::Call(call)
                        if semantics.means(&call.func, &["asyncio.wait"])))
            })
    })
}

/// Whether all members were cancelled in the statements before, so that their exceptions are no news: in the same suite
/// of `body`, or around the block that catches their cancellations.
pub fn are_cancelled_before<'a>(
    file: &File<'_, '_>,
    site: &Site<'_, 'a>,
    body: &'a [Stmt],
    call: &ast::ExprCall,
) -> bool {
    let mut cancelled = Cancelled {
        file,
        loops: Vec::new(),
        found: Vec::new(),
    };
    for statement in statements_before(file, site, body) {
        cancelled.visit_stmt(statement);
    }
    !cancelled.found.is_empty()
        && call.arguments.args.iter().all(|argument| {
            let members = match argument {
                Expr::Starred(starred) => collection(&starred.value),
                other => other,
            };
            cancelled.found.contains(&file.text(members))
        })
}

/// The statements before the one at `site` in its suite, and before the blocks around it that catch cancellations.
fn statements_before<'a>(
    file: &File<'_, '_>,
    site: &Site<'_, 'a>,
    body: &'a [Stmt],
) -> Vec<&'a Stmt> {
    let mut before: Vec<&Stmt> = Vec::new();
    let mut inner = site.node;
    let mut add = |suite: &'a [Stmt], inner: AnyNodeRef<'_>| {
        let at = suite
            .iter()
            .position(|statement| statement.range() == inner.range());
        before.extend(at.and_then(|at| suite.get(..at)).unwrap_or_default());
        at.is_some()
    };
    for (around, child) in site.enclosing_in_function() {
        inner = around;
        let mut suites = suites_of(around).into_iter();
        if !suites.any(|suite| add(suite, child)) {
            continue;
        }
        let catches = match around {
            AnyNodeRef::StmtWith(with) => {
                let mut items = with.items.iter();
                items.any(|item| is_suppress(file, &item.context_expr))
            }
            AnyNodeRef::StmtTry(statement) => {
                let is_in = |suite: &[Stmt]| suite.iter().any(|s| s.range() == child.range());
                is_in(&statement.body)
                    && statement.handlers.iter().any(|handler| {
                        let ExceptHandler::ExceptHandler(handler) = handler;
                        catches_cancellation(file, handler)
                    })
            }
            _ => false,
        };
        if !catches {
            return before;
        }
    }
    add(body, inner);
    before
}

/// Whether a `with` suppresses cancellations.
fn is_suppress(file: &File<'_, '_>, manager: &Expr) -> bool {
    matches!(manager, Expr::Call(call)
    if file.semantics.means(&call.func, &["contextlib.suppress"])
        && call.arguments.args.iter().any(|kind| {
            file.semantics.means(kind, CANCELLED)
                || file.semantics.means(kind, &["builtins.BaseException"])
        }))
}

/// The collection whose elements are the same: `tasks` for `tasks.values()`, `list(tasks)`, `tasks[:]`.
fn collection(expr: &Expr) -> &Expr {
    match expr {
        Expr::Call(call) => match (&*call.func, &*call.arguments.args) {
            (Expr::Attribute(method), []) if matches!(method.attr.as_str(), "values" | "copy") => {
                collection(&method.value)
            }
            (Expr::Name(function), [only])
                if matches!(
                    function.id.as_str(),
                    "list" | "tuple" | "set" | "reversed" | "sorted"
                ) =>
            {
                collection(only)
            }
            _ => expr,
        },
        Expr::Subscript(subscript)
            if matches!(&*subscript.slice, Expr::Slice(slice)
                if slice.lower.is_none() && slice.upper.is_none()) =>
        {
            collection(&subscript.value)
        }
        Expr::List(ast::ExprList { elts, .. }) | Expr::Tuple(ast::ExprTuple { elts, .. }) => {
            match elts.as_slice() {
                [Expr::Starred(only)] => collection(&only.value),
                _ => expr,
            }
        }
        other => other,
    }
}

/// Collects the texts of what is cancelled: tasks, and collections of tasks.
struct Cancelled<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    /// The names that loops around give to elements, with the collections.
    loops: Vec<(&'f Expr, &'f Expr)>,
    found: Vec<&'a str>,
}

impl<'f> Cancelled<'f, '_, '_> {
    fn cancel(&mut self, task: &'f Expr) {
        let name = match task {
            Expr::Name(name) => Some(&name.id),
            _ => None,
        };
        let held = self.loops.iter().rev().find(|(target, _)| match target {
            Expr::Name(other) => name == Some(&other.id),
            // `for key, task in tasks.items()`
            Expr::Tuple(tuple) => {
                matches!(tuple.elts.last(), Some(Expr::Name(last)) if name == Some(&last.id))
            }
            _ => false,
        });
        let cancelled = match held {
            Some((Expr::Tuple(_), Expr::Call(call))) => match &*call.func {
                Expr::Attribute(method) if method.attr.as_str() == "items" => &*method.value,
                _ => task,
            },
            Some((_, iter)) => collection(iter),
            None => task,
        };
        self.found.push(self.file.text(cancelled));
        // `for task in (first, second)`
        if let Expr::Tuple(ast::ExprTuple { elts, .. }) | Expr::List(ast::ExprList { elts, .. }) =
            cancelled
        {
            self.found
                .extend(elts.iter().map(|elt| self.file.text(elt)));
        }
    }
}

impl<'f> SourceOrderVisitor<'f> for Cancelled<'f, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'f>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtFor(inner) => self.loops.push((&inner.target, &inner.iter)),
            AnyNodeRef::ExprListComp(ast::ExprListComp { generators, .. })
            | AnyNodeRef::ExprSetComp(ast::ExprSetComp { generators, .. }) => {
                self.loops
                    .extend(generators.iter().map(|inner| (&inner.target, &inner.iter)));
            }
            AnyNodeRef::ExprCall(call) => {
                if let Expr::Attribute(method) = &*call.func
                    && method.attr.as_str() == "cancel"
                {
                    self.cancel(&method.value);
                }
            }
            // What has a new value was not cancelled.
            AnyNodeRef::StmtAssign(assign) => {
                for target in &assign.targets {
                    let text = self.file.text(target);
                    self.found.retain(|other| *other != text);
                }
            }
            AnyNodeRef::StmtFunctionDef(_) | AnyNodeRef::StmtClassDef(_) => {
                return TraversalSignal::Skip;
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }
}

/// The names that members go by.
#[derive(Default)]
struct MemberNames<'a>(Vec<&'a str>);

impl<'a> SourceOrderVisitor<'a> for MemberNames<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::ExprName(name) => self.0.push(&name.id),
            AnyNodeRef::ExprAttribute(attribute) => self.0.push(&attribute.attr),
            // What a call is given is no member.
            AnyNodeRef::ExprCall(_) => return TraversalSignal::Skip,
            _ => {}
        }
        TraversalSignal::Traverse
    }
}

impl MemberNames<'_> {
    /// Whether a statement cancels one of the members: `t.cancel()`, alone or in a loop over them,
    /// or a helper with `cancel` in its name that is given them.
    fn are_cancelled_by(&self, statement: &Stmt) -> bool {
        struct Mentions<'n> {
            names: &'n [&'n str],
            member: bool,
            cancel: bool,
            /// A function with `cancel` in its name, such as `self.cancel_all()`.
            helper: bool,
        }
        impl<'a> SourceOrderVisitor<'a> for Mentions<'_> {
            fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
                match node {
                    AnyNodeRef::ExprName(name) => {
                        self.member |= self.names.contains(&name.id.as_str());
                        self.helper |= name.id.contains("cancel");
                    }
                    AnyNodeRef::ExprAttribute(attribute) => {
                        self.member |= self.names.contains(&attribute.attr.as_str())
                            || attribute.attr.as_str() == "all_tasks";
                        match attribute.attr.as_str() {
                            "cancel" => self.cancel = true,
                            name => self.helper |= name.contains("cancel"),
                        }
                    }
                    _ => {}
                }
                TraversalSignal::Traverse
            }
        }
        let mut mentions = Mentions {
            names: &self.0,
            member: false,
            cancel: false,
            helper: false,
        };
        mentions.visit_stmt(statement);
        mentions.helper || mentions.member && mentions.cancel
    }
}
