//! What is written for a `gather`: the argument, and the guard behind it.

use asyncfix_analysis::answers::coroutines::Member;
use asyncfix_analysis::answers::endings::Doubt;
use asyncfix_analysis::settings::GatherGuard;
use asyncfix_syntax::depth::Depth;
use asyncfix_syntax::queries::last_name;
use asyncfix_syntax::site::Owner;
use ruff_diagnostics::Edit;
use ruff_python_ast::helpers::any_over_body;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange};

use super::results::{self, Consumption, Subject, consumption};
use super::{argument, typed};
use crate::edit::fresh_names;
use crate::edit::insertion::Slot;
use crate::finding::Rewrite;
use crate::gather::return_exceptions::{Gather, Use};

const ARGUMENT: &str = "return_exceptions=True";

pub(super) const TITLE: &str =
    "Add `return_exceptions=True` and raise the first exception after all have finished";

/// Why a new list without an annotation is not for code that is checked strictly.
const UNTOLD: &str =
    "asyncfix can't tell the type of the new list, so type checkers would see `Any`";

/// Why typed code may not take the results as they are.
pub(super) const WIDER: &str = "for type checkers the results become `T | BaseException`";

/// What a new variable for the results is called.
pub(super) const RESULTS: &[&str] = &["results", "gathered"];

/// Whether an annotation is that of a list, written without quotes.
fn is_list(annotation: &Expr) -> bool {
    match annotation {
        Expr::Subscript(subscript) => is_list(&subscript.value),
        other => matches!(last_name(other), Some("list" | "List")),
    }
}

/// Whether a local name of a function with this body is more than a local variable: declared
/// `global` or `nonlocal`, or used by a function or class inside.
fn is_shared(body: &[Stmt], name: &str) -> bool {
    struct Search<'n> {
        name: &'n str,
        depth: Depth,
        found: bool,
    }
    impl<'a> SourceOrderVisitor<'a> for Search<'_> {
        fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
            match node {
                AnyNodeRef::StmtGlobal(ast::StmtGlobal { names, .. })
                | AnyNodeRef::StmtNonlocal(ast::StmtNonlocal { names, .. }) => {
                    self.found |= names.iter().any(|other| other.as_str() == self.name);
                }
                AnyNodeRef::ExprName(other) => {
                    self.found |= self.depth.is_inside() && other.id == self.name;
                }
                _ => {}
            }
            self.depth.enter(node);
            TraversalSignal::Traverse
        }

        fn leave_node(&mut self, node: AnyNodeRef<'a>) {
            self.depth.leave(node);
        }
    }
    let mut search = Search {
        name,
        depth: Depth::default(),
        found: false,
    };
    search.visit_body(body);
    search.found
}

impl Gather<'_, '_, '_, '_> {
    /// `Ok(None)` where the call is better left alone without a word.
    pub(crate) fn rewrite(&self) -> Result<Option<Rewrite>, String> {
        let guard = self.file.settings.gather_guard;
        let argument = argument::append(self.file, self.call, ARGUMENT)
            .ok_or("`gather()` has no arguments")?;
        if guard == GatherGuard::Never {
            return Ok(self.argument_alone(argument));
        }
        if self.are_cancelled() {
            return Ok(self.argument_alone(argument));
        }
        match self.use_of_value() {
            Use::Bound(target, annotation) => {
                let consumption = self.consumption(target);
                let is_global = self.owner == Owner::Module && target.is_name_expr();
                let nobody_looks = consumption == Consumption::None
                    && (is_global && guard == GatherGuard::Auto || self.is_raised_again());
                // The checks are the guard; a handler around them would never run.
                if consumption == Consumption::Checked || nobody_looks {
                    return Ok(self.argument_alone(argument));
                }
                let rewrite = self.rewrite_bound(argument, target, annotation, consumption)?;
                Ok(Some(
                    rewrite
                        .unsafe_if(self.may_hang(Doubt::may_hang))
                        .unsafe_if(self.changes_order()),
                ))
            }
            Use::Discarded if self.is_raised_again() => Ok(self.argument_alone(argument)),
            Use::Discarded => self.rewrite_discarded(argument).map(Some),
            Use::Consumed if self.is_checked_where_consumed() => Ok(self.argument_alone(argument)),
            Use::Consumed => self
                .rewrite_consumed(argument)
                .map(|rewrite| Some(rewrite.unsafe_if(self.changes_order()))),
        }
    }

