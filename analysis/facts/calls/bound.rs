//! Objects that belong to the thread that made them: where a function uses one from outside, or makes
//! one that leaves it.

use asyncfix_knowledge::blocking::{Kind, ThreadBound};
use asyncfix_knowledge::stdlib::is_stdlib;
use asyncfix_syntax::lines::one_line;
use asyncfix_syntax::site::suites_in;
use ruff_python_ast::{self as ast, Expr};
use ruff_text_size::Ranged;

use super::values::Value;
use super::walk::Walk;
use super::writer::Writer;
use super::{Borrowed, Target};
use crate::facts::blocking_calls::is_free;
use crate::facts::scopes::{Binding, Kind as ScopeKind};
use crate::limits::{BINDINGS, Limit};

/// What is said of a function that has to do with such an object.
pub fn reason(written: &str, what: &str) -> String {
    format!("`{written}` is {what}, which belongs to the thread that made it")
}

impl<'a> Writer<'_, 'a> {
    /// What the value of an expression is, or may be, where that belongs to the thread that made it.
    pub fn bound(
        &self,
        expr: &'a Expr,
        scope: usize,
        steps: Limit,
    ) -> Option<&'static ThreadBound> {
        if !self.has_bound {
            return None;
        }
        let steps = steps.less()?;
        let bound = |expr: &'a Expr| self.bound(expr, scope, steps);
        match expr {
            Expr::Name(name) => self.bound_name(&name.id, scope, steps),
            Expr::Attribute(attribute) => self.bound_attribute(attribute, scope, steps),
            Expr::Call(call) => self.bound_call(call, scope, steps),
            Expr::If(either) => bound(&either.body).or_else(|| bound(&either.orelse)),
            Expr::BoolOp(either) => either.values.iter().find_map(bound),
            Expr::Named(named) => bound(&named.value),
            _ => None,
        }
    }

    fn bound_attribute(
        &self,
        attribute: &'a ast::ExprAttribute,
        scope: usize,
        steps: Limit,
    ) -> Option<&'static ThreadBound> {
        match self.value(&attribute.value, scope, BINDINGS)? {
            Value::Instance(Target::Class(class)) | Value::Target(Target::Class(class)) => {
                self.bound_member(class, &attribute.attr, steps)
            }
            _ => None,
        }
    }

    fn bound_call(
        &self,
        call: &'a ast::ExprCall,
        scope: usize,
        steps: Limit,
    ) -> Option<&'static ThreadBound> {
        if let Expr::Attribute(method) = &*call.func
            && let Some(owner) = self.bound(&method.value, scope, steps)
        {
            return owner.given_by(&method.attr);
        }
        match self.target(&call.func, scope) {
            Target::Import(path) => match path.dotted()? {
                "contextlib.closing" => self.bound(call.arguments.args.first()?, scope, steps),
                path => ThreadBound::of(path).filter(|bound| !is_free(bound, call)),
            },
            Target::Function(number) => {
                let (scope, function) = self.function_of(number)?;
                let parent = self.scopes.all.get(scope)?.parent;
                let annotated = function.returns.as_deref();
                annotated
                    .and_then(|returns| self.bound_by_annotation(returns, parent))
                    .or_else(|| self.bound_returned(&function.body, scope, steps))
            }
            _ => None,
        }
    }

    fn bound_returned(
        &self,
        suite: &'a [ast::Stmt],
        scope: usize,
        steps: Limit,
    ) -> Option<&'static ThreadBound> {
        suite.iter().find_map(|statement| match statement {
            ast::Stmt::Return(returned) => {
                let value = returned.value.as_deref()?;
                self.bound(value, scope, steps)
            }
            ast::Stmt::FunctionDef(_) | ast::Stmt::ClassDef(_) => None,
            other => suites_in(other)
                .into_iter()
                .find_map(|suite| self.bound_returned(suite, scope, steps)),
        })
    }

    /// The function with this number, and its scope.
    pub(super) fn function_of(&self, number: u32) -> Option<(usize, &'a ast::StmtFunctionDef)> {
        let mut scopes = self.functions.iter();
        let (scope, _) = scopes.find(|(_, known)| **known == number)?;
        match self.scopes.all.get(*scope)?.kind {
            ScopeKind::Function(function) => Some((*scope, function)),
            _ => None,
        }
    }

    pub(crate) fn bound_name(
        &self,
        name: &str,
        scope: usize,
        steps: Limit,
    ) -> Option<&'static ThreadBound> {
        let mut everywhere = Vec::new();
        if self.scopes.shared.contains(name) {
            // Where it is declared `global`, other functions may bind it.
            everywhere.extend(0..self.scopes.all.len());
        } else {
            everywhere.extend(self.scope_of(name, scope));
        }
        everywhere.into_iter().find_map(|at| {
            let own = self.scopes.all.get(at)?;
            let bindings = own.bindings.get(name)?.iter();
            bindings
                .copied()
                .find_map(|binding| self.bound_binding(binding, at, own.parent, steps))
        })
    }

    fn bound_binding(
        &self,
        binding: Binding<'a>,
        scope: usize,
        parent: usize,
        steps: Limit,
    ) -> Option<&'static ThreadBound> {
        match binding {
            Binding::Value(value) | Binding::Entered(value) => self.bound(value, scope, steps),
            Binding::Annotated(annotation, value) => self
                .bound_by_annotation(annotation, scope)
                .filter(|_| !value.is_some_and(|value| self.is_free(value, scope)))
                .or_else(|| self.bound(value?, scope, steps)),
            Binding::Parameter(parameter) => {
                self.bound_by_annotation(parameter.annotation()?, parent)
            }
            _ => None,
        }
    }

    /// Whether a call makes such an object so that any thread may use it.
    fn is_free(&self, value: &'a Expr, scope: usize) -> bool {
        let Expr::Call(call) = value else {
            return false;
        };
        match self.target(&call.func, scope) {
            Target::Import(path) => path
                .dotted()
                .and_then(ThreadBound::of)
                .is_some_and(|bound| is_free(bound, call)),
            _ => false,
        }
    }

    fn bound_by_annotation(
        &self,
        annotation: &'a Expr,
        scope: usize,
    ) -> Option<&'static ThreadBound> {
        match annotation {
            Expr::Name(_) | Expr::Attribute(_) => match self.target(annotation, scope) {
                Target::Import(path) => ThreadBound::of(path.dotted()?),
                _ => None,
            },
            Expr::BinOp(union) => self
                .bound_by_annotation(&union.left, scope)
                .or_else(|| self.bound_by_annotation(&union.right, scope)),
            Expr::Subscript(optional) => self.bound_by_annotation(&optional.slice, scope),
            _ => None,
        }
    }

    /// The same for what a class, or one of its methods, assigns to an attribute.
    fn bound_member(&self, class: u32, name: &str, steps: Limit) -> Option<&'static ThreadBound> {
        let (scope, _) = self.classes.iter().find(|(_, number)| **number == class)?;
        let own = self.scopes.all.get(*scope)?;
        let of_class = own.bindings.get(name).into_iter().flatten();
        let of_class = of_class.map(|binding| (*binding, *scope));
        let members = own.members.iter().filter(|(member, ..)| *member == name);
        let members = members.map(|(_, binding, at)| (*binding, *at));
        of_class
            .chain(members)
            .find_map(|(binding, at)| self.bound_binding(binding, at, at, steps))
    }
}

