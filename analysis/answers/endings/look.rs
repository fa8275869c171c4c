//! Walks the body of a coroutine function, and of the functions that it awaits, to fill in [`Seen`].
//!
//! "Scarce" is what there is little of, such as a connection; a "limiter" is an object that lets only so many in at a
//! time, such as a semaphore; to "take turns" is to wait at one. The names of such classes stand in `knowledge`
//! ([`TABLE`]).

use asyncfix_knowledge::endings::TABLE;
use asyncfix_knowledge::package_of;
use asyncfix_syntax::queries::{last_name, root_name, yields};
use asyncfix_syntax::words::has_word;
use ruff_python_ast::visitor::source_order::{
    SourceOrderVisitor, walk_comprehension, walk_expr, walk_stmt,
};
use ruff_python_ast::{self as ast, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::{FxHashMap, FxHashSet};
use ty_python_core::ProgramFile;
use ty_python_core::definition::{Definition, DefinitionKind};

use super::endless::Entered;
use super::items::Items;
use super::limits::limits_time;
use super::table::{is_one_of, means_one_of};
use super::threads::only_awaits_pools;
use super::turns::{Drive, LoopNames};
use super::{Doubt, Obstacle, Seen};
use crate::answers::coroutines;
use crate::answers::timeouts::is_timeout;
use crate::facts::key::name_key;
use crate::facts::loops::{is_endless, leaves_loop_by_itself};
use crate::index::asked::Asked;
use crate::index::reach::Namesakes;
use crate::infer::types::ClassOf;
use crate::limits::{ALIASES, AWAITED, LOCK, Limit, SCARCE, TURN};
use crate::resolve::definitions::Function;
use crate::resolve::semantics::{Semantics, contains};

/// The longest code, in bytes, that a message quotes as it is.
const SHOWN: usize = 40;

/// The walk through one function body.
pub(super) struct Look<'s, 'db> {
    pub(super) semantics: &'s Semantics<'db>,
    pub(super) project: Asked<'s>,
    /// Whether the type engine is asked about a method only if something in the project has a method of that name.
    pub(super) is_thrifty: bool,
    /// The range of the function whose body it is. `None` for the code that makes the coroutine.
    pub(super) function: Option<TextRange>,
    /// Its name.
    name: Option<&'s str>,
    /// The body.
    pub(super) body: &'s [Stmt],
    /// How many calls deep this is.
    pub(super) depth: usize,
    /// How many time limits stand around the code.
    pub(super) timed: usize,
    /// How many branches the code stands in that need not be taken.
    pub(super) branches: usize,
    /// How many loops it stands in that may end.
    pub(super) loops: usize,
    /// The functions that were entered on the way here, outermost first.
    pub(super) path: Vec<Entered<'db>>,
    pub(super) seen: Seen,
    /// Whether what was seen suffices for the caller, so that the type engine need not be asked about the rest.
    pub(super) is_enough: fn(&Seen) -> bool,
    /// The file in which the first coroutine is made; `semantics` is of the file that the body stands in.
    pub(super) origin: &'s Semantics<'db>,
    /// The functions that were walked, each with the contexts in which it was called, and how many calls deep that was.
    pub(super) looked_at: FxHashMap<Definition<'db>, FxHashMap<Visit, usize>>,
    /// How many items expressions and generator functions yield, by their ranges.
    pub(super) items: FxHashMap<(ProgramFile<'db>, TextRange), Items>,
    /// The ranges of the context managers of the `async with` blocks around the code.
    pub(super) held: Vec<TextRange>,
    /// Whether it reads from something whose class is not known.
    pub(super) reads_unknown: bool,
    /// Whether the function is one that may be called, by its name alone.
    pub(super) is_guess: bool,
}

/// The context of a call.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Visit {
    is_in_branch: bool,
    is_timed: bool,
}

impl<'s, 'db> Look<'s, 'db> {
    pub(super) fn new(
        semantics: &'s Semantics<'db>,
        project: Asked<'s>,
        is_thrifty: bool,
        is_enough: fn(&Seen) -> bool,
    ) -> Self {
        Self {
            semantics,
            project,
            is_thrifty,
            function: None,
            name: None,
            body: &[],
            depth: 0,
            timed: 0,
            branches: 0,
            loops: 0,
            path: Vec::new(),
            seen: Seen::default(),
            is_enough,
            origin: semantics,
            looked_at: FxHashMap::default(),
            items: FxHashMap::default(),
            held: Vec::new(),
            reads_unknown: false,
            is_guess: false,
        }
    }

    /// Whether the walk may stop: the coroutine never ends, or the caller knows enough and this is too deep for
    /// limiters to count ([`TURN`]).
    fn is_done(&self) -> bool {
        self.seen.never_ends || !TURN.allows(self.depth) && self.has_enough()
    }

    /// Whether an object of this class talks to another process or machine, such as an HTTP client. All classes of a
    /// client library count, except in the code of that library itself, where most classes do other things.
    pub(super) fn is_client(&self, class: &str) -> bool {
        let is_excluded = TABLE
            .not_clients
            .iter()
            .any(|module| class.starts_with(module.as_str()));
        is_one_of(class, &TABLE.client_classes)
            || is_one_of(class, &TABLE.streams)
            || TABLE.clients.contains(package_of(class))
                && !is_excluded
                && !self.is_own_package(class)
    }

    /// Whether a class belongs to the top-level package of the file in which the coroutine is made.
    fn is_own_package(&self, class: &str) -> bool {
        let module = self.origin.module_name();
        module.is_some_and(|module| package_of(&module) == package_of(class))
    }

    /// Notes what may keep the coroutine from ending; the gravest obstacle is kept. Under a time limit it does not
    /// count as an obstacle, but is noted as something that gives up.
    pub(super) fn doubt(&mut self, obstacle: Obstacle, what: &Expr) {
        let is_graver = self
            .seen
            .doubt
            .as_ref()
            .is_none_or(|doubt| doubt.obstacle < obstacle);
        self.seen.gives_up |= self.timed > 0 && obstacle >= Obstacle::Waits;
        if self.timed == 0 && is_graver {
            self.seen.doubt = Some(Doubt {
                obstacle,
                what: self.shown(what),
                is_guess: last_name(what) == Some("put"),
                function: self.name.filter(|_| self.depth > 1).map(str::to_owned),
            });
        }
    }

    /// Notes code that runs until it is cancelled. Under a time limit or in a branch, the coroutine may end all the
    /// same.
    pub(super) fn never_ends(&mut self, what: &Expr) {
        self.seen.never_ends |= self.timed == 0 && self.branches == 0;
        self.doubt(Obstacle::Loops, what);
    }

    /// The code of an expression for a message or, where that is too long, the last name in it.
    fn shown(&self, expr: &Expr) -> String {
        let text = self.semantics.text();
        let text = text.as_str().get(expr.range().to_std_range());
        match text {
            Some(text) if text.len() <= SHOWN && !text.contains(['\n', '\r', '`']) => {
                text.to_owned()
            }
            _ => last_name(expr).unwrap_or_default().to_owned(),
        }
    }

    /// Notes that it uses a connection, a file or the like, unless this is too many calls deep to count.
    pub(super) fn use_scarce(&mut self) {
        self.seen.is_scarce |= SCARCE.allows(self.depth);
    }

    /// Notes that it waits at a limiter, unless every coroutine makes a limiter of its own, which limits nothing.
    /// Deeper than `deepest` it does not count.
    pub(super) fn take_turns(&mut self, limiter: &Expr, deepest: Limit) {
        self.seen.is_limited |= deepest.allows(self.depth) && !self.is_own(limiter);
    }

    pub(super) fn means(&self, expr: &Expr, paths: &[String]) -> bool {
        means_one_of(self.semantics, expr, paths)
    }

    /// Whether the caller knows enough, so that the type engine is not asked any more.
    pub(super) fn has_enough(&self) -> bool {
        (self.is_enough)(&self.seen)
    }

    /// Whether to ask the type engine about what is called by this name.
    pub(super) fn asks_types_of(&self, name: &str) -> bool {
        let is_unknown = || self.project.namesakes(name_key(name)) == Namesakes::None;
        !(self.has_enough() || self.is_thrifty && is_unknown())
    }

    /// The dotted path of the class of a value: by the type engine or, without `asks_types`, as far as the code of this
    /// file and its imports tell.
    pub(super) fn class_of(&self, expr: &Expr, asks_types: bool) -> Option<String> {
        if !asks_types {
            return self.semantics.class_path_in_sight(expr);
        }
        match self.semantics.class_of(expr) {
            ClassOf::Known(path) => Some(path),
            ClassOf::Other | ClassOf::Unknown => None,
        }
    }

    /// The function that is called: by the type engine or, without `asks_types`, as far as names, imports and classes
    /// tell without inferring types.
    pub(super) fn function_of(&self, callee: &Expr, asks_types: bool) -> Option<Function<'db>> {
        if asks_types {
            self.semantics.function(callee)
        } else {
            self.semantics.function_in_sight(callee)
        }
    }

    /// Goes on into a function that is awaited, or notes why that is not possible.
    pub(super) fn function(&mut self, function: &Function<'db>, callee: &Expr) {
        let db = self.semantics.db();
        let Some(node) = function.node(db) else {
            self.doubt(Obstacle::NotFound, callee);
            return;
        };
        // A decorator such as `@limited(10)` may limit how many run at a time. Judged by its name.
        let is_limited = node.decorator_list.iter().any(|decorator| {
            let callee = match &decorator.expression {
                Expr::Call(call) => &*call.func,
                other => other,
            };
            last_name(callee).is_some_and(|name| has_word(name, &TABLE.limiting_words))
        });
        self.seen.is_limited |= is_limited && TURN.has_room(self.depth);
        if function.definition().file(db).is_stub(db) {
            let name = node.name.as_str();
            if TABLE.socket_methods.contains(name) {
                self.doubt(Obstacle::Waits, callee);
            } else if TABLE.waits.contains(name) || !node.is_async {
                self.doubt(Obstacle::NotFound, callee);
            }
            return;
        }
        let own = self.semantics.of_function(function);
        // For client libraries the table is right, and more precise than their code.
        let package = own.module_name().unwrap_or_default();
        if TABLE.clients.contains(package_of(&package)) && !self.is_own_package(&package) {
            self.use_scarce();
            if TABLE.waiting_methods.contains(node.name.as_str()) {
                self.doubt(Obstacle::Waits, callee);
            }
            return;
        }
        if !AWAITED.has_room(self.depth) || !node.is_async {
            self.doubt(Obstacle::NotFound, callee);
            return;
        }
        if says_never_ends(node) {
            self.never_ends(callee);
            return;
        }
        if !is_plain(&own, node) {
            self.doubt(Obstacle::Decorated, callee);
            return;
        }
        let definition = function.definition();
        if self.is_round(definition, callee) {
            self.never_ends(callee);
            return;
        }
        if self.was_looked_at(definition, self.depth + 1) {
            return;
        }
        self.notes_look_at(definition, self.depth + 1);
        self.path.push(Entered {
            function: definition,
            branches: self.branches,
            loops: self.loops,
            is_always: false,
        });
        let mut inner = self.within(&own, node);
        inner.depth += 1;
        inner.look_at(&node.body);
        self.back_from(inner);
        self.path.pop();
        // A function that only awaits a thread pool is limited by the number of threads.
        self.seen.is_limited |= self.depth == 0 && only_awaits_pools(&own, node);
    }

    /// Whether a function was walked before in a context from which at least as much follows: no deeper, and not in a
    /// branch or under a time limit where this call is not.
    pub(super) fn was_looked_at(&self, function: Definition<'db>, depth: usize) -> bool {
        let (is_in_branch, is_timed) = (self.branches > 0, self.timed > 0);
        self.looked_at.get(&function).is_some_and(|visits| {
            visits.iter().any(|(visit, before)| {
                *before <= depth
                    && (is_in_branch || !visit.is_in_branch)
                    && (is_timed || !visit.is_timed)
            })
        })
    }

    /// Notes that a function is walked in the context of this call.
    pub(super) fn notes_look_at(&mut self, function: Definition<'db>, depth: usize) {
        let visit = Visit {
            is_in_branch: self.branches > 0,
            is_timed: self.timed > 0,
        };
        self.looked_at
            .entry(function)
            .or_default()
            .insert(visit, depth);
    }

    /// The walk through the body of a called function. What was found so far moves into it; [`Self::back_from`] moves
    /// it back.
    pub(super) fn within<'i>(
        &mut self,
        own: &'i Semantics<'db>,
        node: &'i ast::StmtFunctionDef,
    ) -> Look<'i, 'db>
    where
        's: 'i,
    {
        Look {
            semantics: own,
            project: self.project,
            is_thrifty: self.is_thrifty,
            function: Some(node.range()),
            name: Some(&node.name),
            body: &node.body,
            depth: self.depth,
            timed: self.timed,
            branches: self.branches,
            loops: self.loops,
            path: std::mem::take(&mut self.path),
            seen: std::mem::take(&mut self.seen),
            is_enough: self.is_enough,
            origin: self.origin,
            looked_at: std::mem::take(&mut self.looked_at),
            items: std::mem::take(&mut self.items),
            held: Vec::new(),
            reads_unknown: false,
            is_guess: self.is_guess,
        }
    }

    /// Takes back what the walk through a called function has found.
    pub(super) fn back_from(&mut self, inner: Look<'_, 'db>) {
        self.seen = inner.seen;
        self.looked_at = inner.looked_at;
        self.items = inner.items;
        self.path = inner.path;
        self.reads_unknown |= inner.reads_unknown;
    }

    /// Walks statements.
    pub(super) fn look_at(&mut self, body: &[Stmt]) {
        self.visit_body(body);
    }

    /// Looks at an argument of the call that makes the coroutine: a semaphore among them means that it takes turns, a
    /// queue that it may wait. `own` has the names of which each of many coroutines gets another value.
    pub(super) fn argument(&mut self, argument: &Expr, own: &FxHashSet<&str>) {
        let is_given = match argument {
            Expr::Name(_) | Expr::Attribute(_) => argument,
            _ => return,
        };
        let is_own = root_name(is_given).is_some_and(|name| own.contains(name));
        // A limiter changes the answer whatever else is known, so types are asked where the file names such a class at
        // all.
        let asks_types = !is_own && (!self.has_enough() || self.speaks_of_limiters());
        match self.class_of(is_given, asks_types) {
            Some(class) => {
                self.seen.is_limited |= TABLE.limiters.contains(&class);
                // Where the body could be walked, its use of the object was seen there, and counts in the place of
                // this.
                let is_unseen = self
                    .seen
                    .doubt
                    .as_ref()
                    .is_some_and(|doubt| doubt.obstacle <= Obstacle::Decorated);
                if TABLE.meeting.contains(&class) && is_unseen {
                    self.doubt(Obstacle::Waits, is_given);
                    if let Some(doubt) = &mut self.seen.doubt {
                        doubt.is_guess = true;
                    }
                }
            }
            None => {
                self.seen.is_limited |=
                    last_name(is_given).is_some_and(|name| has_word(name, &TABLE.limiter_words));
            }
        }
    }

    /// Whether the text of the file contains the name of a limiter class.
    fn speaks_of_limiters(&self) -> bool {
        let text = self.semantics.text();
        let mut names = TABLE
            .limiters
            .iter()
            .filter_map(|path| path.rsplit('.').next());
        names.any(|name| text.contains(name))
    }

    /// Whether the function that is walked makes the object itself, so that every coroutine has another one.
    pub(super) fn is_own(&self, expr: &Expr) -> bool {
        self.is_own_to(expr, ALIASES)
    }

    fn is_own_to(&self, expr: &Expr, aliases: Limit) -> bool {
        let (Expr::Name(name), Some(function), Some(aliases)) =
            (expr, self.function, aliases.less())
        else {
            return false;
        };
        let semantics = self.semantics;
        semantics.bindings(name).is_some_and(|definitions| {
            !definitions.is_empty()
                && definitions.iter().all(|definition| {
                    let is_here = semantics
                        .definition_range(*definition)
                        .is_some_and(|range| contains(function, range));
                    let is_made = match definition.kind(semantics.db()) {
                        DefinitionKind::For(clause) => root_of(clause.iterable(semantics.module()))
                            .is_none_or(|root| self.is_own_to(root, aliases)),
                        // `lock = self.lock` makes no object: what counts is where the value comes from.
                        kind @ DefinitionKind::Assignment(_) => {
                            match kind.value(semantics.module()) {
                                Some(
                                    value @ (Expr::Name(_)
                                    | Expr::Attribute(_)
                                    | Expr::Subscript(_)),
                                ) => {
                                    root_of(value).is_some_and(|root| self.is_own_to(root, aliases))
                                }
                                _ => true,
                            }
                        }
                        kind => !kind.is_parameter_def(),
                    };
                    is_here && is_made
                })
        })
    }

    /// Notes what it means to enter a context manager by `async with`.
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
            self.take_turns(manager, TURN);
            if !class.is_some_and(|class| TABLE.limiters.contains(&class)) {
                self.enters(manager);
            }
            return;
        }
        if is_one(&TABLE.locks, &TABLE.locking_words) {
            // The locks of asyncio are not reentrant: to enter one that is held already is a deadlock.
            let is_lock = class.is_some_and(|class| TABLE.locks.contains(&class));
            if is_lock && self.holds(manager) {
                self.never_ends(manager);
            }
            self.take_turns(manager, LOCK);
            if !is_lock {
                self.enters(manager);
            }
            return;
        }
        if class
            .as_ref()
            .is_some_and(|class| TABLE.entered_together.contains(class))
        {
            self.doubt(Obstacle::Waits, manager);
            return;
        }
        // `async with condition` only takes its lock; waiting for the condition is a call of its own.
        if class
            .as_ref()
            .is_some_and(|class| TABLE.meeting.contains(class))
        {
            return;
        }
        match (manager, class) {
            // `async with session.get(url) as response:`
            (_, Some(class)) if self.is_client(&class) => self.use_scarce(),
            // `async with pool.acquire() as connection:`, which gives back what it takes
            (Expr::Call(call), _)
                if last_name(&call.func)
                    .is_some_and(|name| TABLE.meeting_methods.contains(name)) =>
            {
                self.taken_for_a_block(&call.func);
            }
            (Expr::Call(call), class) => {
                self.awaited_call(call);
                if class.is_some() {
                    self.enters(manager);
                }
            }
            (Expr::Await(_), _) => {}
            (other, _) => {
                self.doubt(Obstacle::NotFound, other);
                self.enters(other);
            }
        }
    }

    /// Notes what it means to enter what a method such as `acquire` returns, by the class that has the method.
    fn taken_for_a_block(&mut self, callee: &Expr) {
        let asks_types = !self.has_enough();
        let from = callee.as_attribute_expr().map(|method| &*method.value);
        match from.and_then(|from| Some((from, self.class_of(from, asks_types)?))) {
            Some((from, class)) if TABLE.limiters.contains(&class) => {
                self.take_turns(from, TURN);
            }
            Some((_, class)) if self.is_client(&class) => self.use_scarce(),
            _ => self.doubt(Obstacle::NotFound, callee),
        }
    }

    /// Notes what a `while` loop with an `await` in it means, if its test is not always true.
    fn polls(&mut self, test: &Expr, body: &[Stmt]) {
        match LoopNames::of(test, body).drive() {
            // A loop that changes its own test (counts, empties a list) ends; one that waits for others to do so may
            // not.
            Drive::Itself => {}
            Drive::Growing => self.doubt(Obstacle::Grows, test),
            Drive::Nothing => self.doubt(Obstacle::Polls, test),
        }
    }

    /// Notes what it means to iterate over this by `async for`.
    fn iterated(&mut self, iter: &Expr) {
        let (receiver, name) = match iter {
            Expr::Call(call) => match &*call.func {
                Expr::Attribute(method) => (&*method.value, Some(method.attr.as_str())),
                other => (other, last_name(other)),
            },
            other => (other, None),
        };
        let classes = [iter, receiver].map(|expr| self.class_of(expr, !self.has_enough()));
        if classes.iter().flatten().any(|class| self.is_client(class)) {
            self.use_scarce();
        }
        let is_finite = classes.iter().flatten().any(|class| {
            TABLE.finite.contains(package_of(class)) && !is_one_of(class, &TABLE.streams)
        }) || self
            .giver(receiver, ALIASES)
            .is_some_and(|package| TABLE.finite.contains(&package));
        if is_finite && !name.is_some_and(|name| TABLE.waiting_methods.contains(name)) {
            return;
        }
        // The loop over an async generator of the project ends when the generator's own code does.
        if let Expr::Call(call) = iter
            && let Some(function) = self.function_of(&call.func, !self.has_enough())
            && let Some(node) = function.node(self.semantics.db())
            && node.is_async
            && yields(node)
        {
            self.function(&function, &call.func);
            return;
        }
        if let Expr::Call(call) = iter
            && self.means(&call.func, &TABLE.as_elements)
        {
            self.awaited_call(call);
            return;
        }
        self.doubt(Obstacle::Streams, iter);
    }
}

