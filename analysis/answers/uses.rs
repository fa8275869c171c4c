//! Whether the code around a coroutine treats it as the value it would give when awaited.

use std::sync::LazyLock;

use asyncfix_knowledge::plain_values::TABLE;
use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::{Owner, Site};
use asyncfix_syntax::words::has_word;
use ruff_python_ast::helpers::{any_over_body, map_subscript};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{
    self as ast, AnyNodeRef, BoolOp, CmpOp, Expr, ExprContext, Operator, UnaryOp,
};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::FxHashSet;
use ty_python_core::definition::Definition;

use crate::answers::said_plain::{is_plain, is_said_plain};
use crate::answers::takes_coroutine::{spawns, takes_awaitables, takes_coroutine};
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
    /// It is iterated or entered asynchronously, which a coroutine cannot be.
    Entered,
    /// It is returned.
    Returned,
    /// A list of such values is bound to one name.
    Collected(&'a ast::ExprName),
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
        AnyNodeRef::StmtReturn(_) => Use::Returned,
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
        AnyNodeRef::StmtFor(statement) if statement.is_async && is_it(&statement.iter) => {
            Use::Entered
        }
        AnyNodeRef::Comprehension(clause) if clause.is_async && is_it(&clause.iter) => Use::Entered,
        AnyNodeRef::WithItem(item) if is_it(&item.context_expr) => {
            match site.outer().and_then(|outer| outer.parent()) {
                Some(AnyNodeRef::StmtWith(ast::StmtWith { is_async: true, .. })) => Use::Entered,
                _ => Use::Other,
            }
        }
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
        AnyNodeRef::ExprListComp(list) if is_it(&list.elt) => {
            match site.outer().and_then(|outer| outer.parent()) {
                Some(AnyNodeRef::StmtAssign(statement)) => match statement.targets.as_slice() {
                    [Expr::Name(name)] => Use::Collected(name),
                    _ => Use::Other,
                },
                _ => Use::Other,
            }
        }
        // `any(is_ripe(apple) for apple in apples)`
        AnyNodeRef::ExprGenerator(generator) if is_it(&generator.elt) => {
            let arguments = site.outer().and_then(|generator| generator.outer());
            match arguments.and_then(|arguments| arguments.parent()) {
                Some(AnyNodeRef::ExprCall(call))
                    if last_name(&call.func)
                        .is_some_and(|name| ASKING_FOR_EACH.contains(&name)) =>
                {
                    Use::Argument(call)
                }
                _ => Use::Other,
            }
        }
        // `{**options()}`
        AnyNodeRef::ExprDict(dict) => plain(
            dict.items
                .iter()
                .any(|item| item.key.is_none() && is_it(&item.value)),
        ),
        AnyNodeRef::ExprTuple(tuple) => match site.outer().and_then(|outer| outer.parent()) {
            // `one, other = first(), second()`
            Some(AnyNodeRef::StmtAssign(statement)) => match statement.targets.as_slice() {
                [Expr::Tuple(targets)] if targets.len() == tuple.len() => {
                    let mut pairs = tuple.elts.iter().zip(&targets.elts);
                    let are_plain = !tuple.iter().chain(targets).any(Expr::is_starred_expr);
                    match pairs.find(|(value, _)| is_it(value)) {
                        Some((_, Expr::Name(name))) if are_plain => Use::Bound(name),
                        _ => Use::Other,
                    }
                }
                _ => Use::Other,
            },
            // `"%s: %s" % (name, value())`
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

/// Functions that use each of the things which they are given.
const ASKING_FOR_EACH: [&str; 5] = ["any", "all", "sum", "min", "max"];

/// What a value is that the code may take for another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    Coroutine,
    Future,
}

impl Subject {
    /// Whether what the code around does is about the value that is missing: futures have methods that others have use
    /// for, and whether one is there can be asked.
    fn has_use(self, site: &Site<'_, '_>) -> bool {
        self == Self::Coroutine
            || self.fails_at(site)
            || matches!(site.parent(), Some(AnyNodeRef::InterpolatedElement(_)))
    }

    /// Whether the code around the value does what it does not survive.
    fn fails_at(self, site: &Site<'_, '_>) -> bool {
        let is_own =
            self == Self::Future && matches!(site.parent(), Some(AnyNodeRef::ExprAttribute(_)));
        !is_own && is_impossible(site)
    }

    /// Whether a call takes the value at `range` as what it is not. To print a future shows that it is one.
    fn fails_in(self, file: &ParsedFile<'_, '_>, call: &ast::ExprCall, range: TextRange) -> bool {
        let is_shown = self == Self::Future && file.semantics.means(&call.func, &TAKERS.0);
        !is_shown && is_said_plain(file, call, range) == Some(true)
    }
}

/// Whether the code around a value does what no coroutine survives.
pub fn is_impossible(site: &Site<'_, '_>) -> bool {
    let is_it = |expr: &Expr| expr.range() == site.node.range();
    match site.parent() {
        Some(AnyNodeRef::ExprSubscript(subscript)) => is_it(&subscript.value),
        Some(AnyNodeRef::ExprAttribute(attribute)) => !is_of_coroutines(&attribute.attr),
        Some(
            AnyNodeRef::ExprBinOp(_) | AnyNodeRef::StmtAugAssign(_) | AnyNodeRef::ExprStarred(_),
        ) => true,
        Some(AnyNodeRef::StmtAssign(statement)) => statement
            .targets
            .iter()
            .any(|target| target.is_tuple_expr() || target.is_list_expr()),
        Some(AnyNodeRef::ExprUnaryOp(operation)) => operation.op != UnaryOp::Not,
        Some(AnyNodeRef::ExprCompare(comparison)) => comparison
            .ops
            .iter()
            .any(|op| matches!(op, CmpOp::Lt | CmpOp::LtE | CmpOp::Gt | CmpOp::GtE)),
        Some(AnyNodeRef::StmtFor(statement)) => is_it(&statement.iter),
        Some(AnyNodeRef::Comprehension(clause)) => is_it(&clause.iter),
        _ => false,
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

/// Whether `call` takes its arguments as plain values, that at `range` above all.
fn takes_plain_values(file: &ParsedFile<'_, '_>, call: &ast::ExprCall, range: TextRange) -> bool {
    file.semantics.means(&call.func, &TAKERS.0)
        || is_method_of_text(call)
        || is_said_plain(file, call, range) == Some(true)
}

/// Whether a method of a text is called: `"{} apples".format(…)`.
fn is_method_of_text(call: &ast::ExprCall) -> bool {
    matches!(&*call.func, Expr::Attribute(method)
        if method.value.is_string_literal_expr() || method.value.is_f_string_expr())
}

/// The last names of the functions that take coroutines.
static TAKERS_OF_COROUTINES: LazyLock<FxHashSet<&str>> = LazyLock::new(|| {
    let table = &asyncfix_knowledge::concurrency::TABLE;
    let paths = table.takers.iter().chain(&table.takers_of_one);
    paths.filter_map(|path| path.rsplit('.').next()).collect()
});

/// Whether the value of the expression at `site` may be forgotten, judged by the tree alone.
pub fn may_be_forgotten(spellings: &Spellings, site: &Site<'_, '_>) -> bool {
    match use_of(site) {
        Use::Other => false,
        Use::Dropped | Use::Plain | Use::Bound(_) | Use::Collected(_) | Use::Entered => true,
        Use::Argument(taker) => {
            is_method_of_text(taker)
                || last_name(&taker.func).is_some_and(|name| {
                    let (paths, names) = &*TAKERS;
                    let is_known = (names.contains(name) || taker.func.is_name_expr())
                        && spellings.allow(&taker.func, paths);
                    is_known || !TAKERS_OF_COROUTINES.contains(name)
                })
        }
        Use::Returned => returns_plain(site) || leaves_block(site),
    }
}

/// Whether what a `return` gives is made by a call on what an `async with` around it has entered, in a coroutine function
/// that says nothing of what it gives: the block is left, and that closed, before anybody can await it.
fn leaves_block(site: &Site<'_, '_>) -> bool {
    let AnyNodeRef::ExprCall(call) = site.node else {
        return false;
    };
    let mut receiver = &*call.func;
    while let Expr::Attribute(attribute) = receiver {
        receiver = &attribute.value;
    }
    let (Expr::Name(object), Owner::Function(function)) = (receiver, site.owner()) else {
        return false;
    };
    let is_object = |expr: &Expr| matches!(expr, Expr::Name(name) if name.id == object.id);
    let mut around = site.enclosing_in_function();
    call.func.is_attribute_expr()
        && function.is_async
        && function.returns.is_none()
        && !awaits_twice(site, &function.name)
        && around.any(|(node, _)| {
            matches!(node, AnyNodeRef::StmtWith(with)
                if with.is_async
                    && with.items.iter().filter_map(|item| item.optional_vars.as_deref()).any(is_object))
        })
}

/// Whether the file awaits what it has awaited of a function of this name.
fn awaits_twice(site: &Site<'_, '_>, function: &str) -> bool {
    let Some(AnyNodeRef::ModModule(module)) = site.ancestors.first() else {
        return false;
    };
    any_over_body(&module.body, |expr| {
        matches!(expr, Expr::Await(outer)
            if matches!(&*outer.value, Expr::Await(inner)
                if matches!(&*inner.value, Expr::Call(call)
                    if last_name(&call.func) == Some(function))))
    })
}

/// Whether the coroutine function around a `return` says that it gives something plain, judged by the tree alone.
fn returns_plain(site: &Site<'_, '_>) -> bool {
    let Owner::Function(function) = site.owner() else {
        return false;
    };
    function.is_async
        && function.decorator_list.is_empty()
        && function.returns.as_deref().is_some_and(|annotation| {
            annotation.is_none_literal_expr() || last_name(map_subscript(annotation)).is_some()
        })
}

/// Whether the value of the expression at `site`, part of the code of `owner`, is never awaited: it
/// is dropped, or only ever used as a plain value.
pub fn is_forgotten(file: &ParsedFile<'_, '_>, site: &Site<'_, '_>, owner: Owner<'_>) -> bool {
    match use_of(site) {
        Use::Other => false,
        Use::Dropped | Use::Plain | Use::Entered => true,
        Use::Argument(taker) => takes_plain_values(file, taker, site.node.range()),
        // `_ = work()` says that it is meant.
        Use::Bound(name) => {
            name.id != "_"
                && uses_of(file, owner, name, Subject::Coroutine)
                    .is_some_and(|uses| uses.take_it_as_plain_value())
        }
        Use::Collected(name) => are_taken_as_plain_values(file, owner, name),
        Use::Returned if leaves_block(site) => true,
        Use::Returned => {
            returns_plain(site)
                && matches!(owner, Owner::Function(function)
                        if function.returns.as_deref()
                        .is_some_and(|annotation| is_plain(&file.semantics, annotation)))
        }
    }
}

/// Whether what a list holds is used by loops over it that a coroutine does not survive, and the list for nothing else.
fn are_taken_as_plain_values(
    file: &ParsedFile<'_, '_>,
    owner: Owner<'_>,
    name: &ast::ExprName,
) -> bool {
    let Some(uses) = uses_of(file, owner, name, Subject::Coroutine) else {
        return false;
    };
    let mut loops = uses.loops.iter();
    uses.all_looped
        && !uses.loops.is_empty()
        && loops.all(|target| {
            uses_of(file, owner, target, Subject::Coroutine)
                .is_some_and(|uses| uses.fail && !uses.may_await)
        })
}

/// How the code takes a future for what it will hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistaken {
    /// It does not, as far as it is seen.
    Not,
    /// It reads the future and never waits for it.
    Read,
    /// It does what no future survives.
    Impossible,
}

/// How the future that the expression at `site` gives, part of the code of `owner`, is taken for its result.
pub fn future_mistaken(
    file: &ParsedFile<'_, '_>,
    site: &Site<'_, '_>,
    owner: Owner<'_>,
) -> Mistaken {
    let (is_read, fails) = match use_of(site) {
        Use::Plain => (
            Subject::Future.has_use(site),
            Subject::Future.fails_at(site),
        ),
        Use::Entered => (true, true),
        Use::Argument(taker) => {
            let range = site.node.range();
            (
                takes_plain_values(file, taker, range),
                Subject::Future.fails_in(file, taker, range),
            )
        }
        Use::Bound(name) if name.id != "_" && matches!(owner, Owner::Function(_)) => {
            match uses_of(file, owner, name, Subject::Future) {
                Some(uses) => (uses.take_it_as_plain_value(), uses.fail && !uses.may_await),
                None => (false, false),
            }
        }
        _ => (false, false),
    };
    match (is_read, fails) {
        (_, true) => Mistaken::Impossible,
        (true, false) => Mistaken::Read,
        (false, false) => Mistaken::Not,
    }
}

/// Whether the value of the expression at `site`, or the variable that it is bound to, is iterated or entered
/// asynchronously.
pub fn is_entered(file: &ParsedFile<'_, '_>, site: &Site<'_, '_>, owner: Owner<'_>) -> bool {
    match use_of(site) {
        Use::Entered => true,
        Use::Bound(name) => {
            uses_of(file, owner, name, Subject::Coroutine).is_some_and(|uses| uses.enter)
        }
        _ => false,
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

/// What the code of `owner` does with the variable `name`. `None` where it may be used elsewhere, or by other ways.
fn uses_of<'f, 'a, 'db>(
    file: &'f ParsedFile<'a, 'db>,
    owner: Owner<'f>,
    name: &'f ast::ExprName,
    subject: Subject,
) -> Option<UsesOfName<'f, 'a, 'db>> {
    let body = match owner {
        Owner::Function(function) => function.body.as_slice(),
        Owner::Module if !file.is_imported_name(&name.id) => file.body(),
        Owner::Module | Owner::Lambda(_) => return None,
    };
    let scope = file.semantics.scope_of_owner(owner)?;
    if file.semantics.is_shared(&name.id, scope) {
        return None;
    }
    let mut uses = UsesOfName {
        file,
        name: &name.id,
        subject,
        binding: name.range(),
        ancestors: Vec::new(),
        is_hidden: false,
        all_plain: true,
        fail: false,
        may_await: false,
        enter: false,
        loops: Vec::new(),
        all_looped: true,
    };
    uses.visit_body(body);
    (!uses.is_hidden).then_some(uses)
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an answer of its own"
)]
struct UsesOfName<'f, 'a, 'db> {
    file: &'f ParsedFile<'a, 'db>,
    name: &'f str,
    subject: Subject,
    binding: TextRange,
    ancestors: Vec<AnyNodeRef<'f>>,
    /// Whether the code reaches its names as text, or takes them away.
    is_hidden: bool,
    /// Whether each takes it as a plain value.
    all_plain: bool,
    /// Whether one of them fails with a coroutine, and what it finds is this value whatever happens.
    fail: bool,
    /// Whether one of them awaits it, or asks what it is.
    may_await: bool,
    /// Whether one of them iterates or enters it asynchronously.
    enter: bool,
    /// The variables of the loops over it.
    loops: Vec<&'f ast::ExprName>,
    /// Whether all of them are such loops, or ask how much it holds.
    all_looped: bool,
}

