//! What a coroutine hands to a thread: whether that waits for somebody who may fail to come.

use asyncfix_knowledge::endings::TABLE;
use asyncfix_syntax::queries::last_name;
use ruff_python_ast::visitor::source_order::{
    SourceOrderVisitor, TraversalSignal, walk_expr, walk_stmt,
};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use rustc_hash::FxHashSet;

use super::Obstacle;
use super::look::{Look, is_plain, root_of};
use super::table::means_one_of;
use super::turns::{Drive, LoopNames};
use crate::facts::loops::{is_endless, leaves_loop_by_itself};
use crate::limits::{BODIES, Limit};
use crate::resolve::semantics::Semantics;

/// The function that a call hands to a thread: `asyncio.to_thread(f, …)`, `loop.run_in_executor(None, f, …)`.
pub fn in_thread<'a>(semantics: &Semantics<'_>, call: &'a ast::ExprCall) -> Option<&'a Expr> {
    let arguments = &call.arguments.args;
    let is_method = call.func.is_attribute_expr()
        && last_name(&call.func).is_some_and(|name| TABLE.pooling_methods.contains(name));
    let given = if is_method {
        arguments.get(1)?
    } else if means_one_of(semantics, &call.func, &TABLE.pooled) {
        arguments.first()?
    } else {
        return None;
    };
    match given {
        Expr::Call(partial) if semantics.means(&partial.func, &["functools.partial"]) => {
            partial.arguments.args.first()
        }
        other => Some(other),
    }
}

/// Whether all that a coroutine function awaits is done in threads of a pool, which is bounded by itself.
pub(super) fn only_awaits_pools(own: &Semantics<'_>, node: &ast::StmtFunctionDef) -> bool {
    struct Search<'s, 'db> {
        own: &'s Semantics<'db>,
        pools: usize,
        others: usize,
    }
    impl<'a> SourceOrderVisitor<'a> for Search<'_, '_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            match node {
                AnyNodeRef::StmtFunctionDef(_) | AnyNodeRef::ExprLambda(_) => {
                    return TraversalSignal::Skip;
                }
                AnyNodeRef::ExprAwait(awaited) => {
                    let is_pool = matches!(&*awaited.value, Expr::Call(call)
                        if in_thread(self.own, call).is_some());
                    self.pools += usize::from(is_pool);
                    self.others += usize::from(!is_pool);
                }
                AnyNodeRef::StmtWith(with) => self.others += usize::from(with.is_async),
                AnyNodeRef::StmtFor(statement) => self.others += usize::from(statement.is_async),
                AnyNodeRef::Comprehension(part) => self.others += usize::from(part.is_async),
                _ => {}
            }
            TraversalSignal::Traverse
        }
    }
    let mut search = Search {
        own,
        pools: 0,
        others: 0,
    };
    search.visit_body(&node.body);
    search.pools > 0 && search.others == 0
}

impl Look<'_, '_> {
    /// What it says of a coroutine that a thread runs `function` for it.
    pub(super) fn runs_in_thread(&mut self, function: &Expr) {
        if self.has_enough() {
            return;
        }
        Threaded {
            look: self,
            depth: BODIES,
        }
        .given(function);
    }
}

/// A look at plain code that runs in a thread.
struct Threaded<'l, 's, 'db> {
    look: &'l mut Look<'s, 'db>,
    /// How many calls deeper it goes.
    depth: Limit,
}

