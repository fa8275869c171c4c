//! What functions give that have no annotation, told by what they return.

use asyncfix_syntax::queries::last_name;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ty_python_core::definition::Definition;

use crate::infer::callee_awaitability::returned_by;
use crate::limits::{BASES, Limit, RETURNS, STEPS};
use crate::resolve::definitions::Function;
use crate::resolve::semantics::Semantics;

impl<'db> Semantics<'db> {
    /// The class of what an object gives that is awaited, where its `__await__` leaves that to a coroutine
    /// function of its own: `return self.start().__await__()`.
    pub(super) fn class_waited_for(&self, expr: &Expr, steps: Limit) -> Option<Definition<'db>> {
        let class = self.class_to(expr, steps)?;
        let function = self.function_of(self.method_of(class, "__await__", BASES)?)?;
        let own = self.of_function(&function);
        let [Stmt::Return(last)] = function.node(self.db())?.body.as_slice() else {
            return None;
        };
        let handed = last
            .value
            .as_deref()?
            .as_call_expr()?
            .func
            .as_attribute_expr()?;
        let start = handed.value.as_call_expr()?.func.as_attribute_expr()?;
        own.class_of_receiver(&start.value)?;
        self.note_kept(class, "__await__");
        (handed.attr.as_str() == "__await__")
            .then(|| self.class_given_by(class, &start.attr, true))?
    }

    /// The class of what a method of the instances of a class gives, or awaiting what it gives.
    pub(super) fn class_given_by(
        &self,
        class: Definition<'db>,
        method: &str,
        is_awaited: bool,
    ) -> Option<Definition<'db>> {
        let function = self.function_of(self.method_of(class, method, BASES)?)?;
        self.class_by_result(&function, is_awaited, Some(class))
    }

    /// The class of what a function gives, or awaiting what it gives: by its annotation or, where it has none,
    /// by what it returns. `class` is that of the object whose method it is.
    pub(super) fn class_by_result(
        &self,
        function: &Function<'db>,
        is_awaited: bool,
        class: Option<Definition<'db>>,
    ) -> Option<Definition<'db>> {
        if let Some(node) = function.node(self.db())
            && node.is_async == is_awaited
            && let Some(class) = class
            && self.of_function(function).returns_own_instances(node)
        {
            self.note_kept(class, &node.name);
            return Some(class);
        }
        self.by_result(function, is_awaited, |own, result| match result {
            Some(result) if own.is_self(result) => class,
            Some(result) => own.class_of_instance(result),
            None => {
                let node = function.node(self.db())?;
                let found = self.look_again(|| own.class_returned(node, class))?;
                if let Some(class) = class.or_else(|| own.class_with_method(node)) {
                    self.note_kept(class, &node.name);
                }
                Some(found)
            }
        })
    }

    /// The class of all that a generator of this file yields.
    pub(super) fn class_yielded(&self, function: &ast::StmtFunctionDef) -> Option<Definition<'db>> {
        let mut yielded = Yielded(Vec::new());
        yielded.visit_body(&function.body);
        let mut values = yielded.0.into_iter();
        let first = self.class_to(values.next()??, STEPS)?;
        values
            .all(|value| value.and_then(|value| self.class_to(value, STEPS)) == Some(first))
            .then_some(first)
    }

    /// Whether all that a class method without an annotation returns are instances of the class that it is called on:
    /// `return cls()`.
    fn returns_own_instances(&self, function: &ast::StmtFunctionDef) -> bool {
        let is_one = matches!(function.decorator_list.as_slice(), [only]
            if self.means(&only.expression, &["builtins.classmethod"]));
        let Some(first) = function.parameters.iter_non_variadic_params().next() else {
            return false;
        };
        let makes_one = |value: &Expr| {
            matches!(value, Expr::Call(call)
                if matches!(&*call.func, Expr::Name(callee)
                    if callee.id == first.name().id
                        && matches!(self.bindings(callee).as_deref(), Some([definition])
                            if definition.kind(self.db()).is_parameter_def())))
        };
        let returned = returned_by(&function.body);
        is_one
            && function.returns.is_none()
            && !returned.is_empty()
            && returned.into_iter().all(|value| match value {
                Some(Expr::Name(name)) => self.value_behind(name).is_some_and(makes_one),
                Some(value) => makes_one(value),
                None => false,
            })
    }

    /// The class in whose body a function of this file stands.
    fn class_with_method(&self, function: &ast::StmtFunctionDef) -> Option<Definition<'db>> {
        let scope = self.function_scope(function)?;
        self.index().class_definition_of_method(scope)
    }

    /// The class of everything that a function of this file returns.
    fn class_returned(
        &self,
        function: &ast::StmtFunctionDef,
        class: Option<Definition<'db>>,
    ) -> Option<Definition<'db>> {
        if self
            .function_scope(function)?
            .is_generator_function(self.index())
        {
            return None;
        }
        let returned = returned_by(&function.body);
        if !RETURNS.allows(returned.len()) {
            return None;
        }
        let mut found = None;
        for value in returned {
            // Something that is not there is not used.
            let Some(value) = value.filter(|value| !value.is_none_literal_expr()) else {
                continue;
            };
            let own = class.filter(|_| self.class_of_receiver(value).is_some());
            let class = if let Some(own) = own {
                own
            } else {
                self.note_changes(function, value)?;
                self.class_to(value, STEPS)?
            };
            if found.is_some_and(|found| found != class) {
                return None;
            }
            found = Some(class);
        }
        found
    }

    /// Notes under which names a function gives something to what it returns; `None` where it may make something else
    /// of it in other ways.
    fn note_changes(&self, function: &ast::StmtFunctionDef, returned: &Expr) -> Option<()> {
        let Expr::Name(returned) = returned else {
            return Some(());
        };
        let mut changes = Changes {
            name: &returned.id,
            given: Vec::new(),
            is_unclear: false,
        };
        changes.visit_body(&function.body);
        changes.given.iter().for_each(|name| self.note_given(name));
        (!changes.is_unclear).then_some(())
    }
}

