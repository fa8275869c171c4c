//! What the members of a `gather` do with exceptions: give them back, catch them all, raise them.

use asyncfix_analysis::answers::coroutines::Member;
use asyncfix_analysis::answers::endings;
use asyncfix_analysis::answers::exceptions::is_exception_class;
use asyncfix_analysis::limits::{BODIES, Limit, WRAPPERS};
use asyncfix_analysis::resolve::semantics::Semantics;
use asyncfix_syntax::queries::{last_name, names_in};
use ruff_python_ast::visitor::source_order::{
    SourceOrderVisitor, TraversalSignal, walk_except_handler, walk_expr, walk_stmt,
};
use ruff_python_ast::{self as ast, AnyNodeRef, ExceptHandler, Expr, Operator, Stmt};
use rustc_hash::FxHashSet;

/// Whether a coroutine gives exceptions back as values: its annotation says so, it returns one, or it returns what
/// such a one gives it.
pub fn returns_exceptions(semantics: &Semantics<'_>, callee: &Expr) -> bool {
    returns_exceptions_to(semantics, callee, WRAPPERS)
}

fn returns_exceptions_to(semantics: &Semantics<'_>, callee: &Expr, depth: Limit) -> bool {
    semantics.functions(callee).into_iter().any(|function| {
        let Some(node) = function.node(semantics.db()) else {
            return false;
        };
        let own = semantics.of_function(&function);
        let variants = own.functions_beside(node);
        let mut annotations = variants.iter().filter_map(|node| node.returns.as_deref());
        if annotations.any(|annotation| speaks_of_exception(&own, annotation)) {
            return true;
        }
        let mut search = ReturnedExceptions {
            own: &own,
            held: Vec::new(),
            kept: Vec::new(),
            called: Vec::new(),
            found: false,
        };
        for node in variants {
            search.visit_body(&node.body);
        }
        let mut inner = search.called.iter();
        search.found
            || depth
                .less()
                .is_some_and(|depth| inner.any(|callee| returns_exceptions_to(&own, callee, depth)))
    })
}

/// Whether an annotation allows an exception itself: `E`, `E | None`, `Optional[E]`, `Union[…]`, quoted or not.
fn speaks_of_exception(own: &Semantics<'_>, annotation: &Expr) -> bool {
    match annotation {
        Expr::Name(_) | Expr::Attribute(_) => is_exception_class(own, annotation),
        Expr::BinOp(ast::ExprBinOp {
            left,
            op: Operator::BitOr,
            right,
            ..
        }) => speaks_of_exception(own, left) || speaks_of_exception(own, right),
        Expr::Subscript(subscript)
            if matches!(
                last_name(&subscript.value),
                Some("Optional" | "Union" | "Annotated")
            ) =>
        {
            match &*subscript.slice {
                Expr::Tuple(tuple) => tuple.elts.iter().any(|part| speaks_of_exception(own, part)),
                only => speaks_of_exception(own, only),
            }
        }
        Expr::StringLiteral(literal) => {
            let text = literal.value.to_str();
            // Names of classes in a quoted annotation are looked up by those of the module.
            text.split(['|', '[', ']', ','])
                .map(str::trim)
                .any(|name| is_named_exception(own, name))
        }
        _ => false,
    }
}

/// Whether a name in a quoted annotation is that of a class of exceptions: one of the module, or called like one.
fn is_named_exception(own: &Semantics<'_>, name: &str) -> bool {
    let of_module = own
        .module()
        .syntax()
        .body
        .iter()
        .find_map(|statement| match statement {
            Stmt::ClassDef(class) if class.name.as_str() == name => Some(class),
            _ => None,
        });
    match of_module {
        Some(class) => class
            .bases()
            .iter()
            .any(|base| is_exception_class(own, base)),
        None => name.ends_with("Error") || name.ends_with("Exception"),
    }
}

struct ReturnedExceptions<'s, 'a, 'db> {
    own: &'s Semantics<'db>,
    /// The names that have exceptions.
    held: Vec<&'a str>,
    /// The names of attributes that do.
    kept: Vec<&'a str>,
    /// What is called by `return …` and `return await …`.
    called: Vec<&'a Expr>,
    found: bool,
}