impl Threaded<'_, '_, '_> {
    /// What is run is a function, a lambda, or a method of something that threads wait with.
    fn given(&mut self, function: &Expr) {
        if let Expr::Lambda(lambda) = function {
            self.visit_expr(&lambda.body);
        } else if !self.is_wait(function, None) {
            self.follow(function);
        }
    }

    fn follow(&mut self, callee: &Expr) {
        let Some(depth) = self.depth.less() else {
            return;
        };
        let look = &mut *self.look;
        let db = look.semantics.db();
        let Some(function) = look.semantics.function_in_sight(callee) else {
            return;
        };
        let Some(node) = function.node(db) else {
            return;
        };
        let own = look.semantics.of_function(&function);
        let definition = function.definition();
        if node.is_async
            || definition.file(db).is_stub(db)
            || !is_plain(&own, node)
            || look.was_looked_at(definition, 0)
        {
            return;
        }
        look.notes_look_at(definition, 0);
        let mut inner = look.within(&own, node);
        Threaded {
            look: &mut inner,
            depth,
        }
        .visit_body(&node.body);
        look.back_from(inner);
    }

    /// Whether a call waits for another thread, as long as that takes, which is noted.
    fn is_wait(&mut self, callee: &Expr, arguments: Option<&ast::Arguments>) -> bool {
        let Expr::Attribute(method) = callee else {
            return false;
        };
        let Some(before_limit) = TABLE.waits_of_threads.get(method.attr.as_str()) else {
            return false;
        };
        let is_limited = arguments.is_some_and(|arguments| {
            let has_limit = arguments
                .keywords
                .iter()
                .any(|keyword| matches!(keyword.arg.as_deref(), None | Some("timeout" | "block")));
            arguments.args.len() > *before_limit || has_limit
        });
        if is_limited {
            return false;
        }
        // Where nothing says what it is called on, the name has to do.
        let is_meeting = match self.look.class_of(&method.value, true) {
            Some(class) => TABLE.meeting_of_threads.contains(&class),
            None => matches!(method.attr.as_str(), "wait" | "get"),
        };
        let waits = is_meeting && !self.look.is_own(&method.value);
        if waits {
            self.look.doubt(Obstacle::Waits, callee);
        }
        waits
    }

    /// What it says of a loop whose test nothing in it changes.
    fn polls(&mut self, test: &Expr, body: &[Stmt]) {
        if !is_flag(test) {
            return;
        }
        let names = LoopNames::of(test, body);
        let read = &names.read;
        let mut changes = Changes {
            read,
            found: names.drive() != Drive::Nothing,
        };
        changes.visit_body(body);
        let is_own = || root_of(flag(test)).is_some_and(|root| self.look.is_own(root));
        if !read.is_empty() && !changes.found && !is_own() {
            self.look.doubt(Obstacle::Polls, test);
        }
    }
}

impl<'a> SourceOrderVisitor<'a> for Threaded<'_, '_, '_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => return,
            Stmt::While(inner) if is_endless(&inner.test) => {
                if !leaves_loop_by_itself(&inner.body) {
                    self.look.never_ends(&inner.test);
                }
                // `if stop.is_set(): break`
                for choice in inner.body.iter().filter_map(Stmt::as_if_stmt) {
                    let leaves =
                        matches!(choice.body.last(), Some(Stmt::Break(_) | Stmt::Return(_)));
                    if leaves {
                        self.polls(&choice.test, &inner.body);
                    }
                }
            }
            Stmt::While(inner) => self.polls(&inner.test, &inner.body),
            Stmt::If(_) | Stmt::Match(_) => {
                self.look.branches += 1;
                walk_stmt(self, statement);
                self.look.branches -= 1;
                return;
            }
            _ => {}
        }
        walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Lambda(_) => return,
            Expr::Call(call) if !self.is_wait(&call.func, Some(&call.arguments)) => {
                self.follow(&call.func);
            }
            _ => {}
        }
        walk_expr(self, expr);
    }
}

/// Whether a test only looks at what others may change: `not done`, `self.running`, `not stop.is_set()`.
fn is_flag(test: &Expr) -> bool {
    match test {
        Expr::Name(_) => true,
        Expr::Attribute(attribute) => is_flag(&attribute.value),
        Expr::UnaryOp(operation) => is_flag(&operation.operand),
        Expr::BoolOp(operation) => operation.values.iter().all(is_flag),
        Expr::Call(call) => {
            call.arguments.is_empty()
                && matches!(&*call.func, Expr::Attribute(method)
                    if &method.attr == "is_set" && is_flag(&method.value))
        }
        _ => false,
    }
}

/// What the first part of such a test looks at.
fn flag(test: &Expr) -> &Expr {
    match test {
        Expr::UnaryOp(operation) => flag(&operation.operand),
        Expr::BoolOp(operation) => operation.values.first().map_or(test, flag),
        other => other,
    }
}

/// Looks for what may change the objects that a test looks at: an attribute that is assigned, a method that is
/// called, an argument that one of them is.
struct Changes<'n, 'a> {
    read: &'n FxHashSet<&'a str>,
    found: bool,
}

impl<'a> SourceOrderVisitor<'a> for Changes<'_, 'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        let is_read = |expr: &Expr| {
            root_of(expr)
                .and_then(Expr::as_name_expr)
                .is_some_and(|name| self.read.contains(name.id.as_str()))
        };
        self.found |= match node {
            AnyNodeRef::ExprAttribute(attribute) => {
                !attribute.ctx.is_load() && is_read(&attribute.value)
            }
            AnyNodeRef::ExprCall(call) => {
                let by_method = matches!(&*call.func, Expr::Attribute(method)
                    if !matches!(method.attr.as_str(), "is_set" | "wait") && is_read(&method.value));
                let arguments = call.arguments.iter_source_order();
                by_method
                    || arguments
                        .map(ast::ArgOrKeyword::value)
                        .any(|value| value.is_name_expr() && is_read(value))
            }
            _ => false,
        };
        TraversalSignal::Traverse
    }
}
