//! What the coroutine that is made so often does: whether it limits itself, whether it ends, and
//! whether it uses what is scarce.

use std::sync::LazyLock;

use ruff_python_ast::visitor::source_order::{
    SourceOrderVisitor, TraversalSignal, walk_expr, walk_stmt,
};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, ExprContext, Stmt};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::{FxHashMap, FxHashSet};
use serde::Deserialize;
use ty_python_core::definition::Definition;

use crate::key::name_key;
use crate::outline::{last_name, names_awaitable, root_name};
use crate::project::Project;
use crate::semantics::{ClassOf, Function, Semantics, contains};
use crate::support::coroutines::{self, is_endless, leaves_loop_by_itself};
use crate::support::timeouts::is_timeout;
use crate::traces::search::Namesakes;

/// How many calls deep the coroutine is followed.
const DEPTH: usize = 6;

/// How many calls deep it counts that it waits for its turn.
const LIMITED_DEPTH: usize = 3;

/// The same for a lock: further down it protects something else.
const LOCKED_DEPTH: usize = 1;

/// How many calls deep what it uses counts: its own, and that of what it calls.
const SCARCE_DEPTH: usize = 2;

#[derive(Default, Deserialize)]
struct Table {
    limiters: FxHashSet<String>,
    locks: FxHashSet<String>,
    connection_limits: FxHashMap<String, String>,
    pooled: Vec<String>,
    limited_words: FxHashSet<String>,
    limiter_words: FxHashSet<String>,
    limiting_words: FxHashSet<String>,
    locking_words: FxHashSet<String>,
    spawning_words: FxHashSet<String>,
    awaiting_words: FxHashSet<String>,
    awaitable_words: FxHashSet<String>,
    takers: FxHashSet<String>,
    takers_of_one: FxHashSet<String>,
    meeting: FxHashSet<String>,
    meeting_methods: FxHashSet<String>,
    scarce: Vec<String>,
    clients: FxHashSet<String>,
    not_clients: Vec<String>,
    client_classes: Vec<String>,
    waiting_methods: FxHashSet<String>,
}

static TABLE: LazyLock<Table> =
    LazyLock::new(|| toml::from_str(include_str!("../data/concurrency.toml")).unwrap_or_default());

/// What is seen of a coroutine.
#[derive(Debug, Default, Clone, Copy)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is an answer of its own"
)]
pub struct Callee {
    /// It waits for its turn already.
    pub is_limited: bool,
    /// It runs until it is cancelled.
    pub never_ends: bool,
    /// It waits for something that another one may have to do first.
    pub meets_others: bool,
    /// Something in it is not in sight, so that it is not known whether it ends.
    pub is_unknown: bool,
    /// It uses a connection, a process, a file or a thread.
    pub is_scarce: bool,
}

impl Callee {
    /// What is seen of the coroutine that `call` makes, where `own` are the names of what each of many
    /// has for itself. Once it `is_enough`, nothing more is looked for but what is in sight.
    pub fn of_call(
        semantics: &Semantics<'_>,
        project: &Project,
        call: &ast::ExprCall,
        own: &FxHashSet<&str>,
        is_enough: fn(Self) -> bool,
    ) -> Self {
        let mut look = Look::new(semantics, project, is_enough);
        look.awaited_call(call);
        for argument in call.arguments.iter_source_order() {
            look.argument(argument.value(), own);
        }
        look.seen
    }

    /// What is seen of the coroutine that calling `function` makes.
    pub fn of_function(
        semantics: &Semantics<'_>,
        project: &Project,
        function: &Expr,
        is_enough: fn(Self) -> bool,
    ) -> Self {
        let mut look = Look::new(semantics, project, is_enough);
        look.callee(function);
        look.seen
    }
}

/// Which arguments of a function are coroutines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// Each of them.
    Every,
    /// The first one.
    First,
}

