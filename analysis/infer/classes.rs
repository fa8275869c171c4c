//! What classes say of their instances: methods, attributes, and how they are made.

use asyncfix_syntax::queries::{called, last_name};
use ruff_python_ast::comparable::ComparableExpr;
use ruff_python_ast::{self as ast, Expr, Stmt};
use ty_python_core::definition::Definition;
use ty_python_core::scope::NodeWithScopeRef;

use super::attribute_facts::Told;
use crate::facts::calls::CONSTRUCTORS;
use crate::limits::{BASES, Limit, STEPS, VALUES};
use crate::resolve::definitions::{Class, Function};
use crate::resolve::semantics::Semantics;
use crate::resolve::versions;

impl<'db> Semantics<'db> {
    /// What `tell` makes of what a class says of an attribute of its instances, or the nearest of its
    /// bases that says something of it.
    pub(super) fn told_by_class<T>(
        &self,
        class: Definition<'db>,
        name: &str,
        tell: &dyn Fn(&Self, &Told<&Expr>) -> Option<T>,
    ) -> Option<T> {
        self.told_from(class, name, BASES, &|own, told| {
            if told.annotation.is_none() && !self.is_annotated(class, name, BASES) {
                self.note_kept(class, name);
            }
            tell(own, told)
        })
    }

