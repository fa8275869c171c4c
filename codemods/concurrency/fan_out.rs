//! The shapes in which code starts one coroutine for each of many things.

use asyncfix_analysis::answers::coroutines;
use asyncfix_analysis::answers::timeouts::is_timeout;
use asyncfix_analysis::resolve::semantics::contains;
use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::Site;
use ruff_python_ast::visitor::source_order::{
    SourceOrderVisitor, TraversalSignal, walk_expr, walk_stmt,
};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, ExprContext, Stmt};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::FxHashSet;

const GATHER: &[&str] = &["asyncio.gather"];
const WAIT: &[&str] = &["asyncio.wait"];
const AS_COMPLETED: &[&str] = &["asyncio.as_completed"];
const GROUP: &[&str] = &["asyncio.TaskGroup"];
const COLLECTIONS: &[&str] = &["builtins.list", "builtins.set", "builtins.tuple"];
const MAP: &[&str] = &["builtins.map"];

/// Tells whether an expression means, or is only spelled like, one of some dotted paths.
type Means<'m> = &'m dyn Fn(&Expr, &[&str]) -> bool;

/// One place where a coroutine is made for each of many things, and given to something that runs
/// all of them at once.
pub struct FanOut<'s, 'a> {
    /// What is made each time.
    pub element: Element<'a>,
    /// The loops it is made in.
    pub turns: Vec<Turn<'a>>,
    /// The statement that holds all of it.
    pub statement: Site<'s, 'a>,
    /// The list they are put in before they are run, if they are.
    pub list: Option<&'a str>,
    /// What runs them.
    pub takers: Takers<'a>,
    /// The names that mean something else in each turn.
    pub bound: FxHashSet<&'a str>,
}

/// What is made in each turn.
#[derive(Debug, Clone, Copy)]
pub enum Element<'a> {
    /// The value of this call: a coroutine, or a task.
    Call(&'a ast::ExprCall),
    /// What the function gives for each turn of `map`.
    Mapped(&'a ast::ExprCall),
}

/// One loop around the element.
#[derive(Debug, Clone, Copy)]
pub struct Turn<'a> {
    /// What is iterated over.
    pub iter: &'a Expr,
    /// Whether it is iterated over asynchronously.
    pub is_async: bool,
    /// Whether something may be left out.
    pub is_filtered: bool,
}

/// What the code does with the awaitables once they are made.
#[derive(Debug, Default)]
pub struct Takers<'a> {
    /// The calls that are given them.
    pub calls: Vec<Taker<'a>>,
    /// Whether each of them is awaited in a loop, as tasks can be.
    pub are_awaited_one_by_one: bool,
    /// Whether anything else is done with them, so that it matters whether they are tasks.
    pub have_other_uses: bool,
    /// Whether a task group takes them.
    pub is_group: bool,
    /// How many names their results are unpacked to.
    pub unpacked: Option<usize>,
}

/// A call that runs awaitables.
#[derive(Debug, Clone, Copy)]
pub struct Taker<'a> {
    /// The call.
    pub call: &'a ast::ExprCall,
    /// Which one it is.
    pub kind: Kind,
    /// Whether all of them together have only so much time.
    pub is_timed: bool,
}

/// A function that runs awaitables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `asyncio.gather`
    Gather,
    /// `asyncio.wait`
    Wait,
    /// `asyncio.as_completed`
    AsCompleted,
}

impl Taker<'_> {
    /// Why not all awaitables may have started when the call is over, if that can be.
    pub fn leaves_some(&self, body: &[Stmt]) -> Option<&'static str> {
        let keyword = |name: &str| self.call.arguments.find_keyword(name).map(|k| &k.value);
        let has_timeout = keyword("timeout").is_some_and(|value| !value.is_none_literal_expr());
        match self.kind {
            _ if self.is_timed || has_timeout => {
                Some("they share a timeout, and the last ones would start late")
            }
            Kind::Gather => None,
            Kind::Wait => keyword("return_when")
                .is_some_and(|value| last_name(value) != Some("ALL_COMPLETED"))
                .then_some("`wait` may return before the last ones have started"),
            Kind::AsCompleted => is_left_early(body, self.call)
                .then_some("the `as_completed` loop may stop before the last ones have started"),
        }
    }
}

