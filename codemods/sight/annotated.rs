//! Values told by the annotations that other names have: type aliases, and what can be called.

use ruff_python_ast::{self as ast, Expr, Operator};
use ty_python_core::definition::{Definition, DefinitionKind, ParameterDefinitionNodeKind};

use super::{IMPORTS, STEPS, look_again};
use crate::semantics::{Awaitability, BASES, Semantics};

const CALLABLES: [&str; 2] = ["typing.Callable", "collections.abc.Callable"];

impl<'db> Semantics<'db> {
    /// What `tell` makes of the annotation of a value, which may be that of what gives it.
    pub(super) fn annotated<T>(
        &self,
        expr: &Expr,
        steps: usize,
        tell: &dyn Fn(&Self, &Expr) -> Option<T>,
    ) -> Option<T> {
        let steps = steps.checked_sub(1)?;
        match expr {
            Expr::Name(name) => match self.one_binding(name)?.kind(self.db()) {
                DefinitionKind::Parameter(ParameterDefinitionNodeKind::Parameter(parameter)) => {
                    tell(self, parameter.node(self.module()).annotation()?)
                }
                DefinitionKind::AnnotatedAssignment(assignment) => {
                    tell(self, assignment.annotation(self.module()))
                }
                _ => self.annotated(self.value_behind(name)?, steps, tell),
            },
            Expr::Attribute(attribute) => {
                let class = self.class_with(attribute, steps)?;
                self.told_by_class(class, &attribute.attr, BASES, &|own, told| {
                    tell(own, told.annotation?)
                })
            }
            Expr::Call(call) => self.annotated_result(call, false, tell),
            Expr::Await(awaited) => match &*awaited.value {
                Expr::Call(call) => self.annotated_result(call, true, tell),
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
        tell: &dyn Fn(&Self, &Expr) -> Option<T>,
    ) -> Option<T> {
        let function = self.function_in_sight(&call.func)?;
        self.by_result(&function, is_awaited, |own, result| tell(own, result?))
    }

    /// What `tell` makes of what a name in an annotation stands for: `Jobs = dict[str, Job]`.
    pub(super) fn behind_alias<T>(
        &self,
        annotation: &Expr,
        tell: &dyn Fn(&Self, &Expr) -> Option<T>,
    ) -> Option<T> {
        let Expr::Name(name) = annotation else {
            return None;
        };
        let db = self.db();
        let definition = self.definition_behind(name)?;
        let own = Semantics::of_definition(db, definition);
        let value = match definition.kind(db) {
            DefinitionKind::AnnotatedAssignment(assignment) => assignment
                .value(own.module())
                .filter(|_| own.says_alias(assignment.annotation(own.module())))?,
            DefinitionKind::TypeAlias(alias) => &alias.node(own.module()).value,
            _ => own.value_bound_by(definition)?,
        };
        matches!(value, Expr::Subscript(_) | Expr::BinOp(_))
            .then(|| look_again(|| tell(&own, value)))?
    }

    fn says_alias(&self, annotation: &Expr) -> bool {
        self.means(
            annotation,
            &["typing.TypeAlias", "typing_extensions.TypeAlias"],
        )
    }

    /// The one definition of a name that the module has, or imports.
    pub(super) fn definition_behind(&self, name: &ast::ExprName) -> Option<Definition<'db>> {
        let definitions = self.bindings(name)?;
        let [definition] = definitions.as_slice() else {
            return None;
        };
        match definition.kind(self.db()) {
            DefinitionKind::ImportFrom(import) => {
                let statement = import.import(self.module());
                let module = self
                    .model()
                    .resolve_module(statement.module.as_deref(), statement.level)?;
                let imported = &import.alias(self.module()).name;
                self.definition_in_file(module.file(self.db())?, imported, IMPORTS)
            }
            _ => Some(*definition),
        }
    }

    /// What awaiting the value of a call would mean, by the annotation of what is called: `Callable[[], None]`.
    pub(crate) fn awaitability_by_callable(&self, callee: &Expr) -> Option<Awaitability> {
        look_again(|| {
            self.annotated(callee, STEPS, &|own, annotation| {
                own.awaitability_of_called(annotation)
            })
        })
    }

    fn awaitability_of_called(&self, annotation: &Expr) -> Option<Awaitability> {
        let annotation = self.without_none(annotation);
        if let Expr::Subscript(generic) = annotation
            && self.means(&generic.value, &CALLABLES)
        {
            return match &*generic.slice {
                Expr::Tuple(parts) => match parts.elts.as_slice() {
                    [_, result] => self.awaitability_by(result),
                    _ => None,
                },
                _ => None,
            };
        }
        self.behind_alias(annotation, &|own, value| own.awaitability_of_called(value))
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
            Expr::Subscript(generic) => self
                .class_named(&generic.value)
                .map(|class| self.awaitability_of_class(class, BASES)),
            annotation => match self.class_named(annotation) {
                Some(class) => Some(self.awaitability_of_class(class, BASES)),
                None => self.behind_alias(annotation, &|own, value| own.awaitability_by(value)),
            },
        }
    }
}