    /// Whether a class, or one above it, has coroutine functions or asynchronous generators as methods.
    pub fn has_asynchronous_methods(&self, class: Definition<'db>) -> bool {
        let own = |definition: Definition<'db>| {
            Class::of(self, definition).is_some_and(|class| {
                let mut body = class.node().body.iter();
                body.any(|statement| {
                    matches!(statement, Stmt::FunctionDef(function)
                        if function.is_async || function.name.as_str() == "__aiter__")
                })
            })
        };
        let above = Class::of(self, class).and_then(|class| class.resolution_order(BASES));
        own(class) || above.unwrap_or_default().into_iter().any(own)
    }

    fn told_from<T>(
        &self,
        class: Definition<'db>,
        name: &str,
        depth: Limit,
        tell: &dyn Fn(&Self, &Told<&Expr>) -> Option<T>,
    ) -> Option<T> {
        let depth = depth.less()?;
        let class = Class::of(self, class)?;
        let own = &class.own;
        let mut told = class.told(name);
        // What is `None` has no use but to be asked whether it is.
        if told
            .values
            .iter()
            .any(|value| !value.is_none_literal_expr())
        {
            told.values.retain(|value| !value.is_none_literal_expr());
        }
        match (told.annotation, told.values.as_slice()) {
            _ if told.has_others => None,
            (Some(_), _) => tell(own, &told),
            // A property is what there is, whatever classes above have.
            (None, _) if told.returned.is_some() => tell(own, &told),
            (None, values) if !told.parts.is_empty() => {
                let is_alone = values.iter().all(|value| value.is_none_literal_expr())
                    && told.parts.len() == 1
                    && class.says_alone(name, depth);
                is_alone.then(|| tell(own, &told))?
            }
            (None, []) => {
                let mut bases = class.bases();
                let first = own.base_in_sight(bases.next()?)?;
                if bases.next().is_none() {
                    return own.told_from(first, name, depth, tell);
                }
                let mut above = class.resolution_order(depth)?.into_iter();
                let speaking = above.find(|class| own.says_something(*class, name))?;
                own.told_from(speaking, name, depth, tell)
            }
            (None, [_, ..]) => {
                let is_known = class.says_alone(name, depth) || class.says_more(&told, name);
                is_known.then(|| tell(own, &told))?
            }
        }
    }

    /// The class of an attribute, where its annotation says that, or all that is assigned to it is of that class.
    pub(super) fn class_of_told(
        &self,
        told: &Told<&Expr>,
        steps: Limit,
    ) -> Option<Definition<'db>> {
        if let (None, None, [(value, place)]) =
            (told.annotation, told.returned, told.parts.as_slice())
        {
            return self.class_of_unpacked(value, *place, steps);
        }
        match (told.annotation, told.values.as_slice()) {
            (Some(annotation), _) => self.class_of_instance(annotation),
            (None, _) if let Some(value) = told.returned => self.class_to(value, steps),
            (None, [value]) => self.class_to(value, steps).or_else(|| {
                let class = self.plain_class(self.type_of(*value)?)?;
                self.note_way(value);
                Some(class)
            }),
            (None, [first, others @ ..]) if VALUES.has_room(others.len()) => {
                let found = self.class_to(first, steps)?;
                let mut others = others.iter();
                others
                    .all(|other| self.class_to(other, steps) == Some(found))
                    .then_some(found)
            }
            _ => None,
        }
    }

    /// Whether an attribute holds a coroutine function that its object has made.
    pub(crate) fn is_made_coroutine_function(&self, attribute: &ast::ExprAttribute) -> bool {
        let Some(class) = self.class_with(attribute, STEPS) else {
            return false;
        };
        let found = self.told_by_class(class, &attribute.attr, &|own, told| {
            let (None, [value @ Expr::Call(call)]) = (told.annotation, told.values.as_slice())
            else {
                return None;
            };
            // A subclass may have another method of this name.
            if let Expr::Attribute(maker) = &*call.func
                && own.class_of_receiver(&maker.value).is_some()
            {
                if own.method_in_sight(maker) != self.method_of(class, &maker.attr, BASES) {
                    return None;
                }
                self.note_kept(class, &maker.attr);
            }
            own.is_coroutine_function(value).then_some(())
        });
        found.is_some()
    }

    /// Whether a method is one that its class does not have, and that its `__getattr__` makes whenever it is
    /// asked for: a coroutine function (Python documentation, "Customizing attribute access").
    pub(crate) fn is_made_when_asked_for(&self, method: &ast::ExprAttribute) -> bool {
        let Some(class) = self.instance_class(&method.value) else {
            return false;
        };
        let has_it = [&*method.attr, "__getattribute__"]
            .iter()
            .any(|name| self.speaks_of(class, name, BASES));
        if has_it || method.attr.starts_with("__") || !self.is_untouched(method.into()) {
            return false;
        }
        let maker = self
            .method_of(class, "__getattr__", BASES)
            .and_then(|maker| self.function_of(maker));
        maker.is_some_and(|maker| {
            maker.node(self.db()).is_some_and(|node| {
                !node.is_async
                    && node.returns.is_none()
                    && node.decorator_list.is_empty()
                    && self
                        .of_function(&maker)
                        .returns_coroutine_functions(&node.body)
            })
        })
    }

    /// Whether a class, or one above it, has an attribute of this name, or may have it.
    pub(super) fn speaks_of(&self, definition: Definition<'db>, name: &str, depth: Limit) -> bool {
        let (Some(depth), Some(class)) = (depth.less(), Class::of(self, definition)) else {
            return true;
        };
        self.says_something(definition, name)
            || class.bases().any(|base| {
                let base = class.own.base_in_sight(base);
                base.is_none_or(|base| class.own.speaks_of(base, name, depth))
            })
    }

    /// Whether neither a class nor one above it says anything of an attribute, as far as these are there to ask.
    fn is_silent(&self, definition: Definition<'db>, name: &str, depth: Limit) -> bool {
        let (Some(depth), Some(class)) = (depth.less(), Class::of(self, definition)) else {
            return false;
        };
        let mut told = class.told(name);
        // Somebody has to assign something else, where it is `None`.
        told.values.retain(|value| !value.is_none_literal_expr());
        told.is_empty() && class.says_alone(name, depth)
    }

    /// Whether a class itself has an attribute of this name, or may have it.
    pub(super) fn says_something(&self, class: Definition<'db>, name: &str) -> bool {
        Class::of(self, class).is_none_or(|class| !class.told(name).is_empty())
    }

    /// Whether calling a class gives an instance of it: no class above it has a say in that.
    pub(super) fn makes_instances(&self, class: Definition<'db>, depth: Limit) -> bool {
        let (Some(depth), Some(class)) = (depth.less(), Class::of(self, class)) else {
            return false;
        };
        let (own, node) = (&class.own, class.node());
        if class.is_swapped() {
            self.note_decorated(&node.name);
        }
        let has_new = node.body.iter().any(|statement| {
            matches!(statement, Stmt::FunctionDef(function)
                if function.name.as_str() == "__new__"
                    && !function.returns.as_deref().is_some_and(|result| own.is_self(result)))
        });
        let is_made_otherwise = || {
            let mut keywords = node
                .arguments
                .iter()
                .flat_map(|given| given.keywords.iter());
            keywords.any(|keyword| {
                let is_metaclass = keyword
                    .arg
                    .as_ref()
                    .is_none_or(|name| name.as_str() == "metaclass");
                is_metaclass && !own.is_plain_metaclass(&keyword.value)
            })
        };
        !has_new
            && !is_made_otherwise()
            && class.bases().all(|base| {
                let base = own.base_in_sight(base);
                base.is_some_and(|base| own.makes_instances(base, depth))
            })
    }

    /// Whether calling a class with this metaclass makes an instance of the class.
    pub(super) fn is_plain_metaclass(&self, metaclass: &Expr) -> bool {
        if self.means(metaclass, &["abc.ABCMeta"]) {
            return true;
        }
        let Some(metaclass) = self.base_in_sight(metaclass) else {
            return false;
        };
        let Some(class) = Class::of(self, metaclass) else {
            return false;
        };
        let is_silent = |class: Definition<'db>| {
            Class::of(self, class)
                .is_some_and(|class| matches!(class.own_method("__call__"), Some(None)))
        };
        let kind = self.builtin_class("type");
        class.resolution_order(BASES).is_some_and(|above| {
            let mut classes = std::iter::once(metaclass).chain(above);
            classes.all(|class| Some(class) == kind || is_silent(class))
        })
    }

    /// The first base of the class whose method an expression stands in.
    pub(super) fn first_base_around(&self, call: &ast::ExprCall) -> Option<Definition<'db>> {
        let scope = self.scope_of(call)?;
        let class = self.index().class_definition_of_method(scope)?;
        let class = Class::of(self, class)?;
        let mut bases = class.bases();
        let first = class.own.base_in_sight(bases.next()?)?;
        bases.next().is_none().then_some(first)
    }

    /// The method that the value of `expr` has under a name, where its class is known.
    pub fn method_of_value(&self, expr: &Expr, name: &str) -> Option<Function<'db>> {
        let class = self.instance_class(expr)?;
        self.function_of(self.method_of(class, name, BASES)?)
    }

    /// The method that instances of a class have under a name.
    pub(crate) fn method_of(
        &self,
        class: Definition<'db>,
        name: &str,
        depth: Limit,
    ) -> Option<Definition<'db>> {
        let depth = depth.less()?;
        let class = Class::of(self, class)?;
        if let Some(method) = class.own_method(name)? {
            return Some(method);
        }
        let mut bases = class.bases();
        let first = class.own.base_in_sight(bases.next()?)?;
        if bases.next().is_none() {
            return class.own.method_of(first, name, depth);
        }
        // Of several, the first one comes before all others, whatever they are.
        if let Some(method) = Class::of(self, first)?.own_method(name)? {
            return Some(method);
        }
        for above in class.resolution_order(depth)? {
            if let Some(method) = Class::of(self, above)?.own_method(name)? {
                return Some(method);
            }
        }
        None
    }
}

