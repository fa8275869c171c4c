//! Whether something that came from an object leaves the function that opens it.
//!
//! What is made by a method or an attribute of the object may need it open, and so may what is made of that, through
//! any number of names, containers and arguments. Plain data needs nothing.

use asyncfix_analysis::answers::awaitable::awaitability_of;
use asyncfix_analysis::infer::types::Awaitability;
use asyncfix_analysis::limits::PASSES;
use asyncfix_syntax::queries::{last_name, root_name};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal, walk_expr};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, ExprContext, Stmt};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::{FxHashMap, FxHashSet};

use super::plain::{Need, need_of, need_of_call};
use super::values::{OF_TASKS, OPEN, Value, ends_value, is_awaited, targets};
use crate::file::File;

/// What happens to what came from an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Leaving {
    /// It stays in the function, or is plain data.
    StaysHere,
    /// Something leaves of which it is not known whether it needs the object.
    MayNeedIt,
    /// Something leaves that is a part of the object.
    IsPartOfIt,
    /// Something leaves that needs the object open, or is kept outside.
    NeedsIt,
}

/// Functions that give back what the coroutines they are given come to.
const WAITING: [&str; 4] = [
    "asyncio.gather",
    "asyncio.wait_for",
    "asyncio.shield",
    "asyncio.wait",
];

/// Functions that start what goes on behind the block.
const STARTING: [&str; 4] = [
    "create_task",
    "ensure_future",
    "start_soon",
    "run_coroutine_threadsafe",
];

/// Functions that look at what they are given and keep nothing of it.
const LOOKING: [&str; 22] = [
    "builtins.print",
    "builtins.str",
    "builtins.repr",
    "builtins.len",
    "builtins.bool",
    "builtins.int",
    "builtins.float",
    "builtins.bytes",
    "builtins.isinstance",
    "builtins.type",
    "builtins.id",
    "builtins.hash",
    "builtins.format",
    "builtins.any",
    "builtins.all",
    "builtins.sum",
    "builtins.callable",
    "builtins.hasattr",
    "pprint.pprint",
    "json.dumps",
    "warnings.warn",
    "logging.log",
];

/// Methods that write to a log, of whatever is called like one.
const LOGGING: [&str; 8] = [
    "debug",
    "info",
    "warning",
    "warn",
    "error",
    "exception",
    "critical",
    "log",
];

/// Methods by which something is put into a collection.
const PUTTING: [&str; 9] = [
    "append",
    "appendleft",
    "add",
    "extend",
    "insert",
    "update",
    "setdefault",
    "put",
    "put_nowait",
];

/// Looks for what came from an object where it leaves `function`. `names` are those of the object, `body` is where it
/// is used.
pub(super) fn leaving<'a>(
    file: &File<'a, '_>,
    function: &'a ast::StmtFunctionDef,
    names: impl Iterator<Item = &'a str>,
    body: &'a [Stmt],
) -> Leaving {
    let mut bound = Bound::default();
    bound.visit_body(&function.body);
    for parameter in &function.parameters {
        bound.0.remove(parameter.name().as_str());
    }
    let mut derived = Derived {
        file,
        function,
        bound: bound.0,
        names: names.map(|name| (name, OPEN)).collect(),
        ancestors: Vec::new(),
        expressions: Vec::new(),
        leaving: Leaving::StaysHere,
    };
    for _ in PASSES.rounds() {
        let before = derived.names.clone();
        derived.visit_body(body);
        if derived.names == before {
            break;
        }
    }
    derived.leaving
}

/// Whether the call at `index` of what is around a name starts what goes on behind the block, or is given to what does.
fn starts(around: &[AnyNodeRef<'_>], index: usize) -> bool {
    let is_start = |node: Option<&AnyNodeRef<'_>>| {
        matches!(node, Some(AnyNodeRef::ExprCall(call))
            if last_name(&call.func).is_some_and(|name| STARTING.contains(&name)))
    };
    // The arguments stand in between.
    is_start(around.get(index)) || is_start(around.get(index + 2))
}

/// The names that a function binds.
#[derive(Default)]
struct Bound<'a>(FxHashSet<&'a str>);

impl<'a> SourceOrderVisitor<'a> for Bound<'a> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        if let Expr::Name(name) = expr
            && name.ctx == ExprContext::Store
        {
            self.0.insert(&name.id);
        }
        walk_expr(self, expr);
    }
}

struct Derived<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    function: &'a ast::StmtFunctionDef,
    /// The names that the function itself binds.
    bound: FxHashSet<&'a str>,
    /// The names that something which came from the object is bound to, and what that needs.
    names: FxHashMap<&'a str, Value>,
    ancestors: Vec<AnyNodeRef<'a>>,
    /// The expressions among them.
    expressions: Vec<&'a Expr>,
    leaving: Leaving,
}

