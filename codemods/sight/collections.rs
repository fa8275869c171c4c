//! What collections hold, by their annotations.

use std::sync::LazyLock;

use ruff_python_ast::Expr;
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
}

static TABLE: LazyLock<Table> =
    LazyLock::new(|| toml::from_str(include_str!("../data/collections.toml")).unwrap_or_default());

impl<'db> Semantics<'db> {
    /// The class of what a collection holds, where its annotation says that.
    pub(super) fn class_of_part(
        &self,
        expr: &Expr,
        part: Part,
        steps: usize,
    ) -> Option<Definition<'db>> {
        let steps = steps.checked_sub(1)?;
        match expr {
            Expr::Name(name) => match self.one_binding(name)?.kind(self.db()) {
                DefinitionKind::Parameter(ParameterDefinitionNodeKind::Parameter(parameter)) => {
                    let annotation = parameter.node(self.module()).annotation()?;
                    self.class_in_brackets(annotation, part)
                }
                DefinitionKind::AnnotatedAssignment(assignment) => {
                    self.class_in_brackets(assignment.annotation(self.module()), part)
                }
                DefinitionKind::Assignment(assignment) if assignment.unpack().is_none() => {
                    match assignment.value(self.module()) {
                        value @ (Expr::Attribute(_) | Expr::Call(_)) => {
                            self.class_of_part(value, part, steps)
                        }
                        _ => None,
                    }
                }
                _ => None,
            },
            Expr::Attribute(attribute) => {
                let class = self.class_with(attribute, steps)?;
                self.told_by_class(class, &attribute.attr, BASES, &|own, told| {
                    own.class_in_brackets(told.annotation?, part)
                })
            }
            Expr::Call(call) => match (&*call.func, &*call.arguments.args) {
                (Expr::Attribute(method), [])
                    if method.attr.as_str() == "values" && part == Part::Item =>
                {
                    self.class_of_part(&method.value, Part::Value, steps)
                }
                (Expr::Name(_), [given])
                    if part == Part::Item && self.is_one_of(&call.func, &TABLE.copies) =>
                {
                    self.class_of_part(given, part, steps)
                }
                _ => {
                    let function = self.function_in_sight(&call.func)?;
                    let own = self.of_function(&function);
                    let node = function.node(self.db())?;
                    if node.is_async || !node.decorator_list.is_empty() {
                        return None;
                    }
                    own.class_in_brackets(node.returns.as_deref()?, part)
                }
            },
            _ => None,
        }
    }

    /// The class that an annotation such as `list[Job]` says a collection holds.
    fn class_in_brackets(&self, annotation: &Expr, part: Part) -> Option<Definition<'db>> {
        let Expr::Subscript(generic) = self.without_none(annotation) else {
            return None;
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
        self.class_of_instance(held)
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