impl ReturnedExceptions<'_, '_, '_> {
    fn is_exception(&self, value: &Expr) -> bool {
        match value {
            Expr::Name(name) => self.held.contains(&name.id.as_str()),
            // `task.exception()`
            Expr::Call(call) => {
                is_exception_class(self.own, &call.func)
                    || call.arguments.is_empty()
                        && matches!(&*call.func, Expr::Attribute(method) if method.attr.as_str() == "exception")
            }
            Expr::Attribute(attribute) => self.kept.contains(&attribute.attr.as_str()),
            Expr::BoolOp(either) => either.values.iter().any(|value| self.is_exception(value)),
            Expr::If(conditional) => {
                self.is_exception(&conditional.body) || self.is_exception(&conditional.orelse)
            }
            _ => false,
        }
    }
}

impl<'a> SourceOrderVisitor<'a> for ReturnedExceptions<'_, 'a, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::ExceptHandlerExceptHandler(handler) => {
                self.held
                    .extend(handler.name.as_ref().map(ast::Identifier::as_str));
            }
            AnyNodeRef::StmtAssign(assign) if self.is_exception(&assign.value) => {
                for target in &assign.targets {
                    match target {
                        Expr::Name(name) => self.held.push(&name.id),
                        Expr::Attribute(attribute) => self.kept.push(&attribute.attr),
                        _ => {}
                    }
                }
            }
            AnyNodeRef::StmtAnnAssign(assign) => {
                if let (Some(value), Expr::Name(name)) = (&assign.value, &*assign.target)
                    && self.is_exception(value)
                {
                    self.held.push(&name.id);
                }
            }
            AnyNodeRef::StmtReturn(statement) => {
                if let Some(value) = statement.value.as_deref() {
                    self.found |= self.is_exception(value);
                    let value = match value {
                        Expr::Await(awaited) => &*awaited.value,
                        other => other,
                    };
                    if let Expr::Call(call) = value {
                        self.called.push(&call.func);
                    }
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

/// Whether a coroutine catches everything that goes wrong in it: its body is a `try` with `except Exception`, and
/// nothing in a handler raises.
pub fn catches_everything(semantics: &Semantics<'_>, callee: &Expr) -> bool {
    catches_everything_to(semantics, callee, WRAPPERS)
}

fn catches_everything_to(semantics: &Semantics<'_>, callee: &Expr, depth: Limit) -> bool {
    let Some(function) = semantics.function(callee) else {
        return false;
    };
    let Some(node) = function.node(semantics.db()) else {
        return false;
    };
    if !node.is_async || !node.decorator_list.is_empty() {
        return false;
    }
    let own = semantics.of_function(&function);
    // Of one that only names what is there, nothing is known to be caught.
    let tries = node.body.iter().any(|statement| !is_calm(&own, statement));
    tries
        && node
            .body
            .iter()
            .all(|statement| is_quiet(&own, statement, depth))
}

/// Whether a statement raises nothing by itself: it only gives names to what is there.
fn is_calm(own: &Semantics<'_>, statement: &Stmt) -> bool {
    let is_value = |value: &Expr| is_calm_value(own, value);
    match statement {
        Stmt::Pass(_)
        | Stmt::Break(_)
        | Stmt::Continue(_)
        | Stmt::Global(_)
        | Stmt::Nonlocal(_)
        | Stmt::FunctionDef(_) => true,
        Stmt::Expr(inner) => is_value(&inner.value),
        Stmt::Assign(assign) => {
            assign.targets.iter().all(Expr::is_name_expr) && is_value(&assign.value)
        }
        // `count += 1`
        Stmt::AugAssign(assign) => {
            assign.target.is_name_expr() && assign.value.is_number_literal_expr()
        }
        Stmt::AnnAssign(assign) => assign.value.as_deref().is_none_or(is_value),
        Stmt::Return(inner) => inner.value.as_deref().is_none_or(is_value),
        _ => false,
    }
}

/// Whether nothing is raised where a value is made: it is there, or comes from a function that raises nothing.
fn is_calm_value(own: &Semantics<'_>, value: &Expr) -> bool {
    match value {
        Expr::Call(call) => {
            call.arguments
                .iter_source_order()
                .all(|argument| is_plain(argument.value()))
                && endings::is_calm(own, &call.func)
        }
        other => is_plain(other),
    }
}

/// Whether a test looks at what is there and nothing else.
fn is_plain_test(test: &Expr) -> bool {
    match test {
        Expr::UnaryOp(operation) => is_plain_test(&operation.operand),
        Expr::BoolOp(operation) => operation.values.iter().all(is_plain_test),
        Expr::Compare(comparison) => {
            is_plain(&comparison.left) && comparison.comparators.iter().all(is_plain)
        }
        other => is_plain(other),
    }
}

fn is_plain(expr: &Expr) -> bool {
    match expr {
        Expr::Name(_) => true,
        Expr::Attribute(attribute) => is_plain(&attribute.value),
        Expr::List(ast::ExprList { elts, .. }) | Expr::Tuple(ast::ExprTuple { elts, .. }) => {
            elts.iter().all(is_plain)
        }
        Expr::Dict(dict) => dict.items.is_empty(),
        // `f"{url}/items"`: to show what is there as a text.
        Expr::FString(text) => text.value.elements().all(|part| match part {
            ast::InterpolatedStringElement::Literal(_) => true,
            ast::InterpolatedStringElement::Interpolation(shown) => {
                shown.format_spec.is_none() && is_plain(&shown.expression)
            }
        }),
        other => other.is_literal_expr(),
    }
}

/// Whether nothing that goes wrong in a statement leaves it.
fn is_quiet(own: &Semantics<'_>, statement: &Stmt, depth: Limit) -> bool {
    let is_caught = |value: &Expr| match value {
        Expr::Await(awaited) => match &*awaited.value {
            Expr::Call(call) => {
                let mut arguments = call.arguments.iter_source_order();
                depth.less().is_some_and(|depth| {
                    arguments.all(|argument| is_plain(argument.value()))
                        && catches_everything_to(own, &call.func, depth)
                })
            }
            _ => false,
        },
        _ => false,
    };
    let are_quiet = |body: &[Stmt]| body.iter().all(|inner| is_quiet(own, inner, depth));
    match statement {
        _ if is_calm(own, statement) => true,
        Stmt::Expr(inner) => is_caught(&inner.value),
        Stmt::Assign(assign) => {
            assign.targets.iter().all(Expr::is_name_expr) && is_caught(&assign.value)
        }
        Stmt::Return(inner) => inner.value.as_deref().is_some_and(is_caught),
        // `if not item.id: return {}`
        Stmt::If(choice) => {
            is_plain_test(&choice.test)
                && are_quiet(&choice.body)
                && choice.elif_else_clauses.iter().all(|clause| {
                    clause.test.as_ref().is_none_or(is_plain_test) && are_quiet(&clause.body)
                })
        }
        // `for attempt in range(3):`
        Stmt::For(inner) => {
            !inner.is_async
                && inner.target.is_name_expr()
                && (is_plain(&inner.iter)
                    || matches!(&*inner.iter, Expr::Call(call)
                        if own.means(&call.func, &["builtins.range"])
                            && call.arguments.args.iter().all(is_plain)))
                && are_quiet(&inner.body)
                && are_quiet(&inner.orelse)
        }
        // `async with semaphore:`
        Stmt::With(with) => {
            with.items.iter().all(|item| is_plain(&item.context_expr)) && are_quiet(&with.body)
        }
        Stmt::Try(inner) => {
            let catches = inner.handlers.iter().any(|handler| {
                let ExceptHandler::ExceptHandler(handler) = handler;
                handler.type_.as_deref().is_none_or(|kind| {
                    own.means(kind, &["builtins.Exception", "builtins.BaseException"])
                })
            });
            let raises = inner.handlers.iter().any(|handler| {
                let ExceptHandler::ExceptHandler(handler) = handler;
                let is_cancellation = handler
                    .type_
                    .as_deref()
                    .is_some_and(|kind| own.means(kind, &["asyncio.CancelledError"]));
                !is_cancellation && raises(&handler.body)
            });
            catches && !raises && are_quiet(&inner.orelse) && !self::raises(&inner.finalbody)
        }
        _ => false,
    }
}

fn raises(body: &[Stmt]) -> bool {
    struct Raises(bool);
    impl<'a> SourceOrderVisitor<'a> for Raises {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.0 |= node.is_stmt_raise();
            if node.is_stmt_function_def() {
                TraversalSignal::Skip
            } else {
                TraversalSignal::Traverse
            }
        }
    }
    let mut search = Raises(false);
    search.visit_body(body);
    search.0
}

/// Whether the members may raise exceptions of more than one class, so that it matters which one comes first.
pub fn may_raise_different_ones(semantics: &Semantics<'_>, members: &[Member<'_>]) -> bool {
    let mut raised = Raised::default();
    for member in members {
        match member.callee() {
            Some(callee) => raised.by_callee(semantics, callee, BODIES),
            None => raised.is_unknown = true,
        }
    }
    members.is_empty() || raised.is_unknown || raised.classes.len() > 1
}

