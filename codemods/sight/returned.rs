//! What functions give that have no annotation, told by what they return.

use ruff_python_ast::visitor::source_order::SourceOrderVisitor;
use ruff_python_ast::{self as ast, Expr, Stmt};
use ty_python_core::definition::Definition;

use super::{STEPS, look_again};
use crate::semantics::{BASES, Function, Semantics};
use crate::sketch::Returned;

impl<'db> Semantics<'db> {
    /// The class of what an object gives that is awaited, where its `__await__` leaves that to a coroutine
    /// function of its own: `return self.start().__await__()`.
    pub(super) fn class_waited_for(&self, expr: &Expr, steps: usize) -> Option<Definition<'db>> {
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
        self.by_result(function, is_awaited, |own, result| match result {
            Some(result) if own.is_self(result) => class,
            Some(result) => own.class_of_instance(result),
            None => look_again(|| own.class_returned(function.node(self.db())?, class)),
        })
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
        let mut returned = Returned(Vec::new());
        returned.visit_body(&function.body);
        let mut found = None;
        for value in returned.0 {
            // Something that is not there is not used.
            let Some(value) = value.filter(|value| !value.is_none_literal_expr()) else {
                continue;
            };
            let own = class.filter(|_| self.class_of_receiver(value).is_some());
            let class = own.or_else(|| self.class_to(value, STEPS))?;
            if found.is_some_and(|found| found != class) {
                return None;
            }
            found = Some(class);
        }
        found
    }

    /// The method that made the value of an expression, where nothing but what it returns says what that is: the
    /// name of its class, and its own.
    pub(crate) fn maker_without_annotation(&self, expr: &Expr) -> Option<(String, String)> {
        let mut made = expr;
        for _ in 0..STEPS {
            made = match made {
                Expr::Name(name) => self.value_behind(name)?,
                Expr::Await(awaited) => &awaited.value,
                _ => break,
            };
        }
        let call = made.as_call_expr()?;
        let method = call.func.as_attribute_expr()?;
        let function = self.function_in_sight(&call.func)?;
        if function.node(self.db())?.returns.is_some() {
            return None;
        }
        let class = self.class_names_of(&method.value).into_iter().next()?;
        Some((class, method.attr.to_string()))
    }
}
