//! Whether a coroutine comes to an end, and which coroutines a call is given.

use std::sync::LazyLock;

use ruff_python_ast::visitor::source_order::{
    SourceOrderVisitor, TraversalSignal, walk_expr, walk_stmt,
};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use rustc_hash::FxHashSet;
use serde::Deserialize;
use ty_python_core::definition::Definition;
use ty_python_semantic::Db;

use crate::file::File;
use crate::semantics::{Function, Semantics};

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

/// How many calls deep a coroutine is followed.
const DEPTH: usize = 4;

#[derive(Deserialize)]
struct Endings {
    ends: Vec<String>,
    as_arguments: Vec<String>,
    never: FxHashSet<String>,
    waits: FxHashSet<String>,
    cleaning: FxHashSet<String>,
    closing: FxHashSet<String>,
    undoing: FxHashSet<String>,
}

static ENDINGS: LazyLock<Endings> = LazyLock::new(|| {
    toml::from_str(include_str!("../data/endings.toml")).unwrap_or(Endings {
        ends: Vec::new(),
        as_arguments: Vec::new(),
        never: FxHashSet::default(),
        waits: FxHashSet::default(),
        cleaning: FxHashSet::default(),
        closing: FxHashSet::default(),
        undoing: FxHashSet::default(),
    })
});

/// How the coroutine made by `call` ends.
pub fn ending_of_call(semantics: &Semantics<'_>, call: &ast::ExprCall) -> Ending {
    ending_of_callee(semantics, &call.func, DEPTH)
}

/// How the coroutine made by calling `callee` ends.
pub fn ending_of(semantics: &Semantics<'_>, callee: &Expr) -> Ending {
    ending_of_callee(semantics, callee, DEPTH)
}

fn ending_of_callee(semantics: &Semantics<'_>, callee: &Expr, depth: usize) -> Ending {
    let name = last_name(callee).unwrap_or_default();
    if ENDINGS.never.contains(name) {
        return Ending::Never;
    }
    if means_one_of(semantics, callee, &ENDINGS.ends) {
        return Ending::Ends;
    }
    let Some(function) = semantics.function_in_sight(callee) else {
        return Ending::Unknown;
    };
    match depth.checked_sub(1) {
        Some(depth) => ending_of_function(semantics.db(), function.definition, depth),
        None => Ending::Unknown,
    }
}

/// Whether `callee` is known to end by itself.
pub fn ends(semantics: &Semantics<'_>, callee: &Expr) -> bool {
    means_one_of(semantics, callee, &ENDINGS.ends)
}

/// Whether `callee` ends when what it is given ends.
pub fn ends_with_arguments(semantics: &Semantics<'_>, callee: &Expr) -> bool {
    means_one_of(semantics, callee, &ENDINGS.as_arguments)
}

/// Whether a coroutine function of this name runs until it is cancelled.
pub fn runs_for_ever(name: &str) -> bool {
    ENDINGS.never.contains(name)
}

/// Whether a coroutine function of this name may wait for somebody who never comes.
pub fn may_wait(name: &str) -> bool {
    ENDINGS.waits.contains(name)
}

fn means_one_of(semantics: &Semantics<'_>, callee: &Expr, paths: &[String]) -> bool {
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    semantics.means(callee, &paths)
}

/// How the coroutine of a function ends. All files of a project await much the same functions, and so it is
/// kept.
#[salsa::tracked(returns(copy))]
fn ending_of_function<'db>(db: &'db dyn Db, function: Definition<'db>, depth: usize) -> Ending {
    let Some(function) = Function::of(db, function) else {
        return Ending::Unknown;
    };
    let Some(node) = function.node(db) else {
        return Ending::Unknown;
    };
    if function.definition.file(db).is_stub(db) {
        // A stub has no body; its name is all there is.
        return if ENDINGS.waits.contains(node.name.as_str()) || !node.is_async {
            Ending::Unknown
        } else {
            Ending::Ends
        };
    }
    if !node.is_async || !node.decorator_list.is_empty() {
        return Ending::Unknown;
    }
    let own = function.semantics(db);
    ending_of_body(&own, &node.body, depth)
}

