//! What code cannot do in another thread: ask for the exception that is being handled, and end with
//! `StopIteration`.

use asyncfix_knowledge::conduct::{asks_for_exception, exception_keywords};
use asyncfix_syntax::lines::one_line;
use asyncfix_syntax::queries::{last_name, yields};
use ruff_python_ast::visitor::source_order::{
    SourceOrderVisitor, walk_arguments, walk_expr, walk_stmt,
};
use ruff_python_ast::{self as ast, ExceptHandler, Expr, Stmt};
use ruff_text_size::Ranged;

/// What catches a `StopIteration`.
const CATCHING: [&str; 3] = [
    "builtins.StopIteration",
    "builtins.Exception",
    "builtins.BaseException",
];

/// The dotted path by which the value of an expression can be imported, as far as it is known.
pub type PathOf<'r, 'a> = &'r dyn Fn(&'a Expr) -> Option<String>;

/// What keeps code out of another thread.
pub struct Obstacles<'r, 'a> {
    source: &'r str,
    path_of: PathOf<'r, 'a>,
    /// Names of exceptions that are at hand.
    caught: Vec<&'a str>,
    /// How many handlers of the code itself are around: in them there is a current exception in
    /// any thread.
    handlers: usize,
    /// How many parts of the code are around that let no `StopIteration` out.
    stops: usize,
    found: Option<String>,
}

impl<'r, 'a> Obstacles<'r, 'a> {
    /// `caught` are the names of exceptions that handlers around the code have caught.
    pub fn new(source: &'r str, path_of: PathOf<'r, 'a>, caught: Vec<&'a str>) -> Self {
        Self {
            source,
            path_of,
            caught,
            handlers: 0,
            stops: 0,
            found: None,
        }
    }

    /// Why statements cannot run in another thread, or `None`.
    pub fn of_suite(mut self, suite: &'a [Stmt]) -> Option<String> {
        self.visit_body(suite);
        self.found
    }

    /// Why a call cannot be made in another thread, or `None`.
    pub fn of_call(mut self, call: &'a ast::ExprCall) -> Option<String> {
        self.visit_expr(&call.func);
        walk_arguments(&mut self, &call.arguments);
        self.call(call);
        self.found
    }

    fn find(&mut self, reason: impl FnOnce() -> String) {
        if self.found.is_none() {
            self.found = Some(reason());
        }
    }

    fn asks(&mut self, what: &str) {
        if self.handlers == 0 {
            self.find(|| {
                format!("{what} needs the current exception, which another thread does not have")
            });
        }
    }

    fn stop(&mut self) {
        if self.stops == 0 {
            self.find(|| {
                "it may raise `StopIteration`, which cannot be passed out of a thread".to_owned()
            });
        }
    }

    fn call(&mut self, call: &'a ast::ExprCall) {
        let path = (self.path_of)(&call.func);
        let last = last_name(&call.func);
        let method = call.func.as_attribute_expr();
        let method = method.map(|method| method.attr.as_str());
        let callee = |this: &Self| format!("`{}`", one_line(&this.source[call.func.range()]));
        if asks_for_exception(path.as_deref(), method, call.arguments.is_empty()) {
            let callee = callee(self);
            self.asks(&callee);
        }
        for keyword in &call.arguments.keywords {
            let Some(name) = &keyword.arg else { continue };
            let hands_over = match &keyword.value {
                Expr::Name(value) => self.caught.contains(&value.id.as_str()),
                Expr::NoneLiteral(_) => true,
                Expr::BooleanLiteral(literal) => !literal.value,
                _ => false,
            };
            let is_asked = exception_keywords().any(|(callee, keyword)| {
                keyword == name.as_str() && callee.is_none_or(|callee| last == Some(callee))
            });
            if is_asked && !hands_over {
                let callee = format!("`{}` of {}", name.as_str(), callee(self));
                self.asks(&callee);
            }
        }
        let is_builtin = path.as_deref() == Some("builtins.next");
        let steps = match &*call.func {
            Expr::Attribute(method) => match method.attr.as_str() {
                "__next__" => call.arguments.is_empty(),
                // Of a generator, which starts so.
                "send" => matches!(&*call.arguments.args, [Expr::NoneLiteral(_)]),
                _ => false,
            },
            _ => false,
        };
        if steps || is_builtin && call.arguments.len() < 2 {
            self.stop();
        }
    }