impl<'a> Derived<'_, 'a, '_> {
    fn leaves(&mut self, need: Need) {
        let leaving = match need {
            Need::Nothing => Leaving::StaysHere,
            Need::Unknown => Leaving::MayNeedIt,
            Need::Part => Leaving::IsPartOfIt,
            Need::Open => Leaving::NeedsIt,
        };
        self.leaving = self.leaving.max(leaving);
    }

    /// What happens to the value of a name of interest, seen from its place outwards.
    fn follow(&mut self, name: &'a ast::ExprName, value: Value) {
        // What a nested function does, it does when it is called: it needs what it uses.
        let nested = self.ancestors.iter().find_map(|node| match node {
            AnyNodeRef::StmtFunctionDef(function) => Some(function.name.as_str()),
            AnyNodeRef::StmtClassDef(class) => Some(class.name.as_str()),
            _ => None,
        });
        if let Some(nested) = nested {
            self.note(nested, value);
            return;
        }
        let mut child = name.range();
        let Value {
            mut need,
            mut is_pending,
        } = value;
        // Whether a task runs it.
        let mut is_started = false;
        let around: Vec<_> = self.ancestors.iter().rev().copied().collect();
        for (index, node) in around.iter().enumerate() {
            match *node {
                AnyNodeRef::ExprAttribute(attribute) => {
                    let is_called = matches!(around.get(index + 1), Some(AnyNodeRef::ExprCall(call))
                        if call.func.range() == attribute.range());
                    if !is_called {
                        need = self.need_of_part(attribute.range(), need);
                    }
                }
                AnyNodeRef::ExprCall(call) if call.func.range().contains_range(child) => {
                    let is_awaited =
                        matches!(around.get(index + 1), Some(AnyNodeRef::ExprAwait(_)));
                    if is_awaited {
                        // What awaiting it gives is asked further out.
                    } else if awaitability_of(self.file, call) == Awaitability::Coroutine {
                        need = need_of_call(self.file, call, true);
                        is_pending = true;
                    } else {
                        need = self.need(call.range());
                        let method = last_name(&call.func).unwrap_or_default();
                        is_pending &= !OF_TASKS.contains(&method);
                    }
                }
                // `create_task(work(page))`
                AnyNodeRef::ExprCall(_) if starts(&around, index) => {
                    if !is_pending {
                        self.leaves(need);
                        return;
                    }
                    is_started = true;
                }
                AnyNodeRef::ExprCall(call) => match self.given(call, Value { need, is_pending }) {
                    Some(given) => Value { need, is_pending } = given,
                    None => return,
                },
                AnyNodeRef::ExprAwait(awaited) => {
                    let is_waiting = matches!(&*awaited.value, Expr::Call(call)
                        if self.file.semantics.means(&call.func, &WAITING));
                    need = match self.need(awaited.range()) {
                        _ if is_waiting => need,
                        Need::Unknown if is_pending => need,
                        given => given,
                    };
                    is_pending = false;
                }
                AnyNodeRef::ExprSubscript(subscript) => {
                    if !subscript.value.range().contains_range(child) {
                        return;
                    }
                    need = self.need_of_part(subscript.range(), need);
                }
                AnyNodeRef::ExprBinOp(operation) => {
                    need = self.need(operation.range());
                }
                // What is asked, or made into text, is plain.
                AnyNodeRef::ExprCompare(_)
                | AnyNodeRef::ExprUnaryOp(_)
                | AnyNodeRef::InterpolatedElement(_)
                | AnyNodeRef::StmtRaise(_) => return,
                AnyNodeRef::ExprIf(conditional)
                    if conditional.test.range().contains_range(child) =>
                {
                    return;
                }
                // A lambda may be called whenever somebody likes.
                AnyNodeRef::StmtReturn(_) | AnyNodeRef::ExprLambda(_) => {
                    self.leaves(Value { need, is_pending }.now());
                    return;
                }
                // The block is not left while the generator waits.
                AnyNodeRef::ExprYield(_) => {
                    self.leaves(Value { need, is_pending }.now().min(Need::Unknown));
                    return;
                }
                AnyNodeRef::ExprNamed(named) => {
                    self.bind(&named.target, Value { need, is_pending });
                }
                node => {
                    let targets = targets(node, child);
                    for target in &targets {
                        self.bind(target, Value { need, is_pending });
                    }
                    let is_group = is_started && self.is_of_group(name.range());
                    if node.is_statement() && is_started && is_pending && !is_group {
                        let mut names = targets.iter().filter_map(|target| target.as_name_expr());
                        // Nothing waits for it before the block is left.
                        if !names.any(|target| is_awaited(self.function, &target.id)) {
                            self.leaves(Need::Open);
                        }
                    }
                    if node.is_statement() || ends_value(node) {
                        return;
                    }
                }
            }
            if need == Need::Nothing && !is_pending {
                return;
            }
            child = node.range();
        }
    }

