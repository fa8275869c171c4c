//! What values are, told from what is in sight.
//!
//! The type engine infers a whole function to answer one question about an expression in it. A
//! parameter with an annotation, a module, or an attribute that one method assigns needs no more than
//! the definition of it. The answers are those that the type engine gives; where something may make a
//! difference (a condition that narrows a name down, a second assignment), there is none, and the
//! types must be asked.
//!
//! In some places it says more than the engine does, as type checkers do: a class keeps what it is where
//! its decorator comes from a package that is not installed, what a class says of its attributes holds
//! where its base does, and a function without an annotation may plainly give a coroutine function.

mod added;
mod annotated;
mod collections;
mod conditions;
mod told;
mod unknown;

use std::cell::Cell;

use ruff_db::files::File;
use ruff_db::parsed::parsed_module;
use ruff_python_ast::comparable::ComparableExpr;
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Operator, Stmt};
use ty_python_core::ast_ids::HasScopedUseId;
use ty_python_core::definition::{
    Definition, DefinitionKind, DefinitionState, ParameterDefinitionNodeKind, TargetKind,
};
use ty_python_core::narrowing_constraints::ScopedNarrowingConstraint;
use ty_python_core::place::{PlaceExpr, PlaceExprRef};
use ty_python_core::scope::{FileScopeId, NodeWithScopeKind, NodeWithScopeRef};
use ty_python_core::{NarrowingEvaluator, semantic_index};
use ty_python_semantic::types::{Type, TypeDefinition};
use ty_python_semantic::{HasType, SemanticModel};

use self::collections::Part;
use self::told::Told;
use crate::outline::last_name;
use crate::semantics::{BASES, Class, Semantics, rebinds};
use crate::support::decorators::called;

/// How many attributes and assignments are followed, one behind the other.
const STEPS: usize = 4;

/// How often a look may begin anew within another one, as for the receiver of a method whose annotation
/// says what a call gives. A value may be made of itself.
const LOOKS: usize = 6;

thread_local! {
    /// How many looks are under way, one within the other.
    static UNDER_WAY: Cell<usize> = const { Cell::new(0) };
}

/// What `look` finds, unless it is one of too many.
fn look_again<T>(look: impl FnOnce() -> Option<T>) -> Option<T> {
    struct Look;
    impl Drop for Look {
        fn drop(&mut self) {
            UNDER_WAY.with(|count| count.set(count.get() - 1));
        }
    }
    if UNDER_WAY.with(Cell::get) >= LOOKS {
        return None;
    }
    UNDER_WAY.with(|count| count.set(count.get() + 1));
    let _look = Look;
    look()
}

/// How many imports are followed from one module to the next.
const IMPORTS: usize = 6;

impl<'db> Semantics<'db> {
    /// The type of an expression, where that is in sight.
    pub(crate) fn type_in_sight(&self, expr: ast::ExprRef<'_>) -> Option<Type<'db>> {
        match expr {
            ast::ExprRef::Name(name) => self.type_of_name(name),
            _ => None,
        }
    }

    /// What a name stands for that has one binding, and none that is assigned to it.
    fn type_of_name(&self, name: &ast::ExprName) -> Option<Type<'db>> {
        if name.ctx != ast::ExprContext::Load {
            return None;
        }
        let definitions = self.bindings(name)?;
        let [definition] = definitions.as_slice() else {
            return None;
        };
        match definition.kind(self.db()) {
            DefinitionKind::Class(class) => class.node(self.module()).inferred_type(self.model()),
            DefinitionKind::Function(function) => {
                function.node(self.module()).inferred_type(self.model())
            }
            DefinitionKind::Import(import) => {
                import.alias(self.module()).inferred_type(self.model())
            }
            DefinitionKind::ImportFrom(import) => {
                let ty = import.alias(self.module()).inferred_type(self.model())?;
                // Of a variable, it may be known what it is at this place.
                matches!(
                    ty,
                    Type::ModuleLiteral(_)
                        | Type::ClassLiteral(_)
                        | Type::FunctionLiteral(_)
                        | Type::SubclassOf(_)
                        | Type::Dynamic(_)
                )
                .then_some(ty)
            }
            DefinitionKind::Parameter(ParameterDefinitionNodeKind::Parameter(parameter))
                if self.is_as_bound(name.into(), definition.file_scope(self.db()), Asked::Type) =>
            {
                parameter.node(self.module()).inferred_type(self.model())
            }
            _ => None,
        }
    }