/// Which arguments of `callee` are coroutines, where it is known to take any.
pub fn takes_coroutine(semantics: &Semantics<'_>, callee: &Expr) -> Option<Position> {
    let path = semantics.qualified_name(callee).or_else(|| {
        let method = callee.as_attribute_expr()?;
        let classes = semantics.classes_up_to(&method.value, &method.attr);
        Some(format!("{}.{}", classes.last()?, method.attr))
    })?;
    if TABLE.takers.contains(&path) {
        Some(Position::Every)
    } else if TABLE.takers_of_one.contains(&path) {
        Some(Position::First)
    } else {
        None
    }
}

/// Whether a callee takes coroutines, or plain functions, over to run them in its own way. Judged by
/// its name alone, because being wrong here only means to hold back.
pub fn spawns(callee: &Expr) -> bool {
    last_name(callee).is_some_and(|name| has_word(name, &TABLE.spawning_words))
}

/// Whether a call is given something that is awaited there, as far as the names of the function and of
/// its parameters say. They are enough, because being wrong here only means to hold back.
pub fn takes_awaitables(semantics: &Semantics<'_>, call: &ast::ExprCall) -> bool {
    let is_given = |is_one: fn(&Expr) -> bool| {
        let mut arguments = call.arguments.iter_source_order();
        arguments.any(|argument| is_one(argument.value()))
    };
    let is_given_call = is_given(Expr::is_call_expr);
    if is_given_call
        && last_name(&call.func).is_some_and(|name| has_word(name, &TABLE.awaiting_words))
    {
        return true;
    }
    if is_given(|argument| {
        last_name(argument).is_some_and(|name| has_word(name, &TABLE.awaitable_words))
    }) {
        return true;
    }
    let function = if is_given_call {
        semantics.function(&call.func)
    } else {
        semantics.function_in_sight(&call.func)
    };
    function.is_some_and(|function| {
        function.node(semantics.db()).is_some_and(|node| {
            node.parameters.iter_non_variadic_params().any(|parameter| {
                has_word(&parameter.parameter.name, &TABLE.awaitable_words)
                    || parameter.annotation().is_some_and(|annotation| {
                        !matches!(annotation, Expr::Subscript(subscript)
                            if last_name(&subscript.value) == Some("Callable"))
                            && names_awaitable(annotation)
                    })
            })
        })
    })
}

/// Whether a client that is made in these statements is told how many connections it may have.
pub fn limits_connections(body: &[Stmt]) -> bool {
    struct Clients(bool);
    impl<'a> SourceOrderVisitor<'a> for Clients {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let AnyNodeRef::ExprCall(call) = node
                && let Some(limit) =
                    last_name(&call.func).and_then(|name| TABLE.connection_limits.get(name))
            {
                self.0 |= call.arguments.find_keyword(limit).is_some();
            }
            TraversalSignal::Traverse
        }
    }
    let mut search = Clients(false);
    search.visit_body(body);
    search.0
}

/// Whether one of the words of `name` is in `words`.
fn has_word(name: &str, words: &FxHashSet<String>) -> bool {
    name.split('_')
        .flat_map(split_camel)
        .any(|word| words.contains(&word))
}

/// The words of `CamelCase`, in lower case.
fn split_camel(part: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut after_lower = true;
    for c in part.chars() {
        if words.is_empty() || c.is_uppercase() && after_lower {
            words.push(String::new());
        }
        after_lower = !c.is_uppercase();
        if let Some(word) = words.last_mut() {
            word.extend(c.to_lowercase());
        }
    }
    words
}

/// One function body that is looked at.
struct Look<'s, 'db> {
    semantics: &'s Semantics<'db>,
    project: &'s Project,
    /// The function whose body it is.
    function: Option<TextRange>,
    /// How many calls deep this is.
    depth: usize,
    /// How many time limits stand around the code.
    timed: usize,
    seen: Callee,
    /// Whether what was seen is all that counts, this deep down.
    is_enough: fn(Callee) -> bool,
    /// What is known of the file that the coroutines are made in.
    origin: &'s Semantics<'db>,
    /// The functions that were looked at, each with how deep it was called.
    looked_at: FxHashMap<Definition<'db>, usize>,
}