impl<'db> Class<'db> {
    /// The annotation that a class itself has for an attribute of its instances.
    pub(super) fn told_here(&self, name: &str) -> Option<&Expr> {
        let told = self.told(name);
        told.annotation.filter(|_| !told.has_others)
    }

    /// The one type variable of a class: `class Jobs(Generic[T])`.
    pub(super) fn variable(&self) -> Option<&ast::ExprName> {
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
    pub(super) fn own_method(&self, name: &str) -> Option<Option<Definition<'db>>> {
        match *self.own_definitions(name)?.as_slice() {
            [] => Some(None),
            [method] if method.kind(self.own.db()).is_function_def() => Some(Some(method)),
            _ => None,
        }
    }

    /// The function of the class itself that runs when an object of it is made.
    pub fn constructor(&self) -> Option<Function<'db>> {
        if self.is_swapped() || self.own_method("__new__")?.is_some() {
            return None;
        }
        let mut methods = CONSTRUCTORS.into_iter();
        let method = methods.find_map(|name| self.own_method(name).flatten())?;
        self.own.function_of(method)
    }

    /// What the body of a class defines under a name; `None` where it may be something else.
    pub(super) fn own_definitions(&self, name: &str) -> Option<Vec<Definition<'db>>> {
        if self.rebinds(name) {
            return None;
        }
        let index = self.own.index();
        let scope = index.try_node_scope(NodeWithScopeRef::Class(self.node()))?;
        let table = index.place_table(scope);
        let Some(symbol) = table.symbol_id(name) else {
            return Some(Vec::new());
        };
        let bindings = index.use_def_map(scope).reachable_symbol_bindings(symbol);
        let mut definitions: Vec<_> = bindings
            .filter_map(|binding| binding.binding.definition())
            .collect();
        versions::keep_those_there(self.own.db(), &mut definitions);
        let is_said = !definitions.is_empty() || !table.symbol(symbol).is_declared();
        is_said.then_some(definitions)
    }

    /// The classes above this one, in the order in which a method is looked for (Python documentation, "The
    /// Python 2.3 Method Resolution Order"), where all of them are in sight.
    pub(super) fn resolution_order(&self, depth: Limit) -> Option<Vec<Definition<'db>>> {
        let depth = depth.less()?;
        let bases = self.bases().map(|base| self.own.base_in_sight(base));
        let bases = bases.collect::<Option<Vec<_>>>()?;
        let mut lists = Vec::new();
        for base in &bases {
            let mut list = vec![*base];
            list.extend(Class::of(&self.own, *base)?.resolution_order(depth)?);
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
    /// Whether a decorator is a function in sight that has no annotation, and may give something else than the class
    /// it is given.
    pub(super) fn is_swapped(&self) -> bool {
        let is_by = |decorator: &ast::Decorator| {
            let function = self.own.function_in_sight(called(decorator))?;
            let node = function.node(self.own.db())?;
            if node.returns.is_some() {
                return Some(false);
            }
            let own = self.own.of_function(&function);
            if !decorator.expression.is_call_expr() {
                return Some(!own.gives_back(node));
            }
            // `@registered("name")`
            let inner = own.functions_returned(&node.body);
            Some(inner.is_none_or(|inner| !inner.into_iter().all(|inner| own.gives_back(inner))))
        };
        let mut decorators = self.node().decorator_list.iter();
        decorators.any(|decorator| is_by(decorator) == Some(true))
    }

    /// Whether a class begins with an instance of a class in an attribute that its only base begins with one of a
    /// class above in: `self.options = options`, in both.
    fn says_more(&self, told: &Told<&Expr>, name: &str) -> bool {
        let own = &self.own;
        let mut bases = self.bases();
        let (Some(base), None) = (bases.next(), bases.next()) else {
            return false;
        };
        let classes = || {
            let base = Class::of(own, own.base_in_sight(base)?)?;
            if !self.begins_with(name) || !base.begins_with(name) || !base.says_alone(name, BASES) {
                return None;
            }
            let known = own.class_of_told(told, STEPS)?;
            Some((known, base.own.class_of_told(&base.told(name), STEPS)?))
        };
        own.look_again(classes).is_some_and(|(known, above)| {
            let mut below = vec![known];
            for _ in BASES.rounds() {
                if below.contains(&above) {
                    return true;
                }
                let classes = below.iter().filter_map(|class| Class::of(own, *class));
                below = classes
                    .flat_map(|class| class.base_classes().collect::<Vec<_>>())
                    .collect();
            }
            false
        })
    }

    /// Whether nothing in a class assigns to an attribute but its `__init__`, once, and after those of its bases.
    fn begins_with(&self, name: &str) -> bool {
        let told = self.told(name);
        let ([_], false, None) = (
            told.values.as_slice(),
            told.may_be_another(),
            told.annotation,
        ) else {
            return false;
        };
        let mut body = self.node().body.iter();
        let start = body.find_map(|statement| {
            let function = statement.as_function_def_stmt()?;
            (function.name.as_str() == "__init__").then_some(function)
        });
        let Some(start) = start else {
            return false;
        };
        let assigns = |statement: &Stmt| {
            matches!(statement, Stmt::Assign(assign)
                if matches!(assign.targets.as_slice(), [Expr::Attribute(target)]
                    if target.attr.as_str() == name))
        };
        let begins = |statement: &Stmt| {
            matches!(statement, Stmt::Expr(statement)
                if matches!(&*statement.value, Expr::Call(call)
                    if last_name(&call.func) == Some("__init__")))
        };
        let own = start.body.iter().position(assigns);
        let base = start.body.iter().rposition(begins);
        own.is_some_and(|own| base.is_none_or(|base| base < own))
    }

    /// Whether no base says more of an attribute, as far as the bases are there to ask.
    pub(super) fn says_alone(&self, name: &str, depth: Limit) -> bool {
        self.bases().all(|base| match self.own.base_in_sight(base) {
            Some(base) => self.own.is_silent(base, name, depth),
            None => self.own.is_not_there(base),
        })
    }

    /// Whether a class that the type engine knows nothing more of, because of its decorators, is what its
    /// statement says. A decorator of a package that is not installed gives the class back, as nearly all
    /// do: type checkers go by that too. One of the project does where its annotation says so.
    pub(super) fn is_behind_decorators(&self) -> bool {
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
            && decorators.all(|decorator| {
                is_unknown(decorator)
                    || gives_back(decorator)
                    || own.is_kept_by(&decorator.expression)
            })
    }
}
