//! Which names may give something that can be awaited, iterated or entered asynchronously, as far as
//! the definitions of these names tell: the first and cheapest answer about a call.

use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

use asyncfix_syntax::queries::{
    defines_what_it_returns, is_property, last_name, names_awaitable, yields,
};
use rayon::prelude::*;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, PythonVersion};
use ruff_python_stdlib::builtins::is_python_builtin;
use rustc_hash::FxHashSet;

use crate::facts::key::{
    Key, alias_key, context_key, instance_key, iteration_key, name_key, property_key, taken_key,
};
use crate::limits::{PROTOCOLS, TABLE};

/// What one file says of its names. Plain data: it outlives the tree.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outline {
    /// Names that may give something awaitable by what their own definition says.
    awaitable: Vec<Key>,
    /// A call of the first may give what a call of the second gives.
    stands_for: Vec<(Key, Key)>,
    /// The value of the first is made by calling the second, or is of that class.
    made_by: Vec<(Key, Key)>,
    /// The first is taken from the second by a loop, or holds it.
    taken_from: Vec<(Key, Key)>,
    /// How many statements at the module's top level assign to an item, as in `names[1] = "one"`.
    items: usize,
}

impl Outline {
    /// Whether the file is a table: thousands of items, one statement each.
    pub fn is_table(&self) -> bool {
        !TABLE.allows(self.items)
    }

    /// The outline of a module.
    pub fn of(module: &ast::ModModule) -> Self {
        let mut search = Search {
            outline: Self::default(),
            classes: Vec::new(),
            functions: 0,
        };
        search.visit_body(&module.body);
        search.outline
    }
}

/// What the attributes are that a class makes when it is asked for them.
static MAKER: LazyLock<Key> = LazyLock::new(|| instance_key(name_key("__getattr__")));

/// The outlines of all files, linked: the names that may give something awaitable.
#[derive(Debug, Default)]
pub struct AwaitableNames {
    names: FxHashSet<Key>,
    stands_for: Vec<(Key, Key)>,
    made_by: Vec<(Key, Key)>,
    taken_from: Vec<(Key, Key)>,
}

impl AwaitableNames {
    /// Adds the names of an outline.
    pub fn add(&mut self, outline: &Outline) {
        self.names.extend(&outline.awaitable);
        self.stands_for.extend(&outline.stands_for);
        self.made_by.extend(&outline.made_by);
        self.taken_from.extend(&outline.taken_from);
    }

    /// Adds names that are known to give something awaitable.
    pub fn extend(&mut self, names: impl IntoIterator<Item = Key>) {
        self.names.extend(names);
    }

    /// Follows names to what they stand for.
    pub fn link(&mut self) {
        // The same pairs come from many files.
        let in_order = |mut pairs: Vec<(Key, Key)>| {
            pairs.par_sort_unstable_by_key(|(name, other)| (*other, *name));
            pairs.dedup();
            pairs
        };
        let stands_for = in_order(std::mem::take(&mut self.stands_for));
        let made_by = in_order(std::mem::take(&mut self.made_by));
        let taken_from = in_order(std::mem::take(&mut self.taken_from));
        let mut pending: Vec<Key> = self.names.iter().copied().collect();
        while let Some(known) = pending.pop() {
            let mut note = |name: Key| {
                if self.names.insert(name) {
                    pending.push(name);
                }
            };
            for facet in [|key| key, instance_key, alias_key] {
                for name in first_of(&stands_for, facet(known)) {
                    note(facet(name));
                }
            }
            for name in first_of(&taken_from, instance_key(known)) {
                note(taken_key(name));
            }
            for name in first_of(&made_by, instance_key(known)) {
                note(name);
                note(instance_key(name));
            }
            for name in first_of(&taken_from, known) {
                note(taken_key(name));
            }
            // `listener: Listener`, where that is a `Callable[[], Coroutine]`
            for name in first_of(&made_by, alias_key(known)) {
                note(name);
            }
        }
        // What is iterated over or entered is seldom far from where it is made, and every step brings
        // in names that are used for many other things.
        let mut last: Vec<Key> = self.names.iter().copied().collect();
        for _ in PROTOCOLS.rounds() {
            let mut found = Vec::new();
            for known in last {
                for facet in [iteration_key, context_key] {
                    let names = [&stands_for, &made_by].map(|pairs| first_of(pairs, facet(known)));
                    found.extend(names.into_iter().flatten().map(facet));
                }
            }
            found.retain(|name| self.names.insert(*name));
            last = found;
        }
    }