    /// Whether nothing is known of a name or attribute at this place but what was said where its name
    /// is bound, in the scope `bound`: no condition was asked that makes a difference to what is `asked`,
    /// and nothing was assigned to an attribute.
    fn is_as_bound(&self, expr: ast::ExprRef<'_>, bound: FileScopeId, asked: Asked) -> bool {
        let (Some(scope), Some(place)) = (self.scope_of(expr), PlaceExpr::try_from_expr(expr))
        else {
            return false;
        };
        let is_name = matches!(expr, ast::ExprRef::Name(_));
        let place = PlaceExprRef::from(&place);
        let is_narrowed = |scope: FileScopeId, known: NarrowingEvaluator<'_, 'db>| {
            known.constraint() != ScopedNarrowingConstraint::ALWAYS_TRUE
                && self
                    .index()
                    .place_table(scope)
                    .place_id(place)
                    .is_none_or(|place| known.predicate_narrowing_targets().contains_place(place))
                && !(asked == Asked::Class && self.keeps_class(expr, scope))
        };
        if scope == bound || !is_name {
            let use_id = expr.scoped_use_id(self.db(), self.file());
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

    /// Whether the conditions in the function or comprehension with this scope leave the class of what an
    /// expression stands for as it is.
    fn keeps_class(&self, expr: ast::ExprRef<'_>, scope: FileScopeId) -> bool {
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
    fn assigned_before(&self, attribute: &ast::ExprAttribute, steps: usize) -> Option<&Expr> {
        let expr = ast::ExprRef::from(attribute);
        PlaceExpr::try_from_expr(expr)?;
        let scope = self.scope_of(expr)?;
        let use_id = expr.scoped_use_id(self.db(), self.file());
        let mut bindings = self.index().use_def_map(scope).bindings_at_use(use_id);
        let (binding, None) = (bindings.next()?, bindings.next()) else {
            return None;
        };
        let DefinitionState::Defined(definition) = binding.binding else {
            return None;
        };
        if binding.narrowing_constraint.constraint() != ScopedNarrowingConstraint::ALWAYS_TRUE {
            return None;
        }
        let value = match definition.kind(self.db()) {
            DefinitionKind::Assignment(assignment) if assignment.unpack().is_none() => {
                assignment.value(self.module())
            }
            _ => return None,
        };
        let class = self.class_before(attribute, steps)?;
        self.keeps_what_is_assigned(class, &attribute.attr, BASES)
            .then_some(value)
    }

    /// Whether the instances of a class give for an attribute what was assigned to it: neither the class nor
    /// one above it has a property of this name, or anything else that may be a descriptor.
    fn keeps_what_is_assigned(&self, class: Definition<'db>, name: &str, depth: usize) -> bool {
        let (Some(depth), Some(class)) = (depth.checked_sub(1), Class::of(self.db(), class)) else {
            return false;
        };
        !told::may_be_descriptor(class.node(), name)
            && class.bases().all(|base| {
                let base = class.own.base_in_sight(base);
                base.is_some_and(|base| class.own.keeps_what_is_assigned(base, name, depth))
            })
    }

    /// Whether an attribute or item that is read is what its receiver says: nothing else was assigned to it,
    /// and no condition says more of it.
    fn is_untouched(&self, expr: ast::ExprRef<'_>) -> bool {
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

    /// The class that a value of this type is an instance of, where that is a `class` statement.
    fn plain_class(&self, ty: Type<'db>) -> Option<Definition<'db>> {
        match ty {
            Type::NominalInstance(_) => self.class_definition(ty),
            _ => None,
        }
    }

    /// The class that the value of an expression is an instance of, where that is in sight.
    pub(crate) fn class_in_sight(&self, expr: &Expr) -> Option<Definition<'db>> {
        look_again(|| self.class_to(expr, STEPS))
    }

    fn class_to(&self, expr: &Expr, steps: usize) -> Option<Definition<'db>> {
        if let Expr::Name(name) = expr
            && let Some(annotation) = self.annotation_of(name)
            && let Some(class) = self.class_of_instance(annotation)
        {
            return Some(class);
        }
        if let Some(ty) = self.type_in_sight(expr.into()) {
            return self.plain_class(ty);
        }
        if let Some(name) = literal_class(expr) {
            return self.builtin_class(name);
        }
        let steps = steps.checked_sub(1)?;
        match expr {
            Expr::Name(name) => {
                if let Some(class) = self.class_of_receiver(expr) {
                    return self.index().try_definition(class);
                }
                let definition = self.one_binding(name)?;
                match definition.kind(self.db()) {
                    DefinitionKind::Assignment(assignment) if assignment.unpack().is_none() => {
                        self.class_to(assignment.value(self.module()), steps)
                    }
                    DefinitionKind::AnnotatedAssignment(assignment) => {
                        // Where it is assigned, its value says more than its annotation.
                        let value = assignment.value(self.module()).filter(|value| {
                            self.scope_of(name) == Some(definition.file_scope(self.db()))
                                && !self.is_unknown((*value).into())
                        });
                        match value {
                            Some(value) => self.class_to(value, steps),
                            None => self.class_of_instance(assignment.annotation(self.module())),
                        }
                    }
                    DefinitionKind::WithItem(item)
                        if !item.is_async() && item.target_kind() == TargetKind::Single =>
                    {
                        let manager = item.context_expr(self.module());
                        match self.class_given_by_manager(manager) {
                            Some(class) => Some(class),
                            None => self.class_entered(self.class_to(manager, steps)?),
                        }
                    }
                    DefinitionKind::For(clause) if !clause.is_async() => {
                        let iterable = clause.iterable(self.module());
                        let (held, part) = self.taken(name, clause.target_kind(), iterable)?;
                        self.class_of_part(held, part, steps)
                    }
                    DefinitionKind::Comprehension(clause) if !clause.is_async() => {
                        let iterable = clause.iterable(self.module());
                        let (held, part) = self.taken(name, clause.target_kind(), iterable)?;
                        self.class_of_part(held, part, steps)
                    }
                    _ => None,
                }
            }
            Expr::Attribute(attribute) => {
                if let Some(value) = self.assigned_before(attribute, steps) {
                    return self.class_to(value, steps);
                }
                let class = self.class_with(attribute, steps)?;
                self.told_by_class(class, &attribute.attr, BASES, &|own, told| {
                    own.class_of_told(told, steps)
                })
            }
            Expr::Subscript(subscript) => {
                let is_one = !matches!(&*subscript.slice, Expr::Slice(_) | Expr::Tuple(_));
                if !is_one || !self.is_untouched(expr.into()) {
                    return None;
                }
                match self.written_under(subscript) {
                    Some(value) => self.builtin_class(literal_class(value)?),
                    None => self.class_of_part(&subscript.value, Part::Value, steps),
                }
            }
            Expr::Call(call) => self.class_made_by(call, false),
            Expr::Await(awaited) => match &*awaited.value {
                Expr::Call(call) => self.class_made_by(call, true),
                _ => None,
            },
            _ => None,
        }
    }

    /// The class of what a function gives to a `with` that `contextlib.contextmanager` makes a context
    /// manager of.
    fn class_given_by_manager(&self, manager: &Expr) -> Option<Definition<'db>> {
        let Expr::Call(call) = manager else {
            return None;
        };
        let function = self.function_in_sight(&call.func)?;
        let own = self.of_function(&function);
        let node = function.node(self.db())?;
        own.makes_manager(node)
            .then(|| own.class_in_brackets(node.returns.as_deref()?))?
    }

    fn makes_manager(&self, function: &ast::StmtFunctionDef) -> bool {
        matches!(function.decorator_list.as_slice(), [decorator]
            if self.means(&decorator.expression, &["contextlib.contextmanager"]))
    }

    /// The class of what entering an instance of a class gives, by the annotation of its method.
    fn class_entered(&self, manager: Definition<'db>) -> Option<Definition<'db>> {
        let method = self.method_of(manager, "__enter__", BASES)?;
        let function = self.function_of(method)?;
        let node = function.node(self.db())?;
        let own = self.of_function(&function);
        let mut decorators = node.decorator_list.iter();
        if node.is_async || !decorators.all(|decorator| own.is_kept_by(&decorator.expression)) {
            return None;
        }
        let returns = node.returns.as_deref()?;
        if own.means(returns, &["typing.Self", "typing_extensions.Self"]) {
            Some(manager)
        } else {
            own.class_of_instance(returns)
        }
    }

    /// What of which collection a loop over `iterable` gives to a name.
    fn taken<'e>(
        &self,
        name: &ast::ExprName,
        target: TargetKind<'db>,
        iterable: &'e Expr,
    ) -> Option<(&'e Expr, Part)> {
        let TargetKind::Sequence(_, unpacked) = target else {
            return Some((iterable, Part::Item));
        };
        let Expr::Tuple(target) = unpacked.target(self.db(), self.module()) else {
            return None;
        };
        let mut targets = target.elts.iter();
        let place = targets
            .position(|target| matches!(target, Expr::Name(target) if target.id == name.id))?;
        self.in_tuples(iterable, place, target.elts.len())
            .or(Some((iterable, Part::InItem(place))))
    }

    /// A class that is built in.
    fn builtin_class(&self, name: &str) -> Option<Definition<'db>> {
        self.class_in_module("builtins", name)
    }

    fn class_in_module(&self, module: &str, name: &str) -> Option<Definition<'db>> {
        let module = self.model().resolve_module(Some(module), 0)?;
        let definition = self.definition_in_file(module.file(self.db())?, name, IMPORTS)?;
        self.as_class(definition)
    }