impl<'s, 'a> FanOut<'s, 'a> {
    /// The one at `site`, if there is one, as far as `means` tells the names apart.
    pub fn at(site: &Site<'s, 'a>, means: Means<'_>) -> Option<Self> {
        match site.node {
            AnyNodeRef::ExprListComp(ast::ExprListComp {
                elt, generators, ..
            })
            | AnyNodeRef::ExprSetComp(ast::ExprSetComp {
                elt, generators, ..
            })
            | AnyNodeRef::ExprGenerator(ast::ExprGenerator {
                elt, generators, ..
            }) => Self::in_comprehension(site, elt, generators, means),
            AnyNodeRef::ExprCall(call) => {
                if let Expr::Attribute(method) = &*call.func {
                    match method.attr.as_str() {
                        "append" | "add" => Self::appended(site, call, &method.value, means),
                        "create_task" => Self::in_group(site, call, &method.value, means),
                        _ => None,
                    }
                } else if means(&call.func, MAP) {
                    Self::mapped(site, call, means)
                } else {
                    None
                }
            }
            _ => None,
        }
    }

    /// Whether the elements come from `map`.
    pub fn is_mapped(&self) -> bool {
        matches!(self.element, Element::Mapped(_))
    }

    /// Whether nothing is awaited between the first of them being made and all being run, so that
    /// none has started before.
    pub fn is_run_at_once(&self) -> bool {
        let ([taker], Some(place)) = (self.takers.calls.as_slice(), self.statement.place()) else {
            return false;
        };
        if contains(self.statement.node, taker.call) {
            return !awaits_in_turn(self.element) && self.turns.iter().all(|turn| !turn.is_async);
        }
        let behind = place.suite.get(place.index..).unwrap_or_default();
        let until = behind
            .iter()
            .position(|statement| contains(statement, taker.call));
        let Some((last, before)) = until
            .and_then(|until| behind.get(..=until))
            .and_then(<[Stmt]>::split_last)
        else {
            return false;
        };
        let is_simple = matches!(
            last,
            Stmt::Expr(_) | Stmt::Assign(_) | Stmt::AnnAssign(_) | Stmt::Return(_)
        );
        is_simple && !before.iter().any(coroutines::awaits)
    }

    fn in_comprehension(
        site: &Site<'s, 'a>,
        element: &'a Expr,
        generators: &'a [ast::Comprehension],
        means: Means<'_>,
    ) -> Option<Self> {
        let Expr::Call(call) = element else {
            return None;
        };
        let turns = generators.iter().map(Turn::of_comprehension).collect();
        Self::held(site, Element::Call(call), turns, means)
    }

    fn mapped(site: &Site<'s, 'a>, call: &'a ast::ExprCall, means: Means<'_>) -> Option<Self> {
        let (_, iterables) = call.arguments.args.split_first()?;
        if !call.arguments.keywords.is_empty() || iterables.iter().any(Expr::is_starred_expr) {
            return None;
        }
        let turns = iterables.iter().map(Turn::over).collect();
        Self::held(site, Element::Mapped(call), turns, means)
    }

