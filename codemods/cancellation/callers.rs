//! How a file uses one of its own functions: who awaits it, and where.
//!
//! Told by names, because what is made of it means to hold back, or to choose the milder of two fixes.

use asyncfix_analysis::answers::cancellation::catches_cancellation;
use asyncfix_syntax::queries::last_name;
use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal};
use ruff_python_ast::{self as ast, AnyNodeRef, Expr, ExprContext, Stmt};
use ruff_text_size::Ranged;

use super::behind;
use super::kept_tasks::{Place, Waits, cancels, kept_around, kept_by_makers};
use crate::file::File;

/// The uses of a function in its file.
pub struct Callers<'a>(Vec<Caller<'a>>);

/// One use of a function.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says something else of the place"
)]
struct Caller<'a> {
    relation: Relation,
    /// What the task is bound to and put into, and the code in which that is seen.
    kept: Vec<Place<'a>>,
    /// Whether it stands in a `try` or a `with` that sees how the function ends.
    is_watched: bool,
    /// Whether it stands in a `finally`, in a handler of cancellations, or under a shield.
    in_clean_up: bool,
    /// Whether it stands in a handler of any kind.
    in_handler: bool,
    /// Whether it is awaited, and something is ended or let go of behind it.
    is_followed: bool,
}

/// What becomes of what a call of the function gives.
#[derive(Clone, Copy, PartialEq)]
enum Relation {
    /// A task runs it.
    Task,
    /// A task of a group runs it, and its end may be that of the others.
    GroupTask,
    /// It is awaited on the spot.
    Awaited,
    /// The function itself is handed to somebody, not called.
    Handed,
    /// The function itself is what the one around it gives back.
    Returned,
    /// Something else.
    Other,
}

impl<'a> Callers<'a> {
    /// The uses of `function` in its file, `class` being the class around it where it is a method.
    pub fn of(
        file: &File<'a, '_>,
        function: &'a ast::StmtFunctionDef,
        class: Option<&'a ast::StmtClassDef>,
    ) -> Self {
        let mut search = Search {
            file,
            function,
            class: class.filter(|_| file.semantics.is_method(function)),
            ancestors: Vec::new(),
            found: Vec::new(),
        };
        search.visit_body(file.body());
        Self(search.found)
    }

    /// Whether the function is all that a task runs: every use in sight gives it to one, or to
    /// somebody who calls it.
    pub fn are_tasks(&self) -> bool {
        !self.0.is_empty()
            && self.0.iter().all(|caller| {
                matches!(
                    caller.relation,
                    Relation::Task | Relation::GroupTask | Relation::Handed
                )
            })
    }

    /// Whether every use in sight hands it to somebody, who calls it then.
    pub fn are_handed_on(&self) -> bool {
        !self.0.is_empty()
            && self
                .0
                .iter()
                .all(|caller| matches!(caller.relation, Relation::Handed | Relation::Returned))
    }

    /// Whether some use gives it to a group of tasks.
    pub fn are_of_a_group(&self) -> bool {
        self.0
            .iter()
            .any(|caller| caller.relation == Relation::GroupTask)
    }

    /// Whether some use awaits it where its end is watched.
    pub fn watch_its_end(&self) -> bool {
        self.0
            .iter()
            .any(|caller| caller.relation == Relation::Awaited && caller.is_watched)
    }

    /// Whether the function is part of a clean-up: one calls it, or all that call it are handlers of
    /// an error.
    pub fn clean_up(&self) -> bool {
        self.0.iter().any(|caller| caller.in_clean_up)
            || !self.0.is_empty() && self.0.iter().all(|caller| caller.in_handler)
    }

    /// Whether some use awaits it where more is ended or let go of behind it.
    pub fn clean_up_behind(&self) -> bool {
        self.0.iter().any(|caller| caller.is_followed)
    }

    /// Whether a task of the function is awaited where nothing catches a cancellation: who waits there
    /// counts on its quiet end.
    pub fn await_its_task(&self, file: &File<'a, '_>) -> bool {
        let mut kept = self.0.iter().flat_map(|caller| &caller.kept);
        kept.any(|(kept, scope)| {
            let mut waits = Waits::of(file, kept);
            waits.visit_body(scope.map_or(file.body(), |function| &function.body));
            waits.found
        })
    }

    /// Whether `class`, the one around the function, keeps a task of it in an attribute and cancels it: that is how
    /// the function ends every time.
    pub fn are_cancelled_by(&self, file: &File<'a, '_>, class: &'a ast::StmtClassDef) -> bool {
        let kept = self.0.iter().flat_map(|caller| &caller.kept);
        let mut attributes = kept.filter(|(kept, _)| kept.is_attribute_expr());
        attributes.any(|(kept, _)| cancels(file, class, kept))
    }
}

struct Search<'f, 'a, 'db> {
    file: &'f File<'a, 'db>,
    function: &'a ast::StmtFunctionDef,
    class: Option<&'a ast::StmtClassDef>,
    ancestors: Vec<AnyNodeRef<'a>>,
    found: Vec<Caller<'a>>,
}

impl<'a> SourceOrderVisitor<'a> for Search<'_, 'a, '_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        let is_use = match node {
            AnyNodeRef::ExprName(name) => {
                self.class.is_none()
                    && name.ctx == ExprContext::Load
                    && name.id == self.function.name.id
                    && self.may_be_function(name)
            }
            AnyNodeRef::ExprAttribute(attribute) => {
                attribute.attr.id == self.function.name.id && self.may_be_method(attribute)
            }
            _ => false,
        };
        if is_use {
            self.found.push(self.caller(node));
        }
        self.ancestors.push(node);
        TraversalSignal::Traverse
    }

    fn leave_node(&mut self, _node: AnyNodeRef<'a>) {
        self.ancestors.pop();
    }
}