    /// The class whose instances have an attribute that is read, where nothing else was assigned to it.
    fn class_with(&self, attribute: &ast::ExprAttribute, steps: usize) -> Option<Definition<'db>> {
        self.is_untouched(attribute.into())
            .then(|| self.class_before(attribute, steps))?
    }

    /// The class of what has an attribute.
    fn class_before(
        &self,
        attribute: &ast::ExprAttribute,
        steps: usize,
    ) -> Option<Definition<'db>> {
        match self.class_of_receiver(&attribute.value) {
            Some(class) => self.index().try_definition(class),
            None => self.class_to(&attribute.value, steps),
        }
    }

    /// What `tell` makes of what a class says of an attribute of its instances, or the nearest of its
    /// bases that says something of it.
    fn told_by_class<T>(
        &self,
        class: Definition<'db>,
        name: &str,
        depth: usize,
        tell: &dyn Fn(&Self, &Told<'_>) -> Option<T>,
    ) -> Option<T> {
        let depth = depth.checked_sub(1)?;
        let class = Class::of(self.db(), class)?;
        let own = &class.own;
        let told = Told::of(class.node(), name);
        match (told.annotation, told.values.as_slice()) {
            _ if told.has_others => None,
            (Some(_), _) => tell(own, &told),
            (None, []) => {
                let bases = class.bases().map(|base| own.base_in_sight(base));
                let bases = bases.collect::<Option<Vec<_>>>()?;
                let mut speaking = bases
                    .iter()
                    .filter(|base| bases.len() == 1 || own.speaks_of(**base, name, depth));
                let (first, None) = (speaking.next()?, speaking.next()) else {
                    return None;
                };
                own.told_by_class(*first, name, depth, tell)
            }
            (None, [_]) => class.says_alone(name, depth).then(|| tell(own, &told))?,
            _ => None,
        }
    }

    /// The class of an attribute, where its annotation says that, or the one statement that assigns to
    /// it.
    fn class_of_told(&self, told: &Told<'_>, steps: usize) -> Option<Definition<'db>> {
        match (told.annotation, told.values.as_slice()) {
            (Some(annotation), _) => self.class_of_instance(annotation),
            (None, [value]) => self
                .class_to(value, steps)
                .or_else(|| self.plain_class(self.type_of(*value)?)),
            _ => None,
        }
    }

    /// The class of the receiver of an attribute that holds a coroutine function which a method of it has
    /// made, where it has no subclass that does it otherwise.
    pub(crate) fn class_with_made_coroutine_function(
        &self,
        attribute: &ast::ExprAttribute,
    ) -> Option<Definition<'db>> {
        let class = self.class_with(attribute, STEPS)?;
        self.told_by_class(class, &attribute.attr, BASES, &|own, told| {
            let (None, [value @ Expr::Call(call)]) = (told.annotation, told.values.as_slice())
            else {
                return None;
            };
            // A subclass may have another method of this name.
            let is_same = match &*call.func {
                Expr::Attribute(maker) if own.class_of_receiver(&maker.value).is_some() => {
                    own.method_in_sight(maker) == self.method_of(class, &maker.attr, BASES)
                }
                _ => true,
            };
            (is_same && own.is_coroutine_function(value)).then_some(())
        })?;
        Some(class)
    }

    /// Whether a class, or one above it, has an attribute of this name, or may have it.
    fn speaks_of(&self, class: Definition<'db>, name: &str, depth: usize) -> bool {
        let (Some(depth), Some(class)) = (depth.checked_sub(1), Class::of(self.db(), class)) else {
            return true;
        };
        let told = Told::of(class.node(), name);
        told.has_others
            || told.annotation.is_some()
            || !told.values.is_empty()
            || class.bases().any(|base| {
                let base = class.own.base_in_sight(base);
                base.is_none_or(|base| class.own.speaks_of(base, name, depth))
            })
    }

    /// The class that the name of a base stands for, where that is in sight.
    pub(crate) fn base_in_sight(&self, base: &Expr) -> Option<Definition<'db>> {
        match self.type_in_sight(base.into()) {
            Some(ty @ (Type::ClassLiteral(_) | Type::SubclassOf(_))) => self.class_definition(ty),
            _ => self.class_named(base),
        }
    }

    /// The one binding of a name, where no condition says more of the class of what it stands for.
    fn one_binding(&self, name: &ast::ExprName) -> Option<Definition<'db>> {
        match self.bindings(name)?.as_slice() {
            [definition] => self
                .is_as_bound(name.into(), definition.file_scope(self.db()), Asked::Class)
                .then_some(*definition),
            _ => None,
        }
    }

    /// Whether a name, or an attribute of what it stands for, comes from a package that is not installed.
    fn is_not_there(&self, expr: &Expr) -> bool {
        let mut root = expr;
        while let Expr::Attribute(attribute) = root {
            root = &attribute.value;
        }
        matches!(self.type_in_sight(root.into()), Some(Type::Dynamic(_)))
    }

    /// The annotation of the parameter that a name is bound to.
    fn annotation_of(&self, name: &ast::ExprName) -> Option<&Expr> {
        match self.one_binding(name)?.kind(self.db()) {
            DefinitionKind::Parameter(ParameterDefinitionNodeKind::Parameter(parameter)) => {
                parameter.node(self.module()).annotation()
            }
            _ => None,
        }
    }

    /// What an annotation says of a value that is there: `None` has no attributes worth asking for.
    fn without_none<'e>(&self, annotation: &'e Expr) -> &'e Expr {
        match annotation {
            Expr::BinOp(union) if union.op == Operator::BitOr => {
                match (&*union.left, &*union.right) {
                    (known, Expr::NoneLiteral(_)) | (Expr::NoneLiteral(_), known) => known,
                    _ => annotation,
                }
            }
            Expr::Subscript(optional) if self.means(&optional.value, &["typing.Optional"]) => {
                &optional.slice
            }
            _ => annotation,
        }
    }

    /// The class that an annotation says a value is an instance of. To infer a parameter, the type
    /// engine infers all that stands around its function.
    fn class_of_instance(&self, annotation: &Expr) -> Option<Definition<'db>> {
        let named = match self.without_none(annotation) {
            // What is in the brackets of a class makes it no other class.
            Expr::Subscript(generic)
                if !self.means(&generic.value, &["builtins.type", "typing.Type"]) =>
            {
                &generic.value
            }
            other => other,
        };
        match self.class_named(named) {
            Some(class) => Some(class),
            None => self.behind_alias(named, &|own, value| own.class_of_instance(value)),
        }
    }

    /// The class that an annotation names.
    pub(crate) fn class_named(&self, annotation: &Expr) -> Option<Definition<'db>> {
        if let Expr::Attribute(member) = annotation {
            let module = self.type_in_sight((&*member.value).into())?;
            let definition = self.definition_in_module(module, &member.attr)?;
            return self.as_class(definition);
        }
        match self.type_in_sight(annotation.into()) {
            Some(ty @ (Type::ClassLiteral(_) | Type::SubclassOf(_))) => self.class_definition(ty),
            Some(_) => self.class_behind_decorators(annotation),
            None => self.class_named_ahead(annotation.as_name_expr()?),
        }
    }

    /// The class that a name stands for which nothing binds before it is used: in an annotation, which is
    /// never run, it may be one that comes later. Else it is built in.
    fn class_named_ahead(&self, name: &ast::ExprName) -> Option<Definition<'db>> {
        if !self.bindings(name)?.is_empty() {
            return None;
        }
        match self.lookup(&name.id, self.scope_of(name)?)?.as_slice() {
            [] => self.builtin_class(&name.id),
            [definition] => self.as_class(*definition),
            _ => None,
        }
    }

    /// A definition, where it is one of a class.
    fn as_class(&self, definition: Definition<'db>) -> Option<Definition<'db>> {
        let class = Class::of(self.db(), definition)?;
        let is_class = match class.node().inferred_type(class.own.model())? {
            Type::ClassLiteral(_) | Type::SubclassOf(_) => true,
            Type::Dynamic(_) => class.is_behind_decorators(),
            _ => false,
        };
        is_class.then_some(definition)
    }

    /// The class that a name stands for of which the type engine knows nothing more, because of its
    /// decorators.
    fn class_behind_decorators(&self, name: &Expr) -> Option<Definition<'db>> {
        let db = self.db();
        let definitions = self.definitions_named(name.into());
        let [definition] = definitions.as_slice() else {
            return None;
        };
        Class::of(db, *definition)?
            .is_behind_decorators()
            .then_some(*definition)
    }

    /// The class of what a call gives: the one that is called, or the one that the annotation of a
    /// function names.
    fn class_made_by(&self, call: &ast::ExprCall, is_awaited: bool) -> Option<Definition<'db>> {
        let db = self.db();
        // What is in the brackets of a class makes it no other class.
        let named = match &*call.func {
            Expr::Subscript(generic) => &generic.value,
            other => other,
        };
        if !is_awaited && let Some(class) = self.class_named(named) {
            return self.makes_instances(class, BASES).then_some(class);
        }
        let Some(function) = self.function_in_sight(&call.func) else {
            return self.class_of_text(call);
        };
        let node = function.node(db)?;
        let own = self.of_function(&function);
        if own.makes_manager(node) && !is_awaited {
            return self.class_in_module("contextlib", "_GeneratorContextManager");
        }
        let is_kept = node
            .decorator_list
            .iter()
            .all(|decorator| own.is_kept_by(&decorator.expression));
        if node.is_async != is_awaited || !is_kept {
            return None;
        }
        own.class_of_instance(node.returns.as_deref()?)
    }

    /// The class of what a method of text gives that has a signature for literals and one for all other text.
    fn class_of_text(&self, call: &ast::ExprCall) -> Option<Definition<'db>> {
        let method = call.func.as_attribute_expr()?;
        let text = self.builtin_class("str")?;
        if self.class_in_sight(&method.value)? != text {
            return None;
        }
        let class = Class::of(self.db(), text)?;
        let mut functions = class
            .node()
            .body
            .iter()
            .filter_map(|statement| match statement {
                Stmt::FunctionDef(function) if function.name == method.attr => Some(function),
                _ => None,
            });
        let gives_text = functions.all(|function| {
            matches!(function.returns.as_deref(), Some(Expr::Name(name))
                if matches!(name.id.as_str(), "str" | "LiteralString"))
        });
        gives_text.then_some(text)
    }

    /// Whether a decorator says that it gives back what it is given: it takes one thing, and its
    /// annotations have the same type variable for that and for what it gives.
    pub(crate) fn is_kept_by(&self, decorator: &Expr) -> bool {
        let Some(function) = self.function_in_sight(decorator) else {
            return false;
        };
        let Some(node) = function.node(self.db()) else {
            return false;
        };
        let parameters: Vec<_> = node.parameters.iter().collect();
        let ([parameter], Some(Expr::Name(given))) =
            (parameters.as_slice(), node.returns.as_deref())
        else {
            return false;
        };
        let Some(Expr::Name(taken)) = parameter.annotation() else {
            return false;
        };
        taken.id == given.id
            && !node.is_async
            && node.decorator_list.is_empty()
            && self.of_function(&function).is_type_variable(given)
    }

    fn is_type_variable(&self, name: &ast::ExprName) -> bool {
        // In a stub, it may come later.
        let definitions = self.bindings(name).and_then(|definitions| {
            if definitions.is_empty() {
                self.lookup(&name.id, self.scope_of(name)?)
            } else {
                Some(definitions)
            }
        });
        match definitions.as_deref() {
            Some([definition]) => match definition.kind(self.db()) {
                DefinitionKind::TypeVar(_) => true,
                DefinitionKind::Assignment(assignment) => {
                    // The module that has the class does not import it.
                    let is_class = |callee: &Expr| {
                        self.means(callee, &["typing.TypeVar", "typing_extensions.TypeVar"])
                            || matches!(callee, Expr::Name(name) if name.id.as_str() == "TypeVar")
                                && self.module_name().as_deref() == Some("typing")
                    };
                    matches!(assignment.value(self.module()), Expr::Call(call)
                        if is_class(&call.func))
                }
                _ => false,
            },
            _ => false,
        }
    }

    /// Whether calling a class gives an instance of it: no class above it has a say in that.
    fn makes_instances(&self, class: Definition<'db>, depth: usize) -> bool {
        let (Some(depth), Some(class)) = (depth.checked_sub(1), Class::of(self.db(), class)) else {
            return false;
        };
        let (own, node) = (&class.own, class.node());
        let has_new = node.body.iter().any(|statement| {
            matches!(statement, Stmt::FunctionDef(function) if function.name.as_str() == "__new__")
        });
        let is_made_otherwise = has_new
            || node.arguments.iter().any(|arguments| {
                let mut keywords = arguments.keywords.iter();
                keywords.any(|keyword| !own.means(&keyword.value, &["abc.ABCMeta"]))
            });
        !is_made_otherwise
            && class.bases().all(|base| {
                let base = own.base_in_sight(base);
                base.is_some_and(|base| own.makes_instances(base, depth))
            })
    }

    /// The function that a method call leads to, where that is in sight: the method that the class of
    /// the receiver, or the nearest of its bases, has under this name, or the function of a module.
    pub(crate) fn method_in_sight(&self, method: &ast::ExprAttribute) -> Option<Definition<'db>> {
        if let Some(class) = self.class_of_receiver(&method.value) {
            let class = self.index().try_definition(class)?;
            return self.method_of(class, &method.attr, BASES);
        }
        if let Some(module @ Type::ModuleLiteral(_)) = self.type_in_sight((&*method.value).into()) {
            let function = self.definition_in_module(module, &method.attr)?;
            return function
                .kind(self.db())
                .is_function_def()
                .then_some(function);
        }
        if let Expr::Call(call) = &*method.value
            && call.arguments.is_empty()
            && self.means(&call.func, &["builtins.super"])
        {
            return self.method_of(self.first_base_around(call)?, &method.attr, BASES);
        }
        self.method_of(self.class_in_sight(&method.value)?, &method.attr, BASES)
    }

    /// The one definition that a name has at the top level of a module, followed through imports.
    fn definition_in_module(&self, module: Type<'db>, name: &str) -> Option<Definition<'db>> {
        let db = self.db();
        let Type::ModuleLiteral(_) = module else {
            return None;
        };
        let env = self.model().program_environment();
        let TypeDefinition::Module(module) = module.definition(db, &env)? else {
            return None;
        };
        self.definition_in_file(module.file(db)?, name, IMPORTS)
    }

    fn definition_in_file(&self, file: File, name: &str, steps: usize) -> Option<Definition<'db>> {
        let db = self.db();
        let steps = steps.checked_sub(1)?;
        let file = self.file().program(db).program_file(db, file);
        let index = semantic_index(db, file);
        let scope = FileScopeId::global();
        let symbol = index.place_table(scope).symbol_id(name)?;
        let use_def = index.use_def_map(scope);
        let mut bindings = use_def
            .reachable_symbol_bindings(symbol)
            .filter_map(|binding| binding.binding.definition());
        let definition = bindings.next()?;
        if bindings.next().is_some() {
            return None;
        }
        let parsed = || parsed_module(db, definition.python_file(db)).load(db);
        let imported = |import: &ast::StmtImportFrom, name: &str| {
            let model = SemanticModel::new(db, file);
            let module = model.resolve_module(import.module.as_deref(), import.level)?;
            self.definition_in_file(module.file(db)?, name, steps)
        };
        match definition.kind(db) {
            DefinitionKind::ImportFrom(import) => {
                let parsed = parsed();
                imported(import.import(&parsed), &import.alias(&parsed).name)
            }
            DefinitionKind::StarImport(import) => imported(import.import(&parsed()), name),
            _ => Some(definition),
        }
    }

    /// The first base of the class whose method an expression stands in.
    fn first_base_around(&self, call: &ast::ExprCall) -> Option<Definition<'db>> {
        let scope = self.scope_of(call)?;
        let class = self.index().class_definition_of_method(scope)?;
        let class = Class::of(self.db(), class)?;
        let mut bases = class.bases();
        let first = class.own.base_in_sight(bases.next()?)?;
        bases.next().is_none().then_some(first)
    }

    /// The method that instances of a class have under a name.
    fn method_of(
        &self,
        class: Definition<'db>,
        name: &str,
        depth: usize,
    ) -> Option<Definition<'db>> {
        let depth = depth.checked_sub(1)?;
        let class = Class::of(self.db(), class)?;
        if let Some(method) = class.own_method(name)? {
            return Some(method);
        }
        let mut bases = class.bases();
        let first = class.own.base_in_sight(bases.next()?)?;
        if bases.next().is_none() {
            return class.own.method_of(first, name, depth);
        }
        // Of several, the first one comes before all others, whatever they are.
        if let Some(method) = Class::of(self.db(), first)?.own_method(name)? {
            return Some(method);
        }
        for above in class.resolution_order(depth)? {
            if let Some(method) = Class::of(self.db(), above)?.own_method(name)? {
                return Some(method);
            }
        }
        None
    }
}

