//! AF701 gather-without-return-exceptions: the first error of a `gather` leaves its siblings
//! running with nobody to look at them.

use ruff_diagnostics::Edit;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, ExceptHandler, Expr, NodeKind, Stmt};
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::argument;
use super::results::{self, Consumption, consumption};
use crate::file::File;
use crate::finding::{Finding, Remedy, Rewrite};
use crate::rule::Rule;
use crate::semantics::Semantics;
use crate::settings::GatherGuard;
use crate::site::{Owner, Place, Site};
use crate::spelling::Hints;
use crate::support::coroutines::{self, Ending, Member};
use crate::support::names;
use crate::support::slots::Slot;
use crate::support::timeouts::is_timeout;
use crate::{Candidate, Codemod};

/// The codemod of AF701.
pub struct GatherWithoutReturnExceptions;

static RULE: Rule = Rule {
    code: "AF701",
    name: "gather-without-return-exceptions",
    pitfall: "ignoring exceptions in gather()",
    page: include_str!("AF701.md"),
    default: true,
    equivalents: &[],
};

const ARGUMENT: &str = "return_exceptions=True";

const TITLE: &str = "Let all awaitables finish, then raise the first exception";

/// How many coroutines around one that returns exceptions are looked through.
const WRAPPERS: usize = 2;

/// What a new variable for the results is called.
const RESULTS: &[&str] = &["results", "gathered"];

impl Codemod for GatherWithoutReturnExceptions {
    fn rule(&self) -> &'static Rule {
        &RULE
    }

    fn words(&self) -> &'static [&'static str] {
        &["gather"]
    }

    fn nodes(&self) -> &'static [NodeKind] {
        &[NodeKind::ExprAwait]
    }

    fn candidate(&self, hints: &Hints<'_>, site: &Site<'_, '_>) -> Candidate {
        let spellings = hints.spellings;
        // An awaited call; a gather kept as a future is looked at where it is awaited, by people.
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
        if gather.is_meant() {
            return None;
        }
        let remedy = match gather.rewrite() {
            Ok(Some(rewrite)) => Remedy::Rewrite(rewrite),
            Ok(None) => return None,
            Err(reason) => Remedy::NotFixed(reason),
        };
        Some(Finding {
            rule: &RULE,
            range: call.range(),
            message: "the first exception leaves the other awaitables of this `gather` running \
                      unwatched"
                .to_owned(),
            remedy,
        })
    }
}

/// One awaited `gather` and its surroundings.
struct Gather<'f, 's, 'a, 'db> {
    file: &'f File<'a, 'db>,
    site: Site<'s, 'a>,
    awaited: &'a ast::ExprAwait,
    call: &'a ast::ExprCall,
    /// The statements of the function, or of the module.
    body: &'a [Stmt],
    owner: Owner<'a>,
    members: Vec<Member<'a>>,
    place: Place<'a>,
}

/// Where the value of the awaited call goes.
enum Use<'a> {
    /// Nowhere: the statement is the await.
    Discarded,
    /// To one name or attribute.
    Bound(&'a Expr, Bound),
    /// To several names, to the caller, or into a larger expression.
    Consumed,
}

