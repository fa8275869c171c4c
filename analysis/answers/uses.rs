//! Whether the code around a coroutine treats it as the value it would give when awaited.

use std::sync::LazyLock;

use asyncfix_knowledge::plain_values::TABLE;
use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::{Owner, Site};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, BoolOp, Expr, ExprContext, Operator};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::FxHashSet;

use crate::facts::spelling::Spellings;
use crate::file::ParsedFile;
use crate::infer::types::Awaitability;

/// What happens to a value at a place, judged by the tree alone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Use<'a> {
    /// It is dropped.
    Dropped,
    /// It is bound to one name.
    Bound(&'a ast::ExprName),
    /// It is used as the plain value.
    Plain,
    /// It is an argument of this call.
    Argument(&'a ast::ExprCall),
    /// Anything else: awaited, returned, kept, or not known.
    Other,
}

/// What happens to the value of the expression at `site`.
pub fn use_of<'a>(site: &Site<'_, 'a>) -> Use<'a> {
    let node = site.node;
    let is_it = |expr: &Expr| expr.range() == node.range();
    let Some(parent) = site.parent() else {
        return Use::Other;
    };
    let plain = |yes: bool| if yes { Use::Plain } else { Use::Other };
    let use_of_parent = || site.outer().map_or(Use::Other, |outer| use_of(&outer));
    match parent {
        AnyNodeRef::StmtExpr(_) => Use::Dropped,
        AnyNodeRef::StmtAssign(statement) if is_it(&statement.value) => {
            match statement.targets.as_slice() {
                [Expr::Name(name)] => Use::Bound(name),
                [Expr::Tuple(_) | Expr::List(_)] => Use::Plain,
                _ => Use::Other,
            }
        }
        AnyNodeRef::StmtAnnAssign(statement) => match &*statement.target {
            Expr::Name(name) if statement.value.as_deref().is_some_and(is_it) => Use::Bound(name),
            _ => Use::Other,
        },
        AnyNodeRef::ExprNamed(named) if is_it(&named.value) => {
            match (&*named.target, use_of_parent()) {
                (Expr::Name(name), Use::Plain | Use::Dropped) => Use::Bound(name),
                _ => Use::Other,
            }
        }
        AnyNodeRef::StmtAugAssign(statement) => plain(is_it(&statement.value)),
        AnyNodeRef::StmtIf(statement) => plain(is_it(&statement.test)),
        AnyNodeRef::ElifElseClause(clause) => plain(clause.test.as_ref().is_some_and(is_it)),
        AnyNodeRef::StmtWhile(statement) => plain(is_it(&statement.test)),
        AnyNodeRef::StmtAssert(statement) => plain(is_it(&statement.test)),
        AnyNodeRef::StmtMatch(statement) => plain(is_it(&statement.subject)),
        AnyNodeRef::StmtFor(statement) => plain(!statement.is_async && is_it(&statement.iter)),
        AnyNodeRef::Comprehension(comprehension) => plain(
            !comprehension.is_async && is_it(&comprehension.iter)
                || comprehension.ifs.iter().any(is_it),
        ),
        // The value of the whole is one of the two.
        AnyNodeRef::ExprIf(conditional) if is_it(&conditional.test) => Use::Plain,
        AnyNodeRef::ExprIf(_) => use_of_parent(),
        // All but the last operand are asked for their truth, and a coroutine is true: it is the value of an `or`.
        AnyNodeRef::ExprBoolOp(operation) => match operation.values.last() {
            Some(last) if is_it(last) || operation.op == BoolOp::Or => use_of_parent(),
            _ => Use::Plain,
        },
        AnyNodeRef::ExprUnaryOp(_) | AnyNodeRef::ExprBinOp(_) | AnyNodeRef::ExprCompare(_) => {
            Use::Plain
        }
        AnyNodeRef::ExprSubscript(subscript) => {
            plain(is_it(&subscript.value) || subscript.ctx == ExprContext::Load)
        }
        AnyNodeRef::ExprAttribute(attribute) => plain(!is_of_coroutines(&attribute.attr)),
        AnyNodeRef::ExprStarred(starred) => plain(starred.ctx == ExprContext::Load),
        AnyNodeRef::InterpolatedElement(_) => Use::Plain,
        // `"%s: %s" % (name, value())`
        AnyNodeRef::ExprTuple(_) => match site.outer().and_then(|outer| outer.parent()) {
            Some(AnyNodeRef::ExprBinOp(operation)) => plain(
                operation.op == Operator::Mod
                    && (operation.left.is_string_literal_expr()
                        || operation.left.is_f_string_expr()),
            ),
            _ => Use::Other,
        },
        AnyNodeRef::Keyword(_) => {
            let call = site.outer().and_then(|outer| outer.outer());
            match call.and_then(|arguments| arguments.parent()) {
                Some(AnyNodeRef::ExprCall(call)) => Use::Argument(call),
                _ => Use::Other,
            }
        }
        AnyNodeRef::Arguments(_) => match site.outer().and_then(|outer| outer.parent()) {
            Some(AnyNodeRef::ExprCall(call)) => Use::Argument(call),
            _ => Use::Other,
        },
        _ => Use::Other,
    }
}

/// Attributes that coroutines themselves have.
fn is_of_coroutines(name: &str) -> bool {
    matches!(name, "send" | "throw" | "close" | "__await__")
        || name.starts_with("cr_")
        || name.starts_with("__")
}

/// The paths of the functions that take their arguments as plain values, and their last names.
static TAKERS: LazyLock<(Vec<&str>, FxHashSet<&str>)> = LazyLock::new(|| {
    let paths: Vec<&str> = TABLE.functions.iter().map(String::as_str).collect();
    let names = paths.iter().filter_map(|path| path.rsplit('.').next());
    let names = names.collect();
    (paths, names)
});

/// Whether `call` takes its arguments as plain values.
fn takes_plain_values(file: &ParsedFile<'_, '_>, call: &ast::ExprCall) -> bool {
    file.semantics.means(&call.func, &TAKERS.0)
}

/// Whether the value of the expression at `site` may be forgotten, judged by the tree alone.
pub fn may_be_forgotten(spellings: &Spellings, site: &Site<'_, '_>) -> bool {
    match use_of(site) {
        Use::Other => false,
        Use::Dropped | Use::Plain | Use::Bound(_) => true,
        Use::Argument(taker) => last_name(&taker.func).is_some_and(|name| {
            let (paths, names) = &*TAKERS;
            (names.contains(name) || taker.func.is_name_expr())
                && spellings.allow(&taker.func, paths)
        }),
    }
}

/// Whether the value of the expression at `site`, part of the code of `owner`, is never awaited: it
/// is dropped, or only ever used as a plain value.
pub fn is_forgotten(file: &ParsedFile<'_, '_>, site: &Site<'_, '_>, owner: Owner<'_>) -> bool {
    match use_of(site) {
        Use::Other => false,
        Use::Dropped | Use::Plain => true,
        Use::Argument(taker) => takes_plain_values(file, taker),
        // `_ = work()` says that it is meant.
        Use::Bound(name) => name.id != "_" && is_used_as_plain_value(file, owner, name),
    }
}

/// Whether a value is compared with another one that can be awaited: such code wants to know whether it is that
/// object.
pub fn is_compared_with_awaitable(file: &ParsedFile<'_, '_>, site: &Site<'_, '_>) -> bool {
    let Some(AnyNodeRef::ExprCompare(comparison)) = site.parent() else {
        return false;
    };
    let is_awaitable = |expr: &Expr| {
        matches!(
            file.semantics.awaitability(expr.into()),
            Awaitability::Coroutine | Awaitability::Awaitable | Awaitability::Running
        )
    };
    let mut operands = std::iter::once(&*comparison.left).chain(&comparison.comparators);
    operands.any(|operand| operand.range() != site.node.range() && is_awaitable(operand))
}

/// Whether no use of the variable `name` of `owner` could ever await what is bound to it: there is
/// none, or each uses it as a plain value.
fn is_used_as_plain_value(
    file: &ParsedFile<'_, '_>,
    owner: Owner<'_>,
    name: &ast::ExprName,
) -> bool {
    let body = match owner {
        Owner::Function(function) => function.body.as_slice(),
        Owner::Module if !file.is_imported_name(&name.id) => file.body(),
        Owner::Module | Owner::Lambda(_) => return false,
    };
    let Some(scope) = file.semantics.scope_of_owner(owner) else {
        return false;
    };
    if file.semantics.is_shared(&name.id, scope) {
        return false;
    }
    let mut uses = UsesOfName {
        file,
        name: &name.id,
        binding: name.range(),
        ancestors: Vec::new(),
        all_plain: true,
    };
    uses.visit_body(body);
    uses.all_plain
}

struct UsesOfName<'f, 'a, 'db> {
    file: &'f ParsedFile<'a, 'db>,
    name: &'f str,
    binding: TextRange,
    ancestors: Vec<AnyNodeRef<'f>>,
    all_plain: bool,
}