    /// Whether calling something that has this name, or is taken out of what has it, may give something
    /// awaitable.
    pub(crate) fn contains_called(&self, name: Key) -> bool {
        self.contains(name) || self.names.contains(&taken_key(name))
    }

    /// Whether a class makes coroutine functions out of whatever names it is asked for.
    pub(crate) fn make_methods(&self) -> bool {
        self.names.contains(&*MAKER)
    }

    /// Whether something with this name may give something awaitable.
    pub fn contains(&self, name: Key) -> bool {
        self.names.contains(&name)
    }
}

/// The first keys of the pairs with this second one. `pairs` are in the order of their second keys.
fn first_of(pairs: &[(Key, Key)], second: Key) -> impl Iterator<Item = Key> {
    let start = pairs.partition_point(|(_, other)| *other < second);
    pairs
        .iter()
        .skip(start)
        .take_while(move |(_, other)| *other == second)
        .map(|(first, _)| *first)
}

/// Collects the names that may give something awaitable.
struct Search {
    outline: Outline,
    /// The names of the classes around.
    classes: Vec<Key>,
    /// How many functions are around.
    functions: usize,
}

impl<'a> SourceOrderVisitor<'a> for Search {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::StmtImportFrom(import) => {
                for alias in &import.names {
                    let bound = alias.asname.as_ref().unwrap_or(&alias.name);
                    self.stands_for(bound, &alias.name);
                }
            }
            AnyNodeRef::StmtClassDef(class) => self.class(class),
            AnyNodeRef::StmtFunctionDef(function) => {
                self.function(function);
                self.functions += 1;
            }
            AnyNodeRef::StmtAssign(assign) => {
                for target in &assign.targets {
                    self.assigned(target, None, Some(&assign.value));
                }
            }
            AnyNodeRef::StmtAnnAssign(assign) => self.assigned(
                &assign.target,
                Some(&assign.annotation),
                assign.value.as_deref(),
            ),
            AnyNodeRef::StmtFor(clause) => self.taken(&clause.target, &clause.iter),
            AnyNodeRef::StmtTypeAlias(alias) => {
                if let Expr::Name(name) = &*alias.name {
                    self.alias(&name.id, &alias.value);
                }
            }
            _ => {}
        }
        if node.is_expression() {
            TraversalSignal::Skip
        } else {
            TraversalSignal::Traverse
        }
    }

    fn leave_node(&mut self, node: AnyNodeRef<'a>) {
        match node {
            AnyNodeRef::StmtClassDef(_) => {
                self.classes.pop();
            }
            AnyNodeRef::StmtFunctionDef(_) => self.functions -= 1,
            _ => {}
        }
    }
}

impl Search {
    fn stands_for(&mut self, name: &str, other: &str) {
        if name != other {
            self.outline
                .stands_for
                .push((name_key(name), name_key(other)));
        }
    }

    fn class(&mut self, class: &ast::StmtClassDef) {
        let name = name_key(&class.name);
        for base in class.bases() {
            let base = match base {
                Expr::Subscript(subscript) => &*subscript.value,
                other => other,
            };
            if let Some(base) = last_name(base) {
                self.outline.made_by.push((name, name_key(base)));
            }
        }
        self.classes.push(name);
    }

    fn function(&mut self, function: &ast::StmtFunctionDef) {
        let is_property = is_property(function);
        let name = &function.name;
        let key = if is_property {
            property_key(name)
        } else {
            name_key(name)
        };
        if function.is_async {
            self.outline.awaitable.push(key);
            // `Job()()`
            if name.as_str() == "__call__"
                && let Some(class) = self.classes.last()
            {
                self.outline
                    .awaitable
                    .extend([*class, instance_key(*class)]);
            }
        } else if let Some(annotation) = &function.returns {
            if names_awaitable(annotation) {
                self.outline.awaitable.push(key);
            } else {
                self.named_by(key, annotation);
            }
        } else if !is_property {
            let pairs = returned_calls(function)
                .into_iter()
                .map(|other| (key, other));
            self.outline.stands_for.extend(pairs);
            // What it gives is called at once, or later, under the name that it is given then.
            if defines_what_it_returns(function) {
                let made = name_key(name);
                self.outline.awaitable.extend([made, instance_key(made)]);
            }
        }
        if function.is_async && yields(function) {
            self.outline.awaitable.push(iteration_key(name_key(name)));
        }
        for decorator in &function.decorator_list {
            // Its name, or what an import made of it, is followed like that of a class.
            if let Some(decorator) = last_name(&decorator.expression) {
                let pair = (name_key(name), name_key(decorator));
                self.outline.made_by.push(pair);
            }
        }
        if let Some(annotation) = &function.returns {
            self.protocols(name, annotation);
        }
        if let Some(class) = self.classes.last() {
            match name.as_str() {
                "__aiter__" => self.outline.awaitable.push(iteration_key(*class)),
                "__aenter__" => self.outline.awaitable.push(context_key(*class)),
                // To make one is to have something that can be awaited.
                "__await__" => self
                    .outline
                    .awaitable
                    .extend([*class, instance_key(*class)]),
                _ => {}
            }
        }
        for parameter in function.parameters.iter_non_variadic_params() {
            if let Some(annotation) = parameter.annotation() {
                self.variable(parameter.name(), annotation);
            }
        }
    }