#[derive(Clone, Copy, PartialEq)]
enum Bound {
    Plain,
    /// With an annotation, which the wider type would contradict.
    Annotated,
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
        })
    }

    /// Whether the author wants the first exception at once, or does not want this one changed.
    fn is_meant(&self) -> bool {
        // What the tree alone tells comes first: to follow the members may take many other files.
        matches!(&*self.call.arguments.args, [only] if !only.is_starred_expr())
            || self.cancels_the_rest()
            || self.is_under_timeout()
            || self.are_done()
            || self.members.iter().any(|member| {
                member.callee().is_some_and(|callee| {
                    coroutines::ending_of(&self.file.semantics, callee) == Ending::Never
                        || self.returns_exceptions(callee)
                })
            })
    }

    /// A member that gives exceptions back as values: its results look like failures.
    fn returns_exceptions(&self, callee: &Expr) -> bool {
        returns_exceptions(&self.file.semantics, callee, WRAPPERS)
    }

    /// `except …: for t in tasks: t.cancel()`, or the same in `finally`, around the call: what is
    /// cancelled is a member, or a list of members.
    fn cancels_the_rest(&self) -> bool {
        let mut members = MemberNames::default();
        for argument in &*self.call.arguments.args {
            members.visit_expr(argument);
        }
        self.site.enclosing_in_function().any(|(node, child)| {
            let AnyNodeRef::StmtTry(statement) = node else {
                return false;
            };
            let in_body = statement
                .body
                .iter()
                .any(|inner| inner.range().contains_range(child.range()));
            let handlers = statement.handlers.iter().flat_map(|handler| {
                let ExceptHandler::ExceptHandler(handler) = handler;
                &handler.body
            });
            in_body
                && handlers
                    .chain(&statement.finalbody)
                    .any(|statement| members.are_cancelled_by(statement))
        })
    }

    /// `async with timeout(…):` around the call: when it strikes, the caller would get the timeout
    /// in the place of a member's error.
    fn is_under_timeout(&self) -> bool {
        self.site.enclosing_in_function().any(|(node, child)| {
            matches!(node, AnyNodeRef::StmtWith(with)
                if with.body.iter().any(|s| s.range().contains_range(child.range()))
                    && with.items.iter().any(|item| is_timeout(&item.context_expr)))
        })
    }

    /// Members that `asyncio.wait` has waited for already.
    fn are_done(&self) -> bool {
        let [Expr::Starred(starred)] = &*self.call.arguments.args else {
            return false;
        };
        let Expr::Name(name) = &*starred.value else {
            return false;
        };
        let semantics = &self.file.semantics;
        semantics.bindings(name).is_some_and(|definitions| {
            !definitions.is_empty()
                && definitions.iter().all(|definition| {
                    let value = definition.kind(semantics.db()).value(semantics.module());
                    matches!(value, Some(Expr::Await(awaited))
                        if matches!(&*awaited.value, Expr::Call(call)
                            if semantics.means(&call.func, &["asyncio.wait"])))
                })
        })
    }

    /// Whether a `try` around the call waits for the members' errors.
    fn errors_are_handled(&self) -> bool {
        self.site.enclosing_in_function().any(|(node, child)| {
            matches!(node, AnyNodeRef::StmtTry(statement)
                if !statement.handlers.is_empty()
                    && statement.body.iter().any(|s| s.range().contains_range(child.range())))
        })
    }

    fn use_of_value(&self) -> Use<'a> {
        let is_value = |value: &Expr| value.range() == self.awaited.range();
        match self.place.statement {
            Stmt::Expr(statement) if is_value(&statement.value) => Use::Discarded,
            Stmt::Assign(statement) if is_value(&statement.value) => {
                match statement.targets.as_slice() {
                    [Expr::Name(name)] if name.id == "_" => Use::Discarded,
                    [target @ (Expr::Name(_) | Expr::Attribute(_))] => {
                        Use::Bound(target, Bound::Plain)
                    }
                    _ => Use::Consumed,
                }
            }
            Stmt::AnnAssign(statement)
                if statement.value.as_deref().is_some_and(is_value)
                    && (statement.target.is_name_expr()
                        || statement.target.is_attribute_expr()) =>
            {
                Use::Bound(&statement.target, Bound::Annotated)
            }
            _ => Use::Consumed,
        }
    }

    /// `Ok(None)` where the call is better left alone without a word.
    fn rewrite(&self) -> Result<Option<Rewrite>, String> {
        let guard = self.file.settings.gather_guard;
        let argument =
            argument::append(self.file, self.call, ARGUMENT).ok_or("the call has no arguments")?;
        if guard == GatherGuard::Never {
            return Ok((!self.errors_are_handled()).then(|| Self::argument_alone(argument)));
        }
        match self.use_of_value() {
            Use::Bound(target, bound) => {
                let consumption = self.consumption(target);
                if consumption == Consumption::Checked {
                    // The checks are the guard; a handler around them would never run.
                    return Ok((!self.errors_are_handled()).then(|| Self::argument_alone(argument)));
                }
                let nobody_looks = self.owner == Owner::Module
                    && target.is_name_expr()
                    && consumption == Consumption::None
                    && guard == GatherGuard::Auto;
                if nobody_looks {
                    return Ok((!self.errors_are_handled()).then(|| Self::argument_alone(argument)));
                }
                let typed = (bound == Bound::Annotated)
                    .then_some("the annotation does not allow exceptions among the results");
                if self.outlives_guard(target) {
                    // Somebody else could see the exceptions before, or although, one is raised.
                    return self.bind_first(argument, typed).map(Some);
                }
                let slot = Slot::of(self.file, &self.place)?;
                let guard = self.guard(self.file.text(target));
                let edits = [Some(argument), slot.prefix(""), Some(slot.after(&guard))];
                Ok(Some(
                    Rewrite::safe(TITLE, edits.into_iter().flatten().collect()).unsafe_if(typed),
                ))
            }
            Use::Discarded => self.rewrite_discarded(argument).map(Some),
            Use::Consumed if self.is_checked_where_consumed() => {
                Ok((!self.errors_are_handled()).then(|| Self::argument_alone(argument)))
            }
            Use::Consumed => self.rewrite_consumed(argument).map(Some),
        }
    }

    fn consumption(&self, target: &Expr) -> Consumption {
        match target {
            Expr::Name(name) => {
                consumption(self.file, self.body, &name.id, self.place.statement.end())
            }
            target => {
                let text = self.file.text(target);
                results::attribute_consumption(self.file, self.body, text)
            }
        }
    }

    fn argument_alone(argument: Edit) -> Rewrite {
        Rewrite::safe(
            "Let all awaitables finish and return their exceptions",
            vec![argument],
        )
    }

    /// The loop that raises the first exception among `results`, as the lines of the file's style.
    fn guard(&self, results: &str) -> Vec<String> {
        let wishes: &[&str] = if results == "result" {
            &["outcome", "item"]
        } else {
            &["result", "outcome"]
        };
        let result = names::fresh(self.file, self.owner, wishes);
        let unit = self.file.indent_unit();
        vec![
            format!("for {result} in {results}:"),
            format!("{unit}if isinstance({result}, BaseException):"),
            format!("{unit}{unit}raise {result}"),
        ]
    }

    fn rewrite_discarded(&self, argument: Edit) -> Result<Rewrite, String> {
        let slot = Slot::of(self.file, &self.place)?;
        let results = names::fresh(self.file, self.owner, RESULTS);
        let prefix = match self.place.statement {
            // `_ = await …`
            Stmt::Assign(assign) => {
                let head = TextRange::new(assign.start(), self.with_parentheses().start());
                Some(Edit::range_replacement(format!("{results} = "), head))
            }
            _ => slot.prefix(&format!("{results} = ")),
        };
        let edits = [
            prefix,
            Some(argument),
            Some(slot.after(&self.guard(&results))),
        ];
        let plain = !self.members.is_empty()
            && self.members.iter().all(|member| {
                member.callee().is_some_and(|callee| {
                    coroutines::is_closing(callee)
                        || coroutines::ending_of(&self.file.semantics, callee) == Ending::Ends
                })
            });
        let reason = (!plain).then_some(
            "an awaitable may be meant to run for ever, and an error of another would then wait \
             for it",
        );
        Ok(Rewrite::safe(TITLE, edits.into_iter().flatten().collect()).unsafe_if(reason))
    }

    fn rewrite_consumed(&self, argument: Edit) -> Result<Rewrite, String> {
        let typed = Some("a type checker sees exceptions among the results");
        if self.is_whole_value() {
            return self.bind_first(argument, typed);
        }
        let range = self.with_parentheses();
        let slot = Slot::of(self.file, &self.place)?;
        let results = names::fresh(self.file, self.owner, RESULTS);
        self.can_be_bound_first()?;
        // The call moves to a statement of its own, with its bytes, the new argument included.
        let call = self.file.text(self.awaited);
        if self.file.comments.intersects(self.awaited.range()) || call.contains(['\n', '\r']) {
            return Err("the call spans several lines of a larger statement".to_owned());
        }
        let at = (argument.start() - self.awaited.start()).to_usize();
        let (before, after) = call.split_at_checked(at).unwrap_or((call, ""));
        let text = format!(
            "{results} = {before}{}{after}",
            argument.content().unwrap_or_default()
        );
        let mut lines = vec![text];
        lines.extend(self.guard(&results));
        let edits = [
            slot.before(&lines, ""),
            Some(Edit::range_replacement(results, range)),
        ];
        Ok(Rewrite::safe(TITLE, edits.into_iter().flatten().collect()).unsafe_if(typed))
    }

    /// `a, b = await …` and `return await …`: the call stays, what takes its value comes after the
    /// guard.
    fn bind_first(&self, argument: Edit, reason: Option<&str>) -> Result<Rewrite, String> {
        let slot = Slot::of(self.file, &self.place)?;
        let results = names::fresh(self.file, self.owner, RESULTS);
        let outer = self.with_parentheses();
        let taker = &self.file.source[TextRange::new(self.place.statement.start(), outer.start())];
        // Parentheses that only hold the call on its line are not needed any more.
        let tight = TextRange::new(outer.start(), self.awaited.start()).len()
            + TextRange::new(self.awaited.end(), outer.end()).len()
            <= TextSize::from(2);
        let head = TextRange::new(
            self.place.statement.start(),
            if tight {
                self.awaited.start()
            } else {
                outer.start()
            },
        );
        if taker.contains(['\n', '\r']) {
            return Err("what takes the results spans several lines".to_owned());
        }
        let mut lines = self.guard(&results);
        lines.push(format!("{taker}{results}"));
        let mut edits = vec![
            Edit::range_replacement(format!("{results} = "), head),
            argument,
            slot.after(&lines),
        ];
        if tight && outer.end() > self.awaited.end() {
            edits.push(Edit::deletion(self.awaited.end(), outer.end()));
        }
        edits.extend(slot.prefix(""));
        Ok(Rewrite::safe(TITLE, edits).unsafe_if(reason))
    }

    /// Whether what is assigned to `target` can be read although the guard raises: an attribute, a
    /// name of another scope or used by one, or one that is read after a handler around the call.
    fn outlives_guard(&self, target: &Expr) -> bool {
        let Expr::Name(name) = target else {
            return true;
        };
        let shared = self.owner != Owner::Module && is_shared(self.body, &name.id);
        let bound_before = || {
            self.file
                .semantics
                .scope_of_owner(self.owner)
                .and_then(|scope| self.file.semantics.lookup(&name.id, scope))
                .is_none_or(|definitions| definitions.len() > 1)
        };
        shared || (self.errors_are_handled() || self.is_before_finally()) && bound_before()
    }

    /// Whether a `try` with a `finally` around the call could read the name.
    fn is_before_finally(&self) -> bool {
        self.site.enclosing_in_function().any(|(node, child)| {
            matches!(node, AnyNodeRef::StmtTry(statement)
                if !statement.finalbody.is_empty()
                    && statement.body.iter().any(|s| s.range().contains_range(child.range())))
        })
    }

    /// `for r in await gather(…): if isinstance(r, Exception): …`, or every unpacked name checked.
    fn is_checked_where_consumed(&self) -> bool {
        match self.place.statement {
            Stmt::For(statement) if statement.iter.range() == self.awaited.range() => {
                results::are_checked(self.file, &statement.body, &statement.target)
            }
            Stmt::Assign(statement) if statement.value.range() == self.awaited.range() => {
                match statement.targets.as_slice() {
                    [
                        Expr::Tuple(ast::ExprTuple { elts, .. })
                        | Expr::List(ast::ExprList { elts, .. }),
                    ] => elts
                        .iter()
                        .all(|elt| results::are_checked(self.file, self.body, elt)),
                    _ => false,
                }
            }
            _ => false,
        }
    }

    /// Whether the statement assigns or returns the value of the call and does nothing else.
    fn is_whole_value(&self) -> bool {
        let value = match self.place.statement {
            Stmt::Assign(statement) => Some(&*statement.value),
            Stmt::AnnAssign(statement) => statement.value.as_deref(),
            Stmt::Return(statement) => statement.value.as_deref(),
            _ => None,
        };
        value.is_some_and(|value| value.range() == self.awaited.range())
    }

    /// The range of the await with the parentheses that only it needs.
    fn with_parentheses(&self) -> TextRange {
        self.site
            .parent()
            .and_then(|parent| {
                ast::token::parenthesized_range(self.awaited.into(), parent, self.file.tokens())
            })
            .unwrap_or(self.awaited.range())
    }

    /// Whether the call can be evaluated before its statement without changing what happens when.
    fn can_be_bound_first(&self) -> Result<(), String> {
        let mut child = self.site.node;
        for ancestor in self.site.ancestors.iter().rev() {
            let moved_past = match ancestor {
                _ if ancestor.is_statement() => {
                    return match ancestor {
                        AnyNodeRef::StmtWhile(_) => {
                            Err("the call is evaluated again in every turn of the loop".to_owned())
                        }
                        AnyNodeRef::StmtAssert(_) => {
                            Err("the call is only evaluated where assertions are on".to_owned())
                        }
                        AnyNodeRef::StmtIf(_)
                        | AnyNodeRef::StmtFor(_)
                        | AnyNodeRef::StmtReturn(_)
                        | AnyNodeRef::StmtAssign(_)
                        | AnyNodeRef::StmtAnnAssign(_)
                        | AnyNodeRef::StmtExpr(_) => Ok(()),
                        _ => Err("the call is part of a larger statement".to_owned()),
                    };
                }
                AnyNodeRef::ExprCall(call) => {
                    is_plain(&call.func)
                        && call
                            .arguments
                            .iter_source_order()
                            .take_while(|argument| argument.end() <= self.site.node.start())
                            .all(|argument| is_plain(argument.value()))
                }
                AnyNodeRef::Arguments(_)
                | AnyNodeRef::Keyword(_)
                | AnyNodeRef::ExprStarred(_)
                | AnyNodeRef::ExprAttribute(_) => true,
                AnyNodeRef::ExprSubscript(subscript) => {
                    subscript.value.range().contains_range(child.range())
                }
                AnyNodeRef::ExprTuple(ast::ExprTuple { elts, .. })
                | AnyNodeRef::ExprList(ast::ExprList { elts, .. }) => elts
                    .iter()
                    .take_while(|elt| elt.end() <= self.site.node.start())
                    .all(is_plain),
                AnyNodeRef::Comprehension(comprehension) => {
                    comprehension.iter.range().contains_range(child.range())
                }
                AnyNodeRef::ExprListComp(ast::ExprListComp { generators, .. })
                | AnyNodeRef::ExprSetComp(ast::ExprSetComp { generators, .. })
                | AnyNodeRef::ExprDictComp(ast::ExprDictComp { generators, .. })
                | AnyNodeRef::ExprGenerator(ast::ExprGenerator { generators, .. }) => generators
                    .first()
                    .is_some_and(|first| first.range() == child.range()),
                _ => false,
            };
            if !moved_past {
                return Err("the call is part of a larger expression".to_owned());
            }
            child = *ancestor;
        }
        Err("the call is part of a larger expression".to_owned())
    }
}

