//! Values of which nothing is known: what comes from packages that are not installed, from code without
//! annotations, and what is annotated as anything.
//!
//! The type engine finds out by inferring all that stands around them, and all that this imports.

use asyncfix_syntax::queries::called;
use ruff_python_ast::{self as ast, Expr};
use ty_python_core::definition::{Definition, DefinitionKind, ParameterDefinitionNodeKind};
use ty_python_semantic::types::Type;

use super::Asked;
use super::collections::Part;
use crate::limits::{BASES, Limit, STEPS, UNKNOWN};
use crate::resolve::bindings::Origin;
use crate::resolve::definitions::{Class, Function};
use crate::resolve::semantics::Semantics;

impl<'db> Semantics<'db> {
    /// Whether the type engine plainly has nothing to say of a value. Where this says no, it may still
    /// have nothing to say.
    pub(crate) fn is_unknown(&self, expr: ast::ExprRef<'_>) -> bool {
        self.look_again(|| self.is_unknown_behind(expr, UNKNOWN).then_some(()))
            .is_some()
    }

    fn is_unknown_behind(&self, expr: ast::ExprRef<'_>, steps: Limit) -> bool {
        let Some(steps) = steps.less() else {
            return false;
        };
        let is_unknown = |expr: &Expr| self.is_unknown_behind(expr.into(), steps);
        match expr {
            ast::ExprRef::Name(name) => self.is_unknown_name(name, steps),
            ast::ExprRef::Attribute(attribute) => {
                if self.is_untouched(expr) {
                    self.is_unknown_attribute(attribute, steps)
                } else {
                    self.is_assigned_unknown(attribute, steps)
                }
            }
            ast::ExprRef::Subscript(subscript) => {
                self.is_untouched(expr)
                    && (is_unknown(&subscript.value)
                        || self.holds_unknown(&subscript.value, Part::Value))
            }
            ast::ExprRef::Call(call) => is_unknown(&call.func) || self.gives_unknown(call, false),
            ast::ExprRef::Await(awaited) => {
                is_unknown(&awaited.value)
                    || matches!(&*awaited.value, Expr::Call(call) if self.gives_unknown(call, true))
            }
            _ => false,
        }
    }

    fn is_unknown_name(&self, name: &ast::ExprName, steps: Limit) -> bool {
        let Some(definitions) = self.bindings(name) else {
            return false;
        };
        let Some(first) = definitions.first() else {
            return false;
        };
        // One of several values is enough: nothing is known of all of them together then.
        self.is_as_bound(name.into(), first.file_scope(self.db()), Asked::Class)
            && definitions
                .iter()
                .any(|definition| self.binds_unknown(*definition, name, steps))
    }

    /// Whether a definition gives a value to its name of which nothing is known.
    fn binds_unknown(
        &self,
        definition: Definition<'db>,
        name: &ast::ExprName,
        steps: Limit,
    ) -> bool {
        let is_unknown = |expr: &Expr| self.is_unknown_behind(expr.into(), steps);
        let takes_unknown = |target, iterable: &Expr| {
            let taken = self.taken(name, target, iterable);
            is_unknown(iterable)
                || taken.is_some_and(|(held, part)| {
                    self.holds_unknown(held, part) || self.makes_unknown(held, steps)
                })
        };
        match definition.kind(self.db()) {
            DefinitionKind::Import(_) | DefinitionKind::ImportFrom(_) => {
                matches!(self.type_in_sight(name.into()), Some(Type::Dynamic(_)))
            }
            DefinitionKind::Parameter(ParameterDefinitionNodeKind::Parameter(parameter)) => {
                let parameter = parameter.node(self.module());
                match parameter.annotation() {
                    Some(annotation) => self.says_nothing(annotation),
                    // What it is by default is one of the values that it may have.
                    None => self.class_of_receiver(&Expr::Name(name.clone())).is_none(),
                }
            }
            DefinitionKind::Assignment(assignment) => {
                !self.is_declared(definition) && is_unknown(assignment.value(self.module()))
            }
            DefinitionKind::NamedExpression(named) => {
                !self.is_declared(definition) && is_unknown(&named.node(self.module()).value)
            }
            DefinitionKind::AnnotatedAssignment(assignment) => {
                self.says_nothing(assignment.annotation(self.module()))
            }
            DefinitionKind::For(clause) => {
                let iterable = clause.iterable(self.module());
                if clause.is_async() {
                    is_unknown(iterable)
                } else {
                    takes_unknown(clause.target_kind(), iterable)
                }
            }
            DefinitionKind::Comprehension(clause) => {
                let iterable = clause.iterable(self.module());
                if clause.is_async() {
                    is_unknown(iterable)
                } else {
                    takes_unknown(clause.target_kind(), iterable)
                }
            }
            DefinitionKind::WithItem(item) => is_unknown(item.context_expr(self.module())),
            _ => false,
        }
    }

    /// Whether somebody says what a name is, so that it does not depend on what it is bound to.
    fn is_declared(&self, definition: Definition<'db>) -> bool {
        let table = self.index().place_table(definition.file_scope(self.db()));
        table.place(definition.place(self.db())).is_declared()
    }

    fn is_unknown_attribute(&self, attribute: &ast::ExprAttribute, steps: Limit) -> bool {
        let class = match self.class_of_receiver(&attribute.value) {
            Some(class) => self.index().try_definition(class),
            None if self.is_unknown_behind((&*attribute.value).into(), steps) => return true,
            None => self.class_in_sight(&attribute.value),
        };
        // A condition may say that the object is of another class as well.
        let is_plain = match &*attribute.value {
            Expr::Name(name) => self.one_binding(name).is_some(),
            _ => true,
        };
        class.is_some_and(|class| {
            self.has_unknown(class, &attribute.attr, BASES, steps)
                || is_plain && self.is_missing(class, &attribute.attr)
        })
    }