    /// `pages = await …`: the guard behind the statement, or a list that type checkers know as well as before.
    fn rewrite_bound(
        &self,
        argument: Edit,
        target: &Expr,
        annotation: Option<&Expr>,
        consumption: Consumption,
    ) -> Result<Rewrite, String> {
        let outlives = self.outlives_guard(target);
        let is_list = annotation.is_some_and(is_list);
        let wider = if annotation.is_some() {
            (!is_list).then_some("the annotated type doesn't allow exceptions")
        } else {
            let are_read = consumption == Consumption::Plain || outlives;
            let are_different = || {
                let arguments = &self.call.arguments.args;
                typed::are_different(self.file, arguments, &self.members)
            };
            (are_read && self.is_typed() && are_different()).then_some(WIDER)
        };
        // What is declared as a list of results holds no exceptions, whatever becomes of it.
        let is_read =
            consumption == Consumption::Plain || is_list && consumption != Consumption::Checked;
        if wider.is_none() && self.is_typed() && is_read {
            return self.rebuild(argument, target, annotation, outlives);
        }
        if outlives {
            // Somebody else could see the exceptions before, or although, one is raised.
            return self.bind_first(argument, wider);
        }
        let slot = Slot::of(self.file, &self.place)?;
        let guard = self.guard(self.file.text(target));
        let edits = [Some(argument), slot.prefix(""), Some(slot.after(&guard))];
        Ok(Rewrite::safe(TITLE, edits.into_iter().flatten().collect()).unsafe_if(wider))
    }

    /// The results get a name of their own, and the target a list of them that holds no exceptions.
    fn rebuild(
        &self,
        argument: Edit,
        target: &Expr,
        annotation: Option<&Expr>,
        outlives: bool,
    ) -> Result<Rewrite, String> {
        let list = match target {
            _ if !outlives => self.file.text(target).to_owned(),
            Expr::Attribute(attribute) => self.fresh(&[&attribute.attr, "values"], &[]),
            _ => self.fresh(&["values", "items"], &[]),
        };
        let results = self.fresh(RESULTS, &[&list]);
        let is_bound_once = || {
            let scope = self.file.semantics.scope_of_owner(self.owner);
            let name = target.as_name_expr();
            name.zip(scope).is_some_and(|(name, scope)| {
                let definitions = self.file.semantics.lookup(&name.id, scope);
                definitions.is_some_and(|definitions| definitions.len() == 1)
            })
        };
        let is_new = outlives || is_bound_once();
        let annotation = match annotation {
            Some(annotation) => Some(self.file.text(annotation).to_owned()),
            None if is_new => typed::annotation_of_results(self.file, self.owner, &self.members),
            None => None,
        };
        let untold = (is_new && annotation.is_none() && self.file.settings.asks_for_annotations)
            .then_some(UNTOLD);
        let annotation =
            annotation.map_or_else(String::new, |annotation| format!(": {annotation}"));
        let mut lines = Vec::new();
        if outlives || !self.is_empty_list(target) {
            lines.push(format!("{list}{annotation} = []"));
        }
        lines.extend(self.guard_for(&results, Some(&list)));
        let rewrite =
            self.take_apart(argument, &results, lines, outlives.then_some(list.as_str()))?;
        Ok(rewrite.unsafe_if(untold))
    }

    /// Whether the name is that of an empty list already, made further up in the same suite, which nothing has used
    /// since.
    fn is_empty_list(&self, target: &Expr) -> bool {
        let Expr::Name(name) = target else {
            return false;
        };
        let before = self.place.suite.get(..self.place.index).unwrap_or_default();
        let made = before.iter().rposition(|statement| {
            any_over_body(
                std::slice::from_ref(statement),
                |expr| matches!(expr, Expr::Name(other) if other.id == name.id),
            )
        });
        let value = match made.and_then(|at| before.get(at)) {
            Some(Stmt::Assign(assign)) if assign.targets.len() == 1 => {
                assign.targets.first().zip(Some(&*assign.value))
            }
            Some(Stmt::AnnAssign(assign)) => Some(&*assign.target).zip(assign.value.as_deref()),
            _ => None,
        };
        let is_name = |expr: &Expr| matches!(expr, Expr::Name(other) if other.id == name.id);
        value.is_some_and(|(target, value)| {
            is_name(target) && matches!(value, Expr::List(list) if list.elts.is_empty())
        })
    }

    fn consumption(&self, target: &Expr) -> Consumption {
        let Some(subject) = Subject::of(target) else {
            return Consumption::Plain;
        };
        let class = self.site.class().map(|class| class.body.as_slice());
        consumption(
            &self.file.semantics,
            self.body,
            subject,
            self.place.statement.end(),
            class.unwrap_or_default(),
        )
    }

    /// `None` where a `try` around the call waits for an error that would not be raised any more.
    fn argument_alone(&self, argument: Edit) -> Option<Rewrite> {
        (!self.errors_are_handled())
            .then(|| Rewrite::safe("Add `return_exceptions=True`", vec![argument]))
    }