/// Whether evaluating an expression has no effect and does not depend on when it happens.
fn is_plain(expr: &Expr) -> bool {
    match expr {
        Expr::Name(_)
        | Expr::StringLiteral(_)
        | Expr::BytesLiteral(_)
        | Expr::NumberLiteral(_)
        | Expr::BooleanLiteral(_)
        | Expr::NoneLiteral(_) => true,
        Expr::Attribute(attribute) => is_plain(&attribute.value),
        _ => false,
    }
}

/// Whether a local name of a function with this body is more than a local variable: declared
/// `global` or `nonlocal`, or used by a function or class inside.
fn is_shared(body: &[Stmt], name: &str) -> bool {
    struct Search<'n> {
        name: &'n str,
        inside: usize,
        found: bool,
    }
    impl<'a> SourceOrderVisitor<'a> for Search<'_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            match node {
                AnyNodeRef::StmtGlobal(ast::StmtGlobal { names, .. })
                | AnyNodeRef::StmtNonlocal(ast::StmtNonlocal { names, .. }) => {
                    self.found |= names.iter().any(|other| other.as_str() == self.name);
                }
                AnyNodeRef::StmtFunctionDef(_)
                | AnyNodeRef::StmtClassDef(_)
                | AnyNodeRef::ExprLambda(_) => self.inside += 1,
                AnyNodeRef::ExprName(other) => {
                    self.found |= self.inside > 0 && other.id == self.name;
                }
                _ => {}
            }
            TraversalSignal::Traverse
        }

        fn leave_node(&mut self, node: AnyNodeRef<'a>) {
            if matches!(
                node,
                AnyNodeRef::StmtFunctionDef(_)
                    | AnyNodeRef::StmtClassDef(_)
                    | AnyNodeRef::ExprLambda(_)
            ) {
                self.inside -= 1;
            }
        }
    }
    let mut search = Search {
        name,
        inside: 0,
        found: false,
    };
    search.visit_body(body);
    search.found
}

