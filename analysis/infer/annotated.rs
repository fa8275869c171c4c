//! Values told by the annotations that other names have: type aliases, and what can be called.

use ruff_python_ast::helpers::map_subscript;
use ruff_python_ast::{self as ast, Expr, Operator};
use ty_python_core::definition::{Definition, DefinitionKind, ParameterDefinitionNodeKind};

use super::collections::Part;
use crate::infer::types::Awaitability;
use crate::limits::{BASES, IMPORTS, Limit, STEPS};
use crate::resolve::definitions::Class;
use crate::resolve::semantics::Semantics;

pub(super) const CALLABLES: [&str; 2] = ["typing.Callable", "collections.abc.Callable"];

impl<'db> Semantics<'db> {
    /// What `tell` makes of the annotation of a value, which may be that of what gives it.
    pub(super) fn annotated<T>(
        &self,
        expr: &Expr,
        steps: Limit,
        tell: &dyn Fn(&Self, &Expr) -> Option<T>,
    ) -> Option<T> {
        let steps = steps.less()?;
        match expr {
            Expr::Name(name) => {
                if let Some(annotation) = self.annotation_declared(name) {
                    return tell(self, annotation);
                }
                let definition = self.one_binding(name)?;
                let (target, iterable) = match definition.kind(self.db()) {
                    DefinitionKind::Parameter(ParameterDefinitionNodeKind::Parameter(
                        parameter,
                    )) => {
                        return tell(self, parameter.node(self.module()).annotation()?);
                    }
                    DefinitionKind::AnnotatedAssignment(assignment) => {
                        return tell(self, assignment.annotation(self.module()));
                    }
                    DefinitionKind::For(clause) if !clause.is_async() => {
                        (clause.target_kind(), clause.iterable(self.module()))
                    }
                    DefinitionKind::Comprehension(clause) if !clause.is_async() => {
                        (clause.target_kind(), clause.iterable(self.module()))
                    }
                    _ => return self.annotated(self.value_bound_by(definition)?, steps, tell),
                };
                let (held, part) = self.taken(name, target, iterable)?;
                self.part(held, part, steps, &|own, held| tell(own, held?))
            }
            Expr::Attribute(attribute) => {
                let class = self.class_with(attribute, steps)?;
                self.told_by_class(class, &attribute.attr, &|own, told| match (
                    told.annotation,
                    told.values.as_slice(),
                ) {
                    (Some(annotation), _) => tell(own, annotation),
                    (None, _) if let Some(value) = told.returned => {
                        own.annotated(value, steps, tell)
                    }
                    (None, [value]) => own.annotated(value, steps, tell),
                    _ => None,
                })
            }
            Expr::Subscript(subscript) => {
                let is_one = !matches!(&*subscript.slice, Expr::Slice(_) | Expr::Tuple(_));
                if !is_one || !self.is_untouched(expr.into()) {
                    return None;
                }
                let tell = |own: &Self, held: Option<&Expr>| tell(own, held?);
                self.part(&subscript.value, Part::Value, steps, &tell)
            }
            Expr::Call(call) => self.annotated_result(call, false, steps, tell),
            Expr::Await(awaited) => match &*awaited.value {
                Expr::Call(call) => self.annotated_result(call, true, steps, tell),
                _ => None,
            },
            _ => None,
        }
    }

    /// The same of what a function gives, or awaiting what it gives.
    fn annotated_result<T>(
        &self,
        call: &ast::ExprCall,
        is_awaited: bool,
        steps: Limit,
        tell: &dyn Fn(&Self, &Expr) -> Option<T>,
    ) -> Option<T> {
        if let Some(function) = self.function_in_sight(&call.func) {
            let tell = |own: &Self, result: Option<&Expr>| tell(own, result?);
            return self.by_result(&function, is_awaited, tell).or_else(|| {
                let function = self.function_handed_on(call, is_awaited)?;
                self.by_result(&function, false, tell)
            });
        }
        if is_awaited {
            return None;
        }
        if let Some(class) = self.class_named(map_subscript(&call.func)) {
            let maker = Class::of(self, class)?.own_method("__new__")??;
            let tell = |own: &Self, result: Option<&Expr>| tell(own, result?);
            return self.by_result(&self.function_of(maker)?, false, tell);
        }
        // `turn_off: Callable[[Client], Callable[[], Awaitable[None]]]`
        self.annotated(&call.func, steps, &|own, annotation| {
            own.result_of_callable(annotation, tell)
        })
    }

