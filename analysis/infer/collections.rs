//! What collections hold, by their annotations.

use asyncfix_knowledge::collections::TABLE;
use ruff_python_ast::{self as ast, Expr};
use ty_python_core::definition::{Definition, DefinitionKind, ParameterDefinitionNodeKind};

use crate::limits::Limit;
use crate::resolve::definitions::Class;
use crate::resolve::semantics::Semantics;

/// What of a collection is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// What iterating over it gives.
    Item,
    /// What stands in it under an index or a key.
    Value,
    /// What stands at a place of the tuples that iterating over it gives.
    InItem(usize),
}

/// Whether a method of this name gives what stands in a mapping under a key, or what it is given.
pub(super) fn is_lookup(method: &str) -> bool {
    TABLE.lookups.iter().any(|name| name == method)
}

/// Whether a method of this name puts the last thing that it is given into a collection, or what that holds.
pub(super) fn is_addition(method: &str) -> bool {
    TABLE.additions.iter().any(|name| name == method)
}

/// Whether a function holds what it is given.
pub(super) fn is_copy(semantics: &Semantics<'_>, function: &Expr) -> bool {
    semantics.is_one_of(function, &TABLE.copies)
}

impl<'db> Semantics<'db> {
    /// The class of what a collection holds, where its annotation says that.
    pub(super) fn class_of_part(
        &self,
        expr: &Expr,
        part: Part,
        steps: Limit,
    ) -> Option<Definition<'db>> {
        self.part(expr, part, steps, &|own, held| own.class_of_instance(held?))
            .or_else(|| self.class_in_brackets_before(expr, part, steps))
            .or_else(|| self.class_of_made(expr, part, steps))
    }

    /// The class of what stands in a mapping under a key, if it is there at all: `jobs.get(name)`.
    pub(super) fn class_looked_up(
        &self,
        call: &ast::ExprCall,
        steps: Limit,
    ) -> Option<Definition<'db>> {
        let method = call.func.as_attribute_expr()?;
        let is_one = is_lookup(&method.attr)
            && matches!(&*call.arguments.args, [_] | [_, Expr::NoneLiteral(_)])
            && call.arguments.keywords.is_empty();
        let is_mapping = is_one
            && self
                .class_to(&method.value, steps)
                .is_some_and(|class| TABLE.mappings.contains(&self.path_of_class(class)));
        is_mapping.then(|| self.class_of_part(&method.value, Part::Value, steps))?
    }

    /// The class of what a collection holds that an object has, where what is in the brackets of the class of
    /// that object says it: `jobs: Jobs[Job]`, and `for job in jobs.all()`.
    fn class_in_brackets_before(
        &self,
        expr: &Expr,
        part: Part,
        steps: Limit,
    ) -> Option<Definition<'db>> {
        let (attribute, is_awaited) = match expr {
            Expr::Attribute(attribute) => (attribute, false),
            Expr::Call(call) => (call.func.as_attribute_expr()?, false),
            Expr::Await(awaited) => {
                let call = awaited.value.as_call_expr()?;
                (call.func.as_attribute_expr()?, true)
            }
            Expr::Name(name) => {
                let value = self.value_behind(name)?;
                return self.class_in_brackets_before(value, part, steps.less()?);
            }
            _ => return None,
        };
        // The variable must be that of the class which says what it holds.
        let class = Class::of(self, self.class_to(&attribute.value, steps)?)?;
        let variable = class.variable()?;
        let is_held = |own: &Self, held: Option<&Expr>| {
            matches!(held, Some(Expr::Name(held)) if held.id == variable.id).then(|| own.file())
        };
        let own = &class.own;
        let says_it = if expr.is_attribute_expr() {
            class
                .told_here(&attribute.attr)
                .and_then(|annotation| own.in_brackets(annotation, part, &is_held))
        } else {
            let method = class.own_method(&attribute.attr)??;
            let function = own.function_of(method)?;
            own.by_result(&function, is_awaited, |own, result| {
                own.in_brackets(result?, part, &is_held)
            })
        };
        says_it?;
        self.class_given(&attribute.value, steps)
    }

    /// The class in the brackets of the class of a value.
    fn class_given(&self, expr: &Expr, steps: Limit) -> Option<Definition<'db>> {
        let given = |own: &Self, annotation: &Expr| match own.without_none(annotation) {
            Expr::Subscript(generic) if !generic.slice.is_tuple_expr() => {
                own.class_of_instance(&generic.slice)
            }
            _ => None,
        };
        if let Some(class) = self.annotated(expr, steps, &given) {
            return Some(class);
        }
        let Expr::Name(name) = expr else {
            return None;
        };
        given(self, &self.value_behind(name)?.as_call_expr()?.func)
    }

    /// The class of what a comprehension makes a list, or a dictionary, of.
    fn class_of_made(&self, expr: &Expr, part: Part, steps: Limit) -> Option<Definition<'db>> {
        let steps = steps.less()?;
        match (expr, part) {
            (Expr::ListComp(list), Part::Item | Part::Value) => self.class_to(&list.elt, steps),
            (Expr::DictComp(dict), Part::Value) => self.class_to(&dict.value, steps),
            (Expr::Call(call), Part::Item) => match &*call.func {
                Expr::Attribute(method)
                    if method.attr.as_str() == "values" && call.arguments.is_empty() =>
                {
                    self.class_of_made(&method.value, Part::Value, steps)
                }
                _ => None,
            },
            (Expr::Name(name), _) => self.class_of_made(self.value_behind(name)?, part, steps),
            (Expr::Attribute(attribute), _) => {
                let class = self.class_with(attribute, steps)?;
                self.told_by_class(class, &attribute.attr, &|own, told| {
                    let (None, [made]) = (told.annotation, told.values.as_slice()) else {
                        return None;
                    };
                    own.class_of_made(made, part, steps)
                })
            }
            _ => None,
        }
    }

    /// What `tell` makes of the annotation of what a collection holds, which is `None` where the annotation
    /// of the collection leaves that open.
    pub(super) fn part<T>(
        &self,
        expr: &Expr,
        part: Part,
        steps: Limit,
        tell: &dyn Fn(&Self, Option<&Expr>) -> Option<T>,
    ) -> Option<T> {
        match expr {
            Expr::Call(call) => match (&*call.func, &*call.arguments.args) {
                (Expr::Attribute(method), [])
                    if method.attr.as_str() == "values" && part == Part::Item =>
                {
                    return self.part(&method.value, Part::Value, steps.less()?, tell);
                }
                (Expr::Name(_), [given])
                    if part != Part::Value && self.is_one_of(&call.func, &TABLE.copies) =>
                {
                    return self.part(given, part, steps.less()?, tell);
                }
                // `self.jobs.get(name, [])`: what is empty holds nothing else.
                (Expr::Attribute(method), [_, default])
                    if is_lookup(&method.attr) && is_empty(default) =>
                {
                    return self.part(&method.value, Part::Value, steps.less()?, &|own, held| {
                        own.in_brackets(held?, part, tell)
                    });
                }
                (Expr::Attribute(method), [_]) if is_lookup(&method.attr) => {
                    let known =
                        self.part(&method.value, Part::Value, steps.less()?, &|own, held| {
                            own.in_brackets(held?, part, tell)
                        });
                    if known.is_some() {
                        return known;
                    }
                }
                _ => {}
            },
            // `jobs or []`
            Expr::BoolOp(either) if either.op == ast::BoolOp::Or => {
                let [held, empty] = either.values.as_slice() else {
                    return None;
                };
                return is_empty(empty).then(|| self.part(held, part, steps.less()?, tell))?;
            }
            // `self.jobs = list(jobs)`
            Expr::Attribute(attribute) => {
                let steps = steps.less()?;
                let made = self.class_with(attribute, steps).and_then(|class| {
                    self.told_by_class(class, &attribute.attr, &|own, told| match (
                        told.annotation,
                        told.returned,
                        told.values.as_slice(),
                    ) {
                        (None, None, [value @ (Expr::Call(_) | Expr::If(_))]) => {
                            own.part(value, part, steps, tell)
                        }
                        _ => None,
                    })
                });
                if made.is_some() {
                    return made;
                }
            }
            // `list(jobs) if jobs else []`
            Expr::If(either) => {
                let held = match (&*either.body, &*either.orelse) {
                    (held, other) | (other, held) if is_empty(other) => held,
                    _ => return None,
                };
                return self.part(held, part, steps.less()?, tell);
            }
            Expr::Name(name) => {
                let definition = self.one_binding(name)?;
                if let DefinitionKind::Parameter(
                    ParameterDefinitionNodeKind::VariadicKeywordParameter(parameter),
                ) = definition.kind(self.db())
                    && part == Part::Value
                {
                    return tell(self, parameter.node(self.module()).annotation());
                }
                if let Some(value) = self.value_bound_by(definition) {
                    return self.part(value, part, steps.less()?, tell);
                }
            }
            _ => {}
        }
        self.annotated(expr, steps, &|own, annotation| {
            own.in_brackets(annotation, part, tell)
        })
    }

    /// The class of what an iterable gives, by its annotation.
    pub(super) fn class_in_brackets(&self, annotation: &Expr) -> Option<Definition<'db>> {
        self.in_brackets(annotation, Part::Item, &|own, held| {
            own.class_of_instance(held?)
        })
    }

    /// What of which collection stands at a place of the tuples that an iterable gives, each of so many
    /// parts.
    pub(super) fn in_tuples<'e>(
        &self,
        iterable: &'e Expr,
        place: usize,
        count: usize,
    ) -> Option<(&'e Expr, Part)> {
        let Expr::Call(call) = iterable else {
            return None;
        };
        let given = &call.arguments.args;
        match &*call.func {
            Expr::Attribute(method) if method.attr.as_str() == "items" && given.is_empty() => {
                match (place, count) {
                    (0, 2) => Some((&method.value, Part::Item)),
                    (1, 2) => Some((&method.value, Part::Value)),
                    _ => None,
                }
            }
            Expr::Name(_) if self.is_one_of(&call.func, &TABLE.numbering) => match (place, count) {
                (1, 2) => Some((given.first()?, Part::Item)),
                _ => None,
            },
            Expr::Name(_) if self.is_one_of(&call.func, &TABLE.pairing) => {
                let is_plain = given.len() == count && !given.iter().any(Expr::is_starred_expr);
                is_plain.then(|| Some((given.get(place)?, Part::Item)))?
            }
            _ => None,
        }
    }

    /// What `tell` makes of what an annotation such as `list[Job]` says a collection holds.
    fn in_brackets<T>(
        &self,
        annotation: &Expr,
        part: Part,
        tell: &dyn Fn(&Self, Option<&Expr>) -> Option<T>,
    ) -> Option<T> {
        let annotation = self.without_none(annotation);
        let Expr::Subscript(generic) = annotation else {
            let holds_values = [&TABLE.sequences, &TABLE.mappings, &TABLE.tuples];
            let is_open = holds_values
                .iter()
                .any(|paths| self.is_one_of(annotation, paths));
            if is_open {
                return tell(self, None);
            }
            return self.behind_alias(annotation, &|own, value| own.in_brackets(value, part, tell));
        };
        let is_one = |paths: &[String]| self.is_one_of(&generic.value, paths);
        let is_value = part == Part::Value;
        let held = match &*generic.slice {
            Expr::Tuple(pair) => match &*pair.elts {
                [key, value] if is_one(&TABLE.mappings) => {
                    if is_value {
                        value
                    } else {
                        key
                    }
                }
                [held, Expr::EllipsisLiteral(_)] if is_one(&TABLE.tuples) => held,
                [held, ..] if !is_value && is_one(&TABLE.generators) => held,
                _ => return None,
            },
            held if is_one(&TABLE.sequences) || !is_value && is_one(&TABLE.iterables) => held,
            _ => return None,
        };
        let Part::InItem(place) = part else {
            return tell(self, Some(held));
        };
        tell(self, Some(self.part_of_tuple(held, place)?))
    }

    /// What an annotation of a tuple says of the thing at a place.
    pub(super) fn part_of_tuple<'e>(&self, annotation: &'e Expr, place: usize) -> Option<&'e Expr> {
        let Expr::Subscript(tuple) = annotation else {
            return None;
        };
        if !self.is_one_of(&tuple.value, &TABLE.tuples) {
            return None;
        }
        let parts = &tuple.slice.as_tuple_expr()?.elts;
        // `tuple[*tuple[Job, ...], Plan]`
        let is_several = |part: &Expr| {
            part.is_starred_expr()
                || matches!(part, Expr::Subscript(part)
                    if self.means(&part.value, &["typing.Unpack", "typing_extensions.Unpack"]))
        };
        let is_open = parts.iter().any(Expr::is_ellipsis_literal_expr)
            || parts.iter().take(place + 1).any(is_several);
        parts.get(place).filter(|_| !is_open)
    }

    fn is_one_of(&self, expr: &Expr, paths: &[String]) -> bool {
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        self.means(expr, &paths)
    }
}

/// Whether a collection has nothing in it where it is made.
fn is_empty(expr: &Expr) -> bool {
    match expr {
        Expr::List(list) => list.elts.is_empty(),
        Expr::Tuple(tuple) => tuple.elts.is_empty(),
        Expr::Dict(dict) => dict.items.is_empty(),
        _ => false,
    }
}