    /// One whose awaitables are an expression: given to a call, or put in a list as a whole.
    fn held(
        site: &Site<'s, 'a>,
        element: Element<'a>,
        mut turns: Vec<Turn<'a>>,
        means: Means<'_>,
    ) -> Option<Self> {
        let body = body_around(site)?;
        let holder = Holder::of(site, means)?;
        let mut statement = site.statement()?;
        let mut bound = FxHashSet::default();
        for ancestor in site.ancestors.iter().chain([&site.node]) {
            if ancestor.is_expression() && contains(statement.node, *ancestor) {
                bind_comprehension(*ancestor, &mut bound);
            }
        }
        bind_all(site.node, &mut bound);
        let (list, takers) = match holder {
            Holder::Taker(taker) => (None, Takers::find(body, Wanted::Call(taker), means)),
            Holder::List(name) => (Some(name), Takers::find(body, Wanted::List(name), means)),
            Holder::More(name) => {
                let takers = Takers::find(body, Wanted::List(name), means);
                // Loops around fill the same list.
                let filling = Filling::of(site, name)?;
                if let Some(outermost) = filling.outermost {
                    if takers.are_in(outermost) {
                        return None;
                    }
                    turns.extend(filling.turns);
                    bind_all(outermost, &mut bound);
                    statement = around(site, outermost)?;
                }
                (Some(name), takers)
            }
        };
        takers.is_any().then_some(Self {
            element,
            turns,
            statement,
            list,
            takers,
            bound,
        })
    }

    /// `tasks.append(work(item))` in a loop.
    fn appended(
        site: &Site<'s, 'a>,
        call: &'a ast::ExprCall,
        receiver: &'a Expr,
        means: Means<'_>,
    ) -> Option<Self> {
        let (Expr::Name(list), [value]) = (receiver, &*call.arguments.args) else {
            return None;
        };
        if !matches!(site.parent(), Some(AnyNodeRef::StmtExpr(_))) {
            return None;
        }
        let body = body_around(site)?;
        let Filling { turns, outermost } = Filling::of(site, &list.id)?;
        let outermost = outermost?;
        let mut is_used = false;
        let element = match value {
            Expr::Call(element) => element,
            Expr::Name(name) => {
                is_used = loads(outermost, &name.id) > 1;
                assigned_before(site, &name.id)?
            }
            _ => return None,
        };
        let mut takers = Takers::find(body, Wanted::List(&list.id), means);
        takers.have_other_uses |= is_used;
        if !takers.is_any() || takers.are_in(outermost) {
            return None;
        }
        let mut bound = FxHashSet::default();
        bind_all(outermost, &mut bound);
        let statement = around(site, outermost)?;
        Some(Self {
            element: Element::Call(element),
            turns,
            statement,
            list: Some(&list.id),
            takers,
            bound,
        })
    }

    /// `tg.create_task(work(item))` in a loop inside `async with asyncio.TaskGroup() as tg:`.
    fn in_group(
        site: &Site<'s, 'a>,
        call: &'a ast::ExprCall,
        receiver: &'a Expr,
        means: Means<'_>,
    ) -> Option<Self> {
        let (Expr::Name(group), Some(Expr::Call(_))) = (receiver, call.arguments.args.first())
        else {
            return None;
        };
        let mut turns = Vec::new();
        let mut bound = FxHashSet::default();
        let mut outermost = None;
        let mut is_filtered = false;
        let mut is_in_group = false;
        for (node, child) in site.enclosing_in_function() {
            match node {
                AnyNodeRef::ExprListComp(ast::ExprListComp { generators, .. })
                | AnyNodeRef::ExprSetComp(ast::ExprSetComp { generators, .. })
                | AnyNodeRef::ExprGenerator(ast::ExprGenerator { generators, .. })
                | AnyNodeRef::ExprDictComp(ast::ExprDictComp { generators, .. }) => {
                    turns.extend(generators.iter().map(Turn::of_comprehension));
                    bind_all(node, &mut bound);
                }
                AnyNodeRef::StmtFor(inner) => {
                    if !inner.body.iter().any(|inner| contains(inner, child)) {
                        return None;
                    }
                    is_filtered |= skips(&inner.body);
                    turns.push(Turn {
                        iter: &inner.iter,
                        is_async: inner.is_async,
                        is_filtered,
                    });
                    outermost = Some(node);
                }
                AnyNodeRef::StmtWhile(_) => return None,
                AnyNodeRef::StmtIf(_) | AnyNodeRef::StmtTry(_) | AnyNodeRef::StmtMatch(_) => {
                    is_filtered = true;
                }
                AnyNodeRef::StmtWith(with) => {
                    is_in_group = with.items.iter().any(|item| {
                        matches!(item.optional_vars.as_deref(),
                            Some(Expr::Name(name)) if name.id == group.id)
                            && matches!(&item.context_expr,
                                Expr::Call(call) if means(&call.func, GROUP))
                    });
                    if is_in_group {
                        break;
                    }
                }
                _ => {}
            }
        }
        if !is_in_group || turns.is_empty() {
            return None;
        }
        let mut statement = site.statement()?;
        if let Some(outermost) = outermost {
            bind_all(outermost, &mut bound);
            statement = around(site, outermost)?;
        }
        Some(Self {
            element: Element::Call(call),
            turns,
            statement,
            list: None,
            takers: Takers {
                is_group: true,
                have_other_uses: true,
                ..Takers::default()
            },
            bound,
        })
    }
}