impl<'a> Walk<'_, '_, 'a> {
    /// Notes the use of a name from outside that stands for what belongs to another thread.
    pub(crate) fn name_used(&mut self, name: &'a ast::ExprName) {
        if !self.writer.has_bound {
            return;
        }
        let own = self.writer.scopes.all.get(self.scope);
        let bindings = own.and_then(|own| own.bindings.get(name.id.as_str()));
        let is_own = bindings.is_some_and(|bindings| {
            let is_given = |binding: &Binding<'_>| matches!(binding, Binding::Parameter(_));
            !bindings.iter().any(is_given)
        });
        if is_own && !self.writer.scopes.shared.contains(name.id.as_str()) {
            return;
        }
        if let Some(bound) = self.writer.bound_name(&name.id, self.scope, BINDINGS) {
            self.ties(|| reason(&name.id, &bound.what));
        }
    }

    /// The same for an attribute of an object or a class.
    pub(crate) fn member_used(&mut self, attribute: &'a ast::ExprAttribute) {
        self.borrowed(&attribute.value);
        if !self.writer.has_bound {
            return;
        }
        if let Some(bound) = self.writer.bound_attribute(attribute, self.scope, BINDINGS) {
            let text = one_line(self.writer.text(attribute));
            self.ties(|| reason(&text, &bound.what));
        }
    }

