//! What takes the coroutines that a loop makes.

use asyncfix_analysis::answers::timeouts::is_timeout;
use asyncfix_analysis::facts::loops;
use asyncfix_analysis::resolve::semantics::contains;
use asyncfix_syntax::queries::last_name;
use ruff_python_ast::visitor::source_order::{
    SourceOrderVisitor, TraversalSignal, walk_expr, walk_stmt,
};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, ExprContext, Stmt};
use ruff_text_size::{Ranged, TextRange};

use crate::concurrency::fan_out::{AS_COMPLETED, GATHER, Means, WAIT, awaits_name};
use crate::concurrency::lists::ListName;

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

/// What [`Takers::find`] looks for.
#[derive(Clone, Copy)]
pub(crate) enum Wanted<'a> {
    /// This call.
    Call(&'a ast::ExprCall),
    /// Whatever takes the elements of the list with this name.
    List(ListName<'a>),
}

impl<'a> Takers<'a> {
    pub(crate) fn find(body: &'a [Stmt], wanted: Wanted<'a>, means: Means<'_>) -> Self {
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

    pub(crate) fn is_any(&self) -> bool {
        !self.calls.is_empty() || self.are_awaited_one_by_one
    }

    /// Whether one of the calls stands in `node`.
    pub(crate) fn are_in(&self, node: AnyNodeRef<'a>) -> bool {
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
        let Wanted::List(list) = self.wanted else {
            return false;
        };
        match expr {
            expr if list.is(expr) => true,
            // Those of a dictionary.
            Expr::Call(call) if call.arguments.is_empty() => matches!(&*call.func,
                Expr::Attribute(view)
                    if matches!(view.attr.as_str(), "values" | "items")
                        && list.is(&view.value)),
            _ => false,
        }
    }

    fn kind(&self, call: &ast::ExprCall) -> Option<Kind> {
        if (self.means)(&call.func, &GATHER) {
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
                if let Some(element) = element_of(&inner.target)
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
            })
            | Expr::DictComp(ast::ExprDictComp {
                value: elt,
                generators,
                ..
            }) => {
                if let (Expr::Await(awaited), [only]) = (&**elt, generators.as_slice())
                    && self.is_list(&only.iter)
                    && matches!((&*awaited.value, element_of(&only.target)),
                        (Expr::Name(one), Some(other)) if one.id == other.id)
                {
                    self.found.are_awaited_one_by_one = true;
                }
                walk_expr(self, expr);
            }
            Expr::Name(name) if name.ctx == ExprContext::Load => {
                self.found.have_other_uses |= self.is_list(expr);
            }
            // The object's other code may look at it.
            Expr::Attribute(_) if self.is_list(expr) => self.found.have_other_uses = true,
            _ => walk_expr(self, expr),
        }
    }
}

/// The name that a loop gives to each element: in one over the items of a dictionary, the second one.
fn element_of(target: &Expr) -> Option<&ast::ExprName> {
    match target {
        Expr::Name(name) => Some(name),
        Expr::Tuple(pair) => match pair.elts.as_slice() {
            [_, Expr::Name(value)] => Some(value),
            _ => None,
        },
        _ => None,
    }
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
                    self.is_left = Some(loops::leaves_loop(&inner.body));
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
pub(crate) fn begins(body: &[Stmt], name: ListName<'_>) -> bool {
    struct Begins<'n> {
        name: ListName<'n>,
        found: bool,
    }
    impl Begins<'_> {
        fn is_it(&self, expr: &Expr) -> bool {
            self.name.is(expr)
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
pub(crate) fn skips(body: &[Stmt]) -> bool {
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