/// The variable of a plain loop over the value at `site`.
fn loop_over<'a>(site: &Site<'_, 'a>) -> Option<&'a ast::ExprName> {
    let is_it = |expr: &Expr| expr.range() == site.node.range();
    match site.parent()? {
        AnyNodeRef::StmtFor(statement) if !statement.is_async && is_it(&statement.iter) => {
            statement.target.as_name_expr()
        }
        AnyNodeRef::Comprehension(clause) if !clause.is_async && is_it(&clause.iter) => {
            clause.target.as_name_expr()
        }
        _ => None,
    }
}

impl UsesOfName<'_, '_, '_> {
    /// Whether no use could ever await it, or one of them proves that none does.
    fn take_it_as_plain_value(&self) -> bool {
        self.all_plain || self.fail && !self.may_await
    }

    /// Whether a use may await what it is given, or have it awaited, or asks what it is.
    fn may_await(&self, site: &Site<'_, '_>) -> bool {
        let semantics = &self.file.semantics;
        // What a call is given among others, as in `remove([one, other])`, is no coroutine to whom it does not say so.
        let mut is_among_others = false;
        let mut is_data = false;
        site.enclosing_in_function()
            .any(|(node, child)| match node {
                AnyNodeRef::ExprAwait(_) => !is_data,
                AnyNodeRef::ExprList(_) | AnyNodeRef::ExprTuple(_) | AnyNodeRef::ExprSet(_) => {
                    is_among_others = true;
                    false
                }
                AnyNodeRef::ExprCall(call) if call.func.range() != child.range() => {
                    is_data |= is_among_others;
                    takes_coroutine(semantics, &call.func).is_some()
                        || spawns(&call.func)
                        || takes_awaitables(semantics, call)
                        || last_name(&call.func).is_some_and(|name| {
                            has_word(
                                name,
                                &asyncfix_knowledge::concurrency::TABLE.gathering_words,
                            ) || matches!(
                                name,
                                "isawaitable"
                                    | "iscoroutine"
                                    | "isinstance"
                                    | "hasattr"
                                    | "getattr"
                                    | "callable"
                            )
                        })
                }
                _ => false,
            })
    }
}

