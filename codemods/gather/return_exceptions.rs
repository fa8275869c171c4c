//! AF701 gather-without-return-exceptions. By the documentation of `asyncio.gather`, the first exception is raised at
//! once to whoever awaits it, and the other awaitables are not cancelled: they go on, and nobody sees how they end.

use std::cell::OnceCell;

use asyncfix_analysis::answers::coroutines::{self, Member};
use asyncfix_analysis::answers::endings::{self, Doubt, Ending, Seen};
use asyncfix_analysis::answers::intent::{self, Deed};
use asyncfix_analysis::candidate::Candidate;
use asyncfix_analysis::facts::spelling::Hints;
use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::{Owner, Place, Site};
use ruff_diagnostics::Applicability;
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, NodeKind, Stmt};
use ruff_text_size::{Ranged, TextSize};
use rustc_hash::FxHashSet;

use super::{handlers, meant, members};
use crate::codemod::Codemod;
use crate::edit::annotations;
use crate::file::File;
use crate::finding::{Finding, Remedy};
use crate::rule::{Rule, Stability};

/// The codemod of AF701.
pub struct GatherWithoutReturnExceptions;

static RULE: Rule = Rule {
    code: "AF701",
    name: "gather-without-return-exceptions",
    finds: "`gather` stops at the first exception",
    pitfall: "ignoring exceptions in gather()",
    page: include_str!("AF701.md"),
    default: true,
    stability: Stability::Stable,
    equivalents: &[],
};

impl Codemod for GatherWithoutReturnExceptions {
    fn rule(&self) -> &'static Rule {
        &RULE
    }

    fn words(&self) -> &'static [&'static str] {
        &["gather"]
    }

    fn asks_for_types(&self) -> bool {
        true
    }

    fn nodes(&self) -> &'static [NodeKind] {
        &[NodeKind::ExprAwait]
    }

    fn candidate(&self, hints: &Hints<'_>, site: &Site<'_, '_>) -> Candidate {
        let spellings = hints.spellings;
        // Only `await gather(…)`. A gather that is kept in a variable and awaited elsewhere is left alone.
        let AnyNodeRef::ExprAwait(awaited) = site.node else {
            return Candidate::No;
        };
        let Expr::Call(call) = &*awaited.value else {
            return Candidate::No;
        };
        let decided = call.arguments.keywords.iter().any(|keyword| {
            keyword
                .arg
                .as_ref()
                .is_none_or(|name| name == "return_exceptions")
        });
        Candidate::when(
            !call.arguments.args.is_empty()
                && !decided
                && spellings.allow(&call.func, &["asyncio.gather"]),
        )
    }

    fn check<'a>(&self, file: &File<'a, '_>, site: &Site<'_, 'a>) -> Option<Finding> {
        let AnyNodeRef::ExprAwait(awaited) = site.node else {
            return None;
        };
        let Expr::Call(call) = &*awaited.value else {
            return None;
        };
        if !file.semantics.means(&call.func, &["asyncio.gather"]) {
            return None;
        }
        let gather = Gather::new(file, *site, awaited, call)?;
        // In a test the first exception fails the test, and the end of its event loop ends what is still running.
        let is_left = || {
            file.is_test_code(gather.owner)
                || intent::is_deliberate(file, site, Deed::FailFast)
                || gather.is_meant()
        };
        if !gather.are_cancelled() && is_left() {
            return None;
        }
        let remedy = match gather.rewrite() {
            Ok(Some(rewrite)) => {
                let ended = || gather.may_be_ended();
                let is_safe = rewrite.applicability == Applicability::Safe;
                let ended = (is_safe && !gather.are_cancelled()).then(ended).flatten();
                let mut rewrite = rewrite.unsafe_if(ended);
                if gather.is_typed() {
                    // Two fixes in one function would use one name (`result`) for two types, which type checkers
                    // reject. So they go in different rounds, and the second one picks another name.
                    let start = gather.body.first().map(Ranged::start);
                    rewrite.alone_in = start.or(Some(TextSize::default()));
                }
                Remedy::Rewrite(rewrite)
            }
            Ok(None) => return None,
            Err(reason) => Remedy::NotFixed(reason),
        };
        Some(Finding::new(
            &RULE,
            call.range(),
            "if one awaitable fails, `gather` raises at once and the others keep running \
                      unattended"
                .to_owned(),
            remedy,
        ))
    }
}

