//! What a class says of an attribute of its instances.

use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};

use crate::outline::last_name;

/// What a class says of an attribute of its instances.
#[derive(Default)]
pub(super) struct Told<'a> {
    /// Its annotation, in the body of the class or where a method assigns to it, or that of a property.
    pub(super) annotation: Option<&'a Expr>,
    /// What its methods assign to it.
    pub(super) values: Vec<&'a Expr>,
    /// Whether there is something else.
    pub(super) has_others: bool,
}

impl<'a> Told<'a> {
    pub(super) fn of(class: &'a ast::StmtClassDef, name: &str) -> Self {
        let mut told = Self::default();
        for statement in &class.body {
            match statement {
                Stmt::FunctionDef(function) => {
                    if function.name.as_str() == name && !is_setter(function) {
                        let is_known = told.annotation.is_some();
                        match function.returns.as_deref() {
                            Some(annotation) if is_plain_property(function) && !is_known => {
                                told.annotation = Some(annotation);
                            }
                            _ => told.has_others = true,
                        }
                    }
                    let mut search = Assigned {
                        name,
                        told: &mut told,
                    };
                    search.visit_body(&function.body);
                }
                Stmt::AnnAssign(declaration) if matches!(&*declaration.target, Expr::Name(target) if target.id == name) =>
                {
                    told.has_others |= told.annotation.is_some();
                    told.annotation = Some(&declaration.annotation);
                }
                other => {
                    let mut search = Bound { name, found: false };
                    search.visit_stmt(other);
                    told.has_others |= search.found;
                }
            }
        }
        told
    }
}

/// Whether the body of a class binds a name to something that may say what its instances give for it: a literal
/// or an annotation alone plainly does not.
pub(super) fn may_be_descriptor(class: &ast::StmtClassDef, name: &str) -> bool {
    class.body.iter().any(|statement| match statement {
        Stmt::FunctionDef(function) => function.name.as_str() == name,
        Stmt::AnnAssign(declaration) if matches!(&*declaration.target, Expr::Name(target) if target.id == name) => {
            let value = declaration.value.as_deref();
            value.is_some_and(|value| !value.is_literal_expr())
        }
        Stmt::Assign(assign) if assign.value.is_literal_expr() => false,
        other => {
            let mut search = Bound { name, found: false };
            search.visit_stmt(other);
            search.found
        }
    })
}

/// Whether a method is a property of instances that gives what its annotation says.
fn is_plain_property(function: &ast::StmtFunctionDef) -> bool {
    let mut names = function
        .decorator_list
        .iter()
        .map(|decorator| last_name(&decorator.expression).unwrap_or_default());
    let is_property = names
        .clone()
        .any(|name| matches!(name, "property" | "cached_property"));
    is_property
        && !function.is_async
        && names.all(|name| {
            matches!(
                name,
                "property" | "cached_property" | "abstractmethod" | "override" | "final"
            )
        })
}

/// Whether a method is what is called when something is assigned to a property, or when it is deleted.
fn is_setter(function: &ast::StmtFunctionDef) -> bool {
    function.decorator_list.iter().any(|decorator| {
        matches!(&decorator.expression, Expr::Attribute(decorator)
            if matches!(decorator.attr.as_str(), "setter" | "deleter"))
    })
}

/// Looks for what a method assigns to an attribute of something.
struct Assigned<'t, 'a, 'n> {
    name: &'n str,
    told: &'t mut Told<'a>,
}

impl<'a> SourceOrderVisitor<'a> for Assigned<'_, 'a, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        let is_it = |target: &Expr| {
            matches!(target, Expr::Attribute(target)
                if target.attr.as_str() == self.name && target.value.is_name_expr())
        };
        match node {
            AnyNodeRef::StmtAssign(assign) => {
                if let [target] = assign.targets.as_slice()
                    && is_it(target)
                {
                    self.told.values.push(&assign.value);
                    return TraversalSignal::Skip;
                }
            }
            AnyNodeRef::StmtAnnAssign(declaration) if is_it(&declaration.target) => {
                self.told.has_others |= self.told.annotation.is_some();
                self.told.annotation = Some(&declaration.annotation);
                return TraversalSignal::Skip;
            }
            AnyNodeRef::ExprAttribute(attribute)
                if attribute.attr.as_str() == self.name
                    && attribute.ctx != ast::ExprContext::Load =>
            {
                // With an annotation, all assignments are of that type.
                self.told.has_others |= self.told.annotation.is_none();
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }
}

/// Looks for anything in the body of a class that may bind or declare a name.
struct Bound<'n> {
    name: &'n str,
    found: bool,
}

impl<'a> SourceOrderVisitor<'a> for Bound<'_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        self.found |= match node {
            AnyNodeRef::ExprName(name) => {
                name.id == self.name && name.ctx != ast::ExprContext::Load
            }
            AnyNodeRef::StmtFunctionDef(function) => function.name.as_str() == self.name,
            AnyNodeRef::StmtClassDef(class) => class.name.as_str() == self.name,
            AnyNodeRef::Alias(alias) => {
                let bound = alias.asname.as_ref().unwrap_or(&alias.name);
                bound.as_str() == self.name
            }
            _ => false,
        };
        TraversalSignal::Traverse
    }
}
