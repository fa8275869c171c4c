//! What happens around a `gather` when it raises at once, and may be what ends a member that hangs: a handler, a
//! `finally` or a context manager that kills what the others wait for.

use asyncfix_analysis::answers::coroutines::Member;
use asyncfix_analysis::answers::endings::{self, Seen};
use asyncfix_analysis::limits::ALIASES;
use asyncfix_syntax::queries::root_name;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal, walk_expr};
use ruff_python_ast::{self as ast, AnyNodeRef, ExceptHandler, Expr, Stmt};
use rustc_hash::FxHashSet;

use super::return_exceptions::Gather;
use crate::edit::around::{self, Block, Passed};

impl<'a> Gather<'_, '_, 'a, '_> {
    /// Why an error may have to be raised at once: something around the call, or around a call of its function, may
    /// end what a member waits for that is not seen to end by itself.
    pub(super) fn may_be_ended(&self) -> Option<String> {
        let mut used = Used::default();
        for argument in &*self.call.arguments.args {
            used.visit_expr(argument);
        }
        used.follow(self.body);
        let mut found = None;
        around::any(self.file, &self.site, false, &mut |passed| {
            found = self.ends(passed, &used);
            found.is_some()
        });
        found.filter(|_| self.may_go_on())
    }

    /// Whether a member is not seen to end, as far as its code can be followed.
    fn may_go_on(&self) -> bool {
        let semantics = &self.file.semantics;
        let project = self.file.project;
        let own = FxHashSet::default();
        let goes_on = |member: &Member<'a>, seen: &Seen| match member {
            Member::Unseen => true,
            Member::Call(call) if endings::is_closing(&call.func) => {
                Seen::of_call(semantics, project, call, &own, Seen::waits).is_doubtful()
            }
            Member::Callee(callee) if endings::is_closing(callee) => {
                Seen::of_function(semantics, project, callee, Seen::waits).is_doubtful()
            }
            Member::Call(_) | Member::Callee(_) => seen.is_doubtful(),
        };
        let mut members = self.members.iter().zip(self.seen());
        self.members.is_empty() || members.any(|(member, seen)| goes_on(member, seen))
    }

    /// What runs when an error passes a block, and ends something that members may use: what they are made of is
    /// `used`.
    fn ends(&self, passed: Passed<'a>, used: &Used<'a>) -> Option<String> {
        let given;
        let used = match passed.call {
            Some(call) => {
                let mut names = Used::default();
                names.visit_expr_call(call);
                given = names;
                &given
            }
            None => used,
        };
        let statement = match passed.block {
            Block::With(with) => {
                let item = with.items.iter().find(|item| {
                    let target = item.optional_vars.as_deref();
                    (used.are_in(&item.context_expr)
                        || target.is_some_and(|target| used.are_in(target)))
                        && self.ends_when_left(&item.context_expr, with.is_async)
                })?;
                let manager = self.file.first_line(&item.context_expr);
                return Some(format!(
                    "`{manager}` would only be left after all have finished, and one of them may be waiting for that"
                ));
            }
            Block::Try(statement) | Block::Finally(statement) => statement,
        };
        let handlers = statement.handlers.iter().map(|handler| {
            let ExceptHandler::ExceptHandler(handler) = handler;
            &handler.body
        });
        let in_handlers = handlers.filter(|_| matches!(passed.block, Block::Try(_)));
        let mut suites = in_handlers.chain(std::iter::once(&statement.finalbody));
        let call = suites.find_map(|suite| self.freeing_call(suite, used, passed.function))?;
        Some(format!(
            "`{}` would only run after all have finished, and one of them may be waiting for it",
            self.file.first_line(call)
        ))
    }

    /// The first call in a suite of `function` that ends something which is `used`, or which others know as well.
    fn freeing_call(
        &self,
        suite: &'a [Stmt],
        used: &Used<'a>,
        function: Option<&ast::StmtFunctionDef>,
    ) -> Option<&'a ast::ExprCall> {
        let semantics = &self.file.semantics;
        let mut taken = used.clone();
        taken.follow_loops(suite);
        let is_known = |expr: &Expr| {
            root_name(expr).is_some_and(|name| {
                taken.names.contains(name)
                    || function.is_some_and(|function| !semantics.has_variable(function, name))
                        && !semantics.is_module(expr)
            })
        };
        endings::frees(semantics, self.file.project, suite, |call| {
            let mut own = Names::default();
            match &*call.func {
                Expr::Attribute(method) => own.visit_expr(&method.value),
                other => own.visit_expr(other),
            }
            own.visit_arguments(&call.arguments);
            own.0.into_iter().any(is_known)
        })
    }

    /// Whether leaving a `with` runs code of the project that ends something.
    fn ends_when_left(&self, manager: &Expr, is_async: bool) -> bool {
        let semantics = &self.file.semantics;
        let exit = if is_async { "__aexit__" } else { "__exit__" };
        let generator = match manager {
            Expr::Call(call) => semantics.function(&call.func),
            _ => None,
        };
        let mut functions = generator
            .into_iter()
            .chain(semantics.method_of_value(manager, exit));
        functions.any(|function| endings::is_freeing(semantics, self.file.project, &function))
    }
}

