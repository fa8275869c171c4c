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
//! where its base does, and a function without an annotation may plainly give a coroutine function. What
//! only holds where nobody says otherwise is noted ([`assumptions`]).

pub mod after;
mod annotated;
pub mod assumptions;
mod attribute_facts;
pub(crate) mod budget;
pub mod callee_awaitability;
mod callers;
mod classes;
mod collections;
mod conditions;
mod flow;
mod forwarded;
mod modules;
pub(crate) mod mutations;
mod named;
pub mod origin;
mod reaching_values;
mod returned;
pub mod types;
mod unknown;

use std::cell::Cell;

use ruff_python_ast::helpers::map_subscript;
use ruff_python_ast::{self as ast, Expr};
use ruff_text_size::Ranged;
use rustc_hash::FxHashSet;
use ty_python_core::definition::{
    Definition, DefinitionKind, ParameterDefinitionNodeKind, TargetKind,
};
use ty_python_core::unpack::Unpack;
use ty_python_semantic::HasType;
use ty_python_semantic::types::Type;

use self::collections::Part;
use self::flow::Asked;
use crate::infer::callee_awaitability::CASTS;
use crate::limits::{BASES, IMPORTS, LOOKS, Limit, STEPS};
use crate::resolve::definitions::{Class, Function};
use crate::resolve::look::{ClassAsked, ClassFound};
use crate::resolve::semantics::Semantics;