/// How a function body ends that is in sight: whether its last statement is reached.
pub fn ending_of_suite(semantics: &Semantics<'_>, body: &[Stmt]) -> Ending {
    ending_of_body(semantics, body, DEPTH)
}

fn ending_of_body(semantics: &Semantics<'_>, body: &[Stmt], depth: usize) -> Ending {
    let mut search = Search {
        semantics,
        depth,
        branches: 0,
        ending: Ending::Ends,
    };
    search.visit_body(body);
    search.ending
}

struct Search<'s, 'db> {
    semantics: &'s Semantics<'db>,
    depth: usize,
    /// How many branches the code stands in that may not be taken.
    branches: usize,
    ending: Ending,
}

impl Search<'_, '_> {
    fn meet(&mut self, ending: Ending) {
        let ending = if self.branches > 0 {
            ending.min(Ending::Unknown)
        } else {
            ending
        };
        self.ending = self.ending.max(ending);
    }

    fn ending_of_awaited(&self, value: &Expr) -> Ending {
        let Expr::Call(call) = value else {
            return Ending::Unknown;
        };
        if means_one_of(self.semantics, &call.func, &ENDINGS.as_arguments) {
            let arguments = &call.arguments.args;
            return arguments
                .iter()
                // Of `wait_for`, the second one is a number.
                .filter(|argument| !argument.is_number_literal_expr())
                .map(|argument| self.ending_of_awaited(argument))
                .max()
                .unwrap_or(Ending::Unknown);
        }
        ending_of_callee(self.semantics, &call.func, self.depth)
    }

    fn in_branch(&mut self, visit: impl FnOnce(&mut Self)) {
        self.branches += 1;
        visit(self);
        self.branches -= 1;
    }
}

impl<'a> SourceOrderVisitor<'a> for Search<'_, '_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => {}
            Stmt::While(inner) => {
                if is_endless(&inner.test) {
                    self.meet(if leaves_loop(&inner.body) {
                        Ending::Unknown
                    } else {
                        Ending::Never
                    });
                } else if awaits(statement) {
                    self.meet(Ending::Unknown);
                }
                walk_stmt(self, statement);
            }
            Stmt::For(inner) if inner.is_async => {
                self.meet(Ending::Unknown);
                walk_stmt(self, statement);
            }
            Stmt::For(inner) => {
                if let Expr::Call(call) = &*inner.iter
                    && self.semantics.means(&call.func, &["itertools.count"])
                    && !leaves_loop(&inner.body)
                {
                    self.meet(Ending::Never);
                }
                walk_stmt(self, statement);
            }
            Stmt::If(_) | Stmt::Match(_) => self.in_branch(|this| walk_stmt(this, statement)),
            Stmt::Try(inner) => {
                self.visit_body(&inner.body);
                self.in_branch(|this| {
                    for handler in &inner.handlers {
                        this.visit_except_handler(handler);
                    }
                    this.visit_body(&inner.orelse);
                });
                self.visit_body(&inner.finalbody);
            }
            _ => walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Lambda(_) => return,
            Expr::Await(inner) => {
                let ending = self.ending_of_awaited(&inner.value);
                self.meet(ending);
            }
            _ => {}
        }
        walk_expr(self, expr);
    }
}

/// Whether a loop's test is true for ever.
pub fn is_endless(test: &Expr) -> bool {
    match test {
        Expr::BooleanLiteral(literal) => literal.value,
        Expr::NumberLiteral(literal) => match &literal.value {
            ast::Number::Int(value) => *value != ast::Int::ZERO,
            _ => false,
        },
        _ => false,
    }
}

/// Whether a `break` of this loop or a `return` leaves a loop with this body.
pub fn leaves_loop(body: &[Stmt]) -> bool {
    let mut search = Exits {
        nested: 0,
        counts_cancellation: true,
        found: false,
    };
    search.visit_body(body);
    search.found
}

