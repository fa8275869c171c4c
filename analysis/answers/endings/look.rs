//! A look at the code of a coroutine, and of what it calls.

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

/// How long the text of what is not known may be, to be shown.
const SHOWN: usize = 40;

/// One function body that is looked at.
pub(super) struct Look<'s, 'db> {
    pub(super) semantics: &'s Semantics<'db>,
    pub(super) project: Asked<'s>,
    /// Whether types are asked only where something in the project has the name in question.
    pub(super) is_thrifty: bool,
    /// The function whose body it is.
    pub(super) function: Option<TextRange>,
    /// Its name.
    name: Option<&'s str>,
    /// That body.
    pub(super) body: &'s [Stmt],
    /// How many calls deep this is.
    pub(super) depth: usize,
    /// How many time limits stand around the code.
    pub(super) timed: usize,
    /// How many branches the code stands in that may not be taken.
    pub(super) branches: usize,
    /// How many loops it stands in that may end.
    pub(super) loops: usize,
    /// The functions that have led here.
    pub(super) path: Vec<Entered<'db>>,
    pub(super) seen: Seen,
    /// Whether what was seen is all that counts, this deep down.
    pub(super) is_enough: fn(&Seen) -> bool,
    /// What is known of the file that the coroutines are made in.
    pub(super) origin: &'s Semantics<'db>,
    /// The functions that were looked at, each with what it was called in, and how deep that was.
    pub(super) looked_at: FxHashMap<Definition<'db>, FxHashMap<Visit, usize>>,
    /// How many items expressions and functions were found to give.
    pub(super) items: FxHashMap<(ProgramFile<'db>, TextRange), Items>,
    /// What the `async with` blocks around the code have entered.
    pub(super) held: Vec<TextRange>,
}

/// What a call stands in.
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
        }
    }

    /// Whether there is nothing more to find out. Further down than it counts that something waits for
    /// its turn, only what was asked for is left.
    fn is_done(&self) -> bool {
        self.seen.never_ends || !TURN.allows(self.depth) && self.has_enough()
    }

    /// Whether an object of this class talks to somebody else. In the package of such classes itself,
    /// most classes do other things.
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

    /// Whether a class is part of the package that the coroutines are made in.
    fn is_own_package(&self, class: &str) -> bool {
        let module = self.origin.module_name();
        module.is_some_and(|module| package_of(&module) == package_of(class))
    }

    /// Keeps what may keep it from ending, if that is graver than what was seen before.
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

    /// A part that runs until it is cancelled.
    pub(super) fn never_ends(&mut self, what: &Expr) {
        self.seen.never_ends |= self.timed == 0 && self.branches == 0;
        self.doubt(Obstacle::Loops, what);
    }

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

    pub(super) fn use_scarce(&mut self) {
        self.seen.is_scarce |= SCARCE.allows(self.depth);
    }

    /// It waits for its turn, unless each has one of its own.
    pub(super) fn take_turns(&mut self, limiter: &Expr, deepest: Limit) {
        self.seen.is_limited |= deepest.allows(self.depth) && !self.is_own(limiter);
    }

    pub(super) fn means(&self, expr: &Expr, paths: &[String]) -> bool {
        means_one_of(self.semantics, expr, paths)
    }

    /// Whether the rest makes so little difference that types are not asked for it.
    pub(super) fn has_enough(&self) -> bool {
        (self.is_enough)(&self.seen)
    }

    /// Whether types have something to say about what is called by this name.
    pub(super) fn asks_types_of(&self, name: &str) -> bool {
        let is_unknown = || self.project.namesakes(name_key(name)) == Namesakes::None;
        !(self.has_enough() || self.is_thrifty && is_unknown())
    }

    /// The class of a value: what is in sight of it, or what types say.
    pub(super) fn class_of(&self, expr: &Expr, asks_types: bool) -> Option<String> {
        if !asks_types {
            return self.semantics.class_path_in_sight(expr);
        }
        match self.semantics.class_of(expr) {
            ClassOf::Known(path) => Some(path),
            ClassOf::Other | ClassOf::Unknown => None,
        }
    }

    /// The function that is called: the one in sight, or the one that types lead to.
    pub(super) fn function_of(&self, callee: &Expr, asks_types: bool) -> Option<Function<'db>> {
        if asks_types {
            self.semantics.function(callee)
        } else {
            self.semantics.function_in_sight(callee)
        }
    }

    pub(super) fn function(&mut self, function: &Function<'db>, callee: &Expr) {
        let db = self.semantics.db();
        let Some(node) = function.node(db) else {
            self.doubt(Obstacle::NotFound, callee);
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
        self.seen.is_limited |= is_limited && TURN.has_room(self.depth);
        if function.definition().file(db).is_stub(db) {
            if TABLE.waits.contains(node.name.as_str()) || !node.is_async {
                self.doubt(Obstacle::NotFound, callee);
            }
            return;
        }
        let own = self.semantics.of_function(function);
        // What the table knows of a package, no body of one of its functions says better.
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
        // What does nothing but to hand something to a pool of threads waits for one of them.
        self.seen.is_limited |= self.depth == 0 && only_awaits_pools(&own, node);
    }

    /// Whether a function was looked at before, called no deeper than this. That it calls itself, or is called again,
    /// says nothing new further down; but in a branch it says less, and under a time limit as well.
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

    /// Takes note that a function is looked at.
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

    /// A look at the body of a function, which takes over what was found out so far. It goes back by [`Self::back_from`].
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
        }
    }

    /// Takes back what a look at a function has found out.
    pub(super) fn back_from(&mut self, inner: Look<'_, 'db>) {
        self.seen = inner.seen;
        self.looked_at = inner.looked_at;
        self.items = inner.items;
        self.path = inner.path;
    }

    /// Looks at statements.
    pub(super) fn look_at(&mut self, body: &[Stmt]) {
        self.visit_body(body);
    }

    /// What it says of a coroutine that it is given this.
    pub(super) fn argument(&mut self, argument: &Expr, own: &FxHashSet<&str>) {
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
                // What a body in sight does with it, is seen there.
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
                        // Another name for what comes from outside makes nothing.
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
            return;
        }
        if is_one(&TABLE.locks, &TABLE.locking_words) {
            // No lock of asyncio lets in twice whoever holds it.
            let is_lock = class.is_some_and(|class| TABLE.locks.contains(&class));
            if is_lock && self.holds(manager) {
                self.never_ends(manager);
            }
            self.take_turns(manager, LOCK);
            return;
        }
        // A condition is a lock, until somebody waits for it.
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
            (Expr::Call(call), _) => self.awaited_call(call),
            (Expr::Await(_), _) => {}
            (other, _) => self.doubt(Obstacle::NotFound, other),
        }
    }

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

    /// What it says of a loop that goes on while something awaits.
    fn polls(&mut self, test: &Expr, body: &[Stmt]) {
        match LoopNames::of(test, body).drive() {
            // What the loop itself counts or empties, comes to an end; what others change, may not.
            Drive::Itself => {}
            Drive::Growing => self.doubt(Obstacle::Grows, test),
            Drive::Nothing => self.doubt(Obstacle::Polls, test),
        }
    }

    /// What it says of a coroutine that it iterates over this asynchronously.
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
        // An asynchronous generator of the project ends when its own code does.
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

/// The name that an expression begins with.
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

/// Whether no decorator stands before a function but those that leave it as it is.
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

    /// A loop that goes on until something in it leaves it.
    pub(super) fn goes_on(&mut self, header: &Expr, body: &[Stmt]) {
        if leaves_loop_by_itself(body) {
            self.doubt(Obstacle::Loops, header);
        } else {
            self.never_ends(header);
        }
    }

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
            // What takes from it may leave some.
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

/// Whether a coroutine function says that it gives nothing back, and does not end by an exception of its own.
fn says_never_ends(function: &ast::StmtFunctionDef) -> bool {
    let says_never = function
        .returns
        .as_deref()
        .and_then(last_name)
        .is_some_and(|name| matches!(name, "NoReturn" | "Never"));
    says_never && !matches!(function.body.last(), Some(Stmt::Raise(_)))
}
