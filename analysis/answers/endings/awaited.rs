//! What is awaited, called or given to something that awaits it.

use crate::limits::{ALIASES, LOCK, Limit, TURN};
use asyncfix_knowledge::endings::TABLE;
use asyncfix_knowledge::package_of;
use asyncfix_syntax::queries::{argument, last_name};
use asyncfix_syntax::words::has_word;
use ruff_python_ast::{self as ast, Expr};
use ty_python_core::definition::DefinitionKind;

use super::Obstacle;
use super::endless::is_infinite;
use super::limits::has_limit;
use super::look::{Look, root_of};
use super::table::{ends, ends_with_arguments, is_one_of};
use super::threads::in_thread;

/// The class of the processes that asyncio starts.
const PROCESS: &str = "asyncio.subprocess.Process";

impl<'s> Look<'s, '_> {
    /// What a call means that is awaited, entered, or given to something that awaits it.
    pub(super) fn awaited_call(&mut self, call: &ast::ExprCall) {
        let name = last_name(&call.func).unwrap_or_default();
        if ends_with_arguments(self.semantics, &call.func) {
            let waits_for = name == "wait_for";
            let is_timed = waits_for && has_limit(self.semantics, call, "1");
            self.timed += usize::from(is_timed);
            let given = if waits_for { 1 } else { usize::MAX };
            for argument in call.arguments.args.iter().take(given) {
                match argument {
                    Expr::Starred(starred) => self.awaited_elements(&starred.value, ALIASES),
                    other => self.awaited(other, ALIASES),
                }
            }
            self.timed -= usize::from(is_timed);
            return;
        }
        if self.means(&call.func, &TABLE.as_elements) {
            let is_timed = has_limit(self.semantics, call, "timeout");
            self.timed += usize::from(is_timed);
            if let Some(elements) = call.arguments.args.first() {
                self.awaited_elements(elements, ALIASES);
            }
            self.timed -= usize::from(is_timed);
            return;
        }
        if self.means(&call.func, &TABLE.sleeps)
            && let Some(seconds) = argument(call, "0").or_else(|| argument(call, "delay"))
            && is_infinite(self.semantics, seconds, ALIASES)
        {
            self.never_ends(&call.func);
            return;
        }
        if let Some(function) = in_thread(self.semantics, call) {
            self.runs_in_thread(function);
            // A loop has threads of its own for that, and so few of them that each waits for its turn.
            if TABLE.pooling_methods.contains(name)
                && self.semantics.function_in_sight(&call.func).is_none()
            {
                self.seen.is_limited |= self.depth == 0;
                self.use_scarce();
                return;
            }
        }
        let reads_before = std::mem::take(&mut self.reads_unknown);
        self.callee(&call.func);
        self.named(call, name);
        if self.reads_unknown {
            self.reads_what_is_given(call);
        }
        self.reads_unknown |= reads_before;
    }

    /// What the name of a method says, where nothing says what it is called on.
    fn named(&mut self, call: &ast::ExprCall, name: &str) {
        let obstacle = match name {
            "get" if call.arguments.is_empty() => Some(Obstacle::Waits),
            name if TABLE.meeting_methods.contains(name) || TABLE.socket_methods.contains(name) => {
                Some(Obstacle::Waits)
            }
            name if TABLE.stream_methods.contains(name) => Some(Obstacle::Streams),
            name if TABLE.reading_methods.contains(name) => None,
            _ => return,
        };
        if let Expr::Attribute(method) = &*call.func
            && !self.has_enough()
            && self.class_of(&method.value, true).is_none()
            && self.function_of(&call.func, true).is_none()
        {
            match obstacle {
                Some(obstacle) => self.doubt(obstacle, &call.func),
                None => self.reads_unknown = true,
            }
        }
    }

    /// What a call gives to a function that reads from something whose class is not known there.
    fn reads_what_is_given(&mut self, call: &ast::ExprCall) {
        for argument in call.arguments.iter_source_order() {
            let given = argument.value();
            let Some(class) = self.class_of(given, !self.has_enough()) else {
                continue;
            };
            if is_one_of(&class, &TABLE.streams) {
                self.doubt(Obstacle::Streams, given);
            } else if class == PROCESS && !self.is_own(given) {
                self.doubt(Obstacle::Waits, given);
            }
        }
    }

    /// What it says that something is awaited.
    pub(super) fn awaited(&mut self, value: &Expr, aliases: Limit) {
        match value {
            Expr::Call(call) => self.awaited_call(call),
            // What is made here by a call is what the call says; what comes from elsewhere, somebody else has
            // to bring to its end.
            Expr::Name(name) if self.is_own(value) => {
                let made: Vec<&ast::ExprCall> = self.made_by(name);
                match (made.as_slice(), aliases.less()) {
                    ([], _) | (_, None) => self.doubt(Obstacle::NotFound, value),
                    (made, Some(aliases)) => {
                        for call in made {
                            match call.arguments.args.first() {
                                Some(inner)
                                    if matches!(
                                        last_name(&call.func),
                                        Some("create_task" | "ensure_future")
                                    ) =>
                                {
                                    self.awaited(inner, aliases);
                                }
                                _ => self.awaited_call(call),
                            }
                        }
                    }
                }
            }
            // Where the coroutine is made, nothing is known of what it is made of.
            _ if self.depth == 0 => self.doubt(Obstacle::NotFound, value),
            Expr::Name(name) => {
                let is_one_of_many = self.semantics.bindings(name).is_some_and(|definitions| {
                    definitions.iter().any(|definition| {
                        matches!(definition.kind(self.semantics.db()), DefinitionKind::For(clause)
                            if !self.is_own(clause.iterable(self.semantics.module())))
                    })
                });
                self.doubt(
                    if is_one_of_many {
                        Obstacle::WaitsForAll
                    } else {
                        Obstacle::Waits
                    },
                    value,
                );
            }
            Expr::Attribute(_) | Expr::Subscript(_) => {
                let is_own = root_of(value).is_some_and(|root| self.is_own(root));
                self.doubt(
                    if is_own {
                        Obstacle::NotFound
                    } else {
                        Obstacle::Waits
                    },
                    value,
                );
            }
            _ => self.doubt(Obstacle::NotFound, value),
        }
    }

    /// What it says that all that is in something is awaited.
    fn awaited_elements(&mut self, elements: &Expr, aliases: Limit) {
        match elements {
            Expr::ListComp(ast::ExprListComp { elt, .. })
            | Expr::SetComp(ast::ExprSetComp { elt, .. })
            | Expr::Generator(ast::ExprGenerator { elt, .. }) => match &**elt {
                Expr::Call(_) => self.in_loop(|this| this.awaited(elt, aliases)),
                other => self.doubt(Obstacle::NotFound, other),
            },
            Expr::List(ast::ExprList { elts, .. })
            | Expr::Tuple(ast::ExprTuple { elts, .. })
            | Expr::Set(ast::ExprSet { elts, .. }) => {
                for elt in elts {
                    self.awaited(elt, aliases);
                }
            }
            other => {
                let is_own = self.depth == 0 || root_of(other).is_none_or(|root| self.is_own(root));
                self.doubt(
                    if is_own {
                        Obstacle::NotFound
                    } else {
                        Obstacle::WaitsForAll
                    },
                    other,
                );
            }
        }
    }

    /// The calls whose values a name has here.
    fn made_by(&self, name: &ast::ExprName) -> Vec<&'s ast::ExprCall> {
        let semantics = self.semantics;
        semantics
            .bindings(name)
            .unwrap_or_default()
            .into_iter()
            .filter_map(|definition| match definition.kind(semantics.db()) {
                kind @ (DefinitionKind::Assignment(_) | DefinitionKind::AnnotatedAssignment(_)) => {
                    kind.value(semantics.module())?.as_call_expr()
                }
                _ => None,
            })
            .collect()
    }

    pub(super) fn callee(&mut self, callee: &Expr) {
        let name = last_name(callee).unwrap_or_default();
        if TABLE.never.contains(name) {
            self.never_ends(callee);
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
        if ends(self.semantics, callee) {
            return;
        }
        if self.depth == 0 && has_word(name, &TABLE.limited_words) {
            self.seen.is_limited = true;
        }
        let asks_types = self.asks_types_of(name);
        if let Expr::Attribute(method) = callee
            && let Some(class) = self.class_of(&method.value, asks_types)
        {
            if TABLE.limiters.contains(&class) || TABLE.locks.contains(&class) {
                let deepest = if TABLE.locks.contains(&class) {
                    LOCK
                } else {
                    TURN
                };
                self.take_turns(&method.value, deepest);
                // Where it does not stand before a block, somebody else may have to give it back.
                let is_own = self.is_own(&method.value);
                if TABLE.meeting_methods.contains(name) && !is_own {
                    self.doubt(Obstacle::Waits, callee);
                } else if TABLE.meeting_methods.contains(name) && TABLE.locks.contains(&class) {
                    self.acquires(&method.value, callee);
                }
                return;
            }
            if TABLE.meeting.contains(&class) {
                if self.is_own(&method.value) {
                    self.meets_itself(method, callee);
                } else {
                    self.doubt(Obstacle::Waits, callee);
                }
                return;
            }
            if self.is_client(&class) {
                self.client_method(&class, method, callee);
                return;
            }
        }
        if let Some(function) = self.function_of(callee, asks_types) {
            self.called(&function, callee);
        } else {
            let of = callee.as_attribute_expr().map(|method| &*method.value);
            if of.and_then(|value| self.giver(value, ALIASES)).is_none() {
                self.doubt(Obstacle::NotFound, callee);
                self.called_of_unknown(callee);
            } else if TABLE.waiting_methods.contains(name) {
                self.doubt(Obstacle::Waits, callee);
            } else {
                self.use_scarce();
            }
        }
    }

    /// The package that a value comes from, where the table knows the call that gave it, whatever an installed
    /// version of that package says of its type.
    pub(super) fn giver(&self, value: &Expr, aliases: Limit) -> Option<String> {
        let name = value.as_name_expr()?;
        let aliases = aliases.less()?;
        let semantics = self.semantics;
        let mut givers = semantics.bindings(name)?.into_iter().map(|definition| {
            let made = match definition.kind(semantics.db()) {
                DefinitionKind::WithItem(item) => item.context_expr(semantics.module()),
                kind @ DefinitionKind::Assignment(_) => kind.value(semantics.module())?,
                _ => return None,
            };
            let call = match made {
                Expr::Await(awaited) => awaited.value.as_call_expr()?,
                other => other.as_call_expr()?,
            };
            if self.means(&call.func, &TABLE.scarce) {
                return semantics.qualified_name(&call.func);
            }
            let receiver = &call.func.as_attribute_expr()?.value;
            match self.class_of(receiver, !self.has_enough()) {
                Some(class) => self.is_client(&class).then_some(class),
                None => self.giver(receiver, aliases),
            }
        });
        let path = givers.next()??;
        givers
            .all(|giver| giver.is_some())
            .then(|| package_of(&path).to_owned())
    }

    /// A method of something that talks to somebody else.
    fn client_method(&mut self, class: &str, method: &ast::ExprAttribute, callee: &Expr) {
        self.use_scarce();
        let name = method.attr.as_str();
        let is_stream = is_one_of(class, &TABLE.streams);
        let is_sent = TABLE.stream_methods.contains(name) || TABLE.reading_methods.contains(name);
        if is_stream && is_sent
            || TABLE.stream_methods.contains(name) && !TABLE.finite.contains(package_of(class))
        {
            self.doubt(Obstacle::Streams, callee);
        } else if TABLE.waiting_methods.contains(name) && !self.is_own_process(class, &method.value)
        {
            self.doubt(Obstacle::Waits, callee);
        }
    }

    /// Whether it is a process that this coroutine has started itself, to do something and end.
    fn is_own_process(&self, class: &str, value: &Expr) -> bool {
        class == PROCESS && self.is_own(value)
    }
}