impl<'s, 'db> Look<'s, 'db> {
    fn new(
        semantics: &'s Semantics<'db>,
        project: &'s Project,
        is_enough: fn(Callee) -> bool,
    ) -> Self {
        Self {
            semantics,
            project,
            function: None,
            depth: 0,
            timed: 0,
            seen: Callee::default(),
            is_enough,
            origin: semantics,
            looked_at: FxHashMap::default(),
        }
    }

    /// Whether there is nothing more to find out. Further down than it counts that something waits for
    /// its turn, only what was asked for is left.
    fn is_done(&self) -> bool {
        self.seen.is_limited
            || self.seen.never_ends
            || self.depth > LIMITED_DEPTH && self.has_enough()
    }

    /// Whether an object of this class talks to somebody else. In the package of such classes itself,
    /// most classes do other things.
    fn is_client(&self, class: &str) -> bool {
        let package = class.split('.').next().unwrap_or_default();
        let is_excluded = TABLE
            .not_clients
            .iter()
            .any(|module| class.starts_with(module.as_str()));
        let is_named = TABLE.client_classes.iter().any(|other| {
            other.split('.').next() == Some(package)
                && other.rsplit('.').next() == class.rsplit('.').next()
        });
        let is_own = || {
            let module = self.origin.module_name();
            module.is_some_and(|module| module.split('.').next() == Some(package))
        };
        is_named || TABLE.clients.contains(package) && !is_excluded && !is_own()
    }

    fn unknown(&mut self) {
        self.seen.is_unknown |= self.timed == 0;
    }

    fn meet_others(&mut self) {
        self.seen.meets_others |= self.timed == 0;
    }

    fn use_scarce(&mut self) {
        self.seen.is_scarce |= self.depth <= SCARCE_DEPTH;
    }

    /// It waits for its turn, unless each has one of its own.
    fn take_turns(&mut self, limiter: &Expr, deepest: usize) {
        self.seen.is_limited |= self.depth <= deepest && !self.is_own(limiter);
    }

    fn means(&self, expr: &Expr, paths: &[String]) -> bool {
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        self.semantics.means(expr, &paths)
    }

    /// Whether the rest makes so little difference that types are not asked for it.
    fn has_enough(&self) -> bool {
        (self.is_enough)(self.seen)
    }

    /// Whether types have something to say about what is called by this name.
    fn asks_types_of(&self, name: &str) -> bool {
        !self.has_enough() && self.project.namesakes(name_key(name)) != Namesakes::None
    }

    /// The class of a value: what is in sight of it, or what types say.
    fn class_of(&self, expr: &Expr, asks_types: bool) -> Option<String> {
        if !asks_types {
            return self.semantics.class_path_in_sight(expr);
        }
        match self.semantics.class_of(expr) {
            ClassOf::Known(path) => Some(path),
            ClassOf::Other | ClassOf::Unknown => None,
        }
    }