impl<'f, 'db> SourceOrderVisitor<'f> for UsesOfName<'f, '_, 'db> {
    fn enter_node(&mut self, node: AnyNodeRef<'f>) -> TraversalSignal {
        if let AnyNodeRef::ExprName(name) = node
            && (matches!(name.id.as_str(), "locals" | "vars" | "exec" | "eval")
                || name.ctx == ExprContext::Del && name.id == self.name)
        {
            self.is_hidden = true;
        }
        if let AnyNodeRef::ExprName(name) = node
            && name.ctx == ExprContext::Load
            && name.id == self.name
        {
            let semantics = &self.file.semantics;
            let bindings = semantics.bindings(name);
            let is_it = |definition: &Definition<'db>| {
                semantics
                    .definition_range(*definition)
                    .is_none_or(|range| range.contains_range(self.binding))
            };
            let may_be_it = bindings
                .as_ref()
                .is_none_or(|definitions| definitions.iter().any(is_it));
            let is_certain = bindings
                .as_deref()
                .is_some_and(|definitions| matches!(definitions, [one] if is_it(one)));
            let site = Site {
                ancestors: &self.ancestors,
                node,
            };
            let used = use_of(&site);
            let target = loop_over(&site);
            let asks_for_length = matches!(used, Use::Argument(call)
                if semantics.means(&call.func, &["builtins.len"]));
            if may_be_it {
                self.all_looped &= target.is_some() || asks_for_length;
                self.loops.extend(target);
            }
            let plain = match used {
                Use::Plain => {
                    self.subject.has_use(&site) && !is_compared_with_awaitable(self.file, &site)
                }
                Use::Entered => true,
                Use::Argument(call) => takes_plain_values(self.file, call, node.range()),
                _ => false,
            };
            self.all_plain &= plain || !may_be_it;
            self.enter |= used == Use::Entered && may_be_it;
            self.fail |= is_certain
                && (used == Use::Entered
                    || self.subject.fails_at(&site)
                    || matches!(used, Use::Argument(call)
                        if self.subject.fails_in(self.file, call, node.range())));
            self.may_await |= !plain && self.may_await(&site);
        }
        self.ancestors.push(node);
        TraversalSignal::Traverse
    }

    fn leave_node(&mut self, _node: AnyNodeRef<'f>) {
        self.ancestors.pop();
    }
}
