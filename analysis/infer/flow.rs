//! What is known of a name, an attribute or an item at the place where it is read.

use ruff_python_ast::{self as ast, AnyNodeRef, Expr};
use ruff_text_size::Ranged;
use ty_python_core::NarrowingEvaluator;
use ty_python_core::definition::{
    Definition, DefinitionKind, DefinitionState, ParameterDefinitionNodeKind,
};
use ty_python_core::narrowing_constraints::ScopedNarrowingConstraint;
use ty_python_core::place::{PlaceExpr, PlaceExprRef};
use ty_python_core::scope::{FileScopeId, NodeWithScopeKind};

use super::{attribute_facts, conditions};
use crate::infer::types::Awaitability;
use crate::limits::{BASES, Limit, STEPS};
use crate::resolve::definitions::{Class, Function};
use crate::resolve::semantics::Semantics;

impl<'db> Semantics<'db> {
    /// Whether nothing is known of a name or attribute at this place but what was said where its name
    /// is bound, in the scope `bound`: no condition was asked that makes a difference to what is `asked`,
    /// and nothing was assigned to an attribute.
    pub(super) fn is_as_bound(
        &self,
        expr: ast::ExprRef<'_>,
        bound: FileScopeId,
        asked: Asked,
    ) -> bool {
        let (Some(scope), Some(place)) = (self.scope_of(expr), PlaceExpr::try_from_expr(expr))
        else {
            return false;
        };
        let is_name = matches!(expr, ast::ExprRef::Name(_));
        let place = PlaceExprRef::from(&place);
        let is_narrowed = |scope: FileScopeId, known: NarrowingEvaluator<'_, 'db>| {
            self.is_narrowed(place, scope, &known)
                && !(asked == Asked::Class && self.keeps_class(expr, scope))
        };
        if scope == bound || !is_name {
            let Some(use_id) = self.use_of(expr) else {
                return false;
            };
            let mut bindings = self.index().use_def_map(scope).bindings_at_use(use_id);
            let is_plain = bindings.all(|binding| {
                matches!(binding.binding, DefinitionState::Defined(_)) == is_name
                    && !is_narrowed(scope, binding.narrowing_constraint)
            });
            if !is_plain {
                return false;
            }
        }
        // What the scopes around say counts wherever in them they say it: a function runs later.
        let around = self.index().ancestor_scopes(scope).map(|(scope, _)| scope);
        around
            .take_while(|around| *around != bound)
            .skip(1)
            .chain((scope != bound).then_some(bound))
            .all(|around| {
                let Some(place) = self.index().place_table(around).place_id(place) else {
                    return true;
                };
                let use_def = self.index().use_def_map(around);
                let is_rebound = !is_name
                    && use_def
                        .reachable_bindings(place)
                        .any(|binding| matches!(binding.binding, DefinitionState::Defined(_)));
                let known = use_def.narrowing_evaluator(ScopedNarrowingConstraint::ALWAYS_TRUE);
                let is_narrowed = || {
                    known.predicate_narrowing_targets().contains_place(place)
                        && !(asked == Asked::Class && self.keeps_class(expr, around))
                };
                !is_rebound && !is_narrowed()
            })
    }

    /// Whether a condition says more of a place in a scope.
    fn is_narrowed(
        &self,
        place: PlaceExprRef<'_>,
        scope: FileScopeId,
        known: &NarrowingEvaluator<'_, 'db>,
    ) -> bool {
        known.constraint() != ScopedNarrowingConstraint::ALWAYS_TRUE
            && self
                .index()
                .place_table(scope)
                .place_id(place)
                .is_none_or(|place| known.predicate_narrowing_targets().contains_place(place))
    }