    /// The function that is called: the one in sight, or the one that types lead to.
    fn function_of(&self, callee: &Expr, asks_types: bool) -> Option<Function<'db>> {
        if asks_types {
            self.semantics.function(callee)
        } else {
            self.semantics.function_in_sight(callee)
        }
    }

    /// What a call means that is awaited, entered, or given to something that awaits it.
    fn awaited_call(&mut self, call: &ast::ExprCall) {
        let name = last_name(&call.func).unwrap_or_default();
        if matches!(
            name,
            "gather" | "wait_for" | "shield" | "timeout" | "as_completed"
        ) && coroutines::ends_with_arguments(self.semantics, &call.func)
        {
            let is_timed = name == "wait_for";
            self.timed += usize::from(is_timed);
            for argument in &call.arguments.args {
                match argument {
                    Expr::Starred(starred) => self.awaited_elements(&starred.value),
                    Expr::Call(inner) => self.awaited_call(inner),
                    Expr::NumberLiteral(_) | Expr::Name(_) | Expr::Attribute(_) if is_timed => {}
                    _ => self.unknown(),
                }
            }
            self.timed -= usize::from(is_timed);
            return;
        }
        self.callee(&call.func);
        // Where nothing says what it is called on, the name has to do.
        let waits = match name {
            "get" => call.arguments.is_empty(),
            name => TABLE.meeting_methods.contains(name),
        };
        if let Expr::Attribute(method) = &*call.func
            && waits
            && !self.has_enough()
            && self.class_of(&method.value, true).is_none()
            && self.function_of(&call.func, true).is_none()
        {
            self.meet_others();
        }
    }

    fn awaited_elements(&mut self, elements: &Expr) {
        match elements {
            Expr::ListComp(ast::ExprListComp { elt, .. })
            | Expr::SetComp(ast::ExprSetComp { elt, .. })
            | Expr::Generator(ast::ExprGenerator { elt, .. }) => match &**elt {
                Expr::Call(call) => self.awaited_call(call),
                _ => self.unknown(),
            },
            _ => self.unknown(),
        }
    }

    fn callee(&mut self, callee: &Expr) {
        let name = last_name(callee).unwrap_or_default();
        if coroutines::runs_for_ever(name) {
            self.seen.never_ends |= self.depth == 0;
            self.unknown();
            return;
        }
        if self.means(callee, &TABLE.pooled) {
            self.seen.is_limited |= self.depth == 0;
            self.use_scarce();
            return;
        }
        if self.means(callee, &TABLE.scarce) {
            self.use_scarce();
            return;
        }
        if coroutines::ends(self.semantics, callee) {
            return;
        }
        if self.depth == 0 && has_word(name, &TABLE.limited_words) {
            self.seen.is_limited = true;
            return;
        }
        let asks_types = self.asks_types_of(name);
        if let Expr::Attribute(method) = callee
            && let Some(class) = self.class_of(&method.value, asks_types)
        {
            if TABLE.limiters.contains(&class) {
                self.take_turns(&method.value, LIMITED_DEPTH);
                return;
            }
            if TABLE.locks.contains(&class) {
                self.take_turns(&method.value, LOCKED_DEPTH);
                return;
            }
            if TABLE.meeting.contains(&class) {
                if !self.is_own(&method.value) {
                    self.meet_others();
                }
                return;
            }
            if self.is_client(&class) {
                self.use_scarce();
                if TABLE.waiting_methods.contains(name) {
                    self.unknown();
                }
                return;
            }
        }
        match self.function_of(callee, asks_types) {
            Some(function) => self.function(&function),
            None => self.unknown(),
        }
    }

    fn function(&mut self, function: &Function<'db>) {
        let db = self.semantics.db();
        let Some(node) = function.node(db) else {
            self.unknown();
            return;
        };
        // A decorator may be what limits the function.
        let is_limited = node.decorator_list.iter().any(|decorator| {
            let callee = match &decorator.expression {
                Expr::Call(call) => &*call.func,
                other => other,
            };
            last_name(callee).is_some_and(|name| has_word(name, &TABLE.limiting_words))
        });
        self.seen.is_limited |= is_limited && self.depth < LIMITED_DEPTH;
        if function.definition.file(db).is_stub(db) {
            if coroutines::may_wait(&node.name) || !node.is_async {
                self.unknown();
            }
            return;
        }
        if self.depth >= DEPTH || !node.is_async || !is_plain(self.semantics, function, node) {
            self.unknown();
            return;
        }
        // A function that calls itself, or is called again, says nothing new further down.
        let before = self.looked_at.get(&function.definition);
        if before.is_some_and(|depth| *depth <= self.depth + 1) {
            return;
        }
        // What is done under a time limit has to be looked at again where there is none.
        if self.timed == 0 {
            self.looked_at.insert(function.definition, self.depth + 1);
        }
        let own = self.semantics.of_function(function);
        let mut look = Look {
            semantics: &own,
            project: self.project,
            function: Some(node.range()),
            depth: self.depth + 1,
            timed: self.timed,
            seen: self.seen,
            is_enough: self.is_enough,
            origin: self.origin,
            looked_at: std::mem::take(&mut self.looked_at),
        };
        look.visit_body(&node.body);
        self.seen = look.seen;
        self.looked_at = look.looked_at;
    }

    /// What it says of a coroutine that it is given this.
    fn argument(&mut self, argument: &Expr, own: &FxHashSet<&str>) {
        let is_given = match argument {
            Expr::Name(_) | Expr::Attribute(_) => argument,
            _ => return,
        };
        let is_own = root_name(is_given).is_some_and(|name| own.contains(name));
        // What lets only so many in counts whatever else is known, if the file speaks of such a thing.
        let asks_types = !is_own && (!self.has_enough() || self.speaks_of_limiters());
        match self.class_of(is_given, asks_types) {
            Some(class) => {
                self.seen.is_limited |= TABLE.limiters.contains(&class);
                self.seen.meets_others |= TABLE.meeting.contains(&class);
            }
            None => {
                self.seen.is_limited |=
                    last_name(is_given).is_some_and(|name| has_word(name, &TABLE.limiter_words));
            }
        }
    }

    /// Whether the name of a class whose instances let only so many in stands in the file.
    fn speaks_of_limiters(&self) -> bool {
        let text = self.semantics.text();
        let mut names = TABLE
            .limiters
            .iter()
            .filter_map(|path| path.rsplit('.').next());
        names.any(|name| text.contains(name))
    }

    /// Whether each of the coroutines has one of its own: the function that is looked at makes it.
    fn is_own(&self, expr: &Expr) -> bool {
        let Expr::Name(name) = expr else {
            return false;
        };
        let Some(function) = self.function else {
            return false;
        };
        self.semantics.bindings(name).is_some_and(|definitions| {
            !definitions.is_empty()
                && definitions.iter().all(|definition| {
                    !definition.kind(self.semantics.db()).is_parameter_def()
                        && self
                            .semantics
                            .definition_range(*definition)
                            .is_some_and(|range| contains(function, range))
                })
        })
    }

    fn entered(&mut self, manager: &Expr) {
        if is_timeout(manager) {
            return;
        }
        let callee = match manager {
            Expr::Call(call) => &*call.func,
            other => other,
        };
        let class = self.class_of(manager, !self.has_enough());
        let is_one = |classes: &FxHashSet<String>, words: &FxHashSet<String>| {
            class.as_ref().is_some_and(|class| classes.contains(class))
                || last_name(callee).is_some_and(|name| has_word(name, words))
        };
        if is_one(&TABLE.limiters, &TABLE.limiting_words) {
            self.take_turns(manager, LIMITED_DEPTH);
            return;
        }
        if is_one(&TABLE.locks, &TABLE.locking_words) {
            self.take_turns(manager, LOCKED_DEPTH);
            return;
        }
        match manager {
            Expr::Call(call) => {
                // `async with session.get(url) as response:`
                let is_client_object = self
                    .class_of(manager, !self.has_enough())
                    .is_some_and(|class| self.is_client(&class));
                if is_client_object {
                    self.use_scarce();
                } else {
                    self.awaited_call(call);
                }
            }
            Expr::Await(_) => {}
            other => match self.class_of(other, !self.has_enough()) {
                Some(class) if self.is_client(&class) => self.use_scarce(),
                _ => self.unknown(),
            },
        }
    }

    /// What it says of a loop that goes on while something awaits.
    fn polls(&mut self, test: &Expr, body: &[Stmt]) {
        struct Names<'a> {
            read: FxHashSet<&'a str>,
            written: FxHashSet<&'a str>,
        }
        impl<'a> SourceOrderVisitor<'a> for Names<'a> {
            fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
                if let AnyNodeRef::ExprName(name) = node {
                    if name.ctx == ExprContext::Load {
                        self.read.insert(&name.id);
                    } else {
                        self.written.insert(&name.id);
                    }
                }
                TraversalSignal::Traverse
            }
        }
        let mut names = Names {
            read: FxHashSet::default(),
            written: FxHashSet::default(),
        };
        names.visit_expr(test);
        let read = std::mem::take(&mut names.read);
        names.visit_body(body);
        // What the loop itself counts, comes to an end; what others change, may not.
        if read.is_disjoint(&names.written) {
            self.meet_others();
        }
    }
}