    /// What `tell` makes of what calling a value gives, by its annotation.
    fn result_of_callable<T>(
        &self,
        annotation: &Expr,
        tell: &dyn Fn(&Self, &Expr) -> Option<T>,
    ) -> Option<T> {
        let annotation = self.without_none(annotation);
        match annotation {
            Expr::Subscript(generic) if self.means(&generic.value, &CALLABLES) => {
                match generic.slice.as_tuple_expr()?.elts.as_slice() {
                    [_, result] => tell(self, result),
                    _ => None,
                }
            }
            _ => self.behind_alias(annotation, &|own, value| {
                own.result_of_callable(value, tell)
            }),
        }
    }

    /// What `tell` makes of what a name in an annotation stands for, with or without something in brackets behind
    /// it: `Jobs = dict[str, Job]`.
    pub(super) fn behind_alias<T>(
        &self,
        annotation: &Expr,
        tell: &dyn Fn(&Self, &Expr) -> Option<T>,
    ) -> Option<T> {
        let Expr::Name(name) = map_subscript(annotation) else {
            return None;
        };
        let db = self.db();
        let definition = self.definition_behind(name)?;
        let own = self.at_definition(definition);
        let value = match definition.kind(db) {
            DefinitionKind::AnnotatedAssignment(assignment) => assignment
                .value(own.module())
                .filter(|_| own.says_alias(assignment.annotation(own.module())))?,
            DefinitionKind::TypeAlias(alias) => &alias.node(own.module()).value,
            _ => own.value_bound_by(definition)?,
        };
        matches!(value, Expr::Subscript(_) | Expr::BinOp(_))
            .then(|| self.look_again(|| tell(&own, value)))?
    }

    fn says_alias(&self, annotation: &Expr) -> bool {
        self.means(
            annotation,
            &["typing.TypeAlias", "typing_extensions.TypeAlias"],
        )
    }