    /// A new name, which is none of `others`.
    fn fresh(&self, wishes: &[&str], others: &[&str]) -> String {
        let wishes: Vec<&str> = wishes
            .iter()
            .copied()
            .filter(|wish| !others.contains(wish))
            .collect();
        fresh_names::fresh(self.file, self.owner, &wishes)
    }

    /// The loop that raises the first exception among `results`, as the lines of the file's style.
    pub(super) fn guard(&self, results: &str) -> Vec<String> {
        self.guard_for(results, None)
    }

    /// The same, which puts everything else in `list`.
    fn guard_for(&self, results: &str, list: Option<&str>) -> Vec<String> {
        let others = [results, list.unwrap_or_default()];
        let result = self.fresh(&["result", "outcome", "item"], &others);
        let unit = self.file.indent_unit();
        // In an `except` clause the error says that it is another one, and keeps the cause that it has.
        let from = if self.handler().is_some() {
            format!(" from {result}.__cause__")
        } else {
            String::new()
        };
        let mut lines = vec![
            format!("for {result} in {results}:"),
            format!("{unit}if isinstance({result}, BaseException):"),
            format!("{unit}{unit}raise {result}{from}"),
        ];
        lines.extend(list.map(|list| format!("{unit}{list}.append({result})")));
        lines
    }

    fn rewrite_discarded(&self, argument: Edit) -> Result<Rewrite, String> {
        let slot = Slot::of(self.file, &self.place)?;
        let results = fresh_names::fresh(self.file, self.owner, RESULTS);
        let prefix = match self.place.statement {
            // `_ = await …`
            Stmt::Assign(assign) => {
                let head = TextRange::new(assign.start(), self.with_parentheses().start());
                Some(Edit::range_replacement(format!("{results} = "), head))
            }
            _ => slot.prefix(&format!("{results} = ")),
        };
        let mut edits: Vec<Edit> = prefix.into_iter().collect();
        let target = TextRange::new(
            self.place.statement.start(),
            self.with_parentheses().start(),
        );
        edits.extend(self.with_aligned(argument, target, &results));
        edits.push(slot.after(&self.guard(&results)));
        let is_unseen = self.members.is_empty()
            || self
                .members
                .iter()
                .any(|member| matches!(member, Member::Unseen));
        let hangs = self.may_hang(|_| true).or_else(|| {
            is_unseen.then(|| {
                "if one of these never finishes, an error in another would never be raised"
                    .to_owned()
            })
        });
        Ok(Rewrite::safe(TITLE, edits)
            .unsafe_if(hangs)
            .unsafe_if(self.changes_order()))
    }

    /// Whether what is assigned to `target` can be read although the guard raises: an attribute, a
    /// name of another scope or used by one, or one that is read after a handler around the call.
    fn outlives_guard(&self, target: &Expr) -> bool {
        let Expr::Name(name) = target else {
            return true;
        };
        let shared = self.owner != Owner::Module && is_shared(self.body, &name.id);
        let bound_before = || {
            self.file
                .semantics
                .scope_of_owner(self.owner)
                .and_then(|scope| self.file.semantics.lookup(&name.id, scope))
                .is_none_or(|definitions| definitions.len() > 1)
        };
        shared || (self.errors_are_handled() || self.is_before_finally()) && bound_before()
    }

    /// Whether a `try` with a `finally` around the call could read the name.
    fn is_before_finally(&self) -> bool {
        self.site.enclosing_in_function().any(|(node, child)| {
            matches!(node, AnyNodeRef::StmtTry(statement)
                if !statement.finalbody.is_empty()
                    && statement.body.iter().any(|s| s.range().contains_range(child.range())))
        })
    }

    /// `for r in await gather(…): if isinstance(r, Exception): …`, or every unpacked name checked.
    fn is_checked_where_consumed(&self) -> bool {
        match self.place.statement {
            Stmt::For(statement) if statement.iter.range() == self.awaited.range() => {
                results::are_checked(
                    &self.file.semantics,
                    &statement.body,
                    &statement.target,
                    statement.iter.end(),
                )
            }
            Stmt::Assign(statement) if statement.value.range() == self.awaited.range() => {
                match statement.targets.as_slice() {
                    [
                        Expr::Tuple(ast::ExprTuple { elts, .. })
                        | Expr::List(ast::ExprList { elts, .. }),
                    ] => elts.iter().all(|elt| {
                        let from = statement.end();
                        results::are_checked(&self.file.semantics, self.body, elt, from)
                    }),
                    _ => false,
                }
            }
            _ => false,
        }
    }
}