/// The names that members go by.
#[derive(Default)]
struct MemberNames<'a>(Vec<&'a str>);

impl<'a> SourceOrderVisitor<'a> for MemberNames<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::ExprName(name) => self.0.push(&name.id),
            AnyNodeRef::ExprAttribute(attribute) => self.0.push(&attribute.attr),
            // What a call is given is no member.
            AnyNodeRef::ExprCall(_) => return TraversalSignal::Skip,
            _ => {}
        }
        TraversalSignal::Traverse
    }
}

impl MemberNames<'_> {
    /// Whether a statement cancels one of the members: `t.cancel()`, alone or in a loop over them,
    /// or a helper with `cancel` in its name that is given them.
    fn are_cancelled_by(&self, statement: &Stmt) -> bool {
        struct Mentions<'n> {
            names: &'n [&'n str],
            member: bool,
            cancel: bool,
            /// A function with `cancel` in its name, such as `self.cancel_all()`.
            helper: bool,
        }
        impl<'a> SourceOrderVisitor<'a> for Mentions<'_> {
            fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
                match node {
                    AnyNodeRef::ExprName(name) => {
                        self.member |= self.names.contains(&name.id.as_str());
                        self.helper |= name.id.contains("cancel");
                    }
                    AnyNodeRef::ExprAttribute(attribute) => {
                        self.member |= self.names.contains(&attribute.attr.as_str())
                            || attribute.attr.as_str() == "all_tasks";
                        match attribute.attr.as_str() {
                            "cancel" => self.cancel = true,
                            name => self.helper |= name.contains("cancel"),
                        }
                    }
                    _ => {}
                }
                TraversalSignal::Traverse
            }
        }
        let mut mentions = Mentions {
            names: &self.0,
            member: false,
            cancel: false,
            helper: false,
        };
        mentions.visit_stmt(statement);
        mentions.helper || mentions.member && mentions.cancel
    }
}