/// The name that an expression starts from: `tasks` of `tasks[0].result`. `None` where it does not start from a name.
pub(super) fn root_of(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::Name(_) => Some(expr),
        Expr::Attribute(attribute) => root_of(&attribute.value),
        Expr::Subscript(subscript) => root_of(&subscript.value),
        Expr::Call(call) => match (&*call.func, &*call.arguments.args) {
            // `tasks.values()`, `enumerate(tasks)`
            (Expr::Attribute(method), _) => root_of(&method.value),
            (_, [only]) => root_of(only),
            _ => None,
        },
        _ => None,
    }
}

/// Whether all decorators of a function, if any, leave its behaviour as it is.
pub(super) fn is_plain(own: &Semantics<'_>, node: &ast::StmtFunctionDef) -> bool {
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

impl<'a> Look<'_, '_> {
    fn in_branch(&mut self, visit: impl FnOnce(&mut Self)) {
        self.branches += 1;
        visit(self);
        self.branches -= 1;
    }

    pub(super) fn in_loop(&mut self, look: impl FnOnce(&mut Self)) {
        self.loops += 1;
        look(self);
        self.loops -= 1;
    }

    /// Notes what a `while True` loop means: it never ends, unless a `break`, `return` or `raise` in it may be reached.
    pub(super) fn goes_on(&mut self, header: &Expr, body: &[Stmt]) {
        if leaves_loop_by_itself(body) {
            self.doubt(Obstacle::Loops, header);
        } else {
            self.never_ends(header);
        }
    }

    /// Walks a `try`. Handlers and `else` need not run; `finally` always does.
    fn tried(&mut self, inner: &'a ast::StmtTry) {
        self.visit_body(&inner.body);
        self.in_branch(|this| {
            for handler in &inner.handlers {
                this.visit_except_handler(handler);
            }
            this.visit_body(&inner.orelse);
        });
        self.visit_body(&inner.finalbody);
    }
}