impl<'f> SourceOrderVisitor<'f> for UsesOfName<'f, '_, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'f>) -> TraversalSignal {
        // Code that reaches its names as text, or takes them away, is not looked through.
        if let AnyNodeRef::ExprName(name) = node
            && (matches!(name.id.as_str(), "locals" | "vars" | "exec" | "eval")
                || name.ctx == ExprContext::Del && name.id == self.name)
        {
            self.all_plain = false;
        }
        if let AnyNodeRef::ExprName(name) = node
            && name.ctx == ExprContext::Load
            && name.id == self.name
        {
            let semantics = &self.file.semantics;
            let may_be_it = semantics.bindings(name).is_none_or(|definitions| {
                definitions.iter().any(|definition| {
                    semantics
                        .definition_range(*definition)
                        .is_none_or(|range| range.contains_range(self.binding))
                })
            });
            let site = Site {
                ancestors: &self.ancestors,
                node,
            };
            let plain = match use_of(&site) {
                Use::Plain => !is_compared_with_awaitable(self.file, &site),
                Use::Argument(call) => takes_plain_values(self.file, call),
                _ => false,
            };
            self.all_plain &= plain || !may_be_it;
        }
        self.ancestors.push(node);
        TraversalSignal::Traverse
    }

    fn leave_node(&mut self, _node: AnyNodeRef<'f>) {
        self.ancestors.pop();
    }
}