/// Whether a coroutine gives exceptions back as values, itself or by what it returns the value of.
fn returns_exceptions(semantics: &Semantics<'_>, callee: &Expr, depth: usize) -> bool {
    let Some(function) = semantics.function_in_sight(callee) else {
        return false;
    };
    let Some(node) = function.node(semantics.db()) else {
        return false;
    };
    let mut search = ReturnedExceptions {
        caught: Vec::new(),
        awaited: Vec::new(),
        found: false,
    };
    search.visit_body(&node.body);
    search.found
        || depth > 0 && {
            let own = semantics.of_function(&function);
            search
                .awaited
                .iter()
                .any(|callee| returns_exceptions(&own, callee, depth - 1))
        }
}

struct ReturnedExceptions<'a> {
    caught: Vec<&'a str>,
    /// What is called by `return await …`.
    awaited: Vec<&'a Expr>,
    found: bool,
}

impl<'a> SourceOrderVisitor<'a> for ReturnedExceptions<'a> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::ExceptHandlerExceptHandler(handler) => {
                self.caught.extend(
                    handler
                        .name
                        .as_ref()
                        .map(ruff_python_ast::Identifier::as_str),
                );
            }
            AnyNodeRef::StmtReturn(statement) => match statement.value.as_deref() {
                Some(Expr::Name(name)) => {
                    self.found |= self.caught.contains(&name.id.as_str());
                }
                Some(Expr::Await(awaited)) => {
                    if let Expr::Call(call) = &*awaited.value {
                        self.awaited.push(&call.func);
                    }
                }
                _ => {}
            },
            AnyNodeRef::StmtFunctionDef(_) | AnyNodeRef::StmtClassDef(_) => {
                return TraversalSignal::Skip;
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }
}
