//! What is put into a collection after it was made. Where nothing but its first items says what it holds, the
//! type engine goes by those alone.

use ruff_python_ast::name::Name;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ty_python_core::definition::{Definition, DefinitionKind};
use ty_python_core::scope::NodeWithScopeKind;

use super::collections::{self, Part};
use super::{STEPS, literal_class, look_again};
use crate::semantics::{Class, Semantics};

impl<'db> Semantics<'db> {
    /// The name of the collection that the value of `expr` was taken from, where something is put into it in
    /// sight that may be of another class, or no coroutine function, and no annotation says what it holds.
    pub(crate) fn collection_of_others<'e>(&'e self, expr: &'e Expr) -> Option<&'e Name> {
        let (name, body) = match self.collection_before(expr)? {
            Expr::Name(name) => (&name.id, self.body_with(name)?),
            Expr::Attribute(attribute) => {
                let class = self.class_of_receiver(&attribute.value)?;
                let known = Class::of(self.db(), self.index().try_definition(class)?)?;
                let told = known.told(&attribute.attr);
                let is_open = told.annotation.is_none() && told.values.iter().copied().all(is_made);
                (&attribute.attr.id, is_open.then_some(&*class.body)?)
            }
            _ => return None,
        };
        let class = self.instance_class(expr);
        let mut added = Added {
            name,
            values: Vec::new(),
        };
        added.visit_body(body);
        let is_same = |value: &Expr| match class {
            Some(_) => self.instance_class(value) == class,
            None => self.is_coroutine_function(value),
        };
        let holds_same = |value: &Expr| match value {
            Expr::List(ast::ExprList { elts, .. })
            | Expr::Set(ast::ExprSet { elts, .. })
            | Expr::Tuple(ast::ExprTuple { elts, .. }) => elts.iter().all(is_same),
            Expr::Dict(dict) => dict.items.iter().all(|item| is_same(&item.value)),
            value => [Part::Item, Part::Value].iter().any(|part| {
                class.is_some() && look_again(|| self.class_of_part(value, *part, STEPS)) == class
            }),
        };
        let is_known = |value: &&Expr| is_same(value) || holds_same(value);
        (!added.values.iter().all(is_known)).then_some(name)
    }

    /// The collection that the value of an expression was taken from.
    fn collection_before<'e>(&'e self, expr: &'e Expr) -> Option<&'e Expr> {
        let mut held = match expr {
            Expr::Name(name) => self.bindings(name)?.into_iter().find_map(|definition| {
                let (target, iterable) = match definition.kind(self.db()) {
                    DefinitionKind::For(clause) => {
                        (clause.target_kind(), clause.iterable(self.module()))
                    }
                    DefinitionKind::Comprehension(clause) => {
                        (clause.target_kind(), clause.iterable(self.module()))
                    }
                    _ => return None,
                };
                self.taken(name, target, iterable)
                    .map(|(iterable, _)| iterable)
            })?,
            Expr::Subscript(subscript) => &subscript.value,
            expr => expr,
        };
        // Methods of a collection give what it holds, and so do functions that copy it.
        while let Expr::Call(call) = held {
            held = match &*call.func {
                Expr::Attribute(method) => &method.value,
                callee if collections::is_copy(self, callee) => call.arguments.args.first()?,
                _ => return None,
            };
        }
        Some(held)
    }

    /// Whether a collection is a variable or an attribute that something in this file makes.
    pub(crate) fn is_made_here(&self, collection: &Expr) -> bool {
        match collection {
            Expr::Name(name) => self.body_with(name).is_some(),
            Expr::Attribute(attribute) => self.class_of_receiver(&attribute.value).is_some(),
            _ => false,
        }
    }

    /// The code around a name that stands for collections made there, and for nothing else.
    fn body_with(&self, name: &ast::ExprName) -> Option<&[Stmt]> {
        let definitions = self.bindings(name)?;
        let is_made = |definition: &Definition<'db>| match definition.kind(self.db()) {
            DefinitionKind::Assignment(assignment) => is_made(assignment.value(self.module())),
            // `jobs += others`
            DefinitionKind::AugmentedAssignment(_) => true,
            _ => false,
        };
        if !definitions.iter().all(is_made) {
            return None;
        }
        let scope = definitions.first()?.file_scope(self.db());
        match self.index().scope(scope).node() {
            NodeWithScopeKind::Function(function) => Some(&function.node(self.module()).body),
            NodeWithScopeKind::Module => Some(&self.module().syntax().body),
            _ => None,
        }
    }
}

/// Whether an expression makes a collection that more can be put into.
fn is_made(expr: &Expr) -> bool {
    matches!(literal_class(expr), Some("list" | "dict" | "set"))
}

/// Looks for what is put into a collection.
struct Added<'a, 'n> {
    /// The name of the collection, or of the attribute that it is.
    name: &'n str,
    values: Vec<&'a Expr>,
}

impl Added<'_, '_> {
    fn is_it(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Name(name) => name.id == self.name,
            Expr::Attribute(attribute) => attribute.attr.as_str() == self.name,
            _ => false,
        }
    }
}

impl<'a> SourceOrderVisitor<'a> for Added<'a, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::ExprCall(call) => {
                if let Expr::Attribute(method) = &*call.func
                    && self.is_it(&method.value)
                    && collections::is_addition(&method.attr)
                {
                    self.values.extend(call.arguments.args.last());
                }
            }
            AnyNodeRef::StmtAssign(assign) => {
                let is_in_it = |target: &Expr| matches!(target, Expr::Subscript(place) if self.is_it(&place.value));
                if assign.targets.iter().any(is_in_it) {
                    self.values.push(&assign.value);
                }
            }
            AnyNodeRef::StmtAugAssign(assign) if self.is_it(&assign.target) => {
                self.values.push(&assign.value);
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }
}
