//! What a coroutine waits for with an event, a queue or a lock that it has made itself: nobody else has it, unless the
//! coroutine has given it to them.

use asyncfix_knowledge::endings::TABLE;
use asyncfix_syntax::queries::last_name;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr};
use ruff_text_size::{Ranged, TextRange, TextSize};
use rustc_hash::FxHashSet;

use super::Obstacle;
use super::items::is_same_place;
use super::look::Look;
use crate::resolve::semantics::{Semantics, contains};

impl Look<'_, '_> {
    /// What it says of a coroutine that it calls a method of its own event or queue.
    pub(super) fn meets_itself(&mut self, method: &ast::ExprAttribute, callee: &Expr) {
        let name = method.attr.as_str();
        let Some(by_others) = TABLE.met_by.get(name) else {
            return;
        };
        let mut search = Brought {
            semantics: self.semantics,
            object: &method.value,
            until: callee.start(),
            before: TABLE.met_before.get(name),
            by_others,
            is_inside: &|range| {
                self.function
                    .is_some_and(|function| contains(function, range))
            },
            found: false,
        };
        search.visit_body(self.body);
        if !search.found {
            self.doubt(Obstacle::Alone, callee);
        }
    }

    /// What it says of a coroutine that it acquires a lock: the second time, it waits for itself.
    pub(super) fn acquires(&mut self, lock: &Expr, callee: &Expr) {
        if self.holds(lock) {
            self.never_ends(callee);
            return;
        }
        let mut search = Acquired {
            lock,
            until: callee.start(),
            times: 0,
        };
        search.visit_body(self.body);
        if search.times > 0 {
            self.doubt(Obstacle::Alone, callee);
        }
    }

    /// Whether a block around the code holds this already.
    pub(super) fn holds(&self, lock: &Expr) -> bool {
        let text = self.semantics.text();
        let text_of = |range: TextRange| text.as_str().get(range.to_std_range());
        let own = text_of(lock.range());
        matches!(lock, Expr::Name(_) | Expr::Attribute(_))
            && self.held.iter().any(|held| text_of(*held) == own)
    }
}

/// Looks for what brings about what is waited for.
struct Brought<'s, 'db> {
    semantics: &'s Semantics<'db>,
    /// What is waited with.
    object: &'s Expr,
    /// Where that is.
    until: TextSize,
    /// What the coroutine may have done itself before.
    before: Option<&'s FxHashSet<String>>,
    /// What somebody else may do meanwhile.
    by_others: &'s FxHashSet<String>,
    /// Whether something stands in the coroutine function.
    is_inside: &'s dyn Fn(TextRange) -> bool,
    found: bool,
}

impl Brought<'_, '_> {
    /// Whether a call brings it about: that of a method of the object, that of a function in sight which has it and
    /// uses it so, or one that sets a timer.
    fn is_brought_by(&self, call: &ast::ExprCall) -> bool {
        let is_it = |expr: &Expr| is_same_place(expr, self.object);
        if let Expr::Attribute(method) = &*call.func
            && is_it(&method.value)
        {
            return self
                .before
                .is_some_and(|names| names.contains(method.attr.as_str()));
        }
        let mut arguments = call
            .arguments
            .iter_source_order()
            .map(ast::ArgOrKeyword::value);
        if last_name(&call.func).is_some_and(|name| TABLE.timers.contains(name)) {
            return arguments.any(|given| {
                matches!(given, Expr::Attribute(method)
                    if is_it(&method.value) && self.by_others.contains(method.attr.as_str()))
            });
        }
        let is_given = arguments.any(is_it);
        let Some(function) = self.semantics.function_in_sight(&call.func) else {
            return false;
        };
        let Some(node) = function.node(self.semantics.db()) else {
            return false;
        };
        let has_it = is_given
            || function.definition().program_file(self.semantics.db()) == self.semantics.file()
                && (self.is_inside)(node.range());
        has_it && uses(node, self.by_others)
    }
}

impl<'a> SourceOrderVisitor<'a> for Brought<'_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if self.found || node.start() >= self.until {
            return TraversalSignal::Skip;
        }
        match node {
            AnyNodeRef::StmtFunctionDef(_) | AnyNodeRef::ExprLambda(_) => TraversalSignal::Skip,
            AnyNodeRef::ExprCall(call) if call.end() <= self.until => {
                self.found = self.is_brought_by(call);
                TraversalSignal::Traverse
            }
            _ => TraversalSignal::Traverse,
        }
    }
}

/// Whether a function calls a method of one of these names.
fn uses(function: &ast::StmtFunctionDef, names: &FxHashSet<String>) -> bool {
    struct Search<'n>(&'n FxHashSet<String>, bool);
    impl<'a> SourceOrderVisitor<'a> for Search<'_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.1 |= matches!(node, AnyNodeRef::ExprAttribute(method)
                if self.0.contains(method.attr.as_str()));
            TraversalSignal::Traverse
        }
    }
    let mut search = Search(names, false);
    search.visit_body(&function.body);
    search.1
}

/// Counts how often a lock was acquired and not released again.
struct Acquired<'l> {
    lock: &'l Expr,
    until: TextSize,
    times: isize,
}

impl<'a> SourceOrderVisitor<'a> for Acquired<'_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if node.start() >= self.until {
            return TraversalSignal::Skip;
        }
        match node {
            AnyNodeRef::StmtFunctionDef(_) | AnyNodeRef::ExprLambda(_) => TraversalSignal::Skip,
            AnyNodeRef::ExprCall(call) if call.end() <= self.until => {
                if let Expr::Attribute(method) = &*call.func
                    && is_same_place(&method.value, self.lock)
                {
                    match method.attr.as_str() {
                        "acquire" => self.times += 1,
                        "release" => self.times -= 1,
                        _ => {}
                    }
                }
                TraversalSignal::Traverse
            }
            _ => TraversalSignal::Traverse,
        }
    }
}