/// The same, for a loop that nobody cancels: what stands in a handler for cancellations does not
/// count.
pub fn leaves_loop_by_itself(body: &[Stmt]) -> bool {
    let mut search = Exits {
        nested: 0,
        counts_cancellation: false,
        found: false,
    };
    search.visit_body(body);
    search.found
}

struct Exits {
    nested: usize,
    /// Whether handlers for cancellations are looked into.
    counts_cancellation: bool,
    found: bool,
}

/// Whether a handler is there for cancellations. Judged by the name alone.
fn catches_cancellation(handler: &ast::ExceptHandlerExceptHandler) -> bool {
    match handler.type_.as_deref() {
        Some(Expr::Tuple(tuple)) => tuple
            .elts
            .iter()
            .any(|elt| last_name(elt) == Some("CancelledError")),
        Some(class) => last_name(class) == Some("CancelledError"),
        None => false,
    }
}

impl<'a> SourceOrderVisitor<'a> for Exits {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Return(_) => self.found = true,
            Stmt::Break(_) => self.found |= self.nested == 0,
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => {}
            Stmt::For(inner) => {
                self.nested += 1;
                self.visit_body(&inner.body);
                self.nested -= 1;
                self.visit_body(&inner.orelse);
            }
            Stmt::While(inner) => {
                self.nested += 1;
                self.visit_body(&inner.body);
                self.nested -= 1;
                self.visit_body(&inner.orelse);
            }
            _ => walk_stmt(self, statement),
        }
    }

    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        let is_left_out = matches!(node, AnyNodeRef::ExceptHandlerExceptHandler(handler)
            if !self.counts_cancellation && catches_cancellation(handler));
        if node.is_expression() || is_left_out {
            TraversalSignal::Skip
        } else {
            TraversalSignal::Traverse
        }
    }
}

/// Whether a statement awaits something, the functions in it aside.
pub fn awaits(statement: &Stmt) -> bool {
    struct Awaits(bool);
    impl<'a> SourceOrderVisitor<'a> for Awaits {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.0 |= node.is_expr_await();
            if self.0 || node.is_stmt_function_def() || node.is_expr_lambda() {
                TraversalSignal::Skip
            } else {
                TraversalSignal::Traverse
            }
        }
    }
    let mut search = Awaits(false);
    search.visit_stmt(statement);
    search.0
}

/// One of the awaitables that a call such as `gather` is given.
#[derive(Debug, Clone, Copy)]
pub enum Member<'a> {
    /// A call that makes it.
    Call(&'a ast::ExprCall),
    /// A function that is called for each of many, as by `map`.
    Callee(&'a Expr),
    /// Something that is not made in sight.
    Unseen,
}

impl<'a> Member<'a> {
    /// The function that makes the awaitable.
    pub fn callee(self) -> Option<&'a Expr> {
        match self {
            Self::Call(call) => Some(&call.func),
            Self::Callee(callee) => Some(callee),
            Self::Unseen => None,
        }
    }
}

/// The awaitables that `call` is given as positional arguments, looking through lists that are
/// built in `body`, comprehensions, `map`, and calls that make tasks of coroutines.
pub fn members<'a>(
    file: &File<'a, '_>,
    call: &'a ast::ExprCall,
    body: &'a [Stmt],
) -> Vec<Member<'a>> {
    let mut found = Vec::new();
    for argument in &*call.arguments.args {
        match argument {
            Expr::Starred(starred) => elements(file, &starred.value, body, &mut found, ALIASES),
            other => found.push(member(file, other)),
        }
    }
    found
}

/// How many names for one list are followed.
const ALIASES: usize = 3;