/// One awaited `gather` and the code around it.
pub(crate) struct Gather<'f, 's, 'a, 'db> {
    pub(crate) file: &'f File<'a, 'db>,
    pub(crate) site: Site<'s, 'a>,
    pub(crate) awaited: &'a ast::ExprAwait,
    pub(crate) call: &'a ast::ExprCall,
    /// The statements of the function, or of the module.
    pub(crate) body: &'a [Stmt],
    pub(crate) owner: Owner<'a>,
    /// The awaitables that it is given.
    pub(crate) members: Vec<Member<'a>>,
    pub(crate) place: Place<'a>,
    seen: OnceCell<Vec<Seen>>,
}

/// What becomes of the list of results.
pub(crate) enum Use<'a> {
    /// Nothing: the `await` is a statement of its own, or `_` is assigned to.
    Discarded,
    /// It is assigned to one name or attribute; the second expression is the annotation, if there is one.
    Bound(&'a Expr, Option<&'a Expr>),
    /// It is unpacked, returned, or part of a larger expression.
    Consumed,
}

impl<'f, 's, 'a, 'db> Gather<'f, 's, 'a, 'db> {
    fn new(
        file: &'f File<'a, 'db>,
        site: Site<'s, 'a>,
        awaited: &'a ast::ExprAwait,
        call: &'a ast::ExprCall,
    ) -> Option<Self> {
        let surroundings = file.surroundings(&site);
        let body = match surroundings.owner {
            Owner::Function(function) => function.body.as_slice(),
            Owner::Module => file.body(),
            Owner::Lambda(_) => return None,
        };
        Some(Self {
            members: coroutines::members(file, call, body),
            place: site.place()?,
            file,
            site,
            awaited,
            call,
            body,
            owner: surroundings.owner,
            seen: OnceCell::new(),
        })
    }

    /// What is known of how each member ends, in the order of `members`. A member that only closes something, such as
    /// `session.close()`, counts as one that ends.
    pub(super) fn seen(&self) -> &[Seen] {
        self.seen.get_or_init(|| {
            let semantics = &self.file.semantics;
            let project = self.file.project;
            let own = FxHashSet::default();
            self.members
                .iter()
                .map(|member| match member {
                    _ if member.callee().is_some_and(endings::is_closing) => Seen::default(),
                    Member::Call(call) => {
                        Seen::of_call(semantics, project, call, &own, Seen::waits)
                    }
                    Member::Callee(callee) => {
                        Seen::of_function(semantics, project, callee, Seen::waits)
                    }
                    Member::Unseen => Seen::default(),
                })
                .collect()
        })
    }

    /// Why a member may never end, as the reason of an unsafe fix: with `return_exceptions=True`, `gather` waits for
    /// all members before the exception of another one is raised. `is_grave` says which doubts about an end count.
    pub(crate) fn may_hang(&self, is_grave: fn(&Doubt) -> bool) -> Option<String> {
        let members = self.members.iter().zip(self.seen());
        let doubted: Vec<(&str, &Doubt)> = members
            .filter_map(|(member, seen)| {
                let doubt = seen.doubt.as_ref().filter(|doubt| is_grave(doubt))?;
                let threaded = match member {
                    Member::Call(call) => endings::in_thread(&self.file.semantics, call),
                    _ => None,
                };
                let name = threaded.or(member.callee()).and_then(last_name)?;
                Some((name, doubt))
            })
            .collect();
        let sure = doubted.iter().find(|(_, doubt)| !doubt.is_guess());
        let (name, doubt) = sure.or(doubted.first())?;
        Some(format!(
            "if `{name}` never finishes ({}), an error in another would never be raised",
            doubt.reason()
        ))
    }