/// Whether no decorator stands before a function but those that leave it as it is.
fn is_plain<'db>(
    semantics: &Semantics<'db>,
    function: &Function<'db>,
    node: &ast::StmtFunctionDef,
) -> bool {
    let own = semantics.of_function(function);
    node.decorator_list.iter().all(|decorator| {
        own.means(
            &decorator.expression,
            &[
                "builtins.staticmethod",
                "builtins.classmethod",
                "typing.override",
                "typing_extensions.override",
                "typing.final",
                "typing_extensions.final",
                "abc.abstractmethod",
            ],
        )
    })
}

impl<'a> SourceOrderVisitor<'a> for Look<'_, '_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            _ if self.is_done() => {}
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => {}
            Stmt::While(inner) => {
                if is_endless(&inner.test) {
                    if !leaves_loop_by_itself(&inner.body) {
                        self.seen.never_ends |= self.depth == 1;
                        self.unknown();
                    }
                } else if coroutines::awaits(statement) {
                    self.polls(&inner.test, &inner.body);
                }
                walk_stmt(self, statement);
            }
            Stmt::For(inner) => {
                if inner.is_async {
                    self.iterated(&inner.iter);
                } else if let Expr::Call(call) = &*inner.iter
                    && self.semantics.means(&call.func, &["itertools.count"])
                    && !leaves_loop_by_itself(&inner.body)
                {
                    self.seen.never_ends |= self.depth == 1;
                    self.unknown();
                }
                walk_stmt(self, statement);
            }
            Stmt::With(with) => {
                let mut timed = 0;
                for item in &with.items {
                    if with.is_async {
                        self.entered(&item.context_expr);
                    }
                    timed += usize::from(is_timeout(&item.context_expr));
                }
                self.timed += timed;
                walk_stmt(self, statement);
                self.timed -= timed;
            }
            _ => walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Lambda(_) => return,
            Expr::Await(awaited) => match &*awaited.value {
                Expr::Call(call) => self.awaited_call(call),
                _ => self.unknown(),
            },
            _ => {}
        }
        walk_expr(self, expr);
    }

    fn visit_comprehension(&mut self, comprehension: &'a ast::Comprehension) {
        if comprehension.is_async {
            self.iterated(&comprehension.iter);
        }
        ruff_python_ast::visitor::source_order::walk_comprehension(self, comprehension);
    }
}

