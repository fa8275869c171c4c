//! Which coroutines a call is given, and how they end.

use ruff_python_ast::visitor::source_order::{
    SourceOrderVisitor, TraversalSignal, walk_expr, walk_stmt,
};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ty_python_core::definition::DefinitionKind;

pub use super::endings::{Ending, cleans_up, lets_go, takes_away, undoes};

use super::endings::Seen;
use crate::file::ParsedFile;
use crate::index::asked::Asked;
use crate::limits::{ALIASES, Limit};
use crate::resolve::semantics::Semantics;

/// How the coroutine made by `call` ends.
pub fn ending_of_call(
    semantics: &Semantics<'_>,
    project: Asked<'_>,
    call: &ast::ExprCall,
) -> Ending {
    Seen::of_call_by_types(semantics, project, call).ending()
}

/// How a function body ends that is in sight: whether its last statement is reached.
pub fn ending_of_suite(semantics: &Semantics<'_>, project: Asked<'_>, body: &[Stmt]) -> Ending {
    Seen::of_suite(semantics, project, body).ending()
}

/// Whether a statement awaits something, the functions in it aside.
pub fn awaits(statement: &Stmt) -> bool {
    let mut search = Awaits(false);
    search.visit_stmt(statement);
    search.0
}

/// The same, for an expression.
pub(super) fn awaits_in(expr: &Expr) -> bool {
    let mut search = Awaits(false);
    search.visit_expr(expr);
    search.0
}

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
    file: &ParsedFile<'a, '_>,
    call: &'a ast::ExprCall,
    body: &'a [Stmt],
) -> Vec<Member<'a>> {
    let mut found = Vec::new();
    for argument in &*call.arguments.args {
        match argument {
            Expr::Starred(starred) => elements(file, &starred.value, body, &mut found, ALIASES),
            other => found.push(member(file, other, body, ALIASES)),
        }
    }
    found
}

fn elements<'a>(
    file: &ParsedFile<'a, '_>,
    expr: &'a Expr,
    body: &'a [Stmt],
    found: &mut Vec<Member<'a>>,
    depth: Limit,
) {
    match expr {
        Expr::ListComp(ast::ExprListComp { elt, .. })
        | Expr::SetComp(ast::ExprSetComp { elt, .. })
        | Expr::Generator(ast::ExprGenerator { elt, .. }) => {
            found.push(member(file, elt, body, depth));
        }
        Expr::List(ast::ExprList { elts, .. })
        | Expr::Tuple(ast::ExprTuple { elts, .. })
        | Expr::Set(ast::ExprSet { elts, .. }) => {
            for elt in elts {
                match elt {
                    Expr::Starred(starred) => elements(file, &starred.value, body, found, depth),
                    other => found.push(member(file, other, body, depth)),
                }
            }
        }
        Expr::Call(call) if file.semantics.means(&call.func, &["builtins.map"]) => {
            found.push(match call.arguments.args.first() {
                Some(callee) => Member::Callee(callee),
                None => Member::Unseen,
            });
        }
        Expr::Name(name) if let Some(left) = depth.less() => {
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
                    Built::Elements(value) => elements(file, value, body, found, left),
                    Built::Element(value) => found.push(member(file, value, body, depth)),
                }
            }
        }
        _ => found.push(Member::Unseen),
    }
}

fn member<'a>(
    file: &ParsedFile<'a, '_>,
    expr: &'a Expr,
    body: &'a [Stmt],
    depth: Limit,
) -> Member<'a> {
    let call = match expr {
        Expr::Call(call) => call,
        Expr::Name(name) if let Some(left) = depth.less() => {
            return match made_once(file, name, body) {
                Some(value) => member(file, value, body, left),
                None => Member::Unseen,
            };
        }
        _ => return Member::Unseen,
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
        Some(inner) if makes_task => member(file, inner, body, depth),
        _ => Member::Call(call),
    }
}

/// The one value that a name can have, given to it by a statement of `body`: `task = asyncio.create_task(work())`.
fn made_once<'a>(
    file: &ParsedFile<'a, '_>,
    name: &'a ast::ExprName,
    body: &'a [Stmt],
) -> Option<&'a Expr> {
    let semantics = &file.semantics;
    let definitions = semantics.bindings(name)?;
    let [definition] = definitions.as_slice() else {
        return None;
    };
    if !matches!(
        definition.kind(semantics.db()),
        DefinitionKind::Assignment(_)
    ) {
        return None;
    }
    let mut values = BuiltList {
        name: &name.id,
        values: Vec::new(),
        unseen: false,
    };
    values.visit_body(body);
    match values.values.as_slice() {
        [Built::Elements(value @ Expr::Call(_))] if !values.unseen => Some(*value),
        _ => None,
    }
}

/// What is put into the list of this name in `body`, each element as it is written there; of a comprehension, the one that
/// it makes. `None` where that is not all that may be in it.
pub fn elements_put_into<'a>(name: &str, body: &'a [Stmt]) -> Option<Vec<&'a Expr>> {
    let mut list = BuiltList {
        name,
        values: Vec::new(),
        unseen: false,
    };
    list.visit_body(body);
    let mut elements = Vec::new();
    for value in list.values {
        match value {
            Built::Element(element) => elements.push(element),
            Built::Elements(
                Expr::ListComp(ast::ExprListComp { elt, .. })
                | Expr::Generator(ast::ExprGenerator { elt, .. }),
            ) => elements.push(elt),
            Built::Elements(Expr::List(list)) if !list.elts.iter().any(Expr::is_starred_expr) => {
                elements.extend(&list.elts);
            }
            Built::Elements(_) => return None,
        }
    }
    (!list.unseen).then_some(elements)
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