    /// Notes a name that another file may have bound to such an object.
    pub(crate) fn borrowed(&mut self, expr: &'a Expr) {
        let Some(Value::Target(Target::Import(path))) =
            self.writer.value(expr, self.scope, BINDINGS)
        else {
            return;
        };
        let root = path.below.split('.').next().unwrap_or_default();
        let is_foreign = path.level == 0 && (!path.below.contains('.') || is_stdlib(root));
        if is_foreign || root == "builtins" {
            return;
        }
        let written = one_line(self.writer.text(expr)).into();
        let borrowed = Borrowed { path, written };
        if !self.written.borrowed.contains(&borrowed) {
            self.written.borrowed.push(borrowed);
        }
    }

    /// Notes an object that is made here, belongs to this thread, and leaves the function.
    pub fn made(&mut self, call: &'a ast::ExprCall) {
        if !self.writer.has_bound || self.dropped.contains(&call.range()) || self.is_used_up(call) {
            return;
        }
        if let Some(bound) = self.writer.bound_call(call, self.scope, BINDINGS) {
            let text = one_line(self.writer.text(&*call.func));
            self.ties(|| {
                format!(
                    "`{text}` makes {}, which belongs to the thread that made it",
                    bound.what
                )
            });
        }
    }

    /// Notes what entering such an object gives, where that leaves the function.
    pub(crate) fn given_by_entering(&mut self, item: &'a ast::WithItem) {
        let Some(Expr::Name(name)) = item.optional_vars.as_deref() else {
            return;
        };
        if let Some(bound) = self.writer.bound(&item.context_expr, self.scope, BINDINGS)
            && self.leaves(&name.id)
        {
            self.ties(|| reason(&name.id, &bound.what));
        }
    }

    /// Whether an object was made by this function, which uses it up: all that is done with it happens in
    /// one thread.
    pub(crate) fn is_made_here(&self, expr: &'a Expr) -> bool {
        self.is_made_to(expr, BINDINGS)
    }

    fn is_made_to(&self, expr: &'a Expr, steps: Limit) -> bool {
        let Some(steps) = steps.less() else {
            return false;
        };
        match expr {
            Expr::Name(name) => {
                let own = self.writer.scopes.all.get(self.scope);
                let bindings = own.and_then(|own| own.bindings.get(name.id.as_str()));
                !self.writer.scopes.shared.contains(name.id.as_str())
                    && bindings.is_some_and(|bindings| {
                        bindings.iter().all(|binding| match binding {
                            Binding::Value(value) | Binding::Entered(value) => {
                                self.is_made_to(value, steps)
                            }
                            _ => false,
                        })
                    })
                    && !self.leaves(&name.id)
            }
            Expr::Call(call) => {
                if let Expr::Attribute(method) = &*call.func
                    && self.is_made_to(&method.value, steps)
                {
                    return true;
                }
                match self.writer.target(&call.func, self.scope) {
                    Target::Import(path) => {
                        path.dotted().is_some_and(|path| match path {
                            "contextlib.closing" => call
                                .arguments
                                .args
                                .first()
                                .is_some_and(|inner| self.is_made_to(inner, steps)),
                            path => self.writer.table.function(path).is_some_and(|row| {
                                matches!(row.kind, Kind::Outline | Kind::Report)
                            }),
                        })
                    }
                    _ => false,
                }
            }
            _ => false,
        }
    }
}
