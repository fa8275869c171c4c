//! How many items there are to go through.

use asyncfix_syntax::queries::{own_code, yields};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ruff_text_size::Ranged;
use ty_python_core::definition::Definition;

use super::look::{Look, is_plain};
use super::{Obstacle, Seen};
use crate::answers::coroutines;
use crate::limits::{AWAITED, Limit, STEPS};
use crate::resolve::definitions::{Class, Function};
use crate::resolve::semantics::Semantics;

/// How many items a `for` loop goes through, the fewest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Items {
    /// As many as there are.
    Some,
    /// As many as it takes until something comes.
    Unknown,
    /// There is no end of them.
    Endless,
}

/// Functions that give as many as there are in their first argument.
const AS_FIRST: [&str; 6] = [
    "builtins.enumerate",
    "builtins.iter",
    "itertools.accumulate",
    "itertools.batched",
    "itertools.chain.from_iterable",
    "itertools.pairwise",
];

/// The same for the second one, some of which may be left out.
const AS_SECOND: [&str; 4] = [
    "builtins.filter",
    "itertools.dropwhile",
    "itertools.filterfalse",
    "itertools.starmap",
];

/// Methods of lists that put something into them.
const ADDING: [&str; 3] = ["append", "extend", "insert"];

impl<'db> Look<'_, 'db> {
    /// What it says of a coroutine that it goes through this.
    pub(super) fn goes_through(&mut self, statement: &ast::StmtFor) {
        let iterable = &*statement.iter;
        let items = self.items(iterable);
        if items == Items::Endless {
            self.goes_on(iterable, &statement.body);
        } else if statement.body.iter().any(coroutines::awaits) {
            if items == Items::Unknown {
                self.doubt(Obstacle::Polls, iterable);
            } else if let Some(list) = gone_through(iterable)
                && adds_to(&statement.body, list)
            {
                self.doubt(Obstacle::Grows, list);
            }
        }
    }

    /// What it says of a coroutine that it makes a collection of all this.
    pub(super) fn collects(&mut self, generators: &[ast::Comprehension], collection: &Expr) {
        for part in generators.iter().filter(|part| !part.is_async) {
            match self.items(&part.iter) {
                Items::Endless => self.never_ends(&part.iter),
                Items::Unknown if coroutines::awaits_in(collection) => {
                    self.doubt(Obstacle::Polls, &part.iter);
                }
                Items::Unknown | Items::Some => {}
            }
        }
    }

    fn items(&mut self, iterable: &Expr) -> Items {
        let semantics = self.semantics;
        self.items_of(semantics, iterable, STEPS)
    }

    fn items_of(&mut self, own: &Semantics<'db>, iterable: &Expr, steps: Limit) -> Items {
        let Some(steps) = steps.less() else {
            return Items::Some;
        };
        // Whatever is made of itself has as many as what it is made of at first.
        let key = (own.file(), iterable.range());
        if let Some(items) = self.items.get(&key) {
            return *items;
        }
        self.items.insert(key, Items::Some);
        let items = self.items_in(own, iterable, steps);
        self.items.insert(key, items);
        items
    }

    fn items_in(&mut self, own: &Semantics<'db>, iterable: &Expr, steps: Limit) -> Items {
        match iterable {
            Expr::Call(call) => self.items_given(own, call, steps),
            Expr::Generator(generator) => {
                let parts = generator.generators.iter().filter(|part| !part.is_async);
                parts
                    .map(|part| self.items_of(own, &part.iter, steps))
                    .max()
                    .unwrap_or(Items::Some)
            }
            Expr::Named(named) => self.items_of(own, &named.value, steps),
            Expr::If(either) => {
                let values = [&*either.body, &*either.orelse];
                one_of(values.map(|value| self.items_of(own, value, steps)))
            }
            Expr::Name(_) | Expr::Attribute(_) => {
                let mut found = Vec::new();
                own.for_each_value(iterable, &mut |own, value| {
                    found.push(value.map_or(Items::Some, |value| self.items_of(own, value, steps)));
                });
                one_of(found)
            }
            _ => Items::Some,
        }
    }

    /// How many items what a call gives has.
    fn items_given(&mut self, own: &Semantics<'db>, call: &ast::ExprCall, steps: Limit) -> Items {
        let arguments = &*call.arguments.args;
        let is = |paths: &[&str]| own.means(&call.func, paths);
        let mut each = |arguments: &[Expr]| -> Vec<Items> {
            let each = arguments.iter();
            each.map(|one| self.items_of(own, one, steps)).collect()
        };
        let shortest = |items: Vec<Items>| items.into_iter().min().unwrap_or(Items::Some);
        let longest = |items: Vec<Items>| items.into_iter().max().unwrap_or(Items::Some);
        match arguments {
            _ if is(&["itertools.count"]) => Items::Endless,
            [_] if is(&["itertools.cycle"]) => Items::Endless,
            _ if is(&["itertools.repeat"]) => {
                if arguments.len() == 1 && call.arguments.keywords.is_empty() {
                    Items::Endless
                } else {
                    Items::Some
                }
            }
            [_, _] if is(&["builtins.iter"]) => Items::Unknown,
            [first, ..] if is(&AS_FIRST) => longest(each(std::slice::from_ref(first))),
            [_, second, ..] if is(&AS_SECOND) => longest(each(std::slice::from_ref(second))),
            [_, second, ..] if is(&["itertools.takewhile"]) => {
                longest(each(std::slice::from_ref(second))).min(Items::Unknown)
            }
            [first, stop] | [first, _, stop, ..] if is(&["itertools.islice"]) => {
                if stop.is_none_literal_expr() {
                    longest(each(std::slice::from_ref(first)))
                } else {
                    Items::Some
                }
            }
            [_, rest @ ..] if is(&["builtins.map"]) => shortest(each(rest)),
            all if is(&["builtins.zip", "itertools.compress"]) => shortest(each(all)),
            all if is(&["itertools.chain", "itertools.zip_longest"]) => longest(each(all)),
            all => {
                if let Some(function) = own.function_in_sight(&call.func) {
                    return self.items_from(own, &function, steps);
                }
                if let Some(class) = own.class_called(&call.func) {
                    return self.items_of_class(own, &class, steps);
                }
                // What else does with what has no end may have one.
                let given = all.iter().map(|one| self.items_of(own, one, steps));
                match given.max() {
                    Some(Items::Endless) => Items::Unknown,
                    _ => Items::Some,
                }
            }
        }
    }

    /// How many items a function gives: a generator, or one that gives what another one makes.
    fn items_from(
        &mut self,
        semantics: &Semantics<'db>,
        function: &Function<'db>,
        steps: Limit,
    ) -> Items {
        let db = semantics.db();
        let definition = function.definition();
        let Some(node) = function.node(db) else {
            return Items::Some;
        };
        let key = (definition.program_file(db), node.range());
        if let Some(items) = self.items.get(&key) {
            return *items;
        }
        if node.is_async || !AWAITED.has_room(self.depth) || definition.file(db).is_stub(db) {
            return Items::Some;
        }
        self.items.insert(key, Items::Some);
        let own = semantics.of_function(function);
        let items = if !is_plain(&own, node) {
            Items::Some
        } else if yields(node) {
            self.items_yielded(&own, node)
        } else if let Some(Stmt::Return(last)) = node.body.last()
            && let Some(value) = &last.value
        {
            self.items_of(&own, value, steps)
        } else {
            Items::Some
        };
        self.items.insert(key, items);
        items
    }

    /// A generator has no end where its code has none.
    fn items_yielded(&mut self, own: &Semantics<'db>, node: &ast::StmtFunctionDef) -> Items {
        let seen = std::mem::take(&mut self.seen);
        let mut inner = self.within(own, node);
        inner.timed = 0;
        inner.branches = 0;
        inner.loops = 0;
        inner.is_enough = Seen::is_doubtful;
        inner.look_at(&node.body);
        let never_ends = inner.seen.never_ends;
        self.back_from(inner);
        self.seen = seen;
        if never_ends {
            Items::Endless
        } else {
            Items::Some
        }
    }

    /// How many items an instance of a class gives, where its body says how it is iterated over.
    fn items_of_class(
        &mut self,
        semantics: &Semantics<'db>,
        class: &Class<'db>,
        steps: Limit,
    ) -> Items {
        let method = |name: &str| {
            let functions = class.node().body.iter();
            functions
                .filter_map(Stmt::as_function_def_stmt)
                .find(|function| function.name.as_str() == name)
        };
        let Some(iter) = method("__iter__") else {
            return Items::Some;
        };
        let function = class.own.definition_of(iter);
        match (function, method("__next__")) {
            // Only `StopIteration` ends it.
            (_, Some(next)) if !yields(iter) => {
                if may_stop(next) {
                    Items::Some
                } else {
                    Items::Endless
                }
            }
            (Some(definition), _) => match semantics.function_of(definition) {
                Some(function) => self.items_from(semantics, &function, steps),
                None => Items::Some,
            },
            (None, _) => Items::Some,
        }
    }
}

