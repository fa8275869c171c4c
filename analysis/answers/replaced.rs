//! Functions, methods and attributes that something in the file, or in a `conftest.py` above a test, puts something else
//! in the place of, as tests do.
//!
//! Judged by names, and on whatever object: being wrong here only means to hold back.

use std::cell::RefCell;

use asyncfix_knowledge::testing::{ASYNC_MOCKS, PATCH};
use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::Owner;
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
    /// What is put in the place of something whose name does not stand there.
    unnamed: Vec<Replacement>,
    /// The last names of objects that something is put into under names that do not stand there.
    objects: FxHashSet<Name>,
    /// The last names of modules that others are put in the place of.
    modules: FxHashSet<Name>,
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

impl Replacement {
    fn of(value: Option<&Expr>, is_factory: bool) -> Self {
        Self {
            value: value.map(|value| value.node_index().load()),
            is_factory,
        }
    }
}

impl Replacements {
    /// What a file puts in the place of something else. What methods assign to attributes of their own object, its
    /// class tells.
    pub(crate) fn of(semantics: &Semantics<'_>) -> Self {
        let mut search = Search {
            semantics,
            found: Self::default(),
        };
        search.visit_body(semantics.body());
        search.found
    }

    /// Whether something is put in the place of what has this name, and counts.
    fn put(&self, semantics: &Semantics<'_>, name: &str, is_attribute: bool) -> bool {
        let named = self.by_name.get(name);
        if named.is_none() && self.unnamed.is_empty() {
            return false;
        }
        let key = (name.to_owned(), is_attribute);
        if let Some(known) = self.answers.borrow().get(&key) {
            return *known;
        }
        let value = |index: NodeIndex| match semantics.module().get_by_index(index) {
            AnyRootNodeRef::Expr(value) => Some(value),
            _ => None,
        };
        let found = named
            .into_iter()
            .flatten()
            .chain(&self.unnamed)
            .any(|replacement| match replacement.value.and_then(value) {
                Some(value) if is_attribute => !value.is_none_literal_expr(),
                Some(value) => {
                    // These can neither be called nor awaited.
                    let is_plain = value.is_literal_expr() || literal_class(value).is_some();
                    !is_plain && !is_same(semantics, value, replacement.is_factory)
                }
                None => true,
            });
        self.answers.borrow_mut().insert(key, found);
        found
    }
}

/// Whether something that is no coroutine function may be put in the place of what has this name.
pub(crate) fn is_replaced(file: &ParsedFile<'_, '_>, name: &str) -> bool {
    file.replacements().put(&file.semantics, name, false)
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
    file.replacements().put(&file.semantics, name, true)
}

/// Whether something may be put in the place of what has this name by a `conftest.py` that pytest runs for this file.
pub(crate) fn is_replaced_for_tests(file: &ParsedFile<'_, '_>, name: &str) -> bool {
    let semantics = &file.semantics;
    let Some(path) = semantics
        .path()
        .filter(|_| file.is_test_code(Owner::Module))
    else {
        return false;
    };
    let mentioning = file
        .project
        .mentioning(name, |path| semantics.text_of(path));
    mentioning.into_iter().any(|above| {
        above.ends_with("conftest.py")
            && above != path
            && above
                .parent()
                .is_some_and(|folder| path.starts_with(folder))
            && semantics.beside(&above).is_some_and(|above| {
                let own = semantics.at_file(above);
                Replacements::of(&own).put(&own, name, false)
            })
    })
}

/// Whether another module may be put in the place of the one that `callee` is from.
pub(crate) fn is_module_replaced(file: &ParsedFile<'_, '_>, callee: &Expr) -> bool {
    let modules = &file.replacements().modules;
    !modules.is_empty()
        && file.semantics.qualified_name(callee).is_some_and(|path| {
            let mut components = path.split('.');
            components.any(|component| modules.contains(component))
        })
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
    found: Replacements,
}

impl Search<'_, '_> {
    fn fills(&mut self, object: &Expr) {
        if self.semantics.class_of_receiver(object).is_none()
            && let Some(name) = last_name(object)
        {
            self.found.objects.insert(Name::new(name));
        }
    }

    fn add(&mut self, name: &str, value: Option<&Expr>, is_factory: bool) {
        let replacement = Replacement::of(value, is_factory);
        let known = self.found.by_name.entry(Name::new(name)).or_default();
        known.push(replacement);
    }

    /// The end of the text that an expression gives, as far as that is seen.
    fn text(&self, expr: &Expr) -> Option<String> {
        match expr {
            Expr::StringLiteral(text) => Some(text.value.to_str().to_owned()),
            Expr::FString(text) => match text.value.elements().last()? {
                ast::InterpolatedStringElement::Literal(end) => Some(end.value.to_string()),
                ast::InterpolatedStringElement::Interpolation(_) => None,
            },
            Expr::BinOp(joined) if joined.op == ast::Operator::Add => self.text(&joined.right),
            Expr::Name(_) | Expr::Attribute(_) => {
                let mut values = self.semantics.values_behind(expr).into_iter();
                values.find_map(|value| {
                    let text = value.as_string_literal_expr()?;
                    Some(text.value.to_str().to_owned())
                })
            }
            _ => None,
        }
    }

    /// What is put into `sys.modules`: `patch.dict("sys.modules", {"clients": ...})`,
    /// `setitem(sys.modules, "clients", ...)`.
    fn modules(&mut self, call: &ast::ExprCall) {
        let given = &*call.arguments.args;
        let is_modules = |table: &Expr| {
            self.text(table).as_deref() == Some("sys.modules")
                || self.semantics.means(table, &["sys.modules"])
        };
        let [table, put, ..] = given else {
            return;
        };
        if !is_modules(table) {
            return;
        }
        let keys: Vec<&Expr> = match put {
            Expr::Dict(entries) => entries.iter_keys().flatten().collect(),
            key => vec![key],
        };
        for key in keys {
            self.module(key);
        }
    }

    fn module(&mut self, path: &Expr) {
        let path = self.text(path);
        if let Some(name) = path.as_deref().and_then(|path| path.rsplit('.').next()) {
            self.found.modules.insert(Name::new(name));
        }
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
                if self.semantics.means(&target.value, &["sys.modules"]) {
                    self.module(&target.slice);
                } else if matches!(last_name(held), Some("__dict__" | "vars" | "globals")) {
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
        let text = self.text(expr);
        if let Some(name) = text.as_deref().and_then(|text| text.rsplit('.').next()) {
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
            Some("dict" | "setitem") => {
                self.modules(call);
                return;
            }
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
        let is_text = |expr: &Expr| self.text(expr).is_some();
        let place = given.iter().take(2).rposition(is_text);
        let factory = keyword(&["new_callable"]);
        let (name, value) = match place {
            Some(place) => (given.get(place), given.get(place + 1)),
            None => (
                keyword(&["attribute", "target"]).filter(|name| is_text(name)),
                None,
            ),
        };
        let Some(name) = name else {
            // `patch(target, ...)`, where nothing says what that is
            let value = given.get(1).or(keyword(&["new"])).or(factory);
            if let Some(value) = value.filter(|_| self.semantics.means(&call.func, &PATCH)) {
                let replacement = Replacement::of(Some(value), factory.is_some());
                self.found.unnamed.push(replacement);
            }
            return;
        };
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