/// The names that something is made of.
#[derive(Default, Clone)]
struct Used<'a> {
    names: FxHashSet<&'a str>,
}

impl<'a> Used<'a> {
    fn visit_expr_call(&mut self, call: &'a ast::ExprCall) {
        if let Expr::Attribute(method) = &*call.func {
            self.visit_expr(&method.value);
        }
        let mut own = Names::default();
        own.visit_arguments(&call.arguments);
        self.names.extend(own.0.into_iter().filter_map(root_name));
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        let mut own = Names::default();
        own.visit_expr(expr);
        self.names.extend(own.0.into_iter().filter_map(root_name));
    }

    fn are_in(&self, expr: &Expr) -> bool {
        let mut own = Names::default();
        own.visit_expr(expr);
        let mut names = own.0.into_iter().filter_map(root_name);
        names.any(|name| self.names.contains(name))
    }

    /// Adds what the names are made of in a suite: by assignments, loops, and what is put into collections.
    fn follow(&mut self, body: &'a [Stmt]) {
        for _ in ALIASES.rounds() {
            let before = self.names.len();
            let mut sources = Sources {
                used: self,
                found: Vec::new(),
            };
            sources.visit_body(body);
            for expr in sources.found {
                self.visit_expr(expr);
            }
            if self.names.len() == before {
                break;
            }
        }
    }

    /// Adds the variables of loops in a suite that go through what is used.
    fn follow_loops(&mut self, suite: &'a [Stmt]) {
        struct Loops<'u, 'a>(&'u mut Used<'a>);
        impl<'a> SourceOrderVisitor<'a> for Loops<'_, 'a> {
            fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
                let (target, iter) = match node {
                    AnyNodeRef::StmtFor(inner) => (&*inner.target, &*inner.iter),
                    AnyNodeRef::Comprehension(inner) => (&inner.target, &inner.iter),
                    _ => return TraversalSignal::Traverse,
                };
                if self.0.are_in(iter) {
                    self.0.visit_expr(target);
                }
                TraversalSignal::Traverse
            }
        }
        Loops(self).visit_body(suite);
    }
}

/// Looks for what some names are made of.
struct Sources<'u, 'a> {
    used: &'u Used<'a>,
    found: Vec<&'a Expr>,
}

impl<'a> SourceOrderVisitor<'a> for Sources<'_, 'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtAssign(assign)
                if assign.targets.iter().any(|target| self.used.are_in(target)) =>
            {
                self.found.push(&assign.value);
            }
            AnyNodeRef::StmtAnnAssign(assign) if self.used.are_in(&assign.target) => {
                self.found.extend(assign.value.as_deref());
            }
            AnyNodeRef::StmtFor(inner) if self.used.are_in(&inner.target) => {
                self.found.push(&inner.iter);
            }
            // `coros.append(conn.close())`
            AnyNodeRef::ExprCall(call) => {
                if let Expr::Attribute(method) = &*call.func
                    && matches!(method.attr.as_str(), "append" | "extend" | "add")
                    && root_name(&method.value).is_some_and(|name| self.used.names.contains(name))
                {
                    self.found.extend(&call.arguments.args);
                }
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }
}

/// Collects the names in expressions.
#[derive(Default)]
struct Names<'a>(Vec<&'a Expr>);

impl<'a> SourceOrderVisitor<'a> for Names<'a> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Name(_) => self.0.push(expr),
            _ => walk_expr(self, expr),
        }
    }
}