    /// Whether the conditions in the function or comprehension with this scope leave the class of what an
    /// expression stands for as it is.
    pub(super) fn keeps_class(&self, expr: ast::ExprRef<'_>, scope: FileScopeId) -> bool {
        let Some(place) = PlaceExpr::try_from_expr(expr) else {
            return false;
        };
        let module = self.module();
        let keeps = |node: AnyNodeRef<'_>| {
            conditions::keep_class(node, place, &|name| self.is_builtin(name))
        };
        match self.index().scope(scope).node() {
            NodeWithScopeKind::Function(function) => keeps(function.node(module).into()),
            NodeWithScopeKind::ListComprehension(list) => keeps(list.node(module).into()),
            NodeWithScopeKind::SetComprehension(set) => keeps(set.node(module).into()),
            NodeWithScopeKind::DictComprehension(dict) => keeps(dict.node(module).into()),
            NodeWithScopeKind::GeneratorExpression(generator) => {
                keeps(generator.node(module).into())
            }
            _ => false,
        }
    }

    /// What was assigned to an attribute before it is read, where that is all that is known of it, and the
    /// attribute gives back what it is given.
    pub(super) fn assigned_before(
        &self,
        attribute: &ast::ExprAttribute,
        steps: Limit,
    ) -> Option<&Expr> {
        let value = self.value_at(attribute.into())?;
        let class = self.class_before(attribute, steps)?;
        self.keeps_what_is_assigned(class, &attribute.attr, BASES)
            .then_some(value)
    }

    /// What was put under a key of a dictionary before it is read, where that is all that is known of it.
    pub(super) fn written_under(
        &self,
        subscript: &ast::ExprSubscript,
        steps: Limit,
    ) -> Option<&Expr> {
        let value = self.value_at(subscript.into())?;
        let class = self.class_to(&subscript.value, steps)?;
        (Some(class) == self.builtin_class("dict")).then_some(value)
    }

    /// The one value that an attribute or item may have where it is read, by what was assigned to it before.
    pub(super) fn value_at(&self, expr: ast::ExprRef<'_>) -> Option<&Expr> {
        let place = PlaceExpr::try_from_expr(expr)?;
        let scope = self.scope_of(expr)?;
        let use_id = self.use_of(expr)?;
        let mut bindings = self.index().use_def_map(scope).bindings_at_use(use_id);
        let (binding, None) = (bindings.next()?, bindings.next()) else {
            return None;
        };
        let DefinitionState::Defined(definition) = binding.binding else {
            return None;
        };
        if self.is_narrowed((&place).into(), scope, &binding.narrowing_constraint) {
            return None;
        }
        match definition.kind(self.db()) {
            DefinitionKind::DictKeyAssignment(item) => Some(item.value(self.module())),
            _ => self.value_bound_by(definition),
        }
    }

    /// Whether the instances of a class give for an attribute what was assigned to it: neither the class nor
    /// one above it has a property of this name, or anything else that may be a descriptor.
    pub(super) fn keeps_what_is_assigned(
        &self,
        class: Definition<'db>,
        name: &str,
        depth: Limit,
    ) -> bool {
        let (Some(depth), Some(class)) = (depth.less(), Class::of(self, class)) else {
            return false;
        };
        !attribute_facts::may_be_descriptor(class.node(), name)
            && class.bases().all(|base| {
                let base = class.own.base_in_sight(base);
                base.is_some_and(|base| class.own.keeps_what_is_assigned(base, name, depth))
            })
    }

    /// Whether an attribute or item that is read is what its receiver says: nothing else was assigned to it,
    /// and no condition says more of it.
    pub(super) fn is_untouched(&self, expr: ast::ExprRef<'_>) -> bool {
        if PlaceExpr::try_from_expr(expr).is_none() {
            return matches!(
                expr,
                ast::ExprRef::Attribute(_) | ast::ExprRef::Subscript(_)
            );
        }
        let mut root = expr;
        let root = loop {
            root = match root {
                ast::ExprRef::Attribute(inner) if inner.ctx == ast::ExprContext::Load => {
                    (&*inner.value).into()
                }
                ast::ExprRef::Subscript(inner) if inner.ctx == ast::ExprContext::Load => {
                    (&*inner.value).into()
                }
                ast::ExprRef::Name(name) => break name,
                _ => return false,
            };
        };
        match self.bindings(root).as_deref() {
            Some([definition]) => {
                self.is_as_bound(expr, definition.file_scope(self.db()), Asked::Class)
            }
            _ => false,
        }
    }

    /// The one binding of a name, where no condition says more of the class of what it stands for.
    pub(super) fn one_binding(&self, name: &ast::ExprName) -> Option<Definition<'db>> {
        match self.bindings(name)?.as_slice() {
            [definition] => self
                .is_as_bound(name.into(), definition.file_scope(self.db()), Asked::Class)
                .then_some(*definition),
            _ => None,
        }
    }

    /// The value that a name has by its one binding.
    pub(crate) fn value_behind(&self, name: &ast::ExprName) -> Option<&Expr> {
        self.value_bound_by(self.one_binding(name)?)
    }

    /// The value that a definition in this file gives to its name: `job = Job()` or `(job := Job())`.
    pub(crate) fn value_bound_by(&self, definition: Definition<'db>) -> Option<&Expr> {
        match definition.kind(self.db()) {
            DefinitionKind::Assignment(assignment) if assignment.unpack().is_none() => {
                Some(assignment.value(self.module()))
            }
            DefinitionKind::NamedExpression(named) => Some(&named.node(self.module()).value),
            _ => None,
        }
    }

    /// The class that the annotation of a variable of this function names, where nothing is known of what is
    /// assigned to it, or that is `None` or of this class: type checkers go by the annotation then.
    pub(super) fn class_declared(
        &self,
        name: &ast::ExprName,
        steps: Limit,
    ) -> Option<Definition<'db>> {
        let (annotation, values) = self.declared(name)?;
        let is_unknown = |value: &&Expr| self.is_unknown((*value).into());
        if !values.iter().any(is_unknown) {
            return None;
        }
        let class = self.class_of_instance(annotation)?;
        let fits = |value: &&Expr| is_unknown(value) || self.class_to(value, steps) == Some(class);
        values.iter().all(fits).then_some(class)
    }

    /// The class that the annotation of a variable of this function names, whatever is assigned to it.
    pub(super) fn class_by_declaration(&self, name: &ast::ExprName) -> Option<Definition<'db>> {
        let (annotation, _) = self.declared(name)?;
        self.class_of_instance(annotation)
    }

    /// The annotation of a variable of this function, where it was assigned nothing of which more is known.
    pub(super) fn annotation_declared(&self, name: &ast::ExprName) -> Option<&Expr> {
        let (annotation, values) = self.declared(name)?;
        let mut values = values.iter();
        values
            .all(|value| self.is_unknown((*value).into()))
            .then_some(annotation)
    }

    /// The annotation of a variable of this function, and what was assigned to it, `None` aside, where no
    /// condition says more of it.
    fn declared(&self, name: &ast::ExprName) -> Option<(&Expr, Vec<&Expr>)> {
        let definitions = self.bindings(name)?;
        let scope = definitions.first()?.file_scope(self.db());
        let mut annotation: Option<&Expr> = None;
        let mut values = Vec::new();
        for definition in definitions {
            let (said, value) = match definition.kind(self.db()) {
                DefinitionKind::AnnotatedAssignment(assignment) => (
                    assignment.annotation(self.module()),
                    assignment.value(self.module())?,
                ),
                _ => (
                    self.declared_before(definition)?,
                    self.value_bound_by(definition)?,
                ),
            };
            if annotation.is_some_and(|before| before.range() != said.range()) {
                return None;
            }
            annotation = Some(said);
            if !value.is_none_literal_expr() {
                values.push(value);
            }
        }
        let is_plain = self.scope_of(name) == Some(scope)
            && self.is_as_bound(name.into(), scope, Asked::Class);
        is_plain.then_some((annotation?, values))
    }

    /// Whether one of the values that a variable or an attribute is given has a plain method of this name, whatever
    /// its annotation says.
    pub fn may_have_plain(&self, method: &ast::ExprAttribute) -> bool {
        self.is_given(&method.value, &|own, value| {
            let class = own.class_in_sight(value)?;
            own.function_of(own.method_of(class, &method.attr, BASES)?)
        })
    }

    /// Whether one of the values that a variable or an attribute is given is a plain function, whatever its
    /// annotation says.
    pub fn may_be_plain(&self, expr: &Expr) -> bool {
        self.is_given(expr, &|own, value| own.function_in_sight(value))
    }

    /// Whether what `find` finds for one of the values that a variable or an attribute is given is a plain function.
    fn is_given(&self, expr: &Expr, find: &dyn Fn(&Self, &Expr) -> Option<Function<'db>>) -> bool {
        match expr {
            Expr::Name(name) => {
                let definitions = self.bindings(name).unwrap_or_default();
                definitions.into_iter().any(|definition| {
                    let value = match definition.kind(self.db()) {
                        DefinitionKind::AnnotatedAssignment(assignment) => {
                            assignment.value(self.module())
                        }
                        DefinitionKind::Parameter(ParameterDefinitionNodeKind::Parameter(
                            parameter,
                        )) => parameter.node(self.module()).default(),
                        _ => self.value_bound_by(definition),
                    };
                    value.is_some_and(|value| self.is_plain(value, find))
                })
            }
            Expr::Attribute(attribute) => self
                .class_before(attribute, STEPS)
                .is_some_and(|class| self.class_gives(class, &attribute.attr, BASES, find)),
            _ => false,
        }
    }

    /// The same for what a class, or one above it, assigns to an attribute of its instances.
    fn class_gives(
        &self,
        class: Definition<'db>,
        name: &str,
        depth: Limit,
        find: &dyn Fn(&Self, &Expr) -> Option<Function<'db>>,
    ) -> bool {
        let (Some(depth), Some(class)) = (depth.less(), Class::of(self, class)) else {
            return false;
        };
        let own = &class.own;
        let mut values = class.told(name).values.into_iter();
        values.any(|value| own.is_plain(value, find))
            || class.bases().any(|base| {
                let base = own.base_in_sight(base);
                base.is_some_and(|base| own.class_gives(base, name, depth, find))
            })
    }

    fn is_plain(&self, value: &Expr, find: &dyn Fn(&Self, &Expr) -> Option<Function<'db>>) -> bool {
        let awaitability = || {
            let function = find(self, value)?;
            let own = self.of_function(&function);
            own.awaitability_of_function(function.node(self.db())?)
        };
        matches!(
            awaitability(),
            Some(Awaitability::No | Awaitability::Unknown)
        )
    }

    /// The one annotation that holds where a variable is assigned to.
    pub(super) fn declared_before(&self, binding: Definition<'db>) -> Option<&Expr> {
        let use_def = self.index().use_def_map(binding.file_scope(self.db()));
        let mut declarations = use_def.declarations_at_binding(binding);
        let (declaration, None) = (declarations.next()?, declarations.next()) else {
            return None;
        };
        match declaration.declaration.definition()?.kind(self.db()) {
            DefinitionKind::AnnotatedAssignment(assignment) => {
                Some(assignment.annotation(self.module()))
            }
            _ => None,
        }
    }

    /// The annotation of the parameter that a name is bound to, where no condition says more of it.
    pub(super) fn annotation_of(&self, name: &ast::ExprName) -> Option<&Expr> {
        self.annotation_by(self.one_binding(name)?)
    }

    /// The annotation of the parameter that a name is bound to.
    pub(super) fn annotation_of_parameter(&self, name: &ast::ExprName) -> Option<&Expr> {
        match self.bindings(name)?.as_slice() {
            [definition] => self.annotation_by(*definition),
            _ => None,
        }
    }

    fn annotation_by(&self, definition: Definition<'db>) -> Option<&Expr> {
        match definition.kind(self.db()) {
            DefinitionKind::Parameter(ParameterDefinitionNodeKind::Parameter(parameter)) => {
                parameter.node(self.module()).annotation()
            }
            _ => None,
        }
    }
}

/// What is asked about a name or an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// Its type, with all that a condition says of it.
    Type,
    /// The class that it is an instance of, if it is there at all.
    Class,
}