impl<'db> Semantics<'db> {
    /// Calls `found` with each value that a name or an attribute is given, whichever file of the project it stands in,
    /// and with `None` for each that is not seen.
    pub(super) fn for_each_value(
        &self,
        expr: &Expr,
        found: &mut dyn FnMut(&Semantics<'db>, Option<&Expr>),
    ) {
        let definitions: Vec<Definition<'db>> = match expr {
            Expr::Name(name) => self.bindings(name).unwrap_or_default(),
            Expr::Attribute(attribute) => {
                let values = self.attribute_values(attribute);
                for value in &values {
                    found(self, Some(value));
                }
                if values.is_empty() {
                    self.definitions_named(expr.into())
                } else {
                    Vec::new()
                }
            }
            _ => Vec::new(),
        };
        for definition in definitions {
            let Some(definition) = self.imported_by(definition) else {
                found(self, None);
                continue;
            };
            if definition.program_file(self.db()) == self.file() {
                found(self, self.value_assigned(definition));
            } else {
                let own = self.at_definition(definition);
                found(&own, own.value_assigned(definition));
            }
        }
    }
}

/// How many items there are in one of several values.
fn one_of(values: impl IntoIterator<Item = Items>) -> Items {
    let values: Vec<Items> = values.into_iter().collect();
    let most = values.iter().max().copied().unwrap_or(Items::Some);
    match values.iter().min() {
        Some(Items::Endless) => Items::Endless,
        _ => most.min(Items::Unknown),
    }
}

