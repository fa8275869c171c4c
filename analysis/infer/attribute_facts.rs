//! What a class says of an attribute of its instances.

use asyncfix_knowledge::decorators::CACHED_PROPERTIES;
use asyncfix_syntax::queries::last_name;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{
    self as ast, AnyNodeRef, AnyRootNodeRef, Expr, HasNodeIndex, NodeIndex, Stmt,
};
use rustc_hash::FxHashMap;
use ty_python_core::definition::Definition;
use ty_python_semantic::Db;

use crate::facts::key::{Key, name_key};
use crate::resolve::definitions::Class;
use crate::resolve::semantics::Semantics;

/// What a class says of an attribute of its instances, in expressions.
#[derive(Debug, Clone)]
pub(super) struct Told<E> {
    /// Its annotation, in the body of the class or where a method assigns to it, or that of a property.
    pub(super) annotation: Option<E>,
    /// What its methods assign to it.
    pub(super) values: Vec<E>,
    /// Values that it is given the part at a place of: `self.reader, self.writer = streams()`.
    pub(super) parts: Vec<(E, usize)>,
    /// What a property without an annotation returns, which is what counts then.
    pub(super) returned: Option<E>,
    /// Whether there is something else.
    pub(super) has_others: bool,
}

impl<E> Told<E> {
    /// Whether the class says nothing.
    pub(super) fn is_empty(&self) -> bool {
        !self.has_others
            && self.annotation.is_none()
            && self.returned.is_none()
            && self.values.is_empty()
            && self.parts.is_empty()
    }

    /// Whether it may be something else than its values, where nothing says what it is.
    pub(super) fn may_be_another(&self) -> bool {
        let is_open = self.annotation.is_none() && self.returned.is_none();
        self.has_others || is_open && !self.parts.is_empty()
    }
}

impl<E> Default for Told<E> {
    fn default() -> Self {
        Self {
            annotation: None,
            values: Vec::new(),
            parts: Vec::new(),
            returned: None,
            has_others: false,
        }
    }
}

/// What a class says, by the keys of names: some classes are thousands of lines long, and they are asked for one
/// name after the other.
type Said = FxHashMap<Key, Told<NodeIndex>>;

#[salsa::tracked(returns(ref), no_eq)]
fn said_by<'db>(db: &'db dyn Db, definition: Definition<'db>) -> Said {
    Class::alone(db, definition)
        .map(|class| all_said(&class.own, class.node()))
        .unwrap_or_default()
}

impl Class<'_> {
    /// What the class itself says of an attribute of its instances.
    pub(super) fn told(&self, name: &str) -> Told<&Expr> {
        let Some(said) = said_by(self.own.db(), self.definition).get(&name_key(name)) else {
            return Told::default();
        };
        let module = self.own.module();
        let node = |index: &NodeIndex| match module.get_by_index(*index) {
            AnyRootNodeRef::Expr(expr) => Some(expr),
            _ => None,
        };
        Told {
            annotation: said.annotation.as_ref().and_then(node),
            values: said.values.iter().filter_map(node).collect(),
            parts: said
                .parts
                .iter()
                .filter_map(|(value, place)| Some((node(value)?, *place)))
                .collect(),
            returned: said.returned.as_ref().and_then(node),
            has_others: said.has_others,
        }
    }
}

/// Decorators of a property that gives what its function returns.
const PLAIN: [&str; 5] = [
    "builtins.property",
    "abc.abstractmethod",
    "typing.final",
    "typing.override",
    "typing_extensions.override",
];

fn decorators(function: &ast::StmtFunctionDef) -> impl Iterator<Item = &Expr> + Clone {
    let decorators = function.decorator_list.iter();
    decorators.map(|decorator| &decorator.expression)
}

fn index_of(expr: &Expr) -> NodeIndex {
    expr.node_index().load()
}

fn all_said(own: &Semantics<'_>, class: &ast::StmtClassDef) -> Said {
    let mut all = Said::default();
    let mut cached = Vec::new();
    for statement in &class.body {
        match statement {
            Stmt::FunctionDef(function) => {
                if !is_setter(function) {
                    let told = all.entry(name_key(&function.name)).or_default();
                    let is_known = told.annotation.is_some();
                    let is_property = is_plain_property(function) && !is_known;
                    match (function.returns.as_deref(), returned(function)) {
                        (Some(annotation), _) if is_property => {
                            told.annotation = Some(index_of(annotation));
                        }
                        // What another decorator makes of the function, only its annotation may say.
                        (None, Some(value))
                            if is_property
                                && told.returned.is_none()
                                && decorators(function).all(|path| {
                                    own.means(path, &PLAIN) || own.means(path, &CACHED_PROPERTIES)
                                }) =>
                        {
                            told.returned = Some(index_of(value));
                            if decorators(function).any(|path| own.means(path, &CACHED_PROPERTIES))
                            {
                                cached.push(name_key(&function.name));
                            }
                        }
                        _ => told.has_others = true,
                    }
                }
                Assigned { own, all: &mut all }.visit_body(&function.body);
            }
            Stmt::AnnAssign(declaration) if let Expr::Name(target) = &*declaration.target => {
                let told = all.entry(name_key(&target.id)).or_default();
                told.has_others |= told.annotation.is_some();
                told.annotation = Some(index_of(&declaration.annotation));
            }
            // `job = None`, until a method assigns something to it.
            Stmt::Assign(assign)
                if let [Expr::Name(target)] = assign.targets.as_slice()
                    && assign.value.is_none_literal_expr() =>
            {
                let told = all.entry(name_key(&target.id)).or_default();
                told.values.push(index_of(&assign.value));
            }
            other => Bound(&mut all).visit_stmt(other),
        }
    }
    // What is assigned to it stands in the place of what it would give.
    for name in cached {
        if let Some(told) = all.get_mut(&name)
            && !told.values.is_empty()
        {
            told.values.extend(told.returned.take());
        }
    }
    all
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
        other => binds(other, name),
    })
}

