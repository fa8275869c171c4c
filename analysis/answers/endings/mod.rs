//! What is seen of a coroutine: whether it comes to an end, whether it waits for its turn, and whether it uses
//! what is scarce. The one answer for every rule that asks any of this.

mod awaited;
mod endless;
mod freeing;
mod items;
mod limits;
mod look;
mod namesakes;
mod overridden;
mod own;
mod table;
mod threads;
mod turns;

use ruff_python_ast::visitor::source_order::SourceOrderVisitor;
use ruff_python_ast::{self as ast, Expr, Stmt};
use rustc_hash::FxHashSet;

pub use freeing::{frees, is_freeing};
use look::Look;
pub use table::{
    cleans_up, ends, ends_with_arguments, is_calm, is_closing, is_one_of, lets_go, takes_away,
    undoes,
};
pub use threads::in_thread;

use crate::index::asked::Asked;
use crate::resolve::semantics::Semantics;

/// How a coroutine ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// By itself, as far as it can be followed.
    Ends,
    /// It cannot be told.
    Unknown,
    /// Only when it is cancelled.
    Never,
}

/// What keeps a coroutine from being seen to end, the weaker ones first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Obstacle {
    /// Something in it is not in sight.
    NotFound,
    /// A decorator may make anything of a function.
    Decorated,
    /// It may go round as long as it likes.
    Loops,
    /// It adds to what it goes through.
    Grows,
    /// It waits for something that nobody else is seen to do: it has made what it waits with itself.
    Alone,
    /// It takes what somebody else sends, for as long as they send.
    Streams,
    /// It goes round until somebody else changes something.
    Polls,
    /// It waits for something that somebody else has to do first.
    Waits,
    /// It waits for each of several things that it shares with others.
    WaitsForAll,
}

/// What keeps a coroutine from being seen to end, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// What it is.
    pub obstacle: Obstacle,
    /// The text of what is waited for, or is not known. Empty where it is too long to be shown.
    what: String,
    /// Whether another one is rather to be waited for: it is given a queue, or puts something into it.
    is_guess: bool,
    /// The function in which that stands, where it is another one.
    function: Option<String>,
}

impl Doubt {
    /// Whether it waits for somebody who may fail to come, or may be another coroutine of its kind.
    pub fn waits(&self) -> bool {
        self.obstacle >= Obstacle::Streams
    }

    /// Whether another one of several coroutines is rather to be waited for, if there is one with a doubt of its own.
    pub fn is_guess(&self) -> bool {
        self.is_guess
    }

    /// Whether it waits for something that may fail to come, whoever has it.
    pub fn may_hang(&self) -> bool {
        self.obstacle >= Obstacle::Alone
    }

    /// Why the coroutine may go on, in words that follow "it".
    pub fn reason(&self) -> String {
        let reason = match self.obstacle {
            Obstacle::NotFound if self.what.is_empty() => {
                "asyncfix can't tell what it awaits".to_owned()
            }
            Obstacle::Loops => "it has an endless loop".to_owned(),
            _ if self.what.is_empty() => "it waits for something".to_owned(),
            Obstacle::NotFound => format!("asyncfix can't find `{}`", self.what),
            Obstacle::Decorated => {
                format!(
                    "asyncfix can't see through the decorator of `{}`",
                    self.what
                )
            }
            Obstacle::Streams => format!("it reads from `{}`", self.what),
            Obstacle::Polls => format!("it loops while `{}`", self.what),
            Obstacle::Grows => format!("it adds to `{}` while it goes through it", self.what),
            Obstacle::Alone | Obstacle::Waits | Obstacle::WaitsForAll => {
                format!("it waits for `{}`", self.what)
            }
        };
        match &self.function {
            Some(function) => format!("{reason} in `{function}`"),
            None => reason,
        }
    }
}

/// What is seen of a coroutine.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each may be seen with and without the others"
)]
#[derive(Debug, Default, Clone)]
pub struct Seen {
    /// It waits for its turn already.
    pub is_limited: bool,
    /// It uses a connection, a process, a file or a thread.
    pub is_scarce: bool,
    /// What may keep it from ending.
    pub doubt: Option<Doubt>,
    /// It runs until it is cancelled.
    pub never_ends: bool,
    /// It waits for something for a limited time only: whoever waits for it keeps that from coming, perhaps.
    pub gives_up: bool,
}

impl Seen {
    /// What is seen of the coroutine that `call` makes, where `own` are the names of what each of many
    /// has for itself. Once it `is_enough`, nothing more is looked for but what is in sight, and types are asked about
    /// names that something in the project has.
    pub fn of_call(
        semantics: &Semantics<'_>,
        project: Asked<'_>,
        call: &ast::ExprCall,
        own: &FxHashSet<&str>,
        is_enough: fn(&Self) -> bool,
    ) -> Self {
        Self::of_call_in(Look::new(semantics, project, true, is_enough), call, own)
    }

    /// The same, where types are asked about all names.
    pub(super) fn of_call_by_types(
        semantics: &Semantics<'_>,
        project: Asked<'_>,
        call: &ast::ExprCall,
    ) -> Self {
        let look = Look::new(semantics, project, false, Self::is_doubtful);
        Self::of_call_in(look, call, &FxHashSet::default())
    }

    fn of_call_in(mut look: Look<'_, '_>, call: &ast::ExprCall, own: &FxHashSet<&str>) -> Self {
        look.awaited_call(call);
        for argument in call.arguments.iter_source_order() {
            look.argument(argument.value(), own);
        }
        look.seen
    }

    /// What is seen of the coroutine that calling `function` makes.
    pub fn of_function(
        semantics: &Semantics<'_>,
        project: Asked<'_>,
        function: &Expr,
        is_enough: fn(&Self) -> bool,
    ) -> Self {
        let mut look = Look::new(semantics, project, true, is_enough);
        look.callee(function);
        look.seen
    }

    /// What is seen of a part of a coroutine.
    pub fn of_suite(semantics: &Semantics<'_>, project: Asked<'_>, body: &[Stmt]) -> Self {
        let mut look = Look::new(semantics, project, false, Self::is_doubtful);
        look.depth = 1;
        look.visit_body(body);
        look.seen
    }

    /// How it ends.
    pub fn ending(&self) -> Ending {
        if self.never_ends {
            Ending::Never
        } else if self.is_doubtful() {
            Ending::Unknown
        } else {
            Ending::Ends
        }
    }

    /// Whether something may keep it from ending.
    pub fn is_doubtful(&self) -> bool {
        self.doubt.is_some()
    }

    /// Whether it waits for somebody who may fail to come.
    pub fn waits(&self) -> bool {
        self.doubt.as_ref().is_some_and(Doubt::waits)
    }
}