impl<'a> Turn<'a> {
    fn over(iter: &'a Expr) -> Self {
        Self {
            iter,
            is_async: false,
            is_filtered: false,
        }
    }

    fn of_comprehension(comprehension: &'a ast::Comprehension) -> Self {
        Self {
            iter: &comprehension.iter,
            is_async: comprehension.is_async,
            is_filtered: !comprehension.ifs.is_empty(),
        }
    }
}

/// Where the awaitables of an expression go.
enum Holder<'a> {
    /// To the call that runs them.
    Taker(&'a ast::ExprCall),
    /// To a list of this name that holds nothing else.
    List(&'a str),
    /// To a list of this name that is there already.
    More(&'a str),
}

impl<'a> Holder<'a> {
    fn of(site: &Site<'_, 'a>, means: Means<'_>) -> Option<Self> {
        let mut site = *site;
        let mut is_starred = false;
        loop {
            let range = site.node.range();
            let is_it = |expr: &Expr| expr.range() == range;
            match site.parent()? {
                AnyNodeRef::ExprStarred(_) => {
                    is_starred = true;
                    site = site.outer()?;
                }
                AnyNodeRef::Arguments(_) => {
                    site = site.outer()?;
                    let Some(AnyNodeRef::ExprCall(call)) = site.parent() else {
                        return None;
                    };
                    let is_first = call.arguments.args.first().is_some_and(is_it);
                    if is_starred {
                        return means(&call.func, GATHER).then_some(Self::Taker(call));
                    }
                    if !is_first {
                        return None;
                    }
                    if means(&call.func, WAIT) || means(&call.func, AS_COMPLETED) {
                        return Some(Self::Taker(call));
                    }
                    if let Expr::Attribute(method) = &*call.func
                        && matches!(method.attr.as_str(), "extend" | "update")
                        && let Expr::Name(list) = &*method.value
                    {
                        return Some(Self::More(&list.id));
                    }
                    if !means(&call.func, COLLECTIONS) {
                        return None;
                    }
                    site = site.outer()?;
                }
                AnyNodeRef::StmtAssign(assign) if !is_starred => {
                    return match assign.targets.as_slice() {
                        [Expr::Name(name)] => Some(Self::List(&name.id)),
                        _ => None,
                    };
                }
                AnyNodeRef::StmtAugAssign(assign) if !is_starred => {
                    return match &*assign.target {
                        Expr::Name(name) => Some(Self::More(&name.id)),
                        _ => None,
                    };
                }
                AnyNodeRef::StmtAnnAssign(ast::StmtAnnAssign { target, .. })
                | AnyNodeRef::ExprNamed(ast::ExprNamed { target, .. })
                    if !is_starred =>
                {
                    return match &**target {
                        Expr::Name(name) => Some(Self::List(&name.id)),
                        _ => None,
                    };
                }
                _ => return None,
            }
        }
    }
}

/// The loops around a statement that put more and more in one list.
struct Filling<'a> {
    turns: Vec<Turn<'a>>,
    outermost: Option<AnyNodeRef<'a>>,
}

impl<'a> Filling<'a> {
    /// Those around `site` that do not begin the list anew. `None` where a loop without an end in
    /// sight fills it.
    fn of(site: &Site<'_, 'a>, list: &str) -> Option<Self> {
        let mut filling = Self {
            turns: Vec::new(),
            outermost: None,
        };
        let mut is_filtered = false;
        for (node, child) in site.enclosing_in_function() {
            match node {
                AnyNodeRef::StmtFor(inner) => {
                    let in_body = inner.body.iter().any(|inner| contains(inner, child));
                    if !in_body || begins(&inner.body, list) {
                        break;
                    }
                    is_filtered |= skips(&inner.body);
                    filling.turns.push(Turn {
                        iter: &inner.iter,
                        is_async: inner.is_async,
                        is_filtered,
                    });
                    filling.outermost = Some(node);
                }
                // A list that is filled and emptied by turns is somebody's own way to limit.
                AnyNodeRef::StmtWhile(inner) => {
                    if !begins(&inner.body, list) {
                        return None;
                    }
                    break;
                }
                AnyNodeRef::StmtIf(_)
                | AnyNodeRef::StmtTry(_)
                | AnyNodeRef::StmtMatch(_)
                | AnyNodeRef::ExceptHandlerExceptHandler(_) => is_filtered = true,
                _ => {}
            }
        }
        Some(filling)
    }
}

/// The node `outer`, as a place around `site`.
fn around<'s, 'a>(site: &Site<'s, 'a>, outer: AnyNodeRef<'a>) -> Option<Site<'s, 'a>> {
    let mut site = *site;
    while site.node.range() != outer.range() {
        site = site.outer()?;
    }
    Some(site)
}

/// What [`Takers::find`] looks for.
#[derive(Clone, Copy)]
enum Wanted<'a> {
    /// This call.
    Call(&'a ast::ExprCall),
    /// Whatever takes the elements of the list with this name.
    List(&'a str),
}

impl<'a> Takers<'a> {
    fn find(body: &'a [Stmt], wanted: Wanted<'a>, means: Means<'_>) -> Self {
        let mut search = TakerSearch {
            wanted,
            means,
            timed: 0,
            unpacked: None,
            found: Self::default(),
        };
        search.visit_body(body);
        search.found
    }

    fn is_any(&self) -> bool {
        !self.calls.is_empty() || self.are_awaited_one_by_one
    }

    /// Whether one of the calls stands in `node`.
    fn are_in(&self, node: AnyNodeRef<'a>) -> bool {
        self.calls.iter().any(|taker| contains(node, taker.call))
    }

    /// Whether all that happens to the awaitables is that `gather` runs them.
    pub fn are_gathered(&self) -> bool {
        !self.is_group
            && !self.have_other_uses
            && !self.are_awaited_one_by_one
            && matches!(self.calls.as_slice(), [taker] if taker.kind == Kind::Gather)
    }
}

struct TakerSearch<'m, 'a> {
    wanted: Wanted<'a>,
    means: Means<'m>,
    /// How many time limits stand around.
    timed: usize,
    /// The call whose results are unpacked, and to how many names.
    unpacked: Option<(TextRange, usize)>,
    found: Takers<'a>,
}

impl<'a> TakerSearch<'_, 'a> {
    fn is_list(&self, expr: &Expr) -> bool {
        matches!((self.wanted, expr), (Wanted::List(list), Expr::Name(name)) if name.id == list)
    }

    fn kind(&self, call: &ast::ExprCall) -> Option<Kind> {
        if (self.means)(&call.func, GATHER) {
            Some(Kind::Gather)
        } else if (self.means)(&call.func, WAIT) {
            Some(Kind::Wait)
        } else if (self.means)(&call.func, AS_COMPLETED) {
            Some(Kind::AsCompleted)
        } else {
            None
        }
    }

    fn take(&mut self, call: &'a ast::ExprCall) {
        let is_wanted = match self.wanted {
            Wanted::Call(wanted) => wanted.range() == call.range(),
            Wanted::List(_) => call.arguments.args.iter().any(|argument| match argument {
                Expr::Starred(starred) => self.is_list(&starred.value),
                other => self.is_list(other),
            }),
        };
        if is_wanted && let Some(kind) = self.kind(call) {
            self.found.unpacked = self
                .unpacked
                .filter(|(range, _)| kind == Kind::Gather && *range == call.range())
                .map(|(_, count)| count);
            self.found.calls.push(Taker {
                call,
                kind,
                is_timed: self.timed > 0,
            });
        }
    }

    /// Whether an argument of `call` is the list, given to run its elements or to add to it.
    fn is_plain_use(&self, call: &ast::ExprCall) -> bool {
        self.kind(call).is_some()
            && call.arguments.args.iter().any(|argument| match argument {
                Expr::Starred(starred) => self.is_list(&starred.value),
                other => self.is_list(other),
            })
    }
}

impl<'a> SourceOrderVisitor<'a> for TakerSearch<'_, 'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::With(with) => {
                let timed = with
                    .items
                    .iter()
                    .filter(|item| is_timeout(&item.context_expr))
                    .count();
                self.timed += timed;
                walk_stmt(self, statement);
                self.timed -= timed;
            }
            // An annotation says what the list holds.
            Stmt::AnnAssign(assign) if self.is_list(&assign.target) => {
                self.found.have_other_uses = true;
                walk_stmt(self, statement);
            }
            Stmt::Assign(assign) => {
                if let [
                    Expr::Tuple(ast::ExprTuple { elts, .. })
                    | Expr::List(ast::ExprList { elts, .. }),
                ] = assign.targets.as_slice()
                    && let Expr::Await(awaited) = &*assign.value
                    && !elts.iter().any(Expr::is_starred_expr)
                {
                    self.unpacked = Some((awaited.value.range(), elts.len()));
                }
                walk_stmt(self, statement);
            }
            Stmt::For(inner) if self.is_list(&inner.iter) => {
                if let Expr::Name(element) = &*inner.target
                    && awaits_name(&inner.body, &element.id)
                {
                    self.found.are_awaited_one_by_one = true;
                }
                self.found.have_other_uses = true;
                self.visit_body(&inner.body);
                self.visit_body(&inner.orelse);
            }
            _ => walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Call(call) => {
                self.take(call);
                let is_timed = last_name(&call.func) == Some("wait_for");
                self.timed += usize::from(is_timed);
                let adds = matches!(&*call.func, Expr::Attribute(method)
                    if matches!(method.attr.as_str(), "append" | "add" | "extend" | "update")
                        && self.is_list(&method.value));
                if self.is_plain_use(call) {
                    for keyword in &call.arguments.keywords {
                        self.visit_expr(&keyword.value);
                    }
                } else if adds {
                    for argument in &call.arguments.args {
                        self.visit_expr(argument);
                    }
                } else {
                    walk_expr(self, expr);
                }
                self.timed -= usize::from(is_timed);
            }
            Expr::ListComp(ast::ExprListComp {
                elt, generators, ..
            }) => {
                if let (Expr::Await(awaited), [only]) = (&**elt, generators.as_slice())
                    && self.is_list(&only.iter)
                    && matches!((&*awaited.value, &only.target),
                        (Expr::Name(one), Expr::Name(other)) if one.id == other.id)
                {
                    self.found.are_awaited_one_by_one = true;
                }
                walk_expr(self, expr);
            }
            Expr::Name(name) if name.ctx == ExprContext::Load => {
                self.found.have_other_uses |= self.is_list(expr);
            }
            _ => walk_expr(self, expr),
        }
    }
}