    /// A variable with an annotation: calling it may give what the annotation names.
    fn variable(&mut self, name: &str, annotation: &Expr) {
        if names_awaitable(annotation) {
            self.outline.awaitable.push(name_key(name));
        }
        self.protocols(name, annotation);
    }

    /// What calling, iterating over or entering the value of `name` means, by its annotation.
    fn protocols(&mut self, name: &str, annotation: &Expr) {
        let key = name_key(name);
        let mut names = TypeNames(Vec::new());
        names.visit_expr(annotation);
        let pairs = names.0.into_iter().map(|class| (key, class));
        self.outline.made_by.extend(pairs);
    }

    /// Notes that what has `key` gives what the names of an annotation stand for.
    fn named_by(&mut self, key: Key, annotation: &Expr) {
        struct Names<'o>(Key, &'o mut Vec<(Key, Key)>);
        impl<'a> SourceOrderVisitor<'a> for Names<'_> {
            fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
                let (name, signal) = match node {
                    AnyNodeRef::ExprName(name) => (name.id.as_str(), TraversalSignal::Traverse),
                    // What stands before it are modules.
                    AnyNodeRef::ExprAttribute(attribute) => {
                        (attribute.attr.as_str(), TraversalSignal::Skip)
                    }
                    _ => return TraversalSignal::Traverse,
                };
                // The names of built-in classes are most of them.
                if !is_python_builtin(name, PythonVersion::latest().minor, false) {
                    self.1.push((self.0, alias_key(name_key(name))));
                }
                signal
            }
        }
        Names(key, &mut self.outline.stands_for).visit_expr(annotation);
    }

    /// Notes a name for something that can be awaited, as annotations use it.
    fn alias(&mut self, name: &str, value: &Expr) {
        if !matches!(value, Expr::Subscript(_) | Expr::BinOp(_)) {
            return;
        }
        let key = alias_key(name_key(name));
        if names_awaitable(value) {
            self.outline.awaitable.push(key);
        } else if self.functions == 0 {
            self.named_by(key, value);
        }
    }

    /// Notes what a loop takes from what: `for name, task in self.tasks.items()`.
    fn taken(&mut self, target: &Expr, iterable: &Expr) {
        let targets = match target {
            Expr::Tuple(tuple) => tuple.elts.as_slice(),
            target => std::slice::from_ref(target),
        };
        // `for step, name in ((first, "first"), (second, "second"))`: the first is like the others.
        if let Expr::List(ast::ExprList { elts, .. }) | Expr::Tuple(ast::ExprTuple { elts, .. }) =
            iterable
        {
            let parts = match elts.first() {
                Some(Expr::Tuple(item)) => item.elts.as_slice(),
                item => item.map_or(&[][..], std::slice::from_ref),
            };
            let pairs = targets.iter().zip(parts).filter_map(|(target, part)| {
                let pair = (last_name(target)?, last_name(part)?);
                Some((name_key(pair.0), name_key(pair.1)))
            });
            self.outline.taken_from.extend(pairs);
            return;
        }
        let held = match iterable {
            // `jobs or []`
            Expr::BoolOp(either) => {
                for value in &either.values {
                    self.taken(target, value);
                }
                return;
            }
            Expr::Call(call) => match (&*call.func, &*call.arguments.args) {
                (Expr::Attribute(method), []) => last_name(&method.value),
                // `self.jobs.get(name, [])`
                (Expr::Attribute(method), _)
                    if matches!(method.attr.as_str(), "get" | "setdefault" | "pop") =>
                {
                    last_name(&method.value)
                }
                (_, [held, ..]) => last_name(held),
                _ => None,
            },
            held => last_name(held),
        };
        let Some(held) = held.map(name_key) else {
            return;
        };
        let names = targets.iter().filter_map(last_name).map(name_key);
        let pairs = names.map(|name| (name, held));
        self.outline.taken_from.extend(pairs);
    }

    fn assigned(&mut self, target: &Expr, annotation: Option<&Expr>, value: Option<&Expr>) {
        if target.is_subscript_expr() && self.functions == 0 && self.classes.is_empty() {
            self.outline.items += 1;
        }
        let made = match value {
            Some(Expr::Await(awaited)) => Some(&*awaited.value),
            value => value,
        };
        if let Some(Expr::Call(call)) = made
            && let Some(callee) = last_name(&call.func)
        {
            let targets = match target {
                Expr::Tuple(tuple) => tuple.elts.as_slice(),
                target => std::slice::from_ref(target),
            };
            let names = targets.iter().filter_map(last_name);
            let pairs = names.map(|name| (name_key(name), name_key(callee)));
            self.outline.made_by.extend(pairs);
        }
        let name = match target {
            Expr::Name(target) => target.id.as_str(),
            Expr::Attribute(target) if target.value.is_name_expr() => target.attr.as_str(),
            _ => return,
        };
        // A bare `Final` leaves the type to the value.
        let annotation = annotation.filter(|annotation| last_name(annotation) != Some("Final"));
        if let Some(annotation) = annotation {
            self.variable(name, annotation);
        }
        if let Some(value) = value {
            self.alias(name, value);
        }
        let mut values = Vec::new();
        if let Some(value) = value {
            add_choices(value, &mut values);
        }
        for value in values {
            self.holds(name, value);
        }
    }

    /// Notes what a name may be called for, by a value that is assigned to it.
    fn holds(&mut self, name: &str, value: &Expr) {
        match value {
            Expr::Call(call) => match (last_name(&call.func), &*call.arguments.args) {
                (Some("partial" | "partialmethod"), [first, ..]) => {
                    if let Some(first) = last_name(first) {
                        self.stands_for(name, first);
                    }
                }
                (Some("cast"), [annotation, _]) => self.protocols(name, annotation),
                _ => {}
            },
            Expr::Name(_) | Expr::Attribute(_) => {
                if let Some(other) = last_name(value) {
                    self.stands_for(name, other);
                }
            }
            // Those of classes are defaults of fields, which hold all sorts of functions.
            Expr::Lambda(function) if self.functions > 0 => {
                if let Expr::Call(call) = &*function.body
                    && let Some(callee) = last_name(&call.func)
                {
                    self.stands_for(name, callee);
                }
            }
            // A table of functions: its first one is like the others.
            Expr::Dict(table) => {
                if let Some(other) = table.items.first().and_then(|item| last_name(&item.value)) {
                    let pair = (name_key(name), name_key(other));
                    self.outline.taken_from.push(pair);
                }
            }
            _ => {}
        }
    }
}

