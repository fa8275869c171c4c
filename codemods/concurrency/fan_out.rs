//! The shapes in which code starts one coroutine for each of many things.

use std::sync::LazyLock;

use asyncfix_analysis::answers::coroutines;
use asyncfix_analysis::resolve::semantics::contains;
use asyncfix_knowledge::concurrency::TABLE;
use asyncfix_syntax::site::Site;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, ExprContext, Stmt};
use ruff_text_size::Ranged;
use rustc_hash::FxHashSet;

use crate::concurrency::holders::Holder;
use crate::concurrency::lists::{ListName, tasks_of};
use crate::concurrency::takers::{Takers, Wanted, skips};
use crate::concurrency::turns::{Filling, Turn, bind_all, bind_comprehension};

pub(crate) static GATHER: LazyLock<Vec<&str>> =
    LazyLock::new(|| TABLE.gathers.iter().map(String::as_str).collect());
pub(crate) const WAIT: &[&str] = &["asyncio.wait"];
pub(crate) const AS_COMPLETED: &[&str] = &["asyncio.as_completed"];
const GROUP: &[&str] = &["asyncio.TaskGroup"];
const MAP: &[&str] = &["builtins.map"];

/// Tells whether an expression means, or is only spelled like, one of some dotted paths.
pub(crate) type Means<'m> = &'m dyn Fn(&Expr, &[&str]) -> bool;

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
    pub list: Option<ListName<'a>>,
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
            AnyNodeRef::ExprDictComp(comprehension) => {
                let generators = &comprehension.generators;
                Self::in_comprehension(site, &comprehension.value, generators, means)
            }
            // `tasks[name] = asyncio.create_task(…)`
            AnyNodeRef::StmtAssign(assign) => match assign.targets.as_slice() {
                [Expr::Subscript(item)] => Self::put_in(site, &item.value, &assign.value, means),
                _ => None,
            },
            // `tasks += [work(item)]`
            AnyNodeRef::StmtAugAssign(assign) => match &*assign.value {
                Expr::List(list) => match list.elts.as_slice() {
                    [value] => Self::put_in(site, &assign.target, value, means),
                    _ => None,
                },
                _ => None,
            },
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
            Holder::List(name) => {
                let mut takers = Takers::find(body, Wanted::List(name), means);
                takers.have_other_uses |= name.is_attribute();
                if !takers.is_any()
                    && let Some(tasks) = tasks_of(body, name, means)
                {
                    takers = Takers::find(body, Wanted::List(tasks), means);
                    takers.have_other_uses = true;
                }
                (Some(name), takers)
            }
            Holder::More(name) => {
                let mut takers = Takers::find(body, Wanted::List(name), means);
                takers.have_other_uses |= name.is_attribute();
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
        let [value] = &*call.arguments.args else {
            return None;
        };
        if !matches!(site.parent(), Some(AnyNodeRef::StmtExpr(_))) {
            return None;
        }
        Self::put_in(site, receiver, value, means)
    }

    /// What a loop puts in a list or a dictionary, one after the other.
    fn put_in(
        site: &Site<'s, 'a>,
        collection: &'a Expr,
        value: &'a Expr,
        means: Means<'_>,
    ) -> Option<Self> {
        let list = ListName::of(collection)?;
        let body = body_around(site)?;
        let Filling { turns, outermost } = Filling::of(site, list)?;
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
        let mut takers = Takers::find(body, Wanted::List(list), means);
        takers.have_other_uses |= is_used || list.is_attribute();
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
            list: Some(list),
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

/// The node `outer`, as a place around `site`.
fn around<'s, 'a>(site: &Site<'s, 'a>, outer: AnyNodeRef<'a>) -> Option<Site<'s, 'a>> {
    let mut site = *site;
    while site.node.range() != outer.range() {
        site = site.outer()?;
    }
    Some(site)
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

pub(crate) fn awaits_name(body: &[Stmt], name: &str) -> bool {
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