/// The statements of the function a site is part of, or of the module; `None` in a lambda.
pub fn body_around<'a>(site: &Site<'_, 'a>) -> Option<&'a [Stmt]> {
    for ancestor in site.ancestors.iter().rev() {
        match ancestor {
            AnyNodeRef::StmtFunctionDef(function) => return Some(&function.body),
            AnyNodeRef::ExprLambda(_) => return None,
            AnyNodeRef::ModModule(module) => return Some(&module.body),
            _ => {}
        }
    }
    None
}

/// Whether a loop over `as_completed`, given by its call, may be left before it is over. The call
/// may also be the iterable of something that is not seen.
fn is_left_early(body: &[Stmt], call: &ast::ExprCall) -> bool {
    struct Loops {
        iter: TextRange,
        is_left: Option<bool>,
    }
    impl<'a> SourceOrderVisitor<'a> for Loops {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            match node {
                AnyNodeRef::StmtFor(inner) if inner.iter.range() == self.iter => {
                    self.is_left = Some(coroutines::leaves_loop(&inner.body));
                }
                AnyNodeRef::Comprehension(inner) if inner.iter.range() == self.iter => {
                    self.is_left = Some(false);
                }
                _ => {}
            }
            TraversalSignal::Traverse
        }
    }
    let mut loops = Loops {
        iter: call.range(),
        is_left: None,
    };
    loops.visit_body(body);
    loops.is_left.unwrap_or(true)
}