/// What is raised by some coroutines.
#[derive(Default)]
struct Raised {
    classes: FxHashSet<String>,
    is_unknown: bool,
}

impl Raised {
    fn by_callee(&mut self, semantics: &Semantics<'_>, callee: &Expr, depth: Limit) {
        let is_calm =
            || endings::is_calm(semantics, callee) || is_exception_class(semantics, callee);
        if self.is_unknown || is_calm() {
            return;
        }
        let function = semantics.function(callee);
        let node = function
            .as_ref()
            .and_then(|function| function.node(semantics.db()));
        let (Some(function), Some(node), Some(depth)) = (&function, node, depth.less()) else {
            self.is_unknown = true;
            return;
        };
        if !node.decorator_list.is_empty()
            || function
                .definition()
                .file(semantics.db())
                .is_stub(semantics.db())
        {
            self.is_unknown = true;
            return;
        }
        let own = semantics.of_function(function);
        let mut search = Raising {
            own: &own,
            depth,
            raised: self,
        };
        search.visit_body(&node.body);
    }
}

struct Raising<'s, 'r, 'db> {
    own: &'s Semantics<'db>,
    depth: Limit,
    raised: &'r mut Raised,
}

impl<'a> SourceOrderVisitor<'a> for Raising<'_, '_, '_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => {}
            Stmt::Raise(raise) => {
                match raise.exc.as_deref() {
                    Some(Expr::Call(call)) => self.raise(&call.func),
                    Some(class) => self.raise(class),
                    None => self.raised.is_unknown = true,
                }
                walk_stmt(self, statement);
            }
            Stmt::Assert(_) | Stmt::Delete(_) | Stmt::Import(_) | Stmt::ImportFrom(_) => {
                self.raised.is_unknown = true;
            }
            _ => walk_stmt(self, statement),
        }
    }

    fn visit_except_handler(&mut self, handler: &'a ExceptHandler) {
        let ExceptHandler::ExceptHandler(inner) = handler;
        // What is raised again there is a cancellation, and not one of the members' errors.
        let is_cancellation = inner
            .type_
            .as_deref()
            .is_some_and(|kind| self.own.means(kind, &["asyncio.CancelledError"]));
        if !is_cancellation {
            walk_except_handler(self, handler);
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Lambda(_) => return,
            Expr::Call(call) => self.raised.by_callee(self.own, &call.func, self.depth),
            Expr::Subscript(subscript) if subscript.ctx.is_load() => self.raised.is_unknown = true,
            Expr::BinOp(operation)
                if matches!(
                    operation.op,
                    Operator::Div | Operator::FloorDiv | Operator::Mod
                ) =>
            {
                self.raised.is_unknown = true;
            }
            _ => {}
        }
        walk_expr(self, expr);
    }
}

impl Raising<'_, '_, '_> {
    fn raise(&mut self, class: &Expr) {
        if is_exception_class(self.own, class) {
            let path = self.own.qualified_name(class);
            let name = path.or_else(|| names_in(class).find_map(last_name).map(str::to_owned));
            self.raised.classes.extend(name);
        } else {
            self.raised.is_unknown = true;
        }
    }
}
