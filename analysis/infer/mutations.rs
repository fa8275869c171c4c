//! What is put into a collection after it was made. Where nothing but its first items says what it holds, the
//! type engine goes by those alone.

use ruff_python_ast::name::Name;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ty_python_core::definition::{Definition, DefinitionKind};
use ty_python_core::scope::{FileScopeId, NodeWithScopeKind};

use super::collections::{self, Part};
use super::literal_class;
use crate::limits::STEPS;
use crate::resolve::definitions::Class;
use crate::resolve::look::Named;
use crate::resolve::semantics::Semantics;

impl<'db> Semantics<'db> {
    /// The name of the collection that the value of `expr` was taken from, where something is put into it in
    /// sight that may be of another class, or no coroutine function, and no annotation says what it holds.
    pub fn collection_of_others<'e>(&'e self, expr: &'e Expr) -> Option<&'e Name> {
        let (name, body) = match self.collection_before(expr)? {
            Expr::Name(name) => (&name.id, self.body_with(name)?.1),
            Expr::Attribute(attribute) => {
                let (class, name) = self.class_with_collection(attribute)?;
                (name, &*class.body)
            }
            _ => return None,
        };
        self.holds_others(name, body, self.instance_class(expr))
            .then_some(name)
    }

    /// Whether code of this file puts something into a collection that may be of another class than `class` or,
    /// without one, no coroutine function.
    fn holds_others(&self, name: &str, body: &[Stmt], class: Option<Definition<'db>>) -> bool {
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
                class.is_some()
                    && self.look_again(|| self.class_of_part(value, *part, STEPS)) == class
            }),
        };
        let is_known = |value: &&Expr| is_same(value) || holds_same(value);
        !added.values.iter().all(is_known)
    }

    /// The collection that the value of an expression was taken from.
    fn collection_before<'e>(&'e self, expr: &'e Expr) -> Option<&'e Expr> {
        let mut held = match expr {
            Expr::Name(name) => {
                let looped = self.bindings(name)?.into_iter().find_map(|definition| {
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
                });
                looped.or_else(|| self.value_behind(name).and_then(taken_from))?
            }
            expr => taken_from(expr).unwrap_or(expr),
        };
        for _ in STEPS.rounds() {
            held = match held {
                // Methods of a collection give what it holds, and so do functions that copy it.
                Expr::Call(call) => match &*call.func {
                    Expr::Attribute(method) => &method.value,
                    callee if collections::is_copy(self, callee) => call.arguments.args.first()?,
                    _ => return None,
                },
                Expr::Subscript(part) if part.slice.is_slice_expr() => &part.value,
                Expr::List(ast::ExprList { elts, .. })
                | Expr::Tuple(ast::ExprTuple { elts, .. })
                    if let [Expr::Starred(copied)] = elts.as_slice() =>
                {
                    &copied.value
                }
                // Another name for it, or for a copy.
                Expr::Name(name) => match self.value_behind(name) {
                    Some(
                        value @ (Expr::Name(_)
                        | Expr::Attribute(_)
                        | Expr::Call(_)
                        | Expr::Subscript(_)),
                    ) if !is_made(self, value) => value,
                    _ => return Some(held),
                },
                held => return Some(held),
            };
        }
        Some(held)
    }

    /// The collection made in sight that the value of an expression was taken from, where no annotation says what it
    /// holds.
    pub(crate) fn collection_made_here<'e>(&'e self, expr: &'e Expr) -> Option<Made> {
        match self.collection_before(expr)? {
            Expr::Name(name) => {
                let (scope, body) = self.body_with(name)?;
                let is_local = !scope.is_global();
                Some(Made {
                    is_handed_on: self.is_handed_on(&name.id, body, is_local),
                    of: if is_local {
                        Place::Function
                    } else {
                        Place::Module(name.id.to_string())
                    },
                })
            }
            Expr::Attribute(attribute) => {
                let class = Class::of(self, self.class_before(attribute, STEPS)?)?;
                if !makes_collection(&class, &attribute.attr) {
                    return None;
                }
                // Where the object's own methods read it, what they put into it is looked at there.
                let (own, name) = (&class.own, &attribute.attr);
                let has_others = self.class_of_receiver(&attribute.value).is_none()
                    && own.holds_others(name, &class.node().body, self.instance_class(expr));
                let is_handed_on = |own: &Self| own.is_handed_on(name, own.body(), false);
                Some(Made {
                    is_handed_on: has_others
                        || is_handed_on(own)
                        || !self.is_here(class.definition) && is_handed_on(self),
                    of: Place::Class(Named::of(&class)),
                })
            }
            _ => None,
        }
    }

    /// Whether a collection may be reached in other ways than by its name.
    fn is_handed_on(&self, name: &str, body: &[Stmt], is_local: bool) -> bool {
        let mut uses = Uses {
            own: self,
            name,
            is_local,
            all: 0,
            plain: 0,
        };
        uses.visit_body(body);
        uses.all > uses.plain
    }

    /// The class around, and the name of the attribute, where an attribute is a collection that this class makes,
    /// and no annotation says what it holds.
    fn class_with_collection<'e>(
        &'e self,
        attribute: &'e ast::ExprAttribute,
    ) -> Option<(&'e ast::StmtClassDef, &'e Name)> {
        let class = self.class_of_receiver(&attribute.value)?;
        let known = Class::of(self, self.index().try_definition(class)?)?;
        makes_collection(&known, &attribute.attr).then_some((class, &attribute.attr.id))
    }

    /// The scope that binds a name which stands for collections made there, and for nothing else, and its code.
    fn body_with(&self, name: &ast::ExprName) -> Option<(FileScopeId, &[Stmt])> {
        let definitions = self.bindings(name)?;
        let is_made = |definition: &Definition<'db>| match definition.kind(self.db()) {
            DefinitionKind::Assignment(assignment) => {
                is_made(self, assignment.value(self.module()))
            }
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
            NodeWithScopeKind::Module => self.body(),
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
    Class(Named),
}