    /// Why a handler around may get another exception than before, as the reason of an unsafe fix: it chooses by class,
    /// and members may raise different ones.
    pub(crate) fn changes_order(&self) -> Option<&'static str> {
        (handlers::choose_by_class(self.file, &self.site)
            && members::may_raise_different_ones(&self.file.semantics, &self.members))
        .then_some(
            "if several fail, the first in the list is raised instead of the first in time, and an \
             `except` may expect the latter",
        )
    }

    /// Whether the module is written for type checkers.
    pub(crate) fn is_typed(&self) -> bool {
        annotations::is_typed(self.file.body())
    }

    /// Whether statements before have cancelled all members, so that the `gather` only waits for their end.
    pub(crate) fn are_cancelled(&self) -> bool {
        meant::are_cancelled_before(self.file, &self.site, self.body, self.call)
    }

    /// The `except` clause that the call stands in.
    pub(crate) fn handler(&self) -> Option<&'a ast::ExceptHandlerExceptHandler> {
        self.site
            .enclosing_in_function()
            .find_map(|(node, _)| match node {
                AnyNodeRef::ExceptHandlerExceptHandler(handler) => Some(handler),
                _ => None,
            })
    }

    /// Whether the call stands in an `except` clause that has a bare `raise` behind it, whatever the members do.
    pub(crate) fn is_raised_again(&self) -> bool {
        self.handler().is_some_and(|handler| {
            handler.body.iter().any(|statement| {
                statement.start() > self.awaited.start()
                    && matches!(statement, Stmt::Raise(raise) if raise.exc.is_none())
            })
        })
    }

    /// Whether the call is right as it is: there is only one awaitable, the others are cancelled when one fails, a
    /// timeout is around, the members are done or never raise, or one of them never ends.
    fn is_meant(&self) -> bool {
        // What the tree alone tells comes first: to follow the members may take many other files.
        let semantics = &self.file.semantics;
        let callees = || self.members.iter().map(|member| member.callee());
        matches!(&*self.call.arguments.args, [only] if !only.is_starred_expr())
            || meant::cancels_the_rest(&self.site, self.call)
            || meant::is_under_timeout(&self.site)
            || meant::are_done(self.file, self.call)
            || callees()
                .flatten()
                .any(|callee| members::returns_exceptions(semantics, callee))
            || !self.members.is_empty()
                && callees().all(|callee| {
                    callee.is_some_and(|callee| members::catches_everything(semantics, callee))
                })
            || self
                .seen()
                .iter()
                .any(|seen| seen.ending() == Ending::Never)
    }

    /// Whether a `try` with handlers stands around the call.
    pub(crate) fn errors_are_handled(&self) -> bool {
        self.site.enclosing_in_function().any(|(node, child)| {
            matches!(node, AnyNodeRef::StmtTry(statement)
                if !statement.handlers.is_empty()
                    && statement.body.iter().any(|s| s.range().contains_range(child.range())))
        })
    }

    /// What becomes of the list of results.
    pub(crate) fn use_of_value(&self) -> Use<'a> {
        let is_value = |value: &Expr| value.range() == self.awaited.range();
        match self.place.statement {
            Stmt::Expr(statement) if is_value(&statement.value) => Use::Discarded,
            Stmt::Assign(statement) if is_value(&statement.value) => {
                match statement.targets.as_slice() {
                    [Expr::Name(name)] if name.id == "_" => Use::Discarded,
                    [target @ (Expr::Name(_) | Expr::Attribute(_))] => Use::Bound(target, None),
                    _ => Use::Consumed,
                }
            }
            Stmt::AnnAssign(statement)
                if statement.value.as_deref().is_some_and(is_value)
                    && (statement.target.is_name_expr()
                        || statement.target.is_attribute_expr()) =>
            {
                Use::Bound(&statement.target, Some(&statement.annotation))
            }
            _ => Use::Consumed,
        }
    }
}