impl Look<'_, '_> {
    /// What it says of a coroutine that it iterates over this asynchronously.
    fn iterated(&mut self, iter: &Expr) {
        let receiver = match iter {
            Expr::Call(call) => match &*call.func {
                Expr::Attribute(method) => &*method.value,
                other => other,
            },
            other => other,
        };
        let is_of_client = [iter, receiver].into_iter().any(|expr| {
            self.class_of(expr, !self.has_enough())
                .is_some_and(|class| self.is_client(&class))
        });
        if is_of_client
            && !last_name_of_call(iter).is_some_and(|name| TABLE.waiting_methods.contains(name))
        {
            self.use_scarce();
        } else {
            self.unknown();
        }
    }
}

fn last_name_of_call(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Call(call) => last_name(&call.func),
        other => last_name(other),
    }
}

#[cfg(test)]
mod tests {
    use super::{TABLE, has_word, split_camel};

    #[test]
    fn the_table_is_read() {
        assert!(TABLE.clients.contains("httpx"));
    }

    #[test]
    fn names_are_split_into_words() {
        assert_eq!(split_camel("BoundedSemaphore"), ["bounded", "semaphore"]);
        assert_eq!(split_camel("HTTPPool"), ["httppool"]);
        assert!(has_word("_fetch_limited", &TABLE.limited_words));
        assert!(!has_word("eliminated", &TABLE.limited_words));
    }
}
