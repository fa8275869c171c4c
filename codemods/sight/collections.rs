//! What collections hold, by their annotations.

use std::sync::LazyLock;

use ruff_python_ast::{self as ast, Expr};
use serde::Deserialize;
use ty_python_core::definition::{Definition, DefinitionKind, ParameterDefinitionNodeKind};

use crate::semantics::{BASES, Semantics};

/// What of a collection is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// What iterating over it gives.
    Item,
    /// What stands in it under an index or a key.
    Value,
}

#[derive(Default, Deserialize)]
struct Table {
    sequences: Vec<String>,
    iterables: Vec<String>,
    mappings: Vec<String>,
    tuples: Vec<String>,
    copies: Vec<String>,
    lookups: Vec<String>,
}

static TABLE: LazyLock<Table> =
    LazyLock::new(|| toml::from_str(include_str!("../data/collections.toml")).unwrap_or_default());

/// What the pairs are of that an iterable gives: a mapping.
pub(super) fn items_of(iterable: &Expr) -> Option<&Expr> {
    let Expr::Call(call) = iterable else {
        return None;
    };
    match &*call.func {
        Expr::Attribute(method) if method.attr.as_str() == "items" && call.arguments.is_empty() => {
            Some(&method.value)
        }
        _ => None,
    }
}

/// Whether a method of this name gives what stands in a mapping under a key, or what it is given.
pub(super) fn is_lookup(method: &str) -> bool {
    TABLE.lookups.iter().any(|name| name == method)
}

impl<'db> Semantics<'db> {
    /// The class of what a collection holds, where its annotation says that.
    pub(super) fn class_of_part(
        &self,
        expr: &Expr,
        part: Part,
        steps: usize,
    ) -> Option<Definition<'db>> {
        self.part(expr, part, steps, &|own, held| own.class_of_instance(held?))
    }

    /// What `tell` makes of the annotation of what a collection holds, which is `None` where the annotation
    /// of the collection leaves that open.
    pub(super) fn part<T>(
        &self,
        expr: &Expr,
        part: Part,
        steps: usize,
        tell: &dyn Fn(&Self, Option<&Expr>) -> Option<T>,
    ) -> Option<T> {
        let steps = steps.checked_sub(1)?;
        match expr {
            Expr::Name(name) => match self.one_binding(name)?.kind(self.db()) {
                DefinitionKind::Parameter(ParameterDefinitionNodeKind::Parameter(parameter)) => {
                    let annotation = parameter.node(self.module()).annotation()?;
                    self.in_brackets(annotation, part, tell)
                }
                DefinitionKind::Parameter(
                    ParameterDefinitionNodeKind::VariadicKeywordParameter(parameter),
                ) if part == Part::Value => tell(self, parameter.node(self.module()).annotation()),
                DefinitionKind::AnnotatedAssignment(assignment) => {
                    self.in_brackets(assignment.annotation(self.module()), part, tell)
                }
                DefinitionKind::Assignment(assignment) if assignment.unpack().is_none() => {
                    match assignment.value(self.module()) {
                        value @ (Expr::Attribute(_) | Expr::Call(_)) => {
                            self.part(value, part, steps, tell)
                        }
                        _ => None,
                    }
                }
                _ => None,
            },
            Expr::Attribute(attribute) => {
                let class = self.class_with(attribute, steps)?;
                self.told_by_class(class, &attribute.attr, BASES, &|own, told| {
                    own.in_brackets(told.annotation?, part, tell)
                })
            }
            Expr::Call(call) => match (&*call.func, &*call.arguments.args) {
                (Expr::Attribute(method), [])
                    if method.attr.as_str() == "values" && part == Part::Item =>
                {
                    self.part(&method.value, Part::Value, steps, tell)
                }
                (Expr::Name(_), [given])
                    if part == Part::Item && self.is_one_of(&call.func, &TABLE.copies) =>
                {
                    self.part(given, part, steps, tell)
                }
                _ => self.part_of_result(call, false, part, tell),
            },
            Expr::Await(awaited) => match &*awaited.value {
                Expr::Call(call) => self.part_of_result(call, true, part, tell),
                _ => None,
            },
            _ => None,
        }
    }

    /// The same of what a function gives, or awaiting what it gives.
    fn part_of_result<T>(
        &self,
        call: &ast::ExprCall,
        is_awaited: bool,
        part: Part,
        tell: &dyn Fn(&Self, Option<&Expr>) -> Option<T>,
    ) -> Option<T> {
        let function = self.function_in_sight(&call.func)?;
        let own = self.of_function(&function);
        let node = function.node(self.db())?;
        if node.is_async != is_awaited || !node.decorator_list.is_empty() {
            return None;
        }
        own.in_brackets(node.returns.as_deref()?, part, tell)
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
            return is_open.then(|| tell(self, None))?;
        };
        let is_one = |paths: &[String]| self.is_one_of(&generic.value, paths);
        let held = match &*generic.slice {
            Expr::Tuple(pair) => match (&*pair.elts, part) {
                ([held, _], Part::Item) | ([_, held], Part::Value) if is_one(&TABLE.mappings) => {
                    held
                }
                ([held, Expr::EllipsisLiteral(_)], _) if is_one(&TABLE.tuples) => held,
                _ => return None,
            },
            held if is_one(&TABLE.sequences) || part == Part::Item && is_one(&TABLE.iterables) => {
                held
            }
            _ => return None,
        };
        tell(self, Some(held))
    }

    fn is_one_of(&self, expr: &Expr, paths: &[String]) -> bool {
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        self.means(expr, &paths)
    }
}

#[cfg(test)]
mod tests {
    use super::TABLE;

    #[test]
    fn the_table_is_read() {
        assert!(!TABLE.mappings.is_empty());
    }
}