impl<'db> Semantics<'db> {
    /// What `look` finds, unless it is one of too many.
    pub(crate) fn look_again<T>(&self, look: impl FnOnce() -> Option<T>) -> Option<T> {
        /// Counts down when it is over, whatever way.
        struct UnderWay<'l>(&'l Cell<usize>);
        impl Drop for UnderWay<'_> {
            fn drop(&mut self) {
                self.0.set(self.0.get() - 1);
            }
        }
        let count = &self.look.under_way;
        if !LOOKS.has_room(count.get()) {
            return None;
        }
        count.set(count.get() + 1);
        let _under_way = UnderWay(count);
        look()
    }

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
            _ => None,
        }
    }

    /// What a parameter stands for of which no condition says more. The engine infers what is around the
    /// function for it, which is less than all that is in it.
    pub(crate) fn type_of_parameter(&self, expr: ast::ExprRef<'_>) -> Option<Type<'db>> {
        let ast::ExprRef::Name(name) = expr else {
            return None;
        };
        match self.bindings(name)?.as_slice() {
            [definition] => match definition.kind(self.db()) {
                DefinitionKind::Parameter(ParameterDefinitionNodeKind::Parameter(parameter))
                    if self.is_as_bound(expr, definition.file_scope(self.db()), Asked::Type) =>
                {
                    parameter.node(self.module()).inferred_type(self.model())
                }
                _ => None,
            },
            _ => None,
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
        self.look_again(|| self.class_to(expr, STEPS))
    }

    fn class_to(&self, expr: &Expr, steps: Limit) -> Option<Definition<'db>> {
        let asked = ClassAsked {
            file: self.file.file(self.db()),
            range: expr.range(),
            steps,
            under_way: self.look.under_way.get(),
            is_noted: self.is_noting(),
        };
        if let Some(known) = self.look.classes.borrow().get(&asked).cloned() {
            known
                .relied
                .into_iter()
                .for_each(|relied| self.note(relied));
            return known.class;
        }
        let (class, relied) = if asked.is_noted {
            self.noting(|| self.class_seen(expr, steps))
        } else {
            (self.class_seen(expr, steps), FxHashSet::default())
        };
        let mut known = self.look.classes.borrow_mut();
        known.insert(asked, ClassFound { class, relied });
        class
    }

    fn class_seen(&self, expr: &Expr, steps: Limit) -> Option<Definition<'db>> {
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
        let steps = steps.less()?;
        match expr {
            Expr::Name(name) => {
                if let Some(class) = self.class_of_receiver(expr) {
                    return self.index().try_definition(class);
                }
                if let Some(class) = self.class_declared(name, steps) {
                    return Some(class);
                }
                let Some(definition) = self.one_binding(name) else {
                    return match self.annotation_in_module(name) {
                        Some(annotation) => self.class_of_instance(annotation),
                        None => self.class_of_global(name, steps),
                    };
                };
                match definition.kind(self.db()) {
                    DefinitionKind::ImportFrom(_) => {
                        self.class_of_variable(self.definition_behind(name)?, steps)
                    }
                    DefinitionKind::Parameter(ParameterDefinitionNodeKind::Parameter(
                        parameter,
                    )) => self.class_given_by_callers(
                        definition,
                        parameter.node(self.module()),
                        steps,
                    ),
                    DefinitionKind::Parameter(
                        ParameterDefinitionNodeKind::VariadicPositionalParameter(_),
                    ) => self.builtin_class("tuple"),
                    DefinitionKind::Parameter(
                        ParameterDefinitionNodeKind::VariadicKeywordParameter(_),
                    ) => self.builtin_class("dict"),
                    DefinitionKind::Assignment(assignment) if assignment.unpack().is_some() => {
                        let unpacked = assignment.unpack()?;
                        let value = assignment.value(self.module());
                        self.class_unpacked(name, unpacked, value, steps)
                    }
                    DefinitionKind::NamedExpression(_) | DefinitionKind::Assignment(_) => {
                        self.class_to(self.value_bound_by(definition)?, steps)
                    }
                    DefinitionKind::AnnotatedAssignment(assignment) => {
                        // Where it is assigned, its value says more than its annotation.
                        let value = assignment.value(self.module()).filter(|value| {
                            self.scope_of(name) == Some(definition.file_scope(self.db()))
                                && !self.is_unknown((*value).into())
                        });
                        value
                            .and_then(|value| self.class_to(value, steps))
                            .or_else(|| {
                                self.class_of_instance(assignment.annotation(self.module()))
                            })
                    }
                    DefinitionKind::WithItem(item) if item.target_kind() == TargetKind::Single => {
                        let manager = item.context_expr(self.module());
                        if item.is_async() {
                            return self
                                .class_yielded_to(manager, "contextlib.asynccontextmanager")
                                .or_else(|| {
                                    let class = self.class_to(manager, steps)?;
                                    self.class_given_by(class, "__aenter__", true)
                                });
                        }
                        let given = self.class_given_by_manager(manager).or_else(|| {
                            self.class_yielded_to(manager, "contextlib.contextmanager")
                        });
                        given.or_else(|| {
                            let class = self.class_to(manager, steps)?;
                            self.class_given_by(class, "__enter__", false)
                        })
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
                if let Some(module) = self.module_in_sight(&attribute.value) {
                    let variable = self.definition_in_file(module, &attribute.attr, IMPORTS)?;
                    return self
                        .is_untouched(attribute.into())
                        .then(|| self.class_of_variable(variable, steps))?;
                }
                let class = self.class_with(attribute, steps)?;
                self.told_by_class(class, &attribute.attr, &|own, told| {
                    own.class_of_told(told, steps)
                })
            }
            Expr::Subscript(subscript) => {
                if let Some(value) = self.written_under(subscript, steps) {
                    return self.class_to(value, steps);
                }
                let is_one = !matches!(&*subscript.slice, Expr::Slice(_) | Expr::Tuple(_));
                (is_one && self.is_untouched(expr.into()))
                    .then(|| self.class_of_part(&subscript.value, Part::Value, steps))?
            }
            Expr::Call(call) => self
                .class_made_by(call, false)
                .or_else(|| self.class_looked_up(call, steps)),
            Expr::Await(awaited) => {
                let by_call = awaited
                    .value
                    .as_call_expr()
                    .and_then(|call| self.class_made_by(call, true));
                by_call.or_else(|| self.class_waited_for(&awaited.value, steps))
            }
            Expr::BinOp(operation) => self.class_of_operation(operation, steps),
            _ => None,
        }
    }

    /// The class of what an operator gives, by the annotation of the method of what stands before it:
    /// `folder / "name"`.
    fn class_of_operation(
        &self,
        operation: &ast::ExprBinOp,
        steps: Limit,
    ) -> Option<Definition<'db>> {
        let class = self.class_to(&operation.left, steps)?;
        // What stands behind it may have a say, and even the first (Python documentation, "Emulating numeric
        // types").
        let other = self.class_to(&operation.right, steps)?;
        if self.speaks_of(other, operation.op.reflected_dunder(), BASES) {
            return None;
        }
        self.class_given_by(class, operation.op.dunder(), false)
    }

    /// What `tell` makes of the annotation of what a function gives, or awaiting what it gives. There is
    /// nothing to tell where a decorator may make something else of the function.
    fn by_result<T>(
        &self,
        function: &Function<'db>,
        is_awaited: bool,
        tell: impl FnOnce(&Self, Option<&Expr>) -> Option<T>,
    ) -> Option<T> {
        let node = function.node(self.db())?;
        let own = self.of_function(function);
        (node.is_async == is_awaited && own.keeps_function(node))
            .then(|| tell(&own, node.returns.as_deref()))?
    }

    /// Whether all decorators of a function leave what it gives as it is.
    pub(crate) fn keeps_function(&self, function: &ast::StmtFunctionDef) -> bool {
        let mut decorators = function.decorator_list.iter();
        decorators.all(|decorator| {
            let decorator = &decorator.expression;
            self.is_kept_by(decorator)
                || self.means(decorator, &["builtins.staticmethod"])
                // What it is given first is a class, and only an annotation says what it makes of that.
                || function.returns.is_some() && self.means(decorator, &["builtins.classmethod"])
                // It gives the same again.
                || !function.is_async
                    && self.means(map_callee(decorator), &["functools.cache", "functools.lru_cache"])
        })
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

    /// The class of what a generator without an annotation gives to the `with` that `decorator` makes a context manager
    /// of it for.
    fn class_yielded_to(&self, manager: &Expr, decorator: &str) -> Option<Definition<'db>> {
        let Expr::Call(call) = manager else {
            return None;
        };
        let function = self.function_in_sight(&call.func)?;
        let own = self.of_function(&function);
        let node = function.node(self.db())?;
        let is_manager = matches!(node.decorator_list.as_slice(), [only]
            if own.means(&only.expression, &[decorator]));
        if !is_manager || node.returns.is_some() {
            return None;
        }
        own.look_again(|| own.class_yielded(node))
    }

    /// The class of a variable of the module that functions assign to, where all that is assigned to it is of that
    /// class.
    fn class_of_global(&self, name: &ast::ExprName, steps: Limit) -> Option<Definition<'db>> {
        let scope = self.scope_of(name)?;
        let around = self.index().ancestor_scopes(scope).map(|(scope, _)| scope);
        let mut inner = around.filter(|scope| !scope.is_global());
        let is_local = inner.any(|scope| {
            let table = self.index().place_table(scope);
            let symbol = table.symbol_id(&name.id);
            symbol.is_some_and(|symbol| table.symbol(symbol).is_local())
        });
        if is_local {
            return None;
        }
        let values = callers::values_of_global(self.body(), &name.id)?;
        let mut values = values
            .into_iter()
            .filter(|value| !value.is_none_literal_expr());
        let first = self.class_to(values.next()?, steps)?;
        values
            .all(|other| self.class_to(other, steps) == Some(first))
            .then_some(first)
    }

    fn makes_manager(&self, function: &ast::StmtFunctionDef) -> bool {
        matches!(function.decorator_list.as_slice(), [decorator]
            if self.means(&decorator.expression, &["contextlib.contextmanager"]))
    }

    /// Whether an annotation says that a method gives an instance of the class that it is called on.
    fn is_self(&self, annotation: &Expr) -> bool {
        self.means(annotation, &["typing.Self", "typing_extensions.Self"])
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
        let (place, count) = self.place_among(name, unpacked)?;
        self.in_tuples(iterable, place, count)
            .or(Some((iterable, Part::InItem(place))))
    }

    /// The place of a name among several targets, and how many these are.
    fn place_among(&self, name: &ast::ExprName, unpacked: Unpack<'db>) -> Option<(usize, usize)> {
        let Expr::Tuple(target) = unpacked.target(self.db(), self.module()) else {
            return None;
        };
        let is_it = |target: &Expr| matches!(target, Expr::Name(target) if target.id == name.id);
        let place = target.elts.iter().position(is_it)?;
        if target.elts.iter().filter(|target| is_it(target)).count() > 1 {
            return None;
        }
        // `for *_, job in jobs`: how many things come before it depends on what there is.
        let mut before = target.elts.iter().take(place);
        (!before.any(Expr::is_starred_expr)).then_some((place, target.elts.len()))
    }

    /// The class of what a name is given by an assignment to several: `reader, writer = streams()`.
    fn class_unpacked(
        &self,
        name: &ast::ExprName,
        unpacked: Unpack<'db>,
        value: &Expr,
        steps: Limit,
    ) -> Option<Definition<'db>> {
        let (place, _) = self.place_among(name, unpacked)?;
        self.class_of_unpacked(value, place, steps)
    }

    /// The class of the part of a value at a place of it.
    fn class_of_unpacked(
        &self,
        value: &Expr,
        place: usize,
        steps: Limit,
    ) -> Option<Definition<'db>> {
        if let Expr::Tuple(values) = value {
            let mut before = values.elts.iter().take(place + 1);
            let is_plain = !before.any(Expr::is_starred_expr);
            return is_plain.then(|| self.class_to(values.elts.get(place)?, steps))?;
        }
        self.annotated(value, steps, &|own, annotation| {
            own.class_of_instance(own.part_of_tuple(annotation, place)?)
        })
    }

    /// A class that is built in.
    fn builtin_class(&self, name: &str) -> Option<Definition<'db>> {
        self.class_in_module("builtins", name)
    }

    /// The class whose instances have an attribute that is read, where nothing else was assigned to it.
    fn class_with(&self, attribute: &ast::ExprAttribute, steps: Limit) -> Option<Definition<'db>> {
        self.is_untouched(attribute.into())
            .then(|| self.class_before(attribute, steps))?
    }

    /// The class of what has an attribute.
    fn class_before(
        &self,
        attribute: &ast::ExprAttribute,
        steps: Limit,
    ) -> Option<Definition<'db>> {
        match self.class_of_receiver(&attribute.value) {
            Some(class) => self.index().try_definition(class),
            None => self.class_to(&attribute.value, steps),
        }
    }

    /// The class that the name of a base stands for, where that is in sight.
    pub(crate) fn base_in_sight(&self, base: &Expr) -> Option<Definition<'db>> {
        match self.type_in_sight(base.into()) {
            Some(ty @ (Type::ClassLiteral(_) | Type::SubclassOf(_))) => self.class_definition(ty),
            _ => self.class_named(base),
        }
    }

    /// Whether a name, or an attribute of what it stands for, comes from a package that is not installed.
    fn is_not_there(&self, expr: &Expr) -> bool {
        let mut root = expr;
        while let Expr::Attribute(attribute) = root {
            root = &attribute.value;
        }
        matches!(self.type_in_sight(root.into()), Some(Type::Dynamic(_)))
            || matches!(expr, Expr::Attribute(member) if self.is_left_out(member))
    }

    /// A definition, where it is one of a class.
    fn as_class(&self, definition: Definition<'db>) -> Option<Definition<'db>> {
        let class = Class::of(self, definition)?;
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
        let (definition, _) = self.one_definition(name.into())?;
        Class::of(self, definition)?
            .is_behind_decorators()
            .then_some(definition)
    }

    /// The class of what a call gives: the one that is called, or the one that the annotation of a
    /// function names.
    fn class_made_by(&self, call: &ast::ExprCall, is_awaited: bool) -> Option<Definition<'db>> {
        let db = self.db();
        // What is in the brackets of a class makes it no other class.
        let named = map_subscript(&call.func);
        // What these give stands for something else.
        if self.means(named, &["builtins.super", "builtins.type"]) {
            return None;
        }
        if self.means(named, &CASTS) {
            let said = call.arguments.args.first()?;
            return (!is_awaited).then(|| self.class_of_instance(said))?;
        }
        if !is_awaited && let Some(class) = self.class_named(named) {
            return self.makes_instances(class, BASES).then_some(class);
        }
        let Some(function) = self.function_in_sight(&call.func) else {
            return self.class_by_signatures(call, is_awaited).or_else(|| {
                let object = self.class_in_sight(&call.func)?;
                self.class_given_by(object, "__call__", is_awaited)
            });
        };
        if !is_awaited
            && self
                .of_function(&function)
                .makes_manager(function.node(db)?)
        {
            return self.class_in_module("contextlib", "_GeneratorContextManager");
        }
        let method = call.func.as_attribute_expr();
        let class = method.and_then(|method| self.class_of_callee(method));
        self.class_by_result(&function, is_awaited, class)
            .or_else(|| self.class_handed_on(call, is_awaited))
    }

    /// The class of the object whose method is called.
    pub(crate) fn class_of_callee(&self, callee: &ast::ExprAttribute) -> Option<Definition<'db>> {
        let receiver = &*callee.value;
        if let Some(class) = self.class_of_receiver(receiver) {
            return self.index().try_definition(class);
        }
        match receiver {
            Expr::Call(call) if self.means(&call.func, &["builtins.super"]) => {
                let scope = self.scope_of(call)?;
                self.index().class_definition_of_method(scope)
            }
            receiver => self.class_asked(receiver),
        }
    }

    /// The class that is asked for a member: that of an object, or the one that a name stands for.
    fn class_asked(&self, receiver: &Expr) -> Option<Definition<'db>> {
        self.class_in_sight(receiver)
            .or_else(|| self.class_named(receiver))
    }

    /// The class of what a call gives by each of the signatures of what is called.
    fn class_by_signatures(
        &self,
        call: &ast::ExprCall,
        is_awaited: bool,
    ) -> Option<Definition<'db>> {
        let method = call.func.as_attribute_expr()?;
        let signatures = self.signatures_in_sight(method);
        let class = self.class_of_callee(method);
        let mut classes = signatures
            .iter()
            .map(|function| self.class_by_result(function, is_awaited, class));
        let class = classes.next()??;
        classes.all(|other| other == Some(class)).then_some(class)
    }

    /// The signatures of a function of a module that has several, or of a method, in the class of its receiver
    /// or the first one above it that speaks of it.
    pub(crate) fn signatures_in_sight(&self, method: &ast::ExprAttribute) -> Vec<Function<'db>> {
        let definitions = || {
            if let Some(module) = self.module_in_sight(&method.value) {
                return self.definitions_in_file(module, &method.attr, IMPORTS);
            }
            let class = self.class_asked(&method.value)?;
            let above = Class::of(self, class)?.resolution_order(BASES)?;
            for class in std::iter::once(class).chain(above) {
                let known = Class::of(self, class)?.own_definitions(&method.attr)?;
                if !known.is_empty() {
                    return Some(known);
                }
            }
            None
        };
        let functions: Option<Vec<_>> = definitions()
            .unwrap_or_default()
            .into_iter()
            .map(|definition| self.function_of(definition))
            .collect();
        functions.unwrap_or_default()
    }

    /// Whether a decorator says that it gives back what it is given: it takes one thing, and its
    /// annotations have the same type variable for that and for what it gives.
    pub(crate) fn is_kept_by(&self, decorator: &Expr) -> bool {
        // It gives a function another name and text (Python documentation, "functools").
        if let Expr::Call(call) = decorator
            && self.means(&call.func, &["functools.wraps"])
        {
            return true;
        }
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

    /// Whether the annotation of the first parameter of a method names no other class than that of the method.
    pub(crate) fn says_own_class(&self, annotation: &Expr) -> bool {
        self.is_self(annotation)
            || matches!(annotation, Expr::Name(name) if self.is_type_variable(name))
    }

    pub(super) fn is_type_variable(&self, name: &ast::ExprName) -> bool {
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

    /// The function that a method call leads to, where that is in sight: the method that the class of
    /// the receiver, or the nearest of its bases, has under this name, or the function of a module.
    pub(crate) fn method_in_sight(&self, method: &ast::ExprAttribute) -> Option<Definition<'db>> {
        if let Some(class) = self.class_of_receiver(&method.value) {
            let class = self.index().try_definition(class)?;
            return self.method_of(class, &method.attr, BASES);
        }
        if let Some(module) = self.module_in_sight(&method.value) {
            let function = self.definition_in_file(module, &method.attr, IMPORTS)?;
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
        self.method_of(self.class_asked(&method.value)?, &method.attr, BASES)
    }
}

/// What a decorator, or what makes it, is called: `lru_cache` and `lru_cache(maxsize=1)`.
fn map_callee(decorator: &Expr) -> &Expr {
    match decorator {
        Expr::Call(call) => &call.func,
        other => other,
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