impl<'db> Class<'db> {
    /// The annotation that a class itself has for an attribute of its instances.
    fn told_here(&self, name: &str) -> Option<&Expr> {
        let told = Told::of(self.node(), name);
        told.annotation.filter(|_| !told.has_others)
    }

    /// The one type variable of a class: `class Jobs(Generic[T])`.
    fn variable(&self) -> Option<&ast::ExprName> {
        let generic = ["typing.Generic", "typing_extensions.Generic"];
        let mut bases = self.node().bases().iter().filter_map(|base| match base {
            Expr::Subscript(base) if self.own.means(&base.value, &generic) => {
                base.slice.as_name_expr()
            }
            _ => None,
        });
        bases.next()
    }

    /// The method that the body of a class defines: `Some(None)` where it says nothing of the name, `None`
    /// where it may be something else.
    #[expect(clippy::option_option, reason = "a method, none, or not known")]
    fn own_method(&self, name: &str) -> Option<Option<Definition<'db>>> {
        if rebinds(self.node(), name) {
            return None;
        }
        let index = self.own.index();
        let scope = index.try_node_scope(NodeWithScopeRef::Class(self.node()))?;
        let Some(symbol) = index.place_table(scope).symbol_id(name) else {
            return Some(None);
        };
        let use_def = index.use_def_map(scope);
        let mut bindings = use_def
            .reachable_symbol_bindings(symbol)
            .filter_map(|binding| binding.binding.definition());
        match (bindings.next(), bindings.next()) {
            (None, _) if index.place_table(scope).symbol(symbol).is_declared() => None,
            (None, _) => Some(None),
            (Some(method), None) if method.kind(self.own.db()).is_function_def() => {
                Some(Some(method))
            }
            _ => None,
        }
    }

    /// The classes above this one, in the order in which a method is looked for (Python documentation, "The
    /// Python 2.3 Method Resolution Order"), where all of them are in sight.
    fn resolution_order(&self, depth: usize) -> Option<Vec<Definition<'db>>> {
        let depth = depth.checked_sub(1)?;
        let bases = self.bases().map(|base| self.own.base_in_sight(base));
        let bases = bases.collect::<Option<Vec<_>>>()?;
        let mut lists = Vec::new();
        for base in &bases {
            let mut list = vec![*base];
            list.extend(Class::of(self.own.db(), *base)?.resolution_order(depth)?);
            lists.push(list);
        }
        lists.push(bases);
        let mut order = Vec::new();
        loop {
            lists.retain(|list| !list.is_empty());
            if lists.is_empty() {
                return Some(order);
            }
            let is_behind = |class: &&Definition<'db>| {
                let mut behind = lists.iter().flat_map(|list| list.iter().skip(1));
                behind.any(|other| other == *class)
            };
            let mut heads = lists.iter().filter_map(|list| list.first());
            let next = *heads.find(|class| !is_behind(class))?;
            order.push(next);
            for list in &mut lists {
                list.retain(|class| *class != next);
            }
        }
    }
}

