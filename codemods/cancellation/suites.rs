//! What the statements of a suite come to: nothing but telling people, the end of something, a use of the exception.

use asyncfix_analysis::answers::coroutines;
use asyncfix_syntax::queries::{last_name, own_code};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};

use crate::file::File;

/// Whether a suite does nothing but pass, log, and leave.
pub fn is_idle(file: &File<'_, '_>, suite: &[Stmt]) -> bool {
    suite.iter().all(|statement| match statement {
        Stmt::Pass(_) | Stmt::Break(_) | Stmt::Continue(_) | Stmt::Raise(_) => true,
        Stmt::Return(statement) => statement.value.as_deref().is_none_or(is_plain_value),
        Stmt::Expr(statement) => {
            statement.value.is_literal_expr() || is_log_call(file, &statement.value)
        }
        Stmt::If(statement) => {
            is_idle(file, &statement.body)
                && statement
                    .elif_else_clauses
                    .iter()
                    .all(|clause| is_idle(file, &clause.body))
        }
        _ => false,
    })
}

/// Whether evaluating an expression does nothing and no string is in it.
pub fn is_plain_value(value: &Expr) -> bool {
    match value {
        Expr::NoneLiteral(_)
        | Expr::BooleanLiteral(_)
        | Expr::NumberLiteral(_)
        | Expr::EllipsisLiteral(_)
        | Expr::Name(_) => true,
        Expr::Attribute(attribute) => is_plain_value(&attribute.value),
        Expr::UnaryOp(operation) => is_plain_value(&operation.operand),
        Expr::List(list) => list.elts.iter().all(is_plain_value),
        Expr::Tuple(tuple) => tuple.elts.iter().all(is_plain_value),
        Expr::Dict(dict) => dict.items.is_empty(),
        _ => false,
    }
}

/// Whether an expression tells people what happened, and nothing else.
pub fn is_log_call(file: &File<'_, '_>, expr: &Expr) -> bool {
    let Expr::Call(call) = expr else {
        return false;
    };
    if file.semantics.means(
        &call.func,
        &[
            "builtins.print",
            "traceback.print_exc",
            "traceback.print_exception",
            "warnings.warn",
        ],
    ) {
        return true;
    }
    let Expr::Attribute(method) = &*call.func else {
        return false;
    };
    let is_level = matches!(
        method.attr.as_str(),
        "debug"
            | "info"
            | "warning"
            | "warn"
            | "error"
            | "exception"
            | "critical"
            | "fatal"
            | "log"
            | "trace"
    );
    let receiver = match &*method.value {
        Expr::Name(name) => name.id.as_str(),
        Expr::Attribute(attribute) => attribute.attr.as_str(),
        _ => return false,
    };
    is_level && receiver.to_ascii_lowercase().contains("log")
}

/// Whether a suite awaits nothing but the end of something: calls that close, by their names, and what
/// is shielded. A cancellation there is to cut nothing short.
pub fn only_closes(suite: &[Stmt]) -> bool {
    !suite.is_empty()
        && suite.iter().all(|statement| {
            let value = match statement {
                Stmt::Expr(statement) => &statement.value,
                Stmt::Assign(statement) => &statement.value,
                _ => return false,
            };
            matches!(&**value, Expr::Await(awaited)
                if matches!(&*awaited.value, Expr::Call(call)
                    if last_name(&call.func)
                        .is_some_and(|name| coroutines::cleans_up(name) || name.contains("shield"))))
        })
}

/// Whether something in a suite is shielded from cancellations, by the names of calls.
pub fn is_shielded(suite: &[Stmt]) -> bool {
    struct Search(bool);
    impl<'a> SourceOrderVisitor<'a> for Search {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.0 |= matches!(node, AnyNodeRef::ExprCall(call)
                if last_name(&call.func).is_some_and(|name| name.contains("shield")));
            own_code(node)
        }
    }
    let mut search = Search(false);
    search.visit_body(suite);
    search.0
}

/// Functions that make text of an exception.
const TEXTS: &[&str] = &[
    "builtins.ascii",
    "builtins.format",
    "builtins.repr",
    "builtins.str",
    "traceback.format_exc",
    "traceback.format_exception",
    "traceback.format_exception_only",
    "traceback.format_tb",
];

/// Looks for uses of an exception that are more than telling people of it.
pub(super) struct Uses<'f, 'a, 'db> {
    pub(super) file: &'f File<'a, 'db>,
    pub(super) name: Option<&'f str>,
    pub(super) found: bool,
}

impl Uses<'_, '_, '_> {
    /// Whether a call makes text of its arguments.
    fn is_text(&self, call: &ast::ExprCall) -> bool {
        self.file.semantics.means(&call.func, TEXTS)
            || matches!(&*call.func, Expr::Attribute(method)
                if method.attr == *"format" && method.value.is_string_literal_expr())
    }
}

impl<'a> SourceOrderVisitor<'a> for Uses<'_, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::ExprFString(_) => return TraversalSignal::Skip,
            AnyNodeRef::ExprCall(call) if self.is_text(call) => return TraversalSignal::Skip,
            AnyNodeRef::ExprBinOp(operation)
                if operation.op == ast::Operator::Mod
                    && operation.left.is_string_literal_expr() =>
            {
                return TraversalSignal::Skip;
            }
            // `type(error).__name__`
            AnyNodeRef::ExprAttribute(attribute)
                if matches!(attribute.attr.as_str(), "__name__" | "__qualname__") =>
            {
                return TraversalSignal::Skip;
            }
            AnyNodeRef::StmtExpr(statement) if is_log_call(self.file, &statement.value) => {
                return TraversalSignal::Skip;
            }
            AnyNodeRef::ExprName(name) => {
                self.found |= self.name.is_some_and(|own| own == name.id.as_str());
            }
            AnyNodeRef::ExprCall(call) => {
                self.found |= self
                    .file
                    .semantics
                    .means(&call.func, &["sys.exc_info", "sys.exception"]);
            }
            _ => {}
        }
        TraversalSignal::Traverse
    }
}

/// Whether a method of one of these names is called in a suite.
pub(super) fn calls_one_of(body: &[Stmt], names: &[&str]) -> bool {
    struct Search<'n> {
        names: &'n [&'n str],
        found: bool,
    }
    impl<'a> SourceOrderVisitor<'a> for Search<'_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            self.found |= matches!(node, AnyNodeRef::ExprAttribute(attribute)
                if self.names.contains(&attribute.attr.as_str()));
            TraversalSignal::Traverse
        }
    }
    let mut search = Search {
        names,
        found: false,
    };
    search.visit_body(body);
    search.found
}