impl<'a> Search<'_, 'a, '_> {
    /// Whether a name may be the function, and not another one of the same name.
    fn may_be_function(&self, name: &ast::ExprName) -> bool {
        let semantics = &self.file.semantics;
        semantics.bindings(name).is_none_or(|definitions| {
            definitions.into_iter().any(|definition| {
                semantics
                    .definition_range(definition)
                    .is_some_and(|range| range.contains_range(self.function.name.range()))
            })
        })
    }

    /// Whether an attribute may be the method: `self` in another class is another object.
    fn may_be_method(&self, attribute: &ast::ExprAttribute) -> bool {
        let Some(class) = self.class else {
            return false;
        };
        let is_own = matches!(&*attribute.value, Expr::Name(name)
            if matches!(name.id.as_str(), "self" | "cls"));
        !is_own || class.range().contains_range(attribute.range())
    }

    fn caller(&self, node: AnyNodeRef<'a>) -> Caller<'a> {
        let relation = self.relation(node);
        let mut caller = Caller {
            relation,
            kept: if relation == Relation::Task {
                self.kept(node)
            } else {
                Vec::new()
            },
            is_watched: false,
            in_clean_up: false,
            in_handler: false,
            is_followed: false,
        };
        let mut child = node;
        let mut levels = Vec::new();
        for around in self.ancestors.iter().rev() {
            levels.push((*around, child));
            match around {
                AnyNodeRef::StmtFunctionDef(function) => {
                    caller.in_clean_up |= function.name == *"__aexit__";
                    break;
                }
                AnyNodeRef::ExprLambda(_) | AnyNodeRef::StmtClassDef(_) => break,
                AnyNodeRef::StmtTry(statement) => {
                    caller.in_clean_up |= is_in(&statement.finalbody, child);
                    caller.is_watched |= is_in(&statement.body, child);
                }
                AnyNodeRef::StmtWith(statement) if is_in(&statement.body, child) => {
                    caller.is_watched = true;
                    caller.in_clean_up |= statement.items.iter().any(is_shield);
                }
                AnyNodeRef::ExceptHandlerExceptHandler(handler) => {
                    caller.in_handler = true;
                    caller.in_clean_up |= catches_cancellation(self.file, handler);
                }
                _ => {}
            }
            child = *around;
        }
        caller.is_followed = relation == Relation::Awaited
            && behind::of_levels(self.file, levels.into_iter()).is_some();
        caller
    }

    /// The name of what is given what stands at the current place.
    fn taker(&self, node: AnyNodeRef<'a>) -> Option<&'a str> {
        let mut around = self.ancestors.iter().rev();
        let taker = around.find_map(|around| match around {
            AnyNodeRef::ExprCall(call) if !call.func.range().contains_range(node.range()) => {
                Some(last_name(&call.func))
            }
            around => around.is_statement().then_some(None),
        });
        taker.flatten()
    }

    /// What a task is bound to that is made around the current place, or by a function of the file that takes the
    /// coroutine there and makes the task.
    fn kept(&self, node: AnyNodeRef<'a>) -> Vec<Place<'a>> {
        let kept = kept_around(&self.ancestors);
        if !kept.is_empty() {
            return kept;
        }
        // `self.start(self.work())`
        let Some(name) = self.taker(node) else {
            return Vec::new();
        };
        kept_by_makers(self.file.body(), name)
    }

    /// What becomes of the function, seen from a use of it outwards.
    fn relation(&self, node: AnyNodeRef<'a>) -> Relation {
        let mut is_called = false;
        let mut given = None;
        let mut child = node;
        for around in self.ancestors.iter().rev() {
            match around {
                AnyNodeRef::ExprCall(call) if call.func.range() == child.range() => {
                    is_called |= given.is_none();
                }
                AnyNodeRef::ExprCall(call) => {
                    let name = last_name(&call.func).unwrap_or_default();
                    match name {
                        "start_soon" => return Relation::GroupTask,
                        // The end of a group's member is not the end of the group.
                        "gather" => return Relation::Task,
                        // It is awaited by the one that waits for it.
                        "wait_for" | "shield" => return Relation::Other,
                        _ => given = Some(name),
                    }
                }
                AnyNodeRef::ExprAwait(_) => {
                    return match given {
                        None if is_called => Relation::Awaited,
                        // `await asyncio.start_server(self.handle, host)`
                        Some(name) if !is_called && name.starts_with("start") => Relation::Handed,
                        _ => Relation::Other,
                    };
                }
                // `return wrapper`
                AnyNodeRef::StmtReturn(_) if !is_called && given.is_none() => {
                    return Relation::Returned;
                }
                around if around.is_statement() => break,
                _ => {}
            }
            child = *around;
        }
        match given {
            // What takes a coroutine and is not awaited makes a task of it.
            Some(_) if is_called => Relation::Task,
            Some(_) => Relation::Handed,
            None => Relation::Other,
        }
    }
}

fn is_in(suite: &[Stmt], node: AnyNodeRef<'_>) -> bool {
    suite
        .iter()
        .any(|statement| statement.range().contains_range(node.range()))
}

/// Whether a `with` keeps cancellations out, as anyio's `CancelScope(shield=True)` does.
fn is_shield(item: &ast::WithItem) -> bool {
    matches!(&item.context_expr, Expr::Call(call)
    if call.arguments.keywords.iter().any(|keyword| {
        keyword.arg.as_deref() == Some("shield")
            && matches!(&keyword.value, Expr::BooleanLiteral(value) if value.value)
    }))
}