/// What an expression takes something out of, by an index or a key.
fn taken_from(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::Subscript(item) if !item.slice.is_slice_expr() => Some(&item.value),
        Expr::Call(call) => match &*call.func {
            Expr::Attribute(method)
                if collections::is_lookup(&method.attr) || &*method.attr == "popleft" =>
            {
                Some(&method.value)
            }
            _ => None,
        },
        _ => None,
    }
}

/// Whether an attribute is a collection that its class makes, and no annotation says what it holds.
fn makes_collection(class: &Class<'_>, name: &str) -> bool {
    let told = class.told(name);
    let mut values = told.values.iter();
    told.annotation.is_none()
        && !told.values.is_empty()
        && values.all(|value| is_made(&class.own, value))
}

/// Counts the uses of a collection, and those that do not hand it on.
struct Uses<'n, 'db> {
    own: &'n Semantics<'db>,
    /// Its name, or that of the attribute that it is.
    name: &'n str,
    /// Whether it is a variable of the function that is looked through: who is given it at the end comes later.
    is_local: bool,
    all: usize,
    plain: usize,
}

impl Uses<'_, '_> {
    /// How often it is asked for its truth in a condition.
    fn tested(&self, test: &Expr) -> usize {
        match test {
            Expr::BoolOp(either) => either.values.iter().map(|value| self.tested(value)).sum(),
            test => usize::from(is_named(test, self.name)),
        }
    }

    /// Whether it is a variable, or the attribute of the object whose method stands around: what is put into it
    /// there is seen.
    fn is_own(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Attribute(attribute) => self.own.class_of_receiver(&attribute.value).is_some(),
            _ => true,
        }
    }
}

impl<'a> SourceOrderVisitor<'a> for Uses<'_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        let is_it = |expr: &Expr| is_named(expr, self.name);
        let is_item = |target: &Expr| matches!(target, Expr::Subscript(item) if is_it(&item.value) && self.is_own(&item.value));
        let count = |exprs: &[Expr]| exprs.iter().filter(|expr| is_it(expr)).count();
        self.plain += match node {
            AnyNodeRef::ExprSubscript(item) if item.ctx.is_load() => {
                usize::from(is_it(&item.value))
            }
            AnyNodeRef::ExprCall(call) => {
                let is_method = matches!(&*call.func, Expr::Attribute(method)
                        if is_it(&method.value)
                            && (self.is_own(&method.value)
                                || !collections::is_addition(&method.attr)));
                let is_taker = matches!(&*call.func, Expr::Name(function)
                    if PLAIN_TAKERS.contains(&function.id.as_str()) && self.own.is_builtin(function));
                let taken = if is_taker {
                    count(&call.arguments.args)
                } else {
                    0
                };
                usize::from(is_method) + taken
            }
            AnyNodeRef::ExprCompare(comparison) => {
                usize::from(is_it(&comparison.left)) + count(&comparison.comparators)
            }
            AnyNodeRef::ExprUnaryOp(operation) => usize::from(is_it(&operation.operand)),
            AnyNodeRef::ExprStarred(starred) => usize::from(is_it(&starred.value)),
            AnyNodeRef::InterpolatedElement(element) => usize::from(is_it(&element.expression)),
            AnyNodeRef::StmtAssert(statement) => self.tested(&statement.test),
            AnyNodeRef::ElifElseClause(clause) => {
                clause.test.as_ref().map_or(0, |test| self.tested(test))
            }
            AnyNodeRef::ExprIf(conditional) => self.tested(&conditional.test),
            AnyNodeRef::StmtReturn(last) if self.is_local => last
                .value
                .as_deref()
                .map_or(0, |value| usize::from(is_it(value))),
            AnyNodeRef::StmtFor(clause) => usize::from(is_it(&clause.iter)),
            AnyNodeRef::Comprehension(clause) => usize::from(is_it(&clause.iter)),
            AnyNodeRef::StmtIf(statement) => self.tested(&statement.test),
            AnyNodeRef::StmtWhile(statement) => self.tested(&statement.test),
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
        self.all += usize::from(match node {
            AnyNodeRef::ExprName(name) => name.id == self.name,
            AnyNodeRef::ExprAttribute(attribute) => attribute.attr.as_str() == self.name,
            _ => false,
        });
        TraversalSignal::Traverse
    }
}

/// Built-in functions that only look at what a collection holds, or copy it.
const PLAIN_TAKERS: [&str; 18] = [
    "print",
    "repr",
    "str",
    "zip",
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
fn is_made(semantics: &Semantics<'_>, expr: &Expr) -> bool {
    matches!(literal_class(expr), Some("list" | "dict" | "set"))
        // `deque([Job()])`
        || matches!(expr, Expr::Call(call)
            if collections::is_copy(semantics, &call.func)
                && call.arguments.args.first().is_some_and(|held| literal_class(held).is_some()))
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
