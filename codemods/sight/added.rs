//! What is put into a collection after it was made. Where nothing but its first items says what it holds, the
//! type engine goes by those alone.

use ruff_python_ast::name::Name;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ty_python_core::definition::{Definition, DefinitionKind};
use ty_python_core::scope::{FileScopeId, NodeWithScopeKind};

use super::collections::{self, Part};
use super::{STEPS, literal_class, look_again};
use crate::semantics::{Class, Semantics};

impl<'db> Semantics<'db> {
    /// The name of the collection that the value of `expr` was taken from, where something is put into it in
    /// sight that may be of another class, or no coroutine function, and no annotation says what it holds.
    pub(crate) fn collection_of_others<'e>(&'e self, expr: &'e Expr) -> Option<&'e Name> {
        let (name, body) = match self.collection_before(expr)? {
            Expr::Name(name) => (&name.id, self.body_with(name)?.1),
            Expr::Attribute(attribute) => {
                let (class, name) = self.class_with_collection(attribute)?;
                (name, &*class.body)
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

    /// The collection made in this file that the value of an expression was taken from, where no annotation says
    /// what it holds.
    pub(crate) fn collection_made_here<'e>(&'e self, expr: &'e Expr) -> Option<Made> {
        match self.collection_before(expr)? {
            Expr::Name(name) => {
                let (scope, body) = self.body_with(name)?;
                Some(Made {
                    is_handed_on: is_handed_on(&name.id, body),
                    of: if scope.is_global() {
                        Place::Module(name.id.to_string())
                    } else {
                        Place::Function
                    },
                })
            }
            Expr::Attribute(attribute) => {
                let (class, _) = self.class_with_collection(attribute)?;
                Some(Made {
                    is_handed_on: is_handed_on(&attribute.attr, &self.module().syntax().body),
                    of: Place::Class(class.name.to_string()),
                })
            }
            _ => None,
        }
    }

    /// The class around, and the name of the attribute, where an attribute is a collection that this class makes,
    /// and no annotation says what it holds.
    fn class_with_collection<'e>(
        &'e self,
        attribute: &'e ast::ExprAttribute,
    ) -> Option<(&'e ast::StmtClassDef, &'e Name)> {
        let class = self.class_of_receiver(&attribute.value)?;
        let known = Class::of(self.db(), self.index().try_definition(class)?)?;
        let told = known.told(&attribute.attr);
        let mut values = told.values.iter().copied();
        let is_open = told.annotation.is_none() && !told.values.is_empty() && values.all(is_made);
        is_open.then_some((class, &attribute.attr.id))
    }

    /// The scope that binds a name which stands for collections made there, and for nothing else, and its code.
    fn body_with(&self, name: &ast::ExprName) -> Option<(FileScopeId, &[Stmt])> {
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
        let body = match self.index().scope(scope).node() {
            NodeWithScopeKind::Function(function) => &function.node(self.module()).body,
            NodeWithScopeKind::Module => &self.module().syntax().body,
            _ => return None,
        };
        Some((scope, body))
    }
}

/// A collection that something in this file makes.
pub(crate) struct Made {
    pub(crate) of: Place,
    /// Whether something in the file may put more into it than is seen: it is given to a function or has another
    /// name, or its items are assigned to in some other way than one by one.
    pub(crate) is_handed_on: bool,
}

/// What has a collection.
pub(crate) enum Place {
    /// A module, under this name.
    Module(String),
    Function,
    /// The instances of the class of this name.
    Class(String),
}

/// Whether a collection may be reached in other ways than by its name.
fn is_handed_on(name: &str, body: &[Stmt]) -> bool {
    let mut uses = Uses {
        name,
        all: 0,
        plain: 0,
    };
    uses.visit_body(body);
    uses.all > uses.plain
}

/// Counts the uses of a collection, and those that do not hand it on.
struct Uses<'n> {
    /// Its name, or that of the attribute that it is.
    name: &'n str,
    all: usize,
    plain: usize,
}

impl<'a> SourceOrderVisitor<'a> for Uses<'_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        let is_it = |expr: &Expr| is_named(expr, self.name);
        let is_item = |target: &Expr| matches!(target, Expr::Subscript(item) if is_it(&item.value));
        let count = |exprs: &[Expr]| exprs.iter().filter(|expr| is_it(expr)).count();
        self.plain += match node {
            AnyNodeRef::ExprSubscript(item) if item.ctx.is_load() => {
                usize::from(is_it(&item.value))
            }
            AnyNodeRef::ExprCall(call) => {
                let is_method =
                    matches!(&*call.func, Expr::Attribute(method) if is_it(&method.value));
                let takes = matches!(&*call.func, Expr::Name(function)
                    if PLAIN_TAKERS.contains(&function.id.as_str()));
                usize::from(is_method)
                    + if takes {
                        count(&call.arguments.args)
                    } else {
                        0
                    }
            }
            AnyNodeRef::ExprCompare(comparison) => {
                usize::from(is_it(&comparison.left)) + count(&comparison.comparators)
            }
            AnyNodeRef::ExprUnaryOp(operation) => usize::from(is_it(&operation.operand)),
            AnyNodeRef::ExprBoolOp(operation) => count(&operation.values),
            AnyNodeRef::StmtFor(clause) => usize::from(is_it(&clause.iter)),
            AnyNodeRef::Comprehension(clause) => usize::from(is_it(&clause.iter)),
            AnyNodeRef::StmtIf(statement) => usize::from(is_it(&statement.test)),
            AnyNodeRef::StmtWhile(statement) => usize::from(is_it(&statement.test)),
            AnyNodeRef::StmtAssign(assign) => {
                let targets = assign.targets.iter();
                targets
                    .filter(|target| is_it(target) || is_item(target))
                    .count()
            }
            AnyNodeRef::StmtAugAssign(assign) => usize::from(is_it(&assign.target)),
            AnyNodeRef::StmtDelete(delete) => {
                let targets = delete.targets.iter();
                targets.filter(|target| is_item(target)).count()
            }
            _ => 0,
        };
        if let Some(expr) = node.as_expr_ref()
            && match expr {
                ast::ExprRef::Name(name) => name.id == self.name,
                ast::ExprRef::Attribute(attribute) => attribute.attr.as_str() == self.name,
                _ => false,
            }
        {
            self.all += 1;
        }
        TraversalSignal::Traverse
    }
}

/// Built-in functions that only look at what a collection holds, or copy it.
const PLAIN_TAKERS: [&str; 14] = [
    "all",
    "any",
    "bool",
    "dict",
    "enumerate",
    "iter",
    "len",
    "list",
    "max",
    "min",
    "reversed",
    "set",
    "sorted",
    "tuple",
];

/// Whether an expression is a variable or an attribute of this name.
fn is_named(expr: &Expr, name: &str) -> bool {
    match expr {
        Expr::Name(variable) => variable.id == name,
        Expr::Attribute(attribute) => attribute.attr.as_str() == name,
        _ => false,
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
        is_named(expr, self.name)
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