fn elements<'a>(
    file: &File<'a, '_>,
    expr: &'a Expr,
    body: &'a [Stmt],
    found: &mut Vec<Member<'a>>,
    depth: usize,
) {
    match expr {
        Expr::ListComp(ast::ExprListComp { elt, .. })
        | Expr::SetComp(ast::ExprSetComp { elt, .. })
        | Expr::Generator(ast::ExprGenerator { elt, .. }) => found.push(member(file, elt)),
        Expr::List(ast::ExprList { elts, .. })
        | Expr::Tuple(ast::ExprTuple { elts, .. })
        | Expr::Set(ast::ExprSet { elts, .. }) => {
            for elt in elts {
                match elt {
                    Expr::Starred(starred) => elements(file, &starred.value, body, found, depth),
                    other => found.push(member(file, other)),
                }
            }
        }
        Expr::Call(call) if file.semantics.means(&call.func, &["builtins.map"]) => {
            found.push(match call.arguments.args.first() {
                Some(callee) => Member::Callee(callee),
                None => Member::Unseen,
            });
        }
        Expr::Name(name) if depth > 0 => {
            let mut list = BuiltList {
                name: &name.id,
                values: Vec::new(),
                unseen: false,
            };
            list.visit_body(body);
            if list.unseen || list.values.is_empty() {
                found.push(Member::Unseen);
            }
            for value in list.values {
                match value {
                    Built::Elements(value) => elements(file, value, body, found, depth - 1),
                    Built::Element(value) => found.push(member(file, value)),
                }
            }
        }
        _ => found.push(Member::Unseen),
    }
}

fn member<'a>(file: &File<'a, '_>, expr: &'a Expr) -> Member<'a> {
    let Expr::Call(call) = expr else {
        return Member::Unseen;
    };
    let makes_task = file.semantics.means(
        &call.func,
        &[
            "asyncio.create_task",
            "asyncio.ensure_future",
            "asyncio.shield",
        ],
    );
    match call.arguments.args.first() {
        Some(inner) if makes_task => member(file, inner),
        _ => Member::Call(call),
    }
}

enum Built<'a> {
    Elements(&'a Expr),
    Element(&'a Expr),
}

/// Collects what a list of this name is made of, within one function.
struct BuiltList<'a, 'n> {
    name: &'n str,
    values: Vec<Built<'a>>,
    unseen: bool,
}

impl<'a> SourceOrderVisitor<'a> for BuiltList<'a, '_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => return,
            Stmt::Assign(assign) if assign.targets.iter().any(|target| self.is_it(target)) => {
                self.values.push(Built::Elements(&assign.value));
            }
            Stmt::AnnAssign(assign) if self.is_it(&assign.target) => {
                if let Some(value) = &assign.value {
                    self.values.push(Built::Elements(value));
                }
            }
            Stmt::AugAssign(assign) if self.is_it(&assign.target) => {
                self.values.push(Built::Elements(&assign.value));
            }
            Stmt::For(inner) if self.is_it(&inner.target) => self.unseen = true,
            _ => {}
        }
        walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        if let Expr::Call(call) = expr
            && let Expr::Attribute(attribute) = &*call.func
            && self.is_it(&attribute.value)
        {
            match (attribute.attr.as_str(), &*call.arguments.args) {
                ("append" | "add", [value]) | ("insert", [_, value]) => {
                    self.values.push(Built::Element(value));
                }
                ("extend" | "update", [values]) => self.values.push(Built::Elements(values)),
                _ => {}
            }
        }
        walk_expr(self, expr);
    }
}

impl BuiltList<'_, '_> {
    fn is_it(&self, expr: &Expr) -> bool {
        matches!(expr, Expr::Name(name) if name.id == self.name)
    }
}

/// Whether calling `callee` ends what it is called on, so that it is over soon.
pub fn is_closing(callee: &Expr) -> bool {
    callee.is_attribute_expr()
        && last_name(callee).is_some_and(|name| ENDINGS.closing.contains(name))
}

/// Whether a method of this name ends something, in code that cleans up. Being wrong about one only
/// means to hold back.
pub fn cleans_up(method: &str) -> bool {
    ENDINGS.cleaning.contains(method)
}

/// Whether a function of this name undoes something or lets go of it, by one of its words.
pub fn undoes(name: &str) -> bool {
    name.split('_').any(|word| ENDINGS.undoing.contains(word))
}

/// The callee's last name: `f` of `f()`, `c` of `a.b.c()`.
fn last_name(callee: &Expr) -> Option<&str> {
    match callee {
        Expr::Name(name) => Some(&name.id),
        Expr::Attribute(attribute) => Some(&attribute.attr),
        _ => None,
    }
}