    /// Whether neither a class nor one above it says anything of an attribute, or has something that stands in
    /// for what is not there.
    fn is_missing(&self, class: Definition<'db>, name: &str) -> bool {
        let speaks = [name, "__getattr__", "__getattribute__"];
        !name.starts_with("__") && !speaks.iter().any(|name| self.speaks_of(class, name, BASES))
    }

    /// Whether something of which nothing is known was assigned to an attribute just before, and no annotation
    /// says what it is.
    fn is_assigned_unknown(&self, attribute: &ast::ExprAttribute, steps: Limit) -> bool {
        self.assigned_before(attribute, steps)
            .is_some_and(|value| self.is_unknown_behind(value.into(), steps))
            && self
                .class_before(attribute, steps)
                .is_some_and(|class| self.is_undeclared(class, &attribute.attr, BASES))
    }

    fn is_undeclared(&self, class: Definition<'db>, name: &str, depth: Limit) -> bool {
        let (Some(depth), Some(class)) = (depth.less(), Class::of(self, class)) else {
            return false;
        };
        let told = class.told(name);
        let is_declared = told
            .annotation
            .is_some_and(|annotation| !class.own.says_nothing(annotation));
        !is_declared
            && class.bases().all(|base| {
                let base = class.own.base_in_sight(base);
                base.is_some_and(|base| class.own.is_undeclared(base, name, depth))
            })
    }

    /// Whether nothing is known of an attribute of the instances of a class.
    fn has_unknown(
        &self,
        definition: Definition<'db>,
        name: &str,
        depth: Limit,
        steps: Limit,
    ) -> bool {
        let (Some(depth), Some(class)) = (depth.less(), Class::of(self, definition)) else {
            return false;
        };
        let own = &class.own;
        let told = class.told(name);
        match (told.annotation, told.values.as_slice()) {
            _ if told.may_be_another() => false,
            (Some(annotation), _) => own.says_nothing(annotation),
            (None, _) if let Some(value) = told.returned => {
                own.is_unknown_behind(value.into(), steps)
            }
            (None, [_, ..]) => {
                // All of them together take no more steps than one: each may be made of such an attribute.
                let steps = steps.shared_by(told.values.len());
                let mut values = told.values.iter();
                values.any(|value| own.is_unknown_behind((*value).into(), steps))
                    && class.says_alone(name, depth)
            }
            (None, []) => {
                for base in class.bases() {
                    match own.base_in_sight(base) {
                        Some(base) if own.has_unknown(base, name, depth, steps) => return true,
                        Some(base) if own.speaks_of(base, name, depth) => return false,
                        Some(_) => {}
                        None => return own.is_not_there(base),
                    }
                }
                false
            }
        }
    }

    /// Whether an annotation says nothing of a value, or names what is not there.
    fn says_nothing(&self, annotation: &Expr) -> bool {
        let annotation = self.without_none(annotation);
        let named = match annotation {
            Expr::Subscript(generic) => &generic.value,
            other => other,
        };
        self.means(annotation, &["typing.Any", "typing_extensions.Any"])
            || self.is_not_there(named) && self.class_named(named).is_none()
    }

    /// Whether a collection holds anything, as far as its annotation says.
    fn holds_unknown(&self, expr: &Expr, part: Part) -> bool {
        self.part(expr, part, STEPS, &|own, held| {
            held.is_none_or(|held| own.says_nothing(held)).then_some(())
        })
        .is_some()
    }

    /// Whether a list is made by a comprehension, of what nothing is known of, or nothing is known of the list.
    fn makes_unknown(&self, expr: &Expr, steps: Limit) -> bool {
        let Some(steps) = steps.less() else {
            return false;
        };
        match expr {
            Expr::ListComp(list) => self.is_unknown_behind((&*list.elt).into(), steps),
            Expr::Name(name) => {
                let origins = self.origins(name);
                !origins.is_empty()
                    && origins.iter().all(|origin| match origin {
                        Origin::Value(value) => {
                            self.is_unknown_behind((*value).into(), steps)
                                || self.makes_unknown(value, steps)
                        }
                        Origin::Annotation(_) | Origin::Unknown => false,
                    })
            }
            _ => false,
        }
    }

    /// Whether nothing says what a call gives, or awaiting it: no annotation of the function does, or the
    /// function is behind a decorator that is not there.
    fn gives_unknown(&self, call: &ast::ExprCall, is_awaited: bool) -> bool {
        if let Expr::Attribute(method) = &*call.func
            && super::collections::is_lookup(&method.attr)
            && self.holds_unknown(&method.value, Part::Value)
        {
            return !is_awaited;
        }
        if self.means(&call.func, &["builtins.getattr"]) {
            return !is_awaited && call.arguments.len() == 2;
        }
        let Some(function) = self.function_in_sight(&call.func) else {
            return false;
        };
        let Some(node) = function.node(self.db()) else {
            return false;
        };
        let own = self.of_function(&function);
        let mut decorators = node.decorator_list.iter();
        decorators.any(|decorator| own.is_not_there(called(decorator)))
            || self.says_nothing_of_result(&function, is_awaited)
            || self
                .function_handed_on(call, is_awaited)
                .is_some_and(|function| self.says_nothing_of_result(&function, false))
    }

    /// Whether the annotation of a function says nothing of what it gives, or awaiting that.
    fn says_nothing_of_result(&self, function: &Function<'db>, is_awaited: bool) -> bool {
        let says_nothing = |own: &Self, result: Option<&Expr>| {
            let is_open = result.is_none_or(|annotation| own.says_nothing(annotation));
            is_open.then_some(())
        };
        self.by_result(function, is_awaited, says_nothing).is_some()
    }
}
