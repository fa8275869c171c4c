//! The values that may reach an expression, within one file and without types: in `f = a if x else b; f()`, what is
//! called is `a` or `b`.

use ruff_python_ast::{self as ast, Expr};
use ruff_text_size::Ranged;
use ty_python_core::definition::{Definition, DefinitionKind, TargetKind};

use super::collections::Part;
use crate::infer::callee_awaitability::returned_by;
use crate::limits::{Limit, REACHING, STEPS};
use crate::resolve::semantics::Semantics;

impl<'db> Semantics<'db> {
    /// The expressions that may be called in the end where `callee` is called, without `callee` itself: the values that
    /// it may have, what a lambda or an unannotated sync function calls for its return value, and the function in a
    /// `functools.partial`. `None` where there are too many ([`REACHING`]).
    pub(crate) fn called_behind<'e>(&'e self, callee: &'e Expr) -> Option<Vec<&'e Expr>> {
        let mut found = Vec::new();
        self.add_behind(callee, true, STEPS, &mut found);
        REACHING.has_room(found.len()).then_some(found)
    }

    /// The expressions that the value of `expr` may come from, without `expr` itself: at most [`REACHING`], and none
    /// more than [`STEPS`] steps away.
    pub fn values_behind<'e>(&'e self, expr: &'e Expr) -> Vec<&'e Expr> {
        let mut found = Vec::new();
        self.add_behind(expr, false, STEPS, &mut found);
        found
    }

    fn add_behind<'e>(
        &'e self,
        expr: &'e Expr,
        is_called: bool,
        steps: Limit,
        found: &mut Vec<&'e Expr>,
    ) {
        let Some(steps) = steps.less() else {
            return;
        };
        for value in self.next_behind(expr, is_called) {
            let is_known = found.iter().any(|known| known.range() == value.range());
            if !is_known && REACHING.has_room(found.len()) {
                found.push(value);
                self.add_behind(value, is_called, steps, found);
            }
        }
    }

    /// The expressions one step behind. `is_called` is whether the value is called, so that what a function returns
    /// counts.
    fn next_behind<'e>(&'e self, expr: &'e Expr, is_called: bool) -> Vec<&'e Expr> {
        match expr {
            Expr::Name(name) => {
                let definitions = self.bindings(name).unwrap_or_default().into_iter();
                definitions
                    .flat_map(|definition| self.given_by(name, definition, is_called))
                    .collect()
            }
            Expr::BoolOp(either) => either.values.iter().collect(),
            Expr::If(either) => vec![&either.body, &either.orelse],
            Expr::Named(named) => vec![&named.value],
            Expr::Subscript(subscript) => match self.written_out(&subscript.value) {
                Some(Expr::Dict(table)) => table.items.iter().map(|item| &item.value).collect(),
                Some(
                    Expr::List(ast::ExprList { elts, .. })
                    | Expr::Tuple(ast::ExprTuple { elts, .. }),
                ) => elts.iter().collect(),
                _ => Vec::new(),
            },
            Expr::Lambda(function) if is_called => self.called_by(&function.body),
            Expr::Call(call) if is_called && self.means(&call.func, &["functools.partial"]) => {
                call.arguments.args.first().into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    /// The callees of the calls that a value may come from.
    fn called_by<'e>(&'e self, value: &'e Expr) -> Vec<&'e Expr> {
        let values = std::iter::once(value).chain(self.values_behind(value));
        values
            .filter_map(|value| Some(&*value.as_call_expr()?.func))
            .collect()
    }

    /// The expressions whose value a definition may bind to `name`.
    fn given_by<'e>(
        &'e self,
        name: &'e ast::ExprName,
        definition: Definition<'db>,
        is_called: bool,
    ) -> Vec<&'e Expr> {
        match definition.kind(self.db()) {
            DefinitionKind::Assignment(assignment) => {
                let value = assignment.value(self.module());
                match (assignment.unpack(), value) {
                    // `handler: Callable[..., Coroutine]`, then `handler = table[key]`: the annotation holds for all
                    // items of the table, so there is no need to look at them.
                    (None, Expr::Subscript(_)) if self.declared_before(definition).is_some() => {
                        Vec::new()
                    }
                    (None, value) => vec![value],
                    (Some(unpacked), Expr::Tuple(values)) => {
                        let place = self.place_among(name, unpacked);
                        let value = place.and_then(|(place, _)| values.elts.get(place));
                        value.into_iter().collect()
                    }
                    _ => Vec::new(),
                }
            }
            DefinitionKind::AnnotatedAssignment(assignment) => {
                assignment.value(self.module()).into_iter().collect()
            }
            DefinitionKind::NamedExpression(named) => vec![&*named.node(self.module()).value],
            DefinitionKind::For(clause) if !clause.is_async() => {
                let iterable = clause.iterable(self.module());
                let taken = self.taken_one_by_one(name, clause.target_kind(), iterable);
                taken.into_iter().flatten().flatten().collect()
            }
            DefinitionKind::Comprehension(clause) if !clause.is_async() => {
                let iterable = clause.iterable(self.module());
                let taken = self.taken_one_by_one(name, clause.target_kind(), iterable);
                taken.into_iter().flatten().flatten().collect()
            }
            DefinitionKind::Function(function) if is_called => {
                let function = function.node(self.module());
                let is_open = !function.is_async && function.returns.is_none();
                let returned = returned_by(&function.body).into_iter().flatten();
                returned
                    .filter(|_| is_open)
                    .flat_map(|value| self.called_by(value))
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    /// The items that a loop over a literal list or tuple binds to `name`, in order; an item that is not known is a
    /// `None` among them. `None` for the whole where the loop is over something else.
    fn taken_one_by_one<'e>(
        &'e self,
        name: &ast::ExprName,
        target: TargetKind<'db>,
        iterable: &'e Expr,
    ) -> Option<Vec<Option<&'e Expr>>> {
        let (held, part) = self.taken(name, target, iterable)?;
        let (Expr::List(ast::ExprList { elts, .. }) | Expr::Tuple(ast::ExprTuple { elts, .. })) =
            held
        else {
            return None;
        };
        let given = elts.iter().map(|item| match (part, item) {
            (_, Expr::Starred(_)) => None,
            (Part::Item, item) => Some(item),
            (Part::InItem(place), Expr::Tuple(item)) => {
                let mut before = item.elts.iter().take(place);
                let is_plain = !before.any(Expr::is_starred_expr);
                item.elts.get(place).filter(|_| is_plain)
            }
            _ => None,
        });
        Some(given.collect())
    }

    /// Whether a loop over a literal list or tuple binds nothing but coroutine functions to `name`:
    /// `for step in (first, second)`.
    pub(crate) fn takes_coroutine_functions(
        &self,
        name: &ast::ExprName,
        target: TargetKind<'db>,
        iterable: &Expr,
    ) -> bool {
        self.taken_one_by_one(name, target, iterable)
            .is_some_and(|given| {
                !given.is_empty()
                    && given.into_iter().all(|given| {
                        given.is_some_and(|given| self.is_one_more_coroutine_function(given))
                    })
            })
    }

    /// The expression itself or, for a name, the value of its only binding.
    fn written_out<'e>(&'e self, expr: &'e Expr) -> Option<&'e Expr> {
        match expr {
            Expr::Name(name) => self.value_behind(name),
            other => Some(other),
        }
    }
}