/// Whether statements give the list with this name a new beginning.
fn begins(body: &[Stmt], name: &str) -> bool {
    struct Begins<'n> {
        name: &'n str,
        found: bool,
    }
    impl Begins<'_> {
        fn is_it(&self, expr: &Expr) -> bool {
            matches!(expr, Expr::Name(name) if name.id == self.name)
        }
    }
    impl<'a> SourceOrderVisitor<'a> for Begins<'_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.found |= match node {
                // What is left over of it, as in `done, pending = …`, is no new one.
                AnyNodeRef::StmtAssign(assign) => {
                    assign.targets.iter().any(|target| self.is_it(target))
                }
                AnyNodeRef::StmtAnnAssign(assign) => self.is_it(&assign.target),
                AnyNodeRef::ExprCall(call) => matches!(&*call.func, Expr::Attribute(method)
                    if method.attr.as_str() == "clear" && self.is_it(&method.value)),
                _ => false,
            };
            if node.is_stmt_function_def() || node.is_stmt_class_def() {
                TraversalSignal::Skip
            } else {
                TraversalSignal::Traverse
            }
        }
    }
    let mut search = Begins { name, found: false };
    search.visit_body(body);
    search.found
}

/// Whether a turn of a loop with this body may end early, or the loop with it.
fn skips(body: &[Stmt]) -> bool {
    struct Skips(bool);
    impl<'a> SourceOrderVisitor<'a> for Skips {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.0 |= matches!(
                node,
                AnyNodeRef::StmtBreak(_) | AnyNodeRef::StmtContinue(_) | AnyNodeRef::StmtReturn(_)
            );
            if node.is_expression() {
                TraversalSignal::Skip
            } else {
                TraversalSignal::Traverse
            }
        }
    }
    let mut search = Skips(false);
    search.visit_body(body);
    search.0
}