/// Whether a method is a property of instances that gives what its annotation says.
fn is_plain_property(function: &ast::StmtFunctionDef) -> bool {
    let mut names = decorators(function).map(|decorator| last_name(decorator).unwrap_or_default());
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

/// What a function returns that does nothing else.
fn returned(function: &ast::StmtFunctionDef) -> Option<&Expr> {
    let mut body = function.body.iter();
    let first = body.find(|statement| {
        !matches!(statement, Stmt::Expr(statement) if statement.value.is_string_literal_expr())
    });
    match first {
        Some(Stmt::Return(last)) => last.value.as_deref(),
        _ => None,
    }
}

/// Whether a method is what is called when something is assigned to a property, or when it is deleted.
fn is_setter(function: &ast::StmtFunctionDef) -> bool {
    function.decorator_list.iter().any(|decorator| {
        matches!(&decorator.expression, Expr::Attribute(decorator)
            if matches!(decorator.attr.as_str(), "setter" | "deleter"))
    })
}

/// Looks for what a method assigns to attributes of something.
struct Assigned<'s, 'db> {
    own: &'s Semantics<'db>,
    all: &'s mut Said,
}

impl Assigned<'_, '_> {
    fn told(&mut self, target: &ast::ExprAttribute) -> &mut Told<NodeIndex> {
        self.all.entry(name_key(&target.attr)).or_default()
    }
}

impl<'a> SourceOrderVisitor<'a> for Assigned<'_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtAssign(assign) => {
                if let [Expr::Attribute(target)] = assign.targets.as_slice()
                    && target.value.is_name_expr()
                {
                    self.told(target).values.push(index_of(&assign.value));
                    return TraversalSignal::Skip;
                }
                if let [Expr::Tuple(targets)] = assign.targets.as_slice()
                    && let Some(targets) = plain_targets(targets)
                {
                    for (place, target) in targets {
                        let part = (index_of(&assign.value), place);
                        self.told(target).parts.push(part);
                    }
                    return TraversalSignal::Skip;
                }
            }
            AnyNodeRef::StmtAnnAssign(declaration) => {
                if let Expr::Attribute(target) = &*declaration.target
                    && target.value.is_name_expr()
                {
                    // `self.job: Final = Job()` says no more than its value.
                    let is_open = self.own.means(
                        &declaration.annotation,
                        &["typing.Final", "typing_extensions.Final"],
                    );
                    let told = self.told(target);
                    match &declaration.value {
                        Some(value) if is_open => told.values.push(index_of(value)),
                        _ => {
                            told.has_others |= told.annotation.is_some();
                            told.annotation = Some(index_of(&declaration.annotation));
                        }
                    }
                    return TraversalSignal::Skip;
                }
            }
            AnyNodeRef::ExprAttribute(target) if !target.ctx.is_load() => {
                // With an annotation, all assignments are of that type. A property has a say in them.
                let told = self.told(target);
                told.has_others |= told.annotation.is_none() && told.returned.is_none();
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }
}

/// The attributes among several targets, with their places, where all others are names.
fn plain_targets(targets: &ast::ExprTuple) -> Option<Vec<(usize, &ast::ExprAttribute)>> {
    let mut attributes = Vec::new();
    for (place, target) in targets.elts.iter().enumerate() {
        match target {
            Expr::Name(_) => {}
            Expr::Attribute(target) if target.value.is_name_expr() => {
                attributes.push((place, target));
            }
            _ => return None,
        }
    }
    Some(attributes)
}

/// Looks for anything in the body of a class that may bind or declare a name.
struct Bound<'s>(&'s mut Said);

impl<'a> SourceOrderVisitor<'a> for Bound<'_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if let Some(name) = name_bound_by(node) {
            self.0.entry(name_key(name)).or_default().has_others = true;
        }
        TraversalSignal::Traverse
    }
}

/// The name that a node binds by itself, as one of several may in a statement.
fn name_bound_by(node: AnyNodeRef<'_>) -> Option<&str> {
    match node {
        AnyNodeRef::ExprName(name) if !name.ctx.is_load() => Some(&name.id),
        AnyNodeRef::StmtFunctionDef(function) => Some(&function.name),
        AnyNodeRef::StmtClassDef(class) => Some(&class.name),
        AnyNodeRef::Alias(alias) => Some(alias.asname.as_ref().unwrap_or(&alias.name)),
        _ => None,
    }
}

/// Whether a statement may bind or declare a name.
fn binds(statement: &Stmt, name: &str) -> bool {
    struct Search<'n> {
        name: &'n str,
        is_found: bool,
    }
    impl<'a> SourceOrderVisitor<'a> for Search<'_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.is_found |= name_bound_by(node) == Some(self.name);
            TraversalSignal::Traverse
        }
    }
    let mut search = Search {
        name,
        is_found: false,
    };
    search.visit_stmt(statement);
    search.is_found
}
