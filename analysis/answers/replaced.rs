//! Functions, methods and attributes that something in the file puts something else in the place of, as tests do.
//!
//! Judged by names, and on whatever object: being wrong here only means to hold back.

use std::cell::RefCell;

use asyncfix_knowledge::testing::ASYNC_MOCKS;
use asyncfix_syntax::queries::last_name;
use ruff_python_ast::name::Name;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, AnyRootNodeRef, Expr, HasNodeIndex, NodeIndex};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::file::ParsedFile;
use crate::infer::literal_class;
use crate::resolve::semantics::Semantics;

/// What a file puts in the place of something else, by the names of that.
#[derive(Default)]
pub(crate) struct Replacements {
    by_name: FxHashMap<Name, Vec<Replacement>>,
    /// The last names of objects that something is put into under names that do not stand there.
    objects: FxHashSet<Name>,
    answers: RefCell<FxHashMap<(String, bool), bool>>,
}

/// Something that is put in the place of something else.
#[derive(Clone, Copy)]
struct Replacement {
    /// What it is. Without, it is not known.
    value: Option<NodeIndex>,
    /// Whether calling the value makes what is put there.
    is_factory: bool,
}

impl Replacements {
    /// What a file puts in the place of something else. What methods assign to attributes of their own object, its
    /// class tells.
    pub(crate) fn of(file: &ParsedFile<'_, '_>) -> Self {
        let mut search = Search {
            semantics: &file.semantics,
            found: FxHashMap::default(),
            objects: FxHashSet::default(),
        };
        search.visit_body(file.body());
        Self {
            by_name: search.found,
            objects: search.objects,
            answers: RefCell::default(),
        }
    }
}

/// Whether something that is no coroutine function may be put in the place of what has this name.
pub(crate) fn is_replaced(file: &ParsedFile<'_, '_>, name: &str) -> bool {
    is_put(file, name, false)
}

/// Whether something may be put into an object under any name: `setattr(client, name, ...)`.
pub(crate) fn is_filled(file: &ParsedFile<'_, '_>, object: &Expr) -> bool {
    let semantics = &file.semantics;
    let objects = &file.replacements().objects;
    if objects.is_empty() || semantics.class_of_receiver(object).is_some() {
        return false;
    }
    let classes = semantics.class_names_of(object);
    let classes = classes.iter().map(String::as_str);
    let mut names = last_name(object).into_iter().chain(classes);
    names.any(|name| objects.contains(name))
}

/// Whether an attribute of this name may be given another value, from outside of its class.
pub(crate) fn is_given_elsewhere(file: &ParsedFile<'_, '_>, name: &str) -> bool {
    is_put(file, name, true)
}

/// Whether something is put in the place of what has this name, and counts.
fn is_put(file: &ParsedFile<'_, '_>, name: &str, is_attribute: bool) -> bool {
    let replacements = file.replacements();
    let Some(known) = replacements.by_name.get(name) else {
        return false;
    };
    let key = (name.to_owned(), is_attribute);
    if let Some(known) = replacements.answers.borrow().get(&key) {
        return *known;
    }
    let value = |index: NodeIndex| match file.semantics.module().get_by_index(index) {
        AnyRootNodeRef::Expr(value) => Some(value),
        _ => None,
    };
    let found = known
        .iter()
        .any(|replacement| match replacement.value.and_then(value) {
            Some(value) if is_attribute => !value.is_none_literal_expr(),
            Some(value) => {
                // These can neither be called nor awaited.
                let is_plain = value.is_literal_expr() || literal_class(value).is_some();
                !is_plain && !is_same(&file.semantics, value, replacement.is_factory)
            }
            None => true,
        });
    replacements.answers.borrow_mut().insert(key, found);
    found
}

/// Whether a value is a coroutine function, or a mock of one.
fn is_same(semantics: &Semantics<'_>, value: &Expr, is_factory: bool) -> bool {
    let behind = match value {
        Expr::Name(name) if !is_factory => semantics.value_behind(name).unwrap_or(value),
        value => value,
    };
    let made = match behind {
        Expr::Call(call) if !is_factory => Some(&*call.func),
        other => is_factory.then_some(other),
    };
    made.is_some_and(|made| semantics.means(made, &ASYNC_MOCKS))
        || semantics.is_one_more_coroutine_function(value)
}

struct Search<'s, 'db> {
    semantics: &'s Semantics<'db>,
    found: FxHashMap<Name, Vec<Replacement>>,
    objects: FxHashSet<Name>,
}

impl Search<'_, '_> {
    fn fills(&mut self, object: &Expr) {
        if self.semantics.class_of_receiver(object).is_none()
            && let Some(name) = last_name(object)
        {
            self.objects.insert(Name::new(name));
        }
    }

    fn add(&mut self, name: &str, value: Option<&Expr>, is_factory: bool) {
        let value = value.map(|value| value.node_index().load());
        let replacement = Replacement { value, is_factory };
        let known = self.found.entry(Name::new(name)).or_default();
        known.push(replacement);
    }

