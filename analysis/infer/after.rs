//! What the result of a coroutine gives that nothing awaits yet: in `await stock().get("apples")` the types know
//! nothing of the method, because a coroutine has none.

use asyncfix_knowledge::plain_values;
use asyncfix_syntax::queries::{last_name, yields};
use ruff_python_ast::helpers::{any_over_body, map_subscript};
use ruff_python_ast::{self as ast, Expr, Stmt};
use ty_python_core::definition::Definition;

use super::literal_class;
use crate::infer::callee_awaitability::returned_by;
use crate::infer::types::Awaitability;
use crate::limits::{BASES, Limit};
use crate::resolve::bindings::Origin;
use crate::resolve::definitions::{Class, Function};
use crate::resolve::semantics::Semantics;

/// Something that stands behind an expression.
#[derive(Debug, Clone, Copy)]
pub enum Trailer<'a> {
    /// `.attribute`
    Attribute(&'a ast::ExprAttribute),
    /// `.method(…)`
    Method(&'a ast::ExprAttribute),
    /// `(…)`
    Call,
    /// `[…]`
    Item(&'a Expr),
}

/// Built-in classes whose methods and items are never anything to await.
const SCALARS: [&str; 7] = [
    "builtins.str",
    "builtins.bytes",
    "builtins.bytearray",
    "builtins.int",
    "builtins.float",
    "builtins.complex",
    "builtins.bool",
];

/// What annotations call something to await.
const AWAITABLE: [&str; 6] = [
    "asyncio.Task",
    "asyncio.Future",
    "typing.Awaitable",
    "typing.Coroutine",
    "collections.abc.Awaitable",
    "collections.abc.Coroutine",
];

/// Collections whose methods and items give what is put into them.
const COLLECTIONS: [&str; 5] = ["list", "dict", "tuple", "set", "frozenset"];

/// Methods that give something which a collection holds.
const TAKING: [&str; 5] = ["get", "pop", "popitem", "setdefault", "popleft"];

impl<'db> Semantics<'db> {
    /// What awaiting the whole would mean, if the coroutine that `call` gives were awaited and `trailers` followed.
    pub fn awaitability_after(
        &self,
        call: &ast::ExprCall,
        trailers: &[Trailer<'_>],
    ) -> Awaitability {
        let function = self
            .function_in_sight(&call.func)
            .or_else(|| self.function(&call.func));
        let class = call
            .func
            .as_attribute_expr()
            .and_then(|method| self.class_of_callee(method));
        match function {
            Some(function) => self.after_awaiting(&function, class, trailers),
            None => Awaitability::Unknown,
        }
    }

    /// The same for a property that gives a coroutine.
    pub fn awaitability_after_property(
        &self,
        property: &ast::ExprAttribute,
        trailers: &[Trailer<'_>],
    ) -> Awaitability {
        let definitions = self.definitions_named(property.into());
        match definitions.as_slice() {
            [definition] => self
                .function_of(*definition)
                .map_or(Awaitability::Unknown, |function| {
                    self.after_awaiting(&function, None, trailers)
                }),
            _ => Awaitability::Unknown,
        }
    }

    /// The same for what awaiting what a function gives comes to. `class` is that of the object whose method it is.
    fn after_awaiting(
        &self,
        function: &Function<'db>,
        class: Option<Definition<'db>>,
        trailers: &[Trailer<'_>],
    ) -> Awaitability {
        let Some(node) = function.node(self.db()) else {
            return Awaitability::Unknown;
        };
        let own = self.of_function(function);
        match node.returns.as_deref() {
            Some(annotation) if node.is_async => own.after_annotation(annotation, class, trailers),
            Some(annotation) => own.after_awaitable(annotation, trailers, BASES),
            None if node.is_async => own.after_returned(node, class, trailers),
            None => Awaitability::Unknown,
        }
    }

    /// The same for what awaiting a value comes to that an annotation describes.
    fn after_awaitable(
        &self,
        annotation: &Expr,
        trailers: &[Trailer<'_>],
        depth: Limit,
    ) -> Awaitability {
        let Some(depth) = depth.less() else {
            return Awaitability::Unknown;
        };
        let annotation = self.without_none(annotation);
        if let Expr::Subscript(generic) = annotation {
            let last = match &*generic.slice {
                Expr::Tuple(several) => several.elts.last(),
                one => Some(one),
            };
            let given = last.map(|last| self.after_annotation(last, None, trailers));
            if let Some(known) = given.filter(|known| *known != Awaitability::Unknown) {
                return known;
            }
        }
        let class = match annotation {
            Expr::StringLiteral(quoted) => self.class_quoted(quoted),
            Expr::Subscript(generic) => self.class_named(&generic.value),
            other => self.class_named(other),
        };
        let Some(class) = class else {
            let behind = self.behind_alias(annotation, &|own, value| {
                Some(own.after_awaitable(value, trailers, depth))
            });
            return behind.unwrap_or(Awaitability::Unknown);
        };
        // What entering it gives, awaiting it gives as well: aiohttp's requests.
        if let Some(entered) = self.class_given_by(class, "__aenter__", true)
            && entered != class
        {
            return self.after_class(entered, trailers);
        }
        let Some(known) = Class::of(self, class) else {
            return Awaitability::Unknown;
        };
        let bases = known
            .node()
            .bases()
            .iter()
            .filter(|base| base.is_subscript_expr());
        let given = bases.map(|base| known.own.after_awaitable(base, trailers, depth));
        let mut given = given.filter(|known| *known != Awaitability::Unknown);
        given.next().unwrap_or(Awaitability::Unknown)
    }

    /// The same for what a function of this file returns that has no annotation.
    fn after_returned(
        &self,
        function: &ast::StmtFunctionDef,
        class: Option<Definition<'db>>,
        trailers: &[Trailer<'_>],
    ) -> Awaitability {
        let returned = returned_by(&function.body);
        let values = returned
            .into_iter()
            .flatten()
            .filter(|value| !value.is_none_literal_expr());
        let found = self.look_again(|| {
            Some(all_of(values.map(|value| {
                match class.filter(|_| self.class_of_receiver(value).is_some()) {
                    Some(class) => self.after_class(class, trailers),
                    None => self.after_value(value, trailers),
                }
            })))
        });
        found.unwrap_or(Awaitability::Unknown)
    }

    /// The same for an expression of this file.
    fn after_value(&self, value: &Expr, trailers: &[Trailer<'_>]) -> Awaitability {
        let Some((first, rest)) = trailers.split_first() else {
            return match value {
                value if value.is_literal_expr() || literal_class(value).is_some() => {
                    Awaitability::No
                }
                value => self.awaitability(value.into()),
            };
        };
        if is_slice(first) {
            return self.after_value(value, rest);
        }
        let each = |items: &mut dyn Iterator<Item = &Expr>| {
            all_of(items.map(|item| self.after_value(item, rest)))
        };
        if takes_item(first) {
            match value {
                Expr::Dict(dict) => return each(&mut dict.items.iter().map(|item| &item.value)),
                Expr::List(ast::ExprList { elts, .. })
                | Expr::Tuple(ast::ExprTuple { elts, .. })
                | Expr::Set(ast::ExprSet { elts, .. }) => return each(&mut elts.iter()),
                Expr::ListComp(ast::ExprListComp { elt, .. })
                | Expr::SetComp(ast::ExprSetComp { elt, .. }) => {
                    return self.after_value(elt, rest);
                }
                Expr::DictComp(ast::ExprDictComp { value, .. }) => {
                    return self.after_value(value, rest);
                }
                _ => {}
            }
        }
        if let Expr::Await(awaited) = value
            && let Expr::Call(call) = &*awaited.value
        {
            let found = self.look_again(|| Some(self.awaitability_after(call, trailers)));
            return found.unwrap_or(Awaitability::Unknown);
        }
        if let Expr::Name(name) = value
            && let [Origin::Value(value)] = self.origins(name).as_slice()
            && !value.is_name_expr()
        {
            let found = self.look_again(|| Some(self.after_value(value, trailers)));
            return found.unwrap_or(Awaitability::Unknown);
        }
        match self.instance_class(value) {
            Some(class) => self.after_class(class, trailers),
            None if value.is_literal_expr() => Awaitability::No,
            None => Awaitability::Unknown,
        }
    }

    /// The same for a value that an annotation of this file describes. `class` is what it means by `Self`.
    fn after_annotation(
        &self,
        annotation: &Expr,
        class: Option<Definition<'db>>,
        trailers: &[Trailer<'_>],
    ) -> Awaitability {
        let annotation = self.without_none(annotation);
        // Whatever it is, its author does not say that it is something to await.
        if self.means(
            annotation,
            &["typing.Any", "typing_extensions.Any", "builtins.object"],
        ) {
            return Awaitability::No;
        }
        if let Expr::BinOp(union) = annotation
            && union.op == ast::Operator::BitOr
        {
            let parts = [&*union.left, &*union.right].into_iter();
            let parts = parts.filter(|part| !part.is_none_literal_expr());
            return all_of(parts.map(|part| self.after_annotation(part, class, trailers)));
        }
        let class = if self.is_self(annotation) {
            class
        } else {
            self.class_of_instance(annotation)
        };
        let Some((first, rest)) = trailers.split_first() else {
            if self.means(map_subscript(annotation), &AWAITABLE) {
                return Awaitability::Awaitable;
            }
            return match (class, annotation) {
                (Some(class), _) => self.awaitability_of_instance(class),
                (None, Expr::Name(name)) if self.is_type_variable(name) => Awaitability::No,
                _ => self
                    .awaitability_by(annotation)
                    .unwrap_or(Awaitability::Unknown),
            };
        };
        if let Expr::Subscript(generic) = annotation {
            if is_slice(first) {
                return self.after_annotation(annotation, class, rest);
            }
            let is_collection = class.is_some_and(|class| {
                let path = self.path_of_class(class);
                ["builtins.", "typing.", "collections."]
                    .iter()
                    .any(|module| path.starts_with(module))
            });
            if is_collection && takes_item(first) {
                return match (&*generic.slice, first) {
                    (Expr::Tuple(several), Trailer::Item(index))
                        if last_name(&generic.value)
                            .is_some_and(|name| name.eq_ignore_ascii_case("tuple")) =>
                    {
                        let parts = several.elts.iter();
                        let parts = parts.filter(|part| !part.is_ellipsis_literal_expr());
                        let at = index_of(index).and_then(|at| several.elts.get(at));
                        match at.filter(|part| !part.is_ellipsis_literal_expr()) {
                            Some(part) => self.after_annotation(part, None, rest),
                            None => {
                                all_of(parts.map(|part| self.after_annotation(part, None, rest)))
                            }
                        }
                    }
                    (Expr::Tuple(several), _) => {
                        several.elts.last().map_or(Awaitability::Unknown, |value| {
                            self.after_annotation(value, None, rest)
                        })
                    }
                    (one, _) => self.after_annotation(one, None, rest),
                };
            }
        }
        match class {
            Some(class) => self.after_class(class, trailers),
            None => self
                .behind_alias(annotation, &|own, value| {
                    Some(own.after_annotation(value, None, trailers))
                })
                .unwrap_or(Awaitability::Unknown),
        }
    }

    /// The same for an instance of a class.
    fn after_class(&self, class: Definition<'db>, trailers: &[Trailer<'_>]) -> Awaitability {
        let Some((first, rest)) = trailers.split_first() else {
            return self.awaitability_of_instance(class);
        };
        let path = self.path_of_class(class);
        if SCALARS.contains(&path.as_str()) {
            return Awaitability::No;
        }
        if let Some(name) = path.strip_prefix("builtins.")
            && COLLECTIONS.contains(&name)
        {
            return match first {
                first if is_slice(first) => self.after_class(class, rest),
                first if takes_item(first) => Awaitability::Unknown,
                _ => Awaitability::No,
            };
        }
        let name = match first {
            Trailer::Attribute(attribute) => return self.after_attribute(class, attribute, rest),
            Trailer::Method(method) => method.attr.as_str(),
            Trailer::Call => "__call__",
            Trailer::Item(_) => "__getitem__",
        };
        let methods = self.methods_named(class, name);
        if methods.is_empty() {
            return self.after_missing(class);
        }
        all_of(methods.iter().map(|method| {
            let Some(node) = method.node(self.db()) else {
                return Awaitability::Unknown;
            };
            let own = self.of_function(method);
            if node.is_async && rest.is_empty() {
                return if yields(node) {
                    Awaitability::No
                } else {
                    Awaitability::Coroutine
                };
            }
            match node.returns.as_deref() {
                Some(annotation) => own.after_annotation(annotation, Some(class), rest),
                None => own.after_returned(node, Some(class), rest),
            }
        }))
    }

    /// The same for an attribute of an instance.
    fn after_attribute(
        &self,
        class: Definition<'db>,
        attribute: &ast::ExprAttribute,
        rest: &[Trailer<'_>],
    ) -> Awaitability {
        let told = self.told_by_class(class, &attribute.attr, &|own, told| {
            Some(match (told.annotation, told.returned) {
                (Some(annotation), _) => own.after_annotation(annotation, Some(class), rest),
                (None, Some(value)) => own.after_value(value, rest),
                (None, None) if told.parts.is_empty() => {
                    all_of(told.values.iter().map(|value| own.after_value(value, rest)))
                }
                _ => Awaitability::Unknown,
            })
        });
        told.unwrap_or_else(
            || match self.methods_named(class, &attribute.attr).as_slice() {
                // A property.
                [method] => match method.node(self.db()).filter(|node| !node.is_async) {
                    Some(node) if !node.decorator_list.is_empty() => {
                        let own = self.of_function(method);
                        match node.returns.as_deref() {
                            Some(annotation) => own.after_annotation(annotation, Some(class), rest),
                            None => own.after_returned(node, Some(class), rest),
                        }
                    }
                    Some(_) => Awaitability::No,
                    None => Awaitability::Coroutine,
                },
                [] => self.after_missing(class),
                _ => Awaitability::Unknown,
            },
        )
    }

    /// What is known of a member that a class does not have: what its `__getattr__` says.
    fn after_missing(&self, class: Definition<'db>) -> Awaitability {
        let methods = self.methods_named(class, "__getattr__");
        let says_any = |method: &Function<'db>| {
            let own = self.of_function(method);
            let node = method.node(self.db());
            node.and_then(|node| node.returns.as_deref())
                .is_some_and(|returns| own.means(returns, &["typing.Any", "typing_extensions.Any"]))
        };
        if !methods.is_empty() && methods.iter().all(says_any) {
            Awaitability::No
        } else {
            Awaitability::Unknown
        }
    }

    /// The functions that the nearest class which has something under a name defines there.
    fn methods_named(&self, class: Definition<'db>, name: &str) -> Vec<Function<'db>> {
        let above = Class::of(self, class).and_then(|class| class.resolution_order(BASES));
        for class in std::iter::once(class).chain(above.unwrap_or_default()) {
            let known = Class::of(self, class).and_then(|class| class.own_definitions(name));
            let known = known.unwrap_or_default();
            if !known.is_empty() {
                let functions: Option<Vec<_>> = known
                    .into_iter()
                    .map(|definition| self.function_of(definition))
                    .collect();
                return functions.unwrap_or_default();
            }
        }
        Vec::new()
    }

    /// Whether the value of a call can be awaited, is no coroutine, and plainly has not started: to make it does nothing
    /// but to keep what it is given, and neither does what gives it.
    pub fn waits_to_be_awaited(&self, call: &ast::ExprCall) -> bool {
        let Some(class) = self.class_in_sight(&Expr::Call(call.clone())) else {
            return false;
        };
        if self.awaitability_of_class(class, BASES) != Awaitability::No {
            return false;
        }
        let above = Class::of(self, class).and_then(|class| class.resolution_order(BASES));
        let is_known = above.is_some();
        let classes = std::iter::once(class).chain(above.unwrap_or_default());
        let classes: Vec<Definition<'db>> = classes.collect();
        let paths: Vec<String> = classes
            .iter()
            .map(|class| self.path_of_class(*class))
            .collect();
        let gives_it_alone = match self.function_in_sight(&call.func) {
            Some(function) => self.makes_alone(&function, class),
            None => self.class_named(&call.func).is_some(),
        };
        if !gives_it_alone {
            return false;
        }
        let is_lazy = |path: &String| plain_values::TABLE.lazy.contains(path);
        if paths.iter().any(is_lazy) {
            return true;
        }
        // One of them may call the next.
        let mut makers = classes
            .iter()
            .flat_map(|class| self.methods_named(*class, "__init__"));
        is_known
            && !self.methods_named(class, "__await__").is_empty()
            && !paths
                .iter()
                .any(|path| path.starts_with("asyncio.") || path.starts_with("concurrent."))
            && makers.all(|maker| {
                maker
                    .node(self.db())
                    .is_some_and(|node| keeps_what_it_is_given(&node.body))
            })
    }

    /// Whether a function does nothing but to make an instance of a class, as far as its body tells: what it takes from
    /// somewhere is not there any more for others. The body of a stub tells nothing.
    fn makes_alone(&self, function: &Function<'db>, class: Definition<'db>) -> bool {
        let Some(node) = function.node(self.db()) else {
            return false;
        };
        if function.definition.file(self.db()).is_stub(self.db()) {
            return true;
        }
        let own = self.of_function(function);
        let makes = |value: &Expr| {
            let mut value = value;
            // `SendMessage(text).as_(bot)`
            while let Expr::Call(call) = value
                && let Expr::Attribute(method) = &*call.func
                && method.value.is_call_expr()
            {
                value = &method.value;
            }
            matches!(value, Expr::Call(call) if own.class_named(&call.func) == Some(class))
        };
        only_gives(&node.body)
            && node.body.iter().all(|statement| match statement {
                Stmt::Return(given) => given.value.as_deref().is_some_and(makes),
                _ => true,
            })
    }

    /// What awaiting an instance of a class would mean.
    fn awaitability_of_instance(&self, class: Definition<'db>) -> Awaitability {
        match self.awaitability_of_class(class, BASES) {
            Awaitability::No if !self.methods_named(class, "__await__").is_empty() => {
                Awaitability::Awaitable
            }
            known => known,
        }
    }
}

/// Whether a function does nothing but to give something.
fn only_gives(body: &[Stmt]) -> bool {
    body.iter().all(|statement| match statement {
        Stmt::Return(_) | Stmt::Import(_) | Stmt::ImportFrom(_) | Stmt::Assert(_) => true,
        Stmt::Expr(only) => only.value.is_string_literal_expr(),
        _ => false,
    }) && body.last().is_some_and(Stmt::is_return_stmt)
}

/// Whether code does nothing but to keep values: it calls nothing but what is above it.
fn keeps_what_it_is_given(body: &[Stmt]) -> bool {
    !any_over_body(body, |expr| {
        matches!(expr, Expr::Call(call)
            if !matches!(last_name(&call.func), Some("super" | "__init__")))
    })
}

/// What holds for all, or nothing that is known.
fn all_of(each: impl Iterator<Item = Awaitability>) -> Awaitability {
    each.reduce(|one, other| {
        if one == other {
            one
        } else {
            Awaitability::Unknown
        }
    })
    .unwrap_or(Awaitability::Unknown)
}

fn is_slice(trailer: &Trailer<'_>) -> bool {
    matches!(trailer, Trailer::Item(Expr::Slice(_)))
}

/// Whether something that a collection holds is taken.
fn takes_item(trailer: &Trailer<'_>) -> bool {
    match trailer {
        Trailer::Item(index) => !index.is_slice_expr(),
        Trailer::Method(method) => TAKING.contains(&method.attr.as_str()),
        Trailer::Attribute(_) | Trailer::Call => false,
    }
}

fn index_of(expr: &Expr) -> Option<usize> {
    match expr.as_number_literal_expr().map(|number| &number.value) {
        Some(ast::Number::Int(number)) => number.as_usize(),
        _ => None,
    }
}