/// Adds the values that an expression may have: `first or second`, `one if wanted else other`.
fn add_choices<'e>(value: &'e Expr, choices: &mut Vec<&'e Expr>) {
    match value {
        Expr::BoolOp(either) => {
            for value in &either.values {
                add_choices(value, choices);
            }
        }
        Expr::If(either) => {
            add_choices(&either.body, choices);
            add_choices(&either.orelse, choices);
        }
        value => choices.push(value),
    }
}

/// Collects the names in an annotation.
struct TypeNames(Vec<Key>);

impl<'a> SourceOrderVisitor<'a> for TypeNames {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::ExprName(name) => self.0.push(name_key(&name.id)),
            AnyNodeRef::ExprAttribute(attribute) => self.0.push(name_key(&attribute.attr)),
            AnyNodeRef::StringLiteral(literal) => {
                let words = literal
                    .value
                    .split(|c: char| !c.is_alphanumeric() && c != '_');
                self.0.extend(words.map(name_key));
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }
}

/// The last names of the calls whose values a function returns.
pub(crate) fn returned_calls(function: &ast::StmtFunctionDef) -> Vec<Key> {
    struct Returns(Vec<Key>);
    impl<'a> SourceOrderVisitor<'a> for Returns {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            match node {
                AnyNodeRef::StmtReturn(statement) => {
                    if let Some(Expr::Call(call)) = statement.value.as_deref() {
                        self.0.push(last_name(&call.func).map_or(0, name_key));
                    }
                    TraversalSignal::Skip
                }
                AnyNodeRef::StmtFunctionDef(_) | AnyNodeRef::StmtClassDef(_) => {
                    TraversalSignal::Skip
                }
                node if node.is_expression() => TraversalSignal::Skip,
                _ => TraversalSignal::Traverse,
            }
        }
    }
    let mut returns = Returns(Vec::new());
    returns.visit_body(&function.body);
    returns.0
}