    /// Whether an exception handler takes a `StopIteration` for good.
    fn catches(&self, handler: &'a ast::ExceptHandlerExceptHandler) -> bool {
        let is_one = |expr: &'a Expr| {
            (self.path_of)(expr).is_some_and(|path| CATCHING.contains(&path.as_str()))
        };
        let catches = match handler.type_.as_deref() {
            None => true,
            Some(Expr::Tuple(tuple)) => tuple.elts.iter().any(is_one),
            Some(expr) => is_one(expr),
        };
        catches && !raises_again(&handler.body, handler.name.as_deref())
    }

    fn suppresses(&self, item: &'a ast::WithItem) -> bool {
        let Expr::Call(call) = &item.context_expr else {
            return false;
        };
        (self.path_of)(&call.func).as_deref() == Some("contextlib.suppress")
            && call.arguments.args.iter().any(|expr| {
                (self.path_of)(expr).is_some_and(|path| CATCHING.contains(&path.as_str()))
            })
    }

    /// Code that runs when it is called, wherever that is.
    fn later(&mut self, keeps_stops: bool, visit: impl FnOnce(&mut Self)) {
        let around = (self.handlers, self.stops);
        (self.handlers, self.stops) = (0, usize::from(keeps_stops));
        visit(self);
        (self.handlers, self.stops) = around;
    }
}

impl<'a> SourceOrderVisitor<'a> for Obstacles<'_, 'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Raise(raise) => {
                match raise.exc.as_deref() {
                    None => self.asks("a bare `raise`"),
                    Some(raised) => {
                        let raised = match raised {
                            Expr::Call(call) => &*call.func,
                            other => other,
                        };
                        if last_name(raised) == Some("StopIteration") {
                            self.stop();
                        }
                    }
                }
                walk_stmt(self, statement);
            }
            Stmt::Try(inner) => {
                let handlers = || {
                    inner.handlers.iter().map(|handler| {
                        let ExceptHandler::ExceptHandler(handler) = handler;
                        handler
                    })
                };
                // The first handler that takes it is the one.
                let catches = usize::from(handlers().any(|handler| self.catches(handler)));
                self.stops += catches;
                self.visit_body(&inner.body);
                self.stops -= catches;
                for handler in handlers() {
                    self.caught.extend(handler.name.as_deref());
                    self.handlers += 1;
                    self.visit_body(&handler.body);
                    self.handlers -= 1;
                }
                self.visit_body(&inner.orelse);
                self.visit_body(&inner.finalbody);
            }
            Stmt::With(inner) if inner.items.iter().any(|item| self.suppresses(item)) => {
                self.stops += 1;
                walk_stmt(self, statement);
                self.stops -= 1;
            }
            // PEP 479: a generator or coroutine that ends so raises a `RuntimeError`.
            Stmt::FunctionDef(inner) => {
                let keeps_stops = inner.is_async || yields(inner);
                self.later(keeps_stops, |this| walk_stmt(this, statement));
            }
            _ => walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Call(call) => {
                walk_expr(self, expr);
                self.call(call);
            }
            Expr::Lambda(_) => self.later(false, |this| walk_expr(this, expr)),
            Expr::Generator(generator) => {
                // The first iterable is asked for where the generator is made.
                if let Some(first) = generator.generators.first() {
                    self.visit_expr(&first.iter);
                }
                self.stops += 1;
                walk_expr(self, expr);
                self.stops -= 1;
            }
            _ => walk_expr(self, expr),
        }
    }
}

/// Whether a suite raises the exception again that it handles, as far as is seen.
fn raises_again(suite: &[Stmt], name: Option<&str>) -> bool {
    struct Search<'n> {
        name: Option<&'n str>,
        found: bool,
    }
    impl<'a> SourceOrderVisitor<'a> for Search<'_> {
        fn visit_stmt(&mut self, statement: &'a Stmt) {
            if let Stmt::Raise(raise) = statement {
                self.found |= match raise.exc.as_deref() {
                    None => true,
                    Some(Expr::Name(raised)) => self.name == Some(raised.id.as_str()),
                    Some(_) => false,
                };
            }
            walk_stmt(self, statement);
        }

        fn visit_expr(&mut self, _expr: &'a Expr) {}
    }
    let mut search = Search { name, found: false };
    search.visit_body(suite);
    search.found
}