/// How often `name` is read in a node.
fn loads(node: AnyNodeRef<'_>, name: &str) -> usize {
    struct Loads<'n> {
        name: &'n str,
        count: usize,
    }
    impl<'a> SourceOrderVisitor<'a> for Loads<'_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let AnyNodeRef::ExprName(other) = node
                && other.ctx != ExprContext::Store
                && other.id == self.name
            {
                self.count += 1;
            }
            TraversalSignal::Traverse
        }
    }
    let mut search = Loads { name, count: 0 };
    node.visit_source_order(&mut search);
    search.count
}

/// The call whose value `name` was given, by a statement before the one at `site` in its suite.
fn assigned_before<'a>(site: &Site<'_, 'a>, name: &str) -> Option<&'a ast::ExprCall> {
    let place = site.place()?;
    let before = place.suite.get(..place.index)?;
    before.iter().rev().find_map(|statement| match statement {
        Stmt::Assign(assign) => match (assign.targets.as_slice(), &*assign.value) {
            ([Expr::Name(target)], Expr::Call(call)) if target.id == name => Some(call),
            _ => None,
        },
        _ => None,
    })
}

/// Whether making one of the elements awaits something.
fn awaits_in_turn(element: Element<'_>) -> bool {
    struct Awaits(bool);
    impl<'a> SourceOrderVisitor<'a> for Awaits {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.0 |= node.is_expr_await();
            TraversalSignal::Traverse
        }
    }
    let (Element::Call(call) | Element::Mapped(call)) = element;
    let mut search = Awaits(false);
    AnyNodeRef::from(call).visit_source_order(&mut search);
    search.0
}