    /// Takes down what a name has.
    fn note(&mut self, name: &'a str, value: Value) {
        let known = self.names.entry(name).or_insert(value);
        *known = known.and(value);
    }

    /// Whether a task that is started at the current place belongs to a group which waits for it: that of an
    /// `async with` around it here.
    fn is_of_group(&self, place: TextRange) -> bool {
        let mut receivers = self.expressions.iter().filter_map(|expr| match expr {
            Expr::Call(call) if STARTING.contains(&last_name(&call.func)?) => {
                call.func.as_attribute_expr()?.value.as_name_expr()
            }
            _ => None,
        });
        let Some(group) = receivers.next() else {
            return false;
        };
        self.ancestors.iter().any(|node| {
            matches!(node, AnyNodeRef::StmtWith(with)
                if with.is_async
                    && with.body.iter().any(|inner| inner.range().contains_range(place))
                    && with.items.iter().any(|item| {
                        matches!(item.optional_vars.as_deref(), Some(Expr::Name(name)) if name.id == group.id)
                    }))
        })
    }

    /// What the value of the expression with this range, around a name, needs.
    fn need(&self, range: TextRange) -> Need {
        let mut expressions = self.expressions.iter().rev();
        let expr = expressions.find(|expr| expr.range() == range);
        expr.map_or(Need::Unknown, |expr| need_of(self.file, expr))
    }

    /// The same for what is taken from something that needs `whole`, without a call.
    fn need_of_part(&self, range: TextRange, whole: Need) -> Need {
        match self.need(range) {
            Need::Unknown if whole >= Need::Part => Need::Part,
            need => need,
        }
    }

    /// What the value of a call is that is given `value`; where that goes is noted. `None` where there is nothing more to
    /// follow.
    fn given(&mut self, call: &'a ast::ExprCall, value: Value) -> Option<Value> {
        let semantics = &self.file.semantics;
        if semantics.means(&call.func, &LOOKING) {
            return None;
        }
        if semantics.means(&call.func, &WAITING) || semantics.class_named(&call.func).is_some() {
            return Some(value);
        }
        let method = call.func.as_attribute_expr();
        let name = last_name(&call.func).unwrap_or_default();
        if let Some(method) = method {
            let root = root_name(&method.value);
            // The object and what came from it stay together.
            if let Some(root) = root.filter(|root| self.names.contains_key(root)) {
                if PUTTING.contains(&name) {
                    self.note(root, value);
                }
                return Some(value);
            }
            if PUTTING.contains(&name) {
                self.put(&method.value, value);
                return None;
            }
            let is_logger = last_name(&method.value)
                .is_some_and(|name| name.to_ascii_lowercase().contains("log"));
            if LOGGING.contains(&name) && is_logger {
                return None;
            }
        }
        let is_coroutine = semantics
            .function_in_sight(&call.func)
            .is_some_and(|function| {
                let node = function.node(semantics.db());
                node.is_some_and(|node| node.is_async)
            });
        if is_coroutine {
            return Some(Value {
                need: need_of_call(self.file, call, true),
                is_pending: true,
            });
        }
        let need = value.now().min(Need::Unknown);
        self.leaves(need);
        Some(Value {
            need,
            is_pending: false,
        })
    }

    fn bind(&mut self, target: &'a Expr, value: Value) {
        match target {
            Expr::Name(name) => {
                let scope = self.file.semantics.function_scope(self.function);
                if scope
                    .is_none_or(|scope| self.file.semantics.is_declared_outside(&name.id, scope))
                {
                    self.kept();
                }
                self.note(&name.id, value);
            }
            Expr::Tuple(ast::ExprTuple { elts, .. }) | Expr::List(ast::ExprList { elts, .. }) => {
                for element in elts {
                    self.bind(element, value);
                }
            }
            Expr::Starred(starred) => self.bind(&starred.value, value),
            Expr::Attribute(attribute) => self.put(&attribute.value, value),
            Expr::Subscript(subscript) => self.put(&subscript.value, value),
            _ => self.kept(),
        }
    }

    /// Something is put into an object: one of the function's own then needs the same.
    fn put(&mut self, object: &'a Expr, value: Value) {
        match root_name(object).filter(|root| self.bound.contains(root)) {
            Some(root) => self.note(root, value),
            None => self.kept(),
        }
    }

    fn kept(&mut self) {
        self.leaving = Leaving::NeedsIt;
    }
}

impl<'a> SourceOrderVisitor<'a> for Derived<'_, 'a, '_> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        self.expressions.push(expr);
        walk_expr(self, expr);
        self.expressions.pop();
    }

    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        if let AnyNodeRef::ExprName(name) = node
            && name.ctx == ExprContext::Load
            && let Some(value) = self.names.get(name.id.as_str())
        {
            self.follow(name, *value);
        }
        self.ancestors.push(node);
        TraversalSignal::Traverse
    }

    fn leave_node(&mut self, _node: AnyNodeRef<'a>) {
        self.ancestors.pop();
    }
}
