//! How it is known what a value is: the statement that says so.

use ruff_python_ast::{self as ast, Expr};
use ruff_text_size::{Ranged, TextRange};
use ty_python_core::definition::{Definition, DefinitionKind, ParameterDefinitionNodeKind};

use crate::limits::BASES;
use crate::resolve::definitions::Class;
use crate::resolve::semantics::Semantics;

/// What says of which class a value is. Ranges are byte offsets into the text of the file of the expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// It is the object that a method belongs to.
    Object,
    /// Its annotation.
    Annotation(TextRange),
    /// All calls of a function of this file give it: the name of what is called, and the calls.
    Calls(String, Vec<TextRange>),
    /// This value is assigned to it.
    Assignment(TextRange),
    /// It is what this context manager gives.
    With(TextRange),
    /// It is imported.
    Import,
    /// The class of this name has an annotation for the attribute.
    AttributeAnnotation(String),
    /// The methods of the class of this name assign it to the attribute.
    AttributeValue(String),
    /// It is what this function returns, by its name.
    Returned(String),
}

impl<'db> Semantics<'db> {
    /// What says of which class the value of an expression is, as far as it is one statement.
    pub fn origin(&self, expr: &Expr) -> Option<Origin> {
        if self.class_of_receiver(expr).is_some() {
            return Some(Origin::Object);
        }
        match expr {
            Expr::Name(name) => {
                let definitions = self.bindings(name)?;
                let [definition] = definitions.as_slice() else {
                    return None;
                };
                self.is_here(*definition)
                    .then(|| self.origin_of_binding(*definition))?
            }
            Expr::Attribute(attribute) => self.origin_of_attribute(attribute),
            Expr::Call(call) => {
                let function = self.function(&call.func)?;
                let name = function.definition.name(self.db())?;
                Some(Origin::Returned(name))
            }
            Expr::Await(awaited) => self.origin(&awaited.value),
            Expr::Named(named) => self.origin(&named.value),
            _ => None,
        }
    }

    fn origin_of_binding(&self, definition: Definition<'db>) -> Option<Origin> {
        let module = self.module();
        Some(match definition.kind(self.db()) {
            DefinitionKind::Parameter(ParameterDefinitionNodeKind::Parameter(parameter)) => {
                let parameter = parameter.node(module);
                if let Some(annotation) = parameter.annotation() {
                    Origin::Annotation(annotation.range())
                } else {
                    let given = self.given_by_calls(definition, parameter)?;
                    let calls = given.calls.iter().map(Ranged::range);
                    Origin::Calls(given.function, calls.collect())
                }
            }
            DefinitionKind::AnnotatedAssignment(assignment) => {
                Origin::Annotation(assignment.annotation(module).range())
            }
            DefinitionKind::Assignment(assignment) => {
                Origin::Assignment(assignment.value(module).range())
            }
            DefinitionKind::NamedExpression(_) => {
                Origin::Assignment(self.value_bound_by(definition)?.range())
            }
            DefinitionKind::WithItem(item) => Origin::With(item.context_expr(module).range()),
            DefinitionKind::Import(_) | DefinitionKind::ImportFrom(_) => Origin::Import,
            _ => return None,
        })
    }

    fn origin_of_attribute(&self, attribute: &ast::ExprAttribute) -> Option<Origin> {
        let name = attribute.attr.as_str();
        let class = self.classes_of(&attribute.value).into_iter().next()?;
        let class = Class::of(self, class)?;
        let mut classes = vec![class.definition];
        classes.extend(class.resolution_order(BASES).unwrap_or_default());
        classes.into_iter().find_map(|class| {
            let class = Class::of(self, class)?;
            let told = class.told(name);
            let own = class.node().name.to_string();
            if told.annotation.is_some() {
                Some(Origin::AttributeAnnotation(own))
            } else {
                (!told.is_empty()).then_some(Origin::AttributeValue(own))
            }
        })
    }
}