    /// The one definition of a name that the module has, or imports.
    pub(crate) fn definition_behind(&self, name: &ast::ExprName) -> Option<Definition<'db>> {
        match self.bindings(name)?.as_slice() {
            [definition] => self.imported_by(*definition),
            _ => None,
        }
    }

    /// The definition that one of this file brings from another module, or itself.
    pub fn imported_by(&self, definition: Definition<'db>) -> Option<Definition<'db>> {
        let DefinitionKind::ImportFrom(import) = definition.kind(self.db()) else {
            return Some(definition);
        };
        let statement = import.import(self.module());
        let module = self
            .model()
            .resolve_module(statement.module.as_deref(), statement.level)?;
        let imported = &import.alias(self.module()).name;
        self.definition_in_file(module.file(self.db())?, imported, IMPORTS)
    }

    /// What awaiting the value of a call would mean, by the annotation of what is called: `Callable[[], None]`,
    /// or a class whose instances can be called.
    pub(crate) fn awaitability_by_callable(&self, callee: &Expr) -> Option<Awaitability> {
        self.look_again(|| {
            self.annotated(callee, STEPS, &|own, annotation| {
                own.awaitability_of_called(annotation)
            })
        })
    }

    fn awaitability_of_called(&self, annotation: &Expr) -> Option<Awaitability> {
        if let Some(parts) = self.parts_of_union(annotation) {
            let mut parts = parts.iter().map(|part| self.awaitability_of_called(part));
            let first = parts.next()??;
            return parts.all(|other| other == Some(first)).then_some(first);
        }
        self.result_of_callable(annotation, &|own, result| own.awaitability_by(result))
            .or_else(|| {
                let class = self.class_of_instance(annotation)?;
                self.awaitability_of_method(class, "__call__")
            })
    }

    /// What awaiting what a method of the instances of a class gives would mean.
    fn awaitability_of_method(&self, class: Definition<'db>, name: &str) -> Option<Awaitability> {
        let function = self.function_of(self.method_of(class, name, BASES)?)?;
        let own = self.of_function(&function);
        own.awaitability_of_function(function.node(self.db())?)
    }

    /// The parts of a union of several types, `None` aside: a value that is `None` cannot be used.
    fn parts_of_union<'e>(&self, annotation: &'e Expr) -> Option<Vec<&'e Expr>> {
        fn add<'e>(annotation: &'e Expr, parts: &mut Vec<&'e Expr>) {
            match annotation {
                Expr::BinOp(union) if union.op == Operator::BitOr => {
                    add(&union.left, parts);
                    add(&union.right, parts);
                }
                Expr::NoneLiteral(_) => {}
                part => parts.push(part),
            }
        }
        let mut parts = Vec::new();
        match annotation {
            Expr::Subscript(union) if self.means(&union.value, &["typing.Union"]) => {
                for part in &union.slice.as_tuple_expr()?.elts {
                    add(part, &mut parts);
                }
            }
            annotation => add(annotation, &mut parts),
        }
        (parts.len() > 1).then_some(parts)
    }

    /// The classes that a value may be an instance of, where an annotation names several: its own, or that of
    /// the object whose attribute it is.
    pub(crate) fn classes_said(&self, expr: &Expr) -> Vec<Definition<'db>> {
        let said = self.look_again(|| {
            self.annotated(expr, STEPS, &|own, annotation| {
                own.classes_of_union(annotation)
            })
        });
        if let Some(classes) = said {
            return classes;
        }
        let Expr::Attribute(attribute) = expr else {
            return Vec::new();
        };
        if !self.is_untouched(expr.into()) {
            return Vec::new();
        }
        let objects = self.classes_said(&attribute.value);
        let classes = objects.iter().map(|class| {
            self.told_by_class(*class, &attribute.attr, &|own, told| {
                own.class_of_told(told, STEPS)
            })
        });
        classes.collect::<Option<_>>().unwrap_or_default()
    }

    fn classes_of_union(&self, annotation: &Expr) -> Option<Vec<Definition<'db>>> {
        match self.parts_of_union(annotation) {
            Some(parts) => {
                let classes = parts.iter().map(|part| self.class_of_instance(part));
                classes.collect()
            }
            None => self.behind_alias(annotation, &|own, value| own.classes_of_union(value)),
        }
    }

    /// What awaiting the value of a call would mean of which the type engine knows nothing: by what annotations
    /// say of what is called, and of the object whose method it is.
    pub(crate) fn awaitability_said(&self, callee: &Expr) -> Option<Awaitability> {
        if let Some(said) = self.awaitability_by_callable(callee) {
            return Some(said);
        }
        // What a condition says of a parameter may be more than its annotation does, but nothing else.
        if let Expr::Name(name) = callee
            && let Some(annotation) = self.annotation_of_parameter(name)
        {
            return self.awaitability_of_called(annotation);
        }
        let method = callee.as_attribute_expr()?;
        if let Expr::Name(name) = &*method.value
            && let Some(class) = self.class_by_declaration(name)
        {
            return self.awaitability_of_method(class, &method.attr);
        }
        let classes = self.classes_said(&method.value);
        let mut answers = classes
            .iter()
            .map(|class| self.awaitability_of_method(*class, &method.attr));
        let first = answers.next()??;
        answers.all(|other| other == Some(first)).then_some(first)
    }

    /// What awaiting a value would mean that has this annotation, where that needs no types.
    pub(crate) fn awaitability_by(&self, annotation: &Expr) -> Option<Awaitability> {
        let is_plain =
            |annotation: &Expr| self.awaitability_by(annotation) == Some(Awaitability::No);
        match annotation {
            Expr::NoneLiteral(_) => Some(Awaitability::No),
            Expr::Name(name) if self.is_builtin(name) => Some(Awaitability::No),
            Expr::BinOp(union) if union.op == Operator::BitOr => {
                (is_plain(&union.left) && is_plain(&union.right)).then_some(Awaitability::No)
            }
            Expr::Subscript(generic) if self.means(&generic.value, &["typing.Optional"]) => {
                is_plain(&generic.slice).then_some(Awaitability::No)
            }
            // What is in the brackets of a class makes it no other class.
            Expr::Subscript(generic) => match self.class_named(&generic.value) {
                Some(class) => Some(self.awaitability_of_class(class, BASES)),
                None => self.behind_alias(annotation, &|own, value| own.awaitability_by(value)),
            },
            annotation => match self.class_named(annotation) {
                Some(class) => Some(self.awaitability_of_class(class, BASES)),
                None => self.behind_alias(annotation, &|own, value| own.awaitability_by(value)),
            },
        }
    }
}