impl<'a> SourceOrderVisitor<'a> for Look<'_, '_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            _ if self.is_done() => {}
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => {}
            Stmt::While(inner) => {
                if is_endless(&inner.test) {
                    self.goes_on(&inner.test, &inner.body);
                } else if coroutines::awaits(statement) {
                    self.polls(&inner.test, &inner.body);
                }
                self.in_loop(|this| walk_stmt(this, statement));
            }
            Stmt::For(inner) => {
                if inner.is_async {
                    self.iterated(&inner.iter);
                } else {
                    self.goes_through(inner);
                }
                self.in_loop(|this| walk_stmt(this, statement));
            }
            Stmt::With(with) => {
                let mut timed = 0;
                let held = self.held.len();
                for item in &with.items {
                    if with.is_async {
                        self.entered(&item.context_expr);
                        self.held.push(item.context_expr.range());
                    }
                    timed += usize::from(limits_time(self.semantics, &item.context_expr));
                }
                self.timed += timed;
                walk_stmt(self, statement);
                self.timed -= timed;
                self.held.truncate(held);
            }
            Stmt::If(_) | Stmt::Match(_) => self.in_branch(|this| walk_stmt(this, statement)),
            Stmt::Try(inner) => self.tried(inner),
            _ => walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Lambda(_) => return,
            Expr::Await(awaited) => self.awaited(&awaited.value, ALIASES),
            Expr::If(either) => {
                self.visit_expr(&either.test);
                self.in_branch(|this| {
                    this.visit_expr(&either.body);
                    this.visit_expr(&either.orelse);
                });
                return;
            }
            Expr::BoolOp(several) => {
                let mut values = several.values.iter();
                values
                    .by_ref()
                    .take(1)
                    .for_each(|first| self.visit_expr(first));
                self.in_branch(|this| values.for_each(|value| this.visit_expr(value)));
                return;
            }
            Expr::ListComp(ast::ExprListComp { generators, .. })
            | Expr::SetComp(ast::ExprSetComp { generators, .. })
            | Expr::DictComp(ast::ExprDictComp { generators, .. }) => {
                self.collects(generators, expr);
                self.in_loop(|this| walk_expr(this, expr));
                return;
            }
            // Unlike a list, a generator expression need not be consumed to its end.
            Expr::Generator(_) => {
                self.in_loop(|this| walk_expr(this, expr));
                return;
            }
            _ => {}
        }
        walk_expr(self, expr);
    }

    fn visit_comprehension(&mut self, comprehension: &'a ast::Comprehension) {
        if comprehension.is_async {
            self.iterated(&comprehension.iter);
        }
        walk_comprehension(self, comprehension);
    }
}

/// Whether a coroutine function is annotated with `NoReturn` or `Never` (PEP 484) and does not end with a `raise`,
/// which would be another reason for that annotation.
fn says_never_ends(function: &ast::StmtFunctionDef) -> bool {
    let says_never = function
        .returns
        .as_deref()
        .and_then(last_name)
        .is_some_and(|name| matches!(name, "NoReturn" | "Never"));
    says_never && !matches!(function.body.last(), Some(Stmt::Raise(_)))
}
