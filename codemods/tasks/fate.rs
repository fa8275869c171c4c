//! What becomes of the task that a call makes, where it is nothing good.

use asyncfix_syntax::site::{Owner, Site};
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr};
use ruff_text_size::Ranged;

use super::reads::{is_only_watched, is_read_after};

/// A local collection of tasks.
#[derive(Clone, Copy)]
pub(super) struct Collection<'a> {
    pub(super) name: &'a str,
    pub(super) is_dictionary: bool,
    /// Whether nothing else is put into it.
    pub(super) is_of_one_kind: bool,
}

/// What becomes of the task that a call makes, where it is nothing good.
pub(super) enum Fate<'a> {
    /// The call is the statement, or its value goes to `_`.
    Statement,
    /// The value goes to a local name that nothing reads.
    Unread(&'a ast::ExprName),
    /// The value goes to a local name that only a callback is added to.
    Watched(&'a ast::ExprName),
    /// The call is the receiver of another one, which adds a callback and gives nothing.
    Chained(&'a ast::ExprCall),
    /// The value goes to a local collection that nothing reads.
    Collected(Collection<'a>),
    /// The call is the body of a lambda, which may be given to something that drops what it returns.
    Lambda(&'a ast::ExprLambda),
    /// The call is in the argument of a decorator.
    Decorator,
    /// The call is the element of a list that is dropped.
    Comprehension,
    /// The call is an operand of an expression statement: `ready and create_task(…)`.
    Operand,
}

pub(super) fn fate<'a>(site: &Site<'_, 'a>, call: &'a ast::ExprCall) -> Option<Fate<'a>> {
    let is_call = |expr: &Expr| expr.range() == call.range();
    match site.parent()? {
        AnyNodeRef::StmtExpr(statement) if is_call(&statement.value) => Some(Fate::Statement),
        AnyNodeRef::StmtAssign(statement) if is_call(&statement.value) => {
            let names: Option<Vec<_>> = statement.targets.iter().map(Expr::as_name_expr).collect();
            let names = names?;
            let name = names.first().copied()?;
            let Owner::Function(function) = site.owner() else {
                return (name.id == "_" && names.len() == 1).then_some(Fate::Statement);
            };
            if names.len() == 1 && name.id == "_" && !is_read_after(site, function, "_") {
                return Some(Fate::Statement);
            }
            let mut all = names.iter();
            if all.all(|name| !is_read_after(site, function, &name.id)) {
                return Some(Fate::Unread(name));
            }
            (names.len() == 1 && is_only_watched(site, function, &name.id))
                .then_some(Fate::Watched(name))
        }
        AnyNodeRef::StmtAnnAssign(statement) if statement.value.as_deref().is_some_and(is_call) => {
            let Expr::Name(name) = &*statement.target else {
                return None;
            };
            let Owner::Function(function) = site.owner() else {
                return None;
            };
            if !is_read_after(site, function, &name.id) {
                return Some(Fate::Unread(name));
            }
            is_only_watched(site, function, &name.id).then_some(Fate::Watched(name))
        }
        AnyNodeRef::ExprAttribute(method) if &method.attr == "add_done_callback" => {
            let method = site.outer()?;
            let AnyNodeRef::ExprCall(callback) = method.parent()? else {
                return None;
            };
            let is_called = callback.func.range() == method.node.range();
            let is_dropped =
                matches!(method.outer()?.parent()?, AnyNodeRef::StmtExpr(_)) && is_called;
            is_dropped.then_some(Fate::Chained(callback))
        }
        AnyNodeRef::Arguments(_) if in_decorator(site) => Some(Fate::Decorator),
        // `tasks.append(create_task(…))`
        AnyNodeRef::Arguments(_) => {
            let adding = site.outer()?.outer()?;
            let AnyNodeRef::ExprCall(add) = adding.node else {
                return None;
            };
            let is_statement = matches!(adding.parent()?, AnyNodeRef::StmtExpr(_));
            let is_only = matches!(&*add.arguments.args, [only] if is_call(only))
                && add.arguments.keywords.is_empty();
            let name = filled(add).filter(|_| is_statement && is_only)?;
            let Owner::Function(function) = site.owner() else {
                return None;
            };
            let times = times_filled(function, name)?;
            Some(Fate::Collected(Collection {
                name,
                is_dictionary: false,
                is_of_one_kind: times == 1,
            }))
        }
        AnyNodeRef::ExprList(_) | AnyNodeRef::ExprSet(_) | AnyNodeRef::ExprDict(_) => {
            let collection = site.outer()?;
            let (is_dictionary, count) = match collection.node {
                AnyNodeRef::ExprDict(dict) => (true, dict.items.len()),
                AnyNodeRef::ExprList(list) => (false, list.elts.len()),
                AnyNodeRef::ExprSet(set) => (false, set.elts.len()),
                _ => return None,
            };
            let AnyNodeRef::StmtAssign(statement) = collection.parent()? else {
                return None;
            };
            let ([Expr::Name(name)], Owner::Function(function)) =
                (statement.targets.as_slice(), site.owner())
            else {
                return None;
            };
            let is_value = statement.value.range() == collection.node.range();
            (is_value && name.id != "_" && !is_read_after(site, function, &name.id)).then_some(
                Fate::Collected(Collection {
                    name: &name.id,
                    is_dictionary,
                    is_of_one_kind: count == 1,
                }),
            )
        }
        AnyNodeRef::ExprListComp(comprehension) if is_call(&comprehension.elt) => {
            let list = site.outer()?;
            match list.parent()? {
                AnyNodeRef::StmtExpr(_) => Some(Fate::Comprehension),
                AnyNodeRef::StmtAssign(statement)
                    if statement.value.range() == list.node.range() =>
                {
                    let ([Expr::Name(name)], Owner::Function(function)) =
                        (statement.targets.as_slice(), site.owner())
                    else {
                        return None;
                    };
                    (name.id != "_" && !is_read_after(site, function, &name.id)).then_some(
                        Fate::Collected(Collection {
                            name: &name.id,
                            is_dictionary: false,
                            is_of_one_kind: true,
                        }),
                    )
                }
                _ => None,
            }
        }
        AnyNodeRef::ExprLambda(lambda) if is_call(&lambda.body) => Some(Fate::Lambda(lambda)),
        AnyNodeRef::ExprBoolOp(_) | AnyNodeRef::ExprIf(_) => {
            let outer = site.outer()?;
            let is_statement = matches!(outer.parent()?, AnyNodeRef::StmtExpr(_));
            let is_value = match outer.node {
                AnyNodeRef::ExprBoolOp(operation) => operation.values.last().is_some_and(is_call),
                AnyNodeRef::ExprIf(conditional) => !is_call(&conditional.test),
                _ => false,
            };
            (is_statement && is_value).then_some(Fate::Operand)
        }
        _ => None,
    }
}

/// The variable of the collection that a call adds something to.
fn filled(call: &ast::ExprCall) -> Option<&str> {
    match &*call.func {
        Expr::Attribute(method) if matches!(method.attr.as_str(), "append" | "add") => {
            Some(method.value.as_name_expr()?.id.as_str())
        }
        _ => None,
    }
}

/// In how many places a function adds something to a collection that it makes empty. `None` where it does anything else
/// with it.
fn times_filled(function: &ast::StmtFunctionDef, name: &str) -> Option<usize> {
    struct Search<'n, 'a> {
        name: &'n str,
        ancestors: Vec<AnyNodeRef<'a>>,
        is_made: bool,
        times: usize,
        is_other: bool,
    }
    impl<'a> SourceOrderVisitor<'a> for Search<'_, 'a> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            match node {
                AnyNodeRef::ExprName(name) if name.id == self.name => {
                    let around = match self.ancestors.as_slice() {
                        [.., outer, inner] => Some((outer, inner)),
                        _ => None,
                    };
                    let parent = self.ancestors.last();
                    match (parent, around) {
                        (Some(AnyNodeRef::StmtAssign(made)), _) if is_empty(&made.value) => {
                            self.is_made = true;
                        }
                        (Some(AnyNodeRef::StmtAnnAssign(made)), _)
                            if made.value.as_deref().is_some_and(is_empty) =>
                        {
                            self.is_made = true;
                        }
                        (_, Some((AnyNodeRef::ExprCall(add), AnyNodeRef::ExprAttribute(_))))
                            if filled(add) == Some(self.name) =>
                        {
                            self.times += 1;
                        }
                        _ => self.is_other = true,
                    }
                }
                AnyNodeRef::StmtGlobal(ast::StmtGlobal { names, .. })
                | AnyNodeRef::StmtNonlocal(ast::StmtNonlocal { names, .. }) => {
                    self.is_other |= names.iter().any(|other| other.as_str() == self.name);
                }
                _ => {}
            }
            self.ancestors.push(node);
            TraversalSignal::Traverse
        }

        fn leave_node(&mut self, _node: AnyNodeRef<'a>) {
            self.ancestors.pop();
        }
    }
    let mut search = Search {
        name,
        ancestors: Vec::new(),
        is_made: false,
        times: 0,
        is_other: false,
    };
    search.visit_body(&function.body);
    (search.is_made && !search.is_other).then_some(search.times)
}

/// Whether an expression is an empty list or set.
fn is_empty(value: &Expr) -> bool {
    match value {
        Expr::List(list) => list.elts.is_empty(),
        Expr::Call(call) => {
            call.arguments.is_empty()
                && matches!(&*call.func, Expr::Name(name)
                    if matches!(name.id.as_str(), "list" | "set"))
        }
        _ => false,
    }
}

/// Whether the node is an argument of a decorator.
fn in_decorator(site: &Site<'_, '_>) -> bool {
    let mut outer = site.ancestors.iter().rev();
    matches!(outer.next(), Some(AnyNodeRef::Arguments(_)))
        && matches!(outer.next(), Some(AnyNodeRef::ExprCall(_)))
        && matches!(outer.next(), Some(AnyNodeRef::Decorator(_)))
}