    /// `setattr(client, name, ...)`
    fn fills_any(&mut self, given: &[Expr]) {
        if let [object, name, ..] = given
            && !name.is_string_literal_expr()
        {
            self.fills(object);
        }
    }

    fn keywords(&mut self, call: &ast::ExprCall) {
        for keyword in &call.arguments.keywords {
            if let Some(name) = &keyword.arg {
                self.add(name, Some(&keyword.value), false);
            }
        }
    }

    /// What is assigned to: `client.fetch`, or `client.__dict__["fetch"]`.
    fn target(&mut self, target: &Expr, value: Option<&Expr>) {
        match target {
            Expr::Attribute(target) if target.attr.as_str() == "__dict__" => {
                self.fills(&target.value);
            }
            Expr::Attribute(target)
                if self.semantics.class_of_receiver(&target.value).is_none() =>
            {
                self.add(&target.attr, value, false);
            }
            Expr::Subscript(target) => {
                let held = match &*target.value {
                    Expr::Call(call) => &call.func,
                    other => other,
                };
                if matches!(last_name(held), Some("__dict__" | "vars" | "globals")) {
                    if target.slice.is_string_literal_expr() {
                        self.name(&target.slice, value, false);
                    } else if let Some(object) = holder(&target.value) {
                        self.fills(object);
                    }
                }
            }
            Expr::Tuple(ast::ExprTuple { elts, .. }) | Expr::List(ast::ExprList { elts, .. }) => {
                for target in elts {
                    self.target(target, None);
                }
            }
            _ => {}
        }
    }

    /// What a string names: `"fetch"` or `"clients.Client.fetch"`.
    fn name(&mut self, expr: &Expr, value: Option<&Expr>, is_factory: bool) {
        if let Expr::StringLiteral(text) = expr
            && let Some(name) = text.value.to_str().rsplit('.').next()
        {
            self.add(name, value, is_factory);
        }
    }

    /// `setattr(client, "fetch", ...)`, `patch("clients.fetch", ...)`, `patch.object(client, "fetch", ...)`,
    /// `patch.multiple(client, fetch=...)`, whatever has these methods. Without a value, a mock knows that it stands
    /// for a coroutine function (Python documentation, "unittest.mock").
    fn call(&mut self, call: &ast::ExprCall) {
        let given = &call.arguments.args;
        let is_mock = match last_name(&call.func) {
            Some("setattr" | "__setattr__") => {
                self.fills_any(given);
                false
            }
            // `client.__dict__.update(...)`, `vars(client).update(...)`, `globals().update(fetch=...)`
            Some("update" | "setdefault") => {
                let Some(update) = call.func.as_attribute_expr() else {
                    return;
                };
                if let Some(object) = holder(&update.value) {
                    self.fills(object);
                }
                if matches!(&*update.value, Expr::Call(held) if last_name(&held.func) == Some("globals"))
                {
                    self.keywords(call);
                }
                return;
            }
            Some("object") => {
                self.fills_any(given);
                true
            }
            Some("patch") => true,
            Some("multiple") => {
                self.keywords(call);
                return;
            }
            _ => return,
        };
        let keyword = |names: &[&str]| {
            let mut found = names.iter();
            let found = found.find_map(|name| call.arguments.find_keyword(name));
            found.map(|keyword| &keyword.value)
        };
        let is_text = |expr: &&Expr| expr.is_string_literal_expr();
        let place = given.iter().take(2).rposition(|given| is_text(&given));
        let (name, value) = match place {
            Some(place) => (given.get(place), given.get(place + 1)),
            None => (keyword(&["attribute", "target"]).filter(is_text), None),
        };
        let Some(name) = name else {
            return;
        };
        let factory = keyword(&["new_callable"]);
        match value.or(keyword(&["new", "value"])).or(factory) {
            Some(value) => self.name(name, Some(value), factory.is_some()),
            None if !is_mock => self.name(name, None, false),
            None => {}
        }
    }
}

/// The object whose attributes are what an expression gives: `client.__dict__`, `vars(client)`.
fn holder(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::Attribute(held) if held.attr.as_str() == "__dict__" => Some(&held.value),
        Expr::Call(held) if last_name(&held.func) == Some("vars") => held.arguments.args.first(),
        _ => None,
    }
}

impl<'a> SourceOrderVisitor<'a> for Search<'_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtAssign(assign) => {
                for target in &assign.targets {
                    self.target(target, Some(&assign.value));
                }
            }
            AnyNodeRef::StmtAnnAssign(assign) if assign.value.is_some() => {
                self.target(&assign.target, assign.value.as_deref());
            }
            AnyNodeRef::StmtFor(clause) => self.target(&clause.target, None),
            AnyNodeRef::WithItem(item) => {
                if let Some(target) = &item.optional_vars {
                    self.target(target, None);
                }
            }
            AnyNodeRef::ExprCall(call) => self.call(call),
            _ => {}
        }
        TraversalSignal::Traverse
    }
}