fn awaits_name(body: &[Stmt], name: &str) -> bool {
    struct Awaits<'n> {
        name: &'n str,
        found: bool,
    }
    impl<'a> SourceOrderVisitor<'a> for Awaits<'_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            if let AnyNodeRef::ExprAwait(awaited) = node {
                self.found |= matches!(&*awaited.value, Expr::Name(other) if other.id == self.name);
            }
            TraversalSignal::Traverse
        }
    }
    let mut search = Awaits { name, found: false };
    search.visit_body(body);
    search.found
}

/// The names that a comprehension gives to its elements.
fn bind_comprehension<'a>(node: AnyNodeRef<'a>, bound: &mut FxHashSet<&'a str>) {
    let (AnyNodeRef::ExprListComp(ast::ExprListComp { generators, .. })
    | AnyNodeRef::ExprSetComp(ast::ExprSetComp { generators, .. })
    | AnyNodeRef::ExprGenerator(ast::ExprGenerator { generators, .. })
    | AnyNodeRef::ExprDictComp(ast::ExprDictComp { generators, .. })) = node
    else {
        return;
    };
    for comprehension in generators {
        bind_all(AnyNodeRef::from(&comprehension.target), bound);
    }
}

/// The names that a node binds, anywhere in it.
fn bind_all<'a>(node: AnyNodeRef<'a>, bound: &mut FxHashSet<&'a str>) {
    struct Bound<'b, 'a>(&'b mut FxHashSet<&'a str>);
    impl<'a> SourceOrderVisitor<'a> for Bound<'_, 'a> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            match node {
                AnyNodeRef::ExprName(name) if name.ctx == ExprContext::Store => {
                    self.0.insert(&name.id);
                }
                AnyNodeRef::StmtFunctionDef(function) => {
                    self.0.insert(&function.name);
                }
                AnyNodeRef::Alias(alias) => {
                    let name = alias.asname.as_ref().unwrap_or(&alias.name);
                    self.0.insert(name.split('.').next().unwrap_or_default());
                }
                AnyNodeRef::ExceptHandlerExceptHandler(handler) => {
                    self.0
                        .extend(handler.name.as_ref().map(ast::Identifier::as_str));
                }
                AnyNodeRef::PatternMatchAs(pattern) => {
                    self.0
                        .extend(pattern.name.as_ref().map(ast::Identifier::as_str));
                }
                AnyNodeRef::PatternMatchStar(pattern) => {
                    self.0
                        .extend(pattern.name.as_ref().map(ast::Identifier::as_str));
                }
                _ => {}
            }
            TraversalSignal::Traverse
        }
    }
    let mut search = Bound(bound);
    if let AnyNodeRef::ExprName(name) = node {
        search.0.insert(&name.id);
    }
    node.visit_source_order(&mut search);
}