/// Collects what a generator yields.
struct Yielded<'a>(Vec<Option<&'a Expr>>);

impl<'a> SourceOrderVisitor<'a> for Yielded<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::ExprYield(given) => self.0.push(given.value.as_deref()),
            AnyNodeRef::ExprYieldFrom(_) => self.0.push(None),
            AnyNodeRef::StmtFunctionDef(_)
            | AnyNodeRef::StmtClassDef(_)
            | AnyNodeRef::ExprLambda(_) => return TraversalSignal::Skip,
            _ => {}
        }
        TraversalSignal::Traverse
    }
}

/// Looks for what is given to the attributes of something.
struct Changes<'a, 'n> {
    name: &'n str,
    given: Vec<&'a str>,
    is_unclear: bool,
}

impl Changes<'_, '_> {
    fn is_it(&self, expr: &Expr) -> bool {
        matches!(expr, Expr::Name(name) if name.id == self.name)
    }

    fn is_of_it(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Attribute(attribute) => self.is_of_it(&attribute.value),
            Expr::Subscript(subscript) => self.is_of_it(&subscript.value),
            expr => self.is_it(expr),
        }
    }
}

impl<'a> SourceOrderVisitor<'a> for Changes<'a, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            // What has no class of its own makes no difference.
            AnyNodeRef::StmtAssign(assign) if assign.value.is_literal_expr() => {
                return TraversalSignal::Skip;
            }
            // What has two names is changed by the other one as well.
            AnyNodeRef::StmtAssign(assign) => {
                let has_other = assign.targets.len() > 1
                    && assign.targets.iter().any(|target| self.is_it(target))
                    || self.is_it(&assign.value) && assign.targets.iter().any(Expr::is_name_expr);
                self.is_unclear |= has_other;
            }
            AnyNodeRef::ExprAttribute(attribute) if self.is_of_it(&attribute.value) => {
                self.is_unclear |= matches!(&*attribute.attr, "__class__" | "__dict__");
                if !attribute.ctx.is_load() {
                    self.given.push(&attribute.attr);
                }
            }
            AnyNodeRef::ExprCall(call) => {
                let is_setter = matches!(last_name(&call.func), Some("setattr" | "vars"));
                let mut given = call.arguments.args.iter();
                self.is_unclear |= is_setter && given.any(|given| self.is_of_it(given));
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }
}
