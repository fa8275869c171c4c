//! What answers rely on that only holds where nobody says otherwise.
//!
//! An attribute without an annotation is told by what its class assigns to it, and a function without one by what
//! it returns: type checkers do not hold a subclass to that. So it is noted which of them an answer came by, and
//! who asks can look whether something in sight says otherwise.

use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr};
use rustc_hash::FxHashSet;
use ty_python_core::definition::{Definition, DefinitionKind};

use crate::limits::{BASES, Limit, NAMES};
use crate::resolve::definitions::Class;
use crate::resolve::look::Named;
pub use crate::resolve::look::Relied;
use crate::resolve::semantics::Semantics;

/// The methods of asynchronous generators.
const OF_GENERATORS: [&str; 3] = ["aclose", "asend", "athrow"];

impl<'db> Semantics<'db> {
    /// What `look` finds, and all that it may rely on. One such look within another one has its own notes, which are
    /// those of the other as well.
    pub fn noting<T>(&self, look: impl FnOnce() -> T) -> (T, FxHashSet<Relied>) {
        let around = self.look.notes.replace(Some(FxHashSet::default()));
        let found = look();
        let noted = self.look.notes.replace(around).unwrap_or_default();
        noted.iter().cloned().for_each(|relied| self.note(relied));
        (found, noted)
    }

    pub(super) fn note(&self, relied: Relied) {
        if let Some(notes) = &mut *self.look.notes.borrow_mut() {
            notes.insert(relied);
        }
    }

    /// Whether somebody asks what an answer relies on.
    pub(super) fn is_noting(&self) -> bool {
        self.look.notes.borrow().is_some()
    }

    /// Notes that a function, or the class of this name, is only called in this file.
    pub(super) fn note_callers(&self, name: &str) {
        let module = self.module_name();
        self.note(Relied::Called {
            name: name.to_owned(),
            module,
        });
    }

    /// Notes that the decorators of a class may give something else.
    pub(super) fn note_decorated(&self, name: &str) {
        self.note(Relied::Undecorated(name.to_owned()));
    }

    /// Notes what a function gave to what it returns.
    pub(super) fn note_given(&self, name: &str) {
        self.note(Relied::Given(name.to_owned()));
    }

    /// Notes that an answer relies on what the instances of a class have under a name.
    pub(crate) fn note_kept(&self, class: Definition<'db>, name: &str) {
        if self.look.notes.borrow().is_some()
            && let Some(class) = Class::of(self, class)
        {
            let class = Named::of(&class);
            let name = name.to_owned();
            self.note(Relied::Kept { class, name });
        }
    }

    /// Notes all that an answer about an expression relies on, whoever gave it: the attributes in it without an
    /// annotation, and those in what its variables stand for.
    pub fn note_way(&self, expr: &Expr) {
        Way::of(self).visit_expr(expr);
    }

    /// The same for what is called.
    pub fn note_way_to_callee(&self, callee: &Expr) {
        match callee {
            Expr::Attribute(method) => self.note_way_to_member(method),
            callee => self.note_way(callee),
        }
    }

    /// The same for a method or a property: it is the object that may be another one.
    pub fn note_way_to_member(&self, member: &ast::ExprAttribute) {
        self.note(Relied::Way(member.attr.to_string()));
        let mut way = Way::of(self);
        // The generator has them whatever it is given.
        way.skips_arguments = OF_GENERATORS.contains(&member.attr.as_str());
        way.visit_expr(&member.value);
    }

    /// Whether a class, or one above it, has an annotation for an attribute.
    pub(super) fn is_annotated(&self, class: Definition<'db>, name: &str, depth: Limit) -> bool {
        let (Some(depth), Some(class)) = (depth.less(), Class::of(self, class)) else {
            return false;
        };
        class.told(name).annotation.is_some()
            || class.bases().any(|base| {
                let base = class.own.base_in_sight(base);
                base.is_some_and(|base| class.own.is_annotated(base, name, depth))
            })
    }
}

/// Looks through an expression, and the values behind its variables.
struct Way<'s, 'db> {
    own: &'s Semantics<'db>,
    steps: Limit,
    /// Whether the arguments of calls make no difference.
    skips_arguments: bool,
}

impl<'s, 'db> Way<'s, 'db> {
    fn of(own: &'s Semantics<'db>) -> Self {
        Self {
            own,
            steps: NAMES,
            skips_arguments: false,
        }
    }

    fn is_coroutine_function(&self, callee: &Expr) -> bool {
        let db = self.own.db();
        self.own
            .function_in_sight(callee)
            .is_some_and(|function| function.node(db).is_some_and(|node| node.is_async))
    }

    fn attribute(&self, attribute: &ast::ExprAttribute) {
        let own = self.own;
        own.note(Relied::Way(attribute.attr.to_string()));
        for class in own.classes_of(&attribute.value) {
            let is_method = own.method_of(class, &attribute.attr, BASES).is_some()
                || !own.signatures_in_sight(attribute).is_empty();
            if !is_method && !own.is_annotated(class, &attribute.attr, BASES) {
                own.note_kept(class, &attribute.attr);
            }
        }
    }

    fn name(&mut self, name: &ast::ExprName) {
        let own = self.own;
        let before = self.steps;
        let Some(steps) = before.less() else {
            return;
        };
        self.steps = steps;
        for definition in own.bindings(name).unwrap_or_default() {
            if !own.is_here(definition) {
                continue;
            }
            if own.is_defined_and_assigned(definition) {
                own.note(Relied::Defined(name.id.to_string()));
            }
            let value = match definition.kind(own.db()) {
                DefinitionKind::Assignment(assignment) => Some(assignment.value(own.module())),
                DefinitionKind::For(clause) => Some(clause.iterable(own.module())),
                DefinitionKind::Comprehension(clause) => Some(clause.iterable(own.module())),
                DefinitionKind::WithItem(item) => Some(item.context_expr(own.module())),
                _ => own.value_bound_by(definition),
            };
            if let Some(value) = value {
                self.visit_expr(value);
            }
        }
        self.steps = before;
    }
}

impl<'a> SourceOrderVisitor<'a> for Way<'_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::ExprAttribute(attribute) => self.attribute(attribute),
            AnyNodeRef::ExprName(name) => self.name(name),
            AnyNodeRef::ExprCall(call) => {
                let class = self.own.class_named(&call.func);
                let class = class.and_then(|class| Class::of(self.own, class));
                if let Some(class) = class
                    && class.is_swapped()
                {
                    self.own.note_decorated(&class.node().name);
                }
                if self.skips_arguments && self.is_coroutine_function(&call.func) {
                    self.visit_expr(&call.func);
                    return TraversalSignal::Skip;
                }
            }
            AnyNodeRef::ExprLambda(_) => return TraversalSignal::Skip,
            _ => {}
        }
        TraversalSignal::Traverse
    }
}