impl Class<'_> {
    /// Whether no base says more of an attribute, as far as the bases are there to ask.
    fn says_alone(&self, name: &str, depth: usize) -> bool {
        self.bases().all(|base| match self.own.base_in_sight(base) {
            Some(base) => !self.own.speaks_of(base, name, depth),
            None => self.own.is_not_there(base),
        })
    }

    /// Whether a class that the type engine knows nothing more of, because of its decorators, is what its
    /// statement says. A decorator of a package that is not installed gives the class back, as nearly all
    /// do: type checkers go by that too. One of the project does where its annotation says so.
    fn is_behind_decorators(&self) -> bool {
        let (own, class) = (&self.own, self.node());
        let db = own.db();
        let is_unknown = |decorator: &ast::Decorator| own.is_not_there(called(decorator));
        let gives_back = |decorator: &ast::Decorator| {
            let function = own.function_in_sight(called(decorator));
            function.is_some_and(|function| {
                let Some(node) = function.node(db) else {
                    return false;
                };
                let Some(given @ Expr::Subscript(ast::ExprSubscript { value, slice, .. })) =
                    node.returns.as_deref()
                else {
                    return false;
                };
                let mut parameters = node.parameters.iter();
                let is_as_taken = parameters.next().is_some_and(|taken| {
                    taken.annotation().map(ComparableExpr::from) == Some(given.into())
                });
                (is_as_taken || last_name(slice) == Some(class.name.as_str()))
                    && own
                        .of_function(&function)
                        .means(value, &["builtins.type", "typing.Type"])
            })
        };
        let mut decorators = class.decorator_list.iter();
        !class.decorator_list.is_empty()
            && decorators.all(|decorator| is_unknown(decorator) || gives_back(decorator))
    }
}

/// The name of the built-in class that a literal, a display or a comprehension makes an instance of.
pub(crate) fn literal_class(expr: &Expr) -> Option<&'static str> {
    Some(match expr {
        Expr::List(_) | Expr::ListComp(_) => "list",
        Expr::Dict(_) | Expr::DictComp(_) => "dict",
        Expr::Set(_) | Expr::SetComp(_) => "set",
        Expr::Tuple(_) => "tuple",
        Expr::StringLiteral(_) | Expr::FString(_) => "str",
        Expr::BytesLiteral(_) => "bytes",
        _ => return None,
    })
}

/// What is asked about a name or an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// Its type, with all that a condition says of it.
    Type,
    /// The class that it is an instance of, if it is there at all.
    Class,
}