/// The list that a loop goes through itself, and no copy of it.
fn gone_through(iterable: &Expr) -> Option<&Expr> {
    match iterable {
        Expr::Name(_) | Expr::Attribute(_) => Some(iterable),
        Expr::Call(call) => match (&*call.func, &*call.arguments.args) {
            (Expr::Name(function), [list, ..]) if function.id == "enumerate" => gone_through(list),
            _ => None,
        },
        _ => None,
    }
}

/// Whether statements put something into a list.
fn adds_to(body: &[Stmt], list: &Expr) -> bool {
    struct Search<'l> {
        list: &'l Expr,
        found: bool,
    }
    impl<'a> SourceOrderVisitor<'a> for Search<'_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            let is_it = |expr: &Expr| is_same_place(expr, self.list);
            self.found |= match node {
                AnyNodeRef::ExprCall(call) => matches!(&*call.func, Expr::Attribute(method)
                    if ADDING.contains(&method.attr.as_str()) && is_it(&method.value)),
                AnyNodeRef::StmtAugAssign(statement) => is_it(&statement.target),
                _ => false,
            };
            own_code(node)
        }
    }
    let mut search = Search { list, found: false };
    search.visit_body(body);
    search.found
}

/// Whether two expressions are the same name, or the same attribute of the same name.
pub(super) fn is_same_place(one: &Expr, other: &Expr) -> bool {
    match (one, other) {
        (Expr::Name(one), Expr::Name(other)) => one.id == other.id,
        (Expr::Attribute(one), Expr::Attribute(other)) => {
            one.attr == other.attr && is_same_place(&one.value, &other.value)
        }
        _ => false,
    }
}

/// Whether a `__next__` may raise `StopIteration`: itself, or where it takes the next item of something else.
fn may_stop(function: &ast::StmtFunctionDef) -> bool {
    struct Search(bool);
    impl<'a> SourceOrderVisitor<'a> for Search {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.0 |= matches!(node, AnyNodeRef::StmtRaise(_) | AnyNodeRef::ExprCall(_));
            own_code(node)
        }
    }
    let mut search = Search(false);
    search.visit_body(&function.body);
    search.0
}
